/* RTM_*LINK: network devices by netlink (`ip link`). */
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/netdev.h>
#include <net/netlink.h>
#include <net/socket.h>

/* --- telling */

static int put_stats(struct netlink_reply *r, struct netdev *dev)
{
	struct rtnl_link_stats64 s = { 0 };
	struct rtnl_link_stats half = { 0 };
	struct netdev_stats n;
	int err;

	netdev_stats(dev, &n);
	s.rx_packets = n.rx_packets;
	s.tx_packets = n.tx_packets;
	s.rx_bytes = n.rx_bytes;
	s.tx_bytes = n.tx_bytes;
	s.rx_errors = n.rx_errors;
	s.tx_errors = n.tx_errors;
	s.rx_dropped = n.rx_dropped;
	s.tx_dropped = n.tx_dropped;
	s.multicast = n.multicast;
	s.collisions = n.collisions;
	s.rx_over_errors = n.rx_over;
	s.rx_frame_errors = n.rx_frame;
	s.tx_carrier_errors = n.tx_carrier;
	s.tx_fifo_errors = n.tx_fifo;
	err = nla_put(r, IFLA_STATS64, &s, sizeof(s));
	for (u32 i = 0; i < sizeof(half) / sizeof(u32); i++)	/* the same members, half as wide */
		((u32 *)&half)[i] = (u32)((u64 *)&s)[i];
	return err ?: nla_put(r, IFLA_STATS, &half, sizeof(half));
}

static int put_kind(struct netlink_reply *r, const struct netdev *dev)
{
	struct nlattr *nest;

	if (!dev->kind)
		return 0;
	nest = nla_nest_begin(r, IFLA_LINKINFO);
	if (!nest || nla_put_string(r, IFLA_INFO_KIND, dev->kind))
		return -EMSGSIZE;
	nla_nest_end(r, nest);
	return 0;
}

static int put_numbers(struct netlink_reply *r, const struct netdev *dev)
{
	const struct { u16 type; u32 value; } numbers[] = {
		{ IFLA_TXQLEN, dev->tx_queue_len }, { IFLA_MTU, dev->mtu }, { IFLA_MIN_MTU, dev->min_mtu }, { IFLA_MAX_MTU, dev->max_mtu },
		{ IFLA_GROUP, 0 }, { IFLA_PROMISCUITY, dev->promiscuity }, { IFLA_NUM_TX_QUEUES, dev->nr_tx_queues ? dev->nr_tx_queues : 1 },
		{ IFLA_GSO_MAX_SEGS, 65535 }, { IFLA_GSO_MAX_SIZE, 65536 }, { IFLA_NUM_RX_QUEUES, dev->nr_rx_queues ? dev->nr_rx_queues : 1 },
		{ IFLA_CARRIER_CHANGES, dev->carrier_ups + dev->carrier_downs }, { IFLA_CARRIER_UP_COUNT, dev->carrier_ups },
		{ IFLA_CARRIER_DOWN_COUNT, dev->carrier_downs },
	};

	for (u32 i = 0; i < ARRAY_SIZE(numbers); i++)
		if (nla_put_u32(r, numbers[i].type, numbers[i].value))
			return -EMSGSIZE;
	return nla_put_u8(r, IFLA_OPERSTATE, netdev_operstate(dev)) ?: nla_put_u8(r, IFLA_LINKMODE, 0) ?:
	       nla_put_u8(r, IFLA_CARRIER, (u8)dev->carrier) ?: nla_put_u8(r, IFLA_PROTO_DOWN, 0);
}

static int put_link(struct netlink_reply *r, struct netdev *dev, u16 type, u32 change)
{
	struct ifinfomsg *h = nlmsg_new(r, type, 0, sizeof(*h));
	struct rtnl_link_ifmap map = { 0 };
	const char *qdisc = dev->type == ARPHRD_LOOPBACK ? "noqueue" : dev->flags & IFF_UP ? "pfifo_fast" : "noop";
	int err;

	if (!h)
		return -EMSGSIZE;
	*h = (struct ifinfomsg){ .ifi_type = dev->type, .ifi_index = (int)dev->index, .ifi_flags = netdev_flags(dev), .ifi_change = change };
	err = nla_put_string(r, IFLA_IFNAME, dev->name);
	err = err ?: put_numbers(r, dev);
	err = err ?: nla_put_string(r, IFLA_QDISC, qdisc);
	err = err ?: nla_put(r, IFLA_MAP, &map, sizeof(map));
	if (!err && dev->address_len)
		err = nla_put(r, IFLA_ADDRESS, dev->address, dev->address_len) ?: nla_put(r, IFLA_BROADCAST, dev->broadcast, dev->address_len);
	err = err ?: put_stats(r, dev);
	err = err ?: put_kind(r, dev);
	if (err)
		nlmsg_cancel(r);
	else
		nlmsg_end(r);
	return err;
}

/* --- RTM_GETLINK */

/* The device that a request names, by index or by name: referenced; NULL: *err. */
static struct netdev *find(const struct ifinfomsg *h, const struct nlattr *table[], int *err)
{
	struct netdev *dev = NULL;
	char name[IFNAMSIZ];

	*err = 0;
	if (h->ifi_index > 0) {
		dev = netdev_by_index((u32)h->ifi_index);
	} else if (h->ifi_index < 0) {
		*err = -EINVAL;
	} else if (table[IFLA_IFNAME]) {
		*err = netlink_string(table[IFLA_IFNAME], name, sizeof(name));
		if (!*err)
			dev = netdev_by_name(name);
	} else {
		*err = -EINVAL;
	}
	if (!dev && !*err)
		*err = -ENODEV;
	return dev;
}

