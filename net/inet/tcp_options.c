/* TCP sockets: options. */
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/pmtu.h>
#include <net/inet/reports.h>
#include <net/inet/route.h>
#include <net/inet/tcp.h>

#define LINGER2_MAX	120
#define CLAMP_LEAST	1152u		/* as on Linux */

/* What SO_KEEPALIVE does to a socket that was not told otherwise: s, s, number. */
static u64 keepalive_time = 7200, keepalive_intvl = 75, keepalive_probes = 9;
SYSCTL(keepalive_time, "net/ipv4/tcp_keepalive_time", .value = &keepalive_time, .min = 1, .max = 32767);
SYSCTL(keepalive_intvl, "net/ipv4/tcp_keepalive_intvl", .value = &keepalive_intvl, .min = 1, .max = 32767);
SYSCTL(keepalive_probes, "net/ipv4/tcp_keepalive_probes", .value = &keepalive_probes, .min = 1, .max = 127);
#define KEEP_IDLE	((u32)READ_ONCE(keepalive_time))
#define KEEP_INTERVAL	((u32)READ_ONCE(keepalive_intvl))
#define KEEP_COUNT	((u32)READ_ONCE(keepalive_probes))

/* All that a pcb knows of the socket's options.  Core locked; t->pcb is no listener's. */
void tcpsock_apply_options(struct tcpsock *t)
{
	struct tcp_pcb *pcb = t->pcb;

	tcp_wake(pcb);
	if (socket_option(&t->i.s, SO_KEEPALIVE))
		ip_set_option(pcb, SOF_KEEPALIVE);
	else
		ip_reset_option(pcb, SOF_KEEPALIVE);
	pcb->keep_idle = (t->keep_idle ? t->keep_idle : KEEP_IDLE) * 1000;
	pcb->keep_intvl = (t->keep_interval ? t->keep_interval : KEEP_INTERVAL) * 1000;
	pcb->keep_cnt = t->keep_count ? t->keep_count : KEEP_COUNT;
	if (t->nodelay)
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
	if (t->corked)
		tcp_set_flags(pcb, TF_HOLD);
	pcb->ttl = (u8_t)(IP_IS_V6(&pcb->remote_ip) ? (t->i.opt.hops >= 0 ? t->i.opt.hops : TCP_TTL) : t->i.opt.ttl >= 0 ? t->i.opt.ttl : TCP_TTL);
	pcb->tos = IP_IS_V6(&pcb->remote_ip) ? t->i.opt.tclass : t->i.opt.tos;
}

static bool has_connection(const struct tcpsock *t)
{
	return t->pcb && t->state != TS_LISTENING;
}

/* What a segment carries beside its options. */
static u32 data_mss(const struct tcp_pcb *pcb) { return pcb->mss - (pcb->flags & TF_TIMESTAMP ? 12u : 0); }

void tcpsock_option_changed(struct socket *s, int name)
{
	struct tcpsock *t = tcpsock_of(s);

	switch (name) {
	case SO_SNDBUF: case SO_SNDBUFFORCE:
		atomic_store(&t->tx_limit, (u32)max(READ_ONCE(s->send_max), 4608));
		break;
	case SO_RCVBUF: case SO_RCVBUFFORCE:
		atomic_store(&t->rx_want, (u32)max(READ_ONCE(s->receive_max) / 2, 2048));
		break;
	case SO_BINDTODEVICE: case SO_BINDTOIFINDEX:
		net_core_lock();
		if (t->pcb)
			t->pcb->netif_idx = (u8_t)READ_ONCE(s->bound_device);
		net_core_unlock();
		break;
	case SO_KEEPALIVE:
		net_core_lock();
		if (has_connection(t))
			tcpsock_apply_options(t);
		net_core_unlock();
		break;
	default:
		break;
	}
}

static int set_keep(u32 *to, s32 v, s32 most)
{
	if (v < 1 || v > most)
		return -EINVAL;
	*to = (u32)v;
	return 0;
}

