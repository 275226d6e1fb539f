/* A disk on top of another that fails, tears, delays, reorders and drops requests, or loses power: for tests of all that stands above it.
 *
 * What happens to a request is drawn from a generator that begins with the plan's seed, so a run with one submitter can be repeated.  A
 * worker thread carries requests out, one at a time, in order but for those that the plan holds back.  A late answer comes from a timer; one
 * that never comes is ended by the time-out of requests (timeout.c), as is one that is later than that: whoever takes `parked` from a request
 * answers it.
 *
 * Power cut: from the n-th write on the disk below is left as it is.  Writes are still acknowledged, as by a volatile cache; flushes fail, so
 * nobody is told that anything is safe.  Then the disk below holds what a machine would find that lost power there.
 *
 * By hand: echo "DEVICE seed=N fail=N read=N write=N flush=N bad=N tear=N delay=N delay_ms=N reorder=N drop=N cut=N" > /proc/driver/faulty
 * makes /dev/faulty0 on DEVICE, or gives it another plan; "off" takes it away.  Reading shows what happened. */
#include <drivers/block/faulty.h>
#include <drivers/block/request.h>
#include <fs/seq.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <mm/slab.h>

#define FAULTY_MAJOR	240u		/* of those for local use */
#define DEPTH		32u
#define CHANCES		10000u

struct faulty {
	struct disk *disk;		/* [I] */
	struct block_device *lower;	/* [I] */
	struct fault_plan plan;		/* [hw->lock] */
	u64 random;			/* [hw->lock] */
	struct fault_counts counts;
	struct list_head todo;		/* [hw->lock] */
	struct wait_queue wake;
	bool stop;			/* [hw->lock] */
	struct completion stopped;
};

struct faulty_request { struct timer timer; int status; u32 parked; /* [a] */ };

