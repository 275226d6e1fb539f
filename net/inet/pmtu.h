/* What the path to a destination carries at most, where that is less than its first link does.  Theory in pmtu.c. */
#pragma once
#include <lwip/ip_addr.h>
#include <kernel/lib/types.h>

/* pmtu_of - bytes of a packet to `to`, of which the device carries mtu.  pmtu_learn - a router said so: what is believed of it; 0: no memory.
 * Context: core locked. */
u32 pmtu_of(const ip_addr_t *to, u32 mtu);
u32 pmtu_learn(const ip_addr_t *to, u32 said);
/* pmtu_discovery - do segments of TCP forbid routers to cut them? (net.ipv4.ip_no_pmtu_disc) */
bool pmtu_discovery(void);
