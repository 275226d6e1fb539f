/* Another process's memory: process_vm_readv(2), process_vm_writev(2). */
#include <pthread.h>
#include "tap.h"

#define LEN (5 * 4096 + 100)

static char *shared_text(void)
{
	char *p = mmap(NULL, LEN + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	for (int i = 0; i < LEN; i++)
		p[i] = (char)(i * 7 + i / 251);
	return p;
}

/* A child that has the same addresses, and other bytes in them. */
static pid_t child_with(char *p)
{
	int q[2];
	pid_t pid;
	char c;

	CHECK_EQ(pipe(q), 0);
	pid = fork();
	if (!pid) {
		for (int i = 0; i < LEN; i++)
			p[i] = (char)~p[i];
		if (write(q[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(q[0], &c, 1), 1);
	close(q[0]);
	close(q[1]);
	return pid;
}

TEST(bytes_come_over)
{
	char *p = shared_text(), *to = malloc(LEN);
	pid_t pid = child_with(p);
	struct iovec here = { to, LEN }, there = { p, LEN };

	CHECK_EQ(process_vm_readv(pid, &here, 1, &there, 1, 0), LEN);
	for (int i = 0; i < LEN; i++)
		CHECK_EQ(to[i], (char)~p[i]);
}

TEST(segments_need_not_match)
{
	char *p = shared_text(), *to = malloc(LEN);
	pid_t pid = child_with(p);
	struct iovec here[3] = { { to, 10 }, { to + 10, 5000 }, { to + 5010, 4000 } };
	struct iovec there[4] = { { p + 3, 4500 }, { p + 9000, 0 }, { p + 10000, 1 }, { p + 12000, 8000 } };

	CHECK_EQ(process_vm_readv(pid, here, 3, there, 4, 0), 9010);
	for (int i = 0; i < 9010; i++)
		CHECK_EQ(to[i], (char)~p[i < 4500 ? 3 + i : i < 4501 ? 10000 : 12000 + i - 4501]);
}

TEST(bytes_go_over)
{
	char *p = shared_text(), *back = malloc(LEN);
	pid_t pid = child_with(p);
	struct iovec here = { p, LEN }, there = { p, LEN }, again = { back, LEN };

	CHECK_EQ(process_vm_writev(pid, &here, 1, &there, 1, 0), LEN);
	CHECK_EQ(process_vm_readv(pid, &again, 1, &there, 1, 0), LEN);
	CHECK(!memcmp(back, p, LEN));
}

TEST(what_is_not_there_ends_it)
{
	char *p = shared_text(), *to = malloc(LEN);
	pid_t pid;
	struct iovec here = { to, LEN }, there[2] = { { p, 4096 }, { p + 4096, 8192 } }, bad = { (void *)8, 100 };

	CHECK_EQ(munmap(p + 2 * 4096, 4096), 0);
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	CHECK_EQ(process_vm_readv(pid, &here, 1, there, 2, 0), 2 * 4096);
	CHECK_ERR(process_vm_readv(pid, &here, 1, &bad, 1, 0), EFAULT);
	CHECK_ERR(process_vm_readv(pid, &bad, 1, there, 1, 0), EFAULT);
	bad = (struct iovec){ (void *)-4096ul, 100 };
	CHECK_ERR(process_vm_readv(pid, &here, 1, &bad, 1, 0), EFAULT);
}

TEST(what_may_not_be_written_is_not)
{
	char *p = shared_text(), c = 1;
	struct iovec here = { &c, 1 }, there = { p, 1 };
	pid_t pid;

	CHECK_EQ(mprotect(p, 4096, PROT_READ), 0);
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	CHECK_EQ(process_vm_readv(pid, &here, 1, &there, 1, 0), 1);
	CHECK_ERR(process_vm_writev(pid, &here, 1, &there, 1, 0), EFAULT);
}

TEST(arguments)
{
	char c = 0;
	struct iovec v = { &c, 1 }, empty = { &c, 0 }, huge = { &c, (size_t)-1 };

	CHECK_ERR(process_vm_readv(getpid(), &v, 1, &v, 1, 1), EINVAL);
	CHECK_ERR(process_vm_readv(getpid(), &v, 1025, &v, 1, 0), EINVAL);
	CHECK_ERR(process_vm_readv(getpid(), &v, 1, &v, 1025, 0), EINVAL);
	CHECK_ERR(process_vm_readv(getpid(), &v, 1, &huge, 1, 0), EINVAL);
	CHECK_ERR(process_vm_readv(getpid(), &v, 1, (struct iovec *)8, 1, 0), EFAULT);
	CHECK_ERR(process_vm_readv(0x3ffffff, &v, 1, &v, 1, 0), ESRCH);
	CHECK_EQ(process_vm_readv(0x3ffffff, &empty, 1, &v, 1, 0), 0);
	CHECK_EQ(process_vm_readv(0x3ffffff, &v, 1, &empty, 1, 0), 0);
	CHECK_EQ(process_vm_readv(getpid(), &v, 0, &v, 1, 0), 0);
	CHECK_EQ(process_vm_readv(getpid(), &v, 1, &v, 1, 0), 1);
}

TEST(another_users_memory_is_its_own)
{
	char c = 0;
	struct iovec v = { &c, 1 };
	pid_t pid = fork();
	int status;

	if (!pid) {
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
		CHECK_ERR(process_vm_readv(getppid(), &v, 1, &v, 1, 0), EPERM);
		CHECK_ERR(process_vm_writev(getppid(), &v, 1, &v, 1, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* Words of 8 bytes that a thread counts in while they are read, and that are written from two sides.  (In the RACE build: the programs' bytes
 * are no business of the detector.) */
static _Atomic long counted, stop;
static long both_write;

static void *counting(void *arg)
{
	long one = 1;
	struct iovec here = { &one, sizeof(one) }, there = { &both_write, sizeof(both_write) };

	for (; !stop; counted++)
		CHECK_EQ(process_vm_writev(getpid(), &here, 1, &there, 1, 0), sizeof(one));
	return arg;
}

TEST(what_a_thread_changes_meanwhile)
{
	long seen = 0, before, now, two = 2;
	struct iovec to = { &seen, sizeof(seen) }, from = { (void *)&counted, sizeof(counted) };
	struct iovec here = { &two, sizeof(two) }, there = { &both_write, sizeof(both_write) };
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, counting, NULL), 0);
	for (int i = 0; i < 3000; i++) {
		before = seen;
		CHECK_EQ(process_vm_readv(getpid(), &to, 1, &from, 1, 0), sizeof(seen));
		CHECK(seen >= before && seen <= counted);
		CHECK_EQ(process_vm_writev(getpid(), &here, 1, &there, 1, 0), sizeof(two));
		now = *(volatile long *)&both_write;
		CHECK(now == 1 || now == 2);
	}
	stop = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
}
