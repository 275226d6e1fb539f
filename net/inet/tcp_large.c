/* TCP: segments larger than the wire's, which the device cuts (segmentation offload).
 *
 * Theory.  What a segment costs on its way out (a structure and pbufs for it, headers, the way through IP, a packet, entries of the ring, and all of that
 * given back) is the same for any size.  Where the device can cut (NETDEV_TSO4, NETDEV_TSO6), lwIP therefore makes segments of up to 64 KiB, always of whole
 * segments of the wire; their bytes are never moved or copied, only the packet says how they are to be cut (packet.h: gso_size).
 *
 * To lwIP a large segment is a segment like any other.  What it would do badly with one is done here, by hooks (patches/lwip.patch):
 * - making (tcp_hook_segment_size): as much data as fits, if the last segment sent went where somebody cuts (pcb->large).
 * - sending (tcp_hook_output, with each segment): lwIP sends a segment whole or not at all.  One that does not fit in the window is cut, and its first part
 *   goes: all that fits in whole segments of the wire.  While others are under way it waits until that is a quarter of the window, so that not each
 *   acknowledgement cuts off another piece.  Part of a wire's segment at the very end stays back as Nagle's rule and TF_HOLD say.  The same cut makes segments
 *   of the wire's size where the way has become one on which nobody cuts, or a path that shrank: exactly those that there would have been.
 * - acknowledged in part (tcp_hook_acked): what was acknowledged leaves the segment at once, so that one sent again begins where the other side waits.
 * - lost (tcp_hook_rexmit, and tcp_hook_output after a time-out, when the window is one segment): one segment of the wire is cut off and sent again, no more.
 * - too large for IP (interface_hook_large): it is not made fragments of.
 *
 * How the device has to cut is found when the packet leaves (interface_out.c), by the connection that its headers name (tcp_wire_size): so a segment that has
 * waited for a neighbour's address, or was made before the path shrank, is cut as is right now.
 *
 * A cut moves no bytes: data lies in chunks, pbufs (PBUF_ROM) point there, and one that is cut in the middle gets another beside it.  A packet in
 * the ring holds chunks, not pbufs: it does not mind.
 *
 * Urgent data (the pointer counts from a segment's beginning, and the device would repeat it) and segments of less than LARGE_WIRE_MIN bytes go one by one.
 *
 * Rejected: to join small segments again just above the driver.  It leaves lwIP as it is, but saves only the last third of what a segment costs: measured
 * over a tap 2.65 million instructions a MiB, of which IP, packet and ring are 0.9. */
#include <lwip/ip.h>
#include <lwip/memp.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <net/inet/hooks.h>
#include <net/inet/interface.h>
#include <net/inet/tcp.h>
#include <net/inet/tcp_large.h>
#include <net/packet.h>

#define PBUFS_MAX	(PACKET_PIECES - 1)	/* of data, that a packet can refer to */
#define QUEUE_MAX	0xfffdu			/* lwIP counts pbufs in 16 bits */

static u32 seqno(const struct tcp_seg *seg) { return lwip_ntohl(seg->tcphdr->seqno); }

static u32 options_of(const struct tcp_seg *seg) { return LWIP_TCP_OPT_LENGTH(seg->flags); }

/* Data of a segment of the wire, with so many bytes of options, by that interface. */
static u32 wire_size(const struct tcp_pcb *pcb, u32 options, const struct netif *n)
{
	u32 headers = IP_IS_V6(&pcb->remote_ip) ? IP6_HLEN + TCP_HLEN : IP_HLEN + TCP_HLEN;
	u32 mss = n ? min((u32)pcb->mss, (u32)n->mtu - headers) : pcb->mss;

	return mss > options ? mss - options : 1;
}

u32 tcp_wire_segments(const struct tcp_pcb *pcb, u32 len)
{
	u32 wire;

	if (likely(len <= pcb->mss))
		return 1;
	wire = wire_size(pcb, pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0, NULL);
	return (len + wire - 1) / wire;
}

u32 tcp_wire_data(const struct tcp_pcb *pcb, const struct tcp_seg *seg) { return wire_size(pcb, options_of(seg), NULL); }

bool tcp_ends_small(const struct tcp_pcb *pcb, u32 options, u32 len)
{
	u32 wire = wire_size(pcb, options, NULL);

	return len <= wire ? len && len < wire : len % wire;
}

/* --- cutting ----------------------------------------------------------------------------------------------------------------------- */

/* A segment that was sent has its IP header before it, and the link's. */
static void bare(struct tcp_seg *seg)
{
	u16_t len = (u16_t)((u8_t *)seg->tcphdr - (u8_t *)seg->p->payload);

	seg->p->len = (u16_t)(seg->p->len - len);
	seg->p->tot_len = (u16_t)(seg->p->tot_len - len);
	seg->p->payload = seg->tcphdr;
}

