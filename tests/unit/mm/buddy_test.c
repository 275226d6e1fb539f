/* The buddy allocator against an owner for each page: no overlap, right alignment, everything merges back, exhaustion. */
#include "arena.h"

void slab_init(void) { }
void vmalloc_init(void) { }

static struct held { struct page *p; u32 order; } held[ARENA_PAGES];
static u32 nr_held;
static u32 owner[ARENA_PAGES];		/* 1 + index in held of who has the page */
static u64 initial_free;

static u64 number(const struct page *p) { return page_to_pfn(p) - (UNIT_PHYS >> PAGE_SHIFT); }

/* Single pages rest in the CPU's list; blocks are made of what is not there. */
static bool counts_agree(void)
{
	u64 pages = 0, taken = 0;

	for (u32 o = 0; o <= 10; o++)
		pages += page_nr_of_order(o) << o;
	for (u32 i = 0; i < nr_held; i++)
		taken += 1ul << held[i].order;
	return pages <= page_nr_free() && page_nr_free() - pages <= 64 && page_nr_free() + taken == initial_free;
}

static bool take(u32 order, gfp_t gfp)
{
	struct page *p = page_alloc(order, gfp);
	u64 first;

	if (!p)
		return false;
	first = number(p);
	if (!IS_ALIGNED(page_to_pfn(p), 1ul << order) || p->refs != 1 || p->order != order)
		host_die("misplaced block", __FILE__, __LINE__);
	for (u64 i = first; i < first + (1ul << order); i++) {
		if (owner[i] || i >= ARENA_PAGES || (i >= HOLE_START && i < HOLE_END) || (i >= 100 && i < 103))
			host_die("a page given twice, or one that is no RAM", __FILE__, __LINE__);
		owner[i] = nr_held + 1;
	}
	if (gfp & GFP_ZERO)
		for (u64 i = 0; i < PAGE_SIZE << order; i += 64)
			if (*(u64 *)((char *)page_address(p) + i))
				host_die("not zeroed", __FILE__, __LINE__);
	memset(page_address(p), 0xa5, PAGE_SIZE << order);
	held[nr_held++] = (struct held){ p, order };
	return true;
}

static void give(u32 i)
{
	struct held h = held[i];
	u64 first = number(h.p);

	for (u64 k = first; k < first + (1ul << h.order); k++) {
		if (owner[k] != i + 1)
			host_die("owners mixed up", __FILE__, __LINE__);
		owner[k] = 0;
	}
	held[i] = held[--nr_held];
	if (i < nr_held)
		for (u64 k = number(held[i].p); k < number(held[i].p) + (1ul << held[i].order); k++)
			owner[k] = i + 1;
	if (unit_below(2))
		page_free(h.p, h.order);
	else
		page_put(h.p);
}

static bool wholly_free(u64 first, u32 order)
{
	if (first + (1ul << order) > ARENA_PAGES)
		return false;
	for (u64 i = first; i < first + (1ul << order); i++)
		if (owner[i] || (i >= HOLE_START && i < HOLE_END) || (i >= 100 && i < 103) || (pfn_to_page(page_base_pfn + i)->flags & PG_RESERVED))
			return false;
	return true;
}

/* The free pages lie in as large blocks as they can: what merging must achieve, whatever the history.  Pages that rest in the CPU's
 * list are taken out first. */
static bool merged(void)
{
	u64 want[11] = { 0 }, in_blocks = 0;

	for (u32 o = 0; o <= 10; o++)
		in_blocks += page_nr_of_order(o) << o;
	for (u64 n = page_nr_free() - in_blocks; n; n--)
		take(0, GFP_ATOMIC);
	for (u64 i = 0; i < ARENA_PAGES;) {
		u32 o = 10;

		while (o && !(IS_ALIGNED(page_base_pfn + i, 1ul << o) && wholly_free(i, o)))
			o--;
		if (o || wholly_free(i, 0))
			want[o]++;
		i += 1ul << o;
	}
	for (u32 o = 0; o <= 10; o++)
		if (page_nr_of_order(o) != want[o])
			return unit_note("order %u: %lu blocks, not %lu", o, page_nr_of_order(o), want[o]), false;
	return true;
}

