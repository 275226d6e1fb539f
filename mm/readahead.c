/* Read-ahead.
 *
 * Theory.  A device answers a request for thirty pages nearly as quickly as one for a single page, and a program that reads a file from
 * its beginning will want the next pages.  So a miss starts a window: the pages wanted and some more.  One page of the window is marked
 * (PG_READAHEAD): who comes by it starts the next window, while what lies between the mark and the window's end is still to be read; so a
 * steady reader never waits, and the next window is twice as large, up to the device's read_ahead_kb, or, for a
 * reader who asks for much at a time, to four times that, as far as the device takes it in one request.
 *
 *     |<----------- size ----------->|
 *     |-----------------#============|-----------------#============|
 *     start             mark, async behind it
 *
 * A miss is one of these, in this order:
 *   at the beginning of the file                 a first window
 *   where the last window ended, or at its mark  the next window
 *   next to the last miss                        a first window: reading has become sequential
 *   after a run of pages that are cached         a first window as long as the run: several readers share the file, or the file
 *                                                descriptor is new; the cache itself remembers
 *   elsewhere                                    random: what is wanted, and no more
 *
 * A mark met where no window of this file's is (two readers on one descriptor) begins at the first page missing behind it.  Mapped accesses
 * read around the miss, since programs are not laid out in the order they run; when a hundred more of them missed than hit, they do not.
 *
 * Pages enter the cache locked and without contents; read_ahead fills them, and each is unlocked when its I/O has ended: who wants it
 * waits for the lock.  One that could not be read stays without contents, and who wants it reads it himself and gets the error.
 * invalidate_lock is held for reading from a page's entering until its I/O was handed over (mm/truncate.c).
 *
 * When memory is short the allocation fails (it neither calls the OOM killer nor takes from reserves), and the window ends there.
 *
 * The rules of windows and marks were first told in Wu Fengguang et al., "On the design of a new Linux readahead framework", 2008. */
#include <drivers/block/disk.h>
#include <fs/inode.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <mm/mm_internal.h>
#include <mm/readahead.h>

#define BATCH		32u
#define DEFAULT_PAGES	32u		/* no device to ask */
#define MISSES_MAX	100u
#define AHEAD		4u		/* a window is at most so many times what the reader asks for at a time, if that is more than read_ahead_kb */
#define RANGE_STEP	512u		/* pages that WILLNEED starts at a time */

/* The largest window for somebody who asks for nr pages at a time. */
static u32 limit_pages(const struct address_space *as, const struct file_ra *ra, u64 nr)
{
	const struct inode *i = as->host;
	const struct block_device *b = i->sb->bdev ? i->sb->bdev : MODE_IS(READ_ONCE(i->mode), S_IFBLK) ? i->private : NULL;
	u32 pages = b ? atomic_load(&b->disk->read_ahead_kb) >> (PAGE_SHIFT - 10) : DEFAULT_PAGES, most;

	if (ra && ra->mode == RA_SEQUENTIAL)
		pages *= 2;
	if (b && pages && nr > pages / AHEAD) {
		most = min(b->disk->limits.max_segments, b->disk->limits.max_sectors >> (PAGE_SHIFT - SECTOR_SHIFT));
		pages = max(pages, (u32)min(nr * AHEAD, (u64)most));
	}
	return min(pages, 0x4000u);
}

static u64 file_pages(const struct address_space *as) { return DIV_ROUND_UP(i_size_read(as->host), PAGE_SIZE); }

/* The first index from `index` on, of the next max, that is not cached. */
static u64 next_missing(struct address_space *as, u64 index, u32 max)
{
	rcu_read_lock();
	while (max-- && radix_tree_lookup(&as->tree, index))
		index++;
	rcu_read_unlock();
	return index;
}

/* How many pages in a row before index are cached, at most max. */
static u32 cached_before(struct address_space *as, u64 index, u32 max)
{
	u32 n = 0;

	rcu_read_lock();
	while (n < max && n < index && radix_tree_lookup(&as->tree, index - n - 1))
		n++;
	rcu_read_unlock();
	return n;
}

/* Hand over n locked pages in a row, and the references that filemap_add gave. */
static void submit(struct address_space *as, struct page **pages, u32 n)
{
	if (!n)
		return;
	if (as->ops->read_ahead)
		as->ops->read_ahead(as, pages, n);
	else
		for (u32 i = 0; i < n; i++)
			as->ops->read_page(as, pages[i]);
	for (u32 i = 0; i < n; i++)
		page_put(pages[i]);
}

