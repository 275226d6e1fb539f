/* Making and removing names: mknod, mkdir, symlink, link, unlink, rmdir.
 *
 * Each walks to the parent (LOOKUP_PARENT), takes its lock for writing, looks the last name up again, checks what POSIX wants
 * checked in the order in which it wants it - existence before a read-only mount before permission - and calls the filesystem.
 * The dentry that the lookup left negative becomes the new file's; a removed one turns negative again if nobody else holds it, so
 * that making and removing the same name costs no dentry.  What was removed is put only after the lock is dropped: its data may be
 * large. */
#include <fs/namei.h>
#include <fs/mount.h>
#include <fs/notify.h>
#include <fs/posix_acl.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <syscall_protos.h>

int dir_may_create(struct inode *dir)
{
	if (READ_ONCE(dir->flags) & INODE_DEAD)
		return -ENOENT;
	return inode_permission(dir, MAY_WRITE | MAY_EXEC);
}

int dir_may_delete(struct inode *dir, struct inode *victim, bool isdir)
{
	int err = inode_permission(dir, MAY_WRITE | MAY_EXEC);

	if (err)
		return err;
	if ((READ_ONCE(dir->flags) & INODE_APPEND) || inode_is_fixed(victim) || (READ_ONCE(victim->flags) & INODE_SWAPFILE))
		return -EPERM;
	if ((READ_ONCE(dir->mode) & S_ISVTX) && current_cred()->fsuid != READ_ONCE(victim->uid) && current_cred()->fsuid != READ_ONCE(dir->uid) &&
	    !capable(CAP_FOWNER))
		return -EPERM;
	if (isdir != inode_is_dir(victim))
		return isdir ? -ENOTDIR : -EISDIR;
	return 0;
}

/* Lock the directory and find the negative dentry to fill.  On success the lock is held, and the mount's writing begun. */
static int create_begin(struct walk *w, bool dir, struct dentry **out)
{
	struct inode *parent = w->path.dentry->inode;
	int err, may;

	if (w->last_type != LAST_NORM)
		return -EEXIST;
	may = mount_write_begin(w->path.mnt);		/* that it is read-only is said last */
	rwsem_write_lock(&parent->lock);
	err = dir_lookup(w->path.dentry, &w->last, out);
	if (!err) {
		if ((*out)->inode)
			err = -EEXIST;
		else if (w->trailing_slash && !dir)
			err = -ENOENT;
		else if (!(err = may))
			err = dir_may_create(parent);
		if (err)
			dentry_put(*out);
	}
	if (err) {
		rwsem_write_unlock(&parent->lock);
		if (!may)
			mount_write_end(w->path.mnt);
	}
	return err;
}

static int create_end(struct walk *w, struct dentry *d, struct inode *made, int err)
{
	if (!err) {
		dentry_instantiate(d, made);
		notify_name(w->path.dentry->inode, IN_CREATE, d->name, d->name_len, made);
	}
	rwsem_write_unlock(&w->path.dentry->inode->lock);
	mount_write_end(w->path.mnt);
	dentry_put(d);
	return err;
}

static int mknod_at(struct walk *w, u32 mode, dev_t_k dev, u32 umask, struct path *out)
{
	struct inode *dir = w->path.dentry->inode, *made = NULL;
	struct dentry *d;
	int err = create_begin(w, false, &d);

	if (err)
		return err;
	if (!dir->ops->create)
		err = -EPERM;
	else
		err = dir->ops->create(dir, d->name, d->name_len, mode & ~dir_umask(dir, umask), dev, &made);
	if (!err && out) {		/* not by its name again, which anybody might take away */
		dentry_get(d);
		mount_get(w->path.mnt);
		*out = (struct path){ w->path.mnt, d };
	}
	return create_end(w, d, made, err);
}

static int mkdir_at(struct walk *w, u32 mode, u32 umask)
{
	struct inode *dir = w->path.dentry->inode, *made = NULL;
	struct dentry *d;
	int err = create_begin(w, true, &d);

	if (err)
		return err;
	mode = S_IFDIR | (mode & 01777 & ~dir_umask(dir, umask));
	err = dir->ops->mkdir ? dir->ops->mkdir(dir, d->name, d->name_len, mode, &made) : -EPERM;
	return create_end(w, d, made, err);
}

