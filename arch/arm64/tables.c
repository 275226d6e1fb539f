/* User page tables: the tables themselves, from allocation to the end of their address space.
 *
 * Tables of one address space are a list, each knowing the entry that points to it, so that the end need not search them.  By then
 * every entry has been cleared; a free table is all zeroes, and a few are kept per CPU to be used as they are (interrupts off: a call
 * from another CPU may drain them).
 *
 * A table is freed after its entry was cleared and what the walker may remember of it was dropped: TLBI by address without "last level"
 * takes intermediate entries for that address too (Arm ARM D5.10.2). */
#include <arch/irqflags.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <mm/page.h>
#include <mm/vma.h>
#include <mm/vmstat.h>
#include "pagetable.h"

/* A table's page: ->index is the address of the entry that points to it (0: the root), ->private the next one of its mm, ->pt_prev the
 * one before.  Tables come by compare-and-swap at the head, in faults; one goes alone only under mmap_lock for writing. */
#define TABLE_CACHE 24
struct table_cache { u32 count; pte_t *tables[TABLE_CACHE]; };	/* all zeroes, PG_TABLE set */
static DEFINE_PER_CPU(struct table_cache, table_cache);

pte_t *table_alloc(void)
{
	struct table_cache *tc;
	pte_t *table = NULL;
	irqflags_t flags;
	struct page *page;

	if (alloc_should_fail())
		return NULL;
	flags = arch_irq_save();
	tc = this_cpu_ptr(&table_cache);
	if (likely(tc->count))
		table = tc->tables[--tc->count];
	arch_irq_restore(flags);
	if (likely(table))
		return table;
	page = page_alloc(0, GFP_ZERO);
	if (!page)
		return NULL;
	_Static_assert(sizeof(struct spinlock) <= sizeof(u64), "fits pt_lock_word");
	spin_lock_init((struct spinlock *)&page->pt_lock_word, LC_PAGE_TABLE);
	page->pt_spare = NULL;
	atomic_fetch_or(&page->flags, PG_TABLE);
	vmstat_add(VM_TABLE_PAGES, 1);
	return page_address(page);
}

static void table_release(pte_t *table)
{
	struct page *page = virt_to_page(table);

	page->flags = 0;
	page->pt_lock_word = 0;
	vmstat_add(VM_TABLE_PAGES, -1);
	page_free(page, 0);
}

/* The table is all zeroes. */
void table_free(pte_t *table)
{
	struct page *page = virt_to_page(table);
	struct table_cache *tc;
	irqflags_t flags;
	bool kept = false;

	for (u32 i = 0; IS_DEBUG && i < PTRS_PER_TABLE; i++)
		VERIFY(!table[i]);
	DEBUG_ASSERT(!page->pt_spare);
	flags = arch_irq_save();
	tc = this_cpu_ptr(&table_cache);
	if (likely(tc->count < TABLE_CACHE)) {
		tc->tables[tc->count++] = table;
		kept = true;
	}
	arch_irq_restore(flags);
	if (unlikely(!kept))
		table_release(table);
}

void pt_trim(void)
{
	irqflags_t flags = arch_irq_save();
	struct table_cache *tc = this_cpu_ptr(&table_cache);

	while (tc->count)
		table_release(tc->tables[--tc->count]);
	arch_irq_restore(flags);
}

/* table is in use now, by the entry `parent`; on the list of mm's for the end. */
void table_link(struct mm *mm, pte_t *table, pte_t *parent)
{
	struct page *page = virt_to_page(table), *first;

	page->index = (u64)parent;
	page->pt_prev = NULL;		/* before the next one, on another CPU, can say that it is ours */
	do {
		first = atomic_load(&mm->arch.tables);
		page->private = (u64)first;
	} while (!atomic_cas(&mm->arch.tables, first, page));
	if (first)
		first->pt_prev = page;
}

static void table_unlink(struct mm *mm, struct page *page)
{
	struct page *next = (struct page *)page->private, *prev = page->pt_prev;

	if (prev)
		prev->private = (u64)next;
	else
		mm->arch.tables = next;
	if (next)
		next->pt_prev = prev;
}

int arch_mm_init(struct mm *mm)
{
	pte_t *root = table_alloc();

	if (!root)
		return -ENOMEM;
	mm->arch.pgd = virt_to_phys(root);
	mm->arch.tables = NULL;
	table_link(mm, root, NULL);
	tlb_mm_init(mm);
	return 0;
}

void arch_mm_fini(struct mm *mm)
{
	DEBUG_ASSERT(!mm->arch.asid);	/* retired, so no walker is in it */
	for (struct page *p = mm->arch.tables, *next; p; p = next) {
		next = (struct page *)p->private;
		if (p->index)
			*(pte_t *)p->index = 0;
	}
	for (struct page *p = mm->arch.tables, *next; p; p = next) {
		next = (struct page *)p->private;
		table_free(page_address(p));
	}
	mm->arch.pgd = 0;
	mm->arch.tables = NULL;
}

/* Tables taken out of the tree, to be freed after the flush: chained through page->private. */
struct dead_tables { struct page *first; u32 nr; vaddr_t at; /* an address that one of them translates */ };

/* table, at level, and all tables below it. */
static void table_bury(struct mm *mm, struct dead_tables *dead, pte_t *table, int level)
{
	struct page *page = virt_to_page(table);

	for (u32 i = 0; level < 3 && i < PTRS_PER_TABLE; i++)
		if (pte_is_table(table[i])) {
			table_bury(mm, dead, table_of(table[i]), level + 1);
			atomic_store(&table[i], 0);
		}
	table_unlink(mm, page);
	page->private = (u64)dead->first;
	dead->first = page;
	dead->nr++;
}

/* Cut off what hangs below the entries of table for [start, end) and spans nothing outside [floor, ceiling). */
static void cut_tables(struct mm *mm, struct dead_tables *dead, pte_t *table, int level, vaddr_t start, vaddr_t end, vaddr_t floor,
		       vaddr_t ceiling)
{
	u64 span = 1ul << LEVEL_SHIFT(level);

	for (vaddr_t base = ALIGN_DOWN(start, span); base < end; base += span) {
		pte_t *p = &table[table_index(base, level)], e = *p;

		if (!pte_is_table(e))
			continue;
		if (base >= floor && base + span <= ceiling) {
			atomic_store(p, 0);
			dead->at = base;
			table_bury(mm, dead, table_of(e), level + 1);
		} else if (level < 2) {
			cut_tables(mm, dead, table_of(e), level + 1, max(base, start), min(base + span, end), floor, ceiling);
		}
	}
}

void pt_free_tables(struct mm *mm, vaddr_t start, vaddr_t end, vaddr_t floor, vaddr_t ceiling)
{
	struct dead_tables dead = { NULL, 0, 0 };

	cut_tables(mm, &dead, phys_to_virt(mm->arch.pgd), 0, start, end, floor, ceiling);
	if (!dead.nr)
		return;
	if (dead.nr == 1)
		tlb_flush_page(mm, dead.at);
	else
		tlb_flush_mm(mm);
	while (dead.first) {
		struct page *page = dead.first;

		dead.first = (struct page *)page->private;
		table_free(page_address(page));
	}
}
