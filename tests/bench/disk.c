/* What files on an ext2 disk cost: whole-disk /dev/vda, made new for the run, at /mnt.  Time per MiB, per access or per file, in ns of the
 * monotonic clock, everything included (the device and the host behind it): less is better.  Argument: one group, else all.
 *
 *   stream   256 MiB written and fsynced, read cold, read again from the cache
 *   random   4 KiB at random places of those 256 MiB, buffered (cold; writes with the fsync at the end) and direct
 *   files    10,000 files of 1 KiB made and deleted, with the sync; 400 made and fsynced one by one
 *   tree     a source tree of 5,000 files unpacked, walked cold and warm, removed
 *   writers  four processes write 64 MiB each and fsync */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB	(1l << 20)
#define TOTAL	(256 * MIB)
#define PIECE	(256 * 1024)

static unsigned char *buffer;
static uint64_t state = 88172645463325252ull;

#define CHECK(x) do { if (!(x)) { printf("disk: %s:%d: %s: errno %d\n", __FILE__, __LINE__, #x, errno); fflush(stdout); _exit(1); } } while (0)

static uint64_t draw(void)
{
	state ^= state << 13; state ^= state >> 7; state ^= state << 17;
	return state;
}

/* The marks (bench.h) are for QEMU plugins that count what runs between them. */
static double now(void)
{
	struct timespec t;
	__asm__ volatile("hint #0x70" : : : "memory");
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* What the device was asked for since the last time: a line of /proc/diskstats, for who wants to know why. */
static void requests(const char *name)
{
	static unsigned long was[4];
	unsigned long is[4] = { 0 };
	char line[256];
	FILE *f = fopen("/proc/diskstats", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*u %*u vda %lu %*u %lu %*u %lu %*u %lu", &is[0], &is[1], &is[2], &is[3]) == 4)
			break;
	if (f)
		fclose(f);
	if (name)
		printf("REQUESTS disk_%s: %lu reads of %lu KiB, %lu writes of %lu KiB\n", name, is[0] - was[0], (is[1] - was[1]) / 2,
		       is[2] - was[2], (is[3] - was[3]) / 2);
	memcpy(was, is, sizeof(was));
}

static double since(double t0, double count, const char *name)
{
	__asm__ volatile("hint #0x71" : : : "memory");
	double t = now();
	printf("METRIC disk_%s=%.0f ns\n", name, (t - t0) / count);
	requests(name);
	fflush(stdout);
	return now();
}

static void drop_caches(void)
{
	sync();
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "3\n", 2) == 2);
	close(fd);
	requests(NULL);
}

static void write_file(const char *path, long size, int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | flags, 0644);
	CHECK(fd >= 0);
	for (long at = 0; at < size; at += PIECE)
		CHECK(write(fd, buffer, PIECE) == PIECE);
	CHECK(fsync(fd) == 0);
	close(fd);
}

static void read_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	long n, sum = 0;
	CHECK(fd >= 0);
	while ((n = read(fd, buffer, PIECE)) > 0)
		sum += n;
	CHECK(sum == TOTAL);
	close(fd);
}

static void stream(void)
{
	double t = now();
	write_file("/mnt/stream", TOTAL, 0);
	since(t, 256, "write_fsync_per_mib");
	drop_caches();
	t = now();
	read_file("/mnt/stream");
	t = since(t, 256, "read_cold_per_mib");
	read_file("/mnt/stream");
	since(t, 256, "read_cached_per_mib");
}

static void random_access(const char *what, int flags, int writes, int count)
{
	char name[64];
	int fd = open("/mnt/stream", O_RDWR | flags);
	CHECK(fd >= 0);
	drop_caches();
	double t = now();
	for (int i = 0; i < count; i++) {
		off_t at = (off_t)(draw() % (TOTAL / 4096)) * 4096;
		CHECK((writes ? pwrite(fd, buffer, 4096, at) : pread(fd, buffer, 4096, at)) == 4096);
	}
	if (writes)
		CHECK(fsync(fd) == 0);
	snprintf(name, sizeof(name), "random_%s_%s", writes ? "write" : "read", what);
	since(t, count, name);
	close(fd);
}

static void randoms(void)
{
	if (access("/mnt/stream", F_OK) < 0)
		write_file("/mnt/stream", TOTAL, 0);
	random_access("buffered", 0, 0, 4000);
	random_access("direct", O_DIRECT, 0, 4000);
	random_access("buffered", 0, 1, 8000);
	random_access("direct", O_DIRECT, 1, 4000);
}

