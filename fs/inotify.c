/* inotify: instances, their queues, and the calls.  inotify(7).  The theory of watches stands in notify.c.
 *
 * An instance is an open file: a queue of events to be read, and its watches by number in a tree.  Numbers rise and are not used again (until
 * they wrap), so that a program never takes an old event for a new watch's.  References: the file's, and one of each watch, whose
 * events may still be on their way when the file is closed; `closed` says that nothing is queued any more.
 *
 * The queue.  An event equal to the last one that still waits is not queued twice; beyond max_queued_events (as it was when the
 * instance was made), or when memory is short, one IN_Q_OVERFLOW stands for all that is lost until it is read.  IN_IGNORED is made with the
 * watch, so that its end is told even then.
 *
 * Locks: `adding` (sleeps) keeps one inode from getting two watches here, and a number from being given away before its watch is whole;
 * `lock` for the queue, the tree, and what a watch's end changes.  Both stand alone. */
#include <fs/inotify_internal.h>
#include <fs/fasync.h>
#include <fs/file.h>
#include <fs/handle.h>
#include <fs/inode.h>
#include <fs/namei.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/user.h>
#include <kernel/sched/sched.h>
#include <kernel/sysctl.h>
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/siginfo.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

#define KEPT_MASK	(IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK)
#define VALID_MASK	(KEPT_MASK | IN_ONLYDIR | IN_DONT_FOLLOW | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED)

struct event {
	struct list_head link;		/* [lock] empty: not queued */
	struct inotify_event head;	/* [I] its name behind it, padded with NUL to head.len bytes */
};

struct inotify {
	struct spinlock lock;		/* LC_INOTIFY_QUEUE */
	struct list_head events;	/* [lock] */
	u32 nr;				/* [lock, read racily] events queued */
	u32 max;			/* [I] of them */
	u32 bytes;			/* [lock] that reading them all gives */
	bool closed;			/* [lock] */
	struct rb_root watches;		/* [lock] by wd */
	s32 last_wd;			/* [adding] */
	struct mutex adding;		/* LC_INOTIFY */
	struct wait_queue wq;
	struct fasync async;
	struct user *user;		/* [I] referenced */
	struct refcount refs;
	struct event overflow;		/* last: has no name */
};

static u64 max_queued_events = 16384, max_user_instances = 128, max_user_watches = 8192;
SYSCTL(inotify_queued, "fs/inotify/max_queued_events", .value = &max_queued_events, .max = 0x7fffffff);
SYSCTL(inotify_instances, "fs/inotify/max_user_instances", .value = &max_user_instances, .max = 0x7fffffff);
SYSCTL(inotify_watches, "fs/inotify/max_user_watches", .value = &max_user_watches, .max = 0x7fffffff);

/* Watches of one user: as many as pin a hundredth of memory, by a KiB each with the inode. */
static int limits_init(void)
{
	u64 fit = page_nr_total() * (PAGE_SIZE / 1024) / 100;

	max_user_watches = fit < 8192 ? 8192 : fit > 1048576 ? 1048576 : fit;
	return 0;
}
BOOT_INIT(fs, limits_init);

static bool charge(u32 *count, u64 max)
{
	if (atomic_add_return(count, 1) <= max)
		return true;
	atomic_dec(count);
	return false;
}

static void inotify_put(struct inotify *in)
{
	if (!refcount_dec_and_test(&in->refs))
		return;
	atomic_dec(&in->user->inotify_instances);
	user_unref(in->user);
	kfree(in);
}

static void watch_free_rcu(struct rcu_head *head) { kfree(container_of(head, struct watch, rcu)); }

static void watch_free(struct watch *w)
{
	atomic_dec(&w->in->user->inotify_watches);
	inotify_put(w->in);
	kfree(w->ignored);
	call_rcu(&w->rcu, watch_free_rcu);
}

/* --- the queue --- */

static struct event *event_make(s32 wd, const struct notice *n)
{
	u32 size = n->len ? (u32)ALIGN_UP(n->len + 1, sizeof(struct inotify_event)) : 0;
	struct event *e = kmalloc(sizeof(*e) + size, GFP_KERNEL);

	if (!e)
		return NULL;
	list_init(&e->link);
	e->head = (struct inotify_event){ .wd = wd, .mask = n->mask, .cookie = n->cookie, .len = size };
	if (size) {
		memcpy(e->head.name, n->name, n->len);
		memset(e->head.name + n->len, 0, size - n->len);
	}
	return e;
}

