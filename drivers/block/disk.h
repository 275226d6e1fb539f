/* Disks: what a driver of one registers. */
#pragma once
#include <drivers/block/block.h>
#include <kernel/lib/refcount.h>
#include <kernel/sync/mutex.h>

struct attr_group;
struct block_queue;

/* What the device can do with one request; 0 in max_discard_sectors or max_zeroes_sectors: it cannot do that.  Sectors of 512 bytes, other
 * sizes in bytes. */
struct disk_limits {
	u32 logical_size, physical_size;	/* powers of two; 0: 512 */
	u32 io_min, io_opt, alignment_offset;	/* hints, for programs that lay out file systems */
	u32 max_sectors, max_segments, max_segment_size;	/* of a read or write; 0: 255, 128, 64 KiB */
	u32 max_discard_sectors, discard_granularity, max_zeroes_sectors;
	bool rotational;
	bool write_cache;			/* what it says was written may be lost until a flush */
	bool fua;				/* obeys BIO_FUA by itself */
};

struct disk_ops {
	/* submit - for a device without a queue: begin bio, which bio_submit has checked; it ends by bio_end, now or later.  bio_start says
	 * where.  Context: thread, may sleep. */
	void (*submit)(struct disk *disk, struct bio *bio);
	/* open, release - the first opener of the disk or a part of it came, the last went.  Locks: disk->mutex. */
	int (*open)(struct disk *disk);
	void (*release)(struct disk *disk);
	/* ioctl - what block_ioctl does not know, of f, whose private is the block device; -ENOTTY. */
	long (*ioctl)(struct file *f, u32 cmd, u64 arg);
	/* free - the last reference is gone: nobody has it open, nothing is in flight. */
	void (*free)(struct disk *disk);
};

struct disk {
	char name[32];			/* [I] "vda" */
	dev_t_k dev;			/* [I] of the whole; parts follow */
	u32 minors;			/* [I] numbers that are this disk's; parts beyond get numbers of major 259 */
	const struct disk_ops *ops;	/* [I] */
	void *private;			/* [I] the driver's */
	struct disk_limits limits;	/* [I] once registered, but where disk_set_limits changes it */
	struct block_queue *queue;	/* [I] NULL: ops->submit takes bios */
	u32 depth;			/* [I] 0: hardware; devices on top of others count up */
	struct refcount refs;
	struct mutex mutex;		/* LC_DISK */
	struct device *parent;		/* [I] what it stands behind in /sys: the virtio device; NULL: nothing */
	const struct attr_group *const *groups;	/* [I] the driver's own attributes of it (drivers/base/kobject.h), or NULL */
	struct mutex scan_mutex;	/* LC_DISK_SCAN: one change of the set of parts at a time, and of who has a directory */
	struct block_device *whole;	/* [I] */
	struct list_head parts;		/* [mutex] block_device.link */
	u32 openers;			/* [mutex] of the whole and the parts */
	u32 read_ahead_kb;		/* [a] for the page cache; 0: none */
	bool read_only, hard_read_only;	/* [a]; [I] the device itself refuses to be written */
	bool removable;			/* [I] */
	bool dead;			/* [a] the device is gone */
	bool scanned;			/* [mutex] the partition table was read */
	struct list_head link;		/* [disks_mutex] */
};

/* disk_create - refs 1, not yet seen by anybody; the driver fills in limits, queue, depth.  NULL: no memory. */
struct disk *disk_create(const char *name, dev_t_k dev, u32 minors, const struct disk_ops *ops, void *private);
/* disk_register - it is there, of that many sectors: its node appears, programs may open it.  0, -EEXIST, -ENOMEM; the caller still
 * holds its reference.  disk_unregister - the device is gone: the node disappears, new bios end with -ENODEV; who has it open keeps a
 * reference.  The driver ends what is in flight, then puts its own.  Context: thread, may sleep. */
int __must_check disk_register(struct disk *disk, u64 nr_sectors);
void disk_unregister(struct disk *disk);
void disk_put(struct disk *disk);
static inline void disk_get(struct disk *disk) { refcount_inc(&disk->refs); }
/* disk_set_capacity - it grew or shrank.  Context: thread. */
void disk_set_capacity(struct disk *disk, u64 nr_sectors);
/* disk_set_depth - it now stands on something else.  0, -ENOMEM.  Context: thread; nothing is in flight. */
int disk_set_depth(struct disk *disk, u32 depth);
/* disk_each - call fn for each disk, holding a reference on it; stops at the first that does not return 0, and returns that. */
int disk_each(int (*fn)(struct disk *disk, void *arg), void *arg);

/* block_device_create - the whole (partno 0) or a part, not in any list.  NULL: no memory.  block_device_free - unopened. */
struct block_device *block_device_create(struct disk *disk, u32 partno, u64 start, u64 nr_sectors);
void block_device_free(struct block_device *bdev);
void block_device_resize(struct block_device *bdev, u64 nr_sectors);

/* bio_start - first sector on the disk.  bio_end - it is done: status 0 or an errno, and end() is called.  Context: any. */
static inline u64 bio_start(const struct bio *bio) { return bio->bdev->start + bio->sector; }
void bio_end(struct bio *bio, int status);
static inline bool bio_op_writes(u8 op) { return op == BIO_WRITE || op == BIO_DISCARD || op == BIO_WRITE_ZEROES; }
/* bio_reserve_ready - bios of that depth can be had without memory from now on: 0, -ENOMEM.  Once for each depth. */
#define DISK_DEPTH_MAX	4u
int bio_reserve_ready(u32 depth);
