/* System calls: from number to handler.  entry.S looks up the handler and calls it with the program's x0 to x5 where they are; what
 * is not so simple comes here.  No lock, no shared write of its own: calls are counted for each CPU (by entry.S, with interrupts off),
 * and /proc/syscalls adds them up. */
#include <arch/cpu.h>
#include <arch/trapframe.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/debug/trace_point.h>
#include <kernel/errno.h>
#include <kernel/proc/ptrace.h>
#include <kernel/proc/seccomp.h>
#include <kernel/syscall/syscall.h>
#include <kernel/syscall/trace.h>
#include <kernel/task.h>

DEFINE_PER_CPU(u64, syscall_counts[NR_SYSCALLS]);

long syscall_none(void)
{
	return -ENOSYS;
}

static void call(struct trap_frame *tf)
{
	u64 nr;
	syscall_fn *fn;

	if ((atomic_load(&current->head.flags) & TIF_SECCOMP) && !seccomp_call(tf))
		return;
	nr = (u64)tf->syscallno;
	if (nr >= NR_SYSCALLS || syscall_table[nr] == syscall_none) {
		tf->x[0] = (u64)-ENOSYS;
		return;
	}
	fn = (syscall_fn *)syscall_table[nr];
	TRACE_TEXT(call_enter, syscall_descs[nr].name, nr, tf->x[0], tf->x[1], tf->x[2]);
	if (atomic_load(&current->head.flags) & TIF_TRACE)
		syscall_trace(tf, fn);
	else
		tf->x[0] = (u64)fn(tf->x[0], tf->x[1], tf->x[2], tf->x[3], tf->x[4], tf->x[5]);
	TRACE_TEXT(call_exit, syscall_descs[nr].name, nr, tf->x[0]);
}

/* A number beyond the table, or a task with TIF_CALL_WORK. */
void syscall_slow(struct trap_frame *tf)
{
	if (!(atomic_load(&current->head.flags) & (TIF_PTRACE_CALL | TIF_PTRACE_SKIP)) || ptrace_call_enter(tf))
		call(tf);
	if (atomic_load(&current->head.flags) & TIF_PTRACE_CALL)	/* the tracer may have lost interest, or come meanwhile */
		ptrace_call_exit(tf);
}

static int counts_show(struct seq *s, void *arg)
{
	(void)arg;
	for (u32 nr = 0; nr < NR_SYSCALLS; nr++) {
		u64 n = 0;

		for (u32 cpu = 0; cpu < nr_cpus; cpu++)
			if (cpu_online_mask & BIT(cpu))
				n += READ_ONCE(per_cpu_ptr(&syscall_counts[0], cpu)[nr]);
		if (n && syscall_descs[nr].name)
			seq_printf(s, "%s %lu\n", syscall_descs[nr].name, n);
	}
	return 0;
}
PROC_FILE(syscalls, .path = "syscalls", .mode = 0444, .show = counts_show);
