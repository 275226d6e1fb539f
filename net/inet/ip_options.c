/* Options of SOL_IP and SOL_IPV6, and membership in groups. */
#include <lwip/igmp.h>
#include <lwip/mld6.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/socket.h>
#include <mm/slab.h>
#include <net/inet/dgram.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/pmtu.h>
#include <net/inet/reports.h>
#include <net/inet/route.h>

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

/* --- groups ------------------------------------------------------------------------------------------------------------------------ */

bool dgram_member(const struct dgramsock *d, const ip_addr_t *group, u32 ifindex)
{
	for (const struct membership *m = d->groups; m; m = m->next)
		if (ip_addr_cmp_zoneless(&m->group, group) && (m->ifindex == ifindex || ifindex == 1))
			return true;
	return IP_IS_V6(group) ? d->i.opt.mc_all6 : d->i.opt.mc_all;
}

/* The device that a program means: by number, by an address of it, or by the route to the group. */
static struct interface *group_interface(const ip_addr_t *group, u32 ifindex, const ip4_addr_t *by_address)
{
	struct route_answer a;

	if (ifindex)
		return interface_of_device(ifindex);
	if (by_address && by_address->addr) {
		struct interface *i = interface_by_address4(*by_address);

		return i ? i->first : NULL;
	}
	if (!route_lookup(group, NULL, 0, &a))
		return a.i->first;
	for_each_interface(i)
		if (!interface_is_loopback(i) && netif_is_up(&i->n))
			return i->first;
	return interfaces;
}

static err_t lwip_join(struct interface *i, const ip_addr_t *group, bool join)
{
	if (IP_IS_V6(group)) {
		ip6_addr_t g = *ip_2_ip6(group);

		ip6_addr_assign_zone(&g, IP6_MULTICAST, &i->n);
		return join ? mld6_joingroup_netif(&i->n, &g) : mld6_leavegroup_netif(&i->n, &g);
	}
	return join ? igmp_joingroup_netif(&i->n, ip_2_ip4(group)) : igmp_leavegroup_netif(&i->n, ip_2_ip4(group));
}

int dgram_join(struct dgramsock *d, const ip_addr_t *group, u32 ifindex, const ip4_addr_t *by_address)
{
	struct interface *i = group_interface(group, ifindex, by_address);
	struct membership *m;

	if (!i)
		return -ENODEV;
	for (m = d->groups; m; m = m->next)
		if (m->ifindex == i->dev->index && ip_addr_cmp_zoneless(&m->group, group))
			return -EADDRINUSE;
	m = kmalloc(sizeof(*m), GFP_ATOMIC);
	if (!m || lwip_join(i, group, true) != ERR_OK) {
		kfree(m);
		return -ENOBUFS;
	}
	*m = (struct membership){ .next = d->groups, .group = *group, .ifindex = i->dev->index, .ifindex_told = ifindex };
	d->groups = m;
	return 0;
}

static void leave(struct membership **at)
{
	struct membership *m = *at;
	struct interface *i = interface_of_device(m->ifindex);

	*at = m->next;
	if (i)
		lwip_join(i, &m->group, false);
	kfree(m);
}

int dgram_leave(struct dgramsock *d, const ip_addr_t *group, u32 ifindex, const ip4_addr_t *by_address)
{
	struct interface *i = ifindex || (by_address && by_address->addr) ? group_interface(group, ifindex, by_address) : NULL;

	if ((ifindex || (by_address && by_address->addr)) && !i)
		return -ENODEV;
	for (struct membership **m = &d->groups; *m; m = &(*m)->next)
		if (ip_addr_cmp_zoneless(&(*m)->group, group) && (!i || (*m)->ifindex == i->dev->index)) {
			leave(m);
			return 0;
		}
	return -EADDRNOTAVAIL;
}

void dgram_leave_all(struct dgramsock *d)
{
	while (d->groups)
		leave(&d->groups);
}

