/* mlock, mlock2, mlockall: limits, what is resident afterwards, what they refuse. */
#include "../tap.h"

#define PAGE 4096L
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

static char *pages(long n)
{
	char *p = mmap(NULL, (size_t)(n * PAGE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static long resident(char *p, long n)
{
	unsigned char vec[64];
	long in = 0;

	CHECK_EQ(mincore(p, (size_t)(n * PAGE), vec), 0);
	for (long i = 0; i < n; i++)
		in += vec[i] & 1;
	return in;
}

static long locked_kb(void)
{
	char line[256];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "VmLck: %ld", &kb);
	fclose(f);
	return kb;
}

static void ordinary_user(long limit_pages)
{
	struct rlimit r = { (rlim_t)(limit_pages * PAGE), (rlim_t)(limit_pages * PAGE) };

	CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &r), 0);
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
}

TEST(locked_is_resident)
{
	char *p = pages(8);

	CHECK_EQ(resident(p, 8), 0);
	CHECK_EQ(mlock(p + 100, (size_t)PAGE), 0);
	CHECK_EQ(resident(p, 8), 2);
	CHECK_EQ(locked_kb(), 8);
	CHECK_EQ(munlock(p, (size_t)(8 * PAGE)), 0);
	CHECK_EQ(locked_kb(), 0);
}

TEST(locked_when_touched)
{
	char *p = pages(8);

	CHECK_EQ(syscall(SYS_mlock2, p, 8 * PAGE, MLOCK_ONFAULT), 0);
	CHECK_EQ(resident(p, 8), 0);
	CHECK_EQ(locked_kb(), 32);
	p[PAGE] = 1;
	CHECK_EQ(resident(p, 8), 1);
	CHECK(syscall(SYS_mlock2, p, PAGE, 2) == -1 && errno == EINVAL);
}

TEST(the_limit)
{
	char *p = pages(8);

	ordinary_user(4);
	CHECK_EQ(mlock(p, (size_t)(4 * PAGE)), 0);
	CHECK_EQ(mlock(p, (size_t)(4 * PAGE)), 0);		/* the same ones again */
	CHECK_EQ(mlock(p + 2 * PAGE, (size_t)(2 * PAGE)), 0);
	CHECK(mlock(p + 2 * PAGE, (size_t)(3 * PAGE)) == -1 && errno == ENOMEM);
	CHECK_EQ(munlock(p, (size_t)PAGE), 0);
	CHECK_EQ(mlock(p + 2 * PAGE, (size_t)(3 * PAGE)), 0);
}

TEST(no_limit_no_right)
{
	char *p = pages(1);

	ordinary_user(0);
	CHECK(mlock(p, (size_t)PAGE) == -1 && errno == EPERM);
	CHECK(mlockall(MCL_CURRENT) == -1 && errno == EPERM);
	CHECK_EQ(munlock(p, (size_t)PAGE), 0);
	CHECK_EQ(munlockall(), 0);
}

TEST(all_that_is_there)
{
	char *p = pages(8);

	CHECK_EQ(mlockall(MCL_CURRENT), 0);
	CHECK_EQ(resident(p, 8), 8);
	CHECK(locked_kb() >= 32);
	CHECK_EQ(munlockall(), 0);
	CHECK_EQ(locked_kb(), 0);
	CHECK(mlockall(0) == -1 && errno == EINVAL);
	CHECK(mlockall(8) == -1 && errno == EINVAL);
	CHECK(mlockall(MCL_ONFAULT) == -1 && errno == EINVAL);
}

TEST(all_that_comes)
{
	char *p;

	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	p = pages(8);
	CHECK_EQ(resident(p, 8), 8);
	CHECK_EQ(munlockall(), 0);
	p = pages(8);
	CHECK_EQ(resident(p, 8), 0);
}

TEST(gaps)
{
	char *p = pages(3);

	CHECK_EQ(munmap(p + PAGE, (size_t)PAGE), 0);
	CHECK(mlock(p, (size_t)(3 * PAGE)) == -1 && errno == ENOMEM);
	CHECK(munlock(p, (size_t)(3 * PAGE)) == -1 && errno == ENOMEM);
}

