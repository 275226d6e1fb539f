/* /proc: the files that programs parse, in Linux's formats. */
#include "tap.h"
#include <dirent.h>

static char b[65536];
static char *rd(const char *path) { if (read_file(path, b, sizeof(b)) < 0) { printf("# %s: errno %d\n", path, errno); CHECK(0); } return b; }
static long field(const char *text, const char *name) { char *p = strstr(text, name); CHECK(p); return strtol(p + strlen(name), NULL, 10); }

TEST(stat_of_self)
{
	int pid, ppid, pgrp, sid, n = 0;
	char comm[64], state;
	rd("/proc/self/stat");
	CHECK(sscanf(b, "%d (%63[^)]) %c %d %d %d", &pid, comm, &state, &ppid, &pgrp, &sid) == 6);
	CHECK(pid == getpid() && ppid == getppid() && pgrp == getpgrp() && sid == getsid(0));
	CHECK(!strcmp(comm, "files") && state == 'R');
	for (char *p = strrchr(b, ')'); *p; p++) n += *p == ' ';
	CHECK_EQ(n, 50);	/* 52 fields in all */
}

TEST(status_of_self)
{
	rd("/proc/self/status");
	CHECK(!strncmp(b, "Name:\tfiles\n", 12));
	CHECK_EQ(field(b, "\nPid:\t"), getpid());
	CHECK_EQ(field(b, "\nPPid:\t"), getppid());
	CHECK_EQ(field(b, "\nTgid:\t"), getpid());
	CHECK(strstr(b, "\nUid:\t0\t0\t0\t0\n") && strstr(b, "\nState:\tR (running)\n"));
	CHECK(field(b, "\nVmSize:\t") > 0 && field(b, "\nVmRSS:\t") > 0);
	CHECK_EQ(field(b, "\nThreads:\t"), 1);
	CHECK(strstr(b, "\nSigCgt:\t") && strstr(b, "\nCapEff:\t"));
}

TEST(strings_of_self)
{
	rd("/proc/self/cmdline");
	CHECK(strstr(b, "files") && b[strlen(b)] == 0);
	rd("/proc/self/comm");
	CHECK(!strcmp(b, "files\n"));
	int fd = open("/proc/self/comm", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "renamed", 7) == 7);
	rd("/proc/self/comm");
	CHECK(!strcmp(b, "renamed\n"));
	char link[256];
	ssize_t n = readlink("/proc/self/exe", link, 255);
	CHECK(n > 0);
	link[n] = 0;
	CHECK(strstr(link, "/tests/proc/files"));
	scratch();
	CHECK((n = readlink("/proc/self/cwd", link, 255)) > 0);
	link[n] = 0;
	CHECK(!strncmp(link, "/tmp/test-", 10));
	CHECK(readlink("/proc/self/root", link, 255) == 1);
	CHECK((n = readlink("/proc/self", link, 255)) > 0);
	link[n] = 0;
	CHECK_EQ(atoi(link), getpid());
	rd("/proc/self/environ");
	CHECK(strstr(b, "PATH="));
}

TEST(descriptors)
{
	char p[64], link[256];
	scratch();
	int fd = open("a file", O_RDWR | O_CREAT, 0600), q[2];
	write(fd, "xyz", 3);
	snprintf(p, sizeof(p), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(p, link, 255);
	CHECK(n > 0);
	link[n] = 0;
	CHECK(strstr(link, "/a file"));
	pipe(q);
	snprintf(p, sizeof(p), "/proc/self/fd/%d", q[0]);
	n = readlink(p, link, 255); link[n] = 0;
	CHECK(!strncmp(link, "pipe:[", 6));
	snprintf(p, sizeof(p), "/proc/self/fd/%d", fd);
	unlink("a file");
	n = readlink(p, link, 255); link[n] = 0;
	CHECK(strstr(link, "a file (deleted)"));
	int again = open(p, O_RDONLY);
	CHECK(again >= 0 && read(again, link, 10) == 3);
	DIR *d = opendir("/proc/self/fd");
	int count = 0;
	while (readdir(d)) count++;
	CHECK(count >= 6);
	snprintf(p, sizeof(p), "/proc/self/fdinfo/%d", fd);
	rd(p);
	CHECK_EQ(field(b, "pos:\t"), 3);
}

TEST(fdinfo_of_what_is_open_as_a_place_alone)
{
	const char *places[] = { "/", "/proc/self/maps", "/dev/null", "/dev/tty", "/proc/self/exe" };
	char p[64];

	for (int i = 0; i < 5; i++) {
		int fd = open(places[i], O_PATH);

		CHECK(fd >= 0);
		snprintf(p, sizeof(p), "/proc/self/fdinfo/%d", fd);
		rd(p);
		CHECK_EQ(field(b, "pos:\t"), 0);
		CHECK(strstr(b, "flags:\t010000000\n") != NULL);
		CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EBADF);
		close(fd);
	}
}

