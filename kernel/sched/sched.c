/* The scheduler.
 *
 * Theory.  One run queue a CPU, each under its own lock.  A runnable task is either the queue's curr or waits in it (fair tree, or
 * a real-time list), or it is in flight from one queue to another; on_rq says it is one of the three.  Real-time tasks come before fair
 * ones, the idle task when nobody else is there.  There is no tick: the slice timer is armed only while somebody waits, always by the
 * queue's own CPU, and it is not moved at each switch; when it fires early it sees that the running slice is younger, and arms itself
 * again.
 *
 * Sleeping and waking.  A task changes its own state (set_current_state, with a full barrier), checks its condition, and calls
 * schedule(), which takes it off the queue under the queue's lock if the state still says so.  task_wake() sets the state back under
 * the same lock and puts it on a queue if it had left.  So either the waker finds it still on the queue, or it has switched out
 * entirely: the lock is held across the switch and released by whoever runs next (finish_switch).  That is all the handshake there is
 * between a waker and a CPU that is just putting the task away; nobody spins on on_cpu.
 *
 * From queue to queue.  se.cpu names the queue a task is or was on; it changes only under that queue's lock, by who has the task to
 * himself: a waker (state RUNNING, on_rq false), a thief who holds both locks, or the mover of one in flight.  The two locks are taken one
 * after the other, so none is held while another is waited for; a thief, who holds his own, only tries the other.  se.cpu is stored with
 * release and read with acquire (task_rq_lock): who takes the new queue's lock because he read the new number sees what was written under
 * the old lock.  A task's registers are in memory before the lock it switched out under is released, and who puts it on a queue held that
 * lock after that; so the CPU that takes it from the queue, under that queue's lock, sees them.
 *
 * Virtual time is the queue's own, so a fair task takes along how far it is from min_vruntime.
 *
 * Kicks.  What one CPU wants of another is always the same: look again.  rq->kick is noted under the lock and sent after it is dropped
 * (rq_unlock, finish_switch): the other passes through schedule(), and fetches there what is better than what it has (rt_pull,
 * steal_task).  So nobody ever pushes a task onto another's queue with two locks held.
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
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <kernel/debug.h>
#include <kernel/debug/trace_point.h>
#include <kernel/debug/watchdog.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/printk.h>
#include <kernel/proc/rseq.h>
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

/* The flag, then the interrupt (which the controller orders after it); who finds the flag set knows that the interrupt is on its way. */
void resched_curr(struct rq *rq)
{
	u32 old = atomic_fetch_or(&rq->curr->head.flags, TIF_NEED_RESCHED);

	if (rq->cpu != smp_cpu_id() && !(old & TIF_NEED_RESCHED) && sched_send_ipi)
		sched_send_ipi(rq->cpu);
	if (rq->curr != rq->idle)
		watchdog_poke();
}

void rq_unlock(struct rq *rq)
{
	u32 kick = rq->kick;

	rq->kick = NO_CPU;
	spin_unlock(&rq->lock);
	if (unlikely(kick != NO_CPU))
		sched_resched_cpu(kick);
}

void update_curr(struct rq *rq, u64 now)
{
	struct task *t = rq->curr;
	u64 ran = now - t->se.exec_start;

	if (unlikely((s64)ran <= 0))
		return;
	t->se.exec_start = now;
	WRITE_ONCE(t->se.sum_exec, t->se.sum_exec + ran);
	if (unlikely(atomic_load(&t->proc->cpu_watch)))
		atomic_add(&t->proc->watch_ran_ns, ran);
	if (unlikely(task_is_rt(t)))
		rq->rt_time += t->se.eff_prio < RT_KERNEL_PRIO ? ran : 0;
	else if (t != rq->idle)
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

	if (t == rq->idle || rq->nr_running < 2)
		return TIME_NEVER;
	if (task_is_rt(t))
		return t->se.policy == SCHED_RR ? (u64)READ_ONCE(sched_rr_ns) : TIME_NEVER;
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
		/* A fair turn is over when the virtual deadline moved, or for one who woke when it had just begun; a real-time one each time its timer
		 * fires. */
		if (task_is_rt(t) || deadline != t->se.deadline || rt_top_prio(rq) >= 0 || (rq->nr_fair && fair_preempts(fair_first(rq), t)))
			resched_curr(rq);
		t->se.turn_over = task_is_rt(t);
		timer_arm(&rq->slice, now + left + (task_is_rt(t) ? 0 : now & ODD_NS));
		sample_passing(rq, now);
	}
	spin_unlock(&rq->lock);
	if (left != TIME_NEVER && sched_many())
		balance_busy(rq, now);
}

