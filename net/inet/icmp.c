/* ICMP: answers to datagrams for nobody, and the reports of others about what we have sent.
 *
 * A report quotes the beginning of a packet; its addresses, ports or identifier say whose that was.  Who asked for reports (IP_RECVERR) gets it into a queue
 * (reports.c) with what is quoted behind the transport's header; who is connected finds the error at the next call.  A connection of TCP believes a
 * report only while it is being made, and "too large" only if the quoted segment may still be on its way.  A neighbour who does not answer is reported by
 * ourselves. */
#include <lwip/icmp.h>
#include <lwip/icmp6.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/prot/icmp.h>
#include <lwip/prot/icmp6.h>
#include <lwip/priv/tcp_priv.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <net/inet/dgram.h>
#include <net/inet/engine.h>
#include <net/inet/hooks.h>
#include <net/inet/pmtu.h>
#include <net/inet/reports.h>
#include <net/inet/route.h>
#include <net/inet/tcp.h>

#define ECHO4		8u
#define ECHO_REPLY4	0u
#define ECHO6		128u
#define ECHO_REPLY6	129u
#define QUOTED_MOST	548u	/* of IPv4: 576 bytes in all (RFC 1812, 4.3.2.3) */

/* --- out --------------------------------------------------------------------------------------------------------------------------- */

/* lwIP quotes eight bytes behind IP's header; programs that ask for reports expect to find their own there. */
static void refuse4(const struct pbuf *p)
{
	u16 quoted = (u16)min((u32)p->tot_len, QUOTED_MOST);
	struct pbuf *q = pbuf_alloc(PBUF_IP, (u16_t)(sizeof(struct icmp_echo_hdr) + quoted), PBUF_RAM);
	const ip_addr_t *to = ip_current_src_addr(), *from = ip_current_dest_addr();
	struct icmp_echo_hdr *h;
	struct route_answer a;

	if (!q)
		return;
	h = q->payload;
	memset(h, 0, sizeof(*h));
	h->type = ICMP_DUR;
	h->code = ICMP_DUR_PORT;
	pbuf_copy_partial(p, h + 1, quoted, 0);
	h->chksum = inet_chksum(h, q->len);
	if (!route_lookup(to, from, 0, &a)) {
		dgram_counts.icmp_out++;
		ip4_output_if_src(q, ip_2_ip4(from), ip_2_ip4(to), ICMP_TTL, 0xc0, IPPROTO_ICMP, &a.i->n);
	}
	pbuf_free(q);
}

void icmp_no_port(struct pbuf *p)
{
	if (ip_current_is_v6())
		icmp6_dest_unreach(p, ICMP6_DUR_PORT);
	else
		refuse4(p);
}

/* --- in ---------------------------------------------------------------------------------------------------------------------------- */

/* What a report says, and of what packet of ours. */
struct report {
	const struct pbuf *p;
	u32 inner;			/* where in p that packet begins, and its transport's header */
	u32 transport;
	bool six;
	u8 type, code, proto;
	int error;
	bool hard;			/* a connection gives up */
	u32 info;			/* the MTU, if it was too large */
	ip_addr_t from, to;		/* of that packet: from is ours */
	const ip_addr_t *offender;	/* who says so */
	u16 sport, dport;
	u32 seqno;			/* of TCP */
};

/* ICMP's reports as errno; hard: a connection gives up. */
static int report_errno(u8 type, u8 code, bool six, bool *hard)
{
	static const struct { u8 error; bool hard; } four[] = {
		{ ENETUNREACH, false }, { EHOSTUNREACH, false }, { ENOPROTOOPT, true }, { ECONNREFUSED, true }, { EMSGSIZE, false }, { EOPNOTSUPP, false },
		{ ENETUNREACH, true }, { EHOSTDOWN, true }, { ENONET, true }, { ENETUNREACH, true }, { EHOSTUNREACH, true }, { ENETUNREACH, false },
		{ EHOSTUNREACH, false }, { EHOSTUNREACH, true }, { EHOSTUNREACH, true }, { EHOSTUNREACH, true } };
	static const struct { u8 error; bool hard; } beyond[] = {
		{ ENETUNREACH, false }, { EACCES, true }, { EHOSTUNREACH, false }, { EHOSTUNREACH, false }, { ECONNREFUSED, true }, { EACCES, true },
		{ EACCES, true } };

	*hard = false;
	if (!six) {
		if (type == 3 && code < ARRAY_SIZE(four)) {
			*hard = four[code].hard;
			return four[code].error;
		}
		return type == 11 ? EHOSTUNREACH : type == 12 ? EPROTO : 0;
	}
	if (type == 1 && code < ARRAY_SIZE(beyond)) {
		*hard = beyond[code].hard;
		return beyond[code].error;
	}
	return type == 2 ? EMSGSIZE : type == 3 ? EHOSTUNREACH : type == 4 ? EPROTO : 0;
}


