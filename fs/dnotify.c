/* dnotify: a signal when something happens in a directory.  fcntl(2), F_NOTIFY.  What there was before inotify, on whose hooks it stands (notify.c).
 *
 * A request belongs to an open directory and to the descriptor table through which it was asked for, as a record lock does: the first close of any
 * descriptor for that file by that table ends it.  It is a watch of the directory's inode with DN_* said in IN_*; a signal ends it unless DN_MULTISHOT.
 * Who gets the signal is the file's owner (F_SETOWN; who asks first, otherwise) and which one F_SETSIG's: both are copied into the request, because the
 * file may be closed while an event is on its way.  As to the right to send it, who asked for the request last counts.
 *
 * Asking against closing by another thread: the mark FILE_DNOTIFY is set and the request on the lists before the slot is looked at under the table's
 * lock; a close empties the slot under that lock and looks at the mark after that.  So one of the two sees the other.
 *
 * Locks: `asking` (sleeps) lets no file and table have two requests; `lock` for what events and ends change.  Neither is held while a signal is sent. */
#include <fs/dnotify.h>
#include <fs/fasync.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/inotify_internal.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <kernel/sysctl.h>
#include <asm/siginfo.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <mm/slab.h>

struct dnotify {
	struct watch w;			/* first; mask and off: [lock] */
	const struct file *file;	/* [I] not referenced: its closing ends this */
	const struct fdtable *table;	/* [I] nor this */
	struct fasync to;		/* [lock] */
	bool again;			/* [lock] DN_MULTISHOT */
};

static u64 enabled = 1;
SYSCTL(dir_notify_enable, "fs/dir-notify-enable", .value = &enabled, .max = 0x7fffffff);

static DEFINE_MUTEX(asking, LC_INOTIFY);
static DEFINE_SPINLOCK(lock, LC_INOTIFY_QUEUE);

static struct dnotify *of(struct watch *w) { return container_of(w, struct dnotify, w); }

static u32 mask_of(u32 arg)
{
	static const struct { u32 dn, in; } words[] = {
		{ DN_ACCESS, IN_ACCESS }, { DN_MODIFY, IN_MODIFY }, { DN_CREATE, IN_CREATE | IN_MOVED_TO }, { DN_DELETE, IN_DELETE | IN_MOVED_FROM },
		{ DN_RENAME, NOTIFY_RENAMED }, { DN_ATTRIB, IN_ATTRIB },
	};
	u32 mask = 0;

	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		if (arg & words[i].dn)
			mask |= words[i].in;
	return mask;
}

static void dnotify_post(struct watch *w, const struct notice *n)
{
	struct dnotify *dn = of(w);
	struct fasync to;
	bool tell, ended;

	spin_lock(&lock);
	tell = !w->off && w->mask & n->mask;
	ended = tell && !dn->again;
	if (ended)
		WRITE_ONCE(w->off, true);
	to = dn->to;
	spin_unlock(&lock);
	if (tell)
		fasync_send(&to, POLL_MSG, EPOLLIN | EPOLLRDNORM | EPOLLMSG);
	if (ended)
		watch_detach(w);
}

static void dnotify_retire(struct watch *w, bool say)
{
	(void)say;
	spin_lock(&lock);
	WRITE_ONCE(w->off, true);
	spin_unlock(&lock);
	watch_detach(w);
}

static void free_rcu(struct rcu_head *head) { kfree(of(container_of(head, struct watch, rcu))); }
static void dnotify_free(struct watch *w) { call_rcu(&w->rcu, free_rcu); }

static const struct watch_kind kind = { .post = dnotify_post, .retire = dnotify_retire, .free = dnotify_free };

/* The request of file and table, referenced, or NULL. */
static struct dnotify *find(const struct file *f, const struct fdtable *table)
{
	struct watch *w;

	rcu_read_lock();
	hlist_for_each_entry_rcu(w, &f->inode->watches, on_inode)
		if (w->kind == &kind && of(w)->file == f && of(w)->table == table && !READ_ONCE(w->off) && refcount_inc_not_zero(&w->refs))
			break;
	rcu_read_unlock();
	return w ? of(w) : NULL;
}

void dnotify_close(struct file *f, const struct fdtable *table)
{
	struct dnotify *dn = find(f, table);

	if (!dn)
		return;
	dnotify_retire(&dn->w, false);
	watch_put(&dn->w);
}

/* Who is told by f, and by which signal; current counts as who asks for it. */
static void set_owner(struct dnotify *dn, const struct file *f)
{
	struct fasync to;

	spin_lock(&lock);
	to = dn->to;
	spin_unlock(&lock);
	fasync_changed(&to, f, to.fd, true);
	spin_lock(&lock);
	dn->to = to;
	spin_unlock(&lock);
}

void dnotify_owner_changed(struct file *f)
{
	struct dnotify *dn;

	mutex_lock(&asking);
	dn = find(f, current->files);
	if (dn) {
		set_owner(dn, f);
		watch_put(&dn->w);
	}
	mutex_unlock(&asking);
}

/* asking held.  The request of f and current's table, a new one if there is none; referenced. */
static int get_request(struct file *f, struct dnotify **out)
{
	struct dnotify *dn = find(f, current->files);

	*out = dn;
	if (dn)
		return 0;
	dn = kzalloc(sizeof(*dn), GFP_KERNEL);
	if (!dn)
		return -ENOMEM;
	dn->w.kind = &kind;
	dn->w.inode = f->inode;
	inode_get(f->inode);
	dn->file = f;
	dn->table = current->files;
	refcount_set(&dn->w.refs, 2);
	atomic_fetch_or(&f->marks, FILE_DNOTIFY);
	watch_attach(&dn->w);
	*out = dn;
	return 0;
}

static int request(struct file *f, int fd, u32 arg)
{
	struct dnotify *dn;
	struct file *now;
	int err;

	mutex_lock(&asking);
	err = get_request(f, &dn);
	if (!err) {
		set_owner(dn, f);
		spin_lock(&lock);
		dn->to.fd = fd;
		dn->again |= (arg & DN_MULTISHOT) != 0;
		WRITE_ONCE(dn->w.mask, dn->w.mask | mask_of(arg));
		spin_unlock(&lock);
		now = fdtable_file(current->files, fd);
		if (now != f)			/* closed meanwhile, perhaps before we were on the lists */
			dnotify_retire(&dn->w, false);
		if (now)
			file_put(now);
		watch_put(&dn->w);
	}
	mutex_unlock(&asking);
	return err;
}

long dnotify_fcntl(struct file *f, int fd, u32 arg)
{
	if (!enabled)
		return -EINVAL;
	if (!(arg & ~(u32)DN_MULTISHOT)) {
		dnotify_close(f, current->files);
		return 0;
	}
	if (!inode_is_dir(f->inode))
		return -ENOTDIR;
	if (!f->owner_pid) {
		f->owner_pid = current->proc->pid;
		f->owner_type = F_OWNER_PID;
	}
	return request(f, fd, arg);
}
