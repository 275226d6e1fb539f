/* AF_PACKET: frames as devices receive and send them (packet(7)).  What is seen: packet_tap.c; what is sent: packet_send.c.
 *
 * Configuration (what a socket is bound to, its members) is under net_config_lock, as the devices' is.  A socket is referenced by its file and
 * by each packet of its that a device still has; its memory goes after an RCU grace period, because taps are found under RCU.
 *
 * Rings in shared memory (PACKET_RX_RING) are not there: ENOPROTOOPT, and libpcap reads instead. */
#include <arch/uaccess.h>
#include <fs/iov.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>
#include <asm/ioctls.h>
#include <mm/slab.h>
#include <net/netdev_ioctl.h>
#include <net/packet_socket_internal.h>
#include <net/scm.h>

static LIST_HEAD(sockets);		/* [c] */

/* --- bound to what; net_config_lock held */

static int bind_locked(struct packet_sock *ps, s32 ifindex, u16 protocol)
{
	struct netdev *dev = NULL;
	bool up = true;

	if (ifindex) {
		dev = ifindex > 0 ? netdev_by_index((u32)ifindex) : NULL;
		if (!dev || dev->gone) {
			if (dev)
				netdev_put(dev);
			return -ENODEV;
		}
		up = dev->flags & IFF_UP;
		netdev_put(dev);
	}
	packet_tap_del(ps);
	WRITE_ONCE(ps->ifindex, ifindex);
	WRITE_ONCE(ps->protocol, protocol);
	if (protocol && up)
		packet_tap_add(ps);
	else if (protocol)
		socket_set_error(&ps->s, ENETDOWN);
	return 0;
}

static int packet_bind(struct socket *s, const struct sockaddr_any *name, u32 len)
{
	struct packet_sock *ps = packet_sock_of(s);
	struct sockaddr_ll ll;
	int err;

	if (len < sizeof(ll))
		return -EINVAL;
	memcpy(&ll, name, sizeof(ll));
	if (ll.sll_family != AF_PACKET)
		return -EINVAL;
	mutex_lock(&net_config_lock);
	err = bind_locked(ps, ll.sll_ifindex, ll.sll_protocol ? ll.sll_protocol : ps->protocol);
	mutex_unlock(&net_config_lock);
	return err;
}

static int packet_name(struct socket *s, struct sockaddr_any *out, bool peer)
{
	struct packet_sock *ps = packet_sock_of(s);
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = READ_ONCE(ps->ifindex), .sll_protocol = READ_ONCE(ps->protocol) };
	struct netdev *dev;

	if (peer)
		return -EOPNOTSUPP;
	dev = ll.sll_ifindex > 0 ? netdev_by_index((u32)ll.sll_ifindex) : NULL;
	if (dev) {
		ll.sll_hatype = dev->type;
		ll.sll_halen = dev->address_len;
		memcpy(ll.sll_addr, dev->address, dev->address_len);
		netdev_put(dev);
	}
	memcpy(out, &ll, sizeof(ll));
	return (int)offsetof(struct sockaddr_ll, sll_addr) + ll.sll_halen;
}

static void device_event_of(struct netdev *dev, enum netdev_event e)
{
	struct packet_sock *ps;

	if (e != NETDEV_UP && e != NETDEV_DOWN && e != NETDEV_UNREGISTERED)
		return;
	list_for_each_entry(ps, &sockets, all_link) {
		if (e == NETDEV_UNREGISTERED)
			packet_members_drop(ps, dev);
		if (ps->ifindex != (s32)dev->index)
			continue;
		if (e == NETDEV_UP) {
			if (ps->protocol)
				packet_tap_add(ps);
			continue;
		}
		if (ps->seeing) {
			packet_tap_del(ps);
			socket_set_error(&ps->s, ENETDOWN);
		}
		if (e == NETDEV_UNREGISTERED)
			WRITE_ONCE(ps->ifindex, -1);
	}
}
NETDEV_LISTENER(packet_sockets, .event = device_event_of);

/* --- members; net_config_lock held */

