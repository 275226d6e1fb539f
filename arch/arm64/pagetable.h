/* Page-table entry bits, private to arch/arm64 (mmu.c, swap_entry.c, tables.c, tlb.c, kmap.c). Arm ARM D5.3. */
#pragma once
#include <arch/mmu.h>
#include <kernel/sync/spinlock.h>
#include <mm/page.h>

#define PTE_VALID	BIT(0)
#define PTE_TABLE	BIT(1)		/* levels 0-2: next table; level 3: page */
#define PTE_ATTR(i)	((u64)(i) << 2)
#define PTE_USER	BIT(6)
#define PTE_RDONLY	BIT(7)
#define PTE_SH_INNER	(3ul << 8)
#define PTE_AF		BIT(10)
#define PTE_NG		BIT(11)
#define PTE_PXN		BIT(53)
#define PTE_UXN		BIT(54)
#define PTE_SW_NONE	BIT(55)		/* software: present to us, PROT_NONE to the program (VALID clear) */
#define PTE_SW_SPECIAL	BIT(56)
#define PTE_SW_BUSY	BIT(57)		/* software, alone in an entry: cleared, but not yet flushed everywhere; nobody fills it */
#define PTE_SW_SWAP	BIT(58)		/* software: not present; bits 2 on name a slot of a swap area (mm/swap.h) */
#define PTE_ADDR_MASK	0x0000fffffffff000ul

#define PTRS_PER_TABLE	512
#define LEVEL_SHIFT(l)	(39 - 9 * (l))
static inline u32 table_index(vaddr_t va, int level) { return va >> LEVEL_SHIFT(level) & (PTRS_PER_TABLE - 1); }
static inline pte_t *table_of(pte_t e) { return phys_to_virt(e & PTE_ADDR_MASK); }
static inline bool pte_is_table(pte_t e) { return (e & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE); }
/* A level-3 entry that maps a page, visible to the program or not. */
static inline bool pte_present(pte_t e) { return e & (PTE_VALID | PTE_SW_NONE); }

static inline bool pte_is_swap(pte_t e) { return e & PTE_SW_SWAP; }
static inline pte_t pte_of_swap(u64 swap) { return swap << 2 | PTE_SW_SWAP; }
/* The slot that an entry which is not present names; 0: none. */
static inline u64 swap_of_pte(pte_t e) { return (e & (PTE_SW_NONE - 1)) >> 2; }

/* pte_make - a level-3 entry (blocks: clear PTE_TABLE) for PROT_K_* */
static inline pte_t pte_make(paddr_t pa, u32 prot)
{
	pte_t e = pa | PTE_AF | PTE_SH_INNER | PTE_TABLE | PTE_VALID;

	if (prot & PROT_K_DEVICE)
		e |= PTE_ATTR(1);
	else if (prot & PROT_K_NC)
		e |= PTE_ATTR(2);
	if (!(prot & PROT_K_W))
		e |= PTE_RDONLY;
	if (prot & PROT_K_USER) {
		e |= PTE_NG | PTE_PXN | PTE_USER;
		if (!(prot & PROT_K_X))
			e |= PTE_UXN;
		if (!(prot & (PROT_K_R | PROT_K_W | PROT_K_X)))
			e = (e & ~(PTE_VALID | PTE_USER)) | PTE_SW_NONE;
	} else {
		e |= PTE_UXN;
		if (!(prot & PROT_K_X))
			e |= PTE_PXN;
	}
	return e;
}

/* Make what the entry leads to visible before it (a zeroed page, a filled table), and it to the table walker before the program
 * returns to the access. */
static inline void pte_publish(pte_t *p, pte_t e)
{
	atomic_store_release(p, e);
	asm volatile("dsb ishst" : : : "memory");
}

/* The lock of the entries in table, LC_PAGE_TABLE. */
static inline struct spinlock *table_lock(pte_t *table)
{
	return (struct spinlock *)&virt_to_page(table)->pt_lock_word;
}

/* mmu.c: span_next - visit the last-level table (or whole block) behind each 2 MiB of [*pos, end), skipping what is not there; *pos goes on
 * behind it; false: no more.  mmap_lock for reading.
 * pt_unmap_leaving - if addr maps pfn, its entry becomes `left`: the old one, flushed, or 0.  Splits blocks.  Takes the table's lock. */
struct span { vaddr_t start, end; pte_t *table, *block; };
bool span_next(struct mm *mm, vaddr_t *pos, vaddr_t end, struct span *s);
pte_t pt_unmap_leaving(struct mm *mm, vaddr_t addr, u64 pfn, pte_t left);

/* tables.c */
/* table_alloc - an empty table, or NULL.  Context: any that may allocate; no spin lock that allocations take. */
pte_t *table_alloc(void);
/* table_free - one that no entry points to any more and that is all zeroes.  Context: any. */
void table_free(pte_t *table);
/* table_link - table is in use now, by the entry `parent` (NULL: the root); it stands on the list of mm's for the end. */
void table_link(struct mm *mm, pte_t *table, pte_t *parent);

/* tlb.c */
void tlb_flush_page(struct mm *mm, vaddr_t va);
void tlb_flush_range(struct mm *mm, vaddr_t start, vaddr_t end);
void tlb_flush_mm(struct mm *mm);
void tlb_mm_init(struct mm *mm);
/* tlb_is_local - a flush of mm would not be broadcast.  Context: preemption off. */
bool tlb_is_local(const struct mm *mm);
