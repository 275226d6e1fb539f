/* Shared and file mappings, one cache for read, write and mmap. */
#include "tap.h"

#define RW (PROT_READ | PROT_WRITE)

TEST(shared_anonymous_across_fork)
{
	int *m = mmap(NULL, 8192, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	if (pid == 0) {
		m[0] = 11;
		m[1024] = 22;
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(m[0] == 11 && m[1024] == 22);
}

TEST(file_mapping_and_write_agree)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK(ftruncate(fd, 10000) == 0);
	char *m = mmap(NULL, 12288, RW, MAP_SHARED, fd, 0);
	CHECK_EQ(pwrite(fd, "by write", 8, 5000), 8);
	CHECK(memcmp(m + 5000, "by write", 8) == 0);
	memcpy(m + 100, "by map", 6);
	char b[8] = "";
	CHECK_EQ(pread(fd, b, 6, 100), 6);
	CHECK(memcmp(b, "by map", 6) == 0);
	CHECK(msync(m, 12288, MS_SYNC) == 0);
	close(fd);
	m[200] = 'z';	/* the mapping keeps the file */
	fd = open("f", O_RDONLY);
	CHECK_EQ(pread(fd, b, 1, 200), 1);
	CHECK_EQ(b[0], 'z');
}

TEST(private_mapping_keeps_its_writes)
{
	scratch();
	write_file("f", "original");
	int fd = open("f", O_RDWR);
	char *m = mmap(NULL, 4096, RW, MAP_PRIVATE, fd, 0);
	memcpy(m, "changed!", 8);
	char b[16] = "";
	CHECK_EQ(pread(fd, b, 8, 0), 8);
	CHECK(!strcmp(b, "original"));
	char *n = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(!strcmp(n, "original"));
	CHECK_EQ(pwrite(fd, "ORIGINAL", 8, 0), 8);
	CHECK(!memcmp(m, "changed!", 8) && !memcmp(n, "ORIGINAL", 8));
}

TEST(tail_beyond_end_is_zero)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	char junk[4096];
	memset(junk, 0xee, sizeof(junk));
	CHECK_EQ(write(fd, junk, 4096), 4096);
	CHECK(ftruncate(fd, 10) == 0);
	char *m = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);
	for (int i = 10; i < 4096; i++)
		CHECK(m[i] == 0);
	CHECK(ftruncate(fd, 4096) == 0);
	char b[4096];
	CHECK_EQ(pread(fd, b, 4096, 0), 4096);
	for (int i = 10; i < 4096; i++)
		CHECK(b[i] == 0);
}

TEST(truncate_unmaps_pages)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK(ftruncate(fd, 8192) == 0);
	char *m = mmap(NULL, 8192, RW, MAP_SHARED, fd, 0);
	m[4096] = 1;
	pid_t pid = fork();
	if (pid == 0) {
		if (ftruncate(fd, 4096)) _exit(1);
		m[4096] = 2;
		_exit(2);
	}
	CHECK(KILLED(wait_status(pid), SIGBUS));
	CHECK(ftruncate(fd, 8192) == 0);
	CHECK_EQ(m[4096], 0);
}

TEST(unlinked_file_lives_while_mapped)
{
	scratch();
	write_file("f", "still here");
	int fd = open("f", O_RDONLY);
	char *m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	unlink("f");
	CHECK(!strcmp(m, "still here"));
}

TEST(memfd)
{
	int fd = syscall(SYS_memfd_create, "x", 1);
	CHECK(fd >= 0);
	CHECK(ftruncate(fd, 4096) == 0);
	char *a = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);
	char *b = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	a[5] = 6;
	CHECK_EQ(b[5], 6);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(mapping_between_offsets)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	for (int i = 0; i < 16; i++) {
		char page[4096];
		memset(page, i + 1, sizeof(page));
		CHECK_EQ(write(fd, page, 4096), 4096);
	}
	char *m = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE, fd, 5 * 4096);
	CHECK(m[0] == 6 && m[4096] == 7 && m[2 * 4096] == 8);
	CHECK(munmap(m, 4096) == 0);
	CHECK(m[4096] == 7);
	char *r = mremap(m + 4096, 8192, 4 * 4096, MREMAP_MAYMOVE);
	CHECK(r[0] == 7 && r[3 * 4096] == 10);
}

TEST(write_only_file_cannot_be_mapped)
{
	scratch();
	int fd = open("f", O_WRONLY | O_CREAT, 0600);
	CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EACCES);
	int ro = open("f", O_RDONLY);
	char *m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, ro, 0);
	CHECK(m != MAP_FAILED);
	CHECK_ERR(mprotect(m, 4096, RW), EACCES);
}

TEST(dev_zero_maps)
{
	int fd = open("/dev/zero", O_RDWR);
	char *m = mmap(NULL, 8192, RW, MAP_PRIVATE, fd, 0);
	CHECK(m != MAP_FAILED && m[0] == 0);
	m[4096] = 1;
	char *s = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);
	CHECK(s != MAP_FAILED && s[0] == 0);
}
