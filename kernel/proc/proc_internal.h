/* Between the files of kernel/proc only. */
#pragma once
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/sync/spinlock.h>

#define CAP_ALL ((1ul << (CAP_LAST_CAP + 1)) - 1)

/* Signal actions, shared by threads (and CLONE_SIGHAND). */
struct sighand {
	struct refcount refs;
	struct spinlock lock;			/* LC_SIGHAND */
	struct ksigaction action[NSIG];		/* [lock] */
};
extern struct rlimits init_rlimits;

enum { PROC_GROUP_EXIT = 1, PROC_STOPPED = 2, PROC_CONTINUED = 4 };	/* process.group_flags; CONTINUED: the parent is to be told */
enum { WAIT_EV_STOPPED = 1, WAIT_EV_CONTINUED = 2 };		/* process.wait_events */
enum {								/* task.jobctl */
	JOBCTL_SIGMASK = 0xff,		/* the signal of the group's stop that it is to join, or last joined */
	JOBCTL_STOP = 1 << 8,		/* join the group's stop at the next chance */
	JOBCTL_COUNTED = 1 << 9,	/* stop_count waits for it */
	JOBCTL_TAKEN = 1 << 10,		/* it has taken a signal that may stop the group, and no SIGCONT came since */
	JOBCTL_TRAP_STOP = 1 << 11,	/* stop for the tracer: attached to, interrupted, or its group stops */
	JOBCTL_TRAP_NOTIFY = 1 << 12,	/* the group's stop began or ended: tell the tracer (PTRACE_SEIZE) */
	JOBCTL_TRAPPING = 1 << 13,	/* the tracer waits in PTRACE_ATTACH until it stands in a traced stop */
	JOBCTL_LISTENING = 1 << 14,	/* PTRACE_LISTEN */
	JOBCTL_FROZEN = 1 << 15,	/* the tracer is at work on it: not even SIGKILL wakes it */
	JOBCTL_TRAPS = JOBCTL_TRAP_STOP | JOBCTL_TRAP_NOTIFY,
	JOBCTL_PENDING = JOBCTL_STOP | JOBCTL_COUNTED | JOBCTL_TAKEN | JOBCTL_TRAPS,
};

/* pid.c: proc_lock held */
s32 pid_alloc(void);			/* or -EAGAIN; takes no lock of the caller's */
void pid_link_task(struct task *t);
void pid_unlink_task(struct task *t);
/* pid_give_up, pid_take_over - a thread's number is nobody's; a grace period later it takes that of old, which leaves the tables. */
void pid_give_up(struct task *t);
void pid_take_over(struct task *t, struct task *old);
/* A number that processes bear as their group or their session. */
struct pid_group {
	s32 nr;				/* [I] */
	u32 nr_session;			/* [proc_lock] processes of that session */
	struct list_head members;	/* [proc_lock] process.pgrp_link */
	struct pid_group *next;		/* [proc_lock] hash chain */
};
/* pid_group_alloc - a spare one for pid_group_get; NULL: no memory.  Context: thread, no lock; kfree if not used.
 * pid_group_get - the one of that number; if there is none, the spare is made into it.  pgrp_set, session_set - p goes over to it, from the one
 * it was in.  pid_groups_inherit - a new process begins where from is.  pid_groups_leave - p is reaped. */
struct pid_group *pid_group_alloc(void);
struct pid_group *pid_group_get(s32 n, struct pid_group **spare);
void pgrp_set(struct process *p, struct pid_group *g);
void session_set(struct process *p, struct pid_group *s);
void pid_groups_inherit(struct process *p, const struct process *from);
void pid_groups_leave(struct process *p);
bool pgrp_in_session_locked(s32 pgid, s32 sid);
bool pgrp_is_orphaned_locked(s32 pgid);
u32 task_count(void);
/* pgrp_for_each - fn for each process of the group */
void pgrp_for_each_locked(s32 pgid, void (*fn)(struct process *p, void *arg), void *arg);

