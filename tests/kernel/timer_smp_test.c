/* Timers armed, cancelled and fired on several CPUs at once. */
#include <arch/cpu.h>
#include <kernel/ktest.h>
#include <kernel/random/random.h>
#include <kernel/sched/sched.h>
#include <kernel/time/clock.h>
#include <kernel/time/time.h>
#include <tests/kernel/runner.h>

#define NR_RUNNERS	4
#define ROUNDS		3000
#define NR_SHARED	12

static bool start_everywhere(struct runner r[NR_RUNNERS], void (*fn)(void *))
{
	cpumask_t online = atomic_load(&cpu_online_mask);
	bool ok = true;
	u32 cpu = 0;

	for (u64 i = 0; i < NR_RUNNERS; i++) {
		ok = runner_create(&r[i], fn, (void *)i) && ok;
		if (!ok)
			return false;
		while (!(online & BIT(cpu % nr_cpus)))
			cpu++;
		sched_set_affinity(r[i].task, BIT(cpu++ % nr_cpus));
	}
	for (u32 i = 0; i < NR_RUNNERS; i++)
		runner_go(&r[i]);
	return true;
}

static struct timer shared_timers[NR_SHARED];
static u32 shared_fired, shared_wrong;

static void shared_handler(struct timer *t)
{
	atomic_add(&shared_wrong, (u32)!arch_irqs_disabled());
	if (atomic_add_return(&shared_fired, 1u) % 3 == 0)
		timer_arm(t, clock_mono_ns() + random_u64() % (20 * NSEC_PER_USEC));
}

/* Everybody does everything to the same timers; the trees must bear it, and in the end be empty.  On a busy host QEMU's own thread, which raises the timers'
 * interrupts, may not get to run for as long as ROUNDS take: so until one has fired. */
static void meddle(void *arg)
{
	u64 bound = clock_mono_ns() + 60 * NSEC_PER_SEC;

	(void)arg;
	for (u32 i = 0; i < ROUNDS || (!atomic_load(&shared_fired) && clock_mono_ns() < bound); i++) {
		u64 r = random_u64();
		struct timer *t = &shared_timers[r % NR_SHARED];
		u64 ns = (r >> 8) % (200 * NSEC_PER_USEC);

		switch (r >> 32 & 3) {
		case 0:
			timer_cancel(t);
			break;
		case 1:
			timer_cancel_sync(t);
			break;
		case 2:
			timer_arm_clock(t, TIMER_REAL, clock_real_ns() + ns);
			break;
		default:
			timer_arm(t, clock_mono_ns() + ns);
		}
	}
}

KTEST(timer, shared_by_all_cpus)
{
	struct runner r[NR_RUNNERS];

	shared_fired = shared_wrong = 0;
	for (u32 i = 0; i < NR_SHARED; i++)
		timer_init(&shared_timers[i], shared_handler);
	EXPECT(start_everywhere(r, meddle));
	for (u32 i = 0; i < NR_RUNNERS; i++)
		runner_join(&r[i]);
	for (u32 i = 0; i < NR_SHARED; i++)
		timer_cancel_sync(&shared_timers[i]);
	for (u32 i = 0; i < NR_SHARED; i++)
		EXPECT(!timer_cancel_sync(&shared_timers[i]));
	EXPECT_EQ(shared_wrong, 0);
	EXPECT(shared_fired);
	sleep_ns(NSEC_PER_MSEC);
}

/* One timer a runner, left behind on the CPU it was armed on: after timer_cancel_sync its handler neither runs nor will. */
static struct own { struct timer timer; u32 inside, fired; } owned[NR_RUNNERS];
static u32 own_wrong;

static void own_handler(struct timer *t)
{
	struct own *o = container_of(t, struct own, timer);

	atomic_store(&o->inside, 1u);
	delay_ns(5 * NSEC_PER_USEC);
	atomic_inc(&o->fired);
	atomic_store_release(&o->inside, 0u);
}

static void wander(void *arg)
{
	struct own *o = &owned[(u64)arg];
	cpumask_t online = atomic_load(&cpu_online_mask);
	u32 cpu = 0;

	for (u32 i = 0; i < ROUNDS / 10; i++) {
		u32 fired;

		timer_arm(&o->timer, clock_mono_ns() + random_u64() % (30 * NSEC_PER_USEC));
		do
			cpu = (cpu + 1) % nr_cpus;
		while (!(online & BIT(cpu)));
		sched_set_affinity(current, BIT(cpu));
		sleep_ns(random_u64() % (30 * NSEC_PER_USEC));
		timer_cancel_sync(&o->timer);
		if (atomic_load_acquire(&o->inside))
			atomic_inc(&own_wrong);
		fired = atomic_load(&o->fired);
		delay_ns(10 * NSEC_PER_USEC);
		if (atomic_load(&o->fired) != fired)
			atomic_inc(&own_wrong);
	}
}

KTEST(timer, cancelled_from_another_cpu)
{
	struct runner r[NR_RUNNERS];

	own_wrong = 0;
	for (u32 i = 0; i < NR_RUNNERS; i++) {
		owned[i] = (struct own){ .fired = 0 };
		timer_init(&owned[i].timer, own_handler);
	}
	EXPECT(start_everywhere(r, wander));
	for (u32 i = 0; i < NR_RUNNERS; i++)
		runner_join(&r[i]);
	EXPECT_EQ(own_wrong, 0);
}

/* One writes down what time it is, the next must not find it earlier. */
static u64 latest;
static u32 went_back;

static void stamp(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < ROUNDS * 3; i++) {
		u64 seen = atomic_load_acquire(&latest), now = clock_timer_ns(TIMER_MONO);

		if (now < seen)
			atomic_inc(&went_back);
		else if (now > seen)
			(void)atomic_cas(&latest, seen, now);
		if (i % 300 == 0)
			clock_set_rate((s64)(random_u64() % (1ul << 24)) - (1 << 23));	/* 2000 ppm, either way */
	}
}

KTEST(timer, no_cpu_is_behind_another)
{
	struct runner r[NR_RUNNERS];

	latest = went_back = 0;
	EXPECT(start_everywhere(r, stamp));
	for (u32 i = 0; i < NR_RUNNERS; i++)
		runner_join(&r[i]);
	clock_set_rate(0);
	EXPECT_EQ(went_back, 0);
}
