/* AF_NETLINK: datagrams between programs and the kernel, and to groups of listeners (netlink(7)).
 *
 * NETLINK_ROUTE is answered by the kernel (netlink_route.c); NETLINK_KOBJECT_UEVENT carries what happens to devices to group 1 (below), and in
 * other groups what udevd tells its own listeners; NETLINK_USERSOCK is for programs alone.
 *
 * All sockets stand in one list under netlink_mutex, which is also held while a message goes to a group: there are few of them, and messages are
 * rare.  A socket's queue has a spin lock; a message costs its bytes and the structure around them against SO_RCVBUF, and one that finds no
 * room is lost, which the reader learns once, as ENOBUFS (unless he asked not to). */
#include <drivers/base/device.h>
#include <fs/iov.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <net/filter.h>
#include <net/netlink_internal.h>
#include <net/netlink_promise.h>
#include <net/scm.h>

#define MESSAGE_COST	256u		/* beside the bytes, as charged against SO_RCVBUF */

static DEFINE_MUTEX(netlink_mutex, LC_NETLINK);
static LIST_HEAD(sockets);		/* [n] */
static u64 listened[NETLINK_KOBJECT_UEVENT + 1];	/* [n, read racily] of each protocol, the groups that somebody is in */

/* --- queues */

struct netlink_packet *netlink_packet_alloc(u32 len)
{
	struct netlink_packet *p = kmalloc(sizeof(*p) + len + 64, GFP_KERNEL);	/* and the end of a dump */

	if (p)
		*p = (struct netlink_packet){ .len = len };
	return p;
}

static bool filtered(struct netlink_sock *n, struct netlink_packet *p)
{
	struct filter_input in = { .data = p->data, .len = p->len };
	u32 keep;

	if (likely(!READ_ONCE(n->s.filter)))
		return false;
	keep = socket_filter(&n->s, &in);
	p->len = min(p->len, keep);
	return !keep;
}

static bool charge_locked(struct netlink_sock *n, const struct netlink_packet *p)
{
	if (n->queued >= (u32)atomic_load(&n->s.receive_max))
		return false;
	n->queued += p->len + MESSAGE_COST;
	return true;
}

static void uncharge_locked(struct netlink_sock *n, const struct netlink_packet *p) { n->queued -= p->len + MESSAGE_COST; }

bool netlink_deliver(struct netlink_sock *n, struct netlink_packet *p)
{
	irqflags_t flags;
	bool room;

	if (filtered(n, p)) {
		kfree(p);
		return true;
	}
	flags = spin_lock_irqsave(&n->queue_lock);
	room = charge_locked(n, p);
	if (room)
		list_add_tail(&p->link, &n->queue);
	spin_unlock_irqrestore(&n->queue_lock, flags);
	if (room) {
		socket_wake(&n->s, EPOLLIN | EPOLLRDNORM);
		return true;
	}
	kfree(p);
	atomic_inc(&n->drops);
	if (!netlink_option(n, NETLINK_NO_ENOBUFS))
		socket_set_error(&n->s, ENOBUFS);
	return false;
}

static bool in_group(const struct netlink_sock *n, u32 group) { return group && group <= NETLINK_GROUPS && (n->groups >> (group - 1) & 1); }

void netlink_broadcast(u32 protocol, u32 group, const struct netlink_packet *p, u32 not)
{
	struct netlink_sock *n;

	mutex_lock(&netlink_mutex);
	list_for_each_entry(n, &sockets, link) {
		struct netlink_packet *copy;

		if (n->s.protocol != protocol || !in_group(n, group) || (not && n->portid == not))
			continue;
		copy = kmalloc(sizeof(*p) + p->len, GFP_NOIO);
		if (!copy) {
			socket_set_error(&n->s, ENOBUFS);
			continue;
		}
		memcpy(copy, p, sizeof(*p) + p->len);
		(void)netlink_deliver(n, copy);
	}
	mutex_unlock(&netlink_mutex);
}

bool netlink_listens(u32 protocol, u32 group) { return READ_ONCE(listened[protocol]) >> (group - 1) & 1; }

static void update_listened_locked(u32 protocol)
{
	struct netlink_sock *n;
	u64 all = 0;

	list_for_each_entry(n, &sockets, link)
		if (n->s.protocol == protocol)
			all |= n->groups;
	WRITE_ONCE(listened[protocol], all);
}

/* --- datagrams whose room is taken before it is known whether they will be sent */

