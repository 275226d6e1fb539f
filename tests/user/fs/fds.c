/* Descriptor tables and locks. */
#include "tap.h"
#include <sys/file.h>

TEST(dup_and_cloexec)
{
	int fd = open("/dev/null", O_RDWR);
	int d = dup(fd);
	CHECK(d > fd);
	CHECK_EQ(fcntl(d, F_GETFD), 0);
	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_EQ(dup2(fd, 50), 50);
	CHECK_EQ(dup3(fd, 51, O_CLOEXEC), 51);
	CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(dup3(fd, 52, 0x1234), EINVAL);
	CHECK_ERR(dup2(fd, -1), EBADF);
	CHECK_ERR(dup2(fd, 100000), EBADF);
	CHECK_EQ(fcntl(fd, F_DUPFD, 100), 100);
	CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 100), 101);
	CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(fcntl(fd, F_DUPFD, 1 << 20), EINVAL);
	CHECK_ERR(fcntl(fd, F_DUPFD, -1), EINVAL);
	CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK_ERR(fcntl(fd, 9999), EINVAL);
	CHECK(close(d) == 0);
	CHECK_ERR(close(d), EBADF);
	CHECK_EQ(open("/dev/null", O_RDONLY), d);	/* the lowest free one */
	CHECK_EQ(syscall(SYS_close_range, 40, ~0u, 0), 0);
	CHECK_ERR(fcntl(50, F_GETFD), EBADF);
}

TEST(shared_position)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600), d = dup(fd);
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(lseek(d, 0, SEEK_CUR), 3);
	pid_t pid = fork();
	if (pid == 0) { lseek(d, 1, SEEK_SET); _exit(0); }
	wait_status(pid);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1);
	CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0 && (fcntl(d, F_GETFL) & O_APPEND));
}

TEST(ten_thousand_descriptors)
{
	struct rlimit rl = { 10100, 10100 };
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	int n = 0, fd;
	while ((fd = open("/dev/null", O_RDONLY)) >= 0) { CHECK(fd < 10100); n++; }
	CHECK_EQ(errno, EMFILE);
	CHECK(n > 10000);
	CHECK_ERR(dup(0), EMFILE);
	int p[2];
	CHECK_ERR(pipe(p), EMFILE);
	pid_t pid = fork();
	if (pid == 0) _exit(close(10000) == 0 ? 0 : 1);
	CHECK(EXITED(wait_status(pid), 0));
	for (int i = 3; i < 10100; i++) close(i);
	CHECK(open("/dev/null", O_RDONLY) == 3);
}

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
	return fcntl(fd, cmd, &l);
}

TEST(posix_locks)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK(lock(fd, F_SETLK, F_WRLCK, 10, 10) == 0);
	pid_t me = getpid(), pid = fork();
	if (pid == 0) {
		struct flock l = { .l_type = F_WRLCK, .l_start = 0, .l_len = 100 };
		int f2 = open("f", O_RDWR);
		if (lock(f2, F_SETLK, F_RDLCK, 15, 1) != -1 || (errno != EAGAIN && errno != EACCES)) _exit(1);
		if (lock(f2, F_SETLK, F_WRLCK, 20, 5) != 0) _exit(2);
		if (fcntl(f2, F_GETLK, &l) != 0 || l.l_type != F_WRLCK || l.l_pid != me || l.l_start != 10 || l.l_len != 10) _exit(3);
		_exit(0);
	}
	CHECK_EQ(WEXITSTATUS(wait_status(pid)), 0);
	/* The child's lock went with it; closing any descriptor of the file drops ours. */
	CHECK(lock(fd, F_SETLK, F_WRLCK, 20, 5) == 0);
	close(open("f", O_RDONLY));
	pid = fork();
	if (pid == 0) _exit(lock(open("f", O_RDWR), F_SETLK, F_WRLCK, 0, 0) == 0 ? 0 : 1);
	CHECK_EQ(WEXITSTATUS(wait_status(pid)), 0);
	CHECK_ERR(lock(fd, F_SETLK, 77, 0, 1), EINVAL);
	CHECK_ERR(lock(fd, F_SETLK, F_RDLCK, -5, 1), EINVAL);
	CHECK_ERR(lock(open("f", O_RDONLY), F_SETLK, F_WRLCK, 0, 1), EBADF);
}

TEST(posix_locks_wait_split_and_deadlock)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600), p[2];
	char c;
	CHECK(pipe(p) == 0);
	CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 30) == 0);
	CHECK(lock(fd, F_SETLK, F_UNLCK, 10, 10) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		int f2 = open("f", O_RDWR);
		if (lock(f2, F_SETLK, F_WRLCK, 10, 10) != 0) _exit(1);
		write(p[1], "x", 1);
		_exit(lock(f2, F_SETLKW, F_WRLCK, 0, 5) == 0 ? 0 : 2);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	wait_state(pid, 'S');
	CHECK_ERR(lock(fd, F_SETLKW, F_WRLCK, 10, 1), EDEADLK);
	CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
	CHECK_EQ(WEXITSTATUS(wait_status(pid)), 0);
}

TEST(ofd_locks)
{
	scratch();
	int a = open("f", O_RDWR | O_CREAT, 0600), b = open("f", O_RDWR);
	struct flock l = { .l_type = F_WRLCK, .l_len = 10 };
	CHECK(fcntl(a, F_OFD_SETLK, &l) == 0);
	CHECK_ERR(fcntl(b, F_OFD_SETLK, &l), EAGAIN);
	l.l_pid = 0;
	CHECK(fcntl(b, F_OFD_GETLK, &l) == 0 && l.l_type == F_WRLCK && l.l_pid == -1);
	int d = dup(a);
	close(a);
	l.l_pid = 0; l.l_type = F_WRLCK; l.l_start = 0; l.l_len = 10;
	CHECK_ERR(fcntl(b, F_OFD_SETLK, &l), EAGAIN);
	close(d);
	CHECK(fcntl(b, F_OFD_SETLK, &l) == 0);
	struct flock far = { .l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = LONG_MAX };
	CHECK(lseek(b, 1, SEEK_SET) == 1);
	CHECK_ERR(fcntl(b, F_OFD_SETLK, &far), EOVERFLOW);
	CHECK_ERR(fcntl(b, F_SETLK, &far), EOVERFLOW);
	l.l_pid = 5;
	CHECK_ERR(fcntl(b, F_OFD_SETLK, &l), EINVAL);
}

TEST(flock_calls)
{
	scratch();
	int a = open("f", O_RDWR | O_CREAT, 0600), b = open("f", O_RDWR);
	CHECK(flock(a, LOCK_EX) == 0);
	CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EAGAIN);
	CHECK(flock(a, LOCK_SH) == 0);
	CHECK(flock(b, LOCK_SH | LOCK_NB) == 0);
	CHECK_ERR(flock(a, LOCK_EX | LOCK_NB), EAGAIN);
	CHECK(flock(b, LOCK_UN) == 0);
	CHECK(flock(a, LOCK_EX | LOCK_NB) == 0);
	CHECK_ERR(flock(a, 77), EINVAL);
	pid_t pid = fork();
	if (pid == 0) _exit(flock(b, LOCK_EX) == 0 ? 0 : 1);
	wait_state(pid, 'S');
	CHECK(flock(a, LOCK_UN) == 0);
	CHECK_EQ(WEXITSTATUS(wait_status(pid)), 0);
}
