/* open and its flags, paths, links. */
#include "tap.h"

TEST(create_excl_trunc_append)
{
	scratch();
	CHECK_ERR(open("f", O_RDONLY), ENOENT);
	int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_ERR(open("f", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	int a = open("f", O_WRONLY | O_APPEND);
	CHECK_EQ(write(a, "+1", 2), 2);
	CHECK_EQ(write(fd, "J", 1), 1);
	char b[32] = "";
	CHECK_EQ(pread(fd, b, 31, 0), 7);
	CHECK(!strcmp(b, "helloJ1"));
	CHECK_EQ(fcntl(a, F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
	int t = open("f", O_RDWR | O_TRUNC);
	CHECK_EQ(lseek(t, 0, SEEK_END), 0);
	CHECK_ERR(open("nodir/f", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERR(open("f/g", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("", O_RDONLY), ENOENT);
	CHECK_ERR(open("new/", O_CREAT | O_RDWR, 0600), EISDIR);
	CHECK_ERR(open(".", O_WRONLY), EISDIR);
	CHECK_ERR(open(".", O_CREAT | O_RDWR, 0600), EISDIR);
}

TEST(directory_flag)
{
	scratch();
	write_file("f", "x");
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	int d = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(d >= 0);
	CHECK(openat(d, "f", O_RDONLY) >= 0);
	CHECK(mkdirat(d, "sub", 0755) == 0);
	CHECK_ERR(mkdir("sub", 0755), EEXIST);
	CHECK_ERR(mkdir("f/x", 0755), ENOTDIR);
	CHECK(mkdir("slash/", 0755) == 0);
}

TEST(o_path)
{
	scratch();
	write_file("f", "x");
	int p = open("f", O_PATH);
	char c;
	struct stat st;
	CHECK(p >= 0);
	CHECK_ERR(read(p, &c, 1), EBADF);
	CHECK_ERR(write(p, &c, 1), EBADF);
	CHECK_ERR(syscall(SYS_fchmod, p, 0600), EBADF);
	CHECK_ERR(ioctl(p, TCGETS, &c), EBADF);
	CHECK(fstat(p, &st) == 0 && S_ISREG(st.st_mode));
	CHECK(symlink("f", "l") == 0);
	int l = open("l", O_PATH | O_NOFOLLOW);
	CHECK(l >= 0 && fstat(l, &st) == 0 && S_ISLNK(st.st_mode));
	char buf[8] = "";
	CHECK_EQ(readlinkat(l, "", buf, 8), 1);
	int d = open(".", O_PATH | O_DIRECTORY);
	CHECK(openat(d, "f", O_RDONLY) >= 0);
	CHECK(fchdir(d) == 0);
	CHECK_EQ(fcntl(p, F_GETFL) & O_PATH, O_PATH);
}

TEST(nofollow_and_loops)
{
	scratch();
	CHECK(symlink("loop", "loop") == 0);
	CHECK_ERR(open("loop", O_RDONLY), ELOOP);
	CHECK_ERR(open("loop", O_RDONLY | O_NOFOLLOW), ELOOP);
	struct stat st;
	CHECK(lstat("loop", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 4);
	CHECK_ERR(stat("loop", &st), ELOOP);
	write_file("t", "x");
	CHECK(symlink("t", "s") == 0);
	CHECK_ERR(open("s", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK(symlink("dangling-target", "d") == 0);
	CHECK_ERR(open("d", O_RDONLY), ENOENT);
	CHECK(open("d", O_CREAT | O_RDWR, 0600) >= 0);
	CHECK(stat("dangling-target", &st) == 0);
	CHECK_ERR(symlink("x", "s"), EEXIST);
	CHECK_ERR(symlink("", "empty"), ENOENT);
}

TEST(forty_links_deep)
{
	char a[16], b[16];
	scratch();
	write_file("l0", "end");
	for (int i = 1; i <= 41; i++) {
		snprintf(a, sizeof(a), "l%d", i - 1);
		snprintf(b, sizeof(b), "l%d", i);
		CHECK(symlink(a, b) == 0);
	}
	CHECK(open("l40", O_RDONLY) >= 0);
	CHECK_ERR(open("l41", O_RDONLY), ELOOP);
	/* And as directories in the middle of a path. */
	CHECK(mkdir("dir", 0755) == 0 && symlink("dir", "dl") == 0);
	write_file("dl/inside", "x");
	CHECK(access("dir/inside", F_OK) == 0);
	CHECK(access("dl/../dir/./inside", F_OK) == 0);
}

TEST(path_and_name_lengths)
{
	static char path[6000], name[300];
	struct stat st;
	scratch();
	memset(name, 'n', sizeof(name));
	name[255] = 0;
	write_file(name, "x");
	CHECK(stat(name, &st) == 0);
	name[255] = 'n'; name[256] = 0;
	CHECK_ERR(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	CHECK_ERR(mkdir(name, 0700), ENAMETOOLONG);
	CHECK_ERR(stat(name, &st), ENAMETOOLONG);
	for (int i = 0; i < 5998; i += 2) { path[i] = '.'; path[i + 1] = '/'; }
	path[4095] = 0;	/* 4095 bytes and the end */
	CHECK(stat(path, &st) == 0);
	path[4095] = '/'; path[4096] = 0;
	CHECK_ERR(stat(path, &st), ENAMETOOLONG);
	path[4096] = '.'; path[5000] = 0;
	CHECK_ERR(stat(path, &st), ENAMETOOLONG);
	CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
	CHECK_ERR(symlink(path, "long"), ENAMETOOLONG);
	path[4095] = 0;
	struct statfs fs;
	CHECK(statfs(".", &fs) == 0);
	if (fs.f_bsize < 4096) {	/* a block holds it */
		CHECK_ERR(symlink(path, "long"), ENAMETOOLONG);
		path[fs.f_bsize - 1] = 0;
	}
	CHECK(symlink(path, "long") == 0 && lstat("long", &st) == 0 && st.st_size == (off_t)strlen(path));
}

TEST(o_tmpfile)
{
	scratch();
	int fd = open(".", O_RDWR | O_TMPFILE, 0600);
	struct stat st;
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(write(fd, "data", 4), 4);
	char p[64];
	snprintf(p, sizeof(p), "/proc/self/fd/%d", fd);
	CHECK(linkat(AT_FDCWD, p, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0);
	CHECK(stat("named", &st) == 0 && st.st_size == 4 && st.st_nlink == 1);
	CHECK_ERR(open(".", O_RDONLY | O_TMPFILE, 0600), EINVAL);
	int x = open(".", O_RDWR | O_TMPFILE | O_EXCL, 0600);
	snprintf(p, sizeof(p), "/proc/self/fd/%d", x);
	CHECK_ERR(linkat(AT_FDCWD, p, AT_FDCWD, "no", AT_SYMLINK_FOLLOW), ENOENT);
}

TEST(unlink_and_rmdir)
{
	scratch();
	CHECK(mkdir("d", 0700) == 0);
	write_file("d/f", "x");
	CHECK_ERR(rmdir("d"), ENOTEMPTY);
	CHECK_ERR(unlink("d"), EISDIR);
	CHECK_ERR(rmdir("d/f"), ENOTDIR);
	CHECK_ERR(unlink("d/none"), ENOENT);
	CHECK_ERR(rmdir("d/."), EINVAL);
	CHECK_ERR(rmdir("d/.."), ENOTEMPTY);
	CHECK_ERR(rmdir("/"), EBUSY);
	CHECK(unlink("d/f") == 0 && rmdir("d") == 0);
	CHECK_ERR(unlinkat(AT_FDCWD, "x", 0x8000), EINVAL);
	/* An open file outlives its name; a removed directory is empty. */
	int fd = open("g", O_RDWR | O_CREAT, 0600);
	write(fd, "abc", 3);
	CHECK(unlink("g") == 0);
	char b[4] = "";
	CHECK_EQ(pread(fd, b, 3, 0), 3);
	CHECK(mkdir("gone", 0700) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
	CHECK_ERR(open("x", O_CREAT | O_RDWR, 0600), ENOENT);
	char cwd[64];
	CHECK_ERR(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENOENT);
}

TEST(hard_links)
{
	struct stat a, b;
	scratch();
	write_file("a", "x");
	CHECK(link("a", "b") == 0);
	CHECK(stat("a", &a) == 0 && stat("b", &b) == 0);
	CHECK(a.st_ino == b.st_ino && a.st_nlink == 2);
	CHECK_ERR(link("a", "b"), EEXIST);
	CHECK_ERR(link("none", "c"), ENOENT);
	CHECK(mkdir("d", 0700) == 0);
	CHECK_ERR(link("d", "e"), EPERM);
	CHECK_ERR(link("a", "/dev/null/x"), ENOTDIR);
	CHECK_ERR(link("a", "/dev/x"), EXDEV);
	CHECK(unlink("a") == 0 && stat("b", &b) == 0 && b.st_nlink == 1);
	CHECK(symlink("b", "s") == 0 && link("s", "s2") == 0);
	CHECK(lstat("s2", &b) == 0 && S_ISLNK(b.st_mode));
	CHECK(linkat(AT_FDCWD, "s", AT_FDCWD, "f2", AT_SYMLINK_FOLLOW) == 0);
	CHECK(lstat("f2", &b) == 0 && S_ISREG(b.st_mode));
}

TEST(rename_and_its_flags)
{
	struct stat st;
	scratch();
	write_file("a", "A"); write_file("b", "B");
	CHECK(rename("a", "b") == 0);
	char t[8];
	CHECK(read_file("b", t, 8) == 1 && t[0] == 'A');
	CHECK_ERR(rename("a", "c"), ENOENT);
	write_file("a", "Z");
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 1), EEXIST);
	CHECK(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2) == 0);
	CHECK(read_file("a", t, 8) == 1 && t[0] == 'A');
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "none", 2), ENOENT);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 3), EINVAL);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 0x100), EINVAL);
	CHECK(mkdir("d", 0700) == 0 && mkdir("d/e", 0700) == 0 && mkdir("empty", 0700) == 0);
	CHECK_ERR(rename("d", "d/e/f"), EINVAL);
	CHECK_ERR(rename("a", "d"), EISDIR);
	CHECK_ERR(rename("d", "a"), ENOTDIR);
	CHECK_ERR(rename("empty", "d"), ENOTEMPTY);
	CHECK(rename("d", "empty") == 0);
	CHECK(stat("empty/e", &st) == 0);
	CHECK(link("a", "a2") == 0 && rename("a", "a2") == 0 && stat("a", &st) == 0);	/* same file: nothing */
	CHECK_ERR(rename("a", "/dev/x"), EXDEV);
	CHECK_ERR(rename("a", "."), EBUSY);
	CHECK(stat("empty", &st) == 0);
	CHECK_EQ(st.st_nlink, 3);
	CHECK(rename("empty/e", "e") == 0);
	CHECK(stat("empty", &st) == 0);
	CHECK_EQ(st.st_nlink, 2);
	CHECK(chdir("e") == 0 && rename("../e", "../moved") == 0);
	char cwd[128];
	CHECK(getcwd(cwd, sizeof(cwd)) && strstr(cwd, "/moved"));
}

TEST(mknod_kinds)
{
	struct stat st;
	scratch();
	CHECK(mknod("fifo", S_IFIFO | 0600, 0) == 0 && stat("fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK(mknod("null", S_IFCHR | 0600, 0x103) == 0);
	int fd = open("null", O_RDWR);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	CHECK(stat("null", &st) == 0 && st.st_rdev == 0x103);
	CHECK(mknod("reg", 0600, 0) == 0 && stat("reg", &st) == 0 && S_ISREG(st.st_mode));
	CHECK(mknod("nodev", S_IFCHR | 0600, 0xee01) == 0);
	CHECK_ERR(open("nodev", O_RDWR), ENXIO);
	CHECK_ERR(mknod("dir", S_IFDIR | 0600, 0), EPERM);
	CHECK_ERR(mknod("fifo", S_IFIFO | 0600, 0), EEXIST);
	CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	int r = open("fifo", O_RDONLY | O_NONBLOCK), w = open("fifo", O_WRONLY | O_NONBLOCK);
	char c;
	CHECK(r >= 0 && w >= 0 && write(w, "y", 1) == 1 && read(r, &c, 1) == 1 && c == 'y');
}

TEST(umask_and_modes)
{
	struct stat st;
	scratch();
	umask(027);
	close(open("f", O_CREAT | O_RDWR, 0777));
	CHECK(stat("f", &st) == 0 && (st.st_mode & 07777) == 0750);
	CHECK(chmod("f", 04711) == 0 && stat("f", &st) == 0 && (st.st_mode & 07777) == 04711);
	CHECK(chown("f", 5, 6) == 0 && stat("f", &st) == 0 && st.st_uid == 5 && st.st_gid == 6);
	CHECK(chown("f", -1, 7) == 0 && stat("f", &st) == 0 && st.st_uid == 5 && st.st_gid == 7);
	CHECK(mkdir("d", 07777) == 0 && stat("d", &st) == 0);
	CHECK_EQ(st.st_mode & 07777, 01750);
	CHECK(mkdir("g", 0755) == 0 && chown("g", 0, 55) == 0 && chmod("g", 02755) == 0);
	close(open("g/f", O_CREAT | O_RDWR, 0600));
	CHECK(stat("g/f", &st) == 0 && st.st_gid == 55);
	CHECK(mkdir("g/d", 0700) == 0 && stat("g/d", &st) == 0 && (st.st_mode & 02000) && st.st_gid == 55);
}

TEST(create_of_what_is_never_cached)
{
	/* `> /proc/self/fd/3` and a new pty: names that a file system makes up afresh at each look. */
	char path[64], b[8] = "";
	int p[2], n = -1, zero = 0;
	CHECK(pipe(p) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
	int w = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	CHECK(w >= 0);
	CHECK_EQ(write(w, "abc", 3), 3);
	CHECK_EQ(read(p[0], b, 7), 3);
	CHECK_ERR(open(path, O_WRONLY | O_CREAT | O_EXCL, 0666), EEXIST);
	CHECK_ERR(open("/proc/self/fd/9999", O_WRONLY | O_CREAT, 0666), ENOENT);
	CHECK_ERR(open("/proc/self/nothing", O_WRONLY | O_CREAT, 0666), ENOENT);
	CHECK_ERR(open("/proc/self/fd/", O_WRONLY | O_CREAT, 0666), EISDIR);
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (m >= 0 && ioctl(m, TIOCSPTLCK, &zero) == 0 && ioctl(m, TIOCGPTN, &n) == 0) {
		snprintf(path, sizeof(path), "/dev/pts/%d", n);
		CHECK(open(path, O_RDWR | O_CREAT | O_NOCTTY, 0666) >= 0);
		CHECK_ERR(open("/dev/pts/9999", O_RDWR | O_CREAT | O_NOCTTY, 0666), EACCES);
	}
}
