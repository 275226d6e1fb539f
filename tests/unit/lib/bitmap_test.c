/* Bit maps against an array of bools. */
#include <kernel/lib/bitmap.h>
#include <tests/unit/unit.h>

#define SIZE 517		/* no multiple of a word */

static unsigned long *map;
static bool model[SIZE];

static u64 model_next(u64 start, bool want)
{
	while (start < SIZE && model[start] != want)
		start++;
	return min(start, (u64)SIZE);
}

static bool agrees(void)
{
	u64 weight = 0;

	for (u64 i = 0; i < SIZE; i++) {
		weight += model[i];
		if (test_bit(i, map) != model[i] || bitmap_find_next_set(map, SIZE, i) != model_next(i, true) ||
		    bitmap_find_next_zero(map, SIZE, i) != model_next(i, false))
			return false;
	}
	return bitmap_weight(map, SIZE) == weight && bitmap_find_next_set(map, SIZE, SIZE) == SIZE &&
	       bitmap_find_first_zero(map, SIZE) == model_next(0, false);
}

TEST(random_ranges)
{
	map = host_guarded(BITS_TO_LONGS(SIZE) * 8);
	for (int i = 0; i < 1500; i++) {
		u64 start = unit_below(SIZE), n = unit_below(4) ? unit_below(70) : unit_below(SIZE);
		bool on = unit_random() & 1;

		n = min(n, SIZE - start);
		if (n == 1)
			(on ? set_bit : clear_bit)(start, map);
		else
			(on ? bitmap_set : bitmap_clear)(map, start, n);
		for (u64 k = start; k < start + n; k++)
			model[k] = on;
		EXPECT(agrees());
	}
}

/* Bits beyond the size are nobody's: neither counted nor found. */
TEST(tail_is_ignored)
{
	unsigned long w[2] = { ~0ul, ~0ul };

	EXPECT_EQ(bitmap_weight(w, 70), 70);
	EXPECT_EQ(bitmap_find_first_zero(w, 70), 70);
	w[0] = w[1] = 0;
	w[1] = ~0ul << 6;
	EXPECT_EQ(bitmap_find_first_set(w, 70), 70);
	EXPECT_EQ(bitmap_weight(w, 70), 0);
	EXPECT_EQ(bitmap_find_first_set(w, 0), 0);
}

TEST(one_word)
{
	for (u32 i = 0; i < 64; i++) {
		EXPECT_EQ(ffs64(~0ul << i), i + 1);
		EXPECT_EQ(fls64(~0ul >> i), 64 - i);
		EXPECT_EQ(ilog2(BIT(i) | (BIT(i) - 1)), i);
		EXPECT_EQ(hweight64(~0ul >> i), 64 - i);
	}
	EXPECT_EQ(ffs64(0), 0);
	EXPECT_EQ(fls64(0), 0);
	EXPECT_EQ(hweight64(0), 0);
}
