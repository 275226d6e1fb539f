/* Interval timers: setitimer(2), getitimer(2).
 *
 * ITIMER_REAL is a timer of the process's table that sends SIGALRM and, if periodic, waits until that is taken before the next period
 * (as POSIX timers do, and for the same reason).  ITIMER_VIRTUAL and ITIMER_PROF are limits on CPU time, watched by cputimer.c. */
#include <asm/siginfo.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/time/timers_internal.h>
#include <mm/slab.h>
#include <syscall_protos.h>

static void real_expire(struct timer *t)
{
	struct posix_timers *tab = container_of(t, struct posix_timers, real);
	irqflags_t flags = spin_lock_irqsave(&tab->lock);
	bool due = tab->real_expires_ns && !tab->real_waiting;

	if (due && clock_mono_ns() < tab->real_expires_ns) {
		timer_arm(&tab->real, tab->real_expires_ns);	/* moved meanwhile */
		due = false;
	}
	if (due) {
		tab->real_waiting = tab->real_period_ns != 0;
		if (!tab->real_waiting)
			tab->real_expires_ns = 0;
	}
	spin_unlock_irqrestore(&tab->lock, flags);
	if (due)
		signal_send_process(tab->proc, SIGALRM, NULL);
}

void itimer_real_taken(struct posix_timers *tab)
{
	irqflags_t flags = spin_lock_irqsave(&tab->lock);

	if (tab->real_waiting) {
		u64 now = clock_mono_ns();

		tab->real_waiting = false;
		tab->real_expires_ns += (periods_passed(now, tab->real_expires_ns, tab->real_period_ns) + 1) * tab->real_period_ns;
		timer_arm(&tab->real, max(tab->real_expires_ns, now + TAKEN_NS));
	}
	spin_unlock_irqrestore(&tab->lock, flags);
}

struct posix_timers *timers_table(void)
{
	struct process *p = current->proc;
	struct posix_timers *tab = READ_ONCE(p->timers);

	if (tab)
		return tab;
	tab = kzalloc(sizeof(*tab), GFP_KERNEL);
	if (!tab)
		return NULL;
	spin_lock_init(&tab->lock, LC_POSIX_TIMER);
	tab->proc = p;
	tab->free_first = NO_SLOT;
	timer_init(&tab->real, real_expire);
	if (!atomic_cas(&p->timers, NULL, tab)) {
		kfree(tab);
		tab = READ_ONCE(p->timers);
	}
	return tab;
}

static struct __kernel_old_itimerval to_itimerval(u64 left, u64 period)
{
	left = (left + NSEC_PER_USEC - 1) / NSEC_PER_USEC;	/* an armed timer never reads as zero */
	period /= NSEC_PER_USEC;
	return (struct __kernel_old_itimerval){
		.it_value = { (s64)(left / 1000000), (s64)(left % 1000000) },
		.it_interval = { (s64)(period / 1000000), (s64)(period % 1000000) },
	};
}

static bool timeval_ok(const struct __kernel_old_timeval *v)
{
	return v->tv_sec >= 0 && v->tv_usec >= 0 && v->tv_usec < 1000000;
}

static u64 timeval_ns(const struct __kernel_old_timeval *v)
{
	if ((u64)v->tv_sec >= TIME_MAX_NS / NSEC_PER_SEC)
		return TIME_MAX_NS;
	return (u64)v->tv_sec * NSEC_PER_SEC + (u64)v->tv_usec * NSEC_PER_USEC;
}

static u64 left_of(u64 expires, u64 now)
{
	return !expires ? 0 : expires > now ? expires - now : 1;
}

/* The clock that which runs by. */
static u64 itimer_clock(int which)
{
	struct usage u;

	if (which == ITIMER_REAL)
		return clock_mono_ns();
	usage_of_process(current->proc, &u);
	return which == ITIMER_VIRTUAL ? u.utime_ns : u.utime_ns + u.stime_ns;
}

static void look_locked(struct posix_timers *tab, int which, u64 now, u64 *left, u64 *period)
{
	const struct cpu_itimer *it = which == ITIMER_VIRTUAL ? &tab->virt : &tab->prof;

	if (which != ITIMER_REAL) {
		*left = left_of(it->expires_ns, now);
		*period = it->period_ns;
		return;
	}
	*period = tab->real_period_ns;
	*left = left_of(tab->real_expires_ns, now);
	if (tab->real_waiting)
		*left = *period - (now - tab->real_expires_ns) % *period;
}

static void set_locked(struct posix_timers *tab, int which, u64 expires, u64 period)
{
	struct cpu_itimer *it = which == ITIMER_VIRTUAL ? &tab->virt : &tab->prof;

	if (which != ITIMER_REAL) {
		*it = (struct cpu_itimer){ expires, period };
		return;
	}
	tab->real_expires_ns = expires;
	tab->real_period_ns = period;
	tab->real_waiting = false;
	if (expires)
		timer_arm(&tab->real, expires);
	else
		timer_cancel(&tab->real);
}

long sys_getitimer(int which, void __user *value)
{
	struct posix_timers *tab = READ_ONCE(current->proc->timers);
	struct __kernel_old_itimerval v;
	u64 left = 0, period = 0, now;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	if (tab) {
		now = itimer_clock(which);
		spin_lock_irq(&tab->lock);
		look_locked(tab, which, now, &left, &period);
		spin_unlock_irq(&tab->lock);
	}
	v = to_itimerval(left, period);
	return copy_to_user(value, &v, sizeof(v));
}

long sys_setitimer(int which, void __user *value, void __user *old)
{
	struct __kernel_old_itimerval v = { 0 };
	struct posix_timers *tab;
	u64 left, period, first, now;

	if (value && copy_from_user(&v, value, sizeof(v)))
		return -EFAULT;
	if (which < ITIMER_REAL || which > ITIMER_PROF || !timeval_ok(&v.it_value) || !timeval_ok(&v.it_interval))
		return -EINVAL;
	tab = timers_table();
	if (!tab)
		return -ENOMEM;
	first = timeval_ns(&v.it_value);
	now = itimer_clock(which);
	spin_lock_irq(&tab->lock);
	look_locked(tab, which, now, &left, &period);
	set_locked(tab, which, first ? time_add(now, first) : 0, first ? timeval_ns(&v.it_interval) : 0);
	spin_unlock_irq(&tab->lock);
	if (which != ITIMER_REAL && first)
		cpu_watch_kick(current->proc);
	v = to_itimerval(left, period);
	return old ? copy_to_user(old, &v, sizeof(v)) : 0;
}
