/* User memory by unprivileged loads and stores: the MMU itself refuses kernel addresses.  Each access that may fault has its fix-up
 * in .extable (pairs of offsets: instruction, continuation).
 *
 * user_copy_in/out(x0 = to, x1 = from, x2 = len) return the bytes not copied; user_clear(x0, x1 = len) likewise.
 * user_load(x0 = to, x1 = from, x2 = 1, 2, 4, 8), user_store return 0 or -EFAULT. */

	.macro exf fix, insn:vararg
77:	\insn
	.pushsection .extable, "a"
	.balign 4
	.long	77b - ., \fix - .
	.popsection
	.endm

	.text
	.globl	user_copy_in
user_copy_in:
	cmp	x2, #32
	b.lo	2f
1:	exf	9f, ldtr x3, [x1]
	exf	9f, ldtr x4, [x1, #8]
	exf	9f, ldtr x5, [x1, #16]
	exf	9f, ldtr x6, [x1, #24]
	stp	x3, x4, [x0], #16
	stp	x5, x6, [x0], #16
	add	x1, x1, #32
	sub	x2, x2, #32
	cmp	x2, #32
	b.hs	1b
2:	cmp	x2, #8
	b.lo	4f
3:	exf	9f, ldtr x3, [x1]
	str	x3, [x0], #8
	add	x1, x1, #8
	sub	x2, x2, #8
	cmp	x2, #8
	b.hs	3b
4:	cbz	x2, 9f
5:	exf	8f, ldtrb w3, [x1]
	strb	w3, [x0], #1
	add	x1, x1, #1
	subs	x2, x2, #1
	b.ne	5b
8:	mov	x0, x2
	ret
	/* a bulk load faulted: go on byte by byte to find the exact end */
9:	cbnz	x2, 5b
	mov	x0, x2
	ret

	.globl	user_copy_out
user_copy_out:
	cmp	x2, #32
	b.lo	2f
1:	ldp	x3, x4, [x1]
	ldp	x5, x6, [x1, #16]
	exf	9f, sttr x3, [x0]
	exf	9f, sttr x4, [x0, #8]
	exf	9f, sttr x5, [x0, #16]
	exf	9f, sttr x6, [x0, #24]
	add	x0, x0, #32
	add	x1, x1, #32
	sub	x2, x2, #32
	cmp	x2, #32
	b.hs	1b
2:	cmp	x2, #8
	b.lo	4f
3:	ldr	x3, [x1]
	exf	9f, sttr x3, [x0]
	add	x0, x0, #8
	add	x1, x1, #8
	sub	x2, x2, #8
	cmp	x2, #8
	b.hs	3b
4:	cbz	x2, 9f
5:	ldrb	w3, [x1]
	exf	8f, sttrb w3, [x0]
	add	x0, x0, #1
	add	x1, x1, #1
	subs	x2, x2, #1
	b.ne	5b
8:	mov	x0, x2
	ret
9:	cbnz	x2, 5b
	mov	x0, x2
	ret

	.globl	user_clear
user_clear:
	cmp	x1, #8
	b.lo	4f
3:	exf	9f, sttr xzr, [x0]
	add	x0, x0, #8
	sub	x1, x1, #8
	cmp	x1, #8
	b.hs	3b
4:	cbz	x1, 8f
5:	exf	8f, sttrb wzr, [x0]
	add	x0, x0, #1
	subs	x1, x1, #1
	b.ne	5b
8:	mov	x0, x1
	ret
9:	cbnz	x1, 5b
	mov	x0, x1
	ret

	.globl	user_load
user_load:
	cmp	x2, #4
	b.eq	4f
	b.hi	8f
	cmp	x2, #2
	b.eq	2f
	exf	9f, ldtrb w3, [x1]
	strb	w3, [x0]
	mov	x0, #0
	ret
2:	exf	9f, ldtrh w3, [x1]
	strh	w3, [x0]
	mov	x0, #0
	ret
4:	exf	9f, ldtr w3, [x1]
	str	w3, [x0]
	mov	x0, #0
	ret
8:	exf	9f, ldtr x3, [x1]
	str	x3, [x0]
	mov	x0, #0
	ret
9:	mov	x0, #-14
	ret

	.globl	user_store
user_store:
	cmp	x2, #4
	b.eq	4f
	b.hi	8f
	cmp	x2, #2
	b.eq	2f
	ldrb	w3, [x1]
	exf	9f, sttrb w3, [x0]
	mov	x0, #0
	ret
2:	ldrh	w3, [x1]
	exf	9f, sttrh w3, [x0]
	mov	x0, #0
	ret
4:	ldr	w3, [x1]
	exf	9f, sttr w3, [x0]
	mov	x0, #0
	ret
8:	ldr	x3, [x1]
	exf	9f, sttr x3, [x0]
	mov	x0, #0
	ret
9:	mov	x0, #-14
	ret

/* user_strncpy(x0 = to, x1 = from, x2 = max) - bytes copied before the NUL; max if none; -EFAULT */
	.globl	user_strncpy
user_strncpy:
	mov	x4, #0
1:	cmp	x4, x2
	b.eq	2f
	exf	9f, ldtrb w3, [x1]
	strb	w3, [x0, x4]
	cbz	w3, 2f
	add	x1, x1, #1
	add	x4, x4, #1
	b	1b
2:	mov	x0, x4
	ret
9:	mov	x0, #-14
	ret

/* Atomics on user words: exclusive accesses have no unprivileged form, so the caller has checked the range, which lies below the
 * kernel's half.  user_cmpxchg(x0 = p, w1 = expected, w2 = new, x3 = &old), user_swap_op(x0 = p, w1 = and-mask, w2 = or/add/xor
 * operand, x3 = &old, w4 = op): new = op 0 w2; 1 old + w2; 2 old | w2; 3 old & ~w2; 4 old ^ w2. */
	.globl	user_cmpxchg
user_cmpxchg:
1:	exf	9f, ldaxr w5, [x0]
	cmp	w5, w1
	b.ne	2f
	exf	9f, stlxr w6, w2, [x0]
	cbnz	w6, 1b
	str	w5, [x3]
	mov	x0, #0
	ret
2:	clrex
	str	w5, [x3]
	mov	x0, #0
	ret
9:	mov	x0, #-14
	ret

	.globl	user_swap_op
user_swap_op:
1:	exf	9f, ldaxr w5, [x0]
	mov	w7, w2
	cmp	w4, #1
	b.lo	3f
	add	w7, w5, w2
	b.eq	3f
	orr	w7, w5, w2
	cmp	w4, #3
	b.lo	3f
	bic	w7, w5, w2
	b.eq	3f
	eor	w7, w5, w2
3:	exf	9f, stlxr w6, w7, [x0]
	cbnz	w6, 1b
	str	w5, [x3]
	mov	x0, #0
	ret
9:	mov	x0, #-14
	ret
