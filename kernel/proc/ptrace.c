/* Tracing: one thread watches and steers another.  ptrace(2).
 *
 * Who.  A thread is traced by at most one other, of another process.  task.tracer and the tracer's list of tracees are under proc_lock; task.ptrace
 * (kind and options) is written under proc_lock and the tracee's sighand lock, and read under either.  No references are held: a tracer that
 * ends lets all go first (thread_exit), a tracee that has ended stays in the tables until its tracer has waited for it or let it go.
 * Requests come from the tracer alone; other threads of its process may wait.
 *
 * Who may begin.  task_may_access() with real ids, asked under proc_lock.  exec of a program that gains rights looks under the same lock whether
 * it is traced (then it gains nothing, unless the tracer had CAP_SYS_PTRACE), and until its new credentials stand, exec_gains keeps others out.
 *
 * Stops.  A tracee stops by itself, in the middle of its own work (ptrace_stop.c): it writes what its tracer is to know, becomes TASK_TRACED under
 * its sighand lock, tells the tracer under proc_lock and sleeps.  It leaves by a request, by SIGKILL, or when it has no tracer any more.
 *   signal		ptrace_signal_locked: taken from its queue, not acted on yet
 *   group stop, attach, interrupt	ptrace_trap_locked: JOBCTL_TRAPS, set by others, which count as a pending signal
 *   system call	ptrace_call_enter, _exit: TIF_PTRACE_CALL, among the reasons of TIF_CALL_WORK, so nobody else pays
 *   event		fork, exec, exit, seccomp
 * A stop's code is task.exit_code; the tracer's wait takes it (0 then), a request that resumes sets it to the signal to go on with.
 *
 * Registers and other state of a tracee are looked at by its tracer only while it is frozen: TASK_TRACED and JOBCTL_FROZEN, set together
 * under the sighand lock, after which it is waited for until it is off its CPU.  Nothing wakes a frozen one, not SIGKILL, which is
 * acted on when the request ends.  So registers, stop_info and the rest need no lock of their own: they are the sleeper's, lent to one.
 *
 * Waiting (exit.c).  The tracer's waits see the stops and the end of its tracees, as of children; the parent sees a traced child's end after the
 * tracer has waited.  A thread that is not the first of its process and ends traced stays as a zombie (process.nr_unreaped) until
 * then, and its process is not told of before.  The parent's view of group stops is the process's own, apart from the tracer's.
 *
 * Ending.  kill and exit go through a stop like any wake-up by SIGKILL; in PTRACE_EVENT_EXIT the SIGKILL that ends the thread has been obeyed, and
 * a process that ends takes no other: its tracer must let it go, or end.  Lock order: proc_lock, then one sighand lock.  Sources: ptrace(2), wait(2). */
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <arch/ptrace.h>
#include <kernel/errno.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/ptrace.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <syscall_protos.h>

#define LOOK_AGAIN_NS	50000

static void link_locked(struct task *t, struct task *tracer, u32 flags)
{
	spin_lock(&t->proc->sighand->lock);
	t->ptrace = flags;
	WRITE_ONCE(t->tracer, tracer);
	list_add_tail(&t->trace_link, &tracer->tracees);
	spin_unlock(&t->proc->sighand->lock);
}

void ptrace_unlink_locked(struct task *t)
{
	struct process *p = t->proc;

	call_work_clear(t, TIF_PTRACE_CALL | TIF_PTRACE_SKIP);
	arch_step_off(t);
	list_del_init(&t->trace_link);
	spin_lock(&p->sighand->lock);
	t->ptrace = 0;
	WRITE_ONCE(t->tracer, NULL);
	t->jobctl &= ~(u32)(JOBCTL_TRAPS | JOBCTL_TRAPPING | JOBCTL_FROZEN);
	if (!(t->pflags & PF_EXITING) && ((p->group_flags & PROC_STOPPED) || p->stop_count)) {
		t->jobctl |= JOBCTL_STOP;	/* its group is stopped: so is it from here on */
		if (!(t->jobctl & JOBCTL_SIGMASK))
			t->jobctl |= SIGSTOP;
	}
	if ((t->jobctl & JOBCTL_STOP) || READ_ONCE(t->state) == TASK_TRACED) {
		signal_wake_locked(t, false);
		task_wake(t, TASK_TRACED);
	}
	spin_unlock(&p->sighand->lock);
}

