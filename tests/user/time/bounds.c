/* Timers with odd arguments: the past and the end of time, absurd periods, crowds, other processes' clocks. */
#define TAP_TIMEOUT 60
#include "../tap.h"
#include "../mm/meminfo.h"
#include <pthread.h>
#include <signal.h>
#include <sys/timerfd.h>

/* By the kernel's own numbers: libc makes addresses of them. */
static int k_create(clockid_t c, int notify, int sig, int *id)
{
	struct sigevent ev = { .sigev_notify = notify, .sigev_signo = sig };
	return syscall(SYS_timer_create, c, &ev, id);
}
static int k_set(int id, int flags, struct itimerspec it) { return syscall(SYS_timer_settime, id, flags, &it, NULL); }
static struct itimerspec k_get(int id) { struct itimerspec it; CHECK(syscall(SYS_timer_gettime, id, &it) == 0); return it; }
static int k_delete(int id) { return syscall(SYS_timer_delete, id); }
static struct itimerspec its(int64_t s, long ns, int64_t ps, long pns) { return (struct itimerspec){ .it_value = { s, ns }, .it_interval = { ps, pns } }; }

static volatile sig_atomic_t rang;
static volatile long missed;
static void ring(int s) { (void)s; rang++; }
static void ring_info(int s, siginfo_t *si, void *uc) { (void)s; (void)uc; rang++; missed += si->si_overrun; }

TEST(the_past_is_now)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI };
	int id;
	signal(SIGUSR1, ring);
	for (unsigned i = 0; i < 4; i++) {
		struct timespec ts = { 0, 1 };
		rang = 0;
		CHECK(k_create(clocks[i], SIGEV_SIGNAL, SIGUSR1, &id) == 0);
		CHECK(k_set(id, TIMER_ABSTIME, its(0, 1, 0, 0)) == 0);
		while (!rang)
			sleep_ms(1);
		CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &ts, NULL), 0);
		CHECK(k_delete(id) == 0);
	}
}

TEST(the_end_of_time_does_not_come)
{
	static const int64_t far[] = { INT64_MAX, INT64_MAX / 2, 9223372036, 9223372035, 10000000000, 1ll << 33 };
	int id, fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	uint64_t n;
	signal(SIGUSR1, ring);
	CHECK(k_create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, &id) == 0);
	for (unsigned i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		for (int abs = 0; abs < 2; abs++) {
			struct itimerspec it = its(far[i], 999999999, far[i], 0), cur;
			CHECK(k_set(id, abs ? TIMER_ABSTIME : 0, it) == 0);
			cur = k_get(id);
			CHECK(cur.it_value.tv_sec > 8000000000 && cur.it_interval.tv_sec > 8000000000);
			CHECK(timerfd_settime(fd, abs ? TFD_TIMER_ABSTIME : 0, &it, NULL) == 0);
			CHECK_ERR(read(fd, &n, sizeof(n)), EAGAIN);
		}
	struct itimerval iv = { { INT64_MAX, 999999 }, { INT64_MAX, 999999 } }, got;
	CHECK(setitimer(ITIMER_REAL, &iv, NULL) == 0 && getitimer(ITIMER_REAL, &got) == 0 && got.it_value.tv_sec > 8000000000);
	CHECK(setitimer(ITIMER_PROF, &iv, NULL) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct timespec ts = { INT64_MAX, 999999999 };
		nanosleep(&ts, NULL);
		_exit(0);
	}
	CHECK(wait_state(pid, 'S'));
	sleep_ms(50);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL) && !rang);
}

