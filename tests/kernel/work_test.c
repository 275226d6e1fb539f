/* Workers: a work that sleeps holds up nobody, one never runs twice at once, cancelling and flushing, how many workers there are. */
#include <kernel/irq/irq.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/rcu.h>
#include <kernel/time/time.h>
#include <tests/kernel/runner.h>

/* A work that counts, and waits until it is let go. */
struct sleeper {
	struct work work;
	struct completion *go;		/* NULL: it does not wait */
	u32 begun, ended;		/* [a] */
	u32 inside, twice;		/* [a] how many are in it now; how often that was more than one */
};

static void sleeper_run(struct work *w)
{
	struct sleeper *s = container_of(w, struct sleeper, work);

	if (atomic_add_return(&s->inside, 1u) != 1)
		atomic_inc(&s->twice);
	atomic_inc(&s->begun);
	if (s->go)
		wait_for_completion(s->go);
	atomic_inc(&s->ended);
	atomic_sub_return_acq_rel(&s->inside, 1u);
}

static void sleeper_init(struct sleeper *s, enum work_kind kind, struct completion *go)
{
	*s = (struct sleeper){ .go = go };
	work_init_as(&s->work, kind, sleeper_run);
}

/* Bounded: false if it does not become so. */
#define SOON(cond) ({ \
	bool __is = false; \
	for (u32 __i = 0; __i < 20000 && !(__is = (cond)); __i++) \
		sleep_ns(NSEC_PER_MSEC / 2); \
	__is; })

static u32 nr_workers(void)
{
	struct task *t;
	u32 n = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &kernel_threads, all_link)
		n += !strcmp(t->comm, "worker");
	rcu_read_unlock();
	return n;
}

KTEST(work, sleeping_holds_up_nobody)
{
	static struct completion go[3];
	static struct sleeper asleep[3], next[WORK_KINDS];

	for (u32 kind = 0; kind < 3; kind++) {	/* brief ones do not sleep */
		completion_init(&go[kind]);
		sleeper_init(&asleep[kind], kind, &go[kind]);
		work_queue(&asleep[kind].work);
		EXPECT(SOON(atomic_load(&asleep[kind].begun)));
		for (u32 i = 0; i < WORK_KINDS; i++) {
			sleeper_init(&next[i], i, NULL);
			work_queue(&next[i].work);
		}
		for (u32 i = 0; i < WORK_KINDS; i++)
			EXPECT(SOON(atomic_load(&next[i].ended)));
		EXPECT(!atomic_load(&asleep[kind].ended));
	}
	for (u32 kind = 0; kind < 3; kind++)
		complete(&go[kind]);
	work_flush();
	EXPECT(asleep[0].ended == 1 && asleep[1].ended == 1 && asleep[2].ended == 1);
}

static struct completion first_go, second_done;
static void waits_for_next(struct work *w) { (void)w; wait_for_completion(&second_done); complete(&first_go); }
static void ends_the_wait(struct work *w) { (void)w; complete(&second_done); }

/* What was a deadlock with one worker. */
KTEST(work, may_wait_for_one_behind_it)
{
	static struct work first, second;

	completion_init(&first_go);
	completion_init(&second_done);
	work_init(&first, waits_for_next);
	work_init(&second, ends_the_wait);
	work_queue(&first);
	work_queue(&second);
	wait_for_completion(&first_go);
	work_flush();
}

#define CROWD (MANY_MAX + END_MAX)

static u32 count_begun(const struct sleeper *crowd, u32 n)
{
	u32 begun = 0;

	for (u32 i = 0; i < n; i++)
		begun += atomic_load(&crowd[i].begun);
	return begun;
}

