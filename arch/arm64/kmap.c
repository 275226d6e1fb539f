/* The kernel's own map: built once at boot, extended by vmalloc and device windows.
 *
 * Boot.  head.S runs on coarse tables.  kernel_map_init() builds the final root: the image with text executable and read-only,
 * rodata read-only, the rest writable and not executable; the linear map of all RAM by the largest blocks that fit, in which the
 * image's text and rodata are read-only too; the fix-mapped slots.  Data marked __ro_after_init have pages of their own, which become read-only
 * in both places before the first program runs.  Its tables come from a pool in .bss until the linear map
 * reaches the boot allocator's memory, then from there.
 *
 * Later changes are in the vmalloc area, under kernel_pt_lock: of single last-level entries, and of blocks for device windows, which stay. */
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/sync/spinlock.h>
#include <mm/init.h>
#include <mm/page.h>
#include "pagetable.h"
#include <arch/kmap.h>

extern char _text[], _etext[], _rodata[], _erodata[], _ero_after_init[], _end[], early_pgd[];
void cpu_replace_kernel_tables(paddr_t pgd);

#define POOL_PAGES 40
static pte_t pool[POOL_PAGES][PTRS_PER_TABLE] __aligned(4096);
static u32 pool_used;
pte_t kernel_pgd[PTRS_PER_TABLE] __aligned(4096);
static pte_t *fix_table;
static bool buddy_ready __ro_after_init;		/* tables come from page_alloc */
static DEFINE_SPINLOCK(kernel_pt_lock, LC_KERNEL_PT);
u64 kernel_phys __ro_after_init;			/* where the image lies; head.S sets it */

paddr_t image_to_phys(const void *va)
{
	return (u64)va - (u64)_text + kernel_phys;
}

static bool in_image(const void *p)
{
	return (const char *)p >= _text && (const char *)p < _end;
}

static paddr_t table_phys(const pte_t *table)
{
	return in_image(table) ? image_to_phys(table) : virt_to_phys(table);
}

/* While the final map is being built, pool tables are reached through the image, not yet through the linear map. */
static pte_t *table_virt(pte_t e)
{
	paddr_t pa = e & PTE_ADDR_MASK;

	if (pa >= kernel_phys && pa < kernel_phys + (u64)(_end - _text))
		return (pte_t *)(_text + (pa - kernel_phys));
	return phys_to_virt(pa);
}

static pte_t *new_table(void)
{
	if (buddy_ready) {
		struct page *page = page_alloc(0, GFP_ATOMIC | GFP_ZERO);

		return page ? page_address(page) : NULL;
	}
	VERIFY(pool_used < POOL_PAGES);
	return pool[pool_used++];
}

static pte_t *descend(pte_t *root, vaddr_t va, int last)
{
	pte_t *table = root;

	for (int level = 0; level < last; level++) {
		pte_t *p = &table[table_index(va, level)];

		if (!*p) {
			pte_t *t = new_table();

			if (!t)
				return NULL;
			atomic_store_release(p, table_phys(t) | PTE_TABLE | PTE_VALID);
		}
		VERIFY(pte_is_table(*p));
		table = table_virt(*p);
	}
	return table;
}

/* Map [va, va + size) by the largest blocks that alignment allows.  False: no memory for a table, and part of it may be mapped. */
static bool map_range(pte_t *root, vaddr_t va, paddr_t pa, u64 size, u32 prot)
{
	while (size) {
		int level = 3;
		pte_t *table;
		u64 step;

		if (IS_ALIGNED(va | pa, BIT(30)) && size >= BIT(30))
			level = 1;
		else if (IS_ALIGNED(va | pa, PMD_SIZE) && size >= PMD_SIZE)
			level = 2;
		step = BIT(LEVEL_SHIFT(level));
		table = descend(root, va, level);
		if (!table)
			return false;
		atomic_store(&table[table_index(va, level)], level == 3 ? pte_make(pa, prot) : pte_make(pa, prot) & ~PTE_TABLE);
		va += step;
		pa += step;
		size -= step;
	}
	return true;
}

/* fixmap_map - put pa's page into an early slot and return its address; before kernel_map_init only slots above the device tree. */
volatile void *fixmap_map(u32 slot, paddr_t pa, u32 prot)
{
	vaddr_t va = FIXMAP_BASE + 4 * PMD_SIZE + slot * PAGE_SIZE;

	if (!fix_table)
		fix_table = descend((pte_t *)early_pgd, va, 3);
	fix_table[table_index(va, 3)] = pte_make(pa & PAGE_MASK, prot);
	asm volatile("dsb ishst\n\tisb" : : : "memory");
	return (volatile void *)(va + (pa & (PAGE_SIZE - 1)));
}

const void *fixmap_fdt(paddr_t pa)
{
	return (const void *)(FIXMAP_BASE + (pa & (PMD_SIZE - 1)));
}

/* Of [start, end), what lies in [low, high). */
static void map_linear_part(paddr_t start, paddr_t end, paddr_t low, paddr_t high, u32 prot)
{
	start = max(start, low);
	end = min(end, high);
	if (start < end)
		map_range(kernel_pgd, LINEAR_BASE + start, start, end - start, prot);
}

