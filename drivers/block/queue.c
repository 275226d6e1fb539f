/* Queues: requests are made from bios, given to the driver, and ended.
 *
 * Theory.  A disk of hardware has one or more hardware queues; each has its own lock, its own requests and nothing shared with the others, and
 * a CPU submits to its own (cpu % nr_hw).  The requests of a hardware queue are made once; a request is taken by setting its bit in the
 * tags and given back by clearing it, and who finds all taken sleeps until one comes back: that is all the back-pressure there is, and no
 * memory is needed for a bio to reach the device.
 *
 * A request is made by the submitter, from one bio or a part of one; a plug holds it back for others to join it.  There is no sorting
 * and no queue of bios behind the hardware queue: virtual disks have no heads to move.  What a full driver refused (-EBUSY) waits in
 * `pending`, first in, first out; bios that come meanwhile may join those requests.
 *
 * States.  IDLE (being made, in a plug, pending, or waiting for a flush), STARTED (the driver's), DONE.  Who takes a request out of STARTED, by
 * compare and swap, ends it: the driver's answer, or the reset that followed a time-out; so each ends once.
 *
 * Locks: hw->lock around the driver's queue(), which therefore needs none of its own; requests are ended without it.  The flush lock is
 * outside it.  Contexts: submission from threads, all else from anywhere.
 *
 * Stopping (hw->stopped) makes everything pending; it is how a driver resets its device.  A dead queue ends what is pending with -ENODEV. */
#include <arch/cpu.h>
#include <drivers/block/request.h>
#include <drivers/block/stats.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <mm/slab.h>

#define PLUG_MAX	32u
#define PLUG_LARGE	(128u << 10)	/* bytes of a request that is worth starting when another one follows it */

/* --- tags --- */

static struct request *tag_try(struct hw_queue *hw)
{
	u32 depth = hw->queue->depth;

	for (u32 w = 0; w * 64 < depth; w++) {
		u64 taken = atomic_load(&hw->tags[w]);

		while (~taken) {
			u64 bit = ~taken & (taken + 1);		/* the lowest free */

			taken = __atomic_fetch_or(&hw->tags[w], bit, __ATOMIC_ACQUIRE);	/* pairs with tag_put */
			if (!(taken & bit))
				return hw->requests[w * 64 + ffs64(bit) - 1];
		}
	}
	return NULL;
}

static void tag_put(struct request *rq)
{
	struct hw_queue *hw = rq->hw;

	__atomic_fetch_and(&hw->tags[rq->tag / 64], ~(1ul << rq->tag % 64), __ATOMIC_RELEASE);
	if (unlikely(wait_queue_active(&hw->tag_wait)))		/* its barrier: the bit before the look */
		wake_up(&hw->tag_wait);
}

/* One waiter is woken for each tag.  One who was woken but had found a tag by himself passes the wake-up on. */
static struct request *tag_wait(struct hw_queue *hw)
{
	struct wait_entry we;
	struct request *rq;

	wait_entry_init(&we);
	we.exclusive = true;
	sched_io_begin();
	for (;;) {
		prepare_to_wait(&hw->tag_wait, &we, TASK_UNINTERRUPTIBLE);
		rq = tag_try(hw);
		if (rq || atomic_load(&hw->queue->dead))
			break;
		schedule();
	}
	finish_wait(&hw->tag_wait, &we);
	sched_io_end();
	if (wait_queue_active(&hw->tag_wait))
		wake_up(&hw->tag_wait);
	return rq;
}

static struct hw_queue *hw_here(struct block_queue *q)
{
	return &q->hw[q->nr_hw == 1 ? 0 : smp_cpu_id() % q->nr_hw];
}

/* A request for current's CPU; NULL: the device is gone. */
static struct request *request_get(struct block_queue *q)
{
	struct hw_queue *hw = hw_here(q);
	struct request *rq = tag_try(hw);

	return likely(rq) ? rq : tag_wait(hw);
}

/* --- starting and ending --- */

