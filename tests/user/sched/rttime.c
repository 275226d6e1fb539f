/* RLIMIT_RTTIME: a real-time thread that does not sleep is told, and then killed; sleeping begins anew, yielding does not. */
#include "tap.h"
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#define MS 1000ul		/* the limit's unit is the microsecond */

static volatile sig_atomic_t told;
static void xcpu(int sig) { (void)sig; told++; }

static void limit(rlim_t soft, rlim_t hard)
{
	struct rlimit r = { soft, hard };

	signal(SIGXCPU, xcpu);
	CHECK(setrlimit(RLIMIT_RTTIME, &r) == 0);
}

static rlim_t soft_now(void)
{
	struct rlimit r;

	CHECK(getrlimit(RLIMIT_RTTIME, &r) == 0);
	return r.rlim_cur;
}

static void policy(int policy)
{
	struct sched_param p = { .sched_priority = policy == SCHED_OTHER ? 0 : 10 };

	CHECK(syscall(SYS_sched_setscheduler, 0, policy, &p) == 0);	/* musl's own answers ENOSYS */
}

static uint64_t ran_ms(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static void spin(uint64_t ms)
{
	for (uint64_t end = ran_ms() + ms; ran_ms() < end; )
		;
}

TEST(the_soft_limit_tells_and_moves_on)
{
	uint64_t begun;

	limit(200 * MS, RLIM_INFINITY);
	policy(SCHED_FIFO);
	sleep_ms(1);
	begun = ran_ms();
	while (!told)
		;
	CHECK(ran_ms() - begun >= 195);		/* Linux counts in ticks */
	CHECK_EQ(soft_now(), 1200 * MS);
	spin(400);
	CHECK_EQ(told, 1);
}

TEST(the_hard_limit_kills)
{
	pid_t pid = fork();

	if (!pid) {
		limit(100 * MS, 300 * MS);
		policy(SCHED_RR);
		for (;;)
			;
	}
	CHECK(KILLED(wait_status(pid), SIGKILL));
}

TEST(one_that_sleeps_is_not_told)
{
	limit(300 * MS, RLIM_INFINITY);
	policy(SCHED_FIFO);
	for (int i = 0; i < 12; i++) {
		spin(50);
		sleep_ms(1);
	}
	CHECK_EQ(told, 0);
	CHECK_EQ(soft_now(), 300 * MS);
}

TEST(yielding_is_not_sleeping)
{
	limit(100 * MS, RLIM_INFINITY);
	policy(SCHED_FIFO);
	for (uint64_t end = ran_ms() + 20000; !told && ran_ms() < end; )
		sched_yield();
	CHECK_EQ(told, 1);
}

TEST(a_fair_task_has_no_limit)
{
	limit(50 * MS, 100 * MS);
	spin(400);
	CHECK_EQ(told, 0);
	policy(SCHED_FIFO);	/* and what it ran before does not count */
	CHECK_EQ(told, 0);
	policy(SCHED_OTHER);
	spin(200);
	CHECK_EQ(told, 0);
}

TEST(the_hard_limit_alone_limits_nothing)
{
	struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };

	signal(SIGXCPU, xcpu);
	CHECK(setrlimit(RLIMIT_RTTIME, &r) == 0);
	policy(SCHED_FIFO);
	spin(300);
	CHECK_EQ(told, 0);
}

static void *fair_thread(void *arg)
{
	policy(SCHED_OTHER);
	spin(300);
	return arg;
}

/* Its process is told of what one thread does; others, that are fair, run as long as they like. */
TEST(each_thread_counts_for_itself)
{
	pthread_t t[2];

	limit(250 * MS, RLIM_INFINITY);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&t[i], NULL, fair_thread, NULL) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	CHECK_EQ(told, 0);
	policy(SCHED_FIFO);
	spin(100);
	CHECK_EQ(told, 0);
	while (!told)
		;
	CHECK_EQ(soft_now(), 1250 * MS);
}

/* A child has the limit, and its own time. */
TEST(a_child_has_the_limit)
{
	pid_t pid;

	limit(200 * MS, RLIM_INFINITY);
	policy(SCHED_FIFO);
	pid = fork();
	if (!pid) {
		while (!told)
			;
		_exit(7);
	}
	CHECK(EXITED(wait_status(pid), 7));
	CHECK_EQ(told, 0);
}
