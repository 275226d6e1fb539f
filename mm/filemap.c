/* The page cache.
 *
 * Theory.  An address_space maps page indices of one object (a file's data) to pages.  Look-ups go through the radix tree under RCU
 * and take a reference with inc-not-zero, then look again whether the page is still there; writers hold tree_lock.  The cache itself
 * holds one reference on each of its pages, taken before the page enters the tree and dropped after it left: a page found with none
 * has left already, and the tree says so at the next look.  Only a page that was found to be the mapping's under such a reference may
 * be locked; before, the frame may be anybody's.
 *
 * Adding a page and truncating exclude each other by the page's lock: a fault or a write locks the page and checks that it still
 * belongs to the mapping (page->mapping) and lies within i_size; truncate takes it out under the lock, after unmapping it
 * everywhere.  The part of the last page beyond end of file is kept zero: truncate zeroes it, extending writes start from zeroes.
 *
 * User copies happen with the page unlocked but referenced: a copy may fault, and the fault may want the same page.  A page that is
 * truncated during a read gives the bytes it had; a write to it is lost with the range it was written to, as on Linux without the
 * inode lock; file writes hold that. */
#include <asm/resource.h>
#include <linux/fs.h>
#include <arch/uaccess.h>
#include <fs/inode.h>
#include <fs/iov.h>
#include <fs/write_gate.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <mm/filemap_internal.h>
#include <mm/lru.h>
#include <mm/mm_internal.h>
#include <mm/readahead.h>
#include <mm/shmem.h>
#include <mm/slab.h>
#include <mm/vmstat.h>
#include <mm/writeback.h>

#define AROUND 16		/* pages that a read fault maps at most; a row of the radix tree */

static struct slab_cache *node_cache;

struct cache_node { struct radix_node node; struct rcu_head rcu; };

static struct radix_node *node_alloc(void)
{
	struct cache_node *n = slab_alloc(node_cache, GFP_ATOMIC | GFP_ZERO);

	return n ? &n->node : NULL;
}

static void node_free_rcu(struct rcu_head *head)
{
	slab_free(node_cache, container_of(head, struct cache_node, rcu));
}

static void node_free(struct radix_node *node)
{
	call_rcu(&container_of(node, struct cache_node, node)->rcu, node_free_rcu);
}

void address_space_init(struct address_space *as, struct inode *host, const struct address_space_ops *ops)
{
	if (unlikely(!node_cache)) {
		node_cache = slab_cache_create("radix_node", sizeof(struct cache_node), 0, NULL);
		VERIFY(node_cache);
		slab_set_reclaimable(node_cache);
	}
	as->host = host;
	as->ops = ops;
	spin_lock_init(&as->tree_lock, LC_PAGE_TREE);
	radix_tree_init(&as->tree, node_alloc, node_free);
	as->nr_pages = 0;
	as->iomap = NULL;
	as->writer = NULL;
	as->swapped = NULL;
	as->nr_direct = 0;
	rwsem_init(&as->invalidate_lock, LC_INVALIDATE);
	rwsem_init(&as->i_mmap_lock, LC_I_MMAP);
	list_init(&as->i_mmap);
	as->nr_writable = 0;
	as->wb_next = 0;
	as->wb_err = 0;
}

bool page_get_if_ours(struct address_space *as, struct page *p, u64 index)
{
	if (!page_get_unless_zero(p))
		return false;
	if (likely(READ_ONCE(p->mapping) == as && READ_ONCE(p->index) == index))
		return true;
	page_put(p);
	return false;
}

struct page *filemap_lookup(struct address_space *as, u64 index)
{
	struct page *p;

	rcu_read_lock();
	do {
		p = radix_tree_lookup(&as->tree, index);
	} while (unlikely(p && !page_get_if_ours(as, p, index)));	/* it left, and the tree says so now */
	rcu_read_unlock();
	return p;
}

