/* User page tables: entries.  With swap_entry.c and tables.c the only reader and writer of them.
 *
 * Theory.  Four levels, 4 KiB pages; level 2 may hold a 2 MiB block.  Tables are created on demand by compare-and-swap into an empty
 * entry.  A walk needs no lock to reach the last level, for a table goes only when nobody can be in it: pt_free_tables() frees those
 * that span no VMA, under mmap_lock for writing (so no fault), when the VMAs that were there have left their files' lists (so no
 * truncation: it walks below VMAs of the list only, under i_mmap_lock).  Entries of the last level change under the spin lock kept in
 * the table's struct page (LC_PAGE_TABLE).  Blocks change under the level-2 table's lock.
 *
 * A block of 2 MiB maps 512 single pages, each with its own counts; only the entry is shared.  Each block has a spare table in its
 * level-2 table's pt_spare, so that splitting it needs no memory.  While a block is split its entry is invalid for the walker but still
 * present to us, so that no fault puts a table there.
 *
 * An entry may name the slot of a swap area instead of a page: swap_entry.c.
 *
 * A page that the program may not touch (PROT_NONE) keeps its entry with VALID clear and a software bit, so that its contents stay.
 * The access flag is always set and a writable entry counts as dirty: nothing here depends on hardware updates.
 *
 * Break-before-make: an entry that changes its output address, or a block its size, is cleared and flushed before the new one is
 * written, all under the lock of its table, so that nobody fills it in between (Arm ARM D5.10.1).  Where many entries are cleared and the
 * flush is broadcast, which takes long, the lock is not held over it: the entries are PTE_SW_BUSY meanwhile, for which a fault waits by
 * trying again.  Rights may change in place.  Taken away, they are flushed everywhere before the call returns; widened, only here: another
 * CPU that still holds the old entry faults once more, finds that there is nothing to do, and drops it (tlb_fix_spurious).  How tables
 * come and go: tables.c. */
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/sync/spinlock.h>
#include <mm/page.h>
#include <mm/swap.h>
#include <mm/vma.h>
#include <mm/vmstat.h>
#include "pagetable.h"

#define BATCH 64		/* entries moved at a time */
#define UNMAP_BATCH 256		/* entries cleared under one lock and flush */

/* The last-level table for va, or NULL.  A block at level 2 ends the walk: *block is its entry.  Every fault comes here, twice: unrolled, the
 * shifts are constants. */
static pte_t *walk(struct mm *mm, vaddr_t va, pte_t **block)
{
	pte_t *table = phys_to_virt(mm->arch.pgd);

	*block = NULL;
#pragma GCC unroll 3
	for (int level = 0; level < 3; level++) {
		pte_t *p = &table[table_index(va, level)], e = atomic_load_acquire(p);

		if (unlikely(!pte_is_table(e))) {
			if (level == 2 && pte_present(e))
				*block = p;
			return NULL;
		}
		table = table_of(e);
	}
	return table;
}

/* The table of `level` (2 or 3) for va, made as needed.  0, -ENOMEM, or -EEXIST for a block in the way. */
static int walk_make(struct mm *mm, vaddr_t va, int last, pte_t **out)
{
	pte_t *table = phys_to_virt(mm->arch.pgd);

	for (int level = 0; level < last; level++) {
		pte_t *p = &table[table_index(va, level)], e = atomic_load_acquire(p);

		if (!e) {
			pte_t *new = table_alloc();

			if (!new)
				return -ENOMEM;
			e = virt_to_phys(new) | PTE_TABLE | PTE_VALID;
			if (likely(atomic_cas(p, 0ul, e))) {	/* zeroed table before its link: release */
				table_link(mm, new, p);
			} else {
				table_free(new);
				e = atomic_load_acquire(p);
			}
		}
		if (!pte_is_table(e))
			return -EEXIST;
		table = table_of(e);
	}
	*out = table;
	return 0;
}

