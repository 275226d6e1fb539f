/* RTM_*ROUTE and RTM_*NEIGH: routes and neighbours by netlink (`ip route`, `ip neigh`). */
#include <lwip/etharp.h>
#include <lwip/priv/nd6_priv.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/in_route.h>
#include <linux/neighbour.h>
#include <net/inet/address.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/neighbour.h>
#include <net/inet/notify.h>
#include <net/inet/route.h>
#include <net/netlink.h>
#include <net/socket.h>

static u32 address_len(u8 family) { return family == AF_INET ? 4 : 16; }

/* --- telling of routes */

#define CLOCK_TICKS	100u	/* a second, as programs count (USER_HZ) */

/* What all of IPv6's say, and those that end. */
static int put_life(struct netlink_reply *r, const struct route *o)
{
	u32 seconds = min(o->left_s, 0x7fffffffu / CLOCK_TICKS);
	struct rta_cacheinfo c = { .rta_expires = (s32)(seconds * CLOCK_TICKS) };

	if (o->family != AF_INET6)
		return 0;
	return nla_put(r, RTA_CACHEINFO, &c, sizeof(c)) ?: nla_put_u8(r, RTA_PREF, 0);
}

static int put_route(struct netlink_reply *r, const struct route *o, u16 type, u16 flags)
{
	struct rtmsg *h = nlmsg_new(r, type, flags, sizeof(*h));
	u32 len = address_len(o->family);
	int err = 0;

	if (!h)
		return -EMSGSIZE;
	*h = (struct rtmsg){ .rtm_family = o->family, .rtm_dst_len = o->prefix, .rtm_tos = o->tos, .rtm_protocol = o->protocol, .rtm_scope = o->scope,
			     .rtm_table = (u8)(o->table < 256 ? o->table : RT_TABLE_COMPAT), .rtm_type = o->type };
	err = nla_put_u32(r, RTA_TABLE, o->table);
	if (!err && o->prefix)
		err = nla_put(r, RTA_DST, o->dest, len);
	if (!err && (o->metric || o->family == AF_INET6))
		err = nla_put_u32(r, RTA_PRIORITY, o->metric);
	if (!err && o->has_source)
		err = nla_put(r, RTA_PREFSRC, o->source, len);
	if (!err && o->has_gateway)
		err = nla_put(r, RTA_GATEWAY, o->gateway, len);
	if (!err && o->dev)
		err = nla_put_u32(r, RTA_OIF, o->dev->index);
	if (!err)
		err = put_life(r, o);
	if (err)
		nlmsg_cancel(r);
	else
		nlmsg_end(r);
	return err;
}

/* Those that were advertised, numbered behind all others. */
static int dump_learned(const struct netlink_request *rq, struct netlink_reply *r, u64 at, u64 *done)
{
	const struct rtmsg *h = rq->payload;
	struct route list[ROUTES_LEARNED];
	u32 n;

	if ((h->rtm_family && h->rtm_family != AF_INET6) || (rq->strict && h->rtm_table && h->rtm_table != RT_TABLE_MAIN))
		return 0;
	net_core_lock();
	n = routes_learned(list);
	net_core_unlock();
	for (u32 i = 0; i < n; i++) {
		if (at++ < *done)
			continue;
		if (put_route(r, &list[i], RTM_NEWROUTE, NLM_F_MULTI))
			return -EMSGSIZE;
		++*done;
	}
	return 0;
}

static bool is_wanted(const struct netlink_request *rq, const struct route *o)
{
	const struct rtmsg *h = rq->payload;

	return !rq->strict || !h->rtm_table || h->rtm_table == o->table;
}

struct piece { const struct netlink_request *rq; struct netlink_reply *r; u64 at, *done; };

static int put_next(const struct route *o, void *arg)
{
	struct piece *p = arg;

	if (p->at++ < *p->done)
		return 0;
	if (is_wanted(p->rq, o) && put_route(p->r, o, RTM_NEWROUTE, NLM_F_MULTI))
		return -EMSGSIZE;
	++*p->done;
	return 0;
}

