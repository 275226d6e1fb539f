/* Signals and calls that block: EINTR, SA_RESTART, restart blocks, waiting for signals. */
#include "tap.h"
#include <pthread.h>
#include <sys/signalfd.h>

static volatile sig_atomic_t count;
static void note(int s) { (void)s; count++; }
static void handle(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = note, .sa_flags = flags };
	CHECK(sigaction(sig, &sa, NULL) == 0);
}

/* poke - a child that signals its parent once it sleeps, then writes to the pipe. */
static pid_t poke(int wfd, int times)
{
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		for (int i = 0; i < times; i++) {
			wait_state(parent, 'S');
			kill(parent, SIGUSR1);
			sleep_ms(20);
		}
		if (wfd >= 0)
			write(wfd, "x", 1);
		_exit(0);
	}
	return pid;
}

TEST(read_eintr)
{
	int p[2]; char c;
	handle(SIGUSR1, 0);
	CHECK(pipe(p) == 0);
	poke(-1, 1);
	CHECK_ERR(read(p[0], &c, 1), EINTR);
	CHECK_EQ(count, 1);
}

TEST(read_restarts)
{
	int p[2]; char c = 0;
	handle(SIGUSR1, SA_RESTART);
	CHECK(pipe(p) == 0);
	poke(p[1], 3);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(c, 'x');
	CHECK_EQ(count, 3);
}

TEST(poll_never_restarts)
{
	int p[2];
	handle(SIGUSR1, SA_RESTART);
	CHECK(pipe(p) == 0);
	struct pollfd f = { p[0], POLLIN, 0 };
	poke(-1, 1);
	CHECK_ERR(poll(&f, 1, -1), EINTR);
}

TEST(nanosleep_tells_what_remains)
{
	struct timespec ts = { 100, 0 }, rem = { 0, 0 };
	handle(SIGUSR1, SA_RESTART);
	poke(-1, 1);
	CHECK_ERR(nanosleep(&ts, &rem), EINTR);
	CHECK(rem.tv_sec >= 50 && rem.tv_sec < 100);
	/* An absolute sleep restarts or is EINTR without a remainder. */
	poke(-1, 1);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += 100;
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), EINTR);
}

TEST(stopped_sleep_goes_on)
{
	/* SIGSTOP and SIGCONT interrupt nobody: the restart block carries the sleep across. */
	int st;
	pid_t pid = fork();
	if (pid == 0) {
		struct timespec ts = { 0, 300000000 };
		_exit(nanosleep(&ts, NULL) == 0 ? 0 : 1);
	}
	wait_state(pid, 'S');
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
	CHECK(WIFSTOPPED(st));
	kill(pid, SIGCONT);
	CHECK(EXITED(wait_status(pid), 0));
	/* The same of poll with a time limit and of a futex wait. */
	pid = fork();
	if (pid == 0) {
		struct pollfd f = { -1, 0, 0 };
		_exit(poll(&f, 1, 300) == 0 ? 0 : 1);
	}
	wait_state(pid, 'S');
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
	kill(pid, SIGCONT);
	CHECK(EXITED(wait_status(pid), 0));
	pid = fork();
	if (pid == 0) {
		int word = 0;
		struct timespec ts = { 0, 300000000 };
		long r = syscall(SYS_futex, &word, 0, 0, &ts, 0, 0);
		_exit(r == -1 && errno == ETIMEDOUT ? 0 : 1);
	}
	wait_state(pid, 'S');
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
	kill(pid, SIGCONT);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(sigsuspend_swaps_the_mask)
{
	sigset_t blocked, none, now;
	handle(SIGUSR1, 0);
	sigemptyset(&blocked); sigaddset(&blocked, SIGUSR1);
	sigemptyset(&none);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	raise(SIGUSR1);
	CHECK_EQ(count, 0);
	CHECK_ERR(sigsuspend(&none), EINTR);
	CHECK_EQ(count, 1);
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGUSR1));
}

TEST(sigtimedwait_takes_without_a_handler)
{
	sigset_t s;
	siginfo_t si;
	struct timespec soon = { 0, 1000000 }, zero = { 0, 0 }, bad = { 0, 2000000000 };
	sigemptyset(&s); sigaddset(&s, SIGUSR1); sigaddset(&s, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &s, NULL);
	CHECK_ERR(sigtimedwait(&s, &si, &zero), EAGAIN);
	CHECK_ERR(sigtimedwait(&s, &si, &soon), EAGAIN);
	CHECK_ERR(sigtimedwait(&s, &si, &bad), EINVAL);
	raise(SIGUSR1);
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 77 });
	CHECK_EQ(sigtimedwait(&s, &si, NULL), SIGUSR1);
	CHECK_EQ(sigtimedwait(&s, &si, NULL), SIGRTMIN);
	CHECK_EQ(si.si_value.sival_int, 77);
	pid_t me = getpid(), pid = fork();
	if (pid == 0) {
		wait_state(me, 'S');
		kill(me, SIGUSR1);
		_exit(0);
	}
	CHECK_EQ(sigwaitinfo(&s, &si), SIGUSR1);
	CHECK_EQ(si.si_pid, pid);
}

TEST(pause_returns_only_after_a_handler)
{
	handle(SIGUSR1, SA_RESTART);
	poke(-1, 1);
	CHECK_ERR(pause(), EINTR);
	CHECK_EQ(count, 1);
}

static void *waiter(void *arg)
{
	(void)arg;
	sigset_t s;
	sigfillset(&s);
	sigdelset(&s, SIGUSR1);
	while (count == 0)
		sigsuspend(&s);
	return NULL;
}

TEST(process_signal_finds_a_willing_thread)
{
	pthread_t t;
	sigset_t s;
	handle(SIGUSR1, 0);
	sigemptyset(&s); sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	CHECK_EQ(pthread_create(&t, NULL, waiter, NULL), 0);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(count, 1);
}

TEST(signalfd_reads_siginfo)
{
	sigset_t s;
	struct signalfd_siginfo si;
	sigemptyset(&s); sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	int fd = signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_ERR(read(fd, &si, sizeof(si)), EAGAIN);
	raise(SIGUSR1);
	CHECK_EQ(read(fd, &si, sizeof(si)), sizeof(si));
	CHECK_EQ(si.ssi_signo, SIGUSR1);
	CHECK_EQ(si.ssi_pid, getpid());
	CHECK_ERR(read(fd, &si, 3), EINVAL);
}

TEST(kill_storm)
{
	handle(SIGUSR1, SA_RESTART);
	pid_t kids[8], parent = getpid();
	for (int i = 0; i < 8; i++) {
		kids[i] = fork();
		if (kids[i] == 0) {
			for (int j = 0; j < 200; j++)
				kill(parent, SIGUSR1);
			_exit(0);
		}
	}
	for (int i = 0; i < 8; i++)
		CHECK(EXITED(wait_status(kids[i]), 0));
	CHECK(count > 0);
}

TEST(permission_to_signal)
{
	pid_t pid = fork();
	if (pid == 0) {
		setresuid(1000, 1000, 1000);
		if (kill(1, SIGTERM) != -1 || errno != EPERM) _exit(1);
		if (kill(getppid(), 0) != -1 || errno != EPERM) _exit(2);
		if (kill(getppid(), SIGCONT) != 0) _exit(3);	/* the same session */
		if (kill(-1, SIGUSR2) == 0) _exit(4);
		_exit(0);
	}
	int st = wait_status(pid);
	CHECK(WIFEXITED(st) && (WEXITSTATUS(st) == 0 || WEXITSTATUS(st) == 4));
}
