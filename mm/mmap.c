/* mmap and its kin: mapping, unmapping, changing protection, moving, advising.
 *
 * The mm_* functions want mmap_lock held for writing; the sys_* ones take it.  W^X: a mapping may not be writable and executable at
 * once (EACCES) unless mm->wx_allowed or the knob vm.wx says so; changing from one to the other is allowed. */
#include <linux/mman.h>
#include <asm/mman.h>
#include <asm/resource.h>
#include <linux/capability.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/sysctl.h>
#include <mm/filemap.h>
#include <mm/mm_internal.h>
#include <mm/shmem.h>
#include <mm/slab.h>
#include <syscall_protos.h>

static u64 mmap_min_addr = 65536, max_map_count = 65530;
SYSCTL(mmap_min_addr, "vm/mmap_min_addr", .value = &mmap_min_addr, .max = 1ul << 32);
SYSCTL(max_map_count, "vm/max_map_count", .value = &max_map_count, .max = 0x7fffffff);

/* Below it only CAP_SYS_RAWIO maps. */
static vaddr_t lowest(void) { return PAGE_ALIGN(READ_ONCE(mmap_min_addr)); }

u64 vm_wx;

static bool wx_refused(const struct mm *mm, u32 flags)
{
	return (flags & (VM_WRITE | VM_EXEC)) == (VM_WRITE | VM_EXEC) && !mm->wx_allowed && !vm_wx;
}

static u32 prot_to_vm(int prot)
{
	return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) | (prot & PROT_EXEC ? VM_EXEC : 0);
}

/* Cut VMAs so that none straddles start or end. */
static int cut(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *v = vma_find(mm, start);
	int err = 0;

	if (v && v->start < start)
		err = vma_split(mm, v, start, NULL);
	if (err)
		return err;
	v = vma_find(mm, end - 1);
	if (v && v->start < end && v->end > end)
		err = vma_split(mm, v, end, NULL);
	return err;
}

/* Nothing is mapped in [start, end) any more. */
static void free_tables(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *next = vma_find(mm, start), *prev = next ? vma_prev(next) : vma_last(mm);

	pt_free_tables(mm, start, end, prev ? prev->end : 0, next ? next->start : ALIGN_UP(USER_END, PMD_SIZE));
}

int mm_unmap(struct mm *mm, vaddr_t addr, size_t len)
{
	vaddr_t end = addr + len;
	struct vma *v;
	int err;

	if (!vma_find(mm, addr) || vma_find(mm, addr)->start >= end)
		return 0;
	mm_note_peak(mm);
	err = cut(mm, addr, end);
	if (err)
		return err;
	while ((v = vma_find(mm, addr)) != NULL && v->start < end) {
		pt_unmap_range(mm, v->start, v->end, mm_page_gone, v);
		mm_account(mm, v->flags, -(s64)((v->end - v->start) >> PAGE_SHIFT));
		vma_erase(mm, v);
		vma_free(v);
	}
	free_tables(mm, addr, end);
	return 0;
}

static vaddr_t choose(struct mm *mm, vaddr_t hint, size_t len)
{
	vaddr_t at;

	if (hint && hint >= lowest() && hint + len <= USER_END && vma_range_free(mm, hint, hint + len))
		return hint;
	at = vma_find_gap(mm, len, lowest(), mm->mmap_base);
	return at ? at : vma_find_gap(mm, len, lowest(), USER_END);
}

