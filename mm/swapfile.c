/* Swap areas: swapon and swapoff, slots.
 *
 * Theory.  An area is a block device or a file whose first page is mkswap's header (version 1); the rest are slots of a page each.  The map has
 * 16 bits for each slot: how many entries name it, and whether the swap cache has it.  It changes by compare-and-swap only, so no lock
 * guards it.
 *
 * Allocation.  What goes out together shall lie together, and CPUs shall not meet: each CPU takes its slots from a cluster of its own (256 slots),
 * from one end to the other, by compare-and-swap of 0.  Only to get another cluster it takes the area's lock; wholly free ones are
 * preferred.  Areas are used in the order of their priority, those of the same one in turns, cluster by cluster.
 *
 * A file is asked once where it lies (its iomap), and then goes on to lie there: while it is in use nobody writes to it, truncates it
 * (ETXTBSY) or takes its name (EPERM): INODE_SWAPFILE.  A file with holes is refused; pages that are not in one piece on the device are
 * left out.
 *
 * swapoff takes away the right to allocate, brings back what programs and tmpfs have there, program by program, and goes over them again
 * until nothing is left: a fork may have copied entries to where it has been.  An area ends a grace period after it left the table, when
 * nobody allocates there.
 *
 * Discard: all of an area at swapon (SWAP_FLAG_DISCARD_ONCE), or a cluster when it is taken again (SWAP_FLAG_DISCARD_PAGES). */
#include <asm/mman.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iomap.h>
#include <fs/namei.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/rcu.h>
#include <kernel/time/time.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <mm/filemap.h>
#include <mm/mm_internal.h>
#include <mm/shmem.h>
#include <mm/slab.h>
#include <mm/swap_internal.h>
#include <mm/writeback.h>
#include <syscall_protos.h>

#define SWAP_FLAG_PREFER	0x8000u
#define SWAP_FLAG_PRIO_MASK	0x7fffu
#define SWAP_FLAG_DISCARD	0x10000u
#define SWAP_FLAG_DISCARD_ONCE	0x20000u
#define SWAP_FLAG_DISCARD_PAGES	0x40000u
#define SWAP_FLAGS_VALID	0x7ffffu
#define MAX_BAD			637u		/* as many as the header has room for */
#define MAX_SLOTS		(1ul << 32)
#define RETRY_NS		(10 * NSEC_PER_MSEC)

struct header {			/* from byte 1024 of the first page */
	u32 version, last_page, nr_bad;
	u8 uuid[16], label[16];
	u32 pad[117], bad[];
};

struct swap_area *swap_areas[SWAP_AREAS];
u32 swap_areas_in_use;
static DEFINE_MUTEX(areas_mutex, LC_SWAP_AREAS);
static s32 least_prio = -1;		/* [areas_mutex] of the areas without a given one: the next has less */
static u32 last_area;			/* [a] who got a cluster last */
static u32 areas_seen;			/* [a] areas that there ever were: with each new one all choose again */

struct own_cluster { struct swap_area *area; u64 next, end; u32 seen; };
static DEFINE_PER_CPU(struct own_cluster, own_cluster);

/* --- slots --- */

static u64 take_from(struct own_cluster *c)
{
	struct swap_area *a = READ_ONCE(c->area);

	if (!a || !READ_ONCE(a->writable) || c->seen != READ_ONCE(areas_seen))
		return 0;
	for (; c->next < c->end; c->next++)
		if (!atomic_load(&a->map[c->next]) && atomic_cas(&a->map[c->next], (u16)0, (u16)SLOT_CACHED)) {
			atomic_dec(&a->nr_free);
			__atomic_fetch_sub(&a->cluster_free[c->next / CLUSTER], 1, __ATOMIC_RELAXED);
			return slot_name(a, c->next++);
		}
	return 0;
}

void slot_free(struct swap_area *a, u64 index)
{
	__atomic_fetch_add(&a->cluster_free[index / CLUSTER], 1, __ATOMIC_RELAXED);
	atomic_inc(&a->nr_free);
}

static u64 nr_clusters(const struct swap_area *a) { return DIV_ROUND_UP(a->nr_slots, CLUSTER); }

