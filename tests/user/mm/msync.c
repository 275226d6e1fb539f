/* msync: every combination of flags, ranges with gaps, locked mappings. */
#include "../tap.h"

#define PAGE 4096L

static int file(long pages)
{
	int fd = open("/tmp/msync.tmp", O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	unlink("/tmp/msync.tmp");
	CHECK_EQ(ftruncate(fd, pages * PAGE), 0);
	return fd;
}

TEST(flags)
{
	int fd = file(4);
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	for (int flags = 0; flags < 8; flags++) {
		p[0]++;
		p[3 * PAGE]++;
		errno = 0;
		if ((flags & MS_ASYNC) && (flags & MS_SYNC))
			CHECK(msync(p, 4 * PAGE, flags) == -1 && errno == EINVAL);
		else
			CHECK_EQ(msync(p, 4 * PAGE, flags), 0);
	}
	CHECK(msync(p, 4 * PAGE, 8) == -1 && errno == EINVAL);
	CHECK(msync(p + 1, PAGE, MS_SYNC) == -1 && errno == EINVAL);
	CHECK_EQ(msync(p, 0, MS_SYNC), 0);
	CHECK_EQ(msync(p, 1, MS_SYNC), 0);
}

TEST(what_was_stored_is_read)
{
	int fd = file(2);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), c;

	CHECK(p != MAP_FAILED);
	for (int i = 0; i < 20; i++) {
		p[PAGE + 7] = (char)i;
		CHECK_EQ(msync(p, 2 * PAGE, i & 1 ? MS_SYNC : MS_ASYNC), 0);
		CHECK_EQ(pread(fd, &c, 1, PAGE + 7), 1);
		CHECK_EQ(c, i);
	}
}

TEST(gaps)
{
	char *p = mmap(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file(6), 0);

	CHECK(p != MAP_FAILED);
	CHECK_EQ(munmap(p + 2 * PAGE, PAGE), 0);
	p[5 * PAGE] = 1;
	CHECK(msync(p, 6 * PAGE, MS_SYNC) == -1 && errno == ENOMEM);
	CHECK(msync(p, 6 * PAGE, MS_ASYNC) == -1 && errno == ENOMEM);
	CHECK(msync(p + 2 * PAGE, PAGE, MS_SYNC) == -1 && errno == ENOMEM);
	CHECK_EQ(msync(p, 2 * PAGE, MS_SYNC), 0);
	CHECK_EQ(msync(p + 3 * PAGE, 3 * PAGE, MS_SYNC), 0);
}

TEST(locked_pages_are_not_invalidated)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file(2), 0);

	CHECK(p != MAP_FAILED);
	CHECK_EQ(mlock(p, PAGE), 0);
	CHECK(msync(p, 2 * PAGE, MS_SYNC | MS_INVALIDATE) == -1 && errno == EBUSY);
	CHECK_EQ(msync(p, 2 * PAGE, MS_SYNC), 0);
	CHECK_EQ(munlock(p, PAGE), 0);
	CHECK_EQ(msync(p, 2 * PAGE, MS_SYNC | MS_INVALIDATE), 0);
}

TEST(memory_without_a_file)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	p[0] = 1;
	CHECK_EQ(msync(p, 2 * PAGE, MS_SYNC), 0);
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	p[0] = 1;
	CHECK_EQ(msync(p, 2 * PAGE, MS_SYNC), 0);
}
