/* cpio headers: a good one, each byte bent to each value, each length of what is there. */
#include <asm/errno.h>
#include <kernel/lib/cpio.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

static const char good[] = "070701" "00000001" "000081a4" "000003e8" "000003e9" "00000002" "5f5e1000" "0000000c" "000000fe" "00000001"
			   "000000CC" "00000040" "00000006" "00000000";

TEST(fields)
{
	char *bytes = host_guarded(CPIO_HEADER_LEN);
	struct cpio_header h;

	_Static_assert(sizeof(good) == CPIO_HEADER_LEN + 1, "all of the header");
	memcpy(bytes, good, CPIO_HEADER_LEN);
	EXPECT_EQ(cpio_parse(bytes, &h), 0);
	EXPECT(h.ino == 1 && h.mode == 0100644 && h.uid == 1000 && h.gid == 1001 && h.nlink == 2 && h.mtime == 1600000000 && h.size == 12);
	EXPECT(h.dev_major == 254 && h.dev_minor == 1 && h.rdev_major == 204 && h.rdev_minor == 64 && h.name_len == 6 && h.check == 0);
	bytes[5] = '2';		/* with checksums */
	EXPECT_EQ(cpio_parse(bytes, &h), 0);
	memset(bytes + 6, 'F', 104);
	EXPECT_EQ(cpio_parse(bytes, &h), 0);
	EXPECT(h.ino == ~0u && h.check == ~0u && h.size == ~0u);
}

static bool hex(int c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

TEST(every_byte_bent)
{
	char *bytes = host_guarded(CPIO_HEADER_LEN);

	for (u32 at = 0; at < CPIO_HEADER_LEN; at++)
		for (int c = 0; c < 256; c++) {
			struct cpio_header h = { .ino = 0x12345678 };
			bool fine = at < 5 ? c == good[at] : at == 5 ? c == '1' || c == '2' : hex(c);

			memcpy(bytes, good, CPIO_HEADER_LEN);
			bytes[at] = (char)c;
			EXPECT_EQ(cpio_parse(bytes, &h), fine ? 0 : -EINVAL);
			EXPECT(fine || h.ino == 0x12345678);	/* a bad one leaves nothing */
		}
}
