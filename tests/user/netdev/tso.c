/* Segmentation offload: what a connection sends by a device that cuts segments (a tap whose program says that it can), as the program on the other side sees
 * it: which frames are large, how they are to be cut, their checksums; and that what is sent again, into a small window, as urgent or after the device has
 * changed its mind is as small as it has to be.  The other side of the connection is played here. */
#include "tap.h"
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#define NAME	"tso0"
#define MSS	1000u
#define PORT	7007
#define ALL	(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

static const unsigned char PEER_MAC[6] = { 2, 0, 0, 0, 0, 9 };
static int tap = -1, sock = -1, family;
static unsigned char mac[6], us[16], them[16];	/* addresses, of which IPv4 has the first four bytes */
static unsigned addr_len;
static uint16_t our_port;
static uint32_t first, seen_to, peer_seq;	/* the stream's first byte, up to where we have it without a hole, the peer's own number */
static unsigned char frame[70000];

/* A segment that came out. */
static struct segment { uint32_t seq, len; unsigned flags, window, urgent, header; struct virtio_net_hdr h; const unsigned char *data; } got;

/* --- bytes --- */

static uint32_t get32(const unsigned char *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }
static unsigned get16(const unsigned char *p) { return (unsigned)(p[0] << 8 | p[1]); }
static void put16(unsigned char *p, unsigned v) { p[0] = (unsigned char)(v >> 8); p[1] = (unsigned char)v; }
static void put32(unsigned char *p, uint32_t v) { put16(p, v >> 16); put16(p + 2, v & 0xffff); }
static unsigned char pattern(uint32_t at) { return (unsigned char)(at * 7 + at / 251); }

static unsigned fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static uint32_t add(uint32_t sum, const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return fold(sum);
}

static unsigned pseudo(unsigned proto, uint32_t len)
{
	return fold(add(add(proto + (len >> 16) + (len & 0xffff), us, addr_len), them, addr_len));
}

/* --- the device --- */

static void flags_and_mtu(int set, int mtu)
{
	struct ifreq r = { 0 };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	strcpy(r.ifr_name, NAME);
	if (mtu) {
		r.ifr_mtu = mtu;
		CHECK_EQ(ioctl(s, SIOCSIFMTU, &r), 0);
	}
	CHECK_EQ(ioctl(s, SIOCGIFHWADDR, &r), 0);
	memcpy(mac, r.ifr_hwaddr.sa_data, 6);
	CHECK_EQ(ioctl(s, SIOCGIFFLAGS, &r), 0);
	r.ifr_flags |= (short)set;
	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	close(s);
}

/* An address that is used at once. */
static void give_address(void)
{
	struct { struct nlmsghdr n; struct ifaddrmsg a; char room[64]; } q = {
		.n = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)), .nlmsg_type = RTM_NEWADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE },
		.a = { .ifa_family = (unsigned char)family, .ifa_prefixlen = family == AF_INET ? 24 : 64, .ifa_flags = IFA_F_NODAD, .ifa_index = if_nametoindex(NAME) } };
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct { struct nlmsghdr n; struct nlmsgerr e; } answer;

	for (unsigned short type = IFA_ADDRESS; type <= IFA_LOCAL; type++) {
		struct rtattr *t = (struct rtattr *)((char *)&q + q.n.nlmsg_len);

		*t = (struct rtattr){ .rta_len = (unsigned short)RTA_LENGTH(addr_len), .rta_type = type };
		memcpy(RTA_DATA(t), us, addr_len);
		q.n.nlmsg_len += RTA_SPACE(addr_len);
	}
	CHECK_EQ(send(s, &q, q.n.nlmsg_len, 0), q.n.nlmsg_len);
	CHECK(recv(s, &answer, sizeof(answer), 0) >= (ssize_t)sizeof(answer));
	CHECK_EQ(answer.e.error, 0);
	close(s);
}

