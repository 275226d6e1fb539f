/* mount(2): new file systems, binds, moves, remounts.  The types of propagation: mount_group.c. */
#include <fs/mount_internal.h>
#include <fs/super.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/task.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

/* The first mount of a superblock on a place.  m's only reference goes to the tree, if the result is 0. */
static int mount_on(struct mount *m, struct path *at, struct list_head *gone)
{
	struct path was;
	int err = place_claim(at, m->root);

	if (err)
		return err;
	if (at->mnt->sb == m->sb && at->mnt->root == at->dentry)
		err = -EBUSY;
	if (!err)
		err = mount_graft(m, at, &was, gone);
	if (err)
		place_release(at->dentry);
	return err;
}

static int mount_new(struct path *at, const char *typename, u32 flags, const char *source, const char *opts)
{
	const struct fs_type *type = typename ? fs_type_find(typename) : NULL;
	struct list_head gone = LIST_HEAD_INIT(gone);
	struct super *sb;
	struct mount *m;
	int err;

	if (!typename)
		return -EINVAL;
	if (!type)
		return -ENODEV;
	err = type->mount(type, flags & (MS_RDONLY | MS_SYNCHRONOUS | MS_DIRSYNC | MS_SILENT), source, opts ? opts : "", &sb);
	if (err)
		return err;
	m = mount_alloc(sb, sb->root, source ? source : typename, flags & MNT_FLAGS);
	super_put(sb);
	if (!m)
		return -ENOMEM;
	mutex_lock(&mount_mutex);
	err = mount_on(m, at, &gone);
	mutex_unlock(&mount_mutex);
	mounts_drop(&gone);
	if (err)
		mount_put(m);
	return err;
}

static int bind_locked(const struct path *from, struct path *at, bool rec, struct list_head *gone)
{
	struct mount *copy;
	struct path was;
	int err = place_claim(at, from->dentry);

	if (err)
		return err;
	if (from->mnt->unbindable || from->mnt->ns != mount_ns_current())
		err = -EINVAL;
	if (!err)
		err = mount_copy_tree(from->mnt, from->dentry, COPY_LIKE, rec, &copy, gone);
	if (!err) {
		err = mount_graft(copy, at, &was, gone);
		if (err)
			mount_discard_tree(copy, gone);
	}
	if (err)
		place_release(at->dentry);
	return err;
}

static int mount_bind(struct path *at, const char *source, bool rec)
{
	struct list_head gone = LIST_HEAD_INIT(gone);
	struct path from;
	int err;

	if (!source || !*source)
		return -EINVAL;
	err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (err)
		return err;
	mutex_lock(&mount_mutex);
	err = bind_locked(&from, at, rec, &gone);
	mutex_unlock(&mount_mutex);
	mounts_drop(&gone);
	path_put(&from);
	return err;
}

static int move_check(const struct path *from, const struct path *at)
{
	struct mount *m = from->mnt;

	if (from->dentry != m->root || !m->parent || m->ns != mount_ns_current())
		return -EINVAL;
	if (mount_is_shared(m->parent))
		return -EINVAL;		/* it would have to go from elsewhere, too */
	if (mount_is_shared(at->mnt) && tree_has_unbindable(m))
		return -EINVAL;
	return mount_is_below(at->mnt, m) ? -ELOOP : 0;
}

static int move_locked(const struct path *from, struct path *at, struct path *was, struct list_head *gone)
{
	int err = place_claim(at, from->dentry);

	if (err)
		return err == -ENOTDIR ? -EINVAL : err;
	err = move_check(from, at);
	if (!err)
		err = mount_graft(from->mnt, at, was, gone);
	if (err)
		place_release(at->dentry);
	return err;
}

static int mount_move(struct path *at, const char *source)
{
	struct path from, was = { NULL, NULL };
	struct list_head gone = LIST_HEAD_INIT(gone);
	int err;

	if (!source || !*source)
		return -EINVAL;
	err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (err)
		return err;
	mutex_lock(&mount_mutex);
	err = move_locked(&from, at, &was, &gone);
	mutex_unlock(&mount_mutex);
	if (was.mnt)
		path_put(&was);
	mounts_drop(&gone);
	path_put(&from);
	return err;
}

/* Is a file open for writing through m (all: or another mount of its superblock, be it one that was taken off)? */
static bool written_through(const struct mount *m, bool all)
{
	struct super *sb = m->sb;
	struct mount *other;
	bool any = false;

	if (!all)
		return atomic_load(&m->writers) > 0;
	spin_lock(&sb->mounts_lock);
	list_for_each_entry(other, &sb->mounts, of_sb)
		any |= atomic_load(&other->writers) > 0;
	spin_unlock(&sb->mounts_lock);
	return any;
}

