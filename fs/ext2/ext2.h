/* ext2 in memory: what its files share.  The theory stands in super.c. */
#pragma once
#include <fs/buffer.h>
#include <fs/ext2/bits.h>
#include <fs/ext2/check.h>
#include <fs/inode.h>
#include <fs/iomap.h>
#include <fs/vfs.h>
#include <kernel/lib/rbtree.h>

struct ext2_group {
	struct mutex lock;		/* LC_FS_ALLOC: both bitmaps and the descriptor of the group */
	struct rb_root windows;		/* [lock] struct ext2_window, by start */
	u32 ino_hint;			/* [lock] no inode before this one is free */
	u32 data_start;			/* [I] from this block to its end the group has nothing of the volume's own */
	bool judged, bad;		/* [lock] the bitmap was looked at; nothing is allocated from it */
};

/* A run of free blocks that only one file takes blocks from, so that files which grow at the same time stay in one piece each. */
struct ext2_window {
	struct rb_node node;		/* [group's lock] */
	u32 group;			/* [map_lock] whose */
	u32 start, end;			/* [group's lock] bits of the group's bitmap; start == end: none */
	u32 goal_size;			/* [map_lock] the next one's length */
};

enum ext2_opts { EXT2_OPT_MINIX_DF = 1, EXT2_OPT_GRPID = 2, EXT2_OPT_XATTR_USER = 4, EXT2_OPT_ACL = 8, EXT2_OPT_DEBUG = 16, EXT2_OPT_NOUID32 = 32 };

struct ext2_mount_opts {
	u32 flags;			/* enum ext2_opts */
	u32 errors;			/* enum ext2_errors */
	u32 resuid, resgid;
	u64 sb_block;			/* in KiB */
};

#define EXT2_XATTR_SLOTS 64u

struct ext2_super {
	struct super *sb;		/* [I] */
	struct block_device *bdev;	/* [I] */
	struct ext2_geometry geo;	/* [I] */
	struct ext2_mount_opts opts;	/* changed by remount; read racily */
	struct buffer super_buf;	/* [I] where *disk lies */
	struct ext2_super_block *disk;	/* [super_lock] */
	struct mutex super_lock;	/* LC_META */
	u16 mount_state;		/* [super_lock] s_state before we mounted it */
	bool writable;			/* [super_lock] it was marked as mounted */
	struct buffer *descs;		/* [I] blocks of group descriptors */
	struct ext2_group *groups;	/* [I] */
	s64 free_blocks, free_inodes, dirs;	/* [a] sums over the groups */
	u32 next_generation;		/* [a] */
	u32 spread;			/* [a] turns among the groups for new top directories */
	u32 error_reports;		/* [a] */
	struct { u32 hash, block; } xattr_blocks[EXT2_XATTR_SLOTS];	/* [xattr_lock] blocks that may be shared */
	struct rwsem retire_sem;	/* LC_RETIRE: retire.c */
	struct mutex retired_lock;	/* LC_META */
	struct ext2_retired *retired;	/* [retired_lock] blocks of tables that will be free */
	u32 nr_retired;			/* [retired_lock], read racily */
	u32 retire_at;			/* [retired_lock], read racily: so many are set free together */
	struct mutex xattr_lock;	/* LC_FS_PRIVATE: who shares a block of attributes: xattr.c */
};

