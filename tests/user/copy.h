/* A copy of the test program, to be given rights that the one which runs has not. */
#pragma once
#include "tap.h"

/* copy_self - this program as path, which is not there yet, with that mode, whatever the umask. */
static inline void copy_self(const char *path, mode_t mode)
{
	static char b[65536];
	int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_EXCL, 0700);
	ssize_t n;

	CHECK(from >= 0 && to >= 0);
	while ((n = read(from, b, sizeof(b))) > 0)
		CHECK_EQ(write(to, b, n), n);
	CHECK_EQ(n, 0);
	close(from);
	close(to);
	CHECK_EQ(chmod(path, mode), 0);
}
