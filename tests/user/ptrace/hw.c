/* Breakpoints and watchpoints in the CPU's registers: PTRACE_SETREGSET NT_ARM_HW_BREAK, NT_ARM_HW_WATCH. */
#include "tracee.h"
#include <sys/uio.h>
#include <sys/wait.h>

#ifndef TRAP_HWBKPT
#define TRAP_HWBKPT 4
#endif
#define ON		1u
#define BYTES(mask)	((uint32_t)(mask) << 5)
#define READS		(1u << 3)
#define WRITES		(2u << 3)

struct hw { uint32_t info, pad; struct { uint64_t addr; uint32_t ctrl, pad; } reg[16]; };
#define UP_TO(n)	(8 + 16 * (size_t)(n))

static volatile uint64_t watched[4] __attribute__((aligned(64)));
static uint64_t seen;
static void __attribute__((noinline)) marked(void) { asm volatile("" ::: "memory"); seen++; }
static void __attribute__((noinline)) other(void) { asm volatile("" ::: "memory"); seen += 10; }

static long set_hw(pid_t pid, int type, const struct hw *hw, size_t len)
{
	struct iovec v = { (void *)hw, len };

	return pt(PTRACE_SETREGSET, pid, type, (long)&v);
}

static struct hw get_hw(pid_t pid, int type)
{
	struct hw hw;
	struct iovec v = { &hw, sizeof(hw) };

	memset(&hw, 0xee, sizeof(hw));
	CHECK_EQ(pt(PTRACE_GETREGSET, pid, type, (long)&v), 0);
	CHECK_EQ(v.iov_len, sizeof(hw));
	return hw;
}

static long one(pid_t pid, int type, uint64_t addr, uint32_t ctrl)
{
	struct hw hw = { .reg = { { addr, ctrl, 0 } } };

	return set_hw(pid, type, &hw, UP_TO(1));
}

static void hit_at(pid_t pid, const volatile void *addr)
{
	siginfo_t si;

	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGTRAP);
	si = get_info(pid);
	CHECK_EQ(si.si_signo, SIGTRAP);
	CHECK_EQ(si.si_code, TRAP_HWBKPT);
	CHECK_EQ(si.si_errno, 0);
	CHECK_EQ((long)si.si_addr, (long)addr);
}

static void step(pid_t pid)
{
	CHECK_EQ(go(PTRACE_SINGLESTEP, pid, 0), SIGTRAP);
	CHECK_EQ(get_info(pid).si_code, TRAP_TRACE);
}

static void nothing(void) { }
static void call_them(void)
{
	marked();
	other();
	marked();
	_exit(seen == 12 ? 3 : 4);
}

static void touch_them(void)
{
	volatile uint8_t *byte = (volatile uint8_t *)watched;

	watched[0] = 1;
	(void)watched[0];
	byte[3] = 2;
	(void)byte[3];
	byte[4] = 3;
	*(volatile uint32_t *)(byte + 20) = 4;
	(void)*(volatile uint32_t *)(byte + 20);
	_exit(watched[0] == 0x0302000001 && watched[2] == 0x400000000 ? 5 : 6);
}

TEST(how_many_there_are)
{
	pid_t pid = child(nothing);
	struct hw b = get_hw(pid, NT_ARM_HW_BREAK), w = get_hw(pid, NT_ARM_HW_WATCH);
	uint64_t v[2];
	struct iovec iov = { v, 8 };

	CHECK((b.info & 0xff) >= 2 && (b.info & 0xff) <= 16);
	CHECK((w.info & 0xff) >= 2 && (w.info & 0xff) <= 16);
	CHECK((b.info >> 8 & 0xff) >= 6);
	CHECK_EQ(b.info >> 16, 0);
	CHECK_EQ(b.info >> 8, w.info >> 8);
	for (int i = 0; i < 16; i++)
		CHECK(!b.reg[i].addr && !b.reg[i].ctrl && !b.reg[i].pad && !w.reg[i].addr && !w.reg[i].ctrl);
	CHECK_EQ(pt(PTRACE_GETREGSET, pid, NT_ARM_HW_BREAK, (long)&iov), 0);
	CHECK_EQ(iov.iov_len, 8);
	CHECK_EQ(v[0], b.info);
	iov.iov_len = 6;
	CHECK_ERR(pt(PTRACE_GETREGSET, pid, NT_ARM_HW_BREAK, (long)&iov), EINVAL);
	iov = (struct iovec){ (void *)8, 264 };
	CHECK_ERR(pt(PTRACE_GETREGSET, pid, NT_ARM_HW_WATCH, (long)&iov), EFAULT);
	CHECK_ERR(pt(PTRACE_SETREGSET, pid, NT_ARM_HW_WATCH, (long)&iov), EFAULT);
	iov.iov_base = (void *)(1ul << 60);
	CHECK_ERR(pt(PTRACE_SETREGSET, pid, NT_ARM_HW_BREAK, (long)&iov), EFAULT);
	ends(pid, 0, 0);
}

