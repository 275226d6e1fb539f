/* Neighbours: link addresses that ARP found.  Context: core locked. */
#pragma once
#include <lwip/etharp.h>
#include <lwip/ip6_addr.h>
#include <net/netdev.h>

#define NEIGHBOUR_QUEUE	64u	/* packets that wait for one neighbour's address, at most; newer ones drive older ones out, as on Linux */

/* 0, -ENXIO: there is none; flags: ATF_*.  set: for good, or until it has aged as one that answered. */
int neighbour_get4(struct netdev *dev, ip4_addr_t ip, struct eth_addr *mac, u32 *flags);
int neighbour_set4(struct netdev *dev, ip4_addr_t ip, const struct eth_addr *mac, bool for_good);
int neighbour_del4(struct netdev *dev, ip4_addr_t ip);
/* The same of IPv6; state: NUD_*.  neighbour_set6: -ENOBUFS, the table is full.  neighbours_keep6 - those that are there for good stay (after nd6_tmr). */
int neighbour_get6(struct netdev *dev, const u32 ip[4], struct eth_addr *mac, u8 *state);
int neighbour_set6(struct netdev *dev, const u32 ip[4], const struct eth_addr *mac, u8 state);
int neighbour_del6(struct netdev *dev, const u32 ip[4]);
void neighbours_keep6(void);
/* neighbour_nth - the n-th place of both tables: false, there is none in it.  There are NEIGHBOUR_PLACES. */
struct neighbour { u8 family, state; struct netdev *dev; u32 address[4]; struct eth_addr mac; };
#define NEIGHBOUR_PLACES	(ARP_TABLE_SIZE + LWIP_ND6_NUM_NEIGHBORS)
bool neighbour_nth(u32 n, struct neighbour *b);
/* neighbour_output6 - ethip6_output(), which leaves no more than NEIGHBOUR_QUEUE packets waiting for a neighbour. */
err_t neighbour_output6(struct netif *n, struct pbuf *b, const ip6_addr_t *to);
