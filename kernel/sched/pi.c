/* Lent priority: what a task runs at may be more than its own, for as long as somebody of that priority waits for it.
 *
 * The policy and priority that programs set and see stay as they are; eff_prio is what queues and preemption go by.  A fair task with a
 * boost is scheduled as FIFO.  Nice values are not lent, as on Linux.  Who lends, and how much, is kernel/sync/pi.c's business. */
#include <kernel/sched/sched_internal.h>

void sched_set_boost(struct task *t, u32 prio)
{
	irqflags_t flags;
	struct rq *rq = task_rq_lock(t, &flags);
	bool waits = task_waits(rq, t), was_rt = task_is_rt(t);
	u32 old = t->se.eff_prio, eff = max(t->se.rt_priority, prio);

	t->se.boost = prio;
	if (eff == old)
		goto out;
	update_curr(rq, clock_mono_ns());
	if (waits)
		dequeue_waiting(rq, t);
	t->se.eff_prio = eff;
	if (was_rt && !eff)
		fair_place(rq, &t->se);
	if (waits)
		enqueue_waiting(rq, t, eff < old);	/* one who gives back what was lent does not lose his turn by it */
	if (t->se.on_rq && (waits ? eff > old : eff < old))
		resched_curr(rq);
out:
	spin_unlock_irqrestore(&rq->lock, flags);
}
