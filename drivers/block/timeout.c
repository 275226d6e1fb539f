/* Requests that take too long.
 *
 * Each hardware queue has one timer.  It is armed when a request is started while it is not, for that request's deadline; when it fires it
 * looks through the queue's requests and is armed for the earliest deadline left, or not at all when nothing is in flight.  So a busy
 * queue pays for it once in a deadline, not with each request, and an idle one has none after the last deadline has passed.
 *
 * What is late is dealt with by a thread, as the driver may have to reset its device. */
#include <drivers/block/request.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>

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
	if (late)
		work_queue(&q->timeout_work);
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

static void handle_late(struct work *w)
{
	struct block_queue *q = container_of(w, struct block_queue, timeout_work);

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

void timeout_init(struct block_queue *q)
{
	q->timeout_ns = q->ops->timeout ? default_timeout_ns : 0;
	work_init(&q->timeout_work, handle_late);
	for (u32 i = 0; i < q->nr_hw; i++)
		timer_init(&q->hw[i].timer, timer_fired);
}

void timeout_fini(struct block_queue *q)
{
	for (u32 i = 0; i < q->nr_hw; i++)
		timer_cancel_sync(&q->hw[i].timer);
	work_flush();
}
