/* The canary of the kernel's stacks.  Theory in stackguard.c. */
#pragma once
#include <kernel/lib/types.h>

#define STACK_GUARD_BEFORE	0x5d3a9e0b714cff00ul	/* until it is chosen */

extern u64 __stack_chk_guard;		/* the name that the compiler knows */

/* stack_guard_seed - choose it.  Context: boot, one thread; no function that is running may return. */
void stack_guard_seed(void);
