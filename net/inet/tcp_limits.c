/* TCP sockets: what limits how long a connection tries.
 *
 * Theory.  lwIP counts retransmissions; Linux's programs count seconds.  Sockets that have something to count are on one list, which a tick looks through:
 *
 *   a SYN under way        the wait doubles each time from one second on, until TCP_SYNCNT (tcp_syn_retries) of them had no answer
 *   TCP_USER_TIMEOUT       what was sent has waited that long to be acknowledged, or a window to open, or a probe to be answered
 *   a closed socket        as TCP_USER_TIMEOUT: nobody waits for it, and it holds memory; Linux's tcp_orphan_retries come to about as much
 *
 * How long a closed socket whose end was acknowledged waits for the other's (TCP_LINGER2) is tcp_timer.c's.
 * A socket leaves the list when it has nothing to count any more; so an idle connection costs no tick.
 *
 * A path that shrank (pmtu.c) is a limit, too: segments become smaller, and those under way are cut and sent once more, as RFC 1191 6.4 asks, without
 * taking it for congestion. */
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>
#include <kernel/lib/string.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <linux/in.h>
#include <net/inet/engine.h>
#include <net/inet/tcp.h>

#define FIRST_RTO_MS	1000u
#define RTO_MAX_MS	120000u
#define ORPHAN_MS	100000u		/* nothing of it is acknowledged */
#define ORPHAN_SHUT_MS	300000u		/* the other side takes nothing, but answers */

static u64 syn_retries = 6;
SYSCTL(syn_retries, "net/ipv4/tcp_syn_retries", .value = &syn_retries, .min = 1, .max = 127);

static u64 fin_timeout = 60;
SYSCTL(fin_timeout, "net/ipv4/tcp_fin_timeout", .value = &fin_timeout, .min = 1, .max = INT32_MAX);

static LIST_HEAD(watched);	/* [C] struct tcpsock, by watch_link */

int tcp_syn_retries(void) { return (int)READ_ONCE(syn_retries); }
u32 tcp_fin_seconds(void) { return (u32)READ_ONCE(fin_timeout); }

void tcpsock_watch(struct tcpsock *t)
{
	t->watch_since = sys_now();
	if (list_empty(&t->watch_link))
		list_add_tail(&t->watch_link, &watched);
}

void tcpsock_unwatch(struct tcpsock *t)
{
	list_del_init(&t->watch_link);
}

bool tcp_limits_needed(void) { return !list_empty(&watched); }

static u32 waited(const struct tcpsock *t) { return sys_now() - t->watch_since; }

/* lwIP's own count stays at none, so that only ours decides. */
static bool syn_is_over(struct tcpsock *t)
{
	struct tcp_pcb *pcb = t->pcb;
	u32 most = (u32)(t->syn_count ? t->syn_count : tcp_syn_retries()), wait;

	if (pcb->nrtx) {
		t->syn_tries = (u8)min(t->syn_tries + pcb->nrtx, 255);
		pcb->nrtx = 0;
		t->watch_since = sys_now();
	}
	wait = t->syn_tries < 7 ? FIRST_RTO_MS << t->syn_tries : RTO_MAX_MS;
	/* Not before the time: the first tick counts for a whole one.  After the last, the answer is waited for as long as if there were another. */
	pcb->rto = t->syn_tries < most ? (s16_t)min(wait / TCP_SLOW_INTERVAL + 2, 0x7fffu) : 0x7fff;
	if (pcb->rtime > 0x7000)
		pcb->rtime = 0x7000;
	return t->syn_tries >= most && waited(t) >= wait;
}

static bool waits_for_answer(const struct tcp_pcb *pcb)
{
	return pcb->unacked || pcb->unsent;
}

/* The time runs from the last acknowledgement, or the first byte after it (tcp_io.c); or from the first probe (tcp_timer.c). */
static bool user_is_tired(const struct tcpsock *t)
{
	const struct tcp_pcb *pcb = t->pcb;

	if (waits_for_answer(pcb))
		return (pcb->nrtx || pcb->persist_probe) && waited(t) >= t->user_timeout;
	return pcb->keep_cnt_sent && waited(t) + pcb->keep_idle >= t->user_timeout;
}

/* A window that is shut, or too small: the timer that asks ran once at least, whether or not there was a way to ask. */
static bool orphan_is_over(const struct tcpsock *t)
{
	return t->orphan && waits_for_answer(t->pcb) &&
	       ((t->pcb->nrtx && waited(t) >= ORPHAN_MS) || (t->pcb->persist_backoff > 1 && waited(t) >= ORPHAN_SHUT_MS));
}

/* False: there is nothing to watch for any more.  t is referenced by who asks. */
static bool check(struct tcpsock *t)
{
	struct tcp_pcb *pcb = t->pcb;

	if (!pcb || t->state == TS_LISTENING)
		return false;
	if (t->state == TS_CONNECTING) {
		if (syn_is_over(t))
			tcp_abandon(pcb, 0);
		return t->pcb;
	}
	if (t->user_timeout && user_is_tired(t)) {
		tcp_abandon(pcb, !waits_for_answer(pcb));
		return false;
	}
	if (orphan_is_over(t)) {
		tcp_abandon(pcb, 1);
		return false;
	}
	if (t->orphan && waits_for_answer(pcb))
		return true;
	return t->user_timeout && (waits_for_answer(pcb) || (ip_get_option(pcb, SOF_KEEPALIVE) && (pcb->keep_cnt_sent || pcb->pprev)));
}

void tcp_limits_tick(void)
{
	struct tcpsock *t, *next;

	list_for_each_entry_safe(t, next, &watched, watch_link) {
		if (&next->watch_link != &watched)
			inet_get(&next->i);
		inet_get(&t->i);
		if (!check(t))
			tcpsock_unwatch(t);
		inet_put(&t->i);
		if (&next->watch_link != &watched)
			inet_put(&next->i);
	}
}

/* --- the path ---------------------------------------------------------------------------------------------------------------------- */

void tcpsock_path_shrank(struct tcpsock *t, u32 mtu)
{
	struct tcp_pcb *pcb = t->pcb;
	bool six = IP_IS_V6(&pcb->remote_ip);
	u32 headers = six ? 60 : 40, mss;
	u8 how = six ? t->i.opt.mtu_discover6 : t->i.opt.mtu_discover;

	if (mtu <= headers + 40 || how == IP_PMTUDISC_DONT || how >= IP_PMTUDISC_INTERFACE)
		return;
	mss = mtu - headers;
	if (pcb->mss <= mss)
		return;
	pcb->mss = (u16_t)mss;
	tcp_wake(pcb);
	if (pcb->unacked && tcp_rexmit_rto_prepare(pcb) != ERR_OK)
		return;			/* a device has them still: the timer will */
	if (!pcb->unsent)
		return;
	tcp_rexmit_rto_commit(pcb);
	if (pcb->nrtx)
		pcb->nrtx--;
}
