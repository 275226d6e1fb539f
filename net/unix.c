/* Local sockets (AF_UNIX): streams, datagrams and sequenced packets between processes of one machine.
 *
 * Theory.  A socket has a queue of what has arrived; who sends puts a buffer into the receiver's queue himself: bytes are copied once from the
 * sender to the buffer and once from it to the receiver, both without a lock that the other side wants.  A buffer's memory is on its
 * sender's account, which is what makes a sender wait; a queue of datagrams is limited in number too.
 *
 *   unix.c         making, joining, ending: states and peers          unix_stream.c   bytes in order
 *   unix_name.c    paths, abstract names, /proc/net/unix              unix_dgram.c    datagrams and sequenced packets
 *   unix_buf.c     buffers, accounts, credentials                     unix_flight.c   descriptors on their way, and cycles of them
 *
 * Locks.  u->lock (LC_UNIX, spin) guards state, peer and the chain of the queue, for a few instructions each; two are taken by address.  u->reader
 * (LC_SOCKET, mutex) is held by the one receiver while it copies, so that bytes stay in order; it alone takes buffers off a stream's queue.
 * Nothing is copied under a spin lock.  A queue's first element is looked at without the lock: who polls, or is about to sleep, must see
 * either the new element or be seen by the one who added it, which the wait queue's own ordering gives.
 *
 * Lifetime.  The file holds one reference on its socket; a connected socket holds one on its peer until its own release, which is why a stream's
 * peer, once set, may be used without the lock by everybody who has the file; a waiting datagram holds one on its sender, whose name and
 * account it needs.  A socket that had a name is freed after a grace period.
 *
 * Ends.  release() marks the socket dead under its lock, so nothing enters the queue afterwards, tells the peer (both halves shut, ECONNRESET if
 * something was left unread), and frees what waits.  A listener's connections that nobody accepted are released with it.
 *
 * Connecting needs no answer from the other side: connect(2) makes the socket that accept(2) will return, joins the two, and puts the new one
 * (an embryo: it has no file yet) into the listener's queue.  With the queue full it waits on the listener's `room`. */
#include <net/unix_internal.h>
#include <arch/uaccess.h>
#include <fs/inode.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/sockios.h>
#include <mm/slab.h>

u64 unix_dgram_qlen = 10;
SYSCTL(max_dgram_qlen, "net/unix/max_dgram_qlen", .value = &unix_dgram_qlen, .max = INT32_MAX);

static const struct socket_ops stream_ops, dgram_ops, seqpacket_ops;

/* --- making and ending --- */

struct unix_sock *unix_create(u16 type)
{
	const struct socket_ops *ops = type == SOCK_STREAM ? &stream_ops : type == SOCK_DGRAM ? &dgram_ops : &seqpacket_ops;
	struct unix_sock *u = kzalloc(sizeof(*u), GFP_KERNEL);

	if (!u)
		return NULL;
	socket_init(&u->s, ops, AF_UNIX, type, 0);
	refcount_set(&u->refs, 1);
	spin_lock_init(&u->lock, LC_UNIX);
	list_init(&u->queue);
	list_init(&u->link);
	u->backlog = (u32)READ_ONCE(unix_dgram_qlen);
	mutex_init(&u->reader, LC_SOCKET);
	mutex_init(&u->bind, LC_UNIX_BIND);
	wait_queue_init(&u->room);
	spin_lock_init(&u->room.lock, LC_UNIX_ROOM);
	list_init(&u->relay.link);
	list_init(&u->flight.link);
	unix_register(u);
	return u;
}

static int create(int type, int protocol, struct socket **out)
{
	struct unix_sock *u;

	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW)			/* as on Linux: another word for datagrams */
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = unix_create((u16)type);
	if (!u)
		return -ENOMEM;
	*out = &u->s;
	return 0;
}

static void free_rcu(struct rcu_head *head)
{
	struct unix_sock *u = container_of(head, struct unix_sock, rcu);

	unix_name_put(u->name);
	kfree(u);
}

