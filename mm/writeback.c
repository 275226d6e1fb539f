/* Writing back: dirty pages, the walk over them, and errors.  Who walks and when: mm/writer.c.  How much may be dirty: mm/dirty.c.
 *
 * Theory.  A page is dirty by PG_DIRTY, and its mapping's tree has TAG_DIRTY for it, so that the dirty pages of a large file are found
 * without looking at the others.  The flag is set together with the tag, under tree_lock.  It is cleared by page_clear_dirty_for_write,
 * under the page's lock alone; the tag stays until page_write_begin exchanges it for TAG_WRITEBACK, still under that page lock.  So a page
 * that has to reach the device always has one of the two tags, whoever looks; one that has the tag without the flag is being handed over
 * (and its lock is held), or is a relic, which the walker clears.
 *
 * A page mapped shared and writable may be changed at any time without a word to us, so a writable entry counts as dirty.  Before a page
 * is made clean, all such entries are made read-only, under the page's lock, which the fault that makes one writable holds as well: the
 * next store faults, and marks the page dirty again.  Shared mappings are not copied by fork, and moves hold i_mmap_lock, so a walk over
 * i_mmap sees each entry.  The walker does that for a whole batch of pages with one flush of the TLB for each mapping; it looks again at each page when it
 * has its lock, and finds as a rule that there is nothing to flush.
 *
 * fsync must not be kept busy by somebody who dirties as quickly as it writes: it first gives TAG_TOWRITE to what is dirty now, and then
 * walks that tag.  Walks go up in the file, and lock a page while the one before it may be in a bio that was not yet submitted.  This is
 * safe because nobody waits for one page's write while he holds another's lock, but him who walks below; so waiting always goes up.
 *
 * Errors.  The address space has one word: the last error, a mark whether somebody was told, and a count that moves when a new error comes
 * after that mark.  Each open file keeps the word as it was told it last; who opens after an error that nobody was told of yet
 * starts from 0, and is told.  (The scheme is errseq_t's of Linux, whose fsync(2) promises just this.) */
#include <drivers/block/block.h>
#include <fs/file.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <mm/filemap.h>
#include <mm/mm_internal.h>
#include <mm/writer_internal.h>

#define BATCH 16

void page_set_dirty(struct page *p)
{
	struct address_space *as = READ_ONCE(p->mapping);
	irqflags_t flags;
	bool news = false;

	if (!as || !as->writer) {
		page_changed(p);
		return;
	}
	if (unlikely(page_flags(p) & PG_CODE_SYNCED))
		atomic_fetch_and(&p->flags, ~(u32)PG_CODE_SYNCED);
	smp_mb();		/* contents before the look at the flag; pairs with page_clear_dirty_for_write */
	if (page_flags(p) & PG_DIRTY)
		return;
	flags = spin_lock_irqsave(&as->tree_lock);
	if (READ_ONCE(p->mapping) == as && radix_tree_lookup(&as->tree, p->index) == p &&
	    !(atomic_fetch_or(&p->flags, PG_DIRTY) & PG_DIRTY)) {
		radix_tree_tag_set(&as->tree, p->index, TAG_DIRTY);
		news = true;
	}
	spin_unlock_irqrestore(&as->tree_lock, flags);
	if (!news)
		return;
	vmstat_add(VM_DIRTY_PAGES, 1);
	vmstat_add(VM_DIRTIED, 1);
	current->io.write_bytes += PAGE_SIZE;
	atomic_inc(&as->writer->nr_dirty);
	inode_mark_dirty(as->host, INODE_DIRTY_PAGES);
}

static void count_clean(struct address_space *as)
{
	vmstat_add(VM_DIRTY_PAGES, -1);
	atomic_dec(&as->writer->nr_dirty);
}

/* Make the pages [first, last] read-only wherever they are mapped shared. */
static void wrprotect_mappings(struct address_space *as, u64 first, u64 last)
{
	struct vma *vma;

	rwsem_read_lock(&as->i_mmap_lock);
	list_for_each_entry(vma, &as->i_mmap, i_mmap_link) {
		u64 vfirst = vma->pgoff, vlast = vma->pgoff + ((vma->end - vma->start) >> PAGE_SHIFT) - 1;
		u64 a = max(first, vfirst), b = min(last, vlast);

		if (a <= b && vma->flags & VM_SHARED && vma->flags & VM_MAYWRITE)
			pt_wrprotect_range(vma->mm, vma->start + ((a - vfirst) << PAGE_SHIFT),
					   vma->start + ((b - vfirst + 1) << PAGE_SHIFT));
	}
	rwsem_read_unlock(&as->i_mmap_lock);
}

