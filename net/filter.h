/* Classic BPF: small programs that look at bytes and say how many of them to keep (SO_ATTACH_FILTER; seccomp looks at other bytes).  Theory in filter.c. */
#pragma once
#include <kernel/lib/refcount.h>
#include <kernel/lib/types.h>
#include <kernel/sync/rcu.h>

struct packet;
struct sock_filter;
struct sock_fprog;
struct socket;

#define FILTER_MAX	4096		/* instructions */

struct filter {
	struct refcount refs;
	u32 nr;				/* [I] */
	struct rcu_head rcu;
	struct filter_insn { u16 code; u8 jt, jf; u32 k; } insn[];	/* [I] as struct sock_filter */
};

/* What a program looks at: bytes in one run or a packet's pieces, and what is known beside them. */
struct filter_input {
	const void *data;		/* the first len bytes; or NULL: packet's, from its first on */
	const struct packet *packet;
	u32 len;
	u32 net_off;			/* where the network header begins, for SKF_NET_OFF */
	u32 ifindex, mark, queue;
	u16 protocol, hatype;		/* EtherType, in the host's order; ARPHRD_* */
	u8 pkttype;			/* PACKET_HOST ... */
	/* Instead of big-endian bytes: the word at off (seccomp); or NULL.  False: there is none. */
	bool (*load)(const struct filter_input *in, u32 off, u32 size, u32 *value);
};

/* filter_create - a program from user memory, checked: ends in returns, jumps forward and inside, reads no scratch word it may not have written.
 * 0, -EINVAL, -EFAULT, -ENOMEM.  Context: thread.  filter_check - the check alone, of a program in the kernel. */
int __must_check filter_create(const struct sock_fprog *prog, struct filter **out);
int __must_check filter_check(const struct filter_insn *insn, u32 nr);
static inline void filter_get(struct filter *f) { refcount_inc(&f->refs); }
void filter_put(struct filter *f);		/* freed after a grace period.  Context: any */
struct filter *filter_share(struct socket *s);	/* another reference on s's filter, or NULL: for a socket that is born of s */
/* filter_run - bytes to keep, 0: none.  Context: any; f referenced or under RCU. */
u32 filter_run(const struct filter *f, const struct filter_input *in);
/* socket_filter - of what arrives at s, how much to keep: in->len or less; 0: drop it. */
u32 socket_filter(struct socket *s, const struct filter_input *in);
