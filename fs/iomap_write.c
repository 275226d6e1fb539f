/* Writing to the cached pages of a file on a block device: write(), shared mappings, and the zeroes around them.
 *
 * Theory.  A write goes in chunks of up to 16 pages, each in these steps, with the inode's lock held:
 *
 *   1. the program's memory is touched, so that the copy will hardly fault
 *   2. the pages are locked, in order; one that the chunk covers only partly is read first, one that it covers is not
 *   3. the file system finds blocks for the whole chunk (-ENOSPC: the chunk becomes shorter, perhaps nothing)
 *   4. the copy, without faults: a page lock is held, and the program's memory may be a mapping of the same page
 *   5. what the copy did not fill: new blocks become zero, old ones are read, so that each page touched is up to date
 *   6. the file's size moves, now that the bytes are there; the pages become dirty and are unlocked
 *
 * A copy that came up short is taken for what it did, and the rest begins again at 1, where a bad address is found out.  Pages come
 * before blocks, so that a lack of memory never leaves a new block whose old contents could be seen.
 *
 * Beyond the end of file a page is zero when it is written back, but until then a program may have written there through a mapping.  So
 * who moves the size over a gap zeroes the rest of the page that was the last (iomap_zero).  With blocks smaller than a page, what follows
 * the end may have no block; a page that programs may write to is therefore made read-only for them again when the size moves (protect),
 * and their next write asks for blocks once more.
 *
 * Page locks are taken in rising order, but for that last page, which is locked while those of the chunk are; nobody else waits for
 * a page with another one locked, the inode's lock excluding other writers. */
#include <arch/uaccess.h>
#include <asm/resource.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iomap_internal.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <mm/filemap.h>
#include <mm/writeback.h>

#define CHUNK_PAGES	16u
#define SECTORS		(PAGE_SIZE >> SECTOR_SHIFT)

struct chunk {
	struct inode *inode;
	u64 pos, end;			/* bytes to be written */
	u64 first;			/* index of pages[0] */
	u32 nr;
	struct page *pages[CHUNK_PAGES];	/* locked and referenced */
	u8 fresh[CHUNK_PAGES];		/* a bit a sector: its block was a hole a moment ago */
};

static u64 page_pos(const struct page *p) { return p->index << PAGE_SHIFT; }

/* p is locked and not up to date: read it, and lock it again.  -EAGAIN: it left the cache meanwhile. */
static int read_locked(struct address_space *as, struct page *p)
{
	int err = as->ops->read_page(as, p);

	page_lock(p);
	if (err)
		return err;
	if (p->mapping != as)
		return -EAGAIN;
	return page_uptodate(p) ? 0 : -EIO;
}

/* The page at index, locked, referenced, and up to date. */
static int get_locked(struct address_space *as, u64 index, struct page **out)
{
	struct page *p;
	int err;

	do {
		err = filemap_grab(as, index, GFP_USER, &p);
		if (err)
			return err;
		err = page_uptodate(p) ? 0 : read_locked(as, p);
		if (err) {
			page_unlock(p);
			page_put(p);
		}
	} while (err == -EAGAIN);
	if (!err)
		*out = p;
	return err;
}

/* --- the steps of a write --- */

/* How many of the first n bytes of from can be read, as far as touching their pages tells. */
static size_t fault_in(const struct iov_iter *from, size_t n)
{
	const struct iov_seg *seg = from->segs;
	size_t off = from->off, done = 0;
	u8 byte;

	if (from->kernel)
		return n;
	while (done < n) {
		size_t len = min(seg->len - off, n - done), at = 0;

		while (at < len) {
			u64 addr = seg->base + off + at;

			if (get_user(byte, (const u8 __user *)user_ptr(addr)))
				return done + at;
			(void)byte;
			at += min(len - at, PAGE_SIZE - (addr & (PAGE_SIZE - 1)));
		}
		done += len;
		off = 0;
		seg++;
	}
	return n;
}

/* Must page be read before the chunk is copied into it?  Not if all of it that lies within the file will be overwritten. */
static bool read_first(const struct chunk *c, u64 base)
{
	u64 size = c->inode->size, last = min(base + PAGE_SIZE, size);

	return base < size && !(c->pos <= base && c->end >= last);
}

static void chunk_put(struct chunk *c)
{
	for (u32 i = 0; i < c->nr; i++) {
		page_unlock(c->pages[i]);
		page_put(c->pages[i]);
	}
	c->nr = 0;
}

