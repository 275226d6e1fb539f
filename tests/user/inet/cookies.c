/* SYN cookies: what a listener that notes nothing down makes of a connection (net.ipv4.tcp_syncookies = 2: always). */
#include "inet.h"

#define KNOB	"/proc/sys/net/ipv4/tcp_syncookies"

static long counter(const char *name)
{
	char buf[16384], *names, *values, *n, *v, *keep_n, *keep_v;

	CHECK(read_file("/proc/net/netstat", buf, sizeof(buf)) > 0);
	names = strtok_r(buf, "\n", &keep_n);
	values = strtok_r(NULL, "\n", &keep_n);
	n = strtok_r(names, " ", &keep_n);
	v = strtok_r(values, " ", &keep_v);
	while (n && v) {
		if (!strcmp(n, name))
			return atol(v);
		n = strtok_r(NULL, " ", &keep_n);
		v = strtok_r(NULL, " ", &keep_v);
	}
	CHECK(!"no such counter");
	return 0;
}

static struct tcp_info info(int fd)
{
	struct tcp_info ti = { 0 };
	socklen_t len = sizeof(ti);

	CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	return ti;
}

static void both_ways(int a, int b)
{
	static char out[200000], in[200000];
	pid_t writer = fork();

	memset(out, 'x', sizeof(out));
	if (!writer) {
		CHECK_EQ(write(a, out, sizeof(out)), sizeof(out));
		read_all(a, in, sizeof(in));
		_exit(memcmp(in, out, sizeof(in)) != 0);
	}
	read_all(b, in, sizeof(in));
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK_EQ(write(b, out, sizeof(out)), sizeof(out));
	CHECK(EXITED(wait_status(writer), 0));
}

static void pair_on(int family, int fd[2])
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	int l = socket(family, SOCK_STREAM, 0);

	if (family == AF_INET)
		*(struct sockaddr_in *)&a = in4("127.0.0.1", 0);
	else
		*(struct sockaddr_in6 *)&a = in6("::1", 0);
	CHECK_EQ(bind(l, (struct sockaddr *)&a, len), 0);
	CHECK_EQ(listen(l, 3), 0);
	CHECK_EQ(getsockname(l, (struct sockaddr *)&a, &len), 0);
	fd[0] = socket(family, SOCK_STREAM, 0);
	CHECK_EQ(connect(fd[0], (struct sockaddr *)&a, len), 0);
	fd[1] = accept(l, NULL, NULL);
	CHECK(fd[1] >= 0);
	CHECK_EQ(close(l), 0);
}

static void by_cookie(int family)
{
	int plain[2], fd[2];
	long sent, received;

	lo_up();
	write_file(KNOB, "1");
	pair_on(family, plain);
	write_file(KNOB, "2");
	sent = counter("SyncookiesSent");
	received = counter("SyncookiesRecv");
	pair_on(family, fd);
	CHECK(counter("SyncookiesSent") > sent);
	CHECK(counter("SyncookiesRecv") > received);
	both_ways(fd[0], fd[1]);
	for (int k = 0; k < 2; k++) {
		struct tcp_info a = info(plain[k]), b = info(fd[k]);

		CHECK_EQ(b.tcpi_state, a.tcpi_state);
		CHECK_EQ(b.tcpi_options & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE), a.tcpi_options & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE));
		CHECK_EQ(b.tcpi_snd_wscale, a.tcpi_snd_wscale);
		CHECK(b.tcpi_snd_mss >= 536);
	}
	close(fd[0]);
	CHECK_EQ(read(fd[1], fd, 1), 0);
	write_file(KNOB, "1");
}

TEST(ipv4) { by_cookie(AF_INET); }
TEST(ipv6) { by_cookie(AF_INET6); }

/* Cookies do not make the queue of those that wait for accept() any longer. */
TEST(full_queue)
{
	struct sockaddr_in a;
	int l, c[4];

	lo_up();
	write_file(KNOB, "2");
	l = listener(1);
	a = in4("127.0.0.1", port_of(l));
	c[0] = connected_to(l);
	c[1] = connected_to(l);
	c[2] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_ERR(connect(c[2], SA(a)), EINPROGRESS);
	CHECK_EQ(events_of(c[2], 300) & POLLOUT, 0);
	CHECK(accept(l, NULL, NULL) >= 0);
	CHECK(wait_events(c[2], POLLOUT) & POLLOUT);
	CHECK_EQ(error_of(c[2]), 0);
	write_file(KNOB, "1");
}

TEST(many_at_once)
{
	int l, c[200];

	lo_up();
	write_file(KNOB, "2");
	l = listener(300);
	for (int k = 0; k < 200; k++)
		c[k] = connected_to(l);
	for (int k = 0; k < 200; k++)
		CHECK_EQ(write(c[k], &k, sizeof(k)), sizeof(k));
	for (int k = 0; k < 200; k++) {
		int got = -1, s = accept(l, NULL, NULL);

		CHECK(s >= 0);
		read_all(s, (char *)&got, sizeof(got));
		CHECK_EQ(got, k);
	}
	write_file(KNOB, "1");
}
