/* Static trace points.
 *
 * Theory.  Each CPU has a ring of entries that only it writes, with interrupts off, so that writers need no lock and may be anywhere:
 * under the run queue's lock, in an interrupt.  A full ring overwrites its oldest.  Readers run anywhere and at any time: they copy
 * an entry and believe it only if its number was the expected one before and after, since the writer takes the number away before it
 * touches the rest (barriers below).  The rings are made when the first point is switched on; until then a point costs the look at
 * its switch.
 *
 * Interface: /proc/trace/points lists the points, on or off; words written to it switch them (trace_select), as does trace=word,word
 * on the command line.  /proc/trace/log is what was recorded on all CPUs, by time; writing to it forgets that.
 *
 * Rejected: one ring for all CPUs (a shared line in the scheduler), and patching the code (text is read-only from the start). */
#ifdef CONFIG_DEBUG
#include <arch/atomic.h>
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/debug/trace_point.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/task.h>
#include <kernel/time/time.h>
#include <mm/slab.h>

#define RING_ENTRIES 4096u

struct trace_entry {
	u64 number;		/* [a] from 1, by CPU; 0 while it is written */
	u64 ns;
	u64 args[4];
	s32 tid;
	u32 point;
	char comm[TASK_COMM_LEN];
	char text[32];
};

struct trace_ring {
	struct trace_entry *entries;	/* [a] set once */
	u64 last;			/* [a] written by this CPU: number of the newest entry */
	u64 forgotten;			/* [a] entries up to this number are not shown */
};

bool trace_on[NR_TRACE_POINTS];
bool trace_calls;			/* [a] a call_ point is on: entry.S sends calls through syscall_slow */
static DEFINE_PER_CPU(struct trace_ring, ring);
static const struct { const char *name, *format; } points[NR_TRACE_POINTS] = {
#define TRACE_POINT(name, format) { #name, format },
#include <kernel/debug/trace_points.def>
#undef TRACE_POINT
};

void trace_record(enum trace_point id, const char *text, const u64 args[4])
{
	irqflags_t flags = arch_irq_save();
	struct trace_ring *r = this_cpu_ptr(&ring);
	struct trace_entry *e = atomic_load_acquire(&r->entries);

	if (e) {
		e += r->last % RING_ENTRIES;
		atomic_store(&e->number, 0ul);
		smp_wmb();	/* the number goes before the contents; pairs with entry_read */
		e->ns = clock_mono_ns();
		memcpy(e->args, args, sizeof(e->args));
		e->tid = current->tid;
		e->point = id;
		memcpy(e->comm, current->comm, sizeof(e->comm));
		strscpy(e->text, text ? text : "", sizeof(e->text));
		atomic_store_release(&e->number, r->last + 1);	/* pairs with entry_read */
		atomic_store_release(&r->last, r->last + 1);
	}
	arch_irq_restore(flags);
}

/* entry_read - copy entry number n; false if it has been overwritten */
static bool entry_read(const struct trace_ring *r, u64 n, struct trace_entry *out)
{
	const struct trace_entry *e = &r->entries[(n - 1) % RING_ENTRIES];

	if (atomic_load_acquire(&e->number) != n)
		return false;
	memcpy(out, e, sizeof(*out));
	smp_rmb();		/* the contents before the second look */
	return atomic_load(&e->number) == n;
}

/* --- reading --- */

struct reader { u64 next, end; bool full; struct trace_entry head; };

static void advance(struct reader *rd, u32 cpu)
{
	const struct trace_ring *r = per_cpu_ptr(&ring, cpu);

	for (rd->full = false; rd->next <= rd->end && !rd->full; rd->next++)
		rd->full = entry_read(r, rd->next, &rd->head);
}

static void entry_show(struct seq *s, const struct trace_entry *e, u32 cpu)
{
	unsigned long us = e->ns / 1000;

	seq_printf(s, "%16.16s-%-6d [%03u] %6lu.%06lu: %s: ", e->comm, e->tid, cpu, us / 1000000, us % 1000000,
		   points[e->point].name);
	seq_printf(s, points[e->point].format, e->args[0], e->args[1], e->args[2], e->args[3]);
	if (e->text[0])
		seq_printf(s, " \"%s\"", e->text);
	seq_putc(s, '\n');
}

