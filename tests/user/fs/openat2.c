/* openat2: its structure, strict flags, and what RESOLVE_* keep a walk from.  openat2(2). */
#include "../tap.h"
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/sysmacros.h>

static int open2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { flags, mode, resolve };
	return syscall(SYS_openat2, dir, path, &how, sizeof(how));
}
static int how(int dir, const char *path, uint64_t resolve) { return open2(dir, path, O_RDONLY, 0, resolve); }

static void same_file(int fd, const char *path)
{
	struct stat a, b;
	CHECK(fd >= 0);
	CHECK(fstat(fd, &a) == 0 && stat(path, &b) == 0);
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	close(fd);
}

/* root/{f, d/g, abs -> /root.., up -> ../out, in -> d/g, dabs -> /d, deep -> d/../../root/f}, out, mnt/ (tmpfs) */
static int root;
static char top[64];
static void tree(void)
{
	scratch();
	CHECK(getcwd(top, sizeof(top)));
	CHECK(mkdir("root", 0755) == 0 && mkdir("root/d", 0755) == 0 && mkdir("root/mnt", 0755) == 0);
	write_file("root/f", "f");
	write_file("root/d/g", "g");
	write_file("out", "o");
	CHECK(symlink("../out", "root/up") == 0 && symlink("d/g", "root/in") == 0 && symlink("/d/g", "root/abs") == 0);
	CHECK(symlink("/", "root/slash") == 0 && symlink("d/../../root/f", "root/deep") == 0 && symlink("loop", "root/loop") == 0);
	CHECK(symlink("/proc/self/fd", "root/fds") == 0);
	CHECK(mount("none", "root/mnt", "tmpfs", 0, "") == 0);
	write_file("root/mnt/m", "m");
	root = open("root", O_RDONLY | O_DIRECTORY);
	CHECK(root >= 0);
}
static void untree(void) { umount2("root/mnt", MNT_DETACH); }

