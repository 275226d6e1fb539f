/* TCP sockets: bytes in and out, and readiness.
 *
 * Out.  A program's bytes are copied once, into chunks (chunk.h), with the socket's own writers' lock and without the core's; then, in one hold of the core
 * lock, lwIP is told of up to TX_RUNS runs of them, which it refers to (tcp_write without a copy), and may send.  A run is remembered until it was
 * acknowledged.  Writes on one CPU share chunks, so that an idle socket holds none; of one that writes alone the bytes stand side by side, and lwIP
 * lets its last segment grow over those that continue it.
 *
 * In.  on_recv queues pbufs; a reader holds the readers' lock, looks at the head under the queue's lock, copies to the program without it, and takes off
 * what is used up.  Nobody else takes anything off, so what it looks at stays.  lwIP is told of what was read when that is a good part of the
 * window; it tells the other side. */
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>
#include <fs/iov.h>
#include <kernel/errno.h>
#include <linux/eventpoll.h>
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <mm/slab.h>
#include <net/inet/chunk.h>
#include <net/inet/engine.h>
#include <net/inet/reports.h>
#include <net/inet/tcp.h>

#define MSS_LEAST	48u		/* as on Linux */
#define TX_RUNS		8u
#define LOWAT_STEP	(32u << 10)	/* what one write may add where TCP_NOTSENT_LOWAT is less */
#define READS_ALONE	3u	/* reads in a row without a write: it is no dialogue */
#define TX_BATCH	(128u << 10)	/* bytes for one hold of the core lock */

/* --- out --------------------------------------------------------------------------------------------------------------------------- */

struct run { u8 *at; u32 len; };

/* TCP_NOTSENT_LOWAT: the program does not want to have written more than about that much of what the other side, or the way to it, does not take yet. */
static u32 room_to_send(const struct tcpsock *t, u32 low)
{
	u32 unsent = READ_ONCE(t->tx_unsent);

	return unsent >= low ? 0 : max(low - unsent, LOWAT_STEP);
}

static u32 room(const struct tcpsock *t)
{
	u32 queued = atomic_load(&t->tx_queued), limit = atomic_load(&t->tx_limit), low = READ_ONCE(t->notsent_lowat), n;

	n = queued < limit ? limit - queued : 0;
	return likely(!low) ? n : min(n, room_to_send(t, low));
}

/* A third must be free, lest a writer be woken for every segment; and half of TCP_NOTSENT_LOWAT. */
bool tcpsock_writable(const struct tcpsock *t)
{
	u32 queued = atomic_load(&t->tx_queued), limit = atomic_load(&t->tx_limit), low = READ_ONCE(t->notsent_lowat);

	return queued < limit && limit - queued >= limit / 3 && (likely(!low) || READ_ONCE(t->tx_unsent) < (low + 1) / 2);
}

void tcpsock_count_unsent(struct tcpsock *t)
{
	WRITE_ONCE(t->tx_unsent, t->pcb->snd_lbb - t->pcb->snd_nxt);
}

void tcpsock_sends(struct tcpsock *t, const struct tcp_pcb *pcb, const struct tcp_hdr *hdr, u32 len)
{
	u32 end = lwip_ntohl(hdr->seqno) + len;

	if ((s32)(end - pcb->snd_nxt) <= 0)
		return;
	WRITE_ONCE(t->tx_unsent, pcb->snd_lbb - end);
	smp_mb();		/* pairs with that in tcpsock_poll */
	if (atomic_load(&t->tx_full) && tcpsock_writable(t)) {
		atomic_store(&t->tx_full, false);
		socket_wake(&t->i.s, EPOLLOUT | EPOLLWRNORM);
	}
}

/* The first len bytes of the runs. */
static void release_runs(struct tcpsock *t, u32 len)
{
	t->tx_seq += len;
	while (len && !list_empty(&t->tx_runs)) {
		struct tx_run *r = list_first_entry(&t->tx_runs, struct tx_run, link);
		u32 n = min(len, r->len);

		r->len -= n;
		len -= n;
		if (r->len)
			break;
		list_del(&r->link);
		chunk_put(r->chunk);
		kfree(r);
	}
}

