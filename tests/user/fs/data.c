/* Contents: positions, sparse files, truncate, fallocate, vectors, sendfile, times, stat. */
#include "tap.h"
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <linux/falloc.h>

TEST(seek_and_sparse)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	struct stat st;
	CHECK_EQ(lseek(fd, 1 << 30, SEEK_SET), 1 << 30);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK(fstat(fd, &st) == 0 && st.st_size == (1 << 30) + 1 && st.st_blocks < 100);
	char b[4096];
	CHECK_EQ(pread(fd, b, 4096, 12345), 4096);
	for (int i = 0; i < 4096; i++)
		CHECK(b[i] == 0);
	CHECK_EQ(lseek(fd, -1, SEEK_END), 1 << 30);
	CHECK_EQ(read(fd, b, 10), 1);
	CHECK_EQ(read(fd, b, 10), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), (1 << 30) + 1);
	CHECK_ERR(lseek(fd, 1 << 31, SEEK_DATA), ENXIO);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), (1 << 30) & ~4095);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
}

TEST(truncate_both_ways)
{
	scratch();
	write_file("f", "0123456789");
	CHECK(truncate("f", 4) == 0);
	char b[16];
	CHECK_EQ(read_file("f", b, 16), 4);
	CHECK(truncate("f", 8) == 0);
	CHECK_EQ(read_file("f", b, 16), 8);
	CHECK(!memcmp(b, "0123\0\0\0\0", 8));
	CHECK_ERR(truncate(".", 0), EISDIR);
	CHECK_ERR(truncate("none", 0), ENOENT);
	CHECK_ERR(truncate("f", -1), EINVAL);
	int ro = open("f", O_RDONLY);
	CHECK_ERR(ftruncate(ro, 0), EINVAL);
}

TEST(fallocate_modes)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	struct stat st;
	if (on_ext2()) {	/* it has no way to mark blocks that hold nothing yet */
		CHECK_ERR(fallocate(fd, 0, 0, 10000), EOPNOTSUPP);
		CHECK_ERR(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10000), EOPNOTSUPP);
		CHECK(ftruncate(fd, 10000) == 0);
	} else {
		CHECK(fallocate(fd, 0, 0, 10000) == 0 && fstat(fd, &st) == 0 && st.st_size == 10000);
		CHECK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 20000) == 0 && fstat(fd, &st) == 0 && st.st_size == 10000);
	}
	memset((char[1]){0}, 0, 1);
	char b[10000];
	memset(b, 1, sizeof(b));
	CHECK_EQ(pwrite(fd, b, 10000, 0), 10000);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 5000) == 0);
	CHECK_EQ(pread(fd, b, 10000, 0), 10000);
	CHECK(b[99] == 1 && b[100] == 0 && b[5099] == 0 && b[5100] == 1);
	CHECK_ERR(fallocate(fd, 0, -1, 10), EINVAL);
	CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);
	CHECK_ERR(fallocate(open("f", O_RDONLY), 0, 0, 10), EBADF);
}

TEST(vectors)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	char a[4] = "abc", b[4] = "def", x[8] = "", y[8] = "";
	struct iovec w[3] = { { a, 3 }, { NULL, 0 }, { b, 3 } }, r[2] = { { x, 2 }, { y, 7 } };
	CHECK_EQ(writev(fd, w, 3), 6);
	CHECK_EQ(preadv(fd, r, 2, 0), 6);
	CHECK(!strcmp(x, "ab") && !strcmp(y, "cdef"));
	CHECK_EQ(pwritev(fd, w, 1, 10), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 13);
	struct iovec many[1024];
	for (int i = 0; i < 1024; i++) many[i] = (struct iovec){ a, 1 };
	CHECK_EQ(pwritev(fd, many, 1024, 0), 1024);
}

TEST(sendfile_and_copy_file_range)
{
	scratch();
	char big[70000], back[70000];
	for (unsigned i = 0; i < sizeof(big); i++) big[i] = i * 7;
	int in = open("in", O_RDWR | O_CREAT, 0600), out = open("out", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(write(in, big, sizeof(big)), sizeof(big));
	off_t off = 100;
	size_t n = 0;
	ssize_t k;
	while ((k = sendfile(out, in, &off, sizeof(big))) > 0) n += k;
	CHECK_EQ(k, 0);
	CHECK_EQ(n, sizeof(big) - 100);
	CHECK_EQ(off, sizeof(big));
	CHECK_EQ(pread(out, back, sizeof(back), 0), sizeof(big) - 100);
	CHECK(!memcmp(back, big + 100, sizeof(big) - 100));
	CHECK_EQ(lseek(in, 0, SEEK_CUR), sizeof(big));
	int p[2];
	CHECK(pipe(p) == 0);
	lseek(in, 0, SEEK_SET);
	CHECK_EQ(sendfile(p[1], in, NULL, 1000), 1000);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 1000);
	CHECK_EQ(read(p[0], back, 1000), 1000);
	CHECK(!memcmp(back, big, 1000));
}

