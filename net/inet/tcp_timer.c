/* TCP's timers: who costs time, and who does not.
 *
 * lwIP counts for all that stand on tcp_active_pcbs, every 40 ms (acknowledgements put off) and every 80 ms (all else).  Here only those connections stand
 * there that may have something to count: one comes onto the list when a segment arrives for it or a program does something with it (tcp_wake), and the
 * timer, after it has run, takes off those that are idle: they are parked.  With nobody on the list the timer stops; lwIP's clock (tcp_ticks) then stands
 * still, and is set forward when the first comes back.  So ten thousand idle connections cost nothing, and busy ones a look each 40 ms.
 *
 * A parked connection with SO_KEEPALIVE hangs in a tree by the moment when it has to be probed next, and is woken then; the tree's first is one of
 * the engine's timers.  In the tree are parked ones alone, so a busy connection does not move about in it for each segment.  In the same tree hangs a closed
 * connection that only waits for the other side's end, by the moment when it has waited long enough (TCP_LINGER2, tcp_fin_timeout): lwIP's own patience,
 * 20 s of ticks, is never let come to its end.
 *
 * The rule that holds it together: whoever gives a pcb anything to count (bytes, an end, an acknowledgement to be put off, a state) has woken it under the
 * same hold of the core lock.  Debug builds look at all of them now and then. */
#include <lwip/priv/tcp_priv.h>
#include <kernel/debug.h>
#include <kernel/time/time.h>
#include <net/inet/engine.h>
#include <net/inet/hooks.h>
#include <net/inet/tcp.h>

#define TICK_NS		(TCP_SLOW_INTERVAL * NSEC_PER_MSEC)
#define RTO_MAX_TICKS	(120000u / TCP_SLOW_INTERVAL)
#define MORE_TRIES	4u
#define CHECK_EVERY	32u		/* runs, in debug builds */

static struct rb_root to_probe = RB_ROOT;	/* [C] parked connections, by keep_due */

static u32 ticks_now(void)
{
	return (u32)(clock_mono_ns() / TICK_NS);
}

static bool keeps_alive(const struct tcp_pcb *p)
{
	return ip_get_option(p, SOF_KEEPALIVE) && (p->state == ESTABLISHED || p->state == CLOSE_WAIT);
}

/* One whose end was acknowledged waits for the other side's: for ever if a program has it still, or else until fin_over. */
static bool waits_in_peace(const struct tcp_pcb *p)
{
	return p->state == ESTABLISHED || p->state == CLOSE_WAIT || p->state == FIN_WAIT_2;
}

static bool busy(const struct tcp_pcb *p)
{
	return p->unacked || p->unsent || p->refused_data || p->ooseq || (p->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND)) || !waits_in_peace(p);
}

void tcp_wake(struct tcp_pcb *pcb)
{
	struct tcpsock *t;

	if (pcb->pprev || !pcb->hash_pprev)
		return;
	if (!tcp_active_pcbs)
		tcp_ticks = ticks_now();
	pcb->next = tcp_active_pcbs;
	if (pcb->next)
		pcb->next->pprev = &pcb->next;
	pcb->pprev = &tcp_active_pcbs;
	tcp_active_pcbs = pcb;
	if (pcb->state == FIN_WAIT_2)
		pcb->tmr = tcp_ticks;
	t = tcp_ext_arg_get(pcb, 0);
	if (t->keep_due) {
		rb_erase(&t->keep_link, &to_probe);
		t->keep_due = 0;
	}
}

/* When lwIP's condition for the next probe, or for giving up, comes true. */
static u64 probe_due(const struct tcp_pcb *p)
{
	u32 idle = tcp_ticks - p->tmr, until = (p->keep_idle + p->keep_cnt_sent * p->keep_intvl) / TCP_SLOW_INTERVAL + 1;

	return clock_mono_ns() + (until > idle ? until - idle : 0) * TICK_NS;
}

static void hang(struct tcpsock *t)
{
	struct rb_node **link = &to_probe.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = t->keep_due < rb_entry(parent, struct tcpsock, keep_link)->keep_due ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&t->keep_link, parent, link);
	rb_insert_color(&t->keep_link, &to_probe);
}

static void park(struct tcp_pcb *p)
{
	struct tcpsock *t = tcp_ext_arg_get(p, 0);

	*p->pprev = p->next;
	if (p->next)
		p->next->pprev = p->pprev;
	p->next = NULL;
	p->pprev = NULL;
	if (keeps_alive(p))
		t->keep_due = probe_due(p);
	else if (p->state == FIN_WAIT_2 && t)
		t->keep_due = t->fin_over;
	if (t && t->keep_due)
		hang(t);
}