/* The last-level table for va, made as needed: as walk_make, quicker where it stands. */
static int leaf_make(struct mm *mm, vaddr_t va, pte_t **out)
{
	pte_t *block;

	*out = walk(mm, va, &block);
	return likely(*out) ? 0 : walk_make(mm, va, 3, out);
}

static void decode(pte_t e, struct pte_info *info)
{
	*info = (struct pte_info){ 0 };
	if (!pte_present(e)) {
		info->swap = swap_of_pte(e);
		return;
	}
	info->present = true;
	info->pfn = (e & PTE_ADDR_MASK) >> PAGE_SHIFT;
	info->writable = !(e & PTE_RDONLY);
	info->executable = !(e & PTE_UXN);
	info->special = e & PTE_SW_SPECIAL;
	info->block = !(e & PTE_TABLE);
}

bool pt_lookup(struct mm *mm, vaddr_t addr, struct pte_info *out)
{
	pte_t *block, *table = walk(mm, addr, &block);

	if (block) {
		decode(atomic_load(block), out);
		out->pfn += (addr >> PAGE_SHIFT) & (PTRS_PER_TABLE - 1);
		return true;
	}
	if (!table)
		return false;
	decode(atomic_load(&table[table_index(addr, 3)]), out);
	return true;
}

int pt_map(struct mm *mm, vaddr_t addr, u64 pfn, u32 prot)
{
	pte_t *table, *p;
	int err = leaf_make(mm, addr, &table);

	if (err)
		return err;
	p = &table[table_index(addr, 3)];
	spin_lock(table_lock(table));
	if (*p)
		err = -EEXIST;
	else
		pte_publish(p, pte_make(pfn << PAGE_SHIFT, prot | PROT_K_USER));
	spin_unlock(table_lock(table));
	return err;
}

u64 pt_map_pages(struct mm *mm, vaddr_t addr, struct page *const *pages, u32 nr, u32 prot)
{
	pte_t *table, *p, rights = pte_make(0, prot | PROT_K_USER);
	u64 done = 0;

	if (leaf_make(mm, addr, &table))
		return 0;
	p = &table[table_index(addr, 3)];
	spin_lock(table_lock(table));
	for (u32 i = 0; i < nr; i++)
		if (pages[i] && !p[i]) {
			atomic_store_release(&p[i], rights | page_to_phys(pages[i]));
			done |= BIT(i);
		}
	asm volatile("dsb ishst" : : : "memory");
	spin_unlock(table_lock(table));
	return done;
}

int pt_replace(struct mm *mm, vaddr_t addr, u64 old_pfn, u64 new_pfn, u32 prot)
{
	pte_t *block, *table = walk(mm, addr, &block), *p;
	int err = 0;

	if (!table)
		return -EAGAIN;
	p = &table[table_index(addr, 3)];
	spin_lock(table_lock(table));
	if (!pte_present(*p) || (*p & PTE_ADDR_MASK) >> PAGE_SHIFT != old_pfn || !(*p & PTE_RDONLY)) {
		err = -EAGAIN;
	} else {
		atomic_store(p, 0);
		tlb_flush_page(mm, addr);
		pte_publish(p, pte_make(new_pfn << PAGE_SHIFT, prot | PROT_K_USER));
	}
	spin_unlock(table_lock(table));
	return err;
}

/* The entry of table for addr gets another right, if it maps pfn (and if sole: the page is anonymous, and nobody else has it). */
static int widen(struct mm *mm, vaddr_t addr, u64 pfn, u32 prot, bool sole)
{
	pte_t *block, *table = walk(mm, addr, &block), *p;
	struct page *page = pfn_to_page(pfn);
	int err = 0;

	if (!table)
		return -EAGAIN;
	p = &table[table_index(addr, 3)];
	spin_lock(table_lock(table));
	if (!pte_present(*p) || (*p & PTE_ADDR_MASK) >> PAGE_SHIFT != pfn) {
		err = -EAGAIN;
	} else if (sole && (!(atomic_load(&page->flags) & PG_ANON) || atomic_load_acquire(&page->refs) != 1)) {
		err = -EBUSY;
	} else {
		atomic_store(p, pte_make(pfn << PAGE_SHIFT, prot | PROT_K_USER) | (*p & PTE_SW_SPECIAL));
		tlb_fix_spurious(mm, addr);
	}
	spin_unlock(table_lock(table));
	return err;
}

