/* User and kernel time of tasks and CPUs.
 *
 * Theory.  The scheduler charges CPU time to a task as a whole (sum_exec), exactly.  How much of it was the kernel's is sampled: while a CPU
 * is busy, a timer of its own interrupts it every few ms; what the task that it hits has run since its last sample counts as the kernel's or
 * the program's by where the interrupt hit it, and so does what the CPU has worked.  Since each sample weighs what it stands for, tasks
 * that are seldom hit get their share as well as hogs.  What has run since the last sample is told as being of the same kind as that; until
 * the first, as the program's.  So the sum is always exact, and the parts are right to within a few samples.
 *
 * A CPU that idles takes no interrupt for this: the timer goes with its work, when the CPU comes to idle.  Only where it idles for
 * moments, between wake-ups, it is left armed, since it would be armed again at once: the last one, then, finds nobody.  A task that is
 * alone is sampled less often, up to GAP_MAX_NS.  The gap is odd by the counter's low bits, so that no program keeps step with it.
 * Where several tasks take turns, the interrupt that ends a turn takes the sample as soon as the gap has passed (sample_passing), and
 * the timer, which waits for WAIT_NS more, is put off before it fires: an interrupt less in each turn.
 *
 * Neither number is ever told smaller, and the two never sum up to more than sum_exec: what was told as one kind, and turns out
 * to have been the other, is made up for by what comes.
 *
 * Rejected: reading the counter at each way in and out of the kernel.  That is exact, and was so here until every system call
 * of every CPU met in it: QEMU takes its one lock for each reading (docs/performance.md), so processors' system calls waited for each other. */
#include <arch/trapframe.h>
#include <kernel/irq/irq.h>
#include <kernel/sched/sched_internal.h>
#include <kernel/time/clock.h>

#define GAP_MIN_NS	(4 * NSEC_PER_MSEC)
#define GAP_MAX_NS	(16 * NSEC_PER_MSEC)
#define WAIT_NS		(SLICE_NS + NSEC_PER_MSEC)	/* for the next end of a turn, from when the gap has passed */
#define SHORT_IDLE_NS	(500 * NSEC_PER_USEC)

static u64 busy_ns(const struct rq *rq, u64 now, u64 idle_ns)
{
	u64 all = now - rq->start_ns;

	return all - min(idle_ns, all);
}

static void count(struct rq *rq, struct task *t, u64 now)
{
	struct cpu_sample *s = &rq->sample;
	u64 busy = busy_ns(rq, now, rq->idle_ns);

	t->sampled_kernel = s->kernel = frame_from_call(irq_interrupted());
	s->nice = !s->kernel && t->se.nice > 0;
	if (s->kernel) {
		t->kernel_ns += t->se.sum_exec - t->sampled_ns;
		s->kernel_ns += busy - s->busy_ns;
	} else if (s->nice) {
		s->nice_ns += busy - s->busy_ns;
	}
	t->sampled_ns = t->se.sum_exec;
	s->busy_ns = busy;
}

static void arm_sample(struct rq *rq, u64 now)
{
	struct cpu_sample *s = &rq->sample;

	s->due_ns = now + s->gap_ns + (now & ODD_NS);
	timer_arm(&s->timer, s->due_ns + (rq->nr_running > 1 ? WAIT_NS : 0));
}

/* curr was interrupted and is charged up to now. */
static void take_sample(struct rq *rq, u64 now)
{
	struct cpu_sample *s = &rq->sample;
	struct task *t = rq->curr;

	count(rq, t, now);
	s->gap_ns = t == s->task ? min(2 * s->gap_ns, GAP_MAX_NS) : GAP_MIN_NS;
	s->task = t;
	arm_sample(rq, now);
}

static void sample_fired(struct timer *timer)
{
	struct rq *rq = container_of(timer, struct rq, sample.timer);
	u64 now;

	spin_lock(&rq->lock);
	if (rq->curr != rq->idle) {
		now = clock_mono_ns();
		update_curr(rq, now);
		take_sample(rq, now);
	}
	spin_unlock(&rq->lock);
}

void sample_passing(struct rq *rq, u64 now)
{
	if (rq->sample.timer.armed && now >= rq->sample.due_ns)
		take_sample(rq, now);
}

void sample_init(struct rq *rq)
{
	timer_init(&rq->sample.timer, sample_fired);
	rq->sample.gap_ns = GAP_MIN_NS;
}

void sample_begin(struct rq *rq, u64 now)
{
	if (rq->sample.timer.armed)
		return;
	rq->sample.gap_ns = GAP_MIN_NS;
	arm_sample(rq, now);
}

void sample_end(struct rq *rq)
{
	if (rq->sample.timer.armed && rq->avg_idle_ns >= SHORT_IDLE_NS)
		timer_cancel_quietly(&rq->sample.timer);
}

void task_times(struct task *t, u64 *utime_ns, u64 *stime_ns)
{
	irqflags_t flags;
	struct rq *rq = task_rq_lock(t, &flags);
	u64 kernel, all;

	if (rq->curr == t)
		update_curr(rq, clock_mono_ns());
	all = t->se.sum_exec;
	kernel = t->kernel_ns + (t->sampled_kernel ? all - t->sampled_ns : 0);
	if (t->pflags & PF_KTHREAD)
		kernel = all;
	t->stime_ns = min(max(t->stime_ns, kernel), all - t->utime_ns);
	t->utime_ns = all - t->stime_ns;
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

void sched_cpu_times(u32 cpu, struct cpu_times *out)
{
	u64 idle = sched_idle_ns(cpu), iowait = sched_iowait_ns(cpu), busy, late, kernel, nice, irq, user;
	struct rq *rq = cpu_rq(cpu);
	const struct cpu_sample *s = &rq->sample;
	irqflags_t flags = spin_lock_irqsave(&rq->lock);

	busy = busy_ns(rq, clock_mono_ns(), idle);
	late = busy - min(s->busy_ns, busy);
	kernel = min(s->kernel_ns + (s->kernel ? late : 0), busy);
	nice = s->nice_ns + (s->nice ? late : 0);
	irq = clock_ticks_to_ns(READ_ONCE(rq->irq_ticks[0]));
	out->irq_ns = told(&rq->told.irq_ns, irq + clock_ticks_to_ns(READ_ONCE(rq->irq_ticks[1])));
	out->system_ns = told(&rq->told.system_ns, kernel - min(irq, kernel));
	user = busy - min(busy, max(kernel, out->system_ns));
	out->nice_ns = told(&rq->told.nice_ns, min(nice, user));
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