void unix_free(struct unix_sock *u)
{
	if (!list_empty(&u->all_link))	/* never released: it was not joined to anybody */
		unix_unregister(u);
	if (u->peer_cred)
		cred_put(u->peer_cred);
	socket_fini(&u->s);
	if (u->name)			/* was or might have been in a bucket */
		call_rcu(&u->rcu, free_rcu);
	else
		kfree(u);
}

void unix_lock_two(struct unix_sock *a, struct unix_sock *b)
{
	if (a > b)
		swap(a, b);
	if (a)
		spin_lock(&a->lock);
	if (b != a) {
		if (a)
			spin_lock_nested(&b->lock, (u64)b);
		else
			spin_lock(&b->lock);
	}
}

void unix_unlock_two(struct unix_sock *a, struct unix_sock *b)
{
	if (b && b != a)
		spin_unlock(&b->lock);
	spin_unlock(&a->lock);
}

void unix_set_peer_cred(struct unix_sock *u, const struct cred *c, s32 pid)
{
	const struct cred *old = u->peer_cred;

	if (c)
		cred_get(c);
	u->peer_cred = c;
	u->peer_pid = pid;
	if (old)
		cred_put(old);
}

struct unix_sock *unix_peer_get(struct unix_sock *u)
{
	struct unix_sock *p;

	spin_lock(&u->lock);
	p = u->peer;
	if (p)
		unix_get(p);
	spin_unlock(&u->lock);
	return p;
}

void unix_wake_room(struct unix_sock *u)
{
	if (wait_queue_active(&u->room))
		wake_up_key_sync(&u->room, (void *)(u64)(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND));
}

int unix_wait_room(struct unix_sock *u, struct unix_sock *other, u64 deadline)
{
	struct wait_entry we;
	int err = 0;

	wait_entry_init(&we);
	we.exclusive = true;
	prepare_to_wait(&other->room, &we, TASK_INTERRUPTIBLE);
	if (unix_queue_full(other) && !READ_ONCE(other->dead) && !(READ_ONCE(other->s.shut) & SHUT_BOTH_RECEIVE)) {
		err = wait_check(TASK_INTERRUPTIBLE, deadline);
		if (!err)
			schedule_until(deadline);
	}
	finish_wait(&other->room, &we);
	if (err && !unix_queue_full(other))
		unix_wake_room(other);		/* a wake-up meant for one who leaves */
	return socket_wait_error(&u->s, err, true);
}

static void release_sock(struct unix_sock *u, bool embryo);

/* What waited at u, which is dead: connections are ended, buffers freed. */
static void drop_queue(struct unix_sock *u, u32 state, struct unix_sock *peer)
{
	while (!list_empty(&u->queue)) {
		if (state == UNIX_LISTENING) {
			struct unix_sock *e = list_first_entry(&u->queue, struct unix_sock, link);

			list_del_init(&e->link);
			release_sock(e, true);
		} else {
			struct unix_buf *b = list_first_entry(&u->queue, struct unix_buf, link);
			struct unix_sock *from = b->from;

			list_del(&b->link);
			unix_buf_free(b, from ? from : peer);
			if (from)
				unix_put(from);
		}
	}
}

/* The one that is connected to u learns that u is gone. */
static void tell_peer(struct unix_sock *u, struct unix_sock *peer, bool unread)
{
	if (unix_is_dgram(u))
		return;
	spin_lock(&peer->lock);
	if (unread)
		atomic_store(&peer->s.error, ECONNRESET);
	atomic_store_release(&peer->s.shut, SHUT_BOTH_RECEIVE | SHUT_BOTH_SEND);	/* who sees the end sees its reason, and what came before */
	spin_unlock(&peer->lock);
	socket_wake(&peer->s, EPOLLHUP | EPOLLRDHUP | EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM);
}

