/* seccomp(2): strict mode, filters and their answers, who wins, what is inherited, threads. */
#include "tap.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>

#define LOAD(field)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RET(what)	BPF_STMT(BPF_RET | BPF_K, what)
#define IF(value, no)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, no)
#define ALLOW		RET(SECCOMP_RET_ALLOW)

static long install(unsigned flags, struct sock_filter *code, unsigned short n)
{
	struct sock_fprog p = { n, code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}
#define INSTALL(flags, ...) ({ struct sock_filter c_[] = { __VA_ARGS__ }; install(flags, c_, sizeof(c_) / sizeof(c_[0])); })
/* Answer what to call nr, allow all others. */
#define ON(nr, what)	LOAD(nr), IF(nr, 1), RET(what), ALLOW

static void no_new_privs(void) { CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0); }

static long on(long nr_, unsigned what)
{
	return INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), IF((unsigned)nr_, 1), RET(what), ALLOW);
}

static long status_line(const char *name)
{
	char buf[4096], *at;

	CHECK(read_file("/proc/thread-self/status", buf, sizeof(buf)) > 0);
	at = strstr(buf, name);
	CHECK(at);
	return atol(at + strlen(name));
}

static void drop_root(void)
{
	CHECK_EQ(setresgid(1000, 1000, 1000), 0);
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
}

/* --- strict */

static void strict_then_exit(void)
{
	CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0), 0);
	syscall(SYS_exit, 42);
}
static void strict_then_getpid(void)
{
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL), 0);
	syscall(SYS_getpid);
	syscall(SYS_exit, 42);
}
static void strict_then_unknown(void)
{
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL), 0);
	syscall(5000);
	syscall(SYS_exit, 42);
}

static int pipe_fds[2];
static volatile int handled;
static void count(int sig) { handled++; }

static void strict_signal(void)
{
	struct itimerval it = { { 0, 0 }, { 0, 20000 } };
	char c;

	CHECK_EQ(pipe(pipe_fds), 0);
	signal(SIGALRM, count);
	CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
	CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0), 0);
	while (!handled)		/* rt_sigreturn is one of the four */
		;
	if (write(pipe_fds[1], "x", 1) != 1 || read(pipe_fds[0], &c, 1) != 1 || c != 'x')
		syscall(SYS_exit, 1);
	syscall(SYS_exit, 43);
}

TEST(strict)
{
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), 0);
	CHECK(EXITED(in_child(strict_then_exit), 42));
	CHECK(KILLED(in_child(strict_then_getpid), SIGKILL));
	CHECK(KILLED(in_child(strict_then_unknown), SIGKILL));
	CHECK(EXITED(in_child(strict_signal), 43));
}

static void *strict_thread(void *arg)
{
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
	syscall(SYS_getpid);
	return NULL;
}

/* Only the thread that broke the rule goes. */
static void strict_one_thread(void)
{
	pthread_t t;
	char path[64];

	CHECK_EQ(pthread_create(&t, NULL, strict_thread, NULL), 0);
	for (;;) {
		char buf[4096], *at;

		snprintf(path, sizeof(path), "/proc/%d/status", getpid());
		CHECK(read_file(path, buf, sizeof(buf)) > 0);
		at = strstr(buf, "Threads:");
		CHECK(at);
		if (atoi(at + 8) == 1)
			break;
		sched_yield();
	}
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), 0);
	_exit(7);
}

TEST(strict_is_of_a_thread) { CHECK(EXITED(in_child(strict_one_thread), 7)); }

/* --- bad calls */

TEST(bad_operations)
{
	struct sock_fprog none = { 0, NULL };
	unsigned action;

	CHECK_ERR(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, &none), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x100, &none), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER, &none), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &none), EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, 3, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 1, 0, 0), EFAULT);
	action = SECCOMP_RET_ALLOW;
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), 0);
}

TEST(actions_available)
{
	static const unsigned known[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
					  SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW };
	unsigned odd = 0x7ff10000;

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		CHECK_EQ(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &known[i]), 0);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &odd), EOPNOTSUPP);
	odd = SECCOMP_RET_ERRNO | 1;
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &odd), EOPNOTSUPP);
}