static int check_limits(struct mm *mm, size_t len, u32 flags)
{
	u64 pages = len >> PAGE_SHIFT;

	if (mm->nr_vmas >= READ_ONCE(max_map_count) || mm->total_vm + pages > rlimit(RLIMIT_AS) >> PAGE_SHIFT)
		return -ENOMEM;
	if ((flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE && mm->data_vm + pages > rlimit(RLIMIT_DATA) >> PAGE_SHIFT)
		return -ENOMEM;
	if ((flags & VM_LOCKED) && !capable(CAP_IPC_LOCK) && mm->locked_vm + pages > rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT)
		return -EAGAIN;
	/* what could never be backed is refused; a reservation without rights costs nothing */
	if ((flags & (VM_WRITE | VM_NORESERVE)) == VM_WRITE && !(flags & VM_SHARED) && pages > page_nr_total() * 4)
		return -ENOMEM;
	return 0;
}

/* What mremap brings: whose it is, and where it was first mapped, in pages, or NO_ORIGIN. */
#define NO_ORIGIN (~0ul)
struct moving { const struct vm_ops *ops; u64 origin; };

/* The file is not asked about what is mapped already: a seal that came since lets it be. */
static int attach(struct vma *vma, struct file *file, const struct moving *moving)
{
	if (!file)
		return 0;
	vma->file = file;
	file_get(file);
	if (!moving)
		return file->ops->mmap ? file->ops->mmap(file, vma) : -ENODEV;
	vma->ops = moving->ops;
	if (vma->ops && vma->ops->open)
		vma->ops->open(vma);
	return 0;
}

/* What mm_map does, and mremap. */
static s64 map_region(struct mm *mm, struct file *file, vaddr_t addr, size_t len, u32 vm_flags, u32 map_flags, u64 pgoff, const struct moving *moving)
{
	struct vma *vma;
	s64 err;

	if (wx_refused(mm, vm_flags))
		return -EACCES;
	if (map_flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (!IS_ALIGNED(addr, PAGE_SIZE))
			return -EINVAL;
		if (addr < lowest() && !capable(CAP_SYS_RAWIO))
			return -EPERM;
		if (len > USER_END || addr > USER_END - len)
			return -ENOMEM;
		if ((map_flags & MAP_FIXED_NOREPLACE) && !vma_range_free(mm, addr, addr + len))
			return -EEXIST;
	} else {
		addr = choose(mm, PAGE_ALIGN(addr), len);
		if (!addr)
			return -ENOMEM;
	}
	err = check_limits(mm, len, vm_flags);
	if (!err && (map_flags & MAP_FIXED))
		err = mm_unmap(mm, addr, len);
	if (err)
		return err;
	vma = vma_alloc(mm);
	if (!vma)
		return -ENOMEM;
	vma->start = addr;
	vma->end = addr + len;
	vma->flags = vm_flags;
	vma->prot = vma_prot(vm_flags);
	vma->pgoff = pgoff;
	err = attach(vma, file, moving);
	if (err) {
		vma_free(vma);
		return err;
	}
	vma_insert(mm, vma);
	if (unlikely(moving) && moving->origin != NO_ORIGIN)
		vma_set_moved(vma, (addr >> PAGE_SHIFT) - moving->origin);
	mm_account(mm, vm_flags, (s64)(len >> PAGE_SHIFT));
	vma_try_merge(mm, vma);
	return (s64)addr;
}

s64 mm_map(struct mm *mm, struct file *file, vaddr_t addr, size_t len, u32 vm_flags, u32 map_flags, u64 pgoff)
{
	return map_region(mm, file, addr, len, vm_flags, map_flags, pgoff, NULL);
}

int mm_map_stack(struct mm *mm, vaddr_t top, size_t size, bool executable)
{
	u32 flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_GROWSDOWN | VM_STACK | (executable ? VM_EXEC : 0);
	s64 at;

	if (executable)
		mm->wx_allowed = true;
	at = mm_map(mm, NULL, top - size, size, flags, MAP_FIXED, 0);
	return at < 0 ? (int)at : 0;
}

static const char *special_name(struct vma *vma)
{
	return vma->private;
}
static const struct vm_ops special_ops = { .name = special_name };

int mm_map_special(struct mm *mm, vaddr_t addr, size_t len, u32 vm_flags, struct page **pages, const char *name)
{
	s64 at = mm_map(mm, NULL, addr, len, vm_flags | VM_SPECIAL | VM_DONTEXPAND, MAP_FIXED, 0);
	struct vma *vma;

	if (at < 0)
		return (int)at;
	vma = vma_find(mm, addr);
	vma->ops = &special_ops;
	vma->private = (void *)name;
	for (size_t i = 0; i < len >> PAGE_SHIFT; i++) {
		int err = pt_map(mm, addr + i * PAGE_SIZE, page_to_pfn(pages[i]), vma->prot);

		if (err)
			return err;
	}
	return 0;
}

int mm_set_brk(struct mm *mm, vaddr_t start, vaddr_t end)
{
	mm->start_brk = start;
	mm->brk = end;
	return 0;
}

int mm_populate(struct mm *mm, vaddr_t start, size_t len)
{
	for (vaddr_t va = start; va < start + len; va += PAGE_SIZE) {
		struct vma *vma;
		struct page *p;
		bool write;

		rwsem_read_lock(&mm->mmap_lock);
		vma = vma_find(mm, va);
		write = vma && (vma->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
		rwsem_read_unlock(&mm->mmap_lock);
		if (!vma || mm_pin_page(mm, va, write, &p))
			return -ENOMEM;
		page_put(p);
		if (signal_pending() && fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

long sys_brk(unsigned long brk)
{
	struct mm *mm = current->mm;
	vaddr_t old, new;
	long ret;

	rwsem_write_lock(&mm->mmap_lock);
	ret = (long)mm->brk;
	if (brk < mm->start_brk || brk > USER_END || brk - mm->start_brk > rlimit(RLIMIT_DATA))
		goto out;
	old = PAGE_ALIGN(mm->brk);
	new = PAGE_ALIGN(brk);
	if (new < old) {
		if (mm_unmap(mm, new, old - new))
			goto out;
	} else if (new > old) {
		u32 flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | mm->def_flags;

		if (!vma_range_free(mm, old, new + PAGE_SIZE) || mm_map(mm, NULL, old, new - old, flags, MAP_FIXED, 0) < 0)
			goto out;
	}
	mm->brk = brk;
	ret = (long)brk;
out:
	rwsem_write_unlock(&mm->mmap_lock);
	return ret;
}

/* What the file's mode lets a mapping be. */
static int file_flags(struct file *file, int prot, u32 map_type, u32 *vm_flags)
{
	if (file->mode & FMODE_PATH)
		return -EBADF;
	if (!(file->mode & FMODE_READ))
		return -EACCES;
	if (map_type != MAP_PRIVATE) {
		if ((prot & PROT_WRITE) && (!(file->mode & FMODE_WRITE) || (READ_ONCE(file->inode->flags) & INODE_APPEND)))
			return -EACCES;
		if ((prot & PROT_WRITE) && (READ_ONCE(file->inode->flags) & INODE_SWAPFILE))
			return -ETXTBSY;
		if (!(file->mode & FMODE_WRITE))
			*vm_flags &= ~(u32)VM_MAYWRITE;
	}
	return 0;
}

static bool type_known(u32 type) { return type == MAP_SHARED || type == MAP_PRIVATE || type == MAP_SHARED_VALIDATE; }

long sys_mmap(unsigned long addr, size_t len, int prot, u32 flags, int fd, s64 offset)
{
	struct mm *mm = current->mm;
	u32 vm_flags = prot_to_vm(prot) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC, type = flags & MAP_TYPE;
	struct file *file = NULL;
	s64 ret;

	if (!len || (offset & (s64)(PAGE_SIZE - 1)) || (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)))
		return -EINVAL;
	if (len > USER_END || !(len = PAGE_ALIGN(len)))
		return -ENOMEM;
	if ((u64)offset + len < (u64)offset)
		return -EOVERFLOW;
	if (!(flags & MAP_ANONYMOUS)) {
		file = fd_get_any(fd);
		if (!file)
			return -EBADF;
		ret = -EOVERFLOW;
		if (inode_is_reg(file->inode) && ((u64)offset > file->inode->sb->max_bytes || len > file->inode->sb->max_bytes - (u64)offset))
			goto out;
		ret = type_known(type) ? file_flags(file, prot, type, &vm_flags) : -EINVAL;
		if (ret)
			goto out;
	} else if (!type_known(type)) {
		return -EINVAL;
	} else if (type != MAP_PRIVATE) {
		ret = shmem_file_create("dev/zero", len, &file);
		if (ret)
			return ret;
		offset = 0;
	}
	vm_flags |= (type != MAP_PRIVATE ? VM_SHARED : 0) | (flags & MAP_GROWSDOWN ? VM_GROWSDOWN : 0) |
		    (flags & MAP_NORESERVE ? VM_NORESERVE : 0) | (flags & MAP_LOCKED ? VM_LOCKED : 0) |
		    (flags & MAP_STACK ? VM_NOHUGE : 0) | mm->def_flags;
	rwsem_write_lock(&mm->mmap_lock);
	ret = mm_map(mm, file, addr, len, vm_flags, flags & (MAP_FIXED | MAP_FIXED_NOREPLACE), (u64)offset >> PAGE_SHIFT);
	rwsem_write_unlock(&mm->mmap_lock);
	if (ret > 0 && ((flags & MAP_POPULATE) || (vm_flags & VM_LOCKED)) && prot != PROT_NONE)
		mm_populate(mm, (vaddr_t)ret, len);
out:
	if (file)
		file_put(file);
	return ret;
}

/* range_check - round len up to pages.  -EINVAL: addr is not at a page; -ENOMEM: the range leaves what programs may have, or len
 * becomes zero by rounding. */
static int range_check(unsigned long addr, size_t *len)
{
	bool some = *len;

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	*len = PAGE_ALIGN(*len);
	return (some && !*len) || addr + *len < addr || addr + *len > USER_END + PAGE_SIZE ? -ENOMEM : 0;
}

long sys_munmap(unsigned long addr, size_t len)
{
	struct mm *mm = current->mm;
	int err;

	addr = untagged(addr);
	if (!len || range_check(addr, &len))
		return -EINVAL;
	rwsem_write_lock(&mm->mmap_lock);
	err = mm_unmap(mm, addr, len);
	rwsem_write_unlock(&mm->mmap_lock);
	return err;
}

/* Call fn for each VMA of [start, end), cut to it; a hole is -ENOMEM (after the part before it, as on Linux). */
int for_each_vma(struct mm *mm, vaddr_t start, vaddr_t end, int (*fn)(struct vma *vma, void *arg), void *arg)
{
	int err = cut(mm, start, end);

	while (!err && start < end) {
		struct vma *v = vma_find(mm, start);

		if (!v || v->start > start)
			return -ENOMEM;
		start = v->end;
		err = fn(v, arg);
	}
	return err;
}

/* What was cut in [start, end) and changed alike grows together again, also with what stands beside it. */
void merge_range(struct mm *mm, vaddr_t start, vaddr_t end)
{
	for (struct vma *v = vma_find(mm, start); v && v->start <= end; v = vma_next(v))
		v = vma_try_merge(mm, v);
}

/* What the kernel wrote there, by read() say, is to be executed now. */
static int sync_code(void *arg, vaddr_t addr, const struct pte_info *info, u32 nr)
{
	(void)arg;
	(void)addr;
	cache_sync_code(phys_to_virt(info->pfn << PAGE_SHIFT), nr * PAGE_SIZE);
	return 0;
}

static int protect_one(struct vma *vma, void *arg)
{
	struct mm *mm = vma->mm;
	u32 want = *(u32 *)arg, may = vma->flags >> 4 & 7, flags = (vma->flags & ~7u) | want;
	s64 pages = (s64)((vma->end - vma->start) >> PAGE_SHIFT);

	_Static_assert(VM_MAYREAD == VM_READ << 4 && VM_MAYEXEC == VM_EXEC << 4, "VM_MAY* are VM_* shifted");
	if ((want & ~may) || wx_refused(mm, flags))
		return -EACCES;
	if (flags == vma->flags)
		return 0;
	mm_account(mm, vma->flags, -pages);
	mm_account(mm, flags, pages);
	if (!vma->private && vma->file && (vma->flags & VM_WRITE) && !(vma->flags & VM_SHARED))
		vma->private = vma;		/* may hold copies, though no longer writable: fork must copy them */
	if ((flags & ~vma->flags & VM_EXEC) && !(flags & VM_SPECIAL))
		pt_walk(mm, vma->start, vma->end, sync_code, NULL);
	vma->flags = flags;
	vma->prot = vma_prot(flags);
	pt_protect_range(mm, vma->start, vma->end, vma->prot);
	return 0;
}

long sys_mprotect(unsigned long addr, size_t len, unsigned long prot)
{
	struct mm *mm = current->mm;
	u32 want = prot_to_vm((int)prot);
	int err;

	if (prot & ~(unsigned long)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	addr = untagged(addr);
	err = range_check(addr, &len);
	if (err || !len)
		return err;
	rwsem_write_lock(&mm->mmap_lock);
	err = for_each_vma(mm, addr, addr + len, protect_one, &want);
	merge_range(mm, addr, addr + len);
	rwsem_write_unlock(&mm->mmap_lock);
	return err;
}

/* Truncation sees a page in the old VMA or in the new one, never in neither. */
static int move_entries(struct mm *mm, vaddr_t old, vaddr_t new, size_t len)
{
	struct vma *vma = vma_find(mm, new);		/* may have merged with the old one */
	struct address_space *as = vma->file ? vma->file->mapping : NULL;
	int err;

	if (as)
		rwsem_write_lock(&as->i_mmap_lock);
	err = pt_move_range(mm, old, new, len);
	if (err)
		pt_move_range(mm, new, old, len);
	if (as)
		rwsem_write_unlock(&as->i_mmap_lock);
	return err;
}

static s64 move_vma(struct mm *mm, struct vma *vma, vaddr_t old, size_t old_len, vaddr_t new, size_t new_len, u32 flags)
{
	u64 pgoff = vma->pgoff + ((old - vma->start) >> PAGE_SHIFT);
	bool copies = vma->private && vma->file;
	const struct moving moving = { vma->ops, vma->flags & VM_SHARED ? NO_ORIGIN : vma_index(vma, old) };
	s64 at, going = flags & MREMAP_DONTUNMAP ? 0 : (s64)(old_len >> PAGE_SHIFT);
	u32 kind = vma->flags;
	int err;

	mm_account(mm, kind, -going);		/* the limits are for what there will be */
	at = map_region(mm, vma->file, new, new_len, kind, flags & MREMAP_FIXED ? MAP_FIXED : 0, pgoff, &moving);
	mm_account(mm, kind, going);
	if (at < 0)
		return at;
	if (copies) {		/* see protect_one: fork must still copy them */
		vma = vma_find(mm, (vaddr_t)at);
		if (!vma->private)
			vma->private = vma;
	}
	err = move_entries(mm, old, (vaddr_t)at, min(old_len, new_len));
	if (err) {
		mm_unmap(mm, (vaddr_t)at, new_len);
		return err;
	}
	if (!(flags & MREMAP_DONTUNMAP))
		mm_unmap(mm, old, old_len);
	return at;
}

static s64 remap(struct mm *mm, vaddr_t old, size_t old_len, size_t new_len, u32 flags, vaddr_t new)
{
	struct vma *vma = vma_find(mm, old);

	if (!vma || vma->start > old)
		return -EFAULT;
	if (flags & MREMAP_FIXED) {
		if (!IS_ALIGNED(new, PAGE_SIZE) || new_len > USER_END || new > USER_END - new_len || (new < old + old_len && old < new + new_len))
			return -EINVAL;
	} else if (old_len && new_len <= old_len) {
		if (old_len > USER_END || old > USER_END - old_len)
			return -EINVAL;
		int err = new_len < old_len ? mm_unmap(mm, old + new_len, old_len - new_len) : 0;

		return err ? err : (s64)old;
	}
	if (old_len > vma->end - old || (vma->flags & VM_DONTEXPAND))
		return -EFAULT;
	if (!old_len && !(vma->flags & VM_SHARED))
		return -EINVAL;
	if (new_len > USER_END)
		return -ENOMEM;
	if (!(flags & MREMAP_FIXED) && old + old_len == vma->end && old_len && vma_range_free(mm, vma->end, old + new_len) &&
	    old + new_len <= USER_END) {
		int err = check_limits(mm, new_len - old_len, vma->flags);

		if (err)
			return err;
		mm_account(mm, vma->flags, (s64)((new_len - old_len) >> PAGE_SHIFT));
		vma_resize(vma, vma->start, old + new_len);
		return (s64)old;
	}
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	return move_vma(mm, vma, old, old_len, new, new_len, flags);
}

long sys_mremap(unsigned long addr, size_t old_len, size_t new_len, unsigned long flags, unsigned long new_addr)
{
	struct mm *mm = current->mm;
	bool locked;
	s64 ret;

	addr = untagged(addr);
	if ((flags & ~(unsigned long)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) || !IS_ALIGNED(addr, PAGE_SIZE) ||
	    ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE)))
		return -EINVAL;
	old_len = PAGE_ALIGN(old_len);
	new_len = PAGE_ALIGN(new_len);
	if (!new_len)
		return -EINVAL;
	rwsem_write_lock(&mm->mmap_lock);
	ret = remap(mm, addr, old_len, new_len, (u32)flags, flags & MREMAP_FIXED ? new_addr : 0);
	locked = ret >= 0 && new_len > old_len && vma_find(mm, (vaddr_t)ret)->flags & VM_LOCKED;
	rwsem_write_unlock(&mm->mmap_lock);
	if (unlikely(locked))
		mm_populate(mm, (vaddr_t)ret + old_len, new_len - old_len);
	return ret;
}

/* The first VMA at or above *va, which goes behind it.  -ENOMEM: there is a gap before it. */
static int msync_one(struct mm *mm, vaddr_t *va, vaddr_t end, u32 flags)
{
	struct file *file = NULL;
	u64 first = 0, last = 0;
	struct vma *v;
	int err = 0;

	rwsem_read_lock(&mm->mmap_lock);
	v = vma_find(mm, *va);
	if (!v || v->start >= end) {
		*va = end;
		err = -ENOMEM;
	} else {
		if (v->start > *va) {
			err = -ENOMEM;
			*va = v->start;
		}
		if ((flags & MS_INVALIDATE) && (v->flags & VM_LOCKED)) {
			err = -EBUSY;
		} else if ((flags & MS_SYNC) && (v->flags & VM_SHARED) && v->file) {
			file = v->file;
			file_get(file);
			first = (v->pgoff << PAGE_SHIFT) + (*va - v->start);
			last = first + min(v->end, end) - *va - 1;
		}
		*va = v->end;
	}
	rwsem_read_unlock(&mm->mmap_lock);
	if (file) {
		int e = vfs_fsync_range(file, first, last, true);

		file_put(file);
		if (e)
			err = e;
	}
	return err;
}

long sys_msync(unsigned long addr, size_t len, int flags)
{
	struct mm *mm = current->mm;
	int err = 0;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC) ||
	    !IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	addr = untagged(addr);
	if (!PAGE_ALIGN(len))		/* as on Linux, even if it wraps */
		return 0;
	if (range_check(addr, &len))
		return -ENOMEM;
	for (vaddr_t va = addr; va < addr + len;) {
		int e = msync_one(mm, &va, addr + len, (u32)flags);

		if (e && e != -ENOMEM)
			return e;
		if (e)
			err = e;		/* what lies behind the gap is written all the same */
	}
	return err;
}

static int lock_one(struct vma *vma, void *arg)
{
	bool on = *(bool *)arg;
	s64 pages = (s64)((vma->end - vma->start) >> PAGE_SHIFT);

	if (!!(vma->flags & VM_LOCKED) == on)
		return 0;
	vma->mm->locked_vm += on ? pages : -pages;
	vma->flags ^= VM_LOCKED;
	return 0;
}

/* Pages of [start, end) that are locked already, and need not be counted again.  mmap_lock held. */
static u64 locked_pages(struct mm *mm, vaddr_t start, vaddr_t end)
{
	u64 n = 0;

	for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v))
		if (v->flags & VM_LOCKED)
			n += (min(v->end, end) - max(v->start, start)) >> PAGE_SHIFT;
	return n;
}

