/* Threads of deferred work: what interrupts leave to be done soon (packets, callbacks of RCU).
 *
 * Such a thread runs before every program, real-time ones too, and is not throttled: work that an interrupt began must not wait for a hog.
 * In return it has a budget.  One that has used it up without ever running out of work is a fair task from then on, so that a flood of work
 * shares the CPU with programs, and is put back above them when it comes to an end of its work.  The form of such a thread:
 *
 *	deferred_init(&d, 300);
 *	for (;;) {
 *		if (nothing to do)
 *			deferred_rest(&d);
 *		wait_event_interruptible(&wq, something to do);
 *		deferred_spend(&d, what was done);
 *	} */
#pragma once
#include <kernel/lib/types.h>

struct deferred {
	u32 budget;			/* [I] units of work; what a unit is, the thread knows */
	u32 left;			/* [own] 0: it is a fair task */
};

/* deferred_init - current becomes such a thread.  Context: thread, no locks. */
void deferred_init(struct deferred *d, u32 budget);
/* deferred_rest - it has no work and is about to sleep: the budget is whole again.  Context: as above. */
void deferred_rest(struct deferred *d);
/* deferred_spend - it did n units.  When that was the last of the budget others may run at once.  Context: as above. */
void deferred_spend(struct deferred *d, u32 n);
