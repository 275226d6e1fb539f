/* Futexes: moving waiters from one word's queue to another's.  futex(2), FUTEX_CMP_REQUEUE and FUTEX_CMP_REQUEUE_PI.
 *
 * The PI form serves a condition variable whose mutex inherits priority: the waiters of the first word come to wait for the lock in the
 * second, without waking; the first of them has it at once if it is free, and is the one that is woken. */
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/proc/futex_internal.h>
#include <mm/page.h>

enum { WORD_FAULTS = 1, WORD_DIFFERS };	/* what requeue_once says beside errors */

struct requeue {
	u32 __user *u1, *u2;
	bool pi;
	int nr_wake, nr_requeue;
	struct futex_key k1, k2;
	struct futex_bucket *b1, *b2;
	struct pi_take take;
	long done;
};

static void move_waiter(struct requeue *r, struct futex_waiter *w)
{
	if (r->b1 != r->b2) {		/* else we should meet it again */
		list_del(&w->link);
		futex_queue(r->b2, w);
	}
	if (r->k2.page)
		page_get(r->k2.page);
	futex_key_put(&w->key);
	w->key = r->k2;
	WRITE_ONCE(w->bucket, r->b2);
}

/* One waiter, to the lock in u2: it has it, or waits for it. */
static int requeue_pi(struct requeue *r, struct futex_waiter *w)
{
	struct pi_futex_waiter *pw = container_of(w, struct pi_futex_waiter, w);
	int err;

	if (pw->state || !pw->target || !futex_key_equal(pw->target, &r->k2))
		return -EINVAL;
	if (!r->take.state) {
		err = futex_pi_take(r->u2, r->b2, &r->k2, w->task, r->nr_requeue > 0, &r->take);
		if (err < 0)
			return err;
		if (err) {
			futex_dequeue_wake(w);
			return 0;
		}
	}
	err = futex_pi_wait_for(pw, r->take.state);
	if (!err)
		move_waiter(r, w);
	return err;
}

static int requeue_all(struct requeue *r)
{
	struct futex_waiter *w, *n;
	int err = 0;

	list_for_each_entry_safe(w, n, &r->b1->waiters, link) {
		if (!futex_key_equal(&w->key, &r->k1))
			continue;
		if (r->done - r->nr_wake >= r->nr_requeue)
			break;
		if (w->is_pi != r->pi)
			return -EINVAL;
		if (r->pi)
			err = requeue_pi(r, w);
		else if (r->done < r->nr_wake)
			futex_dequeue_wake(w);
		else
			move_waiter(r, w);
		if (err)
			return err;
		r->done++;
	}
	return 0;
}

/* Both words' keys, held; an error is final.  A mapping may change between two tries, so each try takes them anew. */
static int keys_get(struct requeue *r, bool shared)
{
	int err = futex_key_get(r->u1, shared, &r->k1);

	if (err)
		return err;
	err = futex_key_get(r->u2, shared, &r->k2);
	if (!err && r->pi && futex_key_equal(&r->k1, &r->k2)) {
		futex_key_put(&r->k2);
		err = -EINVAL;
	}
	if (err)
		futex_key_put(&r->k1);
	return err;
}

/* One try: what must be settled before the next (an -EFAULT is u2's), or the final word.  The keys are put. */
static int requeue_once(struct requeue *r, const u32 *cmp)
{
	u32 cur;
	int err;

	r->b1 = futex_bucket_of(&r->k1);
	r->b2 = futex_bucket_of(&r->k2);
	futex_lock_two(r->b1, r->b2);
	if (cmp && futex_read(r->u1, &cur))
		err = WORD_FAULTS;
	else if (cmp && cur != *cmp)
		err = WORD_DIFFERS;
	else
		err = requeue_all(r);
	futex_unlock_two(r->b1, r->b2);
	futex_key_put(&r->k2);
	futex_key_put(&r->k1);
	return err;
}

long futex_requeue(u32 __user *u1, u32 __user *u2, bool shared, int nr_wake, int nr_requeue, const u32 *cmp, bool pi)
{
	struct requeue r = { .u1 = u1, .u2 = u2, .pi = pi, .nr_wake = nr_wake, .nr_requeue = nr_requeue };
	int err;

	if (nr_wake < 0 || nr_requeue < 0 || (pi && (nr_wake != 1 || u1 == u2)))
		return -EINVAL;
	for (;;) {
		err = keys_get(&r, shared);
		if (err)
			break;
		err = requeue_once(&r, cmp);
		if (r.done)
			cmp = NULL;	/* the word was right when this began */
		if (err == WORD_FAULTS)
			err = user_get(u1, sizeof(*u1)).err;
		else if (err == WORD_DIFFERS)
			err = -EAGAIN;
		else if (err && pi && !futex_pi_settle(err, u2, &r.take))
			err = 0;
		else
			break;
		if (err)
			break;
	}
	futex_pi_take_end(&r.take);
	return err ? err : r.done;
}