/* What becomes read-only later is a part of its own, so that no block reaches across its ends. */
static void map_linear(paddr_t start, paddr_t end)
{
	paddr_t rodata_end = image_to_phys(_erodata), later_end = image_to_phys(_ero_after_init);

	map_linear_part(start, end, 0, kernel_phys, PROT_K_R | PROT_K_W);
	map_linear_part(start, end, kernel_phys, rodata_end, PROT_K_R);
	map_linear_part(start, end, rodata_end, later_end, PROT_K_R | PROT_K_W);
	map_linear_part(start, end, later_end, ~0ul, PROT_K_R | PROT_K_W);
}

void kernel_map_init(void)
{
	vaddr_t text = (vaddr_t)_text;
	paddr_t start, end;

	map_range(kernel_pgd, text, kernel_phys, (u64)(_etext - _text), PROT_K_R | PROT_K_X);
	map_range(kernel_pgd, (vaddr_t)_rodata, image_to_phys(_rodata), (u64)(_erodata - _rodata), PROT_K_R);
	map_range(kernel_pgd, (vaddr_t)_erodata, image_to_phys(_erodata), (u64)(_ero_after_init - _erodata), PROT_K_R | PROT_K_W);
	map_range(kernel_pgd, (vaddr_t)_ero_after_init, image_to_phys(_ero_after_init), (u64)(_end - _ero_after_init), PROT_K_R | PROT_K_W);
	kernel_pgd[table_index(FIXMAP_BASE, 0)] = ((pte_t *)early_pgd)[table_index(FIXMAP_BASE, 0)];
	for (u32 i = 0; bootmem_next_range(i, &start, &end); i++)
		map_linear(ALIGN_UP(start, PAGE_SIZE), ALIGN_DOWN(end, PAGE_SIZE));
	cpu_replace_kernel_tables(image_to_phys(kernel_pgd));
}

void kernel_map_use_buddy(void)
{
	buddy_ready = true;
}

static void make_readonly(vaddr_t start, vaddr_t end)
{
	for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
		pte_t *p = &descend(kernel_pgd, va, 3)[table_index(va, 3)];

		atomic_store(p, pte_make(*p & PTE_ADDR_MASK, PROT_K_R));	/* of the permissions alone: no break before make */
	}
	kernel_tlb_flush_range(start, end);
}

void kernel_map_boot_over(void)
{
	irqflags_t flags = spin_lock_irqsave(&kernel_pt_lock);
	vaddr_t linear = LINEAR_BASE + image_to_phys(_erodata);

	make_readonly((vaddr_t)_erodata, (vaddr_t)_ero_after_init);
	make_readonly(linear, linear + (u64)(_ero_after_init - _erodata));
	spin_unlock_irqrestore(&kernel_pt_lock, flags);
}

int kernel_map_page(vaddr_t va, paddr_t pa, u32 prot)
{
	irqflags_t flags = spin_lock_irqsave(&kernel_pt_lock);
	pte_t *table = descend(kernel_pgd, va, 3);

	if (table) {
		DEBUG_ASSERT(!table[table_index(va, 3)]);
		atomic_store(&table[table_index(va, 3)], pte_make(pa, prot));
		asm volatile("dsb ishst\n\tisb" : : : "memory");
	}
	spin_unlock_irqrestore(&kernel_pt_lock, flags);
	return table ? 0 : -ENOMEM;
}

int kernel_map_device(vaddr_t va, paddr_t pa, u64 size)
{
	irqflags_t flags = spin_lock_irqsave(&kernel_pt_lock);
	bool done = map_range(kernel_pgd, va, pa, size, PROT_K_R | PROT_K_W | PROT_K_DEVICE);

	asm volatile("dsb ishst\n\tisb" : : : "memory");
	spin_unlock_irqrestore(&kernel_pt_lock, flags);
	return done ? 0 : -ENOMEM;
}

paddr_t kernel_unmap_page(vaddr_t va)
{
	irqflags_t flags = spin_lock_irqsave(&kernel_pt_lock);
	pte_t *table = descend(kernel_pgd, va, 3);
	paddr_t pa = ~0ul;

	if (table && table[table_index(va, 3)]) {
		pa = table[table_index(va, 3)] & PTE_ADDR_MASK;
		atomic_store(&table[table_index(va, 3)], 0);
	}
	spin_unlock_irqrestore(&kernel_pt_lock, flags);
	return pa;
}

/* CTR_EL0: IDC and DIC say that caches are coherent so far; L1Ip, whether another address of the page finds the same line. */
#define CTR_IDC		BIT(28)
#define CTR_DIC		BIT(29)
#define CTR_L1IP_PIPT	3ul

void cache_sync_code(void *va, size_t len)
{
	u64 ctr = read_sysreg(ctr_el0), dline = 4ul << (ctr >> 16 & 15), iline = 4ul << (ctr & 15);

	if (!(ctr & CTR_IDC))
		for (u64 p = ALIGN_DOWN((u64)va, dline); p < (u64)va + len; p += dline)
			asm volatile("dc cvau, %0" : : "r"(p) : "memory");
	dsb_ish();
	if (!(ctr & CTR_DIC) && (ctr >> 14 & 3) != CTR_L1IP_PIPT)
		asm volatile("ic ialluis" : : : "memory");
	else if (!(ctr & CTR_DIC))
		for (u64 p = ALIGN_DOWN((u64)va, iline); p < (u64)va + len; p += iline)
			asm volatile("ic ivau, %0" : : "r"(p) : "memory");
	dsb_ish();
	isb();
}
