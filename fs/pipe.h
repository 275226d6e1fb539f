/* Pipes. */
#pragma once
#include <fs/vfs.h>

long pipe_set_size(struct file *f, u64 size);	/* F_SETPIPE_SZ: the new size or -errno */
long pipe_get_size(struct file *f);		/* F_GETPIPE_SZ; -EBADF if f is no pipe */
void pipe_init(void);
