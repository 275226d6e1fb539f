/* Which CPU.
 *
 * Theory.  Tasks are placed when they become runnable, and moved as little as possible after that.
 *
 * Waking (select_cpu).  In this order: beside the waker, if it runs alone and is expected to sleep soon; the CPU where the task ran
 * last, if that idles (its cache is warm); the waker's, if an interrupt woke it from idling; an idle one that shares cache with the last
 * one, then any idle one; else the last one, unless the waker's has less to do.  Whether the waker will sleep at once is learnt, not
 * believed: se.wake_sleeps counts how often it did (put_to_sleep); a pipe's word (wakes_sync) only makes one such time enough, where
 * else two are needed, and that of a socket with tens of KiB still to copy (wakes_apart) forbids it.  A wake-up beside the waker needs no
 * interrupt and no second CPU to come out of its sleep.  If the waker does not sleep after all, the slice timer, armed for SYNC_WAIT_NS
 * then, calls an idle CPU, and the waker must do well some times, each time twice as many, before it is believed again.
 *
 * New tasks go to an idle CPU, else to the least loaded; beside the parent if that waits for the child (vfork), or is known to.
 *
 * Idle CPUs steal when they run out (steal_task): from the CPU with most tasks, the one whose turn is next.  Not if they are hardly ever
 * idle for long: then the theft costs more than it brings.  The victim's lock is only tried, since the thief's is held.  Once an idle
 * CPU sleeps nobody wakes it for nothing: a CPU where somebody waits calls one from its slice timer (balance_busy).
 *
 * No CPU idle, but unequal loads: the CPU with waiting tasks hands one over at most each BALANCE_NS, if that makes the two more
 * equal; and each ROTATE_NS even if it only exchanges who has more, so that five hogs on four CPUs all get the same in the long run.
 * All this runs on CPUs where somebody waits; with as many tasks as CPUs there is no timer at all.
 *
 * What is read of other CPUs' queues without their locks is a hint; who moves a task holds the lock of the queue that it is on.
 *
 * Rejected: an idle mask (a shared line written at each sleep and wake; a scan reads at most 32); load averages over time (what runs now
 * is known exactly, and histories make moves hard to explain); handing tasks over by a list that the other CPU empties (the other's lock
 * is held as briefly). */
#include <kernel/sched/sched_internal.h>

#define BALANCE_NS	(20 * NSEC_PER_MSEC)
#define ROTATE_NS	(100 * NSEC_PER_MSEC)
#define STEAL_IDLE_NS	(30 * NSEC_PER_USEC)	/* who is idle for less on average does not steal */
#define LOOK_AT		8			/* waiting tasks, from the first on */
#define RT_LOAD		(4 * WEIGHT_NICE0)	/* what a running real-time task counts */

static cpumask_t clusters[NR_CPUS];	/* [a] by CPU: those with the same affinity fields above the lowest share cache with it */

/* Every CPU calls this when its run queue is there; of two that come at once at least one sees the other. */
void balance_init(struct rq *rq)
{
	rq->cluster = read_sysreg(mpidr_el1) & 0xff00ffff00ul;
	atomic_store(&rq->known, true);
	smp_mb();	/* pairs with itself */
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		if (!atomic_load(&cpu_rq(cpu)->known) || cpu_rq(cpu)->cluster != rq->cluster)
			continue;
		atomic_fetch_or(&clusters[cpu], BIT(rq->cpu));
		atomic_fetch_or(&clusters[rq->cpu], BIT(cpu));
	}
}

cpumask_t sched_cluster(u32 cpu) { return atomic_load(&clusters[cpu]); }

bool cpu_is_free(u32 cpu)
{
	struct rq *rq = cpu_rq(cpu);

	return READ_ONCE(rq->curr) == rq->idle && !READ_ONCE(rq->nr_running);
}

/* Under RCU, as every caller holds a lock or has interrupts off. */
static u64 cpu_load(u32 cpu)
{
	struct rq *rq = cpu_rq(cpu);
	const struct task *curr = READ_ONCE(rq->curr);
	u64 load = READ_ONCE(rq->waiting_weight);

	if (curr != rq->idle)
		load += task_is_rt(curr) ? RT_LOAD : READ_ONCE(curr->se.weight);
	return rt_top_prio(rq) >= 0 ? load + RT_LOAD : load;
}

