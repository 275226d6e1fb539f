/* Interfaces: lwIP's struct netif over our devices, one for each IPv4 address. */
#pragma once
#include <lwip/netif.h>
#include <net/netdev.h>

#define INTERFACE_LABEL	IFNAMSIZ

struct dgramsock;

/* lwIP keeps one IPv4 address in a netif.  A device has a first interface, which also has the IPv6 addresses, and one more for each further
 * IPv4 address.  All fields: [core lock], changed under net_config_lock as well, so that either is enough to read. */
struct interface {
	struct netif n;			/* n.state: this */
	struct netdev *dev;		/* referenced by the first interface */
	struct interface *next;		/* of all: in the order in which they are told */
	struct interface *first;	/* of the same device */
	bool has_address;
	u8 prefix;			/* bits of the netmask */
	u8 scope;			/* RT_SCOPE_* */
	u8 prefix6[LWIP_IPV6_NUM_ADDRESSES];	/* bits of each IPv6 address's network; 0: 64, of one that made itself */
	u32 address_flags;		/* IFA_F_* */
	ip4_addr_t address, peer, broadcast;	/* network order; as told, whether or not the device is up */
	u64 valid_until, preferred_until;	/* ns, TIME_NEVER */
	u64 changed_ns, created_ns;
	char label[INTERFACE_LABEL];
};

static inline struct interface *interface_of(const struct netif *n) { return (struct interface *)n->state; }
static inline bool interface_is_loopback(const struct interface *i) { return i->dev->flags & IFF_LOOPBACK; }

extern struct interface *interfaces;
#define for_each_interface(i) for (struct interface *i = interfaces; i; i = i->next)

/* interface_of_device - the first of device number ifindex, or NULL. */
struct interface *interface_of_device(u32 ifindex);
/* interface_by_address4 - whose address this is (a device that is up), or NULL; 127.0.0.0/8 is lo's. */
struct interface *interface_by_address4(ip4_addr_t a);
struct interface *interface_by_address6(const ip6_addr_t *a);
/* interface_add4 - the device's further interface for an address that is set by the caller; or its first, if that has none.  NULL: no memory,
 * or more than lwIP can count.  interface_remove4 - gives it back.  Context: both locks. */
struct interface *interface_add4(struct interface *first);
void interface_remove4(struct interface *i);
/* interface_apply4 - tell lwIP of i's address, or that it has none. */
void interface_apply4(struct interface *i);
/* interface_cuts - does the device cut segments of TCP that are larger than the wire's, of IPv6 or of IPv4?  [C] */
bool interface_cuts(const struct netif *n, bool six);
/* interface_no_echo - what goes to many is not for us too (IP_MULTICAST_LOOP).  [C] */
extern bool interface_no_echo;
/* interface_whole - the datagram that is going out must not be cut by routers; interface_sender - whose it is, if it counts against somebody's SO_SNDBUF.
 * [C], for the length of a call of lwIP. */
extern bool interface_whole;
extern struct dgramsock *interface_sender;
/* interface_segments - how many segments of the wire the one that is coming in stands for.  [C] */
extern u32 interface_segments;
/* interface_loop_input - a packet that net_loop() took comes in.  Context: core locked. */
struct packet;
void interface_loop_input(struct packet *p);
