/* Clocks and timers. ns are u64 since boot (monotonic) unless called real. There is no tick: each CPU arms one comparator for its next timer. */
#pragma once
#include <kernel/lib/rbtree.h>
#include <kernel/lib/types.h>

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

u64 clock_mono_ns(void);		/* Context: any */
u64 clock_real_ns(void);		/* since the epoch */
void clock_set_real_ns(u64 ns);
u64 clock_counter(void);		/* raw architected counter */
u64 clock_freq_hz(void);
void clock_init(u64 freq_hz);		/* earliest; from CNTFRQ_EL0 */

struct timer {
	struct rb_node node;		/* [timer lock of its CPU] */
	u64 expires_ns;
	void (*func)(struct timer *t);	/* Context: irq, irqs off */
	u32 cpu;
	bool armed, running;
};
void timer_init(struct timer *t, void (*func)(struct timer *t));
/* timer_arm - (re)arm for an absolute monotonic time on this CPU.  timer_cancel: true if it was armed and has not fired; does not
 * wait for a running handler. timer_cancel_sync waits (thread context or no lock the handler takes). */
void timer_arm(struct timer *t, u64 expires_ns);
bool timer_cancel(struct timer *t);
bool timer_cancel_sync(struct timer *t);
void timer_interrupt(void);		/* from the clock-event driver */
/* sleep_ns - at least that long, uninterruptible */
void sleep_ns(u64 ns);
void delay_ns(u64 ns);			/* busy; irq context or early boot */

/* The clock-event device registers how to arm the comparator: set(deadline in counter ticks), CPU local. */
struct clockevent { void (*set)(u64 counter); void (*stop)(void); };
void clockevent_register(const struct clockevent *ce);
