/* The system-call table and what the tracer knows of each call. */
#pragma once
#include <kernel/lib/types.h>
#include <syscall_kinds.h>
#include <syscall_protos.h>

struct syscall_desc {
	const char *name;		/* NULL: a gap */
	u32 nr_args;
	struct { const char *name; enum syscall_arg_kind kind; } args[6];
};

extern long (*const syscall_table[NR_SYSCALLS])(const u64 *args);	/* NULL: ENOSYS */
extern const struct syscall_desc syscall_descs[NR_SYSCALLS];

struct trap_frame;
/* syscall_dispatch - run the call in tf (x8, x0-x5), leave the result in x0.  Context: thread, irqs on. */
void syscall_dispatch(struct trap_frame *tf);
