/* Renaming: the one operation on two directories.
 *
 * Locks: the superblock's rename mutex if the directories differ (so that no ancestor relation changes under us), then the
 * directories, ancestor first, unrelated ones by address; then a directory that is replaced.  A directory may not be moved below
 * itself (EINVAL), nor replace an ancestor (ENOTEMPTY). */
#include <fs/namei.h>
#include <syscall_protos.h>
#include <fs/file.h>
#include <fs/mount.h>
#include <fs/notify.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <mm/slab.h>
#include <arch/uaccess.h>

static void lock_parents(struct dentry *a, struct dentry *b)
{
	if (a == b) {
		rwsem_write_lock(&a->inode->lock);
		return;
	}
	mutex_lock(&a->sb->rename_mutex);
	if (dentry_is_ancestor(b, a) || (!dentry_is_ancestor(a, b) && b->inode < a->inode)) {
		struct dentry *t = a;

		a = b;
		b = t;
	}
	rwsem_write_lock_nested(&a->inode->lock, 1);
	rwsem_write_lock_nested(&b->inode->lock, 2);
}

static void unlock_parents(struct dentry *a, struct dentry *b)
{
	rwsem_write_unlock(&a->inode->lock);
	if (a == b)
		return;
	rwsem_write_unlock(&b->inode->lock);
	mutex_unlock(&a->sb->rename_mutex);
}

struct rename { struct walk *from, *to; struct dentry *old, *new; u32 flags; int may; };

static int checks(const struct rename *r)
{
	struct inode *odir = r->from->path.dentry->inode, *ndir = r->to->path.dentry->inode;
	struct inode *inode = r->old->inode, *target = r->new->inode;
	bool dir, exchange = r->flags & RENAME_EXCHANGE;
	int err;

	if (!inode || (exchange && !target))
		return -ENOENT;
	dir = inode_is_dir(inode);
	if (target && (r->flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!dir && (r->from->trailing_slash || (!exchange && r->to->trailing_slash)))
		return -ENOTDIR;
	if (exchange && r->to->trailing_slash && !inode_is_dir(target))
		return -ENOTDIR;
	if (r->old != r->new && dir && dentry_is_ancestor(r->old, r->to->path.dentry))
		return -EINVAL;
	if (r->old != r->new && target && dentry_is_ancestor(r->new, r->from->path.dentry))
		return exchange ? -EINVAL : -ENOTEMPTY;
	err = r->may;
	if (!err)
		err = dir_may_delete(odir, inode, dir);
	if (!err)
		err = target ? dir_may_delete(ndir, target, exchange ? inode_is_dir(target) : dir) : dir_may_create(ndir);
	if (!err && dir && odir != ndir)
		err = inode_permission(inode, MAY_WRITE);
	if (!err && ((READ_ONCE(r->old->flags) | READ_ONCE(r->new->flags)) & DENTRY_MOUNTED))
		err = -EBUSY;
	return err;
}

static int do_rename(struct rename *r, struct inode **replaced)
{
	struct inode *odir = r->from->path.dentry->inode, *ndir = r->to->path.dentry->inode, *target = r->new->inode;
	struct qname q;
	char *longname;
	int err = checks(r);

	if (err)
		return err;
	if (r->old->inode == target)
		return 0;		/* two names of one file: POSIX does nothing */
	if (!odir->ops->rename)
		return -EPERM;
	q = r->to->last;
	err = dentry_name_reserve(&q, &longname);
	if (err)
		return err;
	if (target && inode_is_dir(target) && !(r->flags & RENAME_EXCHANGE))
		rwsem_write_lock_nested(&target->lock, 8);
	err = odir->ops->rename(odir, r->old->name, r->old->name_len, r->old->inode, ndir, q.name, q.len, target, r->flags);
	if (target && inode_is_dir(target) && !(r->flags & RENAME_EXCHANGE)) {
		if (!err)
			inode_set_dead(target);
		rwsem_write_unlock(&target->lock);
	}
	if (err || (r->flags & RENAME_EXCHANGE)) {
		if (longname)
			dentry_name_unreserve(longname);
		if (!err) {
			dentry_exchange(r->old, r->new);
			notify_moved(odir, &r->from->last, ndir, &q, r->old->inode, NULL);
			notify_moved(ndir, &q, odir, &r->from->last, r->new->inode, NULL);
		}
		return err;
	}
	if (target) {
		inode_get(target);
		*replaced = target;
		if (!list_empty(&r->new->children))
			dcache_prune_children(r->new);
	}
	dentry_drop(r->new);
	dentry_move(r->old, r->to->path.dentry, &q, longname);
	notify_moved(odir, &r->from->last, ndir, &q, r->old->inode, target);
	return 0;
}

static int rename_walked(struct walk *from, struct walk *to, u32 flags)
{
	struct dentry *pa = from->path.dentry, *pb = to->path.dentry;
	struct rename r = { from, to, NULL, NULL, flags, 0 };
	struct inode *replaced = NULL;
	int err;

	if (from->path.mnt != to->path.mnt)
		return -EXDEV;
	if (from->last_type != LAST_NORM)
		return -EBUSY;
	if (to->last_type != LAST_NORM)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	r.may = mount_write_begin(from->path.mnt);
	lock_parents(pa, pb);
	err = dir_lookup(pa, &from->last, &r.old);
	if (!err)
		err = dir_lookup(pb, &to->last, &r.new);
	if (!err)
		err = do_rename(&r, &replaced);
	unlock_parents(pa, pb);
	if (r.new)
		dentry_put(r.new);
	if (r.old)
		dentry_put(r.old);
	if (replaced)
		inode_put(replaced);
	if (!r.may)
		mount_write_end(from->path.mnt);
	return err;
}

long sys_renameat2(int odirfd, const char __user *oname, int ndirfd, const char __user *nname, u32 flags)
{
	struct filename of, nf;
	struct walk from, to;
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = getname(&of, oname, false);
	if (err)
		return err;
	err = getname(&nf, nname, false);
	if (err)
		goto out_of;
	err = walk_path(&from, odirfd, of.name, LOOKUP_PARENT);
	if (err)
		goto out_nf;
	err = walk_path(&to, ndirfd, nf.name, LOOKUP_PARENT);
	if (!err) {
		err = rename_walked(&from, &to, flags);
		path_put(&to.path);
		walk_end(&to);
	}
	path_put(&from.path);
	walk_end(&from);
out_nf:
	putname(&nf);
out_of:
	putname(&of);
	return err;
}

long sys_renameat(int odirfd, const char __user *oname, int ndirfd, const char __user *nname)
{
	return sys_renameat2(odirfd, oname, ndirfd, nname, 0);
}
