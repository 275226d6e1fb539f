/* fut.h - futex calls and threads whose state can be asked for. */
#pragma once
#include "../tap.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

typedef _Atomic uint32_t word;

static inline long futex(void *u, int op, unsigned v, const void *t, void *u2, unsigned v3) { return syscall(SYS_futex, u, op, v, t, u2, v3); }
static inline uint32_t gettid_(void) { return (uint32_t)syscall(SYS_gettid); }
static inline long lock_pi(word *w) { return futex(w, FUTEX_LOCK_PI, 0, NULL, NULL, 0); }
static inline long unlock_pi(word *w) { return futex(w, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0); }

/* A thread that has come to where it is to sleep, and sleeps. */
struct thr { pthread_t pt; _Atomic int tid, at, order; long ret; int err; word *w, *w2; const struct timespec *limit; int op, prio; };

static inline int task_field(int tid, int field)	/* of stat; the third is 'S' and so on */
{
	char path[64], buf[1024], *p;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (read_file(path, buf, sizeof(buf)) <= 0 || !(p = strrchr(buf, ')')))
		return 0;
	p += 2;
	if (field == 3)
		return *p;
	for (int i = 3; i < field && p; i++)
		p = strchr(p, ' ') + 1;
	return atoi(p);
}

static inline void wait_asleep(struct thr *t)
{
	while (!t->at || task_field(t->tid, 3) != 'S')
		sleep_ms(2);
}

/* The priority it runs at, as stat tells it: -1 - n for real-time priority n, 20 + nice else. */
static inline int prio_of(int tid) { return task_field(tid, 18); }
static inline void wait_prio(int tid, int prio) { while (prio_of(tid) != prio) sleep_ms(2); }

static inline void set_fifo(int tid, int prio)
{
	struct sched_param p = { .sched_priority = prio };
	CHECK(syscall(SYS_sched_setscheduler, tid, prio ? SCHED_FIFO : SCHED_OTHER, &p) == 0);
}