static int named(const struct netlink_request *rq, struct netdev **dev)
{
	const struct nlattr *table[IFLA_MAX + 1];
	int err = netlink_parse(rq, sizeof(struct ifinfomsg), table, IFLA_MAX);

	if (!err)
		*dev = find(rq->payload, table, &err);
	return err;
}

static int link_get(const struct netlink_request *rq, struct netlink_reply *reply)
{
	struct netdev *dev;
	int err = named(rq, &dev);

	if (err)
		return err;
	err = put_link(reply, dev, RTM_NEWLINK, 0);
	netdev_put(dev);
	return err;
}

/* state[0]: the index of the last that was told. */
static int link_dump(const struct netlink_request *rq, struct netlink_reply *reply, u64 state[4])
{
	struct netdev *dev = NULL;
	int err;

	(void)rq;
	while ((dev = netdev_next(dev))) {
		if (dev->index <= state[0])
			continue;
		err = put_link(reply, dev, RTM_NEWLINK, 0);
		if (err) {
			netdev_put(dev);
			return err;
		}
		state[0] = dev->index;
	}
	return 0;
}
NETLINK_HANDLER(link_get, .type = RTM_GETLINK, .header = sizeof(struct ifinfomsg), .get = link_get, .dump = link_dump);

/* --- RTM_NEWLINK, RTM_SETLINK, RTM_DELLINK */

static int set_name(struct netdev *dev, const struct nlattr *a)
{
	char name[IFNAMSIZ];
	int err = netlink_string(a, name, sizeof(name));

	return err ?: netdev_set_name(dev, name);
}

static int set_link(struct netdev *dev, const struct ifinfomsg *h, const struct nlattr *table[])
{
	u32 mask = h->ifi_change ? h->ifi_change : ~0u;
	int err = dev->gone ? -ENODEV : 0;

	if (!err && table[IFLA_ADDRESS])
		err = nla_len_of(table[IFLA_ADDRESS]) < dev->address_len ? -EINVAL : netdev_set_address(dev, nla_data_of(table[IFLA_ADDRESS]));
	if (!err && table[IFLA_MTU])
		err = netdev_set_mtu(dev, netlink_u32(table[IFLA_MTU], 0));
	if (!err && h->ifi_index > 0 && table[IFLA_IFNAME])
		err = set_name(dev, table[IFLA_IFNAME]);
	if (!err && table[IFLA_BROADCAST]) {
		err = nla_len_of(table[IFLA_BROADCAST]) < dev->address_len ? -EINVAL : 0;
		if (!err)
			memcpy(dev->broadcast, nla_data_of(table[IFLA_BROADCAST]), dev->address_len);
	}
	if (!err && (h->ifi_flags || h->ifi_change))
		err = netdev_set_flags(dev, h->ifi_flags, mask);
	if (!err && table[IFLA_TXQLEN])
		err = netdev_set_queue_len(dev, netlink_u32(table[IFLA_TXQLEN], dev->tx_queue_len));
	return err;
}

static int link_change(const struct netlink_request *rq)
{
	const struct nlattr *table[IFLA_MAX + 1];
	int err = netlink_parse(rq, sizeof(struct ifinfomsg), table, IFLA_MAX);
	u16 flags = rq->nlh->nlmsg_flags;
	struct netdev *dev;

	if (err)
		return err;
	dev = find(rq->payload, table, &err);
	if (!dev && rq->nlh->nlmsg_type == RTM_NEWLINK && (flags & NLM_F_CREATE))
		return err == -ENODEV || err == -EINVAL ? -EOPNOTSUPP : err;	/* no kind of device is made by this */
	if (!dev)
		return err;
	if (rq->nlh->nlmsg_type == RTM_NEWLINK && (flags & (NLM_F_EXCL | NLM_F_REPLACE)))
		err = flags & NLM_F_EXCL ? -EEXIST : -EOPNOTSUPP;
	else
		err = set_link(dev, rq->payload, table);
	netdev_put(dev);
	return err;
}
NETLINK_HANDLER(link_new, .type = RTM_NEWLINK, .header = sizeof(struct ifinfomsg), .change = link_change);
NETLINK_HANDLER(link_set, .type = RTM_SETLINK, .header = sizeof(struct ifinfomsg), .change = link_change);

/* Devices go with their hardware; those that a program made, by this too. */
static int link_delete(const struct netlink_request *rq)
{
	struct netdev *dev;
	int err = named(rq, &dev);

	if (err)
		return err;
	if (!dev->ops->left) {
		netdev_put(dev);
		return -EOPNOTSUPP;
	}
	netdev_unlink(dev);
	dev->ops->left(dev);
	*rq->left = dev;
	return 0;
}
NETLINK_HANDLER(link_delete, .type = RTM_DELLINK, .header = sizeof(struct ifinfomsg), .change = link_delete);

/* --- listeners */

struct news { struct netdev *dev; u16 type; u32 change; };

static int fill_news(struct netlink_reply *r, void *arg)
{
	const struct news *n = arg;

	return put_link(r, n->dev, n->type, n->change);
}

static void event(struct netdev *dev, enum netdev_event e)
{
	struct news n = { dev, e == NETDEV_UNREGISTERED ? RTM_DELLINK : RTM_NEWLINK, 0 };

	if (e == NETDEV_GOING_DOWN || e == NETDEV_ANNOUNCE)
		return;
	if (e == NETDEV_REGISTERED || e == NETDEV_UNREGISTERED)
		n.change = ~0u;
	else if (e == NETDEV_UP || e == NETDEV_DOWN)
		n.change = IFF_UP;
	netlink_notify(RTNLGRP_LINK, fill_news, &n);
}
NETDEV_LISTENER(rtnl_link, .event = event);
