/* GICv3: distributor and redistributors in memory, the CPU interface in system registers.  ARM IHI 0069. */
#include <arch/cpu.h>
#include <arch/smp.h>
#include <drivers/base/fdt.h>
#include <drivers/irqchip/gic_common.h>
#include <drivers/irqchip/gicv3_internal.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>

enum { GICR_TYPER = 0x008, GICR_WAKER = 0x014, GICR_SGI = 0x10000 };
enum { GICD_TYPER_LPIS = 1 << 17 };
enum { GICR_TYPER_VLPIS = 1 << 1, GICR_TYPER_LAST = 1 << 4 };
enum { GICD_CTLR_RWP = 1u << 31, GICD_CTLR_ARE_NS = 1 << 4, GICD_CTLR_GRP1_NS = 1 << 1 };

#define FRAME_SIZE 0x20000u		/* a redistributor's two pages of 64 KiB */

static volatile void *dist __ro_after_init;
static volatile void *redist[NR_CPUS] __ro_after_init;	/* by CPU; NULL: the device tree has none for it */

static void wait_rwp(void)
{
	while (mmio_read32(dist, GICD_CTLR) & GICD_CTLR_RWP)
		cpu_relax();
}

/* Private lines (below 32) live in the redistributor's SGI frame. */
static volatile void *bank(u32 irq)
{
	return irq < GIC_FIRST_SHARED ? (volatile void *)((u64)redist[smp_cpu_id()] + GICR_SGI) : dist;
}

volatile void *gicv3_redist(u32 cpu) { return redist[cpu]; }

u32 gicv3_id_bits(void)
{
	u32 type = dist ? mmio_read32(dist, GICD_TYPER) : 0;

	return type & GICD_TYPER_LPIS ? (type >> 19 & 31) + 1 : 0;
}

static void gicv3_mask(u32 irq)
{
	if (irq >= IRQ_DYNAMIC) {
		its_mask(irq);
		return;
	}
	gic_mask(bank(irq), irq);
	if (irq >= GIC_FIRST_SHARED)
		wait_rwp();
}

static void gicv3_unmask(u32 irq)
{
	if (irq >= IRQ_DYNAMIC)
		its_unmask(irq);
	else
		gic_unmask(bank(irq), irq);
}

static void gicv3_set_type(u32 irq, bool edge)
{
	if (irq < IRQ_DYNAMIC)		/* a message is an edge */
		gic_set_type(dist, irq, edge);
}

static u64 gicv3_acknowledge(void)
{
	u64 irq;

	asm volatile("mrs %0, " "S3_0_C12_C12_0" : "=r"(irq) : : "memory");
	dsb_sy();
	if (likely(irq < GIC_NONE))
		return irq | irq << 32;
	return irq >= GICV3_FIRST_LPI ? (irq - GICV3_FIRST_LPI + IRQ_DYNAMIC) | irq << 32 : IRQ_NONE;
}

static void gicv3_end(u64 token)
{
	write_sysreg(token >> 32, S3_0_C12_C12_1);
	isb();
}

static void gicv3_send_ipi(u32 cpu, u32 ipi)
{
	u64 aff = smp_mpidr(cpu);	/* ICC_SGI1R_EL1: Aff3 at 48, range of sixteen at 44, Aff2 at 32, Aff1 at 16, a bit for Aff0 */

	asm volatile("dsb ishst" : : : "memory");
	write_sysreg((aff >> 32 & 0xff) << 48 | (aff >> 4 & 0xf) << 44 | (aff >> 16 & 0xff) << 32 | (u64)ipi << 24 | (aff >> 8 & 0xff) << 16 |
		     1ul << (aff & 0xf), S3_0_C12_C11_5);
	isb();
}

static void route(u32 irq, u32 cpu)
{
	mmio_write32(dist, GICD_IROUTER + irq * 8, (u32)(smp_mpidr(cpu) & 0xffffff));
	mmio_write32(dist, GICD_IROUTER + irq * 8 + 4, (u32)(smp_mpidr(cpu) >> 32));
}

