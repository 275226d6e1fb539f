/* Taking blocks away from a file: its end, or a hole in it.
 *
 * Theory.  The tree of tables is walked once, depth first, within the range; blocks next to each other are given back together.  A table
 * left empty goes too; it is forgotten by the cache of the device before its block is free, or a late write of it would destroy whose it is
 * next.  Memory: one reference a level.  A pointer that leads nowhere, or a block that was free already, ends the walk: the volume is
 * damaged, and going round in circles would only damage more; what is left is e2fsck's to find.
 *
 * A large file is taken apart in portions of PORTION blocks, the inode written after each, and map_lock let go between them, for the thread
 * that writes back and sync want it, too.  The next portion finds what is gone as holes.  The caller's locks keep everybody from filling
 * them.
 *
 * A table that cannot be read.  Those that stay, with a part of their entries, are read before anything is changed (ext2_tables_look), so the call
 * fails and the file is as it was.  One that goes is left alone, and so are the blocks that it names: e2fsck finds them, and nobody finds old
 * bytes behind a file's end when it grows again. */
#include <fs/ext2/ext2.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <mm/writeback.h>

struct freeing {
	struct ext2_inode *e;
	struct ext2_super *s;
	u64 from, to;		/* blocks of the file: [from, to) */
	u32 run, nr;		/* blocks of the volume that wait to be freed */
	u64 freed;
	u32 left;		/* blocks that this portion may still take */
	bool more;		/* there were more */
	int err, lost;		/* the walk ends; it does not, but there are blocks that nobody has any more */
};

#define PORTION 32768u

static void run_flush(struct freeing *f)
{
	if (f->nr)
		ext2_blocks_free(f->s, f->run, f->nr);
	f->freed += f->nr;
	f->nr = 0;
}

static void run_add(struct freeing *f, u32 block)
{
	if (unlikely(!ext2_blocks_ok(f->s, block, 1))) {
		f->err = ext2_error(f->s, "inode %lu: i_block %u is no block of a file", f->e->vfs.ino, block);
		return;
	}
	if (f->nr && block == f->run + f->nr && f->nr < f->s->geo.blocks_per_group) {
		f->nr++;
		return;
	}
	run_flush(f);
	f->run = block;
	f->nr = 1;
}

static bool free_table(struct freeing *f, u32 *slot, u32 depth, u64 base);

/* Empty what slot names: a block, or a table of the given depth, which are for the file's blocks from base on.  true: *slot changed. */
static bool free_slot(struct freeing *f, u32 *slot, u32 depth, u64 base)
{
	if (!*slot || f->err || f->more)
		return false;
	if (!f->left) {
		f->more = true;
		return false;
	}
	if (depth)
		return free_table(f, slot, depth, base);
	run_add(f, *slot);
	f->left--;
	if (!f->err)
		*slot = 0;
	return !f->err;
}

static bool all_zero(const u32 *table, u32 nr)
{
	while (nr && !table[nr - 1])
		nr--;
	return !nr;
}

static bool free_table(struct freeing *f, u32 *slot, u32 depth, u64 base)
{
	u32 bits = ext2_ptr_bits(f->s), nr = 1u << bits, first, last;
	u64 span = 1ull << (bits * (depth - 1));	/* blocks below each entry */
	bool changed = false, empty;
	struct buffer b;
	u32 *table;

	if (unlikely(!ext2_blocks_ok(f->s, *slot, 1))) {
		f->err = ext2_error(f->s, "inode %lu: the indirect block %u is no block of a file", f->e->vfs.ino, *slot);
		return false;
	}
	f->err = ext2_block_read_surely(f->s, *slot, &b);
	if (unlikely(f->err == -EIO && f->from <= base && f->to >= base + nr * span)) {
		f->err = 0;
		f->lost = ext2_error(f->s, "inode %lu: the indirect block %u cannot be read: its blocks are lost", f->e->vfs.ino, *slot);
		*slot = 0;
		return true;
	}
	if (f->err)
		return false;
	table = b.data;
	first = f->from > base ? (u32)min((f->from - base) / span, (u64)nr) : 0;
	last = (u32)min(f->to - base > (u64)nr * span ? (u64)nr : DIV_ROUND_UP(f->to - base, span), (u64)nr);
	for (u32 i = first; i < last && !f->err && !f->more; i++)
		changed |= free_slot(f, &table[i], depth - 1, base + i * span);
	empty = !f->err && all_zero(table, nr);
	if (changed && !empty) {
		buffer_dirty(&b);
		f->e->meta_first = min(f->e->meta_first, max(base, f->from));
		f->e->meta_last = max(f->e->meta_last, min(base + nr * span, f->to) - 1);
	}
	buffer_put(&b);
	if (!empty)
		return false;
	buffers_forget(f->s->bdev, *slot, 1, f->s->geo.block_size);
	ext2_retire(f->s, *slot);
	f->freed++;
	*slot = 0;
	return true;
}

/* A portion of [from, to), in blocks of the file.  map_lock is held for writing, or nobody else knows the inode. */
static int free_blocks(struct ext2_inode *e, u64 from, u64 to, bool *more)
{
	struct ext2_super *s = ext2_sb(e->vfs.sb);
	struct freeing f = { .e = e, .s = s, .from = from, .to = to, .left = PORTION };

	ext2_window_drop(s, &e->window);
	for (u32 i = 0; i < EXT2_N_BLOCKS; i++) {
		u32 depth = i < EXT2_NDIR ? 0 : i - EXT2_NDIR + 1;
		u64 base = depth ? ext2_reach(i, ext2_ptr_bits(s)) : i, end = base + (1ull << (ext2_ptr_bits(s) * depth));

		if (base < to && end > from)
			free_slot(&f, &e->block[i], depth, base);
	}
	run_flush(&f);
	if (f.freed)
		ext2_blocks_add(&e->vfs, -(s64)f.freed);
	e->last_block = 0;
	if (from < e->end_n)
		e->end_n = 0;
	*more = f.more && !f.err;
	return f.err ? f.err : f.lost;
}

int ext2_free_range(struct inode *i, u64 start, u64 end)
{
	struct ext2_inode *e = ext2_i(i);
	u32 bits = ext2_sb(i->sb)->geo.block_bits;
	u64 from = DIV_ROUND_UP(start, 1ull << bits), to = end == ~0ull ? 1ull << 40 : end >> bits;
	bool more = from < to;
	int err = 0;

	if (!more)
		return 0;
	while (more) {		/* whatever happens: blocks behind the end must not stay */
		int e1, e2;

		ext2_retire_begin(ext2_sb(i->sb));
		rwsem_write_lock(&e->map_lock);
		e1 = free_blocks(e, from, to, &more);
		rwsem_write_unlock(&e->map_lock);
		e2 = ext2_write_inode(i, false);
		ext2_retire_end(ext2_sb(i->sb));
		err = err ? err : e1 ? e1 : e2;
	}
	inode_mark_dirty(i, INODE_DIRTY_DATASYNC);
	return err;
}

/* A write that found blocks, and then no bytes to write (EFAULT, ENOSPC for another part). */
void ext2_trim(struct inode *i)
{
	struct ext2_inode *e = ext2_i(i);
	u64 size = i_size_read(i);

	if (likely(READ_ONCE(e->end_n) <= DIV_ROUND_UP(size, 1ull << ext2_sb(i->sb)->geo.block_bits)))
		return;
	rwsem_write_lock(&i->data.invalidate_lock);
	filemap_truncate(&i->data, size);
	ext2_free_range(i, size, ~0ull);
	rwsem_write_unlock(&i->data.invalidate_lock);
}
