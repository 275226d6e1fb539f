/* What administrators and careful programs turn: how far a peer may be (IP_MINTTL, IPV6_MINHOPCOUNT), when idle connections are probed. */
#include "inet.h"

#ifndef IP_MINTTL
#define IP_MINTTL 21
#endif
#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif

static void least_is_checked(int fd, int level, int name)
{
	CHECK_EQ(option(fd, level, name), 0);
	CHECK_ERR(set_option(fd, level, name, 256), EINVAL);
	CHECK_ERR(set_option(fd, level, name, -1), EINVAL);
	CHECK_EQ(set_option(fd, level, name, 255), 0);
	CHECK_EQ(option(fd, level, name), 255);
	CHECK_EQ(set_option(fd, level, name, 0), 0);
	CHECK_EQ(option(fd, level, name), 0);
}

/* Bytes of one who seems far away do not arrive; they are sent again, and do when he seems near. */
static void far_then_near(const int fd[2], int level, int ttl, int least)
{
	struct pollfd p = { fd[1], POLLIN, 0 };
	char c = 0;

	CHECK_EQ(set_option(fd[1], level, least, 200), 0);
	CHECK_EQ(set_option(fd[0], level, ttl, 199), 0);
	CHECK_EQ(write(fd[0], "n", 1), 1);
	CHECK_EQ(poll(&p, 1, 700), 0);
	CHECK_EQ(set_option(fd[0], level, ttl, 200), 0);
	CHECK_EQ(poll(&p, 1, 20000), 1);
	CHECK_EQ(read(fd[1], &c, 1), 1);
	CHECK_EQ(c, 'n');
	CHECK_EQ(close(fd[0]), 0);
	CHECK_EQ(read(fd[1], &c, 1), 0);
	CHECK_EQ(close(fd[1]), 0);
}

TEST(least_ttl)
{
	int fd[2];

	lo_up();
	tcp_pair(fd);
	least_is_checked(fd[1], IPPROTO_IP, IP_MINTTL);
	far_then_near(fd, IPPROTO_IP, IP_TTL, IP_MINTTL);
}

TEST(least_hops)
{
	struct sockaddr_in6 a = in6("::1", 0);
	int fd[2], l = socket(AF_INET6, SOCK_STREAM, 0);

	lo_up();
	CHECK_EQ(bind(l, SA(a)), 0);
	CHECK_EQ(listen(l, 1), 0);
	a.sin6_port = htons(port_of(l));
	fd[0] = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK_EQ(connect(fd[0], SA(a)), 0);
	fd[1] = accept(l, NULL, NULL);
	CHECK(fd[1] >= 0);
	least_is_checked(fd[1], IPPROTO_IPV6, IPV6_MINHOPCOUNT);
	far_then_near(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_MINHOPCOUNT);
	CHECK_EQ(close(l), 0);
}

/* A listener's limit is for those who connect, and for what they get. */
TEST(least_ttl_of_a_listener)
{
	int l, c, far = socket(AF_INET, SOCK_STREAM, 0), fd;
	struct sockaddr_in a;

	lo_up();
	l = listener(5);
	a = in4("127.0.0.1", port_of(l));
	CHECK_EQ(set_option(l, IPPROTO_IP, IP_MINTTL, 64), 0);
	CHECK_EQ(set_option(far, IPPROTO_IP, IP_TTL, 63), 0);
	nonblocking(far);
	CHECK_ERR(connect(far, SA(a)), EINPROGRESS);
	c = connected_to(l);
	fd = accept(l, NULL, NULL);
	CHECK(fd >= 0);
	CHECK_EQ(option(fd, IPPROTO_IP, IP_MINTTL), 64);
	CHECK_EQ(events_of(far, 300) & POLLOUT, 0);
	close(far);
	close(fd);
	close(c);
	close(l);
}

static void knob(const char *path, const char *other, const char *was, int opt, int value)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), own = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(set_option(own, IPPROTO_TCP, opt, 3), 0);
	CHECK_EQ(option(s, IPPROTO_TCP, opt), atoi(was));
	write_file(path, other);
	CHECK_EQ(option(s, IPPROTO_TCP, opt), value);
	CHECK_EQ(option(own, IPPROTO_TCP, opt), 3);
	write_file(path, was);
	close(s);
	close(own);
}

TEST(keepalive_defaults)
{
	knob("/proc/sys/net/ipv4/tcp_keepalive_time", "11", "7200", TCP_KEEPIDLE, 11);
	knob("/proc/sys/net/ipv4/tcp_keepalive_intvl", "12", "75", TCP_KEEPINTVL, 12);
	knob("/proc/sys/net/ipv4/tcp_keepalive_probes", "13", "9", TCP_KEEPCNT, 13);
}
