/* pivot_root(2): another mount becomes the root of everybody who had the old one, which is hung somewhere below it. */
#include <fs/mount_internal.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <kernel/task.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <syscall_protos.h>

/* Everybody whose root or cwd was the old root goes along to the new one. */
static void move_everybody(const struct path *old, const struct path *new)
{
	struct list_head *pos;

	rcu_read_lock();
	for (pos = all_tasks.next; pos != &all_tasks; pos = pos->next) {
		struct task *t = container_of(pos, struct task, all_link);
		struct fs_struct *fs = READ_ONCE(t->fs);

		if (!fs)
			continue;
		spin_lock(&fs->lock);
		seq_write_begin(&fs->seq);
		for (struct path *p = &fs->root; p; p = p == &fs->root ? &fs->cwd : NULL)
			if (p->mnt == old->mnt && p->dentry == old->dentry) {
				path_get(new);
				*p = *new;
				/* the caller's own reference keeps old alive: these are not the last */
				atomic_dec(&old->dentry->refs);
				mount_put(old->mnt);
			}
		seq_write_end(&fs->seq);
		spin_unlock(&fs->lock);
	}
	rcu_read_unlock();
}

/* Does a way up from p lead to root?  mount_mutex held. */
static bool is_reachable(struct path p, const struct path *root)
{
	for (; p.mnt && p.mnt != root->mnt; p.mnt = p.mnt->parent)
		p.dentry = p.mnt->mountpoint;
	return p.mnt && dentry_is_inside(root->dentry, p.dentry);
}

static bool is_movable(const struct path *p)
{
	return p->dentry == p->mnt->root && p->mnt->parent;
}

static int pivot_check(const struct path *new, const struct path *put_old, const struct path *root)
{
	if (mount_is_shared(put_old->mnt) || (new->mnt->parent && mount_is_shared(new->mnt->parent)) ||
	    (root->mnt->parent && mount_is_shared(root->mnt->parent)))
		return -EINVAL;
	if (new->mnt->ns != mount_ns_current() || root->mnt->ns != mount_ns_current())
		return -EINVAL;
	if (dentry_unhashed(new->dentry) || (new->dentry->inode->flags & INODE_DEAD))
		return -ENOENT;
	if (new->mnt == root->mnt || put_old->mnt == root->mnt)
		return -EBUSY;
	if (!is_movable(root) || !is_movable(new) || !is_reachable(*put_old, new) || !is_reachable(*new, root))
		return -EINVAL;
	return 0;
}

/* *was: a place whose references are to be put. */
static int pivot(struct path *new, struct path *put_old, struct path *root, struct path *was)
{
	int err;

	mutex_lock(&mount_mutex);
	err = place_claim(put_old, new->dentry);
	if (!err) {
		err = pivot_check(new, put_old, root);
		if (err)
			place_release(put_old->dentry);
		else
			mount_exchange(root->mnt, new->mnt, put_old, was);
	}
	mutex_unlock(&mount_mutex);
	return err;
}

long sys_pivot_root(const char __user *unew, const char __user *uold)
{
	struct path new, old, root, was = { NULL, NULL };
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = path_lookup_user(AT_FDCWD, unew, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
	if (err)
		return err;
	err = path_lookup_user(AT_FDCWD, uold, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
	if (!err) {
		fs_get_root(&root);
		err = pivot(&new, &old, &root, &was);
		if (!err)
			move_everybody(&root, &new);
		if (was.mnt)
			path_put(&was);
		path_put(&root);
		path_put(&old);
	}
	path_put(&new);
	return err;
}
