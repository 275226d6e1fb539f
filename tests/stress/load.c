/* load: mixed work on every CPU for a while, then a count of what is left over.
 *
 *   load [rounds]		forks, execs, pipes, maps, files, signals, threads at once; TAP
 *
 * After its rounds (10,000 forks and execs by default, with SOAK= fifty a second of it) free memory must be back to within 1 MiB. */
#define TAP_TIMEOUT 600
#define TAP_HOOK
#include "../user/tap.h"
#include <pthread.h>

static long rounds = 10000;
static void tap_hook(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "quit"))
		_exit(7);
	char *soak = getenv("SOAK");		/* as the storms': seconds with an s, else minutes */
	if (soak && atol(soak) > 0)
		rounds = atol(soak) * (strchr(soak, 's') ? 1 : 60) * 50;
	if (argc > 1 && atol(argv[1]) > 0) {
		rounds = atol(argv[1]);
		argv[1] = NULL;
	}
}

/* What is cached, or waits for a grace period, is not left over. */
static long mem_free(void)
{
	char b[4096];
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd >= 0) {
		write(fd, "3", 1);
		close(fd);
	}
	CHECK(read_file("/proc/meminfo", b, sizeof(b)) > 0);
	return atol(strstr(b, "MemFree:") + 8);
}

static void one_exec(void)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		execl("/proc/self/exe", "load", "quit", (char *)NULL);
		_exit(1);
	}
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(forks_and_execs_leave_nothing)
{
	for (int i = 0; i < 200; i++)
		one_exec();
	long before = mem_free();
	for (long i = 0; i < rounds; i++) {
		one_exec();
		if (i % 250 == 249) { printf("# %ld of %ld\n", i + 1, rounds); fflush(stdout); }
	}
	long after = mem_free();
	for (int tries = 0; tries < 20 && before - after >= 1024; tries++) {
		sleep_ms(100);
		after = mem_free();
	}
	printf("# %ld kB free before, %ld after\n", before, after);
	CHECK(before - after < 1024);
}

static void *mapper(void *arg)
{
	for (int i = 0; i < 500; i++) {
		char *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(m, 1, 65536);
		munmap(m, 65536);
	}
	return arg;
}

static void threads(void)
{
	pthread_t t[4];
	for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, mapper, NULL);
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
}

static void files(void)
{
	char n[64];
	for (int i = 0; i < 1000; i++) {
		snprintf(n, sizeof(n), "/tmp/load-%d-%d", getpid(), i & 15);
		int fd = open(n, O_RDWR | O_CREAT, 0600);
		write(fd, n, sizeof(n));
		close(fd);
		unlink(n);
	}
}

static void forks(void) { for (int i = 0; i < 100; i++) one_exec(); }
static void on_sig(int s) { (void)s; }

TEST(mixed_load)
{
	void (*work[])(void) = { threads, files, forks };
	pid_t kids[9];
	signal(SIGUSR1, on_sig);
	for (int i = 0; i < 9; i++) {
		kids[i] = fork();
		CHECK(kids[i] >= 0);
		if (kids[i] == 0) { work[i % 3](); _exit(0); }
	}
	for (int k = 0; k < 300; k++) {
		kill(kids[k % 9], SIGUSR1);
		kill(kids[(k + 1) % 9], SIGSTOP);
		kill(kids[(k + 1) % 9], SIGCONT);
		sched_yield();
	}
	for (int i = 0; i < 9; i++) {
		int st = wait_status(kids[i]);
		CHECK(EXITED(st, 0));
	}
}
