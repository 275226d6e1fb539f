/* sync, fsync and kin. */
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/super.h>
#include <kernel/errno.h>
#include <linux/fs.h>
#include <mm/writeback.h>
#include <syscall_protos.h>

long sys_sync(void)
{
	supers_sync_all(false);
	supers_sync_all(true);
	return 0;
}

long sys_syncfs(int fd)
{
	u32 ref;
	struct file *f = fdref_get(fd, &ref);
	long err, err2;

	if (!f)
		return -EBADF;
	err = super_sync(f->path.mnt->sb, true);
	err2 = file_super_error_check(f);
	if (!err)
		err = err2;
	fdref_put(f, ref);
	return err;
}

int vfs_fsync_range(struct file *f, u64 start, u64 end, bool datasync)
{
	if (f->ops->fsync)
		return f->ops->fsync(f, start, end, datasync);
	return inode_is_reg(f->inode) || inode_is_dir(f->inode) ? 0 : -EINVAL;
}

static long do_fsync(int fd, bool datasync)
{
	u32 ref;
	struct file *f = fdref_get(fd, &ref);
	long err;

	if (!f)
		return -EBADF;
	err = vfs_fsync_range(f, 0, ~0ull, datasync);
	fdref_put(f, ref);
	return err;
}

long sys_fsync(int fd) { return do_fsync(fd, false); }
long sys_fdatasync(int fd) { return do_fsync(fd, true); }

/* Pages only: neither the file's numbers nor the device's own cache.  sync_file_range(2) warns of that. */
static int sync_range(struct file *f, u64 start, u64 end, u32 flags)
{
	struct address_space *as = f->mapping;
	const u32 all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	if (flags & SYNC_FILE_RANGE_WAIT_BEFORE)
		filemap_wait_range(as, start, end);
	if ((flags & all) == all)
		filemap_write_range(as, start, end);
	else if (flags & SYNC_FILE_RANGE_WRITE)
		filemap_start_range(as, start, end);
	if (flags & SYNC_FILE_RANGE_WAIT_AFTER)
		filemap_wait_range(as, start, end);
	return flags & (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER) ? file_error_check(f) : 0;
}

long sys_sync_file_range(int fd, s64 off, s64 len, u32 flags)
{
	u64 end = (u64)off + (u64)len;
	struct file *f;
	long err;
	u32 ref;

	f = fdref_get(fd, &ref);
	if (!f)
		return -EBADF;
	if (flags & ~(unsigned)(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) || off < 0 || (s64)end < off)
		err = -EINVAL;
	else if (!inode_is_reg(f->inode) && !inode_is_dir(f->inode) && !inode_is_link(f->inode) && !MODE_IS(READ_ONCE(f->inode->mode), S_IFBLK))
		err = -ESPIPE;
	else
		err = sync_range(f, (u64)off, len ? end - 1 : ~0ull, flags);
	fdref_put(f, ref);
	return err;
}
