/* Sending by a virtio network device.
 *
 * A packet is the device's from virtqueue_add() until it comes back.  The device is not asked to tell of each: what came back is freed before
 * the next is sent, when the queue's thread runs (an answer has come), or when somebody asks (vnet_reap).  An interrupt is asked for only when
 * the ring is full or somebody waits; then the thread serves the queue.  What does not fit in the ring waits in a list of tx_queue_len
 * packets; more are dropped.
 *
 * The lock is taken by threads only; the interrupt touches nothing but the thread.  Packets are freed, and the device is told, outside of
 * it.  Telling it is under RCU, so that vnet_tx_stop() can wait for those who are about to. */
#include <drivers/net/virtio_net.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>

static struct vnet_pair *pair_here(struct vnet *net)
{
	return &net->pairs[net->nr_pairs > 1 ? smp_cpu_id() % net->nr_pairs : 0];
}

/* A GSO packet that the device cannot cut does not come here: net/inet looks at dev->features.  A program's may. */
static bool can_send(const struct vnet *net, struct packet *p)
{
	u8 type = p->gso_type & (u8)~VIRTIO_NET_HDR_GSO_ECN;

	if (p->gso_size && !(type == VIRTIO_NET_HDR_GSO_TCPV4 && (net->dev.features & NETDEV_TSO4)) &&
	    !(type == VIRTIO_NET_HDR_GSO_TCPV6 && (net->dev.features & NETDEV_TSO6)))
		return false;
	return p->checksum != PACKET_SUM_PARTIAL || (net->dev.features & NETDEV_CSUM) || packet_sum(p);
}

static void write_header(const struct vnet *net, struct packet *p, void *to)
{
	struct virtio_net_hdr h = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };

	if (p->checksum == PACKET_SUM_PARTIAL) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = p->csum_start;
		h.csum_offset = p->csum_offset;
	}
	if (p->gso_size) {
		h.gso_type = p->gso_type;
		h.gso_size = p->gso_size;
		h.hdr_len = p->gso_header;
	}
	memset(to, 0, net->head_len);
	memcpy(to, &h, sizeof(h));
}

/* The header stands at the end of the packet's area: a packet whose bytes follow its structure needs one buffer for both. */
static int add(struct vnet_pair *pair, struct packet *p)
{
	struct vnet *net = pair->net;
	struct virtio_buf bufs[PACKET_PIECES + 1];
	void *head = (u8 *)(p + 1) - net->head_len;
	u32 n = 0;

	write_header(net, p, head);
	bufs[n++] = virtio_buf(head, net->head_len);
	for (u32 i = 0; i < p->nr_pieces; i++) {
		if (net->one_piece && n == 1 && p->piece[i].data == p + 1)
			bufs[0].len += p->piece[i].len;
		else if (p->piece[i].len)
			bufs[n++] = virtio_buf(p->piece[i].data, p->piece[i].len);
	}
	return virtqueue_add(pair->tx, bufs, n, 0, p);
}

/* Those that came back, into done. */
static void collect(struct vnet_pair *pair, struct list_head *done)
{
	struct packet *p;
	u32 len;

	while ((p = virtqueue_get(pair->tx, &len)))
		list_add_tail(&p->link, done);
}

/* From the list into the ring as many as fit, or can be sent at all.  False: no room for the first that is left. */
static bool add_list(struct vnet_pair *pair, struct list_head *packets, struct list_head *done)
{
	struct netdev *dev = &pair->net->dev;
	u64 n = 0, bytes = 0;
	bool room = true;

	while (!list_empty(packets) && room) {
		struct packet *p = list_first_entry(packets, struct packet, link);
		int err = can_send(pair->net, p) ? 0 : -EINVAL;

		list_del(&p->link);
		if (likely(!err))
			err = add(pair, p);
		if (likely(!err)) {
			n++;
			bytes += p->len;
		} else if (err == -ENOSPC) {
			list_add(&p->link, packets);
			room = false;
		} else {
			netdev_count(dev, tx_errors, 1);
			list_add_tail(&p->link, done);
		}
	}
	netdev_count(dev, tx_packets, n);
	netdev_count(dev, tx_bytes, bytes);
	return room;
}

/* ask - to be told when something has been sent.  False: something has been meanwhile. */
static bool ask(struct vnet_pair *pair) { return virtqueue_enable_cb(pair->tx); }

/* Somebody waits for the memory of what the device still has: it shall tell of the next that it has sent. */
static void ask_for_waiters(struct vnet_pair *pair, struct list_head *done)
{
	while (pair->awaited && pair->tx->nr_free < pair->tx->size && !ask(pair))
		collect(pair, done);
}

/* The list goes into the ring; false: full, an interrupt will come, and the rest is left in it. */
static bool push(struct vnet_pair *pair, struct list_head *packets, struct list_head *done)
{
	virtqueue_disable_cb(pair->tx);
	collect(pair, done);
	while (!add_list(pair, packets, done)) {
		if (ask(pair))
			return false;
		virtqueue_disable_cb(pair->tx);
		collect(pair, done);
	}
	return true;
}