TEST(a_breakpoint_is_hit_until_it_is_off)
{
	pid_t pid = child(call_them);
	struct regs r;

	CHECK_EQ(one(pid, NT_ARM_HW_BREAK, (long)&marked, BYTES(15) | ON), 0);
	hit_at(pid, &marked);
	r = get_regs(pid);
	CHECK_EQ(r.pc, (long)&marked);
	CHECK_EQ(peek(pid, &seen), 0);
	hit_at(pid, &marked);			/* nobody stepped over it */
	CHECK_EQ(go(PTRACE_SINGLESTEP, pid, 0), SIGTRAP);
	CHECK_EQ(get_info(pid).si_code, TRAP_HWBKPT);
	CHECK_EQ(one(pid, NT_ARM_HW_BREAK, (long)&marked, BYTES(15)), 0);
	step(pid);
	CHECK_EQ(get_regs(pid).pc, (long)&marked + 4);
	CHECK_EQ(one(pid, NT_ARM_HW_BREAK, (long)&marked, BYTES(15) | ON), 0);
	hit_at(pid, &marked);
	CHECK_EQ(peek(pid, &seen), 11);
	CHECK_EQ(one(pid, NT_ARM_HW_BREAK, 0, 0), 0);
	ends(pid, 0, 3 << 8);
}

TEST(a_step_comes_to_a_breakpoint)
{
	pid_t pid = child(call_them);
	struct hw hw = { .reg = { { (long)&marked, BYTES(15) | ON, 0 }, { (long)&marked + 4, BYTES(15) | ON, 0 }, { (long)&other, BYTES(15) | ON, 0 } } };

	CHECK_EQ(set_hw(pid, NT_ARM_HW_BREAK, &hw, UP_TO(3)), 0);
	hit_at(pid, &marked);
	hw.reg[0].ctrl = 0;
	CHECK_EQ(set_hw(pid, NT_ARM_HW_BREAK, &hw, UP_TO(3)), 0);
	step(pid);
	CHECK_EQ(go(PTRACE_SINGLESTEP, pid, 0), SIGTRAP);
	CHECK_EQ(get_info(pid).si_code, TRAP_HWBKPT);
	CHECK_EQ(get_regs(pid).pc, (long)&marked + 4);
	hw.reg[1].ctrl = 0;
	CHECK_EQ(set_hw(pid, NT_ARM_HW_BREAK, &hw, UP_TO(2)), 0);
	hit_at(pid, &other);
	hw.reg[2].ctrl = 0;
	CHECK_EQ(set_hw(pid, NT_ARM_HW_BREAK, &hw, UP_TO(3)), 0);
	ends(pid, 0, 3 << 8);
}

/* How often each access of touch_them stops, stepping over it with the watchpoint off. */
static int hits(uint64_t addr, uint32_t ctrl, long *where)
{
	pid_t pid = child(touch_them);
	int st, n = 0;

	CHECK_EQ(one(pid, NT_ARM_HW_WATCH, addr, ctrl | ON), 0);
	for (;;) {
		CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
		CHECK_EQ(waitpid(pid, &st, 0), pid);
		if (WIFEXITED(st))
			break;
		CHECK_EQ(st >> 8, SIGTRAP);
		CHECK_EQ(get_info(pid).si_code, TRAP_HWBKPT);
		where[n++] = (long)get_info(pid).si_addr - (long)watched;
		CHECK_EQ(one(pid, NT_ARM_HW_WATCH, addr, ctrl), 0);
		step(pid);
		CHECK_EQ(one(pid, NT_ARM_HW_WATCH, addr, ctrl | ON), 0);
	}
	CHECK_EQ(WEXITSTATUS(st), 5);
	return n;
}

