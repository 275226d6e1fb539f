/* ioprio_set(2), ioprio_get(2). */
#include "tap.h"
#include <pthread.h>

static long set(int which, int who, int v) { return syscall(SYS_ioprio_set, which, who, v); }
static long get(int which, int who) { return syscall(SYS_ioprio_get, which, who); }
#define BE(n) ((2 << 13) | (n))
#define RT(n) ((1 << 13) | (n))
#define IDLE (3 << 13)
enum { PROC = 1, PGRP, USER };

TEST(set_and_get)
{
	CHECK_EQ(get(PROC, 0), 0);
	CHECK_EQ(set(PROC, 0, BE(7)), 0);
	CHECK_EQ(get(PROC, 0), BE(7));
	CHECK_EQ(get(PROC, getpid()), BE(7));
	CHECK_EQ(set(PROC, 0, RT(0)), 0);
	CHECK_EQ(get(PROC, 0), RT(0));
	CHECK_EQ(set(PROC, 0, IDLE), 0);
	CHECK_EQ(get(PROC, 0), IDLE);
	CHECK_EQ(set(PROC, 0, 0), 0);
	CHECK_EQ(get(PROC, 0), 0);
}

TEST(refusals)
{
	CHECK_EQ(set(PROC, 0, BE(8)), 0);	/* beyond the level are hints */
	CHECK_EQ(get(PROC, 0), BE(8));
	CHECK_ERR(set(PROC, 0, 1), EINVAL);
	CHECK_ERR(set(PROC, 0, 4 << 13), EINVAL);
	CHECK_ERR(set(0, 0, BE(1)), EINVAL);
	CHECK_ERR(set(4, 0, BE(1)), EINVAL);
	CHECK_ERR(get(0, 0), EINVAL);
	CHECK_ERR(get(4, 0), EINVAL);
	CHECK_ERR(set(PROC, 0x7ffffff0, BE(1)), ESRCH);
	CHECK_ERR(get(PROC, 0x7ffffff0), ESRCH);
	CHECK_ERR(get(PGRP, 0x7ffffff0), ESRCH);
	CHECK_ERR(get(USER, 54321), ESRCH);
	CHECK_ERR(set(USER, 54321, BE(1)), ESRCH);
}

static void child_has(void) { _exit(get(PROC, 0) == BE(3) ? 1 : 2); }
static void *thread_has(void *arg) { return (void *)get(PROC, 0); }

TEST(inherited)
{
	pthread_t t;
	void *v;

	CHECK_EQ(set(PROC, 0, BE(3)), 0);
	CHECK(EXITED(in_child(child_has), 1));
	CHECK_EQ(pthread_create(&t, NULL, thread_has, NULL), 0);
	pthread_join(t, &v);
	CHECK_EQ((long)v, BE(3));
}

/* Of a group the best; who was told nothing counts by his nice value. */
TEST(groups)
{
	int pid, gate[2];
	char c;

	CHECK_EQ(setpgid(0, 0), 0);
	CHECK_EQ(get(PGRP, 0), BE(4));
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, 10), 0);
	CHECK_EQ(get(PGRP, 0), BE(6));
	CHECK_EQ(pipe(gate), 0);
	pid = fork();
	if (!pid) {
		close(gate[1]);
		read(gate[0], &c, 1);
		_exit(0);
	}
	CHECK_EQ(set(PROC, pid, BE(2)), 0);
	CHECK_EQ(get(PROC, pid), BE(2));
	CHECK_EQ(get(PROC, 0), 0);
	CHECK_EQ(get(PGRP, 0), BE(2));
	CHECK_EQ(get(PGRP, getpid()), BE(2));
	CHECK_EQ(set(PGRP, 0, BE(5)), 0);
	CHECK_EQ(get(PROC, pid), BE(5));
	CHECK_EQ(get(PROC, 0), BE(5));
	close(gate[1]);
	wait_status(pid);
}

TEST(as_a_user)
{
	CHECK_EQ(setresuid(4711, 4711, 4711), 0);
	CHECK_ERR(set(PROC, 0, RT(4)), EPERM);
	CHECK_EQ(set(PROC, 0, BE(0)), 0);
	CHECK_EQ(set(PROC, 0, IDLE), 0);
	CHECK_EQ(get(USER, 4711), IDLE);
	CHECK_EQ(set(USER, 4711, BE(6)), 0);
	CHECK_EQ(get(USER, 4711), BE(6));
	CHECK_ERR(set(PROC, 1, BE(6)), EPERM);
	CHECK(get(PROC, 1) >= 0);
}
