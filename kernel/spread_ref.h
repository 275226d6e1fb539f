/* A reference count that all CPUs change all the time, of an object which somebody keeps alive meanwhile.
 *
 * Theory.  While the count is spread, who gets or puts a reference counts on his own CPU, and nobody looks whether that was the last one:
 * it cannot be, for the owner (the tree of mounts) holds one.  Before the owner gives that up he gathers: gather_begin makes everybody use the
 * shared count from now on; after a grace period nobody counts on his CPU any more (he does so with preemption off, an RCU read side),
 * and gather_end adds up.  Until then BIAS keeps the shared count from reaching 0.  A reference may be put on another CPU than it
 * was got on, so a part may be negative; only the sum means something.
 *
 * Where there is one CPU, or no memory for the parts, the count stays shared. */
#pragma once
#include <arch/cpu.h>
#include <kernel/lib/refcount.h>
#include <kernel/sync/preempt.h>

struct spread_part { s32 n; char pad[60]; };	/* [own CPU] n, preemption off; read by others after a grace period */
struct spread_ref {
	struct refcount refs;
	u32 spread;			/* [a] */
	struct spread_part *parts;	/* [I] once spread */
	bool gathering;			/* [owner] */
};

/* spread_ref_init - one reference, shared.  spread_ref_free - the memory, when there is no reference any more. */
void spread_ref_init(struct spread_ref *r);
void spread_ref_free(struct spread_ref *r);
/* spread_ref_spread, gather_begin, gather_end - see above.  The owner's lock held; spread may sleep.  Not spread, or twice: nothing. */
void spread_ref_spread(struct spread_ref *r);
void spread_ref_gather_begin(struct spread_ref *r);
void spread_ref_gather_end(struct spread_ref *r);
/* spread_ref_read - of a gathered one. */
static inline s32 spread_ref_read(const struct spread_ref *r) { return refcount_read(&r->refs); }

static inline bool spread_ref_add_here(struct spread_ref *r, s32 by)
{
	bool spread;

	if (!atomic_load(&r->spread))
		return false;
	preempt_disable();
	spread = atomic_load_acquire(&r->spread);
	if (likely(spread)) {
		s32 *n = &r->parts[smp_cpu_id()].n;

		WRITE_ONCE(*n, READ_ONCE(*n) + by);
	}
	preempt_enable();
	return spread;
}

/* spread_ref_get - by who has a reference; spread_ref_get_live - by who found the object under RCU: false if it is dead.
 * spread_ref_put - true: that was the last.  Context: thread. */
static inline void spread_ref_get(struct spread_ref *r)
{
	if (!spread_ref_add_here(r, 1))
		refcount_inc(&r->refs);
}
static inline bool spread_ref_get_live(struct spread_ref *r)
{
	return spread_ref_add_here(r, 1) || refcount_inc_not_zero(&r->refs);
}
static inline bool spread_ref_put(struct spread_ref *r)
{
	return !spread_ref_add_here(r, -1) && refcount_dec_and_test(&r->refs);
}
