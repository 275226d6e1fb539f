/* sync, fsync and kin. */
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/super.h>
#include <kernel/errno.h>
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
	long err;

	if (!f)
		return -EBADF;
	err = super_sync(f->path.mnt->sb, true);
	fdref_put(f, ref);
	return err;
}

static long do_fsync(int fd, bool datasync)
{
	u32 ref;
	struct file *f = fdref_get(fd, &ref);
	long err;

	if (!f)
		return -EBADF;
	if (f->ops->fsync)
		err = f->ops->fsync(f, 0, ~0ull, datasync);
	else
		err = inode_is_reg(f->inode) || inode_is_dir(f->inode) ? 0 : -EINVAL;
	fdref_put(f, ref);
	return err;
}

long sys_fsync(int fd) { return do_fsync(fd, false); }
long sys_fdatasync(int fd) { return do_fsync(fd, true); }
