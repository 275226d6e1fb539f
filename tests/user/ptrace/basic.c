/* ptrace(2): beginning, memory, registers, signals, going on, ending. */
#include "tracee.h"

static volatile long word = 0x1122334455667788;
static void nothing(void) { }
static void raise_usr1(void) { raise(SIGUSR1); }
static void exit_7(void) { _exit(7); }
static int got;
static void on_usr1(int sig) { got = sig; }

TEST(a_child_that_asks_is_traced)
{
	pid_t pid = child(exit_7);
	char path[64], text[2048], want[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	CHECK(read_file(path, text, sizeof(text)) > 0);
	snprintf(want, sizeof(want), "\nTracerPid:\t%d\n", getpid());
	CHECK(strstr(text, want));
	CHECK(strstr(text, "\nState:\tt (tracing stop)\n"));
	ends(pid, 0, 7 << 8);
}

TEST(requests_need_a_tracee_that_stands_still)
{
	pid_t pid = sleeper();
	long v;

	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, (long)&word, (long)&v), ESRCH);
	CHECK_ERR(pt(PTRACE_ATTACH, 0x3ffffff, 0, 0), ESRCH);
	CHECK_ERR(pt(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	CHECK_ERR(pt(PTRACE_SEIZE, pid, 1, 0), EIO);
	CHECK_ERR(pt(PTRACE_SEIZE, pid, 0, 0x40000000), EIO);
	CHECK_EQ(pt(PTRACE_ATTACH, pid, 0, 0), 0);
	CHECK_ERR(pt(PTRACE_ATTACH, pid, 0, 0), EPERM);
	CHECK_EQ(next_stop(pid), SIGSTOP);
	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 65), EIO);
	CHECK_ERR(pt(PTRACE_SETOPTIONS, pid, 0, 0x40000000), EINVAL);
	CHECK_ERR(pt(PTRACE_LISTEN, pid, 0, 0), EIO);
	CHECK_ERR(pt(PTRACE_INTERRUPT, pid, 0, 0), EIO);
	CHECK_ERR(pt(0x7777, pid, 0, 0), EIO);
	CHECK_ERR(pt(PTRACE_PEEKUSER, pid, 0, (long)&v), EIO);
	CHECK_ERR(pt(PTRACE_DETACH, pid, 0, 65), EIO);
	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);
	kill_tracee(pid);
}

TEST(memory_is_read_and_written)
{
	pid_t pid = child(nothing);
	const long *text = (const long *)(((long)&nothing) & ~7l);
	long *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), v = 5;

	CHECK_EQ(peek(pid, &word), 0x1122334455667788);
	CHECK_EQ(pt(PTRACE_POKEDATA, pid, (long)&word, 42), 0);
	CHECK_EQ(peek(pid, &word), 42);
	CHECK_EQ(word, 0x1122334455667788);
	v = *text;
	CHECK_EQ(peek(pid, text), v);
	CHECK_EQ(pt(PTRACE_POKETEXT, pid, (long)text, 77), 0);	/* its own copy of the page */
	CHECK_EQ(peek(pid, text), 77);
	CHECK_EQ(*text, v);
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, 8, (long)&v), EIO);
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, (long)none, (long)&v), EIO);
	CHECK_ERR(pt(PTRACE_POKEDATA, pid, -8ul, 0), EIO);
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, (long)&word, 8), EFAULT);
	CHECK_EQ(pt(PTRACE_POKETEXT, pid, (long)text, *text), 0);
	ends(pid, 0, 0);
}

TEST(mem_reads_and_writes_what_peek_does)
{
	pid_t pid = child(nothing);
	const long *text = (const long *)(((long)&nothing) & ~7l);
	char path[64];
	long v, w = 99;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, &v, 8, (long)&word), 8);
	CHECK_EQ(v, word);
	CHECK_EQ(pwrite(fd, &w, 8, (long)&word), 8);
	CHECK_EQ(peek(pid, &word), 99);
	CHECK_EQ(pwrite(fd, &w, 8, (long)text), 8);
	CHECK_EQ(peek(pid, text), 99);
	CHECK_ERR(pread(fd, &v, 8, 8), EIO);
	CHECK_ERR(pwrite(fd, &v, 8, 8), EIO);
	CHECK_EQ(lseek(fd, (long)&word, SEEK_SET), (long)&word);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 99);
	kill_tracee(pid);
	CHECK_EQ(pread(fd, &v, 8, (long)&word), 0);
}

