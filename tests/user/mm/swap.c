/* Swap: swapon, swapoff, what they refuse; pages that go and come back, alone and shared, moved, cut, locked. */
#include "../tap.h"
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include "meminfo.h"

#define DEV "/dev/scratch"
#define PAGE 4096L
#ifndef SWAP_FLAG_DISCARD_ONCE
#define SWAP_FLAG_DISCARD_ONCE 0x20000
#define SWAP_FLAG_DISCARD_PAGES 0x40000
#endif
#define N 256

struct header { char boot[1024]; unsigned version, last, bad; unsigned char uuid[16], label[16]; unsigned pad[117], bads[1]; };

static void header_at(int fd, unsigned version, unsigned last, const char *magic)
{
	static char page[PAGE];
	struct header *h = (struct header *)page;
	memset(page, 0, sizeof(page));
	h->version = version;
	h->last = last;
	memcpy(page + PAGE - 10, magic, 10);
	CHECK_EQ(pwrite(fd, page, PAGE, 0), PAGE);
	CHECK_EQ(fsync(fd), 0);
}

static void make(const char *path, unsigned pages)
{
	int fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	header_at(fd, 1, pages - 1, "SWAPSPACE2");
	close(fd);
}

/* The area is on; pages of it. */
static void area(unsigned pages)
{
	if (access(DEV, F_OK))
		SKIP("no disk to swap to");
	swapoff(DEV);
	make(DEV, pages);
	CHECK_EQ(swapon(DEV, 0), 0);
}

static char *fill(long n)
{
	char *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK(madvise(p, n * PAGE, MADV_NOHUGEPAGE) == 0 || errno == EINVAL);
	for (long i = 0; i < n; i++)
		*(long *)(p + i * PAGE) = i * 7 + 1;
	return p;
}

static void verify(const char *p, long n)
{
	for (long i = 0; i < n; i++)
		CHECK_EQ(*(const long *)(p + i * PAGE), i * 7 + 1);
}

static long resident(char *p, long n)
{
	static unsigned char vec[1 << 16];
	long in = 0;
	CHECK_EQ(mincore(p, n * PAGE, vec), 0);
	for (long i = 0; i < n; i++)
		in += vec[i] & 1;
	return in;
}

static long status_kb(const char *name)
{
	char line[256];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			kb = atol(line + strlen(name) + 1);
	fclose(f);
	return kb;
}

/* Is it out?  Linux frees what was written a while later. */
static void check_out(char *p, long n)
{
	if (on_sarsen())
		CHECK_EQ(resident(p, n), 0);
}

/* Linux's number lags behind. */
static void check_vmswap(long kb)
{
	if (on_sarsen())
		CHECK_EQ(status_kb("VmSwap"), kb);
	CHECK(status_kb("VmSwap") >= 0);
}

static void out(char *p, long n) { CHECK_EQ(madvise(p, n * PAGE, MADV_PAGEOUT), 0); }

static long vmstat(const char *name)
{
	static char text[16384];
	char key[64];
	CHECK(read_file("/proc/vmstat", text, sizeof(text)) > 0);
	snprintf(key, sizeof(key), "\n%s ", name);
	char *at = strstr(text, key);
	return at ? atol(at + strlen(key)) : -1;
}

/* A number of the mapping at p. */
static long smaps_kb(char *p, const char *name)
{
	char line[512], key[32];
	long kb = -1;
	bool there = false;
	FILE *f = fopen("/proc/self/smaps", "r");
	snprintf(key, sizeof(key), "%s:", name);
	while (f && kb < 0 && fgets(line, sizeof(line), f)) {
		unsigned long from, to;
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			there = from <= (unsigned long)p && (unsigned long)p < to;
		else if (there && !strncmp(line, key, strlen(key)))
			kb = atol(line + strlen(key));
	}
	if (f)
		fclose(f);
	return kb;
}

/* kB in use of an area, by /proc/swaps. */
static long used_of(const char *area)
{
	char line[256], name[64], type[16], real[PATH_MAX];
	long size, used, found = -1;
	FILE *f = fopen("/proc/swaps", "r");
	CHECK(realpath(area, real));
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %15s %ld %ld", name, type, &size, &used) == 4 && !strcmp(name, real))
			found = used;
	fclose(f);
	return found;
}

