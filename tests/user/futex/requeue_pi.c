/* FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI: a condition variable whose mutex inherits priority. */
#include "fut.h"

static word cond, mutex, other;

static long wait_pi(word *w, unsigned val, const struct timespec *limit, word *m) { return futex(w, FUTEX_WAIT_REQUEUE_PI, val, limit, m, 0); }
static long requeue_pi(word *w, unsigned wake, long n, word *m, unsigned val) { return futex(w, FUTEX_CMP_REQUEUE_PI, wake, (void *)n, m, val); }
static long unlock(void) { return unlock_pi(&mutex); }

static _Atomic int turn;
static void *waiter(void *a)
{
	struct thr *t = a;
	t->tid = gettid_();
	if (t->prio) set_fifo(0, t->prio);
	t->at = 1;
	errno = 0;
	t->ret = wait_pi(&cond, 0, t->limit, &mutex);
	t->err = errno;
	t->order = ++turn;
	if (!t->ret) t->ret = (mutex & FUTEX_TID_MASK) == gettid_() ? unlock() : -2;
	return NULL;
}

static void start(struct thr *t, int n)
{
	for (int i = 0; i < n; i++) {
		CHECK(pthread_create(&t[i].pt, NULL, waiter, &t[i]) == 0);
		wait_asleep(&t[i]);
	}
}

static void join(struct thr *t, int n) { for (int i = 0; i < n; i++) pthread_join(t[i].pt, NULL); }

TEST(errors)
{
	struct timespec past = { 1, 0 };
	CHECK_ERR(wait_pi(&cond, 1, NULL, &mutex), EAGAIN);
	CHECK_ERR(wait_pi(&cond, 0, NULL, &cond), EINVAL);
	CHECK_ERR(wait_pi(&cond, 0, NULL, NULL), EFAULT);
	CHECK_ERR(wait_pi(NULL, 0, NULL, &mutex), EFAULT);
	CHECK_ERR(wait_pi(&cond, 0, &past, &mutex), ETIMEDOUT);
	CHECK_ERR(futex(&cond, FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, 0, &past, &mutex, 0), ETIMEDOUT);
	CHECK_ERR(requeue_pi(&cond, 1, 0, &cond, 0), EINVAL);
	CHECK_ERR(requeue_pi(&cond, 0, 1, &mutex, 0), EINVAL);
	CHECK_ERR(requeue_pi(&cond, 2, 1, &mutex, 0), EINVAL);
	CHECK_ERR(requeue_pi(&cond, 1, -1, &mutex, 0), EINVAL);
	CHECK_ERR(requeue_pi(&cond, 1, 1, &mutex, 5), EAGAIN);
	CHECK_ERR(futex(NULL, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &mutex, 0), EFAULT);	/* the other word is good */
	CHECK_ERR(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, NULL, 0), EFAULT);
	CHECK_EQ(requeue_pi(&cond, 1, 1, &mutex, 0), 0);
	CHECK_EQ(mutex, 0);
}

TEST(to_a_free_mutex)
{
	struct thr t[3] = { 0 };
	start(t, 3);
	CHECK_ERR(futex(&cond, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&cond, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 0), EINVAL);
	CHECK_ERR(requeue_pi(&cond, 1, 1, &other, 0), EINVAL);	/* they said where to */
	CHECK_EQ(other, 0);
	CHECK_EQ(requeue_pi(&cond, 1, INT_MAX, &mutex, 0), 3);
	join(t, 3);
	for (int i = 0; i < 3; i++) CHECK_EQ(t[i].ret, 0);
	CHECK_EQ(mutex, 0);
}

TEST(one_at_a_time)
{
	struct thr t[2] = { 0 };
	start(t, 2);
	CHECK_EQ(requeue_pi(&cond, 1, 0, &mutex, 0), 1);
	join(t, 1);
	CHECK_EQ(t[0].ret, 0);
	CHECK_EQ(task_field(t[1].tid, 3), 'S');
	CHECK_EQ(requeue_pi(&cond, 1, 0, &mutex, 0), 1);
	join(t + 1, 1);
	CHECK_EQ(t[1].ret, 0);
	CHECK_EQ(mutex, 0);
}

