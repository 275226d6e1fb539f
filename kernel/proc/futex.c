/* Futexes: wait and wake on a user word.
 *
 * Theory.  A waiter takes its bucket's lock, reads the word with faults disabled (on a fault: unlock, fault it in, again), and queues
 * itself if the word still has the value; a waker, who changed the word before, takes the same lock, so between the check and the sleep
 * no wake is lost.  Waiters of higher real-time priority stand before others.
 *
 * Keys.  Of private ones, and of shared ones in private memory, (mm, address); of shared ones in a file or in shared memory, the page
 * that holds the word and the offset in it.  The page is pinned for the wait, so that it stays the word's: unmapping the word, or cutting
 * the file, takes nothing from those who wait (a waker must still have it mapped).
 *
 * Whoever wakes a waiter takes it off the queue and stores NULL in its task; from then on the waiter may return, and its stack with it, so
 * the task pointer is taken before.  The lock keeps preemption off, an RCU read section: the task cannot be freed before the wake-up.
 *
 * Two buckets are locked in address order.  Requeueing is in futex_requeue.c, priority inheritance in futex_pi.c, waiting for several in
 * futex_waitv.c, robust lists in robust.c.  futex(2). */
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/hash.h>
#include <kernel/proc/futex_internal.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <mm/page.h>
#include <mm/vma.h>
#include <syscall_protos.h>

#define BUCKET_BITS 8

static struct futex_bucket buckets[1 << BUCKET_BITS];

static int futex_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(buckets); i++) {
		spin_lock_init(&buckets[i].lock, LC_FUTEX);
		list_init(&buckets[i].waiters);
	}
	return 0;
}
BOOT_INIT(core, futex_init);

struct futex_bucket *futex_bucket_of(const struct futex_key *k)
{
	return &buckets[hash_64(k->object * 31 + k->offset, BUCKET_BITS)];
}

/* Reading is enough for a word in a file: who waits need not be able to write it.  look: no reference. */
static int word_page(vaddr_t a, bool look, struct page **page)
{
	int (*find)(struct mm *, vaddr_t, bool, struct page **) = look ? mm_peek_page : mm_pin_page;

	if (!find(current->mm, a, true, page))
		return 0;
	if (find(current->mm, a, false, page))
		return -EFAULT;
	if (!(page_flags(*page) & PG_ANON) && READ_ONCE((*page)->mapping))
		return 0;
	if (!look)
		page_put(*page);
	return -EFAULT;
}

static int key_of(u32 __user *uaddr, bool shared, bool look, struct futex_key *k)
{
	vaddr_t a = (vaddr_t)uaddr;
	struct page *page;

	if (!IS_ALIGNED(a, 4))
		return -EINVAL;
	if (!user_range_ok(uaddr, 4))
		return -EFAULT;
	*k = (struct futex_key){ (u64)current->mm, a, NULL };
	if (!shared)
		return 0;
	if (word_page(a, look, &page))
		return -EFAULT;
	if (page_flags(page) & PG_ANON) {		/* a fork may give the word another page, but not another address */
		if (!look)
			page_put(page);
		k->offset |= 1;			/* shared and private do not meet, as on Linux */
		return 0;
	}
	*k = (struct futex_key){ (u64)page, a & (PAGE_SIZE - 1), look ? NULL : page };
	return 0;
}

int futex_key_get(u32 __user *uaddr, bool shared, struct futex_key *k) { return key_of(uaddr, shared, false, k); }

void futex_key_put(struct futex_key *k)
{
	if (k->page)
		page_put(k->page);
	k->page = NULL;
}

int futex_read(u32 __user *p, u32 *v)
{
	int err;

	uaccess_nofault_begin();
	err = get_user(*v, p);
	uaccess_nofault_end();
	return err;
}

int futex_cmpxchg(u32 __user *p, u32 old, u32 new)
{
	u32 was = 0;
	int err;

	uaccess_nofault_begin();
	err = user_atomic_cmpxchg(p, old, new, &was);
	uaccess_nofault_end();
	return err ? err : was == old ? 0 : -EAGAIN;
}

