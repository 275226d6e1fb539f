/* Signal frames, in Linux's layout: siginfo, ucontext with the FP/SIMD record, then a frame record for unwinders.
 *
 * Nothing that comes back in a frame is trusted: the processor state is reduced to the flags a program may set. */
#include <asm/sigcontext.h>
#include <linux/signal.h>
#include <asm/ucontext.h>
#include <arch/context.h>
#include <arch/fpsimd.h>
#include <arch/uaccess.h>
#include <arch/vdso.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/signal.h>
#include <syscall_protos.h>

struct rt_sigframe { siginfo_t info; struct ucontext uc; };
struct frame_record { u64 fp, lr; };

#define PSR_USER_MASK	0xf0000000ul	/* NZCV */

static u64 frame_place(const struct trap_frame *tf, const struct ksigaction *act)
{
	const struct sigaltstack_state *a = &current->altstack;
	u64 sp = tf->sp;
	bool on = a->size && sp > a->sp && sp - a->sp <= a->size;

	if ((act->flags & SA_ONSTACK) && a->size && !(a->flags & SS_DISABLE) && !on)
		sp = a->sp + a->size;
	sp -= sizeof(struct frame_record);
	return ALIGN_DOWN(sp, 16) - sizeof(struct rt_sigframe);
}

static int put_context(struct rt_sigframe __user *f, const struct trap_frame *tf, struct sigset old)
{
	const struct sigaltstack_state *a = &current->altstack;
	struct fpsimd_context fp = { .head = { FPSIMD_MAGIC, sizeof(fp) } };
	struct _aarch64_ctx end = { 0, 0 };
	u64 regs[34];
	stack_t ss = { .ss_sp = (void *)a->sp, .ss_size = a->size, .ss_flags = a->size ? (int)a->flags : SS_DISABLE };
	u64 flags = 0, link = 0;

	memcpy(regs, tf->x, sizeof(tf->x));
	regs[31] = tf->sp;
	regs[32] = tf->pc;
	regs[33] = tf->pstate;
	fpsimd_save_current();
	memcpy(fp.vregs, current->arch.fp.v, sizeof(fp.vregs));
	fp.fpsr = current->arch.fp.fpsr;
	fp.fpcr = current->arch.fp.fpcr;
	if (copy_to_user(&f->uc.uc_flags, &flags, 8) || copy_to_user(&f->uc.uc_link, &link, 8) ||
	    copy_to_user(&f->uc.uc_stack, &ss, sizeof(ss)) || copy_to_user(&f->uc.uc_sigmask, &old, sizeof(old)) ||
	    copy_to_user(&f->uc.uc_mcontext.fault_address, &current->arch.far, 8) ||
	    copy_to_user(&f->uc.uc_mcontext.regs, regs, sizeof(regs)) ||
	    copy_to_user(&f->uc.uc_mcontext.__reserved, &fp, sizeof(fp)) ||
	    copy_to_user((char __user *)&f->uc.uc_mcontext.__reserved + sizeof(fp), &end, sizeof(end)))
		return -EFAULT;
	return 0;
}

int arch_setup_sigframe(struct trap_frame *tf, int sig, const struct ksigaction *act, const siginfo_t *info, struct sigset old)
{
	u64 sp = frame_place(tf, act);
	struct rt_sigframe __user *f = user_ptr(sp);
	struct frame_record __user *rec = user_ptr(sp + sizeof(struct rt_sigframe));
	struct frame_record record = { tf->x[29], tf->x[30] };

	if (put_context(f, tf, old) || copy_to_user(&f->info, info, sizeof(*info)) || copy_to_user(rec, &record, sizeof(record)))
		return -EFAULT;
	tf->x[0] = (u64)sig;
	tf->x[1] = (u64)&f->info;
	tf->x[2] = (u64)&f->uc;
	tf->x[29] = (u64)rec;
	tf->x[30] = act->flags & 0x04000000 /* SA_RESTORER */ ? act->restorer : vdso_sigreturn(current->mm);
	tf->sp = sp;
	tf->pc = act->handler;
	tf->pstate = PSR_MODE_EL0t;
	return 0;
}

static int get_fp(struct rt_sigframe __user *f)
{
	struct fpsimd_context fp;
	char __user *p = (char __user *)&f->uc.uc_mcontext.__reserved;
	u32 off = 0;

	while (off + sizeof(struct _aarch64_ctx) <= 4096) {
		struct _aarch64_ctx head;

		if (copy_from_user(&head, p + off, sizeof(head)))
			return -EFAULT;
		if (!head.magic && !head.size)
			return 0;
		if (head.size < sizeof(head) || (head.size & 15) || off + head.size > 4096)
			return -EINVAL;
		if (head.magic == FPSIMD_MAGIC) {
			if (head.size != sizeof(fp) || copy_from_user(&fp, p + off, sizeof(fp)))
				return -EINVAL;
			fpsimd_changed_current();	/* first: or a switch would save the handler's registers over these */
			memcpy(current->arch.fp.v, fp.vregs, sizeof(fp.vregs));
			current->arch.fp.fpsr = fp.fpsr;
			current->arch.fp.fpcr = fp.fpcr;
		}
		off += head.size;
	}
	return -EINVAL;
}

long sys_rt_sigreturn(void)
{
	struct trap_frame *tf = current_frame();
	struct rt_sigframe __user *f = user_ptr(tf->sp);
	struct sigset set;
	u64 regs[34];
	stack_t ss;

	current->restart.func = NULL;
	if ((tf->sp & 15) || copy_from_user(&set, &f->uc.uc_sigmask, sizeof(set)) ||
	    copy_from_user(regs, &f->uc.uc_mcontext.regs, sizeof(regs)) || copy_from_user(&ss, &f->uc.uc_stack, sizeof(ss)) || get_fp(f) ||
	    (regs[33] & 0x1f) != PSR_MODE_EL0t) {	/* a frame that asks for another exception level is refused, as on Linux */
		signal_force(SIGSEGV, SEGV_MAPERR, tf->sp);
		return 0;
	}
	signal_set_blocked(set);
	memcpy(tf->x, regs, sizeof(tf->x));
	tf->sp = regs[31];
	tf->pc = regs[32];
	tf->pstate = (regs[33] & PSR_USER_MASK) | PSR_MODE_EL0t;
	tf->syscallno = -1;
	current->altstack = (struct sigaltstack_state){ (u64)ss.ss_sp, ss.ss_size, (u32)ss.ss_flags };
	return (long)tf->x[0];
}
