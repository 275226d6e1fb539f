/* Descriptors that name processes: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), CLONE_PIDFD, waitid(P_PIDFD). */
#include "tap.h"
#include <linux/sched.h>
#include <pthread.h>
#include <sys/epoll.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_open_(pid_t pid, unsigned flags) { return (int)syscall(SYS_pidfd_open, pid, flags); }
static int send_signal(int fd, int sig, siginfo_t *si, unsigned flags) { return (int)syscall(SYS_pidfd_send_signal, fd, sig, si, flags); }
static int getfd(int pidfd, int fd, unsigned flags) { return (int)syscall(SYS_pidfd_getfd, pidfd, fd, flags); }
/* As the kernel does it: musl hides __WALL and others from nobody, but P_PIDFD is not its own. */
static int wait_fd(int fd, siginfo_t *si, int options) { return (int)syscall(SYS_waitid, P_PIDFD, fd, si, options, NULL); }

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	CHECK(pid > 0);
	return pid;
}

static int readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

TEST(open_tells_bad_numbers)
{
	CHECK_ERR(pidfd_open_(0, 0), EINVAL);
	CHECK_ERR(pidfd_open_(-1, 0), EINVAL);
	CHECK_ERR(pidfd_open_(getpid(), 1), EINVAL);
	CHECK_ERR(pidfd_open_(0x3ffffff, 0), ESRCH);
}

TEST(a_descriptor_is_closed_by_exec_and_says_whom_it_names)
{
	int fd = pidfd_open_(getpid(), 0);
	char path[64], text[256], want[64];

	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(text, 0, sizeof(text));
	CHECK(readlink(path, text, sizeof(text) - 1) > 0);
	CHECK(!strcmp(text, "anon_inode:[pidfd]"));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(read_file(path, text, sizeof(text)) > 0);
	snprintf(want, sizeof(want), "\nPid:\t%d\nNSpid:\t%d\n", getpid(), getpid());
	CHECK(strstr(text, want));
	CHECK_ERR(read(fd, text, 1), EINVAL);
	CHECK_ERR(write(fd, text, 1), EINVAL);
	CHECK_EQ(fcntl(pidfd_open_(getpid(), O_NONBLOCK), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

TEST(it_is_readable_when_its_process_has_ended)
{
	pid_t pid = sleeper();
	int fd = pidfd_open_(pid, 0), ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN }, got;
	char path[64], text[256];

	CHECK(fd >= 0 && ep >= 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	CHECK_EQ(readable(fd), 0);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(epoll_wait(ep, &got, 1, -1), 1);
	CHECK_EQ(got.events, EPOLLIN);
	CHECK_EQ(readable(fd), POLLIN);
	CHECK_EQ(send_signal(fd, 0, NULL, 0), 0);	/* a zombie takes signals */
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_EQ(readable(fd), POLLIN);
	CHECK_ERR(send_signal(fd, 0, NULL, 0), ESRCH);
	CHECK_ERR(getfd(fd, 0, 0), ESRCH);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(read_file(path, text, sizeof(text)) > 0);
	CHECK(strstr(text, "\nPid:\t-1\n"));
}

TEST(a_number_given_again_is_not_meant)
{
	pid_t pid = sleeper();
	int fd = pidfd_open_(pid, 0);

	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 20; i++) {
		pid_t other = sleeper();

		CHECK_ERR(send_signal(fd, SIGKILL, NULL, 0), ESRCH);
		CHECK_EQ(kill(other, SIGKILL), 0);
		CHECK_EQ(waitpid(other, NULL, 0), other);
	}
}

static void *second(void *arg)
{
	*(pid_t *)arg = (pid_t)syscall(SYS_gettid);
	pause();
	return NULL;
}

TEST(a_thread_is_not_a_process)
{
	volatile pid_t tid = 0;
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, second, (void *)&tid), 0);
	while (!tid)
		sched_yield();
	CHECK_ERR(pidfd_open_(tid, 0), EINVAL);
}

static void *last_thread(void *arg)
{
	char c;

	if (read(*(int *)arg, &c, 1) < 0)
		_exit(9);
	_exit(5);
}

TEST(a_process_has_ended_with_its_last_thread)
{
	int p[2], said[2], status;
	pthread_t t;
	pid_t pid;
	char c;

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(pipe(said), 0);
	pid = fork();
	if (!pid) {
		pthread_create(&t, NULL, last_thread, &p[0]);
		if (write(said[1], "x", 1) != 1)
			_exit(8);
		syscall(SYS_exit, 0);	/* the first thread only */
	}
	CHECK_EQ(read(said[0], &c, 1), 1);
	for (int i = 0; i < 100; i++)
		sched_yield();
	CHECK_EQ(readable(pidfd_open_(pid, 0)), 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

static volatile siginfo_t seen;
static void note(int sig, siginfo_t *si, void *ctx) { (void)sig; (void)ctx; seen = *si; }

TEST(signals_say_what_the_sender_may_say)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	int self = pidfd_open_(getpid(), 0), other = pidfd_open_(getppid(), 0);
	siginfo_t si;

	CHECK_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
	CHECK_EQ(send_signal(self, SIGUSR1, NULL, 0), 0);
	CHECK_EQ(seen.si_code, SI_USER);
	CHECK_EQ(seen.si_pid, getpid());
	memset(&si, 0, sizeof(si));
	si.si_signo = SIGUSR1;
	si.si_code = SI_QUEUE;
	si.si_value.sival_int = 77;
	CHECK_EQ(send_signal(self, SIGUSR1, &si, 0), 0);
	CHECK_EQ(seen.si_code, SI_QUEUE);
	CHECK_EQ(seen.si_value.sival_int, 77);
	CHECK_ERR(send_signal(self, SIGUSR2, &si, 0), EINVAL);
	si.si_code = SI_USER;
	CHECK_EQ(send_signal(self, SIGUSR1, &si, 0), 0);	/* to oneself anything may be said */
	CHECK_ERR(send_signal(other, SIGUSR1, &si, 0), EPERM);
	CHECK_ERR(send_signal(self, 65, NULL, 0), EINVAL);
	CHECK_ERR(send_signal(self, SIGUSR1, NULL, 1), EINVAL);
	CHECK_ERR(send_signal(-1, SIGUSR1, NULL, 0), EBADF);
	CHECK_ERR(send_signal(0, SIGUSR1, NULL, 0), EBADF);
	CHECK_ERR(send_signal(self, SIGUSR1, (siginfo_t *)8, 0), EFAULT);
}

TEST(a_directory_of_proc_names_its_process)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	int fd = open("/proc/self", O_RDONLY | O_DIRECTORY), task;
	pid_t pid = sleeper();
	char path[64];

	CHECK_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
	CHECK_EQ(send_signal(fd, SIGUSR1, NULL, 0), 0);
	CHECK_EQ(seen.si_signo, SIGUSR1);
	snprintf(path, sizeof(path), "/proc/self/task/%d", getpid());
	task = open(path, O_RDONLY | O_DIRECTORY);
	CHECK(task >= 0);
	CHECK_ERR(send_signal(task, 0, NULL, 0), EBADF);
	CHECK_ERR(send_signal(open("/proc", O_RDONLY), 0, NULL, 0), EBADF);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_ERR(send_signal(fd, 0, NULL, 0), ESRCH);
}

