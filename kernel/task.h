/* The task: one thread of execution, and the process (thread group) it belongs to.
 *
 * Members stand under the lock that guards them: [I] immutable after creation, [a] atomic, [own] only the task itself,
 * [T] proc_lock (LC_PROC_TABLE), [S] proc->sighand->lock, [Q] the run queue's lock, [R] read under RCU,
 * [PI] pi_enter(). */
#pragma once
#include <arch/context.h>
#include <kernel/debug/race.h>
#include <kernel/debug/where.h>
#include <kernel/lib/list.h>
#include <kernel/lib/rbtree.h>
#include <kernel/lib/refcount.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/preempt.h>
#include <kernel/sync/rcu.h>
#include <kernel/sync/wait.h>
#include <kernel/sched/entity.h>
#include <kernel/proc/signal_types.h>
#include <asm/siginfo.h>

struct mm;
struct fdtable;
struct fs_struct;
struct cred;
struct tty;
struct file;
struct pid_group;
struct process;
struct core_state;
struct rlimits;
struct posix_timers;
struct rseq;
struct scm_files;
struct seccomp_filter;
struct sem_undo_list;

#define TASK_COMM_LEN 16

/* Deferred work run by the task on its way out to EL0 (last puts of files and so on). */
struct task_work { struct task_work *next; void (*func)(struct task_work *); };

/* What a task holds back until it sleeps: flush(plug) is called then.  Context: current's state may be set already; must not sleep. */
struct task_plug { void (*flush)(struct task_plug *plug); };

enum task_flags {		/* task->pflags */
	PF_KTHREAD = 1, PF_EXITING = 2, PF_FORKNOEXEC = 4, PF_MEMALLOC = 8, PF_VFORK = 16, PF_OOM_VICTIM = 32, PF_SIGNALED = 64,
	PF_NPROC_EXCEEDED = 128,	/* its user had too many processes when it became that user: execve looks again */
	PF_WORKER = 256,	/* in a work, in which it has not slept yet: kernel/irq/work.c */
	PF_NORECLAIM = 512,	/* allocates what is free, or nothing */
};

struct restart_block {		/* for ERESTART_RESTARTBLOCK; [own] */
	long (*func)(struct restart_block *rb);
	u64 args[6];
};

/* /proc/<pid>/io: bytes that calls moved and how many calls did; bytes for which a device was read, that were made dirty or written around the cache. */
struct io_counts { u64 rchar, wchar, syscr, syscw, read_bytes, write_bytes; };

struct task {
	struct task_head head;		/* first: entry.S */
	struct arch_thread arch;	/* [own] while switched out */
	u32 state;			/* [Q] TASK_*; set by itself, or by a waker to RUNNING */
	u32 pflags;			/* [own] PF_* */
	struct refcount refs;
	char comm[TASK_COMM_LEN];	/* [a] by byte: task_comm(); others of the process may set it */
	void *stack;			/* [I] lowest address of the kernel stack */

	struct sched_entity se;		/* kernel/sched */
	u32 on_cpu;			/* [a] 1 while its registers are live on a CPU */

	struct mm *mm;			/* [own] NULL for kernel threads */
	struct fdtable *files;		/* [own] */
	struct fs_struct *fs;		/* [own] cwd, root, umask */
	const struct cred *cred;	/* [R] own credentials, replaced whole */
	const struct cred *spare_cred;	/* [own] of whom nr_spare references are kept for later, see cred.c; not valid if there are none */
	u32 nr_spare;			/* [own] */
	struct sem_undo_list *sem_undo;	/* [own] what it undoes of semaphores at its end, NULL: nothing; kernel/ipc/sem.c */
	bool no_new_privs;		/* [a] prctl(2): no execve gives it more rights; set by itself or by a thread's TSYNC, under [S] */
	u32 seccomp_mode;		/* [a] SECCOMP_MODE_*; written under [S], kernel/proc/seccomp.c */
	struct seccomp_filter *seccomp_filter;	/* [a] the newest, NULL: none; written under [S] */
	u32 nofault;			/* [own] uaccess_nofault depth */

