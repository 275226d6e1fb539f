/* Streams of local sockets: bytes in order, the descriptors and credentials that mark places in them, one urgent byte.
 *
 * A sender fills a buffer with nobody's lock held and appends it to the peer's queue.  A receiver, alone by u->reader, copies from the first
 * buffer and takes it off when it is empty.  A read that got descriptors ends at the end of their buffer, and one that tells credentials
 * (SO_PASSCRED) where the sender changes.
 *
 * MSG_OOB: the last byte of such a send is a buffer of its own, to which oob points while it is urgent.  It marks a place: reads stop before it,
 * and pass over it when they begin there, unless SO_OOBINLINE makes it a byte as any other. */
#include <net/unix_internal.h>
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <linux/eventpoll.h>

#define PIECE_MAX	32768u
#define ARRIVED		(EPOLLIN | EPOLLRDNORM | EPOLLRDBAND)

/* --- sending --- */

/* Into the peer's queue, and b is the peer's.  False: the peer takes no more. */
static bool append(struct unix_sock *u, struct unix_sock *peer, struct unix_buf *b, bool urgent)
{
	bool open;

	atomic_add(&u->in_use, (s32)b->charge);
	spin_lock(&peer->lock);
	open = likely(!peer->dead && !(peer->s.shut & SHUT_BOTH_RECEIVE));
	if (open) {
		list_add_tail_rcu(&b->link, &peer->queue);
		if (unlikely(urgent))
			WRITE_ONCE(peer->oob, b);
	}
	spin_unlock(&peer->lock);
	return open;
}

/* One buffer's worth of m: bytes, or an error.  *untold: the peer has bytes that it was not woken for; it is, before we wait for it. */
static ssize_t send_piece(struct unix_sock *u, struct unix_sock *peer, struct message *m, u32 size, bool urgent, bool *untold)
{
	struct unix_buf *b;
	u32 len;
	int err;

	if (unlikely(*untold) && atomic_load(&u->in_use) >= READ_ONCE(u->s.send_max)) {
		socket_wake(&peer->s, ARRIVED);
		*untold = false;
	}
	err = unix_wait_memory(u, m->flags);
	if (unlikely(err))
		return err;
	b = unix_buf_alloc(size);
	if (unlikely(!b))
		return -ENOBUFS;
	len = b->len;
	if (unlikely(copy_from_iter(b->data, len, m->iter) != len)) {
		unix_buf_free(b, NULL);
		return -EFAULT;
	}
	unix_buf_creds(b, u, peer, m->scm);
	err = unix_scm_send(m, b);
	if (unlikely(err)) {
		unix_buf_free(b, NULL);
		return err;
	}
	if (unlikely(!append(u, peer, b, urgent))) {
		unix_buf_free(b, u);
		return -EPIPE;
	}
	*untold = true;
	return len;
}

/* All of m, the last byte apart if it is urgent: bytes, or the error if none. */
static ssize_t send_all(struct unix_sock *u, struct unix_sock *peer, struct message *m, size_t plain, bool urgent, bool *untold)
{
	ssize_t done = 0, n;

	while (plain) {
		n = send_piece(u, peer, m, (u32)min(plain, (size_t)PIECE_MAX), false, untold);
		if (unlikely(n < 0))
			return done ? done : n;
		done += n;
		plain -= (size_t)n;
	}
	if (likely(!urgent))
		return done;
	n = send_piece(u, peer, m, 1, true, untold);
	if (n < 0)
		return done ? done : n;
	socket_urgent(&peer->s);
	return done + n;
}

/* The reader is woken once, at the end: a wake-up for each buffer would make the two meet at each.  Who sends little is likely to wait for the
 * answer; who sends much is likely to have more, and both copy at once. */
ssize_t unix_stream_send(struct socket *s, struct message *m)
{
	struct unix_sock *u = unix_of(s), *peer = atomic_load_acquire(&u->peer);
	bool urgent = m->flags & MSG_OOB, untold = false;
	size_t left = m->iter->count;
	ssize_t n;

	if (unlikely(urgent && !left))
		return -EOPNOTSUPP;
	if (unlikely(m->name_len))
		return READ_ONCE(u->state) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (unlikely(!peer))
		return -ENOTCONN;
	if (unlikely(READ_ONCE(s->shut) & SHUT_BOTH_SEND))
		return -EPIPE;
	n = send_all(u, peer, m, left - urgent, urgent, &untold);
	if (unlikely(!untold))
		return n;
	if (n > (ssize_t)PIECE_MAX)
		socket_wake_apart(&peer->s, ARRIVED | (urgent ? EPOLLPRI : 0));
	else
		socket_wake_sync(&peer->s, ARRIVED | (urgent ? EPOLLPRI : 0));
	return n;
}

