/* The VMA tree.
 *
 * Theory.  Non-overlapping ranges, in a red-black tree by address, each node augmented with the largest free gap in its subtree
 * (gap: the space between a VMA and its predecessor), so that the highest gap of a given length is found in one descent.  All of it
 * is under mmap_lock: readers may look up, only writers change.
 *
 * A VMA of a file also stands in its address_space's i_mmap list, for truncation, which comes without mmap_lock.  Under i_mmap_lock
 * every mapped page of the file is inside some VMA of the list: a new VMA is linked before anything is mapped in it, a split links
 * the upper half and shrinks the lower in one section, a merge grows the survivor before the other is unlinked, and mremap moves
 * entries from one VMA to the other under it. */
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <mm/filemap.h>
#include <mm/mm_internal.h>
#include <mm/slab.h>

static struct slab_cache *vma_cache;

static struct vma *node_vma(struct rb_node *n)
{
	return n ? rb_entry(n, struct vma, node) : NULL;
}

struct vma *vma_next(const struct vma *vma)
{
	return node_vma(rb_next(&vma->node));
}

struct vma *vma_prev(const struct vma *vma)
{
	return node_vma(rb_prev(&vma->node));
}

struct vma *vma_last(const struct mm *mm)
{
	return node_vma(rb_last(&mm->vmas));
}

static void gap_update(struct rb_node *n)
{
	struct vma *v = node_vma(n), *l = node_vma(n->rb_left), *r = node_vma(n->rb_right);
	u64 m = v->gap;

	if (l)
		m = max(m, l->max_gap);
	if (r)
		m = max(m, r->max_gap);
	v->max_gap = m;
}

static void gap_recompute(struct vma *vma)
{
	struct vma *prev;

	if (!vma)
		return;
	prev = vma_prev(vma);
	vma->gap = vma->start - (prev ? prev->end : 0);
	rb_update_path(&vma->node, gap_update);
}

struct vma *vma_alloc(struct mm *mm)
{
	struct vma *vma;

	if (!vma_cache)
		vma_cache = slab_cache_create("vma", sizeof(struct vma), 0, NULL);
	vma = vma_cache ? slab_alloc(vma_cache, GFP_KERNEL | GFP_ZERO) : NULL;
	if (vma) {
		vma->mm = mm;
		list_init(&vma->i_mmap_link);
		list_init(&vma->moved_link);
	}
	return vma;
}

static struct address_space *vma_mapping(const struct vma *vma)
{
	return vma->file ? vma->file->mapping : NULL;
}

/* i_mmap_lock held for writing. */
static void file_link_locked(struct vma *vma, struct address_space *as)
{
	list_add_tail(&vma->i_mmap_link, &as->i_mmap);
	if ((vma->flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE))
		as->nr_writable++;
}

void vma_link_file(struct vma *vma)
{
	file_link_locked(vma, vma_mapping(vma));
}

static void file_unlink(struct vma *vma)
{
	struct address_space *as = vma_mapping(vma);

	if (!as || list_empty(&vma->i_mmap_link))
		return;
	rwsem_write_lock(&as->i_mmap_lock);
	list_del_init(&vma->i_mmap_link);
	if ((vma->flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE))
		as->nr_writable--;
	rwsem_write_unlock(&as->i_mmap_lock);
}

void vma_set_moved(struct vma *vma, u64 pages)
{
	list_del_init(&vma->moved_link);
	vma->moved = pages;
	if (pages)
		list_add_tail(&vma->moved_link, &vma->mm->moved);
}

void vma_free(struct vma *vma)
{
	if (unlikely(vma->moved))
		list_del_init(&vma->moved_link);
	file_unlink(vma);
	if (vma->ops && vma->ops->close)
		vma->ops->close(vma);
	if (vma->file)
		file_put(vma->file);
	slab_free(vma_cache, vma);
}

struct vma *vma_find(struct mm *mm, vaddr_t addr)
{
	struct vma *v = READ_ONCE(mm->vma_cache), *best = NULL;
	struct rb_node *n;

	if (v && v->start <= addr && addr < v->end)
		return v;
	n = mm->vmas.rb_node;
	while (n) {
		v = rb_entry(n, struct vma, node);
		if (v->end > addr) {
			best = v;
			if (v->start <= addr)
				break;
			n = n->rb_left;
		} else {
			n = n->rb_right;
		}
	}
	if (best && best->start <= addr)
		WRITE_ONCE(mm->vma_cache, best);
	return best;
}

static void tree_insert(struct mm *mm, struct vma *vma)
{
	struct rb_node **link = &mm->vmas.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = vma->start < node_vma(parent)->start ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&vma->node, parent, link);
	vma->gap = vma->max_gap = 0;
	rb_insert_augmented(&vma->node, &mm->vmas, gap_update);
	mm->nr_vmas++;
	gap_recompute(vma);
	gap_recompute(vma_next(vma));
}

