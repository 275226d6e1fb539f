/* Buffers, and with them the page cache of block devices.
 *
 * Theory.  A page of a block device's cache covers eight sectors, and not all of them need be of one kind: with blocks of 1 KiB a page
 * may hold two blocks of metadata, which live here, and two of a file, whose truth is in the file's own cache and on the device.  So the
 * page says little; page->private says for each sector whether what is here is up to date, whether it is dirty, and whether writing it
 * failed; and how many bios for the page are in flight, so that the last one to end can tell.  PG_UPTODATE stands when all eight are up
 * to date (the generic read and write paths ask for nothing else), PG_DIRTY while any sector is dirty, and perhaps a little longer.
 *
 * Order.  Who changes a block sets its sectors' dirty bits and then marks the page dirty; who writes makes the page clean and then takes
 * the bits.  So a bit set is never lost: at worst a page is marked dirty that has no dirty sector, and writing it is nothing.
 * A block may be changed while it is being written: it is then dirty again, and the device may see either state of it, as file systems
 * without a journal expect.
 *
 * Locks.  The page lock guards filling (sectors becoming up to date by reading) and forgetting; who holds a reference on an up-to-date
 * block reads it without.  What blocks say is guarded by locks of the file system.  Bits change by atomic operations, at the end of a bio
 * from interrupts.  A locked page of the device is waited for while pages of files are locked, never the other way round.
 *
 * Errors.  A sector that could not be written is clean, marked as failed, and keeps its page in the cache (PG_ERROR), for what is on the disk is
 * older.  Who waits for it is told, and makes it dirty again (he looks under
 * the page lock: between two tries, nothing says that the first has failed);
 * so does buffers_sync, for all of the device: metadata is tried anew as long as somebody asks for it to be durable, and whoever is told that
 * it is, can believe it.
 *
 * References.  A buffer holds one on its page, and that keeps the page in the cache (reclaim takes only pages that nobody else
 * references), so buffer_dirty needs no lock.  The last opener of a device is gone before its cache is.
 *
 * Rejected: buffer heads.  A structure for each block costs memory and a lock, and tells nothing that eight bits do not. */
#include <fs/buffer.h>
#include <fs/inode.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/string.h>
#include <mm/filemap.h>
#include <mm/writeback.h>

#define SECTORS		(PAGE_SIZE >> SECTOR_SHIFT)
_Static_assert(SECTORS == 8, "a byte of page->private for each kind of bit");
/* page->private */
#define UPTODATE_SHIFT	0
#define DIRTY_SHIFT	8
#define FAILED_SHIFT	16
#define ALL		0xfful
#define READING		(1ul << 24)	/* one bio of reads in flight */
#define WRITING		(1ul << 40)
#define COUNT(v, unit)	((u32)((v) / (unit) & 0xffff))

static inline u64 sector_bits(u32 off, u32 len)
{
	return ((1ul << (len >> SECTOR_SHIFT)) - 1) << (off >> SECTOR_SHIFT);
}
static inline u64 state(const struct page *p) { return atomic_load_acquire(&p->private); }	/* after it, what the bits speak of */
static inline u64 uptodate(const struct page *p)
{
	return page_flags(p) & PG_UPTODATE ? ALL : state(p) >> UPTODATE_SHIFT & ALL;
}
static inline struct block_device *bdev_of(struct address_space *as) { return as->host->private; }

static void set_uptodate(struct page *p, u64 sectors)
{
	u64 old = atomic_fetch_or_acq_rel(&p->private, sectors << UPTODATE_SHIFT);

	if (((old >> UPTODATE_SHIFT | sectors) & ALL) == ALL)
		__atomic_fetch_or(&p->flags, PG_UPTODATE, __ATOMIC_RELEASE);	/* pairs with the look at the flag before reading the page */
}

/* A run of set bits: its first, and its length; 0: no more. */
static u32 next_run(u64 bits, u32 from, u32 *first)
{
	u64 rest = bits >> from << from;

	if (!rest)
		return 0;
	*first = ffs64(rest) - 1;
	return ffs64(~(rest >> *first)) - 1;
}

#define RUNS 64u
/* Gathering runs of sectors of consecutive pages into as few bios as can be. */
struct gather { struct bio *bio; u8 op, flags; void (*end)(struct bio *bio); };

static void gather_submit(struct gather *g)
{
	if (g->bio)
		bio_submit(g->bio);
	g->bio = NULL;
}

