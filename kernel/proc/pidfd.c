/* Descriptors that name a process.  pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), clone(2) CLONE_PIDFD, waitid(2) P_PIDFD.
 *
 * A number is given to somebody else once its process has been waited for; a descriptor never is.  It holds the struct process, which
 * remembers that it has ended (zombie) and lives beyond its last task, but no task: whether the process can still be found under its
 * number says whether it has been reaped.
 *
 * It is readable, for poll, once the process has ended; there is nothing to read. */
#include <fs/file.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/proc/access.h>
#include <kernel/proc/pidfd.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/sched/sched.h>
#include <linux/eventpoll.h>
#include <linux/pidfd.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct process *p = f->private;

	poll_wait(pt, f, &p->end_wait);
	smp_mb();	/* queued before looking; pairs with wait_queue_active in pidfd_ended */
	return atomic_load(&p->zombie) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void pidfd_release(struct file *f) { process_put(f->private); }

/* Is p still what its number means?  RCU held. */
static bool not_reaped(const struct process *p) { return process_find(p->pid) == p; }

static void pidfd_show(struct seq *s, struct file *f)
{
	const struct process *p = f->private;
	s32 pid;

	rcu_read_lock();
	pid = not_reaped(p) ? p->pid : -1;
	rcu_read_unlock();
	seq_printf(s, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static const struct file_ops pidfd_fops = { .seek = noop_seek, .poll = pidfd_poll, .release = pidfd_release, .show_fdinfo = pidfd_show };

int pidfd_create(struct process *p, u32 o_flags, struct file **out)
{
	int err = anon_file_create("[pidfd]", &pidfd_fops, p, O_RDWR | o_flags, out);

	if (!err)
		refcount_inc(&p->refs);
	return err;
}

struct process *pidfd_process(const struct file *f) { return f->ops == &pidfd_fops ? f->private : NULL; }

void pidfd_ended(struct process *p)
{
	if (wait_queue_active(&p->end_wait))
		wake_up_all_key(&p->end_wait, (void *)(u64)(EPOLLIN | EPOLLRDNORM));
}

/* The process of that number, referenced; not that of another thread than the first. */
static int process_get(s32 pid, struct process **out)
{
	struct task *t;
	int err = -ESRCH;

	rcu_read_lock();
	t = task_find(pid);
	if (t)
		err = t->proc->pid != pid ? -EINVAL : refcount_inc_not_zero(&t->proc->refs) ? 0 : -ESRCH;
	*out = t ? t->proc : NULL;
	rcu_read_unlock();
	return err;
}

long sys_pidfd_open(int pid, u32 flags)
{
	struct process *p;
	struct file *f;
	int err;

	if (flags & ~(u32)PIDFD_NONBLOCK || pid <= 0)
		return -EINVAL;
	err = process_get(pid, &p);
	if (err)
		return err;
	err = pidfd_create(p, flags, &f);
	process_put(p);
	if (err)
		return err;
	err = fd_install_new(f, O_CLOEXEC);
	if (err < 0)
		file_put_now(f);
	return err;
}

int pidfd_prepare(struct new_pidfd *n, struct process *p, s32 __user *to)
{
	int err = pidfd_create(p, 0, &n->file);

	if (err)
		return err;
	n->fd = err = fd_reserve(0, O_CLOEXEC);
	if (err >= 0) {
		err = put_user(n->fd, to);
		if (!err)
			return 0;
		fd_cancel(n->fd);
	}
	file_put_now(n->file);
	n->file = NULL;
	return err;
}

void pidfd_finish(const struct new_pidfd *n, bool ok)
{
	if (!n->file)
		return;
	if (ok) {
		fd_install(n->fd, n->file);
	} else {
		fd_cancel(n->fd);
		file_put_now(n->file);
	}
}

/* What a signal by descriptor says of its sender: the caller's record, if it may say that, or that of kill. */
static int make_info(siginfo_t *info, int sig, const void __user *uinfo, bool to_self)
{
	if (!uinfo) {
		signal_user_info(info, sig, SI_USER);
		return 0;
	}
	if (copy_from_user(info, uinfo, sizeof(*info)))
		return -EFAULT;
	if (sig != info->si_signo)
		return -EINVAL;
	return !to_self && (info->si_code >= 0 || info->si_code == SI_TKILL) ? -EPERM : 0;
}

static int send(struct process *p, int sig, const void __user *uinfo)
{
	siginfo_t info;
	int err = make_info(&info, sig, uinfo, p == current->proc);

	if (err)
		return err;
	rcu_read_lock();
	err = not_reaped(p) ? signal_kill(p, sig, &info) : -ESRCH;
	rcu_read_unlock();
	return err;
}

/* Whom f names, referenced: a directory of /proc does that too.  -EBADF: it names nobody. */
static int named_by(struct file *f, struct process **out)
{
	if (f->ops->names_process)
		return f->ops->names_process(f, out);
	*out = pidfd_process(f);
	if (!*out)
		return -EBADF;
	refcount_inc(&(*out)->refs);
	return 0;
}

long sys_pidfd_send_signal(int fd, int sig, void __user *uinfo, u32 flags)
{
	struct process *p;
	struct file *f;
	long err;

	if (flags)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	err = named_by(f, &p);
	if (!err) {
		err = send(p, sig, uinfo);
		process_put(p);
	}
	file_put(f);
	return err;
}

/* A descriptor of t's, as a file. */
static int file_of(struct task *t, int fd, struct file **out)
{
	struct fdtable *table;
	int err = task_may_access(t, ACCESS_REAL_IDS);

	if (err)
		return err;
	table = fdtable_get_task(t);
	*out = table ? fdtable_file(table, fd) : NULL;
	if (table)
		fdtable_put(table);
	return *out ? 0 : -EBADF;
}

/* The first thread, referenced; of a process that has been reaped: NULL. */
static struct task *leader_get(const struct process *p)
{
	struct task *t;

	rcu_read_lock();
	do
		t = not_reaped(p) ? READ_ONCE(p->leader) : NULL;
	while (t && !refcount_inc_not_zero(&t->refs));		/* another thread has become the first: see exec.c */
	rcu_read_unlock();
	return t;
}

long sys_pidfd_getfd(int pidfd, int target, u32 flags)
{
	struct file *f, *found = NULL;
	struct task *t = NULL;
	long err = -EBADF;

	if (flags)
		return -EINVAL;
	f = fd_get(pidfd);
	if (!f)
		return -EBADF;
	if (pidfd_process(f)) {
		t = leader_get(pidfd_process(f));
		err = t ? file_of(t, target, &found) : -ESRCH;
	}
	file_put(f);
	if (t)
		task_put(t);
	if (err)
		return err;
	err = fd_install_new(found, O_CLOEXEC);
	if (err < 0)
		file_put(found);
	return err;
}
