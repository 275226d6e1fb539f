/* Processes: tables, creation, exec, exit, credentials, limits. */
#pragma once
#include <kernel/task.h>

extern struct spinlock proc_lock;	/* LC_PROC_TABLE (irqs off) */
extern struct process *init_process;

struct task *task_find(s32 tid);	/* RCU read side or proc_lock held; no reference */
/* task_find_get - a referenced one, for task_put(); NULL: none has that number, or it is being freed.  Context: any. */
struct task *task_find_get(s32 tid);
struct process *process_find(s32 pid);
static inline s32 current_pid(void) { return current->proc->pid; }
bool pgrp_is_orphaned(s32 pgid);	/* this and the next take proc_lock */
bool pgrp_in_session(s32 pgid, s32 sid);
/* process_make_init - the current kernel thread becomes process 1.  process_make_helper - another one a child of init, which is reaped
 * when it ends; in init's root.  0, -ENOMEM, -EAGAIN, -ESRCH (no init yet).  Then exec_kernel.  Context: a kernel thread. */
int process_make_init(void);
int process_make_helper(void);
/* exec_kernel - init: turn the current kernel thread into a program. Returns -errno on failure. */
int exec_kernel(const char *path, char *const argv[], char *const envp[]);
void __noreturn process_exit(int wait_status);	/* whole group */
void __noreturn thread_exit(int wait_status);	/* this thread */

/* usage_of_process - all threads, the dead included; its times never fall.  Context: any.  Locks: may hold proc_lock, nothing after it.
 * usage_of_task - one thread. */
void usage_of_process(struct process *p, struct usage *sum);
void usage_of_process_locked(struct process *p, struct usage *sum);	/* its sighand lock is held */
void usage_of_family(struct process *p, struct usage *sum);	/* and the children that it waited for, with theirs; no lock held */
void usage_of_task(struct task *t, struct usage *u);

struct cred {
	struct refcount refs;
	u32 uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	u64 cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	u32 securebits;
	u32 ngroups; u32 *groups;
	struct user *user;		/* of uid; referenced */
	struct rcu_head rcu;
};
static inline const struct cred *current_cred(void) { return current->cred; }
bool capable(int cap);			/* current, effective */
void set_hostname(const char *name);	/* as sethostname(2); what is too long is cut */
void get_hostname(char *buf);		/* into 65 bytes, with a NUL */
bool cred_in_group(const struct cred *c, u32 gid);	/* fsgid or supplementary */
void cred_get(const struct cred *c), cred_put(const struct cred *c);
/* cred_get_own - current's own, referenced, mostly without touching their count.  cred_put_own - as cred_put, where c is likely to be current's
 * own.  cred_drop_spare - what t has taken in advance: when it has ended, or has others.  Context: thread; t is current, or nobody's any more. */
const struct cred *cred_get_own(void);
void cred_put_own(const struct cred *c), cred_drop_spare(struct task *t);
const struct cred *cred_of(struct task *t);	/* referenced; Context: any, t referenced */

#include <asm/resource.h>
struct rlimits { struct { u64 cur, max; } lim[RLIM_NLIMITS]; };
u64 rlimit(unsigned resource);		/* current's soft limit */

/* cred_prepare - a private copy of current's; cred_commit publishes it, cred_abort drops it unused (both consume).  NULL if no memory.
 * A commit that changes who current is to others, or adds capabilities, makes it undumpable and forgets its parent-death signal. */
struct cred *cred_prepare(void);
/* cred_check_nproc - setuid(2) into a user who has too many processes succeeds; the execve after it is -EAGAIN here, unless there are fewer
 * by then.  Context: thread. */
int cred_check_nproc(void);
void cred_commit(struct cred *c);
void cred_abort(struct cred *c);
/* cred_fix_caps - capabilities after the uids of c changed from old's */
void cred_fix_caps(struct cred *c, const struct cred *old);
