/* How long connections try, and what they hold back: TCP_USER_TIMEOUT, TCP_SYNCNT, TCP_DEFER_ACCEPT, TCP_LINGER2, TCP_CORK, keep-alive; a peer that
 * hears nothing is one whose filter drops all segments. */
#include "segment.h"
#include <linux/filter.h>
#include <linux/sockios.h>

static void deafen(int fd)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog p = { 1, &none };

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)), 0);
}

static void pair(int fd[2])
{
	lo_up();
	tcp_pair(fd);
}

/* The next segment of that connection: those of earlier tests may still be tried again. */
static bool next_of(int w, int port, struct segment *s, int ms)
{
	do
		if (!next_segment(w, s, ms))
			return false;
	while (s->sport != port);
	return true;
}

static long ms_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

TEST(numbers)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(option(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	CHECK_EQ(set_option(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 1234), 0);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 1234);
	CHECK_ERR(set_option(s, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), EINVAL);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 1234);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_SYNCNT), 6);
	CHECK_ERR(set_option(s, IPPROTO_TCP, TCP_SYNCNT, 0), EINVAL);
	CHECK_ERR(set_option(s, IPPROTO_TCP, TCP_SYNCNT, 128), EINVAL);
	CHECK_EQ(set_option(s, IPPROTO_TCP, TCP_SYNCNT, 2), 0);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_SYNCNT), 2);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
	static const int defer[][2] = { { 1, 1 }, { 2, 3 }, { 3, 3 }, { 4, 7 }, { 7, 7 }, { 8, 15 }, { 30, 31 }, { 60, 63 }, { 0, 0 }, { -1, 0 } };
	for (unsigned i = 0; i < sizeof(defer) / sizeof(defer[0]); i++) {
		CHECK_EQ(set_option(s, IPPROTO_TCP, TCP_DEFER_ACCEPT, defer[i][0]), 0);
		CHECK_EQ(option(s, IPPROTO_TCP, TCP_DEFER_ACCEPT), defer[i][1]);
	}
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_LINGER2), 60);
	CHECK_EQ(set_option(s, IPPROTO_TCP, TCP_LINGER2, 5), 0);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_LINGER2), 5);
	CHECK_EQ(set_option(s, IPPROTO_TCP, TCP_LINGER2, -5), 0);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_LINGER2), -1);
	CHECK_EQ(set_option(s, IPPROTO_TCP, TCP_LINGER2, 1000), 0);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_LINGER2), 120);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPINTVL), 75);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPCNT), 9);
	CHECK_ERR(set_option(s, IPPROTO_TCP, TCP_KEEPIDLE, 0), EINVAL);
	CHECK_ERR(set_option(s, IPPROTO_TCP, TCP_KEEPIDLE, 32768), EINVAL);
	CHECK_ERR(set_option(s, IPPROTO_TCP, TCP_KEEPINTVL, 32768), EINVAL);
	CHECK_ERR(set_option(s, IPPROTO_TCP, TCP_KEEPCNT, 128), EINVAL);
	CHECK_EQ(set_option(s, IPPROTO_TCP, TCP_KEEPCNT, 127), 0);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPCNT), 127);
	CHECK_ERR(set_option(s, IPPROTO_TCP, TCP_MAXSEG, 87), EINVAL);
	CHECK_ERR(set_option(s, IPPROTO_TCP, TCP_MAXSEG, 32768), EINVAL);
	CHECK_ERR(set_option(s, IPPROTO_TCP, 999, 1), ENOPROTOOPT);
}