/* TCP_DEFER_ACCEPT counts in retransmissions of our SYN: after one second, three, seven ... */
static s32 whole_periods(s32 seconds)
{
	s32 all = 1, last = 1;

	if (seconds <= 0)
		return 0;
	while (all < seconds) {
		last = min(last * 2, 120);
		all += last;
	}
	return all;
}

/* What was announced stays; the window becomes smaller as bytes are read, but not so small that lwIP would never tell of a segment's room. */
static int set_window_clamp(struct tcpsock *t, u32 most)
{
	u32 was = tcpsock_window(t), now;

	if (!most && t->state != TS_CLOSED)
		return -EINVAL;
	most = most ? max(most, CLAMP_LEAST) : 0;
	if (t->state == TS_CONNECTED && t->pcb)
		most = max(most, 2u * t->pcb->mss);
	WRITE_ONCE(t->window_clamp, most);
	now = tcpsock_window(t);
	if (t->state != TS_CONNECTED || now == was)
		return 0;
	if (now < was) {
		t->rx_owed += was - now;
	} else {
		u32 kept = min(t->rx_owed, now - was);

		t->rx_owed -= kept;
		__atomic_fetch_add(&t->rx_untold, now - was - kept, __ATOMIC_RELAXED);
		tcpsock_tell(t);
	}
	return 0;
}

static void set_notsent_lowat(struct tcpsock *t, u32 low)
{
	if (low && has_connection(t))
		tcpsock_count_unsent(t);
	WRITE_ONCE(t->notsent_lowat, low);
	if (t->state == TS_CONNECTED && tcpsock_writable(t))
		socket_wake(&t->i.s, EPOLLOUT | EPOLLWRNORM);
}

