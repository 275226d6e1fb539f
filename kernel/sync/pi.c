/* Priority inheritance.
 *
 * Theory.  A lock knows its owner and, by priority, its waiters; a task knows the locks it owns that are waited for (task->pi_owned,
 * ordered by their first waiters' priorities) and the one it waits for (task->pi_blocked).  A task runs at the highest of its own
 * priority and those of the first waiters of its locks.  Whatever changes one of these (a waiter comes or goes, a lock changes hands,
 * a policy is set) calls follow(), which mends the task's boost, then its place in the queue it waits in, then goes on with the owner of
 * that lock, until nothing changes.
 *
 * The waits-for relation is a set of chains, since a task waits for one lock and a lock has one owner; pi_block() walks down the chain
 * first, and refuses one that would close into a circle or is longer than PI_MAX_DEPTH.  Nothing else lengthens a chain at its lower
 * end: a lock is given only to somebody who waits for nothing.  So follow() ends.
 *
 * Only real-time priorities are lent (1 to 99; 0 stands for every fair task): with nice values nothing could be promised, and Linux
 * does not lend them either.  Fair waiters stand behind the others, in order of arrival.
 *
 * Locking.  One spin lock for all of it.  Rejected: a lock for each queue and each task, taken hand over hand along the chain, as Linux
 * does it: the walk must then let go between two steps, and everything may have changed at each of them.  What is under the lock here is
 * a few tree operations, at contention only, next to a sleep and a switch that cost far more; at most a chain of PI_MAX_DEPTH, which
 * programs must build first.  It ranks below the run queues', which follow() takes one at a time.
 *
 * Lifetime.  Tasks are not referenced: one that waits is in the call that waits, one that owns gives up its locks before it dies. */
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/pi.h>
#include <kernel/sync/spinlock.h>

static DEFINE_SPINLOCK(pi_spin, LC_PI);

void pi_enter(void)
{
	spin_lock(&pi_spin);
}

void pi_leave(void)
{
	spin_unlock(&pi_spin);
}

static inline struct pi_waiter *node_waiter(struct rb_node *n) { return rb_entry(n, struct pi_waiter, node); }
static inline struct pi_lock *node_lock(struct rb_node *n) { return rb_entry(n, struct pi_lock, owned); }

void pi_lock_init(struct pi_lock *l)
{
	*l = (struct pi_lock){ .waiters = RB_ROOT };
}

struct pi_waiter *pi_top(const struct pi_lock *l)
{
	struct rb_node *n = rb_first(&l->waiters);

	return n ? node_waiter(n) : NULL;
}

struct pi_lock *pi_first_owned(const struct task *t)
{
	struct rb_node *n = rb_first(&t->pi_owned);

	return n ? node_lock(n) : NULL;
}

bool pi_owns_some(const struct task *t)
{
	return READ_ONCE(t->pi_owned.rb_node);
}

static void waiter_insert(struct pi_lock *l, struct pi_waiter *w)
{
	struct rb_node **link = &l->waiters.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = w->prio > node_waiter(parent)->prio ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&w->node, parent, link);
	rb_insert_color(&w->node, &l->waiters);
}

static void owned_insert(struct task *t, struct pi_lock *l)
{
	struct rb_node **link = &t->pi_owned.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = l->top > node_lock(parent)->top ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&l->owned, parent, link);
	rb_insert_color(&l->owned, &t->pi_owned);
}

/* l's queue changed: false if that is nothing to its owner. */
static bool top_changed(struct pi_lock *l)
{
	struct pi_waiter *w = pi_top(l);
	u32 top = w ? w->prio : 0;

	if (top == l->top)
		return false;
	if (l->owner)
		rb_erase(&l->owned, &l->owner->pi_owned);
	l->top = top;
	if (l->owner)
		owned_insert(l->owner, l);
	return true;
}

/* What t is lent, or its own priority, may have changed: let all that depends on it follow.  t may be NULL. */
static void follow(struct task *t)
{
	while (t) {
		const struct pi_lock *owned = pi_first_owned(t);
		u32 boost = owned ? owned->top : 0;
		struct pi_waiter *w = t->pi_blocked;

		if (boost != t->se.boost)
			sched_set_boost(t, boost);
		if (!w || w->prio == sched_prio(t))
			return;
		rb_erase(&w->node, &w->lock->waiters);
		w->prio = sched_prio(t);
		waiter_insert(w->lock, w);
		if (!top_changed(w->lock))
			return;
		t = w->lock->owner;
	}
}

void pi_set_owner(struct pi_lock *l, struct task *owner)
{
	struct task *old = l->owner;

	if (old)
		rb_erase(&l->owned, &old->pi_owned);
	WRITE_ONCE(l->owner, owner);	/* wait_for_lock looks without the lock */
	if (owner)
		owned_insert(owner, l);
	follow(old);
	follow(owner);
}

int pi_block(struct pi_lock *l, struct pi_waiter *w, struct task *t)
{
	struct task *o = l->owner;

	DEBUG_ASSERT(!t->pi_blocked);
	for (u32 depth = 0; o; depth++) {
		if (o == t || depth >= PI_MAX_DEPTH)
			return -EDEADLK;
		o = o->pi_blocked ? o->pi_blocked->lock->owner : NULL;
	}
	*w = (struct pi_waiter){ .task = t, .lock = l, .prio = sched_prio(t) };
	t->pi_blocked = w;
	waiter_insert(l, w);
	if (top_changed(l))
		follow(l->owner);
	return 0;
}

void pi_unblock(struct pi_waiter *w)
{
	struct pi_lock *l = w->lock;

	rb_erase(&w->node, &l->waiters);
	w->task->pi_blocked = NULL;
	if (top_changed(l))
		follow(l->owner);
}

void pi_prio_changed(struct task *t)
{
	pi_enter();
	follow(t);
	pi_leave();
}
