/* Sockets: the calls that make, name, join and end them.
 *
 * Theory.  What is the same for all families lives in five files: here the calls on addresses and states, sockfile.c the open file,
 * message.c the calls that move messages, scm.c what travels beside the bytes, options.c the options of SOL_SOCKET.  A family is a table
 * of operations and a line in a section (struct socket_family); it keeps addresses, states and bytes, and does its own waiting, with the
 * deadlines and errors that it gets here.
 *
 * Locking: this layer has no lock of its own.  Options are single words read racily by whoever acts on them; a call on a descriptor keeps the
 * file, and with it the socket, for as long as it runs.  Waking: every change that somebody might wait for ends in socket_wake() with the
 * EPOLL* bits that it makes true.  Those who wait for room or for bytes sit on the same queue as pollers and tell by their key which of the two
 * they wait for (socket_wait), so a wake-up for bytes does not disturb a blocked sender. */
#include <net/socket.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <net/filter.h>
#include <net/scm.h>
#include <syscall_protos.h>

u64 socket_rmem_default = 212992, socket_rmem_max = 212992, socket_wmem_default = 212992, socket_wmem_max = 212992;
u64 socket_somaxconn = SOMAXCONN, socket_optmem_max = 20480;
SYSCTL(rmem_default, "net/core/rmem_default", .value = &socket_rmem_default, .min = 2304, .max = INT32_MAX);
SYSCTL(rmem_max, "net/core/rmem_max", .value = &socket_rmem_max, .min = 2304, .max = INT32_MAX);
SYSCTL(wmem_default, "net/core/wmem_default", .value = &socket_wmem_default, .min = 4608, .max = INT32_MAX);
SYSCTL(wmem_max, "net/core/wmem_max", .value = &socket_wmem_max, .min = 4608, .max = INT32_MAX);
SYSCTL(somaxconn, "net/core/somaxconn", .value = &socket_somaxconn, .max = INT32_MAX);
SYSCTL(optmem_max, "net/core/optmem_max", .value = &socket_optmem_max, .max = INT32_MAX);

/* --- what families use --- */

void socket_init(struct socket *s, const struct socket_ops *ops, u16 family, u16 type, u16 protocol)
{
	memset(s, 0, sizeof(*s));
	s->ops = ops;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	wait_queue_init(&s->wait);
	s->receive_timeout = s->send_timeout = TIME_NEVER;
	s->receive_max = (s32)READ_ONCE(socket_rmem_default);
	s->send_max = (s32)READ_ONCE(socket_wmem_default);
	s->receive_low = 1;
	s->linger = s->incoming_cpu = s->peek_off = -1;
	s->pacing_rate = ~0u;
	s->uid = current_cred() ? current_cred()->fsuid : 0;
}

void socket_fini(struct socket *s)
{
	if (s->filter)
		filter_put(s->filter);
}

int socket_take_error(struct socket *s)
{
	return likely(!atomic_load(&s->error)) ? 0 : -atomic_xchg(&s->error, 0);
}

void socket_set_error(struct socket *s, int error)
{
	atomic_store(&s->error, error < 0 ? -error : error);
	socket_wake(s, EPOLLERR | EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM);
}

u64 socket_deadline(const struct socket *s, u32 msg_flags, bool sending)
{
	u64 timeout;

	if (msg_flags & MSG_DONTWAIT)
		return 0;
	timeout = (sending ? READ_ONCE(s->send_timeout) : READ_ONCE(s->receive_timeout));
	return timeout == TIME_NEVER ? TIME_NEVER : timeout ? clock_mono_ns() + timeout : 0;
}

int socket_wait_error(const struct socket *s, int err, bool sending)
{
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	if (err == -ERESTARTSYS && (sending ? READ_ONCE(s->send_timeout) : READ_ONCE(s->receive_timeout)) != TIME_NEVER)
		return -EINTR;
	return err;
}

static int socket_waiter_wake(struct wait_entry *we, void *key)
{
	struct socket_waiter *w = container_of(we, struct socket_waiter, we);

	return key && !((u64)key & w->events) ? 0 : w->wake(we, key);
}

void socket_waiter_init(struct socket_waiter *w, u32 events)
{
	wait_entry_init(&w->we);
	w->wake = w->we.func;
	w->we.func = socket_waiter_wake;
	w->events = events | EPOLLERR | EPOLLHUP;
}