int futex_fault_in(u32 __user *p)
{
	u32 v;

	return user_atomic_rmw(p, USER_ATOMIC_OR, 0, &v);
}

void futex_queue(struct futex_bucket *b, struct futex_waiter *w)
{
	struct futex_waiter *i;

	if (likely(!w->prio)) {
		list_add_tail(&w->link, &b->waiters);
		return;
	}
	list_for_each_entry(i, &b->waiters, link)
		if (i->prio < w->prio)
			break;
	list_add_tail(&w->link, &i->link);
}

void futex_dequeue_wake(struct futex_waiter *w)
{
	struct task *t = w->task;

	list_del(&w->link);
	atomic_store_release(&w->task, (struct task *)NULL);	/* w may vanish now */
	task_wake_normal(t);
}

struct futex_waiter *futex_top(struct futex_bucket *b, const struct futex_key *k)
{
	struct futex_waiter *w;

	list_for_each_entry(w, &b->waiters, link)
		if (futex_key_equal(&w->key, k))
			return w;
	return NULL;
}

long futex_wake(u32 __user *uaddr, bool shared, int nr, u32 bitset)
{
	struct futex_waiter *w, *n;
	struct futex_key k;
	struct futex_bucket *b;
	int woken = 0, err;

	if (!bitset)
		return -EINVAL;
	/* A page that others wait at is referenced by them.  If this one was unmapped and freed since we looked, and they wait at what it has
	 * become, they wake for nothing; they look at their words anyway. */
	err = key_of(uaddr, shared, true, &k);
	if (err)
		return err;
	b = futex_bucket_of(&k);
	spin_lock(&b->lock);
	list_for_each_entry_safe(w, n, &b->waiters, link) {
		if (!futex_key_equal(&w->key, &k))
			continue;
		if (w->is_pi) {
			woken = -EINVAL;
			break;
		}
		if (!(w->bitset & bitset))
			continue;
		futex_dequeue_wake(w);
		if (++woken >= nr)
			break;
	}
	spin_unlock(&b->lock);
	return woken;
}

bool futex_lock_waiter(struct futex_waiter *w)
{
	for (;;) {
		struct futex_bucket *b = READ_ONCE(w->bucket);

		if (!atomic_load_acquire(&w->task))
			return false;
		spin_lock(&b->lock);
		if (b == w->bucket && w->task)
			return true;
		spin_unlock(&b->lock);
	}
}

/* --- waiting */

int futex_wait_setup(u32 __user *uaddr, bool shared, u32 val, struct futex_waiter *w)
{
	u32 cur;
	int err;

	for (;;) {
		err = futex_key_get(uaddr, shared, &w->key);
		if (err)
			return err;
		w->bucket = futex_bucket_of(&w->key);
		spin_lock(&w->bucket->lock);
		if (likely(!futex_read(uaddr, &cur)))
			break;
		spin_unlock(&w->bucket->lock);
		futex_key_put(&w->key);
		if (get_user(cur, uaddr))
			return -EFAULT;
	}
	if (likely(cur == val))
		return 0;
	spin_unlock(&w->bucket->lock);
	futex_key_put(&w->key);
	return -EAGAIN;
}

static long futex_wait(u32 __user *uaddr, bool shared, u32 val, u64 deadline, bool real, u32 bitset);

static long futex_restart(struct restart_block *rb)
{
	return futex_wait(user_ptr(rb->args[0]), rb->args[1], (u32)rb->args[2], rb->args[3], rb->args[4], (u32)rb->args[5]);
}