static bool is_too_large(const struct report *r)
{
	return r->six ? r->type == 2 : r->type == 3 && r->code == 4;
}

/* To the socket: into its queue if it wants reports, and as its error. */
static void tell(struct inet_sock *o, const struct report *r, bool connected, u32 payload)
{
	bool wants = r->six ? o->opt.recverr6 : o->opt.recverr, hard = r->hard;
	struct sock_extended_err ee = { .ee_errno = (u32)r->error, .ee_origin = r->six ? SO_EE_ORIGIN_ICMP6 : SO_EE_ORIGIN_ICMP, .ee_type = r->type,
					.ee_code = r->code, .ee_info = r->info };

	if (is_too_large(r)) {
		u8 how = r->six ? o->opt.mtu_discover6 : o->opt.mtu_discover;

		if (how != IP_PMTUDISC_INTERFACE && how != IP_PMTUDISC_OMIT)
			pmtu_learn(&r->to, r->info);
		if (how == IP_PMTUDISC_DONT)
			return;
		hard = true;
	}
	if (!wants && !(connected && hard))
		return;
	atomic_store(&o->s.error, r->error);	/* before the report, whose coming wakes: who is woken finds both */
	if (wants)
		report_queue(o, &ee, &r->to, r->dport, r->offender, r->p, payload);
	socket_wake(&o->s, EPOLLERR | EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM);
}

static void report_udp(const struct report *r)
{
	struct list_head *bucket = port_bucket(r->proto == IPPROTO_UDPLITE ? &udplite_ports : &udp_ports, r->sport);
	struct inet_sock *o;

	if (!bucket)
		return;
	list_for_each_entry(o, bucket, port_link) {
		const struct dgramsock *d = container_of(o, struct dgramsock, i);

		if (o->lport != r->sport || !inet_takes(&o->local, &r->from))
			continue;
		if (d->connected && (o->rport != r->dport || !ip_addr_cmp_zoneless(&o->remote, &r->to)))
			continue;
		tell(o, r, d->connected, r->transport + 8);
		return;
	}
}

/* ICMP's echoes by ping sockets: their identifier stands where UDP would have a length. */
static void report_ping(const struct report *r)
{
	struct list_head *bucket;
	struct inet_sock *o;
	u8 h[6];
	u16 id;

	if (pbuf_copy_partial(r->p, h, sizeof(h), (u16_t)r->transport) < sizeof(h) || h[0] != (r->six ? ECHO6 : ECHO4))
		return;
	id = (u16)(h[4] << 8 | h[5]);
	bucket = port_bucket(&ping_ports, id);
	if (!bucket)
		return;
	list_for_each_entry(o, bucket, port_link) {
		struct report of_ping = *r;

		if (o->lport != id || (o->s.family == AF_INET6) != r->six)
			continue;
		of_ping.dport = 0;
		tell(o, &of_ping, container_of(o, struct dgramsock, i)->connected, r->transport);
		return;
	}
}

/* Raw sockets of the protocol: those that asked, or are connected to where the packet went. */
static void report_raw(const struct report *r)
{
	struct list_head *bucket = port_bucket(&raw_ports, r->proto);
	struct inet_sock *o;

	if (!bucket)
		return;
	list_for_each_entry(o, bucket, port_link) {
		const struct dgramsock *d = container_of(o, struct dgramsock, i);
		struct report of_raw = *r;

		if (o->lport != r->proto || (o->s.family == AF_INET6) != r->six || !inet_takes(&o->local, &r->from))
			continue;
		if (d->connected && !ip_addr_cmp_zoneless(&o->remote, &r->to))
			continue;
		of_raw.dport = 0;
		tell(o, &of_raw, d->connected, o->opt.hdrincl ? r->inner : r->transport);
	}
}

