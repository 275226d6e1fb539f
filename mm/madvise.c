/* Advice about memory and what is resident: madvise(2), mincore(2). */
#include <arch/uaccess.h>
#include <asm/mman.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <mm/filemap.h>
#include <mm/mm_internal.h>
#include <mm/readahead.h>
#include <syscall_protos.h>

/* Contents only: the VMAs stay as they are, uncut, and mmap_lock is held for reading, so that other threads fault meanwhile.  A hole is
 * -ENOMEM, after the rest was done. */
static int advise_drop(struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err = 0;

	while (start < end) {
		struct vma *v = vma_find(mm, start);

		if (!v || v->start >= end)
			return -ENOMEM;
		if (v->start > start)
			err = -ENOMEM;
		start = max(start, v->start);
		if (v->flags & (VM_LOCKED | VM_SPECIAL))
			return -EINVAL;
		pt_unmap_range(mm, start, min(end, v->end), mm_page_gone, v);
		start = v->end;
	}
	return err;
}

struct flag_change { u32 set, clear; };

static int advise_flags(struct vma *vma, void *arg)
{
	const struct flag_change *c = arg;

	if ((c->set & VM_WIPEONFORK) && (vma->file || (vma->flags & VM_SHARED)))
		return -EINVAL;
	vma->flags = (vma->flags & ~c->clear) | c->set;
	return 0;
}

/* Start reading the parts of files in the range; mmap_lock is not held while pages are looked for. */
static int advise_willneed(struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err = 0;

	while (start < end) {
		struct file *f = NULL;
		struct vma *v;
		u64 index, nr;

		rwsem_read_lock(&mm->mmap_lock);
		v = vma_find(mm, start);
		if (!v || v->start >= end) {
			rwsem_read_unlock(&mm->mmap_lock);
			return -ENOMEM;
		}
		if (v->start > start)
			err = -ENOMEM;
		start = max(start, v->start);
		index = v->pgoff + ((start - v->start) >> PAGE_SHIFT);
		nr = (min(end, v->end) - start) >> PAGE_SHIFT;
		start = v->end;
		if (v->file && v->file->mapping) {
			f = v->file;
			file_get(f);
		}
		rwsem_read_unlock(&mm->mmap_lock);
		if (f) {
			readahead_range(f->mapping, index, nr);
			file_put(f);
		}
	}
	return err;
}

static int advise_nothing(struct vma *vma, void *arg)
{
	(void)vma;
	(void)arg;
	return 0;
}

long sys_madvise(unsigned long addr, size_t len, int advice)
{
	struct mm *mm = current->mm;
	struct flag_change change = { 0, 0 };
	int (*fn)(struct vma *, void *) = advise_flags;
	size_t rounded;
	int err;

	switch (advice) {
	case MADV_NORMAL: change.clear = VM_RANDOM | VM_SEQUENTIAL; break;
	case MADV_RANDOM: change = (struct flag_change){ VM_RANDOM, VM_SEQUENTIAL }; break;
	case MADV_SEQUENTIAL: change = (struct flag_change){ VM_SEQUENTIAL, VM_RANDOM }; break;
	case MADV_WILLNEED:
		break;
	case MADV_MERGEABLE: case MADV_UNMERGEABLE: case MADV_COLD: case MADV_PAGEOUT:
		fn = advise_nothing;
		break;
	case MADV_DONTNEED: case MADV_FREE:
		fn = NULL;
		break;
	case MADV_DONTFORK: change.set = VM_DONTCOPY; break;
	case MADV_DOFORK: change.clear = VM_DONTCOPY; break;
	case MADV_WIPEONFORK: change.set = VM_WIPEONFORK; break;
	case MADV_KEEPONFORK: change.clear = VM_WIPEONFORK; break;
	case MADV_DONTDUMP: change.set = VM_DONTDUMP; break;
	case MADV_DODUMP: change.clear = VM_DONTDUMP; break;
	case MADV_HUGEPAGE: change = (struct flag_change){ VM_HUGE, VM_NOHUGE }; break;
	case MADV_NOHUGEPAGE: change = (struct flag_change){ VM_NOHUGE, VM_HUGE }; break;
	default:
		return -EINVAL;
	}
	addr = untagged(addr);
	rounded = PAGE_ALIGN(len);
	if (!IS_ALIGNED(addr, PAGE_SIZE) || (len && !rounded) || addr + rounded < addr)
		return -EINVAL;
	if (!len)
		return 0;
	if (addr + rounded > USER_END)
		return -ENOMEM;
	len = rounded;
	if (advice == MADV_WILLNEED)
		return advise_willneed(mm, addr, addr + len);
	if (!fn) {
		rwsem_read_lock(&mm->mmap_lock);
		err = advise_drop(mm, addr, addr + len);
		rwsem_read_unlock(&mm->mmap_lock);
		return err;
	}
	rwsem_write_lock(&mm->mmap_lock);
	err = for_each_vma(mm, addr, addr + len, fn, &change);
	merge_range(mm, addr, addr + len);
	rwsem_write_unlock(&mm->mmap_lock);
	return err;
}

/* Whether a page of a file is cached tells what others do: only who may write to it learns that, the rest are told it is, as on Linux. */
static bool may_know(struct inode *i) { return inode_owner_or_capable(i) || !inode_permission(i, MAY_WRITE); }

long sys_mincore(unsigned long addr, size_t len, void __user *vec)
{
	struct mm *mm = current->mm;
	long ret = 0;

	addr = untagged(addr);
	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (len > USER_END || addr > USER_END - len)
		return -ENOMEM;
	len = PAGE_ALIGN(len);
	if (!user_range_ok(vec, len >> PAGE_SHIFT))
		return -EFAULT;
	for (size_t i = 0; !ret && i < len >> PAGE_SHIFT; i++) {
		vaddr_t va = addr + i * PAGE_SIZE;
		struct pte_info info = { 0 };
		struct vma *vma;
		u8 in = 0;

		rwsem_read_lock(&mm->mmap_lock);
		vma = vma_find(mm, va);
		if (!vma || vma->start > va) {
			ret = -ENOMEM;
		} else if (pt_lookup(mm, va, &info) && info.present) {
			in = 1;
		} else if (vma->file && vma->file->mapping) {
			struct page *p = filemap_lookup(vma->file->mapping, vma->pgoff + ((va - vma->start) >> PAGE_SHIFT));

			in = (p && page_uptodate(p)) || !may_know(vma->file->inode);
			if (p)
				page_put(p);
		}
		rwsem_read_unlock(&mm->mmap_lock);
		if (!ret)
			ret = put_user(in, (u8 __user *)vec + i);
	}
	return ret;
}
