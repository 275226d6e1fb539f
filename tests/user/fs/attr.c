/* Flags of files: lsattr and chattr (FS_IOC_GETFLAGS, SETFLAGS), the same by FS_IOC_FSGETXATTR, and as statx shows them. */
#include "tap.h"
#include <linux/fs.h>
#include <linux/stat.h>

static int make(const char *name) { int fd = open(name, O_RDWR | O_CREAT, 0644); CHECK(fd >= 0); return fd; }
static int get(int fd) { int v = -1; CHECK(ioctl(fd, FS_IOC_GETFLAGS, &v) == 0); return v; }
static int set(int fd, int v) { return ioctl(fd, FS_IOC_SETFLAGS, &v); }
#define CHATTR (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL)

static struct statx attributes(const char *name)
{
	struct statx x;
	memset(&x, 0, sizeof(x));
	CHECK(syscall(SYS_statx, AT_FDCWD, name, 0, STATX_BASIC_STATS, &x) == 0);
	return x;
}

TEST(get_and_set)
{
	scratch();
	int fd = make("f");
	CHECK_EQ(get(fd) & CHATTR, 0);
	CHECK(set(fd, get(fd) | FS_NODUMP_FL | FS_NOATIME_FL) == 0);
	CHECK_EQ(get(fd) & CHATTR, FS_NODUMP_FL | FS_NOATIME_FL);
	CHECK(set(fd, FS_APPEND_FL) == 0);
	CHECK_EQ(get(fd) & CHATTR, FS_APPEND_FL);
	CHECK(set(fd, 0) == 0);
	CHECK_EQ(get(fd) & CHATTR, 0);
	CHECK_ERR(ioctl(fd, FS_IOC_GETFLAGS, (void *)8), EFAULT);
	CHECK_ERR(ioctl(fd, FS_IOC_SETFLAGS, (void *)8), EFAULT);
	CHECK_ERR(set(fd, FS_DIRSYNC_FL), EOPNOTSUPP);		/* a directory's */
	CHECK_ERR(set(fd, 0x40000000), EOPNOTSUPP);		/* nobody's */
	CHECK_EQ(get(fd) & CHATTR, 0);
}

TEST(where_there_are_none)
{
	int v, p[2];

	scratch();
	int fd = make("f"), place = open("f", O_PATH);
	CHECK_ERR(ioctl(place, FS_IOC_GETFLAGS, &v), EBADF);
	CHECK(pipe(p) == 0);
	CHECK_ERR(ioctl(p[0], FS_IOC_GETFLAGS, &v), ENOTTY);
	int null = open("/dev/null", O_RDWR), proc = open("/proc/self/stat", O_RDONLY);
	CHECK_ERR(ioctl(null, FS_IOC_GETFLAGS, &v), ENOTTY);
	CHECK_ERR(ioctl(proc, FS_IOC_GETFLAGS, &v), ENOTTY);
	CHECK(mkfifo("p", 0600) == 0);
	int fifo = open("p", O_RDWR);
	CHECK_ERR(ioctl(fifo, FS_IOC_GETFLAGS, &v), ENOTTY);
	close(fd);
}

