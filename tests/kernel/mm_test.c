/* Buddy, slabs, vmalloc, the VMA tree against a plain array, and allocations made to fail. */
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/random/random.h>
#include <kernel/task.h>
#include <mm/mm_internal.h>
#include <mm/page_internal.h>
#include <mm/slab.h>

KTEST(buddy, aligned_and_zeroed)
{
	for (u32 order = 0; order <= 10; order++) {
		struct page *p = page_alloc(order, GFP_ZERO);
		const u64 *w;
		bool zero = true, aligned;

		if (!p)
			continue;		/* a small machine has no such block */
		aligned = IS_ALIGNED(page_to_pfn(p), 1ul << order);
		w = page_address(p);
		for (u64 i = 0; i < (PAGE_SIZE << order) / 8; i++)
			zero = zero && !w[i];
		page_free(p, order);
		EXPECT(aligned && zero);
	}
}

KTEST(buddy, merges_back)
{
	struct page *p = page_alloc(4, 0), *q;
	u64 before;

	EXPECT(p);
	before = page_nr_free();
	page_free(p, 4);
	EXPECT(page_nr_free() >= before + 16);
	q = page_alloc(4, 0);
	EXPECT(q);
	page_free(q, 4);
}

KTEST(buddy, refuses_too_much)
{
	EXPECT(!page_alloc(11, 0));
	EXPECT(!kmalloc((PAGE_SIZE << 10) + 1, 0));
	EXPECT(!kcalloc(~0ul / 2, 3, 0));
}

KTEST(slab, objects_do_not_overlap)
{
	static u32 *objs[200];
	bool ok = true;
	u32 n = 0;

	for (; n < 200 && (objs[n] = kmalloc(96, 0)) != NULL; n++)
		for (u32 i = 0; i < 24; i++)
			objs[n][i] = n;
	for (u32 k = 0; k < n; k++)
		for (u32 i = 0; i < 24; i++)
			ok = ok && objs[k][i] == k;
	for (u32 k = 0; k < n; k++)
		kfree(objs[k]);
	EXPECT(n == 200 && ok);
}

KTEST(slab, sizes_and_realloc)
{
	char *p = kmalloc(10, GFP_ZERO), *q;

	EXPECT(p && ksize(p) >= 10);
	memcpy(p, "remember", 9);
	q = krealloc(p, 9000, 0);
	EXPECT(q && ksize(q) >= 9000 && !strcmp(q, "remember"));
	kfree(q);
	kfree(NULL);
}

KTEST(vmalloc, maps_and_frees)
{
	for (int round = 0; round < 20; round++) {
		u8 *p = vmalloc(5 * PAGE_SIZE), *q = vmalloc(PAGE_SIZE);
		bool ok = p && q && (p + 5 * PAGE_SIZE <= q || q + PAGE_SIZE <= p);

		if (ok) {
			memset(p, 0x11, 5 * PAGE_SIZE);
			memset(q, 0x22, PAGE_SIZE);
			ok = p[0] == 0x11 && p[5 * PAGE_SIZE - 1] == 0x11 && q[PAGE_SIZE - 1] == 0x22;
		}
		vfree(q);
		vfree(p);
		EXPECT(ok);
	}
}

/* 64 slots of one page each: the model is which of them are taken. */
#define SLOTS 64
#define SLOT_BASE 0x10000000ul

static vaddr_t model_gap(const bool *taken, u32 pages)
{
	u32 run = 0;

	for (u32 i = SLOTS; i-- > 0;) {
		run = taken[i] ? 0 : run + 1;
		if (run == pages)
			return SLOT_BASE + i * PAGE_SIZE;
	}
	return 0;
}

static bool model_step(struct mm *mm, bool *taken)
{
	u32 i = (u32)(random_u64() % SLOTS), pages = 1 + (u32)(random_u64() % 6);
	vaddr_t at = SLOT_BASE + i * PAGE_SIZE, limit = SLOT_BASE + SLOTS * PAGE_SIZE;
	struct vma *v = vma_find(mm, at);

	if ((v && v->start <= at) != taken[i] || vma_range_free(mm, at, at + PAGE_SIZE) == taken[i])
		return false;
	if (vma_find_gap(mm, pages * PAGE_SIZE, SLOT_BASE, limit) != model_gap(taken, pages))
		return false;
	if (taken[i]) {
		taken[i] = false;
		return mm_unmap(mm, at, PAGE_SIZE) == 0;
	}
	taken[i] = true;
	v = vma_alloc(mm);
	if (!v)
		return false;
	v->start = at;
	v->end = at + PAGE_SIZE;
	v->flags = VM_READ | VM_NORESERVE;
	vma_insert(mm, v);
	mm_account(mm, v->flags, 1);
	vma_try_merge(mm, v);
	return true;
}

KTEST(vma, tree_agrees_with_an_array)
{
	static bool taken[SLOTS];
	struct mm *mm = mm_create();
	bool ok = true;

	EXPECT(mm);
	memset(taken, 0, sizeof(taken));
	rwsem_write_lock(&mm->mmap_lock);
	for (int i = 0; ok && i < 4000; i++)
		ok = model_step(mm, taken);
	rwsem_write_unlock(&mm->mmap_lock);
	mm_put(mm);
	EXPECT(ok);
}

#ifdef CONFIG_DEBUG
KTEST(failure, every_allocation_of_vmalloc)
{
	void *p = NULL;
	u32 n = 0;

	while (!p && ++n < 50) {
		current->fail_nth = n;
		p = vmalloc(4 * PAGE_SIZE);
		current->fail_nth = 0;
	}
	EXPECT(p && n > 1);
	vfree(p);
}

KTEST(failure, every_allocation_of_mm_create)
{
	struct mm *mm = NULL;
	u32 n = 0;

	while (!mm && ++n < 50) {
		current->fail_nth = n;
		mm = mm_create();
		current->fail_nth = 0;
	}
	EXPECT(mm && n > 1);
	mm_put(mm);
}
#endif
