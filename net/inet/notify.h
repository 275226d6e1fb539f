/* Who listens (netlink) hears of addresses and routes.  Context: net_config_lock held, not the core's. */
#pragma once
#include <lwip/ip_addr.h>
#include <kernel/lib/types.h>

struct interface;
struct netdev;
struct route;

void notify_address4(const struct interface *i, bool added);
void notify_address6(const struct netdev *dev, const ip6_addr_t *address, u8 prefix, bool added);
void notify_route(const struct route *r, bool added);
