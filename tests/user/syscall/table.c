/* Every call of the kernel's table, one argument at a time made bad: wild pointers, bad descriptors, huge, negative and zero numbers.
 * The list comes from kernel/syscall/syscalls.tbl (scripts/gen-fuzz-table), so a new call is tested by being there.  The kernel must
 * answer with a result or an errno, or end the program by a signal; what is not a descriptor must fail.
 * Linux's answers to all of it stand in table_linux.h, and root's must be the same errno.
 * With TABLE_PRINT on the kernel command line (test-user --append TABLE_PRINT=1 --verbose) each answer is printed: from two or
 * three such runs on Linux scripts/gen-table-answers makes table_linux.h. */
#define TAP_TIMEOUT 240
#include "tap.h"
#include <sys/ipc.h>

enum { K_NONE, K_FD, K_INT, K_SIZE, K_PID, K_ID, K_FLAGS, K_SIG, K_CLOCK, K_PATH, K_PTR };
#include "syscall_fuzz.h"
/* For each call its kinds of arguments, and Linux's errno for each variant: "errno*count ...", 0 no error, ? not always the same. */
static const struct answer { const char *name, *kinds, *errnos; } answers[] = {
#include "syscall/table_linux.h"
};
#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const uint64_t pointers[] = { 0, 1, 0x10, 0x1000, 0x7fffffff0000, 0xffffffffe000, 0xfffffffffff8, 0x1000000000000, 1ull << 63, 0x00ffffffffffff00,
	0xff00000000001000, 0xffff000000000000, 0xffff800008000000, 0xffffffc008000000, 0xfffffffffffff000, -8ull, -1ull };
static const uint64_t descriptors[] = { -1ull, 900, 1023, 1 << 20, INT_MAX, 1ull << 31, 0xffffffff };
static const uint64_t pids[] = { 0, -1ull, 1ull << 31, 0x7fffffff, 0xffffffff, 1ull << 32, LONG_MAX, 1ull << 63, -4096ull };
static const uint64_t numbers[] = { 0, 1, -1ull, 1ull << 31, 0x7fffffff, 0xffffffff, 1ull << 32, 1ull << 40, LONG_MAX, 1ull << 63, -4096ull, 4095 };

/* What the child tells: the next variant to try, and the first unlawful answer. */
static volatile struct { unsigned next; long result; int error; bool wrong; } *report;
static char *memory;		/* of the child: 64 KiB, zero */
static int file, dir;
static bool telling;

static bool excluded(int nr)
{
	switch (nr) {	/* they end or reshape the tester, or the guest */
	case SYS_exit: case SYS_exit_group: case SYS_rt_sigreturn: case SYS_reboot: case SYS_kill: case SYS_tkill: case SYS_tgkill:
	case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo: case SYS_clone: case 435: case SYS_vhangup: case SYS_syslog: case SYS_umount2:
	case SYS_pivot_root: case SYS_settimeofday: case SYS_clock_settime: case SYS_adjtimex: case SYS_clock_adjtime: case SYS_sethostname:
	case SYS_setdomainname: case SYS_ptrace:
		return true;
	}
	return false;
}

static bool has_path(const struct call *c)
{
	for (int k = 0; k < c->n; k++)
		if (c->kind[k] == K_PATH) return true;
	return false;
}

static uint64_t tame(const struct call *c, int k)
{
	switch (c->kind[k]) {
	case K_FD: return has_path(c) ? dir : file;
	case K_SIZE: return 64;
	case K_PID: return getpid();
	case K_ID: return -1ull;
	case K_CLOCK: return CLOCK_MONOTONIC;
	case K_PATH: return (uint64_t)"f";
	case K_PTR: return (uint64_t)memory + k * 8192;
	default: return 0;
	}
}

static const uint64_t *values_of(int kind, unsigned *n)
{
	switch (kind) {
	case K_FD: *n = COUNT(descriptors); return descriptors;
	case K_PID: *n = COUNT(pids); return pids;
	case K_PATH: case K_PTR: *n = COUNT(pointers); return pointers;
	default: *n = COUNT(numbers); return numbers;
	}
}

/* The v-th variant of a call: arguments into a; the kind of what is bad, or -1 after the last. */
static int variant(const struct call *c, unsigned v, uint64_t *a)
{
	for (int k = 0; k < 6; k++) a[k] = k < c->n ? tame(c, k) : 0;
	for (int k = 0; k < c->n; k++) {
		unsigned n;
		const uint64_t *values = values_of(c->kind[k], &n);
		if (v < n) {
			a[k] = values[v];
			return c->kind[k];
		}
		v -= n;
	}
	return -1;
}

static void on_tick(int sig) { (void)sig; }

/* Where we are not Linux, and know it. */
static bool differs(const char *name)
{
	static const char *const why[][2] = {
		{ "ioctl", "FIBMAP is not there" }, { "mincore", "the last page below 2^48 is no program's" },
	};
	for (unsigned i = 0; i < COUNT(why); i++)
		if (!strcmp(why[i][0], name)) return on_sarsen();
	return false;
}

/* The v-th of a list of answers; -1 if it is not known. */
static int nth_errno(const char *p, unsigned v)
{
	while (*p) {
		char *end = (char *)p + 1;
		int e = *p == '?' ? -1 : (int)strtol(p, &end, 10);
		unsigned n = *end == '*' ? strtoul(end + 1, &end, 10) : 1;
		if (v < n) return e;
		v -= n;
		p = end + (*end == ' ');
	}
	return -1;
}

