/* Which pages go to swap.
 *
 * Theory.  Of anonymous memory there are two sets: what is mapped, and what was unmapped to see whether anybody misses it (the pages of the swap cache
 * on the list below).  Page-table entries have no accessed bit here (arch/arm64/mmu.c), so only a fault tells that a page is used; that is
 * the page's second chance: unmapped, it stays in memory for a while, and who touches it has it back without a device.  Who reaches the
 * end of the list is written, and freed when that has ended.  (VAX/VMS did it so, for the same want of a bit.)
 *
 * The mapped ones are not on a list.  A hand goes over the frames, like a clock's, and takes what is anonymous and mapped.  Lists would cost every
 * fault, every exit and every machine without swap a lock and four stores a page, to keep an order that is only that of birth; the hand
 * costs nothing until memory is short, and then some instructions for each frame beside the microseconds a page takes to be written.
 * What is used comes back from the list, so the order in which pages are tried matters little.
 *
 * A page goes only if all its mappings are found (mm/rmap.c), none is in a locked VMA, and nobody else holds a reference: a device, or the kernel in
 * the middle of a copy.  It is unmapped under its lock; who faults waits for that lock.
 *
 * How much of programs and how much of files: vm.swappiness s and the amounts of both, as s * anonymous : (200 - s) * files (mm/reclaim.c).
 *
 * The thread writes, and who is about to ask the OOM killer; not page_alloc, which may hold anything. */
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/wait.h>
#include <kernel/sysctl.h>
#include <mm/mm_internal.h>
#include <mm/rmap.h>
#include <mm/shmem.h>
#include <mm/swap_internal.h>
#include <mm/writeback.h>
#include <mm/writer_internal.h>

#define BATCH		32u
#define FLYING_MAX	1024u		/* no more at a time */
#define FRAMES		256ul		/* the hand goes on by so many */
#define CHANCE_SHIFT	5		/* unmapped pages that are left alone: of the mapped ones, 1 in 2^5 */

u64 swap_swappiness = 60;
SYSCTL(swappiness, "vm/swappiness", .value = &swap_swappiness, .max = 200);

static DEFINE_SPINLOCK(list_lock, LC_LRU);
static struct list_head unmapped = LIST_HEAD_INIT(unmapped);	/* [list_lock] the newest first */
static u64 nr_unmapped;		/* [list_lock], read racily */
static u64 hand;		/* [a] frames passed */
static u64 nr_flying;		/* [a] pages being written */

u64 swap_cached(void) { return vmstat_read(VM_SWAP_CACHED); }
bool swap_in_flight(void) { return atomic_load(&nr_flying); }
bool swap_can_help(void) { return unlikely(READ_ONCE(swap_areas_in_use)) && (swap_free() || swap_cached()); }

void unmapped_add(struct page *p, bool old)
{
	irqflags_t flags = spin_lock_irqsave(&list_lock);

	if ((page_flags(p) & (PG_LRU | PG_SWAPCACHE)) == PG_SWAPCACHE) {
		atomic_fetch_or(&p->flags, PG_LRU);
		if (old)
			list_add_tail(&p->lru, &unmapped);
		else
			list_add(&p->lru, &unmapped);
		nr_unmapped++;
	}
	spin_unlock_irqrestore(&list_lock, flags);
}

void unmapped_del(struct page *p)
{
	irqflags_t flags;

	flags = spin_lock_irqsave(&list_lock);
	if (page_flags(p) & PG_LRU) {
		list_del(&p->lru);
		atomic_fetch_and(&p->flags, ~(u32)PG_LRU);
		nr_unmapped--;
	}
	spin_unlock_irqrestore(&list_lock, flags);
}

/* --- from mapped to unmapped --- */

struct look { s32 found; bool locked; };

