/* Reclaim: memory that is only kept because it may be useful again is given back when somebody needs it. */
#pragma once
#include <kernel/lib/types.h>

/* Who keeps such objects registers one line.  shrink(nr) - let go of up to nr of them, those used longest ago first; returns how many
 * went, 0 when there is none left.  Context: thread, no locks held, may sleep. */
struct shrinker { const char *name; u64 (*shrink)(u64 nr); };
#define SHRINKER(ident, fn) static const struct shrinker __shrinker_##ident __used __aligned(8) __section(".shrinkers") = { #ident, fn }
extern const struct shrinker __shrinkers_start[], __shrinkers_end[];

/* reclaim - give back all that can be: unused objects of the caches, memory that waits for a grace period, empty slabs, all CPUs'
 * stocks of pages, objects, tables and stacks.  Returns pages that are free now and were not.  Context: thread, no locks held, may sleep. */
u64 reclaim(void);
/* reclaim_some - for the page allocator: let go of up to nr pages of files; tries: how often it was in vain.  true: worth another look.
 * Waits, a bounded time, only where there is nothing clean left but something that is being written.  Context: thread, interrupts on,
 * any sleeping locks held.  reclaim_wake - less is free than it should be: the thread shall do something about it, if there is anything. */
bool reclaim_some(u64 nr, u32 gfp, u32 tries);
void reclaim_wake(void);
/* stocks_drain - only the stocks, and what vfree has put off.  Context: thread, interrupts on, no spin lock held. */
void stocks_drain(void);
