/* POSIX timers: timer_create(2) and its kin.
 *
 * Theory.  A process has a table, made when first used and freed with it; [P] is its lock, taken with interrupts off because expiry runs
 * in the timer interrupt.  A timer owns one queue entry for its signal.  When it fires, the entry is queued; a periodic timer is then
 * left unarmed, `waiting`, until the signal is taken (posix_timer_taken, under the sighand lock): then the periods that passed
 * meanwhile are its overrun, and the next one is armed.  So a blocked signal costs nothing however short the period is, and no
 * interrupt can be followed by itself for ever.  Where the signal is ignored nobody will take it; the period then goes on at once, no
 * sooner than IGNORED_NS.
 *
 * Order: sighand lock before [P] before the CPU's timers; the interrupt handler sends with [P] dropped.  timer_delete takes the timer
 * out of the table, cancels it, waits for its handler, and leaves the entry to the queue if it is in one.  Calls hold a reference.
 *
 * Clocks: an absolute time of CLOCK_REALTIME or CLOCK_TAI is kept as such (timer.c follows when the clock is set); everything else is
 * monotonic, or CPU time.  An absolute time in the past fires at once.
 *
 * A timer on a CPU clock is looked at by the check of CPU time (cputimer.c), which marks it `due` and lets its timer interrupt do the
 * rest.  Reading a process's CPU clock takes the sighand lock, so it is read before [P], or by the check; while the signal waits, the
 * check goes on counting overruns.  Only clocks of the process itself can carry a timer. */
#include <asm/siginfo.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/time/timers_internal.h>
#include <mm/slab.h>
#include <syscall_protos.h>

#define SLOTS_MIN	8u
#define SLOTS_MAX	65536u
#define IGNORED_NS	(4 * NSEC_PER_MSEC)

/* The CPU time of pt's clock, 0 if it is another clock, or its thread is gone.  Context: no lock held. */
static u64 cpu_time_of(const struct posix_timer *pt)
{
	u64 ns;

	return !pt->cpu || cpu_clock_read(pt->clock, &ns) ? 0 : ns;
}

static u64 now_locked(const struct posix_timer *pt, u64 cpu_ns)
{
	return pt->cpu ? cpu_ns : clock_timer_ns(pt->base);
}

/* The comparator for pt->expires_ns, no sooner than after min_ns. */
static void arm_locked(struct posix_timer *pt, u64 min_ns)
{
	if (pt->cpu || !pt->q)		/* cputimer.c looks itself; a timer that tells nobody need not run */
		return;
	timer_arm_clock(&pt->timer, pt->base, min_ns ? max(pt->expires_ns, clock_timer_ns(pt->base) + min_ns) : pt->expires_ns);
}

/* The next expiry; what was missed on the way there is overrun.  On CPU clocks the check counts it. */
static void forward_locked(struct posix_timer *pt)
{
	u64 now = now_locked(pt, pt->expires_ns);
	u64 missed = now > pt->expires_ns ? periods_passed(now, pt->expires_ns, pt->period_ns) : 0;

	pt->overrun += missed;
	pt->expires_ns = time_add(pt->expires_ns + missed * pt->period_ns, pt->period_ns);
}

/* It is due: signal, with [P] dropped meanwhile. */
static void fire_locked(struct posix_timer *pt, irqflags_t *flags)
{
	struct posix_timers *tab = pt->table;

	pt->due = false;
	pt->waiting = pt->period_ns != 0;
	if (!pt->waiting)
		pt->expires_ns = 0;
	spin_unlock_irqrestore(&tab->lock, *flags);
	if (signal_send_timer(tab->proc, pt->tid, pt->q)) {
		*flags = spin_lock_irqsave(&tab->lock);
		return;
	}
	*flags = spin_lock_irqsave(&tab->lock);
	if (pt->waiting) {
		pt->waiting = false;
		forward_locked(pt);
		arm_locked(pt, IGNORED_NS);
	}
}

