/* A tree from a 64-bit index to a pointer, 64 ways a node, as high as its largest index needs.
 *
 * Writers exclude each other by a lock of the owner's.  Look-ups need only an RCU read-side section, if node_free defers the free
 * by a grace period.  Up to three tags an entry; a node's tag bit says that some entry below has it.  Tags are for writers. */
#pragma once
#include <kernel/lib/types.h>

#define RADIX_BITS	6
#define RADIX_SLOTS	64
#define RADIX_TAGS	3

struct radix_node {
	void *slots[RADIX_SLOTS];
	u64 tags[RADIX_TAGS];
	struct radix_node *parent;
	u8 shift;		/* index bits below this node */
	u8 count;
	u8 offset;		/* in the parent */
	u64 rcu[2];		/* for the owner's node_free */
};

struct radix_tree {
	void *root;		/* NULL; an entry (height 0: index 0 only), or a node with bit 0 set */
	u64 root_tags;		/* tags when root is an entry */
	struct radix_node *(*node_alloc)(void);		/* zeroed, or NULL */
	void (*node_free)(struct radix_node *node);
};

void radix_tree_init(struct radix_tree *t, struct radix_node *(*node_alloc)(void), void (*node_free)(struct radix_node *));
void *radix_tree_lookup(const struct radix_tree *t, u64 index);		/* NULL: none */
int radix_tree_insert(struct radix_tree *t, u64 index, void *entry);	/* 0, -EEXIST, -ENOMEM; entry's low bit clear */
void *radix_tree_delete(struct radix_tree *t, u64 index);		/* what was there, or NULL */
void *radix_tree_replace(struct radix_tree *t, u64 index, void *entry);	/* the old entry; NULL and no change if none */
/* radix_tree_row - the nr entries from first on, NULL where there is none; all in one node: nr divides RADIX_SLOTS and first. */
void radix_tree_row(const struct radix_tree *t, u64 first, void **entries, u32 nr);
/* radix_tree_gang_lookup - up to max entries from first on, in order; returns how many.  indices may be NULL. */
u32 radix_tree_gang_lookup(const struct radix_tree *t, u64 first, void **results, u64 *indices, u32 max);
u32 radix_tree_gang_lookup_tag(const struct radix_tree *t, u64 first, void **results, u64 *indices, u32 max, u32 tag);
bool radix_tree_tag_set(struct radix_tree *t, u64 index, u32 tag);	/* false: no such entry */
void radix_tree_tag_clear(struct radix_tree *t, u64 index, u32 tag);
bool radix_tree_tag_get(const struct radix_tree *t, u64 index, u32 tag);
static inline bool radix_tree_empty(const struct radix_tree *t) { return !t->root; }