/* The cluster to take next: wholly free and nobody's, else nobody's, else any with something free; or nr_clusters. */
static u64 find_cluster(struct swap_area *a)
{
	u64 n = nr_clusters(a), some = n, any = n;

	for (u64 k = 0; k < n; k++) {
		u64 c = (a->next_cluster + k) % n;
		u16 free = atomic_load(&a->cluster_free[c]);

		if (!free)
			continue;
		if (any == n)
			any = c;
		if (test_bit(c, a->cluster_taken))
			continue;
		if (free == CLUSTER)
			return c;
		if (some == n)
			some = c;
	}
	return some < n ? some : any;
}

/* The area to take the next cluster from, by priority, then in turns.  Under RCU. */
static struct swap_area *choose_area(void)
{
	struct swap_area *best = NULL;
	u32 last = READ_ONCE(last_area);

	for (u32 k = 1; k <= SWAP_AREAS; k++) {
		struct swap_area *a = rcu_dereference(swap_areas[(last + k) % SWAP_AREAS]);

		if (a && READ_ONCE(a->writable) && atomic_load(&a->nr_free) > 0 && (!best || a->prio > best->prio))
			best = a;
	}
	return best;
}

/* This CPU, or the one we are on by then, gets another cluster.  false: all is full. */
static bool next_cluster(void)
{
	struct own_cluster *own;
	struct swap_area *a, *before;
	u32 seen = atomic_load_acquire(&areas_seen);
	bool discard;
	u64 c;

	rcu_read_lock();
	a = choose_area();
	if (!a) {
		rcu_read_unlock();
		return false;
	}
	WRITE_ONCE(last_area, a->type);
	spin_lock(&a->lock);
	c = find_cluster(a);
	if (c == nr_clusters(a)) {
		spin_unlock(&a->lock);
		rcu_read_unlock();
		return false;
	}
	discard = a->flags & SWAP_FLAG_DISCARD_PAGES && atomic_load(&a->cluster_free[c]) == CLUSTER && test_bit(c, a->cluster_used) &&
		  !test_bit(c, a->cluster_taken);
	set_bit(c, a->cluster_taken);
	set_bit(c, a->cluster_used);
	a->next_cluster = c + 1;
	atomic_inc(&a->users);
	spin_unlock(&a->lock);
	rcu_read_unlock();
	for (u64 at = c * CLUSTER; discard && at < min((c + 1) * CLUSTER, a->nr_slots);) {
		u64 run, sector = slot_sector(a, at, &run);

		run = min(run, min((c + 1) * CLUSTER, a->nr_slots) - at);
		block_discard(a->bdev, sector, run << (PAGE_SHIFT - SECTOR_SHIFT));
		at += run;
	}
	preempt_disable();
	own = this_cpu_ptr(&own_cluster);
	before = READ_ONCE(own->area);		/* swapoff takes it away from elsewhere */
	if (before) {
		spin_lock(&before->lock);
		clear_bit((own->end - 1) / CLUSTER, before->cluster_taken);
		spin_unlock(&before->lock);
	}
	own->seen = seen;
	own->next = max(c * CLUSTER, 1ul);
	own->end = min((c + 1) * CLUSTER, a->nr_slots);
	WRITE_ONCE(own->area, a);
	preempt_enable();
	atomic_dec(&a->users);
	return true;
}

u64 slot_alloc(void)
{
	for (u32 tries = 0; tries < 64; tries++) {
		u64 slot;

		preempt_disable();
		slot = take_from(this_cpu_ptr(&own_cluster));
		preempt_enable();
		if (slot)
			return slot;
		if (!next_cluster())
			return 0;
	}
	return 0;
}

u64 slot_sector(const struct swap_area *a, u64 index, u64 *run)
{
	u32 lo = 0, hi = a->nr_extents;
	const struct swap_extent *e;

	while (hi - lo > 1) {
		u32 mid = (lo + hi) / 2;

		if (a->extents[mid].first <= index)
			lo = mid;
		else
			hi = mid;
	}
	e = &a->extents[lo];
	*run = e->first + e->nr - index;
	return e->sector + ((index - e->first) << (PAGE_SHIFT - SECTOR_SHIFT));
}

