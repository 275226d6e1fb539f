/* eventfds, for others in the kernel. */
#pragma once
#include <fs/vfs.h>

bool file_is_eventfd(const struct file *f);
/* eventfd_add - as a write of n, but that it never waits: at the most the count can be it stays.  Context: thread. */
void eventfd_add(struct file *f, u64 n);
