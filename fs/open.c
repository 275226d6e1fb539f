/* Opening, and the calls that change a file's attributes by name.
 *
 * An open walks to the inode, checks what the flags ask for, makes a struct file and hands it to the inode's operations.  O_CREAT
 * walks with LOOKUP_CREATE: an absent last component comes back with its parent, whose lock is then taken and the name looked up
 * again; if somebody else was first, the walk begins anew.  A file just made is open whatever its mode says.
 *
 * Unwinding: until the descriptor is installed nothing is visible to others, so each failure simply puts the file. */
#include <fs/file.h>
#include <kernel/debug/trace_point.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <fs/notify.h>
#include <fs/posix_acl.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

#define O_TMPFILE_BIT	(O_TMPFILE & ~O_DIRECTORY)
#define VALID_OPEN	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_DIRECT | \
			 O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE_BIT | FASYNC)

#define OPEN_HOW_SIZE_VER0	24	/* no UAPI header has it */

/* What the flags ask of an inode that was there already. */
static int may_open(const struct path *path, struct inode *inode, u32 flags)
{
	u32 acc = flags & O_ACCMODE;
	u32 mask = acc == O_RDONLY ? MAY_READ : acc == O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
	int err;

	if (flags & O_TRUNC)
		mask |= MAY_WRITE;
	switch (READ_ONCE(inode->mode) & S_IFMT_K) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		if (mask & MAY_WRITE || flags & O_CREAT)
			return -EISDIR;
		break;
	case S_IFCHR: case S_IFBLK:
		if (path->mnt->flags & MS_NODEV)
			return -EACCES;
		break;
	case S_IFREG:
		if ((mask & MAY_WRITE) && (err = mount_may_write(path->mnt)))
			return err;
		break;
	}
	err = inode_permission(inode, mask);
	if (!err && (flags & O_NOATIME) && !inode_owner_or_capable(inode))
		err = -EPERM;
	if (!err && unlikely(READ_ONCE(inode->flags) & INODE_APPEND) && (mask & MAY_WRITE) && (!(flags & O_APPEND) || (flags & O_TRUNC)))
		err = -EPERM;
	return err;
}

/* Make the absent last component.  -EEXIST: somebody else did; the caller walks again (or fails, if O_EXCL). */
static int open_create(struct walk *w, u32 mode)
{
	struct dentry *parent = w->path.dentry, *d;
	struct inode *dir = parent->inode, *made = NULL;
	int err, may;

	if (w->trailing_slash)
		return -EISDIR;
	may = mount_write_begin(w->path.mnt);
	rwsem_write_lock(&dir->lock);
	err = dir_lookup(parent, &w->last, &d);
	if (err) {
		rwsem_write_unlock(&dir->lock);
		goto out;
	}
	if (d->inode)
		err = -EEXIST;
	else if (!(err = may) && !(err = dir_may_create(dir)))
		err = dir->ops->create ? dir->ops->create(dir, d->name, d->name_len, S_IFREG | (mode & 07777 & ~dir_umask(dir, current->fs->umask)), 0, &made)
				       : -EACCES;
	if (!err) {
		dentry_instantiate(d, made);
		notify_name(dir, IN_CREATE, d->name, d->name_len, made);
	}
	rwsem_write_unlock(&dir->lock);
	if (err) {
		dentry_put(d);
		goto out;
	}
	w->path.dentry = d;
	dentry_put(parent);
out:
	if (!may)
		mount_write_end(w->path.mnt);
	return err;
}

