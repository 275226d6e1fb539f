/* TCP servers: listening, and the connections that wait to be accepted.
 *
 * lwIP makes a pcb when a SYN arrives, and calls on_accept when the handshake is over; the connection gets its socket then and waits in the
 * listener's queue, receiving already.  backlog counts as on Linux: the queue may hold one more than listen() said.  While it is full, SYNs are not
 * answered, and the last segment of a handshake is not heard, so that both sides try again (segment hook below).
 *
 * Handshakes under way hold a reference on the listener, from passive_open on, by the pcb's extension argument; its destructor is told of those
 * that come to nothing.  There are at most half_open_max of them a listener, or as many as its backlog; beyond that, cookies (syncookie.c).
 *
 * Who hears a SYN: the table of ports knows all listeners (tcp_hook_find_listener); several that share a port by SO_REUSEPORT draw. */
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <arch/cpu.h>
#include <kernel/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/sysctl.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <net/inet/engine.h>
#include <net/inet/hooks.h>
#include <net/inet/interface.h>
#include <net/inet/syncookie.h>
#include <net/inet/tcp.h>

static u64 half_open_max = 256;
SYSCTL(half_open_max, "net/ipv4/tcp_max_syn_backlog", .value = &half_open_max, .min = 0, .max = 0x7fffffff);

static void half_open_gone(u8_t id, void *arg)
{
	struct tcpsock *l = arg;

	(void)id;
	l->half_open--;
	tcp_counts.attempt_fails++;
	inet_put(&l->i);
}
static const struct tcp_ext_arg_callbacks half_open_callbacks = { .destroy = half_open_gone };

static err_t on_passive_open(u8_t id, struct tcp_pcb_listen *lpcb, struct tcp_pcb *pcb)
{
	struct tcpsock *l = lpcb->callback_arg;
	u32 isn;

	(void)id;
	inet_get(&l->i);
	l->half_open++;
	tcp_ext_arg_set_callbacks(pcb, 0, &half_open_callbacks);
	tcp_ext_arg_set(pcb, 0, l);
	tcpsock_set_window(l, pcb);
	if (tcp_cookie_replaying(&isn))
		tcp_input_pcb = pcb;		/* the answer went out long ago */
	if (l->maxseg)
		pcb->mss = min(pcb->mss, l->maxseg);
	return ERR_OK;
}

static void listener_gone(u8_t id, void *arg)
{
	struct tcpsock *l = arg;

	(void)id;
	l->pcb = NULL;
	inet_put(&l->i);
}
static const struct tcp_ext_arg_callbacks listener_callbacks = { .destroy = listener_gone, .passive_open = on_passive_open };

/* How well a socket fits what comes to local by that interface; 0: not at all. */
static u32 fitness(const struct inet_sock *o, u16 lport, const ip_addr_t *local, u8 netif)
{
	s32 device = READ_ONCE(o->s.bound_device);

	if (!o->listening || o->lport != lport || !inet_takes(&o->local, local) || (device && (u8)device != netif))
		return 0;
	return 1 + (o->s.family == AF_INET ? 1 : 0) + (device ? 2 : 0) + (inet_address_is_any(&o->local) ? 0 : 4);
}

/* The best listener; among several as good that share the port by SO_REUSEPORT, the one that the other side's ends draw.  Connections that listeners left
 * behind stand at the ends of buckets, and are not looked at. */
struct tcp_pcb_listen *tcp_hook_find_listener(const ip_addr_t *remote, u16 rport, const ip_addr_t *local, u16 lport)
{
	struct list_head *bucket = port_bucket(&tcp_ports, lport);
	u8 netif = netif_get_index(ip_current_input_netif());
	struct inet_sock *o, *found = NULL;
	u32 best = 0, n = 0, wanted;

	if (!bucket)
		return NULL;
	list_for_each_entry(o, bucket, port_link) {
		u32 fits = fitness(o, lport, local, netif);

		if (o->inherited)
			break;
		if (fits > best) {
			best = fits;
			found = o;
			n = 0;
		}
		n += fits == best && socket_option(&o->s, SO_REUSEPORT);
	}
	if (n > 1) {
		wanted = (u32)((u64)hash_64((u64)ip_2_ip4(remote)->addr << 16 | rport, 32) * n >> 32);
		list_for_each_entry(o, bucket, port_link)
			if (fitness(o, lport, local, netif) == best && socket_option(&o->s, SO_REUSEPORT) && !wanted--) {
				found = o;
				break;
			}
	}
	return found ? (struct tcp_pcb_listen *)container_of(found, struct tcpsock, i)->pcb : NULL;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct tcpsock *l = arg, *t;
	irqflags_t flags;

