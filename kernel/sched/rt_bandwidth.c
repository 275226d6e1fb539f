/* How much of a CPU real-time tasks may have: sched_rt_runtime_us of each sched_rt_period_us, so that one that never sleeps leaves the
 * rest of the machine alive.
 *
 * Theory.  A period begins when a real-time task is switched to and none is under way; the queue's rt_timer is armed then, for the moment
 * at which the share can be used up at the earliest.  When it fires, either the share is used up: real-time tasks are not chosen while a
 * fair one waits, until the period ends (pick_next, should_preempt); or the timer is armed for the next such moment.  At the end
 * of the period all is forgiven, and if no real-time task is there any more the timer stays off.  So one timer interrupt or two a second,
 * only on CPUs where real-time tasks run.
 *
 * If nobody else wants the CPU, real-time tasks keep it, throttled or not: Linux before 6.8 leaves it idle instead.  The kernel's own
 * threads (RT_KERNEL_PRIO) are neither counted nor held back. */
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <kernel/sched/sched_internal.h>
#include <kernel/sysctl.h>
#include <kernel/time/clock.h>

static s64 runtime_us = 950000, period_us = 1000000;	/* [a] */
#define RR_DEFAULT_MS 100
static s64 rr_ms = RR_DEFAULT_MS;
s64 sched_rr_ns = RR_DEFAULT_MS * (s64)NSEC_PER_MSEC;

static u64 period_ns(void) { return (u64)READ_ONCE(period_us) * NSEC_PER_USEC; }

/* TIME_NEVER: no limit. */
static u64 runtime_ns(void)
{
	s64 us = READ_ONCE(runtime_us);

	return us < 0 || us >= READ_ONCE(period_us) ? TIME_NEVER : (u64)us * NSEC_PER_USEC;
}

void rt_period_begin(struct rq *rq, u64 now)
{
	if (runtime_ns() == TIME_NEVER) {
		rq->rt_throttled = false;
		return;
	}
	rq->rt_period_start = now;
	rq->rt_time = 0;
	timer_arm(&rq->rt_timer, now + min(runtime_ns(), period_ns()));
}

static bool rt_here(const struct rq *rq)
{
	return task_is_rt(rq->curr) || rt_top_prio(rq) > 0;
}

void rt_timer_fired(struct timer *timer)
{
	static bool said;
	struct rq *rq = container_of(timer, struct rq, rt_timer);
	u64 now = clock_mono_ns(), limit = runtime_ns(), end;

	spin_lock(&rq->lock);
	update_curr(rq, now);
	end = rq->rt_period_start + period_ns();
	if (now >= end || limit == TIME_NEVER) {
		if (rq->rt_throttled)
			resched_curr(rq);
		rq->rt_throttled = false;
		if (rt_here(rq))
			rt_period_begin(rq, now);
	} else if (rq->rt_time >= limit) {
		rq->rt_throttled = true;
		resched_curr(rq);
		timer_arm(timer, end);
		if (!said)
			pr_warn("sched: RT throttling activated\n");
		said = true;
	} else {
		timer_arm(timer, min(now + limit - rq->rt_time, end));
	}
	spin_unlock(&rq->lock);
}

/* New limits hold for periods that begin from now on; where none is under way, one begins. */
static int limits_changed(void)
{
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		if (atomic_load(&cpu_online_mask) & BIT(cpu))
			sched_resched_cpu(cpu);
	return 0;
}

static int limit_write(const char *buf, size_t len, s64 *value, s64 min)
{
	s64 v, old = READ_ONCE(*value);
	const struct sysctl ctl = { &v, min, 0x7fffffff };
	int err = sysctl_write(buf, len, (void *)&ctl);

	if (err)
		return err;
	WRITE_ONCE(*value, v);
	if (READ_ONCE(runtime_us) > READ_ONCE(period_us)) {
		WRITE_ONCE(*value, old);
		return -EINVAL;
	}
	return limits_changed();
}

static int number_show(struct seq *s, void *arg)
{
	seq_printf(s, "%ld\n", READ_ONCE(*(s64 *)arg));
	return 0;
}
static int runtime_write(const char *buf, size_t len, void *arg) { return limit_write(buf, len, arg, -1); }
static int period_write(const char *buf, size_t len, void *arg) { return limit_write(buf, len, arg, 1); }
PROC_FILE(sched_rt_runtime, .path = "sys/kernel/sched_rt_runtime_us", .mode = 0644, .show = number_show, .write = runtime_write, .arg = &runtime_us);
PROC_FILE(sched_rt_period, .path = "sys/kernel/sched_rt_period_us", .mode = 0644, .show = number_show, .write = period_write, .arg = &period_us);

/* 0 or less: back to what it was at first. */
static int rr_write(const char *buf, size_t len, void *arg)
{
	const struct sysctl ctl = { arg, -0x7fffffff, 0x7fffffff };
	int err = sysctl_write(buf, len, (void *)&ctl);

	if (!err && READ_ONCE(rr_ms) <= 0)
		WRITE_ONCE(rr_ms, RR_DEFAULT_MS);
	WRITE_ONCE(sched_rr_ns, rr_ms * (s64)NSEC_PER_MSEC);
	return err;
}
PROC_FILE(sched_rr, .path = "sys/kernel/sched_rr_timeslice_ms", .mode = 0644, .show = number_show, .write = rr_write, .arg = &rr_ms);
