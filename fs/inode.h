/* Inodes beyond what vfs.h says: times, attributes, permission. */
#pragma once
#include <fs/vfs.h>
#include <arch/atomic.h>
#include <linux/stat.h>

#define S_IFMT_K	((u32)S_IFMT)
#define MODE_IS(m, t)	(((m) & S_IFMT_K) == (t))
static inline bool inode_is_dir(const struct inode *i) { return MODE_IS(READ_ONCE(i->mode), S_IFDIR); }
static inline bool inode_is_link(const struct inode *i) { return MODE_IS(READ_ONCE(i->mode), S_IFLNK); }
static inline bool inode_is_reg(const struct inode *i) { return MODE_IS(READ_ONCE(i->mode), S_IFREG); }

enum { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4 };
/* inode->flags */
enum { INODE_DEAD = 1 /* directory removed */, INODE_LINKABLE = 2 /* O_TMPFILE without O_EXCL */, INODE_NOATIME = 4,
       INODE_APPEND = 8, INODE_IMMUTABLE = 16, INODE_SYNC = 64, INODE_DIRSYNC = 128 /* changes are durable when the call returns */,
       INODE_NODUMP = 512, INODE_ACL = 256 /* its mode does not say all: fs/posix_acl.h */,
       INODE_UNCACHED = 32 /* its name is forgotten when unused, and those below it */,
       INODE_SWAPFILE = 1024 /* a swap area: nobody changes it */, INODE_NO_CAPS = 2048 /* it has no capabilities: fs/file_caps.c */ };

/* inode_init_mode - set the mode and, with it, the lock's class and the operations of special files. */
void inode_init_mode(struct inode *i, u32 mode, dev_t_k rdev);
/* inode_init_owner - uid, gid and mode of a new inode by current's credentials and dir's set-group-ID bit. */
void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode, dev_t_k rdev);
/* inode_may_lookup - search permission on a directory; the common case inline.  RCU-safe. */
static inline int inode_may_lookup(struct inode *dir)
{
	if (likely((READ_ONCE(dir->mode) & 0111) == 0111 && !(READ_ONCE(dir->flags) & INODE_ACL)))
		return 0;
	return inode_permission(dir, MAY_EXEC);
}
/* inode_owner_or_capable - current owns it or has CAP_FOWNER */
bool inode_owner_or_capable(const struct inode *i);
/* The inode hash: of filesystems whose inodes have numbers before they are in memory.
 * inode_find - the inode of that number, referenced.  *is_new: it was not in memory, and is now, empty; the caller fills it, and others
 * wait until he says inode_filled, or inode_unfilled (which puts it: those who waited try themselves).  One that is being evicted is
 * waited for.  0, -ENOMEM.  Context: thread, may sleep; no lock of the filesystem's that evict() takes.
 * inode_find_cached - only if it is in memory, filled, and not on its way out; else NULL. */
int __must_check inode_find(struct super *sb, u64 ino, struct inode **out, bool *is_new);
void inode_filled(struct inode *i);
void inode_unfilled(struct inode *i);
struct inode *inode_find_cached(struct super *sb, u64 ino);
/* inode_hash_add - an inode made otherwise can be found by its number from now on.  0, -ENOMEM.  Context: thread. */
int inode_hash_add(struct inode *i);
/* inode_unhash - evicted: who waits for it may fill another.  For inode_put. */
void inode_unhash(struct inode *i);
/* inode_now - the time as the inode's filesystem can keep it: to the nanosecond, or in whole seconds. */
struct timespec_k inode_now(const struct inode *i);
/* inode_is_fixed - immutable, or only to be appended to: its attributes and names stay as they are (EPERM, for root too). */
static inline bool inode_is_fixed(const struct inode *i) { return READ_ONCE(i->flags) & (INODE_APPEND | INODE_IMMUTABLE); }
/* inode_set_dead - a directory that was removed: nothing is made in it any more.  Its lock is held for writing. */
void inode_set_dead(struct inode *dir);
void inode_touch(struct inode *i, u32 attr_times);	/* ATTR_ATIME | ... = now */
void inode_touch_at(struct inode *i, u32 attr_times, const struct timespec_k *now);
/* inode_setattr_generic - what a memory filesystem does with an iattr (size by filemap_truncate).  inode lock held for writing. */
int inode_setattr_generic(struct inode *i, const struct iattr *a);
/* inode_setattr_locked - call the filesystem, move ctime.  Permissions were checked by the caller, under the same lock where they go by what
 * is about to change.  inode lock held for writing.  inode_setattr takes it. */
int inode_setattr_locked(struct inode *i, struct iattr *a);
int inode_setattr(struct inode *i, struct iattr *a);
/* inode_may_grow - may i become that many bytes long: 0 or -EFBIG (with SIGXFSZ beyond RLIMIT_FSIZE). */
int inode_may_grow(const struct inode *i, u64 size);
int inode_truncate(struct inode *i, u64 size);		/* checks ETXTBSY, RLIMIT_FSIZE; takes the lock */
void inode_getattr_generic(const struct inode *i, struct kstat *st);
int inode_getattr(struct inode *i, struct kstat *st);
/* inode_deny_write - exec takes it (ETXTBSY if open for write); inode_get_write is the opener's half. */
int inode_deny_write(struct inode *i);
void inode_allow_write(struct inode *i);
int inode_get_write(struct inode *i);
void inode_put_write(struct inode *i);
/* inode_kill_suid - a write by an unprivileged user drops set-ID bits, and anybody's the file's capabilities; file_kill_suid: and who watches is
 * told.  0, or the filesystem's error, and nothing is to be written then.  inode lock held for writing. */
int __must_check inode_kill_suid(struct inode *i);
int __must_check file_kill_suid(struct file *f);
static inline u64 i_size_read(const struct inode *i) { return atomic_load(&i->size); }
static inline void i_size_write(struct inode *i, u64 size) { atomic_store(&i->size, size); }
u64 inode_nr(void);
void inode_cache_init(void);
extern const struct inode_ops empty_inode_ops;
extern const struct file_ops chardev_fops, blockdev_fops, fifo_fops, noopen_fops;	/* special files' open */