TEST(unanswered_data)
{
	char c;
	int fd[2];
	long from, took;

	pair(fd);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_USER_TIMEOUT, 1500), 0);
	deafen(fd[1]);
	from = ms_now();
	CHECK_EQ(write(fd[0], "x", 1), 1);
	CHECK_ERR(read(fd[0], &c, 1), ETIMEDOUT);
	took = ms_now() - from;
	CHECK(took >= 1300);
	CHECK(took < 20000);
	CHECK(events_of(fd[0], 0) & POLLHUP);
	CHECK_ERR(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(answered_data_does_not_count)
{
	char c;
	int fd[2];

	pair(fd);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_USER_TIMEOUT, 300), 0);
	CHECK_EQ(write(fd[0], "x", 1), 1);
	CHECK_EQ(read(fd[1], &c, 1), 1);
	sleep_ms(800);
	CHECK_EQ(error_of(fd[0]), 0);
	CHECK_EQ(write(fd[0], "y", 1), 1);
	CHECK_EQ(read(fd[1], &c, 1), 1);
}

TEST(unanswered_probes)
{
	char c;
	int fd[2];

	pair(fd);
	CHECK_EQ(set_option(fd[0], SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_KEEPIDLE, 1), 0);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_KEEPINTVL, 1), 0);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_KEEPCNT, 2), 0);
	sleep_ms(2500);					/* answered ones */
	CHECK_EQ(error_of(fd[0]), 0);
	deafen(fd[1]);
	CHECK_ERR(read(fd[0], &c, 1), ETIMEDOUT);
}

TEST(probes_with_a_limit)
{
	char c;
	int fd[2];
	long from;

	pair(fd);
	CHECK_EQ(set_option(fd[0], SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_KEEPIDLE, 1), 0);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_KEEPINTVL, 1), 0);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_KEEPCNT, 100), 0);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_USER_TIMEOUT, 2000), 0);
	deafen(fd[1]);
	from = ms_now();
	CHECK_ERR(read(fd[0], &c, 1), ETIMEDOUT);
	CHECK(ms_now() - from < 20000);
}

static void syns(int n, long least)
{
	int l, c = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a;
	long from;

	lo_up();
	l = listener(5);
	deafen(l);
	a = in4("127.0.0.1", port_of(l));
	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_SYNCNT, n), 0);
	from = ms_now();
	CHECK_ERR(connect(c, SA(a)), ETIMEDOUT);
	from = ms_now() - from;
	CHECK_EQ(from >= least ? least : from, least);
	CHECK(from < 20000);
	CHECK_EQ(set_option(l, SOL_SOCKET, SO_DETACH_FILTER, 0), 0);
	CHECK_EQ(connect(c, SA(a)), 0);			/* it can be used again */
}

TEST(one_syn_more) { syns(1, 2900); }
TEST(two_syns_more) { syns(2, 6900); }

TEST(syns_are_seen)
{
	unsigned char p[100];
	struct sockaddr_in a = in4("10.9.0.2", 80);
	int w = wire(), c = socket(AF_INET, SOCK_STREAM, 0), n = 0;

	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_SYNCNT, 1), 0);
	nonblocking(c);
	CHECK_ERR(connect(c, SA(a)), EINPROGRESS);
	while (wire_read(w, IPPROTO_TCP, p, sizeof(p), 3500)) {
		CHECK_EQ(p[20 + 13] & 0x3f, 2);
		CHECK_EQ(p[6] & 0x60, 0x40);
		n++;
	}
	CHECK_EQ(n, 2);
	CHECK(wait_events(c, POLLOUT) & POLLERR);
	CHECK_EQ(error_of(c), ETIMEDOUT);
}

TEST(accept_waits_for_data)
{
	int l, c, s;
	char x;

	lo_up();
	l = listener(5);
	CHECK_EQ(set_option(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 10), 0);
	c = connected_to(l);
	CHECK(!(events_of(l, 300) & POLLIN));
	CHECK_EQ(write(c, "x", 1), 1);
	CHECK(wait_events(l, POLLIN) & POLLIN);
	s = accept(l, NULL, NULL);
	CHECK(s >= 0);
	CHECK_EQ(recv(s, &x, 1, MSG_DONTWAIT), 1);
	CHECK_EQ(write(s, "y", 1), 1);
	CHECK_EQ(read(c, &x, 1), 1);
}

