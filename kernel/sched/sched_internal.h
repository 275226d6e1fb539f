/* The run queue, shared by the files of this directory. */
#pragma once
#include <linux/sched.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/time.h>

#define RT_PRIOS	101		/* 1..99 for programs, 100 for the kernel's deferred-work threads */
#define RT_KERNEL_PRIO	100
#define SLICE_NS	(3 * NSEC_PER_MSEC)
#define RR_SLICE_NS	(100 * NSEC_PER_MSEC)
#define WEIGHT_NICE0	1024u

struct rq {
	struct spinlock lock;		/* LC_RQ; guards all below */
	struct task *curr, *idle;
	u32 cpu;
	u32 nr_running;			/* runnable, curr included, idle not */
	struct rb_root fair;		/* waiting fair tasks by deadline; curr is not in it */
	struct rb_node *leftmost;
	u64 min_vruntime;
	u32 nr_fair;
	struct list_head rt[RT_PRIOS];	/* waiting real-time tasks */
	u64 rt_bitmap[2];
	struct timer slice;		/* armed only while somebody waits */
	struct timer watch;		/* armed while the running process is watched, and left when it no longer runs */
	u64 nr_switches;
	u64 idle_since, idle_ns;	/* idle_since 0: not idle */
	u64 start_ns;			/* when this queue began to run */
	u64 system_ticks;		/* time in the kernel, of all tasks but idle, up to the last switch */
	u64 curr_ticks0;		/* curr's kernel_ticks when it was switched to */
	u64 told_user_ns, told_system_ns;	/* as sched_cpu_times last told them */
};
DECLARE_PER_CPU(struct rq, runqueue);

static inline bool task_is_rt(const struct task *t) { return t->se.eff_prio; }	/* by policy or by a boost */
static inline struct rq *this_rq(void) { return this_cpu_ptr(&runqueue); }

/* sched.c */
void update_curr(struct rq *rq, u64 now);		/* charge curr up to now; rq->lock held */
struct rq *task_rq_lock(struct task *t, irqflags_t *flags);	/* the queue t is on, locked, interrupts off */

void resched_curr(struct rq *rq);			/* rq->lock held, as for the next two */
void enqueue_waiting(struct rq *rq, struct task *t, bool head);
void dequeue_waiting(struct rq *rq, struct task *t);

/* fair.c and rt.c: all with rq->lock held */
void fair_place(struct rq *rq, struct sched_entity *se);	/* a sleeper or newcomer: where its virtual time starts */
void fair_enqueue(struct rq *rq, struct task *t);
void fair_dequeue(struct rq *rq, struct task *t);
struct task *fair_first(struct rq *rq);
void fair_charge(struct rq *rq, struct task *t, u64 ran_ns);	/* curr ran that long */
bool fair_preempts(const struct task *woken, const struct task *curr);
void fair_yield(struct sched_entity *se);	/* give the rest of the turn away */
u32 fair_weight(s32 nice, u32 policy);
void rt_enqueue(struct rq *rq, struct task *t, bool head);
void rt_dequeue(struct rq *rq, struct task *t);
struct task *rt_first(struct rq *rq);
int rt_top_prio(const struct rq *rq);			/* -1: none waits */

void load_update(u64 now);				/* before nr_running changes */
