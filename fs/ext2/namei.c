/* Names: looking up, making, linking, removing, renaming.
 *
 * Each change is made in the order in which a crash hurts least: an inode is ready before a name leads to it, a new name stands before the old
 * one goes, and a count of links is never lower than the names there are. */
#include <fs/ext2/ext2.h>
#include <fs/file.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <mm/writeback.h>

static void nlink_add(struct inode *i, s32 n)
{
	spin_lock(&i->spin);
	i->nlink = (u32)((s32)i->nlink + n);
	ext2_nlink_changed(i);
	spin_unlock(&i->spin);
	inode_touch(i, ATTR_CTIME);
	inode_mark_dirty(i, INODE_DIRTY_DATASYNC);
}

/* A name goes.  A damaged volume may have fewer links than names. */
static void nlink_drop(struct inode *i, u32 n)
{
	if (unlikely(i->nlink < n)) {
		ext2_error(ext2_sb(i->sb), "inode %lu: i_links_count is %u, and a name goes", i->ino, i->nlink);
		n = i->nlink;
	}
	nlink_add(i, -(s32)n);
}

/* dirsync, sync, chattr +D: what was changed is on the disk before the call ends. */
static int commit(struct inode *dir, struct inode *i)
{
	struct ext2_super *s = ext2_sb(dir->sb);
	int err, err2;

	if (likely(!(dir->sb->flags & (MS_SYNCHRONOUS | MS_DIRSYNC)) && !(READ_ONCE(dir->flags) & (INODE_SYNC | INODE_DIRSYNC))))
		return 0;
	err = i ? inode_sync(i, false) : 0;
	err2 = ext2_dir_write(dir);
	err = err ? err : err2;
	return err ? err : block_flush(s->bdev);
}

/* --- looking up --- */

/* A directory is where its ".." says, and nowhere else: so a damaged volume cannot make a tree that is none. */
static int parent_agrees(struct inode *dir, struct inode *child)
{
	u32 up;
	int err = ext2_dir_find(child, "..", 2, &up);

	if (!err && (up != dir->ino || child->ino == EXT2_ROOT_INO))
		err = ext2_error(ext2_sb(dir->sb), "directory %lu is in directory %lu, but its .. is %u", child->ino, dir->ino, up);
	if (err == -ENOENT)
		err = ext2_error(ext2_sb(dir->sb), "directory %lu has no ..", child->ino);
	return err;
}

static int ext2_lookup(struct inode *dir, const char *name, u32 len, struct inode **out)
{
	u32 ino;
	int err;

	if (len > EXT2_NAME_LEN)
		return -ENAMETOOLONG;
	err = ext2_dir_find(dir, name, len, &ino);
	if (err)
		return err;
	err = ext2_iget(dir->sb, ino, out);
	if (!err && inode_is_dir(*out)) {
		err = parent_agrees(dir, *out);
		if (err)
			inode_put(*out);
	}
	return err;
}

/* --- making --- */

/* It has its name, which shall be durable if that is asked for; or it goes again, both of them. */
static int made(struct inode *dir, const char *name, u32 len, struct inode *i)
{
	int err = commit(dir, i);

	if (likely(!err) || ext2_dir_remove(dir, name, len))
		return 0;
	i->nlink = 0;
	inode_put(i);
	return err;
}

/* The new inode gets its name, or goes again. */
static int finish(struct inode *dir, const char *name, u32 len, struct inode *i, int err, struct inode **out)
{
	if (!err)
		err = ext2_dir_add(dir, name, len, i);
	if (err) {
		i->nlink = 0;
		ext2_nlink_changed(i);
		inode_filled(i);
		inode_put(i);
		return err;
	}
	inode_filled(i);
	*out = i;
	return 0;
}

static int ext2_create(struct inode *dir, const char *name, u32 len, u32 mode, dev_t_k rdev, struct inode **out)
{
	struct inode *i;
	int err = ext2_inode_new(dir, mode, rdev, &i);

	if (err)
		return err;
	err = finish(dir, name, len, i, 0, out);
	return err ? err : made(dir, name, len, i);
}

