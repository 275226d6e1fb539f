/* Datagrams of IPv6 that are longer than lwIP can say.
 *
 * IPv6's length does not count its header: 65535 bytes may follow it.  lwIP has the length of a packet, header and all, in 16 bits, so those with more than
 * 65495 behind the header never become a packet of its.  Going out they are cut here, each fragment a small packet for lwIP, whose data happens to begin with
 * the fragment's header.  Coming in, lwIP's reassembly keeps fragments without their headers, and gives the sum to ip6_hook_long() instead of to
 * ip6_input() (patches/lwip.patch); from there it goes to those who would have seen it.  That is UDP, raw sockets and ICMPv6, whose echoes lwIP could not
 * answer; no segment of TCP is so long. */
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/ip6_frag.h>
#include <lwip/nd6.h>
#include <lwip/prot/icmp6.h>
#include <kernel/lib/string.h>
#include <kernel/random/random.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <net/inet/buffer.h>
#include <net/inet/dgram.h>
#include <net/inet/hooks.h>
#include <net/inet/inet.h>
#include <net/inet/route.h>

#define PART_MOST	16384u	/* of what goes by lo: memory is had in such pieces */

err_t long6_output(const struct pbuf *p, const ip6_addr_t *from, const ip6_addr_t *to, u8 hops, u8 tclass, u8 proto, struct netif *n)
{
	u32 most = min((nd6_get_destination_mtu(to, n) - (u32)(IP6_HLEN + IP6_FRAG_HLEN)) & ~7u, PART_MOST), id = (u32)random_u64();
	err_t err = ERR_OK;

	for (u32 at = 0; at < p->tot_len && err == ERR_OK; at += most) {
		u32 len = min(p->tot_len - at, most);
		struct pbuf *part = pbuf_alloc(PBUF_IP, (u16_t)(IP6_FRAG_HLEN + len), PBUF_RAM);
		struct ip6_frag_hdr *h;

		if (!part)
			return ERR_MEM;
		h = part->payload;
		*h = (struct ip6_frag_hdr){ ._nexth = proto, ._identification = id,
					    ._fragment_offset = lwip_htons((u16)(at | (at + len < p->tot_len ? IP6_FRAG_MORE_FLAG : 0))) };
		pbuf_copy_partial(p, h + 1, (u16_t)len, (u16_t)at);
		err = ip6_output_if_src(part, from, to, hops, tclass, IP6_NEXTH_FRAGMENT, n);
		pbuf_free(part);
	}
	return err;
}

/* p is an echo: answer it. */
static void answer(const struct pbuf *p)
{
	const ip_addr_t *to = ip_current_src_addr(), *from = ip_current_dest_addr();
	struct pbuf *q = pbuf_duplicate(p);
	struct icmp6_hdr *h;
	struct route_answer a;

	if (!q)
		return;
	h = q->payload;
	if ((ip_current_input_netif()->chksum_flags & NETIF_CHECKSUM_CHECK_ICMP6) && ip_chksum_pseudo(q, IPPROTO_ICMPV6, q->tot_len, to, from))
		goto out;
	h->type = ICMP6_TYPE_EREP;
	h->chksum = 0;
	h->chksum = ip_chksum_pseudo(q, IPPROTO_ICMPV6, q->tot_len, from, to);
	if (!route_lookup(to, from, 0, &a)) {
		dgram_counts.icmp_out++;
		long6_output(q, ip_2_ip6(from), ip_2_ip6(to), LWIP_ICMP6_HL, 0, IPPROTO_ICMPV6, &a.i->n);
	}
out:
	pbuf_free(q);
}

void ip6_hook_long(struct pbuf *p, u16_t header, u8_t proto)
{
	if (raw_ports.users)
		raw_fan_out(p, 0, proto, true);
	if (proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE) {
		udp_in(p, header, proto == IPPROTO_UDPLITE);
		return;
	}
	if (proto == IPPROTO_ICMPV6 && !icmp_tap(p, 0, true) && p->len >= sizeof(struct icmp6_hdr) && *(const u8 *)p->payload == ICMP6_TYPE_EREQ &&
	    !ip_addr_ismulticast(ip_current_dest_addr()))
		answer(p);
	pbuf_free(p);
}
