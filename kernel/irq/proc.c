/* What /proc tells about interrupts, in Linux's forms: /proc/interrupts, /proc/irq, and their share of /proc/stat.
 *
 * Lines bear the controller's own numbers, on both sides.  /proc/irq/N is there for each shared or private line that has a handler, or had
 * one; the numbers that CPUs send each other are not lines, and stand in /proc/interrupts as IPIs. */
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/irq/irq_internal.h>
#include <kernel/lib/cpumask.h>
#include <kernel/lib/fmt.h>
#include <kernel/printk.h>
#include <mm/slab.h>

static u64 count_all(u32 irq)
{
	u64 n = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		n += READ_ONCE(*irq_count(irq, cpu));
	return n;
}

void irq_stat_show(struct seq *s)
{
	u64 total = 0;

	for (u32 i = NR_SGIS; i < IRQ_END; i = irq_next(i))
		total += count_all(i);
	for (u32 i = 0; i < NR_SGIS; i++)	/* counted, but not listed, as on Linux */
		total += count_all(i);
	seq_printf(s, "intr %lu", total);
	for (u32 i = 0; i < IRQ_END; i = irq_next(i))
		seq_printf(s, " %lu", i < NR_SGIS ? 0 : count_all(i));
	seq_putc(s, '\n');
}

/* --- /proc/interrupts */

static void counts_show(struct seq *s, u32 irq)
{
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		if (atomic_load(&cpu_online_mask) & BIT(cpu))
			seq_printf(s, "%10lu ", READ_ONCE(*irq_count(irq, cpu)));
}

/* name_of - who has it, copied: it may be given back meanwhile.  False: nobody. */
static bool name_of(u32 irq, char *buf, size_t size)
{
	struct irq_desc *d = irq_desc(irq);
	irqflags_t irqs = spin_lock_irqsave(&irq_lock);
	bool there = d->fn;

	scnprintf(buf, size, "%s", there ? d->name : "");
	spin_unlock_irqrestore(&irq_lock, irqs);
	return there;
}

static int interrupts_show(struct seq *s, void *arg)
{
	u64 unknown = 0;
	char name[40];

	(void)arg;
	seq_puts(s, "           ");
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		if (atomic_load(&cpu_online_mask) & BIT(cpu))
			seq_printf(s, "CPU%-8u", cpu);
	seq_putc(s, '\n');
	for (u32 i = NR_SGIS; i < IRQ_END; i = irq_next(i)) {
		if (!name_of(i, name, sizeof(name)))
			continue;
		seq_printf(s, "%3u: ", i);
		counts_show(s, i);
		seq_printf(s, " %8s %3u %-8s  %s\n", i < IRQ_DYNAMIC ? irq_chip->name : "MSI", i < IRQ_DYNAMIC ? i : i - IRQ_DYNAMIC,
			   irq_desc(i)->flags & IRQ_EDGE ? "Edge" : "Level", name);
	}
	for (u32 i = 0; i < NR_SGIS; i++) {
		if (!atomic_load(&irq_descs[i].fn))
			continue;
		seq_printf(s, "IPI%u:", i);
		counts_show(s, i);
		seq_printf(s, "      %s\n", irq_descs[i].name);
	}
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		unknown += READ_ONCE(per_cpu(irq_counts, cpu).unknown);
	seq_printf(s, "Err: %10lu\n", unknown);
	return 0;
}
PROC_FILE(interrupts, .path = "interrupts", .mode = 0444, .show = interrupts_show);

/* --- /proc/irq */

static void show_mask(struct seq *s, cpumask_t mask, bool list)
{
	char buf[200];

	if (list)
		mask_list_format(mask, buf, sizeof(buf));
	else
		mask_format(mask, nr_cpus, buf, sizeof(buf));
	seq_printf(s, "%s\n", buf);
}

static cpumask_t present(void) { return nr_cpus < 64 ? BIT(nr_cpus) - 1 : ~0ull; }
static u32 line_of(void *arg) { return (u32)(u64)arg; }