/* A segment of which only a part was acknowledged may stay whole, and be read once more (tcp_hook_acked). */
void tcpsock_acked(struct tcpsock *t, u32 len)
{
	struct tcp_pcb *pcb = t->pcb;
	u32 oldest = pcb->snd_lbb, queued = atomic_load(&t->tx_queued);

	/* Segments that were to be sent again into a closed window, and were acknowledged after all: lwIP would probe it with nothing. */
	if (unlikely(pcb->persist_backoff) && !pcb->unsent)
		pcb->persist_backoff = 0;
	if (t->small && (s32)(t->small_end - pcb->lastack) <= 0)
		t->small = false;

	if (pcb->unsent && (s32)(lwip_ntohl(pcb->unsent->tcphdr->seqno) - oldest) < 0)
		oldest = lwip_ntohl(pcb->unsent->tcphdr->seqno);
	if (pcb->unacked && (s32)(lwip_ntohl(pcb->unacked->tcphdr->seqno) - oldest) < 0)
		oldest = lwip_ntohl(pcb->unacked->tcphdr->seqno);
	if ((s32)(oldest - t->tx_seq) > 0)
		release_runs(t, oldest - t->tx_seq);
	t->tx_acked += min(len, queued);
	if (unlikely(t->user_timeout || t->orphan))
		t->watch_since = sys_now();
	__atomic_fetch_sub(&t->tx_queued, min(len, queued), __ATOMIC_RELEASE);	/* our FIN is acknowledged, too */
}

void tcpsock_drop_runs(struct tcpsock *t)
{
	release_runs(t, 0xffffffff);
	atomic_store(&t->tx_queued, 0u);
	WRITE_ONCE(t->tx_unsent, 0u);
}

/* Whatever the other side says it can take, segments have room for options and some bytes. */
static void keep_sane(struct tcp_pcb *pcb)
{
	pcb->mss = max(pcb->mss, (u16)MSS_LEAST);
	pcb->snd_wnd_max = max(pcb->snd_wnd_max, (tcpwnd_size_t)(2 * MSS_LEAST));
	pcb->cwnd = max(pcb->cwnd, (tcpwnd_size_t)pcb->mss);	/* lwIP's was made of the size it was told: not one segment would fit in */
}

/* Core locked: the bytes of r are lwIP's. */
static int hand_over(struct tcpsock *t, const struct run *r, bool more)
{
	struct tx_run *last = list_empty(&t->tx_runs) ? NULL : list_last_entry(&t->tx_runs, struct tx_run, link), *new = NULL;
	u32 done = 0;

	if (!last || chunk_of(last->chunk) != chunk_of(r->at)) {
		new = kmalloc(sizeof(*new), GFP_ATOMIC);
		if (!new)
			return -ENOMEM;
	}
	if (!last)
		t->tx_seq = t->pcb->snd_lbb;
	keep_sane(t->pcb);
	while (done < r->len) {
		u32 n = min(r->len - done, 0xfff0u);

		if (tcp_write(t->pcb, r->at + done, (u16_t)n, more || done + n < r->len ? TCP_WRITE_FLAG_MORE : 0) != ERR_OK)
			break;
		done += n;
	}
	if (!done) {
		kfree(new);
		return -ENOBUFS;
	}
	if (new) {
		*new = (struct tx_run){ .chunk = r->at, .len = done };
		chunk_get(r->at);
		list_add_tail(&new->link, &t->tx_runs);
	} else {
		last->len += done;
	}
	__atomic_fetch_add(&t->tx_queued, done, __ATOMIC_RELAXED);
	if (unlikely(t->notsent_lowat))
		tcpsock_count_unsent(t);
	return (int)done;
}

/* Up to want bytes into chunks: how many runs, each with a reference; 0 with *err. */
static u32 copy_runs(struct tcpsock *t, struct iov_iter *from, u32 want, struct run *runs, int *err)
{
	u32 nr = 0;

	while (want && nr < TX_RUNS) {
		u32 room, n;
		u8 *at = chunk_share(t, want, &room);

		if (!at) {
			*err = -ENOMEM;
			break;
		}
		n = (u32)copy_from_iter(at, room, from);
		if (!n) {
			chunk_put(at);
			*err = -EFAULT;
			break;
		}
		runs[nr++] = (struct run){ at, n };
		want -= n;
	}
	return nr;
}

