/* stress.h - the frame of every storm: bounded in time, watched, and counted for leaks afterwards.
 *
 *   STORM(name) { start kids and threads; while (!over()) { work; progress(); } end them }
 *
 * A storm is a TAP test of this program (tap.h).  Its body runs twice in a child of its own, led by a
 * shared word that says when it is over: a second for warming up, then for the time that was asked.
 * After the first run and after the second the leftovers are counted: free memory (with the caches
 * dropped), tasks, slab objects.  Growth is a failure, so a leak of one object an operation shows.
 *
 * How long: argument `SECONDS` for each storm, or SOAK=minutes in the environment (on the kernel's
 * command line under tests/user/init.c), or SOAK=30s; five seconds without.  Any other argument is
 * the name of one storm, as is STORM= in the environment.
 *
 * The body calls progress() after each piece of work done on any CPU.  While it runs the frame prints
 * a line `# name: N` every few seconds, and when the number stays where it is for STALL_SECONDS it
 * prints what every task waits in and fails the storm.  The host's scripts/stress watches the same
 * lines, for a kernel that no longer runs even the frame.  Progress lines are not a verdict on speed. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef STALL_SECONDS
#define STALL_SECONDS 90
#endif
static long soak_seconds = 5;
#define TAP_TIMEOUT (unsigned)(soak_seconds * 3 + 3 * STALL_SECONDS)
#define TAP_HOOK
#include "../user/tap.h"
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

struct storm_shared { _Atomic int over; _Atomic unsigned long progress; };
static struct storm_shared *storm_shared;

static inline bool over(void) { return atomic_load(&storm_shared->over); }
static inline void progress(void) { atomic_fetch_add_explicit(&storm_shared->progress, 1, memory_order_relaxed); }

/* shared_map - memory that children inherit as the same pages; zeroed. */
static inline void *shared_map(size_t size)
{
	void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(m != MAP_FAILED);
	return m;
}

/* cpus - how many this process may use, and the n-th of them (any n). */
static inline int cpus(void)
{
	cpu_set_t set;
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	return CPU_COUNT(&set);
}

static inline void pin(int n)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(n, &set);
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* kid - a child that runs fn(n) and exits 0; its pid. */
static inline pid_t kid(void (*fn)(int), int n)
{
	fflush(stdout);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		fn(n);
		fflush(stdout);
		_exit(0);
	}
	return pid;
}

/* crowd - n kids run fn until the storm is over; each must end well. */
static inline void crowd(void (*fn)(int), int n)
{
	pid_t pids[64];
	for (int i = 0; i < n; i++) pids[i] = kid(fn, i);
	for (int i = 0; i < n; i++) CHECK_EQ(wait_status(pids[i]), 0);
}

/* random_next - xorshift, one state a thread. */
static inline unsigned random_next(unsigned *s)
{
	unsigned x = *s ? *s : 2463534242u;
	x ^= x << 13; x ^= x >> 17; x ^= x << 5;
	return *s = x;
}

static inline pid_t gettid_(void) { return syscall(SYS_gettid); }

/* ---- leftovers ---- */
#define MAX_SLABS 256
struct leftovers {
	long free_kb, tasks;
	int nr_slabs;
	struct { char name[32]; long active; } slabs[MAX_SLABS];
};

static inline long count_tasks(void)
{
	long n = 0;
	DIR *d = opendir("/proc");
	CHECK(d);
	for (struct dirent *de; (de = readdir(d));) {
		char path[300], buf[1024];
		if (de->d_name[0] < '0' || de->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", de->d_name);
		if (read_file(path, buf, sizeof(buf)) <= 0)
			continue;
		char *p = strrchr(buf, ')');
		int ppid = -1;
		if (p) sscanf(p + 2, "%*c %d", &ppid);
		if (ppid != 2 && atoi(de->d_name) != 2)		/* Linux's kernel threads come and go */
			n++;
	}
	closedir(d);
	return n;
}

static inline void count_leftovers(struct leftovers *l)
{
	static char b[65536];
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd >= 0) {
		write(fd, "3", 1);
		close(fd);
	}
	l->tasks = count_tasks();
	l->nr_slabs = 0;
	CHECK(read_file("/proc/meminfo", b, sizeof(b)) > 0);
	l->free_kb = atol(strstr(b, "MemFree:") + 8);
	if (on_sarsen() && read_file("/proc/slabinfo", b, sizeof(b)) > 0)	/* SLUB's counts are rough */
		for (char *line = strtok(b, "\n"); line && l->nr_slabs < MAX_SLABS; line = strtok(NULL, "\n"))
			if (line[0] != '#' && strncmp(line, "slabinfo", 8) &&
			    sscanf(line, "%31s %ld", l->slabs[l->nr_slabs].name, &l->slabs[l->nr_slabs].active) == 2)
				l->nr_slabs++;
}

/* A storm does thousands of operations: a leak of an object each is far above these. */
#define LEAK_KB (on_sarsen() ? 2048 : 12288)
#define LEAK_OBJECTS 400
#define LEAK_TASKS 0

