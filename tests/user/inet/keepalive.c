/* SO_KEEPALIVE: an idle connection is probed when it was told to be, and lives on if the other side answers. */
#include "inet.h"
#include <stddef.h>

/* What came in at both ends: the system's own count has what others left behind, too, and send again. */
static long segments_in(const int fd[2])
{
	struct { struct tcp_info i; char more[256]; } info;	/* musl's may be older than the kernel's */
	long n = 0;

	for (int k = 0; k < 2; k++) {
		socklen_t len = sizeof(info);

		CHECK_EQ(getsockopt(fd[k], IPPROTO_TCP, TCP_INFO, &info, &len), 0);
		CHECK(len > offsetof(struct tcp_info, tcpi_segs_in));
		n += info.i.tcpi_segs_in;
	}
	return n;
}

static void probe_after(int fd, int seconds)
{
	CHECK_EQ(set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds), 0);
	CHECK_EQ(set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds), 0);
	CHECK_EQ(set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
}

TEST(idle_is_probed)
{
	char c = 'x';
	int fd[2], quiet[2];
	long before, seen, seen_quiet, seconds;
	struct timespec from, to;

	lo_up();
	tcp_pair(quiet);
	probe_after(quiet[0], 1000);
	tcp_pair(fd);
	probe_after(fd[0], 1);
	sleep_ms(300);
	clock_gettime(CLOCK_MONOTONIC, &from);
	before = segments_in(fd);
	seen_quiet = segments_in(quiet);
	sleep_ms(4000);
	CHECK_EQ(segments_in(quiet), seen_quiet);
	seen = segments_in(fd) - before;
	clock_gettime(CLOCK_MONOTONIC, &to);
	seconds = to.tv_sec - from.tv_sec + 1;		/* a busy machine sleeps longer */
	if (seen < 4 || seen > 2 * seconds + 2)
		printf("# %ld segments in %ld s\n", seen, seconds);
	CHECK(seen >= 4);				/* two probes at least, and their answers */
	CHECK(seen <= 2 * seconds + 2);
	CHECK_EQ(error_of(fd[0]), 0);
	for (int k = 0; k < 2; k++) {
		CHECK_EQ(write(fd[k], &c, 1), 1);
		CHECK_EQ(read(fd[!k], &c, 1), 1);
	}
	/* Turned off in mid-wait. */
	CHECK_EQ(set_option(fd[0], SOL_SOCKET, SO_KEEPALIVE, 0), 0);
	sleep_ms(300);
	before = segments_in(fd);
	sleep_ms(2500);
	CHECK(segments_in(fd) <= before + 1);
}

/* Many that are to be probed at different times go away in between. */
TEST(closed_before_the_probe)
{
	int fd[60][2];

	lo_up();
	for (int k = 0; k < 60; k++) {
		tcp_pair(fd[k]);
		probe_after(fd[k][k & 1], 1 + k % 3);
	}
	sleep_ms(500);
	for (int k = 0; k < 60; k += 2) {
		close(fd[k][0]);
		close(fd[k][1]);
	}
	sleep_ms(3000);
	for (int k = 1; k < 60; k += 2)
		CHECK_EQ(error_of(fd[k][0]), 0);
}