static bool look_at(struct vma *vma, vaddr_t addr, struct page *p, void *arg)
{
	struct look *l = arg;
	struct pte_info info;

	if (!pt_lookup(vma->mm, addr, &info) || !info.present || info.pfn != page_to_pfn(p))
		return true;
	l->locked = vma->flags & VM_LOCKED;
	if (info.block)
		pt_split_block(vma->mm, addr);
	return !l->locked && ++l->found < atomic_load(&p->mapcount);
}

static bool unmap_from(struct vma *vma, vaddr_t addr, struct page *p, void *arg)
{
	struct mm *mm = vma->mm;

	(void)arg;
	if (vma->flags & VM_LOCKED || swap_dup(p->private))
		return true;
	WRITE_ONCE(mm->hiwater_rss, mm_peak_rss(mm));
	if (!pt_unmap_to_swap(mm, addr, page_to_pfn(p), p->private)) {
		swap_put(p->private);
		return true;
	}
	atomic_inc(&mm->swapped);
	rss_add(mm, p, -1);
	page_unmapped(p);
	page_put(p);
	return atomic_load(&p->mapcount);
}

/* Nobody but its mappings, the cache and the caller has p. */
static bool referenced_elsewhere(struct page *p)
{
	return atomic_load(&p->pins) || atomic_load(&p->refs) != atomic_load(&p->mapcount) + 1 + !!(page_flags(p) & PG_SWAPCACHE);
}

static bool cache(struct page *p)
{
	u64 slot = slot_alloc();

	if (!slot)
		return false;
	page_mark_uptodate(p);
	atomic_fetch_or(&p->flags, PG_DIRTY);
	if (!swap_cache_add(p, slot))
		return true;
	atomic_fetch_and(&p->flags, ~(u32)PG_DIRTY);
	slot_cancel(slot);
	return false;
}

/* p, locked: out of all page tables, onto the list.  false: it stays where it is. */
static bool unmap(struct page *p)
{
	struct look l = { 0, false };

	if (referenced_elsewhere(p) || !rmap_walk_anon(p, look_at, &l) || l.locked || !l.found || l.found != atomic_load(&p->mapcount))
		return false;
	if (!(page_flags(p) & PG_SWAPCACHE) && (atomic_load(&p->private) /* a block's first, and somebody has it as one */ || !cache(p)))
		return false;
	rmap_walk_anon(p, unmap_from, NULL);
	if (!atomic_load(&p->mapcount)) {
		unmapped_add(p, false);
		return true;
	}
	if (!slot_entries(p->private) && !(page_flags(p) & PG_WRITEBACK))
		swap_cache_remove(p);
	return false;
}

/* Seen with a file under a reference, a page is the file's. */
static bool take_shmem(struct page *p)
{
	bool taken = false;

	if (!page_get_unless_zero(p))
		return false;
	if (page_flags(p) & PG_SWAPBACKED && READ_ONCE(p->mapping) && page_trylock(p)) {
		taken = shmem_unmap(p);
		page_unlock(p);
	}
	page_put(p);
	return taken;
}

/* A frame of the array.  Seen anonymous and mapped under a reference, it is nobody's but those who map it. */
static bool take_frame(struct page *p, bool room)
{
	bool taken = false;

	if (!room && !(page_flags(p) & PG_SWAPCACHE))
		return false;
	if ((page_flags(p) & (PG_SWAPBACKED | PG_LOCKED)) == PG_SWAPBACKED)
		return take_shmem(p);
	if ((page_flags(p) & (PG_ANON | PG_LOCKED | PG_WRITEBACK)) != PG_ANON || atomic_load(&p->mapcount) <= 0 || !page_get_unless_zero(p))
		return false;
	if (atomic_load_acquire(&p->mapcount) > 0 && (page_flags(p) & (PG_ANON | PG_RESERVED)) == PG_ANON && page_trylock(p)) {
		if (atomic_load(&p->mapcount) > 0)
			taken = unmap(p);
		page_unlock(p);
	}
	page_put(p);
	return taken;
}

