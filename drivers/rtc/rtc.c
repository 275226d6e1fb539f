/* The real-time clock as programs see it: /dev/rtc0, rtc(4), and /proc/driver/rtc.
 *
 * Theory.  A chip counts seconds and has one alarm, on an exact second.  Two things want it: the alarm that a program sets (AIE), and the
 * change of second (UIE), which is an alarm for the next second, again and again.  Both are kept here as seconds; rtc_look() signals what is
 * due, and sets the chip's alarm for what comes first of the rest.  The chip compares for equality, so after setting it the time is read
 * again: if the second began in between, it looks once more.  The periodic interrupt (PIE) is a timer of the kernel's, as on Linux.
 *
 * Events are gathered in `events` until the one opener reads them: how many interrupts, above the kinds.  All under rtc_lock, which the
 * interrupt handlers take. */
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/rtc.h>
#include <arch/uaccess.h>
#include <drivers/base/kobject.h>
#include <drivers/rtc/calendar.h>
#include <drivers/rtc/rtc.h>
#include <fs/file.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/time.h>

#define MAX_USER_FREQ	64
#define MAX_FREQ	8192
#define FEATURES	(1ul << RTC_FEATURE_ALARM | 1ul << RTC_FEATURE_UPDATE_INTERRUPT)

static const struct rtc_chip *chip;		/* [I] once registered */
static DEFINE_SPINLOCK(rtc_lock, LC_DEVICE);	/* [l] */
static DEFINE_WAIT_QUEUE(readers);
static bool aie, uie, pie;			/* [l] */
static u32 alarm_at, update_at;			/* [l] */
static u64 periodic_hz = 1;			/* [l] */
static u64 events;				/* [l] number of interrupts << 8 | RTC_IRQF | kinds */
static bool opened;				/* [a] */
static void periodic(struct timer *t);
static struct timer periodic_timer = { .func = periodic };

static void event_locked(u64 kind, u64 n)
{
	events = (events + (n << 8)) | RTC_IRQF | kind;
	wake_up_all_key(&readers, (void *)(u64)EPOLLIN);
}

/* Signal what is due by the chip's time, and set its alarm for the next; see above. */
static void rtc_look_locked(void)
{
	u32 now = chip->read(), next;

	do {
		if (aie && alarm_at <= now) {
			aie = false;
			event_locked(RTC_AF, 1);
		}
		if (uie && update_at <= now) {
			update_at = now + 1;
			event_locked(RTC_UF, 1);
		}
		if (!aie && !uie) {
			chip->alarm_off();
			return;
		}
		next = !uie || (aie && alarm_at < update_at) ? alarm_at : update_at;
		chip->alarm(next);
		now = chip->read();
	} while (next <= now);
}

void rtc_alarm_interrupt(void)
{
	irqflags_t flags = spin_lock_irqsave(&rtc_lock);

	rtc_look_locked();
	spin_unlock_irqrestore(&rtc_lock, flags);
}

static void periodic(struct timer *t)
{
	irqflags_t flags = spin_lock_irqsave(&rtc_lock);
	u64 period = NSEC_PER_SEC / periodic_hz, now = clock_mono_ns(), n;

	if (pie) {
		n = now > t->expires_ns ? (now - t->expires_ns) / period + 1 : 1;
		event_locked(RTC_PF, n);
		timer_arm(t, t->expires_ns + n * period);
	}
	spin_unlock_irqrestore(&rtc_lock, flags);
}

/* --- calls */

static void periodic_locked(bool on)
{
	pie = on;
	if (on)
		timer_arm(&periodic_timer, clock_mono_ns() + NSEC_PER_SEC / periodic_hz);
	else
		timer_cancel(&periodic_timer);
}

static long set_frequency(u64 hz)
{
	if (hz > MAX_USER_FREQ && !capable(CAP_SYS_RESOURCE))
		return -EACCES;
	if (!hz || hz > MAX_FREQ)
		return -EINVAL;
	spin_lock_irq(&rtc_lock);
	periodic_hz = hz;
	if (pie)
		periodic_locked(true);
	spin_unlock_irq(&rtc_lock);
	return 0;
}

static long set_alarm(u64 at, bool enabled)
{
	if (at > ~0u)
		return -ERANGE;
	spin_lock_irq(&rtc_lock);
	alarm_at = (u32)at;
	aie = enabled;
	rtc_look_locked();
	spin_unlock_irq(&rtc_lock);
	return 0;
}

/* Only the time of day counts: its next occurrence. */
static long set_alarm_today(struct rtc_time *t)
{
	struct rtc_time today;
	u64 now, then;

	spin_lock_irq(&rtc_lock);
	now = chip->read();
	spin_unlock_irq(&rtc_lock);
	calendar_from_seconds(now, &today);
	t->tm_year = today.tm_year;
	t->tm_mon = today.tm_mon;
	t->tm_mday = today.tm_mday;
	if (!calendar_valid(t))
		return -EINVAL;
	then = calendar_to_seconds(t);
	return set_alarm(then < now ? then + 86400 : then, false);
}

