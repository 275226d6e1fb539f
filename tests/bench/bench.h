/* bench.h - one way to time a thing.
 *
 * bench("name", n, body) runs body n times after a warm-up of n/8 and prints nanoseconds for each as
 * a METRIC line.  Under `-icount shift=0` a nanosecond is an instruction.  The counter is read
 * directly, so that the clock's own cost is the same on both kernels.  The median of five rounds
 * stands; what a round of an empty loop costs is not subtracted (two instructions).
 *
 * For scripts/profile: benchonly=NAME in the environment leaves out all other items, and the marks around what is timed (hints that
 * do nothing) tell its plugin when to count; benchtimes=N makes an item N times as long, for its sampling.  */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static inline uint64_t ticks(void)
{
	uint64_t t;
	__asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(t) : : "memory");
	return t;
}

static inline double tick_ns(void)
{
	uint64_t f;
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(f));
	return 1e9 / f;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

#define MARK_BEGIN() __asm__ volatile("hint #0x70" : : : "memory")
#define MARK_END() __asm__ volatile("hint #0x71" : : : "memory")

static inline int chosen(const char *name)
{
	const char *only = getenv("benchonly");
	return !only || !strcmp(only, name);
}

static inline long longer(void)
{
	const char *times = getenv("benchtimes");
	return times ? atol(times) : 1;
}

static inline void report(const char *name, long n, double sample[5])
{
	qsort(sample, 5, sizeof(double), by_value);
	printf("METRIC %s=%.1f ns\nTIMES %s=%ld\n", name, sample[2], name, n * 5);
	fflush(stdout);
}

#define bench(name, n, body) do { \
	double sample_[5]; \
	if (!chosen(name)) break; \
	long n_ = (n) * longer(); \
	for (long i_ = 0; i_ < n_ / 8 + 1; i_++) { body; } \
	for (int r_ = 0; r_ < 5; r_++) { \
		MARK_BEGIN(); \
		uint64_t t_ = ticks(); \
		for (long i_ = 0; i_ < n_; i_++) { body; } \
		sample_[r_] = (ticks() - t_) * tick_ns() / n_; \
		MARK_END(); \
	} \
	report(name, n_, sample_); \
} while (0)

static inline long raw0(long nr)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0");
	__asm__ volatile("svc #0" : "=r"(x0) : "r"(x8) : "memory");
	return x0;
}
