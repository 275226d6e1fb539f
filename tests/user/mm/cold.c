/* MADV_COLD: what a program says it will not need goes first when memory is short, though it was touched last.  What is not advised, touched long
 * before, stays; without the advice it would be the other way round. */
#define TAP_TIMEOUT 150
#include "../tap.h"
#include "meminfo.h"
#include "swap_area.h"

#define AREA (60l << 20)
#define SET 4096L		/* pages of each of the two */
#define ENOUGH 1500L		/* pages that have gone */

static unsigned char vec[SET];

static long gone(char *p)
{
	long n = SET;
	CHECK_EQ(mincore(p, SET * PAGE, vec), 0);
	for (long i = 0; i < SET; i++)
		n -= vec[i] & 1;
	return n;
}

static char *anonymous(long bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(p != MAP_FAILED);
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

static void fill(char *p, long bytes)
{
	for (long i = 0; i < bytes; i += PAGE)
		*(long *)(p + i) = i * 31 + 7;
}

static void verify(const char *p, long bytes)
{
	for (long i = 0; i < bytes; i += PAGE)
		CHECK_EQ(*(const long *)(p + i), i * 31 + 7);
}

/* More and more memory is in use, until enough of the two have gone, or so much is that something must be wrong. */
static void press(char *warm, char *cold, long *of_warm, long *of_cold)
{
	long most = (meminfo_kb("MemAvailable") << 10) + (48l << 20), step = 256 << 10;
	char *p = anonymous(most);

	for (long at = 0; at < most; at += step) {
		fill(p + at, step);
		*of_warm = gone(warm);
		*of_cold = gone(cold);
		if (*of_warm + *of_cold >= ENOUGH)
			break;
	}
	munmap(p, most);
	printf("# gone: of %ld warm %ld, of %ld cold %ld\n", SET, *of_warm, SET, *of_cold);
}

TEST(of_ones_own)
{
	if (meminfo_kb("MemTotal") > 600 << 10)
		SKIP("too much memory");
	swap_area(AREA);
	long used = (meminfo_kb("MemAvailable") / 2) << 10, of_warm, of_cold;
	char *warm = anonymous(SET * PAGE), *between = anonymous(used), *cold = anonymous(SET * PAGE);
	fill(warm, SET * PAGE);
	fill(between, used);
	fill(cold, SET * PAGE);
	CHECK_EQ(madvise(cold, SET * PAGE, MADV_COLD), 0);
	CHECK_EQ(gone(cold), 0);
	press(warm, cold, &of_warm, &of_cold);
	CHECK(of_cold > 500 && of_cold > 4 * of_warm);
	verify(cold, SET * PAGE);
	verify(warm, SET * PAGE);
	munmap(between, used);
	CHECK_EQ(swapoff(DEV), 0);
	verify(cold, SET * PAGE);
}

static char *file_of(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	static char b[65536];
	char *p;
	CHECK(fd >= 0);
	for (long i = 0; i < SET * PAGE; i += sizeof(b)) {
		for (unsigned k = 0; k < sizeof(b); k += PAGE)
			*(long *)(b + k) = (i + k) * 31 + 7;
		CHECK_EQ(write(fd, b, sizeof(b)), sizeof(b));
	}
	CHECK_EQ(fsync(fd), 0);
	p = mmap(NULL, SET * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	for (int round = 0; round < 3; round++)		/* used again: kept longer */
		for (long i = 0; i < SET * PAGE; i += sizeof(b))
			CHECK_EQ(pread(fd, b, sizeof(b), i), sizeof(b));
	verify(p, SET * PAGE);
	close(fd);
	return p;
}

TEST(of_a_file)
{
	if (meminfo_kb("MemTotal") > 600 << 10)
		SKIP("too much memory");
	if (access("/disk", W_OK))
		SKIP("no disk");
	long of_warm, of_cold;
	char *warm = file_of("/disk/warm"), *cold = file_of("/disk/cold");
	CHECK_EQ(madvise(cold, SET * PAGE, MADV_COLD), 0);
	CHECK_EQ(gone(cold), 0);
	press(warm, cold, &of_warm, &of_cold);
	CHECK(of_cold > 500 && of_cold > 4 * of_warm);
	verify(cold, SET * PAGE);
	verify(warm, SET * PAGE);
	unlink("/disk/warm");
	unlink("/disk/cold");
}

/* What others use as well stays as it is: it is not ours alone to say. */
TEST(shared_by_others)
{
	swap_area(AREA);
	char *p = anonymous(16 * PAGE);
	int go[2], done[2];
	char c;
	fill(p, 16 * PAGE);
	CHECK(pipe(go) == 0 && pipe(done) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		verify(p, 16 * PAGE);
		CHECK(write(done[1], "x", 1) == 1 && read(go[0], &c, 1) == 1);
		long before = field_kb("/proc/self/status", "VmRSS");
		verify(p, 16 * PAGE);
		_exit(field_kb("/proc/self/status", "VmRSS") > before + 32);
	}
	CHECK_EQ(read(done[0], &c, 1), 1);
	CHECK_EQ(madvise(p, 16 * PAGE, MADV_COLD), 0);
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK(EXITED(wait_status(pid), 0));
	verify(p, 16 * PAGE);
	CHECK_EQ(swapoff(DEV), 0);
}
