/* What memory is used for: counts of pages, per CPU, summed when somebody reads them. */
#pragma once
#include <arch/atomic.h>
#include <arch/cpu.h>
#include <kernel/lib/types.h>

enum vm_item {
	VM_ANON_PAGES,		/* anonymous, mapped somewhere; each counted once */
	VM_MAPPED_PAGES,	/* of the page cache, mapped somewhere; each counted once */
	VM_FILE_PAGES,		/* in the page cache, VM_SHMEM_PAGES included */
	VM_SHMEM_PAGES,		/* those without a store behind them: tmpfs, shared memory */
	VM_BUFFER_PAGES,	/* those of block devices' own caches */
	VM_TABLE_PAGES,		/* user page tables */
	VM_STACK_PAGES,		/* kernel stacks */
	VM_ANON_BLOCKS,		/* 2 MiB parts of anonymous memory mapped by one entry; each counted once */
	VM_DIRTY_PAGES,		/* of files with a store, changed and not yet being written */
	VM_WRITEBACK_PAGES,	/* being written */
	VM_DIRTIED, VM_WRITTEN,	/* pages that became dirty, that were written, ever */
	VM_DIRECT_RECLAIMS,	/* page_alloc had to look for pages itself, and found some */
	VM_SWAP_CACHED,		/* pages in the swap cache */
	VM_SWAPPED_IN, VM_SWAPPED_OUT,	/* pages read from and written to swap areas, ever */
	VM_NR_ITEMS,
};

struct vm_counters { s64 n[VM_NR_ITEMS]; };	/* [a]; one CPU's may be negative */
DECLARE_PER_CPU(struct vm_counters, vm_counters);

/* vmstat_add - Context: any.  Atomic, so that a task that moves to another CPU in the middle harms nothing. */
static inline void vmstat_add(enum vm_item item, s64 n) { atomic_add(&this_cpu_ptr(&vm_counters)->n[item], n); }
/* vmstat_read - the sum over the CPUs, not negative; a snapshot only if nothing changes meanwhile. */
u64 vmstat_read(enum vm_item item);
