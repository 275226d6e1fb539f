/* What a tracer asks of a tracee that stands still: memory, registers, signals, how to go on.  Theory in ptrace.c. */
#include <linux/audit.h>
#include <linux/uio.h>
#include <arch/context.h>
#include <arch/ptrace.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/ptrace.h>
#include <kernel/proc/seccomp.h>
#include <kernel/sched/sched.h>
#include <mm/slab.h>
#include <mm/vma.h>

static long peek(struct task *t, u64 addr, u64 __user *to)
{
	struct mm *mm = task_mm_get(t);
	u64 word;
	ssize_t n = mm ? mm_access(mm, addr, &word, sizeof(word), false, true) : 0;

	if (mm)
		mm_put(mm);
	return n == sizeof(word) ? put_user(word, to) : -EIO;
}

static long poke(struct task *t, u64 addr, u64 word)
{
	struct mm *mm = task_mm_get(t);
	ssize_t n = mm ? mm_access(mm, addr, &word, sizeof(word), true, true) : 0;

	if (mm)
		mm_put(mm);
	return n == sizeof(word) ? 0 : -EIO;
}

/* --- registers */

static long regset(struct task *t, u64 type, struct iovec __user *uvec, bool set)
{
	const struct arch_regset *rs = arch_regset_find((u32)type);
	struct iovec vec;
	void *regs;
	long err = 0;

	if (!user_range_ok(uvec, sizeof(*uvec)) || copy_from_user(&vec, uvec, sizeof(vec)))
		return -EFAULT;
	if (type > ~0u || !rs || vec.iov_len % rs->unit)
		return -EINVAL;
	vec.iov_len = min(vec.iov_len, (size_t)rs->size);
	regs = kmalloc(rs->size, GFP_KERNEL);
	if (!regs)
		return -ENOMEM;
	rs->get(t, regs);
	if (!set && copy_to_user((void __user *)vec.iov_base, regs, vec.iov_len))
		err = -EFAULT;
	if (set)
		err = copy_from_user(regs, (const void __user *)vec.iov_base, vec.iov_len) ? -EFAULT : rs->set(t, regs, vec.iov_len);
	kfree(regs);
	return err ? err : put_user(vec.iov_len, &uvec->iov_len);
}

/* As far as the caller's structure goes; how much there is, is told. */
static long call_info(struct task *t, u64 room, void __user *to)
{
	const struct trap_frame *tf = task_frame(t);
	struct ptrace_syscall_info info = { .op = PTRACE_SYSCALL_INFO_NONE, .arch = AUDIT_ARCH_AARCH64, .instruction_pointer = tf->pc,
					    .stack_pointer = tf->sp };
	int code = t->stop_info ? t->stop_info->si_code : 0;
	size_t len = offsetof(struct ptrace_syscall_info, entry);
	__u64 *args = info.entry.args;

	if (code == (SIGTRAP | 0x80) && t->stop_message == PTRACE_EVENTMSG_SYSCALL_ENTRY) {
		info.op = PTRACE_SYSCALL_INFO_ENTRY;
		info.entry.nr = (u64)tf->syscallno;
		len = offsetof(struct ptrace_syscall_info, entry.args) + sizeof(info.entry.args);
	} else if (code == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
		info.op = PTRACE_SYSCALL_INFO_SECCOMP;
		info.seccomp.nr = (u64)tf->syscallno;
		info.seccomp.ret_data = (u32)t->stop_message;
		args = info.seccomp.args;
		len = offsetof(struct ptrace_syscall_info, seccomp.ret_data) + sizeof(info.seccomp.ret_data);
	} else if (code == (SIGTRAP | 0x80) && t->stop_message == PTRACE_EVENTMSG_SYSCALL_EXIT) {
		info.op = PTRACE_SYSCALL_INFO_EXIT;
		info.exit.rval = (s64)tf->x[0];
		info.exit.is_error = tf->x[0] > (u64)-4096;
		len = offsetof(struct ptrace_syscall_info, exit.is_error) + 1;
	}
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY || info.op == PTRACE_SYSCALL_INFO_SECCOMP) {
		args[0] = tf->orig_x0;
		memcpy(args + 1, tf->x + 1, 5 * sizeof(u64));
	}
	return copy_to_user(to, &info, min(room, len)) ? -EFAULT : (long)len;
}

