/* CPU-time clocks of others, timers and limits on CPU time, and timers that follow the real clock. */
#include "../tap.h"
#include <pthread.h>

static void burn_ms(long ms)
{
	struct timespec a, b;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
}

static long ms_of(clockid_t c)
{
	struct timespec t;
	return clock_gettime(c, &t) ? -1 : t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static volatile sig_atomic_t hits, overruns, on_thread;
static void hit(int s) { (void)s; hits++; }
static void hit_info(int s, siginfo_t *si, void *uc) { (void)s; (void)uc; hits++; overruns += si->si_overrun; on_thread = syscall(SYS_gettid); }

TEST(soft_limit_each_second_then_killed)
{
	int p[2];
	char b[16];
	CHECK(pipe(p) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit rl = { 1, 3 };
		signal(SIGXCPU, hit);
		setrlimit(RLIMIT_CPU, &rl);
		for (int seen = 0;;)
			if (hits > seen) {
				seen = hits;
				if (write(p[1], "x", 1) != 1)
					_exit(1);
			}
	}
	close(p[1]);
	CHECK(KILLED(wait_status(pid), SIGKILL));
	CHECK_EQ(read(p[0], b, sizeof(b)), 2);		/* after one second and after two */
}

static void *spin(void *arg)
{
	(void)arg;
	for (;;)
		;
	return NULL;
}

static void *burn_some(void *arg)
{
	burn_ms(700);
	for (;;)
		pause();
	return arg;
}

TEST(the_limit_counts_all_threads)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit rl = { 1, 60 };		/* a host that is busy lets seconds pass at once */
		pthread_t t;
		setrlimit(RLIMIT_CPU, &rl);
		pthread_create(&t, NULL, burn_some, NULL);	/* neither alone reaches a second */
		burn_some(NULL);
	}
	CHECK(KILLED(wait_status(pid), SIGXCPU));
}

/* A thread that begins when the limit is already being watched counts at once: the soft limit is seen before the hard one. */
TEST(the_limit_counts_threads_made_later)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit rl = { 1, 3 };
		pthread_t t[3];
		setrlimit(RLIMIT_CPU, &rl);
		burn_ms(100);
		for (int i = 0; i < 3; i++) pthread_create(&t[i], NULL, spin, NULL);
		for (;;) ;
	}
	CHECK(KILLED(wait_status(pid), SIGXCPU));
}

TEST(the_limit_is_inherited_not_the_time)
{
	struct rlimit rl = { 1, 1 };
	CHECK(setrlimit(RLIMIT_CPU, &rl) == 0);
	burn_ms(600);
	pid_t pid = fork();
	if (pid == 0) {
		burn_ms(600);
		_exit(3);
	}
	CHECK(EXITED(wait_status(pid), 3));
}

