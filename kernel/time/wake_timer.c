/* Waiting until an absolute time.  The timer is armed when the wait first has to sleep, so a call that does not wait pays nothing for it. */
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/task.h>
#include <kernel/time/clock.h>
#include <kernel/time/wake_timer.h>

static void time_is_up(struct timer *t)
{
	task_wake_normal(container_of(t, struct wake_timer, timer)->task);
}

void wake_timer_begin(struct wake_timer *w, u64 ns, enum timer_clock clock)
{
	w->ns = ns;
	if (ns == TIME_NEVER)
		return;
	w->clock = clock;
	w->task = current;
	timer_init(&w->timer, time_is_up);
}

void wake_timer_end(struct wake_timer *w)
{
	if (w->ns != TIME_NEVER)
		timer_cancel_sync(&w->timer);
}

int wake_timer_sleep(struct wake_timer *w)
{
	if (signal_pending())
		return -ERESTARTSYS;
	if (w->ns != TIME_NEVER) {
		if (clock_timer_ns(w->clock) >= w->ns)
			return -ETIMEDOUT;
		/* The first time; or it fired for nothing, and the clock was set back since.  Another CPU may be taking it off its tree just
		 * now, under the base's lock: seen as armed, its handler runs after this look, and wakes us, whose state is set already. */
		if (!READ_ONCE(w->timer.armed))
			timer_arm_clock(&w->timer, w->clock, w->ns);
	}
	schedule();
	set_current_state(TASK_INTERRUPTIBLE);
	return 0;
}
