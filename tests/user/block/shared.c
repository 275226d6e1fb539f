/* One device and several who want it: mounted twice, held and mounted, partitions made by hand, a loop device whose file has a table. */
#include "tap.h"
#include <linux/aio_abi.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/loop.h>

#define VOLUME "/dev/scratch2"		/* ext2 */
#define EMPTY "/dev/scratch"

static char a[] = "/tmp/one-XXXXXX", b[] = "/tmp/two-XXXXXX", path[256];

static char *in(const char *dir, const char *name) { snprintf(path, sizeof(path), "%s/%s", dir, name); return path; }
static void places(void)
{
	if (access(VOLUME, F_OK)) SKIP("no disk");
	CHECK(mkdtemp(a) && mkdtemp(b));
}

TEST(mounted_twice_is_one_file_system)
{
	char text[8];
	int fd;

	places();
	CHECK(mount(VOLUME, a, "ext2", 0, "") == 0 && mount(VOLUME, b, "ext2", 0, "") == 0);
	fd = open(in(a, "shared"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, "both", 4) == 4 && close(fd) == 0);
	fd = open(in(b, "shared"), O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, 8) == 4 && !memcmp(text, "both", 4) && close(fd) == 0);
	CHECK(umount(a) == 0);
	CHECK(unlink(in(b, "shared")) == 0 && umount(b) == 0);
}

TEST(for_reading_and_for_writing_exclude_each_other)
{
	places();
	CHECK(mount(VOLUME, a, "ext2", 0, "") == 0);
	CHECK_ERR(mount(VOLUME, b, "ext2", MS_RDONLY, ""), EBUSY);
	CHECK(umount(a) == 0 && mount(VOLUME, a, "ext2", MS_RDONLY, "") == 0);
	CHECK_ERR(mount(VOLUME, b, "ext2", 0, ""), EBUSY);
	CHECK(mount(VOLUME, b, "ext2", MS_RDONLY, "") == 0);
	CHECK(umount(a) == 0 && umount(b) == 0);
}

TEST(mounted_and_held)
{
	int fd;

	places();
	CHECK(mount(VOLUME, a, "ext2", 0, "") == 0);
	CHECK_ERR(open(VOLUME, O_RDONLY | O_EXCL), EBUSY);
	fd = open(VOLUME, O_RDONLY);
	CHECK(fd >= 0 && close(fd) == 0 && umount(a) == 0);
	fd = open(VOLUME, O_RDONLY | O_EXCL);
	CHECK(fd >= 0);
	CHECK_ERR(open(VOLUME, O_RDONLY | O_EXCL), EBUSY);
	CHECK_ERR(mount(VOLUME, a, "ext2", 0, ""), EBUSY);
	CHECK(close(fd) == 0 && mount(VOLUME, a, "ext2", 0, "") == 0 && umount(a) == 0);
}

/* --- partitions by hand */

static int disk;
static int part(int op, int number, long long start, long long length)
{
	struct blkpg_partition p = { .start = start, .length = length, .pno = number };
	struct blkpg_ioctl_arg arg = { .op = op, .datalen = sizeof(p), .data = &p };
	return ioctl(disk, BLKPG, &arg);
}

static char *node(int number)
{
	char name[32];
	ssize_t n = readlink(EMPTY, name, sizeof(name) - 1);
	CHECK(n > 0);
	name[n] = 0;
	snprintf(path, sizeof(path), "/dev/%s%d", strrchr(name, '/') ? strrchr(name, '/') + 1 : name, number);
	return path;
}

static uint64_t size_of(const char *what)
{
	uint64_t size = 0;
	int fd = open(what, O_RDONLY);
	CHECK(fd >= 0 && ioctl(fd, BLKGETSIZE64, &size) == 0 && close(fd) == 0);
	return size;
}

TEST(partitions_by_hand)
{
	char text[4] = "";
	int fd;

	if (access(EMPTY, F_OK)) SKIP("no disk");
	disk = open(EMPTY, O_RDWR);
	CHECK(disk >= 0);
	part(BLKPG_DEL_PARTITION, 1, 0, 0);
	part(BLKPG_DEL_PARTITION, 2, 0, 0);
	CHECK_EQ(part(BLKPG_ADD_PARTITION, 1, 1 << 20, 4 << 20), 0);
	CHECK_EQ(size_of(node(1)), 4 << 20);
	CHECK_ERR(part(BLKPG_ADD_PARTITION, 1, 16 << 20, 1 << 20), EBUSY);
	CHECK_ERR(part(BLKPG_ADD_PARTITION, 2, 2 << 20, 8 << 20), EBUSY);
	CHECK_ERR(part(BLKPG_ADD_PARTITION, 2, -512, 8 << 20), EINVAL);
	CHECK_ERR(part(BLKPG_ADD_PARTITION, 2, 16 << 20, 100), EINVAL);
	CHECK_EQ(part(BLKPG_ADD_PARTITION, 2, 10 << 20, 1 << 20), 0);
	CHECK_EQ(part(BLKPG_RESIZE_PARTITION, 1, 1 << 20, 9 << 20), 0);
	CHECK_EQ(size_of(node(1)), 9 << 20);
	CHECK_ERR(part(BLKPG_RESIZE_PARTITION, 1, 1 << 20, 10 << 20), EBUSY);
	CHECK_ERR(part(BLKPG_RESIZE_PARTITION, 3, 1 << 20, 10 << 20), ENXIO);

	fd = open(node(2), O_RDWR);	/* its first byte is the disk's at 10 MiB */
	CHECK(fd >= 0 && pwrite(fd, "two", 3, 0) == 3 && fsync(fd) == 0);
	CHECK(pread(disk, text, 3, 10 << 20) == 3 && !memcmp(text, "two", 3));
	CHECK_ERR(part(BLKPG_DEL_PARTITION, 2, 0, 0), EBUSY);
	CHECK(close(fd) == 0);
	CHECK_EQ(part(BLKPG_RESIZE_PARTITION, 1, 1 << 20, 2 << 20), 0);
	fd = open(node(1), O_RDONLY);
	CHECK(fd >= 0 && pread(fd, text, 3, 2 << 20) == 0 && pread(fd, text, 3, (2 << 20) - 2) == 2 && close(fd) == 0);
	CHECK(part(BLKPG_DEL_PARTITION, 1, 0, 0) == 0 && part(BLKPG_DEL_PARTITION, 2, 0, 0) == 0);
	CHECK_ERR(part(BLKPG_DEL_PARTITION, 2, 0, 0), ENXIO);
	CHECK_ERR(open(node(1), O_RDONLY), ENOENT);
}

