/* Arm PL031 real-time clock (DDI 0224): seconds since the epoch.  Read once at boot to set the clock; /dev/rtc0 for hwclock. */
#include <arch/uaccess.h>
#include <drivers/base/fdt.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/time/time.h>
#include <linux/capability.h>
#include <linux/rtc.h>

enum { RTCDR = 0x00, RTCLR = 0x08 };
static volatile void *base;

/* Days to year, month, day and back, by the civil calendar with years that begin in March. */
static void seconds_to_rtc(u64 s, struct rtc_time *t)
{
	s64 days = (s64)(s / 86400), z = days + 719468, era = z / 146097, doe = z % 146097;
	s64 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	s64 year;

	t->tm_sec = (int)(s % 60);
	t->tm_min = (int)(s / 60 % 60);
	t->tm_hour = (int)(s / 3600 % 24);
	t->tm_mday = (int)(doy - (153 * mp + 2) / 5 + 1);
	t->tm_mon = (int)(mp < 10 ? mp + 2 : mp - 10);
	year = yoe + era * 400 + (t->tm_mon <= 1);
	t->tm_year = (int)(year - 1900);
	t->tm_wday = (int)((days + 4) % 7);
	t->tm_yday = (int)(t->tm_mon >= 2 ? doy + 59 + ((year % 4 == 0 && year % 100) || year % 400 == 0) : doy - 306);
	t->tm_isdst = 0;
}

static s64 rtc_to_seconds(const struct rtc_time *t)
{
	s64 y = (s64)t->tm_year + 1900 - (t->tm_mon <= 1), era = y / 400, yoe = y % 400, m = t->tm_mon + 1;
	s64 doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + t->tm_mday - 1, doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return (era * 146097 + doe - 719468) * 86400 + t->tm_hour * 3600 + t->tm_min * 60 + t->tm_sec;
}

static long rtc_ioctl(struct file *file, u32 cmd, u64 arg)
{
	struct rtc_time t;

	(void)file;
	if (!base)
		return -ENODEV;
	switch (cmd) {
	case RTC_RD_TIME:
		seconds_to_rtc(mmio_read32(base, RTCDR), &t);
		return copy_to_user(user_ptr(arg), &t, sizeof(t));
	case RTC_SET_TIME:
		if (!capable(CAP_SYS_TIME))
			return -EPERM;
		if (copy_from_user(&t, user_ptr(arg), sizeof(t)))
			return -EFAULT;
		if (t.tm_year < 70 || t.tm_year > 206 || t.tm_mon < 0 || t.tm_mon > 11 || t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour < 0 ||
		    t.tm_hour > 23 || t.tm_min < 0 || t.tm_min > 59 || t.tm_sec < 0 || t.tm_sec > 59)
			return -EINVAL;
		mmio_write32(base, RTCLR, (u32)rtc_to_seconds(&t));
		return 0;
	default:
		return -ENOTTY;
	}
}

static const struct file_ops rtc_fops = { .ioctl = rtc_ioctl };
CHARDEV(rtc0, .name = "rtc0", .driver = "rtc", .dev = MKDEV_K(252, 0), .count = 1, .mode = 0600, .fops = &rtc_fops);

static int pl031_probe(int node)
{
	u64 addr, size;

	if (base)
		return -ENODEV;
	if (fdt_reg(node, 0, &addr, &size))
		return -EINVAL;
	base = ioremap(addr, size);
	if (!base)
		return -ENOMEM;
	(void)clock_set_real_ns(mmio_read32(base, RTCDR) * NSEC_PER_SEC);
	return 0;
}

static const char *const match[] = { "arm,pl031", NULL };
DRIVER(pl031, .match = match, .probe = pl031_probe, .level = DRIVER_DEVICE);
