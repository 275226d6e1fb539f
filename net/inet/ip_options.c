/* Options of SOL_IP and SOL_IPV6; those of groups: groups.c. */
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/socket.h>
#include <net/inet/dgram.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/pmtu.h>
#include <net/inet/reports.h>
#include <net/inet/route.h>

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

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

/* RFC 5014: of each pair one, or neither.  Of what could be preferred here there is one kind only, so it changes nothing but what is told. */
static int set_source_wish(struct inet_options *o, s32 v)
{
	u32 privacy = (u32)v & (IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC | IPV6_PREFER_SRC_PUBTMP_DEFAULT);
	u32 home = (u32)v & (IPV6_PREFER_SRC_COA | IPV6_PREFER_SRC_HOME), made = (u32)v & (IPV6_PREFER_SRC_CGA | IPV6_PREFER_SRC_NONCGA);
	u16 wish = o->source_wish;

	if ((privacy & (privacy - 1)) || (home & (home - 1)) || (made & (made - 1)))
		return -EINVAL;
	if (privacy)
		wish = (u16)((wish & ~(IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC)) | (privacy & ~(u32)IPV6_PREFER_SRC_PUBTMP_DEFAULT));
	if (home)
		wish = (u16)((wish & ~IPV6_PREFER_SRC_COA) | (home & IPV6_PREFER_SRC_COA));
	o->source_wish = wish;
	return 0;
}

static s32 source_wish(const struct inet_options *o)
{
	return (o->source_wish & (IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC) ? 0 : IPV6_PREFER_SRC_PUBTMP_DEFAULT) |
	       (o->source_wish & IPV6_PREFER_SRC_COA ? 0 : IPV6_PREFER_SRC_HOME) | o->source_wish;
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
	case IP_RECVOPTS: return tell(i, TELL_OPTIONS, v);
	case IP_RETOPTS: return tell(i, TELL_RETURN, v);
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
	case IPV6_RECVHOPOPTS: return tell(i, TELL_HOPOPTS, v);
	case IPV6_RECVDSTOPTS: return tell(i, TELL_DSTOPTS, v);
	case IPV6_RECVRTHDR: return tell(i, TELL_RTHDR, v);
	case IPV6_ADDR_PREFERENCES: return set_source_wish(o, v);
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
	int err;

	net_core_lock();
	if (level == SOL_IP && name == IP_MULTICAST_IF)
		err = set_multicast_if(i, value, len);
	else if (level == SOL_IPV6 && i->s.family != AF_INET6)
		err = -ENOPROTOOPT;
	else if ((err = group_set_option(i, level, name, value, len)) != -ENOPROTOOPT)
		;
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
	case IP_RECVOPTS: *v = o->told >> TELL_OPTIONS & 1; return 0;
	case IP_RETOPTS: *v = o->told >> TELL_RETURN & 1; return 0;
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
	case IPV6_RECVHOPOPTS: *v = o->told >> TELL_HOPOPTS & 1; return 0;
	case IPV6_RECVDSTOPTS: *v = o->told >> TELL_DSTOPTS & 1; return 0;
	case IPV6_RECVRTHDR: *v = o->told >> TELL_RTHDR & 1; return 0;
	case IPV6_ADDR_PREFERENCES: *v = source_wish(o); return 0;
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
	err = level == SOL_IPV6 && i->s.family != AF_INET6 ? -ENOPROTOOPT : group_get_option(i, level, name, value, len);
	if (err != -ENOPROTOOPT) {
		net_core_unlock();
		return err;
	}
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
