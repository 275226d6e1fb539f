/* Timers that send signals: setitimer(ITIMER_REAL) and timer_create.
 *
 * Each process owns a table, made when first used; [P] is its lock (LC_POSIX_TIMER), taken with interrupts off because expiry runs in
 * the timer interrupt.  An expiry sends its signal and, if periodic, arms itself for the next period after now, counting what it
 * skipped as overrun.  The interrupt handler sends the signal without [P] held (LC_SIGHAND ranks before it).  A timer is freed only
 * after timer_cancel_sync, when its handler can run no more.
 *
 * ITIMER_VIRTUAL and ITIMER_PROF are EINVAL, as are CPU-time clocks for timer_create: nothing here follows CPU time yet.  */
#include <asm/errno.h>
#include <asm/siginfo.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/time/itimer.h>
#include <kernel/time/time.h>
#include <mm/slab.h>
#include <syscall_protos.h>

#define MAX_TIMERS 64

struct posix_timer {
	struct timer timer;
	struct posix_timers *table;	/* [I] */
	s32 id, clock, notify, signo, tid;	/* [I] */
	u64 value;			/* [I] sigval */
	u64 expires_ns, period_ns;	/* [P] monotonic; 0: disarmed */
	u32 overrun;			/* [P] */
};

struct posix_timers {
	struct spinlock lock;		/* LC_POSIX_TIMER */
	struct process *proc;		/* [I] */
	struct posix_timer real;	/* ITIMER_REAL */
	struct posix_timer *timers[MAX_TIMERS];	/* [P] */
};

static void expire(struct timer *t)
{
	struct posix_timer *pt = container_of(t, struct posix_timer, timer);
	struct posix_timers *tab = pt->table;
	siginfo_t si;
	u64 now = clock_mono_ns(), missed = 0;
	irqflags_t flags = spin_lock_irqsave(&tab->lock);

	if (!pt->expires_ns || pt->expires_ns > now) {		/* disarmed or moved meanwhile */
		spin_unlock_irqrestore(&tab->lock, flags);
		return;
	}
	if (pt->period_ns) {
		missed = (now - pt->expires_ns) / pt->period_ns;
		pt->expires_ns += (missed + 1) * pt->period_ns;
		timer_arm(&pt->timer, pt->expires_ns);
	} else
		pt->expires_ns = 0;
	pt->overrun = (u32)missed;
	spin_unlock_irqrestore(&tab->lock, flags);
	if (pt->notify == SIGEV_NONE)
		return;
	memset(&si, 0, sizeof(si));
	si.si_signo = pt->signo;
	if (pt == &tab->real) {
		signal_send_process(tab->proc, SIGALRM, NULL);
		return;
	}
	si.si_code = SI_TIMER;
	si.si_tid = pt->id;
	si.si_overrun = (int)missed;
	si.si_ptr = (void __user *)pt->value;
	signal_send_process(tab->proc, pt->signo, &si);
}

static struct posix_timers *table_get(void)
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
	tab->real.table = tab;
	tab->real.signo = SIGALRM;
	timer_init(&tab->real.timer, expire);
	if (!atomic_cas(&p->timers, NULL, tab)) {
		kfree(tab);
		tab = READ_ONCE(p->timers);
	}
	return tab;
}

/* timer_set - arm for first (monotonic, 0 disarms); *left and *period get what was. */
static void timer_set(struct posix_timer *pt, u64 first, u64 period, u64 *left, u64 *old_period)
{
	irqflags_t flags = spin_lock_irqsave(&pt->table->lock);
	u64 now = clock_mono_ns();

	*left = !pt->expires_ns ? 0 : pt->expires_ns > now ? pt->expires_ns - now : 1;
	*old_period = pt->period_ns;
	pt->expires_ns = first;
	pt->period_ns = period;
	pt->overrun = 0;
	if (first)
		timer_arm(&pt->timer, first);
	else
		timer_cancel(&pt->timer);
	spin_unlock_irqrestore(&pt->table->lock, flags);
}

