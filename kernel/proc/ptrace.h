/* Tracing a thread by another: what the other rooms call.  Theory in ptrace.c. */
#pragma once
#include <kernel/task.h>
#include <linux/ptrace.h>

/* task.ptrace */
#define PT_PTRACED	1u			/* traced */
#define PT_SEIZED	2u			/* by PTRACE_SEIZE */
#define PT_CAPABLE	4u			/* who asked for it had CAP_SYS_PTRACE: a set-id program keeps its rights */
#define PT_OPTIONS(o)	((u32)(o) << 8)		/* PTRACE_O_* */

/* ptrace_event - a stop for PTRACE_EVENT_* if the tracer asked for those; true: it did.  Context: thread, in a call of current's. */
bool ptrace_event(u32 event, u64 message);
/* ptrace_fork_event - the event of current's making a task by clone flags and exit signal, 0: none is wanted. */
u32 ptrace_fork_event(u64 flags, int exit_signal);
/* ptrace_exec - current has become another program, its number was old_tid: a stop, or a SIGTRAP for a tracer of the old kind. */
void ptrace_exec(s32 old_tid);
/* ptrace_exit - current is about to end with this wait status: a stop, out of which SIGKILL lets it too unless its process ends already. */
void ptrace_exit(int status);
/* ptrace_fork_locked - child, which is being linked, is current's tracer's too if he asked for event, or current for CLONE_PTRACE.
 * Locks: proc_lock, current's sighand lock. */
void ptrace_fork_locked(struct task *child, u64 flags, u32 event);

struct trap_frame;
/* ptrace_call_enter, _exit - stops around a system call.  enter: false, the call is not made (x0 is what the tracer left there). */
bool ptrace_call_enter(struct trap_frame *tf);
void ptrace_call_exit(struct trap_frame *tf);
/* ptrace_seccomp - SECCOMP_RET_TRACE: a stop with the filter's data.  false: no tracer wants it (the call is ENOSYS then).  true: he has
 * looked; the call's number and arguments are in the frame, -1 for none. */
bool ptrace_seccomp(u32 data);

/* ptrace_signal_locked - the tracer sees the signal that was taken, and may change or (0) forget it.  ptrace_trap_locked - current has one of
 * JOBCTL_STOP, JOBCTL_TRAPS.  sighand lock held, dropped and taken.  ptrace_trap_notify_locked - t's group begins or ends a stop. */
int ptrace_signal_locked(siginfo_t *info);
void ptrace_trap_locked(void);
void ptrace_trap_notify_locked(struct task *t);
int ptrace_stop_locked(int code, int why, u64 message, siginfo_t *info);

/* ptrace_unlink_locked - nobody traces t any more, which goes on as its group does.  proc_lock held. */
void ptrace_unlink_locked(struct task *t);
/* ptrace_reparented_locked - t is traced, by another process than its parent.  proc_lock held. */
bool ptrace_reparented_locked(const struct task *t);
/* ptrace_tracer_ends_locked - current ends: whom it traces is free, or dies with it.  proc_lock held. */
struct reaped;
void ptrace_tracer_ends_locked(struct reaped *r);
/* ptrace_tracer_tid - of t, 0: none. */
s32 ptrace_tracer_tid(struct task *t);
/* ptrace_request - what a tracer asks of t, which is frozen in a stop (kernel/proc/ptrace_calls.c). */
long ptrace_request(struct task *t, long request, u64 addr, u64 data);
