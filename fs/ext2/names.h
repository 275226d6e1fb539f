/* The names of a large directory by hash: where in it each stands.  Only in memory, made when looking through the blocks has become dear
 * (dir.c), complete as long as it lives: what is not in it is not in the directory.  Pure: also run on the host. */
#pragma once
#include <kernel/lib/types.h>

/* A table of open addressing, its length a power of two; a slot is free if its place is 0. */
struct ext2_names {
	u32 mask, used;
	struct { u32 hash, place; } slots[];	/* place: the entry's offset in the directory / 4, + 1 */
};

/* names_hash - of a name.  names_bytes - what a table of nr slots takes; names_init - makes one of such memory, which is zero.
 * names_full - another name would make it slow: it should be copied to one twice as long first (names_copy, to an empty one).
 * names_add, names_remove - a name at off; the latter: it is there.
 * names_next - the next entry whose name may have that hash, from *at on (names_first before the first); false: no more. */
u32 names_hash(const char *name, u32 len);
static inline size_t names_bytes(u32 nr) { return sizeof(struct ext2_names) + nr * (size_t)8; }
void names_init(struct ext2_names *n, u32 nr);
static inline bool names_full(const struct ext2_names *n) { return n->used >= n->mask - n->mask / 4; }
void names_copy(struct ext2_names *to, const struct ext2_names *from);
void names_add(struct ext2_names *n, u32 hash, u64 off);
void names_remove(struct ext2_names *n, u32 hash, u64 off);
static inline u32 names_first(const struct ext2_names *n, u32 hash) { return hash & n->mask; }
bool names_next(const struct ext2_names *n, u32 hash, u32 *at, u64 *off);
