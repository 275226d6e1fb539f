/* The file of a block device: what open, read, write and the rest do on /dev/vda.
 *
 * Opening a block special file looks up the device by number and turns the file to the device's own inode (file->mapping), so that all
 * names of a device share one cache.  Positions are bytes, the size is the device's and no write makes it grow. */
#include <drivers/block/disk.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

/* --- the cache, page by page and waiting: until fs/buffer.c does it better --- */

/* Bytes of the page at index that the device has. */
static u32 page_bytes(const struct address_space *as, u64 index)
{
	u64 size = i_size_read(as->host), pos = index << PAGE_SHIFT;

	return pos >= size ? 0 : (u32)min(size - pos, PAGE_SIZE);
}

static int page_io(struct address_space *as, struct page *p, u8 op)
{
	struct block_device *bdev = as->host->private;
	u32 len = page_bytes(as, p->index);
	struct bio *bio;
	int err;

	if (!len)
		return 0;
	bio = bio_alloc(bdev, op, 0, p->index << (PAGE_SHIFT - SECTOR_SHIFT), 1, GFP_NOIO);
	bio_add(bio, p, 0, len);
	err = bio_submit_wait(bio);
	bio_free(bio);
	return err;
}

static int block_read_page(struct address_space *as, struct page *p)
{
	u32 len = page_bytes(as, p->index);
	int err = page_io(as, p, BIO_READ);

	if (!err) {
		memset((char *)page_address(p) + len, 0, PAGE_SIZE - len);
		atomic_fetch_or(&p->flags, PG_UPTODATE);
	}
	page_unlock(p);
	return err;
}
const struct address_space_ops block_aops = { .read_page = block_read_page };

static int sync_range(struct block_device *bdev, u64 first, u64 last)
{
	struct address_space *as = &bdev->inode->data;
	int err = 0;

	for (u64 i = first; i <= last; i++) {
		struct page *p = filemap_lookup(as, i);
		int e = 0;

		if (!p)
			continue;
		page_lock(p);
		if (atomic_fetch_and(&p->flags, ~(u32)PG_DIRTY) & PG_DIRTY)
			e = page_io(as, p, BIO_WRITE);
		page_unlock(p);
		page_put(p);
		if (e && !err)
			err = e;
	}
	return err;
}

int block_sync_pages(struct block_device *bdev)
{
	u64 pages = DIV_ROUND_UP(i_size_read(bdev->inode), PAGE_SIZE);

	return pages && bdev->inode->data.nr_pages ? sync_range(bdev, 0, pages - 1) : 0;
}

/* --- the file's operations --- */

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

static ssize_t special_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct block_device *bdev = f->private;
	struct inode *i = bdev->inode;
	u64 size, start = *pos;
	ssize_t n;

	if (block_read_only(bdev))
		return -EPERM;
	if (!from->count)
		return 0;
	rwsem_write_lock(&i->lock);
	size = i_size_read(i);
	if (*pos >= size) {
		rwsem_write_unlock(&i->lock);
		return -ENOSPC;
	}
	from->count = min(from->count, size - *pos);
	n = filemap_write(f, from, pos);
	if (n > 0) {
		int err = sync_range(bdev, start >> PAGE_SHIFT, (start + (u64)n - 1) >> PAGE_SHIFT);

		if (err)
			n = err;
	}
	rwsem_write_unlock(&i->lock);
	return n;
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

static int special_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	struct block_device *bdev = f->private;
	int err = block_sync_pages(bdev);

	(void)start; (void)end; (void)datasync;
	return err ? err : block_flush(bdev);
}

const struct file_ops blockdev_fops = {
	.open = special_open, .release = special_release, .read = filemap_read, .write = special_write, .seek = special_seek,
	.mmap = filemap_mmap, .fsync = special_fsync,
};
