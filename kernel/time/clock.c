/* Clocks.  Monotonic time is the architected virtual counter, scaled by a multiplication; real time is that plus an offset that may
 * grow or shrink at a rate (adjtimex), under a sequence counter; the monotonic clock is never steered.  Nothing here waits, so it serves every context. */
#include <arch/cpu.h>
#include <kernel/sync/seqcount.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/clock.h>
#include <kernel/time/time.h>

static u64 freq_hz = 62500000, mult, start;	/* ns = (counter - start) * mult >> 32 */
static struct seqcount real_seq;
static struct clock_real real;			/* [real_lock, real_seq] */
static DEFINE_SPINLOCK(real_lock, LC_RCU);
static LIST_HEAD(watches);			/* [watch_lock] */
static DEFINE_SPINLOCK(watch_lock, LC_CLOCK_WATCH);
void (*clock_changed_hook)(void);

u64 clock_counter(void)
{
	return read_sysreg(cntvct_el0);
}

u64 clock_freq_hz(void)
{
	return freq_hz;
}

void clock_init(u64 hz)
{
	freq_hz = hz;
	mult = (NSEC_PER_SEC << 32) / hz;
	start = clock_counter();
}

static inline u64 scale(u64 ticks, u64 m)
{
	return (u64)(((__uint128_t)ticks * m) >> 32);
}

u64 clock_mono_ns(void)
{
	return scale(clock_counter() - start, mult);
}

u64 clock_counter_to_ns(u64 counter)
{
	return scale(counter - start, mult);
}

u64 clock_ticks_to_ns(u64 ticks)
{
	return scale(ticks, mult);
}

u64 clock_ns_to_counter(u64 ns)
{
	/* in two parts: no 128-bit division.  Early by the multiplier's rounding at most; the timer then arms again */
	return start + ns / NSEC_PER_SEC * freq_hz + ns % NSEC_PER_SEC * freq_hz / NSEC_PER_SEC + 1;
}

void clock_params(u64 *start_counter, u64 *mult32)
{
	*start_counter = start;
	*mult32 = mult;
}

struct clock_real clock_real_params(void)
{
	struct clock_real r;
	u32 seq;

	do {
		seq = seq_read_begin(&real_seq);
		r = real;
	} while (seq_read_retry(&real_seq, seq));
	return r;
}

static s64 offset_at(const struct clock_real *r, u64 mono_ns)
{
	return r->offset_ns + (s64)((__int128)(s64)(mono_ns - r->base_ns) * r->rate >> 32);
}

s64 clock_real_offset_ns(void)
{
	struct clock_real r = clock_real_params();

	return offset_at(&r, clock_mono_ns());
}

u64 clock_real_ns(void)
{
	struct clock_real r = clock_real_params();
	u64 mono = clock_mono_ns();

	return mono + (u64)offset_at(&r, mono);
}

/* real_lock held */
static void change_locked(s64 offset_ns, u64 base_ns, s64 rate)
{
	seq_write_begin(&real_seq);
	real = (struct clock_real){ offset_ns, base_ns, rate };
	seq_write_end(&real_seq);
	if (clock_changed_hook)
		clock_changed_hook();
}

void clock_set_rate(s64 rate)
{
	irqflags_t flags = spin_lock_irqsave(&real_lock);
	u64 mono = clock_mono_ns();

	if (rate != real.rate)
		change_locked(offset_at(&real, mono), mono, rate);
	spin_unlock_irqrestore(&real_lock, flags);
}

void clock_set_real_ns(u64 ns)
{
	struct clock_watch *w;
	irqflags_t flags = spin_lock_irqsave(&real_lock);
	u64 mono = clock_mono_ns();

	change_locked((s64)(ns - mono), mono, real.rate);
	spin_unlock_irqrestore(&real_lock, flags);
	flags = spin_lock_irqsave(&watch_lock);
	list_for_each_entry(w, &watches, link)
		w->changed(w);
	spin_unlock_irqrestore(&watch_lock, flags);
}

void clock_watch_init(struct clock_watch *w, void (*changed)(struct clock_watch *))
{
	list_init(&w->link);
	w->changed = changed;
}

void clock_watch_add(struct clock_watch *w)
{
	irqflags_t flags = spin_lock_irqsave(&watch_lock);

	if (list_empty(&w->link))
		list_add_tail(&w->link, &watches);
	spin_unlock_irqrestore(&watch_lock, flags);
}

void clock_watch_remove(struct clock_watch *w)
{
	irqflags_t flags = spin_lock_irqsave(&watch_lock);

	list_del_init(&w->link);
	spin_unlock_irqrestore(&watch_lock, flags);
}

void delay_ns(u64 ns)
{
	u64 end = clock_mono_ns() + ns;

	while (clock_mono_ns() < end)
		cpu_relax();
}
