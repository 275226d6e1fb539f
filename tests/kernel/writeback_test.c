/* Writing back, to a store in memory whose writes land when the test wants. */
#include <linux/mman.h>
#include <fs/inode.h>
#include <fs/super.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <mm/lru.h>
#include <mm/mm_internal.h>
#include <mm/slab.h>
#include <mm/writer_internal.h>

#define PAGES 64

static struct store {
	u8 *data;			/* PAGES pages */
	struct page *flying[PAGES];	/* [lock] written, not yet landed */
	struct spinlock lock;
	bool hold;			/* writes land by land() only */
	int fail;			/* writes end with that */
	u32 writes, numbers;		/* [a] pages and inodes written */
	bool numbers_waited;
	u64 last_index;
	bool in_order;
} store;

static void land(void)
{
	for (u32 i = 0; i < PAGES; i++) {
		struct page *p;

		spin_lock(&store.lock);
		p = store.flying[i];
		store.flying[i] = NULL;
		spin_unlock(&store.lock);
		if (p)
			page_write_end(p, store.fail);
	}
}

static int test_read_page(struct address_space *as, struct page *p)
{
	(void)as;
	memcpy(page_address(p), store.data + p->index * PAGE_SIZE, PAGE_SIZE);
	atomic_fetch_or(&p->flags, PG_UPTODATE);
	page_unlock(p);
	return 0;
}

static int test_write_page(struct address_space *as, struct page *p, struct write_control *wc)
{
	(void)as; (void)wc;
	page_write_begin(p);
	memcpy(store.data + p->index * PAGE_SIZE, page_address(p), PAGE_SIZE);
	spin_lock(&store.lock);
	if (atomic_load(&store.writes) && p->index <= store.last_index)
		store.in_order = false;
	store.last_index = p->index;
	atomic_inc(&store.writes);
	store.flying[p->index] = p;
	spin_unlock(&store.lock);
	page_unlock(p);
	if (!store.hold)
		land();
	return 0;
}

static int test_write_inode(struct inode *i, bool wait)
{
	(void)i;
	atomic_inc(&store.numbers);
	store.numbers_waited = wait;
	return 0;
}

static void test_put_super(struct super *sb)
{
	writer_destroy(sb->writer);
}

static const struct address_space_ops test_aops = { .read_page = test_read_page, .write_page = test_write_page };
static const struct super_ops test_sops = { .write_inode = test_write_inode, .put_super = test_put_super };
static const struct fs_type test_type = { .name = "wbtest" };
static const struct file_ops test_fops = { .read = filemap_read, .write = filemap_write, .mmap = filemap_mmap };

static struct inode *setup(void)
{
	struct super *sb = super_create(&test_type, &test_sops, 0x7773);
	struct inode *i;

	memset(&store, 0, sizeof(store));
	spin_lock_init(&store.lock, LC_INODE_SPIN);
	store.in_order = true;
	store.data = kmalloc(PAGES * PAGE_SIZE, GFP_ZERO);
	VERIFY(sb && store.data);
	sb->writer = writer_create("test");
	i = inode_create(sb);
	VERIFY(sb->writer && i);
	i->mode = S_IFREG | 0644;
	i->data.ops = &test_aops;
	i->data.writer = sb->writer;
	i->fops = &test_fops;
	i->size = PAGES * PAGE_SIZE;
	return i;
}

static void teardown(struct inode *i)
{
	struct super *sb = i->sb;

	store.hold = false;
	land();
	super_write_all(sb, true);
	inode_put(i);
	super_put(sb);
	rcu_barrier();
	kfree(store.data);
}

static void open_file(struct file *f, struct inode *i)
{
	memset(f, 0, sizeof(*f));
	refcount_set(&f->refs, 100);
	f->inode = i;
	f->mapping = i->mapping;
	f->ops = &test_fops;
	f->mode = FMODE_READ | FMODE_WRITE;
	f->wb_err = error_sample(&f->mapping->wb_err);
	spin_lock_init(&f->lock, LC_FILE_SPIN);
}

static void scribble(struct inode *i, u64 index, u8 byte)
{
	struct page *p;

	VERIFY(!filemap_get(&i->data, index, true, &p));
	memset(page_address(p), byte, PAGE_SIZE);
	page_set_dirty(p);
	page_put(p);
}

