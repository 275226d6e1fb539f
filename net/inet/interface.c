/* Interfaces: devices come, go up and down; packets go between devices and lwIP.  (Addresses: address.c.)
 *
 * Out: lwIP hands over a chain of pbufs; it becomes a packet (buffer.h) on a list that is transmitted when the core is unlocked, or another
 * device's turn comes: one doorbell for all that one holder of the lock had to say.  In: a device's thread brings a batch, all of it under one
 * hold of the lock; what continues a stream has been joined before (merge.c).
 *
 * Checksums.  lwIP asks an interface's chksum_flags before it adds up.  It never does for TCP, nor for UDP where the device offers to: what a device can
 * fill in is left to it (PACKET_SUM_PARTIAL: found by the field that is still zero), else it is added up when the packet is whole, since a tap's program may
 * change its mind at any time.  Before each packet that comes in, the flags are set by what the device said about that packet.  Nothing is added up on lo.
 *
 * Segments of TCP larger than the wire's (tcp_large.c) are for a device that cuts: how it has to is found last, by the connection that the headers name.
 *
 * A device without link headers (a tun) carries what IP has made, and what comes by it begins with IP's header: no neighbours are asked for, and nobody
 * doubts an address there. lwIP adds up all sums of what goes out by it.
 *
 * Any address of 127.0.0.0/8 is ours, but lwIP knows one: while a packet to another of them comes in, lo has that one. */
#include <lwip/etharp.h>
#include <lwip/inet_chksum.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/ip.h>
#include <lwip/prot/ip.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>
#include <lwip/prot/udp.h>
#include <lwip/stats.h>
#include <linux/virtio_net.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/random/random.h>
#include <mm/slab.h>
#include <net/inet/address.h>
#include <net/inet/buffer.h>
#include <net/inet/dgram.h>
#include <net/inet/engine.h>
#include <net/inet/hooks.h>
#include <net/inet/interface.h>
#include <net/inet/interface_internal.h>
#include <net/inet/merge.h>
#include <net/inet/neighbour.h>
#include <net/inet/pmtu.h>
#include <net/inet/route.h>
#include <net/inet/tcp.h>
#include <net/inet/tcp_large.h>

#define HEADERS_MAX	134u	/* Ethernet's, IPv4's and TCP's with all options: what lwIP wants to see in one run */
#define MTU_MAX		65535u	/* what a packet's length can say */

struct interface *interfaces;
bool interface_no_echo, interface_whole;
u32 interface_segments = 1;
struct dgramsock *interface_sender;
static LIST_HEAD(to_send);		/* [C] packets of one device */

struct interface *interface_of_device(u32 ifindex)
{
	for_each_interface(i)
		if (i->dev->index == ifindex)
			return i;
	return NULL;
}

/* --- out --------------------------------------------------------------------------------------------------------------------------- */

void interface_flush(void)
{
	if (list_empty(&to_send))
		return;
	net_link_used();
	netdev_transmit(list_first_entry(&to_send, struct packet, link)->dev, &to_send);
}

static void queue(struct packet *p, struct netdev *dev)
{
	if (!list_empty(&to_send) && list_first_entry(&to_send, struct packet, link)->dev != dev)
		interface_flush();
	p->dev = dev;
	list_add_tail(&p->link, &to_send);
}

static u32 sum_words(const void *at, u32 len)
{
	const u16 *w = at;
	u32 sum = 0;

	for (u32 i = 0; i < len / 2; i++)
		sum += w[i];
	return sum;
}

