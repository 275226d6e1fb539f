/* Anonymous memory in 2 MiB blocks: whatever a program does to part of one, it sees plain pages.  Nothing here depends on blocks being
 * given, but the tests that look at AnonHugePages, and they skip where the machine gives none. */
#include "../tap.h"
#include <sys/prctl.h>
#include "meminfo.h"

#define BLOCK (2l << 20)
#define PAGE 4096l

/* n aligned blocks that asked for it, with a page of another mapping on no side */
static char *blocks(int n)
{
	char *p = mmap(NULL, (n + 1) * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	char *q = (char *)(((uintptr_t)p + BLOCK - 1) & -(uintptr_t)BLOCK);
	CHECK(madvise(q, n * BLOCK, MADV_HUGEPAGE) == 0);
	return q;
}

static void fill(char *p, long len, char c)
{
	for (long i = 0; i < len; i += PAGE)
		*(long *)(p + i) = c + i;
}

static bool is_filled(const char *p, long len, long from, char c)
{
	for (long i = 0; i < len; i += PAGE)
		if (*(long *)(p + i) != c + from + i)
			return false;
	return true;
}

static long rss_kb(void) { return field_kb("/proc/self/status", "RssAnon"); }

TEST(fresh_memory_is_zero)
{
	char *p = blocks(2);
	for (long i = 0; i < 2 * BLOCK; i += 8)
		CHECK_EQ(*(long *)(p + i), 0);
	fill(p, 2 * BLOCK, 1);
	CHECK(is_filled(p, 2 * BLOCK, 0, 1));
}

TEST(counted_in_meminfo_and_rss)
{
	long huge = meminfo_kb("AnonHugePages"), rss = rss_kb();
	char *p = blocks(8);
	fill(p, 8 * BLOCK, 1);
	CHECK(labs(rss_kb() - rss - 8 * 2048) < 256);
	if (meminfo_kb("AnonHugePages") < huge + 4 * 2048)
		SKIP("no blocks to be had");
	CHECK(munmap(p, 8 * BLOCK) == 0);
	CHECK(meminfo_kb("AnonHugePages") <= huge);
	CHECK(labs(rss_kb() - rss) < 256);
}

TEST(one_touch_of_an_advised_block)
{
	char *p = blocks(1);
	long huge = meminfo_kb("AnonHugePages");
	p[BLOCK / 2 + 5] = 7;
	if (meminfo_kb("AnonHugePages") == huge)
		SKIP("no blocks to be had");
	CHECK_EQ(p[0], 0);
	CHECK_EQ(p[BLOCK - 1], 0);
	CHECK_EQ(p[BLOCK / 2 + 5], 7);
}

TEST(partial_unmap)
{
	char *p = blocks(2);
	fill(p, 2 * BLOCK, 3);
	long rss = rss_kb();
	CHECK(munmap(p + 5 * PAGE, 7 * PAGE) == 0);
	CHECK(munmap(p + BLOCK - PAGE, 2 * PAGE) == 0);
	CHECK(labs(rss_kb() - (rss - 9 * 4)) <= 300);
	CHECK(is_filled(p, 5 * PAGE, 0, 3));
	CHECK(is_filled(p + 12 * PAGE, BLOCK - 13 * PAGE, 12 * PAGE, 3));
	CHECK(is_filled(p + BLOCK + PAGE, BLOCK - PAGE, BLOCK + PAGE, 3));
	unsigned char in;
	CHECK_ERR(mincore(p + 5 * PAGE, PAGE, &in), ENOMEM);
	CHECK_ERR(mincore(p + BLOCK, PAGE, &in), ENOMEM);
}

static void write_at(char *p) { *(volatile char *)p = 1; }
static char *victim;
static void write_victim(void) { write_at(victim); }

TEST(mprotect_in_the_middle)
{
	char *p = blocks(2);
	fill(p, 2 * BLOCK, 4);
	CHECK(mprotect(p + 9 * PAGE, 3 * PAGE, PROT_READ) == 0);
	CHECK(is_filled(p, 2 * BLOCK, 0, 4));
	write_at(p + 8 * PAGE + 100);
	write_at(p + 12 * PAGE + 100);
	victim = p + 9 * PAGE;
	CHECK(KILLED(in_child(write_victim), SIGSEGV));
	victim = p + 12 * PAGE - 1;
	CHECK(KILLED(in_child(write_victim), SIGSEGV));
	CHECK(mprotect(p, 2 * BLOCK, PROT_NONE) == 0);
	victim = p + BLOCK;
	CHECK(KILLED(in_child(write_victim), SIGSEGV));
	CHECK(mprotect(p, 2 * BLOCK, PROT_READ | PROT_WRITE) == 0);
	CHECK(is_filled(p, 2 * BLOCK, 0, 4));
	fill(p, 2 * BLOCK, 5);
	CHECK(is_filled(p, 2 * BLOCK, 0, 5));
}

TEST(whole_block_protected_and_back)
{
	char *p = blocks(1);
	fill(p, BLOCK, 6);
	CHECK(mprotect(p, BLOCK, PROT_READ) == 0);
	victim = p + 77 * PAGE;
	CHECK(KILLED(in_child(write_victim), SIGSEGV));
	CHECK(mprotect(p, BLOCK, PROT_NONE) == 0);
	CHECK(KILLED(in_child(write_victim), SIGSEGV));
	CHECK(mprotect(p, BLOCK, PROT_READ | PROT_WRITE) == 0);
	CHECK(is_filled(p, BLOCK, 0, 6));
}

TEST(fork_copies_on_write)
{
	char *p = blocks(3);
	int to_child[2], to_parent[2];
	char b = 0;
	fill(p, 3 * BLOCK, 1);
	CHECK(pipe(to_child) == 0 && pipe(to_parent) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		fill(p + 10 * PAGE, 2 * PAGE, 9);		/* ours alone */
		CHECK(write(to_parent[1], &b, 1) == 1);
		CHECK(read(to_child[0], &b, 1) == 1);		/* the parent has written now */
		CHECK(is_filled(p, 10 * PAGE, 0, 1));
		CHECK(is_filled(p + 10 * PAGE, 2 * PAGE, 0, 9));
		CHECK(is_filled(p + 12 * PAGE, 3 * BLOCK - 12 * PAGE, 12 * PAGE, 1));
		_exit(0);
	}
	CHECK(read(to_parent[0], &b, 1) == 1);
	CHECK(is_filled(p, 3 * BLOCK, 0, 1));
	fill(p + BLOCK, BLOCK, 8);
	p[BLOCK + BLOCK + 5 * PAGE + 1] = 2;
	CHECK(write(to_child[1], &b, 1) == 1);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(is_filled(p, BLOCK, 0, 1));
	CHECK(is_filled(p + BLOCK, BLOCK, 0, 8));
	fill(p, 3 * BLOCK, 4);					/* alone again: written in place */
	CHECK(is_filled(p, 3 * BLOCK, 0, 4));
}

TEST(three_generations)
{
	char *p = blocks(2);
	fill(p, 2 * BLOCK, 1);
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			p[i * 100 * PAGE + 20] = 1;
			pid_t grandchild = fork();
			if (grandchild == 0) {
				CHECK(munmap(p + BLOCK / 2, BLOCK) == 0);
				fill(p, BLOCK / 2, 7);
				CHECK(is_filled(p, BLOCK / 2, 0, 7));
				_exit(0);
			}
			CHECK(EXITED(wait_status(grandchild), 0));
			CHECK(is_filled(p + BLOCK, BLOCK, BLOCK, 1));
			_exit(0);
		}
		CHECK(EXITED(wait_status(pid), 0));
	}
	CHECK(is_filled(p, 2 * BLOCK, 0, 1));
}

