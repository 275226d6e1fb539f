/* Address spaces: creation, fork, end.
 *
 * users counts tasks, and for a moment who looks into another task's memory; the last one unmaps everything and frees the tables: no CPU
 * can walk them, for a CPU without a program has none of them (arch_mm_leave).  The structure itself outlasts a grace period.
 *
 * Fork copies VMAs and page tables under the parent's mmap_lock: private writable pages become read-only in both, so that the first
 * write copies; then one flush. */
#include <asm/resource.h>
#include <fs/aio.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <mm/filemap.h>
#include <mm/mm_internal.h>
#include <mm/oom.h>
#include <mm/rmap.h>
#include <mm/slab.h>

static struct slab_cache *mm_cache;
static u64 last_id;			/* [a] */

static struct mm *create(struct mm *parent)
{
	struct mm *mm;

	if (!mm_cache)
		mm_cache = slab_cache_create("mm", sizeof(struct mm), 0, NULL);
	mm = mm_cache ? slab_alloc(mm_cache, GFP_KERNEL | GFP_ZERO) : NULL;
	if (!mm)
		return NULL;
	list_init(&mm->moved);
	mm->anon = anon_node_new(mm, parent ? parent->anon : NULL);
	if (!mm->anon) {
		slab_free(mm_cache, mm);
		return NULL;
	}
	if (arch_mm_init(mm)) {
		anon_node_leave(mm->anon);
		slab_free(mm_cache, mm);
		return NULL;
	}
	rwsem_init(&mm->mmap_lock, LC_MMAP);
	refcount_set(&mm->users, 1);
	mm->id = atomic_add_return(&last_id, 1ul);
	mm->thp_disabled = current->mm && current->mm->thp_disabled;
	return mm;
}

struct mm *mm_create(void) { return create(NULL); }

