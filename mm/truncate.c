/* Taking pages out of the cache: truncation, holes, the end of an inode, and making room for what goes to the device directly.
 *
 * Theory.  A page leaves under its lock, after it is unmapped everywhere and no write of it is in flight, so that nobody maps it again
 * (install_file looks at page->mapping under the lock) and no device writes a block that is somebody else's by then.  Who takes blocks away
 * from a file holds invalidate_lock for writing from before the pages go until the blocks are gone: filling a page and making one
 * writable hold it for reading, so no page can come back that knows the old blocks. */
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <mm/filemap_internal.h>
#include <mm/mm_internal.h>
#include <mm/shmem.h>
#include <mm/writeback.h>

#define BATCH 16

/* Take the pages [first, last] out of every address space that maps them. */
static void unmap_everywhere(struct address_space *as, u64 first, u64 last)
{
	struct vma *vma;

	rwsem_read_lock(&as->i_mmap_lock);
	list_for_each_entry(vma, &as->i_mmap, i_mmap_link) {
		u64 vfirst = vma->pgoff, vlast = vma->pgoff + ((vma->end - vma->start) >> PAGE_SHIFT) - 1;
		u64 a = max(first, vfirst), b = min(last, vlast);

		/* Private copies go too, as on Linux: the program finds SIGBUS beyond the end. */
		if (a <= b)
			pt_unmap_range(vma->mm, vma->start + ((a - vfirst) << PAGE_SHIFT), vma->start + ((b - vfirst + 1) << PAGE_SHIFT),
				       mm_page_gone, vma);
	}
	rwsem_read_unlock(&as->i_mmap_lock);
}

/* p is referenced; that goes too. */
static void drop_page(struct address_space *as, struct page *p)
{
	page_lock(p);
	if (p->mapping == as) {
		if (unlikely(page_flags(p) & PG_WRITEBACK))
			page_wait_writeback(p);
		if (atomic_load(&p->mapcount))	/* a fault slipped in before the size was seen */
			unmap_everywhere(as, p->index, p->index);
		page_cancel_dirty(p);
		page_remove(as, p);
	} else {
		page_unlock(p);
	}
	page_put(p);
}

/* Up to max pages of [first, last], referenced, in order: how many; fewer than max: there are no more. */
static u32 gang_lookup(struct address_space *as, u64 first, u64 last, void **pages, u64 *index, u32 max)
{
	u32 n, k = 0;

	rcu_read_lock();
	n = radix_tree_gang_lookup(&as->tree, first, pages, index, max);
	while (k < n && index[k] <= last)
		k++;
	for (u32 i = 0; i < k; i++)
		if (!page_get_if_ours(as, pages[i], index[i]))
			pages[i] = NULL;	/* left the cache between look and reference */
	rcu_read_unlock();
	return k;
}

void filemap_each(struct address_space *as, void (*fn)(struct page *p))
{
	void *pages[BATCH];
	u64 index[BATCH], first = 0;
	u32 n;

	do {
		n = gang_lookup(as, first, ~0ull, pages, index, BATCH);
		for (u32 k = 0; k < n; k++)
			if (pages[k]) {
				fn(pages[k]);
				page_put(pages[k]);
			}
		if (n)
			first = index[n - 1] + 1;
	} while (n == BATCH);
}

static void drop_pages(struct address_space *as, u64 first, u64 last)
{
	void *pages[BATCH];
	u64 index[BATCH];
	u32 n;

	do {
		n = gang_lookup(as, first, last, pages, index, BATCH);
		for (u32 k = 0; k < n; k++)
			if (pages[k])
				drop_page(as, pages[k]);
		if (n)
			first = index[n - 1] + 1;
	} while (n == BATCH && first <= last);
}

/* Some may be in a swap area, others on their way there or back: one index after the other, until neither page nor slot is there. */
static void drop_with_swapped(struct address_space *as, u64 first, u64 last)
{
	while ((first = shmem_next(as, first)) <= last && first != ~0ul) {
		struct page *p = filemap_lookup(as, first);

		if (p)
			drop_page(as, p);
		if (shmem_drop_slot(as, first))
			first++;
	}
}

static void drop_all(struct address_space *as, u64 first, u64 last)
{
	drop_pages(as, first, last);
	if (unlikely(as->swapped))
		drop_with_swapped(as, first, last);
}

/* Where there is a device behind, its blocks of this page may be about to go: no write of them may be in flight. */
static void zero_part(struct address_space *as, u64 pos, size_t len)
{
	struct page *p = len ? filemap_lookup(as, pos >> PAGE_SHIFT) : NULL;

	if (p && unlikely(!page_uptodate(p))) {		/* who fills it would overwrite the zeroes */
		page_lock(p);
		page_unlock(p);
		if (!page_uptodate(p) && as->swapped) {
			page_put(p);
			p = NULL;
		}
	}
	if (unlikely(as->swapped) && len && !p && filemap_get(as, pos >> PAGE_SHIFT, false, &p))
		p = NULL;
	if (!p)
		return;
	if (as->writer)
		page_wait_writeback(p);
	memset((char *)page_address(p) + (pos & (PAGE_SIZE - 1)), 0, len);
	atomic_fetch_and(&p->flags, ~(u32)PG_CODE_SYNCED);
	page_put(p);
}

