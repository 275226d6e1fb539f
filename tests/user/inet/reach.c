/* Whom datagrams reach: groups, broadcasts, sockets bound to a device; IPv6 networks of any length; over lo and over a tap whose other end is the test. */
#include "wire.h"
#include <linux/ipv6.h>
#include <netinet/udp.h>

static int udp(const char *a, int port)
{
	struct sockaddr_in s = in4(a, port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	CHECK_EQ(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(bind(fd, SA(s)), 0);
	return fd;
}

static int group(int fd, int how, const char *g, const char *device)
{
	struct ip_mreqn m = { .imr_multiaddr = in4(g, 0).sin_addr, .imr_ifindex = device ? (int)if_nametoindex(device) : 0 };

	return setsockopt(fd, IPPROTO_IP, how, &m, sizeof(m));
}

static bool hears(int fd, const char *what)
{
	char buf[100];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	return n == (ssize_t)strlen(what) && !memcmp(buf, what, n);
}

static bool silent(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

TEST(groups_from_the_wire)
{
	int w = wire(), a = udp("0.0.0.0", 5000), b = udp("0.0.0.0", 5000);

	CHECK_EQ(group(a, IP_ADD_MEMBERSHIP, "239.1.2.3", "w0"), 0);
	CHECK_ERR(group(a, IP_ADD_MEMBERSHIP, "239.1.2.3", "w0"), EADDRINUSE);
	CHECK_EQ(set_option(b, IPPROTO_IP, IP_MULTICAST_ALL, 0), 0);
	wire_udp(w, "10.9.0.2", 99, "239.1.2.3", 5000, "one", 3);
	CHECK(wait_events(a, POLLIN) & POLLIN);
	CHECK(hears(a, "one"));
	CHECK(silent(b));
	CHECK_EQ(group(b, IP_ADD_MEMBERSHIP, "239.1.2.3", "w0"), 0);
	wire_udp(w, "10.9.0.2", 99, "239.1.2.3", 5000, "both", 4);
	CHECK(wait_events(a, POLLIN) & POLLIN);
	CHECK(wait_events(b, POLLIN) & POLLIN);
	CHECK(hears(a, "both") && hears(b, "both"));
	wire_udp(w, "10.9.0.2", 99, "239.1.2.4", 5000, "other", 5);
	sleep_ms(50);
	CHECK(silent(a) && silent(b));
	CHECK_EQ(group(a, IP_DROP_MEMBERSHIP, "239.1.2.3", "w0"), 0);
	CHECK_ERR(group(a, IP_DROP_MEMBERSHIP, "239.1.2.3", "w0"), EADDRNOTAVAIL);
	CHECK_EQ(set_option(a, IPPROTO_IP, IP_MULTICAST_ALL, 0), 0);
	wire_udp(w, "10.9.0.2", 99, "239.1.2.3", 5000, "left", 4);
	CHECK(wait_events(b, POLLIN) & POLLIN);
	CHECK(hears(b, "left"));
	CHECK(silent(a));
	close(b);
	wire_udp(w, "10.9.0.2", 99, "239.1.2.3", 5000, "none", 4);
	sleep_ms(50);
	CHECK(silent(a));
}

TEST(groups_to_the_wire)
{
	unsigned char p[2000];
	struct sockaddr_in to = in4("239.1.2.3", 5000);
	int w = wire(), a = udp("0.0.0.0", 5000), s = socket(AF_INET, SOCK_DGRAM, 0), n;
	struct ip_mreqn m = { .imr_ifindex = (int)if_nametoindex("w0") };

	CHECK_EQ(group(a, IP_ADD_MEMBERSHIP, "239.1.2.3", "w0"), 0);
	CHECK_EQ(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m)), 0);
	CHECK_EQ(sendto(s, "loop", 4, 0, SA(to)), 4);
	n = wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000);
	CHECK_EQ(n, 32);
	CHECK_EQ(p[8], 1);			/* no further than the link */
	CHECK(wait_events(a, POLLIN) & POLLIN);
	CHECK(hears(a, "loop"));		/* and to ourselves */
	CHECK_EQ(set_option(s, IPPROTO_IP, IP_MULTICAST_LOOP, 0), 0);
	CHECK_EQ(set_option(s, IPPROTO_IP, IP_MULTICAST_TTL, 7), 0);
	CHECK_EQ(sendto(s, "away", 4, 0, SA(to)), 4);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 32);
	CHECK_EQ(p[8], 7);
	sleep_ms(50);
	CHECK(silent(a));
	CHECK_EQ(set_option(s, IPPROTO_IP, IP_MULTICAST_TTL, 0), 0);
	CHECK_ERR(set_option(s, IPPROTO_IP, IP_MULTICAST_TTL, 256), EINVAL);
}

