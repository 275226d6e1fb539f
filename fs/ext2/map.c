/* From a block of a file to a block of the volume.
 *
 * Theory.  An inode names its first twelve blocks itself, and three tables of tables of blocks one, two and three levels deep; a 0
 * anywhere is a hole.  All of that is guarded by the inode's map_lock: read to look, written to fill holes or to take blocks away.  What a
 * table says is judged each time before it is believed: the pointers may lead to metadata, or round in circles (which the fixed depth
 * bounds).
 *
 * New blocks are written into the tables in the order in which a crash hurts least: new tables are whole before the old one names them.
 * Tables that changed are remembered as the range of the file's blocks they are for (meta_first to meta_last), so that fsync finds them.
 *
 * New data blocks come in one run behind the file's last one if they can; tables are taken from the same run, in front of what they
 * name, so that reading a file from end to end moves the disk's head in one direction. */
#include <fs/ext2/ext2.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <mm/writeback.h>

#define RUN_MAX	2048u		/* blocks that one answer fills with */
#define TABLES_AHEAD 8u		/* tables read at once */

/* Where a walk ended: in tables[level], whose slot is a hole, or at the block itself. */
struct walk {
	struct ext2_path path;
	struct buffer table[4];		/* [0] is unused: that one is the inode's own array */
	u32 level;			/* of the last slot that was looked at */
	u32 block;			/* what it says */
};

static void walk_put(struct walk *w)
{
	for (u32 i = 1; i < ARRAY_SIZE(w->table); i++)
		buffer_put(&w->table[i]);
}

static u32 *slots(struct ext2_inode *e, struct walk *w, u32 level) { return level ? w->table[level].data : e->block; }

static int bad_block(struct ext2_inode *e, u32 block, u64 n)
{
	return ext2_error(ext2_sb(e->vfs.sb), "inode %lu: i_block %u (block %lu of the file) is no block of a file", e->vfs.ino, block, n);
}

/* The table that *slot names is not in the cache: read it, and start reading those that the next of the `left` slots name: they are needed next if the
 * file is read from end to end, and as likely as any if it is not. */
static int table_read(struct ext2_super *s, const u32 *slot, u32 left, struct buffer *b)
{
	struct block_plug plug;

	block_plug(&plug);
	for (u32 i = 0; i < min(left, TABLES_AHEAD); i++)
		if (slot[i] && ext2_blocks_ok(s, slot[i], 1))
			buffers_readahead(s->bdev, slot[i], 1, s->geo.block_size);
	block_unplug(&plug);
	return ext2_block_read(s, slot[0], b);
}

/* Follow the path to block n; the caller puts *w. */
static int walk_to(struct ext2_inode *e, u64 n, struct walk *w)
{
	struct ext2_super *s = ext2_sb(e->vfs.sb);
	int err;

	memset(w, 0, sizeof(*w));
	ext2_path_to(n, ext2_ptr_bits(s), &w->path);
	if (!w->path.depth)
		return -EFBIG;
	for (;;) {
		w->block = slots(e, w, w->level)[w->path.slot[w->level]];
		if (!w->block || w->level + 1 == w->path.depth)
			return 0;
		if (unlikely(!ext2_blocks_ok(s, w->block, 1)))
			return bad_block(e, w->block, n);
		err = buffer_find(s->bdev, w->block, s->geo.block_size, &w->table[w->level + 1]);
		if (unlikely(err > 0))
			err = w->level ? table_read(s, slots(e, w, w->level) + w->path.slot[w->level], (1u << ext2_ptr_bits(s)) - w->path.slot[w->level],
						    &w->table[w->level + 1])
				       : ext2_block_read(s, w->block, &w->table[1]);
		if (unlikely(err))
			return err;
		w->level++;
	}
}

/* How many blocks from here on are a run like this one: contiguous, or all a hole; at most want. */
static u32 run_length(struct ext2_inode *e, struct walk *w, u32 want)
{
	u32 bits = ext2_ptr_bits(ext2_sb(e->vfs.sb)), below = w->path.depth - 1 - w->level, n = 1;
	const u32 *slot = slots(e, w, w->level) + w->path.slot[w->level];

	if (below) {			/* a table is missing: all that it would be for */
		u64 span = 1ull << (bits * below), off = 0;

		for (u32 i = w->level + 1; i < w->path.depth; i++)
			off = off << bits | w->path.slot[i];
		return (u32)min(span - off, (u64)want);
	}
	while (n < want && n < w->path.left && slot[n] == (w->block ? w->block + n : 0))
		n++;
	return n;
}

