/* Timers.
 *
 * Theory.  Each CPU has a base: for each clock a tree ordered by expiry, all under the base's lock, and one comparator, programmed for
 * whichever first timer comes first in monotonic time.  A deadline of the real clock stays one: when that clock is set, every CPU programs
 * its comparator anew (timers_clock_changed), however many timers there are.  The parameters of the clock change before that interrupt is
 * sent, and program() runs with interrupts off: a CPU that programmed by the old ones takes the interrupt after.
 *
 * Arming is O(log n) and touches the comparator only if the new timer comes first.  Cancelling the first leaves the comparator as it is:
 * an early interrupt that finds nothing is cheaper than a write to the device for each cancelled time-out (who knows better cancels
 * quietly).  Handlers run in the interrupt with the lock dropped, so they may arm timers, their own too.  An interrupt runs at most BUDGET
 * handlers; what is due then waits for the next one, GAP_NS later, so that no crowd of timers keeps a CPU from its tasks.  The comparator
 * is programmed once, at the interrupt's end, whatever its handlers arm: each write to it costs QEMU a wake-up of its main loop.
 *
 * Across CPUs.  timer->cpu names the base a timer belongs to, armed or not.  It changes only under that base's lock, and only while the
 * timer is neither armed nor running there: timer_arm takes it off its base, writes the new CPU's number, drops the lock, and looks again
 * under the new base's lock, since another CPU may have taken it meanwhile.  So who holds the lock of the base that timer->cpu names owns
 * the timer; timer_lock() reads the number, locks, and reads again.  A handler that runs is in base->running, and its timer stays on that
 * base (armed again from anywhere, it goes back there, and the end of that interrupt programs the comparator): so timer_cancel_sync, which
 * looks at one base only, sees it.  All is ordered by the locks; the first, unlocked look at timer->cpu needs no order.
 *
 * A task that migrates leaves its timers behind; they wake it wherever it sleeps.
 *
 * Rejected: a wheel (O(1) arming, but a tick or rounding), one tree with real deadlines converted (setting the clock would walk it). */
#include <arch/cpu.h>
#include <arch/smp.h>
#include <kernel/debug.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/clock.h>
#include <kernel/time/time.h>

#define BUDGET	256u
#define GAP_NS	(50 * NSEC_PER_USEC)

struct timer_base {
	struct spinlock lock;		/* LC_TIMER */
	struct rb_root tree[NR_TIMER_CLOCKS];	/* [lock] this and all below */
	struct rb_node *first[NR_TIMER_CLOCKS];
	struct timer *running;
	u64 programmed_ns;		/* what the comparator waits for, TIME_NEVER nothing; 0: the interrupt that runs will program it */
};
static DEFINE_PER_CPU(struct timer_base, timer_base) = {
	.lock = SPINLOCK_INIT(LC_TIMER), .programmed_ns = TIME_NEVER,
};
static const struct clockevent *clockevent __ro_after_init;	/* [I] once registered */

static inline struct timer *node_timer(struct rb_node *n)
{
	return rb_entry(n, struct timer, node);
}

/* The monotonic time of an expiry, by what is to be added to that for its clock. */
static u64 in_mono(u64 expires_ns, s64 offset_ns)
{
	u64 offset = offset_ns > 0 ? (u64)offset_ns : 0;

	return expires_ns > offset ? expires_ns - offset : 0;
}

/* The timer that comes first, in *next its monotonic time. */
static struct timer *earliest(struct timer_base *base, const s64 offset_ns[NR_TIMER_CLOCKS], u64 *next)
{
	struct timer *first = NULL;

	*next = TIME_NEVER;
	for (u32 c = 0; c < NR_TIMER_CLOCKS; c++) {
		struct timer *t = base->first[c] ? node_timer(base->first[c]) : NULL;
		u64 at = t ? in_mono(t->expires_ns, offset_ns[c]) : TIME_NEVER;

		if (at < *next) {
			*next = at;
			first = t;
		}
	}
	return first;
}

static void program(struct timer_base *base, u64 next)
{
	if (next >= base->programmed_ns || !clockevent)
		return;
	base->programmed_ns = next;
	clockevent->set(clock_ns_to_counter(next));
}

/* Whatever the comparator waits for, it is not to be relied upon. */
static void program_anew(struct timer_base *base, u64 no_sooner)
{
	s64 offset[NR_TIMER_CLOCKS];
	u64 next, now;

	clock_read(&now, offset);
	base->programmed_ns = TIME_NEVER;
	if (earliest(base, offset, &next))
		program(base, max(next, no_sooner));
	else if (clockevent)
		clockevent->stop();
}

void clockevent_register(const struct clockevent *ce)
{
	struct timer_base *base = this_cpu_ptr(&timer_base);
	irqflags_t flags = spin_lock_irqsave(&base->lock);

	clockevent = ce;
	program_anew(base, 0);
	spin_unlock_irqrestore(&base->lock, flags);
}

void clockevent_cpu_init(void)
{
	if (clockevent)
		clockevent->stop();
}