bool page_clear_dirty_for_write(struct page *p)
{
	struct address_space *as = p->mapping;

	if (atomic_load(&p->mapcount) && READ_ONCE(as->nr_writable))
		wrprotect_mappings(as, p->index, p->index);
	if (!(atomic_fetch_and(&p->flags, ~(u32)PG_DIRTY) & PG_DIRTY))
		return false;
	smp_mb();		/* the flag before the contents are read; pairs with page_set_dirty */
	if (as->writer)
		count_clean(as);
	return true;
}

void page_cancel_dirty(struct page *p)
{
	struct address_space *as = p->mapping;

	if (as && as->writer && atomic_fetch_and(&p->flags, ~(u32)PG_DIRTY) & PG_DIRTY) {
		count_clean(as);
		if (wait_queue_active(&as->writer->throttled))
			wake_up(&as->writer->throttled);
	}
}

void page_write_begin(struct page *p)
{
	struct address_space *as = p->mapping;
	irqflags_t flags;

	ASSERT(!(page_flags(p) & PG_WRITEBACK));
	page_get(p);			/* page_write_end's */
	flags = spin_lock_irqsave(&as->tree_lock);
	atomic_fetch_or(&p->flags, PG_WRITEBACK);
	radix_tree_tag_set(&as->tree, p->index, TAG_WRITEBACK);
	if (!(page_flags(p) & PG_DIRTY))
		radix_tree_tag_clear(&as->tree, p->index, TAG_DIRTY);
	radix_tree_tag_clear(&as->tree, p->index, TAG_TOWRITE);
	spin_unlock_irqrestore(&as->tree_lock, flags);
	vmstat_add(VM_WRITEBACK_PAGES, 1);
	if (as->writer)
		atomic_inc(&as->writer->nr_flying);
}

void page_write_end(struct page *p, int status)
{
	struct address_space *as = p->mapping;	/* PG_WRITEBACK keeps it in the cache */
	struct writer *w = as->writer;
	irqflags_t flags;

	if (unlikely(status))
		mapping_set_error(as, status);
	flags = spin_lock_irqsave(&as->tree_lock);
	radix_tree_tag_clear(&as->tree, p->index, TAG_WRITEBACK);
	spin_unlock_irqrestore(&as->tree_lock, flags);
	vmstat_add(VM_WRITEBACK_PAGES, -1);
	vmstat_add(VM_WRITTEN, 1);
	rcu_read_lock();
	page_end_writeback(p);		/* the file may go now, and with it the writer */
	if (w)
		writer_pages_landed(w, 1);
	rcu_read_unlock();
	page_put(p);
}

void page_write_failed(struct page *p)
{
	if (!(atomic_fetch_or(&p->flags, (u32)PG_ERROR) & PG_ERROR))
		atomic_inc(&p->mapping->nr_failed);
}

void page_write_anew(struct page *p)
{
	if (unlikely(page_flags(p) & PG_ERROR) && atomic_fetch_and(&p->flags, ~(u32)PG_ERROR) & PG_ERROR)
		atomic_dec(&p->mapping->nr_failed);
}

static void dirty_again(struct page *p)
{
	if (page_flags(p) & PG_ERROR)
		page_set_dirty(p);
}

void filemap_retry(struct address_space *as)
{
	if (unlikely(atomic_load(&as->nr_failed)))
		filemap_each(as, dirty_again);
}

bool mapping_tagged(struct address_space *as, u32 tag)
{
	u64 index = 0;
	void *p;
	irqflags_t flags = spin_lock_irqsave(&as->tree_lock);
	bool any = radix_tree_gang_lookup_tag(&as->tree, 0, &p, &index, 1, tag);

	spin_unlock_irqrestore(&as->tree_lock, flags);
	return any;
}

