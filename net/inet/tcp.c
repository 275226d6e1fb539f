/* TCP sockets: connections come and go.  (Bytes: tcp_io.c.  Servers: tcp_listen.c.  Options: tcp_options.c.  Afterlife: timewait.c.)
 *
 * Theory.  A socket (struct tcpsock) and lwIP's pcb are made and go independently; engine.c says how they hold each other.  The pcb is made
 * when a program connects or listens, since lwIP wants to know by then whether it is IPv4's or IPv6's; before that, a bound socket only has its
 * port.  All that happens to a connection by itself arrives in the callbacks below, with the core locked:
 *
 *   on_recv       bytes, or the end of them: queued under the socket's own lock, readers and pollers woken
 *   on_sent       the other side has acknowledged: chunks are put, writers woken
 *   on_connected  our SYN was answered
 *   on_err        it is over: the pcb goes.  The reason becomes the socket's error
 *   on_destroy    the pcb is freed, for whatever reason: the socket loses it, and its reference on the socket is put
 *
 * The windows.  lwIP has one window for all connections (TCP_WND) and believes that all of it is free unless it was told that bytes arrived.
 * A socket with a smaller one withholds the difference from the pcb.  When the program closes, lwIP compares its window with the whole to know
 * whether unread bytes demand a reset; so everything is given back first but what is really unread.
 *
 * Closing.  The file goes; the socket stays (orphan) until its pcb has sent all and was answered.  lwIP counts that down itself. */
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <mm/slab.h>
#include <net/filter.h>
#include <net/inet/chunk.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/pmtu.h>
#include <net/inet/reports.h>
#include <net/inet/route.h>
#include <net/inet/tcp.h>

#define RTO_AFTER_SYNS	(3000 / TCP_SLOW_INTERVAL)	/* RFC 6298, 5.7 */
#define EVERYTHING	(EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLRDHUP)

struct tcp_counts tcp_counts;
static const struct socket_ops tcp_ops;

/* --- callbacks of lwIP ------------------------------------------------------------------------------------------------------------- */

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct tcpsock *t = arg;
	irqflags_t flags;
	struct pbuf *last;

	(void)pcb;
	(void)err;
	if (!p) {
		atomic_store_release(&t->rx_fin, true);
		socket_wake(&t->i.s, EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | (t->i.s.shut & SHUT_BOTH_SEND ? EPOLLHUP : 0));
		return ERR_OK;
	}
	for (last = p; last->next; last = last->next)
		;
	flags = spin_lock_irqsave(&t->lock);
	if (t->rx_tail)
		t->rx_tail->next = p;
	else
		t->rx_head = p;
	t->rx_tail = last;
	t->rx_total += p->tot_len;
	WRITE_ONCE(t->rx_bytes, t->rx_bytes + p->tot_len);
	spin_unlock_irqrestore(&t->lock, flags);
	net_core_wake(&t->i, EPOLLIN | EPOLLRDNORM);
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct tcpsock *t = arg;

	tcpsock_acked(t, len);
	if (unlikely(pcb->flags & TF_HOLD))
		tcpsock_release_more(t);
	if (atomic_load(&t->tx_full) && tcpsock_writable(t)) {
		atomic_store(&t->tx_full, false);
		net_core_wake(&t->i, EPOLLOUT | EPOLLWRNORM);
	}
	return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct tcpsock *t = arg;

	(void)err;
	tcpsock_set_window(t, pcb);
	if (t->maxseg)
		pcb->mss = min(pcb->mss, t->maxseg);
	tcpsock_path_shrank(t, pmtu_of(&pcb->remote_ip, 0xffff));
	tcpsock_unwatch(t);
	if (t->syn_tries)
		pcb->rto = RTO_AFTER_SYNS;	/* nothing was measured, and what tcp_limits.c set counts no more */
	t->syn_tries = 0;
	t->done = true;
	atomic_store_release(&t->state, TS_CONNECTED);
	socket_wake(&t->i.s, EPOLLOUT | EPOLLWRNORM);
	return ERR_OK;
}

