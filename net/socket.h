/* Sockets: what every family has in common, and what a family brings.
 *
 * A socket is an open file on an inode of its own (S_IFSOCK, "socket:[ino]").  net/socket.c owns descriptors, the copying of addresses and
 * message headers from and to programs, control messages (net/scm.h), time-outs, the options of SOL_SOCKET that mean the same for all, and
 * SIGPIPE; a family owns addresses, states and bytes.  struct socket is embedded in the family's own structure, which the family makes and
 * frees; it lives as long as the file, and longer if the family holds references of its own (a connection that must still be closed).
 *
 * Locks.  Each family's socket has its own (class LC_SOCKET, nests by address); fields below say who guards them.  Reading what has arrived
 * and polling take no lock but that, and never the network core's (LC_NET_CORE, of net/inet).
 *
 * Errors: `error` is what happened with nobody calling (a reset, an ICMP message): told once, by the next call or SO_ERROR. */
#pragma once
#include <fs/fasync.h>
#include <fs/vfs.h>
#include <kernel/abi/socket.h>
#include <kernel/lib/refcount.h>
#include <kernel/sync/wait.h>

struct filter;
struct scm;
struct sockaddr_any;
struct socket;

/* An address as it came from a program, or goes to one. */
struct sockaddr_any {
	u16 family;			/* the first of its bytes */
	u8 bytes[126];			/* what follows: sockaddr_storage has 128 in all */
};
_Static_assert(sizeof(struct sockaddr_any) == 128, "as sockaddr_storage");

/* One message to send or receive.  Made by net/socket.c; a family reads and writes through it. */
struct message {
	struct sockaddr_any *name;	/* to send: where to, or NULL.  To receive: the sender, room for the whole; or NULL */
	u32 name_len;			/* bytes of it; receive: set by the family, 0 for none */
	u32 flags;			/* MSG_* of the call, MSG_DONTWAIT if the file does not block */
	u32 out_flags;			/* receive: MSG_TRUNC, MSG_EOR, MSG_OOB, MSG_CTRUNC ... for msg_flags */
	struct iov_iter *iter;		/* the bytes */
	struct scm *scm;		/* descriptors, credentials, and control messages of a protocol, see net/scm.h; NULL: none */
};

struct socket_ops {
	/* All: thread context, may sleep, no locks held unless said.  A NULL is -EOPNOTSUPP. */
	void (*release)(struct socket *s);			/* the file is closed; may free s */
	void (*flush)(struct socket *s);			/* a descriptor is being closed, maybe not the last; or NULL: nothing to do */
	int (*bind)(struct socket *s, const struct sockaddr_any *name, u32 len);
	int (*connect)(struct socket *s, const struct sockaddr_any *name, u32 len, u32 file_flags);	/* O_NONBLOCK: -EINPROGRESS, -EALREADY */
	int (*listen)(struct socket *s, int backlog);
	int (*accept)(struct socket *s, struct socket **out, u32 file_flags);	/* waits; *out has no file yet */
	int (*pair)(struct socket *a, struct socket *b);	/* socketpair: two new ones */
	int (*name)(struct socket *s, struct sockaddr_any *out, bool peer);	/* length, or -ENOTCONN ... */
	int (*shutdown)(struct socket *s, int how);		/* SHUT_RD, SHUT_WR, SHUT_RDWR: checked */
	ssize_t (*send)(struct socket *s, struct message *m);	/* bytes; -EPIPE: the caller raises SIGPIPE unless MSG_NOSIGNAL */
	ssize_t (*receive)(struct socket *s, struct message *m);	/* bytes, 0 at the end; with MSG_TRUNC maybe more than fit */
	u32 (*poll)(struct socket *s, struct file *f, struct poll_table *pt);	/* poll_wait on s->wait, then the EPOLL* mask */
	long (*ioctl)(struct socket *s, u32 cmd, u64 arg);	/* after those of all sockets; -ENOIOCTLCMD: those of devices are tried */
	/* Options of a level other than SOL_SOCKET, and those of SOL_SOCKET that the common code leaves (-ENOPROTOOPT: unknown). */
	int (*set_option)(struct socket *s, int level, int name, const void *value, u32 len);	/* value copied already, at most 4096 bytes */
	int (*get_option)(struct socket *s, int level, int name, void *value, u32 *len);	/* *len: room, then length; value: 4096 bytes */
	/* An option of SOL_SOCKET was changed in *s (a buffer's size, keep-alive ...); or NULL. */
	void (*option_changed)(struct socket *s, int name);
	bool peek_off, stamps;					/* knows SO_PEEK_OFF; keeps the time of datagrams (SIOCGSTAMP) */
};

