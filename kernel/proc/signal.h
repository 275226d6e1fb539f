/* Signals as other rooms use them. Theory in signal.c. */
#pragma once
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <kernel/proc/signal_types.h>
#include <kernel/task.h>

/* signal_send_* - Context: any, no lock ranked at or above LC_SIGHAND held (proc_lock may be). info NULL: kernel-made SI_KERNEL/SI_USER. */
int signal_send_task(struct task *t, int sig, const siginfo_t *info);		/* thread-directed */
int signal_send_process(struct process *p, int sig, const siginfo_t *info);
int signal_send_pgrp(s32 pgid, int sig);		/* from the kernel (tty): takes proc_lock */
int signal_send_session_leader(s32 sid, int sig);
/* signal_force - for faults: current cannot ignore or block it. */
void signal_force(int sig, int code, u64 addr);
void signal_force_info(const siginfo_t *info);
/* signal_die - current's process ends of the signal, with a core if it is one that leaves such.  Context: thread, no locks. */
void __noreturn signal_die(const siginfo_t *info);
/* signal_deliver - on the way to EL0 with TIF_SIGPENDING: acts, builds frames, sets up restarts. Context: irqs on. */
void signal_deliver(struct trap_frame *tf);
/* signal_set_blocked - current's mask (SIGKILL and SIGSTOP stay unblocked) */
void signal_set_blocked(struct sigset set);
/* signal_take_locked - dequeue a pending signal of current in mask.  sighand lock held. */
bool signal_take_locked(u64 mask, siginfo_t *info);
bool signal_ignored_or_blocked(int sig);		/* of current; tty background checks */
/* sigmask_push - ppoll and kin: block what *user says while the call waits.  NULL user: nothing.  0, -EFAULT, -EINVAL (size).
 * sigmask_pop - the wait is over: restore the old mask now, or, if interrupted, leave that to signal_deliver (restore_sigmask). */
/* signal_dispositions - which signals the process ignores and catches, for /proc */
void signal_dispositions(struct process *p, u64 *ignored, u64 *caught);
int sigmask_push(const struct sigset __user *user, size_t size);
void sigmask_pop(bool interrupted);
/* An entry of a pending queue.  One that belongs to a timer is made with it and queued again and again: while it waits, further expiries
 * are the timer's overruns.  All under the sighand lock of the process it is queued for. */
struct sigqueue { struct list_head link; siginfo_t info; struct user *user; struct posix_timer *timer; };
/* sigqueue_create - for a timer of current's, charged to its user; NULL: RLIMIT_SIGPENDING or no memory.  Context: thread.
 * sigqueue_destroy - p: its process.  Context: any, nothing at or above LC_SIGHAND held. */
struct sigqueue *sigqueue_create(struct posix_timer *timer);
void sigqueue_destroy(struct process *p, struct sigqueue *q);
/* signal_send_timer - queue q for p, or for its thread tid.  false: nobody will get it (ignored, or gone).  Context: any, as above. */
bool signal_send_timer(struct process *p, s32 tid, struct sigqueue *q);
struct file;
bool file_is_signalfd(const struct file *f);
/* signalfd_queue - where readers of signalfds of p sleep; shared between processes, so a wake-up says only "look". */
struct wait_queue *signalfd_queue(const struct process *p);
/* arch/arm64/sigframe.c */
struct ksigaction { u64 handler, flags, restorer; struct sigset mask; };
int arch_setup_sigframe(struct trap_frame *tf, int sig, const struct ksigaction *act, const siginfo_t *info, struct sigset oldmask);	/* 0 or -EFAULT */
