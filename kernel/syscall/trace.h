/* The built-in tracer. */
#pragma once
#include <kernel/syscall/syscall.h>

struct trap_frame;
struct process;
/* syscall_trace - run a call as entry.S does, and log it with decoded arguments and result. */
void syscall_trace(struct trap_frame *tf, syscall_fn *fn);
/* process_traced - is any of its threads?  process_trace_set - all that it has, and what they will start.  Context: thread. */
bool process_traced(struct process *p);
void process_trace_set(struct process *p, bool on);
extern bool syscall_trace_boot;	/* `strace` was on the command line */
