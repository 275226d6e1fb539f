/* affinity: a task never runs outside its mask once sched_setaffinity has returned, whoever called it, under any load. */
#include "stress.h"

static cpu_set_t all;
static int all_cpus[CPU_SETSIZE], nr_cpus;
static void learn(void)
{
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	nr_cpus = 0;
	for (int c = 0; c < CPU_SETSIZE; c++)
		if (CPU_ISSET(c, &all)) all_cpus[nr_cpus++] = c;
}
static unsigned where(void)
{
	unsigned cpu = ~0u;
	CHECK(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0);
	return cpu;
}
static void random_mask(unsigned *seed, cpu_set_t *set)
{
	CPU_ZERO(set);
	while (CPU_COUNT(set) == 0)
		for (int i = 0; i < nr_cpus; i++)
			if (random_next(seed) % 3 == 0) CPU_SET(all_cpus[i], set);
}

/* Its own mask. */
static void mover(int n)
{
	unsigned seed = n + 1;
	while (!over()) {
		cpu_set_t set, back;
		random_mask(&seed, &set);
		CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
		for (int k = 0; k < 20; k++) {
			CHECK(CPU_ISSET(where(), &set));
			CHECK(CPU_ISSET(sched_getcpu(), &set));
			if (k % 5 == 4) sched_yield();
			if (k == 10) { struct timespec ts = { 0, 1000 }; nanosleep(&ts, NULL); }
		}
		CPU_ZERO(&back);
		CHECK(sched_getaffinity(0, sizeof(back), &back) == 0 && CPU_EQUAL(&set, &back));
		progress();
	}
}
static void hog(int n)
{
	volatile unsigned long x = 0;
	while (!over()) for (int i = 0; i < 10000; i++) x++;
}
STORM(own_mask_under_hogs)
{
	learn();
	pid_t h[4], m[4];
	for (int i = 0; i < 4; i++) { h[i] = kid(hog, i); m[i] = kid(mover, i); }
	for (int i = 0; i < 4; i++) { CHECK_EQ(wait_status(h[i]), 0); CHECK_EQ(wait_status(m[i]), 0); }
}

/* Another's mask: the victim computes, sleeps or yields; the mover sets a mask, then stamps its number.  The victim,
 * which reads the stamp before and after it asks where it is, must be inside the mask when the stamp stood still. */
static struct { _Atomic unsigned long stamp; _Atomic unsigned long mask; _Atomic pid_t tid; } *victims;
static void victim(int n)
{
	victims[n].tid = gettid_();
	for (unsigned i = 0; !over(); i++) {
		unsigned long s1 = atomic_load(&victims[n].stamp), mask = atomic_load(&victims[n].mask);
		unsigned cpu = where();
		unsigned long s2 = atomic_load(&victims[n].stamp);
		if (s1 == s2 && s1 % 2 == 0 && s1 && !(mask >> cpu & 1)) {
			printf("# victim %d runs on cpu %u, outside the mask %#lx that was set (stamp %lu)\n", n, cpu, mask, s1);
			fflush(stdout);
			_exit(1);
		}
		if (i % 64 == 0 && n % 3 == 0) sched_yield();
		if (i % 256 == 0 && n % 3 == 1) { struct timespec ts = { 0, 1000 }; nanosleep(&ts, NULL); }
		if (i % 64 == 0) progress();
	}
}
static void others_mover(int n)
{
	unsigned seed = n + 77;
	for (int i = 0; i < 6; i++) while (!victims[i].tid) sched_yield();
	while (!over()) {
		int v = random_next(&seed) % 3 * 2 + n;			/* each mover has victims of its own */
		cpu_set_t set;
		unsigned long mask = 0;
		random_mask(&seed, &set);
		for (int i = 0; i < nr_cpus && all_cpus[i] < 64; i++) if (CPU_ISSET(all_cpus[i], &set)) mask |= 1ul << all_cpus[i];
		atomic_fetch_add(&victims[v].stamp, 1);			/* odd: it is changing */
		CHECK(sched_setaffinity(victims[v].tid, sizeof(set), &set) == 0);
		atomic_store(&victims[v].mask, mask);
		atomic_fetch_add(&victims[v].stamp, 1);
		for (unsigned k = random_next(&seed) % 8; k; k--) sched_yield();
		progress();
	}
}
STORM(others_masks)
{
	learn();
	victims = shared_map(8192);
	pid_t p[8];
	for (int i = 0; i < 6; i++) p[i] = kid(victim, i);
	for (int i = 0; i < 2; i++) p[6 + i] = kid(others_mover, i);
	for (int i = 0; i < 8; i++) CHECK_EQ(wait_status(p[i]), 0);
}

