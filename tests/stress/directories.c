/* directories: names made, linked, renamed and removed by everybody in one directory; afterwards it must add up. */
#include "stress.h"
#include <ftw.h>

static char where[64];
static void enter(void)
{
	strcpy(where, "/tmp/storm-XXXXXX");
	CHECK(mkdtemp(where));
	CHECK(chdir(where) == 0);
}
static int remove_one(const char *p, const struct stat *st, int f, struct FTW *w) { return f == FTW_DP || f == FTW_D ? rmdir(p) : unlink(p); }
static void leave(void)
{
	CHECK(chdir("/tmp") == 0);
	CHECK(nftw(where, remove_one, 32, FTW_DEPTH | FTW_PHYS) == 0);
	CHECK_ERR(access(where, F_OK), ENOENT);
}

#define OK2(call, e1, e2) do { if ((call) < 0) CHECK(errno == (e1) || errno == (e2)); } while (0)
#define OK3(call, e1, e2, e3) do { if ((call) < 0) CHECK(errno == (e1) || errno == (e2) || errno == (e3)); } while (0)

/* Files say their serial number; link counts and contents must agree at the end. */
static _Atomic unsigned long *serial;
static void names(int n)
{
	unsigned seed = n + 1;
	while (!over()) {
		char a[32], b[32], text[64];
		unsigned r = random_next(&seed);
		snprintf(a, sizeof(a), "f%u", r % 12);
		snprintf(b, sizeof(b), "f%u", (r >> 8) % 12);
		switch ((r >> 16) % 8) {
		case 0: case 1: {
			int fd = open(a, O_RDWR | O_CREAT | O_EXCL, 0644);
			if (fd < 0) { CHECK_EQ(errno, EEXIST); break; }
			int len = snprintf(text, sizeof(text), "serial %lu\n", atomic_fetch_add(serial, 1));
			CHECK_EQ(write(fd, text, len), len);
			close(fd);
			break;
		}
		case 2: OK2(unlink(a), ENOENT, ENOENT); break;
		case 3: OK2(rename(a, b), ENOENT, ENOENT); break;
		case 4: OK2(link(a, b), ENOENT, EEXIST); break;
		case 5: OK2(syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, r >> 30 & 1 ? 1 : 2), ENOENT, EEXIST); break;
		case 6: {
			int fd = open(a, O_RDONLY);
			if (fd < 0) { CHECK_EQ(errno, ENOENT); break; }
			ssize_t got = read(fd, text, sizeof(text) - 1);
			CHECK(got >= 0);
			text[got] = 0;
			CHECK(got == 0 || !strncmp(text, "serial ", 7));
			struct stat st;
			CHECK(fstat(fd, &st) == 0 && st.st_size <= 40);
			close(fd);
			break;
		}
		case 7: {
			struct stat st;
			OK2(stat(a, &st), ENOENT, ENOENT);
			DIR *d = opendir(".");
			int seen[12] = { 0 };
			for (struct dirent *de; (de = readdir(d));) {
				int k;
				if (sscanf(de->d_name, "f%d", &k) == 1) { CHECK(k >= 0 && k < 12); seen[k]++; }
				else CHECK(de->d_name[0] == '.');
			}
			closedir(d);
		}
		}
		progress();
	}
}
static void add_up(void)
{
	struct stat st[12];
	bool there[12] = { false };
	int listed = 0, found = 0;
	DIR *d = opendir(".");
	for (struct dirent *de; (de = readdir(d));) {
		int k;
		struct stat s;
		if (sscanf(de->d_name, "f%d", &k) != 1)
			continue;
		CHECK(!there[k]);			/* a name stands once */
		there[k] = true;
		listed++;
		CHECK(lstat(de->d_name, &s) == 0);	/* and what is listed is there */
		CHECK_EQ(s.st_ino, de->d_ino);
	}
	closedir(d);
	for (int k = 0; k < 12; k++) {
		char a[16];
		snprintf(a, sizeof(a), "f%d", k);
		if (lstat(a, &st[k]) == 0) { CHECK(there[k]); found++; }
		else { CHECK_EQ(errno, ENOENT); CHECK(!there[k]); memset(&st[k], 0, sizeof(st[k])); }
	}
	CHECK_EQ(listed, found);
	for (int k = 0; k < 12; k++) {			/* the link count is the number of names */
		unsigned same = 0;
		for (int j = 0; j < 12; j++) same += there[j] && there[k] && st[j].st_ino == st[k].st_ino;
		if (there[k]) CHECK_EQ(st[k].st_nlink, same);
	}
}
STORM(names_in_one_directory)
{
	enter();
	serial = shared_map(4096);
	crowd(names, 6);
	add_up();
	leave();
}

