/* Mounts: the tree of places.
 *
 * A mount says that at (parent mount, mountpoint dentry) begins another tree, (superblock, root dentry).  Mounts that hang together are a
 * namespace, with a list of them all.  The children of all mounts stand in one hash by (parent, mountpoint), read under RCU by path walks; a
 * walk validates with mount_seq, which moves on every change.  The dentry's DENTRY_MOUNTED flag keeps walks from looking at all where
 * nothing is.  On one place there is one mount: a newer one hangs on the root of the older (its topper), or, if propagation brings it from
 * elsewhere, takes the place and bears the older one on its own root.
 *
 * Changes hold mount_mutex (LC_MOUNT_SEM) throughout, and mount_lock with mount_seq odd around the stores that readers see.  What can fail,
 * memory first of all, is done before: a change makes trees that stand nowhere (ns NULL, in no hash, with parents among themselves) and shows
 * them all in one section, in which nothing fails and nothing sleeps.  A walk sees a mount and what propagated from it together, or nothing.
 *
 * A place is claimed before something is mounted there: DENTRY_MOUNTED is set under the lock of the directory that it is named in, which
 * who removes or renames it holds too; from then on he is refused.  The flag goes with the last mount on the dentry, whoever's.
 *
 * References: the tree holds one, each path (open file, cwd, root) one, each child one on its parent.  A busy umount is one with
 * children or with paths; MNT_DETACH takes a whole subtree out of the tree at once and lets the references run out by themselves.  While it
 * is in the tree a mount's references are counted by each CPU for itself (spread_ref.h): opening and closing files writes no common line.
 * An umount that must find nobody gathers the counts, and looks at the sums in the section that ends the mounts: a walk that came
 * later finds mount_seq odd, so nobody gets in between the look and the end.
 *
 * Who shares with whom: mount_group.c. What follows from it: mount_propagate.c. */
#include <fs/mount_internal.h>
#include <fs/super.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/fs.h>
#include <mm/slab.h>

#define MOUNT_BITS	6
#define PLACE_BITS	6

struct seqcount mount_seq;
struct mount_ns root_ns = { .mounts = LIST_HEAD_INIT(root_ns.mounts) };
DEFINE_SPINLOCK(mount_lock, LC_MOUNT_HASH);
DEFINE_MUTEX(mount_mutex, LC_MOUNT_SEM);
static struct hlist_head mount_hash[1 << MOUNT_BITS];			/* [mount_lock, R] */
static struct hlist_head places[1 << PLACE_BITS];			/* [mount_mutex] those that stand somewhere, by mountpoint */
static s32 next_id = 20;						/* [mount_mutex] */

static struct hlist_head *bucket_of(const struct mount *m, const struct dentry *d)
{
	u64 v = ((u64)m >> 6) + ((u64)d >> 6);

	return &mount_hash[(v * 0x9e3779b97f4a7c15ull) >> (64 - MOUNT_BITS)];
}

static struct hlist_head *places_of(const struct dentry *d)
{
	return &places[(((u64)d >> 6) * 0x9e3779b97f4a7c15ull) >> (64 - PLACE_BITS)];
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
	spin_lock(&m->sb->mounts_lock);
	list_del(&m->of_sb);
	spin_unlock(&m->sb->mounts_lock);
	dentry_put(m->root);
	super_put(m->sb);
	call_rcu(&m->rcu, mount_free_rcu);
}

struct mount *mount_alloc(struct super *sb, struct dentry *root, const char *source, u32 flags)
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
	list_init(&m->peer);
	list_init(&m->work);
	spin_lock(&sb->mounts_lock);
	list_add_tail(&m->of_sb, &sb->mounts);
	spin_unlock(&sb->mounts_lock);
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

struct mount *mount_find(const struct mount *parent, const struct dentry *d)
{
	return READ_ONCE(d->flags) & DENTRY_MOUNTED ? mount_find_rcu(parent, d) : NULL;
}

struct mount *mount_skip(const struct mount *m, const struct mount *top)
{
	for (; m != top; m = m->parent)
		if (m->child.next != &m->parent->children)
			return list_entry(m->child.next, struct mount, child);
	return NULL;
}

struct mount *mount_next(const struct mount *m, const struct mount *top)
{
	return list_empty(&m->children) ? mount_skip(m, top) : list_first_entry(&m->children, struct mount, child);
}

bool mount_is_below(const struct mount *m, const struct mount *top)
{
	for (; m; m = m->parent)
		if (m == top)
			return true;
	return false;
}

