/* Advice about memory and what is resident: madvise(2), process_madvise(2), mincore(2). */
#include <arch/uaccess.h>
#include <asm/mman.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/proc/access.h>
#include <kernel/proc/pidfd.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <mm/filemap.h>
#include <mm/lru.h>
#include <mm/mm_internal.h>
#include <mm/readahead.h>
#include <mm/shmem.h>
#include <mm/slab.h>
#include <mm/swap.h>
#include <syscall_protos.h>

/* The VMA of the next part of [*start, end), to whose beginning *start goes on; NULL: there is none.  A hole, or nothing, is -ENOMEM, after the
 * rest was done.  mmap_lock for reading. */
static struct vma *next_part(struct mm *mm, vaddr_t *start, vaddr_t end, int *err)
{
	struct vma *v = vma_find(mm, *start);

	if (v && v->start >= end)
		v = NULL;
	if (!v || v->start > *start)
		*err = -ENOMEM;
	if (v)
		*start = max(*start, v->start);
	return v;
}

/* Contents only: the VMAs stay as they are, uncut, and mmap_lock is held for reading, so that other threads fault meanwhile.  A hole is
 * -ENOMEM, after the rest was done. */
static int advise_drop(struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err = 0;

	while (start < end) {
		struct vma *v = next_part(mm, &start, end, &err);

		if (!v)
			return err;
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
		v = next_part(mm, &start, end, &err);
		if (!v) {
			rwsem_read_unlock(&mm->mmap_lock);
			return err;
		}
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

/* Pages that can go, and only we have mapped.  kinds: to swap, PG_ANON | PG_SWAPBACKED; those of files on a disk, PG_LRU. */
static bool may_go(const struct page *p, u32 kinds)
{
	return page_flags(p) & kinds && !(page_flags(p) & PG_RESERVED) && atomic_load(&p->mapcount) == 1;
}

/* Up to max of them in [*at, end), referenced; *at goes on behind them. */
static u32 pages_to_go(struct mm *mm, vaddr_t *at, vaddr_t end, u32 kinds, struct page **pages, u32 max)
{
	struct pte_info info;
	u32 n = 0;

	for (; *at < end && n < max; *at += PAGE_SIZE) {
		struct page *p;

		if (!pt_lookup(mm, *at, &info)) {
			*at = ALIGN_DOWN(*at, PMD_SIZE) + PMD_SIZE - PAGE_SIZE;		/* no table */
			continue;
		}
		p = info.present && !info.special ? pfn_to_page(info.pfn) : NULL;
		if (!p || !may_go(p, kinds) || !page_get_unless_zero(p))
			continue;
		if (pt_lookup(mm, *at, &info) && info.present && info.pfn == page_to_pfn(p))
			pages[n++] = p;
		else
			page_put(p);	/* it went, and its frame may be anybody's */
	}
	return n;
}

/* Whether a page of a file is cached tells what others do: only who may write to it learns that, or drives it out; the rest are told that it
 * is, as on Linux. */
static bool may_know(struct inode *i) { return inode_owner_or_capable(i) || !inode_permission(i, MAY_WRITE); }
static bool pageout_allowed(const struct vma *v) { return !(v->flags & VM_SHARED) || !v->file || may_know(v->file->inode); }

/* The pages are the next to go when memory is short: out of our tables, on the lists of what nobody has used lately.  They are in memory still, and
 * a touch has them back without a device. */
static void deactivate(struct page **pages, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		struct page *p = pages[i];

		page_lock(p);
		if (page_flags(p) & (PG_ANON | PG_SWAPBACKED))
			swap_deactivate(p);
		else
			lru_deactivate(p);
		page_unlock(p);
		page_put(p);
	}
}

/* MADV_PAGEOUT: write what only we have to swap, now; pages of files on a disk are left to reclaim.  cold: MADV_COLD.  mmap_lock is not held while that
 * is done. */
static int advise_go(struct mm *mm, vaddr_t start, vaddr_t end, bool cold)
{
	u32 kinds = (swap_can_help() ? PG_ANON | PG_SWAPBACKED : 0) | (cold ? PG_LRU : 0);
	struct page *pages[32];
	int err = 0;

	while (start < end && !signal_pending()) {
		struct vma *v;
		u32 n = 0;

		rwsem_read_lock(&mm->mmap_lock);
		v = next_part(mm, &start, end, &err);
		if (v && v->flags & (VM_LOCKED | VM_SPECIAL)) {
			v = NULL;
			err = -EINVAL;
		}
		if (!v) {
			rwsem_read_unlock(&mm->mmap_lock);
			return err;
		}
		if (kinds && (cold || pageout_allowed(v)))
			n = pages_to_go(mm, &start, min(end, v->end), kinds, pages, ARRAY_SIZE(pages));
		if (!n)
			start = v->end;
		rwsem_read_unlock(&mm->mmap_lock);
		if (cold)
			deactivate(pages, n);
		else
			swap_out_pages(pages, n);
	}
	return err;
}

static int advise_nothing(struct vma *vma, void *arg)
{
	(void)vma;
	(void)arg;
	return 0;
}

static long advise(struct mm *mm, u64 addr, size_t len, int advice)
{
	struct flag_change change = { 0, 0 };
	int (*fn)(struct vma *, void *) = advise_flags;
	size_t rounded;
	int err;

	switch (advice) {
	case MADV_NORMAL: change.clear = VM_RANDOM | VM_SEQUENTIAL; break;
	case MADV_RANDOM: change = (struct flag_change){ VM_RANDOM, VM_SEQUENTIAL }; break;
	case MADV_SEQUENTIAL: change = (struct flag_change){ VM_SEQUENTIAL, VM_RANDOM }; break;
	case MADV_WILLNEED: case MADV_PAGEOUT: case MADV_COLD:
		break;
	case MADV_MERGEABLE: case MADV_UNMERGEABLE:
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
	if (advice == MADV_PAGEOUT || advice == MADV_COLD)
		return advise_go(mm, addr, addr + len, advice == MADV_COLD);
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

long sys_madvise(unsigned long addr, size_t len, int advice)
{
	return advise(current->mm, addr, len, advice);
}

/* The first thread of the process that fd names, referenced: -EBADF, -ESRCH. */
static int advised_task(int fd, struct task **out)
{
	struct file *f = fd_get(fd);
	struct process *p = f ? pidfd_process(f) : NULL;
	struct task *t = p ? task_find_get(p->pid) : NULL;
	int err = !p ? -EBADF : 0;

	if (!err && (!t || t->proc != p)) {	/* reaped, and the number may be another's */
		if (t)
			task_put(t);
		err = -ESRCH;
	}
	if (f)
		file_put(f);
	*out = t;
	return err;
}

/* Its address space, referenced, if current may give it that advice. */
static int advised_mm(int fd, int advice, struct mm **out)
{
	struct task *t;
	struct mm *mm = NULL;
	int err = advised_task(fd, &t);

	if (err)
		return err;
	if (advice != MADV_COLD && advice != MADV_PAGEOUT && advice != MADV_WILLNEED)
		err = -EINVAL;
	else if (task_may_access(t, ACCESS_FS_IDS))
		err = -EACCES;
	else
		mm = task_mm_get(t);
	task_put(t);
	if (err)
		return err;
	if (!mm)
		return -ESRCH;
	if (!capable(CAP_SYS_NICE)) {		/* of one's own, too, as on Linux 6.1 */
		mm_put(mm);
		return -EPERM;
	}
	*out = mm;
	return 0;
}

/* Bytes of the segments that were gone through, or the error of the first. */
ssize_t sys_process_madvise(int pidfd, const struct iovec __user *vec, unsigned long vlen, int advice, u32 flags)
{
	struct iov_import im;
	struct mm *mm;
	ssize_t done = 0;
	long err;

	if (flags)
		return -EINVAL;
	err = iov_import(&im, vec, (u32)vlen);
	if (err)
		return err;
	err = advised_mm(pidfd, advice, &mm);
	if (!err) {
		for (u32 i = 0; i < im.it.nr && !err; i++) {
			err = advise(mm, (u64)im.it.segs[i].base, im.it.segs[i].len, advice);
			done += err ? 0 : (ssize_t)im.it.segs[i].len;
		}
		mm_put(mm);
	}
	kfree(im.alloc);
	return done ? done : err;
}

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
		} else if (info.swap) {
			in = swap_is_cached(info.swap);
		} else if (vma->file && vma->file->mapping) {
			struct address_space *as = vma->file->mapping;
			u64 index = vma->pgoff + ((va - vma->start) >> PAGE_SHIFT);
			struct page *p = filemap_lookup(as, index);

			in = (p && page_uptodate(p)) || (as->swapped && shmem_is_cached(as, index)) || !may_know(vma->file->inode);
			if (p)
				page_put(p);
		}
		rwsem_read_unlock(&mm->mmap_lock);
		if (!ret)
			ret = put_user(in, (u8 __user *)vec + i);
	}
	return ret;
}
