/* RAM disks: /dev/ram0 ... for tests, and to try a file system without a disk.
 *
 * brd.rd_nr= says how many (none unless asked), brd.rd_size= how large each is, in KiB.  A disk is a table of pages that come when they are
 * first written; what was not written, or was discarded, reads as zero.  A bio is done when bio_submit returns.
 *
 * A page once in the table is looked at under RCU; discarding takes it out and frees it after a grace period. */
#include <drivers/block/ram.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <mm/slab.h>

#define RAM_MAJOR	1u
BLOCK_MAJOR(ramdisk, RAM_MAJOR, "ramdisk");
#define RAM_MINORS	1u
#define RAM_MAX		16u
#define PAGE_SECTORS	((u32)PAGE_SIZE / SECTOR_SIZE)

struct ram_disk {
	u64 nr_pages;			/* [I] */
	struct page **pages;		/* [R] NULL: zeroes */
};

static u64 rd_nr, rd_size_kib = 4096;

static void param_nr(const char *v)
{
	if (v && kstrtou64(v, 0, &rd_nr))
		pr_warn("ram: brd.rd_nr=%s is no number\n", v);
}
BOOT_PARAM("brd.rd_nr", param_nr);

static void param_size(const char *v)
{
	if (v && kstrtou64(v, 0, &rd_size_kib))
		pr_warn("ram: brd.rd_size=%s is no number\n", v);
}
BOOT_PARAM("brd.rd_size", param_size);

/* The page for writing: made if it is not there.  NULL: no memory. */
static struct page *page_make(struct ram_disk *r, u64 index)
{
	struct page *none = NULL, *p = rcu_dereference(r->pages[index]);

	if (p)
		return p;
	p = page_alloc(0, GFP_ATOMIC | GFP_ZERO);
	if (p && !__atomic_compare_exchange_n(&r->pages[index], &none, p, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		page_free(p, 0);
		p = none;
	}
	return p;
}

/* Copy len bytes at pos of the disk, all in one of its pages, from or to mem. */
static int copy_piece(struct ram_disk *r, bool write, u64 pos, void *mem, u32 len)
{
	u32 off = pos & (PAGE_SIZE - 1);
	struct page *p;
	int err = 0;

	rcu_read_lock();
	p = write ? page_make(r, pos >> PAGE_SHIFT) : rcu_dereference(r->pages[pos >> PAGE_SHIFT]);
	if (p && write)
		memcpy((char *)page_address(p) + off, mem, len);
	else if (p)
		memcpy(mem, (char *)page_address(p) + off, len);
	else if (write)
		err = -ENOSPC;
	else
		memset(mem, 0, len);
	rcu_read_unlock();
	return err;
}

static int copy_bio(struct ram_disk *r, struct bio *bio)
{
	u64 pos = bio_start(bio) << SECTOR_SHIFT;
	int err = 0;

	for (u32 i = 0; i < bio->nr_vecs; i++) {
		char *mem = (char *)page_address(bio->vecs[i].page) + bio->vecs[i].off;
		u32 left = bio->vecs[i].len;

		while (left && !err) {
			u32 n = (u32)min((u64)left, PAGE_SIZE - (pos & (PAGE_SIZE - 1)));

			err = copy_piece(r, bio->op == BIO_WRITE, pos, mem, n);
			pos += n;
			mem += n;
			left -= n;
		}
	}
	return err;
}

/* Zero [pos, end): whole pages go, parts of one are overwritten. */
static void zero_range(struct ram_disk *r, u64 pos, u64 end)
{
	struct page *gone = NULL;

	while (pos < end) {
		u64 index = pos >> PAGE_SHIFT, n = min(end - pos, PAGE_SIZE - (pos & (PAGE_SIZE - 1)));
		struct page *p;

		if (n == PAGE_SIZE) {
			p = __atomic_exchange_n(&r->pages[index], NULL, __ATOMIC_ACQ_REL);
			if (p) {
				p->private = (u64)gone;
				gone = p;
			}
		} else {
			rcu_read_lock();
			p = rcu_dereference(r->pages[index]);
			if (p)
				memset((char *)page_address(p) + (pos & (PAGE_SIZE - 1)), 0, n);
			rcu_read_unlock();
		}
		pos += n;
	}
	if (gone)
		synchronize_rcu();
	while (gone) {
		struct page *p = gone;

		gone = (struct page *)p->private;
		p->private = 0;
		page_free(p, 0);
	}
}

static void ram_submit(struct disk *disk, struct bio *bio)
{
	struct ram_disk *r = disk->private;
	u64 pos = bio_start(bio) << SECTOR_SHIFT;
	int err = 0;

	switch (bio->op) {
	case BIO_READ:
	case BIO_WRITE:
		err = copy_bio(r, bio);
		break;
	case BIO_DISCARD:
	case BIO_WRITE_ZEROES:
		zero_range(r, pos, pos + bio->len);
		break;
	case BIO_FLUSH:
		break;
	}
	bio_end(bio, err);
}

static void ram_free(struct disk *disk)
{
	struct ram_disk *r = disk->private;

	zero_range(r, 0, r->nr_pages << PAGE_SHIFT);
	kvfree(r->pages);
	kfree(r);
}

static const struct disk_ops ram_ops = { .submit = ram_submit, .free = ram_free };

struct disk *ram_disk_create(const char *name, dev_t_k dev, u64 nr_sectors)
{
	struct ram_disk *r = kzalloc(sizeof(*r), GFP_KERNEL);
	struct disk *d;

	if (!r)
		return NULL;
	r->nr_pages = DIV_ROUND_UP(nr_sectors, PAGE_SECTORS);
	r->pages = kvmalloc(r->nr_pages * sizeof(*r->pages), GFP_KERNEL | GFP_ZERO);
	d = r->pages ? disk_create(name, dev, RAM_MINORS, &ram_ops, r) : NULL;
	if (!d) {
		kvfree(r->pages);
		kfree(r);
		return NULL;
	}
	d->limits = (struct disk_limits){ .physical_size = PAGE_SIZE, .discard_granularity = PAGE_SIZE, .max_sectors = ~0u, .max_segments = ~0u,
					  .max_discard_sectors = ~0u, .max_zeroes_sectors = ~0u };
	return d;
}

static int ram_init(void)
{
	for (u32 i = 0; i < min(rd_nr, (u64)RAM_MAX); i++) {
		char name[8];
		struct disk *d;
		int err;

		snprintf(name, sizeof(name), "ram%u", i);
		d = ram_disk_create(name, MKDEV_K(RAM_MAJOR, i * RAM_MINORS), rd_size_kib * 1024 / SECTOR_SIZE);
		err = d ? disk_register(d, rd_size_kib * 1024 / SECTOR_SIZE) : -ENOMEM;
		if (err) {
			pr_err("ram: %s of %llu KiB: error %d\n", name, (unsigned long long)rd_size_kib, err);
			if (d)
				disk_put(d);
			return err;
		}
	}
	return 0;
}
BOOT_INIT(device, ram_init);
