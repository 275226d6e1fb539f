/* Clocks.
 *
 * Theory.  All come from the architected virtual counter, which every CPU reads alike.  The raw clock is its ticks since boot, scaled by a
 * multiplication.  The monotonic clock is steered: from a base (a counter value and the time it was then) it goes on by a multiplier that
 * adjtimex may change, and each change makes a new base on the old line, so that it never jumps.  Real time and TAI are the monotonic clock
 * plus offsets that only setting the clock and leap seconds change.  So a deadline of any clock is a monotonic deadline as long as nobody
 * sets the clock, and whoever does calls timers_clock_changed().
 *
 * `now_params` is written under clock_lock, with interrupts off, inside a sequence counter; readers retry and wait for nobody, so they serve
 * every context.  A reader that gets the new parameters may hold a counter value read just before the new base was made: the difference is
 * signed, so it continues the new line backwards by some ticks, where old and new differ by less than a nanosecond.  That no program sees an
 * earlier time after another CPU saw a later one rests on the counter being one for all, on the isb before the reading (the counter is read
 * neither before the sequence number nor before what told this CPU of the other's time), and on the parameters changing only along the
 * line.  clock_mono_ns() alone leaves the isb out: the kernel's own deadlines and accounts bear a reading some instructions early. */
#include <arch/cpu.h>
#include <kernel/errno.h>
#include <kernel/sync/seqcount.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/clock.h>
#include <kernel/time/time.h>

#define INVERSE_SHIFT 24

static u64 freq_hz = 62500000, raw_mult;
static struct seqcount seq;
static struct clock_params now_params;		/* [clock_lock, seq] */
static u32 inverse = 1u << INVERSE_SHIFT;	/* [clock_lock, seq] raw_mult / mult */
static DEFINE_SPINLOCK(clock_lock, LC_CLOCK);
static LIST_HEAD(watches);			/* [watch_lock] */
static DEFINE_SPINLOCK(watch_lock, LC_CLOCK_WATCH);
void (*clock_changed_hook)(bool done);

u64 clock_counter(void)
{
	return read_sysreg(cntvct_el0);
}

static u64 counter_in_order(void)
{
	isb();
	return read_sysreg(cntvct_el0);
}

u64 clock_freq_hz(void)
{
	return freq_hz;
}

void clock_init(u64 hz)
{
	freq_hz = hz;
	raw_mult = (NSEC_PER_SEC << 32) / hz;
	now_params = (struct clock_params){ .start = clock_counter(), .raw_mult = raw_mult, .mult = raw_mult };
	now_params.base = now_params.start;
}

static inline u64 scale(u64 ticks, u64 m)
{
	return (u64)(((__uint128_t)ticks * m) >> 32);
}

static inline u64 line_at(const struct clock_params *p, u64 counter)
{
	return p->base_ns + (u64)((__int128)(s64)(counter - p->base) * (s64)p->mult >> 32);
}

struct clock_params clock_params(void)
{
	struct clock_params p;
	u32 s;

	do {
		s = seq_read_begin(&seq);
		race_marked_begin();
		p = now_params;
		race_marked_end();
	} while (seq_read_retry(&seq, s));
	return p;
}

u64 clock_counter_to_ns(u64 counter)
{
	u64 ns;
	u32 s;

	do {
		s = seq_read_begin(&seq);
		race_marked_begin();
		ns = line_at(&now_params, counter);
		race_marked_end();
	} while (seq_read_retry(&seq, s));
	return ns;
}

void clock_read(u64 *mono_ns, s64 offset_ns[NR_TIMER_CLOCKS])
{
	u32 s;

	do {
		s = seq_read_begin(&seq);
		race_marked_begin();
		*mono_ns = line_at(&now_params, counter_in_order());
		offset_ns[TIMER_REAL] = now_params.real_ns;
		offset_ns[TIMER_TAI] = now_params.real_ns + now_params.tai_ns;
		race_marked_end();
	} while (seq_read_retry(&seq, s));
	offset_ns[TIMER_MONO] = 0;
}

u64 clock_mono_ns(void)
{
	u64 ns;
	u32 s;

	do {
		s = seq_read_begin(&seq);
		race_marked_begin();
		ns = line_at(&now_params, clock_counter());
		race_marked_end();
	} while (seq_read_retry(&seq, s));
	return ns;
}