/* The device adds up the rest, if nobody has yet: the headers are in piece[0], since nobody but our own chunks are referenced. */
static void leave_sum(const struct netif *n, struct packet *p)
{
	u8 *eth = p->piece[0].data, *ip = eth + SIZEOF_ETH_HDR, *transport;
	u32 len = p->piece[0].len, header, sum;
	u8 proto;

	if (len < SIZEOF_ETH_HDR + IP_HLEN)
		return;
	if (eth[12] == 0x08 && eth[13] == 0x00) {
		header = (ip[0] & 15) * 4u;
		proto = ip[9];
		if ((ip[6] & 0x3f) || ip[7])
			return;		/* a fragment */
		sum = sum_words(ip + 12, 8);
	} else if (eth[12] == 0x86 && eth[13] == 0xdd && len >= SIZEOF_ETH_HDR + IP6_HLEN) {
		header = IP6_HLEN;
		proto = ip[6];
		sum = sum_words(ip + 8, 32);
	} else {
		return;
	}
	if ((proto != IP_PROTO_TCP && proto != IP_PROTO_UDP) || (n->chksum_flags & (proto == IP_PROTO_TCP ? NETIF_CHECKSUM_GEN_TCP : NETIF_CHECKSUM_GEN_UDP)))
		return;
	p->csum_offset = proto == IP_PROTO_TCP ? 16 : 6;
	transport = ip + header;
	if (len < SIZEOF_ETH_HDR + header + p->csum_offset + 2 || transport[p->csum_offset] || transport[p->csum_offset + 1])
		return;
	p->csum_start = (u16)(SIZEOF_ETH_HDR + header);
	sum += lwip_htons(proto) + lwip_htons((u16_t)(p->len - p->csum_start));
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	transport[p->csum_offset] = (u8)sum;
	transport[p->csum_offset + 1] = (u8)(sum >> 8);
	p->checksum = PACKET_SUM_PARTIAL;
}

bool interface_cuts(const struct netif *n, bool six)
{
	u32 features = atomic_load(&interface_of(n)->dev->features);

	/* Without DF each of IPv4's would need a number of its own (RFC 6864), and lwIP counts packets. */
	return (n->flags & NETIF_FLAG_ETHERNET) && (features & NETDEV_CSUM) && (six ? features & NETDEV_TSO6 : (features & NETDEV_TSO4) && pmtu_discovery());
}

/* Fragments carry one sum together. */
static void sum_whole(struct pbuf *p, bool six)
{
	const u8 *ip = p->payload;
	u32 header = six ? IP6_HLEN : (ip[0] & 15) * 4u;
	struct tcp_hdr *h = (struct tcp_hdr *)((u8 *)p->payload + header);
	ip_addr_t from, to;

	if ((six ? ip[6] : ip[9]) != IP_PROTO_TCP || p->len < header + TCP_HLEN || h->chksum)
		return;
	if (six) {
		ip_addr_copy_from_ip6_packed(from, ((const struct ip6_hdr *)ip)->src);
		ip_addr_copy_from_ip6_packed(to, ((const struct ip6_hdr *)ip)->dest);
	} else {
		ip_addr_copy_from_ip4(from, ((const struct ip_hdr *)ip)->src);
		ip_addr_copy_from_ip4(to, ((const struct ip_hdr *)ip)->dest);
	}
	pbuf_remove_header(p, header);
	h->chksum = ip_chksum_pseudo(p, IP_PROTO_TCP, p->tot_len, &from, &to);
	pbuf_add_header_force(p, header);
}

bool interface_hook_large(const struct netif *n, struct pbuf *p)
{
	const u8 *ip = p->payload;
	bool six = ip[0] >> 4 == 6;

	if (interface_cuts(n, six) && tcp_wire_size(n, ip, p->len))
		return true;
	if (!(n->chksum_flags & NETIF_CHECKSUM_GEN_TCP))
		sum_whole(p, six);
	return false;
}