static void expire(struct timer *t)
{
	struct posix_timer *pt = container_of(t, struct posix_timer, timer);
	irqflags_t flags = spin_lock_irqsave(&pt->table->lock);

	if (pt->expires_ns && !pt->waiting) {
		if (pt->cpu ? pt->due : now_locked(pt, 0) >= pt->expires_ns)
			fire_locked(pt, &flags);
		else
			arm_locked(pt, 0);
	}
	spin_unlock_irqrestore(&pt->table->lock, flags);
}

u64 posix_timer_check_cpu_locked(struct posix_timer *pt, const struct usage *process)
{
	u64 now, more;

	if (!pt->cpu || !pt->expires_ns || !pt->q || cpu_clock_of(pt->clock, process, &now))
		return TIME_NEVER;
	if (now < pt->expires_ns)
		return pt->expires_ns - now;
	if (!pt->waiting) {
		pt->due = true;
		timer_arm(&pt->timer, 0);
		return 0;
	}
	more = periods_passed(now, pt->expires_ns, pt->period_ns);
	pt->overrun += more;
	pt->expires_ns += more * pt->period_ns;
	return pt->expires_ns + pt->period_ns - now;
}

void posix_timer_taken(struct posix_timer *pt, siginfo_t *info)
{
	irqflags_t flags = spin_lock_irqsave(&pt->table->lock);

	if (pt->waiting) {
		pt->waiting = false;
		forward_locked(pt);
		pt->overrun_last = (u32)min(pt->overrun, (u64)OVERRUN_MAX);
		pt->overrun = 0;
		arm_locked(pt, 0);
	} else {
		pt->overrun_last = 0;
	}
	if (info)
		info->si_overrun = (int)pt->overrun_last;
	spin_unlock_irqrestore(&pt->table->lock, flags);
}

/* --- the table */

/* A free slot for pt, the table grown if there is none.  -EAGAIN: too many, or no memory. */
static int slot_take(struct posix_timers *tab, struct posix_timer *pt)
{
	for (;;) {
		struct posix_timer **bigger, **old;
		irqflags_t flags = spin_lock_irqsave(&tab->lock);
		u32 n = tab->nr_slots, i = 0;

		while (i < n && tab->slots[i])
			i++;
		if (i < n) {
			tab->slots[i] = pt;
			pt->id = (s32)i;
		}
		spin_unlock_irqrestore(&tab->lock, flags);
		if (i < n)
			return 0;
		if (n >= SLOTS_MAX)
			return -EAGAIN;
		bigger = kcalloc(max(2 * n, SLOTS_MIN), sizeof(*bigger), GFP_KERNEL);
		if (!bigger)
			return -EAGAIN;
		flags = spin_lock_irqsave(&tab->lock);
		old = bigger;
		if (tab->nr_slots == n) {	/* else another thread was first */
			if (n)
				memcpy(bigger, tab->slots, n * sizeof(*bigger));
			old = tab->slots;
			tab->slots = bigger;
			tab->nr_slots = max(2 * n, SLOTS_MIN);
		}
		spin_unlock_irqrestore(&tab->lock, flags);
		kfree(old);
	}
}

static void timer_put(struct posix_timer *pt)
{
	if (refcount_dec_and_test(&pt->refs))
		kfree(pt);
}

/* By number, referenced; NULL: none. */
static struct posix_timer *timer_find(int id)
{
	struct posix_timers *tab = READ_ONCE(current->proc->timers);
	struct posix_timer *pt = NULL;

	if (!tab || id < 0)
		return NULL;
	spin_lock_irq(&tab->lock);
	if ((u32)id < tab->nr_slots && tab->slots[id] && tab->slots[id]->ready) {
		pt = tab->slots[id];
		refcount_inc(&pt->refs);
	}
	spin_unlock_irq(&tab->lock);
	return pt;
}

/* Out of the table and out of the way of interrupts.  Drops the table's reference; false: somebody else did. */
static bool timer_destroy(struct posix_timers *tab, struct posix_timer *pt)
{
	irqflags_t flags = spin_lock_irqsave(&tab->lock);
	bool mine = tab->slots[pt->id] == pt;

	if (mine) {
		tab->slots[pt->id] = NULL;
		tab->nr_cpu -= pt->cpu && pt->ready;
	}
	pt->expires_ns = 0;
	pt->waiting = false;
	spin_unlock_irqrestore(&tab->lock, flags);
	if (!mine)
		return false;
	timer_cancel_sync(&pt->timer);
	if (pt->q)
		sigqueue_destroy(tab->proc, pt->q);
	timer_put(pt);
	return true;
}