static void count_page(const struct page *p, s64 n)
{
	vmstat_add(VM_FILE_PAGES, n);
	if (page_flags(p) & PG_SWAPBACKED)
		vmstat_add(VM_SHMEM_PAGES, n);
	else if (MODE_IS(p->mapping->host->mode, S_IFBLK))
		vmstat_add(VM_BUFFER_PAGES, n);
}

static int add_page(struct address_space *as, u64 index, struct page *p)
{
	bool charge, swapped = false;
	irqflags_t flags;
	int err;

	p->index = index;
	p->private = 0;		/* whoever is behind as may use it */
	p->mapping = as;
	page_get(p);		/* the cache's */
	do {
		charge = as->ops && as->ops->page_added && !swapped;
		err = charge ? as->ops->page_added(as) : 0;
		if (unlikely(err)) {
			swapped = shmem_is_swapped(as, index);
			if (!swapped)
				break;
			err = -EAGAIN;		/* full it may be: a page that is out is charged already */
			continue;
		}
		flags = spin_lock_irqsave(&as->tree_lock);
		if (unlikely((as->swapped && shmem_has_slot(as, index)) != swapped))
			err = -EAGAIN;
		else
			err = radix_tree_insert(&as->tree, index, p);
		if (!err)
			WRITE_ONCE(as->nr_pages, as->nr_pages + 1);
		spin_unlock_irqrestore(&as->tree_lock, flags);
		if (err && charge)
			as->ops->page_freed(as, p);
		swapped ^= err == -EAGAIN;
	} while (unlikely(err == -EAGAIN));
	if (likely(!err)) {
		count_page(p, 1);
		if (!(page_flags(p) & PG_SWAPBACKED))
			lru_add(p);
	} else {
		p->mapping = NULL;
		atomic_dec(&p->refs);
	}
	return err;
}

/* Tree lock held.  true: the page had not been brought back from its slot, and stays charged. */
static bool leave_tree(struct address_space *as, struct page *p)
{
	radix_tree_delete(&as->tree, p->index);
	WRITE_ONCE(as->nr_pages, as->nr_pages - 1);
	return unlikely(as->swapped) && shmem_has_slot(as, p->index);
}

/* p is out of the tree. */
static void forget_page(struct address_space *as, struct page *p, bool has_slot)
{
	count_page(p, -1);
	atomic_store(&p->mapping, NULL);
	if (!(page_flags(p) & PG_SWAPBACKED))
		lru_del(p);
	if (as->ops && as->ops->page_freed && !has_slot)
		as->ops->page_freed(as, p);
}

void page_remove(struct address_space *as, struct page *p)
{
	irqflags_t flags = spin_lock_irqsave(&as->tree_lock);
	bool has_slot = leave_tree(as, p);

	spin_unlock_irqrestore(&as->tree_lock, flags);
	forget_page(as, p, has_slot);
	page_unlock(p);
	page_put(p);
}

/* With no reference left nobody can take one: a look-up tries again until the tree tells it that the page has gone. */
bool page_remove_unused(struct address_space *as, struct page *p)
{
	irqflags_t flags = spin_lock_irqsave(&as->tree_lock);
	bool ok = atomic_cas(&p->refs, 2, 0), has_slot = false;

	if (ok && page_flags(p) & (PG_DIRTY | PG_WRITEBACK | PG_ERROR)) {
		atomic_store(&p->refs, 2);
		ok = false;
	}
	if (ok)
		has_slot = leave_tree(as, p);
	spin_unlock_irqrestore(&as->tree_lock, flags);
	if (!ok)
		return false;
	forget_page(as, p, has_slot);
	page_unlock(p);
	atomic_store(&p->refs, 1);
	page_put(p);
	return true;
}

