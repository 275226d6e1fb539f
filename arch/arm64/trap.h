/* Traps: what entry.S and the other files of this directory call. */
#pragma once
#include <arch/trapframe.h>

void trap_el0_sync(struct trap_frame *tf, u64 esr, u64 far);
void trap_el1_sync(struct trap_frame *tf, u64 esr, u64 far);
void trap_irq(struct trap_frame *tf);
void __noreturn trap_bad(struct trap_frame *tf, u32 vector, u64 esr, u64 far);
void __noreturn trap_stack_overflow(struct trap_frame *tf, u64 esr, u64 far);
/* exit_to_user_work - before a return to EL0 with work flagged.  Enters and leaves with interrupts off. */
void exit_to_user_work(struct trap_frame *tf);
/* trap_frame_stale - debug: the frame is not what ELR, SPSR and SP_EL0 hold, and nobody said so */
void __noreturn trap_frame_stale(struct trap_frame *tf);
u64 extable_find(u64 pc);
/* regs_print - registers and the syndrome in words, into the log */
void regs_print(const struct trap_frame *tf, u64 esr, u64 far);
const char *esr_class_name(u64 esr);