/* Directories moved into each other: never a loop, and a path that is walked meanwhile is whole or absent. */
static void movers(int n)
{
	unsigned seed = n + 1;
	while (!over()) {
		char a[64], b[64];
		unsigned r = random_next(&seed);
		static const char *in[] = { "", "d0/", "d1/", "d0/d1/", "d1/d2/" };
		snprintf(a, sizeof(a), "%sd%u", in[(r >> 4) % 5], r % 4);
		snprintf(b, sizeof(b), "%sd%u", in[(r >> 12) % 5], (r >> 8) % 4);
		int rc = 0;
		switch ((r >> 16) % 5) {
		case 0: rc = mkdir(a, 0755); break;
		case 1: rc = rmdir(a); break;
		case 2: rc = rename(a, b); break;
		case 3: rc = syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2); break;
		case 4: {
			char cwd[300];
			struct stat st;
			if (stat(a, &st) == 0 && chdir(a) == 0) {
				if (!getcwd(cwd, sizeof(cwd))) CHECK(errno == ENOENT);
				for (int up = 0; up < 8 && stat("..", &st) == 0; up++) ;
				CHECK(chdir(where) == 0);
			}
		}
		}
		if (rc < 0) CHECK(errno == ENOENT || errno == EEXIST || errno == ENOTEMPTY || errno == EINVAL || errno == ENOTDIR || errno == ENOSPC);
		progress();
	}
}
static long dirs_below(const char *path, int depth)
{
	long n = 0;
	unsigned subs = 0;
	struct stat st;
	CHECK(depth < 60);				/* there are not so many: a loop */
	DIR *d = opendir(path);
	CHECK(d);
	for (struct dirent *de; (de = readdir(d));) {
		char sub[PATH_MAX];
		if (de->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, de->d_name);
		n += 1 + dirs_below(sub, depth + 1);
		subs++;
	}
	closedir(d);
	CHECK(stat(path, &st) == 0);
	CHECK_EQ(st.st_nlink, 2 + subs);
	return n;
}
STORM(directories_moved_into_each_other)
{
	enter();
	CHECK(mount("tmpfs", where, "tmpfs", 0, "nr_inodes=50") == 0);	/* or they would grow without end */
	CHECK(chdir(where) == 0);
	crowd(movers, 5);
	printf("# %ld directories are left\n", dirs_below(".", 0));
	CHECK(chdir("/tmp") == 0);
	CHECK(umount2(where, 0) == 0);
	leave();
}