static void release_sock(struct unix_sock *u, bool embryo)
{
	struct unix_sock *peer;
	u32 state;

	unix_unhash(u);
	unix_unregister(u);
	unix_dgram_relay_stop(u);
	spin_lock(&u->lock);
	state = u->state;
	peer = u->peer;
	u->dead = true;
	WRITE_ONCE(u->s.shut, SHUT_BOTH_RECEIVE | SHUT_BOTH_SEND);
	WRITE_ONCE(u->state, UNIX_CLOSED);
	u->oob = NULL;
	spin_unlock(&u->lock);
	wake_up_all_key(&u->room, (void *)(u64)(EPOLLOUT | EPOLLWRNORM | EPOLLHUP));
	if (peer)
		tell_peer(u, peer, embryo || !list_empty(&u->queue));
	drop_queue(u, state, peer);
	if (peer) {
		spin_lock(&u->lock);
		u->peer = NULL;
		spin_unlock(&u->lock);
		unix_put(peer);
	}
	unix_put(u);
}

static void release(struct socket *s) { release_sock(unix_of(s), false); }
static void flush(struct socket *s) { unix_flight_closed(unix_of(s)); }

/* --- joining --- */

static int pair(struct socket *sa, struct socket *sb)
{
	struct unix_sock *a = unix_of(sa), *b = unix_of(sb);

	unix_get(a);
	unix_get(b);
	a->peer = b;
	b->peer = a;
	unix_set_peer_cred(a, current_cred(), current_pid());
	unix_set_peer_cred(b, current_cred(), current_pid());
	a->state = b->state = UNIX_CONNECTED;
	return 0;
}

static int listen(struct socket *s, int backlog)
{
	struct unix_sock *u = unix_of(s);
	bool grew = false;
	int err = 0;

	if (!atomic_load(&u->name))
		return -EINVAL;
	spin_lock(&u->lock);
	if (u->state == UNIX_CONNECTED || u->dead) {
		err = -EINVAL;
	} else {
		grew = (u32)backlog > u->backlog;
		WRITE_ONCE(u->backlog, (u32)backlog);
		WRITE_ONCE(u->state, UNIX_LISTENING);
		unix_set_peer_cred(u, current_cred(), current_pid());
	}
	spin_unlock(&u->lock);
	if (grew)
		wake_up_all_key(&u->room, (void *)(u64)EPOLLOUT);
	return err;
}

enum { JOIN_AGAIN = 1, JOIN_FULL = 2 };

/* Both locks held: u and the embryo e become two ends, e waits to be accepted at the listener.  0, JOIN_*, or -errno. */
static int join_locked(struct unix_sock *u, struct unix_sock *listener, struct unix_sock *e)
{
	if (listener->dead)
		return JOIN_AGAIN;
	if (listener->state != UNIX_LISTENING || listener->s.shut & SHUT_BOTH_RECEIVE)
		return -ECONNREFUSED;
	if (unix_queue_full(listener))
		return JOIN_FULL;
	if (u->state != UNIX_CLOSED)
		return u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	unix_get(u);
	unix_get(e);
	e->peer = u;
	e->name = listener->name;
	refcount_inc(&e->name->refs);
	e->embryo = true;
	e->state = UNIX_CONNECTED;
	unix_set_peer_cred(e, current_cred(), current_pid());
	unix_set_peer_cred(u, listener->peer_cred, listener->peer_pid);
	atomic_store_release(&u->peer, e);
	atomic_store_release(&u->state, (u32)UNIX_CONNECTED);
	list_add_tail_rcu(&e->link, &listener->queue);
	WRITE_ONCE(listener->nr_queued, listener->nr_queued + 1);
	return 0;
}

static int join(struct unix_sock *u, const struct sockaddr_any *name, u32 len, struct unix_sock *e, u64 deadline)
{
	struct unix_sock *listener;
	int err;

	for (;;) {
		err = unix_find(name, len, u->s.type, &listener);
		if (err)
			return err;
		unix_lock_two(u, listener);
		err = join_locked(u, listener, e);
		unix_unlock_two(u, listener);
		if (err == JOIN_FULL)
			err = deadline ? unix_wait_room(u, listener, deadline) : -EAGAIN;
		else if (!err)
			socket_wake_sync(&listener->s, EPOLLIN | EPOLLRDNORM);
		else if (err == JOIN_AGAIN)
			err = 0;
		unix_put(listener);
		if (err || READ_ONCE(u->peer) == e)
			return err;
	}
}

