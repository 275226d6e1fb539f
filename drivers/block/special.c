/* The file of a block device: what open, read, write and the rest do on /dev/vda.
 *
 * Opening a block special file looks up the device by number and turns the file to the device's own inode (file->mapping), so that all
 * names of a device share one cache.  Positions are bytes, the size is the device's and no write makes it grow. */
#include <drivers/block/disk.h>
#include <drivers/block/ioctl.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iomap.h>
#include <kernel/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <mm/writeback.h>

static int special_open(struct inode *inode, struct file *f)
{
	struct block_device *bdev;
	int err = block_open(inode->rdev, false, f->flags & O_EXCL ? f : NULL, &bdev);

	if (err)
		return err;
	f->private = bdev;
	f->mapping = &bdev->inode->data;
	return 0;
}

static void special_release(struct file *f)
{
	struct block_device *bdev = f->private;

	block_close(bdev, READ_ONCE(bdev->holder) == f ? f : NULL);	/* if it is f, it stays f until then */
}

static int special_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	int err = filemap_sync_range(f, start, end);

	(void)datasync;
	return err ? err : block_flush(f->private);
}

static ssize_t special_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct inode *i = f->mapping->host;
	u64 size = i_size_read(i);
	ssize_t n;

	if (block_read_only(f->private))
		return -EPERM;
	if (!from->count)
		return 0;
	if (*pos >= size)
		return -ENOSPC;
	if (from->rwf & RWF_NOWAIT && !(f->flags & O_DIRECT))
		return -EOPNOTSUPP;
	from->count = min(from->count, size - *pos);
	rwsem_write_lock(&i->lock);
	if (f->flags & O_DIRECT)
		return iomap_direct_write(f, from, pos);	/* unlocks */
	n = filemap_write(f, from, pos);
	rwsem_write_unlock(&i->lock);
	if (n > 0)
		balance_dirty(f->mapping, (u32)DIV_ROUND_UP((u64)n, PAGE_SIZE));
	return n > 0 ? file_write_sync(f, from, *pos, n) : n;
}

static s64 special_seek(struct file *f, s64 off, int whence)
{
	u64 size = i_size_read(f->mapping->host);
	s64 to;

	switch (whence) {
	case SEEK_SET:
		to = off;
		break;
	case SEEK_CUR:
		to = (s64)f->pos + off;
		break;
	case SEEK_END:
		to = (s64)size + off;
		break;
	default:
		return -EINVAL;
	}
	if (to < 0 || to > (s64)size)
		return -EINVAL;
	f->pos = (u64)to;
	return to;
}

/* Ranges of whole logical blocks, on the device: holes are discarded and read as zero, ZERO_RANGE writes zeroes, as on Linux. */
static int special_fallocate(struct file *f, u32 mode, u64 off, u64 len)
{
	struct block_device *bdev = f->private;
	struct inode *i = f->mapping->host;
	u64 size = i_size_read(i), end = off + len;
	int err;

	if (block_read_only(bdev))
		return -EPERM;
	if (off >= size)
		return -EINVAL;
	if (end > size) {
		if (!(mode & FALLOC_FL_KEEP_SIZE))
			return -EINVAL;
		end = size;
	}
	if ((off | end) & (block_logical_size(bdev) - 1))
		return -EINVAL;
	if (!(mode & (FALLOC_FL_ZERO_RANGE | FALLOC_FL_PUNCH_HOLE)))
		return -EOPNOTSUPP;
	rwsem_write_lock(&i->lock);
	err = block_wipe(bdev, off, end, false);
	rwsem_write_unlock(&i->lock);
	return err;
}

const struct file_ops blockdev_fops = {
	.open = special_open, .release = special_release, .read = iomap_file_read, .write = special_write, .seek = special_seek,
	.mmap = filemap_mmap, .fsync = special_fsync, .ioctl = block_ioctl, .fallocate = special_fallocate,
};
