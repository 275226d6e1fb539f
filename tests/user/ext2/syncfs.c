/* syncfs tells each open file once that something could not be written: an ext2 on a loop device whose file has no room to grow. */
#include "tap.h"
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#define SIZE (16 << 20)
static char ram[] = "/tmp/ram-XXXXXX", at[] = "/tmp/loop-XXXXXX", device[32];
static int loop = -1;

/* A copy of /dev/scratch2 in a tmpfs of so much room, holes where it is zero. */
static int copy_of_volume(void)
{
	static char b[65536], zero[65536];
	char name[64];

	snprintf(name, sizeof(name), "%s/image", ram);
	int in = open("/dev/scratch2", O_RDONLY), out = open(name, O_RDWR | O_CREAT, 0600);
	CHECK(in >= 0 && out >= 0 && ftruncate(out, SIZE) == 0);
	for (int pos = 0; pos < SIZE; pos += 4096) {
		CHECK(pread(in, b, 4096, pos) == 4096);
		if (memcmp(b, zero, 4096)) CHECK(pwrite(out, b, 4096, pos) == 4096);
	}
	close(in);
	return out;
}

static void room(long kib)
{
	struct statfs s;
	char text[64];

	CHECK(statfs(ram, &s) == 0);
	snprintf(text, sizeof(text), "size=%ldk", (long)((s.f_blocks - s.f_bfree) * s.f_bsize / 1024) + kib);
	CHECK(mount(NULL, ram, NULL, MS_REMOUNT, text) == 0);
}

static int file = -1;

static void set_up(void)
{
	int control = open("/dev/loop-control", O_RDWR), n;

	if (access("/dev/scratch2", F_OK)) SKIP("no disk");
	if (control < 0) SKIP("no loop devices");
	CHECK(mkdtemp(ram) && mkdtemp(at));
	CHECK(mount("tmpfs", ram, "tmpfs", 0, "size=64m") == 0);
	file = copy_of_volume();
	n = ioctl(control, LOOP_CTL_GET_FREE);
	CHECK(n >= 0);
	snprintf(device, sizeof(device), "/dev/loop%d", n);
	loop = open(device, O_RDWR);
	if (loop < 0) SKIP("no node of a loop device");
	CHECK(ioctl(loop, LOOP_SET_FD, file) == 0);
	CHECK(mount(device, at, "ext2", 0, "") == 0 && chdir(at) == 0);
}

static void tear_down(void)
{
	CHECK(chdir("/") == 0 && umount(at) == 0 && ioctl(loop, LOOP_CLR_FD, 0) == 0 && close(loop) == 0 && close(file) == 0);
	CHECK(umount2(ram, MNT_DETACH) == 0);	/* the loop device may still be letting go */
}

TEST(each_open_file_once)
{
	static char b[12 * 4096];
	struct statfs s;

	set_up();
	int early = open(".", O_RDONLY), fd = open("f", O_RDWR | O_CREAT, 0600), twin = open("f", O_RDONLY);
	CHECK(early >= 0 && fd >= 0 && twin >= 0);
	CHECK(syscall(SYS_syncfs, early) == 0);
	/* The twelve blocks that need no table: what cannot be written is the file's, and none of the file system's own. */
	CHECK(statfs(at, &s) == 0);
	room(4);
	memset(b, 'x', sizeof(b));
	CHECK(write(fd, b, (size_t)s.f_bsize * 12) == (ssize_t)s.f_bsize * 12);
	CHECK_ERR(syscall(SYS_syncfs, early), EIO);
	CHECK(syscall(SYS_syncfs, early) == 0);		/* told */
	CHECK_ERR(syscall(SYS_syncfs, twin), EIO);	/* this one not yet */
	CHECK(syscall(SYS_syncfs, twin) == 0);
	int late = open(".", O_RDONLY);
	CHECK(late >= 0 && syscall(SYS_syncfs, late) == 0);
	CHECK_ERR(fsync(fd), EIO);			/* which has its own account */
	room(16 << 10);
	close(early); close(fd); close(twin); close(late);
	tear_down();
}

/* A block of the file system's own, here a table of a file's, that could not be written. */
TEST(what_is_the_volumes_own)
{
	static char b[1 << 20];

	set_up();
	int top = open(".", O_RDONLY), fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK(top >= 0 && fd >= 0 && syscall(SYS_syncfs, top) == 0);
	room(0);
	memset(b, 'x', sizeof(b));
	CHECK(write(fd, b, sizeof(b)) == sizeof(b));
	CHECK_ERR(syscall(SYS_syncfs, top), EIO);
	if (on_sarsen()) CHECK_ERR(syscall(SYS_syncfs, top), EIO);	/* deviates: it is tried again, and fails again */
	else CHECK(syscall(SYS_syncfs, top) == 0);
	room(16 << 10);
	int late = open(".", O_RDONLY);
	CHECK(late >= 0 && syscall(SYS_syncfs, late) == 0);
	CHECK(pwrite(fd, b, sizeof(b), 0) == sizeof(b));
	CHECK_ERR(fsync(fd), EIO);			/* what it had not been told yet */
	CHECK(fsync(fd) == 0 && syscall(SYS_syncfs, late) == 0);
	close(top); close(fd); close(late);
	tear_down();
}
