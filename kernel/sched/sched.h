/* Scheduling: what the rest of the kernel calls. */
#pragma once
#include <kernel/task.h>

/* schedule - give up the CPU; current->state says whether it stays runnable.  Context: thread, preempt_count 0, no spin lock. */
void schedule(void);
/* schedule_until - as schedule(), but wakes by itself at the deadline (monotonic ns; TIME_NEVER none). */
void schedule_until(u64 deadline_ns);
/* preempt_schedule_user - on the way to EL0: current is runnable and may have to make room.  Context: thread, interrupts on. */
void preempt_schedule_user(void);
void sched_yield_current(void);
/* task_wake - make t runnable if its state is in mask; true if it was asleep.  Context: any. */
bool task_wake(struct task *t, u32 mask);
static inline bool task_wake_normal(struct task *t) { return task_wake(t, TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE); }
/* sched_fork - set up a new task's entity from current's; sched_wake_new puts it on a run queue the first time; vfork: current is
 * about to wait for it. */
void sched_fork(struct task *t);
void sched_wake_new(struct task *t, bool vfork);
/* sched_exec - current becomes another program, so its caches are cold: a good time for somebody to leave a CPU that is crowded. */
void sched_exec(void);
/* sched_first_run - entry code of a new task: finishes the switch (drops the run queue lock, enables irqs). */
void sched_first_run(struct task *prev);
/* sched_exit - current is dead: never returns; its last reference is dropped by the next task on this CPU. */
void __noreturn sched_exit(void);
/* kthread_create - a started kernel thread; NULL if no memory (reported).  name is copied. */
extern struct list_head kernel_threads;	/* [LC_PROC_TABLE, RCU] task.all_link; they have no number and stand in no other list */
struct task *kthread_create(void (*fn)(void *), void *arg, const char *name);
/* kthread_exit - the end of a kernel thread, which must not return.  Context: thread, holding nothing. */
void __noreturn kthread_exit(void);
/* sched_set_boost - let t run at real-time priority prio (1 .. 99) if its own is lower, because one of that priority waits for it; 0 ends
 * it.  sched_prio - what t runs at now, 0: the fair class; a racy look.  Context: any, no run queue's lock held. */
void sched_set_boost(struct task *t, u32 prio);
static inline u32 sched_prio(const struct task *t) { return READ_ONCE(t->se.eff_prio); }
bool sched_set_policy(struct task *t, u32 policy, u32 rt_priority, s32 nice);
#define NICE_KEEP 0x7f				/* instead of nice */
/* sched_set_nice - the policy stays.  sched_params - all that belongs together, at one moment.  Context: any. */
void sched_set_nice(struct task *t, s32 nice);
struct sched_params { u32 policy, rt_priority; s32 nice; bool reset_on_fork; };
void sched_params(struct task *t, struct sched_params *p);
/* sched_set_affinity - let t run on the CPUs of mask alone; those that do not run are kept in it for later.  0 or -EINVAL if none of them
 * runs.  On return t runs on no other CPU.  Context: thread, may sleep; if it may not, a task that runs elsewhere leaves soon after. */
