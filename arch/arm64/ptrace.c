/* Registers for debuggers, and single steps.
 *
 * Stepping.  PSTATE.SS set on the way to EL0, with MDSCR_EL1.SS, makes the CPU take an exception after one instruction; with PSTATE.SS clear it takes
 * it at once.  The CPU keeps the bit over interrupts and faults, and clears it when the instruction, be it a system call, is done.  So it
 * is set once, in the frame of the thread that stands still, and a system call, an exec and a handler's frame end in a step at the instruction they
 * lead to.  TIF_DEBUG says that a thread is stepped; MDSCR_EL1.SS is set on its way to EL0 and cleared when it leaves the CPU (arch.debug_live).
 * Breakpoints and watchpoints in registers come and go with it, by the same two functions: hw_debug.c.
 * Arm ARM D2.12 (software step exceptions); the layouts are Linux's, <asm/ptrace.h>. */
#include <asm/ptrace.h>
#include <linux/elf.h>
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/fpsimd.h>
#include <arch/irqflags.h>
#include <arch/ptrace.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/signal.h>
#include <kernel/task.h>
#include "hw_debug.h"

#define MDSCR_SS	BIT(0)
#define MDSCR_MDE	BIT(15)
#define PSR_NZCV	0xf0000000ul

_Static_assert(offsetof(struct trap_frame, pstate) == offsetof(struct user_pt_regs, pstate), "x0 to pstate have one layout");

static void get_general(struct task *t, void *regs) { memcpy(regs, task_frame(t), sizeof(struct user_pt_regs)); }

static int set_general(struct task *t, const void *regs, size_t len)
{
	struct user_pt_regs r = *(const struct user_pt_regs *)regs;
	struct trap_frame *tf = task_frame(t);

	(void)len;
	if (r.pstate & (PSTATE_MODE_MASK | 0x3d0))		/* another exception level, AArch32, or interrupts off */
		return -EINVAL;
	r.pstate = (r.pstate & PSR_NZCV) | (tf->pstate & PSTATE_SS);
	memcpy(tf, &r, sizeof(r));
	return 0;
}

static void get_fp(struct task *t, void *regs)
{
	struct user_fpsimd_state *fp = regs;

	if (t == current)
		fpsimd_save_current();
	memset(fp, 0, sizeof(*fp));
	memcpy(fp->vregs, t->arch.fp.v, sizeof(fp->vregs));
	fp->fpsr = t->arch.fp.fpsr;
	fp->fpcr = t->arch.fp.fpcr;
}

static int set_fp(struct task *t, const void *regs, size_t len)
{
	const struct user_fpsimd_state *fp = regs;

	(void)len;
	t->arch.fp_cpu = ~0u;		/* no CPU has them */
	atomic_fetch_or(&t->head.flags, TIF_FP_RESTORE);
	memcpy(t->arch.fp.v, fp->vregs, sizeof(fp->vregs));
	t->arch.fp.fpsr = fp->fpsr;
	t->arch.fp.fpcr = fp->fpcr;
	return 0;
}

static void get_tls(struct task *t, void *regs)
{
	*(u64 *)regs = t == current ? read_sysreg(tpidr_el0) : t->arch.tls;
}

static int set_tls(struct task *t, const void *regs, size_t len)
{
	(void)len;
	t->arch.tls = *(const u64 *)regs;
	return 0;
}

static void get_call(struct task *t, void *regs) { *(s32 *)regs = (s32)task_frame(t)->syscallno; }

static int set_call(struct task *t, const void *regs, size_t len)
{
	(void)len;
	task_frame(t)->syscallno = *(const s32 *)regs;
	return 0;
}

static const struct arch_regset regsets[] = {
	{ NT_PRSTATUS, 8, sizeof(struct user_pt_regs), get_general, set_general },
	{ NT_PRFPREG, 4, sizeof(struct user_fpsimd_state), get_fp, set_fp },
	{ NT_ARM_TLS, 8, 8, get_tls, set_tls },
	{ NT_ARM_SYSTEM_CALL, 4, 4, get_call, set_call },
	{ NT_ARM_HW_BREAK, 4, sizeof(struct user_hwdebug_state), hw_break_get, hw_break_set },
	{ NT_ARM_HW_WATCH, 4, sizeof(struct user_hwdebug_state), hw_watch_get, hw_watch_set },
};

const struct arch_regset *arch_regset_find(u32 type)
{
	for (u32 i = 0; i < ARRAY_SIZE(regsets); i++)
		if (regsets[i].type == type)
			return &regsets[i];
	return NULL;
}

const struct arch_regset *arch_regset_at(u32 i) { return i < ARRAY_SIZE(regsets) ? &regsets[i] : NULL; }

/* --- stepping */

void arch_step_on(struct task *t, bool at_once)
{
	struct trap_frame *tf = task_frame(t);

	tf->pstate = at_once ? tf->pstate & ~PSTATE_SS : tf->pstate | PSTATE_SS;
	atomic_fetch_or(&t->head.flags, TIF_DEBUG);
}

void arch_step_off(struct task *t)
{
	atomic_fetch_and(&t->head.flags, ~TIF_DEBUG);
}

void arch_step_rewind(struct trap_frame *tf)
{
	if (atomic_load(&current->head.flags) & TIF_DEBUG) {
		tf->pstate |= PSTATE_SS;
		frame_changed();
	}
}

void arch_debug_load(u32 flags)
{
	if (current->arch.debug_live)
		return;
	current->arch.debug_live = true;
	if (flags & TIF_HWDEBUG)
		hw_debug_load(current);
	write_sysreg(read_sysreg(mdscr_el1) | (flags & TIF_DEBUG ? MDSCR_SS : 0) | (flags & TIF_HWDEBUG ? MDSCR_MDE : 0), mdscr_el1);
	isb();
}

void arch_debug_unload(struct task *t)
{
	t->arch.debug_live = false;
	write_sysreg(read_sysreg(mdscr_el1) & ~(MDSCR_SS | MDSCR_MDE), mdscr_el1);
	if (t->arch.hw)
		hw_debug_unload(t);
	isb();
}

void arch_step_trap(struct trap_frame *tf)
{
	if (atomic_load(&current->head.flags) & TIF_DEBUG) {
		signal_force(SIGTRAP, TRAP_TRACE, tf->pc);
		return;
	}
	arch_irq_disable();		/* a tracer has gone meanwhile */
	if (current->arch.debug_live)
		arch_debug_unload(current);
	arch_irq_enable();
}

void arch_debug_init(void)
{
	write_sysreg(0, osdlr_el1);	/* the OS lock, which keeps all debug exceptions away, is set at reset */
	write_sysreg(0, oslar_el1);
	hw_debug_init();
	isb();
}
