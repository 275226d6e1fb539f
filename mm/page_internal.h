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
/* slab_trim, page_trim, kstack_trim - give back this CPU's stock of objects, single pages, kernel stacks, and all empty slabs.
 * Context: thread, may sleep. */
void slab_trim(void), page_trim(void), kstack_trim(void);