TEST(the_structure_may_grow)
{
	struct { struct open_how h; char more[200]; } b = { .h = { .flags = O_RDONLY } };
	static char page[8192];
	scratch();
	write_file("f", "x");
	CHECK(syscall(SYS_openat2, AT_FDCWD, "f", &b, 24) >= 0);
	CHECK(syscall(SYS_openat2, AT_FDCWD, "f", &b, 32) >= 0);
	CHECK(syscall(SYS_openat2, AT_FDCWD, "f", &b, 25) >= 0);
	CHECK(syscall(SYS_openat2, AT_FDCWD, "f", &b, sizeof(b)) >= 0);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "f", &b, 23), EINVAL);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "f", &b, 0), EINVAL);
	b.more[0] = 1;
	CHECK(syscall(SYS_openat2, AT_FDCWD, "f", &b, 24) >= 0);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "f", &b, 25), E2BIG);
	b.more[0] = 0;
	b.more[150] = 1;
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "f", &b, sizeof(b)), E2BIG);
	CHECK(syscall(SYS_openat2, AT_FDCWD, "f", &b, 24 + 150) >= 0);
	CHECK(syscall(SYS_openat2, AT_FDCWD, "f", page, 4096) >= 0);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "f", page, 4097), E2BIG);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "f", page, -1ul), E2BIG);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "f", NULL, 24), EFAULT);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, NULL, &b, 24), EFAULT);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, NULL, NULL, 8), EINVAL);
}
TEST(a_structure_at_the_end_of_a_page)
{
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(m != MAP_FAILED && munmap(m + 4096, 4096) == 0);
	CHECK(syscall(SYS_openat2, AT_FDCWD, "/", m + 4096 - 24, 24) >= 0);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "/", m + 4096 - 24, 32), EFAULT);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "/", m + 4096 - 16, 24), EFAULT);
}
TEST(unknown_bits_are_refused)
{
	scratch();
	write_file("f", "x");
	CHECK_ERR(open2(AT_FDCWD, "f", 1ull << 31, 0, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "f", 1ull << 32, 0, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "f", 1ull << 63, 0, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "f", O_RDONLY, 0, 0x40), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "f", O_RDONLY, 0, 1ull << 32), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "f", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "f", O_RDONLY, 0600, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "n", O_CREAT | O_RDWR, 010000, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "n", O_CREAT | O_RDWR, 1ull << 32, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "f", O_PATH | O_RDWR, 0, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "f", O_PATH | O_APPEND, 0, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "f", O_PATH | O_LARGEFILE, 0, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, ".", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0600, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, ".", O_TMPFILE | O_RDONLY, 0600, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "f", O_CREAT | O_DIRECTORY | O_RDWR, 0600, 0), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "none", O_RDONLY, 0, 0), ENOENT);
	CHECK_ERR(open2(AT_FDCWD, "", O_RDONLY, 0, 0), ENOENT);
	CHECK_ERR(open2(-1, "f", O_RDONLY, 0, 0), EBADF);
	CHECK_ERR(open2(-1, "f", O_RDONLY, 0, RESOLVE_IN_ROOT), EBADF);
	CHECK_ERR(access("n", F_OK), ENOENT);
}
TEST(what_openat_does_it_does)
{
	struct stat st;
	scratch();
	umask(022);
	int fd = open2(AT_FDCWD, "n", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_LARGEFILE | O_APPEND, 04777, 0);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 04755);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_APPEND | O_ACCMODE), O_APPEND | O_RDWR);
	CHECK_ERR(open2(AT_FDCWD, "n", O_CREAT | O_EXCL | O_RDWR, 0600, 0), EEXIST);
	fd = open2(AT_FDCWD, "n", O_PATH | O_CLOEXEC, 0, 0);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(open2(AT_FDCWD, ".", O_DIRECTORY, 0, 0) >= 0);
	fd = open2(AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0600, 0);
	CHECK(fd >= 0 || errno == EOPNOTSUPP);
}
TEST(no_symlinks)
{
	tree();
	same_file(how(root, "f", RESOLVE_NO_SYMLINKS), "root/f");
	same_file(how(root, "d/../d/g", RESOLVE_NO_SYMLINKS), "root/d/g");
	CHECK_ERR(how(root, "in", RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK_ERR(how(root, "slash/etc", RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK_ERR(how(root, "loop", RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK_ERR(how(AT_FDCWD, "/proc/self/status", RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK_ERR(open2(root, "in", O_RDONLY | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS), ELOOP);
	int fd = open2(root, "in", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS);
	struct stat st;
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK_ERR(open2(root, "in/", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK_ERR(open2(root, "in", O_CREAT | O_RDWR, 0600, RESOLVE_NO_SYMLINKS), ELOOP);
	untree();
}
TEST(no_magic_links)
{
	char path[64];
	struct stat st;
	tree();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", root);
	same_file(how(AT_FDCWD, path, 0), "root");
	CHECK_ERR(how(AT_FDCWD, path, RESOLVE_NO_MAGICLINKS), ELOOP);
	CHECK_ERR(how(AT_FDCWD, "/proc/self/cwd/root/f", RESOLVE_NO_MAGICLINKS), ELOOP);
	CHECK_ERR(how(AT_FDCWD, "/proc/self/exe", RESOLVE_NO_MAGICLINKS), ELOOP);
	CHECK(how(AT_FDCWD, "/proc/self/status", RESOLVE_NO_MAGICLINKS) >= 0);	/* an ordinary link */
	same_file(how(root, "in", RESOLVE_NO_MAGICLINKS), "root/d/g");
	int fd = open2(AT_FDCWD, "/proc/self/exe", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_MAGICLINKS);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode));
	untree();
}
TEST(no_crossing_of_mounts)
{
	char path[100];
	tree();
	same_file(how(root, "d/g", RESOLVE_NO_XDEV), "root/d/g");
	same_file(how(root, "in", RESOLVE_NO_XDEV), "root/d/g");
	same_file(how(root, "d/../../out", RESOLVE_NO_XDEV), "out");
	CHECK_ERR(how(root, "mnt", RESOLVE_NO_XDEV), EXDEV);
	CHECK_ERR(how(root, "mnt/m", RESOLVE_NO_XDEV), EXDEV);
	CHECK_ERR(how(root, "mnt/../f", RESOLVE_NO_XDEV), EXDEV);
	CHECK_ERR(open2(root, "mnt", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_XDEV), EXDEV);
	CHECK_ERR(open2(root, "mnt/new", O_CREAT | O_RDWR, 0600, RESOLVE_NO_XDEV), EXDEV);
	int mnt = open("root/mnt", O_RDONLY | O_DIRECTORY);
	same_file(how(mnt, "m", RESOLVE_NO_XDEV), "root/mnt/m");
	CHECK_ERR(how(mnt, "..", RESOLVE_NO_XDEV), EXDEV);
	CHECK_ERR(how(mnt, "../f", RESOLVE_NO_XDEV), EXDEV);
	same_file(how(AT_FDCWD, "/", RESOLVE_NO_XDEV), "/");	/* an absolute name begins there */
	same_file(how(AT_FDCWD, "/..", RESOLVE_NO_XDEV), "/");
	CHECK_ERR(how(AT_FDCWD, "/proc/version", RESOLVE_NO_XDEV), EXDEV);
	CHECK(symlink("/proc/version", "root/mnt/away") == 0);
	CHECK_ERR(how(mnt, "away", RESOLVE_NO_XDEV), EXDEV);
	CHECK(mount("root/d", "root/d", NULL, MS_BIND, NULL) == 0);	/* the same file system, another mount */
	CHECK_ERR(how(root, "d/g", RESOLVE_NO_XDEV), EXDEV);
	CHECK(umount2("root/d", MNT_DETACH) == 0);
	int proc = open("/proc", O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "self/fd/%d", root);
	CHECK_ERR(how(proc, path, RESOLVE_NO_XDEV), EXDEV);
	snprintf(path, sizeof(path), "self/fd/%d", proc);
	same_file(how(proc, path, RESOLVE_NO_XDEV), "/proc");
	untree();
}
TEST(beneath)
{
	char path[64];
	tree();
	same_file(how(root, "f", RESOLVE_BENEATH), "root/f");
	same_file(how(root, ".", RESOLVE_BENEATH), "root");
	same_file(how(root, "d/..", RESOLVE_BENEATH), "root");
	same_file(how(root, "d/../d/./g", RESOLVE_BENEATH), "root/d/g");
	same_file(how(root, "in", RESOLVE_BENEATH), "root/d/g");
	same_file(how(root, "mnt/../f", RESOLVE_BENEATH), "root/f");
	same_file(how(root, "mnt/m", RESOLVE_BENEATH), "root/mnt/m");
	CHECK_ERR(how(root, "..", RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(root, "../root/f", RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(root, "d/../../root/f", RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(root, "d/../..", RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(root, "up", RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(root, "deep", RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(root, "abs", RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(root, "slash", RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(root, "/", RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(root, "/f", RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(AT_FDCWD, "/", RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(root, "none/..", RESOLVE_BENEATH), ENOENT);
	CHECK_ERR(how(root, "f/..", RESOLVE_BENEATH), ENOTDIR);
	CHECK_ERR(how(root, "loop", RESOLVE_BENEATH), ELOOP);
	CHECK(chdir("root/d") == 0);
	same_file(how(AT_FDCWD, "g", RESOLVE_BENEATH), "g");
	CHECK_ERR(how(AT_FDCWD, "../f", RESOLVE_BENEATH), EXDEV);
	int proc = open("/proc", O_RDONLY | O_DIRECTORY), fd;
	snprintf(path, sizeof(path), "self/fd/%d", proc);
	CHECK_ERR(how(proc, path, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(proc, path, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS), ELOOP);
	CHECK((fd = how(proc, "self/status", RESOLVE_BENEATH)) >= 0);
	CHECK((fd = open2(root, "new", O_CREAT | O_EXCL | O_RDWR, 0600, RESOLVE_BENEATH)) >= 0);
	CHECK_ERR(open2(root, "../new", O_CREAT | O_EXCL | O_RDWR, 0600, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(open2(root, "up", O_WRONLY | O_TRUNC, 0, RESOLVE_BENEATH), EXDEV);
	CHECK(chdir(top) == 0);
	untree();
}
TEST(in_root)
{
	char path[64], text[8];
	tree();
	same_file(how(root, "f", RESOLVE_IN_ROOT), "root/f");
	same_file(how(root, "/f", RESOLVE_IN_ROOT), "root/f");
	same_file(how(root, "///d//g", RESOLVE_IN_ROOT), "root/d/g");
	same_file(how(root, "/", RESOLVE_IN_ROOT), "root");
	same_file(how(root, "..", RESOLVE_IN_ROOT), "root");
	same_file(how(root, "../../..", RESOLVE_IN_ROOT), "root");
	same_file(how(root, "/../d/../../../f", RESOLVE_IN_ROOT), "root/f");
	same_file(how(root, "abs", RESOLVE_IN_ROOT), "root/d/g");
	same_file(how(root, "slash", RESOLVE_IN_ROOT), "root");
	same_file(how(root, "slash/slash/in", RESOLVE_IN_ROOT), "root/d/g");
	same_file(how(root, "mnt/../../f", RESOLVE_IN_ROOT), "root/f");
	CHECK_ERR(how(root, "up", RESOLVE_IN_ROOT), ENOENT);	/* root/out */
	CHECK_ERR(how(root, "deep", RESOLVE_IN_ROOT), ENOENT);
	CHECK_ERR(how(root, "fds", RESOLVE_IN_ROOT), ENOENT);
	CHECK_ERR(how(root, "loop", RESOLVE_IN_ROOT), ELOOP);
	int fd = open2(root, "up", O_CREAT | O_RDWR, 0600, RESOLVE_IN_ROOT);	/* makes root/out */
	CHECK(fd >= 0 && write(fd, "in", 2) == 2);
	CHECK(read_file("out", text, sizeof(text)) == 1 && read_file("root/out", text, sizeof(text)) == 2);
	int f = open("root/f", O_RDONLY);
	CHECK_ERR(how(f, "x", RESOLVE_IN_ROOT), ENOTDIR);
	CHECK_ERR(how(f, "/", RESOLVE_IN_ROOT), ENOTDIR);
	int proc = open("/proc", O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "/self/fd/%d", proc);
	CHECK_ERR(how(proc, path, RESOLVE_IN_ROOT), EXDEV);
	CHECK(how(proc, "/self/status", RESOLVE_IN_ROOT) >= 0);
	untree();
}
TEST(cached)
{
	char name[64];
	tree();
	same_file(how(AT_FDCWD, "root/f", RESOLVE_CACHED), "root/f");
	same_file(how(AT_FDCWD, "root/d/../d/g", RESOLVE_CACHED), "root/d/g");
	CHECK_ERR(open2(AT_FDCWD, "root/f", O_RDWR | O_TRUNC, 0, RESOLVE_CACHED), EAGAIN);
	CHECK_ERR(open2(AT_FDCWD, "root/n", O_RDWR | O_CREAT, 0600, RESOLVE_CACHED), EAGAIN);
	CHECK_ERR(open2(AT_FDCWD, "root", O_RDWR | O_TMPFILE, 0600, RESOLVE_CACHED), EAGAIN);
	CHECK_ERR(open2(AT_FDCWD, "root/f", O_RDWR, 0600, RESOLVE_CACHED), EINVAL);
	CHECK_ERR(open2(AT_FDCWD, "root/n", O_RDWR | O_CREAT, 0600, RESOLVE_CACHED | 0x80), EINVAL);
	snprintf(name, sizeof(name), "root/never-%d", getpid());	/* that it is not there was never asked */
	CHECK_ERR(how(AT_FDCWD, name, RESOLVE_CACHED), EAGAIN);
	CHECK_ERR(how(AT_FDCWD, name, 0), ENOENT);
	untree();
}

/* Nothing outside is ever reached, whatever moves meanwhile; and it goes on working. */
static volatile int stop;
static void *mover(void *arg)
{
	while (!stop) {
		rename("root/d/e", "e");
		rename("e", "root/d/e");
		syscall(SYS_renameat2, AT_FDCWD, "root/d", AT_FDCWD, "other", 2);
	}
	return NULL;
}
TEST(nothing_escapes_while_directories_move)
{
	pthread_t t;
	struct stat in, st;
	long opened = 0, again = 0;
	tree();
	CHECK(mkdir("root/d/e", 0755) == 0 && mkdir("other", 0755) == 0);
	CHECK(stat("out", &in) == 0);
	CHECK(pthread_create(&t, NULL, mover, NULL) == 0);
	for (int i = 0; i < 6000; i++) {
		static const char *const names[] = { "d/e/../out", "d/e/../../out", "d/e/../../../out" };
		int fd = how(root, names[i % 3], i & 8 ? RESOLVE_BENEATH : RESOLVE_IN_ROOT);
		if (fd >= 0) {
			CHECK(fstat(fd, &st) == 0);
			CHECK(st.st_ino != in.st_ino);
			close(fd);
			opened++;
		} else if (errno == EAGAIN) {
			again++;
		} else {
			CHECK(errno == EXDEV || errno == ENOENT);
		}
	}
	stop = 1;
	pthread_join(t, NULL);
	printf("# %ld opened, %ld to try again\n", opened, again);
	same_file(how(root, "mnt/../f", RESOLVE_BENEATH), "root/f");
	untree();
}