static int dump_routes(const struct netlink_request *rq, struct netlink_reply *r, u64 state[4])
{
	const struct rtmsg *h = rq->payload;
	static const u8 families[] = { AF_INET, AF_INET6 };
	struct piece p = { rq, r, 0, &state[0] };

	for (u32 f = 0; f < ARRAY_SIZE(families); f++) {
		const struct route *o;

		if (h->rtm_family && h->rtm_family != families[f])
			continue;
		list_for_each_entry_reverse(o, routes_of(families[f]), link) {	/* the widest first, as Linux */
			if (put_next(o, &p))
				return -EMSGSIZE;
		}
		if (routes_of_addresses(families[f], put_next, &p))
			return -EMSGSIZE;
	}
	return dump_learned(rq, r, p.at, &state[0]);
}

static void address_of(ip_addr_t *a, u8 family, const void *bytes)
{
	memset(a, 0, sizeof(*a));
	IP_SET_TYPE_VAL(*a, family == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6);
	memcpy(family == AF_INET ? (void *)ip_2_ip4(a) : (void *)ip_2_ip6(a)->addr, bytes, address_len(family));
}

static const void *bytes_of(const ip_addr_t *a)
{
	return IP_IS_V6(a) ? (const void *)ip_2_ip6(a)->addr : (const void *)ip_2_ip4(a);
}

/* ip route get: what a packet there would do. */
static int get_route(const struct netlink_request *rq, struct netlink_reply *r)
{
	const struct rtmsg *asked = rq->payload;
	const struct nlattr *t[RTA_MAX + 1];
	struct route_answer a;
	struct rtmsg *h;
	ip_addr_t to, from;
	u32 len = address_len(asked->rtm_family), ifindex;
	struct route learned;
	bool direct, local, everybody;
	int err = netlink_parse(rq, sizeof(*asked), t, RTA_MAX);

	if (err)
		return err;
	if (!t[RTA_DST] || nla_len_of(t[RTA_DST]) < len)
		return -EINVAL;
	address_of(&to, asked->rtm_family, nla_data_of(t[RTA_DST]));
	if (t[RTA_SRC] && nla_len_of(t[RTA_SRC]) >= len)
		address_of(&from, asked->rtm_family, nla_data_of(t[RTA_SRC]));
	net_core_lock();
	err = route_lookup(&to, t[RTA_SRC] ? &from : NULL, netlink_u32(t[RTA_OIF], 0), &a);
	ifindex = err ? 0 : a.i->dev->index;
	local = !err && !a.route && interface_is_loopback(a.i);
	everybody = !err && IP_IS_V4(&to) && ip4_addr_isbroadcast(ip_2_ip4(&to), &a.i->n);
	direct = err || !a.route || !a.route->has_gateway;
	if (!err && !a.route && !local && IP_IS_V6(&to) && route_learned_find(ip_2_ip6(&to), a.i->dev, &learned) && learned.has_gateway) {
		direct = false;
		address_of(&a.gateway, AF_INET6, learned.gateway);
	}
	net_core_unlock();
	if (err)
		return err;
	h = nlmsg_new(r, RTM_NEWROUTE, 0, sizeof(*h));
	if (!h)
		return -EMSGSIZE;
	*h = (struct rtmsg){ .rtm_family = asked->rtm_family, .rtm_dst_len = (u8)(len * 8), .rtm_table = RT_TABLE_MAIN,
			     .rtm_type = local ? RTN_LOCAL : everybody ? RTN_BROADCAST : RTN_UNICAST };
	if ((asked->rtm_flags & RTM_F_LOOKUP_TABLE) && (local || everybody))
		h->rtm_table = RT_TABLE_LOCAL;
	if (IP_IS_V4(&to))
		h->rtm_flags = RTM_F_CLONED | (local || everybody ? RTCF_LOCAL : 0) | (everybody ? RTCF_BROADCAST : 0);
	else
		h->rtm_protocol = a.route ? a.route->protocol : RTPROT_KERNEL;
	err = nla_put_u32(r, RTA_TABLE, h->rtm_table) ?: nla_put(r, RTA_DST, nla_data_of(t[RTA_DST]), len) ?: nla_put_u32(r, RTA_OIF, ifindex);
	err = err ?: nla_put(r, RTA_PREFSRC, bytes_of(&a.source), len);
	if (!err && !direct)
		err = nla_put(r, RTA_GATEWAY, bytes_of(&a.gateway), len);
	nlmsg_end(r);
	return err;
}

/* --- changing routes */

/* Where the gateway is, if no device was said. */
static struct netdev *device_towards(const struct route *r)
{
	struct route_answer a;
	struct netdev *dev = NULL;
	ip_addr_t to;

