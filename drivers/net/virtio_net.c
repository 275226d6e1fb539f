/* virtio network devices: eth0 ...  (VIRTIO 1.2, section 5.1.)
 *
 * A device has one or several pairs of a receive and a transmit queue (as many as there are CPUs, where it offers several), each with a thread:
 * virtio_net_rx.c, virtio_net_tx.c.  What it should receive and its address are commands: virtio_net_control.c.  This file: coming,
 * going, up and down, what the device says about itself.
 *
 * While the interface is down the device has the buffers of the last time and no thread; a device never brought up has none.
 *
 * A device that is marked broken has been reset when vnet_failed() hears of it: threads and senders are stopped, everything comes back, and
 * the wire is told to be gone.  Removal under traffic is the same, by netdev_unregister(): who still holds the netdev finds `stopped`.
 *
 * A device that asks to be reset gets that from vnet_restart(), and goes on as the same interface: what it had been given to send is lost, as on a wire;
 * what is sent meanwhile waits.  It is told again how many pairs it has, its address and its filters.
 *
 * Locks: net_config_lock over open, stop, commands, failed; tx_lock of a pair; rx_lock for switching its interrupt. */
#include <drivers/net/virtio_net.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/random/random.h>
#include <linux/if_ether.h>
#include <mm/page.h>
#include <mm/slab.h>

#define RX_BUFFERS	256u
#define MEMORY_SHARE	512u		/* of all pages at most one of so many is made receive buffers, by each queue */

static struct vnet *vnet_of(struct netdev *dev) { return container_of(dev, struct vnet, dev); }

/* --- up and down; net_config_lock held */

static void pairs_stop(struct vnet *net, bool hold)
{
	for (u32 i = 0; i < net->nr_pairs; i++)
		vnet_tx_stop(&net->pairs[i], hold);
	synchronize_rcu();		/* nobody is about to tell the device of a packet */
	for (u32 i = 0; i < net->nr_pairs; i++) {
		struct vnet_pair *pair = &net->pairs[i];

		netdev_thread_stop(&pair->thread);
		timer_cancel_sync(&pair->retry);
		vnet_rx_quiet(pair);
	}
}

static int pair_start(struct vnet_pair *pair)
{
	struct vnet *net = pair->net;
	char name[TASK_COMM_LEN];

	vnet_rx_drop(pair);
	if (!vnet_rx_fill(pair))
		return -ENOMEM;
	ksnprintf(name, sizeof(name), "net/%s.%u", net->vdev->name, pair->index);
	return netdev_thread_start(&pair->thread, name, net->nr_pairs > 1 ? pair->index : ~0u);
}

static int vnet_open(struct netdev *dev)
{
	struct vnet *net = vnet_of(dev);
	int err = 0;

	if (atomic_load(&net->dead))
		return -EIO;
	for (u32 i = 0; i < net->nr_pairs && !err; i++)
		err = pair_start(&net->pairs[i]);
	if (err) {
		pairs_stop(net, false);
		return err;
	}
	for (u32 i = 0; i < net->nr_pairs; i++) {
		vnet_tx_start(&net->pairs[i]);
		netdev_thread_wake(&net->pairs[i].thread);	/* it asks for interrupts when it finds nothing */
	}
	return 0;
}

static void vnet_stop(struct netdev *dev) { pairs_stop(vnet_of(dev), false); }

static void vnet_retry(struct timer *t) { netdev_thread_wake(&container_of(t, struct vnet_pair, retry)->thread); }

static const struct netdev_ops vnet_ops = {
	.open = vnet_open, .stop = vnet_stop, .set_address = vnet_set_address, .set_filter = vnet_set_filter,
	.transmit = vnet_transmit, .reap = vnet_reap,
};

/* --- what the device is */

#define CONFIG(field) virtio_config_get(vdev, struct virtio_net_config, field)

/* Only who adds up checksums can cut segments (5.1.3.1). */
static u32 offloads(const struct virtio_device *vdev)
{
	if (!virtio_has(vdev, VIRTIO_NET_F_CSUM))
		return 0;
	return NETDEV_CSUM | (virtio_has(vdev, VIRTIO_NET_F_HOST_TSO4) ? NETDEV_TSO4 : 0) | (virtio_has(vdev, VIRTIO_NET_F_HOST_TSO6) ? NETDEV_TSO6 : 0);
}