	if (err != ERR_OK || !pcb)
		return ERR_VAL;
	if (!tcpsock_spare(l))
		return ERR_MEM;
	t = l->spare;
	l->spare = NULL;
	tcpsock_adopt(t, l, pcb);		/* the pcb's argument is the connection's from here on */
	l->half_open--;
	t->listener = l;		/* with the handshake's reference */
	flags = spin_lock_irqsave(&l->lock);
	list_add_tail(&t->accept_link, &l->accepted);
	l->nr_accepted++;
	spin_unlock_irqrestore(&l->lock, flags);
	socket_wake(&l->i.s, EPOLLIN | EPOLLRDNORM);
	return ERR_OK;
}

/* Is the last segment of a handshake to be overlooked?  Until there are bytes to read, or the patience of TCP_DEFER_ACCEPT is over; our answer to
 * the SYN is sent again meanwhile, and so answered again. */
static bool deferred(const struct tcpsock *l, const struct tcp_pcb *pcb, const struct tcp_hdr *hdr, const struct pbuf *p)
{
	return l->defer_accept && !p->tot_len && !(TCPH_FLAGS(hdr) & TCP_FIN) && (tcp_ticks - pcb->tmr) * TCP_SLOW_INTERVAL < (u32)l->defer_accept * 1000;
}

/* Of a connection that has its socket: a filter may not want the segment; it may have urgent data. */
static err_t connected_segment(struct tcpsock *t, struct tcp_pcb *pcb, struct tcp_hdr *hdr, const struct tcp_options_in *options, struct pbuf *p)
{
	u32 header = TCP_HLEN + options->len;

	if (unlikely(pcb->nrtx != t->nrtx_seen)) {
		t->retransmitted += (u32)max(pcb->nrtx - t->nrtx_seen, 0);
		t->nrtx_seen = pcb->nrtx;
	}
	t->segs_in += interface_segments;
	t->data_segs_in += p->tot_len ? interface_segments : 0;
	WRITE_ONCE(t->i.s.incoming_cpu, (s32)smp_cpu_id());
	if (unlikely(READ_ONCE(t->i.s.filter)) && !inet_filter_segment(&t->i, hdr, p, header))
		return ERR_MEM;
	if (interface_segments > 1)
		tcp_ack_now(pcb);	/* delayed, lwIP would acknowledge every second of these */
	WRITE_ONCE(t->rx_answered, interface_segments > 1);
	if (unlikely((TCPH_FLAGS(hdr) & TCP_URG) || t->urgent == URGENT_EXPECTED) && pcb->state != SYN_SENT)
		tcpsock_urgent_input(t, pcb, hdr, p);
	tcp_sack_segment(t, pcb, hdr, options);
	return ERR_OK;
}

/* IP_MINTTL, IPV6_MINHOPCOUNT: a listener's until the connection is complete, then that of the socket, which got it from there. */
static bool from_too_far(const struct tcp_pcb *pcb)
{
	const struct tcpsock *t = pcb->state == SYN_RCVD && pcb->listener ? pcb->listener->callback_arg : pcb->callback_arg;

	if (!t || pcb->state == TIME_WAIT)
		return false;
	return ip_current_is_v6() ? IP6H_HOPLIM(ip6_current_header()) < t->i.opt.min_hops : IPH_TTL(ip4_current_header()) < t->i.opt.min_ttl;
}

