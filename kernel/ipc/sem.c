/* Semaphore sets: semget, semop, and what is undone at the end of a process.  semop(2).
 *
 * Theory.  The operations of one call are done one after the other under the set's lock; if one cannot be done now, those before it are
 * taken back, and the call waits in the set's lists with all of them: those that only wait for zeroes apart from those that change
 * something.  After every change (sem_values_changed) first the former are looked at, then the latter from the longest waiting on;
 * one that can be done now is done by the one who made it possible, and its caller wakes to find the result: whoever comes later cannot
 * overtake it.  A change made for a waiter may let others go on, so the round begins anew.
 *
 * Undo.  A process, or several that share it by CLONE_SYSVSEM, has a list of struct sem_undo, one for a set it has used SEM_UNDO with.
 * It is in the set's list too.  Both list locks are needed to link or unlink it, the set's first; adjustments are under the set's.
 * Removal of the set frees those of its list; the end of the last process of a list finds a set, takes a reference under the list's
 * lock, drops that, takes the set's, and looks whether the set was removed meanwhile, which freed the record. */
#include <linux/sched.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/ipc/sem_internal.h>
#include <kernel/ipc/task.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <mm/slab.h>
#include <syscall_protos.h>

#define OPS_ON_STACK 32

struct sem_undo_list {
	struct refcount refs;		/* tasks */
	struct spinlock lock;		/* LC_IPC_UNDO */
	struct list_head undos;		/* [lock] sem_undo.link */
};

struct ipc_kind sem_kind;
u64 sem_used;
s64 sem_msl = SEMMSL, sem_mns = SEMMNS, sem_opm = SEMOPM;

static void set_free(struct ipc_object *o) { kvfree(sem_set_of(o)); }

static int sem_init(void)
{
	ipc_kind_init(&sem_kind, SEMMNI, set_free);
	return 0;
}
BOOT_INIT(core, sem_init);

/* --- the operations of a call: the set's lock is held */

static bool undo_takes(const struct sem_waiter *w, const struct sembuf *op)
{
	int adjust;

	if (!(op->sem_flg & SEM_UNDO))
		return true;
	adjust = w->undo->adjust[op->sem_num] - op->sem_op;
	if (adjust < -SEMAEM - 1 || adjust > SEMAEM)
		return false;
	w->undo->adjust[op->sem_num] = (s16)adjust;
	return true;
}

static void take_back(struct sem_set *s, struct sem_waiter *w, const struct sembuf *end)
{
	for (const struct sembuf *op = w->ops; op < end; op++) {
		s->sems[op->sem_num].value -= op->sem_op;
		if (op->sem_flg & SEM_UNDO)
			w->undo->adjust[op->sem_num] = (s16)(w->undo->adjust[op->sem_num] + op->sem_op);
	}
}

static bool blocks(const struct sem_set *s, const struct sembuf *op)
{
	s32 value = s->sems[op->sem_num].value;

	return op->sem_op ? value + op->sem_op < 0 : value != 0;
}

/* All of them or none.  0, SEM_WAITING, -EAGAIN, -ERANGE. */
static int try_ops(struct sem_set *s, struct sem_waiter *w)
{
	const struct sembuf *op;

	for (op = w->ops; op < w->ops + w->nr_ops; op++) {
		if (blocks(s, op)) {
			take_back(s, w, op);
			w->blocking = op;
			return op->sem_flg & IPC_NOWAIT ? -EAGAIN : SEM_WAITING;
		}
		if (s->sems[op->sem_num].value + op->sem_op > SEMVMX || !undo_takes(w, op)) {
			take_back(s, w, op);
			return -ERANGE;
		}
		s->sems[op->sem_num].value += op->sem_op;
	}
	for (op = w->ops; op < w->ops + w->nr_ops; op++)
		s->sems[op->sem_num].pid = w->pid;
	return 0;
}

static void wake(struct sem_waiter *w, int result)
{
	struct task *t = w->task;

	list_del(&w->link);
	atomic_store_release(&w->result, result);	/* w may vanish now; t may not: the lock is an RCU section */
	task_wake_normal(t);
}

/* One round over a list.  True if a waiter of it was served that changes something; the round ends there. */
static bool serve(struct sem_set *s, struct list_head *waiters, bool *done)
{
	struct sem_waiter *w, *n;

	list_for_each_entry_safe(w, n, waiters, link) {
		bool alters = w->alters;	/* w is gone when it is woken */
		int err = try_ops(s, w);

		if (err == SEM_WAITING)
			continue;
		wake(w, err);
		*done |= !err;
		if (!err && alters)
			return true;
	}
	return false;
}

void sem_values_changed(struct sem_set *s, bool done)
{
	do
		serve(s, &s->zero, &done);
	while (serve(s, &s->alter, &done));
	if (done)
		s->otime = ipc_now();
}

/* --- undo */

static struct sem_undo_list *undo_list_get(void)
{
	struct sem_undo_list *l = current->sem_undo;

