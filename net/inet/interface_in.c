/* Packets from devices to lwIP.
 *
 * A device's thread brings a batch, all of it under one hold of the core's lock; what continues a stream has been joined before (merge.c).  Before each
 * packet the interface's chksum_flags are set by what the device said about that packet.  What comes by a device without link headers (a tun) begins
 * with IP's header.
 *
 * Any address of 127.0.0.0/8 is ours, but lwIP knows one: while a packet to another of them comes in, lo has that one. */
#include <lwip/prot/tcp.h>
#include <kernel/lib/string.h>
#include <net/inet/buffer.h>
#include <net/inet/engine.h>
#include <net/inet/hooks.h>
#include <net/inet/interface.h>
#include <net/inet/merge.h>
#include <net/inet/neighbour.h>
#include <net/inet/route.h>
#include <net/inet/tcp.h>

#define HEADERS_MAX	134u	/* Ethernet's, IPv4's and TCP's with all options: what lwIP wants to see in one run */

u32 interface_segments = 1;

/* The interface whose address an ARP packet asks for: each of the device's answers for its own only. */
static struct interface *arp_target(struct interface *i, const struct packet *p)
{
	u8 buf[28];
	const u8 *arp = packet_header(p, SIZEOF_ETH_HDR, sizeof(buf), buf);
	u32 target;

	if (!arp)
		return NULL;
	memcpy(&target, arp + 24, 4);
	for_each_interface(other)
		if (other->dev == i->dev && ip4_addr_get_u32(netif_ip4_addr(&other->n)) == target)
			return other;
	return i;
}

static void bring(struct interface *i, struct pbuf *b, bool trusted, bool from_inside)
{
	if (trusted)
		i->n.chksum_flags &= (u16_t)~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP);
	else
		i->n.chksum_flags |= NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP;
	if ((from_inside ? ip_input(b, &i->n) : netif_input(b, &i->n)) != ERR_OK)
		pbuf_free(b);
}

static void deliver(struct interface *i, struct packet *p, bool from_inside)
{
	bool trusted = p->checksum != PACKET_SUM_NONE;
	bool cut = !from_inside && p->nr_pieces > 1 && p->piece[0].len < min(p->len, HEADERS_MAX);
	struct pbuf *b = pbuf_from_packet(p, 0);

	if (b && unlikely(cut)) {
		struct pbuf *whole = pbuf_duplicate(b);

		pbuf_free(b);
		b = whole;
	}
	if (b)
		bring(i, b, trusted, from_inside);
}

/* Does a connection want those that were joined as one?  Their first stands where the next byte is expected. */
static bool wanted_as_one(struct interface *i, struct packet *p)
{
	const struct merge_note *note = merge_note(p);
	const u8 *frame = p->piece[0].data, *ip = frame + SIZEOF_ETH_HDR;
	const struct tcp_hdr *h = (const struct tcp_hdr *)(frame + note->transport);
	ip_addr_t local, remote;

	if (ip[0] >> 4 == 4) {
		ip_addr_copy_from_ip4(local, ((const struct ip_hdr *)ip)->dest);
		ip_addr_copy_from_ip4(remote, ((const struct ip_hdr *)ip)->src);
	} else {
		ip_addr_copy_from_ip6_packed(local, ((const struct ip6_hdr *)ip)->dest);
		ip_addr_copy_from_ip6_packed(remote, ((const struct ip6_hdr *)ip)->src);
		ip6_addr_assign_zone(ip_2_ip6(&local), IP6_UNKNOWN, &i->n);
		ip6_addr_assign_zone(ip_2_ip6(&remote), IP6_UNICAST, &i->n);
	}
	return tcp_takes_merged(&local, lwip_ntohs(h->dest), &remote, lwip_ntohs(h->src), netif_get_index(&i->n), lwip_ntohl(h->seqno),
				p->len - note->payload + note->behind);
}

/* p, and those that hang behind it: as one, or one after the other. */
static void deliver_merged(struct interface *i, struct packet *p)
{
	struct merge_note note = *merge_note(p);
	bool four = ((const u8 *)p->piece[0].data)[12] == 0x08;
	struct pbuf *b = NULL;

	if (note.next && wanted_as_one(i, p)) {
		b = pbuf_from_merged(p);
		if (b)
			merge_seal(p);		/* b holds them all */
	}
	if (!b && note.next) {
		while (p) {
			struct packet *next = merge_split(p);

			deliver(i, p, false);
			p = next;
		}
		return;
	}
	interface_segments = note.segments;
	if (b)
		bring(i, b, true, false);
	else
		deliver(i, p, false);
	interface_segments = 1;
	if (four) {
		lwip_stats.mib2.ipinreceives += note.segments - 1u;
		lwip_stats.mib2.ipindelivers += note.segments - 1u;
	}
}

