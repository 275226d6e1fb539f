/* Bios: getting them, handing them over, ending them.
 *
 * Theory.  A bio is a piece of memory of kmalloc's, header and vecs in one.  Writing dirty pages back is how memory is won, so it must
 * not need memory: behind kmalloc stands a reserve of a few bios, and who finds it empty waits until one of them comes back, which it
 * does, because its holder has submitted it and the device ends it without allocating.  That argument needs a reserve for each depth: a
 * device that stands on another (loop, faulty) holds bios of its own depth while it asks for those of the depth below, never the other
 * way round.  A bio of the reserve has room for RESERVE_VECS pages, which may be less than asked for.
 *
 * bio_submit checks what any device would have to check: range, alignment, permission. */
#include <drivers/block/disk.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/wait.h>
#include <mm/slab.h>

#define RESERVE_BIOS	4u
#define RESERVE_VECS	16u

static struct bio_reserve {
	struct spinlock lock;		/* LC_BIO_RESERVE */
	struct bio *free;		/* [lock] by next */
	struct wait_queue wait;
	bool ready;			/* [lock, read racily] */
} reserves[DISK_DEPTH_MAX];

static int reserves_init(void)
{
	for (u32 i = 0; i < DISK_DEPTH_MAX; i++) {
		spin_lock_init(&reserves[i].lock, LC_BIO_RESERVE);
		wait_queue_init(&reserves[i].wait);
	}
	return 0;
}
BOOT_INIT(core, reserves_init);

static size_t bio_bytes(u32 nr_vecs) { return sizeof(struct bio) + nr_vecs * sizeof(struct bio_vec); }

int bio_reserve_ready(u32 depth)
{
	struct bio_reserve *r = &reserves[depth];
	struct bio *made = NULL;
	int err = 0;

	for (u32 i = 0; !atomic_load_acquire(&r->ready) && i < RESERVE_BIOS && !err; i++) {
		struct bio *bio = kmalloc(bio_bytes(RESERVE_VECS), GFP_KERNEL);

		if (bio) {
			bio->next = made;
			made = bio;
		} else {
			err = -ENOMEM;
		}
	}
	spin_lock_irq(&r->lock);
	if (!err && made && !r->ready) {
		r->free = made;
		made = NULL;
		atomic_store_release(&r->ready, true);
	}
	spin_unlock_irq(&r->lock);
	while (made) {			/* too few, or another's are there */
		struct bio *bio = made;

		made = bio->next;
		kfree(bio);
	}
	return err;
}

static struct bio *reserve_take(struct bio_reserve *r)
{
	irqflags_t flags = spin_lock_irqsave(&r->lock);
	struct bio *bio = r->free;

	if (bio)
		r->free = bio->next;
	spin_unlock_irqrestore(&r->lock, flags);
	return bio;
}

struct bio *bio_alloc(struct block_device *bdev, u8 op, u8 flags, u64 sector, u32 nr_vecs, gfp_t gfp)
{
	struct bio *bio = kmalloc(bio_bytes(nr_vecs), gfp & (GFP_ATOMIC | GFP_NOIO));
	u32 depth = bdev->disk->depth, from = 0;

	ASSERT(nr_vecs <= BIO_MAX_VECS);
	if (unlikely(!bio)) {
		struct bio_reserve *r = &reserves[depth];

		if (gfp & GFP_ATOMIC)
			bio = reserve_take(r);
		else
			wait_event(&r->wait, (bio = reserve_take(r)));
		if (!bio)
			return NULL;
		from = depth + 1;
		nr_vecs = min(nr_vecs, RESERVE_VECS);
	}
	*bio = (struct bio){ .bdev = bdev, .sector = sector, .op = op, .flags = flags, .max_vecs = (u16)nr_vecs, .reserve = (u16)from };
	return bio;
}

void bio_free(struct bio *bio)
{
	struct bio_reserve *r;
	irqflags_t flags;

	if (likely(!bio->reserve)) {
		kfree(bio);
		return;
	}
	r = &reserves[bio->reserve - 1];
	flags = spin_lock_irqsave(&r->lock);
	bio->next = r->free;
	r->free = bio;
	spin_unlock_irqrestore(&r->lock, flags);
	wake_up(&r->wait);
}

bool bio_add(struct bio *bio, struct page *page, u32 off, u32 len)
{
	if (bio->nr_vecs == bio->max_vecs)
		return false;
	bio->vecs[bio->nr_vecs++] = (struct bio_vec){ page, off, len };
	bio->len += len;
	return true;
}