TEST(notification_sizes)
{
	struct seccomp_notif_sizes s;

	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &s), 0);
	CHECK_EQ(s.seccomp_notif, sizeof(struct seccomp_notif));
	CHECK_EQ(s.seccomp_notif_resp, sizeof(struct seccomp_notif_resp));
	CHECK_EQ(s.seccomp_data, sizeof(struct seccomp_data));
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 1, &s), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, 8), EFAULT);
}

/* Programs that sockets may run and seccomp may not; programs that nobody may run. */
TEST(bad_programs)
{
	struct sock_fprog p = { 3, (void *)16 };

	no_new_privs();
	CHECK_ERR(INSTALL(0, LOAD(nr)), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(struct seccomp_data)), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_CPU), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, IF(1, 3), ALLOW), EINVAL);
	CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_IMM, 1)), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p), EFAULT);
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), 0);
	CHECK_EQ(status_line("Seccomp:"), 0);
	CHECK_EQ(status_line("Seccomp_filters:"), 0);
}

TEST(who_may)
{
	CHECK_EQ(INSTALL(0, ALLOW), 0);		/* root */
	drop_root();
	CHECK_ERR(INSTALL(0, ALLOW), EACCES);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	no_new_privs();
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK_EQ(status_line("NoNewPrivs:"), 1);
	CHECK_EQ(INSTALL(0, ALLOW), 0);
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), SECCOMP_MODE_FILTER);
	CHECK_EQ(status_line("Seccomp:"), 2);
	CHECK_EQ(status_line("Seccomp_filters:"), 2);
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0), EINVAL);
}

/* --- answers */

TEST(errno_answers)
{
	no_new_privs();
	CHECK_EQ(on(SYS_getppid, SECCOMP_RET_ERRNO | 77), 0);
	CHECK_ERR(syscall(SYS_getppid), 77);
	CHECK(getpid() > 0);
	CHECK_EQ(on(SYS_getuid, SECCOMP_RET_ERRNO), 0);
	errno = 5;
	CHECK_EQ(syscall(SYS_getuid), 0);		/* not made, and yet no error */
	CHECK_EQ(on(SYS_getgid, SECCOMP_RET_ERRNO | 0xffff), 0);
	CHECK_ERR(syscall(SYS_getgid), 4095);
	CHECK_EQ(on(5000, SECCOMP_RET_ERRNO | 99), 0);	/* numbers that no call has are judged too */
	CHECK_ERR(syscall(5000), 99);
	CHECK_ERR(syscall(5001), ENOSYS);
	CHECK_EQ(on(-1, SECCOMP_RET_ERRNO | 98), 0);
	CHECK_ERR(syscall(-1), 98);
}

TEST(data_is_what_was_called)
{
	struct sock_filter c[] = {
		LOAD(arch), IF(AUDIT_ARCH_AARCH64, 11),
		LOAD(nr), IF(SYS_getppid, 9),
		LOAD(args[0]), IF(0x11111111, 7), LOAD(args[5]), IF(0x66666666, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5]) + 4), IF(0x77777777, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), IF(sizeof(struct seccomp_data), 1),
		RET(SECCOMP_RET_ERRNO | 55), ALLOW,
	};

	no_new_privs();
	CHECK_EQ(install(0, c, sizeof(c) / sizeof(c[0])), 0);
	CHECK(syscall(SYS_getppid) > 0);
	CHECK(syscall(SYS_getppid, 0x11111111, 2, 3, 4, 5, 0x66666666) > 0);
	CHECK_ERR(syscall(SYS_getppid, 0x11111111, 2, 3, 4, 5, 0x7777777766666666), 55);
}

TEST(not_known_is_enosys)
{
	no_new_privs();
	CHECK_EQ(on(SYS_getppid, SECCOMP_RET_TRACE | 3), 0);
	CHECK_ERR(syscall(SYS_getppid), ENOSYS);
	CHECK_EQ(on(SYS_getuid, SECCOMP_RET_USER_NOTIF), 0);
	CHECK_ERR(syscall(SYS_getuid), ENOSYS);
	CHECK_EQ(on(SYS_getgid, SECCOMP_RET_LOG), 0);
	CHECK_EQ(syscall(SYS_getgid), 0);
}

