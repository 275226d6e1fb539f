/* Packets that wait for the link address of a neighbour who says nothing: they are kept, but not any number, and the oldest go first.  The test is the
 * neighbour. */
#include "wire.h"
#include <linux/ipv6.h>

#define SOCKETS	14
#define EACH	80
#define MOST	400	/* of datagrams of this size, kept: Linux counts bytes (unres_qlen_bytes), we count packets */
#define SIZE	1200

static void address6(const char *a)
{
	struct in6_ifreq r = { .ifr6_addr = in6(a, 0).sin6_addr, .ifr6_prefixlen = 64, .ifr6_ifindex = (int)if_nametoindex("w0") };
	int s = socket(AF_INET6, SOCK_DGRAM, 0);

	CHECK_EQ(ioctl(s, SIOCSIFADDR, &r), 0);
	close(s);
}

static bool speaks_from(const char *a)
{
	struct sockaddr_in6 to = in6("fd09::66", 9), want = in6(a, 0), from;
	socklen_t len = sizeof(from);
	int s = socket(AF_INET6, SOCK_DGRAM, 0);
	bool does = !connect(s, SA(to)) && !getsockname(s, (struct sockaddr *)&from, &len) && !memcmp(&from.sin6_addr, &want.sin6_addr, 16);

	close(s);
	return does;
}

/* Numbered datagrams to the neighbour; how many were taken. */
static int burst(int family)
{
	struct sockaddr_in a = in4("10.9.0.66", 9);
	struct sockaddr_in6 b = in6("fd09::66", 9);
	static char buf[SIZE];
	int sent = 0;

	for (int k = 0; k < SOCKETS; k++) {
		int s = socket(family, SOCK_DGRAM, 0);

		CHECK(s >= 0);
		CHECK_EQ(family == AF_INET ? connect(s, SA(a)) : connect(s, SA(b)), 0);
		for (int n = 0; n < EACH; n++) {
			memcpy(buf, &sent, sizeof(sent));
			if (send(s, buf, SIZE, MSG_DONTWAIT) != SIZE)
				break;		/* what waits counts against SO_SNDBUF, on Linux */
			sent++;
		}
	}
	return sent;
}

/* The neighbour's answer to what asks for him; false: nothing does. */
static bool answer(int w, const unsigned char *f, ssize_t n)
{
	static const unsigned char arp[] = { 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 2, 10, 9, 0, 66 };
	static const unsigned char wanted[] = { 0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x66 };
	unsigned char b[72] = { 0x60, 0, 0, 0, 0, 32, 58, 255 };
	unsigned sum;

	if (n >= 42 && f[12] == 8 && f[13] == 6 && f[21] == 1 && f[41] == 66) {
		memcpy(b, arp, sizeof(arp));
		memcpy(b + 18, our_mac, 6);
		memcpy(b + 24, "\x0a\x09\x00\x01", 4);
		wire_frame(w, our_mac, 0x0806, b, 28);
		return true;
	}
	if (n < 78 || f[12] != 0x86 || f[20] != 58 || f[54] != 135 || memcmp(f + 62, wanted, 16))
		return false;
	memcpy(b + 8, wanted, 16);
	memcpy(b + 24, f + 22, 16);
	b[40] = 136;
	b[44] = 0x60;
	memcpy(b + 48, wanted, 16);
	b[64] = 2;
	b[65] = 1;
	memcpy(b + 66, peer_mac, 6);
	sum = ~sum16(b + 8, 64, 58 + 32);
	b[42] = (unsigned char)(sum >> 8);
	b[43] = (unsigned char)sum;
	wire_frame(w, our_mac, 0x86dd, b, 72);
	return true;
}

static void kept(int family)
{
	static unsigned char f[2000];
	int w = wire(), sent, got = 0, s, number = -1, last = -1, headers = 14 + (family == AF_INET ? 20 : 40) + 8;
	struct sockaddr_in a = in4("10.9.0.66", 9);
	struct sockaddr_in6 b = in6("fd09::66", 9);
	char end = 1;

	address6("fd09::1");
	while (!speaks_from("fd09::1"))		/* until it is known that nobody else has it */
		sleep_ms(10);
	sent = burst(family);
	CHECK(sent > 500);
	/* One more, which arrives at the latest when the neighbour has been asked for a second time. */
	s = socket(family, SOCK_DGRAM, 0);
	CHECK_EQ(family == AF_INET ? sendto(s, &end, 1, 0, SA(a)) : sendto(s, &end, 1, 0, SA(b)), 1);
	for (bool over = false; !over; ) {
		struct pollfd p = { w, POLLIN, 0 };
		ssize_t n;

		if (poll(&p, 1, 6000) <= 0) {
			CHECK_EQ(family == AF_INET ? sendto(s, &end, 1, 0, SA(a)) : sendto(s, &end, 1, 0, SA(b)), 1);
			continue;
		}
		n = read(w, f, sizeof(f));
		if (n == headers + SIZE) {
			memcpy(&number, f + headers, sizeof(number));
			CHECK(number > last);
			last = number;
			got++;
		} else if (n == headers + 1 && f[headers] == 1) {
			over = true;
		} else {
			answer(w, f, n);
		}
	}
	CHECK(got <= MOST);
	if (got)
		CHECK_EQ(last, sent - 1);
}

TEST(kept_for_arp) { kept(AF_INET); }
TEST(kept_for_nd) { kept(AF_INET6); }
