/* Buddy, slabs, vmalloc, the VMA tree against a plain array, and allocations made to fail. */
#include <linux/fcntl.h>
#include <arch/context.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/random/random.h>
#include <kernel/sched/sched.h>
#include <kernel/task.h>
#include <mm/mm_internal.h>
#include <mm/page_internal.h>
#include <mm/reclaim.h>
#include <mm/slab.h>
#include <tests/kernel/runner.h>

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

KTEST(buddy, single_pages)
{
	static struct page *pages[300];
	u64 before, during;
	bool ok = true;
	u32 n = 0;

	rcu_barrier();
	preempt_disable();			/* nobody else allocates */
	before = page_nr_free();
	for (; n < ARRAY_SIZE(pages) && (pages[n] = page_alloc(0, GFP_ATOMIC)) != NULL; n++)
		*(u64 *)page_address(pages[n]) = n;
	during = page_nr_free();
	for (u32 i = 0; i < n; i++) {
		ok = ok && *(u64 *)page_address(pages[i]) == i && atomic_load(&pages[i]->refs) == 1;
		page_free(pages[i], 0);
	}
	ok = ok && page_nr_free() == before;
	preempt_enable();
	EXPECT(ok);
	EXPECT(n == 300 && before - during == 300);
}

/* Everything taken: all who may fail do so, the reserve is for those who may not wait, and all comes back. */
KTEST(buddy, exhausted)
{
	struct page *list = NULL, *p, *atomic;
	u64 before = page_nr_free();
	bool refused;

	while ((p = page_alloc(0, GFP_KERNEL)) != NULL) {
		p->private = (u64)list;
		list = p;
	}
	refused = !page_alloc(0, GFP_KERNEL) && !vmalloc(64 * PAGE_SIZE) && !kmalloc(64 * PAGE_SIZE, 0) && !page_alloc(3, 0);
	atomic = page_alloc(0, GFP_ATOMIC);
	for (; list; list = p) {
		p = (struct page *)list->private;
		page_free(list, 0);
	}
	if (atomic)
		page_free(atomic, 0);
	EXPECT(refused && atomic);
	EXPECT(page_nr_free() + 16 >= before);
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

static u32 constructed;
static void construct(void *obj) { *(u32 *)obj = 0xc0de; constructed++; }

KTEST(slab, typed_cache)
{
	static struct slab_cache *cache;	/* caches are for ever */
	void *objs[40];
	bool ok = true;
	u64 total, total2, reclaimable;

	if (!cache)
		cache = slab_cache_create("ktest", 200, 64, construct);
	EXPECT(cache);
	slab_pages(&total, &reclaimable);
	for (u32 i = 0; i < 40; i++) {
		objs[i] = slab_alloc(cache, 0);
		ok = ok && objs[i] && IS_ALIGNED(objs[i], 64) && *(u32 *)objs[i] == 0xc0de;
	}
	slab_pages(&total2, &reclaimable);
	for (u32 i = 0; i < 40; i++)
		if (objs[i])
			slab_free(cache, objs[i]);
	EXPECT(ok && constructed >= 40 && total2 >= total);
}

/* Taken on one magazine, given back on it or into the slabs: many more than a magazine holds, in another order. */
KTEST(slab, churn)
{
	static u64 *objs[500];
	u64 seed = 1;
	u32 bad = 0;

	for (u32 i = 0; i < 20000; i++) {
		u64 **o;

		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		o = &objs[(seed >> 33) % ARRAY_SIZE(objs)];
		if (*o) {
			bad += **o != (u64)o;
			kfree(*o);
			*o = NULL;
		} else if ((*o = kmalloc(40, 0)) != NULL) {
			**o = (u64)o;
		}
	}
	for (u32 i = 0; i < ARRAY_SIZE(objs); i++) {
		bad += objs[i] && *objs[i] != (u64)&objs[i];
		kfree(objs[i]);
		objs[i] = NULL;
	}
	EXPECT_EQ(bad, 0);
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

KTEST(failure, only_the_nth_and_only_once)
{
	void *p[3];

	preempt_disable();			/* on one CPU, whose stock then has some: to fill it would count too */
	kfree(kmalloc(16, 0));
	current->fail_nth = 2;
	for (u32 i = 0; i < 3; i++)
		p[i] = kmalloc(16, 0);
	preempt_enable();
	EXPECT(p[0] && !p[1] && p[2] && !current->fail_nth);
	kfree(p[0]);
	kfree(p[2]);
}

static void end_at_once(void *arg) { complete(arg); kthread_exit(); }

KTEST(failure, every_allocation_of_kthread_create)
{
	struct completion done;
	struct task *t = NULL;
	u32 n = 0;

	completion_init(&done);
	while (!t && ++n < 50) {
		current->fail_nth = n;
		t = kthread_create(end_at_once, &done, "ktest");
		current->fail_nth = 0;
	}
	EXPECT(t && n > 1);
	wait_for_completion(&done);
}

/* A file without a name, with each allocation on the way failing in its turn: an error, or the file. */
KTEST(failure, every_allocation_of_a_file)
{
	struct file *f = NULL;
	int err = -ENOMEM;
	u32 n = 0;

	while (err && ++n < 200) {
		current->fail_nth = n;
		err = vfs_open("/", O_TMPFILE | O_RDWR, 0600, &f);
		current->fail_nth = 0;
		if (err && err != -ENOMEM)
			break;
	}
	EXPECT_EQ(err, 0);
	file_put(f);
	EXPECT(n > 1);
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

/* --- stocks of other CPUs --------------------------------------------------------------------------------------------------------- */
static void leave_stocks(void *arg)
{
	static void *objs[20];
	struct page *pages[40];

	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		sched_set_affinity(current, BIT(cpu));
		sched_yield_current();
		for (u32 i = 0; i < ARRAY_SIZE(pages); i++)
			pages[i] = page_alloc(0, 0);
		for (u32 i = 0; i < ARRAY_SIZE(objs); i++)
			objs[i] = kmalloc(4000, 0);
		for (u32 i = 0; i < ARRAY_SIZE(pages); i++)
			if (pages[i])
				page_free(pages[i], 0);
		for (u32 i = 0; i < ARRAY_SIZE(objs); i++)
			kfree(objs[i]);
		kstack_free(kstack_alloc());
	}
	(void)arg;
}

static u64 pages_in_stocks(void)
{
	u64 blocks = 0;

	for (u32 order = 0; order <= 10; order++)
		blocks += page_nr_of_order(order) << order;
	return page_nr_free() > blocks ? page_nr_free() - blocks : 0;
}

KTEST(reclaim, takes_the_stocks_of_all_cpus)
{
	struct runner r;
	u64 least = ~0ul, stacks;

	EXPECT(runner_start(&r, leave_stocks, NULL));
	runner_join(&r);
	EXPECT(pages_in_stocks() >= 20 * nr_cpus);
	stacks = vmstat_read(VM_STACK_PAGES);
	for (u32 i = 0; i < 10 && least > 8; i++) {	/* other threads may fill theirs again at once */
		stocks_drain();
		least = min(least, pages_in_stocks());
	}
	EXPECT(least <= 8);
	EXPECT(vmstat_read(VM_STACK_PAGES) + nr_cpus * (KERNEL_STACK_SIZE / PAGE_SIZE) <= stacks + KERNEL_STACK_SIZE / PAGE_SIZE);
}
