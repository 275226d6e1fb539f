/* The differential exerciser: random operations on a small tree of an ext2 disk, drawn from SEED alone, so that every kernel does the same;
 * the answers of all calls (errno, lengths, bytes read) go into one hash, and at check points the whole tree, read back, into another:
 *
 *   ## at OP answers=HASH tree=HASH
 *
 * scripts/exercise compares these lines of two kernels, or with those that Linux gave once (tests/disk/exercise.expected).
 * OPS= how many, EVERY= between check points, FROM= TO= print each operation in that range, MODE=digest prints only the tree's hash. */
#include "disk.h"
#include <dirent.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#define DIRS	8
#define NAMES	10
#define FDS	6
#define BUFFER	(256 * 1024)
#define NEAR	(2l << 20)

static struct chance chance;
static uint64_t answers;
static long op, from, to;
static unsigned char *buffer;
static int fds[FDS];
static const char *fs_options;

/* Eight directories, some inside others; they may or may not be there. */
static const char *const dirs[DIRS] = { ".", "a", "b", "a/c", "a/c/d", "b/e", "b/e/f", "g" };

/* On a disk that misbehaves: its trouble is an answer, and so is what is wrong with the call; nothing else. */
static long troubles;
static void judge(const char *what, const char *path, int e)
{
	static const int proper[] = { ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL, EBADF, ELOOP, EMLINK, ENOSPC, EFBIG, ENODATA, EBUSY, EPERM,
				      EOPNOTSUPP, ENAMETOOLONG, EACCES };

	troubles += trouble(e);
	for (size_t i = 0; i < sizeof(proper) / sizeof(proper[0]); i++)
		if (e == proper[i])
			return;
	if (!trouble(e))
		FATAL("operation %ld: %s %s answers errno %d", op, what, path ? path : "-", e);
}

static void note(const char *what, const char *path, long x, long y, long answer)
{
	int e = answer < 0 ? errno : 0;

	answers = mix(mix(answers, (uint64_t)answer), (uint64_t)e);
	if (faults() && e)
		judge(what, path, e);
	if (op >= from && op < to)
		say("op %ld %s %s %ld %ld = %ld errno %d\n", op, what, path ? path : "-", x, y, answer, e);
}

static const char *name_in(char *out, const char *dir)
{
	static const char *const long_name = "a-name-that-is-long-enough-to-need-more-room-in-its-directory-than-the-others-do";
	long n = (long)below(&chance, NAMES);

	if (n < 7) snprintf(out, 256, "%s/f%ld", dir, n);
	else snprintf(out, 256, "%s/%s-%ld", dir, long_name, n);
	return out;
}
static const char *any_name(char *out) { return name_in(out, dirs[below(&chance, DIRS)]); }
static const char *any_dir(void) { return dirs[1 + below(&chance, DIRS - 1)]; }

/* An offset: mostly near, at times at the edge of a page, at times far out (double and triple indirect blocks). */
static long any_offset(void)
{
	switch (below(&chance, 24)) {
	case 0: return (long)below(&chance, 5l << 30);
	case 1: return (long)below(&chance, 80l << 20);
	case 2: case 3: case 4: return (long)below(&chance, NEAR >> 12) << 12;
	case 5: return ((long)below(&chance, NEAR >> 12) << 12) + (long)below(&chance, 5) - 2 + 4096;
	default: return (long)below(&chance, NEAR / 4);
	}
}
static long any_length(void)
{
	switch (below(&chance, 8)) {
	case 0: return 1 + (long)below(&chance, BUFFER);
	case 1: return 4096l * (1 + (long)below(&chance, 8));
	case 2: return 1;
	default: return 1 + (long)below(&chance, 6000);
	}
}
static int any_fd(void) { return fds[below(&chance, FDS)]; }

static void op_write(void)
{
	long at = any_offset(), len = any_length();

	pattern(buffer, (size_t)len, (uint64_t)op);
	note("pwrite", NULL, at, len, pwrite(any_fd(), buffer, (size_t)len, at));
}