static u64 draw(struct faulty *d)	/* splitmix64 */
{
	u64 z = d->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Does rq touch a place that is bad for good?  Which ones are is in the seed alone. */
static bool in_bad_place(const struct fault_plan *p, const struct request *rq)
{
	u64 last = rq->sector + ((max(rq->len, 1ull) - 1) >> SECTOR_SHIFT);

	if (!p->bad || rq->op == BIO_FLUSH)
		return false;
	for (u64 place = rq->sector / 8; place <= last / 8; place++)
		if (hash_64(place * 0x9e3779b97f4a7c15ull ^ p->seed, 32) % CHANCES < p->bad)
			return true;
	return false;
}

/* What the plan has in store for a request. */
struct fate { bool fail, tear, delay, reorder, drop, lost; u32 delay_ms; };

static struct fate fate_of(struct faulty *d, const struct request *rq)
{
	struct hw_queue *hw = &d->disk->queue->hw[0];
	const struct fault_plan *p = &d->plan;
	bool writes = bio_op_writes(rq->op);
	struct fate f = { 0 };

	spin_lock_irq(&hw->lock);
	f.delay_ms = p->delay_ms;
	f.fail = draw(d) % CHANCES < p->fail + (rq->op == BIO_READ ? p->read : rq->op == BIO_FLUSH ? p->flush : p->write);
	f.fail |= in_bad_place(p, rq);
	f.tear = draw(d) % CHANCES < p->tear && rq->op == BIO_WRITE;
	f.delay = draw(d) % CHANCES < p->delay;
	f.reorder = draw(d) % CHANCES < p->reorder;
	f.drop = draw(d) % CHANCES < p->drop;
	d->counts.requests++;
	d->counts.writes += writes;
	f.lost = p->cut && d->counts.writes >= p->cut && (writes || rq->op == BIO_FLUSH);
	spin_unlock_irq(&hw->lock);
	return f;
}

/* The first len bytes of rq, on the disk below. */
static int carry_out(struct faulty *d, struct request *rq, u64 len)
{
	u64 sector = rq->sector, left = rq->op == BIO_READ || rq->op == BIO_WRITE ? len : 0;
	struct request_iter it;
	struct bio *bio = bio_alloc(d->lower, rq->op, rq->flags & BIO_FUA, sector, min(rq->nr_segments * 2, BIO_MAX_VECS), GFP_NOIO);
	paddr_t addr;
	int err = 0;
	u32 n;

	if (!left)
		bio->len = rq->len;
	for (request_segments(rq, &it); left && !err && request_segment(&it, &addr, &n);) {
		n = (u32)min((u64)n, left);
		left -= n;
		while (n && !err) {
			u32 off = (u32)(addr & (PAGE_SIZE - 1)), part = min(n, (u32)PAGE_SIZE - off);

			if (!bio_add(bio, phys_to_page(addr), off, part)) {
				sector += bio->len >> SECTOR_SHIFT;
				err = bio_submit_wait(bio);
				bio_free(bio);
				bio = bio_alloc(d->lower, rq->op, rq->flags & BIO_FUA, sector, BIO_MAX_VECS, GFP_NOIO);
				continue;
			}
			addr += part;
			n -= part;
		}
	}
	if (!err)
		err = bio_submit_wait(bio);
	bio_free(bio);
	return err;
}

static void answer_late(struct timer *t)
{
	struct faulty_request *fr = container_of(t, struct faulty_request, timer);
	struct request *rq = container_of((void *)fr, struct request, driver);

	if (atomic_xchg(&fr->parked, 0u))
		request_done(rq, fr->status);
}

static void count(u64 *n) { atomic_add(n, 1); }

static void handle(struct faulty *d, struct request *rq, const struct fate *f)
{
	struct faulty_request *fr = request_driver(rq);
	int status;

	if (f->lost) {
		count(&d->counts.lost);
		status = rq->op == BIO_FLUSH || rq->flags & BIO_FUA ? -EIO : 0;
	} else if (f->fail) {
		count(&d->counts.failed);
		status = -EIO;
	} else if (f->tear) {
		count(&d->counts.torn);
		(void)carry_out(d, rq, ALIGN_DOWN(rq->len / 2, d->disk->limits.logical_size));
		status = -EIO;
	} else {
		status = carry_out(d, rq, rq->len);
	}
	if (!f->drop && !f->delay) {
		request_done(rq, status);
		return;
	}
	fr->status = status;
	atomic_store_release(&fr->parked, 1u);
	if (f->drop) {
		count(&d->counts.dropped);
		return;
	}
	count(&d->counts.delayed);
	timer_arm(&fr->timer, clock_mono_ns() + f->delay_ms * NSEC_PER_MSEC);
}

static void faulty_timeout(struct request *rq)
{
	struct faulty *d = rq->hw->queue->disk->private;
	struct faulty_request *fr = request_driver(rq);

	if (!atomic_xchg(&fr->parked, 0u))
		return;			/* answered, or not even begun: it has its time again */
	timer_cancel_sync(&fr->timer);
	count(&d->counts.timed_out);
	request_done(rq, -ETIMEDOUT);
}

static struct request *next_request(struct faulty *d, bool *stop)
{
	struct hw_queue *hw = &d->disk->queue->hw[0];
	struct request *rq = NULL;

	spin_lock_irq(&hw->lock);
	*stop = d->stop;
	if (!list_empty(&d->todo)) {
		rq = list_first_entry(&d->todo, struct request, link);
		list_del(&rq->link);
	}
	spin_unlock_irq(&hw->lock);
	return rq;
}

static void faulty_thread(void *arg)
{
	struct request *rq = NULL, *held = NULL;
	struct faulty *d = arg;
	struct fate fate, held_fate = { 0 };
	bool stop = false;

	for (;;) {
		/* one that is held back goes when nobody comes whom it could let pass */
		u64 until = held ? clock_mono_ns() + 5 * NSEC_PER_MSEC : TIME_NEVER;

		(void)wait_event_interruptible_timeout(&d->wake, (rq = next_request(d, &stop)) || stop, until);
		if (rq) {
			fate = fate_of(d, rq);
			if (fate.reorder && !held) {
				count(&d->counts.reordered);
				held = rq;
				held_fate = fate;
				continue;
			}
			handle(d, rq, &fate);
		}
		if (held)
			handle(d, held, &held_fate);
		held = NULL;
		if (!rq && stop)
			break;
	}
	complete(&d->stopped);
	kthread_exit();
}

static int faulty_queue(struct hw_queue *hw, struct request *rq)
{
	struct faulty *d = hw->driver;

	if (d->stop)
		return -EIO;
	list_add_tail(&rq->link, &d->todo);
	wake_up(&d->wake);
	return 0;
}
static const struct queue_ops faulty_queue_ops = { .queue = faulty_queue, .timeout = faulty_timeout };

static void faulty_free(struct disk *disk)
{
	struct faulty *d = disk->private;

	if (disk->queue)
		queue_destroy(disk->queue);
	kfree(d);
}
static const struct disk_ops faulty_ops = { .submit = queue_submit, .free = faulty_free };

void faulty_set_plan(struct disk *disk, const struct fault_plan *plan)
{
	struct faulty *d = disk->private;

	spin_lock_irq(&disk->queue->hw[0].lock);
	d->plan = *plan;
	d->random = plan->seed;
	memset(&d->counts, 0, sizeof(d->counts));
	spin_unlock_irq(&disk->queue->hw[0].lock);
}

void faulty_counts(struct disk *disk, struct fault_counts *out)
{
	struct faulty *d = disk->private;

	*out = d->counts;
}

int faulty_create(const char *name, dev_t_k dev, struct block_device *lower, const struct fault_plan *plan, struct disk **out)
{
	struct faulty *d = kzalloc(sizeof(*d), GFP_KERNEL);
	int err = -ENOMEM;

	if (!d)
		return -ENOMEM;
	d->lower = lower;
	list_init(&d->todo);
	wait_queue_init(&d->wake);
	completion_init(&d->stopped);
	d->disk = disk_create(name, dev, 16, &faulty_ops, d);
	if (!d->disk) {
		kfree(d);
		return -ENOMEM;
	}
	d->disk->depth = lower->disk->depth + 1;
	d->disk->limits = lower->disk->limits;
	d->disk->limits.max_sectors = min(lower->disk->limits.max_sectors, 1024u);
	d->disk->limits.max_segments = 64;
	d->disk->limits.max_segment_size = 65536;
	d->disk->limits.write_cache = true;
	if (d->disk->depth >= DISK_DEPTH_MAX) {
		err = -ELOOP;
		goto err_disk;
	}
	d->disk->queue = queue_create(d->disk, &faulty_queue_ops, 1, DEPTH, sizeof(struct faulty_request));
	if (!d->disk->queue)
		goto err_disk;
	d->disk->queue->hw[0].driver = d;
	for (u32 i = 0; i <= DEPTH; i++) {
		struct faulty_request *fr = request_driver(d->disk->queue->hw[0].requests[i]);

		timer_init(&fr->timer, answer_late);
	}
	faulty_set_plan(d->disk, plan);
	if (!kthread_create(faulty_thread, d, name))
		goto err_disk;
	err = disk_register(d->disk, lower->nr_sectors);
	if (err) {
		faulty_destroy(d->disk);
		return err;
	}
	*out = d->disk;
	return 0;
err_disk:
	disk_put(d->disk);
	return err;
}

void faulty_destroy(struct disk *disk)
{
	struct faulty *d = disk->private;
	struct hw_queue *hw = &disk->queue->hw[0];

	disk_unregister(disk);
	spin_lock_irq(&hw->lock);
	d->stop = true;
	spin_unlock_irq(&hw->lock);
	wake_up_all(&d->wake);
	wait_for_completion(&d->stopped);
	for (u32 i = 0; i <= DEPTH; i++) {
		struct faulty_request *fr = request_driver(hw->requests[i]);

		if (atomic_xchg(&fr->parked, 0u))
			timer_cancel_sync(&fr->timer);
	}
	queue_kill(disk->queue);
	disk_put(disk);
}

/* --- by hand --- */

static DEFINE_MUTEX(hand_mutex, LC_LOOPS);
static struct disk *by_hand;			/* [hand_mutex] /dev/faulty0 */
static struct block_device *by_hand_lower;	/* [hand_mutex] */

static bool plan_word(struct fault_plan *p, const char *name, u64 v)
{
	const struct { const char *name; u32 *where; } words[] = {
		{ "fail", &p->fail }, { "tear", &p->tear }, { "delay", &p->delay }, { "delay_ms", &p->delay_ms }, { "reorder", &p->reorder },
		{ "drop", &p->drop }, { "read", &p->read }, { "write", &p->write }, { "flush", &p->flush }, { "bad", &p->bad },
	};

	if (!strcmp(name, "seed") || !strcmp(name, "cut")) {
		*(name[0] == 's' ? &p->seed : &p->cut) = v;
		return true;
	}
	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(name, words[i].name) || v > 60000)
			continue;
		*words[i].where = (u32)v;
		return true;
	}
	return false;
}