/* Masks of threads that are being made and are dying; children inherit the mask of their maker. */
static void *inheritor(void *arg)
{
	cpu_set_t *want = arg, mine;
	CHECK(sched_getaffinity(0, sizeof(mine), &mine) == 0);
	CHECK(CPU_EQUAL(want, &mine));
	CHECK(CPU_ISSET(where(), want));
	return NULL;
}
static void breeder(int n)
{
	unsigned seed = n + 5;
	while (!over()) {
		cpu_set_t set;
		pthread_t t[3];
		random_mask(&seed, &set);
		CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
		for (int i = 0; i < 3; i++) CHECK_EQ(pthread_create(&t[i], NULL, inheritor, &set), 0);
		for (int i = 0; i < 3; i++) CHECK_EQ(pthread_join(t[i], NULL), 0);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {		/* its maker may already have widened its mask */
			cpu_set_t mine;
			CHECK(sched_getaffinity(0, sizeof(mine), &mine) == 0 && (CPU_EQUAL(&mine, &set) || CPU_EQUAL(&mine, &all)));
			execl("/proc/self/exe", "affinity", "quit", (char *)NULL);
			_exit(1);
		}
		long r = sched_setaffinity(pid, sizeof(all), &all);
		CHECK(r == 0 || errno == ESRCH);
		CHECK(EXITED(wait_status(pid), 7));
		progress();
	}
}
STORM(inherited_masks) { learn(); crowd(breeder, 4); }

/* Policies and niceness changed under load; every task goes on. */
static void policy_changer(int n)
{
	unsigned seed = n + 3;
	while (!over()) {
		unsigned r = random_next(&seed);
		int policy = (int[]){ SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_FIFO, SCHED_RR }[r % 5];
		struct sched_param p = { .sched_priority = policy == SCHED_FIFO || policy == SCHED_RR ? 1 + (r >> 8) % 3 : 0 };
		pid_t who = r >> 16 & 1 ? 0 : victims[(r >> 17) % 3].tid;
		setpriority(PRIO_PROCESS, who, (int)(r >> 20) % 20);
		if (syscall(SYS_sched_setscheduler, who, policy, &p) < 0) CHECK_EQ(errno, ESRCH);
		p.sched_priority = 0;
		CHECK(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &p) == 0);
		for (int k = 0; k < 3; k++) { volatile unsigned x = 0; for (int i = 0; i < 2000; i++) x++; sched_yield(); }
		progress();
	}
	for (int i = 0; i < 3; i++) {
		struct sched_param p = { 0 };
		syscall(SYS_sched_setscheduler, victims[i].tid, SCHED_OTHER, &p);
	}
}
static void steady(int n)
{
	victims[n].tid = gettid_();
	for (unsigned i = 0; !over(); i++) {
		volatile unsigned x = 0;
		for (int k = 0; k < 1000; k++) x++;
		if (i % 16 == 0) { struct timespec ts = { 0, 1000000 }; nanosleep(&ts, NULL); progress(); }
	}
}
STORM(policies_and_niceness)
{
	learn();
	victims = shared_map(8192);
	pid_t p[6];
	for (int i = 0; i < 3; i++) p[i] = kid(steady, i);
	for (int i = 0; i < 3; i++) while (!victims[i].tid) sched_yield();
	for (int i = 0; i < 3; i++) p[3 + i] = kid(policy_changer, i);
	for (int i = 0; i < 6; i++) CHECK_EQ(wait_status(p[i]), 0);
}