void ptrace_fork_locked(struct task *child, u64 flags, u32 event)
{
	struct task *me = current;

	if (!me->ptrace || !(event || (flags & CLONE_PTRACE)))
		return;
	child->ptrace = me->ptrace;
	child->tracer = me->tracer;
	list_add_tail(&child->trace_link, &me->tracer->tracees);
	if (child->ptrace & PT_SEIZED)
		child->jobctl |= JOBCTL_TRAP_STOP;
	else
		child->pending.set.bits |= sig_bit(SIGSTOP);
	atomic_fetch_or(&child->head.flags, TIF_SIGPENDING);
}

static void let_go_locked(struct task *t, struct reaped *r)
{
	struct process *p = t->proc;
	bool first = p->leader == t, elsewhere = ptrace_reparented_locked(t);

	if (t->ptrace & PT_OPTIONS(PTRACE_O_EXITKILL)) {
		spin_lock(&p->sighand->lock);
		(void)signal_send_locked(NULL, p, SIGKILL, NULL);
		spin_unlock(&p->sighand->lock);
	}
	spin_lock(&p->sighand->lock);
	if (t->stop_info && t->stop_info->si_code == t->exit_code)
		t->exit_code = 0;	/* no signal's stop: nothing to go on with */
	spin_unlock(&p->sighand->lock);
	ptrace_unlink_locked(t);
	if (!first && t->accounted)
		thread_reap_locked(t, r);
	else if (first && elsewhere && p->zombie)
		zombie_notify_locked(p, r);
}

void ptrace_tracer_ends_locked(struct reaped *r)
{
	while (!list_empty(&current->tracees))		/* one that goes may take another with it: a last thread its leader */
		let_go_locked(list_first_entry(&current->tracees, struct task, trace_link), r);
}

s32 ptrace_tracer_tid(struct task *t)
{
	struct task *tracer;
	s32 tid;

	rcu_read_lock();
	tracer = READ_ONCE(t->tracer);
	tid = tracer ? READ_ONCE(tracer->tid) : 0;
	rcu_read_unlock();
	return tid;
}

/* --- beginning and ending */

/* May parent trace current, which asks for it?  capabilities(7): it has no fewer rights. */
static bool parent_may(struct task *parent)
{
	const struct cred *c = cred_of(parent);
	bool may = !(current->cred->cap_permitted & ~c->cap_permitted) || (c->cap_effective & (1ull << CAP_SYS_PTRACE));

	cred_put(c);
	return may;
}

/* Who asked for the tracing has to have the right to trace all: of a tracee that asked, what its tracer may says nothing of what he will be. */
static u32 capable_flag(void) { return capable(CAP_SYS_PTRACE) ? PT_CAPABLE : 0; }

static long trace_me(void)
{
	struct task *t = current, *parent;
	long err = -EPERM;

	spin_lock_irq(&proc_lock);
	parent = t->proc->forker;
	if (!t->ptrace && parent && parent_may(parent)) {
		err = 0;
		if (!(READ_ONCE(parent->pflags) & PF_EXITING))	/* else it would be let go at once */
			link_locked(t, parent, PT_PTRACED | capable_flag());
	}
	spin_unlock_irq(&proc_lock);
	return err;
}

static int may_attach_locked(struct task *t)
{
	if ((READ_ONCE(t->pflags) & (PF_KTHREAD | PF_EXITING)) || t->proc == current->proc || t->ptrace)
		return -EPERM;
	if (t->proc->exec_gains && !capable(CAP_SYS_PTRACE))
		return -EPERM;
	return task_may_access(t, ACCESS_REAL_IDS);
}

/* One that stands still already is to stand still for the tracer, who does not see how it goes from one to the other. */
static void trap_if_stopped_locked(struct task *t)
{
	spin_lock(&t->proc->sighand->lock);
	if (READ_ONCE(t->state) == TASK_STOPPED && !fatal_signal_pending(t)) {
		t->jobctl |= JOBCTL_TRAP_STOP | JOBCTL_TRAPPING;
		signal_wake_locked(t, false);
		task_wake(t, TASK_STOPPED);
	}
	spin_unlock(&t->proc->sighand->lock);
}

