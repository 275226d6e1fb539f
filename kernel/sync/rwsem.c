/* Reader/writer semaphores.
 *
 * Theory.  count: bit 0 a writer holds it, bit 1 somebody waits, above that the number of readers.  With bit 1 clear, one
 * compare-and-swap takes or gives.  Once somebody waits, newcomers queue behind him (so writers do not starve), and a holder who
 * leaves it free hands it on under wait_lock to the first waiter, or to all readers up to the next writer.  A waiter is granted
 * the semaphore by his waker; he only watches his own flag.
 *
 * Order: acquire when taken, release when given back; the grant is a release store to the waiter's flag. */
#include <kernel/sync/rwsem.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/lockcheck.h>
#include <kernel/sync/lockstat.h>
#include <kernel/time/time.h>

#define RWSEM_WRITER	1l
#define RWSEM_WAITING	2l
#define RWSEM_READER	4l

#ifdef CONFIG_DEBUG
#define rwsem_class(s) ((s)->class)
#define rwsem_set_writer(s, t) ((s)->writer = (t))
#else
#define rwsem_class(s) LC_FS_PRIVATE
#define rwsem_set_writer(s, t) ((void)0)
#endif

struct rwsem_waiter {
	struct list_head link;
	struct task *task;
	bool write;
	u32 granted;	/* [a] */
};

void rwsem_init(struct rwsem *s, enum lock_class class)
{
	s->count = 0;
	spin_lock_init(&s->wait_lock, LC_WAIT);
	list_init(&s->waiters);
#ifdef CONFIG_DEBUG
	s->class = class;
	s->writer = NULL;
#else
	(void)class;
#endif
}

static void rwsem_grant_one(struct rwsem_waiter *w)
{
	struct task *t = w->task;

	list_del(&w->link);
	task_get(t);
	atomic_store_release(&w->granted, 1u);	/* w is gone from here on */
	task_wake_normal(t);
	task_put(t);
}

/* Hand the semaphore to whoever may have it now.  wait_lock held; RWSEM_WAITING is set, so nobody else takes it. */
static void rwsem_grant(struct rwsem *s)
{
	while (!list_empty(&s->waiters)) {
		struct rwsem_waiter *w = list_first_entry(&s->waiters, struct rwsem_waiter, link);
		s64 c = atomic_load_acquire(&s->count);

		if (w->write ? (c & ~RWSEM_WAITING) != 0 : (c & RWSEM_WRITER) != 0)
			return;
		atomic_add(&s->count, w->write ? RWSEM_WRITER : RWSEM_READER);
		bool write = w->write;
		rwsem_grant_one(w);
		if (write)
			break;
	}
	if (list_empty(&s->waiters))
		atomic_fetch_and(&s->count, ~RWSEM_WAITING);
}

