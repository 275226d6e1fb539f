/* fs/iomap.c and its kin against an array: a file system of one file on a RAM disk, whose blocks lie shuffled and in short runs, with
 * holes, of each size of block; writes, reads, truncations, holes and mapped stores drawn from a seed, its pages written back and
 * dropped in between; then the same with each allocation failing, and with a disk too small. */
#include <drivers/block/ram.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iomap.h>
#include <fs/iomap_internal.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/task.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <mm/vmalloc.h>
#include <mm/writeback.h>

#define FILE_MAX	(256u << 10)
#define HOLE		(~0u)
#define SCRATCH		(128u << 10)	/* in the linear map: direct I/O goes to its pages */
#define scratch		t.buf

static struct {
	struct super sb;
	struct disk *disk;
	struct block_device *bdev;
	struct inode *inode;
	struct file file;
	struct mutex lock;	/* LC_FS_PRIVATE: map and free */
	u32 block, nr_blocks, nr_disk, nr_free;
	u32 *map;		/* of the file: disk block, or HOLE */
	u32 *order;		/* of the disk: free blocks, shuffled */
	u8 *buf;
	u8 *model;		/* what the file should hold; zero beyond its end */
	u64 seed;
	bool failing;		/* allocations do */
} t;

static u32 draw(u32 n)
{
	t.seed = t.seed * 6364136223846793005ul + 1442695040888963407ul;
	return (u32)(t.seed >> 33) % n;
}

static bool follows(u32 i)
{
	return t.map[i] == HOLE ? t.map[i - 1] == HOLE : t.map[i - 1] != HOLE && t.map[i] == t.map[i - 1] + 1;
}

static int test_map(struct inode *inode, u64 pos, u64 len, u32 flags, struct iomap *out)
{
	u32 i = (u32)(pos / t.block), n = 1, most = (u32)DIV_ROUND_UP(pos % t.block + len, t.block);
	int err = 0;

	(void)inode;
	*out = (struct iomap){ .pos = (u64)i * t.block, .bdev = t.bdev };
	if (i >= t.nr_blocks) {
		out->len = ALIGN_UP(pos % t.block + len, (u64)t.block);
		return flags & IOMAP_WRITE ? -ENOSPC : 0;
	}
	mutex_lock(&t.lock);
	if (t.map[i] == HOLE && flags & IOMAP_WRITE) {
		u32 run = min(1 + draw(4), most);

		for (n = 0; n < run && i + n < t.nr_blocks && t.map[i + n] == HOLE && t.nr_free; n++) {
			if (n && t.order[t.nr_free - 1] != t.map[i + n - 1] + 1)
				break;
			t.map[i + n] = t.order[--t.nr_free];
		}
		err = n ? 0 : -ENOSPC;
		out->flags = IOMAP_NEW;
	} else {
		while (n < most && i + n < t.nr_blocks && follows(i + n) && draw(8))
			n++;
	}
	out->type = t.map[i] == HOLE ? IOMAP_HOLE : IOMAP_MAPPED;
	out->addr = (u64)t.map[i] * t.block;
	out->len = (u64)n * t.block;
	mutex_unlock(&t.lock);
	return err;
}

static int test_free(struct inode *inode, u64 start, u64 end)
{
	(void)inode;
	mutex_lock(&t.lock);
	for (u64 i = DIV_ROUND_UP(start, t.block); i < t.nr_blocks && (i + 1) * t.block <= end; i++)
		if (t.map[i] != HOLE) {
			t.order[t.nr_free++] = t.map[i];
			t.map[i] = HOLE;
		}
	mutex_unlock(&t.lock);
	return 0;
}

static int test_write_inode(struct inode *inode, bool wait) { (void)inode; (void)wait; return 0; }

static const struct iomap_ops test_iomap = { .map = test_map };

