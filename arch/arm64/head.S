/* Entry of the image: from the boot protocol (MMU off, device tree in x0, EL2 or EL1) to kernel_main in the upper half.
 *
 *   1. drop to EL1                     2. identity map of the gigabytes that hold image and device tree, MMU on
 *   3. zero .bss, choose the random base (boot_kaslr_offset, C)      4. relocate the image for that base
 *   5. map the image there by 2 MiB blocks in TTBR1, jump            6. kernel_main(fdt)
 * The other CPUs enter later, at secondary_entry, on the final tables.
 *
 * The maps made here are coarse; mmu.c replaces them by the final ones (text read-only, data not executable).
 * Specification: Linux Documentation/arm64/booting; Arm ARM D5 (translation), D7 (registers). */
#include <arch/asm.h>

	.section .head.text, "ax"
	.globl _start
_start:
	b	boot_entry
	.long	0
	.quad	0				/* text_offset */
	.quad	_image_size			/* image_size, with .bss */
	.quad	0xa				/* little endian, 4 KiB pages, anywhere */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

boot_entry:
	mov	x19, x0				/* device tree */
	bl	drop_to_el1
	/* Zero .bss (the early tables are in it).  Caches are off: drop stale lines of it afterwards. */
	adrp	x0, __bss_start
	adrp	x1, __bss_end
1:	stp	xzr, xzr, [x0], #16
	stp	xzr, xzr, [x0], #16
	cmp	x0, x1
	b.lo	1b

	/* Identity map: level 0, level 1 of 1 GiB blocks. */
	adrp	x20, early_idmap_l0
	adrp	x21, early_idmap_l1
	adrp	x0, _text
	bl	idmap_gigabyte
	adrp	x0, _end
	bl	idmap_gigabyte
	mov	x0, x19
	bl	idmap_gigabyte
	dsb	sy
	mov	x0, x20
	bl	dcache_drop_page
	mov	x0, x21
	bl	dcache_drop_page

	adrp	x0, early_pgd
	bl	mmu_enable
	adrp	x0, init_stack
	mov	x1, #INIT_STACK_SIZE - 16
	add	x0, x0, x1
	mov	sp, x0
	mov	x29, xzr
	mov	x0, x19
	bl	boot_kaslr_offset
	ldr	x22, link_base
	add	x22, x22, x0			/* where the image will run */
	adrp	x23, _text			/* where it is */

	/* Relocate: the slide is added to each word of the table (scripts/gen-relocs): a place, or bits for the 63 words that follow. */
	adrp	x1, __relr_start
	add	x1, x1, :lo12:__relr_start
	adrp	x2, __relr_end
	add	x2, x2, :lo12:__relr_end
	ldr	x7, link_base
	sub	x6, x22, x7			/* slide */
	mov	x3, x23				/* the next word */
relocate:
	cmp	x1, x2
	b.hs	3f
	ldr	x4, [x1], #8
	tbnz	x4, #0, 5f
	add	x3, x23, x4
	ldr	x5, [x3]
	add	x5, x5, x6
	str	x5, [x3], #8
	b	relocate
5:	mov	x8, x3
6:	lsr	x4, x4, #1
	cbz	x4, 7f
	tbz	x4, #0, 8f
	ldr	x5, [x8]
	add	x5, x5, x6
	str	x5, [x8]
8:	add	x8, x8, #8
	b	6b
7:	add	x3, x3, #63 * 8
	b	relocate

	/* Image map: level 0 -> 1 -> 2 of 2 MiB blocks. */