int vfs_mknod_at(struct walk *w, u32 mode, dev_t_k dev) { return mknod_at(w, mode, dev, current->fs->umask, NULL); }
int vfs_mknod_path(struct walk *w, u32 mode, struct path *out) { return mknod_at(w, mode, 0, current->fs->umask, out); }
int vfs_mkdir_at(struct walk *w, u32 mode) { return mkdir_at(w, mode, current->fs->umask); }

int vfs_symlink_at(struct walk *w, const char *target)
{
	struct inode *dir = w->path.dentry->inode, *made = NULL;
	struct dentry *d;
	int err = create_begin(w, false, &d);

	if (err)
		return err;
	err = dir->ops->symlink ? dir->ops->symlink(dir, d->name, d->name_len, target, &made) : -EPERM;
	return create_end(w, d, made, err);
}

int vfs_link_at(struct walk *w, struct inode *inode, struct mount *mnt)
{
	struct inode *dir = w->path.dentry->inode;
	struct dentry *d;
	int err = create_begin(w, false, &d);

	if (err)
		return err;
	if (mnt != w->path.mnt)
		err = -EXDEV;
	else if (inode_is_fixed(inode) || inode_is_dir(inode) || !dir->ops->link)
		err = -EPERM;
	else if (READ_ONCE(inode->nlink) == 0 && !(READ_ONCE(inode->flags) & INODE_LINKABLE))
		err = -ENOENT;
	else
		err = dir->ops->link(dir, d->name, d->name_len, inode);
	if (!err) {
		inode_get(inode);
		notify_inode(inode, IN_ATTRIB);
	}
	return create_end(w, d, inode, err);
}

static int unlink_checks(struct walk *w, struct dentry *d, bool rmdir, int may)
{
	int err = may;

	if (!d->inode)
		return -ENOENT;
	if (w->trailing_slash && !rmdir)
		return inode_is_dir(d->inode) ? -EISDIR : -ENOTDIR;
	if (!err)
		err = dir_may_delete(w->path.dentry->inode, d->inode, rmdir);
	if (!err && (READ_ONCE(d->flags) & DENTRY_MOUNTED))
		err = -EBUSY;
	return err;
}

int vfs_unlink_at(struct walk *w, bool rmdir)
{
	struct inode *dir = w->path.dentry->inode, *victim = NULL;
	struct dentry *d;
	int err, may;

	if (w->last_type != LAST_NORM) {
		if (!rmdir)
			return -EISDIR;
		return w->last_type == LAST_DOT ? -EINVAL : w->last_type == LAST_DOTDOT ? -ENOTEMPTY : -EBUSY;
	}
	may = mount_write_begin(w->path.mnt);
	rwsem_write_lock(&dir->lock);
	err = dir_lookup(w->path.dentry, &w->last, &d);
	if (err) {
		rwsem_write_unlock(&dir->lock);
		goto out;
	}
	err = unlink_checks(w, d, rmdir, may);
	if (!err) {
		victim = d->inode;
		inode_get(victim);	/* its data goes after the lock */
		if (rmdir) {
			rwsem_write_lock_nested(&victim->lock, 8);
			err = dir->ops->rmdir ? dir->ops->rmdir(dir, d->name, d->name_len, victim) : -EPERM;
			if (!err)
				inode_set_dead(victim);
			rwsem_write_unlock(&victim->lock);
			if (!err && !list_empty(&d->children))
				dcache_prune_children(d);
		} else {
			err = dir->ops->unlink ? dir->ops->unlink(dir, d->name, d->name_len, victim) : -EPERM;
		}
		if (!err) {
			if (!rmdir)
				notify_inode(victim, IN_ATTRIB);
			dentry_delete(d);
			notify_name(dir, IN_DELETE, w->last.name, w->last.len, victim);
		}
	}
	rwsem_write_unlock(&dir->lock);
	dentry_put(d);
	if (victim)
		inode_put(victim);
out:
	if (!may)
		mount_write_end(w->path.mnt);
	return err;
}

/* --- calls --- */

