/* Backtraces. */
#pragma once
#include <kernel/lib/types.h>

/* arch_unwind - up to max return addresses from frame pointer fp, the first being pc (if not 0).  Returns how many. Context: any. */
int arch_unwind(u64 fp, u64 pc, u64 *pcs, int max);
