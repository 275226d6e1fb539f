/* Direct I/O: between a device and the caller's own memory, past the cache.
 *
 * Theory.  Before, what the cache holds of the range is written back, and for a write dropped, so that the device is the truth; after
 * a write it is dropped again, since a reader or a mapping may have brought back what was there before.  Who reads through the cache while a
 * direct write is in flight sees the old or the new; who reads after it, the new.
 *
 * The caller's pages are pinned and go into bios as they are (mm/pin.c says why pinned, not just referenced).  All bios of a call are in flight at once; the
 * last one to end finishes the call: for a caller who waits, in his own thread; else in interrupt context if nothing is left to do that
 * sleeps, or in a worker.
 *
 * Blocks.  A read holds the inode's lock shared, a write exclusively, while the map is asked.  A call that returns before its I/O is over
 * gives the lock back, but counts in nr_direct, and who wants to take blocks from the file waits for that to become zero
 * (iomap_direct_wait).  A write goes directly only to blocks the file has, or to whole new ones beyond its end, which nobody can see until
 * the size moves, after the data is there.  A hole within the file is filled through the cache, then written back and dropped: else a
 * crash or an error would show what its new block held before.
 *
 * Result: bytes, as far as the memory was good and, within the file, space was found; an error of the device anywhere fails the whole. */
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iomap_internal.h>
#include <fs/iov.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/wait.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <mm/filemap.h>
#include <mm/slab.h>
#include <mm/vma.h>
#include <mm/writeback.h>

struct direct {
	struct inode *inode;		/* [I] whose blocks */
	struct file *file;		/* [I] whoever gave kiocb keeps it */
	struct kiocb *kiocb;		/* [I] NULL: somebody waits */
	struct completion done;		/* for him */
	u32 flying;			/* [a] bios, and one for who still submits */
	s32 err;			/* [a] the first */
	bool write, user, sync;		/* [I] */
	u32 align;			/* [I] the device's logical block */
	u64 pos;			/* [I] */
	u64 limit;			/* [I] of a read: bytes up to the end of file */
	size_t submitted;		/* [submitter, then finisher] bytes */
	long ret;			/* [finisher] until it is synced, too */
	struct work work;
};

static DEFINE_WAIT_QUEUE(idle_wait);	/* iomap_direct_wait of any inode */

static void count_begin(struct address_space *as) { atomic_inc(&as->nr_direct); }

static void count_end(struct address_space *as)
{
	if (atomic_sub_return_acq_rel(&as->nr_direct, 1) == 0 && wait_queue_active(&idle_wait))
		wake_up_all(&idle_wait);
}

void iomap_direct_wait(struct inode *inode)
{
	wait_event(&idle_wait, !atomic_load_acquire(&inode->data.nr_direct));
}

/* --- the end --- */

/* All bios have ended.  Context: thread, or irq if nothing sleeps (can_finish_now). */
static long finish(struct direct *d)
{
	struct address_space *as = &d->inode->data;
	long ret = d->err ? d->err : (long)min((u64)d->submitted, d->limit);

	if (d->write && d->submitted && READ_ONCE(as->nr_pages))
		filemap_invalidate(as, d->pos, d->pos + d->submitted - 1);
	count_end(as);
	return ret;
}

static bool can_finish_now(const struct direct *d) { return !d->sync && !(d->write && READ_ONCE(d->inode->data.nr_pages)); }

static void answer(struct direct *d, long ret)
{
	struct kiocb *k = d->kiocb;

	kfree(d);
	k->complete(k, ret);
}

static void sync_work(struct work *w)
{
	struct direct *d = container_of(w, struct direct, work);

	answer(d, file_write_sync(d->file, &d->kiocb->it, d->pos + (u64)d->ret, d->ret));
}

/* Others wait for the end, under locks that a sync wants: so that is another work. */
static void finish_async(struct direct *d)
{
	long ret = finish(d);

	if (ret > 0 && d->sync) {
		d->ret = ret;
		work_init_as(&d->work, WORK_MANY, sync_work);
		work_queue(&d->work);
		return;
	}
	answer(d, ret);
}

static void finish_work(struct work *w) { finish_async(container_of(w, struct direct, work)); }

static void part_end(struct direct *d)
{
	if (atomic_sub_return_acq_rel(&d->flying, 1))
		return;
	if (!d->kiocb)
		complete(&d->done);
	else if (can_finish_now(d))
		finish_async(d);
	else
		work_queue(&d->work);
}