static u64 free_slots(const struct swap_area *a)
{
	s64 n = atomic_load(&a->nr_free);

	return n > 0 ? (u64)n : 0;
}

static u64 sum_of(bool free)
{
	u64 n = 0;

	if (!READ_ONCE(swap_areas_in_use))
		return 0;
	rcu_read_lock();
	for (u32 i = 0; i < SWAP_AREAS; i++) {
		struct swap_area *a = rcu_dereference(swap_areas[i]);

		if (a && READ_ONCE(a->writable))
			n += free ? free_slots(a) : a->nr_usable;
	}
	rcu_read_unlock();
	return n;
}

u64 swap_total(void) { return sum_of(false); }
u64 swap_free(void) { return sum_of(true); }

/* --- swapon --- */

static int add_extent(struct swap_area *a, u64 first, u64 nr, u64 sector)
{
	struct swap_extent *e;

	if (!nr)
		return 0;
	if (!(a->nr_extents & (a->nr_extents - 1))) {
		e = krealloc(a->extents, max(a->nr_extents * 2ul, 1ul) * sizeof(*e), GFP_KERNEL);
		if (!e)
			return -ENOMEM;
		a->extents = e;
	}
	a->extents[a->nr_extents++] = (struct swap_extent){ first, nr, sector };
	return 0;
}

/* The whole pages of [start, end) of the file, which lie at byte addr on. */
static int add_run(struct swap_area *a, u64 start, u64 end, u64 addr)
{
	u64 first = DIV_ROUND_UP(start, PAGE_SIZE), stop = end >> PAGE_SHIFT;

	return first < stop ? add_extent(a, first, stop - first, (addr + (first << PAGE_SHIFT) - start) >> SECTOR_SHIFT) : 0;
}

static int map_file(struct swap_area *a)
{
	struct address_space *as = &a->file->data;
	u64 start = 0, pos = 0, size = a->nr_slots << PAGE_SHIFT, addr = 0;
	int err = 0;

	rwsem_read_lock(&as->invalidate_lock);
	while (!err && pos < size) {
		struct iomap m = { .len = 0 };

		err = as->iomap->map(a->file, pos, size - pos, 0, &m);
		if (err)
			break;
		if (m.type != IOMAP_MAPPED) {
			pr_err("swapon: %s has holes\n", a->name);
			err = -EINVAL;
			break;
		}
		a->bdev = m.bdev;
		m.addr += pos - m.pos;
		if (pos == 0 || addr + (pos - start) != m.addr) {
			err = add_run(a, start, pos, addr);
			start = pos;
			addr = m.addr;
		}
		pos = min(m.pos + m.len, size);
	}
	rwsem_read_unlock(&as->invalidate_lock);
	return err ? err : add_run(a, start, pos, addr);
}

/* What no extent has, and what the header says, is not used. */
static int make_map(struct swap_area *a, const struct header *h)
{
	u64 n = a->nr_slots, clusters = nr_clusters(a);

	a->map = vmalloc(n * sizeof(*a->map));
	a->cluster_free = kvmalloc(clusters * sizeof(*a->cluster_free), GFP_KERNEL | GFP_ZERO);
	a->cluster_used = kvmalloc(DIV_ROUND_UP(clusters, 64) * 8, GFP_KERNEL | GFP_ZERO);
	a->cluster_taken = kvmalloc(DIV_ROUND_UP(clusters, 64) * 8, GFP_KERNEL | GFP_ZERO);
	if (!a->map || !a->cluster_free || !a->cluster_used || !a->cluster_taken)
		return -ENOMEM;
	for (u64 i = 0; i < n; i++)
		a->map[i] = SLOT_BAD;
	for (u32 e = 0; e < a->nr_extents; e++)
		memset(&a->map[a->extents[e].first], 0, a->extents[e].nr * sizeof(*a->map));
	a->map[0] = SLOT_BAD;
	for (u32 i = 0; i < h->nr_bad; i++) {
		if (!h->bad[i] || h->bad[i] >= n)
			return -EINVAL;
		a->map[h->bad[i]] = SLOT_BAD;
	}
	for (u64 i = 0; i < n; i++)
		if (!a->map[i]) {
			a->cluster_free[i / CLUSTER]++;
			a->nr_usable++;
		}
	a->nr_free = (s64)a->nr_usable;
	if (a->nr_usable)
		return 0;
	pr_err("swapon: %s has no usable page\n", a->name);
	return -EINVAL;
}

