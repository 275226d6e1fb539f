/* IP by a tun device: what programs send arrives there as packets that are right, and what is written there comes in. */
#include "tap.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { ICMP = 1, TCP = 6, UDP = 17 };
#define US	0x0a620001u		/* 10.98.0.1 */
#define THEM	0x0a620002u
static const unsigned char us6[16] = { 0xfd, 0x98, [15] = 1 }, them6[16] = { 0xfd, 0x98, [15] = 2 };

struct in6_request { struct in6_addr address; uint32_t prefix; int index; };	/* struct in6_ifreq */

static int tun = -1, ifindex;

/* A device, up, with an address of each kind; once. */
static void begin(void)
{
	struct ifreq r = { .ifr_name = "tunip", .ifr_flags = IFF_TUN | IFF_NO_PI };
	struct in6_request six = { .prefix = 64 };
	int s = socket(AF_INET, SOCK_DGRAM, 0), s6 = socket(AF_INET6, SOCK_DGRAM, 0);

	if (tun >= 0)
		return;
	mkdir("/dev/net", 0755);
	mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200));
	tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	CHECK(tun >= 0 && s >= 0 && s6 >= 0);
	CHECK_EQ(ioctl(tun, TUNSETIFF, &r), 0);
	*(struct sockaddr_in *)&r.ifr_addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(US) };
	CHECK_EQ(ioctl(s, SIOCSIFADDR, &r), 0);
	*(struct sockaddr_in *)&r.ifr_netmask = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xffffff00) };
	CHECK_EQ(ioctl(s, SIOCSIFNETMASK, &r), 0);
	r.ifr_flags = IFF_UP;
	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	CHECK_EQ(ioctl(s, SIOCGIFINDEX, &r), 0);
	ifindex = six.index = r.ifr_ifindex;
	memcpy(&six.address, us6, 16);
	CHECK_EQ(ioctl(s6, SIOCSIFADDR, &six), 0);
	close(s);
	close(s6);
}

static uint32_t add(const unsigned char *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void put16(unsigned char *p, unsigned v) { p[0] = (unsigned char)(v >> 8); p[1] = (unsigned char)v; }
static unsigned get16(const unsigned char *p) { return (unsigned)p[0] << 8 | p[1]; }
static size_t head_of(const unsigned char *p) { return p[0] >> 4 == 6 ? 40 : (p[0] & 15u) * 4; }
static unsigned protocol_of(const unsigned char *p) { return p[p[0] >> 4 == 6 ? 6 : 9]; }

/* The sum over a transport's header and data, with the pseudo header: 0xffff if it is right. */
static uint16_t transport_sum(const unsigned char *p, size_t len)
{
	size_t head = head_of(p);

	return fold((p[0] >> 4 == 6 ? add(p + 8, 32) : add(p + 12, 8)) + protocol_of(p) + (uint32_t)(len - head) + add(p + head, len - head));
}

/* The next packet of that protocol (6 or 4, and number) that the system sends. */
static size_t next(unsigned version, unsigned protocol, unsigned char *p, size_t size)
{
	for (;;) {
		ssize_t n = read(tun, p, size);

		CHECK(n > 0);
		if (n <= 0)
			return 0;
		if ((size_t)n > head_of(p) && p[0] >> 4 == version && protocol_of(p) == protocol)
			return (size_t)n;
	}
}

static void check_whole(const unsigned char *p, size_t len)
{
	if (p[0] >> 4 == 4) {
		CHECK_EQ(get16(p + 2), len);
		CHECK_EQ(fold(add(p, head_of(p))), 0xffff);
	} else {
		CHECK_EQ(get16(p + 4) + 40, len);
	}
}

/* A packet from them to us: len bytes of a transport lie at p + its head. */
static size_t address(unsigned char *p, unsigned version, unsigned protocol, size_t len)
{
	if (version == 4) {
		memset(p, 0, 20);
		p[0] = 0x45;
		put16(p + 2, (unsigned)(20 + len));
		p[8] = 64;
		p[9] = (unsigned char)protocol;
		memcpy(p + 12, &(uint32_t){ htonl(THEM) }, 4);
		memcpy(p + 16, &(uint32_t){ htonl(US) }, 4);
		put16(p + 10, (uint16_t)~fold(add(p, 20)));
		return 20 + len;
	}
	memset(p, 0, 8);
	p[0] = 0x60;
	put16(p + 4, (unsigned)len);
	p[6] = (unsigned char)protocol;
	p[7] = 64;
	memcpy(p + 8, them6, 16);
	memcpy(p + 24, us6, 16);
	return 40 + len;
}

static void datagrams(int version, struct sockaddr *to, socklen_t to_len)
{
	unsigned char p[2000], back[100];
	int s = socket(version == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	size_t n, head, len;

	CHECK_EQ(sendto(s, "hello", 5, 0, to, to_len), 5);
	n = next((unsigned)version, UDP, p, sizeof(p));
	head = head_of(p);
	CHECK_EQ(n, head + 13);
	check_whole(p, n);
	CHECK_EQ(transport_sum(p, n), 0xffff);
	CHECK(!memcmp(p + head + 8, "hello", 5) && get16(p + head + 2) == 9);
	if (version == 4)
		CHECK(!memcmp(p + 12, &(uint32_t){ htonl(US) }, 4) && !memcmp(p + 16, &(uint32_t){ htonl(THEM) }, 4));
	else
		CHECK(!memcmp(p + 8, us6, 16) && !memcmp(p + 24, them6, 16));
	memcpy(back + 40, (unsigned char[]){ 0, 9, p[head], p[head + 1], 0, 12, 0, 0, 'b', 'a', 'c', 'k' }, 12);
	len = address(back + 40 - head, (unsigned)version, UDP, 12);
	put16(back + 46, (uint16_t)~transport_sum(back + 40 - head, len));
	CHECK_EQ(write(tun, back + 40 - head, len), len);
	CHECK_EQ(recv(s, p, sizeof(p), 0), 4);
	CHECK(!memcmp(p, "back", 4));
	put16(back + 46, get16(back + 46) ^ 0x1000);		/* a wrong sum: it does not come in, the next does */
	CHECK_EQ(write(tun, back + 40 - head, len), len);
	put16(back + 46, get16(back + 46) ^ 0x1000);
	CHECK_EQ(write(tun, back + 40 - head, len), len);
	CHECK_EQ(recv(s, p, sizeof(p), 0), 4);
	CHECK_ERR(recv(s, p, sizeof(p), MSG_DONTWAIT), EAGAIN);
	close(s);
}

TEST(datagrams_of_ipv4)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(THEM) };

	begin();
	datagrams(4, (void *)&to, sizeof(to));
}