static int apply(const struct packet_member *m, bool on)
{
	switch (m->type) {
	case PACKET_MR_MULTICAST:
	case PACKET_MR_UNICAST:
		if (m->alen != m->dev->address_len)
			return -EINVAL;
		return on ? netdev_multicast_add(m->dev, m->address) : netdev_multicast_del(m->dev, m->address);
	case PACKET_MR_PROMISC:
		netdev_promiscuity(m->dev, on ? 1 : -1);
		return 0;
	case PACKET_MR_ALLMULTI:
		netdev_allmulti(m->dev, on ? 1 : -1);
		return 0;
	}
	return 0;
}

static struct packet_member *member_find(struct packet_sock *ps, const struct packet_mreq *r, const u8 *address)
{
	struct packet_member *m;

	list_for_each_entry(m, &ps->members, link)
		if ((s32)m->dev->index == r->mr_ifindex && m->type == r->mr_type && m->alen == r->mr_alen && !memcmp(m->address, address, m->alen))
			return m;
	return NULL;
}

static void member_free(struct packet_member *m)
{
	if (!m->dev->gone)
		(void)apply(m, false);
	list_del(&m->link);
	netdev_put(m->dev);
	kfree(m);
}

static int member_add(struct packet_sock *ps, const struct packet_mreq *r, const u8 *address)
{
	struct packet_member *m = member_find(ps, r, address);
	int err;

	if (m) {
		m->count++;
		return 0;
	}
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return -ENOBUFS;
	m->dev = netdev_by_index((u32)r->mr_ifindex);
	m->type = r->mr_type;
	m->alen = r->mr_alen;
	m->count = 1;
	memcpy(m->address, address, m->alen);
	err = m->dev ? m->dev->gone ? -ENODEV : apply(m, true) : -ENODEV;
	if (!err) {
		list_add(&m->link, &ps->members);
		return 0;
	}
	if (m->dev)
		netdev_put(m->dev);
	kfree(m);
	return err;
}

int packet_member_change(struct packet_sock *ps, const struct packet_mreq *r, const u8 *address, bool add)
{
	struct packet_member *m;

	if (r->mr_alen > sizeof(m->address))
		return -EINVAL;
	if (add)
		return member_add(ps, r, address);
	m = member_find(ps, r, address);
	if (m && !--m->count)
		member_free(m);
	return 0;
}

void packet_members_drop(struct packet_sock *ps, const struct netdev *dev)
{
	struct packet_member *m, *next;

	list_for_each_entry_safe(m, next, &ps->members, link)
		if (!dev || m->dev == dev)
			member_free(m);
}

/* --- receiving */

static struct packet_entry *take_first(struct packet_sock *ps, bool peek, int *err)
{
	struct packet_entry *e = NULL, *copy;

	spin_lock_irq(&ps->queue_lock);
	if (!list_empty(&ps->queue)) {
		e = list_first_entry(&ps->queue, struct packet_entry, link);
		if (peek) {
			copy = kmalloc(sizeof(*e) + e->kept, GFP_ATOMIC);
			if (copy)
				memcpy(copy, e, sizeof(*e) + e->kept);
			else
				*err = -ENOMEM;
			e = copy;
		} else {
			list_del(&e->link);
			ps->queued -= e->kept + PACKET_COST;
		}
	}
	spin_unlock_irq(&ps->queue_lock);
	return e;
}

static bool anything(struct packet_sock *ps) { return !list_empty(&ps->queue) || atomic_load(&ps->s.error); }

static struct packet_entry *wait_first(struct packet_sock *ps, struct message *m, int *err)
{
	u64 deadline = socket_deadline(&ps->s, m->flags, false);
	struct packet_entry *e;

	for (;;) {
		*err = socket_take_error(&ps->s);
		if (*err)
			return NULL;
		e = take_first(ps, m->flags & MSG_PEEK, err);
		if (e || *err)
			return e;
		*err = deadline ? socket_wait_event(&ps->s, EPOLLIN, anything(ps), deadline) : -EAGAIN;
		if (*err) {
			*err = socket_wait_error(&ps->s, *err, false);
			return NULL;
		}
	}
}