TEST(dontneed_inside_a_block)
{
	char *p = blocks(2);
	fill(p, 2 * BLOCK, 2);
	CHECK(madvise(p + 3 * PAGE, 4 * PAGE, MADV_DONTNEED) == 0);
	CHECK(is_filled(p, 3 * PAGE, 0, 2));
	for (int i = 3; i < 7; i++)
		CHECK_EQ(*(long *)(p + i * PAGE), 0);
	CHECK(is_filled(p + 7 * PAGE, 2 * BLOCK - 7 * PAGE, 7 * PAGE, 2));
	CHECK(madvise(p, 2 * BLOCK, MADV_DONTNEED) == 0);
	for (long i = 0; i < 2 * BLOCK; i += PAGE)
		CHECK_EQ(*(long *)(p + i), 0);
}

TEST(mremap_moves_and_shrinks)
{
	char *p = blocks(4), *q;
	fill(p, 4 * BLOCK, 3);
	q = mremap(p, 4 * BLOCK, 6 * BLOCK, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	CHECK(is_filled(q, 4 * BLOCK, 0, 3));
	CHECK_EQ(q[4 * BLOCK], 0);
	CHECK(mremap(q, 6 * BLOCK, BLOCK + BLOCK / 2, 0) == q);
	CHECK(is_filled(q, BLOCK + BLOCK / 2, 0, 3));
	char *r = blocks(4);					/* to an aligned place, and to one that is not */
	CHECK(mremap(q, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED, r) == r);
	CHECK(is_filled(r, BLOCK, 0, 3));
	CHECK(mremap(r, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED, r + 2 * BLOCK + PAGE) == r + 2 * BLOCK + PAGE);
	CHECK(is_filled(r + 2 * BLOCK + PAGE, BLOCK, 0, 3));
	CHECK(is_filled(q + BLOCK, BLOCK / 2, BLOCK, 3));
}

TEST(a_page_in_a_block_is_read_by_others)
{
	char *p = blocks(1), buf[16] = { 0 };
	char name[] = "/tmp/huge-XXXXXX";
	int fd = mkstemp(name), fds[2];
	CHECK(fd >= 0 && unlink(name) == 0);
	fill(p, BLOCK, 1);
	strcpy(p + 300 * PAGE + 4090, "across pages");
	CHECK_EQ(write(fd, p + 300 * PAGE + 4090, 13), 13);
	CHECK_EQ(pread(fd, p + 17 * PAGE - 3, 13, 0), 13);
	CHECK(!strcmp(p + 17 * PAGE - 3, "across pages"));
	CHECK(pipe(fds) == 0);
	CHECK_EQ(write(fds[1], p + 17 * PAGE - 3, 13), 13);
	CHECK_EQ(read(fds[0], buf, 16), 13);
	CHECK(!strcmp(buf, "across pages"));
	unsigned char in[512];
	CHECK(mincore(p, BLOCK, in) == 0);
	for (int i = 0; i < 512; i++)
		CHECK(in[i] & 1);
}

TEST(not_where_it_was_declined)
{
	char *p = blocks(4);
	long huge = meminfo_kb("AnonHugePages");
	CHECK(madvise(p, 4 * BLOCK, MADV_NOHUGEPAGE) == 0);
	fill(p, 4 * BLOCK, 1);
	CHECK(meminfo_kb("AnonHugePages") <= huge);
	CHECK(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
	CHECK_ERR(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
	p = blocks(4);
	fill(p, 4 * BLOCK, 1);
	CHECK(meminfo_kb("AnonHugePages") <= huge);
	pid_t pid = fork();
	if (pid == 0)
		_exit(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	CHECK(EXITED(wait_status(pid), 1));
}

/* Fork of much memory takes none of it: neither at once nor by the child's reading. */
TEST(fork_of_256_mib_takes_no_copy)
{
	long size = 256l << 20;
	if (meminfo_kb("MemAvailable") < (size >> 10) + 65536)
		SKIP("needs 320 MiB free");
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int up[2], down[2];
	char b = 0;
	CHECK(p != MAP_FAILED && pipe(up) == 0 && pipe(down) == 0);
	fill(p, size, 1);
	long free = meminfo_kb("MemFree");
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(is_filled(p, size, 0, 1));
		CHECK(write(up[1], &b, 1) == 1);
		CHECK(read(down[0], &b, 1) == 1);
		p[size / 2] = 3;
		_exit(0);
	}
	CHECK(read(up[0], &b, 1) == 1);
	CHECK(meminfo_kb("MemFree") > free - 4096);
	CHECK(write(down[1], &b, 1) == 1);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(is_filled(p, size, 0, 1));
}
