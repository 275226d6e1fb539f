/* User notification: a call that a filter answers with SECCOMP_RET_USER_NOTIF waits until another process has said what becomes of it.
 *
 * Theory.  The filter was made with SECCOMP_FILTER_FLAG_NEW_LISTENER and has a struct notify for life; the descriptor that came of it holds a
 * reference on the filter, and a filter none on the descriptor.  A call that waits is a struct call on its task's stack, in the list of the
 * notify, NEW until a listener has received it, then SENT, at last DONE.  Whoever changes it, or answers, finds it in that list by its number
 * under notify.lock and wakes its task before letting go of that lock; the task takes the lock before it leaves, so that nobody is left
 * holding its stack.  Numbers begin at random and are not used again: an answer that comes late finds nothing.
 *
 * A descriptor to be put into the task (SECCOMP_IOCTL_NOTIF_ADDFD) is a struct parcel on the giver's stack, in the call's list, which the
 * task itself unpacks, in its own table, without the lock; the giver waits, and keeps the listener open.  One that is interrupted takes it
 * back, unless it is being unpacked (PARCEL_TAKEN), which does not last.
 *
 * A signal ends the wait with ERESTARTSYS: the call goes, and begins anew or ends with EINTR as the signal's action says, with another number.
 * SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: once received, only by a signal that kills.  When the last descriptor of the listener is closed, calls
 * that wait and all later ones are ENOSYS.
 *
 * RECV counts, as Linux does, calls that began to wait and not those that still do: who was told by poll(2) that there is one, and finds it
 * gone, gets ENOENT, and is not left waiting.  Nor is he when nobody is left whose calls could come.
 *
 * The lock is a spin lock: poll asks under it, and what is done under it is short.  seccomp(2), seccomp_unotify(2). */
#include <asm/ioctl.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/seccomp.h>
#include <arch/trapframe.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/seccomp_internal.h>
#include <kernel/random/random.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/wait.h>
#include <mm/slab.h>

#define ADDFD_SIZE	24u		/* struct seccomp_notif_addfd as it first was */
#define IN	((void *)(u64)(EPOLLIN | EPOLLRDNORM))
#define OUT	((void *)(u64)(EPOLLOUT | EPOLLWRNORM))
#define HUP	((void *)(u64)EPOLLHUP)

struct notify {
	struct spinlock lock;		/* LC_SECCOMP */
	bool killable;			/* [I] SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV */
	bool closed;			/* [n] nobody listens any more */
	u64 next_id;			/* [n] */
	u32 begun;			/* [n] calls that RECV has not counted yet */
	struct list_head calls;		/* [n] struct call, the oldest first */
	struct wait_queue wq;		/* listeners */
};

struct call {
	struct list_head link;		/* [n] */
	struct task *task;		/* [I] */
	const struct seccomp_data *data;	/* [I] */
	u64 id;				/* [I] once in the list */
	enum { CALL_NEW, CALL_SENT, CALL_DONE } state;	/* [n] */
	bool kicked;			/* [a] written under [n]: the task is to look */
	bool go_on;			/* [n] SECCOMP_USER_NOTIF_FLAG_CONTINUE */
	s64 result;			/* [n] when it is DONE */
	struct list_head parcels;	/* [n] */
	struct wait_queue wq;		/* its task */
};

struct parcel {
	struct list_head link;		/* [n] */
	struct file *file;		/* [I] the giver's reference */
	u32 flags, fd, o_flags;		/* [I] SECCOMP_ADDFD_FLAG_*, O_CLOEXEC */
	enum { PARCEL_SENT, PARCEL_TAKEN, PARCEL_DONE } state;	/* [a] written under [n] */
	long result;			/* [n] when it is DONE */
	struct wait_queue wq;		/* its giver */
};

/* --- the task whose call waits */

/* Under the lock. */
static void kick(struct call *c)
{
	atomic_store(&c->kicked, true);
	wake_up_all(&c->wq);
}

static void parcel_done(struct parcel *p, long result)
{
	p->result = result;
	atomic_store(&p->state, PARCEL_DONE);
	wake_up_all(&p->wq);
}