TEST(general_registers)
{
	pid_t pid = child(nothing);
	struct regs r = get_regs(pid), s;
	struct iovec v = { &s, sizeof(s) };

	CHECK(r.sp && r.pc);
	CHECK_EQ(r.x[0], 0);		/* of the tkill in raise */
	r.x[20] = 4711;
	set_regs(pid, r);
	CHECK_EQ(get_regs(pid).x[20], 4711);
	v.iov_len = 16;
	CHECK_EQ(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v), 0);
	CHECK_EQ(v.iov_len, 16);
	v.iov_len = 1000 * 8;
	s = r;
	CHECK_EQ(pt(PTRACE_SETREGSET, pid, NT_PRSTATUS, (long)&v), 0);
	CHECK_EQ(v.iov_len, sizeof(r));
	v.iov_len = 7;
	CHECK_ERR(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v), EINVAL);
	v.iov_len = 8;
	CHECK_ERR(pt(PTRACE_GETREGSET, pid, 0x777, (long)&v), EINVAL);
	CHECK_ERR(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, 8), EFAULT);
	r.pstate |= 5;			/* EL1h */
	v = (struct iovec){ &r, sizeof(r) };
	CHECK_ERR(pt(PTRACE_SETREGSET, pid, NT_PRSTATUS, (long)&v), EINVAL);
	r.pstate = 0x10;		/* AArch32 */
	CHECK_ERR(pt(PTRACE_SETREGSET, pid, NT_PRSTATUS, (long)&v), EINVAL);
	kill_tracee(pid);
}

static void spin_fp(void)
{
	double d = 2.5;
	uint64_t tls;

	asm volatile("fmov d9, %d0\n\tmov x0, %1\n\tmov x1, %2\n\tmov x8, #129\n\tsvc #0\n\tfmov %d0, d9"
		     : "+w"(d) : "r"((long)getpid()), "r"((long)SIGSTOP) : "x0", "x1", "x8", "d9", "memory");
	asm volatile("mrs %0, tpidr_el0" : "=r"(tls));
	asm volatile("msr tpidr_el0, %0" : : "r"(tls & ~1ul));
	_exit(d == 7.5 && (tls & 1) ? 3 : 4);
}

TEST(floating_point_and_thread_registers)
{
	struct { __uint128_t v[32]; uint32_t fpsr, fpcr, pad[2]; } fp;
	struct iovec v = { &fp, sizeof(fp) };
	pid_t pid = child(spin_fp);
	double d;
	uint64_t tls;

	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGSTOP);
	CHECK_EQ(pt(PTRACE_GETREGSET, pid, NT_PRFPREG, (long)&v), 0);
	CHECK_EQ(v.iov_len, sizeof(fp));
	memcpy(&d, &fp.v[9], 8);
	CHECK(d == 2.5);
	d = 7.5;
	memcpy(&fp.v[9], &d, 8);
	CHECK_EQ(pt(PTRACE_SETREGSET, pid, NT_PRFPREG, (long)&v), 0);
	v = (struct iovec){ &tls, 8 };
	CHECK_EQ(pt(PTRACE_GETREGSET, pid, NT_ARM_TLS, (long)&v), 0);
	tls |= 1;
	CHECK_EQ(pt(PTRACE_SETREGSET, pid, NT_ARM_TLS, (long)&v), 0);
	ends(pid, 0, 3 << 8);
}

TEST(a_signal_is_seen_first_and_may_be_forgotten_or_changed)
{
	pid_t pid = child(raise_usr1);
	siginfo_t si;

	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGUSR1);
	si = get_info(pid);
	CHECK_EQ(si.si_signo, SIGUSR1);
	CHECK_EQ(si.si_code, SI_TKILL);
	CHECK_EQ(si.si_pid, pid);
	ends(pid, 0, 0);
	pid = child(raise_usr1);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGUSR1);
	ends(pid, SIGUSR1, SIGUSR1);
	pid = child(raise_usr1);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGUSR1);
	ends(pid, SIGTERM, SIGTERM);
}

static void ignores(void)
{
	signal(SIGUSR2, SIG_IGN);
	signal(SIGUSR1, on_usr1);
	raise(SIGUSR2);
	_exit(got == SIGUSR1 ? 5 : 6);
}

TEST(ignored_signals_are_seen_too)
{
	pid_t pid = child(ignores);

	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGUSR2);
	ends(pid, SIGUSR1, 5 << 8);	/* a handler runs for what it is turned into */
}

