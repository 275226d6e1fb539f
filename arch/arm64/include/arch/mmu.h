/* Page tables and address spaces as the rest of the kernel sees them.  arch/arm64/mmu.c is the only reader and writer of entries.
 *
 * Layout of the upper half (TTBR1, 48 bit):
 *   LINEAR_BASE   all RAM, va = LINEAR_BASE + pa
 *   VMALLOC_BASE  guarded stacks, vmalloc, device windows
 *   KASAN_SHADOW  one eighth of the upper half (debug build)
 *   IMAGE_BASE    the kernel image, at a random multiple of 2 MiB above it
 *   FIXMAP_BASE   early slots (console, device tree) */
#pragma once
#include <kernel/lib/types.h>
#include <arch/atomic.h>

#define PAGE_SHIFT	12
#define PAGE_SIZE	(1ul << PAGE_SHIFT)
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define PMD_SHIFT	21
#define PMD_SIZE	(1ul << PMD_SHIFT)
#define PAGE_ALIGN(x)	ALIGN_UP((x), PAGE_SIZE)

#define LINEAR_BASE	0xffff000000000000ul
#define LINEAR_END	0xffff800000000000ul
#define VMALLOC_BASE	0xffff900000000000ul
#define VMALLOC_END	0xffff980000000000ul
#define KASAN_SHADOW_BASE 0xffffa00000000000ul
#define KASAN_SHADOW_END  0xffffc00000000000ul
#define KASAN_SHADOW_OFFSET 0xdfffc00000000000ul	/* shadow = (addr >> 3) + offset */
#define IMAGE_BASE	0xffffc00000000000ul
#define FIXMAP_BASE	0xfffffd0000000000ul

static inline void *phys_to_virt(paddr_t pa) { return (void *)(pa + LINEAR_BASE); }
static inline paddr_t virt_to_phys(const void *va) { return (u64)va - LINEAR_BASE; }	/* linear map addresses only */
typedef u64 pte_t;
paddr_t image_to_phys(const void *va);		/* addresses inside the kernel image */

/* Protections of a mapping, user or kernel. */
enum {
	PROT_K_R = 1, PROT_K_W = 2, PROT_K_X = 4,	/* read, write, execute */
	PROT_K_USER = 8,				/* EL0 may */
	PROT_K_DEVICE = 16,				/* nGnRE device memory */
	PROT_K_NC = 32,					/* normal, not cached */
};

struct mm;
struct vma;
struct page;

/* The architecture's part of struct mm. */
struct arch_mm {
	paddr_t pgd;		/* [I] root table */
	struct page *tables;	/* [a] all tables, by page->private */
	u64 asid;		/* [a] its number, a generation above; 0 none yet, or none any more */
	u64 cpus;		/* [a] CPUs that may hold translations under that number */
	u32 broadcasts;		/* [a] flushes that went to all CPUs */
};

int arch_mm_init(struct mm *mm);	/* 0 or -ENOMEM */
void arch_mm_fini(struct mm *mm);	/* frees tables; all user ranges already unmapped, retired */
/* arch_mm_switch - make next's tables current on this CPU.  arch_mm_leave - no program's tables.  Context: irqs off. */
void arch_mm_switch(struct mm *next);
void arch_mm_leave(void);
/* tlb_mm_retire - no task has mm any more, and none will: nothing cached of it will be used, and nothing needs flushing. */
void tlb_mm_retire(struct mm *mm);
/* tlb_fix_spurious - forget what this CPU holds for va in current's mm: what it did not allow, the tables do by now. */
void tlb_fix_spurious(struct mm *mm, vaddr_t va);
/* For tests: tlb_limit_numbers - go on with so many address-space identifiers, more than there are CPUs, and a new generation; returns how
 * many there were.  tlb_generation - how often they have run out. */
u32 tlb_limit_numbers(u32 count);
u64 tlb_generation(void);

/* What a user entry says, decoded. */
struct pte_info {
	bool present;		/* a page is mapped (perhaps PROT_NONE: prot without R) */
	bool writable;		/* and so dirty, for all we know */
	bool executable, special;
	bool block;		/* one entry for 2 MiB */
	u64 pfn;
	u64 swap;		/* not present: the slot of a swap area that holds the page (mm/swap.h), or 0 */
};

