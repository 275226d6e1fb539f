/* /proc/<pid>/{auxv,pagemap,io,stack,smaps_rollup,oom_score,oom_score_adj} and whose they are; /proc/{locks,misc,kmsg,consoles}.  proc(5). */
#include "../tap.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

static char b[131072];

TEST(auxv_is_what_the_program_got)
{
	ssize_t n = read_file("/proc/self/auxv", b, sizeof(b));
	Elf64_auxv_t *a = (void *)b;
	CHECK(n > 0 && n % sizeof(*a) == 0);
	size_t last = n / sizeof(*a) - 1;
	CHECK_EQ(a[last].a_type, AT_NULL);
	for (size_t i = 0; i < last; i++)
		CHECK_EQ(getauxval(a[i].a_type), a[i].a_un.a_val);
	CHECK_EQ(getauxval(AT_PAGESZ), 4096);
}

static uint64_t word(int fd, void *at)
{
	uint64_t w = 0;
	CHECK_EQ(pread(fd, &w, 8, (off_t)((uintptr_t)at / 4096 * 8)), 8);
	return w;
}

TEST(pagemap)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *f = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t two[2];
	CHECK(fd >= 0 && p != MAP_FAILED && f != MAP_FAILED);
	CHECK_EQ(word(fd, p), 0);
	p[0] = p[4096] = f[0] = 1;
	CHECK_EQ(word(fd, p) >> 56, 0x81);		/* there, and ours alone */
	CHECK_EQ(word(fd, f) >> 56, 0xa1);		/* shared memory counts as a file's */
	CHECK_EQ(word(fd, p + 8192), 0);
	CHECK_EQ(pread(fd, two, 16, (uintptr_t)p / 4096 * 8), 16);
	CHECK(two[0] != two[1]);			/* root sees the frames */
	CHECK((two[0] & ((1ull << 55) - 1)) != 0);
	CHECK_ERR(pread(fd, two, 7, 0), EINVAL);
	CHECK_ERR(pread(fd, two, 8, 4), EINVAL);
	CHECK_EQ(pread(fd, two, 8, (off_t)(0xfffffffffffff000ull >> 12) * 8), 0);
	if (!fork()) {
		CHECK_EQ(word(fd, p) >> 56, 0x80);	/* of the parent's, who shares it now */
		_exit(0);
	}
	CHECK(EXITED(wait_status(-1), 0));
	CHECK_EQ(munmap(p, 4096), 0);
	CHECK_EQ(word(fd, p), 0);
}