/* h: what the first page says; size: of the device or file, in pages.  In words what is wrong with it, or NULL. */
static const char *check_header(const char *page, const struct header *h, u64 size)
{
	if (memcmp(page + PAGE_SIZE - 10, "SWAPSPACE2", 10))
		return memcmp(page + PAGE_SIZE - 10, "SWAP-SPACE", 10) ? "has no swap signature" : "has a header of version 0";
	if (h->version == __builtin_bswap32(1))
		return "was made on a machine of the other byte order";
	if (h->version != 1)
		return "has a header of an unknown version";
	if (!h->last_page)
		return "is empty";
	if (h->last_page >= size)
		return "is shorter than its header says";
	if (h->nr_bad > MAX_BAD)
		return "has too many bad pages";
	return NULL;
}

static int set_up(struct swap_area *a, struct address_space *as, u64 bytes)
{
	const struct header *h;
	const char *wrong;
	struct page *p;
	int err = bytes < 2 * PAGE_SIZE ? -EINVAL : filemap_get(as, 0, false, &p);

	if (err)
		return err;
	h = (const struct header *)((const char *)page_address(p) + 1024);
	wrong = check_header(page_address(p), h, bytes >> PAGE_SHIFT);
	if (wrong) {
		pr_err("swapon: %s %s\n", a->name, wrong);
		err = -EINVAL;
		goto out;
	}
	a->nr_slots = min((u64)h->last_page + 1, MAX_SLOTS);
	err = a->file ? map_file(a) : add_extent(a, 0, a->nr_slots, 0);
	if (!err)
		err = make_map(a, h);
out:
	page_put(p);
	return err;
}

/* Who has the inode's lock sees it whole. */
static void mark_file(struct swap_area *a, bool on)
{
	rwsem_write_lock(&a->file->lock);
	spin_lock(&a->file->spin);
	a->marked = on && !(a->file->flags & INODE_SWAPFILE);
	if (on)
		a->file->flags |= INODE_SWAPFILE;
	else
		a->file->flags &= ~(u32)INODE_SWAPFILE;
	spin_unlock(&a->file->spin);
	rwsem_write_unlock(&a->file->lock);
}

static void area_destroy(struct swap_area *a)
{
	if (a->opened) {
		if (a->marked)
			mark_file(a, false);
		file_put(a->opened);
	} else if (a->bdev) {
		block_close(a->bdev, a);
	}
	vfree(a->map);
	kvfree(a->cluster_free);
	kvfree(a->cluster_used);
	kvfree(a->cluster_taken);
	kfree(a->extents);
	kfree(a);
}

/* The device, for us alone; or the file, which nobody changes from now on. */
static int open_area(struct swap_area *a, const char *path)
{
	struct file *f;
	int err = block_open_path(path, true, a, &a->bdev);

	if (!err)
		return set_up(a, &a->bdev->inode->data, i_size_read(a->bdev->inode));
	if (err != -ENOTBLK)
		return err;
	err = vfs_open(path, O_RDWR, 0, &f);
	if (err)
		return err;
	if (!inode_is_reg(f->inode) || !f->inode->data.iomap) {
		file_put(f);
		return -EINVAL;
	}
	a->opened = f;
	a->file = f->inode;
	mark_file(a, true);
	if (!a->marked)
		return -EBUSY;
	err = vfs_fsync_range(f, 0, ~0ul >> 1, false);
	return err ? err : set_up(a, &a->file->data, i_size_read(a->file));
}

void swap_area_publish(struct swap_area *a)
{
	spin_lock_init(&a->lock, LC_SWAP_AREA);
	swap_cache_init(a);
	a->writable = true;
	rcu_assign_pointer(swap_areas[a->type], a);
	__atomic_fetch_add(&areas_seen, 1, __ATOMIC_RELEASE);
}