/* A segment whose sum is left to the device, and that is larger than the wire's, is left to it to cut.  False: it cannot be sent. */
static bool leave_cutting(struct interface *i, struct packet *p)
{
	const u8 *eth = p->piece[0].data;
	bool six = eth[12] == 0x86;
	u32 header, wire = 0;

	if (p->checksum != PACKET_SUM_PARTIAL || p->csum_offset != 16)
		return true;
	header = p->csum_start + (eth[p->csum_start + 12] >> 4) * 4u;
	if (p->len > header + LARGE_WIRE_MIN && interface_cuts(&i->n, six))
		wire = tcp_wire_size(&i->n, eth + SIZEOF_ETH_HDR, p->piece[0].len - SIZEOF_ETH_HDR);
	if (!wire || p->len - header <= wire)
		return p->len <= (u32)i->n.mtu + SIZEOF_ETH_HDR;
	p->gso_type = six ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	p->gso_size = (u16)wire;
	p->gso_header = (u16)header;
	return true;
}

/* Datagrams to many are also for us: UDP's, once more from the inside. */
static void echo(struct netdev *dev, struct pbuf *b)
{
	const u8 *ip = (u8 *)b->payload + dev->header_len;
	struct packet *p;
	u8 proto;

	if (b->len < dev->header_len + IP6_HLEN - 12u)
		return;
	proto = ip[0] >> 4 == 4 ? ip[9] : ip[6];
	if (proto != IP_PROTO_UDP && proto != IP_PROTO_UDPLITE)
		return;
	p = packet_from_pbuf(b, 0);
	if (!p)
		return;
	p->piece[0].data = (u8 *)p->piece[0].data + dev->header_len;
	p->piece[0].len -= dev->header_len;
	p->len -= dev->header_len;
	p->checksum = PACKET_SUM_GOOD;
	p->dev = dev;
	net_loop(p);
}

/* Segments of TCP, and datagrams whose sender wants to know the path's MTU, must arrive whole: routers say so if they cannot (pmtu.c).  The header's
 * sum is mended with it. */
static void mark_whole(struct ip_hdr *ip)
{
	u32 sum;

	if ((IPH_PROTO(ip) != IP_PROTO_TCP || !pmtu_discovery()) && !interface_whole)
		return;
	if (IPH_OFFSET(ip))
		return;
	IPH_OFFSET_SET(ip, PP_HTONS(IP_DF));
	sum = (u32)(u16)~IPH_CHKSUM(ip) + PP_HTONS(IP_DF);
	IPH_CHKSUM_SET(ip, (u16)~(sum + (sum >> 16)));
}

static err_t ethernet_output4(struct netif *n, struct pbuf *b, const ip4_addr_t *to)
{
	mark_whole(b->payload);
	return etharp_output(n, b, to);
}

static err_t ethernet_link_output(struct netif *n, struct pbuf *b)
{
	struct netdev *dev = interface_of(n)->dev;
	struct packet *p = packet_from_pbuf(b, 0);

	if (!p)
		return ERR_MEM;
	if ((*(const u8 *)b->payload & 1) && !interface_no_echo)
		echo(dev, b);
	if (interface_sender) {
		p->owner = interface_sender;
		dgram_charge(interface_sender, p->len);
	}
	leave_sum(n, p);
	if (unlikely(!leave_cutting(interface_of(n), p))) {
		netdev_count(dev, tx_dropped, 1);	/* it waited too long for an address: there is no connection any more */
		packet_put(p);
		return ERR_OK;
	}
	if (p->checksum == PACKET_SUM_PARTIAL && !(atomic_load(&dev->features) & NETDEV_CSUM))
		(void)packet_sum(p);
	queue(p, dev);
	return ERR_OK;
}

static err_t bare_output(struct netif *n, struct pbuf *b, bool to_many)
{
	struct netdev *dev = interface_of(n)->dev;
	struct packet *p = packet_from_pbuf(b, 0);

	if (!p)
		return ERR_MEM;
	if (to_many && !interface_no_echo)
		echo(dev, b);
	if (interface_sender) {
		p->owner = interface_sender;
		dgram_charge(interface_sender, p->len);
	}
	queue(p, dev);
	return ERR_OK;
}

static err_t bare_output4(struct netif *n, struct pbuf *b, const ip4_addr_t *to)
{
	mark_whole(b->payload);
	return bare_output(n, b, ip4_addr_ismulticast(to));
}