static void fs_close(void)
{
	if (t.inode) {
		if (t.sb.writer)
			super_write_all(&t.sb, true);
		inode_put(t.inode);
		if (t.sb.writer)
			writer_destroy(t.sb.writer);
		rcu_barrier();			/* it looks at its superblock */
	}
	if (t.bdev)
		block_close(t.bdev, &t);
	if (t.disk) {
		disk_unregister(t.disk);
		disk_put(t.disk);
	}
	vfree(t.map);
	vfree(t.order);
	vfree(t.model);
	kfree(t.buf);
	memset(&t, 0, sizeof(t));
}

static bool fs_open(u32 block, u32 disk_bytes)
{
	static const struct file_ops fops = { .read = iomap_file_read, .write = iomap_file_write };
	static const struct super_ops sops = { .write_inode = test_write_inode };
	dev_t_k dev = MKDEV_K(60, 0);

	t.block = block;
	t.nr_blocks = FILE_MAX / block;
	t.nr_disk = disk_bytes / block;
	t.seed = block * 977ul + disk_bytes;
	mutex_init(&t.lock, LC_FS_PRIVATE);
	t.disk = ram_disk_create("testram", dev, disk_bytes / SECTOR_SIZE);
	if (!t.disk || disk_register(t.disk, disk_bytes / SECTOR_SIZE) || block_open(dev, true, &t, &t.bdev))
		return false;
	t.sb = (struct super){ .ops = &sops, .writer = writer_create("testfs"), .block_size = block, .max_bytes = FILE_MAX, .bdev = t.bdev };
	t.map = vmalloc(t.nr_blocks * sizeof(u32));
	t.order = vmalloc(t.nr_disk * sizeof(u32));
	t.model = vmalloc(FILE_MAX);
	t.buf = kmalloc(SCRATCH, GFP_KERNEL);
	t.inode = inode_create(&t.sb);
	if (!t.map || !t.order || !t.model || !t.buf || !t.inode)
		return false;
	inode_init_mode(t.inode, S_IFREG | 0644, 0);
	t.inode->data.ops = &iomap_aops;
	t.inode->data.iomap = &test_iomap;
	t.inode->data.writer = t.sb.writer;
	t.file = (struct file){ .inode = t.inode, .mapping = &t.inode->data, .ops = &fops, .mode = FMODE_READ | FMODE_WRITE, .flags = O_RDWR };
	memset(t.map, 0xff, t.nr_blocks * sizeof(u32));
	memset(t.model, 0, FILE_MAX);
	t.nr_free = t.nr_disk;
	for (u32 i = 0; i < t.nr_disk; i++)	/* downwards, since they are taken from the end */
		t.order[i] = t.nr_disk - 1 - i;
	for (u32 i = 0; i < t.nr_disk / 3; i++) {
		u32 a = draw(t.nr_disk), b = draw(t.nr_disk);

		swap(t.order[a], t.order[b]);
	}
	for (u32 i = 0; i < t.nr_disk; i++) {	/* what was there before must never be seen */
		struct page *p = page_alloc(0, GFP_KERNEL);
		struct bio *bio = p ? bio_alloc(t.bdev, BIO_WRITE, 0, (u64)i * block / SECTOR_SIZE, 1, GFP_KERNEL) : NULL;

		if (!bio)
			return false;
		memset(page_address(p), 0xee, block);
		bio_add(bio, p, 0, block);
		bio_submit_wait(bio);
		bio_free(bio);
		page_put(p);
	}
	return t.inode->data.writer != NULL;
}