TEST(groups_that_are_none)
{
	int a = udp("0.0.0.0", 5000), t = socket(AF_INET, SOCK_STREAM, 0);
	struct ip_mreqn m = { .imr_ifindex = 999 };

	lo_up();
	CHECK_ERR(group(a, IP_ADD_MEMBERSHIP, "10.1.2.3", "lo"), EINVAL);
	CHECK_ERR(group(t, IP_ADD_MEMBERSHIP, "239.1.2.3", "lo"), EPROTO);
	CHECK_ERR(group(a, IP_DROP_MEMBERSHIP, "239.1.2.3", "lo"), EADDRNOTAVAIL);
	m.imr_multiaddr = in4("239.1.2.3", 0).sin_addr;
	CHECK_ERR(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), ENODEV);
	CHECK_ERR(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, 4), EINVAL);
	CHECK_ERR(setsockopt(a, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m)), EADDRNOTAVAIL);
}

TEST(broadcasts)
{
	unsigned char p[2000];
	struct sockaddr_in net = in4("10.9.0.255", 5001), all = in4("255.255.255.255", 5001), own = in4("10.9.0.1", 5001);
	int w = wire(), a = udp("0.0.0.0", 5001), b = udp("0.0.0.0", 5001), c, s = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_ERR(sendto(s, "x", 1, 0, SA(net)), EACCES);
	CHECK_ERR(connect(s, SA(net)), EACCES);
	CHECK_EQ(set_option(s, SOL_SOCKET, SO_BROADCAST, 1), 0);
	CHECK_EQ(sendto(s, "x", 1, 0, SA(net)), 1);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 29);
	CHECK(!memcmp(p + 16, &net.sin_addr, 4));
	while (recv(a, p, 1, MSG_DONTWAIT) >= 0 || recv(b, p, 1, MSG_DONTWAIT) >= 0)
		;
	/* what comes in reaches all that are bound to anything */
	wire_udp(w, "10.9.0.2", 99, "10.9.0.255", 5001, "all", 3);
	CHECK(wait_events(a, POLLIN) & POLLIN);
	CHECK(wait_events(b, POLLIN) & POLLIN);
	CHECK(hears(a, "all") && hears(b, "all"));
	/* and those bound to the broadcast address, but not those to ours */
	c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(set_option(c, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(bind(c, SA(own)), 0);
	wire_udp(w, "10.9.0.2", 99, "10.9.0.255", 5001, "more", 4);
	CHECK(wait_events(a, POLLIN) & POLLIN);
	sleep_ms(20);
	CHECK(silent(c));
	close(c);
	c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(set_option(c, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(bind(c, SA(net)), 0);
	wire_udp(w, "10.9.0.2", 99, "10.9.0.255", 5001, "here", 4);
	CHECK(wait_events(c, POLLIN) & POLLIN);
	CHECK(hears(c, "here"));
	CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "w0", 2), 0);
	CHECK_EQ(sendto(s, "x", 1, 0, SA(all)), 1);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 29);
	CHECK(!memcmp(p + 16, &all.sin_addr, 4));
}

TEST(no_streams_to_many)
{
	struct sockaddr_in g = in4("239.1.2.3", 80), all = in4("10.9.0.255", 80);
	int w = wire(), t = socket(AF_INET, SOCK_STREAM, 0);

	(void)w;
	CHECK_ERR(connect(t, SA(g)), ENETUNREACH);
	CHECK(connect(t, SA(all)) < 0);
	CHECK_EQ(bind(t, SA(g)), 0);
}

