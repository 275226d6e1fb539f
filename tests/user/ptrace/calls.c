/* ptrace(2): stops at system calls, events, single steps, breakpoints. */
#include "tracee.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

struct call_info {
	uint8_t op, pad[3];
	uint32_t arch;
	uint64_t pc, sp;
	union {
		struct { uint64_t nr, args[6]; } entry;
		struct { int64_t rval; uint8_t is_error; } exit;
	};
};

static struct call_info call_info(pid_t pid)
{
	struct call_info i;

	memset(&i, 0, sizeof(i));
	CHECK(pt(0x420e, pid, sizeof(i), (long)&i) > 0);
	CHECK_EQ(i.arch, 0xc00000b7);
	return i;
}

static void set_call(pid_t pid, int nr)
{
	struct iovec v = { &nr, sizeof(nr) };

	CHECK_EQ(pt(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, (long)&v), 0);
}

static void dup_and_getppid(void)
{
	long a = syscall(SYS_dup, 77), b = syscall(SYS_getppid);

	_exit(a == -1 && errno == EBADF && b == getppid() ? 9 : 8);
}

TEST(calls_stop_when_they_begin_and_end)
{
	pid_t pid = child(dup_and_getppid);
	struct call_info i;

	CHECK_EQ(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
	CHECK_EQ(call_info(pid).op, 0);
	/* raise() still has something to do, on some libraries */
	do
		CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP | 0x80);
	while (call_info(pid).op != 1 || call_info(pid).entry.nr != SYS_dup);
	i = call_info(pid);
	CHECK_EQ(i.entry.args[0], 77);
	CHECK_EQ(i.pc, get_regs(pid).pc);
	CHECK_EQ(get_regs(pid).x[7], 0);
	CHECK_EQ(get_regs(pid).x[8], SYS_dup);
	CHECK_EQ(message(pid), 1);
	CHECK_EQ(get_info(pid).si_code, SIGTRAP | 0x80);
	CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP | 0x80);
	i = call_info(pid);
	CHECK_EQ(i.op, 2);
	CHECK_EQ(i.exit.rval, -EBADF);
	CHECK_EQ(i.exit.is_error, 1);
	CHECK_EQ(get_regs(pid).x[7], 1);
	CHECK_EQ((long)get_regs(pid).x[0], -EBADF);
	CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP | 0x80);
	CHECK_EQ(call_info(pid).entry.nr, SYS_getppid);
	CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP | 0x80);
	CHECK_EQ(call_info(pid).exit.rval, getpid());
	ends(pid, 0, 9 << 8);
}

static void to_call(pid_t pid, long nr)
{
	do
		CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP);
	while (get_regs(pid).x[7] || get_regs(pid).x[8] != (uint64_t)nr);
}

static void dup_100(void) { _exit(syscall(SYS_dup, 100) == 33 ? 1 : 2); }

TEST(a_call_is_changed_or_skipped)
{
	pid_t pid = child(dup_100);
	struct regs r;
	char path[64], text[128];

	to_call(pid, SYS_dup);
	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	CHECK(read_file(path, text, sizeof(text)) > 0);
	CHECK(!strncmp(text, "23 0x64 ", 8));
	set_call(pid, -1);
	r = get_regs(pid);
	r.x[0] = 33;
	set_regs(pid, r);
	CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP);
	CHECK_EQ(get_regs(pid).x[0], 33);
	ends(pid, 0, 1 << 8);

	pid = child(dup_100);		/* dup(100) made dup(0) */
	to_call(pid, SYS_dup);
	r = get_regs(pid);
	r.x[0] = 0;
	set_regs(pid, r);
	CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP);
	CHECK((long)get_regs(pid).x[0] > 0);
	ends(pid, 0, 2 << 8);

	pid = child(dup_100);		/* and another call, whose result is changed */
	to_call(pid, SYS_dup);
	set_call(pid, SYS_getpid);
	CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP);
	r = get_regs(pid);
	CHECK_EQ(r.x[0], pid);
	r.x[0] = 33;
	set_regs(pid, r);
	ends(pid, 0, 1 << 8);
}

static void unknown_calls(void)
{
	long a = syscall(-1), b = syscall(5000);

	_exit(a == -1 && b == -1 && errno == ENOSYS ? 4 : 5);
}

TEST(unknown_calls_stop_too)
{
	pid_t pid = child(unknown_calls);

	to_call(pid, -1);
	CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP);
	CHECK_EQ((long)get_regs(pid).x[0], -ENOSYS);
	to_call(pid, 5000);
	CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP);
	CHECK_EQ((long)get_regs(pid).x[0], -ENOSYS);
	ends(pid, 0, 4 << 8);
}

TEST(emulated_calls_are_not_made)
{
	pid_t pid = child(dup_100);
	struct regs r;

	do
		CHECK_EQ(go(31 /* PTRACE_SYSEMU */, pid, 0), SIGTRAP);
	while (get_regs(pid).x[8] != SYS_dup);
	r = get_regs(pid);
	r.x[0] = 33;
	set_regs(pid, r);
	ends(pid, 0, 1 << 8);
}

