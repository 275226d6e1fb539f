/* Mutexes.
 *
 * Theory.  owner holds the owning task and, in bit 0, that somebody waits.  Free and unwaited is 0: one compare-and-swap takes it,
 * another gives it back.  Otherwise the path goes through wait_lock: waiters queue in order; the unlocker leaves owner free with the
 * bit still set and wakes the first, which takes the mutex under wait_lock.  A newcomer may overtake the woken one (it must do so
 * through wait_lock, since the fast path needs 0), which costs fairness and saves a switch; the woken one stays first in line.
 *
 * A short spin while the owner runs on another CPU comes first: most critical sections are shorter than a switch.  The owner's
 * task may be looked at because tasks are freed after a grace period and spinning is a read-side section (preemption off).
 *
 * With priority inheritance (mutex_lock_pi) whoever sleeps is a waiter of a struct pi_lock as well, from the moment when it has seen an owner.  The owner
 * cannot leave unseen then, as the bit is set; it gives back what it was lent in mutex_unlock_slow(), and who takes the mutex while others wait is
 * their debtor in turn.  pi.c's lock is taken outside wait_lock, and at contention alone.
 *
 * Order: acquire in the compare-and-swap that takes it pairs with the release that frees it. */
#include <kernel/sync/mutex.h>
#include <kernel/sync/pi.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/lockcheck.h>
#include <kernel/sync/lockstat.h>
#include <kernel/time/time.h>

#define MUTEX_WAITERS	1ul
#define SPIN_US		50

u64 lock_spin_ticks;

#ifdef CONFIG_DEBUG
#define mutex_class(m) ((m)->class)
#else
#define mutex_class(m) LC_FS_PRIVATE
#endif

struct mutex_waiter {
	struct list_head link;
	struct task *task;
};

void mutex_init(struct mutex *m, enum lock_class class)
{
	m->owner = 0;
	spin_lock_init(&m->wait_lock, LC_WAIT);
	list_init(&m->waiters);
#ifdef CONFIG_DEBUG
	m->class = class;
#else
	(void)class;
#endif
}

void lock_spin_init(void)
{
	lock_spin_ticks = clock_freq_hz() * SPIN_US / 1000000;
}

static bool mutex_spin(struct mutex *m)
{
	u64 start = clock_counter();
	bool got = false;

	rcu_read_lock();
	for (u32 i = 1; i % 16 || clock_counter() - start < lock_spin_ticks; i++) {
		u64 v = atomic_load(&m->owner);
		struct task *owner = (struct task *)(v & ~MUTEX_WAITERS);

		if (v == 0 && atomic_cas_acquire(&m->owner, 0ul, (u64)current)) {
			got = true;
			break;
		}
		if ((v & MUTEX_WAITERS) || (owner && !atomic_load(&owner->on_cpu)) || need_resched())
			break;
		cpu_relax();
	}
	rcu_read_unlock();
	return got;
}

/* Under wait_lock: take m if nobody has it. */
static bool mutex_try_take(struct mutex *m, u64 waiters_bit)
{
	u64 v = atomic_load(&m->owner);

	while (!(v & ~MUTEX_WAITERS)) {
		if (atomic_cas_acquire(&m->owner, v, (u64)current | waiters_bit))
			return true;
		v = atomic_load(&m->owner);
	}
	atomic_fetch_or(&m->owner, waiters_bit);
	/* The owner may have left between the look and the bit: look again, now that it cannot leave unseen. */
	v = atomic_load(&m->owner);
	return !(v & ~MUTEX_WAITERS) && atomic_cas_acquire(&m->owner, v, (u64)current | waiters_bit);
}

static void slow_enter(struct mutex *m, const struct pi_lock *pi)
{
	if (pi)
		pi_enter();
	spin_lock_irq(&m->wait_lock);
}

static void slow_leave(struct mutex *m, const struct pi_lock *pi)
{
	spin_unlock_irq(&m->wait_lock);
	if (pi)
		pi_leave();
}

/* Under both locks, m having an owner: it runs at least as soon as current. */
static bool lend(struct mutex *m, struct pi_lock *pi, struct pi_waiter *w)
{
	struct task *owner = (struct task *)(atomic_load(&m->owner) & ~MUTEX_WAITERS);

	if (pi->owner != owner)
		pi_set_owner(pi, owner);
	return !pi_block(pi, w, current);
}

