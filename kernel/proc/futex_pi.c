/* PI futexes: locks whose owner runs at the priority of who waits for it.  futex(2), "Priority-inheritance futexes".
 *
 * Theory.  The word holds the owner's number, FUTEX_WAITERS (programs must then come to the kernel to unlock), and FUTEX_OWNER_DIED; 0 is
 * free.  The kernel knows nothing of a lock that nobody waits for.  The first waiter sets FUTEX_WAITERS, finds the owner by the number,
 * and makes a pi_state, which later waiters find by the first one in the bucket; the last to leave frees it.  All waiters for a word are
 * in its bucket and in the state's queue (kernel/sync/pi.c), which is by priority.
 *
 * Unlocking hands the lock over: under the bucket's lock the new owner's number is stored in the word, the waiter leaves both queues, and
 * is woken as the owner.  Nobody can come between, and one who arrives later with a higher priority waits.
 *
 * An owner that ends with waiters orphans its locks (the state has no owner then) and wakes the first waiter of each.  It cannot hand
 * over, since it may have the word mapped no longer; whoever of the waiters runs first takes the lock, by its own mapping, and marks it
 * FUTEX_OWNER_DIED.  It stays queued until the word says so, so that later comers queue behind it.  If the word is unmapped for it
 * too it fails with EFAULT, and the next one is woken.
 *
 * The end of an owner and a first waiter that makes it owner of a state meet like this: the owner stores futex_end, then looks whether
 * it owns anything; the other makes it owner, then looks at futex_end, full barriers in between; at least one sees the other.  While it is
 * exiting, its robust list may be being worked on, so others wait until that is done, and read the word again.
 *
 * Locks: bucket, then PI.  User words are touched under both, with faults disabled. */
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/proc/futex_internal.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/wait.h>
#include <kernel/time/time.h>
#include <mm/slab.h>

static DEFINE_WAIT_QUEUE(exit_wait);		/* for an exiting owner to have ended */

static inline struct pi_futex_waiter *to_pi(struct futex_waiter *w) { return container_of(w, struct pi_futex_waiter, w); }

/* --- states */

static void state_put(struct pi_state *s)
{
	bool last;

	pi_enter();
	last = --s->refs == 0;
	if (last && s->lock.owner)
		pi_set_owner(&s->lock, NULL);
	pi_leave();
	if (last)
		kfree(s);
}

int futex_pi_wait_for(struct pi_futex_waiter *w, struct pi_state *s)
{
	int err;

	pi_enter();
	err = pi_block(&s->lock, &w->pw, w->w.task);
	if (!err)
		s->refs++;
	pi_leave();
	if (!err)
		atomic_store_release(&w->state, s);	/* pairs with wait_for_lock */
	return err;
}

/* The word names one who is not there, or is about to go: is that still so? */
static int owner_gone(u32 __user *uaddr, u32 uval)
{
	u32 now;

	if (futex_read(uaddr, &now))
		return -EFAULT;
	return now == uval ? -ESRCH : -EAGAIN;
}

/* Nobody waits yet: whose number is in the word? */
static int state_for_owner(u32 __user *uaddr, u32 uval, struct pi_take *pt)
{
	struct task *o = task_find((s32)(uval & FUTEX_TID_MASK));	/* preemption is off */
	struct pi_state *s = pt->spare;
	u32 end;

	if (!o)
		return owner_gone(uaddr, uval);
	if (o->pflags & PF_KTHREAD)
		return -EPERM;
	pi_lock_init(&s->lock);
	s->refs = 1;
	pi_enter();
	pi_set_owner(&s->lock, o);
	smp_mb();		/* pairs with futex_end_set */
	end = atomic_load(&o->futex_end);
	if (end != FUTEX_ALIVE)
		pi_set_owner(&s->lock, NULL);
	pi_leave();
	if (end == FUTEX_ALIVE) {
		pt->state = s;
		pt->spare = NULL;
		return 0;
	}
	if (end == FUTEX_DEAD)
		return owner_gone(uaddr, uval);
	task_get(o);
	pt->exiting = o;
	return -EBUSY;
}

