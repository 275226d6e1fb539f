/* Bit map searches and ranges, a word at a time. */
#include <kernel/lib/bitmap.h>

static u64 find_next(const unsigned long *map, u64 size, u64 start, unsigned long flip)
{
	u64 word = start / 64;
	unsigned long v;

	if (start >= size)
		return size;
	v = (map[word] ^ flip) & (~0ul << (start % 64));
	while (!v) {
		if (++word * 64 >= size)
			return size;
		v = map[word] ^ flip;
	}
	return min(word * 64 + (u64)__builtin_ctzl(v), size);
}

u64 bitmap_find_next_set(const unsigned long *map, u64 size, u64 start)
{
	return find_next(map, size, start, 0);
}

u64 bitmap_find_next_zero(const unsigned long *map, u64 size, u64 start)
{
	return find_next(map, size, start, ~0ul);
}

static void change(unsigned long *map, u64 start, u64 n, bool on)
{
	while (n) {
		u64 bit = start % 64, count = min(n, 64 - bit);
		unsigned long mask = (count == 64 ? ~0ul : (1ul << count) - 1) << bit;

		if (on)
			map[start / 64] |= mask;
		else
			map[start / 64] &= ~mask;
		start += count;
		n -= count;
	}
}

void bitmap_set(unsigned long *map, u64 start, u64 n)
{
	change(map, start, n, true);
}

void bitmap_clear(unsigned long *map, u64 start, u64 n)
{
	change(map, start, n, false);
}

u64 bitmap_weight(const unsigned long *map, u64 size)
{
	u64 n = 0;

	for (u64 i = 0; i < size / 64; i++)
		n += hweight64(map[i]);
	if (size % 64)
		n += hweight64(map[size / 64] & ((1ul << (size % 64)) - 1));
	return n;
}
