/* SYN cookies: listeners under a flood (D. J. Bernstein; as on Linux with tcp_syncookies=1).
 *
 * A listener whose queue of handshakes is full answers further SYNs without noting anything down: what it would have to remember lies in the sequence
 * number of its answer, the cookie, and comes back with the other side's acknowledgement.  5 bits of a clock of 64 s, 3 of which segment size was
 * offered, 24 of a keyed hash of these, of both ends and of the other side's number: nobody can make one up but by 16 million tries.  A cookie is
 * good for two turns of the clock.  If the other side stamps its segments, the low bits of our stamp come back as well: 4 of window scale, one for SACK;
 * without stamps a connection made this way does without both.
 *
 * When an acknowledgement with a good cookie comes, lwIP is given the SYN once more, as it must have been, with the cookie for its initial
 * number, and without letting the answer out; then the acknowledgement goes its ordinary way.  That is done by a tap that sees segments before lwIP
 * does, and only while a listener has sent cookies not long ago.
 *
 * Rejected: records smaller than a pcb for handshakes under way.  They make a flood cheaper, not harmless. */
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>
#include <kernel/lib/siphash.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/random/random.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <net/inet/engine.h>
#include <net/inet/hooks.h>
#include <net/inet/syncookie.h>
#include <net/inet/tcp.h>

#define TURN_NS		(64 * NSEC_PER_SEC)
#define NO_SCALE	15u		/* of window scales up to 14 */
#define STAMP_BITS	31u

static const u16 sizes[8] = { 216, 536, 1220, 1300, 1440, 1460, 8960, 65475 };

static u64 cookies = 1;
SYSCTL(cookies, "net/ipv4/tcp_syncookies", .value = &cookies, .min = 0, .max = 2);

static u64 key[2], last_until;		/* [C] */
static bool replaying;			/* [C] lwIP is being given a SYN once more */
static u32 replayed_isn;		/* [C] */

/* What a SYN offers. */
struct offer { u16 size; bool stamps, sack; u32 stamp; u8 scale; };

struct ends { const ip_addr_t *local, *remote; u16 lport, rport; };

static u32 hash(const struct ends *e, u32 isn, u32 head)
{
	bool v4 = IP_IS_V4(e->remote);
	u64 words[6];
	u32 n = 0;

	words[n++] = (u64)e->lport << 48 | (u64)e->rport << 32 | isn;
	words[n++] = head;
	for (int k = 0; k < (v4 ? 1 : 4); k++)
		words[n++] = v4 ? (u64)ip_2_ip4(e->local)->addr << 32 | ip_2_ip4(e->remote)->addr :
				  (u64)ip_2_ip6(e->local)->addr[k] << 32 | ip_2_ip6(e->remote)->addr[k];
	return (u32)siphash(key, words, n) & 0xffffff;
}

static u32 turn_now(void)
{
	return (u32)(clock_mono_ns() / TURN_NS) & 31;
}

static u32 make(const struct ends *e, u32 isn, u16 size)
{
	u32 k = ARRAY_SIZE(sizes) - 1;

	while (k && sizes[k] > size)
		k--;
	k |= turn_now() << 3;
	return k << 24 | hash(e, isn, k);
}

/* The segment size in a good cookie, 0 for others. */
static u16 check(const struct ends *e, u32 isn, u32 cookie)
{
	if (((turn_now() - (cookie >> 27)) & 31) > 1 || hash(e, isn, cookie >> 24) != (cookie & 0xffffff))
		return 0;
	return sizes[cookie >> 24 & 7];
}

/* --- the answer to a SYN ----------------------------------------------------------------------------------------------------------- */

static struct offer offer_of(const struct tcp_hdr *h, const struct tcp_options_in *o)
{
	struct offer f = { .size = 536, .scale = NO_SCALE };
	u8 v[8];

