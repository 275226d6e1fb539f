/* chattr +i and +a: what then cannot be done, by root either.  Only where the file system keeps such flags (a disk). */
#include "tap.h"
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/xattr.h>

static int set(const char *name, int flags)
{
	int fd = open(name, O_RDONLY), old, err;

	if (fd < 0) return -1;
	err = ioctl(fd, FS_IOC_GETFLAGS, &old);
	if (!err) {
		flags |= old & ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
		err = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	int e = errno;
	close(fd);
	errno = e;
	return err;
}

static void need(void)
{
	scratch();
	int fd = open("probe", O_CREAT | O_RDWR, 0600), flags;
	int err = ioctl(fd, FS_IOC_GETFLAGS, &flags);
	close(fd);
	if (err) SKIP("the file system has no such flags");
}

static void make(const char *name) { int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600); CHECK(write(fd, "12345", 5) == 5); close(fd); }

TEST(immutable_file)
{
	need();
	make("f");
	CHECK(link("f", "before") == 0);
	CHECK(set("f", FS_IMMUTABLE_FL) == 0);
	CHECK_ERR(open("f", O_WRONLY), EPERM);
	CHECK_ERR(open("f", O_WRONLY | O_APPEND), EPERM);
	CHECK_ERR(truncate("f", 0), EPERM);
	CHECK_ERR(unlink("f"), EPERM);
	CHECK_ERR(unlink("before"), EPERM);
	CHECK_ERR(link("f", "l"), EPERM);
	CHECK_ERR(rename("f", "g"), EPERM);
	make("other");
	CHECK_ERR(rename("other", "f"), EPERM);
	CHECK_ERR(chmod("f", 0644), EPERM);
	CHECK_ERR(chown("f", 1, 1), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "f", NULL, 0), EPERM);
	struct timespec ts[2] = { { 1, 0 }, { 2, 0 } };
	CHECK_ERR(utimensat(AT_FDCWD, "f", ts, 0), EPERM);
	CHECK_ERR(setxattr("f", "trusted.x", "y", 1, 0), EPERM);
	char b[5];
	int fd = open("f", O_RDONLY);
	CHECK(read(fd, b, 5) == 5 && !memcmp(b, "12345", 5));
	close(fd);
	CHECK(set("f", 0) == 0 && unlink("f") == 0 && unlink("before") == 0);
}

TEST(immutable_directory)
{
	need();
	CHECK(mkdir("d", 0700) == 0);
	make("d/f");
	CHECK(set("d", FS_IMMUTABLE_FL) == 0);
	CHECK_ERR(open("d/new", O_CREAT | O_RDWR, 0600), EPERM);
	CHECK_ERR(mkdir("d/new", 0700), EPERM);
	CHECK_ERR(unlink("d/f"), EPERM);
	CHECK_ERR(rename("d/f", "d/g"), EPERM);
	CHECK_ERR(rmdir("d"), EPERM);
	int fd = open("d/f", O_WRONLY);		/* the file itself may change */
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
	CHECK(set("d", 0) == 0 && unlink("d/f") == 0 && rmdir("d") == 0);
}

TEST(append_only_file)
{
	need();
	make("f");
	CHECK(set("f", FS_APPEND_FL) == 0);
	CHECK_ERR(open("f", O_WRONLY), EPERM);
	CHECK_ERR(open("f", O_RDWR), EPERM);
	CHECK_ERR(open("f", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
	int fd = open("f", O_RDWR | O_APPEND);
	CHECK(fd >= 0 && write(fd, "678", 3) == 3);
	CHECK_ERR(fcntl(fd, F_SETFL, 0), EPERM);
	CHECK_ERR(ftruncate(fd, 0), EPERM);
	CHECK_ERR(truncate("f", 0), EPERM);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
	CHECK_ERR(unlink("f"), EPERM);
	CHECK_ERR(rename("f", "g"), EPERM);
	CHECK_ERR(link("f", "g"), EPERM);
	CHECK_ERR(chmod("f", 0644), EPERM);
	CHECK(utimensat(AT_FDCWD, "f", NULL, 0) == 0);
	struct timespec ts[2] = { { 1, 0 }, { 2, 0 } };
	CHECK_ERR(utimensat(AT_FDCWD, "f", ts, 0), EPERM);
	char b[8];
	CHECK(pread(fd, b, 8, 0) == 8 && !memcmp(b, "12345678", 8));
	close(fd);
	CHECK(set("f", 0) == 0 && unlink("f") == 0);
}

TEST(append_only_directory)
{
	need();
	CHECK(mkdir("d", 0700) == 0 && set("d", FS_APPEND_FL) == 0);
	make("d/f");
	CHECK_ERR(unlink("d/f"), EPERM);
	CHECK_ERR(rename("d/f", "d/g"), EPERM);
	CHECK(set("d", 0) == 0 && unlink("d/f") == 0 && rmdir("d") == 0);
}