/* O_TMPFILE: w->path is the directory; becomes the nameless file. */
static int open_tmpfile(struct walk *w, u32 flags, u32 mode)
{
	struct dentry *parent = w->path.dentry, *d;
	struct inode *dir = parent->inode, *made;
	struct qname q = qname_of("#tmpfile", 8);
	int err;

	if (!inode_is_dir(dir))
		return -ENOTDIR;
	if ((flags & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	if (!dir->ops->tmpfile)
		return -EOPNOTSUPP;
	err = mount_write_begin(w->path.mnt);
	if (err)
		return err;
	err = dir_may_create(dir);
	d = err ? NULL : dentry_alloc(parent->sb, parent, &q);
	if (!d) {
		mount_write_end(w->path.mnt);
		return err ? err : -ENOMEM;
	}
	err = dir->ops->tmpfile(dir, S_IFREG | (mode & 07777 & ~dir_umask(dir, current->fs->umask)), &made);
	mount_write_end(w->path.mnt);
	if (err) {
		dentry_put(d);
		return err;
	}
	if (!(flags & O_EXCL))
		made->flags |= INODE_LINKABLE;
	dentry_set_anon_inode(d, made);
	w->path.dentry = d;
	dentry_put(parent);
	return 0;
}

/* What there is at w->path, checked. */
static int open_found(struct walk *w, u32 flags, u32 mode)
{
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if ((flags & O_CREAT) && w->trailing_slash)
		return -EISDIR;
	if (flags & O_TMPFILE_BIT)
		return open_tmpfile(w, flags, mode);
	return flags & O_PATH ? 0 : may_open(&w->path, w->path.dentry->inode, flags);
}

/* Walk, create, check.  On success w->path is what is to be opened. */
static int open_walk(struct walk *w, int dirfd, const char *name, u32 flags, u32 mode, u32 confine, bool *created)
{
	u32 lookup = confine | (flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & O_DIRECTORY ? LOOKUP_DIRECTORY : 0);
	int err;

	*created = false;
	if (flags & O_CREAT)
		lookup = (flags & O_EXCL ? lookup & ~(u32)LOOKUP_FOLLOW : lookup) | LOOKUP_CREATE;
	for (;;) {
		err = walk_path(w, dirfd, name, lookup);
		if (err)
			return err;
		if (!w->absent)
			break;
		err = open_create(w, mode);
		if (!err) {
			*created = true;
			return 0;
		}
		path_put(&w->path);
		walk_end(w);
		if (err != -EEXIST || (flags & O_EXCL))
			return err;
	}
	err = open_found(w, flags, mode);
	if (err) {
		path_put(&w->path);
		walk_end(w);
	}
	*created = flags & O_TMPFILE_BIT;
	return err;
}

/* inode_truncate, and who watches is told; what root may write keeps its set-ID bits. */
static int truncate_path(const struct path *p, u64 size)
{
	struct inode *i = p->dentry->inode;
	u32 mode = READ_ONCE(i->mode);
	int err = inode_truncate(i, size);

	if (!err)
		notify_attr(p, mode == READ_ONCE(i->mode) ? IN_MODIFY : IN_MODIFY | IN_ATTRIB);
	return err;
}

/* O_TRUNC, which O_RDONLY may come with: a running program is ETXTBSY all the same. */
static int open_truncate(const struct path *p, struct inode *inode)
{
	int err = inode_get_write(inode);

	if (err)
		return err;
	err = mount_write_begin(p->mnt);
	if (!err) {
		err = truncate_path(p, 0);
		mount_write_end(p->mnt);
	}
	inode_put_write(inode);
	return err;
}

/* Open what f->path, checked, leads to. */
static int open_inode(struct file *f, u32 flags, bool created)
{
	struct inode *inode = f->path.dentry->inode;
	int err = file_open_inode(f, inode, flags);

	if (!err && (flags & O_TRUNC) && !created && inode_is_reg(inode) && !(flags & O_PATH))
		err = open_truncate(&f->path, inode);
	if (!err)
		notify_file(f, IN_OPEN);
	return err;
}

/* confine: LOOKUP_NO_SYMLINKS and so on, of openat2. */
static int open_file(int dirfd, const char *name, u32 flags, u32 mode, u32 confine, struct file **out)
{
	struct file *f;
	struct walk w;
	bool created;
	int err;

	err = file_alloc(&f);
	if (err)
		return err;
	err = open_walk(&w, dirfd, name, flags, mode, confine, &created);
	if (!err) {
		f->path = w.path;	/* the walk's reference */
		walk_end(&w);
		err = open_inode(f, flags, created);
	}
	if (err)
		file_put_now(f);
	else
		*out = f;
	return err;
}

static int flags_check(u32 *flags)
{
	u32 f = *flags & VALID_OPEN;

	if (f & O_PATH)
		f &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	else if ((f & O_TMPFILE_BIT) && !(f & O_DIRECTORY))
		return -EINVAL;
	else if ((f & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return -EINVAL;
	*flags = f;
	return 0;
}

int vfs_open(const char *path, u32 flags, u32 mode, struct file **out)
{
	return open_file(AT_FDCWD, path, flags, mode, 0, out);
}

int vfs_open_at(const struct path *p, u32 flags, struct file **out)
{
	struct walk w = { .path = *p };
	struct file *f = NULL;
	int err = flags_check(&flags);

	if (!err && (flags & O_DIRECTORY) && !inode_is_dir(p->dentry->inode))
		err = -ENOTDIR;
	if (!err)
		err = file_alloc(&f);
	if (!err)
		err = open_found(&w, flags, 0);
	if (err) {
		path_put(&w.path);
	} else {
		f->path = w.path;
		err = open_inode(f, flags, flags & O_TMPFILE_BIT);
	}
	if (!err)
		*out = f;
	else if (f)
		file_put_now(f);
	return err;
}

static inline long open_fd(int dirfd, const char __user *user, u32 flags, u32 mode, u32 confine)
{
	struct filename fn;
	struct file *f;
	int err, fd;

	err = getname(&fn, user, false);
	if (err)
		return err;
	fd = fd_reserve(0, flags);
	if (fd >= 0) {
		err = open_file(dirfd, fn.name, flags, mode, confine, &f);
		if (likely(!err)) {
			fd_install(fd, f);
		} else {
			fd_cancel(fd);
			fd = err;
		}
	}
	TRACE_TEXT(vfs_open, fn.name, (u64)fd, flags);
	putname(&fn);
	return fd;
}

long sys_openat(int dirfd, const char __user *user, u32 flags, u32 mode)
{
	int err = flags_check(&flags);

	return unlikely(err) ? err : open_fd(dirfd, user, flags, mode, 0);
}

/* What openat2 asks for of the walk.  0, -EINVAL, -EAGAIN. */
static int confine_of(const struct open_how *how, u32 *confine)
{
	static const struct { u32 resolve, lookup; } words[] = {
		{ RESOLVE_NO_XDEV, LOOKUP_NO_XDEV }, { RESOLVE_NO_MAGICLINKS, LOOKUP_NO_MAGICLINKS }, { RESOLVE_NO_SYMLINKS, LOOKUP_NO_SYMLINKS },
		{ RESOLVE_BENEATH, LOOKUP_BENEATH }, { RESOLVE_IN_ROOT, LOOKUP_IN_ROOT }, { RESOLVE_CACHED, LOOKUP_CACHED },
	};
	u64 left = how->resolve;

	*confine = 0;
	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		if (left & words[i].resolve) {
			*confine |= words[i].lookup;
			left &= ~(u64)words[i].resolve;
		}
	if (left || (*confine & LOOKUP_SCOPED) == LOOKUP_SCOPED)
		return -EINVAL;
	return *confine & LOOKUP_CACHED && how->flags & (O_TRUNC | O_CREAT | O_TMPFILE_BIT) ? -EAGAIN : 0;
}

/* Unlike openat's, flags and a mode that mean nothing are refused. */
static int how_check(const struct open_how *how, u32 *flags)
{
	u64 f = how->flags;

	if (f & ~(u64)(u32)VALID_OPEN || how->mode & ~07777ull || (how->mode && !(f & (O_CREAT | O_TMPFILE_BIT))))
		return -EINVAL;
	if (f & O_PATH && f & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
		return -EINVAL;
	if (f & O_TMPFILE_BIT && (f & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	*flags = (u32)f;
	return flags_check(flags);
}

/* The structure may grow: what a program knows and we do not must be zero (-E2BIG). */
static int how_from_user(struct open_how *how, const void __user *u, size_t size)
{
	char more[64];

	if (size < OPEN_HOW_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (copy_from_user(how, u, sizeof(*how)))
		return -EFAULT;
	for (size_t at = sizeof(*how), n; at < size; at += n) {
		n = min(size - at, sizeof(more));
		if (copy_from_user(more, (const char __user *)u + at, n))
			return -EFAULT;
		for (size_t k = 0; k < n; k++)
			if (more[k])
				return -E2BIG;
	}
	return 0;
}

long sys_openat2(int dirfd, const char __user *user, void __user *uhow, size_t size)
{
	struct open_how how;
	u32 flags = 0, confine = 0;
	int err = how_from_user(&how, uhow, size);

	if (!err)
		err = how_check(&how, &flags);
	if (!err)
		err = confine_of(&how, &confine);
	return err ? err : open_fd(dirfd, user, flags, (u32)how.mode, confine);
}

/* --- attributes by descriptor or name --- */

static int path_of(int dirfd, const char __user *name, u32 at_flags, struct path *out)
{
	return path_lookup_user(dirfd, name, (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
				(at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), out);
}

/* Who may, and what of it, is decided under the lock that the change is made under: else an owner who is just losing the file to root could still make
 * it set-user-ID, by one of these two that looked at the file as it was before the other. */
static int chmod_locked(struct inode *i, u32 mode)
{
	struct iattr a = { .valid = ATTR_MODE, .mode = mode & 07777 };

	if (!inode_owner_or_capable(i) || inode_is_fixed(i))
		return -EPERM;
	if (inode_is_link(i))
		return -EOPNOTSUPP;
	if (!inode_is_dir(i) && !cred_in_group(current_cred(), i->gid) && !capable(CAP_FSETID))
		a.mode &= ~(u32)S_ISGID;
	return inode_setattr_locked(i, &a);
}

static int chmod_path(const struct path *p, u32 mode)
{
	struct inode *i = p->dentry->inode;
	int err = mount_write_begin(p->mnt);

	if (err)
		return err;
	rwsem_write_lock(&i->lock);
	err = chmod_locked(i, mode);
	rwsem_write_unlock(&i->lock);
	if (!err)
		notify_attr(p, IN_ATTRIB);
	mount_write_end(p->mnt);
	return err;
}

/* *valid: ATTR_* of what changed. */
static int chown_locked(struct inode *i, u32 uid, u32 gid, u32 *valid)
{
	const struct cred *c = current_cred();
	struct iattr a = { .valid = 0 };

	if (inode_is_fixed(i) && (uid != ~0u || gid != ~0u))
		return -EPERM;
	if (uid != ~0u) {
		if ((c->fsuid != i->uid || uid != i->uid) && !capable(CAP_CHOWN))
			return -EPERM;
		a.valid |= ATTR_UID;
		a.uid = uid;
	}
	if (gid != ~0u) {
		if ((c->fsuid != i->uid || (gid != i->gid && !cred_in_group(c, gid))) && !capable(CAP_CHOWN))
			return -EPERM;
		a.valid |= ATTR_GID;
		a.gid = gid;
	}
	if (!inode_is_dir(i) && !(READ_ONCE(i->flags) & INODE_NO_CAPS))
		a.valid |= ATTR_KILL_CAPS;
	if (!inode_is_dir(i) && (i->mode & (S_ISUID | S_ISGID))) {
		a.valid |= ATTR_MODE;
		a.mode = i->mode & ~(u32)S_ISUID;
		if ((i->mode & 0010))
			a.mode &= ~(u32)S_ISGID;
	}
	*valid = a.valid;
	return inode_setattr_locked(i, &a);
}

static int chown_writable(const struct path *p, u32 uid, u32 gid)
{
	struct inode *i = p->dentry->inode;
	u32 valid = 0;
	int err;

	rwsem_write_lock(&i->lock);
	err = chown_locked(i, uid, gid, &valid);
	rwsem_write_unlock(&i->lock);
	if (!err && valid & (ATTR_UID | ATTR_GID | ATTR_MODE))
		notify_attr(p, IN_ATTRIB);
	return err;
}

static int chown_path(const struct path *p, u32 uid, u32 gid)
{
	int err = mount_write_begin(p->mnt);

	if (!err) {
		err = chown_writable(p, uid, gid);
		mount_write_end(p->mnt);
	}
	return err;
}

long sys_fchmod(int fd, u32 mode)
{
	u32 ref;
	struct file *f = fdref_get(fd, &ref);
	long err;

	if (!f)
		return -EBADF;
	err = chmod_path(&f->path, mode);
	fdref_put(f, ref);
	return err;
}

long sys_fchmodat(int dirfd, const char __user *name, u32 mode)
{
	struct path p;
	int err = path_of(dirfd, name, 0, &p);

	if (err)
		return err;
	err = chmod_path(&p, mode);
	path_put(&p);
	return err;
}

long sys_fchown(int fd, u32 uid, u32 gid)
{
	u32 ref;
	struct file *f = fdref_get(fd, &ref);
	long err;

	if (!f)
		return -EBADF;
	err = chown_path(&f->path, uid, gid);
	fdref_put(f, ref);
	return err;
}

long sys_fchownat(int dirfd, const char __user *name, u32 uid, u32 gid, u32 flags)
{
	struct path p;
	int err;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = path_of(dirfd, name, flags, &p);
	if (err)
		return err;
	err = chown_path(&p, uid, gid);
	path_put(&p);
	return err;
}

static int access_look(const struct path *p, struct inode *i, bool rcu, void *arg)
{
	u32 mode = *(u32 *)arg;
	int err = 0;

	(void)rcu;
	if ((mode & MAY_EXEC) && inode_is_reg(i) && path_noexec(p))
		err = -EACCES;
	if (!err && mode)
		err = inode_permission(i, mode);
	if (!err && (mode & MAY_WRITE) && (inode_is_reg(i) || inode_is_dir(i)))
		err = mount_may_write(p->mnt);
	return err;
}

/* access(2) asks for the real user: the file-system identity is lent for the walk. */
static int access_as_real(int dirfd, const char __user *name, u32 mode, u32 flags)
{
	const struct cred *old = current->cred;
	struct cred lent = *old;
	bool real = !(flags & AT_EACCESS) && (old->uid != old->fsuid || old->gid != old->fsgid);
	int err;

	if (real) {		/* on the stack: nobody else may keep a reference of it, and no file is opened meanwhile */
		lent.fsuid = old->uid;
		lent.fsgid = old->gid;
		lent.cap_effective = old->uid ? 0 : old->cap_permitted;
		WRITE_ONCE(current->cred, &lent);
	}
	err = path_look_user(dirfd, name, (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0),
			     access_look, &mode);
	if (real) {
		WRITE_ONCE(current->cred, old);
		synchronize_rcu();	/* readers of our credentials in /proc */
	}
	return err;
}

long sys_faccessat2(int dirfd, const char __user *name, int mode, u32 flags)
{
	if (mode & ~7 || flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return access_as_real(dirfd, name, (u32)mode, flags);
}

long sys_faccessat(int dirfd, const char __user *name, int mode)
{
	return sys_faccessat2(dirfd, name, mode, 0);
}

/* --- directories of the process --- */

static int dir_enter(const struct path *p)
{
	if (!inode_is_dir(p->dentry->inode))
		return -ENOTDIR;
	return inode_permission(p->dentry->inode, MAY_EXEC);
}

long sys_chdir(const char __user *name)
{
	struct path p;
	int err = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	err = dir_enter(&p);
	if (!err)
		fs_set_cwd(&p);
	path_put(&p);
	return err;
}

long sys_fchdir(int fd)
{
	u32 ref;
	struct file *f = fdref_get_any(fd, &ref);
	long err;

	if (!f)
		return -EBADF;
	err = dir_enter(&f->path);
	if (!err)
		fs_set_cwd(&f->path);
	fdref_put(f, ref);
	return err;
}

long sys_chroot(const char __user *name)
{
	struct path p;
	int err = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	err = dir_enter(&p);
	if (!err && !capable(CAP_SYS_CHROOT))
		err = -EPERM;
	if (!err)
		fs_set_root(&p);
	path_put(&p);
	return err;
}

long sys_umask(int mask)
{
	return (long)__atomic_exchange_n(&current->fs->umask, (u32)mask & 0777, __ATOMIC_RELAXED);
}

/* --- sizes --- */

long sys_truncate(const char __user *name, s64 length)
{
	struct inode *i;
	struct path p;
	int err;

	if (length < 0)
		return -EINVAL;
	err = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	i = p.dentry->inode;
	if (inode_is_dir(i))
		err = -EISDIR;
	else if (!inode_is_reg(i))
		err = -EINVAL;
	else if (!(err = mount_write_begin(p.mnt))) {
		if (!(err = inode_permission(i, MAY_WRITE)) && !(err = inode_get_write(i))) {
			err = READ_ONCE(i->flags) & INODE_APPEND ? -EPERM : truncate_path(&p, (u64)length);
			inode_put_write(i);
		}
		mount_write_end(p.mnt);
	}
	path_put(&p);
	return err;
}

long sys_ftruncate(int fd, s64 length)
{
	struct file *f;
	long err;
	u32 ref;

	if (length < 0)
		return -EINVAL;
	f = fdref_get(fd, &ref);
	if (!f)
		return -EBADF;
	if (!(f->mode & FMODE_WRITE) || !inode_is_reg(f->inode))
		err = -EINVAL;
	else if (READ_ONCE(f->inode->flags) & INODE_APPEND)
		err = -EPERM;
	else if (!(err = mount_write_begin(f->path.mnt))) {
		err = truncate_path(&f->path, (u64)length);
		mount_write_end(f->path.mnt);
	}
	fdref_put(f, ref);
	return err;
}

long sys_fallocate(int fd, u32 mode, s64 off, s64 len)
{
	struct file *f;
	long err;
	u32 ref;

	f = fdref_get(fd, &ref);
	if (!f)
		return -EBADF;
	if (off < 0 || len <= 0)
		err = -EINVAL;
	else if (mode & ~(u32)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		err = -EOPNOTSUPP;
	else if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		err = -EOPNOTSUPP;
	else if (!(f->mode & FMODE_WRITE))
		err = -EBADF;
	else if ((READ_ONCE(f->inode->flags) & INODE_IMMUTABLE) || ((READ_ONCE(f->inode->flags) & INODE_APPEND) && (mode & ~(u32)FALLOC_FL_KEEP_SIZE)))
		err = -EPERM;
	else if (READ_ONCE(f->inode->flags) & INODE_SWAPFILE)
		err = -ETXTBSY;
	else if (MODE_IS(READ_ONCE(f->inode->mode), S_IFIFO))
		err = -ESPIPE;
	else if (inode_is_dir(f->inode))
		err = -EISDIR;
	else if (!inode_is_reg(f->inode) && !MODE_IS(READ_ONCE(f->inode->mode), S_IFBLK))
		err = -ENODEV;
	else if ((u64)off + (u64)len > f->inode->sb->max_bytes)
		err = -EFBIG;
	else
		err = mode & FALLOC_FL_PUNCH_HOLE ? 0 : inode_may_grow(f->inode, (u64)off + (u64)len);
	if (!err && !f->ops->fallocate)
		err = -EOPNOTSUPP;
	if (!err && !(err = mount_write_begin(f->path.mnt))) {
		err = f->ops->fallocate(f, mode, (u64)off, (u64)len);
		if (!err)
			notify_file(f, IN_MODIFY);
		mount_write_end(f->path.mnt);
	}
	fdref_put(f, ref);
	return err;
}