static void tell_of(struct packet_sock *ps, struct message *m, const struct packet_entry *e)
{
	if (m->name) {
		memcpy(m->name, &e->from, sizeof(e->from));
		m->name_len = sizeof(e->from);
	}
	socket_stamp(&ps->s, m, e->stamp_ns);
	if (packet_option(ps, PACKET_AUXDATA) && m->scm) {
		struct tpacket_auxdata aux = { .tp_status = e->status, .tp_len = e->len, .tp_snaplen = e->kept, .tp_net = e->net_off };

		scm_put(m, SOL_PACKET, PACKET_AUXDATA, &aux, sizeof(aux));
	}
}

static ssize_t copy_out(struct packet_sock *ps, struct message *m, const struct packet_entry *e)
{
	u32 head = 0, len;

	if (packet_option(ps, PACKET_VNET_HDR)) {
		head = sizeof(e->vnet);
		if (m->iter->count < head)
			return -EINVAL;
		if (copy_to_iter(&e->vnet, head, m->iter) != head)
			return -EFAULT;
	}
	len = (u32)min((size_t)e->kept, m->iter->count);
	if (len < e->kept)
		m->out_flags |= MSG_TRUNC;
	if (copy_to_iter(e->data, len, m->iter) != len)
		return -EFAULT;
	return (m->flags & MSG_TRUNC ? e->kept : len) + head;
}

static ssize_t packet_receive(struct socket *s, struct message *m)
{
	struct packet_sock *ps = packet_sock_of(s);
	struct packet_entry *e;
	ssize_t ret;
	int err = 0;

	if (m->flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE | MSG_CMSG_CLOEXEC | MSG_WAITALL))
		return -EINVAL;
	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	e = wait_first(ps, m, &err);
	if (!e)
		return err;
	ret = copy_out(ps, m, e);
	if (ret >= 0)
		tell_of(ps, m, e);
	kfree(e);
	return ret;
}

static u32 packet_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct packet_sock *ps = packet_sock_of(s);
	u32 mask = 0;

	poll_wait(pt, f, &s->wait);
	if (!list_empty(&ps->queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (atomic_load(&s->error))
		mask |= EPOLLERR;
	if (atomic_load(&ps->sending) < (u32)atomic_load(&s->send_max)) {
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	} else {
		struct netdev *dev = netdev_by_index((u32)max(READ_ONCE(ps->ifindex), 0));

		if (dev) {
			netdev_reap(dev, true);
			netdev_put(dev);
		}
	}
	return mask;
}

static long packet_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct packet_sock *ps = packet_sock_of(s);
	s32 n = 0;

	switch (cmd) {
	case SIOCOUTQ:
		return put_user((s32)atomic_load(&ps->sending), (s32 __user *)user_ptr(arg));
	case FIONREAD:
		spin_lock_irq(&ps->queue_lock);
		if (!list_empty(&ps->queue))
			n = (s32)list_first_entry(&ps->queue, struct packet_entry, link)->kept;
		spin_unlock_irq(&ps->queue_lock);
		return put_user(n, (s32 __user *)user_ptr(arg));
	}
	return net_address_ioctl(s, cmd, arg);
}

/* --- options */

static int change_member(struct packet_sock *ps, const void *value, u32 len, bool add)
{
	struct packet_mreq r = { 0 };
	u8 address[8] = { 0 };
	int err;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, value, sizeof(r));
	memcpy(address, r.mr_address, sizeof(address));
	mutex_lock(&net_config_lock);
	err = packet_member_change(ps, &r, address, add);
	mutex_unlock(&net_config_lock);
	return err;
}

static int packet_set_option(struct socket *s, int level, int name, const void *value, u32 len)
{
	struct packet_sock *ps = packet_sock_of(s);
	s32 v;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (name) {
	case PACKET_ADD_MEMBERSHIP:
	case PACKET_DROP_MEMBERSHIP:
		return change_member(ps, value, len, name == PACKET_ADD_MEMBERSHIP);
	case PACKET_VNET_HDR:
		if (s->type != SOCK_RAW)
			return -EINVAL;
		break;
	case PACKET_AUXDATA: case PACKET_ORIGDEV: case PACKET_IGNORE_OUTGOING: case PACKET_LOSS: case PACKET_QDISC_BYPASS:
		break;
	default:
		return -ENOPROTOOPT;
	}
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, value, sizeof(v));
	if (name == PACKET_IGNORE_OUTGOING && (v < 0 || v > 1))
		return -EINVAL;
	if (v)
		atomic_fetch_or(&ps->options, 1u << name);
	else
		atomic_fetch_and(&ps->options, ~(1u << name));
	return 0;
}

