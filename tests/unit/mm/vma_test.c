/* The VMA tree against an array of pages: find, insert, split, resize, merge, gaps. */
#include <asm/errno.h>
#include <fs/vfs.h>
#include <kernel/lib/string.h>
#include <mm/mm_internal.h>
#include <tests/unit/unit.h>

#define SLOTS 128
#define BASE 0x10000000ul

static struct mm mm;
static struct file files[2];
static struct address_space spaces[2];
static u64 file_refs;

void file_put(struct file *f) { (void)f; file_refs--; }
void pt_split_block(struct mm *m, vaddr_t addr) { (void)m; (void)addr; }

static struct page_model { u32 flags; struct file *file; u64 pgoff; bool used; } model[SLOTS + 1];

static vaddr_t at(u64 slot) { return BASE + slot * PAGE_SIZE; }
static u64 slot_of(vaddr_t va) { return (va - BASE) >> PAGE_SHIFT; }

/* Do a and b, neighbours, belong into one VMA? */
static bool joins(u64 a, u64 b)
{
	const struct page_model *x = &model[a], *y = &model[b];

	return x->used && y->used && x->flags == y->flags && x->file == y->file && (!x->file || x->pgoff + 1 == y->pgoff);
}

/* Every page's VMA is what the model says; the tree's own numbers are right. */
static bool tree_agrees(bool merged)
{
	struct vma *v = NULL;
	vaddr_t last = 0;
	u32 n = 0;

	for (struct rb_node *r = rb_first(&mm.vmas); r; r = rb_next(r), n++) {
		v = rb_entry(r, struct vma, node);
		if (v->start >= v->end || v->start < last || v->gap != v->start - last)
			return false;
		for (u64 i = slot_of(v->start); i < slot_of(v->end); i++)
			if (!model[i].used || model[i].flags != v->flags || model[i].file != v->file ||
			    (v->file && model[i].pgoff != v->pgoff + i - slot_of(v->start)))
				return false;
		if (merged && v->start == last && joins(slot_of(v->start) - 1, slot_of(v->start)))
			return false;
		last = v->end;
	}
	return n == mm.nr_vmas;
}

static bool finds(void)
{
	for (u64 i = 0; i < SLOTS; i++) {
		struct vma *v = vma_find(&mm, at(i) + unit_below(PAGE_SIZE));
		u64 next = i;

		while (next < SLOTS && !model[next].used)
			next++;
		if (next == SLOTS ? v != NULL : !v || !(v->start <= at(next) && at(next) < v->end) || (next != i && v->start != at(next)))
			return false;
	}
	return true;
}

/* The highest free place for n pages in [low, limit), a stack's guard gap kept free. */
static vaddr_t model_gap(u64 n, u64 low, u64 limit)
{
	for (u64 i = limit; i-- > low;) {
		bool fits = i + n <= limit;

		for (u64 k = i; fits && k < i + n; k++)
			fits = !model[k].used;
		for (u64 k = i + n; fits && k < i + n + STACK_GUARD_PAGES && k < SLOTS; k++) {
			if (!model[k].used)
				continue;
			fits = !(model[k].flags & VM_GROWSDOWN);
			break;
		}
		if (fits)
			return at(i);
	}
	return 0;
}

static bool gaps_agree(void)
{
	u64 n = 1 + unit_below(12), low = unit_below(SLOTS / 2), limit = low + unit_below(SLOTS - low) + 1;
	vaddr_t got = vma_find_gap(&mm, n * PAGE_SIZE, at(low), at(limit)), want = model_gap(n, low, limit);

	if (got == want)
		return true;
	unit_note("%lu pages in [%lu, %lu): %lx, not %lx", n, low, limit, got, want);
	return false;
}

static bool map(u64 first, u64 n, u32 flags, struct file *f, u64 pgoff, bool merge)
{
	struct vma *v = vma_alloc(&mm);

	if (!v)
		return false;
	v->start = at(first);
	v->end = at(first + n);
	v->flags = flags;
	v->file = f;
	v->pgoff = f ? pgoff : v->start >> PAGE_SHIFT;
	if (f) {
		file_get(f);
		file_refs++;
	}
	vma_insert(&mm, v);
	for (u64 i = 0; i < n; i++)
		model[first + i] = (struct page_model){ flags, f, pgoff + i, true };
	if (merge) {
		struct vma *m = vma_try_merge(&mm, v);

		return m && m->start <= at(first) && m->end >= at(first + n);
	}
	return true;
}

/* Take [first, first + n) out, as munmap does: split at both edges, erase between. */
static bool unmap(u64 first, u64 n)
{
	struct vma *v = vma_find(&mm, at(first));

	if (v && v->start < at(first)) {
		if (v->file)
			file_refs++;
		if (vma_split(&mm, v, at(first), &v))
			return false;
	}
	while (v && v->start < at(first + n)) {
		struct vma *next = vma_next(v);

		if (v->end > at(first + n)) {
			if (v->file)
				file_refs++;
			if (vma_split(&mm, v, at(first + n), &next))
				return false;
		}
		vma_erase(&mm, v);
		vma_free(v);
		v = next;
	}
	for (u64 i = first; i < first + n; i++)
		model[i].used = false;
	return vma_range_free(&mm, at(first), at(first + n));
}

static u64 links(const struct address_space *as)
{
	const struct list_head *p;
	u64 n = 0;

	for (p = as->i_mmap.next; p != &as->i_mmap; p = p->next)
		n++;
	return n;
}

