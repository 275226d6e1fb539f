/* /proc/<pid>/stat and status, field by field. */
#include "../tap.h"
#include <grp.h>
#include <pthread.h>

static char b[65536];

static void load(const char *path)
{
	CHECK(read_file(path, b, sizeof(b)) > 0);
}

/* Field n of the stat line, 1 the number, after the name. */
static long stat_field(const char *path, int n)
{
	load(path);
	char *p = strrchr(b, ')');
	CHECK(p && n > 3);
	p += 2;
	for (int i = 3; i < n; i++) {
		p = strchr(p, ' ');
		CHECK(p);
		p++;
	}
	return strtol(p, NULL, 10);
}

static long status_field(const char *name)
{
	char key[64];
	snprintf(key, sizeof(key), "\n%s:\t", name);
	char *p = strstr(b, key);
	if (!p) printf("# no %s\n", name);
	CHECK(p);
	return strtol(p + strlen(key), NULL, 10);
}

TEST(status_lines_stand_in_order)
{
	static const char *const lines[] = {
		"Umask", "State", "Tgid", "Ngid", "Pid", "PPid", "TracerPid", "Uid", "Gid", "FDSize", "Groups", "NStgid", "NSpid", "NSpgid", "NSsid",
		"VmPeak", "VmSize", "VmLck", "VmPin", "VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem", "VmData", "VmStk", "VmExe", "VmLib",
		"VmSwap", "CoreDumping", "THP_enabled", "Threads", "SigQ", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm",
		"CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Cpus_allowed", "Cpus_allowed_list", "Mems_allowed", "Mems_allowed_list",
		"voluntary_ctxt_switches", "nonvoluntary_ctxt_switches",
	};
	load("/proc/self/status");
	CHECK(!strncmp(b, "Name:\tstatus\n", 13));
	char *at = b;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char key[64];
		snprintf(key, sizeof(key), "\n%s:\t", lines[i]);
		char *p = strstr(at, key);
		if (!p) printf("# %s\n", lines[i]);
		CHECK(p);
		at = p;
	}
}

TEST(memory_of_status)
{
	load("/proc/self/status");
	long size = status_field("VmSize"), exe = status_field("VmExe"), lib = status_field("VmLib");
	CHECK(exe > 0 && exe < 1024 && lib >= 0 && lib <= 64);		/* a static program */
	CHECK(status_field("VmPeak") >= size && status_field("VmHWM") >= status_field("VmRSS"));
	CHECK_EQ(status_field("VmRSS"), status_field("RssAnon") + status_field("RssFile") + status_field("RssShmem"));
	char *p = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	load("/proc/self/status");
	CHECK_EQ(status_field("VmSize"), size + 16384);
	munmap(p, 16 << 20);
	load("/proc/self/status");
	CHECK_EQ(status_field("VmSize"), size);
	CHECK(status_field("VmPeak") >= size + 16384);
}

TEST(groups_and_umask)
{
	gid_t g[3] = { 7, 20, 300 };
	umask(027);
	if (geteuid())
		SKIP("needs root");
	CHECK(setgroups(3, g) == 0);
	load("/proc/self/status");
	CHECK(strstr(b, "\nGroups:\t7 20 300 \n"));
	CHECK(strstr(b, "\nUmask:\t0027\n"));
	CHECK(setgroups(0, NULL) == 0);
	load("/proc/self/status");
	CHECK(strstr(b, "\nGroups:\t \n"));
}

TEST(signal_masks)
{
	sigset_t m;
	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	sigaddset(&m, SIGTERM);
	sigprocmask(SIG_BLOCK, &m, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR2, tap_alarm);
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	kill(getpid(), SIGTERM);
	CHECK_EQ(stat_field("/proc/self/stat", 31), 1 << (SIGUSR1 - 1));	/* pending: the thread's own */
	CHECK_EQ(stat_field("/proc/self/stat", 32), 1 << (SIGUSR1 - 1) | 1 << (SIGTERM - 1));
	CHECK_EQ(stat_field("/proc/self/stat", 33) & 1, 1);			/* SIGHUP */
	CHECK(stat_field("/proc/self/stat", 34) & 1 << (SIGUSR2 - 1));
	load("/proc/self/status");
	CHECK(strstr(b, "\nSigPnd:\t0000000000000200\n") && strstr(b, "\nShdPnd:\t0000000000004000\n"));
	CHECK(strstr(b, "\nSigBlk:\t0000000000004200\n"));
}