/* A file on the disk with a header for so many pages; false: there is no disk. */
static bool make_file(const char *name, unsigned pages)
{
	static char page[PAGE];
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return false;
	for (unsigned i = 0; i < pages; i++)
		CHECK_EQ(pwrite(fd, page, PAGE, i * PAGE), PAGE);
	header_at(fd, 1, pages - 1, "SWAPSPACE2");
	close(fd);
	return true;
}

TEST(what_swapon_refuses)
{
	if (access(DEV, F_OK))
		SKIP("no disk to swap to");
	swapoff(DEV);
	CHECK_ERR(swapon(DEV, 0x80000), EINVAL);
	CHECK_ERR(swapon("/nowhere", 0), ENOENT);
	CHECK_ERR(swapon((char *)8, 0), EFAULT);
	CHECK_ERR(swapon("/dev/null", 0), EINVAL);
	CHECK_ERR(swapon("/tmp", 0), EISDIR);
	CHECK_ERR(swapoff("/tmp"), EISDIR);
	CHECK_ERR(swapoff("/dev/null"), EINVAL);
	CHECK_ERR(swapoff(DEV), EINVAL);
	CHECK_ERR(swapoff("/nowhere"), ENOENT);
	int fd = open(DEV, O_RDWR);
	CHECK(fd >= 0);
	header_at(fd, 1, 1000, "SWAPSPACE3");
	CHECK_ERR(swapon(DEV, 0), EINVAL);
	header_at(fd, 1, 1000, "SWAP-SPACE");
	CHECK_ERR(swapon(DEV, 0), EINVAL);
	header_at(fd, 2, 1000, "SWAPSPACE2");
	CHECK_ERR(swapon(DEV, 0), EINVAL);
	header_at(fd, 1, 0, "SWAPSPACE2");
	CHECK_ERR(swapon(DEV, 0), EINVAL);
	header_at(fd, 1, 1u << 30, "SWAPSPACE2");
	CHECK_ERR(swapon(DEV, 0), EINVAL);
	close(fd);
	pid_t kid = fork();
	if (!kid) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(swapon(DEV, 0), EPERM);
		CHECK_ERR(swapoff(DEV), EPERM);
		_exit(0);
	}
	CHECK_EQ(wait_status(kid), 0);
}