err_t tcp_hook_segment(struct tcp_pcb *pcb, struct tcp_hdr *hdr, const struct tcp_options_in *options, struct pbuf *p)
{
	u32 header = TCP_HLEN + options->len;
	struct tcpsock *l;
	bool full;
	u32 isn;

	if (unlikely(from_too_far(pcb)))
		return ERR_MEM;
	if (pcb->state == LISTEN) {
		l = pcb->callback_arg;
		if (unlikely(READ_ONCE(l->i.s.filter)) && !inet_filter_segment(&l->i, hdr, p, header))
			return ERR_MEM;
		if (!(TCPH_FLAGS(hdr) & TCP_SYN) || (TCPH_FLAGS(hdr) & (TCP_ACK | TCP_RST)))
			return ERR_OK;
		if (tcpsock_full(l)) {
			tcp_counts.listen_overflows++;
			tcp_counts.listen_drops++;
			return ERR_MEM;
		}
		full = l->half_open >= max(half_open_max, (u64)l->backlog);
		if (tcp_cookie_wanted(l, full)) {
			tcp_counts.cookies_instead += full;
			tcp_cookie_answer(l, hdr, options);
			return ERR_MEM;
		}
		tcp_counts.listen_drops += full;
		return full && !tcp_cookie_replaying(&isn) ? ERR_MEM : ERR_OK;
	}
	if (pcb->state == SYN_RCVD && pcb->listener && (TCPH_FLAGS(hdr) & (TCP_ACK | TCP_RST | TCP_SYN)) == TCP_ACK) {
		l = pcb->listener->callback_arg;
		if (unlikely(READ_ONCE(l->i.s.filter)) && !inet_filter_segment(&l->i, hdr, p, header))
			return ERR_MEM;
		if (tcpsock_full(l)) {
			tcp_counts.listen_overflows++;
			return ERR_MEM;
		}
		if (deferred(l, pcb, hdr, p))
			return ERR_MEM;
		if (!tcpsock_spare(l))		/* or lwIP would reset what the other side believes to be connected */
			return ERR_MEM;
	}
	if (!tcp_guard(pcb, hdr, options))
		return ERR_VAL;
	if (pcb->state != SYN_RCVD && pcb->state != TIME_WAIT && pcb->callback_arg)
		return connected_segment(pcb->callback_arg, pcb, hdr, options, p);
	return ERR_OK;
}

/* TCP_MAXSEG: the other side is asked for segments that small.  lwIP's first option of a SYN is what our interface takes. */
static void announce_size(const struct tcpsock *t, struct tcp_hdr *hdr)
{
	u8 *option = (u8 *)(hdr + 1);

	if (option[0] != LWIP_TCP_OPT_MSS || (u32)(option[2] << 8 | option[3]) <= t->maxseg)
		return;
	option[2] = (u8)(t->maxseg >> 8);
	option[3] = (u8)t->maxseg;
}

/* Those sent again are older than the last. */
static void note_small(struct tcpsock *t, u32 end)
{
	if (!t->small || (s32)(end - t->small_end) > 0)
		t->small_end = end;
	t->small = true;
}

void tcp_hook_sent(const struct tcp_pcb *pcb, const struct pbuf *p, struct tcp_hdr *hdr)
{
	struct tcpsock *t = pcb && pcb->state != SYN_RCVD && pcb->state != TIME_WAIT ? pcb->callback_arg : NULL;
	u32 len = p->tot_len - TCPH_HDRLEN_BYTES(hdr), segments;

	if (unlikely(TCPH_FLAGS(hdr) & TCP_SYN) && pcb) {
		const struct tcpsock *l = t || !pcb->listener ? t : pcb->listener->callback_arg;

		if (l && l->maxseg && TCPH_HDRLEN_BYTES(hdr) > TCP_HLEN)
			announce_size(l, hdr);
	}
	if (!t)
		return;
	if (unlikely(pcb->state == LISTEN)) {	/* a reset, without data; and its pcb is a short one */
		t->segs_out++;
		return;
	}
	if (len && tcp_ends_small(pcb, TCPH_HDRLEN_BYTES(hdr) - TCP_HLEN, len))
		note_small(t, lwip_ntohl(hdr->seqno) + len);
	segments = tcp_wire_segments(pcb, len);
	t->segs_out += segments;
	t->data_segs_out += len ? segments : 0;
	lwip_stats.mib2.tcpoutsegs += segments - 1;
	if (unlikely(t->notsent_lowat))
		tcpsock_sends(t, pcb, hdr, len);
}

