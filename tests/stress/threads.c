/* threads: made, joined, detached, cancelled and killed from all CPUs; signals to threads that are being made or are dying. */
static void exec_again(void);
#define STORM_AGAIN exec_again
#include "stress.h"
#include <sched.h>

static __thread unsigned long tls_word;

static void *one_thread(void *arg)
{
	unsigned long want = (unsigned long)arg;
	CHECK(tls_word == 0);
	tls_word = want;
	sched_yield();
	CHECK(tls_word == want);
	return (void *)(want * 3);
}

/* A dozen at a time, joined in another order; the results are the threads' own. */
static void create_join(int n)
{
	pthread_t t[12];
	for (unsigned long round = 0; !over(); round++) {
		for (unsigned long i = 0; i < 12; i++)
			CHECK_EQ(pthread_create(&t[i], NULL, one_thread, (void *)(round * 16 + i + 1)), 0);
		for (unsigned long k = 0; k < 12; k++) {
			unsigned long i = (k * 5 + round) % 12;
			void *result;
			CHECK_EQ(pthread_join(t[i], &result), 0);
			CHECK_EQ(result, (round * 16 + i + 1) * 3);
		}
		progress();
	}
}
STORM(create_and_join) { crowd(create_join, 4); }

static atomic_int detached_alive;
static void *detached(void *arg)
{
	sched_yield();
	atomic_fetch_sub(&detached_alive, 1);
	return arg;
}

static void detach(int n)
{
	pthread_attr_t a;
	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	while (!over()) {
		pthread_t t;
		while (atomic_load(&detached_alive) > 16) sched_yield();
		atomic_fetch_add(&detached_alive, 1);
		CHECK_EQ(pthread_create(&t, &a, detached, NULL), 0);
		progress();
	}
	while (atomic_load(&detached_alive)) sched_yield();
}
STORM(detached_threads) { crowd(detach, 4); }

/* exit_group while threads are being made and are ending; exec from a thread that is not the first. */
static void *maker(void *arg)
{
	for (;;) {
		pthread_t t;
		if (pthread_create(&t, NULL, one_thread, (void *)1) == 0)
			pthread_join(t, NULL);
	}
	return arg;
}

static void *execer(void *arg)
{
	execl("/proc/self/exe", "threads", "quit", (char *)NULL);
	_exit(1);
}

static void group_ends(int n)
{
	unsigned seed = n + 1;
	for (int i = 0; !over(); i++) {
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			pthread_t t;
			for (int k = 0; k < 3; k++) pthread_create(&t, NULL, maker, NULL);
			for (unsigned k = random_next(&seed) % 40; k; k--) sched_yield();
			if (i % 3 == 2) {
				pthread_create(&t, NULL, execer, NULL);
				for (;;) pause();
			}
			if (i % 3 == 1)
				kill(getpid(), SIGKILL);
			_exit(7);
		}
		random_next(&seed);
		int st = wait_status(pid);
		CHECK(i % 3 == 1 ? KILLED(st, SIGKILL) : EXITED(st, 7));
		progress();
	}
}
STORM(group_exit_and_exec_among_threads) { crowd(group_ends, 4); }

/* A program that becomes itself over and over, each time from its second thread, has the same number all the time. */
static void *again(void *arg)
{
	execl("/proc/self/exe", "threads", "again", (char *)NULL);
	_exit(1);
	return arg;
}

static void exec_again(void)
{
	pthread_t t;
	pthread_create(&t, NULL, again, NULL);
	for (;;) pause();
}

static pid_t execs[4];
static void asker(int n)
{
	struct timespec ts;
	clockid_t clock;
	char path[40];
	for (unsigned i = n; !over(); i++) {
		pid_t pid = execs[i % 4];
		CHECK_EQ(kill(pid, 0), 0);
		CHECK_EQ(syscall(SYS_sched_getscheduler, pid), SCHED_OTHER);
		CHECK_EQ(clock_getcpuclockid(pid, &clock), 0);
		CHECK_EQ(clock_gettime(clock, &ts), 0);
		CHECK_EQ(getpgid(pid), getpgrp());
		int fd = syscall(SYS_pidfd_open, pid, 0);
		CHECK(fd >= 0);
		close(fd);
		snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
		CHECK_EQ(access(path, F_OK), 0);
		progress();
	}
}