/* Others wait: is the word what they left there? */
static int state_of_waiter(struct futex_waiter *top, u32 uval, struct pi_take *pt)
{
	struct pi_state *s = top->is_pi ? to_pi(top)->state : NULL;
	s32 tid = (s32)(uval & FUTEX_TID_MASK);
	int err = 0;

	if (!s)
		return -EINVAL;
	pi_enter();
	if (s->lock.owner && (tid ? s->lock.owner->tid != tid : !(uval & FUTEX_OWNER_DIED)))
		err = -EINVAL;
	else
		s->refs++;
	pi_leave();
	pt->state = err ? NULL : s;
	return err;
}

int futex_pi_take(u32 __user *uaddr, struct futex_bucket *b, const struct futex_key *k, struct task *t, bool waiters, struct pi_take *pt)
{
	struct futex_waiter *top;
	u32 uval;
	int err;

	if (futex_read(uaddr, &uval))
		return -EFAULT;
	if ((uval & FUTEX_TID_MASK) == (u32)t->tid)
		return -EDEADLK;
	top = futex_top(b, k);
	if (top)
		return state_of_waiter(top, uval, pt);
	if (!(uval & FUTEX_TID_MASK)) {
		err = futex_cmpxchg(uaddr, uval, (uval & FUTEX_OWNER_DIED) | (u32)t->tid | (waiters ? FUTEX_WAITERS : 0));
		return err ? err : 1;
	}
	if (!pt->spare)
		return -ENOMEM;
	err = futex_cmpxchg(uaddr, uval, uval | FUTEX_WAITERS);
	return err ? err : state_for_owner(uaddr, uval | FUTEX_WAITERS, pt);
}

int futex_pi_settle(int err, u32 __user *uaddr, struct pi_take *pt)
{
	switch (err) {
	case -EFAULT:
		return futex_fault_in(uaddr);
	case -EAGAIN:
		return 0;
	case -EBUSY:
		err = wait_event_killable(&exit_wait, atomic_load_acquire(&pt->exiting->futex_end) != FUTEX_EXITING);
		task_put(pt->exiting);
		pt->exiting = NULL;
		return err ? -EINTR : 0;
	case -ENOMEM:
		pt->spare = pt->spare ? pt->spare : kmalloc(sizeof(*pt->spare), GFP_KERNEL);
		return pt->spare ? 0 : -ENOMEM;
	default:
		return err;
	}
}

void futex_pi_take_end(struct pi_take *pt)
{
	kfree(pt->spare);
	if (pt->state)
		state_put(pt->state);
	*pt = (struct pi_take){ .spare = NULL };
}

/* --- waiting for the lock */

/* The owner has died.  0: the lock is ours, or was given to us; -EAGAIN: there is an owner again; -EFAULT. */
static int take_orphan(u32 __user *uaddr, struct pi_futex_waiter *w)
{
	u32 uval;
	int err;

	do {
		if (!futex_lock_waiter(&w->w))
			return 0;
		pi_enter();
		err = w->state->lock.owner ? -ESTALE : futex_read(uaddr, &uval);
		if (!err)
			err = futex_cmpxchg(uaddr, uval, (u32)current->tid | FUTEX_WAITERS | FUTEX_OWNER_DIED);
		if (!err) {
			pi_unblock(&w->pw);
			pi_set_owner(&w->state->lock, current);
			list_del(&w->w.link);
			w->w.task = NULL;
		}
		pi_leave();
		spin_unlock(&w->w.bucket->lock);
		if (err == -EFAULT && futex_fault_in(uaddr))
			return -EFAULT;
	} while (err == -EAGAIN || err == -EFAULT);
	return err ? -EAGAIN : 0;
}

