/* The signal calls.  sigaction(2), sigprocmask(2), sigsuspend(2), sigwaitinfo(2), kill(2), tgkill(2), sigaltstack(2). */
#include <linux/capability.h>
#include <linux/signal.h>
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <syscall_protos.h>

struct user_sigaction { u64 handler; u64 flags; u64 restorer; struct sigset mask; };

static bool sig_valid(int sig) { return sig >= 1 && sig <= NSIG; }

long sys_rt_sigaction(int sig, void __user *act, void __user *old, size_t size)
{
	struct sighand *sh = current->proc->sighand;
	struct user_sigaction n, o;

	if (size != sizeof(struct sigset) || !sig_valid(sig) || (act && (sig == SIGKILL || sig == SIGSTOP)))
		return -EINVAL;
	if (act && copy_from_user(&n, act, sizeof(n)))
		return -EFAULT;
	spin_lock_irq(&sh->lock);
	o = (struct user_sigaction){ sh->action[sig - 1].handler, sh->action[sig - 1].flags, sh->action[sig - 1].restorer,
				     sh->action[sig - 1].mask };
	if (act) {
		n.mask.bits &= ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP));
		sh->action[sig - 1] = (struct ksigaction){ n.handler, n.flags, n.restorer, n.mask };
		if (n.handler == (u64)SIG_IGN ||
		    (n.handler == (u64)SIG_DFL && (sig == SIGCONT || sig == SIGCHLD || sig == SIGWINCH || sig == SIGURG)))
			signal_discard_locked(current->proc, sig);
	}
	spin_unlock_irq(&sh->lock);
	return old && copy_to_user(old, &o, sizeof(o)) ? -EFAULT : 0;
}

long sys_rt_sigprocmask(int how, void __user *set, void __user *old, size_t size)
{
	struct sigset cur = current->blocked, n;

	if (size != sizeof(struct sigset))
		return -EINVAL;
	if (set) {
		if (copy_from_user(&n, set, sizeof(n)))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			n.bits |= cur.bits;
			break;
		case SIG_UNBLOCK:
			n.bits = cur.bits & ~n.bits;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(n);
	}
	return old && copy_to_user(old, &cur, sizeof(cur)) ? -EFAULT : 0;
}

long sys_rt_sigpending(void __user *set, size_t size)
{
	struct task *t = current;
	struct sigset s;

	if (size > sizeof(struct sigset))
		return -EINVAL;
	spin_lock_irq(&t->proc->sighand->lock);
	s.bits = (t->pending.set.bits | t->proc->shared_pending.set.bits) & t->blocked.bits;
	spin_unlock_irq(&t->proc->sighand->lock);
	return copy_to_user(set, &s, size) ? -EFAULT : 0;
}

long sys_rt_sigsuspend(const struct sigset __user *mask, size_t size)
{
	struct sigset n;

	if (size != sizeof(n))
		return -EINVAL;
	if (copy_from_user(&n, mask, sizeof(n)))
		return -EFAULT;
	current->saved_sigmask = current->blocked;
	current->restore_sigmask = true;
	signal_set_blocked(n);
	while (!signal_pending()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!signal_pending())
			schedule();
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	return -ERESTARTNOHAND;
}

/* Sleep until a signal of set is pending, another is deliverable, or the deadline passes. */
static int wait_signal(struct sigset set, u64 deadline, siginfo_t *info)
{
	struct task *t = current;
	struct sighand *sh = t->proc->sighand;
	int ret;

	for (;;) {
		spin_lock_irq(&sh->lock);
		t->sigwait = set;
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_take_locked(set.bits, info)) {
			ret = info->si_signo;
			break;
		}
		recalc_sigpending_locked(t);
		if (signal_pending()) {
			ret = -EINTR;
			break;
		}
		if (deadline != TIME_NEVER && clock_mono_ns() >= deadline) {
			ret = -EAGAIN;
			break;
		}
		spin_unlock_irq(&sh->lock);
		schedule_until(deadline);
	}
	WRITE_ONCE(t->state, TASK_RUNNING);
	t->sigwait.bits = 0;
	recalc_sigpending_locked(t);
	spin_unlock_irq(&sh->lock);
	return ret;
}