static int connect(struct socket *s, const struct sockaddr_any *name, u32 len, u32 file_flags)
{
	struct unix_sock *u = unix_of(s), *e;
	int err = unix_name_check(name, len);

	if (!err && unix_wants_name(u))
		err = unix_autobind(u);
	if (err)
		return err;
	e = unix_create(s->type);
	if (!e)
		return -ENOMEM;
	err = join(u, name, len, e, socket_deadline(s, file_flags & O_NONBLOCK ? MSG_DONTWAIT : 0, true));
	if (err)
		unix_put(e);
	return err;
}

static struct unix_sock *take_embryo(struct unix_sock *u)
{
	struct unix_sock *e = NULL;

	spin_lock(&u->lock);
	if (!list_empty(&u->queue)) {
		e = list_first_entry(&u->queue, struct unix_sock, link);
		list_del_init(&e->link);
		WRITE_ONCE(u->nr_queued, u->nr_queued - 1);
	}
	spin_unlock(&u->lock);
	return e;
}

/* A connection may be there, or it is time to look again: 0. */
static int wait_embryo(struct unix_sock *u, u64 deadline)
{
	struct socket *s = &u->s;
	int err;

	if (!deadline)
		return -EAGAIN;
	if (READ_ONCE(s->shut) & SHUT_BOTH_RECEIVE)
		return -EINVAL;
	err = wait_event_exclusive(&s->wait, !list_empty(&u->queue) || READ_ONCE(s->shut) & SHUT_BOTH_RECEIVE, deadline);
	return socket_wait_error(s, err, false);
}

static int accept(struct socket *s, struct socket **out, u32 file_flags)
{
	struct unix_sock *u = unix_of(s), *e;
	u64 deadline;
	int err = 0;

	if (READ_ONCE(u->state) != UNIX_LISTENING)
		return -EINVAL;
	deadline = socket_deadline(s, file_flags & O_NONBLOCK ? MSG_DONTWAIT : 0, false);
	do {
		e = take_embryo(u);
		if (e)
			break;
		err = wait_embryo(u, deadline);
	} while (!err);
	if (!e)
		return err;
	unix_wake_room(u);
	spin_lock(&e->lock);
	WRITE_ONCE(e->embryo, false);
	spin_unlock(&e->lock);
	*out = &e->s;
	return 0;
}

/* --- asking and telling --- */

static int name(struct socket *s, struct sockaddr_any *out, bool peer)
{
	struct unix_sock *u = unix_of(s), *of = u;
	u32 len;

	if (peer) {
		of = unix_peer_get(u);
		if (!of)
			return -ENOTCONN;
	}
	len = unix_name_copy(of, out);
	if (!len) {
		out->family = AF_UNIX;
		len = sizeof(out->family);
	}
	if (peer)
		unix_put(of);
	return (int)len;
}

static u32 other_half(u32 shut) { return (shut & SHUT_BOTH_RECEIVE ? SHUT_BOTH_SEND : 0) | (shut & SHUT_BOTH_SEND ? SHUT_BOTH_RECEIVE : 0); }

static u32 shut_events(u32 shut)
{
	return (shut & SHUT_BOTH_RECEIVE ? EPOLLIN | EPOLLRDNORM | EPOLLRDHUP : 0) | (shut & SHUT_BOTH_SEND ? EPOLLOUT | EPOLLWRNORM : 0) | EPOLLHUP;
}

static int shutdown(struct socket *s, int how)
{
	u32 halves = how == SHUT_RD ? SHUT_BOTH_RECEIVE : how == SHUT_WR ? SHUT_BOTH_SEND : SHUT_BOTH_RECEIVE | SHUT_BOTH_SEND;
	struct unix_sock *u = unix_of(s), *peer;

	spin_lock(&u->lock);
	WRITE_ONCE(s->shut, s->shut | halves);
	peer = u->peer;
	if (peer)
		unix_get(peer);
	spin_unlock(&u->lock);
	socket_wake(s, shut_events(halves));
	wake_up_all_key(&u->room, (void *)(u64)(EPOLLOUT | EPOLLHUP));
	if (!peer)
		return 0;
	if (!unix_is_dgram(u)) {
		spin_lock(&peer->lock);
		WRITE_ONCE(peer->s.shut, peer->s.shut | other_half(halves));
		spin_unlock(&peer->lock);
		socket_wake(&peer->s, shut_events(other_half(halves)));
	}
	unix_put(peer);
	return 0;
}