static int read_config(struct vnet *net)
{
	struct virtio_device *vdev = net->vdev;
	struct netdev *dev = &net->dev;
	u32 mtu = virtio_has(vdev, VIRTIO_NET_F_MTU) ? CONFIG(mtu) : 0;
	bool joins = virtio_has(vdev, VIRTIO_NET_F_GUEST_TSO4) || virtio_has(vdev, VIRTIO_NET_F_GUEST_TSO6);

	if (virtio_has(vdev, VIRTIO_NET_F_MTU) && mtu < ETH_MIN_MTU) {
		pr_err("%s: an MTU of %u\n", vdev->name, mtu);
		return -EINVAL;
	}
	net->mergeable = virtio_has(vdev, VIRTIO_NET_F_MRG_RXBUF);
	net->head_len = net->mergeable || !virtio_legacy(vdev) ? sizeof(struct virtio_net_hdr_mrg_rxbuf) : sizeof(struct virtio_net_hdr);
	net->one_piece = !virtio_legacy(vdev) || virtio_has(vdev, VIRTIO_F_ANY_LAYOUT);
	net->big = !net->mergeable && (joins || mtu > ETH_DATA_LEN);
	net->one_piece |= net->mergeable;
	net->buffer_size = joins || net->big ? PAGE_SIZE : PAGE_SIZE / 2;
	net->frame_off = ALIGN_UP((u32)sizeof(struct packet) + net->head_len + ETH_HLEN, 8u) - ETH_HLEN;
	dev->max_mtu = mtu ? mtu : net->mergeable || net->big ? ETH_MAX_MTU : ETH_DATA_LEN;
	dev->mtu = mtu ? mtu : ETH_DATA_LEN;
	dev->features = offloads(vdev) | (virtio_has(vdev, VIRTIO_NET_F_GUEST_CSUM) ? NETDEV_RX_CSUM : 0) | (joins ? NETDEV_LRO : 0);
	if (virtio_has(vdev, VIRTIO_NET_F_MAC)) {
		virtio_config_read(vdev, offsetof(struct virtio_net_config, mac), dev->address, ETH_ALEN);
	} else {
		random_bytes(dev->address, ETH_ALEN);
		dev->address[0] = (u8)((dev->address[0] & 0xfc) | 2);	/* administered locally, of one */
		dev->address_kind = NETDEV_ADDRESS_RANDOM;
	}
	memcpy(dev->permanent, dev->address, ETH_ALEN);
	return 0;
}

static bool link_is_up(struct virtio_device *vdev)
{
	return !virtio_has(vdev, VIRTIO_NET_F_STATUS) || (CONFIG(status) & VIRTIO_NET_S_LINK_UP);
}

/* The queues: receive and transmit of each pair that the device has, then that of commands.  Only ours are made. */
static int make_queues(struct vnet *net, u32 offered)
{
	bool control = virtio_has(net->vdev, VIRTIO_NET_F_CTRL_VQ);
	u32 nr = control ? 2 * offered + 1 : 2 * net->nr_pairs;
	struct virtqueue_spec *specs = kcalloc(nr, sizeof(*specs), GFP_KERNEL);
	int err;

	if (!specs)
		return -ENOMEM;
	for (u32 i = 0; i < net->nr_pairs; i++) {
		u32 cpu = net->nr_pairs > 1 ? i : VIRTQUEUE_ANY_CPU;

		specs[2 * i] = (struct virtqueue_spec){ .name = "input", .done = vnet_rx_done, .cpu = cpu };
		specs[2 * i + 1] = (struct virtqueue_spec){ .name = "output", .done = vnet_tx_done, .cpu = cpu };
	}
	if (control)
		specs[2 * offered] = (struct virtqueue_spec){ .name = "control", .done = vnet_control_done, .cpu = VIRTQUEUE_ANY_CPU, .max_size = 64 };
	err = virtio_queues(net->vdev, nr, specs);
	kfree(specs);
	if (!err && control) {
		net->control.vq = net->vdev->queues[2 * offered];
		net->control.vq->driver_data = &net->control;
	}
	return err;
}

