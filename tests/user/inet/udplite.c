/* UDP-Lite (RFC 3828, udplite(7)): datagrams, how much of them a checksum covers, and who wants how much covered. */
#include "inet.h"
#include <sys/uio.h>

#define SEND_CSCOV	10
#define RECV_CSCOV	11
#define UDP_SEGMENT	103
#define HEADER		8
static unsigned char out[2000], in[2000];

static void begin(void)
{
	lo_up();
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (unsigned char)(i * 5 + 1);
}

static int lite(void)
{
	struct sockaddr_in s = in4("127.0.0.1", 0);
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);

	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, SA(s)), 0);
	return fd;
}

static int lite_to(int other)
{
	struct sockaddr_in to = in4("127.0.0.1", port_of(other));
	int fd = lite();

	CHECK_EQ(connect(fd, SA(to)), 0);
	return fd;
}

static void comes(int fd, int n)
{
	memset(in, 0, sizeof(in));
	CHECK_EQ(recv(fd, in, sizeof(in), 0), n);
	CHECK(!memcmp(in, out, (size_t)n));
}

TEST(datagrams)
{
	struct sockaddr_in udp_at;
	int a, b, udp = socket(AF_INET, SOCK_DGRAM, 0);

	begin();
	b = lite();
	a = lite_to(b);
	CHECK_EQ(option(a, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDPLITE);
	CHECK_EQ(option(a, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	udp_at = in4("127.0.0.1", port_of(b));		/* other ports than UDP's */
	CHECK_EQ(bind(udp, SA(udp_at)), 0);
	for (int n = 0; n < 1500; n += 499) {
		CHECK_EQ(send(a, out, (size_t)n, 0), n);
		comes(b, n);
	}
	CHECK_ERR(recv(udp, in, sizeof(in), MSG_DONTWAIT), EAGAIN);
	close(b);
	CHECK_EQ(send(a, out, 5, 0), 5);
	CHECK(wait_events(a, POLLERR) & POLLERR);
	CHECK_ERR(recv(a, in, sizeof(in), 0), ECONNREFUSED);
}

TEST(datagrams_of_six)
{
	struct sockaddr_in6 to = in6("::1", 0);
	int a = socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE), b = socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE);

	begin();
	CHECK_EQ(bind(b, SA(to)), 0);
	to.sin6_port = htons(port_of(b));
	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(send(a, out, 1001, 0), 1001);
	comes(b, 1001);
	CHECK_EQ(set_option(a, IPPROTO_UDPLITE, SEND_CSCOV, 21), 0);
	CHECK_EQ(send(a, out, 1001, 0), 1001);
	comes(b, 1001);
	close(b);
	CHECK_EQ(send(a, out, 5, 0), 5);
	CHECK(wait_events(a, POLLERR) & POLLERR);
	CHECK_ERR(recv(a, in, sizeof(in), 0), ECONNREFUSED);
}

TEST(options)
{
	static const int told[][2] = { { 0, 0 }, { 1, 8 }, { 7, 8 }, { 8, 8 }, { 20, 20 }, { 65535, 65535 }, { 70000, 65535 }, { -1, 8 } };
	int a, udp = socket(AF_INET, SOCK_DGRAM, 0);

	begin();
	a = lite();
	for (int name = SEND_CSCOV; name <= RECV_CSCOV; name++) {
		CHECK_EQ(option(a, IPPROTO_UDPLITE, name), 0);
		for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
			CHECK_EQ(set_option(a, i & 1 ? IPPROTO_UDPLITE : IPPROTO_UDP, name, told[i][0]), 0);
			CHECK_EQ(option(a, i & 1 ? IPPROTO_UDP : IPPROTO_UDPLITE, name), told[i][1]);
		}
		CHECK_ERR(set_option(udp, IPPROTO_UDP, name, 20), ENOPROTOOPT);
		CHECK_ERR(set_option(udp, IPPROTO_UDPLITE, name, 20), ENOPROTOOPT);
		CHECK_EQ(option(udp, IPPROTO_UDPLITE, name), 0);
		CHECK_ERR(setsockopt(a, IPPROTO_UDPLITE, name, &name, 3), EINVAL);
	}
	CHECK_ERR(set_option(a, IPPROTO_UDPLITE, 12, 1), ENOPROTOOPT);
}

