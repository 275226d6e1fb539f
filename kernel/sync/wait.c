/* Wait queues.
 *
 * Theory.  The classic lost wake-up is closed by one pair: the waiter stores its state, then loads the condition
 * (set_current_state has the full barrier); the waker stores the condition, then loads the state (task_wake begins with the full
 * barrier).  At least one of them sees the other.  Entries live on the waiter's stack; the queue's lock guards the list, and a
 * waker runs callbacks under it, so an entry cannot vanish in mid-callback.
 *
 * Who is woken by wake_up() is off the queue by that: it finds no lock to wait for, on a CPU that wakes while the waker's is still
 * busy, and further wake-ups before it runs cost nothing.  It queues itself again if it must sleep on.  Entries with a function of
 * their own (poll, epoll) stay.
 *
 * wait_queue_active() may skip the lock when nobody waits; its barrier stands for task_wake's in that case. */
#include <kernel/sync/wait.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>

void wait_queue_init(struct wait_queue *wq)
{
	spin_lock_init(&wq->lock, LC_WAIT);
	list_init(&wq->head);
}

int wake_default(struct wait_entry *we, void *key)
{
	(void)key;
	return task_wake(we->task, TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE);
}

/* Wakes, and takes the entry off the queue: its owner then need not take the lock, which the waker still holds when the woken runs. */
static int wake_and_unlink(struct wait_entry *we, void *key)
{
	int woken = wake_default(we, key);

	if (woken) {
		list_unlink(&we->link);
		atomic_store(&we->link.next, &we->link);
		atomic_store_release(&we->link.prev, &we->link);	/* our last touch; pairs with finish_wait */
	}
	return woken;
}

void wait_entry_init(struct wait_entry *we)
{
	list_init(&we->link);
	we->task = current;
	we->func = wake_and_unlink;
	we->exclusive = false;
	we->private = NULL;
}

static void wait_link(struct wait_queue *wq, struct wait_entry *we)
{
	if (we->exclusive)
		list_add_tail(&we->link, &wq->head);
	else
		list_add(&we->link, &wq->head);
}

void wait_add(struct wait_queue *wq, struct wait_entry *we)
{
	irqflags_t flags = spin_lock_irqsave(&wq->lock);

	wait_link(wq, we);
	spin_unlock_irqrestore(&wq->lock, flags);
}

void wait_remove(struct wait_queue *wq, struct wait_entry *we)
{
	irqflags_t flags = spin_lock_irqsave(&wq->lock);

	list_del_init(&we->link);
	spin_unlock_irqrestore(&wq->lock, flags);
}

void prepare_to_wait(struct wait_queue *wq, struct wait_entry *we, u32 state)
{
	irqflags_t flags = spin_lock_irqsave(&wq->lock);

	if (list_empty(&we->link))
		wait_link(wq, we);
	set_current_state(state);
	spin_unlock_irqrestore(&wq->lock, flags);
}

void finish_wait(struct wait_queue *wq, struct wait_entry *we)
{
	WRITE_ONCE(current->state, TASK_RUNNING);
	if (atomic_load_acquire(&we->link.prev) != &we->link)	/* a waker's last store, see wake_and_unlink */
		wait_remove(wq, we);
}

static void wake_locked(struct wait_queue *wq, void *key, bool all)
{
	struct wait_entry *we, *next;

	list_for_each_entry_safe(we, next, &wq->head, link) {
		bool exclusive = we->exclusive;	/* we may be gone after func */

		if (we->func(we, key) && exclusive && !all)
			break;
	}
}

static void wake_queue(struct wait_queue *wq, void *key, bool all)
{
	irqflags_t flags;

	if (!wait_queue_active(wq))
		return;
	flags = spin_lock_irqsave(&wq->lock);
	wake_locked(wq, key, all);
	spin_unlock_irqrestore(&wq->lock, flags);
}

void wake_up(struct wait_queue *wq)
{
	wake_queue(wq, NULL, false);
}

void wake_up_all(struct wait_queue *wq)
{
	wake_queue(wq, NULL, true);
}

void wake_up_key(struct wait_queue *wq, void *key)
{
	wake_queue(wq, key, false);
}

void wake_up_key_sync(struct wait_queue *wq, void *key)
{
	current->se.wakes_sync = true;
	wake_queue(wq, key, false);
	current->se.wakes_sync = false;
}

void wake_up_key_apart(struct wait_queue *wq, void *key)
{
	current->se.wakes_apart = true;
	wake_queue(wq, key, false);
	current->se.wakes_apart = false;
}

void wake_up_all_key(struct wait_queue *wq, void *key)
{
	wake_queue(wq, key, true);
}

int wait_check(u32 state, u64 deadline_ns)
{
	if ((state & TASK_INTERRUPTIBLE) && signal_pending())
		return -ERESTARTSYS;
	if ((state & TASK_WAKEKILL) && signal_pending() && fatal_signal_pending(current))
		return -ERESTARTSYS;
	if (deadline_ns != TIME_NEVER && clock_mono_ns() >= deadline_ns)
		return -ETIMEDOUT;
	return 0;
}

void wait_sleep(u64 deadline_ns)
{
	if (deadline_ns == TIME_NEVER)
		schedule();
	else
		schedule_until(deadline_ns);
}

void completion_init(struct completion *c)
{
	c->done = 0;
	wait_queue_init(&c->wq);
}

/* The waiter may free the completion as soon as it sees done, so done changes under the queue's lock and the waiter takes that
 * lock before it leaves (finish_wait, or the explicit round below). */
void complete(struct completion *c)
{
	irqflags_t flags = spin_lock_irqsave(&c->wq.lock);

	atomic_store_release(&c->done, 1u);
	wake_locked(&c->wq, NULL, true);
	spin_unlock_irqrestore(&c->wq.lock, flags);
}

static int completion_wait(struct completion *c, u32 state)
{
	int err = wait_event_state(&c->wq, atomic_load_acquire(&c->done), state, TIME_NEVER);
	irqflags_t flags = spin_lock_irqsave(&c->wq.lock);

	spin_unlock_irqrestore(&c->wq.lock, flags);
	return err;
}

void wait_for_completion(struct completion *c)
{
	might_sleep();
	completion_wait(c, TASK_UNINTERRUPTIBLE);
}

int wait_for_completion_killable(struct completion *c)
{
	might_sleep();
	return completion_wait(c, TASK_KILLABLE);
}