/* Lock the pages.  If not all can be had, the chunk becomes shorter; an error if none can. */
static int chunk_pages(struct chunk *c)
{
	struct address_space *as = &c->inode->data;
	u64 last = (c->end - 1) >> PAGE_SHIFT;
	int err = 0;

	c->nr = 0;
	for (u64 index = c->first; index <= last; index++) {
		u64 base = index << PAGE_SHIFT;
		struct page *p;

		err = read_first(c, base) ? get_locked(as, index, &p) : filemap_grab(as, index, GFP_USER, &p);
		if (err)
			break;
		c->fresh[c->nr] = 0;
		c->pages[c->nr++] = p;
	}
	if (!c->nr)
		return err;
	c->end = min(c->end, (c->first + c->nr) << PAGE_SHIFT);
	return 0;
}

static void note_fresh(struct chunk *c, const struct iomap *m)
{
	u64 first = c->first << PAGE_SHIFT, from = max(m->pos, first), to = min(m->pos + m->len, first + ((u64)c->nr << PAGE_SHIFT));

	for (u64 at = from; at < to; at += SECTOR_SIZE)
		c->fresh[(at - first) >> PAGE_SHIFT] |= (u8)(1u << ((at & (PAGE_SIZE - 1)) >> SECTOR_SHIFT));
}

/* Blocks for the chunk; returns the error that made it shorter, if any. */
static int chunk_map(struct chunk *c)
{
	u64 at = c->pos;
	int err = 0;

	while (at < c->end) {
		struct iomap m = { .len = 0 };

		err = iomap_at(c->inode, at, c->end - at, IOMAP_WRITE, &m);
		if (err)
			break;
		if (m.flags & IOMAP_NEW)
			note_fresh(c, &m);
		at = m.pos + m.len;
	}
	c->end = min(c->end, at);
	return err;
}

static size_t chunk_copy(struct chunk *c, struct iov_iter *from)
{
	size_t done = 0;

	uaccess_nofault_begin();
	for (u32 i = 0; i < c->nr && c->pos + done < c->end; i++) {
		u64 at = c->pos + done, base = page_pos(c->pages[i]);
		size_t n = min(base + PAGE_SIZE, c->end) - at, got;

		got = copy_from_iter((char *)page_address(c->pages[i]) + (at - base), n, from);
		done += got;
		if (got < n)
			break;
	}
	uaccess_nofault_end();
	return done;
}

/* What page i holds beside what was copied, into bounce: new blocks and holes are zero, the others are read. */
static int read_aside(struct chunk *c, u32 i, struct page *bounce)
{
	u64 base = page_pos(c->pages[i]);
	u32 off = 0, len;
	int err = 0;

	clear_page(page_address(bounce));
	while (off < PAGE_SIZE && base + off < c->inode->size && !err) {
		struct iomap m = { .len = 0 };

		err = iomap_at(c->inode, base + off, PAGE_SIZE - off, 0, &m);
		if (err)
			break;
		len = (u32)min(PAGE_SIZE - off, min(m.pos + m.len - (base + off), (u64)c->inode->sb->block_size));
		if (m.type == IOMAP_MAPPED && !(c->fresh[i] & 1u << (off >> SECTOR_SHIFT))) {
			struct bio *bio = bio_alloc(m.bdev, BIO_READ, BIO_SYNC, (m.addr + (base + off - m.pos)) >> SECTOR_SHIFT, 1, GFP_NOIO);

			bio_add(bio, bounce, off, len);
			err = bio_submit_wait(bio);
			bio_free(bio);
		}
		off += len;
	}
	return err;
}

/* Page i was not read, for all of it was to be overwritten; perhaps it was not.  Make it up to date. */
static int complete_page(struct chunk *c, u32 i, u64 copied_to)
{
	struct page *p = c->pages[i], *bounce;
	u64 base = page_pos(p), size = c->inode->size;
	u64 from = max(c->pos, base) - base, to = max(min(copied_to, base + PAGE_SIZE), base) - base;
	char *mem = page_address(p);
	int err;

	if (to <= from)
		from = to = 0;
	if (likely(size <= base || (from == 0 && base + to >= min(size, base + PAGE_SIZE)))) {	/* all that was there is overwritten */
		memset(mem, 0, from);
		memset(mem + to, 0, PAGE_SIZE - to);
		page_mark_uptodate(p);
		return 0;
	}
	bounce = page_alloc(0, GFP_NOIO);
	if (!bounce)
		return -ENOMEM;
	err = read_aside(c, i, bounce);
	if (!err) {
		memcpy(mem, page_address(bounce), from);
		memcpy(mem + to, (char *)page_address(bounce) + to, PAGE_SIZE - to);
		page_mark_uptodate(p);
	}
	page_put(bounce);
	return err;
}

/* Programs that may write to p will have to ask again.  p is locked. */
static void protect(struct page *p)
{
	if (page_clear_dirty_for_write(p))
		page_set_dirty(p);
}

