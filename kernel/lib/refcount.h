/* Reference counts that saturate: past SATURATED they neither rise nor fall, so an overflow leaks and never frees too early. */
#pragma once
#include <kernel/lib/types.h>

#define REFCOUNT_SATURATED 0x40000000

struct refcount { s32 n; };	/* [a] */

static inline void refcount_set(struct refcount *r, s32 n) { __atomic_store_n(&r->n, n, __ATOMIC_RELAXED); }
static inline s32 refcount_read(const struct refcount *r) { return __atomic_load_n(&r->n, __ATOMIC_RELAXED); }

static inline void refcount_inc(struct refcount *r)
{
	s32 old = __atomic_fetch_add(&r->n, 1, __ATOMIC_RELAXED);

	if (unlikely(old <= 0 || old >= REFCOUNT_SATURATED))
		refcount_set(r, REFCOUNT_SATURATED + REFCOUNT_SATURATED / 2);
}

/* refcount_add - n more at once, n > 0 and small */
static inline void refcount_add(struct refcount *r, s32 n)
{
	s32 old = __atomic_fetch_add(&r->n, n, __ATOMIC_RELAXED);

	if (unlikely(old <= 0 || old >= REFCOUNT_SATURATED - n))
		refcount_set(r, REFCOUNT_SATURATED + REFCOUNT_SATURATED / 2);
}

/* refcount_inc_not_zero - false if the object is already on its way out (RCU look-ups) */
static inline bool refcount_inc_not_zero(struct refcount *r)
{
	s32 old = refcount_read(r);

	do {
		if (old == 0)
			return false;
	} while (!__atomic_compare_exchange_n(&r->n, &old, old + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}

/* refcount_sub_and_test - n fewer at once: true if none are left; orders all earlier use before the free */
static inline bool refcount_sub_and_test(struct refcount *r, s32 n)
{
	s32 old = __atomic_fetch_sub(&r->n, n, __ATOMIC_ACQ_REL);

	if (unlikely(old < n || old >= REFCOUNT_SATURATED)) {
		refcount_set(r, REFCOUNT_SATURATED + REFCOUNT_SATURATED / 2);
		return false;
	}
	return old == n;
}

/* refcount_dec_and_test - one fewer: true for the last one */
static inline bool refcount_dec_and_test(struct refcount *r) { return refcount_sub_and_test(r, 1); }
