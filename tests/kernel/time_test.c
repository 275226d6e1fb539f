/* Timers, sleeping, work queues, RCU, kernel threads. */
#include <kernel/irq/irq.h>
#include <kernel/ktest.h>
#include <kernel/random/random.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/rcu.h>
#include <kernel/time/clock.h>
#include <kernel/time/time.h>
#include <mm/page.h>
#include <tests/kernel/runner.h>

/* --- timers --------------------------------------------------------------------------------------------------------------------- */
#define NR_TIMERS 40
static struct timer timers[NR_TIMERS];
static u32 nr_fired, early, wrong_context, out_of_order;
static u64 last_expiry;
static DEFINE_WAIT_QUEUE(fired_wq);

static void note_fired(struct timer *t)
{
	early += clock_mono_ns() < t->expires_ns;
	wrong_context += !in_irq() || !arch_irqs_disabled();
	out_of_order += t->expires_ns < last_expiry;
	last_expiry = t->expires_ns;
	atomic_inc(&nr_fired);
	wake_up(&fired_wq);
}

static void timers_reset(void)
{
	nr_fired = early = wrong_context = out_of_order = 0;
	last_expiry = 0;
	for (u32 i = 0; i < NR_TIMERS; i++)
		timer_init(&timers[i], note_fired);
}

KTEST(timer, fire_in_order_and_not_early)
{
	u64 now;
	irqflags_t flags;

	timers_reset();
	flags = arch_irq_save();
	now = clock_mono_ns();
	for (u32 i = 0; i < NR_TIMERS; i++)
		timer_arm(&timers[i], now + random_u64() % (4 * NSEC_PER_MSEC));
	arch_irq_restore(flags);
	wait_event(&fired_wq, atomic_load(&nr_fired) == NR_TIMERS);
	EXPECT(!early && !wrong_context && !out_of_order);
	for (u32 i = 0; i < NR_TIMERS; i++)
		EXPECT(!timers[i].armed);
}

KTEST(timer, cancelled_ones_stay_silent)
{
	u64 now;
	u32 was = 0;

	timers_reset();
	now = clock_mono_ns();
	for (u32 i = 0; i < NR_TIMERS; i++)
		timer_arm(&timers[i], now + (i + 1) * 100 * NSEC_PER_USEC + NSEC_PER_SEC * (i % 2));
	for (u32 i = 1; i < NR_TIMERS; i += 2)
		was += timer_cancel(&timers[i]);
	EXPECT_EQ(was, NR_TIMERS / 2);
	EXPECT(!timer_cancel(&timers[1]) && !timer_cancel_sync(&timers[1]));
	wait_event(&fired_wq, atomic_load(&nr_fired) == NR_TIMERS / 2);
	EXPECT(!early && !out_of_order);
	EXPECT(!timer_cancel(&timers[0]));	/* has fired */
}

KTEST(timer, arming_again_moves_it)
{
	u64 now = clock_mono_ns();

	timers_reset();
	timer_arm(&timers[0], now + 1000 * NSEC_PER_SEC);
	timer_arm(&timers[0], now + NSEC_PER_MSEC);		/* sooner than all others: the comparator must be set anew */
	wait_event(&fired_wq, atomic_load(&nr_fired) == 1);
	timer_arm(&timers[0], now);				/* in the past: at once */
	wait_event(&fired_wq, atomic_load(&nr_fired) == 2);
	timer_arm(&timers[0], now + 1000 * NSEC_PER_SEC);
	EXPECT(timer_cancel(&timers[0]));
	EXPECT_EQ(nr_fired, 2);
}

static void arm_again(struct timer *t)
{
	if (atomic_add_return(&nr_fired, 1) < 50)
		timer_arm(t, t->expires_ns + 10 * NSEC_PER_USEC);
	else
		wake_up(&fired_wq);
}

KTEST(timer, handler_may_arm_its_own)
{
	timers_reset();
	timer_init(&timers[0], arm_again);
	timer_arm(&timers[0], clock_mono_ns());
	wait_event(&fired_wq, atomic_load(&nr_fired) == 50);
	EXPECT(!timer_cancel_sync(&timers[0]));
}

static void arm_the_past_once(struct timer *t)
{
	if (atomic_add_return(&nr_fired, 1) == 1)
		timer_arm(t, 1);
}

/* What a handler arms and the same interrupt fires leaves nothing armed: the next timer must set the comparator. */
KTEST(timer, after_one_armed_and_fired_in_one_interrupt)
{
	timers_reset();
	timer_init(&timers[0], arm_the_past_once);
	timer_arm(&timers[0], clock_mono_ns());
	sleep_ns(NSEC_PER_MSEC);
	sleep_ns(NSEC_PER_MSEC);
	EXPECT_EQ(nr_fired, 2);
}

