/* A DHCP client for the boot: net/inet/ipconfig.c asks it when the command line says ip=dhcp. */
#pragma once
#include <kernel/lib/types.h>

struct netdev;

#define DHCP_NAME	64u

/* What a server gave; all addresses in network order, 0: it said nothing. */
struct dhcp_lease {
	u32 address, mask, gateway, server, dns[3];
	u32 seconds;
	char host[DHCP_NAME + 1], domain[DHCP_NAME + 1];
};

/* dhcp_ask - a lease for dev, which is up.  0; -ETIMEDOUT: nobody answered (half a minute), -ENOMEM ...  Context: thread, sleeps. */
int dhcp_ask(struct netdev *dev, struct dhcp_lease *lease);
