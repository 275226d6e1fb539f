/* Local sockets (AF_UNIX): what their files share.  Theory in unix.c. */
#pragma once
#include <kernel/sync/mutex.h>
#include <kernel/sync/rcu.h>
#include <kernel/sync/spinlock.h>
#include <linux/un.h>
#include <net/scm.h>
#include <net/socket.h>

struct cred;

enum unix_state { UNIX_CLOSED, UNIX_LISTENING, UNIX_CONNECTED };

#define UNIX_NAME_AT	offsetof(struct sockaddr_un, sun_path)

/* A socket's name: shared with the connections it has accepted. */
struct unix_name {
	struct refcount refs;
	u32 len;			/* [I] of the address */
	struct sockaddr_any addr;	/* [I] */
	struct path path;		/* [bound socket's] in a file system: referenced until that socket is closed */
	struct inode *inode;		/* [I] there: the same; afterwards no more than a number */
};

struct unix_sock {
	struct socket s;
	struct refcount refs;		/* the file's, the peer's, one each datagram of its that waits somewhere */
	struct spinlock lock;		/* LC_UNIX; nests by address */
	u32 state;			/* [q, read racily] enum unix_state */
	bool dead;			/* [q] the file is closed */
	bool embryo;			/* [q, read racily] connected, not accepted yet */
	struct unix_sock *peer;		/* [q] referenced; of streams: set once, then read without the lock */
	struct list_head queue;		/* [q] struct unix_buf, or, listening, embryos; first looked at without the lock */
	struct list_head link;		/* [q of the listener] an embryo's */
	u32 nr_queued;			/* [q, read racily] */
	u32 backlog;			/* [q, read racily] more than that many in the queue: full */
	struct unix_buf *oob;		/* [q, read racily] the byte of MSG_OOB, where it stands in the queue */
	s32 in_use;			/* [a] bytes of memory in what was sent and not received yet */
	struct mutex reader;		/* LC_SOCKET: one receiver at a time */
	struct mutex bind;		/* LC_UNIX_BIND: one name */
	struct unix_name *name;		/* [a] set once; referenced */
	u32 bucket;			/* [I] with name */
	struct hlist_node name_link;	/* [bucket's lock, R] */
	struct list_head all_link;	/* [all_lock] by serial */
	u64 serial;			/* [all_lock] */
	struct wait_queue room;		/* LC_UNIX_ROOM: senders of datagrams and connectors that found the queue full */
	struct wait_entry relay;	/* [q] on peer->room: who polls this one for writing is to be woken then */
	struct unix_sock *relay_to;	/* [q] where relay is queued; NULL: nowhere */
	const struct cred *peer_cred;	/* [q] referenced, or NULL */
	s32 peer_pid;			/* [q] */
	struct {			/* [flight lock] net/unix_flight.c */
		struct file *file;
		u32 count;		/* how often this socket's file is in flight; read racily */
		bool touched;
		struct list_head link;
		struct list_head work;	/* the collector's own, as the next two */
		u32 left;
		u8 color;
	} flight;
	struct rcu_head rcu;
};

/* What was sent, and waits: bytes of a stream, or a datagram or a piece of one. */
struct unix_buf {
	struct list_head link;
	struct unix_buf *more;		/* the next piece of a datagram */
	struct unix_sock *from;		/* a datagram's first piece: who sent it, referenced */
	struct scm_files *files;
	u8 *data;
	u32 len, off;			/* bytes; of them read already */
	u32 total;			/* of a datagram with all pieces */
	u32 charge;			/* of memory, counted in the sender's in_use */
	u32 order;			/* data is a block of pages; NO_BLOCK: it follows */
	bool has_cred;
	struct ucred cred;
	u64 stamp;			/* datagrams, if the receiver wants to know */
};

static inline struct unix_sock *unix_of(struct socket *s) { return container_of(s, struct unix_sock, s); }
static inline bool unix_is_dgram(const struct unix_sock *u) { return u->s.type == SOCK_DGRAM; }

