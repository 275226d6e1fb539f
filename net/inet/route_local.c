/* Routes that nobody made: what an address brings besides its network (table local).
 *
 * They are not kept: packets to ourselves and to everybody are told by the addresses (lookup4, lookup6), and here the same is said in routes, for who asks
 * for them: `ip route show table local`.  Context: net_config_lock held. */
#include <kernel/lib/string.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/inet/address.h>
#include <net/inet/engine.h>
#include <net/inet/route.h>

#define LINK_METRIC	256u

struct walk { int (*tell)(const struct route *r, void *arg); void *arg; };

static int tell4(const struct walk *w, const struct interface *i, u8 type, u8 scope, u32 dest, u8 prefix, u32 source)
{
	struct route r = { .family = AF_INET, .prefix = prefix, .protocol = RTPROT_KERNEL, .scope = scope, .type = type, .table = RT_TABLE_LOCAL,
			   .has_source = true, .dest = { dest }, .source = { source }, .dev = i->dev };

	return w->tell(&r, w->arg);
}

/* What the primary of i's network has for address: that speaks for all of them. */
static u32 primary_address(const struct interface *i)
{
	u32 mask = lwip_htonl(prefix_mask4(i->prefix));

	for_each_interface(o)
		if (o->dev == i->dev && o->has_address && !(o->address_flags & IFA_F_SECONDARY) && o->prefix == i->prefix &&
		    !((o->address.addr ^ i->address.addr) & mask))
			return o->address.addr;
	return i->address.addr;
}

static int of_address4(const struct walk *w, const struct interface *i)
{
	u32 a = i->address.addr, source = primary_address(i), mask = lwip_htonl(prefix_mask4(i->prefix)), last = a | ~mask;
	int err = tell4(w, i, RTN_LOCAL, RT_SCOPE_HOST, a, 32, source);

	if (!err && interface_is_loopback(i) && i->prefix < 32)
		err = tell4(w, i, RTN_LOCAL, RT_SCOPE_HOST, a & mask, i->prefix, source);
	if ((i->address_flags & IFA_F_SECONDARY) && (i->broadcast.addr == last || !i->broadcast.addr))
		return err;
	if (!err && i->broadcast.addr && i->broadcast.addr != 0xffffffff && i->broadcast.addr != last)
		err = tell4(w, i, RTN_BROADCAST, RT_SCOPE_LINK, i->broadcast.addr, 32, source);
	if (!err && i->prefix && i->prefix < 31)
		err = tell4(w, i, RTN_BROADCAST, RT_SCOPE_LINK, last, 32, source);
	return err;
}

static int tell6(const struct walk *w, struct netdev *dev, u8 type, const u32 dest[4], u8 prefix, u32 table, u32 metric)
{
	struct route r = { .family = AF_INET6, .prefix = prefix, .protocol = RTPROT_KERNEL, .scope = RT_SCOPE_UNIVERSE, .type = type, .table = table,
			   .metric = metric, .dev = dev };

	memcpy(r.dest, dest, sizeof(r.dest));
	return w->tell(&r, w->arg);
}

static int of_device6(const struct walk *w, const struct interface *i)
{
	static const u32 link[4] = { PP_HTONL(0xfe800000u) }, many[4] = { PP_HTONL(0xff000000u) };
	bool has_link = false;
	int err = 0;

	for (int k = 0; !err && k < LWIP_IPV6_NUM_ADDRESSES; k++) {
		const ip6_addr_t *a = netif_ip6_addr(&i->n, k);

		if (ip6_addr_isinvalid(netif_ip6_addr_state(&i->n, k)))
			continue;
		has_link = has_link || ip6_addr_islinklocal(a);
		if (!ip6_addr_istentative(netif_ip6_addr_state(&i->n, k)))
			err = tell6(w, i->dev, RTN_LOCAL, a->addr, 128, RT_TABLE_LOCAL, 0);
	}
	if (!err && has_link)
		err = tell6(w, i->dev, RTN_UNICAST, link, 64, RT_TABLE_MAIN, LINK_METRIC);
	return err || interface_is_loopback(i) ? err : tell6(w, i->dev, RTN_MULTICAST, many, 8, RT_TABLE_LOCAL, LINK_METRIC);
}

int routes_of_addresses(u8 family, int (*tell)(const struct route *r, void *arg), void *arg)
{
	struct walk w = { tell, arg };
	int err = 0;

	for (struct interface *i = interfaces; i && !err; i = i->next) {
		if (!(i->dev->flags & IFF_UP))
			continue;
		if (family == AF_INET && i->has_address)
			err = of_address4(&w, i);
		else if (family == AF_INET6 && i->first == i)
			err = of_device6(&w, i);
	}
	return err;
}
