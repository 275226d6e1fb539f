/* The scheduler.
 *
 * Theory.  One run queue a CPU, each under its own lock.  A runnable task is either the queue's curr or waits in it (fair tree, or
 * a real-time list); on_rq says it is one of the two.  Real-time tasks come before fair ones, the idle task when nobody else is
 * there.  There is no tick: the slice timer is armed only while somebody waits, and it is not moved at each switch; when it
 * fires early it sees that the running slice is younger, and arms itself again.
 *
 * Sleeping and waking.  A task changes its own state (set_current_state, with a full barrier), checks its condition, and calls
 * schedule(), which takes it off the queue under the queue's lock if the state still says so.  task_wake() sets the state back under
 * the same lock and puts it on the queue if it had left.  So either the waker finds it still on the queue, or it has switched out
 * entirely: the lock is held across the switch and released by whoever runs next (finish_switch).
 *
 * Preemption.  need_resched is a flag of the running task; the kernel looks at it on the way out of an interrupt, when
 * preempt_count falls to zero, and on the way to EL0.
 *
 * The switch.  prev calls arch_switch with the lock held and interrupts off; next continues behind its own arch_switch, or in
 * sched_first_run.  A dead prev's stack is freed there, since nobody can run on it any more.
 *
 * preempt_count of every task that is switched out is 1: the run queue's lock. */
#include <linux/sched.h>
#include <arch/context.h>
#include <arch/mmu.h>
#include <kernel/debug.h>
#include <kernel/debug/trace_point.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <kernel/sched/sched_internal.h>
#include <kernel/sync/lockcheck.h>
#include <kernel/time/clock.h>
#include <mm/slab.h>
#include <mm/vma.h>

DEFINE_PER_CPU(struct rq, runqueue);
void (*sched_send_ipi)(u32 cpu);

void set_current_state(u32 state)
{
	WRITE_ONCE(current->state, state);
	smp_mb();	/* the state before the condition; pairs with task_wake */
}

void resched_curr(struct rq *rq)
{
	atomic_fetch_or(&rq->curr->head.flags, TIF_NEED_RESCHED);
	if (rq->cpu != smp_cpu_id() && sched_send_ipi)
		sched_send_ipi(rq->cpu);
}

void update_curr(struct rq *rq, u64 now)
{
	struct task *t = rq->curr;
	u64 ran = now - t->se.exec_start;

	if (unlikely((s64)ran <= 0))
		return;
	t->se.exec_start = now;
	t->se.sum_exec += ran;
	if (unlikely(t->proc->cpu_watch))
		atomic_add(&t->proc->watch_ran_ns, ran);
	if (t != rq->idle && !task_is_rt(t))
		fair_charge(rq, t, ran);
}

void enqueue_waiting(struct rq *rq, struct task *t, bool head)
{
	if (task_is_rt(t))
		rt_enqueue(rq, t, head);
	else
		fair_enqueue(rq, t);
}

void dequeue_waiting(struct rq *rq, struct task *t)
{
	if (task_is_rt(t))
		rt_dequeue(rq, t);
	else
		fair_dequeue(rq, t);
}

/* How long curr may go on, from now: 0 if its turn is over, TIME_NEVER if nothing limits it. */
static u64 slice_left(struct rq *rq)
{
	struct task *t = rq->curr;

	if (t == rq->idle || rq->nr_running < 2 || (task_is_rt(t) && t->se.policy != SCHED_RR))
		return TIME_NEVER;
	if (t->se.policy == SCHED_RR)
		return RR_SLICE_NS;
	return SLICE_NS;
}

static void arm_slice(struct rq *rq, u64 now)
{
	u64 left = slice_left(rq);

	if (left != TIME_NEVER && !rq->slice.armed)
		timer_arm(&rq->slice, now + left);
}

static void slice_fired(struct timer *timer)
{
	struct rq *rq = container_of(timer, struct rq, slice);
	struct task *t;
	u64 now = clock_mono_ns(), left, deadline;

	spin_lock(&rq->lock);
	t = rq->curr;
	deadline = t->se.deadline;
	update_curr(rq, now);
	left = slice_left(rq);
	if (left != TIME_NEVER) {
		/* A fair turn is over when the virtual deadline moved; a real-time one each time its timer fires. */
		if (task_is_rt(t) || deadline != t->se.deadline || rt_top_prio(rq) >= 0)
			atomic_fetch_or(&t->head.flags, TIF_NEED_RESCHED);
		t->se.turn_over = task_is_rt(t);
		timer_arm(&rq->slice, now + left);
	}
	spin_unlock(&rq->lock);
}

static struct task *pick_next(struct rq *rq)
{
	struct task *t = rt_first(rq);

