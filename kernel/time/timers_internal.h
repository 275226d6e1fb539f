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
/* Between a signal that was taken and the next: its handler returns, and the program gets on, however short the period is. */
#define TAKEN_NS (100 * NSEC_PER_USEC)
#define NO_SLOT 0x7fffffffu

/* What CPU-time deadlines count; theory: cputarget.c.  [C] is proc->cpu_lock. */
enum cpu_kind { CPU_USER, CPU_ALL, NR_CPU_KINDS };
struct cpu_target {
	struct list_head link;		/* [C] proc->cpu_targets */
	struct process *proc;		/* [I] referenced */
	s32 tid;			/* [I] one of its threads; 0: all of it */
	u32 users;			/* [C] */
	u64 seen_ns[NR_CPU_KINDS];	/* [C] what the last check found */
	struct rb_root armed[NR_CPU_KINDS];	/* [C] struct cpu_timer by expiry */
};
struct cpu_timer {
	struct rb_node node;		/* [C] */
	struct cpu_target *target;	/* [I] NULL: not on a CPU clock */
	struct timer *fire;		/* [I] armed when it is due */
	enum cpu_kind kind;		/* [I] */
	bool armed, due;		/* [C] */
	u64 expires_ns;			/* [C] */
};

struct posix_timer {
	struct timer timer;		/* of its clock; on a CPU clock it fires when that says so */
	struct posix_timers *table;	/* [I] */
	struct refcount refs;		/* the table's slot, and calls that use it */
	struct sigqueue *q;		/* [I] */
	s32 id, clock, tid;		/* [I] tid 0: the process */
	bool quiet;			/* [I] SIGEV_NONE; q only counts against the limit */
	struct cpu_timer cpu;		/* [I] */
	bool ready;			/* [P] creation is complete */
	enum timer_clock base;		/* [P] what expires_ns is of, unless CPU time */
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
	u64 **chunks;			/* [P] of slots: a timer, or the number of the next free slot << 1 | 1 */
	u32 max_chunks, nr_slots;	/* [P] */
	u32 free_first, free_last;	/* [P] the free slots' queue; NO_SLOT: empty */
};

/* timers_table - current's, made when first asked for; NULL: no memory. */
struct posix_timers *timers_table(void);
/* periods_passed - whole periods from first to now, first <= now.  */
static inline u64 periods_passed(u64 now, u64 first, u64 period) { return (now - first) / period; }

/* cputimer.c.  cpu_clock_resolve: whom a CPU clock's number means for current: the process, referenced, and the thread (0: all).
 * -EINVAL: nobody.  cpu_thread_usage: of thread tid of p; -EINVAL: gone.  Context: any.  Locks: below the run queue's. */
int cpu_clock_resolve(int clock, struct process **p, s32 *tid);
enum cpu_kind cpu_clock_kind(int clock);
int cpu_thread_usage(const struct process *p, s32 tid, struct usage *u);
static inline u64 cpu_kind_of(enum cpu_kind kind, const struct usage *u) { return kind == CPU_USER ? u->utime_ns : u->utime_ns + u->stime_ns; }

/* cputarget.c.  cpu_target_get: of a CPU clock's number, created if need be.  0, -EINVAL (no such clock), -EAGAIN (no memory).
 * Context: thread, no lock. */
int cpu_target_get(int clock, struct cpu_target **out);
void cpu_target_put(struct cpu_target *t);
bool cpu_target_gone(const struct cpu_target *t);	/* the process was reaped, or the thread ended */
/* Context of these: any, [P] and sighand locks may be held.  cpu_timer_arm of one whose target has ended: nothing.  cpu_timer_take_due:
 * true once after it came.  cpu_timer_now: -ESRCH; sighand_held: the target process's sighand lock is.  cpu_timer_seen_ns: no later than
 * now, and no earlier than what fired last. */
void cpu_timer_init(struct cpu_timer *ct, struct cpu_target *t, enum cpu_kind kind, struct timer *fire);
void cpu_timer_arm(struct cpu_timer *ct, u64 expires_ns);
void cpu_timer_disarm(struct cpu_timer *ct);
bool cpu_timer_take_due(struct cpu_timer *ct);
int cpu_timer_now(const struct cpu_timer *ct, bool sighand_held, u64 *ns);
u64 cpu_timer_seen_ns(const struct cpu_timer *ct);
/* cpu_targets_check - fire what is due on p, which has used *u so far.  Returns what is left to the next, TIME_NEVER.  Context: irq. */
u64 cpu_targets_check(struct process *p, const struct usage *u);
void cpu_targets_exit(struct process *p);