TEST(clock_of_another_process)
{
	int p[2], q[2];
	char c;
	clockid_t clock;
	CHECK(pipe(p) == 0 && pipe(q) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		burn_ms(60);
		if (write(p[1], "x", 1) != 1 || read(q[0], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	CHECK(clock_getcpuclockid(pid, &clock) == 0);
	CHECK(read(p[0], &c, 1) == 1);
	long first = ms_of(clock);
	CHECK(first >= 60);
	CHECK(wait_state(pid, 'S'));
	first = ms_of(clock);
	burn_ms(30);
	CHECK_EQ(ms_of(clock), first);			/* it sleeps */
	struct timespec ts = { 0, 0 };
	CHECK_ERR(clock_settime(clock, &ts), EPERM);
	CHECK(write(q[1], "x", 1) == 1);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_ERR(clock_gettime(clock, &ts), EINVAL);
}

static int ready[2], leave[2];
static void *sleeper(void *arg)
{
	char c;
	burn_ms(*(int *)arg);
	CHECK(write(ready[1], "x", 1) == 1);
	CHECK(read(leave[0], &c, 1) == 1);
	return NULL;
}

TEST(clock_of_another_thread)
{
	pthread_t t;
	clockid_t clock, own;
	int ms = 40;
	char c;
	CHECK(pipe(ready) == 0 && pipe(leave) == 0);
	CHECK(pthread_create(&t, NULL, sleeper, &ms) == 0);
	CHECK(pthread_getcpuclockid(t, &clock) == 0 && pthread_getcpuclockid(pthread_self(), &own) == 0);
	CHECK(read(ready[0], &c, 1) == 1);
	CHECK(ms_of(clock) >= 40);
	CHECK(ms_of(CLOCK_PROCESS_CPUTIME_ID) >= ms_of(clock));
	CHECK(ms_of(own) < ms_of(CLOCK_PROCESS_CPUTIME_ID));
	fflush(stdout);
	pid_t pid = fork();		/* not a thread of the child's */
	if (pid == 0)
		_exit(ms_of(clock) == -1 && errno == EINVAL ? 0 : 1);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(write(leave[1], "x", 1) == 1);
	pthread_join(t, NULL);
}

TEST(numbers_that_are_no_clock)
{
	struct timespec ts;
	CHECK_ERR(clock_gettime(999, &ts), EINVAL);
	CHECK_ERR(clock_gettime((clockid_t)(~99999u << 3 | 2), &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, (clockid_t)(~0u << 3 | 7), &ts), EINVAL);
	CHECK(clock_gettime((clockid_t)(~0u << 3 | 2), &ts) == 0);		/* the caller's own */
	CHECK(clock_gettime((clockid_t)(~(unsigned)getpid() << 3 | 1), &ts) == 0);	/* its user time */
	timer_t id;
	CHECK_ERR(syscall(SYS_timer_create, 999, NULL, &id), EINVAL);
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC_COARSE, NULL, &id), EOPNOTSUPP);
	CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){ 0, 1 }, NULL), EINVAL);
}

TEST(timer_on_the_process_clock)
{
	struct sigaction sa = { .sa_sigaction = hit_info, .sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec it = { { 0, 10000000 }, { 0, 30000000 } }, left;
	timer_t id;
	sigset_t m;
	sigaction(SIGUSR1, &sa, NULL);
	CHECK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &id) == 0);
	CHECK(timer_settime(id, 0, &it, NULL) == 0);
	sleep_ms(60);
	CHECK_EQ(hits, 0);			/* sleep is no CPU time */
	CHECK(timer_gettime(id, &left) == 0);
	CHECK(left.it_value.tv_nsec > 10000000 && left.it_value.tv_nsec <= 30000000 && left.it_interval.tv_nsec == 10000000);
	long start = ms_of(CLOCK_PROCESS_CPUTIME_ID);
	while (hits < 3)
		;
	CHECK(ms_of(CLOCK_PROCESS_CPUTIME_ID) - start >= 20);
	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	sigprocmask(SIG_BLOCK, &m, NULL);
	hits = overruns = 0;
	burn_ms(100);
	CHECK_EQ(hits, 0);
	sigprocmask(SIG_UNBLOCK, &m, NULL);
	CHECK(hits >= 1 && hits + overruns >= 8);
	CHECK(timer_delete(id) == 0);
	CHECK_ERR(syscall(SYS_timer_delete, 77), EINVAL);
}

TEST(timer_on_a_thread_clock_tells_that_thread)
{
	struct sigaction sa = { .sa_sigaction = hit_info, .sa_flags = SA_SIGINFO };
	struct { union sigval value; int signo, notify, tid; char pad[48]; } ev = { .notify = SIGEV_THREAD_ID, .signo = SIGUSR1 };
	struct itimerspec it = { { 0, 0 }, { 0, 20000000 } };
	int id;
	ev.tid = syscall(SYS_gettid);
	sigaction(SIGUSR1, &sa, NULL);
	CHECK(syscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &ev, &id) == 0);
	CHECK(syscall(SYS_timer_settime, id, 0, &it, NULL) == 0);
	while (!hits)
		;
	CHECK_EQ(on_thread, syscall(SYS_gettid));
	burn_ms(60);
	CHECK_EQ(hits, 1);
	ev.tid = getppid();
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &ev, &id), EINVAL);
}