/* Bytes that a read could give: of the first datagram, or all of a stream. */
static long readable(struct unix_sock *u)
{
	const struct unix_buf *b;
	long n = 0;

	if (READ_ONCE(u->state) == UNIX_LISTENING)
		return -EINVAL;
	spin_lock(&u->lock);
	list_for_each_entry(b, &u->queue, link) {
		n += b->total - READ_ONCE(b->off);	/* a stream's reader is moving it without the lock */
		if (u->s.type != SOCK_STREAM && u->s.type != SOCK_SEQPACKET)
			break;
	}
	spin_unlock(&u->lock);
	return n;
}

static long unix_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct unix_sock *u = unix_of(s);
	long n;

	switch (cmd) {
	case SIOCINQ:
		n = readable(u);
		break;
	case SIOCOUTQ:
		n = atomic_load(&u->in_use);
		break;
	case SIOCATMARK:
		n = unix_stream_at_mark(u);
		break;
	default:
		return -ENOIOCTLCMD;
	}
	return n < 0 ? n : put_user((s32)n, (s32 __user *)user_ptr(arg));
}

static int peer_groups(const struct cred *c, void *value, u32 *len)
{
	u32 need;

	if (!c)
		return -ENODATA;
	need = c->ngroups * (u32)sizeof(u32);
	if (*len < need) {
		*len = need;
		return -ERANGE;
	}
	*len = need;
	memcpy(value, c->groups, need);
	return 0;
}

static int get_option(struct socket *s, int level, int optname, void *value, u32 *len)
{
	struct unix_sock *u = unix_of(s);
	struct ucred who = { 0, ~0u, ~0u };
	const struct cred *c;
	int err = 0;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (optname != SO_PEERCRED && optname != SO_PEERGROUPS)
		return -ENOPROTOOPT;
	spin_lock(&u->lock);
	c = u->peer_cred;
	if (c) {
		cred_get(c);
		who = (struct ucred){ u->peer_pid, c->euid, c->egid };
	}
	spin_unlock(&u->lock);
	if (optname == SO_PEERGROUPS) {
		err = peer_groups(c, value, len);
	} else {
		*len = min(*len, (u32)sizeof(who));
		memcpy(value, &who, *len);
	}
	if (c)
		cred_put(c);
	return err;
}

static const struct socket_ops stream_ops = {
	.release = release, .flush = flush, .bind = unix_bind, .connect = connect, .listen = listen, .accept = accept, .pair = pair, .name = name,
	.shutdown = shutdown, .send = unix_stream_send, .receive = unix_stream_receive, .poll = unix_stream_poll, .ioctl = unix_ioctl,
	.get_option = get_option, .peek_off = true,
};
static const struct socket_ops seqpacket_ops = {
	.release = release, .flush = flush, .bind = unix_bind, .connect = connect, .listen = listen, .accept = accept, .pair = pair, .name = name,
	.shutdown = shutdown, .send = unix_seqpacket_send, .receive = unix_seqpacket_receive, .poll = unix_dgram_poll, .ioctl = unix_ioctl,
	.get_option = get_option, .peek_off = true,
};
static const struct socket_ops dgram_ops = {
	.release = release, .flush = flush, .bind = unix_bind, .connect = unix_dgram_connect, .pair = pair, .name = name,
	.shutdown = shutdown, .send = unix_dgram_send, .receive = unix_dgram_receive, .poll = unix_dgram_poll, .ioctl = unix_ioctl,
	.get_option = get_option, .peek_off = true,
};

SOCKET_FAMILY(unix, .family = AF_UNIX, .create = create);
