/* NETLINK_ROUTE: requests about devices, addresses and routes, given to whoever registered for them (NETLINK_HANDLER).
 *
 * A request is handled when it is sent, under net_config_lock: what it changes is done, and its acknowledgement queued, when sendmsg() returns.
 * A dump is made piece by piece: the first with the request, each further one when the reader has emptied his queue, so that a long table
 * never needs more memory than one piece.  A handler remembers in state[] how far it is; devices and routes that come and go in between may be
 * missed or not, as on Linux. */
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <mm/slab.h>
#include <net/netdev.h>
#include <net/netlink_internal.h>

#define PIECE		4032u		/* bytes of one datagram of a dump: readers have 8 KiB at least */
#define ROOM		4096u		/* of other answers */

/* --- who answers */

static const struct netlink_handler *handler_find(u16 type, u8 family)
{
	const struct netlink_handler *any = NULL;

	for (const struct netlink_handler *h = __netlink_handlers_start; h < __netlink_handlers_end; h++) {
		if (h->type != type)
			continue;
		if (h->family == family)
			return h;
		if (h->family == AF_UNSPEC)
			any = h;
	}
	return any;
}

/* The next that can dump messages of that type; NULL: none. */
static const struct netlink_handler *dumper_after(const struct netlink_handler *h, u16 type)
{
	for (h = h ? h + 1 : __netlink_handlers_start; h < __netlink_handlers_end; h++)
		if (h->type == type && h->dump)
			return h;
	return NULL;
}

/* --- answers */

static struct netlink_packet *reply_begin(struct netlink_reply *r, u32 size, u32 portid, u32 seq, u16 flags)
{
	struct netlink_packet *p = netlink_packet_alloc(size);

	if (p)
		*r = (struct netlink_reply){ .buf = p->data, .size = size, .portid = portid, .seq = seq, .flags = flags };
	return p;
}

static void reply_send(struct netlink_sock *n, struct netlink_packet *p, const struct netlink_reply *r)
{
	p->len = r->len;
	(void)netlink_deliver(n, p);
}

/* The error, or 0: done; with the request's header, and all of it if it failed. */
static void acknowledge(struct netlink_sock *n, const struct nlmsghdr *nlh, int err)
{
	bool capped = !err || netlink_option(n, NETLINK_CAP_ACK);
	u32 echoed = capped ? sizeof(*nlh) : nlh->nlmsg_len, payload = (u32)(sizeof(struct nlmsgerr) - sizeof(*nlh)) + echoed;
	u16 flags = capped && netlink_option(n, NETLINK_CAP_ACK) ? NLM_F_CAPPED : 0;
	struct netlink_reply r;
	struct netlink_packet *p = reply_begin(&r, NLMSG_HDRLEN + NLMSG_ALIGN(payload), n->portid, nlh->nlmsg_seq, 0);
	struct nlmsgerr *e = p ? nlmsg_new(&r, NLMSG_ERROR, flags, payload) : NULL;

	if (!e) {
		socket_set_error(&n->s, ENOBUFS);
		return;
	}
	e->error = err;
	memcpy(&e->msg, nlh, echoed);
	nlmsg_end(&r);
	((struct nlmsghdr *)r.buf)->nlmsg_len = NLMSG_HDRLEN + payload;
	reply_send(n, p, &r);
}

/* --- dumps; net_config_lock held */

static void dump_end(struct netlink_sock *n)
{
	kfree(n->dump);
	WRITE_ONCE(n->dump, NULL);
}

/* Messages until there is no room or no more: 0, or -EMSGSIZE (there are more), or another error. */
static int dump_some(struct netlink_dump *d, struct netlink_reply *r)
{
	int err = d->handler->dump(&d->rq, r, d->state);

	while (!err && d->all_families && (d->handler = dumper_after(d->handler, d->rq.nlh->nlmsg_type))) {
		memset(d->state, 0, sizeof(d->state));
		err = d->handler->dump(&d->rq, r, d->state);
	}
	return err == -EMSGSIZE && !r->len ? -EINVAL : err;	/* a message larger than any room there will ever be */
}

static void dump_piece(struct netlink_sock *n)
{
	struct netlink_dump *d = n->dump;
	struct netlink_reply r;
	struct netlink_packet *p = reply_begin(&r, PIECE, n->portid, d->rq.nlh->nlmsg_seq, NLM_F_MULTI);
	int err, *status;

	if (!p) {
		socket_set_error(&n->s, ENOBUFS);
		dump_end(n);
		return;
	}
	err = dump_some(d, &r);
	if (err != -EMSGSIZE) {
		r.size = ROOM;		/* the end always fits: PIECE is less */
		status = nlmsg_new(&r, NLMSG_DONE, 0, sizeof(*status));
		*status = err;
		nlmsg_end(&r);
		dump_end(n);
	}
	reply_send(n, p, &r);
}

