/* Membership in groups: who wants what is sent to them, on which device, and from whom.
 *
 * Theory.  lwIP counts who is in a group on a device, tells the routers (IGMPv2, MLDv1) and lets its packets in; the socket layer decides which
 * socket gets them.  So sources are chosen here alone: routers are told of the group, never of its sources, and packets of other sources come as
 * far as the device's queue.  A socket that is in no group on a device gets all the same what others are in for, unless it has turned
 * IP_MULTICAST_ALL off.
 *
 * A membership begins with all sources (IP_ADD_MEMBERSHIP) or with one (IP_ADD_SOURCE_MEMBERSHIP), and goes over from the one kind to the other
 * only while no source was ever named; one of given sources that loses its last one ends.  setsockopt as in ip(7) and ipv6(7), RFC 3678.
 *
 * All under the core's lock. */
#include <lwip/igmp.h>
#include <lwip/mld6.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/sysctl.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/socket.h>
#include <mm/slab.h>
#include <net/inet/dgram.h>
#include <net/inet/interface.h>
#include <net/inet/route.h>

static u64 igmp_max_msf = 10, mld_max_msf = 64, igmp_max_memberships = 20;	/* sources of a membership; groups of a socket */
SYSCTL(igmp_max_msf, "net/ipv4/igmp_max_msf", .value = &igmp_max_msf, .max = 1024);
SYSCTL(mld_max_msf, "net/ipv6/mld_max_msf", .value = &mld_max_msf, .max = 1024);
SYSCTL(igmp_max_memberships, "net/ipv4/igmp_max_memberships", .value = &igmp_max_memberships, .max = 1u << 20);

/* A group as an option names it: the device by number or (IPv4) by an address of it; neither: by the route. */
struct place { ip_addr_t group; u32 ifindex; ip4_addr_t by_address; };

/* --- who wants what */

static bool takes_source(const struct membership *m, const ip_addr_t *from)
{
	for (u32 k = 0; k < m->nr_sources; k++)
		if (ip_addr_cmp_zoneless(&m->sources[k], from))
			return m->include;
	return !m->include;
}

bool dgram_member(const struct dgramsock *d, const ip_addr_t *group, const ip_addr_t *from, u32 ifindex)
{
	if (likely(!ip_addr_ismulticast(group)))
		return true;
	for (const struct membership *m = d->groups; m; m = m->next)
		if (ip_addr_cmp_zoneless(&m->group, group) && (m->ifindex == ifindex || ifindex == 1))
			return takes_source(m, from);
	return IP_IS_V6(group) ? d->i.opt.mc_all6 : d->i.opt.mc_all;
}

/* --- joining and leaving */

static struct interface *interface_of_place(const struct place *w)
{
	struct route_answer a;

	if (w->ifindex)
		return interface_of_device(w->ifindex);
	if (w->by_address.addr) {
		struct interface *i = interface_by_address4(w->by_address);

		return i ? i->first : NULL;
	}
	if (!route_lookup(&w->group, NULL, 0, &a))
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

static struct membership **find(struct dgramsock *d, const ip_addr_t *group, u32 ifindex /* 0: any */)
{
	struct membership **m = &d->groups;

