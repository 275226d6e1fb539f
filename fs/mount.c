/* Mounts: the tree of places.
 *
 * There is one namespace.  A mount says that at (parent mount, mountpoint dentry) begins another tree, (superblock, root dentry).
 * The children of all mounts stand in one hash by (parent, mountpoint), read under RCU by path walks; a walk validates with
 * mount_seq, which moves on every change.  The dentry's DENTRY_MOUNTED flag keeps walks from looking at all where nothing is.
 *
 * Changes hold mount_mutex (LC_MOUNT_SEM) throughout, and mount_lock with mount_seq odd around the stores that readers see.
 * Mounts on one place stack: the newer one hangs on the root of the older.
 *
 * References: the tree holds one, each path (open file, cwd, root) one, each child one on its parent.  A busy umount is one with
 * children or with paths; MNT_DETACH takes a whole subtree out of the tree at once and lets the references run out by themselves.  While it
 * is in the tree a mount's references are counted by each CPU for itself (spread_ref.h): opening and closing files writes no common line. */
#include <fs/mount.h>
#include <fs/file.h>
#include <fs/namei.h>
#include <fs/seq.h>
#include <fs/super.h>
#include <syscall_protos.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <arch/uaccess.h>

#ifndef MNT_FORCE
#define MNT_FORCE	1
#define MNT_DETACH	2
#define MNT_EXPIRE	4
#define UMOUNT_NOFOLLOW	8
#endif
#define MOUNT_BITS	6
#define MNT_FLAGS	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)
#define MS_PROPAGATION	(MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

struct seqcount mount_seq;
static struct hlist_head mount_hash[1 << MOUNT_BITS];			/* [mount_lock, R] */
static DEFINE_SPINLOCK(mount_lock, LC_MOUNT_HASH);
static DEFINE_MUTEX(mount_mutex, LC_MOUNT_SEM);
static struct list_head all_mounts = LIST_HEAD_INIT(all_mounts);	/* [mount_mutex] */
static s32 next_id = 20;						/* [mount_mutex] */

static struct hlist_head *bucket_of(const struct mount *m, const struct dentry *d)
{
	u64 v = ((u64)m >> 6) + ((u64)d >> 6);

	return &mount_hash[(v * 0x9e3779b97f4a7c15ull) >> (64 - MOUNT_BITS)];
}

struct mount *mount_find_rcu(const struct mount *mnt, const struct dentry *d)
{
	struct hlist_node *n;

	for (n = atomic_load_acquire(&bucket_of(mnt, d)->first); n; n = atomic_load_acquire(&n->next)) {
		struct mount *m = container_of(n, struct mount, hash);

		if (READ_ONCE(m->parent) == mnt && READ_ONCE(m->mountpoint) == d)
			return m;
	}
	return NULL;
}

static void mount_free_rcu(struct rcu_head *head)
{
	struct mount *m = container_of(head, struct mount, rcu);

	spread_ref_free(&m->refs);
	kfree(m->source);
	kfree(m);
}

void mount_put(struct mount *m)
{
	if (!m || !spread_ref_put(&m->refs))
		return;
	dentry_put(m->root);
	super_put(m->sb);
	call_rcu(&m->rcu, mount_free_rcu);
}

static struct mount *mount_alloc(struct super *sb, struct dentry *root, const char *source, u32 flags)
{
	struct mount *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return NULL;
	m->source = kstrdup(source ? source : "none", GFP_KERNEL);
	if (!m->source) {
		kfree(m);
		return NULL;
	}
	super_get(sb);
	dentry_get(root);
	m->sb = sb;
	m->root = root;
	m->flags = flags;
	spread_ref_init(&m->refs);
	list_init(&m->child);
	list_init(&m->children);
	list_init(&m->link);
	return m;
}

void path_follow_down(struct path *p)
{
	while (READ_ONCE(p->dentry->flags) & DENTRY_MOUNTED) {
		struct mount *m;

		spin_lock(&mount_lock);
		m = mount_find_rcu(p->mnt, p->dentry);
		if (m)
			mount_get(m);
		spin_unlock(&mount_lock);
		if (!m)
			return;
		dentry_get(m->root);
		path_put(p);
		p->mnt = m;
		p->dentry = m->root;
	}
}

