/* rtnetlink(7): addresses, routes of all tables and neighbours, as ip(8) asks and changes them.  On a tap device whose other end says nothing. */
#include "../inet/wire.h"
#include "attribute.h"
#include <linux/neighbour.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>

static char buf[32768] __attribute__((aligned(8))), said[32768];

struct request { struct nlmsghdr h; union { struct rtmsg route; struct ifaddrmsg addr; struct ndmsg neigh; struct ifinfomsg link; }; char more[256]; };

static struct request request(int type, int flags, int header, int family)
{
	struct request r = { .h = { NLMSG_LENGTH((unsigned)header), (uint16_t)type, (uint16_t)(NLM_F_REQUEST | flags), 7, 0 } };

	r.route.rtm_family = (unsigned char)family;
	return r;
}

static void put_address(struct request *r, int type, const char *text)
{
	unsigned char a[16];
	int six = strchr(text, ':') != NULL;

	CHECK_EQ(inet_pton(six ? AF_INET6 : AF_INET, text, a), 1);
	put(r, type, a, six ? 16 : 4);
}

static void append(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void append(const char *fmt, ...)
{
	size_t at = strlen(said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said + at, sizeof(said) - at, fmt, ap);
	va_end(ap);
}

static const char *address(int family, const void *a)
{
	static char text[INET6_ADDRSTRLEN];

	return inet_ntop(family, a, text, sizeof(text));
}

static void say_route(const struct nlmsghdr *h)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	const struct rtattr *a = RTM_RTA(m), *t[RTA_MAX + 1] = { 0 };
	int len = (int)RTM_PAYLOAD(h);

	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if (a->rta_type <= RTA_MAX)
			t[a->rta_type] = a;
	append("%s type %d %s/%d table %u proto %d scope %d", h->nlmsg_type == RTM_NEWROUTE ? "route" : "del", m->rtm_type,
	       t[RTA_DST] ? address(m->rtm_family, RTA_DATA(t[RTA_DST])) : "-", m->rtm_dst_len, t[RTA_TABLE] ? *(unsigned *)RTA_DATA(t[RTA_TABLE]) : 0,
	       m->rtm_protocol, m->rtm_scope);
	if (t[RTA_GATEWAY])
		append(" via %s", address(m->rtm_family, RTA_DATA(t[RTA_GATEWAY])));
	if (t[RTA_PREFSRC])
		append(" src %s", address(m->rtm_family, RTA_DATA(t[RTA_PREFSRC])));
	if (t[RTA_PRIORITY])
		append(" metric %u", *(unsigned *)RTA_DATA(t[RTA_PRIORITY]));
	if (t[RTA_OIF])
		append(" dev %s", *(unsigned *)RTA_DATA(t[RTA_OIF]) == 1 ? "lo" : *(unsigned *)RTA_DATA(t[RTA_OIF]) == if_nametoindex("w0") ? "w0" : "?");
	append(" flags %x\n", m->rtm_flags);
}

static void say_address(const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	const struct rtattr *a = IFA_RTA(m);
	int len = (int)IFA_PAYLOAD(h);

	append("%s /%d scope %d flags %x %s", h->nlmsg_type == RTM_NEWADDR ? "addr" : "deladdr", m->ifa_prefixlen, m->ifa_scope, m->ifa_flags, m->ifa_index == 1 ? "lo" : m->ifa_index == if_nametoindex("w0") ? "w0" : "?");
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		switch (a->rta_type) {
		case IFA_ADDRESS: append(" address %s", address(m->ifa_family, RTA_DATA(a))); break;
		case IFA_LOCAL: append(" local %s", address(m->ifa_family, RTA_DATA(a))); break;
		case IFA_BROADCAST: append(" brd %s", address(m->ifa_family, RTA_DATA(a))); break;
		case IFA_LABEL: append(" label %s", (char *)RTA_DATA(a)); break;
		case IFA_FLAGS: append(" flags %x", *(unsigned *)RTA_DATA(a)); break;
		case IFA_CACHEINFO: append(" valid %x pref %x", ((struct ifa_cacheinfo *)RTA_DATA(a))->ifa_valid, ((struct ifa_cacheinfo *)RTA_DATA(a))->ifa_prefered); break;
		default: append(" attr %d", a->rta_type);
		}
	append("\n");
}

