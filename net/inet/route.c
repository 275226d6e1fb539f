/* Routes.
 *
 * A sorted list for each family, looked through from the longest prefix on: tables here have a handful of routes.  An address of our own is not
 * in them: whatever goes to one goes to lo.  lwIP asks by hooks, once for each segment; sockets ask before, to know what error to tell and
 * what source to take.
 *
 * Source addresses: the route's preferred one; else of the addresses on its device the one whose network the next hop is in, else the first
 * that is no secondary; else any of a device that is up, as long as its scope is global.  IPv6: RFC 6724's rules 2, 3 and 8 (select6). */
#include <lwip/ip6.h>
#include <lwip/nd6.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/sysctl.h>
#include <linux/rtnetlink.h>
#include <mm/slab.h>
#include <net/inet/address.h>
#include <net/inet/engine.h>
#include <net/inet/hooks.h>
#include <net/inet/notify.h>
#include <net/inet/route.h>

#define AF_INET		2
#define AF_INET6	10

/* We forward nothing, and do not pretend to: the switch is there, and stays off (EINVAL). */
static u64 forward;
SYSCTL(ip_forward, "net/ipv4/ip_forward", .value = &forward, .max = 0);
SYSCTL(forwarding6, "net/ipv6/conf/all/forwarding", .value = &forward, .max = 0);

LIST_HEAD(routes4);
LIST_HEAD(routes6);

struct list_head *routes_of(u8 family)
{
	return family == AF_INET ? &routes4 : &routes6;
}

bool prefix_matches(const u32 *net, const u32 *addr, u32 bits)
{
	for (u32 i = 0; bits; i++) {
		u32 here = min(bits, 32u);

		if ((net[i] ^ addr[i]) & lwip_htonl(prefix_mask4(here)))
			return false;
		bits -= here;
	}
	return true;
}

static bool usable(const struct route *r, u32 ifindex)
{
	if (!r->dev)
		return !ifindex;
	return (r->dev->flags & IFF_UP) && r->dev->inet && (!ifindex || r->dev->index == ifindex);
}

static const struct route *find_in(u32 table, u8 family, const u32 *to, u32 ifindex)
{
	const struct route *r;

	list_for_each_entry(r, routes_of(family), link)
		if (r->table == table && usable(r, ifindex) && prefix_matches(r->dest, to, r->prefix))
			return r;
	return NULL;
}

/* The rules that Linux begins with: there are no others, and what stands in other tables is only kept. */
static const struct route *find(u8 family, const u32 *to, u32 ifindex)
{
	return find_in(RT_TABLE_MAIN, family, to, ifindex) ?: find_in(RT_TABLE_DEFAULT, family, to, ifindex);
}

static int refusal(const struct route *r)
{
	switch (r->type) {
	case RTN_BLACKHOLE: return -EINVAL;
	case RTN_UNREACHABLE: return -EHOSTUNREACH;
	case RTN_PROHIBIT: return -EACCES;
	default: return -ENETUNREACH;
	}
}

/* Of dev's IPv4 addresses the one to speak to next with; wanted: exactly that, wherever the packet goes out. */
static struct interface *source4(const struct netdev *dev, u32 next, u32 wanted)
{
	struct interface *best = NULL, *elsewhere = NULL;

	for_each_interface(i) {
		if (!i->has_address)
			continue;
		if (i->dev != dev) {
			if (!elsewhere && netif_is_up(&i->n) && i->scope == RT_SCOPE_UNIVERSE)
				elsewhere = i;
			continue;
		}
		if (wanted ? i->address.addr == wanted : ip4_addr_netcmp(&(ip4_addr_t){ next }, &i->address, netif_ip4_netmask(&i->n)))
			return i;
		if (!best)
			best = i;
	}
	return best ? best : elsewhere;
}

static int lookup4(u32 to, u32 from, u32 ifindex, struct route_answer *a)
{
	struct interface *ours = interface_by_address4((ip4_addr_t){ to }), *src;
	bool everybody = to == 0xffffffff || ip4_addr_ismulticast(&(ip4_addr_t){ to });
	const struct route *r;
	u32 next;

	if (ours && (!ifindex || ours->dev->index == ifindex)) {
		a->i = loopback_dev ? loopback_dev->inet : NULL;
		if (!a->i || !netif_is_up(&a->i->n))
			return -ENETUNREACH;
		ip_addr_set_ip4_u32(&a->source, from ? from : ours == a->i ? a->i->address.addr : to);
		return 0;
	}
	r = find(AF_INET, &to, ifindex);
	if (r && !r->dev)
		return refusal(r);
	if (!r && ifindex && interface_of_device(ifindex) && netif_is_up(&interface_of_device(ifindex)->n)) {
		a->i = interface_of_device(ifindex);	/* on the link, as a program insists */
		next = to;
	} else if (!r && everybody && from && (src = interface_by_address4((ip4_addr_t){ from }))) {
		a->i = src;
		next = to;
	} else if (!r) {
		return -ENETUNREACH;
	} else {
		a->i = r->dev->inet;
		next = r->has_gateway && !everybody ? r->gateway[0] : to;
	}
	a->route = r;
	src = source4(a->i->dev, next, from ? from : r && r->has_source ? r->source[0] : 0);
	ip_addr_set_ip4_u32(&a->gateway, next);
	ip_addr_set_ip4_u32(&a->source, from ? from : r && r->has_source ? r->source[0] : src ? src->address.addr : 0);
	if (src && src->dev == a->i->dev)
		a->i = src;
	return 0;
}