/* The header of what is cut off seg after n bytes: what ends a segment goes with it. */
static void write_header(struct tcp_seg *seg, struct tcp_seg *rest, u32 n)
{
	u16_t flags = TCPH_FLAGS(seg->tcphdr), ends = flags & (TCP_PSH | TCP_FIN), urgent = lwip_ntohs(seg->tcphdr->urgp);

	*rest->tcphdr = *seg->tcphdr;
	rest->tcphdr->seqno = lwip_htonl(seqno(seg) + n);
	if ((flags & TCP_URG) && urgent > n) {
		rest->tcphdr->urgp = lwip_htons((u16_t)(urgent - n));
	} else {
		flags &= (u16_t)~TCP_URG;
		rest->tcphdr->urgp = 0;
	}
	TCPH_HDRLEN_FLAGS_SET(rest->tcphdr, (u16_t)(5 + options_of(seg) / 4), flags);
	TCPH_UNSET_FLAG(seg->tcphdr, ends);
}

/* The pbufs behind the first off bytes of a chain: a chain of their own, of which *fresh says whether its first is new.  NULL: no memory, or the cut
 * would fall into a pbuf that owns its bytes. */
static struct pbuf *divide(struct pbuf *p, u32 off, bool *fresh)
{
	u32 rest = p->tot_len - off;
	struct pbuf *q = p, *behind;

	for (; off > q->len; q = q->next)
		off -= q->len;
	*fresh = off < q->len;
	if (*fresh) {
		behind = q->type_internal == PBUF_ROM ? pbuf_alloc(PBUF_RAW, (u16_t)(q->len - off), PBUF_ROM) : NULL;
		if (!behind)
			return NULL;
		behind->payload = (u8_t *)q->payload + off;
		behind->next = q->next;
		behind->tot_len = (u16_t)rest;
		q->len = (u16_t)off;
	} else {
		behind = q->next;
	}
	q->next = NULL;
	for (struct pbuf *r = p; r; r = r->next)
		r->tot_len = (u16_t)(r->tot_len - rest);
	return behind;
}

bool tcp_hook_cut(struct tcp_pcb *pcb, struct tcp_seg *seg, u32 n)
{
	struct tcp_seg *rest;
	struct pbuf *header, *data;
	bool fresh = false;

	if (!seg || !n)
		return false;
	if (seg->len <= n)
		return true;
	if (pcb->snd_queuelen > QUEUE_MAX)
		return false;
	bare(seg);
	header = pbuf_alloc(PBUF_TRANSPORT, (u16_t)options_of(seg), PBUF_RAM);
	rest = header ? memp_malloc(MEMP_TCP_SEG) : NULL;
	data = rest ? divide(seg->p, (u32)seg->p->tot_len - seg->len + n, &fresh) : NULL;
	if (!data || pbuf_add_header(header, TCP_HLEN)) {
		if (rest)
			memp_free(MEMP_TCP_SEG, rest);
		if (header)
			pbuf_free(header);
		return false;
	}
	header->next = data;
	header->tot_len = (u16_t)(header->len + data->tot_len);
	*rest = (struct tcp_seg){ .next = seg->next, .p = header, .len = (u16_t)(seg->len - n), .flags = seg->flags, .tcphdr = header->payload };
	write_header(seg, rest, n);
	seg->len = (u16_t)n;
	seg->next = rest;
	pcb->snd_queuelen = (u16_t)(pcb->snd_queuelen + 1 + fresh);
	/* Of the queue in which it is not, the last is another, or means nothing. */
	if (pcb->unsent_last == seg)
		pcb->unsent_last = rest;
	if (pcb->unacked_last == seg)
		pcb->unacked_last = rest;
	return true;
}

/* --- hooks ------------------------------------------------------------------------------------------------------------------------- */

u16_t tcp_hook_segment_size(const struct tcp_pcb *pcb)
{
	u32 half = min(pcb->snd_wnd_max / 2, 0xffffu), size = half && half < pcb->mss ? half : pcb->mss;

	if (pcb->large && size == pcb->mss) {
		u32 options = pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0;

		size = large_size(wire_size(pcb, options, NULL), pcb->snd_wnd_max) + options;
	}
	/* Not less than the last has, to which lwIP adds what is missing. */
	return (u16_t)(pcb->unsent ? max(size, pcb->unsent_last->len + options_of(pcb->unsent_last)) : size);
}

/* How much of seg one packet can refer to. */
static u32 in_one_packet(const struct tcp_seg *seg)
{
	u32 len = 0, nr = 0;

	for (const struct pbuf *q = seg->p->next; q && nr < PBUFS_MAX; q = q->next, nr++)
		len += q->len;
	return len;
}

