/* Process groups and sessions. */
#include "tap.h"

TEST(setsid_makes_a_leader)
{
	pid_t pid = fork();
	if (pid == 0) {
		pid_t sid = setsid();
		if (sid != getpid() || getsid(0) != sid || getpgrp() != sid) _exit(1);
		if (setsid() != -1 || errno != EPERM) _exit(2);
		if (setpgid(0, 0) != -1 || errno != EPERM) _exit(3);	/* a session leader */
		int fd = open("/dev/tty", O_RDWR);
		if (fd != -1 || errno != ENXIO) _exit(4);
		_exit(0);
	}
	CHECK_EQ(WEXITSTATUS(wait_status(pid)), 0);
}

TEST(setpgid_errors)
{
	CHECK_ERR(setpgid(0, -1), EINVAL);
	CHECK_ERR(setpgid(1, 0), ESRCH);
	CHECK_ERR(setpgid(0, 99999), EPERM);
	CHECK_ERR(getpgid(99999), ESRCH);
	CHECK_ERR(getsid(99999), ESRCH);
	CHECK_ERR(getpgid(-1), ESRCH);
	CHECK_EQ(getpgid(0), getpgrp());
	CHECK_EQ(getpgid(getpid()), getpgrp());
}

TEST(setpgid_after_exec_is_eacces)
{
	int p[2];
	char c;
	pipe2(p, O_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0) {
		if (execl("/proc/self/exe", "x", "none", NULL) < 0)
			_exit(9);
	}
	read(p[0], &c, 0);
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 0);		/* the exec closed the other end */
	errno = 0;
	int r = setpgid(pid, pid);
	CHECK(r == -1 && (errno == EACCES || errno == ESRCH));
	wait_status(pid);
}

static void on_sig(int s) { _exit(s == SIGUSR1 ? 11 : 12); }

TEST(kill_a_group)
{
	int up[2];
	pid_t kids[3];
	char c;
	CHECK(pipe(up) == 0);
	for (int i = 0; i < 3; i++) {
		kids[i] = fork();
		if (kids[i] == 0) {
			setpgid(0, i ? kids[0] : 0);
			signal(SIGUSR1, on_sig);
			write(up[1], "r", 1);
			for (;;)
				pause();
		}
		setpgid(kids[i], kids[0]);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(read(up[0], &c, 1), 1);
	CHECK(kill(-kids[0], 0) == 0);
	CHECK(kill(-kids[0], SIGUSR1) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(EXITED(wait_status(kids[i]), 11));
	CHECK_ERR(kill(-kids[0], 0), ESRCH);
	CHECK_ERR(kill(99999, 0), ESRCH);
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_ERR(kill(getpid(), -1), EINVAL);
}

static int hup_fd;
static void on_hup(int s) { char h = s == SIGHUP ? 'H' : '?'; write(hup_fd, &h, 1); _exit(0); }

TEST(orphaned_stopped_group_gets_hup_and_cont)
{
	int up[2];
	char c;
	CHECK(pipe(up) == 0);
	pid_t leader = fork();
	if (leader == 0) {
		setsid();
		pid_t mid = fork();
		if (mid == 0) {
			setpgid(0, 0);
			pid_t job = fork();
			if (job == 0) {
				hup_fd = up[1];
				signal(SIGHUP, on_hup);
				write(up[1], "r", 1);
				raise(SIGSTOP);
				for (;;)
					pause();
			}
			wait_state(job, 'T');
			_exit(0);	/* the group is now orphaned with a stopped member */
		}
		wait_status(mid);
		sleep_ms(50);
		_exit(0);
	}
	close(up[1]);
	CHECK_EQ(read(up[0], &c, 1), 1);
	CHECK_EQ(c, 'r');
	CHECK_EQ(read(up[0], &c, 1), 1);
	CHECK_EQ(c, 'H');
	wait_status(leader);
}

/* A line of session leaders, each the child of the one before and with a terminal of its own, is killed at once: each ends while its parent
 * does. */
TEST(a_line_of_sessions_dies_at_once)
{
	enum { LINE = 6 };
	volatile pid_t *pids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int round = 0; round < 80; round++) {
		int ready[2];
		char c;
		CHECK(pipe(ready) == 0);
		pid_t pid = fork();
		if (pid == 0) {
			for (int i = 0; i < LINE; i++) {
				char name[32];
				int n, off = 0, m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
				setsid();
				pids[i] = getpid();
				if (ioctl(m, TIOCSPTLCK, &off) == 0 && ioctl(m, TIOCGPTN, &n) == 0) {
					snprintf(name, sizeof(name), "/dev/pts/%d", n);
					open(name, O_RDWR);
				}
				if (i < LINE - 1 && fork() != 0)
					for (;;) pause();
			}
			write(ready[1], "x", 1);
			for (;;) pause();
		}
		CHECK_EQ(read(ready[0], &c, 1), 1);
		for (int i = 0; i < LINE; i++) CHECK_EQ(kill(pids[round & 1 ? i : LINE - 1 - i], SIGKILL), 0);
		CHECK(KILLED(wait_status(pid), SIGKILL));
		close(ready[0]);
		close(ready[1]);
	}
}

/* A group is there until its last member has been waited for: signals find it, and do nothing. */
TEST(kill_a_group_of_the_dead)
{
	siginfo_t info;
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		_exit(7);
	}
	setpgid(pid, pid);
	CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
	CHECK(kill(-pid, 0) == 0);
	CHECK(kill(-pid, SIGKILL) == 0);
	CHECK(kill(pid, SIGTERM) == 0);
	CHECK_ERR(kill(-pid, 65), EINVAL);
	pid_t other = fork();
	if (other == 0) {
		CHECK(setresuid(1000, 1000, 1000) == 0);
		CHECK_ERR(kill(-pid, SIGTERM), EPERM);
		_exit(0);
	}
	CHECK(EXITED(wait_status(other), 0));
	CHECK(EXITED(wait_status(pid), 7));
	CHECK_ERR(kill(-pid, 0), ESRCH);
}
