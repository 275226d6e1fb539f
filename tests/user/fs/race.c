/* Names and descriptors changed by several threads and processes at once: whatever order wins, only documented answers come back, and
 * nothing is left.  Rounds are counted, not timed. */
#define TAP_TIMEOUT 60
#include "tap.h"
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

#define WORKERS 4
#define ROUNDS 400
static char cell[4096];		/* threads share the descriptor table and this */

static int start_all(void *(*fn)(void *))
{
	pthread_t th[WORKERS];
	for (long i = 0; i < WORKERS; i++)
		CHECK(pthread_create(&th[i], NULL, fn, (void *)i) == 0);
	long bad = 0;
	for (int i = 0; i < WORKERS; i++) {
		void *res;
		pthread_join(th[i], &res);
		bad += (long)res;
	}
	return bad;
}

static bool one_of(int err, int a, int b) { return err == a || err == b; }

/* All work on the same few names. */
static void *names_worker(void *arg)
{
	long me = (long)arg, bad = 0;
	char from[16], to[16], buf[8];
	struct stat st;
	for (int i = 0; i < ROUNDS; i++) {
		int n = (i + me) % 3, fd;
		sprintf(from, "n%d", n);
		sprintf(to, "n%d", (n + 1) % 3);
		fd = open(from, O_CREAT | O_RDWR, 0600);
		bad += fd < 0;
		if (fd >= 0) {
			bad += write(fd, "data", 4) != 4 || pread(fd, buf, 4, 0) != 4 || memcmp(buf, "data", 4) || fstat(fd, &st) || st.st_size != 4;
			close(fd);
		}
		switch ((i ^ me) & 3) {
		case 0: bad += unlink(from) && errno != ENOENT; break;
		case 1: bad += rename(from, to) && errno != ENOENT; break;
		case 2: bad += link(from, to) && !one_of(errno, ENOENT, EEXIST); break;
		case 3: bad += stat(to, &st) ? errno != ENOENT : !S_ISREG(st.st_mode); break;
		}
	}
	return (void *)bad;
}