TEST(a_zombie_in_stat)
{
	char path[64];
	pid_t pid = fork();
	if (pid == 0)
		_exit(7);
	siginfo_t si;
	CHECK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT) == 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	CHECK_EQ(stat_field(path, 52), 7 << 8);		/* its exit code */
	CHECK_EQ(stat_field(path, 4), getpid());
	CHECK_EQ(stat_field(path, 23), 0);		/* no memory */
	CHECK_EQ(stat_field(path, 38), SIGCHLD);
	load(path);
	CHECK(strstr(b, ") Z "));
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	load(path);
	CHECK(strstr(b, "\nState:\tZ (zombie)\n") && !strstr(b, "\nVmSize") && !strstr(b, "\nUmask"));
	CHECK_EQ(status_field("FDSize"), 0);
	CHECK(EXITED(wait_status(pid), 7));
}

static int go[2], done[2];
static void *other(void *arg)
{
	char c;
	clock_t end;
	struct timespec t;
	(void)arg;
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
		end = t.tv_sec * 1000 + t.tv_nsec / 1000000;
	} while (end < 300);
	*(int *)arg = syscall(SYS_gettid);
	CHECK(write(done[1], "x", 1) == 1);
	CHECK(read(go[0], &c, 1) == 1);
	return NULL;
}

TEST(threads_are_told_apart)
{
	pthread_t t;
	int tid;
	char c, path[64];
	CHECK(pipe(go) == 0 && pipe(done) == 0);
	CHECK(pthread_create(&t, NULL, other, &tid) == 0);
	CHECK(read(done[0], &c, 1) == 1);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	long theirs = stat_field(path, 14) + stat_field(path, 15);
	CHECK(theirs >= 29);
	CHECK_EQ(stat_field(path, 20), 2);
	CHECK_EQ(stat_field(path, 38), -1);		/* no signal when a thread ends */
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	long mine = stat_field(path, 14) + stat_field(path, 15);
	CHECK(mine < theirs);
	/* Both are in the process's.  Each field is cut to whole ticks, so of two fields one tick may be missing. */
	CHECK(stat_field("/proc/self/stat", 14) + stat_field("/proc/self/stat", 15) + 1 >= theirs + mine);
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	load(path);
	CHECK_EQ(status_field("Pid"), tid);
	CHECK_EQ(status_field("Tgid"), getpid());
	CHECK(write(go[1], "x", 1) == 1);
	pthread_join(t, NULL);
}

TEST(addresses_are_for_the_owner)
{
	char path[64];
	if (geteuid())
		SKIP("needs root");
	CHECK(stat_field("/proc/self/stat", 26) > 0 && stat_field("/proc/self/stat", 28) > 0 && stat_field("/proc/self/stat", 45) > 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", getppid());
	CHECK(stat_field(path, 26) > 1);
	CHECK(setresuid(5500, 5500, 5500) == 0);
	CHECK(stat_field(path, 26) <= 1);
	CHECK_EQ(stat_field(path, 28), 0);
	CHECK_EQ(stat_field(path, 48), 0);
	CHECK(stat_field(path, 23) > 0);
}

TEST(priority_and_policy)
{
	int sp = 5;
	CHECK_EQ(stat_field("/proc/self/stat", 18), 20);
	CHECK_EQ(nice(3), 3);
	CHECK_EQ(stat_field("/proc/self/stat", 18), 23);
	CHECK_EQ(stat_field("/proc/self/stat", 19), 3);
	if (geteuid())
		SKIP("needs root");
	CHECK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp) == 0);
	CHECK_EQ(stat_field("/proc/self/stat", 18), -6);
	CHECK_EQ(stat_field("/proc/self/stat", 40), 5);
	CHECK_EQ(stat_field("/proc/self/stat", 41), SCHED_FIFO);
}
