/* The log: a ring of packed records (kernel/logring.c), and the consoles that follow it.
 *
 * Sequence numbers never repeat; a cursor is valid while its number is not below the oldest record's, else it goes there.  The boot
 * ring is small and static so that 12 MiB of RAM suffice; it moves into a larger one once the allocator runs, which keeps 4,096 lines
 * of 75 characters.
 *
 * Locking: log_lock (LC_PRINTK, the highest rank, interrupts off) guards ring and format buffer.  The consoles are fed by whoever
 * wins console_busy, without log_lock: it copies one record out, writes it, and looks again after letting go, so that a line
 * stored meanwhile is never left behind.  Who loses just returns; its line will be shown by the owner.
 *
 * No wake-up happens under a caller's locks: if printk finds interrupts on and nothing held it wakes readers at once; else it
 * leaves log_wake_pending, which idle CPUs and the next printk in a free context look at.
 *
 * Rejected: per-CPU buffers merged at reading (ordering costs more than the lock at our rate). */
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/sync/wait.h>
#include <kernel/task.h>
#include <kernel/time/time.h>
#include <mm/slab.h>

#define BOOT_RING_SIZE	(64u << 10)
#define LINE_MAX_LEN	LOG_LINE_MAX

int console_loglevel = 7;
bool log_wake_pending;
DEFINE_WAIT_QUEUE(log_wait);

static DEFINE_SPINLOCK(log_lock, LC_PRINTK);
static char boot_ring[BOOT_RING_SIZE] __aligned(8);
static struct logring ring = { .buf = boot_ring, .size = BOOT_RING_SIZE };	/* [log_lock] */
static char fmt_buf[LINE_MAX_LEN + 8];
static u32 store_cpu;			/* CPU + 1 that is inside vprintk, against recursion */
static bool panicking;

static struct console *consoles;
static u32 console_busy;		/* [a] */
static struct log_cursor console_cursor;	/* [console_busy] */
static char con_text[LINE_MAX_LEN + 8], con_line[LINE_MAX_LEN + 64];	/* [console_busy] */
static char console_names[4][32];
static u32 nr_console_names;

/* --- the ring ----------------------------------------------------------------------------------------------------------------- */
static irqflags_t log_acquire(void)
{
	if (unlikely(panicking)) {
		irqflags_t flags = arch_irq_save();

		preempt_disable();
		return flags;
	}
	return spin_lock_irqsave(&log_lock);
}

static void log_release(irqflags_t flags)
{
	if (unlikely(panicking)) {
		arch_irq_restore(flags);
		preempt_enable_no_resched();
	} else {
		spin_unlock_irqrestore(&log_lock, flags);
	}
}

bool log_next(struct log_cursor *cur, struct log_record *rec, char *text, size_t size, u64 *lost)
{
	irqflags_t flags = log_acquire();
	bool got = logring_read(&ring, cur, rec, text, size, lost);

	log_release(flags);
	return got;
}

void log_first(struct log_cursor *cur)
{
	irqflags_t flags = log_acquire();

	*cur = ring.head;
	log_release(flags);
}

void log_end(struct log_cursor *cur)
{
	irqflags_t flags = log_acquire();

	*cur = ring.tail;
	log_release(flags);
}

bool log_has(const struct log_cursor *cur) { return READ_ONCE(ring.tail.seq) > cur->seq; }
size_t log_size(void) { return ring.size; }

size_t log_format(const struct log_record *rec, const char *text, char *buf, size_t size)
{
	u64 us = rec->ts_ns / 1000;

	return (size_t)scnprintf(buf, size, "[%5lu.%06lu] %.*s\n", us / 1000000, us % 1000000, (int)rec->len, text);
}

/* log_grow - move the ring into a larger one, so that 4,096 lines are kept. */
static int log_grow(void)
{
	u64 ram = page_nr_total() << PAGE_SHIFT;
	u32 size = ram < (24ul << 20) ? 256u << 10 : ram < (512ul << 20) ? 512u << 10 : 1u << 20;
	char *new = kmalloc(size, GFP_KERNEL);
	irqflags_t flags;

	if (!new)
		return -1;
	flags = log_acquire();
	logring_move(&ring, new, size, &console_cursor);
	log_release(flags);
	return 0;
}
BOOT_INIT(core, log_grow);

/* --- consoles ----------------------------------------------------------------------------------------------------------------- */
static void console_emit(const struct log_record *rec)
{
	size_t n;

	if ((int)rec->level >= console_loglevel)
		return;
	n = log_format(rec, con_text, con_line, sizeof(con_line));
	for (struct console *c = consoles; c; c = c->next)
		c->write(c, con_line, n);
}

static void console_flush(void)
{
	struct log_record rec;
	u64 lost;

	preempt_disable();
	while (consoles && log_has(&console_cursor)) {
		if (!panicking && !atomic_cas_acquire(&console_busy, 0u, 1u))
			break;
		while (log_next(&console_cursor, &rec, con_text, LINE_MAX_LEN, &lost))
			console_emit(&rec);
		atomic_store_release(&console_busy, 0u);
		smp_mb();	/* let go before looking again; pairs with the store of a record before the try */
	}
	preempt_enable_no_resched();
}

void printk_wake_readers(void)
{
	if (atomic_xchg(&log_wake_pending, false))
		wake_up_all(&log_wait);
}

static void log_kick(void)
{
	console_flush();
	if (!list_empty(&log_wait.head)) {
		atomic_store(&log_wake_pending, true);
		if (!in_atomic() && !arch_irqs_disabled())
			printk_wake_readers();
	}
}

