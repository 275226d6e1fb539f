/* Mutexes: sleep after a brief spin; the holder is known.  Context: threads only. */
#pragma once
#include <kernel/sync/wait.h>

struct pi_lock;

struct mutex {
	u64 owner;		/* [a] struct task *, bit 0: waiters */
	struct spinlock wait_lock;
	struct list_head waiters;	/* [wait_lock] */
#ifdef CONFIG_DEBUG
	u16 class;
#endif
};

#ifdef CONFIG_DEBUG
#define MUTEX_INIT(name, lock_class) { 0, SPINLOCK_INIT(LC_WAIT), LIST_HEAD_INIT((name).waiters), (lock_class) }
#else
#define MUTEX_INIT(name, lock_class) { 0, SPINLOCK_INIT(LC_WAIT), LIST_HEAD_INIT((name).waiters) }
#endif
#define DEFINE_MUTEX(name, lock_class) struct mutex name = MUTEX_INIT(name, lock_class)
void mutex_init(struct mutex *m, enum lock_class class);
void mutex_lock(struct mutex *m);
void mutex_lock_nested(struct mutex *m, u64 key);		/* second of the same class: key rises */
int __must_check mutex_lock_killable(struct mutex *m);		/* 0 or -EINTR */
int __must_check mutex_lock_interruptible(struct mutex *m);	/* 0 or -ERESTARTSYS */
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
/* mutex_lock_pi, mutex_unlock_pi - of a mutex whose owner runs at the highest real-time priority of those who wait for it, and which they get in that
 * order.  pi: the mutex's alone, all zero or pi_lock_init'ed; every taker names it.  Uncontended they are mutex_lock and mutex_unlock. */
void mutex_lock_pi(struct mutex *m, struct pi_lock *pi);
void mutex_unlock_pi(struct mutex *m, struct pi_lock *pi);
bool mutex_held(const struct mutex *m);		/* by current */
/* lock_spin_ticks - how long a mutex or rwsem is spun for at most while its owner runs: counter ticks, about what a sleep and a
 * wake-up on another CPU cost.  lock_spin_init - from boot, once the counter's frequency is known. */
extern u64 lock_spin_ticks;
void lock_spin_init(void);
