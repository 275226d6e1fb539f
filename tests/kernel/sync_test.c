/* Wait queues, completions, mutexes, reader/writer semaphores, sequence counters, by threads that meet in them. */
#include <kernel/errno.h>
#include <kernel/ktest.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/lockstat.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/rwsem.h>
#include <kernel/sync/seqcount.h>
#include <kernel/time/time.h>
#include <tests/kernel/runner.h>

/* --- wait queues ------------------------------------------------------------------------------------------------------------- */
static DEFINE_WAIT_QUEUE(queue);
static u32 flag, woken, done_mask;

static void wait_for_flag(void *arg)
{
	wait_event(&queue, atomic_load(&flag));
	atomic_fetch_or(&done_mask, 1u << (u64)arg);
	atomic_inc(&woken);
}

static void wait_exclusive(void *arg)
{
	struct wait_entry we;

	(void)arg;
	wait_entry_init(&we);
	we.exclusive = true;
	prepare_to_wait(&queue, &we, TASK_UNINTERRUPTIBLE);
	schedule();
	finish_wait(&queue, &we);
	atomic_inc(&woken);
}

KTEST(wait, wakes_all_that_wait)
{
	struct runner r[4];
	bool ok = true;

	flag = woken = done_mask = 0;
	for (u64 i = 0; i < 4; i++)
		ok = runner_start(&r[i], wait_for_flag, (void *)i) && runner_sleeps(&r[i]) && ok;
	wake_up(&queue);			/* the condition is false: they sleep again */
	for (u32 i = 0; i < 4; i++)
		ok = runner_sleeps(&r[i]) && ok;
	ok = ok && atomic_load(&woken) == 0;
	atomic_store(&flag, 1u);
	wake_up(&queue);
	for (u32 i = 0; i < 4; i++)
		runner_join(&r[i]);
	EXPECT(ok);
	EXPECT_EQ(done_mask, 15);
	EXPECT(!wait_queue_active(&queue));
}

KTEST(wait, wake_up_takes_one_exclusive_waiter)
{
	struct runner r[3];
	bool ok = true;
	u32 after[3];

	woken = 0;
	for (u32 i = 0; i < 3; i++)
		ok = runner_start(&r[i], wait_exclusive, NULL) && runner_sleeps(&r[i]) && ok;
	for (u32 i = 0; i < 2; i++) {
		wake_up(&queue);
		runner_join(&r[i]);		/* they queue in order: the i-th is the one */
		after[i] = atomic_load(&woken);
	}
	wake_up_all(&queue);
	runner_join(&r[2]);
	EXPECT(ok);
	EXPECT_EQ(after[0], 1);
	EXPECT_EQ(after[1], 2);
	EXPECT_EQ(woken, 3);
}

KTEST(wait, times_out)
{
	u64 before = clock_mono_ns(), deadline = before + 3 * NSEC_PER_MSEC;

	EXPECT_EQ(wait_event_timeout(&queue, false, deadline), -ETIMEDOUT);
	EXPECT(clock_mono_ns() >= deadline);
	EXPECT_EQ(wait_event_timeout(&queue, false, before), -ETIMEDOUT);	/* long past */
	EXPECT_EQ(wait_event_timeout(&queue, true, before), 0);			/* a true condition comes first */
	EXPECT_EQ(wait_event_timeout(&queue, false, clock_mono_ns() + NSEC_PER_MSEC), -ETIMEDOUT);	/* evaluated once */
	EXPECT(!wait_queue_active(&queue) && current->state == TASK_RUNNING);
}

static int key_seen(struct wait_entry *we, void *key)
{
	*(void **)we->private = key;
	return 0;
}

KTEST(wait, passes_the_key_and_forgets_the_removed)
{
	void *seen = NULL;
	struct wait_entry we;

	wait_entry_init(&we);
	we.func = key_seen;
	we.private = &seen;
	wait_add(&queue, &we);
	wake_up_key(&queue, &flag);
	wait_remove(&queue, &we);
	EXPECT(seen == &flag);
	wake_up_key(&queue, &woken);
	EXPECT(seen == &flag);
}

static struct completion comp;
static void wait_for_comp(void *arg) { (void)arg; wait_for_completion(&comp); atomic_inc(&woken); }

KTEST(wait, completion)
{
	struct runner r[2];
	bool ok = true;

	woken = 0;
	completion_init(&comp);
	for (u32 i = 0; i < 2; i++)
		ok = runner_start(&r[i], wait_for_comp, NULL) && runner_sleeps(&r[i]) && ok;
	ok = ok && atomic_load(&woken) == 0;
	complete(&comp);
	for (u32 i = 0; i < 2; i++)
		runner_join(&r[i]);
	wait_for_completion(&comp);		/* done stays done */
	EXPECT(ok && woken == 2);
}

