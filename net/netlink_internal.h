/* AF_NETLINK, for the files of this room. */
#pragma once
#include <kernel/sync/mutex.h>
#include <net/netlink.h>
#include <net/socket.h>

#define NETLINK_GROUPS	64u		/* of each protocol; RTNLGRP_MAX is below */

/* A message in a socket's queue: one datagram of one or more struct nlmsghdr, or a uevent's text. */
struct netlink_packet {
	struct list_head link;
	u32 len, group, portid;		/* from whom: 0 the kernel */
	u32 uid, gid;
	s32 pid;
	u8 data[] __aligned(8);
};

/* Keys: [I], [a], [q] queue_lock, [n] netlink_mutex, [c] net_config_lock. */
struct netlink_sock {
	struct socket s;		/* first */
	struct list_head link;		/* [n] all of them */
	u32 portid;			/* [n, read racily] 0: not bound yet */
	u64 groups;			/* [n, read racily] bit g - 1 */
	u32 to_portid, to_group;	/* [a] connect */
	u32 options;			/* [a] BIT(NETLINK_PKTINFO) ... */
	u32 drops;			/* [a] */
	struct spinlock queue_lock;	/* LC_SOCKET_QUEUE */
	struct list_head queue;		/* [q] struct netlink_packet */
	u32 queued;			/* [q] bytes, with what they cost beside their data, and what netlink_promise took */
	struct wait_queue room;		/* who waits in netlink_promise */
	struct netlink_dump *dump;	/* [c, read racily] under way, or NULL */
};
static inline struct netlink_sock *netlink_of(struct socket *s) { return container_of(s, struct netlink_sock, s); }
static inline bool netlink_option(const struct netlink_sock *n, u32 option) { return atomic_load(&n->options) >> option & 1; }

/* A request for everything, and how far its answer is. */
struct netlink_dump {
	const struct netlink_handler *handler;
	bool all_families;
	u64 state[4];
	struct netlink_request rq;
	u8 request[] __aligned(8);	/* rq points into it */
};

struct netlink_reply {
	u8 *buf;
	u32 size, len;
	u32 begun;			/* where the message begins that is being made */
	u32 seq, portid;
	u16 flags;			/* NLM_F_MULTI */
};

struct netlink_packet *netlink_packet_alloc(u32 len);
/* netlink_deliver - into n's queue; consumes p.  False: no room, n was told (ENOBUFS).  Context: thread. */
bool netlink_deliver(struct netlink_sock *n, struct netlink_packet *p);
/* netlink_broadcast - a copy to every socket of the protocol in the group but that of port `not` (0: none); consumes nothing.  Context: thread, may sleep. */
void netlink_broadcast(u32 protocol, u32 group, const struct netlink_packet *p, u32 not);
/* route_request - all messages of a datagram to NETLINK_ROUTE.  route_dump_continue - the next part, if a dump is under way. */
void route_request(struct netlink_sock *n, const u8 *data, u32 len);
void route_dump_continue(struct netlink_sock *n);