static int get_statistics(struct packet_sock *ps, void *value, u32 *len)
{
	struct tpacket_stats st;

	spin_lock_irq(&ps->queue_lock);
	st = (struct tpacket_stats){ ps->seen + ps->dropped, ps->dropped };
	ps->seen = ps->dropped = 0;
	spin_unlock_irq(&ps->queue_lock);
	*len = min(*len, (u32)sizeof(st));
	memcpy(value, &st, *len);
	return 0;
}

static int packet_get_option(struct socket *s, int level, int name, void *value, u32 *len)
{
	struct packet_sock *ps = packet_sock_of(s);
	s32 v;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (name) {
	case PACKET_STATISTICS:
		return get_statistics(ps, value, len);
	case PACKET_AUXDATA: case PACKET_ORIGDEV: case PACKET_IGNORE_OUTGOING: case PACKET_LOSS: case PACKET_QDISC_BYPASS: case PACKET_VNET_HDR:
		v = packet_option(ps, (u32)name);
		*len = min(*len, (u32)sizeof(v));
		memcpy(value, &v, *len);
		return 0;
	}
	return -ENOPROTOOPT;
}

/* --- coming and going */

static void free_after_readers(struct rcu_head *head)
{
	struct packet_sock *ps = container_of(head, struct packet_sock, rcu);

	while (!list_empty(&ps->queue)) {
		struct packet_entry *e = list_first_entry(&ps->queue, struct packet_entry, link);

		list_del(&e->link);
		kfree(e);
	}
	socket_fini(&ps->s);
	kfree(ps);
}

void packet_sock_put(struct packet_sock *ps)
{
	if (refcount_dec_and_test(&ps->refs))
		call_rcu(&ps->rcu, free_after_readers);
}

static void packet_release(struct socket *s)
{
	struct packet_sock *ps = packet_sock_of(s);

	mutex_lock(&net_config_lock);
	packet_tap_leave(ps);
	packet_members_drop(ps, NULL);
	list_del(&ps->all_link);
	mutex_unlock(&net_config_lock);
	packet_sock_put(ps);
}

static const struct socket_ops packet_ops = {
	.release = packet_release, .bind = packet_bind, .name = packet_name, .send = packet_send, .receive = packet_receive,
	.poll = packet_poll, .ioctl = packet_ioctl, .set_option = packet_set_option, .get_option = packet_get_option, .stamps = true,
};

static int packet_create(int type, int protocol, struct socket **out)
{
	struct packet_sock *ps;

	if (!capable(CAP_NET_RAW))
		return -EPERM;
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	ps = kzalloc(sizeof(*ps), GFP_KERNEL);
	if (!ps)
		return -ENOBUFS;
	socket_init(&ps->s, &packet_ops, AF_PACKET, (u16)type, (u16)protocol);
	refcount_set(&ps->refs, 1);
	list_init(&ps->members);
	list_init(&ps->queue);
	spin_lock_init(&ps->queue_lock, LC_SOCKET_QUEUE);
	mutex_lock(&net_config_lock);
	list_add_tail(&ps->all_link, &sockets);
	(void)bind_locked(ps, 0, (u16)protocol);
	mutex_unlock(&net_config_lock);
	*out = &ps->s;
	return 0;
}
SOCKET_FAMILY(packet, .family = AF_PACKET, .create = packet_create);

static int packet_show(struct seq *s, void *arg)
{
	struct packet_sock *ps;

	(void)arg;
	seq_puts(s, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
	mutex_lock(&net_config_lock);
	list_for_each_entry(ps, &sockets, all_link)
		seq_printf(s, "%016lx %-6d %-4d %04x   %-5d %1d %-6u %-6u %-6lu\n", 0ul, refcount_read(&ps->refs), ps->s.type,
			   __builtin_bswap16(ps->protocol), ps->ifindex, ps->seeing, READ_ONCE(ps->queued), ps->s.uid, READ_ONCE(ps->s.ino));
	mutex_unlock(&net_config_lock);
	return 0;
}
PROC_FILE(net_packet, .path = "net/packet", .mode = 0444, .show = packet_show);