TEST(a_watchpoint_sees_reads_and_writes)
{
	uint64_t at = (long)watched;
	long w[16];

	CHECK_EQ(hits(at, BYTES(0xff) | WRITES, w), 3);
	CHECK(w[0] >= 0 && w[0] < 8 && w[1] == 3 && w[2] == 4);
	CHECK_EQ(hits(at, BYTES(0xff) | READS, w), 3);		/* and the last look */
	CHECK_EQ(hits(at, BYTES(0xff) | READS | WRITES, w), 6);
	CHECK_EQ(hits(at, BYTES(0x10) | WRITES, w), 2);		/* the whole word, and byte 4 */
	CHECK_EQ(w[1], 4);
	CHECK_EQ(hits(at + 3, BYTES(1) | WRITES, w), 2);
	CHECK_EQ(w[1], 3);
	CHECK_EQ(hits(at + 20, BYTES(0xf) | WRITES, w), 1);
	CHECK_EQ(w[0], 20);
	CHECK_EQ(hits(at + 16, BYTES(0xf) | WRITES, w), 0);
	CHECK_EQ(hits(at + 8, BYTES(0xff) | READS | WRITES, w), 0);
}

TEST(a_watchpoint_comes_before_the_write)
{
	pid_t pid = child(touch_them);

	CHECK_EQ(one(pid, NT_ARM_HW_WATCH, (long)watched, BYTES(0xff) | WRITES | ON), 0);
	hit_at(pid, watched);
	CHECK_EQ(peek(pid, watched), 0);
	hit_at(pid, watched);
	CHECK_EQ(one(pid, NT_ARM_HW_WATCH, (long)watched, 0), 0);
	step(pid);
	CHECK_EQ(peek(pid, watched), 1);
	ends(pid, 0, 5 << 8);
}

static void pipe_into_it(void)
{
	int fd[2];

	if (pipe(fd) || write(fd[1], "12345678", 8) != 8 || read(fd[0], (void *)watched, 8) != 8)
		_exit(9);
	watched[1] = 5;
	_exit(watched[0] == 0x3837363534333231 ? 5 : 6);
}

TEST(the_kernel_is_not_watched)
{
	pid_t pid = child(pipe_into_it);
	struct hw hw = { .reg = { { (long)watched, BYTES(0xff) | WRITES | ON, 0 }, { (long)(watched + 1), BYTES(0xff) | WRITES | ON, 0 } } };

	CHECK_EQ(set_hw(pid, NT_ARM_HW_WATCH, &hw, UP_TO(2)), 0);
	hit_at(pid, watched + 1);
	CHECK_EQ(peek(pid, watched), 0x3837363534333231);
	CHECK_EQ(one(pid, NT_ARM_HW_WATCH, 0, 0), 0);
	hw.reg[1].ctrl = 0;
	CHECK_EQ(set_hw(pid, NT_ARM_HW_WATCH, &hw, UP_TO(2)), 0);
	ends(pid, 0, 5 << 8);
}

