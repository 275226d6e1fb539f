/* Files on a block device, by one question: iomap_ops.map (fs/iomap.h).  Here: filling pages and writing them back.
 *
 * Theory.  A page of a file may consist of several pieces: blocks smaller than a page that lie in different places, and holes.  Its I/O is
 * over when that of its last piece is, so page->private counts the pieces in flight, and one for who is still handing them out; the first
 * error stays in the upper half.  Runs of pieces that follow one another on the device go into one bio, across pages.
 *
 *   page locked, not up to date, private > 0     being filled; the last piece marks it up to date, zeroes what lies beyond the end of
 *                                                file, and unlocks it
 *   PG_WRITEBACK, up to date, private > 0        being written, not locked; it cannot leave the cache until the last piece has ended it
 *
 * Which blocks.  The map is asked while the page is locked, and before those blocks can be taken from the file its page has to be
 * dropped, which waits for its lock and for writes in flight (mm/truncate.c).  So what map answered stays true until the I/O is over.
 * Holes in a dirty page are not written: what is in them is zero, because whoever writes to a page finds blocks for it first
 * (fs/iomap_write.c).  An answer is kept from page to page while reading ahead, since all the pages are locked then; in writing back it
 * is asked for anew for each page.
 *
 * Memory.  Writing back needs only bios, which bio_alloc always gets in the end.  A gathered bio is handed over before the next is asked
 * for, as the bios' reserve demands. */
#include <fs/inode.h>
#include <fs/iomap_internal.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <mm/filemap.h>
#include <mm/writeback.h>

#define ERROR_SHIFT 32		/* in page->private */

int iomap_at(struct inode *inode, u64 pos, u64 len, u32 flags, struct iomap *m)
{
	int err;

	if (m->len && pos >= m->pos && pos - m->pos < m->len)
		return 0;
	m->flags = 0;
	err = inode->data.iomap->map(inode, pos, len, flags, m);
	if (err)
		m->len = 0;
	else
		ASSERT(m->pos <= pos && pos - m->pos < m->len);
	return err;
}

/* --- pieces of a page --- */

static void piece_begin(struct page *p) { atomic_inc(&p->private); }

