/* Last words. */
#pragma once
#include <kernel/debug.h>

struct trap_frame;
/* panic_trap - panic for an exception: prints its registers and the backtrace from its frame.  Context: any. */
void __noreturn __printf(4, 5) panic_trap(struct trap_frame *tf, u64 esr, u64 far, const char *fmt, ...);
/* backtrace_print - the current one, into the log */
void backtrace_print(void);