static int error_of(const struct tcpsock *t, err_t err)
{
	if (err == ERR_CLSD)
		return 0;
	if (err != ERR_RST)
		return ETIMEDOUT;
	if (t->state == TS_CONNECTING)
		return ECONNREFUSED;
	return t->rx_fin && !(t->i.s.shut & SHUT_BOTH_SEND) ? EPIPE : ECONNRESET;
}

/* The pcb may be gone already: only the socket, which has a file, is touched.  Told twice where lwIP frees first and tells then: see on_destroy. */
static void on_err(void *arg, err_t err)
{
	struct tcpsock *t = arg;
	int error = error_of(t, err);

	if (t->state == TS_CLOSED)
		return;
	tcp_counts.attempt_fails += t->state == TS_CONNECTING;
	tcp_counts.estab_resets += t->state == TS_CONNECTED && err == ERR_RST;
	if (error)
		atomic_store(&t->i.s.error, error);	/* before the end: it is looked for without the core lock; who waits is woken after both */
	atomic_store_release(&t->rx_fin, true);
	atomic_store_release(&t->state, TS_CLOSED);
	socket_wake(&t->i.s, EVERYTHING | EPOLLHUP | (error ? EPOLLERR : 0));
}

static void on_destroy(u8_t id, void *arg)
{
	struct tcpsock *t = arg;

	(void)id;
	/* Nobody must see the end before the reason. */
	if ((t->state == TS_CONNECTED || t->state == TS_CONNECTING) && t->pcb->errf && t->pcb->state != TIME_WAIT)
		on_err(t, ERR_ABRT);
	t->pcb = NULL;
	tcpsock_unwatch(t);
	tcpsock_drop_runs(t);
	if (t->state != TS_LISTENING) {
		atomic_store(&t->rx_fin, true);
		atomic_store_release(&t->state, TS_CLOSED);
		if (!t->orphan)
			socket_wake(&t->i.s, EVERYTHING | EPOLLHUP);
	}
	if (t->orphan)
		port_free(&t->i);
	inet_put(&t->i);
}

static const struct tcp_ext_arg_callbacks connection_callbacks = { .destroy = on_destroy };

void tcpsock_attach(struct tcpsock *t, struct tcp_pcb *pcb)
{
	inet_get(&t->i);
	t->pcb = pcb;
	tcp_ext_arg_set_callbacks(pcb, 0, &connection_callbacks);
	tcp_ext_arg_set(pcb, 0, t);
	tcp_arg(pcb, t);
	tcp_recv(pcb, on_recv);
	tcp_sent(pcb, on_sent);
	tcp_err(pcb, on_err);
	tcpsock_apply_options(t);
}

void tcpsock_set_window(struct tcpsock *t, struct tcp_pcb *pcb)
{
	u32 want = tcpsock_window(t);

	if (want >= pcb->rcv_wnd) {
		if (t->pcb == pcb)		/* and not its listener */
			atomic_store(&t->rx_want, pcb->rcv_wnd);	/* the other side does not scale windows */
		return;
	}
	pcb->rcv_wnd = want;
	/* What SYN segments announce is no more than 64 KiB, whatever lwIP notes down. */
	pcb->rcv_ann_wnd = want;
	pcb->rcv_ann_right_edge = pcb->rcv_nxt + want;
	/* lwIP tells of more room by whole segments; in a small window there would never be one. */
	pcb->mss = (u16_t)min((u32)pcb->mss, max(want / 2, 536u));
}

/* --- making, freeing --------------------------------------------------------------------------------------------------------------- */

static void tcpsock_free(struct inet_sock *i)
{
	struct tcpsock *t = container_of(i, struct tcpsock, i);

	while (t->rx_head) {
		struct pbuf *p = t->rx_head;

		t->rx_head = p->next;
		p->next = NULL;
		pbuf_free(p);
	}
	tcp_sack_free(t);
	reports_free(i);
	socket_fini(&i->s);
	kfree(t);
}

