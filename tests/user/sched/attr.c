/* sched_setattr, sched_getattr, limits and privileges of policies and nice values, RR intervals. */
#include "tap.h"

#ifndef SCHED_IDLE
#define SCHED_IDLE 5
#endif
#ifndef SCHED_BATCH
#define SCHED_BATCH 3
#endif
#define RESET 0x40000000
struct attr { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t prio; uint64_t runtime, deadline, period; uint32_t umin, umax; };
enum { F_RESET = 1, F_KEEP_POLICY = 8, F_KEEP_PARAMS = 16 };

static long set(struct attr *a) { return syscall(SYS_sched_setattr, 0, a, 0); }
static long get(struct attr *a, unsigned size) { return syscall(SYS_sched_getattr, 0, a, size, 0); }
static long setsched(int policy, int prio)
{
	struct sched_param p = { .sched_priority = prio };

	return syscall(SYS_sched_setscheduler, 0, policy, &p);
}
static int policy(void) { return (int)syscall(SYS_sched_getscheduler, 0); }
static int nice_now(void) { return 20 - (int)syscall(SYS_getpriority, PRIO_PROCESS, 0); }

TEST(set_and_get)
{
	struct attr a = { .size = 48, .policy = SCHED_RR, .prio = 7, .flags = F_RESET }, b;

	CHECK(set(&a) == 0);
	memset(&b, 0xff, sizeof(b));
	CHECK(get(&b, 48) == 0 && b.size == 48 && b.policy == SCHED_RR && b.prio == 7 && b.flags == F_RESET && b.nice == 0 && b.umin == ~0u);
	CHECK_EQ(policy(), SCHED_RR | RESET);
	a = (struct attr){ .size = 48, .policy = SCHED_BATCH, .nice = 5 };
	CHECK(set(&a) == 0 && get(&b, 48) == 0 && b.policy == SCHED_BATCH && b.nice == 5 && b.prio == 0 && nice_now() == 5);
	a = (struct attr){ .policy = SCHED_OTHER, .nice = -100 };	/* no size: the first version's; nice is cut */
	CHECK(set(&a) == 0 && nice_now() == -20);
	CHECK(get(&b, 56) == 0 && b.size == 56);
}

TEST(what_may_be_kept)
{
	struct attr a = { .size = 48, .policy = SCHED_FIFO, .prio = 9 }, b;

	CHECK(set(&a) == 0);
	a = (struct attr){ .size = 48, .flags = F_KEEP_POLICY, .prio = 11 };
	CHECK(set(&a) == 0 && get(&b, 48) == 0 && b.policy == SCHED_FIFO && b.prio == 11);
	a = (struct attr){ .size = 48, .flags = F_KEEP_POLICY | F_KEEP_PARAMS, .prio = 50 };
	CHECK(set(&a) == 0 && get(&b, 48) == 0 && b.policy == SCHED_FIFO && b.prio == 11);
	CHECK(setsched(SCHED_OTHER, 0) == 0 && setpriority(PRIO_PROCESS, 0, 4) == 0);
	CHECK(setsched(SCHED_BATCH, 0) == 0 && nice_now() == 4);
	CHECK(setsched(SCHED_FIFO, 1) == 0 && setsched(SCHED_OTHER, 0) == 0 && nice_now() == 4);
}

TEST(sizes)
{
	struct { struct attr a; char more[32]; } big = { .a = { .size = sizeof(big), .policy = SCHED_OTHER, .nice = 1 } };
	struct attr a = { .size = 40 };

	CHECK_ERR(set(&a), E2BIG);
	CHECK_EQ(a.size, 56);
	a.size = 5000;
	CHECK_ERR(set(&a), E2BIG);
	CHECK_EQ(a.size, 56);
	CHECK(set(&big.a) == 0 && nice_now() == 1);
	big.a.size = sizeof(big);
	big.more[31] = 1;
	CHECK_ERR(set(&big.a), E2BIG);
	CHECK_EQ(big.a.size, 56);
	CHECK_ERR(get(&a, 40), EINVAL);
	CHECK_ERR(get(&a, 1 << 20), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &a, 48, 1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 99999, &a, 48, 0), ESRCH);
}