/* The last kind leaves room for the others, it and the one before for the first. */
KTEST(work, each_kind_leaves_room)
{
	static struct completion go;
	static struct sleeper crowd[CROWD], few, brief;
	u32 begun[3];

	completion_init(&go);
	sleeper_init(&few, WORK_FEW, NULL);
	sleeper_init(&brief, WORK_BRIEF, NULL);
	for (u32 i = 0; i < CROWD; i++)
		sleeper_init(&crowd[i], i < END_MAX ? WORK_MANY : WORK_END, &go);
	for (u32 i = 0; i < END_MAX; i++)
		work_queue(&crowd[i].work);
	(void)SOON(atomic_load(&crowd[MANY_MAX - 1].begun));	/* in order */
	work_queue(&few.work);
	EXPECT(SOON(atomic_load(&few.ended)));
	begun[0] = count_begun(crowd, CROWD);
	for (u32 i = END_MAX; i < CROWD; i++)
		work_queue(&crowd[i].work);
	(void)SOON(count_begun(crowd, CROWD) >= END_MAX);
	work_queue(&few.work);
	work_queue(&brief.work);
	EXPECT(SOON(atomic_load(&few.ended) == 2 && atomic_load(&brief.ended)));
	begun[1] = count_begun(crowd, CROWD);
	begun[2] = count_begun(crowd, END_MAX);
	EXPECT(nr_workers() <= END_MAX + 2);
	for (u32 i = 0; i < CROWD; i++)
		complete(&go);
	work_flush();
	EXPECT(begun[0] == MANY_MAX && begun[1] == END_MAX && begun[2] == MANY_MAX);
	EXPECT_EQ(count_begun(crowd, CROWD), CROWD);
	EXPECT(SOON(nr_workers() == 1));	/* the others went */
}

KTEST(work, again_while_it_runs)
{
	static struct completion go;
	static struct sleeper s;
	bool fresh, stale;

	for (u32 kind = 0; kind < WORK_KINDS; kind++) {
		completion_init(&go);
		sleeper_init(&s, kind, &go);
		work_queue(&s.work);
		EXPECT(SOON(atomic_load(&s.begun)));
		fresh = work_queue(&s.work);
		stale = work_queue(&s.work);
		complete(&go);
		complete(&go);
		work_flush();
		EXPECT(fresh && !stale && !s.twice && s.ended == 2);
	}
}

static struct sleeper racer;
static void queue_often(void *arg)
{
	for (u32 i = 0; i < 2000; i++) {
		work_queue(&racer.work);
		if (arg && i % 3 == 0)
			(void)work_cancel(&racer.work);
		if (i % 7 == 0)
			sched_yield_current();
	}
}

static void racer_run(struct work *w)
{
	struct sleeper *s = container_of(w, struct sleeper, work);

	s->go = NULL;
	sleeper_run(w);
	if (s->begun % 16 == 0)
		sleep_ns(1000);
}

/* From several CPUs, by several kinds, cancelled amid it. */
KTEST(work, never_twice_at_once)
{
	static struct runner r[4];
	u32 made = 0;

	for (u32 kind = 0; kind < WORK_KINDS; kind++) {
		sleeper_init(&racer, kind, NULL);
		racer.work.fn = racer_run;
		for (made = 0; made < 4 && runner_create(&r[made], queue_often, made == 3 ? &racer : NULL); made++)
			(void)sched_set_affinity(r[made].task, ~0ull);
		for (u32 i = 0; i < made; i++)
			runner_go(&r[i]);
		for (u32 i = 0; i < made; i++)
			runner_join(&r[i]);
		(void)work_queue(&racer.work);
		work_flush();
		EXPECT(!racer.twice && racer.ended && racer.ended == racer.begun);
		EXPECT(!work_cancel(&racer.work));
	}
	EXPECT_EQ(made, 4);
}

static struct sleeper to_cancel;
static u32 cancelled, was_queued;
static void cancel_it(void *arg) { (void)arg; was_queued += work_cancel(&to_cancel.work); atomic_inc(&cancelled); }
static void cancel_in_work(struct work *w) { (void)w; cancel_it(NULL); }

KTEST(work, cancelling_waits_for_the_running)
{
	static struct completion go;
	static struct work other;
	static struct runner r;
	bool waits, still;

	cancelled = was_queued = 0;
	completion_init(&go);
	sleeper_init(&to_cancel, WORK_FEW, &go);
	work_queue(&to_cancel.work);
	EXPECT(SOON(atomic_load(&to_cancel.begun)));
	work_queue(&to_cancel.work);			/* again: that will not be */
	EXPECT(runner_start(&r, cancel_it, NULL));
	waits = runner_sleeps(&r);
	still = !atomic_load(&cancelled);
	work_init(&other, cancel_in_work);		/* and in another's work */
	work_queue(&other);
	complete(&go);
	runner_join(&r);
	work_flush();
	EXPECT(waits && still && cancelled == 2 && was_queued == 1);
	EXPECT(to_cancel.ended == 1 && !to_cancel.work.queued);
}

