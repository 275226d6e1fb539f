/* Reports about what a socket has sent: IP_RECVERR, MSG_ERRQUEUE.  Theory in reports.c. */
#pragma once
#include <kernel/lib/list.h>
#include <kernel/sync/spinlock.h>
#include <linux/time_types.h>
#define timespec __kernel_timespec	/* that header has one in a structure, which it leaves to the C library */
#include <linux/errqueue.h>
#undef timespec
#include <lwip/ip_addr.h>

struct inet_sock;
struct message;
struct pbuf;

/* A socket's reports; it has none of this before somebody wants them. */
struct inet_reports {
	struct spinlock lock;		/* LC_SOCKET_QUEUE */
	struct list_head queue;		/* [q] struct inet_report */
	u32 bytes;			/* [q] of all, against SO_RCVBUF */
	u32 zerocopy_next;		/* [q] number of the next send with MSG_ZEROCOPY */
};

/* reports_want - i can keep reports from now on.  0, -ENOMEM.  Context: any; the core need not be locked.  reports_free - before i is. */
int reports_want(struct inet_sock *i);
void reports_free(struct inet_sock *i);
static inline bool reports_are_there(const struct inet_reports *r) { return r && !list_empty(&r->queue); }

/* report_queue - e about a datagram that went to to:port; it came from offender (NULL: we say so ourselves).  The bytes of p from off on (p NULL: none)
 * are told, too.  Pollers hear of it.  Context: any. */
void report_queue(struct inet_sock *i, const struct sock_extended_err *e, const ip_addr_t *to, u16 port, const ip_addr_t *offender, const struct pbuf *p,
		  u32 off);
/* report_local - an error of our own (EMSGSIZE), if i wants to know of to's family.  info: the MTU. */
void report_local(struct inet_sock *i, int error, const ip_addr_t *to, u32 info);
/* report_zerocopy - a send with MSG_ZEROCOPY is done: its bytes were copied, which SO_EE_CODE_ZEROCOPY_COPIED says. */
void report_zerocopy(struct inet_sock *i);
/* reports_receive - the first of them, as recvmsg(MSG_ERRQUEUE) tells it: bytes, -EAGAIN. */
ssize_t reports_receive(struct inet_sock *i, struct message *m);
