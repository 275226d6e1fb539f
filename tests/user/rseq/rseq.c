/* rseq: registration, CPU numbers, critical sections that are aborted, what fork, clone and exec do. */
#define TAP_HOOK
#include "../tap.h"
#include <linux/membarrier.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <stdatomic.h>
#include <ucontext.h>

#define SIG 0xd428bc00u
static __thread struct rseq rs __attribute__((aligned(32)));
static long rseq_(struct rseq *r, unsigned len, int flags, unsigned sig) { return syscall(SYS_rseq, r, len, flags, sig); }
static void reg(void) { CHECK_EQ(rseq_(&rs, sizeof(rs), 0, SIG), 0); }
static unsigned cpu_now(void) { unsigned c; syscall(SYS_getcpu, &c, NULL, NULL); return c; }
static int pin(int cpu) { cpu_set_t s; CPU_ZERO(&s); CPU_SET(cpu, &s); return sched_setaffinity(0, sizeof(s), &s); }

static void tap_hook(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "execed"))	/* a new program has registered nothing */
		_exit(rseq_(&rs, sizeof(rs), 0, SIG + 1) == 0 ? 0 : 1);
}

TEST(registration)
{
	static struct rseq other __attribute__((aligned(32)));
	CHECK_EQ(sizeof(rs), 32);
	CHECK_ERR(rseq_((void *)((char *)&rs + 8), 32, 0, SIG), EINVAL);
	CHECK_ERR(rseq_(&rs, 24, 0, SIG), EINVAL);
	CHECK_ERR(rseq_(&rs, 64, 0, SIG), EINVAL);
	CHECK_ERR(rseq_(&rs, 32, 2, SIG), EINVAL);
	CHECK_ERR(rseq_(&rs, 32, 3, SIG), EINVAL);
	CHECK_ERR(rseq_((void *)0xffff000000000000, 32, 0, SIG), EFAULT);
	CHECK_ERR(rseq_(&rs, 32, RSEQ_FLAG_UNREGISTER, SIG), EINVAL);
	rs.cpu_id = (uint32_t)RSEQ_CPU_ID_UNINITIALIZED;
	reg();
	CHECK_EQ(rs.cpu_id, cpu_now());
	CHECK_EQ(rs.cpu_id_start, rs.cpu_id);
	CHECK_ERR(rseq_(&rs, 32, 0, SIG), EBUSY);
	CHECK_ERR(rseq_(&rs, 32, 0, SIG + 1), EPERM);
	CHECK_ERR(rseq_(&rs, 64, 0, SIG), EINVAL);
	CHECK_ERR(rseq_(&other, 32, 0, SIG), EINVAL);
	CHECK_ERR(rseq_(&other, 32, RSEQ_FLAG_UNREGISTER, SIG), EINVAL);
	CHECK_ERR(rseq_(&rs, 31, RSEQ_FLAG_UNREGISTER, SIG), EINVAL);
	CHECK_ERR(rseq_(&rs, 32, RSEQ_FLAG_UNREGISTER, SIG + 1), EPERM);
	CHECK_EQ(rseq_(&rs, 32, RSEQ_FLAG_UNREGISTER, SIG), 0);
	CHECK_EQ((int)rs.cpu_id, RSEQ_CPU_ID_UNINITIALIZED);
	CHECK_EQ(rs.cpu_id_start, 0);
	CHECK_ERR(rseq_(&rs, 32, RSEQ_FLAG_UNREGISTER, SIG), EINVAL);
	reg();
}

TEST(the_cpu_number_follows)
{
	reg();
	for (int i = 0; i < 40; i++) {
		if (pin(i % 4)) continue;
		CHECK_EQ(rs.cpu_id, i % 4);
		CHECK_EQ(rs.cpu_id_start, i % 4);
	}
}

TEST(fork_thread_and_exec)
{
	reg();
	pid_t kid = fork();
	if (!kid) _exit(rseq_(&rs, 32, 0, SIG) == -1 && errno == EBUSY && rs.cpu_id == cpu_now() ? 0 : 1);
	CHECK(EXITED(wait_status(kid), 0));
	kid = fork();
	if (!kid) execl("/proc/self/exe", "rseq", "execed", NULL);
	CHECK(EXITED(wait_status(kid), 0));
	kid = vfork();
	if (!kid) _exit(rseq_(&rs, 32, RSEQ_FLAG_UNREGISTER, SIG) == 0 ? 1 : 0);	/* musl's vfork is a fork: that would unregister */
	(void)wait_status(kid);
}

