/* Looking at other CPUs and tasks: what each is doing, told by the one who asks. */
#pragma once
#include <kernel/lib/types.h>

/* cpu_snapshot_take - keep what this CPU was doing when it was interrupted.  Context: the backtrace or stop interrupt's handler. */
void cpu_snapshot_take(void);
/* cpu_snapshot_print - log who runs on a CPU that has been asked and where, by its snapshot if it answered (true), else by what is known
 * without (false).  Context: any. */
bool cpu_snapshot_print(u32 cpu);
/* cpu_backtrace - ask a running CPU for a snapshot, wait for it at most 100 ms, and print it.  False: it did not answer, or somebody else
 * is asking.  Context: any but under a run queue's or the log's lock. */
bool cpu_backtrace(u32 cpu);
/* cpus_stop - halt all other CPUs, or wait for at most a second; then cpu_snapshot_print tells where they stopped.  Context: panic. */
void cpus_stop(void);
/* cpu_park - halt for good, with a snapshot.  self: it came by itself, not by cpus_stop.  Context: irqs off. */
void __noreturn cpu_park(bool self);
/* task_print - log what a task is, and where it sleeps.  Context: any, no run queue's lock held; t is referenced, or under RCU. */
struct task;
void task_print(struct task *t);
