/* Several CPUs: stealing, moving by mask, real-time order.  Each test asks for two CPUs and says nothing on a machine with one. */
#include <linux/sched.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched_internal.h>
#include <tests/kernel/runner.h>

#define LIMIT_NS (20 * NSEC_PER_SEC)		/* a test that waits longer has failed; none measures */

struct spinner { struct runner r; u32 cpu; u64 rounds; };
static u32 stop;

static void spin(void *arg)
{
	struct spinner *s = arg;

	while (!atomic_load(&stop)) {
		preempt_disable();
		atomic_store(&s->cpu, smp_cpu_id());
		atomic_inc(&s->rounds);		/* others set it back */
		preempt_enable();
		cpu_relax();
	}
}

static cpumask_t online(void) { return atomic_load(&cpu_online_mask); }
static bool two_cpus(void) { return (online() & 3) == 3; }

/* Until cond, or the limit. */
#define UNTIL(cond) ({											\
	u64 end_ = clock_mono_ns() + LIMIT_NS;								\
	while (!(cond) && clock_mono_ns() < end_)							\
		sleep_ns(NSEC_PER_MSEC);								\
	(cond); })

static bool spinners_start(struct spinner *s, u32 n, u32 policy, u32 prio)
{
	bool ok = true;

	atomic_store(&stop, 0u);
	for (u32 i = 0; i < n; i++) {
		s[i].cpu = NO_CPU;
		s[i].rounds = 0;
		ok = runner_create(&s[i].r, spin, &s[i]) && runner_sleeps(&s[i].r) && ok;
		sched_set_policy(s[i].r.task, policy, prio, 0);
	}
	for (u32 i = 0; i < n; i++)
		runner_go(&s[i].r);
	return ok;
}

static void spinners_stop(struct spinner *s, u32 n)
{
	atomic_store(&stop, 1u);
	for (u32 i = 0; i < n; i++)
		runner_join(&s[i].r);
}

static u64 stolen(void)
{
	u64 n = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		n += READ_ONCE(cpu_rq(cpu)->nr_stolen) + READ_ONCE(cpu_rq(cpu)->nr_pushed);
	return n;
}

/* Two on CPU 0, then free to go: one is taken by another CPU. */
KTEST(balance, idle_cpu_takes_one_that_waits)
{
	static struct spinner s[2];
	u64 before;
	bool ok, apart;

	if (!two_cpus())
		return;
	ok = spinners_start(s, 2, SCHED_NORMAL, 0);
	ok = UNTIL(atomic_load(&s[0].rounds) && atomic_load(&s[1].rounds)) && atomic_load(&s[0].cpu) == 0 && atomic_load(&s[1].cpu) == 0 && ok;
	before = stolen();
	sched_set_affinity(s[0].r.task, ~0ul);
	sched_set_affinity(s[1].r.task, ~0ul);
	apart = UNTIL(atomic_load(&s[0].cpu) != atomic_load(&s[1].cpu) || stolen() > before);
	spinners_stop(s, 2);
	EXPECT(ok);
	EXPECT(apart);
}

static void (*send_ipi)(u32 cpu);
static u32 calls;				/* by CPU 0, while it looks */
static bool looking;
static void count_call(u32 cpu)
{
	calls += smp_cpu_id() == 0 && looking;
	send_ipi(cpu);
}
static void nothing(void *arg) { (void)arg; }

/* One put beside its waker has waited so long there: how often does CPU 0 call an idle CPU?  -1: no thread. */
static int calls_for_one_that_waited(u64 ns)
{
	struct runner r;
	irqflags_t flags;
	u64 now;
	bool ok = runner_create(&r, nothing, NULL) && runner_sleeps(&r);

	sched_set_affinity(current, 1);
	sleep_ns(NSEC_PER_MSEC);	/* the others come to rest */
	flags = arch_irq_save();
	runner_go(&r);
	r.task->se.affinity = online();
	r.task->se.sync_placed = true;
	now = clock_mono_ns();
	r.task->se.queued_ns = now - ns;
	calls = 0;
	looking = true;
	balance_busy(this_rq(), now);
	looking = false;
	arch_irq_restore(flags);
	runner_join(&r);
	self_fair();
	return ok ? (int)calls : -1;
}

/* What need not be there for anybody yet calls nobody: each call costs the other CPU its sleep, and both of them the lock. */
KTEST(balance, one_beside_its_waker_calls_nobody_at_first)
{
	u32 wrong = 0;
	int later = 0;

	if (!two_cpus())
		return;
	send_ipi = sched_send_ipi;
	WRITE_ONCE(sched_send_ipi, count_call);
	for (u32 try = 0; try < 20; try++) {
		wrong += calls_for_one_that_waited(0) != 0;
		if (later < 1)		/* the others may just be busy */
			later = calls_for_one_that_waited(10 * SYNC_WAIT_NS);
	}
	WRITE_ONCE(sched_send_ipi, send_ipi);
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(later, 1);
}

