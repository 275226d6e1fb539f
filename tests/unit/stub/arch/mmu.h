/* Physical memory is an array of the test's: unit_memory stands at physical address UNIT_PHYS. */
#pragma once
#define phys_to_virt arm64_phys_to_virt
#define virt_to_phys arm64_virt_to_phys
#include "../../../../arch/arm64/include/arch/mmu.h"
#undef phys_to_virt
#undef virt_to_phys
#define UNIT_PHYS 0x40000000ul
extern char *unit_memory;
static inline void *phys_to_virt(paddr_t pa) { return unit_memory + (pa - UNIT_PHYS); }
static inline paddr_t virt_to_phys(const void *va) { return (paddr_t)((const char *)va - unit_memory) + UNIT_PHYS; }
