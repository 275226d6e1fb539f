/* Between GICv3's two halves: lines (gicv3.c) and messages (gicv3_its.c). */
#pragma once
#include <kernel/irq/irq.h>

#define GICV3_FIRST_LPI	8192u		/* messages' numbers in hardware; interrupt IRQ_DYNAMIC + n is LPI GICV3_FIRST_LPI + n */

/* gicv3_redist - a CPU's redistributor, NULL: it has none.  gicv3_id_bits - how many bits the numbers of interrupts have. */
volatile void *gicv3_redist(u32 cpu);
u32 gicv3_id_bits(void);

/* The irqchip's calls for messages.  Context: as there. */
void its_mask(u32 irq);
void its_unmask(u32 irq);
void its_set_affinity(u32 irq, u32 cpu);