/* One batch.  Bytes, or an error; 0: wait. */
static ssize_t send_batch(struct tcpsock *t, struct message *m)
{
	struct run runs[TX_RUNS];
	ssize_t done = 0;
	int err = 0;
	u32 nr;

	mutex_lock(&t->tx_lock);
	t->reads = 0;
	nr = copy_runs(t, m->iter, min((u32)min(m->iter->count, (size_t)TX_BATCH), room(t)), runs, &err);
	if (nr) {
		net_core_lock();
		if (t->pcb)
			tcp_wake(t->pcb);
		for (u32 k = 0; k < nr && t->pcb; k++) {
			int n = hand_over(t, &runs[k], k + 1 < nr || m->iter->count);

			if (n > 0)
				done += n;
			if (n < (int)runs[k].len) {
				err = n < 0 ? n : 0;
				break;
			}
		}
		if (t->pcb && (m->flags & MSG_OOB) && done && !m->iter->count)
			tcpsock_mark_urgent(t->pcb);
		if (t->pcb && done && t->user_timeout && (list_empty(&t->watch_link) || atomic_load(&t->tx_queued) == (u32)done))
			tcpsock_watch(t);
		if (t->pcb && (m->flags & MSG_OOB))
			tcpsock_push(t);
		else if (t->pcb)
			tcpsock_output(t, m->flags & MSG_MORE);
		net_core_unlock();
		for (u32 k = 0; k < nr; k++)
			chunk_put(runs[k].at);
	}
	mutex_unlock(&t->tx_lock);
	if (done)
		return done;
	return err == -ENOBUFS && atomic_load(&t->tx_queued) ? 0 : err;
}

/* May bytes, or more of them, be sent?  0; an error, which the next call is told if this one has sent some; or it waits for the connection. */
static int check_sendable(struct tcpsock *t, u64 deadline, bool some)
{
	struct socket *s = &t->i.s;
	u32 state = atomic_load(&t->state);
	int err;

	if (state == TS_CONNECTING) {
		if (!deadline)
			return -EAGAIN;
		err = wait_event_interruptible_timeout(&s->wait, atomic_load(&t->state) != TS_CONNECTING, deadline);
		if (err)
			return socket_wait_error(s, err, true);
		state = atomic_load(&t->state);
	}
	err = some ? -atomic_load(&s->error) : socket_take_error(s);
	if (err)
		return err;
	return state != TS_CONNECTED || (atomic_load(&s->shut) & SHUT_BOTH_SEND) ? -EPIPE : 0;
}

/* Who waits for room does not wait for more bytes. */
static void push_held(struct tcpsock *t)
{
	net_core_lock();
	if (t->pcb && t->state == TS_CONNECTED && (t->pcb->flags & TF_HOLD)) {
		tcp_wake(t->pcb);
		tcpsock_push(t);
	}
	net_core_unlock();
}

ssize_t tcpsock_send(struct socket *s, struct message *m)
{
	struct tcpsock *t = tcpsock_of(s);
	u64 deadline = socket_deadline(s, m->flags, true);
	ssize_t done = 0;
	int err;

	for (;;) {
		ssize_t n;

		err = check_sendable(t, deadline, done > 0);
		if (err || !m->iter->count)
			break;
		n = room(t) ? send_batch(t, m) : 0;
		if (n < 0) {
			err = (int)n;
			break;
		}
		done += n;
		if (n)
			continue;
		if (READ_ONCE(t->corked) || (m->flags & MSG_MORE))
			push_held(t);
		if (!deadline) {
			atomic_store(&t->tx_full, true);
			err = -EAGAIN;
			break;
		}
		atomic_store(&t->tx_full, true);
		err = wait_event_interruptible_timeout(&s->wait, tcpsock_writable(t) || atomic_load(&t->state) != TS_CONNECTED ||
						       (atomic_load(&s->shut) & SHUT_BOTH_SEND) || atomic_load(&s->error), deadline);
		if (err) {
			err = socket_wait_error(s, err, true);
			break;
		}
	}
	if (done > 0 && (m->flags & MSG_ZEROCOPY) && socket_option(s, SO_ZEROCOPY))
		report_zerocopy(&t->i);
	return done ? done : err;
}