/* Move the end of file up to size.  c: its pages are locked, and what lies before size is in them; or NULL. */
static void size_grows(struct inode *inode, u64 size, const struct chunk *c)
{
	struct address_space *as = &inode->data;
	u64 old = inode->size, index = old >> PAGE_SHIFT;
	struct page *p = NULL;
	bool ours = c && index >= c->first && index < c->first + c->nr;

	if (inode->sb->block_size < PAGE_SIZE && (old & (PAGE_SIZE - 1)) && READ_ONCE(as->nr_writable))
		p = ours ? c->pages[index - c->first] : filemap_lookup(as, index);
	if (p) {
		if (!ours)
			page_lock(p);
		if (p->mapping == as)
			protect(p);
	}
	atomic_store_release(&inode->size, size);
	inode_mark_dirty(inode, INODE_DIRTY_DATASYNC);
	if (p && !ours) {
		page_unlock(p);
		page_put(p);
	}
}

void iomap_size_grows(struct inode *inode, u64 size) { size_grows(inode, size, NULL); }

/* One chunk of at most n bytes, from *pos on.  *done: bytes written; an error may come with some. */
static int write_chunk(struct inode *inode, struct iov_iter *from, u64 pos, size_t n, size_t *done)
{
	struct chunk c = { .inode = inode, .pos = pos, .first = pos >> PAGE_SHIFT };
	struct iov_iter before;
	u64 copied_to;
	int err, short_err;

	*done = 0;
	n = fault_in(from, min(n, ((u64)CHUNK_PAGES << PAGE_SHIFT) - (pos & (PAGE_SIZE - 1))));
	if (!n)
		return -EFAULT;
	c.end = pos + n;
	err = chunk_pages(&c);
	if (err)
		return err;
	short_err = chunk_map(&c);
	before = *from;
	*done = chunk_copy(&c, from);
	copied_to = pos + *done;
	for (u32 i = 0; i < c.nr; i++) {
		if (page_uptodate(c.pages[i]))
			continue;
		err = complete_page(&c, i, copied_to);
		if (unlikely(err)) {		/* it keeps the rest from counting */
			u64 good = max(page_pos(c.pages[i]), pos);

			if (copied_to > good) {
				*from = before;
				iov_iter_advance(from, good - pos);
				copied_to = good;
				*done = good - pos;
			}
			short_err = err;
			break;
		}
	}
	if (copied_to > inode->size && *done)
		size_grows(inode, copied_to, &c);
	for (u32 i = 0; i < c.nr; i++)
		if (page_uptodate(c.pages[i]) && (page_pos(c.pages[i]) < copied_to || c.fresh[i]))
			page_set_dirty(c.pages[i]);
	chunk_put(&c);
	return short_err;
}

ssize_t iomap_write_buffered(struct inode *inode, struct iov_iter *from, u64 *pos)
{
	size_t total = 0, done;
	int err = 0;

	if (*pos > inode->size)		/* the gap reads as zero */
		err = iomap_zero(inode, inode->size, min(*pos, PAGE_ALIGN(inode->size)) - inode->size);
	while (!err && from->count) {
		err = write_chunk(inode, from, *pos, from->count, &done);
		*pos += done;
		total += done;
		if (done)
			balance_dirty(&inode->data, (u32)DIV_ROUND_UP(done, PAGE_SIZE));
		if (!err && signal_pending() && fatal_signal_pending(current))
			err = -EINTR;
	}
	return total ? (ssize_t)total : err;
}

ssize_t iomap_file_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct inode *i = f->inode;
	ssize_t n;

	if (unlikely(!from->count))
		return 0;
	if (from->rwf & RWF_NOWAIT) {
		if (!(f->flags & O_DIRECT))
			return -EOPNOTSUPP;
		if (!rwsem_write_trylock(&i->lock))
			return -EAGAIN;
	} else {
		rwsem_write_lock(&i->lock);
	}
	n = unlikely(READ_ONCE(i->flags) & INODE_SWAPFILE) ? -ETXTBSY : generic_write_checks(f, from, pos);
	if (!n)
		n = file_kill_suid(f);
	if (!n) {
		if (f->flags & O_DIRECT)
			return iomap_direct_write(f, from, pos);
		n = iomap_write_buffered(i, from, pos);
		if (n > 0)
			inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	}
	rwsem_write_unlock(&i->lock);
	return n > 0 ? file_write_sync(f, from, *pos, n) : n;
}

ssize_t iomap_file_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	return f->flags & O_DIRECT ? iomap_direct_read(f, to, pos) : filemap_read(f, to, pos);
}

/* --- shared mappings --- */