TEST(signal_record_and_mask_can_be_set)
{
	pid_t pid = child(raise_usr1);
	siginfo_t si;
	uint64_t mask;

	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGUSR1);
	si = get_info(pid);
	si.si_code = -77;
	CHECK_EQ(pt(PTRACE_SETSIGINFO, pid, 0, (long)&si), 0);
	CHECK_EQ(get_info(pid).si_code, -77);
	CHECK_ERR(pt(PTRACE_GETSIGMASK, pid, 4, (long)&mask), EINVAL);
	mask = ~0ul;
	CHECK_EQ(pt(PTRACE_SETSIGMASK, pid, 8, (long)&mask), 0);
	CHECK_EQ(pt(PTRACE_GETSIGMASK, pid, 8, (long)&mask), 0);
	CHECK_EQ(mask, ~(1ul << (SIGKILL - 1) | 1ul << (SIGSTOP - 1)));
	ends(pid, SIGUSR1, 0);		/* blocked now: it goes back */
}

static void queue_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = 7 });
	sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = 8 });
	raise(SIGSTOP);
}

TEST(queued_signals_can_be_read)
{
	struct { uint64_t off; uint32_t flags; int32_t nr; } a = { 0, 1, 4 };
	pid_t pid = child(queue_signals);
	siginfo_t si[4];

	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGSTOP);
	CHECK_EQ(pt(PTRACE_PEEKSIGINFO, pid, (long)&a, (long)si), 2);
	CHECK_EQ(si[0].si_int, 7);
	CHECK_EQ(si[1].si_int, 8);
	a.off = 1;
	CHECK_EQ(pt(PTRACE_PEEKSIGINFO, pid, (long)&a, (long)si), 1);
	CHECK_EQ(si[0].si_int, 8);
	a.flags = 0;
	CHECK_EQ(pt(PTRACE_PEEKSIGINFO, pid, (long)&a, (long)si), 0);
	a.flags = 2;
	CHECK_ERR(pt(PTRACE_PEEKSIGINFO, pid, (long)&a, (long)si), EINVAL);
	kill_tracee(pid);
}

TEST(attached_and_let_go)
{
	pid_t pid = sleeper();
	int st;

	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(pt(PTRACE_ATTACH, pid, 0, 0), 0);
	CHECK_EQ(next_stop(pid), SIGSTOP);
	CHECK(wait_state(pid, 't'));
	CHECK_EQ(pt(PTRACE_DETACH, pid, 0, 0), 0);
	CHECK(wait_state(pid, 'S'));
	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_EQ(pt(PTRACE_ATTACH, pid, 0, 0), 0);
	CHECK_EQ(next_stop(pid), SIGSTOP);
	CHECK_EQ(pt(PTRACE_DETACH, pid, 0, SIGTERM), 0);
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK_EQ(st, SIGTERM);
}

TEST(one_that_is_stopped_is_attached_at_once)
{
	pid_t pid = sleeper();
	int st;

	CHECK_EQ(kill(pid, SIGSTOP), 0);
	CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
	CHECK_EQ(pt(PTRACE_ATTACH, pid, 0, 0), 0);
	CHECK_EQ(next_stop(pid), SIGSTOP);
	CHECK_EQ(pt(PTRACE_DETACH, pid, 0, 0), 0);
	CHECK(wait_state(pid, 'T'));		/* its group is stopped still */
	CHECK_EQ(kill(pid, SIGCONT), 0);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK(KILLED(wait_status(pid), SIGKILL));
}

TEST(waitid_tells_of_a_trap)
{
	pid_t pid = child(raise_usr1);
	siginfo_t si;

	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(waitid(P_PID, pid, &si, WSTOPPED | WNOWAIT), 0);
	CHECK_EQ(si.si_code, CLD_TRAPPED);
	CHECK_EQ(si.si_status, SIGUSR1);
	CHECK_EQ(waitid(P_PID, pid, &si, WEXITED), 0);	/* stops of a tracee are told anyway */
	CHECK_EQ(si.si_code, CLD_TRAPPED);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);	/* once */
	kill_tracee(pid);
}

