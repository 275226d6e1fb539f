/* Between mm/swap.c, mm/swapfile.c and mm/swap_out.c only. */
#pragma once
#include <drivers/block/block.h>
#include <kernel/lib/radix_tree.h>
#include <kernel/sync/spinlock.h>
#include <mm/page.h>
#include <mm/swap.h>

#define SLOT_CACHED	0x8000u		/* of a map entry: the swap cache has a page for it */
#define SLOT_BAD	0x7fffu
#define SLOT_MAX	0x7ff0u		/* entries that may name one slot */
#define CLUSTER		256u		/* slots that one CPU takes its own from */

struct swap_extent { u64 first, nr, sector; };		/* slots from first on lie at sector on */

struct swap_area {
	u32 type;			/* [I] index, kept in slots' names */
	u32 flags;			/* [areas_mutex] SWAP_FLAG_DISCARD* */
	bool writable;			/* [a] new slots may be taken */
	s32 prio;			/* [areas_mutex] */
	u64 nr_slots;			/* [I] with the header, which is slot 0 */
	u64 nr_usable;			/* [I] */
	s64 nr_free;			/* [a] */
	u16 *map;			/* [a] for each slot: how many entries name it, SLOT_CACHED; SLOT_BAD */
	u16 *cluster_free;		/* [a] for each cluster */
	u64 *cluster_used;		/* [lock] bitmap: handed out since it was last discarded */
	u64 *cluster_taken;		/* [lock] bitmap: a CPU takes its slots from it */
	u64 next_cluster;		/* [lock] where to look next */
	u32 users;			/* [a] who is getting a cluster or reading there without holding a slot: swapoff waits for them */
	struct spinlock lock;		/* LC_SWAP_AREA */
	struct spinlock tree_lock;	/* LC_PAGE_TREE */
	struct radix_tree tree;		/* [tree_lock; RCU readers] the swap cache: slot -> page */
	struct block_device *bdev;	/* [I] */
	struct inode *file;		/* [I] NULL: the device itself */
	struct file *opened;		/* [I] of a file */
	bool marked;			/* [I] INODE_SWAPFILE is ours */
	struct swap_extent *extents;	/* [I] sorted */
	u32 nr_extents;
	char name[256];			/* [I] */
};

extern struct swap_area *swap_areas[SWAP_AREAS];	/* [areas_mutex; RCU readers, or who holds a slot of it] */
static inline struct swap_area *area_of(u64 slot) { return swap_areas[(slot >> SWAP_AREA_SHIFT) - 1]; }
static inline u64 slot_index(u64 slot) { return slot & ((1ul << SWAP_AREA_SHIFT) - 1); }
static inline u64 slot_name(const struct swap_area *a, u64 index) { return (u64)(a->type + 1) << SWAP_AREA_SHIFT | index; }

/* swapfile.c: slot_alloc - a free slot, SLOT_CACHED and named by nobody; 0 if there is none.  Context: thread, may sleep (discard).
 * slot_free - its map entry has just become 0.  slot_sector - where it lies, and in *run how many slots from it on lie in a row. */
u64 slot_alloc(void);
void slot_cancel(u64 slot);		/* a slot of slot_alloc's is not needed */
void slot_free(struct swap_area *a, u64 index);
u64 slot_sector(const struct swap_area *a, u64 index, u64 *run);
/* slot_entries - how many name it; a racy look. */
static inline u32 slot_entries(u64 slot) { return atomic_load(&area_of(slot)->map[slot_index(slot)]) & ~SLOT_CACHED; }

/* swap_area_publish - slots of a, whose type is free, can be had.  swap_area_retire - nobody has one any more, nor can: a is the caller's alone.
 * Context: areas_mutex held, or a test before there is any. */
void swap_area_publish(struct swap_area *a);
void swap_area_retire(struct swap_area *a);

/* swap.c.  swap_cache_add - the anonymous page p, locked, goes into the cache under slot, which is slot_alloc's: -ENOMEM, or 0 and a reference more.
 * swap_cache_remove - p, locked, leaves it; the slot is free if nobody names it.  swap_cache_remove_unused - only if besides the cache's there is
 * one reference, the caller's, p is clean and unmapped: true, and p is freed and unlocked. */
int swap_cache_add(struct page *p, u64 slot);
void swap_cache_remove(struct page *p);
bool swap_cache_remove_unused(struct page *p);
struct page *swap_cache_lookup(u64 slot);	/* referenced */
void swap_tree_init(struct radix_tree *t);
void swap_cache_init(struct swap_area *a);
/* swap_submit - read or write nr pages whose slots follow each other; end() is called for each bio of them. */
void swap_submit(struct page **pages, u32 nr, bool write, void (*end)(struct bio *bio));

/* swap_out.c: pages that are out of the page tables and wait to be written and freed.  unmapped_add, unmapped_del - p is in the swap cache, locked
 * or being written.  Context: any. */
void unmapped_add(struct page *p, bool old);
void unmapped_del(struct page *p);