static int mutex_lock_slow(struct mutex *m, u32 state, struct pi_lock *pi)
{
	struct mutex_waiter w = { .task = current };
	struct pi_waiter lent;
	bool lends = false;
	int err = 0;

	if (nr_cpus > 1 && mutex_spin(m))
		return 0;
	slow_enter(m, pi);
	list_add_tail(&w.link, &m->waiters);
	for (;;) {
		set_current_state(state);
		if (mutex_try_take(m, MUTEX_WAITERS))
			break;
		err = wait_check(state, TIME_NEVER);
		if (err)
			break;
		if (pi && !lends)
			lends = lend(m, pi, &lent);
		slow_leave(m, pi);
		schedule();
		slow_enter(m, pi);
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	list_del(&w.link);
	if (lends)
		pi_unblock(&lent);
	if (pi && !err)
		pi_set_owner(pi, pi_top(pi) ? current : NULL);
	if (list_empty(&m->waiters))
		atomic_fetch_and(&m->owner, ~MUTEX_WAITERS);
	else if (err && !(atomic_load(&m->owner) & ~MUTEX_WAITERS))	/* a wake-up meant for us: pass it on */
		task_wake_normal(list_first_entry(&m->waiters, struct mutex_waiter, link)->task);
	slow_leave(m, pi);
	return err;
}

static int mutex_lock_contended(struct mutex *m, u32 state, struct pi_lock *pi, const void *ip)
{
	u64 start = clock_counter();
	int err = mutex_lock_slow(m, state, pi);

	lockstat_waited(ip, LOCKSTAT_MUTEX, clock_counter() - start);
	return err;
}

static __always_inline_ int mutex_lock_state(struct mutex *m, u32 state, u64 key, struct pi_lock *pi)
{
	int err = 0;

	might_sleep();
	lock_check_acquire(m, mutex_class(m), key, false);
	if (unlikely(!atomic_cas_acquire(&m->owner, 0ul, (u64)current)))
		err = mutex_lock_contended(m, state, pi, __builtin_return_address(0));
	if (err)
		lock_check_release(m, mutex_class(m));
	return err;
}

void mutex_lock(struct mutex *m)
{
	mutex_lock_state(m, TASK_UNINTERRUPTIBLE, 0, NULL);
}

void mutex_lock_pi(struct mutex *m, struct pi_lock *pi)
{
	mutex_lock_state(m, TASK_UNINTERRUPTIBLE, 0, pi);
}

void mutex_lock_nested(struct mutex *m, u64 key)
{
	mutex_lock_state(m, TASK_UNINTERRUPTIBLE, key, NULL);
}

int mutex_lock_killable(struct mutex *m)
{
	return mutex_lock_state(m, TASK_KILLABLE, 0, NULL) ? -EINTR : 0;
}

int mutex_lock_interruptible(struct mutex *m)
{
	return mutex_lock_state(m, TASK_INTERRUPTIBLE, 0, NULL);
}

bool mutex_trylock(struct mutex *m)
{
	if (!atomic_cas_acquire(&m->owner, 0ul, (u64)current))
		return false;
	lock_check_acquire(m, mutex_class(m), 0, true);
	return true;
}

static void mutex_unlock_slow(struct mutex *m, struct pi_lock *pi)
{
	const struct pi_waiter *top;
	irqflags_t flags;
	bool waited;

	if (pi)
		pi_enter();
	flags = spin_lock_irqsave(&m->wait_lock);
	waited = !list_empty(&m->waiters);
	top = pi ? pi_top(pi) : NULL;
	if (pi)
		pi_set_owner(pi, NULL);
	__atomic_store_n(&m->owner, waited ? MUTEX_WAITERS : 0ul, __ATOMIC_RELEASE);
	if (waited)
		task_wake_normal(top ? top->task : list_first_entry(&m->waiters, struct mutex_waiter, link)->task);
	spin_unlock_irqrestore(&m->wait_lock, flags);
	if (pi)
		pi_leave();
}

void mutex_unlock(struct mutex *m)
{
	lock_check_release(m, mutex_class(m));
	if (unlikely(!atomic_cas(&m->owner, (u64)current, 0ul)))
		mutex_unlock_slow(m, NULL);
}

void mutex_unlock_pi(struct mutex *m, struct pi_lock *pi)
{
	lock_check_release(m, mutex_class(m));
	if (unlikely(!atomic_cas(&m->owner, (u64)current, 0ul)))
		mutex_unlock_slow(m, pi);
}

bool mutex_held(const struct mutex *m)
{
	return (atomic_load(&m->owner) & ~MUTEX_WAITERS) == (u64)current;
}
