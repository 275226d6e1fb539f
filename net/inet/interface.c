/* Interfaces: devices come, go up and down, and are lwIP's to know.  (Packets: interface_out.c, interface_in.c; addresses: address.c.) */
#include <lwip/nd6.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>
#include <net/inet/address.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/interface_internal.h>
#include <net/inet/neighbour.h>
#include <net/inet/route.h>

struct interface *interfaces;

struct interface *interface_of_device(u32 ifindex)
{
	for_each_interface(i)
		if (i->dev->index == ifindex)
			return i;
	return NULL;
}

/* lwIP's number of an interface is the device's, which makes it the scope of addresses too; further ones are counted from above. */
static bool number(struct interface *i)
{
	struct netif *n;
	u32 num = 254;

	if (i->first == i) {
		i->n.num = (u8_t)(i->dev->index - 1);
		return i->dev->index <= NETDEV_INDEX_MAX;
	}
again:
	NETIF_FOREACH(n)
		if (n != &i->n && n->num == num) {
			if (--num < 128)
				return false;
			goto again;
		}
	i->n.num = (u8_t)num;
	return true;
}

static struct interface *create(struct netdev *dev, struct interface *first)
{
	struct interface *i = kzalloc(sizeof(*i), GFP_ATOMIC), **link = &interfaces;

	if (!i)
		return NULL;
	i->dev = dev;
	i->first = first ? first : i;
	strlcpy(i->label, dev->name, sizeof(i->label));
	netif_add_noaddr(&i->n, i, interface_setup, netif_input);
	if (!number(i)) {
		netif_remove(&i->n);
		kfree(i);
		return NULL;
	}
	if (first && netif_is_up(&first->n))
		netif_set_flags(&i->n, NETIF_FLAG_UP | NETIF_FLAG_LINK_UP);
	while (*link && (*link)->dev->index <= dev->index)
		link = &(*link)->next;
	i->next = *link;
	*link = i;
	return i;
}

static void destroy(struct interface *i)
{
	struct interface **link = &interfaces;

	ip4_addr_set_zero(ip_2_ip4(&i->n.ip_addr));	/* or lwIP resets all connections of the address */
	netif_remove(&i->n);
	etharp_cleanup_netif(&i->n);
	while (*link != i)
		link = &(*link)->next;
	*link = i->next;
	kfree(i);
}

struct interface *interface_add4(struct interface *first)
{
	return first->has_address ? create(first->dev, first) : first;
}

/* The first interface stays; it takes over the address of the next. */
void interface_remove4(struct interface *i)
{
	struct interface *heir = i->next && i->next->first == i ? i->next : NULL;

	if (i->first != i) {
		destroy(i);
		return;
	}
	if (!heir) {
		i->has_address = false;
		i->address.addr = 0;
		strlcpy(i->label, i->dev->name, sizeof(i->label));
		interface_apply4(i);
		return;
	}
	i->prefix = heir->prefix;
	i->scope = heir->scope;
	i->address_flags = heir->address_flags;
	i->address = heir->address;
	i->peer = heir->peer;
	i->broadcast = heir->broadcast;
	i->valid_until = heir->valid_until;
	i->preferred_until = heir->preferred_until;
	strlcpy(i->label, heir->label, sizeof(i->label));
	destroy(heir);
	interface_apply4(i);
}

void interface_apply4(struct interface *i)
{
	u32 mask = i->has_address ? lwip_htonl(prefix_mask4(i->prefix)) : 0;

	/* Not netif_set_addr(), which resets the connections of the old address. */
	ip4_addr_set_u32(ip_2_ip4(&i->n.ip_addr), i->has_address ? i->address.addr : 0);
	ip4_addr_set_u32(ip_2_ip4(&i->n.netmask), mask);
	if (i->has_address && netif_is_up(&i->n) && (i->n.flags & NETIF_FLAG_ETHARP)) {
		net_link_used();
		etharp_gratuitous(&i->n);
	}
}