TEST(maps)
{
	unsigned long a, z, off;
	char perm[8];
	int n = 0, stack = 0, vdso = 0, heap = 0;
	syscall(SYS_brk, syscall(SYS_brk, 0) + 8192);
	rd("/proc/self/maps");
	for (char *p = strtok(b, "\n"); p; p = strtok(NULL, "\n"), n++) {
		CHECK(sscanf(p, "%lx-%lx %4s %lx", &a, &z, perm, &off) == 4);
		CHECK(a < z && strspn(perm, "rwxps-") == 4);
		stack += strstr(p, "[stack]") != NULL;
		vdso += strstr(p, "[vdso]") != NULL;
		heap += strstr(p, "[heap]") != NULL;
	}
	CHECK(n >= 5 && stack == 1 && vdso == 1 && heap == 1);
}

TEST(statm)
{
	long v[7];
	rd("/proc/self/statm");
	CHECK(sscanf(b, "%ld %ld %ld %ld %ld %ld %ld", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6) == 7);
	CHECK(v[0] > v[1] && v[1] > 0);
}

TEST(system_files)
{
	rd("/proc/meminfo");
	CHECK(field(b, "MemTotal:") > field(b, "MemFree:") && field(b, "MemAvailable:") > 0);
	CHECK(strstr(b, "Buffers:") && strstr(b, "Cached:") && strstr(b, "SwapTotal:"));
	rd("/proc/cpuinfo");
	CHECK(strstr(b, "processor\t: 0") && strstr(b, "CPU implementer\t: 0x") && strstr(b, "Features\t: ") && strstr(b, "fp asimd"));
	double up, idle;
	CHECK(sscanf(rd("/proc/uptime"), "%lf %lf", &up, &idle) == 2 && up > 0);
	float l[3];
	int r, t, last;
	CHECK(sscanf(rd("/proc/loadavg"), "%f %f %f %d/%d %d", l, l + 1, l + 2, &r, &t, &last) == 6 && r >= 1 && t >= r);
	rd("/proc/stat");
	CHECK(!strncmp(b, "cpu  ", 5) && strstr(b, "\ncpu0 ") && strstr(b, "\nctxt ") && strstr(b, "\nbtime ") &&
	      strstr(b, "\nprocesses ") && strstr(b, "\nintr "));
	rd("/proc/version");
	CHECK(!strncmp(b, "Linux version 6.1.", 18));
	rd("/proc/filesystems");
	CHECK(strstr(b, "nodev\ttmpfs\n") && strstr(b, "nodev\tproc\n"));
	rd("/proc/mounts");
	CHECK(strstr(b, "proc /proc proc rw") && strstr(b, " /tmp tmpfs rw"));
	rd("/proc/cmdline");
	CHECK(strstr(b, "console=ttyAMA0"));
	rd("/proc/interrupts");
	CHECK(strstr(b, "CPU0"));
	rd("/proc/vmstat");
	CHECK(strstr(b, "nr_free_pages ") && strstr(b, "pgfault "));
	rd("/proc/sys/kernel/ostype");
	CHECK(!strcmp(b, "Linux\n"));
	rd("/proc/sys/kernel/pid_max");
	CHECK(atoi(b) >= 32768);
	rd("/proc/sys/kernel/hostname");
	CHECK(b[0]);
	rd("/proc/devices");
	CHECK(strstr(b, "Character devices:"));
	CHECK(strstr(b, "\nBlock devices:\n"));
	CHECK(strstr(b, "\n259 blkext\n"));
	if (!access("/dev/vda", F_OK)) CHECK(strstr(b, "\n254 virtblk\n"));
	rd("/proc/sys/kernel/random/uuid");
	CHECK(strlen(b) == 37);
}

TEST(limits)
{
	rd("/proc/self/limits");
	CHECK(!strncmp(b, "Limit                     Soft Limit           Hard Limit           Units     \n", 79));
	CHECK(strstr(b, "Max open files            1024"));
}

TEST(listing_shows_processes)
{
	pid_t pid = fork();
	if (pid == 0) { pause(); _exit(0); }
	DIR *d = opendir("/proc");
	struct dirent *de;
	int found = 0, one = 0;
	while ((de = readdir(d))) { found += atoi(de->d_name) == pid; one += !strcmp(de->d_name, "1"); }
	CHECK(found == 1 && one == 1);
	kill(pid, SIGKILL);
	char p[64];
	snprintf(p, sizeof(p), "/proc/%d", pid);
	siginfo_t si;
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	snprintf(p, sizeof(p), "/proc/%d/stat", pid);
	CHECK(strstr(rd(p), ") Z "));
	wait_status(pid);
	CHECK_ERR(open(p, O_RDONLY), ENOENT);
}

TEST(open_files_of_the_dead)
{
	pid_t pid = fork();
	if (pid == 0) { pause(); _exit(0); }
	char p[64], c[100];
	snprintf(p, sizeof(p), "/proc/%d/status", pid);
	int fd = open(p, O_RDONLY);
	kill(pid, SIGKILL);
	wait_status(pid);
	CHECK_ERR(read(fd, c, 100), ESRCH);
}