/* Somebody waits now who did not: there must be a slice timer.  Only its own CPU arms it; another is made to pass by schedule().  That one may
 * be taking the timer off its tree just now, under the timer base's lock: armed as seen before, slice_fired() waits for rq->lock and arms it
 * anew; not armed as seen after, schedule() is asked for once too often. */
static void want_slice(struct rq *rq, struct task *t, u64 now)
{
	if (rq->cpu != smp_cpu_id()) {
		if (!READ_ONCE(rq->slice.armed) && slice_left(rq) != TIME_NEVER)
			resched_curr(rq);
	} else if (unlikely(t->se.sync_placed) && (!rq->slice.armed || rq->slice.expires_ns > now + SYNC_WAIT_NS)) {
		timer_arm(&rq->slice, now + SYNC_WAIT_NS);
	} else {
		arm_slice(rq, now);
	}
}

static inline void count_up(struct rq *rq, u64 now)
{
	if (rq->nr_running++ == 1)
		rq->stall.wait_since = now;
}

static inline void count_down(struct rq *rq, u64 now)
{
	if (--rq->nr_running == 1)
		rq->stall.wait_ns += now - rq->stall.wait_since;
}

static struct task *pick_next(struct rq *rq, u64 now)
{
	struct task *t = rt_first(rq);

	if (unlikely(rq->rt_throttled) && t && t->se.eff_prio < RT_KERNEL_PRIO && rq->nr_fair)
		t = NULL;
	if (!t)
		t = fair_first(rq);
	if (!t)
		return rq->idle;
	dequeue_waiting(rq, t);
	t->se.run_delay_ns += now - t->se.queued_ns;
	return t;
}

/* What rq runs next: of its own, or another's if that goes before, or it has none. */
static struct task *choose(struct rq *rq, u64 now)
{
	struct task *t;

	if (unlikely(atomic_load(&rt_overload)))
		rt_pull(rq);
	t = pick_next(rq, now);
	if (t == rq->idle && sched_many() && steal_task(rq, now))
		t = pick_next(rq, now);
	if (unlikely(rq->rt_bitmap[0] | rq->rt_bitmap[1] | rq->rt_overloaded) && sched_many())
		rt_waiting_changed(rq);
	return t;
}

/* irqs_off: they stay off. */
static void finish_switch(struct task *prev, bool irqs_off)
{
	struct rq *rq = this_rq();
	u32 prev_state = READ_ONCE(prev->state), kick = rq->kick;
	bool in_flight = prev->se.in_flight, moves = in_flight | prev->se.move_watched;

	lock_check_acquire(&rq->lock, LC_RQ, 0, true);
	if (unlikely(kick != NO_CPU))
		rq->kick = NO_CPU;
	atomic_store_release(&prev->on_cpu, 0u);
	spin_debug_release(&rq->lock);
	atomic_store_release(&rq->lock.locked, 0u);
	if (unlikely(kick != NO_CPU))
		sched_resched_cpu(kick);
	if (unlikely(moves))
		finish_move(rq, prev, in_flight);	/* still a grace period away from being freed */
	if (unlikely(prev_state == TASK_DEAD)) {
		ASSERT(!prev->se.on_rq);
		kstack_free(prev->stack);
		prev->stack = NULL;
		task_put(prev);
	}
	preempt_enable_no_resched();
	if (!irqs_off)
		arch_irq_enable();
}

