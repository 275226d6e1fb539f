/* What IPv6's routers advertise is told as routes: by netlink, asked and unasked, and in /proc.  The test is the router. */
#include "wire.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct told { bool there; int protocol, index, metric; long expires; bool has_gateway; struct in6_addr gateway; };

static char buf[32768] __attribute__((aligned(8)));

/* An advertisement by fe80::aa: for so many seconds a router, and fd77::/64 on the link for two hours. */
static void advertise(int w, int seconds)
{
	static const unsigned char from[16] = { 0xfe, 0x80, [15] = 0xaa }, all[16] = { 0xff, 2, [15] = 1 }, group[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	static const unsigned char options[40] = { 1, 1, 2, 0, 0, 0, 0, 2, 3, 4, 64, 0xc0, 0, 0, 0x1c, 0x20, 0, 0, 0x0e, 0x10, 0, 0, 0, 0, 0xfd, 0x77 };
	unsigned char p[40 + 16 + 40] = { 0x60, 0, 0, 0, 0, 56, 58, 255 };
	unsigned sum;

	memcpy(p + 8, from, 16);
	memcpy(p + 24, all, 16);
	p[40] = 134;
	p[44] = 64;
	p[46] = (unsigned char)(seconds >> 8);
	p[47] = (unsigned char)seconds;
	memcpy(p + 56, options, 40);
	sum = ~sum16(p + 8, 32 + 56, 58 + 56);
	p[42] = (unsigned char)(sum >> 8);
	p[43] = (unsigned char)sum;
	wire_frame(w, group, 0x86dd, p, sizeof(p));
}

/* Is h about that network on w0?  Then what it says of it. */
static bool is_about(const struct nlmsghdr *h, const char *net, int bits, struct told *t)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	const struct rtattr *a = RTM_RTA(m);
	int len = (int)RTM_PAYLOAD(h);
	struct in6_addr want, dst = in6addr_any;

	CHECK_EQ(inet_pton(AF_INET6, net, &want), 1);
	*t = (struct told){ .there = true, .protocol = m->rtm_protocol };
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		switch (a->rta_type) {
		case RTA_DST: memcpy(&dst, RTA_DATA(a), 16); break;
		case RTA_GATEWAY: memcpy(&t->gateway, RTA_DATA(a), 16); t->has_gateway = true; break;
		case RTA_OIF: memcpy(&t->index, RTA_DATA(a), 4); break;
		case RTA_PRIORITY: memcpy(&t->metric, RTA_DATA(a), 4); break;
		case RTA_CACHEINFO: t->expires = ((const struct rta_cacheinfo *)RTA_DATA(a))->rta_expires; break;
		default: break;
		}
	return m->rtm_family == AF_INET6 && m->rtm_dst_len == bits && m->rtm_table == RT_TABLE_MAIN && !memcmp(&dst, &want, 16) &&
	       t->index == (int)if_nametoindex("w0");
}

static int request(int type, int flags, const char *to)
{
	struct { struct nlmsghdr h; struct rtmsg m; struct rtattr a; struct in6_addr to; } r = {
		.h = { NLMSG_LENGTH(sizeof(struct rtmsg)), (uint16_t)type, (uint16_t)(NLM_F_REQUEST | flags), 7, 0 }, .m = { .rtm_family = AF_INET6 } };
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	if (to) {
		CHECK_EQ(inet_pton(AF_INET6, to, &r.to), 1);
		r.a = (struct rtattr){ RTA_LENGTH(16), RTA_DST };
		r.h.nlmsg_len = sizeof(r);
		r.m.rtm_dst_len = 128;
	}
	CHECK_EQ(send(s, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	return s;
}

static struct told route_to(const char *net, int bits)
{
	int s = request(RTM_GETROUTE, NLM_F_DUMP, NULL);
	struct told found = { 0 }, t;

	for (bool over = false; !over; ) {
		int len = (int)recv(s, buf, sizeof(buf), 0);

		CHECK(len > 0);
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, (unsigned)len); h = NLMSG_NEXT(h, len)) {
			over = h->nlmsg_type == NLMSG_DONE;
			if (h->nlmsg_type == RTM_NEWROUTE && is_about(h, net, bits, &t))
				found = t;
		}
	}
	close(s);
	return found;
}

