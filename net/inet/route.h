/* Routes: where packets go, by the longest prefix, then the least metric. */
#pragma once
#include <lwip/ip_addr.h>
#include <kernel/lib/list.h>
#include <net/inet/interface.h>

/* One route.  Both families in one structure: IPv4 uses the first word of each address.  [core lock and net_config_lock to change] */
struct route {
	struct list_head link;		/* by prefix, longest first, then metric */
	u8 family;			/* AF_INET, AF_INET6 */
	u8 prefix;			/* bits */
	u8 protocol, scope, type;	/* RTPROT_*, RT_SCOPE_*, RTN_* */
	u8 tos;
	bool has_gateway, has_source;
	u32 dest[4], gateway[4], source[4];	/* network order */
	u32 metric, table;
	u32 left_s;			/* how long one that was advertised lasts; 0: for ever */
	struct netdev *dev;		/* referenced; NULL: one that only refuses */
};

#define ROUTES_LEARNED	8u		/* what lwIP keeps of advertisements, at most */

/* What a look-up finds. */
struct route_answer {
	struct interface *i;		/* out by this one; with the source address, where it is IPv4's */
	ip_addr_t source;		/* to be told as sender */
	ip_addr_t gateway;		/* next hop: this, or the destination itself */
	const struct route *route;	/* NULL: to ourselves */
};

/* prefix_matches - are the first bits of both the same? */
bool prefix_matches(const u32 *net, const u32 *addr, u32 bits);
/* route_lookup - to `to`, from `from` (any: to be chosen), by device number ifindex only (0: any).  0, -ENETUNREACH, -EHOSTUNREACH, -EACCES,
 * -EINVAL as the route's type says; -EADDRNOTAVAIL: no source.  Context: core locked. */
int route_lookup(const ip_addr_t *to, const ip_addr_t *from, u32 ifindex, struct route_answer *a);

/* route_add - a copy of r, which fills everything but link; takes a reference on r->dev.  exclusive: -EEXIST if there is one with the same
 * destination, metric and table; replace: that one goes.  -ENOMEM.
 * route_del - the first that matches what r says (0 in protocol, metric; type; dev, gateway: any).  -ESRCH.
 * Context: net_config_lock held, not the core's. */
int route_add(const struct route *r, bool exclusive, bool replace, bool append);
int route_del(const struct route *r);
/* route_connected - the route of an address just put on an interface that is up, or taken away. */
void route_connected(struct interface *i, bool add);
/* routes_address_gone - those that speak from it go; all of IPv4's on dev, if that was its last address.  Context: both locks. */
void routes_address_gone(struct netdev *dev, u32 address);
/* routes_device_down - those of dev go.  Context: both locks. */
void routes_device_down(struct netdev *dev);
extern struct netif *route_forced;	/* [C] if set, where lwIP is told that all of IPv4 goes */
extern struct list_head routes4, routes6;	/* to be walked with either lock */
struct list_head *routes_of(u8 family);

/* routes_of_addresses - those that addresses bring without being kept (route_local.c): tell(r, arg) of each until it says other than 0, which is the answer. */
int routes_of_addresses(u8 family, int (*tell)(const struct route *r, void *arg), void *arg);

/* What IPv6's routers advertised (route_learned.c).  routes_learned - all of it, as routes without references, those of networks first: how many.
 * route_learned_find - the one by which dev reaches `to`; false: none.  routes_learned_look - listeners hear of what has changed.  Context: core locked. */
u32 routes_learned(struct route list[ROUTES_LEARNED]);
bool route_learned_find(const ip6_addr_t *to, const struct netdev *dev, struct route *r);
void routes_learned_look(void);
