/* Packets from lwIP to devices.
 *
 * lwIP hands over a chain of pbufs; it becomes a packet (buffer.h) on a list that is transmitted when the core is unlocked, or another
 * device's turn comes: one doorbell for all that one holder of the lock had to say.
 *
 * Checksums.  lwIP asks an interface's chksum_flags before it adds up.  It never does for TCP, nor for UDP where the device offers to: what a device can
 * fill in is left to it (PACKET_SUM_PARTIAL: found by the field that is still zero), else it is added up when the packet is whole, since a tap's program may
 * change its mind at any time.  Nothing is added up on lo.
 *
 * Segments of TCP larger than the wire's (tcp_large.c) are for a device that cuts: how it has to is found last, by the connection that the headers name.
 *
 * A device without link headers (a tun) carries what IP has made: no neighbours are asked for.  lwIP adds up all sums of what goes out by it. */
#include <lwip/inet_chksum.h>
#include <lwip/prot/tcp.h>
#include <linux/virtio_net.h>
#include <kernel/lib/string.h>
#include <net/inet/address.h>
#include <net/inet/buffer.h>
#include <net/inet/dgram.h>
#include <net/inet/engine.h>
#include <net/inet/hooks.h>
#include <net/inet/interface.h>
#include <net/inet/interface_internal.h>
#include <net/inet/neighbour.h>
#include <net/inet/pmtu.h>
#include <net/inet/route.h>
#include <net/inet/tcp.h>
#include <net/inet/tcp_large.h>

bool interface_no_echo, interface_whole;
struct dgramsock *interface_sender;
static LIST_HEAD(to_send);		/* [C] packets of one device */

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

err_t interface_setup(struct netif *n)
{
	const struct netdev *dev = interface_of(n)->dev;

	n->mtu = (u16_t)clamp(dev->mtu, IPV4_MTU_MIN, INTERFACE_MTU_MAX);
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