KTEST(work, cancelled_before_it_began)
{
	static struct completion go;
	static struct sleeper stopper, s;
	bool was, again;

	completion_init(&go);
	sleeper_init(&stopper, WORK_BRIEF, &go);	/* which keeps the first worker */
	sleeper_init(&s, WORK_BRIEF, NULL);
	work_queue(&stopper.work);
	work_queue(&s.work);
	was = work_cancel(&s.work);
	again = work_cancel(&s.work);
	complete(&go);
	work_flush();
	EXPECT(was && !again && !s.begun);
	EXPECT(work_queue(&s.work));
	work_flush();
	EXPECT_EQ(s.ended, 1);
}

static u32 flushed;
static void flush(void *arg) { (void)arg; work_flush(); atomic_inc(&flushed); }

/* It waits for what was queued before it, not for what comes after. */
KTEST(work, flushing_is_a_line_in_time)
{
	static struct completion before_go, after_go;
	static struct sleeper before, after;
	static struct runner r[2];
	bool waits, still, done;

	flushed = 0;
	completion_init(&before_go);
	completion_init(&after_go);
	sleeper_init(&before, WORK_FEW, &before_go);
	sleeper_init(&after, WORK_MANY, &after_go);
	work_queue(&before.work);
	EXPECT(runner_start(&r[0], flush, NULL));
	waits = runner_sleeps(&r[0]);
	work_queue(&after.work);
	EXPECT(SOON(atomic_load(&after.begun)));
	EXPECT(runner_start(&r[1], flush, NULL));
	waits &= runner_sleeps(&r[1]);
	still = !atomic_load(&flushed);
	complete(&before_go);
	done = SOON(atomic_load(&flushed) == 1);
	runner_join(&r[0]);
	done &= !atomic_load(&after.ended);
	complete(&after_go);
	runner_join(&r[1]);
	EXPECT(waits && still && done && flushed == 2);
}

static u32 order[8], nr_order;
struct ordered { struct work work; u32 number; };
static void note_order(struct work *w) { order[nr_order++] = container_of(w, struct ordered, work)->number; }

KTEST(work, brief_ones_keep_their_order)
{
	static struct completion go;
	static struct sleeper stopper;
	static struct ordered o[8];
	bool right = true;

	nr_order = 0;
	completion_init(&go);
	sleeper_init(&stopper, WORK_BRIEF, &go);
	work_queue(&stopper.work);
	for (u32 i = 0; i < 8; i++) {
		work_init_as(&o[i].work, WORK_BRIEF, note_order);
		o[i].number = i;
		work_queue(&o[i].work);
	}
	complete(&go);
	work_flush();
	for (u32 i = 0; i < 8; i++)
		right &= order[i] == i;
	EXPECT(right && nr_order == 8);
}

#ifdef CONFIG_DEBUG
static struct task *first_worker(void)
{
	struct task *t, *found = NULL;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &kernel_threads, all_link)
		if (!strcmp(t->comm, "kworker"))
			found = t;
	rcu_read_unlock();
	return found;		/* which never ends */
}

/* The n-th allocation fails of those that a new worker takes: it is made later. */
KTEST(work, no_memory_for_a_worker)
{
	static struct completion go[2];
	static struct sleeper asleep[2];
	struct task *first = first_worker();

	for (u32 n = 1; n <= 3; n++) {
		for (u32 i = 0; i < 2; i++) {
			completion_init(&go[i]);
			sleeper_init(&asleep[i], WORK_FEW, &go[i]);
		}
		work_queue(&asleep[0].work);
		EXPECT(SOON(atomic_load(&asleep[0].begun)));	/* takes the idle one */
		WRITE_ONCE(first->fail_nth, n);
		work_queue(&asleep[1].work);
		EXPECT(SOON(atomic_load(&asleep[1].begun)));
		WRITE_ONCE(first->fail_nth, 0);
		first->fail_fired = false;
		complete(&go[0]);
		complete(&go[1]);
		work_flush();
		EXPECT(asleep[0].ended == 1 && asleep[1].ended == 1);
	}
}
#endif
