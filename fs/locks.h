/* fcntl's record locks. */
#pragma once
#include <fs/vfs.h>

struct flock;
long locks_fcntl_set(struct file *f, int fd, const struct flock __user *fl, bool ofd, bool wait);
long locks_fcntl_get(struct file *f, struct flock __user *fl, bool ofd);
void file_locks_free(struct inode *i);
