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
	*ns = min((u64)ts.tv_sec, 1ul << 33) * NSEC_PER_SEC + (u64)ts.tv_nsec;
	return 0;
}

static int clock_now(int clock, u64 *ns)
{
	switch (clock) {
	case CLOCK_REALTIME: case CLOCK_REALTIME_COARSE:
		*ns = clock_real_ns();
		return 0;
	case CLOCK_TAI:
		*ns = clock_real_ns() + (u64)clock_tai_ns();
		return 0;
	case CLOCK_MONOTONIC: case CLOCK_MONOTONIC_RAW: case CLOCK_MONOTONIC_COARSE: case CLOCK_BOOTTIME:
		*ns = clock_mono_ns();
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

long sys_clock_settime(int clock, void __user *tp)
{
	u64 ns;
	int err = get_ns(tp, &ns);

	if (err)
		return err;
	if (clock != CLOCK_REALTIME)
		return clock < 0 && !cpu_clock_read(clock, &ns) ? -EPERM : -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	clock_set_real_ns(ns);
	ntp_clear();
	return 0;
}

long sys_gettimeofday(void __user *tv, void __user *tz)
{
	u64 ns = clock_real_ns();
	struct timeval t = { .tv_sec = (s64)(ns / NSEC_PER_SEC), .tv_usec = (s64)(ns % NSEC_PER_SEC / 1000) };
	struct timezone z = { 0, 0 };

	if (tv && copy_to_user(tv, &t, sizeof(t)))
		return -EFAULT;
	return tz && copy_to_user(tz, &z, sizeof(z)) ? -EFAULT : 0;
}

long sys_settimeofday(void __user *tv, void __user *tz)
{
	struct timeval t;

	(void)tz;
	if (!tv)
		return 0;
	if (copy_from_user(&t, tv, sizeof(t)))
		return -EFAULT;
	if (t.tv_sec < 0 || (u64)t.tv_usec >= 1000000)
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	clock_set_real_ns((u64)t.tv_sec * NSEC_PER_SEC + (u64)t.tv_usec * 1000);
	ntp_clear();
	return 0;
}

/* Sleep until a monotonic deadline; a signal leaves what is left in *rem (relative sleeps) and a restart block. */
static long sleep_restart(struct restart_block *rb);

/* Sleep until the real clock says so, wherever it is set to meanwhile. */
struct real_sleep { struct clock_watch watch; struct task *task; };

static void real_sleep_changed(struct clock_watch *w)
{
	task_wake_normal(container_of(w, struct real_sleep, watch)->task);
}

static u64 real_to_mono(u64 real_ns)
{
	return (s64)real_ns > clock_real_offset_ns() ? real_ns - (u64)clock_real_offset_ns() : 0;
}

static long sleep_until_real(u64 real_ns)
{
	struct real_sleep s = { .task = current };

	clock_watch_init(&s.watch, real_sleep_changed);
	clock_watch_add(&s.watch);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (clock_real_ns() >= real_ns || signal_pending())
			break;
		schedule_until(real_to_mono(real_ns));
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	clock_watch_remove(&s.watch);
	return clock_real_ns() >= real_ns ? 0 : -ERESTARTNOHAND;
}

static long sleep_until(u64 deadline, void __user *rem, bool relative)
{
	u64 now;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		now = clock_mono_ns();
		if (now >= deadline || signal_pending())
			break;
		schedule_until(deadline);
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	if (now >= deadline)
		return 0;
	if (!relative)
		return -ERESTARTNOHAND;
	if (rem && put_ns(rem, deadline - now))
		return -EFAULT;
	current->restart = (struct restart_block){ sleep_restart, { deadline, (u64)rem } };
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_restart(struct restart_block *rb)
{
	return sleep_until(rb->args[0], user_ptr(rb->args[1]), true);
}

long sys_nanosleep(void __user *req, void __user *rem)
{
	u64 ns;
	int err = get_ns(req, &ns);

	return err ? err : sleep_until(clock_mono_ns() + ns, rem, true);
}

long sys_clock_nanosleep(int clock, int flags, void __user *req, void __user *rem)
{
	u64 ns;
	int err = get_ns(req, &ns);

	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME && clock != CLOCK_TAI)
		return clock == CLOCK_THREAD_CPUTIME_ID ? -EINVAL : clock == CLOCK_PROCESS_CPUTIME_ID ? -EOPNOTSUPP : -EINVAL;
	if (err)
		return err;
	if (!(flags & TIMER_ABSTIME))
		return sleep_until(clock_mono_ns() + ns, rem, true);
	if (clock == CLOCK_REALTIME || clock == CLOCK_TAI)
		return sleep_until_real(clock == CLOCK_TAI ? ns - min(ns, (u64)clock_tai_ns()) : ns);
	return sleep_until(ns, NULL, false);
}