struct ext2_inode {
	struct inode vfs;
	struct rwsem map_lock;		/* LC_FS_PRIVATE; nests: none */
	u32 block[EXT2_N_BLOCKS];	/* [map_lock] or, of a fast symlink, its text */
	struct ext2_window window;
	u64 last_n;			/* [map_lock] the block of the file that was allocated last, */
	u32 last_block;			/* [map_lock] and where; 0: none */
	u64 end_n;			/* [map_lock] blocks were allocated up to here since the last look for some beyond the end */
	u64 meta_first, meta_last;	/* [map_lock] changed since they were last written: the tables of these blocks of the file; none: first > last */
	u32 flags;			/* [vfs.lock] enum ext2_inode_flags */
	u32 generation;			/* [I] */
	u32 file_acl;			/* [vfs.lock] */
	u32 dtime;			/* of one that goes */
	u32 group;			/* [I] */
	u16 extra_isize;		/* [I] of struct ext2_inode_extra; 0: none of it */
	u32 look_hint, room_hint;	/* [vfs.lock for writing] blocks of a directory where to look first: for names, for room, */
	u32 room_off;			/* and from which entry of the latter; */
	u32 search_debt;		/* blocks that were looked through in vain; */
	struct ext2_names *names;	/* where the names are, or NULL: dir.c */
	u32 entry_unsynced;		/* [a] its name was made since its directory was last written for an fsync */
	bool unlinked;			/* [vfs.spin] it is counted in sb->nr_unlinked */
	bool filled, fresh;		/* it is a file's; its place in the table holds an old one's rest [raw_lock, read racily] */
	struct mutex raw_lock;		/* LC_META: writing it to the table */
};

static inline struct ext2_inode *ext2_i(struct inode *i) { return container_of(i, struct ext2_inode, vfs); }
static inline struct ext2_super *ext2_sb(const struct super *sb) { return sb->private; }
static inline u32 ext2_ptr_bits(const struct ext2_super *s) { return s->geo.block_bits - 2; }
static inline struct ext2_group_desc *ext2_desc(const struct ext2_super *s, u32 group)
{
	return (struct ext2_group_desc *)s->descs[group / s->geo.descs_per_block].data + group % s->geo.descs_per_block;
}
static inline void ext2_desc_dirty(struct ext2_super *s, u32 group) { buffer_dirty(&s->descs[group / s->geo.descs_per_block]); }
static inline int ext2_block_read(struct ext2_super *s, u32 block, struct buffer *b) { return buffer_read(s->bdev, block, s->geo.block_size, b); }
/* ext2_block_read_surely - for who cannot go back (what is being freed must be freed): a lack of memory is waited out, on the reserves, for seconds. */
int ext2_block_read_surely(struct ext2_super *s, u32 block, struct buffer *b);
static inline int ext2_block_new(struct ext2_super *s, u32 block, struct buffer *b) { return buffer_get(s->bdev, block, s->geo.block_size, b); }
#define ext2_msg(s, fmt, ...) printk("ext2: %s: " fmt "\n", (s)->bdev->name, ##__VA_ARGS__)

/* super.c.  ext2_error - the volume contradicts itself: says where, and does what errors= asks for.  Returns -EIO (EFSCORRUPTED has no
 * number of its own here).  Context: thread, may hold any lock up to LC_FS_ALLOC. */
int __printf(2, 3) ext2_error(struct ext2_super *s, const char *fmt, ...);
int ext2_super_sync(struct super *sb, bool wait);
/* ext2_feature_large_file - a file beyond 2 GiB is there: the volume must say so. */
void ext2_feature_large_file(struct ext2_super *s);
void ext2_feature_ext_attr(struct ext2_super *s);

/* options.c */
int ext2_parse_options(const char *text, struct ext2_mount_opts *o);
int ext2_show_options(struct super *sb, char *buf, size_t len);

/* balloc.c.  ext2_blocks_alloc - up to want blocks in one run, near goal; *nr: how many.  0 is never a block.  -ENOSPC, -EIO, -ENOMEM.
 * w: the inode's window, or NULL (for metadata).  Locks: map_lock of w's inode for writing.
 * ext2_blocks_free - the run must be the caller's.  ext2_window_drop - give up what is reserved; the same lock, or no other user. */
