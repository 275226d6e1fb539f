/* Random system calls with random arguments, drawn by kind from the kernel's own table.
 *
 * As init of a guest thrown away afterwards.  A round is a seed: a few hundred calls, made by a child as an ordinary user (odd seeds)
 * or as root without the power to reboot (even seeds); a child that dies of what it did to itself is followed by another until the
 * round has made its calls.  A timer of 20 ms gets it out of calls that sleep.  A round that does not end in 3 s is killed; one whose
 * processes outlive SIGKILL by 10 s hangs in the kernel: FUZZ STUCK, with what /proc says of each.  Every round prints its seed with
 * fuzzverbose=1, every twentieth without; `fuzzseed=N fuzzrounds=1` repeats round N.  The kernel passes when FUZZ DONE is reached.
 * One call in five is one of sockets.h, on sockets that each child opens; with fuzzsockets=1 seven of eight.
 * Environment: fuzzseed, fuzzrounds, fuzzseconds, fuzzas (user, root; both if absent), fuzzsockets, fuzzverbose.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { K_NONE, K_FD, K_INT, K_SIZE, K_PID, K_ID, K_FLAGS, K_SIG, K_CLOCK, K_PATH, K_PTR };
#include "syscall_fuzz.h"
#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))
#define CALLS_A_ROUND 400
#define GENERATIONS 40

static uint64_t state;
static uint64_t rnd(void)
{
	state ^= state << 13; state ^= state >> 7; state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull;
}
static uint64_t below(uint64_t n) { return rnd() % n; }

static char *good;		/* two writable pages, then nothing */
static char *shared_page;
static int null;			/* /dev/null, opened before anybody could unmount it */
static volatile uint32_t *made;	/* calls made in this round, shared with the children */
static const char *const paths[] = { "/tmp/a", "/tmp/b/c", ".", "..", "/", "/proc/self/stat", "/proc/self/mem", "/dev/null",
	"/dev/zero", "/dev/ptmx", "/dev/tty", "/proc/self/fd/3", "/tmp", "/proc", "/dev/urandom", "/dev/full", "/proc/self/maps",
	"", "/tmp/fifo", "/tmp/link", "/proc/self/exe", "/tmp/a/b", "tmpfs", "/proc/sys/kernel/hostname", "/proc/meminfo" };

static uint64_t wild(void)
{
	static const uint64_t w[] = { 0, 1, 8, 0x1000, 0xfff, -1ull, -4096ull, 1ull << 63, 1ull << 48, (1ull << 48) - 8, 0xffff000000000000,
		0xffff800008000000, 0xffff800010000000, 0x5555555555555555, 1ull << 31, 1ull << 32, 0x7fffffff, 0x80000000, 0xffffffff };
	return w[below(sizeof(w) / sizeof(w[0]))];
}

static uint64_t number(void)
{
	switch (below(6)) {
	case 0: return wild();
	case 1: return 1ull << below(64);
	case 2: return below(16);
	case 3: return -(int64_t)below(200);
	case 4: return below(5000);
	default: return rnd() >> below(64);
	}
}

static uint64_t argument(int kind)
{
	switch (kind) {
	case K_FD: return below(8) ? below(24) : below(2) ? (uint64_t)AT_FDCWD : number();
	case K_SIZE: return below(3) ? below(8192) : number();
	case K_PID: return below(3) ? (below(2) ? 0 : (uint64_t)getpid()) : 2 + below(1000);
	case K_ID: return below(2) ? below(3000) : number();
	case K_FLAGS: return below(2) ? rnd() & rnd() & rnd() : 1ull << below(32);
	case K_SIG: return below(70);
	case K_CLOCK: return below(14);
	case K_PATH: return below(8) ? (uint64_t)paths[below(sizeof(paths) / sizeof(paths[0]))] : wild();
	case K_PTR:
		switch (below(8)) {
		case 0: return wild();
		case 1: return 0;
		case 2: return (uint64_t)good + 8192 - below(64);	/* over the edge */
		case 3: return (uint64_t)shared_page + below(4096);
		default: return (uint64_t)good + below(1024) * 8;
		}
	default: return number();
	}
}