TEST(pagemap_hides_frames_from_users)
{
	static char page[8192];
	memset(page, 1, sizeof(page));
	CHECK(setuid(1000) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(word(fd, page + 4096) & ((1ull << 55) - 1), 0);
	CHECK(word(fd, page + 4096) >> 63);
}

static long io(const char *key)
{
	char *p;
	CHECK(read_file("/proc/self/io", b, sizeof(b)) > 0);
	CHECK((p = strstr(b, key)));
	return strtol(p + strlen(key), NULL, 10);
}

TEST(io_counts_calls_and_bytes)
{
	char buf[1000] = "";
	int fd;
	scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	long w = io("wchar: "), sw = io("syscw: "), r = io("rchar: "), sr = io("syscr: ");
	for (int i = 0; i < 10; i++)
		CHECK_EQ(pwrite(fd, buf, 1000, i * 1000), 1000);
	CHECK_EQ(io("wchar: "), w + 10000);
	CHECK_EQ(io("syscw: "), sw + 10);
	CHECK_EQ(pread(fd, buf, 700, 0), 700);
	CHECK(io("rchar: ") >= r + 700);
	CHECK(io("syscr: ") > sr);
	CHECK(strstr(b, "read_bytes: ") && strstr(b, "\nwrite_bytes: ") && strstr(b, "\ncancelled_write_bytes: "));
	w = io("wchar: ");
	if (!fork()) {
		CHECK_EQ(write(fd, buf, 500), 500);
		_exit(0);
	}
	wait_status(-1);
	CHECK_EQ(io("wchar: "), w + 500);		/* with children waited for */
}

TEST(the_stack_of_a_sleeper)
{
	int fds[2];
	pid_t pid;
	char path[64], *end;
	CHECK(pipe(fds) == 0);
	if (!(pid = fork())) {
		read(fds[0], path, 1);
		_exit(0);
	}
	CHECK(wait_state(pid, 'S'));
	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	CHECK(read_file(path, b, sizeof(b)) > 0);
	CHECK(!strncmp(b, "[<0>] ", 6) && strstr(b, "pipe_read+0x"));
	for (char *l = b; *l; l = end + 1) {
		end = strchr(l, '\n');
		CHECK(end && !strncmp(l, "[<0>] ", 6) && memchr(l, '+', end - l) && memchr(l, '/', end - l));
	}
	CHECK_EQ(kill(pid, SIGKILL), 0);
}

TEST(the_rollup_is_the_sum)
{
	long rss = 0, sum = -1;
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		long v;
		if (sscanf(line, "Rss: %ld kB", &v) == 1)
			rss += v;
	}
	fclose(f);
	CHECK(read_file("/proc/self/smaps_rollup", b, sizeof(b)) > 0);
	CHECK(strstr(b, "---p 00000000 00:00 0                              [rollup]\nRss: "));
	CHECK(sscanf(strstr(b, "Rss:"), "Rss: %ld", &sum) == 1);
	CHECK(sum > rss / 2 && sum < rss * 2 + 64);
	CHECK(strstr(b, "\nPss_Dirty:") && strstr(b, "\nPss_Anon:") && strstr(b, "\nLocked:"));
}

static int adjust(const char *text)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY), err;
	if (fd < 0)
		return errno;
	err = write(fd, text, strlen(text)) < 0 ? errno : 0;
	close(fd);
	return err;
}

static void as_user(void)
{
	CHECK(setgid(1000) == 0 && setuid(1000) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);		/* what execve would do: its files are its user's again */
}

TEST(users_do_not_make_themselves_less_likely_victims)
{
	CHECK_EQ(adjust("100"), 0);
	as_user();
	CHECK_EQ(adjust("200"), 0);
	CHECK_EQ(adjust("100"), 0);			/* down to where root put it */
	CHECK_EQ(adjust("99"), EACCES);
	CHECK_EQ(adjust("-1000"), EACCES);
	CHECK_EQ(adjust("1001"), EINVAL);
	CHECK(read_file("/proc/self/oom_score_adj", b, sizeof(b)) == 4 && !strcmp(b, "100\n"));
	if (!fork())
		_exit(adjust("50"));
	CHECK(EXITED(wait_status(-1), EACCES));
}

TEST(the_score_follows_it)
{
	CHECK(read_file("/proc/self/oom_score", b, sizeof(b)) > 0);
	long before = strtol(b, NULL, 10);
	CHECK(before >= 660 && before < 760);
	CHECK_EQ(adjust("300"), 0);
	CHECK(read_file("/proc/self/oom_score", b, sizeof(b)) > 0);
	CHECK(labs(strtol(b, NULL, 10) - before - 200) <= 3);
	CHECK_EQ(adjust("-1000"), 0);
	CHECK(read_file("/proc/self/oom_score", b, sizeof(b)) > 0 && !strcmp(b, "0\n"));
	CHECK(read_file("/proc/1/oom_score", b, sizeof(b)) > 0 && !strcmp(b, "0\n"));
}

/* Of root's process: what another user can open there. */
TEST(files_that_are_not_others)
{
	static const char *const closed[] = { "auxv", "environ", "io", "maps", "pagemap", "smaps", "smaps_rollup", "stack", "syscall", "personality" };
	static const char *const open_to_all[] = { "cmdline", "comm", "stat", "statm", "status", "limits", "mounts", "oom_score", "wchan" };
	char path[64];
	int fd;
	as_user();
	for (unsigned i = 0; i < sizeof(closed) / sizeof(*closed); i++) {
		snprintf(path, sizeof(path), "/proc/1/%s", closed[i]);
		fd = open(path, O_RDONLY);
		if (fd >= 0) printf("# %s\n", path);
		CHECK(fd < 0 && errno == EACCES);
	}
	for (unsigned i = 0; i < sizeof(open_to_all) / sizeof(*open_to_all); i++) {
		snprintf(path, sizeof(path), "/proc/1/%s", open_to_all[i]);
		if (read_file(path, b, sizeof(b)) < 0) printf("# %s\n", path);
		CHECK(read_file(path, b, sizeof(b)) >= 0);
	}
	snprintf(path, sizeof(path), "/proc/%d/io", getpid());
	CHECK(read_file(path, b, sizeof(b)) > 0);
}