static siginfo_t info;
static unsigned long long at_pc, at_x0;
static void trapped(int sig, siginfo_t *si, void *uc)
{
	ucontext_t *u = uc;

	info = *si;
	at_pc = u->uc_mcontext.pc;
	at_x0 = u->uc_mcontext.regs[0];
	u->uc_mcontext.regs[0] = 1234;
	handled++;
}

TEST(trap)
{
	struct sigaction sa = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO };

	no_new_privs();
	CHECK_EQ(sigaction(SIGSYS, &sa, NULL), 0);
	CHECK_EQ(on(SYS_getppid, SECCOMP_RET_TRAP | 777), 0);
	CHECK_EQ(syscall(SYS_getppid, 77l), 1234);		/* what the handler left in x0 */
	CHECK_EQ(handled, 1);
	CHECK_EQ(info.si_signo, SIGSYS);
	CHECK_EQ(info.si_code, 1);
	CHECK_EQ(info.si_errno, 777);
	CHECK_EQ(info.si_syscall, SYS_getppid);
	CHECK_EQ(info.si_arch, AUDIT_ARCH_AARCH64);
	CHECK_EQ((unsigned long)info.si_call_addr, at_pc);
	CHECK_EQ(at_x0, 77);
	CHECK_EQ(on(5000, SECCOMP_RET_TRAP), 0);
	CHECK_EQ(syscall(5000), 1234);
	CHECK_EQ(info.si_errno, 0);
	CHECK_EQ(info.si_syscall, 5000);
}

static void trap_blocked(void)
{
	sigset_t set;

	signal(SIGSYS, count);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	on(SYS_getppid, SECCOMP_RET_TRAP);
	syscall(SYS_getppid);
	_exit(0);
}
static void trap_ignored(void) { signal(SIGSYS, SIG_IGN); on(SYS_getppid, SECCOMP_RET_TRAP); syscall(SYS_getppid); _exit(0); }
TEST(trap_cannot_be_kept_off)
{
	no_new_privs();
	CHECK(KILLED(in_child(trap_blocked), SIGSYS));
	CHECK(KILLED(in_child(trap_ignored), SIGSYS));
}

static void killed_by(unsigned what)
{
	signal(SIGSYS, count);
	on(SYS_getppid, what);
	syscall(SYS_getppid);
	_exit(0);
}
static void kill_process(void) { killed_by(SECCOMP_RET_KILL_PROCESS); }
static void kill_thread(void) { killed_by(SECCOMP_RET_KILL_THREAD); }
static void unknown_kills(void) { killed_by(0x12340000); }
static void zero_division(void)
{
	INSTALL(0, LOAD(nr), IF(SYS_getppid, 3), BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), ALLOW, ALLOW);
	syscall(SYS_getppid);
	_exit(0);
}
TEST(kills)
{
	no_new_privs();
	CHECK(KILLED(in_child(kill_process), SIGSYS));
	CHECK(KILLED(in_child(kill_thread), SIGSYS));
	CHECK(KILLED(in_child(unknown_kills), SIGSYS));
	CHECK(KILLED(in_child(zero_division), SIGSYS));
}

static void *call_getppid(void *arg) { syscall(SYS_getppid); return (void *)1; }

/* The thread goes, and its joiner hears of it by the word that the kernel clears. */
static void thread_of_two(unsigned what)
{
	pthread_t t;
	int n;

	on(SYS_getppid, what);
	CHECK_EQ(pthread_create(&t, NULL, call_getppid, NULL), 0);
	do {
		char buf[4096];
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/status", getpid());
		CHECK(read_file(path, buf, sizeof(buf)) > 0);
		n = atoi(strstr(buf, "Threads:") + 8);
		sched_yield();
	} while (n != 1);
	_exit(9);
}
static void one_of_two(void) { thread_of_two(SECCOMP_RET_KILL_THREAD); }
static void both_of_two(void) { thread_of_two(SECCOMP_RET_KILL_PROCESS); }
TEST(thread_or_process)
{
	no_new_privs();
	CHECK(EXITED(in_child(one_of_two), 9));
	CHECK(KILLED(in_child(both_of_two), SIGSYS));
}

/* The strictest wins, whichever was there first. */
static unsigned first, second;
static void both(void)
{
	on(SYS_getppid, first);
	on(SYS_getppid, second);
	errno = 0;
	_exit(syscall(SYS_getppid) < 0 ? errno : 0);
}
static int winner(unsigned a, unsigned b) { first = a; second = b; return in_child(both); }