TEST(profiling_timer_repeats)
{
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } }, left;
	signal(SIGPROF, hit);
	CHECK(setitimer(ITIMER_PROF, &it, NULL) == 0);
	CHECK(getitimer(ITIMER_PROF, &left) == 0 && left.it_interval.tv_usec == 10000);
	CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_usec > 0);
	long start = ms_of(CLOCK_PROCESS_CPUTIME_ID);
	while (hits < 5)
		;
	CHECK(ms_of(CLOCK_PROCESS_CPUTIME_ID) - start >= 38);
	it = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	CHECK(setitimer(ITIMER_PROF, &it, &left) == 0 && left.it_interval.tv_usec == 10000);
	hits = 0;
	burn_ms(50);
	CHECK_EQ(hits, 0);
	/* not inherited */
	it.it_value.tv_usec = 10000;
	CHECK(setitimer(ITIMER_PROF, &it, NULL) == 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(getitimer(ITIMER_PROF, &left) || left.it_value.tv_usec ? 1 : 0);
	CHECK(EXITED(wait_status(pid), 0));
}

static void move_clock(long s)
{
	struct timespec now;
	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
	now.tv_sec += s;
	CHECK(clock_settime(CLOCK_REALTIME, &now) == 0);
}

/* One that hardly ever runs for half a millisecond at a time, because it talks to another on the same CPU, reaches its limit as well. */
TEST(the_time_of_many_short_turns_counts)
{
	int p[2], q[2];
	char c = 0;
	cpu_set_t one;

	CHECK(pipe(p) == 0 && pipe(q) == 0);
	CHECK(sched_getaffinity(0, sizeof(one), &one) == 0);
	for (int i = 0, seen = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &one) && seen++)
			CPU_CLR(i, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(p[1]);
		while (read(p[0], &c, 1) == 1 && write(q[1], &c, 1) == 1)
			;
		_exit(0);
	}
	struct itimerval it = { { 0, 0 }, { 0, 50000 } };
	signal(SIGPROF, hit);
	CHECK(setitimer(ITIMER_PROF, &it, NULL) == 0);
	while (!hits && ms_of(CLOCK_PROCESS_CPUTIME_ID) < 3000)
		CHECK(write(p[1], &c, 1) == 1 && read(q[0], &c, 1) == 1);
	CHECK_EQ(hits, 1);
	printf("# told after %ld ms\n", ms_of(CLOCK_PROCESS_CPUTIME_ID));
	CHECK(ms_of(CLOCK_PROCESS_CPUTIME_ID) >= 40);
	close(p[1]);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(absolute_real_timer_follows_the_clock)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec it = { { 0, 0 }, { 0, 0 } };
	timer_t abs, rel;
	signal(SIGUSR1, hit);
	if (geteuid())
		SKIP("needs root");
	CHECK(timer_create(CLOCK_REALTIME, &ev, &abs) == 0 && timer_create(CLOCK_REALTIME, &ev, &rel) == 0);
	clock_gettime(CLOCK_REALTIME, &it.it_value);
	it.it_value.tv_sec += 3600;
	CHECK(timer_settime(abs, TIMER_ABSTIME, &it, NULL) == 0);
	it.it_value = (struct timespec){ 3600, 0 };
	CHECK(timer_settime(rel, 0, &it, NULL) == 0);
	move_clock(7200);
	while (hits < 1)
		sleep_ms(1);
	sleep_ms(20);
	CHECK_EQ(hits, 1);
	move_clock(-7200);
	CHECK(timer_gettime(rel, &it) == 0 && it.it_value.tv_sec > 3500);
}

TEST(absolute_real_sleep_follows_the_clock)
{
	struct timespec until;
	if (geteuid())
		SKIP("needs root");
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 3600;
	pid_t pid = fork();
	if (pid == 0)
		_exit(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL));
	CHECK(wait_state(pid, 'S'));
	move_clock(7200);
	CHECK(EXITED(wait_status(pid), 0));
	move_clock(-7200);
}