/* Off the queues, without the lock.  false: it was given to us meanwhile. */
static bool stop_waiting(struct pi_futex_waiter *w)
{
	struct pi_waiter *next;

	if (!futex_lock_waiter(&w->w))
		return false;
	list_del(&w->w.link);
	if (w->state) {
		pi_enter();
		pi_unblock(&w->pw);
		next = pi_top(&w->state->lock);
		if (next && !w->state->lock.owner)	/* it may have been our turn to take an orphan */
			task_wake_normal(next->task);
		pi_leave();
	}
	spin_unlock(&w->w.bucket->lock);
	return true;
}

/* w is queued, and current's state is set.  uaddr: the PI futex.  0: current owns it.  Else -ETIMEDOUT, -ERESTARTSYS, -EFAULT, and
 * w->state says whether it had been queued for the lock. */
static long wait_for_lock(u32 __user *uaddr, struct pi_futex_waiter *w, struct wake_timer *ft)
{
	struct pi_state *s;
	long ret = 0;

	while (atomic_load_acquire(&w->w.task)) {
		s = atomic_load_acquire(&w->state);
		if (s && unlikely(!READ_ONCE(s->lock.owner))) {
			WRITE_ONCE(current->state, TASK_RUNNING);
			ret = take_orphan(uaddr, w);
			set_current_state(TASK_INTERRUPTIBLE);
			if (ret == -EAGAIN)
				continue;
		} else {
			ret = wake_timer_sleep(ft);
		}
		if (ret)
			break;
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	if (!ret || !stop_waiting(w))
		return 0;
	return ret;
}

/* Queue w, whose bucket is locked, and wait. */
static long queue_and_wait(u32 __user *uaddr, struct pi_futex_waiter *w, struct wake_timer *ft)
{
	long ret;

	futex_queue(w->w.bucket, &w->w);
	set_current_state(TASK_INTERRUPTIBLE);
	spin_unlock(&w->w.bucket->lock);
	ret = wait_for_lock(uaddr, w, ft);
	if (w->state)
		state_put(w->state);
	return ret;
}

static void waiter_init(struct pi_futex_waiter *w, const struct futex_key *target)
{
	w->w = (struct futex_waiter){ .task = current, .bitset = FUTEX_BITSET_MATCH_ANY, .prio = sched_prio(current), .is_pi = true };
	w->state = NULL;
	w->target = target;
}

/* One try.  *final: the result is the call's; else it is for futex_pi_settle. */
static long lock_pi_once(u32 __user *uaddr, bool shared, struct wake_timer *ft, bool try, struct pi_take *pt, bool *final)
{
	struct pi_futex_waiter w;
	long ret;

	waiter_init(&w, NULL);
	ret = futex_key_get(uaddr, shared, &w.w.key);
	if (ret) {
		*final = true;
		return ret;
	}
	w.w.bucket = futex_bucket_of(&w.w.key);
	spin_lock(&w.w.bucket->lock);
	ret = futex_pi_take(uaddr, w.w.bucket, &w.w.key, current, false, pt);
	*final = ret == 0;
	if (!ret)
		ret = try ? -EAGAIN : futex_pi_wait_for(&w, pt->state);
	else if (ret == 1)
		*final = true;
	if (*final && !ret)
		ret = queue_and_wait(uaddr, &w, ft);
	else
		spin_unlock(&w.w.bucket->lock);
	futex_key_put(&w.w.key);
	return ret == 1 ? 0 : ret;
}

long futex_lock_pi(u32 __user *uaddr, bool shared, u64 deadline, bool real, bool try)
{
	struct pi_take pt = { .spare = NULL };
	struct wake_timer ft;
	bool final;
	long ret;

	wake_timer_begin(&ft, deadline, real ? TIMER_REAL : TIMER_MONO);
	do {
		ret = lock_pi_once(uaddr, shared, &ft, try, &pt, &final);
		if (!final)
			ret = futex_pi_settle((int)ret, uaddr, &pt);
	} while (!final && !ret);
	futex_pi_take_end(&pt);
	wake_timer_end(&ft);
	return ret == -ERESTARTSYS ? -ERESTARTNOINTR : ret;	/* its time limit is absolute: it may begin anew */
}

/* --- unlocking */

/* To the first waiter.  The bucket's lock held; top is one of them. */
static int hand_over(u32 __user *uaddr, u32 uval, struct futex_waiter *top)
{
	struct pi_state *s = top->is_pi ? to_pi(top)->state : NULL;
	struct pi_futex_waiter *next;
	int err = -EINVAL;

	if (!s)
		return -EINVAL;
	pi_enter();
	if (s->lock.owner == current) {
		next = container_of(pi_top(&s->lock), struct pi_futex_waiter, pw);
		err = futex_cmpxchg(uaddr, uval, (u32)next->pw.task->tid | FUTEX_WAITERS);
		if (!err) {
			pi_unblock(&next->pw);
			pi_set_owner(&s->lock, next->pw.task);
			futex_dequeue_wake(&next->w);
		}
	}
	pi_leave();
	return err;
}

long futex_unlock_pi(u32 __user *uaddr, bool shared)
{
	struct futex_waiter *top;
	struct futex_bucket *b;
	struct futex_key k;
	u32 uval;
	int err;

	do {
		if (get_user(uval, uaddr))
			return -EFAULT;
		if ((uval & FUTEX_TID_MASK) != (u32)current->tid)
			return -EPERM;
		err = futex_key_get(uaddr, shared, &k);
		if (err)
			return err;
		b = futex_bucket_of(&k);
		spin_lock(&b->lock);
		top = futex_top(b, &k);
		err = top ? hand_over(uaddr, uval, top) : futex_cmpxchg(uaddr, uval, 0);
		spin_unlock(&b->lock);
		futex_key_put(&k);
		if (err == -EFAULT && futex_fault_in(uaddr))
			return -EFAULT;
	} while (err == -EFAULT || err == -EAGAIN);	/* or a waiter left its mark between our look and the lock, and has gone since */
	return err;
}

/* --- waiting on a condition variable */

long futex_wait_requeue_pi(u32 __user *u1, bool shared, u32 val, u64 deadline, bool real, u32 __user *u2)
{
	struct futex_key target;
	struct pi_futex_waiter w;
	struct wake_timer ft;
	long ret;

	if (u1 == u2)
		return -EINVAL;
	ret = futex_key_get(u2, shared, &target);
	if (ret)
		return ret;
	waiter_init(&w, &target);
	wake_timer_begin(&ft, deadline, real ? TIMER_REAL : TIMER_MONO);
	ret = futex_wait_setup(u1, shared, val, &w.w);
	if (ret)
		goto out;
	if (futex_key_equal(&w.w.key, &target)) {
		spin_unlock(&w.w.bucket->lock);
		ret = -EINVAL;
	} else {
		ret = queue_and_wait(u2, &w, &ft);
	}
	futex_key_put(&w.w.key);
	if (ret == -ERESTARTSYS)	/* once requeued it must not begin anew: the condition's word has changed */
		ret = w.state ? -EAGAIN : -ERESTARTNOINTR;
out:
	wake_timer_end(&ft);
	futex_key_put(&target);
	return ret;
}

/* --- the end of an owner */

void futex_end_set(struct task *t, u32 state)
{
	atomic_store(&t->futex_end, state);
	smp_mb();		/* pairs with state_for_owner */
	if (state != FUTEX_EXITING)
		wake_up_all(&exit_wait);
}

void futex_pi_orphan(struct task *t)
{
	struct pi_waiter *next;
	struct pi_lock *l;

	if (likely(!pi_owns_some(t)))
		return;
	pi_enter();
	while ((l = pi_first_owned(t))) {
		next = pi_top(l);
		pi_set_owner(l, NULL);
		if (next)
			task_wake_normal(next->task);
	}
	pi_leave();
}
