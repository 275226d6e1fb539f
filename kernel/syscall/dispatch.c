/* System calls: from number to handler.  entry.S looks up the handler and calls it with the program's x0 to x5 where they are; what
 * is not so simple comes here.  No lock, no shared write of its own. */
#include <arch/trapframe.h>
#include <kernel/errno.h>
#include <kernel/syscall/syscall.h>
#include <kernel/syscall/trace.h>

long syscall_none(void)
{
	return -ENOSYS;
}

/* A number beyond the table, or a traced task. */
void syscall_slow(struct trap_frame *tf)
{
	if ((u64)tf->syscallno >= NR_SYSCALLS || syscall_table[tf->syscallno] == syscall_none)
		tf->x[0] = (u64)-ENOSYS;
	else
		syscall_trace(tf, (syscall_fn *)syscall_table[tf->syscallno]);
}