static long unpack(const struct parcel *p)
{
	int fd;

	file_get(p->file);
	if (p->flags & SECCOMP_ADDFD_FLAG_SETFD)
		return fd_install_at(p->fd, p->file, p->o_flags);
	fd = fd_install_new(p->file, p->o_flags);
	if (fd < 0)
		file_put(p->file);
	return fd;
}

/* The lock is held, and let go meanwhile. */
static void unpack_all(struct notify *n, struct call *c)
{
	while (!list_empty(&c->parcels)) {
		struct parcel *p = list_first_entry(&c->parcels, struct parcel, link);
		long fd;

		list_del_init(&p->link);
		atomic_store(&p->state, PARCEL_TAKEN);
		spin_unlock(&n->lock);
		fd = unpack(p);
		spin_lock(&n->lock);
		if (p->flags & SECCOMP_ADDFD_FLAG_SEND) {
			c->result = fd;
			if (fd < 0)
				c->state = CALL_SENT;	/* the listener may say something else */
		}
		parcel_done(p, fd);
	}
}

static bool holds_on(const struct notify *n, const struct call *c) { return n->killable && c->state == CALL_SENT; }

/* Until it is DONE.  The lock is held, and let go meanwhile. */
static void wait_done(struct notify *n, struct call *c)
{
	while (c->state != CALL_DONE || c->kicked) {
		bool killable = holds_on(n, c);
		int err;

		spin_unlock(&n->lock);
		err = killable ? wait_event_killable(&c->wq, atomic_load(&c->kicked)) : wait_event_interruptible(&c->wq, atomic_load(&c->kicked));
		spin_lock(&n->lock);
		if (c->kicked) {
			c->kicked = false;
			unpack_all(n, c);
		} else if (err && (killable || !holds_on(n, c))) {
			c->result = err;
			return;
		}
	}
}

static void leave(struct call *c)
{
	list_del(&c->link);
	while (!list_empty(&c->parcels)) {
		struct parcel *p = list_first_entry(&c->parcels, struct parcel, link);

		list_del_init(&p->link);
		parcel_done(p, -ESRCH);
	}
}

bool notify_call(struct seccomp_filter *f, const struct seccomp_data *data, struct trap_frame *tf)
{
	struct call c = { .task = current, .data = data, .result = -ENOSYS };
	struct notify *n = f->notify;

	list_init(&c.parcels);
	wait_queue_init(&c.wq);
	if (n) {
		spin_lock(&n->lock);
		if (!n->closed) {
			c.id = n->next_id++;
			list_add_tail(&c.link, &n->calls);
			n->begun++;
			wake_up_all_key(&n->wq, IN);
			wait_done(n, &c);
			leave(&c);
		}
		spin_unlock(&n->lock);
	}
	if (c.go_on)
		return true;
	tf->x[0] = (u64)c.result;
	return false;
}

/* --- the listener */

static struct call *find(struct notify *n, u64 id)
{
	struct call *c;

	list_for_each_entry(c, &n->calls, link)
		if (c->id == id)
			return c;
	return NULL;
}

static struct call *first_new(struct notify *n)
{
	struct call *c;

	list_for_each_entry(c, &n->calls, link)
		if (c->state == CALL_NEW)
			return c;
	return NULL;
}

static bool users_gone(const struct seccomp_filter *f) { return !refcount_read(&f->users); }

/* Has a call begun that nobody counted?  Nothing will if nobody is left. */
static bool count_one(const struct seccomp_filter *f)
{
	struct notify *n = f->notify;
	bool got;

	spin_lock(&n->lock);
	got = n->begun;
	n->begun -= got;
	spin_unlock(&n->lock);
	return got || users_gone(f);
}

/* The listener could not be told: the call is as new.  It may have gone meanwhile. */
static void take_back(struct notify *n, u64 id)
{
	struct call *c;

	spin_lock(&n->lock);
	c = find(n, id);
	if (c && c->state == CALL_SENT) {
		c->state = CALL_NEW;
		n->begun++;
		kick(c);		/* it may wait otherwise from here on */
		wake_up_all_key(&n->wq, IN);
	}
	spin_unlock(&n->lock);
}

