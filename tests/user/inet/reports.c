/* IP_RECVERR and MSG_ERRQUEUE, path MTU discovery, SO_ZEROCOPY: what a socket hears of what it has sent. */
#include "wire.h"
#include <linux/errqueue.h>
#include <netinet/udp.h>

#ifndef IP_RECVERR
#define IP_RECVERR 11
#endif

struct report { struct sock_extended_err ee; struct sockaddr_in offender, name; char bytes[2000]; ssize_t len; int flags, level; };

/* 0, or the errno of recvmsg. */
static int receive(int fd, struct report *r, size_t room)
{
	char control[512];
	struct iovec v = { r->bytes, room };
	struct msghdr m = { .msg_name = &r->name, .msg_namelen = sizeof(r->name), .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };

	memset(r, 0, sizeof(*r));
	r->len = recvmsg(fd, &m, MSG_ERRQUEUE);
	if (r->len < 0)
		return errno;
	r->flags = m.msg_flags;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) || (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
			r->level = c->cmsg_level;
			memcpy(&r->ee, CMSG_DATA(c), sizeof(r->ee));
			memcpy(&r->offender, CMSG_DATA(c) + sizeof(r->ee), sizeof(r->offender));
		}
	return 0;
}

static int udp(const char *a)
{
	struct sockaddr_in s = in4(a, 0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, SA(s)), 0);
	return fd;
}

static int closed_port(void)
{
	int fd = udp("127.0.0.1"), port = port_of(fd);

	close(fd);
	return port;
}

TEST(empty_queue)
{
	struct report r;
	int a, t = socket(AF_INET, SOCK_STREAM, 0);

	lo_up();
	a = udp("127.0.0.1");
	CHECK_EQ(receive(a, &r, 10), EAGAIN);
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_RECVERR, 1), 0);
	CHECK_EQ(option(a, IPPROTO_IP, IP_RECVERR), 1);
	CHECK_EQ(receive(a, &r, 10), EAGAIN);
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_RECVERR, 0), 0);
	CHECK_EQ(option(a, IPPROTO_IP, IP_RECVERR), 0);
	CHECK_EQ(receive(t, &r, 10), EAGAIN);
	CHECK_EQ(set_option(t, IPPROTO_IP, IP_RECVERR, 1), 0);
	CHECK_EQ(receive(t, &r, 10), EAGAIN);
}

TEST(refused_is_reported)
{
	struct sockaddr_in to;
	struct report r;
	int a, port;

	lo_up();
	a = udp("127.0.0.1");
	port = closed_port();
	to = in4("127.0.0.1", port);
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_RECVERR, 1), 0);
	CHECK_EQ(sendto(a, "hello", 5, 0, SA(to)), 5);
	CHECK(wait_events(a, 0) & POLLERR);
	CHECK_EQ(receive(a, &r, sizeof(r.bytes)), 0);
	CHECK_EQ(r.len, 5);
	CHECK(!memcmp(r.bytes, "hello", 5));
	CHECK_EQ(r.flags, MSG_ERRQUEUE);
	CHECK_EQ(r.level, IPPROTO_IP);
	CHECK_EQ(r.ee.ee_errno, ECONNREFUSED);
	CHECK_EQ(r.ee.ee_origin, SO_EE_ORIGIN_ICMP);
	CHECK_EQ(r.ee.ee_type, 3);
	CHECK_EQ(r.ee.ee_code, 3);
	CHECK_EQ(r.ee.ee_info, 0);
	CHECK_EQ(r.offender.sin_family, AF_INET);
	CHECK_EQ(r.offender.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	CHECK_EQ(r.name.sin_port, htons(port));
	CHECK_EQ(r.name.sin_addr.s_addr, to.sin_addr.s_addr);
	/* reading it took the error with it */
	CHECK_EQ(error_of(a), 0);
	CHECK(!(events_of(a, 0) & POLLERR));
	CHECK_EQ(receive(a, &r, 10), EAGAIN);
}