static void pair_init(struct vnet *net, u32 i)
{
	struct vnet_pair *pair = &net->pairs[i];

	pair->net = net;
	pair->index = i;
	pair->stopped = true;
	netdev_thread_init(&pair->thread, vnet_rx_work);
	timer_init(&pair->retry, vnet_retry);
	spin_lock_init(&pair->rx_lock, LC_DEVICE);
	spin_lock_init(&pair->tx_lock, LC_NET_TX);
	list_init(&pair->backlog);
	list_init(&pair->spare);
}

static void pair_connect(struct vnet *net, u32 i)
{
	struct vnet_pair *pair = &net->pairs[i];

	pair->rx = net->vdev->queues[2 * i];
	pair->tx = net->vdev->queues[2 * i + 1];
	pair->rx->driver_data = pair->tx->driver_data = pair;
	virtqueue_disable_cb(pair->rx);
	virtqueue_disable_cb(pair->tx);
}

/* A device of several pairs uses one until it is told otherwise.  net_config_lock held. */
static int tell_pairs(struct vnet *net)
{
	if (net->nr_pairs == 1)
		return 0;
	net->control.data.pairs = (u16)net->nr_pairs;
	return vnet_command(net, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, sizeof(u16));
}

/* One that refuses keeps to the first. */
static void use_pairs(struct vnet *net)
{
	int err;

	mutex_lock(&net_config_lock);
	err = tell_pairs(net);
	mutex_unlock(&net_config_lock);
	if (err) {
		pr_warn("%s: it does not use %u pairs of queues, error %d\n", net->vdev->name, net->nr_pairs, err);
		net->nr_pairs = 1;
	}
}

/* --- coming and going */

static void vnet_release(struct netdev *dev) { kfree(vnet_of(dev)); }

static struct vnet *vnet_alloc(struct virtio_device *vdev, u32 pairs)
{
	struct vnet *net = kzalloc(sizeof(*net) + pairs * sizeof(net->pairs[0]), GFP_KERNEL);

	if (!net)
		return NULL;
	net->vdev = vdev;
	net->nr_pairs = pairs;
	netdev_init_ethernet(&net->dev, &vnet_ops);
	strlcpy(net->dev.name, "eth%d", sizeof(net->dev.name));
	net->dev.release = vnet_release;
	spin_lock_init(&net->control.lock, LC_DEVICE);
	wait_queue_init(&net->control.wq);
	for (u32 i = 0; i < pairs; i++)
		pair_init(net, i);
	return net;
}

static int vnet_probe(struct virtio_device *vdev)
{
	u32 offered = virtio_has(vdev, VIRTIO_NET_F_MQ) && virtio_has(vdev, VIRTIO_NET_F_CTRL_VQ) ? CONFIG(max_virtqueue_pairs) : 1;
	struct vnet *net = vnet_alloc(vdev, clamp(offered, 1u, nr_cpus));
	int err;

	if (!net)
		return -ENOMEM;
	offered = clamp(offered, 1u, (u32)VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MAX);
	err = read_config(net);
	if (!err)
		err = make_queues(net, offered);
	if (err)
		goto err_free;
	for (u32 i = 0; i < net->nr_pairs; i++)
		pair_connect(net, i);
	if (net->pairs[0].tx->size < PACKET_PIECES + 1)
		net->dev.features &= ~(u32)(NETDEV_TSO4 | NETDEV_TSO6);		/* a large segment may need so many entries */
	net->rx_wanted = min(min(RX_BUFFERS, net->pairs[0].rx->size), max((u32)(page_nr_total() / MEMORY_SHARE), 16u));
	if (net->big)
		net->rx_wanted = max(net->rx_wanted / VNET_BIG_PAGES, 2u);
	net->dev.carrier = link_is_up(vdev);
	net->dev.carrier_told = virtio_has(vdev, VIRTIO_NET_F_STATUS);
	vdev->driver_data = net;
	virtio_ready(vdev);
	use_pairs(net);
	net->dev.nr_rx_queues = net->dev.nr_tx_queues = net->nr_pairs;
	err = netdev_register(&net->dev, &vdev->device);
	if (err)
		goto err_reset;
	return 0;
err_reset:
	virtio_reset(vdev);
err_free:
	kfree(net);
	return err;
}