static int change_group4(struct inet_sock *i, bool join, const void *value, u32 len)
{
	struct ip_mreqn r = { 0 };
	ip4_addr_t by;
	ip_addr_t group;

	if (i->s.type == SOCK_STREAM)
		return -EPROTO;
	if (len < sizeof(struct ip_mreq))
		return -EINVAL;
	memcpy(&r, value, min(len, (u32)sizeof(r)));
	by.addr = r.imr_address.s_addr;
	ip_addr_set_ip4_u32(&group, r.imr_multiaddr.s_addr);
	if (!ip_addr_ismulticast(&group))
		return -EINVAL;
	if (join)
		return dgram_join(container_of(i, struct dgramsock, i), &group, (u32)r.imr_ifindex, &by);
	return dgram_leave(container_of(i, struct dgramsock, i), &group, (u32)r.imr_ifindex, &by);
}

static int change_group6(struct inet_sock *i, bool join, const void *value, u32 len)
{
	struct ipv6_mreq r;
	ip_addr_t group;

	if (i->s.type == SOCK_STREAM)
		return -EPROTO;
	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, value, sizeof(r));
	memset(&group, 0, sizeof(group));
	IP_SET_TYPE_VAL(group, IPADDR_TYPE_V6);
	memcpy(ip_2_ip6(&group)->addr, &r.ipv6mr_multiaddr, 16);
	if (!ip_addr_ismulticast(&group))
		return -EINVAL;
	if (join)
		return dgram_join(container_of(i, struct dgramsock, i), &group, (u32)r.ipv6mr_ifindex, NULL);
	return dgram_leave(container_of(i, struct dgramsock, i), &group, (u32)r.ipv6mr_ifindex, NULL);
}

/* MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP: the group as a socket address, the device by number. */
static int change_group(struct inet_sock *i, int level, bool join, const void *value, u32 len)
{
	struct group_req r;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, value, sizeof(r));
	memcpy(&in, &r.gr_group, sizeof(in));
	memcpy(&in6, &r.gr_group, sizeof(in6));
	if (in.sin_family != (level == SOL_IP ? AF_INET : AF_INET6))
		return level == SOL_IP ? -EINVAL : -EADDRNOTAVAIL;
	if (level == SOL_IP)
		return change_group4(i, join, &(struct ip_mreqn){ .imr_multiaddr = in.sin_addr, .imr_ifindex = (int)r.gr_interface },
				     sizeof(struct ip_mreqn));
	return change_group6(i, join, &(struct ipv6_mreq){ .ipv6mr_multiaddr = in6.sin6_addr, .ipv6mr_ifindex = (int)r.gr_interface },
			     sizeof(struct ipv6_mreq));
}

/* IP_UNICAST_IF, IPV6_UNICAST_IF: a number in network order; not one that the socket's device is not. */
static int set_unicast_if(const struct inet_sock *i, s32 v, u32 *to)
{
	u32 ifindex = lwip_ntohl((u32)v), bound = (u32)READ_ONCE(i->s.bound_device);

	if (ifindex && !interface_of_device(ifindex))
		return -EADDRNOTAVAIL;
	if (ifindex && bound && bound != ifindex)
		return -EINVAL;
	*to = ifindex;
	return 0;
}

static int set_multicast_if(struct inet_sock *i, const void *value, u32 len)
{
	struct ip_mreqn r = { 0 };

	if (i->s.type == SOCK_STREAM)
		return -EINVAL;
	if (len >= sizeof(r))
		memcpy(&r, value, sizeof(r));
	else if (len >= sizeof(struct ip_mreq))
		memcpy(&r, value, sizeof(struct ip_mreq));
	else if (len >= sizeof(struct in_addr))
		memcpy(&r.imr_address, value, sizeof(struct in_addr));
	else
		return -EINVAL;
	if (!r.imr_ifindex && r.imr_address.s_addr) {
		const struct interface *found = interface_by_address4((ip4_addr_t){ r.imr_address.s_addr });

		if (!found)
			return -EADDRNOTAVAIL;
		r.imr_ifindex = (int)found->dev->index;
	} else if (r.imr_ifindex && !interface_of_device((u32)r.imr_ifindex)) {
		return -EADDRNOTAVAIL;
	}
	i->opt.mc_ifindex = (u32)r.imr_ifindex;
	i->opt.mc_source.addr = r.imr_address.s_addr;
	return 0;
}

/* --- numbers ----------------------------------------------------------------------------------------------------------------------- */