TEST(another_users_process_is_not_signalled)
{
	int fd = pidfd_open_(getpid(), 0), status;
	pid_t pid = fork();

	if (!pid) {
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
		CHECK_ERR(send_signal(fd, 0, NULL, 0), EPERM);
		CHECK_ERR(getfd(fd, 0, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

TEST(a_descriptor_of_another_is_had_by_the_same_file)
{
	int p[2], q[2], fd, mine;
	pid_t pid;
	char c;

	CHECK_EQ(pipe(q), 0);
	pid = fork();
	if (!pid) {
		CHECK_EQ(pipe(p), 0);
		CHECK_EQ(dup2(p[0], 100), 100);
		CHECK_EQ(write(p[1], "y", 1), 1);
		CHECK_EQ(write(q[1], "x", 1), 1);
		pause();
	}
	CHECK_EQ(read(q[0], &c, 1), 1);
	fd = pidfd_open_(pid, 0);
	mine = getfd(fd, 100, 0);
	CHECK(mine >= 0);
	CHECK_EQ(fcntl(mine, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(read(mine, &c, 1), 1);
	CHECK_EQ(c, 'y');
	CHECK_ERR(getfd(fd, 101, 0), EBADF);
	CHECK_ERR(getfd(fd, -1, 0), EBADF);
	CHECK_ERR(getfd(fd, 100, 1), EINVAL);
	CHECK_ERR(getfd(0, 100, 0), EBADF);
	CHECK_ERR(getfd(-1, 100, 0), EBADF);
}

TEST(clone_gives_one)
{
	int fd = -1, status;
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0);
	siginfo_t si;

	if (!pid)
		_exit(fcntl(fd, F_GETFD) == -1 ? 3 : 4);	/* it is the parent's alone */
	CHECK(pid > 0);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(wait_fd(fd, &si, WEXITED | WNOWAIT), 0);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_status, 3);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_ERR(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, 0, &fd, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, &fd, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, 8, 0, 0), EFAULT);
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);	/* nobody was made in vain */
}

TEST(clone3_gives_one)
{
	int fd = -1, tid = 0, next;
	struct clone_args a = { .flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = (uint64_t)&fd, .parent_tid = (uint64_t)&tid, .exit_signal = SIGCHLD };
	pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	siginfo_t si;

	if (!pid)
		_exit(6);
	CHECK(pid > 0 && fd >= 0);
	CHECK_EQ(tid, pid);
	CHECK_EQ(wait_fd(fd, &si, WEXITED), 0);
	CHECK_EQ(si.si_status, 6);
	a.parent_tid = a.pidfd;
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), EINVAL);
	a.parent_tid = (uint64_t)&tid;
	a.pidfd = 8;
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), EFAULT);
	next = dup(0);
	CHECK_EQ(next, fd + 1);		/* what failed left no descriptor taken */
}

TEST(waiting_by_descriptor)
{
	pid_t pid = sleeper(), other = sleeper();
	int fd = pidfd_open_(pid, O_NONBLOCK), plain = pidfd_open_(pid, 0);
	siginfo_t si;

	CHECK_ERR(wait_fd(fd, &si, WEXITED), EAGAIN);
	CHECK_EQ(wait_fd(fd, &si, WEXITED | WNOHANG), 0);
	CHECK_EQ(si.si_pid, 0);
	CHECK_EQ(kill(pid, SIGSTOP), 0);
	CHECK_EQ(wait_fd(plain, &si, WSTOPPED), 0);
	CHECK_EQ(si.si_code, CLD_STOPPED);
	CHECK_EQ(kill(other, SIGKILL), 0);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(wait_fd(plain, &si, WEXITED), 0);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_code, CLD_KILLED);
	CHECK_ERR(wait_fd(plain, &si, WEXITED), ECHILD);
	CHECK_ERR(wait_fd(0, &si, WEXITED), EBADF);
	CHECK_ERR(wait_fd(-1, &si, WEXITED), EINVAL);
	CHECK_ERR(wait_fd(999, &si, WEXITED), EBADF);
	CHECK_ERR(wait_fd(pidfd_open_(getppid(), 0), &si, WEXITED), ECHILD);
}