/* Where one number in billions means something: a likely value for argument k of call nr, else v. */
static uint64_t likely_value(int nr, int k, uint64_t v)
{
	static const uint32_t ioctls[] = { 0x5401, 0x5402, 0x5403, 0x5404, 0x5405, 0x5406, 0x5407, 0x5408, 0x5409, 0x540a, 0x540b, 0x540e, 0x540f,
		0x5410, 0x5411, 0x5412, 0x5413, 0x5414, 0x5415, 0x541b, 0x541c, 0x541d, 0x5420, 0x5421, 0x5422, 0x5423, 0x5424, 0x5428, 0x5429, 0x5430,
		0x5431, 0x5432, 0x5436, 0x5437, 0x5450, 0x5451, 0x5452, 0x5480, 0x80045430, 0x40045431, 0x80045438, 0x80045439, 0x5441, 0x125d, 0x1260,
		0x80081272, 0x1, 0x2, 0x80086601, 0x40086602, 0x5207, 0x40045201, 0x80045200 };
	if (!below(8)) return v;
	switch (nr) {
	case SYS_ioctl: return k == 1 ? ioctls[below(sizeof(ioctls) / sizeof(ioctls[0]))] : below(2) ? argument(K_PTR) : v;
	case SYS_fcntl: return k == 1 ? (below(3) ? below(18) : 1024 + below(17)) : k == 2 && below(2) ? argument(K_PTR) : v;
	case SYS_ptrace: return k == 0 ? (below(3) ? 0x4200 + below(17) : below(34)) : below(2) ? argument(K_PTR) : v;
	case SYS_prctl: return k == 0 ? 1 + below(65) : below(2) ? argument(K_PTR) : v;
	case SYS_mmap: return k == 1 ? below(1 << 22) : k == 2 ? below(8) : k == 3 ? 1 + below(3) + (below(2) ? 0x20 : 0) + (below(8) ? 0 : 0x10) +
			(1ull << (8 + below(14))) * below(2) : k == 5 ? below(64) * 4096 : k == 0 ? below(2) * 0x20000000 : v;
	case SYS_madvise: case SYS_mprotect: case SYS_munmap: case SYS_mremap: case SYS_msync: case SYS_mincore: case SYS_mlock: case SYS_munlock:
		return k == 0 || (k == 4 && nr == SYS_mremap) ? 0x20000000 + below(512) * 4096 : k == 1 || (k == 2 && nr == SYS_mremap) ? below(300) * 4096 :
			k == 2 && nr == SYS_madvise ? below(26) : k == 2 && nr == SYS_mprotect ? below(8) : v;
	case SYS_mount: {
		static const char *const types[] = { "tmpfs", "proc", "devpts", "devtmpfs", "sysfs", "ramfs" };
		return k == 2 ? (uint64_t)types[below(6)] : k == 3 ? (below(2) ? 0 : 1ull << below(26)) : v;
	}
	case SYS_futex: return k == 1 ? below(14) | (below(2) ? 128 : 0) : k == 0 || k == 4 ? (uint64_t)shared_page + below(4) * 4 : k == 2 ? below(3) : v;
	case SYS_lseek: case SYS_fallocate: case SYS_setitimer: case SYS_timer_settime: case SYS_waitid: case SYS_flock: case SYS_epoll_ctl:
		return k == 1 || k == 2 ? below(10) : v;
	}
	return v;
}

#include "sockets.h"

static int forbidden(int nr)
{
	/* They end the child, or tell nothing about the kernel and stop the rest. */
	return nr == SYS_exit || nr == SYS_exit_group || nr == SYS_reboot || nr == SYS_rt_sigreturn ||
	       nr == SYS_kill || nr == SYS_vhangup || nr == SYS_syslog;
}

/* What structures are made of: anything; small numbers; pointers with lengths. */
static void fill(void)
{
	uint64_t *p = (uint64_t *)good;
	int how = below(4);
	for (int i = 0; i < 1024; i++)
		switch (how) {
		case 0: case 1: p[i] = below(4) ? number() : argument(K_PTR); break;
		case 2: p[i] = below(4) ? below(20) : below(20) << 32 | below(20); break;
		default: p[i] = i & 1 ? below(4096) : argument(K_PTR);
		}
}

