/* POSIX timers: timer_create(2) and its kin.
 *
 * Theory.  A process has a table, made when first used and freed with it; [P] is its lock, taken with interrupts off because expiry
 * runs in the timer interrupt.  A timer owns one queue entry for its signal.  When it fires, the entry is queued; a periodic timer is
 * then left unarmed, `waiting`, until the signal is taken (posix_timer_taken, under the sighand lock): then the periods that passed
 * meanwhile are its overrun, and the next one is armed.  So a blocked signal costs nothing however short the period is, and no
 * interrupt can be followed by itself for ever; the next signal comes TAKEN_NS later at the earliest.  Where the signal is ignored
 * nobody will take it; the period then goes on at once, no sooner than IGNORED_NS.
 *
 * Order: sighand lock before [P] before the CPU's timers; the interrupt handler sends with [P] dropped.  timer_delete takes the timer
 * out of the table, cancels it, waits for its handler, and leaves the entry to the queue if it is in one.  Calls hold a reference.
 *
 * Clocks: an absolute time of CLOCK_REALTIME or CLOCK_TAI is kept as such (timer.c follows when the clock is set); everything else is
 * monotonic, or CPU time.  An absolute time in the past fires at once.
 *
 * A timer on a CPU clock, of this process or another, is armed as a deadline of that clock (cputarget.c), which when it is due lets the
 * timer interrupt do the rest.  Reading a process's CPU time takes its sighand lock, so it is read before [P].
 *
 * Any number of timers: creating, finding and deleting are O(1), arming is O(log n), each is charged against RLIMIT_SIGPENDING with the
 * queue entry it owns (SIGEV_NONE too), and no lock is held for longer than one of them takes. */
#include <asm/siginfo.h>
#include <linux/capability.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/time/timers_internal.h>
#include <mm/slab.h>
#include <syscall_protos.h>

#define CHUNK		256u
#define SLOTS_MAX	(1u << 26)
#define IGNORED_NS	(4 * NSEC_PER_MSEC)

static bool on_cpu_clock(const struct posix_timer *pt) { return pt->cpu.target; }

/* The time of pt's clock; of a CPU clock that nobody runs on any more, 0.  Context: no lock held. */
static u64 time_of(const struct posix_timer *pt)
{
	u64 ns;

	if (!on_cpu_clock(pt))
		return clock_timer_ns(pt->base);
	return cpu_timer_now(&pt->cpu, false, &ns) ? 0 : ns;
}

/* The comparator for pt->expires_ns, no sooner than after min_ns. */
static void arm_locked(struct posix_timer *pt, u64 min_ns)
{
	if (pt->quiet)		/* who tells nobody need not run */
		return;
	if (on_cpu_clock(pt))
		cpu_timer_arm(&pt->cpu, pt->expires_ns);
	else
		timer_arm_clock(&pt->timer, pt->base, min_ns ? max(pt->expires_ns, clock_timer_ns(pt->base) + min_ns) : pt->expires_ns);
}

static void disarm_locked(struct posix_timer *pt)
{
	if (on_cpu_clock(pt))
		cpu_timer_disarm(&pt->cpu);
	timer_cancel(&pt->timer);
}

/* The next expiry; what was missed on the way there is overrun. */
static void forward_locked(struct posix_timer *pt, u64 now)
{
	u64 missed = now > pt->expires_ns ? periods_passed(now, pt->expires_ns, pt->period_ns) : 0;

	pt->overrun += missed;
	pt->expires_ns = time_add(pt->expires_ns + missed * pt->period_ns, pt->period_ns);
}

/* It is due: signal, with [P] dropped meanwhile. */
static void fire_locked(struct posix_timer *pt, irqflags_t *flags)
{
	struct posix_timers *tab = pt->table;

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
		forward_locked(pt, on_cpu_clock(pt) ? cpu_timer_seen_ns(&pt->cpu) : clock_timer_ns(pt->base));
		arm_locked(pt, IGNORED_NS);
	}
}

