/* The reverse map: who is found to map an anonymous page, over fork, unmapping, copies and the end of address spaces. */
#include <linux/mman.h>
#include <kernel/ktest.h>
#include <kernel/sched/sched.h>
#include <mm/mm_internal.h>
#include <mm/rmap.h>
#include <tests/kernel/runner.h>

#define BASE 0x10000000ul
#define FORKERS 4u
#define FORKS 60u

static bool count(struct vma *vma, vaddr_t addr, struct page *p, void *arg)
{
	struct pte_info info;

	if (pt_lookup(vma->mm, addr, &info) && info.present && info.pfn == page_to_pfn(p))
		++*(u32 *)arg;
	return true;
}

/* How many places map p; all: and everybody could be asked. */
static u32 found(struct page *p, bool *all)
{
	u32 n = 0;

	page_lock(p);
	*all = rmap_walk_anon(p, count, &n);
	page_unlock(p);
	return n;
}

/* n places, as the page counts itself. */
static bool maps(struct page *p, u32 n)
{
	bool all;

	return found(p, &all) == n && all && (u32)atomic_load(&p->mapcount) == n;
}

/* An address space, current's, and the page of it at BASE, referenced. */
static struct mm *begin(struct page **p)
{
	struct mm *mm = mm_create();
	bool ok;

	if (!mm)
		return NULL;
	rwsem_write_lock(&mm->mmap_lock);
	ok = mm_map(mm, NULL, BASE, 4 * PAGE_SIZE, VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE, MAP_FIXED, 0) > 0;
	rwsem_write_unlock(&mm->mmap_lock);
	if (ok && !mm_pin_page(mm, BASE, true, p)) {
		borrow_mm(mm);
		return mm;
	}
	mm_put(mm);
	return NULL;
}

static struct mm *fork_of(struct mm *mm)
{
	struct mm *child = NULL;

	borrow_mm(mm);
	return mm_fork(&child) ? NULL : child;
}

static bool unmap(struct mm *mm)
{
	int err;

	rwsem_write_lock(&mm->mmap_lock);
	err = mm_unmap(mm, BASE, PAGE_SIZE);
	rwsem_write_unlock(&mm->mmap_lock);
	return !err;
}

KTEST(rmap, a_tree_of_forks)
{
	struct page *p, *copy = NULL;
	struct mm *root = begin(&p), *a, *b, *c;
	bool all, ok;

	EXPECT(root);
	ok = maps(p, 1);
	a = fork_of(root);
	b = fork_of(root);
	c = a ? fork_of(a) : NULL;
	EXPECT(a && b && c);
	ok = ok && maps(p, 4);
	rwsem_write_lock(&b->mmap_lock);		/* he is changing something: not all can be asked */
	ok = ok && found(p, &all) == 3 && !all;
	rwsem_write_unlock(&b->mmap_lock);
	ok = ok && unmap(a) && maps(p, 3);
	borrow_mm(root);
	mm_put(a);					/* between root and c: c is found without it */
	ok = ok && maps(p, 3);
	ok = !mm_pin_page(c, BASE, true, &copy) && ok;
	EXPECT(copy);
	ok = ok && copy != p && maps(p, 2) && maps(copy, 1);
	borrow_mm(b);
	mm_put(root);					/* where p was born */
	ok = ok && maps(p, 1);
	borrow_mm(NULL);
	mm_put(b);
	ok = ok && maps(p, 0) && atomic_load(&p->refs) == 1;
	mm_put(c);
	ok = ok && maps(copy, 0) && atomic_load(&copy->refs) == 1;
	page_put(p);
	page_put(copy);
	EXPECT(ok);
}

/* A page born after a fork is looked for in its own branch only. */
KTEST(rmap, siblings_are_not_asked)
{
	struct page *p, *own = NULL;
	struct mm *root = begin(&p), *a, *b;
	bool all, ok;

	EXPECT(root);
	a = fork_of(root);
	b = fork_of(root);
	EXPECT(a && b && !mm_pin_page(a, BASE + PAGE_SIZE, true, &own));
	rwsem_write_lock(&b->mmap_lock);
	ok = found(own, &all) == 1 && all;
	rwsem_write_unlock(&b->mmap_lock);
	ok = ok && maps(own, 1);
	borrow_mm(NULL);
	mm_put(root);
	mm_put(a);
	mm_put(b);
	ok = ok && maps(own, 0) && maps(p, 0);
	page_put(own);
	page_put(p);
	EXPECT(ok);
}

struct forking { struct mm *mm; u32 failed; };

static void fork_and_end(void *arg)
{
	struct forking *f = arg;

	for (u32 i = 0; i < FORKS; i++) {
		struct mm *child = fork_of(f->mm), *grandchild = child && i % 2 ? fork_of(child) : NULL;

		borrow_mm(NULL);
		if (!child)
			atomic_inc(&f->failed);
		if (child)
			mm_put(child);
		if (grandchild)
			mm_put(grandchild);
	}
}

/* Forks and ends on all CPUs under a walker; afterwards everything adds up. */
KTEST(rmap, walks_while_trees_grow_and_end)
{
	struct page *p;
	struct forking f = { begin(&p), 0 };
	struct runner r[FORKERS];
	u32 n, whole = 0, wrong = 0;

	EXPECT(f.mm);
	borrow_mm(NULL);
	for (n = 0; n < FORKERS && runner_create(&r[n], fork_and_end, &f); n++) {
		sched_set_affinity(r[n].task, atomic_load(&cpu_online_mask));
		runner_go(&r[n]);
	}
	for (u32 i = 0; i < 4000; i++) {
		bool all;
		u32 k = found(p, &all);

		whole += all;
		wrong += k > 1 + 2 * FORKERS || (all && !k);
		if (i % 16 == 0)
			sched_yield_current();
	}
	for (u32 i = 0; i < n; i++)
		runner_join(&r[i]);
	whole += maps(p, 1) ? 1 : 0;
	wrong += !maps(p, 1);
	mm_put(f.mm);
	wrong += !maps(p, 0) || atomic_load(&p->refs) != 1;
	page_put(p);
	EXPECT(n == FORKERS && !f.failed);
	EXPECT_EQ(wrong, 0);
	EXPECT(whole);
}
