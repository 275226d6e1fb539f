/* GICv2m: a frame of registers that turns a write into a shared line of the GICv2 (Arm SBSA, appendix E).
 *
 * Each message takes a line of the frame's range; whoever writes its number to MSI_SETSPI_NS raises it. */
#include <drivers/base/fdt.h>
#include <kernel/errno.h>
#include <kernel/irq/msi.h>
#include <kernel/lib/bitmap.h>
#include <kernel/sync/spinlock.h>
#include <mm/slab.h>

enum { MSI_TYPER = 0x008, MSI_SETSPI_NS = 0x040 };
#define MAX_LINES 512u

struct frame {
	struct msi_controller msi;
	paddr_t base;			/* [I] */
	u32 first, nr;			/* [I] lines */
	struct spinlock lock;
	u64 taken[MAX_LINES / 64];	/* [lock] */
};
static struct frame *to_frame(struct msi_controller *c) { return container_of(c, struct frame, msi); }

static int v2m_device_create(struct msi_controller *c, u32 device, u32 nr_events)
{
	(void)c; (void)device; (void)nr_events;
	return 0;
}

static void v2m_device_destroy(struct msi_controller *c, u32 device) { (void)c; (void)device; }

static int v2m_alloc(struct msi_controller *c, u32 device, u32 event, u32 *irq, struct msi_message *msg)
{
	struct frame *f = to_frame(c);
	irqflags_t flags = spin_lock_irqsave(&f->lock);
	u32 i = 0;

	(void)device; (void)event;
	while (i < f->nr && (f->taken[i / 64] & BIT(i % 64)))
		i++;
	if (i < f->nr)
		f->taken[i / 64] |= BIT(i % 64);
	spin_unlock_irqrestore(&f->lock, flags);
	if (i == f->nr)
		return -ENOSPC;
	*irq = f->first + i;
	*msg = (struct msi_message){ f->base + MSI_SETSPI_NS, *irq };
	return 0;
}

static void v2m_free(struct msi_controller *c, u32 device, u32 event, u32 irq)
{
	struct frame *f = to_frame(c);
	irqflags_t flags = spin_lock_irqsave(&f->lock);
	u32 i = irq - f->first;

	(void)device; (void)event;
	f->taken[i / 64] &= ~BIT(i % 64);
	spin_unlock_irqrestore(&f->lock, flags);
}

static int v2m_probe(int node)
{
	volatile void *regs;
	struct frame *f;
	u64 addr, size;
	u32 type, phandle;

	if (fdt_reg(node, 0, &addr, &size) || fdt_prop_u32(node, "phandle", 0, &phandle))
		return -EINVAL;
	regs = ioremap(addr, size);
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!regs || !f) {
		kfree(f);
		return -ENOMEM;
	}
	type = mmio_read32(regs, MSI_TYPER);
	f->base = addr;
	f->first = type >> 16 & 0x3ff;
	f->nr = min(type & 0x3ff, MAX_LINES);
	if (f->first < 32 || f->first + f->nr > IRQ_DYNAMIC) {
		kfree(f);
		return -EINVAL;
	}
	spin_lock_init(&f->lock, LC_DEVICE);
	f->msi = (struct msi_controller){ .name = "GICv2m", .phandle = phandle, .device_create = v2m_device_create,
		.device_destroy = v2m_device_destroy, .alloc = v2m_alloc, .free = v2m_free };
	msi_controller_register(&f->msi);
	return 0;
}

static const char *const match[] = { "arm,gic-v2m-frame", NULL };
DRIVER(gicv2m, .match = match, .probe = v2m_probe, .level = DRIVER_MSI);
