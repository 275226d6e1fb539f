/* Threads: clone by pthread, ids, exit, robust lists. */
#define TAP_HOOK
#include "tap.h"
#include <pthread.h>
#include <stdatomic.h>

static atomic_int counter;

static void tap_hook(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "which"))	/* what is executed: is it the first thread? */
		_exit(syscall(SYS_gettid) == getpid() ? 5 : 6);
}

static void *add(void *arg)
{
	for (int i = 0; i < 1000; i++)
		atomic_fetch_add(&counter, 1);
	return arg;
}

TEST(threads_share_memory_and_join)
{
	pthread_t t[16];
	for (int i = 0; i < 16; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, add, (void *)(long)i), 0);
	for (int i = 0; i < 16; i++) {
		void *r;
		CHECK_EQ(pthread_join(t[i], &r), 0);
		CHECK_EQ((long)r, i);
	}
	CHECK_EQ(counter, 16000);
}

static void *ids(void *arg)
{
	pid_t *out = arg;
	out[0] = getpid();
	out[1] = syscall(SYS_gettid);
	out[2] = getppid();
	return NULL;
}

TEST(threads_have_tids_of_one_process)
{
	pid_t got[3];
	pthread_t t;
	CHECK_EQ(pthread_create(&t, NULL, ids, got), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(got[0], getpid());
	CHECK(got[1] != getpid() && got[1] > 0);
	CHECK_EQ(got[2], getppid());
	CHECK_EQ(syscall(SYS_gettid), getpid());
}

TEST(a_thousand_threads_one_after_another)
{
	for (int i = 0; i < 1000; i++) {
		pthread_t t;
		pid_t got[3];
		CHECK_EQ(pthread_create(&t, NULL, ids, got), 0);
		CHECK_EQ(pthread_join(t, NULL), 0);
	}
}

static void *sleeper(void *arg) { (void)arg; for (;;) pause(); return NULL; }

TEST(exit_group_takes_all_threads)
{
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t t;
		for (int i = 0; i < 8; i++)
			pthread_create(&t, NULL, sleeper, NULL);
		sleep_ms(10);
		_exit(17);
	}
	CHECK(EXITED(wait_status(pid), 17));
}

static void *killer(void *arg) { (void)arg; _exit(18); }
static void *spinner(void *arg) { for (;;) *(volatile int *)arg = 1; return NULL; }

TEST(exit_group_from_another_thread)
{
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t t;
		static int x;
		pthread_create(&t, NULL, spinner, &x);
		pthread_create(&t, NULL, killer, NULL);
		for (;;)
			pause();
	}
	CHECK(EXITED(wait_status(pid), 18));
}

static void *execer(void *arg)
{
	(void)arg;
	char *argv[] = { "thread", "no_such_test", NULL };
	execv("/proc/self/exe", argv);
	_exit(99);
}

TEST(exec_from_a_thread_keeps_the_pid)
{
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t t;
		static int x;
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		pthread_create(&t, NULL, spinner, &x);
		pthread_create(&t, NULL, sleeper, NULL);
		pthread_create(&t, NULL, execer, NULL);
		for (;;)
			pause();
	}
	CHECK(EXITED(wait_status(pid), 0));
}

static int ready[2], go[2];

/* The link of the process would not do: where its first thread has left it leads nowhere. */
static void *late_execer(void *arg)
{
	char *argv[] = { "thread", "which", NULL };
	char c;

	wait_state(getpid(), arg ? 'S' : 'Z');
	close(ready[1]);
	if (read(go[0], &c, 1) < 0)
		_exit(98);
	execv("/proc/thread-self/exe", argv);
	_exit(99);
	return arg;
}