/* Does the file read as the model says? */
static bool agrees(u32 pos, u32 len)
{
	u64 at = pos;
	u32 want = pos >= t.inode->size ? 0 : (u32)min((u64)len, t.inode->size - pos);
	ssize_t n = vfs_read_kernel(&t.file, scratch, len, &at);

	if (t.failing && n == -ENOMEM)
		return true;
	if (t.failing && n >= 0 && n < (ssize_t)want)	/* it may do less, but nothing wrong */
		want = (u32)n;
	if (n == (ssize_t)want && !memcmp(scratch, t.model + pos, want))
		return true;
	for (u32 i = 0; i < want; i++)
		if (n != (ssize_t)want || scratch[i] != t.model[pos + i]) {
			pr_err("iomap_test: %u at %u, size %llu: read %ld, byte %u is %x, should be %x\n", len, pos,
			       (unsigned long long)t.inode->size, (long)n, i, scratch[i], t.model[pos + i]);
			break;
		}
	return false;
}

static ssize_t do_write(u32 pos, u32 len)
{
	u64 at = pos;
	ssize_t n;

	for (u32 i = 0; i < len; i++)
		scratch[i] = (u8)draw(255) + 1;
	n = vfs_write_kernel(&t.file, scratch, len, &at);
	if (n > 0)
		memcpy(t.model + pos, scratch, (size_t)n);
	return n;
}

/* A call that failed may have zeroed some of [pos, end), and nothing else: the model follows. */
static int follow(int err, u64 pos, u64 end)
{
	u64 at = pos;

#ifdef CONFIG_DEBUG
	current->fail_nth = 0;
#endif
	if (!err || pos >= end)
		return err;
	end = min(end, pos + SCRATCH);
	if (vfs_read_kernel(&t.file, scratch, end - pos, &at) != (ssize_t)(end - pos))
		return -EINVAL;
	for (u64 i = pos; i < end; i++) {
		if (scratch[i - pos] && scratch[i - pos] != t.model[i])
			return -EINVAL;
		t.model[i] = scratch[i - pos];
	}
	return err;
}

static int do_truncate(u32 size)
{
	u64 old = t.inode->size;
	int err;

	rwsem_write_lock(&t.inode->lock);
	err = iomap_truncate(t.inode, size, test_free);
	rwsem_write_unlock(&t.inode->lock);
	if (!err && size < old)
		memset(t.model + size, 0, old - size);
	return follow(err, size, min(ALIGN_UP((u64)size, PAGE_SIZE), old));
}

static int do_punch(u32 pos, u32 len)
{
	u64 end = min((u64)pos + len, t.inode->size);
	int err;

	rwsem_write_lock(&t.inode->lock);
	err = iomap_punch(t.inode, pos, pos + len, test_free);
	rwsem_write_unlock(&t.inode->lock);
	if (!err && pos < end)
		memset(t.model + pos, 0, end - pos);
	return follow(err, pos, end);
}

/* What a program does through a mapping: beyond the end of file, too. */
static int do_store(u32 pos)
{
	struct address_space *as = &t.inode->data;
	struct page *p;
	u32 base = pos & (u32)PAGE_MASK;
	int err;

	if (base >= t.inode->size)
		return 0;
	err = filemap_get(as, pos >> PAGE_SHIFT, true, &p);
	if (err)
		return err;
	page_lock(p);
	rwsem_read_lock(&as->invalidate_lock);
	err = p->mapping == as ? iomap_mkwrite(as, p) : -EAGAIN;
	rwsem_read_unlock(&as->invalidate_lock);
	if (!err) {
		u8 byte = (u8)draw(255) + 1;

		((u8 *)page_address(p))[pos - base] = byte;
		if (pos < t.inode->size)
			t.model[pos] = byte;
	}
	page_unlock(p);
	page_put(p);
	return err;
}

static int do_sync(bool drop)
{
	int err = filemap_write_range(&t.inode->data, 0, ~0ul);

	filemap_wait_range(&t.inode->data, 0, ~0ul);
	return err || !drop ? err : filemap_invalidate(&t.inode->data, 0, FILE_MAX);
}