TEST(an_area_is_listed)
{
	char line[256] = "", name[64], type[16];
	long size, used, prio, lines = 0;
	long total = meminfo_kb("SwapTotal");
	area(1024);
	CHECK_EQ(meminfo_kb("SwapTotal") - total, 1023 * 4);
	CHECK_ERR(swapon(DEV, 0), EBUSY);
	CHECK_EQ(swapoff(DEV), 0);
	CHECK_EQ(swapon(DEV, SWAP_FLAG_PREFER | 7), 0);
	FILE *f = fopen("/proc/swaps", "r");
	CHECK(f && fgets(line, sizeof(line), f));
	CHECK(!strcmp(line, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"));
	while (fgets(line, sizeof(line), f))
		lines++;
	fclose(f);
	CHECK_EQ(lines, 1);
	CHECK_EQ(sscanf(line, "%63s %15s %ld %ld %ld", name, type, &size, &used, &prio), 5);
	CHECK(!strcmp(type, "partition"));
	CHECK_EQ(size, 1023 * 4);
	CHECK_EQ(used, 0);
	CHECK_EQ(prio, 7);
	CHECK_EQ(swapoff(DEV), 0);
	CHECK_EQ(meminfo_kb("SwapTotal"), total);
}

TEST(pages_go_and_come_back)
{
	area(4096);
	char *p = fill(N);
	out(p, N);
	check_out(p, N);
	verify(p, N);
	CHECK_EQ(resident(p, N), N);
	check_vmswap(0);
	for (int round = 0; round < 5; round++) {
		out(p, N);
		for (long i = 0; i < N; i++)
			*(long *)(p + i * PAGE + 8) = i + round;
		verify(p, N);
		for (long i = 0; i < N; i++)
			CHECK_EQ(*(long *)(p + i * PAGE + 8), i + round);
	}
	CHECK_EQ(swapoff(DEV), 0);
	verify(p, N);
}

TEST(slots_are_given_back)
{
	area(4096);
	long before = meminfo_kb("SwapFree");
	char *p = fill(N);
	out(p, N);
	CHECK(meminfo_kb("SwapFree") <= before - N * 4);
	CHECK_EQ(munmap(p, N / 2 * PAGE), 0);
	CHECK_EQ(madvise(p + N / 2 * PAGE, N / 4 * PAGE, MADV_DONTNEED), 0);
	CHECK_EQ(*(long *)(p + N / 2 * PAGE), 0);
	check_vmswap(N / 4 * 4);
	pid_t kid = fork();
	if (!kid) {
		fill(N);
		_exit(0);
	}
	CHECK_EQ(wait_status(kid), 0);
	CHECK_EQ(munmap(p + N / 2 * PAGE, N / 2 * PAGE), 0);
	check_vmswap(0);
	CHECK_EQ(swapoff(DEV), 0);
}

TEST(fork_copies_what_is_out)
{
	area(4096);
	char *p = fill(N);
	out(p, N);
	for (int k = 0; k < 3; k++) {
		pid_t kid = fork();
		if (!kid) {
			if (k == 0)
				verify(p, N);
			for (long i = 0; i < N; i += 2)
				*(long *)(p + i * PAGE) = -k;
			for (long i = 1; i < N; i += 2)
				CHECK_EQ(*(long *)(p + i * PAGE), i * 7 + 1);
			out(p, N);
			for (long i = 0; i < N; i++)
				CHECK_EQ(*(long *)(p + i * PAGE), i % 2 ? i * 7 + 1 : -k);
			_exit(0);
		}
		if (k == 1)
			verify(p, N / 2);
		CHECK_EQ(wait_status(kid), 0);
	}
	verify(p, N);
	CHECK_EQ(swapoff(DEV), 0);
}

TEST(what_is_moved_is_found)
{
	area(4096);
	char *p = fill(N), *to = mmap(NULL, 4 * N * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(to != MAP_FAILED);
	char *q = mremap(p, N * PAGE, N * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + N * PAGE);
	CHECK(q == to + N * PAGE);
	verify(q, N);
	out(q, N);
	check_out(q, N);
	p = q;
	q = mremap(p, N * PAGE, N * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 2 * N * PAGE + 2 * PAGE);
	CHECK(q == to + 2 * N * PAGE + 2 * PAGE);
	verify(q, N);
	CHECK_EQ(mprotect(q + 16 * PAGE, 16 * PAGE, PROT_READ), 0);
	out(q, N);
	check_out(q, N);
	pid_t kid = fork();
	if (!kid) {
		verify(q, N);
		out(q, N);
		verify(q, N);
		_exit(0);
	}
	CHECK_EQ(wait_status(kid), 0);
	CHECK_EQ(munmap(q + 100 * PAGE, PAGE), 0);
	CHECK_EQ(mprotect(q + 16 * PAGE, 16 * PAGE, PROT_READ | PROT_WRITE), 0);
	verify(q, 100);
	out(q, 100);
	check_out(q, 100);
	verify(q, 100);
	CHECK_EQ(swapoff(DEV), 0);
}

TEST(locked_pages_stay)
{
	area(4096);
	char *p = fill(16);
	CHECK_EQ(mlock(p, 16 * PAGE), 0);
	CHECK_ERR(madvise(p, 16 * PAGE, MADV_PAGEOUT), EINVAL);
	CHECK_EQ(resident(p, 16), 16);
	CHECK_EQ(munlock(p, 16 * PAGE), 0);
	out(p, 16);
	check_out(p, 16);
	CHECK_EQ(mlock(p, 16 * PAGE), 0);
	CHECK_EQ(resident(p, 16), 16);
	verify(p, 16);
	CHECK_EQ(swapoff(DEV), 0);
}

TEST(private_copies_of_a_file)
{
	area(4096);
	int fd = open("/tmp/swap-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 32 * PAGE) == 0);
	char *p = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	for (long i = 0; i < 32; i++)
		*(long *)(p + i * PAGE) = i * 7 + 1;
	out(p, 32);
	check_vmswap(32 * 4);
	verify(p, 32);
	out(p, 32);
	CHECK_EQ(ftruncate(fd, 16 * PAGE), 0);
	verify(p, 16);
	CHECK_EQ(swapoff(DEV), 0);
	CHECK_EQ(unlink("/tmp/swap-file"), 0);
}

static char *shared_with;
static void *toucher(void *arg)
{
	for (long round = 0; round < 20; round++)
		for (long i = (long)arg; i < N; i += 3)
			*(volatile long *)(shared_with + i * PAGE) += 1;
	return NULL;
}

TEST(threads_touch_what_goes)
{
	pthread_t t[3];
	area(4096);
	shared_with = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(shared_with != MAP_FAILED);
	for (long i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, toucher, (void *)i), 0);
	for (int k = 0; k < 40; k++)
		out(shared_with, N);
	for (long i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	for (long i = 0; i < N; i++)
		CHECK_EQ(*(long *)(shared_with + i * PAGE), 20);
	CHECK_EQ(swapoff(DEV), 0);
}

TEST(swap_to_a_file)
{
	char dir[] = "/disk/swap-XXXXXX", name[64], line[256];
	static char page[PAGE];
	if (!mkdtemp(dir))
		SKIP("no /disk");
	sprintf(name, "%s/file", dir);
	int fd = open(name, O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 512 * PAGE) == 0);
	header_at(fd, 1, 511, "SWAPSPACE2");
	close(fd);
	CHECK_ERR(swapon(name, 0), EINVAL);		/* holes */
	CHECK((fd = open(name, O_RDWR)) >= 0);
	for (int i = 1; i < 512; i++)
		CHECK_EQ(pwrite(fd, page, PAGE, i * PAGE), PAGE);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(swapon(name, 0), 0);			/* somebody has it open for writing: he no longer may */
	CHECK_ERR(swapon(name, 0), EBUSY);
	CHECK_ERR(pwrite(fd, page, PAGE, PAGE), ETXTBSY);
	CHECK_ERR(ftruncate(fd, PAGE), ETXTBSY);
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), ETXTBSY);
	CHECK_EQ(pread(fd, page, PAGE, 0), PAGE);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ETXTBSY);
	CHECK_ERR(unlink(name), EPERM);
	CHECK_ERR(rename(name, "/disk/swap-other"), EPERM);
	close(fd);
	FILE *f = fopen("/proc/swaps", "r");
	CHECK(f && fgets(line, sizeof(line), f) && fgets(line, sizeof(line), f));
	fclose(f);
	CHECK(!strncmp(line, name, strlen(name)) && strstr(line, "file\t\t2044"));
	char *p = fill(N);
	out(p, N);
	check_out(p, N);
	verify(p, N);
	out(p, N);
	CHECK_EQ(swapoff(name), 0);
	verify(p, N);
	CHECK((fd = open(name, O_RDWR)) >= 0);
	CHECK(pwrite(fd, page, PAGE, PAGE) == PAGE && ftruncate(fd, PAGE) == 0);
	close(fd);
	CHECK(unlink(name) == 0 && rmdir(dir) == 0);
}