void socket_stamp(struct socket *s, struct message *m, u64 ns)
{
	s64 v[2] = { (s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC) };
	u8 how = READ_ONCE(s->stamps);
	bool us = how == STAMPS_US_OLD || how == STAMPS_US_NEW;
	static const u8 types[] = { 0, SO_TIMESTAMP_OLD, SO_TIMESTAMPNS_OLD, SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW };

	atomic_store(&s->stamp, ns);
	if (how == STAMPS_OFF || !m->scm)
		return;
	if (us)
		v[1] /= 1000;
	scm_put(m, SOL_SOCKET, types[how], v, sizeof(v));
}

int socket_name_in(struct sockaddr_any *name, const void __user *from, s32 len)
{
	if (len < 0 || len > (s32)sizeof(*name))
		return -EINVAL;
	memset(name, 0, sizeof(*name));
	return len ? copy_from_user(name, from, (size_t)len) : 0;
}

int socket_name_out(const struct sockaddr_any *name, u32 len, void __user *to, s32 __user *to_len)
{
	s32 room;

	if (get_user(room, to_len))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (min((u32)room, len) && copy_to_user(to, name, min((u32)room, len)))
		return -EFAULT;
	return put_user((s32)len, to_len);
}

/* --- making --- */

static const struct socket_family *family_find(int family)
{
	for (const struct socket_family *f = __socket_families_start; f < __socket_families_end; f++)
		if (f->family == family)
			return f;
	return NULL;
}

int socket_create(int family, int type, int protocol, struct socket **out)
{
	const struct socket_family *f;

	if (family < 0 || family >= AF_MAX)
		return -EAFNOSUPPORT;
	if (type < 0 || type >= SOCK_MAX)
		return -EINVAL;
	f = family_find(family);
	return f ? f->create(type, protocol, out) : -EAFNOSUPPORT;
}

#define TYPE_MASK	0xf

static int type_flags(int type)
{
	return type & ~TYPE_MASK & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) ? -EINVAL : type & ~TYPE_MASK;
}

/* A file for s, which goes with it: released here if there can be none. */
static int file_for(struct socket *s, int flags, struct file **out)
{
	int err = socket_file_create(s, (u32)flags & O_NONBLOCK, out);

	if (err)
		s->ops->release(s);
	return err;
}

long sys_socket(int family, int type, int protocol)
{
	int flags = type_flags(type), fd;
	struct socket *s;
	struct file *f;

	if (flags < 0)
		return flags;
	fd = socket_create(family, type & TYPE_MASK, protocol, &s);
	if (!fd)
		fd = file_for(s, flags, &f);
	if (fd)
		return fd;
	fd = fd_install_new(f, (u32)flags);
	if (fd < 0)
		file_put_now(f);
	return fd;
}

static int pair_create(int family, int type, int protocol, int flags, struct file *f[2])
{
	struct socket *a, *b;
	int err = socket_create(family, type, protocol, &a);

	if (err)
		return err;
	err = socket_create(family, type, protocol, &b);
	if (err) {
		a->ops->release(a);
		return err;
	}
	err = a->ops->pair ? a->ops->pair(a, b) : -EOPNOTSUPP;
	if (err) {
		a->ops->release(a);
		b->ops->release(b);
		return err;
	}
	err = file_for(a, flags, &f[0]);
	if (err) {
		b->ops->release(b);
		return err;
	}
	err = file_for(b, flags, &f[1]);
	if (err)
		file_put_now(f[0]);
	return err;
}

long sys_socketpair(int family, int type, int protocol, int __user *fds)
{
	int fd[2], flags = type_flags(type), err;
	struct file *f[2];

	if (flags < 0)
		return flags;
	fd[0] = fd_reserve(0, (u32)flags);
	if (fd[0] < 0)
		return fd[0];
	fd[1] = err = fd_reserve(0, (u32)flags);
	if (err < 0)
		goto err_first;
	err = copy_to_user(fds, fd, sizeof(fd));
	if (!err)
		err = pair_create(family, type & TYPE_MASK, protocol, flags, f);
	if (err)
		goto err_both;
	fd_install(fd[0], f[0]);
	fd_install(fd[1], f[1]);
	return 0;
err_both:
	fd_cancel(fd[1]);
err_first:
	fd_cancel(fd[0]);
	return err;
}

