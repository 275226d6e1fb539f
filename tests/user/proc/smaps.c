/* /proc/<pid>/smaps: what of each range is in memory, and how. */
#include "../tap.h"
#include <ctype.h>

static char text[1 << 18];

/* The entry of the range that holds p, ended before the next range; NULL. */
static char *entry_of(void *p)
{
	CHECK(read_file("/proc/self/smaps", text, sizeof(text)) > 0);
	for (char *at = text; *at; ) {
		unsigned long start, end;
		char *line = at, *next;
		CHECK(sscanf(line, "%lx-%lx ", &start, &end) == 2);
		for (next = strchr(line, '\n') + 1; *next && !strchr("0123456789abcdef", *next); next = strchr(next, '\n') + 1)
			;
		at = next;
		if ((unsigned long)p >= start && (unsigned long)p < end) {
			if (*next)
				next[-1] = 0;
			return line;
		}
	}
	return NULL;
}

static long kb(const char *entry, const char *name)
{
	char key[64], *at;
	sprintf(key, "\n%s:", name);
	at = strstr(entry, key);
	if (!at) {
		printf("# no %s\n", name);
		CHECK(0);
	}
	return atol(at + strlen(key));
}

static char *pages(int n, int prot)
{
	/* with a page of nothing on both sides, so that it stays a range of its own */
	char *p = mmap(NULL, (n + 2) * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED && mprotect(p + 4096, n * 4096, prot) == 0);
	return p + 4096;
}

TEST(anonymous_pages)
{
	char *p = pages(10, PROT_READ | PROT_WRITE);
	for (int i = 0; i < 4; i++)
		p[i * 4096] = 1;
	char *e = entry_of(p);
	CHECK(e);
	CHECK_EQ(kb(e, "Size"), 40);
	CHECK_EQ(kb(e, "Rss"), 16);
	CHECK_EQ(kb(e, "Pss"), 16);
	CHECK_EQ(kb(e, "Private_Dirty"), 16);
	CHECK_EQ(kb(e, "Shared_Dirty") + kb(e, "Shared_Clean") + kb(e, "Private_Clean"), 0);
	CHECK_EQ(kb(e, "Anonymous"), 16);
	CHECK_EQ(kb(e, "KernelPageSize"), 4);
	CHECK_EQ(kb(e, "MMUPageSize"), 4);
	CHECK_EQ(kb(e, "AnonHugePages") + kb(e, "Swap") + kb(e, "Locked"), 0);
	CHECK(strstr(e, "\nVmFlags: rd wr mr mw me"));
}

TEST(shared_with_a_child)
{
	char *p = pages(4, PROT_READ | PROT_WRITE);
	memset(p, 1, 4 * 4096);
	int up[2];
	char b;
	CHECK(pipe(up) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		p[0] = 2;
		CHECK(write(up[1], &b, 1) == 1);
		pause();
	}
	CHECK(read(up[0], &b, 1) == 1);
	char *e = entry_of(p);
	CHECK_EQ(kb(e, "Rss"), 16);
	CHECK_EQ(kb(e, "Shared_Dirty"), 12);
	CHECK_EQ(kb(e, "Private_Dirty"), 4);
	CHECK_EQ(kb(e, "Pss"), 4 + 6);
	kill(pid, SIGKILL);
	wait_status(pid);
}

TEST(file_pages)
{
	char name[] = "/tmp/smaps-XXXXXX", page[4096] = { 1 };
	int fd = mkstemp(name);
	for (int i = 0; i < 4; i++)
		CHECK(write(fd, page, 4096) == 4096);
	char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	p[4096] = 1;
	char *e = entry_of(p);
	CHECK(strstr(e, name));
	CHECK_EQ(kb(e, "Size"), 16);
	CHECK_EQ(kb(e, "Anonymous"), 4);
	CHECK(kb(e, "Rss") >= 4);
	unlink(name);
}

TEST(a_block_of_two_mebibytes)
{
	long size = 2l << 20;
	char *p = mmap(NULL, 3 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *q = (char *)(((unsigned long)p + size - 1) & -size);
	CHECK(p != MAP_FAILED && madvise(p, 3 * size, MADV_HUGEPAGE) == 0);
	q[0] = 1;
	char *e = entry_of(q);
	if (!kb(e, "AnonHugePages"))
		SKIP("no blocks to be had");
	CHECK_EQ(kb(e, "AnonHugePages"), 2048);
	CHECK_EQ(kb(e, "Rss"), 2048);
	CHECK_EQ(kb(e, "THPeligible"), 1);
	CHECK(strstr(e, " hg "));
	CHECK(munmap(q + 4096 * 7, 4096) == 0);
	e = entry_of(q);
	CHECK_EQ(kb(e, "AnonHugePages"), 0);
	CHECK_EQ(kb(e, "Rss"), 28);
}

TEST(lines_agree_with_maps)
{
	static char maps[1 << 16];
	CHECK(read_file("/proc/self/maps", maps, sizeof(maps)) > 0);
	CHECK(read_file("/proc/self/smaps", text, sizeof(text)) > 0);
	int n = 0;
	for (char *line = strtok(maps, "\n"); line; line = strtok(NULL, "\n"), n++)
		CHECK(strstr(text, line));
	CHECK(n >= 5);
}