TEST(accept_waits_not_for_ever)
{
	int l, c, s;
	char x;

	lo_up();
	l = listener(5);
	CHECK_EQ(set_option(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1), 0);
	c = connected_to(l);
	s = accept(l, NULL, NULL);
	CHECK(s >= 0);
	CHECK_ERR(recv(s, &x, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(write(c, "x", 1), 1);
	CHECK_EQ(read(s, &x, 1), 1);
}

TEST(cork_holds_back)
{
	char buf[4000];
	int fd[2];

	pair(fd);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_CORK, 1), 0);
	CHECK_EQ(option(fd[0], IPPROTO_TCP, TCP_CORK), 1);
	CHECK_EQ(write(fd[0], "abc", 3), 3);
	CHECK_ERR(recv(fd[1], buf, 10, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(write(fd[0], "def", 3), 3);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_CORK, 0), 0);
	CHECK_EQ(recv(fd[1], buf, 10, 0), 6);
	/* not for ever */
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_CORK, 1), 0);
	CHECK_EQ(write(fd[0], "abc", 3), 3);
	CHECK_EQ(recv(fd[1], buf, 10, 0), 3);
	/* and not at the end */
	CHECK_EQ(write(fd[0], "abc", 3), 3);
	CHECK_EQ(close(fd[0]), 0);
	CHECK_EQ(recv(fd[1], buf, 3, MSG_WAITALL), 3);
	CHECK_EQ(recv(fd[1], buf, 3, 0), 0);
}

TEST(more_holds_back)
{
	char buf[100];
	int fd[2];

	pair(fd);
	CHECK_EQ(send(fd[0], "abc", 3, MSG_MORE), 3);
	CHECK_ERR(recv(fd[1], buf, 10, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(fd[0], "def", 3, 0), 3);
	CHECK_EQ(recv(fd[1], buf, 10, 0), 6);
	CHECK_EQ(send(fd[0], "abc", 3, MSG_MORE), 3);
	CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_NODELAY, 1), 0);
	CHECK_EQ(recv(fd[1], buf, 10, 0), 3);
}

/* --- TCP_LINGER2: what FIN_WAIT_2 waits for --- */

/* Of the connection between those two ports of ours: others may have the one, or the other. */
static int state_between(int port, int peer)
{
	FILE *f = fopen("/proc/net/tcp", "r");
	char line[300];
	int found = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned local, remote, st;

		if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %x", &local, &remote, &st) == 3 && (int)local == port && (int)remote == peer && st != 6)
			found = (int)st;
	}
	fclose(f);
	return found;
}