/* --- filling holes --- */

static u32 goal_for(struct ext2_inode *e, struct walk *w, u64 n)
{
	struct ext2_super *s = ext2_sb(e->vfs.sb);
	const u32 *slot = slots(e, w, w->level);
	u32 first = ext2_group_first(&s->geo, e->group), colour;

	if (e->last_block && n == e->last_n + 1)
		return e->last_block + 1;
	for (u32 i = w->path.slot[w->level]; i-- > 0;)
		if (slot[i])
			return slot[i] + 1;
	if (w->level)
		return (u32)w->table[w->level].block + 1;
	colour = (u32)current->tid % 16 * (s->geo.blocks_per_group / 16);	/* writers of several new files start apart */
	return first + min(colour, ext2_group_blocks(&s->geo, e->group) - 1);
}

static void meta_changed(struct ext2_inode *e, u64 n, u32 nr)
{
	e->meta_first = min(e->meta_first, n);
	e->meta_last = max(e->meta_last, n + nr - 1);
}

/* The missing tables, and a run of data for the last of them: blocks[0..tables) and first, nr. */
static int take_blocks(struct ext2_inode *e, u32 goal, u32 tables, u32 want, u32 *blocks, u32 *first, u32 *nr)
{
	struct ext2_window *window = !inode_is_dir(&e->vfs) || e->last_block ? &e->window : NULL;	/* most directories have one block */
	struct ext2_super *s = ext2_sb(e->vfs.sb);
	u32 have = 0;
	int err = 0;

	*nr = 0;
	while (!*nr && !err) {
		u32 at, n;

		err = ext2_blocks_alloc(s, window, goal, tables - have + want, &at, &n);
		if (err)
			break;
		goal = at + n;
		while (have < tables && n) {
			blocks[have++] = at++;
			n--;
		}
		*first = at;
		*nr = n;
	}
	if (err)
		while (have)
			ext2_blocks_free(s, blocks[--have], 1);
	return err;
}

/* Make the new tables: each has one entry, the last of them the run. */
static int make_tables(struct ext2_inode *e, struct walk *w, u32 tables, const u32 *blocks, u32 first, u32 nr)
{
	struct ext2_super *s = ext2_sb(e->vfs.sb);

	for (u32 i = 0; i < tables; i++) {
		u32 level = w->level + 1 + i, slot = w->path.slot[level], *p;
		int err = ext2_block_new(s, blocks[i], &w->table[level]);

		if (err)
			return err;
		p = w->table[level].data;
		memset(p, 0, s->geo.block_size);
		if (i + 1 < tables)
			p[slot] = blocks[i + 1];
		else
			for (u32 k = 0; k < nr; k++)
				p[slot + k] = first + k;
		buffer_dirty(&w->table[level]);
	}
	return 0;
}

/* w stands at a hole: fill up to want blocks of it.  map_lock for writing. */
static int fill_hole(struct ext2_inode *e, struct walk *w, u64 n, u32 want, u32 *first, u32 *nr)
{
	struct ext2_super *s = ext2_sb(e->vfs.sb);
	u32 tables = w->path.depth - 1 - w->level, blocks[3], *slot;
	int err;

	want = min(min(want, w->path.left), RUN_MAX);
	if (!tables)
		want = run_length(e, w, want);
	err = take_blocks(e, goal_for(e, w, n), tables, want, blocks, first, nr);
	if (err)
		return err;
	err = make_tables(e, w, tables, blocks, *first, *nr);
	if (err) {
		for (u32 i = 0; i < tables; i++) {
			buffers_forget(s->bdev, blocks[i], 1, s->geo.block_size);
			ext2_blocks_free(s, blocks[i], 1);
		}
		ext2_blocks_free(s, *first, *nr);
		return err;
	}
	slot = slots(e, w, w->level) + w->path.slot[w->level];
	if (tables)
		*slot = blocks[0];
	else
		for (u32 k = 0; k < *nr; k++)
			slot[k] = *first + k;
	if (w->level)
		buffer_dirty(&w->table[w->level]);
	if (w->path.depth > 1)
		meta_changed(e, n, *nr);
	e->last_n = n + *nr - 1;
	e->last_block = *first + *nr - 1;
	e->end_n = max(e->end_n, n + *nr);
	ext2_blocks_add(&e->vfs, *nr + tables);
	inode_mark_dirty(&e->vfs, INODE_DIRTY_DATASYNC);
	return 0;
}