int pt_set_prot_one(struct mm *mm, vaddr_t addr, u64 pfn, u32 prot)
{
	return widen(mm, addr, pfn, prot, false);
}

int pt_reuse_one(struct mm *mm, vaddr_t addr, u64 pfn, u32 prot)
{
	return widen(mm, addr, pfn, prot, true);
}

static pte_t *table_holding(pte_t *p)
{
	return (pte_t *)((u64)p & PAGE_MASK);
}

/* Spare tables of the blocks in a level-2 table, under its lock. */
static void spare_put(pte_t *l2, pte_t *table)
{
	struct page *page = virt_to_page(table), *holder = virt_to_page(l2);

	page->private = (u64)holder->pt_spare;
	holder->pt_spare = page;
}

static pte_t *spare_take(pte_t *l2)
{
	struct page *holder = virt_to_page(l2), *page = holder->pt_spare;

	VERIFY(page);
	holder->pt_spare = (struct page *)page->private;
	return page_address(page);
}

static bool is_block(pte_t e)
{
	return pte_present(e) && !pte_is_table(e);
}

/* A block's first page counts in ->private how many entries map it as a block. */
static void count_block(pte_t e, s64 n)
{
	u64 *count = &phys_to_page(e & PTE_ADDR_MASK)->private;

	if (atomic_add_return(count, (u64)n) == (n > 0))
		vmstat_add(VM_ANON_BLOCKS, n);
}

/* The block at *block becomes a table of 512 pages with the same rights. */
static void split_block(struct mm *mm, vaddr_t addr, pte_t *block)
{
	pte_t *l2 = table_holding(block), *table, e;

	spin_lock(table_lock(l2));
	e = *block;
	if (is_block(e)) {
		table = spare_take(l2);
		for (u32 i = 0; i < PTRS_PER_TABLE; i++)
			table[i] = (e | PTE_TABLE) + ((u64)i << PAGE_SHIFT);
		atomic_store(block, (e & ~PTE_VALID) | PTE_SW_NONE);
		tlb_flush_page(mm, addr);
		count_block(e, -1);
		table_link(mm, table, block);
		pte_publish(block, virt_to_phys(table) | PTE_TABLE | PTE_VALID);
	}
	spin_unlock(table_lock(l2));
}

void pt_split_block(struct mm *mm, vaddr_t addr)
{
	pte_t *block;

	walk(mm, addr, &block);
	if (block)
		split_block(mm, addr, block);
}

int pt_set_prot_block(struct mm *mm, vaddr_t addr, u64 pfn, u32 prot)
{
	pte_t *block, *l2;
	int err = -EAGAIN;

	walk(mm, addr, &block);
	if (!block)
		return err;
	l2 = table_holding(block);
	spin_lock(table_lock(l2));
	if (is_block(*block) && (*block & PTE_ADDR_MASK) >> PAGE_SHIFT == pfn) {
		atomic_store(block, pte_make(pfn << PAGE_SHIFT, prot | PROT_K_USER) & ~PTE_TABLE);
		tlb_fix_spurious(mm, addr);
		err = 0;
	}
	spin_unlock(table_lock(l2));
	return err;
}

int pt_map_block(struct mm *mm, vaddr_t addr, u64 pfn, u32 prot)
{
	pte_t *l2, *spare, e = pte_make(pfn << PAGE_SHIFT, prot | PROT_K_USER) & ~PTE_TABLE;
	int err = walk_make(mm, addr, 2, &l2);

	if (err)
		return err;
	spare = table_alloc();
	if (!spare)
		return -ENOMEM;
	spin_lock(table_lock(l2));
	spare_put(l2, spare);
	count_block(e, 1);
	if (!atomic_cas(&l2[table_index(addr, 2)], 0ul, e)) {	/* against walk_make, which takes no lock */
		spare_take(l2);
		count_block(e, -1);
		err = -EEXIST;
	}
	asm volatile("dsb ishst" : : : "memory");
	spin_unlock(table_lock(l2));
	if (err)
		table_free(spare);
	return err;
}