long sys_rt_sigtimedwait(void __user *uset, void __user *uinfo, void __user *timeout, size_t size)
{
	struct __kernel_timespec ts;
	u64 deadline = TIME_NEVER;
	struct sigset set;
	siginfo_t info;
	int sig;

	if (size != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, uset, sizeof(set)) || (timeout && copy_from_user(&ts, timeout, sizeof(ts))))
		return -EFAULT;
	if (timeout) {
		if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
			return -EINVAL;
		deadline = clock_mono_ns() + min((u64)ts.tv_sec, 1ul << 32) * NSEC_PER_SEC + (u64)ts.tv_nsec;
	}
	set.bits &= ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP));
	sig = wait_signal(set, deadline, &info);
	if (sig > 0 && uinfo && copy_to_user(uinfo, &info, sizeof(info)))
		return -EFAULT;
	return sig;
}

/* kill(2): same real or effective uid as the target's real or saved one, CAP_KILL, or SIGCONT within the session. */
static bool may_signal(const struct process *p, int sig)
{
	const struct cred *c = current->cred, *t = rcu_dereference(READ_ONCE(p->leader)->cred);

	if (c->euid == t->suid || c->euid == t->uid || c->uid == t->suid || c->uid == t->uid || capable(CAP_KILL))
		return true;
	return sig == SIGCONT && READ_ONCE(p->sid) == READ_ONCE(current->proc->sid);
}

void signal_user_info(siginfo_t *info, int sig, int code)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	info->si_code = code;
	info->si_pid = current->proc->pid;
	info->si_uid = current->cred->uid;
}

int signal_kill(struct process *p, int sig, const siginfo_t *info)
{
	if (sig && !sig_valid(sig))
		return -EINVAL;
	if (!may_signal(p, sig))
		return -EPERM;
	return sig ? signal_send_process(p, sig, info) : 0;
}

struct kill_many { int sig; const siginfo_t *info; int err; bool any, ok; };

static void kill_one(struct process *p, void *arg)
{
	struct kill_many *k = arg;

	k->any = true;		/* those who have ended, but are not waited for, count */
	k->err = signal_kill(p, k->sig, k->info);
	k->ok |= !k->err;
}

/* pid 0: own group; -1: everybody but init and us; below: that group. */
static int kill_many(int pid, int sig, const siginfo_t *info)
{
	struct kill_many k = { .sig = sig, .info = info, .err = -ESRCH };
	struct task *t;

	spin_lock_irq(&proc_lock);
	if (pid != -1)
		pgrp_for_each_locked(pid ? -pid : current->proc->pgid, kill_one, &k);
	else
		list_for_each_entry(t, &all_tasks, all_link)
			if (t->proc->leader == t && !t->proc->is_init && t->proc != current->proc)
				kill_one(t->proc, &k);
	spin_unlock_irq(&proc_lock);
	return k.ok ? 0 : k.any && pid != -1 ? k.err : pid == -1 && k.any ? 0 : -ESRCH;
}

long sys_kill(int pid, int sig)
{
	struct process *p;
	siginfo_t info;
	int err;

	if (sig && !sig_valid(sig))
		return -EINVAL;
	if (pid == (int)0x80000000)
		return -ESRCH;
	signal_user_info(&info, sig, SI_USER);
	rcu_read_lock();
	if (pid > 0) {
		p = process_find(pid);
		err = p ? signal_kill(p, sig, &info) : -ESRCH;
	} else {
		err = kill_many(pid, sig, &info);
	}
	rcu_read_unlock();
	return err;
}

static long do_tkill(int tgid, int tid, int sig, const siginfo_t *info)
{
	struct task *t;
	int err = 0;

	if (tid <= 0 || (sig && !sig_valid(sig)))
		return -EINVAL;
	rcu_read_lock();
	t = task_find(tid);
	if (!t || (tgid > 0 && t->proc->pid != tgid))
		err = -ESRCH;
	else if (!may_signal(t->proc, sig))
		err = -EPERM;
	else if (sig)
		err = signal_send_task(t, sig, info);
	rcu_read_unlock();
	return err;
}

