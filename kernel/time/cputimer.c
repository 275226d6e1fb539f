/* Limits on CPU time: ITIMER_VIRTUAL, ITIMER_PROF, POSIX timers on CPU clocks, RLIMIT_CPU and RLIMIT_RTTIME; and the clocks themselves.
 *
 * Theory.  There is no tick that could look.  A process with any such limit is "watched" (process.cpu_watch is not 0): then its tasks'
 * run time is also summed in watch_ran_ns, and whenever one of them is switched to, its CPU's watch timer is armed for when the nearest
 * limit could be reached at the earliest, as if all of its threads ran on all CPUs without a pause (watch_limit_ns is what the last
 * check left to all of them together).  The interrupt checks: what is due is signalled, and the distance to the next limit is measured anew.  It fires
 * early when time was spent in the kernel and only user time counts; so it closes in on the limit, by steps of at least STEP_NS of run time, and a
 * limit is never acted on early.  (Of run time: a process that is switched to more often than that would push a step from now out for ever.)
 * A process that is not watched pays one load at a switch and one at each charge.
 *
 * cpu_watch counts the kicks of those who set limits, so that a check that found none left may only clear the count it had seen. */
#include <asm/resource.h>
#include <linux/time.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/time/timers_internal.h>
#include <syscall_protos.h>

#define STEP_NS		(500 * NSEC_PER_USEC)
#define CPUCLOCK_THREAD	4
enum { CPUCLOCK_PROF, CPUCLOCK_VIRT, CPUCLOCK_SCHED };		/* Linux's encoding of dynamic clock numbers: ~pid << 3 | thread | kind */

/* --- the clocks */

int cpu_thread_usage(const struct process *p, s32 tid, struct usage *u)
{
	struct task *t;
	int err = -EINVAL;

	rcu_read_lock();
	t = task_find(tid);
	if (t && t->proc == p) {
		usage_of_task(t, u);
		err = 0;
	}
	rcu_read_unlock();
	return err;
}

static s32 pid_of(int clock) { return ~(clock >> 3); }

/* The two fixed numbers as what they mean; -EINVAL: not a CPU clock's number. */
static int normalise(int *clock)
{
	if (*clock == CLOCK_PROCESS_CPUTIME_ID)
		*clock = (int)(~0u << 3 | CPUCLOCK_SCHED);
	else if (*clock == CLOCK_THREAD_CPUTIME_ID)
		*clock = (int)(~0u << 3 | CPUCLOCK_SCHED | CPUCLOCK_THREAD);
	return *clock >= 0 || (*clock & 3) > CPUCLOCK_SCHED || pid_of(*clock) < 0 ? -EINVAL : 0;
}

enum cpu_kind cpu_clock_kind(int clock)
{
	(void)normalise(&clock);
	return (clock & 3) == CPUCLOCK_VIRT ? CPU_USER : CPU_ALL;
}

int cpu_clock_resolve(int clock, struct process **out, s32 *tid)
{
	struct process *p = current->proc;
	struct task *t;
	s32 pid;

	if (normalise(&clock))
		return -EINVAL;
	pid = pid_of(clock);
	*tid = 0;
	rcu_read_lock();
	if (clock & CPUCLOCK_THREAD) {
		t = pid ? task_find(pid) : current;
		if (t && t->proc == p)
			*tid = t->tid;
		else
			p = NULL;
	} else if (pid) {
		p = process_find(pid);
	}
	if (p && !refcount_inc_not_zero(&p->refs))
		p = NULL;
	rcu_read_unlock();
	*out = p;
	return p ? 0 : -EINVAL;
}

int cpu_clock_read(int clock, u64 *ns)
{
	struct process *p;
	struct usage u;
	s32 tid;
	int err = cpu_clock_resolve(clock, &p, &tid);

	if (err)
		return err;
	if (tid)
		err = cpu_thread_usage(p, tid, &u);
	else
		usage_of_process(p, &u);
	process_put(p);
	if (!err)
		*ns = cpu_kind_of(cpu_clock_kind(clock), &u);
	return err;
}

/* --- the limits */

static u64 itimer_check_locked(struct cpu_itimer *it, u64 now, bool *due)
{
	*due = it->expires_ns && now >= it->expires_ns;
	if (*due)
		it->expires_ns = it->period_ns ? it->expires_ns + (periods_passed(now, it->expires_ns, it->period_ns) + 1) * it->period_ns : 0;
	return it->expires_ns ? it->expires_ns - now : TIME_NEVER;
}

/* What is left to the nearest limit of the table, after signalling what is due. */
static u64 check_table(struct posix_timers *tab, const struct usage *u)
{
	irqflags_t flags = spin_lock_irqsave(&tab->lock);
	bool virt_due, prof_due;
	u64 left;

	left = itimer_check_locked(&tab->virt, u->utime_ns, &virt_due);
	left = min(left, itimer_check_locked(&tab->prof, u->utime_ns + u->stime_ns, &prof_due));
	spin_unlock_irqrestore(&tab->lock, flags);
	if (virt_due)
		signal_send_process(tab->proc, SIGVTALRM, NULL);
	if (prof_due)
		signal_send_process(tab->proc, SIGPROF, NULL);
	return left;
}