/* --- signals */

static long signal_info(struct task *t, void __user *user, bool set)
{
	struct sighand *sh = t->proc->sighand;
	siginfo_t info;
	long err = 0;

	if (set && copy_from_user(&info, user, sizeof(info)))
		return -EFAULT;
	spin_lock_irq(&sh->lock);
	if (!t->stop_info)
		err = -EINVAL;
	else if (set)
		*t->stop_info = info;
	else
		info = *t->stop_info;
	spin_unlock_irq(&sh->lock);
	return !err && !set && copy_to_user(user, &info, sizeof(info)) ? -EFAULT : err;
}

/* The n-th record of a queue. */
static bool queued(struct task *t, bool shared, u64 n, siginfo_t *info)
{
	struct process *p = t->proc;
	struct sigpending *sp = shared ? &p->shared_pending : &t->pending;
	struct sigqueue *q;
	bool found = false;

	spin_lock_irq(&p->sighand->lock);
	list_for_each_entry(q, &sp->queue, link)
		if (!n--) {
			*info = q->info;
			found = true;
			break;
		}
	spin_unlock_irq(&p->sighand->lock);
	return found;
}

static long peek_signals(struct task *t, const void __user *uargs, siginfo_t __user *to)
{
	struct ptrace_peeksiginfo_args args;
	siginfo_t info;
	long n = 0;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	if ((args.flags & ~(u32)PTRACE_PEEKSIGINFO_SHARED) || args.nr < 0)
		return -EINVAL;
	while (n < args.nr && queued(t, args.flags & PTRACE_PEEKSIGINFO_SHARED, args.off + (u64)n, &info)) {
		if (copy_to_user(to + n, &info, sizeof(info)))
			return n ? n : -EFAULT;
		n++;
		if (fatal_signal_pending(current))
			break;
	}
	return n;
}

static long signal_mask(struct task *t, u64 size, struct sigset __user *user, bool set)
{
	struct sigset mask;

	if (size != sizeof(mask))
		return -EINVAL;
	if (!set) {
		mask = t->restore_sigmask ? t->saved_sigmask : t->blocked;
		return copy_to_user(user, &mask, sizeof(mask)) ? -EFAULT : 0;
	}
	if (copy_from_user(&mask, user, sizeof(mask)))
		return -EFAULT;
	mask.bits &= ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP));
	spin_lock_irq(&t->proc->sighand->lock);	/* what it lets through now it finds when it goes on */
	t->blocked = mask;
	t->restore_sigmask = false;
	spin_unlock_irq(&t->proc->sighand->lock);
	return 0;
}

/* --- going on */

static long resume(struct task *t, long request, u64 sig)
{
	struct sighand *sh = t->proc->sighand;
	bool emulate = request == PTRACE_SYSEMU || request == PTRACE_SYSEMU_SINGLESTEP;
	bool in_call = t->stop_info && t->stop_info->si_code >> 8 && t->stop_info->si_signo == SIGTRAP &&
		       t->stop_info->si_code >> 8 != PTRACE_EVENT_STOP;

	if (sig > NSIG)
		return -EIO;
	in_call |= t->stop_message == PTRACE_EVENTMSG_SYSCALL_ENTRY && t->stop_info && (t->stop_info->si_code & ~0x80) == SIGTRAP;
	call_work_clear(t, TIF_PTRACE_CALL | TIF_PTRACE_SKIP);
	if (request == PTRACE_SYSCALL || emulate)
		call_work_set(t, emulate ? TIF_PTRACE_SKIP : TIF_PTRACE_CALL);
	if (request == PTRACE_SINGLESTEP || request == PTRACE_SYSEMU_SINGLESTEP)
		arch_step_on(t, in_call);
	else
		arch_step_off(t);
	spin_lock_irq(&sh->lock);
	t->exit_code = (int)sig;
	t->jobctl &= ~(u32)JOBCTL_FROZEN;
	task_wake(t, TASK_TRACED);
	spin_unlock_irq(&sh->lock);
	return 0;
}

