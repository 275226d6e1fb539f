/* Futexes: wait and wake on a user word.
 *
 * A waiter takes its bucket's lock, reads the word with faults disabled (on a fault: unlock, fault it in, again), and queues itself
 * if the word still has the value; a waker takes the same lock, so between the check and the sleep no wake is lost.  Keys: private
 * ones are (mm, address); shared ones are the page that backs the address and the offset in it, pinned for the wait.
 * Two buckets are locked in address order.  futex(2), get_robust_list(2). */
#include <linux/futex.h>
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <kernel/time/clock.h>
#include <mm/page.h>
#include <mm/vma.h>
#include <syscall_protos.h>

#define BUCKET_BITS 6

struct bucket { struct spinlock lock; struct list_head waiters; };
struct futex_key { u64 object, offset; struct page *page; };

struct futex_waiter {
	struct list_head link;		/* [bucket] empty: woken */
	struct bucket *bucket;		/* changes on requeue, under both locks */
	struct futex_key key;
	struct task *task;
	u32 bitset;
};

static struct bucket buckets[1 << BUCKET_BITS];
static bool ready;

static struct bucket *bucket_of(const struct futex_key *k)
{
	if (unlikely(!ready)) {		/* first use is by one program, before any thread */
		for (u32 i = 0; i < ARRAY_SIZE(buckets); i++) {
			spin_lock_init(&buckets[i].lock, LC_FUTEX);
			list_init(&buckets[i].waiters);
		}
		ready = true;
	}
	return &buckets[hash_64(k->object * 31 + k->offset, BUCKET_BITS)];
}

static int key_get(u32 __user *uaddr, bool shared, struct futex_key *k)
{
	vaddr_t a = (vaddr_t)uaddr;
	int err;

	if (!IS_ALIGNED(a, 4))
		return -EINVAL;
	if (!user_range_ok(uaddr, 4))
		return -EFAULT;
	if (!shared) {
		*k = (struct futex_key){ (u64)current->mm, a, NULL };
		return 0;
	}
	err = mm_pin_page(current->mm, a, true, &k->page);
	if (err)
		return -EFAULT;
	k->object = (u64)k->page;
	k->offset = a & (PAGE_SIZE - 1);
	return 0;
}

static void key_put(struct futex_key *k)
{
	if (k->page)
		page_put(k->page);
}

static bool key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->object == b->object && a->offset == b->offset;
}

static int read_nofault(u32 __user *p, u32 *v)
{
	int err;

	uaccess_nofault_begin();
	err = get_user(*v, p);
	uaccess_nofault_end();
	return err;
}

static void wake_waiter(struct futex_waiter *w)
{
	struct task *t = w->task;

	task_get(t);
	list_del(&w->link);
	atomic_store_release(&w->task, (struct task *)NULL);	/* w may vanish now */
	task_wake_normal(t);
	task_put(t);
}

static long futex_wake(u32 __user *uaddr, bool shared, int nr, u32 bitset)
{
	struct futex_waiter *w, *n;
	struct futex_key k;
	struct bucket *b;
	int woken = 0, err;

	if (!bitset)
		return -EINVAL;
	err = key_get(uaddr, shared, &k);
	if (err)
		return err;
	b = bucket_of(&k);
	spin_lock(&b->lock);
	list_for_each_entry_safe(w, n, &b->waiters, link)
		if (key_equal(&w->key, &k) && (w->bitset & bitset)) {
			wake_waiter(w);
			if (++woken >= nr)
				break;
		}
	spin_unlock(&b->lock);
	key_put(&k);
	return woken;
}

/* Leave the queue if still on it.  false: somebody woke us. */
static bool unqueue(struct futex_waiter *w)
{
	for (;;) {
		struct bucket *b = READ_ONCE(w->bucket);

		if (!atomic_load_acquire(&w->task))
			return false;
		spin_lock(&b->lock);
		if (b != w->bucket) {
			spin_unlock(&b->lock);
			continue;
		}
		if (!w->task) {
			spin_unlock(&b->lock);
			return false;
		}
		list_del(&w->link);
		spin_unlock(&b->lock);
		return true;
	}
}

static long futex_wait(u32 __user *uaddr, bool shared, u32 val, u64 deadline, u32 bitset);

static long futex_restart(struct restart_block *rb)
{
	return futex_wait(user_ptr(rb->args[0]), rb->args[1], (u32)rb->args[2], rb->args[3], (u32)rb->args[4]);
}

