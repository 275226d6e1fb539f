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

/* What stands together in the frame, so that it is copied at once. */
struct context_head { u64 flags, link, ss_sp, ss_flags, ss_size; struct sigset mask; };	/* no padding: all of it goes out */
struct fp_head { struct _aarch64_ctx head; u32 fpsr, fpcr; };
_Static_assert(offsetof(struct ucontext, uc_sigmask) == offsetof(struct context_head, mask), "context_head");
_Static_assert(offsetof(struct fpsimd_context, vregs) == sizeof(struct fp_head), "fp_head");
_Static_assert(offsetof(struct sigcontext, pstate) == offsetof(struct sigcontext, regs) + 33 * 8 &&
	       offsetof(struct trap_frame, pstate) == 33 * 8, "x0 to pc have one layout");

/* The whole frame lies in user range. */
static size_t put_context(struct rt_sigframe __user *f, const struct trap_frame *tf, struct sigset old)
{
	const struct sigaltstack_state *a = &current->altstack;
	const struct fp_state *fp = &current->arch.fp;
	struct context_head head = { .ss_sp = a->sp, .ss_flags = a->size ? a->flags : SS_DISABLE, .ss_size = a->size, .mask = old };
	struct fp_head fp_head = { { FPSIMD_MAGIC, sizeof(struct fpsimd_context) }, fp->fpsr, fp->fpcr };
	struct fpsimd_context __user *ufp = (struct fpsimd_context __user *)&f->uc.uc_mcontext.__reserved;

	return user_copy_out(&f->uc, &head, sizeof(head)) | user_copy_out(&f->uc.uc_mcontext.regs, tf->x, 34 * 8) |
	       (u64)user_put_8(&f->uc.uc_mcontext.fault_address, current->arch.far) | user_copy_out(ufp, &fp_head, sizeof(fp_head)) |
	       user_copy_out(&ufp->vregs, fp->v, sizeof(fp->v)) | (u64)user_put_8(ufp + 1, 0);	/* the end: magic and size zero */
}

int arch_setup_sigframe(struct trap_frame *tf, int sig, const struct ksigaction *act, const siginfo_t *info, struct sigset old)
{
	u64 sp = frame_place(tf, act);
	struct rt_sigframe __user *f = user_ptr(sp);
	struct frame_record __user *rec = user_ptr(sp + sizeof(struct rt_sigframe));

	fpsimd_save_current();
	if (!user_range_ok(f, sizeof(*f) + sizeof(*rec)) || put_context(f, tf, old) || user_copy_out(&f->info, info, sizeof(*info)) ||
	    user_copy_out(rec, &tf->x[29], sizeof(*rec)))
		return -EFAULT;
	tf->x[0] = (u64)sig;
	tf->x[1] = (u64)&f->info;
	tf->x[2] = (u64)&f->uc;
	tf->x[29] = (u64)rec;
	tf->x[30] = act->flags & 0x04000000 /* SA_RESTORER */ ? act->restorer : vdso_sigreturn(current->mm);
	tf->sp = sp;
	tf->pc = act->handler;
	tf->pstate = PSTATE_EL0t;
	return 0;
}

/* The records behind the registers, of which only the first FP record counts for anything. */
static int get_records(struct rt_sigframe __user *f)
{
	char __user *p = (char __user *)&f->uc.uc_mcontext.__reserved;
	struct fp_state *fp = &current->arch.fp;
	u32 off = 0;

	while (off + sizeof(struct _aarch64_ctx) <= 4096) {
		struct user_word w = user_get_8(p + off);
		struct _aarch64_ctx head = { (u32)w.value, (u32)(w.value >> 32) };

		if (w.err)
			return -EFAULT;
		if (!w.value)
			return 0;
		if (head.size < sizeof(head) || (head.size & 15) || off + head.size > 4096)
			return -EINVAL;
		if (head.magic == FPSIMD_MAGIC) {
			if (head.size != sizeof(struct fpsimd_context))
				return -EINVAL;
			fpsimd_changed_current();	/* first: or a switch would save the handler's registers over these */
			w = user_get_8(p + off + offsetof(struct fp_head, fpsr));
			fp->fpsr = (u32)w.value;
			fp->fpcr = (u32)(w.value >> 32);
			if (w.err || user_copy_in(fp->v, p + off + sizeof(struct fp_head), sizeof(fp->v)))
				return -EFAULT;
		}
		off += head.size;
	}
	return -EINVAL;
}

/* Registers are overwritten before all is known to be good, as on Linux: a bad frame ends in SIGSEGV anyway. */
long sys_rt_sigreturn(void)
{
	struct trap_frame *tf = current_frame();
	struct rt_sigframe __user *f = user_ptr(tf->sp);
	struct context_head head;
	struct user_word pstate;
	u64 sp = tf->sp;

	current->restart.func = NULL;
	if ((sp & 15) || !user_range_ok(f, sizeof(*f)) || user_copy_in(&head, &f->uc, sizeof(head)) ||
	    user_copy_in(tf->x, &f->uc.uc_mcontext.regs, 33 * 8) || get_records(f))
		goto bad;
	pstate = user_get_8(&f->uc.uc_mcontext.pstate);
	if (pstate.err || (pstate.value & 0x1f) != PSTATE_EL0t)	/* another exception level is refused, as on Linux */
		goto bad;
	signal_set_blocked(head.mask);
	tf->pstate = (pstate.value & PSR_USER_MASK) | PSTATE_EL0t;
	tf->syscallno = -1;
	frame_changed();
	current->altstack = (struct sigaltstack_state){ head.ss_sp, head.ss_size, (u32)head.ss_flags };
	return (long)tf->x[0];
bad:
	signal_force(SIGSEGV, SEGV_MAPERR, sp);
	return 0;
}