static int parse_plan(char *line, struct fault_plan *p)
{
	char *word;

	while ((word = strsep(&line, " \n"))) {
		char *eq = strchr(word, '=');
		u64 v;

		if (!*word)
			continue;
		if (!eq)
			return -EINVAL;
		*eq = 0;
		if (kstrtou64(eq + 1, 0, &v) || !plan_word(p, word, v))
			return -EINVAL;
	}
	return 0;
}

static int hand_off(void)
{
	if (!by_hand)
		return 0;
	if (READ_ONCE(by_hand->openers))
		return -EBUSY;
	faulty_destroy(by_hand);
	block_close(by_hand_lower, &by_hand);
	by_hand = NULL;
	return 0;
}

static int hand_on(const char *device, const struct fault_plan *plan)
{
	int err;

	if (by_hand && !strcmp(by_hand_lower->name, device)) {
		faulty_set_plan(by_hand, plan);
		return 0;
	}
	err = hand_off();
	if (!err) {
		char path[48];

		snprintf(path, sizeof(path), "/dev/%s", device);
		err = block_open_path(path, true, &by_hand, &by_hand_lower);
	}
	if (err)
		return err;
	err = faulty_create("faulty0", MKDEV_K(FAULTY_MAJOR, 0), by_hand_lower, plan, &by_hand);
	if (err)
		block_close(by_hand_lower, &by_hand);
	return err;
}

