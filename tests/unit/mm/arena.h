/* RAM for the allocators under test: two ranges with a hole between, and some pages taken. */
#pragma once
#include <kernel/lib/string.h>
#include <kernel/task.h>
#include <mm/init.h>
#include <mm/page_internal.h>
#include <tests/unit/unit.h>

#define ARENA_PAGES 6000
#define HOLE_START 2500
#define HOLE_END 2700

static inline void arena_init(void)
{
	unit_memory = host_guarded(ARENA_PAGES * PAGE_SIZE);
	bootmem_add(UNIT_PHYS, HOLE_START * PAGE_SIZE);
	bootmem_add(UNIT_PHYS + HOLE_END * PAGE_SIZE, (ARENA_PAGES - HOLE_END) * PAGE_SIZE);
	bootmem_reserve(UNIT_PHYS + 100 * PAGE_SIZE, 3 * PAGE_SIZE, "test");
	mm_init();
}
