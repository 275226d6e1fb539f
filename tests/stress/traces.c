/* traces: attaching, stepping, letting go, against kills, execs, threads that come and go, and tracers that die. */
#include "stress.h"
#include <elf.h>
#include <sys/ptrace.h>

static long pt(long request, pid_t pid, unsigned long addr, unsigned long data) { return syscall(SYS_ptrace, request, pid, addr, data); }

static void *brief(void *arg) { return arg; }

/* What is traced: threads, children, execs, signals, calls. */
static void victim(unsigned seed)
{
	for (;;)
		switch (random_next(&seed) % 5) {
		case 0: if (fork() == 0) _exit(0); wait(NULL); break;
		case 1: { pthread_t t; if (!pthread_create(&t, NULL, brief, NULL)) pthread_join(t, NULL); break; }
		case 2: { pid_t p = fork(); if (p == 0) { execl("/proc/self/exe", "traces", "quit", (char *)NULL); _exit(1); } waitpid(p, NULL, 0); break; }
		case 3: kill(getpid(), SIGCHLD); break;
		default: for (int i = 0; i < 200; i++) getppid();
		}
}

/* Something that one may ask of a tracee in a stop, or not. */
static void ask(pid_t pid, unsigned *seed)
{
	struct { uint64_t x[34]; } regs;
	struct iovec v = { &regs, sizeof(regs) };
	siginfo_t si;
	long word;

	switch (random_next(seed) % 6) {
	case 0: pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v); break;
	case 1: pt(PTRACE_PEEKDATA, pid, (long)&word, (long)&word); break;
	case 2: pt(PTRACE_GETSIGINFO, pid, 0, (long)&si); break;
	case 3: pt(PTRACE_INTERRUPT, pid, 0, 0); break;
	case 4: pt(PTRACE_LISTEN, pid, 0, 0); break;
	default: pt(PTRACE_SETOPTIONS, pid, 0, random_next(seed) & 0xfe);
	}
}

static void trace_some(pid_t pid, unsigned *seed)
{
	static const int go[] = { PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SINGLESTEP, PTRACE_SYSCALL };
	int st;

	if (pt(random_next(seed) & 1 ? PTRACE_SEIZE : PTRACE_ATTACH, pid, 0, 0))
		return;
	pt(PTRACE_INTERRUPT, pid, 0, 0);
	for (unsigned n = 20 + random_next(seed) % 100; n; n--) {
		pid_t who = waitpid(-1, &st, __WALL | WNOHANG);

		if (who <= 0) {
			sched_yield();
			continue;
		}
		if (!WIFSTOPPED(st))
			continue;
		ask(who, seed);
		int sig = WSTOPSIG(st) & 0x7f;
		pt(go[random_next(seed) % 4], who, 0, sig == SIGTRAP || sig == SIGSTOP || random_next(seed) & 1 ? 0 : sig);
	}
	if (random_next(seed) & 1)
		pt(PTRACE_DETACH, pid, 0, 0);
}

static void tracer(int n)
{
	unsigned seed = n + 1;

	while (!over()) {
		pid_t v, t[2];

		random_next(&seed);
		v = fork();
		CHECK(v >= 0);
		if (v == 0) {
			setpgid(0, 0);
			victim(seed);
		}
		setpgid(v, v);			/* what it starts may be stopped when it dies */
		for (int i = 0; i < 2; i++) {
			random_next(&seed);
			t[i] = fork();
			CHECK(t[i] >= 0);
			if (t[i] == 0) {
				for (int k = 0; k < 4; k++)
					trace_some(v, &seed);
				_exit(0);		/* with what it traces, maybe */
			}
		}
		if (random_next(&seed) & 1)
			CHECK_EQ(kill(t[0], SIGKILL), 0);
		for (unsigned k = random_next(&seed) % 300; k; k--)
			sched_yield();
		if (random_next(&seed) & 1)
			kill(-v, SIGKILL);	/* it may have died of the SIGTRAP that a tracer left it */
		for (int i = 0; i < 2; i++) {
			int st = wait_status(t[i]);

			CHECK(EXITED(st, 0) || KILLED(st, SIGKILL));
		}
		kill(-v, SIGKILL);
		CHECK(WIFSIGNALED(wait_status(v)));
		progress();
	}
}
STORM(attach_and_kill) { crowd(tracer, 3); }