static long receive(struct seccomp_filter *f, struct seccomp_notif __user *to)
{
	struct seccomp_notif told;
	struct notify *n = f->notify;
	struct call *c;

	if (copy_from_user(&told, to, sizeof(told)))
		return -EFAULT;
	for (u32 i = 0; i < sizeof(told); i++)
		if (((const u8 *)&told)[i])
			return -EINVAL;
	if (wait_event_interruptible(&n->wq, count_one(f)))
		return -EINTR;
	spin_lock(&n->lock);
	c = first_new(n);
	if (c) {
		told.id = c->id;
		told.pid = (u32)READ_ONCE(c->task->tid);
		told.data = *c->data;
		c->state = CALL_SENT;
		wake_up_all_key(&n->wq, OUT);
	}
	spin_unlock(&n->lock);
	if (!c)
		return -ENOENT;
	if (!copy_to_user(to, &told, sizeof(told)))
		return 0;
	take_back(n, told.id);
	return -EFAULT;
}

static long answer(struct notify *n, const void __user *from)
{
	struct seccomp_notif_resp r;
	struct call *c;
	long err = 0;

	if (copy_from_user(&r, from, sizeof(r)))
		return -EFAULT;
	if ((r.flags & ~(u32)SECCOMP_USER_NOTIF_FLAG_CONTINUE) || (r.flags && (r.error || r.val)))
		return -EINVAL;
	spin_lock(&n->lock);
	c = find(n, r.id);
	if (!c) {
		err = -ENOENT;
	} else if (c->state != CALL_SENT) {
		err = -EINPROGRESS;
	} else {
		c->state = CALL_DONE;
		c->go_on = r.flags;
		c->result = r.error ? r.error : r.val;
		kick(c);
	}
	spin_unlock(&n->lock);
	return err;
}

static long id_valid(struct notify *n, const void __user *from)
{
	const struct call *c;
	bool valid;
	u64 id;

	if (copy_from_user(&id, from, sizeof(id)))
		return -EFAULT;
	spin_lock(&n->lock);
	c = find(n, id);
	valid = c && c->state == CALL_SENT;
	spin_unlock(&n->lock);
	return valid ? 0 : -ENOENT;
}

/* Under the lock. */
static long parcel_send(struct notify *n, u64 id, struct parcel *p)
{
	struct call *c = find(n, id);

	if (!c)
		return -ENOENT;
	if (c->state != CALL_SENT)
		return -EINPROGRESS;
	if (p->flags & SECCOMP_ADDFD_FLAG_SEND) {
		if (!list_empty(&c->parcels))
			return -EBUSY;
		c->state = CALL_DONE;		/* one answer, and this is it */
	}
	list_add_tail(&p->link, &c->parcels);
	kick(c);
	return 0;
}

/* Its giver was interrupted.  Under the lock. */
static long parcel_take_back(struct notify *n, u64 id, struct parcel *p)
{
	struct call *c = find(n, id);

	list_del_init(&p->link);
	if (c && (p->flags & SECCOMP_ADDFD_FLAG_SEND))
		c->state = CALL_SENT;
	return -ERESTARTSYS;
}

static long parcel_give(struct notify *n, u64 id, struct parcel *p)
{
	long err;

	wait_queue_init(&p->wq);
	spin_lock(&n->lock);
	err = parcel_send(n, id, p);
	if (!err) {
		spin_unlock(&n->lock);
		(void)wait_event_interruptible(&p->wq, atomic_load(&p->state) == PARCEL_DONE);
		spin_lock(&n->lock);
		if (p->state == PARCEL_SENT) {
			err = parcel_take_back(n, id, p);
		} else if (p->state == PARCEL_TAKEN) {
			spin_unlock(&n->lock);
			wait_event(&p->wq, atomic_load(&p->state) == PARCEL_DONE);
			spin_lock(&n->lock);
		}
		if (!err)
			err = p->result;
	}
	spin_unlock(&n->lock);
	return err;
}

