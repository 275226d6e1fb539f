/* mq_notify(2), mq_getsetattr(2).
 *
 * Libraries make threads for SIGEV_THREAD: to the kernel sigev_signo is then a netlink socket and sigev_value points to 32 bytes, which are sent
 * there, once, their last byte saying why: a message came, or the registration is gone.  Room for them is taken at once, so that later nothing can
 * fail.
 *
 * A registration goes when it was told, when its process says so, closes any descriptor of the queue, or replaces itself by another program. */
#include <linux/fcntl.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <kernel/errno.h>
#include <kernel/ipc/mqueue_internal.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <syscall_protos.h>

struct mq_notice mq_notice_take(struct mqueue *q, const struct process *only_of)
{
	struct mq_notice n = { .owner = NULL };

	if (likely(!q->notice.owner) || (only_of && q->notice.owner != only_of))
		return n;
	n = q->notice;
	q->notice.owner = NULL;
	return n;
}

static void send_signal(const struct mq_notice *n)
{
	struct process *p = n->owner;
	siginfo_t info;

	if (!n->signo)
		return;
	memset(&info, 0, sizeof(info));
	info.si_signo = n->signo;
	info.si_code = SI_MESGQ;
	info.si_pid = current_pid();
	info.si_uid = current_cred()->uid;
	info.si_value = n->value;
	rcu_read_lock();
	if (process_find(p->pid) == p && atomic_load(&p->execs) == n->execs)
		(void)signal_send_process(p, n->signo, &info);
	rcu_read_unlock();
}

void mq_notice_send(struct mq_notice *n)
{
	if (likely(!n->owner))
		return;
	if (n->how == SIGEV_SIGNAL)
		send_signal(n);
	else if (n->how == SIGEV_THREAD)
		netlink_promise_end(&n->cookie, true, NOTIFY_WOKENUP);
	process_put(n->owner);
}

void mq_notice_drop(struct mq_notice *n)
{
	if (!n->owner)
		return;
	if (n->how == SIGEV_THREAD)
		netlink_promise_end(&n->cookie, true, NOTIFY_REMOVED);
	process_put(n->owner);
}

/* What ev asks for, of current. */
static int notice_make(struct mq_notice *n, const struct sigevent *ev)
{
	*n = (struct mq_notice){ .owner = current->proc, .execs = atomic_load(&current->proc->execs), .how = ev->sigev_notify,
				 .signo = ev->sigev_signo, .value = ev->sigev_value };
	if (n->how != SIGEV_NONE && n->how != SIGEV_SIGNAL && n->how != SIGEV_THREAD)
		return -EINVAL;
	if (n->how == SIGEV_SIGNAL && (u32)n->signo > _NSIG)
		return -EINVAL;
	if (n->how != SIGEV_THREAD)
		return 0;
	return netlink_promise(ev->sigev_signo, user_ptr((u64)ev->sigev_value.sival_ptr), NOTIFY_COOKIE_LEN, &n->cookie);
}

/* n: what is to be registered, NULL: nothing any more. */
static int register_notice(struct file *f, const struct mq_notice *n)
{
	struct mqueue *q = mqueue_of(f);
	struct mq_notice old = { .owner = NULL };
	int err = 0;

	if (!q)
		return -EBADF;
	spin_lock(&q->lock);
	if (!n) {
		old = mq_notice_take(q, current->proc);
	} else if (q->notice.owner) {
		err = -EBUSY;
	} else {
		q->notice = *n;
		refcount_inc(&n->owner->refs);
	}
	spin_unlock(&q->lock);
	if (!err && (n || old.owner))
		inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	mq_notice_drop(&old);
	return err;
}

long sys_mq_notify(int mqd, const struct sigevent __user *event)
{
	struct mq_notice n = { .how = SIGEV_NONE };
	struct sigevent ev;
	struct file *f;
	u32 ref;
	int err;

	if (event && copy_from_user(&ev, event, sizeof(ev)))
		return -EFAULT;
	err = event ? notice_make(&n, &ev) : 0;
	if (err)
		return err;
	f = fdref_get(mqd, &ref);
	err = f ? register_notice(f, event ? &n : NULL) : -EBADF;
	if (f)
		fdref_put(f, ref);
	if (err && n.how == SIGEV_THREAD)
		netlink_promise_end(&n.cookie, false, 0);
	return err;
}

/* --- attributes */

static int get_and_set(struct file *f, const struct mq_attr *new, struct mq_attr *old)
{
	struct mqueue *q = mqueue_of(f);

	if (!q)
		return -EBADF;
	*old = (struct mq_attr){ .mq_maxmsg = q->max_nr, .mq_msgsize = q->max_len, .mq_curmsgs = READ_ONCE(q->nr) };
	spin_lock(&f->lock);
	old->mq_flags = f->flags & O_NONBLOCK;
	if (new)
		WRITE_ONCE(f->flags, (f->flags & ~(u32)O_NONBLOCK) | (u32)new->mq_flags);
	spin_unlock(&f->lock);
	if (new)
		inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	return 0;
}

long sys_mq_getsetattr(int mqd, const struct mq_attr __user *unew, struct mq_attr __user *uold)
{
	struct mq_attr new, old;
	struct file *f;
	u32 ref;
	int err;

	if (unew && copy_from_user(&new, unew, sizeof(new)))
		return -EFAULT;
	if (unew && new.mq_flags & ~(s64)O_NONBLOCK)
		return -EINVAL;
	f = fdref_get(mqd, &ref);
	if (!f)
		return -EBADF;
	err = get_and_set(f, unew ? &new : NULL, &old);
	fdref_put(f, ref);
	if (!err && uold && copy_to_user(uold, &old, sizeof(old)))
		err = -EFAULT;
	return err;
}
