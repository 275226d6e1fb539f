/* SipHash-2-4 (Aumasson, Bernstein): a keyed hash that who does not have the key cannot foresee.  Of whole words. */
#pragma once
#include <kernel/lib/types.h>

/* siphash - of n words, as of their 8 n bytes, low ones first. */
u64 siphash(const u64 key[2], const u64 *words, u32 n);
