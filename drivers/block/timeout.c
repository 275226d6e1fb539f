/* Requests that take too long.
 *
 * Each hardware queue has one timer.  It is armed when a request is started while it is not, for that request's deadline; when it fires it
 * looks through the queue's requests and is armed for the earliest deadline left, or not at all when nothing is in flight.  So a busy
 * queue pays for it once in a deadline, not with each request, and an idle one has none after the last deadline has passed.
 *
 * What is late is dealt with by a thread, as the driver may have to reset its device: one of its own for all disks, made with the first that
 * wants it, for the worker of the kernel may itself be waiting for a disk. */
#include <drivers/block/request.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>

static u64 default_timeout_ns = 30 * NSEC_PER_SEC;

static void param_timeout(const char *v)
{
	u64 s;

	if (!v || kstrtou64(v, 0, &s) || s > 3600)
		pr_warn("block: block.timeout=%s: seconds, up to 3600; 0: none\n", v ? v : "");
	else
		default_timeout_ns = s * NSEC_PER_SEC;
}
BOOT_PARAM("block.timeout", param_timeout);

static DEFINE_SPINLOCK(late_lock, LC_BLOCK_LATE);
static LIST_HEAD(late_queues);			/* [late_lock] block_queue.late */
static struct block_queue *handled;		/* [late_lock] the thread is about it */
static DEFINE_WAIT_QUEUE(late_wake);		/* the thread */
static DEFINE_WAIT_QUEUE(handled_wake);		/* who waits for it to be done with a queue */

static u32 hw_requests(const struct hw_queue *hw) { return hw->queue->depth + (hw->index == 0); }

/* A racy look: it may end, and begin anew, at any time. */
static bool is_late(const struct request *rq, u64 now, u64 limit)
{
	u64 started = READ_ONCE(rq->started_ns);

	return limit && atomic_load_acquire(&rq->state) == REQUEST_STARTED && now > started && now - started >= limit;
}

static void timer_fired(struct timer *t)
{
	struct hw_queue *hw = container_of(t, struct hw_queue, timer);
	struct block_queue *q = hw->queue;
	u64 now = clock_mono_ns(), limit = atomic_load(&q->timeout_ns), next = TIME_NEVER;
	bool late = false;

	spin_lock(&hw->lock);
	for (u32 i = 0; i < hw_requests(hw); i++) {
		const struct request *rq = hw->requests[i];

		if (atomic_load_acquire(&rq->state) != REQUEST_STARTED)
			continue;
		if (is_late(rq, now, limit)) {
			late = true;
			next = min(next, time_add(now, limit));
		} else {
			next = min(next, time_add(READ_ONCE(rq->started_ns), limit));
		}
	}
	hw->timer_on = limit && next != TIME_NEVER;
	if (hw->timer_on)
		timer_arm(&hw->timer, next);
	spin_unlock(&hw->lock);
	if (!late)
		return;
	spin_lock(&late_lock);
	if (list_empty(&q->late))
		list_add_tail(&q->late, &late_queues);
	spin_unlock(&late_lock);
	wake_up(&late_wake);
}

void timeout_watch(struct hw_queue *hw, u64 now)
{
	u64 limit = atomic_load(&hw->queue->timeout_ns);

	if (likely(hw->timer_on) || !limit)
		return;
	hw->timer_on = true;
	timer_arm(&hw->timer, now + limit);
}

void queue_set_timeout(struct block_queue *q, u64 timeout_ns)
{
	atomic_store(&q->timeout_ns, timeout_ns);
	for (u32 i = 0; i < q->nr_hw; i++) {
		struct hw_queue *hw = &q->hw[i];

		spin_lock_irq(&hw->lock);
		hw->timer_on = timeout_ns && atomic_load(&hw->nr_started);
		if (hw->timer_on)
			timer_arm(&hw->timer, clock_mono_ns() + timeout_ns);
		else
			timer_cancel(&hw->timer);
		spin_unlock_irq(&hw->lock);
	}
}

static void handle_late(struct block_queue *q)
{
	for (u32 i = 0; i < q->nr_hw; i++) {
		struct hw_queue *hw = &q->hw[i];

		for (u32 k = 0; k < hw_requests(hw); k++) {
			struct request *rq = hw->requests[k];

			if (!is_late(rq, clock_mono_ns(), atomic_load(&q->timeout_ns)))
				continue;
			pr_err("block: %s: no answer for %llu ms: op %u, sector %llu, %llu bytes\n", q->disk->name,
			       (unsigned long long)(atomic_load(&q->timeout_ns) / NSEC_PER_MSEC), rq->op, (unsigned long long)rq->sector,
			       (unsigned long long)rq->len);
			q->ops->timeout(rq);
		}
	}
}

static struct block_queue *next_late(void)
{
	struct block_queue *q = NULL;

	spin_lock_irq(&late_lock);
	if (!list_empty(&late_queues)) {
		q = list_first_entry(&late_queues, struct block_queue, late);
		list_del_init(&q->late);
	}
	handled = q;
	spin_unlock_irq(&late_lock);
	return q;
}

static void late_thread(void *arg)
{
	struct block_queue *q;

	(void)arg;
	current->pflags |= PF_MEMALLOC;
	for (;;) {
		wait_event_interruptible(&late_wake, !list_empty(&late_queues));
		while ((q = next_late())) {
			handle_late(q);
			spin_lock_irq(&late_lock);
			handled = NULL;
			spin_unlock_irq(&late_lock);
			wake_up_all(&handled_wake);
		}
	}
}

static void thread_ready(void)
{
	static u32 there;

	if (atomic_xchg(&there, 1u))
		return;
	if (!kthread_create(late_thread, NULL, "blocklate")) {
		pr_warn("block: no memory for the thread that deals with time-outs\n");
		atomic_store(&there, 0u);
	}
}

static bool is_handled(struct block_queue *q)
{
	bool is;

	spin_lock_irq(&late_lock);
	list_del_init(&q->late);
	is = handled == q;
	spin_unlock_irq(&late_lock);
	return is;
}

void timeout_init(struct block_queue *q)
{
	q->timeout_ns = q->ops->timeout ? default_timeout_ns : 0;
	list_init(&q->late);
	if (q->ops->timeout)
		thread_ready();
	for (u32 i = 0; i < q->nr_hw; i++)
		timer_init(&q->hw[i].timer, timer_fired);
}

void timeout_fini(struct block_queue *q)
{
	for (u32 i = 0; i < q->nr_hw; i++)
		timer_cancel_sync(&q->hw[i].timer);
	wait_event(&handled_wake, !is_handled(q));
}
