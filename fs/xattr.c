/* Extended attributes: names "user.", "trusted.", "security." with a value of up to 64 KiB each; and the ACLs (fs/posix_acl.h), as "system.".
 *
 * The VFS decides who may: user.* as the file's data (and on files and directories alone), trusted.* CAP_SYS_ADMIN, security.* anybody
 * for reading, CAP_SYS_ADMIN for writing, but for capabilities (fs/file_caps.h), which take CAP_SETFCAP.  The filesystem decides which
 * of them it can keep.  Values are copied in before the inode is locked, and out after it is unlocked.  xattr(7), setxattr(2), getxattr(2), listxattr(2). */
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include <linux/xattr.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/file_caps.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <fs/notify.h>
#include <fs/posix_acl.h>
#include <fs/xattr.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <mm/slab.h>
#include <syscall_protos.h>

/* --- who may */

static int may_access(struct inode *i, const char *name, u32 mask)
{
	if (mask == MAY_WRITE && inode_is_fixed(i))
		return -EPERM;
	if (str_has_prefix(name, XATTR_SYSTEM_PREFIX))
		return 0;
	if (str_has_prefix(name, XATTR_SECURITY_PREFIX))
		return mask == MAY_READ || file_caps_is(name) || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
	if (str_has_prefix(name, XATTR_TRUSTED_PREFIX)) {
		if (capable(CAP_SYS_ADMIN))
			return 0;
		return mask == MAY_WRITE ? -EPERM : -ENODATA;
	}
	if (str_has_prefix(name, XATTR_USER_PREFIX)) {
		if (!inode_is_reg(i) && !inode_is_dir(i))
			return mask == MAY_WRITE ? -EPERM : -ENODATA;
		if (inode_is_dir(i) && (i->mode & S_ISVTX) && mask == MAY_WRITE && !inode_owner_or_capable(i))
			return -EPERM;
	}
	return inode_permission(i, mask);
}

static int name_from_user(char name[XATTR_NAME_MAX + 1], const char __user *uname)
{
	ssize_t n = strncpy_from_user(name, uname, XATTR_NAME_MAX + 1);

	if (n == -ENAMETOOLONG || !n)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

/* --- the calls; each by path, by path without following, by descriptor */

static int inode_set(const struct path *p, const char *name, const void *value, size_t size, u32 flags)
{
	struct inode *i = p->dentry->inode;
	int err = mount_write_begin(p->mnt);
	enum acl_kind kind;

	if (err)
		return err;
	if (file_caps_is(name))
		err = file_caps_may_set(value, size);
	if (!err)
		err = may_access(i, name, MAY_WRITE);
	if (!err && inode_acl_kind(name, &kind)) {
		err = inode_acl_set(i, kind, value, size);
	} else if (!err && !i->ops->setxattr) {
		err = -EOPNOTSUPP;
	} else if (!err) {
		rwsem_write_lock(&i->lock);
		if (file_caps_is(name))
			file_caps_changing(i);
		err = i->ops->setxattr(i, name, value, size, flags);
		rwsem_write_unlock(&i->lock);
	}
	if (!err)
		notify_attr(p, IN_ATTRIB);
	mount_write_end(p->mnt);
	return err;
}

static long value_set(const struct path *p, const char __user *uname, const void __user *uvalue, size_t size, u32 flags)
{
	char name[XATTR_NAME_MAX + 1];
	void *value;
	long err;

	if (flags & ~(u32)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	err = name_from_user(name, uname);
	if (err)
		return err;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	value = kvmalloc(size + 1, GFP_KERNEL);
	if (!value)
		return -ENOMEM;
	err = copy_from_user(value, uvalue, size) ? -EFAULT : inode_set(p, name, value, size, flags);
	kvfree(value);
	return err;
}

ssize_t inode_xattr(struct inode *i, const char *name, void *value, size_t size)
{
	ssize_t n;

	if (!i->ops->getxattr)
		return -EOPNOTSUPP;
	rwsem_read_lock(&i->lock);
	n = i->ops->getxattr(i, name, value, size);
	rwsem_read_unlock(&i->lock);
	return n;
}

static long value_get(const struct path *p, const char __user *uname, void __user *uvalue, size_t size)
{
	struct inode *i = p->dentry->inode;
	char name[XATTR_NAME_MAX + 1];
	void *value = NULL;
	enum acl_kind kind = ACL_ACCESS;
	bool is_acl;
	ssize_t n;
	long err = name_from_user(name, uname);

	if (!err)
		err = may_access(i, name, MAY_READ);
	if (err)
		return err;
	if (!i->ops->getxattr)
		return -EOPNOTSUPP;
	is_acl = inode_acl_kind(name, &kind);
	size = min(size, (size_t)XATTR_SIZE_MAX);
	if (size && !(value = kvmalloc(size, GFP_KERNEL)))
		return -ENOMEM;
	if (file_caps_is(name)) {
		n = file_caps_show(i, value, size);
	} else {
		rwsem_read_lock(&i->lock);
		n = is_acl ? inode_acl_get(i, kind, value, size) : i->ops->getxattr(i, name, value, size);
		rwsem_read_unlock(&i->lock);
	}
	if (n > 0 && size && copy_to_user(uvalue, value, (size_t)n))
		n = -EFAULT;
	kvfree(value);
	return n;
}

struct xattr_names { char *buf; size_t size, len; bool trusted; };

void xattr_names_add(struct xattr_names *names, const char *name)
{
	size_t len = strlen(name) + 1;

	if (!names->trusted && str_has_prefix(name, XATTR_TRUSTED_PREFIX))
		return;
	if (names->len + len <= names->size)
		memcpy(names->buf + names->len, name, len);
	names->len += len;
}

static long names_get(const struct path *p, char __user *list, size_t size)
{
	struct inode *i = p->dentry->inode;
	size_t room = min(size, (size_t)XATTR_LIST_MAX);
	struct xattr_names names = { .size = room, .trusted = capable(CAP_SYS_ADMIN) };
	long ret;

	if (!i->ops->listxattr)
		return 0;
	if (size && !(names.buf = kvmalloc(names.size, GFP_KERNEL)))
		return -ENOMEM;
	rwsem_read_lock(&i->lock);
	if (unlikely(READ_ONCE(i->acls) != NULL))
		inode_acl_list(i, &names);
	i->ops->listxattr(i, &names);
	rwsem_read_unlock(&i->lock);
	ret = (long)names.len;
	if (names.len > XATTR_LIST_MAX)
		ret = -E2BIG;
	else if (size && names.len > names.size)
		ret = -ERANGE;
	else if (size && copy_to_user(list, names.buf, names.len))
		ret = -EFAULT;
	kvfree(names.buf);
	return ret;
}

static long value_remove(const struct path *p, const char __user *uname)
{
	char name[XATTR_NAME_MAX + 1];
	int err = name_from_user(name, uname);

	return err ? err : inode_set(p, name, NULL, 0, XATTR_REPLACE);
}

static int path_of(const char __user *name, bool follow, struct path *out)
{
	return path_lookup_user(AT_FDCWD, name, follow ? LOOKUP_FOLLOW : 0, out);
}

#define BY_PATH(name, follow, call) ({					\
	struct path p;							\
	long __ret = path_of(name, follow, &p);				\
	if (!__ret) {							\
		__ret = call;						\
		path_put(&p);						\
	}								\
	__ret; })

