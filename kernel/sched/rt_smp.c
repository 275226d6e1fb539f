/* Real-time tasks on many CPUs: the N highest of all run, where their masks allow it.
 *
 * Theory.  A real-time task is put on the CPU with the lowest priority when it wakes, if that is lower than its own; the one where it ran
 * last among equals.  So as long as there is room nobody waits.  One that waits all the same (preempted, or nobody was lower) sets its CPU's
 * bit in rt_overload.  Whoever chooses what to run next looks at that mask first, one read of a line that seldom changes, and
 * fetches from those CPUs what is higher than all it has (rt_pull).  And a CPU that keeps one waiting kicks the lowest other, if that is
 * lower than what waits, so that it comes and looks (rt_waiting_changed).  Both together: each time a priority falls somewhere, or a
 * task begins to wait, the pair that could be exchanged meets.
 *
 * Order: the bit is set (acq_rel) before the kick is sent, and the kicked CPU takes its own lock, which the kicker held, before it reads
 * the mask.  A CPU whose priority falls by itself may read the mask just before the bit is set: but it has not made its lower choice
 * visible then, or the kicker has read it.  What is left is a race between two loads without order, both of hints: the CPU that misses
 * the bit is kicked at the next choice of the overloaded one.
 *
 * The victim's lock is only tried, as the puller holds its own; who fails looks again at once. */
#include <kernel/lib/bitmap.h>
#include <kernel/sched/sched_internal.h>
#include <kernel/time/clock.h>

#define LOOK_AT 16

cpumask_t rt_overload;

/* 0: idle; 1: fair tasks; 1 + n: the higher of what runs and what waits.  A racy look, under RCU. */
static u32 cpu_prio(u32 cpu)
{
	struct rq *rq = cpu_rq(cpu);
	const struct task *curr = READ_ONCE(rq->curr);
	int top = rt_top_prio(rq);
	u32 prio;

	if (curr == rq->idle && !READ_ONCE(rq->nr_running))
		return 0;
	prio = curr == rq->idle ? 0 : READ_ONCE(curr->se.eff_prio);
	return 1 + max(prio, top < 0 ? 0u : (u32)top);
}

/* The CPU with the lowest priority below prio; `near` among equals, then those that share its cache.  NO_CPU: none. */
static u32 lowest(cpumask_t allowed, u32 near, u32 prio)
{
	cpumask_t close = sched_cluster(near);
	u32 best = NO_CPU, least = 1 + prio;
	bool best_close = false;

	if ((allowed & BIT(near)) && cpu_prio(near) < least) {
		least = cpu_prio(near);
		best = near;
		best_close = true;
	}
	for (cpumask_t left = allowed & ~BIT(near); left && least; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzl(left), p = cpu_prio(cpu);

		if (p < least || (p == least && best != NO_CPU && !best_close && (close & BIT(cpu)))) {
			least = p;
			best = cpu;
			best_close = close & BIT(cpu);
		}
	}
	return best;
}

u32 rt_select_cpu(struct task *t)
{
	cpumask_t allowed = task_cpus(t);
	u32 cpu = lowest(allowed, t->se.cpu, t->se.eff_prio);

	if (cpu != NO_CPU)
		return cpu;
	return allowed & BIT(t->se.cpu) ? t->se.cpu : (u32)__builtin_ctzl(allowed);
}

/* The highest waiting task of rq above prio that may use one of cpus. */
static struct task *movable(struct rq *rq, cpumask_t cpus, int prio)
{
	u32 looked = 0;

	for (int p = rt_top_prio(rq); p > prio && p > 0; p--) {
		struct task *t;

		list_for_each_entry(t, &rq->rt[p], se.rt_link) {
			if (t->se.affinity & cpus)
				return t;
			if (++looked == LOOK_AT)
				return NULL;
		}
	}
	return NULL;
}

void rt_waiting_changed(struct rq *rq)
{
	bool overloaded = rq->rt_bitmap[0] | rq->rt_bitmap[1];
	cpumask_t others = atomic_load(&cpu_online_mask) & ~BIT(rq->cpu);
	struct task *t;
	u32 cpu;

	if (!others)
		return;
	if (overloaded != rq->rt_overloaded) {
		rq->rt_overloaded = overloaded;
		if (overloaded)
			atomic_fetch_or_acq_rel(&rt_overload, BIT(rq->cpu));
		else
			atomic_fetch_and(&rt_overload, ~BIT(rq->cpu));
	}
	if (!overloaded || rq->rt_throttled)
		return;
	t = movable(rq, others, 0);
	cpu = t ? lowest(t->se.affinity & others, rq->cpu, t->se.eff_prio) : NO_CPU;
	if (cpu != NO_CPU)
		rq->kick = cpu;
}

void rt_pull(struct rq *rq)
{
	u64 now = clock_mono_ns();

	if (rq->rt_throttled)
		return;
	for (cpumask_t left = atomic_load(&rt_overload) & atomic_load(&cpu_online_mask) & ~BIT(rq->cpu); left; left &= left - 1) {
		struct rq *victim = cpu_rq((u32)__builtin_ctzl(left));
		struct task *t;

		if (rt_top_prio(victim) <= max(rt_top_prio(rq), 0))
			continue;
		if (!spin_trylock(&victim->lock)) {
			rq->kick = rq->cpu;
			continue;
		}
		t = victim->rt_throttled ? NULL : movable(victim, BIT(rq->cpu), max(rt_top_prio(rq), 0));
		if (t) {
			take_over(victim, rq, t, now);
			rq->nr_rt_pulled++;
		}
		spin_unlock(&victim->lock);
	}
}
