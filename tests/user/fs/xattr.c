/* Extended attributes on tmpfs: setxattr(2), getxattr(2), listxattr(2), removexattr(2). */
#include "tap.h"
#include <sys/xattr.h>

static char b[70000];

static int has(const char *list, ssize_t n, const char *name)
{
	for (const char *p = list; p < list + n; p += strlen(p) + 1)
		if (!strcmp(p, name))
			return 1;
	return 0;
}

static void file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT, 0666);

	CHECK(fd >= 0 && close(fd) == 0);
}

TEST(set_get_list_remove)
{
	scratch();
	file("f");
	CHECK(listxattr("f", b, sizeof(b)) == 0);
	CHECK(setxattr("f", "trusted.a", "one", 3, 0) == 0);
	CHECK(setxattr("f", "security.b", "", 0, 0) == 0);
	CHECK(getxattr("f", "trusted.a", b, sizeof(b)) == 3 && !memcmp(b, "one", 3));
	CHECK(getxattr("f", "trusted.a", NULL, 0) == 3);
	CHECK(getxattr("f", "security.b", b, 1) == 0);
	CHECK(setxattr("f", "trusted.a", "longer", 6, 0) == 0);
	CHECK(getxattr("f", "trusted.a", b, sizeof(b)) == 6);
	ssize_t n = listxattr("f", b, sizeof(b));
	CHECK_EQ(n, (int)(sizeof("trusted.a") + sizeof("security.b")));
	CHECK(has(b, n, "trusted.a") && has(b, n, "security.b"));
	CHECK(listxattr("f", NULL, 0) == n);
	CHECK(removexattr("f", "trusted.a") == 0);
	CHECK_ERR(getxattr("f", "trusted.a", b, sizeof(b)), ENODATA);
	CHECK(listxattr("f", b, sizeof(b)) == sizeof("security.b"));
}

TEST(flags)
{
	scratch();
	file("f");
	CHECK_ERR(setxattr("f", "trusted.a", "x", 1, XATTR_REPLACE), ENODATA);
	CHECK(setxattr("f", "trusted.a", "x", 1, XATTR_CREATE) == 0);
	CHECK_ERR(setxattr("f", "trusted.a", "y", 1, XATTR_CREATE), EEXIST);
	CHECK(setxattr("f", "trusted.a", "y", 1, XATTR_REPLACE) == 0);
	CHECK_ERR(setxattr("f", "trusted.a", "y", 1, 4), EINVAL);
}

TEST(errors)
{
	char name[300];

	scratch();
	file("f");
	CHECK(setxattr("f", "trusted.a", "four", 4, 0) == 0);
	CHECK_ERR(getxattr("f", "trusted.a", b, 3), ERANGE);
	CHECK_ERR(listxattr("f", b, 3), ERANGE);
	CHECK_ERR(removexattr("f", "trusted.none"), ENODATA);
	CHECK_ERR(setxattr("f", "", "x", 1, 0), ERANGE);
	memset(name, 'n', sizeof(name));
	memcpy(name, "trusted.", 8);
	name[255] = 0;
	CHECK(setxattr("f", name, "x", 1, 0) == 0);
	name[255] = 'n';
	name[256] = 0;
	CHECK_ERR(setxattr("f", name, "x", 1, 0), ERANGE);
	CHECK_ERR(setxattr("f", "nonsense.a", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERR(getxattr("f", "plain", b, 1), EOPNOTSUPP);
	CHECK_ERR(setxattr("f", "trusted.a", b, 65537, 0), E2BIG);
	if (on_ext2()) {	/* all of a file's are in one block */
		CHECK_ERR(setxattr("f", "trusted.a", b, 65536, 0), ENOSPC);
		CHECK(getxattr("f", "trusted.a", b, sizeof(b)) == 4);
	} else {
		CHECK(setxattr("f", "trusted.a", b, 65536, 0) == 0);
		CHECK(getxattr("f", "trusted.a", b, sizeof(b)) == 65536);
	}
	CHECK_ERR(setxattr("none", "trusted.a", "x", 1, 0), ENOENT);
	CHECK_ERR(setxattr("f", (char *)8, "x", 1, 0), EFAULT);
	CHECK_ERR(setxattr("f", "trusted.a", (void *)8, 1, 0), EFAULT);
	CHECK_ERR(getxattr("f", "trusted.a", (void *)8, 65536), EFAULT);
	CHECK_ERR(listxattr("f", (void *)8, 1000), EFAULT);
}

TEST(by_descriptor_and_on_links)
{
	scratch();
	file("f");
	CHECK(symlink("f", "l") == 0);
	int fd = open("f", O_RDONLY), p = open("f", O_PATH);
	CHECK(fsetxattr(fd, "trusted.a", "x", 1, 0) == 0);
	CHECK(fgetxattr(fd, "trusted.a", b, 10) == 1 && flistxattr(fd, b, sizeof(b)) == sizeof("trusted.a"));
	CHECK(getxattr("l", "trusted.a", b, 10) == 1);
	CHECK_ERR(lgetxattr("l", "trusted.a", b, 10), ENODATA);
	CHECK(lsetxattr("l", "trusted.link", "xy", 2, 0) == 0);
	CHECK(lgetxattr("l", "trusted.link", b, 10) == 2 && llistxattr("l", b, sizeof(b)) == sizeof("trusted.link"));
	CHECK(lremovexattr("l", "trusted.link") == 0 && fremovexattr(fd, "trusted.a") == 0);
	CHECK_ERR(fgetxattr(p, "trusted.a", b, 10), EBADF);
	CHECK_ERR(fsetxattr(-1, "trusted.a", "x", 1, 0), EBADF);
}

TEST(who_may)
{
	scratch();
	file("f");
	CHECK(chmod("f", 0666) == 0 && setxattr("f", "trusted.a", "x", 1, 0) == 0 && setxattr("f", "security.b", "x", 1, 0) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(setgid(1000) == 0 && setuid(1000) == 0);
		CHECK_ERR(getxattr("f", "trusted.a", b, 10), ENODATA);
		CHECK_ERR(setxattr("f", "trusted.a", "x", 1, 0), EPERM);
		CHECK(getxattr("f", "security.b", b, 10) == 1);
		ssize_t n = listxattr("f", b, sizeof(b));
		CHECK(n == sizeof("security.b") && has(b, n, "security.b"));
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(what_tmpfs_does_not_keep)
{
	scratch();
	file("f");
	if (on_ext2()) {
		CHECK(setxattr("f", "user.a", "x", 1, 0) == 0 && getxattr("f", "user.a", b, 10) == 1);
	} else {
		CHECK_ERR(setxattr("f", "user.a", "x", 1, 0), EOPNOTSUPP);
		CHECK_ERR(getxattr("f", "user.a", b, 10), EOPNOTSUPP);
	}
	CHECK(mkfifo("p", 0666) == 0);
	CHECK_ERR(setxattr("p", "user.a", "x", 1, 0), EPERM);
	CHECK(listxattr("/proc/self/stat", b, sizeof(b)) == 0);
	CHECK_ERR(setxattr("/proc/self/stat", "trusted.a", "x", 1, 0), EOPNOTSUPP);
}
