/* Between posix_timers.c, itimer.c and cputimer.c. */
#pragma once
#include <kernel/lib/refcount.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/clock.h>
#include <kernel/time/itimer.h>
#include <kernel/time/time.h>

#define OVERRUN_MAX 0x7fffffffu

struct posix_timer {
	struct timer timer;		/* unless it counts CPU time */
	struct posix_timers *table;	/* [I] */
	struct refcount refs;		/* the table's slot, and calls that use it */
	struct sigqueue *q;		/* [I] NULL: SIGEV_NONE */
	s32 id, clock, tid;		/* [I] tid 0: the process */
	bool cpu;			/* [I] clock counts CPU time */
	bool ready;			/* [P] creation is complete */
	enum timer_clock base;		/* [P] what expires_ns is of, unless CPU time */
	bool due;			/* [P] on a CPU clock: to fire */
	bool waiting;			/* [P] it fired, and its period goes on when the signal is taken */
	u64 expires_ns, period_ns;	/* [P] 0: disarmed, one-shot */
	u64 overrun;			/* [P] since the last delivery */
	u32 overrun_last;		/* [P] what the last delivery told */
};

struct cpu_itimer { u64 expires_ns, period_ns; };	/* [P] on the process's user or whole CPU time; 0: disarmed */

struct posix_timers {
	struct spinlock lock;		/* [P] LC_POSIX_TIMER, interrupts off */
	struct process *proc;		/* [I] */
	struct timer real;		/* ITIMER_REAL */
	u64 real_expires_ns, real_period_ns;	/* [P] monotonic */
	bool real_waiting;		/* [P] SIGALRM sent, not taken */
	struct cpu_itimer virt, prof;	/* [P] */
	struct posix_timer **slots;	/* [P] */
	u32 nr_slots;			/* [P] */
	u32 nr_cpu;			/* [P] timers on CPU clocks */
};

/* timers_table - current's, made when first asked for; NULL: no memory. */
struct posix_timers *timers_table(void);
/* periods_passed - whole periods from first to now, first <= now.  */
static inline u64 periods_passed(u64 now, u64 first, u64 period) { return (now - first) / period; }

/* posix_timers.c, for the check of CPU time: if pt is due by its clock, see that it fires.  process: what its process has used.  Returns
 * what is left until the next expiry, TIME_NEVER if pt is not armed or not such a timer. */
u64 posix_timer_check_cpu_locked(struct posix_timer *pt, const struct usage *process);
/* cputimer.c.  cpu_clock_own: clock as a number that means the same for every thread; 0: it is another process's.  cpu_clock_of: its
 * time, process's usage known.  -EINVAL: its thread is gone.  Locks: [P] may be held. */
int cpu_clock_own(int clock);
int cpu_clock_of(int clock, const struct usage *process, u64 *ns);
