#include <linux/sched.h>
#include <arch/irqflags.h>
#include <kernel/sched/sched.h>
#include <kernel/task.h>
#include <kernel/time/time.h>
#include <mm/vma.h>
#include <tests/kernel/runner.h>

static void runner_main(void *arg)
{
	struct runner *r = arg;

	wait_for_completion(&r->go);
	r->fn(r->arg);
	complete(&r->done);
	kthread_exit();
}

bool runner_create(struct runner *r, void (*fn)(void *), void *arg)
{
	r->fn = fn;
	r->arg = arg;
	completion_init(&r->go);
	completion_init(&r->done);
	r->task = kthread_create(runner_main, r, "ktest");
	if (!r->task)
		return false;
	task_get(r->task);	/* it is parked, so it lives */
	return sched_set_affinity(r->task, 1) == 0;
}

void runner_go(struct runner *r)
{
	complete(&r->go);
}

void runner_join(struct runner *r)
{
	wait_for_completion(&r->done);
	task_put(r->task);
}

bool runner_start(struct runner *r, void (*fn)(void *), void *arg)
{
	if (!runner_create(r, fn, arg))
		return false;
	runner_go(r);
	return true;
}

bool runner_sleeps(struct runner *r)
{
	for (u32 i = 0; i < 10000; i++) {
		u32 state = READ_ONCE(r->task->state);

		if (state != TASK_RUNNING && !READ_ONCE(r->task->se.on_rq))
			return true;
		sched_yield_current();
		if (i > 100)
			sleep_ns(NSEC_PER_MSEC);
	}
	return false;
}

void self_fifo(u32 priority)
{
	sched_set_affinity(current, 1);
	sched_set_policy(current, SCHED_FIFO, priority, 0);
}

void self_fair(void)
{
	sched_set_policy(current, SCHED_NORMAL, 0, 0);
	sched_set_affinity(current, ~0ull);
}

void borrow_mm(struct mm *mm)
{
	irqflags_t flags;
	struct mm *old;

	preempt_disable();
	flags = arch_irq_save();
	old = current->mm;
	current->mm = mm;
	if (old != mm)
		mm_switch(mm);
	arch_irq_restore(flags);
	preempt_enable();
}
