/* Restartable sequences: per-CPU work of programs that begins anew when it was interrupted.
 *
 * Theory.  A thread registers a structure in its memory.  The kernel keeps the number of its CPU there; the program keeps there the
 * address of a description (start, length, abort handler) while it is in a critical section.  A thread that was switched out, or is to run
 * a signal handler, or is asked to by membarrier, may have lost its CPU in between: if its pc is in the section, it goes on at the abort
 * handler instead.
 *
 * TIF_RSEQ asks for that look on the way to EL0; it is set where a registered thread leaves a CPU, so a thread that has not registered
 * pays for a load at each switch, and for nothing else.  The look is with interrupts on, since user memory may fault; a switch meanwhile
 * sets the flag anew, and exit_to_user_work looks at it last with interrupts off.
 *
 * The word before the abort handler must be the signature that was registered, so that a program that is made to write the structure cannot
 * be sent anywhere.  Nothing there is trusted: what does not fit ends in SIGSEGV.
 *
 * As on Linux 6.1: the structure has 32 bytes and no flags, there is no AT_RSEQ_*; fork copies the registration with the memory it is
 * in, a thread in shared memory begins without, exec ends it.  rseq(2). */
#include <linux/rseq.h>
#include <arch/context.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/rseq.h>
#include <kernel/proc/signal.h>
#include <syscall_protos.h>

static int describe(const struct task *t, u64 ptr, struct rseq_cs *cs)
{
	u32 sig;

	if (copy_from_user(cs, user_ptr(ptr), sizeof(*cs)))
		return -EFAULT;
	if (cs->start_ip >= USER_END || cs->post_commit_offset >= USER_END || cs->start_ip + cs->post_commit_offset >= USER_END ||
	    cs->abort_ip >= USER_END || cs->version || cs->abort_ip - cs->start_ip < cs->post_commit_offset)
		return -EINVAL;
	if (get_user(sig, (u32 __user *)user_ptr(cs->abort_ip - sizeof(u32))))
		return -EFAULT;
	if (sig != t->rseq_sig) {
		pr_warn("rseq: signature %x before the abort handler %lx, %x is registered (%s, pid %d)", sig, (u64)cs->abort_ip, t->rseq_sig,
			t->comm, t->tid);
		return -EINVAL;
	}
	return 0;
}

/* Out of the critical section, if it is in one. */
static int fix_pc(struct task *t, struct trap_frame *tf)
{
	struct rseq_cs cs;
	u64 ptr;
	u32 flags;
	int err;

	if (get_user(ptr, (u64 __user *)&t->rseq->rseq_cs))
		return -EFAULT;
	if (likely(!ptr))
		return 0;
	err = describe(t, ptr, &cs);
	if (err)
		return err;
	if (tf->pc - cs.start_ip < cs.post_commit_offset) {
		if (get_user(flags, (u32 __user *)&t->rseq->flags) || flags || cs.flags)
			return -EINVAL;
		tf->pc = cs.abort_ip;
		frame_changed();
	}
	return put_user(0, (u64 __user *)&t->rseq->rseq_cs);
}

int rseq_signal(struct trap_frame *tf)
{
	struct task *t = current;
	u32 cpu;

	if (!t->rseq || (t->pflags & PF_EXITING))
		return 0;
	atomic_fetch_and(&t->head.flags, ~TIF_RSEQ);	/* first: a switch from here on sets it again */
	cpu = smp_cpu_id();
	if (fix_pc(t, tf) || put_user(cpu, (u32 __user *)&t->rseq->cpu_id_start) || put_user(cpu, (u32 __user *)&t->rseq->cpu_id))
		return -EFAULT;
	return 0;
}

void rseq_resume(struct trap_frame *tf)
{
	if (rseq_signal(tf))
		signal_force(SIGSEGV, SI_KERNEL, 0);	/* a handler for it fails in the same way: that is the end */
}

void rseq_exec(void)
{
	current->rseq = NULL;
	atomic_fetch_and(&current->head.flags, ~TIF_RSEQ);
}

static int unregister(struct rseq __user *rseq, u32 len, u32 sig)
{
	struct task *t = current;

	if (t->rseq != rseq || !t->rseq || len != sizeof(struct rseq))
		return -EINVAL;
	if (t->rseq_sig != sig)
		return -EPERM;
	if (put_user(0, (u32 __user *)&rseq->cpu_id_start) || put_user((u32)RSEQ_CPU_ID_UNINITIALIZED, (u32 __user *)&rseq->cpu_id))
		return -EFAULT;
	rseq_exec();
	return 0;
}

long sys_rseq(void __user *rseq, unsigned len, unsigned flags, unsigned sig)
{
	struct task *t = current;

	if (flags & RSEQ_FLAG_UNREGISTER)
		return flags & ~(unsigned)RSEQ_FLAG_UNREGISTER ? -EINVAL : unregister(rseq, len, sig);
	if (flags)
		return -EINVAL;
	if (t->rseq)
		return t->rseq != rseq || len != sizeof(struct rseq) ? -EINVAL : t->rseq_sig != sig ? -EPERM : -EBUSY;
	if (!IS_ALIGNED((u64)rseq, __alignof__(struct rseq)) || len != sizeof(struct rseq))
		return -EINVAL;
	if (!user_range_ok(rseq, len))
		return -EFAULT;
	t->rseq_sig = sig;
	t->rseq = rseq;
	rseq_switched(t);
	return 0;
}