static void make_device(int af, unsigned offloads)
{
	struct ifreq r = { .ifr_name = NAME };

	family = af;
	addr_len = af == AF_INET ? 4 : 16;
	CHECK_EQ(inet_pton(af, af == AF_INET ? "10.77.0.1" : "fd00:77::1", us), 1);
	CHECK_EQ(inet_pton(af, af == AF_INET ? "10.77.0.2" : "fd00:77::2", them), 1);
	mkdir("/dev/net", 0755);
	mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200));
	tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	CHECK(tap >= 0);
	r.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	CHECK_EQ(ioctl(tap, TUNSETIFF, &r), 0);
	CHECK_EQ(ioctl(tap, TUNSETOFFLOAD, offloads), 0);
	flags_and_mtu(IFF_UP, 0);
	give_address();
}

/* --- frames out and in --- */

/* len bytes of a transport's, to us. */
static void send_ip(unsigned proto, unsigned char *transport, unsigned len, unsigned sum_at)
{
	unsigned char p[10 + 14 + 40 + 200] = { 0 }, *eth = p + 10, *ip = eth + 14;
	unsigned header = family == AF_INET ? 20 : 40;

	CHECK(len <= 200);
	memcpy(eth, mac, 6);
	memcpy(eth + 6, PEER_MAC, 6);
	put16(eth + 12, family == AF_INET ? ETH_P_IP : ETH_P_IPV6);
	if (family == AF_INET) {
		ip[0] = 0x45;
		put16(ip + 2, header + len);
		ip[8] = 64;
		ip[9] = (unsigned char)proto;
		memcpy(ip + 12, them, 4);
		memcpy(ip + 16, us, 4);
		put16(ip + 10, ~add(0, ip, 20) & 0xffff);
	} else {
		ip[0] = 0x60;
		put16(ip + 4, len);
		ip[6] = (unsigned char)proto;
		ip[7] = 255;
		memcpy(ip + 8, them, 16);
		memcpy(ip + 24, us, 16);
	}
	put16(transport + sum_at, 0);
	put16(transport + sum_at, ~add(pseudo(proto, len), transport, len) & 0xffff);
	memcpy(ip + header, transport, len);
	CHECK_EQ(write(tap, p, 10 + 14 + header + len), 10 + 14 + header + len);
}

static void send_tcp(unsigned flags, uint32_t ack, unsigned window, const void *options, unsigned options_len)
{
	unsigned char t[60] = { 0 };

	put16(t, PORT);
	put16(t + 2, our_port);
	put32(t + 4, peer_seq);
	put32(t + 8, ack);
	t[12] = (unsigned char)((20 + options_len) / 4 << 4);
	t[13] = (unsigned char)flags;
	put16(t + 14, window);
	memcpy(t + 20, options, options_len);
	send_ip(IPPROTO_TCP, t, 20 + options_len, 16);
}

static void ack(uint32_t to, unsigned window) { send_tcp(ACK, to, window, "", 0); }

static void answer_arp(const unsigned char *eth)
{
	unsigned char p[10 + 42] = { 0 };

	if (memcmp(eth + 38, them, 4))
		return;
	memcpy(p + 10, eth + 6, 6);
	memcpy(p + 16, PEER_MAC, 6);
	memcpy(p + 22, eth + 12, 8);
	p[31] = 2;
	memcpy(p + 32, PEER_MAC, 6);
	memcpy(p + 38, them, 4);
	memcpy(p + 42, eth + 22, 10);
	CHECK_EQ(write(tap, p, sizeof(p)), sizeof(p));
}

static void answer_solicitation(const unsigned char *icmp)
{
	unsigned char a[32] = { 136, 0, 0, 0, 0x60 };

	if (memcmp(icmp + 8, them, 16))
		return;
	memcpy(a + 8, them, 16);
	a[24] = 2;
	a[25] = 1;
	memcpy(a + 26, PEER_MAC, 6);
	send_ip(IPPROTO_ICMPV6, a, sizeof(a), 2);
}