static void op_append(void)
{
	char path[256];
	long len = any_length();
	int fd = open(any_name(path), O_WRONLY | O_APPEND);

	note("open-append", path, 0, 0, fd < 0 ? -1 : 0);
	pattern(buffer, (size_t)len, (uint64_t)op);
	if (fd >= 0) {
		note("append", path, 0, len, write(fd, buffer, (size_t)len));
		close(fd);
	}
}

static void op_read(void)
{
	long at = any_offset(), len = any_length(), n;

	n = pread(any_fd(), buffer, (size_t)len, at);
	note("pread", NULL, at, len, n);
	if (n > 0) {
		answers = mix_bytes(answers, buffer, (size_t)n);
		if (op >= from && op < to)
			say("   hash %016llx\n", (unsigned long long)mix_bytes(0, buffer, (size_t)n));
	}
}

static void op_direct(void)
{
	char path[256];
	long at = (long)below(&chance, NEAR / 4) & -4096l, len = 4096l * (1 + (long)below(&chance, 16)), n;
	int writes = below(&chance, 2), fd = open(any_name(path), O_RDWR | O_DIRECT);

	note("open-direct", path, 0, 0, fd < 0 ? -1 : 0);
	if (fd < 0)
		return;
	pattern(buffer, (size_t)len, (uint64_t)op);
	n = writes ? pwrite(fd, buffer, (size_t)len, at) : pread(fd, buffer, (size_t)len, at);
	note(writes ? "direct-write" : "direct-read", path, at, len, n);
	if (!writes && n > 0)
		answers = mix_bytes(answers, buffer, (size_t)n);
	close(fd);
}

/* Through a shared mapping, of what the file has.  What lies in the last page beyond the end is left alone: whether it comes to light when the
 * file grows depends, on Linux 6.1, on when it was last written back (tests/disk/fsx.c is strict about it). */
static void op_mapped(void)
{
	struct stat st;
	int fd = any_fd(), writes = below(&chance, 3) != 0;
	long at = any_offset(), len = any_length(), page, skip, span;
	unsigned char *m;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || at >= st.st_size) {
		note("map-beyond", NULL, at, len, 0);
		return;
	}
	page = at & -4096l;
	skip = at - page;
	if (len > st.st_size - at)
		len = st.st_size - at;
	span = (skip + len + 4095) & -4096l;
	m = mmap(NULL, (size_t)span, PROT_READ | PROT_WRITE, MAP_SHARED, fd, page);
	note("mmap", NULL, at, len, m == MAP_FAILED ? -1 : 0);
	if (m == MAP_FAILED)
		return;
	if (writes) {
		if (!TOUCH(pattern(m + skip, (size_t)len, (uint64_t)op)))
			note("store", NULL, at, len, -1);
		if (below(&chance, 4) == 0)
			note("msync", NULL, at, len, msync(m, (size_t)span, MS_SYNC));
	} else if (!TOUCH(answers = mix_bytes(answers, m + skip, (size_t)len))) {
		note("load", NULL, at, len, -1);
	}
	munmap(m, (size_t)span);
}

static void op_truncate(void)
{
	char path[256];
	long size = any_offset();

	if (below(&chance, 2))
		note("truncate", any_name(path), size, 0, truncate(path, size));
	else
		note("ftruncate", NULL, size, 0, ftruncate(any_fd(), size));
}

static void op_punch(void)
{
	long at = any_offset(), len = any_length() * (long)(1 + below(&chance, 40));

	note("punch", NULL, at, len, fallocate(any_fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len));
}

static void op_open(void)
{
	static const int flags[] = { O_RDWR | O_CREAT, O_RDWR | O_CREAT, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_RDWR | O_CREAT | O_TRUNC, O_RDWR, O_RDONLY };
	char path[256];
	int which = (int)below(&chance, FDS), flag = flags[below(&chance, sizeof(flags) / sizeof(flags[0]))];

	if (fds[which] >= 0)
		close(fds[which]);
	fds[which] = open(any_name(path), flag, 0644);
	note("open", path, flag, which, fds[which] < 0 ? -1 : 0);
}

