/* Routes that IPv6's routers advertise.
 *
 * lwIP keeps them in tables of its own (nd6), follows them when no route of ours does (route_hook6), and ends them when their time is over.  Here they are
 * told as if they were ours: a network on the link (RTPROT_KERNEL), a router for all else (RTPROT_RA).  What came and went is found by comparing the tables
 * with what was told last, each time their timer has run: it runs for as long as there is one that ends, and for a while after the link was used, which no
 * advertisement comes without.  So listeners hear of a change within a second. */
#include <lwip/priv/nd6_priv.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/string.h>
#include <kernel/sync/mutex.h>
#include <linux/rtnetlink.h>
#include <net/inet/engine.h>
#include <net/inet/notify.h>
#include <net/inet/route.h>

#define AF_INET6		10
#define PREFIX_METRIC		256u
#define ROUTER_METRIC		1024u
#define LIFE_ENDLESS		0xffffffffu

_Static_assert(ROUTES_LEARNED >= LWIP_ND6_NUM_PREFIXES + LWIP_ND6_NUM_ROUTERS, "room for all");

static struct route told[ROUTES_LEARNED];	/* [net_config_lock] each with a reference on its device */
static u32 nr_told;				/* [net_config_lock] */
static struct route seen[ROUTES_LEARNED];	/* [C] what the work was queued for last */
static u32 nr_seen;				/* [C] */

static bool same_route(const struct route *a, const struct route *b)
{
	return a->dev == b->dev && a->prefix == b->prefix && a->metric == b->metric && a->has_gateway == b->has_gateway &&
	       !memcmp(a->dest, b->dest, sizeof(a->dest)) && !memcmp(a->gateway, b->gateway, sizeof(a->gateway));
}

/* A program's route to the same network, of the same weight, stands for both. */
static bool is_ours(const struct route *l)
{
	const struct route *r;

	list_for_each_entry(r, &routes6, link)
		if (same_route(r, l))
			return true;
	return false;
}

u32 routes_learned(struct route list[ROUTES_LEARNED])
{
	u32 n = 0;

	for (u32 i = 0; i < LWIP_ND6_NUM_PREFIXES; i++) {
		const struct nd6_prefix_list_entry *p = &prefix_list[i];

		if (!p->netif || !p->invalidation_timer)
			continue;
		list[n] = (struct route){ .family = AF_INET6, .prefix = 64, .protocol = RTPROT_KERNEL, .type = RTN_UNICAST, .table = RT_TABLE_MAIN,
					  .metric = PREFIX_METRIC, .dev = interface_of(p->netif)->dev,
					  .left_s = p->invalidation_timer == LIFE_ENDLESS ? 0 : p->invalidation_timer };
		memcpy(list[n].dest, p->prefix.addr, 8);
		n += !is_ours(&list[n]);
	}
	for (u32 i = 0; i < LWIP_ND6_NUM_ROUTERS; i++) {
		const struct nd6_router_list_entry *d = &default_router_list[i];

		if (!d->neighbor_entry || !d->neighbor_entry->netif || !d->invalidation_timer)
			continue;
		list[n] = (struct route){ .family = AF_INET6, .protocol = RTPROT_RA, .type = RTN_UNICAST, .table = RT_TABLE_MAIN, .metric = ROUTER_METRIC,
					  .has_gateway = true, .dev = interface_of(d->neighbor_entry->netif)->dev, .left_s = d->invalidation_timer };
		memcpy(list[n++].gateway, d->neighbor_entry->next_hop_address.addr, 16);
	}
	return n;
}

bool route_learned_find(const ip6_addr_t *to, const struct netdev *dev, struct route *r)
{
	struct route list[ROUTES_LEARNED];
	u32 n = routes_learned(list);

	for (u32 i = 0; i < n; i++)		/* networks come first */
		if (list[i].dev == dev && prefix_matches(list[i].dest, to->addr, list[i].prefix)) {
			*r = list[i];
			return true;
		}
	return false;
}

/* --- telling */

static bool has(const struct route *list, u32 n, const struct route *r)
{
	for (u32 i = 0; i < n; i++)
		if (same_route(&list[i], r))
			return true;
	return false;
}

static void tell(struct work *w)
{
	struct route now[ROUTES_LEARNED];
	u32 n;

	(void)w;
	mutex_lock(&net_config_lock);
	net_core_lock();
	n = routes_learned(now);
	for (u32 i = 0; i < n; i++)
		netdev_get(now[i].dev);
	net_core_unlock();
	for (u32 i = 0; i < nr_told; i++)
		if (!has(now, n, &told[i]))
			notify_route(&told[i], false);
	for (u32 i = 0; i < n; i++)
		if (!has(told, nr_told, &now[i]))
			notify_route(&now[i], true);
	for (u32 i = 0; i < nr_told; i++)
		netdev_put(told[i].dev);
	memcpy(told, now, n * sizeof(*now));
	nr_told = n;
	mutex_unlock(&net_config_lock);
}
static struct work tell_work = { .link = LIST_HEAD_INIT(tell_work.link), .fn = tell };

void routes_learned_look(void)
{
	struct route now[ROUTES_LEARNED];
	u32 n = routes_learned(now);
	bool changed = n != nr_seen;

	for (u32 i = 0; i < n && !changed; i++)
		changed = !same_route(&now[i], &seen[i]);
	if (!changed)
		return;
	memcpy(seen, now, n * sizeof(*now));
	nr_seen = n;
	work_queue(&tell_work);
}