/* hw->lock held: give the driver what is pending, as much as it takes; what fails goes to `failed`.  now: the time, or 0 if nobody has asked. */
static bool run_locked(struct hw_queue *hw, struct list_head *failed, u64 now)
{
	struct block_queue *q = hw->queue;
	bool any = false;

	if (unlikely(atomic_load(&q->dead)))
		list_splice_init(&hw->pending, failed);
	while (!hw->stopped && !list_empty(&hw->pending)) {
		struct request *rq = list_first_entry(&hw->pending, struct request, link);
		int err;

		now = now ? now : clock_mono_ns();	/* once for all: under an emulator it is dear */
		list_del(&rq->link);
		WRITE_ONCE(rq->started_ns, now);
		atomic_store_release(&rq->state, REQUEST_STARTED);
		atomic_inc(&hw->nr_started);
		err = q->ops->queue(hw, rq);
		if (likely(!err)) {
			any = true;
			timeout_watch(hw, now);
			continue;
		}
		atomic_dec(&hw->nr_started);
		atomic_store(&rq->state, REQUEST_IDLE);
		if (err == -EBUSY) {
			list_add(&rq->link, &hw->pending);
			break;
		}
		list_add_tail(&rq->link, failed);
	}
	return any && q->ops->kick_prepare && q->ops->kick_prepare(hw);
}

static bool is_flush(const struct request *rq) { return rq->tag == rq->hw->queue->depth; }

/* The driver is through with rq, or never saw it. */
static void conclude(struct request *rq, int status)
{
	struct block_queue *q = rq->hw->queue;

	atomic_store(&rq->state, REQUEST_IDLE);
	if (unlikely(is_flush(rq)))
		flush_done(q, status);
	else if (likely(!flush_ended(q, rq, status)))
		queue_end_request(rq, status);
}

static void fail_all(struct list_head *failed, int status)
{
	while (!list_empty(failed)) {
		struct request *rq = list_first_entry(failed, struct request, link);

		list_del(&rq->link);
		conclude(rq, status);
	}
}

/* Give the driver the requests of list, behind those that wait already. */
static void hw_issue(struct hw_queue *hw, struct list_head *list, u64 now)
{
	struct list_head failed;
	irqflags_t flags;
	bool kick;

	list_init(&failed);
	flags = spin_lock_irqsave(&hw->lock);
	if (list)
		while (!list_empty(list))
			list_move_tail(list->next, &hw->pending);
	kick = run_locked(hw, &failed, now);
	spin_unlock_irqrestore(&hw->lock, flags);
	if (kick)
		hw->queue->ops->kick(hw);
	if (unlikely(!list_empty(&failed)))
		fail_all(&failed, atomic_load(&hw->queue->dead) ? -ENODEV : -EIO);
}

void hw_queue_run(struct hw_queue *hw) { hw_issue(hw, NULL, 0); }

static void issue_one(struct request *rq, u64 now)
{
	struct list_head one;

	list_init(&one);
	list_add(&rq->link, &one);
	hw_issue(rq->hw, &one, now);
}

void queue_start_request(struct request *rq) { issue_one(rq, 0); }

void queue_start_flush(struct block_queue *q)
{
	struct request *rq = q->hw[0].requests[q->depth];

	rq->op = BIO_FLUSH;
	rq->retries = rq->extensions = 0;
	rq->begun_ns = clock_mono_ns();
	queue_start_request(rq);
}

static void log_error(const struct request *rq, int status)
{
	static const char *const ops[] = { "read", "write", "flush", "discard", "zeroing" };

	if (status != -EOPNOTSUPP)
		printk_ratelimited(LOG_ERR "block: %s: I/O error %d: %s of %lu sectors at %lu\n", rq->hw->queue->disk->name, status,
				   rq->op < ARRAY_SIZE(ops) ? ops[rq->op] : "?", rq->len >> SECTOR_SHIFT, rq->sector);
}

void queue_end_request(struct request *rq, int status)
{
	stats_end(rq, rq->ended_ns && rq->stage == STAGE_DATA ? rq->ended_ns : clock_mono_ns());
	if (unlikely(status))
		log_error(rq, status);
	request_finish(rq, status);
	tag_put(rq);
}

void request_done(struct request *rq, int status)
{
	struct hw_queue *hw = rq->hw;

	if (unlikely(!atomic_cas(&rq->state, REQUEST_STARTED, REQUEST_DONE)))
		return;		/* a reset took it back */
	atomic_dec(&hw->nr_started);
	conclude(rq, status);
	if (unlikely(!list_empty(&hw->pending)))
		hw_queue_run(hw);
}

