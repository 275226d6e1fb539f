/* inject.h - what the tests of failing allocations share: each operation is made with its N-th allocation failing, for N = 1, 2, ... until it makes
 * fewer; again SWEEPS times in a child, with the kernel's objects and pages counted before and after.  By /proc/self/fail-nth (debug builds). */
#pragma once
#include "mm/meminfo.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SWEEPS 8
#define MOST 2000		/* allocations of one call */
#ifndef ALLOWED_TOO
#define ALLOWED_TOO(e) false
#endif

/* An operation: 0 or its errno; and what undoes it, whether it failed or not. */
struct op { const char *name; int (*call)(void); void (*undo)(void); };
static int fail_fd;

static void number(int fd, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);
	CHECK_EQ(write(fd, text, len), len);
}

/* After number(fd, 0): has it failed? */
static bool fired(int fd)
{
	char text[16] = "";
	CHECK(pread(fd, text, 15, 0) > 0);
	return atoi(text) == 0;
}

static int result(long r) { return r < 0 ? errno : 0; }
static bool allowed(int e) { return e == 0 || e == ENOMEM || e == ENOBUFS || e == EAGAIN || e == ENOLCK || ALLOWED_TOO(e); }

static void sweep(const struct op *op)
{
	int bad = 0;
	for (int n = 1; ; n++) {
		CHECK(n < MOST);
		number(fail_fd, n);
		int e = op->call();
		number(fail_fd, 0);
		if (op->undo) op->undo();
		bool over = !fired(fail_fd);
		if (!allowed(e) || (over && e)) printf("# %s, allocation %d%s: errno %d\n", op->name, n, over ? " not reached" : "", e);
		if (!allowed(e) || (over && e)) { if (bad++ > 20) _exit(1); }
		if (over) break;
	}
	CHECK_EQ(bad, 0);
}

/* --- what the kernel holds --- */
struct held { char name[32]; long count; };
static long pages_before;
static long pages_now(void) { return (meminfo_kb("MemFree") + meminfo_kb("Slab")) / 4; }
static int held_now(struct held *h)
{
	static char text[65536];
	int n = 0, fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "3", 1) == 1);	/* stocks of stacks, tables and objects are not in use */
	close(fd);
	CHECK(read_file("/proc/slabinfo", text, sizeof(text)) > 0);
	for (char *line = strtok(text, "\n"); line && n < 200; line = strtok(NULL, "\n"))
		if (sscanf(line, "%31s %ld", h[n].name, &h[n].count) == 2) n++;
	return n;
}

/* Does any kind of object grow by one a sweep?  What is freed after a grace period gets its time; the kernel keeps names that processes
 * had in /proc, in bounds of its own. */
static bool grown(const struct held *before, int n, bool tell)
{
	static struct held now[200];
	bool any = false;
	CHECK_EQ(held_now(now), n);
	for (int i = 0; i < n; i++)
		if (now[i].count >= before[i].count + SWEEPS && strcmp(now[i].name, "dentry") && strcmp(now[i].name, "proc_inode")) {
			any = true;
			if (tell) printf("# %s: %ld more after %d sweeps\n", now[i].name, now[i].count - before[i].count, SWEEPS);
		}
	if (pages_now() <= pages_before - SWEEPS) {
		any = true;
		if (tell) printf("# %ld pages fewer after %d sweeps\n", pages_before - pages_now(), SWEEPS);
	}
	return any;
}

static int settle_tries = 100;
static bool settled(const struct held *before, int n)
{
	for (int tries = 0; grown(before, n, tries == settle_tries); tries++) {
		if (tries == settle_tries) return false;
		sleep_ms(10);
	}
	return true;
}

static int wrong;

static void sweep_in_child(const struct op *op, int times)
{
	fflush(stdout);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(fail_fd);
		fail_fd = open("/proc/self/fail-nth", O_RDWR);
		for (int i = 0; i < times; i++) sweep(op);
		fflush(stdout);
		_exit(0);
	}
	int st = wait_status(pid);
	if (!EXITED(st, 0)) printf("# %s: status %#x\n", op->name, st);
	if (!EXITED(st, 0)) wrong++;
}

/* Before the rest: opens the file, or skips the test. */
static void inject_begin(void)
{
	fail_fd = open("/proc/self/fail-nth", O_RDWR);
	if (fail_fd < 0) SKIP("no /proc/self/fail-nth: not a debug build");
	cpu_set_t one;		/* each CPU keeps stocks of its own from the first time it uses a cache on: they would look like a leak */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
}

/* Each of n operations; the test fails if one answered what it must not, or leaks. */
static void inject(const struct op *ops, unsigned n)
{
	static struct held before[200];
	wrong = 0;
	for (unsigned i = 0; i < n; i++) {
		sweep_in_child(&ops[i], 1);
		int kinds = held_now(before);
		pages_before = pages_now();
		sweep_in_child(&ops[i], SWEEPS);
		if (!settled(before, kinds)) {
			printf("# %s leaks\n", ops[i].name);
			wrong++;
		}
	}
	CHECK_EQ(wrong, 0);
}