static long futex_wait(u32 __user *uaddr, bool shared, u32 val, u64 deadline, bool real, u32 bitset)
{
	struct futex_waiter w = { .task = current, .bitset = bitset, .prio = sched_prio(current) };
	struct wake_timer ft;
	long ret;

	if (!bitset)
		return -EINVAL;
	wake_timer_begin(&ft, deadline, real ? TIMER_REAL : TIMER_MONO);
	ret = futex_wait_setup(uaddr, shared, val, &w);
	if (ret)
		goto out;
	futex_queue(w.bucket, &w);
	set_current_state(TASK_INTERRUPTIBLE);
	spin_unlock(&w.bucket->lock);
	do
		ret = atomic_load_acquire(&w.task) ? wake_timer_sleep(&ft) : 1;
	while (!ret);
	WRITE_ONCE(current->state, TASK_RUNNING);
	if (ret < 0 && futex_lock_waiter(&w)) {
		list_del(&w.link);
		spin_unlock(&w.bucket->lock);
	} else {
		ret = 0;
	}
	futex_key_put(&w.key);
	if (ret == -ERESTARTSYS && deadline != TIME_NEVER) {
		current->restart = (struct restart_block){ futex_restart, { (u64)uaddr, shared, val, deadline, real, bitset } };
		ret = -ERESTART_RESTARTBLOCK;
	}
out:
	wake_timer_end(&ft);
	return ret;
}

void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a == b) {
		spin_lock(&a->lock);
		return;
	}
	spin_lock_nested(&min(a, b)->lock, (u64)min(a, b));
	spin_lock_nested(&max(a, b)->lock, (u64)max(a, b));
}

void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&max(a, b)->lock);
	if (a != b)
		spin_unlock(&min(a, b)->lock);
}

/* --- the system call */

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

static bool has_timeout(int cmd)
{
	return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI || cmd == FUTEX_LOCK_PI2 || cmd == FUTEX_WAIT_REQUEUE_PI;
}

static int get_deadline(unsigned long timeout, bool relative, u64 *deadline)
{
	struct __kernel_timespec ts;

	*deadline = TIME_NEVER;
	if (!timeout)
		return 0;
	if (copy_from_user(&ts, user_ptr(timeout), sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*deadline = min((u64)ts.tv_sec, TIME_MAX_NS / NSEC_PER_SEC) * NSEC_PER_SEC + (u64)ts.tv_nsec;
	*deadline = time_add(*deadline, relative ? clock_mono_ns() : 0);
	return 0;
}

static bool real_clock_allowed(int cmd)
{
	return cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_WAIT_REQUEUE_PI || cmd == FUTEX_LOCK_PI2;
}

long sys_futex(void __user *uaddr, int op, unsigned val, unsigned long timeout, void __user *uaddr2, unsigned val3)
{
	bool shared = !(op & FUTEX_PRIVATE_FLAG), real = op & FUTEX_CLOCK_REALTIME;
	int cmd = op & FUTEX_CMD_MASK, err;
	u64 deadline = TIME_NEVER;

	if (has_timeout(cmd)) {
		err = get_deadline(timeout, cmd == FUTEX_WAIT, &deadline);
		if (err)
			return err;
	}
	if (real && !real_clock_allowed(cmd))
		return -ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
		return futex_wait(uaddr, shared, val, deadline, false, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return futex_wait(uaddr, shared, val, deadline, real, val3);
	case FUTEX_WAKE:
		return futex_wake(uaddr, shared, (int)val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(uaddr, shared, (int)val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(uaddr, uaddr2, shared, (int)val, (int)timeout, NULL, false);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(uaddr, uaddr2, shared, (int)val, (int)timeout, &val3, false);
	case FUTEX_WAKE_OP:
		return futex_wake_op(uaddr, uaddr2, shared, (int)val, (int)timeout, val3);
	case FUTEX_LOCK_PI:
		return futex_lock_pi(uaddr, shared, deadline, true, false);
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(uaddr, shared, deadline, real, false);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(uaddr, shared, TIME_NEVER, false, true);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(uaddr, shared);
	case FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(uaddr, shared, val, deadline, real, uaddr2);
	case FUTEX_CMP_REQUEUE_PI:
		return futex_requeue(uaddr, uaddr2, shared, (int)val, (int)timeout, &val3, true);
	default:
		return -ENOSYS;
	}
}