static err_t bare_output6(struct netif *n, struct pbuf *b, const ip6_addr_t *to) { return bare_output(n, b, ip6_addr_ismulticast(to)); }

static err_t loop_output(struct netif *n, struct pbuf *b, u16 type)
{
	struct netdev *dev = interface_of(n)->dev;
	bool seen = netdev_taps();
	struct packet *p = packet_from_pbuf(b, seen ? SIZEOF_ETH_HDR : 0);

	if (!p)
		return ERR_MEM;
	p->checksum = PACKET_SUM_GOOD;
	if (unlikely(seen)) {
		u8 *eth = p->piece[0].data;

		memset(eth, 0, SIZEOF_ETH_HDR);
		eth[12] = (u8)(type >> 8);
		eth[13] = (u8)type;
		p->piece[0].len += SIZEOF_ETH_HDR;
		p->len += SIZEOF_ETH_HDR;
		queue(p, dev);
		return ERR_OK;
	}
	p->dev = dev;
	netdev_count(dev, tx_packets, 1);
	netdev_count(dev, tx_bytes, p->len);
	net_loop(p);
	return ERR_OK;
}

/* There is no router to be told of groups, which is what lwIP says with a router alert in its header. */
static err_t loop_output4(struct netif *n, struct pbuf *b, const ip4_addr_t *to)
{
	const struct ip_hdr *ip = b->payload;

	if (unlikely(ip4_addr_ismulticast(to)) && IPH_PROTO(ip) == IP_PROTO_IGMP && IPH_HL_BYTES(ip) > IP_HLEN)
		return ERR_OK;
	return loop_output(n, b, ETHTYPE_IP);
}

static err_t loop_output6(struct netif *n, struct pbuf *b, const ip6_addr_t *to)
{
	(void)to;
	return loop_output(n, b, ETHTYPE_IPV6);
}

/* --- in ---------------------------------------------------------------------------------------------------------------------------- */

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

/* --- devices ----------------------------------------------------------------------------------------------------------------------- */

static err_t netif_setup(struct netif *n)
{
	const struct netdev *dev = interface_of(n)->dev;

	n->mtu = (u16_t)clamp(dev->mtu, IPV4_MTU_MIN, MTU_MAX);
	if (dev->flags & IFF_LOOPBACK) {
		n->name[0] = 'l';
		n->name[1] = 'o';
		n->output = loop_output4;
		n->output_ip6 = loop_output6;
		n->flags = NETIF_FLAG_IGMP;
		n->chksum_flags = NETIF_CHECKSUM_DISABLE_ALL;
		return ERR_OK;
	}
	if (!dev->header_len) {
		n->name[0] = 't';
		n->name[1] = 'u';
		n->output = bare_output4;
		n->output_ip6 = bare_output6;
		n->flags = NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
		n->chksum_flags = NETIF_CHECKSUM_ENABLE_ALL;
		return ERR_OK;
	}
	n->name[0] = 'e';
	n->name[1] = 't';
	n->output = ethernet_output4;
	n->output_ip6 = neighbour_output6;
	n->linkoutput = ethernet_link_output;
	n->hwaddr_len = ETH_HWADDR_LEN;
	memcpy(n->hwaddr, dev->address, ETH_HWADDR_LEN);
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	n->chksum_flags = NETIF_CHECKSUM_ENABLE_ALL & ~(NETIF_CHECKSUM_GEN_TCP | (dev->features & NETDEV_CSUM ? NETIF_CHECKSUM_GEN_UDP : 0));
	return ERR_OK;
}

/* lwIP's number of an interface is the device's, which makes it the scope of addresses too; further ones are counted from above. */
static bool number(struct interface *i)
{
	struct netif *n;
	u32 num = 254;

	if (i->first == i) {
		i->n.num = (u8_t)(i->dev->index - 1);
		return i->dev->index <= NETDEV_INDEX_MAX;
	}
again:
	NETIF_FOREACH(n)
		if (n != &i->n && n->num == num) {
			if (--num < 128)
				return false;
			goto again;
		}
	i->n.num = (u8_t)num;
	return true;
}