	/* identity and kin */
	s32 tid;			/* [T,R] an exec may take the first thread's over */
	struct process *proc;		/* [I] */
	struct list_head thread_link;	/* [T,R] in proc->threads */
	struct list_head all_link;	/* [T,R] every task */
	struct task *pid_next;		/* [T,R] hash chain of numbers */
	struct rseq __user *rseq;	/* [own] restartable sequences: what it registered, NULL: nothing */
	u32 rseq_sig;			/* [own] */
	s32 __user *set_child_tid, *clear_child_tid;	/* [own] */
	void __user *robust_list;	/* [own] */
	size_t robust_list_len;
	struct completion *vfork_done;	/* [T] the parent waits */
	int exit_code;			/* [T] a traced thread's wait status; [S] in a traced stop: what is told of it, then what it resumes with */
	u32 pdeath_signal;		/* [own] written by itself; sent to it when the thread that forked its process ends */
	u64 timer_slack_ns;		/* [own] told to prctl; every timer here is exact */
	u32 ioprio;			/* [a] ioprio_set(2); 0: nothing was said */
	u64 start_ns;			/* [T,R] monotonic; goes with tid */

	/* signals */
	struct sigset blocked, saved_sigmask;	/* [S] blocked written by itself */
	struct sigset sigwait;		/* [S] what sigtimedwait waits for, blocked as it is */
	bool restore_sigmask;		/* [own] */
	struct sigpending pending;	/* [S] thread-directed */
	struct sigaltstack_state altstack;	/* [own] */
	u32 jobctl;			/* [S] stop state of this thread: JOBCTL_* */
	u32 ptrace;			/* [T,S] PT_*; 0: nobody traces it */
	struct task *tracer;		/* [T,R] who does: kernel/proc/ptrace.c */
	struct list_head tracees, trace_link;	/* [T] whom it traces; in the list of who traces it */
	siginfo_t *stop_info;		/* [S] in a traced stop: the signal or the event, NULL of a group's stop */
	u64 stop_message;		/* [S] in a traced stop: PTRACE_GETEVENTMSG */
	struct restart_block restart;	/* [own] */

	/* accounting */
	u64 utime_ns, stime_ns;		/* [Q] as task_times last told them */
	u64 sampled_ns, kernel_ns;	/* [Q] kernel/sched/times.c: run time up to the last sample, and the kernel's part of it */
	bool sampled_kernel;		/* [Q] what that sample hit */
	u64 nvcsw, nivcsw, min_flt, maj_flt;	/* [own] written; others read them racily */
	struct io_counts io;		/* [own] written; others read them racily */
	bool accounted;			/* [S] its usage is in proc->dead */
	u64 nr_syscalls;
	u32 nr_dirtied;			/* [own] pages since balance_dirty last looked at the limits */
	bool throttle_queued;		/* [own] throttle_work is among works */
	struct task_work throttle_work;	/* mm/dirty.c: it has dirtied too much by stores, and waits on its way out */

	struct task_work *works;	/* [a] lock-free stack */
	struct task_plug *plug;		/* [own] NULL: none */
	struct scm_files **dropping;	/* [own] net/unix_flight.c: it is closing descriptors that nobody received; what is next */
	bool looping;			/* [own] net/loopback.c: it is receiving what was sent on lo */
	u32 futex_end;			/* [a] FUTEX_ALIVE ...: may it still be made owner of a PI futex? */
	struct pi_waiter *pi_blocked;	/* [PI] kernel/sync/pi.c: the lock it waits for */
	struct rb_root pi_owned;	/* [PI] the locks it owns that are waited for */
	struct rcu_head rcu;
#ifdef CONFIG_RACE
	struct race_task race;		/* [own] */
#endif
#ifdef CONFIG_DEBUG
	struct held_lock { const void *lock; u64 key; u16 class; struct where where; } held[24];	/* [own] lockcheck; read racily by reports */
	u32 nr_held;
	struct where preempt_off;	/* [own] where head.preempt_count left 0, if head.preempt_noted */
	u32 fail_nth;			/* [own] failure injection: the n-th allocation from now fails; 0: none */
	u32 fail_left;			/* [own] what was left of it when /proc/<pid>/fail-nth ended it */
	bool fail_fired;		/* [own] an allocation was made to fail, and nobody has asked since */
#endif
};

/* What getrusage(2) tells. */
struct usage { u64 utime_ns, stime_ns, min_flt, maj_flt, nvcsw, nivcsw, maxrss_pages; struct io_counts io; };

