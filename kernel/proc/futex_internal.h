/* Between the futex files: queues, keys, waiting.  Theory in futex.c. */
#pragma once
#include <linux/futex.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/sync/pi.h>
#include <kernel/time/clock.h>
#include <kernel/time/wake_timer.h>

struct futex_bucket { struct spinlock lock; struct list_head waiters; } __aligned(64);

/* What two waiters must have in common.  page: referenced, for futexes in files; NULL otherwise. */
struct futex_key { u64 object, offset; struct page *page; };

/* A PI futex that is waited for. */
struct pi_state {
	struct pi_lock lock;		/* [PI] */
	u32 refs;			/* [PI] its waiters, until each has left its call */
};

struct futex_waiter {
	struct list_head link;		/* [bucket] by priority, then by arrival */
	struct futex_bucket *bucket;	/* changes on requeue, under both locks */
	struct futex_key key;		/* [bucket] */
	struct task *task;		/* [bucket] NULL: woken, or given the lock; off the queue */
	u32 bitset, prio;
	bool is_pi;			/* [I] part of a pi_futex_waiter */
};

struct pi_futex_waiter {
	struct futex_waiter w;
	struct pi_waiter pw;
	struct pi_state *state;		/* [bucket] what it waits for, referenced; NULL: it still waits to be requeued */
	const struct futex_key *target;	/* [I] where it may be requeued to; NULL: it waits for the lock itself */
};

/* futex.c.  futex_key_get: 0, -EINVAL, -EFAULT; may sleep.  The file's page is referenced until futex_key_put. */
int futex_key_get(u32 __user *uaddr, bool shared, struct futex_key *k);
void futex_key_put(struct futex_key *k);
static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->object == b->object && a->offset == b->offset;
}
struct futex_bucket *futex_bucket_of(const struct futex_key *k);
/* futex_lock_two - both buckets, in order; they may be one. */
void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b);
/* futex_read, futex_cmpxchg - of a word, under a bucket's lock: 0, -EFAULT (fault it in and come again), -EAGAIN (it was not old). */
int futex_read(u32 __user *p, u32 *v);
int futex_cmpxchg(u32 __user *p, u32 old, u32 new);
/* futex_fault_in - so that the next try may write.  0, -EFAULT.  Context: thread, no lock. */
int futex_fault_in(u32 __user *p);
/* futex_queue, futex_dequeue_wake - the bucket's lock held.  w may be gone after the latter. */
void futex_queue(struct futex_bucket *b, struct futex_waiter *w);
void futex_dequeue_wake(struct futex_waiter *w);
/* futex_top - the first waiter for k, or NULL.  The bucket's lock held. */
struct futex_waiter *futex_top(struct futex_bucket *b, const struct futex_key *k);
/* futex_lock_waiter - the lock of the bucket that w is on; false, and nothing held: it was woken. */
bool futex_lock_waiter(struct futex_waiter *w);
/* futex_wait_setup - w's key and bucket, with the bucket's lock held, if *uaddr is val.  -EAGAIN (it is not), -EFAULT, -EINVAL: nothing
 * is held. */
int futex_wait_setup(u32 __user *uaddr, bool shared, u32 val, struct futex_waiter *w);
long futex_wake(u32 __user *uaddr, bool shared, int nr, u32 bitset);

/* futex_requeue.c.  cmp: what *u1 must be, NULL: anything.  pi: to a PI futex. */
long futex_requeue(u32 __user *u1, u32 __user *u2, bool shared, int nr_wake, int nr_requeue, const u32 *cmp, bool pi);

/* futex_pi.c */
long futex_lock_pi(u32 __user *uaddr, bool shared, u64 deadline, bool real, bool try);
long futex_unlock_pi(u32 __user *uaddr, bool shared);
long futex_wait_requeue_pi(u32 __user *u1, bool shared, u32 val, u64 deadline, bool real, u32 __user *u2);
/* Taking a PI futex for a task t: what the tries bring along and leave behind. */
struct pi_take {
	struct pi_state *spare;		/* for the first waiter */
	struct pi_state *state;		/* out: referenced */
	struct task *exiting;		/* out: referenced */
};
/* futex_pi_take - 1: t has it now.  0: it is to wait for pt->state.  -EDEADLK, -ESRCH, -EINVAL, -EPERM; or, for futex_pi_settle and another
 * try, -EFAULT, -EAGAIN, -EBUSY, -ENOMEM.  waiters: others will wait at once.  The bucket's lock held. */
int futex_pi_take(u32 __user *uaddr, struct futex_bucket *b, const struct futex_key *k, struct task *t, bool waiters, struct pi_take *pt);
/* futex_pi_settle - after an error, no lock held: 0 if there is sense in another try. */
int futex_pi_settle(int err, u32 __user *uaddr, struct pi_take *pt);
void futex_pi_take_end(struct pi_take *pt);
/* futex_pi_wait_for - w's task waits for s, referenced anew.  0, -EDEADLK.  The bucket's lock held. */
int futex_pi_wait_for(struct pi_futex_waiter *w, struct pi_state *s);
/* futex_pi_orphan - t ends: its locks are their waiters' to take. */
void futex_pi_orphan(struct task *t);
enum { FUTEX_ALIVE, FUTEX_EXITING, FUTEX_DEAD };		/* task.futex_end */
/* futex_end_set - and wake who waits for an exiting task to make up its mind. */
void futex_end_set(struct task *t, u32 state);