/* The same past the cache: positions and lengths in sectors, memory in sectors. */
static ssize_t do_direct(u32 pos, u32 len)
{
	u32 shift = draw(8) * SECTOR_SIZE;
	u64 at = pos & ~(SECTOR_SIZE - 1);
	ssize_t n;

	len = min(ALIGN_UP(len, SECTOR_SIZE), 64u << 10);
	t.file.flags |= O_DIRECT;
	t.buf += shift;
	if (draw(2)) {
		n = agrees((u32)at, len) ? 0 : -EINVAL;
	} else {
		n = do_write((u32)at, min(len, FILE_MAX - (u32)at));
	}
	t.buf -= shift;
	t.file.flags &= ~(u32)O_DIRECT;
	return n;
}

static ssize_t step(void)
{
	u32 pos = draw(FILE_MAX), len = 1 + draw(draw(4) ? 3000 : (u32)(70u << 10));

	switch (draw(18)) {
	case 0:
		return do_truncate(draw(3) ? draw(FILE_MAX) : pos & ~(t.block - 1));
	case 1: case 2:
		return do_punch(pos, len);
	case 3: case 4:
		return do_store(pos);
	case 5:
		return do_sync(draw(2));
	case 6: case 7:
		return agrees(pos, len) ? 0 : -EINVAL;
	case 8:
		return do_write(pos & (u32)PAGE_MASK, min(ALIGN_UP(len, (u32)PAGE_SIZE), 16u << PAGE_SHIFT));
	case 9:
		return t.inode->size < FILE_MAX ? do_write((u32)t.inode->size, len) : 0;
	case 10: case 11:
		return do_direct(pos, len);
	default:
		return do_write(pos, len);
	}
}

static bool all_agrees(void)
{
	for (u32 pos = 0; pos < FILE_MAX; pos += 64u << 10)
		if (!agrees(pos, 64u << 10))
			return false;
	return true;
}

static bool run(u32 block, u32 disk_bytes, u32 steps, bool room)
{
	bool ok = fs_open(block, disk_bytes);

	for (u32 i = 0; ok && i < steps; i++) {
		ssize_t n = step();

		ok = n >= 0 || (!room && n == -ENOSPC);
		if (!ok)
			pr_err("iomap_test: block %u step %u: %ld\n", block, i, (long)n);
	}
	ok = ok && all_agrees() && !do_sync(true) && all_agrees();
	fs_close();
	return ok;
}

KTEST(iomap, blocks_of_512) { EXPECT(run(512, 2u << 20, 600, true)); }
KTEST(iomap, blocks_of_1024) { EXPECT(run(1024, 2u << 20, 600, true)); }
KTEST(iomap, blocks_of_2048) { EXPECT(run(2048, 2u << 20, 600, true)); }
KTEST(iomap, blocks_of_4096) { EXPECT(run(4096, 2u << 20, 600, true)); }
KTEST(iomap, full_disk_1024) { EXPECT(run(1024, 96u << 10, 600, false)); }
KTEST(iomap, full_disk_4096) { EXPECT(run(4096, 96u << 10, 600, false)); }

#ifdef CONFIG_DEBUG
/* Whatever fails, what a call said it did is there, and the rest is as before. */
static bool run_failing(u32 block)
{
	bool ok = fs_open(block, 2u << 20);

	for (u32 i = 0; ok && i < 1500; i++) {
		ssize_t n;

		t.failing = true;
		current->fail_nth = 1 + draw(12);
		n = step();
		current->fail_nth = 0;
		ok = n >= 0 || n == -ENOMEM || n == -EIO || n == -ENOSPC;
		if (!ok)
			pr_err("iomap_test: block %u step %u: %ld\n", block, i, (long)n);
	}
	t.failing = false;
	ok = ok && all_agrees();
	fs_close();
	return ok;
}

KTEST(iomap, failing_allocations_512) { EXPECT(run_failing(512)); }
KTEST(iomap, failing_allocations_1024) { EXPECT(run_failing(1024)); }
KTEST(iomap, failing_allocations_4096) { EXPECT(run_failing(4096)); }
#endif