KTEST(timer, sleep_is_never_short)
{
	for (u64 ns = 1; ns < 3 * NSEC_PER_MSEC; ns = ns * 5 + 1) {
		u64 start = clock_mono_ns();

		sleep_ns(ns);
		EXPECT(clock_mono_ns() - start >= ns);
	}
}

KTEST(timer, clock_does_not_go_back)
{
	u64 last = clock_mono_ns();

	for (u32 i = 0; i < 10000; i++) {
		u64 now = clock_mono_ns();

		EXPECT(now >= last);
		last = now;
	}
	for (u32 i = 0; i < 64; i++) {		/* what the comparator gets is that time, give or take a tick */
		u64 ns = last + random_u64() % (1000 * NSEC_PER_SEC), c = clock_ns_to_counter(ns);

		EXPECT(clock_counter_to_ns(c + 1) >= ns && clock_counter_to_ns(c - 2) < ns);
	}
}

/* --- work queues ------------------------------------------------------------------------------------------------------------------ */
struct counted_work { struct work work; u32 runs, bad; u32 again; };

static void count_run(struct work *w)
{
	struct counted_work *cw = container_of(w, struct counted_work, work);

	cw->bad += in_atomic() || arch_irqs_disabled() || current->mm != NULL;
	sched_yield_current();			/* work may sleep */
	atomic_inc(&cw->runs);
	if (cw->again && --cw->again)
		work_queue(w);
}

KTEST(work, runs_in_a_thread)
{
	static struct counted_work w[10];
	u32 fresh = 0;

	for (u32 i = 0; i < 10; i++) {
		w[i] = (struct counted_work){ .runs = 0 };
		work_init(&w[i].work, count_run);
		fresh += work_queue(&w[i].work);
	}
	work_flush();
	EXPECT_EQ(fresh, 10);
	for (u32 i = 0; i < 10; i++)
		EXPECT(w[i].runs == 1 && !w[i].bad);
}

KTEST(work, queued_twice_runs_once)
{
	static struct counted_work w;
	bool first, second;

	w = (struct counted_work){ .runs = 0 };
	work_init(&w.work, count_run);
	preempt_disable();			/* the worker cannot come in between */
	first = work_queue(&w.work);
	second = work_queue(&w.work);
	preempt_enable();
	work_flush();
	EXPECT(first && !second && w.runs == 1);
	EXPECT(work_queue(&w.work));
	work_flush();
	EXPECT_EQ(w.runs, 2);
}

KTEST(work, may_queue_itself)
{
	static struct counted_work w;

	w = (struct counted_work){ .again = 20 };
	work_init(&w.work, count_run);
	work_queue(&w.work);
	for (u32 i = 0; i < 25; i++)
		work_flush();
	EXPECT(w.runs == 20 && !w.bad);
}

static struct counted_work irq_work;
static void queue_from_irq(struct timer *t) { (void)t; work_queue(&irq_work.work); }

KTEST(work, from_an_interrupt)
{
	struct timer t;

	irq_work = (struct counted_work){ .runs = 0 };
	work_init(&irq_work.work, count_run);
	timer_init(&t, queue_from_irq);
	timer_arm(&t, clock_mono_ns());
	for (u32 i = 0; i < 1000 && !atomic_load(&irq_work.runs); i++)
		sleep_ns(NSEC_PER_MSEC);
	timer_cancel_sync(&t);
	EXPECT(irq_work.runs == 1 && !irq_work.bad);
}

/* --- RCU ---------------------------------------------------------------------------------------------------------------------------- */
struct rcu_thing { struct rcu_head rcu; u32 number; };
static struct rcu_thing things[600];
static u32 rcu_runs, rcu_disorder, rcu_bad;

static void rcu_ran(struct rcu_head *h)
{
	struct rcu_thing *t = container_of(h, struct rcu_thing, rcu);

	rcu_disorder += t->number != rcu_runs;
	rcu_bad += in_atomic();
	atomic_inc(&rcu_runs);
}

static void rcu_reset(void)
{
	rcu_barrier();
	rcu_runs = rcu_disorder = rcu_bad = 0;
	for (u32 i = 0; i < ARRAY_SIZE(things); i++)
		things[i].number = i;
}

KTEST(rcu, barrier_waits_for_all_callbacks)
{
	rcu_reset();
	for (u32 i = 0; i < ARRAY_SIZE(things); i++)
		call_rcu(&things[i].rcu, rcu_ran);
	rcu_barrier();
	EXPECT_EQ(rcu_runs, ARRAY_SIZE(things));
	EXPECT(!rcu_disorder && !rcu_bad);
}

