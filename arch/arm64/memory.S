/* memcpy, memmove, memset and whole pages. */
	.text
	.globl	memmove
memmove:
	sub	x3, x0, x1
	cmp	x3, x2
	b.lo	backward			/* to lies inside from's range */
	.globl	memcpy
memcpy:
	mov	x3, x0
	subs	x2, x2, #64			/* from here on x2 is what is left less 64: the low bits are the same */
	b.lo	2f
1:	ldp	x4, x5, [x1], #16		/* all loads first: memmove comes here when the ranges overlap */
	ldp	x6, x7, [x1], #16
	ldp	x8, x9, [x1], #16
	ldp	x10, x11, [x1], #16
	stp	x4, x5, [x3], #16
	stp	x6, x7, [x3], #16
	stp	x8, x9, [x3], #16
	stp	x10, x11, [x3], #16
	subs	x2, x2, #64
	b.hs	1b
2:	tbz	x2, #5, 8f
	ldp	x4, x5, [x1], #16
	ldp	x6, x7, [x1], #16
	stp	x4, x5, [x3], #16
	stp	x6, x7, [x3], #16
8:	tbz	x2, #4, 3f
	ldp	x4, x5, [x1], #16
	stp	x4, x5, [x3], #16
3:	tbz	x2, #3, 4f
	ldr	x4, [x1], #8
	str	x4, [x3], #8
4:	tbz	x2, #2, 5f
	ldr	w4, [x1], #4
	str	w4, [x3], #4
5:	tbz	x2, #1, 6f
	ldrh	w4, [x1], #2
	strh	w4, [x3], #2
6:	tbz	x2, #0, 7f
	ldrb	w4, [x1]
	strb	w4, [x3]
7:	ret

backward:
	add	x3, x0, x2
	add	x1, x1, x2
1:	cmp	x2, #8
	b.lo	2f
	ldr	x4, [x1, #-8]!
	str	x4, [x3, #-8]!
	sub	x2, x2, #8
	b	1b
2:	cbz	x2, 3f
	ldrb	w4, [x1, #-1]!
	strb	w4, [x3, #-1]!
	sub	x2, x2, #1
	b	2b
3:	ret

	.globl	memset
memset:
	mov	x3, x0
	ands	x1, x1, #0xff
	b.eq	9f
	orr	x1, x1, x1, lsl #8
	orr	x1, x1, x1, lsl #16
	orr	x1, x1, x1, lsl #32
9:	subs	x2, x2, #64
	b.lo	2f
1:	stp	x1, x1, [x3], #16
	stp	x1, x1, [x3], #16
	stp	x1, x1, [x3], #16
	stp	x1, x1, [x3], #16
	subs	x2, x2, #64
	b.hs	1b
2:	tbz	x2, #5, 8f
	stp	x1, x1, [x3], #16
	stp	x1, x1, [x3], #16
8:	tbz	x2, #4, 3f
	stp	x1, x1, [x3], #16
3:	tbz	x2, #3, 4f
	str	x1, [x3], #8
4:	tbz	x2, #2, 5f
	str	w1, [x3], #4
5:	tbz	x2, #1, 6f
	strh	w1, [x3], #2
6:	tbz	x2, #0, 7f
	strb	w1, [x3]
7:	ret

	.globl	clear_page
clear_page:
	mrs	x1, dczid_el0
	tbnz	x1, #4, 2f			/* dc zva prohibited */
	and	x1, x1, #15
	mov	x2, #4
	lsl	x1, x2, x1
	add	x3, x0, #4096
	cmp	x1, #256
	b.hi	4f
1:	.rept	16				/* at a time: a block is at most 256 bytes then */
	dc	zva, x0
	add	x0, x0, x1
	.endr
	cmp	x0, x3
	b.lo	1b
	ret
4:	dc	zva, x0
	add	x0, x0, x1
	cmp	x0, x3
	b.lo	4b
	ret
2:	add	x3, x0, #4096
3:	stp	xzr, xzr, [x0], #16
	stp	xzr, xzr, [x0], #16
	stp	xzr, xzr, [x0], #16
	stp	xzr, xzr, [x0], #16
	cmp	x0, x3
	b.lo	3b
	ret

	.globl	copy_page
copy_page:
	add	x2, x0, #4096
1:	ldp	x3, x4, [x1]
	ldp	x5, x6, [x1, #16]
	ldp	x7, x8, [x1, #32]
	ldp	x9, x10, [x1, #48]
	add	x1, x1, #64
	stp	x3, x4, [x0]
	stp	x5, x6, [x0, #16]
	stp	x7, x8, [x0, #32]
	stp	x9, x10, [x0, #48]
	add	x0, x0, #64
	cmp	x0, x2
	b.lo	1b
	ret
