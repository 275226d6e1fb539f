/* Constants and macros for assembly. */
#pragma once

#define INIT_STACK_SIZE		16384
#ifdef __ASSEMBLER__
#define FIXMAP_BASE		0xfffffd0000000000
#endif

/* Attribute indices: 0 normal write-back, 1 device nGnRE, 2 normal uncached */
#define MAIR_VALUE		0x4404ff
/* 48-bit both halves, 4 KiB, write-back inner shareable walks */
#define TCR_VALUE		(16 | (1 << 8) | (1 << 10) | (3 << 12) | (16 << 16) | (1 << 24) | (1 << 26) | (3 << 28) | (2 << 30))
#define SCTLR_EL1_OFF		0x30d00800
/* M C SA SA0 I, DZE UCT nTWI nTWE UCI, and the bits that read as one */
#define SCTLR_EL1_ON		0x34d5d81d
#define PTE_EARLY_BLOCK		((1 << 10) | (3 << 8) | 1 | (1 << 54))
#define PTE_EARLY_RO_BLOCK	((1 << 10) | (3 << 8) | 1 | (2 << 6) | (1 << 54) | (1 << 53))

#ifdef __ASSEMBLER__
.macro adr_l reg, sym
	adrp	\reg, \sym
	add	\reg, \reg, :lo12:\sym
.endm
#endif
