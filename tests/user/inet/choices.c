/* Options by which a program chooses: a group by its socket address, the device of what it sends, no port before there is a connection. */
#include "wire.h"

#ifndef IP_UNICAST_IF
#define IP_UNICAST_IF 50
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#ifndef IPV6_UNICAST_IF
#define IPV6_UNICAST_IF 76
#endif

static unsigned device = 1;

static int join(int s, int level, int what, const void *address, size_t len)
{
	struct group_req g = { .gr_interface = device };

	memcpy(&g.gr_group, address, len);
	return setsockopt(s, level, what, &g, sizeof(g));
}

static void hears(int s, const struct sockaddr *group, socklen_t len, bool yes)
{
	struct pollfd p = { s, POLLIN, 0 };
	int from = socket(group->sa_family, SOCK_DGRAM, 0), level = group->sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	struct ip_mreqn lo = { .imr_ifindex = (int)device };
	char c = 0;

	if (level == IPPROTO_IP)
		CHECK_EQ(setsockopt(from, level, IP_MULTICAST_IF, &lo, sizeof(lo)), 0);
	else
		CHECK_EQ(set_option(from, level, IPV6_MULTICAST_IF, (int)device), 0);
	while (sendto(from, "g", 1, 0, group, len) < 0) {
		CHECK_EQ(errno, EADDRNOTAVAIL);		/* nobody else has ours: that takes a while */
		usleep(20000);
	}
	CHECK_EQ(poll(&p, 1, yes ? 10000 : 0), yes);
	if (yes)
		CHECK(read(s, &c, 1) == 1 && c == 'g');
	close(from);
}

TEST(groups)
{
	struct sockaddr_in g = in4("239.7.7.7", 7007), any = in4("0.0.0.0", 7007), none = in4("10.1.1.1", 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in6 six = in6("ff02::7", 7007);
	struct group_req short_one = { 0 };

	lo_up();
	CHECK_EQ(set_option(s, IPPROTO_IP, IP_MULTICAST_ALL, 0), 0);
	CHECK_EQ(bind(s, SA(any)), 0);
	CHECK_ERR(join(s, IPPROTO_IP, MCAST_LEAVE_GROUP, &g, sizeof(g)), EADDRNOTAVAIL);
	hears(s, SA(g), false);
	CHECK_EQ(join(s, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof(g)), 0);
	CHECK_ERR(join(s, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof(g)), EADDRINUSE);
	hears(s, SA(g), true);
	CHECK_EQ(join(s, IPPROTO_IP, MCAST_LEAVE_GROUP, &g, sizeof(g)), 0);
	hears(s, SA(g), false);
	CHECK_ERR(join(s, IPPROTO_IP, MCAST_JOIN_GROUP, &none, sizeof(none)), EINVAL);
	CHECK_ERR(join(s, IPPROTO_IP, MCAST_JOIN_GROUP, &six, sizeof(six)), EINVAL);
	CHECK_ERR(setsockopt(s, IPPROTO_IP, MCAST_JOIN_GROUP, &short_one, sizeof(short_one) - 8), EINVAL);
	close(s);
}

TEST(groups_of_ipv6)
{
	struct sockaddr_in6 g = in6("ff05::77", 7008), any = in6("::", 7008), none = in6("fd00::1", 0);
	struct sockaddr_in four = in4("239.7.7.7", 7008);
	int w = wire(), s = socket(AF_INET6, SOCK_DGRAM, 0);

	device = if_nametoindex("w0");
	CHECK_EQ(bind(s, SA(any)), 0);
	CHECK_EQ(join(s, IPPROTO_IPV6, MCAST_JOIN_GROUP, &g, sizeof(g)), 0);
	CHECK_ERR(join(s, IPPROTO_IPV6, MCAST_JOIN_GROUP, &g, sizeof(g)), EADDRINUSE);
	hears(s, SA(g), true);
	CHECK_EQ(join(s, IPPROTO_IPV6, MCAST_LEAVE_GROUP, &g, sizeof(g)), 0);
	CHECK_ERR(join(s, IPPROTO_IPV6, MCAST_LEAVE_GROUP, &g, sizeof(g)), EADDRNOTAVAIL);
	CHECK_ERR(join(s, IPPROTO_IPV6, MCAST_JOIN_GROUP, &none, sizeof(none)), EINVAL);
	CHECK_ERR(join(s, IPPROTO_IPV6, MCAST_JOIN_GROUP, &four, sizeof(four)), EADDRNOTAVAIL);
	close(s);
	close(w);
}

TEST(device_of_what_is_sent)
{
	int w = wire(), s = socket(AF_INET, SOCK_DGRAM, 0), index = (int)if_nametoindex("w0");
	struct sockaddr_in far = in4("192.0.2.5", 9);
	unsigned char f[2048];

	CHECK_ERR(sendto(s, "x", 1, 0, SA(far)), ENETUNREACH);
	CHECK_EQ(option(s, IPPROTO_IP, IP_UNICAST_IF), 0);
	CHECK_ERR(set_option(s, IPPROTO_IP, IP_UNICAST_IF, (int)htonl(999)), EADDRNOTAVAIL);
	CHECK_EQ(set_option(s, IPPROTO_IP, IP_UNICAST_IF, (int)htonl(index)), 0);
	CHECK_EQ(option(s, IPPROTO_IP, IP_UNICAST_IF), (int)htonl(index));
	CHECK_EQ(sendto(s, "x", 1, 0, SA(far)), 1);
	for (;;) {		/* who has that address? */
		ssize_t n = read(w, f, sizeof(f));

		CHECK(n > 0);
		if (n >= 42 && f[12] == 8 && f[13] == 6 && !memcmp(f + 38, &far.sin_addr, 4))
			break;
	}
	CHECK_EQ(set_option(s, IPPROTO_IP, IP_UNICAST_IF, 0), 0);
	CHECK_ERR(sendto(s, "x", 1, 0, SA(far)), ENETUNREACH);
	CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "w0", 3), 0);
	CHECK_ERR(set_option(s, IPPROTO_IP, IP_UNICAST_IF, (int)htonl(1)), EINVAL);
	close(s);
	s = socket(AF_INET6, SOCK_DGRAM, 0);
	CHECK_ERR(set_option(s, IPPROTO_IPV6, IPV6_UNICAST_IF, (int)htonl(999)), EADDRNOTAVAIL);
	CHECK_EQ(set_option(s, IPPROTO_IPV6, IPV6_UNICAST_IF, (int)htonl(index)), 0);
	CHECK_EQ(option(s, IPPROTO_IPV6, IPV6_UNICAST_IF), (int)htonl(index));
	close(s);
	close(w);
}

TEST(an_address_without_a_port)
{
	struct sockaddr_in a = in4("127.0.0.1", 0), got;
	int s = socket(AF_INET, SOCK_STREAM, 0), l, with = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(got);

	lo_up();
	CHECK_EQ(bind(with, SA(a)), 0);
	CHECK(port_of(with) != 0);
	CHECK_EQ(option(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 0);
	CHECK_EQ(set_option(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1), 0);
	CHECK_EQ(option(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 1);
	a = in4("127.0.0.5", 0);
	CHECK_EQ(bind(s, SA(a)), 0);
	CHECK_EQ(getsockname(s, (void *)&got, &len), 0);
	CHECK(got.sin_port == 0 && got.sin_addr.s_addr == a.sin_addr.s_addr);
	l = listener(5);
	a = in4("127.0.0.1", port_of(l));
	CHECK_EQ(connect(s, SA(a)), 0);
	CHECK_EQ(getsockname(s, (void *)&got, &len), 0);
	CHECK(got.sin_port != 0 && got.sin_addr.s_addr == inet_addr("127.0.0.5"));
	close(s);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(set_option(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1), 0);
	a = in4("127.0.0.6", 0);
	CHECK_EQ(bind(s, SA(a)), 0);
	CHECK_EQ(port_of(s), 0);
	a = in4("127.0.0.1", 9);
	CHECK_EQ(sendto(s, "x", 1, 0, SA(a)), 1);
	CHECK(port_of(s) != 0);
	close(s);
	close(l);
	close(with);
}
