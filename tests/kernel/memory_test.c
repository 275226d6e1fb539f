/* memory.S: memcpy, memmove, memset and whole pages against byte loops, at every small length, alignment and overlap. */
#include <arch/mmu.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <mm/page.h>

#define LEN_MAX	260u		/* several rounds of the longest loop */
#define ROOM	(LEN_MAX + 96)

static u8 is[ROOM], should[ROOM], from[ROOM];

static void fill(u8 *p, u32 seed)
{
	for (u32 i = 0; i < ROOM; i++)
		p[i] = (u8)(i * 37 + i / 7 + seed);
}

static bool same(void)
{
	for (u32 i = 0; i < ROOM; i++)
		if (is[i] != should[i])
			return false;
	return true;
}

static u32 next_len(u32 len) { return len < 140 ? len + 1 : len + 17; }

KTEST(memory, copies)
{
	fill(from, 1);
	for (u32 at = 0; at < 17; at += at < 8 ? 1 : 3)
		for (u32 len = 0; len <= LEN_MAX; len = next_len(len)) {
			u32 source = (at * 5) & 15;

			fill(is, 100);
			fill(should, 100);
			for (u32 i = 0; i < len; i++)
				should[16 + at + i] = from[source + i];
			EXPECT(memcpy(is + 16 + at, from + source, len) == is + 16 + at);
			EXPECT(same());
		}
}

KTEST(memory, moves_over_itself)
{
	static const s32 distances[] = { -40, -33, -32, -17, -16, -8, -7, -1, 0, 1, 3, 8, 15, 16, 31, 32, 40 };

	for (u32 d = 0; d < ARRAY_SIZE(distances); d++)
		for (u32 len = 0; len <= LEN_MAX; len = next_len(len)) {
			u8 *to = is + 40 + distances[d];

			fill(is, 3);
			fill(should, 3);
			for (u32 i = 0; i < len; i++)
				should[(to - is) + (s64)i] = is[40 + i];
			EXPECT(memmove(to, is + 40, len) == to);
			EXPECT(same());
		}
}

KTEST(memory, fills)
{
	static const int values[] = { 0, 0x5a, 0x1ff, -1, 0x100 };

	for (u32 v = 0; v < ARRAY_SIZE(values); v++)
		for (u32 len = 0; len <= LEN_MAX; len = next_len(len)) {
			u32 at = 16 + (len + v) % 16;

			fill(is, 9);
			fill(should, 9);
			for (u32 i = 0; i < len; i++)
				should[at + i] = (u8)values[v];
			EXPECT(memset(is + at, values[v], len) == is + at);
			EXPECT(same());
		}
}

static bool page_holds(const u64 *page, u64 start, u64 step)
{
	for (u32 i = 0; i < PAGE_SIZE / 8; i++)
		if (page[i] != start + i * step)
			return false;
	return true;
}

KTEST(memory, pages)
{
	struct page *p = page_alloc(2, GFP_KERNEL);	/* the middle two; the outer ones must not change */
	u64 *page[4];
	bool cleared, copied, around;

	EXPECT(p);
	for (u32 n = 0; n < 4; n++) {
		page[n] = (u64 *)((char *)page_address(p) + n * PAGE_SIZE);
		for (u32 i = 0; i < PAGE_SIZE / 8; i++)
			page[n][i] = n + 5 + i * 3;
	}
	copy_page(page[1], page[2]);
	copied = page_holds(page[1], 7, 3) && page_holds(page[2], 7, 3);
	clear_page(page[2]);
	cleared = page_holds(page[2], 0, 0) && page_holds(page[1], 7, 3);
	around = page_holds(page[0], 5, 3) && page_holds(page[3], 8, 3);
	page_free(p, 2);
	EXPECT(copied);
	EXPECT(cleared);
	EXPECT(around);
}
