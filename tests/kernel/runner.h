/* Kernel threads for tests: made parked, let go, joined.  All on CPU 0, so that what a test says about order holds on any machine. */
#pragma once
#include <kernel/sync/wait.h>

struct runner {
	void (*fn)(void *);
	void *arg;
	struct task *task;		/* referenced from create to join */
	struct completion go, done;
};

/* runner_create - a parked thread; false if no memory.  runner_go - fn(arg) may run.  runner_join - wait until it has returned. */
bool runner_create(struct runner *r, void (*fn)(void *), void *arg);
void runner_go(struct runner *r);
void runner_join(struct runner *r);
/* runner_start - create and go */
bool runner_start(struct runner *r, void (*fn)(void *), void *arg);
/* runner_sleeps - wait until the thread sleeps (or has ended): bounded, false if it does not */
bool runner_sleeps(struct runner *r);
/* self_fifo - current becomes FIFO of that priority, on CPU 0; self_fair - and back */
void self_fifo(u32 priority);
void self_fair(void);
/* borrow_mm - current has that address space, without a reference; NULL: give it back */
struct mm;
void borrow_mm(struct mm *mm);
