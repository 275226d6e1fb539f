/* Tasks as the architecture sees them: switch, first run, FP state, backtraces.
 *
 * FP.  The kernel never uses FP registers.  TIF_FP_RESTORE on a task means its state is in memory (arch.fp), not in the registers;
 * the way out to EL0 loads it then.  A task that leaves the CPU without the flag has its registers saved; fp_owner remembers whose
 * state the registers still hold, so that coming back from a kernel thread loads nothing. */
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/fpsimd.h>
#include <arch/irqflags.h>
#include <arch/ptrace.h>
#include <arch/unwind.h>
#include <kernel/debug.h>
#include <kernel/lib/string.h>
#include <kernel/task.h>
#include <mm/vma.h>

struct task *cpu_switch(u64 *save_sp, u64 next_sp, struct task *prev, struct task *next);
void first_run_kernel(void);
void first_run_user(void);
void __noreturn arch_enter_user_at(struct trap_frame *tf);
void __noreturn kthread_returned(void);
void fp_save(struct fp_state *fp);
void fp_restore(const struct fp_state *fp);

static DEFINE_PER_CPU(struct task *, fp_owner);

void fpsimd_switch(struct task *prev, struct task *next)
{
	if (!(prev->pflags & PF_KTHREAD) && !(atomic_load(&prev->head.flags) & TIF_FP_RESTORE)) {
		fp_save(&prev->arch.fp);
		prev->arch.fp_cpu = smp_cpu_id();
		this_cpu(fp_owner) = prev;
	}
	if (next->pflags & PF_KTHREAD)
		return;
	if (this_cpu(fp_owner) == next && next->arch.fp_cpu == smp_cpu_id())
		atomic_fetch_and(&next->head.flags, ~TIF_FP_RESTORE);
	else
		atomic_fetch_or(&next->head.flags, TIF_FP_RESTORE);
}

void fpsimd_restore_current(void)
{
	struct task *t = current;

	fp_restore(&t->arch.fp);
	t->arch.fp_cpu = smp_cpu_id();
	this_cpu(fp_owner) = t;
	atomic_fetch_and(&t->head.flags, ~TIF_FP_RESTORE);
}

void fpsimd_save_current(void)
{
	preempt_disable();
	if (!(atomic_load(&current->head.flags) & TIF_FP_RESTORE))
		fp_save(&current->arch.fp);
	preempt_enable();
}

void fpsimd_changed_current(void)
{
	preempt_disable();	/* a switch in between would make the registers ours again */
	current->arch.fp_cpu = ~0u;
	atomic_fetch_or(&current->head.flags, TIF_FP_RESTORE);
	preempt_enable();
}

struct task *arch_switch(struct task *prev, struct task *next)
{
	fpsimd_switch(prev, next);
	if (unlikely(prev->arch.debug_live))
		arch_debug_unload(prev);
	if (!(prev->pflags & PF_KTHREAD))
		prev->arch.tls = read_sysreg(tpidr_el0);
	if (!(next->pflags & PF_KTHREAD))
		write_sysreg(next->arch.tls, tpidr_el0);
	return cpu_switch(&prev->arch.sp, next->arch.sp, prev, next);
}

/* What cpu_switch pops: x29, x30, x19 ... x28 in pairs. */
struct switch_frame { u64 x29, x30, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28; };

struct trap_frame *task_frame(struct task *t)
{
	return (struct trap_frame *)t->head.kernel_sp - 1;
}

struct trap_frame *current_frame(void)
{
	return task_frame(current);
}

void arch_thread_init_kernel(struct task *t, void (*fn)(void *), void *arg)
{
	struct switch_frame *sf = (struct switch_frame *)task_frame(t) - 1;

	*(struct task **)t->head.kernel_sp = t;
	memset(task_frame(t), 0, sizeof(struct trap_frame));
	*sf = (struct switch_frame){ .x30 = (u64)first_run_kernel, .x19 = (u64)fn, .x20 = (u64)arg };
	t->arch.sp = (u64)sf;
}

void arch_thread_init_user(struct task *t, const struct trap_frame *tf, u64 tls, bool set_tls)
{
	struct switch_frame *sf = (struct switch_frame *)task_frame(t) - 1;

	*(struct task **)t->head.kernel_sp = t;
	*task_frame(t) = *tf;
	task_frame(t)->x[0] = 0;
	*sf = (struct switch_frame){ .x30 = (u64)first_run_user };
	t->arch.sp = (u64)sf;
	t->arch.tls = set_tls ? tls : read_sysreg(tpidr_el0);
	fpsimd_save_current();
	t->arch.fp = current->arch.fp;
	t->arch.fp_cpu = ~0u;
	atomic_fetch_or(&t->head.flags, TIF_FP_RESTORE);
}

void arch_exec_setup(struct trap_frame *tf, u64 pc, u64 sp)
{
	arch_hw_debug_exec();
	*tf = (struct trap_frame){ .pc = pc, .sp = sp, .pstate = PSTATE_EL0t, .syscallno = -1 };
	frame_changed();
	fpsimd_changed_current();
	memset(&current->arch.fp, 0, sizeof(current->arch.fp));
	current->arch.tls = 0;
	write_sysreg(0, tpidr_el0);
}

void arch_enter_user(void)
{
	arch_enter_user_at(current_frame());
}

void kthread_returned(void)
{
	panic("a kernel thread (%s) returned", current->comm);
}

/* arch_unwind - return addresses by the frame-pointer chain, from pc on; stops at the first record that is not on this stack. */
int arch_unwind(u64 fp, u64 pc, u64 *pcs, int max)
{
	int n = 0;

	if (pc && n < max)
		pcs[n++] = pc;
	while (n < max && fp && IS_ALIGNED(fp, 8) && fp >= LINEAR_BASE) {
		const u64 *record = (const u64 *)fp;
		u64 next = record[0];

		if (!record[1])
			break;
		pcs[n++] = record[1] - 4;
		if (next <= fp || next - fp > KERNEL_STACK_SIZE)
			break;
		fp = next;
	}
	return n;
}
