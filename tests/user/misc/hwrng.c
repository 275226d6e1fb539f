/* /dev/hwrng: the device's random bytes.  Without a device reading is ENODEV, and there is nothing more to see. */
#include "tap.h"
#include <sys/sysmacros.h>

static int open_hwrng(int flags)
{
	char c;
	int fd = open("/dev/hwrng", flags);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV))
		SKIP("no /dev/hwrng");
	CHECK(fd >= 0);
	if (!(flags & O_NONBLOCK) && read(fd, &c, 1) < 0 && errno == ENODEV)
		SKIP("no generator");
	return fd;
}

TEST(node)
{
	struct stat st;

	if (stat("/dev/hwrng", &st) && errno == ENOENT)
		SKIP("no /dev/hwrng");
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(major(st.st_rdev), 10);
	CHECK_EQ(minor(st.st_rdev), 183);
	CHECK_EQ(st.st_mode & 07777, 0600);
}

TEST(as_many_as_asked_for)
{
	static char buf[100000];
	int fd = open_hwrng(O_RDONLY), differ = 0;

	for (size_t len = 1; len <= sizeof(buf); len = len * 3 + 1) {
		memset(buf, 0, sizeof(buf));
		CHECK_EQ(read(fd, buf, len), len);
		if (len < sizeof(buf))
			CHECK_EQ(buf[len], 0);
	}
	for (size_t i = 0; i + 1 < 1000; i++)
		differ += buf[i] != buf[i + 1];
	CHECK(differ > 900);
	CHECK_EQ(read(fd, buf, 0), 0);
}

TEST(never_the_same)
{
	char a[64], b[64];
	int fd = open_hwrng(O_RDONLY);

	CHECK_EQ(read(fd, a, sizeof(a)), 64);
	CHECK_EQ(read(fd, b, sizeof(b)), 64);
	CHECK(memcmp(a, b, sizeof(a)));
}

TEST(bad_address)
{
	int fd = open_hwrng(O_RDONLY);

	CHECK_ERR(read(fd, (void *)8, 100), EFAULT);
	CHECK_EQ(read(fd, (char[10]){ 0 }, 10), 10);
}

/* Without waiting there is something or nothing; asked again and again there is something. */
TEST(nonblock)
{
	int fd = open_hwrng(O_RDONLY), nb = open_hwrng(O_RDONLY | O_NONBLOCK);
	char buf[4096];
	ssize_t n, got = 0;

	(void)fd;
	while (got < 20000) {
		n = read(nb, buf, sizeof(buf));
		CHECK(n > 0 || (n < 0 && errno == EAGAIN));
		if (n > 0)
			got += n;
		else
			sched_yield();
	}
}

TEST(many_readers)
{
	int fd = open_hwrng(O_RDONLY);

	for (int i = 0; i < 8; i++)
		if (!fork()) {
			char buf[3000];

			for (int n = 0; n < 20; n++)
				if (read(fd, buf, sizeof(buf)) != sizeof(buf))
					_exit(1);
			_exit(0);
		}
	for (int i = 0; i < 8; i++) {
		int status;

		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
}

TEST(not_written)
{
	int fd = open("/dev/hwrng", O_WRONLY);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV))
		SKIP("no /dev/hwrng");
	CHECK(fd < 0 ? errno == EINVAL : write(fd, "x", 1) == -1 && errno == EINVAL);
}
