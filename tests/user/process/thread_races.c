/* Threads being made and ending while their process is signalled, stopped, replaced, ended. */
#define TAP_HOOK
#define TAP_TIMEOUT 40
#include "../tap.h"
#include <pthread.h>
#include <stdatomic.h>

static char program[PATH_MAX];	/* /proc/self/exe ends with the first thread */

#include <dirent.h>
static int task_count(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;
	for (struct dirent *e; d && (e = readdir(d)); ) n += e->d_name[0] != '.';
	return n;
}

static void tap_hook(int argc, char **argv)
{
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0) _exit(35);
	if (argc != 3 || strcmp(argv[1], "execed"))
		return;
	char buf[64];			/* one thread, with the process's number */
	snprintf(buf, sizeof(buf), "/proc/self/task/%d", getpid());
	bool ok = getpid() == atoi(argv[2]) && syscall(SYS_gettid) == getpid() && task_count() == 1 && access(buf, F_OK) == 0;
	_exit(ok ? 33 : 34);
}

static _Atomic bool over;
static void *brief(void *a) { return a; }
static void *maker(void *a)		/* makes threads that end at once */
{
	while (!over) {
		pthread_t t;
		if (pthread_create(&t, NULL, brief, NULL) == 0) pthread_join(t, NULL);
	}
	return a;
}
static void *spinner(void *a) { while (!over); return a; }
static void *sleeper(void *a) { for (;;) pause(); return a; }

static void crew(void)
{
	pthread_t t;
	for (int i = 0; i < 3; i++) pthread_create(&t, NULL, maker, NULL);
	pthread_create(&t, NULL, spinner, NULL);
	pthread_create(&t, NULL, sleeper, NULL);
}

TEST(exit_group_in_the_middle)
{
	for (int i = 0; i < 25; i++) {
		pid_t kid = fork();
		if (!kid) {
			crew();
			for (volatile int n = 0; n < i * 3000; n++);
			_exit(40 + i);
		}
		CHECK(EXITED(wait_status(kid), 40 + i));
	}
}

TEST(killed_in_the_middle)
{
	for (int i = 0; i < 25; i++) {
		int fd[2];
		char c;
		CHECK(pipe(fd) == 0);
		pid_t kid = fork();
		if (!kid) {
			crew();
			CHECK_EQ(write(fd[1], "x", 1), 1);
			for (;;) pause();
		}
		CHECK_EQ(read(fd[0], &c, 1), 1);
		kill(kid, i % 2 ? SIGKILL : SIGTERM);
		CHECK(KILLED(wait_status(kid), i % 2 ? SIGKILL : SIGTERM));
		close(fd[0]);
		close(fd[1]);
	}
}

static void *execer(void *a)
{
	char pid[16];
	snprintf(pid, sizeof(pid), "%d", getpid());
	for (volatile int n = 0; n < (int)(long)a * 3000; n++);
	execl(program, "race", "execed", pid, NULL);
	_exit(1);
}

TEST(exec_from_a_thread_in_the_middle)
{
	for (int i = 0; i < 20; i++) {
		pid_t kid = fork();
		if (!kid) {
			pthread_t t;
			crew();
			pthread_create(&t, NULL, execer, (void *)(long)i);
			if (i % 3 == 0) pthread_exit(NULL);	/* the leader may be gone already */
			if (i % 3 == 1) for (;;) pause();
			while (!over);
		}
		CHECK(EXITED(wait_status(kid), 33));
	}
}

TEST(two_threads_exec_at_once)
{
	for (int i = 0; i < 10; i++) {
		pid_t kid = fork();
		if (!kid) {
			pthread_t t;
			pthread_create(&t, NULL, execer, (void *)0L);
			pthread_create(&t, NULL, execer, (void *)(long)(i % 3));
			for (;;) pause();
		}
		CHECK(EXITED(wait_status(kid), 33));
	}
}

static _Atomic int got;
static void count(int sig) { (void)sig; got++; }

TEST(no_signal_is_lost)
{
	struct sigaction sa = { .sa_handler = count, .sa_flags = SA_RESTART };
	pthread_t t[3];
	sigaction(SIGRTMIN, &sa, NULL);
	for (int i = 0; i < 3; i++) CHECK(pthread_create(&t[i], NULL, maker, NULL) == 0);
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &s, NULL);	/* so that it is for one of those that come and go */
	for (int i = 1; i <= 64; i++) {
		while (kill(getpid(), SIGRTMIN)) sched_yield();
		if (i % 8 == 0) while (got < i - 4) sleep_ms(1);
	}
	while (got < 64) sleep_ms(1);
	over = true;
	for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
	CHECK_EQ(got, 64);
}

