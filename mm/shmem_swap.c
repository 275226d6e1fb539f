/* Pages of tmpfs and shared memory on their way to swap and back.
 *
 * Theory.  Such a page lives in the page cache of its file, without a store behind it.  To go it leaves that cache for the swap cache, under its lock and
 * with its references frozen, as any page that is let go; the file remembers the slot in a second tree by index (struct shmem_swap, made with
 * the first page that goes, so other files pay a pointer).  From there on it is like a page of a program (mm/swap_out.c).
 *
 * Who wants it misses it in the page cache, gets a new page there as for a hole, and filling that page finds the slot: the contents are copied from
 * the swap cache.  A copy costs little beside a device; to move the page back would need an exchange in two trees under the eyes of
 * look-ups without locks.  The slot is given up when the page is filled; if it could not be read it stays, and each access says EIO (SIGBUS).
 *
 * Whose a slot is: with no page at its index, that of who holds the tree lock; with one, that of who holds this page's lock, and nobody else
 * gives it up.  So a slot being read stays as long as it takes, and is given up once.
 *
 * At each moment what the file has is in one of the two trees, but it moves, both ways: who finds nothing in one and then nothing in the other has
 * not seen a hole.  Only a look at both under the tree lock tells.
 *
 * The charge against size= stays while a page is out: only a page that is new for the file, or leaves it for good, changes it.  Which of the two
 * it is the tree lock decides, together with the page's coming or going: a page may come, go out and leave a slot between any look and that lock. */
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/rcu.h>
#include <mm/filemap_internal.h>
#include <mm/lru.h>
#include <mm/mm_internal.h>
#include <mm/shmem.h>
#include <mm/slab.h>
#include <mm/swap_internal.h>

struct shmem_swap {
	struct address_space *as;
	struct radix_tree slots;	/* [as->tree_lock] index -> slot << 1 */
	u64 nr;				/* [as->tree_lock] */
	struct list_head link;		/* [files_lock] */
};

static DEFINE_SPINLOCK(files_lock, LC_SWAP_AREA);
static LIST_HEAD(files);		/* [files_lock] all with a struct shmem_swap */

static void *entry_of(u64 slot) { return (void *)(slot << 1); }
static u64 slot_of(const void *entry) { return (u64)entry >> 1; }

bool shmem_has_slot(struct address_space *as, u64 index)
{
	return as->swapped && radix_tree_lookup(&as->swapped->slots, index);
}

/* The slot of a page that is out, or 0. */
static u64 slot_at(struct address_space *as, u64 index)
{
	irqflags_t flags = spin_lock_irqsave(&as->tree_lock);
	u64 slot = as->swapped ? slot_of(radix_tree_lookup(&as->swapped->slots, index)) : 0;

	spin_unlock_irqrestore(&as->tree_lock, flags);
	return slot;
}

bool shmem_is_swapped(struct address_space *as, u64 index) { return slot_at(as, index); }

bool shmem_is_hole(struct address_space *as, u64 index)
{
	irqflags_t flags = spin_lock_irqsave(&as->tree_lock);
	bool hole = !radix_tree_lookup(&as->tree, index) && !shmem_has_slot(as, index);

	spin_unlock_irqrestore(&as->tree_lock, flags);
	return hole;
}

bool shmem_is_cached(struct address_space *as, u64 index)
{
	u64 slot;
	bool in;

	rcu_read_lock();		/* of an area that may go */
	slot = slot_at(as, index);
	in = slot && swap_is_cached(slot);
	rcu_read_unlock();
	return in;
}

u64 shmem_nr_swapped(struct address_space *as)
{
	irqflags_t flags = spin_lock_irqsave(&as->tree_lock);
	u64 nr = as->swapped ? as->swapped->nr : 0;

	spin_unlock_irqrestore(&as->tree_lock, flags);
	return nr;
}

u64 shmem_next_swapped(struct address_space *as, u64 index)
{
	u64 found = ~0ul;
	void *entry;

	rcu_read_lock();
	if (!as->swapped || !radix_tree_gang_lookup(&as->swapped->slots, index, &entry, &found, 1))
		found = ~0ul;
	rcu_read_unlock();
	return found;
}

/* as has a tree for slots.  as cannot end: a page of it is locked. */
static bool has_tree(struct address_space *as)
{
	struct shmem_swap *s;
	irqflags_t flags;

	if (READ_ONCE(as->swapped))
		return true;
	s = kzalloc(sizeof(*s), GFP_ATOMIC);
	if (!s)
		return false;
	s->as = as;
	swap_tree_init(&s->slots);
	flags = spin_lock_irqsave(&as->tree_lock);
	if (!as->swapped) {
		as->swapped = s;
		s = NULL;
	}
	spin_unlock_irqrestore(&as->tree_lock, flags);
	if (s) {
		kfree(s);
		return true;
	}
	spin_lock(&files_lock);
	list_add(&as->swapped->link, &files);
	spin_unlock(&files_lock);
	return true;
}

/* p, locked, in both caches, from the file's to the swap cache alone.  false: somebody has it. */
static bool hand_over(struct address_space *as, struct page *p, u64 slot)
{
	irqflags_t flags = spin_lock_irqsave(&as->tree_lock);
	bool ok = atomic_cas(&p->refs, 3, 0);		/* both caches and us: no look-up can have it any more */

	if (ok && radix_tree_insert(&as->swapped->slots, p->index, entry_of(slot))) {
		atomic_store(&p->refs, 3);
		ok = false;
	}
	if (ok) {
		as->swapped->nr++;
		radix_tree_delete(&as->tree, p->index);
		WRITE_ONCE(as->nr_pages, as->nr_pages - 1);
		atomic_store(&p->mapping, NULL);
	}
	spin_unlock_irqrestore(&as->tree_lock, flags);
	if (!ok)
		return false;
	vmstat_add(VM_FILE_PAGES, -1);
	vmstat_add(VM_SHMEM_PAGES, -1);
	atomic_fetch_and(&p->flags, ~(u32)(PG_SWAPBACKED | PG_CODE_SYNCED));
	atomic_fetch_or(&p->flags, PG_ANON);
	atomic_store_release(&p->refs, 2);
	return true;
}

