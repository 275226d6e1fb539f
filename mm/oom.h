/* Out of memory. */
#pragma once
#include <kernel/lib/types.h>

/* oom_kill - choose one process, kill it, wait until memory came free or current itself is the victim.  Context: thread, no locks. */
void oom_kill(void);
/* oom_kill_victim - choose one process and kill it, without waiting.  False: nobody can be, or one is dying already.
 * Context: any, no lock ranked at or above LC_SIGHAND. */
bool oom_kill_victim(void);
/* oom_score - how bad t is, as /proc/<pid>/oom_score tells it: 0 never chosen, 666 nearly nothing, 1333 all memory or the highest oom_score_adj.
 * Context: thread; t is referenced. */
struct task;
u64 oom_score(struct task *t);
/* oom_mm_gone - all memory of mm, which has no users any more, is free. */
struct mm;
void oom_mm_gone(struct mm *mm);
