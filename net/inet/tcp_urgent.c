/* TCP sockets: urgent data, tcp(7), "Sockets API".
 *
 * A segment's urgent pointer marks one byte of the stream; as on Linux it points behind it (RFC 6093 explains why).  lwIP knows nothing of this.
 * Sending, the header of every segment that waits up to the marked byte gets the flag and the pointer, and keeps them when it is sent again.
 * Receiving, the byte is looked at when its segment arrives, before lwIP has it: recv(MSG_OOB) finds it at once, whatever is missing before it.  The
 * stream's own copy of the byte is passed over by who reads, unless SO_OOBINLINE; in any case a read ends in front of it.
 *
 * Where the mark is counts in bytes of the stream since the beginning (rx_total), modulo 2^32.  All state here is the socket queue's. */
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <fs/iov.h>
#include <kernel/errno.h>
#include <linux/eventpoll.h>
#include <net/inet/engine.h>
#include <net/inet/tcp.h>

/* --- out --------------------------------------------------------------------------------------------------------------------------- */

void tcpsock_mark_urgent(struct tcp_pcb *pcb)
{
	for (struct tcp_seg *seg = pcb->unsent; seg; seg = seg->next) {
		u32 ahead = pcb->snd_lbb - lwip_ntohl(seg->tcphdr->seqno);

		if (!ahead || ahead > 0xffff)
			continue;
		TCPH_SET_FLAG(seg->tcphdr, TCP_URG);
		seg->tcphdr->urgp = lwip_htons((u16_t)ahead);
	}
}

/* --- in ---------------------------------------------------------------------------------------------------------------------------- */

static u32 position(const struct tcpsock *t) { return (u32)t->rx_total - t->rx_bytes; }

/* A new mark?  Queue locked. */
static bool take_mark(struct tcpsock *t, const struct tcp_pcb *pcb, const struct tcp_hdr *h)
{
	u16 pointer = lwip_ntohs(h->urgp);
	u32 seq = h->seqno + (pointer ? pointer - 1u : 0), at = (u32)t->rx_total + (seq - pcb->rcv_nxt);

	if ((s32)(seq - pcb->rcv_nxt) < 0 || seq - pcb->rcv_nxt > 0xffff + pcb->rcv_wnd || (s32)(position(t) - at) > 0)
		return false;
	if (t->urgent && (s32)(at - t->urgent_at) <= 0)
		return false;
	/* One that nobody took gives way; if the reader stands before it, it is passed over. */
	t->urgent_skip = t->urgent && t->urgent_at == position(t) && t->rx_bytes && !socket_option(&t->i.s, SO_OOBINLINE);
	t->urgent_at = at;
	t->urgent = URGENT_EXPECTED;
	atomic_store_release(&t->urgent_marks, t->urgent_marks + 1);	/* before its bytes are queued: who reads already stops there */
	return true;
}

void tcpsock_urgent_input(struct tcpsock *t, const struct tcp_pcb *pcb, const struct tcp_hdr *h, const struct pbuf *p)
{
	irqflags_t flags = spin_lock_irqsave(&t->lock);
	bool new = (TCPH_FLAGS(h) & TCP_URG) && take_mark(t, pcb, h), there = false;

	if (t->urgent == URGENT_EXPECTED) {
		u32 off = pcb->rcv_nxt + (t->urgent_at - (u32)t->rx_total) - h->seqno;

		if (off < p->tot_len) {
			t->urgent_byte = pbuf_get_at(p, (u16_t)off);
			t->urgent = URGENT_THERE;
			there = true;
		}
	}
	spin_unlock_irqrestore(&t->lock, flags);
	if (new)
		socket_urgent(&t->i.s);
	if (there)
		socket_wake(&t->i.s, EPOLLPRI | EPOLLIN | EPOLLRDNORM);
}

ssize_t tcpsock_receive_urgent(struct tcpsock *t, struct message *m)
{
	irqflags_t flags = spin_lock_irqsave(&t->lock);
	u8 what = t->urgent, byte = t->urgent_byte;

	if (what == URGENT_THERE && !socket_option(&t->i.s, SO_OOBINLINE) && !(m->flags & MSG_PEEK))
		t->urgent = URGENT_TAKEN;
	spin_unlock_irqrestore(&t->lock, flags);
	if (socket_option(&t->i.s, SO_OOBINLINE) || what == URGENT_NONE || what == URGENT_TAKEN)
		return -EINVAL;
	if (what == URGENT_THERE) {
		m->out_flags |= MSG_OOB;
		if (!m->iter->count) {
			m->out_flags |= MSG_TRUNC;
			return 0;
		}
		return (m->flags & MSG_TRUNC) || copy_to_iter(&byte, 1, m->iter) == 1 ? 1 : -EFAULT;
	}
	if (atomic_load(&t->state) == TS_CLOSED || (atomic_load(&t->i.s.shut) & SHUT_BOTH_RECEIVE))
		return 0;
	return -EAGAIN;
}

/* Reader's lock held. */
size_t tcpsock_until_mark(struct tcpsock *t, size_t len, u32 ahead_by, bool some, bool *pass)
{
	irqflags_t flags = spin_lock_irqsave(&t->lock);
	u32 ahead = t->urgent_at - (position(t) + ahead_by);

	*pass = false;
	if (t->urgent_skip) {
		t->urgent_skip = ahead_by;	/* who peeks leaves it */
		*pass = true;
		len = min(len, (size_t)ahead - 1);
	} else if (t->urgent == URGENT_NONE || (s32)ahead < 0) {
		;
	} else if (ahead) {
		len = min(len, (size_t)ahead);
	} else if (some) {
		len = 0;
	} else {
		*pass = !socket_option(&t->i.s, SO_OOBINLINE);
	}
	spin_unlock_irqrestore(&t->lock, flags);
	return len;
}

void tcpsock_passed_mark(struct tcpsock *t)
{
	irqflags_t flags = spin_lock_irqsave(&t->lock);

	if (t->urgent != URGENT_NONE && (s32)(position(t) - t->urgent_at) > 0)
		t->urgent = URGENT_NONE;
	spin_unlock_irqrestore(&t->lock, flags);
}

bool tcpsock_at_mark(struct tcpsock *t)
{
	irqflags_t flags = spin_lock_irqsave(&t->lock);
	bool at = t->urgent != URGENT_NONE && t->urgent_at == position(t);

	spin_unlock_irqrestore(&t->lock, flags);
	return at;
}

u32 tcpsock_readable_bytes(struct tcpsock *t)
{
	irqflags_t flags = spin_lock_irqsave(&t->lock);
	u32 n = t->rx_bytes, ahead = t->urgent_at - position(t);

	if (t->urgent != URGENT_NONE && !socket_option(&t->i.s, SO_OOBINLINE) && ahead < n)
		n = ahead;
	spin_unlock_irqrestore(&t->lock, flags);
	return n;
}
