/* The built-in tracer. */
#pragma once
#include <kernel/syscall/syscall.h>

struct trap_frame;
/* syscall_trace - run a call as entry.S does, and log it with decoded arguments and result. */
void syscall_trace(struct trap_frame *tf, syscall_fn *fn);
