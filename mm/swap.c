/* Swap: the cache of pages that have a slot, their way to the device and back.
 *
 * Theory.  An anonymous page (and one of tmpfs) has no file to be read again from; to use its frame for something else it is written to a slot of a
 * swap area (mm/swapfile.c), and the page-table entries that mapped it name the slot instead.  Life of a page:
 *
 *   mapped                 no slot, nothing here
 *   unmapped, to be written  in the swap cache (PG_SWAPCACHE, page->private is the slot): entries name the slot, and who touches one finds the page
 *                          here, at the price of a fault; PG_DIRTY, on a list (mm/swap_out.c)
 *   being written          PG_WRITEBACK
 *   written                clean; freed when memory is wanted, and then only the slot knows the contents
 *   read back              in the cache again, locked until the device has answered
 *   mapped again           by the first who faults
 *
 * While a page is in the cache no entry that maps it is writable: pt_reuse_one wants a page without other references, and the cache has
 * one.  So the page is what was written, or will be.  When the last entry that names the slot is gone (all who share the page have it
 * mapped again, or have gone), page and slot part at once: a slot is never kept for a page in memory, which the next store would make out of
 * date anyway.  A single owner gets his page back writable in the same fault.
 *
 * A slot's map entry counts the page-table entries that name it, and has a bit for the cache; the slot is free when it is 0.  The cache is a tree
 * for each area, looked up like the page cache: RCU, a speculative reference, then another look under the page lock.  All that changes
 * whether p is cached, or its first mapping, happens under the page lock.
 *
 * Reading brings the slots around along (vm.page-cluster, 8 as a rule), for what went together is often wanted together.  A page that
 * cannot be read is SIGBUS for who touches it, every time; one that cannot be written stays. */
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/rcu.h>
#include <kernel/sysctl.h>
#include <mm/filemap.h>
#include <mm/mm_internal.h>
#include <mm/rmap.h>
#include <mm/slab.h>
#include <mm/swap_internal.h>
#include <mm/writeback.h>

#define MAX_CLUSTER 5		/* log2 of the slots read at once, at most */

static u64 page_cluster = 3;
SYSCTL(page_cluster, "vm/page-cluster", .value = &page_cluster, .max = MAX_CLUSTER);

static struct slab_cache *node_cache;
struct cache_node { struct radix_node node; struct rcu_head rcu; };

static struct radix_node *node_alloc(void)
{
	struct cache_node *n = slab_alloc(node_cache, GFP_ATOMIC | GFP_ZERO);

	return n ? &n->node : NULL;
}

static void node_free_rcu(struct rcu_head *head) { slab_free(node_cache, container_of(head, struct cache_node, rcu)); }
static void node_free(struct radix_node *node) { call_rcu(&container_of(node, struct cache_node, node)->rcu, node_free_rcu); }

void swap_tree_init(struct radix_tree *t) { radix_tree_init(t, node_alloc, node_free); }

void swap_cache_init(struct swap_area *a)
{
	if (!node_cache) {
		node_cache = slab_cache_create("swap_node", sizeof(struct cache_node), 0, NULL);
		VERIFY(node_cache);
	}
	spin_lock_init(&a->tree_lock, LC_PAGE_TREE);
	swap_tree_init(&a->tree);
}

static u16 *map_of(u64 slot) { return &area_of(slot)->map[slot_index(slot)]; }

/* --- the cache --- */

static bool is_cached(const struct page *p, u64 slot)
{
	return page_flags(p) & PG_SWAPCACHE && READ_ONCE(p->private) == slot;
}

struct page *swap_cache_lookup(u64 slot)
{
	struct page *p;

	rcu_read_lock();
	for (;;) {
		struct swap_area *a = area_of(slot);

		p = a ? radix_tree_lookup(&a->tree, slot_index(slot)) : NULL;
		if (!p)
			break;
		if (!page_get_unless_zero(p))
			continue;
		if (is_cached(p, slot))
			break;
		page_put(p);			/* it left, and the tree says so now */
	}
	rcu_read_unlock();
	return p;
}

