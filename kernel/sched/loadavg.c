/* Load averages without a tick: whoever is about to change the number of runnable tasks first accounts for the five-second periods
 * that have passed with the old number (running, waiting for a CPU, or in a sleep that nothing interrupts), all at once (the decay of n
 * periods is a power, found by squaring). */
#include <kernel/sched/sched_internal.h>

#define FSHIFT		11
#define FIXED_1		(1ul << FSHIFT)
#define PERIOD_NS	(5 * NSEC_PER_SEC)

static const u64 decay[3] = { 1884, 2014, 2037 };	/* exp(-5s / 1, 5, 15 min) in FIXED_1 */
static u64 averages[3], last_ns;			/* [load_lock for writing] */
#define LOOK_NS		NSEC_PER_SEC			/* so often at most somebody looks whether a period has passed, here or in psi.c */
static u64 look_ns;					/* [load_lock for writing] */
static DEFINE_SPINLOCK(load_lock, LC_RCU);

u64 fixed_power(u64 x, u64 n)
{
	u64 result = FIXED_1;

	for (; n; n >>= 1) {
		if (n & 1)
			result = (result * x + FIXED_1 / 2) >> FSHIFT;
		x = (x * x + FIXED_1 / 2) >> FSHIFT;
	}
	return result;
}

void load_update(u64 now)
{
	u64 periods, active;

	if (likely((s64)(now - READ_ONCE(look_ns)) < 0) || !spin_trylock(&load_lock))
		return;
	periods = (now - last_ns) / PERIOD_NS;
	active = (sched_nr_running() + sched_nr_uninterruptible()) << FSHIFT;
	for (u32 i = 0; i < 3 && periods; i++) {
		u64 d = fixed_power(decay[i], periods);

		averages[i] = (averages[i] * d + active * (FIXED_1 - d)) >> FSHIFT;
	}
	last_ns += periods * PERIOD_NS;
	WRITE_ONCE(look_ns, now + LOOK_NS);
	spin_unlock(&load_lock);
	psi_average(now);
}

void sched_loadavg(u64 avg[3])
{
	irqflags_t flags = arch_irq_save();

	load_update(clock_mono_ns());
	arch_irq_restore(flags);
	for (u32 i = 0; i < 3; i++)
		avg[i] = READ_ONCE(averages[i]);
}

