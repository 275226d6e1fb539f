/* Interrupts: descriptors and domains, and work. */
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

/* Work: fn(w), once, in a kernel thread that may sleep.  What the kinds may wait for: see work.c. */
enum work_kind { WORK_FEW, WORK_END, WORK_MANY, WORK_BRIEF, WORK_KINDS };
#define WORKERS_MAX 48u			/* threads, beside the one for what is brief; of which run */
#define END_MAX 40u			/* ends and many */
#define MANY_MAX 32u			/* many */
struct work { struct list_head link; void (*fn)(struct work *w); bool queued; u8 turn, kind; u32 begun; };	/* own of work.c; a static one: .fn and .kind */
void work_init_as(struct work *w, enum work_kind kind, void (*fn)(struct work *));
static inline void work_init(struct work *w, void (*fn)(struct work *)) { work_init_as(w, WORK_FEW, fn); }
/* work_queue - have fn(w) called soon.  It never runs twice at once; queued while it runs, it runs again.  False: it was queued already.
 * Context: any. */
bool work_queue(struct work *w);
/* work_cancel - of what was queued up to now nothing will run, or runs: true if one had not begun, which the caller may do itself.
 * Context: may sleep, while w's function runs; in another's work too, and with locks held that other works want, but not w's function. */
bool work_cancel(struct work *w);
/* work_flush - all works queued up to now have run.  Context: may sleep as long as any of them, not in work. */
void work_flush(void);
/* work_sleeps - see work.c.  Context: schedule(). */
void work_sleeps(void);
void workqueue_init(void);