static void gather_add(struct gather *g, struct block_device *bdev, struct page *p, u32 first, u32 nr)
{
	u64 sector = p->index * SECTORS + first;

	if (g->bio && g->bio->bdev == bdev && g->bio->sector + (g->bio->len >> SECTOR_SHIFT) == sector &&
	    bio_add(g->bio, p, first << SECTOR_SHIFT, nr << SECTOR_SHIFT))
		return;
	gather_submit(g);
	g->bio = bio_alloc(bdev, g->op, g->flags, sector, RUNS, GFP_NOIO);
	g->bio->end = g->end;
	VERIFY(bio_add(g->bio, p, first << SECTOR_SHIFT, nr << SECTOR_SHIFT));
}

static void read_ended(struct page *p)
{
	u64 now = atomic_sub_return_acq_rel(&p->private, READING);

	if (!COUNT(now & (WRITING - 1), READING))
		page_unlock(p);
}

static void read_end(struct bio *bio)
{
	for (u32 i = 0; i < bio->nr_vecs; i++) {
		struct bio_vec *v = &bio->vecs[i];

		if (!bio->status)
			set_uptodate(v->page, sector_bits(v->off, v->len));
		read_ended(v->page);
	}
	bio_free(bio);
}

/* Start reading those sectors of a locked page that are wanted and not up to date; it is unlocked when they all have been read. */
static void read_sectors(struct address_space *as, struct page *p, u64 want, struct gather *g)
{
	u64 size = i_size_read(as->host) >> SECTOR_SHIFT, inside = size - min(size, p->index * SECTORS);
	u64 beyond = inside >= SECTORS ? 0 : ALL & ~((1ul << inside) - 1);
	u32 first, nr;

	if (unlikely(beyond & ~uptodate(p))) {		/* the device ends in this page */
		memset((char *)page_address(p) + (inside << SECTOR_SHIFT), 0, (SECTORS - inside) << SECTOR_SHIFT);
		set_uptodate(p, beyond);
	}
	want &= ~uptodate(p);
	__atomic_fetch_add(&p->private, READING, __ATOMIC_RELAXED);	/* ours: the page stays locked until all are under way */
	for (u32 from = 0; (nr = next_run(want, from, &first)); from = first + nr) {
		__atomic_fetch_add(&p->private, READING, __ATOMIC_RELAXED);
		gather_add(g, bdev_of(as), p, first, nr);
	}
	read_ended(p);
}

static int bdev_read_page(struct address_space *as, struct page *p)
{
	struct gather g = { NULL, BIO_READ, BIO_SYNC, read_end };

	read_sectors(as, p, ALL, &g);
	gather_submit(&g);
	return 0;
}

static void bdev_read_ahead(struct address_space *as, struct page **pages, u32 nr)
{
	struct gather g = { NULL, BIO_READ, BIO_RAHEAD, read_end };

	for (u32 i = 0; i < nr; i++)
		read_sectors(as, pages[i], ALL, &g);
	gather_submit(&g);
}

static void write_ended(struct page *p)
{
	u64 now = atomic_sub_return_acq_rel(&p->private, WRITING);

	if (!COUNT(now, WRITING))
		page_write_end(p, 0);
}

static void write_end(struct bio *bio)
{
	for (u32 i = 0; i < bio->nr_vecs; i++) {
		struct bio_vec *v = &bio->vecs[i];

		if (bio->status) {
			atomic_fetch_or(&v->page->private, sector_bits(v->off, v->len) << FAILED_SHIFT);
			atomic_fetch_or(&v->page->flags, (u32)PG_ERROR);
			mapping_set_error(v->page->mapping, bio->status);
			atomic_store(&bio->bdev->write_failed, 1u);
		}
		write_ended(v->page);
	}
	bio_free(bio);
}

/* They are tried again, or nobody wants them any more.  p is locked, and not being written. */
static void clear_failed(struct page *p, u64 sectors)
{
	if (likely(!(page_flags(p) & PG_ERROR)))
		return;
	if (!(atomic_fetch_and(&p->private, ~(sectors << FAILED_SHIFT)) >> FAILED_SHIFT & ALL & ~sectors))
		atomic_fetch_and(&p->flags, ~(u32)PG_ERROR);
}

/* Start writing the sectors of a locked page whose dirty bits the caller took; unlocks it. */
static void write_sectors(struct address_space *as, struct page *p, u64 sectors, struct gather *g)
{
	u32 first, nr;

	clear_failed(p, sectors);
	page_write_begin(p);
	page_get(p);			/* once it is unlocked and written, reclaim might have it */
	__atomic_fetch_add(&p->private, WRITING, __ATOMIC_RELAXED);
	page_unlock(p);
	for (u32 from = 0; (nr = next_run(sectors, from, &first)); from = first + nr) {
		__atomic_fetch_add(&p->private, WRITING, __ATOMIC_RELAXED);
		gather_add(g, bdev_of(as), p, first, nr);
	}
	write_ended(p);
	page_put(p);
}