static int handled;
static void handler(int sig) { handled += sig; }
static void wait_for_usr1(void)
{
	struct sigaction sa = { .sa_handler = handler };
	int p[2];
	char c;

	sigaction(SIGUSR1, &sa, NULL);
	CHECK_EQ(pipe(p), 0);
	_exit(read(p[0], &c, 1) == -1 && errno == EINTR && handled == SIGUSR1 ? 6 : 7);
}

TEST(an_interrupted_call_is_seen_as_such)
{
	pid_t pid = child(wait_for_usr1);
	struct regs r;

	to_call(pid, SYS_read);
	CHECK_EQ(pt(PTRACE_SYSCALL, pid, 0, 0), 0);
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(kill(pid, SIGUSR1), 0);
	CHECK_EQ(next_stop(pid), SIGTRAP);
	r = get_regs(pid);
	CHECK_EQ((long)r.x[0], -512);		/* ERESTARTSYS */
	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGUSR1);
	CHECK_EQ(get_regs(pid).pc, r.pc - 4);	/* at the call, which would begin anew */
	ends(pid, SIGUSR1, 6 << 8);

	pid = child(wait_for_usr1);		/* forgotten: it does begin anew */
	to_call(pid, SYS_read);
	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(kill(pid, SIGUSR2), 0);
	CHECK_EQ(next_stop(pid), SIGUSR2);
	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(kill(pid, SIGUSR1), 0);
	CHECK_EQ(next_stop(pid), SIGUSR1);
	ends(pid, SIGUSR1, 6 << 8);
}

/* --- steps and breakpoints */

static volatile long counted;
static void __attribute__((noinline)) marked(void) { counted++; }
static void call_marked(void)
{
	marked();
	_exit(counted == 1 ? 11 : 12);
}

static pid_t at_marked(void)
{
	pid_t pid = child(call_marked);
	long *at = (long *)((long)&marked & ~7l), old = *at;
	int shift = (long)&marked & 4 ? 32 : 0;
	struct regs r;
	siginfo_t si;

	CHECK_EQ(pt(PTRACE_POKETEXT, pid, (long)at, (old & ~(0xfffffffful << shift)) | 0xd4200000ul << shift), 0);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGTRAP);
	si = get_info(pid);
	CHECK_EQ(si.si_code, TRAP_BRKPT);
	CHECK(si.si_addr == (void *)&marked);
	r = get_regs(pid);
	CHECK_EQ(r.pc, &marked);
	CHECK_EQ(pt(PTRACE_POKETEXT, pid, (long)at, old), 0);
	return pid;
}

TEST(a_breakpoint_in_the_code) { ends(at_marked(), 0, 11 << 8); }

TEST(single_steps)
{
	pid_t pid = at_marked();
	struct regs r = get_regs(pid), s;
	int n = 0;

	do {
		CHECK_EQ(go(PTRACE_SINGLESTEP, pid, 0), SIGTRAP);
		CHECK_EQ(get_info(pid).si_code, TRAP_TRACE);
		s = get_regs(pid);
		CHECK(s.pc == r.pc + 4 || s.pc == r.x[30]);
		CHECK(get_info(pid).si_addr == (void *)s.pc);
		r.pc = s.pc;
	} while (s.pc != r.x[30] && ++n < 20);
	CHECK_EQ(r.pc, r.x[30]);
	CHECK_EQ(peek(pid, &counted), 1);
	ends(pid, 0, 11 << 8);
}

static void step_over_calls(void)
{
	long r;

	asm volatile("mov x8, #172\n\tsvc #0\n\tmov %0, x0" : "=r"(r) : : "x0", "x8", "memory");
	_exit(r == getpid() ? 13 : 14);
}

TEST(a_step_over_a_call_and_into_a_handler)
{
	pid_t pid = child(step_over_calls);
	struct regs r;
	uint32_t insn;
	int n = 0;

	do {
		CHECK_EQ(go(PTRACE_SINGLESTEP, pid, 0), SIGTRAP);
		r = get_regs(pid);
		insn = (uint32_t)(peek(pid, (void *)(r.pc & ~7ul)) >> (r.pc & 4 ? 32 : 0));
	} while ((insn != 0xd4000001 || r.x[8] != 172) && ++n < 5000);
	CHECK(n < 5000);
	CHECK_EQ(go(PTRACE_SINGLESTEP, pid, 0), SIGTRAP);
	CHECK_EQ(get_regs(pid).pc, r.pc + 4);
	CHECK_EQ(get_regs(pid).x[0], pid);
	CHECK_EQ(go(PTRACE_SINGLESTEP, pid, 0), SIGTRAP);
	CHECK(get_regs(pid).pc == r.pc + 8 || (!on_sarsen() && get_regs(pid).pc == r.pc + 4));	/* Linux stands still once */
	ends(pid, 0, 13 << 8);

	pid = child(wait_for_usr1);
	to_call(pid, SYS_pipe2);
	CHECK_EQ(kill(pid, SIGUSR1), 0);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGUSR1);
	CHECK_EQ(go(PTRACE_SINGLESTEP, pid, SIGUSR1), SIGTRAP);
	CHECK_EQ(get_regs(pid).pc, &handler);
	CHECK_EQ(get_regs(pid).x[0], SIGUSR1);
	kill_tracee(pid);
}

