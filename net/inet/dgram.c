/* Datagram sockets: UDP, UDP-Lite (RFC 3828: UDP, but for what its checksum covers), ping (ICMP without privilege), raw.
 *
 * Theory.  lwIP does what is IP's: addresses, fragments, ARP, its own answers to ICMP.  Datagrams themselves are ours: a raw hook of lwIP for
 * each protocol in use shows every packet, whole and for us, before lwIP's own protocols see it (taps, below).  So UDP is looked up by a hash of its
 * port, delivered to one socket or, by multicast and broadcast, to several, and ICMP's errors reach those whom they concern.
 *
 * In.  The pbuf chain that came from the device goes into the socket's queue as it is, with a struct datagram that says from where; the receiver copies
 * from it to the program without any lock but the queue's, for a moment.  Queues are limited by SO_RCVBUF, counting whole packets.
 *
 * Out.  Bytes are copied to a pbuf (large ones to chunks, buffer.h) before the core is locked. */
#include <lwip/igmp.h>
#include <lwip/ip.h>
#include <lwip/mld6.h>
#include <fs/iov.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/time/time.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <mm/slab.h>
#include <net/inet/dgram.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/pmtu.h>
#include <net/inet/reports.h>
#include <net/inet/route.h>
#include <net/scm.h>

#define UDP_HEADER	8u
#define UDPLITE_SEND_CSCOV	10	/* udplite(7); no header has them */
#define UDPLITE_RECV_CSCOV	11
#define GID_LAST	0x7fffffffu	/* that ping_group_range may name */
#define PACKET_COST	256u	/* what a packet takes beside its bytes */

struct dgram_counts dgram_counts;
struct udp_counts udp_counts, udplite_counts;
static struct slab_cache *datagram_cache __ro_after_init;
static s64 ping_first = 1, ping_last;	/* groups that may ping: none, as long as nobody says so */
static const struct socket_ops dgram_ops;

void dgram_init(void)
{
	datagram_cache = slab_cache_create("datagram", sizeof(struct datagram), 0, NULL);
	taps_init();
}

/* --- what has arrived -------------------------------------------------------------------------------------------------------------- */

static void datagram_put(struct datagram *g)
{
	if (!refcount_dec_and_test(&g->refs))
		return;
	pbuf_free(g->p);
	kfree(g->headers);
	slab_free(datagram_cache, g);
}

/* What the packet had behind IP's fixed header, as far as memory is there. */
static void keep_headers(struct datagram *g)
{
	bool six = ip_current_is_v6();
	u32 fixed = six ? IP6_HLEN : IP_HLEN, n = ip_current_header_tot_len() - fixed;
	const u8 *ip = six ? (const u8 *)ip6_current_header() : (const u8 *)ip4_current_header();

	g->headers = n ? kmalloc(n, GFP_ATOMIC) : NULL;
	if (!g->headers)
		return;
	memcpy(g->headers, ip + fixed, n);
	g->nr_headers = (u16)n;
	g->next_header = six ? IP6H_NEXTH(ip6_current_header()) : 0;
	g->truesize += n;
}

void dgram_queue(struct dgramsock *d, struct pbuf *p, u16 port, const ip_addr_t *from, const ip_addr_t *to)
{
	u32 hidden = d->kind == DGRAM_UDP ? UDP_HEADER : 0;
	bool wanted = likely(!READ_ONCE(d->i.s.filter)) || inet_filter(&d->i, p, hidden);
	u32 size = p->tot_len - hidden + (u32)sizeof(struct datagram) + 128;
	bool room = READ_ONCE(d->rx_bytes) + size <= (u32)READ_ONCE(d->i.s.receive_max) || !READ_ONCE(d->rx_bytes);
	struct datagram *g = room && wanted ? slab_alloc(datagram_cache, GFP_ATOMIC) : NULL;
	struct udp_counts *counts = udp_counts_of(dgram_is_lite(d));
	irqflags_t flags;

	if (!wanted) {
		d->drops++;
		counts->in_errors++;
		pbuf_free(p);
		return;
	}
	if (!g) {
		d->drops++;
		counts->rcvbuf_errors++;
		counts->in_errors++;
		pbuf_free(p);
		return;
	}
	if (hidden)
		pbuf_remove_header(p, hidden);
	if (d->connected)
		WRITE_ONCE(d->i.s.incoming_cpu, (s32)smp_cpu_id());
	*g = (struct datagram){ .p = p, .from = *from, .to = *to, .port = port, .truesize = size, .stamp = clock_real_ns(), .drops = (u32)d->drops };
	refcount_set(&g->refs, 1);
	g->ifindex = interface_of(ip_current_input_netif())->dev->index;
	if (ip_current_is_v6()) {
		g->ttl = IP6H_HOPLIM(ip6_current_header());
		g->tos = IP6H_TC(ip6_current_header());
	} else {
		g->ttl = IPH_TTL(ip4_current_header());
		g->tos = IPH_TOS(ip4_current_header());
	}
	if (unlikely(d->i.opt.told & TELL_HEADERS))
		keep_headers(g);
	flags = spin_lock_irqsave(&d->lock);
	list_add_tail(&g->link, &d->queue);
	WRITE_ONCE(d->rx_bytes, d->rx_bytes + g->truesize);
	spin_unlock_irqrestore(&d->lock, flags);
	socket_wake(&d->i.s, EPOLLIN | EPOLLRDNORM);
}