static void direct_end(struct bio *bio)
{
	struct direct *d = bio->private;
	s32 none = 0;

	if (unlikely(bio->status))
		__atomic_compare_exchange_n(&d->err, &none, bio->status, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	for (u32 i = 0; d->user && i < bio->nr_vecs; i++)
		pages_unpin(&bio->vecs[i].page, 1, !d->write);
	bio_free(bio);		/* at once: the submitter may wait for one of the reserve */
	part_end(d);
}

/* --- the beginning --- */

static void direct_init(struct direct *d, struct file *f, struct iov_iter *it, bool write, u64 pos)
{
	struct inode *inode = f->mapping->host;
	const struct block_device *bdev = inode->sb->bdev ? inode->sb->bdev : inode->private;

	*d = (struct direct){ .inode = inode, .file = f, .flying = 1, .write = write, .user = !it->kernel, .pos = pos, .limit = ~0ul,
			      .align = block_logical_size(bdev) };
	d->sync = write && (f->flags & O_DSYNC || it->rwf & (RWF_DSYNC | RWF_SYNC));
	completion_init(&d->done);
	work_init_as(&d->work, WORK_END, finish_work);
	count_begin(&inode->data);
}

/* Position, memory and lengths in the device's blocks. */
static bool aligned(const struct iov_iter *it, u64 pos, u32 align)
{
	u64 bits = pos | it->count, left = it->count;
	size_t off = it->off;

	for (const struct iov_seg *s = it->segs; left; s++, off = 0) {
		u64 len = min(s->len - off, left);

		bits |= len ? (s->base + off) | len : 0;
		left -= len;
	}
	return !(bits & (align - 1));
}

static struct bio *bio_start_at(struct direct *d, struct block_device *bdev, u64 addr, size_t len)
{
	u32 vecs = (u32)min(len / PAGE_SIZE + 2, (size_t)BIO_MAX_VECS);
	struct bio *bio = bio_alloc(bdev, d->write ? BIO_WRITE : BIO_READ, BIO_SYNC, addr >> SECTOR_SHIFT, vecs, GFP_NOIO);

	bio->end = direct_end;
	bio->private = d;
	return bio;
}

static void submit(struct direct *d, struct bio *bio)
{
	atomic_inc(&d->flying);
	d->submitted += bio->len;
	if (d->write)
		current->io.write_bytes += bio->len;
	bio_submit(bio);
}

#define PIN_BATCH 32u

/* Up to n bytes of *it, from one segment: pinned into pages.  How many pages, or an error. */
static int take_pages(const struct direct *d, const struct iov_iter *it, size_t n, struct page **pages)
{
	u64 addr = it->segs->base + it->off;
	size_t len = min(it->segs->len - it->off, n);
	u32 nr;

	if (d->user)
		return pages_pin(addr, len, !d->write, pages, PIN_BATCH);
	nr = (u32)min(DIV_ROUND_UP((addr & (PAGE_SIZE - 1)) + len, PAGE_SIZE), (u64)PIN_BATCH);
	for (u32 i = 0; i < nr; i++)
		pages[i] = virt_to_page((void *)((addr & PAGE_MASK) + i * PAGE_SIZE));
	return (int)nr;
}

/* n bytes between *it and addr of the device, all submitted when it returns: 0, or the error that made it less. */
static int submit_extent(struct direct *d, struct iov_iter *it, struct block_device *bdev, u64 addr, size_t n)
{
	struct bio *bio = NULL;
	int nr = 0;

	while (n) {
		struct page *pages[PIN_BATCH];
		u64 at = it->segs->base + it->off;
		size_t seg = min(it->segs->len - it->off, n);

		nr = take_pages(d, it, n, pages);
		if (nr < 0)
			break;
		for (int i = 0; i < nr; i++) {
			u32 off = (u32)(at & (PAGE_SIZE - 1)), len = (u32)min(PAGE_SIZE - off, seg);

			while (!bio || !bio_add(bio, pages[i], off, len)) {
				if (bio)
					submit(d, bio);
				bio = bio_start_at(d, bdev, addr, n);
			}
			iov_iter_advance(it, len);
			addr += len;
			at += len;
			seg -= len;
			n -= len;
		}
	}
	if (bio)
		submit(d, bio);
	return nr < 0 ? nr : 0;
}

/* Nothing more will be submitted: wait for what was, or leave that to k. */
static long conclude(struct direct *d, struct kiocb *k)
{
	if (k && atomic_load_acquire(&d->flying) > 1) {
		d->kiocb = k;
		part_end(d);
		return -EIOCBQUEUED;
	}
	part_end(d);
	wait_for_completion(&d->done);
	return finish(d);
}

/* d for a call that may outlive it, or (no memory, or nobody to be told later) mine, on the caller's stack. */
static struct direct *direct_get(struct iov_iter *it, struct direct *mine, struct kiocb **k)
{
	struct direct *d = NULL;

	*k = iter_kiocb(it);
	if (*k)
		d = kmalloc(sizeof(*d), GFP_KERNEL);
	if (!d) {
		*k = NULL;
		d = mine;
	}
	return d;
}

ssize_t iomap_direct_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct inode *inode = f->mapping->host;
	struct address_space *as = &inode->data;
	struct direct mine, *d;
	struct iomap m = { .len = 0 };
	struct kiocb *k;
	u64 at = *pos, size;
	int err = 0;
	long ret;

	if (!to->count)
		return 0;
	if (!(to->rwf & RWF_NOWAIT))
		rwsem_read_lock(&inode->lock);
	else if (!rwsem_read_trylock(&inode->lock))
		return -EAGAIN;
	d = direct_get(to, &mine, &k);
	direct_init(d, f, to, false, at);
	size = i_size_read(inode);
	if (!aligned(to, at, d->align))
		err = -EINVAL;
	else if (at >= size)
		to->count = 0;
	if (!err && to->count) {
		d->limit = size - at;
		to->count = min(to->count, ALIGN_UP(size, (u64)d->align) - at);
		if (READ_ONCE(as->nr_pages) && to->rwf & RWF_NOWAIT)
			err = -EAGAIN;
		else if (READ_ONCE(as->nr_pages))
			err = filemap_write_range(as, at, at + to->count - 1);
		if (!err && READ_ONCE(as->nr_pages))
			filemap_wait_range(as, at, at + to->count - 1);
	}
	while (!err && to->count) {
		size_t n;

		err = iomap_at(inode, at, to->count, IOMAP_DIRECT, &m);
		if (err)
			break;
		n = min(to->count, m.pos + m.len - at);
		if (m.type == IOMAP_MAPPED) {
			err = submit_extent(d, to, m.bdev, m.addr + (at - m.pos), n);
		} else {
			size_t got = iter_zero(n, to);

			d->submitted += got;
			err = got < n ? -EFAULT : 0;
		}
		at = *pos + d->submitted;
	}
	rwsem_read_unlock(&inode->lock);
	if (err && !d->submitted)
		k = NULL;
	ret = conclude(d, k);
	if (ret == -EIOCBQUEUED)
		return ret;
	if (d != &mine)
		kfree(d);
	if (!ret)
		ret = err;
	if (ret > 0)
		*pos += (u64)ret;
	return ret;
}

