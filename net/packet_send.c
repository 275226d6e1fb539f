/* Frames that packet sockets send.
 *
 * A frame is one allocation with its bytes; while a device has it, it counts against SO_SNDBUF.  Devices give packets back lazily, so who waits
 * for room says so (netdev_reap). */
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/eventpoll.h>
#include <linux/if_ether.h>
#include <mm/slab.h>
#include <net/packet_socket_internal.h>

#define VLAN_LEN	4u

static void sent(struct packet *p)
{
	struct packet_sock *ps = p->owner;

	atomic_sub(&ps->sending, p->len + PACKET_COST);
	socket_wake(&ps->s, EPOLLOUT | EPOLLWRNORM);
	packet_sock_put(ps);
	kfree(p);
}

/* Where to, of what protocol, by which device (referenced). */
static int destination(struct packet_sock *ps, const struct message *m, struct sockaddr_ll *to, struct netdev **dev)
{
	const u32 fixed = offsetof(struct sockaddr_ll, sll_addr);

	memset(to, 0, sizeof(*to));
	to->sll_protocol = READ_ONCE(ps->protocol);
	to->sll_ifindex = READ_ONCE(ps->ifindex);
	if (m->name) {
		if (m->name_len < sizeof(*to))
			return -EINVAL;
		memcpy(to, m->name, sizeof(*to));
		if (m->name_len < to->sll_halen + fixed)
			return -EINVAL;
	}
	*dev = to->sll_ifindex > 0 ? netdev_by_index((u32)to->sll_ifindex) : NULL;
	if (!*dev)
		return -ENXIO;
	if (!(atomic_load(&(*dev)->flags) & IFF_UP)) {
		netdev_put(*dev);
		return -ENETDOWN;
	}
	return 0;
}

/* The device's header of a datagram; there is no address to send to without a name. */
static int put_header(const struct netdev *dev, const struct sockaddr_ll *to, bool named, u8 *header)
{
	if (!dev->header_len)
		return 0;
	if (!named && !(dev->flags & IFF_LOOPBACK))
		return -EINVAL;
	memcpy(header, to->sll_addr, ETH_ALEN);
	memcpy(header + ETH_ALEN, dev->address, ETH_ALEN);
	memcpy(header + 2 * ETH_ALEN, &to->sll_protocol, 2);
	return 0;
}

static int read_vnet(struct packet_sock *ps, struct message *m, struct virtio_net_hdr *h)
{
	memset(h, 0, sizeof(*h));
	if (!packet_option(ps, PACKET_VNET_HDR))
		return 0;
	if (m->iter->count < sizeof(*h))
		return -EINVAL;
	return copy_from_iter(h, sizeof(*h), m->iter) == sizeof(*h) ? 0 : -EFAULT;
}

/* The frame with its bytes, header and offloads. */
static int make_frame(struct packet_sock *ps, struct message *m, const struct netdev *dev, const struct sockaddr_ll *to,
		      const struct virtio_net_hdr *vnet, struct packet **out)
{
	u32 head = ps->s.type == SOCK_DGRAM ? dev->header_len : 0, len = (u32)m->iter->count, extra = ps->s.type == SOCK_DGRAM ? 0 : dev->header_len + VLAN_LEN;
	struct packet *p;
	u8 *data;
	int err;

	if (vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE && len > atomic_load(&dev->mtu) + extra)
		return -EMSGSIZE;
	if (!head && len < dev->header_len)
		return -EINVAL;
	p = packet_alloc(head + len);
	if (!p)
		return -ENOBUFS;
	data = p->piece[0].data;
	packet_set_len(p, head + len);
	err = copy_from_iter(data + head, len, m->iter) == len ? 0 : -EFAULT;
	if (!err && head)
		err = put_header(dev, to, m->name != NULL, data);
	if (!err && !packet_set_offloads(p, vnet))
		err = -EINVAL;
	if (err)
		packet_put(p);
	else
		*out = p;
	return err;
}

static bool room(const struct packet_sock *ps) { return atomic_load(&ps->sending) < (u32)atomic_load(&ps->s.send_max); }

static int wait_room(struct packet_sock *ps, struct netdev *dev, const struct message *m)
{
	u64 deadline = socket_deadline(&ps->s, m->flags, true);
	int err = 0;

	while (!room(ps) && !err) {
		netdev_reap(dev, true);
		if (!room(ps))
			err = deadline ? socket_wait_event(&ps->s, EPOLLOUT, room(ps) || atomic_load(&ps->s.error), deadline) : -EAGAIN;
		if (!err)
			err = socket_take_error(&ps->s);
	}
	return socket_wait_error(&ps->s, err, true);
}

ssize_t packet_send(struct socket *s, struct message *m)
{
	struct packet_sock *ps = packet_sock_of(s);
	ssize_t len = (ssize_t)m->iter->count;
	struct virtio_net_hdr vnet;
	struct sockaddr_ll to;
	struct netdev *dev;
	struct packet *p = NULL;
	LIST_HEAD(list);
	int err;

	if (m->iter->count > 0x20000)
		return -EMSGSIZE;
	err = destination(ps, m, &to, &dev);
	if (err)
		return err;
	err = socket_take_error(s);
	if (!err)
		err = read_vnet(ps, m, &vnet);
	if (!err)
		err = wait_room(ps, dev, m);
	if (!err)
		err = make_frame(ps, m, dev, &to, &vnet, &p);
	if (!err) {
		p->dev = dev;
		p->free = sent;
		p->owner = ps;
		refcount_inc(&ps->refs);
		atomic_add(&ps->sending, p->len + PACKET_COST);
		list_add(&p->link, &list);
		netdev_transmit(dev, &list);
		loopback_run();
	}
	netdev_put(dev);
	return err ? err : len;
}