	address_of(&to, r->family, r->gateway);
	net_core_lock();
	if (!route_lookup(&to, NULL, 0, &a) && (!a.route || !a.route->has_gateway) && !interface_is_loopback(a.i)) {
		dev = a.i->dev;
		netdev_get(dev);
	}
	net_core_unlock();
	return dev;
}

static bool take(const struct nlattr *a, u32 *to, u32 len)
{
	if (!a || nla_len_of(a) < len)
		return false;
	memcpy(to, nla_data_of(a), len);
	return true;
}

static int read_route(const struct netlink_request *rq, struct route *r)
{
	const struct rtmsg *h = rq->payload;
	const struct nlattr *t[RTA_MAX + 1];
	u32 len = address_len(h->rtm_family), ifindex;
	bool new = rq->nlh->nlmsg_type == RTM_NEWROUTE;
	int err = netlink_parse(rq, sizeof(*h), t, RTA_MAX);

	if (err)
		return err;
	if (h->rtm_family != AF_INET && h->rtm_family != AF_INET6)
		return -EOPNOTSUPP;
	if (h->rtm_dst_len > len * 8 || h->rtm_src_len || t[RTA_MULTIPATH])
		return -EINVAL;
	*r = (struct route){ .family = h->rtm_family, .prefix = h->rtm_dst_len, .protocol = h->rtm_protocol, .scope = h->rtm_scope, .type = h->rtm_type,
			     .tos = h->rtm_tos };
	if (h->rtm_dst_len && !take(t[RTA_DST], r->dest, len))
		return -EINVAL;
	r->has_gateway = take(t[RTA_GATEWAY], r->gateway, len) && (r->gateway[0] | r->gateway[1] | r->gateway[2] | r->gateway[3]);
	r->has_source = take(t[RTA_PREFSRC], r->source, len);
	r->metric = netlink_u32(t[RTA_PRIORITY], new && h->rtm_family == AF_INET6 ? 1024 : 0);
	r->table = netlink_u32(t[RTA_TABLE], h->rtm_table ? h->rtm_table : new ? RT_TABLE_MAIN : 0);
	for (u32 k = 0; k < len / 4; k++) {
		u32 bits = min(max((s32)r->prefix - (s32)k * 32, 0), 32);

		if (r->dest[k] & ~lwip_htonl(prefix_mask4(bits)))
			return -EINVAL;
	}
	ifindex = netlink_u32(t[RTA_OIF], 0);
	if (ifindex) {
		r->dev = netdev_by_index(ifindex);
		return r->dev ? 0 : -ENODEV;
	}
	if (new && r->has_gateway) {
		r->dev = device_towards(r);
		return r->dev ? 0 : -ENETUNREACH;
	}
	return 0;
}

static int change_route(const struct netlink_request *rq)
{
	u16 flags = rq->nlh->nlmsg_flags;
	struct route r = { 0 };
	int err = read_route(rq, &r);

	if (!err && rq->nlh->nlmsg_type == RTM_DELROUTE) {
		err = route_del(&r);
	} else if (!err) {
		if (r.type == RTN_UNICAST && !r.dev)
			err = -ENODEV;
		else if (r.dev && !(r.dev->flags & IFF_UP))
			err = -ENETDOWN;
		else
			err = route_add(&r, (flags & NLM_F_EXCL) && !(flags & NLM_F_REPLACE), flags & NLM_F_REPLACE, flags & NLM_F_APPEND);
	}
	if (r.dev)
		netdev_put(r.dev);
	return err;
}

NETLINK_HANDLER(getroute, .type = RTM_GETROUTE, .header = sizeof(struct rtmsg), .dump = dump_routes, .get = get_route);
NETLINK_HANDLER(newroute, .type = RTM_NEWROUTE, .header = sizeof(struct rtmsg), .change = change_route);
NETLINK_HANDLER(delroute, .type = RTM_DELROUTE, .header = sizeof(struct rtmsg), .change = change_route);

struct route_notice { const struct route *r; u16 type; };

static int fill_route(struct netlink_reply *r, void *arg)
{
	const struct route_notice *n = arg;

	return put_route(r, n->r, n->type, 0);
}

void notify_route(const struct route *r, bool added)
{
	struct route_notice n = { r, added ? RTM_NEWROUTE : RTM_DELROUTE };

	netlink_notify(r->family == AF_INET ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE, fill_route, &n);
}

