/* init of the benchmark guest: mounts, then /bench/calls (or `benchprog=`) with `benchcalls=` as its
 * argument, then power off.  `benchmode=boot` stops at once: the host times how long it takes to get here.  */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	uint64_t now, freq;
	char *mode, *calls = getenv("benchcalls"), *prog = getenv("benchprog"), path[64];
	__asm__ volatile("mrs %0, cntvct_el0\n mrs %1, cntfrq_el0" : "=r"(now), "=r"(freq));
	mkdir("/dev", 0755); mkdir("/proc", 0555); mkdir("/tmp", 01777);
	mount("devtmpfs", "/dev", "devtmpfs", 0, "");
	mount("proc", "/proc", "proc", 0, "");
	mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777");
	int fd = open("/dev/console", O_RDWR);
	if (fd >= 0) { dup2(fd, 0); dup2(fd, 1); dup2(fd, 2); if (fd > 2) close(fd); }
	printf("METRIC boot_to_init=%.0f ns\n", now * (1e9 / freq));
	fflush(stdout);
	mode = getenv("benchmode");
	if (!mode || strcmp(mode, "boot")) {
		pid_t p = fork();
		if (p == 0) {
			snprintf(path, sizeof(path), "/bench/%s", prog ? prog : "calls");
			execl(path, path, calls, (char *)NULL);
			_exit(127);
		}
		waitpid(p, NULL, 0);
	}
	printf("BENCH DONE\n");
	fflush(stdout);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