TEST(error_and_report)
{
	struct sockaddr_in to;
	struct report r;
	char c;
	int a;

	lo_up();
	a = udp("127.0.0.1");
	to = in4("127.0.0.1", closed_port());
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_RECVERR, 1), 0);
	CHECK_EQ(sendto(a, "x", 1, 0, SA(to)), 1);
	CHECK(wait_events(a, 0) & POLLERR);
	CHECK_ERR(recv(a, &c, 1, MSG_DONTWAIT), ECONNREFUSED);	/* though it is not connected */
	CHECK_ERR(recv(a, &c, 1, MSG_DONTWAIT), EAGAIN);
	CHECK(events_of(a, 0) & POLLERR);			/* the report is still there */
	CHECK_EQ(receive(a, &r, sizeof(r.bytes)), 0);
	CHECK_EQ(r.ee.ee_errno, ECONNREFUSED);
	CHECK(!(events_of(a, 0) & POLLERR));
}

TEST(several_in_order)
{
	struct sockaddr_in to;
	struct report r;
	int a, port[3];

	lo_up();
	a = udp("127.0.0.1");
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_RECVERR, 1), 0);
	for (int i = 0; i < 3; i++) {
		int tries = 0;

		port[i] = closed_port();
		to = in4("127.0.0.1", port[i]);
		while (sendto(a, "abc", i + 1, 0, SA(to)) < 0)	/* each call tells of the error before */
			CHECK(errno == ECONNREFUSED && ++tries < 3);
	}
	for (int i = 0; i < 3; i++) {
		CHECK(wait_events(a, 0) & POLLERR);
		CHECK_EQ(receive(a, &r, sizeof(r.bytes)), 0);
		CHECK_EQ(r.len, i + 1);
		CHECK_EQ(r.name.sin_port, htons(port[i]));
		if (i < 2)
			CHECK_EQ(error_of(a), ECONNREFUSED);	/* the next one's */
	}
	CHECK_EQ(error_of(a), 0);
}

TEST(short_buffer)
{
	struct sockaddr_in to;
	struct report r;
	int a;

	lo_up();
	a = udp("127.0.0.1");
	to = in4("127.0.0.1", closed_port());
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_RECVERR, 1), 0);
	CHECK_EQ(sendto(a, "hello", 5, 0, SA(to)), 5);
	CHECK(wait_events(a, 0) & POLLERR);
	CHECK_EQ(receive(a, &r, 2), 0);
	CHECK_EQ(r.len, 2);
	CHECK_EQ(r.flags, MSG_ERRQUEUE | MSG_TRUNC);
}

