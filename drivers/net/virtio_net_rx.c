/* Receiving from a virtio network device.
 *
 * A buffer is half a page, or a whole one where the device may join packets: the packet's structure, then room in which the device's header
 * and the frame are placed so that what follows the Ethernet header is aligned.  The queue's token is that packet.  With mergeable buffers
 * a packet may go on in further buffers, whose structures then lie idle under the first's pieces; each buffer holds one reference on its page,
 * and freeing a packet puts them all.  A device that joins packets but cannot merge gets chains of pages ("big"); those that a packet
 * did not reach are kept for the next chain.
 *
 * What comes joined from a device that merges (64 KiB by a tap) would take nineteen pages, and most of what a packet costs is by the buffer.  So while the
 * packets that come are large on the average, buffers are blocks of LARGE_ORDER; when they become small, pages again, lest each small one that nobody reads
 * hold a block.  A block is a luxury: when memory is short, or in pieces, it is a page.
 *
 * The thread alone gives buffers and takes them; the interrupt only says that it wants no more of its kind, and wakes the thread.
 *
 * When memory is short the thread tries harder once few buffers are left (it may sleep), and when even that fails a timer wakes it again. */
#include <drivers/net/virtio_net.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/if_ether.h>
#include <mm/page.h>

#define BATCH		64u
#define RETRY_NS	(50 * NSEC_PER_MSEC)
#define LARGE_ORDER	2u
#define LARGE_FROM	(2 * PAGE_SIZE)	/* bytes of an average packet */
#define AVERAGE_OF	16u		/* packets, more or less */

static u8 *frame_of(const struct vnet *net, struct packet *p) { return (u8 *)p + net->frame_off; }

/* --- buffers */

static void buffer_free(struct packet *p)
{
	for (u32 i = 1; i < p->nr_pieces; i++)
		page_put(virt_to_page(p->piece[i].data));
	page_put(virt_to_page(p));
}

static bool wants_large(const struct vnet_pair *pair)
{
	return pair->net->mergeable && pair->net->buffer_size == PAGE_SIZE && pair->average >= LARGE_FROM;
}

/* One buffer, of *size bytes. */
static struct packet *buffer_alloc(struct vnet_pair *pair, gfp_t gfp, u32 *size)
{
	struct vnet *net = pair->net;
	struct packet *p = pair->half;
	struct page *page;

	*size = net->buffer_size;
	if (wants_large(pair) && (page = page_alloc(LARGE_ORDER, GFP_ATOMIC | GFP_SPARE))) {
		p = page_address(page);
		*size = PAGE_SIZE << LARGE_ORDER;
	} else if (p) {
		pair->half = NULL;
	} else {
		page = page_alloc(0, gfp);
		if (!page)
			return NULL;
		p = page_address(page);
		if (net->buffer_size < PAGE_SIZE) {
			page_get(page);
			pair->half = (u8 *)p + net->buffer_size;
		}
	}
	packet_init(p, buffer_free, NULL);
	p->dev = &net->dev;
	return p;
}

static void spare_put(struct vnet_pair *pair, void *data) { list_add(&virt_to_page(data)->lru, &pair->spare); }

static struct page *spare_get(struct vnet_pair *pair)
{
	struct page *page = list_empty(&pair->spare) ? NULL : list_first_entry(&pair->spare, struct page, lru);

	if (page)
		list_del(&page->lru);
	return page;
}

static bool add_pages(struct vnet_pair *pair, struct packet *p, gfp_t gfp)
{
	for (u32 i = 1; i < VNET_BIG_PAGES; i++) {
		struct page *page = spare_get(pair);

		if (!page)
			page = page_alloc(0, gfp);
		if (!page)
			return false;
		packet_add(p, page_address(page), PAGE_SIZE);
	}
	return true;
}

/* post - p, a buffer of size bytes, becomes the device's.  0, or virtqueue_add's error. */
static int post(struct vnet_pair *pair, struct packet *p, u32 size)
{
	const struct vnet *net = pair->net;
	u8 *frame = frame_of(net, p);
	u32 room = size - net->frame_off, n = 0;
	struct virtio_buf bufs[VNET_BIG_PAGES + 1];

	if (net->one_piece) {
		bufs[n++] = virtio_buf(frame - net->head_len, net->head_len + room);
	} else {
		bufs[n++] = virtio_buf(frame - net->head_len, net->head_len);
		bufs[n++] = virtio_buf(frame, room);
	}
	for (u32 i = 1; i < p->nr_pieces; i++)
		bufs[n++] = virtio_buf(p->piece[i].data, PAGE_SIZE);
	return virtqueue_add(pair->rx, bufs, 0, n, p);
}

static bool fill(struct vnet_pair *pair, u32 wanted, gfp_t gfp)
{
	struct vnet *net = pair->net;

	while (pair->rx_posted < wanted) {
		u32 size;
		struct packet *p = buffer_alloc(pair, gfp, &size);
		int err;

		if (!p)
			return false;
		packet_add(p, frame_of(net, p), 0);
		if (net->big && !add_pages(pair, p, gfp)) {
			packet_put(p);
			return false;
		}
		err = post(pair, p, size);
		if (err) {
			packet_put(p);
			return true;		/* the ring is full, or the device broken */
		}
		pair->rx_posted++;
	}
	return true;
}

bool vnet_rx_fill(struct vnet_pair *pair)
{
	u32 low = pair->net->rx_wanted / 4;

	if (unlikely(!fill(pair, pair->net->rx_wanted, GFP_ATOMIC)) && pair->rx_posted < low && !fill(pair, low, GFP_KERNEL))
		timer_arm(&pair->retry, clock_mono_ns() + RETRY_NS);
	virtqueue_kick(pair->rx);
	return pair->rx_posted;
}

