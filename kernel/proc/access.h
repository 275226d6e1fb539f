/* May one process look into another?  ptrace(2), "Ptrace access mode checking". */
#pragma once
#include <kernel/task.h>

enum access_ids { ACCESS_FS_IDS, ACCESS_REAL_IDS };	/* by which of current's user and group: file access asks for the first, ptrace for the second */

/* task_may_access - 0: current may read and write what t has: its memory, its descriptors.  -EPERM.  Context: thread; t is referenced. */
int task_may_access(struct task *t, enum access_ids ids);
/* task_mm_get - t's address space, referenced, or NULL: a kernel thread, or it ends.  Context: any; t is referenced. */
struct mm *task_mm_get(struct task *t);
