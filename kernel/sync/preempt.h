/* Preemption: a count per task, and the flags that ask for work on the way out of the kernel.
 *
 * preempt_count is touched by its own task (and interrupts on it, which leave it as found).  preempt_enable() reschedules when
 * the count drops to zero and TIF_NEED_RESCHED is set. */
#pragma once
#include <arch/cpu.h>
#include <arch/atomic.h>
#include <arch/irqflags.h>

/* Thread flags, in task_head.flags; [a] */
#define TIF_NEED_RESCHED	(1u << 0)
#define TIF_SIGPENDING		(1u << 1)
#define TIF_NOTIFY		(1u << 2)	/* task work waits */
#define TIF_CALL_WORK		(1u << 3)	/* entry.S: system calls go by syscall_slow(), because of one of TIF_CALL_REASONS; call_work_set() */
#define TIF_FP_RESTORE		(1u << 4)	/* FP state is in memory, not in the registers */
#define TIF_RSEQ		(1u << 5)	/* it may have lost its CPU since it was told (kernel/proc/rseq.c) */
#define TIF_TRACE		(1u << 6)	/* system calls are traced into the log */
#define TIF_SECCOMP		(1u << 7)	/* system calls are filtered (kernel/proc/seccomp.c) */
#define TIF_PTRACE_CALL		(1u << 8)	/* system calls stop for a tracer (kernel/proc/ptrace.c) */
#define TIF_PTRACE_SKIP		(1u << 9)	/* and are not made: PTRACE_SYSEMU */
#define TIF_DEBUG		(1u << 10)	/* the program is stepped (arch/arm64/ptrace.c) */
#define TIF_HWDEBUG		(1u << 11)	/* it has breakpoints or watchpoints in registers (arch/arm64/hw_debug.c) */
#define TIF_CALL_REASONS	(TIF_TRACE | TIF_SECCOMP | TIF_PTRACE_CALL | TIF_PTRACE_SKIP)
/* any of them: the long way out to EL0 */
#define PREEMPT_IRQ		(1 << 16)	/* preempt_count unit: in an interrupt handler */

/* The first words of struct task.  entry.S knows where they are, and reads flags and stale as one: both zero is the short way out. */
struct task_head {
	u32 flags;		/* [a] TIF_* */
	u32 stale;		/* [own] ELR, SPSR or SP_EL0 may not be what the EL0 frame says */
	s32 preempt_count;	/* [own] */
	u64 kernel_sp;		/* [I] top of the kernel stack (where the EL0 frame ends) */
#ifdef CONFIG_DEBUG
	bool preempt_noted;	/* [own] by preempt_disable(), not by a spin lock, which lockcheck knows */
#endif
};
_Static_assert(__builtin_offsetof(struct task_head, stale) == 4 && __builtin_offsetof(struct task_head, preempt_count) == 8, "entry.S");

static inline struct task_head *current_head(void) { return (struct task_head *)current; }

/* need_resched - current should let others run.  Others set it, so nothing that is read plainly.  Context: any. */
static inline bool need_resched(void) { return atomic_load(&current_head()->flags) & TIF_NEED_RESCHED; }

void preempt_schedule(void);

#ifdef CONFIG_DEBUG
void preempt_debug_note(void);		/* lockcheck.c: remember who turned preemption off */
#endif

static inline void preempt_disable(void)
{
	struct task_head *h = current_head();

	WRITE_ONCE(h->preempt_count, READ_ONCE(h->preempt_count) + 1);
#ifdef CONFIG_DEBUG
	if (h->preempt_count == 1)
		preempt_debug_note();
#endif
	barrier();
}

/* preempt_disable_lock - the same for spin locks, whose place the lock checker keeps itself. */
static inline void preempt_disable_lock(void)
{
	struct task_head *h = current_head();

#ifdef CONFIG_DEBUG
	if (!h->preempt_count)
		h->preempt_noted = false;
#endif
	WRITE_ONCE(h->preempt_count, READ_ONCE(h->preempt_count) + 1);
	barrier();
}

static inline void preempt_enable(void)
{
	struct task_head *h = current_head();
	s32 count;

	barrier();
	count = READ_ONCE(h->preempt_count) - 1;
	WRITE_ONCE(h->preempt_count, count);
	if (unlikely(count == 0 && (READ_ONCE(h->flags) & TIF_NEED_RESCHED)))
		preempt_schedule();
}

static inline void preempt_enable_no_resched(void)
{
	struct task_head *h = current_head();

	barrier();
	WRITE_ONCE(h->preempt_count, READ_ONCE(h->preempt_count) - 1);
}

static inline bool in_irq(void) { return READ_ONCE(current_head()->preempt_count) >= PREEMPT_IRQ; }
/* in_atomic - may not sleep: a spin lock is held, preemption is off, or an interrupt is handled. */
static inline bool in_atomic(void) { return READ_ONCE(current_head()->preempt_count) != 0; }
/* might_sleep - asserts (debug) that sleeping is allowed here */
#ifdef CONFIG_DEBUG
void might_sleep(void);
#else
static inline void might_sleep(void) { }
#endif