static int publish_area(struct swap_area *a, u32 flags)
{
	u32 i;

	for (i = 0; i < SWAP_AREAS && swap_areas[i]; i++)
		;
	if (i == SWAP_AREAS)
		return -EPERM;
	a->type = i;
	a->prio = flags & SWAP_FLAG_PREFER ? (s32)(flags & SWAP_FLAG_PRIO_MASK) : --least_prio;
	if (flags & SWAP_FLAG_DISCARD) {
		bool once = flags & SWAP_FLAG_DISCARD_ONCE, pages = flags & SWAP_FLAG_DISCARD_PAGES;

		if (once || !pages)
			for (u32 e = 0; e < a->nr_extents; e++) {
				u64 skip = a->extents[e].first == 0;	/* the header */

				if (a->extents[e].nr > skip)
					block_discard(a->bdev, a->extents[e].sector + (skip << (PAGE_SHIFT - SECTOR_SHIFT)),
						      (a->extents[e].nr - skip) << (PAGE_SHIFT - SECTOR_SHIFT));
			}
		if (pages || !once)
			a->flags |= SWAP_FLAG_DISCARD_PAGES;
	}
	swap_area_publish(a);
	atomic_inc(&swap_areas_in_use);
	pr_info("swap: %s, %lu kB, priority %d, %u extents\n", a->name, a->nr_usable << (PAGE_SHIFT - 10), a->prio, a->nr_extents);
	return 0;
}

long sys_swapon(const char __user *path, int flags)
{
	struct swap_area *a;
	struct filename fn;
	struct path p;
	int err;

	if (flags & ~(int)SWAP_FLAGS_VALID)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = getname(&fn, path, false);
	if (err)
		return err;
	err = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW, &p);
	if (err) {
		putname(&fn);
		return err;
	}
	a = kzalloc(sizeof(*a), GFP_KERNEL);
	err = a ? 0 : -ENOMEM;
	if (!err) {
		const char *name = path_string(&p, a->name, sizeof(a->name));	/* at the end of it */

		if (name)
			memmove(a->name, name, strlen(name) + 1);
		else
			strlcpy(a->name, fn.name, sizeof(a->name));
		mutex_lock(&areas_mutex);
		err = open_area(a, fn.name);
		if (!err)
			err = publish_area(a, (u32)flags);
		mutex_unlock(&areas_mutex);
		if (err)
			area_destroy(a);
	}
	path_put(&p);
	putname(&fn);
	return err;
}

/* --- swapoff --- */

/* All that mm has in a comes back.  mm is referenced. */
static int bring_back_mm(struct swap_area *a, struct mm *mm)
{
	u64 match = slot_name(a, 0), slot;
	int err = 0;

	rwsem_read_lock(&mm->mmap_lock);
	for (struct vma *v = vma_find(mm, 0); v && !err; v = vma_next(v)) {
		vaddr_t at = v->start;

		while (!err && (at = pt_next_swap(mm, at, v->end, SWAP_AREA_MASK, match, &slot)) < v->end) {
			err = swap_fault(v, at, slot);
			if (!err && signal_pending())
				err = -EINTR;
			if (err == -EIO)		/* it is lost: who touches it shall learn that, by SIGBUS; the area cannot go */
				break;
			at += PAGE_SIZE;
		}
	}
	rwsem_read_unlock(&mm->mmap_lock);
	return err;
}

