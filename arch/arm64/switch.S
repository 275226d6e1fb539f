/* The switch between two kernel stacks, and what a new task runs first. */
#include <arch/asm.h>

/* cpu_switch(x0 = &prev->arch.sp, x1 = next's saved sp, x2 = prev task, x3 = next task) returns prev */
	.text
	.globl	cpu_switch
cpu_switch:
	stp	x29, x30, [sp, #-96]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	mov	x4, sp
	str	x4, [x0]
	mov	sp, x1
	mov	x18, x3				/* current */
	mov	w5, #1
	str	w5, [x3, #4]			/* head.stale: the registers are another's now */
	mov	x0, x2
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret

/* First run of a kernel thread: x19 = function, x20 = argument; x0 = the task that ran before. */
	.cfi_sections .debug_frame
	.cfi_startproc
	.cfi_undefined x30
	.globl	first_run_kernel
first_run_kernel:
	bl	sched_first_run
	mov	x0, x20
	mov	x29, xzr
	blr	x19
	bl	kthread_returned
	b	.

/* First run of a program's task: its frame is at the top of the stack, and sp is there. */
	.globl	first_run_user
first_run_user:
	bl	sched_first_run
	b	ret_to_user
	.cfi_endproc

/* arch_enter_user_at(x0 = frame): leave a kernel thread's call chain behind */
	.globl	arch_enter_user_at
arch_enter_user_at:
	mov	sp, x0
	mov	x29, xzr
	b	ret_to_user

/* fp_save(x0 = struct fp_state *), fp_restore(x0) */
	.arch_extension fp
	.globl	fp_save
fp_save:
	stp	q0, q1, [x0, #32 * 0]
	stp	q2, q3, [x0, #32 * 1]
	stp	q4, q5, [x0, #32 * 2]
	stp	q6, q7, [x0, #32 * 3]
	stp	q8, q9, [x0, #32 * 4]
	stp	q10, q11, [x0, #32 * 5]
	stp	q12, q13, [x0, #32 * 6]
	stp	q14, q15, [x0, #32 * 7]
	stp	q16, q17, [x0, #32 * 8]
	stp	q18, q19, [x0, #32 * 9]
	stp	q20, q21, [x0, #32 * 10]
	stp	q22, q23, [x0, #32 * 11]
	stp	q24, q25, [x0, #32 * 12]
	stp	q26, q27, [x0, #32 * 13]
	stp	q28, q29, [x0, #32 * 14]
	stp	q30, q31, [x0, #32 * 15]
	mrs	x1, fpsr
	mrs	x2, fpcr
	add	x0, x0, #512
	stp	w1, w2, [x0]
	ret

	.globl	fp_restore
fp_restore:
	ldp	q0, q1, [x0, #32 * 0]
	ldp	q2, q3, [x0, #32 * 1]
	ldp	q4, q5, [x0, #32 * 2]
	ldp	q6, q7, [x0, #32 * 3]
	ldp	q8, q9, [x0, #32 * 4]
	ldp	q10, q11, [x0, #32 * 5]
	ldp	q12, q13, [x0, #32 * 6]
	ldp	q14, q15, [x0, #32 * 7]
	ldp	q16, q17, [x0, #32 * 8]
	ldp	q18, q19, [x0, #32 * 9]
	ldp	q20, q21, [x0, #32 * 10]
	ldp	q22, q23, [x0, #32 * 11]
	ldp	q24, q25, [x0, #32 * 12]
	ldp	q26, q27, [x0, #32 * 13]
	ldp	q28, q29, [x0, #32 * 14]
	ldp	q30, q31, [x0, #32 * 15]
	add	x0, x0, #512
	ldp	w1, w2, [x0]
	msr	fpsr, x1
	msr	fpcr, x2
	ret
