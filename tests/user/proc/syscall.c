/* /proc/<pid>/syscall, in Linux's format; of Sarsen: /proc/<pid>/trace, the tracer's lines in the log, and /proc/syscalls. */
#include "tap.h"
#include <sys/klog.h>

static char b[1 << 20];
static char *rd(const char *fmt, int pid)
{
	char path[64];
	snprintf(path, sizeof(path), fmt, pid);
	CHECK(read_file(path, b, sizeof(b)) >= 0);
	return b;
}

TEST(of_a_sleeper)
{
	int p[2];
	char c;
	long nr;
	unsigned long a[6], sp, pc;
	CHECK(pipe(p) == 0);
	pid_t pid = fork();
	if (!pid) { (void)!read(p[0], &c, 7); _exit(0); }
	CHECK(wait_state(pid, 'S'));
	rd("/proc/%d/syscall", pid);
	CHECK_EQ(sscanf(b, "%ld 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n", &nr, a, a + 1, a + 2, a + 3, a + 4, a + 5, &sp, &pc), 9);
	CHECK_EQ(nr, SYS_read);
	CHECK_EQ(a[0], p[0]);
	CHECK(a[1] == (unsigned long)&c && a[2] == 7);	/* the child's stack lies where ours does */
	CHECK(sp > 0x10000 && pc > 0x1000 && !(pc & 3));
	CHECK(b[strlen(b) - 1] == '\n' && !strchr(b, '\n')[1]);
	kill(pid, SIGKILL);
	wait_status(pid);
}

TEST(of_a_runner_and_oneself)
{
	char want[32];
	pid_t pid = fork();
	if (!pid) for (;;) __asm__ volatile("");
	sched_yield();
	rd("/proc/%d/syscall", pid);
	CHECK(!strcmp(b, "running\n"));
	kill(pid, SIGKILL);
	wait_status(pid);
	snprintf(want, sizeof(want), "%d 0x", SYS_read);
	rd("/proc/self/syscall", 0);
	CHECK(!strncmp(b, want, strlen(want)));
}

TEST(of_the_stopped)
{
	pid_t pid = fork();
	if (!pid) { for (;;) pause(); }
	kill(pid, SIGSTOP);
	CHECK(wait_state(pid, 'T'));
	rd("/proc/%d/syscall", pid);
	CHECK(strcmp(b, "running\n") && strstr(b, " 0x"));
	kill(pid, SIGKILL);
	wait_status(pid);
}

TEST(of_the_dead_and_of_others)
{
	char path[64];
	pid_t pid = fork();
	if (!pid) _exit(0);
	CHECK(wait_state(pid, 'Z'));
	rd("/proc/%d/syscall", pid);
	CHECK(!strcmp(b, "-1 0x0 0x0\n"));
	wait_status(pid);
	snprintf(path, sizeof(path), "/proc/%d/syscall", getpid());
	pid = fork();
	if (!pid) _exit(setuid(1000) || open(path, O_RDONLY) >= 0 || errno != EACCES);
	CHECK(EXITED(wait_status(pid), 0));
}

/* --- Sarsen's own --- */
static void set_trace(pid_t pid, const char *v)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/trace", pid);
	int fd = open(path, O_WRONLY);
	if (fd < 0 && !on_sarsen()) SKIP("Sarsen's tracer");
	CHECK(fd >= 0 && write(fd, v, 1) == 1);
	close(fd);
}
/* the log has this line of that process */
static bool traced(pid_t pid, const char *line)
{
	char want[200];
	int n = klogctl(3, b, sizeof(b) - 1);
	CHECK(n > 0);
	b[n] = 0;
	snprintf(want, sizeof(want), "strace: [%d] %s\n", pid, line);
	return strstr(b, want);
}

