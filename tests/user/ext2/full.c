/* A full disk, and one without inodes, at every step of every operation: with 0, 1, 2, ... blocks free each is tried until it succeeds; until then
 * it says ENOSPC, and leaves everything as it was, to the last free block.  (The host's e2fsck judges the volume afterwards.) */
#include "ext2.h"
#include <setjmp.h>
#include <sys/xattr.h>

#define PADS	24
#define BLOCK	1024

static char buffer[65536];
static long spare;			/* blocks to be left free: nr_free() when the volume is full */

static long nr_free(void)
{
	struct statfs s;
	CHECK(statfs(".", &s) == 0);
	return (long)s.f_bfree;
}

static char *pad(int i) { static char name[16]; snprintf(name, sizeof(name), "p%d", i); return name; }

static void fill_file(const char *path, size_t unit)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	CHECK(fd >= 0);
	while (write(fd, buffer, unit) > 0)
		;
	CHECK_EQ(errno, ENOSPC);
	close(fd);
}

/* The volume is full but for what can be had by removing pads, each of one block. */
static void fill_up(void)
{
	for (int i = 0; i < PADS; i++) {
		int fd = open(pad(i), O_WRONLY | O_CREAT, 0644);
		CHECK(fd >= 0 && write(fd, "x", 1) == 1);
		close(fd);
	}
	fill_file("filler", sizeof(buffer));
	fill_file("filler", BLOCK);
	for (int i = 0; nr_free() > 0 && i < 40; i++) {		/* what is too little for one more table */
		char name[16];
		int fd;
		snprintf(name, sizeof(name), "rest%d", i);
		fd = open(name, O_WRONLY | O_CREAT, 0644);
		if (fd >= 0) {
			if (write(fd, "x", 1) < 0) { CHECK_EQ(errno, ENOSPC); i = 40; }
			close(fd);
		}
	}
	spare = nr_free();
}

static void free_some(int n) { for (int i = 0; i < n; i++) CHECK(unlink(pad(i)) == 0); }
static void take_again(int n)
{
	for (int i = 0; i < n; i++) {
		int fd = open(pad(i), O_WRONLY | O_CREAT, 0644);
		CHECK(fd >= 0 && write(fd, "x", 1) == 1);
		close(fd);
	}
}

static long size_of(const char *path) { struct stat st; return stat(path, &st) ? -1 : (long)st.st_size; }

/* try: 0, or -1 and errno.  undo: after either, as it was. */
struct operation { const char *name; void (*prepare)(void); int (*try)(void); void (*undo)(void); int at_least; bool indexes; };

static void nothing(void) { }
static int fd;

/* --- the operations */

static void open_new(void) { fd = open("new", O_RDWR | O_CREAT | O_TRUNC, 0644); CHECK(fd >= 0); }
static void cut_new(void) { CHECK(ftruncate(fd, 0) == 0); }
static int whole(ssize_t n, size_t want, long before)
{
	struct stat st;
	CHECK(fstat(fd, &st) == 0);
	if (n < 0) { CHECK_EQ(st.st_size, before); return -1; }
	CHECK_EQ(st.st_size, before + n);
	if ((size_t)n == want) return 0;
	errno = ENOSPC;			/* it was cut short: the next byte would say so */
	return -1;
}
static int try_write(void) { return whole(pwrite(fd, buffer, 20 * BLOCK, 0), 20 * BLOCK, 0); }
static int try_direct(void)
{
	static char aligned[32768] __attribute__((aligned(4096)));
	int d = open("new", O_WRONLY | O_DIRECT);
	ssize_t n;
	CHECK(d >= 0);
	n = pwrite(d, aligned, 20 * BLOCK, 0);
	int e = errno;
	close(d);
	errno = e;
	return whole(n, 20 * BLOCK, 0);
}
static int try_far(void)
{
	ssize_t n = pwrite(fd, "far", 3, 80l << 20);
	if (n < 0) { int e = errno; CHECK_EQ(size_of("new"), 0); errno = e; return -1; }
	CHECK_EQ(n, 3);
	return 0;
}
static void twelve(void)
{
	open_new();
	CHECK(pwrite(fd, buffer, 12 * BLOCK, 0) == 12 * BLOCK);
}
static int try_append(void) { return whole(pwrite(fd, buffer, BLOCK, 12 * BLOCK), BLOCK, 12 * BLOCK); }
static void cut_twelve(void) { CHECK(ftruncate(fd, 12 * BLOCK) == 0); }
static int try_truncate(void) { return ftruncate(fd, 1 << 20); }

