/* How many requests the disk gets for what programs do to files: neighbours go together.  /disk is ext2 on /dev/vda. */
#include "../tap.h"

struct count { unsigned long reads, writes; };

static struct count requests(void)
{
	struct count c = { 0 };
	char line[256];
	FILE *f = fopen("/proc/diskstats", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*u %*u vda %lu %*u %*u %*u %lu", &c.reads, &c.writes) == 2)
			break;
	fclose(f);
	return c;
}

static void at_most(struct count since, unsigned long reads, unsigned long writes)
{
	struct count c = requests();
	printf("# %lu reads, %lu writes\n", c.reads - since.reads, c.writes - since.writes);
	CHECK(c.reads - since.reads <= reads);
	CHECK(c.writes - since.writes <= writes);
}

static struct count begin(void)
{
	struct statfs fs;
	if (statfs("/disk", &fs) < 0 || fs.f_type != 0xef53)
		SKIP("no ext2 at /disk");
	CHECK((mkdir("/disk/requests", 0755) == 0 || errno == EEXIST) && chdir("/disk/requests") == 0);
	sync();
	return requests();
}

static char buffer[256 << 10];

TEST(small_files_are_written_together)
{
	struct count c = begin();
	char name[32];
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "small-%d", i);
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
		CHECK(fd >= 0 && write(fd, buffer, 1000) == 1000);
		close(fd);
	}
	sync();
	at_most(c, 60, 100);
	c = requests();
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "small-%d", i);
		CHECK(unlink(name) == 0);
	}
	sync();
	at_most(c, 20, 40);
}

TEST(a_large_file_goes_in_large_requests)
{
	struct count c = begin();
	int fd = open("large", O_RDWR | O_CREAT | O_TRUNC, 0644);
	CHECK(fd >= 0);
	for (int i = 0; i < 32; i++)
		CHECK(write(fd, buffer, sizeof(buffer)) == sizeof(buffer));
	CHECK(fsync(fd) == 0);
	at_most(c, 20, 100);		/* blocks of 1 KiB have a table every 256 KiB */
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	c = requests();
	for (int i = 0; i < 32; i++)
		CHECK(read(fd, buffer, sizeof(buffer)) == sizeof(buffer));
	at_most(c, 60, 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	c = requests();
	for (int i = 0; i < 2048; i++)
		CHECK(read(fd, buffer, 4096) == 4096);
	at_most(c, 120, 0);
	unlink("large");
}

TEST(what_is_written_over_is_not_read)
{
	begin();
	int fd = open("over", O_RDWR | O_CREAT | O_TRUNC, 0644);
	CHECK(fd >= 0);
	for (int i = 0; i < 8; i++)
		CHECK(write(fd, buffer, sizeof(buffer)) == sizeof(buffer));
	CHECK(fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	struct count c = requests();
	for (int i = 0; i < 256; i++)
		CHECK(pwrite(fd, buffer, 4096, (i * 37 % 512) * 4096l) == 4096);
	CHECK(fsync(fd) == 0);
	at_most(c, 10, 300);
	unlink("over");
}
