/* Last words (panic itself is in <kernel/debug.h>). */
#pragma once
#include <kernel/debug.h>

struct trap_frame;
/* panic_trap - panic for an exception: prints its registers and the backtrace from its frame.  Context: any. */
void __noreturn __printf(4, 5) panic_trap(struct trap_frame *tf, u64 esr, u64 far, const char *fmt, ...);
/* backtrace_print - the current one, into the log */
void backtrace_print(void);
/* frame_print - its registers, into the log.  regs_print - the syndrome in words, too (the architecture's).  Context: any. */
void frame_print(const struct trap_frame *tf);
void regs_print(const struct trap_frame *tf, u64 esr, u64 far);
extern bool panic_in_progress;
/* panic_note - set by who is about to panic, if more must be told than a line: called behind the backtrace.  Context: irqs off. */
extern void (*panic_note)(void);