bool path_follow_up(struct path *p)
{
	struct path up = { NULL, NULL };

	spin_lock(&mount_lock);
	if (p->mnt->parent) {
		up.mnt = p->mnt->parent;
		up.dentry = p->mnt->mountpoint;
		path_get(&up);
	}
	spin_unlock(&mount_lock);
	if (!up.mnt)
		return false;
	path_put(p);
	*p = up;
	return true;
}

/* Hang m on a place.  mount_mutex held; takes references on the place. */
static void attach(struct mount *m, const struct path *at)
{
	path_get(at);
	dentry_set_mounted(at->dentry, true);
	spin_lock(&mount_lock);
	seq_write_begin(&mount_seq);
	atomic_store(&m->parent, at->mnt);
	atomic_store(&m->mountpoint, at->dentry);
	struct hlist_head *head = bucket_of(at->mnt, at->dentry);
	m->hash.next = head->first;
	m->hash.pprev = &head->first;
	if (head->first)
		head->first->pprev = &m->hash.next;
	atomic_store_release(&head->first, &m->hash);
	seq_write_end(&mount_seq);
	spin_unlock(&mount_lock);
	spread_ref_spread(&m->refs);
	list_add_tail(&m->child, &at->mnt->children);
	if (list_empty(&m->link)) {
		m->id = next_id++;
		list_add_tail(&m->link, &all_mounts);
	}
}

static bool any_mount_on(const struct dentry *d)
{
	struct list_head *pos;

	for (pos = all_mounts.next; pos != &all_mounts; pos = pos->next)
		if (container_of(pos, struct mount, link)->mountpoint == d)
			return true;
	return false;
}

/* Take m off its place; *was gets the place with its references.  mount_mutex held. */
static void detach(struct mount *m, struct path *was)
{
	was->mnt = m->parent;
	was->dentry = m->mountpoint;
	spin_lock(&mount_lock);
	seq_write_begin(&mount_seq);
	if (m->hash.pprev) {
		atomic_store_release(m->hash.pprev, m->hash.next);
		if (m->hash.next)
			m->hash.next->pprev = m->hash.pprev;
		m->hash.pprev = NULL;
	}
	atomic_store(&m->parent, NULL);
	atomic_store(&m->mountpoint, NULL);
	seq_write_end(&mount_seq);
	spin_unlock(&mount_lock);
	list_del_init(&m->child);
	if (was->dentry && !any_mount_on(was->dentry))
		dentry_set_mounted(was->dentry, false);
}

static struct mount *children_first(struct mount *m)
{
	while (!list_empty(&m->children))
		m = container_of(m->children.next, struct mount, child);
	return m;
}

/* Take m and all below it out of the tree.  What the tree held is put on the list, to be dropped without the mutex. */
static void detach_tree(struct mount *top, struct list_head *gone)
{
	struct mount *m;

	do {
		struct path was;

		m = children_first(top);
		detach(m, &was);
		spread_ref_gather_begin(&m->refs);
		list_del_init(&m->link);
		list_add_tail(&m->child, gone);
		/* The place's references cannot be dropped under the mutex: the dead mount keeps them.  Its hash.next stays for walkers. */
		m->was.mnt = was.mnt;
		m->was.dentry = was.dentry;
	} while (m != top);
}

static void drop_gone(struct list_head *gone)
{
	if (!list_empty(gone))
		synchronize_rcu();	/* a walk without references that came through the place is over; the superblock may go */
	while (!list_empty(gone)) {
		struct mount *m = container_of(gone->next, struct mount, child);
		struct path was = { m->was.mnt, m->was.dentry };

		spread_ref_gather_end(&m->refs);
		list_del_init(&m->child);
		if (was.mnt)
			path_put(&was);
		mount_put(m);
	}
}

/* The place must be alive, on top of its stack, and of the same kind as what is mounted.  mount_mutex held. */
static int place_check(const struct path *at, const struct dentry *root)
{
	if (dentry_unhashed(at->dentry) || (at->dentry->inode->flags & INODE_DEAD))
		return -ENOENT;
	if (list_empty(&at->mnt->link))
		return -EINVAL;
	return inode_is_dir(at->dentry->inode) == inode_is_dir(root->inode) ? 0 : -ENOTDIR;
}

