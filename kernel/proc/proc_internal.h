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

enum { PROC_GROUP_EXIT = 1, PROC_STOPPED = 2 };			/* process.group_flags */
enum { WAIT_EV_STOPPED = 1, WAIT_EV_CONTINUED = 2 };		/* process.wait_events */
enum { JOBCTL_STOP = 1 };					/* task.jobctl: stop at the next chance */

/* pid.c: proc_lock held */
s32 pid_alloc(void);			/* or -EAGAIN; takes no lock of the caller's */
void pid_link_task(struct task *t);
void pid_unlink_task(struct task *t);
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

/* sigcalls.c: what kill(2) does.  signal_user_info - a record that says who current is, code SI_USER ...  signal_kill - if current may: 0, -EPERM,
 * -EINVAL.  Context: RCU held, p not reaped. */
void signal_user_info(siginfo_t *info, int sig, int code);
int signal_kill(struct process *p, int sig, const siginfo_t *info);

/* signal.c */
void sigpending_flush(struct sigpending *sp);
void signal_flush_handlers(struct process *p);		/* exec */
void sighand_put(struct sighand *sh);
void signal_discard_locked(struct process *p, int sig);	/* forget it wherever it is pending */
void recalc_sigpending_locked(struct task *t);
void signal_wake_locked(struct task *t, bool fatal);
/* signal_thread_leaves - current becomes PF_EXITING: what it would have taken of its process's signals, and its part in a stop, is for others. */
void signal_thread_leaves(void);
int signal_send_locked(struct task *t, struct process *p, int sig, const siginfo_t *info);

/* robust.c: robust list, PI futexes, clear_child_tid.  exec: the thread goes on.  Context: t is current, its mm in use. */
void futex_exit(struct task *t, bool exec);
extern void (*tty_session_exit_hook)(struct process *leader);	/* the terminal layer: session leader exits */