TEST(six_is_reported)
{
	struct sockaddr_in6 to, name = { 0 }, *offender;
	char control[512], bytes[100];
	struct iovec v = { bytes, sizeof(bytes) };
	struct msghdr m = { .msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct sock_extended_err *ee;
	int a, b, port;

	lo_up();
	a = socket(AF_INET6, SOCK_DGRAM, 0);
	b = socket(AF_INET6, SOCK_DGRAM, 0);
	to = in6("::1", 0);
	CHECK_EQ(bind(b, SA(to)), 0);
	port = port_of(b);
	close(b);
	to = in6("::1", port);
	CHECK_EQ(set_option(a, IPPROTO_IPV6, IPV6_RECVERR, 1), 0);
	CHECK_EQ(sendto(a, "six", 3, 0, SA(to)), 3);
	CHECK(wait_events(a, 0) & POLLERR);
	CHECK_EQ(recvmsg(a, &m, MSG_ERRQUEUE), 3);
	CHECK(!memcmp(bytes, "six", 3));
	CHECK_EQ(name.sin6_port, htons(port));
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
	ee = (void *)CMSG_DATA(c);
	CHECK_EQ(ee->ee_errno, ECONNREFUSED);
	CHECK_EQ(ee->ee_origin, SO_EE_ORIGIN_ICMP6);
	CHECK_EQ(ee->ee_type, 1);
	CHECK_EQ(ee->ee_code, 4);
	offender = (void *)(ee + 1);
	CHECK_EQ(offender->sin6_family, AF_INET6);
	CHECK(IN6_IS_ADDR_LOOPBACK(&offender->sin6_addr));
}

TEST(unreachable_on_the_wire)
{
	unsigned char p[2000];
	struct sockaddr_in to = in4("10.9.0.2", 777);
	struct report r;
	char c;
	int w = wire(), a = socket(AF_INET, SOCK_DGRAM, 0), n;
	static const struct { int type, code, error, hard; } kinds[] = {
		{ 3, 0, ENETUNREACH, 0 }, { 3, 1, EHOSTUNREACH, 0 }, { 3, 2, ENOPROTOOPT, 1 }, { 3, 3, ECONNREFUSED, 1 }, { 3, 6, ENETUNREACH, 1 },
		{ 3, 9, ENETUNREACH, 1 }, { 3, 10, EHOSTUNREACH, 1 }, { 3, 13, EHOSTUNREACH, 1 }, { 11, 0, EHOSTUNREACH, 0 } };

	CHECK_EQ(connect(a, SA(to)), 0);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		CHECK_EQ(set_option(a, IPPROTO_IP, IP_RECVERR, 0), 0);
		CHECK_EQ(send(a, "ping", 4, 0), 4);
		n = wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000);
		CHECK_EQ(n, 32);
		wire_icmp(w, "10.9.0.3", kinds[i].type, kinds[i].code, 0, p, 28);
		if (kinds[i].hard) {
			CHECK(wait_events(a, 0) & POLLERR);
			CHECK_ERR(recv(a, &c, 1, MSG_DONTWAIT), kinds[i].error);
		} else {
			CHECK_ERR(recv(a, &c, 1, MSG_DONTWAIT), EAGAIN);
		}
		CHECK_EQ(set_option(a, IPPROTO_IP, IP_RECVERR, 1), 0);
		wire_icmp(w, "10.9.0.3", kinds[i].type, kinds[i].code, 0, p, 28);
		CHECK(wait_events(a, 0) & POLLERR);
		CHECK_EQ(receive(a, &r, sizeof(r.bytes)), 0);
		CHECK_EQ(r.ee.ee_errno, kinds[i].error);
		CHECK_EQ(r.ee.ee_type, kinds[i].type);
		CHECK_EQ(r.ee.ee_code, kinds[i].code);
		CHECK_EQ(r.len, 0);		/* no more was quoted */
		CHECK_EQ(r.offender.sin_addr.s_addr, in4("10.9.0.3", 0).sin_addr.s_addr);
		CHECK_EQ(r.name.sin_addr.s_addr, to.sin_addr.s_addr);
		CHECK_EQ(r.name.sin_port, htons(777));
	}
}

TEST(reports_of_other_packets)
{
	unsigned char p[2000];
	struct sockaddr_in to = in4("10.9.0.2", 777);
	char c;
	int w = wire(), a = socket(AF_INET, SOCK_DGRAM, 0), n;

	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(send(a, "ping", 4, 0), 4);
	n = wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000);
	CHECK_EQ(n, 32);
	p[23]++;			/* to another port */
	wire_icmp(w, "10.9.0.2", 3, 3, 0, p, 28);
	p[23]--;
	p[19]++;			/* to another host */
	wire_icmp(w, "10.9.0.2", 3, 3, 0, p, 28);
	p[19]--;
	wire_icmp(w, "10.9.0.2", 3, 3, 0, p, 20);	/* nothing quoted that says whose it was */
	CHECK_ERR(recv(a, &c, 1, MSG_DONTWAIT), EAGAIN);
	wire_icmp(w, "10.9.0.2", 3, 3, 0, p, 28);
	CHECK(wait_events(a, 0) & POLLERR);
	CHECK_EQ(error_of(a), ECONNREFUSED);
}

TEST(ping_and_raw_hear_too)
{
	unsigned char p[2000], echo[8] = { 8 };
	struct sockaddr_in to = in4("10.9.0.2", 0);
	struct report r;
	unsigned sum;
	int w = wire(), raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), n;

	echo[7] = 1;
	sum = ~sum16(echo, 8, 0);
	echo[2] = (unsigned char)(sum >> 8);
	echo[3] = (unsigned char)sum;
	CHECK_EQ(set_option(raw, IPPROTO_IP, IP_RECVERR, 1), 0);
	CHECK_EQ(sendto(raw, echo, 8, 0, SA(to)), 8);
	n = wire_read(w, IPPROTO_ICMP, p, sizeof(p), 5000);
	CHECK_EQ(n, 28);
	wire_icmp(w, "10.9.0.9", 11, 0, 0, p, 28);	/* as traceroute wants to hear */
	CHECK(wait_events(raw, 0) & POLLERR);
	CHECK_EQ(receive(raw, &r, sizeof(r.bytes)), 0);
	CHECK_EQ(r.ee.ee_errno, EHOSTUNREACH);
	CHECK_EQ(r.ee.ee_type, 11);
	CHECK_EQ(r.len, 8);
	CHECK_EQ(r.offender.sin_addr.s_addr, in4("10.9.0.9", 0).sin_addr.s_addr);
}

