/* What the architecture keeps of a task, and the switch between two. */
#pragma once
#include <kernel/lib/types.h>
#include <arch/trapframe.h>
#include <kernel/sync/preempt.h>

#define KERNEL_STACK_SIZE	16384	/* vmalloc'ed, guard page below; struct trap_frame of EL0 at the very top */

struct fp_state {
	__uint128_t v[32];
	u32 fpsr, fpcr;
} __aligned(16);

struct arch_thread {
	u64 sp;			/* kernel stack pointer while switched out; x19-x30 are saved on that stack */
	u64 tls;		/* TPIDR_EL0 */
	u64 far, esr;		/* of the last user fault, for signal frames */
	struct fp_state fp;	/* while not live in the registers */
	u32 fp_cpu;		/* CPU whose registers hold fp, ~0 none */
	bool debug_live;	/* this CPU steps the program, or has its breakpoints: arch/arm64/ptrace.c */
	struct hw_debug *hw;	/* breakpoints and watchpoints, NULL: never any; arch/arm64/hw_debug.c */
};

struct task;
/* arch_switch - save prev's callee-saved state, load next's (FP lazily or eagerly, TLS).  Returns prev, on next's stack.
 * Context: irqs off, run queue lock held. */
struct task *arch_switch(struct task *prev, struct task *next);
/* arch_thread_init_kernel - so that the first switch to t calls fn(arg) through sched_first_run(prev). */
void arch_thread_init_kernel(struct task *t, void (*fn)(void *), void *arg);
/* arch_thread_init_user - first switch to t (a fork child) returns to EL0 with *tf (copied to its stack top). Copies FP state of current. */
void arch_thread_init_user(struct task *t, const struct trap_frame *tf, u64 tls, bool set_tls);
/* arch_thread_release - t is gone for good: what the architecture allocated for it.  Context: any. */
void arch_thread_release(struct task *t);
/* arch_exec_setup - reset current's user registers, FP and TLS for a new program. */
void arch_exec_setup(struct trap_frame *tf, u64 pc, u64 sp);
/* current_frame - current's EL0 trap frame (undefined for kernel threads). */
struct trap_frame *current_frame(void);
struct trap_frame *task_frame(struct task *t);
/* frame_changed - pc, sp or pstate in current's EL0 frame was written: the way out must load them (see entry.S).  Context: thread. */
static inline void frame_changed(void) { current_head()->stale = 1; }
/* arch_enter_user - never returns: leave a kernel thread that has exec'ed (init) to EL0 by its frame. */
void __noreturn arch_enter_user(void);