long sys_tgkill(int tgid, int tid, int sig)
{
	siginfo_t info;

	if (tgid <= 0)
		return -EINVAL;
	signal_user_info(&info, sig, SI_TKILL);
	return do_tkill(tgid, tid, sig, &info);
}

long sys_tkill(int tid, int sig)
{
	siginfo_t info;

	signal_user_info(&info, sig, SI_TKILL);
	return do_tkill(0, tid, sig, &info);
}

static int copy_info(siginfo_t *info, const void __user *uinfo, int sig, int target)
{
	if (copy_from_user(info, uinfo, sizeof(*info)))
		return -EFAULT;
	info->si_signo = sig;
	/* only the kernel may speak as the kernel, or as kill, to others */
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && target != current->proc->pid && target != current->tid)
		return -EPERM;
	return 0;
}

long sys_rt_sigqueueinfo(int pid, int sig, void __user *uinfo)
{
	struct process *p;
	siginfo_t info;
	int err = copy_info(&info, uinfo, sig, pid);

	if (err)
		return err;
	if (sig && !sig_valid(sig))
		return -EINVAL;
	rcu_read_lock();
	p = process_find(pid);
	err = p ? signal_kill(p, sig, &info) : -ESRCH;
	rcu_read_unlock();
	return err;
}

long sys_rt_tgsigqueueinfo(int tgid, int tid, int sig, void __user *uinfo)
{
	siginfo_t info;
	int err;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	err = copy_info(&info, uinfo, sig, tid);
	return err ? err : do_tkill(tgid, tid, sig, &info);
}

long sys_sigaltstack(void __user *ss, void __user *old)
{
	struct sigaltstack_state *a = &current->altstack;
	u64 sp = current_frame()->sp;
	bool on = !(a->flags & SS_DISABLE) && a->size && sp > a->sp && sp - a->sp <= a->size;
	stack_t n, o = { .ss_sp = (void *)a->sp, .ss_size = a->size,
			 .ss_flags = (int)(on ? SS_ONSTACK : a->size ? a->flags & SS_AUTODISARM : SS_DISABLE) };

	if (ss) {
		if (copy_from_user(&n, ss, sizeof(n)))
			return -EFAULT;
		if (on)
			return -EPERM;
		if (n.ss_flags & ~(SS_ONSTACK | SS_DISABLE | (int)SS_AUTODISARM))
			return -EINVAL;
		if (n.ss_flags & SS_DISABLE) {
			*a = (struct sigaltstack_state){ .flags = SS_DISABLE };
		} else {
			if (n.ss_size < 5120)		/* MINSIGSTKSZ on arm64 */
				return -ENOMEM;
			*a = (struct sigaltstack_state){ (u64)n.ss_sp, n.ss_size, (u32)n.ss_flags & SS_AUTODISARM };
		}
	}
	return old && copy_to_user(old, &o, sizeof(o)) ? -EFAULT : 0;
}

long sys_restart_syscall(void)
{
	struct restart_block *rb = &current->restart;

	return rb->func ? rb->func(rb) : -EINTR;
}

int sigmask_push(const struct sigset __user *user, size_t size)
{
	struct sigset n;

	if (!user)
		return 0;
	if (size != sizeof(n))
		return -EINVAL;
	if (copy_from_user(&n, user, sizeof(n)))
		return -EFAULT;
	current->saved_sigmask = current->blocked;
	current->restore_sigmask = true;
	signal_set_blocked(n);
	return 0;
}

void sigmask_pop(bool interrupted)
{
	if (!current->restore_sigmask || interrupted)
		return;
	current->restore_sigmask = false;
	signal_set_blocked(current->saved_sigmask);
}

void signal_dispositions(struct process *p, u64 *ignored, u64 *caught)
{
	irqflags_t flags = spin_lock_irqsave(&p->sighand->lock);

	*ignored = *caught = 0;
	for (int sig = 1; sig <= NSIG; sig++) {
		u64 handler = p->sighand->action[sig - 1].handler;

		if (handler == (u64)SIG_IGN)
			*ignored |= sig_bit(sig);
		else if (handler != (u64)SIG_DFL)
			*caught |= sig_bit(sig);
	}
	spin_unlock_irqrestore(&p->sighand->lock, flags);
}