static bool charge(struct netlink_sock *n, const struct netlink_packet *p)
{
	irqflags_t flags = spin_lock_irqsave(&n->queue_lock);
	bool room = charge_locked(n, p);

	spin_unlock_irqrestore(&n->queue_lock, flags);
	return room;
}

int netlink_promise(int fd, const void __user *data, u32 len, struct netlink_promised *out)
{
	struct netlink_packet *p = netlink_packet_alloc(len);
	struct file *f = NULL;
	struct socket *s;
	int err;

	if (!p)
		return -ENOMEM;
	err = copy_from_user(p->data, data, len) ? -EFAULT : 0;
	if (err)
		goto err_packet;
	f = fd_get(fd);
	s = f ? socket_of(f) : NULL;
	if (!s || s->family != AF_NETLINK) {
		err = !f ? -EBADF : !s ? -ENOTSOCK : -EINVAL;
		goto err_file;
	}
	err = wait_event_interruptible(&netlink_of(s)->room, charge(netlink_of(s), p));
	if (err)
		goto err_file;
	*out = (struct netlink_promised){ f, p };
	return 0;
err_file:
	if (f)
		file_put(f);
err_packet:
	kfree(p);
	return err;
}

void netlink_promise_end(struct netlink_promised *d, bool send, u8 last)
{
	struct netlink_sock *n = netlink_of(socket_of(d->socket));
	irqflags_t flags;

	d->packet->data[d->packet->len - 1] = last;
	flags = spin_lock_irqsave(&n->queue_lock);
	if (send)
		list_add_tail(&d->packet->link, &n->queue);
	else
		uncharge_locked(n, d->packet);
	spin_unlock_irqrestore(&n->queue_lock, flags);
	if (send)
		socket_wake(&n->s, EPOLLIN | EPOLLRDNORM);
	else
		kfree(d->packet);
	file_put(d->socket);
	d->socket = NULL;
}

/* --- names */

static struct netlink_sock *find_locked(u32 protocol, u32 portid)
{
	struct netlink_sock *n;

	list_for_each_entry(n, &sockets, link)
		if (n->s.protocol == protocol && n->portid == portid && portid)
			return n;
	return NULL;
}

/* The process's number, if nobody has it; else one that no process has. */
static int bind_locked(struct netlink_sock *n, u32 portid)
{
	static u32 rover = 0xfffff000u;	/* [n] */

	if (portid)
		return find_locked(n->s.protocol, portid) ? -EADDRINUSE : (n->portid = portid, 0);
	portid = (u32)current_pid();
	while (find_locked(n->s.protocol, portid))
		portid = rover--;
	n->portid = portid;
	return 0;
}

static int autobind(struct netlink_sock *n)
{
	int err = 0;

	if (READ_ONCE(n->portid))
		return 0;
	mutex_lock(&netlink_mutex);
	if (!n->portid)
		err = bind_locked(n, 0);
	mutex_unlock(&netlink_mutex);
	return err;
}

static int name_of(const struct sockaddr_any *name, u32 len, struct sockaddr_nl *nl)
{
	if (len < sizeof(*nl))
		return -EINVAL;
	memcpy(nl, name, sizeof(*nl));
	return nl->nl_family == AF_NETLINK ? 0 : -EINVAL;
}

static int netlink_bind(struct socket *s, const struct sockaddr_any *name, u32 len)
{
	struct netlink_sock *n = netlink_of(s);
	struct sockaddr_nl nl;
	int err = name_of(name, len, &nl);

	if (err)
		return err;
	if (nl.nl_groups && s->protocol == NETLINK_USERSOCK && !capable(CAP_NET_ADMIN))
		return -EPERM;
	mutex_lock(&netlink_mutex);
	if (n->portid && nl.nl_pid != n->portid)
		err = -EINVAL;
	else if (!n->portid)
		err = bind_locked(n, nl.nl_pid);
	if (!err) {
		n->groups = (n->groups & ~0xfffffffful) | nl.nl_groups;
		update_listened_locked(s->protocol);
	}
	mutex_unlock(&netlink_mutex);
	return err;
}

static bool may_send(const struct netlink_sock *n) { return n->s.protocol == NETLINK_USERSOCK || capable(CAP_NET_ADMIN); }
static u32 group_of(u32 mask) { return mask ? (u32)__builtin_ctz(mask) + 1 : 0; }