static void asked_for(void)
{
	for (int i = 0; i < 4; i++) {
		execs[i] = fork();
		CHECK(execs[i] >= 0);
		if (execs[i] == 0) again(NULL);
	}
	crowd(asker, 4);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(kill(execs[i], SIGKILL), 0);
		CHECK(KILLED(wait_status(execs[i]), SIGKILL));
	}
}
STORM(a_number_that_is_taken_over) { asked_for(); }

/* Signals at threads that come and go: tgkill answers 0 or ESRCH, a handler runs on the thread it was sent to, and a
 * process-directed signal is never lost while one thread stays to take it. */
static atomic_int targets[8];
static atomic_ulong taken, process_taken;
static void on_thread_signal(int s, siginfo_t *info, void *uc)
{
	if (info->si_code == SI_TKILL)
		atomic_fetch_add(&taken, 1);
	else
		atomic_fetch_add(&process_taken, 1);
}

static void *short_lived(void *arg)
{
	atomic_store(&targets[(long)arg], gettid_());
	for (int i = 0; i < 3; i++) sched_yield();
	atomic_store(&targets[(long)arg], 0);
	return NULL;
}

static void *breeder(void *arg)
{
	while (!over()) {
		pthread_t t;
		CHECK_EQ(pthread_create(&t, NULL, short_lived, arg), 0);
		CHECK_EQ(pthread_join(t, NULL), 0);
		progress();
	}
	return NULL;
}

static void signals_at_threads(int n)
{
	struct sigaction sa = { .sa_sigaction = on_thread_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	pthread_t t[4];
	unsigned long sent = 0, hit = 0;
	unsigned seed = n + 99;
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGRTMIN + 4, &sa, NULL);
	for (long i = 0; i < 4; i++) CHECK_EQ(pthread_create(&t[i], NULL, breeder, (void *)i), 0);
	while (!over()) {
		int tid = atomic_load(&targets[random_next(&seed) % 4]);
		if (tid > 0) {
			long r = syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
			CHECK(r == 0 || errno == ESRCH);
			hit += r == 0;
		}
		if (random_next(&seed) % 4 == 0) {
			union sigval v = { .sival_int = 1 };
			if (sent - atomic_load(&process_taken) < 100) {
				CHECK(sigqueue(getpid(), SIGRTMIN + 4, v) == 0);
				sent++;
			}
		}
		if (sent % 16 == 0) sched_yield();
	}
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
	while (atomic_load(&process_taken) < sent) sched_yield();	/* this thread takes what is left: none may be lost */
	CHECK_EQ(atomic_load(&process_taken), sent);
	CHECK(atomic_load(&taken) <= hit);
}
STORM(signals_to_threads_born_and_dying) { crowd(signals_at_threads, 2); }

/* A robust mutex whose holder dies is handed over with EOWNERDEAD, exactly once. */
struct robust { pthread_mutex_t m; unsigned long count; };
static struct robust *robust;
static void *die_holding(void *arg)
{
	int r = pthread_mutex_lock(&robust->m);
	if (r == EOWNERDEAD) {
		pthread_mutex_consistent(&robust->m);
	} else
		CHECK_EQ(r, 0);
	robust->count++;
	if ((unsigned long)arg % 3)
		pthread_mutex_unlock(&robust->m);
	return NULL;
}
static void robust_kid(int n)
{
	for (unsigned long i = 0; !over(); i++) {
		pthread_t t[3];
		for (unsigned long k = 0; k < 3; k++) CHECK_EQ(pthread_create(&t[k], NULL, die_holding, (void *)(i + k)), 0);
		for (int k = 0; k < 3; k++) pthread_join(t[k], NULL);
		progress();
	}
}
STORM(robust_mutexes)
{
	pthread_mutexattr_t a;
	robust = shared_map(4096);
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	CHECK_EQ(pthread_mutex_init(&robust->m, &a), 0);
	crowd(robust_kid, 4);
}