enum { SHUT_BOTH_RECEIVE = 1, SHUT_BOTH_SEND = 2 };	/* bits of socket.shut */

struct socket {
	const struct socket_ops *ops;	/* [I] */
	u16 family, type, protocol;	/* [I] AF_*, SOCK_*, as SO_DOMAIN, SO_TYPE, SO_PROTOCOL tell */
	struct inode *inode;		/* [I] once it has a file: of it, not referenced, there while the file is */
	u64 ino;			/* [I] once it has a file: its number for fstat and /proc/net; 0: none yet */
	struct wait_queue wait;		/* readers, writers, connectors, pollers: woken with EPOLL* keys */
	s32 error;			/* [a] positive errno, taken by socket_take_error() */
	u32 shut;			/* [a] SHUT_BOTH_* */
	u64 options;			/* [a] BIT(SO_REUSEADDR) | BIT(SO_KEEPALIVE) | ... for the on/off options below 64 */
	u64 receive_timeout, send_timeout;	/* [a] ns, TIME_NEVER */
	s32 receive_max, send_max;	/* [a] SO_RCVBUF, SO_SNDBUF: as doubled */
	s32 receive_low;		/* [a] SO_RCVLOWAT */
	u32 mark, priority;		/* [a] */
	s32 linger;			/* [a] seconds; -1: off */
	s32 bound_device;		/* [a] interface index of SO_BINDTODEVICE, 0 */
	s32 peek_off;			/* [a] SO_PEEK_OFF, -1: off */
	s32 incoming_cpu;		/* [a] SO_INCOMING_CPU, -1: unknown */
	u32 busy_poll, pacing_rate;	/* [a] kept and told, no more */
	u8 stamps;			/* [a] enum socket_stamps: SO_TIMESTAMP and its kin */
	u8 buffers_set;			/* [a] SO_BUF_LOCK: SOCK_SNDBUF_LOCK, SOCK_RCVBUF_LOCK */
	bool listening;			/* [a] SO_ACCEPTCONN: set by listen(2), cleared by a family that ceases to */
	bool no_space;			/* [a] a send found no room: the next room is worth a SIGIO */
	u64 stamp;			/* [a] realtime ns of the last datagram told (SIOCGSTAMP), 0: none */
	u64 cookie;			/* [a] SO_COOKIE, 0: nobody asked yet */
	struct filter *filter;		/* [R] SO_ATTACH_FILTER: net/filter.h */
	u32 uid;			/* [I] who made it */
	struct fasync async;		/* [racy] whom SIGIO is for: copied from its file by fcntl */
};

/* socket_bound_elsewhere - SO_BINDTODEVICE names another interface than this. */
static inline bool socket_bound_elsewhere(const struct socket *s, u32 ifindex)
{
	u32 device = (u32)READ_ONCE(s->bound_device);

	return device && device != ifindex;
}

enum socket_stamps { STAMPS_OFF, STAMPS_US_OLD, STAMPS_NS_OLD, STAMPS_US_NEW, STAMPS_NS_NEW };

/* A family: one line at the end of its file.  create makes a socket of type and protocol (0: its default): 0, -ESOCKTNOSUPPORT,
 * -EPROTONOSUPPORT, -EACCES, -EPERM, -ENOMEM.  socket_init() has what to call first. */
struct socket_family {
	u16 family;
	int (*create)(int type, int protocol, struct socket **out);
};
#define SOCKET_FAMILY(ident, ...) static const struct socket_family __family_##ident __used __aligned(8) __section(".socket_families") = { __VA_ARGS__ }
extern const struct socket_family __socket_families_start[], __socket_families_end[];

/* socket_create - a socket without a file, as socket(2) makes one: its maker ends it by ops->release.  0 or -errno.  Context: thread. */
int __must_check socket_create(int family, int type, int protocol, struct socket **out);
/* socket_init - the common fields' first values.  socket_fini - what hangs on them: before the memory is freed. */
void socket_init(struct socket *s, const struct socket_ops *ops, u16 family, u16 type, u16 protocol);
void socket_fini(struct socket *s);
/* socket_of - the socket of a file, or NULL if it is none. */
struct socket *socket_of(const struct file *f);
/* socket_take_error - the pending error as a negative errno, once; 0: none.  socket_set_error - and wake whoever waits.  Context: any. */
int socket_take_error(struct socket *s);
void socket_set_error(struct socket *s, int error);
/* socket_wake - something changed: wake waiters and pollers with events (EPOLLIN ...; of exclusive ones one, all with EPOLLHUP or EPOLLERR),
 * raise SIGIO.  Context: any; no lock from LC_PROC_TABLE up.  socket_wake_sync - by one who is likely to wait for the woken now.
 * socket_wake_apart - by one with much to do yet, in thread context: the two work side by side, if a CPU is idle. */
