/* Clocks, sleeping, timers, the vDSO.  Only order and lower bounds: no wall-clock upper bounds. */
#include "tap.h"
#include <sys/auxv.h>
#include <sys/times.h>

static uint64_t ns(clockid_t c) { struct timespec t; CHECK(clock_gettime(c, &t) == 0); return t.tv_sec * 1000000000ull + t.tv_nsec; }
static uint64_t sys_ns(clockid_t c) { struct timespec t; CHECK(syscall(SYS_clock_gettime, c, &t) == 0); return t.tv_sec * 1000000000ull + t.tv_nsec; }

TEST(monotonic_never_goes_back)
{
	uint64_t last = 0;
	for (int i = 0; i < 20000; i++) {
		uint64_t now = i & 1 ? ns(CLOCK_MONOTONIC) : sys_ns(CLOCK_MONOTONIC);
		CHECK(now >= last);
		last = now;
	}
}

TEST(every_clock_answers)
{
	static const int ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
		CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME };
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct timespec t, r;
		CHECK(clock_gettime(ids[i], &t) == 0 && t.tv_nsec < 1000000000);
		CHECK(syscall(SYS_clock_gettime, ids[i], &t) == 0);
		CHECK(clock_getres(ids[i], &r) == 0 && r.tv_sec == 0 && r.tv_nsec > 0);
	}
	CHECK_ERR(clock_gettime(77, &(struct timespec){ 0 }), EINVAL);
	CHECK_ERR(clock_getres(-1, NULL), EINVAL);
	CHECK(clock_getres(CLOCK_REALTIME, NULL) == 0);
}

TEST(vdso_is_there)
{
	unsigned char *v = (unsigned char *)getauxval(AT_SYSINFO_EHDR);
	CHECK(v && !memcmp(v, "\177ELF", 4));
	CHECK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100 && getauxval(AT_RANDOM) && getauxval(AT_HWCAP));
	CHECK(getauxval(AT_PHDR) && getauxval(AT_ENTRY) && getauxval(AT_EXECFN));
	CHECK(getauxval(AT_UID) == 0 && getauxval(AT_SECURE) == 0);
}

TEST(realtime_agrees_with_gettimeofday)
{
	struct timeval tv;
	uint64_t a = ns(CLOCK_REALTIME);
	CHECK(gettimeofday(&tv, NULL) == 0);
	uint64_t b = tv.tv_sec * 1000000000ull + tv.tv_usec * 1000ull, c = ns(CLOCK_REALTIME);
	CHECK(b + 1000 >= a && b <= c);
	CHECK(time(NULL) >= (time_t)(a / 1000000000) - 1);
	CHECK(tv.tv_sec > 1700000000);	/* the RTC was read */
}

TEST(sleeps_are_long_enough)
{
	for (int ms = 1; ms < 30; ms += 9) {
		uint64_t t = ns(CLOCK_MONOTONIC);
		sleep_ms(ms);
		CHECK(ns(CLOCK_MONOTONIC) - t >= (uint64_t)ms * 1000000);
	}
	struct timespec ts = { 0, 1000000000 };
	CHECK_ERR(nanosleep(&ts, NULL), EINVAL);
	ts = (struct timespec){ -1, 0 };
	CHECK_ERR(nanosleep(&ts, NULL), EINVAL);
	CHECK_EQ(clock_nanosleep(77, 0, &ts, NULL), EINVAL);
	ts = (struct timespec){ 0, 0 };
	CHECK_EQ(nanosleep(&ts, NULL), 0);
	uint64_t t = ns(CLOCK_MONOTONIC) + 5000000;
	ts = (struct timespec){ t / 1000000000, t % 1000000000 };
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
	CHECK(ns(CLOCK_MONOTONIC) >= t);
}

static volatile sig_atomic_t ticks, value;
static void tick(int s) { (void)s; ticks++; }
static void tick_value(int s, siginfo_t *si, void *u) { (void)s; (void)u; ticks++; value = si->si_value.sival_int; }

TEST(interval_timer)
{
	struct itimerval it = { { 0, 2000 }, { 0, 2000 } }, old;
	signal(SIGALRM, tick);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (ticks < 3) pause();
	memset(&it, 0, sizeof(it));
	CHECK(setitimer(ITIMER_REAL, &it, &old) == 0 && old.it_interval.tv_usec == 2000);
	CHECK_ERR(setitimer(9, &it, NULL), EINVAL);
	it.it_value.tv_usec = 1000000;
	CHECK_ERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
	CHECK(alarm(50) == 0);
	unsigned left = alarm(0);
	CHECK(left >= 1 && left <= 50);
}

