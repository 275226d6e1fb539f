/* Time as several processors see it: what one has written down, no other may find in the future. */
#include "../tap.h"
#include <pthread.h>
#include <sys/timex.h>

#define THREADS 4
static uint64_t latest __attribute__((aligned(64)));
static unsigned behind;
static clockid_t clock_now;
static int rounds;

static uint64_t ns(clockid_t c, bool syscall_too)
{
	struct timespec t;
	if (syscall_too)
		syscall(SYS_clock_gettime, c, &t);
	else
		clock_gettime(c, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void pin(int nr)
{
	cpu_set_t all, one;
	int want, cpu = -1;
	sched_getaffinity(0, sizeof(all), &all);
	want = nr % CPU_COUNT(&all);
	do
		cpu++;
	while (!CPU_ISSET(cpu, &all) || want--);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void *stamps(void *arg)
{
	pin((int)(intptr_t)arg);
	for (int i = 0; i < rounds; i++) {
		uint64_t seen = __atomic_load_n(&latest, __ATOMIC_ACQUIRE), now = ns(clock_now, i & 1);
		if (now < seen)
			__atomic_fetch_add(&behind, 1, __ATOMIC_RELAXED);
		else
			__atomic_compare_exchange_n(&latest, &seen, now, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void pass_stamps(clockid_t c, int n)
{
	pthread_t t[THREADS];
	latest = behind = 0;
	clock_now = c;
	rounds = n;
	for (intptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&t[i], NULL, stamps, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(behind, 0);
}

TEST(monotonic) { pass_stamps(CLOCK_MONOTONIC, 20000); }
TEST(raw) { pass_stamps(CLOCK_MONOTONIC_RAW, 20000); }
TEST(boottime) { pass_stamps(CLOCK_BOOTTIME, 20000); }
TEST(realtime) { pass_stamps(CLOCK_REALTIME, 20000); }
TEST(tai) { pass_stamps(CLOCK_TAI, 20000); }

static volatile bool stop;
static void *steer(void *arg)
{
	(void)arg;
	for (long f = 0; !stop; f++) {
		struct timex t = { .modes = ADJ_FREQUENCY, .freq = (f % 3 - 1) * (400l << 16) };
		adjtimex(&t);
		sched_yield();
	}
	struct timex t = { .modes = ADJ_FREQUENCY };
	adjtimex(&t);
	return NULL;
}

TEST(monotonic_while_it_is_steered)
{
	pthread_t t;
	if (geteuid()) SKIP("needs root");
	CHECK(pthread_create(&t, NULL, steer, NULL) == 0);
	pass_stamps(CLOCK_MONOTONIC, 20000);
	stop = true;
	pthread_join(t, NULL);
}

/* The sleeper is moved about: its timer stays where it was armed, and must still wake it. */
static void *sleeper(void *arg)
{
	struct timespec ts = { 0, 700000 };
	for (int i = 0; i < 100; i++) {
		uint64_t before = ns(CLOCK_MONOTONIC, false);
		while (nanosleep(&ts, NULL) < 0)
			;
		if (ns(CLOCK_MONOTONIC, false) - before < 700000)
			__atomic_fetch_add(&behind, 1, __ATOMIC_RELAXED);
	}
	*(volatile bool *)arg = true;
	return NULL;
}

TEST(sleepers_that_migrate)
{
	pthread_t t[THREADS];
	volatile bool done[THREADS] = { 0 };
	cpu_set_t set;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), n = 0;
	behind = 0;
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&t[i], NULL, sleeper, (void *)&done[i]) == 0);
	while (!done[0] || !done[1] || !done[2] || !done[3]) {
		CPU_ZERO(&set);
		CPU_SET(n % cpus, &set);
		n++;
		for (int i = 0; i < THREADS; i++)
			if (!done[i])
				pthread_setaffinity_np(t[i], sizeof(set), &set);
		sched_yield();
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(behind, 0);
}

static volatile sig_atomic_t rang;
static void ring(int s) { (void)s; rang++; }

/* One thread arms and disarms a timer that other processors let fire. */
TEST(timers_set_from_everywhere)
{
	timer_t tm;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	signal(SIGUSR1, ring);
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &tm) == 0);
	for (int i = 0; i < 400; i++) {
		struct itimerspec it = { .it_value = { 0, 1 + i % 50 * 4000 }, .it_interval = { 0, i % 3 ? 0 : 100000 } };
		pin(i);
		CHECK(timer_settime(tm, 0, &it, NULL) == 0);
		if (i % 4 == 0)
			sched_yield();
	}
	struct itimerspec off = { { 0, 0 }, { 0, 0 } }, cur;
	CHECK(timer_settime(tm, 0, &off, NULL) == 0);
	CHECK(timer_gettime(tm, &cur) == 0 && !cur.it_value.tv_sec && !cur.it_value.tv_nsec);
	int n = rang;
	sleep_ms(20);
	CHECK_EQ(rang, n);
	CHECK(timer_delete(tm) == 0);
}
