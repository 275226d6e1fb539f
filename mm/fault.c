/* Page faults.
 *
 * mm_fault runs with mmap_lock held for reading; faults of different pages, and of the same page on two CPUs, go in parallel: the
 * page-table lock decides who installs first, the other drops his page and retries the access.
 *
 *   nothing there, anonymous    a zeroed page, writable at once if the VMA is
 *   nothing there, file         the page from the cache: read-only for private mappings; a private write copies it at once
 *   there, read-only, a write   anonymous and ours alone: made writable.  Otherwise copied (COW); shared file pages are marked dirty
 *   there, and allowed          another thread was first, or this CPU's TLB knows fewer rights: it forgets them, and the access goes on
 *
 * mmap_lock keeps VMAs and tables, not pages: truncation comes without it, MADV_DONTNEED holds it for reading as well.  So a page seen in
 * an entry may be gone, and its frame another's, at once.  What is done to it is done under the table's lock with the entry looked at
 * again, or with a reference taken first and the entry (or page->mapping, under the page lock) looked at again after that.
 *
 * Blocks: a fault in a 2 MiB part that the VMA covers wholly, and where nothing was mapped yet, takes the part at once if an order-9
 * block lies free and much memory with it.  Zeroing 2 MiB for one touch is a waste, so without MADV_HUGEPAGE only the part's first
 * page asks for that, in a VMA of 4 MiB and more: who fills memory upwards gets blocks, who touches here and there hardly ever, and
 * stacks and small heaps never.  A block is 512 single pages from birth: sharing, copying, freeing treat each alone, and to split a
 * block means to write another kind of entry.  (Compound pages with one count were rejected: every path would have to know them.)
 *
 * References: a mapped page holds one reference and one mapcount per mapping.  An anonymous page whose only reference is its one
 * mapping may be reused in place.  The zero page is not used: a read of fresh memory is almost always followed by a write. */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/resource.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/debug/race.h>
#include <kernel/debug/trace_point.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <mm/filemap.h>
#include <mm/mm_internal.h>
#include <mm/oom.h>
#include <mm/reclaim.h>
#include <mm/slab.h>
#include <mm/swap.h>
#include <mm/writeback.h>

#define FAULT_SIGBUS	(-EFAULT)
#define BLOCK_ORDER	(PMD_SHIFT - PAGE_SHIFT)
#define BLOCK_MIN_VMA	(2 * PMD_SIZE)		/* smaller ones get blocks only if they ask */
#define RECLAIM_WORTH	32			/* pages; less would only put off the end */
#define BLOCK_MIN_MEMORY (64ul << 20)		/* on smaller machines nobody does */

void mm_page_gone(void *arg, vaddr_t addr, const struct pte_info *info, u32 nr)
{
	struct vma *vma = arg;
	struct page *p;

	(void)addr;
	if (!info->present || info->special || (vma->flags & VM_SPECIAL)) {
		if (info->swap)
			swap_gone(vma->mm, info->swap);
		return;
	}
	p = pfn_to_page(info->pfn);
	rss_add(vma->mm, p, -(s64)nr);
	if (nr == 1) {
		page_unmapped(p);
		page_put(p);
		return;
	}
	for (u32 i = 0; i < nr; i++)
		page_unmapped(&p[i]);
	pages_put(p, BLOCK_ORDER);
}

/* Install p (whose reference we own) and count it. -EEXIST: somebody was first; p is dropped, which is success. */
static int install(struct vma *vma, vaddr_t addr, struct page *p, u32 prot)
{
	int err;

	page_mapped(p);
	err = pt_map(vma->mm, addr, page_to_pfn(p), prot);
	if (likely(!err)) {
		rss_add(vma->mm, p, 1);
		return 0;
	}
	page_unmapped(p);
	page_put(p);
	return err == -EEXIST ? 0 : err;
}

struct page *anon_page_new(const struct vma *vma, vaddr_t addr, gfp_t gfp)
{
	struct page *p = page_alloc(0, GFP_USER | gfp);

	if (likely(p))
		anon_page_init(p, vma, addr);
	return p;
}

