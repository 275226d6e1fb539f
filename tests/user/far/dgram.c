/* Datagrams to and from another system: names, sizes, fragments, what is told beside the data, refusals by ICMP, groups, broadcast. */
#include "far.h"
#include <linux/errqueue.h>
#include <netinet/ip_icmp.h>

#ifndef IP_RECVERR
#define IP_RECVERR 11
#endif

/* A socket here and one there, each bound to its own end, connected to nobody. */
struct ends { int near, far; struct address at_near, at_far; };

static struct ends bound_ends(int family)
{
	struct ends e = { .at_near = near_end(family, 0) };

	e.near = near_socket(family, SOCK_DGRAM, &e.at_near);
	e.far = far_bound(family, SOCK_DGRAM);
	e.at_near = near_end(family, port_of(e.near));
	e.at_far = far_end_of(family, far_port(e.far));
	return e;
}

static long far_sendto(int fd, const void *buf, size_t len, const struct address *to)
{
	struct far_call c = { .nr = SYS_sendto, .arg = { fd, (intptr_t)buf, (int64_t)len, MSG_NOSIGNAL, (intptr_t)to, to->len },
			      .in = 2 | 16, .len = { 0, (uint32_t)len, 0, 0, to->len } };

	return far_do(&c);
}

static long far_recvfrom(int fd, void *buf, size_t len, struct address *from)
{
	struct far_call c = { .nr = SYS_recvfrom, .arg = { fd, (intptr_t)buf, (int64_t)len, 0, (intptr_t)from, (intptr_t)&from->len },
			      .in = 32, .out = 2 | 16 | 32, .len = { 0, (uint32_t)len, 0, 0, sizeof(struct sockaddr_in6), sizeof(from->len) } };

	from->len = sizeof(struct sockaddr_in6);
	return far_do(&c);
}

static ssize_t send_to(int fd, const void *buf, size_t len, const struct address *to) { return sendto(fd, buf, len, 0, &to->any, to->len); }

/* What has come, waited for. */
static ssize_t wait_recv(int fd, void *buf, size_t len, int flags)
{
	CHECK(wait_events(fd, POLLIN) & (POLLIN | POLLERR));
	return recv(fd, buf, len, flags | MSG_DONTWAIT);
}

/*
 * Whether nothing came to near, at this port, of all that was sent to it before: a datagram sent after it on the same wire is the first to be
 * read.  To wait for a while and see nothing would prove less, and what is late would be taken for the answer to a later question.
 */
static bool nothing_came(int near, int family, int port)
{
	struct address at = near_end(family, port);
	int far = far_socket(family, SOCK_DGRAM);
	char buf[16];

	CHECK_EQ(far_sendto(far, "mark", 4, &at), 4);
	CHECK_EQ(far_close(far), 0);
	return wait_recv(near, buf, sizeof(buf), 0) == 4 && !memcmp(buf, "mark", 4);
}

