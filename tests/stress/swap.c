/* swap: memory that goes to a device and comes back while everything about its mappings changes.
 *
 * What every page shall hold is known: a worker has a number for each page of its arena (want), and the page bears it at three places.  Random
 * calls change the mappings, MADV_PAGEOUT and sheer want of memory take the pages away, and each look at a page judges it.
 * Afterwards no slot is in use and the area can be switched off.
 *
 * The area is /dev/scratch, 64 MiB; run it with little memory (scripts/stress gives 96 MiB). */
#include "stress.h"
#include <sys/swap.h>
#include <sys/uio.h>
#include "../user/mm/meminfo.h"

#define PAGE 4096l
#define ARENA 256
#define DEV "/dev/scratch"

/* ---- the area ---- */
static void make_area(long first, long pages)
{
	static char page[PAGE];
	int fd = open(DEV, O_RDWR);
	((unsigned *)page)[256] = 1;
	((unsigned *)page)[257] = pages - 1;
	memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
	CHECK(fd >= 0 && pwrite(fd, page, PAGE, first * PAGE) == PAGE && fsync(fd) == 0);
	close(fd);
}

static void area_on(void)
{
	if (access(DEV, F_OK)) {
		printf("# no disk to swap to\n");
		_exit(1);
	}
	swapoff(DEV);
	make_area(0, 15 << 10);
	CHECK_EQ(swapon(DEV, 0), 0);
}

static void area_off(void)
{
	if (on_sarsen()) {
		for (int i = 0; i < 100 && meminfo_kb("SwapFree") != meminfo_kb("SwapTotal"); i++)
			sleep_ms(50);			/* what is being written, or given back by the dying */
		printf("# %ld kB of slots in use in the end\n", meminfo_kb("SwapTotal") - meminfo_kb("SwapFree"));
	}
	CHECK_EQ(swapoff(DEV), 0);
}

/* ---- pages with a number ---- */
static void put(char *p, unsigned long v)
{
	*(volatile unsigned long *)p = v;
	*(volatile unsigned long *)(p + 2048) = v * 31;
	*(volatile unsigned long *)(p + PAGE - 8) = ~v;
}

static void judge(const char *p, unsigned long v, const char *what)
{
	unsigned long a = *(volatile unsigned long *)p, b = *(volatile unsigned long *)(p + 2048), c = *(volatile unsigned long *)(p + PAGE - 8);

	if (v ? a == v && b == v * 31 && c == ~v : !a && !b && !c)
		return;
	printf("# STALE: %s: page %p of %d holds %lx %lx %lx, not %lx\n", what, p, getpid(), a, b, c, v);
	fflush(stdout);
	_exit(1);
}

struct arena { char *at; unsigned long *want; unsigned seed; unsigned long stamp; };