/* p locked, not up to date.  Unlocks it. */
static int fill_page(struct address_space *as, struct page *p)
{
	int err;

	if (!as->ops || !as->ops->read_page) {		/* no store behind it: a hole is zeroes */
		err = unlikely(as->swapped) ? shmem_swap_in(as, p) : -ENOENT;
		if (err != -ENOENT) {
			page_unlock(p);
			return err;
		}
		clear_page(page_address(p));
		page_mark_uptodate(p);
		page_unlock(p);
		return 0;
	}
	err = as->ops->read_page(as, p);		/* unlocks */
	if (!err) {
		page_lock(p);
		err = page_uptodate(p) ? 0 : -EIO;
		page_unlock(p);
	}
	return err;
}

int filemap_add(struct address_space *as, u64 index, u32 gfp, struct page **out)
{
	struct page *p = page_alloc(0, gfp);
	int err;

	if (!p)
		return -ENOMEM;
	p->flags = as->ops && as->ops->read_page ? 0 : PG_SWAPBACKED;
	page_trylock(p);
	err = add_page(as, index, p);
	if (err) {
		page_unlock(p);
		page_put(p);
		return err;
	}
	*out = p;
	return 0;
}

int filemap_grab(struct address_space *as, u64 index, u32 gfp, struct page **out)
{
	for (;;) {
		struct page *p = filemap_lookup(as, index);
		int err;

		if (!p) {
			err = filemap_add(as, index, gfp, out);
			if (err != -EEXIST)
				return err;
			continue;
		}
		page_lock(p);
		if (likely(p->mapping == as)) {
			*out = p;
			return 0;
		}
		page_unlock(p);		/* it was truncated while we waited */
		page_put(p);
	}
}

enum get { LOOK, CREATE, FAULT };

/* p, which we locked, is not up to date: nobody had its contents yet.  Is it a page that who gets it so has no use for?  A reader where there was a
 * slot before the file was truncated, a fault beyond the end: nobody would take the page away again.  The page is in the tree before the
 * size is looked at, and truncation sets the size before it looks at the tree. */
static bool useless(struct address_space *as, const struct page *p, enum get how)
{
	if (how == CREATE || (how == FAULT && p->index < DIV_ROUND_UP(i_size_read(as->host), PAGE_SIZE)))
		return false;
	return likely(!as->swapped) || !shmem_is_swapped(as, p->index);
}

/* The page is not there, or is being filled, or could not be.  Filling it from a device excludes those who take blocks from the file. */
static int get_slowly(struct address_space *as, u64 index, enum get how, struct page **out)
{
	bool store = as->ops && as->ops->read_page;
	struct page *p;
	int err;

	if (store)
		rwsem_read_lock(&as->invalidate_lock);
	err = filemap_grab(as, index, GFP_USER, &p);
	if (!err) {
		if (page_uptodate(p)) {
			page_unlock(p);
		} else if (!store && unlikely(useless(as, p, how))) {
			err = -ENOENT;
			page_remove(as, p);		/* unlocks */
		} else {
			err = fill_page(as, p);		/* unlocks */
		}
		if (err)
			page_put(p);
		else
			*out = p;
	}
	if (store)
		rwsem_read_unlock(&as->invalidate_lock);
	return err;
}

static int get_page(struct address_space *as, u64 index, enum get how, struct page **out)
{
	struct page *p = filemap_lookup(as, index);

	if (likely(p)) {
		if (likely(page_uptodate(p))) {
			*out = p;
			return 0;
		}
		page_put(p);
	} else if (how == LOOK && !(as->ops && as->ops->read_page) && (likely(!as->swapped) || shmem_is_hole(as, index))) {
		return -ENOENT;
	}
	return get_slowly(as, index, how, out);
}

int filemap_get(struct address_space *as, u64 index, bool create, struct page **out)
{
	return get_page(as, index, create ? CREATE : LOOK, out);
}