/* --- in ---------------------------------------------------------------------------------------------------------------------------- */

void tcpsock_tell(struct tcpsock *t)
{
	u32 n = __atomic_exchange_n(&t->rx_untold, 0u, __ATOMIC_RELAXED), kept = min(n, t->rx_owed);

	t->rx_owed -= kept;
	n -= kept;
	if (!n || !t->pcb)
		return;
	tcp_wake(t->pcb);
	tcp_input_pcb = t->pcb;		/* tcp_output() leaves it alone: one acknowledgement for all parts */
	while (n) {
		u32 part = min(n, 0xffffu);

		tcp_recved(t->pcb, (u16_t)part);
		n -= part;
	}
	tcp_input_pcb = NULL;
	if (t->pcb->flags & TF_ACK_NOW)
		tcp_output(t->pcb);
}

static void told_some(struct tcpsock *t, u32 n)
{
	u32 untold = __atomic_add_fetch(&t->rx_untold, n, __ATOMIC_RELAXED);

	/* A quarter of the window; or all that there was, if it is not acknowledged yet and nothing is going to be answered that would carry the
	 * acknowledgement: the other side may wait for that with the rest. */
	if (untold < tcpsock_window(t) / 4 && (READ_ONCE(t->rx_bytes) || READ_ONCE(t->rx_answered) || ++t->reads < READS_ALONE))
		return;
	net_core_lock();
	tcpsock_tell(t);
	if (t->pcb && t->state == TS_CONNECTED && (t->pcb->flags & TF_ACK_DELAY) && t->reads >= READS_ALONE) {
		tcp_ack_now(t->pcb);
		tcp_output(t->pcb);
	}
	net_core_unlock();
}

/* The head has been read up to its end, or there is more of it: n bytes of it are done with. */
static void consume(struct tcpsock *t, struct pbuf *p, u32 n)
{
	irqflags_t flags = spin_lock_irqsave(&t->lock);
	bool all = t->rx_off + n == p->len;

	WRITE_ONCE(t->rx_bytes, t->rx_bytes - n);
	t->rx_off += n;
	if (all) {
		t->rx_off = 0;
		t->rx_head = p->next;
		if (!p->next)
			t->rx_tail = NULL;
	}
	spin_unlock_irqrestore(&t->lock, flags);
	if (all) {
		p->next = NULL;
		pbuf_free(p);
	}
}

/* What is there, up to len bytes, to the program; skip: from there on (peeking); not beyond an urgent mark newer than those marks.  Bytes; -EFAULT. */
static ssize_t read_queue(struct tcpsock *t, struct message *m, size_t len, u32 skip, u32 marks)
{
	bool peek = m->flags & MSG_PEEK;
	u32 off = t->rx_off, taken = 0;
	irqflags_t flags;
	ssize_t done = 0;
	struct pbuf *p;

	flags = spin_lock_irqsave(&t->lock);
	p = likely(t->urgent_marks == marks) ? t->rx_head : NULL;
	spin_unlock_irqrestore(&t->lock, flags);
	while (p && (size_t)done < len) {
		u32 n = p->len - off, put;

		if (skip && skip >= n) {	/* over empty pieces, too: headers stood there */
			skip -= n;
			n = 0;
		} else {
			off += skip;
			skip = 0;
			n = (u32)min((size_t)(p->len - off), len - (size_t)done);
			put = m->flags & MSG_TRUNC ? n : (u32)copy_to_iter((u8 *)p->payload + off, n, m->iter);
			if (put < n) {
				n = put;
				len = (size_t)done + n;		/* a fault: no further */
				if (!len && !n)
					done = -EFAULT;
			}
			if (done >= 0)
				done += n;
		}
		if (peek) {
			flags = spin_lock_irqsave(&t->lock);
			p = likely(t->urgent_marks == marks) ? p->next : NULL;
			spin_unlock_irqrestore(&t->lock, flags);
			off = 0;
			continue;
		}
		if (n || !p->len) {
			consume(t, p, n);
			taken += n;
		}
		if (done < 0 || (size_t)done >= len)
			break;
		flags = spin_lock_irqsave(&t->lock);
		p = likely(t->urgent_marks == marks) ? t->rx_head : NULL;
		off = t->rx_off;
		spin_unlock_irqrestore(&t->lock, flags);
	}
	if (taken)
		told_some(t, taken);
	return done;
}

