/* Slots of swap areas: all of them, each once, in rows; counts; several CPUs; an area that has ended.  The area is one without a device, of which only
 * the tests know: nothing is written to it. */
#include <kernel/ktest.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <mm/slab.h>
#include <mm/swap_internal.h>
#include <mm/vmalloc.h>
#include <tests/kernel/runner.h>

#define SLOTS	700u			/* two clusters and most of a third */
#define BAD	300u			/* not to be used, beside the header */
#define USABLE	(SLOTS - 2)
#define CLUSTERS DIV_ROUND_UP(SLOTS, CLUSTER)
#define TAKERS	4u
#define TURNS	400u
#define HANDFUL	(USABLE / TAKERS + 30)	/* together more than there are */

static struct swap_area *begin(u32 nr)
{
	struct swap_area *a = kzalloc(sizeof(*a), GFP_KERNEL);

	if (!a)
		return NULL;
	a->type = SWAP_AREAS - 1;
	a->prio = 1 << 20;
	a->nr_slots = nr;
	a->map = kzalloc(nr * sizeof(*a->map), GFP_KERNEL);
	a->cluster_free = kzalloc(DIV_ROUND_UP(nr, CLUSTER) * sizeof(*a->cluster_free), GFP_KERNEL);
	a->cluster_used = kzalloc(8, GFP_KERNEL);
	a->cluster_taken = kzalloc(8, GFP_KERNEL);
	if (!a->map || !a->cluster_free || !a->cluster_used || !a->cluster_taken)
		return NULL;		/* the test fails */
	a->map[0] = SLOT_BAD;
	if (nr > BAD)
		a->map[BAD] = SLOT_BAD;
	for (u32 i = 0; i < nr; i++)
		a->cluster_free[i / CLUSTER] = (u16)(a->cluster_free[i / CLUSTER] + !a->map[i]);
	for (u32 c = 0; c < DIV_ROUND_UP(nr, CLUSTER); c++)
		a->nr_usable += a->cluster_free[c];
	a->nr_free = (s64)a->nr_usable;
	swap_area_publish(a);
	return a;
}

static void end(struct swap_area *a)
{
	atomic_store(&a->writable, false);
	swap_area_retire(a);
	kfree(a->map);
	kfree(a->cluster_free);
	kfree(a->cluster_used);
	kfree(a->cluster_taken);
	kfree(a);
}

/* Nothing is taken, and the sums say so. */
static bool untouched(const struct swap_area *a)
{
	u32 sum = 0;

	for (u32 i = 1; i < a->nr_slots; i++)
		if (a->map[i] && i != BAD)
			return false;
	for (u32 c = 0; c < DIV_ROUND_UP((u32)a->nr_slots, CLUSTER); c++)
		sum += a->cluster_free[c];
	return sum == a->nr_usable && atomic_load(&a->nr_free) == (s64)a->nr_usable;
}

static u64 slots[SLOTS];

static u32 take_all(void)
{
	u32 n = 0;

	while (n < SLOTS && (slots[n] = slot_alloc()))
		n++;
	return n;
}

KTEST(swap, all_slots_each_once_in_rows)
{
	static u64 seen[DIV_ROUND_UP(SLOTS, 64)];
	struct swap_area *a = begin(SLOTS);
	u32 n, twice = 0, strange = 0, breaks = 0;
	s64 left;

	EXPECT(a);
	memset(seen, 0, sizeof(seen));
	self_fifo(50);			/* one CPU: its clusters come one by one */
	n = take_all();
	self_fair();
	left = atomic_load(&a->nr_free);
	for (u32 i = 0; i < n; i++) {
		u64 at = slot_index(slots[i]);

		strange += area_of(slots[i]) != a || !at || at == BAD || at >= SLOTS;
		twice += at < SLOTS && test_bit(at, seen);
		if (at < SLOTS)
			set_bit(at, seen);
		breaks += i && slots[i] != slots[i - 1] + 1;
	}
	for (u32 i = 0; i < n; i++)
		slot_cancel(slots[i]);
	strange += !untouched(a);
	end(a);
	EXPECT_EQ(n, USABLE);
	EXPECT_EQ(left, 0);
	EXPECT_EQ(twice, 0);
	EXPECT_EQ(strange, 0);
	EXPECT(breaks <= CLUSTERS);	/* between clusters, and at the bad one */
}