/* The page at index was not there, or is to be looked at more closely (p).  want: pages the caller will read. */
static __attribute__((noinline)) int read_page_slowly(struct file *file, u64 index, u64 want, u32 rwf, struct page *p, struct page **out)
{
	struct address_space *as = file->mapping;

	if (p) {
		if (page_flags(p) & PG_READAHEAD)
			readahead_mark(file, p, want);
		if (page_uptodate(p)) {
			*out = p;
			return 0;
		}
		page_put(p);
	} else if (as->ops && as->ops->read_page && !(rwf & RWF_NOWAIT)) {
		readahead_miss(file, index, want);
	}
	if (unlikely(rwf & RWF_NOWAIT))
		return -EAGAIN;
	if (unlikely(signal_pending() && fatal_signal_pending(current)))
		return -EINTR;
	return filemap_get(as, index, false, out);
}

static inline int get_for_read(struct file *file, u64 index, u64 want, u32 rwf, struct page **out)
{
	struct page *p = filemap_lookup(file->mapping, index);

	if (likely(p && (atomic_load_acquire(&p->flags) & (PG_UPTODATE | PG_READAHEAD)) == PG_UPTODATE)) {
		*out = p;
		return 0;
	}
	return read_page_slowly(file, index, want, rwf, p, out);
}

int filemap_page_to_read(struct file *file, u64 index, u64 want, struct page **out)
{
	return get_for_read(file, index, want, 0, out);
}

ssize_t filemap_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	struct inode *inode = file->mapping->host;
	size_t done = 0;

	while (to->count) {
		u64 size = atomic_load_acquire(&inode->size), off = *pos & (PAGE_SIZE - 1);
		struct page *p;
		size_t n, got;
		int err;

		if (*pos >= size)
			break;
		n = min(min(size - *pos, PAGE_SIZE - off), to->count);
		err = get_for_read(file, *pos >> PAGE_SHIFT, DIV_ROUND_UP(off + to->count, PAGE_SIZE), to->rwf, &p);
		if (err == -ENOENT) {
			got = iter_zero(n, to);
		} else if (err) {
			return done ? (ssize_t)done : err;
		} else {
			got = copy_to_iter((char *)page_address(p) + off, n, to);
			if (!off)	/* a page read in pieces, one after the other, is read once */
				page_mark_accessed(p);
			page_put(p);
		}
		*pos += got;
		done += got;
		if (got < n)
			return done ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
}

/* Bytes of p, which is up to date, were written, or (all of them) may be from now on. */
static void page_written(struct address_space *as, struct page *p, u32 off, u32 len)
{
	if (likely(!as->writer)) {
		page_changed(p);
		return;
	}
	if (as->ops->page_dirtied)
		as->ops->page_dirtied(as, p, off, len);
	page_set_dirty(p);
}

/* A page with a device behind it that is overwritten wholly need not be read: it is filled under its lock, by a copy that may not fault.
 * Returns the bytes written: a page, or none (somebody has filled it, or the program's memory is not there just now): the usual way then. */
static size_t overwrite_page(struct address_space *as, u64 index, struct iov_iter *from)
{
	struct iov_iter before = *from;
	struct page *p;
	size_t got = 0;

	rwsem_read_lock(&as->invalidate_lock);
	if (filemap_grab(as, index, GFP_USER, &p))
		goto out;
	if (!page_uptodate(p)) {
		uaccess_nofault_begin();
		got = copy_from_iter(page_address(p), PAGE_SIZE, from);
		uaccess_nofault_end();
	}
	if (got == PAGE_SIZE) {
		page_mark_uptodate(p);
		page_written(as, p, 0, PAGE_SIZE);
	} else {
		*from = before;
		got = 0;
	}
	page_unlock(p);
	page_put(p);
out:
	rwsem_read_unlock(&as->invalidate_lock);
	return got;
}

/* Nothing of what is to be written is there: then no page of memory, which would count as the file's, is taken for it. */
static bool unreadable(const struct iov_iter *from)
{
	const struct iov_seg *seg = from->segs;
	size_t off = from->off;

	if (from->kernel)
		return false;
	for (; off == seg->len; off = 0)
		seg++;
	return user_get(user_ptr(seg->base + off), 1).err;
}