static int rwsem_wait(struct rwsem *s, bool write, u32 state)
{
	struct rwsem_waiter w = { .task = current, .write = write, .granted = 0 };
	int err = 0;

	spin_lock_irq(&s->wait_lock);
	list_add_tail(&w.link, &s->waiters);
	atomic_fetch_or_acq_rel(&s->count, RWSEM_WAITING);
	rwsem_grant(s);		/* it may have become free meanwhile */
	for (;;) {
		set_current_state(state);
		if (atomic_load_acquire(&w.granted))
			break;
		err = wait_check(state, TIME_NEVER);
		if (err) {
			list_del(&w.link);
			rwsem_grant(s);		/* those behind us may fit now */
			break;
		}
		spin_unlock_irq(&s->wait_lock);
		schedule();
		spin_lock_irq(&s->wait_lock);
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	spin_unlock_irq(&s->wait_lock);
	return err;
}

static int rwsem_lock_slow(struct rwsem *s, bool write, u32 state, const void *ip)
{
	u64 start = clock_counter();
	int err = rwsem_wait(s, write, state);

	lockstat_waited(ip, write ? LOCKSTAT_WRITE : LOCKSTAT_READ, clock_counter() - start);
	return err;
}

void rwsem_read_lock(struct rwsem *s)
{
	s64 c = atomic_load(&s->count);

	might_sleep();
	lock_check_acquire(s, rwsem_class(s), 0, false);
	while (likely(!(c & (RWSEM_WRITER | RWSEM_WAITING)))) {
		if (likely(atomic_cas_acquire(&s->count, c, c + RWSEM_READER)))
			return;
		c = atomic_load(&s->count);
	}
	rwsem_lock_slow(s, false, TASK_UNINTERRUPTIBLE, __builtin_return_address(0));
}

bool rwsem_read_trylock(struct rwsem *s)
{
	s64 c = atomic_load(&s->count);

	while (!(c & (RWSEM_WRITER | RWSEM_WAITING))) {
		if (atomic_cas_acquire(&s->count, c, c + RWSEM_READER)) {
			lock_check_acquire(s, rwsem_class(s), 0, true);
			return true;
		}
		c = atomic_load(&s->count);
	}
	return false;
}

static void rwsem_wake(struct rwsem *s)
{
	irqflags_t flags = spin_lock_irqsave(&s->wait_lock);

	rwsem_grant(s);
	spin_unlock_irqrestore(&s->wait_lock, flags);
}

void rwsem_read_unlock(struct rwsem *s)
{
	DEBUG_ASSERT(atomic_load(&s->count) >= RWSEM_READER);
	lock_check_release(s, rwsem_class(s));
	if (unlikely(atomic_sub_return_acq_rel(&s->count, RWSEM_READER) == RWSEM_WAITING))
		rwsem_wake(s);
}

static __always_inline_ int rwsem_write_state(struct rwsem *s, u32 state, u64 key)
{
	int err = 0;

	might_sleep();
	lock_check_acquire(s, rwsem_class(s), key, false);
	if (unlikely(!atomic_cas_acquire(&s->count, 0l, RWSEM_WRITER)))
		err = rwsem_lock_slow(s, true, state, __builtin_return_address(0));
	if (err)
		lock_check_release(s, rwsem_class(s));
	else
		rwsem_set_writer(s, current);
	return err;
}

void rwsem_write_lock(struct rwsem *s)
{
	rwsem_write_state(s, TASK_UNINTERRUPTIBLE, 0);
}

void rwsem_write_lock_nested(struct rwsem *s, u64 key)
{
	rwsem_write_state(s, TASK_UNINTERRUPTIBLE, key);
}

int rwsem_write_lock_killable(struct rwsem *s)
{
	return rwsem_write_state(s, TASK_KILLABLE, 0) ? -EINTR : 0;
}

bool rwsem_write_trylock(struct rwsem *s)
{
	if (!atomic_cas_acquire(&s->count, 0l, RWSEM_WRITER))
		return false;
	lock_check_acquire(s, rwsem_class(s), 0, true);
	rwsem_set_writer(s, current);
	return true;
}

void rwsem_write_unlock(struct rwsem *s)
{
	DEBUG_ASSERT(rwsem_held_write(s));
	lock_check_release(s, rwsem_class(s));
	rwsem_set_writer(s, NULL);
	if (unlikely(atomic_sub_return_acq_rel(&s->count, RWSEM_WRITER) & RWSEM_WAITING))
		rwsem_wake(s);
}

void rwsem_downgrade(struct rwsem *s)
{
	DEBUG_ASSERT(rwsem_held_write(s));
	rwsem_set_writer(s, NULL);
	if (atomic_add_return_acq_rel(&s->count, RWSEM_READER - RWSEM_WRITER) & RWSEM_WAITING)
		rwsem_wake(s);
}

bool rwsem_held(const struct rwsem *s)
{
	return atomic_load(&s->count) & ~RWSEM_WAITING;
}

bool rwsem_held_write(const struct rwsem *s)
{
#ifdef CONFIG_DEBUG
	return s->writer == current;
#else
	return atomic_load(&s->count) & RWSEM_WRITER;
#endif
}