u64 clock_timer_ns(enum timer_clock clock)
{
	s64 offset[NR_TIMER_CLOCKS];
	u64 mono;

	clock_read(&mono, offset);
	return mono + (u64)offset[clock];
}

u64 clock_real_ns(void)
{
	return clock_timer_ns(TIMER_REAL);
}

u64 clock_raw_ns(void)
{
	return scale(counter_in_order() - now_params.start, raw_mult);	/* neither changes */
}

u64 clock_ticks_to_ns(u64 ticks)
{
	return scale(ticks, raw_mult);
}

u64 clock_ns_to_counter(u64 ns)
{
	u64 ticks, base;
	u32 s, inv;

	do {
		s = seq_read_begin(&seq);
		race_marked_begin();
		base = now_params.base;
		inv = inverse;
		ticks = ns > now_params.base_ns ? ns - now_params.base_ns : 0;
		race_marked_end();
	} while (seq_read_retry(&seq, s));
	/* In two parts: no 128-bit division.  Early by rounding at most; the timer then arms again. */
	ticks = ticks / NSEC_PER_SEC * freq_hz + ticks % NSEC_PER_SEC * freq_hz / NSEC_PER_SEC;
	if (inv != 1u << INVERSE_SHIFT)
		ticks = (u64)((__uint128_t)ticks * inv >> INVERSE_SHIFT);
	return base + ticks + 1;
}

/* clock_lock held, until change_end.  From here on nobody succeeds in reading the old line, the vDSO's readers neither: a counter read
 * after this (dsb, isb) is later than any that the old line was asked for. */
static void change_begin(void)
{
	seq_write_begin(&seq);
	if (clock_changed_hook)
		clock_changed_hook(false);
	dsb_ish();
	isb();
}

static void change_end(const struct clock_params *p)
{
	now_params = *p;
	inverse = (u32)((raw_mult << (INVERSE_SHIFT - 8)) / (p->mult >> 8));
	seq_write_end(&seq);
	if (clock_changed_hook)
		clock_changed_hook(true);
}

static void change_locked(const struct clock_params *p)
{
	change_begin();
	change_end(p);
}

bool clock_set_rate(s64 rate)
{
	irqflags_t flags = spin_lock_irqsave(&clock_lock);
	struct clock_params p = now_params;
	bool changes;

	p.mult = raw_mult + (u64)((__int128)(s64)raw_mult * rate >> 32);
	changes = p.mult != now_params.mult;
	if (changes) {
		change_begin();
		p.base = clock_counter();
		p.base_ns = line_at(&now_params, p.base);
		change_end(&p);
	}
	spin_unlock_irqrestore(&clock_lock, flags);
	return changes;
}

void clock_step(s64 delta_ns, s64 tai_ns)
{
	irqflags_t flags = spin_lock_irqsave(&clock_lock);
	struct clock_params p = now_params;

	p.real_ns += delta_ns;
	p.tai_ns = tai_ns;
	change_locked(&p);
	spin_unlock_irqrestore(&clock_lock, flags);
}

void clock_was_set(void)
{
	struct clock_watch *w;
	irqflags_t flags;

	timers_clock_changed();
	flags = spin_lock_irqsave(&watch_lock);
	list_for_each_entry(w, &watches, link)
		w->changed(w);
	spin_unlock_irqrestore(&watch_lock, flags);
}

static int set_offset(u64 ns, bool relative)
{
	irqflags_t flags = spin_lock_irqsave(&clock_lock);
	struct clock_params p = now_params;
	u64 mono = line_at(&p, clock_counter());
	int err = 0;

	if (relative)
		ns += mono + (u64)p.real_ns;
	p.real_ns = (s64)(ns - mono);
	if ((s64)ns < 0 || ns >= CLOCK_REAL_MAX_NS || p.real_ns < 0)
		err = -EINVAL;
	else
		change_locked(&p);
	spin_unlock_irqrestore(&clock_lock, flags);
	if (!err)
		clock_was_set();
	return err;
}

int clock_set_real_ns(u64 ns) { return set_offset(ns, false); }
int clock_add_real_ns(s64 ns) { return set_offset((u64)ns, true); }

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
