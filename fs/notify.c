/* Who watches which inode, and the hooks by which the VFS says what happens to files.
 *
 * A watch belongs to an instance (inotify.c, which keeps it by number, and queues what it is told) or an open file (dnotify.c, which sends a signal),
 * and to an inode, which it pins: not a name, and not the mount.  An inode's watches hang in a list read under RCU; a super's in another, for its end.
 *
 * Two kinds of events.  Of names (created, deleted, moved): told to the watches of the directory, under the directory's lock, so that the
 * queue has them in the order in which they happened.  Of files (opened, read, ...): told to the watches of the directory in which the
 * path stands, with the name, and then to those of the file itself; so a file reached by one of two links tells one directory.  The
 * directory is the dentry's parent: nothing is kept in children of a watched directory, since two loads tell whether it is watched.  Parent and
 * name are read under RCU and believed if the dentry's sequence did not move; the name is copied, the parent referenced meanwhile.
 *
 * Price while nobody watches: `notify_watches` is read, nothing else; while somebody watches something on another superblock, its counter.
 * A look at the lists costs no lock and no shared write; only what a watch wants to know does.  A watch added while an event happens may
 * or may not see that event, hence no barriers beside RCU's: whoever knows that inotify_add_watch() returned has an order by which he knows.
 *
 * Locks: watch_lock for the lists (LC_INOTIFY_LIST), an instance's for its queue and numbers (LC_INOTIFY_QUEUE), neither in the other.  Events
 * are allocated, which may sleep; so the lists are first walked under RCU for references on the watches concerned, eight at a time: along
 * a list serial numbers fall, which is where to go on.
 *
 * Ends.  A watch is told off under the instance's lock (`off`: IN_IGNORED is its last event, none follows), then taken from the lists, and its
 * inode put, by whoever comes first: inotify_rm_watch, the event of a watch for once (IN_ONESHOT), the closing of the instance, a dentry that
 * lets go of an inode without links (dcache.c), or the super's last mount.  The last waits until each inode was put that others take off
 * at the same time: sb->nr_watches falls after that, and its fall is the last touch of the super.  The memory goes with the last reference, after a
 * grace period.
 *
 * Rejected: flags in children of watched directories, as Linux has (they must be kept right over every rename, to save two loads);
 * pinning dentries (a name's last user could not turn it negative, and IN_DELETE_SELF would never come). */
#include <fs/inotify_internal.h>
#include <fs/notify.h>
#include <kernel/debug.h>
#include <kernel/lib/string.h>
#include <kernel/sync/wait.h>
#include <linux/limits.h>

#define BATCH	8u

u32 notify_watches;
static DEFINE_SPINLOCK(watch_lock, LC_INOTIFY_LIST);
static u64 last_serial;				/* [watch_lock] */
static u32 last_cookie;				/* [a] */
static DEFINE_WAIT_QUEUE(detached_wq);		/* for a super's nr_watches to be 0 */

/* --- lists --- */

void watch_attach(struct watch *w)
{
	struct super *sb = w->inode->sb;

	atomic_inc(&notify_watches);
	atomic_inc(&sb->nr_watches);
	spin_lock(&watch_lock);
	w->serial = ++last_serial;
	list_add(&w->on_super, &sb->watches);
	hlist_add_head_rcu(&w->on_inode, &w->inode->watches);
	spin_unlock(&watch_lock);
}

void watch_detach(struct watch *w)
{
	struct super *sb = NULL;

	spin_lock(&watch_lock);
	if (!hlist_unhashed(&w->on_inode)) {
		sb = w->inode->sb;
		hlist_del_rcu(&w->on_inode);
		list_del(&w->on_super);
	}
	spin_unlock(&watch_lock);
	if (!sb)
		return;			/* somebody else's, and the inode with it */
	inode_put(w->inode);
	watch_put(w);
	atomic_dec(&notify_watches);
	if (atomic_sub_return_acq_rel(&sb->nr_watches, 1) == 0)	/* the last touch of it, see notify_super_gone() */
		wake_up_all(&detached_wq);
}

struct watch *watch_find(struct inode *i, const struct inotify *in)
{
	struct watch *w;

	rcu_read_lock();
	hlist_for_each_entry_rcu(w, &i->watches, on_inode)
		if (w->in == in && !READ_ONCE(w->off) && refcount_inc_not_zero(&w->refs))
			break;
	rcu_read_unlock();
	return w;
}

void watch_put(struct watch *w)
{
	if (refcount_dec_and_test(&w->refs))
		w->kind->free(w);
}

/* Any watch of i, or, if that is NULL, of sb: referenced, or NULL. */
static struct watch *first_watch(struct inode *i, struct super *sb)
{
	struct watch *w = NULL;

	spin_lock(&watch_lock);
	if (i)
		w = hlist_entry_safe(i->watches.first, struct watch, on_inode);
	else if (!list_empty(&sb->watches))
		w = list_first_entry(&sb->watches, struct watch, on_super);
	if (w)
		refcount_inc(&w->refs);		/* the lists' own keeps it until it is off them */
	spin_unlock(&watch_lock);
	return w;
}

/* --- telling --- */

static inline bool wants(const struct watch *w, u32 mask, bool unlinked)
{
	u32 want = READ_ONCE(w->mask);

	return want & mask & (IN_ALL_EVENTS | NOTIFY_RENAMED) && !(unlinked && want & IN_EXCL_UNLINK);
}

static bool anybody_wants(const struct inode *i, u32 mask, bool unlinked)
{
	struct watch *w;

	hlist_for_each_entry_rcu(w, &i->watches, on_inode)
		if (wants(w, mask, unlinked))
			return true;
	return false;
}

