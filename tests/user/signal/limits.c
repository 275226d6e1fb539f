/* RLIMIT_SIGPENDING: queued signals and timers, counted by real user over all processes. */
#include "../tap.h"
#include <sys/signalfd.h>

static void block(int sig)
{
	sigset_t m;
	sigemptyset(&m);
	sigaddset(&m, sig);
	sigprocmask(SIG_BLOCK, &m, NULL);
}

static int fill(int limit)
{
	for (int i = 0; i < limit; i++)
		if (sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }) < 0)
			return i;
	return limit;
}

TEST(counted_over_all_processes_of_the_user)
{
	struct rlimit rl = { 10, 10 };
	block(SIGRTMIN);
	CHECK(setrlimit(RLIMIT_SIGPENDING, &rl) == 0);
	CHECK(setresuid(5444, 5444, 5444) == 0);
	CHECK_EQ(fill(6), 6);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(fill(100));
	CHECK(EXITED(wait_status(pid), 4));
	pid = fork();				/* what the child had queued is gone with it */
	if (pid == 0)
		_exit(fill(100));
	CHECK(EXITED(wait_status(pid), 4));
	siginfo_t si;
	sigset_t m;
	sigemptyset(&m);
	sigaddset(&m, SIGRTMIN);
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(sigwaitinfo(&m, &si), SIGRTMIN);
		CHECK_EQ(si.si_value.sival_int, i);
	}
	CHECK_EQ(fill(100), 10);
}

TEST(another_user_has_his_own_count)
{
	struct rlimit rl = { 4, 4 };
	block(SIGRTMIN);
	CHECK(setrlimit(RLIMIT_SIGPENDING, &rl) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(setresuid(5446, 5446, 5446) == 0);
		CHECK_EQ(fill(100), 4);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(setresuid(5447, 5447, 5447) == 0);
	CHECK_EQ(fill(100), 4);
}

TEST(kill_needs_no_entry)
{
	struct rlimit rl = { 0, 0 };
	sigset_t m;
	block(SIGUSR1);
	block(SIGRTMIN);
	CHECK(setrlimit(RLIMIT_SIGPENDING, &rl) == 0);
	CHECK(setresuid(5448, 5448, 5448) == 0);
	CHECK(kill(getpid(), SIGUSR1) == 0 && kill(getpid(), SIGRTMIN) == 0);
	CHECK_ERR(sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }), EAGAIN);
	sigpending(&m);
	CHECK(sigismember(&m, SIGUSR1) && sigismember(&m, SIGRTMIN));
	timer_t id;
	CHECK_ERR(timer_create(CLOCK_MONOTONIC, NULL, &id), EAGAIN);
	int pid = fork();
	if (pid == 0)
		for (;;) pause();
	CHECK(kill(pid, SIGTERM) == 0);
	CHECK(KILLED(wait_status(pid), SIGTERM));
}

TEST(a_timer_takes_an_entry_and_gives_it_back)
{
	struct rlimit rl = { 3, 3 };
	timer_t id[3], more;
	CHECK(setrlimit(RLIMIT_SIGPENDING, &rl) == 0);
	CHECK(setresuid(5449, 5449, 5449) == 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++)
			CHECK(timer_create(CLOCK_MONOTONIC, NULL, &id[i]) == 0);
		CHECK_ERR(timer_create(CLOCK_MONOTONIC, NULL, &more), EAGAIN);
		for (int i = 0; i < 3; i++)
			CHECK(timer_delete(id[i]) == 0);
	}
}

TEST(status_tells_the_count)
{
	char buf[4096];
	unsigned n, limit;
	struct rlimit rl = { 50, 50 };
	block(SIGRTMIN);
	CHECK(setrlimit(RLIMIT_SIGPENDING, &rl) == 0);
	CHECK(setresuid(5450, 5450, 5450) == 0);
	CHECK_EQ(fill(7), 7);
	CHECK(read_file("/proc/self/status", buf, sizeof(buf)) > 0);
	char *q = strstr(buf, "\nSigQ:");
	CHECK(q && sscanf(q, "\nSigQ: %u/%u", &n, &limit) == 2);
	CHECK_EQ(n, 7);
	CHECK_EQ(limit, 50);
}

TEST(signalfd_of_several_signals)
{
	struct signalfd_siginfo r[4];
	sigset_t m;
	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	sigaddset(&m, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &m, NULL);
	int fd = signalfd(-1, &m, SFD_NONBLOCK | SFD_CLOEXEC);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	struct pollfd p = { fd, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_ERR(read(fd, r, sizeof(r)), EAGAIN);
	CHECK_ERR(read(fd, r, sizeof(r[0]) - 1), EINVAL);
	CHECK_ERR(write(fd, r, sizeof(r[0])), EINVAL);
	for (int i = 0; i < 3; i++)
		CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i + 5 }) == 0);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(read(fd, r, sizeof(r[0]) * 3 + 5), sizeof(r[0]) * 3);
	CHECK(r[0].ssi_signo == SIGUSR1 && r[0].ssi_code == SI_USER && r[0].ssi_pid == (unsigned)getpid());
	CHECK(r[1].ssi_signo == (unsigned)SIGRTMIN && r[1].ssi_int == 5 && r[1].ssi_code == SI_QUEUE && r[2].ssi_int == 6);
	CHECK_EQ(read(fd, r, sizeof(r)), sizeof(r[0]));
	CHECK_EQ(poll(&p, 1, 0), 0);
	sigemptyset(&m);			/* the mask may be changed */
	CHECK_EQ(signalfd(fd, &m, 0), fd);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK_EQ(poll(&p, 1, 0), 0);
	sigaddset(&m, SIGUSR1);
	CHECK_EQ(signalfd(fd, &m, 0), fd);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_ERR(signalfd(0, &m, 0), EINVAL);
	CHECK_ERR(signalfd(999, &m, 0), EBADF);
	CHECK_ERR(signalfd(-1, &m, 1), EINVAL);
}

TEST(signalfd_wakes_a_poll_and_a_child_reads_its_own)
{
	struct signalfd_siginfo r;
	sigset_t m;
	sigemptyset(&m);
	sigaddset(&m, SIGUSR2);
	sigaddset(&m, SIGCHLD);
	sigprocmask(SIG_BLOCK, &m, NULL);
	int fd = signalfd(-1, &m, 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct pollfd p = { fd, POLLIN, 0 };
		CHECK_EQ(poll(&p, 1, -1), 1);
		CHECK_EQ(read(fd, &r, sizeof(r)), sizeof(r));
		_exit(r.ssi_signo == SIGUSR2 && r.ssi_pid == (unsigned)getppid() ? 9 : 1);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK(kill(pid, SIGUSR2) == 0);
	CHECK_EQ(read(fd, &r, sizeof(r)), sizeof(r));		/* sleeps until the child ends */
	CHECK(r.ssi_signo == SIGCHLD && r.ssi_pid == (unsigned)pid && r.ssi_status == 9 && r.ssi_code == CLD_EXITED);
	CHECK(EXITED(wait_status(pid), 9));
}
