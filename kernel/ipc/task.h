/* What a task carries of System V IPC: called by kernel/proc.  Theory in sem.c. */
#pragma once
#include <kernel/lib/types.h>

struct task;

/* sem_fork - t, which does not run yet, shares current's undo list if share (CLONE_SYSVSEM), or has none.  0 or -ENOMEM.
 * sem_exit - t is current, or never ran: what it undoes at its end is undone, if nobody shares the list.  Context: thread, no lock. */
int sem_fork(struct task *t, bool share);
void sem_exit(struct task *t);
/* shm_exit - current ends, and has left its address space: segments go if kernel.shm_rmid_forced says so.  Context: thread, no lock. */
void shm_exit(void);