TEST(unmapping_gives_back)
{
	char *p = pages(8);

	CHECK_EQ(mlock(p, (size_t)(8 * PAGE)), 0);
	CHECK_EQ(munmap(p + 2 * PAGE, (size_t)(3 * PAGE)), 0);
	CHECK_EQ(locked_kb(), 20);
	CHECK_EQ(munmap(p, (size_t)(8 * PAGE)), 0);
	CHECK_EQ(locked_kb(), 0);
	p = pages(8);
	CHECK_EQ(mlock(p + 2 * PAGE, (size_t)(4 * PAGE)), 0);
	CHECK(mmap(p, (size_t)(4 * PAGE), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	CHECK_EQ(locked_kb(), 8);
	CHECK_EQ(mprotect(p + 4 * PAGE, (size_t)PAGE, PROT_READ), 0);
	CHECK_EQ(locked_kb(), 8);
	CHECK_EQ(munlock(p + 5 * PAGE, (size_t)PAGE), 0);
	CHECK_EQ(locked_kb(), 4);
}

TEST(moving_and_growing)
{
	char *p = pages(16), *q;

	CHECK_EQ(munmap(p + 8 * PAGE, (size_t)(8 * PAGE)), 0);
	CHECK_EQ(mlock(p, (size_t)(4 * PAGE)), 0);
	q = mremap(p, (size_t)(4 * PAGE), (size_t)(2 * PAGE), 0);
	CHECK(q == p);
	CHECK_EQ(locked_kb(), 8);
	CHECK_EQ(munmap(p + 4 * PAGE, (size_t)(4 * PAGE)), 0);
	q = mremap(p, (size_t)(2 * PAGE), (size_t)(6 * PAGE), MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	CHECK_EQ(locked_kb(), 24);
	CHECK_EQ(resident(q, 6), 6);		/* what is new is there, too */
	p = mremap(q, (size_t)(6 * PAGE), (size_t)(6 * PAGE), MREMAP_MAYMOVE | MREMAP_FIXED, q + 64 * PAGE);
	CHECK(p == q + 64 * PAGE);
	CHECK_EQ(locked_kb(), 24);
	CHECK_EQ(munmap(p, (size_t)(6 * PAGE)), 0);
	CHECK_EQ(locked_kb(), 0);
}

TEST(growing_to_the_limit)
{
	char *p = pages(4), *end;

	ordinary_user(6);
	CHECK_EQ(mlock(p, (size_t)(4 * PAGE)), 0);
	CHECK(mremap(p, (size_t)(4 * PAGE), (size_t)(7 * PAGE), MREMAP_MAYMOVE) == MAP_FAILED && errno == EAGAIN);
	p = mremap(p, (size_t)(4 * PAGE), (size_t)(6 * PAGE), MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED);
	CHECK(mmap(NULL, (size_t)PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) == MAP_FAILED && errno == EAGAIN);
	CHECK_EQ(munmap(p, (size_t)(6 * PAGE)), 0);
	p = mmap(NULL, (size_t)(6 * PAGE), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(resident(p, 6), 6);
	CHECK_EQ(munmap(p, (size_t)(6 * PAGE)), 0);
	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	end = sbrk(0);
	CHECK(sbrk(7 * PAGE) == (void *)-1 || syscall(SYS_brk, end + 7 * PAGE) == (long)end);
	CHECK(mmap(NULL, (size_t)(7 * PAGE), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EAGAIN);
}

TEST(a_child_has_none_locked)
{
	char *p = pages(8);

	CHECK_EQ(mlock(p, (size_t)(8 * PAGE)), 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK_EQ(locked_kb(), 0);
		CHECK_EQ(munmap(p, (size_t)(4 * PAGE)), 0);
		CHECK_EQ(locked_kb(), 0);
		CHECK_EQ(mlock(p + 4 * PAGE, (size_t)(4 * PAGE)), 0);
		CHECK_EQ(locked_kb(), 16);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(locked_kb(), 32);
}

TEST(locked_is_not_to_be_invalidated)
{
	char *p = pages(4);

	CHECK_EQ(msync(p, (size_t)(4 * PAGE), MS_INVALIDATE), 0);
	CHECK_EQ(mlock(p + PAGE, (size_t)PAGE), 0);
	CHECK(msync(p, (size_t)(4 * PAGE), MS_INVALIDATE) == -1 && errno == EBUSY);
	CHECK(msync(p, (size_t)(4 * PAGE), MS_SYNC | MS_INVALIDATE) == -1 && errno == EBUSY);
	CHECK_EQ(msync(p, (size_t)PAGE, MS_INVALIDATE), 0);
	CHECK_EQ(msync(p, (size_t)(4 * PAGE), MS_SYNC), 0);
	CHECK_EQ(munlock(p, (size_t)(4 * PAGE)), 0);
	CHECK_EQ(msync(p, (size_t)(4 * PAGE), MS_INVALIDATE), 0);
}
