/* Which inodes are free, and in which group a new one goes.
 *
 * Theory.  A group holds a table of inodes beside blocks for their data, so what belongs together should stand in one group: a file goes to
 * its directory's group, or, if that is full, to one that a hash of the directory's number leads to, so that the files of one full
 * directory go to the same place and those of two to different ones.  Directories are what spreads a tree over the volume: one
 * directly below the root goes to a group of its own turn with more free inodes and blocks than the average and the fewest directories;
 * a deeper one stays near its parent, unless that group has become much fuller than the average (the idea is Orlov's, from BSD).
 *
 * Counts and bitmap of a group change under its lock.  A number that was freed may still be that of an inode being evicted;
 * inode_find waits for it. */
#include <fs/ext2/ext2.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/printk.h>
#include <mm/writeback.h>
#include <kernel/lib/hash.h>
#include <linux/stat.h>

struct averages { u32 inodes, blocks, dirs; };

static struct averages averages_of(const struct ext2_super *s)
{
	u32 n = s->geo.nr_groups;

	return (struct averages){ (u32)((u64)atomic_load(&s->free_inodes) / n), (u32)((u64)atomic_load(&s->free_blocks) / n),
				  (u32)((u64)atomic_load(&s->dirs) / n) };
}

/* A directory below the root: a group in turn, the one with fewest directories among the better half. */
static u32 group_for_top_dir(struct ext2_super *s)
{
	u32 n = s->geo.nr_groups, start = hash_64(atomic_add_return(&s->spread, 1), 16) % n, best = start, fewest = ~0u;
	struct averages avg = averages_of(s);

	for (u32 i = 0, g = start; i < n; i++, g = g + 1 < n ? g + 1 : 0) {
		const struct ext2_group_desc *d = ext2_desc(s, g);

		if (READ_ONCE(d->free_inodes_count) && READ_ONCE(d->used_dirs_count) < fewest && READ_ONCE(d->free_inodes_count) >= avg.inodes &&
		    READ_ONCE(d->free_blocks_count) >= avg.blocks) {
			best = g;
			fewest = READ_ONCE(d->used_dirs_count);
		}
	}
	return best;
}

static u32 group_for_dir(struct ext2_super *s, u32 parent)
{
	struct averages avg = averages_of(s);
	u32 n = s->geo.nr_groups, max_dirs = avg.dirs + s->geo.inodes_per_group / 16;
	u32 min_inodes = avg.inodes - min(avg.inodes, s->geo.inodes_per_group / 4), min_blocks = avg.blocks - min(avg.blocks, s->geo.blocks_per_group / 4);

	for (u32 i = 0, g = parent; i < n; i++, g = g + 1 < n ? g + 1 : 0) {
		const struct ext2_group_desc *d = ext2_desc(s, g);

		if (READ_ONCE(d->free_inodes_count) && READ_ONCE(d->used_dirs_count) < max_dirs && READ_ONCE(d->free_inodes_count) >= min_inodes &&
		    READ_ONCE(d->free_blocks_count) >= min_blocks)
			return g;
	}
	return parent;
}

static u32 group_for_file(struct ext2_super *s, u32 parent, u64 dir_ino)
{
	u32 n = s->geo.nr_groups, g = parent;
	const struct ext2_group_desc *d = ext2_desc(s, g);

	if (READ_ONCE(d->free_inodes_count) && READ_ONCE(d->free_blocks_count))
		return g;
	g = (parent + (u32)(dir_ino % n)) % n;
	for (u32 step = 1; step < n; step <<= 1) {
		g = (g + step) % n;
		d = ext2_desc(s, g);
		if (READ_ONCE(d->free_inodes_count) && READ_ONCE(d->free_blocks_count))
			return g;
	}
	return parent;
}

static int bitmap_read(struct ext2_super *s, u32 g, struct buffer *b)
{
	u32 block = ext2_desc(s, g)->inode_bitmap;
	int err = ext2_block_read_surely(s, block, b);

	return err == -EIO ? ext2_error(s, "inode bitmap of group %u (block %u) cannot be read", g, block) : err;
}

static void group_count(struct ext2_super *s, u32 g, s32 n, bool dir)
{
	struct ext2_group_desc *d = ext2_desc(s, g);

	WRITE_ONCE(d->free_inodes_count, (u16)((s32)d->free_inodes_count - n));	/* who looks for a group reads without a lock */
	atomic_add(&s->free_inodes, (s64)-n);
	if (dir) {
		WRITE_ONCE(d->used_dirs_count, (u16)((s32)d->used_dirs_count + n));
		atomic_add(&s->dirs, (s64)n);
	}
	ext2_desc_dirty(s, g);
}

/* The block of the table in which only the inode of that bit is in use holds nothing worth reading: it is zero from now on.  Not on a volume that
 * was not cleanly unmounted, whose bitmap may not know of inodes that names lead to. */
static void begin_table_block(struct ext2_super *s, u32 g, u32 bit, const unsigned long *map)
{
	u32 per_block = s->geo.block_size / s->geo.inode_size, first = bit - bit % per_block;
	u32 last = min(first + per_block, s->geo.inodes_per_group);
	struct buffer b;

	if (!(s->mount_state & EXT2_VALID_FS) || bitmap_find_next_set(map, bit, first) < bit ||
	    bitmap_find_next_set(map, last, bit + 1) < last)
		return;
	if (!ext2_block_new(s, ext2_desc(s, g)->inode_table + bit / per_block, &b))
		buffer_put(&b);
}

