/* process_madvise(2): advice about another's memory, or one's own. */
#include "tap.h"
#include <sys/prctl.h>

#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif
static long advise(int fd, const void *v, unsigned long n, int advice, unsigned flags) { return syscall(440, fd, v, n, advice, flags); }
static int pidfd(int pid) { return syscall(SYS_pidfd_open, pid, 0); }
static char *memory(size_t len)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	memset(p, 7, len);
	return p;
}

TEST(own)
{
	char *p = memory(8 * 4096);
	struct iovec v[3] = { { p, 4096 }, { p + 8192, 0 }, { p + 8192, 8192 } };
	int fd = pidfd(getpid());

	CHECK_EQ(advise(fd, v, 3, MADV_COLD, 0), 3 * 4096);
	CHECK_EQ(advise(fd, v, 3, MADV_PAGEOUT, 0), 3 * 4096);
	CHECK_EQ(advise(fd, v, 3, MADV_WILLNEED, 0), 3 * 4096);
	for (int i = 0; i < 8 * 4096; i++)
		CHECK_EQ(p[i], 7);
	CHECK_EQ(advise(fd, v, 0, MADV_COLD, 0), 0);
}

TEST(refusals)
{
	char *p = memory(4 * 4096);
	struct iovec v[2] = { { p, 4096 }, { p + 4096, 4096 } };
	int fd = pidfd(getpid()), plain = open("/", O_RDONLY);

	CHECK_ERR(advise(fd, v, 1, MADV_DONTNEED, 0), EINVAL);
	CHECK_ERR(advise(fd, v, 1, MADV_NORMAL, 0), EINVAL);
	CHECK_ERR(advise(fd, v, 1, MADV_COLD, 1), EINVAL);
	CHECK_ERR(advise(fd, v, 1025, MADV_COLD, 0), EINVAL);
	CHECK_ERR(advise(fd, (void *)16, 1, MADV_COLD, 0), EFAULT);
	CHECK_ERR(advise(-1, v, 1, MADV_COLD, 0), EBADF);
	CHECK_ERR(advise(plain, v, 1, MADV_COLD, 0), EBADF);
	v[0].iov_base = p + 1;
	CHECK_ERR(advise(fd, v, 2, MADV_COLD, 0), EINVAL);
	v[0].iov_base = p;
	CHECK_EQ(munmap(p + 4096, 4096), 0);
	CHECK_EQ(advise(fd, v, 2, MADV_COLD, 0), 4096);		/* what was done before the hole */
	CHECK_ERR(advise(fd, v + 1, 1, MADV_COLD, 0), ENOMEM);
}

TEST(another)
{
	char *p = memory(4 * 4096), c;
	struct iovec v = { p, 4 * 4096 };
	int gate[2], fd, pid;

	CHECK_EQ(pipe(gate), 0);
	pid = fork();
	if (!pid) {
		close(gate[1]);
		read(gate[0], &c, 1);
		for (int i = 0; i < 4 * 4096; i++)
			if (p[i] != 7)
				_exit(1);
		_exit(0);
	}
	fd = pidfd(pid);
	CHECK_EQ(munmap(p, 4 * 4096), 0);
	CHECK_EQ(advise(fd, &v, 1, MADV_PAGEOUT, 0), 4 * 4096);
	CHECK_EQ(advise(fd, &v, 1, MADV_COLD, 0), 4 * 4096);
	close(gate[1]);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_ERR(advise(fd, &v, 1, MADV_COLD, 0), ESRCH);
}

/* Whose memory one may not read is EACCES; whose one may takes CAP_SYS_NICE besides. */
TEST(as_a_user)
{
	char *p = memory(4096), c;
	struct iovec v = { p, 4096 };
	int gate[2], fd, pid, init = pidfd(getppid());

	CHECK_EQ(setresgid(1000, 1000, 1000), 0);
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
	CHECK_EQ(pipe(gate), 0);
	pid = fork();
	if (!pid) {
		close(gate[1]);
		read(gate[0], &c, 1);
		_exit(0);
	}
	fd = pidfd(pid);
	CHECK_ERR(advise(fd, &v, 1, MADV_COLD, 0), EPERM);
	CHECK_ERR(advise(init, &v, 1, MADV_COLD, 0), EACCES);
	CHECK_ERR(advise(pidfd(getpid()), &v, 1, MADV_COLD, 0), EPERM);
	close(gate[1]);
	wait_status(pid);
}
