/* Device windows: page-granular mappings from the top of the vmalloc area's device part, never given back (a driver keeps its
 * registers for life).  Windows of one page already mapped are shared, since QEMU's virtio-mmio slots stand eight to a page. */
#include <arch/mmu.h>
#include <drivers/base/fdt.h>
#include <kernel/sync/spinlock.h>

/* The last 64 GiB of the vmalloc area; mm's allocator stays below. */
#define IO_WINDOW_BASE	(VMALLOC_END - (64ul << 30))

static DEFINE_SPINLOCK(io_lock, LC_VMALLOC);
static vaddr_t io_next = IO_WINDOW_BASE;
static struct { paddr_t pa; vaddr_t va; } single_pages[32];
static u32 nr_single;

static vaddr_t map_window(paddr_t pa, size_t len)
{
	vaddr_t va = io_next;

	if (len > VMALLOC_END - va)
		return 0;
	for (size_t off = 0; off < len; off += PAGE_SIZE)
		if (kernel_map_page(va + off, pa + off, PROT_K_R | PROT_K_W | PROT_K_DEVICE))
			return 0;
	io_next += len + PAGE_SIZE;	/* a hole behind each */
	return va;
}

volatile void *ioremap(paddr_t pa, size_t len)
{
	paddr_t first = ALIGN_DOWN(pa, PAGE_SIZE);
	size_t size = PAGE_ALIGN(pa + len) - first;
	vaddr_t va = 0;

	spin_lock(&io_lock);
	if (size == PAGE_SIZE)
		for (u32 i = 0; i < nr_single && !va; i++)
			if (single_pages[i].pa == first)
				va = single_pages[i].va;
	if (!va) {
		va = map_window(first, size);
		if (va && size == PAGE_SIZE && nr_single < ARRAY_SIZE(single_pages)) {
			single_pages[nr_single].pa = first;
			single_pages[nr_single++].va = va;
		}
	}
	spin_unlock(&io_lock);
	return va ? (volatile void *)(va + (pa - first)) : NULL;
}
