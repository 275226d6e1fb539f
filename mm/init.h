/* Boot-time memory. */
#pragma once
#include <arch/mmu.h>

/* Ranges from the device tree, before the buddy allocator. */
void bootmem_add(paddr_t start, u64 size);		/* RAM */
void bootmem_reserve(paddr_t start, u64 size, const char *what);
/* bootmem_alloc - zeroed, aligned; panics when there is none, saying how much. Usable once the linear map is up. */
paddr_t bootmem_alloc_phys(size_t size, size_t align);
bool bootmem_next_range(u32 i, paddr_t *start, paddr_t *end);	/* i-th RAM range, for mmu.c's linear map */
void mm_init(void);		/* page array, buddy, slab, vmalloc; after the linear map */
void mm_free_initmem(paddr_t start, u64 size);	/* hand a boot-time range (initrd, .init) to the buddy */