/* The route becomes what it should be, some time. */
static struct told wait_route(const char *net, int bits, bool there)
{
	struct told t = route_to(net, bits);

	for (int i = 0; i < 1000 && t.there != there; i++) {
		sleep_ms(20);
		t = route_to(net, bits);
	}
	CHECK_EQ(t.there, there);
	return t;
}

/* Who listens is told so. */
static void hears(int s, int type, const char *net, int bits)
{
	struct told t;

	for (;;) {
		int len;

		CHECK(wait_events(s, POLLIN) & POLLIN);
		len = (int)recv(s, buf, sizeof(buf), 0);
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, (unsigned)len); h = NLMSG_NEXT(h, len))
			if (h->nlmsg_type == type && is_about(h, net, bits, &t))
				return;
	}
}

static bool proc_says(const char *what)
{
	FILE *f = fopen("/proc/net/ipv6_route", "r");
	char line[300];
	bool found = false;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		found |= strstr(line, what) && strstr(line, "w0");
	fclose(f);
	return found;
}

static bool is_router(const struct in6_addr *a)
{
	static const unsigned char router[16] = { 0xfe, 0x80, [15] = 0xaa };

	return !memcmp(a, router, 16);
}

TEST(advertised_routes)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = 1 << (RTNLGRP_IPV6_ROUTE - 1) };
	int w = wire(), l = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), s;
	struct ifreq r = { .ifr_name = "w0" };
	struct told t;
	ssize_t n;

	CHECK_EQ(bind(l, (void *)&nl, sizeof(nl)), 0);
	advertise(w, 1800);
	t = wait_route("::", 0, true);
	CHECK_EQ(t.protocol, RTPROT_RA);
	CHECK_EQ(t.metric, 1024);
	CHECK(t.has_gateway && is_router(&t.gateway));
	CHECK(t.expires > 1000 * 100 && t.expires <= 1800 * 100);
	t = wait_route("fd77::", 64, true);
	CHECK_EQ(t.protocol, RTPROT_KERNEL);
	CHECK_EQ(t.metric, 256);
	CHECK(!t.has_gateway);
	CHECK(t.expires > 6000 * 100 && t.expires <= 7200 * 100);
	CHECK(proc_says("fe8000000000000000000000000000aa"));
	CHECK(proc_says("fd770000000000000000000000000000 40"));
	hears(l, RTM_NEWROUTE, "fd77::", 64);
	/* what one packet would do, once there is an address to send it from */
	for (int i = 0; ; i++) {
		s = request(RTM_GETROUTE, 0, "2001:db8::1");
		n = recv(s, buf, sizeof(buf), 0);
		close(s);
		if (n > 0 && ((struct nlmsghdr *)buf)->nlmsg_type == RTM_NEWROUTE)
			break;
		CHECK(i < 1000);
		sleep_ms(20);
	}
	CHECK(is_about((void *)buf, "2001:db8::1", 128, &t));
	CHECK(t.has_gateway && is_router(&t.gateway));
	/* it is a router no longer */
	advertise(w, 0);
	(void)wait_route("::", 0, false);
	hears(l, RTM_DELROUTE, "::", 0);
	CHECK(route_to("fd77::", 64).there);
	interface_ioctl(SIOCGIFFLAGS, &r);
	r.ifr_flags &= ~IFF_UP;
	interface_ioctl(SIOCSIFFLAGS, &r);
	(void)wait_route("fd77::", 64, false);
	hears(l, RTM_DELROUTE, "fd77::", 64);
}
