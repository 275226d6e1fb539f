/* Breakpoint and watchpoint registers, between the two files that are about debuggers.  Theory in hw_debug.c. */
#pragma once
#include <kernel/lib/types.h>

struct task;
/* hw_break_get, hw_watch_get, hw_break_set, hw_watch_set - struct arch_regset's get and set of NT_ARM_HW_BREAK and NT_ARM_HW_WATCH.  set: 0, -EINVAL,
 * -ENOSPC (more than the CPU has), -ENOMEM; what comes before the slot that was refused is set. */
void hw_break_get(struct task *t, void *regs);
void hw_watch_get(struct task *t, void *regs);
int hw_break_set(struct task *t, const void *regs, size_t len);
int hw_watch_set(struct task *t, const void *regs, size_t len);
/* hw_debug_load, _unload - t's slots into this CPU's registers; those registers empty again.  Context: interrupts off, t has TIF_HWDEBUG. */
void hw_debug_load(const struct task *t);
void hw_debug_unload(const struct task *t);
/* hw_debug_init - this CPU's registers are empty. */
void hw_debug_init(void);
