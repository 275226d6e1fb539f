/* Waiting until an absolute time by a clock that may be set meanwhile (futex, message queues). */
#pragma once
#include <kernel/time/time.h>

struct task;

/* Until when to wait, by which clock; TIME_NEVER: for ever, and the rest is not used.  On the stack of who waits. */
struct wake_timer { u64 ns; enum timer_clock clock; struct task *task; struct timer timer; };

/* wake_timer_begin - for current, until ns.  wake_timer_end - it is over: nobody is woken any more.
 * wake_timer_sleep - sleep once, the state having been set to TASK_INTERRUPTIBLE before the condition was looked at.  0: look again (the state
 * is set again); or why not to wait: -ERESTARTSYS, -ETIMEDOUT.  Context: thread, no lock. */
void wake_timer_begin(struct wake_timer *w, u64 ns, enum timer_clock clock);
void wake_timer_end(struct wake_timer *w);
int wake_timer_sleep(struct wake_timer *w);