static int start_listening(struct tcpsock *t)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&t->i.local)), *lpcb;
	err_t err;

	if (!pcb)
		return -ENOBUFS;
	ip_addr_copy(pcb->local_ip, t->i.local);
	pcb->local_port = t->i.lport;
	pcb->netif_idx = (u8_t)READ_ONCE(t->i.s.bound_device);	/* 0, as it was, if it is bound to none */
	if (t->i.opt.ttl >= 0)
		pcb->ttl = (u8_t)t->i.opt.ttl;
	pcb->tos = t->i.opt.tos;
	tcp_arg(pcb, t);
	lpcb = tcp_listen_with_backlog_and_err(pcb, 255, &err);
	if (!lpcb) {
		tcp_abandon(pcb, 0);
		return inet_error(err);
	}
	tcp_accept(lpcb, on_accept);
	inet_get(&t->i);
	tcp_ext_arg_set_callbacks(lpcb, 0, &listener_callbacks);
	tcp_ext_arg_set(lpcb, 0, t);
	t->pcb = lpcb;
	t->i.listening = true;
	atomic_fetch_or(&t->i.s.options, BIT(SO_ACCEPTCONN));
	atomic_store_release(&t->state, TS_LISTENING);
	return 0;
}

int tcpsock_listen(struct socket *s, int backlog)
{
	struct tcpsock *t = tcpsock_of(s);
	bool took = false;
	int err = 0;

	net_core_lock();
	if (t->state != TS_LISTENING && (t->state != TS_CLOSED || t->started || t->pcb)) {
		err = -EINVAL;
	} else if (t->state != TS_LISTENING) {
		if (!t->i.lport) {
			err = port_take(&t->i, &t->i.local, 0);
			took = !err;
		} else {
			/* Another that is bound beside it may have begun to listen meanwhile. */
			err = port_conflict(&t->i, &t->i.local, t->i.lport) ? -EADDRINUSE : 0;
		}
		t->i.s.shut = 0;
		if (!err)
			err = start_listening(t);
		if (err && took)
			port_free(&t->i);
	}
	if (!err)
		WRITE_ONCE(t->backlog, (u32)backlog);
	net_core_unlock();
	return err;
}

static struct tcpsock *take_accepted(struct tcpsock *l)
{
	struct tcpsock *t = NULL;
	irqflags_t flags = spin_lock_irqsave(&l->lock);

	if (!list_empty(&l->accepted)) {
		t = list_first_entry(&l->accepted, struct tcpsock, accept_link);
		list_del(&t->accept_link);
		l->nr_accepted--;
	}
	spin_unlock_irqrestore(&l->lock, flags);
	return t;
}

int tcpsock_accept(struct socket *s, struct socket **out, u32 file_flags)
{
	struct tcpsock *l = tcpsock_of(s), *t;
	u64 deadline = file_flags & O_NONBLOCK ? 0 : socket_deadline(s, 0, false);

	for (;;) {
		int err;

		if (atomic_load(&l->state) != TS_LISTENING)
			return -EINVAL;
		t = take_accepted(l);
		if (t)
			break;
		if (!deadline)
			return -EAGAIN;
		err = wait_event_exclusive(&s->wait, READ_ONCE(l->nr_accepted) || atomic_load(&l->state) != TS_LISTENING, deadline);
		if (err)
			return socket_wait_error(s, err, false);
	}
	t->listener = NULL;
	inet_put(&l->i);
	*out = &t->i.s;
	return 0;
}

/* Nobody will accept these: they are reset, as on Linux. */
void tcpsock_stop_listening(struct tcpsock *l)
{
	struct tcpsock *t;

	l->i.listening = false;
	atomic_fetch_and(&l->i.s.options, ~BIT(SO_ACCEPTCONN));
	atomic_store_release(&l->state, TS_CLOSED);
	if (l->pcb)
		(void)tcp_close(l->pcb);
	if (l->spare)
		inet_put(&l->spare->i);
	l->spare = NULL;
	while ((t = take_accepted(l))) {
		t->listener = NULL;
		t->orphan = true;
		if (t->pcb) {
			tcp_err(t->pcb, NULL);
			tcp_abort(t->pcb);
		} else {
			port_free(&t->i);
		}
		inet_put(&t->i);
		inet_put(&l->i);
	}
	socket_wake(&l->i.s, EPOLLIN | EPOLLHUP);
}
