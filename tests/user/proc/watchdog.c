/* The watchdogs' numbers under /proc/sys/kernel: defaults, bounds, who may. */
#include "tap.h"

static long value(const char *name)
{
	char path[128], b[64];

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	CHECK(read_file(path, b, sizeof(b)) > 0);
	return atol(b);
}

static int set(const char *name, const char *s)
{
	char path[128];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return errno;
	err = write(fd, s, strlen(s)) == (ssize_t)strlen(s) ? 0 : errno;
	close(fd);
	return err;
}

static const struct { const char *name; long value; const char *below, *above; } numbers[] = {
	{ "watchdog", 1, "-1", "2" }, { "soft_watchdog", 1, "-1", "2" }, { "watchdog_thresh", 10, "-1", "61" },
	{ "softlockup_panic", 0, "-1", "2" }, { "softlockup_all_cpu_backtrace", 0, "-1", "2" },
	{ "hung_task_timeout_secs", 120, "-1", "9223372036854775807" }, { "hung_task_warnings", 10, "-2", "2147483648" },
	{ "hung_task_panic", 0, "-1", "2" },
};
#define EACH(i) (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)

TEST(defaults)
{
	for EACH(i) {
		printf("# %s\n", numbers[i].name);
		CHECK_EQ(value(numbers[i].name), numbers[i].value);
	}
}

TEST(bounds)
{
	for EACH(i) {
		printf("# %s\n", numbers[i].name);
		CHECK_EQ(set(numbers[i].name, numbers[i].below), EINVAL);
		CHECK_EQ(set(numbers[i].name, numbers[i].above), EINVAL);
		CHECK_EQ(value(numbers[i].name), numbers[i].value);
	}
}

TEST(they_can_be_changed)
{
	CHECK_EQ(set("watchdog_thresh", "60\n"), 0);
	CHECK_EQ(value("watchdog_thresh"), 60);
	CHECK_EQ(set("watchdog_thresh", "10\n"), 0);
	CHECK_EQ(set("hung_task_timeout_secs", "0\n"), 0);
	CHECK_EQ(value("hung_task_timeout_secs"), 0);
	CHECK_EQ(set("hung_task_timeout_secs", "120\n"), 0);
	CHECK_EQ(set("hung_task_warnings", "-1\n"), 0);
	CHECK_EQ(value("hung_task_warnings"), -1);
	CHECK_EQ(set("hung_task_warnings", "10\n"), 0);
}

TEST(others_may_not)
{
	CHECK_EQ(setuid(1000), 0);
	for EACH(i)
		CHECK_EQ(set(numbers[i].name, "1"), EACCES);
}
