/* Interrupts: descriptors and domains, and work queues. */
#pragma once
#include <arch/cpu.h>
#include <kernel/lib/list.h>
#include <kernel/lib/types.h>

typedef void (*irq_handler_fn)(u32 irq, void *arg);	/* Context: irq */
#define IRQ_EDGE 1u
#define IRQ_PERCPU 2u
#define IRQ_BRIEF 4u	/* it does next to nothing: measuring the time would take longer (the column irq of /proc/stat) */

struct irqchip {
	const char *name;
	void (*mask)(u32 irq), (*unmask)(u32 irq);
	void (*set_type)(u32 irq, bool edge);
	u64 (*acknowledge)(void);		/* a token: irq in the lower half, the upper the chip's own; or IRQ_NONE */
	void (*end)(u64 token);
	void (*send_ipi)(u32 cpu, u32 ipi);
	void (*cpu_init)(void);			/* this CPU's interface */
	void (*set_affinity)(u32 irq, u32 cpu);	/* a shared line (from 32 on) or message: to that CPU.  irq_lock held */
};
#define IRQ_NONE (~0ul)
#define IRQ_DYNAMIC 512u	/* lines have the controller's numbers, below; messages that are no lines are numbered from here on */
void irqchip_register(const struct irqchip *chip, u32 nr_irqs);
/* irq_request - install a handler, aim a shared line at a CPU that the default affinity allows, and unmask.  0, -EBUSY, -EINVAL.
 * Context: thread. */
int irq_request(u32 irq, irq_handler_fn fn, void *arg, u32 flags, const char *name);
/* irq_free - mask, and wait for handlers that still run.  Context: thread, may sleep. */
void irq_free(u32 irq);
/* irq_set_affinity - hand a line to the first running CPU of mask from now on.  -EINVAL: none of it runs; -EIO: no such line, or each
 * CPU has its own.  The default is for lines yet to be requested.  Context: any. */
int irq_set_affinity(u32 irq, cpumask_t mask);
/* irq_prefer - the same, but CPUs of mask that do not run yet are waited for: another serves until one of them comes.  Context: thread. */
void irq_prefer(u32 irq, cpumask_t mask);
/* irq_dynamic_create - descriptors up to and with irq, from IRQ_DYNAMIC on, exist.  0, -ENOSPC, -ENOMEM.  Context: thread, may sleep. */
int irq_dynamic_create(u32 irq);
/* irq_cpu_arrived - this CPU runs by now: it takes what waits for it.  Context: the CPU's start, irqs off. */
void irq_cpu_arrived(void);
int irq_set_default_affinity(cpumask_t mask);
cpumask_t irq_default_affinity(void);
/* irq_cpu_init - this CPU's interface to the controller, and its private lines that have handlers.  Context: the CPU's start, irqs off. */
void irq_cpu_init(void);
/* irq_send_ipi - raise the software-generated interrupt ipi (0 to 15) on cpu, which runs.  Context: any. */
void irq_send_ipi(u32 cpu, u32 ipi);
struct seq;
void irq_stat_show(struct seq *s);		/* the "intr" line of /proc/stat */
struct trap_frame;
/* irq_dispatch - from trap.c: acknowledge, handle, until none.  Does irq enter/exit (preempt_count).  Context: irqs off. */
void irq_dispatch(const struct trap_frame *tf);
/* irq_interrupted - in an interrupt: where it came; else NULL.  Context: irq, or preemption off. */
const struct trap_frame *irq_interrupted(void);

/* Work queues: fn(work) in a kernel thread.  work_queue from any context; false if already queued. */
struct work { struct list_head link; void (*fn)(struct work *w); bool queued; };
void work_init(struct work *w, void (*fn)(struct work *));
bool work_queue(struct work *w);
void work_flush(void);				/* all queued so far have run; may sleep, not in work */
/* work_cancel - w, which nobody queues any more, is not queued and does not run.  Context: may sleep; in another's work, too, and with locks held that other
 * works want, but not w's function. */
void work_cancel(struct work *w);
void workqueue_init(void);
