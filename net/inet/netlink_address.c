/* RTM_*ADDR: addresses by netlink (`ip addr`). */
#include <lwip/netif.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/time/time.h>
#include <linux/if_addr.h>
#include <net/inet/address.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/notify.h>
#include <net/netlink.h>
#include <net/socket.h>

/* --- telling */

static u32 seconds_until(u64 ns)
{
	u64 now = clock_mono_ns();

	return ns == TIME_NEVER ? 0xffffffff : ns > now ? (u32)((ns - now) / NSEC_PER_SEC) : 0;
}

static int finish(struct netlink_reply *r, int err)
{
	if (err)
		nlmsg_cancel(r);
	else
		nlmsg_end(r);
	return err;
}

static int put_address4(struct netlink_reply *r, const struct interface *i, u16 type, u16 flags)
{
	struct ifa_cacheinfo life = { .ifa_prefered = seconds_until(i->preferred_until), .ifa_valid = seconds_until(i->valid_until),
				      .cstamp = (u32)(i->created_ns / 10000000), .tstamp = (u32)(i->changed_ns / 10000000) };
	struct ifaddrmsg *h = nlmsg_new(r, type, flags, sizeof(*h));
	int err;

	if (!h)
		return -EMSGSIZE;
	*h = (struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_prefixlen = i->prefix, .ifa_flags = (u8)i->address_flags, .ifa_scope = i->scope,
				 .ifa_index = i->dev->index };
	err = nla_put_u32(r, IFA_ADDRESS, i->peer.addr ? i->peer.addr : i->address.addr) ?: nla_put_u32(r, IFA_LOCAL, i->address.addr);
	if (!err && i->broadcast.addr)
		err = nla_put_u32(r, IFA_BROADCAST, i->broadcast.addr);
	err = err ?: nla_put_string(r, IFA_LABEL, i->label);
	err = err ?: nla_put_u32(r, IFA_FLAGS, i->address_flags);
	return finish(r, err ?: nla_put(r, IFA_CACHEINFO, &life, sizeof(life)));
}

struct address6_shown { const struct netdev *dev; ip6_addr_t address; u8 state, prefix; bool made_itself; u32 valid, preferred; };

static int put_address6(struct netlink_reply *r, const struct address6_shown *a, u16 type, u16 flags)
{
	struct ifa_cacheinfo life = { .ifa_prefered = a->preferred ? a->preferred : 0xffffffff, .ifa_valid = a->valid ? a->valid : 0xffffffff };
	u32 said = (a->valid && a->valid != IP6_ADDR_LIFE_INFINITE ? 0 : IFA_F_PERMANENT) | (ip6_addr_istentative(a->state) ? IFA_F_TENTATIVE : 0);
	struct ifaddrmsg *h = nlmsg_new(r, type, flags, sizeof(*h));
	bool loopback = ip6_addr_isloopback(&a->address);
	int err;

	if (!h)
		return -EMSGSIZE;
	*h = (struct ifaddrmsg){ .ifa_family = AF_INET6, .ifa_prefixlen = a->prefix, .ifa_flags = (u8)said, .ifa_index = a->dev->index,
				 .ifa_scope = loopback ? RT_SCOPE_HOST : ip6_addr_islinklocal(&a->address) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE };
	err = nla_put(r, IFA_ADDRESS, a->address.addr, 16) ?: nla_put(r, IFA_CACHEINFO, &life, sizeof(life));
	err = err ?: nla_put_u32(r, IFA_FLAGS, said);
	if (!err && a->made_itself)
		err = nla_put_u8(r, IFA_PROTO, loopback ? IFAPROT_KERNEL_LO : ip6_addr_islinklocal(&a->address) ? IFAPROT_KERNEL_LL : IFAPROT_KERNEL_RA);
	return finish(r, err);
}

/* The k-th IPv6 address of i's device: false, there is none at that place. */
static bool get_address6(struct interface *i, int k, struct address6_shown *a)
{
	net_core_lock();
	a->dev = i->dev;
	a->address = *netif_ip6_addr(&i->n, k);
	a->state = netif_ip6_addr_state(&i->n, k);
	a->prefix = address_prefix6(i, k);
	a->made_itself = !i->prefix6[k];
	a->valid = netif_ip6_addr_valid_life(&i->n, k);
	a->preferred = netif_ip6_addr_pref_life(&i->n, k);
	net_core_unlock();
	return !ip6_addr_isinvalid(a->state);
}

/* Those of first's device: primaries, then secondaries. */
static int dump4(const struct interface *first, struct netlink_reply *r, u64 *at, u64 state[4])
{
	for (u32 secondary = 0; secondary < 2; secondary++)
		for_each_interface(i) {
			if (i->first != first || !i->has_address || !(i->address_flags & IFA_F_SECONDARY) != !secondary || (*at)++ < state[0])
				continue;
			if (put_address4(r, i, RTM_NEWADDR, NLM_F_MULTI))
				return -EMSGSIZE;
			state[0]++;
		}
	return 0;
}

/* state[0]: how many places were told already. */
static int dump(const struct netlink_request *rq, struct netlink_reply *r, u64 state[4])
{
	const struct ifaddrmsg *h = rq->payload;
	u64 at = 0;

	for_each_interface(i) {
		if (h->ifa_index && rq->strict && h->ifa_index != i->dev->index)
			continue;
		if (h->ifa_family != AF_INET6 && i->first == i && dump4(i, r, &at, state))
			return -EMSGSIZE;
		for (int k = 0; h->ifa_family != AF_INET && i->first == i && k < LWIP_IPV6_NUM_ADDRESSES; k++) {
			struct address6_shown a;

			if (at++ < state[0])
				continue;
			/* The newest first, and that of the link, which was the first, last; as Linux. */
			if (get_address6(i, LWIP_IPV6_NUM_ADDRESSES - 1 - k, &a) && put_address6(r, &a, RTM_NEWADDR, NLM_F_MULTI))
				return -EMSGSIZE;
			state[0]++;
		}
	}
	return 0;
}