KTEST(writeback, dirty_pages_reach_the_store_in_order)
{
	struct inode *i = setup();
	u64 dirty = vmstat_read(VM_DIRTY_PAGES), before;
	bool tagged, clean, listed, same = true;
	struct file f;
	int err;

	open_file(&f, i);
	for (u32 k = 0; k < PAGES; k++)
		scribble(i, (k * 37) % PAGES, (u8)k);
	before = vmstat_read(VM_DIRTY_PAGES) - dirty;
	tagged = mapping_tagged(&i->data, TAG_DIRTY);
	listed = !list_empty(&i->dirty_link) && refcount_read(&i->refs) == 2;
	err = file_sync(&f, 0, ~0ull, true);
	clean = !mapping_tagged(&i->data, TAG_DIRTY) && !mapping_tagged(&i->data, TAG_WRITEBACK) && !mapping_tagged(&i->data, TAG_TOWRITE);
	for (u32 k = 0; k < PAGES; k++)
		same = same && store.data[((k * 37) % PAGES) * PAGE_SIZE + 5] == (u8)k;
	teardown(i);
	EXPECT_EQ(err, 0);
	EXPECT_EQ(before, PAGES);
	EXPECT(tagged && listed);
	EXPECT(clean && same && store.in_order);
	EXPECT_EQ(store.writes, PAGES);
	EXPECT_EQ(vmstat_read(VM_DIRTY_PAGES), dirty);
	EXPECT_EQ(vmstat_read(VM_WRITEBACK_PAGES), 0);
}

KTEST(writeback, only_the_range_asked_for)
{
	struct inode *i = setup();
	u32 writes;

	for (u32 k = 0; k < PAGES; k++)
		scribble(i, k, 7);
	filemap_write_range(&i->data, 10 * PAGE_SIZE, 20 * PAGE_SIZE - 1);
	filemap_wait_range(&i->data, 0, ~0ull);
	writes = store.writes;
	teardown(i);
	EXPECT_EQ(writes, 10);
	EXPECT_EQ(store.writes, PAGES);
}

KTEST(writeback, each_opener_is_told_of_an_error_once)
{
	struct inode *i = setup();
	struct file a, b, late, later;
	int e[9];

	open_file(&a, i);
	open_file(&b, i);
	store.fail = -EIO;
	scribble(i, 3, 1);
	filemap_write_range(&i->data, 0, ~0ull);
	e[0] = filemap_wait_range(&i->data, 0, ~0ull);	/* nobody was told: this does not count */
	open_file(&late, i);				/* nobody was told yet: so this one is */
	store.fail = 0;
	e[1] = file_sync(&a, 0, ~0ull, false);
	e[2] = file_sync(&a, 0, ~0ull, false);
	open_file(&later, i);				/* somebody was: this one is not */
	e[3] = file_sync(&b, 0, ~0ull, false);
	e[4] = file_sync(&b, 0, ~0ull, false);
	e[5] = file_sync(&late, 0, ~0ull, false);
	e[6] = file_sync(&later, 0, ~0ull, false);
	store.fail = -ENOSPC;
	scribble(i, 3, 1);
	e[7] = file_sync(&a, 0, ~0ull, false);
	store.fail = 0;
	e[8] = file_sync(&later, 0, ~0ull, false);
	teardown(i);
	EXPECT_EQ(e[0], -EIO);
	EXPECT_EQ(e[1], -EIO);
	EXPECT_EQ(e[2], 0);
	EXPECT_EQ(e[3], -EIO);
	EXPECT_EQ(e[4], 0);
	EXPECT_EQ(e[5], -EIO);
	EXPECT_EQ(e[6], 0);
	EXPECT_EQ(e[7], -ENOSPC);
	EXPECT_EQ(e[8], -ENOSPC);
}

