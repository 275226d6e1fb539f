/* Swap on a disk that fails (/proc/driver/faulty), and swap that is full: what cannot be read is SIGBUS or EIO and the slot is kept; what cannot
 * be written stays in memory. */
#include "../tap.h"
#include <sys/swap.h>
#include "meminfo.h"

#define DEV "/dev/faulty0"
#define PAGE 4096L
#define N 64

static void plan(const char *words)
{
	char line[128], lower[PATH_MAX];
	CHECK(realpath("/dev/scratch", lower));
	snprintf(line, sizeof(line), "%s seed=1 %s", strrchr(lower, '/') + 1, words);
	int fd = open("/proc/driver/faulty", O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, line, strlen(line)), strlen(line));
	close(fd);
}

static void no_disk(void)
{
	int fd = open("/proc/driver/faulty", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "off", 3) == 3);
	close(fd);
}

static void area(unsigned pages)
{
	static char page[PAGE];
	if (access("/proc/driver/faulty", W_OK) || access("/dev/scratch", F_OK))
		SKIP("no disk that fails as it is told");
	swapoff(DEV);
	plan("");
	int fd = open(DEV, O_RDWR);
	((unsigned *)page)[256] = 1;
	((unsigned *)page)[257] = pages - 1;
	memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
	CHECK(fd >= 0 && pwrite(fd, page, PAGE, 0) == PAGE && fsync(fd) == 0);
	close(fd);
	CHECK_EQ(swapon(DEV, 0), 0);
}

static void area_off(void)
{
	CHECK_EQ(swapoff(DEV), 0);
	no_disk();
}

static char *fill(int flags)
{
	char *p = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	madvise(p, N * PAGE, MADV_NOHUGEPAGE);
	for (long i = 0; i < N; i++)
		*(long *)(p + i * PAGE) = i * 3 + 1;
	return p;
}

static void verify(const char *p)
{
	for (long i = 0; i < N; i++)
		CHECK_EQ(*(const long *)(p + i * PAGE), i * 3 + 1);
}

static long resident(char *p)
{
	static unsigned char vec[N];
	long in = 0;
	CHECK_EQ(mincore(p, N * PAGE, vec), 0);
	for (long i = 0; i < N; i++)
		in += vec[i] & 1;
	return in;
}

static char *to_touch;
static void toucher(void) { (void)*(volatile char *)to_touch; }
static int touch(char *p)
{
	to_touch = p;
	return in_child(toucher);
}

TEST(what_cannot_be_read_is_sigbus)
{
	area(1024);
	char *p = fill(MAP_PRIVATE), byte;
	int fds[2];
	CHECK_EQ(madvise(p, N * PAGE, MADV_PAGEOUT), 0);
	CHECK_EQ(resident(p), 0);
	plan("read=10000");
	CHECK(KILLED(touch(p), SIGBUS));
	CHECK(KILLED(touch(p), SIGBUS));
	CHECK(KILLED(touch(p + 8 * PAGE), SIGBUS));
	CHECK(pipe(fds) == 0);
	CHECK_ERR(write(fds[1], p + 16 * PAGE, 1), EFAULT);
	CHECK_ERR(swapoff(DEV), EIO);
	CHECK_EQ(field_kb("/proc/self/status", "VmSwap"), N * 4);
	plan("");
	CHECK(write(fds[1], p, 1) == 1 && read(fds[0], &byte, 1) == 1 && byte == 1);
	verify(p);
	CHECK_EQ(madvise(p, N * PAGE, MADV_PAGEOUT), 0);
	area_off();
	verify(p);
}

/* Those around the wanted one are only tried. */
TEST(some_pages_cannot_be_read)
{
	area(1024);
	char *p = fill(MAP_PRIVATE);
	long lost = 0;
	CHECK_EQ(madvise(p, N * PAGE, MADV_PAGEOUT), 0);
	plan("read=5000");
	for (int i = 0; i < N; i++) {
		int status = touch(p + i * PAGE);
		CHECK(status == 0 || KILLED(status, SIGBUS));
		lost += status != 0;
	}
	CHECK(lost > 0);
	plan("");
	verify(p);
	area_off();
}

TEST(files_in_memory_say_eio)
{
	area(1024);
	char *p, byte;
	int fd = memfd_create("faulty", 0);
	CHECK(fd >= 0 && ftruncate(fd, N * PAGE) == 0);
	p = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	for (long i = 0; i < N; i++)
		*(long *)(p + i * PAGE) = i * 3 + 1;
	CHECK_EQ(madvise(p, N * PAGE, MADV_PAGEOUT), 0);
	CHECK_EQ(resident(p), 0);
	plan("read=10000");
	CHECK_ERR(pread(fd, &byte, 1, 5 * PAGE), EIO);
	CHECK_ERR(pwrite(fd, "x", 1, 6 * PAGE), EIO);
	CHECK(KILLED(touch(p + 7 * PAGE), SIGBUS));
	CHECK_ERR(swapoff(DEV), EIO);
	plan("");
	verify(p);
	CHECK_EQ(madvise(p, N * PAGE, MADV_PAGEOUT), 0);
	plan("read=10000");
	CHECK_EQ(ftruncate(fd, 0), 0);			/* needs nothing of it */
	close(fd);
	area_off();
}

TEST(what_cannot_be_written_stays)
{
	area(1024);
	char *p = fill(MAP_PRIVATE), *q = fill(MAP_SHARED);
	plan("write=10000");
	CHECK_EQ(madvise(p, N * PAGE, MADV_PAGEOUT), 0);
	CHECK_EQ(madvise(q, N * PAGE, MADV_PAGEOUT), 0);
	CHECK_EQ(resident(p), N);
	CHECK_EQ(resident(q), N);
	verify(p);
	verify(q);
	CHECK_EQ(madvise(p, N * PAGE, MADV_PAGEOUT), 0);
	CHECK_EQ(resident(p), N);
	plan("");
	verify(p);
	CHECK_EQ(madvise(p, N * PAGE, MADV_PAGEOUT), 0);
	CHECK_EQ(resident(p), 0);
	verify(p);
	area_off();
	verify(p);
	verify(q);
}

TEST(full)
{
	area(33);
	char *p = fill(MAP_PRIVATE), *q = fill(MAP_SHARED);
	CHECK_EQ(madvise(p, N * PAGE, MADV_PAGEOUT), 0);
	CHECK_EQ(resident(p), N - 32);
	CHECK_EQ(meminfo_kb("SwapFree"), 0);
	CHECK_EQ(madvise(q, N * PAGE, MADV_PAGEOUT), 0);
	CHECK_EQ(resident(q), N);
	verify(p);
	verify(q);
	CHECK_EQ(madvise(q, N * PAGE, MADV_PAGEOUT), 0);
	CHECK_EQ(resident(q), N - 32);
	pid_t kid = fork();
	if (!kid) {
		verify(p);
		verify(q);
		_exit(0);
	}
	CHECK_EQ(wait_status(kid), 0);
	area_off();
	verify(p);
	verify(q);
}

TEST(a_slow_disk)
{
	area(1024);
	char *p = fill(MAP_PRIVATE);
	plan("delay=10000 delay_ms=20 reorder=3000");
	for (int round = 0; round < 3; round++) {
		CHECK_EQ(madvise(p, N * PAGE, MADV_PAGEOUT), 0);
		verify(p);
	}
	plan("");
	area_off();
}