static struct datagram *next_datagram(struct dgramsock *d, bool peek)
{
	irqflags_t flags = spin_lock_irqsave(&d->lock);
	struct datagram *g = NULL;

	if (!list_empty(&d->queue)) {
		g = list_first_entry(&d->queue, struct datagram, link);
		if (peek) {
			refcount_inc(&g->refs);
		} else {
			list_del(&g->link);
			WRITE_ONCE(d->rx_bytes, d->rx_bytes - g->truesize);
		}
	}
	spin_unlock_irqrestore(&d->lock, flags);
	return g;
}

static ssize_t copy_out(const struct datagram *g, struct message *m)
{
	size_t len = min(m->iter->count, (size_t)g->p->tot_len), done = 0;

	for (const struct pbuf *q = g->p; q && done < len; q = q->next) {
		size_t n = min((size_t)q->len, len - done);

		if (copy_to_iter(q->payload, n, m->iter) != n)
			return -EFAULT;
		done += n;
	}
	if (len < g->p->tot_len)
		m->out_flags |= MSG_TRUNC;
	return m->flags & MSG_TRUNC ? g->p->tot_len : (ssize_t)len;
}

static ssize_t dgram_receive(struct socket *s, struct message *m)
{
	struct dgramsock *d = dgramsock_of(s);
	u64 deadline = socket_deadline(s, m->flags, false);
	struct datagram *g;
	ssize_t n;
	int err;

	if ((m->flags & MSG_OOB) && d->kind != DGRAM_UDP)
		return -EOPNOTSUPP;
	if (m->flags & MSG_ERRQUEUE)
		return reports_receive(&d->i, m);
	for (;;) {
		err = socket_take_error(s);
		if (err)
			return err;
		g = next_datagram(d, m->flags & MSG_PEEK);
		if (g)
			break;
		if (atomic_load(&s->shut) & SHUT_BOTH_RECEIVE)
			return 0;
		if (!deadline)
			return -EAGAIN;
		err = wait_event_interruptible_timeout(&s->wait, READ_ONCE(d->rx_bytes) || atomic_load(&s->error) ||
						       (atomic_load(&s->shut) & SHUT_BOTH_RECEIVE), deadline);
		if (err)
			return socket_wait_error(s, err, false);
	}
	n = copy_out(g, m);
	if (n >= 0 && m->name)
		m->name_len = (u32)inet_address_out(&d->i, &g->from, d->kind == DGRAM_UDP ? g->port : 0, m->name);
	if (n >= 0) {
		socket_stamp(s, m, g->stamp);
		if (g->drops && m->scm && socket_option(s, SO_RXQ_OVFL))
			scm_put(m, SOL_SOCKET, SO_RXQ_OVFL, &g->drops, sizeof(g->drops));
	}
	err = n >= 0 ? dgram_tell(d, m, g) : 0;
	datagram_put(g);
	return err ? err : n;
}

/* --- what devices have not sent yet ------------------------------------------------------------------------------------------------- */

void dgram_charge(struct dgramsock *d, u32 len)
{
	inet_get(&d->i);
	atomic_add(&d->sending, len + PACKET_COST);
}

