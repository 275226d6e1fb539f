/* Requests from bios: random bios in memory that is partly contiguous, random limits; every byte must be in exactly one request, in order. */
#include <asm/errno.h>
#include <drivers/block/request.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>
#include <tests/unit/unit.h>

#define FRAMES 256
#define MAX_BIOS 24

static struct page frames[FRAMES];
static struct disk disk;
static struct block_device whole = { .disk = &disk };
static struct { struct block_queue q; struct hw_queue hw; } queue;
static u32 nr_ended;
static s32 last_status;

void bio_end(struct bio *bio, int status)
{
	bio->status = status;
	last_status = status;
	nr_ended++;
	bio->private = NULL;
}

static void world_init(void)
{
	page_array = (u64)frames;
	page_base_pfn = 0;
	page_end_pfn = FRAMES;
	queue.hw.queue = &queue.q;
	queue.q.disk = &disk;
	nr_ended = 0;
}

static void random_limits(void)
{
	disk.limits = (struct disk_limits){
		.logical_size = 512u << unit_below(2) * 3,
		.max_sectors = 8 * (1 + (u32)unit_below(64)), .max_segments = 8 + (u32)unit_below(40),
		.max_segment_size = 4096u << unit_below(3), .max_discard_sectors = 8 * (1 + (u32)unit_below(1000)),
	};
}

/* At sector, of up to nr vecs; pieces are multiples of 512, their sum one of the logical block. */
static struct bio *random_bio(u64 sector, u32 nr, u8 op)
{
	struct bio *bio = host_alloc(sizeof(*bio) + (nr + 8) * sizeof(struct bio_vec));
	u64 frame = unit_below(FRAMES);

	*bio = (struct bio){ .bdev = &whole, .sector = sector, .op = op, .max_vecs = (u16)(nr + 8), .private = bio, .parts = 1 };
	for (u32 i = 0; i < nr || bio->len % disk.limits.logical_size; i++) {
		u32 len = disk.limits.logical_size == 512 && unit_below(3) == 0 ? 512 * (1 + (u32)unit_below(8)) : 4096;

		frame = unit_below(3) ? (frame + 1) % FRAMES : unit_below(FRAMES);
		bio->vecs[bio->nr_vecs++] = (struct bio_vec){ &frames[frame], 0, len };
		bio->len += len;
	}
	return bio;
}

/* The physical address of a byte of a bio. */
static paddr_t bio_byte(const struct bio *bio, u64 off)
{
	u32 i = 0;

	while (off >= bio->vecs[i].len)
		off -= bio->vecs[i++].len;
	return page_to_phys(bio->vecs[i].page) + bio->vecs[i].off + off;
}

/* rq's memory is that of the bytes from `off` of bio on and then of the bios that follow in list. */
static bool memory_is(const struct request *rq, struct bio **bios, u64 off)
{
	struct request_iter it;
	u32 len, segments = 0;
	u64 seen = 0;
	paddr_t addr;

	for (request_segments(rq, &it); request_segment(&it, &addr, &len); segments++) {
		if (!len || len > disk.limits.max_segment_size)
			return false;
		for (u32 i = 0; i < len; i += 512, seen += 512) {
			while (off >= (*bios)->len) {
				off -= (*bios)->len;
				bios++;
			}
			if (bio_byte(*bios, off) != addr + i)
				return false;
			off += 512;
		}
	}
	return seen == rq->len && segments <= rq->nr_segments && rq->nr_segments <= disk.limits.max_segments;
}

TEST(a_long_bio_is_cut_by_the_limits)
{
	world_init();
	for (u32 round = 0; round < 3000; round++) {
		struct request rqs[512] = { 0 };
		struct bio *bio;
		u32 n = 0, ended = nr_ended;
		u64 off = 0;

		random_limits();
		bio = random_bio(8 * unit_below(1000), 1 + (u32)unit_below(60), BIO_WRITE);
		while (off < bio->len) {
			struct request *rq = &rqs[n++];

			EXPECT(n < ARRAY_SIZE(rqs));
			rq->hw = &queue.hw;
			EXPECT(request_begin(rq, bio, off, &disk.limits) > 0);
			EXPECT(rq->len % disk.limits.logical_size == 0 && rq->len >> 9 <= disk.limits.max_sectors);
			EXPECT_EQ(rq->sector, bio->sector + (off >> 9));
			EXPECT(memory_is(rq, &bio, off));
			off += rq->len;
			EXPECT_EQ(rq->cut, off < bio->len);
		}
		EXPECT_EQ(off, bio->len);
		bio_part_done(bio, 0);
		while (n) {
			EXPECT_EQ(nr_ended, ended);
			n--;
			request_finish(&rqs[n], n == 1 ? -EIO : 0);
		}
		EXPECT_EQ(nr_ended, ended + 1);
		host_free(bio);
	}
}