/* --- mutexes ----------------------------------------------------------------------------------------------------------------- */
static DEFINE_MUTEX(mutex, LC_FS_PRIVATE);
static u64 counter;
static u32 inside, collisions, order[8], nr_order;

static void count_under_mutex(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < 200; i++) {
		u64 v;

		mutex_lock(&mutex);
		collisions += inside++ != 0;
		v = counter;
		if (i % 8 == 0)
			sched_yield_current();		/* an invitation to break in */
		counter = v + 1;
		inside--;
		mutex_unlock(&mutex);
	}
}

KTEST(mutex, excludes)
{
	struct runner r[4];
	bool ok = true;

	counter = inside = collisions = 0;
	for (u32 i = 0; i < 4; i++)
		ok = runner_start(&r[i], count_under_mutex, NULL) && ok;
	for (u32 i = 0; i < 4; i++)
		runner_join(&r[i]);
	EXPECT(ok);
	EXPECT_EQ(collisions, 0);
	EXPECT_EQ(counter, 800);
	EXPECT(mutex.owner == 0);
}

static void note_order(void *arg)
{
	mutex_lock(&mutex);
	order[nr_order++] = (u32)(u64)arg;
	mutex_unlock(&mutex);
}

KTEST(mutex, waiters_come_in_order_and_are_counted)
{
	struct runner r[4];
	bool ok = true;
	u64 before = lockstat_waits();

	nr_order = 0;
	mutex_lock(&mutex);
	for (u64 i = 0; i < 4; i++)
		ok = runner_start(&r[i], note_order, (void *)i) && runner_sleeps(&r[i]) && ok;
	ok = ok && nr_order == 0 && mutex_held(&mutex);
	mutex_unlock(&mutex);
	for (u32 i = 0; i < 4; i++)
		runner_join(&r[i]);
	EXPECT(ok && nr_order == 4);
	EXPECT(lockstat_waits() >= before + 4);
	for (u32 i = 0; i < 4; i++)
		EXPECT_EQ(order[i], i);
}

static bool tried, looked;
static void try_mutex(void *arg)
{
	(void)arg;
	looked = mutex_held(&mutex);
	tried = mutex_trylock(&mutex);
	if (tried)
		mutex_unlock(&mutex);
}

KTEST(mutex, trylock)
{
	struct runner r;
	bool ok, first;

	mutex_lock(&mutex);
	ok = runner_start(&r, try_mutex, NULL);
	runner_join(&r);
	first = tried || looked;
	mutex_unlock(&mutex);
	EXPECT(ok && !first);
	EXPECT(runner_start(&r, try_mutex, NULL));
	runner_join(&r);
	EXPECT(tried && !mutex_held(&mutex));
}

/* --- reader/writer semaphores --------------------------------------------------------------------------------------------------- */
static struct rwsem sem;
static u32 readers, most_readers, writers, broken;
static struct completion may_leave;

static void read_section(void *arg)
{
	(void)arg;
	rwsem_read_lock(&sem);
	broken += writers != 0;
	most_readers = max(most_readers, ++readers);
	wait_for_completion(&may_leave);
	readers--;
	rwsem_read_unlock(&sem);
}

static void write_section(void *arg)
{
	(void)arg;
	rwsem_write_lock(&sem);
	broken += readers != 0 || writers++ != 0;
	order[nr_order++] = 'w';
	sched_yield_current();
	writers--;
	rwsem_write_unlock(&sem);
}

static void read_briefly(void *arg)
{
	(void)arg;
	rwsem_read_lock(&sem);
	broken += writers != 0;
	order[nr_order++] = 'r';
	rwsem_read_unlock(&sem);
}

static void sem_reset(void)
{
	rwsem_init(&sem, LC_FS_PRIVATE);
	completion_init(&may_leave);
	readers = most_readers = writers = broken = nr_order = 0;
}

KTEST(rwsem, readers_share_and_a_waiting_writer_goes_first)
{
	struct runner r[4];
	bool ok, shared, closed;

	sem_reset();
	ok = runner_start(&r[0], read_section, NULL) && runner_sleeps(&r[0]);
	ok = runner_start(&r[1], read_section, NULL) && runner_sleeps(&r[1]) && ok;
	shared = readers == 2;
	ok = runner_start(&r[2], write_section, NULL) && runner_sleeps(&r[2]) && ok;
	closed = !rwsem_read_trylock(&sem) && !rwsem_write_trylock(&sem);	/* behind the writer that waits */
	ok = runner_start(&r[3], read_briefly, NULL) && runner_sleeps(&r[3]) && ok;
	complete(&may_leave);
	for (u32 i = 0; i < 4; i++)
		runner_join(&r[i]);
	EXPECT(ok && shared && closed);
	EXPECT_EQ(broken, 0);
	EXPECT(nr_order == 2 && order[0] == 'w' && order[1] == 'r');
	EXPECT(sem.count == 0 && !rwsem_held(&sem));
}

