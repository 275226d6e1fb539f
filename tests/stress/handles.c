/* handles: files and directories opened by number while others make, move and remove them and the names are forgotten; dnotify asked for on the way. */
#include "stress.h"
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>

struct fh { unsigned bytes; int type; unsigned words[32]; };

static char where[64];
static int remove_one(const char *p, const struct stat *st, int f, struct FTW *w) { return f == FTW_DP || f == FTW_D ? rmdir(p) : unlink(p); }

/* Names up to four deep, of few letters, so that those who change meet. */
static void name_of(char *to, unsigned r)
{
	int n = 0, depth = 1 + (r & 3);

	for (int k = 0; k < depth; k++)
		n += sprintf(to + n, "%s%c", k ? "/" : "", 'a' + (int)(r >> (4 + 2 * k) & 3));
}

static void change(int n)
{
	unsigned seed = (unsigned)n + 13;

	while (!over()) {
		unsigned r = random_next(&seed), q = random_next(&seed);
		char a[32], b[32];
		int fd;

		name_of(a, r);
		name_of(b, (q & ~3u) | (r & 3));	/* as deep: or all ends in one long chain */
		switch (q >> 20 & 7) {
		case 0: case 1: case 2:
			mkdir(a, 0755);
			break;
		case 3:
			if (rmdir(a))
				unlink(a);
			break;
		case 4: case 5:
			rename(a, b);
			break;
		default:
			fd = open(a, O_CREAT | O_WRONLY, 0644);
			if (fd >= 0)
				close(fd);
		}
		progress();
	}
}

static void forget(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd >= 0) {
		CHECK_EQ(write(fd, "2", 1), 1);
		close(fd);
	}
}

static void by_number(int n)
{
	enum { KEPT = 16 };
	struct { struct fh h; ino_t ino; } kept[KEPT] = { 0 };
	unsigned seed = (unsigned)n + 99;

	signal(SIGIO, SIG_IGN);
	while (!over()) {
		unsigned r = random_next(&seed), k = r >> 8 & (KEPT - 1);
		struct fh h = { .bytes = 128 };
		struct stat st, up;
		char a[32];
		int fd, id;

		name_of(a, r >> 12);
		fd = open(a, O_PATH | O_NOFOLLOW);
		if (fd >= 0) {
			CHECK_EQ(fstat(fd, &st), 0);
			CHECK_EQ(syscall(SYS_name_to_handle_at, fd, "", &h, &id, AT_EMPTY_PATH), 0);
			kept[k].h = h;
			kept[k].ino = st.st_ino;
			close(fd);
		}
		if ((r & 63) == 0)
			forget();
		k = random_next(&seed) & (KEPT - 1);
		if (!kept[k].ino)
			continue;
		fd = (int)syscall(SYS_open_by_handle_at, AT_FDCWD, &kept[k].h, O_RDONLY);
		CHECK(fd >= 0 || errno == ESTALE);
		progress();
		if (fd < 0)
			continue;
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_ino, kept[k].ino);
		if (S_ISDIR(st.st_mode)) {
			CHECK(fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE | DN_RENAME | (r & 1 ? DN_MULTISHOT : 0)) == 0);
			CHECK(fstatat(fd, "..", &up, 0) == 0 || errno == ENOENT);
			fcntl(fd, F_SETOWN, getpid());
		}
		close(fd);
	}
}

static void both(int n) { n & 1 ? by_number(n) : change(n); }
STORM(files_are_opened_by_number)
{
	strcpy(where, "/tmp/storm-XXXXXX");
	CHECK(mkdtemp(where) && chdir(where) == 0);
	crowd(both, 8);
	CHECK(chdir("/tmp") == 0);
	CHECK(nftw(where, remove_one, 32, FTW_DEPTH | FTW_PHYS) == 0);
}