	while (*m && !(ip_addr_cmp_zoneless(&(*m)->group, group) && (!ifindex || (*m)->ifindex == ifindex)))
		m = &(*m)->next;
	return m;
}

static u64 groups_of(const struct dgramsock *d, bool six)
{
	u64 n = 0;

	for (const struct membership *m = d->groups; m; m = m->next)
		n += IP_IS_V6(&m->group) == six;
	return n;
}

static int join(struct dgramsock *d, const struct place *w, bool include)
{
	struct interface *i = interface_of_place(w);
	struct membership *m;

	if (!i)
		return -ENODEV;
	if (*find(d, &w->group, i->dev->index))
		return -EADDRINUSE;
	if (!IP_IS_V6(&w->group) && groups_of(d, false) >= READ_ONCE(igmp_max_memberships))
		return -ENOBUFS;
	m = kmalloc(sizeof(*m), GFP_ATOMIC);
	if (!m || lwip_join(i, &w->group, true) != ERR_OK) {
		kfree(m);
		return -ENOBUFS;
	}
	*m = (struct membership){ .next = d->groups, .group = w->group, .ifindex = i->dev->index, .include = include };
	d->groups = m;
	return 0;
}

static void unlink(struct membership **at)
{
	struct membership *m = *at;
	struct interface *i = interface_of_device(m->ifindex);

	*at = m->next;
	if (i)
		lwip_join(i, &m->group, false);
	kfree(m->sources);
	kfree(m);
}

static int leave(struct dgramsock *d, const struct place *w)
{
	bool named = w->ifindex || w->by_address.addr;
	struct interface *i = named ? interface_of_place(w) : NULL;
	struct membership **m;

	if (named && !i)
		return -ENODEV;
	m = find(d, &w->group, i ? i->dev->index : 0);
	if (!*m)
		return -EADDRNOTAVAIL;
	unlink(m);
	return 0;
}

void dgram_leave_all(struct dgramsock *d)
{
	while (d->groups)
		unlink(&d->groups);
}

/* --- sources */

static int set_sources(struct membership *m, const ip_addr_t *sources, u32 nr)
{
	ip_addr_t *a = nr ? kmalloc(nr * sizeof(*a), GFP_ATOMIC) : NULL;

	if (nr && !a)
		return -ENOBUFS;
	if (nr)
		memcpy(a, sources, nr * sizeof(*a));
	kfree(m->sources);
	m->sources = a;
	m->nr_sources = nr;
	return 0;
}

static u32 source_at(const struct membership *m, const ip_addr_t *source)
{
	u32 k = 0;

	while (k < m->nr_sources && !ip_addr_cmp_zoneless(&m->sources[k], source))
		k++;
	return k;
}

static int add_source(struct membership *m, const ip_addr_t *source)
{
	ip_addr_t *a;

	if (m->nr_sources >= (IP_IS_V6(source) ? READ_ONCE(mld_max_msf) : READ_ONCE(igmp_max_msf)))
		return -ENOBUFS;
	if (source_at(m, source) < m->nr_sources)
		return -EADDRNOTAVAIL;
	a = kmalloc((m->nr_sources + 1) * sizeof(*a), GFP_ATOMIC);
	if (!a)
		return -ENOBUFS;
	if (m->nr_sources)
		memcpy(a, m->sources, m->nr_sources * sizeof(*a));
	a[m->nr_sources++] = *source;
	kfree(m->sources);
	m->sources = a;
	return 0;
}

static int drop_source(struct membership **at, const ip_addr_t *source)
{
	struct membership *m = *at;
	u32 k = source_at(m, source);

	if (k == m->nr_sources)
		return -EADDRNOTAVAIL;
	if (m->include && m->nr_sources == 1) {
		unlink(at);
		return 0;
	}
	m->nr_sources--;
	memmove(m->sources + k, m->sources + k + 1, (m->nr_sources - k) * sizeof(*m->sources));
	return 0;
}

/* The membership that an option about sources means; NULL and *err. */
static struct membership **sources_of(struct dgramsock *d, const struct place *w, int none, int *err)
{
	struct interface *i = interface_of_place(w);
	struct membership **m;

