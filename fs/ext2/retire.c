/* Blocks that were tables of block pointers, between two lives.
 *
 * Theory.  There is no journal, so after a crash an inode on the disk may be older than what its blocks hold.  For blocks of data that does no
 * harm: two files claim one block, and e2fsck gives each a copy.  But if the old inode takes the block for a table, e2fsck "repairs" what it
 * finds in it, and so destroys the data of a file that was synced.  So the block of a table is not free before the inode that does not name it
 * any more, and the tables above it, are durable: until then it waits here, still marked as used.
 *
 * If the metadata cannot be written they go on waiting, at the worst until e2fsck frees them.
 *
 * Waiting blocks are set free together: all metadata is written, the device flushed, and their bits cleared; when there are many, when
 * the volume is synced, and when no other block is left.  retire_sem is held for reading from before a table is taken out of its file until the
 * inode that says so is in the cache of the device; who sets free takes it for writing, for a moment, to see only those for which that is true. */
#include <fs/ext2/ext2.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <mm/slab.h>

#define CHUNK	62u
#define MANY	256u

struct ext2_retired { struct ext2_retired *next; u32 nr, blocks[CHUNK]; };

void ext2_retire(struct ext2_super *s, u32 block)
{
	struct ext2_retired *c;

	mutex_lock(&s->retired_lock);
	c = s->retired;
	if (!c || c->nr == CHUNK) {
		c = kzalloc(sizeof(*c), GFP_NOIO);
		if (c) {
			c->next = s->retired;
			s->retired = c;
		}
	}
	if (c) {
		c->blocks[c->nr++] = block;
		s->nr_retired++;
	}
	mutex_unlock(&s->retired_lock);
	if (!c)
		ext2_blocks_free(s, block, 1);	/* better than never */
}

static struct ext2_retired *take(struct ext2_super *s)
{
	struct ext2_retired *c;

	mutex_lock(&s->retired_lock);
	c = s->retired;
	s->retired = NULL;
	s->nr_retired = 0;
	s->retire_at = MANY;
	mutex_unlock(&s->retired_lock);
	return c;
}

/* They wait on, behind those that have come meanwhile. */
static void put_back(struct ext2_super *s, struct ext2_retired *c)
{
	struct ext2_retired **end;

	mutex_lock(&s->retired_lock);
	for (end = &s->retired; *end; end = &(*end)->next)
		;
	*end = c;
	for (; c; c = c->next)
		s->nr_retired += c->nr;
	s->retire_at = s->nr_retired + MANY;
	mutex_unlock(&s->retired_lock);
}

static int set_free(struct ext2_super *s, struct ext2_retired *c)
{
	int err = 0, err2;

	if (c) {
		err = buffers_sync(s->bdev);
		err2 = block_flush(s->bdev);
		err = err ? err : err2;
	}
	if (unlikely(err)) {		/* what the disk says of them may still be the old */
		put_back(s, c);
		return err;
	}
	while (c) {
		struct ext2_retired *next = c->next;

		for (u32 i = 0; i < c->nr; i++)
			ext2_blocks_free(s, c->blocks[i], 1);
		kfree(c);
		c = next;
	}
	return err;
}

void ext2_retire_begin(struct ext2_super *s) { rwsem_read_lock(&s->retire_sem); }

void ext2_retire_end(struct ext2_super *s)
{
	rwsem_read_unlock(&s->retire_sem);
	if (unlikely(READ_ONCE(s->nr_retired) >= max(READ_ONCE(s->retire_at), MANY)))
		ext2_retired_free(s);
}

int ext2_retired_free(struct ext2_super *s)
{
	struct ext2_retired *c;

	if (!READ_ONCE(s->nr_retired))
		return 0;
	rwsem_write_lock(&s->retire_sem);
	c = take(s);
	rwsem_write_unlock(&s->retire_sem);
	return set_free(s, c);
}

void ext2_retired_forget(struct ext2_super *s)
{
	struct ext2_retired *c = take(s), *next;

	for (; c; c = next) {
		next = c->next;
		kfree(c);
	}
}

bool ext2_retired_try(struct ext2_super *s)
{
	struct ext2_retired *c;

	if (!READ_ONCE(s->nr_retired) || !rwsem_write_trylock(&s->retire_sem))
		return false;
	c = take(s);
	rwsem_write_unlock(&s->retire_sem);
	return c && !set_free(s, c);
}
