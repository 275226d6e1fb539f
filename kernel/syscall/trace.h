/* The built-in tracer. */
#pragma once
#include <kernel/lib/types.h>

struct trap_frame;
/* syscall_trace - run a call as dispatch does, and log it with decoded arguments and result. */
void syscall_trace(struct trap_frame *tf, long (*fn)(const u64 *args));
