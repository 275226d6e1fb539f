/* uname, sysinfo, limits, random, log, prctl, and their kin. */
#include "tap.h"
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sysinfo.h>

TEST(uname_fields)
{
	struct utsname u;
	CHECK(uname(&u) == 0);
	CHECK(!strcmp(u.sysname, "Linux") && !strncmp(u.release, "6.1.", 4) && !strcmp(u.machine, "aarch64"));
	CHECK(sethostname("here", 4) == 0 && uname(&u) == 0 && !strcmp(u.nodename, "here"));
	CHECK(syscall(SYS_setdomainname, "there", 5) == 0 && uname(&u) == 0 && !strcmp(u.domainname, "there"));
	char long_name[100];
	memset(long_name, 'x', 100);
	CHECK_ERR(sethostname(long_name, 65), EINVAL);
	CHECK_ERR(sethostname(long_name, -1), EINVAL);
	CHECK(sethostname(long_name, 64) == 0);
}

TEST(sysinfo_fields)
{
	struct sysinfo s;
	CHECK(sysinfo(&s) == 0);
	CHECK(s.totalram > s.freeram && s.freeram > 0 && s.mem_unit >= 1 && s.procs >= 1);
}

TEST(limits)
{
	struct rlimit a, b, n = { 50, 100 };
	for (int i = 0; i < RLIMIT_NLIMITS; i++) CHECK(getrlimit(i, &a) == 0 && a.rlim_cur <= a.rlim_max);
	CHECK_ERR(getrlimit(99, &a), EINVAL);
	CHECK(prlimit(0, RLIMIT_NOFILE, &n, &b) == 0 && b.rlim_cur == 1024);
	CHECK(getrlimit(RLIMIT_NOFILE, &a) == 0 && a.rlim_cur == 50 && a.rlim_max == 100);
	n.rlim_cur = 200;
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &n), EINVAL);
	CHECK_ERR(syscall(SYS_prlimit64, 99999, RLIMIT_NOFILE, 0, &a), ESRCH);
	n = (struct rlimit){ 10, 10 };
	CHECK(setrlimit(RLIMIT_NOFILE, &n) == 0);
	int fd, last = -1;
	while ((fd = dup(0)) >= 0) last = fd;
	CHECK(errno == EMFILE && last == 9);
	pid_t pid = fork();
	if (pid == 0) { getrlimit(RLIMIT_NOFILE, &a); _exit(a.rlim_cur == 10 ? 0 : 1); }
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(cpu_limit_kills)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit rl = { 1, 2 };
		setrlimit(RLIMIT_CPU, &rl);
		for (;;) ;
	}
	CHECK(KILLED(wait_status(pid), SIGXCPU));
}

TEST(random)
{
	unsigned char a[256], b[256];
	int zero = 0;
	CHECK(getrandom(a, 256, 0) == 256 && getrandom(b, 256, GRND_NONBLOCK) == 256);
	CHECK(memcmp(a, b, 256));
	for (int i = 0; i < 256; i++) zero += a[i] == 0;
	CHECK(zero < 20);
	CHECK_EQ(getrandom(a, 0, 0), 0);
	CHECK_ERR(getrandom(a, 1, 0x77), EINVAL);
}

TEST(log)
{
	static char b[1 << 20];
	int n = klogctl(10, NULL, 0);
	CHECK(n > 0);
	CHECK(klogctl(3, b, sizeof(b)) > 0);
	CHECK(b[0] == '<');
	CHECK_ERR(klogctl(99, NULL, 0), EINVAL);
	CHECK_ERR(klogctl(3, NULL, 10), EINVAL);
	CHECK_ERR(klogctl(3, b, -1), EINVAL);
	int fd = open("/dev/kmsg", O_RDWR | O_NONBLOCK);
	CHECK(fd >= 0);
	CHECK(write(fd, "<4>marker from the test\n", 24) == 24);
	lseek(fd, 0, SEEK_SET);
	int found = 0, r;
	char line[2048];
	while ((r = read(fd, line, sizeof(line) - 1)) > 0) {
		line[r] = 0;
		if (strstr(line, ";marker from the test\n")) { found = 1; CHECK(atoi(line) == 12); }
	}
	CHECK(errno == EAGAIN && found);
}

TEST(prctl_calls)
{
	char name[20] = "";
	int sig;
	CHECK(prctl(PR_SET_NAME, "a name longer than fifteen") == 0);
	CHECK(prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "a name longer t"));
	CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0 && prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == SIGUSR1);
	CHECK_ERR(prctl(PR_SET_PDEATHSIG, 99), EINVAL);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_GET_DUMPABLE) == 0);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 9), EINVAL);
	CHECK_ERR(prctl(12345), EINVAL);
}

TEST(parent_death_signal)
{
	int p[2];
	char c;
	CHECK(pipe(p) == 0);
	pid_t mid = fork();
	if (mid == 0) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			write(p[1], "r", 1);
			for (;;) pause();
		}
		read(p[0], &c, 1);
		_exit(0);
	}
	CHECK(EXITED(wait_status(mid), 0));
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 0);		/* the grandchild is gone */
}

TEST(personality_and_umask)
{
	CHECK_EQ(syscall(SYS_personality, 0xffffffff), 0);
	CHECK_EQ(syscall(SYS_personality, 0x0040000 /* ADDR_NO_RANDOMIZE */), 0);
	CHECK_EQ(syscall(SYS_personality, 0xffffffff), 0x0040000);
	CHECK_EQ(syscall(SYS_personality, 0), 0x0040000);
	mode_t old = umask(0123);
	CHECK_EQ(umask(old), 0123);
	CHECK_EQ(umask(07777), old);
	CHECK_EQ(umask(0), 0777);
}

TEST(reboot_magic)
{
	CHECK_ERR(syscall(SYS_reboot, 1, 2, 3, 0), EINVAL);
	CHECK_ERR(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x12345, 0), EINVAL);
	CHECK(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0) == 0);	/* ctrl-alt-del off */
}

TEST(membarrier)
{
	long q = syscall(SYS_membarrier, 0, 0, 0);
	CHECK((q & 0x7f) == 0x7f);
	CHECK(syscall(SYS_membarrier, 1, 0, 0) == 0 && syscall(SYS_membarrier, 2, 0, 0) == 0);
	CHECK_ERR(syscall(SYS_membarrier, 8, 0, 0), EPERM);		/* private: not registered */
	CHECK_ERR(syscall(SYS_membarrier, 32, 0, 0), EPERM);
	CHECK(syscall(SYS_membarrier, 4, 0, 0) == 0 && syscall(SYS_membarrier, 16, 0, 0) == 0);
	CHECK(syscall(SYS_membarrier, 8, 0, 0) == 0);
	CHECK_ERR(syscall(SYS_membarrier, 32, 0, 0), EPERM);
	CHECK(syscall(SYS_membarrier, 64, 0, 0) == 0 && syscall(SYS_membarrier, 32, 0, 0) == 0);
	CHECK_ERR(syscall(SYS_membarrier, 0x10000, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_membarrier, 3, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_membarrier, 1, 1, 0), EINVAL);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) _exit(syscall(SYS_membarrier, 8, 0, 0) == 0 ? 5 : 1);	/* a fork is registered too */
	CHECK(EXITED(wait_status(pid), 5));
}

TEST(sync_calls)
{
	sync();
	int fd = open("/tmp", O_RDONLY);
	CHECK(fsync(fd) == 0 && syncfs(fd) == 0);
	int p[2];
	pipe(p);
	CHECK_ERR(fsync(p[0]), EINVAL);
}
