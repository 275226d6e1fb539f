/* What stood behind the fixed header of an IP packet is told to who asks: IPv4's options, IPv6's extension headers. */
#include "wire.h"

#ifndef IPV6_ADDR_PREFERENCES
#define IPV6_ADDR_PREFERENCES 72
#endif
enum { TMP = 1, PUBLIC = 2, COA = 4, CGA = 8, PUBTMP_DEFAULT = 0x100, HOME = 0x400, NONCGA = 0x800 };

static char control[400], byte;
static struct msghdr received(int s, size_t room)
{
	static struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room };

	byte = 0;
	CHECK_EQ(recvmsg(s, &m, 0), 1);
	return m;
}

/* The only such message's data; NULL: none. */
static unsigned char *message(struct msghdr *m, int level, int type, size_t len)
{
	unsigned char *found = NULL;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == level && c->cmsg_type == type) {
			CHECK(!found);
			CHECK_EQ(c->cmsg_len, CMSG_LEN(len));
			found = CMSG_DATA(c);
		}
	return found;
}

static void with_options(int w, int port)
{
	struct sockaddr_in from = in4("10.9.0.2", 0), to = in4("10.9.0.1", 0);
	unsigned char p[28 + 9] = { 0x47, 0, 0, sizeof(p), 0, 0, 0, 0, 64, IPPROTO_UDP, [20] = 1, 1, 1, 1, 1, 1, 1, 0, 0, 7, (unsigned char)(port >> 8), (unsigned char)port, 0, 9, [36] = 'o' };
	unsigned sum;

	memcpy(p + 12, &from.sin_addr, 4);
	memcpy(p + 16, &to.sin_addr, 4);
	sum = ~sum16(p, 28, 0);
	p[10] = (unsigned char)(sum >> 8);
	p[11] = (unsigned char)sum;
	wire_frame(w, our_mac, 0x0800, p, sizeof(p));
}

TEST(options_of_ipv4)
{
	struct sockaddr_in any = in4("0.0.0.0", 0);
	int w = wire(), s = socket(AF_INET, SOCK_DGRAM, 0), port;
	unsigned char *o;
	struct msghdr m;

	CHECK_EQ(bind(s, SA(any)), 0);
	port = port_of(s);
	CHECK_EQ(option(s, IPPROTO_IP, IP_RECVOPTS), 0);
	with_options(w, port);
	m = received(s, sizeof(control));
	CHECK(!message(&m, IPPROTO_IP, IP_RECVOPTS, 8));
	CHECK_EQ(set_option(s, IPPROTO_IP, IP_RECVOPTS, 1), 0);
	CHECK_EQ(option(s, IPPROTO_IP, IP_RECVOPTS), 1);
	with_options(w, port);
	m = received(s, sizeof(control));
	o = message(&m, IPPROTO_IP, IP_RECVOPTS, 8);
	CHECK(o && byte == 'o' && !memcmp(o, "\1\1\1\1\1\1\1", 8));
	CHECK(!(m.msg_flags & MSG_CTRUNC));
	wire_udp(w, "10.9.0.2", 7, "10.9.0.1", port, "p", 1);		/* without any there is nothing to tell */
	m = received(s, sizeof(control));
	CHECK(!message(&m, IPPROTO_IP, IP_RECVOPTS, 8) && byte == 'p');
	with_options(w, port);
	m = received(s, CMSG_LEN(4));
	CHECK(m.msg_flags & MSG_CTRUNC);
	close(w);
}