static bool all_back(void)
{
	while (nr_held)
		give((u32)unit_below(nr_held));
	return page_nr_free() == initial_free && merged();
}

TEST(setup)
{
	arena_init();
	initial_free = page_nr_free();
	EXPECT_EQ(page_nr_total(), initial_free);
	EXPECT(page_nr_of_order(10) >= 3 && counts_agree() && merged());
}

TEST(random)
{
	for (int i = 0; i < 60000; i++) {
		bool grow = nr_held < 1000 ? unit_below(3) : unit_below(3) == 0;

		if (grow || !nr_held)
			take((u32)(unit_below(4) ? unit_below(4) : unit_below(11)), unit_below(8) ? 0 : GFP_ZERO);
		else
			give((u32)unit_below(nr_held));
		if (i % 64 == 0)
			EXPECT(counts_agree());
		if (i % 3000 == 0)
			EXPECT(merged());
	}
	EXPECT(all_back());
}

/* The last pages are kept for those that may not fail. */
TEST(exhaustion_and_reserve)
{
	u64 kept;

	while (take(0, 0))
		;
	kept = page_nr_free();
	EXPECT(kept >= 16 && kept <= 1024);
	EXPECT(!take(0, 0) && !take(3, 0));
	while (take(0, GFP_ATOMIC))
		;
	EXPECT_EQ(page_nr_free(), 0);
	give(5);
	EXPECT_EQ(page_nr_free(), 1);
	unit_current->pflags |= PF_MEMALLOC;
	EXPECT(take(0, 0));
	unit_current->pflags = 0;
	EXPECT(!take(11, GFP_ATOMIC) && !take(~0u, GFP_ATOMIC));
	EXPECT(all_back());
}

/* A block as single pages: each goes by itself, or all at once as the block they were. */
TEST(split_blocks)
{
	for (u32 order = 0; order <= 9; order++) {
		struct page *p = page_alloc(order, 0);
		u64 before = page_nr_free();
		u32 nr = 1u << order, kept = 0;

		EXPECT(p || order > 7);		/* single pages that rest in the CPU's list may stand in the way */
		if (!p)
			continue;
		page_split(p, order);
		for (u32 i = 0; i < nr; i++)
			EXPECT(p[i].refs == 1 && p[i].order == 0 && p[i].mapcount == 0 && !p[i].flags && !p[i].mapping);
		for (u32 i = 0; i < nr; i++)
			if (unit_below(3) == 0) {
				page_get(&p[i]);
				kept++;
			}
		pages_put(p, order);
		EXPECT_EQ(page_nr_free(), before + nr - kept);
		for (u32 i = 0; i < nr; i++)
			if (p[i].refs)
				page_put(&p[i]);
		EXPECT_EQ(page_nr_free(), before + nr);
	}
	EXPECT(counts_agree());
	for (u32 order = 4; order <= 9; order++) {	/* whole again: no need to merge */
		struct page *p = page_alloc(order, 0);
		u64 singles = page_nr_of_order(0);

		if (!p)
			continue;
		page_split(p, order);
		p[3].flags = PG_UPTODATE;
		p[3].mapping = (void *)p;
		pages_put(p, order);
		EXPECT(page_nr_of_order(0) == singles && !p[3].flags && !p[3].mapping);
	}
	EXPECT(all_back());
}

/* Memory given late (the initrd's) joins its neighbours. */
TEST(late_memory)
{
	u64 before = page_nr_free();

	mm_free_initmem(UNIT_PHYS + 100 * PAGE_SIZE + 1, 3 * PAGE_SIZE - 1);
	EXPECT_EQ(page_nr_free(), before + 2);
	EXPECT_EQ(page_nr_total(), initial_free + 2);
	mm_free_initmem(UNIT_PHYS - 8 * PAGE_SIZE, PAGE_SIZE);		/* not ours: ignored */
	mm_free_initmem(UNIT_PHYS, 0);
	EXPECT_EQ(page_nr_free(), before + 2);
}
