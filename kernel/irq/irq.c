/* Interrupts: one descriptor a line, one controller a machine.
 *
 * Handlers run with interrupts off and PREEMPT_IRQ in the interrupted task's preempt_count, so nothing in them can sleep.  They are
 * short: what takes longer goes to a work queue.  irq_dispatch drains the controller before it returns. */
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/printk.h>
#include <kernel/sync/spinlock.h>
#include <fs/seq.h>
#include <fs/vfs.h>

#define MAX_IRQS 512

struct irq_desc {
	irq_handler_fn fn;	/* [irq_lock to change] read by the handler */
	void *arg;
	const char *name;
	u64 count[4];		/* [a] by CPU, folded */
};
static struct irq_desc descs[MAX_IRQS];
static const struct irqchip *chip;
static u32 nr_irqs;
static DEFINE_SPINLOCK(irq_lock, LC_IRQ_DESC);

void irqchip_register(const struct irqchip *c, u32 nr)
{
	chip = c;
	nr_irqs = min(nr, (u32)MAX_IRQS);
	pr_info("irq: %s, %u lines\n", c->name, nr);
}

int irq_request(u32 irq, irq_handler_fn fn, void *arg, u32 flags, const char *name)
{
	irqflags_t irqs;
	int err = 0;

	if (!chip || irq >= nr_irqs)
		return -EINVAL;
	irqs = spin_lock_irqsave(&irq_lock);
	if (descs[irq].fn) {
		err = -EBUSY;
	} else {
		descs[irq].arg = arg;
		descs[irq].name = name;
		__atomic_store_n(&descs[irq].fn, fn, __ATOMIC_RELEASE);
		chip->set_type(irq, flags & IRQ_EDGE);
		chip->unmask(irq);
	}
	spin_unlock_irqrestore(&irq_lock, irqs);
	return err;
}

void irq_cpu_init(void)
{
	chip->cpu_init();
	spin_lock(&irq_lock);
	for (u32 irq = 0; irq < 32; irq++)
		if (descs[irq].fn)
			chip->unmask(irq);
	spin_unlock(&irq_lock);
}

void irq_send_ipi(u32 cpu, u32 ipi)
{
	chip->send_ipi(cpu, ipi);
}

void irq_free(u32 irq)
{
	irqflags_t irqs = spin_lock_irqsave(&irq_lock);

	chip->mask(irq);
	descs[irq].fn = NULL;
	spin_unlock_irqrestore(&irq_lock, irqs);
}

static DEFINE_PER_CPU(const struct trap_frame *, interrupted);

const struct trap_frame *irq_interrupted(void) { return this_cpu(interrupted); }

void irq_dispatch(const struct trap_frame *tf)
{
	struct task_head *h = current_head();
	u32 token;

	h->preempt_count += PREEMPT_IRQ;
	this_cpu(interrupted) = tf;
	while ((token = chip->acknowledge()) != IRQ_NONE) {
		u32 irq = token & IRQ_TOKEN_MASK;
		struct irq_desc *d = &descs[irq];
		irq_handler_fn fn = irq < nr_irqs ? __atomic_load_n(&d->fn, __ATOMIC_ACQUIRE) : NULL;

		if (fn) {
			d->count[smp_cpu_id() & 3]++;
			fn(irq, d->arg);
		} else {
			printk_ratelimited(LOG_WARN "irq: %u has no handler\n", irq);
		}
		chip->end(token);
	}
	this_cpu(interrupted) = NULL;
	h->preempt_count -= PREEMPT_IRQ;
}

u64 irq_total(void)
{
	u64 n = 0;

	for (u32 i = 0; i < nr_irqs; i++)
		for (u32 c = 0; c < 4; c++)
			n += descs[i].count[c];
	return n;
}

static int interrupts_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_puts(s, "           CPU0       \n");
	for (u32 i = 0; i < nr_irqs; i++)
		if (descs[i].fn)
			seq_printf(s, "%3u: %10lu     %s %5u %s\n", i, descs[i].count[0], chip->name, i, descs[i].name);
	return 0;
}
PROC_FILE(interrupts, .path = "interrupts", .mode = 0444, .show = interrupts_show);