static void expire(struct timer *t)
{
	struct posix_timer *pt = container_of(t, struct posix_timer, timer);
	irqflags_t flags = spin_lock_irqsave(&pt->table->lock);

	if (pt->expires_ns && !pt->waiting) {
		if (on_cpu_clock(pt) ? cpu_timer_take_due(&pt->cpu) : clock_timer_ns(pt->base) >= pt->expires_ns)
			fire_locked(pt, &flags);
		else if (!on_cpu_clock(pt))
			arm_locked(pt, 0);	/* moved meanwhile */
	}
	spin_unlock_irqrestore(&pt->table->lock, flags);
}

/* What time the overrun of pt's signal is counted by, its process's sighand lock held.  Another process's CPU time takes that one's, so
 * it is only known as of the last check: what has passed since is an overrun of the next signal. */
static u64 time_taken(const struct posix_timer *pt)
{
	u64 ns;

	if (!on_cpu_clock(pt))
		return clock_timer_ns(pt->base);
	if (pt->cpu.target->proc != pt->table->proc || cpu_timer_now(&pt->cpu, true, &ns))
		return cpu_timer_seen_ns(&pt->cpu);
	return ns;
}

void posix_timer_taken(struct posix_timer *pt, siginfo_t *info)
{
	u64 now = time_taken(pt);
	irqflags_t flags = spin_lock_irqsave(&pt->table->lock);

	if (pt->waiting) {
		pt->waiting = false;
		forward_locked(pt, now);
		pt->overrun_last = (u32)min(pt->overrun, (u64)OVERRUN_MAX);
		pt->overrun = 0;
		arm_locked(pt, TAKEN_NS);
	} else {
		pt->overrun_last = 0;
	}
	if (info)
		info->si_overrun = (int)pt->overrun_last;
	spin_unlock_irqrestore(&pt->table->lock, flags);
}

/* --- the table: slots in chunks that stay where they are, the free ones in a queue, so that a number is not used anew at once */

#define FREE(next)	((u64)(next) << 1 | 1)
#define IS_FREE(slot)	((slot) & 1)

static u64 *slot_of(struct posix_timers *tab, u32 i) { return &tab->chunks[i / CHUNK][i % CHUNK]; }

static struct posix_timer *slot_timer(struct posix_timers *tab, u32 i)
{
	u64 v = i < tab->nr_slots ? *slot_of(tab, i) : FREE(NO_SLOT);

	return IS_FREE(v) ? NULL : (struct posix_timer *)v;
}

static void slot_free_locked(struct posix_timers *tab, u32 i)
{
	*slot_of(tab, i) = FREE(NO_SLOT);
	if (tab->free_first == NO_SLOT)
		tab->free_first = i;
	else
		*slot_of(tab, tab->free_last) = FREE(i);
	tab->free_last = i;
}

/* One chunk more, if there is still none free.  -EAGAIN: too many, or no memory. */
static int slots_grow(struct posix_timers *tab)
{
	u32 max_chunks = READ_ONCE(tab->max_chunks), nr = READ_ONCE(tab->nr_slots) / CHUNK, bigger_max = nr < max_chunks ? 0 : max(2 * max_chunks, 8u);
	u64 *chunk = kmalloc(CHUNK * sizeof(*chunk), GFP_KERNEL), **bigger = NULL, **old = NULL;
	int err = 0;

	if (bigger_max)
		bigger = kcalloc(bigger_max, sizeof(*bigger), GFP_KERNEL);
	if (!chunk || (bigger_max && !bigger) || (u64)nr * CHUNK >= SLOTS_MAX) {
		kfree(chunk);
		kfree(bigger);
		return -EAGAIN;
	}
	spin_lock_irq(&tab->lock);
	if (tab->nr_slots == nr * CHUNK && tab->max_chunks == max_chunks && tab->free_first == NO_SLOT) {
		if (bigger) {
			if (nr)
				memcpy(bigger, tab->chunks, nr * sizeof(*bigger));
			old = tab->chunks;
			tab->chunks = bigger;
			tab->max_chunks = bigger_max;
			bigger = NULL;
		}
		tab->chunks[nr] = chunk;
		chunk = NULL;
		tab->nr_slots += CHUNK;
		for (u32 i = nr * CHUNK; i < tab->nr_slots; i++)
			slot_free_locked(tab, i);
	}			/* else another thread was first */
	spin_unlock_irq(&tab->lock);
	kfree(chunk);
	kfree(bigger);
	kfree(old);
	return err;
}