/* A process: the thread group. */
struct process {
	struct refcount refs;		/* one for each task */
	s32 pid;			/* [I] tgid */
	struct task *leader;		/* [T] */
	struct list_head threads;	/* [T,R] task.thread_link */
	u32 nr_threads;			/* [T] alive ones */
	u32 nr_unreaped;		/* [T] traced threads, not the first, that have ended and are not waited for */
	struct process *parent;		/* [T] */
	struct list_head children, sibling;	/* [T] */
	struct task *forker;		/* [T] the thread of parent that made it, or its heir; never NULL while parent is set */
	s32 pgid, sid;			/* [T] */
	struct pid_group *pgrp, *session;	/* [T] of those numbers, kernel/proc/pid.c */
	struct list_head pgrp_link;	/* [T] in pgrp */
	struct tty *ctty;		/* [T] controlling terminal */
	bool session_leader;		/* [T] */
	bool did_exec;			/* [T] for setpgid */
	u32 execs;			/* [a] programs it became: who registered something for the one before finds another */
	u32 exec_gains;			/* [T] threads that exec a program which will have more rights: nobody with fewer begins to trace it */
	struct wait_queue child_wait;	/* wait4 */
	struct wait_queue end_wait;	/* kernel/proc/pidfd.c */
	struct sighand *sighand;	/* [I] shared with CLONE_SIGHAND */
	struct sigpending shared_pending;	/* [S] */
	u32 group_flags;		/* [S] PROC_GROUP_EXIT ... */
	int group_exit_code;		/* [S] */
	u32 stop_count, stop_sig;	/* [S] group stop in progress */
	u32 wait_events;		/* [S] stopped/continued to be reported */
	struct task *group_exec;	/* [S] thread that execs */
	s32 exit_signal;		/* [T] sent to the parent */
	bool zombie, child_subreaper, is_init;	/* [T] */
	bool autoreap;			/* [I] it goes at once when it ends */
	struct rlimits *rlim;		/* [S] */
	struct posix_timers *timers;	/* [a] kernel/time; set once by itself */
	u32 cpu_watch;			/* [a] not 0: CPU time is limited, see kernel/time/cputimer.c */
	u64 watch_ran_ns, watch_limit_ns;	/* [a] while watched: run since the last check, and what it allowed */
	struct spinlock cpu_lock;	/* LC_CPU_TIMER; of the next two, kernel/time/cputimer.c */
	struct list_head cpu_targets;
	bool cpu_ended;
	struct file *exe;		/* [R] */
	struct usage dead;		/* [S] threads that are gone */
	struct usage child_usage;		/* [T] waited-for children and theirs */
	s32 oom_score_adj, oom_score_adj_min;	/* [a] the second: what one without CAP_SYS_RESOURCE may not go below */
	u32 dumpable;			/* [a] DUMP_*: may it dump core, and may its user look into it? */
	u32 dump_filter;		/* [a] CORE_*: what of its memory a core has */
	struct core_state *core;	/* [S] it dumps core: kernel/proc/coredump.c */
	u32 personality;		/* [a] personality(2) */
	struct rcu_head rcu;
};

extern struct task init_task;		/* the boot thread, later idle of CPU 0 */
extern struct list_head all_tasks;	/* [T,R] task.all_link: every thread of a process */

static inline void task_get(struct task *t) { refcount_inc(&t->refs); }
void task_put(struct task *t);
/* process_put - each task holds one reference, so that current->proc is there until its last switch.  Context: any. */
void process_put(struct process *p);

/* call_work_set, call_work_clear - t's system calls take, or no longer take, the way through syscall_slow() for what (of TIF_CALL_REASONS).
 * entry.S looks at the one flag that sums up all reasons, so a task without any pays nothing for there being several.  Context: any. */
static inline void call_work_set(struct task *t, u32 what) { atomic_fetch_or(&t->head.flags, what | TIF_CALL_WORK); }
static inline void call_work_clear(struct task *t, u32 what)
{
	u32 old, new;

	do {
		old = atomic_load(&t->head.flags);
		new = old & ~what;
		if (!(new & TIF_CALL_REASONS))
			new &= ~TIF_CALL_WORK;
	} while (!atomic_cas(&t->head.flags, old, new));
}

/* signal_pending - current has a signal to act on. */
static inline bool signal_pending(void) { return atomic_load(&current->head.flags) & TIF_SIGPENDING; }
bool fatal_signal_pending(const struct task *t);

/* task_work_add - func(work) runs in t on its way to EL0 (or at exit).  Context: any. false if t is already gone. */
bool task_work_add(struct task *t, struct task_work *work, void (*func)(struct task_work *));
void task_work_run(void);
