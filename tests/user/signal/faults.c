/* What a fault tells its handler: signal, code, address. */
#include "tap.h"
#include <setjmp.h>

static sigjmp_buf out;
static siginfo_t info;
static void on_fault(int s, siginfo_t *si, void *uc) { (void)s; (void)uc; info = *si; siglongjmp(out, 1); }

static void arm(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
	sigaction(SIGFPE, &sa, NULL);
	sigaction(SIGTRAP, &sa, NULL);
	memset(&info, 0, sizeof(info));
}
#define FAULTS(stmt) (arm(), sigsetjmp(out, 1) ? 1 : ({ stmt; 0; }))

TEST(unmapped_is_maperr)
{
	CHECK(FAULTS(*(volatile int *)0x1234 = 1));
	CHECK_EQ(info.si_signo, SIGSEGV);
	CHECK_EQ(info.si_code, SEGV_MAPERR);
	CHECK_EQ((long)info.si_addr, 0x1234);
	volatile char *null = NULL;
	CHECK(FAULTS((void)*null));
	CHECK_EQ((long)info.si_addr, 0);
}

TEST(protection_is_accerr)
{
	char *ro = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)*(volatile char *)ro;
	CHECK(FAULTS(*(volatile char *)(ro + 5) = 1));
	CHECK_EQ(info.si_signo, SIGSEGV);
	CHECK_EQ(info.si_code, SEGV_ACCERR);
	CHECK(info.si_addr == ro + 5);
	char *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(FAULTS((void)*(volatile char *)none));
	CHECK_EQ(info.si_code, SEGV_ACCERR);
}

TEST(kernel_address_is_segv)
{
	CHECK(FAULTS((void)*(volatile char *)0xffff800008000000ul));
	CHECK_EQ(info.si_signo, SIGSEGV);
	CHECK(FAULTS(*(volatile char *)0xffff000000000000ul = 1));
	CHECK_EQ(info.si_signo, SIGSEGV);
	CHECK(FAULTS((void)*(volatile char *)0x0011000000000000ul));
	CHECK_EQ(info.si_signo, SIGSEGV);
}

TEST(executing_data_is_accerr)
{
	uint32_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m[0] = 0xd65f03c0;	/* ret */
	CHECK(FAULTS(((void (*)(void))m)()));
	CHECK_EQ(info.si_signo, SIGSEGV);
	CHECK_EQ(info.si_code, SEGV_ACCERR);
	CHECK(info.si_addr == m);
}

TEST(writing_text_is_accerr)
{
	CHECK(FAULTS(*(volatile uint32_t *)(void *)on_fault = 0));
	CHECK_EQ(info.si_code, SEGV_ACCERR);
}

TEST(illegal_instruction)
{
	CHECK(FAULTS(__asm__ volatile(".inst 0x00000000")));
	CHECK_EQ(info.si_signo, SIGILL);
	CHECK_EQ(info.si_code, ILL_ILLOPC);
	CHECK(info.si_addr != NULL);
	CHECK(FAULTS(__asm__ volatile("msr daifset, #15")));	/* privileged */
	CHECK_EQ(info.si_signo, SIGILL);
	CHECK(FAULTS(__asm__ volatile(".inst 0xd5381000")));	/* mrs x0, sctlr_el1 */
	CHECK_EQ(info.si_signo, SIGILL);
	CHECK(FAULTS(__asm__ volatile(".inst 0xd4000002")));	/* hvc #0 */
	CHECK_EQ(info.si_signo, SIGILL);
}

TEST(breakpoint_is_trap)
{
	CHECK(FAULTS(__asm__ volatile("brk #0")));
	CHECK_EQ(info.si_signo, SIGTRAP);
	CHECK_EQ(info.si_code, TRAP_BRKPT);
}

TEST(misaligned_pc_is_bus)
{
	CHECK(FAULTS(((void (*)(void))((long)on_fault + 2))()));
	CHECK_EQ(info.si_signo, SIGBUS);
	CHECK_EQ(info.si_code, BUS_ADRALN);
}

TEST(misaligned_exclusive_is_bus)
{
	static uint64_t words[4];
	char *p = (char *)words + 1;
	CHECK(FAULTS(({ long t; __asm__ volatile("ldaxr %0, [%1]" : "=r"(t) : "r"(p) : "memory"); })));
	CHECK_EQ(info.si_signo, SIGBUS);
	CHECK_EQ(info.si_code, BUS_ADRALN);
}

TEST(beyond_end_of_file_is_bus)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK(ftruncate(fd, 100) == 0);
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	m[0] = 1;
	CHECK_EQ(m[4095], 0);
	CHECK(FAULTS(m[4096] = 1));
	CHECK_EQ(info.si_signo, SIGBUS);
	CHECK_EQ(info.si_code, BUS_ADRERR);
	CHECK(info.si_addr == m + 4096);
	CHECK_ERR(read(open("/dev/zero", O_RDONLY), m + 4096, 1), EFAULT);
}

TEST(blocked_fault_kills)
{
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t s;
		sigfillset(&s);
		sigprocmask(SIG_BLOCK, &s, NULL);
		*(volatile int *)8 = 1;
		_exit(0);
	}
	CHECK(KILLED(wait_status(pid), SIGSEGV));
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_IGN);
		*(volatile int *)8 = 1;
		_exit(0);
	}
	CHECK(KILLED(wait_status(pid), SIGSEGV));
}

TEST(el0_may_use_its_counters_and_caches)
{
	uint64_t ctr, dczid, vct, frq, tid = 0x1234;
	static char line[256] __attribute__((aligned(256)));
	memset(line, 0xff, sizeof(line));
	__asm__ volatile("mrs %0, ctr_el0\n mrs %1, dczid_el0\n mrs %2, cntvct_el0\n mrs %3, cntfrq_el0"
			 : "=r"(ctr), "=r"(dczid), "=r"(vct), "=r"(frq));
	CHECK(ctr != 0 && frq != 0);
	if (!(dczid & 16)) {
		__asm__ volatile("dc zva, %0" : : "r"(line) : "memory");
		CHECK_EQ(line[0], 0);
	}
	__asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb\n dc civac, %0" : : "r"(line) : "memory");
	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(tid));
	CHECK(tid != 0x1234);
}
