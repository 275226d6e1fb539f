/* memfd_create and seals: what a file of memory refuses once it is sealed, and that a seal, once there, holds against those already on their way. */
#include "tap.h"
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <pthread.h>

#define PAGE 4096l
#define RW (PROT_READ | PROT_WRITE)
#define ROUNDS 60

static int make(const char *name, unsigned flags) { return (int)syscall(SYS_memfd_create, name, flags); }

/* One of four pages, which may be sealed. */
static int four_pages(void)
{
	int fd = make("pages", MFD_ALLOW_SEALING);
	CHECK(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0);
	return fd;
}

static int again(int fd, int flags)
{
	char path[64];
	sprintf(path, "/proc/self/fd/%d", fd);
	return open(path, flags);
}

TEST(names_and_flags)
{
	char name[252], link[300], path[64];
	memset(name, 'n', sizeof(name));
	name[250] = 0;
	CHECK_ERR(make(name, 0), EINVAL);
	name[249] = 0;
	int fd = make(name, MFD_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	CHECK_ERR(make("x", 0x8000), EINVAL);
	CHECK_ERR(make((void *)8, 0), EFAULT);
	fd = make("a name/with a slash", 0);
	sprintf(path, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	CHECK(n > 0);
	link[n] = 0;
	CHECK(!strcmp(link, "/memfd:a name/with a slash (deleted)"));
	struct stat st;
	CHECK(fstat(fd, &st) == 0 && st.st_size == 0 && st.st_nlink == 0 && S_ISREG(st.st_mode));
	CHECK_EQ(st.st_mode & 07777, 0777);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
}

TEST(nothing_written_takes_nothing)
{
	int fd = make("empty", 0);
	struct iovec v[2] = { { (void *)8, 0 }, { (void *)8, PAGE } };
	struct stat st;
	CHECK_ERR(write(fd, (void *)8, PAGE), EFAULT);
	CHECK_ERR(writev(fd, v, 2), EFAULT);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 0);
	CHECK_EQ(st.st_blocks, 0);
}

TEST(sealed_against_seals_unless_asked)
{
	int fd = make("x", 0);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	CHECK_EQ(write(fd, "free", 4), 4);
}

TEST(who_may_add_which)
{
	int fd = four_pages(), p[2];
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, 0x10000), EINVAL);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, 0), 0);
	int ro = again(fd, O_RDONLY);
	CHECK(ro >= 0);
	CHECK_ERR(fcntl(ro, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	CHECK_EQ(fcntl(ro, F_GET_SEALS), F_SEAL_GROW);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL), 0);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, 0), EPERM);
	CHECK(pipe(p) == 0);
	CHECK_ERR(fcntl(p[1], F_GET_SEALS), EINVAL);
	CHECK_ERR(fcntl(p[1], F_ADD_SEALS, F_SEAL_SEAL), EINVAL);
}

TEST(shrink)
{
	int fd = four_pages();
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	CHECK_ERR(ftruncate(fd, 4 * PAGE - 1), EPERM);
	CHECK_EQ(ftruncate(fd, 4 * PAGE), 0);
	CHECK_EQ(ftruncate(fd, 5 * PAGE), 0);
	CHECK_ERR(again(fd, O_RDWR | O_TRUNC), EPERM);
	CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), 0);
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
}

TEST(grow)
{
	int fd = four_pages(), at_end = again(fd, O_RDWR | O_APPEND);
	static char two[2 * PAGE];
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	CHECK_ERR(ftruncate(fd, 4 * PAGE + 1), EPERM);
	CHECK_ERR(pwrite(fd, "x", 1, 4 * PAGE), EPERM);
	CHECK_ERR(write(at_end, "x", 1), EPERM);
	CHECK_ERR(fallocate(fd, 0, 3 * PAGE, PAGE + 1), EPERM);
	CHECK_EQ(fallocate(fd, 0, 3 * PAGE, PAGE), 0);
	CHECK_EQ(pwrite(fd, two, sizeof(two), 3 * PAGE), PAGE);		/* as far as it goes */
	CHECK_EQ(pwrite(fd, "x", 1, 4 * PAGE - 1), 1);
	CHECK_EQ(ftruncate(fd, PAGE), 0);
	CHECK_ERR(ftruncate(fd, 2 * PAGE), EPERM);
}