static inline int leaked(const struct leftovers *a, const struct leftovers *b, bool say)
{
	int bad = 0;
	if (a->free_kb - b->free_kb > LEAK_KB && ++bad && say)
		printf("# leak: %ld kB free before, %ld after\n", a->free_kb, b->free_kb);
	if (b->tasks - a->tasks > LEAK_TASKS && ++bad && say)
		printf("# leak: %ld processes before, %ld after\n", a->tasks, b->tasks);
	for (int i = 0; i < b->nr_slabs; i++)
		for (int j = 0; j < a->nr_slabs; j++)
			if (!strcmp(a->slabs[j].name, b->slabs[i].name) && b->slabs[i].active - a->slabs[j].active > LEAK_OBJECTS &&
			    ++bad && say)
				printf("# leak: slab %s: %ld objects before, %ld after\n", b->slabs[i].name, a->slabs[j].active, b->slabs[i].active);
	return bad;
}

/* ---- the frame ---- */
static inline void say_file(const char *dir, const char *task, const char *file)
{
	char path[700], text[2000] = "";
	snprintf(path, sizeof(path), "%s/%s/%s", dir, task, file);
	read_file(path, text, sizeof(text));
	for (char *p = text; *p; p++) if (*p == '\n') *p = p[1] ? '|' : ' ';
	printf("#   %s: %.600s\n", file, text);
}
/* Where every thread waits. */
static inline void say_waits(void)
{
	DIR *d = opendir("/proc");
	for (struct dirent *de; d && (de = readdir(d));) {
		char dir[300];
		if (de->d_name[0] < '1' || de->d_name[0] > '9')
			continue;
		snprintf(dir, sizeof(dir), "/proc/%s/task", de->d_name);
		DIR *t = opendir(dir);
		for (struct dirent *te; t && (te = readdir(t));)
			if (te->d_name[0] != '.') {
				printf("# task %s of %s\n", te->d_name, de->d_name);
				say_file(dir, te->d_name, "stat");
				say_file(dir, te->d_name, "wchan");
				say_file(dir, te->d_name, "syscall");
			}
		if (t) closedir(t);
	}
	if (d) closedir(d);
	fflush(stdout);
}

/* storm_run - the body for `ms`, in a child; 0 or what was wrong. */
static inline const char *storm_run(const char *name, void (*body)(void), long ms)
{
	struct timespec t0, t;
	unsigned long last = 0;
	int status = 0, still = 0, ticks = 0;
	atomic_store(&storm_shared->over, 0);
	atomic_store(&storm_shared->progress, 0);
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) { body(); fflush(stdout); _exit(0); }
	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);
		CHECK(got == 0 || got == pid);
		if (got == pid)
			break;
		sleep_ms(100);
		clock_gettime(CLOCK_MONOTONIC, &t);
		if ((t.tv_sec - t0.tv_sec) * 1000 + (t.tv_nsec - t0.tv_nsec) / 1000000 >= ms &&
		    atomic_load(&storm_shared->progress))
			atomic_store(&storm_shared->over, 1);
		unsigned long now = atomic_load(&storm_shared->progress);
		still = now == last ? still + 1 : 0;
		if (++ticks % 20 == 0 && now != last) { printf("# %s: %lu\n", name, now); fflush(stdout); }
		last = now;
		if (still > STALL_SECONDS * 10) {
			say_waits();
			return "no progress";
		}
	}
	printf("# %s: %lu in all\n", name, atomic_load(&storm_shared->progress));
	if (status)
		printf("# the storm's child ended with status 0x%x\n", status);
	fflush(stdout);
	return status ? "the storm failed" : atomic_load(&storm_shared->progress) ? NULL : "nothing was done";
}

static inline void storm(const char *name, void (*body)(void))
{
	static struct leftovers before, after;
	storm_shared = shared_map(sizeof(*storm_shared));
	const char *wrong = storm_run(name, body, 1000);
	if (!wrong) {
		sleep_ms(200);
		count_leftovers(&before);
		wrong = storm_run(name, body, soak_seconds * 1000);
	}
	if (wrong) {
		printf("# %s: %s\n", name, wrong);
		fflush(stdout);
		_exit(1);
	}
	for (int tries = 0; tries < 20; tries++) {	/* what is freed after a grace period takes its time */
		count_leftovers(&after);
		if (!leaked(&before, &after, false))
			return;
		sleep_ms(250);
	}
	CHECK(!leaked(&before, &after, true));
}

static inline void storm_chosen(const char *name)
{
	char *only = getenv("STORM");
	if (only && strcmp(only, name)) SKIP("not asked for");
}

#define STORM(n) \
	static void storm_##n(void); \
	TEST(n) { storm_chosen(#n); storm(#n, storm_##n); } \
	static void storm_##n(void)

static void tap_hook(int argc, char **argv)
{
	char *soak = getenv("SOAK");
	if (argc > 1 && !strcmp(argv[1], "quit"))	/* what storms exec */
		_exit(7);
#ifdef STORM_AGAIN		/* a function that never returns */
	if (argc > 1 && !strcmp(argv[1], "again"))
		STORM_AGAIN();
#endif
	if (argc > 1 && atol(argv[1]) > 0) {
		soak_seconds = atol(argv[1]);
		argv[1] = argc > 2 ? argv[2] : NULL;
	} else if (soak && atol(soak) > 0) {
		soak_seconds = atol(soak) * (strchr(soak, 's') ? 1 : 60);
	}
}
