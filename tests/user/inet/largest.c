/* The largest datagrams that IP can carry, by every kind of socket, over loopback and in fragments on a wire; and what is larger. */
#include "inet.h"
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_tun.h>
#include <netinet/icmp6.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define ROOM	70000
#define MOST	65535			/* behind IPv6's header */
static unsigned char out[ROOM], in[ROOM];

static void fill(void)
{
	for (unsigned i = 0; i < ROOM; i++)
		out[i] = (unsigned char)(i * 7 + (i >> 9));
}

static void there_and_back(int a, struct sockaddr *to, socklen_t len, int b, int n)
{
	memset(in, 0, sizeof(in));
	CHECK_EQ(sendto(a, out, (size_t)n, 0, to, len), n);
	CHECK_EQ(recv(b, in, sizeof(in), 0), n);
	CHECK(!memcmp(in, out, (size_t)n));
}

TEST(datagrams_of_six)
{
	struct sockaddr_in6 to = in6("::1", 0);
	int a = socket(AF_INET6, SOCK_DGRAM, 0), b = socket(AF_INET6, SOCK_DGRAM, 0);

	lo_up();
	fill();
	CHECK_EQ(bind(b, SA(to)), 0);
	to.sin6_port = htons(port_of(b));
	for (int n = 65480; n <= 65500; n++)
		there_and_back(a, SA(to), b, n);
	there_and_back(a, SA(to), b, 65526);
	there_and_back(a, SA(to), b, 65527);
	CHECK_ERR(sendto(a, out, 65528, 0, SA(to)), EMSGSIZE);
	CHECK_ERR(sendto(a, out, 65536, 0, SA(to)), EMSGSIZE);
	/* collected, too */
	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(send(a, out, 30000, MSG_MORE), 30000);
	CHECK_EQ(send(a, out + 30000, 35527, 0), 35527);
	CHECK_EQ(recv(b, in, sizeof(in), 0), 65527);
	CHECK(!memcmp(in, out, 65527));
}

TEST(nobody_for_a_large_one)
{
	struct sockaddr_in6 to = in6("::1", 0);
	int a = socket(AF_INET6, SOCK_DGRAM, 0), b = socket(AF_INET6, SOCK_DGRAM, 0);
	struct iovec v = { in, sizeof(in) };
	char control[200];
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n;

	lo_up();
	fill();
	CHECK_EQ(bind(b, SA(to)), 0);
	to.sin6_port = htons(port_of(b));
	close(b);
	CHECK_EQ(connect(a, SA(to)), 0);
	CHECK_EQ(set_option(a, IPPROTO_IPV6, IPV6_RECVERR, 1), 0);
	CHECK_EQ(send(a, out, 65527, 0), 65527);
	CHECK(wait_events(a, POLLERR) & POLLERR);
	CHECK_ERR(recv(a, in, sizeof(in), 0), ECONNREFUSED);
	n = recvmsg(a, &m, MSG_ERRQUEUE);
	CHECK(n > 1000 && !memcmp(in, out, (size_t)n));		/* what the report quotes */
}

TEST(raw)
{
	struct sockaddr_in6 to6 = in6("::1", 0);
	struct sockaddr_in to4 = in4("127.0.0.1", 0);
	int six = socket(AF_INET6, SOCK_RAW, 253), four = socket(AF_INET, SOCK_RAW, 253), whole = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	lo_up();
	fill();
	there_and_back(six, SA(to6), six, 65490);
	there_and_back(six, SA(to6), six, MOST);
	CHECK_ERR(sendto(six, out, MOST + 1, 0, SA(to6)), EMSGSIZE);
	/* a checksum of the kernel's, far behind */
	CHECK_EQ(set_option(six, IPPROTO_IPV6, IPV6_CHECKSUM, 50000), 0);
	CHECK_EQ(sendto(six, out, MOST, 0, SA(to6)), MOST);
	CHECK_EQ(recv(six, in, sizeof(in), 0), MOST);
	CHECK(!memcmp(in, out, 50000) && memcmp(in + 50000, out + 50000, 2) && !memcmp(in + 50002, out + 50002, MOST - 50002));

	CHECK_EQ(sendto(four, out, 65515, 0, SA(to4)), 65515);
	CHECK_EQ(recv(four, in, sizeof(in), 0), 65535);
	CHECK(!memcmp(in + 20, out, 65515));
	CHECK_ERR(sendto(four, out, 65516, 0, SA(to4)), EMSGSIZE);

	memcpy(out, (unsigned char[]){ 0x45, 0, 0, 0, 0, 0, 0, 0, 9, 253, 0, 0, 0, 0, 0, 0, 127, 0, 0, 1 }, 20);
	CHECK_EQ(sendto(whole, out, 65535, 0, SA(to4)), 65535);
	CHECK_EQ(recv(four, in, sizeof(in), 0), 65535);
	CHECK(!memcmp(in + 20, out + 20, 65515));
	CHECK_ERR(sendto(whole, out, 65536, 0, SA(to4)), EMSGSIZE);
}

