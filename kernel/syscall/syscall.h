/* The system-call table and what the tracer knows of each call. */
#pragma once
#include <kernel/lib/types.h>
#include <syscall_kinds.h>
#include <syscall_protos.h>

struct syscall_arg {
	const char *name;
	enum syscall_arg_kind kind;
	u32 len_arg;			/* of inbuf and outbuf: the argument that counts its bytes */
};
struct syscall_desc {
	const char *name;		/* NULL: a gap */
	const char *ret;		/* as in the table: int ssize long addr pid */
	u32 nr_args;
	struct syscall_arg args[6];
};

/* Handlers take what the table says of them, in x0 to x5; one may be called with all six (AAPCS64: it looks only at its own
 * arguments, and only at the low half of a 32-bit one). */
typedef long syscall_fn(u64, u64, u64, u64, u64, u64);
extern void *const syscall_table[NR_SYSCALLS];	/* gaps: syscall_none */
extern const struct syscall_desc syscall_descs[NR_SYSCALLS];

struct trap_frame;
long syscall_none(void);	/* -ENOSYS */
/* syscall_slow - run the call in tf (x8, x0-x5), leave the result in x0: what entry.S does not do itself.
 * Context: thread, irqs on. */
void syscall_slow(struct trap_frame *tf);
