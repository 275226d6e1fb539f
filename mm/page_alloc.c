/* The page allocator: buddy system with per-CPU lists of single pages.
 *
 * Theory.  Free memory is kept in blocks of 2^order pages, aligned to their size, in a list per order; a block's first page has
 * PG_BUDDY and its order.  Freeing merges a block with its buddy (the neighbour that differs in bit `order` of the frame number) as
 * long as that one is free and of the same order.  All of it is under zone_lock.
 *
 * Most traffic is single pages: each CPU keeps up to PCP_HIGH of them and touches zone_lock once in PCP_BATCH.  The lists are used
 * with interrupts off and never by another CPU; when nothing else is left, each is asked for what it has (pages_drain).
 *
 * Memory that must not fail: the last RESERVE pages go only to GFP_ATOMIC and PF_MEMALLOC callers, and to a program that is being
 * killed for its memory, so that it can end.
 *
 * References.  page_alloc gives one; the last put, whoever's, frees the block (page->order).  The first page of a block counts for
 * all of it.  Look-ups in the page cache take references speculatively, on whatever the frame has become meanwhile.
 *
 * Pages are zeroed only when asked (GFP_ZERO).  In debug builds a freed page is filled with a pattern. */
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/debug/kasan.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/spinlock.h>
#include <kernel/task.h>
#include <mm/init.h>
#include <mm/page_internal.h>
#include <mm/reclaim.h>
#include <mm/vma.h>

#define MAX_ORDER	10
#define RECLAIM_TRIES	24u
#define RECLAIM_BATCH	32u	/* pages of files let go for one that is wanted */
#define POISON_FREE	0x6b

u64 page_array __ro_after_init;
u64 page_base_pfn, page_end_pfn;

static struct { struct list_head list; u64 count; } free_area[MAX_ORDER + 1];	/* [zone_lock] */
static DEFINE_SPINLOCK(zone_lock, LC_BUDDY);
static u64 nr_free, nr_total, reserve;		/* pages; nr_free [zone_lock], read racily */

struct page_cpu { struct list_head list; u32 count; };
static DEFINE_PER_CPU(struct page_cpu, page_cpu);

static void area_add(struct page *p, u32 order)
{
	p->order = (u8)order;
	p->flags = PG_BUDDY;
	list_add(&p->lru, &free_area[order].list);
	free_area[order].count++;
}

static void area_remove(struct page *p, u32 order)
{
	p->flags = 0;
	list_del(&p->lru);
	free_area[order].count--;
}

static void buddy_free(struct page *p, u32 order)
{
	u64 pfn = page_to_pfn(p);

	nr_free += 1ul << order;
	for (; order < MAX_ORDER; order++) {
		u64 other = pfn ^ 1ul << order;
		struct page *b;

		if (!pfn_valid(other))
			break;
		b = pfn_to_page(other);
		if (!(page_flags(b) & PG_BUDDY) || b->order != order)
			break;
		area_remove(b, order);
		pfn &= ~(1ul << order);
	}
	area_add(pfn_to_page(pfn), order);
}

static struct page *buddy_alloc(u32 order)
{
	for (u32 o = order; o <= MAX_ORDER; o++) {
		struct page *p;

		if (list_empty(&free_area[o].list))
			continue;
		p = list_first_entry(&free_area[o].list, struct page, lru);
		area_remove(p, o);
		while (o > order) {
			o--;
			area_add(p + (1ul << o), o);
		}
		nr_free -= 1ul << order;
		return p;
	}
	return NULL;
}

static bool may_take(u64 pages, gfp_t gfp)
{
	u64 keep = gfp & (GFP_ATOMIC | GFP_NOFAIL_TRY) || current->pflags & PF_MEMALLOC ? 0 : gfp & GFP_SPARE ? nr_total / 8 : reserve;

	if (likely(nr_free >= pages + keep))
		return true;
	return nr_free >= pages && !(gfp & GFP_SPARE) && current->mm && READ_ONCE(current->mm->oom_victim);
}

/* Fill an empty list: the smallest free blocks first, whole if they are not too large, so that few steps and few splits do.
 * zone_lock held. */
static void refill(struct page_cpu *pc, gfp_t gfp)
{
	for (u32 order = 0; pc->count < PCP_BATCH; ) {
		struct page *p;

		while (order < PCP_ORDER && list_empty(&free_area[order].list))
			order++;
		while (order && pc->count + (1u << order) > PCP_BATCH)
			order--;
		while (order && !may_take(1ul << order, gfp))
			order--;
		if (!may_take(1ul << order, gfp) || !(p = buddy_alloc(order)))
			return;
		for (u32 i = 0; i < 1u << order; i++)
			list_add_tail(&p[i].lru, &pc->list);
		pc->count += 1u << order;
	}
}

static struct page *alloc_single(gfp_t gfp)
{
	irqflags_t flags = arch_irq_save();
	struct page_cpu *pc = this_cpu_ptr(&page_cpu);
	struct page *p = NULL;
	bool low = false;