/* Echoes of every size up to the largest are answered. */
TEST(echoes)
{
	struct sockaddr_in6 to6 = in6("::1", 0);
	struct sockaddr_in to4 = in4("127.0.0.1", 0);
	int four, six;

	lo_up();
	fill();
	write_file("/proc/sys/net/ipv4/ping_group_range", "0 0");
	four = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	six = socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
	CHECK(four >= 0 && six >= 0);
	memset(out, 0, 8);
	for (int n = 65440; n <= 65515; n += 15) {
		out[0] = 8;				/* an echo */
		CHECK_EQ(sendto(four, out, (size_t)n, 0, SA(to4)), n);
		CHECK_EQ(recv(four, in, sizeof(in), 0), n);
		CHECK(!in[0] && !memcmp(in + 8, out + 8, (size_t)n - 8));
	}
	CHECK_ERR(sendto(four, out, 65516, 0, SA(to4)), EMSGSIZE);
	for (int n = 65440; n <= MOST; n += 19) {
		out[0] = ICMP6_ECHO_REQUEST;
		CHECK_EQ(sendto(six, out, (size_t)n, 0, SA(to6)), n);
		CHECK_EQ(recv(six, in, sizeof(in), 0), n);
		CHECK(in[0] == ICMP6_ECHO_REPLY && !memcmp(in + 8, out + 8, (size_t)n - 8));
	}
	CHECK_ERR(sendto(six, out, MOST + 1, 0, SA(to6)), EMSGSIZE);
}

/* --- in fragments ------------------------------------------------------------------------------------------------------------------ */

static const unsigned char us[16] = { 0xfd, 0x98, [15] = 1 }, them[16] = { 0xfd, 0x98, [15] = 2 };

static int tun(void)
{
	struct ifreq r = { .ifr_name = "tunlong", .ifr_flags = IFF_TUN | IFF_NO_PI };
	struct { struct in6_addr address; uint32_t prefix; int index; } six = { .prefix = 64 };
	int s = socket(AF_INET6, SOCK_DGRAM, 0), fd;

	mkdir("/dev/net", 0755);
	mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200));
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && s >= 0);
	CHECK_EQ(ioctl(fd, TUNSETIFF, &r), 0);
	r.ifr_flags = IFF_UP;
	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	CHECK_EQ(ioctl(s, SIOCGIFINDEX, &r), 0);
	six.index = r.ifr_ifindex;
	memcpy(&six.address, us, 16);
	CHECK_EQ(ioctl(s, SIOCSIFADDR, &six), 0);
	close(s);
	return fd;
}

static void put16(unsigned char *p, unsigned v) { p[0] = (unsigned char)(v >> 8); p[1] = (unsigned char)v; }
static unsigned get16(const unsigned char *p) { return (unsigned)p[0] << 8 | p[1]; }