void mm_account(struct mm *mm, u32 vm_flags, s64 pages)
{
	mm->total_vm += pages;
	mm->hiwater_vm = max(mm->hiwater_vm, mm->total_vm);
	if (vm_flags & VM_LOCKED)
		mm->locked_vm += pages;
	if (vm_flags & VM_GROWSDOWN)
		mm->stack_vm += pages;
	else if (vm_flags & VM_EXEC)
		mm->exec_vm += pages;
	else if ((vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
		mm->data_vm += pages;
}

/* /proc takes users of another task's mm under RCU, unless it is zero. */
static void mm_free_rcu(struct rcu_head *head)
{
	slab_free(mm_cache, container_of(head, struct mm, rcu));
}

void mm_exit(void)
{
	struct mm *mm = current->mm;
	irqflags_t flags = arch_irq_save();

	arch_mm_leave();
	current->mm = NULL;
	arch_irq_restore(flags);
	mm_put(mm);
}

u64 mm_rss(const struct mm *mm)
{
	s64 n = atomic_load(&mm->rss_anon) + atomic_load(&mm->rss_file) + atomic_load(&mm->rss_shmem);

	return n > 0 ? (u64)n : 0;
}

u64 mm_peak_rss(const struct mm *mm)
{
	return mm ? max(READ_ONCE(mm->hiwater_rss), mm_rss(mm)) : 0;
}

static void unmap_all(struct mm *mm)
{
	struct rb_node *n;

	for (n = rb_first(&mm->vmas); n; n = rb_next(n)) {
		struct vma *vma = rb_entry(n, struct vma, node);

		pt_unmap_range(mm, vma->start, vma->end, mm_page_gone, vma);
	}
	while ((n = rb_first(&mm->vmas)) != NULL) {
		struct vma *vma = rb_entry(n, struct vma, node);

		rb_erase(n, &mm->vmas);
		vma_free(vma);
	}
	mm->nr_vmas = 0;
	mm->vma_cache = NULL;
}

void mm_put(struct mm *mm)
{
	if (!refcount_dec_and_test(&mm->users))
		return;
	if (unlikely(mm->aio))
		aio_mm_gone(mm);
	tlb_mm_retire(mm);
	rwsem_write_lock(&mm->mmap_lock);
	unmap_all(mm);
	rwsem_write_unlock(&mm->mmap_lock);
	anon_node_leave(mm->anon);	/* before the tables go, which reclaim may look at */
	if (mm->exe)
		file_put(mm->exe);
	mm->exe = NULL;
	arch_mm_fini(mm);
	oom_mm_gone(mm);
	call_rcu(&mm->rcu, mm_free_rcu);
}

void mm_install(struct mm *mm)
{
	struct mm *old = current->mm;
	irqflags_t flags;

	preempt_disable();
	flags = arch_irq_save();
	current->mm = mm;
	mm_switch(mm);
	arch_irq_restore(flags);
	preempt_enable();
	if (old)
		mm_put(old);
}

static void page_dup(void *arg, const struct pte_info *info, u32 nr)
{
	struct vma *vma = arg;
	struct page *p = pfn_to_page(info->pfn);

	if (vma->flags & VM_SPECIAL)
		return;
	for (u32 i = 0; i < nr; i++) {
		page_get(&p[i]);
		page_mapped(&p[i]);
	}
	rss_add(vma->mm, p, nr);
}

/* File pages that were only read can be found again in the cache; whatever may have been copied cannot. */
static bool must_copy(const struct vma *vma)
{
	if (vma->flags & VM_SPECIAL)
		return true;
	if (!vma->file)
		return true;
	return !(vma->flags & VM_SHARED) && (vma->flags & VM_MAYWRITE) && (vma->flags & VM_WRITE || vma->private);
}

static int fork_vma(struct mm *mm, struct mm *old, struct vma *from)
{
	struct vma *vma = vma_alloc(mm);
	int err = 0;

	if (!vma)
		return -ENOMEM;
	vma->start = from->start;
	vma->end = from->end;
	vma->flags = from->flags & ~(u32)VM_LOCKED;
	vma->prot = from->prot;
	vma->ops = from->ops;
	vma->file = from->file;
	vma->pgoff = from->pgoff;
	vma->private = from->private;
	if (vma->file)
		file_get(vma->file);
	if (vma->ops && vma->ops->open)
		vma->ops->open(vma);
	if (unlikely(from->moved))
		vma_set_moved(vma, from->moved);
	vma_insert(mm, vma);
	mm_account(mm, vma->flags, (s64)((vma->end - vma->start) >> PAGE_SHIFT));
	if (!(from->flags & VM_WIPEONFORK) && must_copy(from))
		err = pt_copy_range(mm, old, from->start, from->end, !(from->flags & (VM_SHARED | VM_SPECIAL)), page_dup, vma);
	if (unlikely(old->has_pinned) && !err && !(from->flags & (VM_WIPEONFORK | VM_SHARED | VM_SPECIAL)))
		err = pins_fork(vma, from);
	return err;
}

int mm_fork(struct mm **out)
{
	struct mm *old = current->mm, *mm = create(old);
	int err = 0;

	if (!mm)
		return -ENOMEM;
	rwsem_write_lock(&old->mmap_lock);
	mm->membarrier = old->membarrier;
	mm->start_code = old->start_code;
	mm->end_code = old->end_code;
	mm->start_data = old->start_data;
	mm->end_data = old->end_data;
	mm->start_brk = old->start_brk;
	mm->brk = old->brk;
	mm->start_stack = old->start_stack;
	mm->arg_start = old->arg_start;
	mm->arg_end = old->arg_end;
	mm->env_start = old->env_start;
	mm->env_end = old->env_end;
	mm->mmap_base = old->mmap_base;
	mm->vdso = old->vdso;
	mm->wx_allowed = old->wx_allowed;
	memcpy(mm->auxv, old->auxv, sizeof(mm->auxv));
	mm->exe = old->exe;
	if (mm->exe)
		file_get(mm->exe);
	for (struct rb_node *n = rb_first(&old->vmas); n && !err; n = rb_next(n)) {
		struct vma *vma = rb_entry(n, struct vma, node);

		if (!(vma->flags & VM_DONTCOPY))
			err = fork_vma(mm, old, vma);
	}
	pt_flush_mm(old);
	if (likely(!err))
		anon_node_join(mm->anon, mm);
	rwsem_write_unlock(&old->mmap_lock);
	if (err) {
		mm_put(mm);
		return err;
	}
	*out = mm;
	return 0;
}