/* --- receiving --- */

/* Take b off the queue and free it.  reader held. */
static void consume(struct unix_sock *u, struct unix_buf *b)
{
	spin_lock(&u->lock);
	list_del(&b->link);
	if (unlikely(u->oob == b))
		WRITE_ONCE(u->oob, NULL);
	spin_unlock(&u->lock);
	if (unlikely(b->files)) {		/* of an urgent byte that was passed over */
		unix_flight_end(b->files);
		scm_files_free(b->files);
		b->files = NULL;
	}
	unix_buf_free(b, u->peer);
}

static inline struct unix_buf *first_buf(struct unix_sock *u)
{
	struct list_head *l = list_next_rcu(&u->queue);

	return l == &u->queue ? NULL : list_entry(l, struct unix_buf, link);
}

static inline struct unix_buf *next_buf(struct unix_sock *u, struct unix_buf *b)
{
	struct list_head *l = list_next_rcu(&b->link);

	return l == &u->queue ? NULL : list_entry(l, struct unix_buf, link);
}

/* The first buffer as a read sees it that has `done` bytes: not the urgent byte.  *stop: the read ends here. */
static struct unix_buf *pass_urgent(struct unix_sock *u, struct unix_buf *b, bool peek, bool done, bool *stop)
{
	while (b) {
		if (unlikely(b->off == b->len)) {		/* an urgent byte that was received as such */
			if (peek) {
				b = next_buf(u, b);
			} else {
				consume(u, b);
				b = first_buf(u);
			}
			continue;
		}
		if (likely(b != READ_ONCE(u->oob)))
			return b;
		if (done) {
			*stop = true;
			return b;
		}
		if (socket_option(&u->s, SO_OOBINLINE)) {
			if (!peek)
				atomic_cas(&u->oob, b, NULL);	/* a later one may have come meanwhile */
			return b;
		}
		if (peek) {
			b = next_buf(u, b);
		} else {
			consume(u, b);
			b = first_buf(u);
		}
	}
	return NULL;
}

struct reading {
	struct unix_sock *u;
	struct message *m;
	struct unix_scm_in scm;
	size_t want, done, target;
	bool peek;
	u32 skip;			/* SO_PEEK_OFF: bytes in front */
	struct unix_buf *at;		/* peeking: the next to look at; NULL: the first */
};

/* Copy from b.  1: the read is over; 0: it goes on; an error only if it has nothing yet. */
static int read_buf(struct reading *r, struct unix_buf *b)
{
	u32 from = b->off + r->skip;
	size_t n = min((size_t)(b->len - from), r->want - r->done), got;
	s32 peek_off = READ_ONCE(r->u->s.peek_off);	/* another thread may set it, -1 too */
	bool files = b->files;

	if (unlikely(r->scm.has_cred)) {
		struct ucred c = b->has_cred ? b->cred : (struct ucred){ 0, 65534, 65534 };

		if (c.pid != r->scm.cred.pid || c.uid != r->scm.cred.uid || c.gid != r->scm.cred.gid)
			return 1;	/* never glue what different senders sent */
	}
	got = copy_to_iter(b->data + from, n, r->m->iter);
	if (unlikely(got < n))
		return r->done ? 1 : -EFAULT;
	r->done += n;
	if (unlikely(r->m->name && !r->m->name_len && r->u->peer))
		r->m->name_len = unix_name_copy(r->u->peer, r->m->name);
	unix_scm_take(&r->scm, r->u, b, r->peek);
	if (unlikely(r->peek)) {
		if (peek_off >= 0)
			WRITE_ONCE(r->u->s.peek_off, peek_off + (s32)n);
		r->skip = 0;
		r->at = b;
		return files || r->done == r->want;
	}
	b->off += (u32)n;
	if (unlikely(peek_off > 0))
		WRITE_ONCE(r->u->s.peek_off, max(peek_off - (s32)n, 0));
	if (b->off < b->len)
		return 1;
	consume(r->u, b);
	return files || r->done == r->want;
}

/* The next buffer that this read has something from, or NULL.  reader held. */
static struct unix_buf *look(struct reading *r, bool *stop)
{
	struct unix_sock *u = r->u;
	struct unix_buf *b = r->at ? next_buf(u, r->at) : first_buf(u);

	if (b && unlikely(b == READ_ONCE(u->oob) || b->off == b->len))
		b = pass_urgent(u, b, r->peek, r->done, stop);
	while (unlikely(r->skip) && b && !*stop && r->skip >= b->len - b->off) {
		r->skip -= b->len - b->off;
		r->at = b;
		b = next_buf(u, b);
	}
	return b;
}

/* Nothing there: wait, with the reader's lock dropped.  1: there will be nothing (the end); 0: look again. */
static int wait_bytes(struct reading *r, u64 deadline)
{
	struct unix_sock *u = r->u;
	struct list_head *last = READ_ONCE(u->queue.prev);
	u32 shut = atomic_load_acquire(&u->s.shut);	/* before its reason, and what came before it: tell_peer */
	int err = socket_take_error(&u->s);

	if (err)
		return err;
	if (shut & SHUT_BOTH_RECEIVE) {
		bool stop = false;

		return look(r, &stop) ? 0 : 1;
	}
	if (!deadline)
		return -EAGAIN;
	mutex_unlock(&u->reader);
	err = socket_wait_event(&u->s, EPOLLIN, atomic_load(&u->s.error) || READ_ONCE(u->s.shut) & SHUT_BOTH_RECEIVE ||
				(r->at || r->skip ? READ_ONCE(u->queue.prev) != last : first_buf(u) != NULL), deadline);
	mutex_lock(&u->reader);
	r->at = NULL;			/* others may have read meanwhile: a peek begins anew */
	if (r->peek)
		r->skip = (u32)max(READ_ONCE(u->s.peek_off), 0);
	return socket_wait_error(&u->s, err, false);
}

static ssize_t read_all(struct reading *r)
{
	u64 deadline = 0;
	bool known = false, stop = false;
	int err = 0;

	do {
		struct unix_buf *b = look(r, &stop);

		if (unlikely(stop))
			break;
		if (likely(b)) {
			err = read_buf(r, b);
			continue;
		}
		if (r->done >= r->target || (r->peek && r->done))
			break;
		if (!known)
			deadline = socket_deadline(&r->u->s, r->m->flags, false);
		known = true;
		err = wait_bytes(r, deadline);
	} while (!err);
	return r->done ? (ssize_t)r->done : min(err, 0);
}

static ssize_t receive_urgent(struct unix_sock *u, struct message *m)
{
	struct unix_buf *b;
	ssize_t n = -EINVAL;
	u8 byte = 0;

	mutex_lock(&u->reader);
	spin_lock(&u->lock);
	b = socket_option(&u->s, SO_OOBINLINE) ? NULL : u->oob;
	if (b) {
		byte = b->data[0];
		if (!(m->flags & MSG_PEEK)) {
			WRITE_ONCE(u->oob, NULL);
			b->off = b->len;	/* stays as an empty mark until a read passes it */
		}
		n = 1;
	}
	spin_unlock(&u->lock);
	if (n == 1 && m->iter->count && copy_to_iter(&byte, 1, m->iter) != 1)
		n = -EFAULT;
	mutex_unlock(&u->reader);
	if (n == 1)
		m->out_flags |= MSG_OOB;
	return n;
}

bool unix_stream_at_mark(struct unix_sock *u)
{
	bool at;

	spin_lock(&u->lock);
	at = u->oob && first_buf(u) == u->oob;
	spin_unlock(&u->lock);
	return at;
}

ssize_t unix_stream_receive(struct socket *s, struct message *m)
{
	struct unix_sock *u = unix_of(s);
	struct reading r = { .u = u, .m = m, .want = m->iter->count, .peek = m->flags & MSG_PEEK };
	ssize_t n;

	if (unlikely(atomic_load_acquire(&u->state) != UNIX_CONNECTED))
		return -EINVAL;
	if (unlikely(m->flags & MSG_OOB))
		return receive_urgent(u, m);
	r.target = m->flags & MSG_WAITALL ? r.want : min(r.want, (size_t)READ_ONCE(s->receive_low));
	if (!r.target)
		r.target = 1;
	if (unlikely(r.peek))
		r.skip = (u32)max(READ_ONCE(s->peek_off), 0);
	mutex_lock(&u->reader);
	n = read_all(&r);
	mutex_unlock(&u->reader);
	if (unlikely(m->scm || r.scm.files))
		unix_scm_tell(&r.scm, u, m);
	return n;
}

u32 unix_stream_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s);
	u32 mask = 0, shut, state;

	poll_wait(pt, f, &s->wait);
	smp_mb();	/* queued before looking; pairs with wait_queue_active() */
	shut = READ_ONCE(s->shut);
	state = READ_ONCE(u->state);
	if (atomic_load(&s->error))
		mask |= EPOLLERR;
	if (shut == (SHUT_BOTH_RECEIVE | SHUT_BOTH_SEND))
		mask |= EPOLLHUP;
	if (shut & SHUT_BOTH_RECEIVE)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (first_buf(u))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(u->oob))
		mask |= EPOLLPRI;
	if (state == UNIX_CLOSED)
		mask |= EPOLLHUP;
	if (unix_writable(u))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return mask;
}