static bool links_agree(void)
{
	u64 want[2] = { 0 }, shared[2] = { 0 }, total = 0;

	for (struct rb_node *r = rb_first(&mm.vmas); r; r = rb_next(r)) {
		struct vma *v = rb_entry(r, struct vma, node);

		for (int i = 0; i < 2; i++)
			if (v->file == &files[i]) {
				want[i]++;
				total++;
				shared[i] += (v->flags & VM_SHARED) && (v->flags & VM_MAYWRITE);
			}
	}
	for (int i = 0; i < 2; i++)
		if (links(&spaces[i]) != want[i] || (u64)spaces[i].nr_writable != shared[i])
			return false;
	return total == file_refs;
}

static void reset(void)
{
	memset(&mm, 0, sizeof(mm));
	rwsem_init(&mm.mmap_lock, LC_MMAP);
	memset(model, 0, sizeof(model));
	for (int i = 0; i < 2; i++) {
		list_init(&spaces[i].i_mmap);
		files[i].mapping = &spaces[i];
	}
}

static bool step(bool merge, bool stacks)
{
	u64 first = unit_below(SLOTS), n = min(1 + unit_below(10), SLOTS - first);
	u32 flags = unit_below(2) ? VM_READ : VM_READ | VM_WRITE | VM_MAYWRITE;
	struct file *f = unit_below(2) ? &files[unit_below(2)] : NULL;

	if (stacks && unit_below(6) == 0)
		flags |= VM_GROWSDOWN;
	if (f && unit_below(2))
		flags |= VM_SHARED;
	if (!vma_range_free(&mm, at(first), at(first + n)))
		return unmap(first, n);
	return map(first, n, flags, f, unit_below(4) ? first : unit_below(50), merge);
}

TEST(random)
{
	for (int mode = 0; mode < 4; mode++) {
		reset();
		for (int i = 0; i < 6000; i++) {
			EXPECT(step(mode & 1, mode & 2));
			EXPECT(tree_agrees(mode & 1));
			EXPECT(links_agree());
			EXPECT(gaps_agree());
			if (i % 16 == 0)
				EXPECT(finds());
		}
		EXPECT(unmap(0, SLOTS));
		EXPECT(mm.nr_vmas == 0 && file_refs == 0);
	}
	EXPECT_EQ(host_live(), 1);	/* the cache itself */
}

/* Both neighbours at once; what must keep them apart does. */
TEST(merging)
{
	static const struct vm_ops closes = { .close = (void (*)(struct vma *))file_put };

	reset();
	EXPECT(map(0, 2, VM_READ, NULL, 0, true) && map(4, 2, VM_READ, NULL, 0, true) && mm.nr_vmas == 2);
	EXPECT(map(2, 2, VM_READ, NULL, 0, true) && mm.nr_vmas == 1);
	EXPECT(unmap(2, 1) && mm.nr_vmas == 2 && tree_agrees(true));
	EXPECT(unmap(0, SLOTS));
	for (u64 i = 0; i < 3; i++)
		EXPECT(map(10 + i, 1, VM_READ | VM_SPECIAL, NULL, 0, false));
	EXPECT(vma_try_merge(&mm, vma_find(&mm, at(11)))->start == at(11) && mm.nr_vmas == 3);
	for (u64 i = 0; i < 3; i++)
		vma_find(&mm, at(10 + i))->flags = VM_READ;
	vma_find(&mm, at(11))->private = &mm;
	EXPECT(vma_try_merge(&mm, vma_find(&mm, at(11)))->end == at(12) && mm.nr_vmas == 3);
	vma_find(&mm, at(11))->private = NULL;
	for (u64 i = 0; i < 3; i++)
		vma_find(&mm, at(10 + i))->ops = &closes;
	EXPECT(vma_try_merge(&mm, vma_find(&mm, at(11)))->end == at(12) && mm.nr_vmas == 3);
	for (u64 i = 0; i < 3; i++)
		vma_find(&mm, at(10 + i))->ops = NULL;
	EXPECT(vma_try_merge(&mm, vma_find(&mm, at(11)))->start == at(10) && mm.nr_vmas == 1);
	EXPECT(unmap(0, SLOTS));
}

TEST(split_without_memory)
{
	reset();
	EXPECT(map(0, 10, VM_READ, &files[0], 3, false));
	unit_fail_after = 0;
	EXPECT_EQ(vma_split(&mm, vma_find(&mm, at(0)), at(5), NULL), -ENOMEM);
	EXPECT(mm.nr_vmas == 1 && tree_agrees(true) && links_agree());
	unit_fail_after = 0;
	EXPECT(!vma_alloc(&mm));
	EXPECT(unmap(0, SLOTS));
}

/* The last hit is remembered, and forgotten when it goes. */
TEST(cache)
{
	reset();
	EXPECT(map(0, 4, VM_READ, NULL, 0, false));
	EXPECT(vma_find(&mm, at(1)) == mm.vma_cache);
	EXPECT(unmap(0, 4) && !vma_find(&mm, at(1)) && !mm.vma_cache);
	EXPECT(map(0, 4, VM_READ, NULL, 0, false) && vma_find(&mm, at(3)));
	EXPECT(unmap(2, 2) && !vma_find(&mm, at(3)) && vma_find(&mm, at(1)));
	EXPECT(unmap(0, 4));
}