bool dentry_is_inside(const struct dentry *root, const struct dentry *d)
{
	const struct dentry *at, *up;
	u32 seq;

	do {
		seq = seq_read_begin(&rename_seq);
		rcu_read_lock();
		for (at = d; at != root && (up = READ_ONCE(at->parent)) != at; at = up)
			;
		rcu_read_unlock();
	} while (seq_read_retry(&rename_seq, seq));
	return at == root;
}

/* --- places --- */

/* Lock the directory that d is named in; referenced.  d itself: it is a root. */
static struct dentry *parent_lock(const struct dentry *d)
{
	for (;;) {
		struct dentry *dir = dentry_parent_get((struct dentry *)d);

		if (dir == d)
			return dir;
		rwsem_read_lock(&dir->inode->lock);
		if (READ_ONCE(d->parent) == dir)
			return dir;
		rwsem_read_unlock(&dir->inode->lock);
		dentry_put(dir);
	}
}

int place_claim(struct path *at, const struct dentry *like)
{
	struct dentry *dir;
	int err = 0;

	path_follow_down(at);
	dir = parent_lock(at->dentry);
	if (dentry_unhashed(at->dentry) || (READ_ONCE(at->dentry->inode->flags) & INODE_DEAD))
		err = -ENOENT;
	else if (at->mnt->ns != mount_ns_current())
		err = -EINVAL;
	else if (inode_is_dir(at->dentry->inode) != inode_is_dir(like->inode))
		err = -ENOTDIR;
	else
		dentry_set_mounted(at->dentry, true);
	if (dir != at->dentry)
		rwsem_read_unlock(&dir->inode->lock);
	dentry_put(dir);
	return err;
}

void place_release(struct dentry *d)
{
	struct mount *m;

	hlist_for_each_entry(m, places_of(d), place)
		if (m->mountpoint == d)
			return;
	dentry_set_mounted(d, false);
}

/* m's place is at; its references are taken.  Nobody finds it there yet. */
static void place_set(struct mount *m, const struct path *at)
{
	path_get(at);
	atomic_store(&m->parent, at->mnt);
	atomic_store(&m->mountpoint, at->dentry);
	hlist_add_head(&m->place, places_of(at->dentry));
}

/* m stands nowhere; *was: where it did, with the references.  No walk finds it there any more. */
static void place_unset(struct mount *m, struct path *was)
{
	*was = (struct path){ m->parent, m->mountpoint };
	if (!was->mnt)
		return;
	hlist_del(&m->place);
	m->place.pprev = NULL;
	list_del_init(&m->child);
	atomic_store(&m->parent, NULL);
	atomic_store(&m->mountpoint, NULL);
}

void mount_place(struct mount *tree, const struct path *at) { place_set(tree, at); }

/* --- what walks see.  mount_lock held, mount_seq odd --- */

static void seen_begin(void)
{
	spin_lock(&mount_lock);
	seq_write_begin(&mount_seq);
}

static void seen_end(void)
{
	seq_write_end(&mount_seq);
	spin_unlock(&mount_lock);
}

static void show_one(struct mount *m)
{
	struct hlist_head *head = bucket_of(m->parent, m->mountpoint);

	atomic_store(&m->hash.next, head->first);	/* who stood on it in another chain comes along, and begins again: mount_seq */
	m->hash.pprev = &head->first;
	if (head->first)
		head->first->pprev = &m->hash.next;
	atomic_store_release(&head->first, &m->hash);
}

/* Its next stays, for who is just there. */
static void hide_one(struct mount *m)
{
	if (!m->hash.pprev)
		return;
	atomic_store_release(m->hash.pprev, m->hash.next);
	if (m->hash.next)
		m->hash.next->pprev = m->hash.pprev;
	m->hash.pprev = NULL;
}

/* --- copies of trees --- */

static struct mount *copy_one(const struct mount *m, struct dentry *root, enum copy_kind kind)
{
	struct mount *c = mount_alloc(m->sb, root, m->source, atomic_load(&m->flags));

	if (!c)
		return NULL;
	if (kind != COPY_LIKE)
		group_join(c, m->group, true);
	else if (m->group || m->master)
		group_join(c, m->group ? m->group : m->master, !m->group);
	if (kind != COPY_SLAVE_SHARED || !group_new(c))
		return c;
	group_leave(c, false);
	mount_put(c);
	return NULL;
}