static int ext2_mkdir(struct inode *dir, const char *name, u32 len, u32 mode, struct inode **out)
{
	struct inode *i;
	int err;

	if (dir->nlink >= EXT2_LINK_MAX)
		return -EMLINK;
	err = ext2_inode_new(dir, mode, 0, &i);
	if (err)
		return err;
	i->nlink = 2;
	nlink_add(dir, 1);
	err = ext2_dir_make(i, (u32)dir->ino);
	err = finish(dir, name, len, i, err, out);
	if (!err)
		err = made(dir, name, len, i);
	if (err)
		nlink_add(dir, -1);
	return err;
}

static int ext2_symlink(struct inode *dir, const char *name, u32 len, const char *target, struct inode **out)
{
	u32 n = (u32)strlen(target);
	struct inode *i;
	int err;

	if (n + 1 > ext2_sb(dir->sb)->geo.block_size)
		return -ENAMETOOLONG;
	err = ext2_inode_new(dir, S_IFLNK | 0777, 0, &i);
	if (err)
		return err;
	err = ext2_symlink_make(i, target, n);
	err = finish(dir, name, len, i, err, out);
	return err ? err : made(dir, name, len, i);
}

static int ext2_link(struct inode *dir, const char *name, u32 len, struct inode *i)
{
	int err;

	if (i->nlink >= EXT2_LINK_MAX)
		return -EMLINK;
	nlink_add(i, 1);
	atomic_inc(&ext2_i(i)->entry_unsynced);
	err = ext2_dir_add(dir, name, len, i);
	if (!err) {
		err = commit(dir, i);
		if (err && ext2_dir_remove(dir, name, len))
			return 0;
	}
	if (err)
		nlink_add(i, -1);
	return err;
}

static int ext2_tmpfile(struct inode *dir, u32 mode, struct inode **out)
{
	struct inode *i;
	int err = ext2_inode_new(dir, mode, 0, &i);

	if (err)
		return err;
	i->nlink = 0;
	ext2_nlink_changed(i);
	inode_filled(i);
	*out = i;
	return 0;
}

/* --- removing --- */

static int ext2_unlink(struct inode *dir, const char *name, u32 len, struct inode *i)
{
	int err = ext2_dir_remove(dir, name, len);

	if (err)
		return err;
	nlink_drop(i, 1);
	return commit(dir, NULL);
}

static int ext2_rmdir(struct inode *dir, const char *name, u32 len, struct inode *i)
{
	int err = ext2_dir_is_empty(i);

	if (!err)
		err = ext2_dir_remove(dir, name, len);
	if (err)
		return err;
	nlink_drop(i, i->nlink);
	nlink_drop(dir, 1);
	return commit(dir, NULL);
}

/* --- renaming --- */

/* The new name: in the place of target's, or a new entry. */
static int name_new(struct inode *ndir, const char *nname, u32 nlen, struct inode *i, struct inode *target)
{
	bool isdir = inode_is_dir(i);
	int err;

	if (!target) {
		err = ext2_dir_add(ndir, nname, nlen, i);
		if (!err && isdir)
			nlink_add(ndir, 1);
		return err;
	}
	err = isdir ? ext2_dir_is_empty(target) : 0;
	if (!err)
		err = ext2_dir_set(ndir, nname, nlen, (u32)i->ino, i->mode);
	if (!err)
		nlink_drop(target, isdir ? target->nlink : 1);
	return err;
}

/* A directory moves from one parent to another: its "..", and their counts. */
static int move_up(struct inode *dir, struct inode *from, struct inode *to)
{
	nlink_add(to, 1);
	nlink_drop(from, 1);
	return ext2_dir_set(dir, "..", 2, (u32)to->ino, S_IFDIR);
}

/* The blocks that a rename changes, read before it begins: so no error of the device ends it in the middle. */
struct pins { struct page *page[3]; u32 nr; };