/* The checksum of a datagram between 127.0.0.1 and itself, as far as it is covered: 0 where it is right. */
static unsigned sum(const unsigned char *p, unsigned len, unsigned covered)
{
	unsigned s = 2 * (0x7f00 + 1) + IPPROTO_UDPLITE + len;

	for (unsigned i = 0; i < covered; i++)
		s += (unsigned)p[i] << (i & 1 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s ^ 0xffff;
}

TEST(on_the_wire)
{
	static const struct { int set, len, field; } row[] = { { -1, 100, 108 }, { 20, 100, 20 }, { 21, 101, 21 }, { 0, 100, 0 }, { 8, 100, 8 }, { 108, 100, 108 },
							       { 500, 100, 108 }, { 20, 0, 8 } };
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDPLITE);

	begin();
	CHECK(raw >= 0);
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		int b = lite(), a = lite_to(b), n;
		unsigned char *p = in + 20;
		unsigned whole = (unsigned)row[i].len + HEADER;

		if (row[i].set >= 0)
			CHECK_EQ(set_option(a, IPPROTO_UDPLITE, SEND_CSCOV, row[i].set), 0);
		CHECK_EQ(send(a, out, (size_t)row[i].len, 0), row[i].len);
		comes(b, row[i].len);
		n = (int)recv(raw, in, sizeof(in), 0);
		CHECK_EQ(n, 20 + (int)whole);
		CHECK_EQ(p[4] << 8 | p[5], row[i].field);
		CHECK(p[6] || p[7]);
		CHECK_EQ(sum(p, whole, row[i].field ? (unsigned)row[i].field : whole), 0);
		close(a);
		close(b);
	}
	close(raw);
}

TEST(who_wants_it_covered)
{
	int a, b;

	begin();
	b = lite();
	a = lite_to(b);
	CHECK_EQ(set_option(b, IPPROTO_UDPLITE, RECV_CSCOV, 30), 0);
	CHECK_EQ(set_option(a, IPPROTO_UDPLITE, SEND_CSCOV, 29), 0);
	CHECK_EQ(send(a, out, 100, 0), 100);		/* too little */
	CHECK_EQ(set_option(a, IPPROTO_UDPLITE, SEND_CSCOV, 30), 0);
	CHECK_EQ(send(a, out, 101, 0), 101);
	CHECK_EQ(set_option(a, IPPROTO_UDPLITE, SEND_CSCOV, 0), 0);
	CHECK_EQ(send(a, out, 10, 0), 10);		/* all of it, though less than 30 */
	comes(b, 101);
	comes(b, 10);
	CHECK_EQ(set_option(b, IPPROTO_UDPLITE, RECV_CSCOV, 0), 0);
	CHECK_EQ(set_option(a, IPPROTO_UDPLITE, SEND_CSCOV, 107), 0);
	CHECK_EQ(send(a, out, 100, 0), 100);		/* not all */
	CHECK_EQ(set_option(a, IPPROTO_UDPLITE, SEND_CSCOV, 108), 0);
	CHECK_EQ(send(a, out, 99, 0), 99);
	comes(b, 99);
	CHECK_ERR(recv(b, in, sizeof(in), MSG_DONTWAIT), EAGAIN);
}

/* A datagram of n bytes made by hand: field, and how much really is covered; then a byte is changed (at 0: none). */
static void forge(int raw, int to, unsigned n, unsigned field, unsigned covered, bool no_sum, unsigned changed)
{
	struct sockaddr_in dest = in4("127.0.0.1", 0);
	unsigned char p[HEADER + 200] = { 0x12, 0x34, (unsigned char)(port_of(to) >> 8), (unsigned char)port_of(to), (unsigned char)(field >> 8),
					  (unsigned char)field };
	unsigned s;

	memcpy(p + HEADER, out, n);
	s = sum(p, HEADER + n, covered);
	if (!s)
		s = 0xffff;
	if (!no_sum) {
		p[6] = (unsigned char)(s >> 8);
		p[7] = (unsigned char)s;
	}
	if (changed)
		p[changed] ^= 1;
	CHECK_EQ(sendto(raw, p, HEADER + n, 0, SA(dest)), (int)(HEADER + n));
}

TEST(forged)
{
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDPLITE), b;

	begin();
	CHECK(raw >= 0);
	b = lite();
	forge(raw, b, 100, 108, 108, false, 0);
	comes(b, 100);
	forge(raw, b, 100, 0, 108, false, 0);		/* 0: all */
	comes(b, 100);
	forge(raw, b, 100, 20, 20, false, 0);
	comes(b, 100);
	forge(raw, b, 100, 20, 20, false, 50);		/* damage in what is not covered is for the program */
	CHECK_EQ(recv(b, in, sizeof(in), 0), 100);
	CHECK_EQ(in[42], out[42] ^ 1);
	forge(raw, b, 100, 20, 20, false, 19);		/* what follows is thrown away */
	forge(raw, b, 100, 108, 108, false, 60);
	forge(raw, b, 100, 7, 7, false, 0);
	forge(raw, b, 100, 109, 108, false, 0);
	forge(raw, b, 100, 65535, 108, false, 0);
	forge(raw, b, 100, 108, 108, true, 0);
	forge(raw, b, 100, 8, 8, true, 0);
	forge(raw, b, 77, 8, 8, false, 0);		/* and this is not */
	comes(b, 77);
	CHECK_ERR(recv(b, in, sizeof(in), MSG_DONTWAIT), EAGAIN);
}