int mount_copy_tree(struct mount *top, struct dentry *root, enum copy_kind kind, bool rec, struct mount **out, struct list_head *gone)
{
	struct mount *m, *next, *c;

	for (m = top; m; m = next) {
		if (m != top && (m->unbindable || (m->parent == top && !dentry_is_inside(root, m->mountpoint)))) {
			next = mount_skip(m, top);
			continue;
		}
		c = copy_one(m, m == top ? root : m->root, kind);
		if (!c) {
			if (m != top)
				mount_discard_tree(top->copy, gone);
			return -ENOMEM;
		}
		m->copy = c;
		if (m != top) {
			place_set(c, &(struct path){ m->parent->copy, m->mountpoint });
			list_add_tail(&c->child, &c->parent->children);
		}
		next = rec ? mount_next(m, top) : NULL;
	}
	*out = top->copy;
	return 0;
}

/* A mount that nobody sees any more, or yet: what it holds is kept for mounts_drop. */
static void put_off(struct mount *m, struct list_head *gone)
{
	group_leave(m, false);
	if (m->was.dentry)
		place_release(m->was.dentry);
	list_add_tail(&m->child, gone);
}

void mount_discard_tree(struct mount *top, struct list_head *gone)
{
	struct mount *m = top, *up;

	do {
		while (!list_empty(&m->children))
			m = list_first_entry(&m->children, struct mount, child);
		up = m == top ? NULL : m->parent;
		place_unset(m, &m->was);
		put_off(m, gone);
		m = up;
	} while (m);
}

/* --- trees come --- */

int mount_ns_room(struct mount_ns *ns, struct mount *tree)
{
	struct mount *m;

	for_each_mount(m, tree)
		ns->coming++;
	return ns->nr_mounts + ns->coming > MOUNT_MAX ? -ENOSPC : 0;
}

static void enter_ns(struct mount *tree, struct mount_ns *ns)
{
	struct mount *m;

	for_each_mount(m, tree) {
		m->ns = ns;
		m->id = next_id++;
		list_add_tail(&m->link, &ns->mounts);
		ns->nr_mounts++;
		spread_ref_spread(&m->refs);
	}
}

static void show_tree(struct mount *tree)
{
	struct mount *m;

	list_add_tail(&tree->child, &tree->parent->children);
	for_each_mount(m, tree)
		if (!m->hash.pprev)
			show_one(m);
}

/* A copy takes its place; what stood there hangs on its root from now on. */
static void show_below(struct mount *c)
{
	struct mount *topper = mount_find_rcu(c->parent, c->mountpoint);

	c->copy = topper;
	show_tree(c);
	if (!topper)
		return;
	hide_one(topper);
	hlist_del(&topper->place);
	place_set(topper, &(struct path){ c, c->root });
	dentry_set_mounted(c->root, true);
	list_move_tail(&topper->child, &c->children);
	show_one(topper);
}

static void commit(struct mount *tree, const struct path *at, struct path *was, struct list_head *copies)
{
	struct mount *m, *next;

	seen_begin();
	hide_one(tree);
	place_unset(tree, was);
	place_set(tree, at);
	show_tree(tree);
	list_for_each_entry(m, copies, work)
		show_below(m);
	seen_end();
	list_for_each_entry_safe(m, next, copies, work) {
		list_del_init(&m->work);
		if (m->copy)	/* the topper held the place, too: these are not the last */
			path_put(&(struct path){ m->parent, m->mountpoint });
	}
}

static int share_and_propagate(struct mount *tree, const struct path *at, struct list_head *copies, struct list_head *gone)
{
	struct mount *m, *next;
	int err = tree_share(tree);

	if (err)
		return err;
	err = propagate_mount(at, tree, copies, gone);
	if (!err)
		return 0;
	list_for_each_entry_safe(m, next, copies, work) {
		list_del_init(&m->work);
		mount_discard_tree(m, gone);
	}
	tree_unshare(tree);
	return err;
}

int mount_graft(struct mount *tree, const struct path *at, struct path *was, struct list_head *gone)
{
	struct list_head copies = LIST_HEAD_INIT(copies);
	struct mount_ns *ns = at->mnt->ns;
	struct mount *m;
	int err = tree->ns ? 0 : mount_ns_room(ns, tree);

	if (!err && mount_is_shared(at->mnt))
		err = share_and_propagate(tree, at, &copies, gone);
	ns->coming = 0;
	list_for_each_entry(m, &copies, work)
		m->parent->ns->coming = 0;
	if (err)
		return err;
	if (!tree->ns)
		enter_ns(tree, ns);
	list_for_each_entry(m, &copies, work)
		enter_ns(m, m->parent->ns);
	tree_shared(tree);
	commit(tree, at, was, &copies);
	if (was->dentry)
		place_release(was->dentry);
	return 0;
}