/* The caller has set i_size already, under the inode's lock. */
void filemap_truncate(struct address_space *as, u64 new_size)
{
	u64 first = DIV_ROUND_UP(new_size, PAGE_SIZE), off = new_size & (PAGE_SIZE - 1);

	if (!READ_ONCE(as->nr_pages) && !as->swapped)
		return;
	if (!list_empty(&as->i_mmap))
		unmap_everywhere(as, first, ~0ul >> PAGE_SHIFT);
	drop_all(as, first, ~0ul >> PAGE_SHIFT);
	if (!list_empty(&as->i_mmap))		/* private copies made of a page that was just to be dropped: see copy_unmapped */
		unmap_everywhere(as, first, ~0ul >> PAGE_SHIFT);
	if (off)
		zero_part(as, new_size, PAGE_SIZE - off);
}

void filemap_punch(struct address_space *as, u64 start, u64 end)
{
	u64 first = DIV_ROUND_UP(start, PAGE_SIZE), stop = end >> PAGE_SHIFT;

	if (start >> PAGE_SHIFT == end >> PAGE_SHIFT) {
		zero_part(as, start, end - start);
		return;
	}
	if (start & (PAGE_SIZE - 1))
		zero_part(as, start, PAGE_SIZE - (start & (PAGE_SIZE - 1)));
	zero_part(as, end & PAGE_MASK, end & (PAGE_SIZE - 1));
	if (first < stop) {
		unmap_everywhere(as, first, stop - 1);
		drop_all(as, first, stop - 1);
		unmap_everywhere(as, first, stop - 1);
	}
}

void filemap_evict(struct address_space *as)
{
	if (READ_ONCE(as->nr_pages))
		drop_pages(as, 0, ~0ul >> PAGE_SHIFT);
	if (unlikely(as->swapped))
		shmem_swap_free(as);
}

/* p, locked, out of every address space; private copies of it stay. */
static void unmap_page(struct address_space *as, struct page *p)
{
	struct vma *vma;

	rwsem_read_lock(&as->i_mmap_lock);
	list_for_each_entry(vma, &as->i_mmap, i_mmap_link) {
		u64 nr = (vma->end - vma->start) >> PAGE_SHIFT;
		vaddr_t addr = vma->start + ((p->index - vma->pgoff) << PAGE_SHIFT);
		struct pte_info info;

		if (p->index >= vma->pgoff && p->index - vma->pgoff < nr && pt_unmap_one(vma->mm, addr, page_to_pfn(p), &info))
			mm_page_gone(vma, addr, &info, 1);
	}
	rwsem_read_unlock(&as->i_mmap_lock);
}

/* Unlocks p and puts it.  false: it stays, being dirty, perhaps since the programs that had it mapped were told, or (of a block device, whose
 * buffers are references) in use. */
static bool drop_clean(struct address_space *as, struct page *p)
{
	bool ours = p->mapping == as, gone = !ours;

	if (ours) {
		page_wait_writeback(p);
		if (atomic_load(&p->mapcount))
			unmap_page(as, p);
	}
	if (ours && as->ops->page_dirtied) {
		if (page_remove_unused(as, p))
			return true;
	} else if (ours && !(page_flags(p) & PG_DIRTY)) {
		page_remove(as, p);		/* unlocks */
		page_put(p);
		return true;
	}
	page_unlock(p);
	page_put(p);
	return gone;
}

int filemap_invalidate(struct address_space *as, u64 start, u64 end)
{
	u64 first = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	void *pages[BATCH];
	u64 index[BATCH];
	int err;

	if (!READ_ONCE(as->nr_pages))
		return 0;
	err = filemap_write_range(as, start, end);
	if (!err)
		err = filemap_wait_range(as, start, end);
	while (!err && first <= last) {
		u32 n = gang_lookup(as, first, last, pages, index, BATCH);

		for (u32 k = 0; k < n; k++) {
			if (!pages[k])
				continue;
			page_lock(pages[k]);
			if (!drop_clean(as, pages[k]))
				err = -EBUSY;
		}
		if (n < BATCH)
			break;
		first = index[n - 1] + 1;
	}
	return err;
}

u64 filemap_discard(struct address_space *as, u64 first, u64 last)
{
	void *pages[BATCH];
	u64 index[BATCH], gone = 0;
	u32 n;

	do {
		n = gang_lookup(as, first, last, pages, index, BATCH);
		for (u32 k = 0; k < n; k++) {
			struct page *p = pages[k];

			if (!p)
				continue;
			if (page_trylock(p)) {
				if (p->mapping == as && page_remove_unused(as, p)) {
					gone++;
					continue;
				}
				page_unlock(p);
			}
			page_put(p);
		}
		if (n)
			first = index[n - 1] + 1;
	} while (n == BATCH && first <= last);
	return gone;
}
