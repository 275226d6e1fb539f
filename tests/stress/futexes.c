/* futexes and pipes: every wake-up and every byte is accounted for. */
#include "stress.h"
#include <linux/futex.h>

static long futex(_Atomic int *word, int op, int val, void *timeout, void *word2, int val3)
{
	return syscall(SYS_futex, word, op, val, timeout, word2, val3);
}

/* A mutex of two states and waiters, as in Drepper's paper: exclusion is seen by a plain counter. */
struct guarded { _Atomic int word; unsigned long count; _Atomic unsigned long sum; };
static struct guarded *guarded;

static void mutex_lock(_Atomic int *w)
{
	int c = 0;
	if (atomic_compare_exchange_strong(w, &c, 1))
		return;
	if (c != 2) c = atomic_exchange(w, 2);
	while (c) {
		long r = futex(w, FUTEX_WAIT, 2, NULL, NULL, 0);
		CHECK(r == 0 || errno == EAGAIN || errno == EINTR);
		c = atomic_exchange(w, 2);
	}
}

static void mutex_unlock(_Atomic int *w)
{
	if (atomic_exchange(w, 0) == 2)
		CHECK(futex(w, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0);
}

static void mutex_kid(int n)
{
	unsigned long mine = 0;
	while (!over()) {
		for (int i = 0; i < 50; i++, mine++) {
			mutex_lock(&guarded->word);
			unsigned long c = guarded->count;
			if (i % 10 == 0) sched_yield();
			guarded->count = c + 1;
			mutex_unlock(&guarded->word);
		}
		progress();
	}
	atomic_fetch_add(&guarded->sum, mine);
}
STORM(a_contended_mutex_between_processes)
{
	guarded = shared_map(4096);
	crowd(mutex_kid, 8);
	CHECK_EQ(guarded->count, guarded->sum);
}

/* A token goes round a ring of threads; a lost wake-up stops it. */
#define RING 8
static _Atomic int ring[RING * 16];
static void *ring_thread(void *arg)
{
	long n = (long)arg;
	_Atomic int *mine = &ring[n * 16], *next = &ring[(n + 1) % RING * 16];
	for (;;) {
		int v;
		while ((v = atomic_load(mine)) == 0) {
			long r = futex(mine, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
			CHECK(r == 0 || errno == EAGAIN || errno == EINTR);
		}
		atomic_store(mine, 0);
		if (n == 0) {
			progress();
			if (over()) v = 2;
		}
		atomic_store(next, v);
		CHECK(futex(next, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0);
		if (v == 2)
			return NULL;
	}
}
static void ring_kid(int k)
{
	pthread_t t[RING];
	for (long i = 0; i < RING; i++) CHECK_EQ(pthread_create(&t[i], NULL, ring_thread, (void *)i), 0);
	atomic_store(&ring[0], 1);
	futex(&ring[0], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	for (int i = 0; i < RING; i++) CHECK_EQ(pthread_join(t[i], NULL), 0);
}
STORM(token_rings) { crowd(ring_kid, 3); }

/* Waiters are requeued from one word to another and woken there: as many come back as went to sleep. */
static void *broadcast_waiter(void *arg);
static pthread_mutex_t cond_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, all_here = PTHREAD_COND_INITIALIZER;
static long generation, waiting, stop_cond;
static void *broadcast_waiter(void *arg)
{
	pthread_mutex_lock(&cond_lock);
	while (!stop_cond) {
		long g = generation;
		if (++waiting == 6)
			pthread_cond_signal(&all_here);
		while (g == generation && !stop_cond) pthread_cond_wait(&cond, &cond_lock);
	}
	pthread_mutex_unlock(&cond_lock);
	return NULL;
}
static void cond_kid(int n)
{
	pthread_t t[6];
	for (long i = 0; i < 6; i++) CHECK_EQ(pthread_create(&t[i], NULL, broadcast_waiter, NULL), 0);
	while (!over()) {
		pthread_mutex_lock(&cond_lock);
		while (waiting < 6) pthread_cond_wait(&all_here, &cond_lock);
		waiting = 0;
		generation++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&cond_lock);
		progress();
	}
	pthread_mutex_lock(&cond_lock);
	stop_cond = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&cond_lock);
	for (int i = 0; i < 6; i++) CHECK_EQ(pthread_join(t[i], NULL), 0);
}
STORM(condition_broadcasts) { crowd(cond_kid, 3); }

/* Time-outs race wake-ups and requeues; the word is unmapped under waiters who will time out. */
static _Atomic int *shaky;
static void *shaky_waiter(void *arg)
{
	unsigned seed = (long)arg + 7;
	while (!over()) {
		struct timespec ts = { 0, random_next(&seed) % 300000 };
		long r = futex(&shaky[random_next(&seed) % 4 * 1024], random_next(&seed) % 2 ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0);
		CHECK(r == 0 || errno == ETIMEDOUT || errno == EAGAIN || errno == EINTR || errno == EFAULT);
		progress();
	}
	return NULL;
}
static void shaky_kid(int n)
{
	pthread_t t[4];
	unsigned seed = n + 1;
	shaky = mmap(NULL, 16384, PROT_READ | PROT_WRITE, (n & 1 ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; i < 4; i++) CHECK_EQ(pthread_create(&t[i], NULL, shaky_waiter, (void *)i), 0);
	while (!over()) {
		unsigned r = random_next(&seed);
		_Atomic int *w = &shaky[r % 4 * 1024], *w2 = &shaky[(r >> 4) % 4 * 1024];
		switch ((r >> 8) % 5) {
		case 0: futex(w, FUTEX_WAKE, 2, NULL, NULL, 0); break;
		case 1: futex(w, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0); break;
		case 2: futex(w, FUTEX_CMP_REQUEUE, 1, (void *)2, w2, 0); break;
		case 3: futex(w, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, w2, 0); break;
		case 4: CHECK(mmap(w, 4096, PROT_READ | PROT_WRITE, (n & 1 ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == w);
		}
	}
	for (int i = 0; i < 4; i++) CHECK_EQ(pthread_join(t[i], NULL), 0);
}
STORM(timeouts_requeues_and_unmapped_words) { crowd(shaky_kid, 3); }

/* Priority-inheritance mutexes (skipped where the kernel has none). */
static struct { pthread_mutex_t m; unsigned long count; _Atomic unsigned long sum; } *pi;
static void pi_kid(int n)
{
	unsigned long mine = 0;
	while (!over()) {
		for (int i = 0; i < 20; i++, mine++) {
			CHECK_EQ(pthread_mutex_lock(&pi->m), 0);
			unsigned long c = pi->count;
			if (i % 10 == 0) sched_yield();
			pi->count = c + 1;
			CHECK_EQ(pthread_mutex_unlock(&pi->m), 0);
		}
		progress();
	}
	atomic_fetch_add(&pi->sum, mine);
}
STORM(priority_inheritance)
{
	pthread_mutexattr_t a;
	pi = shared_map(4096);
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	if (pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT) != 0) {
		progress();
		printf("# no priority inheritance here\n");
		return;
	}
	CHECK_EQ(pthread_mutex_init(&pi->m, &a), 0);
	crowd(pi_kid, 6);
	CHECK_EQ(pi->count, pi->sum);
}

/* Pipes: many writers and readers; every record arrives whole, once, and in each writer's order. */
struct record { unsigned writer, seq; unsigned char body[56]; };
static int pipe_fds[2];
static _Atomic unsigned long *pipe_seen;	/* [writer]: records read; [16 + writer]: written */
static void pipe_writer(int n)
{
	struct record r = { .writer = n };
	close(pipe_fds[0]);
	while (!over()) {
		memset(r.body, (n * 31 + r.seq) & 255, sizeof(r.body));
		CHECK_EQ(write(pipe_fds[1], &r, sizeof(r)), sizeof(r));
		r.seq++;
		if (r.seq % 64 == 0) progress();
	}
	atomic_store(&pipe_seen[16 + n], r.seq);
}
static void pipe_reader(int n)
{
	struct record r;
	unsigned last[8];
	ssize_t got;
	memset(last, 255, sizeof(last));
	close(pipe_fds[1]);
	while ((got = read(pipe_fds[0], &r, sizeof(r))) > 0) {
		CHECK_EQ(got, sizeof(r));
		CHECK(r.writer < 4);
		for (unsigned i = 0; i < sizeof(r.body); i++) CHECK_EQ(r.body[i], (r.writer * 31 + r.seq) & 255);
		CHECK(last[r.writer] == ~0u || r.seq > last[r.writer]);
		last[r.writer] = r.seq;
		atomic_fetch_add(&pipe_seen[r.writer], 1);
	}
	CHECK_EQ(got, 0);
}
STORM(pipe_records_from_many_to_many)
{
	pid_t pid[8];
	pipe_seen = shared_map(4096);
	CHECK(pipe(pipe_fds) == 0);
	for (int i = 0; i < 4; i++) pid[i] = kid(pipe_writer, i);
	for (int i = 0; i < 4; i++) pid[4 + i] = kid(pipe_reader, i);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	for (int i = 0; i < 8; i++) CHECK_EQ(wait_status(pid[i]), 0);
	for (int i = 0; i < 4; i++) CHECK_EQ(pipe_seen[i], pipe_seen[16 + i]);
}

/* Groups of senders and receivers (a hackbench in small), and ends closed in mid-write. */
static void pipe_group(int n)
{
	while (!over()) {
		int fds[2];
		pid_t pid[3];
		CHECK(pipe(fds) == 0);
		for (int i = 0; i < 3; i++) {
			pid[i] = fork();
			CHECK(pid[i] >= 0);
			if (pid[i] == 0) {
				char b[100];
				close(fds[0]);
				memset(b, i, sizeof(b));
				signal(SIGPIPE, SIG_IGN);
				for (int k = 0; k < 300; k++)
					if (write(fds[1], b, sizeof(b)) != sizeof(b)) {
						CHECK(errno == EPIPE);
						_exit(2);
					}
				_exit(0);
			}
		}
		close(fds[1]);
		char b[300];
		size_t total = 0;
		ssize_t r;
		bool early = n % 2;
		while ((r = read(fds[0], b, sizeof(b))) > 0) {
			total += r;
			if (early && total > 20000)
				break;
		}
		close(fds[0]);
		int broken = 0;
		for (int i = 0; i < 3; i++) {
			int st = wait_status(pid[i]);
			CHECK(EXITED(st, 0) || (early && EXITED(st, 2)));
			broken += EXITED(st, 2);
		}
		CHECK(early || (total == 90000 && !broken));
		progress();
	}
}
STORM(pipe_groups_and_closed_ends) { crowd(pipe_group, 4); }