/* User page tables. Locks: each call takes the page-table lock of its table page itself, unless named _locked. mmap_lock held
 * (read suffices for map/unmap of single pages under the pt lock; write for range operations that change VMAs). */

/* pt_lookup - the entry for addr.  Returns false if no table is there. */
bool pt_lookup(struct mm *mm, vaddr_t addr, struct pte_info *out);
/* pt_map - map one page where the entry is empty.  Returns 0, -EEXIST if something else is mapped
 * there by now, -ENOMEM.  A writable entry counts as dirty, and every one as used. */
int pt_map(struct mm *mm, vaddr_t addr, u64 pfn, u32 prot);
/* pt_map_swapped - map one page where the entry names that slot of a swap area.  0, or -EAGAIN if it does not any more.
 * pt_unmap_to_swap - for rmap: if addr maps pfn, its entry names that slot from now on; false if not.  Splits blocks.  Flushed on return.
 * pt_next_swap - the first entry in [addr, end) that names a slot with (slot & mask) == match: its address, and *swap; end if none. */
int pt_map_swapped(struct mm *mm, vaddr_t addr, u64 swap, u64 pfn, u32 prot);
bool pt_unmap_to_swap(struct mm *mm, vaddr_t addr, u64 pfn, u64 swap);
vaddr_t pt_next_swap(struct mm *mm, vaddr_t addr, vaddr_t end, u64 mask, u64 match, u64 *swap);
/* pt_map_pages - map pages[i] (NULL: skip) at addr + i * PAGE_SIZE where nothing is mapped yet, all in one 2 MiB part and nr <= 64.
 * Returns the bitmap of those that were; 0 also if memory for a table lacks. */
u64 pt_map_pages(struct mm *mm, vaddr_t addr, struct page *const *pages, u32 nr, u32 prot);
/* pt_replace - break-before-make exchange of a present page if it still maps old_pfn, read-only (COW). 0, or -EAGAIN if it changed: one that
 * another thread has made writable since, for the page had become its alone, may have been written to after it was copied.
 * The caller drops old page's reference/mapcount. */
int pt_replace(struct mm *mm, vaddr_t addr, u64 old_pfn, u64 new_pfn, u32 prot);
/* pt_set_prot_one - more rights for one present page still mapping pfn.  Other CPUs may fault on it once more.  0, or -EAGAIN if it changed.
 * pt_reuse_one - the same, but only if the page is anonymous and this mapping its only reference; else -EBUSY. */
int pt_set_prot_one(struct mm *mm, vaddr_t addr, u64 pfn, u32 prot);
int pt_reuse_one(struct mm *mm, vaddr_t addr, u64 pfn, u32 prot);
/* pt_protect_range - give every present page in the range new protection; a page that prot lets write stays read-only if
 * it was write-protected (COW or dirty tracking) before. Flushes. Splits blocks at the edges. */
void pt_protect_range(struct mm *mm, vaddr_t start, vaddr_t end, u32 prot);
/* pt_wrprotect_one - clear write; returns true if it was writable (dirty).  For write-back and rmap. Flushes that page. */
bool pt_wrprotect_one(struct mm *mm, vaddr_t addr, u64 pfn);
/* pt_wrprotect_range - the same for all pages of the range, with one flush; true if one was writable.  Blocks, which are anonymous, stay. */
bool pt_wrprotect_range(struct mm *mm, vaddr_t start, vaddr_t end);

/* Unmapping: entries are cleared at once, `page_gone(arg, addr, info, nr_pages)` is called for each after the TLB flush of its batch (so that pages may
 * be freed).  nr_pages is 1, or 512 for a huge block.  Entries that name a slot of a swap area go too: info->swap.
 * Tables stay. */
