/* epoll: a set of watched files, and a list of those that may be ready.
 *
 * An item watches one (file, descriptor).  It hangs in its epoll's tree, and in the file's list so that closing the file removes it;
 * it holds no reference on the file.  Its entry on the file's wait queue, when woken, puts the item on the ready list and wakes the
 * waiters; epoll_wait() takes items off, asks the file again, and reports what is true.  Level-triggered items go back to the end
 * of the list while they are true, and who put them there wakes the next who waits; edge-triggered ones wait for the next wake-up.  A pass handles
 * no more items than were ready when it began.
 *
 * Locks: ep->mutex (LC_EPOLL) for the tree, and while events are collected; ep->ready_lock (LC_EPOLL_READY2), taken from a wake-up
 * that holds the watched queue's lock (LC_WAIT), for the list; ep->wq's lock is LC_WAIT2, after it.  An epoll that watches an epoll
 * would take those two the other way round, so such an item is made ready from a work queue instead.  Removal (close of either
 * side) and nesting take epoll_mutex first, so that neither the item nor its epoll goes away underneath. */
#include <fs/epoll.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/poll.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/rbtree.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <asm/fcntl.h>
#include <linux/eventpoll.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

#define EP_PRIVATE	(EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)
#define EP_EXCLUSIVE_OK	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define MAX_NESTING	4		/* epolls that are watched by each other, below the first */

struct epoll {
	struct mutex mutex;		/* LC_EPOLL */
	struct rb_root items;		/* [m] by file, then fd */
	struct spinlock ready_lock;	/* LC_EPOLL_READY2, irqs off */
	struct list_head ready;		/* [ready_lock] */
	u32 nr_ready;			/* [ready_lock] */
	u32 nr_nested;			/* [m] items that are epolls */
	struct wait_queue wq;		/* lock class LC_WAIT2 */
	struct file *file;		/* [I] its own, not referenced */
	struct seen { u64 walk; u32 depth; } above, below;	/* [epoll_mutex] */
};

struct epwait { struct wait_entry we; struct wait_queue *wq; struct epwait *next; struct epitem *item; };

struct epitem {
	struct rb_node node;		/* [m] */
	struct epoll *ep;		/* [I] */
	struct file *file;		/* [I] not referenced */
	int fd;				/* [I] */
	bool nested;			/* [I] file is an epoll */
	bool is_ready;			/* [ready_lock] */
	bool failed;			/* [m] no memory to queue */
	u32 events;			/* [m, read racily by wake-ups] 0: disabled */
	u64 data;			/* [m] */
	struct list_head ready_link;	/* [ready_lock] */
	struct list_head file_link;	/* [epoll_mutex or m; file->lock] */
	struct epwait *waits;		/* [m] beyond the first */
	struct epwait first;
	struct work work;		/* nested: make ready from a thread */
	struct poll_table pt;		/* while queueing */
};

static DEFINE_MUTEX(epoll_mutex, LC_EPOLL);	/* before any ep->mutex: keys 1, then 2 and up */
static const struct file_ops epoll_fops;

static bool is_epoll(const struct file *f) { return f->ops == &epoll_fops; }

/* Did anybody wait for it? */
static bool make_ready(struct epitem *it)
{
	struct epoll *ep = it->ep;
	irqflags_t flags = spin_lock_irqsave(&ep->ready_lock);

	if (!it->is_ready) {
		it->is_ready = true;
		list_add_tail(&it->ready_link, &ep->ready);
		ep->nr_ready++;
	}
	spin_unlock_irqrestore(&ep->ready_lock, flags);
	if (!wait_queue_active(&ep->wq))
		return false;
	wake_up_key(&ep->wq, (void *)(u64)(EPOLLIN | EPOLLRDNORM));
	return true;
}

static int ep_wake(struct wait_entry *we, void *key)
{
	struct epitem *it = container_of(we, struct epwait, we)->item;
	u32 events = READ_ONCE(it->events);

	if (!(events & ~(u32)EP_PRIVATE) || (key && !((u64)key & events)))
		return 0;
	if (it->nested) {
		work_queue(&it->work);
		return 0;
	}
	return make_ready(it) && we->exclusive;		/* where nobody waits, the next is woken, too */
}

static void nested_work(struct work *w) { make_ready(container_of(w, struct epitem, work)); }

