/* Addresses of interfaces: their configuration. */
#pragma once
#include <lwip/ip_addr.h>
#include <kernel/lib/types.h>
#include <net/netdev.h>

struct interface;

/* prefix_mask4 - the netmask of that many bits, in host order; prefix_of_mask4 - bits of a mask in host order, or -1: it is none. */
static inline u32 prefix_mask4(u32 bits) { return bits ? 0xffffffffu << (32 - bits) : 0; }
static inline int prefix_of_mask4(u32 mask)
{
	u32 bits = mask ? 32 - (u32)__builtin_ctz(mask) : 0;

	return prefix_mask4(bits) == mask ? (int)bits : -1;
}

#define IPV4_MTU_MIN	68u
#define IPV6_MTU_MIN	1280u

/* What is to be known of an address; 0 and NULL: as Linux fills it in. */
struct address4 { ip4_addr_t address, peer, broadcast; u8 prefix, scope; u32 flags; const char *label; u64 valid_s, preferred_s; };
struct address6 { ip6_addr_t address; u8 prefix; u32 flags; u32 valid_s, preferred_s; };

/* All: net_config_lock held.  0; -EEXIST, -EADDRNOTAVAIL, -ENOBUFS, -EINVAL, -EOPNOTSUPP (a device of another kind). */
int address_add4(struct netdev *dev, const struct address4 *a);
int address_del4(struct netdev *dev, ip4_addr_t address, int prefix);	/* -1: any */
int address_add6(struct netdev *dev, const struct address6 *a);
int address_del6(struct netdev *dev, const ip6_addr_t *address, int prefix);
/* address_prefix6 - bits of the network of i's k-th IPv6 address. */
u8 address_prefix6(const struct interface *i, int k);
/* addresses_mtu - the device's MTU has changed: below 68 bytes there is no IPv4 on it, below 1,280 no IPv6, and its addresses go, as on Linux. */
void addresses_mtu(struct netdev *dev);
/* addresses_device_up - lo gets its own, if it has none; routes of addresses come back. */
void addresses_device_up(struct netdev *dev);
