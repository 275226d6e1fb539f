/* A file that takes most of the disk (/disk, ext2), cut in the middle, with a hole, and away: all its blocks come back. */
#include "../tap.h"
#include <linux/falloc.h>

static long free_blocks(int fd)
{
	struct statfs fs;
	CHECK(fsync(fd) == 0 && fstatfs(fd, &fs) == 0);
	return (long)fs.f_bfree;
}

TEST(blocks_of_a_large_file_come_back)
{
	static char buffer[64 << 10], is[64 << 10];
	struct statfs fs;
	if (statfs("/disk", &fs) < 0 || fs.f_type != 0xef53)
		SKIP("no ext2 at /disk");
	int fd = open("/disk/large.file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	memset(buffer, 0x5a, sizeof(buffer));
	long before = free_blocks(fd), unit = (long)sizeof(buffer) / fs.f_bsize, nr = before / unit * 3 / 4;
	for (long i = 0; i < nr; i++)
		CHECK(write(fd, buffer, sizeof(buffer)) == sizeof(buffer));
	long full = free_blocks(fd);
	CHECK(before - full >= nr * unit && before - full <= nr * unit + nr * unit / 64 + 16);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * sizeof(buffer), (nr / 2 - 3) * sizeof(buffer)) == 0);
	CHECK(free_blocks(fd) - full >= (nr / 2 - 3) * unit);
	CHECK(ftruncate(fd, (nr / 2 + 5) * sizeof(buffer)) == 0);
	CHECK(before - free_blocks(fd) <= 8 * unit + 64);
	for (long i = nr / 2 - 2; i < nr / 2 + 5; i++) {
		CHECK(pread(fd, is, sizeof(is), i * sizeof(is)) == sizeof(is));
		for (unsigned k = 0; k < sizeof(is); k++)
			CHECK(is[k] == (i < nr / 2 ? 0 : 0x5a));
	}
	CHECK(ftruncate(fd, 0) == 0);
	CHECK_EQ(free_blocks(fd), before);
	for (long i = 0; i < nr; i++)
		CHECK(write(fd, buffer, sizeof(buffer)) == sizeof(buffer));
	CHECK(fsync(fd) == 0 && unlink("/disk/large.file") == 0);
	close(fd);
	fd = open("/disk", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	CHECK(free_blocks(fd) - before <= 1 && before - free_blocks(fd) <= 1);
}
