/* Fork until the system says no: an errno, and all is as before once they are gone. */
#define TAP_TIMEOUT 150
#include "tap.h"
#include "mm/meminfo.h"

static pid_t pids[70000];

/* Fork children that only wait, until it fails; its errno.  *n children stand in pids. */
static int fork_all(int *n)
{
	for (*n = 0; *n < 70000; ++*n) {
		pid_t pid = fork();
		if (pid < 0) return errno;
		if (pid == 0) {
			pause();
			_exit(0);
		}
		pids[*n] = pid;
	}
	return 0;
}

static void end_all(int n)
{
	for (int i = 0; i < n; i++) CHECK_EQ(kill(pids[i], SIGKILL), 0);
	for (int i = 0; i < n; i++) CHECK(KILLED(wait_status(pids[i]), SIGKILL));
}

/* If memory ends first: who is to be killed for it. */
static void volunteer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "1000", 4) == 4);
	close(fd);
}

TEST(until_the_system_says_no)
{
	int n, e;
	long free;
	pid_t pid = fork();
	if (pid == 0) _exit(0);
	wait_status(pid);
	free = meminfo_kb("MemFree");
	volunteer();
	e = fork_all(&n);
	CHECK(e == EAGAIN || e == ENOMEM);
	CHECK(n > 200);
	CHECK_ERR(fork(), e);			/* it stays so */
	end_all(n);
	for (int i = 0; meminfo_kb("MemFree") < free - 8192; i++) {
		CHECK(i < 1000);
		sleep_ms(10);
	}
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) _exit(7);
	CHECK(EXITED(wait_status(pid), 7));
}

/* Each process of the bomb forks as well; the limit of an ordinary user holds them all, and root is not locked out. */
static void bomb(void)
{
	for (;;)
		if (fork() < 0 && (errno == EAGAIN || errno == ENOMEM)) sched_yield();
}

TEST(a_users_bomb_leaves_root_room)
{
	struct rlimit rl = { 100, 100 };
	volunteer();
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		CHECK(setrlimit(RLIMIT_NPROC, &rl) == 0 && setresuid(4321, 4321, 4321) == 0);
		bomb();
	}
	for (int i = 0; i < 50; i++) {
		pid_t mine = fork();
		CHECK(mine >= 0);
		if (mine == 0) _exit(3);
		CHECK(EXITED(wait_status(mine), 3));
	}
	CHECK_EQ(kill(-pid, SIGKILL), 0);
	CHECK(KILLED(wait_status(pid), SIGKILL));
	while (kill(-pid, SIGKILL) == 0) sleep_ms(1);	/* until init has reaped the last */
	CHECK_EQ(errno, ESRCH);
}