TEST(stopped_and_continued)
{
	pid_t kid = fork();
	int status;
	if (!kid) {
		crew();
		for (;;) pause();
	}
	for (int i = 0; i < 25; i++) {
		CHECK(kill(kid, SIGSTOP) == 0);
		CHECK_EQ(waitpid(kid, &status, WUNTRACED), kid);	/* it comes to a stop, whoever ends meanwhile */
		CHECK(WIFSTOPPED(status));
		CHECK(kill(kid, SIGCONT) == 0);
		CHECK_EQ(waitpid(kid, &status, WCONTINUED), kid);
		CHECK(WIFCONTINUED(status));
	}
	kill(kid, SIGKILL);
	CHECK(KILLED(wait_status(kid), SIGKILL));
}

static void *tgkiller(void *a)
{
	while (!over) {
		pthread_t t;
		if (pthread_create(&t, NULL, brief, NULL)) continue;
		for (int tid = getpid() + 1; tid < getpid() + 40; tid++) syscall(SYS_tgkill, getpid(), tid, SIGRTMIN);
		pthread_join(t, NULL);
	}
	return a;
}
TEST(signals_to_threads_that_end)
{
	struct sigaction sa = { .sa_handler = count, .sa_flags = SA_RESTART };
	pthread_t t[4];
	sigaction(SIGRTMIN, &sa, NULL);
	for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, tgkiller, NULL) == 0);
	sleep_ms(1500);
	over = true;
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
}

/* A child that is forked while its group is killed does not get away. */
TEST(a_group_killed_while_it_forks)
{
	for (int i = 0; i < 15; i++) {
		int fd[2];
		char c;
		CHECK(pipe(fd) == 0);
		pid_t kid = fork();
		if (!kid) {
			setpgid(0, 0);
			close(fd[0]);
			CHECK_EQ(write(fd[1], "x", 1), 1);
			for (int n = 0; n < 3; n++) fork();
			for (;;) {
				pid_t p = fork();
				if (!p) _exit(0);
				if (p > 0) waitpid(p, NULL, 0);
			}
		}
		close(fd[1]);
		CHECK_EQ(read(fd[0], &c, 1), 1);
		for (volatile int n = 0; n < i * 20000; n++);
		CHECK(kill(-kid, SIGKILL) == 0);
		CHECK(KILLED(wait_status(kid), SIGKILL));
		CHECK_EQ(read(fd[0], &c, 1), 0);	/* the end of the last of them */
		close(fd[0]);
	}
}

static _Atomic int made, done, all_there;
static pid_t kids[4][40];
static void *limited(void *a)
{
	int n = 0, k = (int)(long)a;
	while (!all_there) sleep_ms(1);		/* or the kids of three leave no room for the fourth thread */
	for (int i = 0; i < 40; i++) {
		if ((kids[k][n] = fork()) == 0) for (;;) pause();
		if (kids[k][n] > 0) n++;
	}
	made += n;
	done++;
	while (!over) sleep_ms(1);
	return NULL;
}
TEST(rlimit_nproc_is_exact)
{
	pid_t kid = fork();
	if (!kid) {
		pthread_t t[4];
		struct rlimit rl = { 34, 34 };
		if (syscall(SYS_setresuid, 54321, 54321, 54321) || setrlimit(RLIMIT_NPROC, &rl)) _exit(9);
		for (long i = 0; i < 4; i++) if (pthread_create(&t[i], NULL, limited, (void *)i)) _exit(8);
		all_there = true;
		while (done < 4) sleep_ms(1);
		bool ok = made == 34 - 5;		/* the limit counts threads too */
		for (int k = 0; k < 4; k++)
			for (int i = 0; i < 40; i++)
				if (kids[k][i] > 0) kill(kids[k][i], SIGKILL), waitpid(kids[k][i], NULL, 0);
		over = true;
		for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
		pid_t again = fork();			/* those that are gone count no more */
		if (!again) _exit(0);
		_exit(ok && EXITED(wait_status(again), 0) ? 0 : 7);
	}
	CHECK(EXITED(wait_status(kid), 0));
}