/* New blocks beyond the end of file were not, or not successfully, written to: nobody must see what they held. */
static void clean_new(struct inode *inode, u64 from, u64 end)
{
	while (from < end) {
		struct iomap m = { .len = 0 };

		if (iomap_at(inode, from, end - from, 0, &m))
			return;
		if (m.type == IOMAP_MAPPED)
			block_zero(m.bdev, (m.addr + (from - m.pos)) >> SECTOR_SHIFT, (min(end, m.pos + m.len) - from) >> SECTOR_SHIFT);
		from = m.pos + m.len;
	}
}

/* Submit as much as can go directly.  0, an error, or -ENOTBLK: the rest has to go through the cache.  *new_end: how far new blocks reach. */
static int write_submit(struct direct *d, struct iov_iter *from, u64 *new_end)
{
	struct inode *inode = d->inode;
	u64 size = i_size_read(inode), block = inode->sb->bdev ? inode->sb->block_size : d->align;
	struct iomap m = { .len = 0 };
	int err = 0;

	*new_end = 0;
	while (!err && from->count) {
		u64 at = d->pos + d->submitted;

		err = iomap_at(inode, at, from->count, IOMAP_DIRECT, &m);
		if (!err && m.type != IOMAP_MAPPED) {
			if (at < ALIGN_UP(size, block) || (at | from->count) & (block - 1))
				return -ENOTBLK;
			m.len = 0;
			err = iomap_at(inode, at, from->count, IOMAP_WRITE | IOMAP_DIRECT, &m);
			if (!err)
				*new_end = m.pos + m.len;
		}
		if (!err)
			err = submit_extent(d, from, m.bdev, m.addr + (at - m.pos), min(from->count, m.pos + m.len - at));
	}
	return err;
}