/* --- packets */

/* What the device's header says about a frame; false: nonsense. */
static bool read_header(const struct vnet *net, struct packet *p)
{
	const struct virtio_net_hdr copy = *(const struct virtio_net_hdr *)(frame_of(net, p) - net->head_len), *h = &copy;

	if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID)
		p->checksum = PACKET_SUM_GOOD;
	return packet_set_offloads(p, h);
}

/* The further buffers of a packet that takes n.  False: the device never gave them, or there are too many. */
static bool merge(struct vnet_pair *pair, struct packet *p, u32 n)
{
	const struct vnet *net = pair->net;
	bool fits = n <= PACKET_PIECES;

	for (u32 i = 1; i < n; i++) {
		u32 len;
		struct packet *more = virtqueue_get(pair->rx, &len);

		if (!more) {
			virtio_break(net->vdev, "it merged buffers that it did not give");
			return false;
		}
		pair->rx_posted--;
		if (fits)
			packet_add(p, frame_of(net, more) - net->head_len, len);
		else
			packet_put(more);
	}
	return fits;
}

/* A big packet's pages hold len bytes; those behind are kept. */
static void spread(struct vnet_pair *pair, struct packet *p, u32 len)
{
	const struct vnet *net = pair->net;
	u32 first = net->buffer_size - net->frame_off;

	p->len = len;
	p->piece[0].len = min(len, first);
	len -= p->piece[0].len;
	for (u32 i = 1; i < VNET_BIG_PAGES; i++) {
		if (!len) {
			spare_put(pair, p->piece[i].data);
			p->nr_pieces--;
			continue;
		}
		p->piece[i].len = min(len, (u32)PAGE_SIZE);
		len -= p->piece[i].len;
	}
}

/* Make the packet of what the device says it wrote; false: it is to be dropped. */
static bool complete_packet(struct vnet_pair *pair, struct packet *p, u32 len)
{
	const struct vnet *net = pair->net;
	const struct virtio_net_hdr_mrg_rxbuf *h = (const void *)(frame_of(net, p) - net->head_len);
	u32 buffers = net->mergeable ? READ_ONCE(h->num_buffers) : 1;

	if (len < net->head_len) {
		packet_set_len(p, 0);
		return false;
	}
	if (net->big)
		spread(pair, p, len - net->head_len);
	else
		packet_set_len(p, len - net->head_len);
	if (unlikely(buffers != 1) && (!buffers || !merge(pair, p, buffers)))
		return false;
	return p->len >= ETH_HLEN && read_header(net, p);
}

/* Up to BATCH packets into the list; how many came off the ring. */
static u32 take(struct vnet_pair *pair, struct list_head *packets)
{
	struct netdev *dev = &pair->net->dev;
	u64 multicast = 0;
	struct packet *p;
	u32 n = 0, len;

	for (; n < BATCH && (p = virtqueue_get(pair->rx, &len)); n++) {
		pair->rx_posted--;
		if (unlikely(!complete_packet(pair, p, len))) {
			netdev_count(dev, rx_errors, 1);
			netdev_count(dev, rx_frame, 1);
			packet_put(p);
			continue;
		}
		pair->average = pair->average - pair->average / AVERAGE_OF + p->len / AVERAGE_OF;
		multicast += *(u8 *)p->piece[0].data & 1;
		list_add_tail(&p->link, packets);
	}
	if (multicast)
		netdev_count(dev, multicast, multicast);
	return n;
}

/* --- the thread, the interrupt */

void vnet_rx_quiet(struct vnet_pair *pair)
{
	spin_lock_irq(&pair->rx_lock);
	virtqueue_disable_cb(pair->rx);
	spin_unlock_irq(&pair->rx_lock);
}

static bool listen(struct vnet_pair *pair)
{
	bool nothing;

	spin_lock_irq(&pair->rx_lock);
	nothing = virtqueue_enable_cb(pair->rx);
	spin_unlock_irq(&pair->rx_lock);
	return nothing;
}

u32 vnet_rx_work(struct netdev_thread *t)
{
	struct vnet_pair *pair = container_of(t, struct vnet_pair, thread);
	LIST_HEAD(packets);
	u32 n;

	vnet_rx_quiet(pair);
	vnet_tx_serve(pair);
	n = take(pair, &packets);
	if (!list_empty(&packets))
		netdev_receive(&pair->net->dev, &packets);
	(void)vnet_rx_fill(pair);
	return n < BATCH && listen(pair) ? n | NETDEV_THREAD_DONE : n;
}

void vnet_rx_done(struct virtqueue *vq)
{
	struct vnet_pair *pair = vq->driver_data;

	spin_lock(&pair->rx_lock);
	virtqueue_disable_cb(vq);
	spin_unlock(&pair->rx_lock);
	netdev_thread_wake(&pair->thread);
}

void vnet_rx_drop(struct vnet_pair *pair)
{
	LIST_HEAD(packets);

	while (take(pair, &packets))
		packet_list_put(&packets);
}

void vnet_rx_detach(struct vnet_pair *pair)
{
	struct packet *p;

	while ((p = virtqueue_detach(pair->rx)))
		packet_put(p);
	pair->rx_posted = 0;
	for (struct page *page; (page = spare_get(pair)); )
		page_put(page);
	if (pair->half)
		page_put(virt_to_page(pair->half));
	pair->half = NULL;
}