TEST(who_may)
{
	scratch();
	int fd = make("f"), own = make("own");
	CHECK(chmod("f", 0666) == 0 && chown("own", 1000, 1000) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(setgid(1000) == 0 && setuid(1000) == 0);
		CHECK_ERR(set(fd, FS_NODUMP_FL), EPERM);
		CHECK(set(own, get(own) | FS_NODUMP_FL) == 0);
		CHECK_ERR(set(own, get(own) | FS_IMMUTABLE_FL), EPERM);
		CHECK_ERR(set(own, get(own) | FS_APPEND_FL), EPERM);
		CHECK_EQ(get(own) & CHATTR, FS_NODUMP_FL);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(inherited)
{
	scratch();
	CHECK(mkdir("d", 0755) == 0);
	int d = open("d", O_RDONLY);
	CHECK(set(d, get(d) | FS_NODUMP_FL | FS_NOATIME_FL) == 0);
	int fd = make("d/f");
	CHECK_EQ(get(fd) & CHATTR, FS_NODUMP_FL | FS_NOATIME_FL);
	CHECK(mkdir("d/e", 0755) == 0);
	int e = open("d/e", O_RDONLY);
	CHECK_EQ(get(e) & CHATTR, FS_NODUMP_FL | FS_NOATIME_FL);
}

TEST(append_only_on_any_file_system)
{
	scratch();
	int fd = make("f");
	CHECK(write(fd, "12", 2) == 2 && set(fd, FS_APPEND_FL) == 0);
	CHECK_ERR(open("f", O_WRONLY), EPERM);
	int a = open("f", O_WRONLY | O_APPEND);
	CHECK(a >= 0 && write(a, "3", 1) == 1);
	CHECK_ERR(unlink("f"), EPERM);
	CHECK(set(fd, FS_IMMUTABLE_FL) == 0);
	CHECK_ERR(open("f", O_WRONLY | O_APPEND), EPERM);
	CHECK_ERR(link("f", "g"), EPERM);
	CHECK(set(fd, 0) == 0 && unlink("f") == 0);
}

TEST(in_the_words_of_xfs)
{
	struct fsxattr x;

	scratch();
	int fd = make("f");
	CHECK(set(fd, FS_NODUMP_FL | FS_APPEND_FL) == 0);
	memset(&x, 0xff, sizeof(x));
	CHECK(ioctl(fd, FS_IOC_FSGETXATTR, &x) == 0);
	CHECK_EQ(x.fsx_xflags, FS_XFLAG_NODUMP | FS_XFLAG_APPEND);
	CHECK(x.fsx_extsize == 0 && x.fsx_nextents == 0 && x.fsx_projid == 0 && x.fsx_cowextsize == 0);
	x.fsx_xflags = FS_XFLAG_NOATIME;
	CHECK(ioctl(fd, FS_IOC_FSSETXATTR, &x) == 0);
	CHECK_EQ(get(fd) & CHATTR, FS_NOATIME_FL);
	x.fsx_projid = 7;
	CHECK_ERR(ioctl(fd, FS_IOC_FSSETXATTR, &x), EOPNOTSUPP);
	x.fsx_projid = 0;
	x.fsx_xflags = FS_XFLAG_IMMUTABLE;
	CHECK(ioctl(fd, FS_IOC_FSSETXATTR, &x) == 0);
	CHECK_EQ(get(fd) & CHATTR, FS_IMMUTABLE_FL);
	x.fsx_xflags = FS_XFLAG_EXTSZINHERIT;
	CHECK_ERR(ioctl(fd, FS_IOC_FSSETXATTR, &x), EINVAL);	/* a directory's */
	x.fsx_xflags = 0;
	CHECK(ioctl(fd, FS_IOC_FSSETXATTR, &x) == 0);
	CHECK_EQ(get(fd) & CHATTR, 0);
	CHECK_ERR(ioctl(fd, FS_IOC_FSGETXATTR, (void *)8), EFAULT);
	int null = open("/dev/null", O_RDWR);
	CHECK_ERR(ioctl(null, FS_IOC_FSGETXATTR, &x), ENOTTY);
}

TEST(as_statx_shows_them)
{
	scratch();
	int fd = make("f");
	uint64_t known = STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE | STATX_ATTR_NODUMP;
	struct statx x = attributes("f");
	CHECK_EQ(x.stx_attributes & known, 0);
	CHECK_EQ(x.stx_attributes_mask & known, known);
	CHECK_EQ(x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT, STATX_ATTR_MOUNT_ROOT);
	CHECK(set(fd, FS_NODUMP_FL | FS_APPEND_FL) == 0);
	CHECK_EQ(attributes("f").stx_attributes & known, STATX_ATTR_NODUMP | STATX_ATTR_APPEND);
	CHECK(set(fd, FS_IMMUTABLE_FL) == 0);
	CHECK_EQ(attributes("f").stx_attributes & known, STATX_ATTR_IMMUTABLE);
	CHECK(set(fd, 0) == 0);
	CHECK_EQ(attributes("/proc").stx_attributes & STATX_ATTR_MOUNT_ROOT, STATX_ATTR_MOUNT_ROOT);
	CHECK_EQ(attributes("/proc/self").stx_attributes & STATX_ATTR_MOUNT_ROOT, 0);
	CHECK_EQ(attributes("/proc/self/stat").stx_attributes_mask & known, 0);
	CHECK_EQ(attributes("f").stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
}

TEST(version)
{
	int v = 0;

	scratch();
	int fd = make("f");
	if (!on_ext2()) {
		CHECK_ERR(ioctl(fd, FS_IOC_GETVERSION, &v), ENOTTY);
		return;
	}
	CHECK(ioctl(fd, FS_IOC_GETVERSION, &v) == 0);
	v = 4711;
	CHECK(ioctl(fd, FS_IOC_SETVERSION, &v) == 0);
	v = 0;
	CHECK(ioctl(fd, FS_IOC_GETVERSION, &v) == 0 && v == 4711);
}

TEST(label)
{
	char label[FSLABEL_MAX];

	scratch();
	int fd = make("f");
	if (!on_ext2()) {
		CHECK_ERR(ioctl(fd, FS_IOC_GETFSLABEL, label), ENOTTY);
		return;
	}
	char old[FSLABEL_MAX], sixteen[FSLABEL_MAX] = "sixteen letters!", more[FSLABEL_MAX] = "seventeen letters";
	CHECK(ioctl(fd, FS_IOC_GETFSLABEL, old) == 0);
	CHECK(ioctl(fd, FS_IOC_SETFSLABEL, sixteen) == 0);
	memset(label, 1, sizeof(label));
	CHECK(ioctl(fd, FS_IOC_GETFSLABEL, label) == 0 && !strcmp(label, sixteen));
	CHECK_ERR(ioctl(fd, FS_IOC_SETFSLABEL, more), EINVAL);
	CHECK_ERR(ioctl(fd, FS_IOC_SETFSLABEL, (void *)8), EFAULT);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(setuid(1000) == 0);
		CHECK_ERR(ioctl(fd, FS_IOC_SETFSLABEL, sixteen), EPERM);
		CHECK(ioctl(fd, FS_IOC_GETFSLABEL, label) == 0);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(ioctl(fd, FS_IOC_SETFSLABEL, old) == 0);
}

TEST(trim)
{
	struct fstrim_range r = { 0, ~0ull, 0 };

	scratch();
	int fd = make("f");
	if (!on_ext2()) {
		CHECK_ERR(ioctl(fd, FITRIM, &r), ENOTTY);
		return;
	}
	static char b[300000];
	memset(b, 'x', sizeof(b));
	CHECK(write(fd, b, sizeof(b)) == sizeof(b) && fsync(fd) == 0);
	if (ioctl(fd, FITRIM, &r) < 0) {
		CHECK(errno == EOPNOTSUPP);
		SKIP("the disk cannot discard");
	}
	CHECK(r.len > 1 << 20);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	static char c[300000];
	CHECK(pread(fd, c, sizeof(c), 0) == sizeof(c) && !memcmp(b, c, sizeof(b)));
	r = (struct fstrim_range){ 1ull << 60, ~0ull, 0 };
	CHECK_ERR(ioctl(fd, FITRIM, &r), EINVAL);
	r = (struct fstrim_range){ 0, 100, 0 };
	CHECK_ERR(ioctl(fd, FITRIM, &r), EINVAL);
	r = (struct fstrim_range){ 0, ~0ull, 1ull << 40 };
	CHECK_ERR(ioctl(fd, FITRIM, &r), EINVAL);
	CHECK_ERR(ioctl(fd, FITRIM, (void *)8), EFAULT);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(setuid(1000) == 0);
		CHECK_ERR(ioctl(fd, FITRIM, &r), EPERM);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}