	*err = -ENODEV;
	if (!i)
		return NULL;
	m = find(d, &w->group, IP_IS_V6(&w->group) ? w->ifindex : i->dev->index);
	*err = none;
	return *m ? m : NULL;
}

static int change_source(struct dgramsock *d, const struct place *w, const ip_addr_t *source, bool include, bool add)
{
	struct membership **m;
	int err;

	if (include && add) {
		err = join(d, w, true);
		if (err && err != -EADDRINUSE)
			return err;
	}
	m = sources_of(d, w, -EINVAL, &err);
	if (!m)
		return err;
	if ((*m)->sources && (*m)->include != include)
		return -EINVAL;
	(*m)->include = include;
	return add ? add_source(*m, source) : drop_source(m, source);
}

static int set_filter(struct dgramsock *d, const struct place *w, u32 mode, const ip_addr_t *sources, u32 nr)
{
	struct membership **m;
	int err;

	if (mode != MCAST_INCLUDE && mode != MCAST_EXCLUDE)
		return -EINVAL;
	if (mode == MCAST_INCLUDE && !nr)
		return leave(d, w);
	m = sources_of(d, w, -EINVAL, &err);
	if (!m)
		return err;
	err = set_sources(*m, sources, nr);
	if (!err)
		(*m)->include = mode == MCAST_INCLUDE;
	return err;
}

/* --- options: their bytes */

static bool place4(struct place *w, u32 group, u32 by_address, u32 ifindex)
{
	memset(w, 0, sizeof(*w));
	ip_addr_set_ip4_u32(&w->group, group);
	w->by_address.addr = by_address;
	w->ifindex = ifindex;
	return ip_addr_ismulticast(&w->group);
}

static bool place6(struct place *w, const struct in6_addr *group, u32 ifindex)
{
	memset(w, 0, sizeof(*w));
	IP_SET_TYPE_VAL(w->group, IPADDR_TYPE_V6);
	memcpy(ip_2_ip6(&w->group)->addr, group, 16);
	w->ifindex = ifindex;
	return ip_addr_ismulticast(&w->group);
}

/* The address in a sockaddr_storage, of level's family. */
static bool address_in(int level, const void *storage, ip_addr_t *out)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	memset(out, 0, sizeof(*out));
	memcpy(&in, storage, sizeof(in));
	if (in.sin_family != (level == SOL_IP ? AF_INET : AF_INET6))
		return false;
	if (level == SOL_IP) {
		ip_addr_set_ip4_u32(out, in.sin_addr.s_addr);
		return true;
	}
	memcpy(&in6, storage, sizeof(in6));
	IP_SET_TYPE_VAL(*out, IPADDR_TYPE_V6);
	memcpy(ip_2_ip6(out)->addr, &in6.sin6_addr, 16);
	return true;
}

static int membership4(struct dgramsock *d, int name, const void *value, u32 len)
{
	struct ip_mreqn r = { 0 };
	struct place w;

	if (len < sizeof(struct ip_mreq))
		return -EINVAL;
	memcpy(&r, value, min(len, (u32)sizeof(r)));
	if (!place4(&w, r.imr_multiaddr.s_addr, r.imr_address.s_addr, (u32)r.imr_ifindex))
		return -EINVAL;
	return name == IP_ADD_MEMBERSHIP ? join(d, &w, false) : leave(d, &w);
}

static int membership6(struct dgramsock *d, int name, const void *value, u32 len)
{
	struct ipv6_mreq r;
	struct place w;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, value, sizeof(r));
	if (!place6(&w, &r.ipv6mr_multiaddr, (u32)r.ipv6mr_ifindex))
		return -EINVAL;
	return name == IPV6_ADD_MEMBERSHIP ? join(d, &w, false) : leave(d, &w);
}

/* MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP. */
static int membership(struct dgramsock *d, int level, int name, const void *value, u32 len)
{
	struct place w = { 0 };
	struct group_req r;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, value, sizeof(r));
	if (!address_in(level, &r.gr_group, &w.group))
		return level == SOL_IP ? -EINVAL : -EADDRNOTAVAIL;
	if (!ip_addr_ismulticast(&w.group))
		return -EINVAL;
	w.ifindex = r.gr_interface;
	return name == MCAST_JOIN_GROUP ? join(d, &w, false) : leave(d, &w);
}

static int source4(struct dgramsock *d, int name, const void *value, u32 len)
{
	bool include = name == IP_ADD_SOURCE_MEMBERSHIP || name == IP_DROP_SOURCE_MEMBERSHIP;
	struct ip_mreq_source r;
	ip_addr_t source;
	struct place w;

	if (len != sizeof(r))
		return -EINVAL;
	memcpy(&r, value, sizeof(r));
	ip_addr_set_ip4_u32(&source, r.imr_sourceaddr);
	if (!place4(&w, r.imr_multiaddr, r.imr_interface, 0))
		return -EINVAL;
	return change_source(d, &w, &source, include, name == IP_ADD_SOURCE_MEMBERSHIP || name == IP_BLOCK_SOURCE);
}