/* The 35th word of stat says that it waits, not where. */
static long waits(pid_t pid)
{
	char path[64], *p;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	CHECK(read_file(path, b, sizeof(b)) > 0);
	p = strrchr(b, ')') + 1;
	for (int field = 3; field < 35; field++)
		p = strchr(p + 1, ' ');
	return strtol(p, NULL, 10);
}

TEST(where_a_sleeper_waits)
{
	int fds[2], n;
	pid_t pid;
	char path[64];
	CHECK(pipe(fds) == 0);
	if (!(pid = fork())) {
		read(fds[0], path, 1);
		_exit(0);
	}
	CHECK(wait_state(pid, 'S'));
	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	n = read_file(path, b, sizeof(b));
	CHECK(n > 5 && !memcmp(b, "pipe_", 5) && !memchr(b, '\n', n));	/* pipe_read on Linux; the names are the kernel's own */
	CHECK_EQ(waits(pid), 1);
	CHECK_EQ(waits(getpid()), 0);
	n = read_file("/proc/self/wchan", b, sizeof(b));
	CHECK(n == 1 && b[0] == '0');
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	as_user();					/* and others' business it is not */
	n = read_file("/proc/1/wchan", b, sizeof(b));
	CHECK(n == 1 && b[0] == '0');
	CHECK_EQ(waits(1), 0);
}

TEST(an_undumpable_processs_files_are_roots)
{
	struct stat st;
	CHECK(setgid(1000) == 0 && setuid(1000) == 0);
	CHECK(stat("/proc/self/environ", &st) == 0 && st.st_uid == 0 && st.st_gid == 0);
	CHECK(stat("/proc/self", &st) == 0 && st.st_uid == 1000);
	CHECK_ERR(open("/proc/self/environ", O_RDONLY), EACCES);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
	CHECK(stat("/proc/self/environ", &st) == 0 && st.st_uid == 1000 && st.st_gid == 1000);
	CHECK(open("/proc/self/environ", O_RDONLY) >= 0);
}

/* The line of /proc/locks that says what of our file, or NULL. */
static const char *lock_line(const char *what)
{
	static char line[256];
	char id[64];
	struct stat st;
	FILE *f = fopen("/proc/locks", "r");
	CHECK(f && stat("file", &st) == 0);
	snprintf(id, sizeof(id), " %02x:%02x:%lu ", major(st.st_dev), minor(st.st_dev), (unsigned long)st.st_ino);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, id) && strstr(line, what)) {
			fclose(f);
			return line;
		}
	fclose(f);
	return NULL;
}

