/* Neighbours: see neighbour.h. */
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/memp.h>
#include <lwip/priv/nd6_priv.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/abi/socket.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/if_arp.h>
#include <net/inet/engine.h>
#include <net/inet/hooks.h>
#include <net/inet/interface.h>
#include <net/inet/neighbour.h>
#include <net/inet/route.h>

int neighbour_get4(struct netdev *dev, ip4_addr_t ip, struct eth_addr *mac, u32 *flags)
{
	for (size_t k = 0; k < ARP_TABLE_SIZE; k++) {
		struct eth_addr *found;
		struct netif *n;
		ip4_addr_t *at;

		if (etharp_get_entry(k, &at, &n, &found) && at->addr == ip.addr && interface_of(n)->dev == dev) {
			*mac = *found;
			*flags = ATF_COM;
			return 0;
		}
	}
	return -ENXIO;
}

int neighbour_set4(struct netdev *dev, ip4_addr_t ip, const struct eth_addr *mac)
{
	struct interface *i = dev->inet;
	struct eth_addr copy = *mac;
	err_t err;

	if (!i)
		return -EINVAL;
	route_forced = &i->n;		/* lwIP asks by which device it goes there; the program has said so */
	err = etharp_add_static_entry(&ip, &copy);
	route_forced = NULL;
	return err == ERR_OK ? 0 : -ENOBUFS;
}

int neighbour_del4(struct netdev *dev, ip4_addr_t ip)
{
	(void)dev;
	return etharp_remove_static_entry(&ip) == ERR_OK ? 0 : -ENXIO;
}

/* --- packets that wait for an address */

static bool queued;		/* [C] one has just joined those */

bool neighbour_hook_queued(const struct pbuf *p)
{
	(void)p;
	queued = true;
	return true;
}

static void drop_oldest(struct nd6_neighbor_cache_entry *e, u32 n)
{
	while (n--) {
		struct nd6_q_entry *q = e->q;

		e->q = q->next;
		pbuf_free(q->p);
		memp_free(MEMP_ND6_QUEUE, q);
	}
}

/* lwIP says neither whether it queued a packet nor for whom; but it asks by hook before it does.  Nothing may have been sent to the silent one at all (no
 * address to ask from): so whoever waits keeps the timer going, which ends it. */
err_t neighbour_output6(struct netif *n, struct pbuf *b, const ip6_addr_t *to)
{
	err_t err;

	queued = false;
	err = ethip6_output(n, b, to);
	if (likely(!queued))
		return err;
	queued = false;
	net_link_used();
	for (u32 i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
		u32 len = 0;

		for (const struct nd6_q_entry *q = neighbor_cache[i].q; q; q = q->next)
			len++;
		if (len > NEIGHBOUR_QUEUE)
			drop_oldest(&neighbor_cache[i], len - NEIGHBOUR_QUEUE);
	}
	return err;
}

/* --- /proc/net/arp */

static int arp_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_puts(s, "IP address       HW type     Flags       HW address            Mask     Device\n");
	net_core_lock();
	for (size_t k = 0; k < ARP_TABLE_SIZE; k++) {
		struct eth_addr *mac;
		struct netif *n;
		ip4_addr_t *ip;
		char text[16];

		if (!etharp_get_entry(k, &ip, &n, &mac))
			continue;
		ip4addr_ntoa_r(ip, text, sizeof(text));
		seq_printf(s, "%-16s 0x%-10x0x%-10x%02x:%02x:%02x:%02x:%02x:%02x     *        %s\n", text, 1, 2, mac->addr[0], mac->addr[1], mac->addr[2],
			   mac->addr[3], mac->addr[4], mac->addr[5], interface_of(n)->dev->name);
	}
	net_core_unlock();
	return 0;
}
PROC_FILE(net_arp, .path = "net/arp", .mode = 0444, .show = arp_show);