static struct interface *create(struct netdev *dev, struct interface *first)
{
	struct interface *i = kzalloc(sizeof(*i), GFP_ATOMIC), **link = &interfaces;

	if (!i)
		return NULL;
	i->dev = dev;
	i->first = first ? first : i;
	strlcpy(i->label, dev->name, sizeof(i->label));
	netif_add_noaddr(&i->n, i, netif_setup, netif_input);
	if (!number(i)) {
		netif_remove(&i->n);
		kfree(i);
		return NULL;
	}
	if (first && netif_is_up(&first->n))
		netif_set_flags(&i->n, NETIF_FLAG_UP | NETIF_FLAG_LINK_UP);
	while (*link && (*link)->dev->index <= dev->index)
		link = &(*link)->next;
	i->next = *link;
	*link = i;
	return i;
}

static void destroy(struct interface *i)
{
	struct interface **link = &interfaces;

	ip4_addr_set_zero(ip_2_ip4(&i->n.ip_addr));	/* or lwIP resets all connections of the address */
	netif_remove(&i->n);
	etharp_cleanup_netif(&i->n);
	while (*link != i)
		link = &(*link)->next;
	*link = i->next;
	kfree(i);
}

struct interface *interface_add4(struct interface *first)
{
	return first->has_address ? create(first->dev, first) : first;
}

/* The first interface stays; it takes over the address of the next. */
void interface_remove4(struct interface *i)
{
	struct interface *heir = i->next && i->next->first == i ? i->next : NULL;

	if (i->first != i) {
		destroy(i);
		return;
	}
	if (!heir) {
		i->has_address = false;
		i->address.addr = 0;
		strlcpy(i->label, i->dev->name, sizeof(i->label));
		interface_apply4(i);
		return;
	}
	i->prefix = heir->prefix;
	i->scope = heir->scope;
	i->address_flags = heir->address_flags;
	i->address = heir->address;
	i->peer = heir->peer;
	i->broadcast = heir->broadcast;
	i->valid_until = heir->valid_until;
	i->preferred_until = heir->preferred_until;
	strlcpy(i->label, heir->label, sizeof(i->label));
	destroy(heir);
	interface_apply4(i);
}

void interface_apply4(struct interface *i)
{
	u32 mask = i->has_address ? lwip_htonl(prefix_mask4(i->prefix)) : 0;

	/* Not netif_set_addr(), which resets the connections of the old address. */
	ip4_addr_set_u32(ip_2_ip4(&i->n.ip_addr), i->has_address ? i->address.addr : 0);
	ip4_addr_set_u32(ip_2_ip4(&i->n.netmask), mask);
	if (i->has_address && netif_is_up(&i->n) && (i->n.flags & NETIF_FLAG_ETHARP)) {
		net_link_used();
		etharp_gratuitous(&i->n);
	}
}

static void go_up(struct netdev *dev)
{
	struct interface *first = dev->inet;
	ip6_addr_t one;
	u64 id;

	for_each_interface(i)
		if (i->dev == dev) {
			netif_set_up(&i->n);
			if (dev->carrier)
				netif_set_link_up(&i->n);
			interface_apply4(i);
		}
	if (interface_is_loopback(first)) {
		IP6_ADDR(&one, 0, 0, 0, PP_HTONL(1));
		ip6_addr_clear_zone(&one);
		ip6_addr_copy(*ip_2_ip6(&first->n.ip6_addr[0]), one);
		first->n.ip6_addr_state[0] = IP6_ADDR_PREFERRED;
		return;
	}
	net_link_used();
	if (!dev->header_len) {
		random_bytes(&id, sizeof(id));		/* it has no number of its own to make one of */
		IP6_ADDR(&one, PP_HTONL(0xfe800000), 0, (u32)id, (u32)(id >> 32));
		ip6_addr_assign_zone(&one, IP6_UNICAST, &first->n);
		ip6_addr_copy(*ip_2_ip6(&first->n.ip6_addr[0]), one);
		first->n.ip6_addr_state[0] = IP6_ADDR_PREFERRED;
		return;
	}
	netif_create_ip6_linklocal_address(&first->n, 1);
	first->n.ip6_autoconfig_enabled = 1;
	nd6_restart_netif(&first->n);
}

