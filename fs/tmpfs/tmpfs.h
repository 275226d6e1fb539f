/* tmpfs, and what other filesystems in memory take from it. */
#pragma once
#include <fs/vfs.h>

/* tmpfs_super - a new tmpfs superblock of that type and magic with options "size=,nr_inodes=,mode=,uid=,gid=".
 * 0, -EINVAL (options), -ENOMEM. */
int tmpfs_super(const struct fs_type *type, u64 magic, const char *opts, struct super **out);
/* tmpfs_super_fixed - the same, but programs can make and remove nothing there: sysfs. */
int tmpfs_super_fixed(const struct fs_type *type, u64 magic, const char *opts, struct super **out);
/* tmpfs_super_host - a superblock whose one directory is tmpfs's, and whose files are somebody else's: message queues.  dir_ops are the directory's, made of
 * tmpfs_lookup and the two after it; who makes a file gives it its operations before the directory's lock is let go.  gone(i) - the file is at its
 * end: no name, no reference; its private is not NULL.  Context: thread, no lock.  No options.  0, -ENOMEM. */
struct tmpfs_host { const struct inode_ops *dir_ops; void (*gone)(struct inode *i); };
int tmpfs_super_host(const struct fs_type *type, u64 magic, const struct tmpfs_host *host, struct super **out);
int tmpfs_lookup(struct inode *dir, const char *name, u32 len, struct inode **out);
int tmpfs_create(struct inode *dir, const char *name, u32 len, u32 mode, dev_t_k rdev, struct inode **out);
int tmpfs_unlink(struct inode *dir, const char *name, u32 len, struct inode *inode);
/* tmpfs_inode - a new inode of a tmpfs superblock, owned by nobody's directory (memfd, shared memory). */
int tmpfs_inode(struct super *sb, const struct inode *dir, u32 mode, dev_t_k rdev, struct inode **out);
/* tmpfs_add - make a node below dir without a walk: for trees that the kernel fills.  *out is referenced; may be NULL. */
int tmpfs_add(struct inode *dir, const char *name, u32 mode, dev_t_k rdev, struct inode **out);
extern const struct file_ops tmpfs_file_ops, tmpfs_dir_fops;
