/* PCI devices and their drivers.  (PCI Local Bus 3.0, PCI Express Base 4.0; registers' names from <linux/pci_regs.h>.)
 *
 * A driver is one file that ends in PCI_DRIVER(ident, "name", .ids = ..., .probe = ..., .remove = ...).  Its probe maps the BARs it needs, asks
 * for interrupts and enables the device. */
#pragma once
#include <drivers/base/device.h>
#include <drivers/base/fdt.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/list.h>
#include <kernel/lib/types.h>
#include <linux/pci_regs.h>

struct msi_controller;
struct pci_bus;
struct pci_device;
struct pci_host;

#define PCI_ANY 0xffffu
struct pci_id { u16 vendor, device; };	/* PCI_ANY: any.  A list ends with vendor 0 */

struct pci_driver {
	struct device_driver driver;	/* PCI_DRIVER fills it */
	const struct pci_id *ids;
	/* probe - 0, -ENODEV (not mine: others are tried), -errno (reported).  remove - let go of it; gone: it was pulled out, its registers
	 * read as ones.  Context: thread, may sleep; the device's mutex held. */
	int (*probe)(struct pci_device *d);
	void (*remove)(struct pci_device *d, bool gone);
};
#define PCI_DRIVER(ident, drv_name, ...) \
	static struct pci_driver __pci_driver_##ident = { .driver = { .name = (drv_name), .bus = &pci_bus_type }, __VA_ARGS__ }; \
	BUS_DRIVER(ident, &__pci_driver_##ident.driver)
extern struct bus pci_bus_type;

#define PCI_BARS 6u
struct pci_bar { u64 addr, size; u8 flags; };	/* addr: the CPU's; size 0: none, or the upper half of the one before.  flags: PCI_BASE_ADDRESS_* */

struct pci_vector { u32 irq; irq_handler_fn fn; void *arg; char name[28]; };

struct pci_device {
	struct device device;		/* /sys/bus/pci/devices/NAME */
	struct pci_bus *bus;		/* [I] */
	u8 devfn;			/* [I] device << 3 | function */
	u16 vendor, id, subsystem_vendor, subsystem;	/* [I] */
	u32 class;			/* [I] class, subclass, interface: 24 bits */
	u8 header;			/* [I] PCI_HEADER_TYPE_NORMAL, _BRIDGE */
	volatile void *config;		/* [I] its 4 KiB of configuration space */
	struct pci_bar bars[PCI_BARS];	/* [I] once the bus was assigned */
	char name[16];			/* [I] "0000:00:01.0" */
	void *driver_data;		/* the driver's */
	struct pci_bus *below;		/* [I] a bridge's other side */
	struct list_head link;		/* in bus->devices */
	/* Interrupts, the driver's by the calls below. */
	u32 nr_vectors;			/* of vectors[]; 0: no messages */
	struct pci_vector *vectors;
	volatile void *msix_table;
	struct list_head intx;		/* in the list of the line's users */
	irq_handler_fn intx_fn;		/* NULL: the line is not asked for */
	void *intx_arg;
	u32 intx_line;
};

static inline u8 pci_read8(const struct pci_device *d, u32 off) { return mmio_read8(d->config, off); }
static inline u16 pci_read16(const struct pci_device *d, u32 off) { return mmio_read16(d->config, off); }
static inline u32 pci_read32(const struct pci_device *d, u32 off) { return mmio_read32(d->config, off); }
static inline void pci_write8(struct pci_device *d, u32 off, u8 v) { mmio_write8(d->config, off, v); }
static inline void pci_write16(struct pci_device *d, u32 off, u16 v) { mmio_write16(d->config, off, v); }
static inline void pci_write32(struct pci_device *d, u32 off, u32 v) { mmio_write32(d->config, off, v); }

/* pci_cap - where capability id (PCI_CAP_ID_*) stands, behind after (0: from the first); 0: none.  Context: thread. */
u8 pci_cap(const struct pci_device *d, u8 id, u8 after);
/* pci_map - a window of len bytes from off on in a BAR; NULL: the BAR is not there, not memory, or shorter.  Not given back. */
volatile void *pci_map(const struct pci_device *d, u32 bar, u64 off, u64 len);
/* pci_enable - it decodes its addresses and may transfer by itself; pci_disable - neither. */
void pci_enable(struct pci_device *d);
void pci_disable(struct pci_device *d);

/* Messages (MSI-X).  pci_msix_count - vectors that the device has; 0: none, or no controller takes messages of its bus.
 * pci_msix_enable - allocate nr of them, all masked: 0, -ENOSPC, -ENOMEM, -ENODEV.  pci_msix_request - the index-th (below nr): fn at
 * each message, on CPU cpu if it runs (~0u: any).  pci_msix_disable - all given back; no handler runs any more.
 * Context: thread, may sleep. */
u32 pci_msix_count(struct pci_device *d);
int __must_check pci_msix_enable(struct pci_device *d, u32 nr);
int __must_check pci_msix_request(struct pci_device *d, u32 index, u32 cpu, irq_handler_fn fn, void *arg, const char *name);
void pci_msix_disable(struct pci_device *d);
/* The device's line, which it shares with others: fn looks whether it is meant.  0, -ENODEV: it has none.  Context: thread, may sleep. */
int __must_check pci_intx_request(struct pci_device *d, irq_handler_fn fn, void *arg);
void pci_intx_free(struct pci_device *d);