/* UDP to port, behind len bytes of headers, the first of kind first. */
static void behind(int w, int port, int first, const void *headers, size_t len)
{
	struct sockaddr_in6 from = in6("fd09::2", 0), to = in6("ff02::1", 0);
	static const unsigned char all[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	unsigned char p[40 + 32 + 9] = { 0x60, 0, 0, 0, 0, (unsigned char)(len + 9), (unsigned char)first, 5 }, *u = p + 40 + len;
	unsigned sum;

	memcpy(p + 8, &from.sin6_addr, 16);
	memcpy(p + 24, &to.sin6_addr, 16);
	memcpy(p + 40, headers, len);
	memcpy(u, (unsigned char[9]){ 0, 7, (unsigned char)(port >> 8), (unsigned char)port, 0, 9, 0, 0, 'h' }, 9);
	sum = ~sum16(u, 9, sum16(p + 8, 32, IPPROTO_UDP + 9));
	u[6] = (unsigned char)(sum >> 8);
	u[7] = (unsigned char)sum;
	wire_frame(w, all, 0x86dd, p, 40 + len + 9);
}

static void with_headers(int w, int port)
{
	behind(w, port, IPPROTO_HOPOPTS, (unsigned char[16]){ IPPROTO_DSTOPTS, 0, 1, 4, [8] = IPPROTO_UDP, 0, 1, 4 }, 16);
}

/* Each alone, too; and a fragment that is the whole (RFC 6946). */
TEST(whatever_stands_before_it)
{
	struct sockaddr_in6 any = in6("::", 0);
	int w = wire(), s = socket(AF_INET6, SOCK_DGRAM, 0), port;

	CHECK_EQ(bind(s, SA(any)), 0);
	port = port_of(s);
	behind(w, port, IPPROTO_UDP, "", 0);
	received(s, sizeof(control));
	behind(w, port, IPPROTO_HOPOPTS, (unsigned char[8]){ IPPROTO_UDP, 0, 1, 4 }, 8);
	received(s, sizeof(control));
	behind(w, port, IPPROTO_DSTOPTS, (unsigned char[8]){ IPPROTO_UDP, 0, 1, 4 }, 8);
	received(s, sizeof(control));
	behind(w, port, IPPROTO_FRAGMENT, (unsigned char[8]){ IPPROTO_UDP, 0, 0, 0, 1, 2, 3, 4 }, 8);
	received(s, sizeof(control));
	CHECK_EQ(byte, 'h');
	close(w);
}

TEST(headers_of_ipv6)
{
	struct sockaddr_in6 any = in6("::", 0);
	int w = wire(), s = socket(AF_INET6, SOCK_DGRAM, 0), port;
	unsigned char *hop, *dst;
	struct msghdr m;

	CHECK_EQ(bind(s, SA(any)), 0);
	port = port_of(s);
	CHECK_EQ(option(s, IPPROTO_IPV6, IPV6_RECVHOPOPTS), 0);
	with_headers(w, port);
	m = received(s, sizeof(control));
	CHECK(!message(&m, IPPROTO_IPV6, IPV6_HOPOPTS, 8) && !message(&m, IPPROTO_IPV6, IPV6_DSTOPTS, 8));
	CHECK_EQ(set_option(s, IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1), 0);
	with_headers(w, port);
	m = received(s, sizeof(control));
	hop = message(&m, IPPROTO_IPV6, IPV6_HOPOPTS, 8);
	CHECK(hop && hop[0] == IPPROTO_DSTOPTS && hop[1] == 0 && hop[2] == 1 && hop[3] == 4);
	CHECK(!message(&m, IPPROTO_IPV6, IPV6_DSTOPTS, 8));
	CHECK_EQ(set_option(s, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1), 0);
	CHECK_EQ(set_option(s, IPPROTO_IPV6, IPV6_RECVRTHDR, 1), 0);
	CHECK_EQ(option(s, IPPROTO_IPV6, IPV6_RECVDSTOPTS), 1);
	with_headers(w, port);
	m = received(s, sizeof(control));
	hop = message(&m, IPPROTO_IPV6, IPV6_HOPOPTS, 8);
	dst = message(&m, IPPROTO_IPV6, IPV6_DSTOPTS, 8);
	CHECK(hop && dst && hop < dst && dst[0] == IPPROTO_UDP && dst[1] == 0 && dst[2] == 1 && dst[3] == 4 && byte == 'h');
	CHECK(!message(&m, IPPROTO_IPV6, IPV6_RTHDR, 8));
	close(w);
}

TEST(which_source_is_liked)
{
	int s = socket(AF_INET6, SOCK_DGRAM, 0);

	CHECK_EQ(option(s, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES), PUBTMP_DEFAULT | HOME);
	CHECK_EQ(set_option(s, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, PUBLIC), 0);
	CHECK_EQ(option(s, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES), PUBLIC | HOME);
	CHECK_EQ(set_option(s, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, TMP | COA), 0);
	CHECK_EQ(option(s, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES), TMP | COA);
	CHECK_ERR(set_option(s, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, TMP | PUBLIC), EINVAL);
	CHECK_ERR(set_option(s, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, COA | HOME), EINVAL);
	CHECK_ERR(set_option(s, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, CGA | NONCGA), EINVAL);
	CHECK_EQ(set_option(s, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, HOME | PUBTMP_DEFAULT), 0);
	CHECK_EQ(option(s, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES), PUBTMP_DEFAULT | HOME);
	close(s);
}
