/* name_to_handle_at(2), open_by_handle_at(2): files by number. */
#define _GNU_SOURCE
#include "tap.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

struct fh { unsigned bytes; int type; unsigned words[32]; };

static int n2h(int dfd, const char *name, struct fh *h, int *id, int flags) { return (int)syscall(SYS_name_to_handle_at, dfd, name, h, id, flags); }
static int obh(int mnt, const struct fh *h, int flags) { return (int)syscall(SYS_open_by_handle_at, mnt, h, flags); }

static struct fh of(const char *name)
{
	struct fh h = { .bytes = 128 };
	int id = -1;

	CHECK_EQ(n2h(AT_FDCWD, name, &h, &id, 0), 0);
	CHECK(id > 0);
	return h;
}

static void make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
	close(fd);
}

static int opened(const struct fh *h, int flags)
{
	int at = open(".", O_RDONLY | O_DIRECTORY), fd = obh(at, h, flags);

	CHECK(fd >= 0);
	close(at);
	return fd;
}

static void same_file(int fd, const char *name)
{
	struct stat a, b;

	CHECK_EQ(fstat(fd, &a), 0);
	CHECK_EQ(lstat(name, &b), 0);
	CHECK(a.st_dev == b.st_dev && a.st_ino == b.st_ino);
	close(fd);
}

static void forget_names(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd >= 0) {
		CHECK_EQ(write(fd, "2", 1), 1);
		close(fd);
	}
}