/* Between work and idling. */
static void account_switch(struct rq *rq, struct task *prev, struct task *next)
{
	if (next == rq->idle) {
		rq->idle_since = prev->se.exec_start;
		sample_end(rq);
	} else if (prev == rq->idle) {
		u64 idle = next->se.exec_start - rq->idle_since;

		rq->idle_ns += idle;
		rq->avg_idle_ns += ((s64)min(idle, NSEC_PER_MSEC) - (s64)rq->avg_idle_ns) / 8;
		sample_begin(rq, next->se.exec_start);
	}
}

static void switch_to(struct rq *rq, struct task *prev, struct task *next, bool irqs_off)
{
	rseq_switched(prev);
	TRACE_TEXT(sched_switch, next->comm, (u64)prev->tid, prev->state, (u64)next->tid);
	rq->nr_switches++;
	rq->turn_since = next->se.exec_start;
	account_switch(rq, prev, next);
	if (unlikely(rq->nr_iowait | rq->nr_memstall))
		stall_changed(rq, next->se.exec_start);
	atomic_store(&next->on_cpu, 1u);
	if (next->mm != prev->mm)
		mm_switch(next->mm);
	lock_check_release(&rq->lock, LC_RQ);
	finish_switch(arch_switch(prev, next), irqs_off);
}

/* prev goes to sleep. */
static void put_to_sleep(struct rq *rq, struct task *prev, u64 now)
{
	load_update(now);
	prev->se.on_rq = false;
	count_down(rq, now);
	prev->nvcsw++;
	if (unlikely(prev->state & TASK_UNINTERRUPTIBLE)) {
		if (!(prev->state & TASK_WAKEKILL))
			hung_task_poke();
		rq->nr_uninterruptible += !(prev->pflags & PF_KTHREAD);
		rq->nr_iowait += prev->se.in_iowait;
	}
	/* Does it wake somebody and then sleep?  See select_cpu. */
	if (prev->se.woke_ns) {
		bool soon = now - prev->se.woke_ns < SOON_NS;

		prev->se.wake_sleeps = (s8)(soon ? min(prev->se.wake_sleeps + 1, 4) : prev->se.wake_sleeps / 2);
		if (prev->se.wake_sleeps == 4)
			prev->se.wake_fails = 0;
		prev->se.woke_ns = 0;
	}
}

/* prev goes on, now or later. */
static void put_back(struct rq *rq, struct task *prev, bool preempted, u64 now)
{
	if (!preempted)
		WRITE_ONCE(prev->state, TASK_RUNNING);
	prev->nivcsw += preempted;
	prev->se.queued_ns = now;
	if (unlikely(!(prev->se.affinity & BIT(rq->cpu)))) {
		prev->se.in_flight = true;	/* finish_switch takes it elsewhere */
		count_down(rq, now);
	} else {
		enqueue_waiting(rq, prev, preempted && !prev->se.turn_over);
	}
	prev->se.turn_over = false;
}

/* One pass: choose, and switch if the choice is another.  preempted: curr stays runnable whatever its state says.  irqs_off: it returns with
 * interrupts off, when curr runs again. */
static void schedule_once(bool preempted, bool irqs_off)
{
	struct task *prev = current, *next;
	struct rq *rq;
	u64 now;

	arch_irq_disable();
	rq = this_rq();
	spin_lock(&rq->lock);
	now = clock_mono_ns();
	atomic_fetch_and(&prev->head.flags, ~TIF_NEED_RESCHED);
	WRITE_ONCE(rq->nr_passes, rq->nr_passes + 1);
	update_curr(rq, now);
	if (!preempted && prev->state != TASK_RUNNING && !((prev->state & TASK_INTERRUPTIBLE) && signal_pending()))
		put_to_sleep(rq, prev, now);
	else if (prev != rq->idle)
		put_back(rq, prev, preempted, now);
	next = choose(rq, now);
	next->se.exec_start = now;
	if (unlikely(atomic_load(&next->proc->cpu_watch)))
		cpu_watch_arm(&rq->watch, next->proc, now);
	if (unlikely(task_is_rt(next)) && !rq->rt_timer.armed)
		rt_period_begin(rq, now);
	rq->curr = next;
	arm_slice(rq, now);
	rcu_note_pass();
	if (next == prev) {
		preempt_disable();	/* the caller looks at the flag, not the unlocking */
		rq_unlock(rq);
		if (!irqs_off)
			arch_irq_enable();
		preempt_enable_no_resched();
		return;
	}
	switch_to(rq, prev, next, irqs_off);
}