static int faulty_write(const char *buf, size_t len, void *arg)
{
	struct fault_plan plan = { 0 };
	char line[160], *rest = line, *device;
	int err;

	(void)arg;
	if (len >= sizeof(line))
		return -EINVAL;
	memcpy(line, buf, len);
	line[len] = 0;
	device = strsep(&rest, " \n");
	err = rest ? parse_plan(rest, &plan) : 0;
	if (err)
		return err;
	mutex_lock(&hand_mutex);
	err = strcmp(device, "off") ? hand_on(device, &plan) : hand_off();
	mutex_unlock(&hand_mutex);
	return err;
}

static int faulty_show(struct seq *s, void *arg)
{
	struct fault_counts c;

	(void)arg;
	mutex_lock(&hand_mutex);
	if (by_hand) {
		faulty_counts(by_hand, &c);
		seq_printf(s, "%s on %s: requests %lu writes %lu failed %lu torn %lu delayed %lu reordered %lu dropped %lu lost %lu timed_out %lu\n",
			   by_hand->name, by_hand_lower->name, c.requests, c.writes, c.failed, c.torn, c.delayed, c.reordered, c.dropped, c.lost,
			   c.timed_out);
	}
	mutex_unlock(&hand_mutex);
	return 0;
}
PROC_FILE(faulty, .path = "driver/faulty", .mode = 0600, .show = faulty_show, .write = faulty_write);
