/* Truncation against changing mappings: whatever the other thread does to the mapping, what was cut off the file is gone from it. */
#include "../tap.h"
#include <pthread.h>

#define PAGE 4096l
#define PAGES 24l
#define ROUNDS 400

static char *map, *moving;
static volatile int stop;

static int file_of(long pages)
{
	char name[] = "/tmp/truncate-XXXXXX";
	int fd = mkstemp(name);
	CHECK(fd >= 0 && unlink(name) == 0);
	CHECK(ftruncate(fd, pages * PAGE) == 0);
	return fd;
}

/* Cuts the mapping and lets it grow together again; every page stays readable all the time. */
static void *cutter(void *arg)
{
	(void)arg;
	for (unsigned i = 1; !stop; i++) {
		long first = i * 7 % (PAGES - 8), len = 1 + i % 8;
		CHECK(mprotect(map + first * PAGE, len * PAGE, PROT_READ) == 0);
		CHECK(mprotect(map + (first + 2) * PAGE, len * PAGE, PROT_READ | PROT_WRITE) == 0);
		CHECK(mprotect(map, PAGES * PAGE, PROT_READ | PROT_WRITE) == 0);
	}
	return NULL;
}

/* Moves a mapping of the same file to and fro. */
static void *mover(void *arg)
{
	char *places = mmap(NULL, 2 * PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)arg;
	CHECK(places != MAP_FAILED);
	for (int i = 0; !stop; i ^= 1) {
		char *to = places + i * PAGES * PAGE;
		CHECK(mremap(moving, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
		moving = to;
	}
	return NULL;
}

static void cut_off_and_look(int fd)
{
	for (int round = 0; round < ROUNDS; round++) {
		long keep = round % PAGES;
		for (long i = 0; i < PAGES; i++) {
			char c = (char)(1 + round);
			CHECK_EQ(pwrite(fd, &c, 1, i * PAGE + 5), 1);
			(void)*(volatile char *)(map + i * PAGE);
		}
		CHECK(ftruncate(fd, keep * PAGE) == 0);
		CHECK(ftruncate(fd, PAGES * PAGE) == 0);
		for (long i = 0; i < PAGES; i++)
			CHECK_EQ(map[i * PAGE + 5], i < keep ? (char)(1 + round) : 0);
	}
}

TEST(while_the_mapping_is_cut)
{
	int fd = file_of(PAGES);
	pthread_t t;
	map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK(pthread_create(&t, NULL, cutter, NULL) == 0);
	cut_off_and_look(fd);
	stop = 1;
	CHECK(pthread_join(t, NULL) == 0);
}

TEST(while_a_mapping_moves)
{
	int fd = file_of(PAGES);
	pthread_t t;
	map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	moving = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && moving != MAP_FAILED);
	CHECK(pthread_create(&t, NULL, mover, NULL) == 0);
	for (int round = 0; round < 4; round++) {
		memset(map, 1, PAGES * PAGE);
		cut_off_and_look(fd);
	}
	stop = 1;
	CHECK(pthread_join(t, NULL) == 0);
	CHECK(ftruncate(fd, 0) == 0 && ftruncate(fd, PAGES * PAGE) == 0);
	for (long i = 0; i < PAGES; i++)
		CHECK_EQ(moving[i * PAGE], 0);
}

TEST(while_a_mapping_comes_and_goes)
{
	int fd = file_of(PAGES);
	pid_t pid = fork();
	if (pid == 0) {
		for (unsigned i = 0; i < 3000; i++) {
			char *m = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, i & 1 ? MAP_SHARED : MAP_PRIVATE, fd, 0);
			CHECK(m != MAP_FAILED);
			CHECK(munmap(m + 3 * PAGE, 5 * PAGE) == 0);
			CHECK(munmap(m, PAGES * PAGE) == 0);
		}
		_exit(0);
	}
	map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	cut_off_and_look(fd);
	CHECK(EXITED(wait_status(pid), 0));
}