TEST(a_killed_tracee_goes_from_its_stop)
{
	pid_t pid = child(nothing);
	int st;

	CHECK_EQ(pt(PTRACE_KILL, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK_EQ(st, SIGKILL);
	CHECK_ERR(pt(PTRACE_KILL, pid, 0, 0), ESRCH);
}

TEST(only_one_traces_and_asks_once)
{
	pid_t pid = child(nothing);
	int p[2];

	fflush(stdout);
	CHECK_EQ(pipe(p), 0);
	if (!fork()) {
		char c = pt(PTRACE_ATTACH, pid, 0, 0) == -1 && errno == EPERM && pt(PTRACE_CONT, pid, 0, 0) == -1 && errno == ESRCH;

		CHECK_EQ(write(p[1], &c, 1), 1);
		_exit(0);
	}
	char c = 0;
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(c, 1);
	kill_tracee(pid);
}

/* One that has ended, but was not waited for, is nobody's to trace. */
TEST(the_dead_are_not_attached)
{
	pid_t pid = fork();
	siginfo_t si;

	if (!pid)
		_exit(7);
	CHECK_EQ(waitid(P_PID, pid, &si, WEXITED | WNOWAIT), 0);
	CHECK_ERR(pt(PTRACE_ATTACH, pid, 0, 0), EPERM);
	CHECK_ERR(pt(PTRACE_SEIZE, pid, 0, 0), EPERM);
	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK(EXITED(wait_status(pid), 7));
	CHECK_ERR(pt(PTRACE_ATTACH, pid, 0, 0), ESRCH);
}

/* Attached while it leaves: it stops or is gone, and its end is told once in either case. */
TEST(the_dying_stop_or_are_gone)
{
	int st;

	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();

		if (!pid) {
			if (i & 1)
				raise(SIGKILL);
			_exit(i & 127);
		}
		if (pt(PTRACE_ATTACH, pid, 0, 0) == 0) {
			CHECK_EQ(waitpid(pid, &st, __WALL), pid);
			if (WIFSTOPPED(st)) {
				CHECK(pt(PTRACE_DETACH, pid, 0, 0) == 0 || errno == ESRCH);
				CHECK_EQ(waitpid(pid, &st, __WALL), pid);
			}
		} else {
			CHECK_EQ(errno, EPERM);
			CHECK_EQ(waitpid(pid, &st, 0), pid);
		}
		CHECK(i & 1 ? WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL : WIFEXITED(st) && WEXITSTATUS(st) == (i & 127));
		CHECK_ERR(waitpid(pid, &st, __WALL), ECHILD);
	}
}

/* Root may look at init, who does not die of it: not of SIGKILL while it stands, and not of its tracer's end. */
TEST(init_is_traced_and_lives)
{
	struct regs r;
	struct iovec iov = { &r, sizeof(r) };
	pid_t pid;

	if (geteuid()) SKIP("needs root");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		CHECK_EQ(pt(PTRACE_SEIZE, 1, 0, 0), 0);
		CHECK_EQ(pt(PTRACE_INTERRUPT, 1, 0, 0), 0);
		CHECK_EQ(next_stop(1), SIGTRAP | PTRACE_EVENT_STOP << 8);
		CHECK_EQ(pt(PTRACE_GETREGSET, 1, NT_PRSTATUS, (unsigned long)&iov), 0);
		CHECK(r.pc != 0);
		CHECK_EQ(kill(1, SIGKILL), 0);
		CHECK_EQ(pt(PTRACE_DETACH, 1, 0, 0), 0);
		CHECK_EQ(pt(PTRACE_SEIZE, 1, 0, 0), 0);
		_exit(0);	/* still its tracer */
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(kill(1, 0), 0);
	CHECK(wait_state(1, 'S'));
}

static void twice(void) { _exit(pt(PTRACE_TRACEME, 0, 0, 0) == -1 && errno == EPERM ? 0 : 1); }
TEST(traceme_twice_is_refused) { ends(child(twice), 0, 0); }

TEST(other_users_are_refused)
{
	pid_t pid = sleeper(), other;

	fflush(stdout);
	other = fork();
	if (!other) {
		char path[64];

		CHECK_EQ(setgid(1000), 0);
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(pt(PTRACE_ATTACH, pid, 0, 0), EPERM);
		CHECK_ERR(pt(PTRACE_SEIZE, pid, 0, 0), EPERM);
		CHECK_ERR(pt(PTRACE_ATTACH, 1, 0, 0), EPERM);
		snprintf(path, sizeof(path), "/proc/%d/mem", pid);
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		_exit(0);
	}
	CHECK(EXITED(wait_status(other), 0));
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
}
