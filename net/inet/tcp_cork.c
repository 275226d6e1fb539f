/* TCP sockets: bytes that wait for more (TCP_CORK, MSG_MORE).
 *
 * Theory.  What fills a segment goes out; what does not is held back:
 *
 *   TCP_CORK    until the option is cleared, though TCP_NODELAY be set
 *   MSG_MORE    until something is written without it, or anything is acknowledged
 *   both        until the end of the stream, urgent data, TCP_NODELAY being set, a writer who has to wait for room, or HOLD_MS in which nothing was under way
 *
 * Without either it is Nagle's rule in Minshall's words: what does not fill a segment waits while another that did not is under way; so the end of what one
 * write was goes at once, and many small writes come together.
 *
 * lwIP knows one flag of this, TF_HOLD, beside Nagle's rule (patches/lwip.patch); the time is looked at by the timer of connections that have something to
 * count (tcp_timer.c), on whose list one with bytes to send is.  Linux waits for a retransmission time instead of HOLD_MS, which is no shorter. */
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <net/inet/hooks.h>
#include <net/inet/tcp.h>

#define HOLD_MS		200u		/* tcp(7) */

bool tcp_hook_small(const struct tcp_pcb *pcb)
{
	const struct tcpsock *t = pcb->callback_arg;

	return pcb->state >= ESTABLISHED && t && t->small;
}

/* Bytes wait with nothing under way whose acknowledgement would let them go, and not for the other side's window. */
static bool is_holding(const struct tcp_pcb *pcb)
{
	return (pcb->flags & TF_HOLD) && pcb->unsent && !pcb->unacked && !pcb->persist_backoff;
}

static void mark(struct tcpsock *t)
{
	if (!is_holding(t->pcb))
		t->held_since = 0;
	else if (!t->held_since)
		t->held_since = max(sys_now(), 1u);
}

void tcpsock_output(struct tcpsock *t, bool more)
{
	if (more || t->corked)
		tcp_set_flags(t->pcb, TF_HOLD);
	else
		tcp_clear_flags(t->pcb, TF_HOLD);
	tcp_output(t->pcb);
	mark(t);
}

void tcpsock_push(struct tcpsock *t)
{
	struct tcp_pcb *pcb = t->pcb;

	tcp_clear_flags(pcb, TF_HOLD);
	tcp_set_flags(pcb, TF_NODELAY);
	tcp_output(pcb);
	if (!t->nodelay)
		tcp_clear_flags(pcb, TF_NODELAY);
	if (t->corked)
		tcp_set_flags(pcb, TF_HOLD);
	mark(t);
}

void tcpsock_release_more(struct tcpsock *t)
{
	t->held_since = 0;
	if (!t->corked)
		tcp_clear_flags(t->pcb, TF_HOLD);
}

void tcpsock_hold_tick(struct tcp_pcb *pcb)
{
	struct tcpsock *t = tcp_ext_arg_get(pcb, 0);

	mark(t);
	if (t->held_since && sys_now() - t->held_since >= HOLD_MS)
		tcpsock_push(t);
}
