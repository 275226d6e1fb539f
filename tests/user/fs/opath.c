/* A descriptor opened with O_PATH names a place, and is EBADF to every call that wants an open file. */
#include "tap.h"
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/file.h>

static char buf[4096];

static void refused_by_all(int fd)
{
	off_t off = 0;
	int good = open("good", O_RDWR | O_CREAT, 0600);
	struct iovec v = { buf, 1 };
	CHECK_ERR(read(fd, buf, 1), EBADF);
	CHECK_ERR(write(fd, buf, 1), EBADF);
	CHECK_ERR(readv(fd, &v, 1), EBADF);
	CHECK_ERR(writev(fd, &v, 1), EBADF);
	CHECK_ERR(pread(fd, buf, 1, 0), EBADF);
	CHECK_ERR(pwrite(fd, buf, 1, 0), EBADF);
	CHECK_ERR(preadv(fd, &v, 1, 0), EBADF);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), EBADF);
	CHECK_ERR(syscall(SYS_getdents64, fd, buf, sizeof(buf)), EBADF);
	CHECK_ERR(ioctl(fd, 0x5401 /* TCGETS */, buf), EBADF);
	CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0, EBADF);
	CHECK_ERR(ftruncate(fd, 0), EBADF);
	CHECK_ERR(fallocate(fd, 0, 0, 1), EBADF);
	CHECK_ERR(syscall(SYS_fchmod, fd, 0600), EBADF);	/* musl would go round by /proc */
	CHECK_ERR(syscall(SYS_fchown, fd, 0, 0), EBADF);
	CHECK_ERR(futimens(fd, NULL), EBADF);
	CHECK_ERR(fsync(fd), EBADF);
	CHECK_ERR(fdatasync(fd), EBADF);
	CHECK_ERR(syncfs(fd), EBADF);
	CHECK_ERR(flock(fd, LOCK_SH), EBADF);
	CHECK_ERR(sendfile(good, fd, &off, 1), EBADF);
	CHECK_ERR(sendfile(fd, good, &off, 1), EBADF);
	CHECK_ERR(copy_file_range(fd, NULL, good, NULL, 1, 0), EBADF);
	CHECK_ERR(posix_fadvise(fd, 0, 0, 0) == EBADF ? (errno = EBADF, -1) : 0, EBADF);
	struct flock fl = { .l_type = F_RDLCK };
	CHECK_ERR(fcntl(fd, F_SETLK, &fl), EBADF);
	CHECK_ERR(fcntl(fd, F_SETFL, 0), EBADF);
	CHECK_ERR(fcntl(fd, F_GETOWN), EBADF);
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), EBADF);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLNVAL);
}

static void taken_by_some(int fd)
{
	struct stat st;
	struct statfs fs;
	CHECK(fstat(fd, &st) == 0);
	CHECK(fstatfs(fd, &fs) == 0);
	CHECK(fcntl(fd, F_GETFL) & O_PATH);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	int d = dup(fd);
	CHECK(d >= 0);
	CHECK_EQ(close(d), 0);
}

TEST(on_a_directory)
{
	scratch();
	int fd = open(".", O_PATH);
	CHECK(fd >= 0);
	refused_by_all(fd);
	taken_by_some(fd);
	CHECK_EQ(fchdir(fd), 0);
	CHECK_EQ(faccessat(fd, "good", R_OK, 0), 0);
}

TEST(on_a_file)
{
	scratch();
	write_file("f", "x");
	int fd = open("f", O_PATH);
	CHECK(fd >= 0);
	refused_by_all(fd);
	taken_by_some(fd);
	CHECK_ERR(fchdir(fd), ENOTDIR);
}

TEST(on_devices_and_a_link)
{
	scratch();
	int fd = open("/dev/null", O_PATH);
	CHECK(fd >= 0);
	refused_by_all(fd);
	taken_by_some(fd);
	CHECK_EQ(symlink("nowhere", "l"), 0);
	fd = open("l", O_PATH | O_NOFOLLOW);
	CHECK(fd >= 0);
	refused_by_all(fd);
	CHECK_EQ(readlinkat(fd, "", buf, sizeof(buf)), 7);
	CHECK_EQ(mkfifo("p", 0600), 0);
	fd = open("p", O_PATH);
	refused_by_all(fd);
}
