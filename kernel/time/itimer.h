/* Interval timers and POSIX timers of a process. */
#pragma once
#include <kernel/lib/types.h>

struct process;

/* posix_timers_exit - disarm and free them all.  Context: thread, no lock; when the process's last thread exits, and at exec
 * (interval timers stay: keep_itimer). */
void posix_timers_exit(struct process *p, bool keep_itimer);