	if (l)
		return l;
	l = kzalloc(sizeof(*l), GFP_KERNEL);
	if (!l)
		return NULL;
	refcount_set(&l->refs, 1);
	spin_lock_init(&l->lock, LC_IPC_UNDO);
	list_init(&l->undos);
	current->sem_undo = l;
	return l;
}

static struct sem_undo *undo_find(struct sem_undo_list *l, const struct sem_set *s)
{
	struct sem_undo *u;

	list_for_each_entry(u, &l->undos, link)
		if (u->set == s)
			return u;
	return NULL;
}

/* The set's lock is held; the one found, or spare made into it. */
static struct sem_undo *undo_link(struct sem_undo_list *l, struct sem_set *s, struct sem_undo *spare)
{
	struct sem_undo *u;

	spin_lock(&l->lock);
	u = undo_find(l, s);
	if (!u && spare) {
		u = spare;
		u->set = s;
		u->list = l;
		list_add(&u->link, &l->undos);
		list_add(&u->set_link, &s->undos);
	}
	spin_unlock(&l->lock);
	return u;
}

static void undo_unlink(struct sem_undo *u)
{
	spin_lock(&u->list->lock);
	list_del(&u->link);
	spin_unlock(&u->list->lock);
	list_del(&u->set_link);
}

/* Takes the set's lock; with the calling process's undo record of it, made if there is none.  0, -EIDRM, -ENOMEM: not locked. */
static int lock_with_undo(struct sem_set *s, struct sem_undo **out)
{
	struct sem_undo_list *l = undo_list_get();
	struct sem_undo *spare;
	int err;

	if (!l)
		return -ENOMEM;
	err = ipc_lock(&s->ipc);
	if (err)
		return err;
	*out = undo_link(l, s, NULL);
	if (*out)
		return 0;
	spin_unlock(&s->ipc.lock);
	spare = kvmalloc(sizeof(*spare) + s->nr * sizeof(s16), GFP_KERNEL | GFP_ZERO);
	if (!spare)
		return -ENOMEM;
	err = ipc_lock(&s->ipc);
	if (!err) {
		*out = undo_link(l, s, spare);
		if (*out == spare)
			return 0;
		spin_unlock(&s->ipc.lock);	/* another thread made one: nothing is freed under the lock */
	}
	kvfree(spare);
	return err ? err : lock_with_undo(s, out);
}

void sem_undo_forget(struct sem_set *s, int nr)
{
	struct sem_undo *u;

	list_for_each_entry(u, &s->undos, set_link)
		for (u32 i = 0; i < s->nr; i++)
			if (nr < 0 || i == (u32)nr)
				u->adjust[i] = 0;
}

static void undo_apply(struct sem_set *s, const struct sem_undo *u)
{
	for (u32 i = 0; i < s->nr; i++) {
		struct sem *sem = &s->sems[i];

		if (!u->adjust[i])
			continue;
		sem->value = clamp(sem->value + u->adjust[i], 0, SEMVMX);
		sem->pid = current_pid();
	}
	sem_values_changed(s, true);
}

void sem_set_remove(struct sem_set *s, struct list_head *dead)
{
	struct sem_waiter *w, *nw;
	struct sem_undo *u, *nu;

	list_for_each_entry_safe(u, nu, &s->undos, set_link) {
		undo_unlink(u);
		list_add(&u->set_link, dead);
	}
	list_for_each_entry_safe(w, nw, &s->zero, link)
		wake(w, -EIDRM);
	list_for_each_entry_safe(w, nw, &s->alter, link)
		wake(w, -EIDRM);
	sem_used -= s->nr;
	ipc_remove(&s->ipc);
}

/* The set of the list's first record, referenced; NULL: the list is empty.  A record's set has not been freed, for it would have taken it along. */
static struct sem_set *undo_first_set(struct sem_undo_list *l)
{
	struct sem_set *s = NULL;

	spin_lock(&l->lock);
	if (!list_empty(&l->undos)) {
		s = list_first_entry(&l->undos, struct sem_undo, link)->set;
		refcount_inc(&s->ipc.refs);
	}
	spin_unlock(&l->lock);
	return s;
}

void sem_exit(struct task *t)
{
	struct sem_undo_list *l = t->sem_undo;
	struct sem_set *s;
	struct sem_undo *u;

	t->sem_undo = NULL;
	if (!l || !refcount_dec_and_test(&l->refs))
		return;
	while ((s = undo_first_set(l))) {
		u = NULL;
		if (!ipc_lock(&s->ipc)) {
			u = undo_link(l, s, NULL);
			undo_unlink(u);
			undo_apply(s, u);
			spin_unlock(&s->ipc.lock);
		}
		kvfree(u);
		ipc_put(&s->ipc);
	}
	kfree(l);
}

int sem_fork(struct task *t, bool share)
{
	if (!share)
		return 0;
	t->sem_undo = undo_list_get();
	if (!t->sem_undo)
		return -ENOMEM;
	refcount_inc(&t->sem_undo->refs);
	return 0;
}

/* --- semop */