/* --- events */

static void filtered(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 77), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 4, code };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		_exit(99);
	_exit(syscall(SYS_getppid) == getpid() && syscall(SYS_getppid) == 5 && syscall(SYS_getppid) == -1 && errno == ENOSYS ? 21 : 22);
}

TEST(a_filter_asks_the_tracer)
{
	pid_t pid = child(filtered);
	struct regs r;

	CHECK_EQ(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP), 0);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), event(SIGTRAP, PTRACE_EVENT_SECCOMP));
	CHECK_EQ(message(pid), 77);
	CHECK_EQ(call_info(pid).op, 3);
	CHECK_EQ(call_info(pid).entry.nr, SYS_getppid);
	set_call(pid, SYS_getpid);		/* another call */
	CHECK_EQ(go(PTRACE_CONT, pid, 0), event(SIGTRAP, PTRACE_EVENT_SECCOMP));
	r = get_regs(pid);
	r.x[0] = 5;
	set_regs(pid, r);
	set_call(pid, -1);			/* none */
	CHECK_EQ(go(PTRACE_CONT, pid, 0), event(SIGTRAP, PTRACE_EVENT_SECCOMP));
	CHECK_EQ(pt(PTRACE_SETOPTIONS, pid, 0, 0), 0);
	set_call(pid, -1);
	r = get_regs(pid);
	r.x[0] = -ENOSYS;
	set_regs(pid, r);
	ends(pid, 0, 21 << 8);
}

static void fork_one(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(3);
	_exit(EXITED(wait_status(pid), 3) ? 15 : 16);
}

TEST(a_fork_is_told_of_and_the_child_traced)
{
	pid_t pid = child(fork_one), kid;
	int st;

	CHECK_EQ(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT), 0);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), event(SIGTRAP, PTRACE_EVENT_FORK));
	kid = (pid_t)message(pid);
	CHECK_EQ(get_info(pid).si_code, event(SIGTRAP, PTRACE_EVENT_FORK));
	CHECK_EQ(next_stop(kid), SIGSTOP);
	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(go(PTRACE_CONT, kid, 0), event(SIGTRAP, PTRACE_EVENT_EXIT));	/* options are inherited */
	CHECK_EQ(message(kid), 3 << 8);
	CHECK_EQ(pt(PTRACE_CONT, kid, 0, 0), 0);
	CHECK_EQ(waitpid(kid, &st, 0), kid);		/* first us, then its parent */
	CHECK_EQ(st, 3 << 8);
	do
		st = next_stop(pid);
	while (st == SIGCHLD && !pt(PTRACE_CONT, pid, 0, SIGCHLD));
	CHECK_EQ(st, event(SIGTRAP, PTRACE_EVENT_EXIT));
	CHECK_EQ(message(pid), 15 << 8);
	ends(pid, 0, 15 << 8);
}

static void vfork_one(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);

	if (!pid)
		_exit(3);
	_exit(EXITED(wait_status(pid), 3) ? 15 : 16);
}

TEST(a_vfork_and_its_end)
{
	pid_t pid = child(vfork_one), kid;
	int st;

	CHECK_EQ(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE), 0);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), event(SIGTRAP, PTRACE_EVENT_VFORK));
	kid = (pid_t)message(pid);
	CHECK_EQ(next_stop(kid), SIGSTOP);
	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(pt(PTRACE_DETACH, kid, 0, 0), 0);
	st = next_stop(pid);
	CHECK_EQ(st, event(SIGTRAP, PTRACE_EVENT_VFORK_DONE));
	CHECK_EQ(message(pid), kid);
	CHECK_EQ(pt(PTRACE_SETOPTIONS, pid, 0, 0), 0);
	CHECK_EQ(pt(PTRACE_DETACH, pid, 0, 0), 0);
	CHECK(EXITED(wait_status(pid), 15));
}

static char self[PATH_MAX];
static void exec_self(void) { execl(self, "exec", "child", NULL); }

TEST(exec_is_told_of)
{
	pid_t pid;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	CHECK(n > 0);
	pid = child(exec_self);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGTRAP);	/* the old way: a plain signal */
	CHECK_EQ(get_info(pid).si_code, SI_USER);
	kill_tracee(pid);
	pid = child(exec_self);
	CHECK_EQ(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC), 0);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), event(SIGTRAP, PTRACE_EVENT_EXEC));
	CHECK_EQ(message(pid), pid);
	CHECK_EQ(go(PTRACE_SINGLESTEP, pid, 0), SIGTRAP);
	kill_tracee(pid);
	pid = child(exec_self);
	to_call(pid, SYS_execve);
	CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP);	/* the end of execve, then the signal */
	CHECK_EQ(get_regs(pid).x[7], 1);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGTRAP);
	kill_tracee(pid);
}