ssize_t filemap_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	struct address_space *as = file->mapping;
	struct inode *inode = as->host;
	size_t done = 0;
	int err = as->ops && as->ops->write_begin ? as->ops->write_begin(as, *pos, from->count) : 0;

	while (!err && from->count) {
		u64 off = *pos & (PAGE_SIZE - 1);
		size_t n = min(from->count, PAGE_SIZE - off), got;
		struct page *p;

		got = n == PAGE_SIZE && as->writer ? overwrite_page(as, *pos >> PAGE_SHIFT, from) : 0;
		if (!got) {
			err = !as->writer && unreadable(from) ? -EFAULT : filemap_get(as, *pos >> PAGE_SHIFT, true, &p);
			if (err)
				break;
			got = copy_from_iter((char *)page_address(p) + off, n, from);
			if (got)
				page_written(as, p, (u32)off, (u32)got);
			page_put(p);
		}
		*pos += got;
		done += got;
		if (*pos > inode->size)
			atomic_store_release(&inode->size, *pos);
		if (got < n)
			err = -EFAULT;
		else if (signal_pending() && fatal_signal_pending(current))
			err = -EINTR;
	}
	return done ? (ssize_t)done : err;
}

static int get_for_fault(struct fault *f)
{
	struct file *file = f->vma->file;
	struct address_space *as = file->mapping;
	struct page *p;

	if (!as->ops || !as->ops->read_page)
		return get_page(as, f->index, FAULT, &f->page);
	p = filemap_lookup(as, f->index);
	if (!p) {
		readahead_fault(file, f->index, f->vma->flags);
	} else {
		if (page_flags(p) & PG_READAHEAD)
			readahead_mark(file, p, 1);
		if (READ_ONCE(file->ra.misses))
			WRITE_ONCE(file->ra.misses, (u16)(file->ra.misses - 1));
		page_put(p);
	}
	return get_page(as, f->index, FAULT, &f->page);
}

static int filemap_fault(struct fault *f)
{
	struct address_space *as = f->vma->file->mapping;
	u64 pages = DIV_ROUND_UP(READ_ONCE(as->host->size), PAGE_SIZE);
	int err;

	if (f->index >= pages)
		return -EFAULT;
	err = get_for_fault(f);
	if (!err && unlikely(READ_ONCE(f->page->mapping) != as || f->index >= DIV_ROUND_UP(READ_ONCE(as->host->size), PAGE_SIZE))) {
		page_put(f->page);	/* the file was truncated meanwhile, or a hole punched: then there is nothing wrong with trying again */
		f->page = NULL;
		return f->index >= DIV_ROUND_UP(READ_ONCE(as->host->size), PAGE_SIZE) ? -EFAULT : 0;
	}
	return err == -ENOSPC || err == -ENOENT ? -EFAULT : err;
}

/* Locked and referenced: those of the nr pages from `first` on that have the flags `want`; the rest of their row NULL.  The locks keep truncation out
 * (see install_file), and are only tried: who holds one may wait for mmap_lock. */
static void row_lock(struct address_space *as, u64 first, u64 nr, u32 want, struct page **row)
{
	rcu_read_lock();
	radix_tree_row(&as->tree, ALIGN_DOWN(first, AROUND), (void **)row, AROUND);
	for (u32 i = 0; i < AROUND; i++) {
		struct page *p = row[i];
		u64 index = ALIGN_DOWN(first, AROUND) + i;

		if (!p)
			continue;
		row[i] = NULL;
		if (index < first || index >= first + nr || !page_get_if_ours(as, p, index))
			continue;
		if ((page_flags(p) & want) != want || !page_trylock(p)) {
			page_put(p);
		} else if (p->mapping != as) {
			page_unlock(p);
			page_put(p);
		} else {
			row[i] = p;
		}
	}
	rcu_read_unlock();
}