/* As on Linux the IPv4 addresses stay with a device that is down, those of IPv6 do not. */
static void go_down(struct netdev *dev)
{
	struct interface *first = dev->inet;

	net_link_used();		/* its neighbours, routers and networks are forgotten */
	memset(first->prefix6, 0, sizeof(first->prefix6));
	for (s8_t k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++) {
		netif_ip6_addr_set_state(&first->n, k, IP6_ADDR_INVALID);
		ip_addr_set_zero_ip6(&first->n.ip6_addr[k]);
	}
	for_each_interface(i)
		if (i->dev == dev) {
			netif_set_down(&i->n);
			netif_set_link_down(&i->n);
		}
}

static void link_changed(struct netdev *dev)
{
	net_link_used();
	for_each_interface(i)
		if (i->dev == dev && netif_is_up(&i->n)) {
			if (dev->carrier)
				netif_set_link_up(&i->n);
			else
				netif_set_link_down(&i->n);
		}
}

static void device_changed(struct netdev *dev)
{
	for_each_interface(i)
		if (i->dev == dev) {
			i->n.mtu = (u16_t)clamp(dev->mtu, IPV4_MTU_MIN, MTU_MAX);	/* lwIP's arithmetic knows no less */
			i->n.mtu6 = i->n.mtu;
			if (i->n.flags & NETIF_FLAG_ETHERNET)
				memcpy(i->n.hwaddr, dev->address, ETH_HWADDR_LEN);
		}
}

static void announce(struct netdev *dev)
{
	for_each_interface(i)
		if (i->dev == dev)
			interface_apply4(i);
}

static void forget(struct netdev *dev)
{
	struct interface *first = dev->inet;

	while (first->next && first->next->first == first)
		destroy(first->next);
	dev->inet = NULL;
	destroy(first);
	netdev_put(dev);
}

static int admit(struct netdev *dev)
{
	net_core_lock();
	dev->inet = create(dev, NULL);
	net_core_unlock();
	if (dev->inet)
		netdev_get(dev);
	return dev->inet || dev->index > NETDEV_INDEX_MAX ? 0 : -ENOMEM;
}

static void drop(struct netdev *dev)
{
	if (!dev->inet)
		return;
	net_core_lock();
	forget(dev);
	net_core_unlock();
}

static void netdev_changed(struct netdev *dev, enum netdev_event e)
{
	bool known;

	if ((e == NETDEV_UP || e == NETDEV_DOWN) && dev->header_len && !(dev->flags & IFF_LOOPBACK))
		netdev_allmulti(dev, e == NETDEV_UP ? 1 : -1);	/* lwIP's groups come and go where no filter can be set; it looks itself */
	net_core_lock();
	known = dev->inet;
	if (known)
		switch (e) {
		case NETDEV_UP: go_up(dev); break;
		case NETDEV_GOING_DOWN: routes_device_down(dev); go_down(dev); break;
		case NETDEV_CARRIER: link_changed(dev); break;
		case NETDEV_MTU: case NETDEV_ADDRESS: device_changed(dev); break;
		case NETDEV_ANNOUNCE: announce(dev); break;
		case NETDEV_UNREGISTERED: routes_device_down(dev); forget(dev); break;
		default: break;
		}
	net_core_unlock();
	if (known && e == NETDEV_UP)
		addresses_device_up(dev);
	if (known && e == NETDEV_MTU)
		addresses_mtu(dev);
}
NETDEV_LISTENER(inet, .event = netdev_changed, .admit = admit, .drop = drop);
