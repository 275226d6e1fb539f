/* Message queues of System V: msgget, msgsnd, msgrcv.  msgop(2).
 *
 * Theory.  A message is copied from its sender before any lock is taken, and to its receiver after.  A sender hands it to the longest waiting
 * receiver that wants it, else it goes to the end of the queue, if there is room; else the sender waits, the message with it, and whoever
 * makes room (a receiver, IPC_SET) sends it for him.  So a message is never in the queue while somebody waits who wants it, and nobody waits to
 * send what would fit, but those who came after one whose message is too large do not wait for him: as on Linux.
 *
 * A receiver whose buffer is too small for the message that comes is told E2BIG, and the message goes on to the next. */
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/ipc/msg_internal.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <mm/slab.h>
#include <syscall_protos.h>

struct ipc_kind msg_kind;
s64 msg_max = MSGMAX, msg_mnb = MSGMNB;

static void queue_free(struct ipc_object *o) { kfree(msg_queue_of(o)); }

static int msg_init(void)
{
	ipc_kind_init(&msg_kind, MSGMNI, queue_free);
	return 0;
}
BOOT_INIT(core, msg_init);

static int message_copy_in(struct ipc_message **out, s64 type, const void __user *text, size_t len)
{
	void *m;
	int err = ipc_copy_in(&m, sizeof(**out), text, len);

	if (err)
		return err;
	*out = m;
	(*out)->type = type;
	(*out)->len = len;
	return 0;
}

/* --- sending and receiving: the queue's lock is held */

static bool wanted(const struct msg_waiter *w, const struct ipc_message *m)
{
	switch (w->mode) {
	case MSG_WANT_EQUAL:
		return m->type == w->type;
	case MSG_WANT_OTHER:
		return m->type != w->type;
	case MSG_WANT_UP_TO:
		return m->type <= w->type;
	default:
		return true;
	}
}

static void wake(struct msg_waiter *w, int result)
{
	struct task *t = w->task;

	list_del(&w->link);
	atomic_store_release(&w->result, result);	/* w may vanish now; t may not: the lock is an RCU section */
	task_wake_normal(t);
}

static bool fits(const struct msg_queue *q, const struct ipc_message *m)
{
	return q->bytes + m->len <= q->max_bytes && q->nr < q->max_bytes;
}

/* There is room for m. */
static void send(struct msg_queue *q, struct ipc_message *m, s32 pid)
{
	struct msg_waiter *w, *n;

	q->lspid = pid;
	q->stime = ipc_now();
	list_for_each_entry_safe(w, n, &q->receivers, link) {
		if (!wanted(w, m))
			continue;
		if (w->size < m->len) {
			wake(w, -E2BIG);
			continue;
		}
		q->lrpid = w->pid;
		q->rtime = q->stime;
		w->msg = m;
		wake(w, 0);
		return;
	}
	list_add_tail(&m->link, &q->messages);
	q->bytes += m->len;
	q->nr++;
}

static void send_for_waiters(struct msg_queue *q)
{
	struct msg_waiter *w, *n;

	list_for_each_entry_safe(w, n, &q->senders, link)
		if (fits(q, w->msg)) {
			send(q, w->msg, w->pid);
			wake(w, 0);
		}
}

/* The message that w wants, or NULL. */
static struct ipc_message *find(const struct msg_queue *q, const struct msg_waiter *w)
{
	struct ipc_message *m, *best = NULL;
	s64 number = 0;

	list_for_each_entry(m, &q->messages, link) {
		if (w->mode == MSG_WANT_NUMBER ? number++ != w->type : !wanted(w, m))
			continue;
		if (w->mode != MSG_WANT_UP_TO)
			return m;
		if (!best || m->type < best->type)
			best = m;
	}
	return best;
}

static void take(struct msg_queue *q, struct msg_waiter *w, struct ipc_message *m)
{
	list_del(&m->link);
	q->bytes -= m->len;
	q->nr--;
	q->rtime = ipc_now();
	q->lrpid = w->pid;
	w->msg = m;
	send_for_waiters(q);
}

void msg_limits_changed(struct msg_queue *q)
{
	struct msg_waiter *w, *n;

	list_for_each_entry_safe(w, n, &q->receivers, link)
		wake(w, MSG_LOOK_AGAIN);
	list_for_each_entry_safe(w, n, &q->senders, link)
		wake(w, MSG_LOOK_AGAIN);
}

void msg_queue_remove(struct msg_queue *q, struct list_head *dead)
{
	struct msg_waiter *w, *n;

	list_for_each_entry_safe(w, n, &q->receivers, link)
		wake(w, -EIDRM);
	list_for_each_entry_safe(w, n, &q->senders, link)
		wake(w, -EIDRM);
	list_splice_init(&q->messages, dead);
	ipc_remove(&q->ipc);
}

/* --- waiting */