static int tell(struct inet_sock *i, enum inet_tell what, s32 v)
{
	i->opt.told = v ? i->opt.told | BIT(what) : i->opt.told & ~(u32)BIT(what);
	return 0;
}

static int in_range(s32 v, s32 lo, s32 hi, s16 *to)
{
	if (v < lo || v > hi)
		return -EINVAL;
	*to = (s16)v;
	return 0;
}

static int set4(struct inet_sock *i, int name, s32 v)
{
	struct inet_options *o = &i->opt;

	switch (name) {
	case IP_TOS: o->tos = (u8)v; return 0;
	case IP_TTL: return v == -1 || (v >= 1 && v <= 255) ? (o->ttl = (s16)v, 0) : -EINVAL;
	case IP_HDRINCL:
		if (i->s.type != SOCK_RAW)
			return -ENOPROTOOPT;
		o->hdrincl = v;
		return 0;
	case IP_MTU_DISCOVER:
		if (v < 0 || v > IP_PMTUDISC_OMIT)
			return -EINVAL;
		o->mtu_discover = (u8)v;
		return 0;
	case IP_RECVERR: o->recverr = v; return v ? reports_want(i) : 0;
	case IP_PKTINFO: return tell(i, TELL_PKTINFO, v);
	case IP_RECVTTL: return tell(i, TELL_TTL, v);
	case IP_RECVTOS: return tell(i, TELL_TOS, v);
	case IP_RECVOPTS: case IP_RETOPTS: return tell(i, TELL_RETOPTS, v);
	case IP_RECVORIGDSTADDR: return tell(i, TELL_ORIGDST, v);
	case IP_FREEBIND: o->freebind = v; return 0;
	case IP_TRANSPARENT:
		if (v && !capable(CAP_NET_RAW) && !capable(CAP_NET_ADMIN))
			return -EPERM;
		o->transparent = v;
		return 0;
	case IP_NODEFRAG:
		o->nodefrag = v;
		return i->s.type == SOCK_RAW ? 0 : -ENOPROTOOPT;
	case IP_MULTICAST_TTL:
		if (i->s.type == SOCK_STREAM)
			return -EINVAL;
		return v == -1 ? in_range(1, 0, 255, &o->mc_ttl) : in_range(v, 0, 255, &o->mc_ttl);
	case IP_MULTICAST_LOOP: o->mc_loop = v; return 0;
	case IP_MULTICAST_ALL: o->mc_all = v; return v == 0 || v == 1 ? 0 : -EINVAL;
	case IP_MINTTL:
		if (v < 0 || v > 255)
			return -EINVAL;
		o->min_ttl = (u8)v;
		return 0;
	case IP_UNICAST_IF: return set_unicast_if(i, v, &o->uc_ifindex);
	case IP_BIND_ADDRESS_NO_PORT: o->no_port = v; return 0;
	default: return -ENOPROTOOPT;
	}
}

