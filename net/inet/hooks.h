/* Where lwIP asks us: routes, initial sequence numbers, segments before they reach a connection and before they leave it, packets that nobody takes.
 * Context: core locked. */
#pragma once
#include <kernel/lib/string.h>
#include <lwip/ip_addr.h>
#include <lwip/prot/tcp.h>
#include <lwip/tcp.h>

struct netif;
struct pbuf;
struct tcp_seg;

struct netif *route_hook4(const ip4_addr_t *src, const ip4_addr_t *dest);
const ip4_addr_t *route_hook_gateway4(struct netif *n, const ip4_addr_t *dest);
struct netif *route_hook6(const ip6_addr_t *src, const ip6_addr_t *dest);
const ip6_addr_t *route_hook_gateway6(struct netif *n, const ip6_addr_t *dest);
/* neighbour_hook_queued - p is about to wait for a neighbour's address: true, it has to be copied for that. */
bool neighbour_hook_queued(const struct pbuf *p);
/* icmp_hook_unreachable - p, from its IP header on, waited for a neighbour who does not answer: its sender is told (EHOSTUNREACH). */
void icmp_hook_unreachable(struct pbuf *p);
/* ip6_hook_long - p, of proto, was put together of fragments; its IP headers stand before its payload, and their length does not fit into p's.  Consumes p. */
void ip6_hook_long(struct pbuf *p, u16_t header, u8_t proto);
u32_t tcp_hook_isn(const ip_addr_t *local, u16_t lport, const ip_addr_t *remote, u16_t rport);
struct tcp_pcb *tcp_hook_find(const ip_addr_t *remote, u16 rport, const ip_addr_t *local, u16 lport);
struct tcp_pcb_listen *tcp_hook_find_listener(const ip_addr_t *remote, u16 rport, const ip_addr_t *local, u16 lport);
void tcp_hook_registered(struct tcp_pcb *pcb);
void tcp_hook_removed(struct tcp_pcb *pcb);
/* A segment's options as lwIP found them: len bytes in all, the first len1 behind the header, the rest at more. */
struct tcp_options_in { u16_t len, len1; u8_t *more; };
/* tcp_only_stamp - is the time stamp the only option, where all senders put it (RFC 7323, appendix A)?  Nearly every segment of a connection is so. */
static inline bool tcp_only_stamp(const struct tcp_hdr *hdr, const struct tcp_options_in *o)
{
	static const u8_t usual[4] = { 1, 1, 8, 10 };	/* NOP, NOP, TS and its length */

	return o->len == 12 && o->len1 == 12 && !memcmp(hdr + 1, usual, sizeof(usual));
}
/* tcp_option - the value of size bytes of that option; false: there is none, or of another size. */
bool tcp_option(const struct tcp_hdr *hdr, const struct tcp_options_in *o, u8 wanted, u8 *value, u32 size);
/* tcp_hook_sent - a segment goes out: p from its header on, whose checksum is still to come.  pcb may be NULL. */
void tcp_hook_sent(const struct tcp_pcb *pcb, const struct pbuf *p, struct tcp_hdr *hdr);
/* tcp_hook_small - a segment that was not full is under way. */
bool tcp_hook_small(const struct tcp_pcb *pcb);
err_t tcp_hook_segment(struct tcp_pcb *pcb, struct tcp_hdr *hdr, const struct tcp_options_in *options, struct pbuf *p);
/* Large segments (tcp_large.c).  tcp_hook_segment_size - the most data and options that a segment made now may have.  tcp_hook_output - the first of those
 * that wait is about to be sent by n, if it fits in the window: it becomes what may go.  False: no memory, stop here.
 * tcp_hook_cut - seg has at most n bytes, and the next one the rest; false: no memory, or no segment.  tcp_hook_rexmit - the first that is under way is to
 * be sent again.  tcp_hook_acked - the first of a queue was acknowledged up to ackno, if it reaches that far: how many bytes have left it.
 * interface_hook_large - p, from its IP header on, is too large for n: does n cut it, so that it does not have to be made fragments of?  Else it is ready for
 * that. */
u16_t tcp_hook_segment_size(const struct tcp_pcb *pcb);
bool tcp_hook_output(struct tcp_pcb *pcb, const struct netif *n, u32 window);
bool tcp_hook_cut(struct tcp_pcb *pcb, struct tcp_seg *seg, u32 n);
void tcp_hook_rexmit(struct tcp_pcb *pcb);
u32 tcp_hook_acked(struct tcp_pcb *pcb, struct tcp_seg *seg, u32 ackno);
bool interface_hook_large(const struct netif *n, struct pbuf *p);
