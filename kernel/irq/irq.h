/* Interrupts: descriptors and domains, and work queues. */
#pragma once
#include <kernel/lib/list.h>
#include <kernel/lib/types.h>

typedef void (*irq_handler_fn)(u32 irq, void *arg);	/* Context: irq */
#define IRQ_EDGE 1u
#define IRQ_PERCPU 2u

struct irqchip {
	const char *name;
	void (*mask)(u32 irq), (*unmask)(u32 irq);
	void (*set_type)(u32 irq, bool edge);
	u32 (*acknowledge)(void);		/* a token: irq in IRQ_TOKEN_MASK, the rest the chip's own; or IRQ_NONE */
	void (*end)(u32 token);
	void (*send_ipi)(u32 cpu, u32 ipi);
	void (*cpu_init)(void);			/* this CPU's interface */
	void (*set_affinity)(u32 irq, u32 cpu);
};
#define IRQ_NONE (~0u)
#define IRQ_TOKEN_MASK 0x3ffu
void irqchip_register(const struct irqchip *chip, u32 nr_irqs);
/* irq_request - install a handler and unmask. 0, -EBUSY, -EINVAL */
int irq_request(u32 irq, irq_handler_fn fn, void *arg, u32 flags, const char *name);
void irq_free(u32 irq);
/* irq_cpu_init - this CPU's interface to the controller, and its private lines that have handlers.  Context: the CPU's start, irqs off. */
void irq_cpu_init(void);
/* irq_send_ipi - raise the software-generated interrupt ipi (0 to 15) on cpu, which runs.  Context: any. */
void irq_send_ipi(u32 cpu, u32 ipi);
u64 irq_total(void);				/* handled since boot, for /proc/stat */
struct trap_frame;
/* irq_dispatch - from trap.c: acknowledge, handle, until none.  Does irq enter/exit (preempt_count).  Context: irqs off. */
void irq_dispatch(const struct trap_frame *tf);
/* irq_interrupted - in an interrupt: where it came; else NULL.  Context: irq, or preemption off. */
const struct trap_frame *irq_interrupted(void);

/* Work queues: fn(work) in a kernel thread.  work_queue from any context; false if already queued. */
struct work { struct list_head link; void (*fn)(struct work *w); bool queued; };
void work_init(struct work *w, void (*fn)(struct work *));
bool work_queue(struct work *w);
void work_flush(void);				/* all queued so far have run; may sleep */
void workqueue_init(void);