void route_dump_continue(struct netlink_sock *n)
{
	mutex_lock(&net_config_lock);
	if (n->dump)
		dump_piece(n);
	mutex_unlock(&net_config_lock);
}

static int dump_begin(struct netlink_sock *n, const struct netlink_request *rq)
{
	const struct nlmsghdr *nlh = rq->nlh;
	const struct netlink_handler *h = handler_find(nlh->nlmsg_type, *(const u8 *)rq->payload);
	bool all = *(const u8 *)rq->payload == AF_UNSPEC;
	struct netlink_dump *d;

	if (all || !h || !h->dump)
		h = dumper_after(NULL, nlh->nlmsg_type);
	if (!h)
		return -EOPNOTSUPP;
	if (n->dump)
		return -EBUSY;
	d = kzalloc(sizeof(*d) + nlh->nlmsg_len, GFP_KERNEL);
	if (!d)
		return -ENOBUFS;
	memcpy(d->request, nlh, nlh->nlmsg_len);
	d->handler = h;
	d->all_families = all;
	d->rq = *rq;
	d->rq.left = NULL;
	d->rq.nlh = (const void *)d->request;
	d->rq.payload = d->request + NLMSG_HDRLEN;
	WRITE_ONCE(n->dump, d);
	dump_piece(n);
	return 0;
}

/* --- requests */

static int get_one(struct netlink_sock *n, const struct netlink_handler *h, const struct netlink_request *rq)
{
	struct netlink_reply r;
	struct netlink_packet *p = reply_begin(&r, ROOM, n->portid, rq->nlh->nlmsg_seq, 0);
	int err = p ? h->get(rq, &r) : -ENOBUFS;

	if (!err)
		reply_send(n, p, &r);
	else
		kfree(p);
	return err;
}

/* rtnetlink(7): the types come in fours, NEW, DEL, GET, SET. */
static int handle(struct netlink_sock *n, const struct netlink_request *rq, bool *dumped)
{
	const struct nlmsghdr *nlh = rq->nlh;
	const struct netlink_handler *h;
	bool get = (nlh->nlmsg_type & 3) == (RTM_GETLINK & 3);

	if (nlh->nlmsg_type < RTM_BASE || nlh->nlmsg_type > RTM_MAX)
		return -EOPNOTSUPP;
	if (rq->len < sizeof(struct rtgenmsg))
		return 0;
	if (!get && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (get && (nlh->nlmsg_flags & NLM_F_DUMP)) {
		int err = dump_begin(n, rq);

		*dumped = !err;
		return err;
	}
	h = handler_find(nlh->nlmsg_type, *(const u8 *)rq->payload);
	if (!h || !(get ? (void *)h->get : (void *)h->change))
		return -EOPNOTSUPP;
	if (rq->len < h->header)
		return -EINVAL;
	return get ? get_one(n, h, rq) : h->change(rq);
}

void route_request(struct netlink_sock *n, const u8 *data, u32 len)
{
	while (len >= NLMSG_HDRLEN) {
		const struct nlmsghdr *nlh = (const void *)data;
		struct netlink_request rq = { .nlh = nlh, .payload = data + NLMSG_HDRLEN, .strict = netlink_option(n, NETLINK_GET_STRICT_CHK) };
		struct netdev *left = NULL;
		bool dumped = false;
		u32 step;
		int err = 0;

		rq.left = &left;
		if (nlh->nlmsg_len < NLMSG_HDRLEN || nlh->nlmsg_len > len)
			return;
		rq.len = nlh->nlmsg_len - NLMSG_HDRLEN;
		if ((nlh->nlmsg_flags & NLM_F_REQUEST) && nlh->nlmsg_type >= NLMSG_MIN_TYPE) {
			mutex_lock(&net_config_lock);
			err = handle(n, &rq, &dumped);
			mutex_unlock(&net_config_lock);
		}
		if (left) {
			netdev_unlinked(left);
			netdev_put(left);
			netdev_put(left);
		}
		if (!dumped && (err || (nlh->nlmsg_flags & NLM_F_ACK)))
			acknowledge(n, nlh, err);
		step = min(NLMSG_ALIGN(nlh->nlmsg_len), len);
		data += step;
		len -= step;
	}
}

void netlink_notify(u32 group, int (*fill)(struct netlink_reply *r, void *arg), void *arg)
{
	struct netlink_reply r;
	struct netlink_packet *p;

	if (!netlink_listens(NETLINK_ROUTE, group))
		return;
	p = reply_begin(&r, ROOM, 0, 0, 0);
	if (p && !fill(&r, arg)) {
		p->len = r.len;
		p->group = group;
		netlink_broadcast(NETLINK_ROUTE, group, p, 0);
	}
	kfree(p);
}
