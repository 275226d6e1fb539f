/* Read-copy-update.
 *
 * Theory.  A reader is any stretch with preemption or interrupts off.  So a CPU that passes through the scheduler, though it goes on with
 * the same task, or sleeps in the idle loop, has left every section that was open before.  Callbacks queue per CPU; a grace-period
 * thread takes them all at once, notes every CPU's count of passes, and waits until each has passed since or sleeps, nudging
 * laggards with a reschedule interrupt (there is no tick that would do it; a lone hog passes, and stays).  The
 * thread's own CPU is quiescent by the thread's running there at all.  Then it runs the callbacks, in a thread, with interrupts on.
 *
 * To keep a fork-and-exit load from switching to the thread for each callback, it is woken when a batch is full, or after a delay.
 *
 * Order: call_rcu's caller unpublished the object before; the thread's full barrier after taking the list and before reading the
 * counts makes that visible before any count is sampled; a reader's CPU orders its reads before its own count's release store.
 *
 * A CPU that sleeps says so in `asleep`, with interrupts off, so that the interrupt that ends its sleep is handled after it has taken
 * that back: the barrier there comes before the first read of a handler, and pairs with the one before asleep is read here.
 *
 * Rejected: counting readers (a shared write in each section); per-object epochs. */
#include <kernel/sync/rcu.h>
#include <kernel/debug.h>
#include <kernel/sched/deferred.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>

#define BATCH		256
#define BUDGET		2048	/* callbacks run one after the other before programs */
#define DELAY_NS	(10 * NSEC_PER_MSEC)
#define NUDGE_NS	(2 * NSEC_PER_MSEC)

struct rcu_cpu {
	struct spinlock lock;		/* LC_RCU */
	struct rcu_head *head, **tail;	/* [lock] */
	u32 count;			/* [lock] */
	u64 passes;			/* [a] through the scheduler; written by its CPU */
	u32 asleep;			/* [a] in the idle loop, between two instructions; written by its CPU */
	bool ready;
};
static DEFINE_PER_CPU(struct rcu_cpu, rcu_cpu);

static DEFINE_WAIT_QUEUE(rcu_wq);
static u32 rcu_wanted;			/* [a] the thread has work */
static struct timer rcu_timer;
static bool rcu_started;

static void rcu_kick(void)
{
	atomic_store_release(&rcu_wanted, 1u);
	wake_up(&rcu_wq);
}

static void rcu_timer_fired(struct timer *t)
{
	(void)t;
	rcu_kick();
}

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *))
{
	irqflags_t flags = arch_irq_save();
	struct rcu_cpu *rc = this_cpu_ptr(&rcu_cpu);
	u32 count;

	head->func = func;
	head->next = NULL;
	spin_lock(&rc->lock);
	if (!rc->head)
		rc->tail = &rc->head;
	*rc->tail = head;
	rc->tail = &head->next;
	count = ++rc->count;
	spin_unlock(&rc->lock);
	if (rcu_started && count == 1)
		timer_arm(&rcu_timer, clock_mono_ns() + DELAY_NS);
	arch_irq_restore(flags);
	if (rcu_started && count == BATCH)
		rcu_kick();
}

void rcu_note_pass(void)
{
	struct rcu_cpu *rc = this_cpu_ptr(&rcu_cpu);

	atomic_store_release(&rc->passes, rc->passes + 1);
}

void rcu_sleep_begin(void)
{
	atomic_store_release(&this_cpu(rcu_cpu).asleep, 1u);
}

void rcu_sleep_end(void)
{
	atomic_store(&this_cpu(rcu_cpu).asleep, 0u);
	smp_mb();	/* pairs with synchronize_rcu */
}

static struct rcu_head *rcu_take(u32 cpu, struct rcu_head *list)
{
	struct rcu_cpu *rc = per_cpu_ptr(&rcu_cpu, cpu);
	irqflags_t flags = spin_lock_irqsave(&rc->lock);

	if (rc->head) {
		*rc->tail = list;
		list = rc->head;
		rc->head = NULL;
		rc->count = 0;
	}
	spin_unlock_irqrestore(&rc->lock, flags);
	return list;
}

void synchronize_rcu(void)
{
	u64 seen[NR_CPUS];
	cpumask_t online;

	might_sleep();
	smp_mb();	/* the caller's unpublishing before the counts; pairs with rcu_note_pass's release, and rcu_sleep_end */
	online = atomic_load(&cpu_online_mask);		/* who is not in it yet reads nothing older: arch/arm64/smp.c */
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		seen[cpu] = (online & BIT(cpu)) ? atomic_load_acquire(&per_cpu(rcu_cpu, cpu).passes) : 0;
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		/* Our own running here, preemptible, is a quiescent state of this CPU; if we migrate, so was the old one. */
		while ((online & BIT(cpu)) && cpu != smp_cpu_id() && !atomic_load_acquire(&per_cpu(rcu_cpu, cpu).asleep) &&
		       atomic_load_acquire(&per_cpu(rcu_cpu, cpu).passes) == seen[cpu]) {
			sched_resched_cpu(cpu);
			sleep_ns(NUDGE_NS);
		}
	}
	smp_mb();	/* readers' last accesses before the caller frees */
}

static void rcu_run(struct deferred *d, struct rcu_head *list)
{
	while (list) {
		struct rcu_head *next = list->next;

		list->func(list);
		list = next;
		deferred_spend(d, 1);
	}
}

static void rcu_thread(void *arg)
{
	struct deferred d;

	(void)arg;
	deferred_init(&d, BUDGET);
	for (;;) {
		struct rcu_head *list = NULL;

		if (!atomic_load_acquire(&rcu_wanted))
			deferred_rest(&d);
		wait_event_interruptible(&rcu_wq, atomic_load_acquire(&rcu_wanted));
		atomic_store(&rcu_wanted, 0u);
		for (u32 cpu = 0; cpu < nr_cpus; cpu++)
			if (per_cpu(rcu_cpu, cpu).ready)
				list = rcu_take(cpu, list);
		if (!list)
			continue;
		synchronize_rcu();
		rcu_run(&d, list);
	}
}

struct rcu_barrier_head { struct rcu_head rcu; struct completion done; };

static void rcu_barrier_done(struct rcu_head *head)
{
	complete(&container_of(head, struct rcu_barrier_head, rcu)->done);
}

/* One grace-period thread runs all lists in order, so a callback queued last on this CPU, taken in the same round or a later one
 * than those of other CPUs, runs after them only if they were queued before: two rounds make it so for every CPU. */
void rcu_barrier(void)
{
	for (int round = 0; round < 2; round++) {
		struct rcu_barrier_head b;

		completion_init(&b.done);
		call_rcu(&b.rcu, rcu_barrier_done);
		rcu_kick();
		wait_for_completion(&b.done);
	}
}

void rcu_cpu_init(u32 cpu)
{
	struct rcu_cpu *rc = per_cpu_ptr(&rcu_cpu, cpu);

	spin_lock_init(&rc->lock, LC_RCU);
	rc->head = NULL;
	rc->tail = &rc->head;
	rc->ready = true;
}

void rcu_init(void)
{
	rcu_cpu_init(0);
	timer_init(&rcu_timer, rcu_timer_fired);
	VERIFY(kthread_create(rcu_thread, NULL, "rcu"));
	rcu_started = true;
}