bool span_next(struct mm *mm, vaddr_t *pos, vaddr_t end, struct span *s)
{
	vaddr_t at = *pos;

	while (at < end) {
		pte_t *table = phys_to_virt(mm->arch.pgd), *p = NULL, e = 0;
		int level;

#pragma GCC unroll 3
		for (level = 0; level < 3; level++) {
			p = &table[table_index(at, level)];
			e = atomic_load_acquire(p);
			if (unlikely(!pte_is_table(e)))
				break;
			table = table_of(e);
		}
		if (level < 2) {
			at = ALIGN_DOWN(at, 1ul << LEVEL_SHIFT(level)) + (1ul << LEVEL_SHIFT(level));
			continue;
		}
		s->start = at;
		at = s->end = min(ALIGN_DOWN(at, PMD_SIZE) + PMD_SIZE, end);
		if (level == 2 && !pte_present(e))
			continue;
		s->block = level == 2 ? p : NULL;
		s->table = level == 2 ? NULL : table;
		*pos = at;
		return true;
	}
	return false;
}

static bool span_whole(const struct span *s)
{
	return s->end - s->start == PMD_SIZE;
}

static inline pte_t with_prot(pte_t e, u32 prot)
{
	pte_t n = pte_make(e & PTE_ADDR_MASK, prot | PROT_K_USER) | (e & PTE_SW_SPECIAL);

	if (e & PTE_RDONLY)
		n |= PTE_RDONLY;	/* write-protected for a reason: the next write faults and finds out */
	return n;
}

static void protect_block(const struct span *s, u32 prot)
{
	pte_t *l2 = table_holding(s->block);

	spin_lock(table_lock(l2));
	if (is_block(*s->block))
		atomic_store(s->block, with_prot(*s->block, prot) & ~PTE_TABLE);
	spin_unlock(table_lock(l2));
}

void pt_protect_range(struct mm *mm, vaddr_t start, vaddr_t end, u32 prot)
{
	vaddr_t pos = start;
	struct span s;

	while (span_next(mm, &pos, end, &s)) {
		if (s.block && span_whole(&s)) {
			protect_block(&s, prot);
			continue;
		}
		if (s.block) {
			split_block(mm, s.start, s.block);
			pos = s.start;
			continue;
		}
		spin_lock(table_lock(s.table));
		for (vaddr_t va = s.start; va < s.end; va += PAGE_SIZE) {
			pte_t *p = &s.table[table_index(va, 3)];

			if (pte_present(*p))
				atomic_store(p, with_prot(*p, prot));
		}
		spin_unlock(table_lock(s.table));
	}
	tlb_flush_range(mm, start, end);
}

bool pt_wrprotect_one(struct mm *mm, vaddr_t addr, u64 pfn)
{
	pte_t *block, *table = walk(mm, addr, &block), *p;
	bool was = false;

	if (!table)
		return false;
	p = &table[table_index(addr, 3)];
	spin_lock(table_lock(table));
	if (pte_present(*p) && (*p & PTE_ADDR_MASK) >> PAGE_SHIFT == pfn && !(*p & PTE_RDONLY)) {
		was = true;
		atomic_store(p, *p | PTE_RDONLY);
		tlb_flush_page(mm, addr);
	}
	spin_unlock(table_lock(table));
	return was;
}

bool pt_wrprotect_range(struct mm *mm, vaddr_t start, vaddr_t end)
{
	vaddr_t first = end, last = start;
	struct span s;

	while (span_next(mm, &start, end, &s)) {
		if (s.block)
			continue;
		spin_lock(table_lock(s.table));
		for (vaddr_t va = s.start; va < s.end; va += PAGE_SIZE) {
			pte_t *p = &s.table[table_index(va, 3)];

			if (!pte_present(*p) || *p & PTE_RDONLY)
				continue;
			atomic_store(p, *p | PTE_RDONLY);
			first = min(first, va);
			last = va + PAGE_SIZE;
		}
		spin_unlock(table_lock(s.table));
	}
	if (last <= first)
		return false;
	tlb_flush_range(mm, first, last);
	return true;
}