/* Masked meanwhile: the register is written in two halves.  What comes in between stays pending. */
static void gicv3_set_affinity(u32 irq, u32 cpu)
{
	bool on;

	if (irq >= IRQ_DYNAMIC) {
		its_set_affinity(irq, cpu);
		return;
	}
	on = mmio_read32(dist, GICD_ISENABLER + irq / 32 * 4) >> (irq % 32) & 1;

	if (on)
		gicv3_mask(irq);
	route(irq, cpu);
	if (on)
		gicv3_unmask(irq);
}

static void gicv3_cpu_init(void)
{
	volatile void *rd = redist[smp_cpu_id()], *sgi = (volatile void *)((u64)rd + GICR_SGI);

	mmio_write32(rd, GICR_WAKER, mmio_read32(rd, GICR_WAKER) & ~2u);
	while (mmio_read32(rd, GICR_WAKER) & 4)
		cpu_relax();
	mmio_write32(sgi, GICD_IGROUPR, ~0u);
	gic_reset_private(sgi);
	write_sysreg(read_sysreg(S3_0_C12_C12_5) | 1, S3_0_C12_C12_5);
	isb();
	write_sysreg(GIC_PRIORITY_MASK, S3_0_C4_C6_0);
	write_sysreg(0, S3_0_C12_C12_3);
	write_sysreg(0, S3_0_C12_C12_4);
	write_sysreg(1, S3_0_C12_C12_7);
	isb();
}

static const struct irqchip gicv3 = {
	.name = "GICv3", .mask = gicv3_mask, .unmask = gicv3_unmask, .set_type = gicv3_set_type, .acknowledge = gicv3_acknowledge,
	.end = gicv3_end, .send_ipi = gicv3_send_ipi, .cpu_init = gicv3_cpu_init, .set_affinity = gicv3_set_affinity,
};

/* Whose it is stands in GICR_TYPER: affinity 3 to 0 in the upper half (12.11.29). */
static void claim(volatile void *rd, u32 *missing)
{
	u32 aff = mmio_read32(rd, GICR_TYPER + 4);

	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		u64 mpidr = smp_mpidr(cpu);

		if (!redist[cpu] && aff == (u32)((mpidr >> 32) << 24 | (mpidr & 0xffffff))) {
			redist[cpu] = rd;
			--*missing;
		}
	}
}

/* Redistributors stand one behind the other in one or more regions; map them until each CPU has its own.  VLPIS doubles the frame. */
static int find_redistributors(int node)
{
	u32 missing = nr_cpus, regions = 1;
	u64 addr, size;

	fdt_prop_u32(node, "#redistributor-regions", 0, &regions);
	for (u32 r = 0; r < regions && missing && !fdt_reg(node, 1 + (int)r, &addr, &size); r++)
		for (u64 off = 0; missing && off + FRAME_SIZE <= size;) {
			volatile void *rd = ioremap(addr + off, FRAME_SIZE);
			u32 type;

			if (!rd)
				return -ENOMEM;
			type = mmio_read32(rd, GICR_TYPER);
			claim(rd, &missing);
			off += type & GICR_TYPER_VLPIS ? 2 * FRAME_SIZE : FRAME_SIZE;
			if (type & GICR_TYPER_LAST)
				break;
		}
	return redist[0] ? 0 : -ENOENT;
}

static int gicv3_probe(int node)
{
	u64 addr, size;
	u32 lines;
	int err;

	if (fdt_reg(node, 0, &addr, &size))
		return -ENOENT;
	dist = ioremap(addr, size);
	if (!dist)
		return -ENOMEM;
	err = find_redistributors(node);
	if (err)
		return err;
	lines = gic_lines(dist);
	mmio_write32(dist, GICD_CTLR, 0);
	wait_rwp();
	gic_reset_shared(dist, lines);
	for (u32 i = GIC_FIRST_SHARED; i < lines; i += 32)
		mmio_write32(dist, GICD_IGROUPR + i / 8, ~0u);
	mmio_write32(dist, GICD_CTLR, GICD_CTLR_ARE_NS | GICD_CTLR_GRP1_NS);
	wait_rwp();
	for (u32 i = GIC_FIRST_SHARED; i < lines; i++)
		route(i, 0);
	gicv3_cpu_init();
	irqchip_register(&gicv3, lines);
	return 0;
}

static const char *const gicv3_match[] = { "arm,gic-v3", NULL };
DRIVER(gicv3, .match = gicv3_match, .probe = gicv3_probe, .level = DRIVER_IRQCHIP);
