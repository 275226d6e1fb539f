/* What of the Internet checksum only the assembler can say: a chain of additions with carry. */
#pragma once
#include <kernel/lib/types.h>

#define CHECKSUM_BLOCK	64u

/* checksum_blocks - the ones' complement sum of sum and the nr (1 or more) blocks at data, which may begin anywhere, as 64-bit words in the machine's order. */
static inline u64 checksum_blocks(u64 sum, const void *data, size_t nr)
{
	u64 a, b, c, d;

	/* The carry lives from block to block: nothing else in the loop touches the flags. */
	asm("adds	%[sum], %[sum], xzr\n"
	    "1:	ldp	%[a], %[b], [%[at]], #16\n"
	    "	ldp	%[c], %[d], [%[at]], #16\n"
	    "	adcs	%[sum], %[sum], %[a]\n"
	    "	adcs	%[sum], %[sum], %[b]\n"
	    "	ldp	%[a], %[b], [%[at]], #16\n"
	    "	adcs	%[sum], %[sum], %[c]\n"
	    "	adcs	%[sum], %[sum], %[d]\n"
	    "	ldp	%[c], %[d], [%[at]], #16\n"
	    "	adcs	%[sum], %[sum], %[a]\n"
	    "	adcs	%[sum], %[sum], %[b]\n"
	    "	adcs	%[sum], %[sum], %[c]\n"
	    "	adcs	%[sum], %[sum], %[d]\n"
	    "	sub	%[nr], %[nr], #1\n"
	    "	cbnz	%[nr], 1b\n"
	    "	adc	%[sum], %[sum], xzr\n"
	    : [sum] "+r" (sum), [at] "+r" (data), [nr] "+r" (nr), [a] "=&r" (a), [b] "=&r" (b), [c] "=&r" (c), [d] "=&r" (d)
	    : : "cc", "memory");
	return sum;
}
