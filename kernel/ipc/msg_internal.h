/* Message queues of System V: between msg.c and msgctl.c.  Members: [I] immutable, [o] the queue's lock, [a] atomic. */
#pragma once
#include <linux/msg.h>
#include <kernel/ipc/ipc.h>

struct task;

struct ipc_message {
	struct list_head link;		/* [o] of its queue */
	s64 type;			/* [I] above 0 */
	size_t len;			/* [I] bytes */
	u8 text[];			/* [I] */
};

struct msg_queue {
	struct ipc_object ipc;
	struct list_head messages;	/* [o] ipc_message.link, oldest first */
	struct list_head receivers, senders;	/* [o] msg_waiter.link, longest waiting first */
	u64 bytes, nr, max_bytes;	/* [o] what is in it, and how much may be; as many messages, too */
	s64 stime, rtime, ctime;	/* [o] seconds */
	s32 lspid, lrpid;		/* [o] who sent and received last */
};
static inline struct msg_queue *msg_queue_of(struct ipc_object *o) { return container_of(o, struct msg_queue, ipc); }

/* Which message is wanted: its type (or, COPY, its number) against type. */
enum msg_mode { MSG_WANT_ANY, MSG_WANT_EQUAL, MSG_WANT_OTHER, MSG_WANT_UP_TO, MSG_WANT_NUMBER };

struct msg_waiter {			/* on the stack of who waits */
	struct list_head link;		/* [o] */
	struct task *task;
	struct ipc_message *msg;	/* [o] a sender's until it is sent; a receiver's when it got it */
	enum msg_mode mode;		/* receiver */
	s64 type;
	size_t size;			/* receiver: what it has room for */
	s32 pid;
	int result;			/* [a] MSG_WAITING, MSG_LOOK_AGAIN, or what becomes of it: the last that is stored */
};
#define MSG_WAITING	1
#define MSG_LOOK_AGAIN	2

extern struct ipc_kind msg_kind;
extern s64 msg_max, msg_mnb;		/* [a] the sysctl */

/* msg_limits_changed - the queue's room or its permissions changed: who waits looks again.  msg_queue_remove - IPC_RMID: out of the tables,
 * whoever waits gets EIDRM.  dead: its messages, for the caller to kvfree when he holds no spin lock.  Locks: the queue's; for removal the
 * kind's mutex, too. */
void msg_limits_changed(struct msg_queue *q);
void msg_queue_remove(struct msg_queue *q, struct list_head *dead);