TEST(swapoff_brings_everything_back)
{
	int go[2], done[2];
	char c;
	area(4096);
	char *p = fill(N);
	out(p, N);
	CHECK(pipe(go) == 0 && pipe(done) == 0);
	pid_t kid = fork();
	if (!kid) {
		char *own = fill(N);
		out(own, N);
		CHECK_EQ(write(done[1], "x", 1), 1);
		CHECK_EQ(read(go[0], &c, 1), 1);
		verify(p, N);
		verify(own, N);
		check_vmswap(0);
		_exit(0);
	}
	CHECK_EQ(read(done[0], &c, 1), 1);
	CHECK_EQ(swapoff(DEV), 0);
	check_vmswap(0);
	CHECK_EQ(resident(p, N), N);
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(wait_status(kid), 0);
	verify(p, N);
}

TEST(cold_is_only_advice)
{
	area(4096);
	char *p = fill(16);
	CHECK_EQ(madvise(p, 16 * PAGE, MADV_COLD), 0);
	CHECK_EQ(resident(p, 16), 16);
	verify(p, 16);
	CHECK_EQ(mlock(p, PAGE), 0);
	CHECK_ERR(madvise(p, PAGE, MADV_COLD), EINVAL);
	CHECK_EQ(munmap(p, 8 * PAGE), 0);
	CHECK_ERR(madvise(p, 16 * PAGE, MADV_COLD), ENOMEM);
	CHECK_ERR(madvise(p, 16 * PAGE, MADV_PAGEOUT), ENOMEM);
	verify(p + 8 * PAGE, 0);
	CHECK_EQ(swapoff(DEV), 0);
}

