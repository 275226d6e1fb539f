/* membarrier(2): a barrier on every CPU that runs the caller's threads, paid by the caller alone.
 *
 * A grace period is such a barrier: each CPU has passed a context switch, idle, or an interrupt from EL0 since, all of which order memory
 * and (by the exception return) synchronise its instruction stream.  So one answer serves every command; a process with a single thread
 * needs none for the private ones.  Rejected until there are more CPUs: an interrupt to each, sooner than the grace period. */
#include <linux/membarrier.h>
#include <kernel/errno.h>
#include <kernel/sync/rcu.h>
#include <kernel/task.h>
#include <mm/vma.h>
#include <syscall_protos.h>

#define REGISTRATIONS	(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | \
			 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)
#define COMMANDS	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED | \
			 MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | REGISTRATIONS)

static long private_barrier(u32 registration)
{
	if (!(atomic_load(&current->mm->membarrier) & registration))
		return -EPERM;
	smp_mb();
	if (refcount_read(&current->mm->users) > 1)
		synchronize_rcu();
	return 0;
}

long sys_membarrier(int cmd, unsigned flags, int cpu)
{
	(void)cpu;
	if (flags)
		return -EINVAL;
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY:
		return COMMANDS;
	case MEMBARRIER_CMD_GLOBAL: case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		synchronize_rcu();
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		return private_barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		return private_barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE);
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED: case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		atomic_fetch_or(&current->mm->membarrier, (u32)cmd);
		return 0;
	default:
		return -EINVAL;
	}
}
