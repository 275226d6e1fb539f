/* wire.h - a tap device whose other end the test plays: 10.9.0.1/24 and fd09::1/64 are ours, all others are at one hardware address that is known beforehand. */
#pragma once
#include "inet.h"
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <sys/sysmacros.h>

static const unsigned char peer_mac[6] = { 2, 0, 0, 0, 0, 2 };
static unsigned char our_mac[6];

static inline void interface_ioctl(unsigned long cmd, struct ifreq *r)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(s >= 0);
	CHECK_EQ(ioctl(s, cmd, r), 0);
	close(s);
}

static inline void know(const char *address)
{
	struct arpreq a = { .arp_flags = ATF_COM | ATF_PERM, .arp_dev = "w0" };
	struct sockaddr_in to = in4(address, 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	memcpy(&a.arp_pa, &to, sizeof(to));
	a.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(a.arp_ha.sa_data, peer_mac, 6);
	CHECK_EQ(ioctl(s, SIOCSARP, &a), 0);
	close(s);
}

/* The device w0, up; what it sends is read from the descriptor. */
static inline int wire(void)
{
	struct ifreq r = { .ifr_name = "w0", .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct sockaddr_in a = in4("10.9.0.1", 0), mask = in4("255.255.255.0", 0);
	int fd;

	mkdir("/dev/net", 0755);
	mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200));
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(ioctl(fd, TUNSETIFF, &r), 0);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	interface_ioctl(SIOCSIFADDR, &r);
	memcpy(&r.ifr_addr, &mask, sizeof(mask));
	interface_ioctl(SIOCSIFNETMASK, &r);
	interface_ioctl(SIOCGIFHWADDR, &r);
	memcpy(our_mac, r.ifr_hwaddr.sa_data, 6);
	interface_ioctl(SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	interface_ioctl(SIOCSIFFLAGS, &r);
	know("10.9.0.2");
	return fd;
}

/* The next IPv4 packet of proto that the system sends: its length, from the IP header on in buf; 0: none within ms. */
static inline int wire_read(int fd, int proto, void *buf, size_t room, int ms)
{
	static unsigned char frame[70000];
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (;;) {
		struct pollfd p = { fd, POLLIN, 0 };
		long gone;
		ssize_t n;

		clock_gettime(CLOCK_MONOTONIC, &now);
		gone = (now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000;
		if (gone > ms || poll(&p, 1, (int)(ms - gone)) <= 0)
			return 0;
		n = read(fd, frame, sizeof(frame));
		CHECK(n > 0);
		if (n < 34 || frame[12] != 8 || frame[13] != 0 || frame[14 + 9] != proto)
			continue;
		n = frame[16] << 8 | frame[17];
		CHECK((size_t)n <= room);
		memcpy(buf, frame + 14, n);
		return (int)n;
	}
}

static inline unsigned sum16(const void *at, size_t len, unsigned sum)
{
	const unsigned char *b = at;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (unsigned)(b[i] << 8 | b[i + 1]);
	if (len & 1)
		sum += (unsigned)b[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline void wire_frame(int fd, const unsigned char *to, int type, const void *bytes, size_t len)
{
	static unsigned char frame[70000];

	memcpy(frame, to, 6);
	memcpy(frame + 6, peer_mac, 6);
	frame[12] = (unsigned char)(type >> 8);
	frame[13] = (unsigned char)type;
	memcpy(frame + 14, bytes, len);
	CHECK_EQ(write(fd, frame, 14 + len), (ssize_t)(14 + len));
}

/* An IPv4 packet comes in.  The transport's checksum is the caller's. */
static inline void wire_write(int fd, const char *from, const char *to, int proto, const void *bytes, size_t len)
{
	static unsigned char p[66000];
	struct sockaddr_in s = in4(from, 0), d = in4(to, 0);
	struct iphdr h = { .version = 4, .ihl = 5, .tot_len = htons((uint16_t)(20 + len)), .ttl = 64, .protocol = (unsigned char)proto,
			   .saddr = s.sin_addr.s_addr, .daddr = d.sin_addr.s_addr };
	static const unsigned char all[6] = { 255, 255, 255, 255, 255, 255 };
	unsigned char group[6] = { 1, 0, 0x5e };
	uint32_t host = ntohl(d.sin_addr.s_addr);

	h.check = htons((uint16_t)~sum16(&h, 20, 0));
	memcpy(p, &h, 20);
	memcpy(p + 20, bytes, len);
	group[3] = (host >> 16) & 0x7f;
	group[4] = (unsigned char)(host >> 8);
	group[5] = (unsigned char)host;
	wire_frame(fd, host >> 28 == 14 ? group : (host & 0xff) == 255 ? all : our_mac, 0x0800, p, 20 + len);
}

static inline void wire_udp(int fd, const char *from, int sport, const char *to, int dport, const void *bytes, size_t len)
{
	unsigned char u[2000] = { (unsigned char)(sport >> 8), (unsigned char)sport, (unsigned char)(dport >> 8), (unsigned char)dport,
				  (unsigned char)((len + 8) >> 8), (unsigned char)(len + 8) };

	memcpy(u + 8, bytes, len);
	wire_write(fd, from, to, IPPROTO_UDP, u, len + 8);
}

/* A router's or the other's report about that packet of ours. */
static inline void wire_icmp(int fd, const char *from, int type, int code, int info, const void *packet, size_t quoted)
{
	unsigned char u[600] = { (unsigned char)type, (unsigned char)code };
	unsigned sum;

	u[6] = (unsigned char)(info >> 8);
	u[7] = (unsigned char)info;
	memcpy(u + 8, packet, quoted);
	sum = ~sum16(u, 8 + quoted, 0);
	u[2] = (unsigned char)(sum >> 8);
	u[3] = (unsigned char)sum;
	wire_write(fd, from, "10.9.0.1", IPPROTO_ICMP, u, 8 + quoted);
}
