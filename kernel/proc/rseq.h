/* Restartable sequences as other rooms use them.  Theory in rseq.c. */
#pragma once
#include <kernel/task.h>

/* rseq_switched - t leaves a CPU, or another must believe so: on its way to EL0 it is looked at.  Context: any. */
static inline void rseq_switched(struct task *t)
{
	if (t->rseq)
		atomic_fetch_or(&t->head.flags, TIF_RSEQ);
}
struct trap_frame;
/* rseq_resume - on the way to EL0 with TIF_RSEQ; rseq_signal - before a handler's frame is built: a critical section that was interrupted
 * is left by its abort handler, and the program is told its CPU.  A structure that cannot be used ends in SIGSEGV (rseq_signal: -EFAULT).
 * Context: irqs on. */
void rseq_resume(struct trap_frame *tf);
int __must_check rseq_signal(struct trap_frame *tf);
/* rseq_exec - the program that had registered is gone. */
void rseq_exec(void);
