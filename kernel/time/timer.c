/* Timers.
 *
 * Theory.  A tree per CPU, ordered by expiry, under its lock; one comparator, programmed for the first.  Cancelling the first leaves
 * the comparator as it is: an early interrupt that finds nothing is cheaper than a write to the device for each cancelled
 * time-out.  Handlers run in the interrupt with the lock dropped, so they may arm timers, their own too.
 *
 * A handler that runs is in base->running; timer_cancel_sync waits for it on another CPU.  A timer stays on the base of the CPU
 * that armed it; timer->cpu names it. */
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/time.h>
#include <kernel/time/clock.h>

struct timer_base {
	struct spinlock lock;		/* LC_TIMER */
	struct rb_root tree;		/* [lock] */
	struct rb_node *first;		/* [lock] */
	struct timer *running;		/* [lock] */
	u64 programmed_ns;		/* [lock] what the comparator waits for, TIME_NEVER nothing */
};
static DEFINE_PER_CPU(struct timer_base, timer_base) = {
	.lock = SPINLOCK_INIT(LC_TIMER), .programmed_ns = TIME_NEVER,
};
static const struct clockevent *clockevent;

static inline struct timer *node_timer(struct rb_node *n)
{
	return rb_entry(n, struct timer, node);
}

static void program(struct timer_base *base)
{
	u64 next = base->first ? node_timer(base->first)->expires_ns : TIME_NEVER;

	if (next >= base->programmed_ns || !clockevent)
		return;
	base->programmed_ns = next;
	clockevent->set(clock_ns_to_counter(next));
}

void clockevent_register(const struct clockevent *ce)
{
	struct timer_base *base = this_cpu_ptr(&timer_base);
	irqflags_t flags = spin_lock_irqsave(&base->lock);

	clockevent = ce;
	program(base);
	spin_unlock_irqrestore(&base->lock, flags);
}

void timer_init(struct timer *t, void (*func)(struct timer *))
{
	t->func = func;
	t->armed = t->running = false;
	t->cpu = 0;
}

static void base_remove(struct timer_base *base, struct timer *t)
{
	if (base->first == &t->node)
		base->first = rb_next(&t->node);
	rb_erase(&t->node, &base->tree);
	t->armed = false;
}

static void base_insert(struct timer_base *base, struct timer *t)
{
	struct rb_node **link = &base->tree.rb_node, *parent = NULL;
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
	rb_insert_color(&t->node, &base->tree);
	t->armed = true;
	if (first)
		base->first = &t->node;
}

/* The base t is on, locked; it may move while we wait for the lock. */
static struct timer_base *timer_lock(struct timer *t, irqflags_t *flags)
{
	for (;;) {
		u32 cpu = atomic_load(&t->cpu);
		struct timer_base *base = per_cpu_ptr(&timer_base, cpu);

		*flags = spin_lock_irqsave(&base->lock);
		if (likely(t->cpu == cpu))
			return base;
		spin_unlock_irqrestore(&base->lock, *flags);
	}
}

void timer_arm(struct timer *t, u64 expires_ns)
{
	irqflags_t flags;
	struct timer_base *base = timer_lock(t, &flags), *here = this_cpu_ptr(&timer_base);

	if (t->armed)
		base_remove(base, t);
	if (base != here && base->running != t) {
		atomic_store(&t->cpu, smp_cpu_id());
		spin_unlock(&base->lock);
		spin_lock(&here->lock);
		base = here;
		if (t->armed)		/* somebody armed it in between: his time is as good as ours was */
			base_remove(base, t);
	}
	t->expires_ns = expires_ns;
	base_insert(base, t);
	if (base == here)
		program(base);
	spin_unlock_irqrestore(&base->lock, flags);
}

bool timer_cancel(struct timer *t)
{
	irqflags_t flags;
	struct timer_base *base;
	bool was;

	base = timer_lock(t, &flags);
	was = t->armed;
	if (was)
		base_remove(base, t);
	spin_unlock_irqrestore(&base->lock, flags);
	return was;
}

bool timer_cancel_sync(struct timer *t)
{
	for (;;) {
		irqflags_t flags;
		struct timer_base *base = timer_lock(t, &flags);
		bool was = t->armed, running = base->running == t;

		if (was)
			base_remove(base, t);
		spin_unlock_irqrestore(&base->lock, flags);
		if (!running)
			return was;
		cpu_relax();
	}
}

void timer_interrupt(void)
{
	struct timer_base *base = this_cpu_ptr(&timer_base);
	u64 now;

	spin_lock(&base->lock);
	base->programmed_ns = TIME_NEVER;
	now = clock_mono_ns();
	while (base->first) {
		struct timer *t = node_timer(base->first);

		if (t->expires_ns > now) {
			now = clock_mono_ns();
			if (t->expires_ns > now)
				break;
		}
		base_remove(base, t);
		base->running = t;
		spin_unlock(&base->lock);
		t->func(t);
		spin_lock(&base->lock);
		base->running = NULL;
	}
	/* A handler that armed a timer which has fired since has left its time here: it would keep later ones from being programmed. */
	base->programmed_ns = TIME_NEVER;
	if (base->first)
		program(base);
	else if (clockevent)
		clockevent->stop();
	spin_unlock(&base->lock);
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
