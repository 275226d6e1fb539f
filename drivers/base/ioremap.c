/* Device windows: mappings from the top of the vmalloc area's device part, never given back (a driver keeps its registers for life, and
 * what is plugged in later stands where the former stood).  A window that lies within one already mapped is shared: QEMU's virtio-mmio
 * slots stand eight to a page.  Big ones are mapped by blocks. */
#include <arch/mmu.h>
#include <drivers/base/fdt.h>
#include <kernel/sync/spinlock.h>

/* The last 64 GiB of the vmalloc area; mm's allocator stays below. */
#define IO_WINDOW_BASE	(VMALLOC_END - (64ul << 30))

static DEFINE_SPINLOCK(io_lock, LC_VMALLOC);
static vaddr_t io_next = IO_WINDOW_BASE;	/* [io_lock] */
static struct { paddr_t pa; size_t size; vaddr_t va; } windows[64];	/* [io_lock] those that may be shared: the first ones */
static u32 nr_windows;

static vaddr_t map_window(paddr_t pa, size_t size)
{
	vaddr_t va = size >= PMD_SIZE ? ALIGN_UP(io_next, PMD_SIZE) + (pa & (PMD_SIZE - 1)) : io_next;

	if (size > VMALLOC_END - va)
		return 0;
	io_next = va + size + PAGE_SIZE;	/* a hole behind each */
	return kernel_map_device(va, pa, size) ? 0 : va;
}

volatile void *ioremap(paddr_t pa, size_t len)
{
	paddr_t first = ALIGN_DOWN(pa, PAGE_SIZE);
	size_t size = PAGE_ALIGN(pa + len) - first;
	vaddr_t va = 0;

	spin_lock(&io_lock);
	for (u32 i = 0; i < nr_windows && !va; i++)
		if (first >= windows[i].pa && first - windows[i].pa < windows[i].size && size <= windows[i].size - (first - windows[i].pa))
			va = windows[i].va + (first - windows[i].pa);
	if (!va) {
		va = map_window(first, size);
		if (va && nr_windows < ARRAY_SIZE(windows)) {
			windows[nr_windows].pa = first;
			windows[nr_windows].size = size;
			windows[nr_windows++].va = va;
		}
	}
	spin_unlock(&io_lock);
	return va ? (volatile void *)(va + (pa - first)) : NULL;
}
