/* /proc/sysrq-trigger: what its letters put into the log.  (Those that stop the machine, and the console's break: tests/phases/sysrq.exp.) */
#include "tap.h"
#include <sys/klog.h>

static char b[1 << 20];
static int trigger(const char *s)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY), n = fd < 0 ? -1 : (int)write(fd, s, strlen(s));
	if (fd >= 0) close(fd);
	return n;
}
/* what the log holds behind the last "marker" */
static char *logged(const char *marker)
{
	char *last = NULL;
	int n = klogctl(3, b, sizeof(b) - 1);
	CHECK(n > 0);
	b[n] = 0;
	for (char *p = b; (p = strstr(p, marker)); p++) last = p;
	CHECK(last);
	return last;
}

TEST(blocked_tasks)
{
	int p[2];
	char c;
	CHECK(pipe(p) == 0);
	pid_t pid = fork();
	if (!pid) {
		if (!syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0)) { (void)!read(p[0], &c, 1); _exit(0); }
		_exit(0);
	}
	CHECK(wait_state(pid, 'D'));	/* until the child of vfork has another program or is gone */
	CHECK_EQ(trigger("w"), 1);
	char *text = logged("sysrq: Show Blocked State"), want[64];
	char *task = strstr(text, "task:sysrq");
	CHECK(task && strstr(task, "state:D"));
	snprintf(want, sizeof(want), "pid:%d ", pid);
	CHECK(strstr(task, want));
	CHECK(strstr(task, "Call trace:") && (strstr(task, "wait_for_completion") || strstr(task, "completion_wait")));
	CHECK(write(p[1], "x", 1) == 1);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(all_tasks)
{
	int p[2];
	char c, want[64];
	CHECK(pipe(p) == 0);
	pid_t pid = fork();
	if (!pid) { (void)!read(p[0], &c, 1); _exit(0); }
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(trigger("t"), 1);
	snprintf(want, sizeof(want), "pid:%d ", pid);
	char *t = strstr(logged("sysrq: Show State"), want);
	CHECK(t && (t = strstr(t, "Call trace:")) && strstr(t, "pipe_read"));
	kill(pid, SIGKILL);
	wait_status(pid);
}

TEST(memory_and_sync_and_help)
{
	CHECK_EQ(trigger("m"), 1);
	CHECK(strstr(logged("sysrq: Show Memory"), "free:"));
	CHECK_EQ(trigger("s"), 1);
	for (int i = 0; !strstr(logged("sysrq: Emergency Sync"), "Sync complete") && i < 1000; i++) sleep_ms(5);
	CHECK(strstr(logged("sysrq: Emergency Sync"), "Sync complete"));
	CHECK_EQ(trigger("?"), 1);
	char *help = logged("sysrq: HELP : ");
	CHECK(strstr(help, "loglevel(0-9)") && strstr(help, "reboot(b)") && strstr(help, "memory-full-oom-kill(f)") && strstr(help, "sak(k)"));
}

TEST(log_level)
{
	int before, now;
	CHECK(read_file("/proc/sys/kernel/printk", b, sizeof(b)) > 0 && sscanf(b, "%d", &before) == 1);
	CHECK_EQ(trigger("3"), 1);
	CHECK(read_file("/proc/sys/kernel/printk", b, sizeof(b)) > 0 && sscanf(b, "%d", &now) == 1);
	CHECK_EQ(now, 3);
	snprintf(b, 32, "%d", before);
	CHECK_EQ(trigger(b), (int)strlen(b));	/* only the first letter counts, but all are taken */
}

TEST(whose_it_is)
{
	struct stat st;
	CHECK(stat("/proc/sysrq-trigger", &st) == 0 && (st.st_mode & 07777) == 0200);
	pid_t pid = fork();
	if (!pid) _exit(setuid(1000) || open("/proc/sysrq-trigger", O_WRONLY) >= 0 || errno != EACCES);
	CHECK(EXITED(wait_status(pid), 0));
	int fd = open("/proc/sys/kernel/sysrq", O_RDWR), n;
	CHECK(fd >= 0 && read_file("/proc/sys/kernel/sysrq", b, sizeof(b)) > 0 && sscanf(b, "%d", &n) == 1 && n >= 0);
	CHECK(write(fd, "1", 1) == 1);
	close(fd);
}