static int mount_on(struct mount *m, struct path *at)
{
	int err;

	mutex_lock(&mount_mutex);
	path_follow_down(at);
	err = place_check(at, m->root);
	if (!err && at->mnt->sb == m->sb && at->mnt->root == at->dentry && m->root == at->dentry)
		err = -EBUSY;
	if (!err)
		attach(m, at);
	mutex_unlock(&mount_mutex);
	return err;
}

static int mount_new(struct path *at, const char *typename, u32 flags, const char *source, const char *opts)
{
	const struct fs_type *type = typename ? fs_type_find(typename) : NULL;
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
	err = mount_on(m, at);
	if (err)
		mount_put(m);
	return err;
}

/* Copy the mounts below from (and inside its root) below to: MS_REC. mount_mutex held. */
static int copy_children(struct mount *from, const struct dentry *root, struct mount *to)
{
	struct list_head *pos;
	int err;

	for (pos = from->children.next; pos != &from->children; pos = pos->next) {
		struct mount *c = container_of(pos, struct mount, child), *copy;
		struct path at = { to, c->mountpoint };

		if (c == to || !dentry_is_ancestor(root, c->mountpoint))
			continue;
		copy = mount_alloc(c->sb, c->root, c->source, c->flags);
		if (!copy)
			return -ENOMEM;
		attach(copy, &at);
		err = copy_children(c, c->root, copy);
		if (err)
			return err;
	}
	return 0;
}

static int mount_bind(struct path *at, const char *source, bool rec)
{
	struct path from;
	struct mount *m;
	int err;

	if (!source || !*source)
		return -EINVAL;
	err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (err)
		return err;
	m = mount_alloc(from.mnt->sb, from.dentry, from.mnt->source, from.mnt->flags);
	if (!m) {
		path_put(&from);
		return -ENOMEM;
	}
	mutex_lock(&mount_mutex);
	path_follow_down(at);
	err = place_check(at, m->root);
	if (!err && rec)
		err = copy_children(from.mnt, from.dentry, m);
	if (!err)
		attach(m, at);
	struct list_head gone = LIST_HEAD_INIT(gone);
	while (err && !list_empty(&m->children))
		detach_tree(container_of(m->children.next, struct mount, child), &gone);
	mutex_unlock(&mount_mutex);
	drop_gone(&gone);
	if (err)
		mount_put(m);
	path_put(&from);
	return err;
}

static bool mount_is_below(const struct mount *m, const struct mount *top)
{
	for (; m; m = m->parent)
		if (m == top)
			return true;
	return false;
}

static int mount_move(struct path *at, const char *source)
{
	struct path from, was = { NULL, NULL };
	int err;

	if (!source || !*source)
		return -EINVAL;
	err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (err)
		return err;
	mutex_lock(&mount_mutex);
	path_follow_down(at);
	err = -EINVAL;
	if (from.dentry == from.mnt->root && from.mnt->parent) {
		err = place_check(at, from.mnt->root);
		if (!err && mount_is_below(at->mnt, from.mnt))
			err = -ELOOP;
	}
	if (!err) {
		detach(from.mnt, &was);
		attach(from.mnt, at);
	}
	mutex_unlock(&mount_mutex);
	if (was.mnt)
		path_put(&was);
	path_put(&from);
	return err;
}