static u64 take_dirty(struct page *p, u64 sectors)
{
	return atomic_fetch_and_acq_rel(&p->private, ~(sectors << DIRTY_SHIFT)) >> DIRTY_SHIFT & sectors;
}

static int bdev_write_page(struct address_space *as, struct page *p, struct write_control *wc)
{
	struct gather g = { wc->bio, BIO_WRITE, wc->wait ? BIO_SYNC : 0, write_end };

	write_sectors(as, p, take_dirty(p, ALL), &g);
	wc->bio = g.bio;
	return 0;
}

static void bdev_write_done(struct address_space *as, struct write_control *wc)
{
	(void)as;
	if (wc->bio)
		bio_submit(wc->bio);
	wc->bio = NULL;
}

static void bdev_page_dirtied(struct address_space *as, struct page *p, u32 off, u32 len)
{
	u32 start = ALIGN_DOWN(off, SECTOR_SIZE), end = ALIGN_UP(off + len, SECTOR_SIZE);

	(void)as;
	atomic_fetch_or_acq_rel(&p->private, sector_bits(start, end - start) << DIRTY_SHIFT);
}

const struct address_space_ops buffer_aops = {
	.read_page = bdev_read_page, .read_ahead = bdev_read_ahead, .write_page = bdev_write_page, .write_done = bdev_write_done,
	.page_dirtied = bdev_page_dirtied,
};

static u64 buffer_sectors(const struct buffer *b) { return sector_bits((u32)((u64)b->data & (PAGE_SIZE - 1)), b->size); }
static struct address_space *space_of(struct block_device *bdev) { return &bdev->inode->data; }

static void buffer_set(struct buffer *b, struct page *p, u64 block, u32 size)
{
	*b = (struct buffer){ p, (char *)page_address(p) + (block * size & (PAGE_SIZE - 1)), block, size };
}

int buffer_find(struct block_device *bdev, u64 block, u32 size, struct buffer *b)
{
	u64 blocks = i_size_read(bdev->inode) / size;
	struct page *p;

	*b = (struct buffer){ 0 };
	if (unlikely(block >= blocks))
		return -EIO;
	p = filemap_lookup(space_of(bdev), block * size >> PAGE_SHIFT);
	if (!p)
		return 1;
	buffer_set(b, p, block, size);
	if (likely(!(buffer_sectors(b) & ~uptodate(p))))
		return 0;
	buffer_put(b);
	return 1;
}

bool buffer_cached(struct block_device *bdev, u64 block, u32 size)
{
	struct buffer b;
	bool there = buffer_find(bdev, block, size, &b) == 0;

	buffer_put(&b);
	return there;
}

int buffer_read(struct block_device *bdev, u64 block, u32 size, struct buffer *b)
{
	struct gather g = { NULL, BIO_READ, BIO_SYNC | BIO_META, read_end };
	struct page *p;
	int err = buffer_find(bdev, block, size, b);

	if (likely(err <= 0))
		return err;
	err = filemap_grab(space_of(bdev), block * size >> PAGE_SHIFT, GFP_NOIO, &p);
	if (err)
		return err;
	buffer_set(b, p, block, size);
	read_sectors(space_of(bdev), p, buffer_sectors(b), &g);
	gather_submit(&g);
	if (unlikely(buffer_sectors(b) & ~uptodate(p))) {
		page_lock(p);
		page_unlock(p);
		if (unlikely(buffer_sectors(b) & ~uptodate(p))) {
			buffer_put(b);
			return -EIO;
		}
	}
	return 0;
}

int buffer_get(struct block_device *bdev, u64 block, u32 size, struct buffer *b)
{
	struct page *p;
	int err = buffer_find(bdev, block, size, b);

	if (likely(err <= 0))
		return err;
	err = filemap_grab(space_of(bdev), block * size >> PAGE_SHIFT, GFP_NOIO, &p);
	if (err)
		return err;
	buffer_set(b, p, block, size);
	if (buffer_sectors(b) & ~uptodate(p)) {		/* all or, after a part was written by /dev/vda, some: the caller overwrites it */
		memset(b->data, 0, size);
		set_uptodate(p, buffer_sectors(b));
	}
	page_unlock(p);
	return 0;
}

void buffer_put(struct buffer *b)
{
	if (b->page)
		page_put(b->page);
	b->page = NULL;
	b->data = NULL;
}

void buffer_dirty(struct buffer *b)
{
	u64 bits = buffer_sectors(b) << DIRTY_SHIFT;

	if ((atomic_fetch_or_acq_rel(&b->page->private, bits) & bits) == bits && page_flags(b->page) & PG_DIRTY)
		return;
	page_set_dirty(b->page);
}