/* An address space with swapped pages where this pass has not been, referenced. */
static struct mm *next_mm(u64 pass)
{
	struct mm *found = NULL;
	struct task *t;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link) {
		struct mm *mm = READ_ONCE(t->mm);

		if (mm && READ_ONCE(mm->swapoff_seen) != pass && atomic_load(&mm->swapped) && refcount_inc_not_zero(&mm->users)) {
			found = mm;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

/* What is left is in the cache for nobody. */
static void drop_cached(struct swap_area *a)
{
	for (u64 i = 1; i < a->nr_slots; i++) {
		struct page *p;

		if (atomic_load(&a->map[i]) != SLOT_CACHED || !(p = swap_cache_lookup(slot_name(a, i))))
			continue;
		page_lock(p);
		page_wait_writeback(p);
		if (page_flags(p) & PG_SWAPCACHE && p->private == slot_name(a, i) && !slot_entries(p->private))
			swap_cache_remove(p);
		page_unlock(p);
		page_put(p);
	}
}

static bool empty(struct swap_area *a) { return atomic_load(&a->nr_free) == (s64)a->nr_usable; }

static int bring_back(struct swap_area *a)
{
	static u64 pass;	/* [areas_mutex] */
	struct mm *mm;
	int err = 0;

	for (;;) {
		pass++;
		while (!err && (mm = next_mm(pass))) {
			WRITE_ONCE(mm->swapoff_seen, pass);
			err = bring_back_mm(a, mm);
			mm_put(mm);
		}
		if (!err)
			err = shmem_bring_back(a->type);
		if (!err)
			drop_cached(a);
		if (err || empty(a))
			return err;
		if (signal_pending())
			return -EINTR;
		sleep_ns(RETRY_NS);	/* a process comes or goes just now, and is on no list */
	}
}

static void forget_clusters(struct swap_area *a)
{
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)		/* they look at area->writable first, with preemption off */
		atomic_cas(&per_cpu(own_cluster, cpu).area, a, (struct swap_area *)NULL);
}

void swap_area_retire(struct swap_area *a)
{
	forget_clusters(a);
	rcu_assign_pointer(swap_areas[a->type], NULL);
	synchronize_rcu();
	while (atomic_load(&a->users))
		sleep_ns(RETRY_NS);
	forget_clusters(a);		/* who was getting one has it now */
	synchronize_rcu();
}

static int take_off(struct swap_area *a)
{
	u64 file = vmstat_read(VM_FILE_PAGES), shmem = vmstat_read(VM_SHMEM_PAGES);
	int err;

	/* what is there must fit into memory that is free or can be had, and into other areas */
	if (a->nr_usable - free_slots(a) > page_nr_free() + swap_cached() + (file > shmem ? file - shmem : 0) + swap_free() - free_slots(a))
		return -ENOMEM;
	atomic_store(&a->writable, false);
	synchronize_rcu();		/* who is in take_from has counted the slot by then: else the area would look empty, and go with it */
	err = bring_back(a);
	if (err) {
		atomic_store(&a->writable, true);
		return err;
	}
	atomic_dec(&swap_areas_in_use);
	if (a->prio < 0) {		/* those below it move up, as on Linux */
		least_prio++;
		for (u32 i = 0; i < SWAP_AREAS; i++)
			if (swap_areas[i] && swap_areas[i]->prio < a->prio)
				swap_areas[i]->prio++;
	}
	swap_area_retire(a);
	return 0;
}

long sys_swapoff(const char __user *path)
{
	struct swap_area *a = NULL;
	struct path p;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	if (inode_is_dir(p.dentry->inode)) {
		path_put(&p);
		return -EISDIR;
	}
	mutex_lock(&areas_mutex);
	for (u32 i = 0; i < SWAP_AREAS && !a; i++) {
		struct swap_area *b = swap_areas[i];

		if (b && (b->file ? b->file == p.dentry->inode : MODE_IS(READ_ONCE(p.dentry->inode->mode), S_IFBLK) && b->bdev->dev == p.dentry->inode->rdev))
			a = b;
	}
	err = a ? take_off(a) : -EINVAL;
	mutex_unlock(&areas_mutex);
	path_put(&p);
	if (!err)
		area_destroy(a);
	return err;
}

/* --- /proc/swaps --- */

static int swaps_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_puts(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	mutex_lock(&areas_mutex);
	for (u32 i = 0; i < SWAP_AREAS; i++) {
		const struct swap_area *a = swap_areas[i];
		u64 kb, used;

		if (!a)
			continue;
		kb = a->nr_usable << (PAGE_SHIFT - 10);
		used = kb - (free_slots(a) << (PAGE_SHIFT - 10));
		seq_puts(s, a->name);
		for (u64 n = strlen(a->name); n < 40 || n == strlen(a->name); n++)
			seq_putc(s, ' ');
		seq_printf(s, "%s\t%lu\t%s%lu\t%s%d\n", a->file ? "file\t" : "partition", kb, kb < 10000000 ? "\t" : "", used,
			   used < 10000000 ? "\t" : "", a->prio);
	}
	mutex_unlock(&areas_mutex);
	return 0;
}
PROC_FILE(swaps, .path = "swaps", .mode = 0444, .show = swaps_show);