void mount_exchange(struct mount *root, struct mount *new, const struct path *put_old, struct path *was)
{
	struct path place;

	seen_begin();
	hide_one(new);
	hide_one(root);
	place_unset(new, was);
	place_unset(root, &place);
	place_set(root, put_old);
	place_set(new, &place);
	show_tree(root);
	show_tree(new);
	seen_end();
	path_put(&place);	/* new has taken its own: not the last */
	place_release(was->dentry);
}

/* --- trees go --- */

/* What stands on the root of a mount that goes, and stays: where it will stand. */
static void drop_topper(struct mount *topper)
{
	struct mount *m = topper->parent, *slot;

	ASSERT(topper->mountpoint == m->root);
	for (slot = m; slot->parent->going; slot = slot->parent)
		;
	hide_one(topper);
	hlist_del(&topper->place);
	place_set(topper, &(struct path){ slot->parent, slot->mountpoint });
	list_move_tail(&topper->child, &slot->parent->children);
	show_one(topper);
	m->copy = topper;
}

static void hide_all(struct list_head *list)
{
	struct mount *m, *c, *next;

	list_for_each_entry(m, list, work)
		hide_one(m);
	list_for_each_entry(m, list, work) {
		m->copy = NULL;
		list_for_each_entry_safe(c, next, &m->children, child)
			if (!c->going)
				drop_topper(c);
	}
	list_for_each_entry(m, list, work)
		place_unset(m, &m->was);
}

/* Has any of the list references beside the tree's, its children's and (held) the caller's? */
static bool any_used(struct list_head *list, const struct mount *held)
{
	struct mount *m, *c;

	list_for_each_entry(m, list, work) {
		s32 own = 1 + (m == held);

		spread_ref_gather_end(&m->refs);
		list_for_each_entry(c, &m->children, child)
			own++;
		if (spread_ref_read(&m->refs) > own)
			return true;
	}
	return false;
}

/* They stay. */
static void keep_all(struct list_head *list)
{
	struct mount *m, *next;

	list_for_each_entry_safe(m, next, list, work) {
		spread_ref_gather_end(&m->refs);
		spread_ref_spread(&m->refs);
		m->going = false;
		list_del_init(&m->work);
	}
}

bool mounts_detach(struct list_head *list, const struct mount *held, struct list_head *gone)
{
	struct mount *m, *next;
	bool used = false;

	list_for_each_entry(m, list, work)
		spread_ref_gather_begin(&m->refs);
	if (held)
		synchronize_rcu();
	seen_begin();
	if (held)
		used = any_used(list, held);
	if (!used)
		hide_all(list);
	seen_end();
	if (used) {
		keep_all(list);
		return false;
	}
	list_for_each_entry_safe(m, next, list, work) {
		list_del_init(&m->work);
		list_del_init(&m->link);
		m->ns->nr_mounts--;
		m->ns = NULL;
		m->going = false;
		if (m->copy) {	/* what stood on m's root held that; m itself has both still */
			path_put(&(struct path){ m, m->root });
			place_release(m->root);
		}
		put_off(m, gone);
	}
	return true;
}

/* Was any of the list in a tree that walks come to?  It has a number since. */
static bool any_seen(const struct list_head *gone)
{
	const struct list_head *pos;

	for (pos = gone->next; pos != gone; pos = pos->next)
		if (container_of(pos, struct mount, child)->id)
			return true;
	return false;
}

void mounts_drop(struct list_head *gone)
{
	if (any_seen(gone))
		synchronize_rcu();	/* a walk without references that came through the place is over; the superblock may go */
	while (!list_empty(gone)) {
		struct mount *m = list_first_entry(gone, struct mount, child);
		struct path was = m->was;

		spread_ref_gather_end(&m->refs);
		list_del_init(&m->child);
		if (was.mnt)
			path_put(&was);
		mount_put(m);
	}
}

/* --- of the kernel's own --- */

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
	enter_ns(m, &root_ns);
	m->id = 1;
	root_ns.root = m;
	out->mnt = m;
	out->dentry = sb->root;
	path_get(out);
	return 0;
}
