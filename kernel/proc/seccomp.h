/* seccomp(2) as the rest of the kernel sees it.  Theory in seccomp.c. */
#pragma once
#include <kernel/task.h>

struct trap_frame;
struct seccomp_filter;

/* seccomp_call - may current make the call that its frame holds?  False: it is settled, with its result in x0 (or, after a trap, the registers
 * as they were); kills do not come back.  Context: thread, TIF_SECCOMP set, at the entry of a call. */
bool seccomp_call(struct trap_frame *tf);
/* seccomp_exit - current ends, and makes no calls any more; PF_EXITING is set. */
void seccomp_exit(void);
/* seccomp_fork_locked - t, a new task that can no longer fail to be, has what current has: mode, filters, no_new_privs.  Context: the sighand lock
 * that t will share with its threads held, t not yet in their list.  seccomp_release - t's structure goes.  Context: any. */
void seccomp_fork_locked(struct task *t);
void seccomp_release(struct task *t);
/* seccomp_filters - how many filters look at t's calls, for /proc.  Context: t referenced. */
u32 seccomp_filters(const struct task *t);
/* seccomp_prctl_set - prctl(PR_SET_SECCOMP).  0, -EINVAL, -EACCES, -EFAULT, -ENOMEM.  Context: thread. */
long seccomp_prctl_set(unsigned long mode, void __user *prog);
/* seccomp_get_filter, _get_metadata - PTRACE_SECCOMP_GET_FILTER and _METADATA, of t, frozen in a stop of current's.  The program's length in
 * instructions (to NULL: that alone), the bytes told; -EACCES, -EINVAL, -ENOENT, -EFAULT.  Context: thread. */
long seccomp_get_filter(struct task *t, u64 nth, void __user *to);
long seccomp_get_metadata(struct task *t, u64 size, void __user *user);
