/* AF_NETLINK: messages between programs and the kernel.  Theory in netlink.c.
 *
 * A request is one struct nlmsghdr with its attributes.  Who answers NETLINK_ROUTE messages registers them by number; the socket layer
 * checks headers and privileges, calls them under net_config_lock, and sends the acknowledgement or the error. */
#pragma once
#include <kernel/lib/types.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct netlink_reply;

/* One request.  Its payload (behind the family's header of `header` bytes, which is there) has been cut into attributes. */
struct netlink_request {
	const struct nlmsghdr *nlh;
	const void *payload;		/* nlmsg_data */
	u32 len;			/* bytes of it */
	bool strict;			/* NETLINK_GET_STRICT_CHK */
	struct netdev **left;		/* out: it was unlinked, and its last two references are given back when the lock is free */
};

/* RTM_ messages.  change: RTM_NEW*, RTM_DEL*, RTM_SET*: 0 or -errno, which is acknowledged (CAP_NET_ADMIN was checked).  get: one answer.
 * dump: all of it, called again with *state as it left it until it returns 0; it may stop wherever nlmsg_new() has no room (-EMSGSIZE).
 * Context: thread, net_config_lock held, may sleep. */
struct netlink_handler {
	u16 type;			/* RTM_NEWLINK ... */
	u16 header;			/* bytes that must be there before the attributes: sizeof(struct ifinfomsg) */
	u8 family;			/* AF_*; of several lines for a type that of the message's first byte, else that of AF_UNSPEC */
	int (*change)(const struct netlink_request *rq);
	int (*get)(const struct netlink_request *rq, struct netlink_reply *reply);
	int (*dump)(const struct netlink_request *rq, struct netlink_reply *reply, u64 state[4]);
};
#define NETLINK_HANDLER(ident, ...) \
	static const struct netlink_handler __netlink_handler_##ident __used __aligned(8) __section(".netlink_handlers") = { __VA_ARGS__ }
extern const struct netlink_handler __netlink_handlers_start[], __netlink_handlers_end[];

/* Attributes of a request.  netlink_parse - the attributes behind header bytes of the payload into table[0 .. max], by type; of two of a type the
 * last.  Unknown types are left out.  0, -EINVAL (they do not fit into each other).
 * nla_len_of - bytes of data; netlink_u32 and so on: the number, or otherwise if it is not there or too short. */
int __must_check netlink_parse(const struct netlink_request *rq, u32 header, const struct nlattr *table[], u32 max);
int __must_check netlink_parse_nested(const struct nlattr *nest, const struct nlattr *table[], u32 max);
static inline u32 nla_len_of(const struct nlattr *a) { return a->nla_len - (u32)NLA_HDRLEN; }
static inline const void *nla_data_of(const struct nlattr *a) { return (const u8 *)a + NLA_HDRLEN; }
u32 netlink_u32(const struct nlattr *a, u32 otherwise);
/* netlink_string - the text of an attribute into buf, NUL-terminated: 0, -ERANGE (does not fit). */
int netlink_string(const struct nlattr *a, char *buf, u32 size);

/* Answers.  nlmsg_new - begin a message (its family header, zeroed, of `header` bytes is returned); NULL: no room, end the dump call with
 * -EMSGSIZE.  nlmsg_end - it is complete; nlmsg_cancel - it is to be forgotten (it did not fit).  In between nla_put: 0, -EMSGSIZE. */
void *nlmsg_new(struct netlink_reply *r, u16 type, u16 flags, u32 header);
void nlmsg_end(struct netlink_reply *r);
void nlmsg_cancel(struct netlink_reply *r);
int nla_put(struct netlink_reply *r, u16 type, const void *data, u32 len);
static inline int nla_put_u8(struct netlink_reply *r, u16 type, u8 v) { return nla_put(r, type, &v, sizeof(v)); }
static inline int nla_put_u16(struct netlink_reply *r, u16 type, u16 v) { return nla_put(r, type, &v, sizeof(v)); }
static inline int nla_put_u32(struct netlink_reply *r, u16 type, u32 v) { return nla_put(r, type, &v, sizeof(v)); }
int nla_put_string(struct netlink_reply *r, u16 type, const char *s);
struct nlattr *nla_nest_begin(struct netlink_reply *r, u16 type);	/* NULL: no room */
void nla_nest_end(struct netlink_reply *r, struct nlattr *nest);

/* netlink_notify - tell group (RTNLGRP_*) of NETLINK_ROUTE: fill() makes the message (nlmsg_new ... nlmsg_end).  Nothing if nobody listens;
 * those without room find ENOBUFS.  Context: thread, may sleep. */
void netlink_notify(u32 group, int (*fill)(struct netlink_reply *r, void *arg), void *arg);
bool netlink_listens(u32 protocol, u32 group);