static void files(void)
{
	char path[64];
	double t;
	CHECK(mkdir("/mnt/files", 0755) == 0 && chdir("/mnt/files") == 0);
	sync();
	t = now();
	for (int i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "file-%d", i);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
		CHECK(fd >= 0 && write(fd, buffer, 1024) == 1024);
		close(fd);
	}
	sync();
	t = since(t, 10000, "create_small");
	for (int i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "file-%d", i);
		CHECK(unlink(path) == 0);
	}
	sync();
	t = since(t, 10000, "delete_small");
	for (int i = 0; i < 400; i++) {
		snprintf(path, sizeof(path), "sync-%d", i);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
		CHECK(fd >= 0 && write(fd, buffer, 4096) == 4096 && fsync(fd) == 0);
		close(fd);
	}
	since(t, 400, "create_fsync");
	CHECK(chdir("/") == 0);
}

/* What tar does with 250 directories of 20 files: sizes as in a source tree, mostly a few KiB, some large. */
static void unpack(void)
{
	char path[96];
	struct timespec times[2] = { { 1700000000, 0 }, { 1700000000, 0 } };
	for (int d = 0; d < 250; d++) {
		if (d % 10 == 0) {
			snprintf(path, sizeof(path), "/mnt/tree/part%d", d / 10);
			CHECK(mkdir(path, 0755) == 0);
		}
		snprintf(path, sizeof(path), "/mnt/tree/part%d/dir%d", d / 10, d % 10);
		CHECK(mkdir(path, 0755) == 0);
		for (int i = 0; i < 20; i++) {
			long size = 200 + (long)(draw() % 7000) + (draw() % 20 == 0 ? 40000 : 0);
			snprintf(path, sizeof(path), "/mnt/tree/part%d/dir%d/source-file-%d.c", d / 10, d % 10, i);
			int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
			CHECK(fd >= 0 && write(fd, buffer, (size_t)size) == size);
			close(fd);
			CHECK(chmod(path, 0644) == 0 && utimensat(AT_FDCWD, path, times, 0) == 0);
		}
	}
}

static long seen;
static int look(const char *path, const struct stat *st, int kind, struct FTW *f) { (void)path; (void)st; (void)kind; (void)f; seen++; return 0; }
static int take(const char *path, const struct stat *st, int kind, struct FTW *f) { (void)st; (void)kind; (void)f; return remove(path); }

static void tree(void)
{
	double t;
	CHECK(mkdir("/mnt/tree", 0755) == 0);
	sync();
	t = now();
	unpack();
	sync();
	since(t, 5000, "unpack_per_file");
	drop_caches();
	t = now();
	CHECK(nftw("/mnt/tree", look, 32, FTW_PHYS) == 0 && seen == 5276);
	t = since(t, 5276, "find_cold_per_name");
	for (int i = 0; i < 4; i++)
		CHECK(nftw("/mnt/tree", look, 32, FTW_PHYS) == 0);
	t = since(t, 4 * 5276, "find_warm_per_name");
	CHECK(nftw("/mnt/tree", take, 32, FTW_PHYS | FTW_DEPTH) == 0);
	sync();
	since(t, 5000, "remove_tree_per_file");
}

static void writers(void)
{
	char path[32];
	int status;
	double t;
	unlink("/mnt/stream");
	sync();
	t = now();
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			snprintf(path, sizeof(path), "/mnt/writer-%d", i);
			write_file(path, 64 * MIB, 0);
			_exit(0);
		}
	for (int i = 0; i < 4; i++)
		CHECK(wait(&status) > 0 && status == 0);
	since(t, 256, "four_writers_per_mib");
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(void); } groups[] = {
		{ "stream", stream }, { "random", randoms }, { "files", files }, { "tree", tree }, { "writers", writers },
	};
	CHECK((mkdir("/mnt", 0755) == 0 || errno == EEXIST) && mount("/dev/vda", "/mnt", "ext2", 0, "") == 0);
	buffer = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; i < PIECE; i += 8) {
		uint64_t v = draw();
		memcpy(buffer + i, &v, 8);
	}
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (argc < 2 || !strcmp(argv[1], groups[i].name))
			groups[i].run();
	umount("/mnt");
	return 0;
}
