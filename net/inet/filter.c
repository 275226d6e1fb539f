/* SO_ATTACH_FILTER on Internet sockets: what a filter sees of what arrives.
 *
 * As on Linux it begins with the transport's header (of a raw IPv4 socket with IP's), and what is before that is reached by SKF_NET_OFF.  A datagram may
 * be cut to what the filter keeps, but not into its header; a segment of TCP is taken whole or not at all. */
#include <lwip/ip.h>
#include <lwip/pbuf.h>
#include <lwip/prot/tcp.h>
#include <kernel/lib/string.h>
#include <net/filter.h>
#include <net/inet/inet.h>
#include <net/inet/interface.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

struct pbuf_input { struct filter_input in; const struct pbuf *p; u32 before; };

static const void *ip_header(void)
{
	return ip_current_is_v6() ? (const void *)ip6_current_header() : (const void *)ip4_current_header();
}

/* off may be negative, down to the beginning of IP's header, which lwIP knows. */
static bool load(const struct filter_input *in, u32 off, u32 size, u32 *value)
{
	const struct pbuf_input *b = container_of(in, struct pbuf_input, in);
	s32 at = (s32)off;
	u8 bytes[4];

	if (at < 0 ? (u32)-at > b->before || at + (s32)size > 0 : off >= in->len || size > in->len - off)
		return false;
	if (at < 0)
		memcpy(bytes, (const u8 *)ip_header() + (s32)b->before + at, size);
	else
		pbuf_copy_partial(b->p, bytes, (u16_t)size, (u16_t)off);
	*value = 0;
	for (u32 k = 0; k < size; k++)
		*value = *value << 8 | bytes[k];
	return true;
}

static u32 run(struct inet_sock *i, const struct pbuf *p)
{
	u32 before = i->s.type == SOCK_RAW && !ip_current_is_v6() ? 0 : ip_current_header_tot_len();
	const struct netdev *dev = interface_of(ip_current_input_netif())->dev;
	struct pbuf_input b = { .p = p, .before = before };

	b.in = (struct filter_input){ .len = p->tot_len, .net_off = (u32)-(s32)before, .ifindex = dev->index, .hatype = dev->type, .load = load,
				      .protocol = ip_current_is_v6() ? ETH_P_IPV6 : ETH_P_IP,
				      .pkttype = ip_addr_ismulticast(ip_current_dest_addr()) ? PACKET_MULTICAST : PACKET_HOST };
	return socket_filter(&i->s, &b.in);
}

bool inet_filter(struct inet_sock *i, struct pbuf *p, u32 least)
{
	u32 keep = run(i, p);

	if (keep && max(keep, least) < p->tot_len)
		pbuf_realloc(p, (u16_t)max(keep, least));
	return keep;
}

static void swap_fields(struct tcp_hdr *h)
{
	h->src = lwip_htons(h->src);
	h->dest = lwip_htons(h->dest);
	h->seqno = lwip_htonl(h->seqno);
	h->ackno = lwip_htonl(h->ackno);
	h->wnd = lwip_htons(h->wnd);
}

/* lwIP has taken the header off the segment and read its fields; both are undone for as long as the filter looks. */
bool inet_filter_segment(struct inet_sock *i, struct tcp_hdr *h, struct pbuf *p, u32 header)
{
	bool keep;

	if ((u8 *)p->payload - header != (u8 *)h)
		return true;		/* options in a second piece: nobody sends such */
	pbuf_header_force(p, (s16_t)header);
	swap_fields(h);
	keep = run(i, p);
	swap_fields(h);
	pbuf_remove_header(p, header);
	return keep;
}