/* A segment: what the header before the frame says must fit to it, and the bytes be the stream's.  False: it is another connection's. */
static bool take_segment(const struct virtio_net_hdr *h, const unsigned char *eth, size_t len)
{
	const unsigned char *ip = eth + 14, *t = ip + (family == AF_INET ? 20 : 40);
	uint32_t tcp_len = (uint32_t)(len - (size_t)(t - eth)), gso = h->gso_size;

	if (our_port ? get16(t) != our_port : t[13] != SYN)
		return false;		/* of a test before this one */
	got = (struct segment){ .seq = get32(t + 4), .flags = t[13], .window = get16(t + 14), .urgent = get16(t + 18), .header = (unsigned)(t[12] >> 4) * 4, .h = *h };
	got.len = tcp_len - got.header;
	got.data = t + got.header;
	our_port = (uint16_t)get16(t);
	if (family == AF_INET) {
		CHECK_EQ(get16(ip + 2), len - 14);
		CHECK_EQ(add(0, ip, 20), 0xffff);
	} else {
		CHECK_EQ(get16(ip + 4), len - 54);
	}
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		CHECK_EQ(h->csum_start, t - eth);
		CHECK_EQ(h->csum_offset, 16);
		CHECK_EQ(get16(t + 16), pseudo(IPPROTO_TCP, tcp_len));
	} else {
		CHECK_EQ(add(pseudo(IPPROTO_TCP, tcp_len), t, tcp_len), 0xffff);
	}
	if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		CHECK_EQ(h->gso_type, family == AF_INET ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6);
		CHECK(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
		CHECK(gso && got.len > gso && gso <= MSS);
		CHECK(h->hdr_len >= (size_t)(got.data - eth) && h->hdr_len <= len);
		CHECK(!(got.flags & (SYN | RST | URG)));
	} else {
		CHECK(got.len <= MSS);
	}
	for (uint32_t i = 0; i < got.len; i++)
		CHECK_EQ(got.data[i], pattern(got.seq + i - first));
	return true;
}

/* The next segment that comes out within so many milliseconds.  Whoever asks for the peer's address is answered; all else is nothing to us. */
static bool next(int ms)
{
	for (;;) {
		struct pollfd p = { .fd = tap, .events = POLLIN };
		const unsigned char *eth = frame + 10;
		struct virtio_net_hdr h;
		ssize_t n;

		if (poll(&p, 1, ms) <= 0)
			return false;
		n = read(tap, frame, sizeof(frame));
		CHECK(n >= 10 + 14);
		memcpy(&h, frame, sizeof(h));
		n -= 10;
		if (get16(eth + 12) == ETH_P_ARP)
			answer_arp(eth);
		else if (family == AF_INET6 && get16(eth + 12) == ETH_P_IPV6 && eth[20] == IPPROTO_ICMPV6 && eth[54] == 135)
			answer_solicitation(eth + 54);
		else if (family == AF_INET ? get16(eth + 12) == ETH_P_IP && eth[23] == IPPROTO_TCP && !memcmp(eth + 30, them, 4) :
					     get16(eth + 12) == ETH_P_IPV6 && eth[20] == IPPROTO_TCP && !memcmp(eth + 38, them, 16)) {
			if (take_segment(&h, eth, (size_t)n))
				return true;
		}
	}
}

/* --- the connection --- */

static void connect_by(const unsigned char *options, unsigned len, unsigned window)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct pollfd p;

	memcpy(&four.sin_addr, them, 4);
	memcpy(&six.sin6_addr, them, 16);
	sock = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(connect(sock, family == AF_INET ? (void *)&four : (void *)&six, family == AF_INET ? sizeof(four) : sizeof(six)), -1);
	CHECK_EQ(errno, EINPROGRESS);
	CHECK(next(5000) && got.flags == SYN);
	first = seen_to = got.seq + 1;
	peer_seq = 1000000;
	send_tcp(SYN | ACK, first, window, options, len);
	peer_seq++;
	CHECK(next(5000) && got.flags == ACK);
	p = (struct pollfd){ .fd = sock, .events = POLLOUT };
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK(p.revents == POLLOUT);
}

