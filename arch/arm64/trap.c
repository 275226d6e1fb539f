/* From syndrome to handler.
 *
 * A synchronous trap from EL0 is a system call (entry.S sends it straight to the dispatcher), a fault that mm resolves, or the
 * program's fault, answered by a signal with Linux's code and address.  One from EL1 is a fault of a user access, resolved by mm or
 * through the fix-up table; anything else there is ours, and a panic.
 * Specification: Arm ARM D13.2.37 (ESR_EL1); Linux man signal(7), sigaction(2) for the codes. */
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/fpsimd.h>
#include <arch/irqflags.h>
#include <arch/ptrace.h>
#include <arch/uaccess.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/proc/rseq.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/lockcheck.h>
#include <mm/vma.h>
#include "trap.h"

#define ESR_EC(esr)	((esr) >> 26 & 0x3f)
#define ESR_WNR		BIT(6)
#define ESR_FSC(esr)	((esr) & 0x3f)
#define ESR_CM		BIT(8)

enum {
	EC_UNKNOWN = 0x00, EC_WFX = 0x01, EC_FP = 0x07, EC_BTI = 0x0d, EC_ILLEGAL = 0x0e, EC_SVC32 = 0x11, EC_SVC64 = 0x15, EC_SYS64 = 0x18,
	EC_IABT_LOW = 0x20, EC_IABT = 0x21, EC_PC_ALIGN = 0x22, EC_DABT_LOW = 0x24, EC_DABT = 0x25, EC_SP_ALIGN = 0x26, EC_FP64 = 0x2c,
	EC_SERROR = 0x2f, EC_BREAK_LOW = 0x30, EC_STEP_LOW = 0x32, EC_WATCH_LOW = 0x34, EC_BRK64 = 0x3c,
};

const char *esr_class_name(u64 esr)
{
	switch (ESR_EC(esr)) {
	case EC_UNKNOWN: return "undefined instruction";
	case EC_WFX: return "trapped WFI or WFE";
	case EC_FP: return "trapped FP access";
	case EC_BTI: return "branch target exception";
	case EC_ILLEGAL: return "illegal execution state";
	case EC_SVC64: return "SVC";
	case EC_SYS64: return "trapped system register access";
	case EC_IABT_LOW: return "instruction abort from EL0";
	case EC_IABT: return "instruction abort at EL1";
	case EC_PC_ALIGN: return "PC alignment";
	case EC_DABT_LOW: return "data abort from EL0";
	case EC_DABT: return "data abort at EL1";
	case EC_SP_ALIGN: return "SP alignment";
	case EC_FP64: return "floating-point exception";
	case EC_SERROR: return "SError";
	case EC_BRK64: return "BRK instruction";
	default: return "exception";
	}
}

static const char *fsc_name(u64 esr)
{
	switch (ESR_FSC(esr) & ~3u) {
	case 0x00: return "address size fault";
	case 0x04: return "translation fault";
	case 0x08: return "access flag fault";
	case 0x0c: return "permission fault";
	case 0x10: return "external abort";
	case 0x20: return "alignment fault";
	default: return "fault";
	}
}

static bool is_abort(u64 esr)
{
	u32 ec = ESR_EC(esr);

	return ec == EC_IABT_LOW || ec == EC_IABT || ec == EC_DABT_LOW || ec == EC_DABT;
}

void regs_print(const struct trap_frame *tf, u64 esr, u64 far)
{
	pr_err("trap: esr %08lx: %s\n", esr, esr_class_name(esr));
	if (is_abort(esr))
		pr_err("trap: %s, level %lu, on %s of %016lx\n", fsc_name(esr), esr & 3,
		       ESR_EC(esr) <= EC_IABT ? "execution" : esr & ESR_WNR ? "write" : "read", far);
	frame_print(tf);
}

/* The signal and code for a fault that mm did not take because the address space has nothing to say about it. */
static void bad_abort(u64 esr, u64 far)
{
	switch (ESR_FSC(esr) & ~3u) {
	case 0x20:
		signal_force(SIGBUS, BUS_ADRALN, far);
		break;
	case 0x10:
		signal_force(SIGBUS, BUS_OBJERR, far);
		break;
	default:
		signal_force(SIGSEGV, SEGV_MAPERR, far);
	}
}

static bool fsc_for_mm(u64 esr)
{
	u32 kind = ESR_FSC(esr) & ~3u;

	return kind == 0x04 || kind == 0x08 || kind == 0x0c;
}

static void user_abort(u64 esr, u64 far, bool exec)
{
	int code = 0, sig;
	u32 flags = FAULT_USER | (exec ? FAULT_EXEC : 0);

	current->arch.far = far;
	current->arch.esr = esr;
	if (!fsc_for_mm(esr) || far >= USER_END) {
		bad_abort(esr, far);
		return;
	}
	if (!exec && (esr & ESR_WNR) && !(esr & ESR_CM))
		flags |= FAULT_WRITE;
	sig = mm_fault(current->mm, far, flags, &code);
	if (sig > 0)
		signal_force(sig, code, far);
}

