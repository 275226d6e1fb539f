/* Pages of a program that a device works on.
 *
 * A device that writes to a page knows nothing of copy-on-write.  Were the page shared at fork, whichever of the two wrote first would get
 * a copy, and if that was the parent, he would never see what the device wrote, while the child would.  So who pins a page for a device
 * to write to counts himself in page->pins, and fork gives the child a copy of such a page and leaves the parent's writable.  Pinning holds
 * mmap_lock for reading and fork for writing, so a pin is seen by each fork after it.  A page that a device only reads needs none of
 * this: what it reads is what the page held when it was handed over, or what the program wrote to it meanwhile.
 *
 * Of a file, a page is dirty while it is pinned, and stays so when it is written back (mm/writeback.c), so that what the device wrote last is
 * written once more.
 *
 * mm->has_pinned says whether fork has to look at all; it is never taken back, as who has used direct I/O once will do it again. */
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/task.h>
#include <mm/mm_internal.h>
#include <mm/writeback.h>

int pages_pin(vaddr_t addr, size_t len, bool write, struct page **pages, u32 max)
{
	struct mm *mm = current->mm;
	vaddr_t at = ALIGN_DOWN(addr, PAGE_SIZE);
	u32 n = 0;
	int err = 0;

	rwsem_read_lock(&mm->mmap_lock);
	if (write && !READ_ONCE(mm->has_pinned))
		WRITE_ONCE(mm->has_pinned, true);
	for (; at < addr + len && n < max && !err; at += PAGE_SIZE) {
		err = pin_locked(mm, at, write, false, false, &pages[n]);
		if (!err && write) {
			__atomic_fetch_add(&pages[n]->pins, 1, __ATOMIC_RELAXED);
			if (!(page_flags(pages[n]) & PG_ANON))
				page_set_dirty(pages[n]);	/* it was made so by the fault, but may have been written since */
		}
		n += !err;
	}
	rwsem_read_unlock(&mm->mmap_lock);
	return n ? (int)n : err;
}

void pages_unpin(struct page **pages, u32 nr, bool write)
{
	for (u32 i = 0; i < nr; i++) {
		struct page *p = pages[i];

		if (write) {
			if (page_flags(p) & PG_CODE_SYNCED)
				atomic_fetch_and(&p->flags, ~(u32)PG_CODE_SYNCED);
			__atomic_fetch_sub(&p->pins, 1, __ATOMIC_RELAXED);
		}
		page_put(p);
	}
}

struct forking { struct vma *child; struct mm *from; u32 prot; };

static int unshare(struct forking *f, vaddr_t addr, struct page *p)
{
	struct mm *mm = f->child->mm;
	struct page *copy;

	pt_split_block(f->from, addr);
	pt_split_block(mm, addr);
	copy = anon_page_new(f->child, addr, 0);
	if (!copy)
		return -ENOMEM;
	copy_page(page_address(copy), page_address(p));
	if (f->child->flags & VM_EXEC)
		cache_sync_code(page_address(copy), PAGE_SIZE);
	page_mapped(copy);
	VERIFY(!pt_replace(mm, addr, page_to_pfn(p), page_to_pfn(copy), f->child->prot));	/* nobody runs in the child yet */
	page_unmapped(p);
	page_put(p);
	if (f->prot & PROT_K_W)
		pt_set_prot_one(f->from, addr, page_to_pfn(p), f->prot);
	return 0;
}

static int look(void *arg, vaddr_t addr, const struct pte_info *info, u32 nr)
{
	struct page *p = pfn_to_page(info->pfn);
	int err = 0;

	for (u32 i = 0; i < nr && !err; i++)
		if (unlikely(atomic_load(&p[i].pins)) && page_flags(&p[i]) & PG_ANON)
			err = unshare(arg, addr + i * PAGE_SIZE, &p[i]);
	return err;
}

int pins_fork(struct vma *child, struct vma *from)
{
	struct forking f = { child, from->mm, from->prot };

	return pt_walk(from->mm, from->start, from->end, look, &f);
}