/* --- path MTU --- */

TEST(datagrams_that_must_not_be_cut)
{
	static char buf[3000];
	unsigned char p[4000];
	struct sockaddr_in to = in4("10.9.0.2", 777);
	struct report r;
	int w = wire(), a = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_EQ(option(a, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_WANT);
	CHECK_ERR(getsockopt(a, IPPROTO_IP, IP_MTU, buf, &(socklen_t){ 4 }), ENOTCONN);
	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(option(a, IPPROTO_IP, IP_MTU), 1500);
	/* as they are born: whole if they fit, else in pieces */
	CHECK_EQ(send(a, buf, 1472, 0), 1472);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 1500);
	CHECK_EQ(p[6] & 0x60, 0x40);
	CHECK_EQ(send(a, buf, 1473, 0), 1473);
	CHECK(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000) <= 1500);
	CHECK_EQ(p[6] & 0x60, 0x20);
	CHECK(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000) > 20);
	CHECK_EQ(p[6] & 0x60, 0);
	/* never in pieces */
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
	CHECK_EQ(send(a, buf, 1472, 0), 1472);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 1500);
	CHECK_EQ(p[6] & 0x60, 0x40);
	CHECK_ERR(send(a, buf, 1473, 0), EMSGSIZE);
	CHECK_EQ(receive(a, &r, 10), EAGAIN);
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_RECVERR, 1), 0);
	CHECK_ERR(send(a, buf, 2000, 0), EMSGSIZE);
	CHECK_EQ(receive(a, &r, 10), 0);
	CHECK_EQ(r.ee.ee_errno, EMSGSIZE);
	CHECK_EQ(r.ee.ee_origin, SO_EE_ORIGIN_LOCAL);
	CHECK_EQ(r.ee.ee_info, 1500);
	CHECK_EQ(r.len, 0);
	CHECK_EQ(r.name.sin_addr.s_addr, to.sin_addr.s_addr);
	CHECK_EQ(r.offender.sin_family, AF_UNSPEC);
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE), 0);
	CHECK_ERR(send(a, buf, 1473, 0), EMSGSIZE);
	/* whoever likes may cut them */
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT), 0);
	CHECK_EQ(send(a, buf, 100, 0), 100);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 128);
	CHECK_EQ(p[6] & 0x60, 0);
	CHECK_ERR(set_option(a, IPPROTO_IP, IP_MTU_DISCOVER, 6), EINVAL);
	CHECK_ERR(set_option(a, IPPROTO_IP, IP_MTU_DISCOVER, -1), EINVAL);
}

TEST(path_mtu_is_learnt)
{
	static char buf[3000];
	unsigned char p[4000];
	struct sockaddr_in to = in4("10.9.0.4", 777);
	struct report r;
	int w = wire(), a = socket(AF_INET, SOCK_DGRAM, 0), b, n;
	char c;

	know("10.9.0.4");
	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_RECVERR, 1), 0);
	CHECK_EQ(send(a, buf, 1400, 0), 1400);
	n = wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000);
	CHECK_EQ(n, 1428);
	CHECK_EQ(p[6] & 0x60, 0x40);
	wire_icmp(w, "10.9.0.9", 3, 4, 1000, p, 28);
	CHECK(wait_events(a, 0) & POLLERR);
	CHECK_ERR(recv(a, &c, 1, MSG_DONTWAIT), EMSGSIZE);
	CHECK_EQ(receive(a, &r, 10), 0);
	CHECK_EQ(r.ee.ee_errno, EMSGSIZE);
	CHECK_EQ(r.ee.ee_origin, SO_EE_ORIGIN_ICMP);
	CHECK_EQ(r.ee.ee_info, 1000);
	CHECK_EQ(option(a, IPPROTO_IP, IP_MTU), 1000);
	/* now it goes in pieces */
	CHECK_EQ(send(a, buf, 1400, 0), 1400);
	n = wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000);
	CHECK(n <= 1000 && n > 900 && (p[6] & 0x20));
	n = wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000);
	CHECK(n <= 1000 && n > 400 && !(p[6] & 0x20));
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
	CHECK_ERR(send(a, buf, 1400, 0), EMSGSIZE);
	CHECK_EQ(receive(a, &r, 10), 0);
	CHECK_EQ(r.ee.ee_info, 1000);
	CHECK_EQ(send(a, buf, 972, 0), 972);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 1000);
	/* it is the destination's, not the socket's */
	b = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(connect(b, SA(to)), 0);
	CHECK_EQ(option(b, IPPROTO_IP, IP_MTU), 1000);
	to = in4("10.9.0.2", 777);
	CHECK_EQ(connect(b, SA(to)), 0);
	CHECK_EQ(option(b, IPPROTO_IP, IP_MTU), 1500);
	/* a probe goes beyond */
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE), 0);
	CHECK_EQ(send(a, buf, 1400, 0), 1400);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 1428);
}