bool vma_may_have_blocks(const struct vma *vma)
{
	return !vma->ops && !vma->mm->thp_disabled && !(vma->flags & (VM_NOHUGE | VM_GROWSDOWN | VM_SPECIAL)) &&
	       ALIGN_UP(vma->start, PMD_SIZE) + PMD_SIZE <= vma->end && (vma->flags & VM_HUGE || vma->end - vma->start >= BLOCK_MIN_VMA) &&
	       page_nr_total() >= BLOCK_MIN_MEMORY >> PAGE_SHIFT;
}

static bool block_wanted(const struct vma *vma, vaddr_t addr)
{
	vaddr_t base = ALIGN_DOWN(addr, PMD_SIZE);

	return (addr == base || vma->flags & VM_HUGE) && base >= vma->start && base + PMD_SIZE <= vma->end && vma_may_have_blocks(vma);
}

/* The 2 MiB around addr, where no table stands, as one block.  false: not wanted, or not to be had; single pages will do. */
static bool fault_block(struct vma *vma, vaddr_t addr)
{
	struct page *p = block_wanted(vma, addr) ? page_alloc(BLOCK_ORDER, GFP_USER | GFP_SPARE | GFP_ZERO) : NULL;

	if (!p)
		return false;
	anon_page_init(p, vma, ALIGN_DOWN(addr, PMD_SIZE));	/* private: mmu.c's count */
	page_split(p, BLOCK_ORDER);
	for (u32 i = 0; i < 1u << BLOCK_ORDER; i++) {
		p[i].anon = p->anon;
		p[i].index = p->index + i;
		p[i].private = 0;
		atomic_store_release(&p[i].mapcount, 1);
	}
	if (pt_map_block(vma->mm, ALIGN_DOWN(addr, PMD_SIZE), page_to_pfn(p), vma->prot)) {
		for (u32 i = 0; i < 1u << BLOCK_ORDER; i++)
			p[i].mapcount = 0;
		pages_put(p, BLOCK_ORDER);
		return false;
	}
	vmstat_add(VM_ANON_PAGES, 1l << BLOCK_ORDER);
	rss_add(vma->mm, p, 1l << BLOCK_ORDER);
	return true;
}

static int fault_anon(struct vma *vma, vaddr_t addr, bool table_there)
{
	struct page *p;

	if (!table_there && fault_block(vma, addr))
		return 0;
	p = anon_page_new(vma, addr, GFP_ZERO);
	if (p && (vma->flags & VM_EXEC))
		cache_sync_code(page_address(p), PAGE_SIZE);
	return p ? install(vma, addr, p, vma->prot) : -ENOMEM;
}

static struct page *copy_of(const struct vma *vma, vaddr_t addr, const struct page *from)
{
	struct page *p = anon_page_new(vma, addr, 0);

	if (unlikely(!p))
		return NULL;
	copy_page(page_address(p), page_address(from));
	if (vma->flags & VM_EXEC)
		cache_sync_code(page_address(p), PAGE_SIZE);
	return p;
}

/* Give the program its own copy of from, which is mapped at addr.  Truncation may unmap it meanwhile: then nothing is put there.  Nor if
 * another thread's fault has made it writable, since the others that had it are gone: what is written to it by now is not in the copy. */
static int copy_mapped(struct vma *vma, vaddr_t addr, struct page *from)
{
	struct page *p = copy_of(vma, addr, from);

	if (!p)
		return -ENOMEM;
	page_mapped(p);
	if (pt_replace(vma->mm, addr, page_to_pfn(from), page_to_pfn(p), vma->prot)) {
		page_unmapped(p);
		page_put(p);
		return 0;		/* it changed: the access will tell */
	}
	rss_add(vma->mm, p, 1);
	rss_add(vma->mm, from, -1);
	page_unmapped(from);
	page_put(from);
	return 0;
}

static bool truncated(const struct vma *vma, const struct page *p)
{
	return vma->file->mapping && READ_ONCE(p->mapping) != vma->file->mapping;
}

/* A private mapping's first access is a write.  The page lock keeps truncation from dropping the page until the copy is mapped; what is
 * mapped then it takes away, for it unmaps once more after it has dropped all pages. */
