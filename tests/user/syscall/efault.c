/* Wild pointers: a named errno from each call that takes one, and survival over the whole table. */
#include "tap.h"
#include <sys/epoll.h>
#include <sys/socket.h>

#define P 0x5eed5eedL		/* stands for the wild pointer in the table below */
#define FD (-100001L)		/* a readable and writable file */
#define PIPE (-100002L)		/* a pipe's reading end holding data */
#define EP (-100003L)		/* an epoll descriptor */
#define SOCK (-100007L)		/* a socket with a peer, where a byte waits */
#define PATH (-100004L)		/* the string "." */

static const struct row { const char *name; long nr; long a[6]; } rows[] = {
	{ "read", SYS_read, { FD, P, 8 } },
	{ "write", SYS_write, { FD, P, 8 } },
	{ "pread64", SYS_pread64, { FD, P, 8, 0 } },
	{ "pwrite64", SYS_pwrite64, { FD, P, 8, 0 } },
	{ "readv", SYS_readv, { FD, P, 2 } },
	{ "writev", SYS_writev, { FD, P, 2 } },
	{ "preadv", SYS_preadv, { FD, P, 2, 0, 0 } },
	{ "pwritev", SYS_pwritev, { FD, P, 2, 0, 0 } },
	{ "pipe read", SYS_read, { PIPE, P, 4 } },
	{ "openat", SYS_openat, { AT_FDCWD, P, O_RDONLY, 0 } },
	{ "mkdirat", SYS_mkdirat, { AT_FDCWD, P, 0777 } },
	{ "mknodat", SYS_mknodat, { AT_FDCWD, P, S_IFREG, 0 } },
	{ "unlinkat", SYS_unlinkat, { AT_FDCWD, P, 0 } },
	{ "symlinkat old", SYS_symlinkat, { P, AT_FDCWD, PATH } },
	{ "symlinkat new", SYS_symlinkat, { PATH, AT_FDCWD, P } },
	{ "linkat old", SYS_linkat, { AT_FDCWD, P, AT_FDCWD, PATH, 0 } },
	{ "linkat new", SYS_linkat, { AT_FDCWD, PATH, AT_FDCWD, P, 0 } },
	{ "renameat2", SYS_renameat2, { AT_FDCWD, P, AT_FDCWD, PATH, 0 } },
	{ "statfs path", SYS_statfs, { P, PATH } },
	{ "statfs buf", SYS_statfs, { PATH, P } },
	{ "fstatfs", SYS_fstatfs, { FD, P } },
	{ "truncate", SYS_truncate, { P, 0 } },
	{ "faccessat", SYS_faccessat, { AT_FDCWD, P, 0 } },
	{ "chdir", SYS_chdir, { P } },
	{ "chroot", SYS_chroot, { P } },
	{ "fchmodat", SYS_fchmodat, { AT_FDCWD, P, 0600 } },
	{ "fchownat", SYS_fchownat, { AT_FDCWD, P, 0, 0, 0 } },
	{ "newfstatat path", SYS_newfstatat, { AT_FDCWD, P, PATH, 0 } },
	{ "newfstatat buf", SYS_newfstatat, { AT_FDCWD, PATH, P, 0 } },
	{ "fstat", SYS_fstat, { FD, P } },
	{ "statx path", SYS_statx, { AT_FDCWD, P, 0, 0x7ff, PATH } },
	{ "statx buf", SYS_statx, { AT_FDCWD, PATH, 0, 0x7ff, P } },
	{ "readlinkat", SYS_readlinkat, { AT_FDCWD, P, PATH, 8 } },
	{ "utimensat", SYS_utimensat, { AT_FDCWD, PATH, P, 0 } },
	{ "getcwd", SYS_getcwd, { P, 4096 } },
	{ "pipe2", SYS_pipe2, { P, 0 } },
	{ "ppoll", SYS_ppoll, { P, 2, 0, 0, 0 } },
	{ "pselect6", SYS_pselect6, { 8, P, 0, 0, 0, 0 } },
	{ "epoll_ctl", SYS_epoll_ctl, { EP, EPOLL_CTL_ADD, PIPE, P } },
	{ "fcntl getlk", SYS_fcntl, { FD, F_GETLK, P } },
	{ "fcntl setlk", SYS_fcntl, { FD, F_SETLK, P } },
	{ "socketpair", SYS_socketpair, { 1, 1, 0, P } },
	{ "bind", SYS_bind, { SOCK, P, 16 } },
	{ "connect", SYS_connect, { SOCK, P, 16 } },
	{ "getsockname addr", SYS_getsockname, { SOCK, P, PATH } },
	{ "getsockname len", SYS_getsockname, { SOCK, PATH, P } },
	{ "getpeername", SYS_getpeername, { SOCK, PATH, P } },
	{ "sendto", SYS_sendto, { SOCK, P, 8, 0, 0, 0 } },
	{ "sendto addr", SYS_sendto, { SOCK, PATH, 1, 0, P, 16 } },
	{ "recvfrom", SYS_recvfrom, { SOCK, P, 8, 0, 0, 0 } },
	{ "sendmsg", SYS_sendmsg, { SOCK, P, 0 } },
	{ "recvmsg", SYS_recvmsg, { SOCK, P, 0 } },
	{ "sendmmsg", SYS_sendmmsg, { SOCK, P, 2, 0 } },
	{ "recvmmsg", SYS_recvmmsg, { SOCK, P, 2, 0, 0 } },
	{ "recvmmsg timeout", SYS_recvmmsg, { SOCK, PATH, 2, 0, P } },
	{ "setsockopt", SYS_setsockopt, { SOCK, 1, 8, P, 4 } },
	{ "getsockopt value", SYS_getsockopt, { SOCK, 1, 3, P, PATH } },
	{ "getsockopt len", SYS_getsockopt, { SOCK, 1, 3, PATH, P } },
	{ "seccomp filter", SYS_seccomp, { 1, 0, P } },
	{ "seccomp action", SYS_seccomp, { 2, 0, P } },
	{ "seccomp sizes", SYS_seccomp, { 3, 0, P } },
	{ "prctl seccomp", SYS_prctl, { 22, 2, P, 0, 0 } },
	{ "execve", SYS_execve, { P, 0, 0 } },
	{ "execve argv", SYS_execve, { PATH, P, 0 } },
	{ "wait4", SYS_wait4, { -1, 0, 0, 0 } },	/* ECHILD: see below */
	{ "rt_sigaction act", SYS_rt_sigaction, { SIGUSR1, P, 0, 8 } },
	{ "rt_sigaction old", SYS_rt_sigaction, { SIGUSR1, 0, P, 8 } },
	{ "rt_sigprocmask set", SYS_rt_sigprocmask, { 0, P, 0, 8 } },
	{ "rt_sigprocmask old", SYS_rt_sigprocmask, { 0, 0, P, 8 } },
	{ "rt_sigpending", SYS_rt_sigpending, { P, 8 } },
	{ "rt_sigsuspend", SYS_rt_sigsuspend, { P, 8 } },
	{ "rt_sigtimedwait", SYS_rt_sigtimedwait, { P, 0, 0, 8 } },
	{ "rt_sigqueueinfo", SYS_rt_sigqueueinfo, { 1, SIGUSR1, P } },
	{ "sigaltstack", SYS_sigaltstack, { P, 0 } },
	{ "sigaltstack old", SYS_sigaltstack, { 0, P } },
	{ "nanosleep", SYS_nanosleep, { P, 0 } },
	{ "clock_nanosleep", SYS_clock_nanosleep, { CLOCK_MONOTONIC, 0, P, 0 } },
	{ "clock_gettime", SYS_clock_gettime, { CLOCK_MONOTONIC, P } },
	{ "clock_getres", SYS_clock_getres, { CLOCK_MONOTONIC, P } },
	{ "gettimeofday", SYS_gettimeofday, { P, 0 } },
	{ "setitimer", SYS_setitimer, { ITIMER_REAL, P, 0 } },
	{ "getitimer", SYS_getitimer, { ITIMER_REAL, P } },
	{ "timer_create", SYS_timer_create, { CLOCK_MONOTONIC, P, P } },
	{ "times", SYS_times, { P } },
	{ "uname", SYS_uname, { P } },
	{ "sysinfo", SYS_sysinfo, { P } },
	{ "getrusage", SYS_getrusage, { RUSAGE_SELF, P } },
	{ "prlimit64 new", SYS_prlimit64, { 0, RLIMIT_NOFILE, P, 0 } },
	{ "prlimit64 old", SYS_prlimit64, { 0, RLIMIT_NOFILE, 0, P } },
	{ "getrandom", SYS_getrandom, { P, 16, 0 } },
	{ "getgroups", SYS_setgroups, { 4, P } },
	{ "getresuid", SYS_getresuid, { P, P, P } },
	{ "getresgid", SYS_getresgid, { P, P, P } },
	{ "sethostname", SYS_sethostname, { P, 4 } },
	{ "futex wait", SYS_futex, { P & ~3L, 0, 0, 0, 0, 0 } },
	{ "sched_setparam", SYS_sched_setparam, { 0, P } },
	{ "sched_getparam", SYS_sched_getparam, { 0, P } },
	{ "sched_setaffinity", SYS_sched_setaffinity, { 0, 8, P } },
	{ "sched_getaffinity", SYS_sched_getaffinity, { 0, 128, P } },
	{ "sched_rr_get_interval", SYS_sched_rr_get_interval, { 0, P } },
	{ "capget", SYS_capget, { P, P } },
	{ "capset", SYS_capset, { P, P } },
	{ "mincore", SYS_mincore, { -200000L, 4096, P } },
	{ "prctl name", SYS_prctl, { PATH - 1, P } },	/* PR_SET_NAME: replaced below */
	{ "getdents64", SYS_getdents64, { -100005L, P, 1024 } },
	{ "sendfile off", SYS_sendfile, { FD, FD, P, 8 } },
	{ "ioctl winsize", SYS_ioctl, { -100006L, TIOCGWINSZ, P } },
	{ "ioctl tcgets", SYS_ioctl, { -100006L, TCGETS, P } },
};