KTEST(writeback, numbers_for_fsync_and_fdatasync)
{
	struct inode *i = setup();
	struct file f;
	u32 n[6];

	open_file(&f, i);
	inode_mark_dirty(i, INODE_DIRTY_META);
	file_sync(&f, 0, ~0ull, true);
	n[0] = store.numbers;			/* 0: times only */
	file_sync(&f, 0, ~0ull, false);
	n[1] = store.numbers;			/* 1 */
	file_sync(&f, 0, ~0ull, false);
	n[2] = store.numbers;			/* 1 */
	inode_mark_dirty(i, INODE_DIRTY_DATASYNC);
	file_sync(&f, 0, ~0ull, true);
	n[3] = store.numbers;			/* 2 */
	inode_mark_dirty(i, INODE_DIRTY_DATASYNC);
	super_write_all(i->sb, true);
	n[4] = store.numbers + !store.numbers_waited;	/* 3, not waited for */
	file_sync(&f, 0, ~0ull, true);
	n[5] = store.numbers + store.numbers_waited;	/* so once more: 4, waited for */
	teardown(i);
	EXPECT_EQ(n[0], 0);
	EXPECT_EQ(n[1], 1);
	EXPECT_EQ(n[2], 1);
	EXPECT_EQ(n[3], 2);
	EXPECT_EQ(n[4], 4);
	EXPECT_EQ(n[5], 5);
}

KTEST(writeback, a_file_without_a_name_is_not_written)
{
	struct inode *i = setup();
	struct super *sb = i->sb;
	u64 dirty = vmstat_read(VM_DIRTY_PAGES);
	u32 writes;

	for (u32 k = 0; k < 8; k++)
		scribble(i, k, 7);
	dirty = vmstat_read(VM_DIRTY_PAGES) - dirty;
	i->nlink = 0;
	inode_put(i);
	writes = store.writes;
	super_put(sb);
	rcu_barrier();
	kfree(store.data);
	EXPECT_EQ(dirty, 8);
	EXPECT_EQ(writes, 0);
	EXPECT_EQ(vmstat_read(VM_DIRTY_PAGES), 0);
}

static void sleep_ms(u64 ms) { schedule_until((set_current_state(TASK_UNINTERRUPTIBLE), clock_mono_ns() + ms * NSEC_PER_MSEC)); }

KTEST(writeback, the_thread_writes_when_asked)
{
	struct inode *i = setup();
	u32 writes, ms = 0;

	for (u32 k = 0; k < PAGES; k += 2)
		scribble(i, k, 7);
	inode_mark_dirty(i, INODE_DIRTY_META);
	super_write_all(i->sb, false);
	while ((atomic_load(&store.writes) < PAGES / 2 || !list_empty(&i->dirty_link)) && ms++ < 5000)
		sleep_ms(1);
	writes = store.writes;
	teardown(i);
	EXPECT(ms < 5000);
	EXPECT_EQ(writes, PAGES / 2);
	EXPECT_EQ(store.numbers, 1);
}

static struct { struct inode *i; u32 stop, ended, dirtied; struct completion done; } busy;

static void lander(void *arg)
{
	(void)arg;
	sleep_ms(30);
	store.hold = false;
	atomic_store(&busy.ended, 1u);
	land();
	complete(&busy.done);
	kthread_exit();
}

KTEST(writeback, sync_waits_for_what_is_in_flight)
{
	struct inode *i = setup();
	bool waited;

	store.hold = true;
	scribble(i, 5, 1);
	completion_init(&busy.done);
	busy.ended = 0;
	filemap_write_range(&i->data, 0, ~0ull);
	EXPECT(kthread_create(lander, NULL, "lander"));
	super_write_all(i->sb, true);
	waited = atomic_load(&busy.ended);
	wait_for_completion(&busy.done);
	teardown(i);
	EXPECT(waited);
}

static void dirtier(void *arg)
{
	(void)arg;
	while (!atomic_load(&busy.stop)) {
		busy.dirtied++;
		scribble(busy.i, busy.dirtied % PAGES, (u8)busy.dirtied);
		if (!(busy.dirtied % 64))
			sleep_ms(0);
	}
	complete(&busy.done);
	kthread_exit();
}

/* Somebody dirties without end, and quicker than it is written: each fsync writes what was dirty when it began. */
KTEST(writeback, fsync_ends_while_others_write)
{
	struct inode *i = setup();
	struct file f;
	u32 most = 0;

	open_file(&f, i);
	busy.i = i;
	busy.stop = busy.dirtied = 0;
	completion_init(&busy.done);
	EXPECT(kthread_create(dirtier, NULL, "dirtier"));
	for (u32 k = 0; k < 50; k++) {
		u32 before = atomic_load(&store.writes);

		file_sync(&f, 0, ~0ull, false);
		most = max(most, atomic_load(&store.writes) - before);
		super_write_all(i->sb, true);
	}
	atomic_store(&busy.stop, 1u);
	wait_for_completion(&busy.done);
	teardown(i);
	EXPECT(most <= PAGES);
}

