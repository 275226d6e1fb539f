/* Disks and partitions in /sys and /dev: one device of class block each. */
#include <drivers/base/device.h>
#include <drivers/block/request.h>
#include <drivers/block/rescan.h>
#include <drivers/block/stats.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <mm/slab.h>

/* Lives as long as somebody holds the device; bdev is good while its attributes can be entered. */
struct block_dir { struct device dev; struct block_device *bdev; u64 diskseq; };

static struct block_device *bdev_of(const void *object) { return container_of((const struct device *)object, struct block_dir, dev)->bdev; }
struct disk *block_dir_disk(const void *device) { return bdev_of(device)->disk; }
static struct disk *disk_of(const void *object) { return bdev_of(object)->disk; }

/* --- attributes: SHOW(name, value) makes name_show */

#define SHOW(name, value) \
	static int name##_show(struct seq *s, void *object) \
	{ \
		const struct block_device *b = bdev_of(object); \
		const struct disk *d = b->disk; \
		const struct disk_limits *l = &d->limits; \
		(void)d; (void)l; \
		seq_printf(s, "%lu\n", (u64)(value)); \
		return 0; \
	}

SHOW(zero, 0)
SHOW(one, 1)
SHOW(size, READ_ONCE(b->nr_sectors))
SHOW(start, b->start)
SHOW(partition, b->partno)
SHOW(ro, block_read_only(b))
SHOW(removable, d->removable)
SHOW(range, max(d->minors, 1u))
SHOW(ext_range, 256)
SHOW(alignment_offset, b->partno || l->alignment_offset == 0 ? 0 : l->alignment_offset)
SHOW(logical_block_size, l->logical_size)
SHOW(physical_block_size, l->physical_size)
SHOW(minimum_io_size, l->io_min)
SHOW(optimal_io_size, l->io_opt)
SHOW(discard_granularity, l->discard_granularity)
SHOW(discard_max_bytes, (u64)l->max_discard_sectors << SECTOR_SHIFT)
SHOW(write_zeroes_max_bytes, (u64)l->max_zeroes_sectors << SECTOR_SHIFT)
SHOW(max_sectors_kb, l->max_sectors / 2)
SHOW(max_segments, l->max_segments)
SHOW(max_segment_size, l->max_segment_size)
SHOW(rotational, l->rotational)
SHOW(fua, l->fua)
SHOW(read_ahead_kb, READ_ONCE(d->read_ahead_kb))

static int capability_show(struct seq *s, void *object) { (void)object; seq_puts(s, "0\n"); return 0; }
static int scheduler_show(struct seq *s, void *object) { (void)object; seq_puts(s, "[none]\n"); return 0; }
static int zoned_show(struct seq *s, void *object) { (void)object; seq_puts(s, "none\n"); return 0; }

static int diskseq_show(struct seq *s, void *object)
{
	seq_printf(s, "%lu\n", container_of((struct device *)object, struct block_dir, dev)->diskseq);
	return 0;
}

static int stat_show(struct seq *s, void *object)
{
	block_stats_show(s, bdev_of(object));
	return 0;
}

/* Reads and writes; they are counted together, so the first number is all of them. */
static int inflight_show(struct seq *s, void *object)
{
	seq_printf(s, "%8lu %8u\n", block_in_flight(bdev_of(object)), 0u);
	return 0;
}

static int nr_requests_show(struct seq *s, void *object)
{
	const struct block_queue *q = disk_of(object)->queue;

	seq_printf(s, "%u\n", q ? q->depth : 0);
	return 0;
}

static int write_cache_show(struct seq *s, void *object)
{
	seq_puts(s, disk_of(object)->limits.write_cache ? "write back\n" : "write through\n");
	return 0;
}

static int read_ahead_kb_store(void *object, const char *buf, size_t len)
{
	u64 kb;
	int err = kstrtou64(buf, 10, &kb);

	(void)len;
	if (err || kb > ~0u)
		return err ? err : -EINVAL;
	WRITE_ONCE(disk_of(object)->read_ahead_kb, (u32)kb);
	return 0;
}

