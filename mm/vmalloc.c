/* Virtually contiguous memory: vmalloc, device windows' addresses, kernel stacks.
 *
 * The area is a tree of allocations by address, each followed by at least one guard page that is never mapped.  What is freed keeps
 * its place, its pages and its stale translations until a batch is gathered (lazy_max(), or memory or the area is exhausted); one flush of
 * the kernel's translations on all CPUs then makes all of it usable again.  So neither an address nor a page is handed out while a TLB
 * may remember what it was, and a vfree costs no broadcast.
 *
 * Kernel stacks sit in slots of twice their size, aligned, lower half unmapped below them: entry.S tells an overflow by one bit.
 * Freed stacks are kept per CPU, mapped; with interrupts off, for a call from another CPU may drain them (reclaim.c). */
#include <arch/context.h>
#include <arch/irqflags.h>
#include <kernel/debug.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/rbtree.h>
#include <kernel/lib/string.h>
#include <kernel/sync/spinlock.h>
#include <mm/page_internal.h>
#include <mm/slab.h>
#include <mm/vmalloc.h>
#include <mm/vmstat.h>

#define LAZY_MAX	512		/* pages; less on small machines */
#define STACK_CACHE	4

struct area {
	struct rb_node node;
	vaddr_t start;
	u64 size;		/* guard included */
	u64 nr_pages;
	struct area *next_lazy;
	struct page *pages;	/* lazy: unmapped but not yet free, by page->private */
};

static struct rb_root areas;			/* [vmalloc_lock] */
static DEFINE_SPINLOCK(vmalloc_lock, LC_VMALLOC);
static struct area *lazy;			/* [vmalloc_lock] unmapped, not flushed; still in the tree, with their pages */
static u64 lazy_pages;
static vaddr_t hint = VMALLOC_BASE;		/* [vmalloc_lock] search starts here; back to what a purge gave free, or the tables would never end */
static struct slab_cache *area_cache __ro_after_init;
struct stack_cache { u32 count; void *stacks[STACK_CACHE]; };
static DEFINE_PER_CPU(struct stack_cache, stack_cache);

static struct area *area_of(struct rb_node *n)
{
	return rb_entry(n, struct area, node);
}

static u64 lazy_max(void)
{
	return clamp(page_nr_total() / 256, 16ul, (u64)LAZY_MAX);
}

void vmalloc_purge(void)
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

		while (list->pages) {
			struct page *p = list->pages;

			list->pages = (struct page *)p->private;
			page_free(p, 0);
		}
		spin_lock(&vmalloc_lock);
		rb_erase(&list->node, &areas);
		hint = min(hint, list->start);
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
	a->pages = NULL;
	spin_lock(&vmalloc_lock);
	ok = place(a, align, hint) || place(a, align, VMALLOC_BASE);
	if (ok)
		hint = a->start + a->size;
	spin_unlock(&vmalloc_lock);
	if (!ok) {
		vmalloc_purge();
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
	purge = lazy_pages > lazy_max();
	spin_unlock(&vmalloc_lock);
	if (purge)
		vmalloc_purge();
}

static void unmap_pages(struct area *a)
{
	for (u64 i = 0; i < a->nr_pages; i++) {
		paddr_t pa = kernel_unmap_page(a->start + i * PAGE_SIZE);

		if (pa == ~0ul)
			continue;
		phys_to_page(pa)->private = (u64)a->pages;
		a->pages = phys_to_page(pa);
	}
	kernel_tlb_flush_here(a->start, a->start + a->nr_pages * PAGE_SIZE);	/* who uses it still, here at least, is caught at once */
}

static bool map_pages(struct area *a, vaddr_t va, u64 nr)
{
	for (; a->nr_pages < nr; a->nr_pages++) {
		struct page *p = page_alloc(0, GFP_KERNEL);

		if (p && kernel_map_page(va + a->nr_pages * PAGE_SIZE, page_to_phys(p), PROT_K_R | PROT_K_W) == 0)
			continue;
		if (p)
			page_free(p, 0);
		unmap_pages(a);
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
	unmap_pages(a);
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
	irqflags_t flags;
	struct area *a;
	void *stack = NULL;

	if (alloc_should_fail())
		return NULL;
	flags = arch_irq_save();
	sc = this_cpu_ptr(&stack_cache);
	if (sc->count)
		stack = sc->stacks[--sc->count];
	arch_irq_restore(flags);
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
	irqflags_t flags = arch_irq_save();
	struct stack_cache *sc = this_cpu_ptr(&stack_cache);
	bool kept = sc->count < STACK_CACHE;

	if (kept)
		sc->stacks[sc->count++] = stack;
	arch_irq_restore(flags);
	if (!kept)
		stack_release(stack);
}

void kstack_trim_cpu(void **list)
{
	irqflags_t flags = arch_irq_save();
	struct stack_cache *sc = this_cpu_ptr(&stack_cache);

	while (sc->count) {
		void **stack = sc->stacks[--sc->count];

		do
			*stack = atomic_load(list);
		while (!atomic_cas(list, *stack, (void *)stack));	/* others add theirs at the same time */
	}
	arch_irq_restore(flags);
}

void kstack_release_list(void *list)
{
	while (list) {
		void *next = *(void **)list;

		stack_release(list);
		list = next;
	}
}

void vmalloc_init(void)
{
	area_cache = slab_cache_create("vmalloc_area", sizeof(struct area), 0, NULL);
	VERIFY(area_cache);
}