/* A free slot for pt, the table grown if there is none. */
static int slot_take(struct posix_timers *tab, struct posix_timer *pt)
{
	for (;;) {
		u32 i;
		int err;

		spin_lock_irq(&tab->lock);
		i = tab->free_first;
		if (i != NO_SLOT) {
			tab->free_first = (u32)(*slot_of(tab, i) >> 1);
			*slot_of(tab, i) = (u64)pt;
			pt->id = (s32)i;
		}
		spin_unlock_irq(&tab->lock);
		if (i != NO_SLOT)
			return 0;
		err = slots_grow(tab);
		if (err)
			return err;
	}
}

static void timer_put(struct posix_timer *pt)
{
	if (!refcount_dec_and_test(&pt->refs))
		return;
	if (pt->cpu.target)
		cpu_target_put(pt->cpu.target);
	kfree(pt);
}

/* By number, referenced; NULL: none. */
static struct posix_timer *timer_find(int id)
{
	struct posix_timers *tab = READ_ONCE(current->proc->timers);
	struct posix_timer *pt;

	if (!tab || id < 0)
		return NULL;
	spin_lock_irq(&tab->lock);
	pt = slot_timer(tab, (u32)id);
	if (pt && pt->ready)
		refcount_inc(&pt->refs);
	else
		pt = NULL;
	spin_unlock_irq(&tab->lock);
	return pt;
}