/* As read_queue, where there is an urgent byte: up to it, or over it; *stop: it is next, and done bytes were read before. */
static ssize_t read_around_mark(struct tcpsock *t, struct message *m, size_t len, ssize_t done, u32 marks, bool *stop)
{
	struct message over = { .flags = MSG_TRUNC, .iter = m->iter };
	u32 skip = m->flags & MSG_PEEK ? (u32)done : 0;
	size_t most;
	bool pass;
	ssize_t n;

	most = tcpsock_until_mark(t, len, skip, done > 0, &pass);
	*stop = !most && !pass;
	if (*stop)
		return 0;
	if (pass && !(m->flags & MSG_PEEK))
		(void)read_queue(t, &over, 1, 0, marks);
	n = most && READ_ONCE(t->rx_bytes) ? read_queue(t, m, most, skip + (pass && (m->flags & MSG_PEEK)), marks) : 0;
	if (!(m->flags & MSG_PEEK))
		tcpsock_passed_mark(t);
	return n;
}

/* There was a connection; one that failed while nobody waited for it counts, too. */
static bool there_was_one(const struct tcpsock *t) { return t->done || t->started; }

/* Nothing is there: why?  1: wait.  The end is looked at before bytes and reason, which are there before it is (on_recv, on_err). */
static int why_nothing(struct tcpsock *t)
{
	struct socket *s = &t->i.s;
	u32 state = atomic_load_acquire(&t->state);
	bool ended = atomic_load_acquire(&t->rx_fin), shut = atomic_load(&s->shut) & SHUT_BOTH_RECEIVE;
	int err;

	if (READ_ONCE(t->rx_bytes))
		return 1;
	err = socket_take_error(s);
	if (err)
		return err;
	if (shut || ended)
		return there_was_one(t) || shut ? 0 : -ENOTCONN;
	switch (state) {
	case TS_CONNECTED: case TS_CONNECTING: return 1;
	case TS_CLOSED: return there_was_one(t) ? 0 : -ENOTCONN;
	default: return -ENOTCONN;
	}
}

ssize_t tcpsock_receive(struct socket *s, struct message *m)
{
	struct tcpsock *t = tcpsock_of(s);
	size_t len = m->iter->count, target;
	u64 deadline = socket_deadline(s, m->flags, false);
	bool stop = false;
	u32 marks;
	ssize_t done = 0;
	int err = 0;

	if (m->flags & MSG_ERRQUEUE)
		return reports_receive(&t->i, m);
	if (atomic_load(&t->state) == TS_LISTENING)
		return -ENOTCONN;
	if (m->flags & MSG_OOB)
		return tcpsock_receive_urgent(t, m);
	target = m->flags & MSG_WAITALL ? len : min(len, (size_t)max(READ_ONCE(s->receive_low), 1));
	while ((size_t)done < len || (unlikely(!len) && !READ_ONCE(t->rx_bytes))) {		/* of nothing, too, one waits */
		ssize_t n = 0;

		if (READ_ONCE(t->rx_bytes) > (m->flags & MSG_PEEK ? (u32)done : 0)) {
			mutex_lock(&t->rx_lock);
			marks = atomic_load_acquire(&t->urgent_marks);	/* pairs with take_mark(): what is known of the last of them */
			if (likely(!READ_ONCE(t->urgent)))
				n = read_queue(t, m, len - (size_t)done, m->flags & MSG_PEEK ? (u32)done : 0, marks);
			else
				n = read_around_mark(t, m, len - (size_t)done, done, marks, &stop);
			mutex_unlock(&t->rx_lock);
		}
		if (n < 0) {
			err = (int)n;
			break;
		}
		done += n;
		if (n)
			continue;
		if (stop || ((size_t)done >= target && done))
			break;
		if (done && (atomic_load(&s->error) || t->rx_fin || (s->shut & SHUT_BOTH_RECEIVE)))
			break;
		if (!done || !(m->flags & MSG_PEEK)) {
			err = why_nothing(t);
			if (err <= 0)
				break;
		}
		if (!deadline) {
			err = -EAGAIN;
			break;
		}
		err = wait_event_interruptible_timeout(&s->wait, READ_ONCE(t->rx_bytes) > (m->flags & MSG_PEEK ? (u32)done : 0) || atomic_load(&t->rx_fin) ||
						       atomic_load(&s->error) || (atomic_load(&s->shut) & SHUT_BOTH_RECEIVE) ||
						       atomic_load(&t->state) == TS_CLOSED, deadline);
		if (err) {
			err = socket_wait_error(s, err, false);
			break;
		}
	}
	return done ? done : err;
}