/* false: by now it is none, for a fault has split it. */
static bool unmap_block(struct mm *mm, const struct span *s, pt_gone_fn page_gone, void *arg)
{
	pte_t *l2 = table_holding(s->block), *spare, e;
	struct pte_info info;

	spin_lock(table_lock(l2));
	e = *s->block;
	if (!is_block(e)) {
		spin_unlock(table_lock(l2));
		return false;
	}
	atomic_store(s->block, 0);
	tlb_flush_page(mm, s->start);
	count_block(e, -1);
	spare = spare_take(l2);
	spin_unlock(table_lock(l2));
	table_free(spare);
	decode(e, &info);
	page_gone(arg, s->start, &info, PTRS_PER_TABLE);
	return true;
}

/* Entries that were cleared: what they were, and which. */
struct gone { u32 nr; u8 at[UNMAP_BATCH]; pte_t was[UNMAP_BATCH]; };
_Static_assert(UNMAP_BATCH <= 256, "u8 at");

static void unbusy(pte_t *p, const struct gone *g)
{
	struct spinlock *lock = table_lock(table_holding(p));

	spin_lock(lock);
	for (u32 k = 0; k < g->nr; k++)
		atomic_store(&p[g->at[k]], 0);
	spin_unlock(lock);
}

/* Clear nr entries from p on and flush them.  A fault may fill an entry as soon as it is let go, so that is after the flush: by the lock, or
 * by PTE_SW_BUSY.  Preemption is off while entries are busy, for who waits for them may have a higher priority. */
static void clear_entries(struct mm *mm, pte_t *p, vaddr_t va, u32 nr, struct gone *g)
{
	struct spinlock *lock = table_lock(table_holding(p));
	u32 n = 0;
	pte_t left;

	preempt_disable();
	left = tlb_is_local(mm) ? 0 : PTE_SW_BUSY;
	spin_lock(lock);
	for (u32 i = 0; i < nr; i++) {
		pte_t e = p[i];

		if (!(e & (PTE_VALID | PTE_SW_NONE | PTE_SW_SWAP)))
			continue;
		atomic_store(&p[i], left);
		g->at[n] = (u8)i;
		g->was[n++] = e;
	}
	g->nr = n;
	if (left)
		spin_unlock(lock);
	if (n)
		tlb_flush_range(mm, va + g->at[0] * PAGE_SIZE, va + (g->at[n - 1] + 1) * PAGE_SIZE);
	if (!left)
		spin_unlock(lock);
	else if (n)
		unbusy(p, g);
	preempt_enable();
}

static void unmap_table(struct mm *mm, const struct span *s, pt_gone_fn page_gone, void *arg)
{
	struct gone gone;

	for (vaddr_t va = s->start; va < s->end; ) {
		u32 nr = (u32)min((s->end - va) >> PAGE_SHIFT, (u64)UNMAP_BATCH);

		clear_entries(mm, &s->table[table_index(va, 3)], va, nr, &gone);
		for (u32 k = 0; k < gone.nr; k++) {
			struct pte_info info;

			decode(gone.was[k], &info);
			page_gone(arg, va + gone.at[k] * PAGE_SIZE, &info, 1);
		}
		va += nr * PAGE_SIZE;
	}
}

void pt_unmap_range(struct mm *mm, vaddr_t start, vaddr_t end, pt_gone_fn page_gone, void *arg)
{
	struct span s;

	while (span_next(mm, &start, end, &s)) {
		if (!s.block) {
			unmap_table(mm, &s, page_gone, arg);
		} else if (!span_whole(&s)) {
			split_block(mm, s.start, s.block);
			start = s.start;
		} else if (!unmap_block(mm, &s, page_gone, arg)) {
			start = s.start;
		}
	}
}

