/* The bus pci of the device model: which driver for which device, and what /sys/bus/pci/devices/ tells, in Linux's forms. */
#include <drivers/pci/pci_internal.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>

static struct pci_device *pci_of(const void *d) { return container_of(d, struct pci_device, device); }
static const struct pci_driver *driver_of(const struct device_driver *drv) { return container_of(drv, struct pci_driver, driver); }

static bool bus_match(const struct device *dev, const struct device_driver *drv)
{
	const struct pci_device *d = pci_of(dev);

	for (const struct pci_id *id = driver_of(drv)->ids; id->vendor; id++)
		if ((id->vendor == PCI_ANY || id->vendor == d->vendor) && (id->device == PCI_ANY || id->device == d->id))
			return true;
	return false;
}

static int bus_probe(struct device *d, struct device_driver *drv) { return driver_of(drv)->probe(pci_of(d)); }

static void bus_remove(struct device *d, struct device_driver *drv)
{
	driver_of(drv)->remove(pci_of(d), pci_read16(pci_of(d), PCI_VENDOR_ID) == 0xffff);
	pci_of(d)->driver_data = NULL;
}

/* At power-off: no transfers any more. */
static void bus_shutdown(struct device *d) { pci_write16(pci_of(d), PCI_COMMAND, pci_read16(pci_of(d), PCI_COMMAND) & ~PCI_COMMAND_MASTER); }

static void put_modalias(struct seq *s, const struct pci_device *d)
{
	seq_printf(s, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X\n", d->vendor, d->id, d->subsystem_vendor, d->subsystem, d->class >> 16,
		   d->class >> 8 & 0xff, d->class & 0xff);
}

static void bus_uevent(const struct device *dev, struct seq *s)
{
	const struct pci_device *d = pci_of(dev);

	seq_printf(s, "PCI_CLASS=%X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\nPCI_SLOT_NAME=%s\nMODALIAS=", d->class, d->vendor, d->id,
		   d->subsystem_vendor, d->subsystem, d->name);
	put_modalias(s, d);
}

static int vendor_show(struct seq *s, void *d) { seq_printf(s, "0x%04x\n", pci_of(d)->vendor); return 0; }
static int device_show(struct seq *s, void *d) { seq_printf(s, "0x%04x\n", pci_of(d)->id); return 0; }
static int subvendor_show(struct seq *s, void *d) { seq_printf(s, "0x%04x\n", pci_of(d)->subsystem_vendor); return 0; }
static int subdevice_show(struct seq *s, void *d) { seq_printf(s, "0x%04x\n", pci_of(d)->subsystem); return 0; }
static int class_show(struct seq *s, void *d) { seq_printf(s, "0x%06x\n", pci_of(d)->class); return 0; }
static int revision_show(struct seq *s, void *d) { seq_printf(s, "0x%02x\n", pci_read8(pci_of(d), PCI_REVISION_ID)); return 0; }
static int modalias_show(struct seq *s, void *d) { put_modalias(s, pci_of(d)); return 0; }

static int irq_show(struct seq *s, void *d)
{
	u32 irq;

	seq_printf(s, "%u\n", pci_line(pci_of(d), &irq) ? 0 : irq);
	return 0;
}

/* start, end, flags of each BAR; the flags by Linux's numbers */
#define RES_MEM		0x40200ul
#define RES_PREFETCH	0x2000ul
#define RES_MEM64	0x100000ul

static int resource_show(struct seq *s, void *d)
{
	for (u32 i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &pci_of(d)->bars[i];
		u64 flags = b->addr ? RES_MEM | b->flags : 0;

		if (flags && (b->flags & PCI_BASE_ADDRESS_MEM_PREFETCH))
			flags |= RES_PREFETCH;
		if (flags && (b->flags & PCI_BASE_ADDRESS_MEM_TYPE_64))
			flags |= RES_MEM64;

		seq_printf(s, "0x%016lx 0x%016lx 0x%016lx\n", b->addr, b->addr ? b->addr + b->size - 1 : 0, flags);
	}
	return 0;
}

static ssize_t config_read(void *d, void *buf, u64 off, size_t len)
{
	size_t n = off < PAGE_SIZE ? min(len, PAGE_SIZE - off) : 0;

	for (size_t i = 0; i < n; i++)
		((u8 *)buf)[i] = pci_read8(pci_of(d), (u32)(off + i));
	return (ssize_t)n;
}

static const struct attr dev_attrs[] = {
	{ .name = "vendor", .show = vendor_show }, { .name = "device", .show = device_show },
	{ .name = "subsystem_vendor", .show = subvendor_show }, { .name = "subsystem_device", .show = subdevice_show },
	{ .name = "class", .show = class_show }, { .name = "revision", .show = revision_show }, { .name = "irq", .show = irq_show },
	{ .name = "modalias", .show = modalias_show }, { .name = "resource", .show = resource_show },
	{ .name = "config", .mode = 0400, .size = 4096, .read = config_read }, { 0 },
};
static const struct attr_group dev_group = { .attrs = dev_attrs };
static const struct attr_group *const dev_groups[] = { &dev_group, NULL };
struct bus pci_bus_type = {
	.name = "pci", .match = bus_match, .probe = bus_probe, .remove = bus_remove, .shutdown = bus_shutdown, .uevent = bus_uevent,
	.dev_groups = dev_groups,
};
BUS(pci_bus_type);