/* Another piece is done; true if it was the last, and *err is the first that went wrong. */
static bool piece_end(struct page *p, int status, int *err)
{
	u64 v;

	if (unlikely(status)) {
		v = atomic_load(&p->private);
		while (!(v >> ERROR_SHIFT) &&
		       !__atomic_compare_exchange_n(&p->private, &v, v | (u64)-status << ERROR_SHIFT, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
	}
	v = atomic_sub_return_acq_rel(&p->private, 1);
	if ((u32)v)
		return false;
	*err = -(int)(v >> ERROR_SHIFT);
	return true;
}

typedef struct bio *(*start_fn)(struct block_device *bdev, u64 sector, void *arg);

/* [off, off + len) of page lies at addr of m's device.  *bio: what is being gathered; start(arg) makes another. */
static void gather(struct bio **bio, const struct iomap *m, u64 addr, struct page *page, u32 off, u32 len, start_fn start, void *arg)
{
	struct bio *b = *bio;

	if (b && (b->bdev != m->bdev || (b->sector << SECTOR_SHIFT) + b->len != addr)) {
		bio_submit(b);
		b = NULL;
	}
	piece_begin(page);
	while (!b || !bio_add(b, page, off, len)) {
		if (b)
			bio_submit(b);
		b = start(m->bdev, addr >> SECTOR_SHIFT, arg);
	}
	*bio = b;
}

/* --- filling --- */

static void fill_piece_end(struct page *p, int status)
{
	u64 base = p->index << PAGE_SHIFT, size;
	int err;

	if (!piece_end(p, status, &err))
		return;
	if (likely(!err)) {
		size = i_size_read(p->mapping->host);
		if (unlikely(size < base + PAGE_SIZE)) {	/* what a device holds beyond the end is nobody's business */
			u64 from = size > base ? size - base : 0;

			memset((char *)page_address(p) + from, 0, PAGE_SIZE - from);
		}
		page_mark_uptodate(p);
	}
	page_unlock(p);
}

static void fill_end(struct bio *bio)
{
	for (u32 i = 0; i < bio->nr_vecs; i++)
		fill_piece_end(bio->vecs[i].page, bio->status);
	bio_free(bio);
}

struct filling { struct bio *bio; struct iomap map; u32 pages_left; u8 flags; };

static struct bio *fill_start(struct block_device *bdev, u64 sector, void *arg)
{
	struct filling *f = arg;
	struct bio *bio = bio_alloc(bdev, BIO_READ, f->flags, sector, min(f->pages_left + 7, BIO_MAX_VECS), GFP_NOIO);

	bio->end = fill_end;
	return bio;
}

/* Hand out the pieces of a locked page. */
static void fill_page(struct inode *inode, struct page *page, struct filling *f)
{
	u64 base = page->index << PAGE_SHIFT, size = i_size_read(inode);
	u32 off = 0, len;
	int err = 0;

	atomic_store(&page->private, 1);
	while (off < PAGE_SIZE) {
		u64 at = base + off;

		if (at >= size) {		/* nothing there, not even a hole */
			memset((char *)page_address(page) + off, 0, PAGE_SIZE - off);
			break;
		}
		err = iomap_at(inode, at, ((u64)f->pages_left << PAGE_SHIFT) - off, 0, &f->map);
		if (unlikely(err))
			break;
		len = (u32)min(PAGE_SIZE - off, f->map.pos + f->map.len - at);
		if (f->map.type == IOMAP_MAPPED)
			gather(&f->bio, &f->map, f->map.addr + (at - f->map.pos), page, off, len, fill_start, f);
		else
			memset((char *)page_address(page) + off, 0, len);
		off += len;
	}
	fill_piece_end(page, err);
}

static void iomap_read_ahead(struct address_space *as, struct page **pages, u32 nr)
{
	struct filling f = { .flags = BIO_RAHEAD };

	for (u32 i = 0; i < nr; i++) {
		f.pages_left = nr - i;
		fill_page(as->host, pages[i], &f);
	}
	if (f.bio)
		bio_submit(f.bio);
}

static int iomap_read_page(struct address_space *as, struct page *page)
{
	struct filling f = { .pages_left = 1, .flags = BIO_SYNC };

	fill_page(as->host, page, &f);
	if (f.bio)
		bio_submit(f.bio);
	return 0;
}

/* --- writing back --- */

static void write_piece_end(struct page *p, int status)
{
	int err;

	if (!piece_end(p, status, &err))
		return;
	if (unlikely(err) && inode_is_dir(p->mapping->host))
		page_write_failed(p);
	page_write_end(p, err);
}

static void write_end(struct bio *bio)
{
	for (u32 i = 0; i < bio->nr_vecs; i++)
		write_piece_end(bio->vecs[i].page, bio->status);
	bio_free(bio);
}

static struct bio *write_start(struct block_device *bdev, u64 sector, void *arg)
{
	const struct write_control *wc = arg;
	u64 left = wc->last - wc->first < BIO_MAX_VECS ? wc->last - wc->first + 1 : BIO_MAX_VECS;
	struct bio *bio = bio_alloc(bdev, BIO_WRITE, wc->wait ? BIO_SYNC : 0, sector, (u32)min(max(left, 8ul), (u64)BIO_MAX_VECS), GFP_NOIO);

	bio->end = write_end;
	return bio;
}

static int iomap_write_page(struct address_space *as, struct page *page, struct write_control *wc)
{
	struct inode *inode = as->host;
	u64 base = page->index << PAGE_SHIFT, size = i_size_read(inode);
	u32 off = 0, len, end;
	int err = 0;

	page_write_begin(page);
	page_write_anew(page);
	atomic_store(&page->private, 1);
	end = base >= size ? 0 : (u32)min(PAGE_SIZE, size - base);	/* 0: it is just being truncated */
	if (unlikely(end && end < PAGE_SIZE))		/* through a mapping a program may have written there */
		memset((char *)page_address(page) + end, 0, PAGE_SIZE - end);
	while (off < end) {
		struct iomap m = { .len = 0 };

		err = iomap_at(inode, base + off, PAGE_SIZE - off, 0, &m);
		if (unlikely(err))
			break;
		len = (u32)min(PAGE_SIZE - off, m.pos + m.len - (base + off));
		if (m.type == IOMAP_MAPPED)
			gather(&wc->bio, &m, m.addr + (base + off - m.pos), page, off, len, write_start, wc);
		off += len;
	}
	page_unlock(page);
	write_piece_end(page, err);
	return err;
}

static void iomap_write_done(struct address_space *as, struct write_control *wc)
{
	(void)as;
	if (wc->bio)
		bio_submit(wc->bio);
	wc->bio = NULL;
}

const struct address_space_ops iomap_aops = {
	.read_page = iomap_read_page, .read_ahead = iomap_read_ahead, .write_page = iomap_write_page, .write_done = iomap_write_done,
	.page_mkwrite = iomap_mkwrite,
};
