/* Netlink messages: attributes taken apart and put together. */
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <net/netlink_internal.h>

/* --- requests */

static int parse(const u8 *at, u32 left, const struct nlattr *table[], u32 max)
{
	memset(table, 0, (max + 1) * sizeof(*table));
	while (left >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)at;
		u32 type = a->nla_type & NLA_TYPE_MASK, step;

		if (a->nla_len < NLA_HDRLEN || a->nla_len > left)
			return -EINVAL;
		if (type <= max)
			table[type] = a;
		step = min(NLA_ALIGN((u32)a->nla_len), left);
		at += step;
		left -= step;
	}
	return 0;
}

int netlink_parse(const struct netlink_request *rq, u32 header, const struct nlattr *table[], u32 max)
{
	header = NLMSG_ALIGN(header);
	if (rq->len < header) {
		memset(table, 0, (max + 1) * sizeof(*table));
		return 0;
	}
	return parse((const u8 *)rq->payload + header, rq->len - header, table, max);
}

int netlink_parse_nested(const struct nlattr *nest, const struct nlattr *table[], u32 max)
{
	return parse(nla_data_of(nest), nla_len_of(nest), table, max);
}

u32 netlink_u32(const struct nlattr *a, u32 otherwise)
{
	u32 v;

	if (!a || nla_len_of(a) < sizeof(v))
		return otherwise;
	memcpy(&v, nla_data_of(a), sizeof(v));
	return v;
}

int netlink_string(const struct nlattr *a, char *buf, u32 size)
{
	u32 len = nla_len_of(a);
	const char *s = nla_data_of(a);

	while (len && !s[len - 1])
		len--;
	if (len >= size)
		return -ERANGE;
	memcpy(buf, s, len);
	buf[len] = 0;
	return 0;
}

/* --- answers */

static void *take(struct netlink_reply *r, u32 len)
{
	u32 whole = NLMSG_ALIGN(len);
	void *at = r->buf + r->len;

	if (whole > r->size - r->len)
		return NULL;
	memset(at, 0, whole);
	r->len += whole;
	return at;
}

void *nlmsg_new(struct netlink_reply *r, u16 type, u16 flags, u32 header)
{
	u32 begun = r->len;
	struct nlmsghdr *h = take(r, NLMSG_HDRLEN + NLMSG_ALIGN(header));

	if (!h)
		return NULL;
	r->begun = begun;
	*h = (struct nlmsghdr){ .nlmsg_type = type, .nlmsg_flags = flags | r->flags, .nlmsg_seq = r->seq, .nlmsg_pid = r->portid };
	return (u8 *)h + NLMSG_HDRLEN;
}

void nlmsg_end(struct netlink_reply *r) { ((struct nlmsghdr *)(r->buf + r->begun))->nlmsg_len = r->len - r->begun; }
void nlmsg_cancel(struct netlink_reply *r) { r->len = r->begun; }

int nla_put(struct netlink_reply *r, u16 type, const void *data, u32 len)
{
	struct nlattr *a = take(r, NLA_HDRLEN + len);

	if (!a)
		return -EMSGSIZE;
	a->nla_type = type;
	a->nla_len = (u16)(NLA_HDRLEN + len);
	memcpy((u8 *)a + NLA_HDRLEN, data, len);
	return 0;
}

int nla_put_string(struct netlink_reply *r, u16 type, const char *s) { return nla_put(r, type, s, (u32)strlen(s) + 1); }

struct nlattr *nla_nest_begin(struct netlink_reply *r, u16 type)
{
	struct nlattr *a = take(r, NLA_HDRLEN);

	if (a)
		a->nla_type = type;
	return a;
}

void nla_nest_end(struct netlink_reply *r, struct nlattr *nest) { nest->nla_len = (u16)(r->buf + r->len - (u8 *)nest); }