/* --- calls */

static int timespec_get(const struct __kernel_timespec *ts, u64 *ns)
{
	if (ts->tv_sec < 0 || (u64)ts->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ns = timespec_ns(ts);
	return 0;
}

int itimerspec_get(const void __user *from, u64 *first, u64 *period)
{
	struct __kernel_itimerspec v;

	if (copy_from_user(&v, from, sizeof(v)))
		return -EFAULT;
	return timespec_get(&v.it_value, first) || timespec_get(&v.it_interval, period) ? -EINVAL : 0;
}

int itimerspec_put(void __user *to, u64 left, u64 period)
{
	struct __kernel_itimerspec v = {
		.it_value = { (s64)(left / NSEC_PER_SEC), (s64)(left % NSEC_PER_SEC) },
		.it_interval = { (s64)(period / NSEC_PER_SEC), (s64)(period % NSEC_PER_SEC) },
	};

	return copy_to_user(to, &v, sizeof(v));
}

static u64 left_locked(const struct posix_timer *pt, u64 cpu_ns)
{
	u64 now;

	if (!pt->expires_ns)
		return 0;
	now = now_locked(pt, cpu_ns);
	if (now < pt->expires_ns)
		return pt->expires_ns - now;
	if (pt->period_ns && (pt->waiting || !pt->q))
		return pt->period_ns - (now - pt->expires_ns) % pt->period_ns;
	return pt->q ? 1 : 0;		/* an armed timer never reads as zero */
}

/* The signal pt will send.  tid: for SIGEV_THREAD_ID. */
static int event_read(void __user *event, struct posix_timer *pt)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct task *t;
	bool mine;

	if (event && copy_from_user(&ev, event, sizeof(ev)))
		return -EFAULT;
	if (!event)
		ev.sigev_value.sival_int = pt->id;
	if (ev.sigev_notify == SIGEV_NONE)
		return 0;
	if (ev.sigev_notify == (SIGEV_SIGNAL | SIGEV_THREAD_ID)) {
		rcu_read_lock();
		t = task_find(ev.sigev_notify_thread_id);
		mine = t && t->proc == current->proc;
		rcu_read_unlock();
		if (!mine)
			return -EINVAL;
		pt->tid = ev.sigev_notify_thread_id;
	} else if (ev.sigev_notify != SIGEV_SIGNAL && ev.sigev_notify != SIGEV_THREAD) {
		return -EINVAL;
	}
	if (ev.sigev_signo < 1 || ev.sigev_signo > NSIG)
		return -EINVAL;
	pt->q = sigqueue_create(pt);
	if (!pt->q)
		return -EAGAIN;
	memset(&pt->q->info, 0, sizeof(pt->q->info));
	pt->q->info.si_signo = ev.sigev_signo;
	pt->q->info.si_code = SI_TIMER;
	pt->q->info.si_tid = pt->id;
	pt->q->info.si_value = ev.sigev_value;
	return 0;
}

/* 0, or -EINVAL for no clock, -EOPNOTSUPP for one without timers.  A thread's CPU clock is kept by number: it reads the same for whoever
 * asks. */
static int clock_check(int *clock, bool *cpu)
{
	u64 ns;

	*cpu = false;
	switch (*clock) {
	case CLOCK_REALTIME: case CLOCK_MONOTONIC: case CLOCK_BOOTTIME: case CLOCK_TAI:
		return 0;
	case CLOCK_MONOTONIC_RAW: case CLOCK_REALTIME_COARSE: case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		break;
	}
	if (cpu_clock_read(*clock, &ns))
		return -EINVAL;
	*cpu = true;
	*clock = cpu_clock_own(*clock);
	return *clock ? 0 : -EOPNOTSUPP;
}

