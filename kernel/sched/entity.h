/* What the scheduler keeps in a task.  All [Q]: the run queue's lock. */
#pragma once
#include <arch/cpu.h>
#include <kernel/lib/list.h>
#include <kernel/lib/rbtree.h>

struct sched_entity {
	struct rb_node node;		/* fair: by virtual deadline */
	struct list_head rt_link;	/* FIFO and RR */
	u64 vruntime, deadline, slice_ns;
	u64 exec_start, sum_exec;
	u32 weight;
	s32 nice;			/* -20 .. 19 */
	u32 policy;			/* SCHED_* */
	u32 rt_priority;		/* 1 .. 99, 0: not a real-time policy */
	u32 boost;			/* real-time priority lent by who waits for it, 0: none (pi.c) */
	u32 eff_prio;			/* real-time priority it runs at, the higher of both; 0: the fair class */
	bool on_rq, reset_on_fork;
	bool turn_over;			/* RR: its slice has ended, it goes to the tail of its list */
	u32 cpu;			/* run queue it is or was on */
	cpumask_t affinity;
};
