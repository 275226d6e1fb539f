/* Addresses of interfaces.
 *
 * IPv4: one interface for each (interface.h).  Secondaries, in Linux's sense, are those of a network that an earlier address of the device
 * is in.  IPv6: lwIP's table in the device's first interface.  lwIP believes that the network of an address without a lifetime has 64 bits; so ours live for
 * ever instead, which it takes for addresses without a network, and a route of our own says what is on the link. */
#include <lwip/nd6.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/sync/wait.h>
#include <kernel/time/time.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/inet/address.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/notify.h>
#include <net/inet/route.h>

struct interface *interface_by_address4(ip4_addr_t a)
{
	struct interface *lo = loopback_dev ? loopback_dev->inet : NULL;

	if ((lwip_ntohl(a.addr) >> 24) == 127)
		return lo && lo->has_address && netif_is_up(&lo->n) ? lo : NULL;
	for_each_interface(i)
		if (i->has_address && i->address.addr == a.addr && netif_is_up(&i->n))
			return i;
	return NULL;
}

struct interface *interface_by_address6(const ip6_addr_t *a)
{
	for_each_interface(i)
		if (i->first == i && netif_is_up(&i->n))
			for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++)
				if (ip6_addr_isvalid(netif_ip6_addr_state(&i->n, k)) && ip6_addr_cmp_zoneless(netif_ip6_addr(&i->n, k), a) &&
				    (!ip6_addr_has_zone(a) || ip6_addr_zone(a) == i->dev->index))
					return i;
	return NULL;
}

static struct interface *find4(const struct netdev *dev, ip4_addr_t a, int prefix)
{
	for_each_interface(i)
		if (i->dev == dev && i->has_address && i->address.addr == a.addr && (prefix < 0 || i->prefix == prefix))
			return i;
	return NULL;
}

static bool is_secondary(const struct netdev *dev, const struct address4 *a)
{
	u32 mask = lwip_htonl(prefix_mask4(a->prefix));

	for_each_interface(i)
		if (i->dev == dev && i->has_address && i->prefix == a->prefix && !((i->address.addr ^ a->address.addr) & mask))
			return true;
	return false;
}

static u64 lifetime(u64 seconds)
{
	return seconds && seconds != 0xffffffff ? clock_mono_ns() + seconds * NSEC_PER_SEC : TIME_NEVER;
}

int address_add4(struct netdev *dev, const struct address4 *a)
{
	struct interface *i = NULL;
	int err = 0;

	if (a->prefix > 32 || !a->address.addr)
		return -EINVAL;
	net_core_lock();
	if (!dev->inet)
		err = -EOPNOTSUPP;
	else if (dev->mtu < IPV4_MTU_MIN)
		err = -ENOBUFS;
	else if (find4(dev, a->address, a->prefix))
		err = -EEXIST;
	else if (!(i = interface_add4(dev->inet)))
		err = -ENOBUFS;
	if (!err) {
		i->address_flags = a->flags | IFA_F_PERMANENT | (is_secondary(dev, a) ? IFA_F_SECONDARY : 0);
		i->has_address = true;
		i->address = a->address;
		i->peer = a->peer;
		i->broadcast = a->broadcast;
		i->prefix = a->prefix;
		i->scope = a->scope;
		i->valid_until = lifetime(a->valid_s);
		i->preferred_until = lifetime(a->preferred_s);
		if (i->valid_until != TIME_NEVER)
			i->address_flags &= ~(u32)IFA_F_PERMANENT;
		i->created_ns = i->changed_ns = clock_mono_ns();
		if (a->label)
			strlcpy(i->label, a->label, sizeof(i->label));
		interface_apply4(i);
	}
	net_core_unlock();
	if (err)
		return err;
	notify_address4(i, true);
	if (dev->flags & IFF_UP)
		route_connected(i, true);
	return 0;
}

/* A secondary of the network of a primary; NULL: there is none. */
static struct interface *secondary_of(const struct interface *primary)
{
	u32 mask = lwip_htonl(prefix_mask4(primary->prefix));

	for_each_interface(i)
		if (i->dev == primary->dev && i->has_address && (i->address_flags & IFA_F_SECONDARY) && i->prefix == primary->prefix &&
		    !((i->address.addr ^ primary->address.addr) & mask))
			return i;
	return NULL;
}

/* With a primary its secondaries go, as on Linux where promote_secondaries is 0. */
int address_del4(struct netdev *dev, ip4_addr_t address, int prefix)
{
	struct interface *i = dev->inet ? find4(dev, address, prefix) : NULL, *other, was;

	while (i && !(i->address_flags & IFA_F_SECONDARY) && (other = secondary_of(i)))
		(void)address_del4(dev, other->address, other->prefix);
	net_core_lock();
	i = dev->inet ? find4(dev, address, prefix) : NULL;
	if (i) {
		was = *i;
		interface_remove4(i);
		routes_address_gone(dev, was.address.addr);
	}
	net_core_unlock();
	if (!i)
		return -EADDRNOTAVAIL;
	route_connected(&was, false);
	notify_address4(&was, false);
	return 0;
}

u8 address_prefix6(const struct interface *i, int k)
{
	return i->prefix6[k] ? i->prefix6[k] : ip6_addr_isloopback(netif_ip6_addr(&i->n, k)) ? 128 : 64;
}