static const unsigned long wild[] = {
	0x10, 0x1000, 0x7fffffff0000, 0x0000ffffffffe000, 0x0001000000000000, 0x0080000000000000,
	0x00ffffffffffffff & ~15ul, 0xff00000000001000, 0xffff000000000000, 0xffff800008000000, 0xffff800010000000,
	0xffffffc008000000, 0xfffffffffffff000, 0xfffffffffffffff0,
};

static int file, pfd[2], sock[2], ep, dir, pty;
static char here[] = ".", *page;

static long substitute(long a, unsigned long w)
{
	switch (a) {
	case P: return w;
	case P & ~3L: return w & ~3ul;
	case FD: return file;
	case PIPE: return pfd[0];
	case EP: return ep;
	case SOCK: return sock[0];
	case PATH: return (long)here;
	case -100005L: return dir;
	case -100006L: return pty;
	case -200000L: return (long)page;
	}
	return a;
}

static void prepare(void)
{
	scratch();
	file = open("f", O_RDWR | O_CREAT, 0600);
	CHECK(write(file, "0123456789abcdef0123456789abcdef", 32) == 32);
	CHECK(pipe(pfd) == 0);
	CHECK(write(pfd[1], "0123456789", 10) == 10);
	ep = epoll_create1(0);
	CHECK(ep >= 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sock) == 0);
	CHECK(write(sock[1], "0123456789", 10) == 10);
	dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	pty = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

