/* Job control: a process stops, and goes on.
 *
 * The thread that takes a stop signal marks all threads JOBCTL_STOP; each joins on its way to EL0, and stop_count says how many are still
 * to come (JOBCTL_COUNTED ones).  The last to stop, or to end instead, tells the parent.  SIGCONT takes the marks back and wakes who sleeps;
 * the first of the woken tells the parent.  A traced thread joins by a stop for its tracer (ptrace_stop.c), and may be sent on by
 * him alone while the others stay stopped.  A stop signal that has been taken stops nobody if SIGCONT comes before it acts (JOBCTL_TAKEN).
 * All of it is under the sighand lock; TASK_STOPPED is set under it too, so that who holds it sees no thread on its way there.  signal(7). */
#include <asm/siginfo.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/ptrace.h>
#include <kernel/sched/sched.h>

static bool mark(struct task *t, int sig)
{
	if (fatal_signal_pending(t) || (t->pflags & PF_EXITING))
		return false;
	t->jobctl = (t->jobctl & ~(u32)JOBCTL_SIGMASK) | (u32)sig | JOBCTL_STOP | JOBCTL_COUNTED;
	return true;
}

void group_stop_begin_locked(int sig)
{
	struct task *t = current, *i;
	struct process *p = t->proc;

	if (!(t->jobctl & JOBCTL_TAKEN) || (p->group_flags & PROC_GROUP_EXIT) || (t->jobctl & JOBCTL_STOP))
		return;
	if (!(p->group_flags & PROC_STOPPED))
		p->stop_sig = (u32)sig;
	p->stop_count = mark(t, sig);
	list_for_each_entry_rcu(i, &p->threads, thread_link) {
		if (i == t || READ_ONCE(i->state) == TASK_STOPPED || !mark(i, sig))
			continue;
		p->stop_count++;
		if (i->ptrace & PT_SEIZED)
			ptrace_trap_notify_locked(i);
		else
			signal_wake_locked(i, false);
	}
}

bool group_stop_joined_locked(struct task *t)
{
	struct process *p = t->proc;
	bool counted = t->jobctl & JOBCTL_COUNTED;

	t->jobctl &= ~(u32)(JOBCTL_STOP | JOBCTL_COUNTED | JOBCTL_TAKEN);
	if (!counted || !p->stop_count || --p->stop_count || (p->group_flags & PROC_STOPPED))
		return false;
	p->group_flags |= PROC_STOPPED;
	p->wait_events = (p->wait_events & ~(u32)WAIT_EV_CONTINUED) | WAIT_EV_STOPPED;
	return true;
}

void group_stop_tell(struct process *p)
{
	spin_lock_irq(&proc_lock);
	notify_parent_locked(p, CLD_STOPPED, (int)p->stop_sig);
	spin_unlock_irq(&proc_lock);
}

void group_stop_tell_continued(struct process *p)
{
	spin_lock_irq(&proc_lock);
	notify_parent_locked(p, CLD_CONTINUED, SIGCONT);
	spin_unlock_irq(&proc_lock);
}

void group_stop_join_locked(void)
{
	struct process *p = current->proc;
	bool last = group_stop_joined_locked(current);

	set_current_state(TASK_STOPPED);
	spin_unlock_irq(&p->sighand->lock);
	if (last)
		group_stop_tell(p);
	schedule();
	spin_lock_irq(&p->sighand->lock);
}

void group_stop_resume_locked(struct process *p)
{
	struct task *t;

	if (p->group_flags & PROC_STOPPED) {
		p->group_flags = (p->group_flags & ~(u32)PROC_STOPPED) | PROC_CONTINUED;
		p->wait_events = (p->wait_events & ~(u32)WAIT_EV_STOPPED) | WAIT_EV_CONTINUED;
	}
	p->stop_count = 0;
	list_for_each_entry_rcu(t, &p->threads, thread_link) {
		t->jobctl &= ~(u32)(JOBCTL_STOP | JOBCTL_COUNTED | JOBCTL_TAKEN);
		if (t->ptrace & PT_SEIZED)
			ptrace_trap_notify_locked(t);
		else
			task_wake(t, TASK_STOPPED);
	}
}
