/* Commands to a virtio network device: what it should receive, its address, how many of its queues are used (VIRTIO 1.2, 5.1.6.5).
 *
 * One at a time, under net_config_lock; the interrupt of the queue wakes who waits.  A device that does not answer is broken, unless it asks to be
 * reset: then it is (vnet_restart), and told everything again, so that nobody else needs to repeat his command. */
#include <drivers/net/virtio_net.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/if_ether.h>

#define ANSWER_NS	(5 * NSEC_PER_SEC)

void vnet_control_done(struct virtqueue *vq)
{
	struct vnet_control *c = vq->driver_data;
	u32 len;

	spin_lock(&c->lock);
	do {
		virtqueue_disable_cb(vq);
		while (virtqueue_get(vq, &len))
			WRITE_ONCE(c->busy, false);
	} while (!virtqueue_enable_cb(vq));
	spin_unlock(&c->lock);
	wake_up_all(&c->wq);
}

static int submit(struct vnet *net, const struct virtio_buf *bufs, u32 nr_out)
{
	struct vnet_control *c = &net->control;
	bool kick = false;
	int err = -EIO;

	spin_lock_irq(&c->lock);
	if (atomic_load(&net->restarting))
		err = -EAGAIN;
	else if (!atomic_load(&net->dead) && !c->busy)	/* busy: an earlier one was given up */
		err = virtqueue_add(c->vq, bufs, nr_out, 1, c);
	if (!err) {
		c->busy = true;
		kick = virtqueue_kick_prepare(c->vq);
	}
	spin_unlock_irq(&c->lock);
	if (kick)
		virtqueue_notify(c->vq);
	return err;
}

void vnet_control_detach(struct vnet *net)
{
	struct vnet_control *c = &net->control;

	if (!c->vq)
		return;
	spin_lock_irq(&c->lock);
	(void)virtqueue_detach(c->vq);
	WRITE_ONCE(c->busy, false);
	spin_unlock_irq(&c->lock);
}

static bool given_up(struct vnet *net) { return atomic_load(&net->dead) || atomic_load(&net->restarting); }

int vnet_command(struct vnet *net, u8 class, u8 command, u32 len)
{
	struct vnet_control *c = &net->control;
	struct virtio_buf bufs[4];
	u32 n = 1, first = len;
	int err;

	if (!c->vq)
		return -EOPNOTSUPP;
	c->head = (struct virtio_net_ctrl_hdr){ class, command };
	c->answer = VIRTIO_NET_ERR;
	bufs[0] = virtio_buf(&c->head, sizeof(c->head));
	if (class == VIRTIO_NET_CTRL_MAC && command == VIRTIO_NET_CTRL_MAC_TABLE_SET)
		first = sizeof(c->data.table.nr_unicast);	/* old devices want each table in a buffer */
	if (first)
		bufs[n++] = virtio_buf(&c->data, first);
	if (len > first)
		bufs[n++] = virtio_buf((u8 *)&c->data + first, len - first);
	bufs[n] = virtio_buf(&c->answer, 1);
	err = submit(net, bufs, n);
	if (err)
		return err;
	err = wait_event_timeout(&c->wq, !READ_ONCE(c->busy) || given_up(net), clock_mono_ns() + ANSWER_NS);
	if (READ_ONCE(c->busy) && (atomic_load(&net->restarting) || virtio_asks_reset(net->vdev)))
		return -EAGAIN;
	if (err)
		virtio_break(net->vdev, "a command was not answered in time");
	if (err || READ_ONCE(c->busy))
		return -EIO;
	return READ_ONCE(c->answer) == VIRTIO_NET_OK ? 0 : -EIO;
}

void vnet_set_filter(struct netdev *dev)
{
	struct vnet *net = container_of(dev, struct vnet, dev);
	struct vnet_control *c = &net->control;
	struct netdev_multicast *m;
	bool all = dev->flags & IFF_ALLMULTI;
	u32 n = 0;

	if (!c->vq || !virtio_has(net->vdev, VIRTIO_NET_F_CTRL_RX))
		return;		/* it gives us everything */
	memset(&c->data.table, 0, sizeof(c->data.table));
	list_for_each_entry(m, &dev->multicast, link) {
		if (n == NETDEV_MULTICAST) {
			all = true;
			break;
		}
		memcpy(c->data.table.multicast[n++], m->address, ETH_ALEN);
	}
	c->data.table.nr_multicast = all ? 0 : n;
	(void)vnet_command(net, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, 8 + (all ? 0 : n * ETH_ALEN));
	c->data.on = all;
	(void)vnet_command(net, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, 1);
	c->data.on = !!(dev->flags & IFF_PROMISC);
	(void)vnet_command(net, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1);
}

int vnet_set_address(struct netdev *dev, const u8 *mac)
{
	struct vnet *net = container_of(dev, struct vnet, dev);
	int err;

	if (atomic_load(&net->dead))
		return -EIO;
	if (virtio_has(net->vdev, VIRTIO_NET_F_CTRL_MAC_ADDR)) {
		memcpy(net->control.data.mac, mac, ETH_ALEN);
		err = vnet_command(net, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, ETH_ALEN);
		return err == -EAGAIN ? 0 : err;
	}
	if (virtio_has(net->vdev, VIRTIO_NET_F_MAC) && virtio_legacy(net->vdev))
		virtio_config_write(net->vdev, offsetof(struct virtio_net_config, mac), mac, ETH_ALEN);
	return 0;
}