TEST(shared_memory_goes_and_comes_back)
{
	area(4096);
	char *p = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	for (long i = 0; i < N; i++)
		*(long *)(p + i * PAGE) = i * 7 + 1;
	long before = meminfo_kb("SwapFree");
	out(p, N);
	if (on_sarsen())
		CHECK(meminfo_kb("SwapFree") <= before - N * 4);
	check_out(p, N);
	pid_t kid = fork();
	if (!kid) {
		verify(p, N / 2);
		*(long *)(p + 8) = 4711;
		_exit(0);
	}
	CHECK_EQ(wait_status(kid), 0);
	verify(p, N);
	CHECK_EQ(*(long *)(p + 8), 4711);
	out(p, N);
	CHECK_EQ(swapoff(DEV), 0);
	verify(p, N);
	CHECK_EQ(munmap(p, N * PAGE), 0);
}

/* What is out is within size= already: where nothing more has room it still comes back. */
TEST(a_full_file_system_goes_and_comes_back)
{
	char at[] = "/tmp/full-XXXXXX", name[32], size[32], byte = 0;
	area(4096);
	snprintf(size, sizeof(size), "size=%ld", N * PAGE);
	CHECK(mkdtemp(at) && mount("full", at, "tmpfs", 0, size) == 0);
	snprintf(name, sizeof(name), "%s/f", at);
	int fd = open(name, O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && ftruncate(fd, (N + 1) * PAGE) == 0);
	char *p = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	for (long i = 0; i < N; i++)
		*(long *)(p + i * PAGE) = i * 7 + 1;
	out(p, N);
	check_out(p, N);
	verify(p, N / 2);
	CHECK_ERR(pwrite(fd, &byte, 1, N * PAGE), ENOSPC);
	verify(p, N);
	out(p, N);
	for (long i = 0, v; i < N; i++)
		CHECK(pread(fd, &v, sizeof(v), i * PAGE) == sizeof(v) && v == i * 7 + 1);
	out(p, N);
	CHECK_EQ(swapoff(DEV), 0);
	verify(p, N);
	CHECK_ERR(pwrite(fd, &byte, 1, N * PAGE), ENOSPC);
	CHECK(munmap(p, N * PAGE) == 0 && close(fd) == 0 && umount(at) == 0 && rmdir(at) == 0);
}

/* The pages of a segment of System V that are in swap, as /proc/sysvipc/shm says it. */
static long segment_swapped(int id)
{
	static char text[16384];
	CHECK(read_file("/proc/sysvipc/shm", text, sizeof(text)) > 0);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		int shmid;
		long swapped;
		if (sscanf(line, "%*d %d %*o %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %ld", &shmid, &swapped) == 2 && shmid == id)
			return swapped / PAGE;
	}
	return -1;
}

