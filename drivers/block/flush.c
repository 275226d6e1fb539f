/* Flushes: requests whose data must be durable, and those that ask for all before them to be.
 *
 * Theory.  A device with a volatile cache knows one thing that makes data durable: a flush, which covers every write that had ended when the
 * flush was given to it.  A request may need one before its data (BIO_PREFLUSH), one after it (BIO_FUA where the device has no such bit),
 * or nothing but one (BIO_FLUSH).  Such a request goes through stages: PREFLUSH, DATA, POSTFLUSH, those that it needs.
 *
 * One flush is enough for all who wait, so at most one is under way in a queue.  Who needs one while it is under way waits for the next
 * (`waiting`): the one under way may have been carried out before.  When it ends, those whom it covered go on to their next stage, and
 * if somebody waits the next one starts.  A sequence of n fsyncs at once so costs two flushes, not n.
 *
 * The flush is a request of its own that the queue keeps for it, so that starting one needs neither a tag nor a thread: stages change in
 * interrupts.  The requests that wait hold their tags, and that is why the flush must not need one.
 *
 * Rejected: delaying a flush to gather more (Linux does, by milliseconds): it is the latency of fsync. */
#include <drivers/block/request.h>
#include <kernel/debug.h>

void flush_init(struct flush_queue *fq)
{
	spin_lock_init(&fq->lock, LC_BLOCK_FLUSH);
	list_init(&fq->waiting);
	list_init(&fq->covered);
	fq->busy = false;
}

/* lock held: cover all who wait; false: nobody does, or one is under way. */
static bool take_turn(struct flush_queue *fq)
{
	if (fq->busy || list_empty(&fq->waiting))
		return false;
	fq->busy = true;
	list_splice_init(&fq->waiting, &fq->covered);
	return true;
}

static void wait_for_flush(struct block_queue *q, struct request *rq, u8 stage)
{
	struct flush_queue *fq = &q->flush;
	irqflags_t flags = spin_lock_irqsave(&fq->lock);
	bool start;

	rq->stage = stage;
	list_add_tail(&rq->link, &fq->waiting);
	start = take_turn(fq);
	spin_unlock_irqrestore(&fq->lock, flags);
	if (start)
		queue_start_flush(q);
}

bool flush_begin(struct block_queue *q, struct request *rq, u8 flags)
{
	bool fua = q->disk->limits.fua;

	rq->stage = STAGE_DATA;
	if (flags & BIO_FUA && rq->op == BIO_WRITE) {
		rq->flags |= fua ? BIO_FUA : 0;
		rq->stage = fua ? STAGE_DATA : STAGE_DATA_THEN_FLUSH;
	}
	if (rq->op != BIO_FLUSH && !(flags & BIO_PREFLUSH))
		return false;
	rq->stage_after = rq->stage;
	wait_for_flush(q, rq, STAGE_PREFLUSH);
	return true;
}

bool flush_ended(struct block_queue *q, struct request *rq, int status)
{
	if (rq->stage != STAGE_DATA_THEN_FLUSH || status)
		return false;
	wait_for_flush(q, rq, STAGE_POSTFLUSH);
	return true;
}

/* The flush that covered rq has ended. */
static void go_on(struct request *rq, int status)
{
	if (status || rq->stage == STAGE_POSTFLUSH || !rq->len) {
		queue_end_request(rq, status);
		return;
	}
	rq->stage = rq->stage_after;
	queue_start_request(rq);
}

void flush_done(struct block_queue *q, int status)
{
	struct flush_queue *fq = &q->flush;
	struct list_head done;
	irqflags_t flags;
	bool again;

	list_init(&done);
	flags = spin_lock_irqsave(&fq->lock);
	list_splice_init(&fq->covered, &done);
	fq->busy = false;
	again = take_turn(fq);
	spin_unlock_irqrestore(&fq->lock, flags);
	if (again)
		queue_start_flush(q);
	while (!list_empty(&done)) {
		struct request *rq = list_first_entry(&done, struct request, link);

		list_del(&rq->link);
		go_on(rq, status);
	}
}