static void ep_queue(struct poll_table *pt, struct file *f, struct wait_queue *wq)
{
	struct epitem *it = container_of(pt, struct epitem, pt);
	struct epwait *w = &it->first;

	(void)f;
	if (w->wq) {
		w = kmalloc(sizeof(*w), GFP_KERNEL);
		if (!w) {
			it->failed = true;
			return;
		}
		w->next = it->waits;
		it->waits = w;
	}
	wait_entry_init(&w->we);
	w->we.func = ep_wake;
	w->we.exclusive = it->events & EPOLLEXCLUSIVE;
	w->item = it;
	w->wq = wq;
	wait_add(wq, &w->we);
}

/* --- the tree --- */

static int item_cmp(const struct file *f, int fd, const struct epitem *it)
{
	if (f != it->file)
		return f < it->file ? -1 : 1;
	return fd < it->fd ? -1 : fd > it->fd;
}

static struct epitem *item_find(struct epoll *ep, const struct file *f, int fd)
{
	struct rb_node *n = ep->items.rb_node;

	while (n) {
		struct epitem *it = rb_entry(n, struct epitem, node);
		int c = item_cmp(f, fd, it);

		if (!c)
			return it;
		n = c < 0 ? n->rb_left : n->rb_right;
	}
	return NULL;
}

static void item_insert(struct epoll *ep, struct epitem *it)
{
	struct rb_node **link = &ep->items.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = item_cmp(it->file, it->fd, rb_entry(parent, struct epitem, node)) < 0 ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&it->node, parent, link);
	rb_insert_color(&it->node, &ep->items);
}

/* ep->mutex held. */
static void item_remove(struct epitem *it)
{
	struct epoll *ep = it->ep;
	irqflags_t flags;

	if (it->first.wq)
		wait_remove(it->first.wq, &it->first.we);
	while (it->waits) {
		struct epwait *w = it->waits;

		wait_remove(w->wq, &w->we);
		it->waits = w->next;
		kfree(w);
	}
	if (it->nested)
		(void)work_cancel(&it->work);	/* not all work: some of it drops files, and wants epoll_mutex, or has called us */
	flags = spin_lock_irqsave(&ep->ready_lock);
	if (it->is_ready) {
		list_del(&it->ready_link);
		ep->nr_ready--;
	}
	spin_unlock_irqrestore(&ep->ready_lock, flags);
	spin_lock(&it->file->lock);
	list_del(&it->file_link);
	spin_unlock(&it->file->lock);
	rb_erase(&it->node, &ep->items);
	ep->nr_nested -= it->nested;
	kfree(it);
}

/* Who took the last item off, an epoll that ends, may not have let go of f's lock: hence a look under it. */
void epoll_file_gone(struct file *f)
{
	bool watched;

	spin_lock(&f->lock);
	watched = !list_empty(&f->epoll_links);
	spin_unlock(&f->lock);
	if (!watched)
		return;
	mutex_lock_nested(&epoll_mutex, 1);
	while (!list_empty(&f->epoll_links)) {
		struct epitem *it = list_first_entry(&f->epoll_links, struct epitem, file_link);
		struct epoll *ep = it->ep;

		mutex_lock_nested(&ep->mutex, 2);
		item_remove(it);
		mutex_unlock(&ep->mutex);
	}
	mutex_unlock(&epoll_mutex);
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->private;
	struct rb_node *n;

	mutex_lock_nested(&epoll_mutex, 1);
	mutex_lock_nested(&ep->mutex, 2);
	while ((n = rb_first(&ep->items)))
		item_remove(rb_entry(n, struct epitem, node));
	mutex_unlock(&ep->mutex);
	mutex_unlock(&epoll_mutex);
	kfree(ep);
}

/* What those below ep were woken for, and works have not handed up yet, is handed up, from the bottom.  ep's file does not go away. */
static void hear_nested(struct epoll *ep, u32 level)
{
	u32 nested;

	mutex_lock_nested(&ep->mutex, 10 + level);
	nested = ep->nr_nested;
	for (struct rb_node *n = rb_first(&ep->items); nested; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);
		struct epoll *sub;

		if (!it->nested)
			continue;
		nested--;
		sub = it->file->private;	/* which stays while it is watched, so while we hold the mutex */
		if (READ_ONCE(sub->nr_nested))
			hear_nested(sub, level + 1);
		if (work_cancel(&it->work))
			make_ready(it);
	}
	mutex_unlock(&ep->mutex);
}

