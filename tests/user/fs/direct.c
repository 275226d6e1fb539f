/* O_DIRECT and RWF_ flags, on a block device: alignment, agreement with the cache, ends, bad memory, fork. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

#define pwritev2(fd, v, n, off, fl) syscall(SYS_pwritev2, fd, v, n, (long)(off), 0l, fl)
#define preadv2(fd, v, n, off, fl) syscall(SYS_preadv2, fd, v, n, (long)(off), 0l, fl)
enum { RWF_HIPRI = 1, RWF_DSYNC = 2, RWF_SYNC = 4, RWF_NOWAIT = 8, RWF_APPEND = 16 };
#define DEV "/dev/scratch"
#define BLOCK 4096

static char *aligned(size_t n)
{
	char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static int dev(int flags)
{
	int fd = open(DEV, O_RDWR | flags);
	return fd;
}

#define NEED_DEV(fd, flags) int fd = dev(flags); if (fd < 0) { SKIP("no " DEV); return; }

TEST(tmpfs_refuses)
{
	CHECK_ERR(open("d", O_RDWR | O_CREAT | O_DIRECT, 0600), EINVAL);
	CHECK_ERR(open("/dev/null", O_RDWR | O_DIRECT), EINVAL);
	int fd = open("d", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	CHECK_ERR(fcntl(fd, F_SETFL, O_DIRECT), EINVAL);
}

TEST(what_is_written_is_read)
{
	NEED_DEV(fd, O_DIRECT);
	char *a = aligned(1 << 20), *b = aligned(1 << 20);
	for (int i = 0; i < 1 << 20; i++) a[i] = (char)(i * 7 + (i >> 9));
	CHECK(pwrite(fd, a, 1 << 20, 1 << 20) == 1 << 20);
	CHECK(pread(fd, b, 1 << 20, 1 << 20) == 1 << 20);
	CHECK(!memcmp(a, b, 1 << 20));
	int cached = dev(0);
	memset(b, 0, 1 << 20);
	CHECK(pread(cached, b, 1 << 20, 1 << 20) == 1 << 20 && !memcmp(a, b, 1 << 20));
}

TEST(misaligned_is_refused)
{
	NEED_DEV(fd, O_DIRECT);
	char *a = aligned(3 * BLOCK);
	CHECK_ERR(pread(fd, a + 1, 512, 0), EINVAL);
	CHECK_ERR(pread(fd, a, 511, 0), EINVAL);
	CHECK_ERR(pread(fd, a, 512, 1), EINVAL);
	CHECK_ERR(pwrite(fd, a + 3, 512, 0), EINVAL);
	CHECK_ERR(pwrite(fd, a, 100, 0), EINVAL);
	CHECK(pread(fd, a, 0, 0) == 0);
	struct iovec v[2] = { { a, 512 }, { a + BLOCK, 100 } };
	CHECK_ERR(preadv(fd, v, 2, 0), EINVAL);
	CHECK(pread(fd, a + 512, 1024, 512) == 1024);	/* sectors are enough */
}

TEST(agrees_with_the_cache)
{
	NEED_DEV(fd, O_DIRECT);
	int c = dev(0);
	char *a = aligned(4 * BLOCK), *b = aligned(4 * BLOCK);
	memset(a, 'a', 4 * BLOCK);
	CHECK(pwrite(c, a, 4 * BLOCK, 0) == 4 * BLOCK);		/* dirty in the cache */
	CHECK(pread(fd, b, 4 * BLOCK, 0) == 4 * BLOCK && !memcmp(a, b, 4 * BLOCK));
	memset(a, 'b', BLOCK);
	CHECK(pwrite(fd, a, BLOCK, BLOCK) == BLOCK);		/* the cache has an old copy */
	CHECK(pread(c, b, 4 * BLOCK, 0) == 4 * BLOCK);
	CHECK(b[0] == 'a' && b[BLOCK] == 'b' && b[2 * BLOCK - 1] == 'b' && b[2 * BLOCK] == 'a');
	char *m = mmap(0, 4 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, c, 0);
	CHECK(m != MAP_FAILED && m[0] == 'a');
	m[0] = 'c';
	CHECK(pread(fd, b, BLOCK, 0) == BLOCK && b[0] == 'c');
	memset(a, 'd', BLOCK);
	CHECK(pwrite(fd, a, BLOCK, 0) == BLOCK);
	CHECK(m[0] == 'd' && m[BLOCK - 1] == 'd');
}

