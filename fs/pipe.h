/* Pipes. */
#pragma once
#include <fs/vfs.h>

long pipe_set_size(struct file *f, u64 size);	/* F_SETPIPE_SZ: the new size or -errno */
long pipe_get_size(struct file *f);		/* F_GETPIPE_SZ; -EBADF if f is no pipe */
void pipe_init(void);
/* pipe_create_files - a pipe for the kernel: its reading and its writing end.  0, -ENOMEM, -ENFILE.
 * pipe_wait_unread - the writer has written all: readers see the end, and it waits until there are none, or a signal comes.  Context: thread. */
int pipe_create_files(struct file *ends[2]);
void pipe_wait_unread(struct file *writer);
