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
#include <kernel/proc/coredump.h>
#include <kernel/proc/pidfd.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/ptrace.h>
#include <kernel/proc/seccomp.h>
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
	fs_struct_leave(t, NULL);
	task_work_run();
}

static struct process *new_parent(struct process *dead)
{
	struct process *p;

	for (p = dead->parent; p; p = p->parent)
		if ((READ_ONCE(p->child_subreaper) || p->is_init) && !p->zombie)
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

static int end_code(int status) { return status & 0x7f ? (status & 0x80 ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED; }
static int end_value(int status) { return status & 0x7f ? status & 0x7f : status >> 8 & 0xff; }

/* By ignoring SIGCHLD, or with SA_NOCLDWAIT, one says that one does not wait. */
static bool ignores_children(const struct process *p)
{
	const struct ksigaction *act = &p->sighand->action[SIGCHLD - 1];

	return act->handler == (u64)SIG_IGN || (act->flags & SA_NOCLDWAIT);
}

/* A tracer elsewhere is told first; the parent when that has waited, or lets go. */
void zombie_notify_locked(struct process *p, struct reaped *r)
{
	struct process *parent = p->parent;
	bool ignored = p->exit_signal == SIGCHLD && ignores_children(parent);
	int status = p->group_exit_code;

	if (p->nr_unreaped)
		return;		/* told when they have gone */
	if (ptrace_reparented_locked(p->leader)) {
		struct process *tracer = p->leader->tracer->proc;

		process_tell_locked(tracer, p->leader, SIGCHLD, end_code(status), end_value(status));
		if (!ignores_children(tracer))
			return;
	}
	if (p->leader->ptrace && (ignored || p->autoreap || ptrace_reparented_locked(p->leader)))
		ptrace_unlink_locked(p->leader);
	if (p->exit_signal && !(ignored && parent->sighand->action[SIGCHLD - 1].handler == (u64)SIG_IGN))
		notify_parent_locked(p, end_code(status), end_value(status));
	wake_up_all(&parent->child_wait);
	if (ignored || p->autoreap) {
		reap_locked(p);
		list_add_tail(&p->sibling, &r->processes);
	}
}

void thread_reap_locked(struct task *t, struct reaped *r)
{
	struct process *p = t->proc;

	pid_unlink_task(t);
	list_del_rcu(&t->thread_link);
	list_add_tail(&t->trace_link, &r->threads);
	if (--p->nr_unreaped == 0 && p->zombie)
		zombie_notify_locked(p, r);
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

static void reparent_children_locked(struct process *dead, struct reaped *r)
{
	struct process *heir = new_parent(dead), *c, *n;

	list_for_each_entry_safe(c, n, &dead->children, sibling) {
		c->parent = heir;
		list_move_tail(&c->sibling, &heir->children);
		c->exit_signal = SIGCHLD;
		if (!c->zombie)
			orphan_check_locked(c, dead);
		else if (!ptrace_reparented_locked(c->leader))	/* a tracer has been told, and passes it on */
			zombie_notify_locked(c, r);
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

void reaped_put(struct reaped *r)
{
	struct process *p, *np;
	struct task *t, *nt;

	list_for_each_entry_safe(t, nt, &r->threads, trace_link) {
		list_del_init(&t->trace_link);
		task_put(t);
	}
	list_for_each_entry_safe(p, np, &r->processes, sibling)
		drop_reaped(p);
}

/* The last thread is gone. */
static void process_end(struct process *p)
{
	struct reaped r = REAPED_INIT(r);

	if (p->session_leader && tty_session_exit_hook)
		tty_session_exit_hook(p);
	if (p->exe)
		file_put(p->exe);
	p->exe = NULL;
	task_work_run();
	spin_lock_irq(&proc_lock);
	forker_gone_locked(current, living_thread(new_parent(p)), true);
	reparent_children_locked(p, &r);
	atomic_store(&p->zombie, true);
	pidfd_ended(p);
	orphan_check_locked(p, p->parent);	/* it may have changed until the lock was taken */
	zombie_notify_locked(p, &r);
	spin_unlock_irq(&proc_lock);
	reaped_put(&r);
}

/* t is a traced thread, not the first: it stays until its tracer has waited for it. */
static void stay_for_tracer_locked(struct task *t, int status, struct reaped *r)
{
	struct process *p = t->proc, *tracer = t->tracer->proc;

	t->exit_code = p->group_flags & PROC_GROUP_EXIT ? p->group_exit_code : status;
	p->nr_unreaped++;
	task_get(t);
	process_tell_locked(tracer, t, SIGCHLD, end_code(t->exit_code), end_value(t->exit_code));
	if (ignores_children(tracer)) {
		ptrace_unlink_locked(t);
		thread_reap_locked(t, r);
	}
}

void thread_exit(int status)
{
	struct task *t = current;
	struct process *p = t->proc;
	struct reaped r = REAPED_INIT(r);
	bool last;

	coredump_join();
	ptrace_exit(status);
	signal_thread_leaves();
	TRACE_TEXT(sched_exit, t->comm, (u64)status);
	if (p->is_init && p->nr_threads == 1)
		panic("init exited, status %d", status);
	release_resources(t);
	seccomp_exit();
	spin_lock_irq(&proc_lock);
	spin_lock(&p->sighand->lock);
	last = --p->nr_threads == 0;
	if (last && !(p->group_flags & PROC_GROUP_EXIT))
		p->group_exit_code = status;
	usage_thread_ends_locked(t);
	spin_unlock(&p->sighand->lock);
	if (!last)
		forker_gone_locked(t, living_thread(p), false);
	if (unlikely(!list_empty(&t->tracees)))
		ptrace_tracer_ends_locked(&r);
	if (p->leader != t && unlikely(t->ptrace)) {
		stay_for_tracer_locked(t, status, &r);
		if (p->group_exec)
			task_wake(p->group_exec, TASK_UNINTERRUPTIBLE);
	} else if (p->leader != t) {
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
	reaped_put(&r);
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
		if (t != current && !(t->pflags & PF_EXITING)) {
			t->jobctl &= ~(u32)JOBCTL_PENDING;
			kill_thread_locked(t);
		}
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
	struct reaped reaped;
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

/* The end of c, which current's process is to hear of: as its parent, or as its tracer, who passes it on. */
static void take_end(struct wait_spec *w, struct process *c)
{
	int st = c->group_exit_code;
	bool elsewhere = ptrace_reparented_locked(c->leader);

	take(w, c, st, end_code(st));
	if (w->options & WNOWAIT)
		return;
	if (c->leader->ptrace)
		ptrace_unlink_locked(c->leader);
	if (elsewhere) {
		zombie_notify_locked(c, &w->reaped);
		return;
	}
	usage_add(&current->proc->child_usage, &w->usage);
	reap_locked(c);
	list_add_tail(&c->sibling, &w->reaped.processes);
}

static void take_thread(struct wait_spec *w, struct task *t, int status, int code)
{
	take(w, t->proc, status, code);
	w->pid = t->tid;
	w->uid = t->cred->uid;
}

/* Is there something to report of t, which a thread of current's process traces?  proc_lock held. */
static bool try_tracee(struct wait_spec *w, struct task *t)
{
	struct process *p = t->proc;
	int code = 0;

	if (p->leader == t && p->zombie && !p->nr_unreaped && (w->options & WEXITED)) {
		take_end(w, p);
		return true;
	}
	if (p->leader != t && t->accounted && (w->options & WEXITED)) {
		int st = p->group_flags & PROC_GROUP_EXIT ? p->group_exit_code : t->exit_code;	/* the process may have ended after it */

		take_thread(w, t, st, end_code(st));
		if (!(w->options & WNOWAIT)) {
			ptrace_unlink_locked(t);
			thread_reap_locked(t, &w->reaped);
		}
		return true;
	}
	spin_lock(&p->sighand->lock);
	if (READ_ONCE(t->state) == TASK_TRACED && !(t->jobctl & JOBCTL_LISTENING)) {
		code = t->exit_code;
		if (!(w->options & WNOWAIT))
			t->exit_code = 0;
	}
	spin_unlock(&p->sighand->lock);
	if (code)
		take_thread(w, t, code << 8 | 0x7f, CLD_TRAPPED);
	return code;
}

/* Is there something to report of the child c?  proc_lock held. */
static bool try_child(struct wait_spec *w, struct process *c)
{
	if (c->leader->tracer && c->leader->tracer->proc == current->proc && try_tracee(w, c->leader))
		return true;
	if (c->zombie && (w->options & WEXITED) && !c->nr_unreaped && !ptrace_reparented_locked(c->leader)) {
		take_end(w, c);
		return true;
	}
	if (c->zombie)
		return false;
	if ((w->options & WUNTRACED) && (c->wait_events & WAIT_EV_STOPPED) && (!c->leader->ptrace || ptrace_reparented_locked(c->leader))) {
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

static bool tracee_matches(const struct wait_spec *w, const struct task *t)
{
	switch (w->kind) {
	case WAIT_PID:
		return t->tid == w->id;
	case WAIT_PGRP:
		return t->proc->pgid == w->id;
	case WAIT_PIDFD:
		return t->proc == w->child && t->proc->leader == t;
	default:
		return true;
	}
}

/* Those whom one thread of the process traces, without regard to __WCLONE. */
static bool scan_tracees(struct wait_spec *w, const struct task *tracer)
{
	struct task *t;

	list_for_each_entry(t, &tracer->tracees, trace_link) {
		if (!tracee_matches(w, t))
			continue;
		w->got = true;
		if (try_tracee(w, t))
			return true;
	}
	return false;
}

static bool scan_children(struct wait_spec *w)
{
	struct process *c;

	list_for_each_entry(c, &current->proc->children, sibling) {
		if (!wait_matches(w, c) || ((w->options & __WNOTHREAD) && c->forker != current))
			continue;
		w->got = true;
		if (try_child(w, c))
			return true;
	}
	return false;
}

static bool wait_scan(struct wait_spec *w)
{
	const struct task *t;
	bool done;

	w->got = false;
	list_init(&w->reaped.processes);
	list_init(&w->reaped.threads);
	spin_lock_irq(&proc_lock);
	done = scan_children(w);
	if (!done && (w->options & __WNOTHREAD))
		done = scan_tracees(w, current);
	else if (!done)
		list_for_each_entry(t, &current->proc->threads, thread_link) {
			done = scan_tracees(w, t);
			if (done)
				break;
		}
	spin_unlock_irq(&proc_lock);
	reaped_put(&w->reaped);
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
		si.si_status = w.code == CLD_EXITED || w.code == CLD_STOPPED ? w.status >> 8 & 0xff : w.code == CLD_TRAPPED ? w.status >> 8 :
			       w.code == CLD_CONTINUED ? SIGCONT : w.status & 0x7f;
	}
	if (n > 0 && ru && copy_to_user(ru, &w.ru, sizeof(w.ru)))
		return -EFAULT;
	if (info && copy_to_user(info, &si, sizeof(si)))
		return -EFAULT;
	return n < 0 ? n : 0;
}
