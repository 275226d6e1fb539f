/* The parts of a disk, and how /sys shows both. */
#pragma once
#include <drivers/block/disk.h>

/* disk_rescan - read the partition table (again), and replace the disk's parts by what it says.  0; -EBUSY: a part is open, nothing has
 * changed; -errno of opening and reading.  Context: thread, may sleep; disk->mutex not held. */
int disk_rescan(struct disk *disk);
/* disk_forget_parts - the disk is gone: its parts leave /dev and /sys.  The same context. */
void disk_forget_parts(struct disk *disk);
/* disk_part_ioctl - BLKRRPART, BLKPG on an open device. */
long disk_part_ioctl(struct block_device *bdev, u32 cmd, u64 arg);

/* block_dir_add - the whole or a part appears in /dev and /sys; the whole first.  block_dir_remove - it leaves; nothing if it was
 * not there.  Context: thread, may sleep; disk->mutex not held. */
void block_dir_add(struct block_device *bdev);
void block_dir_remove(struct block_device *bdev);
/* block_dir_disk - of which disk is this struct device the directory?  For the attributes of drivers (disk->groups). */
struct disk *block_dir_disk(const void *device);
