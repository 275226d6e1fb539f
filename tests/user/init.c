/* init of the test guest: mounts the usual places, runs every program under /tests in order, each
 * with a time limit, and powers off.  `tests=PREFIX[,PREFIX]` in its environment (from the kernel
 * command line) chooses some; `SOAK=` and `STORM=` in it go to the stress programs.  The host's scripts/test-user judges what it prints.
 *
 * Disks that scripts/test-user gives: vda, an ext2, is mounted at /disk; vdb is empty (/dev/scratch); vdc is an ext2 of 1 KiB blocks that
 * nobody has mounted (/dev/scratch2).  Programs about files run a second time as NAME@disk, with a directory of /disk bound over /tmp.
 *
 * `wire=near` or `wire=far`: one of two guests joined by wires (ends.h).  The far one runs no tests but the agent of tests/user/far, for ever.  */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ends.h"

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

/* Debian's kernel has its disk drivers as modules; they lie here in the order to load them. */
static void load_modules(void)
{
	struct dirent **names;
	int n = scandir("/modules", &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[320];
		int fd;
		if (names[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/modules/%s", names[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
			printf("# %s: errno %d\n", path, errno);
		close(fd);
	}
}

static int have_disk;

static void mount_disk(void)
{
	struct stat st;

	if (stat("/dev/vda", &st) < 0)
		return;
	symlink("vdb", "/dev/scratch");
	symlink("vdc", "/dev/scratch2");
	mkdir("/disk", 0755);
	if (mount("/dev/vda", "/disk", "ext2", 0, "") < 0) {
		printf("# no ext2 on /dev/vda: errno %d\n", errno);
		return;
	}
	have_disk = 1;
}

static int wipe_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	(void)st; (void)kind; (void)f;
	return remove(path) < 0 && errno != EBUSY ? (printf("# cannot remove %s: errno %d\n", path, errno), 0) : 0;
}

static void bind_tmp(int on)
{
	if (on) {
		mkdir("/disk/tmp", 01777);
		chmod("/disk/tmp", 01777);
		if (mount("/disk/tmp", "/tmp", NULL, MS_BIND, NULL) < 0)
			printf("# cannot bind /disk/tmp: errno %d\n", errno);
	} else {
		umount2("/tmp", MNT_DETACH);
		nftw("/disk/tmp", wipe_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	}
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

/* Of which programs the files may as well lie on a disk. */
static int files_matter(const char *name)
{
	static const char *const topics[] = { "fs/", "mm/truncate", "mm/stale", "exec/" };

	for (unsigned i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		if (!strncmp(name, topics[i], strlen(topics[i])))
			return 1;
	return 0;
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
		else {
			if (chosen(path + strlen("/tests/")) && count < 512)
				snprintf(names[count++], sizeof(names[0]), "%.127s", path);
			strncat(path, "@disk", sizeof(path) - strlen(path) - 1);
			if (have_disk && files_matter(path + strlen("/tests/")) && chosen(path + strlen("/tests/")) && count < 512)
				snprintf(names[count++], sizeof(names[0]), "%.127s", path);
		}
	}
	closedir(d);
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }
static volatile sig_atomic_t alarmed;
static void on_alarm(int sig) { (void)sig; alarmed = 1; }

static void run(const char *name)
{
	int status = 0, on_disk = strchr(name, '@') != NULL;
	char path[128];
	char *argv[] = { path, NULL };
	char *soak = getenv("SOAK"), soak_word[64], *storm = getenv("STORM"), storm_word[128];
	char *envp[] = { "PATH=/bin:/sbin", "HOME=/", soak ? soak_word : NULL, storm ? storm_word : NULL, NULL };
	pid_t pid;

	if (soak)
		snprintf(soak_word, sizeof(soak_word), "SOAK=%.32s", soak);
	if (storm)
		snprintf(storm_word, sizeof(storm_word), "STORM=%.100s", storm);

	snprintf(path, sizeof(path), "%.*s", (int)strcspn(name, "@"), name);
	printf("## begin %s\n", name + strlen("/tests/"));
	fflush(stdout);
	if (on_disk)
		bind_tmp(1);
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
	if (on_disk)
		bind_tmp(0);
}

/* The agent serves until the host ends this guest. */
static void be_far(void)
{
	char *argv[] = { "/tests/far/connect", "--agent", NULL };

	fflush(stdout);
	execv(argv[0], argv);
	printf("# no agent: errno %d\n", errno);
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	const char *wire = getenv("wire");
	mount_all();
	open_console();
	sigaction(SIGALRM, &sa, NULL);
	load_modules();
	if (wire && ends_setup(strcmp(wire, "far") ? 1 : 2) == 0 && !strcmp(wire, "far"))
		be_far();
	mount_disk();
	collect("/tests");
	qsort(names, count, sizeof(names[0]), by_name);
	printf("## programs %d\n", count);
	for (int i = 0; i < count; i++)
		run(names[i]);
	printf("## done\n");
	fflush(stdout);
	if (have_disk && umount("/disk") < 0)
		printf("# cannot unmount /disk: errno %d\n", errno);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