/* --- readiness --------------------------------------------------------------------------------------------------------------------- */

u32 tcpsock_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct tcpsock *t = tcpsock_of(s);
	u32 shut, state, mask = 0, least = (u32)max(READ_ONCE(s->receive_low), 1);

	poll_wait(pt, f, &s->wait);
	state = atomic_load_acquire(&t->state);
	if (state == TS_LISTENING)
		return READ_ONCE(t->nr_accepted) ? EPOLLIN | EPOLLRDNORM : 0;
	shut = atomic_load(&s->shut) | (atomic_load_acquire(&t->rx_fin) ? SHUT_BOTH_RECEIVE : 0);
	if (shut == (SHUT_BOTH_RECEIVE | SHUT_BOTH_SEND) || state == TS_CLOSED)
		mask |= EPOLLHUP;
	if (shut & SHUT_BOTH_RECEIVE)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (state != TS_CONNECTING) {
		/* An urgent byte that is next is none of those that are read. */
		least += unlikely(READ_ONCE(t->urgent)) && !socket_option(s, SO_OOBINLINE) && tcpsock_at_mark(t);
		if (READ_ONCE(t->rx_bytes) >= least)
			mask |= EPOLLIN | EPOLLRDNORM;
		if (unlikely(READ_ONCE(t->urgent) == URGENT_THERE))
			mask |= EPOLLPRI;
		if ((shut & SHUT_BOTH_SEND) || tcpsock_writable(t)) {
			mask |= EPOLLOUT | EPOLLWRNORM;
		} else {
			atomic_store(&t->tx_full, true);
			smp_mb();		/* pairs with the release in tcpsock_acked and the barrier in tcpsock_sends: one of us sees the other */
			if (tcpsock_writable(t))
				mask |= EPOLLOUT | EPOLLWRNORM;
		}
	}
	if (atomic_load(&s->error) || reports_are_there(atomic_load(&t->i.reports)))
		mask |= EPOLLERR | (socket_option(s, SO_SELECT_ERR_QUEUE) ? EPOLLPRI : 0);
	return mask;
}

long tcpsock_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct tcpsock *t = tcpsock_of(s);
	s32 __user *to = user_ptr(arg);
	u32 unsent = 0;

	switch (cmd) {
	case SIOCINQ:
		return atomic_load(&t->state) == TS_LISTENING ? -EINVAL : put_user((s32)tcpsock_readable_bytes(t), to);
	case SIOCOUTQ:
		return atomic_load(&t->state) == TS_LISTENING ? -EINVAL : put_user((s32)atomic_load(&t->tx_queued), to);
	case SIOCOUTQNSD:
		net_core_lock();
		for (const struct tcp_seg *seg = t->pcb && t->state == TS_CONNECTED ? t->pcb->unsent : NULL; seg; seg = seg->next)
			unsent += seg->len;
		net_core_unlock();
		return put_user((s32)unsent, to);
	case SIOCATMARK:
		return put_user((s32)tcpsock_at_mark(t), to);
	default:
		return inet_ioctl(s, cmd, arg);
	}
}
