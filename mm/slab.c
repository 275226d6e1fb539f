/* Objects: typed caches and kmalloc.
 *
 * Theory.  A cache cuts slabs (2^order pages) into equal objects.  Each CPU has a magazine, a stack of free objects, used with
 * interrupts off; an empty one is refilled, a full one half emptied, under the cache's lock.  Behind it every slab has a list of
 * its free objects through the objects' first word, and the cache a list of slabs that have some.  A slab that becomes wholly free
 * goes back to the page allocator unless it is the last one.  When memory is short, each CPU is asked to empty its own (reclaim.c).
 *
 * The slab of an object is found by its page: struct page of the first frame has PG_SLAB, later frames point back to it.
 *
 * kmalloc rounds up to a class; beyond the largest it takes whole pages (PG_SLAB clear, the order in the page).
 *
 * Debug builds: freed objects are filled with a pattern that is checked at the next allocation, with a red zone behind each, from
 * its last byte to the next object. */
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/debug/kasan.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/spinlock.h>
#include <mm/page_internal.h>
#include <mm/slab.h>
#include <fs/seq.h>
#include <fs/vfs.h>

#define MAGAZINE	32
#define REFILL		16
#define POISON_FREE	0x6b6b6b6b6b6b6b6bul
#define RED_ZONE	0xbb

struct magazine { u32 count; void *objects[MAGAZINE]; };

struct slab_cache {
	const char *name;
	u32 size, stride, order, per_slab;	/* [I] object, distance, pages of a slab, objects in it */
	void (*ctor)(void *);			/* [I] */
	struct magazine *mags[NR_CPUS];		/* [I] own CPU, irqs off */
	struct spinlock lock;			/* LC_SLAB */
	struct list_head partial;		/* [lock] slabs with free objects, page.slab below */
	u32 nr_slabs, nr_free_slabs;		/* [lock] */
	u64 nr_taken;				/* [lock] objects out of their slabs, magazines' included */
	struct list_head link;			/* [caches_lock] */
	bool reclaimable;			/* [I] */
};

static LIST_HEAD(caches);
static DEFINE_SPINLOCK(caches_lock, LC_RCU);
static struct slab_cache cache_cache, mag_cache;
static const u16 class_sizes[] = { 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096 };
static struct slab_cache classes[ARRAY_SIZE(class_sizes)];
static u8 class_of_16[4096 / 16 + 1];		/* size / 16 rounded up -> class */

/* A slab's first page: its cache in ->slab, free objects in ->freelist, the number in use in ->slab_state, and the link of the partial
 * list in ->index and ->private.  Later pages have PG_HUGE_TAIL and the first one in ->private. */
static inline struct list_head *slab_link(struct page *p) { return (struct list_head *)&p->index; }
static inline struct page *link_slab(struct list_head *l) { return container_of((u64 *)l, struct page, index); }
_Static_assert(offsetof(struct page, private) == offsetof(struct page, index) + 8, "slab_link");

static inline struct page *slab_of(const void *obj)
{
	struct page *p = virt_to_page(obj);

	return page_flags(p) & PG_HUGE_TAIL ? (struct page *)p->private : p;
}

static void cache_setup(struct slab_cache *c, const char *name, size_t size, size_t align, void (*ctor)(void *))
{
	u32 stride = (u32)ALIGN_UP(max(size, 8ul) + (IS_DEBUG ? 8 : 0), max(align, 8ul));

	*c = (struct slab_cache){ .name = name, .size = (u32)size, .stride = stride, .ctor = ctor };
	/* waste no more than an eighth of a slab */
	while (c->order < 3 && (PAGE_SIZE << c->order) % stride > (PAGE_SIZE << c->order) / 8)
		c->order++;
	while ((PAGE_SIZE << c->order) < stride)
		c->order++;
	c->per_slab = (u32)((PAGE_SIZE << c->order) / stride);
	spin_lock_init(&c->lock, LC_SLAB);
	list_init(&c->partial);
	irqflags_t flags = spin_lock_irqsave(&caches_lock);
	list_add_tail_rcu(&c->link, &caches);
	spin_unlock_irqrestore(&caches_lock, flags);
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align, void (*ctor)(void *))
{
	struct slab_cache *c = slab_alloc(&cache_cache, GFP_KERNEL);

	if (c)
		cache_setup(c, name, size, align, ctor);
	return c;
}

