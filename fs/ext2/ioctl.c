/* ioctls: the inode's flags and its generation, the volume's label, trimming. */
#include <drivers/block/block.h>
#include <arch/uaccess.h>
#include <fs/ext2/ext2.h>
#include <fs/file.h>
#include <fs/mount.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <mm/writeback.h>

u32 ext2_get_flags(struct inode *i) { return ext2_i(i)->flags & EXT2_FL_USER_VISIBLE; }

int ext2_set_flags(struct inode *i, u32 flags)
{
	struct ext2_inode *e = ext2_i(i);

	if (flags & ~EXT2_FL_USER_VISIBLE)
		return -EOPNOTSUPP;
	flags &= EXT2_FL_USER_MODIFIABLE;	/* chattr gives back what it has seen */
	if (inode_is_reg(i) && flags & ~EXT2_FL_REG_MASK)
		return -EOPNOTSUPP;
	e->flags = (e->flags & ~EXT2_FL_USER_MODIFIABLE) | flags;
	ext2_flags_to_vfs(e);
	inode_mark_dirty(i, INODE_DIRTY_DATASYNC);
	return 0;
}

static int set_version(struct file *f, u32 generation)
{
	struct inode *i = f->inode;
	int err = inode_owner_or_capable(i) ? mount_write_begin(f->path.mnt) : -EPERM;

	if (err)
		return err;
	rwsem_write_lock(&i->lock);
	ext2_i(i)->generation = generation;
	inode_touch(i, ATTR_CTIME);
	inode_mark_dirty(i, INODE_DIRTY_DATASYNC);
	rwsem_write_unlock(&i->lock);
	mount_write_end(f->path.mnt);
	return 0;
}

static int get_label(struct ext2_super *s, char __user *u)
{
	char label[FSLABEL_MAX] = { 0 };

	mutex_lock(&s->super_lock);
	memcpy(label, s->disk->volume_name, sizeof(s->disk->volume_name));
	mutex_unlock(&s->super_lock);
	return copy_to_user(u, label, sizeof(label)) ? -EFAULT : 0;
}

static int set_label(struct file *f, const char __user *u)
{
	struct ext2_super *s = ext2_sb(f->inode->sb);
	char label[sizeof(s->disk->volume_name) + 1] = { 0 };
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(label, u, sizeof(label)))
		return -EFAULT;
	if (strnlen(label, sizeof(label)) == sizeof(label))
		return -EINVAL;
	err = mount_write_begin(f->path.mnt);
	if (err)
		return err;
	mutex_lock(&s->super_lock);
	memcpy(s->disk->volume_name, label, sizeof(s->disk->volume_name));
	buffer_dirty(&s->super_buf);
	err = buffer_write(&s->super_buf);
	mutex_unlock(&s->super_lock);
	mount_write_end(f->path.mnt);
	return err;
}

static int trim(struct ext2_super *s, struct fstrim_range __user *u)
{
	struct fstrim_range r;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!block_can_discard(s->bdev))
		return -EOPNOTSUPP;
	if (copy_from_user(&r, u, sizeof(r)))
		return -EFAULT;
	err = ext2_trim_free(s, &r);
	return err ? err : copy_to_user(u, &r, sizeof(r)) ? -EFAULT : 0;
}

long ext2_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct ext2_inode *e = ext2_i(f->inode);
	u32 v;

	switch (cmd) {
	case FS_IOC_GETVERSION:
		return put_user(e->generation, (u32 __user *)user_ptr(arg));
	case FS_IOC_SETVERSION:
		return get_user(v, (const u32 __user *)user_ptr(arg)) ? -EFAULT : set_version(f, v);
	case FS_IOC_GETFSLABEL:
		return get_label(ext2_sb(f->inode->sb), user_ptr(arg));
	case FS_IOC_SETFSLABEL:
		return set_label(f, user_ptr(arg));
	case FITRIM:
		return trim(ext2_sb(f->inode->sb), user_ptr(arg));
	}
	return -ENOTTY;
}