/* --- a loop device with partitions */

TEST(partitions_of_a_loop_device)
{
	static unsigned char table[512];
	char name[32];
	int control = open("/dev/loop-control", O_RDWR), file, loop, number;
	struct loop_config c = { 0 };

	if (control < 0) SKIP("no loop devices");
	file = open("/tmp/parted", O_RDWR | O_CREAT | O_TRUNC, 0600);
	table[446 + 4] = 0x83;
	table[446 + 8] = 8;		/* begins at sector 8, */
	table[446 + 13] = 4;		/* and has 1024 */
	table[510] = 0x55; table[511] = 0xaa;
	CHECK(file >= 0 && ftruncate(file, 4 << 20) == 0 && pwrite(file, table, 512, 0) == 512 && pwrite(file, "here", 4, 8 * 512) == 4);
	number = ioctl(control, LOOP_CTL_GET_FREE);
	CHECK(number >= 0);
	snprintf(name, sizeof(name), "/dev/loop%d", number);
	loop = open(name, O_RDWR);
	CHECK(loop >= 0);
	c.fd = (unsigned)file;
	c.info.lo_flags = LO_FLAGS_PARTSCAN;
	CHECK_EQ(ioctl(loop, LOOP_CONFIGURE, &c), 0);
	snprintf(name, sizeof(name), "/dev/loop%dp1", number);
	CHECK_EQ(size_of(name), 1024 * 512);
	int p = open(name, O_RDWR);
	char text[4];
	CHECK(p >= 0 && read(p, text, 4) == 4 && !memcmp(text, "here", 4) && pwrite(p, "gone", 4, 0) == 4 && fsync(p) == 0 && close(p) == 0);
	CHECK(pread(file, text, 4, 8 * 512) == 4 && !memcmp(text, "gone", 4));
	CHECK_EQ(ioctl(loop, LOOP_CLR_FD), 0);
	close(loop);
	for (int i = 0; i < 100 && access(name, F_OK) == 0; i++)
		usleep(50000);
	CHECK_ERR(open(name, O_RDONLY), ENOENT);
}

/* In the end: who lets go of a file may do it a little later. */
static void unmounts(const char *dir)
{
	for (int i = 0; i < 500 && umount(dir) < 0; i++) {
		CHECK_EQ(errno, EBUSY);
		usleep(10000);
	}
	CHECK_ERR(umount(dir), EINVAL);
}

/* A file is let go of each time it is taken off a loop device, however busy the kernel is: here with fsyncs that nobody waits for. */
TEST(a_loop_device_lets_its_files_go)
{
	enum { SYNCS = 24 };
	char dir[] = "/tmp/behind-XXXXXX", name[32];
	int control = open("/dev/loop-control", O_RDWR), slow, loop, number;
	struct iocb cb[SYNCS], *p[SYNCS];
	struct io_event ev[SYNCS];
	aio_context_t c = 0;

	if (control < 0) SKIP("no loop devices");
	places();
	CHECK(mkdtemp(dir) && mount("tmpfs", dir, "tmpfs", 0, "size=1m") == 0 && mount(VOLUME, a, "ext2", 0, "") == 0);
	slow = open(in(a, "slow"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(slow >= 0 && !syscall(SYS_io_setup, SYNCS, &c));
	for (int i = 0; i < SYNCS; i++) {
		cb[i] = (struct iocb){ .aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = (unsigned)slow };
		p[i] = &cb[i];
	}
	number = ioctl(control, LOOP_CTL_GET_FREE);
	snprintf(name, sizeof(name), "/dev/loop%d", number);
	loop = open(name, O_RDWR);
	CHECK(number >= 0 && loop >= 0 && write(slow, "x", 1) == 1);
	CHECK_EQ(syscall(SYS_io_submit, c, (long)SYNCS, p), SYNCS);
	for (int i = 0; i < 4; i++) {
		int file = open(in(dir, "file"), O_RDWR | O_CREAT, 0600);
		CHECK(file >= 0 && ftruncate(file, 1 << 16) == 0);
		CHECK_EQ(ioctl(loop, LOOP_SET_FD, file), 0);
		CHECK_EQ(ioctl(loop, LOOP_CLR_FD), 0);
		close(file);
	}
	CHECK_EQ(syscall(SYS_io_getevents, c, (long)SYNCS, (long)SYNCS, ev, NULL), SYNCS);
	close(loop);
	close(slow);
	unmounts(a);
	unmounts(dir);
}