static void report_tcp(const struct report *r)
{
	struct list_head *bucket = port_bucket(&tcp_ports, r->sport);
	struct inet_sock *o;

	if (!bucket)
		return;
	list_for_each_entry(o, bucket, port_link) {
		struct tcpsock *t = container_of(o, struct tcpsock, i);

		if (o->lport != r->sport || o->rport != r->dport || !ip_addr_cmp_zoneless(&o->remote, &r->to) || !ip_addr_cmp_zoneless(&o->local, &r->from))
			continue;
		if (!t->pcb || t->state == TS_LISTENING || (s32)(r->seqno - t->pcb->lastack) < 0 || (s32)(r->seqno - t->pcb->snd_nxt) > 0)
			return;			/* a forgery, or too late */
		if (is_too_large(r)) {
			tcpsock_path_shrank(t, pmtu_learn(&r->to, r->info));
		} else if (t->state == TS_CONNECTING) {
			/* Only a connection that is being made gives up; later, it may be a forgery, and passes. */
			tcp_err(t->pcb, NULL);
			socket_set_error(&o->s, r->error);	/* before the end can be seen */
			tcp_abandon(t->pcb, 0);
			socket_wake(&o->s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
		}
		return;
	}
}

/* The packet that the report is about begins at off: its addresses and ports tell whose it was. */
static bool read_inner(struct report *r)
{
	u8 h[IP6_HLEN + 8];
	u32 header = r->six ? IP6_HLEN : IP_HLEN;

	if (pbuf_copy_partial(r->p, h, (u16_t)header, (u16_t)r->inner) < header)
		return false;
	if (r->six) {
		r->proto = h[6];
		IP_SET_TYPE_VAL(r->from, IPADDR_TYPE_V6);
		IP_SET_TYPE_VAL(r->to, IPADDR_TYPE_V6);
		memcpy(ip_2_ip6(&r->from)->addr, h + 8, 16);
		memcpy(ip_2_ip6(&r->to)->addr, h + 24, 16);
	} else {
		r->proto = h[9];
		header = (h[0] & 15) * 4u;
		memcpy(&ip_2_ip4(&r->from)->addr, h + 12, 4);
		memcpy(&ip_2_ip4(&r->to)->addr, h + 16, 4);
	}
	r->transport = r->inner + header;
	if (pbuf_copy_partial(r->p, h, 8, (u16_t)r->transport) < 8)
		return false;
	r->sport = (u16)(h[0] << 8 | h[1]);
	r->dport = (u16)(h[2] << 8 | h[3]);
	r->seqno = (u32)h[4] << 24 | (u32)h[5] << 16 | (u32)h[6] << 8 | h[7];
	return true;
}

static void deliver(const struct report *r)
{
	switch (r->proto) {
	case IPPROTO_UDP: case IPPROTO_UDPLITE: report_udp(r); break;
	case IPPROTO_TCP: report_tcp(r); break;
	case IPPROTO_ICMP: case IPPROTO_ICMPV6: report_ping(r); break;
	default: break;
	}
	if (raw_ports.users)
		report_raw(r);
}

static void report(const struct pbuf *p, u32 header, const u8 *h, bool six)
{
	struct report r = { .p = p, .inner = header + 8, .six = six, .type = h[0], .code = h[1], .offender = ip_current_src_addr() };

	r.error = report_errno(h[0], h[1], six, &r.hard);
	if (!r.error || !read_inner(&r))
		return;
	if (is_too_large(&r))
		r.info = six ? (u32)h[4] << 24 | (u32)h[5] << 16 | (u32)h[6] << 8 | h[7] : (u32)h[6] << 8 | h[7];
	deliver(&r);
}

/* As if we had sent ourselves a report, as Linux does: host (ICMPv6: address) unreachable. */
void icmp_hook_unreachable(struct pbuf *p)
{
	bool six = p->len && *(const u8 *)p->payload >> 4 == 6;
	struct report r = { .p = p, .six = six, .type = six ? 1 : 3, .code = six ? 3 : 1 };

	r.error = report_errno(r.type, r.code, six, &r.hard);
	if (!read_inner(&r))
		return;
	r.offender = &r.from;
	deliver(&r);
}

bool icmp_tap(struct pbuf *p, u32 header, bool six)
{
	u8 h[8];

	dgram_counts.icmp_in++;
	if (pbuf_copy_partial(p, h, sizeof(h), (u16_t)header) < sizeof(h))
		return false;
	if (h[0] == (six ? ECHO_REPLY6 : ECHO_REPLY4))
		ping_reply(p, header, (u16)(h[4] << 8 | h[5]));
	else
		report(p, header, h, six);
	dgram_counts.echos += h[0] == (six ? ECHO6 : ECHO4);
	return false;
}
