/* Real time on many CPUs, and its limits: the highest run, wherever there is room; a hog leaves some to others. */
#include "tap.h"

static long setsched(pid_t pid, int policy, int prio)
{
	struct sched_param p = { .sched_priority = prio };

	return syscall(SYS_sched_setscheduler, pid, policy, &p);
}

static void pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
}

static int cpus(void)
{
	cpu_set_t all;

	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	return CPU_COUNT(&all);
}

struct shared { volatile unsigned long n[65 * 8]; volatile int stop[65], there, begin; };
static struct shared *map(void)
{
	struct shared *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(sh != MAP_FAILED);
	return sh;
}

/* Does who counts there run, while we sleep? */
static bool moves(volatile unsigned long *count)
{
	unsigned long was = *count;

	for (int try = 0; try < 1000 && *count == was; try++)
		usleep(10000);
	return *count != was;
}

/* As many of priority 20 as there are CPUs, and one of 10 that could run at any time: it does not move until one of them has ended.  It is there before
 * they are, and makes no call then that shares a lock with ours: stopped in one, it would keep us waiting as long as they run. */
TEST(the_highest_run)
{
	struct shared *sh = map();
	int n = cpus();
	pid_t pid[65];

	CHECK(setsched(0, SCHED_FIFO, 30) == 0);
	if ((pid[n] = fork()) == 0) {
		CHECK(setsched(0, SCHED_FIFO, 10) == 0);
		for (sh->there = 1; !sh->begin; )
			usleep(1000);
		while (!sh->stop[n])
			sh->n[n * 8]++;
		_exit(0);
	}
	while (!sh->there)
		usleep(1000);
	for (int i = 0; i < n; i++)
		if ((pid[i] = fork()) == 0) {
			CHECK(setsched(0, SCHED_FIFO, 20) == 0);
			while (!sh->stop[i])
				sh->n[i * 8]++;
			_exit(0);
		}
	for (int i = 0; i < n; i++)
		CHECK(moves(&sh->n[i * 8]));
	sh->begin = 1;
	for (int i = 0; i < n; i++)
		CHECK(moves(&sh->n[i * 8]));
	CHECK_EQ(sh->n[n * 8], 0);
	sh->stop[0] = 1;
	CHECK(EXITED(wait_status(pid[0]), 0));
	CHECK(moves(&sh->n[n * 8]));
	for (int i = 1; i <= n; i++) {
		sh->stop[i] = 1;
		CHECK(EXITED(wait_status(pid[i]), 0));
	}
}

/* Two on one CPU: one is pushed to another as soon as their masks allow it. */
TEST(one_that_waits_finds_another_cpu)
{
	struct shared *sh = map();
	cpu_set_t all;
	pid_t pid[2];
	bool both = false;

	if (cpus() < 2) SKIP("one CPU");
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0 && setsched(0, SCHED_FIFO, 30) == 0);
	for (int i = 0; i < 2; i++)
		if ((pid[i] = fork()) == 0) {
			pin(0);
			CHECK(setsched(0, SCHED_FIFO, 20) == 0);
			for (;;) sh->n[i * 8]++;
		}
	for (int try = 0; try < 40 && !(sh->n[0] || sh->n[8]); try++)
		usleep(10000);
	for (int i = 0; i < 2; i++)
		CHECK(sched_setaffinity(pid[i], sizeof(all), &all) == 0);
	for (int try = 0; try < 200 && !both; try++) {
		unsigned long a = sh->n[0], b = sh->n[8];

		usleep(10000);
		both = sh->n[0] != a && sh->n[8] != b;
	}
	for (int i = 0; i < 2; i++)
		kill(pid[i], SIGKILL);
	CHECK(both);
}

/* Four hogs that are fair keep nobody real-time waiting. */
TEST(a_woken_one_goes_before_hogs)
{
	int n = cpus();
	struct timespec ts = { 0, 2000000 };

	for (int i = 0; i < n; i++)
		if (fork() == 0) for (;;) ;
	CHECK(setsched(0, SCHED_FIFO, 50) == 0);
	for (int i = 0; i < 200; i++)
		CHECK(nanosleep(&ts, NULL) == 0);
}

TEST(a_hog_leaves_some_to_others)
{
	struct shared *sh = map();
	pid_t hog;

	pin(0);
	CHECK(setsched(0, SCHED_FIFO, 50) == 0);
	if ((hog = fork()) == 0) {
		CHECK(setsched(0, SCHED_FIFO, 40) == 0);
		for (;;) sh->n[0]++;
	}
	CHECK(setsched(0, SCHED_OTHER, 0) == 0);	/* on the same CPU, we go on all the same */
	for (int i = 0; i < 3; i++) {
		unsigned long was = sh->n[0];

		while (sh->n[0] == was)
			sched_yield();
	}
	CHECK(kill(hog, SIGKILL) == 0);
	CHECK(KILLED(wait_status(hog), SIGKILL));
}

static int put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

#define RUNTIME "/proc/sys/kernel/sched_rt_runtime_us"
#define PERIOD "/proc/sys/kernel/sched_rt_period_us"
#define RR "/proc/sys/kernel/sched_rr_timeslice_ms"
static bool is(const char *file, const char *text)
{
	char buf[64];

	return read_file(file, buf, sizeof(buf)) > 0 && !strcmp(buf, text);
}

TEST(limits)
{
	struct timespec ts;

	CHECK(is(RUNTIME, "950000\n") && is(PERIOD, "1000000\n") && is(RR, "100\n"));
	CHECK_EQ(put(RUNTIME, "1000001"), EINVAL);
	CHECK_EQ(put(RUNTIME, "-2"), EINVAL);
	CHECK_EQ(put(PERIOD, "0"), EINVAL);
	CHECK_EQ(put(PERIOD, "900000"), EINVAL);	/* less than the runtime */
	CHECK_EQ(put(RUNTIME, "x"), EINVAL);
	CHECK(put(RUNTIME, "-1") == 0 && is(RUNTIME, "-1\n"));
	CHECK(put(RUNTIME, "950000") == 0 && is(RUNTIME, "950000\n") && is(PERIOD, "1000000\n"));
	CHECK(put(RR, "40") == 0 && setsched(0, SCHED_RR, 1) == 0);
	CHECK(syscall(SYS_sched_rr_get_interval, 0, &ts) == 0 && ts.tv_nsec == 40000000);
	CHECK(put(RR, "100") == 0);
}