static long interrupt(struct task *t)
{
	long err = -EIO;

	spin_lock_irq(&t->proc->sighand->lock);
	if (t->ptrace & PT_SEIZED) {
		err = 0;
		if (!fatal_signal_pending(t) && !(t->pflags & PF_EXITING)) {
			t->jobctl |= JOBCTL_TRAP_STOP;
			signal_wake_locked(t, false);
			if (t->jobctl & JOBCTL_LISTENING)
				task_wake(t, TASK_TRACED);
		}
	}
	spin_unlock_irq(&t->proc->sighand->lock);
	return err;
}

static long listen(struct task *t)
{
	long err = -EIO;

	spin_lock_irq(&t->proc->sighand->lock);
	if ((t->ptrace & PT_SEIZED) && t->stop_info && t->stop_info->si_code >> 8 == PTRACE_EVENT_STOP) {
		t->jobctl |= JOBCTL_LISTENING;
		t->jobctl &= ~(u32)JOBCTL_FROZEN;
		if ((t->jobctl & JOBCTL_TRAP_NOTIFY) || fatal_signal_pending(t))
			task_wake(t, TASK_TRACED);
		err = 0;
	}
	spin_unlock_irq(&t->proc->sighand->lock);
	return err;
}

static long set_options(struct task *t, u64 options)
{
	if ((options & ~(u64)PTRACE_O_MASK) || (options & PTRACE_O_SUSPEND_SECCOMP))
		return -EINVAL;
	spin_lock_irq(&proc_lock);
	spin_lock(&t->proc->sighand->lock);
	t->ptrace = (t->ptrace & ~PT_OPTIONS(PTRACE_O_MASK)) | PT_OPTIONS(options);
	spin_unlock(&t->proc->sighand->lock);
	spin_unlock_irq(&proc_lock);
	return 0;
}

static long rseq_configuration(const struct task *t, u64 room, void __user *to)
{
	const struct ptrace_rseq_configuration c = { .rseq_abi_pointer = (u64)t->rseq, .rseq_abi_size = t->rseq ? 32 : 0,
						     .signature = t->rseq_sig };

	return copy_to_user(to, &c, min(room, sizeof(c))) ? -EFAULT : (long)sizeof(c);
}

long ptrace_request(struct task *t, long request, u64 addr, u64 data)
{
	void __user *user = user_ptr(data);

	switch (request) {
	case PTRACE_PEEKTEXT: case PTRACE_PEEKDATA:
		return peek(t, addr, user);
	case PTRACE_POKETEXT: case PTRACE_POKEDATA:
		return poke(t, addr, data);
	case PTRACE_CONT: case PTRACE_SYSCALL: case PTRACE_SINGLESTEP: case PTRACE_SYSEMU: case PTRACE_SYSEMU_SINGLESTEP:
		return resume(t, request, data);
	case PTRACE_KILL:
		(void)signal_send_task(t, SIGKILL, NULL);
		return 0;
	case PTRACE_INTERRUPT:
		return interrupt(t);
	case PTRACE_LISTEN:
		return listen(t);
	case PTRACE_SETOPTIONS:
		return set_options(t, data);
	case PTRACE_GETEVENTMSG:
		return put_user(t->stop_message, (u64 __user *)user);
	case PTRACE_GETREGSET: case PTRACE_SETREGSET:
		return regset(t, addr, user, request == PTRACE_SETREGSET);
	case PTRACE_GET_SYSCALL_INFO:
		return call_info(t, addr, user);
	case PTRACE_GETSIGINFO: case PTRACE_SETSIGINFO:
		return signal_info(t, user, request == PTRACE_SETSIGINFO);
	case PTRACE_PEEKSIGINFO:
		return peek_signals(t, user_ptr(addr), user);
	case PTRACE_GETSIGMASK: case PTRACE_SETSIGMASK:
		return signal_mask(t, addr, user, request == PTRACE_SETSIGMASK);
	case PTRACE_SECCOMP_GET_FILTER:
		return seccomp_get_filter(t, addr, user);
	case PTRACE_SECCOMP_GET_METADATA:
		return seccomp_get_metadata(t, addr, user);
	case PTRACE_GET_RSEQ_CONFIGURATION:
		return rseq_configuration(t, addr, user);
	default:
		return -EIO;
	}
}
