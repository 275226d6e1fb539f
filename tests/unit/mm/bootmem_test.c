/* Boot ranges against a map of pages. */
#include <kernel/lib/string.h>
#include <mm/init.h>
#include <mm/page_internal.h>
#include <tests/unit/unit.h>

#define PAGES 512
static u8 model[PAGES];		/* 1 RAM, 2 taken */

static paddr_t at(u64 page) { return UNIT_PHYS + page * PAGE_SIZE; }

/* The holes that bootmem tells of, page by page, rising and apart. */
static bool agrees(void)
{
	paddr_t start, end, last = 0;
	u64 total = 0, pages = 0;
	u8 got[PAGES];

	memset(got, 0, sizeof(got));
	for (u32 i = 0; bootmem_next_range(i, &start, &end); i++) {
		if (start >= end || (i && start <= last))
			return false;
		last = end;
		total += end - start;
	}
	for (u64 p = 0; p < PAGES; p++)
		pages += model[p] & 1;
	if (total != bootmem_total() || total != pages * PAGE_SIZE)
		return false;
	last = 0;
	for (u32 i = 0; bootmem_next_free(i, &start, &end); i++) {
		if (start >= end || start < last)
			return false;
		last = end;
		for (paddr_t a = start; a < end; a += PAGE_SIZE)
			got[(a - UNIT_PHYS) / PAGE_SIZE] = 1;
	}
	for (u64 p = 0; p < PAGES; p++)
		if (got[p] != (model[p] == 1))
			return false;
	return true;
}

/* bootmem has no way back, so the whole test is one history. */
TEST(random_ranges)
{
	unit_memory = host_guarded(PAGES * PAGE_SIZE);
	for (int i = 0; i < 40; i++) {
		u64 page = unit_below(PAGES), n = 1 + unit_below(40);
		u64 skew = unit_below(2) ? unit_below(PAGE_SIZE) : 0;

		n = min(n, PAGES - page);
		if (i < 20) {	/* RAM counts by whole pages inside */
			bootmem_add(at(page) + skew, n * PAGE_SIZE - skew);
			for (u64 p = page + (skew != 0); p < page + n; p++)
				model[p] |= 1;
		} else {	/* reserved by every page touched */
			bootmem_reserve(at(page) + skew, (n - 1) * PAGE_SIZE + 1, "test");
			for (u64 p = page; p < min(page + n - 1 + (skew + 1 > PAGE_SIZE ? 2 : 1), (u64)PAGES); p++)
				model[p] |= 2;
			for (u64 p = page + n - 1; p <= page + n && p < PAGES; p++)
				if (at(p) < at(page) + skew + (n - 1) * PAGE_SIZE + 1)
					model[p] |= 2;
		}
		EXPECT(agrees());
	}
	bootmem_add(at(5) + 1, PAGE_SIZE - 1);		/* no whole page */
	bootmem_add(at(5), 0);
	bootmem_reserve(at(5), 0, "nothing");
	EXPECT(agrees());
}

/* Top down, aligned, zeroed, never what is taken; panics when there is no more. */
TEST(allocations)
{
	u64 want = 0;

	memset(unit_memory, 0x55, PAGES * PAGE_SIZE);
	for (int i = 0; i < 30; i++) {
		size_t pages = 1 + unit_below(4), align = PAGE_SIZE << unit_below(3);
		paddr_t best = 0, got;

		for (u64 p = 0; p + pages <= PAGES; p++) {
			bool fits = IS_ALIGNED(at(p), align);

			for (u64 k = p; k < p + pages; k++)
				fits = fits && model[k] == 1;
			if (fits)
				best = at(p);
		}
		if (!best)
			break;
		got = bootmem_alloc_phys(pages * PAGE_SIZE, align);
		EXPECT_EQ(got, best);
		for (u64 k = 0; k < pages; k++)
			model[(got - UNIT_PHYS) / PAGE_SIZE + k] |= 2;
		for (u64 k = 0; k < pages * PAGE_SIZE; k++)
			EXPECT(((char *)phys_to_virt(got))[k] == 0);
		EXPECT(agrees());
		want++;
	}
	EXPECT(want > 5);
	EXPECT_PANIC(bootmem_alloc_phys(PAGES * PAGE_SIZE, PAGE_SIZE));
}

TEST(too_many_ranges)
{
	for (u64 i = 0; i < 30; i++)
		bootmem_add(at(10000 + 2 * i), PAGE_SIZE);
	EXPECT_PANIC(for (u64 i = 30; i < 80; i++) bootmem_add(at(10000 + 2 * i), PAGE_SIZE));
}
