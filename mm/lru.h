/* The pages of files that could be read again, by last use.  Theory: mm/lru.c. */
#pragma once
#include <mm/page.h>

/* lru_add - p has just entered the cache of something that has a store.  lru_del - it has left (p->mapping is NULL).
 * Context: any. */
void lru_add(struct page *p);
void lru_del(struct page *p);
/* page_mark_accessed - a program has read or written p through a call.  No lock, and no store as a rule. */
static inline void page_mark_accessed(struct page *p)
{
	u32 f = page_flags(p);

	if (likely((f & (PG_LRU | PG_WORKING)) != PG_LRU))
		return;
	atomic_fetch_or(&p->flags, f & PG_ACCESSED ? PG_WORKING : PG_ACCESSED);
}
/* lru_shrink - let go of up to `want` clean pages used longest ago; how many went.  Waits for nobody, writes nothing: only tries locks.
 * lru_drop - of all clean pages that are not mapped.  Context: thread, interrupts on, no spin lock held; other locks may be. */
u64 lru_shrink(u64 want);
u64 lru_drop(void);
/* lru_deactivate - MADV_COLD: p, of a file, locked and referenced, is unmapped, and used no more for all we know.  Only tries locks.  Context: thread. */
void lru_deactivate(struct page *p);
enum lru_list { LRU_INACTIVE, LRU_ACTIVE, NR_LRU };
u64 lru_pages(enum lru_list which);	/* racy */
/* page_unmap_file - a page of a file, locked, out of all address spaces; false: some need it (mlock), or it cannot be told now.  Only tries locks. */
bool page_unmap_file(struct page *p);
