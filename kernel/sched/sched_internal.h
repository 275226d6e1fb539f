/* The run queue, shared by the files of this directory. */
#pragma once
#include <linux/sched.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/time.h>

#define RT_PRIOS	101		/* 1..99 for programs, 100 for the kernel's deferred-work threads */
#define RT_KERNEL_PRIO	100
#define SLICE_NS	(3 * NSEC_PER_MSEC)
#define WEIGHT_NICE0	1024u
#define TURN_LEAST_NS	(500 * NSEC_PER_USEC)	/* a fair task that has just begun to run is not preempted by one that wakes */
#define ODD_NS		0x3ffffu	/* a mask of the clock's low bits: what is added to a period with which no program shall keep step */
#define SYNC_WAIT_NS	(2 * NSEC_PER_MSEC)	/* a task beside a waker that should sleep waits so long before others may have it */
#define SOON_NS	(20 * NSEC_PER_MSEC)	/* between waking and sleeping; long, since a host may stop a CPU for a while */
#define NO_CPU		(~0u)

struct rq {
	struct spinlock lock;		/* LC_RQ; guards all below */
	struct task *curr, *idle;	/* read racily by others, under RCU */
	u64 turn_since;			/* ns: when curr was switched to */
	u32 cpu;
	u64 cluster;			/* [I] the affinity fields that CPUs which share cache have in common */
	bool known;			/* [a] cluster is there */
	u32 nr_running;			/* runnable, curr included, idle not; read racily */
	u32 kick;			/* a CPU to be told, once the lock is dropped, that there may be something for it; NO_CPU */
	struct rb_root fair;		/* waiting fair tasks by deadline; curr is not in it */
	struct rb_node *leftmost;
	u64 min_vruntime;
	u32 nr_fair;
	u32 nr_iowait, nr_memstall;	/* tasks of this queue that wait for a device, or for memory */
	u64 waiting_weight;		/* of the tasks in fair; read racily */
	struct list_head rt[RT_PRIOS];	/* waiting real-time tasks */
	u64 rt_bitmap[2];
	bool rt_overloaded;		/* this CPU's bit in rt_overload */
	bool rt_throttled;		/* real-time tasks have had their share of this period */
	u64 rt_time, rt_period_start;	/* run time of real-time tasks in the period; when it began */
	struct timer rt_timer;		/* armed while real-time tasks run */
	struct timer slice;		/* armed only while somebody waits */
	struct timer watch;		/* armed while the running process is watched, and left when it no longer runs */
	u64 nr_passes;			/* through the scheduler, switch or not; read racily */
	u64 nr_switches, nr_stolen, nr_pushed, nr_rt_pulled;
	s64 nr_uninterruptible;		/* went to sleep so here, less those woken here: only the sum of all means something */
	u64 idle_since, idle_ns;
	u64 avg_idle_ns;		/* how long it is idle when it is */
	u64 next_balance_ns, next_rotate_ns;
	u64 start_ns;			/* when this queue began to run */
	u64 irq_ticks[2];		/* [own CPU, irq] in interrupt handlers; that interrupted the idle task */
	struct cpu_sample {		/* times.c */
		struct timer timer;		/* armed while the CPU is busy */
		const struct task *task;	/* of the last sample; to compare with only */
		u64 gap_ns;			/* from one to the next */
		u64 due_ns;			/* when the next may be taken; the timer waits longer for one in passing */
		u64 busy_ns;			/* up to the last: this CPU's */
		u64 kernel_ns, nice_ns;		/* the kernel's part, and that of nice tasks in EL0 */
		bool kernel, nice;		/* what the last hit */
	} sample;
	struct cpu_times told;		/* as sched_cpu_times told them last */
	struct rq_stall {		/* psi.c: since when, 0 not now; and for how long in all */
		u64 wait_since, wait_ns;	/* somebody waits for the CPU */
		u64 io_since, io_ns;		/* somebody waits for a device */
		u64 io_idle_since, io_idle_ns;	/* and nobody runs */
		u64 mem_since, mem_ns;		/* somebody waits for memory */
		u64 mem_full_since, mem_full_ns;	/* and nobody else runs */
	} stall;
};
DECLARE_PER_CPU(struct rq, runqueue);

/* task_is_rt - by policy or by a boost.  Certain under the lock of t's queue; of another CPU's curr it is a hint (cpu_load). */
static inline bool task_is_rt(const struct task *t) { return READ_ONCE(t->se.eff_prio); }
static inline struct rq *this_rq(void) { return this_cpu_ptr(&runqueue); }
static inline struct rq *cpu_rq(u32 cpu) { return per_cpu_ptr(&runqueue, cpu); }
static inline bool sched_many(void) { return nr_cpus > 1; }
/* task_cpus - of one's own task without the lock it is a hint: the mask may be changing. */
static inline cpumask_t task_cpus(const struct task *t) { return READ_ONCE(t->se.affinity) & atomic_load(&cpu_online_mask); }

