/* Exception entry and exit: the only place that saves and restores a trap frame.
 *
 * From EL0 the frame lies at the top of the kernel stack (SP_EL1 is task->head.kernel_sp then), with the task's address in the word
 * above it.  x18 is current while the kernel runs (the kernel is compiled with -ffixed-x18); the program's x18 is in the frame.
 * SP_EL0 is the program's stack pointer, here and there.
 * After a plain call SP_EL0, ELR and SPSR still hold what the frame says and are not written: each such write ends a translation
 * block under TCG.  head.stale says that they do not: every exception from EL1 and every switch sets it, and whoever changes pc, sp
 * or pstate in a frame outside exit_to_user_work (frame_changed() in arch/context.h).  The debug build compares them.
 * From EL1 the frame is pushed onto the current stack, after a look whether there is one: stacks are 16 KiB in 32 KiB slots, so
 * bit 14 of a good stack pointer is clear; if not, the fault is reported from a spare stack.
 * The two words that a system call's frame has for restart are a frame record there, so that a walk passes through.
 * Specification: Arm ARM D1.10 (vectors), D1.13. */
#include <arch/asm.h>
#include <syscall_nr.h>

#define FRAME		288
#define F_SP		248
#define F_PC		256
#define F_ORIG		272
#define T_FLAGS		0
#define T_STALE		4
#define T_COUNT		8
#define TIF_NEED_RESCHED_BIT	0
#define TIF_CALL_WORK_BIT	3

	.macro save_regs
	stp	x0, x1, [sp, #16 * 0]
	stp	x2, x3, [sp, #16 * 1]
	stp	x4, x5, [sp, #16 * 2]
	stp	x6, x7, [sp, #16 * 3]
	stp	x8, x9, [sp, #16 * 4]
	stp	x10, x11, [sp, #16 * 5]
	stp	x12, x13, [sp, #16 * 6]
	stp	x14, x15, [sp, #16 * 7]
	stp	x16, x17, [sp, #16 * 8]
	stp	x18, x19, [sp, #16 * 9]
	stp	x20, x21, [sp, #16 * 10]
	stp	x22, x23, [sp, #16 * 11]
	stp	x24, x25, [sp, #16 * 12]
	stp	x26, x27, [sp, #16 * 13]
	stp	x28, x29, [sp, #16 * 14]
	.endm

	.macro restore_low
	ldp	x2, x3, [sp, #16 * 1]
	ldp	x4, x5, [sp, #16 * 2]
	ldp	x6, x7, [sp, #16 * 3]
	ldp	x8, x9, [sp, #16 * 4]
	ldp	x10, x11, [sp, #16 * 5]
	ldp	x12, x13, [sp, #16 * 6]
	ldp	x14, x15, [sp, #16 * 7]
	ldp	x16, x17, [sp, #16 * 8]
	ldp	x18, x19, [sp, #16 * 9]
	ldp	x20, x21, [sp, #16 * 10]
	ldp	x22, x23, [sp, #16 * 11]
	ldp	x24, x25, [sp, #16 * 12]
	ldp	x26, x27, [sp, #16 * 13]
	ldp	x28, x29, [sp, #16 * 14]
	ldr	x30, [sp, #16 * 15]
	.endm

	/* irq: x24 is 1 if EL0 was left where the last system call had returned to, else 0 */
	.macro enter_el0 irq=0
	sub	sp, sp, #FRAME
	save_regs
	mrs	x21, sp_el0
	mrs	x22, elr_el1
	.if \irq
	ldr	x24, [sp, #F_PC]		/* the frame before this one */
	ldr	x25, [sp, #F_ORIG + 8]
	cmp	x24, x22
	ccmp	x25, #0, #8, eq
	cset	x24, ge
	.endif
	mrs	x23, spsr_el1
	stp	x30, x21, [sp, #16 * 15]
	stp	x22, x23, [sp, #F_PC]
	ldr	x18, [sp, #FRAME]		/* the task */
	mov	x29, xzr
	.endm

	.macro enter_el1
	sub	sp, sp, #FRAME
	add	sp, sp, x0			/* is bit 14 of sp clear?  without a free register */
	sub	x0, sp, x0
	tbnz	x0, #14, 9f
	sub	x0, sp, x0
	sub	sp, sp, x0
	save_regs
	add	x21, sp, #FRAME
	mrs	x22, elr_el1
	mrs	x23, spsr_el1
	stp	x30, x21, [sp, #16 * 15]
	stp	x22, x23, [sp, #F_PC]
	stp	x29, x22, [sp, #F_ORIG]		/* a frame record: who walks the stack comes to where it was interrupted */
	add	x29, sp, #F_ORIG
	mov	w24, #1
	str	w24, [x18, #T_STALE]
	b	8f
9:	b	stack_overflow
8:
	.endm

	.macro vector label
	.align 7
	b	\label
	.endm

	.text
	.align	11
	.globl	vectors
vectors:
	vector	bad_el1t_sync
	vector	bad_el1t_irq
	vector	bad_el1t_fiq
	vector	bad_el1t_serror
	vector	el1_sync
	vector	el1_irq
	vector	bad_el1_fiq
	vector	bad_el1_serror
	vector	el0_sync
	vector	el0_irq
	vector	bad_el0_fiq
	vector	bad_el0_serror
	vector	bad_el0_32
	vector	bad_el0_32
	vector	bad_el0_32
	vector	bad_el0_32

	.cfi_sections .debug_frame		/* a debugger's backtrace ends where a program was entered from */
	.cfi_startproc
	.cfi_undefined x30
el0_sync:
	enter_el0
	mrs	x24, esr_el1
	lsr	x25, x24, #26
	cmp	x25, #0x15			/* SVC, AArch64 */
	b.ne	1f
	sxtw	x8, w8
	stp	x0, x8, [sp, #F_ORIG]
	ldr	w11, [x18, #T_FLAGS]
	cmp	x8, #NR_SYSCALLS
	b.hs	unknown_call
	adr_l	x9, syscall_counts		/* interrupts are still off: no other call of this CPU comes between */
	mrs	x10, tpidr_el1
	add	x9, x9, x10
	ldr	x10, [x9, x8, lsl #3]
	add	x10, x10, #1
	str	x10, [x9, x8, lsl #3]
	msr	daifclr, #3
	tbnz	w11, #TIF_CALL_WORK_BIT, 3f
#ifdef CONFIG_DEBUG
	adr_l	x9, trace_calls
	ldrb	w9, [x9]
	cbnz	w9, 3f
#endif
	adr_l	x9, syscall_table
	ldr	x9, [x9, x8, lsl #3]
	blr	x9				/* the arguments are where the caller put them: x0 to x5 */
	str	x0, [sp]
	.globl	ret_to_user
ret_to_user:
	msr	daifset, #3
	ldr	x1, [x18, #T_FLAGS]		/* and T_STALE */
	cbnz	x1, 2f
#ifdef CONFIG_DEBUG
	ldp	x21, x22, [sp, #F_SP]		/* sp, pc */
	ldr	x23, [sp, #F_PC + 8]
	mrs	x24, sp_el0
	mrs	x25, elr_el1
	mrs	x26, spsr_el1
	cmp	x21, x24
	ccmp	x22, x25, #0, eq
	ccmp	x23, x26, #0, eq
	b.ne	5f
#endif
4:	ldp	x0, x1, [sp]
	restore_low
	add	sp, sp, #FRAME
	eret
2:	mov	x0, sp
	bl	exit_to_user_work		/* comes back with interrupts off and nothing left to do */
	ldp	x21, x22, [sp, #F_SP]
	ldr	x23, [sp, #F_PC + 8]
	msr	sp_el0, x21
	msr	elr_el1, x22
	msr	spsr_el1, x23
	str	wzr, [x18, #T_STALE]
	b	4b
#ifdef CONFIG_DEBUG
5:	mov	x0, sp
	bl	trap_frame_stale
#endif

1:	mov	x26, #-1
	stp	x0, x26, [sp, #F_ORIG]
	mov	x0, sp
	mov	x1, x24
	mrs	x2, far_el1
	bl	trap_el0_sync
	b	ret_to_user
unknown_call:
	msr	daifclr, #3
3:	mov	x0, sp
	bl	syscall_slow
	b	ret_to_user

el0_irq:
	enter_el0 1
	mov	x26, #-1
	stp	x24, x26, [sp, #F_ORIG]
	mov	x0, sp
	bl	trap_irq
	b	ret_to_user
	.cfi_endproc

/* Between these two, x29 points to the record in the trap frame, at F_ORIG. */
	.globl	el1_entries_start, el1_entries_end
el1_entries_start:
	.cfi_startproc
	.cfi_signal_frame
	.cfi_def_cfa x29, FRAME - F_ORIG
	.cfi_offset x29, F_ORIG - FRAME
	.cfi_return_column 32			/* the pc, apart from x30 */
	.cfi_offset 32, F_PC - FRAME
	.irp	n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30
	.cfi_offset x\n, \n * 8 - FRAME
	.endr
el1_sync:
	enter_el1
	mov	x0, sp
	mrs	x1, esr_el1
	mrs	x2, far_el1
	bl	trap_el1_sync
	b	ret_to_kernel

el1_irq:
	enter_el1
	mov	x0, sp
	bl	trap_irq
	ldr	w1, [x18, #T_FLAGS]
	ldr	w2, [x18, #T_COUNT]
	cbnz	w2, ret_to_kernel
	tbz	w1, #TIF_NEED_RESCHED_BIT, ret_to_kernel
	bl	preempt_schedule_irq
ret_to_kernel:
	msr	daifset, #3
	ldp	x22, x23, [sp, #F_PC]
	msr	elr_el1, x22
	msr	spsr_el1, x23
	ldp	x0, x1, [sp]
	restore_low
	add	sp, sp, #FRAME
	eret

	.macro bad name, from_el0, what
\name:
	.if \from_el0
	enter_el0
	.else
	enter_el1
	.endif
	mov	x0, sp
	mov	x1, #\what
	mrs	x2, esr_el1
	mrs	x3, far_el1
	bl	trap_bad
	b	.
	.endm
	bad	bad_el1t_sync, 0, 0
	bad	bad_el1t_irq, 0, 1
	bad	bad_el1t_fiq, 0, 2
	bad	bad_el1t_serror, 0, 3
	bad	bad_el1_fiq, 0, 6
	bad	bad_el1_serror, 0, 7
	bad	bad_el0_fiq, 1, 10
	bad	bad_el0_serror, 1, 11
	bad	bad_el0_32, 1, 12
	.cfi_endproc
el1_entries_end:

/* sp is bad: x0 = sp - FRAME as it was, sp = that + x0's old value.  Only the report matters now. */
stack_overflow:
	msr	tpidr_el0, x0
	sub	x0, sp, x0
	msr	tpidrro_el0, x0
	adr_l	x0, overflow_stack + 4096 - FRAME
	mov	sp, x0
	mrs	x0, tpidrro_el0
	save_regs
	mrs	x21, tpidr_el0
	add	x21, x21, #FRAME
	mrs	x22, elr_el1
	mrs	x23, spsr_el1
	stp	x30, x21, [sp, #16 * 15]
	stp	x22, x23, [sp, #F_PC]
	mov	x0, sp
	mrs	x1, esr_el1
	mrs	x2, far_el1
	bl	trap_stack_overflow
	b	.

	.section .bss, "aw", %nobits
	.balign 16
overflow_stack:	.skip 4096