void dgram_sent(struct dgramsock *d, u32 len)
{
	u32 left = atomic_sub_return_acq_rel(&d->sending, len + PACKET_COST);

	if (atomic_load(&d->tx_full) && left * 2 <= (u32)READ_ONCE(d->i.s.send_max)) {
		atomic_store(&d->tx_full, false);
		socket_wake(&d->i.s, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	}
	inet_put(&d->i);
}

static bool room(const struct dgramsock *d) { return atomic_load(&d->sending) < (u32)READ_ONCE(d->i.s.send_max); }

/* Devices give packets back when it suits them: who waits says so. */
static bool has_room(struct dgramsock *d)
{
	struct netdev *dev;

	if (room(d))
		return true;
	atomic_store(&d->tx_full, true);
	smp_mb();			/* pairs with the subtraction in dgram_sent: one of us sees the other */
	dev = netdev_by_index(READ_ONCE(d->sent_by));
	if (dev) {
		netdev_reap(dev, true);
		netdev_put(dev);
	}
	return room(d);
}

static int wait_room(struct dgramsock *d, const struct message *m)
{
	u64 deadline = socket_deadline(&d->i.s, m->flags, true);
	int err = 0;

	while (!err && !has_room(d)) {
		err = !deadline ? -EAGAIN : socket_wait_event(&d->i.s, EPOLLOUT, room(d) || atomic_load(&d->i.s.error) ||
							      (atomic_load(&d->i.s.shut) & SHUT_BOTH_SEND), deadline);
		if (!err)
			err = socket_take_error(&d->i.s);
		if (!err && (atomic_load(&d->i.s.shut) & SHUT_BOTH_SEND))
			err = -EPIPE;
	}
	return socket_wait_error(&d->i.s, err, true);
}

static u32 dgram_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct dgramsock *d = dgramsock_of(s);
	u32 mask = 0, shut;

	poll_wait(pt, f, &s->wait);
	shut = atomic_load(&s->shut);
	if (likely(!atomic_load(&d->sending)) || has_room(d))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	if (atomic_load(&s->error) || reports_are_there(atomic_load(&d->i.reports)))
		mask |= EPOLLERR | (socket_option(s, SO_SELECT_ERR_QUEUE) ? EPOLLPRI : 0);
	if (shut & SHUT_BOTH_RECEIVE)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (shut == (SHUT_BOTH_RECEIVE | SHUT_BOTH_SEND))
		mask |= EPOLLHUP;
	if (READ_ONCE(d->rx_bytes))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

/* --- names ------------------------------------------------------------------------------------------------------------------------- */

static int dgram_bind(struct socket *s, const struct sockaddr_any *name, u32 len)
{
	struct dgramsock *d = dgramsock_of(s);
	struct sockaddr_any any = { .family = AF_INET };
	ip_addr_t addr;
	u16 port;
	int err;

	if (d->kind == DGRAM_RAW && s->family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		memcpy(any.bytes, name->bytes, sizeof(any.bytes));	/* whatever family it says */
		name = &any;
	}
	err = inet_bind_address(&d->i, name, len, &addr, &port);
	if (err == -EAFNOSUPPORT && d->kind == DGRAM_RAW)
		err = -EINVAL;		/* that is what raw sockets say */
	if (err)
		return err;
	net_core_lock();
	err = inet_bind_check(&d->i, &addr, d->kind == DGRAM_UDP ? port : 0);
	if (!err && d->kind != DGRAM_RAW) {
		if (d->i.lport)
			err = -EINVAL;
		else
			err = port || !d->i.opt.no_port ? port_take(&d->i, &addr, port) : 0;
		if (!err)
			d->i.port_given = port;
	}
	if (!err) {
		d->i.local = addr;
		d->i.address_given = !inet_address_is_any(&addr);
	}
	net_core_unlock();
	return err;
}

static void address_in4(const struct sockaddr_any *name, struct sending *to)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)name;

	ip_addr_set_ip4_u32(&to->to, in->sin_addr.s_addr);
	to->port = lwip_ntohs(in->sin_port);
}

/* A socket that sends gets a port. */
static int auto_bind(struct dgramsock *d)
{
	return d->i.lport ? 0 : port_take(&d->i, &d->i.local, 0) ? -EAGAIN : 0;
}

static void disconnect(struct dgramsock *d)
{
	d->connected = false;
	d->i.rport = 0;
	ip_addr_set_zero(&d->i.remote);
	if (!d->i.address_given) {
		ip_addr_set_zero(&d->i.local);
		IP_SET_TYPE_VAL(d->i.local, d->i.s.family == AF_INET ? IPADDR_TYPE_V4 : d->i.opt.v6only ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY);
	}
	if (!d->i.port_given && d->kind != DGRAM_RAW)
		port_free(&d->i);
}

