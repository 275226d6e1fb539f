/* /dev/rtc0: the hardware clock, its alarm and its interrupts.  Nothing here asks how long anything took. */
#include "../tap.h"
#include <linux/rtc.h>

#define ALARM	(RTC_AF | RTC_IRQF)
static int rtc_open(void)
{
	if (geteuid()) SKIP("needs root");
	int fd = open("/dev/rtc0", O_RDONLY);
	if (fd < 0 && errno == ENOENT) SKIP("no RTC");
	CHECK(fd >= 0);
	return fd;
}

static time_t seconds(const struct rtc_time *t)
{
	struct tm tm = { .tm_sec = t->tm_sec, .tm_min = t->tm_min, .tm_hour = t->tm_hour, .tm_mday = t->tm_mday, .tm_mon = t->tm_mon, .tm_year = t->tm_year };
	return timegm(&tm);
}

static struct rtc_time split(time_t s)
{
	struct tm tm;
	gmtime_r(&s, &tm);
	return (struct rtc_time){ .tm_sec = tm.tm_sec, .tm_min = tm.tm_min, .tm_hour = tm.tm_hour, .tm_mday = tm.tm_mday, .tm_mon = tm.tm_mon, .tm_year = tm.tm_year };
}

static time_t now(int fd)
{
	struct rtc_time t;
	CHECK(ioctl(fd, RTC_RD_TIME, &t) == 0);
	return seconds(&t);
}

TEST(tells_the_time)
{
	int fd = rtc_open();
	struct rtc_time t;
	CHECK(ioctl(fd, RTC_RD_TIME, &t) == 0);
	struct tm tm;
	time_t s = seconds(&t);
	gmtime_r(&s, &tm);
	CHECK(t.tm_wday == tm.tm_wday && t.tm_isdst == 0);
	CHECK_EQ(t.tm_yday, tm.tm_yday + 1);
	CHECK(t.tm_year > 120);
	CHECK_ERR(open("/dev/rtc0", O_RDONLY), EBUSY);
	CHECK(close(fd) == 0);
	fd = rtc_open();
	CHECK_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
}

TEST(can_be_set)
{
	int fd = rtc_open();
	struct timespec before, after;
	time_t was = now(fd);
	clock_gettime(CLOCK_REALTIME, &before);
	static const time_t at[] = { 951782399, 951782400, 1709251199, 1709251200, 2000000000, 4107542400 };	/* about leap days */
	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct rtc_time t = split(at[i]);
		CHECK(ioctl(fd, RTC_SET_TIME, &t) == 0);
		time_t told = now(fd);
		CHECK(told >= at[i] && told < at[i] + 15);
	}
	struct rtc_time t = split(was);
	CHECK(ioctl(fd, RTC_SET_TIME, &t) == 0);
	clock_gettime(CLOCK_REALTIME, &after);
	CHECK(after.tv_sec - before.tv_sec < 15);	/* the system's clock is another */
}

TEST(bad_times)
{
	int fd = rtc_open();
	struct rtc_time good = split(1700000000), t;
#define BAD(field, value) t = good; t.field = value; CHECK_ERR(ioctl(fd, RTC_SET_TIME, &t), EINVAL)
	BAD(tm_sec, 60); BAD(tm_sec, -1); BAD(tm_min, 60); BAD(tm_hour, 24); BAD(tm_mday, 0); BAD(tm_mday, 31); BAD(tm_mon, 12); BAD(tm_mon, -1);
	BAD(tm_year, 69);
	t = (struct rtc_time){ .tm_year = 125, .tm_mon = 1, .tm_mday = 29 };
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, &t), EINVAL);
	t = (struct rtc_time){ .tm_year = 300, .tm_mon = 1, .tm_mday = 1 };
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, &t), ERANGE);
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, NULL), EFAULT);
	CHECK_ERR(ioctl(fd, RTC_RD_TIME, NULL), EFAULT);
	CHECK_ERR(ioctl(fd, RTC_ALM_SET, NULL), EFAULT);
	t = good; t.tm_sec = 61;
	CHECK_ERR(ioctl(fd, RTC_ALM_SET, &t), EINVAL);
	CHECK_ERR(ioctl(fd, RTC_EPOCH_READ, &t), ENOTTY);
	CHECK_ERR(ioctl(fd, RTC_WIE_ON, 0), ENOTTY);
	CHECK_ERR(ioctl(fd, 0x1234, &t), ENOTTY);
	CHECK(setresuid(5601, 5601, 5601) == 0);
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, &good), EACCES);
}

TEST(alarm_wakes_a_reader)
{
	int fd = rtc_open();
	unsigned long e = 0;
	struct rtc_time t = split(now(fd) + 2);
	CHECK(ioctl(fd, RTC_ALM_SET, &t) == 0);
	CHECK(ioctl(fd, RTC_AIE_ON, 0) == 0);
	struct rtc_wkalrm w;
	CHECK(ioctl(fd, RTC_WKALM_RD, &w) == 0);
	CHECK(w.enabled == 1 && seconds(&w.time) == seconds(&t));
	CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
	CHECK_EQ(e, 1 << 8 | ALARM);
	CHECK(now(fd) >= seconds(&t));
	CHECK(ioctl(fd, RTC_WKALM_RD, &w) == 0 && !w.enabled);	/* once */
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	CHECK_ERR(read(fd, &e, sizeof(e)), EAGAIN);
	CHECK_ERR(read(fd, &e, 2), EINVAL);
	CHECK_ERR(read(fd, &e, 7), EINVAL);
}

