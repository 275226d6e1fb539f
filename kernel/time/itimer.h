/* Interval timers, POSIX timers and CPU-time limits of a process.  Theory: posix_timers.c, cputimer.c. */
#pragma once
#include <asm/siginfo.h>
#include <kernel/lib/types.h>
#include <kernel/time/time.h>

struct process;
struct posix_timer;
struct posix_timers;

/* posix_timers_exit - disarm and free them all.  Context: thread, no lock; when the process's last thread exits, and at exec
 * (interval timers stay: keep_itimer). */
void posix_timers_exit(struct process *p, bool keep_itimer);

/* posix_timer_taken - its signal left the queue: delivered with *info, which gets the overrun count, or forgotten (NULL).
 * itimer_real_taken - SIGALRM was taken.  Either arms the next period.  Locks: sighand lock of the process held. */
void posix_timer_taken(struct posix_timer *pt, siginfo_t *info);
void itimer_real_taken(struct posix_timers *tab);

/* timespec_ns - a normal struct timespec in ns, cut to the end of time. */
#define timespec_ns(ts) \
	((u64)(ts)->tv_sec >= TIME_MAX_NS / NSEC_PER_SEC ? TIME_MAX_NS : (u64)(ts)->tv_sec * NSEC_PER_SEC + (u64)(ts)->tv_nsec)
/* itimerspec_get / _put - a struct itimerspec of the caller's, in ns.  0, -EFAULT, -EINVAL (not normal, or negative). */
int itimerspec_get(const void __user *from, u64 *first, u64 *period);
int itimerspec_put(void __user *to, u64 left, u64 period);

/* cpu_watch_kick - a limit on p's CPU time was set or moved: look soon.  Context: any, no run queue's lock held. */
void cpu_watch_kick(struct process *p);
/* cpu_clock_sleep - until that CPU clock shows *until_ns, or so much more if not absolute (then *until_ns becomes the end).  0, -EINTR with
 * *left_ns set, -EINVAL (no such clock, or current's own thread's), -ENOMEM. */
int cpu_clock_sleep(int clock, u64 *until_ns, bool absolute, u64 *left_ns);
/* cpu_clock_read - the CPU-time clocks: the two of current, and clock_getcpuclockid's and pthread_getcpuclockid's.  -EINVAL: not one. */
int cpu_clock_read(int clock, u64 *ns);
