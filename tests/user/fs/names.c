/* A directory of thousands of names: what is there is found, what is not is not, whether or not the names are still remembered. */
#include "../tap.h"
#include <dirent.h>

#define NAMES 3000

static unsigned long state = 88172645463325252ul;
static bool in[NAMES];
static int nr;

static unsigned draw(unsigned below)
{
	state ^= state << 13; state ^= state >> 7; state ^= state << 17;
	return (unsigned)(state % below);
}

/* Some alike at the beginning, some at the end; of 5 to 60 bytes. */
static const char *name_of(unsigned n)
{
	static char name[96];
	if (n % 3)
		snprintf(name, sizeof(name), "name-%0*u", n % 50 + 1, n);
	else
		snprintf(name, sizeof(name), "%u-%0*d", n, n % 40 + 1, 7);
	return name;
}

static void forget(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "2\n", 2) == 2);
	close(fd);
}

static void look_at_all(void)
{
	struct dirent *e;
	struct stat st;
	int seen = 0;
	for (unsigned n = 0; n < NAMES; n++) {
		int r = stat(name_of(n), &st);
		CHECK(in[n] ? r == 0 : r == -1 && errno == ENOENT);
	}
	DIR *d = opendir(".");
	CHECK(d);
	while ((e = readdir(d)))
		seen += e->d_name[0] != '.';
	closedir(d);
	CHECK_EQ(seen, nr);
}

static void change(void)
{
	unsigned n = draw(NAMES), to = draw(NAMES);
	char old[96];
	if (!in[n]) {
		CHECK(link("../names.file", name_of(n)) == 0);
		CHECK_ERR(link("../names.file", name_of(n)), EEXIST);
		nr++;
		in[n] = true;
	} else if (!in[to] && draw(3) == 0) {
		strcpy(old, name_of(n));
		CHECK(rename(old, name_of(to)) == 0);
		in[n] = false;
		in[to] = true;
	} else {
		CHECK(unlink(name_of(n)) == 0);
		CHECK_ERR(unlink(name_of(n)), ENOENT);
		in[n] = false;
		nr--;
	}
}

TEST(names_come_and_go)
{
	CHECK(mkdir("names.d", 0755) == 0);
	int fd = open("names.file", O_CREAT | O_RDWR, 0644);
	CHECK(fd >= 0 && chdir("names.d") == 0);
	for (unsigned n = 0; n < NAMES; n += 2) {
		CHECK(link("../names.file", name_of(n)) == 0);
		in[n] = true;
		nr++;
	}
	for (int turn = 0; turn < 6000; turn++) {
		change();
		if (turn % 1000 == 0)
			look_at_all();
		if (turn % 1500 == 0) {
			forget();
			look_at_all();
		}
	}
	for (unsigned n = 0; n < NAMES; n++)
		if (in[n])
			CHECK(unlink(name_of(n)) == 0);
	CHECK(chdir("..") == 0 && rmdir("names.d") == 0 && unlink("names.file") == 0);
}

TEST(empty_again_and_filled_again)
{
	CHECK(mkdir("names.d", 0755) == 0 && chdir("names.d") == 0);
	for (int round = 0; round < 3; round++) {
		for (unsigned n = 0; n < 600; n++)
			CHECK(symlink("nowhere", name_of(n)) == 0);
		CHECK_ERR(rmdir("../names.d"), ENOTEMPTY);
		forget();
		for (unsigned n = 600; n-- > 0;)
			CHECK(unlink(name_of(n)) == 0);
		CHECK_ERR(unlink(name_of(5)), ENOENT);
	}
	CHECK(chdir("..") == 0 && rmdir("names.d") == 0);
}
