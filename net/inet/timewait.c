/* What is left of TCP connections: TIME_WAIT.
 *
 * A connection that ended itself first must be remembered for a minute: a late segment must not be taken for one of a new connection between the
 * same two, and the other side may ask for the last acknowledgement again.  lwIP keeps the whole pcb for that, on one list.  Here each becomes a record
 * of what is needed, in a hash table, before the core is unlocked; beyond time_wait_max the connection is forgotten at once, as on Linux.
 *
 * Segments for a record are seen by a raw tap, before lwIP looks for a connection.  (A new connection between the same two takes the record away, so
 * that there is never both.)  A SYN beyond what was received opens the place again for a listener; all else that carries something is
 * acknowledged.
 *
 * A program that connects from a port that has a record with the same peer may do so after a second, if both sides stamp their segments:
 * stamps tell old ones from new ones then (RFC 6191). */
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/raw.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/string.h>
#include <kernel/random/random.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <mm/slab.h>
#include <net/inet/engine.h>
#include <net/inet/hooks.h>
#include <net/inet/interface.h>
#include <net/inet/syncookie.h>
#include <net/inet/tcp.h>
#include <net/inet/timewait.h>

#define LASTS_NS	(2 * (u64)TCP_MSL * NSEC_PER_MSEC)
#define REUSE_NS	NSEC_PER_SEC

static struct time_wait *table[TIME_WAIT_BUCKETS];	/* [C] */
static u32 count;					/* [C] */
static u64 time_wait_max = 16384;
SYSCTL(time_wait_max, "net/ipv4/tcp_max_tw_buckets", .value = &time_wait_max, .min = 0, .max = 0x7fffffff);

static u32 bucket_of(const ip_addr_t *local, u16 lport, const ip_addr_t *remote, u16 rport)
{
	u64 a = IP_IS_V4(remote) ? ip_2_ip4(remote)->addr : ip_2_ip6(remote)->addr[3] ^ ip_2_ip6(remote)->addr[2];
	u64 b = IP_IS_V4(local) ? ip_2_ip4(local)->addr : ip_2_ip6(local)->addr[3];

	return hash_64(a << 32 ^ b ^ (u64)lport << 16 ^ (u64)rport << 24, 8);
}

static struct time_wait **find(const ip_addr_t *local, u16 lport, const ip_addr_t *remote, u16 rport)
{
	struct time_wait **w = &table[bucket_of(local, lport, remote, rport)];

	while (*w && !((*w)->lport == lport && (*w)->rport == rport && ip_addr_cmp(&(*w)->remote, remote) && ip_addr_cmp(&(*w)->local, local)))
		w = &(*w)->next;
	return w;
}

static void forget(struct time_wait **w)
{
	struct time_wait *gone = *w;

	*w = gone->next;
	count--;
	kfree(gone);
}

static void remember(const struct tcp_pcb *pcb)
{
	const struct tcpsock *t = tcp_ext_arg_get(pcb, 0);
	struct time_wait *w = count < time_wait_max ? kmalloc(sizeof(*w), GFP_ATOMIC) : NULL, **at;

	if (!w) {
		tcp_counts.time_wait_overflow++;
		return;
	}
	*w = (struct time_wait){ .local = pcb->local_ip, .remote = pcb->remote_ip, .lport = pcb->local_port, .rport = pcb->remote_port,
				 .snd_nxt = pcb->snd_nxt, .rcv_nxt = pcb->rcv_nxt, .ts_recent = pcb->ts_recent,
				 .stamps = pcb->flags & TF_TIMESTAMP, .reuse = t && socket_option(&t->i.s, SO_REUSEADDR), .until = clock_mono_ns() + LASTS_NS };
	at = find(&w->local, w->lport, &w->remote, w->rport);
	if (*at)
		forget(at);
	w->next = *at;
	*at = w;
	count++;
	tcp_counts.time_waits++;
}

void tcp_time_wait_collect(void)
{
	while (tcp_tw_pcbs) {
		struct tcp_pcb *pcb = tcp_tw_pcbs;

		remember(pcb);
		tcp_err(pcb, NULL);		/* it ended well */
		tcp_abandon(pcb, 0);
	}
}

bool tcp_time_wait_needed(void) { return count; }
u32 tcp_time_wait_count(void) { return count; }
struct time_wait *tcp_time_wait_nth(u32 bucket) { return table[bucket]; }

void tcp_time_wait_tick(void)
{
	u64 now = clock_mono_ns();

	for (u32 k = 0; k < TIME_WAIT_BUCKETS; k++)
		for (struct time_wait **w = &table[k]; *w; )
			if ((*w)->until <= now)
				forget(w);
			else
				w = &(*w)->next;
}