/* What is on the link with an address.  net_config_lock held. */
static void connected6(struct netdev *dev, const ip6_addr_t *a, u8 prefix, bool add)
{
	struct route r = { .family = AF_INET6, .prefix = prefix, .protocol = RTPROT_KERNEL, .scope = RT_SCOPE_UNIVERSE, .type = RTN_UNICAST,
			   .table = RT_TABLE_MAIN, .metric = 256, .dev = dev };

	if (prefix == 128 || (dev->flags & IFF_LOOPBACK) || ip6_addr_islinklocal(a))
		return;
	for (u32 k = 0; k < 4; k++)
		r.dest[k] = a->addr[k] & lwip_htonl(prefix_mask4((u32)clamp((s32)prefix - (s32)k * 32, 0, 32)));
	if (add)
		(void)route_add(&r, true, false, false);
	else
		(void)route_del(&r);
}

static int find6(const struct interface *i, const ip6_addr_t *a)
{
	for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++)
		if (!ip6_addr_isinvalid(netif_ip6_addr_state(&i->n, k)) && ip6_addr_cmp_zoneless(netif_ip6_addr(&i->n, k), a))
			return k;
	return -1;
}

int address_add6(struct netdev *dev, const struct address6 *a)
{
	struct interface *i;
	ip6_addr_t zoned = a->address;
	s8_t at = -1;
	int err = 0;

	if (!a->prefix || a->prefix > 128 || ip6_addr_isany(&zoned) || ip6_addr_ismulticast(&zoned))
		return -EINVAL;
	net_core_lock();
	i = dev->inet;
	if (!i)
		err = -EOPNOTSUPP;
	else if (!(dev->flags & IFF_UP))
		err = -EACCES;
	else if (dev->mtu < IPV6_MTU_MIN)
		err = -EINVAL;
	else if (find6(i, &zoned) >= 0)
		err = -EEXIST;
	if (!err) {
		ip6_addr_assign_zone(&zoned, IP6_UNICAST, &i->n);
		if (netif_add_ip6_address(&i->n, &zoned, &at) != ERR_OK) {
			err = -ENOBUFS;
		} else {
			i->prefix6[at] = a->prefix;
			net_link_used();	/* it is looked for elsewhere, and may not last */
			netif_ip6_addr_set_valid_life(&i->n, at, a->valid_s ? a->valid_s : IP6_ADDR_LIFE_INFINITE);
			netif_ip6_addr_set_pref_life(&i->n, at, a->preferred_s ? a->preferred_s : IP6_ADDR_LIFE_INFINITE);
			if (a->flags & IFA_F_NODAD || !(i->n.flags & NETIF_FLAG_ETHERNET))
				netif_ip6_addr_set_state(&i->n, at, IP6_ADDR_PREFERRED);
		}
	}
	net_core_unlock();
	if (err)
		return err;
	notify_address6(dev, &a->address, a->prefix, true);
	if (!(a->flags & IFA_F_NOPREFIXROUTE))
		connected6(dev, &a->address, a->prefix, true);
	return 0;
}

/* Is another of i's addresses in the same network? */
static bool network_has_others(const struct interface *i, const ip6_addr_t *a, u8 bits)
{
	for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++)
		if (!ip6_addr_isinvalid(netif_ip6_addr_state(&i->n, k)) && address_prefix6(i, k) == bits &&
		    prefix_matches(netif_ip6_addr(&i->n, k)->addr, a->addr, bits))
			return true;
	return false;
}

int address_del6(struct netdev *dev, const ip6_addr_t *address, int prefix)
{
	struct interface *i;
	bool shared = false;
	u8 bits = 0;
	int k = -1;

	net_core_lock();
	i = dev->inet;
	if (i)
		k = find6(i, address);
	if (k >= 0 && prefix >= 0 && prefix != address_prefix6(i, k))
		k = -1;
	if (k >= 0) {
		bits = address_prefix6(i, k);
		i->prefix6[k] = 0;
		netif_ip6_addr_set_state(&i->n, (s8_t)k, IP6_ADDR_INVALID);
		ip_addr_set_zero_ip6(&i->n.ip6_addr[k]);
		shared = network_has_others(i, address, bits);
	}
	net_core_unlock();
	if (k >= 0) {
		notify_address6(dev, address, bits, false);
		if (!shared)
			connected6(dev, address, bits, false);
	}
	return k < 0 ? -EADDRNOTAVAIL : 0;
}

void addresses_mtu(struct netdev *dev)
{
	struct interface *i = dev->inet;
	ip6_addr_t a;

	while (dev->mtu < IPV4_MTU_MIN && i->has_address)
		(void)address_del4(dev, i->address, i->prefix);
	for (int k = 0; dev->mtu < IPV6_MTU_MIN && k < LWIP_IPV6_NUM_ADDRESSES; k++)
		if (!ip6_addr_isinvalid(netif_ip6_addr_state(&i->n, k))) {
			ip6_addr_copy(a, *netif_ip6_addr(&i->n, k));
			(void)address_del6(dev, &a, -1);
		}
}

void addresses_device_up(struct netdev *dev)
{
	struct interface *first = dev->inet;

	if (interface_is_loopback(first) && !first->has_address) {
		struct address4 own = { .prefix = 8, .scope = RT_SCOPE_HOST };

		IP4_ADDR(&own.address, 127, 0, 0, 1);
		(void)address_add4(dev, &own);
	}
	for_each_interface(i)
		if (i->dev == dev && i->has_address)
			route_connected(i, true);
}
