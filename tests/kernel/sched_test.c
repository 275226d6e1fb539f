/* The scheduler, seen from kernel threads on CPU 0: who runs, in which order, for how long. */
#include <linux/sched.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <arch/context.h>
#include <kernel/sched/deferred.h>
#include <kernel/sched/sched_internal.h>
#include <kernel/time/time.h>
#include <tests/kernel/runner.h>

static u32 order[64], nr_order, spins_end;

static void note(void *arg)
{
	if (nr_order < ARRAY_SIZE(order))
		order[nr_order++] = (u32)(u64)arg;
}

static void note_and_yield(void *arg)
{
	for (u32 i = 0; i < 3; i++) {
		note(arg);
		sched_yield_current();
	}
}

/* n parked threads of these priorities, let go together while current (FIFO 90) keeps the CPU; then they run. */
static bool run_fifo(struct runner *r, void (*fn)(void *), const u32 *prios, u32 n)
{
	bool ok = true;

	nr_order = 0;
	for (u64 i = 0; i < n; i++)
		ok = runner_create(&r[i], fn, (void *)i) && runner_sleeps(&r[i]) && ok;
	self_fifo(90);
	for (u32 i = 0; i < n; i++) {
		sched_set_policy(r[i].task, SCHED_FIFO, prios[i], 0);
		runner_go(&r[i]);
	}
	ok = ok && nr_order == 0;
	for (u32 i = 0; i < n; i++)
		runner_join(&r[i]);
	self_fair();
	return ok;
}

KTEST(sched, fifo_by_priority)
{
	static const u32 prios[] = { 10, 30, 20, 40, 5 };
	struct runner r[5];

	EXPECT(run_fifo(r, note, prios, 5));
	EXPECT_EQ(nr_order, 5);
	EXPECT(order[0] == 3 && order[1] == 1 && order[2] == 2 && order[3] == 0 && order[4] == 4);
}

KTEST(sched, fifo_equals_in_order_of_waking)
{
	static const u32 prios[] = { 7, 7, 7, 7 };
	struct runner r[4];

	EXPECT(run_fifo(r, note, prios, 4));
	for (u32 i = 0; i < 4; i++)
		EXPECT_EQ(order[i], i);
}

KTEST(sched, fifo_yields_to_its_equals_only)
{
	static const u32 prios[] = { 7, 7, 3 };
	static const u32 expected[] = { 0, 1, 0, 1, 0, 1, 2, 2, 2 };
	struct runner r[3];

	EXPECT(run_fifo(r, note_and_yield, prios, 3));
	EXPECT_EQ(nr_order, 9);
	for (u32 i = 0; i < 9; i++)
		EXPECT_EQ(order[i], expected[i]);
}

/* Preempted by a higher one, a FIFO thread goes on before its equals. */
static struct runner high;
static void wake_high(void *arg)
{
	note(arg);
	if (!arg)
		runner_go(&high);		/* runs at once */
	note(arg);
}

KTEST(sched, fifo_preempted_goes_on_first)
{
	static const u32 prios[] = { 7, 7 };
	static const u32 expected[] = { 0, 99, 0, 1, 1 };
	struct runner r[2];
	bool ok = runner_create(&high, note, (void *)99) && runner_sleeps(&high);

	sched_set_policy(high.task, SCHED_FIFO, 8, 0);
	ok = run_fifo(r, wake_high, prios, 2) && ok;
	runner_join(&high);
	EXPECT(ok);
	EXPECT_EQ(nr_order, 5);
	for (u32 i = 0; i < 5; i++)
		EXPECT_EQ(order[i], expected[i]);
}

/* A woken FIFO thread preempts a fair one right in task_wake. */
KTEST(sched, fifo_preempts_fair)
{
	struct runner r;
	bool ok;
	u32 seen;

	nr_order = 0;
	EXPECT(runner_create(&r, note, (void *)1));
	ok = runner_sleeps(&r);
	sched_set_affinity(current, 1);
	sched_set_policy(r.task, SCHED_FIFO, 1, 0);
	runner_go(&r);
	seen = nr_order;
	preempt_disable();
	ok = ok && !(current_head()->flags & TIF_NEED_RESCHED);
	preempt_enable();
	runner_join(&r);
	self_fair();
	EXPECT(ok);
	EXPECT_EQ(seen, 1);
}

/* A thread of deferred work goes before every real-time task of a program, as soon as it is woken. */
static struct completion work_came;
static void deferred_worker(void *arg)
{
	struct deferred d;

	deferred_init(&d, 10);
	deferred_rest(&d);
	wait_for_completion(&work_came);
	note(arg);
	deferred_spend(&d, 9);
	note(arg);
	wait_for_completion(&work_came);
	deferred_spend(&d, 1);		/* from here on it is a fair task: FIFO goes first */
	note(arg);
}