static void arena_make(struct arena *a, unsigned seed)
{
	a->at = mmap(NULL, ARENA * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	a->want = calloc(ARENA, sizeof(long));
	CHECK(a->at != MAP_FAILED && a->want);
	madvise(a->at, ARENA * PAGE, MADV_NOHUGEPAGE);
	a->seed = seed * 7919 + 1;
	a->stamp = (unsigned long)seed << 40;
}

static void arena_end(struct arena *a)
{
	for (int i = 0; i < ARENA; i++)
		judge(a->at + i * PAGE, a->want[i], "in the end");
	CHECK_EQ(munmap(a->at, ARENA * PAGE), 0);
	free(a->want);
}

/* Where there are several mappings by now, page by page. */
static void remap(char *from, int n, char *to)
{
	if (mremap(from, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to)
		return;
	CHECK_EQ(errno, EFAULT);
	for (int i = 0; i < n; i++)
		CHECK(mremap(from + i * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + i * PAGE) == to + i * PAGE);
}

/* Through a place elsewhere and back; at the other place it goes out as well. */
static void move(struct arena *a, int first, int n)
{
	char *from = a->at + first * PAGE, *to = mmap(NULL, (n + 8) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *there;

	CHECK(to != MAP_FAILED);
	there = to + random_next(&a->seed) % 8 * PAGE;
	remap(from, n, there);
	CHECK(mmap(from, n * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == from);
	if (random_next(&a->seed) % 2)
		CHECK_EQ(madvise(there, n * PAGE, MADV_PAGEOUT), 0);
	for (int i = 0; i < n; i += 3)
		judge(there + i * PAGE, a->want[first + i], "moved");
	remap(there, n, from);
	CHECK_EQ(munmap(to, (n + 8) * PAGE), 0);
}

static void forget(struct arena *a, int first, int n)
{
	char *p = a->at + first * PAGE;

	if (random_next(&a->seed) % 2)
		CHECK_EQ(madvise(p, n * PAGE, MADV_DONTNEED), 0);
	else
		CHECK(mmap(p, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	memset(a->want + first, 0, n * sizeof(long));
}

static void work_on(struct arena *a, int ops, int depth);

/* A child with a copy of all that goes its own way; the parent goes on meanwhile. */
static void divide(struct arena *a, int depth)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		a->seed ^= (unsigned)getpid() * 2654435761u;
		a->stamp += (unsigned long)depth << 32;
		work_on(a, 60, depth);
		arena_end(a);
		_exit(0);
	}
	work_on(a, 30, depth);
	CHECK_EQ(wait_status(pid), 0);
}

static void work_on(struct arena *a, int ops, int depth)
{
	while (ops-- && !over()) {
		unsigned r = random_next(&a->seed), what = r % 32;
		int first = (r >> 8) % ARENA, n = 1 + (int)((r >> 20) % 40);
		char *p = a->at + first * PAGE;

		if (first + n > ARENA)
			n = ARENA - first;
		if (what < 8)
			for (int i = first; i < first + n; i++)
				put(a->at + i * PAGE, a->want[i] = ++a->stamp);
		else if (what < 16)
			for (int i = first; i < first + n; i++)
				judge(a->at + i * PAGE, a->want[i], "looked at");
		else if (what < 22)
			CHECK_EQ(madvise(p, n * PAGE, what < 21 ? MADV_PAGEOUT : MADV_COLD), 0);
		else if (what < 25)
			move(a, first, n);
		else if (what < 27)
			forget(a, first, n);
		else if (what < 29) {
			CHECK_EQ(mprotect(p, n * PAGE, PROT_READ), 0);
			judge(p, a->want[first], "read-only");
			CHECK_EQ(mprotect(p, n * PAGE, PROT_READ | PROT_WRITE), 0);
		} else if (what == 29) {
			CHECK_EQ(mlock(p, (n > 8 ? 8 : n) * PAGE), 0);
			judge(p, a->want[first], "locked");
			CHECK_EQ(munlock(p, (n > 8 ? 8 : n) * PAGE), 0);
		} else if (depth)
			divide(a, depth - 1);
		progress();
	}
}

static void worker(int n)
{
	struct arena a;

	for (unsigned k = 0; !over(); k++) {
		arena_make(&a, (unsigned)n * 1000 + k + 1);
		while (!over() && random_next(&a.seed) % 64)
			work_on(&a, 50, 3);
		arena_end(&a);
	}
}

STORM(private_memory)
{
	area_on();
	crowd(worker, cpus() + 1);
	area_off();
}

/* More than there is, again and again, beside the workers; it lives in fear of the OOM killer, which may have it. */
static void hog(int n)
{
	unsigned seed = n + 1;

	while (!over()) {
		long pages = (meminfo_kb("MemAvailable") + 8192) / 4 / 2;
		char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		CHECK(p != MAP_FAILED);
		for (long i = 0; i < pages && !over(); i++)
			put(p + i * PAGE, i + n + 1), progress();
		for (long i = 0; i < pages / 2 && !over(); i++) {
			long at = random_next(&seed) % pages;
			unsigned long there = *(volatile unsigned long *)(p + at * PAGE);
			judge(p + at * PAGE, there ? (unsigned long)(at + n + 1) : 0, "the hog's");
			progress();
		}
		CHECK_EQ(munmap(p, pages * PAGE), 0);
	}
}

static void hog_or_worker(int n) { n < 2 ? hog(n) : worker(n); }

STORM(want_of_memory)
{
	area_on();
	crowd(hog_or_worker, 5);
	area_off();
}

/* ---- files in memory ---- */
#define SLICE 128
static int file;

/* Each owns a slice of one file, which all have mapped, and looks at the others' numbers only to have touched them. */
static void sharer(int n)
{
	char *all = mmap(NULL, 8 * SLICE * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), *mine = all + n * SLICE * PAGE;
	unsigned long want[SLICE] = { 0 }, stamp = (unsigned long)(n + 1) << 40;
	static char page[PAGE];
	unsigned seed = n + 77;

	CHECK(all != MAP_FAILED);
	while (!over()) {
		unsigned r = random_next(&seed), what = r % 16;
		int i = (r >> 8) % SLICE, len = 1 + (int)((r >> 20) % 16);
		long pos = (n * SLICE + i) * PAGE;

		if (i + len > SLICE)
			len = SLICE - i;
		for (int k = i; k < i + len; k++) {
			if (what < 4)
				put(mine + k * PAGE, want[k] = ++stamp);
			else if (what < 8)
				judge(mine + k * PAGE, want[k], "shared");
			else if (what == 8) {
				put(page, want[k] = ++stamp);
				CHECK_EQ(pwrite(file, page, PAGE, (n * SLICE + k) * PAGE), PAGE);
			} else if (what == 9) {
				CHECK_EQ(pread(file, page, PAGE, (n * SLICE + k) * PAGE), PAGE);
				judge(page, want[k], "read");
			} else if (what == 10) {
				(void)*(volatile char *)(all + random_next(&seed) % (7 * SLICE) * PAGE);	/* the last one may be cut off */
			}
		}
		if (what == 11 || what == 12)
			CHECK_EQ(madvise(mine + i * PAGE, len * PAGE, MADV_PAGEOUT), 0);
		else if (what == 13)
			CHECK_EQ(madvise(all, 8 * SLICE * PAGE, MADV_PAGEOUT), 0);
		if (what == 14) {
			CHECK_EQ(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, len * PAGE), 0);
			memset(want + i, 0, len * sizeof(long));
		} else if (what == 15 && n == 7) {	/* the last slice may be cut off and come back */
			CHECK_EQ(ftruncate(file, pos), 0);
			CHECK_EQ(ftruncate(file, 8 * SLICE * PAGE), 0);
			memset(want + i, 0, (SLICE - i) * sizeof(long));
		}
		progress();
	}
	for (int k = 0; k < SLICE; k++)
		judge(mine + k * PAGE, want[k], "shared, in the end");
}

static void sharer_or_hog(int n)
{
	if (n < 8)
		sharer(n);
	else
		hog(n);
}

STORM(files_in_memory)
{
	area_on();
	file = memfd_create("storm", 0);
	CHECK(file >= 0 && ftruncate(file, 8 * SLICE * PAGE) == 0);
	crowd(sharer_or_hog, 9);
	struct stat st;
	CHECK(fstat(file, &st) == 0 && st.st_blocks <= 8 * SLICE * PAGE / 512);
	CHECK_EQ(ftruncate(file, 0), 0);
	CHECK(fstat(file, &st) == 0);
	CHECK_EQ(st.st_blocks, 0);
	close(file);
	area_off();
}

/* All touch, send out and punch the same few pages: what one does to a page meets another on its way.  What the file is charged for it has. */
#define FEW 32
static void digger(int n)
{
	char *all = mmap(NULL, FEW * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	unsigned seed = n + 7;

	CHECK(all != MAP_FAILED);
	while (!over()) {
		unsigned r = random_next(&seed), what = r % 8;
		long i = (r >> 8) % FEW, len = 1 + (r >> 20) % (FEW - i);

		for (long k = i; what < 4 && k < i + len; k++)
			*(volatile long *)(all + k * PAGE) = 0;		/* nothing anywhere is ever anything else */
		for (long k = i; what == 4 && k < i + len; k++)
			CHECK_EQ(*(volatile long *)(all + k * PAGE), 0);
		if (what == 5 || what == 6)
			CHECK_EQ(madvise(all + i * PAGE, len * PAGE, MADV_PAGEOUT), 0);
		else if (what == 7)
			CHECK_EQ(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, i * PAGE, len * PAGE), 0);
		progress();
	}
}

STORM(the_same_few_pages)
{
	struct stat st;

	area_on();
	file = memfd_create("storm", 0);
	CHECK(file >= 0 && ftruncate(file, FEW * PAGE) == 0);
	crowd(digger, 8);
	CHECK(fstat(file, &st) == 0);
	CHECK(st.st_blocks >= 0 && st.st_blocks <= FEW * PAGE / 512);
	CHECK_EQ(ftruncate(file, 0), 0);
	CHECK(fstat(file, &st) == 0);
	CHECK_EQ(st.st_blocks, 0);
	close(file);
	area_off();
}

/* A page that is sent out and brought back is never a hole: who reads the file finds what was written, at every moment.  A page that several
 * have mapped stays, so each is sent out by one, and the others read. */
#define SENDERS 2
static void sender_or_reader(int n)
{
	static char page[PAGE];
	char *mine = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, n % SENDERS * PAGE);
	unsigned seed = n + 777;

	CHECK(mine != MAP_FAILED);
	while (!over()) {
		long i = random_next(&seed) % SENDERS;

		if (n < SENDERS) {
			judge(mine, n + 1, "mapped");
			CHECK_EQ(madvise(mine, PAGE, MADV_PAGEOUT), 0);
		} else {
			CHECK_EQ(pread(file, page, PAGE, i * PAGE), PAGE);
			judge(page, i + 1, "read");
		}
		progress();
	}
}

STORM(what_is_out_is_no_hole)
{
	static char page[PAGE];

	area_on();
	file = memfd_create("storm", 0);
	CHECK(file >= 0);
	for (long i = 0; i < SENDERS; i++) {
		put(page, i + 1);
		CHECK_EQ(pwrite(file, page, PAGE, i * PAGE), PAGE);
	}
	crowd(sender_or_reader, SENDERS + 4);
	close(file);
	area_off();
}

/* The end of a file moves while others fault at its pages, read them and send them out.  What is cut off reads as zeroes afterwards, and when nobody
 * is at it any more, a file of no length has no pages. */
struct ends { _Atomic int pause, inside; };
static struct ends *ends;

static void toucher(int n)
{
	char *all = mmap(NULL, FEW * PAGE, PROT_READ, MAP_SHARED, file, 0), c;
	unsigned seed = n + 77;

	CHECK(all != MAP_FAILED);
	while (!over()) {
		unsigned r = random_next(&seed), what = r % 8;
		long i = (r >> 8) % FEW, len = 1 + (r >> 20) % (FEW - i);
		struct iovec to = { &c, 1 }, from = { all + i * PAGE, 1 };

		while (atomic_load(&ends->pause) && !over())
			sched_yield();
		atomic_fetch_add(&ends->inside, 1);
		if (!atomic_load(&ends->pause)) {
			if (what < 4)
				CHECK(process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1 || errno == EFAULT);		/* a fault, and no SIGBUS */
			else if (what < 6)
				CHECK(pread(file, &c, 1, i * PAGE) >= 0);
			else
				CHECK_EQ(madvise(all + i * PAGE, len * PAGE, MADV_PAGEOUT), 0);
			progress();
		}
		atomic_fetch_sub(&ends->inside, 1);
	}
}

static void cutter(void)
{
	static char page[PAGE], zeroes[PAGE];
	unsigned seed = 5;
	struct stat st;

	for (int round = 1; !over(); round++) {
		long k = random_next(&seed) % FEW;

		memset(page, 0xa5, PAGE);
		for (long i = 0; i < FEW; i++)
			CHECK_EQ(pwrite(file, page, PAGE, i * PAGE), PAGE);
		for (int n = random_next(&seed) % 4; n; n--)
			sched_yield();
		CHECK_EQ(ftruncate(file, k * PAGE + 8), 0);
		CHECK_EQ(ftruncate(file, FEW * PAGE), 0);
		CHECK_EQ(pread(file, page, PAGE, k * PAGE), PAGE);
		CHECK_EQ(memcmp(page + 8, zeroes, PAGE - 8), 0);
		if (round % 4 == 0) {
			atomic_store(&ends->pause, 1);
			CHECK_EQ(ftruncate(file, 0), 0);
			while (atomic_load(&ends->inside))
				sched_yield();
			CHECK_EQ(fstat(file, &st), 0);
			CHECK_EQ(st.st_blocks, 0);
			CHECK_EQ(ftruncate(file, FEW * PAGE), 0);
			atomic_store(&ends->pause, 0);
		}
		progress();
	}
}

static void toucher_or_cutter(int n)
{
	if (n)
		toucher(n);
	else
		cutter();
}

STORM(the_end_moves)
{
	area_on();
	ends = shared_map(sizeof(*ends));
	file = memfd_create("storm", 0);
	CHECK(file >= 0 && ftruncate(file, FEW * PAGE) == 0);
	crowd(toucher_or_cutter, 7);
	close(file);
	munmap(ends, sizeof(*ends));
	area_off();
}

/* ---- the area comes and goes ---- */
static void switcher(int n)
{
	while (!over()) {
		sleep_ms(50);
		if (swapoff(DEV) == 0) {
			progress();
			CHECK_EQ(swapon(DEV, n), 0);
		} else {
			CHECK(errno == ENOMEM);
		}
	}
}

static void switcher_or_worker(int n)
{
	if (n == 0)
		switcher(SWAP_FLAG_DISCARD);
	else if (n < 5)
		worker(n);
	else
		sharer(n);
}

STORM(on_and_off)
{
	area_on();
	file = memfd_create("storm", 0);
	CHECK(file >= 0 && ftruncate(file, 8 * SLICE * PAGE) == 0);
	crowd(switcher_or_worker, 8);
	close(file);
	area_off();
}