/* An idle CPU of those allowed, one that shares cache with near first; NO_CPU. */
static u32 idle_near(u32 near, cpumask_t allowed)
{
	cpumask_t close = allowed & sched_cluster(near);

	for (cpumask_t left = close; left; left &= left - 1)
		if (cpu_is_free((u32)__builtin_ctzl(left)))
			return (u32)__builtin_ctzl(left);
	for (cpumask_t left = allowed & ~close; left; left &= left - 1)
		if (cpu_is_free((u32)__builtin_ctzl(left)))
			return (u32)__builtin_ctzl(left);
	return NO_CPU;
}

/* The least loaded of those allowed, from the one behind `from` on. */
static u32 least_loaded(u32 from, cpumask_t allowed)
{
	u64 least = ~0ull;
	u32 best = from;

	for (u32 i = 1; i <= nr_cpus; i++) {
		u32 cpu = (from + i) % nr_cpus;

		if ((allowed & BIT(cpu)) && cpu_load(cpu) < least) {
			least = cpu_load(cpu);
			best = cpu;
		}
	}
	return best;
}

/* current is about to wake t, or makes it, and is expected to sleep for it. */
static bool beside_waker(u32 here, u32 flags)
{
	struct rq *rq = cpu_rq(here);
	s32 times = current->se.wakes_sync ? 1 : 2;

	return !(flags & WAKE_MOVE) && !current->se.wakes_apart && READ_ONCE(rq->nr_running) == 1 && rq->curr == current && !in_irq() &&
	       ((flags & WAKE_VFORK) || current->se.wake_sleeps >= times);
}

static u32 fork_cpu(u32 here, cpumask_t allowed)
{
	u32 cpu = idle_near(here, allowed);

	return cpu != NO_CPU ? cpu : least_loaded(here, allowed);
}

u32 select_cpu(struct task *t, u32 flags)
{
	cpumask_t allowed = task_cpus(t);
	u32 here = smp_cpu_id(), last = t->se.cpu, cpu;

	t->se.sync_placed = false;
	if (!(allowed & (allowed - 1)))
		return allowed ? (u32)__builtin_ctzl(allowed) : last;
	if (task_is_rt(t))
		return rt_select_cpu(t);
	if ((allowed & BIT(here)) && beside_waker(here, flags)) {
		t->se.sync_placed = true;
		return here;
	}
	if (flags & WAKE_FORK)
		return fork_cpu(here, allowed);
	if ((allowed & BIT(last)) && cpu_is_free(last))
		return last;
	if ((allowed & BIT(here)) && cpu_is_free(here))
		return here;
	cpu = idle_near(last, allowed);
	if (cpu != NO_CPU)
		return cpu;
	if (!(allowed & BIT(last)))
		return least_loaded(here, allowed);
	return (allowed & BIT(here)) && cpu_load(here) + t->se.weight < cpu_load(last) ? here : last;
}

/* --- stealing */

/* One put beside its waker is left there for a while. */
static bool stays_put(const struct task *t, u64 now)
{
	return t->se.sync_placed && now - t->se.queued_ns < SYNC_WAIT_NS;
}

/* The first waiting fair task of rq that may run on cpu. */
static struct task *movable(struct rq *rq, u32 cpu, u64 now)
{
	struct task *t = fair_first(rq);

	for (u32 i = 0; t && i < LOOK_AT; i++, t = fair_next(t))
		if ((t->se.affinity & BIT(cpu)) && !stays_put(t, now))
			return t;
	return NULL;
}

/* t, which waits on rq, goes over to another queue.  Both locks held. */
void take_over(struct rq *from, struct rq *to, struct task *t, u64 now)
{
	rq_remove(from, t, now);
	if (unlikely(t->se.in_memstall)) {
		memstall_leave(from, t, now);
		memstall_join(to, t, now);
	}
	t->se.vruntime += to->min_vruntime - from->min_vruntime;
	t->se.sync_placed = false;
	atomic_store_release(&t->se.cpu, to->cpu);
	rq_enqueue(to, t, now);
}