/* Takes the next ready item off the list, or NULL. */
static struct epitem *ready_pop(struct epoll *ep)
{
	struct epitem *it = NULL;
	irqflags_t flags = spin_lock_irqsave(&ep->ready_lock);

	if (!list_empty(&ep->ready)) {
		it = list_first_entry(&ep->ready, struct epitem, ready_link);
		list_del(&it->ready_link);
		it->is_ready = false;
		ep->nr_ready--;
	}
	spin_unlock_irqrestore(&ep->ready_lock, flags);
	return it;
}

static void ready_put_back(struct epitem *it)
{
	irqflags_t flags = spin_lock_irqsave(&it->ep->ready_lock);

	if (!it->is_ready) {
		it->is_ready = true;
		list_add_tail(&it->ready_link, &it->ep->ready);
		it->ep->nr_ready++;
	}
	spin_unlock_irqrestore(&it->ep->ready_lock, flags);
}

static u32 item_mask(struct epitem *it)
{
	struct poll_table pt = { NULL, it->events };

	return file_poll(it->file, &pt) & it->events & ~(u32)EP_PRIVATE;
}

static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->private;
	u32 mask = 0, n;

	poll_wait(pt, f, &ep->wq);
	n = READ_ONCE(ep->nr_ready);
	if (!n)
		return 0;
	if (!mutex_trylock(&ep->mutex))
		return EPOLLIN | EPOLLRDNORM;	/* busy: let the caller look for itself */
	while (n-- && !mask) {
		struct epitem *it = ready_pop(ep);

		if (!it)
			break;
		if (item_mask(it)) {
			mask = EPOLLIN | EPOLLRDNORM;
			ready_put_back(it);
		}
	}
	mutex_unlock(&ep->mutex);
	return mask;
}

static const struct file_ops epoll_fops = { .seek = noop_seek, .poll = epoll_poll, .release = epoll_release };

long sys_epoll_create1(u32 flags)
{
	struct epoll *ep;
	struct file *f;
	int fd;

	if (flags & ~(u32)EPOLL_CLOEXEC)
		return -EINVAL;
	ep = kzalloc(sizeof(*ep), GFP_KERNEL);
	if (!ep)
		return -ENOMEM;
	mutex_init(&ep->mutex, LC_EPOLL);
	spin_lock_init(&ep->ready_lock, LC_EPOLL_READY2);
	list_init(&ep->ready);
	wait_queue_init(&ep->wq);
	spin_lock_init(&ep->wq.lock, LC_WAIT2);
	fd = anon_file_create("[eventpoll]", &epoll_fops, ep, O_RDWR, &f);
	if (fd) {
		kfree(ep);
		return fd;
	}
	ep->file = f;
	fd = fd_install_new(f, flags & EPOLL_CLOEXEC ? O_CLOEXEC : 0);
	if (fd < 0)
		file_put_now(f);
	return fd;
}

/* --- epoll_ctl --- */

/* How deep do epolls nest, sub and what it watches?  More than MAX_NESTING: too deep, or ep is among them.  Each is looked at once a walk, however
 * many ways lead there.  epoll_mutex held. */
static u32 depth_below(struct epoll *sub, const struct epoll *ep, u64 walk, u32 level)
{
	u32 deepest = 0;

	if (sub == ep || level > MAX_NESTING)
		return MAX_NESTING + 1;
	if (sub->below.walk == walk)
		return sub->below.depth;
	mutex_lock_nested(&sub->mutex, 10 + level);
	for (struct rb_node *n = sub->nr_nested ? rb_first(&sub->items) : NULL; n; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);

		if (it->nested)
			deepest = max(deepest, depth_below(it->file->private, ep, walk, level + 1));
	}
	mutex_unlock(&sub->mutex);
	sub->below = (struct seen){ walk, deepest + 1 };
	return deepest + 1;
}

/* And those that watch it, itself not included. */
static u32 depth_above(struct epoll *ep, u64 walk)
{
	struct epitem *it;
	u32 highest = 0;

	if (ep->above.walk == walk)
		return ep->above.depth;
	list_for_each_entry(it, &ep->file->epoll_links, file_link)
		highest = max(highest, depth_above(it->ep, walk) + 1);
	ep->above = (struct seen){ walk, highest };
	return highest;
}