void console_register(struct console *con)
{
	preempt_disable();
	while (!panicking && !atomic_cas_acquire(&console_busy, 0u, 1u))
		cpu_relax();
	if (consoles && consoles->early && !con->early)
		consoles = NULL;	/* what the early one showed is not shown again */
	con->next = consoles;
	consoles = con;
	atomic_store_release(&console_busy, 0u);
	preempt_enable();
	console_flush();
}

bool console_wanted(const char *name)
{
	for (u32 i = 0; i < nr_console_names; i++)
		if (!strcmp(console_names[i], name))
			return true;
	return nr_console_names == 0;
}

bool console_preferred(const char *name)
{
	return nr_console_names && !strcmp(console_names[nr_console_names - 1], name);
}

/* Consoles stay: the list needs no lock.  E enabled, C /dev/console, B early, p shows what came before it, a on any CPU. */
static int consoles_show(struct seq *s, void *arg)
{
	(void)arg;
	for (const struct console *c = consoles; c; c = c->next) {
		bool first = console_preferred(c->name) || (!nr_console_names && !c->next);

		seq_printf(s, "%-20s -W- (E%c%cp a)", c->name, first ? 'C' : ' ', c->early ? 'B' : ' ');
		if (c->dev)
			seq_printf(s, " %4u:%u", c->dev >> 20, c->dev & 0xfffff);
		seq_putc(s, '\n');
	}
	return 0;
}
PROC_FILE(consoles, .path = "consoles", .mode = 0444, .show = consoles_show);

static void param_console(const char *value)
{
	size_t n = 0;

	if (!value || nr_console_names == ARRAY_SIZE(console_names))
		return;
	while (value[n] && value[n] != ',' && n < sizeof(console_names[0]) - 1) {
		console_names[nr_console_names][n] = value[n];
		n++;
	}
	nr_console_names++;
}
BOOT_PARAM("console", param_console);

static void param_quiet(const char *value) { (void)value; console_loglevel = 4; }
BOOT_PARAM("quiet", param_quiet);
static void param_debug(const char *value) { (void)value; console_loglevel = 10; }
BOOT_PARAM("debug", param_debug);

static void param_loglevel(const char *value)
{
	u64 n;

	if (value && !kstrtou64(value, 0, &n) && n <= 15)
		console_loglevel = (int)n;
}
BOOT_PARAM("loglevel", param_loglevel);

static int levels_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%d\t4\t1\t7\n", console_loglevel);
	return 0;
}

static int levels_write(const char *buf, size_t len, void *arg)
{
	const char *end;
	u64 n = parse_number(buf, &end, 10);

	(void)len; (void)arg;
	if (end == buf || n > 15)
		return -EINVAL;
	console_loglevel = (int)n;
	return 0;
}
PROC_FILE(printk, .path = "sys/kernel/printk", .mode = 0644, .show = levels_show, .write = levels_write);

void printk_panic_mode(void)
{
	panicking = true;
	console_loglevel = 15;
	if (!consoles)
		console_emergency();
}

/* --- writers ------------------------------------------------------------------------------------------------------------------ */
static void store_lines(u32 facility, u32 level, const char *s, u32 len)
{
	while (len && s[len - 1] == '\n')
		len--;
	for (;;) {
		const char *nl = memchr(s, '\n', len);
		u32 n = nl ? (u32)(nl - s) : len;

		logring_store(&ring, clock_mono_ns(), facility, level, s, n);
		if (!nl)
			break;
		s += n + 1;
		len -= n + 1;
	}
}

void log_store(u32 facility, u32 level, const char *text, size_t len)
{
	irqflags_t flags = log_acquire();

	store_lines(facility, level, text, (u32)min_t(size_t, len, LINE_MAX_LEN));
	log_release(flags);
	log_kick();
}

int vprintk(const char *fmt, va_list args)
{
	irqflags_t flags = arch_irq_save();
	u32 level = 4, me = smp_cpu_id() + 1;
	int n;

	if (unlikely(READ_ONCE(store_cpu) == me && !panicking)) {	/* a report from inside ourselves */
		arch_irq_restore(flags);
		return 0;
	}
	(void)log_acquire();
	WRITE_ONCE(store_cpu, me);
	if (fmt[0] == '\001' && is_digit(fmt[1])) {
		level = (u32)(fmt[1] - '0');
		fmt += 2;
	}
	n = kvsnprintf(fmt_buf, LINE_MAX_LEN, fmt, args);
	if (n >= (int)LINE_MAX_LEN)
		n = LINE_MAX_LEN - 1;
	store_lines(0, level, fmt_buf, (u32)n);
	WRITE_ONCE(store_cpu, 0u);
	log_release(flags);
	log_kick();
	return n;
}

int printk(const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vprintk(fmt, args);
	va_end(args);
	return n;
}

bool ratelimit_ok(struct ratelimit *rl)
{
	u64 now = clock_mono_ns(), begin = atomic_load(&rl->begin_ns);
	u32 missed;

	if (begin == 0 || now - begin >= rl->interval_ns) {
		if (atomic_cas_acquire(&rl->begin_ns, begin, now)) {
			missed = atomic_xchg(&rl->missed, 0u);
			atomic_store(&rl->printed, 0u);
			if (missed)
				printk(LOG_WARN "log: %u lines suppressed\n", missed);
		}
	}
	if (atomic_add_return(&rl->printed, 1u) <= rl->burst)
		return true;
	atomic_inc(&rl->missed);
	return false;
}
