/* fsync, fdatasync, sync, syncfs, sync_file_range: what they refuse, and that they do no harm. */
#include "../tap.h"

static int file(void)
{
	int fd = open("sync.tmp", O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		fd = open("/tmp/sync.tmp", O_RDWR | O_CREAT | O_TRUNC, 0644);
	unlink("sync.tmp");
	unlink("/tmp/sync.tmp");
	CHECK(fd >= 0);
	return fd;
}

TEST(regular_files)
{
	int fd = file();
	char buf[5000];

	memset(buf, 'x', sizeof(buf));
	CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(fdatasync(fd), 0);
	CHECK_EQ(pwrite(fd, "y", 1, 100), 1);
	CHECK_EQ(fdatasync(fd), 0);
	CHECK_EQ(pread(fd, buf, 1, 100), 1);
	CHECK(buf[0] == 'y');
}

TEST(directories)
{
	int fd = open("/tmp", O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(syncfs(fd), 0);
}

TEST(what_cannot_be_synced)
{
	int p[2];

	CHECK_EQ(pipe(p), 0);
	CHECK(fsync(p[0]) == -1 && errno == EINVAL);
	CHECK(fdatasync(p[1]) == -1 && errno == EINVAL);
	CHECK(fsync(-1) == -1 && errno == EBADF);
	CHECK(fdatasync(9999) == -1 && errno == EBADF);
	CHECK(syncfs(-1) == -1 && errno == EBADF);
}

TEST(opened_for_the_path_only)
{
	int fd = open("/tmp", O_PATH);

	CHECK(fd >= 0);
	CHECK(fsync(fd) == -1 && errno == EBADF);
	CHECK(syncfs(fd) == -1 && errno == EBADF);
	CHECK(sync_file_range(fd, 0, 0, 0) == -1 && errno == EBADF);
}

TEST(everything)
{
	sync();
	sync();
}

TEST(file_range)
{
	int fd = file();
	char buf[8192] = { 1 };

	CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	for (unsigned flags = 0; flags < 8; flags++) {
		CHECK_EQ(sync_file_range(fd, 0, 0, flags), 0);
		CHECK_EQ(sync_file_range(fd, 100, 5000, flags), 0);
		CHECK_EQ(sync_file_range(fd, 1 << 30, 4096, flags), 0);	/* beyond the end */
	}
	CHECK_EQ(sync_file_range(fd, INT64_MAX, 0, 7), 0);
}

TEST(file_range_refuses)
{
	int fd = file(), p[2];

	CHECK(sync_file_range(fd, 0, 0, 8) == -1 && errno == EINVAL);
	CHECK(sync_file_range(fd, 0, 0, ~0u) == -1 && errno == EINVAL);
	CHECK(sync_file_range(fd, -1, 0, 2) == -1 && errno == EINVAL);
	CHECK(sync_file_range(fd, 0, -1, 2) == -1 && errno == EINVAL);
	CHECK(sync_file_range(fd, INT64_MAX, 2, 2) == -1 && errno == EINVAL);
	CHECK_EQ(pipe(p), 0);
	CHECK(sync_file_range(p[0], 0, 0, 0) == -1 && errno == ESPIPE);
	CHECK(sync_file_range(p[0], 0, 0, 8) == -1 && errno == EINVAL);
	CHECK(sync_file_range(-1, 0, 0, 8) == -1 && errno == EBADF);
	fd = open("/dev/null", O_RDWR);
	CHECK(fd >= 0);
	CHECK(sync_file_range(fd, 0, 0, 0) == -1 && errno == ESPIPE);
}

TEST(a_read_only_descriptor_syncs_too)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(fdatasync(fd), 0);
	CHECK_EQ(sync_file_range(fd, 0, 0, 2), 0);
}
