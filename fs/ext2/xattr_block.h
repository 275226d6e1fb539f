/* A block of extended attributes, as memory.  Pure: also run on the host. */
#pragma once
#include <fs/ext2/ext2_disk.h>

/* ext2_xattr_wrong - NULL, or what is wrong with the block.  All others expect one that was found good.
 * ext2_xattr_find - the entry, or NULL.  ext2_xattr_set - give it that value (NULL: remove it, or do nothing): 0, -ENOSPC.
 * ext2_xattr_init - empty, for one inode.  ext2_xattr_count - entries.  ext2_xattr_rehash - after changes.
 * ext2_xattr_same - do two blocks say the same (but for how many share them)? */
const char *ext2_xattr_wrong(const void *block, u32 size);
struct ext2_xattr_entry *ext2_xattr_find(const void *block, u32 index, const char *name, u32 len);
int ext2_xattr_set(void *block, u32 size, u32 index, const char *name, u32 len, const void *value, u32 value_size);
void ext2_xattr_init(void *block, u32 size);
void ext2_xattr_rehash(void *block);
bool ext2_xattr_same(const void *a, const void *b, u32 size);
static inline struct ext2_xattr_header *ext2_xattr_header(const void *block) { return (struct ext2_xattr_header *)(u64)block; }
static inline struct ext2_xattr_entry *ext2_xattr_first(const void *block)
{
	return (struct ext2_xattr_entry *)((char *)(u64)block + sizeof(struct ext2_xattr_header));
}
static inline bool ext2_xattr_last(const struct ext2_xattr_entry *e) { return *(const u32 *)e == 0; }
static inline struct ext2_xattr_entry *ext2_xattr_next(const struct ext2_xattr_entry *e)
{
	return (struct ext2_xattr_entry *)((char *)(u64)e + EXT2_XATTR_LEN(e->name_len));
}
