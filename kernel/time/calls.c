/* Clock calls and sleeping.  clock_gettime(2), nanosleep(2), clock_nanosleep(2), gettimeofday(2). */
#include <linux/capability.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <kernel/time/clock.h>
#include <kernel/time/itimer.h>
#include <kernel/time/time.h>
#include <syscall_protos.h>

typedef struct __kernel_timespec user_timespec;

static int put_ns(void __user *p, u64 ns)
{
	user_timespec ts = { .tv_sec = (s64)(ns / NSEC_PER_SEC), .tv_nsec = (s64)(ns % NSEC_PER_SEC) };

	return copy_to_user(p, &ts, sizeof(ts));
}

static int get_ns(const void __user *p, u64 *ns)
{
	user_timespec ts;

	if (copy_from_user(&ts, p, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ns = timespec_ns(&ts);
	return 0;
}

static int clock_now(int clock, u64 *ns)
{
	switch (clock) {
	case CLOCK_REALTIME: case CLOCK_REALTIME_COARSE: case CLOCK_REALTIME_ALARM:
		*ns = clock_timer_ns(TIMER_REAL);
		return 0;
	case CLOCK_TAI:
		*ns = clock_timer_ns(TIMER_TAI);
		return 0;
	case CLOCK_MONOTONIC: case CLOCK_MONOTONIC_COARSE: case CLOCK_BOOTTIME: case CLOCK_BOOTTIME_ALARM:
		*ns = clock_timer_ns(TIMER_MONO);
		return 0;
	case CLOCK_MONOTONIC_RAW:
		*ns = clock_raw_ns();
		return 0;
	default:
		return cpu_clock_read(clock, ns);
	}
}

long sys_clock_gettime(int clock, void __user *tp)
{
	u64 ns;
	int err = clock_now(clock, &ns);

	return err ? err : put_ns(tp, ns);
}

long sys_clock_getres(int clock, void __user *res)
{
	u64 ns;
	int err = clock_now(clock, &ns);

	if (err)
		return err;
	return res ? put_ns(res, clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE ? 4000000 : 1) : 0;
}

/* Whoever sets the clock by hand also ends what adjtimex was slewing. */
static long set_clock(u64 ns)
{
	int err;

	if (!capable(CAP_SYS_TIME))
		return ns >= CLOCK_REAL_MAX_NS ? -EINVAL : -EPERM;
	err = clock_set_real_ns(ns);
	if (!err)
		ntp_clear();
	return err;
}

long sys_clock_settime(int clock, void __user *tp)
{
	u64 ns;
	int err;

	if (clock >= 0 && clock != CLOCK_REALTIME)
		return -EINVAL;
	err = get_ns(tp, &ns);
	if (err)
		return err;
	if (clock < 0)
		return cpu_clock_read(clock, &ns) ? -EINVAL : -EPERM;
	return set_clock(ns);
}

/* What settimeofday was told about the zone; the kernel does nothing with it, but for the first time (see there). */
static struct timezone zone;			/* racily read and written, as on Linux */
static bool zone_told;				/* [a] */

long sys_gettimeofday(void __user *tv, void __user *tz)
{
	u64 ns = clock_timer_ns(TIMER_REAL);
	struct timeval t = { .tv_sec = (s64)(ns / NSEC_PER_SEC), .tv_usec = (s64)(ns % NSEC_PER_SEC / 1000) };
	struct timezone z = { READ_ONCE(zone.tz_minuteswest), READ_ONCE(zone.tz_dsttime) };

	if (tv && copy_to_user(tv, &t, sizeof(t)))
		return -EFAULT;
	return tz && copy_to_user(tz, &z, sizeof(z)) ? -EFAULT : 0;
}

/* The first call that tells a zone and no time means that the hardware clock keeps local time: the real clock is moved to UTC. */
static int set_zone(const struct timezone *z, bool alone)
{
	WRITE_ONCE(zone.tz_minuteswest, z->tz_minuteswest);
	WRITE_ONCE(zone.tz_dsttime, z->tz_dsttime);
	if (atomic_xchg(&zone_told, true) || !alone || !z->tz_minuteswest)
		return 0;
	return clock_add_real_ns(z->tz_minuteswest * 60 * (s64)NSEC_PER_SEC);
}

long sys_settimeofday(void __user *tv, void __user *tz)
{
	struct timeval t = { 0 };
	struct timezone z = { 0 };
	u64 ns = 0;
	int err;

	if (tv) {
		if (copy_from_user(&t, tv, sizeof(t)))
			return -EFAULT;
		if (t.tv_sec < 0 || (u64)t.tv_usec > 1000000)
			return -EINVAL;
		ns = min((u64)t.tv_sec, TIME_MAX_NS / NSEC_PER_SEC - 1) * NSEC_PER_SEC + (u64)t.tv_usec * 1000;
	}
	if (tz && copy_from_user(&z, tz, sizeof(z)))
		return -EFAULT;
	if (tv && (t.tv_usec == 1000000 || ns >= CLOCK_REAL_MAX_NS))
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (tz) {
		if (z.tz_minuteswest > 15 * 60 || z.tz_minuteswest < -15 * 60)
			return -EINVAL;
		err = set_zone(&z, !tv);
		if (err)
			return err;
	}
	return tv ? set_clock(ns) : 0;
}

/* --- sleeping */

static long sleep_restart(struct restart_block *rb);
struct sleeper { struct timer timer; struct task *task; };

static void sleep_over(struct timer *t)
{
	task_wake_normal(container_of(t, struct sleeper, timer)->task);
}

/* Until that clock says deadline, wherever it is set to meanwhile, or a signal comes.  true: it does. */
static bool sleep_on(enum timer_clock clock, u64 deadline)
{
	struct sleeper s = { .task = current };
	bool over;

	timer_init(&s.timer, sleep_over);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		over = clock_timer_ns(clock) >= deadline;
		if (over || signal_pending())
			break;
		if (!READ_ONCE(s.timer.armed))	/* as in wake_timer_sleep: the first time, or it fired for nothing */
			timer_arm_clock(&s.timer, clock, deadline);
		schedule();
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	timer_cancel_sync(&s.timer);
	return over;
}

/* Sleep until a monotonic deadline; a signal leaves what is left in *rem and a restart block. */
static long sleep_relative(u64 deadline, void __user *rem)
{
	u64 now;

	if (sleep_on(TIMER_MONO, deadline))
		return 0;
	now = clock_timer_ns(TIMER_MONO);
	if (now >= deadline)
		return 0;
	if (rem && put_ns(rem, deadline - now))
		return -EFAULT;
	current->restart = (struct restart_block){ sleep_restart, { deadline, (u64)rem } };
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_restart(struct restart_block *rb)
{
	return sleep_relative(rb->args[0], user_ptr(rb->args[1]));
}

long sys_nanosleep(void __user *req, void __user *rem)
{
	u64 ns;
	int err = get_ns(req, &ns);

	return err ? err : sleep_relative(time_add(clock_mono_ns(), ns), rem);
}

/* The clocks one can sleep on.  -EINVAL: none such; -EOPNOTSUPP: that one not. */
static int sleep_clock(int clock, enum timer_clock *tc)
{
	switch (clock) {
	case CLOCK_REALTIME: case CLOCK_REALTIME_ALARM:
		*tc = TIMER_REAL;
		break;
	case CLOCK_MONOTONIC: case CLOCK_BOOTTIME: case CLOCK_BOOTTIME_ALARM:
		*tc = TIMER_MONO;
		break;
	case CLOCK_TAI:
		*tc = TIMER_TAI;
		break;
	case CLOCK_MONOTONIC_RAW: case CLOCK_MONOTONIC_COARSE: case CLOCK_REALTIME_COARSE:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
	return clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM ? capable(CAP_WAKE_ALARM) ? 0 : -EPERM : 0;
}

static long cpu_sleep_restart(struct restart_block *rb);

static long cpu_sleep(int clock, u64 ns, bool absolute, void __user *rem)
{
	u64 left;
	int err = cpu_clock_sleep(clock, &ns, absolute, &left);

	if (err != -EINTR)
		return err;
	if (absolute && !rem)
		return -ERESTARTNOHAND;
	if (rem && put_ns(rem, left))
		return -EFAULT;
	current->restart = (struct restart_block){ cpu_sleep_restart, { (u64)(u32)clock, ns, (u64)rem } };
	return -ERESTART_RESTARTBLOCK;
}

static long cpu_sleep_restart(struct restart_block *rb)
{
	u64 ns = rb->args[1], left;
	int clock = (int)rb->args[0], err = cpu_clock_sleep(clock, &ns, true, &left);
	void __user *rem = user_ptr(rb->args[2]);

	if (err != -EINTR)
		return err;
	if (rem && put_ns(rem, left))
		return -EFAULT;
	current->restart = (struct restart_block){ cpu_sleep_restart, { (u64)(u32)clock, ns, (u64)rem } };
	return -ERESTART_RESTARTBLOCK;
}

long sys_clock_nanosleep(int clock, int flags, void __user *req, void __user *rem)
{
	enum timer_clock tc;
	u64 ns;
	int err = sleep_clock(clock, &tc), bad = err ? 0 : get_ns(req, &ns);

	if (err == -EINVAL && clock != CLOCK_THREAD_CPUTIME_ID && !cpu_clock_read(clock, &ns)) {
		err = get_ns(req, &ns);
		return err ? err : cpu_sleep(clock, ns, flags & TIMER_ABSTIME, flags & TIMER_ABSTIME ? NULL : rem);
	}
	if (err || bad)
		return err ? err : bad;
	if (!(flags & TIMER_ABSTIME))
		return sleep_relative(time_add(clock_mono_ns(), ns), rem);
	return sleep_on(tc, ns) ? 0 : -ERESTARTNOHAND;
}
