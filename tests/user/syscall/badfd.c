/* Bad descriptors give EBADF, and the wrong kind of descriptor its own errno. */
#include "tap.h"

static const struct { const char *name; long nr; long a[5]; } rows[] = {
	{ "read", SYS_read, { 0, 0, 0 } }, { "write", SYS_write, { 0, 0, 0 } },
	{ "close", SYS_close, { 0 } }, { "fstat", SYS_fstat, { 0, 4096 } },
	{ "lseek", SYS_lseek, { 0, 0, 0 } }, { "dup", SYS_dup, { 0 } },
	{ "dup3", SYS_dup3, { 0, 5, 0 } }, { "fcntl", SYS_fcntl, { 0, F_GETFD, 0 } },
	{ "ioctl", SYS_ioctl, { 0, TCGETS, 0 } }, { "fsync", SYS_fsync, { 0 } },
	{ "fdatasync", SYS_fdatasync, { 0 } }, { "ftruncate", SYS_ftruncate, { 0, 0 } },
	{ "fchmod", SYS_fchmod, { 0, 0 } }, { "fchown", SYS_fchown, { 0, 0, 0 } },
	{ "fchdir", SYS_fchdir, { 0 } }, { "getdents64", SYS_getdents64, { 0, 0, 100 } },
	{ "readv", SYS_readv, { 0, 0, 0 } }, { "writev", SYS_writev, { 0, 0, 0 } },
	{ "pread64", SYS_pread64, { 0, 0, 0, 0 } }, { "pwrite64", SYS_pwrite64, { 0, 0, 0, 0 } },
	{ "flock", SYS_flock, { 0, 2 } }, { "fallocate", SYS_fallocate, { 0, 0, 0, 1 } },
	{ "epoll_pwait", SYS_epoll_pwait, { 0, 4096, 1, 0, 0 } }, { "syncfs", SYS_syncfs, { 0 } },
	{ "fstatfs", SYS_fstatfs, { 0, 4096 } }, { "bind", SYS_bind, { 0, 4096, 2 } }, { "connect", SYS_connect, { 0, 4096, 0 } },
	{ "listen", SYS_listen, { 0, 1 } }, { "accept", SYS_accept, { 0, 0, 0 } }, { "accept4", SYS_accept4, { 0, 0, 0, 0 } },
	{ "getsockname", SYS_getsockname, { 0, 4096, 4096 } }, { "getpeername", SYS_getpeername, { 0, 4096, 4096 } },
	{ "sendto", SYS_sendto, { 0, 4096, 0, 0, 0 } }, { "recvfrom", SYS_recvfrom, { 0, 4096, 0, 0, 0 } }, { "shutdown", SYS_shutdown, { 0, 2 } },
	{ "setsockopt", SYS_setsockopt, { 0, 1, 2, 4096, 4 } }, { "getsockopt", SYS_getsockopt, { 0, 1, 2, 4096, 4096 } },
	{ "sendmsg", SYS_sendmsg, { 0, 4096, 0 } }, { "recvmsg", SYS_recvmsg, { 0, 4096, 0 } }, { "sendmmsg", SYS_sendmmsg, { 0, 4096, 1, 0 } },
	{ "recvmmsg", SYS_recvmmsg, { 0, 4096, 1, 0, 0 } },
};

TEST(bad_descriptors_are_ebadf)
{
	static const long bad[] = { -1, 77, 1023, 1024, 1 << 20, INT_MAX, INT_MIN };
	int wrong = 0;
	for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
		for (unsigned b = 0; b < sizeof(bad) / sizeof(bad[0]); b++) {
			errno = 0;
			long ret = syscall(rows[r].nr, bad[b], rows[r].a[1], rows[r].a[2], rows[r].a[3], rows[r].a[4]);
			if (ret != -1 || errno != EBADF) {
				printf("# %s(%ld) gives %ld errno %d\n", rows[r].name, bad[b], ret, errno);
				wrong++;
			}
		}
	CHECK_EQ(wrong, 0);
}

TEST(wrong_kinds)
{
	int p[2];
	char c;
	CHECK(pipe(p) == 0);
	CHECK_ERR(lseek(p[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERR(pread(p[0], &c, 1, 0), ESPIPE);
	CHECK_ERR(ftruncate(p[1], 0), EINVAL);
	CHECK_ERR(read(p[1], &c, 1), EBADF);
	CHECK_ERR(write(p[0], &c, 1), EBADF);
	int d = open("/tmp", O_RDONLY);
	CHECK_ERR(read(d, &c, 1), EISDIR);
	CHECK_ERR(write(d, &c, 1), EBADF);
	CHECK_ERR(open("/tmp", O_RDWR), EISDIR);
	CHECK_ERR(ioctl(p[0], TIOCGWINSZ, &c), ENOTTY);
	int f = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	if (f >= 0) {
		CHECK_ERR(syscall(SYS_getdents64, f, &c, 100), ENOTDIR);
		CHECK_ERR(fchdir(f), ENOTDIR);
		CHECK_ERR(lseek(f, -1, SEEK_SET), EINVAL);
		CHECK_ERR(lseek(f, 0, 99), EINVAL);
		CHECK_ERR(pread(f, &c, 1, -1), EINVAL);
	}
	CHECK_ERR(openat(p[0], "x", O_RDONLY), ENOTDIR);
	CHECK_ERR(openat(-5, "x", O_RDONLY), EBADF);
	CHECK_ERR(syscall(SYS_dup3, p[0], p[0], 0), EINVAL);
}

TEST(huge_and_odd_sizes)
{
	int f = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	char buf[16];
	struct iovec v[2] = { { buf, 8 }, { buf, (size_t)-1 } };
	CHECK(f >= 0);
	CHECK_EQ(read(f, buf, 0), 0);
	CHECK_EQ(read(f, NULL, 0), 0);
	CHECK_EQ(write(f, "x", 1), 1);
	CHECK_EQ(lseek(f, 0, SEEK_SET), 0);
	CHECK_ERR(readv(f, v, -1), EINVAL);
	CHECK_ERR(readv(f, v, 1025), EINVAL);
	CHECK_ERR(readv(f, v, 2), EINVAL);
	CHECK_EQ(readv(f, v, 0), 0);
	CHECK_ERR(pread(f, buf, 1, LONG_MIN), EINVAL);
	CHECK_ERR(ftruncate(f, -1), EINVAL);
	CHECK_ERR(syscall(SYS_getcwd, buf, 0), ERANGE);
	CHECK_ERR(syscall(SYS_getcwd, buf, 1), ERANGE);
	CHECK_ERR(syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", buf, -1), EINVAL);
}