	if (!t)
		t = fair_first(rq);
	if (!t)
		return rq->idle;
	dequeue_waiting(rq, t);
	return t;
}

static void finish_switch(struct task *prev)
{
	struct rq *rq = this_rq();
	u32 prev_state = READ_ONCE(prev->state);

	lock_check_acquire(&rq->lock, LC_RQ, 0, true);
	atomic_store_release(&prev->on_cpu, 0u);
	spin_debug_release(&rq->lock);
	atomic_store_release(&rq->lock.locked, 0u);
	mm_switch_done();
	if (unlikely(prev_state == TASK_DEAD)) {
		ASSERT(!prev->se.on_rq);
		kstack_free(prev->stack);
		prev->stack = NULL;
		task_put(prev);
	}
	preempt_enable_no_resched();
	arch_irq_enable();
}

static void switch_to(struct rq *rq, struct task *prev, struct task *next, u64 ticks)
{
	rcu_note_switch();
	TRACE_TEXT(sched_switch, next->comm, (u64)prev->tid, prev->state, (u64)next->tid);
	rq->nr_switches++;
	rq->curr = next;
	prev->head.kernel_ticks += ticks - prev->head.entered;
	next->head.entered = ticks;
	if (prev != rq->idle)
		rq->system_ticks += prev->head.kernel_ticks - rq->curr_ticks0;
	rq->curr_ticks0 = next->head.kernel_ticks;
	if (next == rq->idle)
		rq->idle_since = prev->se.exec_start;
	else if (prev == rq->idle)
		rq->idle_ns += next->se.exec_start - rq->idle_since;
	atomic_store(&next->on_cpu, 1u);
	if (next->mm != prev->mm)
		mm_switch(prev->mm, next->mm);
	lock_check_release(&rq->lock, LC_RQ);
	finish_switch(arch_switch(prev, next));
}

/* One pass: choose, and switch if the choice is another.  preempted: curr stays runnable whatever its state says. */
static void schedule_once(bool preempted)
{
	struct task *prev = current, *next;
	struct rq *rq;
	u64 now, ticks;

	arch_irq_disable();
	rq = this_rq();
	spin_lock(&rq->lock);
	ticks = clock_counter();
	now = clock_counter_to_ns(ticks);
	atomic_fetch_and(&prev->head.flags, ~TIF_NEED_RESCHED);
	update_curr(rq, now);
	if (!preempted && prev->state != TASK_RUNNING && !((prev->state & TASK_INTERRUPTIBLE) && signal_pending())) {
		load_update(now);
		prev->se.on_rq = false;
		rq->nr_running--;
		prev->nvcsw++;
	} else if (prev != rq->idle) {
		if (!preempted)
			WRITE_ONCE(prev->state, TASK_RUNNING);
		enqueue_waiting(rq, prev, preempted && !prev->se.turn_over);
		prev->se.turn_over = false;
		prev->nivcsw += preempted;
	}
	next = pick_next(rq);
	next->se.exec_start = now;
	if (unlikely(next->proc->cpu_watch))
		cpu_watch_arm(&rq->watch, next->proc, now);
	if (next == prev) {
		arm_slice(rq, now);
		spin_unlock_irq(&rq->lock);
		return;
	}
	rq->curr = next;
	arm_slice(rq, now);
	switch_to(rq, prev, next, ticks);
}

void schedule(void)
{
	might_sleep();
	do
		schedule_once(false);
	while (unlikely(current_head()->flags & TIF_NEED_RESCHED));
}

void preempt_schedule(void)
{
	if (arch_irqs_disabled() || current_head()->preempt_count)
		return;		/* the way out of what turned them off looks again */
	do
		schedule_once(true);
	while (current_head()->flags & TIF_NEED_RESCHED);
}

void preempt_schedule_user(void)
{
	do
		schedule_once(true);
	while (current_head()->flags & TIF_NEED_RESCHED);
}

/* From the way out of an interrupt that hit the kernel: interrupts are off, preempt_count is 0. */
void preempt_schedule_irq(void)
{
	do {
		schedule_once(true);
		arch_irq_disable();
	} while (current_head()->flags & TIF_NEED_RESCHED);
}

void sched_first_run(struct task *prev)
{
	finish_switch(prev);
}

void sched_yield_current(void)
{
	struct rq *rq;

	arch_irq_disable();
	rq = this_rq();
	spin_lock(&rq->lock);
	update_curr(rq, clock_mono_ns());
	if (!task_is_rt(current) && rq->nr_fair)
		fair_yield(&current->se);
	spin_unlock_irq(&rq->lock);
	schedule();
}

static void wait_timed_out(struct timer *t);
struct wait_timer { struct timer timer; struct task *task; };

static void wait_timed_out(struct timer *t)
{
	task_wake_normal(container_of(t, struct wait_timer, timer)->task);
}