/* A free inode of the group: its number, 0 if there is none, or an error. */
static int take_in_group(struct ext2_super *s, u32 g, bool dir, u32 *ino)
{
	struct ext2_group *grp = &s->groups[g];
	u32 bit, first = g ? 0 : s->geo.first_ino - 1;	/* the first ones are the volume's */
	struct buffer b = { 0 };
	int err;

	*ino = 0;
	if (!READ_ONCE(ext2_desc(s, g)->free_inodes_count))
		return 0;
	mutex_lock(&grp->lock);
	err = bitmap_read(s, g, &b);
	if (!err) {
		bit = (u32)bitmap_find_next_zero(b.data, s->geo.inodes_per_group, max(grp->ino_hint, first));
		if (bit < s->geo.inodes_per_group) {
			set_bit(bit, b.data);
			buffer_dirty(&b);
			group_count(s, g, 1, dir);
			begin_table_block(s, g, bit, b.data);
			*ino = g * s->geo.inodes_per_group + bit + 1;
		} else if (ext2_desc(s, g)->free_inodes_count) {
			if (s->mount_state & EXT2_VALID_FS)
				ext2_error(s, "group %u: bg_free_inodes_count is %u, its bitmap has none", g, ext2_desc(s, g)->free_inodes_count);
			group_count(s, g, ext2_desc(s, g)->free_inodes_count, false);
		}
		grp->ino_hint = bit;
		buffer_put(&b);
	}
	mutex_unlock(&grp->lock);
	return err;
}

static int take(struct ext2_super *s, u32 start, bool dir, u32 *ino)
{
	int err = 0;

	for (u32 i = 0, g = start; i < s->geo.nr_groups; i++, g = g + 1 < s->geo.nr_groups ? g + 1 : 0) {
		int e = take_in_group(s, g, dir, ino);

		if (*ino)
			return 0;
		if (e)
			err = e;
	}
	return err ? err : -ENOSPC;
}

void ext2_inode_free(struct ext2_super *s, u32 ino, bool dir)
{
	u32 g = (ino - 1) / s->geo.inodes_per_group, bit = (ino - 1) % s->geo.inodes_per_group;
	struct ext2_group *grp = &s->groups[g];
	struct buffer b;
	bool was = true;

	mutex_lock(&grp->lock);
	if (!bitmap_read(s, g, &b)) {
		was = test_bit(bit, b.data);
		clear_bit(bit, b.data);
		buffer_dirty(&b);
		if (was)
			group_count(s, g, -1, dir);
		grp->ino_hint = min(grp->ino_hint, bit);
		buffer_put(&b);
	}
	mutex_unlock(&grp->lock);
	if (!was)
		ext2_error(s, "inode %u was free already", ino);
}

static void init_owner(struct ext2_super *s, struct inode *i, const struct inode *dir, u32 mode, dev_t_k rdev)
{
	inode_init_owner(i, dir, mode, rdev);
	if (s->opts.flags & EXT2_OPT_GRPID)
		i->gid = READ_ONCE(dir->gid);
}

static u32 inherited_flags(const struct ext2_inode *dir, u32 mode)
{
	u32 flags = dir->flags & EXT2_FL_INHERITED;

	if (MODE_IS(mode, S_IFDIR))
		return flags;
	return flags & (MODE_IS(mode, S_IFREG) ? EXT2_FL_REG_MASK : EXT2_FL_OTHER_MASK);
}

int ext2_inode_new(struct inode *dir, u32 mode, dev_t_k rdev, struct inode **out)
{
	struct ext2_super *s = ext2_sb(dir->sb);
	bool isdir = MODE_IS(mode, S_IFDIR), is_new;
	u32 parent = ext2_i(dir)->group, ino, start;
	struct ext2_inode *e;
	struct inode *i;
	int err;

	if (!isdir)
		start = group_for_file(s, parent, dir->ino);
	else if (dir->ino == EXT2_ROOT_INO || ext2_i(dir)->flags & EXT2_TOPDIR_FL)
		start = group_for_top_dir(s);
	else
		start = group_for_dir(s, parent);
	err = take(s, start, isdir, &ino);
	if (err)
		return err;
	err = inode_find(dir->sb, ino, &i, &is_new);
	if (err) {
		ext2_inode_free(s, ino, isdir);
		return err;
	}
	if (unlikely(!is_new)) {	/* the bitmap lies; what is in use stays marked so */
		inode_put(i);
		return ext2_error(s, "inode %u is in use, but free in its bitmap", ino);
	}
	e = ext2_i(i);
	init_owner(s, i, dir, mode, rdev);
	i->atime = i->mtime = i->ctime = inode_now(i);
	if (!i->sb->whole_seconds) {
		e->extra_isize = sizeof(struct ext2_inode_extra);
		i->btime = i->ctime;
	}
	e->group = (ino - 1) / s->geo.inodes_per_group;
	e->generation = atomic_add_return(&s->next_generation, 1);
	e->flags = inherited_flags(ext2_i(dir), mode);
	e->filled = e->fresh = true;
	e->entry_unsynced = 1;
	ext2_set_ops(i);
	ext2_flags_to_vfs(e);
	inode_mark_dirty(i, INODE_DIRTY_META | INODE_DIRTY_DATASYNC);
	if (unlikely(dir->acls != NULL) && (err = ext2_acl_inherit(i, dir)) != 0) {
		i->nlink = 0;
		ext2_nlink_changed(i);
		inode_filled(i);
		inode_put(i);
		return err;
	}
	*out = i;
	return 0;
}