static int set_number(struct tcpsock *t, int name, s32 v)
{
	switch (name) {
	case TCP_NODELAY:
		t->nodelay = v;
		return 0;
	case TCP_CORK:
		WRITE_ONCE(t->corked, v != 0);
		return 0;
	case TCP_MAXSEG:
		if (v && (v < 88 || v > 32767))
			return -EINVAL;
		t->maxseg = (u16)v;
		return 0;
	case TCP_KEEPIDLE: return set_keep(&t->keep_idle, v, 32767);
	case TCP_KEEPINTVL: return set_keep(&t->keep_interval, v, 32767);
	case TCP_KEEPCNT: return set_keep(&t->keep_count, v, 127);
	case TCP_SYNCNT:
		if (v < 1 || v > 127)
			return -EINVAL;
		t->syn_count = v;
		return 0;
	case TCP_USER_TIMEOUT:
		if (v < 0)
			return -EINVAL;
		t->user_timeout = (u32)v;
		if (v && has_connection(t))
			tcpsock_watch(t);
		return 0;
	case TCP_DEFER_ACCEPT:
		t->defer_accept = whole_periods(v);
		return 0;
	case TCP_LINGER2:
		t->linger2 = v < 0 ? -1 : min(v, LINGER2_MAX);
		return 0;
	case TCP_WINDOW_CLAMP:
		return set_window_clamp(t, (u32)v);
	case TCP_NOTSENT_LOWAT:
		set_notsent_lowat(t, (u32)v);
		return 0;
	case TCP_QUICKACK:
		t->quickack = v;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int set_congestion(const char *value, u32 len)
{
	char name[16] = "";

	memcpy(name, value, min(len, (u32)sizeof(name) - 1));
	return strcmp(name, "reno") ? -ENOENT : 0;
}

int tcpsock_set_option(struct socket *s, int level, int name, const void *value, u32 len)
{
	struct tcpsock *t = tcpsock_of(s);
	s32 v;
	int err;

	if (level == SOL_IP || level == SOL_IPV6) {
		err = inet_set_option(&t->i, level, name, value, len);
		net_core_lock();
		if (!err && has_connection(t))
			tcpsock_apply_options(t);
		net_core_unlock();
		return err;
	}
	if (level == SOL_SOCKET)
		return inet_set_socket_option(&t->i, name, value, len);
	if (level != SOL_TCP)
		return -ENOPROTOOPT;
	if (name == TCP_CONGESTION)
		return len < 1 ? -EINVAL : set_congestion(value, len);
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, value, sizeof(v));
	net_core_lock();
	err = set_number(t, name, v);
	if (!err && has_connection(t)) {
		tcpsock_apply_options(t);
		if (name == TCP_NODELAY && v)
			tcpsock_push(t);
		if (name == TCP_CORK && !v)
			tcpsock_output(t, false);
		if (name == TCP_QUICKACK && v && t->pcb->flags & TF_ACK_DELAY) {
			tcp_ack_now(t->pcb);
			tcp_output(t->pcb);
		}
	}
	net_core_unlock();
	return err;
}

/* lwIP's state as Linux numbers it. */
static u8 state_number(const struct tcpsock *t)
{
	static const u8 number[] = { [CLOSED] = 7, [LISTEN] = 10, [SYN_SENT] = 2, [SYN_RCVD] = 3, [ESTABLISHED] = 1, [FIN_WAIT_1] = 4, [FIN_WAIT_2] = 5,
				     [CLOSE_WAIT] = 8, [CLOSING] = 11, [LAST_ACK] = 9, [TIME_WAIT] = 6 };

	return t->pcb ? number[t->pcb->state] : 7;
}

static u32 device_mtu(const struct tcpsock *t)
{
	struct route_answer a;

	return route_lookup(&t->i.remote, &t->i.local, (u32)READ_ONCE(t->i.s.bound_device), &a) ? 1500 : a.i->n.mtu;
}

static void fill_info(struct tcpsock *t, struct tcp_info *ti)
{
	const struct tcp_pcb *pcb = t->pcb;

	ti->tcpi_state = state_number(t);
	if (t->state == TS_LISTENING) {
		ti->tcpi_unacked = t->nr_accepted;
		ti->tcpi_sacked = t->backlog;
		return;
	}
	if (!pcb)
		return;
	ti->tcpi_options = (pcb->flags & TF_TIMESTAMP ? TCPI_OPT_TIMESTAMPS : 0) | (pcb->flags & TF_SACK ? TCPI_OPT_SACK : 0) |
			   (pcb->flags & TF_WND_SCALE ? TCPI_OPT_WSCALE : 0);
	ti->tcpi_snd_wscale = pcb->snd_scale & 15;
	ti->tcpi_rcv_wscale = pcb->rcv_scale & 15;
	ti->tcpi_retransmits = pcb->nrtx;
	ti->tcpi_backoff = pcb->nrtx;
	ti->tcpi_rto = (u32)pcb->rto * TCP_SLOW_INTERVAL * 1000;
	ti->tcpi_ato = TCP_TMR_INTERVAL * 1000;
	ti->tcpi_snd_mss = data_mss(pcb);
	ti->tcpi_advmss = pcb->mss;
	ti->tcpi_rcv_mss = min(pcb->mss, 536);
	ti->tcpi_pmtu = pmtu_of(&pcb->remote_ip, device_mtu(t));
	ti->tcpi_reordering = 3;
	ti->tcpi_sacked = tcp_sack_segments(t, pcb);
	ti->tcpi_total_retrans = t->retransmitted + (u32)max(pcb->nrtx - t->nrtx_seen, 0);
	ti->tcpi_probes = (u8)(pcb->persist_probe + pcb->keep_cnt_sent);
	ti->tcpi_segs_in = t->segs_in;
	ti->tcpi_segs_out = t->segs_out;
	ti->tcpi_data_segs_in = t->data_segs_in;
	ti->tcpi_data_segs_out = t->data_segs_out;
	ti->tcpi_bytes_acked = t->tx_acked;
	ti->tcpi_bytes_received = t->rx_total;
	ti->tcpi_last_data_sent = ti->tcpi_last_data_recv = ti->tcpi_last_ack_recv = (tcp_ticks - pcb->tmr) * TCP_SLOW_INTERVAL;
	ti->tcpi_rcv_ssthresh = ti->tcpi_rcv_space = pcb->rcv_wnd;
	ti->tcpi_rtt = (u32)(pcb->sa >> 3) * TCP_SLOW_INTERVAL * 1000;
	ti->tcpi_rttvar = (u32)(pcb->sv >> 2) * TCP_SLOW_INTERVAL * 1000;
	ti->tcpi_snd_ssthresh = pcb->ssthresh;
	ti->tcpi_snd_cwnd = max(pcb->cwnd / max(pcb->mss, (u16_t)1), 1u);
	ti->tcpi_snd_wnd = pcb->snd_wnd;
	for (const struct tcp_seg *seg = pcb->unacked; seg; seg = seg->next)
		ti->tcpi_unacked += tcp_wire_segments(pcb, seg->len);
	if (!pcb->unacked && pcb->nrtx)			/* a lost one that waits to be sent again is still out */
		ti->tcpi_unacked = pcb->unsent != NULL;
	for (const struct tcp_seg *seg = pcb->unsent; seg; seg = seg->next)
		ti->tcpi_notsent_bytes += seg->len;
}

static s32 get_number(struct tcpsock *t, int name, int *err)
{
	*err = 0;
	switch (name) {
	case TCP_NODELAY: return t->nodelay;
	case TCP_CORK: return t->corked;
	case TCP_MAXSEG: return has_connection(t) ? (int)data_mss(t->pcb) : t->maxseg ? t->maxseg : 536;
	case TCP_KEEPIDLE: return (s32)(t->keep_idle ? t->keep_idle : KEEP_IDLE);
	case TCP_KEEPINTVL: return (s32)(t->keep_interval ? t->keep_interval : KEEP_INTERVAL);
	case TCP_KEEPCNT: return (s32)(t->keep_count ? t->keep_count : KEEP_COUNT);
	case TCP_SYNCNT: return t->syn_count ? t->syn_count : tcp_syn_retries();
	case TCP_USER_TIMEOUT: return (s32)t->user_timeout;
	case TCP_DEFER_ACCEPT: return t->defer_accept;
	case TCP_LINGER2: return t->linger2 ? t->linger2 : (s32)tcp_fin_seconds();
	case TCP_WINDOW_CLAMP: return (s32)(t->window_clamp || !has_connection(t) ? t->window_clamp : tcpsock_window(t));
	case TCP_NOTSENT_LOWAT: return (s32)t->notsent_lowat;
	case TCP_QUICKACK: return !has_connection(t) || t->quickack;
	default: *err = -ENOPROTOOPT; return 0;
	}
}

int tcpsock_get_option(struct socket *s, int level, int name, void *value, u32 *len)
{
	struct tcpsock *t = tcpsock_of(s);
	struct tcp_info info = { 0 };
	s32 v;
	int err;

	if (level == SOL_IP || level == SOL_IPV6)
		return inet_get_option(&t->i, level, name, value, len);
	if (level != SOL_TCP)
		return -ENOPROTOOPT;
	if (name == TCP_CONGESTION) {
		*len = min(*len, 16u);
		memset(value, 0, *len);
		memcpy(value, "reno", min(*len, 5u));
		return 0;
	}
	net_core_lock();
	if (name == TCP_INFO)
		fill_info(t, &info);
	v = get_number(t, name, &err);
	net_core_unlock();
	if (name == TCP_INFO) {
		*len = min(*len, (u32)sizeof(info));
		memcpy(value, &info, *len);
		return 0;
	}
	return err ? err : option_put(value, len, v);
}
