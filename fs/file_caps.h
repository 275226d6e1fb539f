/* Capabilities of files: the attribute security.capability.  Theory in file_caps.c. */
#pragma once
#include <fs/inode.h>
#include <linux/xattr.h>
#include <kernel/lib/string.h>

/* What a file gives to who executes it. */
struct file_caps { u64 permitted, inheritable; bool effective; };

static inline bool file_caps_is(const char *name) { return !strcmp(name, XATTR_NAME_CAPS); }
/* file_caps_may_set - may current give a file these bytes as its attribute, or (value NULL) take it away?  0, -EINVAL (none that setxattr(2) takes),
 * -EPERM.  Context: any. */
int file_caps_may_set(const void *value, size_t size);
/* file_caps_show - the attribute as getxattr(2) tells it, at most size bytes; size 0 asks for its length.  The length, -ENODATA, -ERANGE, -EINVAL
 * (damaged), -EOVERFLOW (of another namespace's root).  Context: thread; takes the inode's lock for reading. */
ssize_t file_caps_show(struct inode *i, void *value, size_t size);
/* file_caps_get - what execve goes by.  0, -ENODATA (it has none that count here), -EINVAL (damaged), or the filesystem's error.  Context: thread; takes
 * the inode's lock for reading, the first time that somebody asks about this inode. */
int file_caps_get(struct inode *i, struct file_caps *out);
/* file_caps_drop - i's content or owner changes: what it could give is gone.  0, or why the filesystem cannot.  Locks: the inode's, for writing. */
int file_caps_drop(struct inode *i);
/* file_caps_changing - the attribute is about to be set.  Locks: the inode's, for writing. */
void file_caps_changing(struct inode *i);
