/* The host bridge as the device tree tells it: "pci-host-ecam-generic", configuration space in memory (ECAM), the ranges of addresses that
 * it lets through, who takes messages, and how the four interrupt pins of each device are wired (IEEE 1275 PCI binding). */
#include <drivers/pci/pci_internal.h>
#include <kernel/errno.h>
#include <kernel/irq/msi.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <mm/slab.h>

#define ECAM_BUS_SHIFT	20
#define ECAM_FN_SHIFT	12
#define RANGE_SPACE(hi)	((hi) >> 24 & 3)	/* 1 I/O, 2 memory, 3 64-bit memory */
#define CELLS(p, n)	fdt_be32((const u8 *)(p) + (n) * 4)
#define CELLS64(p, n)	((u64)CELLS(p, n) << 32 | CELLS(p, (n) + 1))

volatile void *ecam_config(struct pci_host *h, u32 bus, u8 devfn)
{
	paddr_t pa = h->ecam + ((u64)(bus - h->first_bus) << ECAM_BUS_SHIFT);
	volatile void *two = ioremap(ALIGN_DOWN(pa, PMD_SIZE), PMD_SIZE);	/* a block; shared with what was mapped before */

	return two ? (volatile void *)((u64)two + (pa & (PMD_SIZE - 1)) + ((u64)devfn << ECAM_FN_SHIFT)) : NULL;
}

/* Rows of seven cells: PCI address (3), CPU address (2), size (2). */
static void read_ranges(struct pci_host *h)
{
	int len = 0;
	const u8 *p = fdt_prop(h->node, "ranges", &len);

	for (; p && len >= 28; p += 28, len -= 28) {
		static const enum pci_space spaces[] = { PCI_SPACES, PCI_IO, PCI_MEM, PCI_MEM64 };
		enum pci_space space = spaces[RANGE_SPACE(CELLS(p, 0))];
		u64 bus = CELLS64(p, 1), cpu = CELLS64(p, 3), size = CELLS64(p, 5);

		if (space == PCI_SPACES || h->windows[space].end || bus + size < bus || cpu + size < cpu)
			continue;
		if (space == PCI_MEM && bus + size > BIT(32))
			continue;
		h->windows[space] = (struct pci_window){ .first = bus, .next = bus, .end = bus + size, .to_cpu = cpu - bus };
	}
}

struct pci_window *pci_host_windows(struct pci_host *h)
{
	if (!h->windows_known)
		read_ranges(h);
	h->windows_known = true;
	return h->windows;
}

/* msi-map: rows of first requester, controller, first number there, how many; we take one that covers all.  msi-parent: the controller. */
static struct msi_controller *find_msi(struct pci_host *h)
{
	u32 phandle, first = 0, count = 0x10000;
	int len;
	const u8 *p = fdt_prop(h->node, "msi-map", &len);

	if (p && len >= 16) {
		first = CELLS(p, 0);
		phandle = CELLS(p, 1);
		h->msi_base = CELLS(p, 2);
		count = CELLS(p, 3);
	} else if (fdt_prop_u32(h->node, "msi-parent", 0, &phandle)) {
		return NULL;
	}
	drivers_probe(DRIVER_MSI);
	return !first && count >= 0x10000 ? msi_controller_find(phandle) : NULL;
}

struct msi_controller *pci_host_msi(struct pci_host *h)
{
	if (!h->msi_known) {
		h->msi = find_msi(h);
		h->msi_known = true;
	}
	return h->msi;
}

static u32 pin_at_root(const struct pci_device *d, u32 pin, const struct pci_device **root)
{
	for (; d->bus->bridge; d = d->bus->bridge)
		pin = (pin + (d->devfn >> 3)) % 4;	/* how bridges' wires are crossed (PCI-to-PCI bridge architecture, 9.1) */
	*root = d;
	return pin;
}

/* Rows: PCI address (3 cells), pin, the controller's phandle, its unit address, its interrupt. */
int pci_line(struct pci_device *d, u32 *irq)
{
	u32 pin = pci_read8(d, PCI_INTERRUPT_PIN), mask_hi, mask_pin, hi;
	const struct pci_device *root;
	int len, mask_len, node = d->bus->host->node;
	const u8 *p = fdt_prop(node, "interrupt-map", &len), *mask = fdt_prop(node, "interrupt-map-mask", &mask_len);

	if (!pin || pin > 4 || !p || !mask || mask_len < 16)
		return -ENODEV;
	pin = pin_at_root(d, pin - 1, &root) + 1;
	mask_hi = CELLS(mask, 0);
	mask_pin = CELLS(mask, 3);
	hi = ((u32)root->devfn << 8) & mask_hi;
	while (len >= 20) {
		u32 unit = 0, cells = 0, row;
		int parent = fdt_by_phandle(CELLS(p, 4));

		if (parent < 0 || fdt_prop_u32(parent, "#interrupt-cells", 0, &cells) || cells != 3)
			return -ENODEV;
		fdt_prop_u32(parent, "#address-cells", 0, &unit);
		row = (5 + unit + cells) * 4;
		if (unit > 2 || (u32)len < row)
			return -ENODEV;
		if ((CELLS(p, 0) & mask_hi) == hi && (CELLS(p, 3) & mask_pin) == (pin & mask_pin)) {
			*irq = CELLS(p, 5 + unit + 1) + (CELLS(p, 5 + unit) == 0 ? 32 : 16);
			return 0;
		}
		p += row;
		len -= (int)row;
	}
	return -ENODEV;
}

static int host_probe(int node)
{
	struct pci_host *h;
	u64 addr, size;
	u32 first = 0, last = 255;
	int len;
	const u8 *range;

	if (fdt_reg(node, 0, &addr, &size) || size < BIT(ECAM_BUS_SHIFT))
		return -EINVAL;
	range = fdt_prop(node, "bus-range", &len);
	if (range && len == 8) {
		first = CELLS(range, 0);
		last = CELLS(range, 1);
	}
	if (first > 255 || last > 255 || first > last)
		return -EINVAL;
	h = kzalloc(sizeof(*h), GFP_KERNEL);
	if (!h)
		return -ENOMEM;
	h->node = node;
	h->ecam = addr;
	h->first_bus = first;
	h->last_bus = min(last, first + (u32)min(size >> ECAM_BUS_SHIFT, 256ul) - 1);
	return pci_host_add(h);
}

static const char *const match[] = { "pci-host-ecam-generic", NULL };
DRIVER(pci_host_ecam, .match = match, .probe = host_probe, .level = DRIVER_DEVICE);