static int netlink_connect(struct socket *s, const struct sockaddr_any *name, u32 len, u32 file_flags)
{
	struct netlink_sock *n = netlink_of(s);
	struct sockaddr_nl nl;
	int err;

	(void)file_flags;
	if (len < sizeof(name->family))
		return -EINVAL;
	if (name->family == AF_UNSPEC) {
		atomic_store(&n->to_portid, 0u);
		atomic_store(&n->to_group, 0u);
		return 0;
	}
	err = name_of(name, len, &nl);
	if (!err && (nl.nl_groups || nl.nl_pid) && !may_send(n))
		err = -EPERM;
	if (!err)
		err = autobind(n);
	if (err)
		return err;
	atomic_store(&n->to_portid, nl.nl_pid);
	atomic_store(&n->to_group, group_of(nl.nl_groups));
	return 0;
}

static int netlink_name(struct socket *s, struct sockaddr_any *out, bool peer)
{
	struct netlink_sock *n = netlink_of(s);
	u32 to = atomic_load(&n->to_group);
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };

	nl.nl_pid = peer ? atomic_load(&n->to_portid) : READ_ONCE(n->portid);
	nl.nl_groups = peer ? (to && to <= 32 ? 1u << (to - 1) : 0) : (u32)READ_ONCE(n->groups);
	memcpy(out, &nl, sizeof(nl));
	return sizeof(nl);
}

/* --- sending */

static ssize_t send_to_program(struct netlink_sock *n, struct netlink_packet *p, u32 portid)
{
	struct netlink_sock *to;
	ssize_t ret = p->len;

	mutex_lock(&netlink_mutex);
	to = find_locked(n->s.protocol, portid);
	if (!to)
		ret = -ECONNREFUSED;
	else if (!netlink_deliver(to, p))
		ret = -EAGAIN;
	mutex_unlock(&netlink_mutex);
	if (ret == -ECONNREFUSED)
		kfree(p);
	return ret;
}

static ssize_t send_packet(struct netlink_sock *n, struct netlink_packet *p, u32 portid, u32 group)
{
	u32 len = p->len;

	if (group) {
		p->group = group;
		netlink_broadcast(n->s.protocol, group, p, n->portid);
	}
	if (portid)
		return send_to_program(n, p, portid);
	if (n->s.protocol == NETLINK_ROUTE)
		route_request(n, p->data, len);
	kfree(p);
	return n->s.protocol == NETLINK_USERSOCK && !group ? -ECONNREFUSED : (ssize_t)len;
}

static ssize_t netlink_send(struct socket *s, struct message *m)
{
	struct netlink_sock *n = netlink_of(s);
	u32 portid = atomic_load(&n->to_portid), group = atomic_load(&n->to_group);
	size_t len = m->iter->count;
	struct netlink_packet *p;
	struct sockaddr_nl nl;
	int err = 0;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!len)
		return -ENODATA;
	if (m->name && m->name_len) {
		err = name_of(m->name, m->name_len, &nl);
		portid = nl.nl_pid;
		group = err ? 0 : group_of(nl.nl_groups);
		if (!err && (portid || group) && !may_send(n))
			err = -EPERM;
	}
	if (!err)
		err = autobind(n);
	if (!err && len > (u32)atomic_load(&s->send_max) - 32)
		err = -EMSGSIZE;
	if (err)
		return err;
	p = netlink_packet_alloc((u32)len);
	if (!p)
		return -ENOBUFS;
	p->portid = n->portid;
	p->pid = m->scm && m->scm->has_cred ? m->scm->cred.pid : current_pid();
	p->uid = m->scm && m->scm->has_cred ? m->scm->cred.uid : current_cred()->uid;
	p->gid = m->scm && m->scm->has_cred ? m->scm->cred.gid : current_cred()->gid;
	if (copy_from_iter(p->data, len, m->iter) != len) {
		kfree(p);
		return -EFAULT;
	}
	return send_packet(n, p, portid, group);
}

/* --- receiving */

/* The first message, taken off unless only looked at (then a copy, or NULL: -ENOMEM); NULL: none. */
static struct netlink_packet *take_first(struct netlink_sock *n, bool peek, int *err)
{
	struct netlink_packet *p = NULL, *copy;

	spin_lock_irq(&n->queue_lock);
	if (!list_empty(&n->queue)) {
		p = list_first_entry(&n->queue, struct netlink_packet, link);
		if (peek) {
			copy = kmalloc(sizeof(*p) + p->len, GFP_ATOMIC);
			if (copy)
				memcpy(copy, p, sizeof(*p) + p->len);
			else
				*err = -ENOMEM;
			p = copy;
		} else {
			list_del(&p->link);
			uncharge_locked(n, p);
		}
	}
	spin_unlock_irq(&n->queue_lock);
	return p;
}