static long set_time(const struct rtc_time *t)
{
	u64 at;

	if (!calendar_valid(t))
		return -EINVAL;
	at = calendar_to_seconds(t);
	if (at > ~0u)
		return -ERANGE;
	spin_lock_irq(&rtc_lock);
	chip->set((u32)at);
	if (uie)
		update_at = (u32)at + 1;
	rtc_look_locked();
	spin_unlock_irq(&rtc_lock);
	return 0;
}

static void enable(bool *which, bool on)
{
	spin_lock_irq(&rtc_lock);
	if (which == &uie && on && !uie)
		update_at = chip->read() + 1;
	if (which == &pie)
		periodic_locked(on);
	*which = on;
	rtc_look_locked();
	spin_unlock_irq(&rtc_lock);
}

static long get(u32 cmd, void __user *arg)
{
	struct rtc_wkalrm w = { 0 };
	u64 hz;

	spin_lock_irq(&rtc_lock);
	w.enabled = aie;
	hz = periodic_hz;
	calendar_from_seconds(cmd == RTC_RD_TIME ? chip->read() : alarm_at, &w.time);
	spin_unlock_irq(&rtc_lock);
	if (cmd == RTC_IRQP_READ)
		return copy_to_user(arg, &hz, sizeof(hz));
	return cmd == RTC_WKALM_RD ? copy_to_user(arg, &w, sizeof(w)) : copy_to_user(arg, &w.time, sizeof(w.time));
}

static long set(u32 cmd, void __user *arg)
{
	struct rtc_wkalrm w;

	if (cmd == RTC_SET_TIME && !capable(CAP_SYS_TIME))
		return -EACCES;
	if (cmd == RTC_WKALM_SET ? copy_from_user(&w, arg, sizeof(w)) : copy_from_user(&w.time, arg, sizeof(w.time)))
		return -EFAULT;
	if (cmd == RTC_SET_TIME)
		return set_time(&w.time);
	if (cmd == RTC_ALM_SET)
		return set_alarm_today(&w.time);
	return calendar_valid(&w.time) ? set_alarm(calendar_to_seconds(&w.time), w.enabled) : -EINVAL;
}

static long parameter(void __user *arg)
{
	struct rtc_param p;

	if (copy_from_user(&p, arg, sizeof(p)))
		return -EFAULT;
	if (p.param != RTC_PARAM_FEATURES || p.index)
		return -EINVAL;
	p.uvalue = FEATURES;
	return copy_to_user(arg, &p, sizeof(p));
}

static long rtc_ioctl(struct file *file, u32 cmd, u64 arg)
{
	(void)file;
	switch (cmd) {
	case RTC_RD_TIME: case RTC_ALM_READ: case RTC_WKALM_RD: case RTC_IRQP_READ:
		return get(cmd, user_ptr(arg));
	case RTC_SET_TIME: case RTC_ALM_SET: case RTC_WKALM_SET:
		return set(cmd, user_ptr(arg));
	case RTC_AIE_ON: case RTC_AIE_OFF:
		enable(&aie, cmd == RTC_AIE_ON);
		return 0;
	case RTC_UIE_ON: case RTC_UIE_OFF:
		enable(&uie, cmd == RTC_UIE_ON);
		return 0;
	case RTC_PIE_ON:
		if (periodic_hz > MAX_USER_FREQ && !capable(CAP_SYS_RESOURCE))
			return -EACCES;
		enable(&pie, true);
		return 0;
	case RTC_PIE_OFF:
		enable(&pie, false);
		return 0;
	case RTC_IRQP_SET:
		return set_frequency(arg);
	case RTC_PARAM_GET:
		return parameter(user_ptr(arg));
	case RTC_PARAM_SET:
		return -EINVAL;
	default:
		return -ENOTTY;
	}
}

static u64 take_events(void)
{
	u64 e;

	spin_lock_irq(&rtc_lock);
	e = events;
	events = 0;
	spin_unlock_irq(&rtc_lock);
	return e;
}

static ssize_t rtc_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	size_t size = to->count == sizeof(u32) ? sizeof(u32) : sizeof(u64);
	u64 e;
	int err;

	(void)pos;
	if (to->count < size)
		return -EINVAL;
	e = take_events();
	if (!e && (file->flags & O_NONBLOCK))
		return -EAGAIN;
	err = e ? 0 : wait_event_interruptible(&readers, (e = take_events()));
	if (err)
		return err;
	return copy_to_iter(&e, size, to) == size ? (ssize_t)size : -EFAULT;	/* little-endian: the low half is the short one */
}

