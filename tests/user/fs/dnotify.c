/* fcntl(2), F_NOTIFY: signals about what happens in a directory. */
#define _GNU_SOURCE
#include "tap.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SIG (SIGRTMIN + 3)

static void ready(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIG);
	sigaddset(&set, SIGIO);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	scratch();
}

/* How many of that signal wait, the last of them in *si. */
static int got(int sig, siginfo_t *si)
{
	struct timespec none = { 0, 0 };
	sigset_t set;
	int n = 0;

	sigemptyset(&set);
	sigaddset(&set, sig);
	while (sigtimedwait(&set, si, &none) == sig)
		n++;
	return n;
}
static int told(void) { siginfo_t si; return got(SIG, &si); }

static int dir_fd(const char *name)
{
	int fd = open(name, O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_SETSIG, SIG), 0);
	return fd;
}

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0600);

	CHECK(fd >= 0);
	close(fd);
}

TEST(what_happens_is_told)
{
	char c = 0, ents[2000];
	int fd, f;

	ready();
	fd = dir_fd(".");
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_CREATE), 0);
	touch("a");
	CHECK_EQ(told(), 1);
	CHECK(!mkdir("d", 0700) && !symlink("a", "s") && !link("a", "l"));
	CHECK_EQ(told(), 3);
	touch("a");
	CHECK_EQ(unlink("l"), 0);
	CHECK_EQ(told(), 0);
	CHECK_EQ(rename("s", "d/s"), 0);
	CHECK_EQ(told(), 0);
	CHECK_EQ(rename("d/s", "s"), 0);
	CHECK_EQ(told(), 1);

	CHECK_EQ(fcntl(fd, F_NOTIFY, 0), 0);
	touch("b");
	CHECK_EQ(told(), 0);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_DELETE), 0);
	CHECK_EQ(unlink("b"), 0);
	CHECK_EQ(told(), 1);
	CHECK_EQ(rename("s", "d/s"), 0);
	CHECK_EQ(rmdir("d") == -1 && errno == ENOTEMPTY, 1);
	CHECK_EQ(told(), 1);

	CHECK_EQ(fcntl(fd, F_NOTIFY, 0), 0);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_RENAME), 0);
	CHECK_EQ(rename("d/s", "s"), 0);
	CHECK_EQ(told(), 0);		/* from elsewhere */
	CHECK_EQ(rename("s", "t"), 0);
	CHECK_EQ(told(), 1);

	CHECK_EQ(fcntl(fd, F_NOTIFY, 0), 0);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_MODIFY), 0);
	f = open("a", O_RDWR);
	CHECK_EQ(write(f, "x", 1), 1);
	CHECK_EQ(ftruncate(f, 0), 0);
	CHECK_EQ(told(), 2);
	CHECK_EQ(pread(f, &c, 1, 0), 0);
	CHECK_EQ(pwrite(f, "y", 1, 0), 1);
	CHECK_EQ(told(), 1);

	CHECK_EQ(fcntl(fd, F_NOTIFY, 0), 0);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_ACCESS), 0);
	CHECK_EQ(pread(f, &c, 1, 0), 1);
	CHECK_EQ(told(), 1);
	CHECK(syscall(SYS_getdents64, fd, ents, sizeof(ents)) > 0);
	CHECK_EQ(told(), 1);
	CHECK_EQ(write(f, "z", 1), 1);
	CHECK_EQ(told(), 0);

	CHECK_EQ(fcntl(fd, F_NOTIFY, 0), 0);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_ATTRIB), 0);
	CHECK_EQ(chmod("a", 0640), 0);
	CHECK_EQ(utimensat(AT_FDCWD, "a", NULL, 0), 0);
	CHECK_EQ(told(), 2);
	CHECK_EQ(chmod(".", 0711), 0);		/* the directory itself */
	CHECK_EQ(told(), 1);
}

TEST(once_unless_asked_for_more)
{
	int fd;

	ready();
	fd = dir_fd(".");
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE), 0);
	touch("a");
	touch("b");
	CHECK_EQ(unlink("a"), 0);
	CHECK_EQ(told(), 1);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_CREATE), 0);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_DELETE), 0);	/* and that */
	touch("c");
	CHECK_EQ(told(), 1);
	CHECK_EQ(unlink("b"), 0);
	CHECK_EQ(told(), 0);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT), 0);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_DELETE), 0);
	CHECK_EQ(unlink("c"), 0);
	touch("d");
	CHECK_EQ(told(), 2);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT), 0);	/* of nothing */
	touch("e");
	CHECK_EQ(told(), 0);
}

TEST(the_signal_says_which)
{
	siginfo_t si;
	int fd, fd2;

	ready();
	CHECK_EQ(mkdir("d", 0700), 0);
	fd = dir_fd(".");
	fd2 = dir_fd("d");
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_CREATE), 0);
	CHECK_EQ(fcntl(fd2, F_NOTIFY, DN_MULTISHOT | DN_CREATE), 0);
	CHECK_EQ(fcntl(fd, F_GETOWN), getpid());
	touch("d/a");
	CHECK_EQ(got(SIG, &si), 1);
	CHECK_EQ(si.si_fd, fd2);
	CHECK_EQ(si.si_code, POLL_MSG);
	CHECK_EQ(si.si_band, POLLIN | POLLRDNORM | POLLMSG);
	touch("a");
	CHECK_EQ(got(SIG, &si), 1);
	CHECK_EQ(si.si_fd, fd);
	CHECK_EQ(fcntl(fd, F_SETSIG, 0), 0);	/* after it was asked for */
	touch("b");
	CHECK_EQ(got(SIG, &si), 0);
	CHECK_EQ(got(SIGIO, &si), 1);
	CHECK_EQ(si.si_code, SI_KERNEL);
	CHECK_EQ(fcntl(fd, F_SETSIG, SIGIO), 0);
	touch("c");
	CHECK_EQ(got(SIGIO, &si), 1);
	CHECK_EQ(si.si_code, POLL_MSG);
	CHECK_EQ(si.si_fd, fd);
}

