/* Segments that lwIP would misunderstand, kept from it or made harmless.
 *
 * Numbers.  lwIP compares them by the sign of their difference; one that is half the circle away is before and behind all others at once, and its
 * data would be taken for what comes next.
 *
 * The largest segment.  lwIP takes the option from any segment, and would go on with another size in mid-stream: with less than a segment
 * already made has, or with more than the wire takes.  It counts once, where a connection begins.
 *
 * Segments that were joined (merge.c).  They come as one where that is the same as one after the other: the next bytes, nothing missing before them, inside the
 * window, nobody who wants to see them singly. */
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <net/inet/hooks.h>
#include <net/inet/tcp.h>

#define NUMBERS_FAR	(1u << 30)	/* no window is as wide */

static u8 *option_at(const struct tcp_hdr *hdr, const struct tcp_options_in *o, u32 i)
{
	return i < o->len1 ? (u8 *)(hdr + 1) + i : o->more + (i - o->len1);
}

/* The bytes of the option at i, 1 for one that has no length; 0: none is there, or none that could be read. */
static u32 option_len(const struct tcp_hdr *hdr, const struct tcp_options_in *o, u32 i)
{
	u8 kind = i < o->len ? *option_at(hdr, o, i) : LWIP_TCP_OPT_EOL;
	u32 len;

	if (kind == LWIP_TCP_OPT_EOL)
		return 0;
	if (kind == LWIP_TCP_OPT_NOP)
		return 1;
	len = i + 1 < o->len ? *option_at(hdr, o, i + 1) : 0;
	return len < 2 ? 0 : len;
}

bool tcp_option(const struct tcp_hdr *hdr, const struct tcp_options_in *o, u8 wanted, u8 *value, u32 size)
{
	for (u32 i = 0, len; (len = option_len(hdr, o, i)) != 0 && i + len <= o->len; i += len) {
		if (*option_at(hdr, o, i) != wanted || len != size + 2)
			continue;
		for (u32 k = 0; k < size; k++)
			value[k] = *option_at(hdr, o, i + 2 + k);
		return true;
	}
	return false;
}

static void strip_mss(const struct tcp_hdr *hdr, const struct tcp_options_in *o)
{
	for (u32 i = 0, len; (len = option_len(hdr, o, i)) != 0; i += len) {
		bool mss = *option_at(hdr, o, i) == LWIP_TCP_OPT_MSS;

		for (u32 k = i; mss && k < min(i + len, (u32)o->len); k++)
			*option_at(hdr, o, k) = LWIP_TCP_OPT_NOP;
	}
}

bool tcp_guard(struct tcp_pcb *pcb, const struct tcp_hdr *hdr, const struct tcp_options_in *options)
{
	u8 flags = TCPH_FLAGS(hdr);

	if (pcb->state < SYN_RCVD || pcb->state == TIME_WAIT)
		return true;
	if (options->len && !tcp_only_stamp(hdr, options))
		strip_mss(hdr, options);
	if (hdr->seqno - pcb->rcv_nxt + NUMBERS_FAR < 2 * NUMBERS_FAR)
		return true;
	if (pcb->state == SYN_RCVD)
		return false;
	if (flags & TCP_SYN)		/* lwIP tells it the number that is expected, wherever it is */
		return true;
	if (!(flags & TCP_RST)) {
		tcp_ack_now(pcb);
		(void)tcp_output(pcb);
	}
	return false;
}

bool tcp_takes_merged(const ip_addr_t *local, u16 lport, const ip_addr_t *remote, u16 rport, u8 netif, u32 seq, u32 len)
{
	const struct tcp_pcb *pcb = tcp_find(local, lport, remote, rport);
	const struct tcpsock *t = pcb ? pcb->callback_arg : NULL;

	if (!t || pcb->state != ESTABLISHED || pcb->rcv_nxt != seq || pcb->ooseq || pcb->refused_data || len > pcb->rcv_wnd)
		return false;
	if (pcb->netif_idx != NETIF_NO_INDEX && pcb->netif_idx != netif)
		return false;
	return !READ_ONCE(t->i.s.filter) && t->urgent != URGENT_EXPECTED;
}