BOTH(there_and_back)
{
	struct ends e = bound_ends(family);
	struct address from = { .len = sizeof(struct sockaddr_in6) };
	char buf[64];

	CHECK_EQ(send_to(e.near, "question", 8, &e.at_far), 8);
	CHECK_EQ(far_recvfrom(e.far, buf, sizeof(buf), &from), 8);
	CHECK(!memcmp(buf, "question", 8));
	CHECK(same(&from, &e.at_near));
	CHECK_EQ(far_sendto(e.far, "answer", 6, &from), 6);
	CHECK(wait_events(e.near, POLLIN) & POLLIN);
	from.len = sizeof(struct sockaddr_in6);
	CHECK_EQ(recvfrom(e.near, buf, sizeof(buf), 0, &from.any, &from.len), 6);
	CHECK(same(&from, &e.at_far));
	CHECK_EQ(from.len, e.at_far.len);
	CHECK_ERR(recv(e.near, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

BOTH(of_no_length)
{
	struct ends e = bound_ends(family);
	char c;

	CHECK_EQ(far_sendto(e.far, "", 0, &e.at_near), 0);
	CHECK_EQ(wait_recv(e.near, &c, 1, 0), 0);
	CHECK_ERR(recv(e.near, &c, 1, MSG_DONTWAIT), EAGAIN);
}

/* What is larger than the wire's frames comes in pieces, and whole. */
BOTH(fragments)
{
	static const size_t sizes[] = { 1400, 1472, 1473, 3000, 9000, 40000, 65000 };
	static char out[65536], in[65536];
	struct ends e = bound_ends(family);

	CHECK_EQ(set_option(e.near, SOL_SOCKET, SO_RCVBUF, 1 << 20), 0);
	CHECK_EQ(far_set_option(e.far, SOL_SOCKET, SO_RCVBUF, 1 << 20), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct address from;

		fill(out, 0, sizes[i], (int)i);
		CHECK_EQ(send_to(e.near, out, sizes[i], &e.at_far), (ssize_t)sizes[i]);
		CHECK_EQ(far_recvfrom(e.far, in, sizeof(in), &from), (long)sizes[i]);
		CHECK(is_pattern(in, 0, sizes[i], (int)i));
		CHECK_EQ(far_sendto(e.far, out, sizes[i], &e.at_near), (long)sizes[i]);
		memset(in, 0, sizes[i]);
		CHECK_EQ(wait_recv(e.near, in, sizeof(in), 0), (ssize_t)sizes[i]);
		CHECK(is_pattern(in, 0, sizes[i], (int)i));
	}
}

BOTH(the_largest)
{
	static char buf[65536];
	size_t most = family == AF_INET ? 65507 : 65487;	/* with IPv6's header no more than 65535, though that does not count there */
	struct ends e = bound_ends(family);

	CHECK_EQ(set_option(e.near, SOL_SOCKET, SO_SNDBUF, 1 << 18), 0);
	CHECK_EQ(far_set_option(e.far, SOL_SOCKET, SO_RCVBUF, 1 << 20), 0);
	CHECK_EQ(send_to(e.near, buf, most, &e.at_far), (ssize_t)most);
	CHECK_EQ(far_recv(e.far, buf, sizeof(buf), 0), (long)most);
	/* A few more bytes, with which IPv6's header makes it more than that: whole or not at all. */
	fill(buf, 0, 65500, 3);
	if (send_to(e.near, buf, 65500, &e.at_far) == 65500) {
		memset(buf, 0, 65500);
		CHECK_EQ(far_recv(e.far, buf, sizeof(buf), 0), 65500);
		CHECK(is_pattern(buf, 0, 65500, 3));
	} else {
		CHECK_EQ(errno, EMSGSIZE);
	}
	CHECK_ERR(send_to(e.near, buf, family == AF_INET ? most + 1 : 65528, &e.at_far), EMSGSIZE);
}

BOTH(cut_and_peeked_at)
{
	struct ends e = bound_ends(family);
	char buf[64];

	CHECK_EQ(far_sendto(e.far, "0123456789", 10, &e.at_near), 10);
	CHECK_EQ(far_sendto(e.far, "next", 4, &e.at_near), 4);
	CHECK_EQ(wait_recv(e.near, buf, 4, MSG_PEEK), 4);
	CHECK_EQ(wait_recv(e.near, buf, 4, MSG_PEEK | MSG_TRUNC), 10);
	CHECK_EQ(wait_recv(e.near, buf, 4, MSG_TRUNC), 10);
	CHECK(!memcmp(buf, "0123", 4));
	CHECK_EQ(wait_recv(e.near, buf, sizeof(buf), 0), 4);
	CHECK(!memcmp(buf, "next", 4));
}

/* Who is connected hears only that one, and may send without a name. */
BOTH(connected)
{
	struct ends e = bound_ends(family);
	int other = far_bound(family, SOCK_DGRAM);
	char buf[64];

	CHECK_EQ(connect(e.near, &e.at_far.any, e.at_far.len), 0);
	CHECK_EQ(far_sendto(other, "stranger", 8, &e.at_near), 8);
	CHECK_EQ(far_sendto(e.far, "friend", 6, &e.at_near), 6);
	CHECK_EQ(wait_recv(e.near, buf, sizeof(buf), 0), 6);
	CHECK(!memcmp(buf, "friend", 6));
	CHECK_ERR(recv(e.near, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(e.near, "to you", 6, 0), 6);
	CHECK_EQ(far_recv(e.far, buf, sizeof(buf), 0), 6);
	struct address none = { .any.sa_family = AF_UNSPEC, .len = sizeof(struct sockaddr) };
	CHECK_EQ(connect(e.near, &none.any, none.len), 0);
	CHECK_ERR(send(e.near, "x", 1, 0), EDESTADDRREQ);
}

BOTH(refused)
{
	struct ends e = bound_ends(family);
	char c;

	CHECK_EQ(far_close(e.far), 0);
	CHECK_EQ(send_to(e.near, "x", 1, &e.at_far), 1);
	CHECK(nothing_came(e.near, family, port_of(e.near)));
	CHECK_EQ(error_of(e.near), 0);			/* not connected: not told */
	CHECK_EQ(connect(e.near, &e.at_far.any, e.at_far.len), 0);
	CHECK_EQ(send(e.near, "x", 1, 0), 1);
	CHECK(wait_events(e.near, POLLERR) & POLLERR);
	CHECK_ERR(recv(e.near, &c, 1, MSG_DONTWAIT), ECONNREFUSED);
	CHECK_ERR(recv(e.near, &c, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(e.near, "x", 1, 0), 1);
	CHECK(wait_events(e.near, POLLERR) & POLLERR);
	CHECK_ERR(send(e.near, "x", 1, 0), ECONNREFUSED);
}

/* The refusal, with what it is about and who says so. */
BOTH(refusal_reported)
{
	struct ends e = bound_ends(family);
	struct sock_extended_err *err = NULL;
	char data[64], control[256];
	struct iovec v = { data, sizeof(data) };
	struct address about = { .len = sizeof(struct sockaddr_in6) };
	struct msghdr m = { .msg_name = &about, .msg_namelen = sizeof(struct sockaddr_in6), .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	bool six = family == AF_INET6;

	CHECK_EQ(far_close(e.far), 0);
	CHECK_EQ(set_option(e.near, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVERR : IP_RECVERR, 1), 0);
	CHECK_EQ(send_to(e.near, "lost words", 10, &e.at_far), 10);
	CHECK(wait_events(e.near, POLLERR) & POLLERR);
	CHECK_EQ(recvmsg(e.near, &m, MSG_ERRQUEUE), 10);
	CHECK(!memcmp(data, "lost words", 10));
	CHECK(m.msg_flags & MSG_ERRQUEUE);
	CHECK(same(&about, &e.at_far));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_type == (six ? IPV6_RECVERR : IP_RECVERR))
			err = (struct sock_extended_err *)CMSG_DATA(c);
	CHECK(err);
	CHECK_EQ(err->ee_errno, ECONNREFUSED);
	CHECK_EQ(err->ee_origin, six ? SO_EE_ORIGIN_ICMP6 : SO_EE_ORIGIN_ICMP);
	CHECK_EQ(err->ee_type, six ? 1 : ICMP_DEST_UNREACH);
	CHECK_EQ(err->ee_code, six ? 4 : ICMP_PORT_UNREACH);
	about = far_end_of(family, 0);
	if (six)
		CHECK(!memcmp(&((struct sockaddr_in6 *)SO_EE_OFFENDER(err))->sin6_addr, &about.six.sin6_addr, 16));
	else
		CHECK_EQ(((struct sockaddr_in *)SO_EE_OFFENDER(err))->sin_addr.s_addr, about.four.sin_addr.s_addr);
}

/* Too large for the wire, and not to be cut. */
BOTH(not_to_be_cut)
{
	static char buf[3000];
	struct ends e = bound_ends(family);
	bool six = family == AF_INET6;
	size_t fits = six ? 1500 - 48 : 1500 - 28;

	if (!wired)
		SKIP("the wire's size is what it is about");
	CHECK_EQ(set_option(e.near, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
	CHECK_EQ(send_to(e.near, buf, fits, &e.at_far), (ssize_t)fits);
	CHECK_EQ(far_recv(e.far, buf, sizeof(buf), 0), (long)fits);
	CHECK_ERR(send_to(e.near, buf, fits + 1, &e.at_far), EMSGSIZE);
	CHECK_EQ(connect(e.near, &e.at_far.any, e.at_far.len), 0);
	CHECK_EQ(option(e.near, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_MTU : IP_MTU), 1500);
}

static struct cmsghdr *told(struct msghdr *m, int level, int type)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	while (c && (c->cmsg_level != level || c->cmsg_type != type))
		c = CMSG_NXTHDR(m, c);
	return c;
}

static int number_told(struct msghdr *m, int level, int type)
{
	struct cmsghdr *c = told(m, level, type);
	int v = -1;

	CHECK(c);
	if (c->cmsg_len == CMSG_LEN(1))
		v = *(unsigned char *)CMSG_DATA(c);
	else
		memcpy(&v, CMSG_DATA(c), sizeof(v));
	return v;
}

/* Where it came to, how far it might have gone, its class. */
BOTH(told_beside)
{
	struct ends e = bound_ends(family);
	struct address mine = near_end(family, 0);
	bool six = family == AF_INET6;
	char data[8], control[256];
	struct iovec v = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int level = six ? IPPROTO_IPV6 : IPPROTO_IP;

	CHECK_EQ(set_option(e.near, level, six ? IPV6_RECVPKTINFO : IP_PKTINFO, 1), 0);
	CHECK_EQ(set_option(e.near, level, six ? IPV6_RECVHOPLIMIT : IP_RECVTTL, 1), 0);
	CHECK_EQ(set_option(e.near, level, six ? IPV6_RECVTCLASS : IP_RECVTOS, 1), 0);
	CHECK_EQ(far_set_option(e.far, level, six ? IPV6_UNICAST_HOPS : IP_TTL, 33), 0);
	CHECK_EQ(far_set_option(e.far, level, six ? IPV6_TCLASS : IP_TOS, 0x48), 0);
	CHECK_EQ(far_sendto(e.far, "told", 4, &e.at_near), 4);
	CHECK(wait_events(e.near, POLLIN) & POLLIN);
	CHECK_EQ(recvmsg(e.near, &m, 0), 4);
	CHECK_EQ(number_told(&m, level, six ? IPV6_HOPLIMIT : IP_TTL), 33);
	CHECK_EQ(number_told(&m, level, six ? IPV6_TCLASS : IP_TOS), 0x48);
	struct cmsghdr *c = told(&m, level, six ? IPV6_PKTINFO : IP_PKTINFO);
	CHECK(c);
	if (six) {
		struct in6_pktinfo *p = (struct in6_pktinfo *)CMSG_DATA(c);

		CHECK(!memcmp(&p->ipi6_addr, &mine.six.sin6_addr, 16));
		CHECK(p->ipi6_ifindex > 0);
	} else {
		struct in_pktinfo *p = (struct in_pktinfo *)CMSG_DATA(c);

		CHECK_EQ(p->ipi_addr.s_addr, mine.four.sin_addr.s_addr);
		CHECK(p->ipi_ifindex > 0);
	}
}

BOTH(several_at_once)
{
	struct ends e = bound_ends(family);
	char out[8][16], in[8][16], far[16];
	struct mmsghdr m[8] = { 0 };
	struct iovec v[8];

	for (int i = 0; i < 8; i++) {
		snprintf(out[i], sizeof(out[i]), "message %d", i);
		v[i] = (struct iovec){ out[i], 9 };
		m[i].msg_hdr = (struct msghdr){ .msg_name = &e.at_far, .msg_namelen = e.at_far.len, .msg_iov = &v[i], .msg_iovlen = 1 };
	}
	CHECK_EQ(sendmmsg(e.near, m, 8, 0), 8);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(m[i].msg_len, 9);
		CHECK_EQ(far_recv(e.far, far, sizeof(far), 0), 9);
		CHECK(!memcmp(far, out[i], 9));
		CHECK_EQ(far_sendto(e.far, far, 9, &e.at_near), 9);
	}
	for (int i = 0; i < 8; i++) {
		v[i] = (struct iovec){ in[i], sizeof(in[i]) };
		m[i].msg_hdr.msg_name = NULL;
		m[i].msg_hdr.msg_namelen = 0;
	}
	int n = 0;
	while (n < 8) {
		CHECK(wait_events(e.near, POLLIN) & POLLIN);
		int got = recvmmsg(e.near, m + n, (unsigned)(8 - n), MSG_WAITFORONE, NULL);
		CHECK(got > 0);
		n += got;
	}
	for (int i = 0; i < 8; i++)
		CHECK(m[i].msg_len == 9 && !memcmp(in[i], out[i], 9));
	CHECK_ERR(recvmmsg(e.near, m, 8, MSG_DONTWAIT, NULL), EAGAIN);
}

BOTH(time_runs_out)
{
	struct ends e = bound_ends(family);
	struct timeval t = { 0, 200000 };
	char c;

	CHECK_EQ(setsockopt(e.near, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), 0);
	CHECK_ERR(recv(e.near, &c, 1, 0), EAGAIN);
	CHECK_EQ(far_sendto(e.far, "x", 1, &e.at_near), 1);
	CHECK_EQ(wait_recv(e.near, &c, 1, 0), 1);
}

/* A reader who waits while it comes. */
BOTH(reader_waits)
{
	struct ends e = bound_ends(family);
	pid_t pid = fork();

	if (!pid) {
		char buf[8];

		_exit(recv(e.near, buf, sizeof(buf), 0) != 5);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(far_sendto(e.far, "awake", 5, &e.at_near), 5);
	CHECK(EXITED(wait_status(pid), 0));
}

BOTH(reading_shut)
{
	struct ends e = bound_ends(family);
	char c;

	CHECK_EQ(connect(e.near, &e.at_far.any, e.at_far.len), 0);
	CHECK_EQ(shutdown(e.near, SHUT_RD), 0);
	CHECK_EQ(recv(e.near, &c, 1, 0), 0);
	CHECK_EQ(send(e.near, "x", 1, 0), 1);
	CHECK_EQ(shutdown(e.near, SHUT_WR), 0);
	CHECK_ERR(send(e.near, "x", 1, MSG_NOSIGNAL), EPIPE);
}

static int index_at(const char *text)
{
	for (int i = 1; i < 10; i++) {
		struct ifreq r = { .ifr_ifindex = i };
		int s = socket(AF_INET, SOCK_DGRAM, 0);
		bool found = !ioctl(s, SIOCGIFNAME, &r) && !ioctl(s, SIOCGIFADDR, &r) &&
			     ((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr == inet_addr(text);

		close(s);
		if (found)
			return i;
	}
	return -1;
}

static int wire_index(void) { return index_at(wired ? NEAR4 : "127.0.0.1"); }

/* Without a route of its own a group's way has to be said.  lo is the way of none on Linux. */
TEST(a_group_joined_and_left)
{
	struct address group = address("239.1.2.3", 4711), any = address("0.0.0.0", 4711);
	struct ip_mreqn here, there;
	char buf[16];
	int near, far;

	far_side();
	if (!wired)
		SKIP("lo has no groups");
	here = (struct ip_mreqn){ .imr_multiaddr = group.four.sin_addr, .imr_address.s_addr = inet_addr(NEAR4) };
	there = (struct ip_mreqn){ .imr_multiaddr = group.four.sin_addr, .imr_address.s_addr = inet_addr(FAR4) };
	near = near_socket(AF_INET, SOCK_DGRAM, &any);
	far = far_socket(AF_INET, SOCK_DGRAM);
	CHECK_EQ(far_set(far, IPPROTO_IP, IP_MULTICAST_IF, &there, sizeof(there)), 0);
	CHECK_EQ(far_sendto(far, "nobody", 6, &group), 6);
	CHECK(nothing_came(near, AF_INET, 4711));
	CHECK_EQ(setsockopt(near, IPPROTO_IP, IP_ADD_MEMBERSHIP, &here, sizeof(here)), 0);
	CHECK_ERR(setsockopt(near, IPPROTO_IP, IP_ADD_MEMBERSHIP, &here, sizeof(here)), EADDRINUSE);
	CHECK_EQ(far_sendto(far, "member", 6, &group), 6);
	CHECK_EQ(wait_recv(near, buf, sizeof(buf), 0), 6);
	CHECK(!memcmp(buf, "member", 6));
	CHECK_EQ(setsockopt(near, IPPROTO_IP, IP_DROP_MEMBERSHIP, &here, sizeof(here)), 0);
	CHECK_ERR(setsockopt(near, IPPROTO_IP, IP_DROP_MEMBERSHIP, &here, sizeof(here)), EADDRNOTAVAIL);
	CHECK_EQ(far_sendto(far, "gone", 4, &group), 4);
	CHECK(nothing_came(near, AF_INET, 4711));
	CHECK_EQ(setsockopt(near, IPPROTO_IP, IP_MULTICAST_IF, &here, sizeof(here)), 0);
	CHECK_EQ(option(near, IPPROTO_IP, IP_MULTICAST_TTL), 1);
}

/* By which device the other end reaches this wire is found out by trying: a group of the link goes by one alone. */
TEST(a_group_of_ipv6)
{
	struct address group = address("ff02::1:2:3", 4712), any = address("::", 4712);
	struct ipv6_mreq here;
	char buf[16];
	int near, far, by = 0;

	far_side();
	if (!wired)
		SKIP("lo has no groups");
	here = (struct ipv6_mreq){ .ipv6mr_multiaddr = group.six.sin6_addr, .ipv6mr_interface = (unsigned)wire_index() };
	near = near_socket(AF_INET6, SOCK_DGRAM, &any);
	far = far_socket(AF_INET6, SOCK_DGRAM);
	CHECK_EQ(setsockopt(near, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &here, sizeof(here)), 0);
	for (int i = 1; i < 10 && !by; i++)
		if (far_set_option(far, IPPROTO_IPV6, IPV6_MULTICAST_IF, i) == 0 && far_sendto(far, "member", 6, &group) == 6 &&
		    !nothing_came(near, AF_INET6, 4712))
			by = i;
	CHECK(by);
	CHECK_EQ(wait_recv(near, buf, sizeof(buf), 0), 4);
	CHECK(!memcmp(buf, "mark", 4));
	CHECK_EQ(setsockopt(near, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &here, sizeof(here)), 0);
	CHECK_EQ(far_sendto(far, "gone", 4, &group), 4);
	CHECK(nothing_came(near, AF_INET6, 4712));
}

TEST(to_all)
{
	struct address all = address("10.8.0.255", 0), any = address("0.0.0.0", 0);
	struct ends e;
	char buf[16];
	int far;

	far_side();
	if (!wired)
		SKIP("lo has no broadcast");
	e = bound_ends(AF_INET);
	far = far_socket(AF_INET, SOCK_DGRAM);
	CHECK_EQ(far_bind(far, &any), 0);
	all = address("10.8.0.255", far_port(far));
	CHECK_ERR(send_to(e.near, "all", 3, &all), EACCES);
	CHECK_EQ(set_option(e.near, SOL_SOCKET, SO_BROADCAST, 1), 0);
	CHECK_EQ(send_to(e.near, "all", 3, &all), 3);
	CHECK_EQ(far_recv(far, buf, sizeof(buf), 0), 3);
	all = address("255.255.255.255", far_port(far));
	int index = wire_index();
	struct ifreq r = { .ifr_ifindex = index };
	CHECK_EQ(ioctl(e.near, SIOCGIFNAME, &r), 0);
	CHECK_EQ(setsockopt(e.near, SOL_SOCKET, SO_BINDTODEVICE, r.ifr_name, (socklen_t)strlen(r.ifr_name)), 0);
	CHECK_EQ(send_to(e.near, "all of them", 11, &all), 11);
	CHECK_EQ(far_recv(far, buf, sizeof(buf), 0), 11);
}

/* Nobody has that address: who asks for reports is told, in his time. */
BOTH(nobody_there)
{
	struct address nobody = address(family == AF_INET ? "10.8.0.77" : "fd08::77", 9);
	int s = near_socket(family, SOCK_DGRAM, NULL);
	bool six = family == AF_INET6;

	if (!wired)
		SKIP("on lo everybody is there");
	CHECK_EQ(set_option(s, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVERR : IP_RECVERR, 1), 0);
	CHECK_EQ(connect(s, &nobody.any, nobody.len), 0);
	CHECK_EQ(send(s, "x", 1, 0), 1);
	CHECK(wait_events(s, POLLERR) & POLLERR);
	CHECK_EQ(error_of(s), EHOSTUNREACH);
}