static bool too_deep(struct epoll *ep, struct epoll *sub)
{
	static u64 walks;		/* [epoll_mutex] */
	u64 walk = ++walks;

	return depth_above(ep, walk) + depth_below(sub, ep, walk, 1) > MAX_NESTING;
}

int epoll_target(struct file *f, int fd, u32 nth, const void **out)
{
	struct epoll *ep = f->private;
	int err = -ENOENT;

	if (!is_epoll(f))
		return -EINVAL;
	mutex_lock(&ep->mutex);
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);

		if (it->fd == fd && !nth--) {
			*out = it->file;
			err = 0;
			break;
		}
	}
	mutex_unlock(&ep->mutex);
	return err;
}

static int item_add(struct epoll *ep, struct file *f, int fd, const struct epoll_event *ev)
{
	struct epitem *it = kzalloc(sizeof(*it), GFP_KERNEL);
	u32 mask;

	if (!it)
		return -ENOMEM;
	it->ep = ep;
	it->file = f;
	it->fd = fd;
	it->nested = is_epoll(f);
	it->events = ev->events | EPOLLERR | EPOLLHUP;
	it->data = ev->data;
	work_init_as(&it->work, WORK_BRIEF, nested_work);
	item_insert(ep, it);
	ep->nr_nested += it->nested;
	if (!(atomic_load(&f->marks) & FILE_WATCHED))
		atomic_fetch_or(&f->marks, (u32)FILE_WATCHED);
	spin_lock(&f->lock);
	list_add(&it->file_link, &f->epoll_links);
	spin_unlock(&f->lock);
	it->pt.queue = ep_queue;
	it->pt.events = it->events;
	mask = f->ops->poll(f, &it->pt) & it->events & ~(u32)EP_PRIVATE;
	it->pt.queue = NULL;
	if (it->failed) {
		item_remove(it);
		return -ENOMEM;
	}
	if (mask)
		make_ready(it);
	return 0;
}

static void item_modify(struct epitem *it, const struct epoll_event *ev)
{
	WRITE_ONCE(it->events, ev->events | EPOLLERR | EPOLLHUP);
	it->data = ev->data;
	smp_mb();	/* the new events before the question; pairs with the waker's change before it looks at them */
	if (item_mask(it))
		make_ready(it);
}

static int ctl_locked(struct epoll *ep, struct file *f, int fd, int op, const struct epoll_event *ev)
{
	struct epitem *it = item_find(ep, f, fd);

	switch (op) {
	case EPOLL_CTL_ADD:
		return it ? -EEXIST : item_add(ep, f, fd, ev);
	case EPOLL_CTL_DEL:
		if (!it)
			return -ENOENT;
		item_remove(it);
		return 0;
	case EPOLL_CTL_MOD:
		if (!it)
			return -ENOENT;
		if ((it->events | ev->events) & EPOLLEXCLUSIVE)
			return -EINVAL;
		item_modify(it, ev);
		return 0;
	}
	return -EINVAL;
}

static int ctl(struct file *epf, struct file *f, int fd, int op, const struct epoll_event *ev)
{
	struct epoll *ep = epf->private;
	bool nested;
	int err;

	if (!f->ops->poll)
		return -EPERM;
	if (epf == f || !is_epoll(epf))
		return -EINVAL;
	nested = is_epoll(f);
	if ((ev->events & EPOLLEXCLUSIVE) && (nested || op == EPOLL_CTL_MOD || (ev->events & ~(u32)EP_EXCLUSIVE_OK)))
		return -EINVAL;
	if (!nested) {
		mutex_lock(&ep->mutex);
		err = ctl_locked(ep, f, fd, op, ev);
		mutex_unlock(&ep->mutex);
		return err;
	}
	mutex_lock_nested(&epoll_mutex, 1);
	if (op == EPOLL_CTL_ADD && too_deep(ep, f->private)) {
		err = -ELOOP;
	} else {
		mutex_lock_nested(&ep->mutex, 2);
		err = ctl_locked(ep, f, fd, op, ev);
		mutex_unlock(&ep->mutex);
	}
	mutex_unlock(&epoll_mutex);
	return err;
}

