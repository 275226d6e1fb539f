/* What a file is: stat and statfs families, readlink, time stamps.
 *
 * A stat by name holds the path only while the inode's fields are copied to the stack. */
#include <fs/file.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <fs/notify.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

/* in no UAPI header */
#define UTIME_NOW	((1l << 30) - 1l)
#define UTIME_OMIT	((1l << 30) - 2l)

/* Linux's user-visible encoding */
static u32 dev_encode(dev_t_k d)
{
	u32 ma = DEV_MAJOR(d), mi = DEV_MINOR(d);

	return (mi & 0xff) | ma << 8 | (mi & ~0xffu) << 12;
}

static int stat_out(const struct kstat *st, struct stat __user *u)
{
	struct stat s;

	_Static_assert(sizeof(s) == 128, "every byte is set below");
	s.st_dev = dev_encode(st->dev);
	s.st_ino = st->ino;
	s.st_mode = st->mode;
	s.st_nlink = st->nlink;
	s.st_uid = st->uid;
	s.st_gid = st->gid;
	s.st_rdev = dev_encode(st->rdev);
	s.__pad1 = 0;
	s.st_size = (long)st->size;
	s.st_blksize = (int)st->blksize;
	s.__pad2 = 0;
	s.st_blocks = (long)st->blocks;
	s.st_atime = st->atime.sec;
	s.st_atime_nsec = st->atime.nsec;
	s.st_mtime = st->mtime.sec;
	s.st_mtime_nsec = st->mtime.nsec;
	s.st_ctime = st->ctime.sec;
	s.st_ctime_nsec = st->ctime.nsec;
	s.__unused4 = 0;
	s.__unused5 = 0;
	return copy_to_user(u, &s, sizeof(s));
}