static int set6(struct inet_sock *i, int name, s32 v)
{
	struct inet_options *o = &i->opt;

	switch (name) {
	case IPV6_V6ONLY:
		if (i->lport)
			return -EINVAL;
		o->v6only = v;
		IP_SET_TYPE_VAL(i->local, v ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY);
		return 0;
	case IPV6_UNICAST_HOPS: return in_range(v, -1, 255, &o->hops);
	case IPV6_MULTICAST_HOPS:
		return i->s.type == SOCK_STREAM ? -ENOPROTOOPT : in_range(v == -1 ? 1 : v, 0, 255, &o->mc_hops);
	case IPV6_MULTICAST_LOOP: o->mc_loop6 = v; return v == 0 || v == 1 ? 0 : -EINVAL;
	case IPV6_MULTICAST_ALL: o->mc_all6 = v; return 0;
	case IPV6_MULTICAST_IF:
		if (i->s.type == SOCK_STREAM)
			return -ENOPROTOOPT;
		if (v && !interface_of_device((u32)v))
			return -ENODEV;
		o->mc_ifindex6 = (u32)v;
		return 0;
	case IPV6_TCLASS:
		if (v < -1 || v > 255)
			return -EINVAL;
		o->tclass = v < 0 ? 0 : (u8)v;
		return 0;
	case IPV6_RECVPKTINFO: return tell(i, TELL_PKTINFO6, v);
	case IPV6_RECVHOPLIMIT: return tell(i, TELL_HOPS, v);
	case IPV6_RECVTCLASS: return tell(i, TELL_TCLASS, v);
	case IPV6_RECVERR: o->recverr6 = v; return v ? reports_want(i) : 0;
	case IPV6_MTU_DISCOVER:
		if (v < 0 || v > IPV6_PMTUDISC_OMIT)
			return -EINVAL;
		o->mtu_discover6 = (u8)v;
		return 0;
	case IPV6_FREEBIND: o->freebind = v; return 0;
	case IPV6_AUTOFLOWLABEL: o->autoflowlabel = v; return 0;
	case IPV6_CHECKSUM:
		if (i->s.type != SOCK_RAW)
			return -ENOPROTOOPT;
		o->checksum_at = v < 0 ? -1 : v;
		return v > 0 && (v & 1) ? -EINVAL : 0;
	case IPV6_DONTFRAG: o->dontfrag = v; return 0;
	case IPV6_MINHOPCOUNT:
		if (v < 0 || v > 255)
			return -EINVAL;
		o->min_hops = (u8)v;
		return 0;
	case IPV6_UNICAST_IF: return set_unicast_if(i, v, &o->uc_ifindex6);
	case IPV6_RECVRTHDR: case IPV6_RECVHOPOPTS: case IPV6_RECVDSTOPTS: case IPV6_ADDR_PREFERENCES: return 0;
	default: return -ENOPROTOOPT;
	}
}

/* SO_ZEROCOPY: what is sent with MSG_ZEROCOPY is told of when it is done. */
int inet_set_socket_option(struct inet_sock *i, int name, const void *value, u32 len)
{
	s32 v;
	int err;

	if (name != SO_ZEROCOPY)
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, value, sizeof(v));
	if (i->s.type == SOCK_RAW || (i->s.type == SOCK_DGRAM && i->s.protocol != IPPROTO_UDP))
		return -EOPNOTSUPP;
	if (v < 0 || v > 1)
		return -EINVAL;
	err = v ? reports_want(i) : 0;
	if (!err && v)
		atomic_fetch_or(&i->s.options, BIT(SO_ZEROCOPY));
	else if (!err)
		atomic_fetch_and(&i->s.options, ~(u64)BIT(SO_ZEROCOPY));
	return err;
}

int inet_set_option(struct inet_sock *i, int level, int name, const void *value, u32 len)
{
	s32 v = 0;
	int err = 0;

	net_core_lock();
	if (level == SOL_IP && (name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP))
		err = change_group4(i, name == IP_ADD_MEMBERSHIP, value, len);
	else if (level == SOL_IP && name == IP_MULTICAST_IF)
		err = set_multicast_if(i, value, len);
	else if (level == SOL_IPV6 && i->s.family != AF_INET6)
		err = -ENOPROTOOPT;
	else if (name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP)
		err = change_group(i, level, name == MCAST_JOIN_GROUP, value, len);
	else if (level == SOL_IPV6 && (name == IPV6_ADD_MEMBERSHIP || name == IPV6_DROP_MEMBERSHIP))
		err = change_group6(i, name == IPV6_ADD_MEMBERSHIP, value, len);
	else if (level == SOL_IPV6)
		err = len < sizeof(v) ? -EINVAL : (memcpy(&v, value, sizeof(v)), set6(i, name, v));
	else
		err = option_int(value, len, &v) ?: set4(i, name, v);
	net_core_unlock();
	return err;
}

static u32 mtu_of(const struct inet_sock *i)
{
	struct route_answer a;

	return i->rport && !route_lookup(&i->remote, &i->local, (u32)READ_ONCE(i->s.bound_device), &a) ? pmtu_of(&i->remote, a.i->n.mtu) : 0;
}

