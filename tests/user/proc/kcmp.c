/* kcmp: what two processes share; and its order, which tells no addresses. */
#include "../tap.h"
#include <linux/kcmp.h>
#include <sys/epoll.h>

static long kcmp(int a, int b, int kind, unsigned long i, unsigned long k) { return syscall(SYS_kcmp, a, b, kind, i, k); }
static int child_fn(void *arg) { for (;;) pause(); return 0; }
static char stack[65536] __attribute__((aligned(16)));
static int child(int flags)
{
	int pid = clone(child_fn, stack + sizeof(stack), flags | SIGCHLD, NULL);
	CHECK(pid > 0);
	return pid;
}
static void end(int pid) { kill(pid, SIGKILL); wait_status(pid); }

TEST(with_oneself)
{
	int me = getpid();
	for (int kind = KCMP_VM; kind <= KCMP_SYSVSEM; kind++) CHECK_EQ(kcmp(me, me, kind, 0, 0), 0);
	CHECK_EQ(kcmp(me, me, KCMP_FILE, 1, 1), 0);
}
TEST(what_a_fork_shares)
{
	int me = getpid(), pid = child(0);
	CHECK(kcmp(me, pid, KCMP_VM, 0, 0) > 0);
	CHECK(kcmp(me, pid, KCMP_FILES, 0, 0) > 0);
	CHECK(kcmp(me, pid, KCMP_FS, 0, 0) > 0);
	CHECK(kcmp(me, pid, KCMP_SIGHAND, 0, 0) > 0);
	CHECK_EQ(kcmp(me, pid, KCMP_FILE, 1, 1), 0);
	CHECK_EQ(kcmp(me, pid, KCMP_VM, 0, 0) + kcmp(pid, me, KCMP_VM, 0, 0), 3);	/* one is before the other */
	end(pid);
}
TEST(what_a_clone_shares)
{
	int me = getpid(), pid = child(CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND);
	CHECK_EQ(kcmp(me, pid, KCMP_VM, 0, 0), 0);
	CHECK_EQ(kcmp(me, pid, KCMP_FILES, 0, 0), 0);
	CHECK_EQ(kcmp(me, pid, KCMP_FS, 0, 0), 0);
	CHECK_EQ(kcmp(me, pid, KCMP_SIGHAND, 0, 0), 0);
	end(pid);
	pid = child(CLONE_FILES);
	CHECK_EQ(kcmp(me, pid, KCMP_FILES, 0, 0), 0);
	CHECK(kcmp(me, pid, KCMP_FS, 0, 0) > 0);
	end(pid);
}
TEST(files)
{
	int me = getpid(), a = open("/dev/null", O_RDONLY), b = open("/dev/null", O_RDONLY), d = dup(a);
	CHECK_EQ(kcmp(me, me, KCMP_FILE, a, d), 0);
	long r = kcmp(me, me, KCMP_FILE, a, b);
	CHECK(r == 1 || r == 2);
	CHECK_EQ(kcmp(me, me, KCMP_FILE, b, d), 3 - r);
	CHECK_ERR(kcmp(me, me, KCMP_FILE, a, 999), EBADF);
	CHECK_ERR(kcmp(me, me, KCMP_FILE, -1, a), EBADF);
}
TEST(the_order_is_one)
{
	int me = getpid(), fd[12], rank[12];
	for (int i = 0; i < 12; i++) fd[i] = open("/dev/null", O_RDONLY);
	for (int i = 0; i < 12; i++) {
		rank[i] = 0;
		for (int k = 0; k < 12; k++) rank[i] += kcmp(me, me, KCMP_FILE, fd[k], fd[i]) == 1;
	}
	for (int i = 0; i < 12; i++)
		for (int k = 0; k < i; k++) CHECK(rank[i] != rank[k]);
}
TEST(what_epoll_watches)
{
	int me = getpid(), ep = epoll_create1(0), p[2], q[2];
	struct epoll_event e = { .events = EPOLLIN };
	CHECK(pipe(p) == 0 && pipe(q) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	struct kcmp_epoll_slot s = { .efd = ep, .tfd = p[0] };
	CHECK_EQ(kcmp(me, me, KCMP_EPOLL_TFD, p[0], (unsigned long)&s), 0);
	CHECK(kcmp(me, me, KCMP_EPOLL_TFD, q[0], (unsigned long)&s) > 0);
	int keep = dup(p[0]);			/* the number is another file's now, the item stays */
	CHECK(dup2(q[0], p[0]) == p[0] && epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	long first = kcmp(me, me, KCMP_EPOLL_TFD, keep, (unsigned long)&s);
	s.toff = 1;
	long second = kcmp(me, me, KCMP_EPOLL_TFD, keep, (unsigned long)&s);
	CHECK((first == 0) + (second == 0) == 1);
	s.toff = 2;
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, keep, (unsigned long)&s), ENOENT);
	s = (struct kcmp_epoll_slot){ .efd = ep, .tfd = 555 };
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, keep, (unsigned long)&s), ENOENT);
	s.efd = q[0];
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, keep, (unsigned long)&s), EINVAL);
	s.efd = 999;
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, keep, (unsigned long)&s), EBADF);
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, 999, (unsigned long)&s), EBADF);
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, keep, 8), EFAULT);
}
TEST(who_may_ask)
{
	int me = getpid(), pid;
	CHECK_ERR(kcmp(me, me, KCMP_TYPES, 0, 0), EINVAL);
	CHECK_ERR(kcmp(me, me, -1, 0, 0), EINVAL);
	CHECK_ERR(kcmp(me, 0x7ffffff0, KCMP_VM, 0, 0), ESRCH);
	CHECK_ERR(kcmp(0, me, KCMP_VM, 0, 0), ESRCH);
	CHECK_ERR(kcmp(-1, me, KCMP_VM, 0, 0), ESRCH);
	pid = fork();
	if (!pid) {
		CHECK(setresuid(1000, 1000, 1000) == 0);
		CHECK_ERR(kcmp(getpid(), getppid(), KCMP_VM, 0, 0), EPERM);
		CHECK_ERR(kcmp(getppid(), getpid(), KCMP_VM, 0, 0), EPERM);
		CHECK_ERR(kcmp(getppid(), getpid(), 99, 0, 0), EPERM);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}