void bio_end(struct bio *bio, int status)
{
	bio->status = status;
	bio->end(bio);
}

/* Why the device must not see it: an errno, or 0. */
static int bio_refused(const struct bio *bio)
{
	const struct block_device *bdev = bio->bdev;
	const struct disk *disk = bdev->disk;
	u64 nr = READ_ONCE(bdev->nr_sectors), len = bio->len >> SECTOR_SHIFT;

	if (unlikely(atomic_load(&disk->dead)))
		return -ENODEV;
	if (bio->op == BIO_FLUSH)
		return 0;
	if (unlikely((bio->len | bio->sector << SECTOR_SHIFT) & (disk->limits.logical_size - 1) || bio->sector > nr || len > nr - bio->sector))
		return -EIO;
	if (unlikely(atomic_load(&disk->read_only) && bio_op_writes(bio->op)))
		return -EPERM;
	return 0;
}

void bio_submit(struct bio *bio)
{
	struct disk *disk = bio->bdev->disk;
	int err = bio_refused(bio);

	might_sleep();
	if (unlikely(err)) {
		bio_end(bio, err);
	} else {
		if (bio->op == BIO_READ)
			current->io.read_bytes += bio->len;
		disk->ops->submit(disk, bio);
	}
}

static void set_end(struct bio *bio, void (*end)(struct bio *bio), void *private)
{
	bio->end = end;
	bio->private = private;
}

static void end_wait(struct bio *bio) { complete(bio->private); }

int bio_submit_wait(struct bio *bio)
{
	struct completion done;

	completion_init(&done);
	set_end(bio, end_wait, &done);
	bio->flags |= BIO_SYNC;
	bio_submit(bio);
	sched_io_begin();
	wait_for_completion(&done);
	sched_io_end();
	return bio->status;
}

/* One bio without data, from first to last sector or a flush. */
static int submit_empty(struct block_device *bdev, u8 op, u64 first, u64 nr)
{
	struct bio *bio = bio_alloc(bdev, op, 0, first, 0, GFP_NOIO);
	int err;

	bio->len = nr << SECTOR_SHIFT;
	err = bio_submit_wait(bio);
	bio_free(bio);
	return err;
}

int block_flush(struct block_device *bdev)
{
	return bdev->disk->limits.write_cache ? submit_empty(bdev, BIO_FLUSH, 0, 0) : 0;
}

bool block_can_discard(const struct block_device *bdev) { return bdev->disk->limits.max_discard_sectors; }

int block_discard(struct block_device *bdev, u64 first, u64 nr)
{
	return bdev->disk->limits.max_discard_sectors ? submit_empty(bdev, BIO_DISCARD, first, nr) : -EOPNOTSUPP;
}

static struct page *zero_page;		/* [a] made by the first who needs it, for good */

static struct page *zero_page_get(void)
{
	struct page *p = atomic_load_acquire(&zero_page), *none = NULL;

	if (p)
		return p;
	p = page_alloc(0, GFP_NOIO | GFP_ZERO);
	if (p && !__atomic_compare_exchange_n(&zero_page, &none, p, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		page_free(p, 0);
		p = none;
	}
	return p;
}

int block_zero(struct block_device *bdev, u64 first, u64 nr)
{
	struct page *zero;
	int err = bdev->disk->limits.max_zeroes_sectors ? submit_empty(bdev, BIO_WRITE_ZEROES, first, nr) : -EOPNOTSUPP;

	if (err != -EOPNOTSUPP)
		return err;
	zero = zero_page_get();
	err = zero ? 0 : -ENOMEM;
	while (!err && nr) {
		struct bio *bio = bio_alloc(bdev, BIO_WRITE, 0, first, (u32)min(DIV_ROUND_UP(nr, PAGE_SIZE / SECTOR_SIZE), (u64)BIO_MAX_VECS), GFP_NOIO);
		u64 n = 0;

		while (n < nr && bio_add(bio, zero, 0, (u32)min(nr - n, PAGE_SIZE / SECTOR_SIZE) << SECTOR_SHIFT))
			n += min(nr - n, PAGE_SIZE / SECTOR_SIZE);
		err = bio_submit_wait(bio);
		bio_free(bio);
		first += n;
		nr -= n;
	}
	return err;
}

u32 block_logical_size(const struct block_device *bdev) { return bdev->disk->limits.logical_size; }
bool block_read_only(const struct block_device *bdev) { return atomic_load(&bdev->disk->read_only); }
