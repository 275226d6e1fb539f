/* The block layer: disks, their partitions, and bios, which carry pages to and from them.
 *
 * A bio names a run of sectors of one block device and the pages for it.  Who submits one owns its pages until end() is called, once,
 * for every bio that was submitted.  Nothing orders two bios in flight but this: a bio with BIO_PREFLUSH begins after the device has
 * made durable all that ended before the bio was submitted; one with BIO_FUA ends when its own data is durable.
 * Sectors are 512 bytes whatever the device's logical block is; runs and lengths are multiples of that logical block. */
#pragma once
#include <fs/vfs.h>
#include <kernel/lib/list.h>
#include <kernel/lib/types.h>

struct block_device;
struct block_stats;
struct device;
struct disk;
struct page;
struct seq;

#define SECTOR_SHIFT	9
#define SECTOR_SIZE	512u

enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH, BIO_DISCARD, BIO_WRITE_ZEROES };
enum bio_flags {
	BIO_PREFLUSH = 1, BIO_FUA = 2,
	BIO_SYNC = 4,			/* somebody waits for it */
	BIO_RAHEAD = 8,			/* nobody asked for it yet: may fail when resources are short */
	BIO_META = 16,			/* file-system structure: for statistics and fault injection */
};

struct bio_vec { struct page *page; u32 off, len; };

struct bio {
	struct bio *next;		/* whoever holds the bio */
	struct block_device *bdev;	/* [I] once submitted */
	u64 sector;			/* first, from bdev's start */
	u64 len;			/* bytes: sum of vecs, or the extent of a discard or write-zeroes; 0 for a flush */
	u8 op;				/* enum bio_op */
	u8 flags;			/* enum bio_flags */
	u16 nr_vecs, max_vecs;
	u16 reserve;			/* bio.c's: which reserve it came from, counted from 1; 0: none */
	s32 status;			/* when it ends: 0, -EIO, -EPERM, -ENOSPC, -EOPNOTSUPP, -ETIMEDOUT, -ENODEV */
	u32 parts;			/* [a] the device's: pieces not yet ended */
	void (*end)(struct bio *bio);	/* Context: irq or thread; must not sleep, may free the bio */
	void *private;			/* the submitter's */
	struct bio_vec vecs[];
};

#define BIO_MAX_VECS	256u

/* bio_alloc - an empty bio for bdev with room for nr_vecs (0 to BIO_MAX_VECS).  With GFP_KERNEL or GFP_NOIO it waits for the reserve
 * and never fails (writing back must go on without memory); it may then have less room than asked for, which bio_add tells, and who asks
 * for another must have submitted the first.  With GFP_ATOMIC it may be NULL.
 * bio_add - append len bytes of page from off on, in a vec of their own; false: full.  bio_free - not in flight.  Context: thread;
 * bio_free any. */
struct bio *bio_alloc(struct block_device *bdev, u8 op, u8 flags, u64 sector, u32 nr_vecs, gfp_t gfp);
bool bio_add(struct bio *bio, struct page *page, u32 off, u32 len);
void bio_free(struct bio *bio);
/* bio_submit - hand it to the device.  Out of the device's range, or not in its logical blocks: it ends with -EIO at once; a write to a
 * read-only one with -EPERM.  end() may run before bio_submit returns.
 * bio_submit_wait - the same, waiting; returns its status; does not free it.  Context: thread, may sleep; no spin locks. */
void bio_submit(struct bio *bio);
int bio_submit_wait(struct bio *bio);

/* A plug holds back what its thread submits, so that neighbours merge, until block_unplug or until the thread sleeps.  Plugs nest: the
 * outermost one holds.  Context: thread. */
struct block_plug { struct task_plug task; struct list_head requests; u32 nr; };
void block_plug(struct block_plug *plug);
void block_unplug(struct block_plug *plug);

/* A whole disk or a partition of it. */
struct block_device {
	struct disk *disk;		/* [I] */
	dev_t_k dev;			/* [I] */
	u32 partno;			/* [I] 0: the whole */
	u64 start, nr_sectors;		/* [disk->mutex, read racily] in sectors */
	struct inode *inode;		/* [I] its data (inode->data) is the device's page cache; i_size its size in bytes */
	char name[32];			/* [I] "vda", "vda1" */
	u8 partuuid[40], partlabel[112];	/* [disk->mutex] text, UTF-8; empty: none */
	const void *holder;		/* [disk->mutex] who has it for himself: a superblock, a swap area, a loop device */
	u32 openers, holds;		/* [disk->mutex] who opened it; how many of them as the holder */
	struct list_head link;		/* [disk->mutex] of disk->parts */
	struct block_stats *stats;	/* [I] one for each CPU: drivers/block/stats.h */
	u64 busy_stamp_ms, busy_ms;	/* [a] when something was last seen in flight, and for how long in all */
	u32 write_failed;		/* [a] a write of its cache failed since buffers_sync last saw to it */
	struct device *device;		/* [disk->scan_mutex] its directory in /sys, or NULL */
};

/* block_open - by number (opening loads the partition table first if it was not) or by path to a special file.  holder: not NULL: for
 * that one alone; a second holder, of the whole or of a part, is -EBUSY.  write: -EACCES on a read-only disk.  -ENXIO: no such device;
 * -ENOTBLK, -EACCES: what the path names is none, or not allowed (nodev).  Context: thread, may sleep.
 * block_close - forgets clean cached pages with the last opener, after writing the dirty ones. */
int __must_check block_open(dev_t_k dev, bool write, const void *holder, struct block_device **out);
int __must_check block_open_path(const char *path, bool write, const void *holder, struct block_device **out);
void block_close(struct block_device *bdev, const void *holder);
/* BLOCK_MAJOR(ident, number, "name") - a driver's line in /proc/devices.  block_majors_show - all of them. */
struct block_major { u32 number; const char *name; };
#define BLOCK_MAJOR(ident, ...) static const struct block_major __block_major_##ident __used __aligned(8) __section(".block_majors") = { __VA_ARGS__ }
extern const struct block_major __block_majors_start[], __block_majors_end[];
struct seq;
void block_majors_show(struct seq *s);
/* block_flush - all that ended before is durable when it returns 0.  block_discard, block_zero - nr sectors from first; -EOPNOTSUPP. */
int block_flush(struct block_device *bdev);
bool block_can_discard(const struct block_device *bdev);
int block_discard(struct block_device *bdev, u64 first, u64 nr);
int block_zero(struct block_device *bdev, u64 first, u64 nr);	/* by write-zeroes, or by writing zeroes */
u32 block_logical_size(const struct block_device *bdev);	/* bytes: 512 to 4096 */
bool block_read_only(const struct block_device *bdev);
/* block_find - the device that spec names, as in root=: a path or name ("/dev/vda1", "vda1"), numbers ("254:1", or hexadecimal "fe01"),
 * PARTUUID=, PARTLABEL= (of the partition table), UUID=, LABEL= (of the ext2 or swap area on it).  0; -ENODEV: none such (yet);
 * -EINVAL: not one of these.  Reads what it must.  Context: thread, may sleep.
 * block_list - the block devices there are, "vda 254:0 131072 KiB, vda1 ...", cut off at size.
 * disks_wait - until a disk has come since disks_seen() was asked. */
int block_find(const char *spec, dev_t_k *dev);
void block_list(char *buf, size_t size);
u32 disks_seen(void);
void disks_wait(u32 seen);