static int copy_unmapped(struct vma *vma, vaddr_t addr, struct page *from)
{
	struct page *p;
	int err = 0;

	page_lock(from);
	if (!truncated(vma, from)) {	/* else the access is tried again, and finds SIGBUS */
		p = copy_of(vma, addr, from);
		err = p ? install(vma, addr, p, vma->prot) : -ENOMEM;
	}
	page_unlock(from);
	return err;
}

/* 0; -EAGAIN: the page was unlocked meanwhile, and the access is to be tried again. */
static int mkwrite(struct vma *vma, struct fault *f)
{
	if (vma->ops->page_mkwrite)
		return vma->ops->page_mkwrite(f);
	page_set_dirty(f->page);
	return 0;
}

static void sync_code_once(struct page *p)
{
	if (page_flags(p) & PG_CODE_SYNCED)
		return;
	cache_sync_code(page_address(p), PAGE_SIZE);
	atomic_fetch_or(&p->flags, PG_CODE_SYNCED);
}

/* The page lock keeps truncation out from the look at page->mapping until the page is mapped and counted, so that no page stays
 * mapped which has left the cache. */
static int install_file(struct vma *vma, struct fault *f)
{
	struct page *p = f->page;
	u32 prot = vma->prot;
	int err = 0;

	page_get(p);			/* install may drop the last other one */
	page_lock(p);
	if (truncated(vma, p)) {
		page_put(p);		/* the access is tried again, and finds SIGBUS */
		goto out;
	}
	if (f->write)
		err = mkwrite(vma, f);
	else
		prot &= ~(u32)PROT_K_W;
	if (err) {
		page_put(p);
		err = err == -EAGAIN ? 0 : err;
		goto out;
	}
	if (vma->flags & VM_EXEC)
		sync_code_once(p);
	err = install(vma, f->addr, p, prot);
out:
	page_unlock(p);
	page_put(p);
	return err;
}

static int fault_file(struct vma *vma, vaddr_t addr, bool write)
{
	struct fault f = { .vma = vma, .addr = addr, .write = write, .index = vma->pgoff + ((addr - vma->start) >> PAGE_SHIFT) };
	int err;

	/* what a program reads in its own writable data it will write soon: a copy at once is cheaper than one mapped before */
	if (!write && vma->ops->map_around && (vma->flags & (VM_WRITE | VM_SHARED)) != VM_WRITE && vma->ops->map_around(vma, addr))
		return 0;
	err = vma->ops->fault(&f);
	if (err || !f.page)
		return err;
	if (write && !(vma->flags & VM_SHARED)) {
		err = copy_unmapped(vma, addr, f.page);
		page_put(f.page);
		return err;
	}
	return install_file(vma, &f);
}

/* A write to a block that is read-only: ours alone, it becomes writable; else it is split, and the fault goes on with its page. */
static void wp_block(struct vma *vma, vaddr_t addr, const struct pte_info *info)
{
	u64 first = info->pfn - ((addr & (PMD_SIZE - 1)) >> PAGE_SHIFT);
	bool ours = true;

	for (u32 i = 0; ours && i < 1u << BLOCK_ORDER; i++)
		ours = atomic_load_acquire(&pfn_to_page(first + i)->refs) == 1;
	if (!ours || pt_set_prot_block(vma->mm, addr, first, vma->prot))
		pt_split_block(vma->mm, addr);
}

/* A write to a shared file page that is read-only.  p is referenced, but may have left the file before: only the mapping's own pages are
 * locked. */
static int make_shared_writable(struct vma *vma, vaddr_t addr, struct page *p)
{
	struct fault f = { .vma = vma, .addr = addr, .write = true, .page = p, .index = vma->pgoff + ((addr - vma->start) >> PAGE_SHIFT) };
	int err = 0;

	if (truncated(vma, p))
		return 0;
	page_lock(p);
	if (!truncated(vma, p)) {
		err = mkwrite(vma, &f);
		if (!err)
			pt_set_prot_one(vma->mm, addr, page_to_pfn(p), vma->prot);
	}
	page_unlock(p);
	return err == -EAGAIN ? 0 : err;
}

