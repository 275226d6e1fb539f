/* Addresses for BARs.
 *
 * The firmware gives none (QEMU with -kernel), so all are given here, by the order of devices, from the start of each range on: 64-bit memory
 * BARs from the 64-bit range where there is one, others from the 32-bit one.  I/O ports are not used.  A bridge lets through two windows,
 * 32-bit memory and prefetchable 64-bit memory, in steps of a MiB; a bridge that devices can be plugged into (a PCI Express port) keeps room
 * for some.  What stands behind it fills its windows; non-prefetchable BARs always go to the 32-bit one, as bridges demand. */
#include <drivers/pci/pci_internal.h>
#include <kernel/errno.h>
#include <kernel/printk.h>

#define BRIDGE_STEP	BIT(20)
#define SPARE_MEM	(2 * BRIDGE_STEP)	/* for what is plugged in later */
#define SPARE_MEM64	(2 * BRIDGE_STEP)

static bool is_mem64(const struct pci_bar *b) { return (b->flags & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64; }

/* size_bar - of the BAR at index; returns how many registers it takes. */
static u32 size_bar(struct pci_device *d, u32 index)
{
	u32 off = PCI_BASE_ADDRESS_0 + index * 4, low, high = ~0u;
	struct pci_bar *b = &d->bars[index];
	u64 mask;

	pci_write32(d, off, ~0u);
	low = pci_read32(d, off);
	b->flags = low & 15;
	if (!low || (low & PCI_BASE_ADDRESS_SPACE_IO))
		return 1;
	if (is_mem64(b) && index + 1 < PCI_BARS) {
		pci_write32(d, off + 4, ~0u);
		high = pci_read32(d, off + 4);
	}
	mask = (u64)high << 32 | (low & ~15u);
	b->size = mask & -mask;		/* the lowest bit that can be set */
	return is_mem64(b) ? 2 : 1;
}

void pci_bars_size(struct pci_device *d)
{
	u32 nr = d->header == PCI_HEADER_TYPE_BRIDGE ? 2 : PCI_BARS;

	pci_write16(d, PCI_COMMAND, pci_read16(d, PCI_COMMAND) & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
	for (u32 i = 0; i < nr;)
		i += size_bar(d, i);
}

/* take - size bytes of a window, at a multiple of their size.  0: there is no room. */
static u64 take(struct pci_window *w, u64 size)
{
	u64 at = ALIGN_UP(w->next, size);

	if (at < w->next || at >= w->end || w->end - at < size)
		return 0;
	w->next = at + size;
	return at;
}

static struct pci_window *windows_of(struct pci_bus *bus) { return bus->bridge ? bus->windows : pci_host_windows(bus->host); }

static int assign_bar(struct pci_device *d, u32 index)
{
	struct pci_window *w = windows_of(d->bus);
	struct pci_bar *b = &d->bars[index];
	u32 off = PCI_BASE_ADDRESS_0 + index * 4;
	bool high = is_mem64(b) && (!d->bus->bridge || (b->flags & PCI_BASE_ADDRESS_MEM_PREFETCH));
	u64 at = high ? take(&w[PCI_MEM64], b->size) : 0;
	enum pci_space space = at ? PCI_MEM64 : PCI_MEM;

	if (!at)
		at = take(&w[PCI_MEM], b->size);
	if (!at)
		return -ENOSPC;
	pci_write32(d, off, (u32)at);
	if (is_mem64(b))
		pci_write32(d, off + 4, (u32)(at >> 32));
	b->addr = at + d->bus->host->windows[space].to_cpu;
	return 0;
}

static void assign_one(struct pci_device *d)
{
	int err = 0;

	for (u32 i = 0; i < PCI_BARS && !err; i++)
		if (d->bars[i].size)
			err = assign_bar(d, i);
	if (err)
		pr_err("pci %s: no room for its registers\n", d->name);	/* those it has not got cannot be mapped */
}

/* open_window - the bridge's window begins where its bus may go on; close_window - and ends behind what was taken and the spare. */
static void open_window(struct pci_bus *bus, enum pci_space space)
{
	struct pci_window *above = windows_of(bus->bridge->bus);

	above[space].next = ALIGN_UP(above[space].next, BRIDGE_STEP);
	bus->windows[space] = above[space];
	bus->windows[space].first = above[space].next;
}

static void close_window(struct pci_bus *bus, enum pci_space space, u64 first, u64 spare)
{
	struct pci_window *above = windows_of(bus->bridge->bus), *w = &bus->windows[space];
	u64 end = ALIGN_UP(w->next, BRIDGE_STEP);

	if (end - first < spare)
		end = first + spare;
	w->end = min(end, w->end);
	above[space].next = w->end;
}

/* The windows' registers: base and limit, both of the last MiB included; base above limit: closed. */
static void set_windows(struct pci_bus *bus, u64 mem, u64 mem64)
{
	struct pci_device *b = bus->bridge;
	u64 mem_last = bus->windows[PCI_MEM].end - 1, mem64_last = bus->windows[PCI_MEM64].end - 1;
	bool has_mem = bus->windows[PCI_MEM].end > mem, has_mem64 = bus->windows[PCI_MEM64].end > mem64;

	pci_write16(b, PCI_IO_BASE, 0x00f0);
	pci_write32(b, PCI_MEMORY_BASE, has_mem ? (u32)(mem >> 16 & 0xfff0) | ((u32)mem_last & 0xfff00000) : 0x0000fff0);
	pci_write32(b, PCI_PREF_MEMORY_BASE, has_mem64 ? (u32)(mem64 >> 16 & 0xfff0) | ((u32)mem64_last & 0xfff00000) : 0x0000fff0);
	pci_write32(b, PCI_PREF_BASE_UPPER32, has_mem64 ? (u32)(mem64 >> 32) : 0);
	pci_write32(b, PCI_PREF_LIMIT_UPPER32, has_mem64 ? (u32)(mem64_last >> 32) : 0);
}

static bool is_port(const struct pci_device *d)
{
	u8 cap = pci_cap(d, PCI_CAP_ID_EXP, 0);

	return cap && (pci_read16(d, cap + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_SLOT);
}

static void assign_behind(struct pci_device *bridge)
{
	struct pci_bus *bus = bridge->below;
	bool port = is_port(bridge);
	u64 mem, mem64;

	open_window(bus, PCI_MEM);
	open_window(bus, PCI_MEM64);
	mem = bus->windows[PCI_MEM].next;
	mem64 = bus->windows[PCI_MEM64].next;
	pci_assign(bus);
	close_window(bus, PCI_MEM, mem, port ? SPARE_MEM : 0);
	close_window(bus, PCI_MEM64, mem64, port ? SPARE_MEM64 : 0);
	set_windows(bus, mem, mem64);
	pci_write16(bridge, PCI_COMMAND, pci_read16(bridge, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void pci_assign_new(struct pci_device *d)
{
	assign_one(d);
	if (d->below)
		assign_behind(d);
}

void pci_assign(struct pci_bus *bus)
{
	struct pci_device *d;

	list_for_each_entry(d, &bus->devices, link)
		pci_assign_new(d);
}