TEST(smaller_than_sense)
{
	static char buf[3000];
	unsigned char p[4000];
	struct sockaddr_in to = in4("10.9.0.5", 777);
	int w = wire(), a = socket(AF_INET, SOCK_DGRAM, 0);

	know("10.9.0.5");
	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(send(a, buf, 1400, 0), 1400);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 1428);
	wire_icmp(w, "10.9.0.9", 3, 4, 68, p, 28);
	CHECK(wait_events(a, 0) & POLLERR);
	CHECK_EQ(error_of(a), EMSGSIZE);
	CHECK_EQ(option(a, IPPROTO_IP, IP_MTU), 552);
}

/* A report about a packet of nobody's lowers nothing. */
TEST(forged_path_mtu)
{
	static char buf[3000];
	unsigned char p[4000];
	struct sockaddr_in to = in4("10.9.0.6", 777);
	int w = wire(), a = socket(AF_INET, SOCK_DGRAM, 0);

	know("10.9.0.6");
	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(send(a, buf, 1400, 0), 1400);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 1428);
	p[20] ^= 0x55;			/* from a port that is not ours */
	wire_icmp(w, "10.9.0.9", 3, 4, 1000, p, 28);
	CHECK_EQ(error_of(a), 0);
	CHECK_EQ(option(a, IPPROTO_IP, IP_MTU), 1500);
}

/* --- SO_ZEROCOPY --- */

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

TEST(zerocopy_option)
{
	int t = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0), x = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(option(t, SOL_SOCKET, SO_ZEROCOPY), 0);
	CHECK_EQ(set_option(t, SOL_SOCKET, SO_ZEROCOPY, 1), 0);
	CHECK_EQ(option(t, SOL_SOCKET, SO_ZEROCOPY), 1);
	CHECK_EQ(set_option(u, SOL_SOCKET, SO_ZEROCOPY, 1), 0);
	CHECK_ERR(set_option(u, SOL_SOCKET, SO_ZEROCOPY, 2), EINVAL);
	CHECK_ERR(set_option(u, SOL_SOCKET, SO_ZEROCOPY, -1), EINVAL);
	CHECK(set_option(x, SOL_SOCKET, SO_ZEROCOPY, 1) < 0);
}

TEST(zerocopy_tells_ends)
{
	char buf[100];
	struct report r;
	int fd[2];

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(send(fd[0], "abc", 3, MSG_ZEROCOPY), 3);	/* without the option the flag means nothing */
	CHECK_EQ(receive(fd[0], &r, 0), EAGAIN);
	CHECK_EQ(set_option(fd[0], SOL_SOCKET, SO_ZEROCOPY, 1), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(send(fd[0], "defg", 4, MSG_ZEROCOPY), 4);
	read_all(fd[1], buf, 15);
	CHECK(!memcmp(buf, "abcdefgdefgdefg", 15));
	for (unsigned next = 0; next < 3; next = r.ee.ee_data + 1) {
		CHECK(wait_events(fd[0], 0) & POLLERR);
		CHECK_EQ(receive(fd[0], &r, 0), 0);
		CHECK_EQ(r.ee.ee_errno, 0);
		CHECK_EQ(r.ee.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
		CHECK_EQ(r.ee.ee_info, next);
		CHECK(r.ee.ee_data >= next && r.ee.ee_data < 3);
	}
	CHECK_EQ(error_of(fd[0]), 0);
}

