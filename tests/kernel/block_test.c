/* The block layer on RAM disks and on the disk that misbehaves: what reaches the disk, what comes back, what is told. */
#include <drivers/block/faulty.h>
#include <drivers/block/ram.h>
#include <drivers/block/request.h>
#include <kernel/errno.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <mm/slab.h>
#include <tests/kernel/runner.h>

#define RAM_DEV		MKDEV_K(241, 0)
#define FAULTY_DEV	MKDEV_K(241, 16)
#define SECTORS		8192u
#define WRITERS		4u

/* A RAM disk with the misbehaving one on top, both open. */
static struct { struct disk *ram, *faulty; struct block_device *lower, *bdev; } rig;

static bool rig_up(const struct fault_plan *plan)
{
	static const struct fault_plan none;

	memset(&rig, 0, sizeof(rig));
	rig.ram = ram_disk_create("ktram", RAM_DEV, SECTORS);
	if (!rig.ram || disk_register(rig.ram, SECTORS) || block_open(RAM_DEV, true, NULL, &rig.lower) ||
	    faulty_create("ktfaulty", FAULTY_DEV, rig.lower, &none, &rig.faulty) || block_open(FAULTY_DEV, true, NULL, &rig.bdev))
		return false;
	faulty_set_plan(rig.faulty, plan);	/* not before the partition table was looked for */
	return true;
}

static void rig_down(void)
{
	if (rig.bdev)
		block_close(rig.bdev, NULL);
	if (rig.faulty)
		faulty_destroy(rig.faulty);
	if (rig.lower)
		block_close(rig.lower, NULL);
	disk_unregister(rig.ram);
	disk_put(rig.ram);
}

static void fill(struct page *p, u64 value)
{
	u64 *words = page_address(p);

	for (u32 i = 0; i < PAGE_SIZE / 8; i++)
		words[i] = value + i / 64;		/* another in each sector */
}

static int page_io(struct block_device *b, u8 op, u8 flags, u64 sector, struct page *p)
{
	struct bio *bio = bio_alloc(b, op, flags, sector, 1, GFP_KERNEL);
	int err;

	bio_add(bio, p, 0, PAGE_SIZE);
	err = bio_submit_wait(bio);
	bio_free(bio);
	return err;
}

static u64 sector_value(const struct page *p, u32 sector) { return ((const u64 *)page_address(p))[sector * 64] - sector; }

KTEST(block, what_was_written_is_read)
{
	struct page *p = page_alloc(0, GFP_KERNEL);
	bool up = rig_up(&(struct fault_plan){ 0 });
	int err = up && p ? page_io(rig.bdev, BIO_WRITE, 0, 80, p) : -ENOMEM;
	u64 first = 1, behind = 1;

	if (!err) {
		fill(p, 77);
		err = page_io(rig.bdev, BIO_WRITE, BIO_FUA, 80, p);
	}
	if (!err && !(err = page_io(rig.lower, BIO_READ, 0, 80, p)))
		first = sector_value(p, 0);
	if (!err && !(err = block_zero(rig.bdev, 80, 8)) && !(err = page_io(rig.bdev, BIO_READ, 0, 80, p)))
		behind = *(u64 *)page_address(p);
	rig_down();
	page_free(p, 0);
	EXPECT_EQ(err, 0);
	EXPECT_EQ(first, 77);
	EXPECT_EQ(behind, 0);
}

KTEST(block, out_of_range_misaligned_and_read_only)
{
	struct page *p = page_alloc(0, GFP_KERNEL);
	bool up = rig_up(&(struct fault_plan){ 0 });
	int beyond = 0, far = 0, ro = 0, last = 1;

	if (up && p) {
		beyond = page_io(rig.bdev, BIO_READ, 0, SECTORS - 7, p);
		far = page_io(rig.bdev, BIO_READ, 0, ~0ull - 3, p);
		last = page_io(rig.bdev, BIO_READ, 0, SECTORS - 8, p);
		rig.faulty->read_only = true;
		ro = page_io(rig.bdev, BIO_WRITE, 0, 0, p);
	}
	rig_down();
	page_free(p, 0);
	EXPECT_EQ(beyond, -EIO);
	EXPECT_EQ(far, -EIO);
	EXPECT_EQ(last, 0);
	EXPECT_EQ(ro, -EPERM);
}