TEST(large_and_collected)
{
	static unsigned char large[65507], got[65507];
	int a, b;

	begin();
	b = lite();
	a = lite_to(b);
	for (unsigned i = 0; i < sizeof(large); i++)
		large[i] = (unsigned char)(i * 7 + (i >> 8));
	CHECK_EQ(send(a, large, sizeof(large), 0), (int)sizeof(large));
	CHECK_EQ(recv(b, got, sizeof(got), 0), (int)sizeof(large));
	CHECK(!memcmp(got, large, sizeof(large)));
	for (int covered = 32767; covered < 65536; covered += 32000 / 3) {	/* of pieces of odd lengths, too */
		struct iovec v[4] = { { large, 4097 }, { large + 4097, 30001 }, { large + 34098, 1 }, { large + 34099, sizeof(large) - 34099 } };

		CHECK_EQ(set_option(a, IPPROTO_UDPLITE, SEND_CSCOV, covered), 0);
		CHECK_EQ(writev(a, v, 4), (int)sizeof(large));
		CHECK_EQ(recv(b, got, sizeof(got), 0), (int)sizeof(large));
		CHECK(!memcmp(got, large, sizeof(large)));
	}
	CHECK_EQ(set_option(a, IPPROTO_UDPLITE, SEND_CSCOV, 1001), 0);
	CHECK_EQ(send(a, large, 3000, MSG_MORE), 3000);
	CHECK_EQ(send(a, large + 3000, 4001, 0), 4001);
	CHECK_EQ(recv(b, got, sizeof(got), 0), 7001);
	CHECK(!memcmp(got, large, 7001));
	CHECK_EQ(set_option(a, IPPROTO_UDP, UDP_SEGMENT, 500), 0);
	CHECK_ERR(send(a, large, 1000, 0), EIO);
}

static bool listed(const char *path, int port)
{
	char line[300], want[16];
	FILE *f = fopen(path, "r");
	bool is = false;

	CHECK(f);
	snprintf(want, sizeof(want), ":%04X ", port);
	while (fgets(line, sizeof(line), f))
		is |= strstr(line, want) != NULL;
	fclose(f);
	return is;
}

static unsigned long long counted(unsigned nth)
{
	char line[300];
	unsigned long long v[9] = { 0 };
	FILE *f = fopen("/proc/net/snmp", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "UdpLite: %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6]);
	fclose(f);
	return v[nth];
}

TEST(in_proc)
{
	enum { IN, NO_PORTS, ERRORS, OUT, CSUM = 6 };
	unsigned long long was_in, was_out, was_sum, was_errors;
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDPLITE), a, b;

	begin();
	b = lite();
	a = lite_to(b);
	CHECK(listed("/proc/net/udplite", port_of(b)) && !listed("/proc/net/udp", port_of(b)));
	was_in = counted(IN);
	was_out = counted(OUT);
	CHECK_EQ(send(a, out, 10, 0), 10);
	comes(b, 10);
	CHECK_EQ(counted(IN) - was_in, 1);
	CHECK_EQ(counted(OUT) - was_out, 1);
	was_sum = counted(CSUM);
	was_errors = counted(ERRORS);
	forge(raw, b, 100, 20, 20, false, 19);
	CHECK_EQ(send(a, out, 10, 0), 10);
	comes(b, 10);
	CHECK_EQ(counted(CSUM) - was_sum, 1);
	CHECK_EQ(counted(ERRORS) - was_errors, 1);
}

TEST(groups)
{
	struct sockaddr_in any = in4("0.0.0.0", 0), to;
	struct ip_mreq join = { .imr_multiaddr.s_addr = inet_addr("239.1.2.3"), .imr_interface.s_addr = htonl(INADDR_LOOPBACK) };
	struct in_addr lo = { htonl(INADDR_LOOPBACK) };
	int a, b[2], one = 1;

	begin();
	for (int i = 0; i < 2; i++) {
		b[i] = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
		CHECK_EQ(setsockopt(b[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
		CHECK_EQ(bind(b[i], SA(any)), 0);
		any.sin_port = htons(port_of(b[i]));
		CHECK_EQ(setsockopt(b[i], IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)), 0);
	}
	CHECK_EQ(set_option(b[0], IPPROTO_UDPLITE, RECV_CSCOV, 0), 0);
	a = lite();
	CHECK_EQ(setsockopt(a, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)), 0);
	to = in4("239.1.2.3", port_of(b[0]));
	CHECK_EQ(set_option(a, IPPROTO_UDPLITE, SEND_CSCOV, 12), 0);
	CHECK_EQ(sendto(a, out, 50, 0, SA(to)), 50);	/* the first wants all covered */
	CHECK_EQ(set_option(a, IPPROTO_UDPLITE, SEND_CSCOV, 0), 0);
	CHECK_EQ(sendto(a, out, 60, 0, SA(to)), 60);
	comes(b[0], 60);
	comes(b[1], 50);
	comes(b[1], 60);
}