/* The narrower the worse, but what reaches no further than the destination's link is for that. */
static u32 scope6(const ip6_addr_t *a)
{
	if (ip6_addr_ismulticast(a))
		return ip6_addr_multicast_scope(a);
	return ip6_addr_islinklocal(a) || ip6_addr_isloopback(a) ? IP6_MULTICAST_SCOPE_LINK_LOCAL : IP6_MULTICAST_SCOPE_GLOBAL;
}

static u32 common_bits(const ip6_addr_t *a, const ip6_addr_t *b)
{
	for (u32 k = 0; k < 4; k++)
		if (a->addr[k] != b->addr[k])
			return k * 32 + (u32)__builtin_clz(lwip_ntohl(a->addr[k] ^ b->addr[k]));
	return 128;
}

/* Of n's addresses the one to speak to `to` with: of a scope that reaches there, and no wider than need be; rather preferred than deprecated; with the longest
 * common prefix. */
static const ip_addr_t *select6(struct netif *n, const ip6_addr_t *to)
{
	const ip_addr_t *best = NULL;
	u32 most = 0, scope = scope6(to);

	for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++) {
		const ip6_addr_t *a = netif_ip6_addr(n, k);
		u32 points;

		if (!ip6_addr_isvalid(netif_ip6_addr_state(n, k)))
			continue;
		points = 1 + common_bits(a, to);
		points += ip6_addr_ispreferred(netif_ip6_addr_state(n, k)) ? 256 : 0;
		points += scope6(a) >= scope ? 1024 + (16 - scope6(a)) * 2048 : 0;
		if (points > most) {
			most = points;
			best = netif_ip_addr6(n, k);
		}
	}
	return best;
}

static int lookup6(const ip6_addr_t *to, const ip6_addr_t *from, u32 ifindex, struct route_answer *a)
{
	struct interface *ours = interface_by_address6(to);
	const ip_addr_t *chosen;
	struct netif *n;

	if (ours && (!ifindex || ours->dev->index == ifindex)) {
		a->i = loopback_dev ? loopback_dev->inet : NULL;
		if (!a->i || !netif_is_up(&a->i->n))
			return -ENETUNREACH;
		ip_addr_copy_from_ip6(a->source, from && !ip6_addr_isany(from) ? *from : *to);
		return 0;
	}
	if (ifindex) {
		a->i = interface_of_device(ifindex);
		n = a->i && netif_is_up(&a->i->n) ? &a->i->n : NULL;
	} else {
		const struct route *r = find(AF_INET6, to->addr, 0);

		if (r && !r->dev)
			return refusal(r);
		n = ip6_route(from ? from : IP6_ADDR_ANY6, to);
		a->route = r;
		/* lwIP sends all by its only interface, though that were lo. */
		if (n && !r && loopback_dev && interface_of(n)->dev == loopback_dev && !ip6_addr_ismulticast(to))
			n = NULL;
	}
	if (!n)
		return -ENETUNREACH;
	a->i = interface_of(n);
	if (from && !ip6_addr_isany(from)) {
		ip_addr_copy_from_ip6(a->source, *from);
		return 0;
	}
	if (a->route && a->route->has_source) {
		memcpy(ip_2_ip6(&a->source)->addr, a->route->source, 16);
		IP_SET_TYPE_VAL(a->source, IPADDR_TYPE_V6);
		return 0;
	}
	chosen = select6(n, to);
	if (!chosen)
		return -EADDRNOTAVAIL;
	ip_addr_copy(a->source, *chosen);
	return 0;
}

int route_lookup(const ip_addr_t *to, const ip_addr_t *from, u32 ifindex, struct route_answer *a)
{
	memset(a, 0, sizeof(*a));
	if (IP_IS_V6(to))
		return lookup6(ip_2_ip6(to), from ? ip_2_ip6(from) : NULL, ifindex, a);
	return lookup4(ip_2_ip4(to)->addr, from && IP_IS_V4(from) ? ip_2_ip4(from)->addr : 0, ifindex, a);
}

/* --- what lwIP asks ---------------------------------------------------------------------------------------------------------------- */

struct netif *route_forced;

struct netif *route_hook4(const ip4_addr_t *src, const ip4_addr_t *dest)
{
	struct route_answer a = { 0 };

	if (unlikely(route_forced))
		return route_forced;
	return lookup4(dest->addr, src ? src->addr : 0, 0, &a) ? NULL : &a.i->n;
}

const ip4_addr_t *route_hook_gateway4(struct netif *n, const ip4_addr_t *dest)
{
	static ip4_addr_t next;		/* [C] */
	const struct route *r = find(AF_INET, &dest->addr, interface_of(n)->dev->index);

	next.addr = r && r->has_gateway ? r->gateway[0] : dest->addr;
	return &next;
}

