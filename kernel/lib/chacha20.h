/* ChaCha20 (RFC 8439), the block function and the stream. */
#pragma once
#include <kernel/lib/types.h>

struct chacha20 { u32 s[16]; };
/* chacha20_init - key of 32 bytes; counter and nonce zero. */
void chacha20_init(struct chacha20 *c, const u8 key[32]);
/* chacha20_block - the next 64 bytes of the key stream; the counter moves on. */
void chacha20_block(struct chacha20 *c, u8 out[64]);
