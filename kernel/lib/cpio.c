#include <kernel/lib/cpio.h>
#include <asm/errno.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int cpio_parse(const char bytes[CPIO_HEADER_LEN], struct cpio_header *out)
{
	static const char magic[] = "07070";
	u32 field[13];

	for (int i = 0; i < 5; i++)
		if (bytes[i] != magic[i])
			return -EINVAL;
	if (bytes[5] != '1' && bytes[5] != '2')
		return -EINVAL;
	for (int f = 0; f < 13; f++) {
		field[f] = 0;
		for (int i = 0; i < 8; i++) {
			int d = hex_digit(bytes[6 + f * 8 + i]);

			if (d < 0)
				return -EINVAL;
			field[f] = field[f] << 4 | (u32)d;
		}
	}
	*out = (struct cpio_header){ .ino = field[0], .mode = field[1], .uid = field[2], .gid = field[3], .nlink = field[4],
		.mtime = field[5], .size = field[6], .dev_major = field[7], .dev_minor = field[8], .rdev_major = field[9],
		.rdev_minor = field[10], .name_len = field[11], .check = field[12] };
	return 0;
}
