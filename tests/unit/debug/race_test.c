/* Watchpoints in one word: what goes in comes out, what overlaps hits, and which pairs are races. */
#include <kernel/debug/race_watch.h>
#include <tests/unit/unit.h>

#define BASE 0xffff800012345678ul

TEST(round_trip)
{
	for (u32 i = 0; i < 100000; i++) {
		u64 addr = unit_random() | 0xffff000000000000ul, size = 1 + unit_below(RACE_SIZE_MAX);
		u32 kind = (u32)unit_below(8);
		u64 w = race_watch_encode(addr, size, kind);

		EXPECT(w & RACE_VALID);
		EXPECT_EQ(race_watch_addr(w), addr);
		EXPECT_EQ(race_watch_size(w), size);
		EXPECT_EQ(race_watch_kind(w), kind);
	}
}

TEST(long_access_is_watched_at_its_beginning)
{
	u64 w = race_watch_encode(BASE, 1u << 20, RACE_WRITE);

	EXPECT_EQ(race_watch_size(w), RACE_SIZE_MAX);
	EXPECT_EQ(race_watch_kind(w), RACE_WRITE);
	EXPECT(race_watch_hit(w, BASE + RACE_SIZE_MAX - 1, 1, 0, false));
	EXPECT(!race_watch_hit(w, BASE + RACE_SIZE_MAX, 1, 0, false));
}

TEST(none_and_taken_are_not_hit)
{
	EXPECT(!race_watch_hit(0, ~0ul << 48, 8, RACE_WRITE, true));
	for (u64 cpu = 0; cpu < 64; cpu++)
		EXPECT(!race_watch_hit(cpu + 1, (~0ul << 48) + cpu + 1, 8, RACE_WRITE, true));
}

TEST(overlap)
{
	/* each pair of ranges in a small window, against bytes counted one by one */
	for (u64 wat = 0; wat < 12; wat++)
		for (u64 wsize = 1; wsize <= 8; wsize++)
			for (u64 at = 0; at < 20; at++)
				for (u64 size = 1; size <= 16; size++) {
					bool meet = false;

					for (u64 b = at; b < at + size; b++)
						meet |= b >= wat && b < wat + wsize;
					EXPECT_EQ(race_watch_hit(race_watch_encode(BASE + wat, wsize, RACE_WRITE), BASE + at, size, RACE_WRITE, false), meet);
				}
}

TEST(last_byte_of_memory)
{
	u64 w = race_watch_encode(~0ul - 7, 7, RACE_WRITE);

	EXPECT(race_watch_hit(w, ~0ul - 1, 1, 0, false));
	EXPECT(!race_watch_hit(w, ~0ul - 9, 2, 0, false));
}

static bool hit(u32 watched, u32 other, bool strict)
{
	return race_watch_hit(race_watch_encode(BASE, 8, watched), BASE, 8, other, strict);
}

/* One row for each kind of watched access, one column for each that comes by: r w R W (capitals are marked), e.x assertions. */
TEST(which_pairs_are_races)
{
	static const u32 kinds[] = { 0, RACE_WRITE, RACE_MARKED, RACE_MARKED | RACE_WRITE, RACE_ASSERT, RACE_ASSERT | RACE_WRITE };
	static const char lax[6][7] = { ".x.x.x", "xx.xxx", ".....x", "xx..xx", ".x.x.x", "xxxxxx" };
	static const char strict[6][7] = { ".x.x.x", "xxxxxx", ".x...x", "xx..xx", ".x.x.x", "xxxxxx" };

	for (u32 i = 0; i < 6; i++)
		for (u32 j = 0; j < 6; j++) {
			EXPECT_EQ(hit(kinds[i], kinds[j], false), lax[i][j] == 'x');
			EXPECT_EQ(hit(kinds[i], kinds[j], true), strict[i][j] == 'x');
		}
}

TEST(a_torn_write_races_with_a_marked_read)
{
	u32 plain = RACE_WRITE, marked = RACE_MARKED;

	EXPECT(race_watch_hit(race_watch_encode(BASE, 16, plain), BASE, 8, marked, false));
	EXPECT(race_watch_hit(race_watch_encode(BASE, 8, marked), BASE, 16, plain, false));
	EXPECT(race_watch_hit(race_watch_encode(BASE + 1, 4, plain), BASE, 8, marked, false));
	EXPECT(race_watch_hit(race_watch_encode(BASE, 8, marked), BASE + 2, 4, plain, false) ==
	       ((BASE + 2) % 4 != 0));
	EXPECT(race_watch_hit(race_watch_encode(BASE, 8, marked), BASE, 3, plain, false));
	EXPECT(!race_watch_hit(race_watch_encode(BASE, 8, marked), BASE + 4, 4, plain, false));
}