static void say_neighbour(const struct nlmsghdr *h)
{
	const struct ndmsg *m = NLMSG_DATA(h);
	const struct rtattr *a = (void *)((char *)m + NLMSG_ALIGN(sizeof(*m)));
	int len = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));

	append("%s state %x flags %x type %d %s", h->nlmsg_type == RTM_NEWNEIGH ? "neigh" : "delneigh", m->ndm_state, m->ndm_flags, m->ndm_type, (unsigned)m->ndm_ifindex == if_nametoindex("w0") ? "w0" : "?");
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		const unsigned char *mac = RTA_DATA(a);
		if (a->rta_type == NDA_DST)
			append(" %s", address(m->ndm_family, mac));
		else if (a->rta_type == NDA_LLADDR)
			append(" %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
		else if (a->rta_type != NDA_CACHEINFO && a->rta_type != NDA_PROBES)
			append(" attr %d", a->rta_type);
	}
	append("\n");
}

static void say(const struct nlmsghdr *h)
{
	if (h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE)
		say_route(h);
	else if (h->nlmsg_type == RTM_NEWADDR || h->nlmsg_type == RTM_DELADDR)
		say_address(h);
	else if (h->nlmsg_type == RTM_NEWNEIGH || h->nlmsg_type == RTM_DELNEIGH)
		say_neighbour(h);
	else if (h->nlmsg_type == NLMSG_ERROR)
		append("error %d\n", ((struct nlmsgerr *)NLMSG_DATA(h))->error);
	else if (h->nlmsg_type != NLMSG_DONE)
		append("message %d\n", h->nlmsg_type);
}

/* All that is answered, in words. */
static const char *dump(int type, int header, int family)
{
	struct request r = request(type, NLM_F_DUMP, header, family);
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	said[0] = 0;
	CHECK_EQ(send(s, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	for (bool over = false; !over; ) {
		int len = (int)recv(s, buf, sizeof(buf), 0);

		CHECK(len > 0);
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, (unsigned)len); h = NLMSG_NEXT(h, len)) {
			over = over || h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
			say(h);
		}
	}
	close(s);
	return said;
}
static const char *routes(int family) { return dump(RTM_GETROUTE, sizeof(struct rtmsg), family); }
static const char *addresses(int family) { return dump(RTM_GETADDR, sizeof(struct ifaddrmsg), family); }
static const char *neighbours(int family) { return dump(RTM_GETNEIGH, sizeof(struct ndmsg), family); }

/* What is answered to one request; an acknowledgement is error 0. */
static const char *ask(struct request *r)
{
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	ssize_t len;

	said[0] = 0;
	CHECK_EQ(send(s, r, r->h.nlmsg_len, 0), r->h.nlmsg_len);
	len = recv(s, buf, sizeof(buf), 0);
	CHECK(len > 0);
	say((void *)buf);
	close(s);
	return said;
}

static const char *get(const char *to)
{
	struct request r = request(RTM_GETROUTE, 0, sizeof(struct rtmsg), strchr(to, ':') ? AF_INET6 : AF_INET);

	put_address(&r, RTA_DST, to);
	r.route.rtm_dst_len = strchr(to, ':') ? 128 : 32;
	return ask(&r);
}

static const char *change_address(int type, int flags, const char *a, int bits, const char *broadcast)
{
	struct request r = request(type, NLM_F_ACK | flags, sizeof(struct ifaddrmsg), strchr(a, ':') ? AF_INET6 : AF_INET);

	r.addr.ifa_prefixlen = (unsigned char)bits;
	r.addr.ifa_index = if_nametoindex("w0");
	put_address(&r, IFA_LOCAL, a);
	put_address(&r, IFA_ADDRESS, a);
	if (broadcast)
		put_address(&r, IFA_BROADCAST, broadcast);
	return ask(&r);
}

static const char *change_neighbour_on(int dev, int type, int flags, const char *a, int state, int n)
{
	struct request r = request(type, NLM_F_ACK | flags, sizeof(struct ndmsg), strchr(a, ':') ? AF_INET6 : AF_INET);
	unsigned char mac[6] = { 2, 0, 0, 0, 0, (unsigned char)n };

	r.neigh.ndm_ifindex = dev;
	r.neigh.ndm_state = (uint16_t)state;
	put_address(&r, NDA_DST, a);
	if (n)
		put(&r, NDA_LLADDR, mac, 6);
	return ask(&r);
}