TEST(absurd)
{
	static const struct attr bad[] = {
		{ .size = 48, .policy = 77 }, { .size = 48, .policy = 0x80000000 }, { .size = 48, .policy = SCHED_FIFO, .prio = 0 },
		{ .size = 48, .policy = SCHED_FIFO, .prio = 100 }, { .size = 48, .policy = SCHED_RR, .prio = ~0u },
		{ .size = 48, .policy = SCHED_OTHER, .prio = 1 }, { .size = 48, .policy = SCHED_IDLE, .prio = 1 },
		{ .size = 48, .policy = SCHED_OTHER, .flags = 1ull << 40 }, { .size = 48, .policy = SCHED_OTHER, .flags = 0x80 },
		{ .size = 48, .policy = SCHED_OTHER, .flags = 0x20 }, { .size = 48, .policy = 4 },
		{ .size = 48, .policy = 6 }, { .size = 48, .policy = 6, .runtime = 10, .deadline = 5, .period = 1 },
		{ .size = 48, .policy = 6, .runtime = ~0ull, .deadline = ~0ull, .period = ~0ull },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct attr a = bad[i];

		errno = 0;
		if (set(&a) != -1 || errno != EINVAL)
			printf("# %zu: errno %d\n", i, errno);
		CHECK(errno == EINVAL);
	}
	CHECK_EQ(policy(), SCHED_OTHER);
	CHECK_ERR(setsched(SCHED_FIFO, -1), EINVAL);
	CHECK_ERR(setsched(0x7fffffff, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setparam, 0, NULL), EINVAL);
	CHECK_ERR(setsched(-1, 0), EINVAL);
}

static void limit(int which, unsigned long v)
{
	struct rlimit r = { v, v };

	CHECK(setrlimit(which, &r) == 0);
}

TEST(rt_limit)
{
	limit(RLIMIT_RTPRIO, 10);
	CHECK(setuid(1000) == 0);
	CHECK(setsched(SCHED_FIFO, 10) == 0);
	CHECK_ERR(setsched(SCHED_FIFO, 11), EPERM);
	CHECK(setsched(SCHED_RR, 3) == 0 && setsched(SCHED_OTHER, 0) == 0 && setsched(SCHED_RR, 10) == 0);
}

TEST(rt_without_limit_one_may_go_down)
{
	CHECK(setsched(SCHED_FIFO, 20) == 0);
	limit(RLIMIT_RTPRIO, 0);
	CHECK(setuid(1000) == 0);
	CHECK_ERR(setsched(SCHED_FIFO, 21), EPERM);
	CHECK(setsched(SCHED_FIFO, 19) == 0);
	CHECK_ERR(setsched(SCHED_RR, 19), EPERM);		/* another policy */
	CHECK(setsched(SCHED_OTHER, 0) == 0);
	CHECK_ERR(setsched(SCHED_FIFO, 1), EPERM);
}

TEST(reset_on_fork_stays)
{
	CHECK(setsched(SCHED_OTHER | RESET, 0) == 0);
	limit(RLIMIT_RTPRIO, 0);
	CHECK(setuid(1000) == 0);
	CHECK_ERR(setsched(SCHED_OTHER, 0), EPERM);		/* it may not be taken off */
	CHECK(setsched(SCHED_BATCH | RESET, 0) == 0);
}

