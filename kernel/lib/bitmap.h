/* Bit maps of unsigned longs (not atomic), and bit searches in one word. */
#pragma once
#include <kernel/lib/types.h>

#define BITS_PER_LONG		64
#define BITS_TO_LONGS(n)	DIV_ROUND_UP(n, BITS_PER_LONG)
#define DECLARE_BITMAP(name, n)	unsigned long name[BITS_TO_LONGS(n)]

static inline void set_bit(u64 n, unsigned long *map) { map[n / 64] |= 1ul << (n % 64); }
static inline void clear_bit(u64 n, unsigned long *map) { map[n / 64] &= ~(1ul << (n % 64)); }
static inline bool test_bit(u64 n, const unsigned long *map) { return map[n / 64] >> (n % 64) & 1; }

/* ffs64/fls64 - 1-based position of the lowest/highest bit set; 0 for none. ilog2: of a non-zero number, rounded down. */
static inline u32 ffs64(u64 v) { return (u32)__builtin_ffsl((long)v); }
static inline u32 fls64(u64 v) { return v ? 64 - (u32)__builtin_clzl(v) : 0; }
static inline u32 ilog2(u64 v) { return 63 - (u32)__builtin_clzl(v); }

static inline u32 hweight64(u64 v)
{
	v -= v >> 1 & 0x5555555555555555ul;
	v = (v & 0x3333333333333333ul) + (v >> 2 & 0x3333333333333333ul);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0ful;
	return (u32)(v * 0x0101010101010101ul >> 56);
}

/* bitmap_find_next_* - first such bit at or after start, or size if there is none */
u64 bitmap_find_next_set(const unsigned long *map, u64 size, u64 start);
u64 bitmap_find_next_zero(const unsigned long *map, u64 size, u64 start);
static inline u64 bitmap_find_first_set(const unsigned long *map, u64 size) { return bitmap_find_next_set(map, size, 0); }
static inline u64 bitmap_find_first_zero(const unsigned long *map, u64 size) { return bitmap_find_next_zero(map, size, 0); }
void bitmap_set(unsigned long *map, u64 start, u64 n);
void bitmap_clear(unsigned long *map, u64 start, u64 n);
u64 bitmap_weight(const unsigned long *map, u64 size);