static bool has_trapped(struct task *t)
{
	return !(READ_ONCE(t->jobctl) & JOBCTL_TRAPPING) || fatal_signal_pending(t) || (READ_ONCE(t->pflags) & PF_EXITING);
}

static long attach(struct task *t, bool seize, u64 addr, u64 options)
{
	u32 flags = PT_PTRACED;
	long err;

	if (seize) {
		if (addr || (options & ~(u64)PTRACE_O_MASK))
			return -EIO;
		if (options & PTRACE_O_SUSPEND_SECCOMP)
			return -EINVAL;
		flags |= PT_SEIZED | PT_OPTIONS(options);
	}
	spin_lock_irq(&proc_lock);
	err = may_attach_locked(t);
	if (!err) {
		link_locked(t, current, flags | capable_flag());
		if (!seize) {
			spin_lock(&t->proc->sighand->lock);
			(void)signal_send_locked(t, t->proc, SIGSTOP, NULL);
			spin_unlock(&t->proc->sighand->lock);
		}
		trap_if_stopped_locked(t);
	}
	spin_unlock_irq(&proc_lock);
	while (!err && !has_trapped(t) && !fatal_signal_pending(current)) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule_until(clock_mono_ns() + LOOK_AGAIN_NS);
	}
	return err;
}

static long detach(struct task *t, u64 sig)
{
	if (sig > NSIG)
		return -EIO;
	spin_lock_irq(&proc_lock);
	spin_lock(&t->proc->sighand->lock);
	t->exit_code = (int)sig;
	spin_unlock(&t->proc->sighand->lock);
	ptrace_unlink_locked(t);
	spin_unlock_irq(&proc_lock);
	return 0;
}

/* --- requests */

/* t has told of its stop before it is quite asleep. */
static void wait_off_cpu(struct task *t)
{
	for (u32 i = 0; i < 200 && atomic_load_acquire(&t->on_cpu); i++)
		cpu_relax();
	while (READ_ONCE(t->se.on_rq) || atomic_load_acquire(&t->on_cpu)) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule_until(clock_mono_ns() + LOOK_AGAIN_NS);
	}
}

/* anyhow: the request is for a tracee in any state. */
static long freeze(struct task *t, bool anyhow)
{
	long err = -ESRCH;

	spin_lock_irq(&proc_lock);
	if (t->tracer == current) {
		spin_lock(&t->proc->sighand->lock);
		if (anyhow) {
			err = 0;
		} else if (READ_ONCE(t->state) == TASK_TRACED && !(t->jobctl & JOBCTL_LISTENING) && !fatal_signal_pending(t)) {
			t->jobctl |= JOBCTL_FROZEN;
			err = 0;
		}
		spin_unlock(&t->proc->sighand->lock);
	}
	spin_unlock_irq(&proc_lock);
	if (!err && !anyhow)
		wait_off_cpu(t);
	return err;
}

/* It may have been resumed, and stand in another stop by now: then it is frozen no more. */
static void thaw(struct task *t)
{
	spin_lock_irq(&t->proc->sighand->lock);
	if (t->jobctl & JOBCTL_FROZEN) {
		t->jobctl &= ~(u32)JOBCTL_FROZEN;
		if (fatal_signal_pending(t))
			task_wake(t, TASK_TRACED);
	}
	spin_unlock_irq(&t->proc->sighand->lock);
}

long sys_ptrace(long request, long pid, unsigned long addr, unsigned long data)
{
	struct task *t;
	long err;

	if (request == PTRACE_TRACEME)
		return trace_me();
	t = task_find_get((s32)pid);
	if (!t)
		return -ESRCH;
	if (request == PTRACE_ATTACH || request == PTRACE_SEIZE) {
		err = attach(t, request == PTRACE_SEIZE, addr, data);
	} else {
		err = freeze(t, request == PTRACE_KILL || request == PTRACE_INTERRUPT);
		if (!err) {
			err = request == PTRACE_DETACH ? detach(t, data) : ptrace_request(t, request, addr, data);
			if (err || request != PTRACE_DETACH)	/* else it may be another's by now */
				thaw(t);
		}
	}
	task_put(t);
	return err;
}