/* Up to nr pages, in at most one turn of the hand. */
static u64 take_pages(u64 nr)
{
	u64 frames = page_end_pfn - page_base_pfn, taken = 0;

	for (u64 passed = 0; taken < nr && passed < frames; passed += FRAMES) {
		bool room = swap_free();		/* else only those that have a slot already, being shared with who has not touched them since */
		u64 at = (__atomic_fetch_add(&hand, FRAMES, __ATOMIC_RELAXED)) % ALIGN_UP(frames, FRAMES);

		for (u64 i = at; i < min(at + FRAMES, frames); i++)
			taken += take_frame(pfn_to_page(page_base_pfn + i), room);
	}
	return taken;
}

/* --- from unmapped to written to free --- */

static void write_end(struct bio *bio)
{
	if (bio->status)
		printk_ratelimited(LOG_ERR "swap: writing to %s: error %d; the pages stay in memory\n", bio->bdev->name, bio->status);
	for (u32 i = 0; i < bio->nr_vecs; i++) {
		struct page *p = bio->vecs[i].page;

		if (bio->status)
			atomic_fetch_or(&p->flags, PG_DIRTY | PG_ERROR);
		unmapped_add(p, !bio->status);
		page_put(p);			/* not the last: the cache has one, and keeps it as long as PG_WRITEBACK is set */
		page_end_writeback(p);		/* who has waited for this finds no reference but his and the cache's */
	}
	vmstat_add(VM_SWAPPED_OUT, bio->nr_vecs);
	atomic_sub(&nr_flying, (u64)bio->nr_vecs);
	bio_free(bio);
	wake_up_all(&pages_written);
}

/* Up to BATCH pages from the end of the list, off it and referenced; not those that are just being freed, which leave it by themselves. */
static u32 isolate(struct page **pages, u32 nr)
{
	irqflags_t flags = spin_lock_irqsave(&list_lock);
	u32 n = 0;

	for (struct list_head *at = unmapped.prev, *next; at != &unmapped && n < nr; at = next) {
		struct page *p = list_entry(at, struct page, lru);

		next = at->prev;
		if (!page_get_unless_zero(p))
			continue;
		list_del(&p->lru);
		atomic_fetch_and(&p->flags, ~(u32)PG_LRU);
		nr_unmapped--;
		pages[n++] = p;
	}
	spin_unlock_irqrestore(&list_lock, flags);
	return n;
}

enum verdict { KEEP, DEAD, FREED, WRITE };

/* p, isolated and locked.  FREED: it is, and unlocked.  DEAD: nobody names its slot any more. */
static enum verdict judge(struct page *p, bool write)
{
	u32 flags = page_flags(p);

	if (!(flags & PG_SWAPCACHE) || flags & PG_WRITEBACK)
		return KEEP;
	if (!slot_entries(p->private))
		return DEAD;
	if (atomic_load(&p->mapcount) || !(flags & PG_UPTODATE))
		return KEEP;
	if (!(flags & PG_DIRTY))
		return swap_cache_remove_unused(p) ? FREED : KEEP;
	return write && !(flags & PG_ERROR) && atomic_load(&p->refs) == 2 ? WRITE : KEEP;
}

/* p, isolated: what can be done at once.  true: it is to be written, and still locked and referenced. */
static bool settle(struct page *p, bool write, u64 *freed)
{
	enum verdict v;

	if (!page_trylock(p)) {
		unmapped_add(p, false);
		page_put(p);
		return false;
	}
	v = judge(p, write);
	if (v == WRITE)
		return true;
	if (v == FREED) {
		++*freed;
		return false;
	}
	if (v == DEAD) {
		*freed += !atomic_load(&p->mapcount);
		swap_cache_remove(p);
	} else {
		unmapped_add(p, false);
	}
	page_unlock(p);
	page_put(p);
	return false;
}