static int pin(struct pins *p, struct inode *dir, const char *name, u32 len)
{
	int err = ext2_dir_pin(dir, name, len, &p->page[p->nr]);

	if (!err)
		p->nr++;
	return err;
}

static int unpin(struct pins *p, int err)
{
	while (p->nr)
		page_put(p->page[--p->nr]);
	return err;
}

/* Each gets the other's name. */
static int exchange(struct inode *odir, const char *oname, u32 olen, struct inode *i,
		    struct inode *ndir, const char *nname, u32 nlen, struct inode *target)
{
	bool a = inode_is_dir(i) && odir != ndir, b = inode_is_dir(target) && odir != ndir;
	struct pins pins = { .nr = 0 };
	int err, err2 = 0;

	if ((a && !b && ndir->nlink >= EXT2_LINK_MAX) || (b && !a && odir->nlink >= EXT2_LINK_MAX))
		return -EMLINK;
	err = pin(&pins, odir, oname, olen);
	if (!err && a)
		err = pin(&pins, i, "..", 2);
	if (!err && b)
		err = pin(&pins, target, "..", 2);
	if (!err)
		err = ext2_dir_set(ndir, nname, nlen, (u32)i->ino, i->mode);
	if (!err)
		err = ext2_dir_set(odir, oname, olen, (u32)target->ino, target->mode);
	if (err)
		return unpin(&pins, err);
	atomic_inc(&ext2_i(i)->entry_unsynced);
	atomic_inc(&ext2_i(target)->entry_unsynced);
	inode_touch(i, ATTR_CTIME);
	inode_touch(target, ATTR_CTIME);
	if (a)
		err = move_up(i, odir, ndir);
	if (b)
		err2 = move_up(target, ndir, odir);
	err = unpin(&pins, err ? err : err2);
	err2 = commit(ndir, i);
	err = err ? err : err2;
	return err || odir == ndir ? err : commit(odir, target);
}

static int ext2_rename(struct inode *odir, const char *oname, u32 olen, struct inode *i,
		       struct inode *ndir, const char *nname, u32 nlen, struct inode *target, u32 flags)
{
	bool isdir = inode_is_dir(i);
	struct pins pins = { .nr = 0 };
	int err, err2;

	if (flags & RENAME_EXCHANGE)
		return exchange(odir, oname, olen, i, ndir, nname, nlen, target);
	if (isdir && odir != ndir && !target && ndir->nlink >= EXT2_LINK_MAX)
		return -EMLINK;
	err = pin(&pins, odir, oname, olen);
	if (!err && isdir && odir != ndir)
		err = pin(&pins, i, "..", 2);
	if (!err)
		err = name_new(ndir, nname, nlen, i, target);
	if (err)
		return unpin(&pins, err);
	err = ext2_dir_remove(odir, oname, olen);
	atomic_inc(&ext2_i(i)->entry_unsynced);
	inode_touch(i, ATTR_CTIME);
	if (isdir) {
		if (odir != ndir)
			err2 = ext2_dir_set(i, "..", 2, (u32)ndir->ino, S_IFDIR);
		else
			err2 = 0;
		err = err ? err : err2;
		nlink_drop(odir, 1);
	}
	unpin(&pins, 0);
	err2 = commit(ndir, i);
	err = err ? err : err2;
	if (odir != ndir && !err)
		err = commit(odir, NULL);
	return err;
}

const struct inode_ops ext2_dir_iops = {
	.lookup = ext2_lookup, .create = ext2_create, .mkdir = ext2_mkdir, .symlink = ext2_symlink, .link = ext2_link,
	.unlink = ext2_unlink, .rmdir = ext2_rmdir, .rename = ext2_rename, .tmpfile = ext2_tmpfile, .setattr = ext2_setattr, EXT2_XATTR_OPS, EXT2_FLAG_OPS,
};
const struct inode_ops ext2_file_iops = { .setattr = ext2_setattr, EXT2_XATTR_OPS, EXT2_FLAG_OPS };
const struct inode_ops ext2_special_iops = { .setattr = ext2_setattr, EXT2_XATTR_OPS };
