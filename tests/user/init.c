/* init of the test guest: mounts the usual places, runs every program under /tests in order, each
 * with a time limit, and powers off.  `tests=PREFIX[,PREFIX]` in its environment (from the kernel
 * command line) chooses some; `SOAK=` and `STORM=` in it go to the stress programs.  The host's scripts/test-user judges what it prints.  */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM_TIMEOUT 300

static char names[512][128];
static int count;

static void mount_all(void)
{
	mkdir("/dev", 0755); mkdir("/proc", 0555); mkdir("/sys", 0555); mkdir("/tmp", 01777);
	mount("devtmpfs", "/dev", "devtmpfs", 0, "");
	mkdir("/dev/pts", 0755); mkdir("/dev/shm", 01777);
	mount("proc", "/proc", "proc", 0, "");
	mount("sysfs", "/sys", "sysfs", 0, "");
	mount("devpts", "/dev/pts", "devpts", 0, "mode=620,ptmxmode=666");
	mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777");
	mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777");
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);
	if (fd < 0)
		return;
	dup2(fd, 0); dup2(fd, 1); dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

static int chosen(const char *name)
{
	const char *want = getenv("tests");
	if (!want || !*want)
		return strncmp(name, "stress/", 7) != 0;	/* long: only when asked for */
	while (*want) {
		size_t n = strcspn(want, ",");
		if (n && !strncmp(name, want, n))
			return 1;
		want += n + (want[n] == ',');
	}
	return 0;
}

static void collect(const char *dir)
{
	struct dirent *de;
	DIR *d = opendir(dir);
	if (!d) {
		printf("# cannot open %s: errno %d\n", dir, errno);
		return;
	}
	while ((de = readdir(d))) {
		char path[256];
		struct stat st;
		if (de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%.120s/%.120s", dir, de->d_name);
		if (stat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			collect(path);
		else if (chosen(path + strlen("/tests/")) && count < 512)
			snprintf(names[count++], sizeof(names[0]), "%.127s", path);
	}
	closedir(d);
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }
static volatile sig_atomic_t alarmed;
static void on_alarm(int sig) { (void)sig; alarmed = 1; }

static void run(const char *path)
{
	int status = 0;
	char *argv[] = { (char *)path, NULL };
	char *soak = getenv("SOAK"), soak_word[64], *storm = getenv("STORM"), storm_word[128];
	char *envp[] = { "PATH=/bin:/sbin", "HOME=/", soak ? soak_word : NULL, storm ? storm_word : NULL, NULL };
	pid_t pid;

	if (soak)
		snprintf(soak_word, sizeof(soak_word), "SOAK=%.32s", soak);
	if (storm)
		snprintf(storm_word, sizeof(storm_word), "STORM=%.100s", storm);

	printf("## begin %s\n", path + strlen("/tests/"));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setsid();
		execve(path, argv, envp);
		printf("# exec failed: errno %d\n", errno);
		fflush(stdout);
		_exit(127);
	}
	alarmed = 0;
	alarm(soak ? 0 : PROGRAM_TIMEOUT);	/* a storm that was asked for bounds itself */
	for (;;) {
		pid_t got = waitpid(-1, &status, 0);
		if (got == pid || (got < 0 && errno == ECHILD))
			break;
		if (alarmed) {
			printf("# program timeout\n");
			kill(-1, SIGKILL);
			alarmed = 0;
			alarm(5);
		}
	}
	alarm(0);
	if (WIFSIGNALED(status))
		printf("## end signal %d\n", WTERMSIG(status));
	else
		printf("## end %d\n", WEXITSTATUS(status));
	fflush(stdout);
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	mount_all();
	open_console();
	sigaction(SIGALRM, &sa, NULL);
	collect("/tests");
	qsort(names, count, sizeof(names[0]), by_name);
	printf("## programs %d\n", count);
	for (int i = 0; i < count; i++)
		run(names[i]);
	printf("## done\n");
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