static sigjmp_buf back;
static void caught(int sig) { (void)sig; siglongjmp(back, 1); }
static void hole(void) { open_new(); CHECK(ftruncate(fd, 20 * BLOCK) == 0); }
static int try_mapped(void)
{
	char *m = mmap(NULL, 20 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	volatile int ok = 0;
	CHECK(m != MAP_FAILED);
	signal(SIGBUS, caught);
	if (sigsetjmp(back, 1) == 0) {
		for (int i = 0; i < 20 * BLOCK; i += BLOCK)
			m[i] = 1;
		ok = 1;
	}
	signal(SIGBUS, SIG_DFL);
	munmap(m, 20 * BLOCK);
	errno = ENOSPC;
	return ok ? 0 : -1;
}
static void cut_hole(void) { CHECK(ftruncate(fd, 0) == 0 && ftruncate(fd, 20 * BLOCK) == 0); }

static int try_splice(void)
{
	int p[2], in = open("filler", O_RDONLY);
	ssize_t n, m = 0;
	loff_t at = 0;
	int e;
	CHECK(in >= 0 && pipe(p) == 0);
	n = splice(in, NULL, p[1], NULL, 8 * BLOCK, 0);
	CHECK_EQ(n, 8 * BLOCK);
	while (m < n) {
		ssize_t k = splice(p[0], NULL, fd, &at, (size_t)(n - m), 0);
		if (k <= 0) break;
		m += k;
	}
	e = errno;
	close(in); close(p[0]); close(p[1]);
	errno = e;
	return m == n ? 0 : -1;
}
static int try_copy(void)
{
	int in = open("filler", O_RDONLY), e;
	loff_t a = 0, b = 0;
	ssize_t n, m = 0;
	CHECK(in >= 0);
	while (m < 8 * BLOCK) {
		n = syscall(SYS_copy_file_range, in, &a, fd, &b, (size_t)(8 * BLOCK - m), 0);
		if (n <= 0) break;
		m += n;
	}
	e = errno;
	close(in);
	errno = e;
	return m == 8 * BLOCK ? 0 : -1;
}

static int try_mkdir(void) { return mkdir("new-dir", 0755); }
static void undo_mkdir(void) { rmdir("new-dir"); }
static int try_symlink(void) { buffer[200] = 0; memset(buffer, 'x', 200); return symlink(buffer, "new-link"); }
static int try_short_symlink(void) { return symlink("short", "new-link"); }
static void undo_symlink(void) { unlink("new-link"); memset(buffer, 0, 256); }
static int try_xattr(void) { return setxattr("new", "user.long", buffer, 500, 0); }
static void undo_xattr(void) { removexattr("new", "user.long"); }

/* A directory whose one block has no room for one more name. */
static char long_name[220];
static char *in_dir(int i) { snprintf(long_name, sizeof(long_name), "dir/%0200d", i); return long_name; }
static void full_dir(void)
{
	struct stat st;
	CHECK(mkdir("dir", 0755) == 0);
	for (int i = 0; i < 4; i++) {
		int f = open(in_dir(i), O_WRONLY | O_CREAT, 0644);
		CHECK(f >= 0);
		close(f);
	}
	CHECK(stat("dir", &st) == 0);
	CHECK_EQ(st.st_size, BLOCK);
	open_new();
}
static int try_link(void) { return link("new", in_dir(9)); }
static int try_create(void) { int f = open(in_dir(9), O_WRONLY | O_CREAT, 0644); if (f >= 0) close(f); return f < 0 ? -1 : 0; }
static int try_rename(void) { return rename("new", in_dir(9)); }
static int try_mknod(void) { return mknod(in_dir(9), S_IFIFO | 0600, 0); }
static int try_mkdir_in(void) { return mkdir(in_dir(9), 0700); }
static void undo_in_dir(void)
{
	if (remove(in_dir(9)) < 0) CHECK_EQ(errno, ENOENT);
	if (access("new", F_OK) < 0) { close(fd); open_new(); }
}

static void attempt(const struct operation *o)
{
	int n;

	have_volume("");
	o->prepare();
	fill_up();
	for (n = 0; n < PADS; n++) {
		long before;
		int answer;

		free_some(n);
		before = nr_free();
		CHECK_EQ(before, spare + n);
		errno = 0;
		answer = o->try();
		if (answer == 0)
			break;
		if (errno != ENOSPC) printf("# %s with %d blocks free\n", o->name, n);
		CHECK_EQ(errno, ENOSPC);
		o->undo();
		if (o->indexes && !on_sarsen() && nr_free() != before) {	/* Linux makes an index of two blocks, and keeps the first */
			close(fd);
			detach();
			return;
		}
		if (nr_free() != before) printf("# %s with %d blocks free\n", o->name, n);
		CHECK_EQ(nr_free(), before);
		take_again(n);
	}
	if (n < o->at_least || n == PADS) printf("# %s succeeds with %d blocks free\n", o->name, n);
	CHECK(n >= o->at_least && n < PADS);
	o->undo();
	if (fd > 0) close(fd);
	CHECK(nftw(".", wipe_one, 16, FTW_DEPTH | FTW_PHYS) <= 0 || 1);
	detach();
}

#define FULL(n, ...) TEST(n) { attempt(&(struct operation){ #n, __VA_ARGS__ }); }
FULL(write, open_new, try_write, cut_new, 20, false)
FULL(write_far, open_new, try_far, cut_new, 3, false)
FULL(append_with_a_new_table, twelve, try_append, cut_twelve, 2, false)
FULL(direct_write, open_new, try_direct, cut_new, 20, false)
FULL(store_into_a_hole, hole, try_mapped, cut_hole, 20, false)
FULL(truncate_upwards, open_new, try_truncate, cut_new, 0, false)
FULL(splice, open_new, try_splice, cut_new, 8, false)
FULL(copy_file_range, open_new, try_copy, cut_new, 8, false)
FULL(mkdir, nothing, try_mkdir, undo_mkdir, 1, false)
FULL(long_symlink, nothing, try_symlink, undo_symlink, 1, false)
FULL(short_symlink, nothing, try_short_symlink, undo_symlink, 0, false)
FULL(setxattr, open_new, try_xattr, undo_xattr, 1, false)
FULL(link_into_a_full_directory, full_dir, try_link, undo_in_dir, 1, true)
FULL(create_in_a_full_directory, full_dir, try_create, undo_in_dir, 1, true)
FULL(rename_into_a_full_directory, full_dir, try_rename, undo_in_dir, 1, true)
FULL(mknod_in_a_full_directory, full_dir, try_mknod, undo_in_dir, 1, true)
FULL(mkdir_in_a_full_directory, full_dir, try_mkdir_in, undo_in_dir, 2, true)

/* A write that returned is in the file, though the disk was full just after. */
TEST(what_was_written_is_there)
{
	char *got = buffer + 32768;
	have_volume("");
	open_new();
	memset(buffer, 7, 16384);
	fill_up();
	free_some(6);
	ssize_t n = pwrite(fd, buffer, 16384, 0);
	CHECK(n > 0 && n < 16384);
	close(fd);
	again(0, "");
	CHECK_EQ(size_of("new"), n);
	fd = open("new", O_RDONLY);
	CHECK(read(fd, got, 16384) == n && !memcmp(got, buffer, (size_t)n));
	close(fd);
	detach();
}

TEST(no_inodes)
{
	struct statfs s;
	char name[32];
	int made = 0, f;

	have_volume("");
	open_new();
	for (;; made++) {
		snprintf(name, sizeof(name), "i%d", made);
		f = open(name, O_WRONLY | O_CREAT, 0644);
		if (f < 0)
			break;
		close(f);
	}
	CHECK_EQ(errno, ENOSPC);
	CHECK(statfs(".", &s) == 0);
	CHECK_EQ(s.f_ffree, 0);
	long before = (long)s.f_bfree;
	for (int room = 0; room < 2; room++) {
		CHECK_ERR(mkdir("d", 0700), ENOSPC);
		CHECK_ERR(symlink("short", "s"), ENOSPC);
		CHECK_ERR(mknod("n", S_IFIFO | 0600, 0), ENOSPC);
		CHECK_ERR(open(".", O_TMPFILE | O_RDWR, 0600), ENOSPC);
		CHECK(link("new", "l") == 0 && unlink("l") == 0);
		CHECK(rename("new", "renamed") == 0 && rename("renamed", "new") == 0);
		CHECK(statfs(".", &s) == 0);
		CHECK_EQ(s.f_bfree, before);
		snprintf(name, sizeof(name), "i%d", --made);
		CHECK(unlink(name) == 0);
		if (room == 0)
			CHECK(mkdir("made", 0700) == 0 && rmdir("made") == 0 && symlink("short", "made") == 0);
		else
			CHECK((f = open(".", O_TMPFILE | O_RDWR, 0600)) >= 0 && close(f) == 0);
	}
	close(fd);
	detach();
}
