/* The ioctls of block devices. */
#pragma once
#include <drivers/block/block.h>

/* block_ioctl - on an open block special file; the driver is asked last.  -ENOTTY. */
long block_ioctl(struct file *f, u32 cmd, u64 arg);
/* block_wipe - [start, end), bytes in whole logical blocks, become zero or, if discard, anything; the cache forgets them.
 * Locks: the device's inode, for writing.  0, -EOPNOTSUPP (discard only), -EIO, -ENOMEM. */
int block_wipe(struct block_device *bdev, u64 start, u64 end, bool discard);
