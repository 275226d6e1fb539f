/* Hashes for tables (not for security). */
#pragma once
#include <kernel/lib/types.h>

static inline u32 hash_64(u64 v, u32 bits) { return (u32)(v * 0x9e3779b97f4a7c15ul >> (64 - bits)); }

/* hash_string - of len bytes, mixed with seed */
static inline u32 hash_string(const char *s, size_t len, u64 seed)
{
	u64 h = seed ^ 0xcbf29ce484222325ul;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (u8)s[i]) * 0x100000001b3ul;
	return (u32)(h ^ h >> 32);
}