static bool anything(struct netlink_sock *n) { return !list_empty(&n->queue) || atomic_load(&n->s.error); }

static struct netlink_packet *wait_first(struct netlink_sock *n, struct message *m, int *err)
{
	u64 deadline = socket_deadline(&n->s, m->flags, false);
	struct netlink_packet *p;

	for (;;) {
		*err = socket_take_error(&n->s);
		if (*err)
			return NULL;
		p = take_first(n, m->flags & MSG_PEEK, err);
		if (p || *err)
			return p;
		*err = deadline ? socket_wait_event(&n->s, EPOLLIN, anything(n), deadline) : -EAGAIN;
		if (*err) {
			*err = socket_wait_error(&n->s, *err, false);
			return NULL;
		}
	}
}

static void tell_of(struct netlink_sock *n, struct message *m, const struct netlink_packet *p)
{
	if (m->name) {
		struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = p->portid };

		nl.nl_groups = p->group && p->group <= 32 ? 1u << (p->group - 1) : 0;
		memcpy(m->name, &nl, sizeof(nl));
		m->name_len = sizeof(nl);
	}
	if (!m->scm)
		return;
	if (netlink_option(n, NETLINK_PKTINFO)) {
		struct nl_pktinfo info = { p->group };

		scm_put(m, SOL_NETLINK, NETLINK_PKTINFO, &info, sizeof(info));
	}
	if (socket_option(&n->s, SO_PASSCRED))
		scm_put_cred(m, p->pid, p->uid, p->gid);
}

static ssize_t netlink_receive(struct socket *s, struct message *m)
{
	struct netlink_sock *n = netlink_of(s);
	struct netlink_packet *p;
	ssize_t ret;
	size_t len;
	int err = 0;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	p = wait_first(n, m, &err);
	if (!p)
		return err;
	if (wait_queue_active(&n->room))
		wake_up_all(&n->room);
	len = min((size_t)p->len, m->iter->count);
	ret = copy_to_iter(p->data, len, m->iter) == len ? (ssize_t)len : -EFAULT;
	if (len < p->len) {
		m->out_flags |= MSG_TRUNC;
		if (ret >= 0 && (m->flags & MSG_TRUNC))
			ret = p->len;
	}
	if (ret >= 0)
		tell_of(n, m, p);
	kfree(p);
	if (READ_ONCE(n->dump) && list_empty(&n->queue))
		route_dump_continue(n);
	return ret;
}