static int dgram_connect(struct socket *s, const struct sockaddr_any *name, u32 len, u32 file_flags)
{
	struct dgramsock *d = dgramsock_of(s);
	struct sending to = { .ttl = -1, .tos = -1 };
	struct route_answer a;
	int err = 0;

	(void)file_flags;
	if (len < sizeof(u16))
		return -EINVAL;
	if (s->family == AF_INET6 && name->family == AF_INET && d->kind == DGRAM_UDP && !d->i.opt.v6only && len >= sizeof(struct sockaddr_in))
		address_in4(name, &to);
	else if (name->family != AF_UNSPEC)
		err = inet_address_in(&d->i, name, len, &to.to, &to.port);
	if (err)
		return err;
	net_core_lock();
	if (name->family == AF_UNSPEC) {
		disconnect(d);
	} else {
		inet_any_is_loopback(&to.to);
		err = dgram_route(d, &to, &a);
		if (!err)
			err = auto_bind(d);
		if (!err) {
			if (!d->i.address_given)
				d->i.local = to.from;
			d->i.remote = to.to;
			d->i.rport = d->kind == DGRAM_RAW ? max(to.port, (u16)1) : to.port;
			d->connected = true;
		}
	}
	net_core_unlock();
	return err;
}

static int dgram_shutdown(struct socket *s, int how)
{
	struct dgramsock *d = dgramsock_of(s);

	atomic_fetch_or(&s->shut, (u32)how + 1);
	socket_wake(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	return d->connected ? 0 : -ENOTCONN;
}

/* --- sending ----------------------------------------------------------------------------------------------------------------------- */

int dgram_route(struct dgramsock *d, struct sending *to, struct route_answer *a)
{
	u32 ifindex = to->ifindex ? to->ifindex : (u32)READ_ONCE(d->i.s.bound_device);
	bool many = ip_addr_ismulticast(&to->to), given = !inet_address_is_any(&to->from);
	const ip_addr_t *from = given ? &to->from : d->i.address_given && !ip_addr_ismulticast(&d->i.local) ? &d->i.local : NULL;
	ip_addr_t mc_source;
	int err;

	if (many && !ifindex)
		ifindex = IP_IS_V6(&to->to) ? d->i.opt.mc_ifindex6 : d->i.opt.mc_ifindex;
	else if (!ifindex)
		ifindex = IP_IS_V6(&to->to) ? d->i.opt.uc_ifindex6 : d->i.opt.uc_ifindex;
	if (many && !from && IP_IS_V4(&to->to) && d->i.opt.mc_source.addr) {
		ip_addr_copy_from_ip4(mc_source, d->i.opt.mc_source);
		from = &mc_source;
	}
	if (from && IP_IS_V4(from) && (ip_2_ip4(from)->addr == 0xffffffff || ip_addr_ismulticast(from)))
		from = NULL;
	if (IP_IS_V6(&to->to) && !ifindex && ip6_addr_has_zone(ip_2_ip6(&to->to)))
		ifindex = ip6_addr_zone(ip_2_ip6(&to->to));
	err = route_lookup(&to->to, from, ifindex, a);
	if (err)
		return err;
	if (IP_IS_V4(&to->to) && !socket_option(&d->i.s, SO_BROADCAST) &&
	    !interface_is_loopback(a->i) && ip4_addr_isbroadcast(ip_2_ip4(&to->to), &a->i->n))
		return -EACCES;
	to->from = a->source;
	return 0;
}

static bool loops_back(const struct dgramsock *d, const ip_addr_t *to)
{
	return !ip_addr_ismulticast(to) || (IP_IS_V6(to) ? d->i.opt.mc_loop6 : d->i.opt.mc_loop);
}

u32 dgram_mtu(const struct dgramsock *d, const ip_addr_t *to, const struct route_answer *a, bool *cut)
{
	bool six = IP_IS_V6(to);
	u8 how = six ? d->i.opt.mtu_discover6 : d->i.opt.mtu_discover;

	*cut = (how < IP_PMTUDISC_DO || how == IP_PMTUDISC_OMIT) && !(six && d->i.opt.dontfrag);
	return how < IP_PMTUDISC_PROBE ? pmtu_of(to, a->i->n.mtu) : a->i->n.mtu;
}

int dgram_output(struct dgramsock *d, struct pbuf *p, const struct sending *to, u8 proto, const struct route_answer *a)
{
	const struct inet_options *o = &d->i.opt;
	bool many = ip_addr_ismulticast(&to->to);
	s16 ttl;
	err_t err;

	bool cut, loopback = interface_is_loopback(a->i);
	u32 mtu = dgram_mtu(d, &to->to, a, &cut), whole = p->tot_len + (IP_IS_V6(&to->to) ? IP6_HLEN : IP_HLEN);
	u16 usual = a->i->n.mtu;

	if (unlikely(whole > mtu) && !cut) {
		report_local(&d->i, EMSGSIZE, &to->to, mtu);
		return -EMSGSIZE;
	}
	a->i->n.mtu = (u16_t)mtu;	/* by which lwIP cuts */
	interface_no_echo = !loops_back(d, &to->to);
	interface_whole = !IP_IS_V6(&to->to) && whole <= mtu && o->mtu_discover != IP_PMTUDISC_DONT && o->mtu_discover < IP_PMTUDISC_INTERFACE;
	interface_sender = loopback ? NULL : d;
	d->sent_by = a->i->dev->index;
	if (IP_IS_V6(&to->to)) {
		ip6_addr_t dest = *ip_2_ip6(&to->to);

		ttl = to->ttl >= 0 ? to->ttl : many ? o->mc_hops : o->hops >= 0 ? o->hops : 64;
		if (ip6_addr_lacks_zone(&dest, IP6_UNKNOWN))
			ip6_addr_assign_zone(&dest, IP6_UNKNOWN, &a->i->n);
		err = whole > 0xffff ? long6_output(p, ip_2_ip6(&to->from), &dest, (u8)ttl, to->tos >= 0 ? (u8)to->tos : o->tclass, proto, &a->i->n)
			: ip6_output_if_src(p, ip_2_ip6(&to->from), &dest, (u8_t)ttl, to->tos >= 0 ? (u8_t)to->tos : o->tclass, proto, &a->i->n);
	} else {
		ttl = to->ttl >= 0 ? to->ttl : many ? o->mc_ttl : o->ttl >= 0 ? o->ttl : 64;
		err = ip4_output_if_src(p, ip_2_ip4(&to->from), ip_2_ip4(&to->to), (u8_t)ttl, to->tos >= 0 ? (u8_t)to->tos : o->tos, proto, &a->i->n);
	}
	interface_no_echo = interface_whole = false;
	interface_sender = NULL;
	a->i->n.mtu = usual;
	return inet_error(err);
}

static ssize_t dgram_send(struct socket *s, struct message *m)
{
	struct dgramsock *d = dgramsock_of(s);
	struct sending to = { .ttl = -1, .tos = -1 };
	int err = 0;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (atomic_load(&s->shut) & SHUT_BOTH_SEND)
		return -EPIPE;
	if (m->name && (m->name_len || d->kind == DGRAM_UDP || s->family == AF_INET6)) {
		if (m->name_len >= sizeof(struct sockaddr_in) && m->name->family == (s->family == AF_INET6 ? AF_INET : AF_UNSPEC))
			address_in4(m->name, &to);
		else
			err = inet_address_in(&d->i, m->name, m->name_len, &to.to, &to.port);
		if (!err && d->kind == DGRAM_UDP && !to.port)
			err = -EINVAL;
		if (!err && d->kind == DGRAM_RAW && s->family == AF_INET6 && to.port && to.port != s->protocol)
			err = -EINVAL;		/* it would be the protocol */
	} else if (d->connected) {
		to.to = d->i.remote;
		to.port = d->i.rport;
	} else {
		err = -EDESTADDRREQ;
	}
	if (!err && d->i.opt.v6only && IP_IS_V4(&to.to) && s->family == AF_INET6)
		err = -ENETUNREACH;
	if (err)
		return err;
	err = socket_take_error(s);
	if (err)
		return err;
	inet_any_is_loopback(&to.to);
	err = m->scm ? dgram_parse_control(d, m, &to) : 0;
	if (err)
		return err;
	if (d->kind != DGRAM_RAW && !d->i.lport) {
		net_core_lock();
		err = auto_bind(d);
		net_core_unlock();
		if (err)
			return err;
	}
	err = likely(room(d)) ? 0 : wait_room(d, m);
	if (err)
		return err;
	return d->kind == DGRAM_UDP ? udpsock_send(d, m, &to) : d->kind == DGRAM_PING ? pingsock_send(d, m, &to) : rawsock_send(d, m, &to);
}

/* --- making, freeing --------------------------------------------------------------------------------------------------------------- */

static void dgramsock_free(struct inet_sock *i)
{
	struct dgramsock *d = container_of(i, struct dgramsock, i);
	struct datagram *g;

	while ((g = next_datagram(d, false)))
		datagram_put(g);
	kfree(d->corked);
	reports_free(i);
	socket_fini(&i->s);
	kfree(d);
}

static void dgram_release(struct socket *s)
{
	struct dgramsock *d = dgramsock_of(s);

	net_core_lock();
	dgram_leave_all(d);
	port_free(&d->i);
	net_core_unlock();
	inet_put(&d->i);
}

static long dgram_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct dgramsock *d = dgramsock_of(s);
	irqflags_t flags;
	s32 n = 0;

	if (cmd == SIOCOUTQ)
		return put_user((s32)atomic_load(&d->sending), (s32 __user *)user_ptr(arg));
	if (cmd != SIOCINQ)
		return inet_ioctl(s, cmd, arg);
	flags = spin_lock_irqsave(&d->lock);
	if (!list_empty(&d->queue))
		n = list_first_entry(&d->queue, struct datagram, link)->p->tot_len;
	spin_unlock_irqrestore(&d->lock, flags);
	return put_user(n, (s32 __user *)user_ptr(arg));
}