static const struct attr disk_attrs[] = {
	{ .name = "alignment_offset", .show = alignment_offset_show },
	{ .name = "capability", .show = capability_show },
	{ .name = "discard_alignment", .show = zero_show },
	{ .name = "diskseq", .show = diskseq_show },
	{ .name = "ext_range", .show = ext_range_show },
	{ .name = "hidden", .show = zero_show },
	{ .name = "inflight", .show = inflight_show },
	{ .name = "range", .show = range_show },
	{ .name = "removable", .show = removable_show },
	{ .name = "ro", .show = ro_show },
	{ .name = "size", .show = size_show },
	{ .name = "stat", .show = stat_show },
	{ 0 },
};
static const struct attr queue_attrs[] = {
	{ .name = "chunk_sectors", .show = zero_show },
	{ .name = "discard_granularity", .show = discard_granularity_show },
	{ .name = "discard_max_bytes", .show = discard_max_bytes_show },
	{ .name = "discard_max_hw_bytes", .show = discard_max_bytes_show },
	{ .name = "discard_zeroes_data", .show = zero_show },
	{ .name = "fua", .show = fua_show },
	{ .name = "hw_sector_size", .show = logical_block_size_show },
	{ .name = "iostats", .show = one_show },
	{ .name = "logical_block_size", .show = logical_block_size_show },
	{ .name = "max_hw_sectors_kb", .show = max_sectors_kb_show },
	{ .name = "max_sectors_kb", .show = max_sectors_kb_show },
	{ .name = "max_segment_size", .show = max_segment_size_show },
	{ .name = "max_segments", .show = max_segments_show },
	{ .name = "minimum_io_size", .show = minimum_io_size_show },
	{ .name = "nr_requests", .show = nr_requests_show },
	{ .name = "nr_zones", .show = zero_show },
	{ .name = "optimal_io_size", .show = optimal_io_size_show },
	{ .name = "physical_block_size", .show = physical_block_size_show },
	{ .name = "read_ahead_kb", .show = read_ahead_kb_show, .store = read_ahead_kb_store },
	{ .name = "rotational", .show = rotational_show },
	{ .name = "scheduler", .show = scheduler_show },
	{ .name = "write_cache", .show = write_cache_show },
	{ .name = "write_same_max_bytes", .show = zero_show },
	{ .name = "write_zeroes_max_bytes", .show = write_zeroes_max_bytes_show },
	{ .name = "zoned", .show = zoned_show },
	{ 0 },
};
static const struct attr part_attrs[] = {
	{ .name = "alignment_offset", .show = zero_show },
	{ .name = "discard_alignment", .show = zero_show },
	{ .name = "inflight", .show = inflight_show },
	{ .name = "partition", .show = partition_show },
	{ .name = "ro", .show = ro_show },
	{ .name = "size", .show = size_show },
	{ .name = "start", .show = start_show },
	{ .name = "stat", .show = stat_show },
	{ 0 },
};
static const struct attr no_attrs[] = { { 0 } };

static const struct attr_group disk_group = { .attrs = disk_attrs }, queue_group = { .name = "queue", .attrs = queue_attrs },
	part_group = { .attrs = part_attrs }, holders_group = { .name = "holders", .attrs = no_attrs },
	slaves_group = { .name = "slaves", .attrs = no_attrs };
static const struct attr_group *const disk_groups[] = { &disk_group, &queue_group, &holders_group, &slaves_group, NULL };
static const struct attr_group *const part_groups[] = { &part_group, &holders_group, NULL };
static const struct device_type disk_type = { .name = "disk", .groups = disk_groups }, part_type = { .name = "partition", .groups = part_groups };

static void block_uevent(const struct device *dev, struct seq *s)
{
	const struct block_dir *dir = container_of(dev, struct block_dir, dev);
	const struct block_device *b = dir->bdev;

	seq_printf(s, "DISKSEQ=%lu\n", dir->diskseq);
	if (b->partno)
		seq_printf(s, "PARTN=%u\n", b->partno);
	if (b->partlabel[0])
		seq_printf(s, "PARTNAME=%s\n", (const char *)b->partlabel);
}

static struct device_class block_class = { .name = "block", .uevent = block_uevent };
CLASS(block_class);

/* --- coming and going */

static void dir_release(struct device *dev) { kfree(container_of(dev, struct block_dir, dev)); }

void block_dir_add(struct block_device *b)
{
	static u64 last_diskseq;
	struct block_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	int err = -ENOMEM;

	if (dir) {
		device_init(&dir->dev);
		dir->bdev = b;
		dir->dev.class = &block_class;
		dir->dev.type = b->partno ? &part_type : &disk_type;
		dir->dev.parent = b->partno ? b->disk->whole->device : b->disk->parent;
		dir->dev.groups = b->partno ? NULL : b->disk->groups;
		dir->dev.dev = b->dev;
		dir->dev.block = true;
		dir->dev.release = dir_release;
		dir->diskseq = b->partno && dir->dev.parent ? container_of(dir->dev.parent, struct block_dir, dev)->diskseq :
							      atomic_add_return(&last_diskseq, 1);
		device_set_name(&dir->dev, "%s", b->name);
		err = b->partno && !dir->dev.parent ? -ENOENT : device_add(&dir->dev);
	}
	if (!err) {
		b->device = &dir->dev;
		return;
	}
	pr_warn("block: %s is not in /sys and /dev: error %d\n", b->name, err);
	if (dir)
		device_put(&dir->dev);
}

void block_dir_remove(struct block_device *b)
{
	struct device *dev = b->device;

	b->device = NULL;
	if (dev)
		device_unregister(dev);
}