/* Start reading what is missing of [index, index + nr); the page at mark, if it is among that, gets the mark.  false: memory is short. */
static bool fill(struct address_space *as, u64 index, u64 nr, u64 mark)
{
	u64 end = min(index + nr, file_pages(as));
	struct page *pages[BATCH], *p;
	struct block_plug plug;
	int err = 0;
	u32 n = 0;

	block_plug(&plug);
	rwsem_read_lock(&as->invalidate_lock);
	for (; index < end && !err; index++) {
		rcu_read_lock();
		p = radix_tree_lookup(&as->tree, index);
		rcu_read_unlock();
		err = p ? -EEXIST : filemap_add(as, index, GFP_KERNEL, &p);
		if (!err) {
			if (index == mark)
				atomic_fetch_or(&p->flags, PG_READAHEAD);
			pages[n++] = p;
		}
		if (err || n == BATCH) {
			submit(as, pages, n);
			n = 0;
		}
		if (err == -EEXIST)
			err = 0;
	}
	submit(as, pages, n);
	rwsem_read_unlock(&as->invalidate_lock);
	block_unplug(&plug);
	return !err;
}

static u32 round_up_pow2(u32 n) { return n <= 1 ? 1 : 1u << fls64(n - 1); }

static u32 first_size(u64 wanted, u32 max)
{
	u32 n = round_up_pow2((u32)min(wanted, (u64)max));

	return n <= max / 32 ? n * 4 : n <= max / 4 ? n * 2 : max;
}

static u32 next_size(u32 size, u32 max) { return size < max / 16 ? size * 4 : size <= max / 2 ? size * 2 : max; }

static void window(struct address_space *as, struct file_ra *ra, u64 start, u32 size, u32 async)
{
	WRITE_ONCE(ra->start, (u32)start);
	WRITE_ONCE(ra->size, (u16)size);
	WRITE_ONCE(ra->async, (u16)async);
	fill(as, start, size, start + size - async);
}

void readahead_miss(struct file *f, u64 index, u64 nr)
{
	struct address_space *as = f->mapping;
	struct file_ra *ra = &f->ra;
	u32 max = limit_pages(as, ra, nr), size = READ_ONCE(ra->size), start = READ_ONCE(ra->start), prev = READ_ONCE(ra->prev), before;

	WRITE_ONCE(ra->prev, (u32)(index + nr - 1));
	if (!max || ra->mode == RA_RANDOM) {
		fill(as, index, min(nr, (u64)max(max, 1u)), ~0ul);
		return;
	}
	if (size && ((u32)index == start + size || (u32)index == start + size - ra->async)) {
		size = next_size(size, max(max, size));
		window(as, ra, index, size, size);
		return;
	}
	before = 0;
	if (index && nr <= max && (u32)index - prev > 1) {
		before = cached_before(as, index, max);
		if (before <= nr) {		/* random */
			fill(as, index, nr, ~0ul);
			return;
		}
		if (before >= index)		/* since its beginning */
			before *= 2;
	}
	if (before) {
		size = min(before + (u32)nr, max);
		window(as, ra, index, size, 1);
		return;
	}
	size = first_size(nr, max);
	window(as, ra, index, size, size > nr ? size - (u32)nr : size);
}

void readahead_mark(struct file *f, struct page *page, u64 nr)
{
	struct address_space *as = f->mapping;
	struct file_ra *ra = &f->ra;
	u32 max = limit_pages(as, ra, nr), size = READ_ONCE(ra->size);
	u64 index = page->index, start;

	atomic_fetch_and(&page->flags, ~(u32)PG_READAHEAD);
	if (!max || ra->mode == RA_RANDOM)
		return;
	if (size && ((u32)index == ra->start + size - ra->async || (u32)index == ra->start + size)) {
		start = index + (ra->start + size - (u32)index);
		size = next_size(size, max(max, size));		/* nr is what is left of what he asked for */
	} else {
		start = next_missing(as, index + 1, max);
		if (start - index > max)
			return;
		size = next_size((u32)min(start - index + nr, (u64)max), max);
	}
	window(as, ra, start, size, size);
}

void readahead_fault(struct file *f, u64 index, u32 vm_flags)
{
	struct address_space *as = f->mapping;
	struct file_ra *ra = &f->ra;
	u32 max = limit_pages(as, ra, 1), misses = READ_ONCE(ra->misses);

	if (!max || vm_flags & VM_RANDOM || ra->mode == RA_RANDOM)
		return;
	if (vm_flags & VM_SEQUENTIAL) {
		readahead_miss(f, index, 1);
		return;
	}
	if (misses < MISSES_MAX * 10)
		WRITE_ONCE(ra->misses, (u16)(misses + 1));
	if (misses >= MISSES_MAX)
		return;
	window(as, ra, index > max / 2 ? index - max / 2 : 0, max, max / 4);
}

void readahead_range(struct address_space *as, u64 index, u64 nr)
{
	u64 end = min(index + min(nr, page_nr_total() / 4), file_pages(as));

	if (!as->ops || !as->ops->read_page)
		return;
	while (index < end && !(signal_pending() && fatal_signal_pending(current))) {
		u64 n = min(end - index, (u64)RANGE_STEP);

		if (!fill(as, index, n, ~0ul))
			return;
		index += n;
	}
}