void socket_wake(struct socket *s, u32 events);
void socket_wake_sync(struct socket *s, u32 events);
void socket_wake_apart(struct socket *s, u32 events);
/* socket_urgent - urgent data came: SIGURG to the owner.  Context: as socket_wake. */
void socket_urgent(struct socket *s);
/* socket_deadline - when a call of this socket that waits must give up.  0: at once (MSG_DONTWAIT in flags).  To be used with
 * wait_event_interruptible_timeout(); socket_wait_error() makes of its -ETIMEDOUT -EAGAIN, of a signal's -ERESTARTSYS -EINTR if there is a
 * time-out. */
u64 socket_deadline(const struct socket *s, u32 msg_flags, bool sending);
int socket_wait_error(const struct socket *s, int err, bool sending);
/* struct socket_waiter - an entry on s->wait that is woken for some events only (and for EPOLLERR, EPOLLHUP and keyless wake-ups):
 * socket_waiter_init(&w, EPOLLIN); then prepare_to_wait(&s->wait, &w.we, ...) and so on.  socket_wait_event - wait_event_interruptible_timeout
 * with one. */
struct socket_waiter { struct wait_entry we; wake_fn wake; u32 events; };
void socket_waiter_init(struct socket_waiter *w, u32 events);
#define socket_wait_event(s, events, cond, deadline) ({ \
	int __ret = 0; \
	u64 __deadline = (deadline); \
	struct socket_waiter __w; \
	might_sleep(); \
	if (!(cond)) { \
		socket_waiter_init(&__w, (events)); \
		for (;;) { \
			prepare_to_wait(&(s)->wait, &__w.we, TASK_INTERRUPTIBLE); \
			if (cond) { __ret = 0; break; } \
			__ret = wait_check(TASK_INTERRUPTIBLE, __deadline); \
			if (__ret) break; \
			wait_sleep(__deadline); \
		} \
		finish_wait(&(s)->wait, &__w.we); \
	} \
	__ret; })
static inline bool socket_option(const struct socket *s, u32 so) { return atomic_load(&s->options) >> so & 1; }
/* socket_stamp - a datagram that arrived at ns (realtime) is being received: SIOCGSTAMP, and SO_TIMESTAMP's control message. */
void socket_stamp(struct socket *s, struct message *m, u64 ns);

/* net/sockfile.c: a socket's file.  socket_file_create - the file of s, which it owns from then on: its last put releases s.  o_flags: O_NONBLOCK,
 * O_CLOEXEC.  0, -ENFILE, -ENOMEM.  Context: thread, may sleep. */
int __must_check socket_file_create(struct socket *s, u32 o_flags, struct file **out);
/* socket_get, socket_put - a descriptor's socket, for the length of a call.  -EBADF, -ENOTSOCK. */
struct socket_ref { struct socket *s; struct file *file; u32 ref; };
int __must_check socket_get(int fd, struct socket_ref *r);
void socket_put(struct socket_ref *r);
/* socket_send, socket_receive - the family's, with MSG_DONTWAIT for a file that does not block, SIGPIPE, and EINVAL for flags nobody takes. */
ssize_t socket_send(struct socket *s, const struct file *f, struct message *m);
ssize_t socket_receive(struct socket *s, const struct file *f, struct message *m);
/* socket_name_in, socket_name_out - an address from and to a program: 0, -EINVAL, -EFAULT. */
int __must_check socket_name_in(struct sockaddr_any *name, const void __user *from, s32 len);
int __must_check socket_name_out(const struct sockaddr_any *name, u32 len, void __user *to, s32 __user *to_len);
/* netdev_ioctl - SIOCGIFCONF and so on, for a socket of any family; -ENOIOCTLCMD: it is none of these.  net/netdev_ioctl.c. */
long netdev_ioctl(struct socket *s, u32 cmd, u64 arg);
/* /proc/sys/net/core: bytes (somaxconn: connections), read racily. */
extern u64 socket_rmem_default, socket_rmem_max, socket_wmem_default, socket_wmem_max, socket_somaxconn, socket_optmem_max;
