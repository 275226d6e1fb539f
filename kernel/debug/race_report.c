/* What the race detector found: a ring of reports, each pair of functions once, printed by a thread (race.c says why). */
#ifdef CONFIG_RACE
#include <arch/atomic.h>
#include <arch/irqflags.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/debug/race_internal.h>
#include <kernel/debug/race_watch.h>
#include <kernel/initcall.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <kernel/symbols.h>
#include <kernel/time/time.h>

#define NR_REPORTS	32
#define NR_PAIRS	512
#define POLL_NS		(100 * NSEC_PER_MSEC)

static struct race_report ring[NR_REPORTS];	/* [ring_lock] */
static u32 ring_head, ring_tail;		/* [ring_lock] taken, stored: running numbers */
static struct { u64 a, b; } pairs[NR_PAIRS];	/* [ring_lock] functions of a report, the lower address first */
static u32 nr_pairs, nr_lost;			/* [ring_lock] */
static u32 nr_found, quiet;			/* [a] */
static u32 ring_lock;				/* the detector's own, for spin locks are instrumented */

static irqflags_t ring_acquire(void)
{
	irqflags_t flags = arch_irq_save();

	while (!atomic_cas_acquire(&ring_lock, 0u, 1u))
		cpu_relax();
	return flags;
}

static void ring_release(irqflags_t flags)
{
	atomic_store_release(&ring_lock, 0u);
	arch_irq_restore(flags);
}

static u64 function_of(const struct race_side *s)
{
	const char *name;
	u64 off, size;

	if (!s->nr)
		return 0;
	return symbol_lookup(s->pcs[0], &name, &off, &size) ? s->pcs[0] - off : s->pcs[0];
}

/* Context: ring_lock held.  False if the pair is known, or there is no room to know it. */
static bool pair_is_new(const struct race_report *r)
{
	u64 fa = function_of(&r->a), fb = function_of(&r->b), lo = min(fa, fb), hi = max(fa, fb);

	for (u32 i = 0; i < nr_pairs; i++)
		if (pairs[i].a == lo && pairs[i].b == hi)
			return false;
	if (nr_pairs == NR_PAIRS)
		return false;
	pairs[nr_pairs].a = lo;
	pairs[nr_pairs++].b = hi;
	return true;
}

void race_report_store(const struct race_report *r)
{
	irqflags_t flags;

	atomic_inc(&nr_found);
	if (atomic_load(&quiet))
		return;
	flags = ring_acquire();
	if (ring_tail - ring_head == NR_REPORTS)
		nr_lost++;
	else if (pair_is_new(r))
		ring[ring_tail++ % NR_REPORTS] = *r;
	ring_release(flags);
}

static bool ring_take(struct race_report *r, u32 *lost)
{
	irqflags_t flags = ring_acquire();
	bool got = ring_head != ring_tail;

	if (got)
		*r = ring[ring_head++ % NR_REPORTS];
	*lost = nr_lost;
	nr_lost = 0;
	ring_release(flags);
	return got;
}

static const char *kind_name(u32 kind)
{
	static const char *const names[8] = { "read", "write", "marked read", "marked write", "exclusive-writer assertion", "exclusive-access assertion" };

	return names[kind & 5 ? (kind & RACE_ASSERT ? kind & 5 : kind & 3) : kind & 3];
}

static void side_print(const struct race_side *s)
{
	printk(LOG_WARN "%s of %lu bytes at %016lx, CPU %u, %s[%d]:\n", kind_name(s->kind), s->size, s->addr, s->cpu, s->comm, s->tid);
	for (u32 i = 0; i < s->nr; i++)
		printk(LOG_WARN "  [<%016lx>] %pS\n", s->pcs[i], (void *)s->pcs[i]);
}

static void report_print(const struct race_report *r)
{
	if (r->b.nr)
		printk(LOG_WARN "WARN: race: %pS and %pS\n", (void *)r->a.pcs[0], (void *)r->b.pcs[0]);
	else
		printk(LOG_WARN "WARN: race: %pS and one of unknown origin\n", (void *)r->a.pcs[0]);
	side_print(&r->a);
	if (r->b.nr)
		side_print(&r->b);
	if (r->before != r->after)
		printk(LOG_WARN "value: %016lx before, %016lx after\n", r->before, r->after);
}

void race_flush(void)
{
	struct race_report r;
	u32 lost;

	while (ring_take(&r, &lost))
		report_print(&r);
	if (lost)
		printk(LOG_WARN "WARN: race: %u reports lost\n", lost);
}

u32 race_reports(void)
{
	irqflags_t flags = ring_acquire();
	u32 n = nr_pairs;

	ring_release(flags);
	return n;
}

u32 race_found(void) { return atomic_load(&nr_found); }
void race_quiet(bool on) { atomic_store(&quiet, (u32)on); }

static void race_thread(void *arg)
{
	(void)arg;
	for (;;) {
		sleep_ns(POLL_NS);	/* nobody could wake us: a race may be anywhere, in the scheduler too */
		race_flush();
	}
}

static int race_thread_init(void)
{
	VERIFY(kthread_create(race_thread, NULL, "race"));
	return 0;
}
BOOT_INIT(late, race_thread_init);

static int race_show(struct seq *s, void *arg)
{
	u64 set, hit, changed;

	(void)arg;
	race_stats(&set, &hit, &changed);
	seq_printf(s, "watchpoints %lu\nhit %lu\nchanged %lu\nreports %u\n", set, hit, changed, race_reports());
	return 0;
}
PROC_FILE(race, .path = "race", .mode = 0444, .show = race_show);
#endif