/* setrlimit(2): SIGXCPU each second from the soft limit on, SIGKILL at the hard one. */
static u64 check_rlimit(struct process *p, u64 cpu_ns)
{
	u64 soft = READ_ONCE(p->rlim->lim[RLIMIT_CPU].cur), hard = READ_ONCE(p->rlim->lim[RLIMIT_CPU].max);
	u64 seconds = cpu_ns / NSEC_PER_SEC;

	if (soft == ~0ul || soft > TIME_NEVER / NSEC_PER_SEC / 4)
		return TIME_NEVER;
	if (seconds >= hard) {
		signal_send_process(p, SIGKILL, NULL);
		return TIME_NEVER;
	}
	if (seconds >= soft) {
		signal_send_process(p, SIGXCPU, NULL);
		soft = seconds + 1;
		if (soft <= hard)
			WRITE_ONCE(p->rlim->lim[RLIMIT_CPU].cur, soft);
	}
	return soft * NSEC_PER_SEC - cpu_ns;
}

/* setrlimit(2): of each thread under a real-time policy, the time since it last slept, in microseconds; SIGXCPU for the process at the soft limit, which
 * moves on by a second; SIGKILL at the hard one.  As on Linux, the hard one alone limits nothing. */
static u64 check_rttime(struct process *p)
{
	u64 *cur = &p->rlim->lim[RLIMIT_RTTIME].cur, soft = READ_ONCE(*cur), hard = READ_ONCE(p->rlim->lim[RLIMIT_RTTIME].max), longest = 0, us;
	struct task *t;

	if (soft > TIME_NEVER / NSEC_PER_USEC / 4)
		return TIME_NEVER;
	rcu_read_lock();
	list_for_each_entry_rcu(t, &p->threads, thread_link)
		longest = max(longest, sched_rt_ran(t));
	rcu_read_unlock();
	us = longest / NSEC_PER_USEC;
	if (us && us >= hard) {
		signal_send_process(p, SIGKILL, NULL);
		return TIME_NEVER;
	}
	if (us && us >= soft) {
		signal_send_process(p, SIGXCPU, NULL);
		soft += NSEC_PER_SEC / NSEC_PER_USEC;
		WRITE_ONCE(*cur, soft);
	}
	soft = min(soft, hard) * NSEC_PER_USEC;
	return soft > longest ? soft - longest : 0;
}

static void check(struct process *p)
{
	u32 seen = atomic_load(&p->cpu_watch);
	struct posix_timers *tab = READ_ONCE(p->timers);
	struct usage u;
	u64 left;

	atomic_store(&p->watch_ran_ns, 0ul);
	usage_of_process(p, &u);
	left = min(check_rlimit(p, u.utime_ns + u.stime_ns), check_rttime(p));
	if (tab)
		left = min(left, check_table(tab, &u));
	left = min(left, cpu_targets_check(p, &u));
	if (left == TIME_NEVER)
		(void)atomic_cas(&p->cpu_watch, seen, 0u);
	atomic_store(&p->watch_limit_ns, left);
	smp_mb();		/* the limit before the look; pairs with cpu_watch_kick: one of the two stores its 0 after ours */
	if (atomic_load(&p->cpu_watch) != (left == TIME_NEVER ? 0 : seen))
		atomic_store(&p->watch_limit_ns, 0ul);	/* somebody set a limit meanwhile */
}

/* How many of p's threads may run at once.  Asked anew each time: a thread that was made since the last check runs beside the others. */
static u32 watch_width(struct process *p)
{
	return max(min(nr_cpus, READ_ONCE(p->nr_threads)), 1u);
}

/* When p could reach a limit at the earliest, or has run a step since the last check; from now. */
static u64 watch_left(struct process *p)
{
	u64 limit = atomic_load(&p->watch_limit_ns), ran = atomic_load(&p->watch_ran_ns);

	limit = max(limit, STEP_NS);
	return limit > ran ? (limit - ran) / watch_width(p) : 0;
}

void cpu_watch_arm(struct timer *watch, struct process *p, u64 now)
{
	timer_arm(watch, now + watch_left(p));
}

void cpu_watch_fired(struct timer *watch)
{
	struct process *p = current->proc;

	if (!atomic_load(&p->cpu_watch) || (current->pflags & PF_EXITING))
		return;		/* another runs meanwhile, or it is leaving */
	sched_charge_current();
	/* What runs on other CPUs is charged later: it may be as much as what ran here. */
	if (atomic_load(&p->watch_ran_ns) * watch_width(p) + STEP_NS >= atomic_load(&p->watch_limit_ns))
		check(p);
	if (atomic_load(&p->cpu_watch))
		cpu_watch_arm(watch, p, clock_mono_ns());
}

void cpu_watch_kick(struct process *p)
{
	struct task *t;

	if (!atomic_add_return(&p->cpu_watch, 1u))
		atomic_inc(&p->cpu_watch);	/* never 0 by wrapping */
	smp_mb();		/* the count before the limit; pairs with check */
	atomic_store(&p->watch_limit_ns, 0ul);
	rcu_read_lock();
	list_for_each_entry_rcu(t, &p->threads, thread_link)
		if (atomic_load(&t->on_cpu))
			sched_resched_cpu(READ_ONCE(t->se.cpu));	/* passing through schedule() arms the watch */
	rcu_read_unlock();
}