TEST(what_may_be_asked_for)
{
	pid_t pid = child(nothing);
	uint64_t at = (long)watched;
	struct hw hw;

	CHECK_ERR(one(pid, NT_ARM_HW_BREAK, at, BYTES(15) | READS | ON), EINVAL);
	CHECK_ERR(one(pid, NT_ARM_HW_WATCH, at, BYTES(15) | ON), EINVAL);
	CHECK_ERR(one(pid, NT_ARM_HW_WATCH, at, WRITES | ON), EINVAL);
	CHECK_ERR(one(pid, NT_ARM_HW_WATCH, at, BYTES(5) | WRITES | ON), EINVAL);
	CHECK_ERR(one(pid, NT_ARM_HW_BREAK, at, ON), EINVAL);
	CHECK_ERR(one(pid, NT_ARM_HW_WATCH, 0xffff000000000000, BYTES(1) | WRITES | ON), EINVAL);
	CHECK_ERR(one(pid, NT_ARM_HW_WATCH, 0xffff800000000000, 0), EINVAL);
	CHECK_ERR(one(pid, NT_ARM_HW_BREAK, 1ul << 48, BYTES(15) | ON), EINVAL);
	CHECK_EQ(one(pid, NT_ARM_HW_BREAK, 0x10, BYTES(15) | ON), 0);
	/* the privilege that was asked for is not what is given, bits above are ignored */
	CHECK_EQ(one(pid, NT_ARM_HW_WATCH, at, BYTES(0xff) | READS | 6 | 0xffe00000 | ON), 0);
	hw = get_hw(pid, NT_ARM_HW_WATCH);
	CHECK_EQ(hw.reg[0].ctrl, BYTES(0xff) | READS | 4 | ON);
	CHECK_EQ(hw.reg[0].addr, at);
	hw.reg[0].addr = at + 3;
	hw.reg[0].ctrl = BYTES(2) | WRITES | ON;
	CHECK_ERR(set_hw(pid, NT_ARM_HW_WATCH, &hw, 18), EINVAL);
	CHECK_ERR(set_hw(pid, NT_ARM_HW_WATCH, &hw, 12), EINVAL);	/* half an address */
	CHECK_EQ(set_hw(pid, NT_ARM_HW_WATCH, &hw, 8), 0);
	CHECK_EQ(set_hw(pid, NT_ARM_HW_WATCH, &hw, 4), 0);
	CHECK_ERR(set_hw(pid, NT_ARM_HW_WATCH, &hw, 20), EINVAL);	/* with the eight bytes of before */
	CHECK_EQ(one(pid, NT_ARM_HW_WATCH, at, BYTES(3) | WRITES | ON), 0);
	CHECK_EQ(set_hw(pid, NT_ARM_HW_WATCH, &hw, 20), 0);
	hw = get_hw(pid, NT_ARM_HW_WATCH);
	CHECK_EQ(hw.reg[0].addr, at);
	CHECK_EQ(hw.reg[0].ctrl, BYTES(0x10) | WRITES | 4 | ON);
	CHECK_ERR(one(pid, NT_ARM_HW_WATCH, at + 4, BYTES(0x1f) | WRITES | ON), EINVAL);
	CHECK_EQ(one(pid, NT_ARM_HW_WATCH, at + 4, BYTES(0xf) | WRITES | ON), 0);
	CHECK_EQ(get_hw(pid, NT_ARM_HW_WATCH).reg[0].ctrl, BYTES(0xf0) | WRITES | 4 | ON);
	hw.reg[0].addr = at + 24;
	CHECK_EQ(set_hw(pid, NT_ARM_HW_WATCH, &hw, 16), 0);		/* an address and no more */
	hw = get_hw(pid, NT_ARM_HW_WATCH);
	CHECK_EQ(hw.reg[0].addr, at + 24);
	CHECK_EQ(hw.reg[0].ctrl, BYTES(0xf) | WRITES | 4 | ON);
	CHECK_EQ(one(pid, NT_ARM_HW_WATCH, at + 2, 0), 0);
	CHECK_EQ(get_hw(pid, NT_ARM_HW_WATCH).reg[0].ctrl, BYTES(0x3c) | WRITES | 4);
	CHECK_EQ(one(pid, NT_ARM_HW_BREAK, at + 6, BYTES(1) | ON), 0);
	CHECK_EQ(get_hw(pid, NT_ARM_HW_BREAK).reg[0].addr, at + 4);
	CHECK_EQ(get_hw(pid, NT_ARM_HW_BREAK).reg[0].ctrl, BYTES(0x3c) | 4 | ON);
	ends(pid, 0, 0);
}

TEST(as_many_as_the_cpu_has)
{
	static const int types[] = { NT_ARM_HW_BREAK, NT_ARM_HW_WATCH };
	pid_t pid = child(call_them);

	for (int k = 0; k < 2; k++) {
		struct hw hw = get_hw(pid, types[k]);
		int n = hw.info & 0xff;

		memset(hw.reg, 0, sizeof(hw.reg));
		if (n < 16)
			CHECK_ERR(set_hw(pid, types[k], &hw, UP_TO(n + 1)), ENOSPC);
		CHECK_EQ(set_hw(pid, types[k], &hw, UP_TO(n)), 0);
		hw = get_hw(pid, types[k]);
		CHECK_EQ(hw.reg[0].ctrl, BYTES(15) | (k ? READS | WRITES : 0) | 4);
		CHECK_EQ(hw.reg[n - 1].ctrl, hw.reg[0].ctrl);
		CHECK_EQ(hw.reg[15].ctrl, n < 16 ? 0 : hw.reg[0].ctrl);
		hw.reg[n - 1].addr = k ? (long)&seen : (long)&other;	/* the last one works */
		hw.reg[n - 1].ctrl = BYTES(15) | (k ? WRITES : 0) | ON;
		CHECK_EQ(set_hw(pid, types[k], &hw, UP_TO(n)), 0);
		hit_at(pid, k ? (void *)&seen : (void *)&other);
		hw.reg[n - 1].ctrl = 0;
		CHECK_EQ(set_hw(pid, types[k], &hw, UP_TO(n)), 0);
	}
	ends(pid, 0, 3 << 8);
}