/* Its directory, opened before it becomes another program from its second thread, is that of the same process afterwards. */
static void exec_late(bool first_stays)
{
	char path[40], c;
	siginfo_t si;
	CHECK(pipe(ready) == 0 && pipe2(go, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t t;
		close(ready[0]);
		close(go[1]);
		pthread_create(&t, NULL, late_execer, first_stays ? &t : NULL);
		if (!first_stays)
			syscall(SYS_exit, 0);
		for (;;)
			pause();
	}
	close(ready[1]);
	close(go[0]);
	CHECK_EQ(read(ready[0], &c, 1), 0);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	CHECK(dir >= 0 && faccessat(dir, "stat", F_OK, 0) == 0);
	close(go[1]);
	CHECK_EQ(waitid(P_PID, pid, &si, WEXITED | WNOWAIT), 0);
	CHECK(si.si_code == CLD_EXITED && si.si_status == 5);
	CHECK_EQ(faccessat(dir, "stat", F_OK, 0), 0);
	wait_status(pid);
	CHECK(faccessat(dir, "stat", F_OK, 0) < 0);
}

TEST(exec_when_the_first_thread_has_left) { exec_late(false); }
TEST(exec_beside_the_first_thread) { exec_late(true); }

static void *last_words(void *arg) { (void)arg; sleep_ms(20); exit(23); }

TEST(leader_may_leave_first)
{
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t t;
		pthread_create(&t, NULL, last_words, NULL);
		pthread_exit(NULL);
	}
	CHECK(EXITED(wait_status(pid), 23));
}

TEST(fatal_signal_takes_all_threads)
{
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t t;
		static int x;
		for (int i = 0; i < 4; i++)
			pthread_create(&t, NULL, i & 1 ? spinner : sleeper, &x);
		sleep_ms(5);
		raise(SIGTERM);
	}
	CHECK(KILLED(wait_status(pid), SIGTERM));
}

static pthread_mutex_t *robust;
static void *die_holding(void *arg) { (void)arg; pthread_mutex_lock(robust); return NULL; }

TEST(robust_mutex_owner_died)
{
	pthread_mutexattr_t a;
	pthread_t t;
	robust = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	CHECK_EQ(pthread_mutex_init(robust, &a), 0);
	CHECK_EQ(pthread_create(&t, NULL, die_holding, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(pthread_mutex_lock(robust), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(robust), 0);
	CHECK_EQ(pthread_mutex_unlock(robust), 0);
	/* And across processes. */
	pid_t pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(robust);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(pthread_mutex_lock(robust), EOWNERDEAD);
}

TEST(set_tid_address_and_robust_list)
{
	int word = 1;
	CHECK_EQ(syscall(SYS_set_tid_address, &word), getpid());
	CHECK_ERR(syscall(SYS_set_robust_list, &word, 3), EINVAL);
	void *head;
	size_t len;
	CHECK_EQ(syscall(SYS_get_robust_list, 0, &head, &len), 0);
	CHECK_EQ(len, 24);
	CHECK_ERR(syscall(SYS_get_robust_list, 99999, &head, &len), ESRCH);
}

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cv = PTHREAD_COND_INITIALIZER;
static int turn;

static void *ping(void *arg)
{
	int me = (int)(long)arg;
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&mu);
		while (turn != me)
			pthread_cond_wait(&cv, &mu);
		turn = !me;
		pthread_cond_broadcast(&cv);
		pthread_mutex_unlock(&mu);
	}
	return NULL;
}

TEST(condition_variables_alternate)
{
	pthread_t a, b;
	CHECK_EQ(pthread_create(&a, NULL, ping, (void *)0L), 0);
	CHECK_EQ(pthread_create(&b, NULL, ping, (void *)1L), 0);
	CHECK_EQ(pthread_join(a, NULL), 0);
	CHECK_EQ(pthread_join(b, NULL), 0);
}

static void *mapper(void *arg)
{
	(void)arg;
	for (int i = 0; i < 300; i++) {
		char *m = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (m == MAP_FAILED)
			return (void *)1;
		for (int p = 0; p < 4; p++) {
			if (m[p * 4096] != 0)	/* somebody else's page: a stale translation */
				return (void *)2;
			m[p * 4096] = 1;
		}
		munmap(m, 16384);
	}
	return NULL;
}

TEST(threads_mapping_and_unmapping)
{
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, mapper, NULL), 0);
	for (int i = 0; i < 4; i++) {
		void *r;
		pthread_join(t[i], &r);
		CHECK_EQ((long)r, 0);
	}
}