void vma_insert(struct mm *mm, struct vma *vma)
{
	struct address_space *as = vma_mapping(vma);

	tree_insert(mm, vma);
	if (!as || !list_empty(&vma->i_mmap_link))
		return;
	rwsem_write_lock(&as->i_mmap_lock);
	file_link_locked(vma, as);
	rwsem_write_unlock(&as->i_mmap_lock);
}

void vma_erase(struct mm *mm, struct vma *vma)
{
	struct vma *next = vma_next(vma);

	rb_erase_augmented(&vma->node, &mm->vmas, gap_update);
	mm->nr_vmas--;
	WRITE_ONCE(mm->vma_cache, NULL);
	gap_recompute(next);
}

/* Truncation looks at these with i_mmap_lock held, and without mmap_lock. */
static void set_bounds(struct vma *vma, vaddr_t start, vaddr_t end)
{
	vma->pgoff += (s64)(start - vma->start) >> PAGE_SHIFT;
	vma->start = start;
	vma->end = end;
	gap_recompute(vma);
	gap_recompute(vma_next(vma));
}

void vma_resize(struct vma *vma, vaddr_t start, vaddr_t end)
{
	struct address_space *as = vma_mapping(vma);

	if (as)
		rwsem_write_lock(&as->i_mmap_lock);
	set_bounds(vma, start, end);
	if (as)
		rwsem_write_unlock(&as->i_mmap_lock);
}

int vma_split(struct mm *mm, struct vma *vma, vaddr_t addr, struct vma **upper)
{
	struct vma *v = vma_alloc(mm);
	struct address_space *as = vma_mapping(vma);

	if (!v)
		return -ENOMEM;
	v->start = addr;
	v->end = vma->end;
	v->flags = vma->flags;
	v->prot = vma->prot;
	v->ops = vma->ops;
	v->file = vma->file;
	v->pgoff = vma->pgoff + ((addr - vma->start) >> PAGE_SHIFT);
	v->private = vma->private;
	if (unlikely(vma->moved))
		vma_set_moved(v, vma->moved);
	if (v->file)
		file_get(v->file);
	if (v->ops && v->ops->open)
		v->ops->open(v);
	if (!as && !IS_ALIGNED(addr, PMD_SIZE))
		pt_split_block(mm, addr);	/* a block lies within one VMA */
	/* For truncation the two halves take the whole's place at once: it holds i_mmap_lock while it unmaps. */
	if (as)
		rwsem_write_lock(&as->i_mmap_lock);
	set_bounds(vma, vma->start, addr);
	tree_insert(mm, v);
	if (as) {
		file_link_locked(v, as);
		rwsem_write_unlock(&as->i_mmap_lock);
	}
	if (upper)
		*upper = v;
	return 0;
}

static bool mergeable(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->flags == b->flags && a->ops == b->ops && a->file == b->file && a->private == b->private && a->moved == b->moved &&
	       !(a->flags & VM_SPECIAL) && !(a->ops && a->ops->close) &&
	       (!a->file || a->pgoff + ((a->end - a->start) >> PAGE_SHIFT) == b->pgoff);
}

struct vma *vma_try_merge(struct mm *mm, struct vma *vma)
{
	struct vma *prev = vma_prev(vma), *next = vma_next(vma);

	if (next && mergeable(vma, next)) {
		vaddr_t end = next->end;

		vma_erase(mm, next);
		vma_resize(vma, vma->start, end);
		vma_free(next);
	}
	if (prev && mergeable(prev, vma)) {
		vaddr_t end = vma->end;

		vma_erase(mm, vma);
		vma_resize(prev, prev->start, end);
		vma_free(vma);
		return prev;
	}
	return vma;
}

/* Does the gap before v hold len within [low, limit)?  Its highest place, or 0. */
static vaddr_t gap_place(const struct vma *v, size_t len, vaddr_t low, vaddr_t limit)
{
	vaddr_t top = v->start, bottom = v->start - v->gap;

	if (v->flags & VM_GROWSDOWN)
		top -= min(top - bottom, STACK_GUARD_PAGES << PAGE_SHIFT);
	top = min(top, limit);
	bottom = max(bottom, low);
	return top > bottom && top - bottom >= len ? top - len : 0;
}

static vaddr_t gap_search(struct rb_node *n, size_t len, vaddr_t low, vaddr_t limit)
{
	while (n) {
		struct vma *v = node_vma(n);
		vaddr_t at;

		if (v->max_gap < len)
			return 0;
		if (v->end < limit) {
			at = gap_search(n->rb_right, len, low, limit);
			if (at)
				return at;
		}
		at = gap_place(v, len, low, limit);
		if (at)
			return at;
		n = n->rb_left;
	}
	return 0;
}

vaddr_t vma_find_gap(struct mm *mm, size_t len, vaddr_t low, vaddr_t limit)
{
	struct rb_node *last = rb_last(&mm->vmas);
	vaddr_t after = max(last ? node_vma(last)->end : 0, low);

	if (limit > after && limit - after >= len)
		return limit - len;
	return gap_search(mm->vmas.rb_node, len, low, limit);
}

bool vma_range_free(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *v = vma_find(mm, start);

	return !v || v->start >= end;
}