/* Bios of a row of sectors come in random order to one request: what it takes it holds in the order of sectors. */
TEST(neighbours_become_one_request)
{
	u64 taken = 0;

	world_init();
	for (u32 round = 0; round < 3000; round++) {
		struct bio *bios[MAX_BIOS];
		struct request rq = { .hw = &queue.hw };
		u32 first, last, n = 2 + (u32)unit_below(MAX_BIOS - 2), in = 1, ended = nr_ended;
		u64 sector = 80;

		random_limits();
		disk.limits.max_sectors = 4096;
		disk.limits.max_segments = 200;
		for (u32 i = 0; i < n; i++) {
			bios[i] = random_bio(sector, 1 + (u32)unit_below(4), BIO_READ);
			sector += bios[i]->len >> 9;
		}
		first = last = (u32)unit_below(n);
		EXPECT_EQ(request_begin(&rq, bios[first], 0, &disk.limits), bios[first]->len);
		for (u32 tries = 0; tries < 100; tries++) {
			u32 i = (u32)unit_below(n);
			u64 len = rq.len;

			if (i >= first && i <= last)
				continue;		/* it is in already */
			if (request_append(&rq, bios[i], &disk.limits)) {
				EXPECT_EQ(i, last + 1);
				last++, in++;
			} else if (request_prepend(&rq, bios[i], &disk.limits)) {
				EXPECT_EQ(i + 1, first);
				first--, in++;
			} else {
				EXPECT_EQ(rq.len, len);
				EXPECT(i != last + 1 || rq.nr_segments + bios[i]->nr_vecs > disk.limits.max_segments);
			}
		}
		taken += in;
		EXPECT_EQ(rq.sector, bios[first]->sector);
		EXPECT(memory_is(&rq, bios + first, 0));
		request_finish(&rq, 0);
		EXPECT_EQ(nr_ended, ended);
		for (u32 i = 0; i < n; i++) {
			bio_part_done(bios[i], 0);
			host_free(bios[i]);
		}
		EXPECT_EQ(nr_ended, ended + n);
	}
	EXPECT(taken > 3000 * 4);
}

TEST(what_must_not_join)
{
	struct request rq = { .hw = &queue.hw };
	struct block_device other = { .disk = &disk };
	struct bio *a, *b;

	world_init();
	random_limits();
	disk.limits.max_sectors = 16;
	disk.limits.max_segments = 100;
	a = random_bio(100, 1, BIO_WRITE);
	a->vecs[0].len = 4096, a->len = 4096, a->nr_vecs = 1;
	b = random_bio(108, 1, BIO_WRITE);
	b->vecs[0].len = 4096, b->len = 4096, b->nr_vecs = 1;
	EXPECT_EQ(request_begin(&rq, a, 0, &disk.limits), 4096);
	b->op = BIO_READ;
	EXPECT(!request_append(&rq, b, &disk.limits));
	b->op = BIO_WRITE;
	b->flags = BIO_FUA;
	EXPECT(!request_append(&rq, b, &disk.limits));
	b->flags = 0;
	b->bdev = &other;
	EXPECT(!request_append(&rq, b, &disk.limits));
	b->bdev = &whole;
	rq.cut = true;
	EXPECT(!request_append(&rq, b, &disk.limits));
	rq.cut = false;
	disk.limits.max_sectors = 15;
	EXPECT(!request_append(&rq, b, &disk.limits));
	disk.limits.max_sectors = 16;
	rq.stage = STAGE_DATA_THEN_FLUSH;
	EXPECT(!request_append(&rq, b, &disk.limits));
	rq.stage = STAGE_DATA;
	EXPECT(request_append(&rq, b, &disk.limits));
	EXPECT_EQ(rq.len, 8192);
	host_free(a);
	host_free(b);
}

TEST(the_first_error_stays)
{
	struct request r1 = { .hw = &queue.hw }, r2 = { .hw = &queue.hw };
	struct bio *bio;

	world_init();
	random_limits();
	disk.limits.max_sectors = 8;
	disk.limits.logical_size = 512;
	bio = random_bio(0, 1, BIO_WRITE);
	bio->nr_vecs = 2;
	bio->vecs[0].len = bio->vecs[1].len = 4096;
	bio->vecs[1].page = &frames[9];
	bio->len = 8192;
	request_begin(&r1, bio, 0, &disk.limits);
	request_begin(&r2, bio, 4096, &disk.limits);
	bio_part_done(bio, 0);
	request_finish(&r2, -ETIMEDOUT);
	request_finish(&r1, -EIO);
	EXPECT_EQ(last_status, -ETIMEDOUT);
	host_free(bio);
}

TEST(a_discard_has_no_memory)
{
	struct request rq = { .hw = &queue.hw };
	struct bio bio = { .bdev = &whole, .op = BIO_DISCARD, .len = 1ul << 30, .parts = 1 };
	struct request_iter it;
	paddr_t addr;
	u32 len;

	world_init();
	random_limits();
	EXPECT_EQ(request_begin(&rq, &bio, 0, &disk.limits), (u64)disk.limits.max_discard_sectors << 9);
	request_segments(&rq, &it);
	EXPECT(!request_segment(&it, &addr, &len));
	EXPECT_EQ(rq.nr_segments, 0);
}