TEST(bound_to_a_device)
{
	unsigned char p[2000];
	struct sockaddr_in own = in4("127.0.0.1", 5002), far = in4("192.0.2.1", 99);
	int w = wire(), a, b, s = socket(AF_INET, SOCK_DGRAM, 0);

	lo_up();
	a = udp("0.0.0.0", 5002);
	CHECK_EQ(setsockopt(a, SOL_SOCKET, SO_BINDTODEVICE, "w0", 2), 0);
	CHECK_EQ(sendto(s, "lo", 2, 0, SA(own)), 2);
	CHECK(silent(a));
	wire_udp(w, "10.9.0.2", 99, "10.9.0.1", 5002, "w0", 2);
	CHECK(wait_events(a, POLLIN) & POLLIN);
	CHECK(hears(a, "w0"));
	/* the bound one is preferred, the other hears the rest */
	b = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(set_option(b, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	struct sockaddr_in any = in4("0.0.0.0", 5002);
	CHECK_EQ(bind(b, SA(any)), 0);
	wire_udp(w, "10.9.0.2", 99, "10.9.0.1", 5002, "again", 5);
	CHECK(wait_events(a, POLLIN) & POLLIN);
	CHECK(hears(a, "again") && silent(b));
	CHECK_EQ(sendto(s, "lo", 2, 0, SA(own)), 2);
	CHECK(wait_events(b, POLLIN) & POLLIN);
	CHECK(hears(b, "lo"));
	/* out by it, though no route says so */
	CHECK_ERR(sendto(s, "x", 1, 0, SA(far)), ENETUNREACH);
	know("192.0.2.1");
	CHECK_EQ(sendto(a, "x", 1, 0, SA(far)), 1);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 29);
	CHECK(!memcmp(p + 16, &far.sin_addr, 4));
	CHECK_EQ(setsockopt(a, SOL_SOCKET, SO_BINDTODEVICE, "", 0), 0);
	CHECK_ERR(sendto(a, "x", 1, 0, SA(far)), ENETUNREACH);
}

TEST(listener_bound_to_a_device)
{
	struct sockaddr_in a;
	int l, c = socket(AF_INET, SOCK_STREAM, 0), w = wire();

	(void)w;
	lo_up();
	l = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(setsockopt(l, SOL_SOCKET, SO_BINDTODEVICE, "w0", 2), 0);
	a = in4("0.0.0.0", 0);
	CHECK_EQ(bind(l, SA(a)), 0);
	CHECK_EQ(listen(l, 5), 0);
	a = in4("127.0.0.1", port_of(l));
	CHECK_ERR(connect(c, SA(a)), ECONNREFUSED);
	CHECK_EQ(setsockopt(l, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), 0);
	CHECK_EQ(connect(c, SA(a)), 0);
}

TEST(segmented_datagrams)
{
	static char buf[5000];
	struct sockaddr_in to;
	int a, s = socket(AF_INET, SOCK_DGRAM, 0);

	lo_up();
	a = udp("127.0.0.1", 0);
	to = in4("127.0.0.1", port_of(a));
	CHECK_EQ(option(s, IPPROTO_UDP, 103), 0);
	CHECK_ERR(set_option(s, IPPROTO_UDP, 103, -1), EINVAL);
	CHECK_ERR(set_option(s, IPPROTO_UDP, 103, 65536), EINVAL);
	CHECK_EQ(set_option(s, IPPROTO_UDP, 103, 1000), 0);
	CHECK_EQ(option(s, IPPROTO_UDP, 103), 1000);
	CHECK_EQ(sendto(s, buf, 2500, 0, SA(to)), 2500);
	CHECK_EQ(recv(a, buf, sizeof(buf), 0), 1000);
	CHECK_EQ(recv(a, buf, sizeof(buf), 0), 1000);
	CHECK_EQ(recv(a, buf, sizeof(buf), 0), 500);
	CHECK_EQ(sendto(s, buf, 1000, 0, SA(to)), 1000);
	CHECK_EQ(recv(a, buf, sizeof(buf), 0), 1000);
	CHECK_EQ(set_option(s, IPPROTO_UDP, 103, 10), 0);
	CHECK_ERR(sendto(s, buf, 5000, 0, SA(to)), EINVAL);
}

TEST(corked_to_the_first)
{
	unsigned char p[2000];
	struct sockaddr_in to = in4("10.9.0.2", 99), other = in4("10.9.0.2", 100);
	int w = wire(), s = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_EQ(set_option(s, IPPROTO_UDP, UDP_CORK, 1), 0);
	CHECK_EQ(sendto(s, "one", 3, 0, SA(to)), 3);
	CHECK_EQ(sendto(s, "two", 3, 0, SA(other)), 3);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 50), 0);
	CHECK_EQ(set_option(s, IPPROTO_UDP, UDP_CORK, 0), 0);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 34);
	CHECK(p[23] == 99 && !memcmp(p + 28, "onetwo", 6));
	CHECK_EQ(sendto(s, "a", 1, MSG_MORE, SA(to)), 1);
	CHECK_EQ(sendto(s, "b", 1, 0, SA(to)), 1);
	CHECK_EQ(wire_read(w, IPPROTO_UDP, p, sizeof(p), 5000), 30);
}

/* --- IPv6 --- */

static int network6(const char *a, int bits, bool add)
{
	struct in6_ifreq r = { .ifr6_prefixlen = bits, .ifr6_ifindex = (int)if_nametoindex("w0") };
	int s = socket(AF_INET6, SOCK_DGRAM, 0), ret;

	CHECK_EQ(inet_pton(AF_INET6, a, &r.ifr6_addr), 1);
	ret = ioctl(s, add ? SIOCSIFADDR : SIOCDIFADDR, &r);
	close(s);
	return ret;
}

