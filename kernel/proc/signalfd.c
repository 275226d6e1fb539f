/* signalfd: pending signals read as records.  A read takes signals of the mask that are pending for the reader and its process, as
 * sigwaitinfo would; which process that is is decided by who reads, not by who made the descriptor. */
#include <fs/file.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <linux/eventpoll.h>
#include <linux/signalfd.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

struct signalfd { u64 mask; };		/* [a] */

static void fill_poll_fault(struct signalfd_siginfo *r, const siginfo_t *si)
{
	switch (si->si_signo) {
	case SIGCHLD:
		r->ssi_pid = (u32)si->si_pid;
		r->ssi_uid = si->si_uid;
		r->ssi_status = si->si_status;
		r->ssi_utime = (u64)si->si_utime;
		r->ssi_stime = (u64)si->si_stime;
		break;
	case SIGILL: case SIGFPE: case SIGSEGV: case SIGBUS: case SIGTRAP:
		r->ssi_addr = (u64)si->si_addr;
		break;
	case SIGPOLL:
		r->ssi_band = (u32)si->si_band;
		r->ssi_fd = si->si_fd;
		break;
	default:
		break;
	}
}

/* signalfd(2): which fields mean something depends on who sent it. */
static void fill(struct signalfd_siginfo *r, const siginfo_t *si)
{
	memset(r, 0, sizeof(*r));
	r->ssi_signo = (u32)si->si_signo;
	r->ssi_errno = si->si_errno;
	r->ssi_code = si->si_code;
	if (si->si_code == SI_TIMER) {
		r->ssi_tid = (u32)si->si_tid;
		r->ssi_overrun = (u32)si->si_overrun;
	} else if (si->si_code <= 0) {
		r->ssi_pid = (u32)si->si_pid;
		r->ssi_uid = si->si_uid;
	} else {
		fill_poll_fault(r, si);
	}
	if (si->si_code < 0) {
		r->ssi_ptr = (u64)si->si_ptr;
		r->ssi_int = si->si_int;
	}
}

static bool take(const struct signalfd *s, siginfo_t *si)
{
	struct sighand *sh = current->proc->sighand;
	bool got;

	spin_lock_irq(&sh->lock);
	got = signal_take_locked(atomic_load(&s->mask), si);
	if (got)
		recalc_sigpending_locked(current);
	spin_unlock_irq(&sh->lock);
	return got;
}

static ssize_t signalfd_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct signalfd *s = f->private;
	struct signalfd_siginfo record;
	ssize_t done = 0;
	siginfo_t si;
	int err = 0;

	(void)pos;
	if (to->count < sizeof(record))
		return -EINVAL;
	while (to->count >= sizeof(record)) {
		if (!take(s, &si)) {
			if (done || (f->flags & O_NONBLOCK))
				err = -EAGAIN;
			else
				err = wait_event_interruptible(signalfd_queue(current->proc), take(s, &si));
			if (err)
				break;
		}
		fill(&record, &si);
		if (copy_to_iter(&record, sizeof(record), to) != sizeof(record)) {
			err = -EFAULT;
			break;
		}
		done += (ssize_t)sizeof(record);
	}
	return done ? done : err;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->private;
	struct task *t = current;

	poll_wait(pt, f, signalfd_queue(t->proc));
	smp_mb();	/* queued before looking; pairs with wait_queue_active in the sender */
	return (atomic_load(&t->pending.set.bits) | atomic_load(&t->proc->shared_pending.set.bits)) & atomic_load(&s->mask) ? EPOLLIN : 0;
}

static void signalfd_release(struct file *f) { kfree(f->private); }

static const struct file_ops signalfd_fops = { .read = signalfd_read, .seek = noop_seek, .poll = signalfd_poll, .release = signalfd_release };

bool file_is_signalfd(const struct file *f) { return f->ops == &signalfd_fops; }

static long signalfd_change(int fd, u64 mask)
{
	struct file *f = fd_get(fd);
	long err = 0;

	if (!f)
		return -EBADF;
	if (f->ops == &signalfd_fops) {
		atomic_store(&((struct signalfd *)f->private)->mask, mask);
		wake_up_all(signalfd_queue(current->proc));
	} else {
		err = -EINVAL;
	}
	file_put(f);
	return err ? err : fd;
}

long sys_signalfd4(int ufd, const struct sigset __user *umask, size_t size, u32 flags)
{
	struct signalfd *s;
	struct sigset mask;
	struct file *f;
	int fd;

	if (size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, umask, sizeof(mask)))
		return -EFAULT;
	if (flags & ~(u32)(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	mask.bits &= ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP));
	if (ufd != -1)
		return signalfd_change(ufd, mask.bits);
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	s->mask = mask.bits;
	fd = anon_file_create("[signalfd]", &signalfd_fops, s, O_RDWR | (flags & O_NONBLOCK), &f);
	if (fd) {
		kfree(s);
		return fd;
	}
	fd = fd_install_new(f, flags);
	if (fd < 0)
		file_put_now(f);
	return fd;
}