TEST(tracer_decodes)
{
	char line[200], buf[8];
	int p[2];
	set_trace(getpid(), "1");
	CHECK(!strcmp(rd("/proc/self/trace", 0), "1\n"));
	CHECK(open("/no\"such\nfile", O_RDONLY) == -1);
	CHECK(pipe(p) == 0 && write(p[1], "hi\n\1", 4) == 4 && read(p[0], buf, 8) == 4);
	CHECK(mkdir("/tmp", 0755) == -1);
	CHECK(syscall(SYS_write, p[1], 16, 5) == -1);
	CHECK(syscall(SYS_openat, -100, 16, 0, 0) == -1);
	close(p[1]);
	set_trace(getpid(), "0");
	getpgid(4242);
	CHECK(!strcmp(rd("/proc/self/trace", 0), "0\n"));
	CHECK(traced(getpid(), "openat(AT_FDCWD, \"/no\\\"such\\nfile\", 0x20000, 00) = -2 ENOENT") ||
	      traced(getpid(), "openat(AT_FDCWD, \"/no\\\"such\\nfile\", 0x0, 00) = -2 ENOENT"));
	snprintf(line, sizeof(line), "write(%d, \"hi\\n\\1\", 4) = 4", p[1]);
	CHECK(traced(getpid(), line));
	snprintf(line, sizeof(line), "read(%d, \"hi\\n\\1\", 8) = 4", p[0]);
	CHECK(traced(getpid(), line));
	CHECK(traced(getpid(), "mkdirat(AT_FDCWD, \"/tmp\", 0755) = -17 EEXIST"));
	snprintf(line, sizeof(line), "write(%d, 0x10, 5) = -14 EFAULT", p[1]);
	CHECK(traced(getpid(), line));
	CHECK(traced(getpid(), "openat(AT_FDCWD, 0x10, 0x0, 00) = -14 EFAULT"));
	CHECK(!traced(getpid(), "getpgid(4242) = -3 ESRCH"));
}

TEST(tracer_follows_children_and_stops)
{
	char line[100];
	int p[2];
	char c;
	set_trace(getpid(), "1");
	CHECK(pipe(p) == 0);
	pid_t pid = fork();
	if (!pid) { getpgid(4243); (void)!read(p[0], &c, 1); getpgid(4244); _exit(9); }
	set_trace(getpid(), "0");
	CHECK(wait_state(pid, 'S'));
	CHECK(!strcmp(rd("/proc/%d/trace", pid), "1\n"));
	CHECK(traced(pid, "getpgid(4243) = -3 ESRCH"));
	set_trace(pid, "0");
	CHECK(write(p[1], "x", 1) == 1);
	CHECK(EXITED(wait_status(pid), 9));
	CHECK(!traced(pid, "getpgid(4244) = -3 ESRCH"));
	set_trace(getpid(), "1");
	pid = fork();
	if (!pid) _exit(9);
	set_trace(getpid(), "0");
	CHECK(EXITED(wait_status(pid), 9));
	snprintf(line, sizeof(line), "exit_group(9) = ?");
	CHECK(traced(pid, line));
}

TEST(tracer_is_for_the_owner)
{
	char path[64];
	if (!on_sarsen()) SKIP("Sarsen's tracer");
	snprintf(path, sizeof(path), "/proc/%d/trace", getpid());
	pid_t pid = fork();
	if (!pid) _exit(setuid(1000) || open(path, O_WRONLY) >= 0 || errno != EACCES);
	CHECK(EXITED(wait_status(pid), 0));
	int fd = open(path, O_WRONLY);
	CHECK(fd >= 0);
	CHECK_ERR(write(fd, "7", 1), EINVAL);
	CHECK_ERR(write(fd, "x", 1), EINVAL);
}

static long calls(const char *name)
{
	char want[32], *p;
	if (access("/proc/syscalls", F_OK) && !on_sarsen()) SKIP("Sarsen's counters");
	rd("/proc/syscalls", 0);
	snprintf(want, sizeof(want), "\n%s ", name);
	p = strstr(b, want);
	return p ? atol(p + strlen(want)) : 0;
}

TEST(calls_are_counted)
{
	getppid();
	long before = calls("getppid");
	CHECK(before > 0);
	for (int i = 0; i < 1000; i++) getppid();
	CHECK(calls("getppid") >= before + 1000 && calls("getppid") < before + 2000);
}
