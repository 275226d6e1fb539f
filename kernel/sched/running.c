/* Who runs where, asked from outside. */
#include <kernel/sched/sched_internal.h>

cpumask_t sched_cpus_running(bool (*wanted)(const struct task *t, const void *arg), const void *arg)
{
	cpumask_t online = atomic_load(&cpu_online_mask), found = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		struct rq *rq = per_cpu_ptr(&runqueue, cpu);
		irqflags_t flags;

		if (!(online & BIT(cpu)))
			continue;
		flags = spin_lock_irqsave(&rq->lock);
		if (wanted(rq->curr, arg))
			found |= BIT(cpu);
		spin_unlock_irqrestore(&rq->lock, flags);
	}
	return found;
}