static u32 stat_lookup_flags(u32 flags)
{
	return (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
}

static int stat_look(const struct path *p, struct inode *inode, bool rcu, void *arg)
{
	struct kstat *st = arg;
	int err;

	if (unlikely(inode->ops->getattr)) {
		if (rcu)
			return -ECHILD;		/* it may sleep */
		err = inode->ops->getattr(inode, st);
	} else {
		inode_getattr_generic(inode, st);
		err = 0;
	}
	st->mnt_id = (u64)p->mnt->id;
	return err;
}

static int stat_path(int dirfd, const char __user *name, u32 flags, struct kstat *st)
{
	return path_look_user(dirfd, name, stat_lookup_flags(flags), stat_look, st);
}

long sys_newfstatat(int dirfd, const char __user *name, struct stat __user *buf, u32 flags)
{
	struct kstat st;
	int err;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	err = stat_path(dirfd, name, flags, &st);
	return err ? err : stat_out(&st, buf);
}

long sys_fstat(int fd, struct stat __user *buf)
{
	struct kstat st;
	struct file *f;
	int err;
	u32 ref;

	f = fdref_get_any(fd, &ref);
	if (!f)
		return -EBADF;
	err = inode_getattr(f->inode, &st);
	fdref_put(f, ref);
	return err ? err : stat_out(&st, buf);
}

static struct statx_timestamp stamp(const struct timespec_k *t)
{
	return (struct statx_timestamp){ .tv_sec = t->sec, .tv_nsec = t->nsec };
}

static int statx_look(const struct path *p, struct inode *inode, bool rcu, void *arg)
{
	((struct kstat *)arg)->mount_root = p->dentry == p->mnt->root;
	return stat_look(p, inode, rcu, arg);
}

static u64 attributes_of(const struct kstat *st)
{
	u64 a = st->mount_root ? STATX_ATTR_MOUNT_ROOT : 0;

	a |= st->flags & INODE_APPEND ? STATX_ATTR_APPEND : 0;
	a |= st->flags & INODE_IMMUTABLE ? STATX_ATTR_IMMUTABLE : 0;
	return a | (st->flags & INODE_NODUMP ? STATX_ATTR_NODUMP : 0);
}

long sys_statx(int dirfd, const char __user *name, u32 flags, unsigned mask, struct statx __user *buf)
{
	struct statx x;
	struct kstat st;
	int err;

	if (mask & STATX__RESERVED || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
	    flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	err = path_look_user(dirfd, name, stat_lookup_flags(flags), statx_look, &st);
	if (err)
		return err;
	memset(&x, 0, sizeof(x));
	x.stx_mask = st.result_mask | STATX_MNT_ID | (st.btime.sec || st.btime.nsec ? STATX_BTIME : 0u);
	x.stx_attributes = attributes_of(&st);
	x.stx_attributes_mask = st.attributes_mask | STATX_ATTR_MOUNT_ROOT | STATX_ATTR_AUTOMOUNT | STATX_ATTR_DAX;
	x.stx_blksize = st.blksize;
	x.stx_nlink = st.nlink;
	x.stx_uid = st.uid;
	x.stx_gid = st.gid;
	x.stx_mode = (u16)st.mode;
	x.stx_ino = st.ino;
	x.stx_size = st.size;
	x.stx_blocks = st.blocks;
	x.stx_atime = stamp(&st.atime);
	x.stx_btime = stamp(&st.btime);
	x.stx_ctime = stamp(&st.ctime);
	x.stx_mtime = stamp(&st.mtime);
	x.stx_rdev_major = DEV_MAJOR(st.rdev);
	x.stx_rdev_minor = DEV_MINOR(st.rdev);
	x.stx_dev_major = DEV_MAJOR(st.dev);
	x.stx_dev_minor = DEV_MINOR(st.dev);
	x.stx_mnt_id = st.mnt_id;
	return copy_to_user(buf, &x, sizeof(x));
}

static int statfs_path(const struct path *p, struct statfs64 __user *u)
{
	struct super *sb = p->mnt->sb;
	struct kstatfs k = { .type = sb->magic, .bsize = sb->block_size, .frsize = sb->block_size, .namelen = NAME_MAX };
	struct statfs64 s;
	int err = sb->ops && sb->ops->statfs ? sb->ops->statfs(sb, &k) : 0;

	if (err)
		return err;
	memset(&s, 0, sizeof(s));
	s.f_type = (long)k.type;
	s.f_bsize = (long)k.bsize;
	s.f_blocks = k.blocks;
	s.f_bfree = k.bfree;
	s.f_bavail = k.bavail;
	s.f_files = k.files;
	s.f_ffree = k.ffree;
	s.f_fsid.val[0] = (int)dev_encode(sb->dev);
	s.f_namelen = (long)k.namelen;
	s.f_frsize = (long)k.frsize;
	s.f_flags = (long)(0x20 | (p->mnt->flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)) |
			   (p->mnt->flags & (MS_NOATIME | MS_NODIRATIME)) | (p->mnt->flags & MS_RELATIME ? 0x1000 : 0) |
			   (sb->flags & (MS_RDONLY | MS_SYNCHRONOUS)));
	return copy_to_user(u, &s, sizeof(s));
}

long sys_statfs(const char __user *name, struct statfs64 __user *buf)
{
	struct path p;
	int err = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	err = statfs_path(&p, buf);
	path_put(&p);
	return err;
}

long sys_fstatfs(int fd, struct statfs64 __user *buf)
{
	u32 ref;
	struct file *f = fdref_get_any(fd, &ref);
	int err;

	if (!f)
		return -EBADF;
	err = statfs_path(&f->path, buf);
	fdref_put(f, ref);
	return err;
}

static long readlink_inode(struct inode *i, void __user *ubuf, size_t size)
{
	char *buf;
	long n;

	if (i->link) {
		n = (long)strlen(i->link);
		n = n < (long)size ? n : (long)size;
		return copy_to_user(ubuf, i->link, (size_t)n) ? -EFAULT : n;
	}
	if (!i->ops->readlink)
		return -EINVAL;
	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	n = i->ops->readlink(i, buf, PATH_MAX);
	if (n > (long)size)
		n = (long)size;
	if (n > 0 && copy_to_user(ubuf, buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
	return n;
}

long sys_readlinkat(int dirfd, const char __user *name, void __user *buf, int size)
{
	struct path p;
	long n;

	if (size <= 0)
		return -EINVAL;
	n = path_lookup_user(dirfd, name, LOOKUP_EMPTY, &p);
	if (n)
		return n;
	n = inode_is_link(p.dentry->inode) ? readlink_inode(p.dentry->inode, buf, (size_t)size) : -EINVAL;
	path_put(&p);
	return n;
}

/* One of utimensat's two stamps into the iattr.  0, or -EINVAL for a bad nsec. */
static int take_stamp(struct iattr *a, u32 bit, struct timespec_k *field, const struct __kernel_timespec *ts, const struct timespec_k *now)
{
	if (!ts || ts->tv_nsec == UTIME_NOW) {
		*field = *now;
	} else if (ts->tv_nsec == UTIME_OMIT) {
		return 0;
	} else {
		if (ts->tv_nsec < 0 || ts->tv_nsec >= 1000000000)
			return -EINVAL;
		*field = (struct timespec_k){ ts->tv_sec, (u32)ts->tv_nsec };
	}
	a->valid |= bit;
	return 0;
}

static int utimes_may(struct inode *i, bool both_now)
{
	if (both_now ? READ_ONCE(i->flags) & INODE_IMMUTABLE : inode_is_fixed(i))
		return -EPERM;
	if (inode_owner_or_capable(i))
		return 0;
	return both_now ? inode_permission(i, MAY_WRITE) : -EPERM;
}

static int utimes_path(const struct path *p, const struct __kernel_timespec *ts)
{
	struct inode *i = p->dentry->inode;
	struct timespec_k now = current_time_k();
	struct iattr a = { .valid = 0 };
	bool both_now = !ts || (ts[0].tv_nsec == UTIME_NOW && ts[1].tv_nsec == UTIME_NOW);
	u32 told;
	int err;

	err = take_stamp(&a, ATTR_ATIME, &a.atime, ts, &now);
	if (!err)
		err = take_stamp(&a, ATTR_MTIME, &a.mtime, ts ? ts + 1 : NULL, &now);
	if (err || !a.valid)
		return err;
	told = a.valid == ATTR_ATIME ? IN_ACCESS : a.valid == ATTR_MTIME ? IN_MODIFY : IN_ATTRIB;
	err = mount_write_begin(p->mnt);
	if (err)
		return err;
	rwsem_write_lock(&i->lock);
	err = utimes_may(i, both_now);
	if (!err)
		err = inode_setattr_locked(i, &a);
	rwsem_write_unlock(&i->lock);
	if (!err)
		notify_attr(p, told);
	mount_write_end(p->mnt);
	return err;
}

long sys_utimensat(int dirfd, const char __user *name, void __user *times, u32 flags)
{
	struct __kernel_timespec ts[2];
	struct path p;
	int err;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (times && copy_from_user(ts, times, sizeof(ts)))
		return -EFAULT;
	if (times && ts[0].tv_nsec == UTIME_OMIT && ts[1].tv_nsec == UTIME_OMIT)
		return 0;
	if (!name && dirfd != AT_FDCWD) {	/* futimens() */
		u32 ref;
		struct file *f = fdref_get(dirfd, &ref);

		if (!f)
			return -EBADF;
		err = flags ? -EINVAL : utimes_path(&f->path, times ? ts : NULL);
		fdref_put(f, ref);
		return err;
	}
	err = path_lookup_user(dirfd, name, stat_lookup_flags(flags), &p);
	if (err)
		return err;
	err = utimes_path(&p, times ? ts : NULL);
	path_put(&p);
	return err;
}
