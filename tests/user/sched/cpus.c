/* Many CPUs: masks move tasks at once, hogs spread, waiting ones are fetched, programs know where they run. */
#include "tap.h"
#include <elf.h>
#include <sys/auxv.h>

static int cpu_now(void)
{
	unsigned cpu = 999;

	CHECK(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0);
	return (int)cpu;
}

static void pin(pid_t pid, int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK(sched_setaffinity(pid, sizeof(one), &one) == 0);
}

static int cpus(void)
{
	cpu_set_t all;

	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	return CPU_COUNT(&all);
}

/* Field n of /proc/<pid>/stat, from 1 on. */
static long stat_field(pid_t pid, int n)
{
	char path[64], buf[1024], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	CHECK(read_file(path, buf, sizeof(buf)) > 0);
	p = strrchr(buf, ')') + 2;
	for (int i = 3; i < n; i++)
		p = strchr(p, ' ') + 1;
	return strtol(p, NULL, 10);
}

TEST(pinned_here_at_once)
{
	int n = cpus();

	if (n < 2) SKIP("one CPU");
	for (int i = 0; i < 400; i++) {
		pin(0, i % n);
		CHECK_EQ(cpu_now(), i % n);
	}
	CHECK_EQ(stat_field(getpid(), 39), 399 % n);
}

TEST(a_running_one_is_moved_before_the_call_returns)
{
	int n = cpus();
	volatile int *where = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *rounds = where + 64;

	if (n < 2) SKIP("one CPU");
	pid_t pid = fork();
	if (pid == 0)
		for (;;) {
			*where = cpu_now();
			++*rounds;
		}
	for (int i = 0; i < 100; i++) {
		int was;

		pin(pid, i % n);
		for (was = *rounds; *rounds - was < 2;)		/* one round may have begun before */
			sched_yield();
		CHECK_EQ(*where, i % n);
	}
}

TEST(masks_that_name_no_cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CHECK_ERR(sched_setaffinity(0, sizeof(set), &set), EINVAL);
	CPU_SET(900, &set);
	CHECK_ERR(sched_setaffinity(0, sizeof(set), &set), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, 0, &set), EINVAL);
	CPU_SET(0, &set);			/* one that is there, and one that is not */
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
	CPU_ZERO(&set);
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1 && CPU_ISSET(0, &set));
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 0, &set), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 12, &set), EINVAL);
}

TEST(masks_are_inherited)
{
	int n = cpus();

	pin(0, n - 1);
	pid_t pid = fork();
	if (pid == 0) {
		cpu_set_t got;

		CHECK(sched_getaffinity(0, sizeof(got), &got) == 0);
		_exit(CPU_COUNT(&got) == 1 && CPU_ISSET(n - 1, &got) && cpu_now() == n - 1 ? 0 : 1);
	}
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(hogs_use_all_cpus)
{
	int n = cpus();
	volatile unsigned long *seen = mmap(NULL, 4096 * 8, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long all;

	if (n < 2) SKIP("one CPU");
	for (int i = 0; i < n; i++)
		if (fork() == 0)
			for (;;) seen[i * 64] |= 1ul << cpu_now();
	do {					/* each CPU is used by somebody, sooner or later */
		sleep_ms(5);
		all = 0;
		for (int i = 0; i < n; i++)
			all |= seen[i * 64];
	} while (__builtin_popcountl(all) < n);
}

TEST(who_was_crowded_spreads)
{
	int n = cpus();
	volatile int *where = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[2];
	cpu_set_t all;

	if (n < 2) SKIP("one CPU");
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	where[0] = where[1] = -1;
	pin(0, 0);
	for (int i = 0; i < 2; i++)
		if ((pid[i] = fork()) == 0)
			for (;;) where[i] = cpu_now();
	while (where[0] < 0 || where[1] < 0)
		sleep_ms(2);
	for (int i = 0; i < 2; i++)
		CHECK(sched_setaffinity(pid[i], sizeof(all), &all) == 0);
	while (where[0] == where[1])		/* an idle CPU takes one of them */
		sleep_ms(2);
	CHECK(1);
}

TEST(masks_changed_under_load)
{
	int n = cpus(), p[2];
	pid_t pid[6];

	if (n < 2) SKIP("one CPU");
	CHECK(pipe(p) == 0);
	for (int i = 0; i < 6; i++)
		if ((pid[i] = fork()) == 0) {
			char c = 'x';

			for (;;) {			/* awake, asleep, waiting */
				if (i < 2)
					CHECK(write(p[1], &c, 1) == 1);
				else if (i < 4)
					CHECK(read(p[0], &c, 1) == 1);
				else
					sched_yield();
			}
		}
	for (int i = 0; i < 60; i++)
		pin(pid[i % 6], i * 7 % n);
	for (int i = 0; i < 6; i++) {
		CHECK(kill(pid[i], SIGKILL) == 0);
		CHECK(KILLED(wait_status(pid[i]), SIGKILL));
	}
}

/* --- the vDSO's getcpu */
static void *vdso_symbol(const char *name)
{
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *h = (const void *)base;
	const Elf64_Phdr *ph = (const void *)(base + h->e_phoff);
	const Elf64_Sym *sym = NULL;
	const char *str = NULL;
	const uint32_t *hash = NULL;

	for (int i = 0; i < h->e_phnum; i++)
		if (ph[i].p_type == PT_DYNAMIC)
			for (const Elf64_Dyn *d = (const void *)(base + ph[i].p_offset); d->d_tag; d++) {
				if (d->d_tag == DT_SYMTAB) sym = (const void *)(base + d->d_un.d_ptr);
				if (d->d_tag == DT_STRTAB) str = base + d->d_un.d_ptr;
				if (d->d_tag == DT_HASH) hash = (const void *)(base + d->d_un.d_ptr);
			}
	for (uint32_t i = 1; sym && str && hash && i < hash[1]; i++)
		if (!strcmp(str + sym[i].st_name, name))
			return (void *)(base + sym[i].st_value);
	return NULL;
}

TEST(vdso_getcpu)
{
	int (*get)(unsigned *, unsigned *, void *) = (int (*)(unsigned *, unsigned *, void *))vdso_symbol("__kernel_getcpu");
	int n = cpus();
	unsigned cpu, node;

	if (!get) SKIP("no __kernel_getcpu: arm64 Linux has none");
	for (int i = 0; i < 4 * n; i++) {
		pin(0, i % n);
		cpu = node = 99;
		CHECK(get(&cpu, &node, NULL) == 0 && cpu == (unsigned)(i % n) && node == 0);
	}
	CHECK(get(NULL, NULL, NULL) == 0);
}
