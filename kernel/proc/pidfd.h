/* Descriptors that name a process: see pidfd.c. */
#pragma once
#include <kernel/task.h>

struct file;
/* pidfd_create - a file that names p, of which it takes a reference.  o_flags: 0 or O_NONBLOCK.  -ENFILE, -ENOMEM.  Context: thread. */
int __must_check pidfd_create(struct process *p, u32 o_flags, struct file **out);
/* pidfd_process - whom f names; f's reference keeps it.  NULL: f is something else. */
struct process *pidfd_process(const struct file *f);
/* pidfd_ended - p has ended: whoever polls is told.  Context: any; proc_lock held. */
void pidfd_ended(struct process *p);
/* CLONE_PIDFD: a descriptor of current's that names the process to be.  pidfd_prepare - reserved, and its number written to *to: 0, -EFAULT,
 * -EMFILE, -ENFILE, -ENOMEM.  pidfd_finish - it is filled, or (not ok) given back; nothing, if none was prepared.  Context: thread, no lock. */
struct new_pidfd { int fd; struct file *file; };
int pidfd_prepare(struct new_pidfd *n, struct process *p, s32 __user *to);
void pidfd_finish(const struct new_pidfd *n, bool ok);
