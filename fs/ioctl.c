/* ioctl: the few requests that are everybody's, then the driver's. */
#include <fs/file.h>
#include <fs/fileattr.h>
#include <fs/inode.h>
#include <fs/iomap.h>
#include <fs/super.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <asm/ioctls.h>
#include <asm/fcntl.h>
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

static long set_flag(struct file *f, int fd, u64 arg, u32 flag)
{
	int on;

	if (get_user(on, (int __user *)user_ptr(arg)))
		return -EFAULT;
	spin_lock(&f->lock);
	f->flags = on ? f->flags | flag : f->flags & ~flag;
	spin_unlock(&f->lock);
	if (flag == FASYNC && f->ops->async_changed)
		f->ops->async_changed(f, fd, false);
	return 0;
}

static long file_ioctl(struct file *f, int fd, u32 cmd, u64 arg)
{
	switch (cmd) {
	case FIOCLEX:
	case FIONCLEX:
		return fd_set_cloexec((u32)fd, cmd == FIOCLEX);
	case FIONBIO:
		return set_flag(f, fd, arg, O_NONBLOCK);
	case FIOASYNC:
		return set_flag(f, fd, arg, FASYNC);
	case FIFREEZE:
	case FITHAW:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		return cmd == FIFREEZE ? super_freeze(f->inode->sb) : super_thaw(f->inode->sb);
	case FIGETBSZ:
		return put_user((int)f->inode->sb->block_size, (int __user *)user_ptr(arg));
	case FIONREAD:
		if (inode_is_reg(f->inode)) {
			u64 left = i_size_read(f->inode) - f->pos;

			return put_user((int)(left > 0x7fffffff ? 0x7fffffff : left), (int __user *)user_ptr(arg));
		}
		break;
	}
	if (cmd == FS_IOC_GETFLAGS || cmd == FS_IOC_SETFLAGS || cmd == FS_IOC_FSGETXATTR || cmd == FS_IOC_FSSETXATTR) {
		long ret = fileattr_ioctl(f, cmd, arg);

		if (ret != -ENOTTY)
			return ret;
	}
	if ((cmd == FS_IOC_FIEMAP || cmd == FIBMAP) && inode_is_reg(f->inode) && f->mapping->iomap)
		return cmd == FIBMAP ? iomap_fibmap(f->inode, arg) : iomap_fiemap(f->inode, arg);
	return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}

long sys_ioctl(int fd, unsigned cmd, unsigned long arg)
{
	u32 ref;
	struct file *f = fdref_get(fd, &ref);
	long ret;

	if (!f)
		return -EBADF;
	ret = file_ioctl(f, fd, cmd, arg);
	fdref_put(f, ref);
	return ret;
}
