/* Memory that is only kept in case comes back when asked for: /proc/sys/vm/drop_caches.  And when there is no more: one process is
 * killed, the log names it, the rest goes on. */
#include "../tap.h"
#include <sys/klog.h>
#include <sys/stat.h>
#include "meminfo.h"

static int drop(const char *what)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd < 0)
		return -1;
	ssize_t n = write(fd, what, strlen(what));
	int err = errno;
	close(fd);
	errno = err;
	return n < 0 ? -1 : 0;
}

TEST(drop_caches_takes_numbers_only)
{
	CHECK(drop("1") == 0);
	CHECK(drop("2\n") == 0);
	CHECK(drop("3\n") == 0);
	CHECK_ERR(drop("0"), EINVAL);
	CHECK_ERR(drop("x\n"), EINVAL);
	struct stat st;
	CHECK(stat("/proc/sys/vm/drop_caches", &st) == 0);
	CHECK_EQ(st.st_mode & 0777, 0200);
}

TEST(names_that_are_absent_are_forgotten)
{
	char name[64];
	struct stat st;
	drop("3");
	long before = meminfo_kb("SReclaimable");
	for (int i = 0; i < 6000; i++) {
		sprintf(name, "/tmp/not-there-%d", i);
		CHECK_ERR(stat(name, &st), ENOENT);
		CHECK_ERR(stat(name, &st), ENOENT);		/* used again: kept longer, but not now */
	}
	long grown = meminfo_kb("SReclaimable");
	if (grown - before < 500)
		SKIP("this file system does not remember them");
	CHECK(drop("2") == 0);
	CHECK(meminfo_kb("SReclaimable") - before < (grown - before) / 2);
}

TEST(files_keep_what_they_hold)
{
	char dir[] = "/tmp/reclaim-XXXXXX", name[64], c;
	CHECK(mkdtemp(dir));
	for (int i = 0; i < 500; i++) {
		sprintf(name, "%s/%d", dir, i);
		int fd = open(name, O_RDWR | O_CREAT, 0600);
		c = i;
		CHECK(fd >= 0 && write(fd, &c, 1) == 1);
		close(fd);
	}
	sprintf(name, "%s/7", dir);
	int kept = open(name, O_RDONLY);
	CHECK(kept >= 0 && chdir(dir) == 0);
	CHECK(drop("3") == 0);
	for (int i = 0; i < 500; i++) {
		sprintf(name, "%s/%d", i & 1 ? dir : ".", i);
		int fd = open(name, O_RDONLY);
		CHECK(fd >= 0 && read(fd, &c, 1) == 1 && c == (char)i);
		close(fd);
		CHECK(unlink(name) == 0);
	}
	CHECK(read(kept, &c, 1) == 1 && c == 7);
	CHECK(chdir("/") == 0 && rmdir(dir) == 0);
}

#define LOG (1 << 18)
static char *log_text(void)
{
	static char text[LOG + 1];
	int n = klogctl(3, text, LOG);
	CHECK(n > 0);
	text[n] = 0;
	return text;
}

static int times_in(const char *text, const char *what)
{
	int n = 0;
	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static pid_t glutton(void)
{
	pid_t pid = fork();
	if (pid)
		return pid;
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "1000", 4) == 4);
	for (;;) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			_exit(1);
		for (long i = 0; i < 1 << 20; i += 4096)
			p[i] = 1;
	}
}

TEST(one_victim_and_its_name_in_the_log)
{
	char *mine = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), line[64];
	memset(mine, 0x5a, 1 << 20);
	klogctl(5, NULL, 0);			/* empty: what comes is ours */
	long free = meminfo_kb("MemFree");
	pid_t bystander = fork();
	if (bystander == 0)
		for (;;)
			pause();
	pid_t pid = glutton();
	CHECK(KILLED(wait_status(pid), SIGKILL));
	sprintf(line, "illed process %d (", pid);
	CHECK(times_in(log_text(), line) == 1);
	CHECK(times_in(log_text(), "illed process ") == 1);
	CHECK(kill(bystander, 0) == 0 && waitpid(bystander, NULL, WNOHANG) == 0);
	CHECK(kill(bystander, SIGTERM) == 0 && KILLED(wait_status(bystander), SIGTERM));
	for (int i = 0; i < 1 << 20; i += 4096)
		CHECK_EQ(mine[i], 0x5a);
	drop("3");
	CHECK(meminfo_kb("MemFree") > free - 8192);
}

TEST(and_again)
{
	for (int i = 0; i < 3; i++)
		CHECK(KILLED(wait_status(glutton()), SIGKILL));
}

TEST(several_at_once)
{
	pid_t pids[4];
	klogctl(5, NULL, 0);
	for (int i = 0; i < 4; i++)
		pids[i] = glutton();
	for (int i = 0; i < 4; i++)
		CHECK(KILLED(wait_status(pids[i]), SIGKILL));
	CHECK_EQ(times_in(log_text(), "illed process "), 4);		/* each once, and nobody else */
}

/* Threads that wait for work are not reported as hung. */
TEST(idle_threads_are_not_hung)
{
	static char log[1 << 18];
	int fd = open("/disk/idle", O_RDWR | O_CREAT, 0600), n;
	if (fd < 0 || access("/proc/sys/kernel/hung_task_timeout_secs", W_OK))
		SKIP("no disk, or nobody looks for the hung");
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK(fsync(fd) == 0 && unlink("/disk/idle") == 0);
	close(fd);
	sync();
	CHECK(klogctl(5, NULL, 0) >= 0);
	write_file("/proc/sys/kernel/hung_task_timeout_secs", "1");
	sleep_ms(3000);
	write_file("/proc/sys/kernel/hung_task_timeout_secs", "120");
	n = klogctl(3, log, sizeof(log) - 1);
	CHECK(n >= 0);
	char *said = strstr(log, "blocked for more than");
	if (said)
		printf("# %.60s\n", said > log + 40 ? said - 30 : log);
	CHECK(!said);
}
