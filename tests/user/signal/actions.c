/* Dispositions, masks, handlers, alternate stacks, queues. */
#include "tap.h"
#include <ucontext.h>

static volatile sig_atomic_t count, last, order[64];
static void note(int s) { last = s; if (count < 64) order[count] = s; count++; }

TEST(handler_runs_and_returns)
{
	CHECK(signal(SIGUSR1, note) == SIG_DFL);
	CHECK(raise(SIGUSR1) == 0);
	CHECK_EQ(count, 1);
	CHECK_EQ(last, SIGUSR1);
	CHECK(signal(SIGUSR1, SIG_DFL) == note);
}

TEST(default_actions)
{
	static const int fatal[] = { SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL,
		SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF,
		SIGIO, SIGPWR, SIGSYS, SIGSTKFLT, 34, 64 };
	static const int ignored[] = { SIGCHLD, SIGCONT, SIGURG, SIGWINCH };
	struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
	for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		pid_t pid = fork();
		if (pid == 0) {
			syscall(SYS_kill, getpid(), fatal[i]);
			_exit(0);
		}
		int st = wait_status(pid);
		if (!KILLED(st, fatal[i])) {
			printf("# signal %d: status %#x\n", fatal[i], st);
			CHECK(0);
		}
	}
	for (unsigned i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		CHECK(raise(ignored[i]) == 0);
}

TEST(kill_and_stop_cannot_be_caught)
{
	struct sigaction sa = { .sa_handler = note };
	CHECK_ERR(sigaction(SIGKILL, &sa, NULL), EINVAL);
	CHECK_ERR(sigaction(SIGSTOP, &sa, NULL), EINVAL);
	CHECK(sigaction(SIGKILL, NULL, &sa) == 0);
	CHECK_ERR(syscall(SYS_rt_sigaction, 0, &sa, 0, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, 65, &sa, 0, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, 0, 0, 16), EINVAL);
	sigset_t all;
	sigfillset(&all);
	CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &all) == 0);
	CHECK(!sigismember(&all, SIGKILL) && !sigismember(&all, SIGSTOP));
	CHECK_ERR(syscall(SYS_rt_sigprocmask, 7, &all, 0, 8), EINVAL);
}

TEST(blocked_signals_wait)
{
	sigset_t m, p;
	signal(SIGUSR1, note);
	sigemptyset(&m); sigaddset(&m, SIGUSR1);
	sigprocmask(SIG_BLOCK, &m, NULL);
	raise(SIGUSR1); raise(SIGUSR1); raise(SIGUSR1);
	CHECK_EQ(count, 0);
	sigpending(&p);
	CHECK(sigismember(&p, SIGUSR1));
	sigprocmask(SIG_UNBLOCK, &m, NULL);
	CHECK_EQ(count, 1);	/* ordinary signals do not queue */
	sigpending(&p);
	CHECK(!sigismember(&p, SIGUSR1));
}

static volatile sig_atomic_t depth, deepest;
static void nest(int s)
{
	if (++depth > deepest) deepest = depth;
	if (count++ < 3) raise(s);
	depth--;
}

TEST(handler_mask_and_nodefer)
{
	struct sigaction sa = { .sa_handler = nest };
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	CHECK_EQ(deepest, 1);
	count = depth = deepest = 0;
	sa.sa_flags = SA_NODEFER;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	CHECK_EQ(deepest, 4);
}

static void masked(int s)
{
	sigset_t now;
	note(s);
	sigprocmask(SIG_BLOCK, NULL, &now);
	if (sigismember(&now, SIGUSR2) && sigismember(&now, SIGUSR1))
		raise(SIGUSR2);
}

TEST(sa_mask_is_held_during_the_handler)
{
	struct sigaction sa = { .sa_handler = masked };
	sigset_t now;
	sigaddset(&sa.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &sa, NULL);
	signal(SIGUSR2, note);
	raise(SIGUSR1);
	CHECK_EQ(count, 2);
	CHECK_EQ(order[1], SIGUSR2);
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(!sigismember(&now, SIGUSR1) && !sigismember(&now, SIGUSR2));
}

TEST(resethand)
{
	struct sigaction sa = { .sa_handler = note, .sa_flags = SA_RESETHAND };
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &sa);
	CHECK(sa.sa_handler == SIG_DFL);
}

static int values[64];
static void queued(int s, siginfo_t *si, void *uc)
{
	(void)uc;
	if (si->si_code == SI_QUEUE)
		values[count] = si->si_value.sival_int;
	note(s);
}

