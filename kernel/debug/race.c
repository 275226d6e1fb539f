/* The data-race detector: gcc's -fsanitize=thread calls us before each access to memory, and sampled watchpoints tell which of them meet.
 *
 * What a race is.  Two CPUs access the same bytes at the same time, at least one writes, and at least one access is plain, that is
 * neither READ_ONCE, WRITE_ONCE nor atomic: then the compiler may tear, repeat or drop it, and nothing orders what is around it.
 * That a plain write of an aligned word meets a marked read is let pass (race.strict reports it): gcc emits one store for it, and a
 * write under a lock that others peek at is the most frequent and most harmless form.
 *
 * How it is found.  A CPU counts its accesses down from a random number; the access at zero is watched: address, size and kind
 * go into the CPU's slot as one word, its bit into race_watched, and the CPU spins a while (race.delay) before it makes its access.
 * Every other access of every CPU looks at race_watched, which mostly is 0 or has one bit, and compares itself with the slots of the
 * bits that are set.  Who hits swaps the word for its own number (so that one CPU alone does), leaves its place and call chain in
 * the slot, and goes on.  The watcher takes its word back, and if it finds a number there, has both sides of a race.  There is no
 * notion of locks or of order, so there is nothing to annotate, and no false report: the two did meet.  What does not happen to
 * meet in a run is not seen.
 *
 * A plain access of up to 8 bytes is also read before and after the wait.  If the value is another one but nobody hit the slot,
 * something that is not instrumented (assembly, a device, a file on the Makefile's list) wrote it: "unknown origin".
 *
 * One CPU.  Interrupts are off while a CPU waits, so it never meets itself: its own interrupt handlers and whom it would have
 * preempted are not seen as racing with it.  What races with an interrupt handler does so on another CPU too, unless the data are this
 * CPU's; and a thread that preemption exposes is as exposed to a thread on another CPU.  The price is that per-CPU data used without
 * interrupts off is not watched against them; the gain is a slot per CPU, no report of a counter that the handler leaves as found,
 * and a wait whose length is known.  With one CPU the detector does nothing.
 *
 * Sequence counters.  Their readers race by design and look afterwards.  Accesses of a writer's section count as marked
 * (seq_write_begin does it), those of a reader must be marked, or stand between race_marked_begin and _end.
 *
 * Ordering of our own words.  The watcher publishes its word, then its bit, then a full barrier, then reads the value; a hit is a
 * compare-and-swap on the word.  A CPU that looks too early misses, as it would have had it come earlier still.  `told` is
 * released by who hit and acquired by the watcher, who waits for it: bounded, for the other has interrupts off and takes no lock.
 *
 * No deadlock.  Nothing is printed here: the access may be in the console's driver, under any lock.  Reports go into a small ring
 * (race_report.c), under a lock that only this detector takes, with interrupts off; a thread prints them.  No function that this file
 * calls is instrumented (NO_RACE in the Makefile).
 *
 * Memory order.  Under TCG on x86 a missing barrier never shows; here a plain access in its place does, and that is what this build
 * is for.  A missing barrier between two marked accesses is not found.
 *
 * Rejected: a happens-before detector (shadow memory for every word and vector clocks through every lock: slower by a factor of ten,
 * and blind where the locks are wrong in a way it was not told of); watchpoints hashed by address (a CPU checks at most as many slots
 * as CPUs wait just now; the bit mask finds them in one load); stalling with interrupts on (see above). */
#ifdef CONFIG_RACE
#include <arch/atomic.h>
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <kernel/debug.h>
#include <kernel/debug/race_internal.h>
#include <kernel/debug/race_watch.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/symbols.h>
#include <kernel/task.h>

#define DEFAULT_SKIP	3000		/* accesses between two watchpoints of a CPU, on average */
#define DEFAULT_DELAY	60		/* microseconds; at most, half of it at least */
#define ASSERT_SKIP	16		/* of 16 assertions one is watched */

struct race_slot {
	u64 watch;			/* [a] see race_watch.h */
	u32 told;			/* [a] `other` is complete */
	struct race_side other;		/* of the CPU whose number is in watch */
} __aligned(64);

struct race_cpu { s32 skip; u32 random; u32 asserts; u64 set, hit, changed; };