static int show_affinity(struct seq *s, void *arg, bool list)
{
	u32 irq = line_of(arg);

	show_mask(s, irq < FIRST_SHARED ? present() : READ_ONCE(irq_desc(irq)->affinity) & present(), list);
	return 0;
}

static int show_effective(struct seq *s, void *arg, bool list)
{
	u32 irq = line_of(arg);

	show_mask(s, irq < FIRST_SHARED || !atomic_load(&irq_desc(irq)->fn) ? 0 : BIT(READ_ONCE(irq_desc(irq)->target)), list);
	return 0;
}

static int affinity_show(struct seq *s, void *arg) { return show_affinity(s, arg, false); }
static int affinity_list_show(struct seq *s, void *arg) { return show_affinity(s, arg, true); }
static int effective_show(struct seq *s, void *arg) { return show_effective(s, arg, false); }
static int effective_list_show(struct seq *s, void *arg) { return show_effective(s, arg, true); }

/* A line that cannot be moved is EIO whatever the text. */
static int write_affinity(u32 irq, const char *buf, int (*parse)(const char *, u32, u64 *))
{
	cpumask_t mask;
	int err = irq < FIRST_SHARED ? -EIO : parse(buf, nr_cpus, &mask);

	return err ? err : irq_set_affinity(irq, mask);
}

static int affinity_write(const char *buf, size_t len, void *arg) { (void)len; return write_affinity(line_of(arg), buf, mask_parse); }
static int affinity_list_write(const char *buf, size_t len, void *arg) { (void)len; return write_affinity(line_of(arg), buf, mask_list_parse); }

static int default_show(struct seq *s, void *arg)
{
	(void)arg;
	show_mask(s, irq_default_affinity() & present(), false);
	return 0;
}

static int default_write(const char *buf, size_t len, void *arg)
{
	cpumask_t mask;
	int err = mask_parse(buf, nr_cpus, &mask);

	(void)len; (void)arg;
	return err ? err : irq_set_default_affinity(mask);
}
PROC_FILE(default_smp_affinity, .path = "irq/default_smp_affinity", .mode = 0644, .show = default_show, .write = default_write);

static const struct proc_entry files[] = {
	{ .path = "smp_affinity", .mode = 0644, .show = affinity_show, .write = affinity_write },
	{ .path = "smp_affinity_list", .mode = 0644, .show = affinity_list_show, .write = affinity_list_write },
	{ .path = "effective_affinity", .mode = 0444, .show = effective_show },
	{ .path = "effective_affinity_list", .mode = 0444, .show = effective_list_show },
};
struct line_files { struct proc_entry entries[ARRAY_SIZE(files)]; char paths[ARRAY_SIZE(files)][40]; };
static bool proc_there;		/* [irq_lock] */

void irq_proc_add(u32 irq)
{
	struct line_files *f;
	irqflags_t irqs;
	bool wanted;

	if (irq < NR_SGIS)
		return;
	irqs = spin_lock_irqsave(&irq_lock);
	wanted = proc_there && !irq_desc(irq)->in_proc;
	irq_desc(irq)->in_proc |= wanted;
	spin_unlock_irqrestore(&irq_lock, irqs);
	f = wanted ? kzalloc(sizeof(*f), GFP_KERNEL) : NULL;
	if (wanted && !f)
		pr_warn("irq: no memory for /proc/irq/%u\n", irq);
	for (u32 i = 0; f && i < ARRAY_SIZE(files); i++) {
		f->entries[i] = files[i];
		scnprintf(f->paths[i], sizeof(f->paths[i]), "irq/%u/%s", irq, files[i].path);
		f->entries[i].path = f->paths[i];
		f->entries[i].arg = (void *)(u64)irq;
		(void)proc_add(&f->entries[i]);
	}
}

static int irq_proc_init(void)
{
	spin_lock_irq(&irq_lock);
	proc_there = true;
	spin_unlock_irq(&irq_lock);
	for (u32 irq = NR_SGIS; irq < IRQ_END; irq = irq_next(irq))
		if (atomic_load(&irq_desc(irq)->fn))
			irq_proc_add(irq);
	return 0;
}
BOOT_INIT(late, irq_proc_init);
