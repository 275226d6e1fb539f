/* futex_waitv(2): waiting for several words at once.
 *
 * Each word has a waiter of its own in its bucket, all of one task; who wakes one wakes the task, and the task takes the others out.  They
 * are queued one after the other, each under its own bucket's lock; a wake-up that comes while the rest are still being queued finds a
 * task that does not sleep yet, and the look before sleeping finds its waiter woken. */
#include <linux/time.h>
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/proc/futex_internal.h>
#include <kernel/sched/sched.h>
#include <mm/slab.h>
#include <syscall_protos.h>

struct vector_entry { struct futex_waiter w; u32 __user *uaddr; u32 val; bool shared; };

static int entries_get(const struct futex_waitv __user *uv, struct vector_entry *v, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		struct futex_waitv a;

		if (copy_from_user(&a, uv + i, sizeof(a)))
			return -EFAULT;
		if ((a.flags & ~(u32)(FUTEX_32 | FUTEX_PRIVATE_FLAG)) || !(a.flags & FUTEX_32) || a.__reserved)
			return -EINVAL;
		v[i] = (struct vector_entry){ .uaddr = user_ptr(a.uaddr), .val = (u32)a.val, .shared = !(a.flags & FUTEX_PRIVATE_FLAG),
			.w = { .task = current, .bitset = FUTEX_BITSET_MATCH_ANY, .prio = sched_prio(current) } };
	}
	return 0;
}

/* The first n leave their queues.  The last that had been woken, or -1. */
static int entries_unqueue(struct vector_entry *v, u32 n)
{
	int woken = -1;

	for (u32 i = 0; i < n; i++) {
		if (futex_lock_waiter(&v[i].w)) {
			list_del(&v[i].w.link);
			spin_unlock(&v[i].w.bucket->lock);
		} else {
			woken = (int)i;
		}
		futex_key_put(&v[i].w.key);
	}
	return woken;
}

/* All of them, or an error; queued says how many are. */
static int entries_queue(struct vector_entry *v, u32 n, u32 *queued)
{
	for (*queued = 0; *queued < n; ++*queued) {
		struct vector_entry *e = &v[*queued];
		int err = futex_wait_setup(e->uaddr, e->shared, e->val, &e->w);

		if (err)
			return err;
		futex_queue(e->w.bucket, &e->w);
		spin_unlock(&e->w.bucket->lock);
	}
	return 0;
}

static bool one_woken(struct vector_entry *v, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (!atomic_load_acquire(&v[i].w.task))
			return true;
	return false;
}

static long vector_wait(struct vector_entry *v, u32 n, struct wake_timer *ft)
{
	u32 queued;
	long ret = entries_queue(v, n, &queued);
	int woken;

	if (!ret) {
		set_current_state(TASK_INTERRUPTIBLE);	/* before the look; pairs with task_wake */
		while (!ret && !one_woken(v, n))
			ret = wake_timer_sleep(ft);
		WRITE_ONCE(current->state, TASK_RUNNING);
	}
	woken = entries_unqueue(v, queued);
	return woken >= 0 ? woken : ret;
}

static int vector_deadline(const void __user *timeout, int clock, u64 *ns)
{
	struct __kernel_timespec ts;

	*ns = TIME_NEVER;
	if (!timeout)
		return 0;
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
		return -EINVAL;
	if (copy_from_user(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ns = time_add(min((u64)ts.tv_sec, TIME_MAX_NS / NSEC_PER_SEC) * NSEC_PER_SEC, (u64)ts.tv_nsec);
	return 0;
}

long sys_futex_waitv(void __user *waiters, unsigned nr_futexes, unsigned flags, void __user *timeout, int clockid)
{
	struct vector_entry *v;
	struct wake_timer ft;
	u64 ns;
	long ret;

	if (flags || !nr_futexes || nr_futexes > FUTEX_WAITV_MAX || !waiters)
		return -EINVAL;
	ret = vector_deadline(timeout, clockid, &ns);
	if (ret)
		return ret;
	v = kmalloc(nr_futexes * sizeof(*v), GFP_KERNEL);
	if (!v)
		return -ENOMEM;
	wake_timer_begin(&ft, ns, clockid == CLOCK_REALTIME ? TIMER_REAL : TIMER_MONO);
	ret = entries_get(waiters, v, nr_futexes);
	if (!ret)
		ret = vector_wait(v, nr_futexes, &ft);
	wake_timer_end(&ft);
	kfree(v);
	return ret;
}
