/* Priority inheritance: chains, circles, order, with parked kernel threads that own and wait on paper. */
#include <linux/sched.h>
#include <kernel/errno.h>
#include <kernel/ktest.h>
#include <kernel/sched/sched_internal.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/pi.h>
#include <mm/slab.h>
#include <tests/kernel/runner.h>

#define NR 6

static struct runner r[NR];
static struct pi_lock locks[NR];
static struct pi_waiter waiters[NR];

static void nothing(void *arg)
{
	(void)arg;
}

static bool begin(void)
{
	bool ok = true;

	for (u32 i = 0; i < NR; i++) {
		ok = runner_create(&r[i], nothing, NULL) && runner_sleeps(&r[i]) && ok;
		pi_lock_init(&locks[i]);
	}
	return ok;
}

static void end(void)
{
	for (u32 i = 0; i < NR; i++) {
		runner_go(&r[i]);
		runner_join(&r[i]);
	}
}

static void own(u32 lock, struct task *t)
{
	pi_enter();
	pi_set_owner(&locks[lock], t);
	pi_leave();
}

static int block(u32 lock, u32 who)
{
	int err;

	pi_enter();
	err = pi_block(&locks[lock], &waiters[who], r[who].task);
	pi_leave();
	return err;
}

static void unblock(u32 who)
{
	pi_enter();
	pi_unblock(&waiters[who]);
	pi_leave();
}

static void set_prio(u32 who, u32 prio)
{
	sched_set_policy(r[who].task, prio ? SCHED_FIFO : SCHED_NORMAL, prio, 0);
	pi_prio_changed(r[who].task);
}

static bool all_at(u32 from, u32 to, u32 prio)
{
	for (u32 i = from; i <= to; i++)
		if (sched_prio(r[i].task) != prio)
			return false;
	return true;
}

KTEST(pi, chain)
{
	bool ok = begin(), up, higher, lower, gone;
	int circle;

	for (u32 i = 0; i < NR - 1; i++)	/* thread i owns lock i, and waits for lock i - 1 */
		own(i, r[i].task);
	for (u32 i = 1; i < NR; i++)
		ok = !block(i - 1, i) && ok;
	pi_enter();
	circle = pi_block(&locks[NR - 2], &(struct pi_waiter){ .task = NULL }, r[0].task);
	pi_leave();
	set_prio(NR - 1, 40);
	up = all_at(0, NR - 1, 40);
	set_prio(3, 60);
	higher = all_at(0, 3, 60) && all_at(4, NR - 1, 40);
	set_prio(3, 10);
	lower = all_at(0, NR - 1, 40);
	unblock(NR - 1);
	gone = all_at(0, 3, 10) && sched_prio(r[4].task) == 0;
	for (u32 i = 1; i < NR - 1; i++)
		unblock(i);
	ok = ok && all_at(0, 2, 0);
	for (u32 i = 0; i < NR - 1; i++)
		own(i, NULL);
	end();
	EXPECT(ok);
	EXPECT_EQ(circle, -EDEADLK);
	EXPECT(up && higher && lower && gone);
}

KTEST(pi, by_priority_then_by_arrival)
{
	static const u32 prios[] = { 0, 0, 5, 9, 5, 0 }, order[] = { 3, 2, 4, 1, 5 };
	bool ok = begin(), right = true, lent = true;

	own(0, r[0].task);
	for (u32 i = 1; i < NR; i++) {
		set_prio(i, prios[i]);
		ok = !block(0, i) && ok;
	}
	for (u32 i = 0; i < NR - 1; i++) {
		struct pi_waiter *top = pi_top(&locks[0]);

		right = right && top == &waiters[order[i]];
		lent = lent && sched_prio(r[0].task) == prios[order[i]];
		unblock(order[i]);
	}
	ok = ok && !pi_top(&locks[0]);
	own(0, NULL);
	end();
	EXPECT(ok && right && lent);
}

KTEST(pi, hand_over)
{
	bool ok = begin(), taken, given;

	own(0, r[0].task);
	set_prio(1, 20);
	set_prio(2, 30);
	ok = !block(0, 1) && !block(0, 2) && ok;
	taken = sched_prio(r[0].task) == 30;
	unblock(2);
	own(0, r[2].task);
	given = sched_prio(r[0].task) == 0 && sched_prio(r[2].task) == 30;
	set_prio(2, 0);
	given = given && sched_prio(r[2].task) == 20;	/* it is waited for by thread 1 */
	unblock(1);
	own(0, NULL);
	given = given && sched_prio(r[2].task) == 0;
	end();
	EXPECT(ok && taken && given);
}

/* --- a mutex that lends ------------------------------------------------------------------------------------------------------------ */

static DEFINE_MUTEX(lending, LC_NET_CORE);
static struct pi_lock lending_pi;
static struct completion let_go;
static u32 taken, place[3];

static void hold(void *arg)
{
	(void)arg;
	mutex_lock_pi(&lending, &lending_pi);
	wait_for_completion(&let_go);
	mutex_unlock_pi(&lending, &lending_pi);
}

static void take(void *arg)
{
	mutex_lock_pi(&lending, &lending_pi);
	place[(u64)arg] = ++taken;
	mutex_unlock_pi(&lending, &lending_pi);
}

/* Three wait for the owner, who runs at the highest priority of theirs; the last to come is the first to get it. */
KTEST(pi, mutex)
{
	static const u32 prios[] = { 0, 7, 50 };
	bool ok, lent = true, back;

	completion_init(&let_go);
	taken = 0;
	ok = runner_start(&r[0], hold, NULL) && runner_sleeps(&r[0]);
	for (u32 i = 0; i < 3; i++) {
		ok = runner_create(&r[i + 1], take, (void *)(u64)i) && runner_sleeps(&r[i + 1]) && ok;
		set_prio(i + 1, prios[i]);
		runner_go(&r[i + 1]);
		ok = runner_sleeps(&r[i + 1]) && ok;
		lent = lent && sched_prio(r[0].task) == prios[i];
	}
	complete(&let_go);
	for (u32 i = 1; i < 4; i++)
		runner_join(&r[i]);
	back = !lending_pi.owner && !pi_top(&lending_pi) && !lending.owner;
	runner_join(&r[0]);
	EXPECT(ok && lent && back);
	EXPECT(place[2] == 1 && place[1] == 2 && place[0] == 3);
}