TEST(every_named_call_gives_efault)
{
	int bad = 0;
	prepare();
	for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		const struct row *row = &rows[r];
		if (!strcmp(row->name, "wait4") || !strcmp(row->name, "prctl name"))
			continue;
		if (row->a[0] == -100006L && pty < 0)
			continue;
		for (unsigned w = 0; w < sizeof(wild) / sizeof(wild[0]); w++) {
			long a[6];
			for (int i = 0; i < 6; i++)
				a[i] = substitute(row->a[i], wild[w]);
			lseek(file, 0, SEEK_SET);
			lseek(dir, 0, SEEK_SET);
			errno = 0;
			long ret = syscall(row->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
			if (ret != -1 || errno != EFAULT) {
				printf("# %s(%#lx) gives %ld errno %d\n", row->name, wild[w], ret, errno);
				bad++;
			}
		}
	}
	CHECK_EQ(bad, 0);
}

TEST(read_stops_at_the_hole)
{
	/* What fits before the bad page is delivered. */
	prepare();
	char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(munmap(two + 4096, 4096) == 0);
	lseek(file, 0, SEEK_SET);
	CHECK_EQ(read(file, two + 4096 - 8, 8), 8);
	CHECK(memcmp(two + 4088, "01234567", 8) == 0);
	CHECK_ERR(read(file, two + 4096, 8), EFAULT);
	lseek(file, 0, SEEK_SET);
	ssize_t n = read(file, two + 4096 - 4, 16);
	CHECK((n >= 0 && n <= 4) || (n == -1 && errno == EFAULT));
	/* A file position does not move past what was delivered. */
	CHECK_EQ(lseek(file, 0, SEEK_CUR), n < 0 ? 0 : n);
}

