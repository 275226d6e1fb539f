/* User page tables: entries that name a slot of a swap area in place of a page.
 *
 * Theory.  Format: VALID, PTE_SW_NONE and PTE_SW_BUSY clear, PTE_SW_SWAP set, the slot's number (49 bits, mm/swap.h) from bit 2 on.  For the
 * walker the entry is empty, so an access faults; for pt_map it is taken, so nobody puts a fresh page where one is only away.  It says
 * nothing of rights: those are the VMA's when the page comes back.
 *
 *   page -> slot     pt_unmap_to_swap   reclaim, the page locked, its slot in the cache before.  Break-before-make needs no step between: the
 *                                       new entry is not valid, so one store and the flush are the break (Arm ARM D5.10.1)
 *   slot -> page     pt_map_swapped     a fault, or swapoff, the page locked.  Nothing of an invalid entry is in a TLB: no flush
 *   slot -> slot     pt_copy_range      fork: the child names it too (mmu.c, in the loop that copies)
 *                    pt_move_range      mremap: entries move as they stand
 *   slot -> nothing  pt_unmap_range     munmap, exit: page_gone gets info->swap
 *
 * An entry holds one count of its slot (swap_dup, swap_put: mm/swap.c), as one that maps holds a reference of the page, and changes under its
 * table's lock like all of the last level.  pt_unmap_to_swap's caller takes the count before, and drops it if the entry has changed; so a
 * slot that is named is never free.
 *
 * Who looks for entries to bring back (swapoff) holds no table lock: an entry read so is a hint, and pt_map_swapped looks again. */
#include <kernel/errno.h>
#include <kernel/sync/spinlock.h>
#include <mm/swap.h>
#include <mm/vma.h>
#include "pagetable.h"

_Static_assert((SWAP_AREA_MASK | (BIT(SWAP_AREA_SHIFT) - 1)) << 2 < PTE_SW_NONE, "slots end below the software bits");

int pt_map_swapped(struct mm *mm, vaddr_t addr, u64 swap, u64 pfn, u32 prot)
{
	vaddr_t pos = addr;
	int err = -EAGAIN;
	struct span s;
	pte_t *p;

	if (!span_next(mm, &pos, addr + PAGE_SIZE, &s) || !s.table)
		return err;
	p = &s.table[table_index(addr, 3)];
	spin_lock(table_lock(s.table));
	if (*p == pte_of_swap(swap)) {
		pte_publish(p, pte_make(pfn << PAGE_SHIFT, prot | PROT_K_USER));
		err = 0;
	}
	spin_unlock(table_lock(s.table));
	return err;
}

bool pt_unmap_to_swap(struct mm *mm, vaddr_t addr, u64 pfn, u64 swap)
{
	return pt_unmap_leaving(mm, addr, pfn, pte_of_swap(swap));
}

vaddr_t pt_next_swap(struct mm *mm, vaddr_t addr, vaddr_t end, u64 mask, u64 match, u64 *swap)
{
	struct span s;

	while (span_next(mm, &addr, end, &s)) {
		if (s.block)
			continue;
		for (vaddr_t va = s.start; va < s.end; va += PAGE_SIZE) {
			pte_t e = atomic_load(&s.table[table_index(va, 3)]);

			if (!pte_is_swap(e) || (swap_of_pte(e) & mask) != match)
				continue;
			*swap = swap_of_pte(e);
			return va;
		}
	}
	return end;
}