static int set_icmp_filter(struct dgramsock *d, int level, int name, const void *value, u32 len)
{
	if (level == SOL_RAW && name == ICMP_FILTER && d->kind == DGRAM_RAW && d->i.s.protocol == IPPROTO_ICMP) {
		memcpy(&d->icmp_filter, value, min(len, (u32)sizeof(d->icmp_filter)));
		return 0;
	}
	if (level == SOL_ICMPV6 && name == ICMPV6_FILTER && d->kind == DGRAM_RAW && d->i.s.protocol == IPPROTO_ICMPV6) {
		memcpy(d->icmp6_filter, value, min(len, (u32)sizeof(d->icmp6_filter)));
		return 0;
	}
	return -ENOPROTOOPT;
}

/* As on Linux: less than the header means the header, all or nothing is 0. */
static int set_coverage(struct dgramsock *d, int name, s32 v)
{
	u16 bytes = v ? (u16)clamp(v, (s32)UDP_HEADER, 0xffff) : 0;

	if (name == UDPLITE_SEND_CSCOV) {
		WRITE_ONCE(d->send_coverage, bytes);
		WRITE_ONCE(d->send_covers, true);
	} else if (name == UDPLITE_RECV_CSCOV) {
		WRITE_ONCE(d->recv_coverage, bytes);
		WRITE_ONCE(d->recv_covers, true);
	} else {
		return -ENOPROTOOPT;
	}
	return 0;
}