TEST(what_is_not_normal)
{
	static const struct itimerspec bad[] = { { { 0, 0 }, { -1, 0 } }, { { 0, 0 }, { 0, -1 } }, { { 0, 0 }, { 0, 1000000000 } },
		{ { -1, 0 }, { 1, 0 } }, { { 0, 1000000000 }, { 1, 0 } }, { { INT64_MIN, 0 }, { 1, 0 } } };
	int id, fd = timerfd_create(CLOCK_REALTIME, 0);
	CHECK(k_create(CLOCK_MONOTONIC, SIGEV_NONE, 0, &id) == 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_ERR(k_set(id, 0, bad[i]), EINVAL);
		CHECK_ERR(timerfd_settime(fd, 0, &bad[i], NULL), EINVAL);
		if (i < 3) {
			CHECK_ERR(nanosleep(&bad[i].it_value, NULL), EINVAL);
			CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &bad[i].it_value, NULL), EINVAL);
		}
	}
	CHECK_ERR(syscall(SYS_timer_settime, id, 0, NULL, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_timer_settime, id, 0, (void *)8, NULL), EFAULT);
	CHECK_ERR(k_set(id + 1000, 0, its(1, 0, 0, 0)), EINVAL);
	CHECK_ERR(k_set(-1, 0, its(1, 0, 0, 0)), EINVAL);
	CHECK_ERR(k_create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 65, &id), EINVAL);
	CHECK_ERR(k_create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 0, &id), EINVAL);
	CHECK_ERR(k_create(CLOCK_MONOTONIC, 77, SIGUSR1, &id), EINVAL);
	CHECK_ERR(k_create(CLOCK_MONOTONIC_RAW, SIGEV_NONE, 0, &id), EOPNOTSUPP);
	CHECK_ERR(k_create(CLOCK_MONOTONIC_COARSE, SIGEV_NONE, 0, &id), EOPNOTSUPP);
	CHECK_ERR(k_create(77, SIGEV_NONE, 0, &id), EINVAL);
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, (void *)8), EFAULT);
	struct timespec ts = { 0, 1 };
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &ts, NULL), EOPNOTSUPP);
	CHECK_EQ(clock_nanosleep(CLOCK_REALTIME_COARSE, 0, &ts, NULL), EOPNOTSUPP);
	CHECK_EQ(-syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), 1);
}

/* A period of a nanosecond: the process goes on, and the rest is overrun. */
TEST(a_period_of_a_nanosecond)
{
	struct sigaction sa = { .sa_sigaction = ring_info, .sa_flags = SA_SIGINFO };
	int id, fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec it = its(0, 1, 0, 1);
	uint64_t n = 0;
	sigaction(SIGUSR1, &sa, NULL);
	CHECK(k_create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, &id) == 0);
	CHECK(k_set(id, 0, it) == 0);
	CHECK(timerfd_settime(fd, 0, &it, NULL) == 0);
	while (rang < 20)
		;
	CHECK(k_set(id, 0, its(0, 0, 0, 0)) == 0);
	CHECK(missed > 1000);
	CHECK(read(fd, &n, sizeof(n)) == sizeof(n) && n > 1000);
	signal(SIGUSR1, SIG_IGN);
	CHECK(k_set(id, 0, it) == 0);
	sleep_ms(20);
	sigset_t block;
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	signal(SIGUSR1, ring);
	sleep_ms(20);
	CHECK(k_delete(id) == 0);
}

TEST(as_many_as_the_limit)
{
	struct rlimit rl = { 64, 64 };
	static int ids[100];
	int n = 0;
	if (geteuid()) SKIP("needs root");
	CHECK(setresuid(5711, 5711, 5711) == 0);
	CHECK(setrlimit(RLIMIT_SIGPENDING, &rl) == 0);
	while (n < 100 && k_create(CLOCK_MONOTONIC, n & 1 ? SIGEV_NONE : SIGEV_SIGNAL, SIGUSR1, &ids[n]) == 0)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(n, 64);
	CHECK(k_delete(ids[10]) == 0);
	CHECK_ERR(k_delete(ids[10]), EINVAL);
	CHECK(k_create(CLOCK_MONOTONIC, SIGEV_NONE, 0, &ids[10]) == 0);
	CHECK_ERR(k_create(CLOCK_MONOTONIC, SIGEV_NONE, 0, &ids[99]), EAGAIN);
}

static void crowd(void)
{
	long crowd = meminfo_kb("MemAvailable") / 8;	/* a million where there is the memory: --mem 9G */
	if (crowd > 1000000) crowd = 1000000;
	if (crowd < 100000) crowd = 100000;
	struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY };
	int id, n = 0;
	if (setrlimit(RLIMIT_SIGPENDING, &rl))
		_exit(TAP_SKIP);
	signal(SIGUSR1, SIG_IGN);
	while (n < crowd && k_create(n % 3 ? CLOCK_MONOTONIC : CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, &id) == 0) {
		if (k_set(id, n % 3 ? 0 : TIMER_ABSTIME, its(n % 2 ? 3600 + n % 977 : 1, 0, 0, 0)))
			_exit(1);
		n++;
	}
	if (n < crowd && errno != EAGAIN && errno != ENOMEM)
		_exit(2);
	printf("# %d timers\n", n);
}

/* A million are asked for; as many as the limit says come to be. */
TEST(a_million_against_the_limit)
{
	struct rlimit rl;
	int id;
	rlim_t n = 0;
	CHECK(getrlimit(RLIMIT_SIGPENDING, &rl) == 0 && rl.rlim_cur < 1000000);
	for (int i = 0; i < 1000000; i++)
		if (k_create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, &id) == 0) n++;
		else CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(n, rl.rlim_cur);
}

