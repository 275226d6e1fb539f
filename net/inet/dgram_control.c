/* Control messages of datagrams: from where, to where, with what. */
#include <lwip/ip.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/socket.h>
#include <linux/udp.h>
#include <net/inet/dgram.h>
#include <net/scm.h>

static int take_number(const void *data, u64 len, s32 lo, s32 hi, s16 *to)
{
	s32 v;

	if (len == 1)
		v = *(const u8 *)data;
	else if (len == sizeof(v))
		memcpy(&v, data, sizeof(v));
	else
		return -EINVAL;
	if (v < lo || v > hi)
		return -EINVAL;
	*to = (s16)v;
	return 0;
}

static int take_pktinfo(const void *data, u64 len, struct sending *to)
{
	struct in_pktinfo info;

	if (len != sizeof(info))
		return -EINVAL;
	memcpy(&info, data, sizeof(info));
	if (info.ipi_ifindex)
		to->ifindex = (u32)info.ipi_ifindex;
	if (info.ipi_spec_dst.s_addr)
		ip_addr_set_ip4_u32(&to->from, info.ipi_spec_dst.s_addr);
	return 0;
}

static int take_pktinfo6(const void *data, u64 len, struct sending *to)
{
	struct in6_pktinfo info;

	if (len < sizeof(info))
		return -EINVAL;
	memcpy(&info, data, sizeof(info));
	if (info.ipi6_ifindex)
		to->ifindex = (u32)info.ipi6_ifindex;
	memset(&to->from, 0, sizeof(to->from));
	IP_SET_TYPE_VAL(to->from, IPADDR_TYPE_V6);
	memcpy(ip_2_ip6(&to->from)->addr, &info.ipi6_addr, 16);
	return 0;
}

int dgram_parse_control(struct dgramsock *d, const struct message *m, struct sending *to)
{
	for (const struct cmsghdr *c = scm_next(m->scm, NULL); c; c = scm_next(m->scm, c)) {
		const void *data = c + 1;
		u64 len = c->cmsg_len - sizeof(*c);
		int err = 0;

		if (c->cmsg_level == SOL_IP) {
			switch (c->cmsg_type) {
			case IP_PKTINFO: err = take_pktinfo(data, len, to); break;
			case IP_TTL: err = take_number(data, len, 1, 255, &to->ttl); break;
			case IP_TOS: err = take_number(data, len, 0, 255, &to->tos); break;
			default: err = -EINVAL;
			}
		} else if (c->cmsg_level == SOL_UDP && d->kind == DGRAM_UDP) {
			err = c->cmsg_type == UDP_SEGMENT && len == sizeof(to->segment) ? 0 : -EINVAL;
			if (!err)
				memcpy(&to->segment, data, sizeof(to->segment));
		} else if (c->cmsg_level == SOL_IPV6 && d->i.s.family == AF_INET6) {
			switch (c->cmsg_type) {
			case IPV6_PKTINFO: err = take_pktinfo6(data, len, to); break;
			case IPV6_HOPLIMIT: err = take_number(data, len, -1, 255, &to->ttl); break;
			case IPV6_TCLASS: err = take_number(data, len, -1, 255, &to->tos); break;
			default: err = -EINVAL;
			}
		}
		if (err)
			return err;
	}
	return 0;
}

static int tell4(struct dgramsock *d, struct message *m, const struct datagram *g)
{
	u32 told = d->i.opt.told;
	int err = 0;

	if (told & BIT(TELL_PKTINFO)) {
		struct in_pktinfo info = { .ipi_ifindex = (int)g->ifindex, .ipi_spec_dst.s_addr = ip_2_ip4(&g->to)->addr,
					   .ipi_addr.s_addr = ip_2_ip4(&g->to)->addr };

		err = scm_put(m, SOL_IP, IP_PKTINFO, &info, sizeof(info));
	}
	if (!err && (told & BIT(TELL_TTL))) {
		s32 ttl = g->ttl;

		err = scm_put(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	}
	if (!err && (told & BIT(TELL_TOS)))
		err = scm_put(m, SOL_IP, IP_TOS, &g->tos, sizeof(g->tos));
	if (!err && (told & BIT(TELL_ORIGDST))) {
		struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = lwip_htons(d->i.lport), .sin_addr.s_addr = ip_2_ip4(&g->to)->addr };

		err = scm_put(m, SOL_IP, IP_ORIGDSTADDR, &to, sizeof(to));
	}
	if (!err && g->headers && (told & BIT(TELL_OPTIONS)))
		err = scm_put(m, SOL_IP, IP_RECVOPTS, g->headers, g->nr_headers);
	if (g->headers && (told & BIT(TELL_RETURN)))
		m->out_flags |= MSG_CTRUNC;	/* as an answer would bear them: that is not made */
	return err;
}

/* RFC 3542: each extension header that is wanted, in the packet's order. */
static int tell_headers(u32 told, struct message *m, const struct datagram *g)
{
	u8 next = g->next_header;
	int err = 0;

	for (u32 at = 0; !err && at + 8 <= g->nr_headers;) {
		const u8 *h = g->headers + at;
		u32 len = next == IPPROTO_FRAGMENT ? 8 : next == IPPROTO_AH ? (h[1] + 2u) * 4 : (h[1] + 1u) * 8;

		if (at + len > g->nr_headers)
			break;
		if (next == IPPROTO_HOPOPTS && (told & BIT(TELL_HOPOPTS)))
			err = scm_put(m, SOL_IPV6, IPV6_HOPOPTS, h, len);
		else if (next == IPPROTO_DSTOPTS && (told & BIT(TELL_DSTOPTS)))
			err = scm_put(m, SOL_IPV6, IPV6_DSTOPTS, h, len);
		else if (next == IPPROTO_ROUTING && (told & BIT(TELL_RTHDR)))
			err = scm_put(m, SOL_IPV6, IPV6_RTHDR, h, len);
		next = h[0];
		at += len;
	}
	return err;
}

static int tell6(struct dgramsock *d, struct message *m, const struct datagram *g)
{
	u32 told = d->i.opt.told;
	s32 v;
	int err = 0;

	if (told & BIT(TELL_PKTINFO6)) {
		struct in6_pktinfo info = { .ipi6_ifindex = (int)g->ifindex };

		if (IP_IS_V6(&g->to)) {
			memcpy(&info.ipi6_addr, ip_2_ip6(&g->to)->addr, 16);
		} else {
			info.ipi6_addr.s6_addr[10] = info.ipi6_addr.s6_addr[11] = 0xff;
			memcpy(info.ipi6_addr.s6_addr + 12, &ip_2_ip4(&g->to)->addr, 4);
		}
		err = scm_put(m, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
	if (!err && (told & BIT(TELL_HOPS))) {
		v = g->ttl;
		err = scm_put(m, SOL_IPV6, IPV6_HOPLIMIT, &v, sizeof(v));
	}
	if (!err && (told & BIT(TELL_TCLASS))) {
		v = g->tos;
		err = scm_put(m, SOL_IPV6, IPV6_TCLASS, &v, sizeof(v));
	}
	if (!err && g->headers && !IP_IS_V4(&g->to))
		err = tell_headers(told, m, g);
	return err;
}

int dgram_tell(struct dgramsock *d, struct message *m, const struct datagram *g)
{
	int err = 0;

	if (!d->i.opt.told || !m->scm)
		return 0;
	if (IP_IS_V4(&g->to))
		err = tell4(d, m, g);
	return err ? err : d->i.s.family == AF_INET6 ? tell6(d, m, g) : 0;
}