/* Out of the table and out of the way of interrupts.  Drops the table's reference; false: somebody else did. */
static bool timer_destroy(struct posix_timers *tab, struct posix_timer *pt)
{
	bool mine;

	spin_lock_irq(&tab->lock);
	mine = slot_timer(tab, (u32)pt->id) == pt;
	if (mine)
		slot_free_locked(tab, (u32)pt->id);
	pt->expires_ns = 0;
	pt->waiting = false;
	if (mine)
		disarm_locked(pt);
	spin_unlock_irq(&tab->lock);
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

/* What is left, if it is now by pt's clock. */
static u64 left_locked(const struct posix_timer *pt, u64 now)
{
	if (!pt->expires_ns)
		return 0;
	if (now < pt->expires_ns)
		return pt->expires_ns - now;
	if (pt->period_ns && (pt->waiting || pt->quiet))
		return pt->period_ns - (now - pt->expires_ns) % pt->period_ns;
	return pt->quiet ? 0 : 1;		/* an armed timer never reads as zero */
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
	pt->quiet = ev.sigev_notify == SIGEV_NONE;
	if (ev.sigev_notify == (SIGEV_SIGNAL | SIGEV_THREAD_ID)) {
		rcu_read_lock();
		t = task_find(ev.sigev_notify_thread_id);
		mine = t && t->proc == current->proc;
		rcu_read_unlock();
		if (!mine)
			return -EINVAL;
		pt->tid = ev.sigev_notify_thread_id;
	} else if (ev.sigev_notify != SIGEV_SIGNAL && ev.sigev_notify != SIGEV_THREAD && !pt->quiet) {
		return -EINVAL;
	}
	if (!pt->quiet && (ev.sigev_signo < 1 || ev.sigev_signo > NSIG))
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

/* 0 and in pt what it counts; -EINVAL for no clock, -EOPNOTSUPP for one without timers, -EPERM, -EAGAIN. */
static int clock_choose(int clock, struct posix_timer *pt)
{
	struct cpu_target *target;
	int err;

	pt->clock = clock;
	switch (clock) {
	case CLOCK_REALTIME: case CLOCK_MONOTONIC: case CLOCK_BOOTTIME: case CLOCK_TAI:
		return 0;
	case CLOCK_REALTIME_ALARM: case CLOCK_BOOTTIME_ALARM:	/* nothing to wake: this machine never suspends */
		return capable(CAP_WAKE_ALARM) ? 0 : -EPERM;
	case CLOCK_MONOTONIC_RAW: case CLOCK_REALTIME_COARSE: case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		break;
	}
	err = cpu_target_get(clock, &target);
	if (!err)
		cpu_timer_init(&pt->cpu, target, cpu_clock_kind(clock), &pt->timer);
	return err;
}

long sys_timer_create(int clock, void __user *event, void __user *id)
{
	struct posix_timers *tab = timers_table();
	struct posix_timer *pt = tab ? kzalloc(sizeof(*pt), GFP_KERNEL) : NULL;
	int err;

	if (!pt)
		return -EAGAIN;
	pt->table = tab;
	refcount_set(&pt->refs, 1);
	timer_init(&pt->timer, expire);
	err = clock_choose(clock, pt);
	if (!err)
		err = slot_take(tab, pt);
	if (err) {
		timer_put(pt);
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
	spin_unlock_irq(&tab->lock);
	return 0;
}

long sys_timer_gettime(int id, void __user *value)
{
	struct posix_timer *pt = timer_find(id);
	u64 left, period, now;

	if (!pt)
		return -EINVAL;
	now = time_of(pt);
	spin_lock_irq(&pt->table->lock);
	left = left_locked(pt, now);
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

static enum timer_clock base_of(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM ? TIMER_REAL : clock == CLOCK_TAI ? TIMER_TAI : TIMER_MONO;
}

static int settime(struct posix_timer *pt, bool absolute, u64 first, u64 period, u64 *left, u64 *old_period)
{
	u64 now = time_of(pt);

	if (on_cpu_clock(pt) && cpu_target_gone(pt->cpu.target))
		return -ESRCH;
	spin_lock_irq(&pt->table->lock);
	*left = left_locked(pt, now);
	*old_period = pt->period_ns;
	disarm_locked(pt);
	if (!on_cpu_clock(pt)) {
		pt->base = absolute ? base_of(pt->clock) : TIMER_MONO;
		now = clock_timer_ns(pt->base);
	}
	pt->waiting = false;
	pt->overrun = pt->overrun_last = 0;
	pt->expires_ns = first && !absolute ? time_add(now, first) : first;
	pt->period_ns = first ? period : 0;
	if (first)
		arm_locked(pt, 0);
	spin_unlock_irq(&pt->table->lock);
	return 0;
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
	err = settime(pt, flags & TIMER_ABSTIME, first, period, &left, &old_period);
	timer_put(pt);
	if (err)
		return err;
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

	if (!keep_itimer)
		cpu_targets_exit(p);
	if (!tab)
		return;
	for (u32 i = 0; i < tab->nr_slots; i++) {	/* nobody else creates or deletes any more */
		struct posix_timer *pt = slot_timer(tab, i);

		if (pt)
			timer_destroy(tab, pt);
	}
	if (keep_itimer)
		return;
	spin_lock_irq(&tab->lock);
	tab->real_expires_ns = tab->real_period_ns = 0;
	tab->real_waiting = false;
	spin_unlock_irq(&tab->lock);
	timer_cancel_sync(&tab->real);
	WRITE_ONCE(p->timers, NULL);	/* no thread is left that could take a signal, or whose time could be checked */
	for (u32 i = 0; i < tab->nr_slots; i += CHUNK)
		kfree(tab->chunks[i / CHUNK]);
	kfree(tab->chunks);
	kfree(tab);
}
