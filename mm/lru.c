/* The pages of files that could be read again, by last use.
 *
 * Theory.  Two lists, as in most kernels since 4.3BSD's clock: a page comes to the front of the inactive list; at its end it is either let
 * go or, if it was used since, put on the active list, at whose end it gets one more turn through the inactive one.  So what is read once -
 * a large file copied - passes through the inactive list and pushes out nothing that was used twice, as long as the active list is not the
 * longer one.
 *
 * Used is: through a call, PG_ACCESSED the first time and PG_WORKING the next, set without the lock; through a mapping, that it is mapped.
 * Entries have no accessed bit that the hardware sets (arch/arm64/mmu.c), so a page is unmapped when it leaves the active list; who still
 * wants it maps it again by a fault that needs no device.  Mapped at the end of the inactive list means used.
 *
 * Pages that are dirty, locked, being written, or referenced by somebody beside the cache are passed over; so are those that a
 * locked (mlock) VMA maps.  Pages of tmpfs are not here at all: there is nowhere to read them from again.
 *
 * Locks.  lru_lock (LC_LRU) guards the lists and PG_LRU, PG_ACTIVE.  The shrinker takes pages off the lists in batches, each with a
 * reference, and works without the lock; a page that leaves the cache meanwhile has p->mapping NULL before lru_del looks for PG_LRU under
 * the lock, and putting back looks at p->mapping under the lock: so none is left listed that has gone.  Of all other locks the shrinker only
 * tries: page_alloc calls it with any sleeping lock held. */
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/sync/spinlock.h>
#include <mm/filemap_internal.h>
#include <mm/lru.h>
#include <mm/mm_internal.h>

#define ISOLATE	32

static DEFINE_SPINLOCK(lru_lock, LC_LRU);
static struct list_head lists[NR_LRU] = { LIST_HEAD_INIT(lists[0]), LIST_HEAD_INIT(lists[1]) };	/* [lru_lock] the newest first */
static u64 counts[NR_LRU];			/* [lru_lock], read racily */

u64 lru_pages(enum lru_list which) { return READ_ONCE(counts[which]); }

/* lru_lock held; p is on no list. */
static void list_page(struct page *p, enum lru_list which, bool front)
{
	if (which == LRU_ACTIVE)
		atomic_fetch_or(&p->flags, PG_LRU | PG_ACTIVE);
	else
		atomic_fetch_or(&p->flags, PG_LRU);
	if (front)
		list_add(&p->lru, &lists[which]);
	else
		list_add_tail(&p->lru, &lists[which]);
	counts[which]++;
}

static void unlist_page(struct page *p)
{
	enum lru_list which = page_flags(p) & PG_ACTIVE ? LRU_ACTIVE : LRU_INACTIVE;

	list_del(&p->lru);
	atomic_fetch_and(&p->flags, ~(u32)(PG_LRU | PG_ACTIVE));
	counts[which]--;
}

void lru_add(struct page *p)
{
	irqflags_t flags = spin_lock_irqsave(&lru_lock);

	if (READ_ONCE(p->mapping))
		list_page(p, LRU_INACTIVE, true);
	spin_unlock_irqrestore(&lru_lock, flags);
}

void lru_del(struct page *p)
{
	irqflags_t flags = spin_lock_irqsave(&lru_lock);

	if (page_flags(p) & PG_LRU)
		unlist_page(p);
	spin_unlock_irqrestore(&lru_lock, flags);
}

/* Up to nr pages from the end of a list, off it and referenced. */
static u32 isolate(enum lru_list which, struct page **pages, u32 nr)
{
	irqflags_t flags = spin_lock_irqsave(&lru_lock);
	u32 n = 0;

	while (n < nr && !list_empty(&lists[which])) {
		struct page *p = list_last_entry(&lists[which], struct page, lru);

		page_get(p);		/* while it is listed the cache has one */
		unlist_page(p);
		pages[n++] = p;
	}
	spin_unlock_irqrestore(&lru_lock, flags);
	return n;
}

static void put_back(struct page *p, enum lru_list which)
{
	irqflags_t flags = spin_lock_irqsave(&lru_lock);

	if (READ_ONCE(p->mapping))
		list_page(p, which, true);
	spin_unlock_irqrestore(&lru_lock, flags);
	page_put(p);
}

static inline bool covers(const struct vma *vma, u64 index)
{
	return index >= vma->pgoff && index - vma->pgoff < (vma->end - vma->start) >> PAGE_SHIFT;
}

