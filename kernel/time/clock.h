/* What the timer and vDSO code need of the clock beyond <kernel/time/time.h>. */
#pragma once
#include <kernel/lib/list.h>
#include <kernel/lib/types.h>

u64 clock_counter_to_ns(u64 counter);	/* monotonic ns at that counter value */
u64 clock_ticks_to_ns(u64 ticks);	/* a length of time */
u64 clock_ns_to_counter(u64 ns);	/* the counter value at which clock_mono_ns() is ns, give or take a tick */
/* clock_params - mono ns = (counter - start) * mult32 >> 32 */
void clock_params(u64 *start_counter, u64 *mult32);
/* real = mono + offset + ((mono - base) * rate >> 32) */
struct clock_real { s64 offset_ns; u64 base_ns; s64 rate; };
struct clock_real clock_real_params(void);
s64 clock_real_offset_ns(void);		/* real - mono, now */
/* clock_set_rate - from now on the real clock gains rate / 2^32 on the monotonic one.  Context: any. */
void clock_set_rate(s64 rate);
void ntp_clear(void);			/* the real clock was set: what was being slewed is void */
s64 clock_tai_ns(void);			/* TAI - UTC, as told by adjtimex */
extern void (*clock_changed_hook)(void);	/* the real clock's parameters changed: the vDSO page.  Under a spin lock */

/* Who must know when the real clock is set: changed(w) runs in the setter's thread, under a spin lock below LC_POSIX_TIMER. */
struct clock_watch { struct list_head link; void (*changed)(struct clock_watch *w); };
void clock_watch_init(struct clock_watch *w, void (*changed)(struct clock_watch *w));
void clock_watch_add(struct clock_watch *w);	/* again: nothing.  Context: any without locks at or above LC_CLOCK_WATCH */
void clock_watch_remove(struct clock_watch *w);	/* not there: nothing; afterwards changed() runs no more */
