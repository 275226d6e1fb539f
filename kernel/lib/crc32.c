/* CRC-32, a byte at a time; the table is made at the first use (2,000 instructions, a kilobyte of memory instead of the image's). */
#include <kernel/lib/crc32.h>

#define POLYNOMIAL	0xedb88320u

static u32 table[256];

/* Whoever is first fills it, perhaps several at once, with the same words. */
static void table_fill(void)
{
	for (u32 i = 255; i < 256; i--) {	/* entry 1 is not 0 and is written late: see crc32() */
		u32 v = i;

		for (u32 bit = 0; bit < 8; bit++)
			v = v & 1 ? v >> 1 ^ POLYNOMIAL : v >> 1;
		__atomic_store_n(&table[i], v, __ATOMIC_RELEASE);
	}
}

u32 crc32(u32 crc, const void *data, size_t len)
{
	const u8 *p = data;

	if (!__atomic_load_n(&table[1], __ATOMIC_ACQUIRE))	/* entries above 1 were written before it, and entry 0 is 0 */
		table_fill();
	crc = ~crc;
	while (len--)
		crc = table[(crc ^ *p++) & 0xff] ^ crc >> 8;
	return ~crc;
}