/* Up to BATCH watches of i with serials below *below that want it, referenced. */
static u32 collect(const struct inode *i, u32 mask, bool unlinked, u64 *below, struct watch **to)
{
	struct watch *w;
	u32 n = 0;

	rcu_read_lock();
	hlist_for_each_entry_rcu(w, &i->watches, on_inode) {
		if (w->serial >= *below || !wants(w, mask, unlinked) || !refcount_inc_not_zero(&w->refs))
			continue;
		*below = w->serial;
		to[n++] = w;
		if (n == BATCH)
			break;
	}
	rcu_read_unlock();
	return n;
}

static void tell(const struct inode *i, const struct notice *what, bool unlinked)
{
	struct watch *some[BATCH];
	u64 below = ~0ull;
	u32 n;

	do {
		n = collect(i, what->mask, unlinked, &below, some);
		for (u32 k = 0; k < n; k++) {
			some[k]->kind->post(some[k], what);
			watch_put(some[k]);
		}
	} while (n == BATCH);
}

/* The dentry in whose directory d stands, referenced, if somebody there wants the event; name (NAME_MAX + 1 bytes) and *len are d's.
 * True if all that is of one moment.  Locks: RCU. */
static bool try_parent(const struct dentry *d, u32 mask, bool unlinked, char *name, u32 *len, struct dentry **out)
{
	u32 seq = seq_read_begin(&d->seq);
	struct dentry *up = READ_ONCE(d->parent);
	const char *text = READ_ONCE(d->name);
	struct inode *dir;

	*out = NULL;
	*len = READ_ONCE(d->name_len);
	if (seq_read_retry(&d->seq, seq))	/* one name's pointer with another's length would lead out of it */
		return false;
	dir = READ_ONCE(up->inode);
	if (up == d || !dir || !anybody_wants(dir, mask, unlinked) || !dentry_get_live(up))
		return !seq_read_retry(&d->seq, seq);
	*out = up;
	race_marked_begin();			/* a name torn by a move is one that seq tells of */
	memcpy(name, text, *len);
	race_marked_end();
	return !seq_read_retry(&d->seq, seq);
}

static struct dentry *telling_parent(const struct dentry *d, u32 mask, bool unlinked, char *name, u32 *len)
{
	struct dentry *up;
	bool whole;

	for (;;) {
		rcu_read_lock();
		whole = try_parent(d, mask, unlinked, name, len, &up);
		rcu_read_unlock();
		if (whole)
			return up;
		if (up)
			dentry_put(up);
	}
}

/* A device, a pipe: when it is read and written is told to its own watches alone.  Of a terminal that is when keys are struck, which is no business of
 * whoever may read /dev. */
static bool is_special(const struct inode *i)
{
	return !inode_is_reg(i) && !inode_is_dir(i) && !inode_is_link(i);
}

void notify_path_slow(const struct path *p, u32 mask, bool by_name)
{
	struct dentry *d = p->dentry, *up;
	struct inode *i = d->inode;
	char name[NAME_MAX + 1];
	struct notice n = { .mask = mask, .name = name };
	bool unlinked;

	if (!READ_ONCE(d->sb->nr_watches) || unlikely(!i))
		return;
	unlinked = !by_name && dentry_unhashed(d) && READ_ONCE(d->parent) != d;
	if (inode_is_dir(i))
		n.mask |= IN_ISDIR;
	up = !by_name && mask & (IN_ACCESS | IN_MODIFY) && is_special(i) ? NULL : telling_parent(d, mask, unlinked, name, &n.len);
	if (up) {
		tell(up->inode, &n, unlinked);
		dentry_put(up);
	}
	if (hlist_empty(&i->watches))
		return;
	n.len = 0;
	tell(i, &n, unlinked);
}

void notify_inode_slow(struct inode *i, u32 mask)
{
	struct notice n = { .mask = mask | (inode_is_dir(i) ? IN_ISDIR : 0) };

	if (!hlist_empty(&i->watches))
		tell(i, &n, false);
}

void notify_name_slow(struct inode *dir, u32 mask, const char *name, u32 len, u32 cookie)
{
	struct notice n = { .mask = mask, .cookie = cookie, .name = name, .len = len };

	if (!hlist_empty(&dir->watches))
		tell(dir, &n, false);
}

void notify_moved_slow(struct inode *odir, const struct qname *from, struct inode *ndir, const struct qname *to, struct inode *moved, struct inode *target)
{
	u32 cookie = atomic_add_return(&last_cookie, 1), isdir = inode_is_dir(moved) ? IN_ISDIR : 0;
	struct notice self = { .mask = IN_MOVE_SELF };

	if (odir == ndir)
		notify_inode_slow(odir, NOTIFY_RENAMED);
	notify_name_slow(odir, IN_MOVED_FROM | isdir, from->name, from->len, cookie);
	notify_name_slow(ndir, IN_MOVED_TO | isdir, to->name, to->len, cookie);
	if (target)
		notify_inode_slow(target, IN_ATTRIB);
	if (!hlist_empty(&moved->watches))
		tell(moved, &self, false);
}

/* --- ends --- */

void notify_gone_slow(struct inode *i)
{
	struct notice n = { .mask = IN_DELETE_SELF };
	struct watch *w;

	if (hlist_empty(&i->watches))
		return;
	tell(i, &n, false);
	while ((w = first_watch(i, NULL))) {
		w->kind->retire(w, true);
		watch_put(w);
	}
}

void notify_super_gone(struct super *sb)
{
	struct notice n = { .mask = IN_UNMOUNT };
	struct watch *w;

	while ((w = first_watch(NULL, sb))) {
		w->kind->post(w, &n);
		w->kind->retire(w, true);
		watch_put(w);
	}
	wait_event(&detached_wq, atomic_load_acquire(&sb->nr_watches) == 0);
}
