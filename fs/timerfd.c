/* timerfd: expirations that are counted and read.  timerfd_create(2).
 *
 * A periodic timer is armed for one expiry at a time: when it has fired it stands still until somebody reads or looks (gettime), and the
 * periods that passed meanwhile are added then.  So one that nobody reads costs one interrupt, however short its period is.
 *
 * An absolute time of the real clock is kept as such, so it comes when that clock says so, however it is set; with TFD_TIMER_CANCEL_ON_SET the reader is
 * told so instead (ECANCELED). */
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include <fs/file.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <kernel/time/clock.h>
#include <kernel/time/itimer.h>
#include <kernel/time/time.h>
#include <mm/slab.h>
#include <syscall_protos.h>

struct timerfd {
	struct spinlock lock;		/* [l] LC_POSIX_TIMER, interrupts off */
	struct wait_queue wq;
	struct timer timer;
	struct clock_watch watch;	/* while cancel_on_set */
	int clock;			/* [I] */
	enum timer_clock base;		/* [l] what expires_ns is of */
	bool fired;			/* [l] and not yet read: a periodic one stands still */
	bool cancel_on_set, cancelled;	/* [l] */
	u64 expires_ns, period_ns;	/* [l] 0: disarmed, one-shot */
	u64 ticks;			/* [l] expirations to be read */
};

static u64 now_locked(const struct timerfd *t)
{
	return clock_timer_ns(t->base);
}

static void arm_locked(struct timerfd *t)
{
	timer_arm_clock(&t->timer, t->base, t->expires_ns);
}

static void expire(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	irqflags_t flags = spin_lock_irqsave(&t->lock);

	if (t->expires_ns && !t->fired) {
		if (now_locked(t) < t->expires_ns) {
			arm_locked(t);		/* moved meanwhile */
		} else {
			t->fired = true;
			t->ticks++;
			wake_up_all_key(&t->wq, (void *)(u64)EPOLLIN);
		}
	}
	spin_unlock_irqrestore(&t->lock, flags);
}

/* Count what passed since it fired, and go on. */
static void catch_up_locked(struct timerfd *t)
{
	u64 now = now_locked(t), passed;

	if (!t->fired)
		return;
	t->fired = false;
	if (!t->period_ns) {
		t->expires_ns = 0;
		return;
	}
	passed = now > t->expires_ns ? (now - t->expires_ns) / t->period_ns : 0;
	t->ticks += passed;
	t->expires_ns = time_add(t->expires_ns + passed * t->period_ns, t->period_ns);
	arm_locked(t);
}

static void clock_changed(struct clock_watch *w)
{
	struct timerfd *t = container_of(w, struct timerfd, watch);
	irqflags_t flags = spin_lock_irqsave(&t->lock);

	if (t->cancel_on_set) {
		t->cancelled = true;
		t->ticks++;
		wake_up_all_key(&t->wq, (void *)(u64)EPOLLIN);
	}
	spin_unlock_irqrestore(&t->lock, flags);
}

/* What a read takes: >0 expirations, -ECANCELED, or 0 for nothing yet. */
static s64 take(struct timerfd *t)
{
	irqflags_t flags = spin_lock_irqsave(&t->lock);
	s64 n = 0;

	if (t->cancelled) {
		catch_up_locked(t);
		t->cancelled = false;
		t->ticks = 0;
		n = -ECANCELED;
	} else if (t->ticks) {
		catch_up_locked(t);
		n = (s64)t->ticks;
		t->ticks = 0;
	}
	spin_unlock_irqrestore(&t->lock, flags);
	return n;
}

static ssize_t timerfd_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct timerfd *t = f->private;
	s64 n;
	int err;

	(void)pos;
	if (to->count < sizeof(n))
		return -EINVAL;
	n = take(t);
	if (!n) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&t->wq, (n = take(t)));
		if (err)
			return err;
	}
	if (n < 0)
		return n;
	return copy_to_iter(&n, sizeof(n), to) == sizeof(n) ? (ssize_t)sizeof(n) : -EFAULT;
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->private;

	poll_wait(pt, f, &t->wq);
	smp_mb();	/* queued before looking */
	return atomic_load(&t->ticks) ? EPOLLIN : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->private;

	clock_watch_remove(&t->watch);
	spin_lock_irq(&t->lock);
	t->expires_ns = 0;
	spin_unlock_irq(&t->lock);
	timer_cancel_sync(&t->timer);
	kfree(t);
}

