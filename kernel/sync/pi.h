/* Priority inheritance: who waits for a lock lends its owner his priority.  Theory in pi.c.
 *
 * The locks' words and the sleeping are their users' (kernel/proc/futex_pi.c); here is who owns what, who waits for it, and what follows
 * for priorities.  Everything below happens between pi_enter() and pi_leave(). */
#pragma once
#include <kernel/lib/rbtree.h>
#include <kernel/lib/types.h>

struct task;

struct pi_lock {			/* [PI] */
	struct task *owner;		/* NULL: nobody */
	struct rb_root waiters;		/* by priority, then by arrival */
	struct rb_node owned;		/* in owner->pi_owned, by top */
	u32 top;			/* priority of the first waiter, 0 if none */
};

struct pi_waiter {			/* [PI] */
	struct rb_node node;
	struct task *task;
	struct pi_lock *lock;
	u32 prio;			/* of the task when it was last queued */
};

#define PI_MAX_DEPTH 1024		/* of a chain of owners that wait themselves, as Linux's max_lock_depth */

/* pi_enter, pi_leave - the lock of it all.  Context: thread; ranked LC_PI. */
void pi_enter(void);
void pi_leave(void);
/* pi_lock_init - owned by nobody, waited for by nobody.  Context: any; nobody else knows l. */
void pi_lock_init(struct pi_lock *l);
/* pi_set_owner - l changes hands; owner NULL: nobody has it.  Its waiters lend to the new one, the old one gives back. */
void pi_set_owner(struct pi_lock *l, struct task *owner);
/* pi_block - t, which waits for nothing, waits for l from now on, by w.  0, or -EDEADLK: l's owner waits for t, at however many removes, or
 * the chain of those who wait for each other is too long; nothing has changed then. */
int __must_check pi_block(struct pi_lock *l, struct pi_waiter *w, struct task *t);
/* pi_unblock - it waits no longer. */
void pi_unblock(struct pi_waiter *w);
/* pi_top - who is to have l next; NULL: nobody waits. */
struct pi_waiter *pi_top(const struct pi_lock *l);
/* pi_first_owned - one of the locks that t owns, the most wanted; NULL: none.  pi_owns_some - a look without pi_enter(). */
struct pi_lock *pi_first_owned(const struct task *t);
bool pi_owns_some(const struct task *t);
/* pi_prio_changed - t's own priority was changed: its place in a queue and what it lends follow.  Context: thread, outside
 * pi_enter(), t referenced. */
void pi_prio_changed(struct task *t);
