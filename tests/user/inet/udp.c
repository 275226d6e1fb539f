/* UDP over loopback. */
#include "inet.h"
#include <netinet/udp.h>

static int bound(const char *a)
{
	struct sockaddr_in s = in4(a, 0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, SA(s)), 0);
	return fd;
}

TEST(datagrams)
{
	struct sockaddr_in to, from;
	socklen_t len = sizeof(from);
	int a, b;
	char buf[16];

	lo_up();
	a = bound("127.0.0.1");
	b = bound("0.0.0.0");
	to = in4("127.0.0.1", port_of(b));
	CHECK_EQ(sendto(a, "one", 3, 0, SA(to)), 3);
	CHECK_EQ(sendto(a, "", 0, 0, SA(to)), 0);
	CHECK_EQ(sendto(a, "three", 5, 0, SA(to)), 5);
	CHECK_EQ(recvfrom(b, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 3);
	CHECK(!memcmp(buf, "one", 3) && from.sin_port == htons(port_of(a)) && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	CHECK_EQ(len, sizeof(from));
	CHECK_EQ(recv(b, buf, sizeof(buf), 0), 0);
	CHECK_EQ(recv(b, buf, 2, MSG_PEEK), 2);
	CHECK_EQ(recv(b, buf, 2, MSG_TRUNC), 5);
	CHECK_ERR(recv(b, buf, 2, MSG_DONTWAIT), EAGAIN);
}

TEST(truncated)
{
	struct sockaddr_in to;
	char buf[4];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int a, b;

	lo_up();
	a = bound("127.0.0.1");
	b = bound("127.0.0.1");
	to = in4("127.0.0.1", port_of(b));
	CHECK_EQ(sendto(a, "longer than four", 16, 0, SA(to)), 16);
	CHECK_EQ(recvmsg(b, &m, 0), 4);
	CHECK_EQ(m.msg_flags, MSG_TRUNC);
}

TEST(connected)
{
	struct sockaddr_in to, none = { .sin_family = AF_UNSPEC };
	int a, b, c;
	char buf[8];

	lo_up();
	a = bound("127.0.0.1");
	b = bound("127.0.0.1");
	c = bound("127.0.0.1");
	to = in4("127.0.0.1", port_of(b));
	CHECK_ERR(send(a, "x", 1, 0), EDESTADDRREQ);
	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(send(a, "hi", 2, 0), 2);
	CHECK_EQ(read(b, buf, 8), 2);
	/* only its peer is heard */
	to = in4("127.0.0.1", port_of(a));
	CHECK_EQ(sendto(c, "no", 2, 0, SA(to)), 2);
	CHECK_EQ(sendto(b, "yes", 3, 0, SA(to)), 3);
	CHECK_EQ(read(a, buf, 8), 3);
	CHECK_EQ(connect(a, SA(none)), 0);
	CHECK_ERR(send(a, "x", 1, 0), EDESTADDRREQ);
	to = in4("127.0.0.1", port_of(c));
	CHECK_EQ(sendto(a, "now", 3, 0, SA(to)), 3);
	CHECK_EQ(read(c, buf, 8), 3);
}

TEST(refused)
{
	struct sockaddr_in to;
	int a, b, port;
	char c;

	lo_up();
	a = bound("127.0.0.1");
	b = bound("127.0.0.1");
	port = port_of(b);
	close(b);
	to = in4("127.0.0.1", port);
	CHECK_EQ(sendto(a, "x", 1, 0, SA(to)), 1);
	CHECK_ERR(recv(a, &c, 1, MSG_DONTWAIT), EAGAIN);	/* it is not connected */
	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(send(a, "x", 1, 0), 1);
	CHECK(wait_events(a, POLLERR) & POLLERR);
	CHECK_ERR(recv(a, &c, 1, 0), ECONNREFUSED);
	CHECK_EQ(send(a, "x", 1, 0), 1);
	CHECK(wait_events(a, POLLERR) & POLLERR);
	CHECK_EQ(error_of(a), ECONNREFUSED);
	CHECK_EQ(error_of(a), 0);
}

TEST(sizes)
{
	static char buf[70000], in[70000];
	struct sockaddr_in to;
	int a, b;

	lo_up();
	a = bound("127.0.0.1");
	b = bound("127.0.0.1");
	to = in4("127.0.0.1", port_of(b));
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 7 + (i >> 9));
	for (int n = 1; n <= 65507; n = n * 3 + 1) {
		CHECK_EQ(sendto(a, buf, n, 0, SA(to)), n);
		CHECK_EQ(recv(b, in, sizeof(in), 0), n);
		CHECK(!memcmp(buf, in, n));
	}
	CHECK_EQ(sendto(a, buf, 65507, 0, SA(to)), 65507);
	CHECK_EQ(recv(b, in, sizeof(in), 0), 65507);
	CHECK(!memcmp(buf, in, 65507));
	CHECK_ERR(sendto(a, buf, 65508, 0, SA(to)), EMSGSIZE);
	to.sin_port = 0;
	CHECK_ERR(sendto(a, buf, 1, 0, SA(to)), EINVAL);
}

TEST(overflow_drops)
{
	struct sockaddr_in to;
	static char buf[4096];
	int a, b, n = 0;

	lo_up();
	a = bound("127.0.0.1");
	b = bound("127.0.0.1");
	to = in4("127.0.0.1", port_of(b));
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(sendto(a, buf, sizeof(buf), 0, SA(to)), sizeof(buf));
	while (recv(b, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		n++;
	CHECK(n > 10 && n < 1000);
	CHECK_EQ(sendto(a, buf, 5, 0, SA(to)), 5);
	CHECK_EQ(recv(b, buf, sizeof(buf), 0), 5);
}

TEST(control_messages)
{
	struct sockaddr_in to;
	char buf[8], control[256];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int a, b, pktinfo = 0, ttl = 0, tos = -1;

	lo_up();
	a = bound("127.0.0.1");
	b = bound("0.0.0.0");
	CHECK_EQ(set_option(b, IPPROTO_IP, IP_PKTINFO, 1), 0);
	CHECK_EQ(set_option(b, IPPROTO_IP, IP_RECVTTL, 1), 0);
	CHECK_EQ(set_option(b, IPPROTO_IP, IP_RECVTOS, 1), 0);
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_TTL, 7), 0);
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_TOS, 0x10), 0);
	to = in4("127.0.0.5", port_of(b));
	CHECK_EQ(sendto(a, "x", 1, 0, SA(to)), 1);
	CHECK_EQ(recvmsg(b, &m, 0), 1);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		CHECK_EQ(c->cmsg_level, IPPROTO_IP);
		if (c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *p = (void *)CMSG_DATA(c);

			CHECK_EQ(p->ipi_ifindex, 1);
			CHECK_EQ(p->ipi_addr.s_addr, to.sin_addr.s_addr);
			pktinfo = 1;
		} else if (c->cmsg_type == IP_TTL) {
			ttl = *(int *)CMSG_DATA(c);
		} else if (c->cmsg_type == IP_TOS) {
			tos = *CMSG_DATA(c);
		}
	}
	CHECK(pktinfo);
	CHECK_EQ(ttl, 7);
	CHECK_EQ(tos, 0x10);
}

