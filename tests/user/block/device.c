/* A raw block device, /dev/scratch: sizes, ends, ioctls and what they refuse, exclusive opening, one cache for all names. */
#include "../tap.h"
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <sys/sysmacros.h>

#define DEV "/dev/scratch"

static uint64_t size_of(int fd)
{
	uint64_t size = 0;

	CHECK(ioctl(fd, BLKGETSIZE64, &size) == 0);
	return size;
}

static int dev_open(int flags)
{
	int fd = open(DEV, flags);

	if (fd < 0 && (errno == ENOENT || errno == ENXIO))
		SKIP("no scratch disk");
	CHECK(fd >= 0);
	return fd;
}

TEST(sizes_agree)
{
	int fd = dev_open(O_RDONLY), n;
	unsigned long sectors, ra;
	unsigned short max;
	unsigned u;
	uint64_t size = size_of(fd);
	struct stat st;

	CHECK(size >= 1 << 20);
	CHECK_EQ(lseek(fd, 0, SEEK_END), size);
	CHECK(ioctl(fd, BLKGETSIZE, &sectors) == 0);
	CHECK_EQ(sectors, size / 512);
	CHECK(ioctl(fd, BLKSSZGET, &n) == 0);
	CHECK_EQ(n, 512);
	CHECK(ioctl(fd, BLKPBSZGET, &u) == 0);
	CHECK(u >= 512);
	CHECK(ioctl(fd, BLKBSZGET, &n) == 0);
	CHECK(n >= 512 && n <= 4096);
	CHECK(ioctl(fd, BLKIOMIN, &u) == 0);
	CHECK(u >= 512);
	CHECK(ioctl(fd, BLKIOOPT, &u) == 0);
	CHECK(ioctl(fd, BLKALIGNOFF, &n) == 0);
	CHECK_EQ(n, 0);
	CHECK(ioctl(fd, BLKSECTGET, &max) == 0);
	CHECK(max >= 8);
	CHECK(ioctl(fd, BLKROTATIONAL, &max) == 0);
	CHECK(max <= 1);
	CHECK(ioctl(fd, BLKROGET, &n) == 0);
	CHECK_EQ(n, 0);
	CHECK(ioctl(fd, BLKRAGET, &ra) == 0);
	CHECK(ioctl(fd, BLKDISCARDZEROES, &u) == 0);
	CHECK_EQ(u, 0);
	CHECK(fstat(fd, &st) == 0);
	CHECK(S_ISBLK(st.st_mode) && st.st_size == 0);
}

TEST(bad_pointers_and_unknown_requests)
{
	static const unsigned cmds[] = { BLKGETSIZE, BLKGETSIZE64, BLKSSZGET, BLKPBSZGET, BLKBSZGET, BLKIOMIN, BLKIOOPT, BLKALIGNOFF, BLKSECTGET,
					 BLKROTATIONAL, BLKROGET, BLKRAGET, BLKROSET, BLKBSZSET, HDIO_GETGEO, BLKDISCARD, BLKZEROOUT };
	int fd = dev_open(O_RDWR);

	for (unsigned i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		int r = ioctl(fd, cmds[i], (void *)8);

		CHECK(r == -1 && (errno == EFAULT || errno == EOPNOTSUPP));
		r = ioctl(fd, cmds[i], (void *)0xffff000000000000ul);
		CHECK(r == -1 && (errno == EFAULT || errno == EOPNOTSUPP));
	}
	CHECK_ERR(ioctl(fd, 0x12345678, 0), ENOTTY);
	CHECK_ERR(ioctl(fd, _IO(0x12, 0), 0), ENOTTY);
}

TEST(the_end_of_the_device)
{
	int fd = dev_open(O_RDWR);
	uint64_t size = size_of(fd);
	char buf[8192];

	memset(buf, 0x5a, sizeof(buf));
	CHECK_EQ(pread(fd, buf, sizeof(buf), size), 0);
	CHECK_EQ(pread(fd, buf, sizeof(buf), size + 12345), 0);
	CHECK_EQ(pread(fd, buf, sizeof(buf), size - 1000), 1000);
	CHECK_ERR(pwrite(fd, buf, 1, size), ENOSPC);
	CHECK_ERR(pwrite(fd, buf, 1, size + 4096), ENOSPC);
	CHECK_EQ(pwrite(fd, buf, 0, size + 4096), 0);
	CHECK_EQ(pwrite(fd, buf, sizeof(buf), size - 100), 100);
	CHECK_EQ(lseek(fd, size, SEEK_SET), size);
	CHECK_ERR(lseek(fd, size + 1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, 1, SEEK_END), EINVAL);
	CHECK_ERR(lseek(fd, 0, SEEK_DATA), EINVAL);
	CHECK_ERR(ftruncate(fd, 4096), EINVAL);
}