static void op_tmpfile(void)
{
	char path[256], from_path[64];
	int which = (int)below(&chance, FDS);

	if (fds[which] >= 0)
		close(fds[which]);
	fds[which] = open(any_dir(), O_RDWR | O_TMPFILE, 0600);
	note("tmpfile", NULL, which, 0, fds[which] < 0 ? -1 : 0);
	any_name(path);
	if (fds[which] >= 0 && below(&chance, 2)) {
		snprintf(from_path, sizeof(from_path), "/proc/self/fd/%d", fds[which]);
		note("link-tmpfile", path, 0, 0, linkat(AT_FDCWD, from_path, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
	}
}

static void op_names(void)
{
	char a[256], b[256];

	any_name(a);
	any_name(b);
	if (op >= from && op < to)
		say("   names %s %s\n", a, b);
	switch (below(&chance, 12)) {
	case 0: case 1: note("unlink", a, 0, 0, unlink(a)); break;
	case 2: case 3: note("rename", a, 0, 0, rename(a, b)); break;
	case 4: note("rename-noreplace", a, 0, 0, syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 1)); break;
	case 5: note("rename-exchange", a, 0, 0, syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2)); break;
	case 6: case 7: note("link", a, 0, 0, link(a, b)); break;
	case 8: {
		long len = 1 + (long)below(&chance, below(&chance, 2) ? 59 : 1000);
		char target[1024];
		for (long i = 0; i < len; i++)
			target[i] = (char)('a' + (i + op) % 26);
		target[len] = 0;
		note("symlink", a, len, 0, symlink(target, a));
		break;
	}
	case 9: note("rename-dir", NULL, 0, 0, rename(any_dir(), any_dir())); break;
	default: {
		struct stat st;
		long answer = lstat(a, &st);
		note("lstat", a, 0, 0, answer);
		if (!answer)
			note("  mode-nlink-size", a, (long)st.st_mode, (long)st.st_nlink, S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
		break;
	}
	}
}

static void op_dirs(void)
{
	const char *d = any_dir();
	DIR *dir;
	struct dirent *de;
	uint64_t sum = 0;
	long n = 0;

	switch (below(&chance, 5)) {
	case 0: case 1: note("mkdir", d, 0, 0, mkdir(d, 0755)); break;
	case 2: note("rmdir", d, 0, 0, rmdir(d)); break;
	default:
		dir = opendir(d);
		note("opendir", d, 0, 0, dir ? 0 : -1);
		if (!dir)
			return;
		while ((de = readdir(dir))) {
			sum += mix_bytes(de->d_type, de->d_name, strlen(de->d_name));	/* in any order */
			n++;
		}
		closedir(dir);
		note("readdir", d, (long)sum, 0, n);
		answers = mix(answers, sum);
	}
}

static void op_attributes(void)
{
	static const char *const names[] = { "user.one", "user.a-second", "trusted.t" };
	char path[256], value[128];
	const char *x = names[below(&chance, 3)];
	long len = (long)below(&chance, 100);

	any_name(path);
	switch (below(&chance, 6)) {
	case 0: note("chmod", path, 0, 0, chmod(path, below(&chance, 01000))); break;
	case 1: note("chown", path, 0, 0, lchown(path, (uid_t)below(&chance, 70000), (gid_t)below(&chance, 70000))); break;
	case 2: case 3:
		pattern(value, sizeof(value), (uint64_t)op);
		note("setxattr", path, len, 0, lsetxattr(path, x, value, (size_t)len, 0));
		break;
	case 4: note("removexattr", path, 0, 0, lremovexattr(path, x)); break;
	default:
		len = lgetxattr(path, x, value, sizeof(value));
		note("getxattr", path, 0, 0, len);
		if (len > 0)
			answers = mix_bytes(answers, value, (size_t)len);
	}
}

/* What sendfile makes of places of one file that overlap depends on how much it takes at once. */
static bool same_file(int a, int b)
{
	struct stat x, y;
	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

static void op_copy(void)
{
	off_t a = any_offset(), b = any_offset();
	long len = any_length();
	int in = any_fd(), out = any_fd();

	if (below(&chance, 2))
		note("copy_file_range", NULL, a, len, syscall(SYS_copy_file_range, in, &a, out, &b, (size_t)len, 0));
	else if (!same_file(in, out) && lseek(out, b, SEEK_SET) >= 0)
		note("sendfile", NULL, a, len, sendfile(out, in, &a, (size_t)len));
}

static void close_all(void)
{
	for (int i = 0; i < FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static void mount_it(unsigned long flags)
{
	if (mount(DEVICE, DISK, "ext2", flags, fs_options) < 0) {
		bool again;

		if (!trouble(errno) && !(faults() && errno == EINVAL))
			FATAL("mount %s", DEVICE);
		faults_off();
		again = mount(DEVICE, DISK, "ext2", flags, fs_options) == 0;
		if (!again)
			FATAL("mount %s, which is well", DEVICE);
		faults_on();
	}
	if (chdir(DISK) < 0)
		FATAL("chdir");
}

static void unmount_it(void)
{
	close_all();
	if (chdir("/") < 0 || umount(DISK) < 0)
		FATAL("umount");
}

static void op_rarely(void)
{
	char path[256];
	int fd;

	switch (below(&chance, 10)) {
	case 0: case 1: note("fsync", NULL, 0, 0, fsync(any_fd())); break;
	case 2: note("fdatasync", NULL, 0, 0, fdatasync(any_fd())); break;
	case 3: sync(); break;
	case 4: drop_caches(); break;
	case 5: case 6:
		unmount_it();
		mount_it(0);
		note("remount", NULL, 0, 0, 0);
		break;
	case 7:
		close_all();
		note("read-only", NULL, 0, 0, mount(NULL, DISK, NULL, MS_REMOUNT | MS_RDONLY, fs_options));
		note("mkdir on it", NULL, 0, 0, mkdir("ro", 0700));
		fd = open(any_name(path), O_RDWR | O_CREAT, 0600);
		note("open on it", path, 0, 0, fd);
		if (fd >= 0)		/* it did not become read-only: trouble */
			close(fd);
		note("writable", NULL, 0, 0, mount(NULL, DISK, NULL, MS_REMOUNT, fs_options));
		break;
	case 8:
		fd = open(DISK, O_RDONLY | O_DIRECTORY);
		note("syncfs", NULL, 0, 0, syncfs(fd));
		close(fd);
		break;
	default:
		note("fallocate", NULL, 0, 0, posix_fadvise(any_fd(), 0, 0, POSIX_FADV_DONTNEED));
	}
}

static void one(void)
{
	switch (below(&chance, 40)) {
	case 0 ... 9: op_write(); break;
	case 10: case 11: op_append(); break;
	case 12 ... 15: op_read(); break;
	case 16 ... 19: op_mapped(); break;
	case 20: case 21: op_truncate(); break;
	case 22: case 23: op_punch(); break;
	case 24: case 25: op_direct(); break;
	case 26 ... 29: op_open(); break;
	case 30: op_tmpfile(); break;
	case 31 ... 33: op_names(); break;
	case 34: op_dirs(); break;
	case 35: case 36: op_attributes(); break;
	case 37: op_copy(); break;
	case 38: note("fill", NULL, 0, 0, 0); op_write(); op_write(); break;
	default: if (below(&chance, 3) == 0) op_rarely();
	}
}

/* The bytes of a file that are not zero, with their places: a hole and zeroes are the same. */
static uint64_t hash_file(const char *path, uint64_t h)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW);
	off_t at = 0, end;
	ssize_t n;

	if (fd < 0)
		return mix(h, (uint64_t)errno);
	for (;;) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0)
			break;
		end = lseek(fd, at, SEEK_HOLE);
		for (at &= -512l; at < end; at += n) {
			n = pread(fd, buffer, BUFFER, at);
			if (n <= 0) {
				if (n < 0)
					h = mix(h, (uint64_t)errno);
				at = end;
				break;
			}
			for (ssize_t i = 0; i < n; i += 512) {
				size_t len = n - i < 512 ? (size_t)(n - i) : 512;
				if (buffer[i] == 0 && !memcmp(buffer + i, buffer + i + 1, len - 1))
					continue;
				h = mix_bytes(mix(h, (uint64_t)(at + i)), buffer + i, len);
			}
			if (n & 511)
				n = (n + 511) & -512l;
		}
	}
	close(fd);
	return h;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static uint64_t hash_tree(const char *path, uint64_t h, int deep)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, by_name);

	for (int i = 0; i < n; i++) {
		char sub[512], text[1100];
		struct stat st;
		uint64_t mine = 0;
		ssize_t len;

		if (!strcmp(names[i]->d_name, ".") || !strcmp(names[i]->d_name, "..") || (!deep && !strcmp(names[i]->d_name, "lost+found")))
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, names[i]->d_name);
		if (lstat(sub, &st) < 0) {
			h = mix(h, (uint64_t)errno);
			continue;
		}
		mine = mix(mix(mix(mix_bytes(mine, sub, strlen(sub)), st.st_mode), st.st_nlink), (uint64_t)st.st_uid << 32 | st.st_gid);
		if (S_ISREG(st.st_mode))
			mine = hash_file(sub, mix(mine, (uint64_t)st.st_size));
		else if (S_ISLNK(st.st_mode) && (len = readlink(sub, text, sizeof(text))) > 0)
			mine = mix_bytes(mine, text, (size_t)len);
		else if (S_ISDIR(st.st_mode))
			mine = hash_tree(sub, mine, deep + 1);
		for (const char *x = "user.one\0user.a-second\0trusted.t\0"; *x; x += strlen(x) + 1)
			if ((len = lgetxattr(sub, x, text, sizeof(text))) >= 0)
				mine = mix_bytes(mix(mine, (uint64_t)len), text, (size_t)len);
		if (op >= from && op <= to)
			say("   tree %s mode %o nlink %ld size %ld = %016llx\n", sub, st.st_mode, (long)st.st_nlink, S_ISDIR(st.st_mode) ? 0l : (long)st.st_size, (unsigned long long)mine);
		h = mix(h, mine);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return mix(h, (uint64_t)n);
}

