/* Polling helpers shared with epoll. */
#pragma once
#include <fs/vfs.h>

u32 file_poll(struct file *f, struct poll_table *pt);
/* poll_deadline - relative user timespec to a monotonic deadline: 0 "do not wait", TIME_NEVER for NULL. */
int poll_deadline(const void __user *uts, u64 *deadline);
