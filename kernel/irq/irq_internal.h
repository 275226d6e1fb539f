/* Interrupt descriptors, for the files of this room. */
#pragma once
#include <arch/atomic.h>
#include <kernel/irq/irq.h>
#include <kernel/sync/spinlock.h>

#define MAX_IRQS	IRQ_DYNAMIC
#define FIRST_SHARED	32	/* below: each CPU has its own (software-generated to 15, private peripherals to 31) */
#define NR_SGIS		16

struct irq_desc {
	irq_handler_fn fn;	/* [irq_lock to change] read by the handler, by others racily: NULL, the line is not in use */
	void *arg;		/* these stand when fn does */
	const char *name;
	u32 flags;
	u32 target;		/* [irq_lock, read racily] of a shared line: who is interrupted */
	cpumask_t affinity;	/* [irq_lock, read racily] and who may be */
	bool in_proc;		/* [irq_lock] /proc/irq/N is there */
	bool waits;		/* [irq_lock] for a CPU of affinity to come */
};
struct irq_counts { u64 line[MAX_IRQS], unknown; };

/* Interrupts from IRQ_DYNAMIC on have no lines: descriptors for them are made as they are allocated, a block at a time, and stay. */
#define IRQ_BLOCK	32u
#define MAX_BLOCKS	32u
struct irq_block { struct irq_desc descs[IRQ_BLOCK]; u64 counts[][IRQ_BLOCK]; };	/* counts by CPU */
extern struct irq_block *irq_blocks[MAX_BLOCKS];	/* [irq_lock to change] read by handlers */

extern struct irq_desc irq_descs[MAX_IRQS];
extern const struct irqchip *irq_chip;
extern u32 nr_irqs;
extern struct spinlock irq_lock;
DECLARE_PER_CPU(struct irq_counts, irq_counts);

static inline struct irq_block *irq_block(u32 irq)
{
	u32 index = (irq - IRQ_DYNAMIC) / IRQ_BLOCK;

	return index < MAX_BLOCKS ? atomic_load_acquire(&irq_blocks[index]) : NULL;
}
/* irq_desc - the descriptor, NULL: there is none.  irq_count - how often it came on a CPU. */
static inline struct irq_desc *irq_desc(u32 irq)
{
	struct irq_block *b;

	if (likely(irq < MAX_IRQS))
		return irq < nr_irqs ? &irq_descs[irq] : NULL;
	b = irq_block(irq);
	return b ? &b->descs[irq % IRQ_BLOCK] : NULL;
}
static inline u64 *irq_count(u32 irq, u32 cpu)
{
	return irq < MAX_IRQS ? &per_cpu(irq_counts, cpu).line[irq] : &irq_block(irq)->counts[cpu][irq % IRQ_BLOCK];
}
/* irq_next - the next number after irq that has a descriptor; IRQ_END: none. */
#define IRQ_END	(IRQ_DYNAMIC + MAX_BLOCKS * IRQ_BLOCK)
static inline u32 irq_next(u32 irq)
{
	if (++irq >= nr_irqs && irq < MAX_IRQS)
		irq = MAX_IRQS;
	while (irq < IRQ_END && !irq_desc(irq))
		irq += IRQ_BLOCK;	/* from a block's first: none of it is there */
	return irq;
}

/* irq_proc_add - make /proc/irq/N, once; nothing before /proc is there, which makes up for it.  Context: thread. */
void irq_proc_add(u32 irq);
