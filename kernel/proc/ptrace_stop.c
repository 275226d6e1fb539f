/* Stops of a traced thread, all of them its own doing: it finds out that its tracer is to look, says why, and sleeps.  Theory in ptrace.c. */
#include <asm/siginfo.h>
#include <arch/context.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/ptrace.h>
#include <kernel/sched/sched.h>
#include <linux/sched.h>

bool ptrace_reparented_locked(const struct task *t)
{
	return t->tracer && t->tracer->proc != t->proc->parent;
}

static void tell_of_stop(int why, int code, bool group_done)
{
	struct task *t = current;
	struct process *p = t->proc;

	spin_lock_irq(&proc_lock);
	if (t->tracer)
		process_tell_locked(t->tracer->proc, t, SIGCHLD, why, why == CLD_STOPPED ? (int)p->stop_sig : code & 0x7f);
	if (group_done && (!t->tracer || ptrace_reparented_locked(t)))
		notify_parent_locked(p, CLD_STOPPED, (int)p->stop_sig);
	spin_unlock_irq(&proc_lock);
}

int ptrace_stop_locked(int code, int why, u64 message, siginfo_t *info)
{
	struct task *t = current;
	struct sighand *sh = t->proc->sighand;
	bool group_done = false;

	if (!t->ptrace || fatal_signal_pending(t))
		return code;
	set_current_state(TASK_TRACED);
	t->stop_message = message;
	t->stop_info = info;
	t->exit_code = code;
	if (why == CLD_STOPPED && (t->jobctl & JOBCTL_STOP))
		group_done = group_stop_joined_locked(t);
	t->jobctl &= ~(u32)(JOBCTL_TRAP_STOP | JOBCTL_TRAPPING);
	if (info && info->si_code >> 8 == PTRACE_EVENT_STOP)
		t->jobctl &= ~(u32)JOBCTL_TRAP_NOTIFY;
	spin_unlock_irq(&sh->lock);
	tell_of_stop(why, code, group_done);
	schedule();
	spin_lock_irq(&sh->lock);
	code = t->exit_code;
	t->exit_code = 0;
	t->stop_message = 0;
	t->stop_info = NULL;
	t->jobctl &= ~(u32)(JOBCTL_LISTENING | JOBCTL_FROZEN);
	(void)note_sigpending_locked(t);	/* a call that was interrupted and stops on its way out is settled behind us */
	return code;
}

/* A stop that is no signal's: its record says which. */
static int notify_locked(int sig, int code, int why, u64 message)
{
	siginfo_t info;

	if (!current->ptrace || fatal_signal_pending(current))
		return 0;
	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = code;
	info.si_pid = current->tid;
	info.si_uid = current->cred->uid;
	return ptrace_stop_locked(code, why, message, &info);
}

static int notify(int code, u64 message)
{
	struct sighand *sh = current->proc->sighand;
	int sig;

	task_work_run();	/* files that were closed are closed for who looks */
	spin_lock_irq(&sh->lock);
	sig = notify_locked(SIGTRAP, code, CLD_TRAPPED, message);
	spin_unlock_irq(&sh->lock);
	return sig;
}

void ptrace_trap_notify_locked(struct task *t)
{
	if (fatal_signal_pending(t) || (t->pflags & PF_EXITING))
		return;
	t->jobctl |= JOBCTL_TRAP_NOTIFY;
	signal_wake_locked(t, false);
	if (t->jobctl & JOBCTL_LISTENING)
		task_wake(t, TASK_TRACED);
}

void ptrace_trap_locked(void)
{
	struct task *t = current;
	struct process *p = t->proc;
	int sig = (int)(t->jobctl & JOBCTL_SIGMASK);

	if (!(t->ptrace & PT_SEIZED)) {
		(void)ptrace_stop_locked(sig ? sig : SIGSTOP, CLD_STOPPED, 0, NULL);
		return;
	}
	if (!p->stop_count && !(p->group_flags & PROC_STOPPED))
		sig = SIGTRAP;
	(void)notify_locked(sig, sig | PTRACE_EVENT_STOP << 8, CLD_STOPPED, 0);
}