long sys_epoll_ctl(int epfd, int op, int fd, const struct epoll_event __user *uev)
{
	struct epoll_event ev = { 0 };
	struct file *epf, *f;
	long err = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&ev, uev, sizeof(ev)))
		return -EFAULT;
	epf = fd_get(epfd);
	f = fd_get(fd);
	if (epf && f)
		err = ctl(epf, f, fd, op, &ev);
	if (f)
		file_put_now(f);
	if (epf)
		file_put_now(epf);
	return err;
}

/* --- epoll_wait --- */

/* One more of those who wait looks for himself: the list is not empty.  Who watches ep has been told of what is on it: no event that anybody asks for. */
static void pass_on(struct epoll *ep)
{
	if (READ_ONCE(ep->nr_ready) && wait_queue_active(&ep->wq))
		wake_up_key(&ep->wq, (void *)(1ull << 32));
}

static int collect(struct epoll *ep, struct epoll_event __user *uev, int max)
{
	int got = 0;
	u32 n;

	mutex_lock(&ep->mutex);
	for (n = READ_ONCE(ep->nr_ready); n && got < max; n--) {
		struct epitem *it = ready_pop(ep);
		struct epoll_event ev;

		if (!it)
			break;
		ev.events = item_mask(it);
		if (!ev.events)
			continue;
		ev.data = it->data;
		if (copy_to_user(uev + got, &ev, sizeof(ev))) {
			ready_put_back(it);
			if (!got)
				got = -EFAULT;
			break;
		}
		got++;
		if (it->events & EPOLLONESHOT)
			it->events &= EP_PRIVATE;
		else if (!(it->events & EPOLLET))
			ready_put_back(it);
	}
	mutex_unlock(&ep->mutex);
	pass_on(ep);
	return got;
}

static int ep_wait(struct epoll *ep, struct epoll_event __user *uev, int max, u64 deadline)
{
	struct wait_entry we;
	int got, err;

	for (;;) {
		if (unlikely(READ_ONCE(ep->nr_nested)))
			hear_nested(ep, 0);
		got = READ_ONCE(ep->nr_ready) ? collect(ep, uev, max) : 0;
		if (got || !deadline)
			return got;
		wait_entry_init(&we);
		we.exclusive = true;
		prepare_to_wait(&ep->wq, &we, TASK_INTERRUPTIBLE);
		err = 0;
		if (!READ_ONCE(ep->nr_ready)) {
			err = wait_check(TASK_INTERRUPTIBLE, deadline);
			if (!err)
				schedule_until(deadline);
		}
		finish_wait(&ep->wq, &we);
		if (!err)
			continue;
		got = READ_ONCE(ep->nr_ready) ? collect(ep, uev, max) : 0;	/* its wake-up may have been ours, and no other's */
		return got ? got : err == -ETIMEDOUT ? 0 : -EINTR;
	}
}

static long pwait(int epfd, struct epoll_event __user *uev, int max, u64 deadline, const struct sigset __user *mask, size_t size)
{
	struct file *f;
	long ret;
	u32 ref;

	if (max <= 0 || max > (int)(0x7fffffff / sizeof(struct epoll_event)))
		return -EINVAL;
	if (!user_range_ok(uev, (size_t)max * sizeof(*uev)))
		return -EFAULT;
	f = fdref_get_any(epfd, &ref);
	if (!f)
		return -EBADF;
	if (!is_epoll(f)) {
		ret = -EINVAL;
	} else {
		ret = sigmask_push(mask, size);
		if (!ret) {
			ret = ep_wait(f->private, uev, max, deadline);
			if (mask)
				sigmask_pop(ret == -EINTR);
		}
	}
	fdref_put(f, ref);
	return ret;
}

long sys_epoll_pwait(int epfd, struct epoll_event __user *uev, int max, int timeout, const struct sigset __user *mask, size_t size)
{
	u64 deadline = timeout < 0 ? TIME_NEVER : timeout ? clock_mono_ns() + (u64)timeout * NSEC_PER_MSEC : 0;

	return pwait(epfd, uev, max, deadline, mask, size);
}

long sys_epoll_pwait2(int epfd, struct epoll_event __user *uev, int max, void __user *timeout, const struct sigset __user *mask,
		      size_t size)
{
	u64 deadline;
	int err = poll_deadline(timeout, &deadline);

	return err ? err : pwait(epfd, uev, max, deadline, mask, size);
}