/* Many, armed; when the process ends they are gone. */
TEST(a_crowd)
{
	if (geteuid()) SKIP("needs root");
	CHECK(EXITED(in_child(crowd), 0));
	CHECK(EXITED(in_child(crowd), 0));
}

static void spin(void) { for (;;) ; }
static clockid_t clock_of(pid_t pid) { return (clockid_t)(~(unsigned)pid << 3 | 2); }

static pid_t spinner(void)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		spin();
	return pid;
}

TEST(timer_on_another_process)
{
	pid_t pid = spinner();
	struct timespec before, after;
	int id;
	signal(SIGUSR1, ring);
	CHECK(k_create(clock_of(pid), SIGEV_SIGNAL, SIGUSR1, &id) == 0);
	CHECK(clock_gettime(clock_of(pid), &before) == 0);
	CHECK(k_set(id, 0, its(0, 30000000, 0, 20000000)) == 0);
	while (rang < 5)
		sleep_ms(2);
	CHECK(clock_gettime(clock_of(pid), &after) == 0);
	CHECK((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 100);
	kill(pid, SIGSTOP);
	CHECK(wait_state(pid, 'T'));
	sleep_ms(30);
	rang = 0;
	sleep_ms(200);
	CHECK_EQ(rang, 0);		/* its time stands still */
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
	CHECK_ERR(k_set(id, 0, its(1, 0, 0, 0)), ESRCH);
	struct itimerspec it = k_get(id);
	(void)it;
	CHECK(k_delete(id) == 0);
	CHECK_ERR(k_create(clock_of(pid), SIGEV_NONE, 0, &id), EINVAL);
}

static void *burn(void *arg) { (void)arg; spin(); return NULL; }

TEST(sleeping_on_cpu_time)
{
	pthread_t t;
	struct timespec ts = { 0, 50000000 }, before, after;
	pid_t pid = spinner();
	CHECK(clock_gettime(clock_of(pid), &before) == 0);
	CHECK_EQ(clock_nanosleep(clock_of(pid), 0, &ts, NULL), 0);
	CHECK(clock_gettime(clock_of(pid), &after) == 0);
	CHECK((after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec >= 50000000);
	kill(pid, SIGKILL);
	CHECK(pthread_create(&t, NULL, burn, NULL) == 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	CHECK_EQ(syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &ts, NULL), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	CHECK((after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec >= 50000000);
	CHECK_EQ(wait_status(pid), SIGKILL);
	CHECK_EQ(clock_nanosleep(clock_of(pid), 0, &ts, NULL), EINVAL);
}

/* A handler in the middle: what is left is told, and the sleep goes on when it need not be told. */
TEST(interrupted_sleeps)
{
	struct sigaction sa = { .sa_handler = ring };
	struct timespec ts = { 100, 0 }, left = { 0, 0 };
	struct itimerval iv = { { 0, 0 }, { 0, 30000 } };
	sigaction(SIGALRM, &sa, NULL);
	CHECK(setitimer(ITIMER_REAL, &iv, NULL) == 0);
	CHECK_ERR(nanosleep(&ts, &left), EINTR);
	CHECK(left.tv_sec >= 60 && left.tv_sec < 100);
	CHECK(setitimer(ITIMER_REAL, &iv, NULL) == 0);
	left = (struct timespec){ 7, 7 };
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 100;
	CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, &left), EINTR);
	CHECK(left.tv_sec == 7 && left.tv_nsec == 7);
	pid_t pid = fork();
	if (pid == 0) {
		struct timespec a, b, d = { 0, 400000000 };
		clock_gettime(CLOCK_MONOTONIC, &a);
		if (nanosleep(&d, NULL))
			_exit(1);
		clock_gettime(CLOCK_MONOTONIC, &b);
		_exit((b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec >= 400000000 ? 0 : 2);
	}
	CHECK(wait_state(pid, 'S'));
	kill(pid, SIGSTOP);		/* stopped and continued: restarted, not cut short */
	CHECK(wait_state(pid, 'T'));
	kill(pid, SIGCONT);
	CHECK(EXITED(wait_status(pid), 0));
}

static _Atomic int called, calling_tid;
static void called_back(union sigval v) { calling_tid = (int)syscall(SYS_gettid); called += v.sival_int; }

/* libc's, by a thread that waits for the timer's signal: it runs in that thread, each time. */
TEST(told_by_a_thread)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = called_back, .sigev_value.sival_int = 2 };
	struct itimerspec every = its(0, 1000000, 0, 1000000);
	timer_t t;
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0);
	CHECK(timer_settime(t, 0, &every, NULL) == 0);
	while (called < 10)
		sleep_ms(1);
	CHECK(calling_tid != getpid());
	CHECK(timer_delete(t) == 0);
}