int __must_check ext2_blocks_alloc(struct ext2_super *s, struct ext2_window *w, u32 goal, u32 want, u32 *first, u32 *nr);
void ext2_blocks_free(struct ext2_super *s, u32 first, u32 nr);
void ext2_window_drop(struct ext2_super *s, struct ext2_window *w);
/* ext2_group_lock - lock the group and read its bitmap; false: it cannot be used, and is not locked. */
bool ext2_group_lock(struct ext2_super *s, u32 g, struct buffer *b);
void ext2_group_unlock(struct ext2_super *s, u32 g, struct buffer *b);
/* ext2_blocks_ok - may these belong to a file? */
bool ext2_blocks_ok(struct ext2_super *s, u32 first, u32 nr);

/* retire.c.  ext2_retire - instead of ext2_blocks_free, for the block of a table; between ext2_retire_begin and, when ext2_write_inode has been
 * called for its inode, ext2_retire_end.  Locks at begin and end: up to a page's.  ext2_retired_free - set all free that wait; may write all metadata.
 * ext2_retired_try - the same for who has no other block left, and may hold a map_lock; false: there are none.
 * ext2_retired_forget - those that are left stay as they are, marked as used: at unmount. */
void ext2_retire(struct ext2_super *s, u32 block);
void ext2_retire_begin(struct ext2_super *s), ext2_retire_end(struct ext2_super *s);
int ext2_retired_free(struct ext2_super *s);
void ext2_retired_forget(struct ext2_super *s);
bool ext2_retired_try(struct ext2_super *s);

/* trim.c.  ext2_trim_free - discard what is free in the range; r->len: how many bytes that was.  -EINVAL, -EOPNOTSUPP, -EINTR, -EIO. */
struct fstrim_range;
int ext2_trim_free(struct ext2_super *s, struct fstrim_range *r);

/* ialloc.c.  ext2_inode_new - a referenced inode that is in nobody's directory yet, its lock free, being filled: inode_filled makes it
 * known.  -ENOSPC, -EIO, -ENOMEM.  ext2_inode_free - its number may be another's. */
int __must_check ext2_inode_new(struct inode *dir, u32 mode, dev_t_k rdev, struct inode **out);
void ext2_inode_free(struct ext2_super *s, u32 ino, bool dir);

/* inode.c */
int __must_check ext2_iget(struct super *sb, u32 ino, struct inode **out);
void ext2_set_ops(struct inode *i);
/* ext2_raw_read - the block of the table that has the inode, and where in it.  ext2_extra - what follows there. */
int __must_check ext2_raw_read(struct ext2_super *s, u64 ino, struct buffer *b, struct ext2_disk_inode **raw);
static inline struct ext2_inode_extra *ext2_extra(struct ext2_disk_inode *raw) { return (struct ext2_inode_extra *)(raw + 1); }
struct inode *ext2_alloc_inode(struct super *sb);
void ext2_free_inode(struct inode *i);
void ext2_evict(struct inode *i);
int ext2_write_inode(struct inode *i, bool wait);
void ext2_flags_to_vfs(struct ext2_inode *e);
/* ext2_nlink_changed - after each change of nlink to or from 0.  Locks: as for that. */
void ext2_nlink_changed(struct inode *i);
void ext2_blocks_add(struct inode *i, s64 nr);	/* of the volume's size, to i_blocks */
int ext2_setattr(struct inode *i, const struct iattr *a);
void ext2_inode_init_caches(void);

/* map.c.  ext2_map - iomap_ops.map.  ext2_dir_grow - a block for block n of a directory or symlink. */
extern const struct iomap_ops ext2_iomap_ops;
int __must_check ext2_dir_grow(struct inode *i, u64 n);
/* ext2_tables_look - the tables on the way to the byte at pos can be read.  0, -EIO, -ENOMEM. */
int ext2_tables_look(struct inode *i, u64 pos);
/* ext2_tables_write - write those indirect blocks that have changed; start, then wait. */
int ext2_tables_write(struct ext2_inode *e);

/* truncate.c.  ext2_free_range - iomap_free_fn.  ext2_trim - give back blocks beyond the end of file.  Locks: the inode's, for writing. */
int ext2_free_range(struct inode *i, u64 start, u64 end);
void ext2_trim(struct inode *i);