static int get4(struct inet_sock *i, int name, s32 *v)
{
	const struct inet_options *o = &i->opt;

	switch (name) {
	case IP_TOS: *v = o->tos; return 0;
	case IP_TTL: *v = o->ttl < 0 ? 64 : o->ttl; return 0;
	case IP_HDRINCL: *v = o->hdrincl; return 0;
	case IP_MTU_DISCOVER: *v = o->mtu_discover; return 0;
	case IP_MTU: *v = (s32)mtu_of(i); return *v ? 0 : -ENOTCONN;
	case IP_RECVERR: *v = o->recverr; return 0;
	case IP_PKTINFO: *v = o->told >> TELL_PKTINFO & 1; return 0;
	case IP_RECVTTL: *v = o->told >> TELL_TTL & 1; return 0;
	case IP_RECVTOS: *v = o->told >> TELL_TOS & 1; return 0;
	case IP_RECVORIGDSTADDR: *v = o->told >> TELL_ORIGDST & 1; return 0;
	case IP_RECVOPTS: case IP_RETOPTS: *v = o->told >> TELL_RETOPTS & 1; return 0;
	case IP_FREEBIND: *v = o->freebind; return 0;
	case IP_TRANSPARENT: *v = o->transparent; return 0;
	case IP_NODEFRAG: *v = o->nodefrag; return 0;
	case IP_MULTICAST_TTL: *v = o->mc_ttl; return 0;
	case IP_MULTICAST_LOOP: *v = o->mc_loop; return 0;
	case IP_MULTICAST_ALL: *v = o->mc_all; return 0;
	case IP_MULTICAST_IF: *v = (s32)o->mc_source.addr; return 0;
	case IP_MINTTL: *v = o->min_ttl; return 0;
	case IP_UNICAST_IF: *v = (s32)lwip_htonl(o->uc_ifindex); return 0;
	case IP_BIND_ADDRESS_NO_PORT: *v = o->no_port; return 0;
	default: return -ENOPROTOOPT;
	}
}

static int get6(struct inet_sock *i, int name, s32 *v)
{
	const struct inet_options *o = &i->opt;

	switch (name) {
	case IPV6_V6ONLY: *v = o->v6only; return 0;
	case IPV6_UNICAST_HOPS: *v = o->hops < 0 ? 64 : o->hops; return 0;
	case IPV6_MULTICAST_HOPS: *v = o->mc_hops; return 0;
	case IPV6_MULTICAST_LOOP: *v = o->mc_loop6; return 0;
	case IPV6_MULTICAST_IF: *v = (s32)o->mc_ifindex6; return 0;
	case IPV6_MULTICAST_ALL: *v = o->mc_all6; return 0;
	case IPV6_TCLASS: *v = o->tclass; return 0;
	case IPV6_RECVPKTINFO: *v = o->told >> TELL_PKTINFO6 & 1; return 0;
	case IPV6_RECVHOPLIMIT: *v = o->told >> TELL_HOPS & 1; return 0;
	case IPV6_RECVTCLASS: *v = o->told >> TELL_TCLASS & 1; return 0;
	case IPV6_RECVERR: *v = o->recverr6; return 0;
	case IPV6_MTU_DISCOVER: *v = o->mtu_discover6; return 0;
	case IPV6_MTU: *v = (s32)mtu_of(i); return *v ? 0 : -ENOTCONN;
	case IPV6_FREEBIND: *v = o->freebind; return 0;
	case IPV6_AUTOFLOWLABEL: *v = o->autoflowlabel; return 0;
	case IPV6_DONTFRAG: *v = o->dontfrag; return 0;
	case IPV6_MINHOPCOUNT: *v = o->min_hops; return 0;
	case IPV6_UNICAST_IF: *v = (s32)lwip_htonl(o->uc_ifindex6); return 0;
	case IPV6_CHECKSUM: *v = o->checksum_at; return i->s.type == SOCK_RAW ? 0 : -ENOPROTOOPT;
	default: return -ENOPROTOOPT;
	}
}

int inet_get_option(struct inet_sock *i, int level, int name, void *value, u32 *len)
{
	s32 v = 0;
	int err;

	net_core_lock();
	if (level == SOL_IPV6)
		err = i->s.family == AF_INET6 ? get6(i, name, &v) : -ENOPROTOOPT;
	else
		err = get4(i, name, &v);
	net_core_unlock();
	if (err)
		return err;
	/* IP's numbers may be told in one byte. */
	if (level == SOL_IP && *len < sizeof(v) && *len > 0 && v >= 0 && v <= 255) {
		*len = 1;
		*(u8 *)value = (u8)v;
		return 0;
	}
	return option_put(value, len, v);
}
