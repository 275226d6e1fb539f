/* Regular files: what the generic paths (fs/iomap.c) leave to the filesystem: giving back blocks, holes, and fsync.
 *
 * fsync promises that the file is there after a crash, with all its bytes.  So beside its pages, tables and inode, its name has to be there:
 * if that was made since its directory was last written for an fsync, the directory's blocks and inode are written too, and, if the
 * directory is as new, those of the directory above it, up to the root. */
#include <fs/dcache.h>
#include <fs/ext2/ext2.h>
#include <fs/file.h>
#include <fs/write_gate.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <mm/writeback.h>

static ssize_t ext2_file_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct inode *i = f->inode;
	size_t asked = from->count;
	ssize_t n;

	if (!(from->rwf & RWF_NOWAIT))
		gate_enter(i->sb->gate, GATE_CALL);
	else if (!gate_try_enter(i->sb->gate, GATE_CALL))
		return -EAGAIN;
	n = iomap_file_write(f, from, pos);

	if (unlikely(n != (ssize_t)asked)) {
		rwsem_write_lock(&i->lock);
		ext2_trim(i);
		rwsem_write_unlock(&i->lock);
	}
	gate_leave(i->sb->gate, GATE_CALL);
	return n;
}

static int ext2_fallocate(struct file *f, u32 mode, u64 off, u64 len)
{
	struct inode *i = f->inode;
	int err;

	if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	rwsem_write_lock(&i->lock);
	err = file_kill_suid(f);
	if (!err)
		err = ext2_tables_look(i, off);
	if (!err)
		err = ext2_tables_look(i, off + len);
	if (!err)
		err = iomap_punch(i, off, off + len, ext2_free_range);
	if (!err)
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	rwsem_write_unlock(&i->lock);
	return err;
}

/* The last of those who could write closes: what was reserved for it goes back. */
static void ext2_release(struct file *f)
{
	struct ext2_inode *e = ext2_i(f->inode);

	if (!(f->mode & FMODE_WRITE) || READ_ONCE(e->window.start) == READ_ONCE(e->window.end))
		return;
	rwsem_write_lock(&e->map_lock);
	ext2_window_drop(ext2_sb(f->inode->sb), &e->window);
	rwsem_write_unlock(&e->map_lock);
}

/* Names are never given up: what could not be written of a directory stays in the cache (page_write_failed), and is tried again by each fsync and sync. */
int ext2_dir_write(struct inode *dir)
{
	u64 since = error_sample(&dir->data.wb_err);
	int err, err2;

	filemap_retry(&dir->data);
	(void)error_check(&dir->data.wb_err, &since);		/* that one is seen to now */
	err = filemap_write_range(&dir->data, 0, ~0ull);
	filemap_wait_range(&dir->data, 0, ~0ull);
	since = error_sample(&dir->data.wb_err);
	err2 = error_check(&dir->data.wb_err, &since);
	err = err ? err : err2;
	err2 = inode_sync(dir, false);
	return err ? err : err2;
}

/* The names on the way from the root to f, as far as they are new. */
static int write_names(struct file *f)
{
	struct dentry *d = f->path.dentry;
	int err = 0;
	u32 seen;

	dentry_get(d);
	while (!err && d->inode && (seen = atomic_load_acquire(&ext2_i(d->inode)->entry_unsynced)) != 0) {
		struct dentry *up = dentry_parent_get(d);

		err = up != d && up->inode && inode_is_dir(up->inode) && up->inode->sb == d->sb ? ext2_dir_write(up->inode) : 0;
		if (!err)		/* unless it was moved meanwhile */
			(void)atomic_cas(&ext2_i(d->inode)->entry_unsynced, seen, 0u);
		dentry_put(d);
		d = up;
	}
	dentry_put(d);
	return err;
}

int ext2_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	int err = atomic_load(&ext2_i(f->inode)->entry_unsynced) ? write_names(f) : 0, err2;

	filemap_retry(&f->inode->data);
	err2 = file_sync(f, start, end, datasync);

	return err ? err : err2;
}

static long ext2_file_ioctl(struct file *f, u32 cmd, u64 arg)
{
	return cmd == FS_IOC_FIEMAP ? iomap_fiemap(f->inode, arg) : ext2_ioctl(f, cmd, arg);
}

/* An error that somebody was told before is none for him. */
int ext2_open(struct inode *i, struct file *f)
{
	f->sb_err = error_sample(&i->sb->wb_err);
	return 0;
}

const struct file_ops ext2_file_fops = {
	.open = ext2_open,
	.read = iomap_file_read, .write = ext2_file_write, .seek = iomap_seek, .mmap = filemap_mmap, .fsync = ext2_fsync,
	.fallocate = ext2_fallocate, .release = ext2_release, .ioctl = ext2_file_ioctl,
};
