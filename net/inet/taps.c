/* Packets that lwIP shows us before it looks for one of its own: those of our sockets are taken here, and raw sockets get their copies.
 *
 * Theory.  lwIP's raw connections are filters by IP's protocol number.  There is one of ours for each number that somebody is there for, and they all
 * lead to tap(), which gives the packet on.  Of IPv6 that number is the first header's, whatever stands behind it: so the kinds of headers that lwIP
 * goes through have one, too, and the transport is looked for here. */
#include <lwip/ip.h>
#include <lwip/raw.h>
#include <kernel/errno.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <net/inet/dgram.h>
#include <net/inet/inet.h>
#include <net/inet/syncookie.h>
#include <net/inet/timewait.h>

static u8 watched[256 / 8];		/* [C] protocols that have a tap */

/* What stands behind the extension headers of IPv6, through which lwIP has gone: they are whole, and in the first buffer. */
static u8 transport_of(const struct pbuf *p, u32 header)
{
	const u8 *ip = p->payload;
	u8 next = IP6H_NEXTH((const struct ip6_hdr *)p->payload);

	for (u32 at = IP6_HLEN; at + 8 <= header;) {
		u32 len = next == IPPROTO_FRAGMENT ? 8 : (ip[at + 1] + 1u) * 8;

		next = ip[at];
		at += len;
	}
	return next;
}

/* lwIP goes by the first header's kind: a packet with others comes under the first one's number. */
static u8_t tap(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
	bool six = ip_current_is_v6();
	u32 header = ip_current_header_tot_len();
	u8 proto = six && header > IP6_HLEN ? transport_of(p, header) : (u8)(u64)arg;

	(void)pcb;
	if (raw_ports.users)
		raw_fan_out(p, header, proto, six);
	switch (proto) {
	case IPPROTO_UDP: return udp_tap(p, header, false);
	case IPPROTO_UDPLITE: return udp_tap(p, header, true);
	case IPPROTO_TCP: return tcp_time_wait_tap(p, ip_current_dest_addr(), from, header) || tcp_cookie_tap(p, ip_current_dest_addr(), from, header);
	case IPPROTO_ICMP: return !six && icmp_tap(p, header, false);
	case IPPROTO_ICMPV6: return six && icmp_tap(p, header, true);
	default: return 0;
	}
}

int raw_watch(u8 proto)
{
	struct raw_pcb *pcb;

	if (watched[proto / 8] & BIT(proto % 8))
		return 0;
	pcb = raw_new_ip_type(IPADDR_TYPE_ANY, proto);
	if (!pcb)
		return -ENOBUFS;
	raw_recv(pcb, tap, (void *)(u64)proto);
	watched[proto / 8] |= (u8)BIT(proto % 8);
	return 0;
}

void taps_init(void)
{
	static const u8 always[] = { IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS, IPPROTO_HOPOPTS, IPPROTO_ICMPV6, IPPROTO_ICMP, IPPROTO_UDP,
				     IPPROTO_UDPLITE, IPPROTO_TCP };

	for (u32 k = 0; k < ARRAY_SIZE(always); k++)
		(void)raw_watch(always[k]);
}