static u32 default_window(void)
{
	return (u32)clamp((page_nr_total() << PAGE_SHIFT) / 64, 65535ul, 1ul << 20);
}

static struct tcpsock *tcpsock_alloc(u16 family, gfp_t gfp)
{
	struct tcpsock *t = kzalloc(sizeof(*t), gfp);

	if (!t)
		return NULL;
	inet_init(&t->i, &tcp_ops, family, SOCK_STREAM, IPPROTO_TCP, &tcp_ports);
	t->i.free = tcpsock_free;
	mutex_init(&t->rx_lock, LC_SOCKET);
	mutex_init(&t->tx_lock, LC_SOCKET);
	spin_lock_init(&t->lock, LC_SOCKET_QUEUE);
	list_init(&t->tx_runs);
	list_init(&t->accepted);
	list_init(&t->watch_link);
	t->i.s.send_max = 16384;
	t->i.s.receive_max = 131072;
	t->tx_limit = t->rx_want = default_window();
	return t;
}

int tcpsock_create(u16 family, struct socket **out)
{
	struct tcpsock *t = tcpsock_alloc(family, GFP_KERNEL);

	*out = t ? &t->i.s : NULL;
	return t ? 0 : -ENOMEM;
}

bool tcpsock_spare(struct tcpsock *l)
{
	if (!l->spare)
		l->spare = tcpsock_alloc(l->i.s.family, GFP_ATOMIC);
	return l->spare;
}

void tcpsock_adopt(struct tcpsock *t, struct tcpsock *l, struct tcp_pcb *pcb)
{
	t->i.s.options = l->i.s.options & ~BIT(SO_ACCEPTCONN);
	t->i.s.receive_timeout = READ_ONCE(l->i.s.receive_timeout);
	t->i.s.send_timeout = READ_ONCE(l->i.s.send_timeout);
	t->i.s.receive_max = READ_ONCE(l->i.s.receive_max);
	t->i.s.send_max = READ_ONCE(l->i.s.send_max);
	t->i.s.receive_low = READ_ONCE(l->i.s.receive_low);
	t->i.s.mark = READ_ONCE(l->i.s.mark);
	t->i.s.priority = READ_ONCE(l->i.s.priority);
	t->i.s.linger = READ_ONCE(l->i.s.linger);
	t->i.s.bound_device = READ_ONCE(l->i.s.bound_device);
	t->i.s.uid = l->i.s.uid;
	t->i.opt = l->i.opt;
	t->i.s.filter = filter_share(&l->i.s);
	t->nodelay = l->nodelay;
	t->corked = l->corked;
	t->keep_idle = l->keep_idle;
	t->keep_interval = l->keep_interval;
	t->keep_count = l->keep_count;
	t->user_timeout = l->user_timeout;
	t->linger2 = l->linger2;
	if (socket_option(&l->i.s, SO_ZEROCOPY))
		(void)reports_want(&t->i);
	t->maxseg = l->maxseg;
	t->window_clamp = l->window_clamp;
	t->notsent_lowat = l->notsent_lowat;
	t->tx_limit = l->tx_limit;
	t->rx_want = l->rx_want;
	t->i.local = pcb->local_ip;
	t->i.remote = pcb->remote_ip;
	t->i.rport = pcb->remote_port;
	port_inherit(&t->i, pcb->local_port);
	t->state = TS_CONNECTED;
	t->done = true;
	tcpsock_attach(t, pcb);
	tcpsock_set_window(t, pcb);
	tcpsock_path_shrank(t, pmtu_of(&pcb->remote_ip, 0xffff));
	tcp_counts.passive_opens++;
}

/* --- bind, connect ----------------------------------------------------------------------------------------------------------------- */

