/* Wait queues. A waiter puts an entry on the queue, sets its state, checks its condition, and sleeps; a waker makes the
 * condition true, then wakes.  The queue's lock and the state store/load pair order the two (theory in wait.c). */
#pragma once
#include <kernel/lib/list.h>
#include <kernel/sync/spinlock.h>

struct task;

struct wait_queue {
	struct spinlock lock;
	struct list_head head;	/* [lock] */
};

struct wait_entry;
/* Called under the queue's lock for each entry. key: poll events or NULL.  Returns nonzero if it woke an exclusive waiter. */
typedef int (*wake_fn)(struct wait_entry *we, void *key);

struct wait_entry {
	struct list_head link;
	struct task *task;
	wake_fn func;
	bool exclusive;
	void *private;
};

#define WAIT_QUEUE_INIT(name)	{ SPINLOCK_INIT(LC_WAIT), LIST_HEAD_INIT((name).head) }
#define DEFINE_WAIT_QUEUE(name)	struct wait_queue name = WAIT_QUEUE_INIT(name)
void wait_queue_init(struct wait_queue *wq);
static inline bool wait_queue_active(struct wait_queue *wq) { smp_mb(); return !list_empty(&wq->head); }

int wake_default(struct wait_entry *we, void *key);	/* wakes we->task */
void wait_entry_init(struct wait_entry *we);		/* for current; a wake-up takes it off the queue, unless func is set to another */
void wait_add(struct wait_queue *wq, struct wait_entry *we);
void wait_remove(struct wait_queue *wq, struct wait_entry *we);
/* prepare_to_wait - queue we (once) and set current's state; finish_wait undoes both. state: TASK_INTERRUPTIBLE ... */
void prepare_to_wait(struct wait_queue *wq, struct wait_entry *we, u32 state);
void finish_wait(struct wait_queue *wq, struct wait_entry *we);

/* wake_up - wake all non-exclusive waiters and one exclusive; wake_up_all wakes every one; wake_up_key passes poll events.
 * Context: any. */
void wake_up(struct wait_queue *wq);
void wake_up_all(struct wait_queue *wq);
void wake_up_key(struct wait_queue *wq, void *key);
void wake_up_all_key(struct wait_queue *wq, void *key);
/* wake_up_key_sync - wake_up_key by one that is likely to wait for the woken now: they may share a CPU. */
void wake_up_key_sync(struct wait_queue *wq, void *key);
/* wake_up_key_apart - wake_up_key by one that has much to do yet: the woken is better off on a CPU of its own, if one is idle.  Context: thread. */
void wake_up_key_apart(struct wait_queue *wq, void *key);

/* wait_event(wq, cond) - sleep until cond.  _interruptible: 0 or -ERESTARTSYS (a signal).  _killable: only fatal signals.
 * _timeout(wq, cond, deadline_ns): deadline on the monotonic clock (TIME_NEVER: none); 0, -ETIMEDOUT, -ERESTARTSYS.
 * wait_event_exclusive - as wait_event_interruptible_timeout, for what one waiter takes: a wake-up wakes one of those who wait so. */
#define wait_event_state(wq, cond, state, deadline) wait_event_as(wq, cond, state, deadline, false)
#define wait_event_as(wq, cond, state, deadline, alone) ({ \
	int __ret = 0; \
	struct wait_entry __we; \
	might_sleep(); \
	if (!(cond)) { \
		u64 __deadline = (deadline);	/* once: it may be "now + ..." */ \
		wait_entry_init(&__we); \
		__we.exclusive = (alone); \
		for (;;) { \
			prepare_to_wait((wq), &__we, (state)); \
			if (cond) { __ret = 0; break; } \
			__ret = wait_check((state), __deadline); \
			if (__ret) break; \
			wait_sleep(__deadline); \
		} \
		finish_wait((wq), &__we); \
		if ((alone) && __ret && (cond)) \
			wake_up(wq);	/* a wake-up meant for one who leaves */ \
	} \
	__ret; })
#define wait_event(wq, cond)			((void)wait_event_state(wq, cond, TASK_UNINTERRUPTIBLE, TIME_NEVER))
#define wait_event_interruptible(wq, cond)	wait_event_state(wq, cond, TASK_INTERRUPTIBLE, TIME_NEVER)
#define wait_event_killable(wq, cond)		wait_event_state(wq, cond, TASK_KILLABLE, TIME_NEVER)
#define wait_event_timeout(wq, cond, deadline)	wait_event_state(wq, cond, TASK_UNINTERRUPTIBLE, deadline)
#define wait_event_interruptible_timeout(wq, cond, deadline) wait_event_state(wq, cond, TASK_INTERRUPTIBLE, deadline)
#define wait_event_exclusive(wq, cond, deadline) wait_event_as(wq, cond, TASK_INTERRUPTIBLE, deadline, true)

/* wait_check - why an asleep-to-be task must not sleep: -ERESTARTSYS (signal, by state), -ETIMEDOUT, or 0 */
int wait_check(u32 state, u64 deadline_ns);
/* wait_sleep - schedule() until woken or the deadline passes */
void wait_sleep(u64 deadline_ns);

/* Task states */
#define TASK_RUNNING		0u
#define TASK_INTERRUPTIBLE	1u
#define TASK_UNINTERRUPTIBLE	2u
#define TASK_STOPPED		4u
#define TASK_TRACED		8u	/* stopped for its tracer */
#define TASK_ZOMBIE		16u
#define TASK_DEAD		32u
#define TASK_WAKEKILL		64u
#define TASK_KILLABLE		(TASK_UNINTERRUPTIBLE | TASK_WAKEKILL)
#define TIME_NEVER		(~0ull)

/* Completion: one-shot event. */
struct completion { u32 done; struct wait_queue wq; };
void completion_init(struct completion *c);
void complete(struct completion *c);
void wait_for_completion(struct completion *c);
int wait_for_completion_killable(struct completion *c);	/* 0 or -ERESTARTSYS */