void schedule(void)
{
	might_sleep();
	if (unlikely(current->plug))
		current->plug->flush(current->plug);
	if (unlikely(current->pflags & PF_WORKER) && READ_ONCE(current->state) != TASK_RUNNING)
		work_sleeps();
	do
		schedule_once(false, false);
	while (unlikely(need_resched()));
}

void preempt_schedule(void)
{
	if (arch_irqs_disabled() || current_head()->preempt_count)
		return;		/* the way out of what turned them off looks again */
	do
		schedule_once(true, false);
	while (need_resched());
}

void preempt_schedule_user(void)
{
	do
		schedule_once(true, false);
	while (need_resched());
}

/* From the way out of an interrupt that hit the kernel: interrupts are off, preempt_count is 0.  They stay off until the frame of that
 * interrupt is gone from the stack: a storm of them would else put one on top of the other, each come just as the idle task runs again. */
void preempt_schedule_irq(void)
{
	do {
		schedule_once(true, true);
	} while (need_resched());
}

void sched_first_run(struct task *prev)
{
	finish_switch(prev, false);
}

/* A real-time task goes behind its equals by being scheduled; a fair one gives the rest of its turn away first. */
void sched_yield_current(void)
{
	if (!task_is_rt(current)) {
		struct rq *rq;

		arch_irq_disable();
		rq = this_rq();
		spin_lock(&rq->lock);
		if (rq->nr_fair) {
			update_curr(rq, clock_mono_ns());
			fair_yield(&current->se);
		}
		spin_unlock_irq(&rq->lock);
	}
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
		struct rq *rq = cpu_rq(atomic_load_acquire(&t->se.cpu));

		*flags = spin_lock_irqsave(&rq->lock);
		if (likely(rq->cpu == atomic_load(&t->se.cpu)))
			return rq;
		spin_unlock_irqrestore(&rq->lock, *flags);
	}
}

/* Should the newly runnable t run instead of rq's curr?  A fair one waits for the slice timer if curr has just begun, unless curr is idle's kind:
 * two that wake each other for every piece of work would else switch for each. */
static bool should_preempt(struct rq *rq, struct task *t, u64 now)
{
	struct task *curr = rq->curr;
	bool throttled = unlikely(rq->rt_throttled);

	if (curr == rq->idle)
		return true;
	if (task_is_rt(t))
		return t->se.eff_prio > curr->se.eff_prio && (!throttled || t->se.eff_prio == RT_KERNEL_PRIO);
	if (task_is_rt(curr))
		return throttled && curr->se.eff_prio < RT_KERNEL_PRIO;
	return (now >= rq->turn_since + TURN_LEAST_NS || curr->se.policy == SCHED_IDLE) && fair_preempts(t, curr);
}

void rq_enqueue(struct rq *rq, struct task *t, u64 now)
{
	if (!task_is_rt(t))
		fair_place(rq, &t->se);
	t->se.queued_ns = now;
	enqueue_waiting(rq, t, false);
	t->se.on_rq = true;
	t->se.in_flight = false;
	count_up(rq, now);
}

void rq_add(struct rq *rq, struct task *t, u64 now)
{
	update_curr(rq, now);
	rq_enqueue(rq, t, now);
	if (should_preempt(rq, t, now)) {
		resched_curr(rq);
	} else {
		if (unlikely(task_is_rt(t)))
			rt_waiting_changed(rq);
		want_slice(rq, t, now);
	}
}

void rq_remove(struct rq *rq, struct task *t, u64 now)
{
	dequeue_waiting(rq, t);
	count_down(rq, now);
}

