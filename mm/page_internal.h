/* Between the files of mm/ only. */
#pragma once
#include <mm/page.h>

bool bootmem_next_free(u32 i, paddr_t *start, paddr_t *end);
u64 bootmem_total(void);
void slab_init(void);
void vmalloc_init(void);
/* page_free_range - boot memory into the buddy allocator */
void page_free_range(paddr_t start, paddr_t end);
u64 page_nr_of_order(u32 order);	/* free blocks */
#define PCP_HIGH	64		/* single pages that a CPU keeps, and how many it takes or gives at a time */
#define PCP_ORDER	4
#define PCP_BATCH	(1u << PCP_ORDER)
u64 page_reserve(void);			/* what only they get who must not fail */
u32 page_cpu_stock(u32 cpu);		/* single pages at hand there; a racy look */
/* This CPU's stocks go back: page_trim - single pages; slab_trim_cpu - objects in magazines; kstack_trim_cpu - kernel stacks, onto *list.
 * Context: any. */
void page_trim(void), slab_trim_cpu(void), kstack_trim_cpu(void **list);
/* slab_trim - slab_trim_cpu, and all empty slabs.  kstack_release_list - free what kstack_trim_cpu gave.  vmalloc_purge - free what vfree
 * has put off.  Context: thread. */
void slab_trim(void), kstack_release_list(void *list), vmalloc_purge(void);
/* pages_drain - page_trim on every CPU.  Context: thread, interrupts on, no spin lock. */
void pages_drain(void);
