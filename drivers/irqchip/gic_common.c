#include <drivers/base/fdt.h>
#include <drivers/irqchip/gic_common.h>
#include <kernel/irq/irq.h>

#define PRIORITIES 0xa0a0a0a0u

void gic_mask(volatile void *frame, u32 irq)
{
	mmio_write32(frame, GICD_ICENABLER + irq / 32 * 4, 1u << (irq % 32));
}

void gic_unmask(volatile void *frame, u32 irq)
{
	mmio_write32(frame, GICD_ISENABLER + irq / 32 * 4, 1u << (irq % 32));
}

void gic_set_type(volatile void *frame, u32 irq, bool edge)
{
	u32 off = GICD_ICFGR + irq / 16 * 4, bit = 2u << (irq % 16 * 2), v;

	if (irq < GIC_FIRST_SHARED)
		return;
	v = mmio_read32(frame, off);
	mmio_write32(frame, off, edge ? v | bit : v & ~bit);
}

u32 gic_lines(volatile void *dist)
{
	return min(((mmio_read32(dist, GICD_TYPER) & 0x1f) + 1) * 32, GIC_NONE);
}

void gic_reset_shared(volatile void *dist, u32 lines)
{
	for (u32 i = GIC_FIRST_SHARED; i < lines; i += 32)
		mmio_write32(dist, GICD_ICENABLER + i / 8, ~0u);
	for (u32 i = GIC_FIRST_SHARED; i < lines; i += 4)
		mmio_write32(dist, GICD_IPRIORITYR + i, PRIORITIES);
}

void gic_reset_private(volatile void *frame)
{
	mmio_write32(frame, GICD_ICENABLER, 0xffff0000);
	mmio_write32(frame, GICD_ISENABLER, 0x0000ffff);
	for (u32 i = 0; i < GIC_FIRST_SHARED; i += 4)
		mmio_write32(frame, GICD_IPRIORITYR + i, PRIORITIES);
}