static u32 rtc_poll(struct file *file, struct poll_table *pt)
{
	poll_wait(pt, file, &readers);
	smp_mb();	/* queued before looking */
	return atomic_load(&events) ? EPOLLIN | EPOLLRDNORM : 0;
}

static int rtc_open(struct inode *inode, struct file *file)
{
	(void)inode;
	if (!chip)
		return -ENODEV;
	if (atomic_xchg(&opened, true))
		return -EBUSY;
	file->mode |= FMODE_STREAM;
	(void)take_events();
	return 0;
}

static void rtc_release(struct file *file)
{
	(void)file;
	enable(&uie, false);
	enable(&pie, false);
	timer_cancel_sync(&periodic_timer);
	atomic_store_release(&opened, false);
}

static const struct file_ops rtc_fops = {
	.open = rtc_open, .release = rtc_release, .read = rtc_read, .poll = rtc_poll, .ioctl = rtc_ioctl,
};
/* --- /sys/class/rtc/rtc0 */

static u32 read_chip(void)
{
	u32 now;

	spin_lock_irq(&rtc_lock);
	now = chip->read();
	spin_unlock_irq(&rtc_lock);
	return now;
}

static int name_show(struct seq *s, void *object) { (void)object; seq_printf(s, "%s\n", chip->name); return 0; }
static int since_epoch_show(struct seq *s, void *object) { (void)object; seq_printf(s, "%u\n", read_chip()); return 0; }
static int hctosys_show(struct seq *s, void *object) { (void)object; seq_puts(s, "1\n"); return 0; }
static int max_user_freq_show(struct seq *s, void *object) { (void)object; seq_printf(s, "%d\n", MAX_USER_FREQ); return 0; }

static int date_show(struct seq *s, void *object)
{
	struct rtc_time t;

	(void)object;
	calendar_from_seconds(read_chip(), &t);
	seq_printf(s, "%04d-%02d-%02d\n", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday);
	return 0;
}

static int time_show(struct seq *s, void *object)
{
	struct rtc_time t;

	(void)object;
	calendar_from_seconds(read_chip(), &t);
	seq_printf(s, "%02d:%02d:%02d\n", t.tm_hour, t.tm_min, t.tm_sec);
	return 0;
}

static const struct attr rtc_attrs[] = {
	{ .name = "name", .show = name_show }, { .name = "date", .show = date_show }, { .name = "time", .show = time_show },
	{ .name = "since_epoch", .show = since_epoch_show }, { .name = "hctosys", .show = hctosys_show },
	{ .name = "max_user_freq", .show = max_user_freq_show }, { 0 },
};
static const struct attr_group rtc_group = { .attrs = rtc_attrs };
static const struct attr_group *const rtc_groups[] = { &rtc_group, NULL };
CHARDEV(rtc0, .name = "rtc0", .driver = "rtc", .class = "rtc", .on = "pl031", .groups = rtc_groups,
	.dev = MKDEV_K(254, 0), .count = 1, .mode = 0600, .fops = &rtc_fops);

static void show_time(struct seq *s, const char *what, const struct rtc_time *t)
{
	seq_printf(s, "%s_time\t: %02d:%02d:%02d\n%s_date\t: %04d-%02d-%02d\n", what, t->tm_hour, t->tm_min, t->tm_sec, what,
		   t->tm_year + 1900, t->tm_mon + 1, t->tm_mday);
}

static int rtc_show(struct seq *s, void *arg)
{
	struct rtc_time now, at;
	bool a, u, p;
	u64 hz;

	(void)arg;
	if (!chip)
		return 0;
	spin_lock_irq(&rtc_lock);
	calendar_from_seconds(chip->read(), &now);
	calendar_from_seconds(alarm_at, &at);
	a = aie;
	u = uie;
	p = pie;
	hz = periodic_hz;
	spin_unlock_irq(&rtc_lock);
	show_time(s, "rtc", &now);
	show_time(s, "alrm", &at);
	seq_printf(s, "alarm_IRQ\t: %s\nalrm_pending\t: no\nupdate IRQ enabled\t: %s\n", a ? "yes" : "no", u ? "yes" : "no");
	seq_printf(s, "periodic IRQ enabled\t: %s\nperiodic IRQ frequency\t: %lu\nmax user IRQ frequency\t: %d\n24hr\t\t: yes\n", p ? "yes" : "no",
		   hz, MAX_USER_FREQ);
	return 0;
}
PROC_FILE(driver_rtc, .path = "driver/rtc", .mode = 0444, .show = rtc_show);

int rtc_register(const struct rtc_chip *c)
{
	struct rtc_time t;
	u32 now;

	if (chip)
		return -EBUSY;
	chip = c;
	now = c->read();
	(void)clock_set_real_ns(now * NSEC_PER_SEC);
	calendar_from_seconds(now, &t);
	pr_info("rtc: %s, %04d-%02d-%02d %02d:%02d:%02d UTC\n", c->name, t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
	return 0;
}
