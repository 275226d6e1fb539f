/* What tmpfs.c (names and data) and super.c (instances and their options) share. */
#pragma once
#include <fs/tmpfs/tmpfs.h>
#include <fs/xattr.h>
#include <kernel/lib/rbtree.h>

struct tmpfs_inode {
	struct inode vfs;
	struct rb_root entries;		/* [vfs.lock] of a directory */
	u32 nr_entries;			/* [vfs.lock] */
	struct xattrs xattrs;		/* [vfs.lock] */
	struct inode *parent;		/* [the super's rename mutex] of a directory with a name; not referenced, its entry is there */
};

struct tmpfs_super {
	u64 max_pages, pages;		/* [a] 0: no limit */
	u64 max_inodes, inodes;		/* [a] */
	u32 mode, uid, gid;		/* of the root */
	bool size_given, inodes_given;
	bool fixed;			/* [I] only the kernel, or the host, makes and removes names */
	const struct tmpfs_host *host;	/* [I] whose files they are, NULL: tmpfs's */
};

static inline struct tmpfs_inode *tmpfs_i(const struct inode *i) { return container_of(i, struct tmpfs_inode, vfs); }
static inline struct tmpfs_super *tmpfs_sb(const struct super *sb) { return sb->private; }

/* Operations of a superblock on its inodes; fs/vfs.h says what they may assume. */
struct inode *tmpfs_alloc_inode(struct super *sb);
void tmpfs_free_inode(struct inode *inode);
void tmpfs_evict(struct inode *inode);
extern const struct handle_ops tmpfs_handle_ops;
/* tmpfs_inodes_init - make the cache of inodes, once.  Context: boot. */
void tmpfs_inodes_init(void);
/* What the pages of a file cost: of every address space on a tmpfs. */
int tmpfs_page_added(struct address_space *as);
void tmpfs_page_freed(struct address_space *as, struct page *page);
#define TMPFS_DATA_OPS .page_added = tmpfs_page_added, .page_freed = tmpfs_page_freed, .may_swap = true
/* memfd_may_allocate - do i's seals, if it has any, allow fallocate() with this mode up to byte end?  0, -EPERM.  Context: i locked. */
int memfd_may_allocate(const struct inode *i, u32 mode, u64 end);