/* What block n is: *first, *nr; *first 0: a hole.  fill: it shall not be one. */
static int map_run(struct ext2_inode *e, u64 n, u32 want, bool fill, u32 *first, u32 *nr, bool *is_new)
{
	struct walk w;
	int err = walk_to(e, n, &w);

	*is_new = false;
	if (!err && !w.block && fill) {
		*is_new = true;
		err = fill_hole(e, &w, n, want, first, nr);
	} else if (!err) {
		*first = w.block;
		*nr = run_length(e, &w, want);
		if (unlikely(w.block && !ext2_blocks_ok(ext2_sb(e->vfs.sb), w.block, *nr)))
			err = bad_block(e, w.block, n);
	}
	walk_put(&w);
	return err;
}

static int ext2_map(struct inode *i, u64 pos, u64 len, u32 flags, struct iomap *out)
{
	struct ext2_inode *e = ext2_i(i);
	struct ext2_super *s = ext2_sb(i->sb);
	u64 n = pos >> s->geo.block_bits, last = (pos + max(len, 1ull) - 1) >> s->geo.block_bits;
	u32 want = (u32)min(last - n + 1, 1ull << 20), first = 0, nr = 1;
	bool is_new = false;
	int err;

	rwsem_read_lock(&e->map_lock);
	err = map_run(e, n, want, false, &first, &nr, &is_new);
	rwsem_read_unlock(&e->map_lock);
	if (!err && !first && flags & IOMAP_WRITE) {
		rwsem_write_lock(&e->map_lock);
		err = map_run(e, n, min(want, nr), true, &first, &nr, &is_new);
		rwsem_write_unlock(&e->map_lock);
	}
	if (err == -EFBIG && !(flags & IOMAP_WRITE))	/* beyond what an inode can name: nothing is there */
		err = 0;
	*out = (struct iomap){ .pos = n << s->geo.block_bits, .len = (u64)nr << s->geo.block_bits, .addr = (u64)first << s->geo.block_bits,
			       .type = first ? IOMAP_MAPPED : IOMAP_HOLE, .flags = is_new ? IOMAP_NEW : 0, .bdev = s->bdev };
	return err;
}
const struct iomap_ops ext2_iomap_ops = { .map = ext2_map };

int ext2_tables_look(struct inode *i, u64 pos)
{
	struct iomap m;

	return ext2_map(i, pos, 1, 0, &m);
}

int ext2_dir_grow(struct inode *i, u64 n)
{
	struct iomap m;

	return ext2_map(i, n << ext2_sb(i->sb)->geo.block_bits, 1, IOMAP_WRITE, &m);
}

/* --- for fsync --- */

typedef int (*table_fn)(struct buffer *b);
static int start_one(struct buffer *b)
{
	buffer_write_start(b);
	return 0;
}

/* fn for each table of the blocks [first, last] of the file.  map_lock is held for reading. */
static int tables_each(struct ext2_inode *e, u64 first, u64 last, table_fn fn)
{
	struct ext2_super *s = ext2_sb(e->vfs.sb);
	int err = 0;

	first = max(first, (u64)EXT2_NDIR);
	while (first <= last && !err) {
		struct walk w;
		u64 step;

		err = walk_to(e, first, &w);
		for (u32 i = 1; i < ARRAY_SIZE(w.table) && !err; i++)
			if (w.table[i].page)
				err = fn(&w.table[i]);
		step = err ? 1 : w.block ? w.path.left : run_length(e, &w, ~0u);
		walk_put(&w);
		first += step;
		if (first >= ext2_reach(EXT2_N_BLOCKS, ext2_ptr_bits(s)))
			break;
	}
	return err == -EFBIG ? 0 : err;
}

int ext2_tables_write(struct ext2_inode *e)
{
	u64 first, last;
	int err = 0, err2;

	rwsem_write_lock(&e->map_lock);
	first = e->meta_first;
	last = e->meta_last;
	e->meta_first = ~0ull;
	e->meta_last = 0;
	rwsem_downgrade(&e->map_lock);
	if (first <= last) {
		err = tables_each(e, first, last, start_one);
		err2 = tables_each(e, first, last, buffer_write_wait);
		err = err ? err : err2;
	}
	rwsem_read_unlock(&e->map_lock);
	if (err) {
		rwsem_write_lock(&e->map_lock);
		e->meta_first = min(e->meta_first, first);
		e->meta_last = max(e->meta_last, last);
		rwsem_write_unlock(&e->map_lock);
	}
	return err;
}
