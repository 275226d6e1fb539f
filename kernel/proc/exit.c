/* The end of tasks and processes, and waiting for it.
 *
 * A thread that exits gives up what it holds; the last one of a process turns it into a zombie, hands its children to the nearest
 * subreaper or init, and tells the parent.  The zombie stays linked (its leader in the tables) until a wait reaps it, or at once if
 * the parent ignores SIGCHLD.  All links change under proc_lock.  wait(2), exit(3), credentials(7) for orphaned groups. */
#include <asm/fcntl.h>
#include <asm/resource.h>
#include <linux/resource.h>
#include <linux/wait.h>
#include <arch/uaccess.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/debug/trace_point.h>
#include <kernel/errno.h>
#include <kernel/ipc/task.h>
#include <kernel/lib/string.h>
#include <kernel/proc/pidfd.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/sched/sched.h>
#include <kernel/time/itimer.h>
#include <kernel/sync/lockcheck.h>
#include <mm/slab.h>
#include <mm/vma.h>
#include <syscall_protos.h>

void (*tty_session_exit_hook)(struct process *leader);

static void release_resources(struct task *t)
{
	struct mm *mm = t->mm;

	futex_exit(t, false);
	spin_lock_irq(&proc_lock);
	if (t->vfork_done) {
		complete(t->vfork_done);
		t->vfork_done = NULL;
	}
	spin_unlock_irq(&proc_lock);
	if (mm) {
		usage_note_rss(t->proc, mm);
		mm_exit();
	}
	sem_exit(t);
	shm_exit();
	if (t->files)
		fdtable_put(t->files);
	t->files = NULL;
	if (t->fs)
		fs_struct_put(t->fs);
	t->fs = NULL;
	task_work_run();
}

static struct process *new_parent(struct process *dead)
{
	struct process *p;

	for (p = dead->parent; p; p = p->parent)
		if ((p->child_subreaper || p->is_init) && !p->zombie)
			return p;
	return init_process;
}

static void signal_one(struct process *p, void *arg)
{
	spin_lock(&p->sighand->lock);
	signal_send_locked(NULL, p, *(int *)arg, NULL);
	spin_unlock(&p->sighand->lock);
}

static void any_stopped(struct process *p, void *arg)
{
	if (p->group_flags & PROC_STOPPED)
		*(bool *)arg = true;
}

/* A group that has just become orphaned and has stopped members gets SIGHUP and SIGCONT. */
void orphan_check_locked(struct process *p, struct process *old_parent)
{
	bool stopped = false;
	int hup = SIGHUP, cont = SIGCONT;

	if (!old_parent || old_parent->pgid == p->pgid || old_parent->sid != p->sid || !pgrp_is_orphaned_locked(p->pgid))
		return;
	pgrp_for_each_locked(p->pgid, any_stopped, &stopped);
	if (!stopped)
		return;
	pgrp_for_each_locked(p->pgid, signal_one, &hup);
	pgrp_for_each_locked(p->pgid, signal_one, &cont);
}

static void reap_locked(struct process *p)
{
	struct task *leader = p->leader;

	list_del_init(&p->sibling);
	pid_unlink_task(leader);
	list_del_rcu(&leader->thread_link);
	pid_groups_leave(p);
}