void tcp_timer_begins(struct tcp_pcb *pcb)
{
	if (!tcp_active_pcbs)
		tcp_ticks = ticks_now();
	pcb->tmr = tcp_ticks;		/* it was made by a clock that stood still */
}

void tcp_timer_ends(struct tcp_pcb *pcb)
{
	struct tcpsock *t = tcp_ext_arg_get(pcb, 0);

	if (t && t->keep_due) {
		rb_erase(&t->keep_link, &to_probe);
		t->keep_due = 0;
	}
}

#ifdef CONFIG_DEBUG
static void check_one(const struct tcp_pcb *p, void *arg)
{
	(void)arg;
	ASSERT(p->pprev || !busy(p));
}
#endif

bool tcp_timer_needed_now(void)
{
	return tcp_active_pcbs;
}

/* lwIP stops doubling after the seventh time, waits any length, and gives up after twelve times, which it takes for the most there can be; Linux doubles
 * on, up to two minutes, and gives up after about a quarter of an hour (tcp_retries2).  So the count is held for a while.  What was measured may be
 * longer than that (a machine that stood still meanwhile): lwIP would wait for hours, and nothing would end a closed connection.
 * Only one whose timer has run out waits longer than was measured.  */
static void back_off(struct tcp_pcb *p)
{
	struct tcpsock *t = tcp_ext_arg_get(p, 0);
	u32 measured = min((u32)((p->sa >> 3) + p->sv), RTO_MAX_TICKS);

	if (p->state != SYN_SENT && (u32)p->rto > RTO_MAX_TICKS)
		p->rto = (s16_t)RTO_MAX_TICKS;
	if (!p->nrtx) {
		if (t)
			t->nrtx_held = 0;
		return;
	}
	if (p->state == SYN_SENT || (u32)p->rto <= measured)
		return;
	p->rto = (s16_t)min(measured << min(p->nrtx, 12u), RTO_MAX_TICKS);
	if (t && p->nrtx == TCP_MAXRTX - 1 && t->nrtx_held < MORE_TRIES) {
		t->nrtx_held++;
		p->nrtx--;
	}
}

/* Bytes that could not be sent at all, there being no way: lwIP tries with each tick, and counts nothing.  As it is for those that were sent and lost, the
 * connection's patience ends. */
static void count_unsendable(struct tcp_pcb *p)
{
	if (p->unsent && !p->unacked && p->rtime < 0 && !p->persist_backoff && !(p->flags & TF_HOLD))
		p->rtime = 0;
}

/* False: p is gone, since nobody waits for the other side's end, or has for long enough. */
static bool end_may_come(struct tcp_pcb *p)
{
	struct tcpsock *t = tcp_ext_arg_get(p, 0);

	if (p->state != FIN_WAIT_2)
		return true;
	p->tmr = tcp_ticks;
	if (!t || !t->orphan)
		return true;
	if (t->linger2 < 0) {
		tcp_abort(p);
		return false;
	}
	if (!t->fin_over)
		t->fin_over = clock_mono_ns() + (u64)(t->linger2 ? (u32)t->linger2 : tcp_fin_seconds()) * NSEC_PER_SEC;
	if (clock_mono_ns() < t->fin_over)
		return true;
	tcp_abandon(p, 0);
	return false;
}

void tcp_timer_run(void)
{
	u32 now = ticks_now();

	if ((s32)(now - tcp_ticks) > 1)
		tcp_ticks = now - 1;
	tcp_tmr();
	for (struct tcp_pcb *p = tcp_active_pcbs, *next; p; p = next) {
		next = p->next;
		count_unsendable(p);
		back_off(p);
		if (unlikely(p->flags & TF_HOLD))
			tcpsock_hold_tick(p);
		if (end_may_come(p) && !busy(p))
			park(p);
	}
#ifdef CONFIG_DEBUG
	static u32 runs;

	if (++runs % CHECK_EVERY == 0)
		tcp_for_each(check_one, NULL);
#endif
}

u64 tcp_probe_first(void)
{
	const struct rb_node *first = rb_first(&to_probe);

	return first ? rb_entry(first, struct tcpsock, keep_link)->keep_due : TIME_NEVER;
}

static void tcp_probe(struct tcpsock *t)
{
	struct tcp_pcb *pcb = t->pcb;

	if (pcb->state == FIN_WAIT_2) {
		tcp_wake(pcb);
		(void)end_may_come(pcb);
		return;
	}
	if (t->user_timeout && !t->pcb->keep_cnt_sent)
		tcpsock_watch(t);	/* which counts from the first probe */
	tcp_wake(t->pcb);
}

void tcp_probe_run(u64 now)
{
	while (tcp_probe_first() <= now)
		tcp_probe(rb_entry(rb_first(&to_probe), struct tcpsock, keep_link));
}
