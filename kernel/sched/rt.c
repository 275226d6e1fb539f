/* Real-time classes: FIFO and RR, a list per priority and a bitmap over the lists.  A preempted task goes back to the head of its
 * list, one whose turn is over to the tail. */
#include <kernel/lib/bitmap.h>
#include <kernel/sched/sched_internal.h>

void rt_enqueue(struct rq *rq, struct task *t, bool head)
{
	u32 prio = t->se.eff_prio;

	if (head)
		list_add(&t->se.rt_link, &rq->rt[prio]);
	else
		list_add_tail(&t->se.rt_link, &rq->rt[prio]);
	rq->rt_bitmap[prio / 64] |= BIT(prio % 64);
}

void rt_dequeue(struct rq *rq, struct task *t)
{
	u32 prio = t->se.eff_prio;

	list_del(&t->se.rt_link);
	if (list_empty(&rq->rt[prio]))
		rq->rt_bitmap[prio / 64] &= ~BIT(prio % 64);
}

int rt_top_prio(const struct rq *rq)
{
	u64 high = READ_ONCE(rq->rt_bitmap[1]), low;

	if (high)
		return 127 - __builtin_clzl(high);
	low = READ_ONCE(rq->rt_bitmap[0]);
	return low ? 63 - __builtin_clzl(low) : -1;
}

struct task *rt_first(struct rq *rq)
{
	int prio = rt_top_prio(rq);

	return prio < 0 ? NULL : list_first_entry(&rq->rt[prio], struct task, se.rt_link);
}
