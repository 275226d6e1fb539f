/* wait4 and waitid: selection, options, status words, rusage. */
#include "tap.h"

TEST(no_child_is_echild)
{
	CHECK_ERR(wait(NULL), ECHILD);
	CHECK_ERR(waitpid(1, NULL, 0), ECHILD);
	CHECK_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
	CHECK_ERR(waitpid(-1, NULL, 0x40000), EINVAL);
	siginfo_t si;
	CHECK_ERR(waitid(P_ALL, 0, &si, WEXITED), ECHILD);
	CHECK_ERR(waitid(P_ALL, 0, &si, 0), EINVAL);
	CHECK_ERR(waitid(99, 0, &si, WEXITED), EINVAL);
}

TEST(wnohang)
{
	int p[2];
	char c;
	CHECK(pipe(p) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		read(p[0], &c, 1);
		_exit(5);
	}
	int st = 0x1234;
	CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(EXITED(wait_status(pid), 5));
}

TEST(signal_status)
{
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK(kill(pid, SIGTERM) == 0);
	CHECK(KILLED(wait_status(pid), SIGTERM));
	pid = fork();
	if (pid == 0) {
		struct rlimit rl = { 0, 0 };
		setrlimit(RLIMIT_CORE, &rl);
		abort();
	}
	int st = wait_status(pid);
	CHECK(KILLED(st, SIGABRT));
	CHECK(!WCOREDUMP(st));
}

TEST(stop_and_continue)
{
	pid_t pid = fork();
	int st;
	if (pid == 0)
		for (;;)
			pause();
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	CHECK_EQ(waitpid(pid, &st, WUNTRACED | WNOHANG), 0);	/* told once */
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK_EQ(waitpid(pid, &st, WCONTINUED), pid);
	CHECK(WIFCONTINUED(st));
	CHECK(kill(pid, SIGSTOP) == 0);
	siginfo_t si;
	memset(&si, 0, sizeof(si));
	CHECK(waitid(P_PID, pid, &si, WSTOPPED) == 0);
	CHECK_EQ(si.si_code, CLD_STOPPED);
	CHECK_EQ(si.si_status, SIGSTOP);
	CHECK(kill(pid, SIGKILL) == 0);		/* kills a stopped process */
	CHECK(KILLED(wait_status(pid), SIGKILL));
}

TEST(waitid_fills_siginfo)
{
	siginfo_t si;
	pid_t pid = fork();
	if (pid == 0)
		_exit(33);
	memset(&si, 0, sizeof(si));
	CHECK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT) == 0);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_signo, SIGCHLD);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_status, 33);
	memset(&si, 0, sizeof(si));
	CHECK(waitid(P_ALL, 0, &si, WEXITED | WNOHANG) == 0);
	CHECK_EQ(si.si_pid, pid);
	CHECK_ERR(waitid(P_PID, pid, &si, WEXITED), ECHILD);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	memset(&si, 0xff, sizeof(si));
	CHECK(waitid(P_PID, pid, &si, WEXITED | WNOHANG) == 0);
	CHECK_EQ(si.si_pid, 0);
	kill(pid, SIGKILL);
	CHECK(waitid(P_PID, pid, &si, WEXITED) == 0);
	CHECK_EQ(si.si_code, CLD_KILLED);
	CHECK_EQ(si.si_status, SIGKILL);
}

TEST(by_process_group)
{
	int st;
	pid_t a = fork();
	if (a == 0) {
		setpgid(0, 0);
		_exit(1);
	}
	setpgid(a, a);
	pid_t b = fork();
	if (b == 0)
		_exit(2);
	CHECK_EQ(waitpid(-a, &st, 0), a);
	CHECK_ERR(waitpid(-a, &st, 0), ECHILD);
	CHECK_EQ(waitpid(0, &st, 0), b);
}

TEST(ignored_sigchld_reaps_by_itself)
{
	CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
}

static volatile sig_atomic_t chld_code, chld_status, chld_pid;
static void on_chld(int sig, siginfo_t *si, void *uc)
{
	(void)sig; (void)uc;
	chld_code = si->si_code; chld_status = si->si_status; chld_pid = si->si_pid;
}

TEST(sigchld_carries_the_status)
{
	struct sigaction sa = { .sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART };
	sigset_t m, old;
	CHECK(sigaction(SIGCHLD, &sa, NULL) == 0);
	sigemptyset(&m); sigaddset(&m, SIGCHLD);
	sigprocmask(SIG_BLOCK, &m, &old);
	pid_t pid = fork();
	if (pid == 0)
		_exit(21);
	sigsuspend(&old);
	CHECK_EQ(chld_pid, pid);
	CHECK_EQ(chld_code, CLD_EXITED);
	CHECK_EQ(chld_status, 21);
	CHECK(EXITED(wait_status(pid), 21));
}

TEST(wait_interrupted_by_a_handler)
{
	struct sigaction sa = { .sa_sigaction = on_chld, .sa_flags = SA_SIGINFO };
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	pid_t me = getpid(), pid = fork();
	if (pid == 0) {
		wait_state(me, 'S');
		kill(me, SIGUSR1);
		for (;;)
			pause();
	}
	CHECK_ERR(waitpid(pid, NULL, 0), EINTR);
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
}

TEST(rusage_of_children)
{
	struct rusage ru;
	pid_t pid = fork();
	if (pid == 0) {
		for (volatile long i = 0; i < 30000000; i++)
			;
		_exit(0);
	}
	int st;
	CHECK_EQ(wait4(pid, &st, 0, &ru), pid);
	CHECK(ru.ru_utime.tv_sec > 0 || ru.ru_utime.tv_usec > 0);
	struct rusage all;
	CHECK(getrusage(RUSAGE_CHILDREN, &all) == 0);
	CHECK(all.ru_utime.tv_sec > 0 || all.ru_utime.tv_usec > 0);
	CHECK_ERR(getrusage(55, &all), EINVAL);
}

TEST(a_zombie_keeps_its_user)
{
	siginfo_t si = { 0 };
	char path[64], buf[4096];
	unsigned uid = 0;
	struct stat st;
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(setresuid(5433, 5433, 5433) == 0);
		_exit(0);
	}
	CHECK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT) == 0);
	CHECK_EQ(si.si_uid, 5433);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	CHECK(read_file(path, buf, sizeof(buf)) > 0);
	char *p = strstr(buf, "\nUid:");
	CHECK(p && sscanf(p, "\nUid: %u", &uid) == 1);
	CHECK_EQ(uid, 5433);
	CHECK(stat(path, &st) == 0);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_ERR(stat(path, &st), ENOENT);
}