/* sched.c: all with rq->lock held unless said otherwise */
void update_curr(struct rq *rq, u64 now);		/* charge curr up to now */
struct rq *task_rq_lock(struct task *t, irqflags_t *flags);	/* the queue t is on, locked, interrupts off */
/* rq_unlock - drop the lock, then tell the CPU that rq->kick names.  Interrupts stay as they are. */
void rq_unlock(struct rq *rq);
static inline void rq_unlock_irqrestore(struct rq *rq, irqflags_t flags)
{
	if (likely(rq->kick == NO_CPU)) {
		spin_unlock_irqrestore(&rq->lock, flags);
		return;
	}
	preempt_disable();
	rq_unlock(rq);
	arch_irq_restore(flags);
	preempt_enable();
}
void resched_curr(struct rq *rq);
void enqueue_waiting(struct rq *rq, struct task *t, bool head);
void dequeue_waiting(struct rq *rq, struct task *t);
/* task_waits - t stands in one of rq's lists or trees */
static inline bool task_waits(const struct rq *rq, const struct task *t) { return t->se.on_rq && !t->se.in_flight && rq->curr != t; }
/* rq_add - a runnable task comes to rq, and preempts curr or waits.  rq_remove - one that waits leaves it. */
void rq_add(struct rq *rq, struct task *t, u64 now);
void rq_enqueue(struct rq *rq, struct task *t, u64 now);	/* rq_add for who will look at the queue next anyway */
/* move_to - t, which is on no list and nobody else's (in flight, or RUNNING and not on_rq), goes from rq, locked, to the queue of cpu or of
 * another that select_cpu prefers by then.  Returns it, locked; the caller puts t on it. */
struct rq *move_to(struct rq *rq, struct task *t, u32 cpu, u32 flags, u64 now);
void rq_remove(struct rq *rq, struct task *t, u64 now);

void resched_curr(struct rq *rq);			/* rq->lock held, as for the next two */
void enqueue_waiting(struct rq *rq, struct task *t, bool head);
void dequeue_waiting(struct rq *rq, struct task *t);

/* times.c: this CPU's queue, locked; it leaves the idle task at now, or comes to it */
void sample_init(struct rq *rq);
void sample_begin(struct rq *rq, u64 now);
void sample_end(struct rq *rq);
/* sample_passing - an interrupt has charged curr up to now: it takes the sample that is due. */
void sample_passing(struct rq *rq, u64 now);

/* fair.c and rt.c: all with rq->lock held */
void fair_place(struct rq *rq, struct sched_entity *se);	/* a sleeper or newcomer: where its virtual time starts */
void fair_enqueue(struct rq *rq, struct task *t);
void fair_dequeue(struct rq *rq, struct task *t);
struct task *fair_first(struct rq *rq);
struct task *fair_next(struct task *t);			/* the one after t in the tree, or NULL */
void fair_charge(struct rq *rq, struct task *t, u64 ran_ns);	/* curr ran that long */
bool fair_preempts(const struct task *woken, const struct task *curr);
void fair_yield(struct sched_entity *se);	/* give the rest of the turn away */
u32 fair_weight(s32 nice, u32 policy);
void rt_enqueue(struct rq *rq, struct task *t, bool head);
void rt_dequeue(struct rq *rq, struct task *t);
struct task *rt_first(struct rq *rq);
int rt_top_prio(const struct rq *rq);			/* -1: none waits; read racily by others */

/* rt_smp.c: real-time tasks on many CPUs, and how much of one they may have */
extern cpumask_t rt_overload;				/* [a] CPUs where a real-time task waits */
u32 rt_select_cpu(struct task *t);			/* where t, which is on no queue, should run */
void rt_waiting_changed(struct rq *rq);			/* after a choice: keep rt_overload, and kick who should pull */
void rt_pull(struct rq *rq);				/* fetch what goes before all that rq has */
void rt_period_begin(struct rq *rq, u64 now);		/* a real-time task is about to run, and rt_timer is not armed */
void rt_timer_fired(struct timer *timer);
extern s64 sched_rr_ns;					/* an RR turn; [a] */

/* balance.c */
enum { WAKE_FORK = 1, WAKE_VFORK = 2, WAKE_MOVE = 4 };
u32 select_cpu(struct task *t, u32 flags);		/* where t, which is on no queue, should run.  Context: interrupts off */
bool cpu_is_free(u32 cpu);				/* idle, and nothing on its way there: a racy look */
bool steal_task(struct rq *rq, u64 now);		/* rq has nothing to run: take a waiting fair task from another */
void take_over(struct rq *from, struct rq *to, struct task *t, u64 now);	/* both locked: t, waiting on one, waits on the other */
void balance_init(struct rq *rq);			/* by its own CPU */
void balance_busy(struct rq *rq, u64 now);		/* from rq's own slice timer, no lock held: some wait here */
/* affinity.c */
void moved_wake(struct task *t);			/* t, perhaps waited for by sched_set_affinity, has moved; no lock held */
/* finish_move - prev, switched out, was in flight, as seen under the lock, or watched.  No lock held. */
void finish_move(struct rq *rq, struct task *prev, bool in_flight);

/* psi.c, loadavg.c */
u64 fixed_power(u64 x, u64 n);				/* x to the n, in units of FIXED_1: what is left of an average after n periods */
void load_update(u64 now);				/* before nr_running changes */
void psi_average(u64 now);				/* bring the averages up to date.  Context: any, interrupts off */
void stall_changed(struct rq *rq, u64 now);		/* rq->nr_iowait, nr_memstall or who runs changed */
void memstall_leave(struct rq *rq, struct task *t, u64 now), memstall_join(struct rq *rq, struct task *t, u64 now);
u64 sched_nr_uninterruptible(void), sched_iowait_ns(u32 cpu);
