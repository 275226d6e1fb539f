/* Read-copy-update.  Readers disable preemption.  Theory in rcu.c. */
#pragma once
#include <arch/atomic.h>
#include <kernel/sync/preempt.h>

struct rcu_head { struct rcu_head *next; void (*func)(struct rcu_head *); };

static inline void rcu_read_lock(void) { preempt_disable(); }
static inline void rcu_read_unlock(void) { preempt_enable(); }
#define rcu_dereference(p)		__atomic_load_n(&(p), __ATOMIC_CONSUME)
#define rcu_assign_pointer(p, v)	__atomic_store_n(&(p), (v), __ATOMIC_RELEASE)

/* call_rcu - func(head) after a grace period, in a thread.  Context: any. */
void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *));
void synchronize_rcu(void);	/* may sleep */
void rcu_barrier(void);		/* all callbacks queued before have run; may sleep */
/* Quiescent-state hooks for the scheduler and the entry code. */
void rcu_note_pass(void);	/* current holds nothing and passes through the scheduler; irqs off */
/* rcu_sleep_begin, rcu_sleep_end - around the instruction that waits for an interrupt: nothing is read under RCU in between.  Irqs off. */
void rcu_sleep_begin(void);
void rcu_sleep_end(void);
void rcu_init(void);
void rcu_cpu_init(u32 cpu);	/* before a CPU's first call_rcu */