3:	adrp	x0, early_pgd
	adrp	x1, early_image_l1
	adrp	x2, early_image_l2
	ubfx	x3, x22, #39, #9
	orr	x4, x1, #3
	str	x4, [x0, x3, lsl #3]
	ubfx	x3, x22, #30, #9
	orr	x4, x2, #3
	str	x4, [x1, x3, lsl #3]
	ubfx	x3, x22, #21, #9
	adrp	x5, _end
	mov	x6, x23
	ldr	x7, =PTE_EARLY_BLOCK
4:	orr	x4, x6, x7
	str	x4, [x2, x3, lsl #3]
	add	x3, x3, #1
	add	x6, x6, #0x200000
	cmp	x6, x5
	b.lo	4b
	/* The device tree: two blocks at FIXMAP_BASE. */
	adrp	x1, early_fix_l1
	adrp	x2, early_fix_l2
	ldr	x8, =FIXMAP_BASE
	ubfx	x3, x8, #39, #9
	orr	x4, x1, #3
	str	x4, [x0, x3, lsl #3]
	ubfx	x3, x8, #30, #9
	orr	x4, x2, #3
	str	x4, [x1, x3, lsl #3]
	and	x6, x19, #~0x1fffff
	ldr	x7, =PTE_EARLY_RO_BLOCK
	orr	x4, x6, x7
	str	x4, [x2]
	add	x6, x6, #0x200000
	orr	x4, x6, x7
	str	x4, [x2, #8]
	dsb	ishst
	isb

	/* Up. */
	ldr	x1, link_up
	ldr	x7, link_base
	sub	x1, x1, x7
	add	x1, x1, x22
boot_jump:				/* x22: the base (scripts/gdb stops here) */
	br	x1
	.align	3
link_base:	.quad 0xffffc00000000000
link_up:	.quad 0xffffc00000000000 + (upper_half - _start)

	.cfi_sections .debug_frame
	.cfi_startproc
	.cfi_undefined x30
upper_half:
	adr_l	x0, init_stack
	mov	x1, #INIT_STACK_SIZE - 16
	add	x0, x0, x1
	mov	sp, x0
	adr_l	x18, init_task			/* current */
	str	x18, [sp]			/* entry.S finds current above the frame */
	msr	tpidr_el1, xzr
	adr_l	x2, vectors
	msr	vbar_el1, x2
	adr_l	x3, kernel_phys
	str	x23, [x3]
	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x19
	isb
	bl	kernel_main
	b	.
	.cfi_endproc

/* secondary_entry(x0 = CPU number): where PSCI starts the others, MMU off.  The identity map of the first is still in its tables. */
	.globl	secondary_entry
secondary_entry:
	mov	x19, x0
	bl	drop_to_el1
	adrp	x0, kernel_pgd
	bl	mmu_enable
	adr_l	x0, secondary_up
	ldr	x0, [x0]
	br	x0

	.cfi_startproc
	.cfi_undefined x30
secondary_upper_half:
	adr_l	x0, early_empty			/* the identity map goes */
	adr_l	x1, _text
	sub	x0, x0, x1
	adr_l	x1, kernel_phys
	ldr	x1, [x1]
	add	x0, x0, x1
	msr	ttbr0_el1, x0
	isb
	tlbi	vmalle1
	dsb	nsh
	isb
	adr_l	x0, percpu_offsets
	ldr	x0, [x0, x19, lsl #3]
	msr	tpidr_el1, x0
	adr_l	x0, secondary_tasks
	ldr	x18, [x0, x19, lsl #3]		/* current: this CPU's idle task */
	ldr	x0, [x18, #16]			/* head.kernel_sp */
	mov	sp, x0
	adr_l	x0, vectors
	msr	vbar_el1, x0
	isb
	mov	x29, xzr
	mov	x30, xzr
	bl	secondary_main
	b	.
	.cfi_endproc

	.section .data.secondary, "aw"
	.balign 8
secondary_up:	.quad secondary_upper_half	/* relocated */
	.section .head.text, "ax"

/* drop_to_el1: returns at EL1, MMU off.  Entered at EL2, it lets EL1 have everything it needs first. */
drop_to_el1:
	mrs	x0, CurrentEL
	cmp	x0, #(2 << 2)
	b.ne	2f
	ldr	x0, =SCTLR_EL1_OFF
	msr	sctlr_el1, x0
	mov	x0, #(1 << 31)			/* HCR_EL2.RW: EL1 is AArch64 */
	msr	hcr_el2, x0
	mrs	x0, cnthctl_el2
	orr	x0, x0, #3			/* EL1 may use the physical counter and timer */
	msr	cnthctl_el2, x0
	msr	cntvoff_el2, xzr
	mov	x0, #0x33ff			/* no traps of FP */
	msr	cptr_el2, x0
	msr	hstr_el2, xzr
	msr	vttbr_el2, xzr
	mrs	x0, midr_el1
	msr	vpidr_el2, x0
	mrs	x0, mpidr_el1
	msr	vmpidr_el2, x0
	mrs	x0, id_aa64pfr0_el1
	ubfx	x0, x0, #24, #4			/* GIC system registers? */
	cbz	x0, 1f
	mrs	x0, S3_4_C12_C9_5		/* ICC_SRE_EL2 */
	mov	x1, #9				/* SRE, Enable */
	orr	x0, x0, x1
	msr	S3_4_C12_C9_5, x0
	isb
	msr	S3_4_C12_C11_0, xzr		/* ICH_HCR_EL2 */
1:	mov	x0, #0x3c5			/* EL1h, all masked */
	msr	spsr_el2, x0
	msr	elr_el2, x30
	eret
2:	ldr	x0, =SCTLR_EL1_OFF
	msr	sctlr_el1, x0
	isb
	ret

/* idmap_gigabyte(x0 = address): x20, x21 the tables */
idmap_gigabyte:
	ubfx	x1, x0, #39, #9
	orr	x2, x21, #3
	str	x2, [x20, x1, lsl #3]
	ubfx	x1, x0, #30, #9
	lsr	x0, x0, #30
	lsl	x0, x0, #30
	ldr	x2, =PTE_EARLY_BLOCK
	orr	x0, x0, x2
	str	x0, [x21, x1, lsl #3]
	ret

dcache_drop_page:
	mov	x1, #4096
1:	dc	ivac, x0
	add	x0, x0, #16
	subs	x1, x1, #16
	b.ne	1b
	dsb	sy
	ret

/* mmu_enable(x0 = TTBR1): TTBR0 is the identity map */
	.globl	mmu_enable
mmu_enable:
	msr	ttbr1_el1, x0
	adrp	x1, early_idmap_l0
	msr	ttbr0_el1, x1
	ldr	x1, =MAIR_VALUE
	msr	mair_el1, x1
	ldr	x1, =TCR_VALUE
	mrs	x2, id_aa64mmfr0_el1
	ubfx	x3, x2, #0, #4			/* PARange */
	cmp	x3, #5
	mov	x4, #5
	csel	x3, x3, x4, lo
	bfi	x1, x3, #32, #3			/* IPS */
	ubfx	x3, x2, #4, #4			/* ASIDBits */
	cmp	x3, #2
	cset	x3, eq
	bfi	x1, x3, #36, #1			/* AS: 16 bits */
	msr	tcr_el1, x1
	mov	x1, #(3 << 20)			/* FP at EL0 and EL1 */
	msr	cpacr_el1, x1
	mov	x1, #2				/* EL0 may read the virtual counter */
	msr	cntkctl_el1, x1
	msr	mdscr_el1, xzr
	tlbi	vmalle1
	dsb	nsh
	isb
	ldr	x1, =SCTLR_EL1_ON
	msr	sctlr_el1, x1
	isb
	ret

/* cpu_replace_kernel_tables(x0 = new TTBR1): runs in the identity map, so that the old kernel translations can go first. */
	.globl	cpu_replace_kernel_tables
cpu_replace_kernel_tables:
	adr_l	x1, kernel_phys
	ldr	x1, [x1]
	adr_l	x2, 1f
	adr_l	x3, _text
	sub	x2, x2, x3
	add	x2, x2, x1
	adrp	x4, early_empty
	sub	x4, x4, x3
	add	x4, x4, x1
	br	x2
1:	msr	ttbr1_el1, x4
	isb
	tlbi	vmalle1
	dsb	nsh
	isb
	msr	ttbr1_el1, x0
	isb
	ret

	.ltorg

	.section .bss, "aw", %nobits
	.balign 4096
	.globl	early_pgd, early_empty
early_idmap_l0:	.skip 4096
early_idmap_l1:	.skip 4096
early_pgd:	.skip 4096
early_image_l1:	.skip 4096
early_image_l2:	.skip 4096
early_fix_l1:	.skip 4096
early_fix_l2:	.skip 4096
early_empty:	.skip 4096

	.section .bss.stack, "aw", %nobits
	.balign 32768
	.globl	init_stack
init_stack:	.skip INIT_STACK_SIZE