/* --- neighbours */

static int dump_neighbours(const struct netlink_request *rq, struct netlink_reply *r, u64 state[4])
{
	const struct ndmsg *asked = rq->payload;

	for (; state[0] < NEIGHBOUR_PLACES; state[0]++) {
		struct neighbour b;
		struct ndmsg *h;
		bool there;

		net_core_lock();
		there = neighbour_nth((u32)state[0], &b);
		net_core_unlock();
		if (!there || (asked->ndm_family && asked->ndm_family != b.family))
			continue;
		h = nlmsg_new(r, RTM_NEWNEIGH, NLM_F_MULTI, sizeof(*h));
		if (!h)
			return -EMSGSIZE;
		*h = (struct ndmsg){ .ndm_family = b.family, .ndm_ifindex = (s32)b.dev->index, .ndm_state = b.state, .ndm_type = RTN_UNICAST };
		if (nla_put(r, NDA_DST, b.address, address_len(b.family)) || nla_put(r, NDA_LLADDR, b.mac.addr, sizeof(b.mac.addr))) {
			nlmsg_cancel(r);
			return -EMSGSIZE;
		}
		nlmsg_end(r);
	}
	return 0;
}

/* The core is locked.  Of one that is to be made and has no link address only its old one is known. */
static int set_neighbour(const struct netlink_request *rq, struct netdev *dev, const u32 ip[4], const struct nlattr *lladdr)
{
	const struct ndmsg *h = rq->payload;
	u16 flags = rq->nlh->nlmsg_flags;
	bool six = h->ndm_family == AF_INET6, there;
	struct eth_addr mac;
	u8 state;
	u32 old;

	there = !(six ? neighbour_get6(dev, ip, &mac, &state) : neighbour_get4(dev, (ip4_addr_t){ ip[0] }, &mac, &old));
	if (there && (flags & NLM_F_EXCL))
		return -EEXIST;
	if (!there && !(flags & NLM_F_CREATE))
		return -ENOENT;
	if (there && lladdr && !(flags & NLM_F_REPLACE))
		return 0;		/* as Linux, without a word */
	if (lladdr && nla_len_of(lladdr) < sizeof(mac.addr))
		return -EINVAL;
	if (lladdr)
		memcpy(mac.addr, nla_data_of(lladdr), sizeof(mac.addr));
	else if (!there)
		return h->ndm_state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY) ? -EINVAL : -EOPNOTSUPP;
	if (six)
		return neighbour_set6(dev, ip, &mac, (u8)h->ndm_state);
	return neighbour_set4(dev, (ip4_addr_t){ ip[0] }, &mac, h->ndm_state & (NUD_PERMANENT | NUD_NOARP));
}

static int change_neighbour(const struct netlink_request *rq)
{
	const struct ndmsg *h = rq->payload;
	const struct nlattr *t[NDA_MAX + 1];
	struct netdev *dev;
	u32 ip[4] = { 0 };
	int err = netlink_parse(rq, sizeof(*h), t, NDA_MAX);

	if (err)
		return err;
	if (h->ndm_family != AF_INET && h->ndm_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (!take(t[NDA_DST], ip, address_len(h->ndm_family)) || !h->ndm_ifindex)
		return -EINVAL;
	dev = netdev_by_index((u32)h->ndm_ifindex);
	if (!dev)
		return -ENODEV;
	net_core_lock();
	if (rq->nlh->nlmsg_type == RTM_NEWNEIGH)
		err = set_neighbour(rq, dev, ip, t[NDA_LLADDR]);
	else
		err = h->ndm_family == AF_INET6 ? neighbour_del6(dev, ip) : neighbour_del4(dev, (ip4_addr_t){ ip[0] });
	net_core_unlock();
	netdev_put(dev);
	return err == -ENXIO ? -ENOENT : err;
}

NETLINK_HANDLER(getneigh, .type = RTM_GETNEIGH, .header = sizeof(struct ndmsg), .dump = dump_neighbours);
NETLINK_HANDLER(newneigh, .type = RTM_NEWNEIGH, .header = sizeof(struct ndmsg), .change = change_neighbour);
NETLINK_HANDLER(delneigh, .type = RTM_DELNEIGH, .header = sizeof(struct ndmsg), .change = change_neighbour);
