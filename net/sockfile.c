/* A socket as an open file: read, write, poll, ioctl, fstat, SIGIO.
 *
 * The file owns the socket; the inode (S_IFSOCK, one a socket) is its identity for programs: fstat, and "socket:[ino]" in /proc/<pid>/fd.
 * SIGIO may have to be sent by whoever brings bytes, when nobody holds the file, so what fcntl(2) says about it is copied into the socket. */
#include <net/socket.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/time/time.h>
#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <linux/time_types.h>

static const struct file_ops socket_fops;

struct socket *socket_of(const struct file *f)
{
	return f->ops == &socket_fops ? f->private : NULL;
}

int socket_get(int fd, struct socket_ref *r)
{
	r->file = fdref_get(fd, &r->ref);
	if (unlikely(!r->file))
		return -EBADF;
	if (unlikely(r->file->ops != &socket_fops)) {
		fdref_put(r->file, r->ref);
		return -ENOTSOCK;
	}
	r->s = r->file->private;
	return 0;
}

void socket_put(struct socket_ref *r) { fdref_put(r->file, r->ref); }

int socket_file_create(struct socket *s, u32 o_flags, struct file **out)
{
	struct inode *i = inode_create(anon_super());
	int err;

	if (!i)
		return -ENOMEM;
	inode_init_owner(i, NULL, S_IFSOCK | 0777, 0);
	err = anon_file_on("socket", i, &socket_fops, s, O_RDWR | (o_flags & O_NONBLOCK), out);
	if (err) {
		inode_put(i);
		return err;
	}
	(*out)->mode |= FMODE_STREAM | FMODE_NOWAIT;
	s->inode = i;
	s->ino = i->ino;
	return 0;
}

static void socket_release(struct file *f)
{
	struct socket *s = f->private;

	s->async.on = false;
	s->ops->release(s);
}

static int socket_flush(struct file *f)
{
	struct socket *s = f->private;

	if (s->ops->flush)
		s->ops->flush(s);
	return 0;
}

/* --- bytes --- */

ssize_t socket_send(struct socket *s, const struct file *f, struct message *m)
{
	ssize_t n;

	if (f->flags & O_NONBLOCK)
		m->flags |= MSG_DONTWAIT;
	n = likely(s->ops->send) ? s->ops->send(s, m) : -EOPNOTSUPP;
	if (unlikely(n < 0)) {
		if (n == -EPIPE && s->type == SOCK_STREAM && !(m->flags & MSG_NOSIGNAL))
			signal_send_task(current, SIGPIPE, NULL);
		else if (n == -EAGAIN)
			WRITE_ONCE(s->no_space, true);
	}
	return n;
}

ssize_t socket_receive(struct socket *s, const struct file *f, struct message *m)
{
	if (f->flags & O_NONBLOCK)
		m->flags |= MSG_DONTWAIT;
	return likely(s->ops->receive) ? s->ops->receive(s, m) : -EOPNOTSUPP;
}

static ssize_t socket_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct message m = { .iter = to, .flags = unlikely(to->rwf & RWF_NOWAIT) ? MSG_DONTWAIT : 0 };

	(void)pos;
	return unlikely(!to->count) ? 0 : socket_receive(f->private, f, &m);
}

static ssize_t socket_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct socket *s = f->private;
	struct message m = { .iter = from, .flags = unlikely(from->rwf & RWF_NOWAIT) ? MSG_DONTWAIT : 0 };

	(void)pos;
	if (s->type == SOCK_SEQPACKET)
		m.flags |= MSG_EOR;
	return socket_send(s, f, &m);
}

static u32 socket_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->private;

	return s->ops->poll(s, f, pt);
}

/* --- SIGIO --- */

static void socket_async_changed(struct file *f, int fd, bool owner)
{
	struct socket *s = f->private;

	fasync_changed(&s->async, f, fd, owner);
}

void socket_urgent(struct socket *s) { fasync_signal(&s->async, SIGURG); }

static void socket_sigio(struct socket *s, u32 events)
{
	if (events & EPOLLHUP)
		fasync_send(&s->async, POLL_HUP, EPOLLHUP | EPOLLERR);
	else if (events & EPOLLIN)
		fasync_send(&s->async, POLL_IN, EPOLLIN | EPOLLRDNORM);
	else if (events & EPOLLPRI)
		fasync_send(&s->async, POLL_PRI, EPOLLPRI | EPOLLRDBAND);
	else if (events & EPOLLERR)
		fasync_send(&s->async, POLL_ERR, EPOLLERR);
	else if (events & EPOLLOUT && READ_ONCE(s->no_space)) {
		WRITE_ONCE(s->no_space, false);
		fasync_send(&s->async, POLL_OUT, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	}
}

void socket_wake(struct socket *s, u32 events)
{
	if (events & (EPOLLHUP | EPOLLERR))
		wake_up_all_key(&s->wait, (void *)(u64)events);
	else
		wake_up_key(&s->wait, (void *)(u64)events);
	if (unlikely(READ_ONCE(s->async.on)))
		socket_sigio(s, events);
}

void socket_wake_sync(struct socket *s, u32 events)
{
	wake_up_key_sync(&s->wait, (void *)(u64)events);
	if (unlikely(READ_ONCE(s->async.on)))
		socket_sigio(s, events);
}

void socket_wake_apart(struct socket *s, u32 events)
{
	wake_up_key_apart(&s->wait, (void *)(u64)events);
	if (unlikely(READ_ONCE(s->async.on)))
		socket_sigio(s, events);
}

/* --- ioctl --- */

static long set_owner(struct file *f, u64 arg)
{
	s32 pid;

	if (get_user(pid, (s32 __user *)user_ptr(arg)))
		return -EFAULT;
	if (pid == INT32_MIN)
		return -EINVAL;
	f->owner_pid = pid;
	f->owner_type = pid < 0 ? F_OWNER_PGRP : F_OWNER_PID;
	socket_async_changed(f, -1, true);
	return 0;
}

/* SIOCGSTAMP and its kin: with nanoseconds or not; the new layouts are the old ones on 64 bits. */
static long get_stamp(struct socket *s, u64 arg, bool ns)
{
	u64 at = atomic_load(&s->stamp);
	s64 v[2];

	if (!at)
		return -ENOENT;
	v[0] = (s64)(at / NSEC_PER_SEC);
	v[1] = (s64)(at % NSEC_PER_SEC) / (ns ? 1 : 1000);
	return copy_to_user(user_ptr(arg), v, sizeof(v));
}

static long socket_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct socket *s = f->private;
	long ret;

	switch (cmd) {
	case FIOSETOWN:
	case SIOCSPGRP:
		return set_owner(f, arg);
	case FIOGETOWN:
	case SIOCGPGRP:
		return put_user(f->owner_pid, (s32 __user *)user_ptr(arg));
	case SIOCGSTAMP_OLD:
	case SIOCGSTAMP_NEW:
	case SIOCGSTAMPNS_OLD:
	case SIOCGSTAMPNS_NEW:
		if (s->ops->stamps)
			return get_stamp(s, arg, cmd == SIOCGSTAMPNS_OLD || cmd == SIOCGSTAMPNS_NEW);
		break;
	}
	ret = s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOIOCTLCMD;
	if (ret == -ENOIOCTLCMD)
		ret = netdev_ioctl(s, cmd, arg);
	return ret == -ENOIOCTLCMD ? -ENOTTY : ret;
}

static const struct file_ops socket_fops = {
	.read = socket_read, .write = socket_write, .poll = socket_poll, .ioctl = socket_ioctl, .flush = socket_flush, .release = socket_release,
	.async_changed = socket_async_changed,
};