int ptrace_signal_locked(siginfo_t *info)
{
	struct task *t = current, *tracer;
	int sig = ptrace_stop_locked(info->si_signo, CLD_TRAPPED, 0, info);

	if (!sig)
		return 0;
	if (sig != info->si_signo) {	/* the tracer's choice: it is the sender, unless it said otherwise */
		memset(info, 0, sizeof(*info));
		info->si_signo = sig;
		info->si_code = SI_USER;
		rcu_read_lock();
		tracer = READ_ONCE(t->tracer);
		if (tracer) {
			info->si_pid = tracer->proc->pid;
			info->si_uid = rcu_dereference(tracer->cred)->uid;
		}
		rcu_read_unlock();
	}
	if ((t->blocked.bits & sig_bit(sig)) || fatal_signal_pending(t)) {
		(void)signal_send_locked(t, t->proc, sig, info);
		return 0;
	}
	return sig;
}

bool ptrace_event(u32 event, u64 message)
{
	if (likely(!(READ_ONCE(current->ptrace) & PT_OPTIONS(1u << event))))
		return false;
	(void)notify((int)(event << 8) | SIGTRAP, message);
	return true;
}

u32 ptrace_fork_event(u64 flags, int exit_signal)
{
	u32 event = flags & CLONE_VFORK ? PTRACE_EVENT_VFORK : exit_signal != SIGCHLD ? PTRACE_EVENT_CLONE : PTRACE_EVENT_FORK;

	return !(flags & CLONE_UNTRACED) && (READ_ONCE(current->ptrace) & PT_OPTIONS(1u << event)) ? event : 0;
}

void ptrace_exec(s32 old_tid)
{
	siginfo_t info;

	if (likely(!READ_ONCE(current->ptrace)) || ptrace_event(PTRACE_EVENT_EXEC, (u64)old_tid))
		return;
	if (READ_ONCE(current->ptrace) & PT_SEIZED)
		return;
	signal_user_info(&info, SIGTRAP, SI_USER);
	(void)signal_send_task(current, SIGTRAP, &info);
}

void ptrace_exit(int status)
{
	struct task *t = current;

	if (likely(!(READ_ONCE(t->ptrace) & PT_OPTIONS(PTRACE_O_TRACEEXIT))))
		return;
	spin_lock_irq(&t->proc->sighand->lock);
	t->pending.set.bits &= ~sig_bit(SIGKILL);	/* obeyed */
	spin_unlock_irq(&t->proc->sighand->lock);
	(void)ptrace_event(PTRACE_EVENT_EXIT, (u64)(u32)status);
}

/* A stop at a system call.  x7 says which of the two it is, on arm64; what the tracer writes there is lost. */
static void call_stop(struct trap_frame *tf, u32 message)
{
	u64 x7 = tf->x[7];
	int sig;

	tf->x[7] = message - PTRACE_EVENTMSG_SYSCALL_ENTRY;
	sig = notify(SIGTRAP | (READ_ONCE(current->ptrace) & PT_OPTIONS(PTRACE_O_TRACESYSGOOD) ? 0x80 : 0), message);
	tf->x[7] = x7;
	if (sig > 0 && sig <= NSIG)
		(void)signal_send_task(current, sig, NULL);
}

bool ptrace_call_enter(struct trap_frame *tf)
{
	bool skip = atomic_load(&current->head.flags) & TIF_PTRACE_SKIP;

	if (tf->syscallno == -1)	/* the program's own: what a tracer does not skip is unknown */
		tf->x[0] = (u64)-ENOSYS;
	call_stop(tf, PTRACE_EVENTMSG_SYSCALL_ENTRY);
	return !skip && tf->syscallno != -1 && !fatal_signal_pending(current);
}

void ptrace_call_exit(struct trap_frame *tf)
{
	call_stop(tf, PTRACE_EVENTMSG_SYSCALL_EXIT);
}

bool ptrace_seccomp(u32 data)
{
	if (!ptrace_event(PTRACE_EVENT_SECCOMP, data))
		return false;
	if (fatal_signal_pending(current))
		current_frame()->syscallno = -1;
	return true;
}
