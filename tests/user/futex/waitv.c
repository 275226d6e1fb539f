/* futex_waitv: waiting for several words. */
#include "fut.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
struct wv { uint64_t val, uaddr; uint32_t flags, reserved; };
#define F32 2
static long waitv(struct wv *v, unsigned n, unsigned flags, struct timespec *ts, int clock) { return syscall(SYS_futex_waitv, v, n, flags, ts, clock); }
static word w[4];
static struct wv vec[4];
static void fill(uint32_t flags) { for (int i = 0; i < 4; i++) vec[i] = (struct wv){ w[i], (uintptr_t)&w[i], F32 | flags, 0 }; }

TEST(errors)
{
	struct timespec past = { 1, 0 }, bad = { 0, -1 };
	fill(0);
	CHECK_ERR(waitv(vec, 0, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(NULL, 1, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(vec, 129, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(vec, 4, 1, NULL, 0), EINVAL);
	CHECK_ERR(waitv((void *)8, 1, 0, NULL, 0), EFAULT);
	CHECK_ERR(waitv(vec, 4, 0, &past, CLOCK_BOOTTIME), EINVAL);
	CHECK_ERR(waitv(vec, 4, 0, &bad, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(waitv(vec, 4, 0, (void *)8, CLOCK_MONOTONIC), EFAULT);
	CHECK_ERR(waitv(vec, 4, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT);
	CHECK_ERR(waitv(vec, 4, 0, &past, CLOCK_REALTIME), ETIMEDOUT);
	vec[2].val = 7;
	CHECK_ERR(waitv(vec, 4, 0, NULL, 0), EAGAIN);
	fill(0);
	vec[3].flags = 0;
	CHECK_ERR(waitv(vec, 4, 0, NULL, 0), EINVAL);
	fill(0);
	vec[3].reserved = 1;
	CHECK_ERR(waitv(vec, 4, 0, NULL, 0), EINVAL);
	fill(0);
	vec[1].uaddr++;
	CHECK_ERR(waitv(vec, 4, 0, NULL, 0), EINVAL);
	vec[1].uaddr = 0;
	CHECK_ERR(waitv(vec, 4, 0, NULL, 0), EFAULT);
	CHECK_EQ(futex(&w[0], FUTEX_WAKE, 9, NULL, NULL, 0), 0);	/* nothing is left behind */
}

static void *waiter(void *a)
{
	struct thr *t = a;
	t->tid = gettid_();
	t->at = 1;
	t->ret = waitv(vec, 4, 0, NULL, 0);
	t->err = errno;
	return NULL;
}

TEST(one_of_them_is_woken)
{
	for (int k = 0; k < 8; k++) {
		struct thr t = { 0 };
		fill(k & 4 ? FUTEX_PRIVATE_FLAG : 0);
		CHECK(pthread_create(&t.pt, NULL, waiter, &t) == 0);
		wait_asleep(&t);
		CHECK_EQ(futex(&w[k & 3], FUTEX_WAKE | (k & 4 ? FUTEX_PRIVATE_FLAG : 0), 1, NULL, NULL, 0), 1);
		pthread_join(t.pt, NULL);
		CHECK_EQ(t.ret, k & 3);
		for (int i = 0; i < 4; i++) CHECK_EQ(futex(&w[i], FUTEX_WAKE | (k & 4 ? FUTEX_PRIVATE_FLAG : 0), 1, NULL, NULL, 0), 0);
	}
}

static void nothing(int sig) { (void)sig; }
TEST(a_signal)
{
	struct thr t = { 0 };
	struct sigaction sa = { .sa_handler = nothing };
	sigaction(SIGUSR1, &sa, NULL);
	fill(0);
	CHECK(pthread_create(&t.pt, NULL, waiter, &t) == 0);
	wait_asleep(&t);
	pthread_kill(t.pt, SIGUSR1);
	pthread_join(t.pt, NULL);
	CHECK_EQ(t.ret, -1);
	CHECK_EQ(t.err, EINTR);
}
