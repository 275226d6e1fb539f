/* Trace points through /proc/trace (debug builds of Sarsen only). */
#include "tap.h"

static char b[2 << 20];
#define POINTS "/proc/trace/points"
#define LOG "/proc/trace/log"
static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0) close(fd);
	return ok ? 0 : -1;
}
static void need(void) { if (access(POINTS, F_OK)) SKIP("no trace points in this kernel"); }
static char *rd(const char *path) { CHECK(read_file(path, b, sizeof(b)) >= 0); return b; }
/* a line that names this process (0: any), this point, and holds what */
static int logged(pid_t pid, const char *point, const char *what)
{
	char name[64], *next;
	snprintf(name, sizeof(name), "-%-6d [", pid);
	rd(LOG);
	for (char *l = b; l && *l; l = next) {
		next = strchr(l, '\n');
		if (next) *next++ = 0;
		if ((!pid || strstr(l, name)) && strstr(l, point) && strstr(l, what)) return 1;
	}
	return 0;
}

TEST(list_and_switch)
{
	need();
	CHECK(put(POINTS, "none") == 0);
	rd(POINTS);
	CHECK(strstr(b, "\nvfs_open ") && strstr(b, "sched_switch ") && strstr(b, "\nfault_page ") && strstr(b, "\ncall_enter "));
	CHECK(!strstr(b, " on "));
	CHECK(put(POINTS, "sched") == 0);
	char *p = strstr(rd(POINTS), "sched_switch");
	CHECK(p && strstr(p, " on ") && strstr(p, " on ") < strchr(p, '\n'));
	CHECK(put(POINTS, "none") == 0);
	CHECK(!strstr(rd(POINTS), " on "));
	CHECK_ERR(put(POINTS, "no_such_point"), EINVAL);
}

TEST(calls_and_files)
{
	need();
	scratch();
	CHECK(put(LOG, "0") == 0 && put(POINTS, "call vfs") == 0);
	int fd = open("some-file", O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0 && write(fd, "12345", 5) == 5 && close(fd) == 0);
	CHECK_ERR(open("missing-file", O_RDONLY), ENOENT);
	CHECK(put(POINTS, "none") == 0);
	CHECK(logged(getpid(), ": vfs_open: ", "\"some-file\""));
	CHECK(logged(getpid(), ": vfs_write: ", "result 5"));
	CHECK(logged(getpid(), ": vfs_release: ", "inode"));
	CHECK(logged(getpid(), ": vfs_open: result -2 ", "\"missing-file\""));
	CHECK(logged(getpid(), ": call_enter: number 56 ", "\"openat\""));
	CHECK(logged(getpid(), ": call_exit: number 56 result -2", "\"openat\""));
	CHECK(logged(getpid(), ": call_exit: number 64 result 5", "\"write\""));
}

TEST(faults_and_processes)
{
	char want[64];
	int st;
	need();
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED && put(LOG, "0") == 0 && put(POINTS, "fault sched") == 0);
	*(volatile char *)page = 1;
	pid_t pid = fork();
	if (!pid) _exit(7);
	CHECK(waitpid(pid, &st, 0) == pid && EXITED(st, 7));
	while (!logged(pid, ": sched_switch: ", "next ")) usleep(1000);	/* it may still be leaving its CPU when its parent knows of its end */
	CHECK(put(POINTS, "none") == 0);
	snprintf(want, sizeof(want), "address %lx ", (unsigned long)page);
	CHECK(logged(getpid(), ": fault_page: ", want));
	snprintf(want, sizeof(want), "child %d ", pid);
	CHECK(logged(getpid(), ": sched_fork: ", want));
	CHECK(logged(pid, ": sched_exit: ", "status 700"));
	snprintf(want, sizeof(want), "next %d ", pid);
	CHECK(logged(0, ": sched_switch: ", want));	/* from whom is not ours to say: a kernel thread may run between */
	CHECK(logged(getpid(), ": sched_switch: ", "next "));	/* it waits */
}

TEST(log_is_forgotten)
{
	need();
	CHECK(put(POINTS, "call") == 0);
	getppid();
	CHECK(put(POINTS, "none") == 0 && put(LOG, "0") == 0);
	CHECK_EQ(strlen(rd(LOG)), 0);
}