/* Tell the parent; true if nobody will wait for it, so that it goes at once. */
static bool zombie_notify_locked(struct process *p)
{
	struct process *parent = p->parent;
	const struct ksigaction *act = &parent->sighand->action[SIGCHLD - 1];
	bool ignored = p->exit_signal == SIGCHLD && (act->handler == (u64)SIG_IGN || (act->flags & SA_NOCLDWAIT));
	int status = p->group_exit_code;

	if (p->exit_signal && !(ignored && act->handler == (u64)SIG_IGN))
		notify_parent_locked(p, status & 0x7f ? (status & 0x80 ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED,
				     status & 0x7f ? status & 0x7f : status >> 8 & 0xff);
	wake_up_all(&parent->child_wait);
	return ignored || p->autoreap;
}

/* prctl(2), PR_SET_PDEATHSIG: the parent whose end counts is the thread that forked.  Its children go to heir; all of the
 * process's when its last thread ends. */
static void forker_gone_locked(struct task *gone, struct task *heir, bool all)
{
	struct process *c;
	struct task *t;

	list_for_each_entry(c, &gone->proc->children, sibling) {
		if (c->forker != gone && !all)
			continue;
		c->forker = heir;
		list_for_each_entry(t, &c->threads, thread_link)
			if (t->pdeath_signal) {
				spin_lock(&c->sighand->lock);
				signal_send_locked(NULL, c, (int)t->pdeath_signal, NULL);
				spin_unlock(&c->sighand->lock);
			}
	}
}

static struct task *living_thread(struct process *p)
{
	struct task *t;

	list_for_each_entry(t, &p->threads, thread_link)
		if (!(t->pflags & PF_EXITING))
			return t;
	return p->leader;
}

static void reparent_children_locked(struct process *dead, struct list_head *orphans)
{
	struct process *heir = new_parent(dead), *c, *n;

	list_for_each_entry_safe(c, n, &dead->children, sibling) {
		c->parent = heir;
		list_move_tail(&c->sibling, &heir->children);
		c->exit_signal = SIGCHLD;
		if (!c->zombie) {
			orphan_check_locked(c, dead);
		} else if (zombie_notify_locked(c)) {
			reap_locked(c);
			list_add_tail(&c->sibling, orphans);
		}
	}
}

static void drop_reaped(struct process *p)
{
	struct task *leader = p->leader;

	spin_lock_irq(&p->sighand->lock);	/* a sender may still be at it */
	sigpending_flush(&leader->pending);
	sigpending_flush(&p->shared_pending);
	spin_unlock_irq(&p->sighand->lock);
	task_put(leader);	/* the tables' reference */
}

/* The last thread is gone. */
static void process_end(struct process *p)
{
	struct process *c, *n;
	LIST_HEAD(orphans);
	bool reap;

	if (p->session_leader && tty_session_exit_hook)
		tty_session_exit_hook(p);
	if (p->exe)
		file_put(p->exe);
	p->exe = NULL;
	task_work_run();
	spin_lock_irq(&proc_lock);
	forker_gone_locked(current, living_thread(new_parent(p)), true);
	reparent_children_locked(p, &orphans);
	atomic_store(&p->zombie, true);
	pidfd_ended(p);
	orphan_check_locked(p, p->parent);	/* it may have changed until the lock was taken */
	reap = zombie_notify_locked(p);
	if (reap)
		reap_locked(p);
	spin_unlock_irq(&proc_lock);
	list_for_each_entry_safe(c, n, &orphans, sibling)
		drop_reaped(c);
	if (reap)
		drop_reaped(p);
}

void thread_exit(int status)
{
	struct task *t = current;
	struct process *p = t->proc;
	bool last;

	signal_thread_leaves();
	TRACE_TEXT(sched_exit, t->comm, (u64)status);
	if (p->is_init && p->nr_threads == 1)
		panic("init exited, status %d", status);
	release_resources(t);
	spin_lock_irq(&proc_lock);
	spin_lock(&p->sighand->lock);
	last = --p->nr_threads == 0;
	if (last && !(p->group_flags & PROC_GROUP_EXIT))
		p->group_exit_code = status;
	usage_thread_ends_locked(t);
	spin_unlock(&p->sighand->lock);
	if (!last)
		forker_gone_locked(t, living_thread(p), false);
	if (p->leader != t) {
		pid_unlink_task(t);
		list_del_rcu(&t->thread_link);
		if (p->group_exec)
			task_wake(p->group_exec, TASK_UNINTERRUPTIBLE);
	} else {
		task_get(t);		/* the tables keep the leader until it is reaped */
		if (p->group_exec)
			task_wake(p->group_exec, TASK_UNINTERRUPTIBLE);
	}
	spin_unlock_irq(&proc_lock);
	spin_lock_irq(&p->sighand->lock);
	sigpending_flush(&t->pending);
	spin_unlock_irq(&p->sighand->lock);
	if (last) {
		posix_timers_exit(p, false);
		process_end(p);
	}
	sched_exit();
}

static void kill_thread_locked(struct task *t)
{
	t->pending.set.bits |= sig_bit(SIGKILL);
	signal_wake_locked(t, true);
}

/* Mark the whole group and kill every other thread. sighand lock held. */
void group_exit_locked(struct process *p, int status)
{
	struct task *t;

	if (p->group_flags & PROC_GROUP_EXIT)
		return;
	p->group_flags |= PROC_GROUP_EXIT;
	p->group_flags &= ~(u32)PROC_STOPPED;
	p->group_exit_code = status;
	list_for_each_entry_rcu(t, &p->threads, thread_link)
		if (t != current && !(t->pflags & PF_EXITING))
			kill_thread_locked(t);
}

void process_exit(int status)
{
	struct process *p = current->proc;

	rcu_read_lock();
	spin_lock_irq(&p->sighand->lock);
	if (p->group_flags & PROC_GROUP_EXIT)
		status = p->group_exit_code;
	else
		group_exit_locked(p, status);
	spin_unlock_irq(&p->sighand->lock);
	rcu_read_unlock();
	thread_exit(status);
}

long sys_exit(int status)
{
	thread_exit((status & 0xff) << 8);
}

long sys_exit_group(int status)
{
	process_exit((status & 0xff) << 8);
}

/* --- waiting */

struct wait_spec {
	int options;
	enum { WAIT_ANY, WAIT_PID, WAIT_PGRP, WAIT_PIDFD } kind;
	s32 id;
	const struct process *child;	/* WAIT_PIDFD: referenced by its file */
	bool got;			/* a child of that kind exists */
	s32 pid;			/* out */
	int status, code;
	u32 uid;
	struct rusage ru;
	struct usage usage;
	struct process *reaped;
};

static bool wait_matches(const struct wait_spec *w, const struct process *c)
{
	if (w->kind == WAIT_PID && c->pid != w->id)
		return false;
	if (w->kind == WAIT_PGRP && c->pgid != w->id)
		return false;
	if (w->kind == WAIT_PIDFD && c != w->child)
		return false;
	if (w->options & __WALL)
		return true;
	return !(w->options & __WCLONE) == (c->exit_signal == SIGCHLD);
}

static void take(struct wait_spec *w, struct process *c, int status, int code)
{
	struct usage u;

	w->pid = c->pid;
	w->status = status;
	w->code = code;
	w->uid = c->leader->cred->uid;
	usage_of_process(c, &u);
	usage_add(&u, &c->child_usage);
	usage_to_rusage(&u, &w->ru);
	w->usage = u;
}

/* Is there something to report of c?  proc_lock held. */
static bool try_child(struct wait_spec *w, struct process *c)
{
	struct process *me = current->proc;

	if (c->zombie && (w->options & WEXITED)) {
		int st = c->group_exit_code;

		take(w, c, st, st & 0x7f ? (st & 0x80 ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED);
		if (!(w->options & WNOWAIT)) {
			usage_add(&me->child_usage, &w->usage);
			reap_locked(c);
			w->reaped = c;
		}
		return true;
	}
	if (c->zombie)
		return false;
	if ((w->options & WUNTRACED) && (c->wait_events & WAIT_EV_STOPPED)) {
		take(w, c, (int)(c->stop_sig << 8 | 0x7f), CLD_STOPPED);
		if (!(w->options & WNOWAIT))
			c->wait_events &= ~(u32)WAIT_EV_STOPPED;
		return true;
	}
	if ((w->options & WCONTINUED) && (c->wait_events & WAIT_EV_CONTINUED)) {
		take(w, c, 0xffff, CLD_CONTINUED);
		if (!(w->options & WNOWAIT))
			c->wait_events &= ~(u32)WAIT_EV_CONTINUED;
		return true;
	}
	return false;
}

static bool wait_scan(struct wait_spec *w)
{
	struct process *c;
	bool done = false;

	w->got = false;
	w->reaped = NULL;
	spin_lock_irq(&proc_lock);
	list_for_each_entry(c, &current->proc->children, sibling) {
		if (!wait_matches(w, c))
			continue;
		w->got = true;
		done = try_child(w, c);
		if (done)
			break;
	}
	spin_unlock_irq(&proc_lock);
	if (w->reaped)
		drop_reaped(w->reaped);
	return done;
}

/* 1 something found, 0 nothing yet and WNOHANG, or -errno. */
static int do_wait(struct wait_spec *w)
{
	int err;
	bool done = false;

	err = wait_event_interruptible(&current->proc->child_wait,
				       (done = wait_scan(w)) || !w->got || (w->options & WNOHANG));
	if (done)
		return 1;
	if (err)
		return err;
	return w->got ? 0 : -ECHILD;
}

long sys_wait4(int pid, void __user *status, int options, void __user *ru)
{
	struct wait_spec w = { .options = options | WEXITED, .kind = WAIT_ANY };
	int n;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == (int)0x80000000)
		return -ESRCH;
	if (pid > 0) {
		w.kind = WAIT_PID;
		w.id = pid;
	} else if (pid != -1) {
		w.kind = WAIT_PGRP;
		w.id = pid ? -pid : current->proc->pgid;
	}
	n = do_wait(&w);
	if (n <= 0)
		return n;
	if (status && put_user(w.status, (int __user *)status))
		return -EFAULT;
	if (ru && copy_to_user(ru, &w.ru, sizeof(w.ru)))
		return -EFAULT;
	return w.pid;
}

/* A descriptor opened with PIDFD_NONBLOCK makes the wait one that does not wait: -EAGAIN. */
static int waitid_pidfd(struct wait_spec *w)
{
	struct file *f = fd_get(w->id);
	bool asked = w->options & WNOHANG;
	int n = -EBADF;

	if (!f)
		return n;
	w->kind = WAIT_PIDFD;
	w->child = pidfd_process(f);
	if (f->flags & O_NONBLOCK)
		w->options |= WNOHANG;
	if (w->child)
		n = do_wait(w);
	if (!n && !asked && (f->flags & O_NONBLOCK))
		n = -EAGAIN;
	file_put(f);
	return n;
}

static int waitid_wait(struct wait_spec *w, int which)
{
	int options = w->options, id = w->id;

	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	switch (which) {
	case P_ALL:
		w->kind = WAIT_ANY;
		break;
	case P_PID:
		w->kind = WAIT_PID;
		if (id <= 0)
			return -EINVAL;
		break;
	case P_PGID:
		w->kind = WAIT_PGRP;
		if (id < 0)
			return -EINVAL;
		if (!id)
			w->id = current->proc->pgid;
		break;
	case P_PIDFD:
		if (id < 0)
			return -EINVAL;
		return waitid_pidfd(w);
	default:
		return -EINVAL;
	}
	return do_wait(w);
}

/* As on Linux, *info is written even if the wait fails (all zero), and its fault is what is told then. */
long sys_waitid(int which, int id, void __user *info, int options, void __user *ru)
{
	struct wait_spec w = { .options = options, .id = id };
	siginfo_t si;
	int n = waitid_wait(&w, which);

	memset(&si, 0, sizeof(si));
	if (n > 0) {
		si.si_signo = SIGCHLD;
		si.si_code = w.code;
		si.si_pid = w.pid;
		si.si_uid = w.uid;
		si.si_status = w.code == CLD_EXITED ? w.status >> 8 & 0xff : w.code == CLD_STOPPED ? w.status >> 8 & 0xff :
			       w.code == CLD_CONTINUED ? SIGCONT : w.status & 0x7f;
	}
	if (n > 0 && ru && copy_to_user(ru, &w.ru, sizeof(w.ru)))
		return -EFAULT;
	if (info && copy_to_user(info, &si, sizeof(si)))
		return -EFAULT;
	return n < 0 ? n : 0;
}