static void timer_look(struct posix_timer *pt, u64 *left, u64 *period)
{
	irqflags_t flags = spin_lock_irqsave(&pt->table->lock);
	u64 now = clock_mono_ns();

	*left = !pt->expires_ns ? 0 : pt->expires_ns > now ? pt->expires_ns - now : 1;
	*period = pt->period_ns;
	spin_unlock_irqrestore(&pt->table->lock, flags);
}

static int timespec_get(const void __user *from, u64 *ns)
{
	struct __kernel_timespec ts;

	if (copy_from_user(&ts, from, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ns = min((u64)ts.tv_sec, 1ul << 33) * NSEC_PER_SEC + (u64)ts.tv_nsec;
	return 0;
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

long sys_getitimer(int which, void __user *value)
{
	struct posix_timers *tab = READ_ONCE(current->proc->timers);
	struct __kernel_old_itimerval v;
	u64 left = 0, period = 0;

	if (which != ITIMER_REAL)
		return -EINVAL;
	if (tab)
		timer_look(&tab->real, &left, &period);
	v = to_itimerval(left, period);
	return copy_to_user(value, &v, sizeof(v));
}

static bool timeval_ok(const struct __kernel_old_timeval *v)
{
	return v->tv_sec >= 0 && v->tv_usec >= 0 && v->tv_usec < 1000000;
}

static u64 timeval_ns(const struct __kernel_old_timeval *v)
{
	if ((u64)v->tv_sec > TIME_NEVER / NSEC_PER_SEC / 4)
		return TIME_NEVER / 4;
	return (u64)v->tv_sec * NSEC_PER_SEC + (u64)v->tv_usec * NSEC_PER_USEC;
}

long sys_setitimer(int which, void __user *value, void __user *old)
{
	struct __kernel_old_itimerval v = { 0 };
	struct posix_timers *tab;
	u64 left, period, first;

	if (value && copy_from_user(&v, value, sizeof(v)))
		return -EFAULT;
	if (which != ITIMER_REAL || !timeval_ok(&v.it_value) || !timeval_ok(&v.it_interval))
		return -EINVAL;
	tab = table_get();
	if (!tab)
		return -ENOMEM;
	first = timeval_ns(&v.it_value);
	timer_set(&tab->real, first ? clock_mono_ns() + first : 0, first ? timeval_ns(&v.it_interval) : 0, &left, &period);
	v = to_itimerval(left, period);
	return old ? copy_to_user(old, &v, sizeof(v)) : 0;
}

static int event_read(void __user *event, struct posix_timer *pt)
{
	struct sigevent ev;

	pt->notify = SIGEV_SIGNAL;
	pt->signo = SIGALRM;
	pt->value = (u64)pt->id;
	if (!event)
		return 0;
	if (copy_from_user(&ev, event, sizeof(ev)))
		return -EFAULT;
	pt->notify = ev.sigev_notify;
	pt->signo = ev.sigev_signo;
	pt->value = (u64)ev.sigev_value.sival_ptr;
	if (pt->notify == SIGEV_NONE)
		return 0;
	if ((pt->notify != SIGEV_SIGNAL && pt->notify != (SIGEV_SIGNAL | SIGEV_THREAD_ID)) || pt->signo < 1 || pt->signo > NSIG)
		return -EINVAL;
	return 0;
}

long sys_timer_create(int clock, void __user *event, void __user *id)
{
	struct posix_timers *tab;
	struct posix_timer *pt;
	irqflags_t flags;
	int slot, err;

	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return -EINVAL;
	tab = table_get();
	pt = tab ? kzalloc(sizeof(*pt), GFP_KERNEL) : NULL;
	if (!pt)
		return -EAGAIN;
	pt->table = tab;
	pt->clock = clock;
	timer_init(&pt->timer, expire);
	flags = spin_lock_irqsave(&tab->lock);
	for (slot = 0; slot < MAX_TIMERS && tab->timers[slot]; slot++)
		;
	if (slot < MAX_TIMERS)
		tab->timers[slot] = pt;
	spin_unlock_irqrestore(&tab->lock, flags);
	if (slot == MAX_TIMERS) {
		kfree(pt);
		return -EAGAIN;
	}
	pt->id = slot;
	err = event_read(event, pt);
	if (!err && put_user(slot, (s32 __user *)id))
		err = -EFAULT;
	if (err)
		sys_timer_delete(slot);
	return err;
}

/* A timer stays while this process's own call uses it: another thread's timer_delete at the same moment is the program's error, and
 * frees nothing that the kernel still reads but the timer itself; so the look-up holds the table's lock only for the pointer. */
static struct posix_timer *timer_find(int id)
{
	struct posix_timers *tab = READ_ONCE(current->proc->timers);

	return tab && id >= 0 && id < MAX_TIMERS ? READ_ONCE(tab->timers[id]) : NULL;
}

static int put_itimerspec(void __user *to, u64 left, u64 period)
{
	struct __kernel_itimerspec v = {
		.it_value = { (s64)(left / NSEC_PER_SEC), (s64)(left % NSEC_PER_SEC) },
		.it_interval = { (s64)(period / NSEC_PER_SEC), (s64)(period % NSEC_PER_SEC) },
	};

	return copy_to_user(to, &v, sizeof(v));
}

long sys_timer_gettime(int id, void __user *value)
{
	struct posix_timer *pt = timer_find(id);
	u64 left, period;

	if (!pt)
		return -EINVAL;
	timer_look(pt, &left, &period);
	return put_itimerspec(value, left, period);
}

long sys_timer_getoverrun(int id)
{
	struct posix_timer *pt = timer_find(id);

	return pt ? (long)READ_ONCE(pt->overrun) : -EINVAL;
}

long sys_timer_settime(int id, int flags, void __user *value, void __user *old)
{
	struct posix_timer *pt = timer_find(id);
	u64 first, period, left, old_period, now;
	int err;

	if (!value)
		return -EINVAL;
	err = timespec_get((char __user *)value + sizeof(struct __kernel_timespec), &first);
	if (!err)
		err = timespec_get(value, &period);
	if (err)
		return err;
	if (!pt)
		return -EINVAL;
	now = clock_mono_ns();
	if (first && !(flags & TIMER_ABSTIME))
		first += now;
	else if (first && pt->clock == CLOCK_REALTIME) {
		u64 real = clock_real_ns();

		first = now + (first > real ? first - real : 0);
	}
	timer_set(pt, first, first ? period : 0, &left, &old_period);
	return old ? put_itimerspec(old, left, old_period) : 0;
}

static void timer_destroy(struct posix_timers *tab, int id)
{
	struct posix_timer *pt;
	irqflags_t flags = spin_lock_irqsave(&tab->lock);

	pt = tab->timers[id];
	tab->timers[id] = NULL;
	if (pt)
		pt->expires_ns = pt->period_ns = 0;
	spin_unlock_irqrestore(&tab->lock, flags);
	if (pt) {
		timer_cancel_sync(&pt->timer);
		kfree(pt);
	}
}

long sys_timer_delete(int id)
{
	if (!timer_find(id))
		return -EINVAL;
	timer_destroy(current->proc->timers, id);
	return 0;
}

void posix_timers_exit(struct process *p, bool keep_itimer)
{
	struct posix_timers *tab = p->timers;
	u64 left, period;

	if (!tab)
		return;
	for (int i = 0; i < MAX_TIMERS; i++)
		if (tab->timers[i])
			timer_destroy(tab, i);
	if (keep_itimer)
		return;
	timer_set(&tab->real, 0, 0, &left, &period);
	timer_cancel_sync(&tab->real.timer);
	p->timers = NULL;
	kfree(tab);
}