KTEST(block, errors_and_torn_writes_are_told)
{
	struct page *p = page_alloc(0, GFP_KERNEL);
	bool up = rig_up(&(struct fault_plan){ .tear = 10000 });
	int torn = 0, failed = 0;
	u64 head = 0, tail = 0;

	if (up && p) {
		fill(p, 5);
		torn = page_io(rig.bdev, BIO_WRITE, 0, 8, p);
		page_io(rig.lower, BIO_READ, 0, 8, p);
		head = sector_value(p, 3);
		tail = ((u64 *)page_address(p))[4 * 64];
		faulty_set_plan(rig.faulty, &(struct fault_plan){ .fail = 10000 });
		failed = page_io(rig.bdev, BIO_READ, 0, 8, p);
	}
	rig_down();
	page_free(p, 0);
	EXPECT_EQ(torn, -EIO);
	EXPECT_EQ(head, 5);
	EXPECT_EQ(tail, 0);
	EXPECT_EQ(failed, -EIO);
}

KTEST(block, a_request_never_answered_times_out)
{
	struct page *p = page_alloc(0, GFP_KERNEL);
	bool up = rig_up(&(struct fault_plan){ .drop = 10000 });
	struct fault_counts c = { 0 };
	int err = 0, after = 1, flush = 0;

	if (up && p) {
		queue_set_timeout(rig.faulty->queue, 50 * NSEC_PER_MSEC);
		err = page_io(rig.bdev, BIO_READ, 0, 0, p);
		flush = block_flush(rig.bdev);
		faulty_counts(rig.faulty, &c);
		faulty_set_plan(rig.faulty, &(struct fault_plan){ 0 });
		after = page_io(rig.bdev, BIO_READ, 0, 0, p);
	}
	rig_down();
	page_free(p, 0);
	EXPECT_EQ(err, -ETIMEDOUT);
	EXPECT_EQ(flush, -ETIMEDOUT);
	EXPECT_EQ(c.timed_out, 2);
	EXPECT_EQ(after, 0);
}

KTEST(block, a_late_answer_does_no_harm)
{
	struct page *p = page_alloc(0, GFP_KERNEL);
	bool up = rig_up(&(struct fault_plan){ .delay = 10000, .delay_ms = 120 });
	int late = 0, in_time = 1;

	if (up && p) {
		queue_set_timeout(rig.faulty->queue, 40 * NSEC_PER_MSEC);
		late = page_io(rig.bdev, BIO_READ, 0, 0, p);
		faulty_set_plan(rig.faulty, &(struct fault_plan){ .delay = 10000, .delay_ms = 5 });
		in_time = page_io(rig.bdev, BIO_READ, 0, 0, p);
		sleep_ns(150 * NSEC_PER_MSEC);
	}
	rig_down();
	page_free(p, 0);
	EXPECT_EQ(late, -ETIMEDOUT);
	EXPECT_EQ(in_time, 0);
}

KTEST(block, after_the_power_cut_nothing_reaches_the_disk)
{
	struct page *p = page_alloc(0, GFP_KERNEL);
	bool up = rig_up(&(struct fault_plan){ .cut = 3 });
	int errs[4] = { 1, 1, 1, 1 }, flush = 0, before = 1;
	u64 found[4] = { 0 };

	if (up && p) {
		for (u64 i = 0; i < 2; i++) {
			fill(p, 100 + i);
			errs[i] = page_io(rig.bdev, BIO_WRITE, 0, i * 8, p);
		}
		before = block_flush(rig.bdev);
		for (u64 i = 2; i < 4; i++) {
			fill(p, 100 + i);
			errs[i] = page_io(rig.bdev, BIO_WRITE, 0, i * 8, p);
		}
		flush = block_flush(rig.bdev);
		for (u64 i = 0; i < 4; i++) {
			page_io(rig.lower, BIO_READ, 0, i * 8, p);
			found[i] = *(u64 *)page_address(p);
		}
	}
	rig_down();
	page_free(p, 0);
	EXPECT(errs[0] == 0 && errs[1] == 0 && errs[2] == 0 && errs[3] == 0);
	EXPECT(before == 0 && flush == -EIO);
	EXPECT(found[0] == 100 && found[1] == 101 && found[2] == 0 && found[3] == 0);
}

/* A plug makes one request of neighbours. */
static u32 plug_ended;
static void plug_end(struct bio *bio)
{
	atomic_inc(&plug_ended);
	complete(bio->private);
}

