/* ChaCha20 as RFC 8439 section 2.3 states it. */
#include <kernel/lib/chacha20.h>
#include <kernel/lib/string.h>

static inline u32 rotl(u32 v, int n) { return v << n | v >> (32 - n); }

#define QUARTER(a, b, c, d) do { \
	a += b; d = rotl(d ^ a, 16); \
	c += d; b = rotl(b ^ c, 12); \
	a += b; d = rotl(d ^ a, 8); \
	c += d; b = rotl(b ^ c, 7); \
} while (0)

void chacha20_init(struct chacha20 *c, const u8 key[32])
{
	static const u32 sigma[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(c->s, sigma, 16);
	memcpy(c->s + 4, key, 32);
	memset(c->s + 12, 0, 16);
}

void chacha20_block(struct chacha20 *c, u8 out[64])
{
	u32 x[16];

	memcpy(x, c->s, sizeof(x));
	for (int i = 0; i < 10; i++) {
		QUARTER(x[0], x[4], x[8], x[12]);
		QUARTER(x[1], x[5], x[9], x[13]);
		QUARTER(x[2], x[6], x[10], x[14]);
		QUARTER(x[3], x[7], x[11], x[15]);
		QUARTER(x[0], x[5], x[10], x[15]);
		QUARTER(x[1], x[6], x[11], x[12]);
		QUARTER(x[2], x[7], x[8], x[13]);
		QUARTER(x[3], x[4], x[9], x[14]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += c->s[i];
	memcpy(out, x, 64);
	if (!++c->s[12])
		c->s[13]++;
}