TEST(a_file_and_back)
{
	struct fh h;
	char buf[8] = "";
	int fd;

	scratch();
	make("f", "hello");
	h = of("f");
	CHECK_EQ(h.type, 1);
	CHECK(h.bytes == 8 || h.bytes == 12);
	fd = opened(&h, O_RDWR | O_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(read(fd, buf, 8), 5);
	CHECK(!strcmp(buf, "hello"));
	CHECK_EQ(pwrite(fd, "J", 1, 0), 1);
	same_file(fd, "f");
	CHECK_EQ(rename("f", "g"), 0);		/* not its name */
	CHECK_EQ(link("g", "k"), 0);
	CHECK_EQ(unlink("g"), 0);
	same_file(opened(&h, O_RDONLY), "k");
	fd = opened(&h, O_WRONLY | O_TRUNC);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	close(fd);
}

TEST(when_nobody_has_used_it_for_long)
{
	struct fh h, d, l, top;
	int fd;
	struct stat a, b;

	scratch();
	CHECK(!mkdir("a", 0700) && !mkdir("a/b", 0700) && !mkdir("a/b/c", 0700));
	make("a/b/c/f", "deep");
	CHECK_EQ(symlink("f", "a/b/c/l"), 0);
	h = of("a/b/c/f");
	d = of("a/b/c");
	l = of("a/b/c/l");
	top = of(".");
	sync();
	forget_names();
	fd = opened(&h, O_RDONLY);
	forget_names();
	same_file(fd, "a/b/c/f");
	forget_names();
	fd = opened(&d, O_RDONLY | O_DIRECTORY);
	CHECK_EQ(fstatat(fd, "f", &a, 0), 0);
	CHECK_EQ(fstatat(fd, "..", &b, 0), 0);
	CHECK_EQ(stat("a/b", &a), 0);
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(fchdir(fd), 0);		/* it has its place in the tree */
	CHECK(strstr(get_current_dir_name(), "/a/b/c"));
	CHECK_EQ(chdir("../../.."), 0);
	same_file(fd, "a/b/c");
	same_file(opened(&l, O_PATH), "a/b/c/l");
	same_file(opened(&top, O_RDONLY), ".");
	CHECK_ERR(obh(AT_FDCWD, &l, O_RDONLY), ELOOP);
	CHECK_EQ(rename("a/b", "b"), 0);
	forget_names();
	same_file(opened(&d, O_RDONLY), "b/c");
}

TEST(one_that_is_gone_is_stale)
{
	struct fh h, d, t;
	int fd;

	scratch();
	make("f", "x");
	CHECK_EQ(mkdir("d", 0700), 0);
	h = of("f");
	d = of("d");
	fd = open("f", O_RDONLY);
	CHECK_EQ(unlink("f"), 0);
	close(opened(&h, O_RDONLY));		/* not while it is open */
	close(fd);
	CHECK_EQ(rmdir("d"), 0);
	forget_names();
	CHECK_ERR(obh(AT_FDCWD, &h, O_RDONLY), ESTALE);
	CHECK_ERR(obh(AT_FDCWD, &d, O_RDONLY), ESTALE);
	for (int i = 0; i < 20; i++) {		/* the number may be another's now */
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		make(name, "y");
		t = of(name);
		CHECK(memcmp(&t, &h, sizeof(h.bytes) + sizeof(h.type) + h.bytes));
	}
	CHECK_ERR(obh(AT_FDCWD, &h, O_RDONLY), ESTALE);
}

TEST(the_size_is_told)
{
	struct fh h = { .bytes = 0 }, full;
	int id = -1, id2 = -1;

	scratch();
	make("f", "x");
	full = of("f");
	CHECK_ERR(n2h(AT_FDCWD, "f", &h, &id, 0), EOVERFLOW);
	CHECK_EQ(h.bytes, full.bytes);
	CHECK_EQ(h.type, 255);
	CHECK(id > 0);
	h.bytes = full.bytes - 1;
	h.words[0] = 0x5a5a5a5a;
	CHECK_ERR(n2h(AT_FDCWD, "f", &h, &id, 0), EOVERFLOW);
	CHECK_EQ(h.words[0], 0x5a5a5a5a);
	h.bytes = full.bytes;
	CHECK_EQ(n2h(AT_FDCWD, "f", &h, &id2, 0), 0);
	CHECK_EQ(id, id2);
	CHECK(!memcmp(&h, &full, 8 + full.bytes));
	h.bytes = 129;
	CHECK_ERR(n2h(AT_FDCWD, "f", &h, &id, 0), EINVAL);
}

TEST(the_mount_is_told)
{
	char text[8192], want[40], *line;
	struct fh h = { .bytes = 128 };
	int id;

	CHECK_EQ(n2h(AT_FDCWD, "/tmp", &h, &id, AT_SYMLINK_FOLLOW), 0);
	CHECK(read_file("/proc/self/mountinfo", text, sizeof(text)) > 0);
	snprintf(want, sizeof(want), "%d ", id);
	line = text;
	while (line && strncmp(line, want, strlen(want)))
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
	CHECK(line);
}

TEST(links_and_empty_names)
{
	struct fh f, l, h = { .bytes = 128 };
	int id, fd, path;

	scratch();
	make("f", "x");
	CHECK_EQ(symlink("f", "l"), 0);
	f = of("f");
	l = of("l");
	CHECK(memcmp(&f, &l, 8 + f.bytes));
	CHECK_EQ(n2h(AT_FDCWD, "l", &h, &id, AT_SYMLINK_FOLLOW), 0);
	CHECK(!memcmp(&f, &h, 8 + f.bytes));
	fd = open("f", O_RDONLY);
	CHECK_ERR(n2h(fd, "", &h, &id, 0), ENOENT);
	h.bytes = 128;
	CHECK_EQ(n2h(fd, "", &h, &id, AT_EMPTY_PATH), 0);
	CHECK(!memcmp(&f, &h, 8 + f.bytes));
	path = open("l", O_PATH | O_NOFOLLOW);
	h.bytes = 128;
	CHECK_EQ(n2h(path, "", &h, &id, AT_EMPTY_PATH), 0);
	CHECK(!memcmp(&l, &h, 8 + f.bytes));
	CHECK_ERR(n2h(AT_FDCWD, "f", &h, &id, AT_SYMLINK_NOFOLLOW), EINVAL);
	CHECK_ERR(n2h(AT_FDCWD, "none", &h, &id, 0), ENOENT);
	CHECK_ERR(n2h(fd, "x", &h, &id, 0), ENOTDIR);
	CHECK_ERR(n2h(99, "x", &h, &id, 0), EBADF);
}

TEST(which_filesystems)
{
	struct fh h = { .bytes = 128 };
	int id;

	CHECK_ERR(n2h(AT_FDCWD, "/proc/self/stat", &h, &id, 0), EOPNOTSUPP);
	scratch();
	h = of(".");
	CHECK_ERR(obh(open("/proc", O_RDONLY), &h, O_RDONLY), ESTALE);
}

TEST(another_instance_has_others)
{
	struct fh h;

	scratch();
	CHECK_EQ(mkdir("m", 0700), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, ""), 0);
	make("m/f", "x");
	h = of("m/f");
	same_file(obh(open("m", O_RDONLY), &h, O_RDONLY), "m/f");
	while (umount2("m", 0) && errno == EBUSY)
		CHECK_EQ(umount2("m", MNT_DETACH), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, ""), 0);
	make("m/f", "x");
	CHECK_ERR(obh(open("m", O_RDONLY), &h, O_RDONLY), ESTALE);
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
}