/* Is the last event that waits the same?  lock held. */
static bool is_repeated(const struct inotify *in, const struct watch *w, const struct notice *n)
{
	const struct event *e;

	if (list_empty(&in->events))
		return false;
	e = list_entry(in->events.prev, struct event, link);
	return e->head.wd == w->wd && e->head.mask == n->mask && (e->head.len ? n->len && n->len < e->head.len && !memcmp(e->head.name, n->name, n->len) &&
								   !e->head.name[n->len] : !n->len);
}

/* e (NULL: there was no memory) to the end of the queue, or an overflow.  Whether e is in it now.  lock held. */
static bool enqueue(struct inotify *in, struct event *e)
{
	bool fits = e && in->nr < in->max;

	if (!fits) {
		e = &in->overflow;
		if (!list_empty(&e->link))
			return false;
	}
	list_add_tail(&e->link, &in->events);
	WRITE_ONCE(in->nr, in->nr + 1);
	in->bytes += (u32)sizeof(e->head) + e->head.len;
	return fits;
}

/* Nothing is told to w any more.  lock held, w not off. */
static void end_locked(struct watch *w, bool say)
{
	WRITE_ONCE(w->off, true);
	rb_erase(&w->node, &w->in->watches);
	if (say && enqueue(w->in, w->ignored))
		w->ignored = NULL;
}

static void wake_reader(struct inotify *in)
{
	if (wait_queue_active(&in->wq))
		wake_up_all_key(&in->wq, (void *)(u64)(EPOLLIN | EPOLLRDNORM));
	if (unlikely(READ_ONCE(in->async.on)))
		fasync_send(&in->async, POLL_IN, EPOLLIN | EPOLLRDNORM);
}

static void watch_post(struct watch *w, const struct notice *n)
{
	struct inotify *in = w->in;
	struct event *e = NULL;
	bool needed, ended = false;

	spin_lock(&in->lock);
	needed = !w->off && (!is_repeated(in, w, n) || w->mask & IN_ONESHOT);
	spin_unlock(&in->lock);
	if (!needed)
		return;
	e = event_make(w->wd, n);
	spin_lock(&in->lock);
	needed = !w->off;		/* an instance that is closed has told its watches off, or is about to */
	if (needed && !in->closed && !is_repeated(in, w, n) && enqueue(in, e))
		e = NULL;
	if (needed && w->mask & IN_ONESHOT) {
		end_locked(w, !in->closed);
		ended = true;
	}
	spin_unlock(&in->lock);
	kfree(e);
	if (needed)
		wake_reader(in);
	if (ended)
		watch_detach(w);
}

static void watch_retire(struct watch *w, bool say)
{
	struct inotify *in = w->in;

	spin_lock(&in->lock);
	if (!w->off)
		end_locked(w, say && !in->closed);
	spin_unlock(&in->lock);
	if (say)
		wake_reader(in);
	watch_detach(w);
}

static const struct watch_kind inotify_kind = { .post = watch_post, .retire = watch_retire, .free = watch_free };

/* --- the file --- */

/* The first event, off the queue; NULL: none.  -EINVAL: it is longer than room. */
static int take(struct inotify *in, size_t room, struct event **out)
{
	struct event *e = NULL;
	int err = 0;

	spin_lock(&in->lock);
	if (!list_empty(&in->events)) {
		e = list_first_entry(&in->events, struct event, link);
		if (sizeof(e->head) + e->head.len > room) {
			err = -EINVAL;
			e = NULL;
		} else {
			list_del_init(&e->link);
			WRITE_ONCE(in->nr, in->nr - 1);
			in->bytes -= (u32)sizeof(e->head) + e->head.len;
		}
	}
	spin_unlock(&in->lock);
	*out = e;
	return err;
}

/* The overflow's event is a part of the instance, and may be queued again at once: what it says never changes. */
static void event_done(struct inotify *in, struct event *e)
{
	if (e != &in->overflow)
		kfree(e);
}

static ssize_t inotify_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct inotify *in = f->private;
	ssize_t done = 0;
	int err = 0;

	(void)pos;
	for (;;) {
		struct event *e;
		size_t len;

		err = take(in, to->count, &e);
		if (err)
			break;
		if (e) {
			len = sizeof(e->head) + e->head.len;
			if (copy_to_iter(&e->head, len, to) != len)	/* the name follows the head */
				err = -EFAULT;
			event_done(in, e);
			if (err)
				return err;
			done += (ssize_t)len;
			continue;
		}
		if (done)
			break;
		err = f->flags & O_NONBLOCK ? -EAGAIN : wait_event_interruptible(&in->wq, READ_ONCE(in->nr));
		if (err)
			break;
	}
	return done ? done : err;
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *in = f->private;

	poll_wait(pt, f, &in->wq);
	smp_mb();	/* queued before looking; pairs with wait_queue_active in wake_reader */
	return READ_ONCE(in->nr) ? EPOLLIN | EPOLLRDNORM : 0;
}

