/* Disks and their block devices: the registry, opening and closing.
 *
 * A disk is what a driver registers; block devices are what programs and file systems open: the whole, and each part that the partition
 * table names.  Each has an inode of its own on a nameless superblock, whose data is the device's page cache: the special file in /dev
 * is only a name for it, and there may be several.
 *
 * Lifetime.  The driver holds a reference on its disk, and so does each opener of one of its block devices; these live as long as the
 * disk, or until the partition table is read anew while nobody has them open.  A bio in flight belongs to an opener.
 *
 * Who may have it for himself: a holder of the whole excludes holders of parts, and a holder of a part those of the whole; openers without a
 * holder (programs that look at the raw device) are excluded by nobody.
 *
 * Locks.  disks_mutex guards the list of disks; under it a reference is taken.  disk->mutex guards the rest; the partition table is read under it. */
#include <arch/cpu.h>
#include <drivers/base/device.h>
#include <drivers/block/disk.h>
#include <drivers/block/rescan.h>
#include <drivers/block/stats.h>
#include <fs/buffer.h>
#include <fs/inode.h>
#include <fs/iomap.h>
#include <fs/namei.h>
#include <fs/super.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <mm/slab.h>
#include <mm/writeback.h>

#define BLKEXT_MAJOR	259u

static DEFINE_MUTEX(disks_mutex, LC_DISKS);
static struct list_head disks = LIST_HEAD_INIT(disks);	/* [disks_mutex] disk.link */
static struct super *bdev_super;			/* [a] made with the first disk, for good */
static u32 disks_come;					/* [a] how many ever did */
static DEFINE_WAIT_QUEUE(disks_wq);

/* --- block devices --- */

static bool ends_in_digit(const char *s) { return *s && is_digit(s[strlen(s) - 1]); }

struct block_device *block_device_create(struct disk *disk, u32 partno, u64 start, u64 nr_sectors)
{
	struct block_device *b = kzalloc(sizeof(*b), GFP_KERNEL);
	struct writer *writer;

	if (!b)
		return NULL;
	b->inode = inode_create(bdev_super);
	b->stats = kcalloc(nr_cpus, sizeof(*b->stats), GFP_KERNEL);
	writer = writer_create(partno ? "part" : disk->name);
	if (!b->inode || !b->stats || !writer) {
		if (b->inode)
			inode_put(b->inode);
		if (writer)
			writer_destroy(writer);
		kfree(b->stats);
		kfree(b);
		return NULL;
	}
	b->disk = disk;
	b->dev = partno < disk->minors || !partno ? disk->dev + partno : MKDEV_K(BLKEXT_MAJOR, DEV_MINOR(disk->dev) * 256 + partno);
	b->partno = partno;
	b->start = start;
	if (partno)
		snprintf(b->name, sizeof(b->name), "%s%s%u", disk->name, ends_in_digit(disk->name) ? "p" : "", partno);
	else
		strscpy(b->name, disk->name, sizeof(b->name));
	list_init(&b->link);
	inode_init_mode(b->inode, S_IFBLK | 0600, b->dev);
	b->inode->private = b;
	b->inode->data.ops = &buffer_aops;
	b->inode->data.writer = writer;
	b->inode->data.iomap = &block_iomap;
	block_device_resize(b, nr_sectors);
	return b;
}

void block_device_free(struct block_device *b)
{
	ASSERT(!b->openers);
	writer_destroy(b->inode->data.writer);
	b->inode->data.writer = NULL;
	inode_put(b->inode);
	kfree(b->stats);
	kfree(b);
}

void block_device_resize(struct block_device *b, u64 nr_sectors)
{
	WRITE_ONCE(b->nr_sectors, nr_sectors);
	i_size_write(b->inode, nr_sectors << SECTOR_SHIFT);
}

/* --- the registry --- */

static int bdev_super_ready(void)
{
	static const struct fs_type type = { .name = "bdev" };

	if (!bdev_super)
		bdev_super = super_create(&type, NULL, 0x62646576);
	return bdev_super ? 0 : -ENOMEM;
}

