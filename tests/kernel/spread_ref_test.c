/* Spread reference counts: getting and putting on all CPUs while the owner gathers and spreads again. */
#include <kernel/ktest.h>
#include <kernel/sched/sched.h>
#include <kernel/spread_ref.h>
#include <kernel/sync/rcu.h>
#include <tests/kernel/runner.h>

#define RUNNERS	4u
#define TURNS	3000u

struct owner { struct spread_ref ref; u32 kept, dead; };	/* kept: references that the runners have not put; [a] both */

/* Each keeps every third reference until the end of its turns, so that a sum is not 0 by chance. */
static void get_and_put(void *arg)
{
	struct owner *o = arg;
	u32 kept = 0;

	for (u32 i = 0; i < TURNS; i++) {
		spread_ref_get(&o->ref);
		if (i % 3 == 0)
			kept++;
		else if (spread_ref_put(&o->ref))
			atomic_inc(&o->dead);
		if (i % 64 == 0)
			sched_yield_current();
	}
	atomic_add(&o->kept, kept);
}

static void put_kept(void *arg)
{
	struct owner *o = arg;

	for (u32 i = 0; i < TURNS / 3; i++)
		if (spread_ref_put(&o->ref))
			atomic_inc(&o->dead);
}

static void gather(struct spread_ref *r)
{
	spread_ref_gather_begin(r);
	synchronize_rcu();
	spread_ref_gather_end(r);
}

static bool all_run(void (*fn)(void *), struct owner *o, u32 rounds)
{
	struct runner r[RUNNERS];
	u32 n;

	for (n = 0; n < RUNNERS; n++) {
		if (!runner_create(&r[n], fn, o))
			break;
		sched_set_affinity(r[n].task, atomic_load(&cpu_online_mask));
		runner_go(&r[n]);
	}
	for (u32 i = 0; i < rounds; i++) {
		gather(&o->ref);
		spread_ref_spread(&o->ref);
	}
	for (u32 i = 0; i < n; i++)
		runner_join(&r[i]);
	return n == RUNNERS;
}

KTEST(spread_ref, counts_come_out)
{
	struct owner o = { .kept = 0 };

	spread_ref_init(&o.ref);
	spread_ref_spread(&o.ref);
	EXPECT(all_run(get_and_put, &o, 20));
	gather(&o.ref);
	EXPECT_EQ(o.kept, RUNNERS * (TURNS / 3));
	EXPECT_EQ((u32)spread_ref_read(&o.ref), 1 + o.kept);
	EXPECT_EQ(o.dead, 0);
	spread_ref_spread(&o.ref);
	EXPECT(all_run(put_kept, &o, 20));
	gather(&o.ref);
	EXPECT_EQ(spread_ref_read(&o.ref), 1);
	EXPECT(spread_ref_put(&o.ref));
	spread_ref_free(&o.ref);
}

/* Gathered, the last put is told, and nobody gets a reference on what is dead. */
KTEST(spread_ref, the_last_is_told)
{
	struct spread_ref r;

	spread_ref_init(&r);
	spread_ref_spread(&r);
	spread_ref_get(&r);
	EXPECT(!spread_ref_put(&r));
	EXPECT(spread_ref_get_live(&r));
	gather(&r);
	EXPECT(!spread_ref_put(&r));
	EXPECT(spread_ref_put(&r));
	EXPECT(!spread_ref_get_live(&r));
	spread_ref_free(&r);
}
