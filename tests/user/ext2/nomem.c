/* No memory at each step of each operation on a volume: the N-th allocation fails, for N = 1, 2, ... until the call makes fewer.  It answers ENOMEM, or
 * goes on without; the volume is whole afterwards, to the last free block and inode.  Debug builds only (/proc/self/fail-nth). */
#define TAP_TIMEOUT 200
#include "ext2.h"
#include <sys/xattr.h>

#define MOST 600

static int fail = -1, fd;
static char buffer[300000];

static void number(int n) { char t[16]; int len = snprintf(t, sizeof(t), "%d", n); CHECK_EQ(write(fail, t, (size_t)len), len); }
/* After number(0): has it failed? */
static bool fired(void) { char t[16] = ""; CHECK(pread(fail, t, 15, 0) > 0); return atoi(t) == 0; }
static void drop_caches(void)
{
	int f = open("/proc/sys/vm/drop_caches", O_WRONLY);
	sync();
	CHECK(f >= 0 && write(f, "3", 1) == 1 && close(f) == 0);
}

static char *long_name(int i) { static char n[220]; snprintf(n, sizeof(n), "d/%0200d", i); return n; }
static void nothing(void) { }

static int do_create(void) { int f = open("new", O_RDWR | O_CREAT | O_EXCL, 0600); if (f >= 0) close(f); return f < 0 ? -1 : 0; }
static int do_mkdir(void) { return mkdir("new", 0700); }
static int do_symlink(void) { char t[201]; memset(t, 'x', 200); t[200] = 0; return symlink(t, "new"); }
static int do_link(void) { return link("f", long_name(9)); }
static int do_rename(void) { return rename("f", long_name(9)); }
static int do_rename_dir(void) { return rename("e/sub", "d/sub"); }
static int do_write(void) { return pwrite(fd, buffer, sizeof(buffer), 0) < 0 ? -1 : 0; }
static int do_far(void) { return pwrite(fd, "far", 3, 80l << 20) < 0 ? -1 : 0; }
static int do_fsync(void) { return fsync(fd); }
static int do_xattr(void) { return setxattr("f", "user.one", buffer, 500, 0); }
static int do_truncate(void) { return ftruncate(fd, 5000); }
static int do_punch(void) { return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 20000, 100000); }
static int do_unlink(void) { return unlink("new"); }
static int do_read(void) { int r = pread(fd, buffer, sizeof(buffer), 0) < 0 ? -1 : 0; return r; }
static int do_stat(void) { struct stat st; return stat(long_name(1), &st); }
static int do_mount(void) { return mount(VOLUME, where, "ext2", 0, ""); }

static void cut(void) { CHECK(ftruncate(fd, 0) == 0); }
static void fill(void) { CHECK(pwrite(fd, buffer, sizeof(buffer), 0) == sizeof(buffer)); }
static void cold(void) { fill(); drop_caches(); }
static void make_new(void) { int f = open("new", O_RDWR | O_CREAT, 0600); CHECK(f >= 0 && write(f, buffer, 50000) == 50000 && close(f) == 0); }
static void remove_new(void) { if (remove("new") < 0) CHECK_EQ(errno, ENOENT); }
static void undo_link(void) { if (unlink(long_name(9)) < 0) CHECK_EQ(errno, ENOENT); }
static void undo_rename(void) { if (rename(long_name(9), "f") < 0) CHECK_EQ(errno, ENOENT); }
static void undo_rename_dir(void) { if (rename("d/sub", "e/sub") < 0) CHECK_EQ(errno, ENOENT); }
static void undo_xattr(void) { if (removexattr("f", "user.one") < 0) CHECK_EQ(errno, ENODATA); }
static void away(void) { detach(); }
static void back(void) { umount(where); }

static void sweep(const char *name, void (*before)(void), int (*call)(void), void (*after)(void))
{
	int n;

	for (n = 1; n < MOST; n++) {
		before();
		errno = 0;
		number(n);
		int r = call(), e = errno;
		number(0);
		bool did = fired();
		if (r < 0 && e != ENOMEM) printf("# %s, allocation %d: errno %d\n", name, n, e);
		CHECK(r == 0 || e == ENOMEM);
		if (!did) CHECK(r == 0);
		after();
		if (!did) break;
	}
	CHECK(n < MOST);
}

TEST(no_memory_at_every_step)
{
	struct statfs a, b;

	fail = open("/proc/self/fail-nth", O_RDWR);
	if (fail < 0) SKIP("no /proc/self/fail-nth");
	have_volume("");
	CHECK(mkdir("d", 0700) == 0 && mkdir("e", 0700) == 0 && mkdir("e/sub", 0700) == 0);
	fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	for (int i = 0; i < 4; i++) {
		int f = open(long_name(i), O_RDWR | O_CREAT, 0600);
		CHECK(f >= 0 && close(f) == 0);
	}
	do_link(); undo_link();		/* the directory has grown */
	sync();
	CHECK(statfs(".", &a) == 0);
	sweep("create", nothing, do_create, remove_new);
	sweep("mkdir", nothing, do_mkdir, remove_new);
	sweep("symlink", nothing, do_symlink, remove_new);
	sweep("link", drop_caches, do_link, undo_link);
	sweep("rename", drop_caches, do_rename, undo_rename);
	sweep("rename of a directory", drop_caches, do_rename_dir, undo_rename_dir);
	sweep("write", nothing, do_write, cut);
	sweep("write far", nothing, do_far, cut);
	sweep("fsync", fill, do_fsync, cut);
	sweep("setxattr", nothing, do_xattr, undo_xattr);
	sweep("truncate", cold, do_truncate, cut);
	sweep("punch", cold, do_punch, cut);
	sweep("unlink", make_new, do_unlink, remove_new);
	sweep("read", cold, do_read, cut);
	sweep("stat", drop_caches, do_stat, nothing);
	sync();
	CHECK(statfs(".", &b) == 0);
	CHECK_EQ(b.f_bfree, a.f_bfree);
	CHECK_EQ(b.f_ffree, a.f_ffree);
	close(fd);
	away();
	sweep("mount", nothing, do_mount, back);
}