/* The sum over data and the pseudo header: 0xffff if it is right. */
static unsigned sum6(const unsigned char *p, size_t len, unsigned protocol)
{
	uint32_t sum = protocol + (uint32_t)len;

	for (int i = 0; i < 16; i += 2)
		sum += get16(us + i) + get16(them + i);
	for (size_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (sum & 0xffff) + (sum >> 16);
}

/* One fragment from them to us, behind `options` bytes of hop-by-hop options. */
static void fragment(int fd, unsigned protocol, uint32_t id, const unsigned char *bytes, unsigned at, unsigned len, bool more, unsigned options)
{
	unsigned char p[2000] = { 0x60, [7] = 64 }, *f = p + 40;

	p[6] = options ? 0 : 44;
	put16(p + 4, options + 8 + len);
	memcpy(p + 8, them, 16);
	memcpy(p + 24, us, 16);
	if (options) {
		f[0] = 44;
		f[1] = (unsigned char)(options / 8 - 1);
		f[2] = 1;			/* PadN */
		f[3] = (unsigned char)(options - 4);
		f += options;
	}
	f[0] = (unsigned char)protocol;
	put16(f + 2, at | more);
	memcpy(f + 4, &id, 4);
	memcpy(f + 8, bytes + at, len);
	CHECK_EQ(write(fd, p, (size_t)(f + 8 + len - p)), f + 8 + len - p);
}

static void fragments(int fd, unsigned protocol, uint32_t id, const unsigned char *bytes, unsigned len, unsigned options)
{
	for (unsigned at = 0; at < len; at += 1400)
		fragment(fd, protocol, id, bytes, at, len - at < 1400 ? len - at : 1400, len - at > 1400, options);
}

TEST(from_a_wire)
{
	struct sockaddr_in6 a = in6("fd98::1", 0);
	int fd = tun(), s = socket(AF_INET6, SOCK_DGRAM, 0);
	unsigned sum;

	fill();
	while (bind(s, SA(a)) < 0)			/* it may be tentative for a moment */
		CHECK_EQ(errno, EADDRNOTAVAIL);
	for (unsigned n = MOST - 50; n <= MOST; n += 10) {
		put16(out, 9);
		put16(out + 2, (unsigned)port_of(s));
		put16(out + 4, n);
		put16(out + 6, 0);
		sum = ~sum6(out, n, IPPROTO_UDP) & 0xffff;
		put16(out + 6, sum ? sum : 0xffff);
		fragments(fd, IPPROTO_UDP, n, out, n, 0);
		CHECK_EQ(recv(s, in, sizeof(in), 0), n - 8);
		CHECK(!memcmp(in, out + 8, n - 8));
	}
	/* with options it is longer than a packet can say: nothing comes, and nothing else happens; nor does one whose sum is wrong */
	fragments(fd, IPPROTO_UDP, 77, out, MOST, 8);
	out[6] ^= 1;
	fragments(fd, IPPROTO_UDP, 78, out, MOST, 0);
	out[6] ^= 1;
	fragments(fd, IPPROTO_UDP, 79, out, MOST, 0);
	CHECK_EQ(recv(s, in, sizeof(in), 0), MOST - 8);
	CHECK_ERR(recv(s, in, sizeof(in), MSG_DONTWAIT), EAGAIN);
}

TEST(to_a_wire)
{
	struct sockaddr_in6 to = in6("fd98::2", 9);
	int fd = tun(), s = socket(AF_INET6, SOCK_DGRAM, 0);
	static unsigned char p[2000];
	unsigned got = 0, whole = 0;
	uint32_t id = 0;

	fill();
	while (sendto(s, out, 65527, 0, SA(to)) < 0)
		CHECK(errno == EADDRNOTAVAIL || errno == ENETUNREACH);
	while (!whole || got < whole) {
		ssize_t n = read(fd, p, sizeof(p));
		unsigned at, len;

		CHECK(n > 0);
		if (p[0] >> 4 != 6 || p[6] != 44)
			continue;
		len = get16(p + 4) - 8;
		at = get16(p + 42) & 0xfff8;
		CHECK_EQ(n, len + 48);
		CHECK(n <= 1500 && p[40] == IPPROTO_UDP && at + len <= MOST && !memcmp(p + 8, us, 16) && !memcmp(p + 24, them, 16));
		if (got)
			CHECK(!memcmp(&id, p + 44, 4));
		memcpy(&id, p + 44, 4);
		memcpy(in + at, p + 48, len);
		got += len;
		if (!(p[43] & 1))
			whole = at + len;
	}
	CHECK(whole == MOST && got == MOST && get16(in + 4) == MOST && get16(in + 2) == 9);
	CHECK_EQ(sum6(in, MOST, IPPROTO_UDP), 0xffff);
	CHECK(!memcmp(in + 8, out, 65527));
	/* who wants no fragments gets none */
	CHECK_EQ(set_option(s, IPPROTO_IPV6, IPV6_DONTFRAG, 1), 0);
	CHECK_ERR(sendto(s, out, 65527, 0, SA(to)), EMSGSIZE);
}