static int set_udp(struct dgramsock *d, int name, s32 v)
{
	switch (name) {
	case UDP_CORK: d->cork = v; return v ? 0 : udpsock_push(d);
	case UDP_SEGMENT:
		if (v < 0 || v > 0xffff)
			return -EINVAL;
		d->segment = (u16)v;
		return 0;
	case UDP_GRO: d->gro = v; return 0;
	default: return dgram_is_lite(d) ? set_coverage(d, name, v) : -ENOPROTOOPT;
	}
}

static int dgram_set_option(struct socket *s, int level, int name, const void *value, u32 len)
{
	struct dgramsock *d = dgramsock_of(s);
	s32 v;

	if (level == SOL_IP || level == SOL_IPV6)
		return inet_set_option(&d->i, level, name, value, len);
	if (level == SOL_SOCKET)
		return inet_set_socket_option(&d->i, name, value, len);
	if ((level == SOL_UDP || level == SOL_UDPLITE) && d->kind == DGRAM_UDP) {
		if (len < sizeof(v))
			return -EINVAL;
		memcpy(&v, value, sizeof(v));
		return set_udp(d, name, v);
	}
	return set_icmp_filter(d, level, name, value, len);
}

static int dgram_get_option(struct socket *s, int level, int name, void *value, u32 *len)
{
	struct dgramsock *d = dgramsock_of(s);

	if (level == SOL_IP || level == SOL_IPV6)
		return inet_get_option(&d->i, level, name, value, len);
	if ((level == SOL_UDP || level == SOL_UDPLITE) && d->kind == DGRAM_UDP) {
		switch (name) {
		case UDP_CORK: return option_put(value, len, d->cork);
		case UDP_SEGMENT: return option_put(value, len, d->segment);
		case UDP_GRO: return option_put(value, len, d->gro);
		case UDPLITE_SEND_CSCOV: return option_put(value, len, READ_ONCE(d->send_coverage));
		case UDPLITE_RECV_CSCOV: return option_put(value, len, READ_ONCE(d->recv_coverage));
		default: return -ENOPROTOOPT;
		}
	}
	if (level == SOL_RAW && name == ICMP_FILTER && d->i.s.protocol == IPPROTO_ICMP && d->kind == DGRAM_RAW)
		return option_put(value, len, (s32)d->icmp_filter);
	return -ENOPROTOOPT;
}