static void connect_to_peer(unsigned window, unsigned scale)
{
	const unsigned char options[8] = { 2, 4, MSS >> 8, MSS & 255, 3, 3, (unsigned char)scale, 1 };

	connect_by(options, sizeof(options), window);
}

static void offer(uint32_t from, uint32_t len, int flags)
{
	unsigned char *p = malloc(len);

	for (uint32_t i = 0; i < len; i++)
		p[i] = pattern(from + i);
	CHECK_EQ(send(sock, p, len, flags), len);
	free(p);
}

/* Takes what comes in its order, acknowledging each frame, until it has so many bytes of the stream; how many were the most in one frame. */
static uint32_t take(uint32_t len, unsigned window, uint32_t *gso)
{
	uint32_t most = 0;

	while (seen_to - first < len) {
		CHECK(next(5000));
		if ((int32_t)(got.seq - seen_to) > 0)
			continue;
		if ((int32_t)(got.seq + got.len - seen_to) > 0)
			seen_to = got.seq + got.len;
		if (got.len > most)
			most = got.len;
		if (gso && got.h.gso_size)
			*gso = got.h.gso_size;
		ack(seen_to, window);
	}
	return most;
}

/* Some bytes first, so that more may be under way. */
#define WARM	(20 * MSS)
static void warm_up(void)
{
	offer(0, WARM, 0);
	(void)take(WARM, 60000, NULL);
}

/* --- tests --- */