static void check_point(void)
{
	uint64_t tree = hash_tree(".", 0, 0);

	say("## at %ld answers=%016llx tree=%016llx\n", op, (unsigned long long)answers, (unsigned long long)tree);
}

int main(void)
{
	long ops = parameter("OPS", 10000), every = parameter("EVERY", 500);
	const char *mode = getenv("MODE");

	from = parameter("FROM", -1);
	to = parameter("TO", -1);
	fs_options = getenv("MOUNT_OPTIONS") ? getenv("MOUNT_OPTIONS") : "";
	seed_chance(&chance, (uint64_t)parameter("SEED", 1));
	buffer = mmap(NULL, BUFFER + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < FDS; i++)
		fds[i] = -1;
	mkdir(DISK, 0755);
	if (mode && !strcmp(mode, "digest")) {
		mount_it(MS_RDONLY);
		op = ops;
		check_point();
		unmount_it();
		return 0;
	}
	mount_it(0);
	for (int i = 1; i < DIRS; i++)
		mkdir(dirs[i], 0755);
	faults_on();
	for (op = 0; op < ops; op++) {
		if (op && op % every == 0)
			check_point();
		one();
	}
	close_all();
	faults_tell();
	if (parameter("STAY", 0) == 0)
		faults_off();
	check_point();
	unmount_it();
	if (faults())
		say("# %ld calls met trouble\n", troubles);
	return 0;
}
