/* chattr and lsattr: a file's flags, in ext2's words (FS_IOC_GETFLAGS) and in those of XFS (FS_IOC_FSGETXATTR).  ioctl_iflags(2).
 *
 * A filesystem that has them says which (inode_ops.get_flags) and takes new ones (set_flags); who may set them is decided here. */
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/fileattr.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/fs.h>

static const struct { u32 flag, xflag, vfs; } words[] = {
	{ FS_SYNC_FL, FS_XFLAG_SYNC, INODE_SYNC }, { FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE, INODE_IMMUTABLE }, { FS_APPEND_FL, FS_XFLAG_APPEND, INODE_APPEND },
	{ FS_NODUMP_FL, FS_XFLAG_NODUMP, INODE_NODUMP }, { FS_NOATIME_FL, FS_XFLAG_NOATIME, INODE_NOATIME }, { FS_DIRSYNC_FL, 0, INODE_DIRSYNC },
};

void fileattr_to_inode(struct inode *i, u32 flags)
{
	u32 all = 0, now = 0;

	for (u32 n = 0; n < ARRAY_SIZE(words); n++) {
		all |= words[n].vfs;
		now |= flags & words[n].flag ? words[n].vfs : 0;
	}
	spin_lock(&i->spin);
	i->flags = (i->flags & ~all) | now;
	spin_unlock(&i->spin);
}

u32 inode_to_fileattr(const struct inode *i)
{
	u32 flags = 0;

	for (u32 n = 0; n < ARRAY_SIZE(words); n++)
		flags |= READ_ONCE(i->flags) & words[n].vfs ? words[n].flag : 0;
	return flags;
}

static u32 xflags_of(u32 flags)
{
	u32 x = 0;

	for (u32 n = 0; n < ARRAY_SIZE(words); n++)
		x |= flags & words[n].flag ? words[n].xflag : 0;
	return x;
}

/* The flags that x asks for; those that it has no word for stay. */
static u32 flags_of(u32 x, u32 old)
{
	for (u32 n = 0; n < ARRAY_SIZE(words); n++)
		if (words[n].xflag)
			old = x & words[n].xflag ? old | words[n].flag : old & ~words[n].flag;
	return old;
}

/* x NULL: flags is meant; else what x says. */
static int set(struct file *f, u32 flags, const struct fsxattr *x)
{
	struct inode *i = f->inode;
	u32 old;
	int err;

	if (!inode_owner_or_capable(i))
		return -EPERM;
	err = mount_write_begin(f->path.mnt);
	if (err)
		return err;
	rwsem_write_lock(&i->lock);
	old = i->ops->get_flags(i);
	if (x)
		flags = flags_of(x->fsx_xflags, old);
	if ((flags ^ old) & (FS_APPEND_FL | FS_IMMUTABLE_FL) && !capable(CAP_LINUX_IMMUTABLE))
		err = -EPERM;
	else
		err = i->ops->set_flags(i, flags);
	if (!err)
		inode_touch(i, ATTR_CTIME);
	rwsem_write_unlock(&i->lock);
	mount_write_end(f->path.mnt);
	return err;
}

static int set_x(struct file *f, const void __user *u)
{
	struct inode *i = f->inode;
	struct fsxattr x;

	if (copy_from_user(&x, u, sizeof(x)))
		return -EFAULT;
	if ((x.fsx_xflags & FS_XFLAG_EXTSIZE && !inode_is_reg(i)) || (x.fsx_xflags & FS_XFLAG_EXTSZINHERIT && !inode_is_dir(i)))
		return inode_owner_or_capable(i) ? -EINVAL : -EPERM;
	if (x.fsx_projid || x.fsx_extsize || x.fsx_cowextsize)		/* projects and hints for XFS: nobody here has them */
		return inode_owner_or_capable(i) ? -EOPNOTSUPP : -EPERM;
	return set(f, 0, &x);
}

long fileattr_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct inode *i = f->inode;
	struct fsxattr x = { 0 };
	u32 v;

	if (!i->ops->get_flags || !(inode_is_reg(i) || inode_is_dir(i)))
		return -ENOTTY;
	switch (cmd) {
	case FS_IOC_GETFLAGS:
		return put_user(i->ops->get_flags(i), (u32 __user *)user_ptr(arg));
	case FS_IOC_SETFLAGS:
		return get_user(v, (const u32 __user *)user_ptr(arg)) ? -EFAULT : set(f, v, NULL);
	case FS_IOC_FSGETXATTR:
		x.fsx_xflags = xflags_of(i->ops->get_flags(i));
		return copy_to_user(user_ptr(arg), &x, sizeof(x)) ? -EFAULT : 0;
	case FS_IOC_FSSETXATTR:
		return set_x(f, user_ptr(arg));
	}
	return -ENOTTY;
}
