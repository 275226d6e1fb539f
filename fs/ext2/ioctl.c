/* chattr and lsattr: the inode's flags and its generation. */
#include <arch/uaccess.h>
#include <fs/ext2/ext2.h>
#include <fs/file.h>
#include <fs/mount.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <mm/writeback.h>

static int set_flags(struct file *f, u32 flags)
{
	struct inode *i = f->inode;
	struct ext2_inode *e = ext2_i(i);
	int err = mount_want_write(f->path.mnt);

	if (err)
		return err;
	if (!inode_owner_or_capable(i))
		return -EACCES;
	if (!inode_is_dir(i))
		flags &= inode_is_reg(i) ? EXT2_FL_REG_MASK : EXT2_FL_OTHER_MASK;
	rwsem_write_lock(&i->lock);
	if ((flags ^ e->flags) & (EXT2_APPEND_FL | EXT2_IMMUTABLE_FL) && !capable(CAP_LINUX_IMMUTABLE)) {
		err = -EPERM;
	} else {
		e->flags = (e->flags & ~EXT2_FL_USER_MODIFIABLE) | (flags & EXT2_FL_USER_MODIFIABLE);
		ext2_flags_to_vfs(e);
		inode_touch(i, ATTR_CTIME);
		inode_mark_dirty(i, INODE_DIRTY_DATASYNC);
	}
	rwsem_write_unlock(&i->lock);
	return err;
}

static int set_version(struct file *f, u32 generation)
{
	struct inode *i = f->inode;
	int err = inode_owner_or_capable(i) ? mount_want_write(f->path.mnt) : -EPERM;

	if (err)
		return err;
	rwsem_write_lock(&i->lock);
	ext2_i(i)->generation = generation;
	inode_touch(i, ATTR_CTIME);
	inode_mark_dirty(i, INODE_DIRTY_DATASYNC);
	rwsem_write_unlock(&i->lock);
	return 0;
}

long ext2_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct ext2_inode *e = ext2_i(f->inode);
	u32 v;

	switch (cmd) {
	case FS_IOC_GETFLAGS:
		return put_user(e->flags & EXT2_FL_USER_VISIBLE, (u32 __user *)user_ptr(arg));
	case FS_IOC_GETVERSION:
		return put_user(e->generation, (u32 __user *)user_ptr(arg));
	case FS_IOC_SETFLAGS:
		return get_user(v, (const u32 __user *)user_ptr(arg)) ? -EFAULT : set_flags(f, v);
	case FS_IOC_SETVERSION:
		return get_user(v, (const u32 __user *)user_ptr(arg)) ? -EFAULT : set_version(f, v);
	}
	return -ENOTTY;
}