static int linux_errno(const struct call *c, unsigned v)
{
	for (unsigned i = 0; i < COUNT(answers); i++) {
		if (strcmp(answers[i].name, c->name)) continue;
		for (int k = 0; k < c->n; k++)
			if (answers[i].kinds[k] != 'a' + c->kind[k]) return -1;	/* its line in the kernel's table has changed since */
		return nth_errno(answers[i].errnos, v);
	}
	return -1;
}

static void tell(const struct call *c, const uint64_t *a, long r, int e)
{
	printf("#! %s %d: %ld %d ", c->name, report->next - 1, r, e);
	for (int k = 0; k < c->n; k++) putchar('a' + c->kind[k]);
	printf(" (");
	for (int k = 0; k < c->n; k++)
		printf(c->kind[k] >= K_PATH && a[k] - (uint64_t)memory < 65536 ? "%smemory+%#lx" : "%s%#lx", k ? ", " : "",
		       (long)(c->kind[k] >= K_PATH && a[k] - (uint64_t)memory < 65536 ? a[k] - (uint64_t)memory : a[k]));
	printf(")\n");
	fflush(stdout);
}

static void run_variants(const struct call *c, bool as_root)
{
	struct sigaction sa = { .sa_handler = on_tick };
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } };
	uint64_t a[6];
	int kind;
	sigaction(SIGALRM, &sa, NULL);
	while ((kind = variant(c, report->next, a)) >= 0) {
		report->next++;
		if (c->nr == SYS_prlimit64 && a[0] == 1) continue;	/* no CPU time for init is none for the programs after this one */
		setitimer(ITIMER_REAL, &it, NULL);
		errno = 0;
		long r = syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		int e = errno;
		if (telling) tell(c, a, r, e);
		bool must_fail = kind == K_FD && !(c->nr == SYS_dup3 && a[0] == (uint64_t)file);	/* dup3's second need not be open */
		int want = as_root && !telling ? linux_errno(c, report->next - 1) : -1;
		if ((r == -1 && e != 0 && (e < 1 || e > EHWPOISON)) || (must_fail && r != -1) || (want >= 0 && want != e && !differs(c->name))) {
			report->result = r; report->error = e; report->wrong = true;
			_exit(1);
		}
	}
	_exit(0);
}

/* Wait for it, and kill it when it does not get on. */
static void watch(const char *name, pid_t pid)
{
	unsigned last = report->next, ticks = 0;
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		if (ticks == 200) printf("# %s, variant %u: outlives SIGKILL\n", name, last - 1), fflush(stdout);
		sleep_ms(ticks < 4 ? 1 : 10);
		if (report->next != last) { last = report->next; ticks = 0; }
		else if (++ticks == 60) kill(pid, SIGKILL);
	}
}

static unsigned try_call(const struct call *c, bool as_user)
{
	uint64_t a[6];
	report->next = 0;
	while (variant(c, report->next, a) >= 0) {
		unsigned before = report->next;
		report->wrong = false;
		fflush(stdout);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			setpgid(0, 0);
			memory = mmap((void *)0x10000000, 65536 + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
			if (memory == MAP_FAILED) _exit(2);
			mprotect(memory + 65536, 4096, PROT_NONE);	/* huge reads end here, and not in the report */
			if (as_user && (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))) _exit(1);
			run_variants(c, !as_user);
		}
		watch(c->name, pid);
		kill(-pid, SIGKILL);
		if (report->wrong) {
			variant(c, report->next - 1, a);
			printf("# %s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx) gives %ld errno %d\n", c->name, (long)a[0], (long)a[1], (long)a[2], (long)a[3],
			       (long)a[4], (long)a[5], (long)report->result, report->error);
			return 1;
		}
		if (report->next == before) break;
	}
	return 0;
}

/* System V's objects outlive who made them. */
static void no_objects(void)
{
	static const struct { const char *list; int nr, remove[2]; } kinds[] = {
		{ "/proc/sysvipc/msg", SYS_msgctl, { IPC_RMID, 0 } }, { "/proc/sysvipc/sem", SYS_semctl, { 0, IPC_RMID } }, { "/proc/sysvipc/shm", SYS_shmctl, { IPC_RMID, 0 } },
	};
	char line[400];
	int id;
	for (unsigned k = 0; k < COUNT(kinds); k++) {
		FILE *f = fopen(kinds[k].list, "r");
		CHECK(f);
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, "%*d %d", &id) == 1)
				CHECK_EQ(syscall(kinds[k].nr, id, kinds[k].remove[0], kinds[k].remove[1]), 0);
		fclose(f);
	}
}

/* So that no call meets what another has left. */
static void fresh_files(void)
{
	no_objects();
	if (file) { close(file); close(dir); }
	scratch();
	file = open("f", O_RDWR | O_CREAT, 0666);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(file >= 0 && dir >= 0);
}

static void whole_table(bool as_user)
{
	unsigned wrong = 0;
	char words[4096];
	telling = read_file("/proc/cmdline", words, sizeof(words)) > 0 && strstr(words, "TABLE_PRINT");
	report = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(report != MAP_FAILED);
	for (unsigned i = 0; i < NR_CALLS; i++)
		if (!excluded(calls[i].nr)) {
			fresh_files();
			wrong += try_call(&calls[i], as_user);
		}
	CHECK_EQ(wrong, 0);
}

TEST(the_whole_table_as_root) { whole_table(false); }
TEST(the_whole_table_as_a_user) { whole_table(true); }