static int entries(void)
{
	DIR *d = opendir(".");
	int n = 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

TEST(names_in_one_directory)
{
	char name[16];
	scratch();
	CHECK_EQ(start_all(names_worker), 0);
	for (int i = 0; i < 3; i++) {
		sprintf(name, "n%d", i);
		unlink(name);
	}
	CHECK_EQ(entries(), 0);
}

/* A file is moved to and fro between directories; whoever looks for it by its other name, which never moves, must find it. */
static void *moves_worker(void *arg)
{
	long me = (long)arg, bad = 0;
	struct stat st;
	for (int i = 0; i < ROUNDS; i++)
		if (me == 0)
			bad += rename(i & 1 ? "b/moving" : "a/moving", i & 1 ? "a/moving" : "b/moving") != 0;
		else
			bad += stat("a/fixed", &st) || stat("b/fixed", &st) || (stat("a/moving", &st) && errno != ENOENT);
	return (void *)bad;
}

TEST(what_does_not_move_is_always_found)
{
	scratch();
	CHECK(mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0);
	close(open("a/moving", O_CREAT | O_RDWR, 0600));
	close(open("a/fixed", O_CREAT | O_RDWR, 0600));
	CHECK(link("a/fixed", "b/fixed") == 0);
	CHECK_EQ(start_all(moves_worker), 0);
}

/* Two names change places, each time in one step: neither is ever absent. */
static void *exchange_worker(void *arg)
{
	long me = (long)arg, bad = 0;
	struct stat st;
	for (int i = 0; i < ROUNDS; i++)
		if (me < 2)
			bad += syscall(SYS_renameat2, AT_FDCWD, me ? "a/one" : "b/two", AT_FDCWD, me ? "b/two" : "a/one", 2 /* RENAME_EXCHANGE */) != 0;
		else
			bad += stat("a/one", &st) || (st.st_size != 1 && st.st_size != 2) || stat("b/two", &st);
	return (void *)bad;
}

TEST(exchanged_names_never_vanish)
{
	struct stat a, b;
	scratch();
	CHECK(mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0);
	int one = open("a/one", O_CREAT | O_RDWR, 0600), two = open("b/two", O_CREAT | O_RDWR, 0600);
	CHECK(ftruncate(one, 1) == 0 && ftruncate(two, 2) == 0);
	CHECK_EQ(start_all(exchange_worker), 0);
	CHECK(stat("a/one", &a) == 0 && stat("b/two", &b) == 0);
	CHECK_EQ(a.st_size + b.st_size, 3);
	CHECK(a.st_ino != b.st_ino);
}

/* Directories made, entered and removed under each other's feet. */
static void *dirs_worker(void *arg)
{
	long me = (long)arg, bad = 0;
	int fd;
	for (int i = 0; i < ROUNDS; i++)
		switch ((i + me) % 3) {
		case 0: bad += mkdir("d", 0700) && errno != EEXIST; break;
		case 1: bad += rmdir("d") && !one_of(errno, ENOENT, ENOTEMPTY); break;
		case 2:
			fd = open("d/x", O_CREAT | O_RDWR, 0600);
			bad += fd < 0 && errno != ENOENT;
			if (fd >= 0)
				close(fd);
			bad += unlink("d/x") && errno != ENOENT;
			bad += unlink("d/never") != -1 || errno != ENOENT;
			break;
		}
	return (void *)bad;
}

TEST(directories_come_and_go)
{
	scratch();
	CHECK_EQ(start_all(dirs_worker), 0);
	unlink("d/x");
	rmdir("d");
	CHECK_EQ(entries(), 0);
}

/* One descriptor number is closed and opened anew all the time; who reads it gets one of the files whole, or EBADF. */
static int hot = -1;
static void *fds_worker(void *arg)
{
	long me = (long)arg, bad = 0;
	char buf[4];
	for (int i = 0; i < ROUNDS * 4; i++) {
		if (me < 2) {
			int fd = open(me ? "one" : "two", O_RDONLY);
			if (fd < 0 || dup2(fd, hot) != hot)
				bad += errno != EBUSY;
			close(fd);
			if (i % 3 == 0)
				close(hot);
		} else {
			ssize_t n = pread(hot, buf, 4, 0);
			bad += n == 4 ? memcmp(buf, "1111", 4) && memcmp(buf, "2222", 4) : n != -1 || errno != EBADF;
		}
	}
	return (void *)bad;
}

static char long_name[201];

static void *renamer(void *arg)
{
	for (int i = 0; i < 4000; i++)
		if (rename(i & 1 ? long_name : "s", i & 1 ? "s" : long_name))
			return (void *)1;
	atomic_store((atomic_int *)arg, 1);
	return NULL;
}

/* The name that getcwd tells is one that the directory had, never a mixture of two. */
TEST(a_directory_renamed_under_those_who_ask_where_they_are)
{
	static atomic_int over;
	char start[256], buf[1024], expect[2][1024];
	pthread_t th;
	void *bad;

	memset(long_name, 'l', 200);
	CHECK(getcwd(start, sizeof(start)));
	CHECK(mkdir("s", 0700) == 0);
	int inside = open("s", O_RDONLY | O_DIRECTORY), outside = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(inside >= 0 && outside >= 0);
	sprintf(expect[0], "%s/s", strcmp(start, "/") ? start : "");
	sprintf(expect[1], "%s/%s", strcmp(start, "/") ? start : "", long_name);
	CHECK(pthread_create(&th, NULL, renamer, &over) == 0);
	char link[64];
	sprintf(link, "/proc/self/fd/%d", inside);
	for (int i = 0; i < 20000 && !atomic_load(&over); i++) {
		ssize_t n = readlink(link, buf, sizeof(buf) - 1);
		CHECK(n > 0);
		buf[n] = 0;
		CHECK(!strcmp(buf, expect[0]) || !strcmp(buf, expect[1]));
	}
	pthread_join(th, &bad);
	CHECK(bad == NULL);
	CHECK(rmdir("s") == 0);
}

TEST(a_descriptor_closed_under_its_readers)
{
	int one, two;
	scratch();
	one = open("one", O_CREAT | O_RDWR, 0600);
	two = open("two", O_CREAT | O_RDWR, 0600);
	CHECK(write(one, "1111", 4) == 4 && write(two, "2222", 4) == 4);
	hot = 700;
	CHECK_EQ(dup2(one, hot), hot);
	CHECK_EQ(start_all(fds_worker), 0);
}

/* The table itself grows while others look. */
static void *grow_worker(void *arg)
{
	long me = (long)arg, bad = 0;
	for (int i = 0; i < ROUNDS; i++) {
		if (me == 0)
			bad += dup2(0, 64 + i) != 64 + i;
		else
			bad += fcntl(0, F_GETFD) < 0 || lseek(hot, 0, SEEK_CUR) != 0;
	}
	return (void *)bad;
}

TEST(a_table_grows_under_its_readers)
{
	scratch();
	hot = open("f", O_CREAT | O_RDWR, 0600);
	dup2(hot, 0);
	CHECK_EQ(start_all(grow_worker), 0);
}

/* Processes create and remove files of their own in one directory. */
TEST(processes_in_one_directory)
{
	pid_t pid[WORKERS];
	scratch();
	for (int w = 0; w < WORKERS; w++)
		if ((pid[w] = fork()) == 0) {
			char name[24];
			for (int i = 0; i < ROUNDS; i++) {
				sprintf(name, "p%d-%d", w, i % 7);
				int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
				if (fd < 0 || write(fd, cell, sizeof(cell)) != sizeof(cell) || close(fd) || unlink(name))
					_exit(1);
				if (open(name, O_RDONLY) != -1 || errno != ENOENT)
					_exit(2);
			}
			_exit(0);
		}
	for (int w = 0; w < WORKERS; w++)
		CHECK_EQ(wait_status(pid[w]), 0);
	CHECK_EQ(entries(), 0);
}


/* Its owner says u+s over and over while root takes the file: whoever comes first, it is not set-user-ID root after that.  chown takes the bit away,
 * and chmod is no longer the old owner's. */
static void *chmod_worker(void *arg)
{
	(void)arg;
	if (syscall(SYS_setresuid, -1, 1000, -1))	/* of this thread alone */
		return (void *)1;
	while (!atomic_load((_Atomic char *)cell))
		if (chmod("owned", 04755) && errno != EPERM)
			return (void *)1;
	return NULL;
}

TEST(what_root_takes_is_not_made_set_user_id)
{
	pthread_t th;
	struct stat st;
	void *res;
	scratch();
	CHECK(chmod(".", 0755) == 0);
	int fd = open("owned", O_CREAT | O_RDWR, 0755);
	CHECK(fd >= 0);
	cell[0] = 0;
	CHECK(pthread_create(&th, NULL, chmod_worker, NULL) == 0);
	for (int i = 0; i < 2 * ROUNDS; i++) {
		CHECK(fchown(fd, 1000, -1) == 0);
		sched_yield();
		CHECK(fchown(fd, 0, -1) == 0 && fstat(fd, &st) == 0);
		CHECK_EQ(st.st_mode & S_ISUID, 0);
	}
	atomic_store((_Atomic char *)cell, 1);
	pthread_join(th, &res);
	CHECK(!res);
}
