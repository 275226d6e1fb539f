/* fork: copy on write, exit codes, reparenting. */
#include "tap.h"
#include <sys/prctl.h>
#include <sys/sysinfo.h>

TEST(child_sees_zero_parent_sees_pid)
{
	pid_t me = getpid(), pid = fork();
	if (pid == 0)
		_exit(getppid() == me && getpid() != me ? 7 : 1);
	CHECK(pid > 0);
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(exit_codes_are_eight_bits)
{
	for (int code = 0; code < 600; code += 37) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(code);
		CHECK(EXITED(wait_status(pid), code & 255));
	}
}

static size_t big_size(void)
{
	struct sysinfo si;
	sysinfo(&si);
	size_t free = (size_t)si.freeram * si.mem_unit;
	size_t want = 256u << 20;
	while (want > free / 10 * 7)
		want /= 2;
	return want;
}

TEST(copy_on_write_both_ways)
{
	size_t size = big_size();
	char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int up[2], down[2];
	char c;
	CHECK(m != MAP_FAILED);
	for (size_t i = 0; i < size; i += 4096)
		m[i] = i >> 12;
	CHECK(pipe(up) == 0 && pipe(down) == 0);
	/* Taking no copy: the parent uses over half of what is free, and forking succeeds. */
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		m[4096] = 100;
		write(up[1], "x", 1);
		read(down[0], &c, 1);
		_exit(m[0] == 0 && m[8192] == 2 && m[4096] == 100 ? 0 : 1);
	}
	CHECK_EQ(read(up[0], &c, 1), 1);
	CHECK_EQ(m[4096], 1);
	m[8192] = 55;
	CHECK_EQ(write(down[1], "x", 1), 1);
	CHECK(EXITED(wait_status(pid), 0));
	for (size_t i = 0; i < size; i += 4096)
		if (i != 8192)
			CHECK_EQ((unsigned char)m[i], (i >> 12) & 255);
}

TEST(cow_across_three_generations)
{
	char *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(m, 1, 65536);
	pid_t pid = fork();
	if (pid == 0) {
		memset(m, 2, 32768);
		pid_t p2 = fork();
		if (p2 == 0) {
			memset(m, 3, 16384);
			_exit(m[0] == 3 && m[16384] == 2 && m[32768] == 1 ? 0 : 1);
		}
		int st = wait_status(p2);
		_exit(EXITED(st, 0) && m[0] == 2 && m[40000] == 1 ? 0 : 2);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(m[0] == 1 && m[20000] == 1 && m[40000] == 1);
}

TEST(system_call_writes_break_cow)
{
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(m, "parent");
	pid_t pid = fork();
	if (pid == 0) {
		int p[2];
		pipe(p);
		write(p[1], "child!", 7);
		_exit(read(p[0], m, 7) == 7 && !strcmp(m, "child!") ? 0 : 1);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(!strcmp(m, "parent"));
}

TEST(orphans_go_to_init)
{
	int p[2];
	pid_t seen[2];
	CHECK(pipe(p) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		pid_t parent = getpid();
		if (fork() == 0) {
			while (getppid() == parent)
				sleep_ms(1);
			pid_t now[2] = { parent, getppid() };
			write(p[1], now, sizeof(now));
			_exit(0);
		}
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(read(p[0], seen, sizeof(seen)), sizeof(seen));
	CHECK_EQ(seen[0], pid);
	CHECK_EQ(seen[1], 1);
}

TEST(child_subreaper)
{
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			sleep_ms(20);
			_exit(9);
		}
		_exit(0);
	}
	int st, got = 0;
	pid_t r;
	while ((r = waitpid(-1, &st, 0)) > 0)
		if (r != pid) {
			got = 1;
			CHECK(EXITED(st, 9));
		}
	CHECK_EQ(got, 1);
}

TEST(a_thousand_quick_forks)
{
	for (int i = 0; i < 1000; i++) {
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0)
			_exit(i & 127);
		CHECK(EXITED(wait_status(pid), i & 127));
	}
}

TEST(many_zombies_at_once)
{
	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0)
			_exit(3);
	}
	int n = 0, st;
	while (wait(&st) > 0) {
		CHECK(EXITED(st, 3));
		n++;
	}
	CHECK_EQ(n, 200);
}

TEST(fork_until_nproc_limit)
{
	struct rlimit rl = { 40, 40 };
	CHECK(setrlimit(RLIMIT_NPROC, &rl) == 0);
	CHECK(setresuid(4321, 4321, 4321) == 0);
	int n = 0;
	for (;;) {
		pid_t pid = fork();
		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (pid < 0) {
			CHECK_EQ(errno, EAGAIN);
			break;
		}
		CHECK(++n < 50);
	}
	CHECK(n >= 30 && n < 40);
}

static int vchild(void *arg) { *(volatile int *)arg = 42; _exit(0); }

TEST(vfork_shares_and_suspends)
{
	volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* CLONE_VM | CLONE_VFORK with its own stack: musl's vfork is plain fork. */
	static char stack[65536] __attribute__((aligned(16)));
	pid_t pid = clone(vchild, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)shared);
	CHECK(pid > 0);
	CHECK_EQ(*shared, 42);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(clone_bad_flags)
{
	CHECK_ERR(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS, 0, 0, 0, 0), EINVAL);
}

TEST(fork_keeps_attributes)
{
	scratch();
	umask(027);
	CHECK(nice(3) == 3);
	CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	sigset_t set, got;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR2);
	alarm(1000);
	pid_t parent_group = getpgrp(), pid = fork();
	if (pid == 0) {
		struct sigaction sa;
		char cwd[256];
		if (umask(0) != 027) _exit(1);
		if (getpriority(PRIO_PROCESS, 0) != 3) _exit(2);
		sigaction(SIGUSR1, NULL, &sa);
		if (sa.sa_handler != SIG_IGN) _exit(3);
		sigprocmask(SIG_BLOCK, NULL, &got);
		if (!sigismember(&got, SIGUSR2)) _exit(4);
		sigpending(&got);
		if (sigismember(&got, SIGUSR2)) _exit(5);	/* pending is not inherited */
		if (alarm(0) != 0) _exit(6);			/* nor is the alarm */
		if (getpgrp() != parent_group) _exit(7);
		if (!getcwd(cwd, sizeof(cwd)) || strncmp(cwd, "/tmp/test-", 10)) _exit(8);
		_exit(0);
	}
	CHECK_EQ(WEXITSTATUS(wait_status(pid)), 0);
}