/* The rings merged by time. */
int trace_log_show(struct seq *s, void *unused)
{
	struct reader *readers = kcalloc(nr_cpus, sizeof(*readers), GFP_KERNEL);

	(void)unused;
	if (!readers)
		return -ENOMEM;
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		const struct trace_ring *r = per_cpu_ptr(&ring, cpu);
		struct reader *rd = &readers[cpu];

		if (!(cpu_online_mask & BIT(cpu)) || !atomic_load_acquire(&r->entries))
			continue;
		rd->end = atomic_load_acquire(&r->last);
		rd->next = max(rd->end > RING_ENTRIES ? rd->end - RING_ENTRIES : 0, atomic_load(&r->forgotten)) + 1;
		advance(rd, cpu);
	}
	for (;;) {
		u32 first = nr_cpus;

		for (u32 cpu = 0; cpu < nr_cpus; cpu++)
			if (readers[cpu].full && (first == nr_cpus || readers[cpu].head.ns < readers[first].head.ns))
				first = cpu;
		if (first == nr_cpus || s->overflow)
			break;
		entry_show(s, &readers[first].head, first);
		advance(&readers[first], first);
	}
	kfree(readers);
	return 0;
}

void trace_log_forget(void)
{
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		if (cpu_online_mask & BIT(cpu))
			atomic_store(&per_cpu_ptr(&ring, cpu)->forgotten, atomic_load(&per_cpu_ptr(&ring, cpu)->last));
}

static int log_write(const char *buf, size_t len, void *arg)
{
	(void)buf; (void)len; (void)arg;
	trace_log_forget();
	return 0;
}
PROC_FILE(trace_log, .path = "trace/log", .mode = 0600, .show = trace_log_show, .write = log_write);

/* --- switching --- */

/* Two that come at once may both allocate: the second gives his back. */
static int rings_make(void)
{
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		struct trace_ring *r = per_cpu_ptr(&ring, cpu);
		struct trace_entry *e;

		if (!(cpu_online_mask & BIT(cpu)) || atomic_load_acquire(&r->entries))
			continue;
		e = kvmalloc(RING_ENTRIES * sizeof(*e), GFP_KERNEL | GFP_ZERO);
		if (!e)
			return -ENOMEM;
		if (!atomic_cas(&r->entries, NULL, e))
			kvfree(e);
	}
	return 0;
}

/* Does word (n bytes) mean this point: its name, its area, or "all"? */
static bool word_means(const char *word, size_t n, const char *name)
{
	if (n == 3 && !memcmp(word, "all", 3))
		return true;
	return !strncmp(name, word, n) && (!name[n] || (name[n] == '_' && strchr(name, '_') == name + n));
}

static int select_word(const char *word, size_t n)
{
	bool on = true, known = false;

	if (n == 4 && !memcmp(word, "none", 4)) {
		word = "-all";
	} else if (!n) {
		return 0;
	}
	if (*word == '-') {
		on = false;
		word++;
		n--;
	}
	for (u32 i = 0; n && i < NR_TRACE_POINTS; i++)
		if (word_means(word, n, points[i].name)) {
			WRITE_ONCE(trace_on[i], on);
			known = true;
		}
	WRITE_ONCE(trace_calls, trace_on[TP_call_enter] || trace_on[TP_call_exit]);
	return known ? 0 : -EINVAL;
}

int trace_select(const char *words)
{
	static const char separators[] = " ,\t\n";
	int err = rings_make();

	while (!err && *words) {
		size_t n = 0;

		while (words[n] && !strchr(separators, words[n]))
			n++;
		err = select_word(words, n);
		words += n + (words[n] != '\0');
	}
	return err;
}

static int points_show(struct seq *s, void *arg)
{
	(void)arg;
	for (u32 i = 0; i < NR_TRACE_POINTS; i++)
		seq_printf(s, "%-14s %-3s  %s\n", points[i].name, READ_ONCE(trace_on[i]) ? "on" : "off", points[i].format);
	return 0;
}

static int points_write(const char *buf, size_t len, void *arg)
{
	(void)len; (void)arg;
	return trace_select(buf);
}
PROC_FILE(trace_points, .path = "trace/points", .mode = 0600, .show = points_show, .write = points_write);

static const char *boot_words;
static void param_trace(const char *value) { boot_words = value ? value : "all"; }
BOOT_PARAM("trace", param_trace);

static int trace_init(void)
{
	int err = boot_words ? trace_select(boot_words) : 0;

	if (err)
		pr_warn("trace: trace=%s: error %d\n", boot_words, err);
	return 0;
}
BOOT_INIT(core, trace_init);
#endif
