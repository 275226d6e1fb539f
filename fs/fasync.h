/* SIGIO: whom a file's owner wants told that something came (fcntl(2): F_SETOWN, F_SETSIG, O_ASYNC). */
#pragma once
#include <kernel/lib/types.h>

struct file;

/* Whoever brings the event may not hold the file, so what fcntl says about it is copied into its object.  Zeroed: nobody is told.
 * All members racy: a change meets an event as it may. */
struct fasync { s32 pid, fd; u32 sig, uid, euid; bool on, thread; };

/* fasync_changed - file_ops.async_changed of a file with such an object. */
void fasync_changed(struct fasync *a, const struct file *f, int fd, bool owner);
/* fasync_signal - that signal to the owner, if there is one who may get it.
 * fasync_send - SIGIO, or what F_SETSIG asked for with si_code (POLL_IN, ...) and si_band.  Context: any, below LC_PROC_TABLE. */
void fasync_signal(const struct fasync *a, int sig);
void fasync_send(const struct fasync *a, int code, long band);
