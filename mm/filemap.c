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
#include <fs/vfs.h>
#include <fs/iov.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <mm/filemap.h>
#include <mm/mm_internal.h>
#include <mm/slab.h>
#include <mm/vmstat.h>

#define BATCH 16
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
	rwsem_init(&as->invalidate_lock, LC_INVALIDATE);
	rwsem_init(&as->i_mmap_lock, LC_I_MMAP);
	list_init(&as->i_mmap);
	as->nr_writable = 0;
	as->wb_err = 0;
}

/* Take a reference on a page just found at index under RCU; false if it is no longer that. */
static bool get_if_ours(struct address_space *as, struct page *p, u64 index)
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
	} while (unlikely(p && !get_if_ours(as, p, index)));	/* it left, and the tree says so now */
	rcu_read_unlock();
	return p;
}

static void count_page(const struct page *p, s64 n)
{
	vmstat_add(VM_FILE_PAGES, n);
	if (page_flags(p) & PG_SWAPBACKED)
		vmstat_add(VM_SHMEM_PAGES, n);
}

static int add_page(struct address_space *as, u64 index, struct page *p)
{
	irqflags_t flags;
	int err = as->ops && as->ops->page_added ? as->ops->page_added(as) : 0;

	if (err)
		return err;
	p->index = index;
	p->private = 0;		/* whoever is behind as may use it */
	p->mapping = as;
	page_get(p);		/* the cache's */
	flags = spin_lock_irqsave(&as->tree_lock);
	err = radix_tree_insert(&as->tree, index, p);
	if (!err)
		as->nr_pages++;
	spin_unlock_irqrestore(&as->tree_lock, flags);
	if (likely(!err)) {
		count_page(p, 1);
	} else {
		p->mapping = NULL;
		atomic_dec(&p->refs);
		if (as->ops && as->ops->page_freed)
			as->ops->page_freed(as, p);
	}
	return err;
}

/* p locked and mapped nowhere: out of the tree, and the cache's reference with it. */
static void remove_page(struct address_space *as, struct page *p)
{
	irqflags_t flags = spin_lock_irqsave(&as->tree_lock);

	radix_tree_delete(&as->tree, p->index);
	as->nr_pages--;
	spin_unlock_irqrestore(&as->tree_lock, flags);
	count_page(p, -1);
	p->mapping = NULL;
	if (as->ops && as->ops->page_freed)
		as->ops->page_freed(as, p);
	page_unlock(p);
	page_put(p);
}

