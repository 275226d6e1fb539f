/* The trap frame: what entry.S saves on every exception, and the only place it is laid out. */
#pragma once
#include <kernel/lib/types.h>

struct trap_frame {
	u64 x[31];
	u64 sp;		/* SP_EL0 for a trap from EL0, else the kernel's before the trap */
	u64 pc;
	u64 pstate;
	u64 orig_x0;	/* x0 at a system call's entry, for restart; of an interrupt from EL0 see frame_from_call */
	s64 syscallno;	/* -1 when this is no system call (or restart is settled).  From EL1 these two are a frame record: x29, pc */
};

#define TRAP_FRAME_SIZE	288
_Static_assert(sizeof(struct trap_frame) == TRAP_FRAME_SIZE, "entry.S knows this size");

#define PSTATE_MODE_MASK	0xful
#define PSTATE_EL0t	0x0ul
#define PSTATE_EL1h	0x5ul
#define PSTATE_F		(1ul << 6)
#define PSTATE_I		(1ul << 7)
#define PSTATE_SS		(1ul << 21)

static inline bool frame_from_user(const struct trap_frame *tf) { return (tf->pstate & PSTATE_MODE_MASK) == PSTATE_EL0t; }

/* frame_from_call - of an interrupt: it hit the kernel, or the very end of a system call.  What comes while the way out has interrupts off
 * is taken at the instruction that the program goes on with; of an interrupt's frame, entry.S says in orig_x0 whether that was so. */
static inline bool frame_from_call(const struct trap_frame *tf) { return !frame_from_user(tf) || (tf->syscallno < 0 && tf->orig_x0 == 1); }
/* task_frame - the user trap frame of a task, at the top of its kernel stack.  current's own is current_frame(). */
struct task;