static long futex_wait(u32 __user *uaddr, bool shared, u32 val, u64 deadline, u32 bitset)
{
	struct futex_waiter w = { .task = current, .bitset = bitset };
	long ret;
	u32 cur;

	if (!bitset)
		return -EINVAL;
	for (;;) {
		ret = key_get(uaddr, shared, &w.key);
		if (ret)
			return ret;
		w.bucket = bucket_of(&w.key);
		spin_lock(&w.bucket->lock);
		if (!read_nofault(uaddr, &cur))
			break;
		spin_unlock(&w.bucket->lock);
		key_put(&w.key);
		if (get_user(cur, uaddr))
			return -EFAULT;
	}
	if (cur != val) {
		spin_unlock(&w.bucket->lock);
		key_put(&w.key);
		return -EAGAIN;
	}
	list_add_tail(&w.link, &w.bucket->waiters);
	set_current_state(TASK_INTERRUPTIBLE);
	spin_unlock(&w.bucket->lock);
	for (;;) {
		ret = 0;
		if (!atomic_load_acquire(&w.task))
			break;
		ret = wait_check(TASK_INTERRUPTIBLE, deadline);
		if (ret)
			break;
		wait_sleep(deadline);
		set_current_state(TASK_INTERRUPTIBLE);
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	if (!unqueue(&w))
		ret = 0;
	key_put(&w.key);
	if (ret == -ERESTARTSYS && deadline != TIME_NEVER) {
		current->restart = (struct restart_block){ futex_restart, { (u64)uaddr, shared, val, deadline, bitset } };
		ret = -ERESTART_RESTARTBLOCK;
	}
	return ret;
}

static void lock_two(struct bucket *a, struct bucket *b)
{
	if (a == b) {
		spin_lock(&a->lock);
		return;
	}
	spin_lock_nested(&min(a, b)->lock, (u64)min(a, b));
	spin_lock_nested(&max(a, b)->lock, (u64)max(a, b));
}

static void unlock_two(struct bucket *a, struct bucket *b)
{
	spin_unlock(&max(a, b)->lock);
	if (a != b)
		spin_unlock(&min(a, b)->lock);
}

static long futex_requeue(u32 __user *u1, u32 __user *u2, bool shared, int nr_wake, int nr_requeue, const u32 *cmp)
{
	struct futex_waiter *w, *n;
	struct futex_key k1, k2;
	struct bucket *b1, *b2;
	long done = 0;
	u32 cur;
	int err;

	if (nr_wake < 0 || nr_requeue < 0)
		return -EINVAL;
again:
	err = key_get(u1, shared, &k1);
	if (err)
		return err;
	err = key_get(u2, shared, &k2);
	if (err) {
		key_put(&k1);
		return err;
	}
	b1 = bucket_of(&k1);
	b2 = bucket_of(&k2);
	lock_two(b1, b2);
	if (cmp && read_nofault(u1, &cur)) {
		unlock_two(b1, b2);
		key_put(&k1);
		key_put(&k2);
		if (get_user(cur, u1))
			return -EFAULT;
		goto again;
	}
	if (cmp && cur != *cmp) {
		done = -EAGAIN;
	} else {
		list_for_each_entry_safe(w, n, &b1->waiters, link) {
			if (!key_equal(&w->key, &k1))
				continue;
			if (done < nr_wake) {
				wake_waiter(w);
			} else if (done - nr_wake < nr_requeue) {
				if (b1 != b2)		/* else we should meet it again at the tail */
					list_move_tail(&w->link, &b2->waiters);
				if (k2.page)
					page_get(k2.page);
				key_put(&w->key);
				w->key = k2;
				w->bucket = b2;
			} else {
				break;
			}
			done++;
		}
	}
	unlock_two(b1, b2);
	key_put(&k1);
	key_put(&k2);
	return done;
}

static int wake_op_apply(u32 __user *p, u32 encoded, u32 *old)
{
	u32 op = encoded >> 28 & 7, arg = (u32)((s32)(encoded << 8) >> 20);

	if (encoded >> 31 & 1)
		arg = 1u << (arg & 31);
	if (op > FUTEX_OP_XOR)
		return -ENOSYS;
	return user_atomic_rmw(p, (enum user_atomic_op)op, arg, old);
}

static bool wake_op_test(u32 encoded, u32 old)
{
	s32 v = (s32)old, arg = (s32)(encoded << 20) >> 20;

	switch (encoded >> 24 & 15) {
	case FUTEX_OP_CMP_EQ: return v == arg;
	case FUTEX_OP_CMP_NE: return v != arg;
	case FUTEX_OP_CMP_LT: return v < arg;
	case FUTEX_OP_CMP_LE: return v <= arg;
	case FUTEX_OP_CMP_GT: return v > arg;
	case FUTEX_OP_CMP_GE: return v >= arg;
	default: return false;
	}
}

static long futex_wake_op(u32 __user *u1, u32 __user *u2, bool shared, int nr1, int nr2, u32 op)
{
	u32 old;
	long n, m;
	int err;

	if (!IS_ALIGNED(u1, 4) || !IS_ALIGNED(u2, 4))
		return -EINVAL;
	/* No lock is held: the access faults its page in by itself.  A waiter that looks later sees the new value. */
	err = wake_op_apply(u2, op, &old);
	if (err)
		return err;
	n = futex_wake(u1, shared, nr1, ~0u);
	if (n < 0 || !wake_op_test(op, old))
		return n;
	m = futex_wake(u2, shared, nr2, ~0u);
	return m < 0 ? m : n + m;
}

static int get_deadline(unsigned long timeout, int cmd, bool realtime, u64 *deadline)
{
	struct __kernel_timespec ts;
	u64 ns;

	*deadline = TIME_NEVER;
	if (!timeout)
		return 0;
	if (copy_from_user(&ts, user_ptr(timeout), sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	ns = min((u64)ts.tv_sec, 1ul << 33) * NSEC_PER_SEC + (u64)ts.tv_nsec;
	if (cmd == FUTEX_WAIT)
		*deadline = clock_mono_ns() + ns;
	else if (!realtime)
		*deadline = ns;
	else
		*deadline = (s64)ns > clock_real_offset_ns() ? ns - (u64)clock_real_offset_ns() : 0;
	return 0;
}

long sys_futex(void __user *uaddr, int op, unsigned val, unsigned long timeout, void __user *uaddr2, unsigned val3)
{
	bool shared = !(op & FUTEX_PRIVATE_FLAG), realtime = op & FUTEX_CLOCK_REALTIME;
	int cmd = op & FUTEX_CMD_MASK, err;
	u64 deadline;

	switch (cmd) {
	case FUTEX_WAIT: case FUTEX_WAIT_BITSET:
		err = get_deadline(timeout, cmd, realtime, &deadline);
		return err ? err : futex_wait(uaddr, shared, val, deadline, cmd == FUTEX_WAIT ? ~0u : val3);
	case FUTEX_WAKE:
		return futex_wake(uaddr, shared, (int)val, ~0u);
	case FUTEX_WAKE_BITSET:
		return futex_wake(uaddr, shared, (int)val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(uaddr, uaddr2, shared, (int)val, (int)timeout, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(uaddr, uaddr2, shared, (int)val, (int)timeout, &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(uaddr, uaddr2, shared, (int)val, (int)timeout, val3);
	default:
		return -ENOSYS;
	}
}

/* --- robust lists: locks a dying thread still holds are marked, and one waiter each is woken */

static void robust_one(struct task *t, u32 __user *word)
{
	u32 v, old;

	if (!IS_ALIGNED(word, 4) || get_user(v, word))
		return;
	while ((v & FUTEX_TID_MASK) == (u32)t->tid) {
		if (user_atomic_cmpxchg(word, v, (v & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &old))
			return;
		if (old == v) {
			if (v & FUTEX_WAITERS)
				futex_wake(word, true, 1, ~0u);
			return;
		}
		v = old;
	}
}

static void robust_walk(struct task *t)
{
	struct robust_list_head head;
	u64 entry, pending;

	if (copy_from_user(&head, t->robust_list, sizeof(head)))
		return;
	entry = (u64)head.list.next & ~1ul;
	pending = (u64)head.list_op_pending & ~1ul;
	for (u32 i = 0; entry != (u64)t->robust_list && i < 2048; i++) {
		u64 next;

		if (get_user(next, (u64 __user *)user_ptr(entry)))
			return;
		if (entry != pending)
			robust_one(t, user_ptr(entry + (u64)head.futex_offset));
		entry = next & ~1ul;
	}
	if (pending)
		robust_one(t, user_ptr(pending + (u64)head.futex_offset));
}

void futex_exit(struct task *t)
{
	if (!t->mm)
		return;
	if (t->robust_list)
		robust_walk(t);
	t->robust_list = NULL;
	if (t->clear_child_tid && refcount_read(&t->mm->users) > 1) {
		if (!put_user(0, t->clear_child_tid))
			futex_wake((u32 __user *)t->clear_child_tid, true, 1, ~0u), futex_wake((u32 __user *)t->clear_child_tid, false, 1, ~0u);
	}
	t->clear_child_tid = NULL;
}

long sys_set_robust_list(void __user *head, size_t len)
{
	if (len != sizeof(struct robust_list_head))
		return -EINVAL;
	current->robust_list = head;
	return 0;
}

long sys_get_robust_list(int pid, void __user *head, void __user *len)
{
	size_t size = sizeof(struct robust_list_head);
	struct task *t;
	u64 p = 0;
	long err = 0;

	rcu_read_lock();
	t = pid ? task_find(pid) : current;
	if (!t)
		err = -ESRCH;
	else if (t != current && t->cred->uid != current->cred->euid && !capable(19 /* CAP_SYS_PTRACE */))
		err = -EPERM;
	else
		p = (u64)t->robust_list;
	rcu_read_unlock();
	if (err)
		return err;
	return put_user(size, (size_t __user *)len) || put_user(p, (u64 __user *)head) ? -EFAULT : 0;
}
