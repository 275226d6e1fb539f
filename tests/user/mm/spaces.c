/* More address spaces than there are identifiers for them (256 on small cores): each still sees its own memory only. */
#include "../tap.h"

#define N 600

/* A token goes round all of them; each looks at its page before and after it changes it. */
static void round_trip(volatile long *mine, long me, int in, int out, int rounds)
{
	long token;
	for (int r = 0; r < rounds; r++) {
		CHECK_EQ(read(in, &token, sizeof(token)), (long)sizeof(token));
		CHECK_EQ(*mine, me * 1000 + r);
		*mine = me * 1000 + r + 1;
		token += *mine;
		CHECK_EQ(write(out, &token, sizeof(token)), (long)sizeof(token));
	}
}

TEST(six_hundred_in_a_ring)
{
	volatile long *mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int first[2], last, next[2];
	long token = 0, want = 0;
	CHECK(mine != MAP_FAILED && pipe(first) == 0);
	last = first[0];
	for (long i = 1; i <= N; i++) {
		CHECK(pipe(next) == 0);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			close(next[0]);
			close(first[1]);
			*mine = i * 1000;
			round_trip(mine, i, last, next[1], 3);
			_exit(0);
		}
		close(next[1]);
		close(last);
		last = next[0];
	}
	for (int r = 0; r < 3; r++) {
		CHECK_EQ(write(first[1], &token, sizeof(token)), (long)sizeof(token));
		CHECK_EQ(read(last, &token, sizeof(token)), (long)sizeof(token));
		for (long i = 1; i <= N; i++)
			want += i * 1000 + r + 1;
		CHECK_EQ(token, want);
	}
	for (int i = 0; i < N; i++)
		CHECK(EXITED(wait_status(-1), 0));
}

/* Threads of one space keep it while hundreds of others come and go. */
TEST(one_stays_while_others_pass)
{
	volatile long *mine = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mine != MAP_FAILED);
	for (int i = 0; i < 64; i++)
		mine[i * 512] = i;
	for (int k = 0; k < N; k++) {
		pid_t pid = fork();
		if (pid == 0) {
			mine[k % 64 * 512] = -1;
			_exit(mine[(k + 1) % 64 * 512] == -1);
		}
		mine[k % 64 * 512] += 64;
		CHECK(EXITED(wait_status(pid), 0));
	}
	for (int i = 0; i < 64; i++)
		CHECK_EQ(mine[i * 512], i + 64 * (N / 64 + (i < N % 64)));
}
