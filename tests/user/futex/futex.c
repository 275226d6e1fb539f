/* futex: wait, wake, requeue, bitsets, errors, time limits. */
#include "tap.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>

static long futex(void *u, int op, unsigned v, void *t, void *u2, unsigned v3) { return syscall(SYS_futex, u, op, v, t, u2, v3); }

TEST(immediate_answers)
{
	uint32_t w = 5;
	struct timespec soon = { 0, 1000000 }, bad = { 0, 1000000000 };
	CHECK_ERR(futex(&w, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex(&w, FUTEX_WAIT, 5, &soon, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(&w, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 5, &soon, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(&w, FUTEX_WAIT, 5, &bad, NULL, 0), EINVAL);
	CHECK_EQ(futex(&w, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_ERR(futex((char *)&w + 1, FUTEX_WAIT, 5, &soon, NULL, 0), EINVAL);
	CHECK_ERR(futex(&w, 99, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&w, FUTEX_WAIT_BITSET, 5, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(NULL, FUTEX_WAIT, 0, &soon, NULL, 0), EFAULT);
	struct timespec past = { 1, 0 };
	CHECK_ERR(futex(&w, FUTEX_WAIT_BITSET, 5, &past, NULL, ~0u), ETIMEDOUT);
	CHECK_ERR(futex(&w, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, &past, NULL, ~0u), ETIMEDOUT);
}

static uint32_t *shared;
static void sleeper(int op, unsigned bits)
{
	_exit(futex(shared, op, 0, NULL, NULL, bits) == 0 ? 0 : 1);
}

TEST(wake_counts_across_processes)
{
	pid_t kids[5];
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 5; i++) {
		kids[i] = fork();
		if (kids[i] == 0) sleeper(FUTEX_WAIT, 0);
	}
	for (int i = 0; i < 5; i++) CHECK(wait_state(kids[i], 'S'));
	CHECK_EQ(futex(shared, FUTEX_WAKE, 2, NULL, NULL, 0), 2);
	CHECK_EQ(futex(shared, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 3);
	for (int i = 0; i < 5; i++) CHECK(EXITED(wait_status(kids[i]), 0));
}

TEST(bitsets_choose)
{
	pid_t a, b;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if ((a = fork()) == 0) sleeper(FUTEX_WAIT_BITSET, 1);
	if ((b = fork()) == 0) sleeper(FUTEX_WAIT_BITSET, 2);
	CHECK(wait_state(a, 'S') && wait_state(b, 'S'));
	CHECK_EQ(futex(shared, FUTEX_WAKE_BITSET, 10, NULL, NULL, 4), 0);
	CHECK_EQ(futex(shared, FUTEX_WAKE_BITSET, 10, NULL, NULL, 2), 1);
	CHECK(EXITED(wait_status(b), 0));
	CHECK_EQ(futex(shared, FUTEX_WAKE_BITSET, 10, NULL, NULL, 1), 1);
	CHECK(EXITED(wait_status(a), 0));
}

TEST(requeue)
{
	pid_t kids[4];
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 4; i++)
		if ((kids[i] = fork()) == 0) sleeper(FUTEX_WAIT, 0);
	for (int i = 0; i < 4; i++) CHECK(wait_state(kids[i], 'S'));
	CHECK_ERR(futex(shared, FUTEX_CMP_REQUEUE, 1, (void *)10L, shared + 1, 7), EAGAIN);
	CHECK_EQ(futex(shared, FUTEX_CMP_REQUEUE, 1, (void *)10L, shared + 1, 0), 4);
	CHECK_EQ(futex(shared, FUTEX_WAKE, 10, NULL, NULL, 0), 0);
	CHECK_EQ(futex(shared + 1, FUTEX_WAKE, 10, NULL, NULL, 0), 3);
	for (int i = 0; i < 4; i++) CHECK(EXITED(wait_status(kids[i]), 0));
}

TEST(requeue_to_itself_ends)
{
	pid_t kids[3];
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 3; i++)
		if ((kids[i] = fork()) == 0) sleeper(FUTEX_WAIT, 0);
	for (int i = 0; i < 3; i++) CHECK(wait_state(kids[i], 'S'));
	CHECK_EQ(futex(shared, FUTEX_REQUEUE, 1, (void *)(long)INT_MAX, shared, 0), 3);
	CHECK_EQ(futex(shared, FUTEX_WAKE, 10, NULL, NULL, 0), 2);
	for (int i = 0; i < 3; i++) CHECK(EXITED(wait_status(kids[i]), 0));
}

TEST(wake_op_of_bad_words)
{
	uint32_t w[3] = { 0, 5, 0 };
	unsigned add = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5);
	uint32_t *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t *fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_ERR(futex(&w[0], FUTEX_WAKE_OP, 1, (void *)1L, (char *)&w[1] + 1, add), EINVAL);
	CHECK_ERR(futex((char *)&w[0] + 2, FUTEX_WAKE_OP, 1, (void *)1L, &w[1], add), EINVAL);
	CHECK_ERR(futex(&w[0], FUTEX_WAKE_OP, 1, (void *)1L, NULL, add), EFAULT);
	CHECK_ERR(futex(&w[0], FUTEX_WAKE_OP, 1, (void *)1L, ro, add), EFAULT);
	CHECK_EQ(w[1], 5);
	CHECK_EQ(futex(&w[0], FUTEX_WAKE_OP, 1, (void *)1L, fresh, add), 0);
	CHECK_EQ(fresh[0], 3);
}

TEST(wake_op)
{
	uint32_t w[2] = { 0, 5 };
	CHECK_EQ(futex(&w[0], FUTEX_WAKE_OP, 1, (void *)1L, &w[1], FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)), 0);
	CHECK_EQ(w[1], 8);
	CHECK_EQ(futex(&w[0], FUTEX_WAKE_OP, 1, (void *)1L, &w[1], FUTEX_OP(FUTEX_OP_ANDN, 8, FUTEX_OP_CMP_GT, 5)), 0);
	CHECK_EQ(w[1], 0);
}

TEST(private_futex_on_cow_memory)
{
	/* A fork's child waits on its own copy: the parent's wake must not reach it. */
	static uint32_t word;
	struct timespec soon = { 0, 50000000 };
	pid_t pid = fork();
	if (pid == 0) _exit(futex(&word, FUTEX_WAIT_PRIVATE, 0, &soon, NULL, 0) == -1 && errno == ETIMEDOUT ? 0 : 1);
	wait_state(pid, 'S');
	futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(file_backed_key)
{
	scratch();
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	ftruncate(fd, 4096);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid_t pid = fork();
	if (pid == 0) {
		uint32_t *mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		_exit(futex(mine, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	CHECK(EXITED(wait_status(pid), 0));
}

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static long sum;
static void *adder(void *a) { for (int i = 0; i < 2000; i++) { pthread_mutex_lock(&mu); sum++; pthread_mutex_unlock(&mu); } return a; }

TEST(contended_mutex)
{
	pthread_t t[8];
	for (int i = 0; i < 8; i++) CHECK_EQ(pthread_create(&t[i], NULL, adder, NULL), 0);
	for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
	CHECK_EQ(sum, 16000);
}

static void note(int s) { (void)s; }
TEST(signal_interrupts_a_wait)
{
	uint32_t w = 0;
	struct sigaction sa = { .sa_handler = note };
	struct timespec far = { 100, 0 };
	sigaction(SIGUSR1, &sa, NULL);
	pid_t me = getpid(), pid = fork();
	if (pid == 0) { wait_state(me, 'S'); kill(me, SIGUSR1); _exit(0); }
	CHECK_ERR(futex(&w, FUTEX_WAIT, 0, &far, NULL, 0), EINTR);
	wait_status(pid);
}

TEST(requeue_negative_counts)
{
	uint32_t w[2] = { 0, 0 };
	CHECK_ERR(futex(&w[0], FUTEX_REQUEUE, -1, (void *)1L, &w[1], 0), EINVAL);
	CHECK_ERR(futex(&w[0], FUTEX_REQUEUE, 1, (void *)-1L, &w[1], 0), EINVAL);
}