TEST(sharing_ports)
{
	struct sockaddr_in s;
	int a = bound("127.0.0.1"), b = socket(AF_INET, SOCK_DGRAM, 0), c;

	lo_up();
	s = in4("127.0.0.1", port_of(a));
	CHECK_ERR(bind(b, SA(s)), EADDRINUSE);
	CHECK_EQ(set_option(a, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(set_option(b, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(bind(b, SA(s)), 0);
	c = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 t = in6("::", port_of(a));
	CHECK_ERR(bind(c, SA(t)), EADDRINUSE);
	CHECK_EQ(set_option(c, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
	CHECK_EQ(bind(c, SA(t)), 0);
}

TEST(corked)
{
	struct sockaddr_in to;
	char buf[16];
	int a, b;

	lo_up();
	a = bound("127.0.0.1");
	b = bound("127.0.0.1");
	to = in4("127.0.0.1", port_of(b));
	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(send(a, "ab", 2, MSG_MORE), 2);
	CHECK_ERR(recv(b, buf, 16, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(a, "cd", 2, 0), 2);
	CHECK_EQ(recv(b, buf, 16, 0), 4);
	CHECK(!memcmp(buf, "abcd", 4));
}

TEST(six)
{
	struct sockaddr_in6 s = in6("::1", 0), from;
	struct sockaddr_in t;
	socklen_t len = sizeof(from);
	int a = socket(AF_INET6, SOCK_DGRAM, 0), b = socket(AF_INET6, SOCK_DGRAM, 0), c;
	char buf[8], text[64];

	lo_up();
	CHECK_EQ(bind(a, SA(s)), 0);
	s.sin6_port = htons(port_of(a));
	CHECK_EQ(sendto(b, "six", 3, 0, SA(s)), 3);
	CHECK_EQ(recvfrom(a, buf, 8, 0, (struct sockaddr *)&from, &len), 3);
	CHECK(!memcmp(&from.sin6_addr, &in6addr_loopback, 16));
	a = socket(AF_INET6, SOCK_DGRAM, 0);
	s = in6("::", 0);
	CHECK_EQ(bind(a, SA(s)), 0);
	c = socket(AF_INET, SOCK_DGRAM, 0);
	t = in4("127.0.0.1", port_of(a));
	CHECK_EQ(sendto(c, "four", 4, 0, SA(t)), 4);
	CHECK_EQ(recvfrom(a, buf, 8, 0, (struct sockaddr *)&from, &len), 4);
	CHECK(!strcmp(inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof(text)), "::ffff:127.0.0.1"));
	CHECK_EQ(sendto(a, "back", 4, 0, SA(from)), 4);
	CHECK_EQ(recv(c, buf, 8, 0), 4);
	s = in6("::1", 1);
	CHECK_EQ(connect(b, SA(s)), 0);
	CHECK_EQ(send(b, "x", 1, 0), 1);
	CHECK(wait_events(b, POLLERR) & POLLERR);
	CHECK_ERR(recv(b, buf, 1, 0), ECONNREFUSED);
}

TEST(shutdown_ends)
{
	struct sockaddr_in to;
	int a;
	char c;

	lo_up();
	a = bound("127.0.0.1");
	to = in4("127.0.0.1", port_of(a));
	CHECK_ERR(shutdown(a, SHUT_RD), ENOTCONN);
	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(shutdown(a, SHUT_RD), 0);
	CHECK_EQ(recv(a, &c, 1, 0), 0);
	CHECK_EQ(shutdown(a, SHUT_WR), 0);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(send(a, "x", 1, 0), EPIPE);
}

TEST(many_at_once)
{
	struct sockaddr_in to;
	struct mmsghdr m[8] = { 0 };
	struct iovec v[8];
	char buf[8][8];
	int a, b;

	lo_up();
	a = bound("127.0.0.1");
	b = bound("127.0.0.1");
	to = in4("127.0.0.1", port_of(b));
	for (int i = 0; i < 8; i++) {
		v[i] = (struct iovec){ buf[i], i + 1 };
		m[i].msg_hdr = (struct msghdr){ .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &v[i], .msg_iovlen = 1 };
		memset(buf[i], 'a' + i, 8);
	}
	CHECK_EQ(sendmmsg(a, m, 8, 0), 8);
	for (int i = 0; i < 8; i++) {
		m[i].msg_hdr.msg_name = NULL;
		v[i].iov_len = 8;
	}
	CHECK_EQ(recvmmsg(b, m, 8, 0, NULL), 8);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(m[i].msg_len, (unsigned)i + 1);
}

TEST(ping)
{
	unsigned char echo[16] = { 8, 0, 0, 0, 0, 0, 0, 1, 'p', 'i', 'n', 'g' }, in[128];
	struct sockaddr_in to = in4("127.0.0.1", 0);
	int s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	unsigned sum = 0;
	ssize_t n;

	lo_up();
	CHECK(s >= 0);
	for (int i = 0; i < 16; i += 2)
		sum += echo[i] << 8 | echo[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	echo[2] = (unsigned char)(~sum >> 8);
	echo[3] = (unsigned char)~sum;
	CHECK_EQ(sendto(s, echo, 16, 0, SA(to)), 16);
	CHECK_EQ(recv(s, in, sizeof(in), 0), 36);	/* the question comes in, too */
	CHECK_EQ(in[20], 8);
	n = recv(s, in, sizeof(in), 0);
	CHECK_EQ(n, 36);
	CHECK(in[0] == 0x45 && in[9] == 1 && in[20] == 0 && !memcmp(in + 28, "ping", 4));
}

TEST(raw_packets)
{
	unsigned char p[32] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 9, 200, 0, 0, 0, 0, 0, 0, 127, 0, 0, 1, 'd', 'a', 't', 'a' }, in[64];
	struct sockaddr_in to = in4("127.0.0.1", 0);
	int s = socket(AF_INET, SOCK_RAW, 200), h = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	lo_up();
	CHECK_ERR(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
	CHECK_EQ(sendto(s, "body", 4, 0, SA(to)), 4);
	CHECK_EQ(recv(s, in, sizeof(in), 0), 24);
	CHECK(!memcmp(in + 20, "body", 4));
	CHECK_EQ(sendto(h, p, 24, 0, SA(to)), 24);
	CHECK_EQ(recv(s, in, sizeof(in), 0), 24);
	CHECK(!memcmp(in + 20, "data", 4) && in[8] == 9);
}

TEST(multicast)
{
	struct ip_mreqn r = { .imr_ifindex = 1 };
	struct sockaddr_in to, any;
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);

	lo_up();
	any = in4("0.0.0.0", 0);
	CHECK_EQ(bind(b, SA(any)), 0);
	to = in4("239.1.2.3", port_of(b));
	r.imr_multiaddr = to.sin_addr;
	CHECK_EQ(setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)), 0);
	CHECK_ERR(setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)), EADDRINUSE);
	CHECK_EQ(setsockopt(b, IPPROTO_IP, IP_DROP_MEMBERSHIP, &r, sizeof(r)), 0);
	CHECK_ERR(setsockopt(b, IPPROTO_IP, IP_DROP_MEMBERSHIP, &r, sizeof(r)), EADDRNOTAVAIL);
	r.imr_multiaddr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_ERR(setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)), EINVAL);
	CHECK_EQ(option(a, IPPROTO_IP, IP_MULTICAST_TTL), 1);
	CHECK_EQ(option(a, IPPROTO_IP, IP_MULTICAST_LOOP), 1);
}