static const struct file_ops timerfd_fops = { .read = timerfd_read, .seek = noop_seek, .poll = timerfd_poll, .release = timerfd_release };

long sys_timerfd_create(int clock, u32 flags)
{
	struct timerfd *t;
	struct file *f;
	int fd;

	if (flags & ~(u32)(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) {	/* nothing to wake: this machine never suspends */
		if (!capable(CAP_WAKE_ALARM))
			return -EPERM;
	} else if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME) {
		return -EINVAL;
	}
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	spin_lock_init(&t->lock, LC_POSIX_TIMER);
	wait_queue_init(&t->wq);
	timer_init(&t->timer, expire);
	clock_watch_init(&t->watch, clock_changed);
	t->clock = clock;
	fd = anon_file_create("[timerfd]", &timerfd_fops, t, O_RDWR | (flags & O_NONBLOCK), &f);
	if (fd) {
		kfree(t);
		return fd;
	}
	fd = fd_install_new(f, flags);
	if (fd < 0)
		file_put_now(f);
	return fd;
}

/* The timerfd of that number: 0 and *out, to be put; -EBADF, -EINVAL. */
static int timerfd_get(int fd, struct file **out)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	if (f->ops != &timerfd_fops) {
		file_put(f);
		return -EINVAL;
	}
	*out = f;
	return 0;
}

static void look_locked(struct timerfd *t, u64 *left, u64 *period)
{
	u64 now;

	catch_up_locked(t);
	now = now_locked(t);
	*left = !t->expires_ns ? 0 : t->expires_ns > now ? t->expires_ns - now : 1;
	*period = t->period_ns;
}

/* 0, or -ECANCELED: it is set, but the clock was too since the last read. */
static int setup(struct timerfd *t, u32 flags, u64 first, u64 period, u64 *left, u64 *old_period)
{
	bool absolute = flags & TFD_TIMER_ABSTIME, real_clock = t->clock == CLOCK_REALTIME || t->clock == CLOCK_REALTIME_ALARM;
	bool cancel = absolute && real_clock && (flags & TFD_TIMER_CANCEL_ON_SET), cancelled;

	if (cancel)
		clock_watch_add(&t->watch);
	else
		clock_watch_remove(&t->watch);
	spin_lock_irq(&t->lock);
	look_locked(t, left, old_period);
	cancelled = cancel && t->cancelled;
	t->cancel_on_set = cancel;
	t->cancelled = t->fired = false;
	t->ticks = 0;
	t->base = absolute && real_clock ? TIMER_REAL : TIMER_MONO;
	t->expires_ns = first && !absolute ? time_add(clock_mono_ns(), first) : first;
	t->period_ns = period;
	if (first)
		arm_locked(t);
	else
		timer_cancel(&t->timer);
	spin_unlock_irq(&t->lock);
	return cancelled ? -ECANCELED : 0;
}

long sys_timerfd_settime(int fd, u32 flags, void __user *value, void __user *old)
{
	u64 first, period, left, old_period;
	struct file *f;
	int err = itimerspec_get(value, &first, &period);

	if (err)
		return err;
	if (flags & ~(u32)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	err = timerfd_get(fd, &f);
	if (err)
		return err;
	err = setup(f->private, flags, first, period, &left, &old_period);
	file_put(f);
	if (old && itimerspec_put(old, left, old_period))
		return -EFAULT;
	return err;
}

long sys_timerfd_gettime(int fd, void __user *value)
{
	struct timerfd *t;
	u64 left, period;
	struct file *f;
	int err = timerfd_get(fd, &f);

	if (err)
		return err;
	t = f->private;
	spin_lock_irq(&t->lock);
	look_locked(t, &left, &period);
	spin_unlock_irq(&t->lock);
	file_put(f);
	return itimerspec_put(value, left, period);
}
