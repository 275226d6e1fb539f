/* GICv2: distributor and CPU interface, both memory-mapped.  ARM IHI 0048B. */
#include <arch/cpu.h>
#include <drivers/base/fdt.h>
#include <drivers/irqchip/gic_common.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>

enum { GICC_CTLR = 0x000, GICC_PMR = 0x004, GICC_IAR = 0x00c, GICC_EOIR = 0x010 };

static volatile void *dist __ro_after_init, *cpu_if __ro_after_init;
static u8 target[NR_CPUS];		/* a CPU's bit in the distributor's target fields; its own start writes it */

static void gicv2_mask(u32 irq) { gic_mask(dist, irq); }		/* of private lines the distributor shows each CPU its own */
static void gicv2_unmask(u32 irq) { gic_unmask(dist, irq); }
static void gicv2_set_type(u32 irq, bool edge) { gic_set_type(dist, irq, edge); }

static u64 gicv2_acknowledge(void)
{
	u32 iar = mmio_read32(cpu_if, GICC_IAR);	/* with the CPU that sent it, which the end must name again (4.4.5) */
	u32 irq = iar & 0x3ff;

	return irq >= GIC_NONE ? IRQ_NONE : irq | (u64)iar << 32;
}

static void gicv2_end(u64 token)
{
	mmio_write32(cpu_if, GICC_EOIR, (u32)(token >> 32));
}

static void gicv2_send_ipi(u32 cpu, u32 ipi)
{
	asm volatile("dsb ishst" : : : "memory");	/* what the receiver will look at, before it is told */
	mmio_write32(dist, GICD_SGIR, (u32)target[cpu] << 16 | ipi);
}

static void gicv2_set_affinity(u32 irq, u32 cpu)
{
	u32 off = GICD_ITARGETSR + irq / 4 * 4, shift = irq % 4 * 8, v = mmio_read32(dist, off);

	mmio_write32(dist, off, (v & ~(0xffu << shift)) | (u32)target[cpu] << shift);
}

/* The target field of a private line reads as the reading CPU's bit (4.3.12); as 0 where there is only one. */
static void learn_target(void)
{
	u32 cpu = smp_cpu_id();
	u8 bit = (u8)mmio_read32(dist, GICD_ITARGETSR);

	target[cpu] = bit ? bit : (u8)BIT(cpu & 7);
}

static void gicv2_cpu_init(void)
{
	learn_target();
	gic_reset_private(dist);
	mmio_write32(cpu_if, GICC_PMR, GIC_PRIORITY_MASK);
	mmio_write32(cpu_if, GICC_CTLR, 1);
}

static const struct irqchip gicv2 = {
	.name = "GICv2", .mask = gicv2_mask, .unmask = gicv2_unmask, .set_type = gicv2_set_type, .acknowledge = gicv2_acknowledge,
	.end = gicv2_end, .send_ipi = gicv2_send_ipi, .cpu_init = gicv2_cpu_init, .set_affinity = gicv2_set_affinity,
};

static int gicv2_probe(int node)
{
	u64 addr, size;
	u32 lines;

	if (fdt_reg(node, 0, &addr, &size))
		return -ENOENT;
	dist = ioremap(addr, size);
	if (fdt_reg(node, 1, &addr, &size))
		return -ENOENT;
	cpu_if = ioremap(addr, size);
	if (!dist || !cpu_if)
		return -ENOMEM;
	lines = gic_lines(dist);
	mmio_write32(dist, GICD_CTLR, 0);
	gic_reset_shared(dist, lines);
	for (u32 i = GIC_FIRST_SHARED; i < lines; i += 4)
		mmio_write32(dist, GICD_ITARGETSR + i, 0x01010101);
	mmio_write32(dist, GICD_CTLR, 1);
	gicv2_cpu_init();
	irqchip_register(&gicv2, lines);
	return 0;
}

static const char *const gicv2_match[] = { "arm,cortex-a15-gic", "arm,gic-400", NULL };
DRIVER(gicv2, .match = gicv2_match, .probe = gicv2_probe, .level = DRIVER_IRQCHIP);