static long do_mlock(unsigned long addr, size_t len, bool on, bool touch)
{
	struct mm *mm = current->mm;
	u64 limit = rlimit(RLIMIT_MEMLOCK);
	int err;

	addr = untagged(addr);
	len = PAGE_ALIGN(len + (addr & (PAGE_SIZE - 1)));
	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	if (addr + len < addr)
		return -EINVAL;
	if (!len)
		return 0;
	if (on && !limit && !capable(CAP_IPC_LOCK))
		return -EPERM;
	rwsem_write_lock(&mm->mmap_lock);
	if (on && !capable(CAP_IPC_LOCK) && mm->locked_vm + (len >> PAGE_SHIFT) - locked_pages(mm, addr, addr + len) > limit >> PAGE_SHIFT) {
		rwsem_write_unlock(&mm->mmap_lock);
		return -ENOMEM;
	}
	err = for_each_vma(mm, addr, addr + len, lock_one, &on);
	rwsem_write_unlock(&mm->mmap_lock);
	if (!err && on && touch)
		mm_populate(mm, addr, len);
	return err;
}

long sys_mlock(unsigned long addr, size_t len) { return do_mlock(addr, len, true, true); }
long sys_munlock(unsigned long addr, size_t len) { return do_mlock(addr, len, false, false); }