/* MCAST_JOIN_SOURCE_GROUP and its kin. */
static int source(struct dgramsock *d, int level, int name, const void *value, u32 len)
{
	bool include = name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_LEAVE_SOURCE_GROUP;
	struct group_source_req r;
	struct place w = { 0 };
	ip_addr_t from;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, value, sizeof(r));
	if (!address_in(level, &r.gsr_group, &w.group) || !address_in(level, &r.gsr_source, &from))
		return -EADDRNOTAVAIL;
	if (!ip_addr_ismulticast(&w.group))
		return -EINVAL;
	w.ifindex = r.gsr_interface;
	return change_source(d, &w, &from, include, name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_BLOCK_SOURCE);
}

static int filter4(struct dgramsock *d, const void *value, u32 len)
{
	struct ip_msfilter f;
	ip_addr_t *sources;
	struct place w;
	int err;

	if (len < IP_MSFILTER_SIZE(0))
		return -EINVAL;
	memcpy(&f, value, IP_MSFILTER_SIZE(0));
	if (f.imsf_numsrc > READ_ONCE(igmp_max_msf))
		return -ENOBUFS;
	if (IP_MSFILTER_SIZE(f.imsf_numsrc) > len || !place4(&w, f.imsf_multiaddr, f.imsf_interface, 0))
		return -EINVAL;
	sources = kzalloc((f.imsf_numsrc + 1) * sizeof(*sources), GFP_ATOMIC);
	if (!sources)
		return -ENOBUFS;
	for (u32 k = 0; k < f.imsf_numsrc; k++) {
		u32 a;

		memcpy(&a, (const u8 *)value + IP_MSFILTER_SIZE(k), sizeof(a));
		ip_addr_set_ip4_u32(&sources[k], a);
	}
	err = set_filter(d, &w, f.imsf_fmode, sources, f.imsf_numsrc);
	kfree(sources);
	return err;
}

/* MCAST_MSFILTER. */
static int filter(struct dgramsock *d, int level, const void *value, u32 len)
{
	struct place w = { 0 };
	struct group_filter f;
	ip_addr_t *sources;
	int err = 0;

	if (len < GROUP_FILTER_SIZE(0))
		return -EINVAL;
	memcpy(&f, value, GROUP_FILTER_SIZE(0));
	if (f.gf_numsrc > (level == SOL_IP ? READ_ONCE(igmp_max_msf) : READ_ONCE(mld_max_msf)))
		return -ENOBUFS;
	if (GROUP_FILTER_SIZE(f.gf_numsrc) > len || !address_in(level, &f.gf_group, &w.group) || !ip_addr_ismulticast(&w.group))
		return -EINVAL;
	w.ifindex = f.gf_interface;
	sources = kzalloc((f.gf_numsrc + 1) * sizeof(*sources), GFP_ATOMIC);
	if (!sources)
		return -ENOBUFS;
	for (u32 k = 0; k < f.gf_numsrc && !err; k++)
		err = address_in(level, (const u8 *)value + GROUP_FILTER_SIZE(k), &sources[k]) ? 0 : -EADDRNOTAVAIL;
	if (!err)
		err = set_filter(d, &w, f.gf_fmode, sources, f.gf_numsrc);
	kfree(sources);
	return err;
}

int group_set_option(struct inet_sock *i, int level, int name, const void *value, u32 len)
{
	struct dgramsock *d = container_of(i, struct dgramsock, i);
	bool four = level == SOL_IP && name >= IP_ADD_MEMBERSHIP && name <= IP_MSFILTER;
	bool six = level == SOL_IPV6 && (name == IPV6_ADD_MEMBERSHIP || name == IPV6_DROP_MEMBERSHIP);

	if (!four && !six && (name < MCAST_JOIN_GROUP || name > MCAST_MSFILTER))
		return -ENOPROTOOPT;
	if (i->s.type == SOCK_STREAM)
		return -EPROTO;
	if (six)
		return membership6(d, name, value, len);
	switch (name) {
	case IP_ADD_MEMBERSHIP: case IP_DROP_MEMBERSHIP: return membership4(d, name, value, len);
	case IP_MSFILTER: return filter4(d, value, len);
	case MCAST_JOIN_GROUP: case MCAST_LEAVE_GROUP: return membership(d, level, name, value, len);
	case MCAST_MSFILTER: return filter(d, level, value, len);
	default: return four ? source4(d, name, value, len) : source(d, level, name, value, len);
	}
}

