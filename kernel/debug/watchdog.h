/* Who does not get on: CPUs that do not schedule though asked to, tasks that sleep uninterruptibly for too long.  Theory in watchdog.c. */
#pragma once
#include <arch/cpu.h>
#include <kernel/lib/types.h>

struct task;
DECLARE_PER_CPU(u32, watchdog_armed);
extern u32 hung_task_armed;

void watchdog_arm(void);
void hung_task_arm(void);
/* watchdog_poke - a CPU has been asked to schedule: see to it that somebody looks whether it does.  hung_task_poke - current goes to sleep
 * uninterruptibly: see to it that somebody looks how long.  Cheap while armed.  Context: irqs off, a run queue's lock may be held. */
static inline void watchdog_poke(void)
{
	if (unlikely(!this_cpu(watchdog_armed)))
		watchdog_arm();
}
static inline void hung_task_poke(void)
{
	if (unlikely(!READ_ONCE(hung_task_armed)))
		hung_task_arm();
}

/* For tests: limits in ns instead of those of /proc/sys (0: those again; on return nobody looks for lockups with the old ones, context:
 * thread), reports so far, and the last task reported (to compare with; it may be gone). */
void watchdog_limits(u64 lockup_ns, u64 hung_ns);
u64 watchdog_lockups(void), hung_tasks_found(void), hung_task_scans(void);
const struct task *hung_task_last(void);