TEST(another_owner_is_told)
{
	int fd, st, in[2], out[2];
	pid_t pid;
	char c;

	ready();
	CHECK(!pipe(in) && !pipe(out));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		siginfo_t si;

		if (write(out[1], "r", 1) != 1 || read(in[0], &c, 1) != 1)
			_exit(9);
		_exit(got(SIG, &si));
	}
	CHECK_EQ(read(out[0], &c, 1), 1);
	fd = dir_fd(".");
	CHECK_EQ(fcntl(fd, F_SETOWN, pid), 0);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_CREATE), 0);
	CHECK_EQ(fcntl(fd, F_GETOWN), pid);
	touch("a");
	touch("b");
	CHECK_EQ(fcntl(fd, F_SETOWN, getpid()), 0);
	touch("c");
	CHECK_EQ(told(), 1);
	CHECK_EQ(write(in[1], "g", 1), 1);
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK_EQ(st, 2 << 8);
}

TEST(a_close_ends_it)
{
	int fd, two, st;
	pid_t pid;

	ready();
	fd = dir_fd(".");
	two = dup(fd);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_CREATE), 0);
	close(two);		/* any descriptor of it */
	touch("a");
	CHECK_EQ(told(), 0);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_CREATE), 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(fd);		/* another table's */
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	touch("b");
	CHECK_EQ(told(), 1);
	close(fd);
	touch("c");
	CHECK_EQ(told(), 0);
	fd = dir_fd(".");
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_CREATE), 0);
	two = open("/", O_RDONLY);
	CHECK_EQ(dup2(two, fd), fd);
	touch("d");
	CHECK_EQ(told(), 0);
}

TEST(two_files_are_told_apart)
{
	int a, b;

	ready();
	a = dir_fd(".");
	b = dir_fd(".");
	CHECK_EQ(fcntl(a, F_NOTIFY, DN_CREATE), 0);
	CHECK_EQ(fcntl(b, F_NOTIFY, DN_MULTISHOT | DN_CREATE | DN_DELETE), 0);
	touch("a");
	CHECK_EQ(told(), 2);
	CHECK_EQ(unlink("a"), 0);
	CHECK_EQ(told(), 1);
	close(b);
	touch("a");
	CHECK_EQ(told(), 0);
}

TEST(a_directory_that_goes)
{
	int fd, up;

	ready();
	CHECK_EQ(mkdir("d", 0700), 0);
	fd = dir_fd("d");
	up = dir_fd(".");
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_DELETE | DN_CREATE), 0);
	CHECK_EQ(fcntl(up, F_NOTIFY, DN_DELETE), 0);
	CHECK_EQ(rmdir("d"), 0);
	CHECK_EQ(told(), 1);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_DELETE), 0);
	close(fd);
	close(up);
	CHECK_EQ(told(), 0);
}

TEST(what_is_refused)
{
	int fd, f, p;

	ready();
	touch("f");
	f = open("f", O_RDWR);
	fd = open(".", O_RDONLY);
	p = open(".", O_PATH);
	CHECK_ERR(fcntl(f, F_NOTIFY, DN_CREATE), ENOTDIR);
	CHECK_EQ(fcntl(f, F_NOTIFY, 0), 0);
	CHECK_ERR(fcntl(p, F_NOTIFY, DN_CREATE), EBADF);
	CHECK_ERR(fcntl(99, F_NOTIFY, DN_CREATE), EBADF);
	write_file("/proc/sys/fs/dir-notify-enable", "0\n");
	CHECK_ERR(fcntl(fd, F_NOTIFY, DN_CREATE), EINVAL);
	write_file("/proc/sys/fs/dir-notify-enable", "1\n");
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_CREATE), 0);
}

static volatile int stop;
static int shared_fd;
static int closer(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		close(__atomic_load_n(&shared_fd, __ATOMIC_ACQUIRE));
	return 0;
}

/* One closes what another asks with: nothing may be left that tells of a file that is gone. */
TEST(closed_while_asked_for)
{
	static char stack[65536] __attribute__((aligned(16)));
	int st, fd;
	pid_t pid;

	ready();
	shared_fd = -1;
	pid = clone(closer, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
	CHECK(pid > 0);
	for (int i = 0; i < 300; i++) {
		fd = open(".", O_RDONLY);
		__atomic_store_n(&shared_fd, fd, __ATOMIC_RELEASE);
		fcntl(fd, F_SETSIG, SIG);
		fcntl(fd, F_NOTIFY, DN_MULTISHOT | DN_CREATE);
		__atomic_store_n(&shared_fd, -1, __ATOMIC_RELEASE);
		close(fd);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	told();
	touch("a");
	CHECK_EQ(told(), 0);
}