pte_t pt_unmap_leaving(struct mm *mm, vaddr_t addr, u64 pfn, pte_t left)
{
	pte_t *block, *table, *p, was = 0;

	pt_split_block(mm, addr);
	table = walk(mm, addr, &block);
	if (!table)
		return 0;
	p = &table[table_index(addr, 3)];
	spin_lock(table_lock(table));
	if (pte_present(*p) && (*p & PTE_ADDR_MASK) >> PAGE_SHIFT == pfn) {
		was = *p;
		atomic_store(p, left);
		tlb_flush_page(mm, addr);
	}
	spin_unlock(table_lock(table));
	return was;
}

bool pt_unmap_one(struct mm *mm, vaddr_t addr, u64 pfn, struct pte_info *info)
{
	pte_t was = pt_unmap_leaving(mm, addr, pfn, 0);

	if (was)
		decode(was, info);
	return was;
}

static int copy_table(struct mm *dst, pte_t *to, const struct span *s, bool cow, pt_dup_fn page_dup, void *arg)
{
	int err = 0;

	spin_lock(table_lock(s->table));
	for (u32 i = table_index(s->start, 3), n = (u32)((s->end - s->start) >> PAGE_SHIFT); n; i++, n--) {
		pte_t e = s->table[i];
		struct pte_info info;

		if (!pte_present(e)) {
			if (likely(!pte_is_swap(e)))
				continue;
			err = swap_fork(dst, swap_of_pte(e));
			if (err)
				break;
			atomic_store(&to[i], e);
			continue;
		}
		if (cow && !(e & PTE_RDONLY)) {
			e |= PTE_RDONLY;
			atomic_store(&s->table[i], e);
		}
		decode(e, &info);
		page_dup(arg, &info, 1);
		atomic_store(&to[i], e);
	}
	spin_unlock(table_lock(s->table));
	return err;
}

/* Both share the block; who writes first splits his.  The source's mmap_lock is held for writing: the block stays one. */
static int copy_block(struct mm *dst, const struct span *s, bool cow, pt_dup_fn page_dup, void *arg)
{
	pte_t *from = table_holding(s->block), *to, *spare, e;
	struct pte_info info;
	int err = walk_make(dst, s->start, 2, &to);

	if (err)
		return err;
	spare = table_alloc();
	if (!spare)
		return -ENOMEM;
	spin_lock(table_lock(from));
	e = *s->block;
	if (cow && !(e & PTE_RDONLY)) {
		e |= PTE_RDONLY;
		atomic_store(s->block, e);
	}
	decode(e, &info);
	page_dup(arg, &info, PTRS_PER_TABLE);
	count_block(e, 1);
	spare_put(to, spare);
	atomic_store(&to[table_index(s->start, 2)], e);
	spin_unlock(table_lock(from));
	return 0;
}

int pt_copy_range(struct mm *dst, struct mm *src, vaddr_t start, vaddr_t end, bool cow, pt_dup_fn page_dup, void *arg)
{
	struct span s;

	while (span_next(src, &start, end, &s)) {
		pte_t *to;
		int err;

		if (s.block && !span_whole(&s)) {
			split_block(src, s.start, s.block);
			start = s.start;
			continue;
		}
		if (s.block) {
			err = copy_block(dst, &s, cow, page_dup, arg);
			if (err)
				return err;
			continue;
		}
		err = walk_make(dst, s.start, 3, &to);
		if (err)
			return err;
		err = copy_table(dst, to, &s, cow, page_dup, arg);
		if (unlikely(err))
			return err;
	}
	return 0;
}

/* A whole block to an aligned place where no table stands; false if it is none, or the place is taken. */
static bool move_block(struct mm *mm, const struct span *s, vaddr_t new, int *err)
{
	pte_t *from = table_holding(s->block), *to, *spare, e;

	*err = 0;
	if (!span_whole(s) || !IS_ALIGNED(new, PMD_SIZE))
		return false;
	*err = walk_make(mm, new, 2, &to);
	if (*err || to[table_index(new, 2)])
		return false;
	spin_lock(table_lock(from));
	e = *s->block;
	atomic_store(s->block, 0);
	tlb_flush_page(mm, s->start);
	spare = spare_take(from);
	spin_unlock(table_lock(from));
	spin_lock(table_lock(to));
	spare_put(to, spare);
	pte_publish(&to[table_index(new, 2)], e);
	spin_unlock(table_lock(to));
	return true;
}