TEST(odd_pieces_survive_the_cache)
{
	int fd = dev_open(O_RDWR);
	char out[10000], in[10000];

	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + i / 256);
	CHECK_EQ(pwrite(fd, out, sizeof(out), 70001), sizeof(out));
	CHECK(fsync(fd) == 0);
	CHECK(ioctl(fd, BLKFLSBUF, 0) == 0);
	CHECK_EQ(pread(fd, in, sizeof(in), 70001), sizeof(in));
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK_EQ(pwrite(fd, "x", 1, 71000), 1);
	CHECK(fdatasync(fd) == 0);
	CHECK(ioctl(fd, BLKFLSBUF, 0) == 0);
	out[999] = 'x';
	CHECK_EQ(pread(fd, in, sizeof(in), 70001), sizeof(in));
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(pread(fd, in, sizeof(in), 70001), sizeof(in));
	CHECK(!memcmp(in, out, sizeof(in)));
}

TEST(one_cache_for_all_names)
{
	int fd = dev_open(O_RDWR), other;
	struct stat st;
	char c = 0, *map;

	CHECK(fstat(fd, &st) == 0);
	unlink("/tmp/scratch2name");
	CHECK(mknod("/tmp/scratch2name", S_IFBLK | 0600, st.st_rdev) == 0);
	other = open("/tmp/scratch2name", O_RDWR);
	CHECK(other >= 0);
	CHECK_EQ(pwrite(fd, "A", 1, 12345), 1);
	CHECK_EQ(pread(other, &c, 1, 12345), 1);
	CHECK_EQ(c, 'A');
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, other, 8192);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(map[12345 - 8192], 'A');
	map[12345 - 8192] = 'B';
	CHECK_EQ(pread(fd, &c, 1, 12345), 1);
	CHECK_EQ(c, 'B');
	CHECK(msync(map, 8192, MS_SYNC) == 0);
	CHECK(munmap(map, 8192) == 0);
	unlink("/tmp/scratch2name");
	CHECK(mknod("/tmp/scratch2name", S_IFBLK | 0600, makedev(250, 77)) == 0);
	CHECK_ERR(open("/tmp/scratch2name", O_RDWR), ENXIO);
	unlink("/tmp/scratch2name");
}

TEST(exclusive_openers)
{
	int a = dev_open(O_RDWR | O_EXCL), b;

	CHECK(!(fcntl(a, F_GETFL) & O_EXCL));
	CHECK_ERR(open(DEV, O_RDWR | O_EXCL), EBUSY);
	b = open(DEV, O_RDONLY);
	CHECK(b >= 0);
	close(a);
	a = open(DEV, O_RDONLY | O_EXCL);
	CHECK(a >= 0);
}

TEST(zeroing_and_discarding)
{
	int fd = dev_open(O_RDWR), ro = open(DEV, O_RDONLY);
	uint64_t size = size_of(fd), range[2] = { 65536, 8192 };
	static char buf[16384], zero[16384];

	memset(buf, 'z', sizeof(buf));
	CHECK_EQ(pwrite(fd, buf, sizeof(buf), 65536), sizeof(buf));
	CHECK(ioctl(fd, BLKZEROOUT, range) == 0);
	CHECK_EQ(pread(fd, buf, sizeof(buf), 65536), sizeof(buf));
	CHECK(!memcmp(buf, zero, 8192));
	CHECK(buf[8192] == 'z' && buf[16383] == 'z');
	CHECK_ERR(ioctl(ro, BLKZEROOUT, range), EBADF);
	CHECK_ERR(ioctl(ro, BLKDISCARD, range), EBADF);
	range[0] = 65537;
	CHECK_ERR(ioctl(fd, BLKZEROOUT, range), EINVAL);
	range[0] = 65536, range[1] = 100;
	CHECK_ERR(ioctl(fd, BLKZEROOUT, range), EINVAL);
	range[0] = size - 4096, range[1] = 8192;
	CHECK_ERR(ioctl(fd, BLKZEROOUT, range), EINVAL);
	range[0] = ~0ull - 511, range[1] = 1024;
	CHECK_ERR(ioctl(fd, BLKZEROOUT, range), EINVAL);
	range[0] = 65536, range[1] = 4096;
	if (ioctl(fd, BLKDISCARD, range) == -1) {
		CHECK_EQ(errno, EOPNOTSUPP);
		return;
	}
	range[0] = 65537;
	CHECK_ERR(ioctl(fd, BLKDISCARD, range), EINVAL);
	range[0] = size, range[1] = 4096;
	CHECK_ERR(ioctl(fd, BLKDISCARD, range), EINVAL);
}

