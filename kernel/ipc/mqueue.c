/* POSIX message queues: sending and receiving.  mq_overview(7), mq_send(3), mq_receive(3).
 *
 * Theory.  A queue is a file of the filesystem mqueue (mqueue_fs.c): its names, owners, modes and lifetime are a file's, and the calls here take
 * what mq_open or open returned.  Messages lie in a tree, the highest priority first and the oldest first of each, so that both calls find
 * their place in the logarithm of how many there are.
 *
 * A message is copied from its sender before the queue's lock is taken and to its receiver after it was let go.  Who has to wait lies with what he has or
 * wants in a list of the queue, by the priority of his task, then by arrival.  A sender hands his message to the first waiting receiver; one
 * that finds no room waits with it, and the receiver that makes room puts it in for him.  So receivers wait only while the queue is empty and
 * senders only while it is full, nobody wakes in vain, and nobody overtakes.  `waiting` is cleared last (release): the waiter, its stack with the entry,
 * is gone as soon as it sees that (acquire).
 *
 * Who asked to be told by mq_notify is told once, when a message comes into the empty queue and nobody waits for it.  What was registered is taken
 * out under the lock, and told after: signals and sockets have locks that come before ours.
 *
 * Locks: the queue's spin lock (LC_IPC), alone; no program's memory is touched under it.
 *
 * Rejected: System V's objects (ipc.c) for these: names, permissions and lifetimes have nothing in common. */
#include <linux/fcntl.h>
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <kernel/errno.h>
#include <kernel/ipc/ipc.h>
#include <kernel/ipc/mqueue_internal.h>
#include <kernel/sched/sched.h>
#include <kernel/time/clock.h>
#include <kernel/time/itimer.h>
#include <kernel/time/wake_timer.h>
#include <mm/slab.h>
#include <syscall_protos.h>

#define FAIR_RANK	120		/* a fair task's, with its nice value; real-time ones are 0 to 98 */

/* --- messages: the queue's lock is held */

static void message_put(struct mqueue *q, struct mq_message *m, u32 prio)
{
	struct rb_node **link = &q->messages.rb_node, *parent = NULL;

	m->order = (u64)(MQ_PRIO_MAX - 1 - prio) << MQ_ARRIVAL_BITS | q->arrivals++;
	while (*link) {
		parent = *link;
		link = m->order < rb_entry(parent, struct mq_message, node)->order ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&m->node, parent, link);
	rb_insert_color(&m->node, &q->messages);
	q->bytes += m->len;
	WRITE_ONCE(q->nr, q->nr + 1);
}

/* The next message, of which there is one. */
static struct mq_message *message_take(struct mqueue *q)
{
	struct mq_message *m = rb_entry(rb_first(&q->messages), struct mq_message, node);

	rb_erase(&m->node, &q->messages);
	q->bytes -= m->len;
	WRITE_ONCE(q->nr, q->nr - 1);
	return m;
}

static u32 message_prio(const struct mq_message *m) { return MQ_PRIO_MAX - 1 - (u32)(m->order >> MQ_ARRIVAL_BITS); }

/* --- waiting */

static u32 rank_of_current(void)
{
	u32 rt = sched_prio(current);

	return rt ? 99 - rt : (u32)(FAIR_RANK + READ_ONCE(current->se.nice));
}

/* Behind those who are served before w.  The lock is held. */
static void enlist(struct list_head *list, struct mq_waiter *w)
{
	struct list_head *at = list->prev;

	while (at != list && list_entry(at, struct mq_waiter, link)->rank > w->rank)
		at = at->prev;
	list_add(&w->link, at);
}

static struct mq_waiter *first_of(struct list_head *list)
{
	return list_empty(list) ? NULL : list_first_entry(list, struct mq_waiter, link);
}

/* w has what it waited for.  The lock is held. */
static void serve(struct mq_waiter *w)
{
	struct task *t = w->task;

	list_del(&w->link);
	atomic_store_release(&w->waiting, 0);	/* w may vanish now; t may not: the lock is an RCU section */
	task_wake_normal(t);
}

/* Until somebody serves w: 0, -ERESTARTSYS, -ETIMEDOUT.  The lock is held, and let go. */
static int wait_in(struct mqueue *q, struct list_head *list, struct mq_waiter *w, u64 deadline)
{
	struct wake_timer timer;
	int err;

	w->task = current;
	w->rank = rank_of_current();
	w->waiting = 1;
	enlist(list, w);
	set_current_state(TASK_INTERRUPTIBLE);
	spin_unlock(&q->lock);
	wake_timer_begin(&timer, deadline, TIMER_REAL);
	do
		err = atomic_load_acquire(&w->waiting) ? wake_timer_sleep(&timer) : 1;
	while (!err);
	WRITE_ONCE(current->state, TASK_RUNNING);
	wake_timer_end(&timer);
	if (err > 0)
		return 0;
	spin_lock(&q->lock);
	if (w->waiting)
		list_del(&w->link);
	else
		err = 0;
	spin_unlock(&q->lock);
	return err;
}

