/* membarrier(2): a barrier on every CPU that runs the caller's threads, paid by the caller alone.
 *
 * Theory.  The expedited commands interrupt the CPUs that run such a thread now, as told under each run queue's lock; the interrupt is
 * the barrier, and its return to EL0 synchronises the instruction stream.  The others need none: a CPU that ran one before has released that
 * lock since, before we took it, so that what the thread did is before us; one that will run one takes it after we released it, so that the
 * thread comes after what we did.  The calls' own full barriers order the caller's accesses on either side.
 *
 * MEMBARRIER_CMD_GLOBAL waits for a grace period, in which each CPU passes a context switch, idle, or an interrupt from EL0. */
#include <linux/membarrier.h>
#include <arch/smp.h>
#include <kernel/errno.h>
#include <kernel/proc/rseq.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/rcu.h>
#include <mm/vma.h>
#include <syscall_protos.h>

#define REGISTRATIONS	(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | \
			 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)
#define COMMANDS	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED | \
			 MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ | REGISTRATIONS)

static void barrier_here(void *arg)
{
	(void)arg;
	smp_mb();
	isb();
}

static void barrier_and_restart(void *arg)
{
	smp_mb();
	if (current->mm == arg)
		rseq_switched(current);
}

static bool runs_mm(const struct task *t, const void *mm)
{
	return t->mm == mm;
}

static bool runs_registered(const struct task *t, const void *arg)
{
	const struct mm *mm = READ_ONCE(t->mm);		/* freed a grace period later; preemption is off */

	(void)arg;
	return mm && (atomic_load(&mm->membarrier) & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
}

/* cpu: that one only; -1: all. */
static long private_barrier(u32 registration, void (*fn)(void *), int cpu)
{
	struct mm *mm = current->mm;
	cpumask_t cpus;

	if (!(atomic_load(&mm->membarrier) & registration))
		return -EPERM;
	if (refcount_read(&mm->users) == 1)
		return 0;
	smp_mb();
	cpus = sched_cpus_running(runs_mm, mm);
	if (cpu >= 0)
		cpus &= (u32)cpu < NR_CPUS ? BIT(cpu) : 0;
	preempt_disable();
	cpus &= ~BIT(smp_cpu_id());	/* where we have been meanwhile, a switch was the barrier */
	if (cpus)
		smp_call(cpus, fn, mm);
	preempt_enable();
	smp_mb();
	return 0;
}

static long global_expedited(void)
{
	cpumask_t cpus;

	smp_mb();
	cpus = sched_cpus_running(runs_registered, NULL);
	if (cpus)
		smp_call(cpus, barrier_here, NULL);
	smp_mb();
	return 0;
}

long sys_membarrier(int cmd, unsigned flags, int cpu)
{
	if (cmd == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ ? flags & ~(unsigned)MEMBARRIER_CMD_FLAG_CPU : flags)
		return -EINVAL;
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY:
		return COMMANDS;
	case MEMBARRIER_CMD_GLOBAL:
		synchronize_rcu();
		return 0;
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		return global_expedited();
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		return private_barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, barrier_here, -1);
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		return private_barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, barrier_here, -1);
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
		return private_barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, barrier_and_restart, flags ? cpu : -1);
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED: case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		atomic_fetch_or(&current->mm->membarrier, (u32)cmd);
		return 0;
	default:
		return -EINVAL;
	}
}
