/* Neighbours: link addresses that ARP found.  Context: core locked. */
#pragma once
#include <lwip/etharp.h>
#include <net/netdev.h>

/* 0, -ENXIO: there is none; flags: ATF_*.  set: for good. */
int neighbour_get4(struct netdev *dev, ip4_addr_t ip, struct eth_addr *mac, u32 *flags);
int neighbour_set4(struct netdev *dev, ip4_addr_t ip, const struct eth_addr *mac);
int neighbour_del4(struct netdev *dev, ip4_addr_t ip);