TEST(closed_half_waits)
{
	int fd[2], port, peer;

	pair(fd);
	port = port_of(fd[0]);
	peer = port_of(fd[1]);
	CHECK_EQ(close(fd[0]), 0);
	for (int i = 0; i < 2000 && state_between(port, peer) != 5; i++)
		sleep_ms(5);
	CHECK_EQ(state_between(port, peer), 5);		/* FIN_WAIT_2 */
	CHECK_EQ(send(fd[1], "x", 1, MSG_NOSIGNAL), 1);
	for (int i = 0; i < 2000 && state_between(port, peer); i++)
		sleep_ms(5);
	CHECK_EQ(state_between(port, peer), 0);		/* bytes for nobody: reset */
	CHECK_ERR(send(fd[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}

/* --- what TCP_INFO tells --- */

TEST(info)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);
	char buf[100];
	int fd[2], l;

	pair(fd);
	memset(&ti, 0xee, sizeof(ti));
	CHECK_EQ(getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CHECK_EQ(ti.tcpi_state, 1);
	CHECK(ti.tcpi_options & TCPI_OPT_TIMESTAMPS);
	CHECK(ti.tcpi_options & TCPI_OPT_SACK);
	CHECK(ti.tcpi_options & TCPI_OPT_WSCALE);
	CHECK_EQ(ti.tcpi_unacked, 0);
	CHECK_EQ(ti.tcpi_retransmits, 0);
	CHECK_EQ(ti.tcpi_total_retrans, 0);
	CHECK(ti.tcpi_snd_mss > 500 && ti.tcpi_snd_mss <= 65535);
	CHECK(ti.tcpi_pmtu >= ti.tcpi_snd_mss);
	CHECK(ti.tcpi_snd_cwnd >= 2);
	CHECK(ti.tcpi_rto > 0);
	CHECK_EQ(write(fd[0], "twelve bytes", 12), 12);
	CHECK_EQ(read(fd[1], buf, 12), 12);
	CHECK_EQ(write(fd[1], "four", 4), 4);
	CHECK_EQ(read(fd[0], buf, 4), 4);
	len = sizeof(ti);
	CHECK_EQ(getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CHECK_EQ(ti.tcpi_bytes_received, 4);
	CHECK(ti.tcpi_bytes_acked == 12 || ti.tcpi_bytes_acked == 13);	/* Linux counts the SYN */
	CHECK(ti.tcpi_last_data_sent < 10000);
	CHECK(ti.tcpi_last_data_recv < 10000);
	len = 1;
	CHECK_EQ(getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CHECK_EQ(len, 1);
	CHECK_EQ(shutdown(fd[1], SHUT_WR), 0);
	CHECK_EQ(read(fd[0], buf, 1), 0);
	len = sizeof(ti);
	CHECK_EQ(getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CHECK_EQ(ti.tcpi_state, 8);
	len = sizeof(ti);
	CHECK_EQ(getsockopt(fd[1], IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CHECK(ti.tcpi_state == 4 || ti.tcpi_state == 5);
	l = listener(7);
	len = sizeof(ti);
	CHECK_EQ(getsockopt(l, IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CHECK_EQ(ti.tcpi_state, 10);
	CHECK_EQ(ti.tcpi_unacked, 0);
	CHECK_EQ(ti.tcpi_sacked, 7);
}

TEST(info_of_retransmissions)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);
	int fd[2];

	pair(fd);
	deafen(fd[1]);
	CHECK_EQ(write(fd[0], "lost", 4), 4);
	for (int i = 0; i < 5000; i++) {
		len = sizeof(ti);
		CHECK_EQ(getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
		if (ti.tcpi_retransmits >= 2)
			break;
		sleep_ms(5);
	}
	CHECK(ti.tcpi_retransmits >= 2);
	CHECK(ti.tcpi_total_retrans >= 2);
	CHECK(ti.tcpi_backoff >= 1);
	CHECK_EQ(ti.tcpi_unacked, 1);
}

/* --- the path shrinks under a connection: the test is the other end, and the router --- */

TEST(path_mtu_of_connections)
{
	static char buf[6000];
	struct sockaddr_in a = in4("10.9.0.7", 80);
	struct segment s, first;
	int w = wire(), c = socket(AF_INET, SOCK_STREAM, 0), port, most = 0;
	uint32_t start, end = 0;

	know("10.9.0.7");
	nonblocking(c);
	CHECK_ERR(connect(c, SA(a)), EINPROGRESS);
	port = port_of(c);
	CHECK(next_of(w, port, &s, 5000));
	CHECK_EQ(s.flags, 2);
	start = s.seq + 1;
	send_segment(w, 80, port, 1000, start, 0x12);
	CHECK(wait_events(c, POLLOUT) & POLLOUT);
	CHECK_EQ(error_of(c), 0);
	CHECK_EQ(write(c, buf, 6000), 6000);
	do
		CHECK(next_of(w, port, &first, 5000));
	while (!first.len);
	CHECK_EQ(first.len, 1460);
	CHECK_EQ(first.packet[6] & 0x60, 0x40);
	/* a forged report, of a segment that is not under way */
	first.packet[24] ^= 0x40;
	wire_icmp(w, "10.9.0.9", 3, 4, 576, first.packet, 28);
	first.packet[24] ^= 0x40;
	CHECK_EQ(option(c, IPPROTO_IP, IP_MTU), 1500);
	while (next_segment(w, &s, 50))
		;
	wire_icmp(w, "10.9.0.9", 3, 4, 1000, first.packet, 28);
	/* the first comes once more, smaller; with acknowledgements all do */
	while (end != start + 6000) {
		CHECK(next_of(w, port, &s, 10000));
		CHECK(s.len <= 960);
		most = s.len > most ? s.len : most;
		if (s.seq != (end ? end : start))
			continue;
		end = s.seq + s.len;
		send_segment(w, 80, port, 1001, end, 0x10);
	}
	CHECK(most > 900);
	CHECK_EQ(option(c, IPPROTO_IP, IP_MTU), 1000);
	CHECK_EQ(error_of(c), 0);
	struct tcp_info ti;
	socklen_t len = sizeof(ti);
	CHECK_EQ(getsockopt(c, IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CHECK_EQ(ti.tcpi_pmtu, 1000);
	CHECK(ti.tcpi_snd_mss <= 960);
}

/* What was to be sent again into a window that has closed is acknowledged after all: there is nothing to probe with. */
TEST(acknowledged_in_a_closed_window)
{
	static char buf[100];
	struct sockaddr_in a = in4("10.9.0.7", 80);
	struct segment s;
	int w = wire(), c = socket(AF_INET, SOCK_STREAM, 0), port;
	uint32_t start;

	know("10.9.0.7");
	nonblocking(c);
	CHECK_ERR(connect(c, SA(a)), EINPROGRESS);
	port = port_of(c);
	CHECK(next_of(w, port, &s, 5000));
	start = s.seq + 1;
	send_segment(w, 80, port, 1000, start, 0x12);
	CHECK(wait_events(c, POLLOUT) & POLLOUT);
	CHECK_EQ(write(c, buf, 100), 100);
	do
		CHECK(next_of(w, port, &s, 5000));
	while (!s.len);
	CHECK_EQ(s.len, 100);
	window = 0;
	send_segment(w, 80, port, 1001, start, 0x10);
	sleep_ms(2500);				/* it was to be sent again */
	send_segment(w, 80, port, 1001, start + 100, 0x10);
	sleep_ms(2500);
	window = 0xffff;
	send_segment(w, 80, port, 1001, start + 100, 0x10);
	CHECK_EQ(write(c, buf, 5), 5);
	do
		CHECK(next_of(w, port, &s, 10000));
	while (s.len != 5);
	CHECK_EQ(s.seq, start + 100);
	CHECK_EQ(error_of(c), 0);
}

/* Bytes that cannot be sent at all, the device being down: patience ends as if they had been lost. */
TEST(no_way_to_send)
{
	struct sockaddr_in a = in4("10.9.0.7", 80);
	struct ifreq r = { .ifr_name = "w0" };
	struct segment s;
	int w = wire(), c = socket(AF_INET, SOCK_STREAM, 0), port;

	know("10.9.0.7");
	nonblocking(c);
	CHECK_ERR(connect(c, SA(a)), EINPROGRESS);
	port = port_of(c);
	CHECK(next_of(w, port, &s, 5000));
	send_segment(w, 80, port, 1000, s.seq + 1, 0x12);
	CHECK(wait_events(c, POLLOUT) & POLLOUT);
	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 800), 0);
	interface_ioctl(SIOCGIFFLAGS, &r);
	r.ifr_flags &= ~IFF_UP;
	interface_ioctl(SIOCSIFFLAGS, &r);
	CHECK_EQ(write(c, "nowhere", 7), 7);
	CHECK(wait_events(c, 0) & POLLERR);
	CHECK_EQ(error_of(c), ETIMEDOUT);
}