static int tcpsock_bind(struct socket *s, const struct sockaddr_any *name, u32 len)
{
	struct tcpsock *t = tcpsock_of(s);
	ip_addr_t addr;
	u16 port;
	int err;

	err = inet_bind_address(&t->i, name, len, &addr, &port);
	if (err)
		return err;
	net_core_lock();
	err = inet_bind_check(&t->i, &addr, port);
	if (!err && (t->state != TS_CLOSED || t->i.lport || t->pcb))
		err = -EINVAL;
	if (!err && (port || !t->i.opt.no_port))
		err = port_take(&t->i, &addr, port);
	if (!err) {
		t->i.local = addr;
		t->i.address_given = !inet_address_is_any(&addr);
		t->i.port_given = port;
	}
	net_core_unlock();
	return err;
}

/* The first segment tells our window, of which the other side makes up its mind how large its segments may be; lwIP would tell its own. */
static err_t connect_pcb(struct tcpsock *t, struct tcp_pcb *pcb)
{
	u32 usual, want = tcpsock_window(t);
	err_t err;

	tcp_input_pcb = pcb;		/* tcp_output() leaves it alone */
	err = tcp_connect(pcb, &t->i.remote, t->i.rport, on_connected);
	tcp_input_pcb = NULL;
	if (err != ERR_OK)
		return err;
	usual = pcb->rcv_ann_wnd;
	pcb->rcv_ann_wnd = min(usual, want);
	tcp_output(pcb);
	pcb->rcv_ann_wnd = usual;	/* as lwIP wants to find it */
	return ERR_OK;
}

static int start_pcb(struct tcpsock *t, const ip_addr_t *source)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&t->i.remote));
	err_t err;

	if (!pcb)
		return -ENOBUFS;
	ip_addr_copy(pcb->local_ip, *source);
	pcb->local_port = t->i.lport;
	pcb->netif_idx = (u8_t)READ_ONCE(t->i.s.bound_device);	/* 0, as it was, if it is bound to none */
	tcpsock_attach(t, pcb);
	atomic_store(&t->state, TS_CONNECTING);
	tcpsock_watch(t);
	t->i.s.shut = 0;
	t->rx_fin = false;
	err = connect_pcb(t, pcb);
	if (err == ERR_OK) {
		tcp_counts.active_opens++;
		return 0;
	}
	tcp_err(pcb, NULL);
	tcp_abandon(pcb, 0);
	return inet_error(err);
}

static int begin_connect(struct tcpsock *t, const ip_addr_t *to, u16 port)
{
	bool had_port = t->i.lport;
	struct route_answer a;
	int err;

	err = route_lookup(to, t->i.address_given ? &t->i.local : NULL, (u32)READ_ONCE(t->i.s.bound_device), &a);
	if (err)
		return err == -EADDRNOTAVAIL ? -EADDRNOTAVAIL : err;
	if (ip_addr_ismulticast(to) || (IP_IS_V4(to) && a.route && ip4_addr_isbroadcast(ip_2_ip4(to), &a.i->n)))
		return -ENETUNREACH;
	t->i.remote = *to;
	t->i.rport = port;
	if (!had_port)
		err = port_take_for(&t->i, &a.source);
	if (!err) {
		ip_addr_t was = t->i.local;

		t->i.local = a.source;
		err = start_pcb(t, &a.source);
		if (!err)
			return 0;
		t->i.local = was;
	}
	if (!had_port)
		port_free(&t->i);
	t->i.rport = 0;
	return err;
}

/* The socket as if it had never been connected. */
static void forget_connection(struct tcpsock *t)
{
	t->started = false;
	t->i.rport = 0;
	ip_addr_set_any_val(false, t->i.remote);
	if (!t->i.port_given)
		port_free(&t->i);
	if (!t->i.address_given) {
		ip_addr_set_zero(&t->i.local);
		IP_SET_TYPE_VAL(t->i.local, t->i.s.family == AF_INET ? IPADDR_TYPE_V4 : t->i.opt.v6only ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY);
	}
}

static void reset_connection(struct tcpsock *t)
{
	struct tcp_pcb *pcb = t->pcb;

	if (!pcb)
		return;
	tcp_err(pcb, NULL);
	tcp_abort(pcb);
}