/* Up to BATCH pages of [*first, last] with that tag, referenced; *first goes behind them. */
static u32 tagged_batch(struct address_space *as, u64 *first, u64 last, u32 tag, struct page **pages)
{
	u64 index[BATCH];
	irqflags_t flags;
	u32 n;

	if (*first > last)
		return 0;
	flags = spin_lock_irqsave(&as->tree_lock);	/* what is in the tree under it has a reference */
	n = radix_tree_gang_lookup_tag(&as->tree, *first, (void **)pages, index, BATCH, tag);
	while (n && index[n - 1] > last)
		n--;
	for (u32 i = 0; i < n; i++)
		page_get(pages[i]);
	spin_unlock_irqrestore(&as->tree_lock, flags);
	if (n)
		*first = index[n - 1] + 1;
	return n;
}

/* What is dirty now is what this walk is about. */
static void tag_to_write(struct address_space *as, u64 first, u64 last)
{
	u64 index[BATCH];
	void *pages[BATCH];
	u32 n;

	do {
		irqflags_t flags = spin_lock_irqsave(&as->tree_lock);

		n = radix_tree_gang_lookup_tag(&as->tree, first, pages, index, BATCH, TAG_DIRTY);
		for (u32 i = 0; i < n && index[i] <= last; i++)
			radix_tree_tag_set(&as->tree, index[i], TAG_TOWRITE);
		spin_unlock_irqrestore(&as->tree_lock, flags);
		if (n)
			first = index[n - 1] + 1;
	} while (n == BATCH && first && first <= last);
}

/* p is locked and of as, but clean: a tag without the flag is a relic. */
static void clear_relic(struct address_space *as, struct page *p)
{
	irqflags_t flags = spin_lock_irqsave(&as->tree_lock);

	if (!(page_flags(p) & PG_DIRTY)) {
		radix_tree_tag_clear(&as->tree, p->index, TAG_DIRTY);
		radix_tree_tag_clear(&as->tree, p->index, TAG_TOWRITE);
	}
	spin_unlock_irqrestore(&as->tree_lock, flags);
}

static void write_one(struct address_space *as, struct page *p, struct write_control *wc)
{
	int err;

	page_lock(p);
	if (p->mapping != as)
		goto out;
	if (!(page_flags(p) & PG_DIRTY)) {
		clear_relic(as, p);
		goto out;
	}
	if (page_flags(p) & PG_WRITEBACK) {
		if (!wc->wait)
			goto out;
		page_wait_writeback(p);
	}
	if (!page_clear_dirty_for_write(p))
		goto out;
	if (unlikely(atomic_load(&p->pins)))	/* a device may be writing to it (mm/pin.c): it remains dirty */
		page_set_dirty(p);
	wc->budget--;
	err = as->ops->write_page(as, p, wc);	/* unlocks */
	if (unlikely(err)) {
		mapping_set_error(as, err);
		if (!wc->err)
			wc->err = err;
	}
	return;
out:
	page_unlock(p);
}

/* Write the dirty pages of as in wc's range, upwards, until its budget is used up.  Returns and leaves in wc->err the first error of
 * write_page; those of the device come when the pages land.  Context: thread, may sleep; no page lock. */
int walk_pages(struct address_space *as, struct write_control *wc)
{
	u32 tag = wc->wait ? TAG_TOWRITE : TAG_DIRTY, n;
	struct page *pages[BATCH];
	u64 index = wc->first, stopped = 0;
	struct block_plug plug;

	wc->next = 0;
	if (!as->ops || !as->ops->write_page)
		return 0;
	block_plug(&plug);
	if (wc->wait)
		tag_to_write(as, wc->first, wc->last);
	while (wc->budget > 0 && (n = tagged_batch(as, &index, wc->last, tag, pages)) != 0) {
		if (READ_ONCE(as->nr_writable))
			wrprotect_mappings(as, pages[0]->index, pages[n - 1]->index);
		for (u32 i = 0; i < n; i++) {
			if (wc->budget > 0) {
				stopped = pages[i]->index;
				write_one(as, pages[i], wc);
			}
			page_put(pages[i]);
		}
		if (wc->budget <= 0)
			wc->next = stopped + 1;
		if (!index)
			break;
	}
	if (as->ops->write_done)
		as->ops->write_done(as, wc);
	block_unplug(&plug);
	return wc->err;
}