struct netif *route_hook6(const ip6_addr_t *src, const ip6_addr_t *dest)
{
	const struct route *r;

	(void)src;
	if (interface_by_address6(dest))
		return loopback_dev && loopback_dev->inet ? &((struct interface *)loopback_dev->inet)->n : NULL;
	r = find(AF_INET6, dest->addr, 0);
	return r && r->dev ? &((struct interface *)r->dev->inet)->n : NULL;
}

const ip6_addr_t *route_hook_gateway6(struct netif *n, const ip6_addr_t *dest)
{
	static ip6_addr_t next;		/* [C] */
	const struct route *r = find(AF_INET6, dest->addr, interface_of(n)->dev->index);

	if (!r)
		return NULL;		/* a router that advertised itself */
	if (!r->has_gateway)
		return dest;
	memcpy(next.addr, r->gateway, sizeof(next.addr));
	ip6_addr_clear_zone(&next);
	ip6_addr_assign_zone(&next, IP6_UNICAST, n);
	return &next;
}

/* --- changes ----------------------------------------------------------------------------------------------------------------------- */

static bool same_place(const struct route *a, const struct route *b)
{
	return a->prefix == b->prefix && a->metric == b->metric && a->table == b->table && a->tos == b->tos &&
	       !memcmp(a->dest, b->dest, a->family == AF_INET ? 4 : 16);
}

static void route_free(struct route *r)
{
	list_del(&r->link);
	if (r->dev)
		netdev_put(r->dev);
	kfree(r);
}

/* Both locks. */
static void insert(struct route *r, bool last)
{
	struct list_head *at;

	for (at = routes_of(r->family)->next; at != routes_of(r->family); at = at->next) {
		const struct route *o = list_entry(at, struct route, link);

		if (o->prefix < r->prefix || (o->prefix == r->prefix && (o->metric > r->metric || (o->metric == r->metric && !last))))
			break;
	}
	list_add_tail(&r->link, at);
	if (r->dev)
		netdev_get(r->dev);
}

int route_add(const struct route *from, bool exclusive, bool replace, bool append)
{
	struct route *r = kmemdup(from, sizeof(*from), GFP_KERNEL), *o, *next;
	int err = 0;

	if (!r)
		return -ENOMEM;
	net_core_lock();
	list_for_each_entry_safe(o, next, routes_of(r->family), link) {
		if (!same_place(o, r))
			continue;
		if (exclusive || (append && o->dev == r->dev && !memcmp(o->gateway, r->gateway, sizeof(r->gateway)))) {
			err = -EEXIST;
			break;
		}
		if (replace) {
			route_free(o);
			replace = false;
		}
	}
	if (!err)
		insert(r, append);
	net_core_unlock();
	if (err)
		kfree(r);
	else
		notify_route(from, true);
	return err;
}

int route_del(const struct route *w)
{
	struct route *o, gone;
	int err = -ESRCH;

	net_core_lock();
	list_for_each_entry(o, routes_of(w->family), link)
		if (o->prefix == w->prefix && !memcmp(o->dest, w->dest, w->family == AF_INET ? 4 : 16) && (!w->dev || o->dev == w->dev) &&
		    (!w->metric || o->metric == w->metric) && (!w->protocol || o->protocol == w->protocol) &&
		    (!w->has_gateway || (o->has_gateway && !memcmp(o->gateway, w->gateway, sizeof(o->gateway)))) &&
		    (!w->table || o->table == w->table) && (!w->type || o->type == w->type)) {
			gone = *o;
			route_free(o);
			err = 0;
			break;
		}
	net_core_unlock();
	if (!err)
		notify_route(&gone, false);
	return err;
}

void route_connected(struct interface *i, bool add)
{
	struct route r = { .family = AF_INET, .prefix = i->prefix, .protocol = RTPROT_KERNEL, .scope = RT_SCOPE_LINK, .type = RTN_UNICAST,
			   .table = RT_TABLE_MAIN, .dev = i->dev, .has_source = true };

	r.source[0] = i->address.addr;
	r.dest[0] = (i->peer.addr ? i->peer.addr : i->address.addr) & lwip_htonl(prefix_mask4(i->prefix));
	if (interface_is_loopback(i) || (i->prefix == 32 && !i->peer.addr))
		return;
	if (add)
		(void)route_add(&r, true, false, false);
	else
		(void)route_del(&r);
}

void routes_address_gone(struct netdev *dev, u32 address)
{
	const struct interface *first = dev->inet;
	struct route *r, *next;

	list_for_each_entry_safe(r, next, &routes4, link)
		if ((r->has_source && r->source[0] == address && r->protocol != RTPROT_KERNEL) || (r->dev == dev && !first->has_address))
			route_free(r);
}

void routes_device_down(struct netdev *dev)
{
	struct route *r, *next;

	list_for_each_entry_safe(r, next, &routes4, link)
		if (r->dev == dev)
			route_free(r);
	list_for_each_entry_safe(r, next, &routes6, link)
		if (r->dev == dev)
			route_free(r);
}
