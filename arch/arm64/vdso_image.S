/* The vDSO as the build made it. */
	.section .rodata
	.balign 8
	.globl vdso_image, vdso_image_end
vdso_image:	.incbin VDSO_FILE
vdso_image_end:
