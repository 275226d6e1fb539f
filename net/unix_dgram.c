/* Datagrams and sequenced packets of local sockets: whole messages.
 *
 * A datagram's sender waits for two things: memory on its own account, and room in the receiver's queue (max_dgram_qlen), unless the two are each
 * other's peer.  Who waits for room sits on the receiver's `room`; who polls a connected socket for writing is put there by a relay, an
 * entry that wakes the poller's socket. */
#include <net/unix_internal.h>
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <linux/eventpoll.h>
#include <net/filter.h>

#define WRITABLE	(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

/* May a send to `to`?  One that is connected hears its peer alone.  Locks of both, or a racy look. */
static bool may_send(const struct unix_sock *u, const struct unix_sock *to)
{
	const struct unix_sock *p = READ_ONCE(to->peer);

	return !p || p == u;
}

/* --- polling a sender whose receiver is full --- */

static int relay_wake(struct wait_entry *we, void *key)
{
	struct unix_sock *u = container_of(we, struct unix_sock, relay);

	wake_up_key(&u->s.wait, key);
	return 0;
}

/* u's lock held: be woken when `to` has room. */
static void relay_start(struct unix_sock *u, struct unix_sock *to)
{
	if (u->relay_to)		/* there already; or a connect() is about to end an old one, and wakes all pollers then */
		return;
	wait_entry_init(&u->relay);
	u->relay.func = relay_wake;
	unix_get(to);
	u->relay_to = to;
	wait_add(&to->room, &u->relay);
}

void unix_dgram_relay_stop(struct unix_sock *u)
{
	struct unix_sock *to;

	if (likely(!READ_ONCE(u->relay_to)))
		return;
	spin_lock(&u->lock);
	to = u->relay_to;
	u->relay_to = NULL;
	if (to)
		wait_remove(&to->room, &u->relay);
	spin_unlock(&u->lock);
	if (to)
		unix_put(to);
}

/* --- connect --- */

/* What came from the old peer is forgotten, and it learns of that if it was connected here.  Nobody who peeks is looking at it meanwhile. */
static void disconnected(struct unix_sock *u, struct unix_sock *old)
{
	LIST_HEAD(gone);
	struct unix_buf *b, *next;

	mutex_lock(&u->reader);
	spin_lock(&u->lock);
	list_for_each_entry_safe(b, next, &u->queue, link)
		list_move_tail(&b->link, &gone);
	WRITE_ONCE(u->nr_queued, 0);
	spin_unlock(&u->lock);
	mutex_unlock(&u->reader);
	if (list_empty(&gone))
		return;
	list_for_each_entry_safe(b, next, &gone, link) {
		struct unix_sock *from = b->from;

		unix_buf_free(b, from);
		unix_put(from);
	}
	unix_wake_room(u);
	if (!READ_ONCE(old->dead) && READ_ONCE(old->peer) == u)
		socket_set_error(&old->s, ECONNRESET);
}

/* Both locks held.  The new peer's reference is taken here. */
static int connect_locked(struct unix_sock *u, struct unix_sock *to, struct unix_sock **old)
{
	if (to && to->dead)
		return -ECONNREFUSED;
	if (to && !may_send(u, to))
		return -EPERM;
	*old = u->peer;
	if (to)
		unix_get(to);
	atomic_store_release(&u->peer, to);
	WRITE_ONCE(u->state, to ? UNIX_CONNECTED : UNIX_CLOSED);
	return 0;
}

int unix_dgram_connect(struct socket *s, const struct sockaddr_any *name, u32 len, u32 file_flags)
{
	struct unix_sock *u = unix_of(s), *to = NULL, *old = NULL;
	int err = len < sizeof(name->family) ? -EINVAL : 0;

	(void)file_flags;
	if (!err && name->family != AF_UNSPEC) {
		err = unix_name_check(name, len);
		if (!err && unix_wants_name(u))
			err = unix_autobind(u);
		if (!err)
			err = unix_find(name, len, s->type, &to);
	}
	if (err)
		return err;
	unix_lock_two(u, to);
	err = connect_locked(u, to, &old);
	unix_unlock_two(u, to);
	if (!err && old) {
		unix_dgram_relay_stop(u);
		if (old != to) {
			socket_wake(s, WRITABLE);
			disconnected(u, old);
		}
		unix_put(old);
	}
	if (to)
		unix_put(to);
	return err;
}

