/* The fair class.
 *
 * Theory.  Each task has a virtual time that advances by real time over its weight, and a virtual deadline one slice after it.  The
 * waiting task with the earliest deadline runs next: over a few slices everybody gets time in proportion to weight, and one who
 * slept is served soon.  A sleeper comes back no earlier than half a slice before the queue's minimum, so sleep is rewarded but
 * not hoarded.  min_vruntime only rises.
 *
 * Virtual times are compared by signed difference, so wrapping does not matter. */
#include <linux/sched.h>
#include <kernel/sched/sched_internal.h>

/* Each step of nice is a factor of 1.25: 1024 / 1.25^nice. */
static const u32 nice_weight[40] = {
	88818, 71054, 56843, 45475, 36380, 29104, 23283, 18626, 14901, 11921,
	9537, 7629, 6104, 4883, 3906, 3125, 2500, 2000, 1600, 1280,
	1024, 819, 655, 524, 419, 336, 268, 215, 172, 137,
	110, 88, 70, 56, 45, 36, 29, 23, 18, 15,
};

u32 fair_weight(s32 nice, u32 policy)
{
	return policy == SCHED_IDLE ? 3 : nice_weight[nice + 20];
}

static inline s64 vdiff(u64 a, u64 b)
{
	return (s64)(a - b);
}

static inline u64 to_virtual(u64 ns, u32 weight)
{
	return weight == WEIGHT_NICE0 ? ns : ns * WEIGHT_NICE0 / weight;
}

static inline struct task *node_task(struct rb_node *n)
{
	return rb_entry(n, struct task, se.node);
}

void fair_place(struct rq *rq, struct sched_entity *se)
{
	u64 floor = rq->min_vruntime - SLICE_NS / 2;

	if (vdiff(se->vruntime, floor) < 0)
		se->vruntime = floor;
	else if (vdiff(se->vruntime, rq->min_vruntime + 4 * SLICE_NS) > 0)
		se->vruntime = rq->min_vruntime + 4 * SLICE_NS;	/* from another queue's time */
	se->deadline = se->vruntime + to_virtual(se->slice_ns, se->weight);
}

void fair_enqueue(struct rq *rq, struct task *t)
{
	struct rb_node **link = &rq->fair.rb_node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (vdiff(t->se.deadline, node_task(parent)->se.deadline) < 0) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(&t->se.node, parent, link);
	rb_insert_color(&t->se.node, &rq->fair);
	if (leftmost)
		rq->leftmost = &t->se.node;
	rq->nr_fair++;
	rq->waiting_weight += t->se.weight;
}

void fair_dequeue(struct rq *rq, struct task *t)
{
	if (rq->leftmost == &t->se.node)
		rq->leftmost = rb_next(&t->se.node);
	rb_erase(&t->se.node, &rq->fair);
	rq->nr_fair--;
	rq->waiting_weight -= t->se.weight;
}

struct task *fair_first(struct rq *rq)
{
	return rq->leftmost ? node_task(rq->leftmost) : NULL;
}

struct task *fair_next(struct task *t)
{
	struct rb_node *n = rb_next(&t->se.node);

	return n ? node_task(n) : NULL;
}

void fair_charge(struct rq *rq, struct task *t, u64 ran_ns)
{
	struct sched_entity *se = &t->se;
	u64 low;

	se->vruntime += to_virtual(ran_ns, se->weight);
	if (vdiff(se->vruntime, se->deadline) >= 0)
		se->deadline = se->vruntime + to_virtual(se->slice_ns, se->weight);
	low = se->vruntime;
	if (rq->leftmost && vdiff(node_task(rq->leftmost)->se.vruntime, low) < 0)
		low = node_task(rq->leftmost)->se.vruntime;
	if (vdiff(low, rq->min_vruntime) > 0)
		rq->min_vruntime = low;
}

void fair_yield(struct sched_entity *se)
{
	se->vruntime = se->deadline;
	se->deadline += to_virtual(se->slice_ns, se->weight);
}

bool fair_preempts(const struct task *woken, const struct task *curr)
{
	if (curr->se.policy == SCHED_IDLE && woken->se.policy != SCHED_IDLE)
		return true;
	if (woken->se.policy != SCHED_NORMAL)
		return false;
	return vdiff(woken->se.deadline + SLICE_NS / 4, curr->se.deadline) < 0;
}