TEST(locks)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5 };
	char want[64];
	int fd, fd2;
	pid_t pid;
	scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	fd2 = open("file", O_RDWR);
	CHECK_EQ(fcntl(fd, F_SETLK, &fl), 0);
	snprintf(want, sizeof(want), ": POSIX  ADVISORY  WRITE %d ", getpid());
	CHECK(lock_line(want) && strstr(lock_line(want), " 10 14\n"));
	fl = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100 };
	CHECK_EQ(fcntl(fd2, F_OFD_SETLK, &fl), 0);
	CHECK(lock_line(": OFDLCK ADVISORY  READ -1 ") && strstr(lock_line("OFDLCK"), " 100 EOF\n"));
	CHECK_EQ(flock(fd, LOCK_EX), 0);
	snprintf(want, sizeof(want), ": FLOCK  ADVISORY  WRITE %d ", getpid());
	CHECK(lock_line(want) && strstr(lock_line(want), " 0 EOF\n"));
	if (!(pid = fork())) {
		fl = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 20 };
		fcntl(fd, F_SETLKW, &fl);
		_exit(0);
	}
	CHECK(wait_state(pid, 'S'));
	snprintf(want, sizeof(want), ": -> POSIX  ADVISORY  READ %d ", pid);
	CHECK(lock_line(want) && strstr(lock_line(want), " 0 19\n"));
	kill(pid, SIGKILL);
	wait_status(pid);
	CHECK(!lock_line(want));
	if (!(pid = fork())) {
		flock(open("file", O_RDWR), LOCK_SH);
		_exit(0);
	}
	CHECK(wait_state(pid, 'S'));
	snprintf(want, sizeof(want), ": -> FLOCK  ADVISORY  READ %d ", pid);
	CHECK(lock_line(want));
	CHECK_EQ(flock(fd, LOCK_UN), 0);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(!lock_line("FLOCK"));
	close(fd2);
	close(fd);
	CHECK(!lock_line("ADVISORY"));
}

TEST(the_log_by_proc_kmsg)
{
	int fd = open("/proc/kmsg", O_RDONLY | O_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;
	CHECK(fd >= 0);
	while (read(fd, b, sizeof(b)) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(poll(&p, 1, 0), 0);
	n = -1;
	int k = open("/dev/kmsg", O_WRONLY);
	CHECK_EQ(write(k, "<5>userland was here\n", 21), 21);	/* without the end of its line Linux keeps it for what may be added */
	for (int i = 0; i < 500 && (n = read(fd, b, sizeof(b) - 1)) < 0; i++)
		sleep_ms(10);
	CHECK(n > 0);
	b[n] = 0;
	CHECK(b[0] == '<' && strstr(b, "] userland was here\n"));
	CHECK_EQ(open("/proc/kmsg", O_WRONLY | O_TRUNC) >= 0 && write(fd, "x", 1) >= 0, 0);
	as_user();
	CHECK_ERR(open("/proc/kmsg", O_RDONLY), EACCES);
}

TEST(tables_of_the_system)
{
	CHECK(read_file("/proc/misc", b, sizeof(b)) > 0);
	if (on_sarsen())
		CHECK(strstr(b, "237 loop-control\n") && strstr(b, "200 tun\n") && strstr(b, "183 hw_random\n"));
	CHECK(read_file("/proc/consoles", b, sizeof(b)) > 0);
	CHECK(!strncmp(b, "ttyAMA0              -W- (EC p a)  204:64\n", 42));
	CHECK(read_file("/proc/execdomains", b, sizeof(b)) > 0 && !strncmp(b, "0-0\tLinux           \t[kernel]\n", 30));
	CHECK(read_file("/proc/zoneinfo", b, sizeof(b)) > 0);
	CHECK(!strncmp(b, "Node 0, zone ", 13));
	for (const char *const *w = (const char *const[]){ "\n  per-node stats\n", "\n      nr_anon_pages ", "\n  pages free ", "\n        min ", "\n        low ",
	     "\n        high ", "\n        spanned ", "\n        present ", "\n        managed ", "\n        protection: (0", "\n      nr_free_pages ",
	     "\n  pagesets\n    cpu: 0\n              count: ", "\n              high: ", "\n              batch: ", "\n  start_pfn: ", NULL }; *w; w++) {
		if (!strstr(b, *w)) printf("# no %s\n", *w);
		CHECK(strstr(b, *w));
	}
	CHECK(read_file("/proc/sys/kernel/pty/max", b, sizeof(b)) > 0 && atoi(b) > 0);
	CHECK(read_file("/proc/sys/kernel/pty/nr", b, sizeof(b)) > 0);
	CHECK(read_file("/proc/tty/drivers", b, sizeof(b)) > 0);
	CHECK(strstr(b, "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"));
	CHECK(strstr(b, "/dev/console         /dev/console    5       1 system:console\n") && strstr(b, "/dev/ptmx            /dev/ptmx       5       2 system\n"));
	CHECK(strstr(b, "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"));
}