	if (unlikely(!pc->count)) {
		spin_lock(&zone_lock);
		refill(pc, gfp);
		low = nr_free < 2 * reserve;
		spin_unlock(&zone_lock);
	}
	if (likely(pc->count)) {
		p = list_first_entry(&pc->list, struct page, lru);
		list_del(&p->lru);
		pc->count--;
	} else {
		p = NULL;
	}
	arch_irq_restore(flags);
	if (unlikely(low) && !in_atomic() && !arch_irqs_disabled())
		reclaim_wake();
	return p;
}

u64 page_reserve(void) { return reserve; }
u32 page_cpu_stock(u32 cpu) { return READ_ONCE(per_cpu_ptr(&page_cpu, cpu)->count); }
bool page_memory_low(void) { return READ_ONCE(nr_free) < 4 * reserve; }

#ifdef CONFIG_DEBUG
/* Failure injection: the task asks that its n-th allocation from now fail. */
bool alloc_should_fail(void)
{
	struct task *t = current;

	if (in_irq() || !t->fail_nth || --t->fail_nth)
		return false;
	t->fail_fired = true;
	return true;
}

bool alloc_failed_by_wish(void)
{
	bool fired = current->fail_fired;

	current->fail_fired = false;
	return fired;
}
#endif

static struct page *alloc_block(u32 order, gfp_t gfp)
{
	struct page *p = NULL;
	irqflags_t flags;

	if (likely(order == 0))
		return alloc_single(gfp);
	if (order > MAX_ORDER)
		return NULL;
	flags = spin_lock_irqsave(&zone_lock);
	if (may_take(1ul << order, gfp))
		p = buddy_alloc(order);
	spin_unlock_irqrestore(&zone_lock, flags);
	return p;
}

/* Nothing here: perhaps other CPUs keep what we need.  Who may not sleep does without. */
static __noinline struct page *alloc_drained(u32 order, gfp_t gfp)
{
	u64 kept = page_nr_free() - READ_ONCE(nr_free);

	if ((gfp & (GFP_ATOMIC | GFP_SPARE)) || in_atomic() || arch_irqs_disabled() || kept < 1ul << order)
		return NULL;
	pages_drain();
	return alloc_block(order, gfp);
}

/* Memory is short: who may sleep lets go of clean pages of files that nobody uses.  A block needs luck, or many of them. */
static __noinline struct page *alloc_reclaimed(u32 order, gfp_t gfp)
{
	struct page *p = NULL;

	if ((gfp & (GFP_ATOMIC | GFP_SPARE)) || current->pflags & (PF_MEMALLOC | PF_NORECLAIM) || in_atomic() || arch_irqs_disabled())
		return NULL;
	for (u32 tries = 0; !p && tries < RECLAIM_TRIES && reclaim_some(RECLAIM_BATCH << order, gfp, tries); tries++)
		p = alloc_block(order, gfp);
	return p;
}

struct page *page_alloc(u32 order, gfp_t gfp)
{
	struct page *p;

	if (alloc_should_fail())
		return NULL;
	p = alloc_block(order, gfp);
	if (unlikely(!p) && !(p = alloc_drained(order, gfp)) && !(p = alloc_reclaimed(order, gfp)))
		return NULL;
	p->flags = 0;
	p->mapcount = 0;
	p->order = (u8)order;
	p->mapping = NULL;
	atomic_store_release(&p->refs, 1);	/* pairs with page_get_unless_zero: who gets a reference sees no old mapping */
	kasan_unpoison(page_address(p), PAGE_SIZE << order);
	if (gfp & GFP_ZERO) {
		char *start = page_address(p), *end = start + (PAGE_SIZE << order);

		do
			clear_page(start);
		while ((start += PAGE_SIZE) < end);
	}
	return p;
}

static void free_single(struct page *p)
{
	irqflags_t flags = arch_irq_save();
	struct page_cpu *pc = this_cpu_ptr(&page_cpu);

	list_add(&p->lru, &pc->list);
	if (unlikely(++pc->count > PCP_HIGH)) {
		spin_lock(&zone_lock);
		while (pc->count > PCP_HIGH - PCP_BATCH) {
			p = list_last_entry(&pc->list, struct page, lru);
			list_del(&p->lru);
			pc->count--;
			buddy_free(p, 0);
		}
		spin_unlock(&zone_lock);
	}
	arch_irq_restore(flags);
}

void page_trim(void)
{
	irqflags_t flags = arch_irq_save();
	struct page_cpu *pc = this_cpu_ptr(&page_cpu);

	spin_lock(&zone_lock);
	while (pc->count) {
		struct page *p = list_first_entry(&pc->list, struct page, lru);

		list_del(&p->lru);
		pc->count--;
		buddy_free(p, 0);
	}
	spin_unlock(&zone_lock);
	arch_irq_restore(flags);
}