/* --- plugs --- */

static void plug_flush(struct task_plug *task)
{
	struct block_plug *plug = container_of(task, struct block_plug, task);

	while (!list_empty(&plug->requests)) {
		struct hw_queue *hw = list_first_entry(&plug->requests, struct request, link)->hw;
		struct list_head same, *pos, *next;

		list_init(&same);
		for (pos = plug->requests.next; pos != &plug->requests; pos = next) {
			next = pos->next;
			if (container_of(pos, struct request, link)->hw == hw)
				list_move_tail(pos, &same);
		}
		hw_issue(hw, &same, 0);
	}
	plug->nr = 0;
}

void block_plug(struct block_plug *plug)
{
	list_init(&plug->requests);
	plug->nr = 0;
	plug->task.flush = plug_flush;
	if (!current->plug)
		current->plug = &plug->task;
}

void block_unplug(struct block_plug *plug)
{
	if (current->plug != &plug->task)
		return;
	current->plug = NULL;
	plug_flush(&plug->task);
}

/* The latest are the likeliest neighbours. */
static bool merge_into(struct list_head *requests, struct bio *bio)
{
	const struct disk_limits *l = &bio->bdev->disk->limits;

	for (struct list_head *pos = requests->prev; pos != requests; pos = pos->prev) {
		struct request *rq = container_of(pos, struct request, link);

		if (rq->bio && (request_append(rq, bio, l) || request_prepend(rq, bio, l)))
			return true;
	}
	return false;
}

static bool merge_pending(struct hw_queue *hw, struct bio *bio)
{
	irqflags_t flags = spin_lock_irqsave(&hw->lock);
	bool merged = merge_into(&hw->pending, bio);

	spin_unlock_irqrestore(&hw->lock, flags);
	return merged;
}

static struct block_plug *current_plug(void)
{
	struct task_plug *t = current->plug;

	return t ? container_of(t, struct block_plug, task) : NULL;
}

static bool merge(struct block_queue *q, struct bio *bio)
{
	struct block_plug *plug = current_plug();
	struct hw_queue *hw = hw_here(q);

	if (!(plug && merge_into(&plug->requests, bio)) && (likely(list_empty(&hw->pending)) || !merge_pending(hw, bio)))
		return false;
	stats_merge(bio->bdev, bio->op);
	return true;
}

/* --- submission --- */

static void request_start(struct request *rq, u8 flush)
{
	struct block_plug *plug = current_plug();

	rq->begun_ns = clock_mono_ns();
	stats_begin(rq->bio->bdev, rq->begun_ns);
	if (unlikely(flush) && flush_begin(rq->hw->queue, rq, flush))
		return;
	if (!plug || rq->stage != STAGE_DATA) {
		issue_one(rq, rq->begun_ns);
		return;
	}
	if (!list_empty(&plug->requests) && list_last_entry(&plug->requests, struct request, link)->len >= PLUG_LARGE)
		plug_flush(&plug->task);
	list_add_tail(&rq->link, &plug->requests);
	if (++plug->nr >= PLUG_MAX)
		plug_flush(&plug->task);
}

void queue_submit(struct disk *disk, struct bio *bio)
{
	u8 flush = disk->limits.write_cache ? bio->flags & (BIO_PREFLUSH | BIO_FUA) : 0;
	struct block_queue *q = disk->queue;
	bool empty = !bio->len;
	u64 off = 0, n;
	int err = 0;

	bio->status = 0;
	atomic_store(&bio->parts, 1);		/* ours, until all of it is in requests */
	if (empty && disk->limits.write_cache)
		flush |= BIO_PREFLUSH;
	while (!err && (off < bio->len || flush & BIO_PREFLUSH)) {
		struct request *rq;

		if (!flush && !off && merge(q, bio))
			break;
		rq = request_get(q);
		if (!rq) {
			err = -ENODEV;
			break;
		}
		rq->stage = STAGE_DATA;
		rq->ended_ns = 0;
		rq->flags = rq->retries = rq->extensions = 0;
		n = request_begin(rq, bio, off, &disk->limits);
		if (n || empty)
			request_start(rq, flush);
		else
			tag_put(rq);
		err = n || empty ? 0 : -EIO;
		off += n;
		if (off >= bio->len)
			break;
	}
	bio_part_done(bio, err);
}