void slab_set_reclaimable(struct slab_cache *c)
{
	c->reclaimable = true;
}

/* Caches are never destroyed, and new ones come at the tail: the list may be walked without its lock. */
void slab_pages(u64 *total, u64 *reclaimable)
{
	struct slab_cache *c;

	*total = *reclaimable = 0;
	list_for_each_entry_rcu(c, &caches, link) {
		u64 n = (u64)READ_ONCE(c->nr_slabs) << c->order;

		*total += n;
		if (c->reclaimable)
			*reclaimable += n;
	}
}

static void poison(struct slab_cache *c, void *obj)
{
	u64 *w = obj;

	for (u32 i = 1; i < c->size / 8; i++)
		w[i] = POISON_FREE;
	memset((char *)obj + c->size, RED_ZONE, c->stride - c->size);
}

static bool red_zone_whole(struct slab_cache *c, void *obj)
{
	const u8 *p = (const u8 *)obj + c->size, *end = (const u8 *)obj + c->stride;

	while (p < end && *p == RED_ZONE)
		p++;
	return p == end;
}

static void poison_check(struct slab_cache *c, void *obj)
{
	u64 *w = obj;

	for (u32 i = 1; i < c->size / 8; i++)
		if (w[i] != POISON_FREE)
			panic("slab %s: object %p was written after it was freed (word %u: %016lx)", c->name, obj, i, w[i]);
}

/* A new slab, not yet on a list.  No lock held. */
static struct page *slab_grow(struct slab_cache *c, gfp_t gfp)
{
	struct page *p = page_alloc(c->order, gfp & ~(gfp_t)GFP_ZERO);
	char *obj;

	if (!p)
		return NULL;
	for (u32 i = 0; i < 1u << c->order; i++) {
		p[i].flags = PG_SLAB | (i ? PG_HUGE_TAIL : 0);
		p[i].slab = c;
		p[i].private = (u64)p;
	}
	p->slab_state = 0;
	p->freelist = NULL;
	kasan_poison(page_address(p), PAGE_SIZE << c->order, KASAN_SLAB_REDZONE);
	obj = (char *)page_address(p) + (u64)(c->per_slab - 1) * c->stride;
	for (u32 i = 0; i < c->per_slab; i++, obj -= c->stride) {
		if (IS_DEBUG)
			poison(c, obj);
		*(void **)obj = p->freelist;
		p->freelist = obj;
	}
	return p;
}

static u32 take_objects(struct slab_cache *c, void **out, u32 want)
{
	u32 n = 0;

	while (n < want && !list_empty(&c->partial)) {
		struct page *p = link_slab(c->partial.next);

		if (!p->slab_state)
			c->nr_free_slabs--;
		while (n < want && p->freelist) {
			out[n++] = p->freelist;
			p->freelist = *(void **)p->freelist;
			p->slab_state++;
		}
		if (!p->freelist)
			list_del_init(slab_link(p));
	}
	c->nr_taken += n;
	return n;
}

static struct page *give_object(struct slab_cache *c, void *obj)
{
	struct page *p = slab_of(obj);

	if (!p->freelist)
		list_add(slab_link(p), &c->partial);
	*(void **)obj = p->freelist;
	p->freelist = obj;
	c->nr_taken--;
	if (--p->slab_state || c->nr_free_slabs++ == 0)
		return NULL;
	list_del(slab_link(p));
	c->nr_free_slabs--;
	c->nr_slabs--;
	return p;
}

static void slab_release(struct page *p, u32 order)
{
	for (u32 i = 0; i < 1u << order; i++)
		p[i].flags = 0;
	p->order = (u8)order;
	page_free(p, order);
}

static void free_slow(struct slab_cache *c, void **objs, u32 n)
{
	struct page *empty[MAGAZINE];
	u32 nr_empty = 0;
	irqflags_t flags = spin_lock_irqsave(&c->lock);

	while (n) {
		struct page *p = give_object(c, objs[--n]);

		if (p)
			empty[nr_empty++] = p;
	}
	spin_unlock_irqrestore(&c->lock, flags);
	while (nr_empty)
		slab_release(empty[--nr_empty], c->order);
}