int filemap_write_range(struct address_space *as, u64 start, u64 end)
{
	struct write_control wc = { .first = start >> PAGE_SHIFT, .last = end >> PAGE_SHIFT, .budget = ALL_PAGES, .wait = true };

	return as->writer && READ_ONCE(as->nr_pages) ? walk_pages(as, &wc) : 0;
}

void filemap_start_range(struct address_space *as, u64 start, u64 end)
{
	struct write_control wc = { .first = start >> PAGE_SHIFT, .last = end >> PAGE_SHIFT, .budget = ALL_PAGES };

	if (as->writer && READ_ONCE(as->nr_pages))
		walk_pages(as, &wc);
}

static int untold_error(struct address_space *as);

int filemap_wait_range(struct address_space *as, u64 start, u64 end)
{
	u64 index = start >> PAGE_SHIFT;
	struct page *pages[BATCH];
	u32 n;

	if (!as->writer)
		return 0;
	while (READ_ONCE(as->nr_pages) && (n = tagged_batch(as, &index, end >> PAGE_SHIFT, TAG_WRITEBACK, pages)) != 0) {
		for (u32 i = 0; i < n; i++) {
			page_wait_writeback(pages[i]);
			page_put(pages[i]);
		}
		if (!index)
			break;
	}
	return untold_error(as);
}

/* The word of errors: errno in ERR_BITS, ERR_TOLD, and the count above. */
#define ERR_BITS	0xffful
#define ERR_TOLD	0x1000ul
#define ERR_COUNT	0x2000ul

void error_note(u64 *word, int err)
{
	u64 old = atomic_load(word), new;

	ASSERT(err < 0 && -err <= (int)ERR_BITS);
	do {
		new = (old & ~(ERR_BITS | ERR_TOLD)) | (u64)-err;
		if (old & ERR_TOLD)
			new += ERR_COUNT;
		if (new == old)
			return;
	} while (!__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}

u64 error_sample(u64 *word)
{
	u64 now = atomic_load(word);

	return now & ERR_TOLD ? now : 0;
}

int error_check(u64 *word, u64 *since)
{
	u64 now = atomic_load(word);

	if (likely(now == *since))
		return 0;
	now = atomic_fetch_or_acq_rel(word, ERR_TOLD) | ERR_TOLD;
	if (now == *since)
		return 0;
	*since = now;
	return -(int)(now & ERR_BITS);
}

void mapping_set_error(struct address_space *as, int err)
{
	error_note(&as->wb_err, err);
	error_note(&as->host->sb->wb_err, err);
}

static int untold_error(struct address_space *as)
{
	u64 now = atomic_load(&as->wb_err);

	return now & ERR_TOLD ? 0 : -(int)(now & ERR_BITS);
}

int file_error_check(struct file *f)
{
	int err;

	if (likely(READ_ONCE(f->wb_err) == atomic_load(&f->mapping->wb_err)))
		return 0;
	spin_lock(&f->lock);
	err = error_check(&f->mapping->wb_err, &f->wb_err);
	spin_unlock(&f->lock);
	return err;
}

int file_super_error_check(struct file *f)
{
	int err;

	spin_lock(&f->lock);
	err = error_check(&f->inode->sb->wb_err, &f->sb_err);
	spin_unlock(&f->lock);
	return err;
}

int filemap_sync_range(struct file *f, u64 start, u64 end)
{
	int err = filemap_write_range(f->mapping, start, end), err2;

	filemap_wait_range(f->mapping, start, end);
	err2 = file_error_check(f);
	return err2 ? err2 : err;
}

int file_sync(struct file *f, u64 start, u64 end, bool datasync)
{
	struct inode *i = f->inode;
	int err = filemap_write_range(f->mapping, start, end), err2;

	filemap_wait_range(f->mapping, start, end);
	err2 = inode_sync(i, datasync);
	if (!err)
		err = err2;
	if (!err && i->sb->bdev)
		err = block_flush(i->sb->bdev);
	err2 = file_error_check(f);
	return err2 ? err2 : err;
}