static int get_filter4(struct dgramsock *d, u8 *value, u32 *len)
{
	const struct membership *m;
	struct membership **at;
	struct ip_msfilter f;
	struct place w;
	u32 nr;
	int err;

	if (*len < IP_MSFILTER_SIZE(0))
		return -EINVAL;
	memcpy(&f, value, IP_MSFILTER_SIZE(0));
	if (!place4(&w, f.imsf_multiaddr, f.imsf_interface, 0))
		return -EINVAL;
	at = sources_of(d, &w, -EADDRNOTAVAIL, &err);
	if (!at)
		return err;
	m = *at;
	nr = min(min(m->nr_sources, f.imsf_numsrc), (u32)((*len - IP_MSFILTER_SIZE(0)) / sizeof(u32)));
	f.imsf_fmode = m->include ? MCAST_INCLUDE : MCAST_EXCLUDE;
	f.imsf_numsrc = m->nr_sources;
	memcpy(value, &f, IP_MSFILTER_SIZE(0));
	for (u32 k = 0; k < nr; k++)
		memcpy(value + IP_MSFILTER_SIZE(k), &ip_2_ip4(&m->sources[k])->addr, sizeof(u32));
	*len = IP_MSFILTER_SIZE(nr);
	return 0;
}

static void put_address(u8 *storage, const ip_addr_t *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	memset(storage, 0, sizeof(struct __kernel_sockaddr_storage));
	if (IP_IS_V6(a)) {
		memcpy(&in6.sin6_addr, ip_2_ip6(a)->addr, 16);
		memcpy(storage, &in6, sizeof(in6));
	} else {
		in.sin_addr.s_addr = ip_2_ip4(a)->addr;
		memcpy(storage, &in, sizeof(in));
	}
}

static int get_filter(struct dgramsock *d, int level, u8 *value, u32 *len)
{
	const struct membership *m;
	struct membership **at;
	struct place w = { 0 };
	struct group_filter f;
	u32 nr;
	int err;

	if (*len < GROUP_FILTER_SIZE(0))
		return -EINVAL;
	memcpy(&f, value, GROUP_FILTER_SIZE(0));
	if (!address_in(level, &f.gf_group, &w.group))
		return level == SOL_IP ? -EINVAL : -EADDRNOTAVAIL;
	if (!ip_addr_ismulticast(&w.group))
		return -EINVAL;
	w.ifindex = f.gf_interface;
	at = sources_of(d, &w, -EADDRNOTAVAIL, &err);
	if (!at)
		return err;
	m = *at;
	nr = min(min(m->nr_sources, f.gf_numsrc), (u32)((*len - GROUP_FILTER_SIZE(0)) / sizeof(f.gf_group)));
	f.gf_fmode = m->include ? MCAST_INCLUDE : MCAST_EXCLUDE;
	f.gf_numsrc = m->nr_sources;
	memcpy(value, &f, GROUP_FILTER_SIZE(0));
	for (u32 k = 0; k < nr; k++)
		put_address(value + GROUP_FILTER_SIZE(k), &m->sources[k]);
	*len = GROUP_FILTER_SIZE(nr);
	return 0;
}

int group_get_option(struct inet_sock *i, int level, int name, void *value, u32 *len)
{
	struct dgramsock *d = container_of(i, struct dgramsock, i);

	if (name != MCAST_MSFILTER && !(level == SOL_IP && name == IP_MSFILTER))
		return -ENOPROTOOPT;
	if (i->s.type == SOCK_STREAM)
		return -EADDRNOTAVAIL;		/* it is in none */
	return name == MCAST_MSFILTER ? get_filter(d, level, value, len) : get_filter4(d, value, len);
}