TEST(virtual_and_profiling_timers)
{
	struct itimerval it = { { 0, 0 }, { 0, 10000 } };
	signal(SIGVTALRM, tick); signal(SIGPROF, tick);
	CHECK(setitimer(ITIMER_VIRTUAL, &it, NULL) == 0);
	while (!ticks) ;
	ticks = 0;
	CHECK(setitimer(ITIMER_PROF, &it, NULL) == 0);
	while (!ticks) getppid();
}

TEST(posix_timers)
{
	timer_t t;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3, .sigev_value.sival_int = 4711 };
	struct sigaction sa = { .sa_sigaction = tick_value, .sa_flags = SA_SIGINFO };
	struct itimerspec it = { { 0, 1000000 }, { 0, 1000000 } }, now;
	sigaction(SIGRTMIN + 3, &sa, NULL);
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0);
	CHECK(timer_settime(t, 0, &it, NULL) == 0);
	while (ticks < 3) pause();
	CHECK_EQ(value, 4711);
	CHECK(timer_gettime(t, &now) == 0 && now.it_interval.tv_nsec == 1000000);
	CHECK(timer_getoverrun(t) >= 0);
	memset(&it, 0, sizeof(it));
	CHECK(timer_settime(t, 0, &it, NULL) == 0);
	CHECK(timer_gettime(t, &now) == 0 && now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
	CHECK(timer_delete(t) == 0);
	CHECK_ERR(syscall(SYS_timer_delete, 12345), EINVAL);
	CHECK_ERR(syscall(SYS_timer_create, 77, 0, &t), EINVAL);
	/* An absolute time in the past fires at once. */
	CHECK(timer_create(CLOCK_REALTIME, &ev, &t) == 0);
	ticks = 0;
	it.it_value.tv_sec = 1;
	CHECK(timer_settime(t, TIMER_ABSTIME, &it, NULL) == 0);
	while (!ticks) sleep_ms(1);
}

TEST(overrun_is_counted)
{
	timer_t t;
	sigset_t m;
	siginfo_t si;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec it = { { 0, 1000000 }, { 0, 1000000 } };
	sigemptyset(&m); sigaddset(&m, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &m, NULL);
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0 && timer_settime(t, 0, &it, NULL) == 0);
	sleep_ms(30);
	CHECK_EQ(sigwaitinfo(&m, &si), SIGRTMIN);
	CHECK(si.si_code == SI_TIMER && si.si_overrun >= 5);
}

TEST(cpu_time_moves_only_when_running)
{
	uint64_t a = ns(CLOCK_PROCESS_CPUTIME_ID);
	for (volatile long i = 0; i < 3000000; i++) ;
	uint64_t b = ns(CLOCK_PROCESS_CPUTIME_ID), m = ns(CLOCK_MONOTONIC);
	CHECK(b > a);
	sleep_ms(100);
	uint64_t slept = ns(CLOCK_MONOTONIC) - m;
	CHECK(ns(CLOCK_PROCESS_CPUTIME_ID) - b < slept);
	struct tms t;
	CHECK(times(&t) > 0);
	struct rusage ru;
	CHECK(getrusage(RUSAGE_SELF, &ru) == 0);
	clockid_t c;
	CHECK(clock_getcpuclockid(getpid(), &c) == 0 && clock_gettime(c, &(struct timespec){ 0 }) == 0);
}

TEST(setting_the_clock)
{
	struct timespec was, t = { 1800000000, 0 }, got;
	CHECK(clock_gettime(CLOCK_REALTIME, &was) == 0);
	uint64_t m = ns(CLOCK_MONOTONIC);
	CHECK(clock_settime(CLOCK_REALTIME, &t) == 0);
	CHECK(clock_gettime(CLOCK_REALTIME, &got) == 0 && got.tv_sec >= 1800000000 && got.tv_sec < 1800000100);
	CHECK(ns(CLOCK_MONOTONIC) - m < 60000000000ull);
	CHECK(clock_settime(CLOCK_REALTIME, &was) == 0);
	CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &was), EINVAL);
	CHECK(setuid(1000) == 0);
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &was), EPERM);
}