/* Nobody changes anything, and nobody begins to: mount_mutex and the gate's lock are held. */
static int remount_locked(struct mount *m, u32 flags, const char *opts)
{
	int err = 0;

	if ((flags & MS_RDONLY) && written_through(m, !(flags & MS_BIND)))
		err = -EBUSY;
	else if ((flags & (MS_RDONLY | MS_BIND)) == MS_RDONLY && atomic_load(&m->sb->nr_unlinked))
		err = -EBUSY;		/* their end will be a change */
	else if (!(flags & MS_BIND))
		err = super_remount(m->sb, flags, opts ? opts : "");
	if (!err)
		atomic_store(&m->flags, (m->flags & ~(u32)MNT_FLAGS) | (flags & MNT_FLAGS));
	return err;
}

static int remount_gated(struct mount *m, u32 flags, const char *opts)
{
	struct write_gate *g = m->sb->gate;
	int err = -EBUSY;

	if (!g)
		return remount_locked(m, flags, opts);
	mutex_lock(&g->lock);
	if (!g->frozen) {
		for (enum gate_level level = GATE_CALL; flags & MS_RDONLY && level < GATE_LEVELS; level++)
			gate_close(g, level);
		err = remount_locked(m, flags, opts);
		gate_open(g);
	}
	mutex_unlock(&g->lock);
	return err;
}

static int mount_remount(const struct path *at, u32 flags, const char *opts)
{
	int err;

	if (at->dentry != at->mnt->root)
		return -EINVAL;
	mutex_lock(&mount_mutex);
	err = at->mnt->ns == mount_ns_current() ? remount_gated(at->mnt, flags, opts) : -EINVAL;
	mutex_unlock(&mount_mutex);
	return err;
}

static int mount_path(const char *source, struct path *at, const char *type, u64 flags, const char *opts)
{
	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(u64)MS_MGC_MSK;
	if (flags & MS_REMOUNT)
		return mount_remount(at, flags, opts);
	if (flags & MS_BIND)
		return mount_bind(at, source, flags & MS_REC);
	if (flags & MS_PROPAGATION)
		return mount_change_type(at, flags);
	if (flags & MS_MOVE)
		return mount_move(at, source);
	if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
		flags |= MS_RELATIME;
	return mount_new(at, type, flags, source, opts);
}

int vfs_mount_kernel(const char *source, const char *path, const char *type, u64 flags, const char *opts)
{
	struct path at;
	int err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &at);

	if (err)
		return err;
	err = mount_path(source, &at, type, flags, opts);
	path_put(&at);
	return err;
}

/* Options: up to a page of text that may end at unmapped memory. */
static int options_copy(char **out, const char __user *data)
{
	char *buf;

	*out = NULL;
	if (!data)
		return 0;
	buf = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	if (copy_from_user_partial(buf, data, PAGE_SIZE - 1) == PAGE_SIZE - 1) {
		kfree(buf);
		return -EFAULT;
	}
	*out = buf;
	return 0;
}

static int string_copy(char **out, const char __user *text)
{
	ssize_t n;

	*out = NULL;
	if (!text)
		return 0;
	n = strnlen_user(text, PATH_MAX);
	if (n < 0 || n > PATH_MAX)
		return n < 0 ? -EFAULT : -EINVAL;
	*out = kzalloc((size_t)n + 1, GFP_KERNEL);
	if (!*out)
		return -ENOMEM;
	n = strncpy_from_user(*out, text, (size_t)n + 1);
	return n < 0 ? (int)n : 0;
}

long sys_mount(const char __user *usource, const char __user *upath, const char __user *utype, unsigned long flags,
	       const char __user *udata)
{
	char *source = NULL, *type = NULL, *opts = NULL;
	struct path at;
	int err;

	err = string_copy(&type, utype);
	if (!err)
		err = string_copy(&source, usource);
	if (!err)
		err = options_copy(&opts, udata);
	if (!err)
		err = path_lookup_user(AT_FDCWD, upath, LOOKUP_FOLLOW, &at);
	if (!err) {
		if (flags >> 31)		/* MS_NOUSER, the kernel's own, and above */
			err = -EINVAL;
		else
			err = capable(CAP_SYS_ADMIN) ? mount_path(source, &at, type, flags, opts) : -EPERM;
		path_put(&at);
	}
	kfree(source);
	kfree(type);
	kfree(opts);
	return err;
}

