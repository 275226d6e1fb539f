/* User and kernel time of tasks.
 *
 * Theory.  The scheduler charges CPU time to a task as a whole (sum_exec).  How much of it was the kernel's is measured, not sampled:
 * there is no tick to sample on, and a program that runs alone meets no interrupt at all.  entry.S notes the counter on the way in
 * from EL0 (head.entered) and adds the difference to head.kernel_ticks on the way out: seven instructions a system call, two of them
 * readings of the counter, no shared memory.  A switch closes the account of the task that leaves and opens the next one's, since both
 * are in the kernel then.  User time is what is left of sum_exec.
 *
 * sum_exec and kernel_ticks are closed at slightly different instants, and a task that runs on another CPU may be on either side of
 * the kernel's door: the two sums could be told inconsistently by nanoseconds, or by one stay in the kernel.  So what was told last is
 * kept, and neither number is ever told smaller.
 *
 * Rejected: sampling at switches (a task leaves the CPU only in the kernel: all samples would say "kernel"); a sampling timer while a
 * task runs (a tick); reading the counter once a call (nothing to subtract it from). */
#include <kernel/sched/sched_internal.h>
#include <kernel/time/clock.h>

void task_times(struct task *t, u64 *utime_ns, u64 *stime_ns)
{
	irqflags_t flags;
	struct rq *rq = task_rq_lock(t, &flags);
	u64 ticks = READ_ONCE(t->head.kernel_ticks), kernel;

	if (rq->curr == t) {
		update_curr(rq, clock_mono_ns());
		if (t == current)
			ticks += clock_counter() - t->head.entered;
	}
	kernel = t->pflags & PF_KTHREAD ? t->se.sum_exec : min(clock_ticks_to_ns(ticks), t->se.sum_exec);
	t->stime_ns = max(t->stime_ns, kernel);
	t->utime_ns = max(t->utime_ns, t->se.sum_exec - kernel);
	*stime_ns = t->stime_ns;
	*utime_ns = t->utime_ns;
	spin_unlock_irqrestore(&rq->lock, flags);
}

void sched_account_irq(u64 begun)
{
	struct rq *rq = this_rq();

	rq->irq_ticks[current == rq->idle] += clock_counter() - begun;
}

static u64 told(u64 *last, u64 now)
{
	return *last = max(*last, now);
}

/* Of a task that is in the kernel on another CPU at this moment, what it has spent since it came in counts as user time until it leaves. */
void sched_cpu_times(u32 cpu, struct cpu_times *out)
{
	u64 idle = sched_idle_ns(cpu), iowait = sched_iowait_ns(cpu), busy, ticks, nice, irq, user;
	struct rq *rq = cpu_rq(cpu);
	irqflags_t flags = spin_lock_irqsave(&rq->lock);

	ticks = rq->system_ticks;
	nice = rq->nice_ticks;
	if (rq->curr != rq->idle) {
		u64 kernel = READ_ONCE(rq->curr->head.kernel_ticks) - rq->curr_ticks0, all = clock_counter() - rq->curr_start;

		ticks += kernel;
		if (rq->curr->se.nice > 0)
			nice += all - min(kernel, all);
	}
	if (rq->curr == current)
		ticks += clock_counter() - current->head.entered;
	busy = clock_mono_ns() - rq->start_ns;
	busy -= min(idle, busy);
	irq = clock_ticks_to_ns(READ_ONCE(rq->irq_ticks[0]));
	out->irq_ns = told(&rq->told.irq_ns, irq + clock_ticks_to_ns(READ_ONCE(rq->irq_ticks[1])));
	ticks = min(clock_ticks_to_ns(ticks), busy);
	out->system_ns = told(&rq->told.system_ns, ticks - min(irq, ticks));
	user = busy - min(busy, max(ticks, out->system_ns));
	out->nice_ns = told(&rq->told.nice_ns, min(clock_ticks_to_ns(nice), user));
	out->user_ns = told(&rq->told.user_ns, user - min(user, out->nice_ns));
	idle -= min(idle, clock_ticks_to_ns(READ_ONCE(rq->irq_ticks[1])));
	out->iowait_ns = told(&rq->told.iowait_ns, min(iowait, idle));
	out->idle_ns = told(&rq->told.idle_ns, idle - min(idle, out->iowait_ns));
	spin_unlock_irqrestore(&rq->lock, flags);
}

void sched_charge_current(void)
{
	irqflags_t flags;
	struct rq *rq = task_rq_lock(current, &flags);

	update_curr(rq, clock_mono_ns());
	spin_unlock_irqrestore(&rq->lock, flags);
}

u64 sched_nr_running(void)
{
	u64 n = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		n += READ_ONCE(per_cpu(runqueue, cpu).nr_running);
	return n;
}

/* One that fell asleep here and was woken elsewhere counts +1 and -1; of the sum, a racy one, less than none is none. */
u64 sched_nr_uninterruptible(void)
{
	s64 n = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		n += READ_ONCE(per_cpu(runqueue, cpu).nr_uninterruptible);
	return n > 0 ? (u64)n : 0;
}

u32 sched_nr_iowait(void)
{
	u32 n = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		n += READ_ONCE(per_cpu(runqueue, cpu).nr_iowait);
	return n;
}

u64 sched_nr_switches(void)
{
	u64 n = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		n += READ_ONCE(per_cpu(runqueue, cpu).nr_switches);
	return n;
}

u64 sched_idle_ns(u32 cpu)
{
	struct rq *rq = per_cpu_ptr(&runqueue, cpu);
	irqflags_t flags = spin_lock_irqsave(&rq->lock);
	u64 ns = rq->idle_ns;

	if (rq->curr == rq->idle && clock_mono_ns() > rq->idle_since)
		ns += clock_mono_ns() - rq->idle_since;
	spin_unlock_irqrestore(&rq->lock, flags);
	return ns;
}
