/* POSIX message queues: between mqueue.c, mqueue_fs.c and mqueue_notify.c.  Theory in mqueue.c.
 *
 * Members: [I] immutable, [q] the queue's lock, [a] atomic. */
#pragma once
#include <asm/siginfo.h>
#include <linux/mqueue.h>
#include <fs/vfs.h>
#include <kernel/lib/list.h>
#include <kernel/lib/rbtree.h>
#include <kernel/sync/spinlock.h>
#include <kernel/sync/wait.h>
#include <net/netlink_promise.h>

struct process;
struct task;
struct user;

struct mq_message {
	struct rb_node node;		/* [q] in its queue, by order */
	u64 order;			/* [q] first by priority, the highest first, then by arrival */
	size_t len;			/* [I] bytes */
	u8 text[];			/* [I] */
};
#define MQ_ARRIVAL_BITS	48

struct mq_waiter {			/* on the stack of who waits */
	struct list_head link;		/* [q] */
	struct task *task;
	struct mq_message *msg;		/* [q] a sender's until it is sent; a receiver's when it got it */
	u32 rank;			/* [I] of the task: the lower is served first */
	u32 prio;			/* [I] of a sender's message */
	int waiting;			/* [a] 1 until somebody has served it: the last that is stored */
};

/* Who wants to be told, once, that a message came into the empty queue, and how.  owner NULL: nobody. */
struct mq_notice {
	struct process *owner;		/* referenced */
	u32 execs;			/* what owner->execs was: another program is not told */
	int how, signo;			/* SIGEV_* */
	sigval_t value;
	struct netlink_promised cookie;	/* SIGEV_THREAD */
};

struct mqueue {
	struct spinlock lock;		/* LC_IPC */
	struct rb_root messages;	/* [q] mq_message.node */
	u64 arrivals;			/* [q] messages so far */
	u32 nr;				/* [q, read racily] messages in it */
	u64 bytes;			/* [q] of their text */
	u32 max_nr, max_len;		/* [I] how many, and how long one may be */
	struct list_head receivers, senders;	/* [q] mq_waiter.link, the first is the next */
	struct wait_queue wait;		/* who polls */
	struct mq_notice notice;	/* [q] */
	struct user *user;		/* [I] referenced: who pays */
	u64 charged;			/* [I] how much: bytes against RLIMIT_MSGQUEUE */
};

/* mqueue_of - the queue behind a file that mq_open or open gave, or NULL. */
struct mqueue *mqueue_of(const struct file *f);

/* mq_notice_take - what is registered, which is registered no longer; only_of: if that process did it (NULL: whoever).  The queue's lock is held.
 * mq_notice_send, mq_notice_drop - tell, or forget (a cookie's reader is told that); nothing if there is none.  Context: thread, no lock. */
struct mq_notice mq_notice_take(struct mqueue *q, const struct process *only_of);
void mq_notice_send(struct mq_notice *n);
void mq_notice_drop(struct mq_notice *n);

/* mqueue_create - an empty queue of that many messages of that many bytes, charged to current's user, for who may have it: 0, -EINVAL, -EOVERFLOW,
 * -EMFILE (RLIMIT_MSGQUEUE), -ENOMEM.  mqueue_destroy - and all that is in it; nobody waits.  Context: thread, no spin lock. */
int mqueue_create(s64 max_nr, s64 max_len, struct mqueue **out);
void mqueue_destroy(struct mqueue *q);