static void drop_reboot(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0);
	if (syscall(SYS_capget, &h, d) == 0) {
		d[0].effective &= ~(1u << CAP_SYS_BOOT | 1u << CAP_KILL);
		d[0].permitted &= ~(1u << CAP_SYS_BOOT | 1u << CAP_KILL);
		syscall(SYS_capset, &h, d);
	}
}

static void on_tick(int s) { (void)s; }

/* The child may have changed all of this meanwhile. */
static void keep_ticking(void)
{
	struct sigaction sa = { .sa_handler = on_tick };
	struct itimerval it = { { 0, 20000 }, { 0, 20000 } };
	sigset_t set;
	sigemptyset(&set); sigaddset(&set, SIGALRM);
	sigaction(SIGALRM, &sa, NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static void child(int user, int sockets)
{
	struct rlimit as = { 256 << 20, 256 << 20 }, np = { 60, 60 }, fs = { 1 << 20, 1 << 20 }, cpu = { 3, 4 };
	int p[2];
	setsid();
	setrlimit(RLIMIT_AS, &as); setrlimit(RLIMIT_FSIZE, &fs); setrlimit(RLIMIT_CPU, &cpu); setrlimit(RLIMIT_NPROC, &np);
	for (int i = 3; i < 6; i++) open(paths[below(8)], O_RDWR);
	pipe(p);
	open("/dev/ptmx", O_RDWR | O_NOCTTY);
	open("/tmp/a", O_RDWR | O_CREAT, 0666);
	open_sockets();
	dup2(null, 0); dup2(null, 1); dup2(null, 2);
	if (user) {
		syscall(SYS_setresgid, 1000, 1000, 1000);
		syscall(SYS_setresuid, 1000, 1000, 1000);
	} else
		drop_reboot();
	for (int i = 0; *made < CALLS_A_ROUND; i++, ++*made) {
		const struct call *c = &calls[below(NR_CALLS)];
		uint64_t a[6];
		if (!(i & 15)) { fill(); keep_ticking(); }
		if ((below(sockets ? 8 : 5) == 0) != sockets) { socket_call(); continue; }
		for (int k = 0; k < 6; k++)
			a[k] = k < c->n ? likely_value(c->nr, k, argument(c->kind[k])) : number();
		if (!below(40)) a[below(6)] = wild();
		if (forbidden(c->nr)) continue;
		if (c->nr == SYS_clone || c->nr == 435) {	/* a fork only: another stack would run nowhere */
			static const uint32_t shares[] = { 0, 0, 0x200 /* FS */, 0x400 /* FILES */, 0x600, 0x8000 /* PARENT */, 0x1000000 /* CHILD_SETTID */ };
			if (c->nr == SYS_clone && syscall(SYS_clone, SIGCHLD | shares[below(7)], 0, a[2], 0, a[4]) == 0) keep_ticking();
			continue;
		}
		syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	_exit(0);
}

static long setting(const char *name, long otherwise) { char *v = getenv(name); return v ? strtol(v, NULL, 0) : otherwise; }
static volatile sig_atomic_t late;
static void on_alarm(int s) { (void)s; late = 1; }

/* Again before each round: root may have unmounted anything. */
static void prepare(void)
{
	umount2("/tmp", MNT_DETACH);
	mkdir("/dev", 0755); mkdir("/proc", 0555); mkdir("/tmp", 01777);
	mount("tmpfs", "/tmp", "tmpfs", 0, "size=8m,mode=1777");
	if (access("/dev/null", F_OK) < 0) mount("devtmpfs", "/dev", "devtmpfs", 0, "");
	mkdir("/dev/pts", 0755);
	if (access("/dev/pts/ptmx", F_OK) < 0) mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666");
	if (access("/proc/self/stat", F_OK) < 0) mount("proc", "/proc", "proc", 0, "");
	lo_up();
}

static void dump(const char *what, int pid)
{
	char path[64], buf[4096];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	printf("FUZZ STUCK %d %s: %.*s\n", pid, what, n < 0 ? 0 : (int)n, buf);
	if (fd >= 0) close(fd);
}

/* Kill and reap everybody; 0 if somebody outlives it. */
static int reap_all(void)
{
	kill(-1, SIGKILL);
	late = 0;
	alarm(10);
	while (waitpid(-1, NULL, 0) > 0 || errno != ECHILD)
		if (late) {
			int keys = open("/proc/sysrq-trigger", O_WRONLY);
			write(keys, "w", 1);		/* where the blocked ones are, onto the console */
			write(keys, "t", 1);
			for (int pid = 2; pid < 40000; pid++)
				if (kill(pid, 0) == 0) { dump("stat", pid); dump("status", pid); dump("wchan", pid); dump("stack", pid); dump("syscall", pid); }
			return 0;
		}
	alarm(0);
	return 1;
}

/* What outlives its makers: all semaphore sets, message queues and segments. */
static void remove_ipc(void)
{
	static const struct { int nr, info, stat; } kinds[] = { { SYS_semctl, SEM_INFO, SEM_STAT }, { SYS_msgctl, MSG_INFO, MSG_STAT },
								{ SYS_shmctl, SHM_INFO, SHM_STAT } };
	static char b[4096];
	for (int k = 0; k < 3; k++) {
		int sem = k == 0, highest = sem ? syscall(SYS_semctl, 0, 0, SEM_INFO, b) : syscall(kinds[k].nr, 0, kinds[k].info, b);
		for (int i = 0; i <= highest; i++) {
			int id = sem ? syscall(SYS_semctl, i, 0, SEM_STAT, b) : syscall(kinds[k].nr, i, kinds[k].stat, b);
			if (id >= 0 && sem) syscall(SYS_semctl, id, 0, IPC_RMID, 0);
			else if (id >= 0) syscall(kinds[k].nr, id, IPC_RMID, 0);
		}
	}
}

/* One seed.  0: processes hang in the kernel. */
static int round_of(long seed, int user, int sockets)
{
	int gen;
	*made = 0;
	state = seed * 0x9e3779b97f4a7c15ull + 1;
	for (gen = 0; gen < GENERATIONS && *made < CALLS_A_ROUND; gen++) {
		pid_t pid = fork();
		int st;
		if (pid == 0) { signal(SIGALRM, SIG_DFL); child(user, sockets); }
		if (pid < 0) { printf("FUZZ fork: errno %d\n", errno); return 0; }
		state += gen + 1;
		late = 0;
		alarm(3);
		while (waitpid(pid, &st, 0) < 0 && errno == EINTR && !late)
			;
		alarm(0);
		if (late) ++*made;
		if (!reap_all()) return 0;
	}
	remove_ipc();
	return 1;
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct sched_param rt = { .sched_priority = 99 };
	struct timespec begin, now;
	const char *as = getenv("fuzzas");
	long seed = setting("fuzzseed", 1), rounds = setting("fuzzrounds", 1 << 30), seconds = setting("fuzzseconds", 60);
	long verbose = setting("fuzzverbose", 0), r, total = 0;
	int good_end = 1, sockets = setting("fuzzsockets", 0) != 0;
	prepare();
	int fd = open("/dev/console", O_RDWR);
	if (fd >= 0) { dup2(fd, 0); dup2(fd, 1); dup2(fd, 2); if (fd > 2) close(fd); }
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigaction(SIGALRM, &sa, NULL);
	syscall(SYS_sched_setscheduler, 0, SCHED_FIFO | 0x40000000, &rt);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	good = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(good + 8192, 4096);
	shared_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	printf("FUZZ %zu calls, seed %ld\n", NR_CALLS, seed);
	for (r = 0; r < rounds && good_end; r++) {
		int user = as ? as[0] == 'u' : (seed + r) & 1;
		prepare();
		if (verbose || r % 20 == 0) printf("FUZZ round %ld, %ld calls made\n", seed + r, total);
		good_end = round_of(seed + r, user, sockets);
		total += *made;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - begin.tv_sec >= seconds) { r++; break; }
	}
	if (good_end) printf("FUZZ DONE %ld rounds, %ld calls\n", r, total);
	else printf("FUZZ ENDED at round %ld\n", seed + r - 1);
	reboot(RB_POWER_OFF);
	for (;;) pause();
}