struct disk *disk_create(const char *name, dev_t_k dev, u32 minors, const struct disk_ops *ops, void *private)
{
	struct disk *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return NULL;
	strscpy(d->name, name, sizeof(d->name));
	d->dev = dev;
	d->minors = minors;
	d->ops = ops;
	d->private = private;
	d->read_ahead_kb = 128;
	refcount_set(&d->refs, 1);
	mutex_init(&d->mutex, LC_DISK);
	mutex_init(&d->scan_mutex, LC_DISK_SCAN);
	list_init(&d->parts);
	list_init(&d->link);
	return d;
}

static void limits_complete(struct disk_limits *l)
{
	if (!l->logical_size)
		l->logical_size = SECTOR_SIZE;
	l->physical_size = max(l->physical_size, l->logical_size);
	l->io_min = max(l->io_min, l->physical_size);
	if (!l->max_sectors)
		l->max_sectors = 255;
	if (!l->max_segments)
		l->max_segments = 128;
	if (!l->max_segment_size)
		l->max_segment_size = 65536;
}

/* disks_mutex held. */
static int add_to_list(struct disk *d)
{
	struct disk *other;
	int err = bdev_super_ready();

	if (!err)
		err = bio_reserve_ready(d->depth);
	if (err)
		return err;
	list_for_each_entry(other, &disks, link)
		if (other->dev == d->dev || !strcmp(other->name, d->name))
			return -EEXIST;
	list_add_tail(&d->link, &disks);
	return 0;
}

int disk_register(struct disk *d, u64 nr_sectors)
{
	int err;

	limits_complete(&d->limits);
	ASSERT(d->depth < DISK_DEPTH_MAX);
	mutex_lock(&disks_mutex);
	err = bdev_super_ready();
	if (!err && !(d->whole = block_device_create(d, 0, 0, nr_sectors)))
		err = -ENOMEM;
	if (!err)
		err = add_to_list(d);
	mutex_unlock(&disks_mutex);
	if (err)
		return err;
	if (nr_sectors)
		pr_info("block: %s: %llu sectors of %u bytes%s\n", d->name, (unsigned long long)(nr_sectors / (d->limits.logical_size / SECTOR_SIZE)),
			d->limits.logical_size, d->read_only ? ", read-only" : "");
	mutex_lock(&d->scan_mutex);
	block_dir_add(d->whole);
	mutex_unlock(&d->scan_mutex);
	if (nr_sectors)
		(void)disk_rescan(d);		/* it says itself what is wrong */
	atomic_inc(&disks_come);
	wake_up_all(&disks_wq);
	return 0;
}

u32 disks_seen(void) { return atomic_load_acquire(&disks_come); }
void disks_wait(u32 seen) { wait_event(&disks_wq, disks_seen() != seen); }

void disk_unregister(struct disk *d)
{
	atomic_store(&d->dead, true);
	mutex_lock(&disks_mutex);
	list_del(&d->link);
	list_init(&d->link);
	mutex_unlock(&disks_mutex);
	if (!d->whole)			/* it was not registered whole */
		return;
	disk_forget_parts(d);
	block_dir_remove(d->whole);
}

void disk_put(struct disk *d)
{
	struct block_device *b, *next;

	if (!refcount_dec_and_test(&d->refs))
		return;
	list_for_each_entry_safe(b, next, &d->parts, link) {
		list_del(&b->link);
		block_device_free(b);
	}
	if (d->whole)
		block_device_free(d->whole);
	if (d->ops->free)
		d->ops->free(d);
	kfree(d);
}

void disk_set_capacity(struct disk *d, u64 nr_sectors)
{
	u64 old;

	mutex_lock(&d->mutex);
	old = d->whole->nr_sectors;
	block_device_resize(d->whole, nr_sectors);
	mutex_unlock(&d->mutex);
	if (old != nr_sectors)
		pr_info("block: %s: %llu sectors now, %llu before\n", d->name, (unsigned long long)nr_sectors, (unsigned long long)old);
	mutex_lock(&d->scan_mutex);
	if (old != nr_sectors && d->whole->device)
		device_event(d->whole->device, DEVICE_CHANGE, "RESIZE=1\n");
	mutex_unlock(&d->scan_mutex);
}

int disk_set_depth(struct disk *d, u32 depth)
{
	int err = bio_reserve_ready(depth);

	if (!err)
		d->depth = depth;
	return err;
}