/* --- resets, and the end --- */

void queue_stop(struct block_queue *q)
{
	for (u32 i = 0; i < q->nr_hw; i++) {
		spin_lock_irq(&q->hw[i].lock);
		q->hw[i].stopped = true;
		spin_unlock_irq(&q->hw[i].lock);
	}
}

/* What the device had when it was reset. */
static void take_back(struct hw_queue *hw, bool alive)
{
	for (u32 i = 0; i < hw->queue->depth + (hw->index == 0); i++) {
		struct request *rq = hw->requests[i];

		if (!atomic_cas(&rq->state, REQUEST_STARTED, REQUEST_DONE))
			continue;
		atomic_dec(&hw->nr_started);
		if (alive && !rq->retries++) {
			atomic_store(&rq->state, REQUEST_IDLE);
			spin_lock_irq(&hw->lock);
			list_add_tail(&rq->link, &hw->pending);
			spin_unlock_irq(&hw->lock);
		} else {
			conclude(rq, alive ? -ETIMEDOUT : -EIO);
		}
	}
}

void queue_restart(struct block_queue *q, bool alive)
{
	for (u32 i = 0; i < q->nr_hw; i++)
		take_back(&q->hw[i], alive);
	for (u32 i = 0; i < q->nr_hw; i++) {
		spin_lock_irq(&q->hw[i].lock);
		q->hw[i].stopped = false;
		spin_unlock_irq(&q->hw[i].lock);
		hw_queue_run(&q->hw[i]);
	}
}

void queue_kill(struct block_queue *q)
{
	queue_stop(q);
	atomic_store(&q->dead, true);
	queue_restart(q, false);
	for (u32 i = 0; i < q->nr_hw; i++)
		wake_up_all(&q->hw[i].tag_wait);
}

static bool hw_init(struct block_queue *q, u32 index)
{
	struct hw_queue *hw = &q->hw[index];
	u32 nr = q->depth + (index == 0);

	spin_lock_init(&hw->lock, LC_BLOCK_QUEUE);
	hw->queue = q;
	hw->index = index;
	list_init(&hw->pending);
	wait_queue_init(&hw->tag_wait);
	hw->tags = kcalloc(BITS_TO_LONGS(q->depth), sizeof(u64), GFP_KERNEL);
	hw->requests = kcalloc(nr, sizeof(*hw->requests), GFP_KERNEL);
	if (!hw->tags || !hw->requests)
		return false;
	if (q->depth % 64)
		hw->tags[q->depth / 64] = ~0ul << q->depth % 64;
	for (u32 i = 0; i < nr; i++) {
		hw->requests[i] = kzalloc(sizeof(struct request) + q->driver_bytes, GFP_KERNEL);
		if (!hw->requests[i])
			return false;
		hw->requests[i]->hw = hw;
		hw->requests[i]->tag = (u16)i;
	}
	return true;
}

static void queue_free(struct block_queue *q)
{
	for (u32 i = 0; i < q->nr_hw; i++) {
		struct hw_queue *hw = &q->hw[i];

		for (u32 k = 0; hw->requests && k < q->depth + (i == 0); k++)
			kfree(hw->requests[k]);
		kfree(hw->requests);
		kfree(hw->tags);
	}
	kfree(q);
}

struct block_queue *queue_create(struct disk *disk, const struct queue_ops *ops, u32 nr_hw, u32 depth, u32 driver_bytes)
{
	struct block_queue *q = kzalloc(sizeof(*q) + nr_hw * sizeof(q->hw[0]), GFP_KERNEL);

	if (!q)
		return NULL;
	q->disk = disk;
	q->ops = ops;
	q->nr_hw = nr_hw;
	q->depth = depth;
	q->driver_bytes = driver_bytes;
	flush_init(&q->flush);
	for (u32 i = 0; i < nr_hw; i++) {
		if (!hw_init(q, i)) {
			queue_free(q);
			return NULL;
		}
	}
	timeout_init(q);
	return q;
}

void queue_destroy(struct block_queue *q)
{
	for (u32 i = 0; i < q->nr_hw; i++)
		ASSERT(!atomic_load(&q->hw[i].nr_started) && list_empty(&q->hw[i].pending));
	timeout_fini(q);
	queue_free(q);
}
