/* The device tree handed over in x0, read through libfdt in place (fix-mapped early, then through the linear map). */
#pragma once
#include <kernel/lib/types.h>

extern const void *boot_fdt;		/* NULL if there was none */
/* fdt_reg - the index-th (address, size) of node's "reg", in CPU terms.  0 or -ENOENT. */
int fdt_reg(int node, int index, u64 *addr, u64 *size);
/* fdt_irq - the index-th interrupt of node as a GIC interrupt number; *edge set. 0 or -ENOENT */
int fdt_irq(int node, int index, u32 *irq, bool *edge);

/* Drivers: matched by "compatible", one file each, ended by DRIVER(). probe(node) returns 0 or -errno (reported). */
struct driver { const char *name; const char *const *match; int (*probe)(int node); u32 level; };
enum { DRIVER_IRQCHIP, DRIVER_CLOCK, DRIVER_CONSOLE, DRIVER_DEVICE };	/* level: probed in this order */
#define DRIVER(ident, ...) static const struct driver __driver_##ident __used __section(".drivers") = { .name = #ident, __VA_ARGS__ }
extern const struct driver __drivers_start[], __drivers_end[];
void drivers_probe(u32 level);
/* ioremap - device window of len bytes at pa.  NULL if no memory. Works from mm_init on. */
volatile void *ioremap(paddr_t pa, size_t len);
static inline u32 mmio_read32(const volatile void *base, u32 off) { u32 v; asm volatile("ldr %w0, [%1]" : "=r"(v) : "r"((u64)base + off) : "memory"); return v; }
static inline void mmio_write32(volatile void *base, u32 off, u32 v) { asm volatile("str %w0, [%1]" : : "r"(v), "r"((u64)base + off) : "memory"); }
