/* The timer queue and its comparator, with a clock that only the test moves: after every step the comparator must be set for no later
 * than the earliest timer, else that one would never fire. */
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/time/clock.h>
#include <kernel/time/time.h>
#include <tests/unit/unit.h>

static u64 now = 1000;
static u64 comparator = TIME_NEVER;		/* what it waits for */
static u32 nr_set;

static s64 real_offset;			/* what the real clock is ahead */

u64 clock_mono_ns(void) { return now; }
void clock_read(u64 *mono_ns, s64 offset_ns[NR_TIMER_CLOCKS])
{
	*mono_ns = now;
	offset_ns[TIMER_MONO] = 0;
	offset_ns[TIMER_REAL] = offset_ns[TIMER_TAI] = real_offset;
}
void smp_call(cpumask_t cpus, void (*fn)(void *arg), void *arg) { (void)cpus; fn(arg); }
u64 clock_ns_to_counter(u64 ns) { return ns; }
void schedule_until(u64 deadline_ns) { now = max(now, deadline_ns); }
void set_current_state(u32 state) { (void)state; }
static void set(u64 counter) { comparator = counter; nr_set++; }
static void stop(void) { comparator = TIME_NEVER; }
static const struct clockevent event = { set, stop };

#define NR 50
static struct timer timers[NR];
static u64 due[NR];		/* the model: when each fires, 0 not armed */
static u32 fired[NR], wrong;
static u64 last_fired;
static void (*in_handler)(u32 i);

static void handler(struct timer *t)
{
	u32 i = (u32)(t - timers);

	wrong += !due[i] || due[i] > now || t->expires_ns != due[i] || t->armed;
	for (u32 k = 0; k < NR; k++)
		wrong += due[k] && due[k] < due[i];	/* an earlier one should have come before */
	last_fired = due[i];
	due[i] = 0;
	fired[i]++;
	if (in_handler)
		in_handler(i);
}

static void arm(u32 i, u64 at) { due[i] = at; timer_arm(&timers[i], at); }

static u64 earliest(void)
{
	u64 e = TIME_NEVER;

	for (u32 i = 0; i < NR; i++)
		if (due[i])
			e = min(e, due[i]);
	return e;
}

/* Time goes on to t; the comparator interrupts when its time has come. */
static void advance(u64 t)
{
	while (comparator <= t) {
		now = max(now, comparator);
		comparator = TIME_NEVER;	/* the driver stops it, timer_interrupt arms it anew */
		timer_interrupt();
	}
	now = t;
}

static bool consistent(void)
{
	for (u32 i = 0; i < NR; i++)
		if (timers[i].armed != (due[i] != 0))
			return false;
	return comparator <= earliest() && !wrong;
}

TEST(setup)
{
	clockevent_register(&event);
	for (u32 i = 0; i < NR; i++)
		timer_init(&timers[i], handler);
	EXPECT(consistent());
}

TEST(fires_when_due)
{
	arm(0, now + 100);
	arm(1, now + 50);
	arm(2, now + 50);
	EXPECT_EQ(comparator, now + 50);
	advance(now + 49);
	EXPECT(!fired[0] && !fired[1] && consistent());
	advance(now + 1);
	EXPECT(!fired[0] && fired[1] == 1 && fired[2] == 1 && comparator == now + 50);
	advance(now + 1000);
	EXPECT(fired[0] == 1 && comparator == TIME_NEVER && consistent());
	arm(0, 5);					/* long past: at once */
	EXPECT(comparator <= now);
	advance(now);
	EXPECT(fired[0] == 2);
}

TEST(cancel)
{
	arm(0, now + 10);
	due[0] = 0;
	EXPECT(timer_cancel(&timers[0]) && !timer_cancel(&timers[0]) && !timer_cancel_sync(&timers[0]));
	advance(now + 20);
	EXPECT(fired[0] == 2 && consistent());
	arm(0, now + 10);
	arm(0, now + 30);				/* later than armed */
	advance(now + 29);
	EXPECT(fired[0] == 2);
	advance(now + 1);
	EXPECT(fired[0] == 3 && consistent());
}