static u32 busiest(cpumask_t among)
{
	u32 best = NO_CPU, most = 1;

	for (cpumask_t left = among; left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzl(left), n = READ_ONCE(cpu_rq(cpu)->nr_running);

		if (n > most) {
			most = n;
			best = cpu;
		}
	}
	return best;
}

bool steal_task(struct rq *rq, u64 now)
{
	cpumask_t among = atomic_load(&cpu_online_mask) & ~BIT(rq->cpu);
	bool stolen = false;

	if (rq->avg_idle_ns < STEAL_IDLE_NS && rq->curr != rq->idle)	/* who was called comes anyway */
		return false;
	for (u32 cpu; !stolen && (cpu = busiest(among)) != NO_CPU; among &= ~BIT(cpu)) {
		struct rq *victim = cpu_rq(cpu);
		struct task *t;

		if (!spin_trylock(&victim->lock))
			continue;
		t = victim->nr_running > 1 ? movable(victim, rq->cpu, now) : NULL;
		if (t) {
			take_over(victim, rq, t, now);
			rq->nr_stolen++;
			stolen = true;
		}
		spin_unlock(&victim->lock);
	}
	return stolen;
}

/* --- the busy CPU's side */

/* Hand a waiting task over to cpu, if their loads are to become more equal by it, or rotate. */
static bool hand_over(struct rq *rq, u32 cpu, bool rotate, u64 now)
{
	u64 ours, theirs;
	struct task *t;

	spin_lock(&rq->lock);
	ours = cpu_load(rq->cpu);
	theirs = cpu_load(cpu);
	t = movable(rq, cpu, now);
	if (!t || ours < theirs + t->se.weight || (!rotate && ours - theirs <= t->se.weight)) {
		spin_unlock(&rq->lock);
		return false;
	}
	rq_remove(rq, t, now);
	t->se.in_flight = true;
	rq->nr_pushed++;
	rq = move_to(rq, t, cpu, WAKE_MOVE, now);
	rq_add(rq, t, now);
	rq_unlock(rq);
	moved_wake(t);		/* in an interrupt: it is not freed before that ends */
	return true;
}

void balance_busy(struct rq *rq, u64 now)
{
	cpumask_t others = atomic_load(&cpu_online_mask) & ~BIT(rq->cpu), allowed = 0;
	struct task *t;
	u32 cpu;
	bool rotate;

	spin_lock(&rq->lock);
	t = fair_first(rq);
	for (u32 i = 0; t && i < LOOK_AT; i++, t = fair_next(t)) {
		if (stays_put(t, now))
			continue;
		allowed |= t->se.affinity;
		if (t->se.sync_placed) {
			struct sched_entity *waker = &rq->curr->se;	/* does not sleep */

			waker->wake_sleeps = (s8)-(2 << min(waker->wake_fails, 5));
			waker->wake_fails++;
			waker->woke_ns = 0;
			t->se.sync_placed = false;
		}
	}
	spin_unlock(&rq->lock);
	others &= allowed;
	if (!others)
		return;
	cpu = idle_near(rq->cpu, others);
	if (cpu != NO_CPU) {
		sched_resched_cpu(cpu);
		return;
	}
	if (now < rq->next_balance_ns)
		return;
	rotate = now >= rq->next_rotate_ns;
	rq->next_balance_ns = now + BALANCE_NS;
	if (hand_over(rq, least_loaded(rq->cpu, others), rotate, now) || rotate)
		rq->next_rotate_ns = now + ROTATE_NS;
}

void sched_exec(void)
{
	irqflags_t flags;
	struct rq *rq;
	u32 cpu;

	if (!sched_many())
		return;
	flags = arch_irq_save();
	rq = this_rq();
	cpu = READ_ONCE(rq->nr_running) > 1 ? idle_near(rq->cpu, task_cpus(current)) : NO_CPU;
	arch_irq_restore(flags);
	if (cpu != NO_CPU)
		sched_resched_cpu(cpu);		/* it takes one of those who wait here */
}