int iomap_mkwrite(struct address_space *as, struct page *page)
{
	struct inode *inode = as->host;
	u64 base = page_pos(page), size = i_size_read(inode), end = min(base + PAGE_SIZE, size), at = base;
	bool fresh = false;
	int err = 0;

	if (base >= size)
		return -EFAULT;
	while (at < end) {
		struct iomap m = { .len = 0 };

		err = iomap_at(inode, at, end - at, IOMAP_WRITE, &m);
		if (err)
			break;
		fresh |= m.flags & IOMAP_NEW;
		at = m.pos + m.len;
	}
	if (!err || fresh)		/* what is new must become zero on the device, too */
		page_set_dirty(page);
	if (!err)
		inode_touch(inode, ATTR_MTIME | ATTR_CTIME);
	return err;
}

/* --- zeroes --- */

static int page_has_blocks(struct inode *inode, u64 pos, u64 len, bool *yes)
{
	struct iomap m = { .len = 0 };
	u64 at = pos;

	*yes = false;
	while (at < pos + len && !*yes) {
		int err = iomap_at(inode, at, pos + len - at, 0, &m);

		if (err)
			return err;
		*yes = m.type == IOMAP_MAPPED;
		at = m.pos + m.len;
	}
	return 0;
}

static int zero_in_page(struct inode *inode, u64 pos, u32 len)
{
	struct address_space *as = &inode->data;
	struct page *p;
	bool blocks;
	int err = page_has_blocks(inode, pos, len, &blocks);

	if (err)
		return err;
	if (blocks) {
		err = get_locked(as, pos >> PAGE_SHIFT, &p);
		if (err)
			return err;
	} else {		/* it is zero, but for what a program wrote beyond the end through a mapping */
		p = filemap_lookup(as, pos >> PAGE_SHIFT);
		if (!p)
			return 0;
		page_lock(p);
	}
	if (p->mapping == as && page_uptodate(p)) {
		memset((char *)page_address(p) + (pos & (PAGE_SIZE - 1)), 0, len);
		if (blocks)
			page_set_dirty(p);
	}
	page_unlock(p);
	page_put(p);
	return 0;
}

int iomap_zero(struct inode *inode, u64 pos, u64 len)
{
	int err = 0;

	while (len && !err) {
		u32 n = (u32)min(len, PAGE_SIZE - (pos & (PAGE_SIZE - 1)));

		err = zero_in_page(inode, pos, n);
		pos += n;
		len -= n;
	}
	return err;
}

int iomap_truncate(struct inode *inode, u64 size, iomap_free_fn free_blocks)
{
	struct address_space *as = &inode->data;
	u64 old = inode->size;
	int err;

	if (size == old)
		return 0;
	iomap_direct_wait(inode);
	if (size > old) {
		err = iomap_zero(inode, old, min(size, PAGE_ALIGN(old)) - old);
		if (!err)
			size_grows(inode, size, NULL);
		return err;
	}
	err = iomap_zero(inode, size, min(old, ALIGN_UP(size, (u64)inode->sb->block_size)) - size);
	if (err)
		return err;
	rwsem_write_lock(&as->invalidate_lock);
	i_size_write(inode, size);
	inode_mark_dirty(inode, INODE_DIRTY_DATASYNC);
	filemap_truncate(as, size);
	err = free_blocks(inode, size, ~0ul);
	rwsem_write_unlock(&as->invalidate_lock);
	return err;
}

/* The pages that the hole touches go, too, where only a part of them is in it, once that is written: so nobody can write to one of its
 * blocks, nor is anybody doing so, when they are freed. */
int iomap_punch(struct inode *inode, u64 start, u64 end, iomap_free_fn free_blocks)
{
	struct address_space *as = &inode->data;
	u64 first, last, head, tail, block = inode->sb->block_size;
	int err;

	end = min(end, ALIGN_UP(inode->size, PAGE_SIZE));
	if (start >= end)
		return 0;
	iomap_direct_wait(inode);
	first = ALIGN_UP(start, block);
	last = ALIGN_DOWN(end, block);
	if (first >= last)
		return iomap_zero(inode, start, end - start);
	err = iomap_zero(inode, start, first - start);
	if (!err)
		err = iomap_zero(inode, last, end - last);
	if (err)
		return err;
	rwsem_write_lock(&as->invalidate_lock);
	head = first >> PAGE_SHIFT;
	tail = (last - 1) >> PAGE_SHIFT;
	if (first & (PAGE_SIZE - 1))
		err = filemap_invalidate(as, first, first);
	if (!err && (last & (PAGE_SIZE - 1)) && tail != head)
		err = filemap_invalidate(as, last - 1, last - 1);
	if (!err) {
		filemap_punch(as, first, last);
		err = free_blocks(inode, first, last);
	}
	rwsem_write_unlock(&as->invalidate_lock);
	return err;
}
