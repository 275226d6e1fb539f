/* Physical pages: struct page, one a frame, and the buddy allocator's interface. */
#pragma once
#include <arch/atomic.h>
#include <arch/mmu.h>
#include <kernel/lib/list.h>
#include <kernel/lib/types.h>

struct address_space;
struct anon_node;
struct slab_cache;

enum page_flags {			/* page->flags, [a] */
	PG_LOCKED = 1, PG_UPTODATE = 2, PG_DIRTY = 4, PG_WRITEBACK = 8, PG_BUDDY = 16, PG_SLAB = 32, PG_RESERVED = 64,
	PG_ANON = 128, PG_TABLE = 256, PG_HUGE_HEAD = 512, PG_HUGE_TAIL = 1024, PG_WAITERS = 2048, PG_SWAPBACKED = 4096,
	PG_LRU = 8192, PG_ACTIVE = 16384,
	PG_ERROR = 32768,		/* metadata, or a page for swap, that could not be written: it stays, being the truth, until it has been */
	PG_CODE_SYNCED = 65536,		/* instruction fetches see the contents; cleared by whoever changes them */
	PG_ACCESSED = 262144, PG_WORKING = 524288,	/* used through calls, once, and again: mm/lru.h */
	PG_READAHEAD = 131072,		/* who reads this one starts the next window: mm/readahead.c */
	PG_SWAPCACHE = 1048576,		/* anonymous, and has a slot of a swap area: mm/swap.c */
};

struct page {
	u32 flags;			/* [a] PG_* */
	s32 refs;			/* [a] references; 0 free */
	s32 mapcount;			/* [a] user mappings */
	u8 order;			/* buddy or compound order */
	u8 pad;
	u16 pins;			/* [a] devices that write to it: fork copies it (mm/pin.c) */
	union {
		struct list_head lru;	/* free lists, LRU, owner's list */
		struct { struct slab_cache *slab; void *freelist; };
		struct { u64 pt_lock_word; struct page *pt_spare; };	/* page-table pages */
	};
	union {
		struct address_space *mapping;	/* file pages [page lock] */
		struct anon_node *anon;		/* anonymous pages: whose it was first, mm/rmap.c */
		u64 slab_state;
		struct page *pt_prev;		/* page-table pages */
	};
	u64 index;			/* page index in the file; anonymous: where it was first mapped, va >> 12 */
	u64 private;
} __aligned(64);
_Static_assert(sizeof(struct page) == 64, "one cache line a frame, and a shift from one to the other");

extern u64 page_array;			/* [I] where the struct page of frame 0 would stand */
extern u64 page_base_pfn, page_end_pfn;	/* [I] frames that have one */
static inline struct page *pfn_to_page(u64 pfn) { return (struct page *)(page_array + pfn * sizeof(struct page)); }
static inline u64 page_to_pfn(const struct page *p) { return ((u64)p - page_array) / sizeof(struct page); }
static inline paddr_t page_to_phys(const struct page *p) { return page_to_pfn(p) << PAGE_SHIFT; }
static inline struct page *phys_to_page(paddr_t pa) { return pfn_to_page(pa >> PAGE_SHIFT); }
static inline void *page_address(const struct page *p) { return phys_to_virt(page_to_phys(p)); }
static inline struct page *virt_to_page(const void *va) { return phys_to_page(virt_to_phys(va)); }
/* page_flags - others set and clear bits of their own at any time, so nothing that is read plainly.  Context: any. */
static inline u32 page_flags(const struct page *p) { return atomic_load(&p->flags); }
static inline bool pfn_valid(u64 pfn) { return pfn >= page_base_pfn && pfn < page_end_pfn; }

typedef u32 gfp_t;
#define GFP_KERNEL	0u		/* may sleep, may reclaim */
#define GFP_ATOMIC	1u		/* may not sleep; reserves allowed */
#define GFP_ZERO	2u		/* zeroed */
#define GFP_NOFAIL_TRY	4u		/* dip into reserves */
#define GFP_NOIO	8u		/* under filesystem or block locks */
#define GFP_USER	16u		/* for a program: may trigger the OOM killer */
#define GFP_SPARE	32u		/* only if more than an eighth of all memory stays free: a luxury, see fault.c */

/* page_alloc - 2^order pages, refs 1.  NULL when there is none.  Context: any with GFP_ATOMIC, else thread. */
struct page *page_alloc(u32 order, gfp_t gfp);
/* page_free - drop the caller's reference on a block of page_alloc's; order as allocated.  It goes back to the buddy allocator when no
 * look-up of the page cache holds one for a moment (see page_get_unless_zero), else with that one's page_put.  Context: any. */
void page_free(struct page *page, u32 order);
static inline void page_get(struct page *p) { atomic_inc(&p->refs); }
/* page_get_unless_zero - false if the page is free.  A look-up without a lock takes its reference with it, then looks again whether
 * the page is still the one it wanted, before it does anything else with it: until then the frame may be anybody's.  So any frame's
 * count may be one too high for a moment, and nobody frees by a store. */
static inline bool page_get_unless_zero(struct page *p)
{
	s32 old = atomic_load(&p->refs);

	do {
		if (!old)
			return false;
	} while (!__atomic_compare_exchange_n(&p->refs, &old, old + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}
void page_put_last(struct page *p);
/* page_split - make a block just allocated 2^order single pages, each with one reference and the flags of the first.
 * pages_put - drop one reference on each of such pages; if all go, they go as one block again.  order: at most 9. */
void page_split(struct page *p, u32 order);
void pages_put(struct page *p, u32 order);
static inline void page_put(struct page *p) { if (atomic_sub_return_acq_rel(&p->refs, 1) == 0) page_put_last(p); }
u64 page_nr_free(void), page_nr_total(void);
bool page_memory_low(void);		/* less is free than the reclaim thread wants; a racy look */

/* Page lock: sleeping bit lock. */
void page_lock(struct page *p);
bool page_trylock(struct page *p);
void page_unlock(struct page *p);
void page_end_writeback(struct page *p);	/* PG_WRITEBACK goes, who waits for that is woken: page_write_end's.  Context: any */

/* alloc_should_fail - failure injection: true if this allocation of current's must fail (debug builds) */
#ifdef CONFIG_DEBUG
bool alloc_should_fail(void);
/* alloc_failed_by_wish - an allocation of current's was made to fail since it was last asked: memory is not short */
bool alloc_failed_by_wish(void);
#else
static inline bool alloc_should_fail(void) { return false; }
static inline bool alloc_failed_by_wish(void) { return false; }
#endif
