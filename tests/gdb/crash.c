/* init of the guest of tests/gdb/core: a process of four threads, each some calls deep, dumps core, and this program again, as the helper that
 * core_pattern names, writes it to the first disk. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct item { int number; const char *name; struct item *next; };
static int there;		/* threads that are where they shall be found */
volatile int answer = 41;

static int to_disk(void)
{
	static char buf[65536];
	int disk = open("/dev/vda", O_WRONLY);
	ssize_t n;

	while ((n = read(0, buf, sizeof(buf))) > 0)
		if (write(disk, buf, n) != n)
			return 1;
	return fsync(disk) != 0;
}

static void is_there(void) { __atomic_add_fetch(&there, 1, __ATOMIC_SEQ_CST); }

__attribute__((noinline)) static void waits_in_the_kernel(struct item *i)
{
	register long nr __asm__("x8"), fds __asm__("x0"), n __asm__("x1"), time __asm__("x2"), mask __asm__("x3");

	is_there();
	nr = SYS_ppoll;
	fds = n = time = mask = 0;
	for (;;)	/* not by musl, whose assembler says nothing to debuggers */
		__asm__ volatile("svc #0" : "+r"(fds) : "r"(nr), "r"(n), "r"(time), "r"(mask), "m"(*i) : "memory");
}

__attribute__((noinline)) static void works(struct item *i)
{
	is_there();
	for (;;)
		__asm__ volatile("" :: "r"(i));
}

__attribute__((noinline)) static void crashes(struct item *last)
{
	while (__atomic_load_n(&there, __ATOMIC_SEQ_CST) < 3)
		;
	answer++;
	*(volatile int *)last->next = answer;
}

static void *thread(void *arg)
{
	struct item last = { 3, "the last", NULL }, first = { (int)(long)arg, "the first", &last };

	switch (first.number) {
	case 0: crashes(&last); break;
	case 1: works(&first); break;
	default: waits_in_the_kernel(&first); break;
	}
	return NULL;
}

static void dies(void)
{
	pthread_t t;

	for (long i = 0; i < 3; i++)
		pthread_create(&t, NULL, thread, (void *)i);
	thread((void *)3);
}

int main(int argc, char **argv)
{
	int fd, status = 0;
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], "to-disk"))
		return to_disk();
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	fd = open("/proc/sys/kernel/core_pattern", O_WRONLY);
	dprintf(fd, "|/init to-disk");
	close(fd);
	fd = open("/proc/sys/kernel/core_pipe_limit", O_WRONLY);
	dprintf(fd, "1");
	close(fd);
	pid = fork();
	if (!pid)
		dies();
	waitpid(pid, &status, 0);
	printf("status %x\n", status);
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
}
