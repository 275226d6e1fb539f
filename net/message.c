/* The calls that move messages: sendto, recvfrom, sendmsg, recvmsg and their plural forms.
 *
 * What a program points to is copied once (header, vector, control buffer, address) and checked in the copy; its bytes go through an iterator
 * straight to and from the family's buffers. */
#include <net/socket.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/iov.h>
#include <fs/poll.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/time/time.h>
#include <linux/eventpoll.h>
#include <linux/time_types.h>
#include <mm/slab.h>
#include <net/scm.h>
#include <syscall_protos.h>

/* One user buffer: 0 or -EFAULT. */
static int one_buffer(struct iov_iter *it, struct iov_seg *seg, const void __user *buf, size_t len)
{
	len = min(len, MAX_RW_COUNT);
	if (!user_range_ok(buf, len))
		return -EFAULT;
	iov_iter_user(it, seg, (void __user *)buf, len);
	return 0;
}

long sys_sendto(int fd, const void __user *buf, size_t len, u32 flags, const void __user *addr, int addr_len)
{
	struct sockaddr_any name;
	struct socket_ref r;
	struct iov_seg seg;
	struct iov_iter it;
	struct message m = { .flags = flags, .iter = &it };
	long ret = one_buffer(&it, &seg, buf, len);

	if (unlikely(ret))
		return ret;
	ret = socket_get(fd, &r);
	if (unlikely(ret))
		return ret;
	if (addr) {
		ret = socket_name_in(&name, addr, addr_len);
		m.name = &name;
		m.name_len = (u32)addr_len;
	}
	if (likely(!ret))
		ret = socket_send(r.s, r.file, &m);
	socket_put(&r);
	return ret;
}

long sys_recvfrom(int fd, void __user *buf, size_t len, u32 flags, void __user *addr, int __user *addr_len)
{
	struct sockaddr_any name;
	struct socket_ref r;
	struct iov_seg seg;
	struct iov_iter it;
	struct message m = { .flags = flags, .iter = &it, .name = addr ? &name : NULL };
	long ret = one_buffer(&it, &seg, buf, len);
	int err;

	if (unlikely(ret))
		return ret;
	ret = socket_get(fd, &r);
	if (unlikely(ret))
		return ret;
	ret = socket_receive(r.s, r.file, &m);
	if (addr && ret >= 0) {
		err = socket_name_out(&name, m.name_len, addr, addr_len);
		if (err)
			ret = err;
	}
	socket_put(&r);
	return ret;
}

/* --- with a header --- */

/* A header in the kernel, with what it points to. */
struct header {
	struct user_msghdr u;
	struct sockaddr_any name;
	struct iov_import im;
	struct scm scm;
	struct message m;
	void *control;			/* to be freed, or NULL */
	u64 control_small[10];		/* one descriptor, credentials */
};

/* The header and its vector.  Afterwards header_free(). */
static int header_in(struct header *h, const struct user_msghdr __user *u, u32 flags)
{
	if (copy_from_user(&h->u, u, sizeof(h->u)))
		return -EFAULT;
	if (!h->u.msg_name)
		h->u.msg_namelen = 0;
	if (h->u.msg_namelen < 0)
		return -EINVAL;
	h->u.msg_namelen = min(h->u.msg_namelen, (s32)sizeof(h->name));
	h->m = (struct message){ .flags = flags, .iter = &h->im.it, .scm = &h->scm };
	memset(&h->scm, 0, sizeof(h->scm));
	h->control = NULL;
	if (h->u.msg_iovlen > UIO_MAXIOV)
		return -EMSGSIZE;
	return iov_import(&h->im, user_ptr(h->u.msg_iov), (u32)h->u.msg_iovlen);
}

static void header_free(struct header *h)
{
	kfree(h->im.alloc);
	kfree(h->control);
}

static int control_in(struct header *h)
{
	void *to = h->control_small;
	u64 len = h->u.msg_controllen;

	if (len > sizeof(h->control_small)) {
		if (len >= READ_ONCE(socket_optmem_max))
			return -ENOBUFS;
		to = h->control = kmalloc(len, GFP_KERNEL);
		if (!to)
			return -ENOBUFS;
	}
	if (copy_from_user(to, user_ptr(h->u.msg_control), len))
		return -EFAULT;
	h->scm.control = to;
	h->scm.control_len = (u32)len;
	return scm_parse(&h->scm);
}

static ssize_t send_header(struct socket_ref *r, const struct user_msghdr __user *u, u32 flags)
{
	struct header h;
	ssize_t ret = header_in(&h, u, flags);

	if (ret)
		return ret;
	if (h.u.msg_namelen) {
		ret = socket_name_in(&h.name, user_ptr(h.u.msg_name), h.u.msg_namelen);
		h.m.name = &h.name;
		h.m.name_len = (u32)h.u.msg_namelen;
	}
	if (!ret && h.u.msg_controllen)
		ret = control_in(&h);
	if (!ret)
		ret = socket_send(r->s, r->file, &h.m);
	if (h.scm.files)
		scm_files_free(h.scm.files);
	header_free(&h);
	return ret;
}

