/* Interfaces: for the engine, and what their files share. */
#pragma once
#include <lwip/netif.h>

#define INTERFACE_MTU_MAX	65535u	/* what a packet's length can say */

/* interface_flush - transmit what lwIP had to say.  Context: core locked. */
void interface_flush(void);
/* interface_setup - the ways out of n by the kind of its device, and what lwIP may leave to that: netif_add's.  ERR_OK.  Context: core locked. */
err_t interface_setup(struct netif *n);