KTEST(block, plugged_neighbours_are_one_request)
{
	struct page *p = page_alloc(0, GFP_KERNEL);
	bool up = rig_up(&(struct fault_plan){ 0 });
	struct completion done[8];
	struct fault_counts c = { 0 };
	struct bio *bios[8] = { 0 };
	struct block_plug plug;

	plug_ended = 0;
	if (up && p) {
		faulty_set_plan(rig.faulty, &(struct fault_plan){ 0 });
		block_plug(&plug);
		for (u32 i = 0; i < 8; i++) {
			completion_init(&done[i]);
			bios[i] = bio_alloc(rig.bdev, BIO_READ, 0, (i ^ 1) * 8, 1, GFP_KERNEL);
			bio_add(bios[i], p, 0, PAGE_SIZE);
			bios[i]->end = plug_end;
			bios[i]->private = &done[i];
			bio_submit(bios[i]);
		}
		wait_for_completion(&done[0]);		/* sleeping lets go */
		block_unplug(&plug);
		for (u32 i = 1; i < 8; i++)
			wait_for_completion(&done[i]);
		faulty_counts(rig.faulty, &c);
		for (u32 i = 0; i < 8; i++)
			bio_free(bios[i]);
	}
	rig_down();
	page_free(p, 0);
	EXPECT_EQ(plug_ended, 8);
	EXPECT(c.requests <= 4);	/* 1, 0, 3, 2, ...: pairs join at once, pairs of pairs may not */
}

/* Writers on all CPUs, each with places of his own, while requests are delayed and reordered. */
static u32 writer_wrong;
static void writer(void *arg)
{
	u64 me = (u64)arg;
	struct page *p = page_alloc(0, GFP_KERNEL);

	for (u64 i = 0; p && i < 60; i++) {
		u64 sector = (me * 200 + i % 20) * 8, value = me << 32 | i;

		fill(p, value);
		if (page_io(rig.bdev, BIO_WRITE, i % 7 == 0 ? BIO_FUA : i % 11 == 0 ? BIO_PREFLUSH : 0, sector, p))
			atomic_inc(&writer_wrong);
		memset(page_address(p), 0, PAGE_SIZE);
		if (page_io(rig.bdev, BIO_READ, 0, sector, p) || sector_value(p, 7) != value || sector_value(p, 0) != value)
			atomic_inc(&writer_wrong);
	}
	if (p)
		page_free(p, 0);
	else
		atomic_inc(&writer_wrong);
}

KTEST(block, many_writers_through_delays_and_reordering)
{
	bool up = rig_up(&(struct fault_plan){ .seed = 4, .delay = 1500, .delay_ms = 2, .reorder = 3000 });
	struct runner r[WRITERS];
	struct fault_counts c = { 0 };
	u32 n = 0;

	writer_wrong = 0;
	while (up && n < WRITERS && runner_create(&r[n], writer, (void *)(u64)n)) {
		sched_set_affinity(r[n].task, atomic_load(&cpu_online_mask));
		runner_go(&r[n]);
		n++;
	}
	for (u32 i = 0; i < n; i++)
		runner_join(&r[i]);
	if (up)
		faulty_counts(rig.faulty, &c);
	rig_down();
	EXPECT(up && n == WRITERS);
	EXPECT_EQ(writer_wrong, 0);
	EXPECT(c.delayed > 0 && c.reordered > 0);
}

/* The device goes while a request is with it: that one fails, what comes later finds no device. */
static int removed_status;
static void removed_reader(void *arg)
{
	removed_status = page_io(rig.bdev, BIO_READ, 0, 0, arg);
}

KTEST(block, removal_ends_what_is_in_flight)
{
	struct page *p = page_alloc(0, GFP_KERNEL);
	bool up = rig_up(&(struct fault_plan){ .drop = 10000 });
	struct fault_counts c = { 0 };
	struct runner r;
	int later = 0;

	removed_status = 1;
	if (up && p && runner_start(&r, removed_reader, p)) {
		while (!c.dropped) {
			sleep_ns(NSEC_PER_MSEC);
			faulty_counts(rig.faulty, &c);
		}
		faulty_destroy(rig.faulty);
		rig.faulty = NULL;
		runner_join(&r);
		later = page_io(rig.bdev, BIO_READ, 0, 0, p);
	}
	rig_down();
	page_free(p, 0);
	EXPECT_EQ(removed_status, -EIO);
	EXPECT_EQ(later, -ENODEV);
}

KTEST(block, holders_exclude_each_other)
{
	struct disk *ram = ram_disk_create("ktram", RAM_DEV, SECTORS);
	struct block_device *a = NULL, *b = NULL, *c = NULL;
	int err = ram ? disk_register(ram, SECTORS) : -ENOMEM, second = 0, plain = 1, again = 1;

	if (!err && !(err = block_open(RAM_DEV, true, &a, &a))) {
		second = block_open(RAM_DEV, true, &b, &b);
		plain = block_open(RAM_DEV, true, NULL, &b);
		again = block_open(RAM_DEV, true, &a, &c);
		block_close(b, NULL);
		block_close(c, &a);
		block_close(a, &a);
	}
	if (ram) {
		disk_unregister(ram);
		disk_put(ram);
	}
	EXPECT_EQ(err, 0);
	EXPECT_EQ(second, -EBUSY);
	EXPECT(plain == 0 && again == 0);
}
