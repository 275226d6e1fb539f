/* Scheduling policies, affinity, nice. */
#include "tap.h"

static long setsched(pid_t p, int policy, int prio)
{
	struct sched_param sp = { .sched_priority = prio };

	return syscall(SYS_sched_setscheduler, p, policy, &sp);
}

TEST(policies)
{
	struct sched_param sp;
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
	CHECK(setsched(0, SCHED_FIFO, 5) == 0);
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_FIFO);
	CHECK(syscall(SYS_sched_getparam, 0, &sp) == 0 && sp.sched_priority == 5);
	CHECK(setsched(0, SCHED_RR, 7) == 0);
	struct timespec ts;
	CHECK(syscall(SYS_sched_rr_get_interval, 0, &ts) == 0 && (ts.tv_sec || ts.tv_nsec));
	CHECK(setsched(0, SCHED_BATCH, 0) == 0);
	CHECK(setsched(0, SCHED_IDLE, 0) == 0);
	CHECK(setsched(0, SCHED_OTHER, 0) == 0);
	CHECK_ERR(setsched(0, SCHED_FIFO, 0), EINVAL);
	CHECK_ERR(setsched(0, SCHED_FIFO, 100), EINVAL);
	CHECK_ERR(setsched(0, SCHED_OTHER, 1), EINVAL);
	CHECK_ERR(setsched(0, 99, 0), EINVAL);
	CHECK_ERR(setsched(99999, SCHED_OTHER, 0), ESRCH);
	CHECK_ERR(setsched(-1, SCHED_OTHER, 0), EINVAL);
	CHECK_EQ(syscall(SYS_sched_get_priority_max, SCHED_FIFO), 99);
	CHECK_EQ(syscall(SYS_sched_get_priority_min, SCHED_RR), 1);
	CHECK_EQ(syscall(SYS_sched_get_priority_max, SCHED_OTHER), 0);
	CHECK_ERR(syscall(SYS_sched_get_priority_max, 99), EINVAL);
	CHECK(setuid(1000) == 0);
	CHECK_ERR(setsched(0, SCHED_FIFO, 1), EPERM);
}

TEST(reset_on_fork)
{
	CHECK(setsched(0, SCHED_FIFO | 0x40000000, 5) == 0);
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_FIFO | 0x40000000);
	pid_t pid = fork();
	if (pid == 0) _exit(syscall(SYS_sched_getscheduler, 0));
	CHECK(EXITED(wait_status(pid), SCHED_OTHER));
}

TEST(affinity)
{
	cpu_set_t all, one, got;
	CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(all), &all) >= 8);
	CHECK(CPU_COUNT(&all) >= 1 || 1);
	CPU_ZERO(&one); CPU_SET(0, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	CPU_ZERO(&got);
	CHECK(sched_getaffinity(0, sizeof(got), &got) == 0 && CPU_COUNT(&got) == 1 && CPU_ISSET(0, &got));
	unsigned cpu = 99;
	CHECK(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 && cpu == 0);
	CPU_ZERO(&one);
	CHECK_ERR(sched_setaffinity(0, sizeof(one), &one), EINVAL);
	CPU_SET(500, &one);
	CHECK_ERR(sched_setaffinity(0, sizeof(one), &one), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 3, &got), EINVAL);
	CHECK_ERR(sched_setaffinity(99999, sizeof(one), &one), ESRCH);
}

TEST(nice_values)
{
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 20);
	CHECK(setpriority(PRIO_PROCESS, 0, 10) == 0);
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 10);
	CHECK(setpriority(PRIO_PROCESS, 0, 100) == 0);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
	CHECK(setpriority(PRIO_PROCESS, 0, -100) == 0);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), -20);
	CHECK_ERR(setpriority(9, 0, 0), EINVAL);
	CHECK_ERR(setpriority(PRIO_PROCESS, 99999, 0), ESRCH);
	CHECK(setpriority(PRIO_PGRP, 0, 3) == 0 && getpriority(PRIO_PGRP, 0) == 3);
}

TEST(fifo_goes_before_fair)
{
	/* On one CPU a runnable FIFO task shuts out the fair ones until it sleeps. */
	cpu_set_t one;
	CPU_ZERO(&one); CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	volatile long *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(setsched(0, SCHED_FIFO, 10) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		setsched(0, SCHED_OTHER, 0);
		for (;;) ++*n;
	}
	for (volatile int i = 0; i < 1000000; i++) ;
	CHECK_EQ(*n, 0);
	while (*n == 0) sleep_ms(5);
	CHECK(*n > 0);
}

TEST(yielding_alone_is_not_held_against_one)
{
	cpu_set_t one;
	struct timespec t;
	CPU_ZERO(&one); CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (int i = 0; i < 100000; i++) sched_yield();
	if (fork() == 0) for (;;) ;
	do		/* go on beside a hog */
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	while (t.tv_sec == 0 && t.tv_nsec < 400000000);
	CHECK(1);
}

TEST(a_yielder_lets_others_run_and_goes_on)
{
	cpu_set_t one;
	CPU_ZERO(&one); CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	volatile long *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 2; i++)		/* turns by yielding, whatever the weights are */
		if (fork() == 0) {
			if (i) setpriority(PRIO_PROCESS, 0, 5);
			for (;;) { ++n[i * 64]; sched_yield(); }
		}
	if (fork() == 0) for (;;) ++n[128];
	while (n[0] < 100 || n[64] < 100 || n[128] < 10000) sleep_ms(5);
	CHECK(1);
}

TEST(two_hogs_share)
{
	cpu_set_t one;
	CPU_ZERO(&one); CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	volatile long *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 3; i++)
		if (fork() == 0) for (;;) ++n[i * 64];
	while (!(n[0] > 1000 && n[64] > 1000 && n[128] > 1000)) sleep_ms(10);
	CHECK(1);
}
