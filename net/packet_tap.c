/* What packet sockets see: every frame that devices receive or send is shown to those that may want it.
 *
 * Sockets that have ever seen anything stand on one list, walked under RCU for each batch.  The frame's bytes are copied, as much as the socket's filter
 * says: the protocol engine changes headers in place, and the bytes of what is sent belong to somebody who sends them again. */
#include <kernel/lib/string.h>
#include <linux/eventpoll.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <mm/slab.h>
#include <net/filter.h>
#include <net/packet_socket_internal.h>

static LIST_HEAD(taps);			/* [c,R] */

/* It stays on the list until it is released: who walks along it would from one that left and came back miss those behind it. */
void packet_tap_add(struct packet_sock *ps)
{
	if (ps->seeing)
		return;
	WRITE_ONCE(ps->seeing, true);
	if (!ps->listed)
		list_add_tail_rcu(&ps->link, &taps);
	ps->listed = true;
	atomic_inc(&netdev_nr_taps);
}

void packet_tap_del(struct packet_sock *ps)
{
	if (!ps->seeing)
		return;
	WRITE_ONCE(ps->seeing, false);
	atomic_dec(&netdev_nr_taps);
}

void packet_tap_leave(struct packet_sock *ps)
{
	packet_tap_del(ps);
	if (ps->listed)
		list_del_rcu(&ps->link);
}

/* What there is to know about a frame, once for all sockets. */
struct frame { struct netdev *dev; struct packet *p; struct sockaddr_ll from; u16 protocol; u32 net_off; };

static u16 swap16(u16 v) { return __builtin_bswap16(v); }

static u8 kind_of(const struct netdev *dev, const u8 *to)
{
	if (!memcmp(to, dev->address, ETH_ALEN))
		return PACKET_HOST;
	if (!memcmp(to, dev->broadcast, ETH_ALEN))
		return PACKET_BROADCAST;
	return to[0] & 1 ? PACKET_MULTICAST : PACKET_OTHERHOST;
}

/* The EtherType; of frames that have a length instead, Linux's numbers for those. */
static u16 ethernet_protocol(const u8 *h)
{
	u16 type = (u16)(h[12] << 8 | h[13]);

	return type >= ETH_P_802_3_MIN ? type : h[14] == 0xff && h[15] == 0xff ? ETH_P_802_3 : ETH_P_802_2;
}

static bool look_at(struct netdev *dev, struct packet *p, struct frame *f)
{
	u8 buf[ETH_HLEN + 2] = { 0 };
	u32 n = packet_copy(p, 0, buf, sizeof(buf));

	*f = (struct frame){ .dev = dev, .p = p, .net_off = dev->header_len };
	f->from = (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_ifindex = (int)dev->index, .sll_hatype = dev->type };
	if (n < dev->header_len)
		return false;
	if (dev->header_len == ETH_HLEN) {
		f->protocol = ethernet_protocol(buf);
		f->from.sll_pkttype = kind_of(dev, buf);
		f->from.sll_halen = ETH_ALEN;
		memcpy(f->from.sll_addr, buf + ETH_ALEN, ETH_ALEN);
	} else {
		f->protocol = buf[0] >> 4 == 4 ? ETH_P_IP : buf[0] >> 4 == 6 ? ETH_P_IPV6 : 0;
	}
	f->from.sll_protocol = swap16(f->protocol);
	if (p->outgoing)
		f->from.sll_pkttype = PACKET_OUTGOING;
	return true;
}

static bool wants(const struct packet_sock *ps, const struct frame *f)
{
	u16 protocol = READ_ONCE(ps->protocol);
	s32 ifindex = READ_ONCE(ps->ifindex);

	if (!READ_ONCE(ps->seeing) || (ifindex && ifindex != (s32)f->dev->index))
		return false;
	if (protocol != swap16(ETH_P_ALL))
		return protocol == f->from.sll_protocol && !f->p->outgoing;
	return !f->p->outgoing || (f->p->owner != ps && !packet_option(ps, PACKET_IGNORE_OUTGOING));
}

static struct packet_entry *copy_frame(const struct frame *f, u32 off, u32 len, u32 keep)
{
	struct packet_entry *e = kmalloc(sizeof(*e) + keep, GFP_ATOMIC);

	if (!e)
		return NULL;
	*e = (struct packet_entry){ .len = len, .kept = keep, .stamp_ns = f->p->stamp_ns, .from = f->from, .status = TP_STATUS_USER };
	e->net_off = (u16)(f->net_off - off);
	if (f->p->checksum == PACKET_SUM_PARTIAL)
		e->status |= TP_STATUS_CSUMNOTREADY;
	else if (f->p->checksum == PACKET_SUM_GOOD)
		e->status |= TP_STATUS_CSUM_VALID;
	e->vnet.flags = f->p->checksum == PACKET_SUM_PARTIAL ? VIRTIO_NET_HDR_F_NEEDS_CSUM :
			f->p->checksum == PACKET_SUM_GOOD ? VIRTIO_NET_HDR_F_DATA_VALID : 0;
	e->vnet.gso_type = f->p->gso_type;
	e->vnet.gso_size = f->p->gso_size;
	e->vnet.hdr_len = f->p->gso_header;
	e->vnet.csum_start = f->p->csum_start;
	e->vnet.csum_offset = f->p->csum_offset;
	packet_copy(f->p, off, e->data, keep);
	return e;
}

/* How much of it the socket's filter keeps; 0: none. */
static u32 filtered(struct packet_sock *ps, const struct frame *f, u32 off, u32 len)
{
	struct filter_input in = { .packet = f->p, .len = len, .net_off = f->net_off - off, .ifindex = f->dev->index, .protocol = f->protocol,
				   .hatype = f->dev->type, .pkttype = f->from.sll_pkttype };
	struct packet_entry *whole = NULL;
	u32 keep;

	if (likely(!READ_ONCE(ps->s.filter)))
		return len;
	if (off && f->p->nr_pieces == 1) {
		in.data = (const u8 *)f->p->piece[0].data + off;
	} else if (off) {
		whole = copy_frame(f, off, len, len);
		if (!whole)
			return 0;
		in.data = whole->data;
	}
	keep = socket_filter(&ps->s, &in);
	kfree(whole);
	return min(keep, len);
}

static void show(struct packet_sock *ps, const struct frame *f)
{
	u32 off = ps->s.type == SOCK_DGRAM ? f->net_off : 0, len = f->p->len - off, keep;
	struct packet_entry *e = NULL;
	irqflags_t flags;

	keep = filtered(ps, f, off, len);
	if (!keep && len)
		return;
	if (READ_ONCE(ps->queued) + keep < (u32)atomic_load(&ps->s.receive_max))
		e = copy_frame(f, off, len, keep);
	flags = spin_lock_irqsave(&ps->queue_lock);
	if (e) {
		ps->seen++;
		ps->queued += keep + PACKET_COST;
		list_add_tail(&e->link, &ps->queue);
	} else {
		ps->dropped++;
	}
	spin_unlock_irqrestore(&ps->queue_lock, flags);
	if (e)
		socket_wake(&ps->s, EPOLLIN | EPOLLRDNORM);
}

static void look(struct netdev *dev, struct list_head *packets)
{
	struct packet_sock *ps;
	struct packet *p;
	struct frame f;

	rcu_read_lock();
	list_for_each_entry(p, packets, link) {
		if (!look_at(dev, p, &f))
			continue;
		list_for_each_entry_rcu(ps, &taps, link)
			if (wants(ps, &f))
				show(ps, &f);
	}
	rcu_read_unlock();
}
PACKET_TAKER(packet_sockets, .look = look);