static int fill_page(struct address_space *as, struct page *p)
{
	int err;

	if (!as->ops || !as->ops->read_page) {		/* no store behind it: a hole is zeroes */
		clear_page(page_address(p));
		atomic_fetch_or(&p->flags, PG_UPTODATE);
		page_unlock(p);
		return 0;
	}
	err = as->ops->read_page(as, p);		/* unlocks */
	if (!err) {
		page_lock(p);
		err = page_flags(p) & PG_UPTODATE ? 0 : -EIO;
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
	p->flags = 0;
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

int filemap_get(struct address_space *as, u64 index, bool create, struct page **out)
{
	bool store = as->ops && as->ops->read_page;
	int err;

	for (;;) {
		struct page *p = filemap_lookup(as, index);

		if (p && likely(page_flags(p) & PG_UPTODATE)) {
			*out = p;
			return 0;
		}
		if (p) {	/* somebody is filling it, or failed to */
			page_lock(p);
			if (p->mapping == as && !(page_flags(p) & PG_UPTODATE)) {
				err = fill_page(as, p);		/* unlocks */
			} else {
				err = p->mapping == as ? 0 : -EAGAIN;
				page_unlock(p);
			}
			if (!err) {
				*out = p;
				return 0;
			}
			page_put(p);
			if (err == -EAGAIN)
				continue;
			return err;
		}
		if (!create && !store)
			return -ENOENT;
		p = page_alloc(0, GFP_USER);
		if (!p)
			return -ENOMEM;
		p->flags = store ? 0 : PG_SWAPBACKED;
		page_trylock(p);
		err = add_page(as, index, p);
		if (err) {
			page_unlock(p);
			page_put(p);
			if (err == -EEXIST)
				continue;
			return err;
		}
		err = fill_page(as, p);
		if (err) {
			page_put(p);
			return err;
		}
		*out = p;
		return 0;
	}
}

ssize_t filemap_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	struct address_space *as = file->mapping;
	struct inode *inode = as->host;
	size_t done = 0;

	while (to->count) {
		u64 size = READ_ONCE(inode->size), off = *pos & (PAGE_SIZE - 1);
		struct page *p;
		size_t n, got;
		int err;

		if (*pos >= size)
			break;
		n = min(min(size - *pos, PAGE_SIZE - off), to->count);
		err = filemap_get(as, *pos >> PAGE_SHIFT, false, &p);
		if (err == -ENOENT) {
			got = iter_zero(n, to);
		} else if (err) {
			return done ? (ssize_t)done : err;
		} else {
			got = copy_to_iter((char *)page_address(p) + off, n, to);
			page_put(p);
		}
		*pos += got;
		done += got;
		if (got < n)
			return done ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
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

		err = filemap_get(as, *pos >> PAGE_SHIFT, true, &p);
		if (err)
			break;
		got = copy_from_iter((char *)page_address(p) + off, n, from);
		if (got)
			page_changed(p);
		page_put(p);
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

/* Take the pages [first, last] out of every address space that maps them. */
static void unmap_everywhere(struct address_space *as, u64 first, u64 last)
{
	struct vma *vma;

	rwsem_read_lock(&as->i_mmap_lock);
	list_for_each_entry(vma, &as->i_mmap, i_mmap_link) {
		u64 vfirst = vma->pgoff, vlast = vma->pgoff + ((vma->end - vma->start) >> PAGE_SHIFT) - 1;
		u64 a = max(first, vfirst), b = min(last, vlast);

		/* Private copies go too, as on Linux: the program finds SIGBUS beyond the end. */
		if (a <= b)
			pt_unmap_range(vma->mm, vma->start + ((a - vfirst) << PAGE_SHIFT), vma->start + ((b - vfirst + 1) << PAGE_SHIFT),
				       mm_page_gone, vma);
	}
	rwsem_read_unlock(&as->i_mmap_lock);
}

/* p is referenced; that goes too. */
static void drop_page(struct address_space *as, struct page *p)
{
	page_lock(p);
	if (p->mapping == as) {
		if (atomic_load(&p->mapcount))	/* a fault slipped in before the size was seen */
			unmap_everywhere(as, p->index, p->index);
		remove_page(as, p);
	} else {
		page_unlock(p);
	}
	page_put(p);
}

static void drop_pages(struct address_space *as, u64 first, u64 last)
{
	void *pages[BATCH];
	u64 index[BATCH];

	while (first <= last) {
		u32 n, i;

		rcu_read_lock();
		n = radix_tree_gang_lookup(&as->tree, first, pages, index, BATCH);
		for (i = 0; i < n && index[i] <= last; i++)
			if (!get_if_ours(as, pages[i], index[i]))
				pages[i] = NULL;	/* left the cache between look and reference */
		rcu_read_unlock();
		for (u32 k = 0; k < i; k++)
			if (pages[k])
				drop_page(as, pages[k]);
		if (i < BATCH)
			return;
		first = index[i - 1] + 1;
	}
}

static void zero_part(struct address_space *as, u64 pos, size_t len)
{
	struct page *p = len ? filemap_lookup(as, pos >> PAGE_SHIFT) : NULL;

	if (!p)
		return;
	memset((char *)page_address(p) + (pos & (PAGE_SIZE - 1)), 0, len);
	atomic_fetch_and(&p->flags, ~(u32)PG_CODE_SYNCED);
	page_put(p);
}

/* The caller has set i_size already, under the inode's lock. */
void filemap_truncate(struct address_space *as, u64 new_size)
{
	u64 first = DIV_ROUND_UP(new_size, PAGE_SIZE), off = new_size & (PAGE_SIZE - 1);

	if (!as->nr_pages)
		return;
	if (!list_empty(&as->i_mmap))
		unmap_everywhere(as, first, ~0ul >> PAGE_SHIFT);
	drop_pages(as, first, ~0ul >> PAGE_SHIFT);
	if (!list_empty(&as->i_mmap))		/* private copies made of a page that was just to be dropped: see copy_unmapped */
		unmap_everywhere(as, first, ~0ul >> PAGE_SHIFT);
	if (off)
		zero_part(as, new_size, PAGE_SIZE - off);
}

void filemap_punch(struct address_space *as, u64 start, u64 end)
{
	u64 first = DIV_ROUND_UP(start, PAGE_SIZE), stop = end >> PAGE_SHIFT;

	if (start >> PAGE_SHIFT == end >> PAGE_SHIFT) {
		zero_part(as, start, end - start);
		return;
	}
	if (start & (PAGE_SIZE - 1))
		zero_part(as, start, PAGE_SIZE - (start & (PAGE_SIZE - 1)));
	zero_part(as, end & PAGE_MASK, end & (PAGE_SIZE - 1));
	if (first < stop) {
		unmap_everywhere(as, first, stop - 1);
		drop_pages(as, first, stop - 1);
		unmap_everywhere(as, first, stop - 1);
	}
}

void filemap_evict(struct address_space *as)
{
	if (as->nr_pages)
		drop_pages(as, 0, ~0ul >> PAGE_SHIFT);
}

static int filemap_fault(struct fault *f)
{
	struct address_space *as = f->vma->file->mapping;
	u64 pages = DIV_ROUND_UP(READ_ONCE(as->host->size), PAGE_SIZE);
	int err;

	if (f->index >= pages)
		return -EFAULT;
	err = filemap_get(as, f->index, true, &f->page);
	if (!err && unlikely(READ_ONCE(f->page->mapping) != as || f->index >= DIV_ROUND_UP(READ_ONCE(as->host->size), PAGE_SIZE))) {
		page_put(f->page);	/* the file was truncated meanwhile, or a hole punched: then there is nothing wrong with trying again */
		f->page = NULL;
		return f->index >= DIV_ROUND_UP(READ_ONCE(as->host->size), PAGE_SIZE) ? -EFAULT : 0;
	}
	return err == -ENOSPC ? -EFAULT : err;
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
		if (index < first || index >= first + nr || !get_if_ours(as, p, index))
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
	u64 done;

	if (index >= size)
		return false;
	above = min(above, size - index);
	row_lock(as, index - below, below + above, PG_UPTODATE | (vma->flags & VM_EXEC ? PG_CODE_SYNCED : 0), row);
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

static const struct vm_ops filemap_vm_ops = { .fault = filemap_fault, .map_around = filemap_map_around };

int filemap_mmap(struct file *file, struct vma *vma)
{
	(void)file;
	vma->ops = &filemap_vm_ops;
	return 0;
}
