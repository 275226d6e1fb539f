/* init of a guest that tries a disk: mounts the usual places, loads the modules that lie under /modules (Debian's kernel), runs
 * /disk-tests/$PROG with the environment that the command line gave, says how it ended, and powers off. */
#include "disk.h"
#include <dirent.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>

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
			say("# %s: errno %d\n", path, errno);
		close(fd);
	}
}

/* What a quiet console kept to itself. */
static void tell_warnings(void)
{
	static char log[1 << 18];
	int n = klogctl(3, log, sizeof(log) - 1);

	for (char *line = strtok(n > 0 ? log : NULL, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, "WARN:"))
			say("%s\n", line);
}

int main(void)
{
	const char *name = getenv("PROG");
	int fd, status = -1;
	char path[64];
	pid_t pid;

	mkdir("/dev", 0755); mkdir("/proc", 0555); mkdir("/sys", 0555); mkdir("/tmp", 01777); mkdir(DISK, 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, "");
	mount("proc", "/proc", "proc", 0, "");
	mount("sysfs", "/sys", "sysfs", 0, "");
	mount("tmpfs", "/tmp", "tmpfs", 0, "");
	fd = open("/dev/console", O_RDWR);
	if (fd >= 0) { dup2(fd, 0); dup2(fd, 1); dup2(fd, 2); if (fd > 2) close(fd); }
	load_modules();
	snprintf(path, sizeof(path), "/disk-tests/%.32s", name ? name : "exercise");
	say("## begin %s\n", path);
	pid = fork();
	if (pid == 0) {
		execl(path, path, (char *)NULL);
		say("## fatal cannot run %s: errno %d\n", path, errno);
		_exit(127);
	}
	while (waitpid(-1, &status, 0) != pid)
		;
	tell_warnings();
	say("## end %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status));
	umount(DISK);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