KTEST(sched, deferred_work_goes_first_within_its_budget)
{
	struct runner r;
	u32 seen[2];
	bool ok;

	nr_order = 0;
	completion_init(&work_came);
	EXPECT(runner_create(&r, deferred_worker, (void *)1));
	runner_go(&r);
	ok = runner_sleeps(&r);
	self_fifo(99);
	complete(&work_came);
	seen[0] = nr_order;
	complete(&work_came);
	seen[1] = nr_order;
	self_fair();
	runner_join(&r);
	EXPECT(ok);
	EXPECT_EQ(seen[0], 2);
	EXPECT_EQ(seen[1], 2);
	EXPECT_EQ(nr_order, 3);
}

/* One whose work never ends leaves the CPU to fair tasks in between, and is above them again after a rest. */
static void endless_worker(void *arg)
{
	struct deferred d;
	u64 start = current->se.sum_exec;

	(void)arg;
	deferred_init(&d, 10);
	complete(&work_came);
	while (!atomic_load(&spins_end) && current->se.sum_exec - start < 3 * NSEC_PER_SEC)
		deferred_spend(&d, 1);
	note((void *)(u64)atomic_load(&spins_end));
	deferred_rest(&d);
	note((void *)(u64)sched_prio(current));
}

KTEST(sched, deferred_work_without_end_leaves_others_alive)
{
	struct runner r;

	nr_order = spins_end = 0;
	completion_init(&work_came);
	sched_set_affinity(current, 1);
	EXPECT(runner_start(&r, endless_worker, NULL));
	wait_for_completion(&work_came);
	atomic_store(&spins_end, 1u);		/* so we run */
	runner_join(&r);
	self_fair();
	EXPECT_EQ(nr_order, 2);
	EXPECT_EQ(order[0], 1);
	EXPECT_EQ(order[1], RT_KERNEL_PRIO);
}

/* Two that never sleep nor yield: with RR each sees the other make progress. */
static volatile u32 spins[2];
static u32 gave_up;
static void spin_until_other(void *arg)
{
	u64 me = (u64)arg, start = current->se.sum_exec;
	u32 other = spins[!me], turns = 0;

	while (turns < 2) {
		spins[me]++;
		if (spins[!me] != other) {
			other = spins[!me];
			turns++;
		}
		if (current->se.sum_exec - start > 3 * NSEC_PER_SEC || (turns == 0 && clock_mono_ns() > current->start_ns + 20 * NSEC_PER_SEC)) {
			atomic_inc(&gave_up);
			return;
		}
	}
	spins[me]++;		/* the other may have seen the last one before we saw his */
}

KTEST(sched, rr_takes_turns)
{
	struct runner r[2];
	bool ok = true;

	spins[0] = spins[1] = gave_up = 0;
	for (u64 i = 0; i < 2; i++)
		ok = runner_create(&r[i], spin_until_other, (void *)i) && runner_sleeps(&r[i]) && ok;
	self_fifo(90);
	for (u32 i = 0; i < 2; i++) {
		sched_set_policy(r[i].task, SCHED_RR, 10, 0);
		runner_go(&r[i]);
	}
	for (u32 i = 0; i < 2; i++)
		runner_join(&r[i]);
	self_fair();
	EXPECT(ok);
	EXPECT_EQ(gave_up, 0);
}

/* --- fair ------------------------------------------------------------------------------------------------------------------------- */
struct burner { struct runner r; s32 nice; u64 ran, virtual; };
static u32 stop_burning;

static void burn(void *arg)
{
	struct burner *b = arg;
	u64 start = current->se.sum_exec, v = current->se.vruntime;

	while (!atomic_load(&stop_burning))
		cpu_relax();
	preempt_disable();
	b->ran = current->se.sum_exec - start;
	b->virtual = current->se.vruntime - v;
	preempt_enable();
}

/* Let n burn together until the first of them has had ns of CPU. */
static bool burn_together(struct burner *b, u32 n, u64 ns)
{
	u64 start;
	bool ok = true;

	stop_burning = 0;
	for (u32 i = 0; i < n; i++) {
		ok = runner_create(&b[i].r, burn, &b[i]) && runner_sleeps(&b[i].r) && ok;
		sched_set_policy(b[i].r.task, SCHED_NORMAL, 0, b[i].nice);
	}
	self_fifo(90);
	start = b[0].r.task->se.sum_exec;
	for (u32 i = 0; i < n; i++)
		runner_go(&b[i].r);
	while (READ_ONCE(b[0].r.task->se.sum_exec) - start < ns)
		sleep_ns(5 * NSEC_PER_MSEC);
	atomic_store(&stop_burning, 1u);
	for (u32 i = 0; i < n; i++)
		runner_join(&b[i].r);
	self_fair();
	return ok;
}