TEST(to_a_held_mutex)
{
	struct thr t[3] = { { .prio = 5 }, { .prio = 25 }, { .prio = 15 } };
	start(t, 3);
	CHECK_EQ(lock_pi(&mutex), 0);
	CHECK_EQ(prio_of(gettid_()), 20);
	CHECK_EQ(requeue_pi(&cond, 1, INT_MAX, &mutex, 0), 3);
	CHECK_EQ(mutex, gettid_() | FUTEX_WAITERS);
	CHECK_EQ(prio_of(gettid_()), -26);
	CHECK_EQ(turn, 0);
	CHECK_EQ(unlock(), 0);
	CHECK_EQ(prio_of(gettid_()), 20);
	join(t, 3);
	for (int i = 0; i < 3; i++) CHECK_EQ(t[i].ret, 0);
	CHECK_EQ(t[1].order, 1);
	CHECK_EQ(t[2].order, 2);
	CHECK_EQ(t[0].order, 3);
	CHECK_EQ(mutex, 0);
}

static _Atomic int handled;
static void note(int sig) { (void)sig; handled++; }

TEST(signals)
{
	struct thr t = { 0 };
	struct sigaction sa = { .sa_handler = note };
	sigaction(SIGUSR1, &sa, NULL);
	start(&t, 1);
	pthread_kill(t.pt, SIGUSR1);		/* before it is requeued, the wait goes on */
	while (!handled) sleep_ms(1);
	wait_asleep(&t);
	CHECK_EQ(lock_pi(&mutex), 0);
	CHECK_EQ(requeue_pi(&cond, 1, 0, &mutex, 0), 1);
	CHECK_EQ(t.order, 0);
	pthread_kill(t.pt, SIGUSR1);		/* afterwards the caller must look again */
	join(&t, 1);
	CHECK_EQ(t.ret, -1);
	CHECK_EQ(t.err, EAGAIN);
	CHECK_EQ(unlock(), 0);
	CHECK_EQ(mutex, 0);
}

TEST(time_limits)
{
	struct timespec soon;
	struct thr t = { .limit = &soon };
	clock_gettime(CLOCK_MONOTONIC, &soon);
	soon.tv_sec += 1;
	start(&t, 1);
	CHECK_EQ(lock_pi(&mutex), 0);
	CHECK_EQ(requeue_pi(&cond, 1, 0, &mutex, 0), 1);
	join(&t, 1);				/* it waited for the mutex */
	CHECK_EQ(t.ret, -1);
	CHECK_EQ(t.err, ETIMEDOUT);
	CHECK_EQ(unlock(), 0);
	CHECK_EQ(mutex, 0);
}

TEST(the_mutex_has_a_dead_owner)
{
	struct thr t = { 0 };
	pid_t gone = fork();
	if (!gone) _exit(0);
	wait_status(gone);
	start(&t, 1);
	mutex = (uint32_t)gone;
	CHECK_ERR(requeue_pi(&cond, 1, 1, &mutex, 0), ESRCH);
	mutex = FUTEX_OWNER_DIED;
	CHECK_EQ(requeue_pi(&cond, 1, 0, &mutex, 0), 1);
	join(&t, 1);
	CHECK_EQ(t.ret, 0);
	CHECK_EQ(mutex, 0);
}

/* As a condition variable: producers broadcast, consumers count. */
static int items, taken[4];
static bool over;
static void *consumer(void *a)
{
	int *n = a;
	for (;;) {
		if (lock_pi(&mutex)) return "lock";
		while (!items && !over) {
			unsigned seq = cond;
			unlock();
			long r = wait_pi(&cond, seq, NULL, &mutex);
			if (r && errno != EAGAIN) return "wait";
			if (r && lock_pi(&mutex)) return "lock again";
		}
		if (items) items--, ++*n;
		else if (over) { unlock(); return NULL; }
		unlock();
	}
}

TEST(producer_and_consumers)
{
	pthread_t t[4];
	void *why;
	for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, consumer, &taken[i]) == 0);
	for (int i = 0; i <= 120; i++) {
		CHECK_EQ(lock_pi(&mutex), 0);
		if (i < 120) items++;
		else over = true;
		cond++;
		CHECK(requeue_pi(&cond, 1, i % 2 || i == 120 ? INT_MAX : 0, &mutex, cond) >= 0);
		CHECK_EQ(unlock(), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &why);
		if (why) printf("# %s\n", (char *)why);
		CHECK(!why);
	}
	CHECK_EQ(taken[0] + taken[1] + taken[2] + taken[3], 120);
	CHECK_EQ(mutex, 0);
}