TEST(times)
{
	scratch();
	struct stat st;
	struct timespec ts[2] = { { 1000, 1 }, { 2000, 999999999 } };
	write_file("f", "x");
	CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0);
	CHECK(stat("f", &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000);
	if (!on_ext2())		/* which has whole seconds, if nobody has put more into the room behind the inode */
		CHECK(st.st_atim.tv_nsec == 1 && st.st_mtim.tv_nsec == 999999999);
	CHECK(st.st_ctim.tv_sec > 2000);
	ts[0].tv_nsec = UTIME_OMIT; ts[1].tv_nsec = UTIME_NOW;
	CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0 && stat("f", &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec > 2000);
	ts[0].tv_nsec = 1000000000;
	CHECK_ERR(utimensat(AT_FDCWD, "f", ts, 0), EINVAL);
	CHECK_ERR(utimensat(AT_FDCWD, "none", NULL, 0), ENOENT);
	struct timespec old[2] = { { 5, 0 }, { 5, 0 } };
	utimensat(AT_FDCWD, "f", old, 0);
	int fd = open("f", O_WRONLY);
	CHECK_EQ(write(fd, "y", 1), 1);
	CHECK(fstat(fd, &st) == 0 && st.st_mtim.tv_sec > 5);
	CHECK(symlink("f", "l") == 0 && utimensat(AT_FDCWD, "l", old, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(lstat("l", &st) == 0 && st.st_mtim.tv_sec == 5);
}

struct my_statx { uint32_t mask, blksize; uint64_t attributes; uint32_t nlink, uid, gid; uint16_t mode, pad; uint64_t ino, size, blocks; char rest[200]; };

TEST(stat_family)
{
	struct stat st;
	struct my_statx sx;
	scratch();
	write_file("f", "12345");
	CHECK(stat("f", &st) == 0);
	CHECK(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0644 && st.st_size == 5 && st.st_nlink == 1 && st.st_blksize > 0);
	CHECK(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x7ff, &sx) == 0);
	CHECK((sx.mask & 0x7ff) == 0x7ff || (sx.mask & 0x7ff) == 0x7ff);
	CHECK(sx.size == 5 && sx.ino == st.st_ino && sx.mode == st.st_mode);
	CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "f", 0x80000000, 0x7ff, &sx), EINVAL);
	int fd = open("f", O_RDONLY);
	CHECK(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x7ff, &sx) == 0 && sx.size == 5);
	CHECK(fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && st.st_size == 5);
	CHECK_ERR(fstatat(fd, "", &st, 0), ENOENT);
	CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, "f", &st, 0x8000), EINVAL);
	CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0x103);
	CHECK(stat("/dev/console", &st) == 0 && st.st_rdev == 0x501);
}

TEST(statfs_kinds)
{
	struct statfs s;
	CHECK(statfs("/tmp", &s) == 0 && s.f_namelen == 255);
	if (!on_ext2())
		CHECK(s.f_type == 0x01021994 && s.f_bsize == 4096);
	CHECK(s.f_blocks > 0 && s.f_bfree <= s.f_blocks);
	CHECK(statfs("/proc", &s) == 0 && s.f_type == 0x9fa0);
	CHECK(statfs("/dev/pts", &s) == 0 && s.f_type == 0x1cd1);
	CHECK_ERR(statfs("/none", &s), ENOENT);
}

TEST(file_size_limit)
{
	scratch();
	struct rlimit rl = { 1000, 1000 };
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	char b[2000] = "";
	CHECK(setrlimit(RLIMIT_FSIZE, &rl) == 0);
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(write(fd, b, 2000), 1000);
	CHECK_ERR(write(fd, b, 1), EFBIG);
	CHECK_ERR(ftruncate(fd, 2000), EFBIG);
	if (!on_ext2()) {
		CHECK_ERR(fallocate(fd, 0, 0, 2000), EFBIG);
		CHECK_ERR(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2000), EFBIG);
	}
	CHECK(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 2000) == 0);
	signal(SIGXFSZ, SIG_DFL);
	pid_t pid = fork();
	if (pid == 0) { write(fd, b, 1); _exit(0); }
	CHECK(KILLED(wait_status(pid), SIGXFSZ));
}

TEST(reading_ahead)
{
	int p[2], fd;

	scratch();
	fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && pipe(p) == 0);
	CHECK(readahead(fd, 0, 4096) == 0);
	CHECK_ERR(readahead(open("f", O_WRONLY), 0, 4096), EBADF);
	CHECK_ERR(readahead(p[0], 0, 4096), EINVAL);
	CHECK_ERR(readahead(-1, 0, 4096), EBADF);
}

TEST(full_and_zero_devices)
{
	char b[64];
	int full = open("/dev/full", O_RDWR);
	CHECK(full >= 0);
	CHECK_ERR(write(full, "x", 1), ENOSPC);
	CHECK_EQ(read(full, b, 64), 64);
	CHECK_EQ(b[63], 0);
	int null = open("/dev/null", O_RDWR);
	CHECK_EQ(read(null, b, 64), 0);
	CHECK_EQ(write(null, b, 64), 64);
	int ur = open("/dev/urandom", O_RDONLY);
	char c[64];
	CHECK(read(ur, b, 64) == 64 && read(ur, c, 64) == 64 && memcmp(b, c, 64));
}

TEST(tmpfs_size_limit)
{
	scratch();
	CHECK(mkdir("m", 0755) == 0);
	CHECK(mount("none", "m", "tmpfs", 0, "size=64k") == 0);
	int fd = open("m/f", O_RDWR | O_CREAT, 0600);
	char b[4096] = "";
	int n = 0;
	while (n < 100 && write(fd, b, 4096) == 4096) n++;
	CHECK_EQ(errno, ENOSPC);
	CHECK_EQ(n, 16);
	CHECK(ftruncate(fd, 0) == 0 && write(fd, b, 4096) == 4096);
	close(fd);
	CHECK(umount("m") == 0);
}