/* Shares differ by what one can run while the host keeps our CPU or its timer from us, and a busy host does that for tens of
 * milliseconds: a share that is off is measured again.  A scheduler that shares wrongly is wrong each time. */
enum { TRIES = 6 };

KTEST(sched, equals_share_equally)
{
	static struct burner b[3];
	bool fair = false;

	for (u32 try = 0; try < TRIES && !fair; try++) {
		memset(b, 0, sizeof(b));
		EXPECT(burn_together(b, 3, 150 * NSEC_PER_MSEC));
		fair = true;
		for (u32 i = 1; i < 3; i++)
			fair = fair && b[i].ran > b[0].ran / 2 && b[i].ran < b[0].ran * 2;
	}
	EXPECT(fair);
}

KTEST(sched, nice_weighs)
{
	static struct burner b[2];
	bool fair = false;

	for (u32 try = 0; try < TRIES && !fair; try++) {
		memset(b, 0, sizeof(b));
		b[1].nice = 10;			/* a weight of 110 to 1024 */
		EXPECT(burn_together(b, 2, 250 * NSEC_PER_MSEC));
		fair = b[1].ran > 0 && b[0].ran > b[1].ran * 4 && b[0].ran < b[1].ran * 25 &&
		       b[0].virtual < b[1].virtual * 3 && b[1].virtual < b[0].virtual * 3;	/* virtual time is what is equal */
	}
	EXPECT(fair);
}

KTEST(sched, virtual_time_is_time_by_weight)
{
	static struct burner b[1];

	memset(b, 0, sizeof(b));
	b[0].nice = -5;			/* 3125 */
	EXPECT(burn_together(b, 1, 50 * NSEC_PER_MSEC));
	EXPECT(b[0].virtual > b[0].ran * 1024 / 3125 - NSEC_PER_MSEC && b[0].virtual < b[0].ran * 1024 / 3125 + NSEC_PER_MSEC);
}

/* One that slept long comes back soon, but has not saved up its absence. */
static u32 wake_noted;
static void note_wake(void *arg) { (void)arg; atomic_store(&wake_noted, 1u); }

KTEST(sched, sleeper_is_served_soon_and_hoards_nothing)
{
	static struct burner b;
	struct runner r;
	struct rq *rq = this_rq();
	u64 saved, start;
	bool ok;

	memset(&b, 0, sizeof(b));
	wake_noted = 0;
	ok = runner_create(&r, note_wake, NULL) && runner_sleeps(&r);
	stop_burning = 0;
	ok = runner_create(&b.r, burn, &b) && runner_sleeps(&b.r) && ok;
	self_fifo(90);
	start = b.r.task->se.sum_exec;
	runner_go(&b.r);
	while (READ_ONCE(b.r.task->se.sum_exec) - start < 60 * NSEC_PER_MSEC)
		sleep_ns(5 * NSEC_PER_MSEC);
	runner_go(&r);
	saved = rq->min_vruntime - r.task->se.vruntime;
	runner_join(&r);
	atomic_store(&stop_burning, 1u);
	runner_join(&b.r);
	self_fair();
	EXPECT(ok && atomic_load(&wake_noted));
	EXPECT((s64)saved <= (s64)SLICE_NS);
}

/* One that slept is woken by current, whose turn began at that moment: is current to give way at once?  -1: that was not to be found out. */
static int gives_way(u64 turn_since)
{
	irqflags_t flags;
	struct runner r;
	bool ok, way;

	wake_noted = 0;
	ok = runner_create(&r, note_wake, NULL) && runner_sleeps(&r);
	sched_set_affinity(current, 1);
	sched_set_policy(r.task, SCHED_NORMAL, 0, -20);		/* its deadline is before whatever current's may be */
	delay_ns(20 * NSEC_PER_MSEC);
	flags = arch_irq_save();
	this_rq()->turn_since = turn_since;
	runner_go(&r);
	way = READ_ONCE(current_head()->flags) & TIF_NEED_RESCHED;
	arch_irq_restore(flags);
	runner_join(&r);
	self_fair();
	return ok && atomic_load(&wake_noted) ? way : -1;
}

/* It may have to give way to another, whom another CPU has woken. */
static bool goes_on(u64 turn_since)
{
	for (u32 tries = 0; tries < 5; tries++)
		if (!gives_way(turn_since))
			return true;
	return false;
}