/* A write to a page that is there but read-only.  Where truncation comes without mmap_lock the page may go at any time, and its frame may
 * be another's: so whether it is ours alone is asked under the table's lock, and otherwise nothing is done without a reference. */
static int fault_wp(struct vma *vma, vaddr_t addr, const struct pte_info *info)
{
	struct page *p = pfn_to_page(info->pfn);
	int err;

	if (!(vma->flags & VM_SHARED) && pt_reuse_one(vma->mm, addr, info->pfn, vma->prot) != -EBUSY)
		return 0;
	if (unlikely(!page_get_unless_zero(p)))
		return 0;
	err = vma->flags & VM_SHARED ? make_shared_writable(vma, addr, p) : copy_mapped(vma, addr, p);
	page_put(p);
	return err;
}

static int handle(struct vma *vma, vaddr_t addr, bool write)
{
	struct pte_info info;
	bool table_there;

	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	table_there = pt_lookup(vma->mm, addr, &info);
	if (table_there && info.present && info.block && write && !info.writable) {
		wp_block(vma, addr, &info);
		table_there = pt_lookup(vma->mm, addr, &info);
	}
	if (table_there && info.present) {
		if (write && !info.writable)
			return fault_wp(vma, addr, &info);
		if (vma->mm == current->mm)
			tlb_fix_spurious(vma->mm, addr);	/* another thread was first, or this CPU remembers fewer rights */
		return 0;
	}
	if (table_there && unlikely(info.swap))
		return swap_fault(vma, addr, info.swap);
	if (vma->ops)
		return vma->ops->fault ? fault_file(vma, addr, write) : FAULT_SIGBUS;
	return fault_anon(vma, addr, table_there);
}

static bool may_grow(struct mm *mm, struct vma *vma, vaddr_t addr)
{
	struct vma *prev = vma_prev(vma);
	vaddr_t start = ALIGN_DOWN(addr, PAGE_SIZE);

	if (!(vma->flags & VM_GROWSDOWN) || vma->end - start > rlimit(RLIMIT_STACK))
		return false;
	if (prev && !(prev->flags & VM_GROWSDOWN) && start < prev->end + (STACK_GUARD_PAGES << PAGE_SHIFT))
		return false;
	if (prev && start < prev->end)
		return false;
	return mm->total_vm + ((vma->start - start) >> PAGE_SHIFT) <= rlimit(RLIMIT_AS) >> PAGE_SHIFT && start >= 65536;
}

/* Growing changes the tree, so it takes the lock for writing; the caller retries. */
static bool grow_stack(struct mm *mm, vaddr_t addr)
{
	struct vma *vma;
	bool ok = false;

	rwsem_write_lock(&mm->mmap_lock);
	vma = vma_find(mm, addr);
	if (vma && vma->start <= addr) {
		ok = true;
	} else if (vma && may_grow(mm, vma, addr)) {
		vaddr_t start = ALIGN_DOWN(addr, PAGE_SIZE);

		mm_account(mm, vma->flags, (s64)((vma->start - start) >> PAGE_SHIFT));
		vma_resize(vma, start, vma->end);
		ok = true;
	}
	rwsem_write_unlock(&mm->mmap_lock);
	return ok;
}

static int access_ok(const struct vma *vma, u32 flags)
{
	if (flags & FAULT_EXEC)
		return vma->flags & VM_EXEC;
	if (flags & FAULT_WRITE)
		return vma->flags & VM_WRITE;
	return vma->flags & (VM_READ | VM_WRITE | VM_EXEC);
}

static inline int fault(struct mm *mm, vaddr_t addr, u32 flags, int *code)
{
	struct vma *vma;
	int err;

	*code = SEGV_MAPERR;
	if (!mm)
		return SIGSEGV;
	current->min_flt++;
	for (;;) {
		rwsem_read_lock(&mm->mmap_lock);
		vma = vma_find(mm, addr);
		if (likely(vma && vma->start <= addr))
			break;
		rwsem_read_unlock(&mm->mmap_lock);
		if (!vma || !grow_stack(mm, addr))
			return SIGSEGV;
	}
	if (!access_ok(vma, flags)) {
		*code = SEGV_ACCERR;
		rwsem_read_unlock(&mm->mmap_lock);
		return SIGSEGV;
	}
	err = handle(vma, addr, flags & FAULT_WRITE);
	rwsem_read_unlock(&mm->mmap_lock);
	if (likely(!err))
		return 0;
	if (err == -ENOMEM) {
		if (!alloc_failed_by_wish() && reclaim() < RECLAIM_WORTH)
			oom_kill();
		return fatal_signal_pending(current) ? -EINTR : 0;	/* else try again: memory was freed */
	}
	*code = BUS_ADRERR;
	return SIGBUS;
}