TEST(datagrams_of_ipv6)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9) };

	begin();
	memcpy(&to.sin6_addr, them6, 16);
	datagrams(6, (void *)&to, sizeof(to));
}

/* Without anybody being asked who they are. */
TEST(a_ping_is_answered)
{
	unsigned char p[2000], m[28] = { [20] = 8, 0, 0, 0, 1, 2, 3, 4 };
	size_t n;

	begin();
	put16(m + 22, (uint16_t)~fold(add(m + 20, 8)));
	n = address(m, 4, ICMP, 8);
	CHECK_EQ(write(tun, m, n), n);
	n = next(4, ICMP, p, sizeof(p));
	check_whole(p, n);
	CHECK(n == 28 && p[20] == 0 && !memcmp(p + 24, m + 24, 4) && fold(add(p + 20, 8)) == 0xffff);
}

TEST(a_connection_is_refused)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(THEM) };
	unsigned char p[2000], m[40] = { 0 };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), err = 0;
	socklen_t len = sizeof(err);
	struct pollfd wait = { s, POLLOUT, 0 };
	size_t n;

	begin();
	CHECK_ERR(connect(s, (void *)&to, sizeof(to)), EINPROGRESS);
	n = next(4, TCP, p, sizeof(p));
	check_whole(p, n);
	CHECK_EQ(transport_sum(p, n), 0xffff);
	CHECK(p[33] == 2 /* SYN */ && get16(p + 22) == 80);
	put16(m + 20, 80);
	memcpy(m + 22, p + 20, 2);
	memcpy(m + 28, &(uint32_t){ htonl(((uint32_t)get16(p + 24) << 16 | get16(p + 26)) + 1) }, 4);
	m[32] = 5 << 4;
	m[33] = 0x14;		/* RST, ACK */
	n = address(m, 4, TCP, 20);
	put16(m + 36, (uint16_t)~transport_sum(m, n));
	CHECK_EQ(write(tun, m, n), n);
	CHECK_EQ(poll(&wait, 1, -1), 1);
	CHECK_EQ(getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	CHECK_EQ(err, ECONNREFUSED);
	close(s);
}

/* A group's datagram goes out, and comes back to who has joined here. */
TEST(groups)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(4242), .sin_addr.s_addr = htonl(0xef010203) };
	struct ip_mreqn group = { .imr_multiaddr = to.sin_addr };
	unsigned char p[2000];
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	size_t n;

	begin();
	group.imr_ifindex = ifindex;
	CHECK_EQ(bind(s, (void *)&to, sizeof(to)), 0);
	CHECK_EQ(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
	CHECK_EQ(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group)), 0);
	CHECK_EQ(sendto(s, "all", 3, 0, (void *)&to, sizeof(to)), 3);
	CHECK_EQ(recv(s, p, sizeof(p), 0), 3);
	CHECK(!memcmp(p, "all", 3));
	n = next(4, UDP, p, sizeof(p));
	check_whole(p, n);
	CHECK_EQ(transport_sum(p, n), 0xffff);
	CHECK(!memcmp(p + 16, &to.sin_addr, 4));
	close(s);
}

/* Too short, cut, of no version: lost, and nothing else. */
TEST(damaged_packets)
{
	unsigned char m[100] = { 0x45 }, p[2000];

	begin();
	CHECK_EQ(write(tun, m, 1), 1);
	CHECK_EQ(write(tun, m, 19), 19);
	m[0] = 0x4f;
	CHECK_EQ(write(tun, m, 20), 20);
	m[0] = 0x60;
	CHECK_EQ(write(tun, m, 39), 39);
	CHECK_EQ(write(tun, m, 40), 40);
	m[0] = 0x30;
	CHECK_ERR(write(tun, m, 40), EINVAL);
	memset(m, 0, sizeof(m));
	m[20] = 8;
	put16(m + 22, (uint16_t)~fold(add(m + 20, 8)));
	CHECK_EQ(write(tun, m, address(m, 4, ICMP, 8)), 28);
	CHECK_EQ(next(4, ICMP, p, sizeof(p)), 28);
}

/* A device without an address of its own has one of IPv6 for its link all the same. */
TEST(an_address_for_the_link)
{
	char line[200];
	bool found = false;
	FILE *f;

	begin();
	f = fopen("/proc/net/if_inet6", "r");
	CHECK(f);
	while (f && fgets(line, sizeof(line), f))
		found |= !strncmp(line, "fe80", 4) && strstr(line, "tunip");
	CHECK(found);
	if (f)
		fclose(f);
}
