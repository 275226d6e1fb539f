/* Network devices, for the files of this room. */
#pragma once
#include <net/netdev.h>

#define LOOPBACK_INDEX	1u

extern struct device_class net_class;
/* netdev_device_init - dev->device, named and placed, ready for device_add. */
void netdev_device_init(struct netdev *dev, struct device *parent, void (*release)(struct device *d));
static inline bool is_multicast_address(const u8 *mac) { return mac[0] & 1; }
