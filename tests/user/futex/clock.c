/* Absolute time limits on the real clock move when it is set; those on the monotonic clock do not.  A word that goes away. */
#include "fut.h"

static struct timespec real_in(long sec)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += sec;
	return ts;
}

static void *timed(void *a)
{
	struct thr *t = a;
	t->tid = gettid_();
	t->at = 1;
	errno = 0;
	t->ret = futex(t->w, t->op, t->op & FUTEX_WAIT_BITSET ? *t->w : 0, t->limit, t->w2, FUTEX_BITSET_MATCH_ANY);
	t->err = errno;
	return NULL;
}

TEST(the_clock_is_set_forward)
{
	word plain = 0, held = gettid_(), cond = 0, target = 0;
	struct timespec later = real_in(10000), ahead = real_in(20000), back;
	struct thr t[4] = {
		{ .w = &plain, .op = FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, .limit = &later },
		{ .w = &held, .op = FUTEX_LOCK_PI, .limit = &later },
		{ .w = &held, .op = FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, .limit = &later },
		{ .w = &cond, .w2 = &target, .op = FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, .limit = &later },
	};
	for (int i = 0; i < 4; i++) {
		CHECK(pthread_create(&t[i].pt, NULL, timed, &t[i]) == 0);
		wait_asleep(&t[i]);
	}
	CHECK(clock_settime(CLOCK_REALTIME, &ahead) == 0);
	for (int i = 0; i < 4; i++) pthread_join(t[i].pt, NULL);
	back = real_in(-20000);
	CHECK(clock_settime(CLOCK_REALTIME, &back) == 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(t[i].ret, -1);
		CHECK_EQ(t[i].err, ETIMEDOUT);
	}
}

TEST(the_clock_is_set_back)
{
	word w = 0;
	struct timespec soon = real_in(1), past = real_in(-10000), again;
	struct thr t = { .w = &w, .op = FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, .limit = &soon };
	CHECK(pthread_create(&t.pt, NULL, timed, &t) == 0);
	wait_asleep(&t);
	CHECK(clock_settime(CLOCK_REALTIME, &past) == 0);
	sleep_ms(1500);
	CHECK_EQ(task_field(t.tid, 3), 'S');
	again = real_in(10001);
	CHECK(clock_settime(CLOCK_REALTIME, &again) == 0);
	pthread_join(t.pt, NULL);
	CHECK_EQ(t.err, ETIMEDOUT);
}

TEST(the_monotonic_clock_does_not_care)
{
	word w = 0;
	struct timespec later, ahead = real_in(20000), back;
	clock_gettime(CLOCK_MONOTONIC, &later);
	later.tv_sec += 10000;
	struct thr t = { .w = &w, .op = FUTEX_WAIT_BITSET, .limit = &later };
	CHECK(pthread_create(&t.pt, NULL, timed, &t) == 0);
	wait_asleep(&t);
	CHECK(clock_settime(CLOCK_REALTIME, &ahead) == 0);
	sleep_ms(50);
	CHECK_EQ(task_field(t.tid, 3), 'S');
	back = real_in(-20000);
	CHECK(clock_settime(CLOCK_REALTIME, &back) == 0);
	CHECK_EQ(futex(&w, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	pthread_join(t.pt, NULL);
	CHECK_EQ(t.ret, 0);
}

TEST(a_word_unmapped_while_waited_on)
{
	char path[] = "/tmp/futexXXXXXX";
	int fd = mkstemp(path);
	CHECK(ftruncate(fd, 4096) == 0);
	word *file = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	word *again = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	word *anon = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct thr t[3] = { { .w = file, .op = FUTEX_WAIT }, { .w = anon, .op = FUTEX_WAIT | FUTEX_PRIVATE_FLAG }, { .w = anon, .op = FUTEX_WAIT } };
	for (int i = 0; i < 3; i++) {
		CHECK(pthread_create(&t[i].pt, NULL, timed, &t[i]) == 0);
		wait_asleep(&t[i]);
	}
	CHECK(munmap(file, 4096) == 0 && munmap(anon, 4096) == 0);
	CHECK_ERR(futex(anon, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK_EQ(futex(anon, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0), 1);	/* by its address */
	CHECK_EQ(futex(again, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	pthread_join(t[0].pt, NULL);
	pthread_join(t[1].pt, NULL);
	CHECK(mmap(anon, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == anon);
	*anon = 1;
	CHECK_EQ(futex(anon, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	pthread_join(t[2].pt, NULL);
	unlink(path);
}

TEST(a_pi_word_unmapped_while_waited_on)
{
	word *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*w = gettid_();
	struct timespec later = real_in(1);
	struct thr t = { .w = w, .op = FUTEX_LOCK_PI, .limit = &later };
	CHECK(pthread_create(&t.pt, NULL, timed, &t) == 0);
	wait_asleep(&t);
	CHECK(munmap(w, 4096) == 0);
	CHECK_ERR(unlock_pi(w), EFAULT);
	pthread_join(t.pt, NULL);
	CHECK_EQ(t.err, ETIMEDOUT);
	_exit(0);		/* still the owner, for all the kernel knew */
}

TEST(a_fork_does_not_part_waiter_and_waker)	/* shared operations on private memory */
{
	word *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct thr t = { .w = w, .op = FUTEX_WAIT };
	sigset_t end;
	*w = 0;
	/* The child may end while fork() blocks all signals here: then SIGCHLD is not ignored, and the waiter is the one to take it; it would look at the word anew. */
	sigemptyset(&end);
	sigaddset(&end, SIGCHLD);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &end, NULL), 0);
	CHECK(pthread_create(&t.pt, NULL, timed, &t) == 0);
	wait_asleep(&t);
	pid_t kid = fork();
	if (!kid) _exit(futex(w, FUTEX_WAKE, 1, NULL, NULL, 0));	/* another address space: nobody there */
	*w = 1;
	CHECK(EXITED(wait_status(kid), 0));
	CHECK_EQ(futex(w, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	pthread_join(t.pt, NULL);
}

TEST(a_file_word_that_may_only_be_read)
{
	char path[] = "/tmp/futexXXXXXX";
	int fd = mkstemp(path);
	CHECK(ftruncate(fd, 4096) == 0);
	word *rw = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	word *ro = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	struct thr t = { .w = ro, .op = FUTEX_WAIT };
	CHECK(pthread_create(&t.pt, NULL, timed, &t) == 0);
	wait_asleep(&t);
	CHECK_EQ(futex(rw, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	pthread_join(t.pt, NULL);
	CHECK_EQ(t.ret, 0);
	unlink(path);
}
