/* SO_KEEPALIVE: an idle connection is probed when it was told to be, and lives on if the other side answers. */
#include "inet.h"

static long segments_in(void)
{
	char buf[8192], *at;
	long v[11] = { 0 };

	CHECK(read_file("/proc/net/snmp", buf, sizeof(buf)) > 0);
	at = strstr(buf, "\nTcp: ");
	at = at ? strstr(at + 1, "\nTcp: ") : NULL;
	CHECK(at);
	CHECK_EQ(sscanf(at, "\nTcp: %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7, v + 8, v + 9, v + 10), 11);
	return v[9];
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
	long before;

	lo_up();
	tcp_pair(quiet);
	probe_after(quiet[0], 1000);
	tcp_pair(fd);
	probe_after(fd[0], 1);
	sleep_ms(300);
	before = segments_in();
	sleep_ms(4000);
	CHECK(segments_in() >= before + 4);		/* two probes at least, and their answers */
	CHECK(segments_in() <= before + 12);
	CHECK_EQ(error_of(fd[0]), 0);
	for (int k = 0; k < 2; k++) {
		CHECK_EQ(write(fd[k], &c, 1), 1);
		CHECK_EQ(read(fd[!k], &c, 1), 1);
	}
	/* Turned off in mid-wait. */
	CHECK_EQ(set_option(fd[0], SOL_SOCKET, SO_KEEPALIVE, 0), 0);
	sleep_ms(300);
	before = segments_in();
	sleep_ms(2500);
	CHECK(segments_in() <= before + 1);
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