/* --- changing */

static int change4(const struct netlink_request *rq, const struct ifaddrmsg *h, const struct nlattr *t[], struct netdev *dev)
{
	struct address4 a = { .prefix = h->ifa_prefixlen, .scope = h->ifa_scope };
	struct ifa_cacheinfo life;
	char label[IFNAMSIZ];
	u32 address = netlink_u32(t[IFA_ADDRESS], 0);
	int err;

	a.address.addr = netlink_u32(t[IFA_LOCAL], address);
	a.peer.addr = address && address != a.address.addr ? address : 0;
	a.broadcast.addr = netlink_u32(t[IFA_BROADCAST], 0);
	a.flags = netlink_u32(t[IFA_FLAGS], h->ifa_flags) & (IFA_F_NODAD | IFA_F_NOPREFIXROUTE | IFA_F_MANAGETEMPADDR | IFA_F_HOMEADDRESS);
	if (t[IFA_LABEL]) {
		err = netlink_string(t[IFA_LABEL], label, sizeof(label));
		if (err)
			return err;
		a.label = label;
	}
	if (t[IFA_CACHEINFO] && nla_len_of(t[IFA_CACHEINFO]) >= sizeof(life)) {
		memcpy(&life, nla_data_of(t[IFA_CACHEINFO]), sizeof(life));
		if (!life.ifa_valid || life.ifa_prefered > life.ifa_valid)
			return -EINVAL;
		a.valid_s = life.ifa_valid;
		a.preferred_s = life.ifa_prefered;
	}
	if (rq->nlh->nlmsg_type == RTM_DELADDR)
		return address_del4(dev, a.address, t[IFA_ADDRESS] ? a.prefix : -1);
	if (rq->nlh->nlmsg_flags & NLM_F_REPLACE)
		(void)address_del4(dev, a.address, a.prefix);
	return address_add4(dev, &a);
}

static int change6(const struct netlink_request *rq, const struct ifaddrmsg *h, const struct nlattr *t[], struct netdev *dev)
{
	const struct nlattr *which = t[IFA_LOCAL] ? t[IFA_LOCAL] : t[IFA_ADDRESS];
	struct address6 a = { .prefix = h->ifa_prefixlen, .flags = netlink_u32(t[IFA_FLAGS], h->ifa_flags) };
	struct ifa_cacheinfo life;

	if (!which || nla_len_of(which) < 16)
		return -EINVAL;
	memcpy(a.address.addr, nla_data_of(which), 16);
	if (t[IFA_CACHEINFO] && nla_len_of(t[IFA_CACHEINFO]) >= sizeof(life)) {
		memcpy(&life, nla_data_of(t[IFA_CACHEINFO]), sizeof(life));
		a.valid_s = life.ifa_valid;
		a.preferred_s = life.ifa_prefered;
	}
	if (rq->nlh->nlmsg_type == RTM_DELADDR)
		return address_del6(dev, &a.address, a.prefix);
	return address_add6(dev, &a);
}

static int change(const struct netlink_request *rq)
{
	const struct ifaddrmsg *h = rq->payload;
	const struct nlattr *t[IFA_MAX + 1];
	struct netdev *dev;
	int err = netlink_parse(rq, sizeof(*h), t, IFA_MAX);

	if (err)
		return err;
	if (h->ifa_family != AF_INET && h->ifa_family != AF_INET6)
		return -EOPNOTSUPP;
	if (h->ifa_family == AF_INET && !t[IFA_LOCAL] && (rq->nlh->nlmsg_type == RTM_NEWADDR || !t[IFA_ADDRESS]))
		return -EINVAL;
	dev = netdev_by_index(h->ifa_index);
	if (!dev)
		return -ENODEV;
	err = h->ifa_family == AF_INET ? change4(rq, h, t, dev) : change6(rq, h, t, dev);
	netdev_put(dev);
	return err;
}

NETLINK_HANDLER(getaddr, .type = RTM_GETADDR, .header = sizeof(struct ifaddrmsg), .dump = dump);
NETLINK_HANDLER(newaddr, .type = RTM_NEWADDR, .header = sizeof(struct ifaddrmsg), .change = change);
NETLINK_HANDLER(deladdr, .type = RTM_DELADDR, .header = sizeof(struct ifaddrmsg), .change = change);

/* --- notifying */

struct notice4 { const struct interface *i; u16 type; };
struct notice6 { struct address6_shown a; u16 type; };

static int fill4(struct netlink_reply *r, void *arg)
{
	const struct notice4 *n = arg;

	return put_address4(r, n->i, n->type, 0);
}

static int fill6(struct netlink_reply *r, void *arg)
{
	const struct notice6 *n = arg;

	return put_address6(r, &n->a, n->type, 0);
}

void notify_address4(const struct interface *i, bool added)
{
	struct notice4 n = { i, added ? RTM_NEWADDR : RTM_DELADDR };

	netlink_notify(RTNLGRP_IPV4_IFADDR, fill4, &n);
}

void notify_address6(const struct netdev *dev, const ip6_addr_t *address, u8 prefix, bool added)
{
	struct notice6 n = { .a = { .dev = dev, .address = *address, .state = IP6_ADDR_PREFERRED, .prefix = prefix },
			      .type = added ? RTM_NEWADDR : RTM_DELADDR };

	netlink_notify(RTNLGRP_IPV6_IFADDR, fill6, &n);
}