KTEST(writeback, truncation_cancels)
{
	struct inode *i = setup();
	u64 dirty;

	for (u32 k = 0; k < PAGES; k++)
		scribble(i, k, 7);
	i->size = PAGE_SIZE * 4;
	filemap_truncate(&i->data, i->size);
	dirty = vmstat_read(VM_DIRTY_PAGES);
	teardown(i);
	EXPECT_EQ(dirty, 4);
	EXPECT_EQ(store.writes, 4);
}

/* A store through a shared mapping is seen, and seen again after the page was written. */
KTEST(writeback, mapped_pages_are_write_protected)
{
	struct inode *i = setup();
	struct mm *mm = mm_create();
	struct pte_info info[3];
	struct file f;
	s64 va;
	bool dirty[3];
	int code, sig;

	EXPECT(mm);
	open_file(&f, i);
	rwsem_write_lock(&mm->mmap_lock);
	va = mm_map(mm, &f, 0x10000000, PAGES * PAGE_SIZE, VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_SHARED, MAP_SHARED, 0);
	rwsem_write_unlock(&mm->mmap_lock);
	EXPECT(va > 0);
	sig = mm_fault(mm, (vaddr_t)va + 3 * PAGE_SIZE, 0, &code);
	dirty[0] = mapping_tagged(&i->data, TAG_DIRTY);
	sig |= mm_fault(mm, (vaddr_t)va + 3 * PAGE_SIZE, FAULT_WRITE, &code);
	sig |= mm_fault(mm, (vaddr_t)va + 20 * PAGE_SIZE, FAULT_WRITE, &code);
	pt_lookup(mm, (vaddr_t)va + 3 * PAGE_SIZE, &info[0]);
	dirty[1] = mapping_tagged(&i->data, TAG_DIRTY);
	file_sync(&f, 0, ~0ull, false);
	pt_lookup(mm, (vaddr_t)va + 3 * PAGE_SIZE, &info[1]);
	sig |= mm_fault(mm, (vaddr_t)va + 3 * PAGE_SIZE, FAULT_WRITE, &code);
	pt_lookup(mm, (vaddr_t)va + 3 * PAGE_SIZE, &info[2]);
	dirty[2] = mapping_tagged(&i->data, TAG_DIRTY);
	mm_put(mm);
	teardown(i);
	EXPECT_EQ(sig, 0);
	EXPECT(!dirty[0] && dirty[1] && dirty[2]);
	EXPECT(info[0].present && info[0].writable);
	EXPECT(info[1].present && !info[1].writable);
	EXPECT(info[2].present && info[2].writable);
	EXPECT_EQ(store.writes, 3);
}

/* --- mm/lru.c --- */

static void use_clean(struct inode *i, u64 index)
{
	struct page *p;

	VERIFY(!filemap_get(&i->data, index, true, &p));
	page_put(p);
}

KTEST(lru, clean_pages_go_and_others_stay)
{
	struct inode *i = setup();
	u64 left[2];
	struct page *held;

	for (u32 k = 0; k < PAGES; k++)
		use_clean(i, k);
	for (u32 k = 0; k < 4; k++)
		scribble(i, k, 1);
	VERIFY(!filemap_get(&i->data, 9, true, &held));
	lru_drop();
	left[0] = i->data.nr_pages;	/* four dirty ones, one that somebody holds */
	page_put(held);
	filemap_write_range(&i->data, 0, ~0ull);
	lru_drop();
	left[1] = i->data.nr_pages;
	teardown(i);
	EXPECT_EQ(left[0], 5);
	EXPECT_EQ(left[1], 0);
}

