/* Fair and real-time queues: what is picked against a search of all, and who got how much after long simulated runs. */
#include <kernel/lib/string.h>
#include <kernel/sched/sched_internal.h>
#include <tests/unit/unit.h>

#define NR 12
static struct rq rq;
static struct task tasks[NR];
static bool queued[NR];

static void reset(u64 start)
{
	memset(&rq, 0, sizeof(rq));
	memset(tasks, 0, sizeof(tasks));
	memset(queued, 0, sizeof(queued));
	rq.min_vruntime = start;
	for (u32 i = 0; i < RT_PRIOS; i++)
		list_init(&rq.rt[i]);
	for (u32 i = 0; i < NR; i++)
		tasks[i].se = (struct sched_entity){ .slice_ns = SLICE_NS, .weight = WEIGHT_NICE0, .vruntime = start };
}

static void put(u32 i) { fair_enqueue(&rq, &tasks[i]); queued[i] = true; }
static void take(u32 i) { fair_dequeue(&rq, &tasks[i]); queued[i] = false; }

/* The queue's first is one of the least deadlines of all that wait, and their number is right. */
static bool first_is_right(void)
{
	struct task *best = NULL, *first = fair_first(&rq);
	u32 n = 0;

	for (u32 i = 0; i < NR; i++) {
		if (!queued[i])
			continue;
		n++;
		if (!best || (s64)(tasks[i].se.deadline - best->se.deadline) < 0)
			best = &tasks[i];
	}
	return n == rq.nr_fair && (!best ? !first : first && first->se.deadline == best->se.deadline && queued[first - tasks]);
}

TEST(weights)
{
	for (s32 nice = -20; nice < 19; nice++) {
		u32 w = fair_weight(nice, SCHED_NORMAL), next = fair_weight(nice + 1, SCHED_NORMAL);

		EXPECT(w > next && w * 100 >= next * 115 && w * 100 <= next * 135);
	}
	EXPECT(fair_weight(0, SCHED_NORMAL) == 1024 && fair_weight(0, SCHED_BATCH) == 1024 && fair_weight(-20, SCHED_IDLE) == 3);
	EXPECT(fair_weight(-20, SCHED_NORMAL) == 88818 && fair_weight(19, SCHED_NORMAL) == 15);
}

TEST(order_by_deadline)
{
	for (u32 start = 0; start < 2; start++) {
		reset(start ? -5 * SLICE_NS : 0);		/* once across the wrap */
		for (u32 step = 0; step < 20000; step++) {
			u32 i = (u32)unit_below(NR);

			if (queued[i]) {
				take(i);
			} else {
				tasks[i].se.vruntime = rq.min_vruntime + unit_below(3 * SLICE_NS);
				fair_place(&rq, &tasks[i].se);
				put(i);
			}
			if (unit_below(4) == 0)
				rq.min_vruntime += unit_below(SLICE_NS);
			EXPECT(first_is_right());
		}
	}
}

TEST(placing)
{
	struct sched_entity se = { .slice_ns = SLICE_NS, .weight = WEIGHT_NICE0 };

	reset(100 * SLICE_NS);
	se.vruntime = 0;			/* slept for ages */
	fair_place(&rq, &se);
	EXPECT_EQ(se.vruntime, 100 * SLICE_NS - SLICE_NS / 2);
	EXPECT_EQ(se.deadline, se.vruntime + SLICE_NS);
	se.vruntime = 101 * SLICE_NS;		/* slept briefly: keeps what it has used */
	fair_place(&rq, &se);
	EXPECT_EQ(se.vruntime, 101 * SLICE_NS);
	se.vruntime = 500 * SLICE_NS;		/* from a queue that is ahead */
	fair_place(&rq, &se);
	EXPECT_EQ(se.vruntime, 104 * SLICE_NS);
	se.weight = fair_weight(10, SCHED_NORMAL);
	fair_place(&rq, &se);
	EXPECT_EQ(se.deadline - se.vruntime, SLICE_NS * 1024 / 110);
}

