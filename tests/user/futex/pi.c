/* PI futexes: the protocol of the word, errors, hand-over, inheritance along chains, deadlock, dead owners. */
#include "fut.h"
#include <stdatomic.h>

static _Atomic int turn;

static void *locker(void *a)
{
	struct thr *t = a;
	t->tid = gettid_();
	if (t->prio) set_fifo(0, t->prio);
	t->at = 1;
	errno = 0;
	t->ret = futex(t->w, t->op ? t->op : FUTEX_LOCK_PI, 0, t->limit, NULL, 0);
	t->err = errno;
	t->order = ++turn;
	if (t->ret == 0) unlock_pi(t->w);
	return NULL;
}

static void start(struct thr *t, void *(*fn)(void *)) { CHECK(pthread_create(&t->pt, NULL, fn, t) == 0); }

TEST(free_and_owned)
{
	word w = 0;
	uint32_t me = gettid_();
	CHECK_EQ(lock_pi(&w), 0);
	CHECK_EQ(w, me);
	CHECK_ERR(lock_pi(&w), EDEADLK);
	CHECK_ERR(futex(&w, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	CHECK_EQ(unlock_pi(&w), 0);
	CHECK_EQ(w, 0);
	CHECK_ERR(unlock_pi(&w), EPERM);
	CHECK_EQ(futex(&w, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), 0);
	CHECK_EQ(w, me);
	w |= FUTEX_WAITERS;
	CHECK_EQ(unlock_pi(&w), 0);
	CHECK_EQ(w, 0);
	w = FUTEX_OWNER_DIED | FUTEX_WAITERS;	/* nobody's, but remembered */
	CHECK_EQ(lock_pi(&w), 0);
	CHECK_EQ(w, FUTEX_OWNER_DIED | me);
	CHECK_EQ(futex(&w, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0), 0);
	CHECK_EQ(w, 0);
	w = FUTEX_WAITERS;
	CHECK_EQ(lock_pi(&w), 0);
	CHECK_EQ(w, me);
	w = 1234567;
	CHECK_ERR(unlock_pi(&w), EPERM);
}

TEST(errors)
{
	word w[2] = { 0 };
	struct timespec past = { 1, 0 }, bad = { 0, 1000000000 };
	CHECK_ERR(futex((char *)w + 1, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex((char *)w + 1, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(lock_pi(NULL), EFAULT);
	CHECK_ERR(unlock_pi(NULL), EFAULT);
	CHECK_ERR(futex(w, FUTEX_LOCK_PI, 0, &bad, NULL, 0), EINVAL);
	CHECK_ERR(futex(w, FUTEX_LOCK_PI, 0, (void *)1, NULL, 0), EFAULT);
	CHECK_ERR(futex(w, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(w, FUTEX_UNLOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(w, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), ENOSYS);
	CHECK_EQ(futex(w, FUTEX_LOCK_PI, 0, &past, NULL, 0), 0);	/* a free one needs no time */
	CHECK_EQ(unlock_pi(w), 0);
	CHECK_EQ(futex(w, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 0), 0);
	CHECK_EQ(unlock_pi(w), 0);
	CHECK_EQ(futex(w, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &past, NULL, 0), 0);
	CHECK_EQ(unlock_pi(w), 0);
	word *ro = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*ro = gettid_();
	CHECK(mprotect(ro, 4096, PROT_READ) == 0);
	CHECK_ERR(futex(ro, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0), EFAULT);
	CHECK(mprotect(ro, 4096, PROT_READ | PROT_WRITE) == 0);
	*ro = 0;
	CHECK(mprotect(ro, 4096, PROT_READ) == 0);
	CHECK_ERR(futex(ro, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0), EFAULT);
	CHECK_EQ(*ro, 0);
}

TEST(an_owner_that_is_not_there)
{
	word w;
	pid_t gone = fork();
	if (!gone) _exit(0);
	CHECK(EXITED(wait_status(gone), 0));
	w = (uint32_t)gone;
	CHECK_ERR(lock_pi(&w), ESRCH);
	w = (uint32_t)gone;
	CHECK_ERR(futex(&w, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), ESRCH);
	w = 0x3ffffffe;
	CHECK_ERR(lock_pi(&w), ESRCH);
	if ((gone = fork()) == 0) _exit(0);	/* a zombie owns nothing either */
	CHECK(wait_state(gone, 'Z'));
	w = (uint32_t)gone;
	CHECK_ERR(lock_pi(&w), ESRCH);
	wait_status(gone);
}

TEST(hand_over)
{
	word w = gettid_();
	struct thr t = { .w = &w };
	start(&t, locker);
	wait_asleep(&t);
	CHECK_EQ(w, gettid_() | FUTEX_WAITERS);
	pid_t other = fork();	/* private memory: it finds no waiter of ours, and the owner in the word is not it */
	if (!other) _exit(unlock_pi(&w) == -1 && errno == EPERM ? 0 : 1);
	CHECK(EXITED(wait_status(other), 0));
	wait_asleep(&t);	/* SIGCHLD, if it came while fork() still had it blocked here, woke the locker; it begins anew */
	CHECK_ERR(futex(&w, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&w, FUTEX_CMP_REQUEUE, 1, (void *)1, (void *)((word *)&t + 1), w), EINVAL);
	CHECK_EQ(unlock_pi(&w), 0);
	pthread_join(t.pt, NULL);
	CHECK_EQ(t.ret, 0);
	CHECK_EQ(w, 0);
}

static void *holder(void *a)		/* takes it, and gives it back when told */
{
	struct thr *t = a;
	t->ret = lock_pi(t->w);
	t->tid = gettid_();
	t->at = 1;
	while (t->at != 2) sleep_ms(2);
	if (t->op != 1) unlock_pi(t->w);
	return NULL;
}

TEST(trylock_of_a_held_one)
{
	word w = 0;
	struct thr t = { .w = &w };
	start(&t, holder);
	while (!t.at) sleep_ms(1);
	CHECK_ERR(futex(&w, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
	CHECK_EQ(w, (uint32_t)t.tid | FUTEX_WAITERS);
	struct timespec past = { 1, 0 };
	CHECK_ERR(futex(&w, FUTEX_LOCK_PI, 0, &past, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(&w, FUTEX_LOCK_PI2, 0, &past, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(&w, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 0), ETIMEDOUT);
	t.at = 2;
	pthread_join(t.pt, NULL);
	CHECK_EQ(w, 0);
}

TEST(served_by_priority)
{
	word w = gettid_();
	struct thr t[4] = { { .w = &w }, { .w = &w, .prio = 10 }, { .w = &w, .prio = 30 }, { .w = &w, .prio = 20 } };
	for (int i = 0; i < 4; i++) {
		start(&t[i], locker);
		wait_asleep(&t[i]);
	}
	CHECK_EQ(unlock_pi(&w), 0);
	for (int i = 0; i < 4; i++) pthread_join(t[i].pt, NULL);
	CHECK_EQ(t[2].order, 1);
	CHECK_EQ(t[3].order, 2);
	CHECK_EQ(t[1].order, 3);
	CHECK_EQ(t[0].order, 4);
}

static struct thr plain[3];
static word pw;
static void *plain_wait(void *a)
{
	struct thr *t = a;
	t->tid = gettid_();
	if (t->prio) set_fifo(0, t->prio);
	t->at = 1;
	t->ret = futex(&pw, FUTEX_WAIT, 0, NULL, NULL, 0);
	t->order = ++turn;
	return NULL;
}

TEST(plain_waiters_are_woken_by_priority)
{
	plain[1].prio = 5;
	plain[2].prio = 7;
	for (int i = 0; i < 3; i++) {
		start(&plain[i], plain_wait);
		wait_asleep(&plain[i]);
	}
	for (int i = 2; i >= 0; i--) {
		CHECK_EQ(futex(&pw, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
		pthread_join(plain[i].pt, NULL);
		CHECK_EQ(plain[i].order, 3 - i);
	}
}

TEST(lock_of_a_word_with_plain_waiters)
{
	struct thr t = { .w = &pw };
	start(&t, plain_wait);
	wait_asleep(&t);
	pw = getppid();
	CHECK_ERR(lock_pi(&pw), EINVAL);
	pw = gettid_();
	CHECK_ERR(unlock_pi(&pw), EINVAL);
	_exit(0);
}

TEST(an_owner_is_boosted)
{
	word w = gettid_();
	struct thr a = { .w = &w, .prio = 40 }, b = { .w = &w, .prio = 50 };
	CHECK_EQ(prio_of(gettid_()), 20);
	start(&a, locker);
	wait_asleep(&a);
	CHECK_EQ(prio_of(gettid_()), -41);
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);	/* its own stays what it was */
	start(&b, locker);
	wait_asleep(&b);
	CHECK_EQ(prio_of(gettid_()), -51);
	set_fifo(b.tid, 60);		/* a waiter's new priority counts */
	CHECK_EQ(prio_of(gettid_()), -61);
	set_fifo(b.tid, 30);
	CHECK_EQ(prio_of(gettid_()), -41);
	set_fifo(0, 45);		/* the owner's own is higher now */
	CHECK_EQ(prio_of(gettid_()), -46);
	set_fifo(0, 0);
	CHECK_EQ(prio_of(gettid_()), -41);
	pid_t kid = fork();		/* what is lent is not inherited */
	if (!kid) _exit(prio_of(gettid_()) == 20 ? 0 : 1);
	CHECK(EXITED(wait_status(kid), 0));
	CHECK_EQ(unlock_pi(&w), 0);
	CHECK_EQ(prio_of(gettid_()), 20);
	pthread_join(a.pt, NULL);
	pthread_join(b.pt, NULL);
	CHECK_EQ(a.order, 1);		/* 40 before 30 */
}

static void *middle(void *a)		/* holds w2, wants w */
{
	struct thr *t = a;
	t->tid = gettid_();
	if (t->w2) lock_pi(t->w2);
	t->at = 1;
	t->ret = futex(t->w, FUTEX_LOCK_PI, 0, t->limit, NULL, 0);
	t->err = errno;
	if (t->w2) unlock_pi(t->w2);
	if (!t->ret) unlock_pi(t->w);
	return NULL;
}

static void nothing(int sig) { (void)sig; }

TEST(boosts_go_down_a_chain_and_come_back)
{
	word w[4] = { gettid_() };
	struct thr t[3];
	struct timespec soon;
	struct sigaction sa = { .sa_handler = nothing };
	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < 3; i++) {		/* t[i] holds w[i + 1] and waits for w[i] */
		t[i] = (struct thr){ .w = &w[i], .w2 = &w[i + 1] };
		start(&t[i], middle);
		wait_asleep(&t[i]);
	}
	struct thr top = { .w = &w[3], .prio = 70 };
	start(&top, locker);
	wait_asleep(&top);
	for (int i = 0; i < 3; i++) CHECK_EQ(prio_of(t[i].tid), -71);
	CHECK_EQ(prio_of(gettid_()), -71);
	pthread_kill(top.pt, SIGUSR1);		/* a handler runs, and the wait goes on */
	sleep_ms(20);
	wait_asleep(&top);
	CHECK_EQ(prio_of(gettid_()), -71);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec += 1;
	struct thr limited = { .w = &w[3], .prio = 80, .limit = &soon };
	start(&limited, locker);
	wait_prio(gettid_(), -81);
	CHECK_EQ(prio_of(t[0].tid), -81);
	pthread_join(limited.pt, NULL);		/* it gives up: what it lent is gone */
	CHECK_EQ(limited.ret, -1);
	CHECK_EQ(limited.err, ETIMEDOUT);
	CHECK_EQ(prio_of(gettid_()), -71);
	CHECK_EQ(prio_of(t[2].tid), -71);
	set_fifo(top.tid, 0);
	CHECK_EQ(prio_of(gettid_()), 20);
	set_fifo(top.tid, 33);
	CHECK_EQ(prio_of(gettid_()), -34);
	CHECK_EQ(unlock_pi(&w[0]), 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i].pt, NULL);
		CHECK_EQ(t[i].ret, 0);
	}
	pthread_join(top.pt, NULL);
	CHECK_EQ(top.ret, 0);
	for (int i = 0; i < 4; i++) CHECK_EQ(w[i], 0);
}

TEST(a_circle_is_refused)
{
	word w[3] = { gettid_() };
	struct thr t[2];
	for (int i = 0; i < 2; i++) {
		t[i] = (struct thr){ .w = &w[i], .w2 = &w[i + 1] };
		start(&t[i], middle);
		wait_asleep(&t[i]);
	}
	CHECK_ERR(lock_pi(&w[1]), EDEADLK);
	CHECK_ERR(lock_pi(&w[2]), EDEADLK);
	CHECK_ERR(futex(&w[2], FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
	CHECK_EQ(unlock_pi(&w[0]), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i].pt, NULL);
		CHECK_EQ(t[i].ret, 0);
	}
}

TEST(an_owner_that_ends_with_waiters)
{
	word w = 0;
	struct thr o = { .w = &w, .op = 1 }, t[2] = { { .w = &w }, { .w = &w, .prio = 9 } };
	start(&o, holder);
	while (!o.at) sleep_ms(1);
	for (int i = 0; i < 2; i++) {
		start(&t[i], locker);
		wait_asleep(&t[i]);
	}
	o.at = 2;				/* the thread ends, no robust list names the word */
	pthread_join(o.pt, NULL);
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i].pt, NULL);
		CHECK_EQ(t[i].ret, 0);
	}
	CHECK_EQ(w, 0);				/* and they could unlock what they had got */
}

struct robust { struct robust_list_head head; struct robust_list entry; word w; };

TEST(robust_pi_list)
{
	struct robust *r = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int waiters = 0; waiters < 2; waiters++) {
		r->w = 0;
		pid_t kid = fork();
		if (!kid) {
			r->head.futex_offset = (char *)&r->w - (char *)&r->entry;
			r->head.list.next = (struct robust_list *)((char *)&r->entry + 1);	/* bit 0: PI */
			r->entry.next = &r->head.list;
			r->head.list_op_pending = NULL;
			syscall(SYS_set_robust_list, &r->head, sizeof(r->head));
			lock_pi(&r->w);
			pause();
		}
		while (r->w != (uint32_t)kid) sleep_ms(1);
		struct thr t = { .w = &r->w };
		if (waiters) {
			start(&t, holder);
			while (!(r->w & FUTEX_WAITERS)) sleep_ms(1);
		}
		kill(kid, SIGKILL);
		wait_status(kid);
		if (!waiters) {
			CHECK_EQ(r->w, FUTEX_OWNER_DIED);
			CHECK_EQ(lock_pi(&r->w), 0);
			CHECK_EQ(r->w, FUTEX_OWNER_DIED | gettid_());
			CHECK_EQ(unlock_pi(&r->w), 0);
			continue;
		}
		while (!t.at) sleep_ms(1);
		CHECK_EQ(t.ret, 0);
		CHECK_EQ(r->w, (uint32_t)t.tid | FUTEX_OWNER_DIED | FUTEX_WAITERS);
		t.at = 2;
		pthread_join(t.pt, NULL);
		CHECK_EQ(r->w, 0);
	}
}

TEST(across_processes)
{
	word *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	w[0] = gettid_();
	pid_t kid = fork();
	if (!kid) {
		set_fifo(0, 44);
		if (lock_pi(w)) _exit(1);
		w[1] = w[0];
		_exit(unlock_pi(w) ? 2 : 0);
	}
	wait_prio(gettid_(), -45);
	CHECK_EQ(unlock_pi(w), 0);
	CHECK(EXITED(wait_status(kid), 0));
	CHECK_EQ(w[1] & FUTEX_TID_MASK, kid);
	CHECK_EQ(prio_of(gettid_()), 20);
	CHECK_EQ(w[0], 0);
	w[0] = gettid_();		/* a waiter that is killed leaves no boost behind */
	if ((kid = fork()) == 0) {
		set_fifo(0, 44);
		_exit(lock_pi(w));
	}
	wait_prio(gettid_(), -45);
	kill(kid, SIGKILL);
	CHECK(KILLED(wait_status(kid), SIGKILL));
	CHECK_EQ(prio_of(gettid_()), 20);
	CHECK_EQ(unlock_pi(w), 0);
}

/* One CPU, three priorities: unless the low one inherits, the high one waits for the middle one for ever. */
static word inv;
static _Atomic int stage;
static void *inv_low(void *a)
{
	set_fifo(0, 10);
	lock_pi(&inv);
	stage = 1;
	while (stage < 2);
	for (volatile int i = 0; i < 20000; i++);
	unlock_pi(&inv);
	return a;
}
static void *inv_mid(void *a)
{
	set_fifo(0, 20);
	while (stage < 3);
	return a;
}
static void *inv_high(void *a)
{
	set_fifo(0, 30);
	while (stage < 1) sleep_ms(1);
	lock_pi(&inv);
	stage = 3;
	unlock_pi(&inv);
	return a;
}

TEST(no_priority_inversion)
{
	cpu_set_t one;
	pthread_t low, mid, high;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	set_fifo(0, 90);		/* all three come to be before any of them runs */
	pthread_create(&low, NULL, inv_low, NULL);
	pthread_create(&high, NULL, inv_high, NULL);
	while (stage < 1) sleep_ms(1);
	while (!(inv & FUTEX_WAITERS)) sleep_ms(1);
	pthread_create(&mid, NULL, inv_mid, NULL);
	stage = 2;
	pthread_join(high, NULL);
	pthread_join(mid, NULL);
	pthread_join(low, NULL);
	CHECK_EQ(stage, 3);
}

static pthread_mutex_t pmu;
static pthread_cond_t pcv = PTHREAD_COND_INITIALIZER;
static int psum, prounds;
static void *adder(void *a)
{
	for (int i = 0; i < 250; i++) {
		pthread_mutex_lock(&pmu);
		psum++;
		if (i % 8 == 0) sched_yield();
		pthread_mutex_unlock(&pmu);
	}
	return a;
}
static void *player(void *a)
{
	for (int i = 0; i < 60; i++) {
		pthread_mutex_lock(&pmu);
		while ((prounds & 1) != (int)(long)a) pthread_cond_wait(&pcv, &pmu);
		prounds++;
		pthread_cond_broadcast(&pcv);
		pthread_mutex_unlock(&pmu);
	}
	return a;
}

TEST(the_library_uses_them)
{
	pthread_mutexattr_t ma;
	pthread_t t[4];
	pthread_mutexattr_init(&ma);
	CHECK_EQ(pthread_mutexattr_setprotocol(&ma, PTHREAD_PRIO_INHERIT), 0);
	CHECK_EQ(pthread_mutex_init(&pmu, &ma), 0);
	for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, adder, NULL) == 0);
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
	CHECK_EQ(psum, 1000);
	for (long i = 0; i < 2; i++) CHECK(pthread_create(&t[i], NULL, player, (void *)i) == 0);
	for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
	CHECK_EQ(prounds, 120);
}

/* Many threads, random priorities, two locks in one order, time limits and signals: the counts come out, no boost is left. */
static word sw[2];
static volatile int guarded[2];
static _Atomic int tries[2], failed_with;		/* the first error: others follow from it */
static void *storm_failed(const char *call)
{
	int none = 0;
	atomic_compare_exchange_strong(&failed_with, &none, errno);
	return (void *)call;
}
static void *storm(void *a)
{
	unsigned seed = (unsigned)(long)a;
	for (int i = 0; i < 150; i++) {
		struct timespec limit;
		int k = rand_r(&seed) % 2;
		if (rand_r(&seed) % 4 == 0) set_fifo(0, rand_r(&seed) % 3 * 10);
		clock_gettime(CLOCK_MONOTONIC, &limit);
		limit.tv_nsec += rand_r(&seed) % 300000;
		if (limit.tv_nsec >= 1000000000) limit.tv_sec++, limit.tv_nsec -= 1000000000;
		if (futex(&sw[k], FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, rand_r(&seed) % 2 ? &limit : NULL, NULL, 0)) {
			if (errno == ETIMEDOUT) continue;
			return storm_failed("lock");
		}
		guarded[k]++;
		tries[k]++;
		if (rand_r(&seed) % 2) sched_yield();
		if (futex(&sw[k], FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0)) return storm_failed("unlock");
	}
	set_fifo(0, 0);
	return prio_of(gettid_()) == 20 ? NULL : "boost left";
}

TEST(a_storm)
{
	pthread_t t[8];
	void *why;
	int bad = 0;
	struct sigaction sa = { .sa_handler = nothing };
	sigaction(SIGUSR1, &sa, NULL);
	for (long i = 0; i < 8; i++) CHECK(pthread_create(&t[i], NULL, storm, (void *)(i + 1)) == 0);
	for (int i = 0; i < 200; i++) {
		pthread_kill(t[i % 8], SIGUSR1);
		sched_yield();
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &why);
		if (why) printf("# %s, the first error was %d\n", (char *)why, failed_with);
		bad += why != NULL;
	}
	CHECK_EQ(bad, 0);
	CHECK_EQ(guarded[0], tries[0]);
	CHECK_EQ(guarded[1], tries[1]);
	CHECK_EQ(sw[0] | sw[1], 0);
}