long sys_timer_create(int clock, void __user *event, void __user *id)
{
	struct posix_timers *tab;
	struct posix_timer *pt;
	bool cpu;
	int err = clock_check(&clock, &cpu);

	if (err)
		return err;
	tab = timers_table();
	pt = tab ? kzalloc(sizeof(*pt), GFP_KERNEL) : NULL;
	if (!pt)
		return -EAGAIN;
	pt->table = tab;
	pt->clock = clock;
	pt->cpu = cpu;
	refcount_set(&pt->refs, 1);
	timer_init(&pt->timer, expire);
	err = slot_take(tab, pt);
	if (err) {
		kfree(pt);
		return err;
	}
	err = event_read(event, pt);
	if (!err && put_user(pt->id, (s32 __user *)id))
		err = -EFAULT;
	if (err) {
		timer_destroy(tab, pt);
		return err;
	}
	spin_lock_irq(&tab->lock);
	pt->ready = true;
	tab->nr_cpu += cpu;
	spin_unlock_irq(&tab->lock);
	return 0;
}

long sys_timer_gettime(int id, void __user *value)
{
	struct posix_timer *pt = timer_find(id);
	u64 left, period, cpu_ns;

	if (!pt)
		return -EINVAL;
	cpu_ns = cpu_time_of(pt);
	spin_lock_irq(&pt->table->lock);
	left = left_locked(pt, cpu_ns);
	period = pt->period_ns;
	spin_unlock_irq(&pt->table->lock);
	timer_put(pt);
	return itimerspec_put(value, left, period);
}

long sys_timer_getoverrun(int id)
{
	struct posix_timer *pt = timer_find(id);
	long n;

	if (!pt)
		return -EINVAL;
	n = READ_ONCE(pt->overrun_last);
	timer_put(pt);
	return n;
}

static void settime(struct posix_timer *pt, bool absolute, u64 first, u64 period, u64 *left, u64 *old_period)
{
	u64 cpu_ns = cpu_time_of(pt);

	spin_lock_irq(&pt->table->lock);
	*left = left_locked(pt, cpu_ns);
	*old_period = pt->period_ns;
	pt->base = !absolute ? TIMER_MONO : pt->clock == CLOCK_REALTIME ? TIMER_REAL : pt->clock == CLOCK_TAI ? TIMER_TAI : TIMER_MONO;
	pt->waiting = pt->due = false;
	pt->overrun = pt->overrun_last = 0;
	pt->expires_ns = first && !absolute ? time_add(now_locked(pt, cpu_ns), first) : first;
	pt->period_ns = first ? period : 0;
	if (first)
		arm_locked(pt, 0);
	else
		timer_cancel(&pt->timer);
	spin_unlock_irq(&pt->table->lock);
	if (pt->cpu && first)
		cpu_watch_kick(pt->table->proc);
}

long sys_timer_settime(int id, int flags, void __user *value, void __user *old)
{
	u64 first, period, left, old_period;
	struct posix_timer *pt;
	int err;

	if (!value)
		return -EINVAL;
	err = itimerspec_get(value, &first, &period);
	if (err)
		return err;
	pt = timer_find(id);
	if (!pt)
		return -EINVAL;
	settime(pt, flags & TIMER_ABSTIME, first, period, &left, &old_period);
	timer_put(pt);
	return old ? itimerspec_put(old, left, old_period) : 0;
}

long sys_timer_delete(int id)
{
	struct posix_timer *pt = timer_find(id);
	bool gone;

	if (!pt)
		return -EINVAL;
	gone = timer_destroy(pt->table, pt);
	timer_put(pt);
	return gone ? 0 : -EINVAL;
}

void posix_timers_exit(struct process *p, bool keep_itimer)
{
	struct posix_timers *tab = p->timers;

	if (!tab)
		return;
	for (u32 i = 0; i < tab->nr_slots; i++)
		if (tab->slots[i])
			timer_destroy(tab, tab->slots[i]);
	if (keep_itimer)
		return;
	spin_lock_irq(&tab->lock);
	tab->real_expires_ns = tab->real_period_ns = 0;
	tab->real_waiting = false;
	spin_unlock_irq(&tab->lock);
	timer_cancel_sync(&tab->real);
	WRITE_ONCE(p->timers, NULL);	/* no thread is left that could take a signal, or whose time could be checked */
	kfree(tab->slots);
	kfree(tab);
}
