/* setsockopt(2) and getsockopt(2): the options of SOL_SOCKET that mean the same for all families, socket(7).
 *
 * An option is one word in struct socket, or a bit of its `options`.  A family hears of a change by option_changed(), and gets the options that
 * are unknown here, and all of the other levels, with their values copied. */
#include <net/socket.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/time/time.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/in.h>
#include <linux/socket.h>
#include <linux/time_types.h>
#include <mm/slab.h>
#include <net/filter.h>
#include <net/netdev.h>
#include <syscall_protos.h>

#define VALUE_MAX	4096
#define SOURCES_MAX	(64u << 10)	/* sources of a group, 128 bytes each: of those options the program's bytes count, to get, too */
#define SEND_MIN	4608		/* as Linux has them: programs see what they are given */
#define RECEIVE_MIN	2304

#define ON_OFF	(BIT(SO_DEBUG) | BIT(SO_REUSEADDR) | BIT(SO_DONTROUTE) | BIT(SO_BROADCAST) | BIT(SO_KEEPALIVE) | BIT(SO_OOBINLINE) | BIT(SO_NO_CHECK) | \
		 BIT(SO_REUSEPORT) | BIT(SO_PASSCRED) | BIT(SO_PASSSEC) | BIT(SO_RXQ_OVFL) | BIT(SO_WIFI_STATUS) | BIT(SO_NOFCS) | \
		 BIT(SO_LOCK_FILTER) | BIT(SO_SELECT_ERR_QUEUE))

static bool is_on_off(int name) { return (u32)name < 64 && ON_OFF >> name & 1; }

static void bit_set(struct socket *s, int name, bool on)
{
	if (on)
		atomic_fetch_or(&s->options, (u64)BIT(name));
	else
		atomic_fetch_and(&s->options, ~(u64)BIT(name));
}

/* --- setting --- */

static int set_on_off(struct socket *s, int name, s32 v)
{
	if (name == SO_DEBUG && v && !capable(CAP_NET_ADMIN))
		return -EACCES;
	if (name == SO_REUSEPORT && v && s->family != AF_INET && s->family != AF_INET6)
		return -EOPNOTSUPP;
	if (name == SO_LOCK_FILTER && !v && socket_option(s, SO_LOCK_FILTER))
		return -EPERM;
	bit_set(s, name, v);
	return 0;
}

static void set_buffer(struct socket *s, bool send, s32 v, u64 most)
{
	u64 size = min((u64)(u32)v, most);

	size = max(min(size, (u64)INT32_MAX / 2) * 2, (u64)(send ? SEND_MIN : RECEIVE_MIN));
	atomic_fetch_or(&s->buffers_set, (u8)(send ? SOCK_SNDBUF_LOCK : SOCK_RCVBUF_LOCK));
	WRITE_ONCE(*(send ? &s->send_max : &s->receive_max), (s32)size);
}

static int set_buffer_force(struct socket *s, bool send, s32 v)
{
	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	set_buffer(s, send, max(v, 0), INT32_MAX);
	return 0;
}

static int set_timeout(u64 *timeout, const void *value, u32 len)
{
	struct __kernel_sock_timeval tv;
	u64 ns;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, value, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0)
		ns = 0;
	else if (!(tv.tv_sec | tv.tv_usec) || tv.tv_sec > 1ll << 32)
		ns = TIME_NEVER;
	else
		ns = (u64)tv.tv_sec * NSEC_PER_SEC + (u64)tv.tv_usec * 1000;
	WRITE_ONCE(*timeout, ns);
	return 0;
}

static int set_linger(struct socket *s, const void *value, u32 len)
{
	struct linger l;

	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, value, sizeof(l));
	WRITE_ONCE(s->linger, !l.l_onoff ? -1 : l.l_linger < 0 ? INT32_MAX : l.l_linger);
	return 0;
}

static void set_stamps(struct socket *s, u8 how, s32 v) { WRITE_ONCE(s->stamps, v ? how : STAMPS_OFF); }