/* A deadline of the real clock comes when that clock says so, wherever it is set to. */
TEST(the_real_clock_is_set)
{
	real_offset = 1000000;
	memset(fired, 0, sizeof(fired));
	due[0] = now + 500 + 1000000;
	timer_arm_clock(&timers[0], TIMER_REAL, due[0]);
	EXPECT_EQ(comparator, now + 500);
	arm(1, now + 800);
	EXPECT_EQ(comparator, now + 500);
	real_offset -= 1000;				/* back: later, and the other one first */
	timers_clock_changed();
	EXPECT_EQ(comparator, now + 800);
	real_offset += 1300;				/* forth */
	timers_clock_changed();
	EXPECT_EQ(comparator, now + 200);
	real_offset -= 2 * 1000000;			/* before the epoch of the monotonic clock */
	timers_clock_changed();
	EXPECT_EQ(comparator, now + 800);
	real_offset += 9000000;				/* long past: at once */
	timers_clock_changed();
	EXPECT(comparator <= now);
	due[0] = 1;					/* the model knows one clock */
	timers[0].expires_ns = 1;
	advance(now);
	EXPECT(fired[0] == 1 && !fired[1]);
	advance(now + 800);
	EXPECT(fired[1] == 1 && comparator == TIME_NEVER);
	real_offset = 0;
}

/* More timers than one interrupt runs: it leaves the rest to another a little later. */
#define CROWD 600
static struct timer crowd[CROWD];
static u32 crowd_fired;
static void crowd_handler(struct timer *t) { (void)t; crowd_fired++; }

TEST(a_crowd_is_not_one_interrupt)
{
	for (u32 i = 0; i < CROWD; i++) {
		timer_init(&crowd[i], crowd_handler);
		timer_arm(&crowd[i], now + 10);
	}
	advance(now + 10);
	EXPECT(crowd_fired > 0 && crowd_fired < CROWD && comparator > now);
	advance(now + 1000000);
	EXPECT(crowd_fired == CROWD && comparator == TIME_NEVER);
}

/* Setting the comparator costs: a later timer does not. */
TEST(later_ones_do_not_touch_the_comparator)
{
	u32 before;

	arm(0, now + 10);
	before = nr_set;
	for (u32 i = 1; i < NR; i++)
		arm(i, now + 10 + i);
	EXPECT_EQ(nr_set, before);
	advance(now + 100);
	EXPECT(consistent() && earliest() == TIME_NEVER);
}

static void arm_the_past(u32 i)
{
	if (fired[i] % 3)
		arm(i, 1);
}

TEST(armed_and_fired_in_one_interrupt)
{
	memset(fired, 0, sizeof(fired));
	in_handler = arm_the_past;
	arm(0, now + 5);
	advance(now + 5);
	in_handler = NULL;
	EXPECT_EQ(fired[0], 3);
	arm(1, now + 10);
	EXPECT(consistent());
	advance(now + 10);
	EXPECT_EQ(fired[1], 1);
}

static void meddle(u32 i)
{
	u32 k = (u32)unit_below(NR);

	switch (unit_below(6)) {
	case 0:
		arm(i, now + unit_below(50));
		break;
	case 1:
		arm(k, unit_below(2) ? now - unit_below(20) : now + unit_below(100));
		break;
	case 2:
		wrong += timer_cancel(&timers[k]) != (due[k] != 0);
		due[k] = 0;
		break;
	}
}

TEST(random)
{
	in_handler = meddle;
	for (u32 step = 0; step < 100000; step++) {
		u32 i = (u32)unit_below(NR);

		switch (unit_below(8)) {
		case 0: case 1: case 2:
			arm(i, now + unit_below(300));
			break;
		case 3:
			arm(i, max(1ul, now - unit_below(10)));
			break;
		case 4: case 5:
			wrong += timer_cancel(&timers[i]) != (due[i] != 0);
			due[i] = 0;
			break;
		default:
			advance(now + unit_below(100));
			EXPECT(earliest() > now || comparator <= now);
		}
		EXPECT(consistent());
	}
	in_handler = NULL;
	advance(now + 10000);
	EXPECT(consistent() && earliest() == TIME_NEVER && comparator == TIME_NEVER);
}

TEST(sleeping)
{
	u64 start = now;

	sleep_ns(1234);
	EXPECT_EQ(now, start + 1234);
}