static void *alloc_slow(struct slab_cache *c, gfp_t gfp)
{
	void *objs[REFILL];
	irqflags_t flags;
	struct magazine *m;
	struct page *fresh = NULL;
	u32 n;

	for (;;) {
		flags = spin_lock_irqsave(&c->lock);
		if (fresh) {
			list_add(slab_link(fresh), &c->partial);
			c->nr_slabs++;
			c->nr_free_slabs++;
		}
		m = c->mags[smp_cpu_id()];
		n = take_objects(c, objs, m ? REFILL : 1);
		if (n)
			break;
		spin_unlock_irqrestore(&c->lock, flags);
		fresh = slab_grow(c, gfp);
		if (!fresh)
			return NULL;
	}
	spin_unlock(&c->lock);
	while (m && n > 1 && m->count < MAGAZINE)
		m->objects[m->count++] = objs[--n];
	arch_irq_restore(flags);
	if (n > 1)		/* somebody else has filled the magazine meanwhile; these were never handed out, so slab_free is not for them */
		free_slow(c, objs + 1, n - 1);
	if (!m && c != &mag_cache && mag_cache.size) {	/* a cache that is used gets a magazine for this CPU */
		m = slab_alloc(&mag_cache, GFP_ATOMIC);
		if (m) {
			m->count = 0;
			if (!atomic_cas(&c->mags[smp_cpu_id()], (struct magazine *)NULL, m))
				slab_free(&mag_cache, m);
		}
	}
	return objs[0];
}

void *slab_alloc(struct slab_cache *c, gfp_t gfp)
{
	irqflags_t flags;
	struct magazine *m;
	void *obj = NULL;

	if (alloc_should_fail())
		return NULL;
	flags = arch_irq_save();
	m = c->mags[smp_cpu_id()];
	if (likely(m && m->count))
		obj = m->objects[--m->count];
	arch_irq_restore(flags);
	if (unlikely(!obj))
		obj = alloc_slow(c, gfp);
	if (!obj)
		return NULL;
	if (IS_DEBUG)
		poison_check(c, obj);
	kasan_unpoison(obj, c->size);
	if (c->ctor)
		c->ctor(obj);
	if (gfp & GFP_ZERO)
		memset(obj, 0, c->size);
	return obj;
}

void slab_free(struct slab_cache *c, void *obj)
{
	void *spill[MAGAZINE / 2 + 1];
	u32 n = 0;
	irqflags_t flags;
	struct magazine *m;

	if (IS_DEBUG) {
		VERIFY(virt_to_page(obj)->slab == c);
		kasan_check(obj, 1, true);	/* freed twice? */
		if (!red_zone_whole(c, obj))
			panic("slab %s: object %p was written beyond its end", c->name, obj);
		poison(c, obj);
		kasan_poison(obj, ALIGN_UP(c->size, 8), KASAN_SLAB_FREE);
	}
	flags = arch_irq_save();
	m = c->mags[smp_cpu_id()];
	if (likely(m && m->count < MAGAZINE)) {
		m->objects[m->count++] = obj;
	} else {
		spill[n++] = obj;
		while (m && n <= MAGAZINE / 2)
			spill[n++] = m->objects[--m->count];
	}
	arch_irq_restore(flags);
	if (unlikely(n))
		free_slow(c, spill, n);
}

/* The slabs of c with no object in use, unlinked, up to max. */
static u32 take_empty(struct slab_cache *c, struct page **out, u32 max)
{
	irqflags_t flags = spin_lock_irqsave(&c->lock);
	struct list_head *l = c->partial.next;
	u32 n = 0;

	while (c->nr_free_slabs && l != &c->partial && n < max) {
		struct page *p = link_slab(l);

		l = l->next;
		if (p->slab_state)
			continue;
		list_del(slab_link(p));
		c->nr_free_slabs--;
		c->nr_slabs--;
		out[n++] = p;
	}
	spin_unlock_irqrestore(&c->lock, flags);
	return n;
}

void slab_trim_cpu(void)
{
	struct slab_cache *c;

	list_for_each_entry_rcu(c, &caches, link) {		/* see slab_pages */
		void *objs[MAGAZINE];
		irqflags_t flags = arch_irq_save();
		struct magazine *m = c->mags[smp_cpu_id()];
		u32 n = 0;

		while (m && m->count)
			objs[n++] = m->objects[--m->count];
		arch_irq_restore(flags);
		if (n)
			free_slow(c, objs, n);
	}
}