/* --- the calls */

/* An absolute time of the clock that can be set; NULL: never. */
static int deadline_of(const struct __kernel_timespec __user *timeout, u64 *ns)
{
	struct __kernel_timespec ts;

	*ns = TIME_NEVER;
	if (likely(!timeout))
		return 0;
	if (copy_from_user(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ns = timespec_ns(&ts);
	return 0;
}

static void queue_used(struct file *f) { inode_touch(f->inode, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME); }

/* w->msg is sent, or the caller's again with the error. */
static int send_or_wait(struct file *f, struct mqueue *q, struct mq_waiter *w, u64 deadline)
{
	struct mq_notice notice = { .owner = NULL };
	struct mq_waiter *r;

	spin_lock(&q->lock);
	if (q->nr >= q->max_nr) {
		if (!(f->flags & O_NONBLOCK))
			return wait_in(q, &q->senders, w, deadline);
		spin_unlock(&q->lock);
		return -EAGAIN;
	}
	r = first_of(&q->receivers);
	if (r) {
		w->msg->order = (u64)(MQ_PRIO_MAX - 1 - w->prio) << MQ_ARRIVAL_BITS;
		r->msg = w->msg;
		serve(r);
	} else {
		message_put(q, w->msg, w->prio);
		if (q->nr == 1)
			notice = mq_notice_take(q, NULL);
	}
	spin_unlock(&q->lock);
	if (!r)
		wake_up(&q->wait);
	mq_notice_send(&notice);
	queue_used(f);
	return 0;
}

static int send(struct file *f, const void __user *text, size_t len, u32 prio, u64 deadline)
{
	struct mq_waiter w = { .prio = prio };
	struct mqueue *q = mqueue_of(f);
	void *m;
	int err;

	if (!q || !(f->mode & FMODE_WRITE))
		return -EBADF;
	if (len > q->max_len)
		return -EMSGSIZE;
	err = ipc_copy_in(&m, sizeof(*w.msg), text, len);
	if (err)
		return err;
	w.msg = m;
	w.msg->len = len;
	err = send_or_wait(f, q, &w, deadline);
	if (err)
		kvfree(m);
	return err;
}

long sys_mq_timedsend(int mqd, const void __user *text, size_t len, u32 prio, const struct __kernel_timespec __user *timeout)
{
	struct file *f;
	u64 deadline;
	u32 ref;
	int err = deadline_of(timeout, &deadline);

	if (err)
		return err;
	if (prio >= MQ_PRIO_MAX)
		return -EINVAL;
	f = fdref_get(mqd, &ref);
	if (!f)
		return -EBADF;
	err = send(f, text, len, prio, deadline);
	fdref_put(f, ref);
	return err;
}

/* w->msg is the caller's, or the error. */
static int receive_or_wait(struct file *f, struct mqueue *q, struct mq_waiter *w, u64 deadline)
{
	struct mq_waiter *s;

	spin_lock(&q->lock);
	if (!q->nr) {
		if (!(f->flags & O_NONBLOCK))
			return wait_in(q, &q->receivers, w, deadline);
		spin_unlock(&q->lock);
		return -EAGAIN;
	}
	w->msg = message_take(q);
	s = first_of(&q->senders);
	if (s) {
		message_put(q, s->msg, s->prio);
		serve(s);
	}
	spin_unlock(&q->lock);
	if (!s)
		wake_up(&q->wait);
	queue_used(f);
	return 0;
}

static ssize_t receive(struct file *f, void __user *text, size_t size, u32 __user *prio, u64 deadline)
{
	struct mqueue *q = mqueue_of(f);
	struct mq_waiter w = { .msg = NULL };
	ssize_t ret;

	if (!q || !(f->mode & FMODE_READ))
		return -EBADF;
	if (size < q->max_len)
		return -EMSGSIZE;
	ret = receive_or_wait(f, q, &w, deadline);
	if (ret)
		return ret;
	ret = (ssize_t)w.msg->len;
	if ((prio && put_user(message_prio(w.msg), prio)) || copy_to_user(text, w.msg->text, w.msg->len))
		ret = -EFAULT;
	kvfree(w.msg);
	return ret;
}

long sys_mq_timedreceive(int mqd, void __user *text, size_t size, u32 __user *prio, const struct __kernel_timespec __user *timeout)
{
	struct file *f;
	u64 deadline;
	u32 ref;
	long ret = deadline_of(timeout, &deadline);

	if (ret)
		return ret;
	f = fdref_get(mqd, &ref);
	if (!f)
		return -EBADF;
	ret = receive(f, text, size, prio, deadline);
	fdref_put(f, ref);
	return ret;
}