/* What could not go directly: through the cache, then to the device, and out of the cache.  Bytes, or the error if none. */
static ssize_t write_around(struct direct *d, struct iov_iter *from, u64 pos)
{
	struct inode *inode = d->inode;
	u64 at = pos;
	ssize_t n = inode->sb->bdev ? iomap_write_buffered(inode, from, &at) : filemap_write(d->file, from, &at);
	int err;

	if (n <= 0)
		return n;
	err = filemap_write_range(&inode->data, pos, at - 1);
	filemap_wait_range(&inode->data, pos, at - 1);
	filemap_invalidate(&inode->data, pos, at - 1);
	return err ? err : n;
}

/* The lock is held, and stays so: the caller's I/O is over when this returns. */
static ssize_t write_and_wait(struct direct *d, struct iov_iter *from, int err, u64 new_end)
{
	struct inode *inode = d->inode;
	u64 end;
	ssize_t ret, more = 0;

	part_end(d);
	wait_for_completion(&d->done);
	end = d->pos + (d->err ? 0 : d->submitted);
	if (end > inode->size)
		iomap_size_grows(inode, end);	/* before the cache is dropped: what was read in between may end at the old size */
	if (new_end > end)
		clean_new(inode, max(end, ALIGN_UP(inode->size, (u64)inode->sb->block_size)), new_end);
	ret = finish(d);
	if (err == -ENOTBLK && ret >= 0)
		more = write_around(d, from, d->pos + (u64)ret);
	else if (!ret)
		more = err;
	return ret < 0 ? ret : more > 0 || ret ? ret + max(more, (ssize_t)0) : more;
}

ssize_t iomap_direct_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct inode *inode = f->mapping->host;
	struct address_space *as = &inode->data;
	u64 size = inode->size, end = *pos + from->count, new_end = 0;
	bool nowait = from->rwf & RWF_NOWAIT;
	struct direct mine, *d;
	struct kiocb *k;
	int err = 0;
	ssize_t ret;

	d = direct_get(from, &mine, &k);
	direct_init(d, f, from, true, *pos);
	if (!aligned(from, *pos, d->align))
		err = -EINVAL;
	else if (nowait && (end > size || READ_ONCE(as->nr_pages)))
		err = -EAGAIN;
	if (!err && *pos > size)
		err = iomap_zero(inode, size, min(*pos, PAGE_ALIGN(size)) - size);
	if (!err && READ_ONCE(as->nr_pages)) {
		err = filemap_invalidate(as, *pos, end - 1);
		if (err == -EBUSY)
			err = -ENOTBLK;
	}
	if (!err)
		err = write_submit(d, from, &new_end);
	if (d->submitted || err == -ENOTBLK)
		inode_touch(inode, ATTR_MTIME | ATTR_CTIME);
	if (k && (err || end > size || atomic_load_acquire(&d->flying) == 1))
		k = NULL;
	if (!k && (err || end > size)) {
		ret = write_and_wait(d, from, err, new_end);
		rwsem_write_unlock(&inode->lock);
	} else {
		rwsem_write_unlock(&inode->lock);
		ret = conclude(d, k);
	}
	if (ret == -EIOCBQUEUED)
		return ret;
	if (d != &mine)
		kfree(d);
	if (ret <= 0)
		return ret;
	*pos += (u64)ret;
	return file_write_sync(f, from, *pos, ret);
}

/* --- a block device by itself: its bytes lie where they lie --- */

static int block_map(struct inode *inode, u64 pos, u64 len, u32 flags, struct iomap *out)
{
	(void)flags; (void)len; (void)pos;
	*out = (struct iomap){ .pos = 0, .len = ALIGN_UP(i_size_read(inode), PAGE_SIZE), .type = IOMAP_MAPPED, .bdev = inode->private };
	return 0;
}
const struct iomap_ops block_iomap = { .map = block_map };
