/* Flushes: a device with a volatile cache that answers in any order, and requests that ask for durability; random, against what must hold:
 * a flush request is under way at most once, a PREFLUSH's data starts after all that had ended when it came is durable, a FUA's own data is
 * durable when it ends, and everything ends. */
#include <asm/errno.h>
#include <drivers/block/request.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

#define NR 64

static struct disk disk = { .limits = { .write_cache = true } };
static struct block_queue q = { .disk = &disk };
static struct hw_queue hw = { .queue = &q };

static struct model {
	struct request rq;
	u8 flags;
	u64 needs;			/* those that had ended when it came */
	bool submitted, with_device, ended;
	s32 status;
} models[NR];
static u64 written, durable;		/* in the device's cache, and safe: bits of models */
static u64 flush_covers;
static bool flushing, wrong;
static int fail_flush;

static struct model *model_of(struct request *rq) { return container_of(rq, struct model, rq); }

void queue_start_flush(struct block_queue *queue)
{
	(void)queue;
	wrong |= flushing;
	flushing = true;
	flush_covers = written;
}

void queue_start_request(struct request *rq)
{
	struct model *m = model_of(rq);

	wrong |= m->with_device || m->ended || (m->flags & BIO_PREFLUSH && m->needs & ~durable);
	m->with_device = true;
}

void queue_end_request(struct request *rq, int status)
{
	struct model *m = model_of(rq);

	wrong |= m->ended || m->with_device;
	if (!status && m->rq.op == BIO_FLUSH)
		wrong |= m->needs & ~durable;
	if (!status && m->flags & BIO_FUA)
		wrong |= !(durable >> (m - models) & 1);
	m->ended = true;
	m->status = status;
}

static void submit(struct model *m)
{
	m->submitted = true;
	for (u32 i = 0; i < NR; i++)
		if (models[i].ended && !models[i].status && models[i].rq.op == BIO_WRITE)
			m->needs |= 1ul << i;
	if ((m->flags || m->rq.op == BIO_FLUSH) && flush_begin(&q, &m->rq, m->flags))
		return;
	queue_start_request(&m->rq);
}

static void answer(struct model *m, int status)
{
	m->with_device = false;
	if (!status)
		written |= 1ul << (m - models);
	if (!status && m->rq.flags & BIO_FUA)
		durable |= 1ul << (m - models);
	if (!flush_ended(&q, &m->rq, status))
		queue_end_request(&m->rq, status);
}

static void answer_flush(void)
{
	int status = fail_flush && unit_below(4) == 0 ? -EIO : 0;

	flushing = false;
	if (!status)
		durable |= flush_covers;
	flush_done(&q, status);
}

static bool run(bool fua, bool failing)
{
	u32 left = NR, steps = 0;

	memset(models, 0, sizeof(models));
	flush_init(&q.flush);
	written = durable = 0;
	flushing = wrong = false;
	fail_flush = failing;
	disk.limits.fua = fua;
	for (u32 i = 0; i < NR; i++) {
		static const u8 kinds[] = { 0, 0, BIO_FUA, BIO_PREFLUSH, BIO_PREFLUSH | BIO_FUA };

		models[i].rq.hw = &hw;
		models[i].rq.op = unit_below(6) ? BIO_WRITE : BIO_FLUSH;
		models[i].rq.len = models[i].rq.op == BIO_FLUSH ? 0 : 4096;
		models[i].flags = models[i].rq.op == BIO_FLUSH ? 0 : kinds[unit_below(ARRAY_SIZE(kinds))];
	}
	while (left && steps++ < 100000) {
		struct model *m = &models[unit_below(NR)];

		if (unit_below(3) == 0 && flushing)
			answer_flush();
		else if (!m->submitted)
			submit(m);
		else if (m->with_device)
			answer(m, failing && unit_below(10) == 0 ? -EIO : 0);
		left = 0;
		for (u32 i = 0; i < NR; i++)
			left += !models[i].ended;
	}
	return !left && !wrong && !flushing;
}

TEST(what_was_promised_is_durable)
{
	for (u32 round = 0; round < 2000; round++)
		EXPECT(run(round & 1, false));
}

TEST(errors_end_what_they_touch)
{
	for (u32 round = 0; round < 2000; round++)
		EXPECT(run(round & 1, true));
}

/* n who ask at once cost two flushes. */
TEST(one_flush_for_all_who_wait)
{
	memset(models, 0, sizeof(models));
	flush_init(&q.flush);
	flushing = wrong = false;
	written = durable = 0;
	fail_flush = 0;
	for (u32 i = 0; i < NR; i++) {
		models[i].rq.hw = &hw;
		models[i].rq.op = BIO_FLUSH;
		submit(&models[i]);
	}
	EXPECT(flushing);
	answer_flush();
	EXPECT(models[0].ended && !models[1].ended && flushing);
	answer_flush();
	EXPECT(!flushing);
	for (u32 i = 0; i < NR; i++)
		EXPECT(models[i].ended);
	EXPECT(!wrong);
}