TEST(a_segment_goes_unless_it_is_kept)
{
	area(4096);
	int id = shmget(IPC_PRIVATE, N * PAGE, 0600);
	CHECK(id >= 0 && shmctl(id, SHM_LOCK, NULL) == 0);
	char *p = shmat(id, NULL, 0);
	CHECK(p != (char *)-1);
	for (long i = 0; i < N; i++)
		*(long *)(p + i * PAGE) = i * 7 + 1;
	out(p, N);
	CHECK_EQ(segment_swapped(id), 0);
	CHECK_EQ(shmctl(id, SHM_UNLOCK, NULL), 0);
	out(p, N);
	if (on_sarsen())
		CHECK_EQ(segment_swapped(id), N);
	verify(p, N);
	out(p, N);
	CHECK_EQ(shmdt(p), 0);
	p = shmat(id, NULL, SHM_RDONLY);
	CHECK(p != (char *)-1);
	CHECK_EQ(swapoff(DEV), 0);
	CHECK_EQ(segment_swapped(id), 0);
	verify(p, N);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

TEST(what_is_done_is_counted)
{
	struct sysinfo si;
	area(4096);
	long in = vmstat("pswpin"), went = vmstat("pswpout");
	char *p = fill(N);
	out(p, N);
	CHECK_EQ(sysinfo(&si), 0);
	CHECK_EQ(si.totalswap * si.mem_unit, 4095 * PAGE);
	CHECK(si.freeswap * si.mem_unit <= (4095 - N) * PAGE);
	CHECK(meminfo_kb("SwapCached") >= 0);
	if (on_sarsen())
		CHECK_EQ(smaps_kb(p, "Swap"), N * 4);
	CHECK(vmstat("pswpout") >= went + N);
	verify(p, N);
	if (on_sarsen())
		CHECK(vmstat("pswpin") >= in + N);
	CHECK_EQ(smaps_kb(p, "Swap"), 0);
	CHECK_EQ(swapoff(DEV), 0);
}

/* The area with the highest number first; those of the same one in turns. */
TEST(priorities)
{
	const char *small = "/disk/swap-small";
	swapoff(small);
	area(4096);
	if (!make_file(small, 11)) {
		swapoff(DEV);
		SKIP("no disk with files");
	}
	CHECK_EQ(swapon(small, SWAP_FLAG_PREFER | 3), 0);
	CHECK_EQ(used_of(small) + used_of(DEV), 0);
	char *p = fill(64);
	out(p, 64);
	if (on_sarsen()) {
		CHECK_EQ(used_of(small), 10 * 4);
		CHECK_EQ(used_of(DEV), 54 * 4);
	}
	verify(p, 64);
	CHECK_EQ(swapoff(small), 0);
	CHECK(make_file(small, 300));
	CHECK_EQ(swapon(small, SWAP_FLAG_PREFER | 3), 0);
	out(p, 64);
	if (on_sarsen())
		CHECK_EQ(used_of(small), 64 * 4);
	CHECK_EQ(swapoff(small), 0);		/* they may go to the other one */
	verify(p, 64);
	CHECK_EQ(swapon(small, SWAP_FLAG_DISCARD), 0);
	CHECK_EQ(swapoff(DEV), 0);
	out(p, 64);
	verify(p, 64);
	CHECK_EQ(swapon(DEV, SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_ONCE), 0);
	out(p, 64);
	CHECK_EQ(swapoff(small), 0);
	verify(p, 64);
	CHECK_EQ(swapoff(DEV), 0);
	verify(p, 64);
	CHECK_EQ(unlink(small), 0);
}

/* Slots of one cluster that is taken again are discarded before: what lies there now must stay. */
TEST(discard_takes_nothing_that_is_wanted)
{
	area(4096);
	CHECK_EQ(swapoff(DEV), 0);
	make(DEV, 600);
	CHECK_EQ(swapon(DEV, SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES), 0);
	char *keep = fill(100);
	out(keep, 100);
	for (int round = 0; round < 12; round++) {
		char *p = fill(300);
		out(p, 300);
		verify(p, 300);
		CHECK_EQ(munmap(p, 300 * PAGE), 0);
	}
	verify(keep, 100);
	CHECK_EQ(swapoff(DEV), 0);
}

/* The switch is thrown while everybody forks, writes, and drives out. */
TEST(swapoff_under_load)
{
	area(8192);
	char *shared = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *own = fill(N);
	pid_t kids[4];
	CHECK(shared != MAP_FAILED);
	for (int k = 0; k < 4; k++) {
		kids[k] = fork();
		if (kids[k])
			continue;
		for (int round = 0; round < 30; round++) {
			for (long i = k; i < N; i += 4)
				*(long *)(shared + i * PAGE) += 1;
			out(shared, N);
			out(own, N);
			pid_t grandchild = fork();
			if (!grandchild) {
				verify(own, N);
				_exit(0);
			}
			*(long *)(own + round * PAGE + 64) = round;
			CHECK_EQ(wait_status(grandchild), 0);
		}
		verify(own, N);
		for (long i = 0; i < 30; i++)
			CHECK_EQ(*(long *)(own + i * PAGE + 64), i);
		_exit(0);
	}
	for (int i = 0; i < 6; i++) {
		sleep_ms(30);
		CHECK_EQ(swapoff(DEV), 0);
		CHECK_EQ(swapon(DEV, SWAP_FLAG_DISCARD), 0);
	}
	for (int k = 0; k < 4; k++)
		CHECK_EQ(wait_status(kids[k]), 0);
	for (long i = 0; i < N; i++)
		CHECK_EQ(*(long *)(shared + i * PAGE), 30);
	verify(own, N);
	CHECK_EQ(swapoff(DEV), 0);
}
