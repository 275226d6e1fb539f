/* What arch/checksum.h does, in C. */
#pragma once
#include <kernel/lib/types.h>

#define CHECKSUM_BLOCK 64u
static inline u64 checksum_blocks(u64 sum, const void *data, size_t nr)
{
	const u8 *at = data;

	for (size_t i = 0; i < nr * CHECKSUM_BLOCK; i += 8) {
		u64 w = 0;

		for (u32 k = 0; k < 8; k++)
			w |= (u64)at[i + k] << 8 * k;
		sum += w;
		sum += sum < w;
	}
	return sum;
}
