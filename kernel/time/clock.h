/* What the timer and vDSO code need of the clock beyond <kernel/time/time.h>. */
#pragma once
#include <kernel/lib/list.h>
#include <kernel/lib/types.h>
#include <kernel/time/time.h>

/* The real clock is never set to this or later: 30 years before the end of what a signed 64-bit count of ns can say, as on Linux. */
#define CLOCK_REAL_MAX_NS (8277292036 * NSEC_PER_SEC)

u64 clock_counter_to_ns(u64 counter);	/* monotonic ns at that counter value */
u64 clock_ticks_to_ns(u64 ticks);	/* a length of time, not steered */
u64 clock_ns_to_counter(u64 ns);	/* the counter value at which clock_mono_ns() is ns, give or take a tick */
u64 clock_raw_ns(void);			/* since boot, not steered */

/* raw = (counter - start) * raw_mult >> 32; mono = base_ns + ((counter - base) * mult >> 32), the difference signed; real = mono + real_ns;
 * TAI = real + tai_ns */
struct clock_params { u64 start, raw_mult, base, base_ns, mult; s64 real_ns, tai_ns; };
struct clock_params clock_params(void);	/* a consistent set */
/* clock_read - monotonic time, and what is to be added for each clock, of one instant.  Context: any. */
void clock_read(u64 *mono_ns, s64 offset_ns[NR_TIMER_CLOCKS]);
u64 clock_timer_ns(enum timer_clock clock);
static inline s64 clock_real_offset_ns(void) { return clock_params().real_ns; }	/* real - mono, now */

/* clock_set_rate - from now on the monotonic clock gains rate / 2^32 on the raw one.  true: that is a change, and the caller sees to
 * timers_clock_changed().  clock_step - the real clock jumps, and TAI is that far ahead of it; the caller sees to clock_was_set().
 * Context: any. */
bool clock_set_rate(s64 rate);
void clock_step(s64 delta_ns, s64 tai_ns);
/* clock_was_set - real deadlines are monotonic deadlines anew, on every CPU, and those who watch are told.  Context: thread, no lock. */
void clock_was_set(void);
void ntp_clear(void);			/* the real clock was set: what was being slewed is void */
extern void (*clock_changed_hook)(bool done);	/* before the parameters change, and after: the vDSO page.  Under a spin lock */

/* Who must know when the real clock is set: changed(w) runs in the setter's thread, under a spin lock below LC_POSIX_TIMER. */
struct clock_watch { struct list_head link; void (*changed)(struct clock_watch *w); };
void clock_watch_init(struct clock_watch *w, void (*changed)(struct clock_watch *));
void clock_watch_add(struct clock_watch *w);	/* again: nothing.  Context: any without locks at or above LC_CLOCK_WATCH */
void clock_watch_remove(struct clock_watch *w);	/* not there: nothing; afterwards changed() runs no more */
