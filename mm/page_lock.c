/* The page lock: a sleeping lock in one bit of page->flags, with a few hashed wait queues for all pages; and waiting for PG_WRITEBACK. */
#include <kernel/lib/hash.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/wait.h>
#include <mm/page.h>
#include <mm/writeback.h>

#define QUEUE_BITS 5
static struct wait_queue queues[1 << QUEUE_BITS] = {
	[0 ... (1 << QUEUE_BITS) - 1] = { .lock = SPINLOCK_INIT(LC_WAIT) },
};

static struct wait_queue *queue_of(struct page *p)
{
	struct wait_queue *wq = &queues[hash_64((u64)p, QUEUE_BITS)];

	if (unlikely(!READ_ONCE(wq->head.next))) {	/* first use: an empty ring; who sees half of it takes the lock before using it */
		irqflags_t flags = spin_lock_irqsave(&wq->lock);

		if (!wq->head.next)
			list_init(&wq->head);
		spin_unlock_irqrestore(&wq->lock, flags);
	}
	return wq;
}

bool page_trylock(struct page *p)
{
	return !(__atomic_fetch_or(&p->flags, PG_LOCKED, __ATOMIC_ACQUIRE) & PG_LOCKED);
}

void page_lock(struct page *p)
{
	might_sleep();
	if (page_trylock(p))
		return;
	sched_io_begin();		/* as a rule its holder reads or writes it */
	wait_event(queue_of(p), (atomic_fetch_or(&p->flags, PG_WAITERS), page_trylock(p)));
	sched_io_end();
}

void page_wait_writeback(struct page *p)
{
	if (!(page_flags(p) & PG_WRITEBACK))
		return;
	sched_io_begin();
	wait_event(queue_of(p), (atomic_fetch_or(&p->flags, PG_WAITERS), !(page_flags(p) & PG_WRITEBACK)));
	sched_io_end();
}

void page_end_writeback(struct page *p)
{
	if (__atomic_fetch_and(&p->flags, ~(u32)(PG_WRITEBACK | PG_WAITERS), __ATOMIC_ACQ_REL) & PG_WAITERS)
		wake_up_all(queue_of(p));
}

void page_unlock(struct page *p)
{
	if (__atomic_fetch_and(&p->flags, ~(u32)(PG_LOCKED | PG_WAITERS), __ATOMIC_ACQ_REL) & PG_WAITERS)
		wake_up_all(queue_of(p));
}
