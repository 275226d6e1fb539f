/* Superblocks: one mounted filesystem each.  References are mounts'. */
#pragma once
#include <fs/vfs.h>

/* super_create - a new superblock with an anonymous device number; refs 1.  NULL if no memory. */
struct super *super_create(const struct fs_type *type, const struct super_ops *ops, u64 magic);
static inline void super_get(struct super *sb) { refcount_inc(&sb->refs); }
void super_put(struct super *sb);	/* last: prunes dentries, put_super, frees */
/* super_of_device - mount() of filesystems that live on a block device, which source names: the superblock that is mounted from it already,
 * or a new one with sb->bdev, sb->writer (the device's), sb->dev and flags set, that fill(sb, opts) completes (sb->root too).  If fill fails, put_super is
 * called all the same.  -EBUSY: somebody else has the device, or it is mounted for reading and asked for writing, or the reverse; what
 * block_open_path returns; -ENOMEM; what fill returns.  The device is closed when put_super has returned.  Context: thread, may sleep. */
int __must_check super_of_device(const struct fs_type *type, const struct super_ops *ops, u64 magic, u32 flags, const char *source,
				 const char *opts, int (*fill)(struct super *sb, const char *opts), struct super **out);
const struct fs_type *fs_type_find(const char *name);
int super_sync(struct super *sb, bool wait);
void supers_sync_all(bool wait);
/* super_freeze - write everything and keep all changes waiting until super_thaw.  -EOPNOTSUPP, -EBUSY (it is frozen), -EINVAL (it is not), -EIO.
 * Context: thread, may sleep; no locks of files. */
int super_freeze(struct super *sb), super_thaw(struct super *sb);
/* super_remount - change its flags (of which MS_RDONLY) and options; what is dirty is written before it becomes read-only.
 * Locks: mount changes are excluded by the caller, or it is the end.
 * supers_read_only - the machine stops: write everything, and mark what is on devices as cleanly left, whoever uses it. */
int super_remount(struct super *sb, u32 flags, const char *opts);
void supers_read_only(void);
struct super *super_find_dev(dev_t_k dev);