TEST(bad_handles)
{
	struct fh h, bad;
	int at, path;

	scratch();
	make("f", "x");
	h = of("f");
	at = open(".", O_RDONLY);
	path = open(".", O_PATH);
	bad = h;
	bad.bytes = 0;
	CHECK_ERR(obh(at, &bad, O_RDONLY), EINVAL);
	bad.bytes = 129;
	CHECK_ERR(obh(at, &bad, O_RDONLY), EINVAL);
	bad.bytes = 4;
	CHECK_ERR(obh(at, &bad, O_RDONLY), ESTALE);
	bad.bytes = 128;
	memset(bad.words, 0xff, sizeof(bad.words));
	CHECK_ERR(obh(at, &bad, O_RDONLY), ESTALE);
	memset(bad.words, 0, sizeof(bad.words));
	CHECK_ERR(obh(at, &bad, O_RDONLY), ESTALE);
	for (unsigned k = 0; k < 200; k++) {	/* numbers that are nobody's, generations that nobody has */
		bad.words[0] = k * 7919;
		bad.words[1] = k * 104729;
		bad.words[2] = k & 1;
		CHECK_ERR(obh(at, &bad, O_RDONLY), ESTALE);
	}
	CHECK_ERR(obh(99, &h, O_RDONLY), EBADF);
	CHECK_ERR(obh(path, &h, O_RDONLY), EBADF);
	CHECK_ERR(obh(at, (struct fh *)8, O_RDONLY), EFAULT);
	CHECK_ERR(obh(at, (struct fh *)(1ul << 63), O_RDONLY), EFAULT);
	CHECK_ERR(obh(at, &h, O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(n2h(at, "f", (struct fh *)8, &path, 0), EFAULT);
	h.bytes = 128;
	CHECK_ERR(n2h(at, "f", &h, (int *)8, 0), EFAULT);
	CHECK_ERR(n2h(at, (char *)8, &h, &path, 0), EFAULT);
}

TEST(only_the_privileged_open_them)
{
	struct fh h, again = { .bytes = 128 };
	int st, id;
	pid_t pid;

	scratch();
	CHECK_EQ(chmod(".", 0755), 0);
	make("f", "x");
	h = of("f");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (setuid(1000))
			_exit(9);
		if (n2h(AT_FDCWD, "f", &again, &id, 0) || memcmp(&h, &again, 8 + h.bytes))	/* anybody may ask */
			_exit(2);
		_exit(obh(AT_FDCWD, &h, O_RDONLY) == -1 && errno == EPERM ? 0 : 1);
	}
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK_EQ(st, 0);
	same_file(obh(AT_FDCWD, &h, O_RDONLY), "f");
}

TEST(read_only_is_read_only)
{
	struct fh h;

	scratch();
	CHECK(!mkdir("m", 0700) && !mount("none", "m", "tmpfs", 0, ""));
	make("m/f", "x");
	h = of("m/f");
	CHECK_EQ(mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, ""), 0);
	CHECK_ERR(obh(open("m", O_RDONLY), &h, O_WRONLY), EROFS);
	same_file(obh(open("m", O_RDONLY), &h, O_RDONLY), "m/f");
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
}

TEST(inotify_tells_the_handle)
{
	struct fh h;
	char path[64], text[1000], want[400];
	int fd = inotify_init(), n;

	scratch();
	make("f", "x");
	h = of("f");
	CHECK_EQ(inotify_add_watch(fd, "f", IN_OPEN), 1);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(read_file(path, text, sizeof(text)) > 0);
	n = snprintf(want, sizeof(want), "ignored_mask:0 fhandle-bytes:%x fhandle-type:%x f_handle:", h.bytes, h.type);
	for (unsigned k = 0; k < h.bytes; k++)
		n += snprintf(want + n, sizeof(want) - n, "%02x", ((unsigned char *)h.words)[k]);
	snprintf(want + n, sizeof(want) - n, "\n");
	CHECK(strstr(text, want));
}