/* Its mask may have changed between the two locks, and an idle CPU may have found work; then it is chosen again, that once. */
struct rq *move_to(struct rq *rq, struct task *t, u32 cpu, u32 flags, u64 now)
{
	bool again = cpu_is_free(cpu);

	while (cpu != rq->cpu) {
		u64 min = rq->min_vruntime;

		if (unlikely(t->se.in_memstall))
			memstall_leave(rq, t, now);
		atomic_store_release(&t->se.cpu, cpu);
		spin_unlock(&rq->lock);
		rq = cpu_rq(cpu);
		spin_lock(&rq->lock);
		t->se.vruntime += rq->min_vruntime - min;
		if (unlikely(t->se.in_memstall))
			memstall_join(rq, t, now);
		if ((task_cpus(t) & BIT(cpu)) && !(again && rq->nr_running))
			break;
		again = false;
		cpu = select_cpu(t, flags);
	}
	return rq;
}

/* t, RUNNING since a moment ago, was asleep: put it on a queue.  Returns that, locked. */
static struct rq *activate(struct rq *rq, struct task *t, u32 was, u32 flags)
{
	u64 now = clock_mono_ns();

	WRITE_ONCE(t->se.rt_since, t->se.sum_exec);
	load_update(now);
	if (unlikely(was & TASK_UNINTERRUPTIBLE) && !(flags & WAKE_FORK)) {
		rq->nr_uninterruptible -= !(t->pflags & PF_KTHREAD);
		if (t->se.in_iowait) {
			rq->nr_iowait--;
			stall_changed(rq, now);
		}
	}
	if (sched_many()) {
		u32 cpu = select_cpu(t, flags);

		if (!in_irq())
			current->se.woke_ns = now;
		rq = move_to(rq, t, cpu, flags, now);
	}
	rq_add(rq, t, now);
	return rq;
}

static bool wake(struct task *t, u32 mask, u32 how)
{
	struct rq *rq;
	irqflags_t flags;
	u32 was;

	smp_mb();	/* the waker's condition before the state; pairs with set_current_state */
	if (!(READ_ONCE(t->state) & mask))
		return false;
	rq = task_rq_lock(t, &flags);
	was = READ_ONCE(t->state);	/* t itself goes back to running without the lock */
	if (was & mask) {
		WRITE_ONCE(t->state, TASK_RUNNING);
		TRACE_TEXT(sched_wake, t->comm, (u64)t->tid, t->se.cpu);
		if (!t->se.on_rq)
			rq = activate(rq, t, was, how);
	}
	rq_unlock_irqrestore(rq, flags);
	return was & mask;
}

bool task_wake(struct task *t, u32 mask)
{
	return wake(t, mask, 0);
}

void sched_fork(struct task *t)
{
	const struct sched_entity *p = &current->se;
	irqflags_t flags;
	struct rq *rq = task_rq_lock(current, &flags);	/* others change our policy, and what belongs to it, under it */

	t->se = (struct sched_entity){
		.slice_ns = SLICE_NS, .nice = p->nice, .policy = p->policy, .rt_priority = p->rt_priority,
		.weight = p->weight, .affinity = p->affinity, .cpu = p->cpu, .vruntime = p->vruntime, .wake_sleeps = p->wake_sleeps,
	};
	if (READ_ONCE(p->reset_on_fork)) {
		t->se.nice = p->nice < 0 ? 0 : p->nice;
		if (t->se.rt_priority) {
			t->se.policy = SCHED_NORMAL;
			t->se.rt_priority = 0;
		}
		t->se.weight = fair_weight(t->se.nice, t->se.policy);
	}
	rq_unlock_irqrestore(rq, flags);
	t->se.eff_prio = t->se.rt_priority;	/* what was lent to the parent is not inherited */
	t->head.preempt_count = 1;	/* finish_switch drops it */
	t->state = TASK_UNINTERRUPTIBLE;
}

void sched_wake_new(struct task *t, bool vfork)
{
	wake(t, TASK_UNINTERRUPTIBLE, WAKE_FORK | (vfork ? WAKE_VFORK : 0));
}

