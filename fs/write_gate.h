/* Who changes a filesystem passes its gate, which can be closed: to make it read-only, or to freeze it.  Theory in write_gate.c. */
#pragma once
#include <arch/atomic.h>
#include <kernel/spread_ref.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/rcu.h>
#include <kernel/sync/wait.h>

/* In this order they are closed, and one who is in may pass those behind it. */
enum gate_level { GATE_CALL = 1 /* calls that change something */, GATE_FAULT, /* a page about to be written by a program */
		  GATE_END /* the end of files without a name */, GATE_LEVELS };

struct write_gate {
	u32 closed;			/* [a] up to this level; 0: open */
	struct spread_ref in[GATE_LEVELS];	/* by level: who is in, and one while it is open */
	u32 empty;			/* [a] bits: nobody is in, and it is closed */
	struct wait_queue waiters;	/* for the gate to open, or to be empty */
	struct mutex lock;		/* LC_WRITE_GATE: who closes and opens it */
	bool frozen;			/* [lock] */
};

/* gate_create - open; NULL: no memory.  gate_free - nobody is in. */
struct write_gate *gate_create(void);
void gate_free(struct write_gate *g);
/* gate_enter - wait until it is open at that level, and be in until gate_leave.  gate_try_enter - false: it is closed; gate_wait - until it is not.
 * Context: thread; gate_enter and gate_wait sleep, perhaps for long: hold no lock that who closes the gate needs to write the filesystem out. */
static inline bool gate_try_enter(struct write_gate *g, enum gate_level level)
{
	bool open;

	rcu_read_lock();
	open = likely(atomic_load(&g->closed) < (u32)level);
	if (open)
		spread_ref_get(&g->in[level]);
	rcu_read_unlock();
	return open;
}
void gate_wait(struct write_gate *g, enum gate_level level);
static inline void gate_enter(struct write_gate *g, enum gate_level level)
{
	while (unlikely(!gate_try_enter(g, level)))
		gate_wait(g, level);
}
void gate_emptied(struct write_gate *g, enum gate_level level);
static inline void gate_leave(struct write_gate *g, enum gate_level level)
{
	if (unlikely(spread_ref_put(&g->in[level])))
		gate_emptied(g, level);
}
/* gate_close - the next level: nobody is in it when this returns.  gate_open - all of them.  Locks: g->lock. */
void gate_close(struct write_gate *g, enum gate_level level);
void gate_open(struct write_gate *g);