/* What goes to a group by lo comes to its members, on lo, and to nobody else. */
TEST(groups_over_lo)
{
	struct sockaddr_in any = in4("0.0.0.0", 0), to;
	struct ip_mreq join = { .imr_multiaddr.s_addr = inet_addr("239.1.2.3"), .imr_interface.s_addr = htonl(INADDR_LOOPBACK) };
	struct in_addr lo = { htonl(INADDR_LOOPBACK) };
	int a = socket(AF_INET, SOCK_DGRAM, 0), b[3];
	char buf[8];

	lo_up();
	for (int i = 0; i < 3; i++) {
		b[i] = socket(AF_INET, SOCK_DGRAM, 0);
		CHECK_EQ(set_option(b[i], SOL_SOCKET, SO_REUSEADDR, 1), 0);
		CHECK_EQ(set_option(b[i], IPPROTO_IP, IP_MULTICAST_ALL, 0), 0);
		CHECK_EQ(bind(b[i], SA(any)), 0);
		any.sin_port = htons(port_of(b[i]));
		if (i < 2)
			CHECK_EQ(setsockopt(b[i], IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)), 0);
	}
	CHECK_EQ(setsockopt(a, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)), 0);
	to = in4("239.1.2.3", port_of(b[0]));
	CHECK_EQ(sendto(a, "all", 3, 0, SA(to)), 3);
	CHECK_EQ(recv(b[0], buf, sizeof(buf), 0), 3);
	CHECK_EQ(recv(b[1], buf, sizeof(buf), 0), 3);
	CHECK_ERR(recv(b[2], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(setsockopt(b[0], IPPROTO_IP, IP_DROP_MEMBERSHIP, &join, sizeof(join)), 0);
	CHECK_EQ(sendto(a, "one", 3, 0, SA(to)), 3);
	CHECK_EQ(recv(b[1], buf, sizeof(buf), 0), 3);
	CHECK_ERR(recv(b[0], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}
