/* epoll, for others in the kernel. */
#pragma once
#include <fs/vfs.h>

/* epoll_target - *out: what the nth of the items under descriptor fd watches in the epoll instance f; only to be compared, not referenced.
 * 0, -EINVAL (f is none), -ENOENT.  Context: thread, may sleep; f is referenced. */
int epoll_target(struct file *f, int fd, u32 nth, const void **out);