static const char *change_neighbour(int type, int flags, const char *a, int state, int n)
{
	return change_neighbour_on((int)if_nametoindex("w0"), type, flags, a, state, n);
}

/* Is that one of the lines? */
static bool has(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && (at[len] == '\n' || !at[len]))
			return true;
	printf("# no line \"%s\" in:\n%s", line, text);
	return false;
}
#define IS(call, text) CHECK(!strcmp(call, text "\n"))

static void loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo" };

	interface_ioctl(SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	interface_ioctl(SIOCSIFFLAGS, &r);
}

TEST(addresses)
{
	const char *one, *two;

	wire();
	IS(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.77.1.1", 24, "10.77.1.255"), "error 0");
	IS(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.77.1.1", 24, "10.77.1.255"), "error -17");
	IS(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.77.1.2", 24, NULL), "error 0");
	IS(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.77.2.1", 32, NULL), "error 0");
	IS(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.77.4.1", 33, NULL), "error -22");
	addresses(AF_INET);
	CHECK(has(said, "addr /24 scope 0 flags 80 w0 address 10.77.1.1 local 10.77.1.1 brd 10.77.1.255 label w0 flags 80 valid ffffffff pref ffffffff"));
	CHECK(has(said, "addr /24 scope 0 flags 81 w0 address 10.77.1.2 local 10.77.1.2 label w0 flags 81 valid ffffffff pref ffffffff"));
	one = strstr(said, "address 10.77.2.1 ");
	two = strstr(said, "address 10.77.1.2 ");
	CHECK(one && two && one < two);		/* secondaries come after all others */
	IS(change_address(RTM_DELADDR, 0, "10.77.1.1", 24, NULL), "error 0");
	IS(change_address(RTM_DELADDR, 0, "10.77.1.1", 24, NULL), "error -99");
	addresses(AF_INET);
	CHECK(!strstr(said, "10.77.1.") && strstr(said, "10.77.2.1"));		/* the secondary went, too */
	CHECK(!strstr(routes(AF_INET), "10.77.1."));
}

TEST(addresses_of_ipv6)
{
	const char *own, *link;

	wire();
	IS(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "fd77::1", 64, NULL), "error 0");
	IS(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "fd77::1", 64, NULL), "error -17");
	addresses(AF_INET6);
	own = strstr(said, "w0 address fd77::1 valid ffffffff pref ffffffff");
	link = strstr(said, "w0 address fe80::");
	CHECK(own && link && own < link);	/* the link's is told last */
	CHECK(strstr(link, "attr 11\n"));	/* IFA_PROTO: and it made itself */
	routes(AF_INET6);
	CHECK(has(said, "route type 1 fd77::/64 table 254 proto 2 scope 0 metric 256 dev w0 flags 0"));
	CHECK(has(said, "route type 1 fe80::/64 table 254 proto 2 scope 0 metric 256 dev w0 flags 0"));
	CHECK(has(said, "route type 5 ff00::/8 table 255 proto 2 scope 0 metric 256 dev w0 flags 0"));
}

TEST(table_local)
{
	wire();
	loopback_up();
	IS(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.9.0.7", 24, NULL), "error 0");
	IS(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.77.2.1", 32, NULL), "error 0");
	IS(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.77.3.1", 31, NULL), "error 0");
	routes(AF_INET);
	CHECK(has(said, "route type 1 10.9.0.0/24 table 254 proto 2 scope 253 src 10.9.0.1 dev w0 flags 0"));
	CHECK(has(said, "route type 1 10.77.3.0/31 table 254 proto 2 scope 253 src 10.77.3.1 dev w0 flags 0"));
	CHECK(has(said, "route type 2 10.9.0.1/32 table 255 proto 2 scope 254 src 10.9.0.1 dev w0 flags 0"));
	CHECK(has(said, "route type 2 10.9.0.7/32 table 255 proto 2 scope 254 src 10.9.0.1 dev w0 flags 0"));
	CHECK(has(said, "route type 3 10.9.0.255/32 table 255 proto 2 scope 253 src 10.9.0.1 dev w0 flags 0"));
	CHECK(has(said, "route type 2 10.77.2.1/32 table 255 proto 2 scope 254 src 10.77.2.1 dev w0 flags 0"));
	CHECK(has(said, "route type 2 10.77.3.1/32 table 255 proto 2 scope 254 src 10.77.3.1 dev w0 flags 0"));
	CHECK(has(said, "route type 2 127.0.0.0/8 table 255 proto 2 scope 254 src 127.0.0.1 dev lo flags 0"));
	CHECK(has(said, "route type 2 127.0.0.1/32 table 255 proto 2 scope 254 src 127.0.0.1 dev lo flags 0"));
	CHECK(has(said, "route type 3 127.255.255.255/32 table 255 proto 2 scope 253 src 127.0.0.1 dev lo flags 0"));
	CHECK(!strstr(said, "10.77.3.1/32 table 255 proto 2 scope 253") && !strstr(said, "10.77.2.0"));
}

TEST(one_route)
{
	wire();
	loopback_up();
	IS(get("10.9.0.1"), "route type 2 10.9.0.1/32 table 254 proto 0 scope 0 src 10.9.0.1 dev lo flags 80000200");
	IS(get("10.9.0.7"), "route type 1 10.9.0.7/32 table 254 proto 0 scope 0 src 10.9.0.1 dev w0 flags 200");
	IS(get("10.9.0.255"), "route type 3 10.9.0.255/32 table 254 proto 0 scope 0 src 10.9.0.1 dev w0 flags 90000200");
	IS(get("127.0.0.5"), "route type 2 127.0.0.5/32 table 254 proto 0 scope 0 src 127.0.0.1 dev lo flags 80000200");
	IS(get("8.8.8.8"), "error -101");
}

static const char *change_route(int type, const char *to, int bits, unsigned table)
{
	struct request r = request(type, NLM_F_ACK | (type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_EXCL : 0), sizeof(struct rtmsg), AF_INET);
	unsigned index = if_nametoindex("w0");

	r.route.rtm_dst_len = (unsigned char)bits;
	r.route.rtm_table = (unsigned char)table;
	r.route.rtm_protocol = RTPROT_BOOT;
	r.route.rtm_scope = RT_SCOPE_LINK;
	r.route.rtm_type = RTN_UNICAST;
	put_address(&r, RTA_DST, to);
	put(&r, RTA_OIF, &index, sizeof(index));
	return ask(&r);
}

/* Of a table that no rule names nothing is found. */
TEST(tables)
{
	wire();
	IS(change_route(RTM_NEWROUTE, "10.88.0.0", 16, 100), "error 0");
	IS(change_route(RTM_NEWROUTE, "10.88.0.0", 16, 100), "error -17");
	CHECK(has(routes(AF_INET), "route type 1 10.88.0.0/16 table 100 proto 3 scope 253 dev w0 flags 0"));
	IS(get("10.88.1.1"), "error -101");
	IS(change_route(RTM_NEWROUTE, "10.88.0.0", 16, RT_TABLE_DEFAULT), "error 0");
	CHECK(strstr(get("10.88.1.1"), "10.88.1.1/32"));
	IS(change_route(RTM_DELROUTE, "10.88.0.0", 16, RT_TABLE_DEFAULT), "error 0");
	IS(get("10.88.1.1"), "error -101");
	IS(change_route(RTM_DELROUTE, "10.88.0.0", 16, RT_TABLE_MAIN), "error -3");
	IS(change_route(RTM_DELROUTE, "10.88.0.0", 16, 100), "error 0");
	CHECK(!strstr(routes(AF_INET), "10.88."));
}

#define NEW		(NLM_F_CREATE | NLM_F_EXCL)
#define REPLACE		(NLM_F_CREATE | NLM_F_REPLACE)

TEST(neighbours)
{
	wire();
	CHECK(has(neighbours(AF_INET), "neigh state 80 flags 0 type 1 w0 10.9.0.2 02:00:00:00:00:02"));		/* by SIOCSARP */
	IS(change_neighbour(RTM_NEWNEIGH, NEW, "10.9.0.9", NUD_PERMANENT, 9), "error 0");
	IS(change_neighbour(RTM_NEWNEIGH, NEW, "10.9.0.9", NUD_PERMANENT, 9), "error -17");
	IS(change_neighbour(RTM_NEWNEIGH, REPLACE, "10.9.0.9", NUD_PERMANENT, 10), "error 0");
	IS(change_neighbour(RTM_NEWNEIGH, REPLACE, "10.9.0.11", NUD_REACHABLE, 11), "error 0");
	IS(change_neighbour(RTM_NEWNEIGH, NLM_F_REPLACE, "10.9.0.13", NUD_PERMANENT, 13), "error -2");
	IS(change_neighbour(RTM_NEWNEIGH, NLM_F_CREATE, "10.9.0.14", NUD_PERMANENT, 0), "error -22");
	neighbours(AF_INET);
	CHECK(has(said, "neigh state 80 flags 0 type 1 w0 10.9.0.9 02:00:00:00:00:0a"));
	CHECK(has(said, "neigh state 2 flags 0 type 1 w0 10.9.0.11 02:00:00:00:00:0b"));
	CHECK(!strstr(said, "10.9.0.13"));
	IS(change_neighbour(RTM_DELNEIGH, 0, "10.9.0.9", 0, 0), "error 0");
	IS(change_neighbour(RTM_DELNEIGH, 0, "10.9.0.9", 0, 0), "error -2");
	IS(change_neighbour(RTM_DELNEIGH, 0, "10.9.0.11", 0, 0), "error 0");
	CHECK(!strstr(neighbours(AF_INET), "state 80 flags 0 type 1 w0 10.9.0.9"));
}

TEST(neighbours_of_no_interface)
{
	IS(change_neighbour_on(0, RTM_NEWNEIGH, NEW, "10.9.0.9", NUD_PERMANENT, 9), "error -22");
	IS(change_neighbour_on(0, RTM_DELNEIGH, 0, "fd77::9", 0, 0), "error -22");
	IS(change_neighbour_on(9999, RTM_NEWNEIGH, NEW, "10.9.0.9", NUD_PERMANENT, 9), "error -19");
	IS(change_neighbour_on(-1, RTM_DELNEIGH, 0, "10.9.0.9", 0, 0), "error -19");
}

TEST(arp_tells_which_is_for_good)
{
	struct arpreq a = { .arp_dev = "w0" };
	struct sockaddr_in to = in4("10.9.0.2", 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	wire();
	memcpy(&a.arp_pa, &to, sizeof(to));
	CHECK_EQ(ioctl(s, SIOCGARP, &a), 0);
	CHECK_EQ(a.arp_flags, ATF_COM | ATF_PERM);
	to = in4("10.9.0.3", 0);
	memcpy(&a.arp_pa, &to, sizeof(to));
	a.arp_flags = ATF_COM;
	CHECK_EQ(ioctl(s, SIOCSARP, &a), 0);
	CHECK_EQ(ioctl(s, SIOCGARP, &a), 0);
	CHECK_EQ(a.arp_flags, ATF_COM);
	close(s);
}

TEST(neighbours_of_ipv6)
{
	wire();
	IS(change_neighbour(RTM_NEWNEIGH, NEW, "fd77::9", NUD_PERMANENT, 9), "error 0");
	IS(change_neighbour(RTM_NEWNEIGH, NEW, "fd77::9", NUD_PERMANENT, 9), "error -17");
	IS(change_neighbour(RTM_NEWNEIGH, REPLACE, "fd77::9", NUD_PERMANENT, 10), "error 0");
	IS(change_neighbour(RTM_NEWNEIGH, REPLACE, "fd77::a", NUD_STALE, 11), "error 0");
	IS(change_neighbour(RTM_NEWNEIGH, NLM_F_REPLACE, "fd77::b", NUD_STALE, 11), "error -2");
	neighbours(AF_INET6);
	CHECK(has(said, "neigh state 80 flags 0 type 1 w0 fd77::9 02:00:00:00:00:0a"));
	CHECK(has(said, "neigh state 4 flags 0 type 1 w0 fd77::a 02:00:00:00:00:0b"));
	IS(change_neighbour(RTM_DELNEIGH, 0, "fd77::9", 0, 0), "error 0");
	IS(change_neighbour(RTM_DELNEIGH, 0, "fd77::9", 0, 0), "error -2");
	CHECK(!strstr(neighbours(AF_INET6), "state 80"));
}

/* A datagram to a neighbour that was told of goes to its link address at once: nobody is asked. */
TEST(a_neighbour_is_not_asked_for)
{
	unsigned char frame[2048];
	struct sockaddr_in6 to = in6("fd09::99", 9);
	int w = wire(), s = socket(AF_INET6, SOCK_DGRAM, 0);

	IS(change_address(RTM_NEWADDR, NEW | NLM_F_CREATE, "fd09::1", 64, NULL), "error 0");
	while (!strstr(routes(AF_INET6), "route type 2 fd09::1/128 table 255 proto 2 scope 0 metric 0 dev w0 flags 0"))
		usleep(20000);		/* until it is known to be nobody else's */
	IS(change_neighbour(RTM_NEWNEIGH, NEW, "fd09::99", NUD_PERMANENT, 0x99), "error 0");
	CHECK_EQ(sendto(s, "x", 1, 0, (void *)&to, sizeof(to)), 1);
	for (;;) {
		ssize_t n = read(w, frame, sizeof(frame));

		CHECK(n > 0);
		if (n < 54 || frame[12] != 0x86 || frame[13] != 0xdd || frame[38 + 15] != 0x99)
			continue;
		CHECK_EQ(frame[20], IPPROTO_UDP);	/* and no solicitation before it */
		CHECK_EQ(frame[5], 0x99);
		break;
	}
}

static const char *delete_link(const char *name)
{
	struct request r = request(RTM_DELLINK, NLM_F_ACK, sizeof(struct ifinfomsg), AF_UNSPEC);

	put(&r, IFLA_IFNAME, name, (int)strlen(name) + 1);
	return ask(&r);
}

static void *deletes_soon(void *arg)
{
	(void)arg;
	usleep(100000);
	delete_link("w0");
	return NULL;
}

TEST(a_tap_is_deleted)
{
	int w = wire(), kept;
	struct ifreq r = { .ifr_name = "w1", .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct pollfd p = { .fd = w, .events = POLLIN };
	pthread_t t;
	char c[2048];

	IS(delete_link("lo"), "error -95");
	IS(delete_link("w9"), "error -19");
	CHECK_EQ(fcntl(w, F_SETFL, O_NONBLOCK), 0);
	while (read(w, c, sizeof(c)) > 0)
		;
	CHECK_EQ(fcntl(w, F_SETFL, 0), 0);
	CHECK_EQ(pthread_create(&t, NULL, deletes_soon, NULL), 0);
	while (read(w, c, sizeof(c)) > 0)		/* it may still say who it is */
		;
	CHECK(errno == EFAULT || errno == EBADFD);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(if_nametoindex("w0"), 0);
	CHECK_ERR(read(w, c, sizeof(c)), EBADFD);
	CHECK_ERR(write(w, c, 60), EBADFD);
	CHECK_EQ(poll(&p, 1, 1000), 1);
	CHECK_EQ(p.revents, POLLERR);
	CHECK_EQ(close(w), 0);
	IS(delete_link("w0"), "error -19");
	w = wire();		/* its name is free, and its addresses */
	CHECK(strstr(addresses(AF_INET), "w0 address 10.9.0.1 "));

	kept = open("/dev/net/tun", O_RDWR);
	CHECK_EQ(ioctl(kept, TUNSETIFF, &r), 0);
	CHECK_EQ(ioctl(kept, TUNSETPERSIST, 1), 0);
	CHECK_EQ(close(kept), 0);
	CHECK(if_nametoindex("w1"));
	IS(delete_link("w1"), "error 0");
	CHECK_EQ(if_nametoindex("w1"), 0);
	close(w);
}

static bool over;

static void *deletes_always(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		const char *said_of_it = delete_link("w2");

		CHECK(!strcmp(said_of_it, "error 0\n") || !strcmp(said_of_it, "error -19\n"));
	}
	return NULL;
}

/* Closing and deleting meet: the device goes once. */
TEST(deleted_while_it_is_closed)
{
	struct ifreq r = { .ifr_name = "w2", .ifr_flags = IFF_TAP | IFF_NO_PI };
	pthread_t t;

	close(wire());			/* makes /dev/net/tun */
	CHECK_EQ(pthread_create(&t, NULL, deletes_always, NULL), 0);
	for (int i = 0; i < 100; i++) {
		int fd = open("/dev/net/tun", O_RDWR);

		CHECK(fd >= 0);
		while (ioctl(fd, TUNSETIFF, &r) < 0)
			CHECK(errno == EBUSY || errno == EEXIST || errno == ENODEV);	/* it is on its way out */
		CHECK_EQ(close(fd), 0);
	}
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(if_nametoindex("w2"), 0);
}
