/* dnotify: signals about what happens in a directory (fcntl(2): F_NOTIFY).  Theory in dnotify.c. */
#pragma once
#include <kernel/lib/types.h>

struct file;
struct fdtable;
/* dnotify_fcntl - F_NOTIFY with DN_* on f, which is current's descriptor fd; no event: not any more.  0, -EINVAL (switched off by sysctl), -ENOTDIR,
 * -ENOMEM.  Context: thread. */
long dnotify_fcntl(struct file *f, int fd, u32 arg);
/* dnotify_close - a descriptor of f (which has FILE_DNOTIFY) was closed in the table.  Context: thread, no locks. */
void dnotify_close(struct file *f, const struct fdtable *table);
/* dnotify_owner_changed - F_SETOWN, F_SETSIG on such a file.  Context: thread, no locks. */
void dnotify_owner_changed(struct file *f);
