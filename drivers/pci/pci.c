/* PCI: what stands on the bus.
 *
 * Theory.  A host bridge (host.c) is found in the device tree.  Its bus is scanned for functions, buses behind bridges are numbered as they are
 * met and scanned too, then addresses are given (bars.c) and drivers probed, in the order of the scan.  An empty slot costs one read of its
 * configuration space.  A device knows its bus, a bus the bridge above it; nothing of it goes away but by pci_remove.
 *
 * A function's configuration space is 4 KiB of memory (ECAM), mapped by blocks of 2 MiB, so that no call goes through anybody.
 *
 * Source: PCI Local Bus 3.0, chapter 6; PCI-to-PCI Bridge Architecture 1.2; PCI Express Base 4.0, 7.2.2. */
#include <drivers/pci/pci_internal.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/printk.h>
#include <mm/slab.h>

#define PCI_CLASS_BRIDGE_HOST 0x0600
#define SLOTS		32u
#define MAX_CAPS	48u	/* as many as fit: a list that goes in circles ends here */
#define SPARE_BUSES	1u	/* behind a port without a device yet */

u8 pci_cap(const struct pci_device *d, u8 id, u8 after)
{
	u8 at = pci_read8(d, after ? after + 1u : PCI_CAPABILITY_LIST) & 0xfc;

	if (!(pci_read16(d, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	for (u32 n = 0; at >= 0x40 && n < MAX_CAPS; n++) {
		if (pci_read8(d, at) == id)
			return at;
		at = pci_read8(d, at + 1u) & 0xfc;
	}
	return 0;
}

volatile void *pci_map(const struct pci_device *d, u32 bar, u64 off, u64 len)
{
	const struct pci_bar *b;

	if (bar >= PCI_BARS)
		return NULL;
	b = &d->bars[bar];
	if (!b->addr || off >= b->size || b->size - off < len || !len)
		return NULL;
	return ioremap(b->addr + off, len);
}

void pci_enable(struct pci_device *d)
{
	pci_write16(d, PCI_COMMAND, pci_read16(d, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void pci_disable(struct pci_device *d)
{
	pci_write16(d, PCI_COMMAND, pci_read16(d, PCI_COMMAND) & ~(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
}

/* --- the scan */

static void scan_bus(struct pci_bus *bus);

static struct pci_bus *bus_create(struct pci_host *h, struct pci_device *bridge, u32 nr)
{
	struct pci_bus *bus = kzalloc(sizeof(*bus), GFP_KERNEL);

	if (!bus)
		return NULL;
	*bus = (struct pci_bus){ .host = h, .bridge = bridge, .nr = nr };
	list_init(&bus->devices);
	return bus;
}

/* While what stands behind is scanned the bridge passes everything on: its last bus is known afterwards. */
static void scan_bridge(struct pci_device *d)
{
	struct pci_host *h = d->bus->host;
	u32 nr = h->next_bus;

	if (nr > h->last_bus) {
		pr_err("pci %s: no number left for the bus behind it\n", d->name);
		return;
	}
	d->below = bus_create(h, d, nr);
	if (!d->below)
		return;
	h->next_bus++;
	pci_write32(d, PCI_PRIMARY_BUS, d->bus->nr | nr << 8 | h->last_bus << 16);
	scan_bus(d->below);
	if (list_empty(&d->below->devices))
		h->next_bus = min(h->next_bus + SPARE_BUSES, h->last_bus + 1);
	pci_write32(d, PCI_PRIMARY_BUS, d->bus->nr | nr << 8 | (h->next_bus - 1) << 16);
}

/* function_at - the function that stands there, or NULL. */
static struct pci_device *function_at(struct pci_bus *bus, u8 devfn, volatile void *config)
{
	struct pci_device *d = kzalloc(sizeof(*d), GFP_KERNEL);
	u32 id = mmio_read32(config, PCI_VENDOR_ID);

	if (!d)
		return NULL;
	d->bus = bus;
	d->devfn = devfn;
	d->config = config;
	d->vendor = (u16)id;
	d->id = (u16)(id >> 16);
	d->class = pci_read32(d, PCI_CLASS_REVISION) >> 8;
	d->header = pci_read8(d, PCI_HEADER_TYPE) & 0x7f;
	scnprintf(d->name, sizeof(d->name), "%04x:%02x:%02x.%u", 0, bus->nr, devfn >> 3, devfn & 7);
	if (d->header == PCI_HEADER_TYPE_NORMAL)
		d->subsystem = pci_read16(d, PCI_SUBSYSTEM_ID);
	if (d->header == PCI_HEADER_TYPE_NORMAL)
		d->subsystem_vendor = pci_read16(d, PCI_SUBSYSTEM_VENDOR_ID);
	pci_bars_size(d);
	return d;
}

static bool present(volatile void *config)
{
	u16 vendor = mmio_read16(config, PCI_VENDOR_ID);	/* none has 0 or all ones */

	return vendor && vendor != 0xffff;
}

/* scan_slot - the functions of a device; others than the first are looked for if that one says so.  Returns how many are new. */
static u32 scan_slot(struct pci_bus *bus, u32 slot, volatile void *config)
{
	u32 nr_fns, found = 0;

	if (!present(config))
		return 0;
	nr_fns = mmio_read8(config, PCI_HEADER_TYPE) & 0x80 ? 8 : 1;
	for (u32 fn = 0; fn < nr_fns; fn++) {
		volatile void *at = (volatile void *)((u64)config + fn * PAGE_SIZE);
		struct pci_device *d = present(at) ? function_at(bus, (u8)(slot << 3 | fn), at) : NULL;

		if (!d)
			continue;
		list_add_tail(&d->link, &bus->devices);
		found++;
		if (d->header == PCI_HEADER_TYPE_BRIDGE)
			scan_bridge(d);
	}
	return found;
}

/* pci_slots - behind a port of PCI Express there is one device alone. */
static u32 pci_slots(const struct pci_bus *bus)
{
	u8 cap = bus->bridge ? pci_cap(bus->bridge, PCI_CAP_ID_EXP, 0) : 0;
	u32 type = cap ? (pci_read16(bus->bridge, cap + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_TYPE) >> 4 : 0;

	return type == PCI_EXP_TYPE_ROOT_PORT || type == PCI_EXP_TYPE_DOWNSTREAM ? 1 : SLOTS;
}

static void scan_bus(struct pci_bus *bus)
{
	volatile void *config = ecam_config(bus->host, bus->nr, 0);

	for (u32 slot = 0; config && slot < pci_slots(bus); slot++)
		scan_slot(bus, slot, (volatile void *)((u64)config + slot * 8 * PAGE_SIZE));
}

/* --- devices and drivers */

static void device_release(struct device *d) { kfree(container_of(d, struct pci_device, device)); }

static void add(struct pci_device *d)
{
	device_init(&d->device);
	device_set_name(&d->device, "%s", d->name);
	d->device.bus = &pci_bus_type;
	d->device.parent = d->bus->bridge ? &d->bus->bridge->device : d->bus->host->device;
	d->device.release = device_release;
	if (device_add(&d->device))
		pr_err("pci %s: cannot be added\n", d->name);
}

static void add_all(struct pci_bus *bus)
{
	struct pci_device *d;

	list_for_each_entry(d, &bus->devices, link) {
		add(d);
		if (d->below)
			add_all(d->below);
	}
}

void pci_bus_scan(struct pci_bus *bus)
{
	volatile void *config = ecam_config(bus->host, bus->nr, 0);
	struct pci_device *d;

	if (!config || !list_empty(&bus->devices) || !scan_slot(bus, 0, config))
		return;
	list_for_each_entry(d, &bus->devices, link)
		pci_assign_new(d);
	add_all(bus);
}

void pci_bus_clear(struct pci_bus *bus)
{
	while (!list_empty(&bus->devices)) {
		struct pci_device *d = list_entry(bus->devices.prev, struct pci_device, link);

		if (d->below) {
			pci_bus_clear(d->below);
			kfree(d->below);
			d->below = NULL;
		}
		list_del(&d->link);
		device_unregister(&d->device);
	}
	for (u32 i = 0; i < PCI_SPACES; i++)
		bus->windows[i].next = bus->windows[i].first;
}

/* The host bridge, "pci0000:00", and all behind it. */
static void show(struct pci_host *h)
{
	struct device *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return;
	device_init(d);
	device_set_name(d, "pci0000:%02x", h->first_bus);
	d->parent = platform_device(h->node);
	if (device_add(d)) {
		pr_err("pci: the host bridge cannot be added\n");
		return;
	}
	h->device = d;
	add_all(h->root);
}

/* A bus with nothing on it but the host's own function, which no driver wants, is shown when somebody looks at /sys. */
static bool is_empty(const struct pci_host *h)
{
	const struct pci_device *d;

	list_for_each_entry(d, &h->root->devices, link)
		if (d->class >> 8 != PCI_CLASS_BRIDGE_HOST)
			return false;
	return true;
}

static struct pci_host *hosts;

int pci_host_add(struct pci_host *h)
{
	h->root = bus_create(h, NULL, h->first_bus);
	if (!h->root)
		return -ENOMEM;
	h->next = hosts;
	hosts = h;
	h->next_bus = h->first_bus + 1;
	scan_bus(h->root);
	if (is_empty(h))
		return 0;
	pci_assign(h->root);
	show(h);
	return 0;
}

static int show_empty_hosts(void)
{
	for (struct pci_host *h = hosts; h; h = h->next)
		if (!h->device)
			show(h);
	return 0;
}
BOOT_INIT(sysfs, show_empty_hosts);