/* p, locked, out of all address spaces; false: some need it (mlock), or it cannot be told now. */
bool page_unmap_file(struct page *p)
{
	struct address_space *as = p->mapping;
	struct vma *vma;
	bool kept = false;

	if (!rwsem_read_trylock(&as->i_mmap_lock))
		return false;
	list_for_each_entry(vma, &as->i_mmap, i_mmap_link)
		kept = kept || (vma->flags & VM_LOCKED && covers(vma, p->index));
	if (!kept)
		list_for_each_entry(vma, &as->i_mmap, i_mmap_link) {
			vaddr_t addr = vma->start + ((p->index - vma->pgoff) << PAGE_SHIFT);
			struct pte_info info;

			if (covers(vma, p->index) && pt_unmap_one(vma->mm, addr, page_to_pfn(p), &info))
				mm_page_gone(vma, addr, &info, 1);
		}
	rwsem_read_unlock(&as->i_mmap_lock);
	return !kept && !atomic_load(&p->mapcount);
}

void lru_deactivate(struct page *p)
{
	irqflags_t flags;

	if (!p->mapping || !page_unmap_file(p))
		return;
	atomic_fetch_and(&p->flags, ~(u32)(PG_ACCESSED | PG_WORKING));
	flags = spin_lock_irqsave(&lru_lock);
	if (page_flags(p) & PG_LRU) {
		unlist_page(p);
		list_page(p, LRU_INACTIVE, true);
	}
	spin_unlock_irqrestore(&lru_lock, flags);
}

/* From the end of the active list: used since it came there, it stays; else it is unmapped and gets its last turn. */
static void age(struct page *p)
{
	u32 used = atomic_fetch_and(&p->flags, ~(u32)(PG_ACCESSED | PG_WORKING)) & (PG_ACCESSED | PG_WORKING);
	enum lru_list to = used ? LRU_ACTIVE : LRU_INACTIVE;

	if (!used && atomic_load(&p->mapcount) && page_trylock(p)) {
		if (p->mapping && !page_unmap_file(p))
			to = LRU_ACTIVE;
		page_unlock(p);
	}
	put_back(p, to);
}

static void balance_lists(void)
{
	struct page *pages[ISOLATE];
	u32 n;

	if (lru_pages(LRU_ACTIVE) <= lru_pages(LRU_INACTIVE))
		return;
	n = isolate(LRU_ACTIVE, pages, ISOLATE);
	for (u32 i = 0; i < n; i++)
		age(pages[i]);
}

/* p, isolated: free it (true), or put it back where it belongs.  all: use does not matter, but that it is mapped. */
static bool let_go(struct page *p, bool all)
{
	enum lru_list to = LRU_INACTIVE;
	bool gone = false;

	if (!page_trylock(p)) {
		put_back(p, to);
		return false;
	}
	if (!p->mapping || page_flags(p) & (PG_DIRTY | PG_WRITEBACK | PG_ERROR)) {
		;
	} else if (atomic_load(&p->mapcount)) {
		to = LRU_ACTIVE;
	} else if (!all && page_flags(p) & PG_WORKING) {
		to = LRU_ACTIVE;
	} else {
		rcu_read_lock();		/* the file may end as soon as it has no page */
		gone = page_remove_unused(p->mapping, p);
		rcu_read_unlock();
	}
	if (gone)
		return true;
	if (to == LRU_ACTIVE)
		atomic_fetch_and(&p->flags, ~(u32)(PG_ACCESSED | PG_WORKING));
	page_unlock(p);
	put_back(p, to);
	return false;
}

static u64 shrink_list(enum lru_list which, u64 want, u64 scan, bool all)
{
	struct page *pages[ISOLATE];
	u64 freed = 0;

	while (freed < want && scan) {
		u32 n = isolate(which, pages, (u32)min(scan, (u64)ISOLATE));

		if (!n)
			break;
		for (u32 i = 0; i < n; i++)
			freed += let_go(pages[i], all);
		scan -= n;
		if (!all)
			balance_lists();
	}
	return freed;
}

u64 lru_shrink(u64 want)
{
	u64 scan = max(lru_pages(LRU_INACTIVE), (u64)ISOLATE), freed;

	balance_lists();
	freed = shrink_list(LRU_INACTIVE, want, scan, false);
	/* All that was inactive is in use: so is what is active, but somebody has to go. */
	for (u64 n = lru_pages(LRU_ACTIVE) / ISOLATE + 1; !freed && n; n--) {
		struct page *pages[ISOLATE];
		u32 k = isolate(LRU_ACTIVE, pages, ISOLATE);

		for (u32 i = 0; i < k; i++)
			age(pages[i]);
		freed = shrink_list(LRU_INACTIVE, want, ISOLATE, false);
	}
	return freed;
}

u64 lru_drop(void)
{
	u64 freed = 0, n;

	for (u32 l = 0; l < NR_LRU; l++) {
		n = lru_pages(l);
		freed += shrink_list(l, n, n, true);
	}
	return freed;
}