void timer_init(struct timer *t, void (*func)(struct timer *))
{
	t->func = func;
	t->armed = false;
	t->clock = TIMER_MONO;
	t->cpu = 0;
}

static void base_remove(struct timer_base *base, struct timer *t)
{
	if (base->first[t->clock] == &t->node)
		base->first[t->clock] = rb_next(&t->node);
	rb_erase(&t->node, &base->tree[t->clock]);
	t->armed = false;
}

/* true: it comes first of its clock. */
static bool base_insert(struct timer_base *base, struct timer *t)
{
	struct rb_node **link = &base->tree[t->clock].rb_node, *parent = NULL;
	bool first = true;

	while (*link) {
		parent = *link;
		if (t->expires_ns < node_timer(parent)->expires_ns) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			first = false;
		}
	}
	rb_link_node(&t->node, parent, link);
	rb_insert_color(&t->node, &base->tree[t->clock]);
	t->armed = true;
	if (first)
		base->first[t->clock] = &t->node;
	return first;
}

/* The base t is on, locked; it may move while we wait for the lock.  Interrupts are off. */
static struct timer_base *timer_lock(struct timer *t)
{
	for (;;) {
		u32 cpu = atomic_load(&t->cpu);
		struct timer_base *base = per_cpu_ptr(&timer_base, cpu);

		spin_lock(&base->lock);
		if (likely(atomic_load(&t->cpu) == cpu))	/* if not, it may be changing under its own base's lock */
			return base;
		spin_unlock(&base->lock);
	}
}

void timer_arm_clock(struct timer *t, enum timer_clock clock, u64 expires_ns)
{
	irqflags_t flags = arch_irq_save();
	struct timer_base *base, *here = this_cpu_ptr(&timer_base);
	s64 offset[NR_TIMER_CLOCKS] = { 0 };
	u64 now;

	for (;;) {
		base = timer_lock(t);
		if (t->armed)
			base_remove(base, t);
		if (base == here || base->running == t)
			break;
		atomic_store(&t->cpu, smp_cpu_id());	/* ours, unless another CPU is quicker to our own lock */
		spin_unlock(&base->lock);
	}
	t->expires_ns = expires_ns;
	t->clock = (u8)clock;
	if (base_insert(base, t) && base == here) {
		if (clock != TIMER_MONO)
			clock_read(&now, offset);
		program(base, in_mono(expires_ns, offset[clock]));
	}
	spin_unlock_irqrestore(&base->lock, flags);
}

void timer_arm(struct timer *t, u64 expires_ns)
{
	timer_arm_clock(t, TIMER_MONO, expires_ns);
}

/* Disarm; *running: its handler runs now. */
static bool disarm(struct timer *t, bool *running)
{
	irqflags_t flags = arch_irq_save();
	struct timer_base *base = timer_lock(t);
	bool was = t->armed;

	if (was)
		base_remove(base, t);
	*running = base->running == t;
	spin_unlock_irqrestore(&base->lock, flags);
	return was;
}

bool timer_cancel(struct timer *t)
{
	bool running;

	return disarm(t, &running);
}

void timer_cancel_quietly(struct timer *t)
{
	irqflags_t flags = arch_irq_save();
	struct timer_base *base = timer_lock(t);
	u64 at = t->expires_ns;

	if (t->armed) {
		base_remove(base, t);
		if (base == this_cpu_ptr(&timer_base) && base->programmed_ns == at)
			program_anew(base, 0);
	}
	spin_unlock_irqrestore(&base->lock, flags);
}

bool timer_cancel_sync(struct timer *t)
{
	bool running, was = disarm(t, &running);

	while (unlikely(running)) {
		cpu_relax();
		was |= disarm(t, &running);	/* it may have armed itself */
	}
	return was;
}

void timer_interrupt(void)
{
	struct timer_base *base = this_cpu_ptr(&timer_base);
	s64 offset[NR_TIMER_CLOCKS];
	u64 now, next;
	struct timer *t;
	u32 left = BUDGET;

	spin_lock(&base->lock);
	base->programmed_ns = 0;
	clock_read(&now, offset);
	while ((t = earliest(base, offset, &next))) {
		if (next > now || t->clock != TIMER_MONO) {	/* a handler may have set the clock: a leap second */
			clock_read(&now, offset);
			t = earliest(base, offset, &next);
			if (next > now)
				break;
		}
		if (!left--)
			break;
		base_remove(base, t);
		base->running = t;
		spin_unlock(&base->lock);
		t->func(t);
		spin_lock(&base->lock);
		base->running = NULL;
	}
	program_anew(base, next <= now ? now + GAP_NS : 0);
	spin_unlock(&base->lock);
}

static void reprogram(void *arg)
{
	struct timer_base *base = this_cpu_ptr(&timer_base);

	(void)arg;
	spin_lock(&base->lock);
	program_anew(base, 0);
	spin_unlock(&base->lock);
}

void timers_clock_changed(void)
{
	smp_call(atomic_load(&cpu_online_mask), reprogram, NULL);
}

void sleep_ns(u64 ns)
{
	u64 end = clock_mono_ns() + ns;

	might_sleep();
	while (clock_mono_ns() < end) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule_until(end);
	}
}