/* One file: written, truncated, mapped, read by everybody; a reader sees whole records or the end. */
static int one_fd;
static void appender(int n)
{
	int fd = open("log", O_WRONLY | O_APPEND);
	CHECK(fd >= 0);
	char rec[64];
	memset(rec, 'a' + n, sizeof(rec));
	rec[63] = '\n';
	for (int i = 0; !over(); i++) {
		CHECK_EQ(write(fd, rec, sizeof(rec)), sizeof(rec));
		struct stat st;
		CHECK(fstat(fd, &st) == 0);
		CHECK_EQ(st.st_size % 64, 0);
		if (st.st_size > 1 << 20) CHECK(ftruncate(fd, 0) == 0);
		progress();
	}
	close(fd);
}
static void record_reader(int n)
{
	while (!over()) {
		char rec[64];
		int fd = open("log", O_RDONLY);
		CHECK(fd >= 0);
		ssize_t got;
		for (int k = 0; k < 500 && (got = read(fd, rec, sizeof(rec))) > 0; k++) {
			CHECK_EQ(got, 64);
			/* a record being written or cut off may hold zeroes, but never two writers' bytes */
			char first = 0;
			for (int i = 0; i < 63; i++)
				if (rec[i]) { if (!first) first = rec[i]; CHECK(rec[i] == first); }
		}
		close(fd);
		progress();
	}
}
STORM(one_file_appended_truncated_and_read)
{
	enter();
	one_fd = open("log", O_RDWR | O_CREAT, 0644);
	CHECK(one_fd >= 0);
	pid_t p[5];
	for (int i = 0; i < 3; i++) p[i] = kid(appender, i);
	for (int i = 3; i < 5; i++) p[i] = kid(record_reader, i);
	for (int i = 0; i < 5; i++) CHECK_EQ(wait_status(p[i]), 0);
	close(one_fd);
	leave();
}

/* Mounts come and go under walkers; a mount point's own contents come back each time. */
static void mounter(int n)
{
	char at[32], file[48];
	snprintf(at, sizeof(at), "m%d", n % 2);
	snprintf(file, sizeof(file), "%s/in-%d", at, n);
	while (!over()) {
		if (mount("tmpfs", at, "tmpfs", 0, "size=64k") < 0) { CHECK(errno == EBUSY || errno == EINVAL); sched_yield(); continue; }
		int fd = open(file, O_RDWR | O_CREAT, 0644);
		if (fd >= 0) { write(fd, "x", 1); close(fd); }
		int rc;
		for (int k = 0; (rc = umount2(at, 0)) < 0 && errno == EBUSY && k < 20; k++) sched_yield();
		if (rc < 0 && errno == EBUSY) rc = umount2(at, MNT_DETACH);
		CHECK(rc == 0 || errno == EINVAL || errno == EBUSY);
		progress();
	}
}
static void mount_walker(int n)
{
	while (!over()) {
		char b[8192];
		struct stat st;
		for (int i = 0; i < 4; i++) {
			char path[64];
			snprintf(path, sizeof(path), "m%d/in-%d", i % 2, i);
			if (stat(path, &st) < 0) CHECK_EQ(errno, ENOENT);
			int fd = open(path, O_RDONLY);
			if (fd >= 0) { read(fd, b, 1); fstat(fd, &st); close(fd); }
			snprintf(path, sizeof(path), "m%d", i % 2);
			DIR *d = opendir(path);
			CHECK(d);
			while (readdir(d)) ;
			closedir(d);
		}
		CHECK(read_file("/proc/self/mounts", b, sizeof(b)) > 0);
		read_file("/proc/self/mountinfo", b, sizeof(b));
		progress();
	}
}
STORM(mounts_come_and_go)
{
	enter();
	CHECK(mkdir("m0", 0755) == 0 && mkdir("m1", 0755) == 0);
	write_file("m0/below", "below");
	pid_t p[6];
	for (int i = 0; i < 4; i++) p[i] = kid(mounter, i);
	for (int i = 4; i < 6; i++) p[i] = kid(mount_walker, i);
	for (int i = 0; i < 6; i++) CHECK_EQ(wait_status(p[i]), 0);
	while (umount2("m0", MNT_DETACH) == 0) ;
	while (umount2("m1", MNT_DETACH) == 0) ;
	char b[16];
	CHECK(read_file("m0/below", b, sizeof(b)) == 5 && !strcmp(b, "below"));
	leave();
}
