/* The newc cpio format: headers parsed from bytes.  Pure; tested on the host. */
#pragma once
#include <kernel/lib/types.h>

#define CPIO_HEADER_LEN	110
struct cpio_header {
	u32 ino, mode, uid, gid, nlink, mtime, size, dev_major, dev_minor, rdev_major, rdev_minor, name_len /* with NUL */, check;
};
/* cpio_parse - 0, or -EINVAL if the magic or a digit is wrong. */
int cpio_parse(const char bytes[CPIO_HEADER_LEN], struct cpio_header *out);