/* dir.c: entries.  Locks: the directory's, for writing where it changes.  -ENOENT, -EIO, -ENOSPC, -ENOMEM.
 * ext2_dir_find - *ino.  ext2_dir_add - the name is not there.  ext2_dir_remove.  ext2_dir_set - the entry of name, which is there, is
 * ino's now.  ext2_dir_pin - the page that its entry is in, referenced: as long as it is, the three calls before cannot fail for that name.
 * ext2_dir_make - "." and "..".  ext2_dir_is_empty - 0, -ENOTEMPTY. */
int ext2_dir_find(struct inode *dir, const char *name, u32 len, u32 *ino);
/* ext2_dir_name_of - struct handle_ops' name_of. */
int ext2_dir_name_of(struct inode *dir, const struct inode *child, char *name);
int ext2_dir_add(struct inode *dir, const char *name, u32 len, const struct inode *i);
int ext2_dir_remove(struct inode *dir, const char *name, u32 len);
int ext2_dir_set(struct inode *dir, const char *name, u32 len, u32 ino, u32 mode);
int ext2_dir_pin(struct inode *dir, const char *name, u32 len, struct page **page);
int ext2_dir_make(struct inode *dir, u32 parent);
int ext2_dir_is_empty(struct inode *dir);
void ext2_names_drop(struct ext2_inode *d);	/* the inode goes, too */
/* ext2_page_put - bytes into page 0 of a directory or symlink whose block is there, and which is empty */
extern const struct file_ops ext2_dir_fops;

/* namei.c, symlink.c, file.c, ioctl.c, xattr.c, acl.c */
extern const struct handle_ops ext2_handle_ops;
extern const struct inode_ops ext2_dir_iops, ext2_file_iops, ext2_special_iops, ext2_link_iops;
extern const struct file_ops ext2_file_fops;
int ext2_symlink_make(struct inode *i, const char *target, u32 len);
/* ext2_dir_write - the blocks and the inode of a directory, waiting; no flush. */
int ext2_dir_write(struct inode *dir);
int ext2_open(struct inode *i, struct file *f);
int ext2_fsync(struct file *f, u64 start, u64 end, bool datasync);
long ext2_ioctl(struct file *f, u32 cmd, u64 arg);
u32 ext2_get_flags(struct inode *i);
int ext2_set_flags(struct inode *i, u32 flags);
#define EXT2_FLAG_OPS .get_flags = ext2_get_flags, .set_flags = ext2_set_flags
ssize_t ext2_getxattr(struct inode *i, const char *name, void *value, size_t size);
int ext2_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags);
void ext2_listxattr(struct inode *i, struct xattr_names *names);
/* ext2_xattr_get, ext2_xattr_put - by index and the rest of the name; as inode_ops say.  ext2_xattr_put with value NULL and no flags: none is fine too. */
ssize_t ext2_xattr_get(struct inode *i, u32 index, const char *name, void *value, size_t size);
int ext2_xattr_put(struct inode *i, u32 index, const char *name, const void *value, size_t size, u32 flags);
/* ext2_xattrs_any - has the inode, which is being filled, some? */
bool ext2_xattrs_any(const struct ext2_super *s, const struct ext2_inode *e, struct ext2_disk_inode *raw);
void ext2_xattr_drop(struct inode *i);		/* it goes: its block too, if nobody shares it */
/* acl.c.  ext2_set_acl - inode_ops.set_acl.  ext2_acls_read - of an inode that is being filled.  ext2_acl_inherit - of one just made in dir. */
int ext2_set_acl(struct inode *i, u32 kind, const struct acl *a);
void ext2_acls_read(struct inode *i);
int ext2_acl_inherit(struct inode *i, const struct inode *dir);
#define EXT2_XATTR_OPS .getxattr = ext2_getxattr, .setxattr = ext2_setxattr, .listxattr = ext2_listxattr, .set_acl = ext2_set_acl
