/* ioctls on sockets about network devices: what net/netdev_ioctl.c handles for every family, and what it asks the address families. */
#pragma once
#include <kernel/abi/socket.h>
#include <linux/if.h>

struct netdev;
struct socket;

/* One line in the family that knows addresses (net/inet). */
struct net_ioctls {
	/* ifconf - the n-th address of dev as SIOCGIFCONF tells it: out->ifr_name (the device's, or an alias) and ifr_addr.  False: no more.
	 * Context: thread, net_config_lock held. */
	bool (*ifconf)(struct netdev *dev, u32 n, struct ifreq *out);
	/* ioctl - of addresses and routes (SIOCGIFADDR, SIOCADDRT ...) on a socket of a family without its own, AF_PACKET; -ENOIOCTLCMD. */
	long (*ioctl)(struct socket *s, u32 cmd, u64 arg);
};
#define NET_IOCTLS(ident, ...) \
	static const struct net_ioctls __net_ioctls_##ident __used __aligned(8) __section(".net_ioctls") = { __VA_ARGS__ }
extern const struct net_ioctls __net_ioctls_start[], __net_ioctls_end[];

/* net_address_ioctl - by those lines. */
long net_address_ioctl(struct socket *s, u32 cmd, u64 arg);
