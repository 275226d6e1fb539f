/* Interrupt descriptors, for the files of this room. */
#pragma once
#include <kernel/irq/irq.h>
#include <kernel/sync/spinlock.h>

#define MAX_IRQS	512
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
};
struct irq_counts { u64 line[MAX_IRQS], unknown; };

extern struct irq_desc irq_descs[MAX_IRQS];
extern const struct irqchip *irq_chip;
extern u32 nr_irqs;
extern struct spinlock irq_lock;
DECLARE_PER_CPU(struct irq_counts, irq_counts);

/* irq_proc_add - make /proc/irq/N, once; nothing before /proc is there, which makes up for it.  Context: thread. */
void irq_proc_add(u32 irq);