int mm_fault(struct mm *mm, vaddr_t addr, u32 flags, int *code)
{
	int sig = fault(mm, addr, flags, code);

	TRACE(fault_page, addr, flags, (u64)sig);
	return sig;
}

/* mmap_lock held for reading.  The page at addr, faulted in as an access would; referenced, or (peek) only named. */
int pin_locked(struct mm *mm, vaddr_t addr, bool write, bool force, bool peek, struct page **out)
{
	struct vma *vma = vma_find(mm, addr);
	struct pte_info info;
	int err;

	if (!vma || vma->start > addr)
		return -EFAULT;
	if (!access_ok(vma, write ? FAULT_WRITE : 0) &&
	    !(force && (write ? (vma->flags & VM_MAYWRITE) && !(vma->flags & VM_SHARED) : vma->flags & VM_MAYREAD)))
		return -EFAULT;
	for (int tries = 0; tries < 8; tries++) {
		if (pt_lookup(mm, addr, &info) && info.present &&
		    (!write || info.writable || (force && atomic_load_acquire(&pfn_to_page(info.pfn)->refs) == 1))) {
			struct page *p = pfn_to_page(info.pfn);

			*out = p;
			if (peek)
				return 0;
			/* it may have gone, and the frame be another's, before we had the reference */
			if (page_get_unless_zero(p)) {
				u64 pfn = info.pfn;

				if (pt_lookup(mm, addr, &info) && info.present && info.pfn == pfn)
					return 0;
				page_put(p);
			}
		}
		err = handle(vma, addr, write);
		if (err)
			return err == -ENOMEM ? err : -EFAULT;
	}
	return -EFAULT;
}

static int pin(struct mm *mm, vaddr_t addr, bool write, bool peek, struct page **out)
{
	int err;

	rwsem_read_lock(&mm->mmap_lock);
	err = pin_locked(mm, addr, write, false, peek, out);
	rwsem_read_unlock(&mm->mmap_lock);
	return err;
}

int mm_pin_page(struct mm *mm, vaddr_t addr, bool write, struct page **out) { return pin(mm, addr, write, false, out); }
int mm_peek_page(struct mm *mm, vaddr_t addr, bool write, struct page **out) { return pin(mm, addr, write, true, out); }

/* The programs' bytes are theirs to race for (kernel/debug/race.c); ours in buf are not. */
static void copy_pinned(char *theirs, char *buf, size_t n, bool write)
{
	if (buf)
		race_check(buf, n, !write);
	race_off();
	if (!buf)
		memset(theirs, 0, n);
	else if (write)
		memcpy(theirs, buf, n);
	else
		memcpy(buf, theirs, n);
	race_back();
}

ssize_t mm_access(struct mm *mm, vaddr_t addr, void *buf, size_t len, bool write, bool force)
{
	size_t done = 0;
	int err = -EFAULT;

	rwsem_read_lock(&mm->mmap_lock);
	while (done < len) {
		size_t off = (addr + done) & (PAGE_SIZE - 1), n = min(len - done, PAGE_SIZE - off);
		struct page *p;

		if (addr + done >= 0x0001000000000000ul || (err = pin_locked(mm, addr + done, write, force, false, &p)))
			break;
		copy_pinned((char *)page_address(p) + off, buf ? (char *)buf + done : NULL, n, write);
		if (write && (vma_find(mm, addr + done)->flags & VM_EXEC))
			cache_sync_code((char *)page_address(p) + off, n);
		page_put(p);
		done += n;
	}
	rwsem_read_unlock(&mm->mmap_lock);
	return done || !len ? (ssize_t)done : err;
}
