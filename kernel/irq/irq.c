/* Interrupts: one descriptor a line, one controller a machine.
 *
 * Handlers run with interrupts off and PREEMPT_IRQ in the interrupted task's preempt_count, so nothing in them can sleep.  They are
 * short: what takes longer goes to a work queue.  irq_dispatch drains the controller before it returns.
 *
 * Lines from 32 on are shared: the controller hands each to one CPU, `target`, the first running one of those that `affinity` allows.
 * Moving one needs no more than irq_lock and the controller's register: a line that is being handled stays active at its old CPU until
 * that ends it, and is not handed to another before, so its handler never runs twice at once.  Lines below 32 are each CPU's own.
 *
 * Messages (MSI) either raise a line of the controller's (GICv2m), or have numbers of their own, from IRQ_DYNAMIC on, with descriptors made
 * as they are needed (the ITS).  Who sends them is kernel/irq/msi.h's.
 *
 * Counts are per CPU, written by their CPU alone and read racily. */
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/irq/irq_internal.h>
#include <kernel/lib/bitmap.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/rcu.h>
#include <kernel/time/time.h>
#include <mm/slab.h>

struct irq_desc irq_descs[MAX_IRQS];
const struct irqchip *irq_chip __ro_after_init;
u32 nr_irqs __ro_after_init;
DEFINE_SPINLOCK(irq_lock, LC_IRQ_DESC);
DEFINE_PER_CPU(struct irq_counts, irq_counts);
struct irq_block *irq_blocks[MAX_BLOCKS];
static cpumask_t default_affinity = ~0ull;	/* [irq_lock] */
static u32 nr_waiting;			/* [irq_lock, read racily] interrupts served by another CPU than those they prefer */

void irqchip_register(const struct irqchip *c, u32 nr)
{
	irq_chip = c;
	nr_irqs = min(nr, (u32)MAX_IRQS);
	pr_info("irq: %s, %u lines\n", c->name, nr);
}

static u32 first_running(cpumask_t mask)
{
	return ffs64(mask & atomic_load(&cpu_online_mask)) - 1;
}

/* aim - at the first running CPU of mask; there being none, at any, until one of mask arrives. */
static void aim_locked(u32 irq, cpumask_t mask)
{
	struct irq_desc *d = irq_desc(irq);
	bool waits = !(mask & atomic_load(&cpu_online_mask));

	WRITE_ONCE(nr_waiting, nr_waiting + waits - d->waits);
	d->waits = waits;
	d->affinity = mask;
	d->target = first_running(waits ? ~0ull : mask);
	irq_chip->set_affinity(irq, d->target);
}

int irq_request(u32 irq, irq_handler_fn fn, void *arg, u32 flags, const char *name)
{
	struct irq_desc *d = irq_desc(irq);
	irqflags_t irqs;
	int err = 0;

	if (!irq_chip || !d)
		return -EINVAL;
	irqs = spin_lock_irqsave(&irq_lock);
	if (d->fn) {
		err = -EBUSY;
	} else {
		d->arg = arg;
		d->name = name;
		d->flags = flags;
		__atomic_store_n(&d->fn, fn, __ATOMIC_RELEASE);
		irq_chip->set_type(irq, flags & IRQ_EDGE);
		if (irq >= FIRST_SHARED)
			aim_locked(irq, (default_affinity & atomic_load(&cpu_online_mask)) ? default_affinity : ~0ull);
		irq_chip->unmask(irq);
	}
	spin_unlock_irqrestore(&irq_lock, irqs);
	if (!err)
		irq_proc_add(irq);
	return err;
}

int irq_set_affinity(u32 irq, cpumask_t mask)
{
	irqflags_t irqs;
	int err = 0;

	if (irq < FIRST_SHARED || !irq_desc(irq))
		return -EIO;
	irqs = spin_lock_irqsave(&irq_lock);
	if (!irq_desc(irq)->fn)
		err = -EIO;
	else if (!(mask & atomic_load(&cpu_online_mask)))
		err = -EINVAL;
	else
		aim_locked(irq, mask);
	spin_unlock_irqrestore(&irq_lock, irqs);
	return err;
}

void irq_prefer(u32 irq, cpumask_t mask)
{
	irqflags_t irqs = spin_lock_irqsave(&irq_lock);

	if (irq >= FIRST_SHARED && irq_desc(irq) && irq_desc(irq)->fn && mask)
		aim_locked(irq, mask);
	spin_unlock_irqrestore(&irq_lock, irqs);
}