static void *in_thread(void *a)
{
	if (rseq_(&rs, 32, RSEQ_FLAG_UNREGISTER, SIG) != -1 || errno != EINVAL) return "inherited";
	return rseq_(&rs, 32, 0, SIG) ? "not registered" : a;
}
TEST(a_thread_begins_without)
{
	pthread_t t;
	void *why;
	reg();
	pthread_create(&t, NULL, in_thread, NULL);
	pthread_join(t, &why);
	CHECK(!why);
}

/* Waits in a critical section for *flag; 1: it was aborted.  cs: which description to use, NULL: its own. */
extern char spin_start[], spin_end[], spin_abort[], spin_nosig[];
int spin(struct rseq *r, volatile int *flag, struct rseq_cs *cs);
asm(".text\n.globl spin,spin_start,spin_end,spin_abort,spin_nosig\n.type spin,%function\nspin:\n"
    "str x2, [x0, #8]\n"
    "spin_start: ldr w3, [x1]\ncbz w3, spin_start\nspin_end:\n"
    "mov w0, #0\nret\n"
    ".inst 0xd428bc00\nspin_abort: mov w0, #1\nret\nspin_nosig: mov w0, #2\nret\n");
static struct rseq_cs cs __attribute__((aligned(32)));
static void make_cs(void *abort)
{
	cs = (struct rseq_cs){ .start_ip = (uintptr_t)spin_start, .post_commit_offset = spin_end - spin_start, .abort_ip = (uintptr_t)abort };
}

