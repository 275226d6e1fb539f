/* /proc/<pid>/maps and smaps of a process with very many mappings: lists that are made as they are read, by pieces.  proc(5). */
#include "../tap.h"
#include <ctype.h>

#define MANY	20000
#define SOME	1500
#define BIG	(4 << 20)

static char text[BIG], whole[BIG];

/* 2 * n ranges of a page side by side, which cannot become one. */
static char *ranges(int n)
{
	char *p = mmap(NULL, 2 * n * 4096ul, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(p != MAP_FAILED);
	for (int i = 0; i < n; i++)
		CHECK_EQ(mprotect(p + i * 8192ul, 4096, PROT_READ), 0);
	return p;
}

/* The whole of an open file from where it stands, step bytes a read: how many; ended by a NUL. */
static size_t slurp(int fd, size_t step)
{
	size_t n = 0;
	ssize_t r = 0;
	while (n + step < BIG && (r = read(fd, text + n, step)) > 0)
		n += r;
	CHECK_EQ(r, 0);
	text[n] = 0;
	return n;
}

/* How many lines of text begin with a range in [from, to), which must follow each other without a hole. */
static int count(const char *from, const char *to)
{
	unsigned long at = (unsigned long)from, start, end, before = 0;
	int n = 0;
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		if (isupper(line[0]))
			continue;
		CHECK_EQ(sscanf(line, "%lx-%lx ", &start, &end), 2);
		CHECK(start >= before);
		before = end;
		if (start < (unsigned long)from || start >= (unsigned long)to)
			continue;
		CHECK_EQ(start, at);
		at = end;
		n++;
	}
	CHECK_EQ(at, (unsigned long)to);
	return n;
}

static int open_file(const char *name)
{
	int fd = open(name, O_RDONLY);
	CHECK(fd >= 0);
	return fd;
}

TEST(all_of_very_many)
{
	char *p = ranges(MANY / 2);
	int fd = open_file("/proc/self/maps");
	CHECK(slurp(fd, 1000) > MANY * 30);
	CHECK_EQ(count(p, p + MANY * 4096ul), MANY);
	CHECK_EQ(close(fd), 0);
}

TEST(a_read_makes_a_piece)
{
	static char buf[1 << 18];
	ranges(SOME);
	static const char *const names[] = { "/proc/self/maps", "/proc/self/smaps" };
	for (int i = 0; i < 2; i++) {
		int fd = open_file(names[i]);
		/* all of it is above 150 KiB: what is asked for does not matter, nor whether it is the first */
		for (int k = 0; k < 15; k++) {
			ssize_t r = read(fd, buf, sizeof(buf));
			CHECK(r > 0 && r < 9000);
		}
		CHECK_EQ(close(fd), 0);
	}
}

TEST(pieces_of_any_size_fit)
{
	char *p = ranges(SOME / 2);
	int fd = open_file("/proc/self/maps"), fd2 = open_file("/proc/self/smaps");
	size_t len = slurp(fd, 1 << 16);
	memcpy(whole, text, len);
	static const size_t steps[] = { 13, 700, 4096, 5000 };
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(slurp(fd, steps[i]), len);
		CHECK(memcmp(text, whole, len) == 0);
		CHECK_EQ(count(p, p + SOME * 4096ul), SOME);
	}
	for (int i = 2; i < 4; i++) {
		CHECK_EQ(lseek(fd2, 0, SEEK_SET), 0);
		CHECK(slurp(fd2, steps[i]) > SOME * 400);
		CHECK_EQ(count(p, p + SOME * 4096ul), SOME);
	}
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(close(fd2), 0);
}

TEST(positions)
{
	char *p = ranges(SOME / 2), b[300];
	int fd = open_file("/proc/self/maps");
	size_t len = slurp(fd, 1 << 16);
	CHECK_EQ(count(p, p + SOME * 4096ul), SOME);
	static const size_t at[] = { 50000, 50200, 1, 4095, 4096, 4097, 30000, 12 };
	for (int i = 0; i < 8; i++) {
		ssize_t r;
		for (size_t n = 0; n < sizeof(b); n += r) {	/* a piece may end in between */
			r = pread(fd, b + n, sizeof(b) - n, at[i] + n);
			CHECK(r > 0);
		}
		CHECK(memcmp(b, text + at[i], sizeof(b)) == 0);
	}
	CHECK_EQ(pread(fd, b, sizeof(b), len - 5), 5);
	CHECK_EQ(pread(fd, b, sizeof(b), len), 0);
	CHECK_EQ(pread(fd, b, sizeof(b), len + 100000), 0);
	CHECK_EQ(lseek(fd, 40000, SEEK_SET), 40000);
	CHECK_EQ(read(fd, b, 100), 100);
	CHECK(memcmp(b, text + 40000, 100) == 0);
	CHECK_EQ(read(fd, b, 0), 0);
	CHECK_EQ(read(fd, (void *)1, 100), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(read(fd, b, 100), 100);
	CHECK(memcmp(b, text + 40100, 100) == 0);
	CHECK_EQ(close(fd), 0);
}

TEST(what_changes_behind_is_seen)
{
	char *p = ranges(SOME / 2), b[64];
	int fd = open_file("/proc/self/maps");
	CHECK_EQ(read(fd, b, sizeof(b)), sizeof(b));
	CHECK_EQ(munmap(p + (SOME - 101) * 4096ul, 4096), 0);
	CHECK_EQ(mprotect(p + (SOME - 50) * 4096ul, 50 * 4096ul, PROT_READ), 0);
	size_t len = slurp(fd, 4096);
	memmove(text, strchr(text, '\n') + 1, len - (strchr(text, '\n') + 1 - text) + 1);
	CHECK_EQ(count(p + (SOME - 100) * 4096ul, p + SOME * 4096ul), 51);
	char line[40];
	sprintf(line, "%08lx-", (unsigned long)p + (SOME - 101) * 4096ul);
	CHECK(!strstr(text, line));
	CHECK_EQ(close(fd), 0);
}

TEST(of_one_that_is_gone)
{
	char b[64], name[64];
	int hold[2];
	CHECK_EQ(pipe(hold), 0);
	pid_t pid = fork();
	if (!pid) {
		ranges(SOME / 2);
		read(hold[0], b, 1);
		_exit(0);
	}
	sprintf(name, "/proc/%d/maps", pid);
	int fd = open_file(name);
	CHECK_EQ(read(fd, b, 20), 20);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	/* what was made may still come; then nothing does, or an error */
	ssize_t r;
	int n = 0;
	while ((r = read(fd, b, sizeof(b))) > 0)
		n += r;
	CHECK(n < 20000);
	CHECK(r == 0 || errno == ESRCH);
	CHECK_EQ(close(fd), 0);
}