long sys_mlock2(unsigned long addr, size_t len, int flags)
{
	return flags & ~MLOCK_ONFAULT ? -EINVAL : do_mlock(addr, len, true, !(flags & MLOCK_ONFAULT));
}

static void lock_all(struct mm *mm, bool on)
{
	for (struct rb_node *n = rb_first(&mm->vmas); n; n = rb_next(n))
		lock_one(rb_entry(n, struct vma, node), &on);
}

/* Touch all there is; what cannot be had - no rights, beyond the end of a file - is let be, as on Linux. */
static void populate_all(struct mm *mm)
{
	vaddr_t at = 0, start, end;
	struct vma *vma;

	do {
		rwsem_read_lock(&mm->mmap_lock);
		vma = vma_find(mm, at);
		start = vma ? vma->start : 0;
		end = vma ? vma->end : 0;
		rwsem_read_unlock(&mm->mmap_lock);
		at = end;
	} while (vma && mm_populate(mm, start, end - start) != -EINTR);
}

long sys_mlockall(int flags)
{
	struct mm *mm = current->mm;

	if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!capable(CAP_IPC_LOCK) && !rlimit(RLIMIT_MEMLOCK))
		return -EPERM;
	rwsem_write_lock(&mm->mmap_lock);
	if ((flags & MCL_CURRENT) && !capable(CAP_IPC_LOCK) && mm->total_vm > rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT) {
		rwsem_write_unlock(&mm->mmap_lock);
		return -ENOMEM;
	}
	mm->def_flags = flags & MCL_FUTURE ? VM_LOCKED : 0;
	if (flags & MCL_CURRENT)
		lock_all(mm, true);
	rwsem_write_unlock(&mm->mmap_lock);
	if ((flags & (MCL_CURRENT | MCL_ONFAULT)) == MCL_CURRENT)
		populate_all(mm);
	return 0;
}

long sys_munlockall(void)
{
	struct mm *mm = current->mm;

	rwsem_write_lock(&mm->mmap_lock);
	mm->def_flags = 0;
	lock_all(mm, false);
	rwsem_write_unlock(&mm->mmap_lock);
	return 0;
}

SYSCTL(vm_wx, "vm/wx", .value = &vm_wx, .max = 1);
