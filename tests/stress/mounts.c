/* mounts: mounted, bound, moved and unmounted by everybody below mounts that share, while others walk; afterwards nothing is left. */
#include "stress.h"
#include <sys/mount.h>

static char where[64];
static const char *const tops[] = { "a", "b", "c", "d", "e" };
#define TOPS 5

static void place(char *to, size_t size, unsigned r)
{
	static const char *const in[] = { "", "/x", "/y", "/x/u", "/y/u", "/x/v", "/y/x", "/x/x" };

	snprintf(to, size, "%s%s", tops[r % TOPS], in[r / TOPS % 8]);
}

/* What mount(2) and umount(2) may say when others do the same. */
static bool expected(void)
{
	return errno == EBUSY || errno == EINVAL || errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ENOSPC || errno == ENOMEM;
}

/* A tmpfs with the places that others mount on. */
static int new_mount(const char *at)
{
	char sub[64];

	if (mount("none", at, "tmpfs", 0, "size=64k") < 0)
		return -1;
	for (const char *const *d = (const char *const[]){ "x", "y", "u", "v", NULL }; *d; d++) {
		snprintf(sub, sizeof(sub), "%s/%s", at, *d);
		if (mkdir(sub, 0755) < 0)
			CHECK(errno == EEXIST || errno == ENOENT);
	}
	return 0;
}

static int count_below(void)
{
	static char text[256 << 10];
	ssize_t got = read_file("/proc/self/mountinfo", text, sizeof(text));
	int n = 0;

	CHECK(got > 0);
	for (char *at = text; (at = strstr(at, where)); at++)
		n++;
	return n;
}

static void changer(int n)
{
	static const unsigned long types[] = { MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_SHARED, MS_UNBINDABLE, MS_SHARED };
	unsigned seed = n + 1;

	while (!over()) {
		unsigned r = random_next(&seed), r2 = random_next(&seed);
		char from[32], to[32];
		int rc = 0;

		place(from, sizeof(from), r >> 8);
		place(to, sizeof(to), r2 >> 8);
		switch (r % 16) {
		case 0: case 1: case 2: rc = new_mount(to); break;
		case 3: case 4: rc = mount(from, to, NULL, MS_BIND, NULL); break;
		case 5: if (count_below() < 60) rc = mount(from, to, NULL, MS_BIND | MS_REC, NULL); break;
		case 6: rc = mount(from, to, NULL, MS_MOVE, NULL); break;
		case 7: rc = mount(NULL, to, NULL, types[r2 % 6] | (r2 >> 4 & 1 ? MS_REC : 0), NULL); break;
		case 8: rc = umount2(to, MNT_DETACH); break;
		default: rc = umount2(to, r % 16 == 15 ? MNT_DETACH : 0); break;
		}
		if (rc < 0)
			CHECK(expected());
		if (count_below() > 120)
			umount2(tops[r2 % TOPS], MNT_DETACH);
		progress();
	}
}

static void looker(int n)
{
	unsigned seed = n + 100;

	while (!over()) {
		char at[32], cwd[300];
		struct stat st;
		int fd;

		place(at, sizeof(at), random_next(&seed) >> 8);
		if (stat(at, &st) < 0)
			CHECK_EQ(errno, ENOENT);
		fd = open(at, O_RDONLY | O_DIRECTORY);
		if (fd >= 0) {
			CHECK(fstat(fd, &st) == 0);
			if (fchdir(fd) == 0) {
				if (!getcwd(cwd, sizeof(cwd)))
					CHECK_EQ(errno, ENOENT);
				CHECK(stat("..", &st) == 0);
				CHECK(chdir(where) == 0);
			}
			close(fd);
		}
		count_below();
		progress();
	}
}

STORM(mounts_that_share)
{
	strcpy(where, "/tmp/storm-XXXXXX");
	CHECK(mkdtemp(where));
	CHECK(mount("none", where, "tmpfs", 0, NULL) == 0 && mount(NULL, where, NULL, MS_PRIVATE, NULL) == 0 && chdir(where) == 0);
	for (int i = 0; i < TOPS; i++)
		CHECK(mkdir(tops[i], 0755) == 0);
	CHECK(new_mount("a") == 0 && mount(NULL, "a", NULL, MS_SHARED, NULL) == 0);
	for (int i = 1; i < TOPS; i++) {
		CHECK(mount("a", tops[i], NULL, MS_BIND, NULL) == 0);
		if (i > 1)
			CHECK(mount(NULL, tops[i], NULL, MS_SLAVE, NULL) == 0);
		if (i > 2)
			CHECK(mount(NULL, tops[i], NULL, MS_SHARED, NULL) == 0);
	}
	pid_t p[6];
	for (int i = 0; i < 4; i++) p[i] = kid(changer, i);
	for (int i = 4; i < 6; i++) p[i] = kid(looker, i);
	for (int i = 0; i < 6; i++) CHECK_EQ(wait_status(p[i]), 0);
	CHECK(chdir("/") == 0);
	CHECK(umount2(where, MNT_DETACH) == 0);
	CHECK_EQ(count_below(), 0);
	CHECK(rmdir(where) == 0);
}