TEST(end_of_the_device)
{
	NEED_DEV(fd, O_DIRECT);
	off_t end = lseek(fd, 0, SEEK_END);
	char *a = aligned(2 * BLOCK);
	CHECK(pread(fd, a, 2 * BLOCK, end - BLOCK) == BLOCK);
	CHECK(pread(fd, a, BLOCK, end) == 0);
	CHECK(pwrite(fd, a, 2 * BLOCK, end - BLOCK) == BLOCK);
	CHECK_ERR(pwrite(fd, a, BLOCK, end), ENOSPC);
}

TEST(bad_memory)
{
	NEED_DEV(fd, O_DIRECT);
	char *a = aligned(4 * BLOCK);
	CHECK_ERR(pread(fd, (void *)(8ul * BLOCK), BLOCK, 0), EFAULT);
	CHECK(!munmap(a + 2 * BLOCK, BLOCK));
	ssize_t n = pread(fd, a, 4 * BLOCK, 0);
	CHECK((n < 0 && errno == EFAULT) || n == 2 * BLOCK);
	CHECK(!mprotect(a, BLOCK, PROT_READ));
	CHECK_ERR(pread(fd, a, BLOCK, 0), EFAULT);
	CHECK(pwrite(fd, a, BLOCK, 0) == BLOCK);
}

TEST(vectors)
{
	NEED_DEV(fd, O_DIRECT);
	char *a = aligned(64 * BLOCK), *b = aligned(64 * BLOCK);
	struct iovec v[32];
	for (int i = 0; i < 64 * BLOCK; i++) a[i] = (char)(i / 512);
	for (int i = 0; i < 32; i++) v[i] = (struct iovec){ a + i * 2 * BLOCK, i % 3 == 0 ? 512 : 2 * BLOCK };
	size_t total = 0;
	for (int i = 0; i < 32; i++) total += v[i].iov_len;
	CHECK(pwritev(fd, v, 32, BLOCK) == (ssize_t)total);
	CHECK(pread(fd, b, total, BLOCK) == (ssize_t)total);
	for (size_t at = 0, i = 0; i < 32; at += v[i++].iov_len)
		CHECK(!memcmp(b + at, v[i].iov_base, v[i].iov_len));
}

/* What the device writes to a page after fork is the parent's, whoever touches it first. */
TEST(fork_meanwhile)
{
	NEED_DEV(fd, O_DIRECT);
	char *a = aligned(BLOCK), *b = aligned(256 * BLOCK);
	memset(a, 'x', BLOCK);
	for (int i = 0; i < 256; i++) CHECK(pwrite(fd, a, BLOCK, i * BLOCK) == BLOCK);
	for (int round = 0; round < 20; round++) {
		memset(b, 0, 256 * BLOCK);
		pid_t p = fork();
		if (!p) {
			for (int i = 0; i < 20; i++) { pid_t q = fork(); if (!q) _exit(0); waitpid(q, 0, 0); }
			_exit(b[0] != 0 && b[0] != 'x');
		}
		CHECK(pread(fd, b, 256 * BLOCK, 0) == 256 * BLOCK);
		for (int i = 0; i < 256 * BLOCK; i += 512) CHECK(b[i] == 'x');
		int st;
		CHECK(waitpid(p, &st, 0) == p && st == 0);
	}
}

TEST(flags)
{
	NEED_DEV(c, 0);
	char *a = aligned(BLOCK);
	struct iovec v = { a, BLOCK };
	memset(a, 'f', BLOCK);
	CHECK(pwritev2(c, &v, 1, 0, RWF_DSYNC) == BLOCK);
	CHECK(pwritev2(c, &v, 1, 0, RWF_SYNC) == BLOCK);
	CHECK(preadv2(c, &v, 1, 0, RWF_HIPRI) == BLOCK);
	CHECK(preadv2(c, &v, 1, 0, RWF_NOWAIT) == BLOCK);		/* it is in the cache */
	CHECK(!posix_fadvise(c, 32 << 20, 1 << 20, POSIX_FADV_DONTNEED));
	CHECK_ERR(preadv2(c, &v, 1, 32 << 20, RWF_NOWAIT), EAGAIN);
	CHECK_ERR(preadv2(c, &v, 1, 0, 0x4000), EOPNOTSUPP);
	int fd = open("flags", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(pwritev2(fd, &v, 1, 0, 0) == BLOCK);
	CHECK(pwritev2(fd, &v, 1, 0, RWF_APPEND) == BLOCK);
	struct stat st;
	CHECK(!fstat(fd, &st) && st.st_size == 2 * BLOCK);
	int s = open("flags", O_RDWR | O_SYNC);
	CHECK(write(s, a, 100) == 100);
}