int disk_each(int (*fn)(struct disk *disk, void *arg), void *arg)
{
	struct disk *d, *prev = NULL;
	int err = 0;

	/* The reference keeps the disk and, once it is off the list, its link empty: then the walk ends there. */
	mutex_lock(&disks_mutex);
	for (struct list_head *pos = disks.next; !err && pos != &disks; pos = d->link.next) {
		d = container_of(pos, struct disk, link);
		disk_get(d);
		mutex_unlock(&disks_mutex);
		if (prev)
			disk_put(prev);
		prev = d;
		err = fn(d, arg);
		mutex_lock(&disks_mutex);
		if (list_empty(&d->link))
			break;
	}
	mutex_unlock(&disks_mutex);
	if (prev)
		disk_put(prev);
	return err;
}

/* --- opening --- */

/* The disk that dev may belong to, referenced: by its numbers, or for major 259 by what its parts say. */
static struct disk *disk_find(dev_t_k dev)
{
	struct disk *d, *found = NULL;
	struct block_device *b;

	mutex_lock(&disks_mutex);
	list_for_each_entry(d, &disks, link) {
		bool ours = dev >= d->dev && dev < d->dev + d->minors;

		if (!ours && DEV_MAJOR(dev) == BLKEXT_MAJOR) {
			mutex_lock(&d->mutex);
			list_for_each_entry(b, &d->parts, link)
				ours |= b->dev == dev;
			mutex_unlock(&d->mutex);
		}
		if (ours) {
			disk_get(d);
			found = d;
			break;
		}
	}
	mutex_unlock(&disks_mutex);
	return found;
}

/* disk->mutex held, as below. */
static struct block_device *find_part(struct disk *d, dev_t_k dev)
{
	struct block_device *b;

	if (d->whole->dev == dev)
		return d->whole;
	list_for_each_entry(b, &d->parts, link)
		if (b->dev == dev)
			return b;
	return NULL;
}

static bool may_hold(const struct block_device *b, const void *holder)
{
	const struct disk *d = b->disk;
	const struct block_device *part;

	if (b->holder)
		return b->holder == holder;
	if (b->partno)
		return !d->whole->holder || d->whole->holder == holder;
	list_for_each_entry(part, &d->parts, link)
		if (part->holder && part->holder != holder)
			return false;
	return true;
}

static int open_locked(struct disk *d, dev_t_k dev, bool write, const void *holder, struct block_device **out)
{
	struct block_device *b;
	int err = 0;

	if (atomic_load(&d->dead))
		return -ENXIO;
	b = find_part(d, dev);
	if (!b)
		return -ENXIO;
	if (write && atomic_load(&d->read_only))
		return -EACCES;
	if (holder && !may_hold(b, holder))
		return -EBUSY;
	if (!d->openers && d->ops->open)
		err = d->ops->open(d);
	if (err)
		return err;
	d->openers++;
	WRITE_ONCE(b->openers, b->openers + 1);
	if (holder) {
		b->holder = holder;
		b->holds++;
	}
	*out = b;
	return 0;
}

int block_open(dev_t_k dev, bool write, const void *holder, struct block_device **out)
{
	struct disk *d = disk_find(dev);
	int err;

	if (!d)
		return -ENXIO;
	mutex_lock(&d->mutex);
	err = open_locked(d, dev, write, holder, out);
	mutex_unlock(&d->mutex);
	if (err)
		disk_put(d);
	return err;
}

int block_open_path(const char *path, bool write, const void *holder, struct block_device **out)
{
	struct inode *inode;
	struct path p;
	int err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	inode = p.dentry->inode;
	if (!MODE_IS(READ_ONCE(inode->mode), S_IFBLK))
		err = -ENOTBLK;
	else if (p.mnt->flags & MS_NODEV)
		err = -EACCES;
	else
		err = block_open(inode->rdev, write, holder, out);
	path_put(&p);
	return err;
}

void block_close(struct block_device *b, const void *holder)
{
	struct disk *d = b->disk;

	if (READ_ONCE(b->openers) == 1)
		buffers_sync(b);	/* the most of it without the lock, for which others wait to open the disk */
	mutex_lock(&d->mutex);
	if (b->openers == 1) {
		buffers_sync(b);
		filemap_evict(&b->inode->data);
	}
	WRITE_ONCE(b->openers, b->openers - 1);
	if (holder && --b->holds == 0)
		b->holder = NULL;
	if (--d->openers == 0 && d->ops->release)
		d->ops->release(d);
	mutex_unlock(&d->mutex);
	disk_put(d);
}
