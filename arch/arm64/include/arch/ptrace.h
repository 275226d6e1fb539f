/* A program's registers as debuggers and core dumps see them, and stepping. */
#pragma once
#include <kernel/lib/types.h>

struct task;
struct trap_frame;

/* A set of registers, as the notes of ELF core files name them.  t: current, or asleep and kept so by the caller. */
struct arch_regset {
	u32 type;			/* NT_* */
	u32 unit, size;			/* bytes: what is written is a multiple of unit; all of it */
	void (*get)(struct task *t, void *regs);
	int (*set)(struct task *t, const void *regs, size_t len);	/* len bytes are new, the rest is as get told; 0, -EINVAL, -ENOSPC */
};
/* arch_regset_find - by type; NULL: the machine has none such. */
const struct arch_regset *arch_regset_find(u32 type);
/* arch_regset_at - the i-th; NULL: there are no more. */
const struct arch_regset *arch_regset_at(u32 i);
/* arch_step_on - t, which stands still, makes one instruction of the program and then takes SIGTRAP; at_once: it takes it before the first, since
 * it is in the middle of a system call, which is the step.  arch_step_off - not any more; t in any state. */
void arch_step_on(struct task *t, bool at_once);
void arch_step_off(struct task *t);
/* arch_step_rewind - current's call begins anew: the step is still to come. */
void arch_step_rewind(struct trap_frame *tf);
/* arch_debug_load - on the way to EL0 with TIF_DEBUG or TIF_HWDEBUG (flags), interrupts off.  arch_debug_unload - t, whose debug state is loaded,
 * leaves the CPU. */
void arch_debug_load(u32 flags);
void arch_debug_unload(struct task *t);
/* arch_hw_debug_trap - current comes to a breakpoint at addr, or watches addr.  arch_hw_debug_exec - current becomes another program, without any. */
void arch_hw_debug_trap(u64 addr);
void arch_hw_debug_exec(void);
/* arch_step_trap - the exception of a step.  arch_debug_init - this CPU, at its start. */
void arch_step_trap(struct trap_frame *tf);
void arch_debug_init(void);