/* Is a file open for writing through m (all: or another mount of its superblock)?  mount_mutex held. */
static bool written_through(const struct mount *m, bool all)
{
	struct mount *other;

	if (!all)
		return atomic_load(&m->writers) > 0;
	list_for_each_entry(other, &all_mounts, link)
		if (other->sb == m->sb && atomic_load(&other->writers) > 0)
			return true;
	return atomic_load(&m->writers) > 0;
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

static int mount_remount(struct path *at, u32 flags, const char *opts)
{
	int err;

	if (at->dentry != at->mnt->root)
		return -EINVAL;
	mutex_lock(&mount_mutex);
	err = remount_gated(at->mnt, flags, opts);
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
	if (flags & MS_PROPAGATION)	/* one namespace: nothing propagates anyway */
		return at->dentry == at->mnt->root ? 0 : -EINVAL;
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

struct mount *mount_kernel(struct super *sb)
{
	struct mount *m = mount_alloc(sb, sb->root, sb->type->name, 0);

	if (m)
		spread_ref_spread(&m->refs);	/* it is for good */
	return m;
}

int mount_root_fs(const char *typename, struct path *out)
{
	const struct fs_type *type = fs_type_find(typename);
	struct super *sb;
	struct mount *m;
	int err;

	if (!type)
		return -ENODEV;
	err = type->mount(type, 0, "rootfs", "mode=0755", &sb);
	if (err)
		return err;
	m = mount_alloc(sb, sb->root, "rootfs", MS_RELATIME);
	if (!m)
		return -ENOMEM;
	m->id = 1;
	list_add_tail(&m->link, &all_mounts);
	spread_ref_spread(&m->refs);
	out->mnt = m;
	out->dentry = sb->root;
	path_get(out);
	return 0;
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

/* Has it references beside the tree's and ours?  mount_mutex held; sleeps. */
static bool in_use(struct mount *m)
{
	bool used;

	spread_ref_gather_begin(&m->refs);
	synchronize_rcu();
	spread_ref_gather_end(&m->refs);
	used = spread_ref_read(&m->refs) > 2;
	if (used)
		spread_ref_spread(&m->refs);
	return used;
}

long sys_umount2(const char __user *upath, u32 flags)
{
	struct list_head gone = LIST_HEAD_INIT(gone);
	struct path at;
	struct mount *m;
	int err;

	if (flags & ~(u32)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	err = path_lookup_user(AT_FDCWD, upath, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &at);
	if (err)
		return err;
	m = at.mnt;
	mutex_lock(&mount_mutex);
	if (at.dentry != m->root || list_empty(&m->link))
		err = -EINVAL;
	else if (!capable(CAP_SYS_ADMIN))
		err = -EPERM;
	else if (!m->parent)
		err = -EINVAL;		/* the namespace's root */
	else if (flags & MNT_EXPIRE)
		err = flags & (MNT_FORCE | MNT_DETACH) ? -EINVAL : -EAGAIN;
	else if (!(flags & MNT_DETACH) && (!list_empty(&m->children) || in_use(m)))
		err = -EBUSY;
	if (!err)
		detach_tree(m, &gone);
	mutex_unlock(&mount_mutex);
	path_put(&at);
	drop_gone(&gone);
	return err;
}

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

static int pivot_locked(struct path *new, struct path *put_old, struct path *root, struct path drop[2])
{
	struct path root_place, new_place;

	if (new->mnt == root->mnt || put_old->mnt == root->mnt)
		return -EBUSY;
	if (root->dentry != root->mnt->root || !root->mnt->parent)
		return -EINVAL;
	if (new->dentry != new->mnt->root || !new->mnt->parent)
		return -EINVAL;
	if (!mount_is_below(put_old->mnt, new->mnt) ||
	    (put_old->mnt == new->mnt && !dentry_is_ancestor(new->dentry, put_old->dentry)))
		return -EINVAL;
	if (!mount_is_below(new->mnt, root->mnt))
		return -EINVAL;
	detach(new->mnt, &new_place);
	detach(root->mnt, &root_place);
	attach(root->mnt, put_old);
	attach(new->mnt, &root_place);
	drop[0] = new_place;
	drop[1] = root_place;
	return 0;
}

long sys_pivot_root(const char __user *unew, const char __user *uold)
{
	struct path new, old, root, drop[2] = { { NULL, NULL }, { NULL, NULL } };
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = path_lookup_user(AT_FDCWD, unew, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
	if (err)
		return err;
	err = path_lookup_user(AT_FDCWD, uold, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
	if (!err) {
		fs_get_root(&root);
		mutex_lock(&mount_mutex);
		err = pivot_locked(&new, &old, &root, drop);
		mutex_unlock(&mount_mutex);
		if (!err)
			move_everybody(&root, &new);
		for (int i = 0; i < 2; i++)
			if (drop[i].mnt)
				path_put(&drop[i]);
		path_put(&root);
		path_put(&old);
	}
	path_put(&new);
	return err;
}

static void put_escaped(struct seq *s, const char *t)
{
	for (; *t; t++) {
		if (*t == ' ' || *t == '\t' || *t == '\n' || *t == '\\')
			seq_printf(s, "\\%03o", (unsigned)*t);
		else
			seq_putc(s, *t);
	}
}

static void put_super_flags(struct seq *s, u32 f)
{
	if (f & MS_SYNCHRONOUS)
		seq_puts(s, ",sync");
	if (f & MS_DIRSYNC)
		seq_puts(s, ",dirsync");
}

static void put_flags(struct seq *s, u32 f, u32 sb_flags)
{
	static const struct { u32 flag; const char *text; } names[] = {
		{ MS_NOSUID, ",nosuid" }, { MS_NODEV, ",nodev" }, { MS_NOEXEC, ",noexec" }, { MS_NOATIME, ",noatime" },
		{ MS_NODIRATIME, ",nodiratime" }, { MS_RELATIME, ",relatime" },
	};

	seq_puts(s, f & MS_RDONLY ? "ro" : "rw");
	put_super_flags(s, sb_flags);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (f & names[i].flag)
			seq_puts(s, names[i].text);
}

static void put_options(struct seq *s, struct super *sb, char *buf)
{
	buf[0] = 0;
	if (sb->ops && sb->ops->show_options)
		sb->ops->show_options(sb, buf, PATH_MAX);
	if (buf[0] && buf[0] != ',')
		seq_putc(s, ',');
	seq_puts(s, buf);
}

/* Calls one for each mount that can be seen from current's root. */
static int each_mount(struct seq *s, void (*one)(struct seq *s, struct mount *m, const char *where, char *buf))
{
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	struct list_head *pos;
	struct path root;

	if (!buf)
		return -ENOMEM;
	fs_get_root(&root);
	mutex_lock(&mount_mutex);
	for (pos = all_mounts.next; pos != &all_mounts; pos = pos->next) {
		struct mount *m = container_of(pos, struct mount, link);
		struct path p = { m, m->root };
		bool outside = false;
		char *where = path_string_from(&p, &root, buf, PATH_MAX, &outside);

		if (where && !outside)
			one(s, m, where, buf);
	}
	mutex_unlock(&mount_mutex);
	path_put(&root);
	kfree(buf);
	return 0;
}

static void mounts_one(struct seq *s, struct mount *m, const char *where, char *buf)
{
	put_escaped(s, m->source);
	seq_putc(s, ' ');
	put_escaped(s, where);
	seq_printf(s, " %s ", m->sb->type->name);
	put_flags(s, m->flags | (m->sb->flags & MS_RDONLY), m->sb->flags);
	put_options(s, m->sb, buf);
	seq_puts(s, " 0 0\n");
}

static void mountinfo_one(struct seq *s, struct mount *m, const char *where, char *buf)
{
	char *w = kstrdup(where, GFP_KERNEL), *inside = dentry_string(m->root, m->sb->root, buf, PATH_MAX);

	if (!w)
		return;
	seq_printf(s, "%d %d %u:%u ", m->id, m->parent ? m->parent->id : 0, DEV_MAJOR(m->sb->dev), DEV_MINOR(m->sb->dev));
	put_escaped(s, inside && *inside ? inside : "/");
	seq_putc(s, ' ');
	put_escaped(s, w);
	seq_putc(s, ' ');
	put_flags(s, m->flags, 0);
	seq_printf(s, " - %s ", m->sb->type->name);
	put_escaped(s, m->source);
	seq_puts(s, m->sb->flags & MS_RDONLY ? " ro" : " rw");
	put_super_flags(s, m->sb->flags);
	put_options(s, m->sb, buf);
	seq_putc(s, '\n');
	kfree(w);
}

int mounts_show(struct seq *s, void *arg) { (void)arg; return each_mount(s, mounts_one); }
int mountinfo_show(struct seq *s, void *arg) { (void)arg; return each_mount(s, mountinfo_one); }
