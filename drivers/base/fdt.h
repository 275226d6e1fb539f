/* The device tree handed over in x0, read through libfdt in place (fix-mapped early, then through the linear map). */
#pragma once
#include <kernel/lib/types.h>

extern const void *boot_fdt;		/* NULL if there was none */
extern paddr_t boot_fdt_pa;

/* What /chosen says.  Pointers lead into boot_fdt. */
struct boot_chosen {
	const char *bootargs;		/* never NULL */
	const char *stdout_path;	/* or NULL */
	paddr_t initrd_start, initrd_end;	/* 0, 0: none */
	u64 kaslr_seed;			/* 0: none */
	const u8 *rng_seed;
	u32 rng_seed_len;
};
extern struct boot_chosen boot_chosen;

/* fdt_init - take the tree at va (mapped, physical pa); scan its nodes and /chosen.  0 or -EINVAL (no tree; boot_fdt stays NULL).
 * Context: earliest boot, before memory. */
int fdt_init(const void *va, paddr_t pa);
/* fdt_set_mapping - the same tree is now mapped at va (the linear map). */
void fdt_set_mapping(const void *va);
/* fdt_scan_memory - /memory to bootmem_add; the tree, initrd and reserved ranges to bootmem_reserve. */
void fdt_scan_memory(void);

/* fdt_reg - the index-th (address, size) of node's "reg", in CPU terms.  0 or -ENOENT. */
int fdt_reg(int node, int index, u64 *addr, u64 *size);
/* fdt_irq - the index-th interrupt of node as a GIC interrupt number; *edge set. 0 or -ENOENT */
int fdt_irq(int node, int index, u32 *irq, bool *edge);
/* fdt_prop - a property's bytes and *len, or NULL.  fdt_prop_u32 - its index-th cell; 0 or -ENOENT. */
const void *fdt_prop(int node, const char *name, int *len);
int fdt_prop_u32(int node, const char *name, u32 index, u32 *out);
/* fdt_compatible - the first node at or after number *iter of the scan that matches compat; -1 if none.  Start with *iter = 0. */
int fdt_compatible(const char *compat, u32 *iter);
/* fdt_path - the node at an absolute path or an alias ("serial0"), an option after ':' ignored; -1. */
int fdt_path(const char *path);
/* fdt_cpu - the index-th usable node below /cpus; -1.  Its "reg" is what MPIDR_EL1 says there: fdt_prop_u32, as no bus maps it. */
int fdt_cpu(u32 index);
/* fdt_node_parent - the node's parent, -1 for the root. */
int fdt_node_parent(int node);
/* fdt_by_phandle - the node that bears it; -1. */
int fdt_by_phandle(u32 phandle);
static inline u32 fdt_be32(const void *p) { u32 v; __builtin_memcpy(&v, p, 4); return __builtin_bswap32(v); }

/* Drivers: matched by "compatible", one file each, ended by DRIVER(). probe(node) returns 0 or -errno (reported; -ENODEV is not). */
struct driver { const char *name; const char *const *match; int (*probe)(int node); u32 level; };
enum { DRIVER_IRQCHIP, DRIVER_CLOCK, DRIVER_CONSOLE, DRIVER_DEVICE, DRIVER_MSI };	/* level: probed in this order; the last when it is needed */
#define DRIVER(ident, ...) static const struct driver __driver_##ident __used __section(".drivers") = { .name = #ident, __VA_ARGS__ }
extern const struct driver __drivers_start[], __drivers_end[];
void drivers_probe(u32 level);
/* fdt_name - of a node, with its unit address.  fdt_driver_name - of the driver that took it; NULL: none.
 * fdt_driven - the first node at or after number *iter of the scan that has one; -1.  Start with *iter = 0. */
const char *fdt_name(int node);
const char *fdt_driver_name(int node);
int fdt_driven(u32 *iter);
/* ioremap - device window of len bytes at pa.  NULL if no memory. Works from mm_init on. */
volatile void *ioremap(paddr_t pa, size_t len);

/* mmio_read8 ... mmio_write64 - one access of that width at base + off.  Ordered among themselves for one device; against memory: dma_* */
#define MMIO_ACCESS(bits, type, suffix, reg) \
	static inline type mmio_read##bits(const volatile void *base, u32 off) \
	{ \
		type v; \
		asm volatile("ldr" suffix " %" reg "0, [%1]" : "=r"(v) : "r"((u64)base + off) : "memory"); \
		return v; \
	} \
	static inline void mmio_write##bits(volatile void *base, u32 off, type v) \
	{ \
		asm volatile("str" suffix " %" reg "0, [%1]" : : "r"(v), "r"((u64)base + off) : "memory"); \
	}
MMIO_ACCESS(8, u8, "b", "w")
MMIO_ACCESS(16, u16, "h", "w")
MMIO_ACCESS(32, u32, "", "w")
MMIO_ACCESS(64, u64, "", "x")
#undef MMIO_ACCESS
