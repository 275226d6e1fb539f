/* Flags of a file that chattr(1) sets. */
#pragma once
#include <fs/vfs.h>

/* fileattr_ioctl - FS_IOC_GETFLAGS, SETFLAGS, FSGETXATTR, FSSETXATTR by inode_ops.get_flags and set_flags; -ENOTTY: another request, or they are not
 * there.  Context: thread, may sleep; no locks. */
long fileattr_ioctl(struct file *f, u32 cmd, u64 arg);
/* fileattr_to_inode, inode_to_fileattr - those of FS_*_FL that the VFS obeys, into inode->flags and out of them. */
void fileattr_to_inode(struct inode *i, u32 flags);
u32 inode_to_fileattr(const struct inode *i);