int sched_set_affinity(struct task *t, cpumask_t mask);
cpumask_t sched_cluster(u32 cpu);		/* the CPUs that share cache with it */
/* sched_io_begin, sched_io_end - what current sleeps for in between is a device (iowait).  Not nested. */
static inline void sched_io_begin(void) { current->se.in_iowait = true; }
static inline void sched_io_end(void) { current->se.in_iowait = false; }
/* psi_memstall_begin, _end - in between current waits or works for want of memory.  True: it was so already, give that to _end. */
bool psi_memstall_begin(void);
void psi_memstall_end(bool nested);
/* sched_init - this CPU's run queue; current becomes its idle task.  Context: the CPU's start, irqs off. */
void sched_init(void);
/* sched_idle_create - the idle task of a CPU that is about to start; NULL if no memory. */
struct task *sched_idle_create(u32 cpu);
void __noreturn cpu_idle_loop(void);
void set_current_state(u32 state);	/* with the barrier that pairs with task_wake */
/* sched_charge_current - bring current's run time up to date.  Context: any, no run queue's lock held. */
void sched_charge_current(void);
/* sched_rt_ran - for how long (ns) t has run under a real-time policy without sleeping, up to when it was last charged; a racy look.  Context: any, RCU. */
u64 sched_rt_ran(const struct task *t);
/* kernel/time/cputimer.c: a watched process's CPU-time limits.  cpu_watch_arm: interrupts off, the run queue's lock may be held. */
struct timer;
void cpu_watch_arm(struct timer *watch, struct process *p, u64 now);
void cpu_watch_fired(struct timer *watch);
/* sched_cpus_running - the CPUs whose running task is wanted(it, arg), which is asked under the run queue's lock: who begins to run later
 * comes after the caller, who ran before comes before it, each with all he did.  Context: any, no run queue's lock held. */
cpumask_t sched_cpus_running(bool (*wanted)(const struct task *t, const void *arg), const void *arg);
u64 sched_nr_running(void), sched_nr_switches(void);
void sched_loadavg(u64 avg[3]);		/* fixed point, 11 bits */
u64 sched_idle_ns(u32 cpu);
/* What a CPU did since it came up.  irq: in interrupt handlers; iowait: idle while one that slept there for a device had not been woken. */
struct cpu_times { u64 user_ns, nice_ns, system_ns, idle_ns, iowait_ns, irq_ns; };
void sched_cpu_times(u32 cpu, struct cpu_times *out);
/* sched_account_irq - an interrupt was handled, from the counter value `begun` until now.  Context: irq. */
void sched_account_irq(u64 begun);
u32 sched_nr_iowait(void);			/* tasks that wait for a device; a racy sum */
/* task_times - CPU time of t so far, in EL0 and in the kernel; neither ever goes back.  Context: any, no run queue's lock held. */
void task_times(struct task *t, u64 *utime_ns, u64 *stime_ns);
/* sched_cpu_asked - has the CPU's running task been asked to make room, and not yet?  *passes: how often the CPU went through the
 * scheduler so far.  A racy look, under RCU. */
bool sched_cpu_asked(u32 cpu, u64 *passes);
bool sched_cpu_is_idle(u32 cpu);		/* a racy look */
/* sched_kick - a flag was set in t's head: if t runs on another CPU, it passes through the way out to EL0 soon.  Context: any, no run
 * queue's lock held. */
void sched_kick(struct task *t);
void sched_resched_cpu(u32 cpu);		/* make it pass through schedule() soon; any context */
extern void (*sched_send_ipi)(u32 cpu);		/* set when other CPUs run: the reschedule interrupt */
struct task *sched_idle_task(u32 cpu), *sched_curr_task(u32 cpu);	/* who runs there: a racy look, under RCU */

/* task_comm - t's name as it is just now, terminated; who sets it meanwhile is another thread of its process.  task_comm_set - what of len bytes fits. */
void task_comm(const struct task *t, char name[TASK_COMM_LEN]);
void task_comm_set(struct task *t, const char *name, size_t len);
char task_state_char(const struct task *t);	/* as ps shows it: R S D T t Z; a racy look */
/* task_look - call look(t, arg) while t, which does not run, cannot begin to, nor end and lose its stack.  False: it runs, or has ended.
 * Context: any, no run queue's lock held; so is look's, but under t's. */
bool task_look(struct task *t, void (*look)(struct task *t, void *arg), void *arg);
/* task_alloc - a zeroed task with a kernel stack, one reference; NULL if no memory.  Scheduler fields by sched_fork. */
struct task *task_alloc(void);
/* task_free_unstarted - undo task_alloc before the task ever ran */
void task_free_unstarted(struct task *t);