KTEST(swap, what_is_given_back_is_had_again)
{
	struct swap_area *a = begin(SLOTS);
	u64 first, again = 0, more;
	u32 n;

	EXPECT(a);
	n = take_all();
	first = slots[n / 2];
	slot_cancel(first);
	again = slot_alloc();
	more = slot_alloc();
	for (u32 i = 0; i < n; i++)
		slot_cancel(slots[i]);
	n = take_all() == USABLE;
	for (u32 i = 0; i < USABLE; i++)
		slot_cancel(slots[i]);
	end(a);
	EXPECT_EQ(again, first);
	EXPECT_EQ(more, 0);
	EXPECT(n);
}

KTEST(swap, a_slot_is_free_when_nobody_names_it)
{
	struct swap_area *a = begin(SLOTS);
	u32 named, full, after_cancel, index;
	s64 held, freed;
	u64 slot;

	EXPECT(a);
	slot = slot_alloc();
	index = (u32)slot_index(slot);
	named = (u32)(swap_dup(slot) | swap_dup(slot) | swap_dup(slot)) ? 0 : slot_entries(slot);
	a->map[index] = SLOT_CACHED | SLOT_MAX;
	full = swap_dup(slot) == -ENOMEM && a->map[index] == (SLOT_CACHED | SLOT_MAX);
	a->map[index] = SLOT_CACHED | 3;
	slot_cancel(slot);		/* the cache has it no more */
	after_cancel = a->map[index];
	swap_put(slot);
	swap_put(slot);
	held = atomic_load(&a->nr_free);
	swap_put(slot);
	freed = atomic_load(&a->nr_free);
	index = untouched(a);
	end(a);
	EXPECT_EQ(named, 3);
	EXPECT(full);
	EXPECT_EQ(after_cancel, 3);
	EXPECT_EQ(held, USABLE - 1);
	EXPECT_EQ(freed, USABLE);
	EXPECT(index);
}

static u32 holders[SLOTS];		/* [a] by slot: who has it */
static u32 twice, had, refused;		/* [a] */

static void take_and_give(void *arg)
{
	u64 *mine = arg;

	for (u32 i = 0; i < TURNS; i++) {
		u32 n = 0;

		while (n < HANDFUL && (mine[n] = slot_alloc())) {
			if (atomic_add_return(&holders[slot_index(mine[n])], 1u) != 1)
				atomic_inc(&twice);
			n++;
		}
		atomic_add(&had, n);
		if (n < HANDFUL)
			atomic_inc(&refused);
		if (i % 8 == 0)
			sched_yield_current();
		while (n--) {
			atomic_sub(&holders[slot_index(mine[n])], 1u);
			slot_cancel(mine[n]);
		}
	}
}

/* On all CPUs, until the area is full and beyond: no slot is had twice, and none is lost. */
KTEST(swap, nobody_has_the_same_slot)
{
	static u64 mine[TAKERS][HANDFUL];
	struct swap_area *a = begin(SLOTS);
	struct runner r[TAKERS];
	u32 n, whole;

	EXPECT(a);
	twice = had = refused = 0;
	memset(holders, 0, sizeof(holders));
	for (n = 0; n < TAKERS && runner_create(&r[n], take_and_give, mine[n]); n++)
		sched_set_affinity(r[n].task, atomic_load(&cpu_online_mask));
	for (u32 i = 0; i < n; i++)
		runner_go(&r[i]);
	for (u32 i = 0; i < n; i++)
		runner_join(&r[i]);
	whole = untouched(a);
	end(a);
	EXPECT_EQ(n, TAKERS);
	EXPECT_EQ(twice, 0);
	EXPECT(whole);
	EXPECT(had > TURNS);
}

/* Who has seen an entry, and comes when swapoff has filled it and the area has gone, or a smaller one has come in its place, is told to look again. */
KTEST(swap, an_area_that_has_ended)
{
	struct swap_area *a = begin(SLOTS);
	u64 last, unnamed;
	struct page *p;
	int gone, beyond, nobody;

	EXPECT(a);
	last = slot_name(a, SLOTS - 1);
	end(a);
	gone = swap_read_page(last, &p);
	a = begin(CLUSTER);
	EXPECT(a);
	unnamed = slot_name(a, 7);
	beyond = swap_read_page(last, &p);
	nobody = swap_read_page(unnamed, &p);
	beyond = untouched(a) ? beyond : 0;
	end(a);
	EXPECT_EQ(gone, -EAGAIN);
	EXPECT_EQ(beyond, -EAGAIN);
	EXPECT_EQ(nobody, -EAGAIN);
}