static struct race_slot slots[NR_CPUS];
static u64 race_watched;		/* [a] bit: that CPU's slot holds a watchpoint */
static DEFINE_PER_CPU(struct race_cpu, race_cpu);	/* by its CPU; a preempted decrement that is lost does no harm */
static bool race_on;
static bool race_wanted = true;
static bool race_strict;
static u64 race_skip = DEFAULT_SKIP, race_delay_us = DEFAULT_DELAY;
static u64 race_delay;			/* counter ticks */

static u32 draw(struct race_cpu *rc)	/* xorshift */
{
	u32 x = rc->random ? rc->random : 0x9e3779b9u + (u32)read_sysreg(cntvct_el0) + smp_cpu_id();

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return rc->random = x;
}

/* side_fill - who we are and how we got here: from the frame of ip on. */
static void side_fill(struct race_side *s, u64 addr, size_t size, u32 kind, u64 ip)
{
	u64 pcs[RACE_DEPTH + 4];
	u32 n = stack_walk((u64)__builtin_frame_address(0), pcs, ARRAY_SIZE(pcs)), skip = 0;

	s->addr = addr;
	s->size = size;
	s->kind = kind;
	s->cpu = smp_cpu_id();
	s->tid = current->tid;
	for (u32 i = 0; i < sizeof(s->comm); i++)
		s->comm[i] = current->comm[i];
	s->comm[sizeof(s->comm) - 1] = '\0';
	while (skip < n && pcs[skip] + 4 != ip)
		skip++;
	s->nr = 0;
	if (skip == n)			/* no such frame: the place at least */
		s->pcs[s->nr++] = ip - 4;
	for (u32 i = skip; i < n && s->nr < RACE_DEPTH; i++)
		s->pcs[s->nr++] = pcs[i];
}

static u64 value_at(u64 addr, size_t size)
{
	switch (size) {
	case 1: return *(const volatile u8 *)addr;
	case 2: return *(const volatile u16 *)addr;
	case 4: return *(const volatile u32 *)addr;
	case 8: return *(const volatile u64 *)addr;
	default: return 0;
	}
}

static __noinline void look(u64 addr, size_t size, u32 kind, u64 ip)
{
	irqflags_t flags = arch_irq_save();
	const struct race_task *rt = &current->race;

	if (rt->marked)
		kind |= RACE_MARKED;
	for (u64 m = atomic_load(&race_watched); m && !rt->off; m &= m - 1) {
		struct race_slot *slot = &slots[__builtin_ctzl(m)];
		u64 w = atomic_load_acquire(&slot->watch);

		if (likely(!race_watch_hit(w, addr, size, kind, race_strict)) || !atomic_cas(&slot->watch, w, (u64)smp_cpu_id() + 1))
			continue;
		side_fill(&slot->other, addr, size, kind, ip);
		atomic_store_release(&slot->told, 1u);	/* pairs with wait_told */
	}
	arch_irq_restore(flags);
}

static void wait_told(struct race_slot *slot)
{
	while (!atomic_load_acquire(&slot->told))
		cpu_relax();
	atomic_store(&slot->told, 0u);
}

static void wait_ticks(struct race_cpu *rc)
{
	u64 start = read_sysreg(cntvct_el0), ticks = race_delay / 2 + draw(rc) % (race_delay / 2 + 1);

	while (read_sysreg(cntvct_el0) - start < ticks)
		cpu_relax();
}

/* Context: irqs off, so the slot is ours, and free. */
static __noinline void watch_and_wait(struct race_cpu *rc, u64 addr, size_t size, u32 kind, u64 ip)
{
	struct race_slot *slot = &slots[smp_cpu_id()];
	u64 word = race_watch_encode(addr, size, kind), bit = BIT(smp_cpu_id()), found;
	struct race_report r;
	bool told;

	rc->set++;
	atomic_store_release(&slot->watch, word);
	atomic_fetch_or(&race_watched, bit);
	smp_mb();	/* published before the value is read; there is no partner, see above */
	r.before = r.after = 0;
	if (!(kind & (RACE_MARKED | RACE_ASSERT)))	/* a marked one may be a device's, where reading has effects, and may change */
		r.before = value_at(addr, size);
	wait_ticks(rc);
	if (!(kind & (RACE_MARKED | RACE_ASSERT)))
		r.after = value_at(addr, size);
	atomic_fetch_and(&race_watched, ~bit);
	found = atomic_xchg(&slot->watch, 0ul);
	told = found != word;
	if (told)
		wait_told(slot);
	if (!told && r.before == r.after)
		return;
	side_fill(&r.a, addr, size, kind, ip);
	if (told) {
		rc->hit++;
		r.b = slot->other;
	} else {
		rc->changed++;
		r.b.nr = 0;
	}
	race_report_store(&r);
}