long sys_sendmsg(int fd, const struct user_msghdr __user *msg, u32 flags)
{
	struct socket_ref r;
	long ret;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	ret = socket_get(fd, &r);
	if (ret)
		return ret;
	ret = send_header(&r, msg, flags);
	socket_put(&r);
	return ret;
}

static int header_out(struct header *h, struct user_msghdr __user *u)
{
	int err = 0;

	if (h->u.msg_name)
		err = socket_name_out(&h->name, h->m.name_len, user_ptr(h->u.msg_name), &u->msg_namelen);
	if (!err)
		err = put_user(h->m.out_flags | (h->m.flags & MSG_CMSG_CLOEXEC), &u->msg_flags);
	if (!err)
		err = put_user(h->scm.used, &u->msg_controllen);
	return err;
}

static ssize_t receive_header(struct socket_ref *r, struct user_msghdr __user *u, u32 flags, u32 *out_flags)
{
	struct header h;
	ssize_t n = header_in(&h, u, flags);
	int err;

	if (n)
		return n;
	h.scm.out = h.u.msg_control;
	h.scm.room = h.u.msg_control ? h.u.msg_controllen : 0;
	if (h.u.msg_name)
		h.m.name = &h.name;
	n = socket_receive(r->s, r->file, &h.m);
	if (n >= 0) {
		err = header_out(&h, u);
		if (err)
			n = err;
	}
	*out_flags = h.m.out_flags;
	header_free(&h);
	return n;
}

long sys_recvmsg(int fd, struct user_msghdr __user *msg, u32 flags)
{
	struct socket_ref r;
	u32 out_flags;
	long ret;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	ret = socket_get(fd, &r);
	if (ret)
		return ret;
	ret = receive_header(&r, msg, flags, &out_flags);
	socket_put(&r);
	return ret;
}

/* --- many at once --- */

long sys_sendmmsg(int fd, struct mmsghdr __user *vec, u32 nr, u32 flags)
{
	struct socket_ref r;
	long ret, done = 0;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	nr = min(nr, (u32)UIO_MAXIOV);
	ret = socket_get(fd, &r);
	if (ret)
		return ret;
	while ((u32)done < nr) {
		ret = send_header(&r, &vec[done].msg_hdr, flags | ((u32)done + 1 < nr ? MSG_BATCH : 0));
		if (ret < 0)
			break;
		ret = put_user((u32)ret, &vec[done].msg_len);
		if (ret)
			break;
		done++;
		if (signal_pending())
			break;
	}
	socket_put(&r);
	return done ? done : ret;
}

/* Up to nr messages until the deadline, which is looked at after each (recvmmsg(2) has it so).  How many, or the error if none. */
static long receive_many(struct socket_ref *r, struct mmsghdr __user *vec, u32 nr, u32 flags, u64 deadline)
{
	long done = 0, ret = flags & MSG_ERRQUEUE ? 0 : socket_take_error(r->s);
	u32 out_flags;

	if (ret)
		return ret;
	while ((u32)done < nr) {
		ret = receive_header(r, &vec[done].msg_hdr, flags & ~MSG_WAITFORONE, &out_flags);
		if (ret < 0)
			break;
		ret = put_user((u32)ret, &vec[done].msg_len);
		if (ret)
			break;
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (out_flags & MSG_OOB || (deadline != TIME_NEVER && clock_mono_ns() >= deadline) || signal_pending())
			break;
	}
	if (ret < 0 && ret != -EAGAIN && done && ret != -ERESTARTSYS && ret != -EINTR)
		atomic_store(&r->s->error, (s32)-ret);	/* told by the next call */
	return done ? done : ret;
}

long sys_recvmmsg(int fd, struct mmsghdr __user *vec, u32 nr, u32 flags, void __user *timeout)
{
	struct socket_ref r;
	u64 deadline, left;
	long ret;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	ret = poll_deadline(timeout, &deadline);
	if (!ret)
		ret = socket_get(fd, &r);
	if (ret)
		return ret;
	ret = receive_many(&r, vec, nr, flags, deadline);
	socket_put(&r);
	if (ret > 0 && timeout) {
		struct __kernel_timespec ts;
		u64 now = clock_mono_ns();

		left = deadline > now ? deadline - now : 0;
		ts = (struct __kernel_timespec){ (s64)(left / NSEC_PER_SEC), (s64)(left % NSEC_PER_SEC) };
		if (copy_to_user(timeout, &ts, sizeof(ts)))
			ret = -EFAULT;
	}
	return ret;
}
