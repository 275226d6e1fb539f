/* Memory before the buddy allocator: which ranges are RAM, which of them are taken, and a first allocator on what is left.
 *
 * Ranges come from the device tree; overlapping and unordered ones are allowed.  Boot allocations go top down from the highest free
 * place, so that low memory stays whole.  mm_init() gives the rest to the buddy allocator and ends this one. */
#include <arch/mmu.h>
#include <kernel/debug.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <mm/init.h>
#include <mm/page_internal.h>

#define MAX_RANGES 64

struct range { paddr_t start, end; };
static struct range ram[MAX_RANGES], taken[MAX_RANGES];
static u32 nr_ram, nr_taken;

static void range_insert(struct range *list, u32 *nr, paddr_t start, paddr_t end)
{
	u32 i;

	VERIFY(*nr < MAX_RANGES);
	for (i = *nr; i > 0 && list[i - 1].start > start; i--)
		list[i] = list[i - 1];
	list[i] = (struct range){ start, end };
	++*nr;
	/* merge neighbours */
	for (i = 0; i + 1 < *nr;) {
		if (list[i].end < list[i + 1].start) {
			i++;
			continue;
		}
		list[i].end = max(list[i].end, list[i + 1].end);
		memmove(&list[i + 1], &list[i + 2], (*nr - i - 2) * sizeof(*list));
		--*nr;
	}
}

void bootmem_add(paddr_t start, u64 size)
{
	paddr_t end = ALIGN_DOWN(start + size, PAGE_SIZE);

	start = ALIGN_UP(start, PAGE_SIZE);
	if (start < end)
		range_insert(ram, &nr_ram, start, end);
}

void bootmem_reserve(paddr_t start, u64 size, const char *what)
{
	(void)what;
	if (size)
		range_insert(taken, &nr_taken, ALIGN_DOWN(start, PAGE_SIZE), ALIGN_UP(start + size, PAGE_SIZE));
}

bool bootmem_next_range(u32 i, paddr_t *start, paddr_t *end)
{
	if (i >= nr_ram)
		return false;
	*start = ram[i].start;
	*end = ram[i].end;
	return true;
}

/* The i-th hole between taken ranges inside RAM. */
bool bootmem_next_free(u32 i, paddr_t *start, paddr_t *end)
{
	for (u32 r = 0; r < nr_ram; r++) {
		paddr_t pos = ram[r].start;

		for (u32 t = 0; t <= nr_taken; t++) {
			paddr_t stop = t < nr_taken ? min(taken[t].start, ram[r].end) : ram[r].end;

			if (t < nr_taken && taken[t].end <= pos)
				continue;
			if (stop > pos && i-- == 0) {
				*start = pos;
				*end = stop;
				return true;
			}
			if (t < nr_taken)
				pos = max(pos, taken[t].end);
			if (pos >= ram[r].end)
				break;
		}
	}
	return false;
}

paddr_t bootmem_alloc_phys(size_t size, size_t align)
{
	paddr_t start, end, best = 0;

	for (u32 i = 0; bootmem_next_free(i, &start, &end); i++) {
		paddr_t at;

		if (end - start < size)
			continue;
		at = ALIGN_DOWN(end - size, align);
		if (at >= start && at > best)
			best = at;
	}
	if (!best)
		panic("too little memory: no %lu kB in one piece for boot (%lu kB of RAM)", size >> 10, bootmem_total() >> 10);
	bootmem_reserve(best, size, "boot");
	memset(phys_to_virt(best), 0, size);
	return best;
}

u64 bootmem_total(void)
{
	u64 n = 0;

	for (u32 i = 0; i < nr_ram; i++)
		n += ram[i].end - ram[i].start;
	return n;
}