static int disconnect(struct tcpsock *t)
{
	net_core_lock();
	if (t->state == TS_LISTENING)
		tcpsock_stop_listening(t);
	else if (t->pcb)
		socket_set_error(&t->i.s, ECONNRESET);
	reset_connection(t);
	t->done = false;
	forget_connection(t);
	net_core_unlock();
	return 0;
}

static int wait_connected(struct tcpsock *t, u32 file_flags, int err)
{
	struct socket *s = &t->i.s;
	u64 deadline = file_flags & O_NONBLOCK ? 0 : socket_deadline(s, 0, true);
	int waited = 0;

	if (atomic_load(&t->state) == TS_CONNECTING) {
		if (!deadline)
			return err;
		waited = wait_event_interruptible_timeout(&s->wait, atomic_load(&t->state) != TS_CONNECTING, deadline);
		if (waited == -ETIMEDOUT)
			return err;
		if (waited)
			return socket_wait_error(s, waited, true);
	}
	net_core_lock();
	err = t->state == TS_CLOSED ? socket_take_error(s) : 0;
	if (t->state == TS_CLOSED && !t->done) {
		err = err ? err : -ECONNABORTED;
		forget_connection(t);
	}
	t->started = false;
	net_core_unlock();
	return err;
}

static int tcpsock_connect(struct socket *s, const struct sockaddr_any *name, u32 len, u32 file_flags)
{
	struct tcpsock *t = tcpsock_of(s);
	ip_addr_t to;
	u16 port;
	int err;

	if (len < sizeof(u16))
		return -EINVAL;
	if (name->family == AF_UNSPEC)
		return disconnect(t);
	err = inet_address_in(&t->i, name, len, &to, &port);
	if (err)
		return err;
	if (IP_IS_V4(&to) && t->i.opt.v6only && s->family == AF_INET6)
		return -ENETUNREACH;
	inet_any_is_loopback(&to);
	if (IP_IS_V6(&to) && ip6_addr_islinklocal(ip_2_ip6(&to)) && !ip6_addr_has_zone(ip_2_ip6(&to)))
		return -EINVAL;
	net_core_lock();
	if (t->started) {
		err = -EALREADY;
	} else if (t->state != TS_CLOSED || t->pcb) {
		err = -EISCONN;
		net_core_unlock();
		return err;
	} else {
		(void)socket_take_error(s);
		t->done = false;
		err = begin_connect(t, &to, port);
		t->started = !err;
	}
	net_core_unlock();
	if (err && err != -EALREADY)
		return err;
	if (!err && (file_flags & O_NONBLOCK))
		return -EINPROGRESS;		/* even if it is over already: programs wait for that */
	return wait_connected(t, file_flags, err ? err : -EINPROGRESS);
}

/* --- the end ----------------------------------------------------------------------------------------------------------------------- */

/* Our end, as a segment of its own.  lwIP would mark the last that waits to be sent; but of that one parts may be cut off, sent and acknowledged
 * (tcp_large.c), and with an end in it, it could not leave bit by bit.  So lwIP does not see those that wait, and does not send before they are back. */
static void send_end(struct tcp_pcb *pcb, err_t (*end)(struct tcp_pcb *pcb))
{
	struct tcp_seg *waiting = pcb->unsent, *last = pcb->unsent_last;

	tcp_wake(pcb);
	if (!waiting || (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT)) {
		end(pcb);
		return;
	}
	pcb->unsent = NULL;
	tcp_input_pcb = pcb;		/* tcp_output() leaves it alone */
	end(pcb);
	tcp_input_pcb = NULL;
	last->next = pcb->unsent;
	if (!pcb->unsent)
		pcb->unsent_last = last;
	pcb->unsent = waiting;
	tcp_output(pcb);
}

static err_t end_half(struct tcp_pcb *pcb) { return tcp_shutdown(pcb, 0, 1); }

