/* Swap of so many bytes on the disk that tests may write to, anew; without that disk the test is skipped. */
#pragma once
#include <sys/swap.h>

#define DEV "/dev/scratch"
#define PAGE 4096L

static inline void swap_area(long bytes)
{
	static char page[PAGE];

	if (access(DEV, F_OK))
		SKIP("no disk to swap to");
	swapoff(DEV);
	int fd = open(DEV, O_RDWR);
	((unsigned *)page)[256] = 1;
	((unsigned *)page)[257] = bytes / PAGE - 1;
	memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
	CHECK(fd >= 0 && pwrite(fd, page, PAGE, 0) == PAGE && fsync(fd) == 0);
	close(fd);
	CHECK_EQ(swapon(DEV, 0), 0);
}