static void keep(struct vnet_pair *pair, struct list_head *packets, struct list_head *done)
{
	u32 most = atomic_load(&pair->net->dev.tx_queue_len);

	while (!list_empty(packets)) {
		struct packet *p = list_first_entry(packets, struct packet, link);

		if (pair->nr_backlog >= most) {
			netdev_count(&pair->net->dev, tx_dropped, 1);
			list_move_tail(&p->link, done);
		} else {
			pair->nr_backlog++;
			list_move_tail(&p->link, &pair->backlog);
		}
	}
}

/* backlog_push - what waits, then nothing waits or the ring is full. */
static bool backlog_push(struct vnet_pair *pair, struct list_head *done)
{
	bool all = push(pair, &pair->backlog, done);
	struct packet *p;

	pair->nr_backlog = 0;
	if (!all)
		list_for_each_entry(p, &pair->backlog, link)
			pair->nr_backlog++;
	return all;
}

static void finish(struct vnet_pair *pair, bool kick, struct list_head *done)
{
	if (kick)
		virtqueue_notify(pair->tx);
	rcu_read_unlock();
	packet_list_put(done);
}

void vnet_transmit(struct netdev *dev, struct list_head *packets)
{
	struct vnet_pair *pair = pair_here(container_of(dev, struct vnet, dev));
	bool kick = false;
	LIST_HEAD(done);

	rcu_read_lock();
	spin_lock(&pair->tx_lock);
	if (unlikely(pair->held)) {
		keep(pair, packets, &done);
	} else if (unlikely(pair->stopped)) {
		netdev_count_dropped(dev, packets);
		list_splice_init(packets, &done);
	} else {
		if (!list_empty(&pair->backlog) || !push(pair, packets, &done))
			keep(pair, packets, &done);
		ask_for_waiters(pair, &done);
		kick = virtqueue_kick_prepare(pair->tx);
	}
	spin_unlock(&pair->tx_lock);
	finish(pair, kick, &done);
}

void vnet_tx_serve(struct vnet_pair *pair)
{
	bool kick = false;
	LIST_HEAD(done);

	rcu_read_lock();
	spin_lock(&pair->tx_lock);
	if (!pair->stopped) {
		(void)backlog_push(pair, &done);
		pair->awaited &= list_empty(&done);	/* else they wake, and ask again */
		ask_for_waiters(pair, &done);
		kick = virtqueue_kick_prepare(pair->tx);
	}
	spin_unlock(&pair->tx_lock);
	finish(pair, kick, &done);
}

void vnet_reap(struct netdev *dev, bool notify)
{
	struct vnet *net = container_of(dev, struct vnet, dev);

	for (u32 i = 0; i < net->nr_pairs; i++) {
		struct vnet_pair *pair = &net->pairs[i];
		LIST_HEAD(done);

		spin_lock(&pair->tx_lock);
		if (!pair->stopped) {
			collect(pair, &done);
			pair->awaited |= notify;
			ask_for_waiters(pair, &done);
		}
		spin_unlock(&pair->tx_lock);
		packet_list_put(&done);
	}
}

void vnet_tx_done(struct virtqueue *vq)
{
	struct vnet_pair *pair = vq->driver_data;

	netdev_thread_wake(&pair->thread);
}

void vnet_tx_quiet(struct vnet_pair *pair)
{
	spin_lock(&pair->tx_lock);
	virtqueue_disable_cb(pair->tx);
	spin_unlock(&pair->tx_lock);
}

void vnet_tx_start(struct vnet_pair *pair)
{
	spin_lock(&pair->tx_lock);
	pair->stopped = pair->held = false;
	spin_unlock(&pair->tx_lock);
	vnet_tx_serve(pair);		/* what was sent while nobody looked */
}

void vnet_tx_stop(struct vnet_pair *pair, bool hold)
{
	LIST_HEAD(done);

	spin_lock(&pair->tx_lock);
	if (!pair->stopped) {
		virtqueue_disable_cb(pair->tx);
		collect(pair, &done);
		pair->held = hold;
	}
	pair->stopped = true;
	pair->held &= hold;
	if (!pair->held) {
		pair->nr_backlog = 0;
		list_splice_init(&pair->backlog, &done);
	}
	spin_unlock(&pair->tx_lock);
	packet_list_put(&done);
}

void vnet_tx_kick(struct vnet_pair *pair)
{
	bool kick;

	rcu_read_lock();
	spin_lock(&pair->tx_lock);
	kick = !pair->stopped;
	if (kick)
		(void)virtqueue_kick_prepare(pair->tx);
	spin_unlock(&pair->tx_lock);
	if (kick)
		virtqueue_notify(pair->tx);
	rcu_read_unlock();
}

void vnet_tx_detach(struct vnet_pair *pair)
{
	struct packet *p;

	while ((p = virtqueue_detach(pair->tx)))
		packet_put(p);
}