/* Sleep until the waiter is served, or leave the list. */
static int wait_for_turn(struct sem_set *s, struct sem_waiter *w, u64 deadline)
{
	int result, why = 0;

	for (;;) {
		result = atomic_load_acquire(&w->result);
		if (result != SEM_WAITING)
			break;
		why = wait_check(TASK_INTERRUPTIBLE, deadline);
		if (why)
			break;
		wait_sleep(deadline);
		set_current_state(TASK_INTERRUPTIBLE);
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	if (result != SEM_WAITING)
		return result;
	spin_lock(&s->ipc.lock);
	result = w->result;
	if (result == SEM_WAITING) {
		list_del(&w->link);
		result = why == -ETIMEDOUT ? -EAGAIN : -EINTR;	/* never begun again after a signal: signal(7) */
	}
	spin_unlock(&s->ipc.lock);
	return result;
}

static int do_ops(struct sem_set *s, struct sem_waiter *w, bool undo, u16 highest, u64 deadline)
{
	int err = undo ? lock_with_undo(s, &w->undo) : ipc_lock(&s->ipc);

	if (err)
		return err;
	err = -EFBIG;
	if (highest < s->nr)
		err = ipc_permitted(&s->ipc, w->alters ? IPC_WRITE : IPC_READ);
	if (!err)
		err = try_ops(s, w);
	if (err != SEM_WAITING) {
		if (!err && w->alters)
			sem_values_changed(s, true);
		else if (!err)
			s->otime = ipc_now();
		spin_unlock(&s->ipc.lock);
		return err;
	}
	list_add_tail(&w->link, w->alters ? &s->alter : &s->zero);
	set_current_state(TASK_INTERRUPTIBLE);
	spin_unlock(&s->ipc.lock);
	return wait_for_turn(s, w, deadline);
}

static int semop_id(int id, const struct sembuf *ops, u32 nr, u64 deadline)
{
	struct sem_waiter w = { .task = current, .ops = ops, .nr_ops = nr, .pid = current_pid(), .result = SEM_WAITING };
	struct ipc_object *o;
	bool undo = false;
	u16 highest = 0;
	int err;

	for (u32 i = 0; i < nr; i++) {
		highest = max(highest, ops[i].sem_num);
		undo |= ops[i].sem_flg & SEM_UNDO;
		w.alters |= ops[i].sem_op != 0;
	}
	err = ipc_obtain(&sem_kind, id, &o);
	if (err)
		return err;
	err = do_ops(sem_set_of(o), &w, undo, highest, deadline);
	ipc_put(o);
	return err;
}

long sys_semtimedop(int id, const struct sembuf __user *uops, unsigned nr, const struct __kernel_timespec __user *timeout)
{
	struct sembuf few[OPS_ON_STACK], *ops = few;
	u64 deadline;
	int err, bad_time = ipc_deadline(timeout, &deadline);

	if (bad_time == -EFAULT)
		return bad_time;
	if (nr > (u64)READ_ONCE(sem_opm))
		return -E2BIG;
	if (nr < 1)
		return -EINVAL;
	if (nr > ARRAY_SIZE(few)) {
		ops = kvmalloc(nr * sizeof(*ops), GFP_KERNEL);
		if (!ops)
			return -ENOMEM;
	}
	err = copy_from_user(ops, uops, nr * sizeof(*ops));
	if (!err)
		err = bad_time;
	if (!err)
		err = semop_id(id, ops, nr, deadline);
	if (ops != few)
		kvfree(ops);
	return err;
}

long sys_semop(int id, const struct sembuf __user *ops, unsigned nr)
{
	return sys_semtimedop(id, ops, nr, NULL);
}

/* --- semget */

static int set_create(struct ipc_object **o, void *arg)
{
	int nr = *(int *)arg;
	struct sem_set *s;

	if (!nr)
		return -EINVAL;
	if (sem_used + (u64)nr > (u64)READ_ONCE(sem_mns))
		return -ENOSPC;
	s = kvmalloc(sizeof(*s) + (size_t)nr * sizeof(s->sems[0]), GFP_KERNEL | GFP_ZERO);
	if (!s)
		return -ENOMEM;
	s->nr = (u32)nr;
	s->ctime = ipc_now();
	list_init(&s->zero);
	list_init(&s->alter);
	list_init(&s->undos);
	sem_used += (u64)nr;
	*o = &s->ipc;
	return 0;
}

static void set_abort(struct ipc_object *o)
{
	sem_used -= sem_set_of(o)->nr;
	kvfree(sem_set_of(o));
}

static int set_check(struct ipc_object *o, void *arg)
{
	return (u32)*(int *)arg > sem_set_of(o)->nr ? -EINVAL : 0;
}

long sys_semget(int key, int nr, int flags)
{
	static const struct ipc_get_ops ops = { .create = set_create, .check = set_check, .abort = set_abort };

	if (nr < 0 || nr > READ_ONCE(sem_msl))
		return -EINVAL;
	return ipc_find_or_create(&sem_kind, key, flags, &ops, &nr);
}