TEST(preemption)
{
	struct task a = { .se = { .policy = SCHED_NORMAL, .deadline = 10 * SLICE_NS } }, b = { .se = { .policy = SCHED_NORMAL, .deadline = 12 * SLICE_NS } };

	EXPECT(fair_preempts(&a, &b) && !fair_preempts(&b, &a) && !fair_preempts(&a, &a));
	b.se.deadline = 10 * SLICE_NS + SLICE_NS / 8;	/* not for so little */
	EXPECT(!fair_preempts(&a, &b));
	b.se.policy = SCHED_IDLE;
	EXPECT(fair_preempts(&a, &b));
	a.se.policy = SCHED_BATCH;
	b.se = (struct sched_entity){ .policy = SCHED_NORMAL, .deadline = 100 * SLICE_NS };
	EXPECT(!fair_preempts(&a, &b) && fair_preempts(&b, &(struct task){ .se = { .policy = SCHED_NORMAL, .deadline = 1ull << 62 } }));
	a.se.policy = SCHED_NORMAL;			/* across the wrap */
	a.se.deadline = -SLICE_NS;
	b.se.deadline = SLICE_NS;
	EXPECT(fair_preempts(&a, &b) && !fair_preempts(&b, &a));
}

/* Who runs is always the first; a turn lasts until the deadline moves, as the slice timer has it. */
TEST(shares_follow_weights)
{
	for (u32 round = 0; round < 10; round++) {
		u64 ran[NR] = { 0 }, total = 0, weights = 0, last_min;

		reset(round & 1 ? -1000 * SLICE_NS : 0);
		last_min = rq.min_vruntime;
		for (u32 i = 0; i < NR; i++) {
			tasks[i].se.nice = (s32)unit_below(21) - 10;
			tasks[i].se.weight = fair_weight(tasks[i].se.nice, SCHED_NORMAL);
			weights += tasks[i].se.weight;
			fair_place(&rq, &tasks[i].se);
			put(i);
		}
		while (total < 20000 * SLICE_NS) {
			struct task *t = fair_first(&rq);
			u64 deadline = t->se.deadline;

			take((u32)(t - tasks));
			do {
				u64 ns = 1 + unit_below(SLICE_NS), low;

				fair_charge(&rq, t, ns);
				low = t->se.vruntime;
				if (fair_first(&rq) && (s64)(fair_first(&rq)->se.vruntime - low) < 0)
					low = fair_first(&rq)->se.vruntime;
				EXPECT_EQ(rq.min_vruntime, (s64)(low - last_min) > 0 ? low : last_min);
				ran[t - tasks] += ns;
				total += ns;
				EXPECT((s64)(rq.min_vruntime - last_min) >= 0);
				last_min = rq.min_vruntime;
			} while (t->se.deadline == deadline);
			put((u32)(t - tasks));
		}
		for (u32 i = 0; i < NR; i++) {
			u64 due = total / weights * tasks[i].se.weight;

			/* within a few slices of what its weight makes its own */
			EXPECT(ran[i] + 4 * SLICE_NS > due && ran[i] < due + 4 * SLICE_NS);
		}
	}
}

/* --- real time: a list per priority against arrays */
static u32 model[RT_PRIOS][NR], model_len[RT_PRIOS];

static void model_remove(u32 prio, u32 i)
{
	u32 k = 0;

	while (model[prio][k] != i)
		k++;
	memmove(&model[prio][k], &model[prio][k + 1], (NR - k - 1) * sizeof(u32));
	model_len[prio]--;
}

TEST(rt_lists)
{
	reset(0);
	memset(model_len, 0, sizeof(model_len));
	for (u32 step = 0; step < 50000; step++) {
		u32 i = (u32)unit_below(NR), prio = tasks[i].se.eff_prio, top = RT_PRIOS;
		struct task *first;

		if (queued[i]) {
			rt_dequeue(&rq, &tasks[i]);
			model_remove(prio, i);
		} else {
			static const u32 edges[] = { 1, 2, 62, 63, 64, 65, 99, RT_KERNEL_PRIO };
			bool head = unit_below(3) == 0;

			prio = tasks[i].se.eff_prio = edges[unit_below(ARRAY_SIZE(edges))];
			rt_enqueue(&rq, &tasks[i], head);
			if (head)
				memmove(&model[prio][1], &model[prio][0], (NR - 1) * sizeof(u32));
			model[prio][head ? 0 : model_len[prio]] = i;
			model_len[prio]++;
		}
		queued[i] = !queued[i];
		while (top-- && !model_len[top])
			;
		first = rt_first(&rq);
		EXPECT_EQ(rt_top_prio(&rq), (s32)top);
		EXPECT((s32)top < 0 ? !first : first == &tasks[model[top][0]]);
	}
}
