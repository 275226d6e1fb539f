/* What GICv2's and GICv3's distributors have in common (ARM IHI 0048B, 4.3; IHI 0069, 12.9): a bit, a byte or two bits for each line,
 * at the same offsets.  GICv3 keeps those of private lines in a frame of each CPU's redistributor, laid out like the distributor. */
#pragma once
#include <arch/cpu.h>
#include <kernel/lib/types.h>

enum { GICD_CTLR = 0x000, GICD_TYPER = 0x004, GICD_IGROUPR = 0x080, GICD_ISENABLER = 0x100, GICD_ICENABLER = 0x180,
       GICD_IPRIORITYR = 0x400, GICD_ITARGETSR = 0x800, GICD_ICFGR = 0xc00, GICD_SGIR = 0xf00, GICD_IROUTER = 0x6000 };

#define GIC_FIRST_SHARED	32u
#define GIC_NONE		1020u	/* numbers from here on are no lines */
#define GIC_PRIORITY_MASK	0xf0	/* what the CPU interface lets through: all that gic_* gives */

/* The frame that has the line, of this CPU if the line is private; Context: irq_lock or boot. */
void gic_mask(volatile void *frame, u32 irq);
void gic_unmask(volatile void *frame, u32 irq);
/* gic_set_type - level or edge; a private line's is fixed */
void gic_set_type(volatile void *frame, u32 irq, bool edge);
/* gic_lines - how many the distributor has, at most GIC_NONE */
u32 gic_lines(volatile void *dist);
/* gic_reset_shared - all shared lines masked, at one priority.  gic_reset_private - of this CPU: private peripherals masked, software-
 * generated ones not. */
void gic_reset_shared(volatile void *dist, u32 lines);
void gic_reset_private(volatile void *frame);