/* Locked, referenced (write_end puts them). */
static void write_pages(struct page **pages, u32 nr)
{
	struct block_plug plug;

	block_plug(&plug);
	for (u32 i = 0, first = 0; i < nr; i++) {
		bool row = i + 1 < nr && pages[i + 1]->private == pages[i]->private + 1;

		atomic_fetch_or(&pages[i]->flags, PG_WRITEBACK);
		atomic_fetch_and(&pages[i]->flags, ~(u32)PG_DIRTY);
		atomic_inc(&nr_flying);
		page_unlock(pages[i]);
		if (row)
			continue;
		swap_submit(pages + first, i + 1 - first, true, write_end);
		first = i + 1;
	}
	block_unplug(&plug);
}

/* From the end of the list: free up to want pages, looking at up to scan; write what is dirty. */
static u64 shrink_unmapped(u64 want, u64 scan, bool write)
{
	struct page *pages[BATCH];
	u64 freed = 0;

	while (freed < want && scan) {
		u32 n = isolate(pages, (u32)min(scan, (u64)BATCH)), k = 0;

		if (!n)
			break;
		for (u32 i = 0; i < n; i++)
			if (settle(pages[i], write, &freed))
				pages[k++] = pages[i];
		write_pages(pages, k);
		scan -= n;
	}
	return freed;
}

u64 swap_free_clean(u64 nr) { return READ_ONCE(nr_unmapped) ? shrink_unmapped(nr, 2 * nr, false) : 0; }

u64 swap_out(u64 nr)
{
	u64 chance = vmstat_read(VM_ANON_PAGES) >> CHANCE_SHIFT, freed = swap_free_clean(nr), taken, old;
	u32 mine = ~current->pflags & PF_MEMALLOC;

	if (freed >= nr)
		return freed;
	current->pflags |= PF_MEMALLOC;
	taken = take_pages(nr - freed);
	old = READ_ONCE(nr_unmapped);
	if (taken)		/* else there is nothing else */
		old = old > chance ? old - chance : 0;
	if (atomic_load(&nr_flying) < FLYING_MAX)
		freed += shrink_unmapped(nr - freed, min(old, 2 * nr), true);
	current->pflags &= ~mine;
	return freed;
}

/* p, locked, mapped by one program. */
static bool unmap_any(struct page *p)
{
	if (page_flags(p) & PG_WRITEBACK || atomic_load(&p->mapcount) != 1)
		return false;
	if (page_flags(p) & PG_ANON)
		return unmap(p);
	return page_flags(p) & PG_SWAPBACKED && p->mapping && shmem_unmap(p);
}

void swap_deactivate(struct page *p) { unmap_any(p); }

void swap_out_pages(struct page **pages, u32 nr)
{
	struct page *out[BATCH];
	u32 n = 0, k = 0;

	for (u32 i = 0; i < nr; i++) {
		struct page *p = pages[i];

		page_lock(p);
		if (unmap_any(p)) {
			page_unlock(p);
			pages[n++] = p;
		} else {
			page_unlock(p);
			page_put(p);
		}
	}
	for (u32 i = 0; i < n; i++) {
		struct page *p = pages[i];

		page_lock(p);
		if ((page_flags(p) & (PG_SWAPCACHE | PG_DIRTY | PG_WRITEBACK)) == (PG_SWAPCACHE | PG_DIRTY) && !atomic_load(&p->mapcount) &&
		    atomic_load(&p->refs) == 2) {
			unmapped_del(p);
			page_get(p);
			out[k++] = p;
		} else {
			page_unlock(p);
		}
		if (k == BATCH || i + 1 == n) {
			write_pages(out, k);
			k = 0;
		}
	}
	for (u32 i = 0; i < n; i++) {
		struct page *p = pages[i];

		page_wait_writeback(p);
		page_lock(p);
		if (page_flags(p) & PG_SWAPCACHE && slot_entries(p->private) && swap_cache_remove_unused(p))
			continue;
		page_unlock(p);
		page_put(p);
	}
}