/* refs is 0. */
static void give_back(struct page *p, u32 order)
{
	irqflags_t flags;

	DEBUG_ASSERT(!(page_flags(p) & (PG_BUDDY | PG_LOCKED | PG_RESERVED)) && p->mapcount == 0);
	if (IS_DEBUG) {
		kasan_unpoison(page_address(p), PAGE_SIZE << order);	/* it may have been a slab */
		memset(page_address(p), POISON_FREE, PAGE_SIZE << order);
	}
	kasan_poison(page_address(p), PAGE_SIZE << order, KASAN_FREE_PAGE);
	p->flags = 0;
	p->mapping = NULL;
	if (likely(order == 0)) {
		free_single(p);
		return;
	}
	flags = spin_lock_irqsave(&zone_lock);
	buddy_free(p, order);
	spin_unlock_irqrestore(&zone_lock, flags);
}

void page_free(struct page *p, u32 order)
{
	DEBUG_ASSERT(p->order == order);
	page_put(p);
}

void page_put_last(struct page *p)
{
	give_back(p, p->order);
}

void page_split(struct page *p, u32 order)
{
	p->order = 0;
	for (u32 i = 1; i < 1u << order; i++) {
		p[i].flags = p->flags;
		p[i].mapcount = 0;
		p[i].order = 0;
		p[i].mapping = NULL;
		atomic_store_release(&p[i].refs, 1);
	}
}

void pages_put(struct page *p, u32 order)
{
	DECLARE_BITMAP(gone, 512) = { 0 };
	u32 nr = 1u << order, n = 0;

	for (u32 i = 0; i < nr; i++)
		if (atomic_sub_return_acq_rel(&p[i].refs, 1) == 0) {
			set_bit(i, gone);
			n++;
		}
	if (n == nr) {
		for (u32 i = 1; i < nr; i++) {
			DEBUG_ASSERT(!(page_flags(&p[i]) & (PG_BUDDY | PG_LOCKED | PG_RESERVED)) && p[i].mapcount == 0);
			p[i].flags = 0;
			p[i].mapping = NULL;
		}
		give_back(p, order);
		return;
	}
	for (u32 i = 0; n && i < nr; i++)
		if (test_bit(i, gone))
			give_back(&p[i], 0);
}

u64 page_nr_free(void)
{
	u64 n = READ_ONCE(nr_free);

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		n += READ_ONCE(per_cpu(page_cpu, cpu).count);
	return n;
}

u64 page_nr_total(void)
{
	return nr_total;
}

u64 page_nr_of_order(u32 order)
{
	return READ_ONCE(free_area[order].count);
}

void page_free_range(paddr_t start, paddr_t end)
{
	u64 pfn = ALIGN_UP(start, PAGE_SIZE) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	irqflags_t flags = spin_lock_irqsave(&zone_lock);

	while (pfn < last) {
		u32 order = pfn ? min((u32)__builtin_ctzl(pfn), (u32)MAX_ORDER) : MAX_ORDER;

		while (pfn + (1ul << order) > last)
			order--;
		for (u64 i = pfn; i < pfn + (1ul << order); i++) {
			pfn_to_page(i)->flags = 0;
			pfn_to_page(i)->refs = 0;
		}
		buddy_free(pfn_to_page(pfn), order);
		nr_total += 1ul << order;
		pfn += 1ul << order;
	}
	spin_unlock_irqrestore(&zone_lock, flags);
}

void mm_free_initmem(paddr_t start, u64 size)
{
	paddr_t end = ALIGN_DOWN(start + size, PAGE_SIZE);

	start = ALIGN_UP(start, PAGE_SIZE);
	if (start < end && pfn_valid(start >> PAGE_SHIFT) && pfn_valid((end - 1) >> PAGE_SHIFT))
		page_free_range(start, end);
}

void mm_init(void)
{
	paddr_t start, end, lowest = ~0ul, highest = 0;
	u64 total;

	for (u32 i = 0; bootmem_next_range(i, &start, &end); i++) {
		lowest = min(lowest, start);
		highest = max(highest, end);
	}
	if (!highest)
		panic("no memory in the device tree");
	page_base_pfn = lowest >> PAGE_SHIFT;
	page_end_pfn = highest >> PAGE_SHIFT;
	total = (page_end_pfn - page_base_pfn) * sizeof(struct page);
	page_array = (u64)phys_to_virt(bootmem_alloc_phys(ALIGN_UP(total, PAGE_SIZE), PAGE_SIZE)) - page_base_pfn * sizeof(struct page);
	for (u64 pfn = page_base_pfn; pfn < page_end_pfn; pfn++)
		pfn_to_page(pfn)->flags = PG_RESERVED;
	for (u32 i = 0; i <= MAX_ORDER; i++)
		list_init(&free_area[i].list);
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		list_init(&per_cpu(page_cpu, cpu).list);
	for (u32 i = 0; bootmem_next_free(i, &start, &end); i++)
		page_free_range(start, end);
	reserve = clamp(nr_total / 256, 16ul, 1024ul);
	slab_init();
	vmalloc_init();
	pr_info("mm: %lu kB of memory, %lu kB free\n", bootmem_total() >> 10, page_nr_free() << 2);
}
