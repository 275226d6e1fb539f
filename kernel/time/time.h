/* Clocks and timers. ns are u64 since boot (monotonic) unless called real. There is no tick: each CPU arms one comparator for its next timer. */
#pragma once
#include <kernel/lib/rbtree.h>
#include <kernel/lib/types.h>

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull
#define TIME_MAX_NS 0x7fffffffffffffffull	/* times of programs are cut to this: the end of time, in 292 years */

u64 clock_mono_ns(void);		/* Context: any */
u64 clock_real_ns(void);		/* since the epoch */
/* clock_set_real_ns, clock_add_real_ns - set the real clock, or step it.  0, -EINVAL (before the boot, before the epoch, or in more than
 * two centuries).  Context: thread, no lock. */
int clock_set_real_ns(u64 ns);
int clock_add_real_ns(s64 ns);
u64 clock_counter(void);		/* raw architected counter */
u64 clock_freq_hz(void);
void clock_init(u64 freq_hz);		/* earliest; from CNTFRQ_EL0 */

/* time_add - sum of two times, or the end of time. */
static inline u64 time_add(u64 a, u64 b)
{
	u64 sum = a + b;

	return sum < a || sum > TIME_MAX_NS ? TIME_MAX_NS : sum;
}

enum timer_clock { TIMER_MONO, TIMER_REAL, TIMER_TAI, NR_TIMER_CLOCKS };

struct timer {
	struct rb_node node;		/* this and the next three: [timer lock of its CPU] */
	u64 expires_ns;			/* by its clock */
	u8 clock;			/* enum timer_clock, while armed */
	bool armed;
	u32 cpu;			/* [a] whose timer lock */
	void (*func)(struct timer *t);	/* Context: irq, irqs off */
};
void timer_init(struct timer *t, void (*func)(struct timer *t));
/* timer_arm - (re)arm for an absolute time on this CPU, monotonic or of another clock, which may be set meanwhile.  From its own handler's
 * CPU or any other, also while the handler runs.  timer_cancel: true if it was armed and has not fired; does not wait for a running handler.
 * timer_cancel_sync waits, and when it returns the timer is neither armed nor running, unless somebody arms it anew (thread context, and no
 * lock the handler takes). */
void timer_arm(struct timer *t, u64 expires_ns);
/* timer_cancel_quietly - timer_cancel, and no interrupt comes for it if it was armed on this CPU; costs a write to the comparator. */
void timer_cancel_quietly(struct timer *t);
void timer_arm_clock(struct timer *t, enum timer_clock clock, u64 expires_ns);
bool timer_cancel(struct timer *t);
bool timer_cancel_sync(struct timer *t);
void timer_interrupt(void);		/* from the clock-event driver */
/* timers_clock_changed - a clock was set, or the monotonic one goes at another rate: every CPU sets its comparator anew.
 * Context: thread, interrupts on, no lock. */
void timers_clock_changed(void);
/* sleep_ns - at least that long, uninterruptible */
void sleep_ns(u64 ns);
void delay_ns(u64 ns);			/* busy; irq context or early boot */

/* The clock-event device registers how to arm the comparator: set(deadline in counter ticks), CPU local. */
struct clockevent { void (*set)(u64 counter); void (*stop)(void); };
void clockevent_register(const struct clockevent *ce);
/* clockevent_cpu_init - this CPU's comparator is still.  Context: the CPU's start, interrupts off. */
void clockevent_cpu_init(void);