/* unix.c */
extern u64 unix_dgram_qlen;
void unix_free(struct unix_sock *u);
static inline void unix_get(struct unix_sock *u) { refcount_inc(&u->refs); }
static inline void unix_put(struct unix_sock *u)
{
	if (refcount_dec_and_test(&u->refs))
		unix_free(u);
}
/* unix_create - a new socket of a type; NULL: no memory. */
struct unix_sock *unix_create(u16 type);
/* unix_lock_two, unix_unlock_two - two sockets, which may be the same; b may be NULL. */
void unix_lock_two(struct unix_sock *a, struct unix_sock *b), unix_unlock_two(struct unix_sock *a, struct unix_sock *b);
void unix_set_peer_cred(struct unix_sock *u, const struct cred *c, s32 pid);	/* u's lock held, or nobody else has it */
static inline bool unix_queue_full(const struct unix_sock *u) { return READ_ONCE(u->nr_queued) > READ_ONCE(u->backlog); }
/* unix_peer_get - referenced, or NULL */
struct unix_sock *unix_peer_get(struct unix_sock *u);
void unix_wake_room(struct unix_sock *u);	/* its queue has room */
/* unix_wait_room - wait until other's queue is not full, other is dead, or shut.  0, -EAGAIN, -ERESTARTSYS, -EINTR. */
int unix_wait_room(struct unix_sock *u, struct unix_sock *other, u64 deadline);
static inline bool unix_writable(const struct unix_sock *u)
{
	return READ_ONCE(u->state) != UNIX_LISTENING && (s64)atomic_load(&u->in_use) * 4 <= READ_ONCE(u->s.send_max);
}

/* unix_name.c */
int unix_bind(struct socket *s, const struct sockaddr_any *name, u32 len);
int unix_autobind(struct unix_sock *u);
static inline bool unix_wants_name(struct unix_sock *u) { return unlikely(socket_option(&u->s, SO_PASSCRED)) && !atomic_load(&u->name); }
int unix_name_check(const struct sockaddr_any *name, u32 len);	/* 0 or -EINVAL */
/* unix_find - whom an address names, referenced.  -ECONNREFUSED, -EPROTOTYPE, -EACCES, and what a walk may answer. */
int unix_find(const struct sockaddr_any *name, u32 len, u16 type, struct unix_sock **out);
void unix_unhash(struct unix_sock *u);		/* nobody finds it any more; its node in the file system is let go */
void unix_name_put(struct unix_name *n);
u32 unix_name_copy(const struct unix_sock *u, struct sockaddr_any *to);	/* its length, 0: it has none */
void unix_register(struct unix_sock *u), unix_unregister(struct unix_sock *u);

/* unix_buf.c */
struct unix_buf *unix_buf_alloc(u32 size);	/* room for size bytes, or for fewer: see b->len; NULL: no memory */
struct unix_buf *unix_buf_alloc_all(u32 size);	/* in as many pieces as it takes */
void unix_buf_free(struct unix_buf *b, struct unix_sock *sender);	/* with its pieces; sender's account, maybe NULL */
int unix_wait_memory(struct unix_sock *u, u32 flags);	/* until less is in_use than send_max.  0, -EPIPE, -EAGAIN, a pending error, ... */
void unix_buf_creds(struct unix_buf *b, const struct unix_sock *from, const struct unix_sock *to, const struct scm *scm);
void unix_uncharge(struct unix_sock *sender, u32 bytes);
int unix_scm_send(struct message *m, struct unix_buf *b);	/* its descriptors go with b.  0, -ETOOMANYREFS */
/* What the receiver learns beside the bytes: collected while reading, told at the end. */
struct unix_scm_in { struct ucred cred; bool has_cred; struct scm_files *files; };
void unix_scm_take(struct unix_scm_in *in, struct unix_sock *u, struct unix_buf *b, bool peek);
void unix_scm_tell(struct unix_scm_in *in, struct unix_sock *u, struct message *m);

/* unix_stream.c, unix_dgram.c */
ssize_t unix_stream_send(struct socket *s, struct message *m), unix_stream_receive(struct socket *s, struct message *m);
ssize_t unix_dgram_send(struct socket *s, struct message *m), unix_dgram_receive(struct socket *s, struct message *m);
ssize_t unix_seqpacket_send(struct socket *s, struct message *m), unix_seqpacket_receive(struct socket *s, struct message *m);
int unix_dgram_connect(struct socket *s, const struct sockaddr_any *name, u32 len, u32 file_flags);
u32 unix_stream_poll(struct socket *s, struct file *f, struct poll_table *pt), unix_dgram_poll(struct socket *s, struct file *f, struct poll_table *pt);
void unix_dgram_relay_stop(struct unix_sock *u);
bool unix_stream_at_mark(struct unix_sock *u);

/* unix_flight.c */
int unix_flight_begin(struct scm_files *files);	/* counted.  0, -ETOOMANYREFS */
void unix_flight_end(struct scm_files *files);
/* unix_flight_peek - another reference on each (MSG_PEEK); NULL: no memory */
struct scm_files *unix_flight_peek(struct scm_files *files);
void unix_flight_closed(struct unix_sock *u);	/* a descriptor of u was closed: it may be held by nothing but itself now */
void unix_files_drop(struct scm_files *files);	/* received by nobody: closed.  Context: thread, no locks */