#define BY_FD(fd, call) ({						\
	u32 __ref;							\
	struct file *f = fdref_get(fd, &__ref);				\
	long __ret = f ? call : -EBADF;					\
	if (f)								\
		fdref_put(f, __ref);					\
	__ret; })

long sys_setxattr(const char __user *path, const char __user *name, const void __user *value, size_t size, u32 flags)
{
	return BY_PATH(path, true, value_set(&p, name, value, size, flags));
}

long sys_lsetxattr(const char __user *path, const char __user *name, const void __user *value, size_t size, u32 flags)
{
	return BY_PATH(path, false, value_set(&p, name, value, size, flags));
}

long sys_fsetxattr(int fd, const char __user *name, const void __user *value, size_t size, u32 flags)
{
	return BY_FD(fd, value_set(&f->path, name, value, size, flags));
}

long sys_getxattr(const char __user *path, const char __user *name, void __user *value, size_t size)
{
	return BY_PATH(path, true, value_get(&p, name, value, size));
}

long sys_lgetxattr(const char __user *path, const char __user *name, void __user *value, size_t size)
{
	return BY_PATH(path, false, value_get(&p, name, value, size));
}

long sys_fgetxattr(int fd, const char __user *name, void __user *value, size_t size)
{
	return BY_FD(fd, value_get(&f->path, name, value, size));
}

long sys_listxattr(const char __user *path, void __user *list, size_t size)
{
	return BY_PATH(path, true, names_get(&p, list, size));
}

long sys_llistxattr(const char __user *path, void __user *list, size_t size)
{
	return BY_PATH(path, false, names_get(&p, list, size));
}

long sys_flistxattr(int fd, void __user *list, size_t size)
{
	return BY_FD(fd, names_get(&f->path, list, size));
}

long sys_removexattr(const char __user *path, const char __user *name)
{
	return BY_PATH(path, true, value_remove(&p, name));
}

long sys_lremovexattr(const char __user *path, const char __user *name)
{
	return BY_PATH(path, false, value_remove(&p, name));
}

long sys_fremovexattr(int fd, const char __user *name)
{
	return BY_FD(fd, value_remove(&f->path, name));
}