static bool may_grow(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	if (seg->next || (pcb->flags & (TF_INFR | TF_FIN | TF_NAGLEMEMERR)) || (TCPH_FLAGS(seg->tcphdr) & TCP_FIN))
		return false;
	return pcb->flags & TF_HOLD ? (s32)(seqno(seg) + seg->len - pcb->snd_nxt) > 0 : !(pcb->flags & TF_NODELAY) && tcp_hook_small(pcb);
}

bool tcp_hook_output(struct tcp_pcb *pcb, const struct netif *n, u32 window)
{
	struct tcp_seg *seg = pcb->unsent;
	struct large_place l = { .len = seg->len, .window = window, .wire = wire_size(pcb, options_of(seg), n) };
	u32 ahead = seqno(seg) - pcb->lastack, part;

	pcb->large = interface_cuts(n, IP_IS_V6(&pcb->remote_ip));
	if (likely(l.len <= l.wire))
		return true;
	l.most = pcb->large && !(TCPH_FLAGS(seg->tcphdr) & TCP_URG) ? max(in_one_packet(seg), l.wire) : l.wire;
	l.room = (s32)ahead <= 0 ? window : ahead < window ? window - ahead : 0;
	l.in_flight = pcb->unacked && !(pcb->flags & (TF_INFR | TF_RTO));
	l.open = may_grow(pcb, seg);
	part = large_part(&l);
	if (!part || tcp_hook_cut(pcb, seg, part))
		return true;
	tcp_set_flags(pcb, TF_NAGLEMEMERR);
	if (pcb->rtime < 0)
		pcb->rtime = 0;		/* the timer tries again */
	return false;
}

void tcp_hook_rexmit(struct tcp_pcb *pcb)
{
	struct tcp_seg *seg = pcb->unacked;
	u32 wire = wire_size(pcb, options_of(seg), NULL);

	if (seg->len > wire)
		(void)tcp_hook_cut(pcb, seg, wire);	/* no memory: all of it is sent again */
}

u32 tcp_hook_acked(struct tcp_pcb *pcb, struct tcp_seg *seg, u32 ackno)
{
	u32 n = ackno - seqno(seg), left = n;

	if ((s32)n <= 0 || n >= seg->len || (TCPH_FLAGS(seg->tcphdr) & (TCP_SYN | TCP_URG)))
		return 0;
	bare(seg);
	if (seg->p->tot_len - seg->p->len != seg->len)
		return 0;		/* bytes beside the header */
	while (left) {
		struct pbuf *q = seg->p->next;

		if (left < q->len) {
			q->payload = (u8_t *)q->payload + left;
			q->len = (u16_t)(q->len - left);
			q->tot_len = (u16_t)(q->tot_len - left);
			break;
		}
		left -= q->len;
		seg->p->next = q->next;
		q->next = NULL;
		pbuf_free(q);
		pcb->snd_queuelen--;
	}
	seg->p->tot_len = (u16_t)(seg->p->tot_len - n);
	seg->len = (u16_t)(seg->len - n);
	seg->tcphdr->seqno = lwip_htonl(ackno);
	return n;
}

/* --- the way out ------------------------------------------------------------------------------------------------------------------- */

u32 tcp_wire_size(const struct netif *n, const u8 *ip, u32 run)
{
	bool six = ip[0] >> 4 == 6;
	u32 header = six ? IP6_HLEN : (ip[0] & 15) * 4u;
	const struct tcp_hdr *h = (const struct tcp_hdr *)(ip + header);
	ip_addr_t local, remote;
	const struct tcp_pcb *pcb;

	if (run < header + TCP_HLEN || TCPH_HDRLEN_BYTES(h) < TCP_HLEN)
		return 0;
	if (!six) {
		const struct ip_hdr *four = (const struct ip_hdr *)ip;

		if (IPH_PROTO(four) != IP_PROTO_TCP || (IPH_OFFSET(four) & PP_HTONS(IP_OFFMASK | IP_MF)))
			return 0;
		ip_addr_copy_from_ip4(local, four->src);
		ip_addr_copy_from_ip4(remote, four->dest);
	} else {
		const struct ip6_hdr *header = (const struct ip6_hdr *)ip;

		if (IP6H_NEXTH(header) != IP6_NEXTH_TCP)
			return 0;
		ip_addr_copy_from_ip6_packed(local, header->src);
		ip_addr_copy_from_ip6_packed(remote, header->dest);
		ip6_addr_assign_zone(ip_2_ip6(&local), IP6_UNICAST, n);
		ip6_addr_assign_zone(ip_2_ip6(&remote), IP6_UNICAST, n);
	}
	pcb = tcp_find(&local, lwip_ntohs(h->src), &remote, lwip_ntohs(h->dest));
	return pcb ? wire_size(pcb, TCPH_HDRLEN_BYTES(h) - TCP_HLEN, n) : 0;
}