TEST(read_into_read_only_memory)
{
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	prepare();
	lseek(file, 0, SEEK_SET);
	CHECK_ERR(read(file, ro, 8), EFAULT);
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_REALTIME, ro), EFAULT);
	char *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_ERR(write(file, none, 8), EFAULT);
	CHECK_ERR(open(none, O_RDONLY), EFAULT);
}

TEST(tagged_pointer_is_efault)
{
	prepare();
	char *tagged = (char *)((unsigned long)page | (0x5aul << 56));
	CHECK_ERR(read(file, tagged, 8), EFAULT);
}

/* Calls that would end or reshape the test itself. */
static bool dangerous(long nr)
{
	switch (nr) {
	case SYS_exit: case SYS_exit_group: case SYS_rt_sigreturn: case SYS_reboot: case SYS_kill:
	case SYS_tkill: case SYS_tgkill: case SYS_rt_sigsuspend: case SYS_vhangup:
	case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo: case SYS_clone: case 435: case SYS_shutdown:
	case SYS_setrlimit: case SYS_prlimit64: case SYS_sethostname: case SYS_setdomainname:
	case SYS_settimeofday: case SYS_clock_settime: case SYS_adjtimex: case SYS_clock_adjtime:
	case SYS_syslog: case SYS_setsid: case SYS_swapoff: case SYS_kexec_load: case 294: case SYS_acct:
	case SYS_umount2: case SYS_pivot_root: case SYS_init_module: case SYS_finit_module: case SYS_delete_module:
		return true;
	}
	return false;
}

static void whole_table(unsigned long value, bool fds_too)
{
	for (long nr = 0; nr < 460; nr++) {
		if (dangerous(nr))
			continue;
		fflush(stdout);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			alarm(2);
			syscall(nr, fds_too ? value : (unsigned long)file, value, value, value, value, value);
			_exit(0);
		}
		int st = wait_status(pid);
		if (!WIFEXITED(st) && !WIFSIGNALED(st)) {
			printf("# call %ld: odd status %#x\n", nr, st);
			CHECK(0);
		}
	}
}

TEST(whole_table_kernel_pointer) { prepare(); whole_table(0xffff800008000000, true); }
TEST(whole_table_unmapped) { prepare(); whole_table(0x1000, true); }
TEST(whole_table_all_ones) { prepare(); whole_table(-1ul, true); }
TEST(whole_table_zero) { prepare(); whole_table(0, true); }
TEST(whole_table_min) { prepare(); whole_table(1ul << 63, true); }
TEST(whole_table_good_fd_wild_rest) { prepare(); whole_table(0x7ffffffffff8, false); }
TEST(whole_table_bad_fd)
{
	prepare();
	whole_table(12345, true);
}