TEST(real_time_signals_queue_in_order)
{
	struct sigaction sa = { .sa_sigaction = queued, .sa_flags = SA_SIGINFO };
	sigset_t m, old;
	int lo = SIGRTMIN, hi = SIGRTMIN + 1;
	sigfillset(&sa.sa_mask);
	sigaction(lo, &sa, NULL); sigaction(hi, &sa, NULL);
	sigemptyset(&m); sigaddset(&m, lo); sigaddset(&m, hi);
	sigprocmask(SIG_BLOCK, &m, &old);
	for (int i = 0; i < 10; i++) {
		CHECK(sigqueue(getpid(), hi, (union sigval){ .sival_int = 100 + i }) == 0);
		CHECK(sigqueue(getpid(), lo, (union sigval){ .sival_int = i }) == 0);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	CHECK_EQ(count, 20);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(order[i], lo);
		CHECK_EQ(values[i], i);
		CHECK_EQ(order[10 + i], hi);
		CHECK_EQ(values[10 + i], 100 + i);
	}
}

TEST(sigqueue_limit_is_eagain)
{
	struct rlimit rl = { 5, 5 };
	sigset_t m;
	CHECK(setrlimit(RLIMIT_SIGPENDING, &rl) == 0);
	CHECK(setresuid(5432, 5432, 5432) == 0);
	sigemptyset(&m); sigaddset(&m, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &m, NULL);
	int i;
	for (i = 0; i < 10; i++)
		if (sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }) < 0)
			break;
	CHECK_EQ(errno, EAGAIN);
	CHECK(i >= 4 && i <= 5);
}

static siginfo_t got_info;
static void keep(int s, siginfo_t *si, void *uc) { (void)uc; got_info = *si; note(s); }

TEST(siginfo_of_kill_and_tgkill)
{
	struct sigaction sa = { .sa_sigaction = keep, .sa_flags = SA_SIGINFO };
	sigaction(SIGUSR1, &sa, NULL);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(got_info.si_code, SI_USER);
	CHECK_EQ(got_info.si_pid, getpid());
	CHECK_EQ(got_info.si_uid, getuid());
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	CHECK_EQ(got_info.si_code, SI_TKILL);
	CHECK_EQ(count, 2);
	CHECK_ERR(syscall(SYS_tgkill, 99999, getpid(), SIGUSR1), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, -1, getpid(), SIGUSR1), EINVAL);
	CHECK_ERR(syscall(SYS_tkill, 0, SIGUSR1), EINVAL);
	siginfo_t fake = { .si_signo = SIGUSR1, .si_code = SI_USER };
	pid_t pid = fork();
	if (pid == 0) { pause(); _exit(0); }
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &fake), EPERM);	/* no forging for others */
	kill(pid, SIGKILL);
	wait_status(pid);
}

static char *alt;
static volatile sig_atomic_t on_alt;
static void alt_handler(int s)
{
	char here;
	stack_t st;
	on_alt = &here >= alt && &here < alt + 65536;
	sigaltstack(NULL, &st);
	if (on_alt && !(st.ss_flags & SS_ONSTACK)) on_alt = 2;
	st.ss_flags = 0; st.ss_sp = alt; st.ss_size = 65536;
	if (on_alt == 1 && (sigaltstack(&st, NULL) != -1 || errno != EPERM)) on_alt = 3;
	note(s);
}

TEST(alternate_stack)
{
	struct sigaction sa = { .sa_handler = alt_handler, .sa_flags = SA_ONSTACK };
	stack_t st = { .ss_size = 65536 }, old;
	alt = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	st.ss_sp = alt;
	CHECK(sigaltstack(NULL, &old) == 0);
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	CHECK(sigaltstack(&st, NULL) == 0);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	CHECK_EQ(on_alt, 1);
	st.ss_size = 10;
	CHECK_ERR(sigaltstack(&st, NULL), ENOMEM);
	st.ss_flags = 0x1234; st.ss_size = 65536;
	CHECK_ERR(sigaltstack(&st, NULL), EINVAL);
	sa.sa_flags = 0;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	CHECK_EQ(on_alt, 0);
}

static int recurse(int n) { volatile char pad[1024]; pad[0] = n; return recurse(n + 1) + pad[0]; }
static void overflow_handler(int s) { (void)s; _exit(66); }

TEST(stack_overflow_handled_on_the_alternate_stack)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct sigaction sa = { .sa_handler = overflow_handler, .sa_flags = SA_ONSTACK };
		stack_t st = { .ss_size = 65536, .ss_sp = malloc(65536) };
		struct rlimit rl = { 1 << 20, 1 << 20 };
		setrlimit(RLIMIT_STACK, &rl);
		sigaltstack(&st, NULL);
		sigaction(SIGSEGV, &sa, NULL);
		recurse(0);
	}
	CHECK(EXITED(wait_status(pid), 66));
}

