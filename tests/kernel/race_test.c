/* The data-race detector: it must see two threads on two CPUs that race, and must not see those that keep the rules.
 *
 * Each test lets a pair of loops run against each other.  Those that must not be reported run a fixed number of rounds; those that must
 * be run until they are, or a hundred times as many rounds. */
#ifdef CONFIG_RACE
#include <arch/cpu.h>
#include <kernel/debug/race.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/seqcount.h>
#include <mm/slab.h>
#include <tests/kernel/runner.h>

#define ROUNDS 100000u

struct box { struct rcu_head rcu; u64 a, b; };

static u64 shared;			/* what the threads fight for */
static u64 sink;
static struct box *box;			/* [R] */
static DEFINE_SPINLOCK(lock, LC_INODE_SPIN);
static struct seqcount seq;
static u32 enough;		/* not 0: a pair goes on until so many were found */

static bool more(u32 round)
{
	return enough ? race_found() < enough && round < 100 * ROUNDS : round < ROUNDS;
}

/* run_pair - two and one against each other, on CPUs 1 and 0.  False: no memory. */
static bool run_pair(void (*one)(void *), void (*two)(void *))
{
	struct runner r;

	sched_set_affinity(current, BIT(0));
	if (!runner_create(&r, two, NULL))
		return false;
	sched_set_affinity(r.task, BIT(1));
	runner_go(&r);
	one(NULL);
	runner_join(&r);
	sched_set_affinity(current, ~0ull);
	return true;
}

/* races - is the pair reported?  quiet: not printed. */
static bool races(void (*one)(void *), void (*two)(void *))
{
	u32 before = race_found();
	bool ran;

	race_quiet(true);
	enough = before + 1;
	ran = run_pair(one, two);
	enough = 0;
	race_quiet(false);
	return ran && race_found() > before;
}

static bool keeps_the_rules(void (*one)(void *), void (*two)(void *))
{
	u32 before = race_found();

	return run_pair(one, two) && race_found() == before;
}

static __noinline void store_plain(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++) {
		shared = i;
		barrier();
	}
}

static __noinline void load_plain(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++) {
		WRITE_ONCE(sink, shared);
		barrier();
	}
}

static __noinline void store_marked(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++)
		WRITE_ONCE(shared, (u64)i);
}

static __noinline void load_marked(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++)
		(void)READ_ONCE(shared);
}

static __noinline void add_atomic(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++)
		atomic_inc(&shared);
}

static __noinline void add_locked(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++) {
		spin_lock(&lock);
		shared++;
		spin_unlock(&lock);
	}
}

static __noinline void load_intended(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++)
		WRITE_ONCE(sink, data_race(shared));
}

static __noinline void write_twice(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++) {
		seq_write_begin(&seq);
		shared = i;
		seq_write_end(&seq);
	}
}

static __noinline void read_again(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++) {
		u32 start;

		do {
			start = seq_read_begin(&seq);
			WRITE_ONCE(sink, READ_ONCE(shared));
		} while (seq_read_retry(&seq, start));
	}
}

static __noinline void assert_writer(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++)
		ASSERT_EXCLUSIVE_WRITER(shared);
}

static __noinline void assert_access(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++)
		ASSERT_EXCLUSIVE_ACCESS(shared);
}

static __noinline void copy_over(void *arg)
{
	static const u64 from = 1;

	(void)arg;
	for (u32 i = 0; more(i); i++)
		memcpy(&shared, &from, sizeof(from));
}

static void free_box(struct rcu_head *head) { kfree(container_of(head, struct box, rcu)); }

static __noinline void publish(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i += 50) {
		struct box *new = kmalloc(sizeof(*new), GFP_KERNEL), *old = box;

		if (!new)
			continue;
		new->a = i;
		new->b = ~(u64)i;
		rcu_assign_pointer(box, new);
		if (old)
			call_rcu(&old->rcu, free_box);
	}
}

static __noinline void look_up(void *arg)
{
	(void)arg;
	for (u32 i = 0; more(i); i++) {
		struct box *b;

		rcu_read_lock();
		b = rcu_dereference(box);
		if (b && b->a != ~b->b)
			WRITE_ONCE(sink, ~0ul);
		rcu_read_unlock();
	}
}

KTEST(race, plain_writes) { EXPECT(races(store_plain, store_plain)); }
KTEST(race, plain_read_of_plain_write) { EXPECT(races(load_plain, store_plain)); }
KTEST(race, plain_read_of_marked_write) { EXPECT(races(load_plain, store_marked)); }
KTEST(race, plain_and_atomic) { EXPECT(races(store_plain, add_atomic)); }
KTEST(race, locked_and_not) { EXPECT(races(add_locked, store_plain)); }
KTEST(race, copy) { EXPECT(races(copy_over, load_plain)); }
KTEST(race, exclusive_writer) { EXPECT(races(assert_writer, store_marked)); }
KTEST(race, exclusive_access) { EXPECT(races(assert_access, load_marked)); }

KTEST(race, plain_reads_are_none) { EXPECT(keeps_the_rules(load_plain, load_plain)); }
KTEST(race, marked_is_none) { EXPECT(keeps_the_rules(load_marked, store_marked)); }
KTEST(race, atomic_is_none) { EXPECT(keeps_the_rules(add_atomic, add_atomic)); }
KTEST(race, locked_is_none) { EXPECT(keeps_the_rules(add_locked, add_locked)); }
KTEST(race, intended_is_none) { EXPECT(keeps_the_rules(load_intended, store_marked)); }
KTEST(race, peek_at_locked_word_is_none) { EXPECT(keeps_the_rules(load_marked, add_locked)); }
KTEST(race, counted_sequence_is_none) { EXPECT(keeps_the_rules(read_again, write_twice)); }
KTEST(race, exclusive_writer_alone_is_none) { EXPECT(keeps_the_rules(assert_writer, load_marked)); }

KTEST(race, published_is_none)
{
	bool ok = keeps_the_rules(publish, look_up);

	kfree(box);
	box = NULL;
	EXPECT(ok);
	EXPECT(sink != ~0ul);
}

KTEST_REPORTS(race, report, "race: store_plain+0x")
{
	enough = race_found() + 1;
	run_pair(store_plain, store_plain);
	race_flush();
}
#endif