TEST(alarm_wakes_poll)
{
	int fd = rtc_open();
	unsigned e = 0;
	struct pollfd p = { fd, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 0), 0);
	struct rtc_wkalrm w = { .enabled = 1, .time = split(now(fd) + 1) };
	CHECK(ioctl(fd, RTC_WKALM_SET, &w) == 0);
	CHECK(poll(&p, 1, -1) == 1 && (p.revents & POLLIN));
	CHECK_EQ(read(fd, &e, 4), 4);
	CHECK_EQ(e, 1 << 8 | ALARM);
	CHECK_EQ(poll(&p, 1, 0), 0);
}

TEST(alarm_in_the_past_comes_at_once)
{
	int fd = rtc_open();
	unsigned long e;
	struct rtc_wkalrm w = { .enabled = 1, .time = split(now(fd) - 1000) };
	CHECK(ioctl(fd, RTC_WKALM_SET, &w) == 0);
	CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
	CHECK_EQ(e & 0xff, ALARM);
}

TEST(an_hour_that_is_over_means_tomorrow)
{
	int fd = rtc_open();
	time_t at = now(fd);
	struct rtc_time t = split(at - 3600), a;
	CHECK(ioctl(fd, RTC_ALM_SET, &t) == 0);
	CHECK(ioctl(fd, RTC_ALM_READ, &a) == 0);
	CHECK(seconds(&a) > at && seconds(&a) <= at + 86400);
	CHECK(a.tm_hour == t.tm_hour && a.tm_min == t.tm_min && a.tm_sec == t.tm_sec);
}

TEST(an_alarm_turned_off_is_silent)
{
	int fd = rtc_open();
	struct rtc_wkalrm w = { .enabled = 1, .time = split(now(fd) + 1) };
	struct pollfd p = { fd, POLLIN, 0 };
	CHECK(ioctl(fd, RTC_WKALM_SET, &w) == 0);
	CHECK(ioctl(fd, RTC_AIE_OFF, 0) == 0);
	CHECK_EQ(poll(&p, 1, 2200), 0);
	CHECK(ioctl(fd, RTC_WKALM_RD, &w) == 0 && !w.enabled);
}

TEST(each_second)
{
	int fd = rtc_open();
	unsigned long e, n = 0;
	CHECK(ioctl(fd, RTC_UIE_ON, 0) == 0);
	time_t last = now(fd);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
		CHECK_EQ(e & 0xff, RTC_UF | RTC_IRQF);
		n += e >> 8;
		CHECK(now(fd) > last);
	}
	CHECK(n >= 3);
	CHECK(ioctl(fd, RTC_UIE_OFF, 0) == 0);
}

TEST(periodic)
{
	int fd = rtc_open();
	unsigned long e, n = 0, hz = 0;
	CHECK(ioctl(fd, RTC_IRQP_READ, &hz) == 0 && hz >= 1);
	CHECK_ERR(ioctl(fd, RTC_IRQP_SET, 0), EINVAL);
	CHECK_ERR(ioctl(fd, RTC_IRQP_SET, 100000), EINVAL);
	CHECK(ioctl(fd, RTC_IRQP_SET, 64) == 0);
	CHECK(ioctl(fd, RTC_IRQP_READ, &hz) == 0 && hz == 64);
	CHECK(ioctl(fd, RTC_PIE_ON, 0) == 0);
	while (n < 10) {
		CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
		CHECK_EQ(e & 0xff, RTC_PF | RTC_IRQF);
		n += e >> 8;
	}
	CHECK(ioctl(fd, RTC_PIE_OFF, 0) == 0);
	CHECK(ioctl(fd, RTC_IRQP_SET, 1) == 0);
	CHECK(setresuid(5601, 5601, 5601) == 0);
	CHECK_ERR(ioctl(fd, RTC_IRQP_SET, 128), EACCES);
}

TEST(proc_file)
{
	char buf[1024];
	int fd = rtc_open();
	struct rtc_time t;
	CHECK(ioctl(fd, RTC_RD_TIME, &t) == 0);
	CHECK(read_file("/proc/driver/rtc", buf, sizeof(buf)) > 0);
	int y, m, d;
	char *p = strstr(buf, "rtc_date\t: ");
	CHECK(!strncmp(buf, "rtc_time\t: ", 11) && p && sscanf(p + 11, "%d-%d-%d", &y, &m, &d) == 3);
	CHECK(y == t.tm_year + 1900 && m == t.tm_mon + 1);
	CHECK(strstr(buf, "\nalarm_IRQ\t: ") && strstr(buf, "\n24hr\t\t: yes\n") && strstr(buf, "\nmax user IRQ frequency\t: 64\n"));
}