TEST(reset_on_fork_nice)
{
	CHECK(setpriority(PRIO_PROCESS, 0, -7) == 0);
	CHECK(setsched(SCHED_OTHER | RESET, 0) == 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(nice_now() == 0 && policy() == SCHED_OTHER ? 0 : 1);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(setpriority(PRIO_PROCESS, 0, 7) == 0);
	pid = fork();
	if (pid == 0)
		_exit(nice_now() == 7 ? 0 : 1);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(nice_limit)
{
	struct attr a = { .size = 48, .policy = SCHED_OTHER, .nice = 4 };

	CHECK(setpriority(PRIO_PROCESS, 0, 10) == 0);
	limit(RLIMIT_NICE, 15);					/* down to 5 */
	CHECK(setuid(1000) == 0);
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, 4), EACCES);
	CHECK_ERR(set(&a), EPERM);
	CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0 && nice_now() == 5);
	CHECK(setpriority(PRIO_PROCESS, 0, 19) == 0 && nice_now() == 19);
}

TEST(out_of_idle)
{
	CHECK(setpriority(PRIO_PROCESS, 0, 3) == 0 && setsched(SCHED_IDLE, 0) == 0);
	limit(RLIMIT_NICE, 0);
	CHECK(setuid(1000) == 0);
	CHECK_ERR(setsched(SCHED_OTHER, 0), EPERM);
	CHECK(setsched(SCHED_IDLE, 0) == 0);
}

TEST(others)
{
	pid_t pid = fork();
	struct sched_param p = { 0 };

	if (pid == 0) { pause(); _exit(0); }
	CHECK(setuid(1000) == 0);
	CHECK_ERR(syscall(SYS_sched_setscheduler, pid, SCHED_BATCH, &p), EPERM);
	CHECK_ERR(setpriority(PRIO_PROCESS, pid, 5), EPERM);
	cpu_set_t set;
	CPU_ZERO(&set); CPU_SET(0, &set);
	CHECK_ERR(sched_setaffinity(pid, sizeof(set), &set), EPERM);
	CHECK(syscall(SYS_sched_getscheduler, pid) == SCHED_OTHER && sched_getaffinity(pid, sizeof(set), &set) == 0);
}

TEST(nice_of_groups)
{
	pid_t pid[2];
	int p[2];

	CHECK(pipe(p) == 0);
	for (int i = 0; i < 2; i++)
		if ((pid[i] = fork()) == 0) {
			char c;
			_exit(read(p[0], &c, 1) == 1 ? nice_now() : 99);
		}
	CHECK(setpgid(pid[0], pid[0]) == 0 && setpgid(pid[1], pid[0]) == 0);
	CHECK(setpriority(PRIO_PGRP, pid[0], 6) == 0);
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PGRP, pid[0]), 14);
	CHECK(setpriority(PRIO_PROCESS, pid[1], 2) == 0);
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PGRP, pid[0]), 18);	/* the best of them */
	CHECK_ERR(setpriority(PRIO_PGRP, 99999, 1), ESRCH);
	CHECK_ERR(setpriority(PRIO_USER, 54321, 1), ESRCH);
	CHECK(write(p[1], "xx", 2) == 2);
	CHECK(EXITED(wait_status(pid[0]), 6));
	CHECK(EXITED(wait_status(pid[1]), 2));
	CHECK_EQ(nice_now(), 0);
}

TEST(intervals)
{
	struct timespec ts;

	CHECK(setsched(SCHED_RR, 1) == 0 && syscall(SYS_sched_rr_get_interval, 0, &ts) == 0);
	CHECK(ts.tv_sec == 0 && ts.tv_nsec == 100000000);
	CHECK(setsched(SCHED_FIFO, 1) == 0 && syscall(SYS_sched_rr_get_interval, 0, &ts) == 0 && ts.tv_sec == 0 && ts.tv_nsec == 0);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, -1, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, 99999, &ts), ESRCH);
	CHECK(syscall(SYS_sched_get_priority_max, SCHED_IDLE) == 0 && syscall(SYS_sched_get_priority_min, SCHED_FIFO) == 1);
	CHECK_ERR(syscall(SYS_sched_get_priority_min, -1), EINVAL);
}
