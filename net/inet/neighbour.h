/* Neighbours: link addresses that ARP found.  Context: core locked. */
#pragma once
#include <lwip/etharp.h>
#include <lwip/ip6_addr.h>
#include <net/netdev.h>

#define NEIGHBOUR_QUEUE	64u	/* packets that wait for one neighbour's address, at most; newer ones drive older ones out, as on Linux */

/* 0, -ENXIO: there is none; flags: ATF_*.  set: for good. */
int neighbour_get4(struct netdev *dev, ip4_addr_t ip, struct eth_addr *mac, u32 *flags);
int neighbour_set4(struct netdev *dev, ip4_addr_t ip, const struct eth_addr *mac);
int neighbour_del4(struct netdev *dev, ip4_addr_t ip);
/* neighbour_output6 - ethip6_output(), which leaves no more than NEIGHBOUR_QUEUE packets waiting for a neighbour. */
err_t neighbour_output6(struct netif *n, struct pbuf *b, const ip6_addr_t *to);