/* fork.c: init_fs_get - init's directories, referenced; NULL: there is no init. */
struct fs_struct *init_fs_get(void);

/* usage.c.  A task's counts are added to its process's dead ones when it ends: sighand lock held.  usage_note_rss before the address
 * space is left. */
void usage_thread_ends_locked(struct task *t);
void usage_note_rss(struct process *p, const struct mm *mm);
void usage_add(struct usage *to, const struct usage *u);
struct rusage;
void usage_to_rusage(const struct usage *u, struct rusage *ru);

/* exit.c */
void orphan_check_locked(struct process *p, struct process *old_parent);
void notify_parent_locked(struct process *p, int code, int status);	/* SIGCHLD and wake: CLD_* */
/* process_tell_locked - the same for whom it may concern: to is told of the thread of, with sig. */
void process_tell_locked(struct process *to, const struct task *of, int sig, int code, int status);
/* What has been reaped under proc_lock and is let go after it. */
struct reaped { struct list_head processes, threads; };		/* process.sibling, task.trace_link */
#define REAPED_INIT(name) { LIST_HEAD_INIT((name).processes), LIST_HEAD_INIT((name).threads) }
/* zombie_notify_locked - who waits for p, which has ended, is told: its tracer, or its parent; if nobody will wait for it, it is reaped.
 * thread_reap_locked - t, not the first of its process, traced till now, which has ended, goes.  proc_lock held; then reaped_put. */
void zombie_notify_locked(struct process *p, struct reaped *r);
void thread_reap_locked(struct task *t, struct reaped *r);
void reaped_put(struct reaped *r);

/* group_stop.c: sighand lock held.  group_stop_begin - current took a stop signal.  group_stop_join - current, untraced, stops; the lock is dropped
 * and taken again.  group_stop_joined - t stopped, or ended: true, it was the last, and the parent is to be told.  group_stop_resume - SIGCONT.
 * group_stop_tell, group_stop_tell_continued - the parent; lock not held. */
void group_stop_begin_locked(int sig);
void group_stop_join_locked(void);
bool group_stop_joined_locked(struct task *t);
void group_stop_resume_locked(struct process *p);
void group_stop_tell(struct process *p);
void group_stop_tell_continued(struct process *p);

/* sigcalls.c: what kill(2) does.  signal_user_info - a record that says who current is, code SI_USER ...  signal_kill - if current may: 0, -EPERM,
 * -EINVAL.  Context: RCU held, p not reaped. */
void signal_user_info(siginfo_t *info, int sig, int code);
int signal_kill(struct process *p, int sig, const siginfo_t *info);

/* signal.c */
void sigpending_flush(struct sigpending *sp);
void signal_flush_handlers(struct process *p);		/* exec */
void sighand_put(struct sighand *sh);
void signal_discard_locked(struct process *p, int sig);	/* forget it wherever it is pending */
/* note_sigpending_locked - flags t if it has a signal to take or a stop to make; whether it has.  recalc_: clears current's flag, too, if it has none,
 * which is not for the way out of a call: what was interrupted is made ready to begin anew where the flag leads.  Locks: the sighand's. */
bool note_sigpending_locked(struct task *t);
void recalc_sigpending_locked(struct task *t);
void signal_wake_locked(struct task *t, bool fatal);
/* signal_thread_leaves - current becomes PF_EXITING: what it would have taken of its process's signals, and its part in a stop, is for others. */
void signal_thread_leaves(void);
int signal_send_locked(struct task *t, struct process *p, int sig, const siginfo_t *info);

/* robust.c: robust list, PI futexes, clear_child_tid.  exec: the thread goes on.  Context: t is current, its mm in use. */
void futex_exit(struct task *t, bool exec);
extern void (*tty_session_exit_hook)(struct process *leader);	/* the terminal layer: session leader exits */
