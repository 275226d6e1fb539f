/* Virtually contiguous memory: vmalloc, device windows' addresses, kernel stacks.
 *
 * The area is a tree of allocations by address, each followed by at least one guard page that is never mapped.  Space freed keeps
 * its stale translations until a batch of LAZY_MAX pages is gathered (or the area is exhausted); one flush of the kernel's
 * translations then makes all of it usable again.  So an address is never handed out while a TLB may remember what it was.
 *
 * Kernel stacks sit in slots of twice their size, aligned, lower half unmapped below them: entry.S tells an overflow by one bit.
 * Freed stacks are kept per CPU, mapped. */
#include <arch/context.h>
#include <kernel/debug.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/rbtree.h>
#include <kernel/lib/string.h>
#include <kernel/sync/spinlock.h>
#include <mm/page_internal.h>
#include <mm/slab.h>
#include <mm/vmalloc.h>
#include <mm/vmstat.h>

#define LAZY_MAX	512
#define STACK_CACHE	4

struct area {
	struct rb_node node;
	vaddr_t start;
	u64 size;		/* guard included */
	u64 nr_pages;
	struct area *next_lazy;
};

static struct rb_root areas;			/* [vmalloc_lock] */
static DEFINE_SPINLOCK(vmalloc_lock, LC_VMALLOC);
static struct area *lazy;			/* [vmalloc_lock] unmapped, not flushed; still in the tree */
static u64 lazy_pages;
static vaddr_t hint = VMALLOC_BASE;		/* [vmalloc_lock] search starts here */
static struct slab_cache *area_cache;
struct stack_cache { u32 count; void *stacks[STACK_CACHE]; };
static DEFINE_PER_CPU(struct stack_cache, stack_cache);

static struct area *area_of(struct rb_node *n)
{
	return rb_entry(n, struct area, node);
}

static void purge_lazy(void)
{
	struct area *list;

	spin_lock(&vmalloc_lock);
	list = lazy;
	lazy = NULL;
	lazy_pages = 0;
	spin_unlock(&vmalloc_lock);
	if (!list)
		return;
	kernel_tlb_flush_all();
	while (list) {
		struct area *next = list->next_lazy;

		spin_lock(&vmalloc_lock);
		rb_erase(&list->node, &areas);
		spin_unlock(&vmalloc_lock);
		slab_free(area_cache, list);
		list = next;
	}
}

/* First fit from `from`; links a.  false: no room. */
static bool place(struct area *a, u64 align, vaddr_t from)
{
	struct rb_node **link = &areas.rb_node, *parent = NULL, *n = areas.rb_node, *first = NULL;
	vaddr_t at = ALIGN_UP(from, align);

	while (n) {		/* the first area that ends above from */
		if (area_of(n)->start + area_of(n)->size > at) {
			first = n;
			n = n->rb_left;
		} else {
			n = n->rb_right;
		}
	}
	for (n = first; n && area_of(n)->start < at + a->size; n = rb_next(n))
		at = ALIGN_UP(area_of(n)->start + area_of(n)->size, align);
	if (at + a->size > VMALLOC_END)
		return false;
	a->start = at;
	while (*link) {
		parent = *link;
		link = at < area_of(parent)->start ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&a->node, parent, link);
	rb_insert_color(&a->node, &areas);
	return true;
}

static struct area *area_alloc(u64 size, u64 align)
{
	struct area *a = slab_alloc(area_cache, GFP_KERNEL);
	bool ok;

	if (!a)
		return NULL;
	a->size = size;
	a->nr_pages = 0;
	spin_lock(&vmalloc_lock);
	ok = place(a, align, hint) || place(a, align, VMALLOC_BASE);
	if (ok)
		hint = a->start + a->size;
	spin_unlock(&vmalloc_lock);
	if (!ok) {
		purge_lazy();
		spin_lock(&vmalloc_lock);
		ok = place(a, align, VMALLOC_BASE);
		spin_unlock(&vmalloc_lock);
	}
	if (ok)
		return a;
	slab_free(area_cache, a);
	return NULL;
}

static struct area *area_find(vaddr_t start)
{
	struct rb_node *n;

	spin_lock(&vmalloc_lock);
	n = areas.rb_node;
	while (n && area_of(n)->start != start)
		n = start < area_of(n)->start ? n->rb_left : n->rb_right;
	spin_unlock(&vmalloc_lock);
	return n ? area_of(n) : NULL;
}

static void area_free_lazily(struct area *a)
{
	bool purge;

	spin_lock(&vmalloc_lock);
	a->next_lazy = lazy;
	lazy = a;
	lazy_pages += a->nr_pages + 1;
	purge = lazy_pages > LAZY_MAX;
	spin_unlock(&vmalloc_lock);
	if (purge)
		purge_lazy();
}