void irq_cpu_arrived(void)
{
	cpumask_t me = BIT(smp_cpu_id());

	if (!READ_ONCE(nr_waiting))
		return;
	spin_lock(&irq_lock);
	for (u32 irq = FIRST_SHARED; irq < IRQ_END; irq = irq_next(irq))
		if (irq_desc(irq)->waits && (irq_desc(irq)->affinity & me))
			aim_locked(irq, irq_desc(irq)->affinity);
	spin_unlock(&irq_lock);
}

int irq_dynamic_create(u32 irq)
{
	for (u32 at = IRQ_DYNAMIC; at <= irq; at += IRQ_BLOCK) {
		struct irq_block *b, **slot = &irq_blocks[(at - IRQ_DYNAMIC) / IRQ_BLOCK];

		if (at >= IRQ_END)
			return -ENOSPC;
		if (atomic_load(slot))
			continue;
		b = kzalloc(sizeof(*b) + nr_cpus * sizeof(b->counts[0]), GFP_KERNEL);
		if (!b)
			return -ENOMEM;
		if (!__atomic_compare_exchange_n(slot, &(struct irq_block *){ NULL }, b, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			kfree(b);
	}
	return 0;
}

cpumask_t irq_default_affinity(void) { return atomic_load(&default_affinity); }

int irq_set_default_affinity(cpumask_t mask)
{
	irqflags_t irqs;

	if (!(mask & atomic_load(&cpu_online_mask)))
		return -EINVAL;
	irqs = spin_lock_irqsave(&irq_lock);
	default_affinity = mask;
	spin_unlock_irqrestore(&irq_lock, irqs);
	return 0;
}

void irq_cpu_init(void)
{
	irq_chip->cpu_init();
	spin_lock(&irq_lock);
	for (u32 irq = 0; irq < FIRST_SHARED; irq++)
		if (irq_descs[irq].fn)
			irq_chip->unmask(irq);
	spin_unlock(&irq_lock);
}

void irq_send_ipi(u32 cpu, u32 ipi)
{
	irq_chip->send_ipi(cpu, ipi);
}

void irq_free(u32 irq)
{
	irqflags_t irqs = spin_lock_irqsave(&irq_lock);

	irq_chip->mask(irq);
	WRITE_ONCE(irq_desc(irq)->fn, NULL);
	nr_waiting -= irq_desc(irq)->waits;
	irq_desc(irq)->waits = false;
	spin_unlock_irqrestore(&irq_lock, irqs);
	synchronize_rcu();	/* a handler is a read side: it runs with preemption off */
}

static DEFINE_PER_CPU(const struct trap_frame *, interrupted);

const struct trap_frame *irq_interrupted(void) { return this_cpu(interrupted); }

void irq_dispatch(const struct trap_frame *tf)
{
	struct task_head *h = current_head();
	struct irq_counts *counts = this_cpu_ptr(&irq_counts);
	u64 begun = 0, token;

	h->preempt_count += PREEMPT_IRQ;
	this_cpu(interrupted) = tf;
	do {		/* the CPU knows whether there is another; to ask the controller is to ask a device */
		struct irq_desc *d;
		irq_handler_fn fn;
		u32 irq;

		token = irq_chip->acknowledge();
		if (unlikely(token == IRQ_NONE))
			break;
		irq = (u32)token;
		d = irq_desc(irq);
		fn = d ? __atomic_load_n(&d->fn, __ATOMIC_ACQUIRE) : NULL;
		if (likely(fn)) {
			u64 *count = likely(irq < MAX_IRQS) ? &counts->line[irq] : irq_count(irq, smp_cpu_id());

			WRITE_ONCE(*count, *count + 1);
			if (!begun && !(d->flags & IRQ_BRIEF))
				begun = clock_counter();
			fn(irq, d->arg);
		} else {
			WRITE_ONCE(counts->unknown, counts->unknown + 1);
			printk_ratelimited(LOG_WARN "irq: %u has no handler\n", irq);
		}
		irq_chip->end(token);
	} while (arch_irq_pending());
	this_cpu(interrupted) = NULL;
	if (begun)
		sched_account_irq(begun);
	h->preempt_count -= PREEMPT_IRQ;
}