KTEST(rwsem, downgrade_lets_readers_in)
{
	struct runner r[3];
	bool ok = true, kept_out;

	sem_reset();
	rwsem_write_lock(&sem);
	for (u32 i = 0; i < 2; i++)
		ok = runner_start(&r[i], read_section, NULL) && runner_sleeps(&r[i]) && ok;
	kept_out = readers == 0 && rwsem_held_write(&sem);
	rwsem_downgrade(&sem);
	for (u32 i = 0; i < 1000 && atomic_load(&readers) < 2; i++)
		sleep_ns(NSEC_PER_MSEC);
	ok = ok && atomic_load(&readers) == 2;		/* while we still hold it as a reader */
	ok = ok && runner_start(&r[2], write_section, NULL) && runner_sleeps(&r[2]) && nr_order == 0;
	complete(&may_leave);
	rwsem_read_unlock(&sem);
	for (u32 i = 0; i < 3; i++)
		runner_join(&r[i]);
	EXPECT(ok && kept_out);
	EXPECT_EQ(most_readers, 2);
	EXPECT(broken == 0 && nr_order == 1);
}

static void mixed(void *arg)
{
	for (u32 i = 0; i < 100; i++) {
		if ((i + (u64)arg) % 4 == 0) {
			rwsem_write_lock(&sem);
			broken += readers != 0 || writers++ != 0;
			counter++;
			if (i % 3 == 0)
				sched_yield_current();
			if (i % 5 == 0) {
				writers--;
				rwsem_downgrade(&sem);
				rwsem_read_unlock(&sem);
			} else {
				writers--;
				rwsem_write_unlock(&sem);
			}
		} else {
			rwsem_read_lock(&sem);
			atomic_inc(&readers);
			broken += writers != 0;
			if (i % 3 == 0)
				sched_yield_current();
			atomic_dec(&readers);
			rwsem_read_unlock(&sem);
		}
	}
}

KTEST(rwsem, excludes)
{
	struct runner r[5];
	bool ok = true;

	sem_reset();
	counter = 0;
	for (u64 i = 0; i < 5; i++)
		ok = runner_start(&r[i], mixed, (void *)i) && ok;
	for (u32 i = 0; i < 5; i++)
		runner_join(&r[i]);
	EXPECT(ok && broken == 0 && counter == 125);
	EXPECT_EQ(sem.count, 0);
}

/* --- sequence counters ---------------------------------------------------------------------------------------------------------- */
static struct seqcount seq;
static volatile u64 pair[2];

static void pair_write(struct timer *t)
{
	seq_write_begin(&seq);
	pair[0]++;
	pair[1]++;
	seq_write_end(&seq);
	timer_arm(t, clock_mono_ns() + 20 * NSEC_PER_USEC);
}

KTEST(seqcount, reader_sees_a_write)
{
	u32 start = seq_read_begin(&seq);

	EXPECT(!seq_read_retry(&seq, start));
	seq_write_begin(&seq);
	EXPECT(seq.seq & 1);
	seq_write_end(&seq);
	EXPECT(seq_read_retry(&seq, start));
	EXPECT(!(seq_read_begin(&seq) & 1));
}

/* The writer is a timer interrupt, which may fall between the two reads. */
KTEST(seqcount, pairs_are_never_torn)
{
	struct timer t;
	u64 torn = 0, first = pair[0], retries = 0;
	u64 give_up = clock_mono_ns() + 5 * NSEC_PER_SEC;

	timer_init(&t, pair_write);
	timer_arm(&t, clock_mono_ns());
	while (pair[0] < first + 200 && clock_mono_ns() < give_up) {
		u64 a, b;
		u32 start;

		do {
			start = seq_read_begin(&seq);
			a = pair[0];
			for (u32 i = 0; i < 100; i++)
				cpu_relax();
			b = pair[1];
			retries++;
		} while (seq_read_retry(&seq, start));
		torn += a != b;
	}
	timer_cancel_sync(&t);
	EXPECT(pair[0] >= first + 200);
	EXPECT_EQ(torn, 0);
}