TEST(fallocate_on_a_device)
{
	int fd = dev_open(O_RDWR), ro = open(DEV, O_RDONLY);
	uint64_t size = size_of(fd);
	static char buf[8192], zero[8192];

	memset(buf, 'q', sizeof(buf));
	CHECK_EQ(pwrite(fd, buf, sizeof(buf), 32768), sizeof(buf));
	CHECK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 32768, 4096) == 0);
	CHECK_EQ(pread(fd, buf, sizeof(buf), 32768), sizeof(buf));
	CHECK(!memcmp(buf, zero, 4096) && buf[4096] == 'q');
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 32768 + 4096, 512) == 0 || errno == EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, 0, 0, 4096), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, FALLOC_FL_ZERO_RANGE, 1, 4096), EINVAL);
	CHECK_ERR(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 100), EINVAL);
	CHECK_ERR(fallocate(fd, FALLOC_FL_ZERO_RANGE, size, 4096), EINVAL);
	CHECK_ERR(fallocate(fd, FALLOC_FL_ZERO_RANGE, size - 4096, 8192), EINVAL);
	CHECK(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, size - 4096, 8192) == 0);
	CHECK_ERR(fallocate(ro, FALLOC_FL_ZERO_RANGE, 0, 4096), EBADF);
}

TEST(block_size_and_read_only)
{
	int fd = dev_open(O_RDWR), n;

	n = 100;
	CHECK_ERR(ioctl(fd, BLKBSZSET, &n), EINVAL);
	n = 8192 * 16;
	CHECK_ERR(ioctl(fd, BLKBSZSET, &n), EINVAL);
	n = 1;
	CHECK(ioctl(fd, BLKROSET, &n) == 0);
	n = 0;
	CHECK(ioctl(fd, BLKROGET, &n) == 0);
	CHECK(n);
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	n = 0;
	CHECK(ioctl(fd, BLKROSET, &n) == 0);
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
}

TEST(statistics_move)
{
	int fd = dev_open(O_RDWR);
	unsigned long before[4], after[4];
	char line[256], name[64];
	static char buf[65536];
	struct stat st;

	CHECK(fstat(fd, &st) == 0);
	for (int round = 0; round < 2; round++) {
		unsigned long *v = round ? after : before, ios, sectors, wios, wsectors;
		unsigned maj, min;
		bool found = false;
		FILE *f = fopen("/proc/diskstats", "r");

		CHECK(f);
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, "%u %u %63s %lu %*u %lu %*u %lu %*u %lu", &maj, &min, name, &ios, &sectors, &wios, &wsectors) == 7 &&
			    maj == major(st.st_rdev) && min == minor(st.st_rdev)) {
				v[0] = ios, v[1] = sectors, v[2] = wios, v[3] = wsectors;
				found = true;
			}
		fclose(f);
		CHECK(found);
		if (!round) {
			CHECK_EQ(pwrite(fd, buf, sizeof(buf), 1 << 19), sizeof(buf));
			CHECK(fsync(fd) == 0);
			CHECK(ioctl(fd, BLKFLSBUF, 0) == 0);
			CHECK_EQ(pread(fd, buf, sizeof(buf), 1 << 19), sizeof(buf));
		}
	}
	CHECK(after[0] > before[0] && after[1] >= before[1] + 128);
	CHECK(after[2] > before[2] && after[3] >= before[3] + 128);
}