TEST(stack_overflow_without_handler_is_segv)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit rl = { 1 << 20, 1 << 20 };
		setrlimit(RLIMIT_STACK, &rl);
		recurse(0);
	}
	CHECK(KILLED(wait_status(pid), SIGSEGV));
	/* And with a handler but no room for its frame. */
	pid = fork();
	if (pid == 0) {
		struct rlimit rl = { 1 << 20, 1 << 20 };
		setrlimit(RLIMIT_STACK, &rl);
		signal(SIGSEGV, overflow_handler);
		recurse(0);
	}
	CHECK(KILLED(wait_status(pid), SIGSEGV));
}

static void clobber(int s)
{
	__asm__ volatile("fmov d8, xzr\n fmov d9, xzr\n movi v0.2d, #0\n movi v31.2d, #0\n msr fpcr, %0\n"
			 : : "r"(0x400000ul) : "v0", "v31", "d8", "d9");
	note(s);
}

TEST(fp_state_survives_a_handler)
{
	uint64_t in[8] = { 0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666, 0x7777, 0x8888 }, out[8];
	uint64_t fpcr;
	signal(SIGUSR1, clobber);
	__asm__ volatile(
		"ldp q0, q8, [%[in]]\n ldp q9, q31, [%[in], #32]\n"
		"mov x8, %[kill]\n mov x0, %[pid]\n mov x1, %[sig]\n svc #0\n"
		"stp q0, q8, [%[out]]\n stp q9, q31, [%[out], #32]\n mrs %[fpcr], fpcr\n"
		: [fpcr] "=&r"(fpcr)
		: [in] "r"(in), [out] "r"(out), [kill] "r"((long)SYS_kill), [pid] "r"((long)getpid()), [sig] "r"((long)SIGUSR1)
		: "x0", "x1", "x8", "v0", "v8", "v9", "v31", "memory");
	CHECK_EQ(count, 1);
	CHECK(memcmp(in, out, sizeof(in)) == 0);
	CHECK_EQ(fpcr, 0);
}

static void change_context(int s, siginfo_t *si, void *v)
{
	ucontext_t *uc = v;
	(void)si;
	uc->uc_mcontext.regs[19] = 0x1234567;
	uc->uc_mcontext.regs[0] = 99;
	note(s);
}

TEST(handler_may_edit_the_context)
{
	struct sigaction sa = { .sa_sigaction = change_context, .sa_flags = SA_SIGINFO };
	long r0, r19;
	sigaction(SIGUSR1, &sa, NULL);
	__asm__ volatile("mov x8, %2\n mov x0, %3\n mov x1, %4\n mov x19, #1\n svc #0\n mov %0, x0\n mov %1, x19\n"
			 : "=&r"(r0), "=&r"(r19)
			 : "r"((long)SYS_kill), "r"((long)getpid()), "r"((long)SIGUSR1)
			 : "x0", "x1", "x8", "x19", "memory");
	CHECK_EQ(r0, 99);
	CHECK_EQ(r19, 0x1234567);
}

TEST(corrupt_sigreturn_frame_is_segv)
{
	pid_t pid = fork();
	if (pid == 0) {
		__asm__ volatile("mov sp, %0\n mov x8, %1\n svc #0\n" : : "r"(0x1000l), "r"((long)SYS_rt_sigreturn) : "x8", "x0");
		_exit(0);
	}
	CHECK(KILLED(wait_status(pid), SIGSEGV));
}

static void bad_pstate(int s, siginfo_t *si, void *v)
{
	ucontext_t *uc = v;
	(void)si;
	uc->uc_mcontext.pstate |= 5;	/* EL1h: must never be honoured */
	note(s);
}

TEST(sigreturn_cannot_raise_privilege)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct sigaction sa = { .sa_sigaction = bad_pstate, .sa_flags = SA_SIGINFO };
		sigaction(SIGUSR1, &sa, NULL);
		raise(SIGUSR1);
		_exit(3);
	}
	CHECK(KILLED(wait_status(pid), SIGSEGV));
}

TEST(exec_resets_handlers_keeps_ignored)
{
	/* The parts of it that need no second program: flags of a fresh sigaction. */
	struct sigaction sa;
	CHECK(sigaction(SIGUSR1, NULL, &sa) == 0);
	CHECK(sa.sa_handler == SIG_DFL);
}
