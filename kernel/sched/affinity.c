/* Which CPUs a task may use, and how it gets away from one that it may no longer use.
 *
 * Theory.  The mask changes under the lock of the queue that the task is on.  A sleeping task needs no more: who wakes it looks at the mask
 * again after it has the lock of the queue it chose (move_to).  A waiting one is taken from its queue in flight and put on another.  One
 * that runs is made to pass through schedule(); put_back() sees that it may not stay and leaves it in flight, and whoever runs next
 * on that CPU, with the task off its stack and the lock dropped, puts it on another queue (finish_move).  So there is no stopper thread;
 * current moves itself by being preempted.
 *
 * In flight a task is on no queue's list, and nobody's but the mover's: on_rq is true, so a waker only sets its state; task_waits() is
 * false, so changes of policy touch no list; a new mask is seen by the mover, who looks after he has the lock of the new queue.
 *
 * sched_set_affinity() returns when the task runs on no CPU outside the mask.  It waits on one queue for all (such calls are rare):
 * move_watched, set under the lock while the task runs, makes finish_move wake that queue, whether the task moved or went to sleep. */
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/sched/sched_internal.h>
#include <kernel/time/clock.h>

static DEFINE_WAIT_QUEUE(moved);

/* t, on no list but in flight, goes from rq, which is locked, to one that it may use.  Returns that, locked. */
static struct rq *land(struct rq *rq, struct task *t, u64 now)
{
	rq = move_to(rq, t, select_cpu(t, WAKE_MOVE), WAKE_MOVE, now);
	rq_add(rq, t, now);
	return rq;
}

/* in_flight is not read again: one that went to sleep, watched, may run elsewhere by now and be on its way from there, as somebody else's. */
void finish_move(struct rq *rq, struct task *prev, bool in_flight)
{
	if (in_flight) {
		spin_lock(&rq->lock);
		rq_unlock(land(rq, prev, clock_mono_ns()));
	}
	wake_up_all(&moved);
}

void moved_wake(struct task *t)
{
	if (unlikely(READ_ONCE(t->se.move_watched)))
		wake_up_all(&moved);
}

/* Does t run where it may not, or is it on the way from there?  If so, whoever waits will be told when that ends. */
static bool still_outside(struct task *t)
{
	irqflags_t flags;
	struct rq *rq = task_rq_lock(t, &flags);
	bool outside = (rq->curr == t || t->se.in_flight) && !(t->se.affinity & BIT(rq->cpu));

	t->se.move_watched = outside;
	if (outside && rq->curr == t)
		resched_curr(rq);
	spin_unlock_irqrestore(&rq->lock, flags);
	return outside;
}

int sched_set_affinity(struct task *t, cpumask_t mask)
{
	irqflags_t flags;
	struct rq *rq;

	if (!(mask & atomic_load(&cpu_online_mask)))
		return -EINVAL;
	rq = task_rq_lock(t, &flags);
	t->se.affinity = mask;
	if (mask & BIT(rq->cpu)) {
		if (t->se.on_rq)
			resched_curr(rq);	/* CPUs that were barred may be better now */
		spin_unlock_irqrestore(&rq->lock, flags);
		return 0;
	}
	if (task_waits(rq, t)) {
		u64 now = clock_mono_ns();

		rq_remove(rq, t, now);
		t->se.in_flight = true;
		rq_unlock_irqrestore(land(rq, t, now), flags);
		return 0;
	}
	if (rq->curr == t)
		resched_curr(rq);
	spin_unlock_irqrestore(&rq->lock, flags);	/* current goes here */
	if (t != current && !in_atomic() && !arch_irqs_disabled())
		wait_event(&moved, !still_outside(t));
	return 0;
}