void slab_trim(void)
{
	struct page *empty[MAGAZINE];
	struct slab_cache *c;

	slab_trim_cpu();
	list_for_each_entry_rcu(c, &caches, link) {
		u32 n;

		while ((n = take_empty(c, empty, ARRAY_SIZE(empty))) != 0)
			while (n)
				slab_release(empty[--n], c->order);
	}
}

void *kmalloc(size_t size, gfp_t gfp)
{
	struct page *p;
	u32 order = 0;

	if (likely(size <= 4096))
		return slab_alloc(&classes[class_of_16[(size + 15) / 16]], gfp);
	if (size > PAGE_SIZE << 10)
		return NULL;
	while ((PAGE_SIZE << order) < size)
		order++;
	p = page_alloc(order, gfp);
	return p ? page_address(p) : NULL;
}

void *kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp | GFP_ZERO);
}

void *kcalloc(size_t n, size_t size, gfp_t gfp)
{
	size_t total;

	return __builtin_mul_overflow(n, size, &total) ? NULL : kmalloc(total, gfp | GFP_ZERO);
}

size_t ksize(const void *p)
{
	struct page *page = virt_to_page(p);

	return page_flags(page) & PG_SLAB ? page->slab->size : PAGE_SIZE << page->order;
}

void kfree(const void *p)
{
	struct page *page;

	if (!p)
		return;
	page = virt_to_page(p);
	if (likely(page_flags(page) & PG_SLAB))
		slab_free(page->slab, (void *)p);
	else
		page_free(page, page->order);
}

void *krealloc(void *p, size_t new_size, gfp_t gfp)
{
	size_t old = p ? ksize(p) : 0;
	void *q;

	if (p && old >= new_size)
		return p;
	q = kmalloc(new_size, gfp);
	if (q && p) {
		memcpy(q, p, old);
		kfree(p);
	}
	return q;
}

char *kstrdup(const char *s, gfp_t gfp)
{
	return kmemdup(s, strlen(s) + 1, gfp);
}

void *kmemdup(const void *p, size_t len, gfp_t gfp)
{
	void *q = kmalloc(len, gfp);

	if (q)
		memcpy(q, p, len);
	return q;
}

void slab_init(void)
{
	static const char *const names[] = { "kmalloc-16", "kmalloc-32", "kmalloc-48", "kmalloc-64", "kmalloc-96", "kmalloc-128",
		"kmalloc-192", "kmalloc-256", "kmalloc-384", "kmalloc-512", "kmalloc-768", "kmalloc-1k", "kmalloc-2k", "kmalloc-4k" };
	u32 class = 0;

	cache_setup(&cache_cache, "slab_cache", sizeof(struct slab_cache), 0, NULL);
	cache_setup(&mag_cache, "magazine", sizeof(struct magazine), 0, NULL);
	for (u32 i = 0; i < ARRAY_SIZE(class_sizes); i++)
		cache_setup(&classes[i], names[i], class_sizes[i], 16, NULL);
	for (u32 i = 0; i <= 4096 / 16; i++) {
		if (i * 16 > class_sizes[class])
			class++;
		class_of_16[i] = (u8)class;
	}
}

/* Objects in somebody's hands. */
static u64 nr_active(const struct slab_cache *c)
{
	u64 taken = READ_ONCE(c->nr_taken), idle = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		idle += READ_ONCE(c->mags[cpu]) ? READ_ONCE(c->mags[cpu]->count) : 0;
	return taken > idle ? taken - idle : 0;
}

static int slabinfo_show(struct seq *s, void *arg)
{
	struct slab_cache *c;

	(void)arg;
	seq_puts(s, "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
		    " : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	list_for_each_entry_rcu(c, &caches, link)	/* caches are never destroyed */
		seq_printf(s, "%-17s %6lu %6u %6u %4u %4u : tunables %4u %4u %4u : slabdata %6u %6u %6u\n", c->name, nr_active(c),
			   READ_ONCE(c->nr_slabs) * c->per_slab, c->size, c->per_slab, 1u << c->order, MAGAZINE, REFILL, 0u,
			   READ_ONCE(c->nr_slabs), READ_ONCE(c->nr_slabs), 0u);
	return 0;
}
PROC_FILE(slabinfo, .path = "slabinfo", .mode = 0400, .show = slabinfo_show);