/* The queue's lock is held, and let go.  0, MSG_LOOK_AGAIN, or an error. */
static int wait_in(struct msg_queue *q, struct list_head *list, struct msg_waiter *w)
{
	int result;

	w->result = MSG_WAITING;
	list_add_tail(&w->link, list);
	set_current_state(TASK_INTERRUPTIBLE);
	spin_unlock(&q->ipc.lock);
	while ((result = atomic_load_acquire(&w->result)) == MSG_WAITING && !signal_pending()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	if (result != MSG_WAITING)
		return result;
	spin_lock(&q->ipc.lock);
	result = w->result;
	if (result == MSG_WAITING) {
		list_del(&w->link);
		result = -ERESTARTNOHAND;
	}
	spin_unlock(&q->ipc.lock);
	return result;
}

static int send_or_wait(struct msg_queue *q, struct msg_waiter *w, int flags)
{
	int err;

	do {
		err = ipc_lock_permitted(&q->ipc, IPC_WRITE);
		if (err)
			return err;
		if (fits(q, w->msg)) {
			send(q, w->msg, w->pid);
			spin_unlock(&q->ipc.lock);
			return 0;
		}
		if (flags & IPC_NOWAIT) {
			spin_unlock(&q->ipc.lock);
			return -EAGAIN;
		}
		err = wait_in(q, &q->senders, w);
	} while (err == MSG_LOOK_AGAIN);
	return err;
}

long sys_msgsnd(int id, const struct msgbuf __user *buf, size_t len, int flags)
{
	struct msg_waiter w = { .task = current, .pid = current_pid() };
	struct ipc_object *o;
	s64 type;
	int err;

	if (get_user(type, &buf->mtype))
		return -EFAULT;
	if (len > (u64)READ_ONCE(msg_max) || id < 0 || type < 1)
		return -EINVAL;
	err = message_copy_in(&w.msg, type, buf->mtext, len);
	if (err)
		return err;
	err = ipc_obtain(&msg_kind, id, &o);
	if (!err) {
		err = send_or_wait(msg_queue_of(o), &w, flags);
		ipc_put(o);
	}
	if (err)
		kvfree(w.msg);
	return err;
}

/* MSG_COPY: what was allocated for it is filled, and the message stays.  The queue's lock is held. */
static int copy(struct msg_waiter *w, const struct ipc_message *m, struct ipc_message *spare)
{
	if (m->len > spare->len)
		return -EINVAL;
	spare->type = m->type;
	spare->len = m->len;
	memcpy(spare->text, m->text, m->len);
	w->msg = spare;
	return 0;
}

/* spare: NULL unless MSG_COPY, which does not wait. */
static int receive_or_wait(struct msg_queue *q, struct msg_waiter *w, int flags, struct ipc_message *spare)
{
	struct ipc_message *m;
	int err;

	do {
		err = ipc_lock_permitted(&q->ipc, IPC_READ);
		if (err)
			return err;
		m = find(q, w);
		if (!m && !(flags & IPC_NOWAIT)) {
			err = wait_in(q, &q->receivers, w);
			continue;
		}
		if (!m)
			err = -ENOMSG;
		else if (m->len > w->size)
			err = -E2BIG;
		else if (spare)
			err = copy(w, m, spare);
		else
			take(q, w, m);
		spin_unlock(&q->ipc.lock);
		return err;
	} while (err == MSG_LOOK_AGAIN);
	return err;
}

static void set_wanted(struct msg_waiter *w, s64 type, int flags)
{
	w->type = type;
	if (flags & MSG_COPY) {
		w->mode = MSG_WANT_NUMBER;
	} else if (!type) {
		w->mode = MSG_WANT_ANY;
	} else if (type < 0) {
		w->mode = MSG_WANT_UP_TO;
		w->type = type == INT64_MIN ? INT64_MAX : -type;
	} else {
		w->mode = flags & MSG_EXCEPT ? MSG_WANT_OTHER : MSG_WANT_EQUAL;
	}
}

static ssize_t message_copy_out(void __user *buf, size_t size, const struct ipc_message *m)
{
	size_t len = min(size, m->len);

	if (put_user(m->type, (s64 __user *)buf) || copy_to_user((u8 __user *)buf + sizeof(m->type), m->text, len))
		return -EFAULT;
	return (ssize_t)len;
}

/* As on Linux the room for MSG_COPY is filled from the program's buffer first, which must be readable, then. */
static int copy_room(struct ipc_message **out, void __user *buf, size_t size, int flags)
{
	*out = NULL;
	if (!(flags & MSG_COPY))
		return 0;
	if ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT))
		return -EINVAL;
	return message_copy_in(out, 0, buf, min(size, (u64)READ_ONCE(msg_max)));
}

long sys_msgrcv(int id, void __user *buf, size_t size, long type, int flags)
{
	struct msg_waiter w = { .task = current, .pid = current_pid(), .size = flags & MSG_NOERROR ? ~0ul : size };
	struct ipc_message *spare;
	struct ipc_object *o;
	ssize_t ret;

	if (id < 0 || (ssize_t)size < 0)
		return -EINVAL;
	set_wanted(&w, type, flags);
	ret = copy_room(&spare, buf, size, flags);
	if (ret)
		return ret;
	ret = ipc_obtain(&msg_kind, id, &o);
	if (!ret) {
		ret = receive_or_wait(msg_queue_of(o), &w, flags, spare);
		ipc_put(o);
	}
	if (!ret)
		ret = message_copy_out(buf, size, w.msg);
	if (w.msg != spare)
		kvfree(w.msg);
	kvfree(spare);
	return ret;
}

/* --- msgget */

static int queue_create(struct ipc_object **o, void *arg)
{
	struct msg_queue *q = kzalloc(sizeof(*q), GFP_KERNEL);

	(void)arg;
	if (!q)
		return -ENOMEM;
	list_init(&q->messages);
	list_init(&q->receivers);
	list_init(&q->senders);
	q->max_bytes = (u64)READ_ONCE(msg_mnb);
	q->ctime = ipc_now();
	*o = &q->ipc;
	return 0;
}

long sys_msgget(int key, int flags)
{
	static const struct ipc_get_ops ops = { .create = queue_create, .abort = queue_free };

	return ipc_find_or_create(&msg_kind, key, flags, &ops, NULL);
}