/* nr entries at p, of va on, as they stand, cleared and flushed.  Truncation is kept out (see move_entries), faults by mmap_lock. */
static void take_entries(struct mm *mm, pte_t *p, vaddr_t va, u32 nr, pte_t *taken)
{
	struct spinlock *lock = table_lock(table_holding(p));

	spin_lock(lock);
	for (u32 i = 0; i < nr; i++) {
		taken[i] = p[i];
		if (taken[i])
			atomic_store(&p[i], 0);
	}
	tlb_flush_range(mm, va, va + nr * PAGE_SIZE);
	spin_unlock(lock);
}

static void put_entries(pte_t *p, u32 nr, const pte_t *taken)
{
	struct spinlock *lock = table_lock(table_holding(p));

	spin_lock(lock);
	for (u32 i = 0; i < nr; i++)
		if (taken[i])
			atomic_store_release(&p[i], taken[i]);
	asm volatile("dsb ishst" : : : "memory");
	spin_unlock(lock);
}

/* The entries of one table, a batch at a time that lies in one table there too. */
static int move_table(struct mm *mm, const struct span *s, vaddr_t new)
{
	pte_t taken[BATCH], *to;

	for (vaddr_t va = s->start; va < s->end; ) {
		pte_t *p = &s->table[table_index(va, 3)];
		u32 nr = (u32)min(min((s->end - va) >> PAGE_SHIFT, (u64)BATCH), (u64)(PTRS_PER_TABLE - table_index(new, 3))), i = 0;
		int err;

		while (i < nr && !p[i])
			i++;
		if (i < nr) {
			err = walk_make(mm, new, 3, &to);
			if (err)
				return err;
			take_entries(mm, p, va, nr, taken);
			put_entries(&to[table_index(new, 3)], nr, taken);
		}
		va += nr * PAGE_SIZE;
		new += nr * PAGE_SIZE;
	}
	return 0;
}

int pt_move_range(struct mm *mm, vaddr_t old, vaddr_t new, size_t len)
{
	vaddr_t pos = old, end = old + len;
	struct span s;
	int err;

	while (span_next(mm, &pos, end, &s)) {
		if (s.block) {
			if (move_block(mm, &s, new + (s.start - old), &err))
				continue;
			if (err)
				return err;
			split_block(mm, s.start, s.block);
			pos = s.start;
			continue;
		}
		err = move_table(mm, &s, new + (s.start - old));
		if (err)
			return err;
	}
	return 0;
}

int pt_walk(struct mm *mm, vaddr_t start, vaddr_t end,
	    int (*fn)(void *arg, vaddr_t addr, const struct pte_info *info, u32 nr_pages), void *arg)
{
	struct pte_info info;
	struct span s;
	int ret = 0;

	while (!ret && span_next(mm, &start, end, &s)) {
		if (s.block) {
			decode(atomic_load(s.block), &info);
			info.pfn += (s.start & (PMD_SIZE - 1)) >> PAGE_SHIFT;
			ret = fn(arg, s.start, &info, (u32)((s.end - s.start) >> PAGE_SHIFT));
			continue;
		}
		for (vaddr_t va = s.start; !ret && va < s.end; va += PAGE_SIZE) {
			pte_t e = atomic_load(&s.table[table_index(va, 3)]);

			if (!pte_present(e))
				continue;
			decode(e, &info);
			ret = fn(arg, va, &info, 1);
		}
	}
	return ret;
}

void pt_flush_mm(struct mm *mm)
{
	tlb_flush_mm(mm);
}

void pt_flush_range(struct mm *mm, vaddr_t start, vaddr_t end)
{
	tlb_flush_range(mm, start, end);
}
