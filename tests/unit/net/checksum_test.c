/* The Internet checksum against one that adds byte by byte. */
#include <net/checksum.h>
#include <tests/unit/unit.h>

/* Words in the machine's order, as they lie there; an odd last byte is the first of a word. */
static u16 plain(const u8 *at, size_t len)
{
	u32 sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (u32)at[i] << (i & 1 ? 8 : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)sum;
}

/* 0 and 0xffff are the same number. */
static bool same(u16 a, u16 b) { return a == b || (u32)a + b == 0xffff; }

TEST(all_lengths_and_places)
{
	char *end = (char *)host_guarded(400) + 400;

	for (u32 len = 0; len < 300; len++)
		for (u32 gap = 0; gap < 9; gap++) {
			u8 *at = (u8 *)end - len - (gap == 8 ? 0 : gap);

			for (u32 i = 0; i < len; i++)
				at[i] = (u8)unit_random();
			EXPECT(same(checksum(at, len), plain(at, len)));
		}
}

TEST(carries)
{
	static u8 ones[1000];

	for (u32 i = 0; i < sizeof(ones); i++)
		ones[i] = 0xff;
	for (u32 len = 2; len <= sizeof(ones); len += 2)
		EXPECT_EQ(checksum(ones, len), 0xffff);
	EXPECT_EQ(checksum_fold(checksum_add(~0ul, ones, 64)), 0xffff);
	EXPECT_EQ(checksum_fold(checksum_add(~0ul, "\1", 1)), 1);
	EXPECT_EQ(checksum(ones, 0), 0);
}

TEST(in_parts)
{
	static u8 bytes[700];

	for (u32 round = 0; round < 2000; round++) {
		u32 len = (u32)unit_below(sizeof(bytes)), cut = (u32)unit_below(len + 1) & ~1u;

		for (u32 i = 0; i < len; i++)
			bytes[i] = unit_below(4) ? 0xff : (u8)unit_random();
		EXPECT(same(checksum_fold(checksum_add(checksum_add(0, bytes, cut), bytes + cut, len - cut)), plain(bytes, len)));
	}
}
