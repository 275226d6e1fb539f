/* The Internet checksum.
 *
 * A sum of 16-bit words modulo 2^16 - 1 is also one of 64-bit words modulo 2^64 - 1, folded: so eight bytes are added at once, and what is carried out at the
 * top is added at the bottom.  Whole blocks go to the architecture's chain of additions with carry, an instruction and a half for eight bytes; what is
 * left by eight, four, two, one. */
#include <arch/checksum.h>
#include <net/checksum.h>

struct unaligned64 { u64 v; } __packed __attribute__((may_alias));
struct unaligned32 { u32 v; } __packed __attribute__((may_alias));
struct unaligned16 { u16 v; } __packed __attribute__((may_alias));

static inline u64 add(u64 sum, u64 w)
{
	sum += w;
	return sum + (sum < w);
}

u64 checksum_add(u64 sum, const void *data, size_t len)
{
	const u8 *at = data;

	if (len >= CHECKSUM_BLOCK) {
		sum = checksum_blocks(sum, at, len / CHECKSUM_BLOCK);
		at += len & ~(size_t)(CHECKSUM_BLOCK - 1);
		len &= CHECKSUM_BLOCK - 1;
	}
	for (; len >= 8; at += 8, len -= 8)
		sum = add(sum, ((const struct unaligned64 *)at)->v);
	if (len & 4) {
		sum = add(sum, ((const struct unaligned32 *)at)->v);
		at += 4;
	}
	if (len & 2) {
		sum = add(sum, ((const struct unaligned16 *)at)->v);
		at += 2;
	}
	return len & 1 ? add(sum, *at) : sum;
}
