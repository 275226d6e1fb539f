/* The page cache: one behind read, write, mmap and tmpfs (block devices later). */
#pragma once
#include <kernel/lib/radix_tree.h>
#include <kernel/lib/list.h>
#include <kernel/sync/rwsem.h>
#include <mm/page.h>

struct inode;
struct file;
struct iov_iter;
struct vma;
struct address_space;

struct write_control;
struct iomap_ops;
struct shmem_swap;
struct writer;

struct address_space_ops {
	/* read_page - fill a locked page that is not up to date, and unlock it: at once, or when its I/O has ended (PG_UPTODATE set, or an
	 * error).  read_ahead - the same for nr pages with consecutive indices.  NULL: new pages are zero (tmpfs). */
	int (*read_page)(struct address_space *as, struct page *page);
	void (*read_ahead)(struct address_space *as, struct page **pages, u32 nr);
	/* write_page - write a locked page that page_clear_dirty_for_write just made clean: page_write_begin, unlock, and into the bio that
	 * wc->bio gathers, or a new one; write_done - submit what is still gathered.  mm/writeback.c walks the dirty pages and calls them. */
	int (*write_page)(struct address_space *as, struct page *page, struct write_control *wc);
	void (*write_done)(struct address_space *as, struct write_control *wc);
	/* write_begin - may refuse (ENOSPC, EFBIG) before a page becomes dirty at [pos, pos+len) */
	int (*write_begin)(struct address_space *as, u64 pos, size_t len);
	/* page_dirtied - bytes of an up-to-date page were changed by a write() or may be from now on through a mapping (then all of them);
	 * before page_set_dirty.  For those that remember more of a page than that it is dirty: block devices, sector by sector. */
	void (*page_dirtied)(struct address_space *as, struct page *page, u32 off, u32 len);
	/* page_mkwrite - a program will write to the locked page through a shared mapping: find blocks for it, page_set_dirty.  NULL: nothing
	 * can go wrong.  invalidate_lock held for reading.  0, -ENOSPC, -EIO (SIGBUS), -ENOMEM (tried again). */
	int (*page_mkwrite)(struct address_space *as, struct page *page);
	void (*page_freed)(struct address_space *as, struct page *page);	/* a page left the cache (accounting) */
	bool may_swap;			/* no store, and pages may go to swap */
	int (*page_added)(struct address_space *as);				/* a page is about to enter: charge; -ENOSPC */
};

struct address_space {
	struct inode *host;
	const struct address_space_ops *ops;
	const struct iomap_ops *iomap;	/* [I] of files on a block device: fs/iomap.h */
	struct writer *writer;		/* [I] who writes back; NULL: memory is all there is */
	struct spinlock tree_lock;	/* LC_PAGE_TREE: writers */
	struct radix_tree tree;		/* [tree_lock; RCU readers] index -> struct page* */
	u64 nr_pages;			/* [tree_lock] read racily by who asks whether there are any */
	struct rwsem invalidate_lock;	/* LC_INVALIDATE: who fills pages from the device reads; who takes blocks away from the file (truncate,
					 * punch, direct writes) writes, from before the pages go until the blocks are gone */
	u32 nr_direct;			/* [a] direct reads and writes of its blocks in flight: fs/iomap_direct.c */
	struct rwsem i_mmap_lock;	/* LC_I_MMAP */
	struct list_head i_mmap;	/* [i_mmap_lock] vma.i_mmap_link */
	u32 nr_writable;		/* shared mappings that are or may become writable [i_mmap_lock] */
	u32 nr_failed;			/* [a] pages that could not be written and are not given up (PG_ERROR): its writer holds the inode */
	bool unevictable;		/* [a] its pages do not go to swap: shmctl(SHM_LOCK) */
	struct shmem_swap *swapped;	/* [tree_lock] of tmpfs: which pages are in a swap area, mm/shmem_swap.c; NULL: none ever was */
	u64 wb_next;			/* [INODE_WRITING] where the writer goes on */
	u64 wb_err;			/* [a] mm/writeback.h: the last error, and a count that moves when somebody was told */
};
void address_space_init(struct address_space *as, struct inode *host, const struct address_space_ops *ops);
/* filemap_lookup - referenced page or NULL (RCU). */
struct page *filemap_lookup(struct address_space *as, u64 index);
/* filemap_grab - the page at index, referenced and locked; if the cache had none, a new one that is not up to date (and that the caller
 * fills, or leaves so).  0, -ENOMEM, -ENOSPC.  filemap_add - only a new one; -EEXIST.  gfp: e.g. GFP_NOIO.  Context: thread, may sleep. */
int filemap_grab(struct address_space *as, u64 index, u32 gfp, struct page **out);
int filemap_add(struct address_space *as, u64 index, u32 gfp, struct page **out);
/* filemap_get - referenced, up-to-date page, read or created as needed. 0, -ENOMEM, -EIO, -ENOSPC */
int filemap_get(struct address_space *as, u64 index, bool create, struct page **out);
/* filemap_page_to_read - the same for a reader, who wants that many pages: read ahead; -ENOENT: a hole in memory; -EINTR */
int filemap_page_to_read(struct file *file, u64 index, u64 want, struct page **out);
ssize_t filemap_read(struct file *file, struct iov_iter *to, u64 *pos);
ssize_t filemap_write(struct file *file, struct iov_iter *from, u64 *pos);	/* inode lock held; extends i_size */
/* filemap_each - fn for each page that is in the cache, referenced, not locked.  Context: thread; no page lock. */
void filemap_each(struct address_space *as, void (*fn)(struct page *p));
/* filemap_truncate - drop every page beyond new_size (unmapping them everywhere) and zero the tail of the last. */
void filemap_truncate(struct address_space *as, u64 new_size);
void filemap_punch(struct address_space *as, u64 start, u64 end);
void filemap_evict(struct address_space *as);	/* inode goes: all pages */
/* filemap_invalidate - drop the pages that [start, end] (bytes) touches, after writing back what is dirty of them; programs that had them
 * mapped find them again.  0 or the error of writing; -EBUSY: some were dirtied meanwhile and stay.  Context: thread, no page locked. */
int filemap_invalidate(struct address_space *as, u64 start, u64 end);
/* filemap_discard - drop the pages [first, last] (indices) that are clean and that nobody uses; how many went.  Never waits for a page. */
u64 filemap_discard(struct address_space *as, u64 first, u64 last);
/* page_uptodate - has p its contents?  They may be looked at then.  page_mark_uptodate - they are there. */
static inline bool page_uptodate(const struct page *p) { return atomic_load_acquire(&p->flags) & PG_UPTODATE; }
static inline void page_mark_uptodate(struct page *p) { __atomic_fetch_or(&p->flags, PG_UPTODATE, __ATOMIC_RELEASE); }
/* page_changed - the kernel wrote to a page of the cache, or a program may from now on. */
static inline void page_changed(struct page *p)
{
	atomic_fetch_or(&p->flags, PG_DIRTY);
	if (unlikely(page_flags(p) & PG_CODE_SYNCED))
		atomic_fetch_and(&p->flags, ~(u32)PG_CODE_SYNCED);
}
/* filemap_map_around - a read fault: map addr's page and its neighbours (a row of 16 in the file) as far as the cache has them and the
 * VMA covers them, read-only.  false: addr's page was not there, or was busy; the slow way finds out.  mmap_lock for reading. */
bool filemap_map_around(struct vma *vma, vaddr_t addr);
int filemap_mmap(struct file *file, struct vma *vma);	/* generic mmap: sets vma->ops */