/* p, locked, and the caller has a reference. */
bool shmem_unmap(struct page *p)
{
	struct address_space *as = p->mapping;
	bool gone = false;
	u64 slot;

	if (!as || !as->ops || !as->ops->may_swap || atomic_load(&as->unevictable))
		return false;
	if (!page_uptodate(p) || page_flags(p) & PG_WRITEBACK || atomic_load(&p->pins))
		return false;
	if (atomic_load(&p->refs) != 2 + atomic_load(&p->mapcount) || (atomic_load(&p->mapcount) && !page_unmap_file(p)))
		return false;
	slot = slot_alloc();
	if (!slot)
		return false;
	if (!has_tree(as) || swap_dup(slot)) {
		slot_cancel(slot);
		return false;
	}
	atomic_fetch_or(&p->flags, PG_DIRTY);
	if (swap_cache_add(p, slot)) {
		slot_cancel(slot);
	} else {
		rcu_read_lock();		/* the file may end as soon as it has no page */
		gone = hand_over(as, p, slot);
		rcu_read_unlock();
		if (gone)
			unmapped_add(p, false);
		else
			swap_cache_remove(p);	/* the page stays dirty: it is the only copy */
	}
	if (!gone) {
		atomic_fetch_or(&p->flags, PG_DIRTY);
		swap_put(slot);
	}
	return gone;
}

/* Tree lock held. */
static u64 take_slot(struct address_space *as, u64 index)
{
	void *entry = radix_tree_delete(&as->swapped->slots, index);

	as->swapped->nr -= entry != NULL;
	return slot_of(entry);
}

int shmem_swap_in(struct address_space *as, struct page *p)
{
	u64 slot = slot_at(as, p->index);
	irqflags_t flags;
	struct page *from;
	int err;

	if (!slot)
		return -ENOENT;
	do
		err = swap_read_page(slot, &from);	/* the slot is ours: -EAGAIN only says that somebody failed to read it and took his page away */
	while (err == -EAGAIN);
	if (err)
		return err;
	copy_page(page_address(p), page_address(from));
	page_unlock(from);
	flags = spin_lock_irqsave(&as->tree_lock);
	VERIFY(take_slot(as, p->index) == slot);
	spin_unlock_irqrestore(&as->tree_lock, flags);
	swap_put(slot);
	page_put(from);
	atomic_fetch_or(&p->flags, PG_DIRTY);
	page_mark_uptodate(p);
	return 0;
}

u64 shmem_next(struct address_space *as, u64 index)
{
	irqflags_t flags = spin_lock_irqsave(&as->tree_lock);
	u64 page = ~0ul, slot = ~0ul;
	void *entry;

	if (!radix_tree_gang_lookup(&as->tree, index, &entry, &page, 1))
		page = ~0ul;
	if (!radix_tree_gang_lookup(&as->swapped->slots, index, &entry, &slot, 1))
		slot = ~0ul;
	spin_unlock_irqrestore(&as->tree_lock, flags);
	return min(page, slot);
}

bool shmem_drop_slot(struct address_space *as, u64 index)
{
	irqflags_t flags = spin_lock_irqsave(&as->tree_lock);
	bool ours = !radix_tree_lookup(&as->tree, index);
	u64 slot = ours ? take_slot(as, index) : 0;

	spin_unlock_irqrestore(&as->tree_lock, flags);
	if (slot) {
		swap_put(slot);
		as->ops->page_freed(as, NULL);
	}
	return ours;
}

void shmem_swap_free(struct address_space *as)
{
	struct shmem_swap *s = as->swapped;

	for (u64 index = 0; (index = shmem_next(as, index)) != ~0ul; index++)
		shmem_drop_slot(as, index);
	spin_lock(&files_lock);
	list_del(&s->link);
	spin_unlock(&files_lock);
	as->swapped = NULL;
	kfree(s);
}

/* A file with pages in that area, referenced; skips the first `skip`. */
static struct inode *next_file(u32 skip)
{
	struct inode *found = NULL;
	struct shmem_swap *s;

	spin_lock(&files_lock);
	list_for_each_entry(s, &files, link) {
		if (!READ_ONCE(s->nr) || skip--)
			continue;
		if (refcount_inc_not_zero(&s->as->host->refs))
			found = s->as->host;
		break;
	}
	spin_unlock(&files_lock);
	return found;
}

int shmem_bring_back(u32 type)
{
	struct inode *inode;
	u32 skip = 0;
	int err = 0;

	while (!err && (inode = next_file(skip))) {
		struct address_space *as = &inode->data;

		for (u64 index = 0; !err && (index = shmem_next_swapped(as, index)) != ~0ul; index++) {
			struct page *p;

			if ((slot_at(as, index) >> SWAP_AREA_SHIFT) != type + 1)
				continue;
			err = filemap_get(as, index, false, &p);
			if (!err)
				page_put(p);
			else if (err == -ENOENT)
				err = 0;		/* truncated meanwhile */
			if (!err && signal_pending())
				err = -EINTR;
		}
		skip += READ_ONCE(as->swapped->nr) != 0;	/* of other areas */
		inode_put(inode);
	}
	return err;
}
