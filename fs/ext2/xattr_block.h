/* Where extended attributes lie, as memory: a block of its own with a header, or the rest of an inode.  Pure: also run on the host. */
#pragma once
#include <fs/ext2/ext2_disk.h>

/* base: from where offsets of values count; head: where the names begin, 0 in an inode; size: where all ends. */
struct ext2_xattrs { void *base; u32 head, size; };

/* ext2_xattrs_wrong - NULL, or what is wrong with them; ext2_xattr_wrong - with a block of them.  All others expect what was found good.
 * ext2_xattr_find - the entry, or NULL.  ext2_xattr_set - give it that value (NULL: remove it, or do nothing): 0, -ENOSPC.
 * ext2_xattr_init - an empty block, for one inode.  ext2_xattr_same - do two blocks say the same (but for how many share them)? */
const char *ext2_xattrs_wrong(const struct ext2_xattrs *x);
const char *ext2_xattr_wrong(const void *block, u32 size);
struct ext2_xattr_entry *ext2_xattr_find(const struct ext2_xattrs *x, u32 index, const char *name, u32 len);
int ext2_xattr_set(struct ext2_xattrs *x, u32 index, const char *name, u32 len, const void *value, u32 value_size);
void ext2_xattr_init(void *block, u32 size);
bool ext2_xattr_same(const void *a, const void *b, u32 size);
static inline struct ext2_xattr_header *ext2_xattr_header(const void *block) { return (struct ext2_xattr_header *)(u64)block; }
static inline struct ext2_xattrs ext2_xattrs_block(const void *block, u32 size)
{
	return (struct ext2_xattrs){ (void *)(u64)block, sizeof(struct ext2_xattr_header), size };
}
static inline struct ext2_xattr_entry *ext2_xattr_first(const struct ext2_xattrs *x)
{
	return (struct ext2_xattr_entry *)((char *)x->base + x->head);
}
static inline bool ext2_xattr_last(const struct ext2_xattr_entry *e) { return *(const u32 *)e == 0; }
static inline struct ext2_xattr_entry *ext2_xattr_next(const struct ext2_xattr_entry *e)
{
	return (struct ext2_xattr_entry *)((char *)(u64)e + EXT2_XATTR_LEN(e->name_len));
}
