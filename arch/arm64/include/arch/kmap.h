/* The kernel's own map: what boot calls. */
#pragma once
#include <arch/mmu.h>

/* kernel_map_init - the final map; after bootmem knows RAM, before anything uses the linear map.  Context: boot, irqs off. */
void kernel_map_init(void);
/* kernel_map_use_buddy - tables come from page_alloc from now on */
void kernel_map_use_buddy(void);
/* kernel_map_boot_over - what is marked __ro_after_init cannot be written from here on, nor by the linear map.  Context: once, after the last BOOT_INIT. */
void kernel_map_boot_over(void);
/* fixmap_map - a page of device or other memory in an early slot (0 .. 63) */
volatile void *fixmap_map(u32 slot, paddr_t pa, u32 prot);
/* fixmap_fdt - where head.S mapped the device tree (2 MiB blocks, so at least 2 MiB from it are readable) */
const void *fixmap_fdt(paddr_t pa);