void schedule_until(u64 deadline_ns)
{
	struct wait_timer wt = { .task = current };

	if (deadline_ns == TIME_NEVER) {
		schedule();
		return;
	}
	timer_init(&wt.timer, wait_timed_out);
	timer_arm(&wt.timer, deadline_ns);
	schedule();
	timer_cancel_sync(&wt.timer);
}

struct rq *task_rq_lock(struct task *t, irqflags_t *flags)
{
	for (;;) {
		struct rq *rq = per_cpu_ptr(&runqueue, atomic_load(&t->se.cpu));

		*flags = spin_lock_irqsave(&rq->lock);
		if (likely(rq->cpu == t->se.cpu))
			return rq;
		spin_unlock_irqrestore(&rq->lock, *flags);
	}
}

/* Should the newly runnable t run instead of rq's curr? */
static bool should_preempt(struct rq *rq, struct task *t)
{
	struct task *curr = rq->curr;

	if (curr == rq->idle)
		return true;
	if (task_is_rt(t))
		return !task_is_rt(curr) || t->se.eff_prio > curr->se.eff_prio;
	return !task_is_rt(curr) && fair_preempts(t, curr);
}

static void activate(struct rq *rq, struct task *t)
{
	u64 now = clock_mono_ns();

	load_update(now);
	update_curr(rq, now);
	if (!task_is_rt(t))
		fair_place(rq, &t->se);
	enqueue_waiting(rq, t, false);
	t->se.on_rq = true;
	rq->nr_running++;
	if (should_preempt(rq, t))
		resched_curr(rq);
	else
		arm_slice(rq, now);
}

/* The CPU for a task that was asleep: where it was if that idles, else another idle one. */
static u32 choose_cpu(struct task *t)
{
	u32 here = t->se.cpu;
	cpumask_t allowed = t->se.affinity & atomic_load(&cpu_online_mask);

	if ((allowed & BIT(here)) && sched_cpu_is_idle(here))
		return here;
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		if ((allowed & BIT(cpu)) && sched_cpu_is_idle(cpu))
			return cpu;
	return (allowed & BIT(here)) || !allowed ? here : (u32)__builtin_ctzl(allowed);
}

/* t is RUNNING and on no queue, so nobody else activates it: it may go to another queue between two locks. */
static struct rq *move_to(struct rq *rq, struct task *t, u32 cpu)
{
	atomic_store(&t->se.cpu, cpu);
	spin_unlock(&rq->lock);
	rq = per_cpu_ptr(&runqueue, cpu);
	spin_lock(&rq->lock);
	return rq;
}

bool task_wake(struct task *t, u32 mask)
{
	struct rq *rq;
	irqflags_t flags;
	bool woke = false;

	smp_mb();	/* the waker's condition before the state; pairs with set_current_state */
	if (!(READ_ONCE(t->state) & mask))
		return false;
	rq = task_rq_lock(t, &flags);
	if (t->state & mask) {
		WRITE_ONCE(t->state, TASK_RUNNING);
		TRACE_TEXT(sched_wake, t->comm, (u64)t->tid, t->se.cpu);
		if (!t->se.on_rq) {
			u32 cpu = choose_cpu(t);

			if (cpu != rq->cpu)
				rq = move_to(rq, t, cpu);
			activate(rq, t);
		}
		woke = true;
	}
	spin_unlock_irqrestore(&rq->lock, flags);
	return woke;
}

void sched_fork(struct task *t)
{
	const struct sched_entity *p = &current->se;

	t->se = (struct sched_entity){
		.slice_ns = SLICE_NS, .nice = p->nice, .policy = p->policy, .rt_priority = p->rt_priority,
		.weight = p->weight, .affinity = p->affinity, .cpu = p->cpu, .vruntime = p->vruntime,
	};
	if (p->reset_on_fork) {
		t->se.nice = p->nice < 0 ? 0 : p->nice;
		if (t->se.rt_priority) {
			t->se.policy = SCHED_NORMAL;
			t->se.rt_priority = 0;
		}
		t->se.weight = fair_weight(t->se.nice, t->se.policy);
	}
	t->se.eff_prio = t->se.rt_priority;	/* what was lent to the parent is not inherited */
	t->head.preempt_count = 1;	/* finish_switch drops it */
	t->state = TASK_UNINTERRUPTIBLE;
}

void sched_wake_new(struct task *t)
{
	task_wake(t, TASK_UNINTERRUPTIBLE);
}

void __noreturn sched_exit(void)
{
	lock_check_none_held();
	arch_irq_disable();	/* a preemption now would queue the dead: finish_switch frees it */
	WRITE_ONCE(current->state, TASK_DEAD);
	schedule_once(false);
	panic("sched: a dead task was scheduled");
}