bool tcp_time_wait_has(const ip_addr_t *addr, u16 port, bool reuse)
{
	if (!count)
		return false;
	for (u32 k = 0; k < TIME_WAIT_BUCKETS; k++)
		for (const struct time_wait *w = table[k]; w; w = w->next)
			if (w->lport == port && !(reuse && w->reuse) && inet_takes(addr, &w->local))
				return true;
	return false;
}

bool tcp_time_wait_yields(const ip_addr_t *source, u16 port, const ip_addr_t *remote, u16 rport)
{
	struct time_wait **w = count ? find(source, port, remote, rport) : NULL;

	if (!w || !*w)
		return true;
	if (!(*w)->stamps || (*w)->until - clock_mono_ns() > LASTS_NS - REUSE_NS)
		return false;
	forget(w);
	return true;
}

/* The bare acknowledgement of w. */
static void acknowledge(const struct time_wait *w)
{
	u32 options = w->stamps ? 12 : 0, *opt;
	struct pbuf *p = pbuf_alloc(PBUF_IP, (u16_t)(TCP_HLEN + options), PBUF_RAM);
	struct netif *n = ip_route(&w->local, &w->remote);
	struct tcp_hdr *h;

	if (p && n) {
		h = p->payload;
		h->src = lwip_htons(w->lport);
		h->dest = lwip_htons(w->rport);
		h->seqno = lwip_htonl(w->snd_nxt);
		h->ackno = lwip_htonl(w->rcv_nxt);
		TCPH_HDRLEN_FLAGS_SET(h, (u16_t)(5 + options / 4), TCP_ACK);
		h->wnd = PP_HTONS(0xffff);
		h->urgp = h->chksum = 0;
		opt = (u32 *)(h + 1);
		if (options) {
			opt[0] = PP_HTONL(0x0101080a);
			opt[1] = lwip_htonl(sys_now());
			opt[2] = lwip_htonl(w->ts_recent);
		}
		IF__NETIF_CHECKSUM_ENABLED(n, NETIF_CHECKSUM_GEN_TCP)
			h->chksum = ip_chksum_pseudo(p, IP_PROTO_TCP, p->tot_len, &w->local, &w->remote);
		ip_output_if(p, &w->local, &w->remote, TCP_TTL, 0, IP_PROTO_TCP, n);
	}
	if (p)
		pbuf_free(p);
}

u8_t tcp_time_wait_tap(struct pbuf *p, const ip_addr_t *local, const ip_addr_t *remote, u32 header)
{
	const struct tcp_hdr *h = (const struct tcp_hdr *)((const u8 *)p->payload + header);
	struct time_wait **w;
	u8 flags;
	u32 seq;

	tcp_counts.segments_in += interface_segments;
	if (!count || p->len < header + TCP_HLEN)
		return 0;
	w = find(local, lwip_ntohs(h->dest), remote, lwip_ntohs(h->src));
	if (!*w)
		return 0;
	flags = TCPH_FLAGS(h);
	seq = lwip_ntohl(h->seqno);
	if ((flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && (s32)(seq - (*w)->rcv_nxt) > 0) {
		forget(w);
		return 0;
	}
	if (!(flags & TCP_RST) && (p->tot_len > header + TCPH_HDRLEN_BYTES(h) || (flags & (TCP_FIN | TCP_SYN)))) {
		if (flags & TCP_FIN)
			(*w)->until = clock_mono_ns() + LASTS_NS;
		acknowledge(*w);
	}
	pbuf_free(p);
	return 1;
}

/* Initial sequence numbers: a clock of 4 us, and a secret for each pair of ends (RFC 6528). */
u32_t tcp_hook_isn(const ip_addr_t *local, u16_t lport, const ip_addr_t *remote, u16_t rport)
{
	static u64 secret[2];
	u32 cookie;
	u64 h;

	if (tcp_cookie_replaying(&cookie))
		return cookie;
	if (!secret[0])
		random_bytes(secret, sizeof(secret));
	h = secret[0] ^ ((u64)lport << 16 | rport);
	for (int k = 0; k < 4; k++) {
		u64 words = IP_IS_V4(remote) ? (u64)ip_2_ip4(local)->addr << 32 | ip_2_ip4(remote)->addr :
					       (u64)ip_2_ip6(local)->addr[k] << 32 | ip_2_ip6(remote)->addr[k];

		h = (h ^ words) * 0x9e3779b97f4a7c15ul;
		h ^= h >> 29 ^ secret[1];
		h *= 0xbf58476d1ce4e5b9ul;
		h ^= h >> 32;
	}
	return (u32_t)h + (u32_t)(clock_mono_ns() >> 12);
}
