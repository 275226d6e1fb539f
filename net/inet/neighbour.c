/* Neighbours: see neighbour.h.
 *
 * lwIP's tables are the truth; what it lacks is here.  ARP: an entry set by hand that may age is told to it as an answer of that neighbour.  IPv6 has no
 * entry that stays: lwIP's one is kept reachable, and ours remembers the link address, which a neighbour's word does not change. */
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
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/inet/engine.h>
#include <net/inet/hooks.h>
#include <net/inet/interface.h>
#include <net/inet/neighbour.h>
#include <net/inet/route.h>

#define ETHARP_FIXED	2	/* what our lwIP says of an entry that does not age */

static int find4(const struct netdev *dev, ip4_addr_t ip, struct eth_addr **mac)
{
	for (size_t k = 0; k < ARP_TABLE_SIZE; k++) {
		struct netif *n;
		ip4_addr_t *at;
		int kind = etharp_get_entry(k, &at, &n, mac);

		if (kind && at->addr == ip.addr && interface_of(n)->dev == dev)
			return kind;
	}
	return 0;
}

int neighbour_get4(struct netdev *dev, ip4_addr_t ip, struct eth_addr *mac, u32 *flags)
{
	struct eth_addr *found;
	int kind = find4(dev, ip, &found);

	if (!kind)
		return -ENXIO;
	*mac = *found;
	*flags = ATF_COM | (kind == ETHARP_FIXED ? ATF_PERM : 0);
	return 0;
}

/* As if ip had answered. */
static int answer4(struct interface *i, ip4_addr_t ip, const struct eth_addr *mac)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, SIZEOF_ETHARP_HDR, PBUF_RAM);
	struct etharp_hdr *h = p ? p->payload : NULL;
	struct eth_addr *known;

	if (!h)
		return -ENOBUFS;
	*h = (struct etharp_hdr){ .hwtype = PP_HTONS(ARPHRD_ETHER), .proto = PP_HTONS(ETHTYPE_IP), .hwlen = ETH_HWADDR_LEN, .protolen = 4,
				  .opcode = PP_HTONS(ARP_REPLY), .shwaddr = *mac };
	memcpy(&h->sipaddr, &ip, 4);
	memcpy(&h->dipaddr, netif_ip4_addr(&i->n), 4);
	etharp_input(p, &i->n);
	net_link_used();
	return find4(i->dev, ip, &known) ? 0 : -EINVAL;		/* the device has no address, or ip is nobody's */
}

int neighbour_set4(struct netdev *dev, ip4_addr_t ip, const struct eth_addr *mac, bool for_good)
{
	struct interface *i = dev->inet;
	struct eth_addr copy = *mac;
	err_t err;

	if (!i)
		return -EINVAL;
	(void)etharp_remove_static_entry(&ip);
	if (!for_good)
		return answer4(i, ip, mac);
	route_forced = &i->n;		/* lwIP asks by which device it goes there; the program has said so */
	err = etharp_add_static_entry(&ip, &copy);
	route_forced = NULL;
	return err == ERR_OK ? 0 : -ENOBUFS;
}

/* lwIP gives up fixed ones only: the entry becomes one before. */
int neighbour_del4(struct netdev *dev, ip4_addr_t ip)
{
	struct eth_addr *found, mac;
	int kind = find4(dev, ip, &found);

	if (!kind)
		return -ENXIO;
	mac = *found;
	if (kind != ETHARP_FIXED)
		(void)neighbour_set4(dev, ip, &mac, true);
	return etharp_remove_static_entry(&ip) == ERR_OK ? 0 : -ENXIO;
}

/* --- IPv6 */

static struct { ip6_addr_t address; struct eth_addr mac; const struct netif *at; } fixed[LWIP_ND6_NUM_NEIGHBORS];	/* [C] at: NULL: not fixed */

static bool is_fixed(u32 k)
{
	const struct nd6_neighbor_cache_entry *e = &neighbor_cache[k];

	return fixed[k].at && e->state != ND6_NO_ENTRY && e->netif == fixed[k].at && ip6_addr_cmp(&e->next_hop_address, &fixed[k].address);
}

static u8 state_of(u32 k)
{
	static const u8 states[] = { [ND6_NO_ENTRY] = NUD_NONE, [ND6_INCOMPLETE] = NUD_INCOMPLETE, [ND6_REACHABLE] = NUD_REACHABLE, [ND6_STALE] = NUD_STALE,
				     [ND6_DELAY] = NUD_DELAY, [ND6_PROBE] = NUD_PROBE };

	return is_fixed(k) ? NUD_PERMANENT : states[neighbor_cache[k].state];
}

static int find6(const struct netdev *dev, const u32 ip[4])
{
	for (int k = 0; k < LWIP_ND6_NUM_NEIGHBORS; k++) {
		const struct nd6_neighbor_cache_entry *e = &neighbor_cache[k];

		if (e->state != ND6_NO_ENTRY && e->netif && interface_of(e->netif)->dev == dev && !memcmp(e->next_hop_address.addr, ip, 16))
			return k;
	}
	return -1;
}

