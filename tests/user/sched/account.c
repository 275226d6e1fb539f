/* Who used the CPU, how, and who waited for it: /proc/stat, /proc/<pid>/schedstat, switches, pressure. */
#include "tap.h"

static void pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
}

/* Column n of CPU 0's line, from 0 (user) on. */
static unsigned long cpu0(int n)
{
	char buf[8192], *p;

	CHECK(read_file("/proc/stat", buf, sizeof(buf)) > 0);
	p = strstr(buf, "cpu0 ");
	CHECK(p);
	p += 5;
	while (n--)
		p = strchr(p, ' ') + 1;
	return strtoul(p, NULL, 10);
}

static void grows(int column)
{
	unsigned long was = cpu0(column);

	while (cpu0(column) < was + 10)
		sleep_ms(20);
}

TEST(a_line_for_each_cpu)
{
	char buf[8192], *p = buf;
	long n = sysconf(_SC_NPROCESSORS_CONF), lines = 0;
	unsigned long v[10];

	CHECK(read_file("/proc/stat", buf, sizeof(buf)) > 0);
	CHECK(sscanf(p, "cpu  %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu\n", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7, v + 8, v + 9) == 10);
	while ((p = strstr(p, "\ncpu"))) {
		lines++;
		p++;
		CHECK(strtol(p + 3, NULL, 10) == lines - 1);
	}
	CHECK(lines >= 1 && (n <= 0 || lines <= n));
	CHECK(strstr(buf, "\nprocs_running ") && strstr(buf, "\nprocs_blocked ") && strstr(buf, "\nctxt "));
}

TEST(user_time)
{
	if (fork() == 0) { pin(0); for (;;) ; }
	grows(0);
}

TEST(nice_time)
{
	if (fork() == 0) { pin(0); setpriority(PRIO_PROCESS, 0, 5); for (;;) ; }
	grows(1);
}

TEST(system_time)
{
	if (fork() == 0) { pin(0); for (;;) getppid(); }
	grows(2);
}

TEST(nothing_goes_back)
{
	unsigned long was[7] = { 0 };

	if (fork() == 0) for (;;) getppid();
	for (int i = 0; i < 100; i++) {
		for (int c = 0; c < 7; c++) {
			unsigned long v = cpu0(c);

			if (c != 3 && c != 4)		/* idle and iowait may, says proc(5) */
				CHECK(v >= was[c]);
			was[c] = v;
		}
		sleep_ms(3);
	}
}

static void schedstat(pid_t pid, unsigned long v[3])
{
	char path[64], buf[128];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	if (read_file(path, buf, sizeof(buf)) <= 0) SKIP("no schedstat");
	CHECK(sscanf(buf, "%lu %lu %lu\n", v, v + 1, v + 2) == 3);
}

TEST(schedstat_of_two_hogs)
{
	pid_t pid[2];
	unsigned long v[3], w[3];

	for (int i = 0; i < 2; i++)
		if ((pid[i] = fork()) == 0) { pin(0); for (;;) ; }
	do {
		sleep_ms(20);
		schedstat(pid[0], v);
		schedstat(pid[1], w);
	} while (v[0] < 30000000 || w[0] < 30000000 || v[1] < 10000000 || w[1] < 10000000 || v[2] < 3 || w[2] < 3);
	CHECK(1);
}

static long status(pid_t pid, const char *name)
{
	char path[64], buf[4096], *p;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	CHECK(read_file(path, buf, sizeof(buf)) > 0);
	p = strstr(buf, name);
	CHECK(p);
	return strtol(p + strlen(name), NULL, 10);
}

TEST(switches)
{
	long v = status(getpid(), "\nvoluntary_ctxt_switches:\t");
	pid_t pid[2];

	while (status(getpid(), "\nvoluntary_ctxt_switches:\t") < v + 5)
		sleep_ms(2);
	for (int i = 0; i < 2; i++)
		if ((pid[i] = fork()) == 0) { pin(0); for (;;) ; }
	while (status(pid[0], "nonvoluntary_ctxt_switches:\t") < 5 || status(pid[1], "nonvoluntary_ctxt_switches:\t") < 5)
		sleep_ms(10);
}

static unsigned long long total(const char *what)
{
	char path[64], buf[512];
	float a, b, c;
	unsigned long long t, f;
	int n, fd;

	snprintf(path, sizeof(path), "/proc/pressure/%s", what);
	fd = open(path, O_RDONLY);
	if (fd < 0) SKIP("no pressure");
	n = (int)read(fd, buf, sizeof(buf) - 1);
	if (n < 0) SKIP("pressure is switched off");
	close(fd);
	buf[n] = 0;
	CHECK(sscanf(buf, "some avg10=%f avg60=%f avg300=%f total=%llu\nfull avg10=%f avg60=%f avg300=%f total=%llu\n", &a, &b, &c, &t, &a, &b, &c,
		     &f) == 8);
	CHECK(a >= 0 && a <= 100 && c >= 0 && c <= 100);
	return t;
}

TEST(pressure)
{
	unsigned long long t = total("cpu");

	total("io");
	total("memory");
	for (int i = 0; i < 2; i++)
		if (fork() == 0) { pin(0); for (;;) ; }
	while (total("cpu") < t + 100000)
		sleep_ms(50);
}
