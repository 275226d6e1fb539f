/* User memory by unprivileged loads and stores: the MMU itself refuses kernel addresses.  Each access that may fault has its fix-up
 * in .extable (pairs of offsets: instruction, continuation).
 *
 * user_copy_in/out(x0 = to, x1 = from, x2 = len) return the bytes not copied; user_clear(x0, x1 = len) likewise.
 * user_get_N(x0 = from) returns the value and 0, or 0 and -EFAULT, in x0 and x1; user_put_N(x0 = to, x1 = value) 0 or -EFAULT. */

	.macro exf fix, insn:vararg
77:	\insn
	.pushsection .extable, "a"
	.balign 4
	.long	77b - ., \fix - .
	.popsection
	.endm

	.macro take32 off, fix
	exf	\fix, ldtr x3, [x1, #\off]
	exf	\fix, ldtr x4, [x1, #\off + 8]
	exf	\fix, ldtr x5, [x1, #\off + 16]
	exf	\fix, ldtr x6, [x1, #\off + 24]
	stp	x3, x4, [x0, #\off]
	stp	x5, x6, [x0, #\off + 16]
	.endm

	.macro give32 off, fix
	ldp	x3, x4, [x1, #\off]
	ldp	x5, x6, [x1, #\off + 16]
	exf	\fix, sttr x3, [x0, #\off]
	exf	\fix, sttr x4, [x0, #\off + 8]
	exf	\fix, sttr x5, [x0, #\off + 16]
	exf	\fix, sttr x6, [x0, #\off + 24]
	.endm

	.macro step n
	add	x0, x0, #\n
	add	x1, x1, #\n
	sub	x2, x2, #\n
	.endm

	.text
	.globl	user_access_start, user_access_end
user_access_start:

	.globl	user_copy_in
user_copy_in:
	cmp	x2, #128
	b.lo	2f
1:	take32	0, 10f
	take32	32, 11f
	take32	64, 12f
	take32	96, 13f
	step	128
	cmp	x2, #128
	b.hs	1b
2:	tbz	x2, #6, 3f
	take32	0, 10f
	take32	32, 11f
	step	64
3:	tbz	x2, #5, 4f
	take32	0, 10f
	step	32
4:	tbz	x2, #4, 5f
	exf	10f, ldtr x3, [x1]
	exf	10f, ldtr x4, [x1, #8]
	stp	x3, x4, [x0], #16
	add	x1, x1, #16
	sub	x2, x2, #16
5:	tbz	x2, #3, 6f
	exf	10f, ldtr x3, [x1]
	str	x3, [x0], #8
	add	x1, x1, #8
	sub	x2, x2, #8
6:	tbz	x2, #2, 8f
	exf	10f, ldtr w3, [x1]
	str	w3, [x0], #4
	add	x1, x1, #4
	sub	x2, x2, #4
8:	cbz	x2, 9f
7:	exf	9f, ldtrb w3, [x1]
	strb	w3, [x0], #1
	add	x1, x1, #1
	subs	x2, x2, #1
	b.ne	7b
9:	mov	x0, x2
	ret
	/* a wide access faulted, behind 32, 64 or 96 good bytes: go on byte by byte to find the exact end */
13:	step	32
12:	step	32
11:	step	32
10:	b	7b

	.globl	user_copy_out
user_copy_out:
	cmp	x2, #128
	b.lo	2f
1:	give32	0, 10f
	give32	32, 11f
	give32	64, 12f
	give32	96, 13f
	step	128
	cmp	x2, #128
	b.hs	1b
2:	tbz	x2, #6, 3f
	give32	0, 10f
	give32	32, 11f
	step	64
3:	tbz	x2, #5, 4f
	give32	0, 10f
	step	32
4:	tbz	x2, #4, 5f
	ldp	x3, x4, [x1]
	exf	10f, sttr x3, [x0]
	exf	10f, sttr x4, [x0, #8]
	step	16
5:	tbz	x2, #3, 6f
	ldr	x3, [x1]
	exf	10f, sttr x3, [x0]
	step	8
6:	tbz	x2, #2, 8f
	ldr	w3, [x1]
	exf	10f, sttr w3, [x0]
	step	4
8:	cbz	x2, 9f
7:	ldrb	w3, [x1], #1
	exf	9f, sttrb w3, [x0]
	add	x0, x0, #1
	subs	x2, x2, #1
	b.ne	7b
9:	mov	x0, x2
	ret
13:	step	32
12:	step	32
11:	step	32
10:	b	7b

	.globl	user_clear
user_clear:
	cmp	x1, #8
	b.lo	6f
	cmp	x1, #32
	b.lo	3f
1:	exf	10f, sttr xzr, [x0]
	exf	10f, sttr xzr, [x0, #8]
	exf	10f, sttr xzr, [x0, #16]
	exf	10f, sttr xzr, [x0, #24]
	add	x0, x0, #32
	sub	x1, x1, #32
	cmp	x1, #32
	b.hs	1b
	cmp	x1, #8
	b.lo	6f
3:	exf	10f, sttr xzr, [x0]
	add	x0, x0, #8
	sub	x1, x1, #8
	cmp	x1, #8
	b.hs	3b
6:	cbz	x1, 9f
7:	exf	9f, sttrb wzr, [x0]
	add	x0, x0, #1
	subs	x1, x1, #1
	b.ne	7b
9:	mov	x0, x1
	ret
10:	b	7b

	.macro user_get_put size, ld, st, reg
	.globl	user_get_\size, user_put_\size
user_get_\size:
	exf	9f, \ld \reg\()0, [x0]
	mov	x1, #0
	ret
9:	mov	x0, #0
	mov	x1, #-14
	ret
user_put_\size:
	exf	9f, \st \reg\()1, [x0]
	mov	x0, #0
	ret
9:	mov	x0, #-14
	ret
	.endm
	user_get_put 1, ldtrb, sttrb, w
	user_get_put 2, ldtrh, sttrh, w
	user_get_put 4, ldtr, sttr, w
	user_get_put 8, ldtr, sttr, x

/* user_strncpy(x0 = to, x1 = from, x2 = max) - bytes copied before the NUL; max if none; -EFAULT.
 * Eight at a time while they fit: a byte of w is zero if (w - 0x01..) & ~w & 0x80.. has its bit, and the lowest such bit is exact.
 * A word that reaches into a page that is not there faults; then single bytes decide. */
	.globl	user_strncpy
user_strncpy:
	mov	x4, #0
	mov	x7, #0x0101010101010101
1:	sub	x6, x2, x4
	cmp	x6, #8
	b.lo	3f
	exf	3f, ldtr x3, [x1]
	str	x3, [x0, x4]
	sub	x5, x3, x7
	bic	x5, x5, x3
	ands	x5, x5, x7, lsl #7
	b.ne	4f
	add	x1, x1, #8
	add	x4, x4, #8
	b	1b
3:	cmp	x4, x2
	b.eq	5f
	exf	9f, ldtrb w3, [x1]
	strb	w3, [x0, x4]
	cbz	w3, 5f
	add	x1, x1, #1
	add	x4, x4, #1
	b	3b
4:	rbit	x5, x5
	clz	x5, x5
	add	x4, x4, x5, lsr #3
5:	mov	x0, x4
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

user_access_end:
