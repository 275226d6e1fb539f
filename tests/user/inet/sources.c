/* Membership in a group with some sources, or with all but some. */
#include "wire.h"

#ifndef MCAST_INCLUDE
#define MCAST_EXCLUDE 0
#define MCAST_INCLUDE 1
#endif

static const char *const all4[] = { "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4" };
static const char *const all6[] = { "fd09::a1", "fd09::a2", "fd09::a3", "fd09::a4" };

static int tap = -1, port;

static void send_from(int n)
{
	if (tap < 0) {
		struct sockaddr_in from = in4(all4[n], 0), to = in4("239.7.7.8", port);
		struct ip_mreqn lo = { .imr_ifindex = 1 };
		int s = socket(AF_INET, SOCK_DGRAM, 0);
		char c = (char)('1' + n);

		CHECK_EQ(bind(s, SA(from)), 0);
		CHECK_EQ(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)), 0);
		CHECK_EQ(sendto(s, &c, 1, 0, SA(to)), 1);
		close(s);
	} else {
		struct sockaddr_in6 from = in6(all6[n], 0), to = in6("ff05::78", 0);
		unsigned char p[40 + 9] = { 0x60, 0, 0, 0, 0, 9, IPPROTO_UDP, 5 }, mac[6] = { 0x33, 0x33, 0, 0, 0, 0x78 };
		unsigned sum;

		memcpy(p + 8, &from.sin6_addr, 16);
		memcpy(p + 24, &to.sin6_addr, 16);
		p[41] = 9;
		p[42] = (unsigned char)(port >> 8);
		p[43] = (unsigned char)port;
		p[45] = 9;
		p[48] = (unsigned char)('1' + n);
		sum = ~sum16(p + 40, 9, sum16(p + 8, 32, IPPROTO_UDP + 9));
		p[46] = (unsigned char)(sum >> 8);
		p[47] = (unsigned char)sum;
		wire_frame(tap, mac, 0x86dd, p, sizeof(p));
	}
}

/* One datagram from each of the four: whose come?  "134": the first, third and fourth's.  A second socket, to which all come, tells that they have been
 * given out; those that are to come to this one may still be on their last step. */
static const char *heard(int s, int sees_all, size_t least)
{
	static char who[16];
	size_t n = 0;
	char c;

	for (int k = 0; k < 4; k++)
		send_from(k);
	for (int k = 0; k < 4; k++)
		CHECK(recv(sees_all, &c, 1, 0) == 1);
	while (n < sizeof(who) - 1 && recv(s, &c, 1, n < least ? 0 : MSG_DONTWAIT) == 1)
		who[n++] = c;
	who[n] = 0;
	return who;
}

#define HEARS(s, all, who) do { const char *h_ = heard(s, all, strlen(who)); if (strcmp(h_, who)) printf("# heard \"%s\"\n", h_); CHECK(!strcmp(h_, who)); } while (0)

static int on4(int s, int what, const char *source)
{
	struct ip_mreq_source r = { .imr_interface.s_addr = inet_addr("127.0.0.1"), .imr_multiaddr.s_addr = inet_addr("239.7.7.8"), .imr_sourceaddr.s_addr = inet_addr(source) };

	return setsockopt(s, IPPROTO_IP, what, &r, sizeof(r));
}

static int on6(int s, int what, const char *source)
{
	struct sockaddr_in6 g = in6("ff05::78", 0), from = in6(source, 0);
	struct group_source_req r = { .gsr_interface = if_nametoindex("w0") };

	memcpy(&r.gsr_group, &g, sizeof(g));
	memcpy(&r.gsr_source, &from, sizeof(from));
	return setsockopt(s, IPPROTO_IPV6, what, &r, sizeof(r));
}

static void sockets4(int s[2])
{
	struct ip_mreqn lo = { .imr_multiaddr.s_addr = inet_addr("239.7.7.8"), .imr_ifindex = 1 };
	int one = 1;

	lo_up();
	for (int k = 0; k < 2; k++) {
		struct sockaddr_in any = in4("0.0.0.0", port);

		s[k] = socket(AF_INET, SOCK_DGRAM, 0);
		CHECK_EQ(setsockopt(s[k], SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
		CHECK_EQ(bind(s[k], SA(any)), 0);
		port = port_of(s[k]);
		CHECK_EQ(set_option(s[k], IPPROTO_IP, IP_MULTICAST_ALL, 0), 0);
	}
	CHECK_EQ(setsockopt(s[1], IPPROTO_IP, IP_ADD_MEMBERSHIP, &lo, sizeof(lo)), 0);
}

TEST(some_sources)
{
	int s[2];

	sockets4(s);
	HEARS(s[0], s[1], "");
	CHECK_EQ(on4(s[0], IP_ADD_SOURCE_MEMBERSHIP, all4[0]), 0);
	HEARS(s[0], s[1], "1");
	CHECK_EQ(on4(s[0], IP_ADD_SOURCE_MEMBERSHIP, all4[2]), 0);
	CHECK_ERR(on4(s[0], IP_ADD_SOURCE_MEMBERSHIP, all4[2]), EADDRNOTAVAIL);
	HEARS(s[0], s[1], "13");
	CHECK_ERR(on4(s[0], IP_BLOCK_SOURCE, all4[3]), EINVAL);
	CHECK_ERR(on4(s[0], IP_DROP_SOURCE_MEMBERSHIP, all4[3]), EADDRNOTAVAIL);
	CHECK_EQ(on4(s[0], IP_DROP_SOURCE_MEMBERSHIP, all4[0]), 0);
	HEARS(s[0], s[1], "3");
	CHECK_EQ(on4(s[0], IP_DROP_SOURCE_MEMBERSHIP, all4[2]), 0);		/* the last one's end is the membership's */
	HEARS(s[0], s[1], "");
	CHECK_ERR(on4(s[0], IP_DROP_SOURCE_MEMBERSHIP, all4[2]), EINVAL);
}

TEST(all_but_some)
{
	struct ip_mreqn lo = { .imr_multiaddr.s_addr = inet_addr("239.7.7.8"), .imr_ifindex = 1 };
	int s[2];

	sockets4(s);
	CHECK_ERR(on4(s[0], IP_BLOCK_SOURCE, all4[1]), EINVAL);
	CHECK_EQ(setsockopt(s[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &lo, sizeof(lo)), 0);
	HEARS(s[0], s[1], "1234");
	CHECK_EQ(on4(s[0], IP_BLOCK_SOURCE, all4[1]), 0);
	HEARS(s[0], s[1], "134");
	CHECK_ERR(on4(s[0], IP_ADD_SOURCE_MEMBERSHIP, all4[3]), EINVAL);
	CHECK_EQ(on4(s[0], IP_UNBLOCK_SOURCE, all4[1]), 0);
	HEARS(s[0], s[1], "1234");
	CHECK_ERR(on4(s[0], IP_UNBLOCK_SOURCE, all4[1]), EADDRNOTAVAIL);
	CHECK_ERR(setsockopt(s[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &lo, sizeof(lo)), EADDRINUSE);
	CHECK_EQ(setsockopt(s[0], IPPROTO_IP, IP_DROP_MEMBERSHIP, &lo, sizeof(lo)), 0);
	HEARS(s[0], s[1], "");
}

/* One that has named no source yet goes over from all to some. */
TEST(from_all_to_some)
{
	struct ip_mreqn lo = { .imr_multiaddr.s_addr = inet_addr("239.7.7.8"), .imr_ifindex = 1 };
	int s[2];

	sockets4(s);
	CHECK_EQ(setsockopt(s[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &lo, sizeof(lo)), 0);
	CHECK_EQ(on4(s[0], IP_ADD_SOURCE_MEMBERSHIP, all4[3]), 0);
	HEARS(s[0], s[1], "4");
	CHECK_ERR(setsockopt(s[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &lo, sizeof(lo)), EADDRINUSE);
}

static int raw_hears(int raw, int all, int least)
{
	char b[100];
	int n = 0;

	for (int k = 0; k < 4; k++)
		send_from(k);
	for (int k = 0; k < 4; k++)
		CHECK_EQ(recv(all, b, sizeof(b), 0), 1);
	while (recv(raw, b, sizeof(b), n < least ? 0 : MSG_DONTWAIT) == 29)
		n++;
	return n;
}

TEST(raw_sockets)
{
	int s[2], raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);

	sockets4(s);
	CHECK_EQ(raw_hears(raw, s[1], 4), 4);
	CHECK_EQ(set_option(raw, IPPROTO_IP, IP_MULTICAST_ALL, 0), 0);
	CHECK_EQ(raw_hears(raw, s[1], 0), 0);
	CHECK_EQ(on4(raw, IP_ADD_SOURCE_MEMBERSHIP, all4[1]), 0);
	CHECK_EQ(raw_hears(raw, s[1], 1), 1);
}

TEST(by_socket_address_and_ipv6)
{
	struct sockaddr_in6 any, g = in6("ff05::78", 0);
	struct group_req all = { 0 };
	int s[2], one = 1;

	tap = wire();
	memcpy(&all.gr_group, &g, sizeof(g));
	all.gr_interface = if_nametoindex("w0");
	for (int k = 0; k < 2; k++) {
		s[k] = socket(AF_INET6, SOCK_DGRAM, 0);
		CHECK_EQ(setsockopt(s[k], SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
		any = in6("::", port);
		CHECK_EQ(bind(s[k], SA(any)), 0);
		port = port_of(s[k]);
		CHECK_EQ(set_option(s[k], IPPROTO_IPV6, 29 /* IPV6_MULTICAST_ALL */, 0), 0);
	}
	CHECK_EQ(setsockopt(s[1], IPPROTO_IPV6, MCAST_JOIN_GROUP, &all, sizeof(all)), 0);
	HEARS(s[0], s[1], "");
	CHECK_EQ(on6(s[0], MCAST_JOIN_SOURCE_GROUP, all6[1]), 0);
	CHECK_EQ(on6(s[0], MCAST_JOIN_SOURCE_GROUP, all6[2]), 0);
	HEARS(s[0], s[1], "23");
	CHECK_ERR(on6(s[0], MCAST_BLOCK_SOURCE, all6[1]), EINVAL);
	CHECK_EQ(on6(s[0], MCAST_LEAVE_SOURCE_GROUP, all6[1]), 0);
	CHECK_EQ(on6(s[0], MCAST_LEAVE_SOURCE_GROUP, all6[2]), 0);
	HEARS(s[0], s[1], "");
	CHECK_ERR(on6(s[0], MCAST_LEAVE_SOURCE_GROUP, all6[2]), EINVAL);
	CHECK_EQ(setsockopt(s[0], IPPROTO_IPV6, MCAST_JOIN_GROUP, &all, sizeof(all)), 0);
	CHECK_EQ(on6(s[0], MCAST_BLOCK_SOURCE, all6[3]), 0);
	HEARS(s[0], s[1], "123");
	CHECK_EQ(on6(s[0], MCAST_UNBLOCK_SOURCE, all6[3]), 0);
	HEARS(s[0], s[1], "1234");
}

static int filter4(int s, const char *group, unsigned mode, unsigned nr, unsigned told)
{
	char room[IP_MSFILTER_SIZE(12)];
	struct ip_msfilter *f = (void *)room;

	memset(room, 0, sizeof(room));
	f->imsf_multiaddr.s_addr = inet_addr(group);
	f->imsf_interface.s_addr = inet_addr("127.0.0.1");
	f->imsf_fmode = mode;
	f->imsf_numsrc = told;
	for (unsigned k = 0; k < nr; k++)
		f->imsf_slist[k].s_addr = inet_addr(all4[k % 4]);
	return setsockopt(s, IPPROTO_IP, IP_MSFILTER, f, IP_MSFILTER_SIZE(nr));
}

static void told4(int s, unsigned room, unsigned mode, unsigned nr)
{
	char b[IP_MSFILTER_SIZE(12)];
	struct ip_msfilter *f = (void *)b;
	socklen_t len = IP_MSFILTER_SIZE(room);
	unsigned shown = room < nr ? room : nr;

	memset(b, 0, sizeof(b));
	f->imsf_multiaddr.s_addr = inet_addr("239.7.7.8");
	f->imsf_interface.s_addr = inet_addr("127.0.0.1");
	f->imsf_numsrc = room;
	CHECK_EQ(getsockopt(s, IPPROTO_IP, IP_MSFILTER, f, &len), 0);
	CHECK_EQ(len, IP_MSFILTER_SIZE(shown));
	CHECK_EQ(f->imsf_fmode, mode);
	CHECK_EQ(f->imsf_numsrc, nr);
	for (unsigned k = 0; k < shown; k++)
		CHECK_EQ(f->imsf_slist[k].s_addr, inet_addr(all4[k]));
}

TEST(the_whole_list_at_once)
{
	struct ip_mreqn lo = { .imr_multiaddr.s_addr = inet_addr("239.7.7.8"), .imr_ifindex = 1 };
	int s[2];

	sockets4(s);
	CHECK_ERR(filter4(s[0], "239.7.7.8", MCAST_INCLUDE, 2, 2), EINVAL);
	CHECK_ERR(filter4(s[0], "239.7.7.8", MCAST_INCLUDE, 0, 0), EADDRNOTAVAIL);
	CHECK_EQ(setsockopt(s[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &lo, sizeof(lo)), 0);
	told4(s[0], 0, MCAST_EXCLUDE, 0);
	CHECK_EQ(filter4(s[0], "239.7.7.8", MCAST_INCLUDE, 3, 3), 0);
	HEARS(s[0], s[1], "123");
	told4(s[0], 3, MCAST_INCLUDE, 3);
	told4(s[0], 1, MCAST_INCLUDE, 3);
	CHECK_EQ(filter4(s[0], "239.7.7.8", MCAST_EXCLUDE, 2, 2), 0);
	HEARS(s[0], s[1], "34");
	told4(s[0], 4, MCAST_EXCLUDE, 2);
	CHECK_EQ(filter4(s[0], "239.7.7.8", MCAST_EXCLUDE, 0, 0), 0);
	HEARS(s[0], s[1], "1234");
	CHECK_ERR(filter4(s[0], "239.7.7.8", 2, 1, 1), EINVAL);
	CHECK_ERR(filter4(s[0], "239.7.7.8", MCAST_INCLUDE, 1, 2), EINVAL);
	CHECK_ERR(filter4(s[0], "10.1.1.1", MCAST_INCLUDE, 1, 1), EINVAL);
	CHECK_ERR(filter4(s[0], "239.7.7.8", MCAST_INCLUDE, 11, 11), ENOBUFS);
	CHECK_ERR(filter4(s[0], "239.7.7.8", MCAST_INCLUDE, 1, -1u), ENOBUFS);
	CHECK_EQ(filter4(s[0], "239.7.7.8", MCAST_INCLUDE, 0, 0), 0);
	HEARS(s[0], s[1], "");
}

TEST(the_whole_list_by_socket_addresses)
{
	enum { MANY = 64 };
	static char b[GROUP_FILTER_SIZE(MANY + 1)];
	struct group_filter *f = (void *)b;
	struct sockaddr_in6 g = in6("ff05::78", 0), from;
	struct group_req all = { 0 };
	socklen_t len = sizeof(b);
	int w = wire(), s = socket(AF_INET6, SOCK_DGRAM, 0);

	all.gr_interface = if_nametoindex("w0");
	memcpy(&all.gr_group, &g, sizeof(g));
	CHECK_EQ(setsockopt(s, IPPROTO_IPV6, MCAST_JOIN_GROUP, &all, sizeof(all)), 0);
	f->gf_interface = all.gr_interface;
	f->gf_group = all.gr_group;
	f->gf_fmode = MCAST_INCLUDE;
	f->gf_numsrc = MANY;
	for (int k = 0; k < MANY; k++) {
		from = in6("fd09::1000", 0);
		from.sin6_addr.s6_addr[15] = (unsigned char)k;
		memcpy(&f->gf_slist[k], &from, sizeof(from));
	}
	CHECK_EQ(setsockopt(s, IPPROTO_IPV6, MCAST_MSFILTER, f, GROUP_FILTER_SIZE(MANY)), 0);
	CHECK_ERR(setsockopt(s, IPPROTO_IPV6, MCAST_MSFILTER, f, GROUP_FILTER_SIZE(MANY) - 1), EINVAL);
	f->gf_numsrc = MANY + 1;
	CHECK_ERR(setsockopt(s, IPPROTO_IPV6, MCAST_MSFILTER, f, GROUP_FILTER_SIZE(MANY + 1)), ENOBUFS);
	memset(&f->gf_slist, 0, sizeof(from));
	CHECK_EQ(getsockopt(s, IPPROTO_IPV6, MCAST_MSFILTER, f, &len), 0);
	CHECK(f->gf_fmode == MCAST_INCLUDE && f->gf_numsrc == MANY && len == GROUP_FILTER_SIZE(MANY));
	for (int k = 0; k < MANY; k++) {
		memcpy(&from, &f->gf_slist[k], sizeof(from));
		CHECK(from.sin6_family == AF_INET6 && from.sin6_addr.s6_addr[14] == 0x10 && from.sin6_addr.s6_addr[15] == k);
	}
	len = GROUP_FILTER_SIZE(0) - 1;
	CHECK_ERR(getsockopt(s, IPPROTO_IPV6, MCAST_MSFILTER, f, &len), EINVAL);
	close(w);
}

TEST(bad_ones)
{
	struct sockaddr_in6 six = in6("ff05::78", 0);
	struct group_source_req r = { .gsr_interface = 1 };
	struct ip_mreq_source m = { .imr_multiaddr.s_addr = inet_addr("239.7.7.8"), .imr_interface.s_addr = inet_addr("10.99.99.99") };
	int s[2];

	sockets4(s);
	memcpy(&r.gsr_group, &six, sizeof(six));
	CHECK_ERR(setsockopt(s[0], IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &r, sizeof(r)), EADDRNOTAVAIL);
	CHECK_ERR(setsockopt(s[0], IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &r, sizeof(r) - 1), EINVAL);
	CHECK_ERR(setsockopt(s[0], IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &m, sizeof(m)), ENODEV);
	CHECK_ERR(setsockopt(s[0], IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &m, sizeof(m) - 1), EINVAL);
	m.imr_multiaddr.s_addr = inet_addr("10.1.1.1");
	CHECK_ERR(setsockopt(s[0], IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &m, sizeof(m)), EINVAL);
	for (int k = 0; k < 10; k++) {
		char a[20];

		snprintf(a, sizeof(a), "10.0.0.%d", k);
		CHECK_EQ(on4(s[0], IP_ADD_SOURCE_MEMBERSHIP, a), 0);
	}
	CHECK_ERR(on4(s[0], IP_ADD_SOURCE_MEMBERSHIP, all4[0]), ENOBUFS);
	close(s[0]);
}