bool filemap_map_around(struct vma *vma, vaddr_t addr)
{
	struct address_space *as = vma->file->mapping;
	u64 index = vma->pgoff + ((addr - vma->start) >> PAGE_SHIFT), base = ALIGN_DOWN(index, AROUND);
	u64 size = DIV_ROUND_UP(READ_ONCE(as->host->size), PAGE_SIZE);
	/* the part of the row inside the VMA, the file, and addr's page table */
	u64 below = min(index - base, (addr - max(vma->start, ALIGN_DOWN(addr, PMD_SIZE))) >> PAGE_SHIFT);
	u64 above = min(base + AROUND - index, (min(vma->end, ALIGN_DOWN(addr, PMD_SIZE) + PMD_SIZE) - addr) >> PAGE_SHIFT);
	struct page *row[AROUND], **pages = row + (index - below - base);
	u64 done = 0;

	if (index >= size)
		return false;
	above = min(above, size - index);
	row_lock(as, index - below, below + above, PG_UPTODATE | (vma->flags & VM_EXEC ? PG_CODE_SYNCED : 0), row);
	if (likely(index + above <= DIV_ROUND_UP(READ_ONCE(as->host->size), PAGE_SIZE)))	/* else truncated since: who else sees that takes pages away */
		done = pt_map_pages(vma->mm, addr - (below << PAGE_SHIFT), pages, (u32)(below + above), vma->prot & ~(u32)PROT_K_W);
	if (done)
		rss_add(vma->mm, pages[ffs64(done) - 1], hweight64(done));
	for (u32 i = 0; i < below + above; i++) {
		struct page *p = pages[i];

		if (!p)
			continue;
		if (done & BIT(i))
			page_mapped(p);
		page_unlock(p);			/* once mapped, it may go now */
		if (!(done & BIT(i)))
			page_put(p);
	}
	return done & BIT(below);
}

/* A program is about to write to p, which is locked, through a shared mapping.  Who takes blocks away from the file waits for the page's
 * lock while it holds invalidate_lock, so that one is only tried here; if it was busy, the access is tried again. */
static int mkwrite_inside(struct fault *f, struct address_space *as)
{
	int err = 0;

	if (!rwsem_read_trylock(&as->invalidate_lock)) {
		page_unlock(f->page);
		rwsem_read_lock(&as->invalidate_lock);
		rwsem_read_unlock(&as->invalidate_lock);
		page_lock(f->page);
		return -EAGAIN;
	}
	if (as->ops->page_mkwrite)
		err = as->ops->page_mkwrite(as, f->page);
	else
		page_written(as, f->page, 0, PAGE_SIZE);
	rwsem_read_unlock(&as->invalidate_lock);
	return err;
}

/* The same, where that is allowed just now. */
static int filemap_mkwrite(struct fault *f)
{
	struct address_space *as = f->vma->file->mapping;
	struct write_gate *gate = as->host->sb->gate;
	int err;

	if (unlikely(gate != NULL) && !gate_try_enter(gate, GATE_FAULT)) {	/* frozen */
		page_unlock(f->page);
		gate_wait(gate, GATE_FAULT);
		page_lock(f->page);
		return -EAGAIN;
	}
	err = mkwrite_inside(f, as);
	if (unlikely(gate != NULL))
		gate_leave(gate, GATE_FAULT);
	if (!err)
		balance_dirty_fault(as);
	return err;
}

static const struct vm_ops filemap_vm_ops = { .fault = filemap_fault, .map_around = filemap_map_around };
static const struct vm_ops store_vm_ops = { .fault = filemap_fault, .map_around = filemap_map_around, .page_mkwrite = filemap_mkwrite };

int filemap_mmap(struct file *file, struct vma *vma)
{
	vma->ops = file->mapping->ops && file->mapping->ops->read_page ? &store_vm_ops : &filemap_vm_ops;
	return 0;
}