static void fork_and_call(void)
{
	int st;
	pid_t pid = fork();

	if (!pid) {
		other();
		_exit(seen == 10 ? 1 : 2);
	}
	waitpid(pid, &st, 0);
	other();
	_exit(st == 1 << 8 ? 3 : 4);
}

TEST(a_child_has_none)
{
	pid_t pid = child(fork_and_call), kid;
	int st;

	CHECK_EQ(one(pid, NT_ARM_HW_BREAK, (long)&other, BYTES(15) | ON), 0);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGCHLD);
	hit_at(pid, &other);			/* after its child, which nobody traces, has passed it */
	CHECK_EQ(one(pid, NT_ARM_HW_BREAK, 0, 0), 0);
	ends(pid, 0, 3 << 8);

	pid = child(fork_and_call);
	CHECK_EQ(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK), 0);
	CHECK_EQ(one(pid, NT_ARM_HW_BREAK, (long)&other, BYTES(15) | ON), 0);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), event(SIGTRAP, PTRACE_EVENT_FORK));
	kid = (pid_t)message(pid);
	CHECK_EQ(next_stop(kid), SIGSTOP);
	CHECK_EQ(get_hw(kid, NT_ARM_HW_BREAK).reg[0].ctrl, 0);
	ends(kid, 0, 1 << 8);
	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
	do
		CHECK_EQ(waitpid(pid, &st, 0), pid);
	while (st >> 8 == SIGCHLD && !pt(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(st >> 8, SIGTRAP);
	kill_tracee(pid);
}

static char *const argv[] = { (char *)"/proc/self/exe", (char *)"--list", NULL };
static void become_another(void)
{
	int fd = open("/dev/null", O_WRONLY);

	dup2(fd, 1);
	execv(argv[0], argv);
	_exit(9);
}

TEST(another_program_has_none)
{
	pid_t pid = child(become_another);

	CHECK_EQ(one(pid, NT_ARM_HW_WATCH, (long)watched, BYTES(15) | WRITES | ON), 0);
	CHECK_EQ(one(pid, NT_ARM_HW_BREAK, (long)&other, BYTES(15) | ON), 0);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGTRAP);	/* the exec */
	CHECK_EQ(get_hw(pid, NT_ARM_HW_BREAK).reg[0].ctrl, 0);
	CHECK_EQ(get_hw(pid, NT_ARM_HW_WATCH).reg[0].addr, 0);
	kill_tracee(pid);
}

TEST(they_stay_when_the_tracer_goes)
{
	pid_t pid = child(call_them);
	int st;

	CHECK_EQ(one(pid, NT_ARM_HW_BREAK, (long)&other, BYTES(15) | ON), 0);
	CHECK_EQ(pt(PTRACE_DETACH, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK_EQ(st & 0x7f, SIGTRAP);
}

static void sleep_between(void)
{
	for (int i = 0; i < 20; i++) {
		sched_yield();
		marked();
	}
	_exit((int)seen);
}

TEST(two_have_their_own)
{
	pid_t a = child(sleep_between), b = child(sleep_between);
	int st, n = 0, of;
	pid_t pid;

	CHECK_EQ(one(a, NT_ARM_HW_BREAK, (long)&marked, BYTES(15) | ON), 0);
	CHECK_EQ(one(b, NT_ARM_HW_BREAK, (long)&other, BYTES(15) | ON), 0);
	CHECK_EQ(one(b, NT_ARM_HW_WATCH, (long)watched, BYTES(15) | WRITES | ON), 0);
	CHECK_EQ(pt(PTRACE_CONT, a, 0, 0), 0);
	CHECK_EQ(pt(PTRACE_CONT, b, 0, 0), 0);
	for (of = 2; of; ) {
		pid = waitpid(-1, &st, 0);
		CHECK(pid == a || pid == b);
		if (WIFEXITED(st)) {
			CHECK_EQ(WEXITSTATUS(st), 20);
			of--;
			continue;
		}
		CHECK_EQ(pid, a);
		CHECK_EQ(st >> 8, SIGTRAP);
		CHECK_EQ(get_info(a).si_code, TRAP_HWBKPT);
		n++;
		CHECK_EQ(one(a, NT_ARM_HW_BREAK, (long)&marked, BYTES(15)), 0);
		step(a);
		CHECK_EQ(one(a, NT_ARM_HW_BREAK, (long)&marked, BYTES(15) | ON), 0);
		CHECK_EQ(pt(PTRACE_CONT, a, 0, 0), 0);
	}
	CHECK_EQ(n, 20);
}
