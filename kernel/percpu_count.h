/* Counters that every CPU changes all the time and hardly anybody reads: how many files, inodes, dentries there are.
 *
 * Each CPU counts in a part of its own and adds it to the shared total when it reaches PERCPU_COUNT_BATCH, so the shared line is
 * written once in many changes.  A change is atomic on the part, so a task that migrates in the middle harms nothing. */
#pragma once
#include <arch/atomic.h>
#include <arch/cpu.h>

#define PERCPU_COUNT_BATCH 64

struct percpu_count {
	s64 total;	/* [a] */
	s32 *part;	/* [I] the per-CPU variable; [a] each */
};
#define DEFINE_PERCPU_COUNT(name) \
	static DEFINE_PER_CPU(s32, name##_part); \
	static struct percpu_count name = { 0, &name##_part }

/* percpu_count_add - Context: any. */
static inline void percpu_count_add(struct percpu_count *c, s32 n)
{
	s32 *part = this_cpu_ptr(c->part), v = atomic_add_return(part, n);

	if (unlikely(v >= PERCPU_COUNT_BATCH || v <= -PERCPU_COUNT_BATCH))
		atomic_add(&c->total, (s64)__atomic_exchange_n(part, 0, __ATOMIC_RELAXED));
}

/* percpu_count_about - within PERCPU_COUNT_BATCH a CPU of the truth, from one shared line; percpu_count_sum - the truth, if nothing
 * changes meanwhile.  Neither is negative. */
static inline u64 percpu_count_about(const struct percpu_count *c)
{
	s64 n = atomic_load(&c->total);

	return n > 0 ? (u64)n : 0;
}

static inline u64 percpu_count_sum(const struct percpu_count *c)
{
	s64 n = atomic_load(&c->total);

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		n += atomic_load(per_cpu_ptr(c->part, cpu));
	return n > 0 ? (u64)n : 0;
}