KTEST(rcu, no_callback_while_a_reader_is_inside)
{
	u32 during;

	rcu_reset();
	rcu_read_lock();
	for (u32 i = 0; i < 300; i++)		/* more than a batch: the thread is woken, but not let in */
		call_rcu(&things[i].rcu, rcu_ran);
	delay_ns(20 * NSEC_PER_MSEC);
	during = atomic_load(&rcu_runs);
	rcu_read_unlock();
	rcu_barrier();
	EXPECT_EQ(during, 0);
	EXPECT_EQ(rcu_runs, 300);
}

KTEST(rcu, callbacks_come_without_anybody_waiting)
{
	rcu_reset();
	call_rcu(&things[0].rcu, rcu_ran);
	for (u32 i = 0; i < 1000 && !atomic_load(&rcu_runs); i++)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT_EQ(rcu_runs, 1);
}

static u64 *shared;
static u32 stop_reading, reader_saw_bad;
static void rcu_reader(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop_reading)) {
		rcu_read_lock();
		reader_saw_bad += *rcu_dereference(shared) != 42;
		rcu_read_unlock();
		sched_yield_current();
	}
}

KTEST(rcu, synchronize_then_free)
{
	static u64 slots[2] = { 42, 42 };
	struct runner r;

	shared = &slots[0];
	stop_reading = reader_saw_bad = 0;
	EXPECT(runner_start(&r, rcu_reader, NULL));
	for (u32 i = 0; i < 50; i++) {
		u64 *old = shared, *new = old == &slots[0] ? &slots[1] : &slots[0];

		*new = 42;
		rcu_assign_pointer(shared, new);
		synchronize_rcu();
		*old = 0;		/* nobody can see it any more */
		sched_yield_current();
	}
	atomic_store(&stop_reading, 1u);
	runner_join(&r);
	EXPECT_EQ(reader_saw_bad, 0);
}

static u32 hog_runs, hog_stop;
static void hog(void *arg)
{
	(void)arg;
	while (!atomic_load(&hog_stop))
		atomic_store(&hog_runs, 1u);
	kthread_exit();
}

/* Nobody else is there to be switched to, so that the CPU only passes through the scheduler. */
KTEST(rcu, a_lone_hog_holds_nothing_up)
{
	struct task *t;

	if (nr_cpus < 2)
		return;
	hog_runs = hog_stop = 0;
	t = kthread_create(hog, NULL, "hog");
	EXPECT(t);
	task_get(t);
	sched_set_affinity(t, BIT(1));
	for (u32 i = 0; i < 1000 && !(atomic_load(&hog_runs) && atomic_load(&t->se.cpu) == 1); i++)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT(atomic_load(&hog_runs));
	synchronize_rcu();
	atomic_store(&hog_stop, 1u);
	while (READ_ONCE(t->state) != TASK_DEAD)
		sleep_ns(NSEC_PER_MSEC);
	task_put(t);
}

/* --- kernel threads ----------------------------------------------------------------------------------------------------------------- */
static void add_one(void *arg) { atomic_inc((u32 *)arg); }

KTEST(kthread, come_and_go)
{
	struct runner r[8];
	u32 sum = 0;
	bool ok = true;

	for (u32 round = 0; round < 25; round++) {
		for (u32 i = 0; i < 8; i++)
			ok = runner_start(&r[i], add_one, &sum) && ok;
		for (u32 i = 0; i < 8; i++)
			runner_join(&r[i]);
	}
	EXPECT(ok);
	EXPECT_EQ(sum, 200);
}

KTEST(kthread, is_one)
{
	struct runner r;
	bool listed = false, is, after = false;
	struct task *t;

	EXPECT(runner_create(&r, add_one, &nr_fired));
	is = (r.task->pflags & PF_KTHREAD) && !r.task->mm && !r.task->tid;
	rcu_read_lock();
	list_for_each_entry(t, &kernel_threads, all_link)
		listed = listed || t == r.task;
	rcu_read_unlock();
	task_get(r.task);
	runner_go(&r);
	t = r.task;
	runner_join(&r);
	for (u32 i = 0; i < 1000 && READ_ONCE(t->state) != TASK_DEAD; i++)
		sleep_ns(NSEC_PER_MSEC);
	rcu_read_lock();
	list_for_each_entry(t, &kernel_threads, all_link)
		after = after || t == r.task;
	rcu_read_unlock();
	task_put(r.task);
	EXPECT(is && listed && !after);
}