typedef void (*pt_gone_fn)(void *arg, vaddr_t addr, const struct pte_info *info, u32 nr_pages);
void pt_unmap_range(struct mm *mm, vaddr_t start, vaddr_t end, pt_gone_fn page_gone, void *arg);
/* pt_free_tables - free the tables of [start, end) that span nothing outside [floor, ceiling), where no VMA is: the end of the VMA below
 * and the start of the one above.  Flushes.  mmap_lock for writing; nothing mapped in [floor, ceiling), no VMA of it in an i_mmap. */
void pt_free_tables(struct mm *mm, vaddr_t start, vaddr_t end, vaddr_t floor, vaddr_t ceiling);
/* pt_unmap_one - for rmap: unmap addr if it maps pfn; returns false if not. Flushed on return. info out. */
bool pt_unmap_one(struct mm *mm, vaddr_t addr, u64 pfn, struct pte_info *info);

/* pt_copy_range - fork: copy the parent's present entries of [start,end) into the child (empty there).  cow: write-protect both.
 * `page_dup(arg, info, nr_pages)` is called for every page copied, to take the reference/mapcount; slots of
 * swap areas: swap_fork. One TLB flush of the parent at the end by pt_flush_mm (the caller, once for the whole fork). 0 or -ENOMEM. */
typedef void (*pt_dup_fn)(void *arg, const struct pte_info *info, u32 nr_pages);
int pt_copy_range(struct mm *dst, struct mm *src, vaddr_t start, vaddr_t end, bool cow, pt_dup_fn page_dup, void *arg);
/* pt_move_range - mremap: move entries of [old, old+len) to new (same offsets). 0 or -ENOMEM. Flushes. */
int pt_move_range(struct mm *mm, vaddr_t old, vaddr_t new, size_t len);
/* Blocks: 2 MiB of anonymous memory under one entry, made of 512 single pages.  A block keeps a spare table, so that splitting it cannot
 * fail.  pt_map_block - map one at aligned addr where no table stands: 0, -EEXIST, -ENOMEM.
 * pt_split_block - the block that covers addr, if there is one, becomes 512 entries.
 * pt_set_prot_block - like pt_set_prot_one, for the block that covers addr and begins with pfn. */
int pt_map_block(struct mm *mm, vaddr_t addr, u64 pfn, u32 prot);
void pt_split_block(struct mm *mm, vaddr_t addr);
int pt_set_prot_block(struct mm *mm, vaddr_t addr, u64 pfn, u32 prot);
/* pt_trim - give back this CPU's stock of empty tables.  Context: any. */
void pt_trim(void);
/* pt_walk - call fn for each present entry in the range (mincore, smaps). fn returns nonzero to stop. */
int pt_walk(struct mm *mm, vaddr_t start, vaddr_t end,
	    int (*fn)(void *arg, vaddr_t addr, const struct pte_info *info, u32 nr_pages), void *arg);

void pt_flush_mm(struct mm *mm);
void pt_flush_range(struct mm *mm, vaddr_t start, vaddr_t end);

/* Kernel mappings (vmalloc area).  Tables come from page_alloc.  kmap_unmap leaves entries empty; the TLB is flushed by
 * kernel_tlb_flush_range (batched by vmalloc). */
int kernel_map_page(vaddr_t va, paddr_t pa, u32 prot);		/* 0 or -ENOMEM */
/* kernel_map_device - registers, for ever; by blocks where va and pa are aligned alike.  0 or -ENOMEM: then the range is of no use any more. */
int kernel_map_device(vaddr_t va, paddr_t pa, u64 size);
paddr_t kernel_unmap_page(vaddr_t va);				/* the pa it mapped, or ~0 */
void kernel_tlb_flush_range(vaddr_t start, vaddr_t end);
void kernel_tlb_flush_here(vaddr_t start, vaddr_t end);		/* on this CPU only */
void kernel_tlb_flush_all(void);

/* cache_sync_code - make code just written at va (linear map) visible to fetches on all CPUs, under whatever address.  Another CPU that
 * may have fetched there already needs a context synchronisation as well: an entry that is new to it brings that, by its fault. */
void cache_sync_code(void *va, size_t len);
/* assembly helpers: whole aligned pages */
void clear_page(void *page);
void copy_page(void *to, const void *from);
