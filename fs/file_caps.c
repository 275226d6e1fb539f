/* Capabilities of files.
 *
 * A file has them in the attribute security.capability, of any filesystem that keeps attributes: a version, the effective bit, and two sets; in version
 * 3 also the user who is root where they count.  There being one namespace of users, those of another root than user 0 are kept, and give nothing.
 * What execve makes of them is in kernel/proc/exec_cred.c.
 *
 * They speak for the content and belong to the owner's word, so who writes, truncates or gives away the file takes them, whatever rights he has:
 * file_caps_drop, beside the set-id bits (inode_kill_suid, inode_setattr_locked in inode.c).  If the filesystem cannot, the write fails.
 *
 * Nearly no file has them, and nearly every write and execve would have to look: INODE_NO_CAPS says that nobody needs to.  It is set under the inode's
 * lock in any mode by who found none, and cleared with the lock held for writing by who is about to set some; so it never stands beside the
 * attribute.  A new inode begins with it.
 *
 * On the disk all words are little-endian, as is every CPU that runs this.  Versions 2 and 3 are what setxattr(2) takes; version 1, of 32 bits, is
 * obeyed where a disk has it.  capabilities(7), "File capabilities". */
#include <linux/capability.h>
#include <fs/file_caps.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>

static bool is_v2(const struct vfs_ns_cap_data *d, size_t size)
{
	return size == XATTR_CAPS_SZ_2 && (d->magic_etc & ~(u32)VFS_CAP_FLAGS_EFFECTIVE) == VFS_CAP_REVISION_2;
}

static bool is_v3(const struct vfs_ns_cap_data *d, size_t size)
{
	return size == XATTR_CAPS_SZ_3 && (d->magic_etc & ~(u32)VFS_CAP_FLAGS_EFFECTIVE) == VFS_CAP_REVISION_3;
}

int file_caps_may_set(const void *value, size_t size)
{
	struct vfs_ns_cap_data d = { 0 };

	if (value) {
		memcpy(&d, value, min(size, sizeof(d)));
		if (!is_v2(&d, size) && !(is_v3(&d, size) && d.rootid != ~0u))
			return -EINVAL;
	}
	return capable(CAP_SETFCAP) ? 0 : -EPERM;
}

static ssize_t read_locked(struct inode *i, struct vfs_ns_cap_data *d)
{
	return i->ops->getxattr ? i->ops->getxattr(i, XATTR_NAME_CAPS, d, sizeof(*d)) : -EOPNOTSUPP;
}

static void note_none_locked(struct inode *i)
{
	spin_lock(&i->spin);
	i->flags |= INODE_NO_CAPS;
	spin_unlock(&i->spin);
}

/* Its size, or -errno; none, or none that could be kept, is -ENODATA. */
static ssize_t read(struct inode *i, struct vfs_ns_cap_data *d)
{
	ssize_t n;

	if (likely(READ_ONCE(i->flags) & INODE_NO_CAPS))
		return -ENODATA;
	memset(d, 0, sizeof(*d));
	rwsem_read_lock(&i->lock);
	n = read_locked(i, d);
	if (n == -EOPNOTSUPP)
		n = -ENODATA;
	if (n == -ENODATA)
		note_none_locked(i);
	rwsem_read_unlock(&i->lock);
	return n;
}

ssize_t file_caps_show(struct inode *i, void *value, size_t size)
{
	struct vfs_ns_cap_data d;
	ssize_t n = i->ops->getxattr ? read(i, &d) : -EOPNOTSUPP;

	if (n < 0)
		return n == -ERANGE ? -EINVAL : n;
	if (!is_v2(&d, (size_t)n) && !is_v3(&d, (size_t)n))
		return -EINVAL;
	if (n == XATTR_CAPS_SZ_3 && !d.rootid) {	/* root's own need no root's name */
		d.magic_etc = VFS_CAP_REVISION_2 | (d.magic_etc & VFS_CAP_FLAGS_EFFECTIVE);
		n = XATTR_CAPS_SZ_2;
	}
	if (!size)
		return n;
	if (size < (size_t)n)
		return -ERANGE;
	memcpy(value, &d, (size_t)n);
	return n;
}

int file_caps_get(struct inode *i, struct file_caps *out)
{
	static const struct { u32 revision; ssize_t size; u32 words; } known[] = {
		{ VFS_CAP_REVISION_1, XATTR_CAPS_SZ_1, VFS_CAP_U32_1 }, { VFS_CAP_REVISION_2, XATTR_CAPS_SZ_2, VFS_CAP_U32_2 },
		{ VFS_CAP_REVISION_3, XATTR_CAPS_SZ_3, VFS_CAP_U32_3 },
	};
	struct vfs_ns_cap_data d;
	ssize_t n = read(i, &d);

	if (likely(n < 0))
		return (int)n;
	*out = (struct file_caps){ .effective = d.magic_etc & VFS_CAP_FLAGS_EFFECTIVE };
	for (u32 k = 0; k < ARRAY_SIZE(known); k++) {
		if (known[k].revision != (d.magic_etc & VFS_CAP_REVISION_MASK) || known[k].size != n)
			continue;
		if (n == XATTR_CAPS_SZ_3 && d.rootid)
			return -ENODATA;
		for (u32 w = 0; w < known[k].words; w++) {
			out->permitted |= (u64)d.data[w].permitted << 32 * w;
			out->inheritable |= (u64)d.data[w].inheritable << 32 * w;
		}
		return 0;
	}
	return -EINVAL;
}

int file_caps_drop(struct inode *i)
{
	ssize_t n;

	if (likely(READ_ONCE(i->flags) & INODE_NO_CAPS) || !i->ops->setxattr)
		return 0;
	n = i->ops->getxattr(i, XATTR_NAME_CAPS, NULL, 0);
	if (n >= 0)
		n = i->ops->setxattr(i, XATTR_NAME_CAPS, NULL, 0, XATTR_REPLACE);
	if (n < 0 && n != -ENODATA && n != -EOPNOTSUPP)
		return (int)n;
	note_none_locked(i);
	return 0;
}

void file_caps_changing(struct inode *i)
{
	spin_lock(&i->spin);
	i->flags &= ~(u32)INODE_NO_CAPS;
	spin_unlock(&i->spin);
}
