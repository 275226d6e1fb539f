/* cyclic: how late a FIFO task wakes while every processor is busy.
 *
 * Run at -smp 4.  One hog a processor, not pinned, counts in an ordinary class; a task of FIFO priority 80 sleeps until absolute monotonic
 * times PERIOD_NS apart, SAMPLES of them (or as many as the argument says), and notes by how much it was late.  Prints the least, the
 * median, the 99th percentile and the worst.  When it is so late that the next times have passed, those are left out, not counted
 * as late once each.  */
#include "bench.h"
#include <sys/prctl.h>
#include <time.h>

#define SAMPLES 20000
#define WARM_UP 200
#define PERIOD_NS 500000

static void fail(const char *what) { printf("# bench: %s: errno %d\n", what, errno); fflush(stdout); _exit(1); }

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void hog(void)
{
	static volatile uint64_t n;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		n++;
}

static double measure(double *late, long n)
{
	int64_t at = now_ns() + PERIOD_NS;
	for (long i = 0; i < n; i++) {
		struct timespec ts = { at / 1000000000, at % 1000000000 };
		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
			fail("clock_nanosleep");
		int64_t woke = now_ns();
		late[i] = woke - at;
		do
			at += PERIOD_NS;
		while (at <= woke);
	}
	qsort(late, n, sizeof(*late), by_value);
	return late[n * 99 / 100];
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : SAMPLES, hogs = sysconf(_SC_NPROCESSORS_ONLN);
	pid_t pids[64];
	double *late;
	if (n < 100)
		n = SAMPLES;
	late = calloc(n > WARM_UP ? n : WARM_UP, sizeof(*late));
	if (!late || mlockall(MCL_CURRENT | MCL_FUTURE))
		fail("memory");
	if (hogs > 64)
		hogs = 64;
	for (long i = 0; i < hogs; i++)
		if ((pids[i] = fork()) == 0)
			hog();
	struct sched_param p = { .sched_priority = 80 };
	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p))	/* musl's wrapper refuses */
		fail("sched_setscheduler");
	measure(late, WARM_UP);
	double p99 = measure(late, n);
	printf("METRIC cyclic_min=%.1f ns\nMETRIC cyclic_median=%.1f ns\nMETRIC cyclic_p99=%.1f ns\nMETRIC cyclic_max=%.1f ns\n",
	       late[0], late[n / 2], p99, late[n - 1]);
	fflush(stdout);
	for (long i = 0; i < hogs; i++)
		kill(pids[i], SIGKILL);
	return 0;
}