KTEST(balance, a_mask_moves_who_runs_before_it_returns)
{
	static struct spinner s;
	bool ok, moved = true;

	if (!two_cpus())
		return;
	ok = spinners_start(&s, 1, SCHED_NORMAL, 0) && UNTIL(atomic_load(&s.rounds));
	for (u32 i = 0; i < 200 && moved; i++) {
		u32 cpu = (i + 1) & 1;

		sched_set_affinity(s.r.task, BIT(cpu));
		moved = atomic_load(&s.r.task->se.cpu) == cpu;
	}
	spinners_stop(&s, 1);
	EXPECT(ok);
	EXPECT(moved);
}

KTEST(balance, a_mask_moves_current)
{
	bool right = true;

	if (!two_cpus())
		return;
	for (u32 i = 0; i < 200 && right; i++) {
		sched_set_affinity(current, BIT(i & 1));
		right = smp_cpu_id() == (i & 1);
	}
	sched_set_affinity(current, ~0ul);
	EXPECT(right);
}

KTEST(balance, a_mask_moves_who_sleeps_and_who_waits)
{
	static struct spinner s[3];
	bool ok, there;

	if (!two_cpus())
		return;
	atomic_store(&stop, 0u);
	ok = runner_create(&s[2].r, spin, &s[2]) && runner_sleeps(&s[2].r);
	sched_set_affinity(s[2].r.task, 2);		/* asleep */
	runner_go(&s[2].r);
	ok = UNTIL(atomic_load(&s[2].rounds)) && atomic_load(&s[2].cpu) == 1 && ok;
	atomic_store(&stop, 1u);
	runner_join(&s[2].r);
	ok = spinners_start(s, 2, SCHED_NORMAL, 0) && ok;
	sched_set_affinity(s[0].r.task, 2);		/* one of the two waits on CPU 0, whichever */
	sched_set_affinity(s[1].r.task, 2);
	there = UNTIL(atomic_load(&s[0].rounds) && atomic_load(&s[1].rounds) && atomic_load(&s[0].cpu) == 1 && atomic_load(&s[1].cpu) == 1);
	spinners_stop(s, 2);
	EXPECT(ok);
	EXPECT(there);
}

/* Two real-time spinners on CPU 0 where one waits; as soon as it may, another CPU pulls it. */
KTEST(balance, real_time_is_pulled)
{
	static struct spinner s[2];
	bool ok, both;

	if (!two_cpus())
		return;
	sched_set_affinity(current, 2);
	sched_set_policy(current, SCHED_FIFO, 90, 0);
	ok = spinners_start(s, 2, SCHED_FIFO, 20) && UNTIL(atomic_load(&s[0].rounds) + atomic_load(&s[1].rounds));
	sched_set_affinity(s[0].r.task, ~0ul);
	sched_set_affinity(s[1].r.task, ~0ul);
	both = UNTIL(atomic_load(&s[0].rounds) && atomic_load(&s[1].rounds));
	spinners_stop(s, 2);
	self_fair();
	EXPECT(ok);
	EXPECT(both);
	EXPECT(UNTIL(!atomic_load(&rt_overload)));	/* each CPU takes its own bit back when it chooses next */
}

/* A queue's time is its own: who comes from a queue far ahead neither starves there nor takes all. */
KTEST(balance, virtual_time_is_taken_along)
{
	static struct spinner s[2];
	struct rq *to = cpu_rq(1);
	irqflags_t flags;
	bool ok, both;

	if (!two_cpus())
		return;
	flags = spin_lock_irqsave(&cpu_rq(0)->lock);
	cpu_rq(0)->min_vruntime += 1000 * NSEC_PER_SEC;	/* as if it had run for long */
	spin_unlock_irqrestore(&cpu_rq(0)->lock, flags);
	ok = spinners_start(s, 2, SCHED_NORMAL, 0) && UNTIL(atomic_load(&s[0].rounds) && atomic_load(&s[1].rounds));
	sched_set_affinity(s[0].r.task, 2);
	sched_set_affinity(s[1].r.task, 2);
	atomic_store(&s[0].rounds, 0ul);
	atomic_store(&s[1].rounds, 0ul);
	both = UNTIL(atomic_load(&s[0].rounds) && atomic_load(&s[1].rounds));
	flags = spin_lock_irqsave(&to->lock);
	both = both && (s64)(s[1].r.task->se.vruntime - to->min_vruntime) < (s64)(10 * NSEC_PER_SEC);
	spin_unlock_irqrestore(&to->lock, flags);
	spinners_stop(s, 2);
	EXPECT(ok);
	EXPECT(both);
}

static void exit_at_once(void *arg) { (void)arg; }

/* Masks changed while the tasks start, run, sleep and end. */
KTEST(balance, masks_against_everything)
{
	static struct runner r[8];
	bool ok = true;

	if (!two_cpus())
		return;
	for (u32 round = 0; round < 50; round++) {
		for (u32 i = 0; i < 8; i++)
			ok = runner_create(&r[i], exit_at_once, NULL) && ok;
		for (u32 i = 0; i < 8; i++) {
			sched_set_affinity(r[i].task, BIT((i + round) & 1));
			runner_go(&r[i]);
			sched_set_affinity(r[i].task, BIT(i & 1));
		}
		for (u32 i = 0; i < 8; i++)
			runner_join(&r[i]);
	}
	EXPECT(ok);
}