static void vnet_config_changed(struct virtio_device *vdev)
{
	struct vnet *net = vdev->driver_data;

	if (virtio_has(vdev, VIRTIO_NET_F_STATUS)) {
		bool up = link_is_up(vdev);

		netdev_carrier(&net->dev, up);
		/* QEMU (7.2) takes packed rings' packets off while it has no link, and then does not ask for kicks any more: it would look never again. */
		for (u32 i = 0; i < net->nr_pairs && up; i++)
			vnet_tx_kick(&net->pairs[i]);
	}
	if (!virtio_has(vdev, VIRTIO_NET_F_GUEST_ANNOUNCE) || !(CONFIG(status) & VIRTIO_NET_S_ANNOUNCE))
		return;
	netdev_announce(&net->dev);
	mutex_lock(&net_config_lock);
	(void)vnet_command(net, VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, 0);
	mutex_unlock(&net_config_lock);
}

/* The device was reset and touches nothing any more: everything comes back. */
static void take_back(struct virtio_device *vdev)
{
	struct vnet *net = vdev->driver_data;

	for (u32 i = 0; i < net->nr_pairs; i++) {
		vnet_rx_detach(&net->pairs[i]);
		vnet_tx_detach(&net->pairs[i]);
	}
	vnet_control_detach(net);
}

static void vnet_failed(struct virtio_device *vdev)
{
	struct vnet *net = vdev->driver_data;

	atomic_store(&net->dead, true);
	wake_up_all(&net->control.wq);
	mutex_lock(&net_config_lock);
	pairs_stop(net, false);
	take_back(vdev);
	netdev_carrier_locked(&net->dev, false);
	mutex_unlock(&net_config_lock);
}

/* After a restart the device knows nothing: it is told what it did.  A command that it leaves unanswered because it asks to be reset once more (-EAGAIN)
 * comes again with that. */
static int resume(struct vnet *net)
{
	struct netdev *dev = &net->dev;
	int err = tell_pairs(net);

	if (err && err != -EAGAIN)
		return err;
	for (u32 i = 0; i < net->nr_pairs; i++) {
		vnet_rx_quiet(&net->pairs[i]);
		vnet_tx_quiet(&net->pairs[i]);
	}
	err = memcmp(dev->address, dev->permanent, ETH_ALEN) ? vnet_set_address(dev, dev->address) : 0;
	if (err)
		return err;
	vnet_set_filter(dev);
	return dev->flags & IFF_UP ? vnet_open(dev) : 0;
}

static int vnet_restart(struct virtio_device *vdev)
{
	struct vnet *net = vdev->driver_data;
	int err;

	atomic_store(&net->restarting, true);
	wake_up_all(&net->control.wq);		/* who waits for an answer holds the lock */
	mutex_lock(&net_config_lock);
	pairs_stop(net, true);
	err = virtio_restart(vdev, take_back, NULL);
	atomic_store(&net->restarting, false);
	if (!err)
		err = resume(net);
	mutex_unlock(&net_config_lock);
	return err;
}

static void vnet_remove(struct virtio_device *vdev)
{
	struct vnet *net = vdev->driver_data;

	netdev_unregister(&net->dev);
	virtio_reset(vdev);
	vnet_failed(vdev);
	netdev_put(&net->dev);
}

VIRTIO_DRIVER(net, .id = VIRTIO_ID_NET, .probe = vnet_probe, .remove = vnet_remove, .config_changed = vnet_config_changed, .failed = vnet_failed,
	      .restart = vnet_restart,
	      .features = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_MAC) |
			  BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_HOST_TSO4) |
			  BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_STATUS) |
			  BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_MQ) |
			  BIT(VIRTIO_NET_F_CTRL_MAC_ADDR));
