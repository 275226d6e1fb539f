/* The watchdogs, with limits of milliseconds.  Nothing is asserted about time: each test goes on until the counter it waits for moves (and
 * gives up after GIVE_UP_NS), and what must not be reported is looked for after as many rounds as found the other. */
#include <kernel/debug/watchdog.h>
#include <kernel/ktest.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <tests/kernel/runner.h>

#define LIMIT_NS	(100 * NSEC_PER_MSEC)
#define GIVE_UP_NS	(20 * NSEC_PER_SEC)

static u64 deadline;
static bool in_time(void) { return clock_mono_ns() < deadline; }

/* Until somebody has reported. */
static void stuck_with_preemption_off(void *arg)
{
	u64 before = *(u64 *)arg;

	preempt_disable();
	while (watchdog_lockups() == before && in_time())
		cpu_relax();
	preempt_enable();
}

static void stuck_with_interrupts_off(void *arg)
{
	u64 before = *(u64 *)arg;
	irqflags_t flags = arch_irq_save();

	while (watchdog_lockups() == before && in_time())
		cpu_relax();
	arch_irq_restore(flags);
}

static bool is_reported(void (*stuck)(void *), u32 cpu)
{
	u64 before = watchdog_lockups();
	struct runner r;

	deadline = clock_mono_ns() + GIVE_UP_NS;
	watchdog_limits(LIMIT_NS, 0);
	if (!runner_create(&r, stuck, &before) || sched_set_affinity(r.task, BIT(cpu)))
		return false;
	sched_set_affinity(current, 1);
	runner_go(&r);
	while (watchdog_lockups() == before && in_time()) {
		sleep_ns(NSEC_PER_MSEC);
		sched_resched_cpu(cpu);		/* as the RCU thread does */
	}
	runner_join(&r);
	sched_set_affinity(current, ~0ull);
	watchdog_limits(0, 0);
	return watchdog_lockups() > before;
}

KTEST(watchdog, preemption_off_on_its_own_cpu) { EXPECT(is_reported(stuck_with_preemption_off, 0)); }

KTEST(watchdog, preemption_off_on_another_cpu)
{
	if (atomic_load(&cpu_online_mask) & BIT(1))
		EXPECT(is_reported(stuck_with_preemption_off, 1));
}

KTEST(watchdog, interrupts_off_on_another_cpu)
{
	if (atomic_load(&cpu_online_mask) & BIT(1))
		EXPECT(is_reported(stuck_with_interrupts_off, 1));
}

/* Long, but preemptible: it makes room whenever asked. */
static void busy(void *arg)
{
	while (!atomic_load((u32 *)arg) && in_time())
		cpu_relax();
}

KTEST(watchdog, who_makes_room_is_not_reported)
{
	u64 before = watchdog_lockups(), end;
	u32 stop = 0;
	struct runner r;

	deadline = clock_mono_ns() + GIVE_UP_NS;
	watchdog_limits(10 * LIMIT_NS, 0);
	EXPECT(runner_start(&r, busy, &stop));
	sched_set_affinity(current, 1);
	for (end = clock_mono_ns() + 15 * LIMIT_NS; clock_mono_ns() < end;)
		sleep_ns(NSEC_PER_MSEC);
	atomic_store(&stop, 1u);
	runner_join(&r);
	sched_set_affinity(current, ~0ull);
	watchdog_limits(0, 0);
	EXPECT_EQ(watchdog_lockups(), before);
}

/* When nobody waits for a CPU the timers rest. */
KTEST(watchdog, rests_when_nobody_is_waited_for)
{
	u32 armed = 1;

	deadline = clock_mono_ns() + GIVE_UP_NS;
	watchdog_limits(LIMIT_NS, 0);
	while (armed && in_time()) {
		sleep_ns(LIMIT_NS);
		armed = 0;
		for (u32 cpu = 0; cpu < nr_cpus; cpu++)
			armed |= READ_ONCE(per_cpu(watchdog_armed, cpu));
	}
	watchdog_limits(0, 0);
	EXPECT_EQ(armed, 0);
}

static DEFINE_WAIT_QUEUE(never);
static u32 go_on;
static void sleep_hard(void *arg) { (void)arg; wait_event(&never, atomic_load(&go_on)); }
static void sleep_killably(void *arg)
{
	(void)arg;
	if (wait_event_killable(&never, atomic_load(&go_on)))
		return;
}

/* Whether a runner that sleeps so is reported in some rounds of the scanner. */
static bool found(void (*sleeper)(void *), u32 rounds)
{
	u64 until;
	struct runner r;
	bool was = false;

	deadline = clock_mono_ns() + GIVE_UP_NS;
	atomic_store(&go_on, 0u);
	if (!runner_start(&r, sleeper, NULL) || !runner_sleeps(&r))
		return false;
	watchdog_limits(0, LIMIT_NS);
	until = hung_task_scans() + rounds;
	while (!was && hung_task_scans() < until && in_time()) {
		sleep_ns(5 * NSEC_PER_MSEC);
		was = hung_task_last() == r.task;
	}
	atomic_store(&go_on, 1u);
	wake_up_all(&never);
	runner_join(&r);
	watchdog_limits(0, 0);
	return was;
}

KTEST(watchdog, a_hung_task_is_found) { EXPECT(found(sleep_hard, 1000)); }
KTEST(watchdog, one_that_can_be_killed_is_not) { EXPECT(!found(sleep_killably, 5)); }
