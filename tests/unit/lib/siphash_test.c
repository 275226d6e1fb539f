/* The vectors of the reference implementation: key 00 01 .. 0f, the bytes 00 01 02 .. */
#include <kernel/lib/siphash.h>
#include <tests/unit/unit.h>

TEST(vectors)
{
	static const u64 key[2] = { 0x0706050403020100ul, 0x0f0e0d0c0b0a0908ul };

	EXPECT(siphash(key, key, 0) == 0x726fdb47dd0e0e31ul);
	EXPECT(siphash(key, key, 1) == 0x93f5f5799a932462ul);
	EXPECT(siphash(key, key, 2) == 0x3f2acc7f57c29bdbul);
}