static void unmap_pages(vaddr_t va, u64 nr)
{
	struct page *list = NULL;

	for (u64 i = 0; i < nr; i++) {
		paddr_t pa = kernel_unmap_page(va + i * PAGE_SIZE);

		if (pa == ~0ul)
			continue;
		phys_to_page(pa)->private = (u64)list;
		list = phys_to_page(pa);
	}
	/* The pages may be used again at once, so their old translations must go first. */
	kernel_tlb_flush_range(va, va + nr * PAGE_SIZE);
	while (list) {
		struct page *next = (struct page *)list->private;

		page_free(list, 0);
		list = next;
	}
}

static bool map_pages(struct area *a, vaddr_t va, u64 nr)
{
	for (; a->nr_pages < nr; a->nr_pages++) {
		struct page *p = page_alloc(0, GFP_KERNEL);

		if (p && kernel_map_page(va + a->nr_pages * PAGE_SIZE, page_to_phys(p), PROT_K_R | PROT_K_W) == 0)
			continue;
		if (p)
			page_free(p, 0);
		unmap_pages(va, a->nr_pages);
		a->nr_pages = 0;
		return false;
	}
	return true;
}

void *vmalloc(size_t size)
{
	u64 nr = DIV_ROUND_UP(size, PAGE_SIZE);
	struct area *a;

	if (!nr || nr > page_nr_total())
		return NULL;
	a = area_alloc((nr + 1) * PAGE_SIZE, PAGE_SIZE);
	if (!a)
		return NULL;
	if (map_pages(a, a->start, nr))
		return (void *)a->start;
	area_free_lazily(a);
	return NULL;
}

void vfree(void *p)
{
	struct area *a;

	if (!p)
		return;
	a = area_find((vaddr_t)p);
	VERIFY(a);
	unmap_pages(a->start, a->nr_pages);
	area_free_lazily(a);
}

void *kvmalloc(size_t size, gfp_t gfp)
{
	void *p = size <= PAGE_SIZE ? kmalloc(size, gfp) : vmalloc(size);

	if (p && size > PAGE_SIZE && (gfp & GFP_ZERO))
		memset(p, 0, size);
	return p;
}

void kvfree(void *p)
{
	if ((vaddr_t)p >= VMALLOC_BASE && (vaddr_t)p < VMALLOC_END)
		vfree(p);
	else
		kfree(p);
}

vaddr_t vmalloc_reserve(size_t size)
{
	struct area *a = area_alloc(ALIGN_UP(size, PAGE_SIZE) + PAGE_SIZE, PAGE_SIZE);

	return a ? a->start : 0;
}

void *kstack_alloc(void)
{
	struct stack_cache *sc;
	struct area *a;
	void *stack = NULL;

	if (alloc_should_fail())
		return NULL;
	preempt_disable();
	sc = this_cpu_ptr(&stack_cache);
	if (sc->count)
		stack = sc->stacks[--sc->count];
	preempt_enable();
	if (stack)
		return stack;
	a = area_alloc(2 * KERNEL_STACK_SIZE, 2 * KERNEL_STACK_SIZE);
	if (!a)
		return NULL;
	if (map_pages(a, a->start, KERNEL_STACK_SIZE / PAGE_SIZE)) {
		vmstat_add(VM_STACK_PAGES, KERNEL_STACK_SIZE / PAGE_SIZE);
		return (void *)a->start;
	}
	area_free_lazily(a);
	return NULL;
}

static void stack_release(void *stack)
{
	vmstat_add(VM_STACK_PAGES, -(s64)(KERNEL_STACK_SIZE / PAGE_SIZE));
	vfree(stack);
}

void kstack_free(void *stack)
{
	struct stack_cache *sc;
	bool kept = false;

	preempt_disable();
	sc = this_cpu_ptr(&stack_cache);
	if (sc->count < STACK_CACHE) {
		sc->stacks[sc->count++] = stack;
		kept = true;
	}
	preempt_enable();
	if (!kept)
		stack_release(stack);
}

void kstack_trim(void)
{
	struct stack_cache old;

	preempt_disable();
	old = *this_cpu_ptr(&stack_cache);
	this_cpu_ptr(&stack_cache)->count = 0;
	preempt_enable();
	while (old.count)
		stack_release(old.stacks[--old.count]);
	purge_lazy();
}

void vmalloc_init(void)
{
	area_cache = slab_cache_create("vmalloc_area", sizeof(struct area), 0, NULL);
	VERIFY(area_cache);
}