TEST(write)
{
	int fd = four_pages(), ro = again(fd, O_RDONLY);
	char c = 0;
	CHECK_EQ(pwrite(fd, "kept", 4, 0), 4);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), EPERM);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
	char *mine = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0), *seen = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	CHECK(mine != MAP_FAILED && seen != MAP_FAILED);
	mine[0] = 'm';
	CHECK(!memcmp(seen, "kept", 4));
	CHECK_ERR(mprotect(seen, PAGE, RW), EACCES);
	seen = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(seen != MAP_FAILED);
	CHECK_ERR(mprotect(seen, PAGE, RW), EACCES);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'k');
	CHECK_EQ(ftruncate(fd, 5 * PAGE), 0);		/* sizes have seals of their own */
	CHECK_EQ(ftruncate(fd, PAGE), 0);
	CHECK_EQ(fallocate(fd, 0, 0, 2 * PAGE), 0);
}

TEST(write_waits_for_mappings_to_go)
{
	int fd = four_pages(), ready[2], go[2];
	char *m = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0), c = 0;
	CHECK(m != MAP_FAILED && pipe(ready) == 0 && pipe(go) == 0);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK_EQ(write(ready[1], &c, 1), 1);
		CHECK_EQ(read(go[0], &c, 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(munmap(m, 2 * PAGE), 0);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);		/* the child's */
	CHECK_EQ(write(go[1], &c, 1), 1);
	CHECK(EXITED(wait_status(pid), 0));
	m = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);		/* could be made writable */
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_EQ(munmap(m + PAGE, PAGE), 0);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_EQ(munmap(m, 4 * PAGE), 0);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
}

TEST(future_write)
{
	int fd = four_pages();
	char *m = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), c = 0;
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	m[0] = 'm';
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'm');
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
	char *seen = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(seen != MAP_FAILED && seen[0] == 'm');
	CHECK_ERR(mprotect(seen, PAGE, RW), EACCES);
	CHECK(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), EPERM);
}

/* What was mapped before the seal moves, grows and stays writable. */
TEST(future_write_lets_mappings_move)
{
	int fd = four_pages();
	char *m = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), *room = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), c = 0;
	CHECK(m != MAP_FAILED && room != MAP_FAILED);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	m[0] = 'a';
	char *to = mremap(m, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + PAGE);
	CHECK(to == room + PAGE && to[0] == 'a');
	to[1] = 'b';
	to[PAGE] = 'c';
	CHECK(pread(fd, &c, 1, 1) == 1 && c == 'b');
	CHECK(pread(fd, &c, 1, PAGE) == 1 && c == 'c');
	CHECK_EQ(mprotect(to, PAGE, PROT_READ), 0);
	CHECK_EQ(mprotect(to, PAGE, RW), 0);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_EQ(munmap(to, 2 * PAGE), 0);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
}

/* --- against those on their way --- */
static int sealed_fd;

static void *writes(void *arg)
{
	unsigned long v = (unsigned long)arg;
	while (pwrite(sealed_fd, &v, sizeof(v), (long)(v % 512) * 8) == sizeof(v))
		v += 2;
	CHECK_EQ(errno, EPERM);
	return NULL;
}

static void *maps(void *arg)
{
	unsigned long v = (unsigned long)arg;
	volatile unsigned long *m;
	while ((m = mmap(NULL, PAGE, RW, MAP_SHARED, sealed_fd, PAGE)) != MAP_FAILED) {
		for (int i = 0; i < 8; i++)
			m[v % 512] = v, v++;
		munmap((void *)m, PAGE);
	}
	CHECK_EQ(errno, EPERM);
	return NULL;
}

static void *punches(void *arg)
{
	(void)arg;
	while (fallocate(sealed_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE, PAGE) == 0)
		;
	CHECK_EQ(errno, EPERM);
	return NULL;
}

TEST(what_is_sealed_does_not_change)
{
	static char before[4 * PAGE], after[4 * PAGE];
	for (int round = 0; round < ROUNDS; round++) {
		pthread_t t[3];
		sealed_fd = four_pages();
		memset(before, 'b', PAGE);
		CHECK_EQ(pwrite(sealed_fd, before, PAGE, 2 * PAGE), PAGE);
		CHECK(!pthread_create(&t[0], NULL, writes, (void *)1) && !pthread_create(&t[1], NULL, maps, (void *)2) && !pthread_create(&t[2], NULL, punches, NULL));
		for (int i = 0; i < round % 8; i++)
			sched_yield();
		while (fcntl(sealed_fd, F_ADD_SEALS, F_SEAL_WRITE))
			CHECK_EQ(errno, EBUSY);
		CHECK_EQ(pread(sealed_fd, before, sizeof(before), 0), sizeof(before));
		for (int i = 0; i < 3; i++)
			pthread_join(t[i], NULL);
		CHECK_EQ(pread(sealed_fd, after, sizeof(after), 0), sizeof(after));
		CHECK(!memcmp(before, after, sizeof(before)));
		close(sealed_fd);
	}
}