static int parent_walk(struct walk *w, struct filename *fn, int dirfd, const char __user *user)
{
	int err = getname(fn, user, false);

	if (err)
		return err;
	err = walk_path(w, dirfd, fn->name, LOOKUP_PARENT);
	if (err)
		putname(fn);
	return err;
}

static void parent_done(struct walk *w, struct filename *fn)
{
	path_put(&w->path);
	walk_end(w);
	putname(fn);
}

static dev_t_k dev_decode(u32 dev)
{
	return MKDEV_K((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}

long sys_mknodat(int dirfd, const char __user *name, u32 mode, u32 dev)
{
	struct filename fn;
	struct walk w;
	int err;

	switch (mode & S_IFMT_K) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG: case S_IFIFO: case S_IFSOCK: case S_IFCHR: case S_IFBLK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	err = parent_walk(&w, &fn, dirfd, name);
	if (err)
		return err;
	if ((MODE_IS(mode, S_IFCHR) || MODE_IS(mode, S_IFBLK)) && !capable(CAP_MKNOD))
		err = -EPERM;
	else
		err = vfs_mknod_at(&w, mode, dev_decode(dev));
	parent_done(&w, &fn);
	return err;
}

long sys_mkdirat(int dirfd, const char __user *name, u32 mode)
{
	struct filename fn;
	struct walk w;
	int err = parent_walk(&w, &fn, dirfd, name);

	if (err)
		return err;
	err = vfs_mkdir_at(&w, mode);
	parent_done(&w, &fn);
	return err;
}

long sys_symlinkat(const char __user *target, int dirfd, const char __user *name)
{
	struct filename fn, to;
	struct walk w;
	int err = getname(&to, target, false);

	if (err)
		return err;
	err = parent_walk(&w, &fn, dirfd, name);
	if (!err) {
		err = vfs_symlink_at(&w, to.name);
		parent_done(&w, &fn);
	}
	putname(&to);
	return err;
}

long sys_linkat(int olddirfd, const char __user *oldname, int newdirfd, const char __user *newname, u32 flags)
{
	u32 lookup = flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
	struct filename fn;
	struct path old;
	struct walk w;
	int err;

	if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH) {
		if (!capable(CAP_DAC_READ_SEARCH))
			return -ENOENT;
		lookup |= LOOKUP_EMPTY;
	}
	err = path_lookup_user(olddirfd, oldname, lookup, &old);
	if (err)
		return err;
	err = parent_walk(&w, &fn, newdirfd, newname);
	if (!err) {
		err = vfs_link_at(&w, old.dentry->inode, old.mnt);
		parent_done(&w, &fn);
	}
	path_put(&old);
	return err;
}

long sys_unlinkat(int dirfd, const char __user *name, u32 flags)
{
	struct filename fn;
	struct walk w;
	int err;

	if (flags & ~(u32)AT_REMOVEDIR)
		return -EINVAL;
	err = parent_walk(&w, &fn, dirfd, name);
	if (err)
		return err;
	err = vfs_unlink_at(&w, flags & AT_REMOVEDIR);
	parent_done(&w, &fn);
	return err;
}

/* --- for the kernel itself --- */

static int kernel_parent(struct walk *w, const char *path)
{
	return walk_path(w, AT_FDCWD, path, LOOKUP_PARENT);
}

static int kernel_done(struct walk *w, int err)
{
	path_put(&w->path);
	walk_end(w);
	return err;
}

int vfs_mkdir(const char *path, u32 mode)
{
	struct walk w;
	int err = kernel_parent(&w, path);

	return err ? err : kernel_done(&w, mkdir_at(&w, mode, 0));
}

int vfs_mknod(const char *path, u32 mode, dev_t_k dev)
{
	struct walk w;
	int err = kernel_parent(&w, path);

	return err ? err : kernel_done(&w, mknod_at(&w, mode, dev, 0, NULL));
}

int vfs_unlink(const char *path)
{
	struct walk w;
	int err = kernel_parent(&w, path);

	return err ? err : kernel_done(&w, vfs_unlink_at(&w, false));
}

int vfs_symlink(const char *target, const char *path)
{
	struct walk w;
	int err = kernel_parent(&w, path);

	return err ? err : kernel_done(&w, vfs_symlink_at(&w, target));
}