static long inotify_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct inotify *in = f->private;

	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user((int)READ_ONCE(in->bytes), (int __user *)user_ptr(arg));
}

static void inotify_async_changed(struct file *f, int fd, bool owner)
{
	fasync_changed(&((struct inotify *)f->private)->async, f, fd, owner);
}

/* The watch with the smallest number from wd on.  lock held. */
static struct watch *watch_from(const struct inotify *in, s32 wd)
{
	struct rb_node *n = in->watches.rb_node;
	struct watch *best = NULL;

	while (n) {
		struct watch *w = rb_entry(n, struct watch, node);

		if (w->wd >= wd)
			best = w;
		n = w->wd >= wd ? n->rb_left : n->rb_right;
	}
	return best;
}

static struct watch *watch_from_get(struct inotify *in, s32 wd)
{
	struct watch *w;

	spin_lock(&in->lock);
	w = watch_from(in, wd);
	if (w)
		refcount_inc(&w->refs);
	spin_unlock(&in->lock);
	return w;
}

/* As open_by_handle_at(2) would want it. */
static void show_handle(struct seq *s, struct inode *i)
{
	u32 words[HANDLE_WORDS];
	int n = handle_encode(i, words);

	if (n < 0)
		return;
	seq_printf(s, "fhandle-bytes:%x fhandle-type:1 f_handle:", n * 4);
	for (int k = 0; k < n * 4; k++)
		seq_printf(s, "%02x", ((const u8 *)words)[k]);
}

static void inotify_show(struct seq *s, struct file *f)
{
	struct inotify *in = f->private;
	struct inode *i = NULL;
	struct watch *w;
	u32 mask = 0;
	s32 wd = 0;

	for (;;) {
		spin_lock(&in->lock);
		w = watch_from(in, wd + 1);
		if (w) {		/* not off: its inode is there */
			wd = w->wd;
			i = w->inode;
			inode_get(i);
			mask = w->mask;
		}
		spin_unlock(&in->lock);
		if (!w)
			break;
		seq_printf(s, "inotify wd:%x ino:%lx sdev:%x mask:%x ignored_mask:0 ", (u32)wd, i->ino, i->sb->dev, mask);
		show_handle(s, i);
		seq_putc(s, '\n');
		inode_put(i);
	}
}

static void inotify_release(struct file *f)
{
	struct inotify *in = f->private;
	struct event *e;
	struct watch *w;

	spin_lock(&in->lock);
	in->closed = true;
	spin_unlock(&in->lock);
	while ((w = watch_from_get(in, 0))) {
		watch_retire(w, false);
		watch_put(w);
	}
	while (!take(in, ~0ul, &e) && e)
		event_done(in, e);
	inotify_put(in);
}

static const struct file_ops inotify_fops = {
	.read = inotify_read, .seek = noop_seek, .poll = inotify_poll, .ioctl = inotify_ioctl, .release = inotify_release, .show_fdinfo = inotify_show,
	.async_changed = inotify_async_changed,
};

/* --- calls --- */

static int instance_make(struct inotify **out)
{
	struct user *user = current_cred()->user;
	struct inotify *in;

	if (!charge(&user->inotify_instances, max_user_instances))
		return -EMFILE;
	in = kzalloc(sizeof(*in), GFP_KERNEL);
	if (!in) {
		atomic_dec(&user->inotify_instances);
		return -ENOMEM;
	}
	user_ref(user);
	in->user = user;
	spin_lock_init(&in->lock, LC_INOTIFY_QUEUE);
	mutex_init(&in->adding, LC_INOTIFY);
	list_init(&in->events);
	wait_queue_init(&in->wq);
	in->max = (u32)max_queued_events;
	refcount_set(&in->refs, 1);
	list_init(&in->overflow.link);
	in->overflow.head = (struct inotify_event){ .wd = -1, .mask = IN_Q_OVERFLOW };
	*out = in;
	return 0;
}

