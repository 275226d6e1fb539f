/* SipHash-2-4: see siphash.h. */
#include <kernel/lib/siphash.h>

static u64 turn(u64 v, u32 by) { return v << by | v >> (64 - by); }

static void round(u64 v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = turn(v[1], 13) ^ v[0];
	v[3] = turn(v[3], 16) ^ v[2];
	v[0] = turn(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = turn(v[1], 17) ^ v[2];
	v[3] = turn(v[3], 21) ^ v[0];
	v[2] = turn(v[2], 32);
}

static void take(u64 v[4], u64 word)
{
	v[3] ^= word;
	round(v);
	round(v);
	v[0] ^= word;
}

u64 siphash(const u64 key[2], const u64 *words, u32 n)
{
	u64 v[4] = { key[0] ^ 0x736f6d6570736575ul, key[1] ^ 0x646f72616e646f6dul, key[0] ^ 0x6c7967656e657261ul, key[1] ^ 0x7465646279746573ul };

	for (u32 k = 0; k < n; k++)
		take(v, words[k]);
	take(v, (u64)(n * 8 & 0xff) << 56);
	v[2] ^= 0xff;
	for (int k = 0; k < 4; k++)
		round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