static const struct socket_ops dgram_ops = {
	.release = dgram_release,
	.bind = dgram_bind,
	.connect = dgram_connect,
	.name = inet_name,
	.shutdown = dgram_shutdown,
	.send = dgram_send,
	.receive = dgram_receive,
	.poll = dgram_poll,
	.ioctl = dgram_ioctl,
	.set_option = dgram_set_option,
	.get_option = dgram_get_option,
};

static bool may_ping(void)
{
	u32 gid = current->cred->egid;

	return gid >= (u64)READ_ONCE(ping_first) && (s64)gid <= READ_ONCE(ping_last);
}

static int kind_of(u16 family, int type, int *protocol)
{
	if (type == SOCK_RAW) {
		if (!*protocol)
			return -EPROTONOSUPPORT;
		return capable(CAP_NET_RAW) ? DGRAM_RAW : -EPERM;
	}
	if (!*protocol || *protocol == IPPROTO_UDP) {
		*protocol = IPPROTO_UDP;
		return DGRAM_UDP;
	}
	if (*protocol == IPPROTO_UDPLITE)
		return DGRAM_UDP;
	if (*protocol == (family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return may_ping() ? DGRAM_PING : -EACCES;
	return -EPROTONOSUPPORT;
}

int dgram_create(u16 family, int type, int protocol, struct socket **out)
{
	static struct port_table *const tables[] = { [DGRAM_UDP] = &udp_ports, [DGRAM_PING] = &ping_ports, [DGRAM_RAW] = &raw_ports };
	int kind = kind_of(family, type, &protocol), err = 0;
	struct dgramsock *d;

	if (kind < 0)
		return kind;
	if (protocol < 0 || protocol > 255)
		return -EINVAL;
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return -ENOMEM;
	inet_init(&d->i, &dgram_ops, family, (u16)type, (u16)protocol, kind == DGRAM_UDP && protocol == IPPROTO_UDPLITE ? &udplite_ports : tables[kind]);
	d->i.free = dgramsock_free;
	d->kind = (u8)kind;
	spin_lock_init(&d->lock, LC_SOCKET_QUEUE);
	list_init(&d->queue);
	mutex_init(&d->tx_lock, LC_SOCKET);
	d->i.s.send_max = d->i.s.receive_max = 212992;
	if (kind == DGRAM_RAW) {
		d->i.opt.hdrincl = protocol == IPPROTO_RAW;
		net_core_lock();
		err = raw_watch((u8)protocol);
		port_inherit(&d->i, (u16)protocol);
		net_core_unlock();
	}
	if (err)
		inet_put(&d->i);
	else
		*out = &d->i.s;
	return err;
}

static int ping_range_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%ld\t%ld\n", READ_ONCE(ping_first), READ_ONCE(ping_last));
	return 0;
}

static int ping_range_write(const char *buf, size_t len, void *arg)
{
	u64 lo, hi;

	(void)arg;
	(void)len;
	if (!parse_range(buf, &lo, &hi) || lo > GID_LAST || hi > GID_LAST)
		return -EINVAL;
	if (lo > hi) {			/* nobody, as Linux writes it */
		lo = 1;
		hi = 0;
	}
	WRITE_ONCE(ping_first, (s64)lo);
	WRITE_ONCE(ping_last, (s64)hi);
	return 0;
}
PROC_FILE(ping_group_range, .path = "sys/net/ipv4/ping_group_range", .mode = 0644, .show = ping_range_show, .write = ping_range_write);