void __noreturn sched_exit(void)
{
	lock_check_none_held();
	arch_irq_disable();	/* a preemption now would queue the dead: finish_switch frees it */
	WRITE_ONCE(current->state, TASK_DEAD);
	schedule_once(false, false);
	panic("sched: a dead task was scheduled");
}

/* Change t's class or weight: take it off its queue, change it, put it back.  Locks: rq's. */
static void change_policy(struct rq *rq, struct task *t, u32 policy, u32 rt_priority, s32 nice)
{
	bool waits = task_waits(rq, t);

	update_curr(rq, clock_mono_ns());
	if (waits)
		dequeue_waiting(rq, t);
	if (!t->se.rt_priority)
		WRITE_ONCE(t->se.rt_since, t->se.sum_exec);
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
}

bool sched_set_policy(struct task *t, u32 policy, u32 rt_priority, s32 nice)
{
	irqflags_t flags;
	struct rq *rq = task_rq_lock(t, &flags);

	change_policy(rq, t, policy, rt_priority, nice == NICE_KEEP ? t->se.nice : nice);
	spin_unlock_irqrestore(&rq->lock, flags);
	return true;
}

void sched_set_nice(struct task *t, s32 nice)
{
	irqflags_t flags;
	struct rq *rq = task_rq_lock(t, &flags);

	change_policy(rq, t, t->se.policy, t->se.rt_priority, nice);
	spin_unlock_irqrestore(&rq->lock, flags);
}

void sched_params(struct task *t, struct sched_params *p)
{
	irqflags_t flags;
	struct rq *rq = task_rq_lock(t, &flags);

	*p = (struct sched_params){ t->se.policy, t->se.rt_priority, t->se.nice, READ_ONCE(t->se.reset_on_fork) };
	spin_unlock_irqrestore(&rq->lock, flags);
}

u64 sched_rt_ran(const struct task *t)
{
	u64 since = READ_ONCE(t->se.rt_since), sum = READ_ONCE(t->se.sum_exec);

	return READ_ONCE(t->se.rt_priority) && sum > since ? sum - since : 0;
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

bool sched_cpu_asked(u32 cpu, u64 *passes)
{
	struct rq *rq = cpu_rq(cpu);
	struct task *t = READ_ONCE(rq->curr);

	*passes = READ_ONCE(rq->nr_passes);
	return t && (atomic_load(&t->head.flags) & TIF_NEED_RESCHED);
}

struct task *sched_curr_task(u32 cpu) { return READ_ONCE(per_cpu(runqueue, cpu).curr); }

struct task *sched_idle_task(u32 cpu)
{
	return per_cpu(runqueue, cpu).idle;
}

static void sleep_until_interrupt(void)
{
	rcu_sleep_begin();
	cpu_wait_for_interrupt();
	rcu_sleep_end();
}

void __noreturn cpu_idle_loop(void)
{
	for (;;) {
		if (unlikely(READ_ONCE(log_wake_pending)))
			printk_wake_readers();	/* printk under a lock could not */
		arch_irq_disable();
		if (!need_resched())
			sleep_until_interrupt();
		arch_irq_enable();	/* what woke us is handled here */
		if (need_resched())
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
	rq->kick = NO_CPU;
	rq->avg_idle_ns = NSEC_PER_MSEC;
	for (u32 i = 0; i < RT_PRIOS; i++)
		list_init(&rq->rt[i]);
	timer_init(&rq->slice, slice_fired);
	timer_init(&rq->watch, cpu_watch_fired);
	timer_init(&rq->rt_timer, rt_timer_fired);
	sample_init(rq);
	balance_init(rq);
	cpu_tell_number(rq->cpu);
	current->se = (struct sched_entity){
		.weight = WEIGHT_NICE0, .slice_ns = SLICE_NS, .policy = SCHED_NORMAL, .cpu = rq->cpu, .affinity = ~0ull,
	};
	current->on_cpu = 1;
	current->se.exec_start = rq->start_ns = rq->idle_since = clock_mono_ns();
}
