/* GICv3: distributor and redistributors in memory, the CPU interface in system registers.  ARM IHI 0069. */
#include <arch/cpu.h>
#include <drivers/base/fdt.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>

enum { GICD_CTLR = 0x000, GICD_TYPER = 0x004, GICD_IGROUPR = 0x080, GICD_ISENABLER = 0x100, GICD_ICENABLER = 0x180,
       GICD_IPRIORITYR = 0x400, GICD_ICFGR = 0xc00, GICD_IROUTER = 0x6000 };
enum { GICR_WAKER = 0x014, GICR_SGI = 0x10000 };
enum { GICD_CTLR_RWP = 1u << 31, GICD_CTLR_ARE_NS = 1 << 4, GICD_CTLR_GRP1_NS = 1 << 1 };


static volatile void *dist, *redist;
static u64 cpu_affinity[NR_CPUS];

static void wait_rwp(void)
{
	while (mmio_read32(dist, GICD_CTLR) & GICD_CTLR_RWP)
		cpu_relax();
}

/* Private lines (below 32) live in the redistributor's SGI frame. */
static volatile void *bank(u32 irq)
{
	return irq < 32 ? (volatile void *)((u64)redist + GICR_SGI) : dist;
}

static void gicv3_mask(u32 irq)
{
	mmio_write32(bank(irq), GICD_ICENABLER + irq / 32 * 4, 1u << (irq % 32));
	if (irq >= 32)
		wait_rwp();
}

static void gicv3_unmask(u32 irq)
{
	mmio_write32(bank(irq), GICD_ISENABLER + irq / 32 * 4, 1u << (irq % 32));
}

static void gicv3_set_type(u32 irq, bool edge)
{
	u32 off = GICD_ICFGR + irq / 16 * 4, bit = 2u << (irq % 16 * 2), v;

	if (irq < 32)
		return;
	v = mmio_read32(dist, off);
	mmio_write32(dist, off, edge ? v | bit : v & ~bit);
}

static u32 gicv3_acknowledge(void)
{
	u64 irq;

	asm volatile("mrs %0, " "S3_0_C12_C12_0" : "=r"(irq) : : "memory");
	dsb_sy();
	return irq >= 1020 ? IRQ_NONE : (u32)irq;
}

static void gicv3_end(u32 irq)
{
	write_sysreg(irq, S3_0_C12_C12_1);
	isb();
}

static void gicv3_send_ipi(u32 cpu, u32 ipi)
{
	u64 aff = cpu_affinity[cpu];

	asm volatile("dsb ishst" : : : "memory");
	write_sysreg((u64)ipi << 24 | (aff & 0xff00) << 8 | (aff & 0xff0000) << 16 | 1ul << (aff & 0xf), S3_0_C12_C11_5);
	isb();
}

static void gicv3_set_affinity(u32 irq, u32 cpu)
{
	mmio_write32(dist, GICD_IROUTER + irq * 8, (u32)(cpu_affinity[cpu] & 0xffffff));
	mmio_write32(dist, GICD_IROUTER + irq * 8 + 4, (u32)(cpu_affinity[cpu] >> 32));
}

static void gicv3_cpu_init(void)
{
	volatile void *sgi = (volatile void *)((u64)redist + GICR_SGI);

	mmio_write32(redist, GICR_WAKER, mmio_read32(redist, GICR_WAKER) & ~2u);
	while (mmio_read32(redist, GICR_WAKER) & 4)
		cpu_relax();
	mmio_write32(sgi, GICD_IGROUPR, ~0u);
	mmio_write32(sgi, GICD_ICENABLER, 0xffff0000);
	mmio_write32(sgi, GICD_ISENABLER, 0x0000ffff);
	for (u32 i = 0; i < 32; i += 4)
		mmio_write32(sgi, GICD_IPRIORITYR + i, 0xa0a0a0a0);
	write_sysreg(read_sysreg(S3_0_C12_C12_5) | 1, S3_0_C12_C12_5);
	isb();
	write_sysreg(0xf0, S3_0_C4_C6_0);
	write_sysreg(0, S3_0_C12_C12_3);
	write_sysreg(0, S3_0_C12_C12_4);
	write_sysreg(1, S3_0_C12_C12_7);
	isb();
}

static const struct irqchip gicv3 = {
	.name = "GICv3", .mask = gicv3_mask, .unmask = gicv3_unmask, .set_type = gicv3_set_type, .acknowledge = gicv3_acknowledge,
	.end = gicv3_end, .send_ipi = gicv3_send_ipi, .cpu_init = gicv3_cpu_init, .set_affinity = gicv3_set_affinity,
};

static int gicv3_probe(int node)
{
	u64 addr, size;
	u32 lines;

	if (fdt_reg(node, 0, &addr, &size))
		return -ENOENT;
	dist = ioremap(addr, size);
	if (fdt_reg(node, 1, &addr, &size))
		return -ENOENT;
	redist = ioremap(addr, min(size, 0x20000ul));	/* this CPU's two frames */
	if (!dist || !redist)
		return -ENOMEM;
	lines = ((mmio_read32(dist, GICD_TYPER) & 0x1f) + 1) * 32;
	lines = min(lines, 1020u);
	mmio_write32(dist, GICD_CTLR, 0);
	wait_rwp();
	cpu_affinity[0] = read_sysreg(mpidr_el1) & 0xff00fffffful;
	for (u32 i = 32; i < lines; i += 32) {
		mmio_write32(dist, GICD_ICENABLER + i / 8, ~0u);
		mmio_write32(dist, GICD_IGROUPR + i / 8, ~0u);
	}
	for (u32 i = 32; i < lines; i += 4)
		mmio_write32(dist, GICD_IPRIORITYR + i, 0xa0a0a0a0);
	mmio_write32(dist, GICD_CTLR, GICD_CTLR_ARE_NS | GICD_CTLR_GRP1_NS);
	wait_rwp();
	for (u32 i = 32; i < lines; i++)
		gicv3_set_affinity(i, 0);
	gicv3_cpu_init();
	irqchip_register(&gicv3, lines);
	return 0;
}

static const char *const gicv3_match[] = { "arm,gic-v3", NULL };
DRIVER(gicv3, .match = gicv3_match, .probe = gicv3_probe, .level = DRIVER_IRQCHIP);
