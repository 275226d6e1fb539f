/* The ioctls of block devices: sizes, limits, read-only, discarding.
 *
 * Sizes are reported as Linux does, into ints, unsigned shorts, longs and u64s, each as its number says.  BLKROSET and
 * BLKFLSBUF are the administrator's; what changes data asks for a descriptor open for writing. */
#include <arch/uaccess.h>
#include <drivers/block/disk.h>
#include <drivers/block/ioctl.h>
#include <drivers/block/rescan.h>
#include <fs/buffer.h>
#include <fs/inode.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <linux/blkpg.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <mm/filemap.h>
#include <mm/writeback.h>

#define put(type, value, arg) put_user((type)(value), (type __user *)user_ptr(arg))

int block_wipe(struct block_device *bdev, u64 start, u64 end, bool discard)
{
	struct address_space *as = &bdev->inode->data;
	int err;

	if (start == end)
		return 0;
	rwsem_write_lock(&as->invalidate_lock);		/* nobody fills pages meanwhile */
	err = filemap_write_range(as, ALIGN_DOWN(start, PAGE_SIZE), ALIGN_UP(end, PAGE_SIZE) - 1);	/* what shares a page with it */
	if (!err)
		err = filemap_wait_range(as, ALIGN_DOWN(start, PAGE_SIZE), ALIGN_UP(end, PAGE_SIZE) - 1);
	filemap_punch(as, start, end);
	if (!err && discard)
		err = block_discard(bdev, start >> SECTOR_SHIFT, (end - start) >> SECTOR_SHIFT);
	else if (!err)
		err = block_zero(bdev, start >> SECTOR_SHIFT, (end - start) >> SECTOR_SHIFT);
	rwsem_write_unlock(&as->invalidate_lock);
	return err;
}

static long wipe(struct file *f, u64 arg, bool discard)
{
	struct block_device *bdev = f->private;
	struct inode *i = bdev->inode;
	u64 range[2], mask = discard ? SECTOR_SIZE - 1 : block_logical_size(bdev) - 1;
	int err;

	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (block_read_only(bdev))
		return -EPERM;
	if (discard && !bdev->disk->limits.max_discard_sectors)
		return -EOPNOTSUPP;
	if (copy_from_user(range, (void __user *)user_ptr(arg), sizeof(range)))
		return -EFAULT;
	mask |= block_logical_size(bdev) - 1;
	if ((range[0] | range[1]) & mask || range[0] + range[1] < range[0])
		return -EINVAL;
	if (!discard && !range[1])
		return -EINVAL;
	rwsem_write_lock(&i->lock);
	err = range[0] + range[1] > i_size_read(i) ? -EINVAL : block_wipe(bdev, range[0], range[0] + range[1], discard);
	rwsem_write_unlock(&i->lock);
	return err;
}

static long flush_buffers(struct block_device *bdev)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	return bdev->holder ? buffers_sync(bdev) : filemap_invalidate(&bdev->inode->data, 0, ~0ull);
}

/* A geometry that partition tools of old are content with. */
static long get_geometry(struct block_device *bdev, u64 arg)
{
	struct hd_geometry geo = { .heads = 16, .sectors = 63, .start = bdev->start };

	geo.cylinders = (unsigned short)min(bdev->disk->whole->nr_sectors / (16 * 63), 0xfffful);
	return arg && !copy_to_user((void __user *)user_ptr(arg), &geo, sizeof(geo)) ? 0 : arg ? -EFAULT : -EINVAL;
}

static long set_read_only(struct block_device *bdev, u64 arg)
{
	int on;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (get_user(on, (int __user *)user_ptr(arg)))
		return -EFAULT;
	if (!on && bdev->disk->hard_read_only)
		return -EACCES;
	atomic_store(&bdev->disk->read_only, on != 0);
	return 0;
}

static long set_block_size(u64 arg)
{
	int size;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (!arg)
		return -EINVAL;
	if (get_user(size, (int __user *)user_ptr(arg)))
		return -EFAULT;
	return size < (int)SECTOR_SIZE || size > (int)PAGE_SIZE || size & (size - 1) ? -EINVAL : 0;	/* the cache goes by sectors */
}

static long set_read_ahead(struct block_device *bdev, u64 arg)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	bdev->disk->read_ahead_kb = (u32)min(arg / 2, 0xfffffffful);
	return 0;
}

static long ask_limits(struct block_device *bdev, u32 cmd, u64 arg)
{
	const struct disk_limits *l = &bdev->disk->limits;

	switch (cmd) {
	case BLKSSZGET:
		return put(int, l->logical_size, arg);
	case BLKPBSZGET:
		return put(u32, l->physical_size, arg);
	case BLKBSZGET:
		return put(int, PAGE_SIZE, arg);
	case BLKIOMIN:
		return put(u32, l->io_min, arg);
	case BLKIOOPT:
		return put(u32, l->io_opt, arg);
	case BLKALIGNOFF:
		return put(int, (l->alignment_offset + l->physical_size - (bdev->start << SECTOR_SHIFT) % l->physical_size) % l->physical_size, arg);
	case BLKSECTGET:
		return put(u16, min(l->max_sectors, 0xffffu), arg);
	case BLKROTATIONAL:
		return put(u16, l->rotational, arg);
	case BLKDISCARDZEROES:
		return put(u32, 0, arg);
	case BLKRAGET: case BLKFRAGET:
		return arg ? put(long, (u64)READ_ONCE(bdev->disk->read_ahead_kb) * 2, arg) : -EINVAL;
	default:
		return -ENOTTY;
	}
}

long block_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct block_device *bdev = f->private;
	struct disk *disk = bdev->disk;
	long ret;

	switch (cmd) {
	case BLKGETSIZE:
		return put(unsigned long, i_size_read(bdev->inode) >> SECTOR_SHIFT, arg);
	case BLKGETSIZE64:
		return put(u64, i_size_read(bdev->inode), arg);
	case BLKROGET:
		return put(int, block_read_only(bdev), arg);
	case BLKROSET:
		return set_read_only(bdev, arg);
	case BLKBSZSET:
		return set_block_size(arg);
	case BLKRASET: case BLKFRASET:
		return set_read_ahead(bdev, arg);
	case BLKFLSBUF:
		return flush_buffers(bdev);
	case BLKDISCARD:
		return wipe(f, arg, true);
	case BLKZEROOUT:
		return wipe(f, arg, false);
	case BLKSECDISCARD:
		return -EOPNOTSUPP;
	case BLKRRPART: case BLKPG:
		return disk_part_ioctl(bdev, cmd, arg);
	case HDIO_GETGEO:
		return get_geometry(bdev, arg);
	default:
		ret = ask_limits(bdev, cmd, arg);
		return ret == -ENOTTY && disk->ops->ioctl ? disk->ops->ioctl(f, cmd, arg) : ret;
	}
}