KTEST(lru, used_twice_outlives_used_once)
{
	struct inode *i = setup();
	bool kept = true, gone = false;

	for (u32 k = 0; k < PAGES; k++) {
		struct page *p;

		VERIFY(!filemap_get(&i->data, k, true, &p));
		page_mark_accessed(p);
		if (k < 8)
			page_mark_accessed(p);
		page_put(p);
	}
	lru_shrink(PAGES - 8);
	for (u32 k = 0; k < PAGES; k++) {
		struct page *p = filemap_lookup(&i->data, k);

		if (k < 8)
			kept = kept && p;
		else
			gone = gone || !p;
		if (p)
			page_put(p);
	}
	teardown(i);
	EXPECT(kept);
	EXPECT(gone);
}

KTEST(lru, mapped_pages_are_unmapped_before_they_go)
{
	struct inode *i = setup();
	struct mm *mm = mm_create();
	struct pte_info info;
	struct file f;
	bool locked, there[2];
	int code, sig;
	u64 left;
	s64 va;

	EXPECT(mm);
	open_file(&f, i);
	rwsem_write_lock(&mm->mmap_lock);
	va = mm_map(mm, &f, 0x10000000, PAGES * PAGE_SIZE, VM_READ | VM_MAYREAD | VM_SHARED | VM_LOCKED, MAP_SHARED, 0);
	rwsem_write_unlock(&mm->mmap_lock);
	EXPECT(va > 0);
	sig = mm_fault(mm, (vaddr_t)va + 3 * PAGE_SIZE, 0, &code);
	for (u32 k = 0; k < 8; k++)
		lru_shrink(PAGES);
	locked = pt_lookup(mm, (vaddr_t)va + 3 * PAGE_SIZE, &info) && info.present;
	rwsem_write_lock(&mm->mmap_lock);
	vma_find(mm, (vaddr_t)va)->flags &= ~(u32)VM_LOCKED;
	rwsem_write_unlock(&mm->mmap_lock);
	there[0] = i->data.nr_pages > 0;
	for (u32 k = 0; k < 8; k++)
		lru_shrink(PAGES);
	there[1] = pt_lookup(mm, (vaddr_t)va + 3 * PAGE_SIZE, &info) && info.present;
	left = i->data.nr_pages;
	sig |= mm_fault(mm, (vaddr_t)va + 3 * PAGE_SIZE, 0, &code);
	mm_put(mm);
	teardown(i);
	EXPECT_EQ(sig, 0);
	EXPECT(locked && there[0]);
	EXPECT(!there[1]);
	EXPECT_EQ(left, 0);
}

/* Pages are read, used, written and truncated on all CPUs while others shrink: nothing is lost. */
static void churn(void *arg)
{
	u32 x = (u32)(u64)arg * 2654435761u + 1;

	while (!atomic_load(&busy.stop)) {
		struct page *p;

		x = x * 1664525 + 1013904223;
		if (x >> 28 == 0) {
			lru_shrink(8);
		} else if (x >> 28 == 1) {
			filemap_write_range(&busy.i->data, 0, ~0ull);
		} else if (!filemap_get(&busy.i->data, x >> 8 & (PAGES - 1), true, &p)) {
			u64 *word = (u64 *)((u8 *)page_address(p) + 8 * (u64)arg);

			page_mark_accessed(p);
			if (x & 128) {
				atomic_inc(word);		/* counted in the page, and beside it */
				page_set_dirty(p);
				atomic_inc(&busy.dirtied);
			}
			page_put(p);
		}
		if (!(x >> 20 & 31))
			sched_yield_current();
	}
	if (!atomic_sub_return_acq_rel(&busy.ended, 1u))
		complete(&busy.done);
	kthread_exit();
}

KTEST(lru, nothing_is_lost_in_a_storm)
{
	struct inode *i = setup();
	u64 sum = 0;

	busy.i = i;
	busy.stop = busy.dirtied = 0;
	busy.ended = 4;
	completion_init(&busy.done);
	for (u64 k = 0; k < 4; k++)
		VERIFY(kthread_create(churn, (void *)k, "churn"));
	sleep_ms(1500);
	atomic_store(&busy.stop, 1u);
	wait_for_completion(&busy.done);
	super_write_all(i->sb, true);
	lru_drop();
	for (u64 k = 0; k < PAGES; k++)
		for (u32 w = 0; w < 4; w++)
			sum += *(u64 *)(store.data + k * PAGE_SIZE + 8 * w);
	teardown(i);
	EXPECT_EQ(sum, busy.dirtied);
	EXPECT(sum > 100);
}