bool swap_is_cached(u64 slot)
{
	struct page *p = swap_cache_lookup(slot);
	bool in = p && page_uptodate(p);

	if (p)
		page_put(p);
	return in;
}

/* tree_lock held. */
static int insert(struct swap_area *a, struct page *p, u64 slot)
{
	int err;

	p->private = slot;
	page_get(p);
	atomic_fetch_or_acq_rel(&p->flags, PG_SWAPCACHE);
	err = radix_tree_insert(&a->tree, slot_index(slot), p);
	if (!err)
		return 0;
	atomic_fetch_and(&p->flags, ~(u32)PG_SWAPCACHE);
	p->private = 0;
	atomic_dec(&p->refs);
	return err;
}

int swap_cache_add(struct page *p, u64 slot)
{
	struct swap_area *a = area_of(slot);
	irqflags_t flags = spin_lock_irqsave(&a->tree_lock);
	int err = insert(a, p, slot);

	spin_unlock_irqrestore(&a->tree_lock, flags);
	if (!err)
		vmstat_add(VM_SWAP_CACHED, 1);
	return err;
}

/* The same for a slot that somebody names, which is about to be read.  -EEXIST: it is there already; -ENOENT: nobody names it any more. */
static int add_to_read(struct swap_area *a, struct page *p, u64 index)
{
	irqflags_t flags = spin_lock_irqsave(&a->tree_lock);
	u16 *m = &a->map[index], old = atomic_load(m);
	int err = 0;

	do {
		if (old & SLOT_CACHED)
			err = -EEXIST;
		else if (!old || old == SLOT_BAD)
			err = -ENOENT;
	} while (!err && !__atomic_compare_exchange_n(m, &old, (u16)(old | SLOT_CACHED), false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	if (!err) {
		err = insert(a, p, slot_name(a, index));
		if (err && !(__atomic_and_fetch(m, (u16)~SLOT_CACHED, __ATOMIC_ACQ_REL)))
			slot_free(a, index);
	}
	spin_unlock_irqrestore(&a->tree_lock, flags);
	if (!err)
		vmstat_add(VM_SWAP_CACHED, 1);
	return err;
}

void slot_cancel(u64 slot)
{
	if (!__atomic_and_fetch(map_of(slot), (u16)~SLOT_CACHED, __ATOMIC_ACQ_REL))
		slot_free(area_of(slot), slot_index(slot));
}

/* p is out of the tree. */
static void forget(struct swap_area *a, struct page *p)
{
	u64 index = slot_index(p->private);

	atomic_fetch_and(&p->flags, ~(u32)(PG_SWAPCACHE | PG_DIRTY | PG_ERROR));	/* first: unmapped_add asks for it */
	unmapped_del(p);
	p->private = 0;
	vmstat_add(VM_SWAP_CACHED, -1);
	if (!__atomic_and_fetch(&a->map[index], (u16)~SLOT_CACHED, __ATOMIC_ACQ_REL))
		slot_free(a, index);
}

void swap_cache_remove(struct page *p)
{
	struct swap_area *a = area_of(p->private);
	irqflags_t flags = spin_lock_irqsave(&a->tree_lock);

	radix_tree_delete(&a->tree, slot_index(p->private));
	spin_unlock_irqrestore(&a->tree_lock, flags);
	rcu_read_lock();		/* the area may go with its last slot */
	forget(a, p);
	rcu_read_unlock();
	page_put(p);
}

bool swap_cache_remove_unused(struct page *p)
{
	struct swap_area *a = area_of(p->private);
	irqflags_t flags = spin_lock_irqsave(&a->tree_lock);
	bool ok = !atomic_load(&p->mapcount) && atomic_cas(&p->refs, 2, 0);

	if (ok && page_flags(p) & (PG_DIRTY | PG_WRITEBACK)) {
		atomic_store(&p->refs, 2);
		ok = false;
	}
	if (ok)
		radix_tree_delete(&a->tree, slot_index(p->private));
	spin_unlock_irqrestore(&a->tree_lock, flags);
	if (!ok)
		return false;
	rcu_read_lock();
	forget(a, p);
	rcu_read_unlock();
	page_unlock(p);
	atomic_store(&p->refs, 1);
	page_put(p);
	return true;
}

/* --- who names a slot --- */

int swap_dup(u64 slot)
{
	u16 *m = map_of(slot), old = atomic_load(m);

	do {
		if ((old & ~SLOT_CACHED) >= SLOT_MAX)
			return -ENOMEM;
	} while (!__atomic_compare_exchange_n(m, &old, (u16)(old + 1), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return 0;
}

/* Nobody names slot, whose page is in the cache: it goes, unless it is in use at the moment; then mm/swap_out.c finds it. */
static void drop_unwanted(u64 slot)
{
	struct page *p = swap_cache_lookup(slot);

	if (!p)
		return;
	if (page_trylock(p)) {
		if (is_cached(p, slot) && !slot_entries(slot) && !(page_flags(p) & PG_WRITEBACK))
			swap_cache_remove(p);
		page_unlock(p);
	}
	page_put(p);
}

void swap_put(u64 slot)
{
	u16 left;

	rcu_read_lock();
	left = __atomic_sub_fetch(map_of(slot), (u16)1, __ATOMIC_ACQ_REL);
	if (!left)
		slot_free(area_of(slot), slot_index(slot));
	else if (left == SLOT_CACHED)
		drop_unwanted(slot);
	rcu_read_unlock();
}

int swap_fork(struct mm *dst, u64 slot)
{
	int err = swap_dup(slot);

	if (!err)
		atomic_inc(&dst->swapped);
	return err;
}

void swap_gone(struct mm *mm, u64 slot)
{
	atomic_dec(&mm->swapped);
	swap_put(slot);
}

/* --- the device --- */

void swap_submit(struct page **pages, u32 nr, bool write, void (*end)(struct bio *bio))
{
	struct swap_area *a = area_of(pages[0]->private);

	for (u32 i = 0; i < nr;) {
		u64 run, sector = slot_sector(a, slot_index(pages[i]->private), &run);
		u32 n = (u32)min((u64)(nr - i), run), k = 0;
		struct bio *bio = bio_alloc(a->bdev, write ? BIO_WRITE : BIO_READ, write ? 0 : BIO_SYNC, sector, n, GFP_NOIO);

		while (k < n && bio_add(bio, pages[i + k], 0, PAGE_SIZE))
			k++;
		bio->end = end;
		bio_submit(bio);
		i += k;
	}
}

static void read_end(struct bio *bio)
{
	for (u32 i = 0; i < bio->nr_vecs; i++) {
		struct page *p = bio->vecs[i].page;

		if (!bio->status)
			page_mark_uptodate(p);
		page_unlock(p);		/* it may go now */
	}
	vmstat_add(VM_SWAPPED_IN, bio->nr_vecs);
	bio_free(bio);
}

/* A new page for a slot, locked, in the cache: 0 and *out. */
static int page_to_read(struct swap_area *a, u64 index, gfp_t gfp, struct page **out)
{
	struct page *p = page_alloc(0, GFP_USER | gfp);
	int err;

	if (!p)
		return -ENOMEM;
	p->flags = PG_ANON | PG_LOCKED;
	p->index = 0;
	err = add_to_read(a, p, index);
	if (err) {
		page_unlock(p);
		page_put(p);
		return err;
	}
	unmapped_add(p, false);
	*out = p;
	return 0;
}

/* read_around in a, which does not end meanwhile. */
static int read_area(struct swap_area *a, u64 slot, struct page **out)
{
	u64 at = slot_index(slot), w = 1ul << READ_ONCE(page_cluster), first = ALIGN_DOWN(at, w), end = min(first + w, a->nr_slots);
	struct page *pages[1 << MAX_CLUSTER], *p;
	struct block_plug plug;
	u32 n = 0;
	int err = page_to_read(a, at, 0, out);

	if (err)
		return err;
	block_plug(&plug);
	for (u64 i = first; i < end; i++) {
		if (i == at)
			p = *out;
		else if (page_to_read(a, i, GFP_NOIO, &p))
			p = NULL;
		if (p) {
			if (p != *out)
				page_put(p);	/* the cache has one, and nobody takes it while the page is locked */
			pages[n++] = p;
		}
		if (n && (!p || i + 1 == end)) {
			swap_submit(pages, n, false, read_end);
			n = 0;
		}
	}
	block_unplug(&plug);
	return 0;
}

/* Read slot and those around it that are in use.  *out: slot's page, referenced.  -EEXIST: it is in the cache by now; -ENOENT: nobody names it
 * any more, and for what the caller knows the area has ended: he saw an entry, which swapoff or another fault has filled since. */
static int read_around(u64 slot, struct page **out)
{
	struct swap_area *a;
	int err = -ENOENT;

	rcu_read_lock();
	a = rcu_dereference(swap_areas[(slot >> SWAP_AREA_SHIFT) - 1]);
	if (a)
		atomic_inc(&a->users);
	rcu_read_unlock();
	if (!a)
		return err;
	if (slot_index(slot) < a->nr_slots)	/* else it is a new one, in the old one's place */
		err = read_area(a, slot, out);
	atomic_dec(&a->users);
	return err;
}

int swap_read_page(u64 slot, struct page **out)
{
	bool tried = false, failed;
	struct page *p;
	int err;

	for (;;) {
		p = swap_cache_lookup(slot);
		while (!p) {
			err = read_around(slot, &p);
			if (err == -ENOENT)
				return -EAGAIN;
			if (err == -EEXIST)
				p = swap_cache_lookup(slot);
			else if (err)
				return err;
			else
				tried = true, current->maj_flt++;
		}
		page_lock(p);
		if (likely(is_cached(p, slot) && page_uptodate(p))) {
			*out = p;
			return 0;
		}
		failed = is_cached(p, slot);
		if (failed)
			swap_cache_remove(p);	/* who comes next tries again; so do we, if it was somebody's who wanted its neighbour */
		page_unlock(p);
		page_put(p);
		if (!failed || tried)
			return failed ? -EIO : -EAGAIN;
	}
}

int swap_fault(struct vma *vma, vaddr_t addr, u64 slot)
{
	struct mm *mm = vma->mm;
	u32 prot = vma->prot, entries;
	struct page *p;
	int err = swap_read_page(slot, &p);

	if (err)
		return err == -EAGAIN ? 0 : err;
	entries = slot_entries(slot);
	if (!atomic_load(&p->mapcount)) {
		p->anon = entries == 1 ? mm->anon : anon_node_root(mm->anon);
		p->index = vma_index(vma, addr);
	}
	/* Ours alone: nobody can come by then, since who forks waits for mmap_lock.  Other references are of those who wait for the lock in
	 * vain, or of a device that writes to the page for us: then a copy would be wrong. */
	if (entries != 1 || atomic_load(&p->mapcount) || page_flags(p) & PG_WRITEBACK)
		prot &= ~(u32)PROT_K_W;
	if (vma->flags & VM_EXEC)
		cache_sync_code(page_address(p), PAGE_SIZE);
	page_get(p);
	page_mapped(p);
	if (!pt_map_swapped(mm, addr, slot, page_to_pfn(p), prot)) {
		rss_add(mm, p, 1);
		swap_gone(mm, slot);
	} else {
		page_unmapped(p);
		page_put(p);
	}
	if (!slot_entries(slot) && !(page_flags(p) & PG_WRITEBACK))
		swap_cache_remove(p);
	page_unlock(p);
	page_put(p);
	return 0;
}