TEST(precedence)
{
	const unsigned kp = SECCOMP_RET_KILL_PROCESS, kt = SECCOMP_RET_KILL_THREAD, trap = SECCOMP_RET_TRAP, err = SECCOMP_RET_ERRNO | 40,
		       trace = SECCOMP_RET_TRACE, log = SECCOMP_RET_LOG;

	no_new_privs();
	CHECK(KILLED(winner(kp, kt), SIGSYS));
	CHECK(KILLED(winner(err, kt), SIGSYS));
	CHECK(KILLED(winner(trap, err), SIGSYS));
	CHECK(KILLED(winner(err, trap), SIGSYS));
	CHECK(EXITED(winner(err, trace), 40));
	CHECK(EXITED(winner(trace, err), 40));
	CHECK(EXITED(winner(log, trace), ENOSYS));
	CHECK(EXITED(winner(SECCOMP_RET_ERRNO | 41, SECCOMP_RET_ERRNO | 42), 42));	/* of equals the newest */
	CHECK(EXITED(winner(SECCOMP_RET_ALLOW, err), 40));
	CHECK(EXITED(winner(err, SECCOMP_RET_ALLOW), 40));
}

/* --- inheritance */

static bool is_role(const char *name) { return getenv("ROLE") && !strcmp(getenv("ROLE"), name); }

static void child_getppid(void) { errno = 0; _exit(syscall(SYS_getppid) < 0 ? errno : 0); }

TEST(fork_inherits)
{
	no_new_privs();
	CHECK_EQ(on(SYS_getppid, SECCOMP_RET_ERRNO | 33), 0);
	CHECK(EXITED(in_child(child_getppid), 33));
	CHECK_EQ(on(SYS_getuid, SECCOMP_RET_ERRNO | 34), 0);
	CHECK(EXITED(in_child(child_getppid), 33));
}

static void exec_self(void) { execle("/proc/self/exe", "seccomp", NULL, (char *[]){ "ROLE=child", NULL }); _exit(99); }

TEST(exec_inherits)
{
	no_new_privs();
	CHECK_EQ(on(SYS_getppid, SECCOMP_RET_ERRNO | 35), 0);
	CHECK(EXITED(in_child(exec_self), 35));
}

__attribute__((constructor)) static void exec_child(void)
{
	if (is_role("child"))
		child_getppid();
}

/* no_new_privs: who gave capabilities away does not get them back by an exec as root. */
static void caps_after_exec(void) { execle("/proc/self/exe", "seccomp", NULL, (char *[]){ "ROLE=caps", NULL }); _exit(99); }
__attribute__((constructor)) static void caps_child(void)
{
	char buf[4096];

	if (is_role("caps")) {
		read_file("/proc/self/status", buf, sizeof(buf));
		_exit(strstr(buf, "CapEff:\t0000000000000000") && strstr(buf, "CapPrm:\t0000000000000000") ? 1 : 2);
	}
}

TEST(no_new_privs_and_root)
{
	struct { unsigned version; int pid; } head = { 0x20080522, 0 };
	struct { unsigned effective, permitted, inheritable; } none[2] = { { 0 } };

	CHECK_EQ(syscall(SYS_capset, &head, none), 0);
	CHECK(EXITED(in_child(caps_after_exec), 2));
	no_new_privs();
	CHECK(EXITED(in_child(caps_after_exec), 1));
}

/* --- threads */

static pthread_barrier_t ready, go;
static int results[4], tids[4];
static void *waits(void *arg)
{
	long i = (long)arg;

	tids[i] = syscall(SYS_gettid);
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&go);
	errno = 0;
	results[i] = syscall(SYS_getppid) < 0 ? errno : 0;
	if (!results[i] && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))
		results[i] = -1;
	return NULL;
}
static void start(pthread_t *t)
{
	pthread_barrier_init(&ready, NULL, 5);
	pthread_barrier_init(&go, NULL, 5);
	for (long i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, waits, (void *)i), 0);
	pthread_barrier_wait(&ready);
}
static void finish(pthread_t *t, int want)
{
	pthread_barrier_wait(&go);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		CHECK_EQ(results[i], want);
	}
}

