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
	u64 rt_since;			/* sum_exec when it last woke, or became a real-time task */
	u32 weight;
	s32 nice;			/* -20 .. 19 */
	u32 policy;			/* SCHED_* */
	u32 rt_priority;		/* 1 .. 99, 0: not a real-time policy */
	u32 boost;			/* real-time priority lent by who waits for it, 0: none (pi.c) */
	u32 eff_prio;			/* real-time priority it runs at, the higher of both; 0: the fair class */
	bool on_rq;			/* on a queue, or on its way from one to another */
	bool in_flight;			/* on its way: on no queue, and nobody's but the mover's */
	bool move_watched;		/* somebody waits until it has left its CPU: finish_switch tells him */
	bool reset_on_fork;
	bool turn_over;			/* RR: its slice has ended, it goes to the tail of its list */
	bool in_iowait, in_memstall;	/* [own] it waits for a device, if it sleeps; it waits or works for memory: psi.c */
	bool wakes_sync;		/* [own] who it wakes now it is likely to wait for: a hint to select_cpu */
	bool wakes_apart;		/* [own] it goes on for long after the wake-up: not to be waited for */
	bool sync_placed;		/* put beside its waker, who is expected to sleep soon */
	s8 wake_sleeps;			/* [own, or Q] -64 .. 4: how often it slept soon after it had woken somebody */
	u8 wake_fails;			/* [own, or Q] and how often not, when one waited beside it for that */
	u32 cpu;			/* run queue it is or was on: changed under the old one's lock, read with acquire */
	cpumask_t affinity;
	u64 woke_ns;			/* [own] when it last woke somebody, 0: not since it slept */
	u64 queued_ns, run_delay_ns;	/* when it began to wait; all its waiting for a CPU */
};