static void large(int af)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int seer, one = 1;
	uint32_t gso = 0;
	ssize_t n, longest = 0;

	make_device(af, ALL);
	connect_to_peer(60000, 7);
	seer = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	ll.sll_ifindex = (int)if_nametoindex(NAME);
	CHECK_EQ(setsockopt(seer, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	CHECK_EQ(bind(seer, (void *)&ll, sizeof(ll)), 0);
	offer(0, 9000, 0);
	CHECK(take(9000, 60000, &gso) > MSS);
	CHECK_EQ(gso, MSS);
	/* Who looks on sees it as it went. */
	while ((n = recv(seer, frame, sizeof(frame), 0)) > 0)
		if (n > longest && get16(frame + 10 + 12) == (af == AF_INET ? ETH_P_IP : ETH_P_IPV6)) {
			longest = n;
			memcpy(&got.h, frame, sizeof(got.h));
		}
	CHECK(longest > 10 + 54 + (ssize_t)MSS);
	CHECK_EQ(got.h.gso_size, MSS);
	/* More, in pieces of any size. */
	for (uint32_t at = 9000, len = 1; at < 40000; at += len, len = len * 3 % 2777 + 1) {
		offer(at, len, at % 3 ? MSG_MORE : 0);
		(void)take(at - at % MSS > seen_to - first + 3 * MSS ? at - at % MSS : seen_to - first, 60000, NULL);
	}
	CHECK_EQ(shutdown(sock, SHUT_WR), 0);
	while (!(got.flags & FIN)) {
		CHECK(next(5000));
		if (got.seq == seen_to || (int32_t)(got.seq + got.len - seen_to) > 0)
			seen_to = got.seq + got.len;
		ack(seen_to, 60000);
	}
	CHECK(seen_to - first >= 40000);
}

TEST(large_segments) { large(AF_INET); }
TEST(large_segments6) { large(AF_INET6); }

/* What is there without such a device, and without checksums by it. */
static void small(unsigned offloads)
{
	make_device(AF_INET, offloads);
	connect_to_peer(60000, 7);
	offer(0, 9000, 0);
	CHECK(take(9000, 60000, NULL) <= MSS);
	CHECK_EQ(!!(got.h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM), !!offloads);
}

TEST(no_segmentation) { small(TUN_F_CSUM); }
TEST(no_offloads) { small(0); }
TEST(segmentation_of_the_other_family) { small(TUN_F_CSUM | TUN_F_TSO6); }

/* The other side takes less than is sent at once, at odd places, and never gets more than its window. */
TEST(small_window)
{
	uint32_t edge;

	make_device(AF_INET, ALL);
	connect_to_peer(2500, 0);
	offer(0, 20000, 0);
	edge = first + 2500;
	while (seen_to - first < 20000) {
		CHECK(next(5000));
		CHECK((int32_t)(got.seq + got.len - edge) <= 0);
		if (got.seq == seen_to)
			seen_to += got.len;
		if (edge - seen_to < 1500) {
			unsigned window = 1500 + (seen_to - first) % 3000;

			ack(seen_to, window);
			edge = seen_to + window;
		}
	}
}

/* A segment of the wire is lost in the middle of larger ones: what is sent again begins where the other side waits, and is no more than that. */
TEST(lost_and_sent_again)
{
	uint32_t at;

	make_device(AF_INET, ALL);
	connect_to_peer(60000, 0);
	warm_up();
	offer(WARM, 8 * MSS, 0);
	while (seen_to - first < WARM + 8 * MSS) {
		CHECK(next(5000));
		seen_to = got.seq + got.len;
	}
	at = first + WARM + 1300;		/* somewhere in it */
	ack(at, 60000);
	for (int i = 0; i < 3; i++)
		ack(at, 60000);
	CHECK(next(5000));
	CHECK_EQ(got.seq, at);
	CHECK(got.len <= MSS);
	ack(seen_to, 60000);
	offer(WARM + 8 * MSS, 3 * MSS, 0);
	(void)take(WARM + 11 * MSS, 60000, NULL);
}

/* Acknowledges up to segment n of the wire behind BASE, and says that it has those of the pieces (from, to) as well, the newest first. */
#define BASE	(100 * MSS)
static void ack_with(unsigned n, const unsigned (*piece)[2], unsigned pieces)
{
	unsigned char options[4 + 8 * 3] = { 1, 1, 5, (unsigned char)(2 + 8 * pieces) };

	for (unsigned i = 0; i < pieces; i++) {
		put32(options + 4 + 8 * i, first + BASE + piece[i][0] * MSS);
		put32(options + 8 + 8 * i, first + BASE + piece[i][1] * MSS);
	}
	send_tcp(ACK, first + BASE + n * MSS, 60000, options, 4 + 8 * pieces);
}

/* Three segments of the wire are lost of larger ones, and the other side says which: they come again, each once, and nothing else. */
TEST(three_lost_and_told_of)
{
	static const unsigned char sack[12] = { 2, 4, MSS >> 8, MSS & 255, 3, 3, 0, 4, 2, 1, 1, 1 };
	static const unsigned there[][3][2] = {
		{ { 3, 4 } }, { { 3, 5 } }, { { 6, 7 }, { 3, 5 } }, { { 6, 8 }, { 3, 5 } }, { { 6, 9 }, { 3, 5 } },
		{ { 10, 12 }, { 6, 9 }, { 3, 5 } }, { { 10, 14 }, { 6, 9 }, { 3, 5 } }, { { 10, 16 }, { 6, 9 }, { 3, 5 } },
	};
	static const unsigned pieces[] = { 1, 1, 2, 2, 2, 3, 3, 3 }, lost[] = { 2, 5, 9 };

	make_device(AF_INET, ALL);
	connect_by(sack, sizeof(sack), 60000);
	for (uint32_t at = 0; at < BASE; at += BASE / 5) {
		offer(at, BASE / 5, 0);
		(void)take(at + BASE / 5, 60000, NULL);
	}
	offer(BASE, 16 * MSS, 0);
	while (seen_to - first < BASE + 16 * MSS) {
		CHECK(next(5000));
		seen_to = got.seq + got.len;
	}
	ack(first + BASE + 2 * MSS, 60000);
	for (unsigned i = 0; i < 8; i++)
		ack_with(2, there[i], pieces[i]);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(next(5000));
		CHECK_EQ(got.seq - first - BASE, lost[i] * MSS);
		CHECK_EQ(got.len, MSS);
	}
	ack(seen_to, 60000);
	offer(BASE + 16 * MSS, 3 * MSS, 0);
	CHECK(next(5000));
	CHECK_EQ(got.seq, seen_to);
	seen_to += got.len;
	ack(seen_to, 60000);
	(void)take(BASE + 19 * MSS, 60000, NULL);
}