static int set_filter(struct socket *s, const void *value, u32 len)
{
	struct filter *new = NULL, *old;
	struct sock_fprog prog;
	int err;

	if (value) {
		if (len != sizeof(prog))
			return -EINVAL;
		memcpy(&prog, value, sizeof(prog));
	}
	if (socket_option(s, SO_LOCK_FILTER))
		return -EPERM;
	if (value) {
		err = filter_create(&prog, &new);
		if (err)
			return err;
	}
	old = atomic_xchg(&s->filter, new);
	if (old)
		filter_put(old);
	return value || old ? 0 : -ENOENT;
}

static int set_priority(struct socket *s, s32 v)
{
	if ((v < 0 || v > 6) && !capable(CAP_NET_RAW) && !capable(CAP_NET_ADMIN))
		return -EPERM;
	WRITE_ONCE(s->priority, (u32)v);
	return 0;
}

static int set_mark(struct socket *s, s32 v)
{
	if (!capable(CAP_NET_RAW) && !capable(CAP_NET_ADMIN))
		return -EPERM;
	WRITE_ONCE(s->mark, (u32)v);
	return 0;
}

static int set_busy_poll(struct socket *s, s32 v)
{
	if (v > (s32)s->busy_poll && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (v < 0)
		return -EINVAL;
	WRITE_ONCE(s->busy_poll, (u32)v);
	return 0;
}

static int set_buffers_set(struct socket *s, s32 v)
{
	if ((u32)v & ~(u32)(SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK))
		return -EINVAL;
	atomic_store(&s->buffers_set, (u8)v);
	return 0;
}

static int set_peek_off(struct socket *s, s32 v)
{
	if (!s->ops->peek_off)
		return -EOPNOTSUPP;
	WRITE_ONCE(s->peek_off, v);
	return 0;
}

/* To one device, by number (0: to any).  The first time anybody may; to change it is CAP_NET_RAW's. */
static int bind_to(struct socket *s, s32 index)
{
	if (READ_ONCE(s->bound_device) && !capable(CAP_NET_RAW))
		return -EPERM;
	if (index < 0)
		return -EINVAL;
	WRITE_ONCE(s->bound_device, index);
	return 0;
}

/* By name; the value is as long as the name, or longer with a NUL. */
static int bind_to_name(struct socket *s, const void *value, u32 len)
{
	char name[IFNAMSIZ] = "";
	struct netdev *dev;
	s32 index = 0;

	memcpy(name, value, min(len, (u32)IFNAMSIZ - 1));
	if (name[0]) {
		dev = netdev_by_name(name);
		if (!dev)
			return -ENODEV;
		index = (s32)dev->index;
		netdev_put(dev);
	}
	return bind_to(s, index);
}

static int get_device(struct socket *s, void *value, u32 *len)
{
	struct netdev *dev = READ_ONCE(s->bound_device) ? netdev_by_index((u32)READ_ONCE(s->bound_device)) : NULL;
	int err = 0;

	if (!READ_ONCE(s->bound_device))
		*len = 0;
	else if (*len < IFNAMSIZ)
		err = -EINVAL;
	else if (!dev)
		err = -ENODEV;
	if (dev) {
		if (!err) {
			*len = (u32)strlen(dev->name) + 1;
			memcpy(value, dev->name, *len);
		}
		netdev_put(dev);
	}
	return err;
}

/* v: the first word of the value, which is there.  -ENOPROTOOPT: not one of ours. */
static int set_common(struct socket *s, int name, s32 v, const void *value, u32 len)
{
	if (is_on_off(name))
		return set_on_off(s, name, v);
	switch (name) {
	case SO_SNDBUF: set_buffer(s, true, v, READ_ONCE(socket_wmem_max)); return 0;
	case SO_RCVBUF: set_buffer(s, false, v, READ_ONCE(socket_rmem_max)); return 0;
	case SO_SNDBUFFORCE: return set_buffer_force(s, true, v);
	case SO_RCVBUFFORCE: return set_buffer_force(s, false, v);
	case SO_RCVLOWAT: WRITE_ONCE(s->receive_low, v < 0 ? INT32_MAX : v ? v : 1); return 0;
	case SO_RCVTIMEO_OLD: case SO_RCVTIMEO_NEW: return set_timeout(&s->receive_timeout, value, len);
	case SO_SNDTIMEO_OLD: case SO_SNDTIMEO_NEW: return set_timeout(&s->send_timeout, value, len);
	case SO_LINGER: return set_linger(s, value, len);
	case SO_BSDCOMPAT: return 0;
	case SO_PRIORITY: return set_priority(s, v);
	case SO_MARK: return set_mark(s, v);
	case SO_TIMESTAMP_OLD: set_stamps(s, STAMPS_US_OLD, v); return 0;
	case SO_TIMESTAMPNS_OLD: set_stamps(s, STAMPS_NS_OLD, v); return 0;
	case SO_TIMESTAMP_NEW: set_stamps(s, STAMPS_US_NEW, v); return 0;
	case SO_TIMESTAMPNS_NEW: set_stamps(s, STAMPS_NS_NEW, v); return 0;
	case SO_ATTACH_FILTER: return set_filter(s, value, len);
	case SO_DETACH_FILTER: return set_filter(s, NULL, 0);
	case SO_PEEK_OFF: return set_peek_off(s, v);
	case SO_BUSY_POLL: return set_busy_poll(s, v);
	case SO_MAX_PACING_RATE: WRITE_ONCE(s->pacing_rate, (u32)v); return 0;
	case SO_INCOMING_CPU: WRITE_ONCE(s->incoming_cpu, v); return 0;
	case SO_CNX_ADVICE: return v == 1 ? 0 : -EINVAL;
	case SO_BUF_LOCK: return set_buffers_set(s, v);
	case SO_BINDTOIFINDEX: return bind_to(s, v);
	case SO_ZEROCOPY: return s->family == AF_INET || s->family == AF_INET6 ? -ENOPROTOOPT : -EOPNOTSUPP;	/* theirs */
	}
	return -ENOPROTOOPT;
}

static int set_socket_option(struct socket *s, int name, const void *value, u32 len)
{
	s32 v;
	int err;

	if (name == SO_BINDTODEVICE) {
		err = bind_to_name(s, value, len);
		if (!err && s->ops->option_changed)
			s->ops->option_changed(s, name);
		return err;
	}
	if (len < sizeof(v))
		return s->ops->set_option ? s->ops->set_option(s, SOL_SOCKET, name, value, len) : -EINVAL;
	memcpy(&v, value, sizeof(v));
	err = set_common(s, name, v, value, len);
	if (err == -ENOPROTOOPT && s->ops->set_option)
		return s->ops->set_option(s, SOL_SOCKET, name, value, len);
	if (!err && s->ops->option_changed)
		s->ops->option_changed(s, name);
	return err;
}

/* IP_MSFILTER, MCAST_MSFILTER: the value names the group that it is about. */
static bool is_source_filter(int level, int name)
{
	return (level == SOL_IP && name == IP_MSFILTER) || ((level == SOL_IP || level == SOL_IPV6) && name == MCAST_MSFILTER);
}

long sys_setsockopt(int fd, int level, int name, const void __user *uvalue, int ulen)
{
	u64 small[8];
	void *value = small;
	u32 len = (u32)ulen;
	struct socket_ref r;
	long err;

	if (ulen < 0)
		return -EINVAL;
	err = socket_get(fd, &r);
	if (err)
		return err;
	if (level != SOL_SOCKET && !r.s->ops->set_option) {
		err = -EOPNOTSUPP;
		goto out;
	}
	len = min(len, is_source_filter(level, name) ? SOURCES_MAX : VALUE_MAX);
	if (len > sizeof(small)) {
		value = kmalloc(len, GFP_KERNEL);
		if (!value) {
			err = -ENOMEM;
			goto out;
		}
	}
	err = copy_from_user(value, uvalue, len);
	if (!err)
		err = level == SOL_SOCKET ? set_socket_option(r.s, name, value, len) : r.s->ops->set_option(r.s, level, name, value, len);
	if (value != small)
		kfree(value);
out:
	socket_put(&r);
	return err;
}

/* --- getting --- */

static s64 cookie_of(struct socket *s)
{
	static u64 last;
	u64 none = 0;

	if (!atomic_load(&s->cookie))
		__atomic_compare_exchange_n(&s->cookie, &none, atomic_add_return(&last, 1), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return (s64)atomic_load(&s->cookie);
}

static int get_peer_name(struct socket *s, void *value, u32 *len)
{
	struct sockaddr_any name;
	int n = s->ops->name ? s->ops->name(s, &name, true) : -ENOTCONN;

	if (n < 0)
		return -ENOTCONN;
	if ((u32)n < *len)
		return -EINVAL;
	memcpy(value, &name, *len);
	return 0;
}

/* As Linux answers SO_GET_FILTER: *len counts instructions here. */
static int get_filter(struct socket *s, void *value, u32 *len)
{
	u32 room = *len;
	int err = 0;

	rcu_read_lock();
	struct filter *f = rcu_dereference(s->filter);
	u32 nr = f ? f->nr : 0;

	if (room && nr) {
		if (room < nr || nr * sizeof(f->insn[0]) > VALUE_MAX)
			err = -EINVAL;
		else
			memcpy(value, f->insn, nr * sizeof(f->insn[0]));
	}
	rcu_read_unlock();
	*len = nr;
	return err;
}

/* A number of eight bytes at least, of which programs must have room for all. */
static int get_u64(void *value, u32 *len, u64 v)
{
	if (*len < sizeof(v))
		return -EINVAL;
	memcpy(value, &v, sizeof(v));
	*len = sizeof(v);
	return 0;
}

static void give(void *value, u32 *len, const void *from, u32 size)
{
	*len = min(*len, size);
	memcpy(value, from, *len);
}

static void get_timeout(u64 timeout, void *value, u32 *len)
{
	struct __kernel_sock_timeval tv = { 0 };

	if (timeout != TIME_NEVER) {
		tv.tv_sec = (s64)(timeout / NSEC_PER_SEC);
		tv.tv_usec = (s64)(timeout % NSEC_PER_SEC) / 1000;
	}
	give(value, len, &tv, sizeof(tv));
}

/* The options that are one word: true, and *v. */
static bool get_word(struct socket *s, int name, s32 *v)
{
	if (is_on_off(name)) {
		*v = socket_option(s, (u32)name);
		return true;
	}
	switch (name) {
	case SO_TYPE: *v = s->type; break;
	case SO_PROTOCOL: *v = s->protocol; break;
	case SO_DOMAIN: *v = s->family; break;
	case SO_ERROR: *v = -socket_take_error(s); break;
	case SO_SNDBUF: *v = READ_ONCE(s->send_max); break;
	case SO_RCVBUF: *v = READ_ONCE(s->receive_max); break;
	case SO_RCVLOWAT: *v = READ_ONCE(s->receive_low); break;
	case SO_SNDLOWAT: *v = 1; break;
	case SO_BSDCOMPAT: *v = 0; break;
	case SO_PRIORITY: *v = (s32)READ_ONCE(s->priority); break;
	case SO_MARK: *v = (s32)READ_ONCE(s->mark); break;
	case SO_ACCEPTCONN: *v = READ_ONCE(s->listening); break;
	case SO_TIMESTAMP_OLD: *v = READ_ONCE(s->stamps) == STAMPS_US_OLD; break;
	case SO_TIMESTAMPNS_OLD: *v = READ_ONCE(s->stamps) == STAMPS_NS_OLD; break;
	case SO_TIMESTAMP_NEW: *v = READ_ONCE(s->stamps) == STAMPS_US_NEW; break;
	case SO_TIMESTAMPNS_NEW: *v = READ_ONCE(s->stamps) == STAMPS_NS_NEW; break;
	case SO_BPF_EXTENSIONS: *v = SKF_AD_MAX; break;
	case SO_BUSY_POLL: *v = (s32)READ_ONCE(s->busy_poll); break;
	case SO_MAX_PACING_RATE: *v = (s32)READ_ONCE(s->pacing_rate); break;
	case SO_INCOMING_CPU: *v = READ_ONCE(s->incoming_cpu); break;
	case SO_INCOMING_NAPI_ID: *v = 0; break;
	case SO_BINDTOIFINDEX: *v = READ_ONCE(s->bound_device); break;
	case SO_BUF_LOCK: *v = atomic_load(&s->buffers_set); break;
	case SO_ZEROCOPY: *v = socket_option(s, SO_ZEROCOPY); break;
	default: return false;
	}
	return true;
}

static int get_common(struct socket *s, int name, void *value, u32 *len)
{
	s32 linger = READ_ONCE(s->linger);
	struct linger l = { linger >= 0, linger > 0 ? linger : 0 };
	struct ucred nobody = { 0, ~0u, ~0u };
	s32 v;

	if (get_word(s, name, &v)) {
		give(value, len, &v, sizeof(v));
		return 0;
	}
	switch (name) {
	case SO_LINGER: give(value, len, &l, sizeof(l)); return 0;
	case SO_RCVTIMEO_OLD: case SO_RCVTIMEO_NEW: get_timeout(READ_ONCE(s->receive_timeout), value, len); return 0;
	case SO_SNDTIMEO_OLD: case SO_SNDTIMEO_NEW: get_timeout(READ_ONCE(s->send_timeout), value, len); return 0;
	case SO_PEERCRED: give(value, len, &nobody, sizeof(nobody)); return 0;
	case SO_PEERNAME: return get_peer_name(s, value, len);
	case SO_GET_FILTER: return get_filter(s, value, len);
	case SO_BINDTODEVICE: return get_device(s, value, len);
	case SO_COOKIE: return get_u64(value, len, (u64)cookie_of(s));
	case SO_NETNS_COOKIE: return get_u64(value, len, 1);
	case SO_PEEK_OFF:
		if (!s->ops->peek_off)
			return -EOPNOTSUPP;
		v = READ_ONCE(s->peek_off);
		give(value, len, &v, sizeof(v));
		return 0;
	}
	return -ENOPROTOOPT;
}

static int get_option(struct socket *s, int level, int name, void *value, u32 *len)
{
	int err = -ENOPROTOOPT;

	if (level != SOL_SOCKET || name == SO_PEERCRED || name == SO_PEERGROUPS)	/* who the peer is, its family knows */
		err = s->ops->get_option ? s->ops->get_option(s, level, name, value, len) : level == SOL_SOCKET ? -ENOPROTOOPT : -EOPNOTSUPP;
	if (level == SOL_SOCKET && err == -ENOPROTOOPT)
		err = get_common(s, name, value, len);
	if (level == SOL_SOCKET && err == -ENOPROTOOPT && s->ops->get_option)
		err = s->ops->get_option(s, level, name, value, len);
	return err;
}

long sys_getsockopt(int fd, int level, int name, void __user *uvalue, int __user *ulen)
{
	struct socket_ref r;
	u32 len, bytes;
	s32 room;
	bool asks;
	void *value;
	long err = socket_get(fd, &r);

	if (err)
		return err;
	value = NULL;
	err = -EFAULT;
	if (get_user(room, ulen))
		goto out;
	err = -EINVAL;
	if (room < 0)
		goto out;
	err = -ENOMEM;
	asks = is_source_filter(level, name);
	len = min((u32)room, asks ? SOURCES_MAX : VALUE_MAX);
	value = kmalloc(max(len, (u32)VALUE_MAX), GFP_KERNEL);
	if (!value)
		goto out;
	err = -EFAULT;
	if (asks && copy_from_user(value, uvalue, len))
		goto out;
	err = get_option(r.s, level, name, value, &len);
	bytes = level == SOL_SOCKET && name == SO_GET_FILTER ? (room ? len * (u32)sizeof(struct sock_filter) : 0) : len;
	if (err == -ERANGE)			/* SO_PEERGROUPS tells how much room it needs */
		err = put_user((s32)len, ulen) ? -EFAULT : -ERANGE;
	else if (!err && bytes && copy_to_user(uvalue, value, bytes))
		err = -EFAULT;
	else if (!err)
		err = put_user((s32)len, ulen);
out:
	kfree(value);
	socket_put(&r);
	return err;
}
