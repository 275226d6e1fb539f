/* A watchpoint in one word, and which two accesses are a race: pure functions, so that tests/unit/debug tries them on the host. */
#pragma once
#include <kernel/lib/types.h>

/* What an access is.  Marked: READ_ONCE, WRITE_ONCE, atomics, or inside race_marked_begin().  Assert: not an access at all but an
 * ASSERT_EXCLUSIVE_*, with which marked accesses collide as well. */
enum race_kind { RACE_WRITE = 1, RACE_MARKED = 2, RACE_ASSERT = 4 };

/* The word: bits 0-47 of the address (kernel addresses: the rest are ones), size, kind, and the top bit.  0 is none; what has not the
 * top bit but is not 0 was a watchpoint until a CPU ran into it, and is that CPU + 1. */
#define RACE_SIZE_SHIFT	48
#define RACE_SIZE_MAX	0x7fful
#define RACE_KIND_SHIFT	59
#define RACE_ADDR_MASK	(BIT(RACE_SIZE_SHIFT) - 1)
#define RACE_VALID	BIT(63)

/* race_watch_encode - longer accesses are watched at their first RACE_SIZE_MAX bytes. */
static inline u64 race_watch_encode(u64 addr, size_t size, u32 kind)
{
	return RACE_VALID | (u64)kind << RACE_KIND_SHIFT | min_t(u64, size, RACE_SIZE_MAX) << RACE_SIZE_SHIFT | (addr & RACE_ADDR_MASK);
}

static inline u64 race_watch_addr(u64 w) { return (w & RACE_ADDR_MASK) | ~RACE_ADDR_MASK; }
static inline u64 race_watch_size(u64 w) { return w >> RACE_SIZE_SHIFT & RACE_SIZE_MAX; }
static inline u32 race_watch_kind(u64 w) { return (u32)(w >> RACE_KIND_SHIFT) & 7; }

/* race_untorn - one instruction does it, whatever the compiler: what a marked reader may rely on, unless strict */
static inline bool race_untorn(u64 addr, u64 size)
{
	return size <= 8 && !(size & (size - 1)) && !(addr & (size - 1));
}

/* race_watch_hit - would this access, concurrent with the watched one, be a race?  strict: a plain aligned write of a word is one
 * even against a marked read. */
static inline bool race_watch_hit(u64 w, u64 addr, u64 size, u32 kind, bool strict)
{
	u64 waddr = race_watch_addr(w), wsize = race_watch_size(w);
	u32 wkind = race_watch_kind(w), either = kind | wkind;

	if (!(w & RACE_VALID) || addr >= waddr + wsize || waddr >= addr + size)
		return false;
	if (!(either & RACE_WRITE))
		return false;
	if (either & RACE_ASSERT)
		return true;
	if (kind & wkind & RACE_MARKED)
		return false;
	if (strict || (kind & wkind & RACE_WRITE) || !(either & RACE_MARKED))
		return true;
	/* one reads, one writes, one is marked: if it is the reader, the writer is plain */
	if (kind & RACE_WRITE)
		return (kind & RACE_MARKED) || !race_untorn(addr, size);
	return (wkind & RACE_MARKED) || !race_untorn(waddr, wsize);
}