/* size: what the caller's header says the structure has; bytes that we do not know must be 0. */
static long add_fd(struct notify *n, const u8 __user *from, u32 size)
{
	struct seccomp_notif_addfd a = { 0 };
	struct parcel p = { 0 };
	long err;

	if (size < ADDFD_SIZE || size >= PAGE_SIZE)
		return -EINVAL;
	for (u32 i = sizeof(a); i < size; i++) {
		u8 more;

		if (copy_from_user(&more, from + i, 1))
			return -EFAULT;
		if (more)
			return -E2BIG;
	}
	if (copy_from_user(&a, from, min((size_t)size, sizeof(a))))
		return -EFAULT;
	if ((a.newfd_flags & ~(u32)O_CLOEXEC) || (a.flags & ~(u32)(SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND)) ||
	    (a.newfd && !(a.flags & SECCOMP_ADDFD_FLAG_SETFD)))
		return -EINVAL;
	p = (struct parcel){ .file = fd_get((int)a.srcfd), .flags = a.flags, .fd = a.newfd, .o_flags = a.newfd_flags };
	if (!p.file)
		return -EBADF;
	err = parcel_give(n, a.id, &p);
	file_put(p.file);
	return err;
}

static long notify_ioctl(struct file *file, u32 cmd, u64 arg)
{
	struct seccomp_filter *f = file->private;
	void __user *user = user_ptr(arg);

	switch (cmd) {
	case SECCOMP_IOCTL_NOTIF_RECV:
		return receive(f, user);
	case SECCOMP_IOCTL_NOTIF_SEND:
		return answer(f->notify, user);
	case SECCOMP_IOCTL_NOTIF_ID_VALID:
	case SECCOMP_IOR(2, __u64):		/* what this was by mistake, before Linux 5.9 */
		return id_valid(f->notify, user);
	}
	if ((cmd & ~(u32)(IOC_INOUT | IOCSIZE_MASK)) == (SECCOMP_IOCTL_NOTIF_ADDFD & ~(u32)(IOC_INOUT | IOCSIZE_MASK)))
		return add_fd(f->notify, user, _IOC_SIZE(cmd));
	return -EINVAL;
}

static u32 notify_poll(struct file *file, struct poll_table *pt)
{
	const struct seccomp_filter *f = file->private;
	struct notify *n = f->notify;
	const struct call *c;
	u32 events = 0;

	poll_wait(pt, file, &n->wq);
	smp_mb();	/* queued before looking; pairs with the one in notify_users_gone */
	spin_lock(&n->lock);
	list_for_each_entry(c, &n->calls, link) {
		if (c->state == CALL_NEW)
			events |= EPOLLIN | EPOLLRDNORM;
		else if (c->state == CALL_SENT)
			events |= EPOLLOUT | EPOLLWRNORM;
	}
	spin_unlock(&n->lock);
	return events | (users_gone(f) ? EPOLLHUP : 0);
}

static void notify_release(struct file *file)
{
	struct seccomp_filter *f = file->private;
	struct notify *n = f->notify;
	struct call *c;

	spin_lock(&n->lock);
	atomic_store(&n->closed, true);
	list_for_each_entry(c, &n->calls, link) {
		if (c->state == CALL_DONE)
			continue;
		c->state = CALL_DONE;
		c->result = -ENOSYS;
		kick(c);
	}
	spin_unlock(&n->lock);
	seccomp_filter_put(f);
}

static const struct file_ops notify_fops = { .seek = noop_seek, .ioctl = notify_ioctl, .poll = notify_poll, .release = notify_release };

/* --- for seccomp.c */

int notify_create(struct seccomp_filter *f, bool killable, struct file **out)
{
	struct notify *n = kzalloc(sizeof(*n), GFP_KERNEL);
	int err;

	if (!n)
		return -ENOMEM;
	spin_lock_init(&n->lock, LC_SECCOMP);
	n->killable = killable;
	n->next_id = random_u64();
	list_init(&n->calls);
	wait_queue_init(&n->wq);
	f->notify = n;		/* and goes with it */
	err = anon_file_create("seccomp notify", &notify_fops, f, O_RDWR, out);
	if (!err)
		refcount_inc(&f->refs);
	return err;
}

void notify_free(struct notify *n) { kfree(n); }

bool notify_open(const struct seccomp_filter *f) { return f->notify && !atomic_load(&f->notify->closed); }

void notify_users_gone(struct seccomp_filter *f)
{
	if (!f->notify)
		return;
	smp_mb();	/* the count, before looking who waits; pairs with the one in notify_poll */
	wake_up_all_key(&f->notify->wq, HUP);
}