/* --- naming and joining --- */

long sys_bind(int fd, const void __user *addr, int len)
{
	struct sockaddr_any name;
	struct socket_ref r;
	long err = socket_get(fd, &r);

	if (err)
		return err;
	err = socket_name_in(&name, addr, len);
	if (!err)
		err = r.s->ops->bind ? r.s->ops->bind(r.s, &name, (u32)len) : -EOPNOTSUPP;
	socket_put(&r);
	return err;
}

/* As on Linux: what is wrong with the address comes before what is wrong with the descriptor's kind. */
long sys_connect(int fd, const void __user *addr, int len)
{
	struct sockaddr_any name;
	struct socket_ref r;
	long err;

	r.file = fdref_get(fd, &r.ref);
	if (!r.file)
		return -EBADF;
	err = socket_name_in(&name, addr, len);
	r.s = socket_of(r.file);
	if (!err && !r.s)
		err = -ENOTSOCK;
	if (!err)
		err = r.s->ops->connect ? r.s->ops->connect(r.s, &name, (u32)len, r.file->flags) : -EOPNOTSUPP;
	socket_put(&r);
	return err;
}

long sys_listen(int fd, int backlog)
{
	struct socket_ref r;
	long err = socket_get(fd, &r);
	u64 most = READ_ONCE(socket_somaxconn);

	if (err)
		return err;
	if ((u32)backlog > most)
		backlog = (int)most;
	err = r.s->ops->listen ? r.s->ops->listen(r.s, backlog) : -EOPNOTSUPP;
	if (!err)
		WRITE_ONCE(r.s->listening, true);
	socket_put(&r);
	return err;
}

/* The new connection's file, and its other end's name for the program. */
static int accept_file(struct socket_ref *r, void __user *addr, s32 __user *len, int flags, struct file **out)
{
	struct sockaddr_any name;
	struct socket *s;
	int err = r->s->ops->accept ? r->s->ops->accept(r->s, &s, r->file->flags) : -EOPNOTSUPP;

	if (!err)
		err = file_for(s, flags, out);
	if (err || !addr)
		return err;
	err = s->ops->name(s, &name, true);
	err = err < 0 ? -ECONNABORTED : socket_name_out(&name, (u32)err, addr, len);
	if (err)
		file_put_now(*out);
	return err;
}

static long do_accept(int fd, void __user *addr, s32 __user *len, int flags)
{
	struct socket_ref r;
	struct file *f;
	int err, new;

	r.file = fdref_get(fd, &r.ref);
	if (!r.file)
		return -EBADF;
	err = new = -EINVAL;
	if (!(flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)))
		err = new = fd_reserve(0, (u32)flags);
	if (new >= 0) {
		r.s = socket_of(r.file);
		err = r.s ? accept_file(&r, addr, len, flags, &f) : -ENOTSOCK;
		if (err)
			fd_cancel(new);
		else
			fd_install(new, f);
	}
	socket_put(&r);
	return err < 0 ? err : new;
}

long sys_accept(int fd, void __user *addr, int __user *len) { return do_accept(fd, addr, len, 0); }
long sys_accept4(int fd, void __user *addr, int __user *len, int flags) { return do_accept(fd, addr, len, flags); }

static long get_name(int fd, void __user *addr, s32 __user *len, bool peer)
{
	struct sockaddr_any name;
	struct socket_ref r;
	long n = socket_get(fd, &r);

	if (n)
		return n;
	n = r.s->ops->name ? r.s->ops->name(r.s, &name, peer) : -EOPNOTSUPP;
	if (n >= 0)
		n = socket_name_out(&name, (u32)n, addr, len);
	socket_put(&r);
	return n;
}

long sys_getsockname(int fd, void __user *addr, int __user *len) { return get_name(fd, addr, len, false); }
long sys_getpeername(int fd, void __user *addr, int __user *len) { return get_name(fd, addr, len, true); }

long sys_shutdown(int fd, int how)
{
	struct socket_ref r;
	long err = socket_get(fd, &r);

	if (err)
		return err;
	if (how < SHUT_RD || how > SHUT_RDWR)
		err = -EINVAL;
	else
		err = r.s->ops->shutdown ? r.s->ops->shutdown(r.s, how) : -EOPNOTSUPP;
	socket_put(&r);
	return err;
}
