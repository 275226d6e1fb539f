/* Reader/writer semaphores.
 *
 * Theory.  count: bit 0 a writer holds it, bit 1 somebody waits, bit 2 the first waiter must get it next, above that the number of
 * readers.  With the bits clear, one compare-and-swap takes or gives.  Who leaves it free while somebody waits goes to wait_lock and
 * serves the first waiter: readers up to the next writer are granted it there and only watch their flags; a writer is merely woken,
 * and takes it himself.
 *
 * So between the release and the writer's arrival it is free, and newcomers who still run may overtake: handing it to a sleeper would
 * leave it idle for a whole wake-up each time, and once a queue had formed every section would cost one (mmap_lock between threads
 * that map and unmap: forty times).  A writer woken HANDOFF_AFTER times in vain sets bit 2, and nobody overtakes any more.
 * Newcomers join readers only while nobody waits, so readers who overlap don't starve writers.
 *
 * Before it sleeps a newcomer spins for a while, as long as the writer runs on another CPU (or readers hold it).  The writer's task may
 * be looked at because tasks are freed after a grace period and spinning is a read-side section.
 *
 * Order: acquire when taken, release when given back; a reader's grant is a release store to the waiter's flag. */
#include <kernel/sync/rwsem.h>
#include <kernel/sync/mutex.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/lockcheck.h>
#include <kernel/sync/lockstat.h>
#include <kernel/time/time.h>

#define RWSEM_WRITER	1l
#define RWSEM_WAITING	2l
#define RWSEM_HANDOFF	4l
#define RWSEM_READER	8l
#define RWSEM_FLAGS	(RWSEM_WAITING | RWSEM_HANDOFF)
#define HANDOFF_AFTER	4

#ifdef CONFIG_DEBUG
#define rwsem_class(s) ((s)->class)
#else
#define rwsem_class(s) LC_FS_PRIVATE
#endif
#define rwsem_set_writer(s, t) atomic_store(&(s)->writer, (t))

struct rwsem_waiter {
	struct list_head link;
	struct task *task;
	bool write;
	u32 granted;	/* [a] readers */
	u32 tries;	/* [wait_lock] writers */
};

void rwsem_init(struct rwsem *s, enum lock_class class)
{
	s->count = 0;
	spin_lock_init(&s->wait_lock, LC_WAIT);
	list_init(&s->waiters);
	s->writer = NULL;
#ifdef CONFIG_DEBUG
	s->class = class;
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

/* Serve the first waiters if the semaphore has room for them.  wait_lock held. */
static void rwsem_serve(struct rwsem *s)
{
	while (!list_empty(&s->waiters)) {
		struct rwsem_waiter *w = list_first_entry(&s->waiters, struct rwsem_waiter, link);
		s64 c = atomic_load(&s->count);

		if (w->write) {
			if (!(c & ~RWSEM_FLAGS))
				task_wake_normal(w->task);
			return;
		}
		do
			if (c & RWSEM_WRITER)
				return;
		while (!__atomic_compare_exchange_n(&s->count, &c, c + RWSEM_READER, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
		rwsem_grant_one(w);
	}
	atomic_fetch_and(&s->count, ~RWSEM_FLAGS);
}

/* A newcomer takes it, perhaps before those who sleep. */
static bool rwsem_overtake(struct rwsem *s, bool write)
{
	s64 c = atomic_load(&s->count);

	do
		if ((c & (RWSEM_WRITER | RWSEM_HANDOFF)) || ((write || (c & RWSEM_WAITING)) && (c & ~RWSEM_FLAGS)))
			return false;
	while (!__atomic_compare_exchange_n(&s->count, &c, c + (write ? RWSEM_WRITER : RWSEM_READER), true,
					    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}

static bool rwsem_spin(struct rwsem *s, bool write)
{
	u64 start = clock_counter();
	bool got;

	rcu_read_lock();
	for (u32 i = 1; !(got = rwsem_overtake(s, write)); i++) {
		struct task *writer = atomic_load(&s->writer);

		if ((writer && !atomic_load(&writer->on_cpu)) || (atomic_load(&s->count) & RWSEM_HANDOFF) ||
		    (atomic_load(&current_head()->flags) & TIF_NEED_RESCHED) || (i % 16 == 0 && clock_counter() - start > lock_spin_ticks))
			break;
		cpu_relax();
	}
	rcu_read_unlock();
	return got;
}

/* The first waiter, a writer, takes it if it is free; otherwise, at last, it sees to it that it will.  wait_lock held. */
static bool rwsem_take_first(struct rwsem *s, struct rwsem_waiter *w)
{
	s64 c = atomic_load(&s->count), others = w->link.next == &s->waiters ? 0 : RWSEM_WAITING;

	if (s->waiters.next != &w->link)
		return false;
	while (!(c & ~RWSEM_FLAGS))
		if (__atomic_compare_exchange_n(&s->count, &c, RWSEM_WRITER | others, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	if (++w->tries > HANDOFF_AFTER)
		atomic_fetch_or(&s->count, RWSEM_HANDOFF);	/* whoever holds it now sees bit 1 and wakes us */
	return false;
}

static int rwsem_wait(struct rwsem *s, bool write, u32 state)
{
	struct rwsem_waiter w = { .task = current, .write = write };
	int err = 0;

	if (nr_cpus > 1 && rwsem_spin(s, write))
		return 0;
	spin_lock_irq(&s->wait_lock);
	list_add_tail(&w.link, &s->waiters);
	atomic_fetch_or_acq_rel(&s->count, RWSEM_WAITING);
	rwsem_serve(s);		/* it may have become free meanwhile */
	for (;;) {
		set_current_state(state);
		if (write ? rwsem_take_first(s, &w) : atomic_load_acquire(&w.granted))
			break;
		err = wait_check(state, TIME_NEVER);
		if (err)
			break;
		spin_unlock_irq(&s->wait_lock);
		schedule();
		spin_lock_irq(&s->wait_lock);
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	if (write || err)
		list_del(&w.link);
	if (err) {
		atomic_fetch_and(&s->count, ~RWSEM_HANDOFF);
		rwsem_serve(s);		/* those behind us may fit now */
	}
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
	while (likely(!(c & (RWSEM_WRITER | RWSEM_FLAGS)))) {
		if (likely(atomic_cas_acquire(&s->count, c, c + RWSEM_READER)))
			return;
		c = atomic_load(&s->count);
	}
	rwsem_lock_slow(s, false, TASK_UNINTERRUPTIBLE, __builtin_return_address(0));
}

bool rwsem_read_trylock(struct rwsem *s)
{
	s64 c = atomic_load(&s->count);

	while (!(c & (RWSEM_WRITER | RWSEM_FLAGS))) {
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

	rwsem_serve(s);
	spin_unlock_irqrestore(&s->wait_lock, flags);
}

void rwsem_read_unlock(struct rwsem *s)
{
	s64 c;

	DEBUG_ASSERT(atomic_load(&s->count) >= RWSEM_READER);
	lock_check_release(s, rwsem_class(s));
	c = atomic_sub_return_acq_rel(&s->count, RWSEM_READER);
	if (unlikely(c & RWSEM_WAITING) && !(c & ~RWSEM_FLAGS))
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
	lock_check_release(s, rwsem_class(s));
	DEBUG_ASSERT(rwsem_held_write(s));
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
	return atomic_load(&s->count) & ~RWSEM_FLAGS;
}

bool rwsem_held_write(const struct rwsem *s)
{
	return s->writer == current;
}