static __noinline void sample(u64 addr, size_t size, u32 kind, u64 ip)
{
	irqflags_t flags = arch_irq_save();
	struct race_cpu *rc = this_cpu_ptr(&race_cpu);

	rc->skip = (s32)(race_skip / 2 + draw(rc) % (race_skip + 1));
	if (current->race.marked)
		kind |= RACE_MARKED;
	if (!current->race.off && !panic_in_progress)
		watch_and_wait(rc, addr, size, kind, ip);
	arch_irq_restore(flags);
}

void race_access(u64 addr, size_t size, u32 kind, u64 ip)
{
	if (unlikely(!race_on))
		return;
	if (atomic_load(&race_watched))
		look(addr, size, kind, ip);
	if (unlikely(--this_cpu(race_cpu).skip < 0))
		sample(addr, size, kind, ip);
}

#define IP ((u64)__builtin_return_address(0))

void race_check(const volatile void *p, size_t len, bool write)
{
	if (len)
		race_access((u64)p, len, write ? RACE_WRITE : 0, IP);
}

void race_assert(const volatile void *p, size_t len, bool exclusive)
{
	irqflags_t flags = arch_irq_save();
	struct race_cpu *rc = this_cpu_ptr(&race_cpu);
	u32 kind = RACE_ASSERT | (exclusive ? RACE_WRITE : 0);

	if (race_on && !current->race.off) {
		look((u64)p, len, kind, IP);
		if (++rc->asserts % ASSERT_SKIP == 0)
			watch_and_wait(rc, (u64)p, len, kind, IP);
	}
	arch_irq_restore(flags);
}

void race_off(void) { current->race.off++; barrier(); }
void race_back(void) { barrier(); current->race.off--; }
void race_marked_begin(void) { current->race.marked++; barrier(); }
void race_marked_end(void) { barrier(); current->race.marked--; }

/* The assembly of these has no hooks: instrumented code calls them through here (kernel/lib/string.h). */
void *race_memcpy(void *to, const void *from, size_t len)
{
	if (len) {
		race_access((u64)from, len, 0, IP);
		race_access((u64)to, len, RACE_WRITE, IP);
	}
	return memcpy(to, from, len);
}

void *race_memmove(void *to, const void *from, size_t len)
{
	if (len) {
		race_access((u64)from, len, 0, IP);
		race_access((u64)to, len, RACE_WRITE, IP);
	}
	return memmove(to, from, len);
}

void *race_memset(void *to, int c, size_t len)
{
	if (len)
		race_access((u64)to, len, RACE_WRITE, IP);
	return memset(to, c, len);
}

void race_stats(u64 *set, u64 *hit, u64 *changed)
{
	*set = *hit = *changed = 0;
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		if (!(cpu_online_mask & BIT(cpu)))
			continue;
		*set += per_cpu(race_cpu, cpu).set;
		*hit += per_cpu(race_cpu, cpu).hit;
		*changed += per_cpu(race_cpu, cpu).changed;
	}
}

static void param_race(const char *value) { race_wanted = !value || strcmp(value, "off"); }
static void param_strict(const char *value) { (void)value; race_strict = true; }
static void param_skip(const char *value)
{
	u64 n;

	if (value && !kstrtou64(value, 0, &n) && n >= 1 && n <= 1000000)
		race_skip = n;
}
static void param_delay(const char *value)
{
	u64 n;

	if (value && !kstrtou64(value, 0, &n) && n <= 10000)
		race_delay_us = n;
}
BOOT_PARAM("race", param_race);
BOOT_PARAM("race.strict", param_strict);
BOOT_PARAM("race.skip", param_skip);
BOOT_PARAM("race.delay", param_delay);

static int race_init(void)
{
	race_delay = race_delay_us * (read_sysreg(cntfrq_el0) / 1000000);
	race_on = race_wanted && nr_cpus > 1;
	if (race_on)
		pr_notice("race: on, 1 of %lu accesses watched for %lu us%s\n", race_skip, race_delay_us, race_strict ? ", strict" : "");
	else
		pr_notice("race: off%s\n", race_wanted ? ": one CPU" : "");
	return 0;
}
BOOT_INIT(late, race_init);
#endif
