/* watches: inotify watches added and removed on files that are written, renamed, unlinked and unmounted meanwhile. */
#include "stress.h"
#include <ftw.h>
#include <sys/inotify.h>

#define MAY(call, ...) do { if ((call) < 0) { const int ok[] = { __VA_ARGS__ }; int fine = 0; \
	for (unsigned k_ = 0; k_ < sizeof(ok) / sizeof(ok[0]); k_++) fine |= errno == ok[k_]; \
	if (!fine) printf("# errno %d\n", errno); \
	CHECK(fine); } } while (0)

static char where[64];
static void enter(void)
{
	strcpy(where, "/tmp/storm-XXXXXX");
	CHECK(mkdtemp(where));
	CHECK(chdir(where) == 0 && mkdir("d0", 0755) == 0 && mkdir("d1", 0755) == 0);
}
static int remove_one(const char *p, const struct stat *st, int f, struct FTW *w) { return f == FTW_DP || f == FTW_D ? rmdir(p) : unlink(p); }
static void leave(void)
{
	CHECK(chdir("/tmp") == 0);
	CHECK(nftw(where, remove_one, 32, FTW_DEPTH | FTW_PHYS) == 0);
}

static void name_of(char *to, unsigned r) { sprintf(to, "d%u/f%u", r & 1, (r >> 1) % 6); }

/* Whoever changes the files. */
static void change(int n)
{
	unsigned seed = n + 77;
	while (!over()) {
		char a[32], b[32], c;
		unsigned r = random_next(&seed);
		int f;
		name_of(a, r);
		name_of(b, r >> 8);
		switch ((r >> 16) % 8) {
		case 0: case 1: case 2:
			f = open(a, O_RDWR | O_CREAT, 0644);
			MAY(f, ENOENT, EISDIR);
			if (f < 0) break;
			CHECK_EQ(write(f, "x", 1), 1);
			CHECK(pread(f, &c, 1, 0) == 1 || 1);
			if (r >> 31) MAY(unlink(a), ENOENT, EISDIR);
			close(f);
			break;
		case 3: MAY(unlink(a), ENOENT, EISDIR); break;
		case 4: MAY(rename(a, b), ENOENT, EISDIR, ENOTDIR, ENOTEMPTY); break;
		case 5: MAY(syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2), ENOENT); break;
		case 6: MAY(link(a, b), ENOENT, EEXIST, EPERM); break;
		case 7:
			if (mkdir(a, 0755) == 0) { MAY(chmod(a, 0700), ENOENT); MAY(rmdir(a), ENOENT, ENOTDIR, ENOTEMPTY); }
			break;
		}
		progress();
	}
}

/* All that waits is well formed, and a watch that was ignored says no more. */
static void listen_to(int fd, unsigned char *ended, unsigned size)
{
	static char buf[16384] __attribute__((aligned(8)));
	ssize_t n;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *e = (void *)p;
			CHECK(p + sizeof(*e) + e->len <= buf + n && e->len % sizeof(*e) == 0 && e->len <= 272);
			CHECK(e->mask && (e->wd > 0 || (e->wd == -1 && e->mask == IN_Q_OVERFLOW)));
			CHECK(!e->len || (e->name[0] == 'f' && e->name[1] >= '0' && e->name[1] <= '5' && !e->name[2]));
			if (e->wd > 0) {
				CHECK(!ended[e->wd % size]);
				ended[e->wd % size] = e->mask & IN_IGNORED ? 1 : 0;
			}
			p += sizeof(*e) + e->len;
		}
	CHECK(n < 0 && errno == EAGAIN);
}

static void watch(int n)
{
	enum { SIZE = 1 << 16 };
	static unsigned char ended[SIZE];
	unsigned seed = n + 5;
	while (!over()) {
		int fd = inotify_init1(IN_NONBLOCK), last = 0;
		CHECK(fd >= 0);
		memset(ended, 0, SIZE);
		for (int i = 0; i < 200 && !over(); i++) {
			unsigned r = random_next(&seed), mask = r & 0x80 ? IN_ALL_EVENTS : 1u << (r >> 20) % 12;
			char a[32];
			int wd;
			name_of(a, r);
			if ((r & 0x700) == 0) sprintf(a, "d%u", r & 1);
			wd = inotify_add_watch(fd, a, mask | ((r >> 12) % 4 == 0 ? IN_ONESHOT : 0) | (r & 0x2000 ? IN_EXCL_UNLINK : 0) | (r & 0x4000 ? IN_MASK_ADD : 0));
			MAY(wd, ENOENT);
			if (wd > last) last = wd;
			if ((r >> 15) % 3 == 0 && last) MAY(inotify_rm_watch(fd, 1 + random_next(&seed) % last), EINVAL);
			if ((r >> 17) % 8 == 0) listen_to(fd, ended, SIZE);
			progress();
		}
		close(fd);
	}
}
static void changers_and_watchers(int n) { n & 1 ? watch(n) : change(n); }
STORM(files_change_while_watches_come_and_go)
{
	enter();
	crowd(changers_and_watchers, 8);
	leave();
}

/* File systems come and go under their watches: the super waits for the last of them, and nothing of it is touched after. */
static void mounter(int n)
{
	char dir[16], a[32];
	sprintf(dir, "m%d", n / 2 % 2);
	mkdir(dir, 0755);
	while (!over()) {
		if (mount("none", dir, "tmpfs", 0, "nr_inodes=40") < 0) { CHECK(errno == EBUSY || errno == EINVAL); continue; }	/* onto one that another takes off */
		for (int i = 0; i < 20; i++) {
			sprintf(a, "%s/f%d", dir, i % 6);
			int f = open(a, O_RDWR | O_CREAT, 0644);
			if (f >= 0) { CHECK_EQ(write(f, "x", 1), 1); close(f); }
			if (i % 5 == 4) MAY(unlink(a), ENOENT);
			progress();
		}
		if (umount2(dir, MNT_DETACH) < 0) CHECK_EQ(errno, EINVAL);
	}
	while (umount2(dir, MNT_DETACH) == 0) ;
}
static void mount_watcher(int n)
{
	enum { SIZE = 1 << 16 };
	static unsigned char ended[SIZE];
	unsigned seed = n + 9;
	while (!over()) {
		int fd = inotify_init1(IN_NONBLOCK), last = 0;
		CHECK(fd >= 0);
		memset(ended, 0, SIZE);
		for (int i = 0; i < 100 && !over(); i++) {
			unsigned r = random_next(&seed);
			char a[32];
			sprintf(a, r & 8 ? "m%u/f%u" : "m%u", r & 1, (r >> 8) % 6);
			int wd = inotify_add_watch(fd, a, IN_ALL_EVENTS | (r & 0x30 ? 0 : IN_ONESHOT));
			MAY(wd, ENOENT);
			if (wd > last) last = wd;
			if ((r >> 15) % 4 == 0 && last) MAY(inotify_rm_watch(fd, 1 + random_next(&seed) % last), EINVAL);
			if ((r >> 17) % 8 == 0) listen_to(fd, ended, SIZE);
			progress();
		}
		close(fd);
	}
}
static void mounters_and_watchers(int n) { n & 1 ? mount_watcher(n) : mounter(n); }
STORM(file_systems_go_while_watched)
{
	enter();
	crowd(mounters_and_watchers, 8);
	leave();
}
