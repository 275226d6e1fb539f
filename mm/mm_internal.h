/* Between the files of mm/ only: VMAs and address spaces. */
#pragma once
#include <mm/page.h>
#include <mm/vma.h>
#include <mm/vmstat.h>

struct vma *vma_alloc(struct mm *mm);		/* zeroed; NULL */
void vma_free(struct vma *vma);			/* drops its file, unlinks it from the file's list */
void vma_insert(struct mm *mm, struct vma *vma);	/* tree and file list; mmap_lock for writing */
void vma_erase(struct mm *mm, struct vma *vma);	/* out of the tree */
void vma_resize(struct vma *vma, vaddr_t start, vaddr_t end);
struct vma *vma_next(const struct vma *vma);
struct vma *vma_prev(const struct vma *vma);
struct vma *vma_last(const struct mm *mm);	/* the highest, or NULL */
/* vma_split - cut at addr; the new upper half is returned in *upper.  0 or -ENOMEM */
int vma_split(struct mm *mm, struct vma *vma, vaddr_t addr, struct vma **upper);
/* vma_try_merge - with its neighbours where all attributes agree; returns the survivor */
struct vma *vma_try_merge(struct mm *mm, struct vma *vma);
/* vma_find_gap - highest free range of len below limit, not below low.  0: none */
vaddr_t vma_find_gap(struct mm *mm, size_t len, vaddr_t low, vaddr_t limit);
bool vma_range_free(struct mm *mm, vaddr_t start, vaddr_t end);
static inline u32 vma_prot(u32 flags)
{
	return (flags & VM_READ ? PROT_K_R : 0) | (flags & VM_WRITE ? PROT_K_R | PROT_K_W : 0) | (flags & VM_EXEC ? PROT_K_R | PROT_K_X : 0);
}
/* vma_set_moved - it has been moved by that many pages in all.  mmap_lock for writing; before anything of it is merged. */
void vma_set_moved(struct vma *vma, u64 pages);
/* vma_index - what page->index of an anonymous page at addr is. */
static inline u64 vma_index(const struct vma *vma, vaddr_t addr) { return (addr >> PAGE_SHIFT) - vma->moved; }
/* anon_page_new - an anonymous page for addr, nowhere mapped yet; NULL.  gfp: beside GFP_USER. */
struct page *anon_page_new(const struct vma *vma, vaddr_t addr, gfp_t gfp);
static inline void anon_page_init(struct page *p, const struct vma *vma, vaddr_t addr)
{
	p->flags = PG_ANON;
	p->anon = vma->mm->anon;
	p->index = vma_index(vma, addr);
	p->private = 0;
}
void mm_account(struct mm *mm, u32 vm_flags, s64 pages);
/* mm_populate - fault in [start, start + len), as MAP_POPULATE; 0, -ENOMEM, -EINTR.  Context: thread, mmap_lock not held. */
int mm_populate(struct mm *mm, vaddr_t start, size_t len);
void mm_page_gone(void *arg, vaddr_t addr, const struct pte_info *info, u32 nr);	/* arg: the vma */
/* page_mapped, page_unmapped - a user entry for p came or went (not its reference) */
static inline void page_mapped(struct page *p)
{
	if (__atomic_add_fetch(&p->mapcount, 1, __ATOMIC_RELEASE) == 1)		/* p->anon before it: mm/rmap.c */
		vmstat_add(page_flags(p) & PG_ANON ? VM_ANON_PAGES : VM_MAPPED_PAGES, 1);
}
static inline void page_unmapped(struct page *p)
{
	if (atomic_add_return(&p->mapcount, -1) == 0)
		vmstat_add(page_flags(p) & PG_ANON ? VM_ANON_PAGES : VM_MAPPED_PAGES, -1);
}
static inline void rss_add(struct mm *mm, const struct page *p, s64 n)
{
	atomic_add(page_flags(p) & PG_ANON ? &mm->rss_anon : page_flags(p) & PG_SWAPBACKED ? &mm->rss_shmem : &mm->rss_file, n);
}
#define STACK_GUARD_PAGES 256ul
extern u64 vm_wx;		/* vm.wx: 1 allows writable and executable at once */
/* for_each_vma - cut the VMAs at start and end and call fn for each between; 0, what fn returned, -ENOMEM (a hole too, after the rest).
 * merge_range - merge what has become alike there.  mmap_lock for writing. */
int for_each_vma(struct mm *mm, vaddr_t start, vaddr_t end, int (*fn)(struct vma *, void *), void *arg);
void merge_range(struct mm *mm, vaddr_t start, vaddr_t end);
/* A tag in the top byte means nothing to the calls that take an existing mapping's address. */
static inline vaddr_t untagged(unsigned long addr) { return addr & (unsigned long)((s64)(addr << 8) >> 8); }
/* pin_locked - fault.c: the page at addr, faulted in as an access would; referenced, or (peek) only named.  mmap_lock for reading. */
int pin_locked(struct mm *mm, vaddr_t addr, bool write, bool force, bool peek, struct page **out);