void trap_el0_sync(struct trap_frame *tf, u64 esr, u64 far)
{
	arch_irq_enable();
	switch (ESR_EC(esr)) {
	case EC_DABT_LOW:
		user_abort(esr, far, false);
		break;
	case EC_IABT_LOW:
		user_abort(esr, far, true);
		break;
	case EC_PC_ALIGN:
		signal_force(SIGBUS, BUS_ADRALN, far);
		break;
	case EC_SP_ALIGN:
		signal_force(SIGBUS, BUS_ADRALN, tf->sp);
		break;
	case EC_FP64:
		signal_force(SIGFPE, esr & 1 ? FPE_FLTINV : esr & 2 ? FPE_FLTDIV : esr & 4 ? FPE_FLTOVF : esr & 8 ? FPE_FLTUND :
			     esr & 16 ? FPE_FLTRES : FPE_FLTINV, tf->pc);
		break;
	case EC_BRK64:
		signal_force(SIGTRAP, TRAP_BRKPT, tf->pc);
		break;
	case EC_BREAK_LOW:
		arch_hw_debug_trap(tf->pc);
		break;
	case EC_WATCH_LOW:
		arch_hw_debug_trap(far);
		break;
	case EC_STEP_LOW:
		arch_step_trap(tf);
		break;
	case EC_WFX:
		tf->pc += 4;	/* a hint */
		frame_changed();
		break;
	default:
		signal_force(SIGILL, ILL_ILLOPC, tf->pc);
	}
}

extern char user_access_start[], user_access_end[];

/* A data abort at EL1: a user access if the address is a user's and the instruction is one of user_copy.S. */
void trap_el1_sync(struct trap_frame *tf, u64 esr, u64 far)
{
	if (ESR_EC(esr) == EC_DABT && far < USER_END && tf->pc >= (u64)user_access_start && tf->pc < (u64)user_access_end) {
		int code;
		u64 fixup;

		if (current->mm && !current->nofault && fsc_for_mm(esr)) {
			arch_irq_restore(tf->pstate & 0x3c0);
			if (!in_atomic() && mm_fault(current->mm, far, esr & ESR_WNR ? FAULT_WRITE : 0, &code) == 0)
				return;
			arch_irq_disable();
		}
		fixup = extable_find(tf->pc);
		if (fixup) {
			tf->pc = fixup;
			return;
		}
	}
	panic_trap(tf, esr, far, "%s in the kernel", esr_class_name(esr));
}

void trap_irq(struct trap_frame *tf)
{
	irq_dispatch(tf);
}

static const char *const vector_names[16] = {
	"synchronous, EL1 with SP_EL0", "IRQ, EL1 with SP_EL0", "FIQ, EL1 with SP_EL0", "SError, EL1 with SP_EL0",
	"synchronous, EL1", "IRQ, EL1", "FIQ, EL1", "SError, EL1",
	"synchronous, EL0", "IRQ, EL0", "FIQ, EL0", "SError, EL0", "AArch32", "AArch32", "AArch32", "AArch32",
};

void trap_bad(struct trap_frame *tf, u32 vector, u64 esr, u64 far)
{
	panic_trap(tf, esr, far, "unexpected exception: %s", vector_names[vector & 15]);
}

void trap_stack_overflow(struct trap_frame *tf, u64 esr, u64 far)
{
	panic_trap(tf, esr, far, "kernel stack overflow: sp %016lx, stack %016lx-%016lx", tf->sp,
		   (u64)current->stack, (u64)current->stack + KERNEL_STACK_SIZE);
}

#ifdef CONFIG_DEBUG
/* Somebody changed the frame and forgot frame_changed(). */
void trap_frame_stale(struct trap_frame *tf)
{
	panic_trap(tf, 0, 0, "ELR %016lx, SPSR %lx, SP_EL0 %016lx are not what the frame says", read_sysreg(elr_el1), read_sysreg(spsr_el1),
		   read_sysreg(sp_el0));
}
#endif

#define EXIT_WORK (TIF_NEED_RESCHED | TIF_NOTIFY | TIF_SIGPENDING | TIF_RSEQ)

void exit_to_user_work(struct trap_frame *tf)
{
	u32 flags;

	while ((flags = atomic_load(&current->head.flags)) & EXIT_WORK) {
		arch_irq_enable();
		if (flags & TIF_NEED_RESCHED)
			preempt_schedule_user();
		if (flags & TIF_NOTIFY)
			task_work_run();
		if (flags & TIF_SIGPENDING)
			signal_deliver(tf);
		if (flags & TIF_RSEQ)
			rseq_resume(tf);
		arch_irq_disable();
	}
	if (flags & TIF_FP_RESTORE)
		fpsimd_restore_current();
	if (unlikely(flags & (TIF_DEBUG | TIF_HWDEBUG)))
		arch_debug_load(flags);
	lock_check_none_held();
}
