/* Slabs over the real buddy allocator: patterns survive, objects do not overlap, pages come back; in the debug build, misuse is caught. */
#include <kernel/debug.h>
#include <kernel/debug/kasan.h>
#include <mm/slab.h>
#include "arena.h"

void vmalloc_init(void) { }

#define MAX 3000
static struct { u8 *p; size_t size; u8 tag; } objs[MAX];
static u32 nr;

static bool intact(u32 i)
{
	for (size_t k = 0; k < objs[i].size; k++)
		if (objs[i].p[k] != objs[i].tag)
			return false;
	return true;
}

static size_t random_size(void)
{
	switch (unit_below(8)) {
	case 0: return 1 + unit_below(20000);
	case 1: return 16ul << unit_below(9);
	case 2: return (16ul << unit_below(9)) + 1;
	default: return 1 + unit_below(300);
	}
}

static bool step(void)
{
	u32 i;

	if (nr < MAX && unit_below(nr < 1000 ? 3 : 5) > 0 && nr < 1 + unit_below(MAX)) {
		size_t size = random_size();
		gfp_t gfp = unit_below(4) ? 0 : GFP_ZERO;
		u8 *p = kmalloc(size, gfp);

		if (!p)
			return true;
		if (ksize(p) < size || ((u64)virt_to_phys(p) & 15 & (IS_DEBUG ? 7 : 15)))
			return false;
		for (size_t k = 0; gfp && k < size; k++)
			if (p[k])
				return false;
		objs[nr].p = p;
		objs[nr].size = size;
		objs[nr].tag = (u8)unit_random();
		memset(p, objs[nr].tag, size);
		nr++;
		return true;
	}
	if (!nr)
		return true;
	i = (u32)unit_below(nr);
	if (!intact(i))
		return false;
	if (unit_below(8) == 0) {
		size_t size = random_size();
		u8 *q = krealloc(objs[i].p, size, 0);

		if (!q)
			return true;
		for (size_t k = 0; k < min(size, objs[i].size); k++)
			if (q[k] != objs[i].tag)
				return false;
		objs[i].p = q;
		objs[i].size = size;
		memset(q, objs[i].tag, size);
		return true;
	}
	kfree(objs[i].p);
	objs[i] = objs[--nr];
	return true;
}

TEST(setup) { arena_init(); }

TEST(random)
{
	u64 before = page_nr_free();

	for (int i = 0; i < 60000; i++)
		EXPECT(step());
	for (u32 i = 0; i < nr; i++)
		EXPECT(intact(i));
	while (nr)
		kfree(objs[--nr].p);
	/* each class keeps a magazine's worth and one slab */
	EXPECT(page_nr_free() + 400 >= before);
}

static u32 made;
static void ctor(void *p) { made++; *(u32 *)p = 7; }

TEST(typed_cache)
{
	struct slab_cache *c = slab_cache_create("things", 72, 64, ctor);
	u8 *p[200];

	EXPECT(c);
	for (u32 i = 0; i < 200; i++) {
		p[i] = slab_alloc(c, 0);
		EXPECT(p[i] && *(u32 *)p[i] == 7 && IS_ALIGNED(virt_to_phys(p[i]), 64));
		for (u32 k = 0; k < i; k++)
			EXPECT(p[i] + 72 <= p[k] || p[k] + 72 <= p[i]);
	}
	EXPECT(made >= 200);
	for (u32 i = 0; i < 200; i++)
		slab_free(c, p[i]);
}

/* All pages that are gone are slabs', and are told of; trimmed, the idle ones come back. */
TEST(pages_are_counted_and_trimmed)
{
	struct slab_cache *c = slab_cache_create("counted", 1000, 0, NULL);
	u64 total, reclaimable, total2, reclaimable2, before;
	u8 *p[300];

	slab_trim();
	slab_pages(&total, &reclaimable);
	before = page_nr_free();
	slab_set_reclaimable(c);
	for (u32 i = 0; i < 300; i++)
		p[i] = slab_alloc(c, 0);
	slab_pages(&total2, &reclaimable2);
	EXPECT(p[299] && reclaimable2 - reclaimable >= 300 * 1000 / PAGE_SIZE && reclaimable2 - reclaimable <= 120);
	EXPECT_EQ(before - page_nr_free(), total2 - total);
	for (u32 i = 0; i < 300; i += 2)
		slab_free(c, p[i]);
	slab_trim();				/* every slab still has objects in use */
	for (u32 i = 1; i < 300; i += 2) {
		memset(p[i], 1, 1000);
		slab_free(c, p[i]);
	}
	slab_trim();
	slab_pages(&total2, &reclaimable2);
	EXPECT_EQ(reclaimable2, reclaimable);
	EXPECT(total2 <= total + 2 && before - page_nr_free() == total2 - total);	/* a magazine may have been made */
	p[0] = slab_alloc(c, 0);
	EXPECT(p[0]);
	slab_free(c, p[0]);
}

