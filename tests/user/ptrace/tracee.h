/* Tracees for the tests of ptrace(2). */
#pragma once
#include "tap.h"
#include <elf.h>
#include <sys/ptrace.h>

#ifndef NT_ARM_SYSTEM_CALL
#define NT_ARM_SYSTEM_CALL 0x404
#endif
struct regs { uint64_t x[31], sp, pc, pstate; };

static inline long pt(long request, pid_t pid, unsigned long addr, unsigned long data) { return syscall(SYS_ptrace, request, pid, addr, data); }

/* child - runs fn traced by us: it has stopped itself by SIGSTOP, and that was waited for. */
static inline pid_t child(void (*fn)(void))
{
	int st;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (pt(PTRACE_TRACEME, 0, 0, 0))
			_exit(99);
		raise(SIGSTOP);
		fn();
		_exit(0);
	}
	CHECK(pid > 0);
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK(WIFSTOPPED(st));
	CHECK_EQ(WSTOPSIG(st), SIGSTOP);
	return pid;
}

/* sleeper - a child that nobody traces yet, which waits for signals. */
static inline pid_t sleeper(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	CHECK(pid > 0);
	return pid;
}

/* next_stop - the status of its next stop, shifted: the signal, and the event above it. */
static inline int next_stop(pid_t pid)
{
	int st;

	CHECK_EQ(waitpid(pid, &st, __WALL), pid);
	if (!WIFSTOPPED(st))
		printf("# status %x\n", st);
	CHECK(WIFSTOPPED(st));
	return st >> 8;
}
static inline int go(long request, pid_t pid, int sig)
{
	CHECK_EQ(pt(request, pid, 0, sig), 0);
	return next_stop(pid);
}
static inline void ends(pid_t pid, int sig, int want)
{
	int st;

	CHECK_EQ(pt(PTRACE_CONT, pid, 0, sig), 0);
	CHECK_EQ(waitpid(pid, &st, __WALL), pid);
	CHECK_EQ(st, want);
}
static inline void kill_tracee(pid_t pid)
{
	int st;

	CHECK_EQ(kill(pid, SIGKILL), 0);
	do
		CHECK_EQ(waitpid(pid, &st, __WALL), pid);
	while (WIFSTOPPED(st));
	CHECK_EQ(st, SIGKILL);
}

static inline struct regs get_regs(pid_t pid)
{
	struct regs r;
	struct iovec v = { &r, sizeof(r) };

	CHECK_EQ(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v), 0);
	CHECK_EQ(v.iov_len, sizeof(r));
	return r;
}
static inline void set_regs(pid_t pid, struct regs r)
{
	struct iovec v = { &r, sizeof(r) };

	CHECK_EQ(pt(PTRACE_SETREGSET, pid, NT_PRSTATUS, (long)&v), 0);
}
static inline long peek(pid_t pid, const volatile void *at)
{
	long v = 0;

	CHECK_EQ(pt(PTRACE_PEEKDATA, pid, (long)at, (long)&v), 0);
	return v;
}
static inline siginfo_t get_info(pid_t pid)
{
	siginfo_t si;

	CHECK_EQ(pt(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	return si;
}
static inline unsigned long message(pid_t pid)
{
	unsigned long m = 0;

	CHECK_EQ(pt(PTRACE_GETEVENTMSG, pid, 0, (long)&m), 0);
	return m;
}
static inline int event(int sig, int ev) { return sig | ev << 8; }