	if (tcp_option(h, o, LWIP_TCP_OPT_MSS, v, 2))
		f.size = (u16)(v[0] << 8 | v[1]);
	if (tcp_option(h, o, LWIP_TCP_OPT_TS, v, 8)) {
		f.stamps = true;
		f.stamp = (u32)v[0] << 24 | (u32)v[1] << 16 | (u32)v[2] << 8 | v[3];
		f.sack = tcp_option(h, o, LWIP_TCP_OPT_SACK_PERM, v, 0);
		if (tcp_option(h, o, LWIP_TCP_OPT_WS, v, 1))
			f.scale = min(v[0], (u8)14);
	}
	return f;
}

/* The options of a SYN that offers f, or of an answer to one: words. */
static u32 put_options(u32 *opt, const struct offer *f, u32 stamp, u32 echo, u8 scale)
{
	u32 n = 0;

	opt[n++] = lwip_htonl(0x02040000u | f->size);
	if (f->scale != NO_SCALE)
		opt[n++] = lwip_htonl(0x01030300u | scale);
	if (f->sack)
		opt[n++] = PP_HTONL(0x01010402u);
	if (f->stamps) {
		opt[n++] = PP_HTONL(0x0101080au);
		opt[n++] = lwip_htonl(stamp);
		opt[n++] = lwip_htonl(echo);
	}
	return n;
}

/* A segment without bytes, from its ports to its checksum. */
static struct pbuf *segment(u16 sport, u16 dport, u32 seq, u32 ack, u8 flags, u16 window, const u32 *opt, u32 words)
{
	struct pbuf *p = pbuf_alloc(PBUF_IP, (u16_t)(TCP_HLEN + words * 4), PBUF_RAM);
	struct tcp_hdr *h;

	if (!p)
		return NULL;
	h = p->payload;
	h->src = lwip_htons(sport);
	h->dest = lwip_htons(dport);
	h->seqno = lwip_htonl(seq);
	h->ackno = lwip_htonl(ack);
	TCPH_HDRLEN_FLAGS_SET(h, (u16_t)(5 + words), flags);
	h->wnd = lwip_htons(window);
	h->urgp = h->chksum = 0;
	MEMCPY(h + 1, opt, words * 4);
	return p;
}

static u32 stamp_with(u32 bits)
{
	u32 now = sys_now(), stamp = (now & ~STAMP_BITS) | bits;

	return (s32)(stamp - now) > 0 ? stamp - STAMP_BITS - 1 : stamp;
}

bool tcp_cookie_wanted(const struct tcpsock *l, bool full)
{
	return !replaying && (cookies == 2 || (cookies && full)) && l->state == TS_LISTENING;
}

void tcp_cookie_answer(struct tcpsock *l, const struct tcp_hdr *syn, const struct tcp_options_in *options)
{
	const struct ends e = { ip_current_dest_addr(), ip_current_src_addr(), syn->dest, syn->src };
	struct offer f = offer_of(syn, options);
	struct netif *n = ip_route(e.local, e.remote);
	u32 cookie, words, opt[10];
	struct pbuf *p;

	if (!n)
		return;
	if (!key[0])
		random_bytes(key, sizeof(key));
	cookie = make(&e, syn->seqno, f.size);
	f.size = tcp_eff_send_mss_netif(TCP_MSS, n, e.remote);
	if (l->maxseg)
		f.size = min(f.size, l->maxseg);
	words = put_options(opt, &f, stamp_with(f.scale | (f.sack ? 16u : 0)), f.stamp, TCP_RCV_SCALE);
	p = segment(syn->dest, syn->src, cookie, syn->seqno + 1, TCP_SYN | TCP_ACK, (u16)min(tcpsock_window(l), 0xffffu), opt, words);
	if (!p)
		return;
	IF__NETIF_CHECKSUM_ENABLED(n, NETIF_CHECKSUM_GEN_TCP)
		((struct tcp_hdr *)p->payload)->chksum = ip_chksum_pseudo(p, IP_PROTO_TCP, p->tot_len, e.local, e.remote);
	ip_output_if(p, e.local, e.remote, TCP_TTL, 0, IP_PROTO_TCP, n);
	pbuf_free(p);
	tcp_counts.cookies_sent++;
	if (!l->cookies_until && cookies == 1)
		pr_info("TCP: Possible SYN flooding on port %u. Sending cookies.\n", syn->dest);
	l->cookies_until = last_until = clock_mono_ns() + 2 * TURN_NS;
}

