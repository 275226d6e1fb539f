/* Swap: pages without a file behind them, on a device.  Theory: mm/swap.c (the cache and the life of a page), mm/swapfile.c (areas and slots),
 * mm/swap_out.c (which pages go).
 *
 * A slot of an area is named by a number that is never 0 and fits into 49 bits: (area + 1) << SWAP_AREA_SHIFT | page of the area. */
#pragma once
#include <arch/atomic.h>
#include <kernel/lib/types.h>

struct mm;
struct page;
struct vma;
struct address_space;

#define SWAP_AREA_SHIFT	44
#define SWAP_AREA_MASK	(31ul << SWAP_AREA_SHIFT)
#define SWAP_AREAS	23		/* as many as on Linux with its other uses of the numbers */

/* What page tables and tmpfs do with slots.
 * swap_dup - one more names it: 0, or -ENOMEM if too many do.  swap_put - one less; with the last the slot is free.  swap_fork - dst has a copy of
 * such an entry; swap_gone - mm has one less.  Context: any, spin locks held; swap_put and swap_gone: not under LC_LRU and what ranks above. */
int __must_check swap_dup(u64 slot);
void swap_put(u64 slot);
int __must_check swap_fork(struct mm *dst, u64 slot);
void swap_gone(struct mm *mm, u64 slot);

/* swap_fault - the entry at addr names slot: bring the page back.  0 (also if somebody else was first); -ENOMEM; -EIO (SIGBUS).  mmap_lock for reading. */
int swap_fault(struct vma *vma, vaddr_t addr, u64 slot);
/* swap_read_page - the page of slot, in the swap cache, locked, up to date, referenced.  0; -EAGAIN: the slot was given up meanwhile; -ENOMEM; -EIO. */
int __must_check swap_read_page(u64 slot, struct page **out);

bool swap_is_cached(u64 slot);		/* is its page in memory? a racy look */

/* Reclaim.  swap_can_help - is there a slot to write to, or something that was unmapped already and can go?
 * swap_out - take up to nr pages from programs, write what was taken longest ago, free what is written; how many pages were freed.
 * swap_free_clean - only the last; takes only locks that are free, waits for nothing.  Context: thread, may sleep; swap_out: no locks held.
 * swap_deactivate - MADV_COLD: p, locked and referenced, is out of the tables of the one program that maps it and waits to be written, if it can.
 * swap_in_flight - pages being written.  swap_out_pages - MADV_PAGEOUT: these (referenced; put here), as far as only one program maps them. */
extern u32 swap_areas_in_use;		/* [a] 0: none of this is of any use */
extern u64 swap_swappiness;
bool swap_can_help(void);
u64 swap_out(u64 nr);
u64 swap_free_clean(u64 nr);
bool swap_in_flight(void);
void swap_out_pages(struct page **pages, u32 nr);
void swap_deactivate(struct page *p);

/* Pages: of all areas, free of them, in the swap cache. */
u64 swap_total(void), swap_free(void), swap_cached(void);