TEST(filters_are_of_a_thread)
{
	pthread_t t[4];

	start(t);
	no_new_privs();
	CHECK_EQ(on(SYS_getppid, SECCOMP_RET_ERRNO | 50), 0);
	finish(t, 0);
}

TEST(tsync)
{
	pthread_t t[4];

	start(t);
	no_new_privs();
	CHECK_EQ(INSTALL(SECCOMP_FILTER_FLAG_TSYNC, LOAD(nr), IF(SYS_getppid, 1), RET(SECCOMP_RET_ERRNO | 51), ALLOW), 0);
	finish(t, 51);
}

/* A common ancestor is no hindrance, a filter of one's own is. */
static void *goes_its_way(void *arg)
{
	tids[0] = syscall(SYS_gettid);
	CHECK_EQ(INSTALL(0, ALLOW), 0);
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&go);
	return NULL;
}

TEST(tsync_hindered)
{
	struct sock_filter c[] = { ALLOW };
	struct sock_fprog p = { 1, c };
	char path[64];
	pthread_t t;
	long r;

	no_new_privs();
	CHECK_EQ(INSTALL(0, ALLOW), 0);
	pthread_barrier_init(&ready, NULL, 2);
	pthread_barrier_init(&go, NULL, 2);
	CHECK_EQ(pthread_create(&t, NULL, goes_its_way, NULL), 0);
	pthread_barrier_wait(&ready);
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &p);
	CHECK_EQ(r, tids[0]);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, &p), ESRCH);
	CHECK_EQ(status_line("Seccomp_filters:"), 1);
	pthread_barrier_wait(&go);
	pthread_join(t, NULL);
	snprintf(path, sizeof(path), "/proc/self/task/%d", (int)tids[0]);
	while (!access(path, F_OK))		/* joined is not yet gone, and on Linux a hindrance until it is */
		sched_yield();
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &p), 0);
	CHECK_EQ(status_line("Seccomp_filters:"), 2);
}

/* Threads are born and die while filters are handed to all: in the end whoever is there has as many as were added. */
static volatile int stop;
static void *breeds(void *arg)
{
	while (!stop) {
		pthread_t t;

		CHECK_EQ(pthread_create(&t, NULL, call_getppid, NULL), 0);
		pthread_join(t, NULL);
	}
	return (void *)status_line("Seccomp_filters:");
}

TEST(tsync_and_births)
{
	pthread_t t[2];
	void *n;

	no_new_privs();
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, breeds, NULL), 0);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(INSTALL(SECCOMP_FILTER_FLAG_TSYNC, ALLOW), 0);
		sched_yield();
	}
	stop = 1;
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], &n);
		CHECK_EQ((long)n, 50);
	}
}

/* --- limits, /proc */

TEST(too_long_in_all)
{
	static struct sock_filter c[4096];
	int n = 0;

	no_new_privs();
	for (int i = 0; i < 4095; i++)
		c[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
	c[4095] = (struct sock_filter)ALLOW;
	while (n < 20 && install(0, c, 4096) == 0)
		n++;
	CHECK_EQ(errno, ENOMEM);
	CHECK(n >= 2 && n <= 8);		/* Linux counts what it made of the program */
	CHECK_EQ(status_line("Seccomp_filters:"), n);
}

TEST(proc_files)
{
	char buf[200], old[200];
	int fd;

	CHECK(read_file("/proc/sys/kernel/seccomp/actions_avail", buf, sizeof(buf)) > 0);
	CHECK(strstr(buf, "kill_process kill_thread trap errno "));
	CHECK(strstr(buf, " trace log allow\n"));
	CHECK(read_file("/proc/sys/kernel/seccomp/actions_logged", old, sizeof(old)) > 0);
	fd = open("/proc/sys/kernel/seccomp/actions_logged", O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "trap errno\n", 11), 11);
	CHECK_ERR(pwrite(fd, "allow", 5, 0), EINVAL);
	CHECK_ERR(pwrite(fd, "nonsense", 8, 0), EINVAL);
	CHECK(read_file("/proc/sys/kernel/seccomp/actions_logged", buf, sizeof(buf)) > 0);
	CHECK(!strcmp(buf, "trap errno\n"));
	CHECK_EQ(pwrite(fd, old, strlen(old), 0), strlen(old));
}