/* --- the acknowledgement ----------------------------------------------------------------------------------------------------------- */

bool tcp_cookie_replaying(u32 *isn)
{
	*isn = replayed_isn;
	return replaying;
}

/* The connection that a SYN with these offers makes; its own answer was sent, and got there. */
static void replay(const struct ends *e, const struct tcp_hdr *ack, const struct offer *f)
{
	u32 opt[10], words = put_options(opt, f, f->stamp, 0, f->scale);
	struct pbuf *p = segment(e->rport, e->lport, lwip_ntohl(ack->seqno) - 1, 0, TCP_SYN, 0xffff, opt, words);
	struct tcp_pcb *pcb;

	if (!p)
		return;
	((struct tcp_hdr *)p->payload)->wnd = ack->wnd;
	((struct tcp_hdr *)p->payload)->chksum = ip_chksum_pseudo(p, IP_PROTO_TCP, p->tot_len, e->remote, e->local);
	replayed_isn = lwip_ntohl(ack->ackno) - 1;
	replaying = true;
	tcp_input(p, ip_current_input_netif());
	replaying = false;
	tcp_input_pcb = NULL;		/* on_passive_open set it, for tcp_output() to leave it alone */
	pcb = tcp_find(e->local, e->lport, e->remote, e->rport);
	if (!pcb || !pcb->unsent)
		return;
	pcb->unacked = pcb->unacked_last = pcb->unsent;
	pcb->unsent = NULL;
	pcb->snd_nxt = pcb->snd_lbb;
	pcb->rtime = 0;
}

u8_t tcp_cookie_tap(struct pbuf *p, const ip_addr_t *local, const ip_addr_t *remote, u32 header)
{
	const struct tcp_hdr *h = (const struct tcp_hdr *)((const u8 *)p->payload + header);
	struct tcp_options_in options = { 0 };
	struct tcp_pcb_listen *lpcb;
	struct tcpsock *l;
	struct offer f;
	struct ends e;
	u8 v[8];

	if (!last_until || p->len < header + TCP_HLEN || (TCPH_FLAGS(h) & (TCP_ACK | TCP_SYN | TCP_RST)) != TCP_ACK)
		return 0;
	if (TCPH_HDRLEN_BYTES(h) < TCP_HLEN || p->len < header + TCPH_HDRLEN_BYTES(h))
		return 0;
	e = (struct ends){ local, remote, lwip_ntohs(h->dest), lwip_ntohs(h->src) };
	if (clock_mono_ns() > last_until) {
		last_until = 0;
		return 0;
	}
	lpcb = tcp_find(local, e.lport, remote, e.rport) ? NULL : tcp_hook_find_listener(remote, e.rport, local, e.lport);
	l = lpcb ? lpcb->callback_arg : NULL;
	if (!l || clock_mono_ns() > l->cookies_until)
		return 0;
	f = (struct offer){ .size = check(&e, lwip_ntohl(h->seqno) - 1, lwip_ntohl(h->ackno) - 1), .scale = NO_SCALE };
	if (!f.size) {
		tcp_counts.cookies_failed++;
		return 0;		/* lwIP resets it */
	}
	options.len = options.len1 = (u16)(TCPH_HDRLEN_BYTES(h) - TCP_HLEN);
	f.stamps = tcp_option(h, &options, LWIP_TCP_OPT_TS, v, 8);
	if (f.stamps) {
		f.stamp = (u32)v[0] << 24 | (u32)v[1] << 16 | (u32)v[2] << 8 | v[3];
		f.scale = v[7] & 15;
		f.sack = v[7] & 16;
	}
	if (tcpsock_full(l) || !tcpsock_spare(l)) {
		tcp_counts.listen_overflows++;
		pbuf_free(p);
		return 1;
	}
	tcp_counts.cookies_received++;
	replay(&e, h, &f);
	return 0;
}
