/* /proc/meminfo tells the truth: each kind of memory rises by what was taken and falls when it is given back.  The slack is what
 * Linux keeps in its per-CPU counters and lists. */
#include "../tap.h"
#include "meminfo.h"

#define SIZE (16l << 20)
#define KB (SIZE >> 10)
#define SLACK 2048

#define NEAR(a, b) CHECK(labs((a) - (b)) < SLACK)

static void *anon(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	return p;
}

TEST(all_lines_are_there)
{
	static const char *const names[] = { "MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapCached", "Active", "Inactive",
		"SwapTotal", "SwapFree", "Dirty", "Writeback", "AnonPages", "Mapped", "Shmem", "KReclaimable", "Slab", "SReclaimable",
		"SUnreclaim", "KernelStack", "PageTables", "AnonHugePages" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (meminfo_kb(names[i]) < 0 && strcmp(names[i], "AnonHugePages")) {
			printf("# no %s\n", names[i]);
			CHECK(0);
		}
	CHECK(meminfo_kb("MemFree") > 0 && meminfo_kb("MemFree") < meminfo_kb("MemTotal"));
	CHECK(meminfo_kb("MemAvailable") <= meminfo_kb("MemTotal"));
	CHECK_EQ(meminfo_kb("Slab"), meminfo_kb("SReclaimable") + meminfo_kb("SUnreclaim"));
}

/* What processes that have just ended held comes back a little later: wait until free memory stands still. */
static long settled_free(void)
{
	long free = meminfo_kb("MemFree"), last;

	for (int i = 0; i < 200; i++) {
		usleep(20000);
		last = free;
		free = meminfo_kb("MemFree");
		if (labs(free - last) < 64)
			break;
	}
	return free;
}

TEST(anonymous_memory)
{
	char *first = anon(SIZE);

	memset(first, 1, SIZE);		/* takes what stood in the lists of this CPU, which Linux does not count as free; kept meanwhile */
	long before = meminfo_kb("AnonPages"), free = settled_free();
	char *p = anon(SIZE);
	NEAR(meminfo_kb("AnonPages"), before);
	memset(p, 1, SIZE);
	NEAR(meminfo_kb("AnonPages"), before + KB);
	CHECK(meminfo_kb("MemFree") < free - KB + SLACK);
	CHECK(munmap(p, SIZE) == 0);
	NEAR(meminfo_kb("AnonPages"), before);
}

TEST(pages_shared_by_fork_count_once)
{
	char *p = anon(SIZE);
	memset(p, 1, SIZE);
	long before = meminfo_kb("AnonPages");
	int c[2];
	CHECK(pipe(c) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		char b;
		close(c[1]);
		_exit(read(c[0], &b, 1));
	}
	NEAR(meminfo_kb("AnonPages"), before);
	close(c[0]);
	close(c[1]);
	CHECK(EXITED(wait_status(pid), 0));
	NEAR(meminfo_kb("AnonPages"), before);
}

TEST(page_cache_and_shared_memory)
{
	long cached = meminfo_kb("Cached"), shmem = meminfo_kb("Shmem"), mapped = meminfo_kb("Mapped");
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	memset(p, 1, SIZE);
	NEAR(meminfo_kb("Cached"), cached + KB);
	NEAR(meminfo_kb("Shmem"), shmem + KB);
	NEAR(meminfo_kb("Mapped"), mapped + KB);
	CHECK(munmap(p, SIZE) == 0);
	NEAR(meminfo_kb("Cached"), cached);
	NEAR(meminfo_kb("Shmem"), shmem);
	NEAR(meminfo_kb("Mapped"), mapped);
}

/* One page in each 2 MiB takes a page table each; they go with the mapping, not with the process. */
TEST(page_tables_go_with_their_mapping)
{
	enum { N = 1024, STEP = 2 << 20 };
	long before = meminfo_kb("PageTables");
	char *p = mmap(NULL, (size_t)N * STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK(madvise(p, (size_t)N * STEP, MADV_NOHUGEPAGE) == 0);
	for (size_t i = 0; i < N; i++)
		p[i * STEP] = 1;
	CHECK(meminfo_kb("PageTables") >= before + N * 4 - 256);
	for (size_t i = 0; i < N / 2; i++)		/* the half one by one, the rest at once */
		CHECK(munmap(p + i * STEP, STEP) == 0);
	CHECK(meminfo_kb("PageTables") <= before + N / 2 * 4 + 256);
	CHECK_EQ(p[(size_t)(N / 2) * STEP], 1);
	CHECK(munmap(p + (size_t)N / 2 * STEP, (size_t)N / 2 * STEP) == 0);
	CHECK(meminfo_kb("PageTables") <= before + 256);
}

/* What stands beside a freed range keeps its tables. */
TEST(neighbours_survive_unmapping)
{
	enum { STEP = 2 << 20 };
	char *p = mmap(NULL, 8l * STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	char *q = (char *)(((uintptr_t)p + STEP - 1) & -(uintptr_t)STEP);
	q[-1] = 1;
	q[0] = 2;
	q[4095 + 4l * STEP] = 5;
	q[4096 + 4l * STEP] = 6;
	CHECK(munmap(q, 4l * STEP + 4096) == 0);
	CHECK(q[-1] == 1 && q[4096 + 4l * STEP] == 6);
	CHECK(mmap(q, 4l * STEP + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == q);
	CHECK(q[0] == 0 && q[4095 + 4l * STEP] == 0);
	CHECK(q[-1] == 1 && q[4096 + 4l * STEP] == 6);
}
