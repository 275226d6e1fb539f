/* FP and SIMD state: the program's, in the registers while it is live there. */
#pragma once
#include <kernel/lib/types.h>

struct task;
struct fp_state;

/* fpsimd_switch - around a context switch: save prev's registers if they hold its state.  Context: irqs off. */
void fpsimd_switch(struct task *prev, struct task *next);
/* fpsimd_restore_current - load current's state and clear TIF_FP_RESTORE.  Context: irqs off. */
void fpsimd_restore_current(void);
/* fpsimd_save_current - make current->arch.fp what the registers say (fork, signal frames).  Context: thread. */
void fpsimd_save_current(void);
/* fpsimd_changed_current - current->arch.fp was written (sigreturn, exec): load it before EL0 */
void fpsimd_changed_current(void);
