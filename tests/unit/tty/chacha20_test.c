/* RFC 8439, section 2.3.2 and appendix A.1. */
#include <stdio.h>
#include <string.h>
#include <kernel/lib/chacha20.h>

int main(void)
{
	static const u8 zero_key_block[16] = { 0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28 };
	static const u8 rfc_block[16] = { 0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4 };
	struct chacha20 c;
	u8 key[32] = { 0 }, out[64];
	int bad = 0;

	chacha20_init(&c, key);
	chacha20_block(&c, out);
	bad |= memcmp(out, zero_key_block, 16) != 0;
	printf("%s 1 - zero key, first block\n", bad ? "not ok" : "ok");
	for (int i = 0; i < 32; i++)
		key[i] = (u8)i;
	chacha20_init(&c, key);
	c.s[12] = 1;
	c.s[13] = 0x09000000;
	c.s[14] = 0x4a000000;
	chacha20_block(&c, out);
	bad |= memcmp(out, rfc_block, 16) != 0;
	printf("%s 2 - the RFC's example\n1..2\n", bad ? "not ok" : "ok");
	return bad;
}