void buffer_write_start(struct buffer *b)
{
	struct gather g = { NULL, BIO_WRITE, BIO_SYNC | BIO_META, write_end };
	struct page *p = b->page;
	u64 sectors = buffer_sectors(b);

	page_lock(p);			/* even if it looks clean: who just took its dirty bits has the lock until PG_WRITEBACK is there to wait for */
	if (state(p) >> DIRTY_SHIFT & sectors)
		page_wait_writeback(p);		/* one write of a page at a time, or an older one might end last */
	sectors = take_dirty(p, sectors);
	if (!sectors) {
		page_unlock(p);
		return;
	}
	if (!(state(p) >> DIRTY_SHIFT & ALL) && page_clear_dirty_for_write(p) && (state(p) >> DIRTY_SHIFT & ALL))
		page_set_dirty(p);	/* somebody dirtied another block just now */
	write_sectors(p->mapping, p, sectors, &g);
	gather_submit(&g);
}

int buffer_write_wait(struct buffer *b)
{
	bool failed;

	/* Under the page's lock: who tries anew what failed has taken the mark of that away, and has not begun yet.  His write then says it for both. */
	page_lock(b->page);
	page_wait_writeback(b->page);
	failed = state(b->page) >> FAILED_SHIFT & buffer_sectors(b);
	page_unlock(b->page);
	if (likely(!failed))
		return 0;
	buffer_dirty(b);		/* the next one who writes it tries again */
	return -EIO;
}

int buffer_write(struct buffer *b)
{
	buffer_write_start(b);
	return buffer_write_wait(b);
}

void buffers_readahead(struct block_device *bdev, u64 block, u32 nr, u32 size)
{
	struct gather g = { NULL, BIO_READ, BIO_RAHEAD | BIO_META, read_end };
	u64 pos = block * size, end = min(pos + (u64)nr * size, i_size_read(bdev->inode));

	while (pos < end) {
		u32 off = (u32)(pos & (PAGE_SIZE - 1)), len = (u32)min(PAGE_SIZE - off, end - pos);
		struct page *p = filemap_lookup(space_of(bdev), pos >> PAGE_SHIFT);

		if (!p && filemap_add(space_of(bdev), pos >> PAGE_SHIFT, GFP_NOIO, &p) == 0)
			read_sectors(space_of(bdev), p, sector_bits(off, len), &g);
		else if (!p)
			break;
		page_put(p);		/* while it is locked it stays */
		pos += len;
	}
	gather_submit(&g);
}

static void forget(struct page *p, u64 sectors)
{
	page_lock(p);
	if (p->mapping) {
		page_wait_writeback(p);
		atomic_fetch_and_acq_rel(&p->private, ~(sectors << DIRTY_SHIFT | sectors << UPTODATE_SHIFT));
		clear_failed(p, sectors);
		if (page_flags(p) & PG_UPTODATE) {
			atomic_fetch_or(&p->private, (ALL & ~sectors) << UPTODATE_SHIFT);
			atomic_fetch_and(&p->flags, ~(u32)PG_UPTODATE);
		}
		if (!(state(p) >> DIRTY_SHIFT & ALL) && page_clear_dirty_for_write(p) && (state(p) >> DIRTY_SHIFT & ALL))
			page_set_dirty(p);
	}
	page_unlock(p);
}

void buffers_forget(struct block_device *bdev, u64 block, u64 nr, u32 size)
{
	u64 pos = block * size, end = pos + nr * size;

	while (pos < end && READ_ONCE(space_of(bdev)->nr_pages)) {
		u32 off = (u32)(pos & (PAGE_SIZE - 1)), len = (u32)min(PAGE_SIZE - off, end - pos);
		struct page *p = filemap_lookup(space_of(bdev), pos >> PAGE_SHIFT);

		if (p) {
			forget(p, sector_bits(off, len));
			page_put(p);
		}
		pos += len;
	}
}

/* What could not be written is dirty again. */
static void retry_failed(struct page *p)
{
	u64 failed = state(p) >> FAILED_SHIFT & ALL;

	if (!failed)
		return;
	atomic_fetch_or_acq_rel(&p->private, failed << DIRTY_SHIFT);
	page_set_dirty(p);
}

int buffers_sync(struct block_device *bdev)
{
	int err;

	if (unlikely(atomic_xchg(&bdev->write_failed, 0u)))
		filemap_each(space_of(bdev), retry_failed);
	err = filemap_write_range(space_of(bdev), 0, ~0ull);
	filemap_wait_range(space_of(bdev), 0, ~0ull);	/* its answer is about the past, too */
	return err ? err : atomic_load(&bdev->write_failed) ? -EIO : 0;
}