static u32 netlink_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct netlink_sock *n = netlink_of(s);
	u32 mask = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	poll_wait(pt, f, &s->wait);
	if (!list_empty(&n->queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (atomic_load(&s->error))
		mask |= EPOLLERR;
	return mask;
}

/* --- options */

static int set_membership(struct netlink_sock *n, u32 group, bool on)
{
	if (!group || group > NETLINK_GROUPS)
		return -EINVAL;
	if (n->s.protocol == NETLINK_USERSOCK && !capable(CAP_NET_ADMIN))
		return -EPERM;
	mutex_lock(&netlink_mutex);
	if (on)
		n->groups |= 1ul << (group - 1);
	else
		n->groups &= ~(1ul << (group - 1));
	update_listened_locked(n->s.protocol);
	mutex_unlock(&netlink_mutex);
	return 0;
}

static int netlink_set_option(struct socket *s, int level, int name, const void *value, u32 len)
{
	struct netlink_sock *n = netlink_of(s);
	u32 v = 0;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (len >= sizeof(v))
		memcpy(&v, value, sizeof(v));
	switch (name) {
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP:
		return set_membership(n, v, name == NETLINK_ADD_MEMBERSHIP);
	case NETLINK_PKTINFO: case NETLINK_BROADCAST_ERROR: case NETLINK_NO_ENOBUFS: case NETLINK_CAP_ACK: case NETLINK_EXT_ACK:
	case NETLINK_GET_STRICT_CHK:
		if (v)
			atomic_fetch_or(&n->options, 1u << name);
		else
			atomic_fetch_and(&n->options, ~(1u << name));
		return 0;
	case NETLINK_LISTEN_ALL_NSID:
		return capable(CAP_NET_ADMIN) ? 0 : -EPERM;
	}
	return -ENOPROTOOPT;
}

static int netlink_get_option(struct socket *s, int level, int name, void *value, u32 *len)
{
	struct netlink_sock *n = netlink_of(s);
	u32 v;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	switch (name) {
	case NETLINK_PKTINFO: case NETLINK_BROADCAST_ERROR: case NETLINK_NO_ENOBUFS: case NETLINK_CAP_ACK: case NETLINK_EXT_ACK:
	case NETLINK_GET_STRICT_CHK:
		if (*len < sizeof(v))
			return -EINVAL;
		v = netlink_option(n, (u32)name);
		memcpy(value, &v, sizeof(v));
		*len = sizeof(v);
		return 0;
	case NETLINK_LIST_MEMBERSHIPS:
		memcpy(value, &n->groups, min(*len, (u32)sizeof(n->groups)));
		*len = sizeof(n->groups);
		return 0;
	}
	return -ENOPROTOOPT;
}

/* --- coming and going */

static void netlink_release(struct socket *s)
{
	struct netlink_sock *n = netlink_of(s);

	mutex_lock(&netlink_mutex);
	list_del(&n->link);
	n->groups = 0;
	update_listened_locked(s->protocol);
	mutex_unlock(&netlink_mutex);
	while (!list_empty(&n->queue)) {
		struct netlink_packet *p = list_first_entry(&n->queue, struct netlink_packet, link);

		list_del(&p->link);
		kfree(p);
	}
	kfree(n->dump);
	socket_fini(s);
	kfree(n);
}

static const struct socket_ops netlink_ops = {
	.release = netlink_release, .bind = netlink_bind, .connect = netlink_connect, .name = netlink_name, .send = netlink_send,
	.receive = netlink_receive, .poll = netlink_poll, .set_option = netlink_set_option, .get_option = netlink_get_option,
};

static int netlink_create(int type, int protocol, struct socket **out)
{
	struct netlink_sock *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_ROUTE && protocol != NETLINK_KOBJECT_UEVENT && protocol != NETLINK_USERSOCK)
		return -EPROTONOSUPPORT;
	n = kzalloc(sizeof(*n), GFP_KERNEL);
	if (!n)
		return -ENOMEM;
	socket_init(&n->s, &netlink_ops, AF_NETLINK, (u16)type, (u16)protocol);
	spin_lock_init(&n->queue_lock, LC_SOCKET_QUEUE);
	list_init(&n->queue);
	wait_queue_init(&n->room);
	mutex_lock(&netlink_mutex);
	list_add_tail(&n->link, &sockets);
	mutex_unlock(&netlink_mutex);
	*out = &n->s;
	return 0;
}
SOCKET_FAMILY(netlink, .family = AF_NETLINK, .create = netlink_create);

/* --- uevents */

static bool uevents_wanted(void) { return netlink_listens(NETLINK_KOBJECT_UEVENT, 1); }

/* "add@/devices/...", then the lines of the event. */
static void uevent(struct device *d, enum device_action action, const char *env, size_t len)
{
	const char *name = device_action_names[action], *path = env + strlen(env) + 1 + strlen("DEVPATH=");
	u32 head = (u32)(strlen(name) + 1 + strlen(path) + 1);
	struct netlink_packet *p = netlink_packet_alloc(head + (u32)len);

	(void)d;
	if (!p)
		return;
	p->group = 1;
	memcpy(p->data, name, strlen(name));
	p->data[strlen(name)] = '@';
	memcpy(p->data + strlen(name) + 1, path, strlen(path) + 1);
	memcpy(p->data + head, env, len);
	netlink_broadcast(NETLINK_KOBJECT_UEVENT, 1, p, 0);
	kfree(p);
}
DEVICE_LISTENER(netlink, .event = uevent, .wanted = uevents_wanted);

static int netlink_show(struct seq *s, void *arg)
{
	struct netlink_sock *n;

	(void)arg;
	seq_puts(s, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n");
	mutex_lock(&netlink_mutex);
	list_for_each_entry(n, &sockets, link)
		seq_printf(s, "%016lx %-3d %-10u %08x %-8d %-8d %-5d %-8d %-8u %-8lu\n", 0ul, n->s.protocol, n->portid, (u32)n->groups,
			   (int)READ_ONCE(n->queued), 0, READ_ONCE(n->dump) != NULL, 2, READ_ONCE(n->drops), READ_ONCE(n->s.ino));
	mutex_unlock(&netlink_mutex);
	return 0;
}
PROC_FILE(net_netlink, .path = "net/netlink", .mode = 0444, .show = netlink_show);