KTEST(sched, a_turn_that_has_just_begun_goes_on)
{
	EXPECT_EQ(gives_way(clock_mono_ns() - NSEC_PER_SEC), 1);
	EXPECT(goes_on(clock_mono_ns() + 1000 * NSEC_PER_SEC));
	sched_set_policy(current, SCHED_IDLE, 0, 0);
	EXPECT_EQ(gives_way(clock_mono_ns() + 1000 * NSEC_PER_SEC), 1);
}

static void no_check(struct timer *t) { (void)t; }

static s64 watched_for(struct process *p, u64 limit_ns, u64 ran_ns)
{
	struct timer watch;
	u64 now = clock_mono_ns();

	timer_init(&watch, no_check);
	p->watch_limit_ns = limit_ns;
	p->watch_ran_ns = ran_ns;
	cpu_watch_arm(&watch, p, now);
	timer_cancel_sync(&watch);
	return (s64)(watch.expires_ns - now);
}

/* However short the turns are that a process has run in: when they make up its limit, or a step, it is looked at, at once. */
KTEST(sched, a_limit_is_looked_at_after_so_much_run_time)
{
	static struct process p;

	p.nr_threads = 1;
	EXPECT_EQ(watched_for(&p, NSEC_PER_SEC, 0), (s64)NSEC_PER_SEC);
	EXPECT_EQ(watched_for(&p, NSEC_PER_SEC, 900 * NSEC_PER_MSEC), (s64)(100 * NSEC_PER_MSEC));
	EXPECT_EQ(watched_for(&p, NSEC_PER_SEC, NSEC_PER_SEC), 0);
	EXPECT_EQ(watched_for(&p, 0, 0), (s64)(500 * NSEC_PER_USEC));
	EXPECT_EQ(watched_for(&p, 0, 499 * NSEC_PER_USEC), (s64)NSEC_PER_USEC);
	EXPECT_EQ(watched_for(&p, 0, NSEC_PER_SEC), 0);
}

/* The slice timer is armed only while somebody waits. */
KTEST(sched, alone_there_is_no_slice)
{
	struct rq *rq = this_rq();
	u64 switches;

	sched_set_affinity(current, 1);
	while (rq->slice.armed)		/* one from before fires and is not armed again */
		cpu_relax();
	switches = rq->nr_switches;
	delay_ns(10 * NSEC_PER_MSEC);
	preempt_disable();
	bool armed = rq->slice.armed && rq->nr_switches == switches;

	preempt_enable();
	self_fair();
	EXPECT(!armed);
}

/* A device that interrupts just as the idle task runs again, over and over: the frames of those interrupts must not pile up on its stack.
 * The timer is set a little ahead of the sleep, by rising amounts, so that some fire while the CPU goes over to the idle task; those
 * set far ahead interrupt its sleep, and tell how deep one alone is. */
#define FAR_NS 500000u
static struct { struct timer timer; struct task *task; u64 ahead_ns, deepest, alone; } storm;

static void storm_fired(struct timer *t)
{
	u64 deep = (u64)current->stack + KERNEL_STACK_SIZE - (u64)__builtin_frame_address(0);

	(void)t;
	if (current == sched_idle_task(smp_cpu_id())) {
		storm.deepest = max(storm.deepest, deep);
		if (storm.ahead_ns == FAR_NS)
			storm.alone = max(storm.alone, deep);
	}
	task_wake_normal(storm.task);
}

static void storm_sleeper(void *arg)
{
	(void)arg;
	storm.task = current;
	timer_init(&storm.timer, storm_fired);
	for (u64 i = 0; i < 20000; i++) {
		storm.ahead_ns = i < 10 ? FAR_NS : i % 200 * 50;
		set_current_state(TASK_UNINTERRUPTIBLE);
		timer_arm(&storm.timer, clock_mono_ns() + storm.ahead_ns);
		schedule();
		timer_cancel_sync(&storm.timer);
	}
}

KTEST(sched, interrupts_do_not_pile_up_on_idle)
{
	struct runner r;

	if (nr_cpus < 2)
		return;		/* CPU 0's idle task has the boot's stack */
	storm.deepest = storm.alone = 0;
	EXPECT(runner_create(&r, storm_sleeper, NULL));
	sched_set_affinity(r.task, BIT(1));
	runner_go(&r);
	runner_join(&r);
	EXPECT(storm.alone > 0 && storm.deepest >= storm.alone);
	if (storm.deepest >= storm.alone + sizeof(struct trap_frame))	/* into schedule() and a bit, but not into another interrupt */
		ktest_note("deepest", (s64)storm.deepest, (s64)storm.alone);
	EXPECT(storm.deepest < storm.alone + sizeof(struct trap_frame));
}