/* --- sending --- */

enum { SEND_AGAIN = 1, SEND_FULL = 2 };

static bool is_full(const struct unix_sock *u, const struct unix_sock *to)
{
	return to != u && READ_ONCE(to->peer) != u && unix_queue_full(to);
}

/* Put b into to's queue.  0, SEND_*, -EPERM, -EPIPE; on 0 b belongs to the receiver. */
static int enqueue(struct unix_sock *u, struct unix_sock *to, struct unix_buf *b)
{
	int err = 0;

	spin_lock(&to->lock);
	if (unlikely(!may_send(u, to)))
		err = -EPERM;
	else if (unlikely(to->dead))
		err = SEND_AGAIN;
	else if (unlikely(to->s.shut & SHUT_BOTH_RECEIVE))
		err = -EPIPE;
	else if (unlikely(is_full(u, to)))
		err = SEND_FULL;
	if (likely(!err)) {
		list_add_tail_rcu(&b->link, &to->queue);
		WRITE_ONCE(to->nr_queued, to->nr_queued + 1);
	}
	spin_unlock(&to->lock);
	return err;
}

/* The receiver is gone: what that means to the one who is connected to it.  0: nothing, look the name up again. */
static int receiver_gone(struct unix_sock *u, struct unix_sock *to)
{
	bool was_peer;

	if (u->s.type == SOCK_SEQPACKET)
		return -EPIPE;
	spin_lock(&u->lock);
	was_peer = u->peer == to;
	if (was_peer) {
		u->peer = NULL;
		WRITE_ONCE(u->state, UNIX_CLOSED);
	}
	spin_unlock(&u->lock);
	if (!was_peer)
		return 0;
	unix_dgram_relay_stop(u);
	socket_wake(&u->s, WRITABLE);
	disconnected(u, to);
	unix_put(to);
	return -ECONNREFUSED;
}

/* What the receiver's filter keeps of b: false, nothing. */
static bool filtered(struct unix_sock *to, struct unix_buf *b)
{
	struct filter_input in = { .data = b->data, .len = b->len };
	u32 keep;

	if (likely(!READ_ONCE(to->s.filter)))
		return true;
	keep = socket_filter(&to->s, &in);
	if (keep < b->len) {			/* a filter sees the first piece alone, so what it cuts is there */
		b->len = b->total = keep;
		if (b->more) {
			unix_buf_free(b->more, NULL);
			b->more = NULL;
		}
	}
	return keep;
}

static int full_wait(struct unix_sock *u, struct unix_sock *to, u64 deadline)
{
	int err;

	if (deadline)
		return unix_wait_room(u, to, deadline);
	spin_lock(&u->lock);
	err = -EAGAIN;
	if (u->peer == to)
		relay_start(u, to);
	spin_unlock(&u->lock);
	return unix_queue_full(to) ? err : 0;	/* room came while nobody was told */
}

/* To whom: the address's, or the peer, referenced. */
static int receiver(struct unix_sock *u, const struct message *m, struct unix_sock **to)
{
	if (m->name_len)
		return unix_find(m->name, m->name_len, u->s.type, to);
	*to = unix_peer_get(u);
	return *to ? 0 : -ENOTCONN;
}

static ssize_t deliver(struct unix_sock *u, struct message *m, struct unix_sock *to, struct unix_buf *b)
{
	u64 deadline = 0;
	bool known = false;
	int err;

	for (;;) {
		if (unlikely(!filtered(to, b)))
			return 1;		/* tossed; the sender is not told */
		if (!b->has_cred)
			unix_buf_creds(b, u, to, m->scm);
		if (unlikely(READ_ONCE(to->s.stamps)))
			b->stamp = clock_real_ns();
		err = enqueue(u, to, b);
		if (likely(err <= 0))
			break;
		if (err == SEND_FULL) {
			if (!known)
				deadline = socket_deadline(&u->s, m->flags, true);
			known = true;
			err = full_wait(u, to, deadline);
		} else {
			err = receiver_gone(u, to);
			if (!err) {
				unix_put(to);
				err = m->name_len ? receiver(u, m, &to) : -ECONNRESET;
				if (err)
					return err;
				continue;
			}
		}
		if (err)
			break;
	}
	if (likely(!err))
		socket_wake_sync(&to->s, EPOLLIN | EPOLLRDNORM | EPOLLRDBAND);
	unix_put(to);
	return err;
}