int neighbour_get6(struct netdev *dev, const u32 ip[4], struct eth_addr *mac, u8 *state)
{
	int k = find6(dev, ip);

	if (k < 0)
		return -ENXIO;
	memcpy(mac->addr, neighbor_cache[k].lladdr, sizeof(mac->addr));
	*state = state_of((u32)k);
	return 0;
}

static void keep(u32 k)
{
	neighbor_cache[k].state = ND6_REACHABLE;
	neighbor_cache[k].counter.reachable_time = 0xffffffffu;
	memcpy(neighbor_cache[k].lladdr, fixed[k].mac.addr, sizeof(fixed[k].mac.addr));
}

void neighbours_keep6(void)
{
	for (u32 k = 0; k < LWIP_ND6_NUM_NEIGHBORS; k++) {
		if (is_fixed(k))
			keep(k);
		else
			fixed[k].at = NULL;
	}
}

int neighbour_set6(struct netdev *dev, const u32 ip[4], const struct eth_addr *mac, u8 state)
{
	struct nd6_neighbor_cache_entry *e;
	int k = find6(dev, ip);

	if (!dev->inet)
		return -EINVAL;
	for (int free = 0; k < 0 && free < LWIP_ND6_NUM_NEIGHBORS; free++)
		if (neighbor_cache[free].state == ND6_NO_ENTRY)
			k = free;
	if (k < 0)
		return -ENOBUFS;
	e = &neighbor_cache[k];
	e->netif = &((struct interface *)dev->inet)->n;
	memcpy(e->next_hop_address.addr, ip, 16);
	ip6_addr_clear_zone(&e->next_hop_address);
	ip6_addr_assign_zone(&e->next_hop_address, IP6_UNICAST, e->netif);
	memcpy(e->lladdr, mac->addr, sizeof(mac->addr));
	fixed[k].at = state == NUD_PERMANENT || state == NUD_NOARP ? e->netif : NULL;
	fixed[k].address = e->next_hop_address;
	fixed[k].mac = *mac;
	e->state = state == NUD_STALE ? ND6_STALE : ND6_REACHABLE;
	if (fixed[k].at)
		keep((u32)k);
	else if (state == NUD_STALE)
		e->counter.stale_time = 0;
	else
		e->counter.reachable_time = reachable_time;
	net_link_used();	/* the timer looks, and sends what waited for it */
	return 0;
}

static void drop_oldest(struct nd6_neighbor_cache_entry *e, u32 n)
{
	while (n-- && e->q) {
		struct nd6_q_entry *q = e->q;

		e->q = q->next;
		pbuf_free(q->p);
		memp_free(MEMP_ND6_QUEUE, q);
	}
}

int neighbour_del6(struct netdev *dev, const u32 ip[4])
{
	int k = find6(dev, ip);

	if (k < 0)
		return -ENXIO;
	fixed[k].at = NULL;
	if (neighbor_cache[k].isrouter)
		return -EBUSY;		/* lwIP's list of routers points there */
	drop_oldest(&neighbor_cache[k], 0xffffffffu);
	memset(&neighbor_cache[k], 0, sizeof(neighbor_cache[k]));
	return 0;
}

bool neighbour_nth(u32 n, struct neighbour *b)
{
	const struct nd6_neighbor_cache_entry *e;
	struct eth_addr *mac;
	struct netif *at;
	ip4_addr_t *ip;

	memset(b, 0, sizeof(*b));
	if (n < ARP_TABLE_SIZE) {
		int kind = etharp_get_entry(n, &ip, &at, &mac);

		if (kind)
			*b = (struct neighbour){ .family = AF_INET, .state = kind == ETHARP_FIXED ? NUD_PERMANENT : NUD_REACHABLE, .dev = interface_of(at)->dev,
						 .address = { ip->addr }, .mac = *mac };
		return kind;
	}
	e = &neighbor_cache[n - ARP_TABLE_SIZE];
	if (e->state == ND6_NO_ENTRY || !e->netif)
		return false;
	*b = (struct neighbour){ .family = AF_INET6, .state = state_of(n - ARP_TABLE_SIZE), .dev = interface_of(e->netif)->dev };
	memcpy(b->address, e->next_hop_address.addr, 16);
	memcpy(b->mac.addr, e->lladdr, sizeof(b->mac.addr));
	return true;
}

/* --- packets that wait for an address */

static bool queued;		/* [C] one has just joined those */

bool neighbour_hook_queued(const struct pbuf *p)
{
	(void)p;
	queued = true;
	return true;
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
		int kind = etharp_get_entry(k, &ip, &n, &mac);

		if (!kind)
			continue;
		ip4addr_ntoa_r(ip, text, sizeof(text));
		seq_printf(s, "%-16s 0x%-10x0x%-10x%02x:%02x:%02x:%02x:%02x:%02x     *        %s\n", text, 1,
			   kind == ETHARP_FIXED ? ATF_COM | ATF_PERM : ATF_COM, mac->addr[0], mac->addr[1], mac->addr[2],
			   mac->addr[3], mac->addr[4], mac->addr[5], interface_of(n)->dev->name);
	}
	net_core_unlock();
	return 0;
}
PROC_FILE(net_arp, .path = "net/arp", .mode = 0444, .show = arp_show);