static volatile uintptr_t seen_pc, seen_cs;
static void on_alarm(int sig, siginfo_t *si, void *uc)
{
	(void)sig; (void)si;
	seen_pc = ((ucontext_t *)uc)->uc_mcontext.pc;
	seen_cs = rs.rseq_cs;
}
static void alarm_soon(void)
{
	struct sigaction sa = { .sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO };
	struct itimerval it = { .it_value = { 0, 20000 } };
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

TEST(a_signal_aborts)
{
	volatile int never = 0, at_once = 1;
	reg();
	make_cs(spin_abort);
	CHECK_EQ(spin(&rs, &at_once, &cs), 0);
	alarm_soon();
	CHECK_EQ(spin(&rs, &never, &cs), 1);
	CHECK_EQ(rs.rseq_cs, 0);
	if (seen_pc) {			/* unless a preemption was first */
		CHECK_EQ(seen_pc, (uintptr_t)spin_abort);
		CHECK_EQ(seen_cs, 0);
	}
}

TEST(preemption_aborts)
{
	volatile int never = 0;
	CHECK(pin(0) == 0);
	reg();
	make_cs(spin_abort);
	pid_t kid = fork();
	if (!kid) for (;;);
	CHECK_EQ(spin(&rs, &never, &cs), 1);
	kill(kid, SIGKILL);
	wait_status(kid);
}

TEST(outside_the_section_nothing_happens)
{
	reg();
	make_cs(spin_abort);
	rs.rseq_cs = (uintptr_t)&cs;
	while (rs.rseq_cs) sched_yield(), sleep_ms(1);	/* but the pointer is cleared */
}

static int kills(void (*break_it)(void), void *abort)
{
	pid_t kid = fork();
	if (!kid) {
		struct sigaction sa = { .sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO };
		volatile int never = 0;
		reg();
		make_cs(abort);
		break_it();
		if (!cs.flags && !rs.flags) sigaction(SIGSEGV, &sa, NULL);	/* of no use: its frame fails too */
		alarm_soon();
		_exit(spin(&rs, &never, &cs));
	}
	return wait_status(kid);
}
static void nothing(void) { }
static void bad_version(void) { cs.version = 1; }
static void bad_flags(void) { cs.flags = 8; }
static void deprecated_flags(void) { cs.flags = 1; }
static void bad_rseq_flags(void) { rs.flags = 8; }
static void abort_inside(void) { cs.abort_ip = cs.start_ip; }
static void beyond(void) { cs.start_ip = 0xffff000000000000; }
static void unmapped_abort(void) { cs.abort_ip = 4096; }

TEST(what_does_not_fit_is_the_end)
{
	CHECK(EXITED(kills(nothing, spin_abort), 1));
	CHECK(KILLED(kills(nothing, spin_nosig), SIGSEGV));
	CHECK(KILLED(kills(bad_version, spin_abort), SIGSEGV));
	CHECK(KILLED(kills(bad_flags, spin_abort), SIGSEGV));
	CHECK(KILLED(kills(deprecated_flags, spin_abort), SIGSEGV));
	CHECK(KILLED(kills(bad_rseq_flags, spin_abort), SIGSEGV));
	CHECK(KILLED(kills(abort_inside, spin_abort), SIGSEGV));
	CHECK(KILLED(kills(beyond, spin_abort), SIGSEGV));
	CHECK(KILLED(kills(unmapped_abort, spin_abort), SIGSEGV));
}

TEST(an_area_that_goes_away)
{
	pid_t kid = fork();
	if (!kid) {
		struct rseq *r = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (rseq_(r, 32, 0, SIG)) _exit(1);
		munmap(r, 4096);
		for (;;) sleep_ms(1);
	}
	CHECK(KILLED(wait_status(kid), SIGSEGV));
}

/* Counters per CPU, without atomics: none is lost. */
#define ROUNDS 20000
static struct { long n; char pad[56]; } count[32] __attribute__((aligned(64)));
static _Atomic long aborts;
static int inc_here(void)		/* 0: done; 1: aborted; 2: another CPU since */
{
	struct rseq *r = &rs;
	uint32_t cpu = *(volatile uint32_t *)&r->cpu_id_start;
	long *p = &count[cpu].n;
	int ret;
	asm volatile(
		".pushsection __rseq_cs, \"aw\"\n.balign 32\n9: .long 0, 0\n.quad 1f, 2f - 1f, 4f\n.popsection\n"
		"adrp x9, 9b\nadd x9, x9, :lo12:9b\nstr x9, [%[r], #8]\n"
		"1: ldr w10, [%[r], #4]\ncmp w10, %w[cpu]\nb.ne 6f\n"
		"ldr x10, [%[p]]\nadd x10, x10, #1\nstr x10, [%[p]]\n"
		"2: mov %w[ret], #0\nb 5f\n"
		".inst 0xd428bc00\n4: mov %w[ret], #1\nb 5f\n6: mov %w[ret], #2\n5:\n"
		: [ret] "=&r"(ret) : [r] "r"(r), [cpu] "r"(cpu), [p] "r"(p) : "x9", "x10", "cc", "memory");
	return ret;
}
static void *counter(void *a)
{
	int n = 0;
	if (rseq_(&rs, 32, 0, SIG)) return "register";
	while (n < ROUNDS)
		if (inc_here() == 0) n++;
		else aborts++;
	if (rseq_(&rs, 32, RSEQ_FLAG_UNREGISTER, SIG)) return "unregister";
	return a;
}
static volatile bool stop;
static void *disturber(void *a)
{
	while (!stop) {
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0);
		sleep_ms(1);
	}
	return a;
}

TEST(counters_per_cpu)
{
	pthread_t t[6], d;
	void *why;
	long sum = 0;
	CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0), 0);
	pthread_create(&d, NULL, disturber, NULL);
	for (int i = 0; i < 6; i++) CHECK(pthread_create(&t[i], NULL, counter, NULL) == 0);
	for (int i = 0; i < 6; i++) {
		pthread_join(t[i], &why);
		CHECK(!why);
	}
	stop = true;
	pthread_join(d, NULL);
	for (int i = 0; i < 32; i++) sum += count[i].n;
	CHECK_EQ(sum, 6 * ROUNDS);
}

static _Atomic int spinning;
static void *spinner(void *a)
{
	volatile int never = 0;
	if (rseq_(&rs, 32, 0, SIG)) return "register";
	spinning = 1;
	return spin(&rs, &never, &cs) == 1 ? a : "not aborted";
}
TEST(membarrier_aborts_on_other_cpus)
{
	pthread_t t;
	void *why;
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0), EPERM);
	CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0), 0);
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 2, 0), EINVAL);
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_FLAG_CPU, 0), EINVAL);
	CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, 4000), 0);
	make_cs(spin_abort);
	CHECK(pthread_create(&t, NULL, spinner, NULL) == 0);
	while (!spinning) sched_yield();
	sleep_ms(5);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, i), 0);
	pthread_join(t, &why);
	if (why) printf("# %s\n", (char *)why);
	CHECK(!why);
}