TEST(refusals)
{
	EXPECT(!kmalloc((PAGE_SIZE << 10) + 1, 0));
	EXPECT(!kcalloc(~0ul / 2, 3, 0));
	kfree(NULL);
	u32 n = 0;
	while (n < MAX && (objs[n].p = kmalloc(4096, 0)))
		n++;
	EXPECT(n > 500);
	while (n)
		kfree(objs[--n].p);
	EXPECT((objs[0].p = kmalloc(4096, 0)) != NULL);
	kfree(objs[0].p);
}

#ifdef CONFIG_DEBUG
TEST(red_zone)
{
	u8 *p = kmalloc(64, 0);

	p[64] ^= 1;
	EXPECT_PANIC(kfree(p));
	p[64] ^= 1;
	kfree(p);
}

TEST(write_after_free)
{
	u8 *p = kmalloc(64, 0), *q;

	kfree(p);
	p[20] = 0;
	EXPECT_PANIC(while ((q = kmalloc(64, 0)) != p) if (!q) break);
}

/* What KASAN would know of the objects allocated while watch is set; in_grow stands for an interrupt while a slab is made. */
#define CROWD_SIZE 1000
static bool watch, complaint;
static const void *held[256];
static u32 nr_held;
static void (*in_grow)(void);

static const void **held_at(const void *p)
{
	for (u32 i = 0; i < nr_held; i++)
		if (held[i] == p)
			return &held[i];
	return NULL;
}

void kasan_poison(const void *p, size_t len, enum kasan_kind kind)
{
	void (*hook)(void) = in_grow;
	const void **h = held_at(p);

	(void)len;
	if (kind == KASAN_SLAB_REDZONE && hook) {
		in_grow = NULL;
		hook();
	}
	if (h && kind == KASAN_SLAB_FREE)
		*h = NULL;
}

void kasan_unpoison(const void *p, size_t len)
{
	if (watch && len == CROWD_SIZE && nr_held < ARRAY_SIZE(held))
		held[nr_held++] = p;
}

void kasan_check(const void *p, size_t len, bool write)
{
	(void)len;
	(void)write;
	complaint |= watch && !held_at(p);
}

static struct slab_cache *crowd_cache;
static void *crowd[100];

static void free_a_crowd(void)
{
	for (u32 i = 0; i < 30; i++)
		slab_free(crowd_cache, crowd[i]);
}

/* The magazine is filled while its refill is under way: what does not fit goes back as what it is, free. */
TEST(refill_of_a_magazine_filled_meanwhile)
{
	void *p;

	crowd_cache = slab_cache_create("crowd", CROWD_SIZE, 0, NULL);
	slab_free(crowd_cache, slab_alloc(crowd_cache, 0));	/* a magazine for this CPU */
	watch = true;
	for (u32 i = 0; i < ARRAY_SIZE(crowd); i++)
		crowd[i] = slab_alloc(crowd_cache, 0);
	in_grow = free_a_crowd;
	for (u32 i = 0; in_grow && i < 100; i++) {
		p = slab_alloc(crowd_cache, 0);
		EXPECT(p);
	}
	EXPECT(!in_grow && !complaint);
	slab_free(crowd_cache, p);
	kasan_check(p, 1, true);
	EXPECT(complaint);		/* the watch itself works */
	watch = false;
}

TEST(wrong_cache)
{
	struct slab_cache *c = slab_cache_create("others", 64, 0, NULL);
	u8 *p = kmalloc(64, 0);

	EXPECT_PANIC(slab_free(c, p));
}

TEST(injected_failure)
{
	unit_current->fail_nth = 2;
	u8 *p = kmalloc(64, 0);
	EXPECT(p && !kmalloc(64, 0) && unit_current->fail_nth == 0);
	kfree(p);
}
#endif