TEST(task_directory)
{
	char p[64];
	snprintf(p, sizeof(p), "/proc/self/task/%d/stat", getpid());
	CHECK(strstr(rd(p), "files"));
	CHECK_ERR(mkdir("/proc/x", 0700), ENOENT);
	CHECK_ERR(open("/proc/99999/stat", O_RDONLY), ENOENT);
	CHECK_ERR(unlink("/proc/version"), EPERM);
}

/* What was looked up below the directory of a process that is gone leaves nothing behind. */
TEST(dead_processes_are_forgotten)
{
	char b[4096], name[64];
	long before = 0;
	for (int i = 0; i < 1200; i++) {
		if (i == 200) {
			CHECK(read_file("/proc/meminfo", b, sizeof(b)) > 0);
			before = atol(strstr(b, "Slab:") + 5);
		}
		pid_t pid = fork();
		if (pid == 0)
			_exit(read_file("/proc/self/stat", b, sizeof(b)) > 0 && read_file("/proc/thread-self/status", b, sizeof(b)) > 0 ? 0 : 1);
		sprintf(name, "/proc/%d/fd/not-there", pid);
		CHECK(access(name, F_OK) < 0);
		CHECK(EXITED(wait_status(pid), 0));
	}
	CHECK(read_file("/proc/meminfo", b, sizeof(b)) > 0);
	CHECK(atol(strstr(b, "Slab:") + 5) - before < 512);
}

/* Names that are made up on each look-up, or not kept: O_CREAT finds them as any other. */
TEST(creating_what_is_there)
{
	static const char *const there[] = { "/proc/self/maps", "/proc/self/fd/1", "/proc/self/cmdline", "/proc/meminfo", "/proc/1/stat" };
	for (unsigned i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
		int fd = open(there[i], O_RDONLY | O_CREAT, 0600);
		CHECK(fd >= 0);
		close(fd);
		CHECK_ERR(open(there[i], O_RDONLY | O_CREAT | O_EXCL, 0600), EEXIST);
	}
	CHECK_ERR(open("/proc/self/none", O_RDWR | O_CREAT, 0600), ENOENT);
	CHECK_ERR(open("/proc/none", O_RDWR | O_CREAT, 0600), ENOENT);
}

/* A thread has no threads: who walks /proc would never come to its end. */
TEST(threads_have_no_directory_of_threads)
{
	char name[64];
	struct stat st;
	snprintf(name, sizeof(name), "/proc/self/task/%d/task", getpid());
	CHECK_ERR(stat(name, &st), ENOENT);
	snprintf(name, sizeof(name), "/proc/self/task/%d/coredump_filter", getpid());
	CHECK_ERR(stat(name, &st), ENOENT);
	snprintf(name, sizeof(name), "/proc/self/task/%d", getpid());
	DIR *d = opendir(name);
	CHECK(d);
	for (struct dirent *e; (e = readdir(d)); )
		CHECK(strcmp(e->d_name, "task") && strcmp(e->d_name, "coredump_filter"));
	CHECK_EQ(closedir(d), 0);
	CHECK_EQ(stat("/proc/self/task", &st), 0);
}

/* The number that readdir gives `name` in `dir`. */
static unsigned long listed(const char *dir, const char *name)
{
	unsigned long ino = 0;
	DIR *d = opendir(dir);
	CHECK(d);
	for (struct dirent *e; (e = readdir(d)); )
		if (!strcmp(e->d_name, name)) ino = e->d_ino;
	CHECK_EQ(closedir(d), 0);
	return ino;
}

/* ls -R and find take a directory that bears the number of one above it for a loop. */
TEST(files_have_numbers_of_their_own)
{
	static const struct { const char *dir, *name; } files[] = {
		{ "/proc", "%d" }, { "/proc/%d", "task" }, { "/proc/%d", "fd" }, { "/proc/%d", "fdinfo" }, { "/proc/%d", "net" }, { "/proc/%d", "status" },
		{ "/proc/%d/fd", "0" }, { "/proc/%d/fd", "1" }, { "/proc/%d/fdinfo", "0" }, { "/proc/%d/fdinfo", "1" },
		{ "/proc/%d/task", "%d" }, { "/proc/%1$d/task/%1$d", "fd" }, { "/proc/%1$d/task/%1$d", "fdinfo" }, { "/proc/%1$d/task/%1$d", "net" },
		{ "/proc/%1$d/task/%1$d", "status" }, { "/proc/%1$d/task/%1$d/fd", "0" }, { "/proc/%1$d/task/%1$d/fdinfo", "0" },
	};
	enum { N = sizeof(files) / sizeof(files[0]) };
	char dir[64], name[64], path[160];
	struct stat st[N];
	int fd[N];
	for (int n = 0; n < N; n++) {
		snprintf(dir, sizeof(dir), files[n].dir, getpid());
		snprintf(name, sizeof(name), files[n].name, getpid());
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		CHECK((fd[n] = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC)) >= 0);	/* Linux's last as long as they are held */
		CHECK_EQ(fstat(fd[n], &st[n]), 0);
		CHECK_EQ(listed(dir, name), st[n].st_ino);
		for (int other = 0; other < n; other++) CHECK(st[other].st_ino != st[n].st_ino);
	}
	for (int n = 0; n < N; n++) CHECK_EQ(close(fd[n]), 0);
}