/* The message in a buffer, with what travels beside it. */
static int pack(struct unix_sock *u, struct message *m, struct unix_buf **out)
{
	struct unix_buf *b = unix_buf_alloc_all((u32)m->iter->count);
	int err = 0;

	if (!b)
		return -ENOBUFS;
	for (struct unix_buf *p = b; p && !err; p = p->more)
		if (copy_from_iter(p->data, p->len, m->iter) != p->len)
			err = -EFAULT;
	if (!err)
		err = unix_scm_send(m, b);
	if (err) {
		unix_buf_free(b, NULL);
		return err;
	}
	b->from = u;
	unix_get(u);
	atomic_add(&u->in_use, (s32)b->charge);
	*out = b;
	return 0;
}

ssize_t unix_dgram_send(struct socket *s, struct message *m)
{
	struct unix_sock *u = unix_of(s), *to = NULL;
	size_t len = m->iter->count;
	struct unix_buf *b;
	ssize_t err;

	if (unlikely(m->flags & MSG_OOB))
		return -EOPNOTSUPP;
	err = m->name_len ? unix_name_check(m->name, m->name_len) : READ_ONCE(u->peer) ? 0 : -ENOTCONN;
	if (!err && unix_wants_name(u))
		err = unix_autobind(u);
	if (!err && (s64)len > (s64)READ_ONCE(s->send_max) - 32)
		err = -EMSGSIZE;
	if (!err)
		err = unix_wait_memory(u, m->flags);
	if (!err)
		err = receiver(u, m, &to);
	if (unlikely(err))
		return err;
	err = pack(u, m, &b);
	if (unlikely(err)) {
		unix_put(to);
		return err;
	}
	err = deliver(u, m, to, b);
	if (likely(!err))
		return (ssize_t)len;
	unix_buf_free(b, u);
	unix_put(u);
	return err > 0 ? (ssize_t)len : err;
}

ssize_t unix_seqpacket_send(struct socket *s, struct message *m)
{
	int err = socket_take_error(s);

	if (err)
		return err;
	if (READ_ONCE(unix_of(s)->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	m->name_len = 0;
	return unix_dgram_send(s, m);
}

/* --- receiving --- */

/* The one that a receive begins with: the first, or, peeking at an offset, the one that it lies in. */
static struct unix_buf *pick_locked(struct unix_sock *u, bool peek, u32 *skip)
{
	struct unix_buf *b;

	list_for_each_entry(b, &u->queue, link) {
		if (!peek || !*skip || *skip < b->total)
			return b;
		*skip -= b->total;
	}
	return NULL;
}

/* The next datagram: off the queue, or (peek) still in it, which the reader's lock keeps it in.  NULL: none. */
static struct unix_buf *take(struct unix_sock *u, bool peek, u32 *skip)
{
	struct unix_buf *b;

	spin_lock(&u->lock);
	b = pick_locked(u, peek, skip);
	if (b && !peek) {
		list_del(&b->link);
		WRITE_ONCE(u->nr_queued, u->nr_queued - 1);
	}
	spin_unlock(&u->lock);
	return b;
}

/* reader held, and dropped while waiting. */
static int wait_datagram(struct unix_sock *u, struct message *m, u32 *skip, struct unix_buf **out)
{
	bool peek = m->flags & MSG_PEEK, known = false;
	u64 deadline = 0;
	int err;

	for (;;) {
		struct list_head *last = READ_ONCE(u->queue.prev);
		u32 shut = atomic_load_acquire(&u->s.shut);	/* before its reason, and what came before it */

		err = socket_take_error(&u->s);
		if (unlikely(err))
			return err;
		*skip = peek ? (u32)max(READ_ONCE(u->s.peek_off), 0) : 0;
		*out = take(u, peek, skip);
		if (likely(*out))
			return 0;
		if (!known)
			deadline = socket_deadline(&u->s, m->flags, false);
		known = true;
		if (shut & SHUT_BOTH_RECEIVE)
			return deadline || u->s.type == SOCK_SEQPACKET ? 0 : -EAGAIN;
		if (!deadline)
			return -EAGAIN;
		mutex_unlock(&u->reader);
		err = socket_wait_event(&u->s, EPOLLIN, atomic_load(&u->s.error) || READ_ONCE(u->s.shut) & SHUT_BOTH_RECEIVE ||
					(peek && !list_empty(&u->queue) ? READ_ONCE(u->queue.prev) != last : !list_empty(&u->queue)), deadline);
		mutex_lock(&u->reader);
		if (err)
			return socket_wait_error(&u->s, err, false);
	}
}

/* As many bytes as fit, from skip on: how many, or -EFAULT. */
static ssize_t copy_out(const struct unix_buf *b, u32 skip, struct message *m)
{
	size_t done = 0;

	for (; b && m->iter->count; b = b->more) {
		u32 from = min(skip, b->len);
		size_t n = min((size_t)(b->len - from), m->iter->count);

		skip -= from;
		if (copy_to_iter(b->data + from, n, m->iter) != n)
			return -EFAULT;
		done += n;
	}
	return (ssize_t)done;
}

/* What a receiver gets of b: bytes, or -EFAULT. */
static ssize_t hand_over(struct unix_sock *u, struct unix_buf *b, u32 skip, struct message *m, struct unix_scm_in *in)
{
	bool peek = m->flags & MSG_PEEK;
	s32 off = READ_ONCE(u->s.peek_off);
	ssize_t n;

	if (m->name)
		m->name_len = unix_name_copy(b->from, m->name);
	if (m->iter->count < b->total - skip)
		m->out_flags |= MSG_TRUNC;
	n = copy_out(b, skip, m);
	if (n < 0)
		return n;
	if (b->stamp || READ_ONCE(u->s.stamps))
		socket_stamp(&u->s, m, b->stamp ? b->stamp : clock_real_ns());
	unix_scm_take(in, u, b, peek);
	if (unlikely(off >= 0) && (peek || off > 0))
		WRITE_ONCE(u->s.peek_off, peek ? off + (s32)n : max(off - (s32)b->total, 0));
	return m->flags & MSG_TRUNC ? (ssize_t)(b->total - skip) : n;
}

ssize_t unix_dgram_receive(struct socket *s, struct message *m)
{
	struct unix_sock *u = unix_of(s);
	struct unix_scm_in in = { .files = NULL };
	bool peek = m->flags & MSG_PEEK;
	struct unix_buf *b = NULL;
	u32 skip = 0;
	ssize_t n;

	if (unlikely(m->flags & MSG_OOB))
		return -EOPNOTSUPP;
	mutex_lock(&u->reader);
	n = wait_datagram(u, m, &skip, &b);
	if (b)
		n = hand_over(u, b, skip, m, &in);
	mutex_unlock(&u->reader);
	if (!b)
		return n;
	unix_wake_room(u);
	if (!peek) {
		struct unix_sock *from = b->from;

		unix_buf_free(b, from);
		unix_put(from);
	}
	if (unlikely(m->scm || in.files))
		unix_scm_tell(&in, u, m);
	return n;
}

ssize_t unix_seqpacket_receive(struct socket *s, struct message *m)
{
	return READ_ONCE(unix_of(s)->state) == UNIX_CONNECTED ? unix_dgram_receive(s, m) : -ENOTCONN;
}

/* --- poll --- */

static bool writable(struct unix_sock *u, struct poll_table *pt)
{
	struct unix_sock *to;
	bool yes = unix_writable(u);

	if (!yes || (pt && pt->events && !(pt->events & WRITABLE)) || !READ_ONCE(u->peer))
		return yes;
	spin_lock(&u->lock);
	to = u->peer;
	if (to && is_full(u, to)) {
		relay_start(u, to);
		smp_mb();		/* queued before looking again */
		yes = !is_full(u, to) || READ_ONCE(to->dead);
	}
	spin_unlock(&u->lock);
	return yes;
}

u32 unix_dgram_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s);
	u32 mask = 0, shut;

	poll_wait(pt, f, &s->wait);
	smp_mb();	/* queued before looking; pairs with wait_queue_active() */
	shut = READ_ONCE(s->shut);
	if (atomic_load(&s->error))
		mask |= EPOLLERR;
	if (shut & SHUT_BOTH_RECEIVE)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (shut == (SHUT_BOTH_RECEIVE | SHUT_BOTH_SEND))
		mask |= EPOLLHUP;
	if (!list_empty(&u->queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (s->type == SOCK_SEQPACKET && READ_ONCE(u->state) == UNIX_CLOSED)
		mask |= EPOLLHUP;
	if (writable(u, pt))
		mask |= WRITABLE;
	return mask;
}
