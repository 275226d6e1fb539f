/* System calls: from number to handler.  No lock, no shared write of its own. */
#include <arch/trapframe.h>
#include <kernel/errno.h>
#include <kernel/syscall/syscall.h>
#include <kernel/syscall/trace.h>
#include <kernel/task.h>

void syscall_dispatch(struct trap_frame *tf)
{
	u64 nr = (u64)tf->syscallno;
	long (*fn)(const u64 *);
	long ret;

	if (unlikely(nr >= NR_SYSCALLS || !(fn = syscall_table[nr]))) {
		tf->x[0] = (u64)-ENOSYS;
		return;
	}
	if (unlikely(current->head.flags & TIF_TRACE)) {
		syscall_trace(tf, fn);
		return;
	}
	ret = fn(tf->x);
	tf->x[0] = (u64)ret;
}