static void go_up(struct netdev *dev)
{
	struct interface *first = dev->inet;
	ip6_addr_t one;
	u64 id;

	for_each_interface(i)
		if (i->dev == dev) {
			netif_set_up(&i->n);
			if (dev->carrier)
				netif_set_link_up(&i->n);
			interface_apply4(i);
		}
	if (interface_is_loopback(first)) {
		IP6_ADDR(&one, 0, 0, 0, PP_HTONL(1));
		ip6_addr_clear_zone(&one);
		ip6_addr_copy(*ip_2_ip6(&first->n.ip6_addr[0]), one);
		first->n.ip6_addr_state[0] = IP6_ADDR_PREFERRED;
		return;
	}
	net_link_used();
	if (!dev->header_len) {
		random_bytes(&id, sizeof(id));		/* it has no number of its own to make one of */
		IP6_ADDR(&one, PP_HTONL(0xfe800000), 0, (u32)id, (u32)(id >> 32));
		ip6_addr_assign_zone(&one, IP6_UNICAST, &first->n);
		ip6_addr_copy(*ip_2_ip6(&first->n.ip6_addr[0]), one);
		first->n.ip6_addr_state[0] = IP6_ADDR_PREFERRED;
		return;
	}
	netif_create_ip6_linklocal_address(&first->n, 1);
	first->n.ip6_autoconfig_enabled = 1;
	nd6_restart_netif(&first->n);
}

/* As on Linux the IPv4 addresses stay with a device that is down, those of IPv6 do not. */
static void go_down(struct netdev *dev)
{
	struct interface *first = dev->inet;

	net_link_used();		/* its neighbours, routers and networks are forgotten */
	memset(first->prefix6, 0, sizeof(first->prefix6));
	for (s8_t k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++) {
		netif_ip6_addr_set_state(&first->n, k, IP6_ADDR_INVALID);
		ip_addr_set_zero_ip6(&first->n.ip6_addr[k]);
	}
	for_each_interface(i)
		if (i->dev == dev) {
			netif_set_down(&i->n);
			netif_set_link_down(&i->n);
		}
}

static void link_changed(struct netdev *dev)
{
	net_link_used();
	for_each_interface(i)
		if (i->dev == dev && netif_is_up(&i->n)) {
			if (dev->carrier)
				netif_set_link_up(&i->n);
			else
				netif_set_link_down(&i->n);
		}
}

static void device_changed(struct netdev *dev)
{
	for_each_interface(i)
		if (i->dev == dev) {
			i->n.mtu = (u16_t)clamp(dev->mtu, IPV4_MTU_MIN, INTERFACE_MTU_MAX);	/* lwIP's arithmetic knows no less */
			i->n.mtu6 = i->n.mtu;
			if (i->n.flags & NETIF_FLAG_ETHERNET)
				memcpy(i->n.hwaddr, dev->address, ETH_HWADDR_LEN);
		}
}

static void announce(struct netdev *dev)
{
	for_each_interface(i)
		if (i->dev == dev)
			interface_apply4(i);
}

static void forget(struct netdev *dev)
{
	struct interface *first = dev->inet;

	while (first->next && first->next->first == first)
		destroy(first->next);
	dev->inet = NULL;
	destroy(first);
	netdev_put(dev);
}

static int admit(struct netdev *dev)
{
	net_core_lock();
	dev->inet = create(dev, NULL);
	net_core_unlock();
	if (dev->inet)
		netdev_get(dev);
	return dev->inet || dev->index > NETDEV_INDEX_MAX ? 0 : -ENOMEM;
}

static void drop(struct netdev *dev)
{
	if (!dev->inet)
		return;
	net_core_lock();
	forget(dev);
	net_core_unlock();
}

static void netdev_changed(struct netdev *dev, enum netdev_event e)
{
	bool known;

	if ((e == NETDEV_UP || e == NETDEV_DOWN) && dev->header_len && !(dev->flags & IFF_LOOPBACK))
		netdev_allmulti(dev, e == NETDEV_UP ? 1 : -1);	/* lwIP's groups come and go where no filter can be set; it looks itself */
	net_core_lock();
	known = dev->inet;
	if (known)
		switch (e) {
		case NETDEV_UP: go_up(dev); break;
		case NETDEV_GOING_DOWN: routes_device_down(dev); go_down(dev); break;
		case NETDEV_CARRIER: link_changed(dev); break;
		case NETDEV_MTU: case NETDEV_ADDRESS: device_changed(dev); break;
		case NETDEV_ANNOUNCE: announce(dev); break;
		case NETDEV_UNREGISTERED: routes_device_down(dev); forget(dev); break;
		default: break;
		}
	net_core_unlock();
	if (known && e == NETDEV_UP)
		addresses_device_up(dev);
	if (known && e == NETDEV_MTU)
		addresses_mtu(dev);
}
NETDEV_LISTENER(inet, .event = netdev_changed, .admit = admit, .drop = drop);