long sys_inotify_init1(u32 flags)
{
	struct inotify *in;
	struct file *f;
	int fd;

	if (flags & ~(u32)(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	fd = instance_make(&in);
	if (fd)
		return fd;
	fd = anon_file_create("inotify", &inotify_fops, in, O_RDONLY | (flags & O_NONBLOCK), &f);
	if (fd) {
		inotify_put(in);
		return fd;
	}
	fd = fd_install_new(f, flags);
	if (fd < 0)
		file_put_now(f);
	return fd;
}

/* Give w its number.  adding held. */
static void watch_insert(struct inotify *in, struct watch *w)
{
	struct rb_node **link, *parent;
	struct watch *at;

	spin_lock(&in->lock);
	do {		/* the next one up that is free */
		in->last_wd = in->last_wd == 0x7fffffff ? 1 : in->last_wd + 1;
		at = watch_from(in, in->last_wd);
	} while (at && at->wd == in->last_wd);
	w->wd = in->last_wd;
	w->ignored->head.wd = w->wd;
	link = &in->watches.rb_node;
	parent = NULL;
	while (*link) {
		parent = *link;
		link = rb_entry(parent, struct watch, node)->wd > w->wd ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&w->node, parent, link);
	rb_insert_color(&w->node, &in->watches);
	spin_unlock(&in->lock);
}

/* A new watch of i.  adding held. */
static long watch_create(struct inotify *in, struct inode *i, u32 mask)
{
	struct notice ignored = { .mask = IN_IGNORED };
	struct watch *w;

	if (!charge(&in->user->inotify_watches, max_user_watches))
		return -ENOSPC;
	w = kzalloc(sizeof(*w), GFP_KERNEL);
	if (w)
		w->ignored = event_make(0, &ignored);
	if (!w || !w->ignored) {
		kfree(w);
		atomic_dec(&in->user->inotify_watches);
		return -ENOMEM;
	}
	refcount_inc(&in->refs);
	w->kind = &inotify_kind;
	w->in = in;
	inode_get(i);
	w->inode = i;
	w->mask = mask & KEPT_MASK;
	refcount_set(&w->refs, 1);
	watch_insert(in, w);
	mask = (u32)w->wd;
	watch_attach(w);
	return (long)mask;
}

/* The watch that i has already, changed.  -ENOENT: it has none, or has it no longer. */
static long watch_change(struct inotify *in, struct inode *i, u32 mask)
{
	struct watch *w = watch_find(i, in);
	long ret = -ENOENT;

	if (!w)
		return ret;
	spin_lock(&in->lock);
	if (!w->off) {
		ret = w->wd;
		if (mask & IN_MASK_CREATE)
			ret = -EEXIST;
		else
			WRITE_ONCE(w->mask, (mask & IN_MASK_ADD ? w->mask : 0) | (mask & KEPT_MASK));
	}
	spin_unlock(&in->lock);
	watch_put(w);
	return ret;
}

static long watch_path(struct inotify *in, const struct path *p, u32 mask)
{
	struct inode *i = p->dentry->inode;
	long ret = inode_permission(i, MAY_READ);

	if (ret)
		return ret;
	mutex_lock(&in->adding);
	ret = watch_change(in, i, mask);
	if (ret == -ENOENT)
		ret = watch_create(in, i, mask);
	mutex_unlock(&in->adding);
	return ret;
}

long sys_inotify_add_watch(int fd, const char __user *name, u32 mask)
{
	u32 lookup = (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) | (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0), ref;
	struct path p;
	struct file *f;
	long ret;

	if (mask & ~(u32)VALID_MASK || !(mask & VALID_MASK))
		return -EINVAL;
	f = fdref_get(fd, &ref);
	if (!f)
		return -EBADF;
	ret = -EINVAL;
	if (f->ops == &inotify_fops && (mask & (IN_MASK_ADD | IN_MASK_CREATE)) != (IN_MASK_ADD | IN_MASK_CREATE)) {
		ret = path_lookup_user(AT_FDCWD, name, lookup, &p);
		if (!ret) {
			ret = watch_path(f->private, &p, mask);
			path_put(&p);
		}
	}
	fdref_put(f, ref);
	return ret;
}

static long watch_remove(struct inotify *in, s32 wd)
{
	struct watch *w;

	mutex_lock(&in->adding);
	w = watch_from_get(in, wd);
	mutex_unlock(&in->adding);
	if (!w)
		return -EINVAL;
	if (w->wd == wd)
		watch_retire(w, true);
	else
		wd = 0;
	watch_put(w);
	return wd ? 0 : -EINVAL;
}

long sys_inotify_rm_watch(int fd, s32 wd)
{
	struct file *f;
	long ret;
	u32 ref;

	f = fdref_get(fd, &ref);
	if (!f)
		return -EBADF;
	ret = f->ops == &inotify_fops ? watch_remove(f->private, wd) : -EINVAL;
	fdref_put(f, ref);
	return ret;
}