/* Nothing is acknowledged: the first of it comes again (Linux may try the last before), and then, bit by bit, all. */
TEST(sent_again_by_time)
{
	make_device(AF_INET, ALL);
	connect_to_peer(60000, 0);
	warm_up();
	offer(WARM, 6 * MSS, 0);
	while (seen_to - first < WARM + 6 * MSS) {
		CHECK(next(5000));
		seen_to = got.seq + got.len;
	}
	do
		CHECK(next(5000));
	while (got.seq != first + WARM);
	CHECK(got.len <= MSS);
	seen_to = got.seq + got.len;
	ack(seen_to, 60000);
	(void)take(WARM + 6 * MSS, 60000, NULL);
}

/* The urgent byte's place counts from where its segment begins: such go one by one. */
TEST(urgent)
{
	uint32_t end = 0;

	make_device(AF_INET, ALL);
	connect_to_peer(60000, 0);
	offer(0, 5 * MSS, MSG_OOB);
	while (seen_to - first < 5 * MSS) {
		CHECK(next(5000));
		if (got.flags & URG)
			end = got.seq + got.urgent;
		CHECK(got.len <= MSS);
		if (got.seq == seen_to)
			seen_to += got.len;
		ack(seen_to, 60000);
	}
	CHECK_EQ(end, first + 5 * MSS);
}

/* The program cannot cut any more, while much waits to be sent. */
TEST(offload_withdrawn)
{
	make_device(AF_INET, ALL);
	connect_to_peer(60000, 0);
	offer(0, 3 * MSS, 0);
	(void)take(3 * MSS, 0, NULL);
	offer(3 * MSS, 15000, 0);
	CHECK_EQ(ioctl(tap, TUNSETOFFLOAD, TUN_F_CSUM), 0);
	ack(seen_to, 60000);
	CHECK(take(3 * MSS + 15000, 60000, NULL) <= MSS);
	CHECK_EQ(ioctl(tap, TUNSETOFFLOAD, 0), 0);
	offer(3 * MSS + 15000, 5000, 0);
	CHECK(take(3 * MSS + 20000, 60000, NULL) <= MSS);
	CHECK_EQ(got.h.flags, 0);
	CHECK_EQ(ioctl(tap, TUNSETOFFLOAD, ALL), 0);
	offer(3 * MSS + 20000, 1, 0);
	(void)take(3 * MSS + 20001, 60000, NULL);
	offer(3 * MSS + 20001, 7999, 0);
	CHECK(take(3 * MSS + 28000, 60000, NULL) > MSS);
}

TEST(smaller_mtu)
{
	uint32_t gso = 0;

	make_device(AF_INET, ALL);
	connect_to_peer(60000, 0);
	offer(0, 3 * MSS, 0);
	(void)take(3 * MSS, 0, NULL);
	offer(3 * MSS, 15000, 0);
	flags_and_mtu(0, 640);
	ack(seen_to, 60000);
	(void)take(3 * MSS + 15000, 60000, &gso);
	CHECK(gso && gso <= 600);
}