static void note_fragment4(const struct packet *p, u32 off)
{
	u8 buf[IP_HLEN];
	const u8 *ip = packet_header(p, off, sizeof(buf), buf);

	if (ip && ((ip[6] & 0x3f) || ip[7]))
		net_fragment_seen();
}

/* A fragment's header may stand behind others; before what most packets carry there is none. */
static void note_fragment6(const struct packet *p, u32 off)
{
	u8 buf[IP6_HLEN];
	const u8 *ip = packet_header(p, off, sizeof(buf), buf);

	if (ip && ip[6] != IP6_NEXTH_TCP && ip[6] != IP6_NEXTH_UDP && ip[6] != IP6_NEXTH_ICMP6)
		net_fragment_seen();
}

static void receive_bare(struct interface *i, struct packet *p)
{
	u8 buf[IP_HLEN];
	const u8 *ip = packet_header(p, 0, sizeof(buf), buf);

	if (!ip || !netif_is_up(&i->n) || (ip[0] >> 4 == 6 && p->len < IP6_HLEN)) {
		merge_put(p);
		return;
	}
	if (ip[0] >> 4 == 4)
		note_fragment4(p, 0);
	else
		note_fragment6(p, 0);
	deliver(i, p, true);
}

static void receive_one(struct interface *i, struct packet *p)
{
	u8 buf[SIZEOF_ETH_HDR];
	const u8 *eth = packet_header(p, 0, sizeof(buf), buf);
	u16 type = eth ? (u16)(eth[12] << 8 | eth[13]) : 0;
	u32 least = type == ETHTYPE_IP ? IP_HLEN : type == ETHTYPE_IPV6 ? IP6_HLEN : type == ETHTYPE_ARP ? 28 : 0;
	bool loopback = interface_is_loopback(i);

	if (!least || p->len < SIZEOF_ETH_HDR + least || !netif_is_up(&i->n) ||
	    (!loopback && !(eth[0] & 1) && memcmp(eth, i->dev->address, ETH_HWADDR_LEN))) {
		merge_put(p);
		return;
	}
	if (type == ETHTYPE_ARP) {
		i = loopback ? NULL : arp_target(i, p);
		if (!i) {
			merge_put(p);
			return;
		}
	} else if (type == ETHTYPE_IP) {
		note_fragment4(p, SIZEOF_ETH_HDR);
	} else {
		note_fragment6(p, SIZEOF_ETH_HDR);
	}
	if (loopback) {
		/* seen by packet sockets; now as if it had not been */
		p->piece[0].data = (u8 *)p->piece[0].data + SIZEOF_ETH_HDR;
		p->piece[0].len -= SIZEOF_ETH_HDR;
		p->len -= SIZEOF_ETH_HDR;
		interface_loop_input(p);
	} else {
		deliver_merged(i, p);
	}
}

static void take_packets(struct netdev *dev, struct list_head *packets)
{
	struct interface *i;

	merge_packets(packets, dev->header_len && !(dev->flags & IFF_LOOPBACK));
	net_core_lock();
	net_link_used();
	i = dev->inet;
	while (!list_empty(packets)) {
		struct packet *p = list_first_entry(packets, struct packet, link);

		list_del(&p->link);
		if (unlikely(!i))
			merge_put(p);
		else if (dev->header_len)
			receive_one(i, p);
		else
			receive_bare(i, p);
	}
	net_core_unlock();
}
PACKET_TAKER(inet, .take = take_packets);

void interface_loop_input(struct packet *p)
{
	struct interface *i = p->dev->inet;
	u8 buf[IP6_HLEN];
	const u8 *ip = packet_header(p, 0, IP_HLEN, buf);
	u32 usual;

	if (!i || !netif_is_up(&i->n) || !ip || ((ip[0] >> 4) == 6 && p->len < IP6_HLEN)) {
		packet_put(p);
		return;
	}
	if (interface_is_loopback(i) && !netdev_taps()) {
		netdev_count(p->dev, rx_packets, 1);
		netdev_count(p->dev, rx_bytes, p->len);
	}
	usual = ip4_addr_get_u32(netif_ip4_addr(&i->n));
	if ((ip[0] >> 4) == 4) {
		note_fragment4(p, 0);
		if (ip[16] == 127 && interface_is_loopback(i))
			memcpy(ip_2_ip4(&i->n.ip_addr), ip + 16, 4);
	} else {
		note_fragment6(p, 0);
	}
	deliver(i, p, true);
	ip4_addr_set_u32(ip_2_ip4(&i->n.ip_addr), usual);
}