static int tcpsock_shutdown(struct socket *s, int how)
{
	struct tcpsock *t = tcpsock_of(s);
	u32 shut = (u32)how + 1;		/* SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2: bits 1, 2, 3 */
	int err = 0;

	net_core_lock();
	if (t->state == TS_LISTENING) {
		if (shut & SHUT_BOTH_RECEIVE) {
			tcpsock_stop_listening(t);
			t->i.s.shut |= SHUT_BOTH_RECEIVE;
		}
	} else if (t->state == TS_CONNECTING) {
		reset_connection(t);
		t->started = false;
	} else if (t->state == TS_CLOSED) {
		err = -ENOTCONN;
		if (t->done)
			atomic_fetch_or(&s->shut, shut);
	} else {
		bool first = (shut & SHUT_BOTH_SEND) && !(s->shut & SHUT_BOTH_SEND);

		atomic_fetch_or(&s->shut, shut);
		if (first && t->pcb)
			send_end(t->pcb, end_half);
	}
	net_core_unlock();
	if (!err)
		socket_wake(s, EVERYTHING | (s->shut == 3 ? EPOLLHUP : 0));
	return err;
}

/* lwIP sends a reset instead of the end if its window is not whole: so it is, but for what nobody has read. */
static void settle_window(struct tcpsock *t)
{
	t->pcb->rcv_wnd = TCP_WND_MAX(t->pcb) - min((tcpwnd_size_t)t->rx_bytes, TCP_WND_MAX(t->pcb));
	atomic_store(&t->rx_untold, 0u);
}

static void linger(struct tcpsock *t)
{
	struct socket *s = &t->i.s;

	if (READ_ONCE(s->linger) <= 0 || !t->pcb)
		return;
	send_end(t->pcb, end_half);
	net_core_unlock();
	(void)wait_event_interruptible_timeout(&s->wait, !atomic_load(&t->tx_queued) || atomic_load(&t->state) == TS_CLOSED,
					       clock_mono_ns() + (u64)READ_ONCE(s->linger) * NSEC_PER_SEC);
	net_core_lock();
}

static void tcpsock_release(struct socket *s)
{
	struct tcpsock *t = tcpsock_of(s);

	net_core_lock();
	if (t->state == TS_LISTENING)
		tcpsock_stop_listening(t);
	if (t->state == TS_CONNECTED && !t->rx_bytes)
		linger(t);
	t->orphan = true;
	if (t->pcb) {
		tcp_wake(t->pcb);
		tcp_err(t->pcb, NULL);
		if (READ_ONCE(s->linger) == 0) {
			tcp_abort(t->pcb);
		} else {
			/* What still comes in is for nobody: lwIP resets then. */
			tcp_recv(t->pcb, NULL);
			settle_window(t);
			if (t->rx_bytes)
				(void)tcp_close(t->pcb);	/* resets, and frees it */
			else
				send_end(t->pcb, tcp_close);	/* it tries again itself when there is no memory */
		}
	}
	if (!t->pcb)
		port_free(&t->i);
	else
		tcpsock_watch(t);
	net_core_unlock();
	inet_put(&t->i);
}

/* The other end's name while there is a connection, or was one whose end is not complete (Linux: not in TCP_CLOSE or TCP_SYN_SENT). */
static int tcpsock_name(struct socket *s, struct sockaddr_any *out, bool peer)
{
	return peer && atomic_load(&tcpsock_of(s)->state) != TS_CONNECTED ? -ENOTCONN : inet_name(s, out, peer);
}

static const struct socket_ops tcp_ops = {
	.release = tcpsock_release,
	.bind = tcpsock_bind,
	.connect = tcpsock_connect,
	.listen = tcpsock_listen,
	.accept = tcpsock_accept,
	.name = tcpsock_name,
	.shutdown = tcpsock_shutdown,
	.send = tcpsock_send,
	.receive = tcpsock_receive,
	.poll = tcpsock_poll,
	.ioctl = tcpsock_ioctl,
	.set_option = tcpsock_set_option,
	.get_option = tcpsock_get_option,
	.option_changed = tcpsock_option_changed,
};