/* The address that we would speak to `to` with; 0: there is no way. */
static const char *source_for(const char *to)
{
	static char text[64];
	struct sockaddr_in6 a = in6(to, 9), from;
	socklen_t len = sizeof(from);
	int s = socket(AF_INET6, SOCK_DGRAM, 0);

	if (connect(s, SA(a)) < 0) {
		close(s);
		return "";
	}
	CHECK_EQ(getsockname(s, (struct sockaddr *)&from, &len), 0);
	close(s);
	return inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof(text));
}

static bool comes_true(const char *to, const char *from)
{
	for (int i = 0; i < 500 && strcmp(source_for(to), from); i++)	/* duplicate address detection takes its time */
		sleep_ms(10);
	return !strcmp(source_for(to), from);
}

static int prefix_told(const char *a)
{
	struct in6_addr want, is;
	char line[200], hex[40];
	unsigned bits, scope, flags, index;
	FILE *f = fopen("/proc/net/if_inet6", "r");
	int found = -1;

	CHECK(f);
	CHECK_EQ(inet_pton(AF_INET6, a, &want), 1);
	while (fgets(line, sizeof(line), f)) {
		CHECK_EQ(sscanf(line, "%32s %x %x %x %x", hex, &index, &bits, &scope, &flags), 5);
		for (int i = 0; i < 16; i++)
			CHECK_EQ(sscanf(hex + i * 2, "%2hhx", &is.s6_addr[i]), 1);
		if (!memcmp(&is, &want, 16))
			found = (int)bits;
	}
	fclose(f);
	return found;
}

TEST(networks_of_any_length)
{
	int w = wire();

	(void)w;
	CHECK_EQ(network6("fd09:1:2:3::1", 40, true), 0);
	CHECK_EQ(network6("fd09:1:2:3::1", 40, true), -1);
	CHECK_EQ(prefix_told("fd09:1:2:3::1"), 40);
	CHECK(comes_true("fd09:1:55:66::7", "fd09:1:2:3::1"));
	CHECK(!strcmp(source_for("fd09:1:100::1"), ""));	/* beyond the 40 bits: fd09:1:00.. */
	CHECK_EQ(network6("fd77::a:1", 112, true), 0);
	CHECK(comes_true("fd77::a:ffff", "fd77::a:1"));
	CHECK(!strcmp(source_for("fd77::b:1"), ""));		/* the same 64 bits, another network */
	CHECK_EQ(network6("fd88::1", 128, true), 0);
	CHECK(comes_true("fd88::1", "fd88::1"));
	CHECK(!strcmp(source_for("fd88::2"), ""));
	CHECK_EQ(prefix_told("fd88::1"), 128);
	CHECK_EQ(network6("fd09:1:2:3::1", 40, false), 0);
	CHECK(!strcmp(source_for("fd09:1:55:66::7"), ""));
	CHECK_ERR(network6("fd09:1:2:3::1", 40, false), EADDRNOTAVAIL);
	CHECK_ERR(network6("fd09::1", 129, true), EINVAL);
}

TEST(the_nearest_address_speaks)
{
	int w = wire();

	(void)w;
	CHECK_EQ(network6("fd10:1::1", 48, true), 0);
	CHECK_EQ(network6("fd10:2::1", 48, true), 0);
	CHECK(comes_true("fd10:1::9", "fd10:1::1"));
	CHECK(comes_true("fd10:2::9", "fd10:2::1"));
	CHECK(comes_true("fd10:2:0:ffff::9", "fd10:2::1"));
}

/* --- what is not pretended --- */

TEST(ping_group_range)
{
	static const char *const bad[] = { "x", "1", "1 x", "-1 5", "0 4294967295" };
	char was[64], buf[64];
	int fd = open("/proc/sys/net/ipv4/ping_group_range", O_RDWR);

	CHECK(fd >= 0);
	CHECK(read_file("/proc/sys/net/ipv4/ping_group_range", was, sizeof(was)) > 0);
	CHECK_EQ(write(fd, "5 100", 5), 5);
	CHECK(read_file("/proc/sys/net/ipv4/ping_group_range", buf, sizeof(buf)) > 0);
	CHECK(!strcmp(buf, "5\t100\n"));
	CHECK_ERR(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EACCES);
	CHECK_EQ(pwrite(fd, "0 0", 3, 0), 3);
	CHECK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) >= 0);
	CHECK_EQ(pwrite(fd, "9 3", 3, 0), 3);
	CHECK(read_file("/proc/sys/net/ipv4/ping_group_range", buf, sizeof(buf)) > 0);
	CHECK(!strcmp(buf, "1\t0\n"));
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (i != 1)		/* one number alone: Linux takes it for the first */
			CHECK_ERR(pwrite(fd, bad[i], strlen(bad[i]), 0), EINVAL);
	CHECK(pwrite(fd, was, strlen(was), 0) > 0);
}