/* Change t's class or weight: take it off its queue, change it, put it back. */
bool sched_set_policy(struct task *t, u32 policy, u32 rt_priority, s32 nice)
{
	irqflags_t flags;
	struct rq *rq = task_rq_lock(t, &flags);
	bool waits = t->se.on_rq && rq->curr != t;

	update_curr(rq, clock_mono_ns());
	if (waits)
		dequeue_waiting(rq, t);
	t->se.policy = policy;
	t->se.rt_priority = rt_priority;
	t->se.eff_prio = max(rt_priority, t->se.boost);
	t->se.nice = nice;
	t->se.weight = fair_weight(nice, policy);
	t->se.slice_ns = SLICE_NS;
	if (!task_is_rt(t))
		fair_place(rq, &t->se);
	if (waits)
		enqueue_waiting(rq, t, false);
	if (t->se.on_rq)
		resched_curr(rq);
	spin_unlock_irqrestore(&rq->lock, flags);
	return true;
}

/* Only CPUs that run can be asked for; a task on a CPU it may no longer use moves when it next wakes. */
int sched_set_affinity(struct task *t, cpumask_t mask)
{
	irqflags_t flags;
	struct rq *rq;

	if (!(mask & atomic_load(&cpu_online_mask)))
		return -EINVAL;
	rq = task_rq_lock(t, &flags);
	t->se.affinity = mask;
	spin_unlock_irqrestore(&rq->lock, flags);
	return 0;
}

bool sched_cpu_is_idle(u32 cpu)
{
	struct rq *rq = per_cpu_ptr(&runqueue, cpu);

	return READ_ONCE(rq->curr) == rq->idle;
}

void sched_resched_cpu(u32 cpu)
{
	struct rq *rq = per_cpu_ptr(&runqueue, cpu);
	irqflags_t flags = spin_lock_irqsave(&rq->lock);

	resched_curr(rq);
	spin_unlock_irqrestore(&rq->lock, flags);
}

/* Under the lock t either runs, and is told, or has yet to be switched to, and sees the flag after that. */
void sched_kick(struct task *t)
{
	irqflags_t flags;
	struct rq *rq;

	if (t == current)
		return;
	rq = task_rq_lock(t, &flags);
	if (rq->curr == t && rq->cpu != smp_cpu_id())
		sched_send_ipi(rq->cpu);
	spin_unlock_irqrestore(&rq->lock, flags);
}

struct task *sched_curr_task(u32 cpu) { return READ_ONCE(per_cpu(runqueue, cpu).curr); }

struct task *sched_idle_task(u32 cpu)
{
	return per_cpu(runqueue, cpu).idle;
}

void __noreturn cpu_idle_loop(void)
{
	for (;;) {
		if (unlikely(READ_ONCE(log_wake_pending)))
			printk_wake_readers();	/* printk under a lock could not */
		arch_irq_disable();
		if (!(current_head()->flags & TIF_NEED_RESCHED))
			cpu_wait_for_interrupt();
		arch_irq_enable();	/* what woke us is handled here */
		if (current_head()->flags & TIF_NEED_RESCHED)
			schedule();
	}
}

void sched_init(void)
{
	struct rq *rq = this_rq();

	spin_lock_init(&rq->lock, LC_RQ);
	rq->cpu = smp_cpu_id();
	rq->curr = rq->idle = current;
	rq->fair = RB_ROOT;
	for (u32 i = 0; i < RT_PRIOS; i++)
		list_init(&rq->rt[i]);
	timer_init(&rq->slice, slice_fired);
	timer_init(&rq->watch, cpu_watch_fired);
	current->se = (struct sched_entity){
		.weight = WEIGHT_NICE0, .slice_ns = SLICE_NS, .policy = SCHED_NORMAL, .cpu = rq->cpu, .affinity = ~0ull,
	};
	current->on_cpu = 1;
	current->se.exec_start = rq->start_ns = rq->idle_since = clock_mono_ns();
	current->head.entered = clock_counter();
}

u64 sched_nr_running(void)
{
	u64 n = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		n += READ_ONCE(per_cpu(runqueue, cpu).nr_running);
	return n;
}

u64 sched_nr_switches(void)
{
	u64 n = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		n += READ_ONCE(per_cpu(runqueue, cpu).nr_switches);
	return n;
}

u64 sched_idle_ns(u32 cpu)
{
	struct rq *rq = per_cpu_ptr(&runqueue, cpu);
	irqflags_t flags = spin_lock_irqsave(&rq->lock);
	u64 ns = rq->idle_ns;

	if (rq->curr == rq->idle && clock_mono_ns() > rq->idle_since)
		ns += clock_mono_ns() - rq->idle_since;
	spin_unlock_irqrestore(&rq->lock, flags);
	return ns;
}
