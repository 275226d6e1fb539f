/* More memory in use than there is, with swap behind it; and when that is full too.  Slow machines and Linux take a minute for some. */
#define TAP_TIMEOUT 150
#include "../tap.h"
#include "meminfo.h"
#include "swap_area.h"

#define AREA (60l << 20)
#define OVER (20l << 20)

static void area(void)
{
	if (meminfo_kb("MemTotal") > 600 << 10)
		SKIP("too much memory");
	swap_area(AREA);
}

static char *map(long bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(p != MAP_FAILED);
	return p;
}

static void fill(char *p, long bytes, long seed)
{
	for (long i = 0; i < bytes; i += PAGE) {
		*(long *)(p + i) = i * 31 + seed;
		*(long *)(p + i + 2048) = ~i;
	}
}

static void verify_part(const char *p, long from, long bytes, long seed)
{
	for (long i = from; i < from + bytes; i += PAGE) {
		CHECK_EQ(*(const long *)(p + i), i * 31 + seed);
		CHECK_EQ(*(const long *)(p + i + 2048), ~i);
	}
}

static void verify(const char *p, long bytes, long seed) { verify_part(p, 0, bytes, seed); }

static long more_than_there_is(void) { return (meminfo_kb("MemAvailable") << 10) + OVER; }

TEST(more_than_there_is)
{
	area();
	long n = more_than_there_is() & -PAGE, in = field_kb("/proc/self/status", "VmRSS");
	char *p = map(n);
	fill(p, n, 5);
	CHECK(meminfo_kb("SwapFree") < meminfo_kb("SwapTotal") - (8 << 10));
	CHECK(field_kb("/proc/self/status", "VmSwap") > 8 << 10);
	CHECK(field_kb("/proc/self/status", "VmRSS") >= in);
	verify(p, n, 5);
	fill(p, n / 2, 6);
	long half = (n / 2 + PAGE - 1) & -PAGE;
	verify_part(p, half, n - half, 5);
	verify(p, n / 2, 6);
	CHECK_EQ(munmap(p, n), 0);
	CHECK_EQ(swapoff(DEV), 0);
}

TEST(children_share_what_is_out)
{
	area();
	long n = (more_than_there_is() - (OVER / 2)) & -PAGE, part = n / 8 & -PAGE;	/* Linux keeps the slots of what is shared and in memory */
	char *p = map(n);
	fill(p, n, 1);
	pid_t kid[3];
	for (int k = 0; k < 3; k++) {
		kid[k] = fork();
		if (!kid[k]) {
			verify_part(p, k * part, part, 1);
			_exit(0);
		}
	}
	for (int k = 0; k < 3; k++)
		CHECK_EQ(wait_status(kid[k]), 0);
	verify(p, n, 1);
	CHECK_EQ(munmap(p, n), 0);
	CHECK_EQ(swapoff(DEV), 0);
}

TEST(locked_pages_stay_in)
{
	static unsigned char vec[256];
	area();
	char *mine = map(256 * PAGE);
	CHECK_EQ(mlock(mine, 256 * PAGE), 0);
	fill(mine, 256 * PAGE, 9);
	long n = more_than_there_is() & -PAGE;
	char *p = map(n);
	fill(p, n, 2);
	CHECK_EQ(mincore(mine, 256 * PAGE, vec), 0);
	for (int i = 0; i < 256; i++)
		CHECK_EQ(vec[i] & 1, 1);
	verify(mine, 256 * PAGE, 9);
	verify(p, n, 2);
	CHECK_EQ(munmap(p, n), 0);
	CHECK_EQ(swapoff(DEV), 0);
}

TEST(files_in_memory_go_too)
{
	static char page[PAGE];
	area();
	long size = 16l << 20;
	int fd = memfd_create("swapped", 0);
	CHECK(fd >= 0 && ftruncate(fd, size + 10 * PAGE) == 0);
	for (long i = 0; i < size; i += PAGE) {
		memset(page, (int)(i / PAGE), PAGE);
		CHECK_EQ(pwrite(fd, page, PAGE, i), PAGE);
	}
	char *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(shared != MAP_FAILED);
	*(long *)(shared + 8 * PAGE) = 4711;
	long n = more_than_there_is() & -PAGE;
	char *p = map(n);
	fill(p, n, 4);
	verify(p, n, 4);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), size);
	CHECK_EQ(lseek(fd, size - PAGE, SEEK_DATA), size - PAGE);
	struct stat st;
	CHECK(fstat(fd, &st) == 0);
	CHECK_EQ(st.st_blocks, size / 512);
	CHECK_EQ(*(long *)(shared + 8 * PAGE), 4711);
	for (long i = 0; i < size; i += PAGE) {
		CHECK_EQ((unsigned char)shared[i + 100], (unsigned char)(i / PAGE));
		shared[i + 100]++;
	}
	verify(p, n, 4);
	for (long i = 0; i < size; i += PAGE) {
		CHECK_EQ(pread(fd, page, PAGE, i), PAGE);
		CHECK_EQ((unsigned char)page[100], (unsigned char)(i / PAGE + 1));
	}
	fill(p, n, 5);
	CHECK_EQ(ftruncate(fd, size / 2 + 100), 0);
	CHECK_EQ(ftruncate(fd, size), 0);
	CHECK_EQ(pread(fd, page, PAGE, size / 2), PAGE);
	CHECK_EQ((unsigned char)page[99], (unsigned char)(size / 2 / PAGE));
	CHECK_EQ(page[100], 0);
	CHECK_EQ(pread(fd, page, PAGE, size - PAGE), PAGE);
	CHECK_EQ(page[0], 0);
	verify(p, n, 5);
	CHECK_EQ(munmap(p, n), 0);
	CHECK_EQ(swapoff(DEV), 0);
	for (long i = 0; i < size / 2; i += PAGE)
		CHECK_EQ((unsigned char)shared[i + 100], (unsigned char)(i / PAGE + 1));
	close(fd);
}

TEST(when_swap_is_full_too_somebody_dies)
{
	area();
	pid_t kid = fork();
	if (!kid) {
		int fd = open("/proc/self/oom_score_adj", O_WRONLY);
		CHECK(fd >= 0 && write(fd, "1000", 4) == 4);
		long n = ((meminfo_kb("MemTotal") + meminfo_kb("SwapTotal")) << 10) + OVER;
		fill(map(n), n, 3);
		_exit(0);
	}
	int status;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EQ(swapoff(DEV), 0);
}
